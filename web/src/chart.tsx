// Lines over steps, drawn by uPlot; what it lacks is here: keyboard, the shared cursor, exact
// values, marks for what is not finite, words for a screen reader.
import { effect } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { axisTexts, exact, short } from "./format";
import { bounds, moveBy, moveTo, span, step } from "./cursor";
import { upper } from "./carriers";
import { DASHES, palette } from "./theme";

export interface ChartSeries {
  name: string;
  label: string;
  color: string;
  steps: Float64Array;
  values: Float64Array;
  dash?: number[];
  width?: number;
  /** Drawn paler: what another line is a smoothed copy of. */
  faint?: boolean;
}

/** A step worth a line of its own. */
export interface Mark {
  step: number;
  label: string;
  color: string;
}

export interface ChartProps {
  /** What a screen reader calls the chart. */
  label: string;
  series: ChartSeries[];
  log?: boolean;
  marks?: Mark[];
  height?: number;
  /** Values at the cursor, exact; where a series has none its nearest drawn point is used. */
  at?: (name: string) => number | undefined;
  /** Steps that are shown unless the reader zooms; by default those of the open run. */
  domain?: [number, number];
  /** Takes the canvas, for a picture. */
  canvas?: (canvas: HTMLCanvasElement | null) => void;
}

const NO_MARKS: Mark[] = [];
const FONT = "11px ui-sans-serif, system-ui, sans-serif";

/** Put series of their own steps under one another: undefined where a series has no point there,
 * null where its value is not finite (or not positive, on a logarithmic axis). */
export function align(series: ChartSeries[], log: boolean): uPlot.AlignedData {
  const usable = (value: number) => (
    Number.isFinite(value) && (!log || value > 0) ? value : null);
  if (!series.length) return [[]];
  const [one] = series;
  const together = series.every((other) => other.steps === one.steps || (
    other.steps.length === one.steps.length && other.steps.every((at, k) => at === one.steps[k])));
  if (together) {
    const lines = series.map(({ values }) => Array.from(values, usable));
    return [one.steps as unknown as number[], ...lines] as uPlot.AlignedData;
  }
  const all = Float64Array.from(series.reduce((sum, { steps }) => sum.concat(Array.from(steps)),
    [] as number[])).sort();
  const steps = all.filter((at, k) => k === 0 || at !== all[k - 1]);
  const lines = series.map((line) => {
    const placed: (number | null | undefined)[] = new Array(steps.length);
    let k = 0;
    for (let j = 0; j < line.steps.length; j++) {
      while (steps[k] < line.steps[j]) k++;
      placed[k] = usable(line.values[j]);
    }
    return placed;
  });
  return [steps as unknown as number[], ...lines] as uPlot.AlignedData;
}

/** Index of the point of a line that is nearest to a step. */
export function nearestPoint(steps: Float64Array, at: number): number {
  const k = upper(steps, at);
  if (k === 0) return 0;
  return k < steps.length && steps[k] - at < at - steps[k - 1] ? k : k - 1;
}

/** Zoom the charts by a factor around a step. */
export function zoom(factor: number, around = step.peek()): void {
  const { first, last } = bounds.peek();
  const [low, high] = span.peek() ?? [first, last];
  const wide = Math.max(2, (high - low) * factor);
  if (wide >= last - first) {
    span.value = null;
    return;
  }
  const share = Math.min(1, Math.max(0, (around - low) / (high - low || 1)));
  const start = Math.min(last - wide, Math.max(first, around - share * wide));
  span.value = [start, start + wide];
}

/** Move the zoomed steps by a share of their width. */
export function pan(share: number): void {
  if (!span.peek()) return;
  const { first, last } = bounds.peek();
  const [low, high] = span.peek()!;
  const start = Math.min(last - (high - low), Math.max(first, low + share * (high - low)));
  span.value = [start, start + high - low];
}

export function stepKeys(event: KeyboardEvent): boolean {
  const { first, last } = bounds.peek();
  const far = Math.max(1, Math.round((last - first) / 20));
  if (event.ctrlKey || event.metaKey || event.altKey) return false;
  const act: Record<string, () => void> = {
    ArrowLeft: () => (event.shiftKey ? pan(-0.2) : moveBy(-1)),
    ArrowRight: () => (event.shiftKey ? pan(0.2) : moveBy(1)),
    PageUp: () => moveBy(-far),
    PageDown: () => moveBy(far),
    Home: () => moveTo(first),
    End: () => moveTo(last),
    "+": () => zoom(0.5),
    "=": () => zoom(0.5),
    "-": () => zoom(2),
    0: () => {
      span.value = null;
    },
  };
  if (!act[event.key]) return false;
  act[event.key]();
  event.preventDefault();
  event.stopPropagation();
  return true;
}

