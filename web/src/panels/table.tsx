// Table: every step and every value of the record, as it is; only the rows on the screen exist.
import { useContext, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { bounds, moveBy, moveTo, run, spoken, step } from "../cursor";
import { count, exact, toCsv } from "../format";
import { info, Seen, source, useLatest, version } from "../model";
import { Panel } from "../panel";
import { copyText, saveText } from "../save";
import { useSlow } from "../series";

const ROW = 26;
const VIEW = 12;
const MOST_COLUMNS = 40;
const MOST_COPIED = 5000;
/** Browsers cut an element that is higher than about 33 million pixels. */
const TALLEST = 30_000_000;

interface Order {
  name: string;
  down: boolean;
}

/** Indices of the values in ascending order; what is not a number comes last. */
export function ranks(values: Float64Array, down: boolean): Uint32Array {
  const order = Uint32Array.from(values, (_, k) => k);
  const sign = down ? -1 : 1;
  return order.sort((a, b) => {
    const x = values[a], y = values[b];
    if (x !== x) return y !== y ? a - b : 1;
    if (y !== y) return -1;
    return x < y ? -sign : x > y ? sign : a - b;
  });
}

type Rows = Map<number, Float64Array>;

/** The rows at the given steps, from what is kept or in as few requests as there are gaps. */
async function fetchRows(id: string, names: string[], steps: number[], kept: Rows): Promise<void> {
  const missing = steps.filter((at) => !kept.has(at)).sort((a, b) => a - b);
  const stride = bounds.peek().stride;
  let start = 0;
  const asked: Promise<void>[] = [];
  for (let k = 1; k <= missing.length; k++) {
    if (k < missing.length && missing[k] - missing[k - 1] <= 20 * stride) continue;
    const from = missing[start], to = missing[k - 1];
    asked.push(source.peek().rows(id, { names, from, to }).then(({ steps: got, columns }) => {
      got.forEach((at, j) => kept.set(at, Float64Array.from(columns, (one) => one[j])));
    }));
    start = k;
  }
  await Promise.all(asked);
}

export function TablePanel() {
  // Off the screen it does not follow: a table of a million rows is laid out at every step.
  const seen = useContext(Seen);
  const here = seen ? step.value : NaN;
  const [filter, setFilter] = useState("");
  const [order, setOrder] = useState<Order | null>(null);
  const [top, setTop] = useState(0);
  const scroller = useRef<HTMLDivElement>(null);
  const kept = useRef<Rows>(new Map());
  const all = info.value?.columns ?? [];
  const words = filter.toLowerCase().split(/[\s,]+/).filter(Boolean);
  const matching = all.filter(({ label }) => (
    !words.length || words.some((word) => label.toLowerCase().includes(word))));
  const columns = matching.slice(0, MOST_COLUMNS);
  const names = columns.map((one) => one.name);
  const key = names.join("\n");
  const { first, last, stride } = bounds.value;
  const total = info.value?.count ? Math.floor((last - first) / stride) + 1 : 0;

  const slow = useSlow(version.value, 2000);
  const sorted = useLatest(async () => {
    if (!order || !run.value) return null;
    const { steps, columns } = await source.peek().rows(run.value, { names: [order.name] });
    const ranked = ranks(columns[0], order.down);
    return Float64Array.from(ranked, (k) => steps[k]);
  }, [order?.name, order?.down, order && slow], `${run.value} ${order?.name}`);
  const ordered = order ? sorted.data : null;
  const length = ordered ? ordered.length : total;
  const at = (k: number) => (ordered ? ordered[k] : first + k * stride);

  // From pixels to rows: one to one until a browser could not hold so high an element.
  const tall = Math.min(TALLEST, length * ROW);
  const visible = VIEW * ROW;
  const scale = tall > visible ? Math.max(1, (length * ROW - visible) / (tall - visible)) : 1;
  const start = Math.max(0, Math.min(length - VIEW, Math.floor((top * scale) / ROW)));
  const above = Math.min(scale === 1 ? start * ROW : top, Math.max(0, tall - VIEW * ROW));
  const shown = useMemo(
    () => Array.from({ length: Math.max(0, Math.min(VIEW + 2, length - start)) }, (_, k) => at(start + k)),
    [start, length, ordered, first, stride]);

  const below = Math.max(0, tall - above - shown.length * ROW);

  useEffect(() => {
    kept.current = new Map();
  }, [run.value, key]);
  const loaded = useLatest(async () => {
    if (!run.value || !names.length) return null;
    // A run that grows may have been asked for a row before it was complete.
    if (info.value?.status === "running") kept.current.delete(last);
    if (kept.current.size > 20_000) kept.current = new Map();
    const rows = kept.current;
    await fetchRows(run.value, names, shown, rows);
    return rows;
  }, [shown, key, slow], `${run.value}\n${key}`);

  // The table follows the cursor while it is in the order of the steps.
  useEffect(() => {
    const element = scroller.current;
    if (!element || order || !seen) return;
    const index = Math.round((here - first) / stride);
    const y = (index * ROW) / scale;
    if (y < element.scrollTop || y > element.scrollTop + visible - 2 * ROW) {
      element.scrollTop = Math.max(0, y - visible / 2);
    }
  }, [here, seen, order, first, stride, length > 0]);

  const sort = (name: string) => {
    scroller.current?.scrollTo({ top: 0 });
    if (name === "step") setOrder(null);
    else if (order?.name !== name) setOrder({ name, down: false });
    else setOrder(order.down ? null : { name, down: true });
  };
  const everything = async (most: number) => {
    const rows: (number | string)[][] = [];
    const chunk = Math.max(1, Math.floor(1_500_000 / (names.length + 1)));
    if (ordered) {
      const steps = Array.from(ordered.subarray(0, most));
      const found: Rows = new Map();
      await fetchRows(run.value!, names, steps, found);
      for (const one of steps) rows.push([one, ...(found.get(one) ?? [])]);
      return rows;
    }
    for (let from = first; from <= last && rows.length < most; from += chunk * stride) {
      const to = Math.min(last, from + Math.min(chunk, most) * stride - 1);
      const { steps, columns } = await source.peek().rows(run.value!, { names, from, to });
      steps.forEach((one, k) => rows.push([one, ...columns.map((values) => values[k])]));
    }
    return rows.slice(0, most);
  };
  const header = ["step", ...columns.map((one) => one.label)];
  const copy = async () => {
    const rows = await everything(MOST_COPIED);
    const text = [header, ...rows].map((cells) => cells.join("\t")).join("\n");
    const done = await copyText(text);
    spoken.value = done ? `${rows.length} rows are in the clipboard` : "The browser refused to copy";
    setSaid(spoken.value);
  };
  const [said, setSaid] = useState("");
  const save = async () => {
    saveText(`${run.value}.csv`, toCsv(header, await everything(Infinity)), "text/csv");
  };
  const keys = (event: KeyboardEvent) => {
    const move: Record<string, () => void> = {
      ArrowUp: () => moveBy(-1), ArrowDown: () => moveBy(1),
      PageUp: () => moveBy(-VIEW), PageDown: () => moveBy(VIEW),
      Home: () => moveTo(first), End: () => moveTo(last),
    };
    if (!move[event.key] || order || event.ctrlKey || event.metaKey) return;
    move[event.key]();
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <Panel
      id="table" title="Table" busy={loaded.busy && !loaded.data}
      status={total > 0 && `${count(total)} steps, ${count(all.length)} columns${
        order && !ordered ? ", sorting…" : ""}`}
      help={<p>
        Every number of the record with all its digits. Press a column's head to sort by it, a row
        to move the cursor there; the up and down keys move it too. Copy takes up to{" "}
        {count(MOST_COPIED)} rows, CSV all of them, in the order and with the columns shown here.
      </p>}
      actions={<>
        {said && <span class="muted">{said}</span>}
        <input
          type="text" class="filter" placeholder="Columns…" aria-label="Show columns whose name contains"
          value={filter} onInput={(event) => setFilter(event.currentTarget.value)}
        />
        <button type="button" class="button" onClick={() => void copy()}>Copy</button>
        <button type="button" class="button" onClick={() => void save()}>CSV</button>
      </>}
      empty={(loaded.error && <p>{loaded.error}</p>)
        || (info.value && !total && <p>No step has been recorded yet.</p>)}
      note={matching.length > names.length
        ? `${MOST_COLUMNS} of ${matching.length} columns are shown; name the ones you want above.`
        : matching.length === 0 && filter ? "No column has such a name." : ""}
    >
      <div
        class="grid-table" ref={scroller} tabIndex={0} role="region" data-own-keys
        aria-label="Every step and value" onKeyDown={keys}
        onScroll={(event) => setTop(event.currentTarget.scrollTop)}
        style={{ height: `${Math.min(VIEW, Math.max(1, length)) * ROW + 44}px` }}
      >
          <table aria-rowcount={length + 1}>
            <thead>
              <tr aria-rowindex={1}>
                {["step", ...names].map((name, c) => (
                  <th
                    key={name} scope="col"
                    aria-sort={order?.name === name
                      ? (order.down ? "descending" : "ascending")
                      : !order && name === "step" ? "ascending" : "none"}
                  >
                    <button type="button" onClick={() => sort(name)}>
                      {header[c]}
                      <span aria-hidden="true">
                        {order?.name === name ? (order.down ? " ↓" : " ↑") : ""}
                      </span>
                    </button>
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              <tr aria-hidden="true" class="spacer"><td style={{ height: `${above}px` }} /></tr>
              {shown.map((one, k) => {
                const cells = loaded.data?.get(one);
                return (
                  <tr
                    key={one} class={one === here ? "is-here" : ""} aria-rowindex={start + k + 2}
                    onClick={() => moveTo(one)}
                  >
                    <th scope="row">{count(one)}</th>
                    {names.map((name, c) => (
                      <td key={name} class={cells && !Number.isFinite(cells[c]) ? "odd" : ""}>
                        {cells ? exact(cells[c]) : "…"}
                      </td>
                    ))}
                  </tr>
                );
              })}
              <tr aria-hidden="true" class="spacer"><td style={{ height: `${below}px` }} /></tr>
            </tbody>
          </table>
      </div>
    </Panel>
  );
}
