// Cost: training and validation over steps, raw and smoothed, with the verdict's facts.
import { useMemo, useRef, useState } from "preact/hooks";
import { Chart, spansPowers, type ChartSeries, type Mark } from "../chart";
import { moveTo, run } from "../cursor";
import { capital, exact } from "../format";
import { info, row, source, useLatest, version } from "../model";
import { AXES, Pick } from "../draw/pick";
import { Panel } from "../panel";
import { reductionNote, smooth, useSeries, useSlow } from "../series";
import { DASHES, palette, seriesColor } from "../theme";

interface Fact {
  name: string;
  text: string;
  /** Where it is drawn, and what it is called there. */
  step: number | null;
  mark: string;
}

/** The verdict's four facts, each with the step at which it is drawn, and what has to be known to
 * read them. */
export function facts(verdict: any): Fact[] {
  if (!verdict) return [];
  const { fast_phase: fast, standstill: still, lowest, convergence, missing, note } = verdict;
  const best = lowest?.scale?.rises ? "highest" : "lowest";
  const at = (step: unknown) => (typeof step === "number" ? step : null);
  return [
    { name: "Fast phase", text: fast?.text, step: at(fast?.end), mark: "fast phase ends" },
    { name: "Printed cost", text: still?.text, step: at(still?.start), mark: "stands still" },
    { name: `${capital(best)} cost`, text: lowest?.text, step: at(lowest?.epoch), mark: best },
    { name: "Converged", text: convergence?.text, step: null, mark: "" },
    { name: "Incomplete", text: missing, step: null, mark: "" },
    { name: "Note", text: note, step: null, mark: "" },
  ].filter((fact) => fact.text);
}

export function CostPanel() {
  const canvas = useRef<HTMLCanvasElement | null>(null);
  const [asked, setLog] = useState<boolean | null>(null);
  const [over, setOver] = useState(0);
  const { columns = [], costs = [], validation } = info.value ?? {};
  const named = new Map(costs.map((one) => [one.column, one.name]));
  const names = [...(costs.length ? named.keys() : ["cost"]), validation ?? ""]
    .filter((name) => columns.some((one) => one.name === name));
  const loaded = useSeries(names);
  const slow = useSlow(version.value, 2000);
  const verdict = useLatest(
    () => (run.value && names.length ? source.peek().verdict(run.value) : null),
    [slow, info.value?.status, names.length]);

  const colors = palette.value;
  const list = loaded.data ?? [];
  const log = useMemo(() => asked ?? spansPowers(list), [asked, loaded.data]);
  // The same lines as long as nothing in them changes: the chart draws anew when they do.
  const lines = useMemo(() => list.flatMap((one): ChartSeries[] => {
    const k = names.indexOf(one.name);
    const line = {
      name: one.name, label: one.name === validation ? "validation" : named.size > 1 ? named.get(one.name)! : "cost",
      color: seriesColor(k), dash: DASHES[k % DASHES.length], steps: one.steps, values: one.values,
    };
    if (!over) return [line];
    return [
      { ...line, label: `${line.label}, raw`, faint: true },
      {
        ...line, name: `${one.name} smoothed`, label: `${line.label}, smoothed`,
        values: smooth(one.steps, one.values, over),
      },
    ];
  }), [loaded.data, over, colors]);
  const told = facts(verdict.data);
  const marks = useMemo(() => told.filter((fact) => fact.step !== null).map((fact): Mark => ({
    step: fact.step!, label: fact.mark, color: /est$/.test(fact.mark) ? colors.good : colors.muted,
  })), [verdict.data, colors]);
  const hiddenByLog = log && list.some((one) => one.values.some((value) => value <= 0));
  const odd = list.some((one) => one.values.some((value) => !Number.isFinite(value)));
  const notes = [
    reductionNote(list),
    odd ? "Crosses are NaN, triangles infinite." : "",
    hiddenByLog ? "Values that are not positive have no place on a logarithmic axis." : "",
  ].filter(Boolean).join(" ");
  const spans = [5, 20, 100, 1000, 10_000].filter((one) => one * 4 <= (info.value?.count ?? 0));

  let empty = null;
  if (info.value && !names.length) {
    empty = (
      <>
        <p>No cost was recorded: no gradient of a single number was asked for.</p>
        <pre>cost = np.mean(np.square(prediction - y)){"\n"}tape.gradient(cost, [w])</pre>
      </>
    );
  } else if (loaded.error) empty = <p>{loaded.error}</p>;

  return (
    <Panel
      id="cost" title="Cost"
      help={<>
        <p>
          The number that is being minimized, at every step. Press or use the arrow keys to move the
          cursor; drag to zoom, <kbd>+</kbd> and <kbd>−</kbd> zoom too, Shift and an arrow pan,
          double click or <kbd>0</kbd> shows all.
        </p>
        <p>
          The smoothed line is an exponential moving average; the raw one stays visible behind it.
          Whether a run has converged is not to be seen in its cost: read the last sentence.
        </p>
      </>}
      actions={<>
        {spans.length > 0 && (
          <select
            aria-label="Smoothing" value={over}
            onChange={(event) => setOver(Number(event.currentTarget.value))}
          >
            <option value={0}>not smoothed</option>
            {spans.map((one) => <option key={one} value={one}>smoothed over {one} steps</option>)}
          </select>
        )}
        <Pick
          label="Axis of the cost" options={AXES} value={log ? "log" : "linear"}
          choose={(axis) => setLog(axis === "log")}
        />
      </>}
      table={async () => {
        const { steps, columns: values } = await source.peek().rows(run.peek()!, { names });
        return {
          columns: ["step", ...names],
          rows: Array.from(steps, (at, k) => [at, ...values.map((one) => one[k])]),
        };
      }}
      picture={() => canvas.current} note={notes} empty={empty} busy={loaded.busy}
    >
      <Chart
        label="Cost over steps" series={lines} log={log} marks={marks}
        at={(name) => row.value?.values.get(name)}
        canvas={(drawn) => {
          canvas.current = drawn;
        }}
      />
      {told.length > 0 && (
        <dl class="verdict">
          {told.map((fact) => (
            <div key={fact.name}>
              <dt>
                {fact.name}
                {fact.step !== null && (
                  <button type="button" class="step-link" onClick={() => moveTo(fact.step!, true)}>
                    step {exact(fact.step)}
                  </button>
                )}
              </dt>
              <dd>{capital(fact.text)}</dd>
            </div>
          ))}
        </dl>
      )}
      {verdict.error && <p class="panel-note">{verdict.error}</p>}
    </Panel>
  );
}