export function Chart(props: ChartProps) {
  const { label, series, log = false, marks = NO_MARKS, height = 260, at, domain, canvas } = props;
  const place = useRef<HTMLDivElement>(null);
  const tip = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const shown = useRef({ series, marks, hidden: new Set<string>() });
  const [hidden, hide] = useState<Set<string>>(new Set());
  shown.current = { series, marks, hidden };
  const colors = palette.value;
  const form = JSON.stringify([
    log, height, domain, marks.length > 1, colors.surface, series.map((one) => [one.name, one.color, one.faint, one.dash])]);

  useEffect(() => {
    const element = place.current!;
    const drawn = new uPlot(
      options(shown, {
        log, width: element.clientWidth || 400, tip: tip.current!,
        height: Math.max(height, element.clientHeight),
      }),
      align(shown.current.series, log), element,
    );
    plot.current = drawn;
    canvas?.(drawn.ctx.canvas);
    // The cursor is an element of its own: moving it redraws nothing.
    const line = document.createElement("div");
    line.className = "chart-cursor";
    drawn.over.append(line);
    const putCursor = () => {
      const x = drawn.valToPos(step.value, "x");
      // Its width from what is known: asking the element would lay out the page.
      line.hidden = !(x >= -1 && x <= drawn.bbox.width / (devicePixelRatio || 1) + 1);
      if (!line.hidden) line.style.transform = `translateX(${x}px)`;
    };
    (drawn.hooks.draw ??= []).push(putCursor);
    const stopCursor = effect(putCursor);
    const stopSpan = effect(() => showSteps(drawn, domain));
    const size = new ResizeObserver(() => {
      const { clientWidth: width, clientHeight: high } = element;
      if (width && (width !== drawn.width || high !== drawn.height)) {
        drawn.setSize({ width, height: Math.max(height, high) });
      }
    });
    size.observe(element);
    return () => {
      size.disconnect();
      stopCursor();
      stopSpan();
      canvas?.(null);
      drawn.destroy();
      plot.current = null;
    };
  }, [form]);

  useEffect(() => {
    const drawn = plot.current;
    if (!drawn) return;
    drawn.batch(() => {
      drawn.setData(align(series, log), false);
      series.forEach((one, k) => drawn.setSeries(k + 1, { show: !hidden.has(one.name) }));
      showSteps(drawn, domain);
    });
  }, [series, form, hidden, marks]);

  const here = (one: ChartSeries) => (
    at?.(one.name) ?? one.values[nearestPoint(one.steps, step.value)]);
  const said = series.filter((one) => !one.faint).map((one) => `${one.label} ${exact(here(one))}`);
  const toggle = (name: string) => {
    const next = new Set(hidden);
    if (!next.delete(name)) next.add(name);
    hide(next);
  };
  return (
    <div class="chart">
      <ul class="legend">
        {series.map((one) => (
          <li key={one.name}>
            <button
              type="button" aria-pressed={!hidden.has(one.name)} onClick={() => toggle(one.name)}
              title={`${one.label} at step ${step.value}: ${exact(here(one))}. Press to hide or show it.`}
            >
              <Swatch color={one.color} dash={one.dash} faint={one.faint} />
              <span>{one.label}</span>
              <span class="number">{short(here(one), 6)}</span>
            </button>
          </li>
        ))}
      </ul>
      <div
        class="chart-place" ref={place} role="slider" tabIndex={0} aria-label={label}
        aria-valuemin={bounds.value.first} aria-valuemax={bounds.value.last}
        aria-valuenow={step.value} aria-valuetext={`Step ${step.value}: ${said.join(", ")}`}
        onKeyDown={stepKeys} style={{ minHeight: `${height}px` }}
      />
      <div class="chart-tip" ref={tip} hidden aria-hidden="true" />
    </div>
  );
}

export function Swatch({ color, dash, faint }: { color: string; dash?: number[]; faint?: boolean }) {
  return (
    <svg class="swatch" width="18" height="8" viewBox="0 0 18 8" aria-hidden="true">
      <line
        x1="0" x2="18" y1="4" y2="4" stroke={color} stroke-width={faint ? 1 : 2}
        stroke-dasharray={(dash ?? DASHES[0]).join(" ")} opacity={faint ? 0.6 : 1}
      />
    </svg>
  );
}

function showSteps(plot: uPlot, domain?: [number, number]): void {
  const [low, high] = span.value ?? domain ?? [bounds.value.first, bounds.value.last];
  plot.setScale("x", { min: low, max: Math.max(high, low + 1) });
}

type Shown = { current: { series: ChartSeries[]; marks: Mark[]; hidden: Set<string> } };

