// The list of runs, behind a button: name, state, steps, lowest cost.
import { useEffect, useRef, useState } from "preact/hooks";
import { run } from "./cursor";
import { count, exact, short } from "./format";
import { Icon } from "./icon";
import { open, runs } from "./model";
import { STATES } from "./states";

export function RunList() {
  const [isOpen, setOpen] = useState(false);
  const [filter, setFilter] = useState("");
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!isOpen) return;
    const outside = (event: Event) => {
      if (!place.current?.contains(event.target as Node)) setOpen(false);
    };
    document.addEventListener("pointerdown", outside);
    document.addEventListener("focusin", outside);
    return () => {
      document.removeEventListener("pointerdown", outside);
      document.removeEventListener("focusin", outside);
    };
  }, [isOpen]);
  const shown = runs.value.filter((one) => (
    `${one.name} ${one.id}`.toLowerCase().includes(filter.toLowerCase())));
  return (
    <div
      class="runs" ref={place}
      onKeyDown={(event) => {
        if (event.key === "Escape" && isOpen) {
          setOpen(false);
          place.current?.querySelector("button")?.focus();
        }
      }}
    >
      <button
        type="button" class="button" aria-expanded={isOpen} aria-controls="gt-runs"
        onClick={() => setOpen(!isOpen)}
      >{count(runs.value.length)} runs <Icon name="unfold" /></button>
      <div id="gt-runs" class="runs-list" hidden={!isOpen}>
        {runs.value.length > 8 && (
          <input
            type="text" placeholder="Find a run…" aria-label="Find a run" value={filter}
            onInput={(event) => setFilter(event.currentTarget.value)}
          />
        )}
        <ul>
          {shown.slice(0, 500).map((one) => {
            const [word, tone] = STATES[one.status] ?? [one.status, "warning"];
            return (
              <li key={one.id}>
                <button
                  type="button" aria-current={one.id === run.value ? "true" : undefined}
                  onClick={() => {
                    setOpen(false);
                    void open(one.id);
                  }}
                >
                  <span class="runs-name">{one.name}</span>
                  <span class={`pill pill-${tone}`}>{word}</span>
                  <span class="number">{count(one.steps)} steps</span>
                  <span class="number" title={exact(one.best)}>lowest {short(one.best)}</span>
                </button>
              </li>
            );
          })}
          {!shown.length && <li class="muted">No run has such a name.</li>}
        </ul>
      </div>
    </div>
  );
}
