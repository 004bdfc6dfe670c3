// Array inspector: any recorded array at the cursor, as numbers, as a picture and as statistics.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { run, select, selection, spoken, step } from "../cursor";
import { heatMap, toneOf } from "../draw/heat";
import { counted, repr, statistics } from "../draw/numbers";
import { extent, histogram } from "../draw/scale";
import { exact, shape as shapeText, short } from "../format";
import { Icon } from "../icon";
import { info, keptNone, source, useLatest, version } from "../model";
import { Panel } from "../panel";
import { copyText } from "../save";
import type { ArrayAnswer, RunInfo, Tag } from "../types";
import { Entries } from "./inspector-table";
import { firstChoice, sliceOf, type Slice, type SliceChoice } from "./inspector-slice";
import "./inspector.css";

const HELP = (
  <p>
    The arrays of the run at the cursor: variables before their update, gradients, inputs, predictions.
    Entries are written as NumPy's repr does; arrow keys go from one to the next. In the picture blue
    is below and orange above zero where both occur, magenta is not finite.
  </p>
);

/** Most entries that are copied at once. */
const COPIED = 200_000;

/** Entries of a slice as text between tabs, or as nested lists that Python reads. */
export function asText(values: ArrayLike<number>, dtype: string, slice: Slice, form: "tabs" | "python"): string {
  const rows: string[] = [];
  for (let r = 0; r < slice.rows; r++) {
    const cells: string[] = [];
    for (let c = 0; c < slice.columns; c++) {
      const index = slice.index(r, c);
      if (index >= 0 && index < values.length) cells.push(repr(values[index], dtype));
    }
    rows.push(form === "tabs" ? cells.join("\t") : `[${cells.join(", ")}]`);
  }
  return form === "tabs" ? rows.join("\n") : `[${rows.join(",\n ")}]`;
}

async function copy(text: string): Promise<void> {
  spoken.value = await copyText(text) ? "Copied" : "The browser refused to copy";
}

/** Tags that name arrays, those of the columns' own scalars included. */
export function arrayTags(of: RunInfo): Tag[] {
  const order = ["variable", "source", "prediction", "input"];
  return [...of.tags].sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind));
}

function Histogram({ values }: { values: Float64Array }) {
  const range = extent(values);
  if (!range || range[0] === range[1]) return null;
  const counts = histogram(values, 40, range);
  const most = Math.max(...counts);
  return (
    <figure class="distribution">
      <svg viewBox="0 0 200 48" preserveAspectRatio="none" role="img" aria-label={`Histogram from ${exact(range[0])} to ${exact(range[1])}`}>
        {counts.map((one, k) => one > 0 && (
          <rect key={k} x={k * 5} width="4.4" y={48 - (46 * one) / most} height={(46 * one) / most} />
        ))}
      </svg>
      <figcaption><span>{short(range[0])}</span><span>{short(range[1])}</span></figcaption>
    </figure>
  );
}

function Heat({ array, slice, at, setAt }: {
  array: ArrayAnswer; slice: Slice; at: [number, number]; setAt: (at: [number, number]) => void;
}) {
  const ref = useRef<HTMLCanvasElement>(null);
  const tone = useMemo(() => toneOf(array.values), [array]);
  useEffect(() => {
    const read = (r: number, c: number) => {
      const index = slice.index(r, c);
      return index >= 0 && index < array.values.length ? array.values[index] : 0;
    };
    heatMap(ref.current!, read, slice.rows, slice.columns, tone);
  }, [array, slice]);
  const place = (event: MouseEvent): [number, number] => {
    const rect = ref.current!.getBoundingClientRect();
    return [
      Math.min(slice.rows - 1, Math.max(0, Math.floor(((event.clientY - rect.top) / rect.height) * slice.rows))),
      Math.min(slice.columns - 1, Math.max(0, Math.floor(((event.clientX - rect.left) / rect.width) * slice.columns))),
    ];
  };
  const tall = Math.max(26, Math.min(240, (260 * slice.rows) / slice.columns));
  return (
    <figure class="heat">
      <div class="heat-place" style={{ height: `${tall}px` }}>
        <canvas
          ref={ref} role="img" onClick={(event) => setAt(place(event))}
          aria-label={`Heat map of ${slice.rows} rows and ${slice.columns} columns from ${exact(tone.low)} to ${exact(tone.high)}`}
        />
        <span
          class="heat-at" style={{
            left: `${(100 * at[1]) / slice.columns}%`, top: `${(100 * at[0]) / slice.rows}%`,
            width: `${100 / slice.columns}%`, height: `${100 / slice.rows}%`,
          }}
        />
      </div>
      <figcaption><span>{short(tone.low)}</span><span class={tone.isSigned ? "ramp is-signed" : "ramp"} /><span>{short(tone.high)}</span></figcaption>
    </figure>
  );
}

