// Compare: several runs over one another, and what differs in their configuration and code.
import { useMemo, useRef, useState } from "preact/hooks";
import { Chart, type ChartSeries, nearestPoint, spansPowers } from "../chart";
import { run, step } from "../cursor";
import { count, exact, fileName, short } from "../format";
import { columns, runs, source, useLatest } from "../model";
import { AXES, Pick } from "../draw/pick";
import { Panel } from "../panel";
import { reductionNote, useSlow } from "../series";
import { STATES } from "../states";
import { DASHES, palette, seriesColor } from "../theme";
import type { Series } from "../types";

const MOST = 7;

export function ComparePanel() {
  const canvas = useRef<HTMLCanvasElement | null>(null);
  const [chosen, choose] = useState<string[] | null>(null);
  const [wanted, setName] = useState("cost");
  const names = columns("");
  const name = names.includes(wanted) || !names.length ? wanted
    : names.find((one) => one !== "seconds") ?? names[0];
  const [asked, setLog] = useState<boolean | null>(null);
  const known = runs.value.filter((one) => one.status !== "unreadable");
  const others = known.filter((one) => one.id !== run.value).slice(0, 3).map((one) => one.id);
  const ids = (chosen ?? [run.value!, ...others]).filter((id) => known.some((one) => one.id === id));
  const key = ids.join(",");
  const slow = useSlow(known.map((one) => one.steps).join(), 2000);
  const loaded = useLatest(async () => Promise.all(ids.map(async (id): Promise<Series | null> => {
    try {
      return (await source.peek().series(id, [name], { px: 700 }))[0];
    } catch {
      return null; // a run that has no such column
    }
  })), [key, name, slow], `${key} ${name}`);
  const differing = useLatest(
    () => (ids.length > 1 ? source.peek().compare(ids) : null), [key], key);

  const title = (id: string) => known.find((one) => one.id === id)?.name ?? id;
  const titles = ids.map(title);
  const unique = (id: string) => (
    titles.filter((other) => other === title(id)).length > 1 ? `${title(id)} ${id.slice(0, 6)}` : title(id));
  const colors = palette.value;
  const lines = useMemo(() => ids.flatMap((id, k): ChartSeries[] => {
    const one = loaded.data?.[k];
    if (!one) return [];
    return [{
      name: id, label: unique(id), color: seriesColor(k), dash: DASHES[k % DASHES.length],
      steps: one.steps, values: one.values,
    }];
  }), [loaded.data, colors, known.length]);
  const log = useMemo(() => asked ?? spansPowers(lines), [asked, lines]);
  const last = Math.max(1, ...lines.map((one) => one.steps[one.steps.length - 1] ?? 0));
  const first = Math.min(...lines.map((one) => one.steps[0] ?? 0), last);
  const missing = ids.filter((_, k) => loaded.data && !loaded.data[k]);
  const toggle = (id: string) => {
    choose(ids.includes(id) ? ids.filter((one) => one !== id) : [...ids, id].slice(-MOST));
  };
  return (
    <Panel
      id="compare" title="Compare" busy={loaded.busy}
      status={known.length > 1 && `${ids.length} of ${known.length} runs`}
      help={<p>
        Choose up to {MOST} runs. Their lines lie over one another by step; below stands what is not
        the same in all of them: settings, versions, and the lines of code.
      </p>}
      actions={<>
        <select
          aria-label="What is compared" value={name}
          onChange={(event) => setName(event.currentTarget.value)}
        >
          {names.slice(0, 500).map((one) => <option key={one} value={one}>{one}</option>)}
        </select>
        <Pick
          label="Axis of the comparison" options={AXES} value={log ? "log" : "linear"}
          choose={(axis) => setLog(axis === "log")}
        />
      </>}
      table={() => ({
        columns: ["run", "step", name],
        rows: lines.flatMap((one) => Array.from(one.steps, (at, k) => (
          [one.label, at, one.values[k]] as (string | number)[]))),
        note: "The points that are drawn.",
      })}
      picture={() => canvas.current}
      note={[
        reductionNote(loaded.data?.filter((one) => one !== null) ?? null),
        missing.length ? `${missing.map(unique).join(", ")}: no ${name} was recorded.` : "",
      ].filter(Boolean).join(" ")}
      empty={known.length < 2 && (
        <>
          <p>There is one run here. Record another one into the same folder, and it appears.</p>
          <pre>gradtape run --record runs/second train.py</pre>
        </>
      )}
    >
      <div class="compare">
        <fieldset class="run-choice">
          <legend>Runs</legend>
          {known.slice(0, 200).map((one) => (
            <label key={one.id}>
              <input
                type="checkbox" checked={ids.includes(one.id)} onChange={() => toggle(one.id)}
              />
              <span>{unique(one.id)}</span>
              {one.status !== "finished" && <span class="muted">{STATES[one.status][0]}</span>}
              <span class="muted number" title={exact(one.best)}>{short(one.best)}</span>
            </label>
          ))}
        </fieldset>
        <div class="compare-chart">
          <Chart
            label={`${name} of ${ids.length} runs over steps`} series={lines} log={log} height={240}
            domain={[first, last]}
            at={(id) => {
              const one = lines.find((line) => line.name === id);
              return one && one.values[nearestPoint(one.steps, step.value)];
            }}
            canvas={(drawn) => {
              canvas.current = drawn;
            }}
          />
        </div>
      </div>
      {differing.error && ids.length > 1 && <p class="panel-note">{differing.error}</p>}
      {differing.data && (
        <div class="differences">
          <Configuration rows={differing.data.config} heads={ids.map(unique)} />
          {differing.data.code.map((one, k) => <Difference
            key={k} diff={one.diff}
            title={`${fileName(one.file)}: ${unique(ids[0])} (−), ${unique(one.run ?? ids[1])} (+)`}
          />)}
          {!differing.data.code.length && <p class="muted">Their code is the same.</p>}
        </div>
      )}
    </Panel>
  );
}

