// Gradient flow: how large the gradient of every variable is at every step, and what that means.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Chart, stepKeys } from "../chart";
import { upper } from "../carriers";
import { bounds, moveTo, run, span, step } from "../cursor";
import { exact, short } from "../format";
import { columns, info, row, source, useLatest, version } from "../model";
import { Pick } from "../draw/pick";
import { Panel } from "../panel";
import { useSlow } from "../series";
import { css, DASHES, palette, seriesColor, sequential } from "../theme";
import type { Flow } from "../types";

type Measure = "gradnorm" | "ratio" | "zeros";

const MEASURES: Record<Measure, { label: string; title: string; unit: string }> = {
  gradnorm: { label: "gradient", title: "Norm of the gradient", unit: "‖gradient‖" },
  ratio: { label: "update / weight", title: "Norm of the update by that of the variable", unit: "‖update‖ / ‖variable‖" },
  zeros: { label: "zeros", title: "Share of entries of the gradient that are exactly zero", unit: "share of zeros" },
};

const HEIGHT = 24;

/** So many variables are told apart as lines, under the map. */
const MOST_LINES = 6;

export interface Flag {
  kind: "vanishing" | "exploding" | "dead" | "not finite" | "no gradient";
  why: string;
}

function median(values: number[]): number {
  const sorted = values.filter((value) => Number.isFinite(value)).sort((a, b) => a - b);
  return sorted.length ? sorted[sorted.length >> 1] : NaN;
}

/** A variable whose gradient was None at every step. */
function isNone(flow: Flow, name: string): boolean {
  return flow.series[name].gradnorm.every((value) => Number.isNaN(value));
}

/** What is wrong with the gradients of each variable, by the steps up to the cursor. */
export function flags(flow: Flow, upTo: number): Map<string, Flag> {
  const found = new Map<string, Flag>();
  const stop = upper(flow.steps, upTo);
  const start = Math.max(0, stop - Math.max(5, Math.ceil(stop / 10)));
  const recent = (name: string, what: string) => (
    Array.from(flow.series[name][what]?.subarray(start, stop) ?? []));
  const typical = new Map(flow.names.map((name) => [name, median(recent(name, "gradnorm"))]));
  const begun = (name: string) => median(Array.from(flow.series[name].gradnorm.subarray(0, Math.min(stop, 10))));
  const explodes = (name: string) => begun(name) > 0 && typical.get(name)! > Math.max(1, 100 * begun(name));
  // Beside one that explodes the others do not vanish.
  const largest = Math.max(...flow.names.map((name) => (explodes(name) ? 0 : typical.get(name)! || 0)));
  for (const name of flow.names) {
    const norms = flow.series[name].gradnorm.subarray(0, stop);
    const zeros = recent(name, "zeros");
    const now = typical.get(name)!;
    const broken = norms.findIndex((value) => !Number.isFinite(value));
    if (isNone(flow, name)) {
      found.set(name, { kind: "no gradient", why: "none reached it; Alarms may say why" });
    } else if (broken >= 0) {
      found.set(name, { kind: "not finite", why: `from step ${flow.steps[broken]} on the gradient is not finite` });
    } else if (zeros.length && zeros.every((share) => share === 1)) {
      found.set(name, { kind: "dead", why: `every entry of its gradient is 0 since step ${flow.steps[start]}` });
    } else if (explodes(name)) {
      found.set(name, { kind: "exploding", why: `${short(now / begun(name), 2)} times as large as at the beginning` });
    } else if (flow.names.length > 1 && now > 0 && now < 1e-4 * largest) {
      found.set(name, { kind: "vanishing", why: `${short(largest / now, 2)} times smaller than the largest` });
    }
  }
  return found;
}

function range(flow: Flow, measure: Measure): [number, number] {
  if (measure === "zeros") return [0, 1];
  const logs: number[] = [];
  for (const name of flow.names) {
    for (const value of flow.series[name][measure] ?? []) {
      if (value > 0 && Number.isFinite(value)) logs.push(Math.log10(value));
    }
  }
  logs.sort((a, b) => a - b);
  if (!logs.length) return [-1, 0];
  const low = Math.floor(logs[Math.floor(0.01 * (logs.length - 1))]);
  const high = Math.ceil(logs[Math.ceil(0.99 * (logs.length - 1))]);
  return high > low ? [low, high] : [low - 1, low + 1];
}