function options(
  shown: Shown,
  { log, height, width, tip }: { log: boolean; height: number; width: number; tip: HTMLDivElement },
): uPlot.Options {
  const colors = palette.peek();
  const axis = {
    stroke: colors.muted, font: FONT, ticks: { stroke: colors.line, size: 4, width: 1 },
    grid: { stroke: colors.grid, width: 1 },
  };
  return {
    width, height,
    legend: { show: false },
    padding: [shown.current.marks.length > 1 ? 28 : 16, 12, 0, 4],
    scales: {
      x: { time: false, auto: false },
      y: log ? { distr: 3, range: logRange } : { range: linearRange },
    },
    axes: [
      { ...axis, size: 26, space: 64, filter: (_plot, splits) => splits, values: (_plot, splits) => axisTexts(splits, false) },
      {
        ...axis, size: (_plot, texts) => 14 + 6.2 * Math.max(3, ...(texts ?? []).map((t) => t?.length ?? 0)),
        space: 30, incrs: INCREMENTS, splits: log ? logSplits : undefined,
        filter: (_plot, splits) => splits, values: (_plot, splits) => axisTexts(splits, log),
      },
    ],
    series: [
      {},
      ...shown.current.series.map((one) => ({
        label: one.label, stroke: one.faint ? `${one.color}66` : one.color,
        width: one.width ?? (one.faint ? 1 : 1.75), dash: one.dash?.length ? one.dash : undefined,
        spanGaps: false, points: { size: 5, fill: one.color, stroke: one.color },
      })),
    ],
    cursor: {
      y: false, points: { show: false },
      drag: { x: true, y: false, setScale: false, dist: 4 },
      bind: {
        dblclick: () => () => {
          span.value = null;
          return null;
        },
      },
    },
    hooks: {
      ready: [(plot) => listen(plot, shown, tip)],
      setSelect: [(plot) => {
        if (plot.select.width > 4) {
          const low = plot.posToVal(plot.select.left, "x");
          const high = plot.posToVal(plot.select.left + plot.select.width, "x");
          if (high - low >= 2) span.value = [low, high];
        }
        plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
      }],
      draw: [(plot) => drawMarks(plot, shown)],
    },
  };
}

/** uPlot's own end at 1e±32, where costs that run away do not. */
const INCREMENTS = Array.from({ length: 616 }, (_, k) => k - 308).flatMap((power) => (
  [1, 2, 2.5, 5].map((unit) => Number(`${unit}e${power}`))));

/** Powers of ten, every so many; within a power or two its parts. */
export function logSplits(_plot: uPlot, _axis: number, low: number, high: number): number[] {
  if (!(low > 0 && high < Infinity)) return []; // before there is anything to draw
  const from = Math.floor(Math.log10(low)), to = Math.ceil(Math.log10(high));
  const every = [1, 2, 3, 5, 10, 20, 25, 50].find((one) => (to - from) / one <= 7) ?? 100;
  const units = to - from < 2 ? [1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9]
    : to - from < 4 ? [1, 2, 5] : [1];
  const splits: number[] = [];
  for (let power = Math.floor(from / every) * every; power <= to; power += every) {
    for (const unit of units) {
      const value = Number(`${unit}e${power}`);
      if (value >= low && value <= high) splits.push(value);
    }
  }
  return splits;
}

/** Whether values are better told apart on a logarithmic axis: all positive, over many powers. */
export function spansPowers(series: { values: Float64Array }[]): boolean {
  let low = Infinity, high = 0;
  for (const { values } of series) {
    for (const value of values) {
      if (value <= 0) return false;
      if (value < low) low = value;
      if (value > high && value < Infinity) high = value;
    }
  }
  return high > 2000 * low;
}

function linearRange(_plot: uPlot, low: number | null, high: number | null): [number, number] {
  if (low === null || high === null) return [0, 1];
  if (high - low > 1e307) return [Math.max(low, -8e307), Math.min(high, 8e307)];
  if (low === high) return [low - (Math.abs(low) || 1) * 0.1, high + (Math.abs(high) || 1) * 0.1];
  const edge = 0.06 * (high - low);
  return [low >= 0 && low - edge < 0 ? 0 : low - edge, high + edge];
}

function logRange(_plot: uPlot, low: number | null, high: number | null): [number, number] {
  if (low === null || high === null || low <= 0) return [0.1, 1];
  const edge = Math.max(1.1, high ** 0.06 / low ** 0.06); // their quotient may be infinite
  return [low / edge, Math.min(1e308, high * edge)];
}

