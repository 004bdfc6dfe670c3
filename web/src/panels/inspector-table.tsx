// The entries of an array, all digits of them; only those in the window are on the page.
import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { colorOf, type Tone } from "../draw/heat";
import { repr } from "../draw/numbers";
import type { Slice } from "./inspector-slice";
import { windowOf } from "./inspector-slice";

const TALL = 22;
const HEAD = 64;
const SAMPLE = 400;

/** Characters of the longest entry among some of them. */
export function widest(values: ArrayLike<number>, dtype: string): number {
  const every = Math.max(1, Math.floor(values.length / SAMPLE));
  let most = 4;
  for (let k = 0; k < values.length; k += every) most = Math.max(most, repr(values[k], dtype).length);
  return most;
}

export function Entries({ values, dtype, slice, tone, label, at, setAt }: {
  values: Float64Array; dtype: string; slice: Slice; tone: Tone; label: string;
  at: [number, number]; setAt: (at: [number, number]) => void;
}) {
  const id = useId();
  const box = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ left: 0, top: 0, width: 600, height: 300 });
  const wide = Math.ceil(widest(values, dtype) * 7.3) + 22;
  const [row, column] = at;
  useLayoutEffect(() => {
    const element = box.current!;
    const read = () => setView({
      left: element.scrollLeft, top: element.scrollTop, width: element.clientWidth, height: element.clientHeight,
    });
    read();
    element.addEventListener("scroll", read, { passive: true });
    const observer = new ResizeObserver(read);
    observer.observe(element);
    return () => {
      element.removeEventListener("scroll", read);
      observer.disconnect();
    };
  }, []);
  useEffect(() => {
    const element = box.current!;
    const x = column * wide, y = row * TALL;
    const roomX = element.clientWidth - HEAD, roomY = element.clientHeight - TALL;
    if (x < element.scrollLeft) element.scrollLeft = x;
    else if (x + wide > element.scrollLeft + roomX) element.scrollLeft = x + wide - roomX;
    if (y < element.scrollTop) element.scrollTop = y;
    else if (y + TALL > element.scrollTop + roomY) element.scrollTop = y + TALL - roomY;
  }, [row, column, wide]);
  const [firstRow, endRow] = windowOf(view.top, view.height, TALL, slice.rows);
  const [firstColumn, endColumn] = windowOf(view.left, view.width, wide, slice.columns);
  const rows = Array.from({ length: Math.max(0, endRow - firstRow) }, (_, k) => firstRow + k);
  const columns = Array.from({ length: Math.max(0, endColumn - firstColumn) }, (_, k) => firstColumn + k);
  const onKey = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(view.height / TALL) - 2);
    const moves: Record<string, [number, number]> = {
      ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1],
      PageUp: [-page, 0], PageDown: [page, 0], Home: [0, -slice.columns], End: [0, slice.columns],
    };
    const move = moves[event.key];
    if (!move) return;
    setAt([
      Math.min(slice.rows - 1, Math.max(0, row + move[0])),
      Math.min(slice.columns - 1, Math.max(0, column + move[1])),
    ]);
    event.preventDefault();
    event.stopPropagation();
  };
  const total = { width: `${HEAD + slice.columns * wide}px`, height: `${TALL * (slice.rows + 1)}px` };
  return (
    <div
      ref={box} class="entries" style={{ height: `${TALL * (slice.rows + 1) + 18}px` }} role="grid" tabIndex={0} data-own-keys aria-label={label}
      aria-rowcount={slice.rows} aria-colcount={slice.columns} onKeyDown={onKey}
      aria-activedescendant={row >= firstRow && row < endRow && column >= firstColumn && column < endColumn
        ? `${id}-${row}-${column}` : undefined}
    >
      <div class="entries-all" role="presentation" style={total}>
        <div class="entries-head" role="row" style={{ width: total.width }}>
          <span class="entries-corner" role="presentation" />
          {columns.map((c) => (
            <span
              key={c} role="columnheader" aria-colindex={c + 1}
              style={{ left: `${HEAD + c * wide}px`, width: `${wide}px` }}
            >{slice.columnHead(c)}</span>
          ))}
        </div>
        {rows.map((r) => (
          <div
            key={r} class="entries-row" role="row" aria-rowindex={r + 1}
            style={{ top: `${TALL * (r + 1)}px`, width: total.width }}
          >
            <span class="entries-side" role="rowheader">{slice.rowHead(r)}</span>
            {columns.map((c) => {
              const index = slice.index(r, c);
              const isThere = index >= 0 && index < values.length;
              const [red, green, blue] = isThere ? colorOf(values[index], tone) : [0, 0, 0];
              return (
                <span
                  key={c} id={`${id}-${r}-${c}`} role="gridcell" aria-colindex={c + 1}
                  class={r === row && c === column ? "is-at" : ""} aria-selected={r === row && c === column}
                  style={{
                    left: `${HEAD + c * wide}px`, width: `${wide}px`,
                    borderLeftColor: isThere ? `rgb(${red} ${green} ${blue})` : "transparent",
                  }}
                  onClick={() => setAt([r, c])}
                >{isThere ? repr(values[index], dtype) : index >= 0 ? "…" : ""}</span>
              );
            })}
          </div>
        ))}
      </div>
    </div>
  );
}