export function InspectorPanel() {
  const id = run.value;
  const tags = useMemo(() => (info.value ? arrayTags(info.value) : []), [info.value?.tags]);
  const wanted = selection.value.tag;
  // An operation of the tape: its number, 0 for its value or 1 for its cotangent, its name.
  const [, node, side, op] = wanted?.match(/^node\/(\d+)\/([01])\/(.*)$/) ?? [];
  const tag = wanted && (op || tags.some((one) => one.name === wanted)) ? wanted
    : (tags.find((one) => one.shape.length > 0) ?? tags[0])?.name ?? null;
  const called = op ? `${op} (${side === "1" ? "cotangent" : "value"} of operation ${node})` : tag ?? "";
  const { data, error, busy } = useLatest(
    () => (!id || !tag ? null : op ? source.value.node(id, step.value, Number(node), side === "1" ? 1 : 0)
      : source.value.array(id, tag, step.value)), [tag, step.value, version.value],
    `${id} ${tag}`,
  );
  const [choice, choose] = useState<SliceChoice>(firstChoice([]));
  const [at, setAt] = useState<[number, number]>([0, 0]);
  const form = data ? data.shape.join(",") : "";
  useEffect(() => {
    if (data) choose(firstChoice(data.shape));
    setAt([0, 0]);
  }, [tag, form]);
  const shape = data?.shape ?? [];
  const usable = choice.held.length === shape.length ? choice : firstChoice(shape);
  const slice = useMemo(() => sliceOf(shape, usable), [form, usable]);
  const numbers = useMemo(() => (data ? statistics(data.values) : null), [data]);
  const tone = useMemo(() => (data ? toneOf(data.values) : null), [data]);
  const here: [number, number] = [Math.min(at[0], slice.rows - 1), Math.min(at[1], slice.columns - 1)];
  const index = slice.index(...here);
  const left = data && data.of > data.values.length;

  const axes = shape.length > 2 && (
    <div class="axes" role="group" aria-label="Slice">
      {(["rowAxis", "columnAxis"] as const).map((which) => (
        <label key={which}>
          {which === "rowAxis" ? "rows" : "columns"}{" "}
          <select
            value={usable[which]} onChange={(event) => {
              const axis = Number(event.currentTarget.value);
              const other = which === "rowAxis" ? "columnAxis" : "rowAxis";
              choose({ ...usable, [which]: axis, [other]: usable[other] === axis ? usable[which] : usable[other] });
              setAt([0, 0]);
            }}
          >
            {shape.map((size, axis) => <option key={axis} value={axis}>axis {axis} ({size})</option>)}
          </select>
        </label>
      ))}
      {shape.map((size, axis) => axis !== usable.rowAxis && axis !== usable.columnAxis && (
        <label key={axis}>
          axis {axis}
          <input
            type="range" min={0} max={size - 1} value={usable.held[axis]} aria-valuetext={`${usable.held[axis]} of ${size - 1}`}
            onInput={(event) => choose({
              ...usable, held: usable.held.map((old, k) => (k === axis ? Number(event.currentTarget.value) : old)),
            })}
          />
          <span class="number">{usable.held[axis]}</span>
        </label>
      ))}
    </div>
  );

  return (
    <Panel
      id="inspector" title="Array inspector" help={HELP} busy={busy}
      status={data ? `${shapeText(data.shape)} ${data.dtype}${data.step !== step.value ? `, of step ${data.step}` : ""}` : ""}
      note={left ? `The first ${data.values.length.toLocaleString("en-US")} of ${data.of.toLocaleString("en-US")} entries.` : undefined}
      empty={!tags.length && !busy ? <p>This run holds no arrays. {keptNone()}</p> : undefined}
      actions={(
        <>
          <select
            aria-label="Array" value={tag ?? ""} onChange={(event) => select({ tag: event.currentTarget.value })}
          >
            {op && <option value={tag!}>{called}</option>}
            {tags.map((one) => <option key={one.id} value={one.name}>{one.name} {shapeText(one.shape)}</option>)}
          </select>
          {data && (
            <>
              <button
                type="button" class="button with-icon" disabled={slice.rows * slice.columns > COPIED}
                onClick={() => void copy(asText(data.values, data.dtype, slice, "tabs"))}
              ><Icon name="copy" />Copy</button>
              <button
                type="button" class="button" disabled={slice.rows * slice.columns > COPIED} title="As lists that Python reads"
                onClick={() => void copy(asText(data.values, data.dtype, slice, "python"))}
              >Copy for Python</button>
            </>
          )}
        </>
      )}
    >
      {data && numbers && tone ? (
        data.values.length === 0 ? <p class="muted">The array has no entries.</p> : (
          <div class="inspector">
            <div class="inspector-side">
              {shape.length > 0 && slice.rows * slice.columns > 1 && <Heat array={data} slice={slice} at={here} setAt={setAt} />}
              <dl class="statistics" aria-label="Statistics">
                {([
                  ["entries", numbers.count], ["smallest", numbers.min], ["largest", numbers.max],
                  ["mean", numbers.mean], ["standard deviation", numbers.deviation], ["norm", numbers.norm],
                  ["zeros", numbers.zeros], ["NaN", numbers.nan], ["infinite", numbers.infinite],
                ] as [string, number][]).map(([name, value]) => (
                  <div key={name}>
                    <dt>{name}</dt>
                    <dd title={exact(value)} class={(name === "NaN" || name === "infinite") && value > 0 ? "is-bad" : ""}>{short(value, 6)}</dd>
                  </div>
                ))}
              </dl>
              <Histogram values={data.values} />
            </div>
            <div class="inspector-main">
              {axes}
              <p class="entry" aria-live="polite">
                <code>{called}{slice.name(...here)} = {index >= 0 && index < data.values.length ? repr(data.values[index], data.dtype) : "–"}</code>
              </p>
              <Entries
                key={`${tag} ${form}`} values={data.values} dtype={data.dtype} slice={slice} tone={tone} at={here}
                setAt={setAt} label={`Entries of ${called} at step ${step.value}, ${counted(slice.rows, "row")}`}
              />
            </div>
          </div>
        )
      ) : <p class="muted">{error ?? ""}</p>}
    </Panel>
  );
}