function listen(plot: uPlot, shown: Shown, tip: HTMLDivElement): void {
  const over = plot.over;
  let pressed = 0;
  over.addEventListener("mousedown", (event) => {
    pressed = event.clientX;
  });
  over.addEventListener("click", (event) => {
    if (Math.abs(event.clientX - pressed) < 4) {
      moveTo(plot.posToVal(event.clientX - over.getBoundingClientRect().left, "x"));
    }
  });
  over.addEventListener("wheel", (event) => {
    const around = plot.posToVal(event.clientX - over.getBoundingClientRect().left, "x");
    if (event.ctrlKey || event.metaKey) zoom(Math.exp(event.deltaY / 300), around);
    else if (event.shiftKey && span.peek()) pan((event.deltaY || event.deltaX) / 600);
    else return;
    event.preventDefault();
  }, { passive: false });
  over.addEventListener("mouseleave", () => {
    tip.hidden = true;
  });
  over.addEventListener("mousemove", (event) => {
    const box = over.getBoundingClientRect();
    const at = plot.posToVal(event.clientX - box.left, "x");
    const lines = shown.current.series.filter((one) => (
      one.steps.length && !shown.current.hidden.has(one.name)));
    if (!lines.length) return;
    const closest = lines[0].steps[nearestPoint(lines[0].steps, at)];
    const texts = [`step ${closest}`];
    for (const one of lines) {
      const k = nearestPoint(one.steps, closest);
      if (one.steps[k] === closest) texts.push(`${one.label}  ${exact(one.values[k])}`);
    }
    tip.replaceChildren(...texts.map((text) => {
      const row = document.createElement("div");
      row.textContent = text;
      return row;
    }));
    tip.hidden = false;
    const parent = tip.offsetParent!.getBoundingClientRect();
    const x = box.left - parent.left + plot.valToPos(closest, "x");
    const flip = x + tip.offsetWidth + 16 > parent.width;
    tip.style.transform = `translate(${Math.max(0, flip ? x - tip.offsetWidth - 10 : x + 10)}px, ${
      box.top - parent.top + 8}px)`;
  });
}

function drawMarks(plot: uPlot, shown: Shown): void {
  const { ctx: pen, bbox } = plot;
  const ratio = devicePixelRatio || 1;
  pen.save();
  pen.beginPath();
  pen.rect(bbox.left, bbox.top - 30 * ratio, bbox.width, bbox.height + 30 * ratio);
  pen.clip();
  pen.font = `${11 * ratio}px ui-sans-serif, system-ui, sans-serif`;
  pen.textAlign = "left";
  pen.textBaseline = "alphabetic";
  const free = [-Infinity, -Infinity];
  for (const mark of [...shown.current.marks].sort((a, b) => a.step - b.step)) {
    const x = Math.round(plot.valToPos(mark.step, "x", true));
    if (x < bbox.left - 1 || x > bbox.left + bbox.width + 1) continue;
    pen.strokeStyle = mark.color;
    pen.fillStyle = mark.color;
    pen.lineWidth = ratio;
    pen.setLineDash([3 * ratio, 3 * ratio]);
    pen.beginPath();
    pen.moveTo(x + 0.5, bbox.top);
    pen.lineTo(x + 0.5, bbox.top + bbox.height);
    pen.stroke();
    const wide = pen.measureText(mark.label).width;
    const start = Math.min(x - wide / 2, bbox.left + bbox.width - wide);
    const left = Math.max(bbox.left, start);
    const row = left > free[0] ? 0 : left > free[1] ? 1 : 2;
    if (row < 2) {
      pen.fillText(mark.label, left, bbox.top - (5 + 13 * row) * ratio);
      free[row] = left + wide + 8 * ratio;
    }
  }
  pen.setLineDash([]);
  pen.restore();
  drawOdd(plot, shown, ratio);
}

/** Triangles at the top edge (infinite upwards) and crosses (not a number): never left out. */
function drawOdd(plot: uPlot, shown: Shown, ratio: number): void {
  const { ctx: pen, bbox } = plot;
  pen.save();
  for (const one of shown.current.series) {
    if (one.faint || shown.current.hidden.has(one.name)) continue;
    pen.strokeStyle = pen.fillStyle = palette.peek().bad;
    pen.lineWidth = 1.5 * ratio;
    let before = -Infinity;
    for (let k = 0; k < one.values.length; k++) {
      const value = one.values[k];
      if (Number.isFinite(value)) continue;
      const x = plot.valToPos(one.steps[k], "x", true);
      if (x < bbox.left || x > bbox.left + bbox.width || x - before < 5 * ratio) continue;
      before = x;
      const size = 4 * ratio;
      pen.beginPath();
      if (Number.isNaN(value)) {
        const y = bbox.top + 8 * ratio;
        pen.moveTo(x - size, y - size);
        pen.lineTo(x + size, y + size);
        pen.moveTo(x + size, y - size);
        pen.lineTo(x - size, y + size);
        pen.stroke();
      } else {
        const up = value > 0 ? 1 : -1;
        const y = value > 0 ? bbox.top + 3 * ratio : bbox.top + bbox.height - 3 * ratio;
        pen.moveTo(x, y);
        pen.lineTo(x - size, y + 2 * up * size);
        pen.lineTo(x + size, y + 2 * up * size);
        pen.fill();
      }
    }
  }
  pen.restore();
}