function draw(canvas: HTMLCanvasElement, flow: Flow, measure: Measure): void {
  const ratio = devicePixelRatio || 1;
  const width = Math.max(1, Math.round(canvas.clientWidth * ratio));
  const height = Math.round(HEIGHT * flow.names.length * ratio);
  canvas.width = width;
  canvas.height = height;
  const pen = canvas.getContext("2d")!;
  const colors = palette.peek();
  const [low, high] = range(flow, measure);
  const [from, to] = span.peek() ?? [bounds.peek().first, bounds.peek().last];
  const { steps } = flow;
  // One colour per pixel and row: of the points that fall on it the last one.
  const point = new Int32Array(width);
  for (let x = 0; x < width; x++) {
    const at = from + ((x + 0.5) / width) * (to - from + bounds.peek().stride) - 0.5;
    point[x] = Math.max(0, upper(steps, Math.max(at, from)) - 1);
  }
  flow.names.forEach((name, k) => {
    const values = flow.series[name][measure], none = isNone(flow, name);
    const top = Math.round(k * HEIGHT * ratio), tall = Math.round((HEIGHT - 2) * ratio);
    let start = 0;
    for (let x = 1; x <= width; x++) {
      if (x < width && point[x] === point[start]) continue;
      const value = values?.[point[start]] ?? NaN;
      if (none) pen.fillStyle = colors.sunken;
      else if (!Number.isFinite(value)) pen.fillStyle = colors.bad;
      else if (measure === "zeros") pen.fillStyle = css(sequential(value));
      else if (value <= 0) pen.fillStyle = colors.sunken;
      else pen.fillStyle = css(sequential((Math.log10(value) - low) / (high - low)));
      pen.fillRect(start, top, x - start, tall);
      start = x;
    }
  });
}

