// The source file of an operation, with its line marked and the lines that made operations.
import { useEffect, useRef } from "preact/hooks";
import { fileName } from "../format";
import { info, source, useLatest } from "../model";
import { run } from "../cursor";
import type { GraphNode } from "../types";

/** Lines around the marked one that are put on the page. */
const AROUND = 400;

export function SourceView({ file, line, lines, pick }: {
  file: string | null | undefined;
  line: number | null | undefined;
  /** The operations of each line of this file. */
  lines: Map<number, GraphNode[]>;
  pick: (node: GraphNode) => void;
}) {
  const known = info.value?.sources.find((one) => one.file === file);
  const { data, error, busy } = useLatest(
    () => (run.value && known ? source.value.text(run.value, known.id) : null), [known?.id],
  );
  const box = useRef<HTMLDivElement>(null);
  const text = known && data?.file === file ? data : null;
  useEffect(() => {
    const element = box.current, marked = element?.querySelector<HTMLElement>(".is-here");
    if (element && marked) element.scrollTop = marked.offsetTop - element.clientHeight / 2 + 10;
  }, [text, line]);
  if (!file) return <p class="muted">The record does not say where this stands.</p>;
  if (!known) return <p class="muted">The run holds no copy of {fileName(file)}.</p>;
  if (!text) return <p class="muted">{error ?? (busy ? "Loading…" : "")}</p>;
  const all = text.text.split("\n");
  // One of the numbers is reached by Tab, the others from it by the arrow keys.
  const entry = lines.has(line ?? -1) ? line : Math.min(...lines.keys());
  const onKey = (event: KeyboardEvent) => {
    const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const buttons = [...box.current!.querySelectorAll("button")];
    const next = by ? buttons[buttons.indexOf(event.target as HTMLButtonElement) + by] : undefined;
    if (!(event.target instanceof HTMLButtonElement) || !next) return;
    next.focus();
    event.preventDefault();
  };
  const from = line ? Math.max(0, line - 1 - AROUND) : 0;
  return (
    <div class="source-view" ref={box} onKeyDown={onKey} role="region" tabIndex={0} data-own-keys aria-label={`Source ${fileName(file)}`}>
      <ol>
        {all.slice(from, from + 2 * AROUND).map((content, k) => {
          const number = from + k + 1;
          const here = lines.get(number);
          return (
            <li
              key={number} class={`${number === line ? "is-here" : ""} ${here ? "has-ops" : ""}`}
              aria-current={number === line ? "true" : undefined}
            >
              {here ? (
                <button
                  type="button" class="line-number" tabIndex={number === entry ? 0 : -1} onClick={() => pick(here[0])}
                  aria-label={`Line ${number}: ${here.map((one) => one.op).join(", ")}`}
                  title={here.map((one) => one.op).join(", ")}
                >{number}</button>
              ) : <span class="line-number">{number}</span>}
              <code>{content || " "}</code>
            </li>
          );
        })}
      </ol>
    </div>
  );
}