function written(value: unknown): string {
  if (value === null || value === undefined) return "–";
  if (typeof value === "number") return exact(value);
  return typeof value === "string" ? value : JSON.stringify(value);
}

function Configuration({ rows, heads }: { rows: { key: string; values: unknown[] }[]; heads: string[] }) {
  const differ = rows.filter(({ values }) => (
    values.some((value) => JSON.stringify(value) !== JSON.stringify(values[0]))));
  if (!differ.length) return <p class="muted">Their configuration is the same.</p>;
  return (
    <div
      class={`data-table ${heads.length > 3 ? "is-wide" : ""}`} role="region" tabIndex={0}
      aria-label="Differences of configuration"
    >
      <table>
        <caption>{count(differ.length)} settings differ</caption>
        <thead>
          <tr><th scope="col" class="text">setting</th>{heads.map((head) => <th key={head} scope="col">{head}</th>)}</tr>
        </thead>
        <tbody>
          {differ.map(({ key, values }) => (
            <tr key={key}>
              <th scope="row" class="text">{key || "config"}</th>
              {heads.map((head, k) => <td key={head}>{written(values[k])}</td>)}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** A unified difference; its lines are told apart by sign and colour. */
function Difference({ title, diff }: { title: string; diff: string }) {
  const kind: Record<string, string> = { "+": "added", "-": "removed", "@": "place" };
  const lines = diff.split("\n").filter((line) => !/^(---|\+\+\+) /.test(line));
  return (
    <figure class="code">
      <figcaption>{title}</figcaption>
      <pre tabIndex={0} role="group" aria-label={`Differences of ${title}`}>
        {lines.slice(0, 400).map((line, k) => (
          <span key={k} class={`code-line ${kind[line[0]] ?? ""}`}>{line || " "}{"\n"}</span>
        ))}
      </pre>
    </figure>
  );
}