export function FlowPanel() {
  const canvas = useRef<HTMLCanvasElement>(null);
  const line = useRef<HTMLDivElement>(null);
  const [measure, setMeasure] = useState<Measure>("gradnorm");
  const [width, setWidth] = useState(0);
  const slow = useSlow(version.value, 1000);
  const loaded = useLatest(
    () => {
      // Of very many variables fewer steps are asked for.
      const rows = columns("grad").length;
      return run.value ? source.peek().flow(run.value, Math.max(100, Math.min(800, 2e5 / rows | 0))) : null;
    }, [slow, info.value?.status]);
  const flow = loaded.data?.names.length ? loaded.data : null;
  const shown = span.value;
  const dark = palette.value;

  useEffect(() => {
    if (canvas.current && flow) draw(canvas.current, flow, measure);
  }, [flow, measure, shown, dark, width, bounds.value]);
  useEffect(() => {
    if (!canvas.current) return;
    const observer = new ResizeObserver(() => setWidth(canvas.current?.clientWidth ?? 0));
    observer.observe(canvas.current);
    return () => observer.disconnect();
  }, [flow === null]);

  const [from, to] = shown ?? [bounds.value.first, bounds.value.last];
  const share = (step.value - from + bounds.value.stride / 2) / (to - from + bounds.value.stride);
  useEffect(() => {
    if (!line.current) return;
    line.current.hidden = share < 0 || share > 1;
    line.current.style.left = `${100 * share}%`;
  });

  const here = (name: string): number => {
    const values = row.value?.values;
    const norm = values?.get(`gradnorm/${name}`) ?? Math.abs(values?.get(`grad/${name}`) ?? NaN);
    if (measure === "gradnorm" && values && !Number.isNaN(norm)) return norm;
    const k = flow ? Math.max(0, upper(flow.steps, step.value) - 1) : 0;
    return flow?.series[name][measure]?.[k] ?? NaN;
  };
  const found = flow ? flags(flow, step.value) : new Map<string, Flag>();
  const [low, high] = useMemo(() => (flow ? range(flow, measure) : [0, 1]), [flow, measure]);
  const at = (event: MouseEvent) => {
    const box = canvas.current!.getBoundingClientRect();
    return from + ((event.clientX - box.left) / box.width) * (to - from + bounds.value.stride) - 0.5;
  };
  const drawn = useMemo(() => flow?.names.filter((name) => !isNone(flow, name)) ?? [], [flow]);
  const lines = useMemo(() => drawn.slice(0, MOST_LINES).map((name, k) => ({
    name, label: name, color: seriesColor(k), dash: DASHES[k], steps: flow!.steps,
    values: flow!.series[name][measure] ?? new Float64Array(flow!.steps.length).fill(NaN),
  })), [flow, measure, dark]);
  const { unit } = MEASURES[measure];
  const end = (value: number) => (measure === "zeros" ? String(value) : `1e${value}`.replace("-", "−"));

  return (
    <Panel
      id="flow" title="Gradient flow"
      help={<>
        <p>
          One row a variable, one column a step. Colour is the size of the gradient on a logarithmic
          scale: bright is large, dark is small, red is not finite. Rows that are much darker than
          the others learn slowly.
        </p>
        <p>
          <i>update / weight</i> compares a step with what it changes; about 1e−3 is usual for
          trained networks. <i>zeros</i> is the share of entries whose gradient is exactly 0: a layer
          that stays at 1 is dead.
        </p>
      </>}
      actions={
        <Pick
          label="What is shown of the gradients" value={measure} choose={setMeasure}
          options={(Object.keys(MEASURES) as Measure[]).map((one) => [one, MEASURES[one].label])}
        />
      }
      table={() => ({
        columns: ["step", ...flow!.names.map((name) => `${unit} of ${name}`)],
        rows: Array.from(flow!.steps, (one, k) => [
          one, ...flow!.names.map((name) => flow!.series[name][measure]?.[k] ?? NaN)]),
        note: flow!.steps.length < (info.value?.count ?? 0)
          ? `${flow!.steps.length} of ${info.value!.count} steps.` : undefined,
      })}
      picture={() => canvas.current} busy={loaded.busy}
      empty={!flow && !loaded.busy && (
        <>
          <p>{loaded.error ?? "No gradient was recorded."}</p>
          <p>Gradients are recorded when <code>tape.gradient</code> is called inside the recording.</p>
        </>
      )}
      note={flow && flow.steps.length < (info.value?.count ?? 0)
        ? `${flow.steps.length} of ${info.value!.count} steps are drawn.` : ""}
    >
      {flow && (
        <>
          <div class="flow" data-rows={flow.names.length}>
            <ul class="flow-names">
              {flow.names.map((name) => <li key={name} title={name}>{name}</li>)}
            </ul>
            <div
              class="flow-map" role="slider" tabIndex={0} onKeyDown={stepKeys}
              aria-label={`${MEASURES[measure].title}, variables by steps`}
              aria-valuemin={bounds.value.first} aria-valuemax={bounds.value.last}
              aria-valuenow={step.value}
              aria-valuetext={`Step ${step.value}: ${
                flow.names.slice(0, 12).map((name) => `${name} ${short(here(name))}`).join(", ")}`}
            >
              <canvas
                ref={canvas} height={HEIGHT * flow.names.length}
                style={{ height: `${HEIGHT * flow.names.length}px` }}
                onClick={(event) => moveTo(at(event))}
              />
              <div class="chart-cursor" ref={line} />
            </div>
            <ul class="flow-values" aria-label={`${unit} at the cursor`}>
              {flow.names.map((name) => {
                const flag = found.get(name);
                return (
                  <li key={name}>
                    <span class="number" title={exact(here(name))}>{short(here(name), 3)}</span>
                    {flag && <span class="flag" title={`${name}: ${flag.why}`}>{flag.kind}</span>}
                  </li>
                );
              })}
            </ul>
          </div>
          <div class="flow-scale">
            <span>{unit}</span>
            <span class="number">{end(low)}</span>
            <Ramp />
            <span class="number">{end(high)}</span>
          </div>
          {found.size > 0 && (
            <ul class="flag-list">
              {[...found].slice(0, 6).map(([name, flag]) => (
                <li key={name}><b>{name}</b> {flag.kind}: {flag.why}.</li>
              ))}
            </ul>
          )}
          {drawn.length > 0 && drawn.length <= MOST_LINES && <Chart
            label={`${MEASURES[measure].title} over steps`} log={measure !== "zeros"} height={190}
            series={lines} at={here}
          />}
        </>
      )}
    </Panel>
  );
}

/** The scale of colours, dark to bright. */
export function Ramp() {
  const parts = Array.from({ length: 48 }, (_, k) => k);
  return (
    <svg class="flow-ramp" viewBox="0 0 48 8" preserveAspectRatio="none" aria-hidden="true">
      {parts.map((k) => <rect key={k} x={k} y="0" width="1.1" height="8" fill={css(sequential(k / 47))} />)}
    </svg>
  );
}
