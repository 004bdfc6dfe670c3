// The frame of a panel: title, help, status, the table behind a picture, and what can be saved.
import { createContext, type ComponentChildren } from "preact";
import { useContext, useEffect, useId, useRef, useState } from "preact/hooks";
import { Icon } from "./icon";
import { Seen } from "./model";
import { run } from "./cursor";
import { saveText, savePicture } from "./save";
import { toCsv } from "./format";
import { Table, type TableData } from "./datatable";

export interface PanelProps {
  /** Short name: part of ids, of file names and of the address. */
  id: string;
  title: string;
  /** What is to be seen here and how to read it, in a few sentences. */
  help: ComponentChildren;
  /** Beside the title: what is shown just now ("step 12 of 70", "pc1 and pc2: 98 % of the path"). */
  status?: ComponentChildren;
  /** Buttons and choices of this panel. */
  actions?: ComponentChildren;
  /** The numbers behind the picture; asked when the table is opened or saved. */
  table?: () => TableData | Promise<TableData>;
  /** The picture: a canvas or an SVG element to be saved as PNG, asked when the button is pressed. */
  picture?: () => HTMLCanvasElement | SVGSVGElement | null;
  /** Under the picture: what was left out of it and why. */
  note?: ComponentChildren;
  /** Instead of the content: why there is nothing, and what to do. */
  empty?: ComponentChildren;
  busy?: boolean;
  children?: ComponentChildren;
}

interface SlotState {
  wide: boolean;
  toggle: (() => void) | null;
}

const SlotContext = createContext<SlotState>({ wide: false, toggle: null });

/** The place of a panel in the grid: knows whether it is on the screen, and how wide it is. */
export function Slot({ name, wide = false, children }: {
  name: string; wide?: boolean; children: ComponentChildren;
}) {
  const ref = useRef<HTMLDivElement>(null);
  const [seen, setSeen] = useState(false);
  const [enlarged, enlarge] = useState(false);
  useEffect(() => {
    const observer = new IntersectionObserver(
      (entries) => setSeen(entries[entries.length - 1].isIntersecting),
      { rootMargin: "200px" },
    );
    observer.observe(ref.current!);
    return () => observer.disconnect();
  }, []);
  const state = { wide: wide || enlarged, toggle: wide ? null : () => enlarge(!enlarged) };
  return (
    <div ref={ref} class={`slot slot-${name} ${state.wide ? "is-wide" : ""}`}>
      <SlotContext.Provider value={state}>
        <Seen.Provider value={seen}>{children}</Seen.Provider>
      </SlotContext.Provider>
    </div>
  );
}

export function Panel(props: PanelProps) {
  const { id, title, help, status, actions, table, picture, note, empty, busy, children } = props;
  const slot = useContext(SlotContext);
  const seen = useContext(Seen);
  const unique = useId();
  const [showHelp, setShowHelp] = useState(false);
  const [shown, show] = useState<TableData | null>(null);
  const [asked, ask] = useState(false);

  // `table` is new whenever the panel is drawn anew, which may be many times a second.
  const since = useRef(0);
  useEffect(() => {
    if (!asked || !table) return;
    let gone = false;
    const wait = Math.max(0, since.current + 500 - performance.now());
    const timer = setTimeout(async () => {
      since.current = performance.now();
      const data = await table();
      if (!gone) show(data);
    }, wait);
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, [asked, table]);

  const saveTable = async () => {
    if (!table) return;
    const { columns, rows } = await table();
    saveText(`${run.peek() ?? "run"}-${id}.csv`, toCsv(columns, rows), "text/csv");
  };

  return (
    <section class="panel" id={`panel-${id}`} aria-labelledby={`${unique}-title`} aria-busy={busy && seen}>
      <header class="panel-head">
        <h2 id={`${unique}-title`}>{title}</h2>
        <button
          type="button" class="icon-button" aria-expanded={showHelp}
          aria-controls={`${unique}-help`} aria-label={`What ${title} shows`} title="What this shows"
          onClick={() => setShowHelp(!showHelp)}
        ><Icon name="help" /></button>
        {status && <p class="panel-status">{status}</p>}
        <span class="panel-space" />
        {!empty && actions && <div class="panel-actions">{actions}</div>}
        <div class="panel-tools">
          {table && !empty && (
            <button
              type="button" class="icon-button" aria-pressed={asked}
              aria-label={`Data table of ${title}`} title="Data table" onClick={() => ask(!asked)}
            ><Icon name="table" /></button>
          )}
          {picture && !empty && (
            <button
              type="button" class="icon-button" aria-label={`Save ${title} as PNG`} title="Save as PNG"
              onClick={() => void savePicture(`${run.peek() ?? "run"}-${id}.png`, picture())}
            ><Icon name="picture" /></button>
          )}
          {table && !empty && (
            <button
              type="button" class="icon-button" aria-label={`Save ${title} as CSV`} title="Save as CSV"
              onClick={() => void saveTable()}
            ><Icon name="save" /></button>
          )}
          {slot.toggle && (
            <button
              type="button" class="icon-button only-wide-screens" aria-pressed={slot.wide}
              aria-label={`Widen ${title}`} title={slot.wide ? "Half width" : "Full width"}
              onClick={slot.toggle}
            ><Icon name={slot.wide ? "narrow" : "widen"} /></button>
          )}
        </div>
      </header>
      <div id={`${unique}-help`} class="panel-help" hidden={!showHelp}>{help}</div>
      <div class="panel-body">
        {empty ? <div class="empty">{empty}</div> : children}
        {note && !empty && <p class="panel-note">{note}</p>}
        {asked && shown && !empty && <Table data={shown} label={`${title}: data`} />}
      </div>
    </section>
  );
}
