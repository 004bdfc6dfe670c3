// The graph as a picture: boxes and wires of what is in the window, moved by pointer, wheel and keys.
import type { ComponentChildren } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { counted } from "../draw/numbers";
import { shape as shapeText } from "../format";
import { Icon } from "../icon";
import type { Group, Item, Shown } from "./groups";
import type { Placed, Point } from "./layout";
import { titleOf } from "./values";
import { fitted, revealed, seen, zoomed, type Area, type View } from "./view";
import "./graph.css";

export const SIZE = { node: { width: 140, height: 46 }, group: { width: 172, height: 46 } };

export const sizeOf = (item: Item) => (item.group ? SIZE.group : SIZE.node);

/** Below this zoom, boxes are drawn without their text. */
const READABLE = 0.42;

export interface Marks {
  selected: string | null;
  target: string | null;
  prediction: string | null;
  /** What the backward pass is at, what it hands on to, and what it has not reached yet. */
  now: string | null;
  next: ReadonlySet<string>;
  waiting: ReadonlySet<string> | null;
  bad: ReadonlySet<string>;
  found: ReadonlySet<string>;
}

export interface PictureProps {
  shown: Shown;
  placed: Placed;
  width: number;
  height: number;
  marks: Marks;
  label: string;
  /** The box that must be in the window; it is moved there when this changes. */
  reveal: { key: string; stamp: number } | null;
  /** Changes when the window should show all again. */
  fitStamp: string;
  value: (item: Item) => ComponentChildren;
  /** What a screen reader hears of a box. */
  say: (item: Item) => string;
  select: (item: Item) => void;
  toggle: (group: Group) => void;
  near: (items: Item[]) => void;
  svg: { current: SVGSVGElement | null };
  /** Functions that are open, and what closes one. */
  open: Group[];
  close: (group: Group) => void;
}

type Kind = "op" | "variable" | "input" | "constant" | "group";

function kindOf(item: Item): Kind {
  if (item.group) return "group";
  const { kind } = item.node!;
  return kind === "source" ? "variable" : kind;
}

const ROUND: Record<Kind, number> = { op: 7, variable: 23, input: 3, constant: 23, group: 7 };

function cut(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

/** The title of a box and its shape, cut to fit: what is seen, and so what its name begins with. */
export function headOf({ node, group }: Item): [string, string] {
  if (group) return [cut(group.label, 17), ""];
  const shape = node!.shape.length ? cut(shapeText(node!.shape), 14) : "";
  return [cut(titleOf(node!), shape ? Math.max(6, 16 - shape.length) : 16), shape];
}

const f = (value: number) => value.toFixed(1);

/** One piece of a wire: along the flow where it starts and where it ends. */
function curve(from: Point, to: Point, isDown: boolean): string {
  const at = (across: number, along: number) => (
    isDown ? `${f(across)} ${f(along)}` : `${f(along)} ${f(across)}`);
  const [a0, b0] = isDown ? [from.x, from.y] : [from.y, from.x];
  const [a1, b1] = isDown ? [to.x, to.y] : [to.y, to.x];
  const middle = (b0 + b1) / 2, { gap } = to;
  if (gap === undefined) return `C${at(a0, middle)} ${at(a1, middle)} ${at(a1, b1)}`;
  // From the end of a column to the start of the next: around the corners, between the two.
  const end = b0 + 18, start = b1 - 18, turn = a1 > gap ? 10 : -10;
  return `L${at(a0, end - 10)}Q${at(a0, end)} ${at(a0 + 10, end)}L${at(gap - 10, end)}Q${at(gap, end)} ${
    at(gap, end - 10)}L${at(gap, start + 10)}Q${at(gap, start)} ${at(gap + turn, start)}L${
    at(a1 - turn, start)}Q${at(a1, start)} ${at(a1, start + 10)}L${at(a1, b1)}`;
}

/** A wire as a smooth path through its corners. */
export function wirePath(bends: Point[], isDown: boolean): string {
  return bends.map((to, k) => (k ? curve(bends[k - 1], to, isDown) : `M${f(to.x)} ${f(to.y)}`)).join("");
}

/** Pieces of wires as one path, and their arrows as another; those in an area if one is given. */
export function wirePaths({ pieces, isDown }: Placed, area: Area | null): [string, string] {
  let lines = "", heads = "";
  for (const { from, to, isEnd } of pieces) {
    if (area && (
      Math.max(from.x, to.x) < area.left || Math.min(from.x, to.x) > area.right
      || Math.max(from.y, to.y) + 20 < area.top || Math.min(from.y, to.y) - 20 > area.bottom)) continue;
    lines += `M${f(from.x)} ${f(from.y)}${curve(from, to, isDown)}`;
    if (!isEnd || !area) continue;
    // Along the flow, or against it where two closed functions feed each other.
    const turn = to.gap !== undefined || (isDown ? to.y > from.y : to.x > from.x) ? -6 : 6;
    heads += isDown ? `M${f(to.x)} ${f(to.y)}l-3.5 ${turn}h7Z` : `M${f(to.x)} ${f(to.y)}l${turn} -3.5v7Z`;
  }
  return [lines, heads];
}

/** The box that an arrow key goes to: the nearest one in that direction. */
export function neighbour(
  placed: Placed, items: Item[], from: string, direction: "up" | "down" | "left" | "right",
): string | null {
  const x0 = placed.x.get(from), y0 = placed.y.get(from);
  if (x0 === undefined || y0 === undefined) return null;
  const [dx, dy] = { up: [0, -1], down: [0, 1], left: [-1, 0], right: [1, 0] }[direction];
  let best: string | null = null, least = Infinity;
  for (const { key } of items) {
    if (key === from) continue;
    const x = placed.x.get(key)! - x0, y = placed.y.get(key)! - y0;
    const ahead = x * dx + y * dy, aside = Math.abs(x * dy) + Math.abs(y * dx);
    if (ahead < 8) continue;
    const far = ahead + 2.2 * aside;
    if (far < least) {
      least = far;
      best = key;
    }
  }
  return best;
}

export function Picture(props: PictureProps) {
  const { shown, placed, width, height, marks, svg } = props;
  const top = props.open.length ? 20 : 0;
  const [view, setView] = useState<View>(() => fitted(placed, width, height, top));
  const [focus, setFocus] = useState<string | null>(null);
  const box = useRef<HTMLDivElement>(null);
  const wanted = useRef<string | null>(null);
  const current = useRef(view);
  current.current = view;
  const drag = useRef<{ x: number; y: number; view: View; moved: boolean } | null>(null);

  const fit = () => setView(fitted(placed, width, height, top));
  const boxOf = (key: string) => {
    const item = shown.items.find((one) => one.key === key);
    const x = placed.x.get(key), y = placed.y.get(key);
    return item && x !== undefined && y !== undefined ? { x, y, ...sizeOf(item) } : null;
  };
  const before = useRef({ stamp: 0, form: "" });
  const form = `${props.fitStamp} ${width} ${height} ${placed.width} ${placed.height}`;
  useEffect(() => {
    const { stamp, form: old } = before.current;
    before.current = { stamp: props.reveal?.stamp ?? 0, form };
    const all = fitted(placed, width, height, top);
    const at = props.reveal && props.reveal.stamp !== stamp ? boxOf(props.reveal.key) : null;
    if (!at) {
      if (form !== old) setView(all);
      return;
    }
    let base = form !== old && all.k >= READABLE ? all : current.current;
    if (base.k < READABLE) base = { k: 0.8, x: width / 2 - 0.8 * at.x, y: height / 2 - 0.8 * at.y };
    setView(revealed(base, at, width, height));
  }, [props.reveal?.stamp, form]);

  useEffect(() => {
    const element = box.current!;
    const wheel = (event: WheelEvent) => {
      const isOurs = event.ctrlKey || event.metaKey || element.contains(document.activeElement);
      if (!isOurs) return;
      event.preventDefault();
      const rect = element.getBoundingClientRect();
      if (event.shiftKey) {
        setView({ ...current.current, x: current.current.x - event.deltaY - event.deltaX });
      } else {
        setView(zoomed(
          current.current, Math.exp(-event.deltaY / 400), event.clientX - rect.left, event.clientY - rect.top,
        ));
      }
    };
    element.addEventListener("wheel", wheel, { passive: false });
    return () => element.removeEventListener("wheel", wheel);
  }, []);

  const isReadable = view.k >= READABLE;
  const area = seen(view, width, height);
  const inside = (item: Item): boolean => {
    const x = placed.x.get(item.key)!, y = placed.y.get(item.key)!;
    const { width: w, height: h } = sizeOf(item);
    return x + w / 2 > area.left && x - w / 2 < area.right && y + h / 2 > area.top && y - h / 2 < area.bottom;
  };
  // A picture may come with boxes that the next layout has to place yet.
  const standing = useMemo(() => shown.items.filter((item) => placed.x.has(item.key)), [shown, placed]);
  const within = isReadable ? standing.filter(inside) : [];
  const entry = focus !== null && placed.x.has(focus) ? focus : marks.selected ?? marks.target ?? shown.items[0]?.key;
  const full = [...within];
  const entryItem = shown.items.find((item) => item.key === entry);
  if (entryItem && !full.includes(entryItem)) full.push(entryItem);
  const list = within.map((item) => item.key).join(" ");
  useEffect(() => props.near(within), [list]);
  useEffect(() => {
    if (focus === null || wanted.current !== focus) return;
    wanted.current = null;
    box.current?.querySelector<SVGGElement>('g.box[tabindex="0"]')?.focus({ preventScroll: true });
  }, [focus]);

  const go = (key: string) => {
    wanted.current = key;
    setFocus(key);
    const at = boxOf(key);
    if (at) setView(revealed(current.current, at, width, height));
  };
  const middle = () => [width / 2, height / 2] as const;
  const onKey = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const arrows: Record<string, "up" | "down" | "left" | "right"> = {
      ArrowUp: "up", ArrowDown: "down", ArrowLeft: "left", ArrowRight: "right",
    };
    const item = entryItem;
    if (event.key in arrows && event.shiftKey) {
      const by = 60, [dx, dy] = { up: [0, by], down: [0, -by], left: [by, 0], right: [-by, 0] }[arrows[event.key]];
      setView({ ...view, x: view.x + dx, y: view.y + dy });
    } else if (event.key in arrows) {
      const next = entry ? neighbour(placed, shown.items, entry, arrows[event.key]) : null;
      if (next) go(next);
    } else if (event.key === "+" || event.key === "=") setView(zoomed(view, 1.3, ...middle()));
    else if (event.key === "-") setView(zoomed(view, 1 / 1.3, ...middle()));
    else if (event.key === "0") fit();
    else if ((event.key === "Enter" || event.key === " ") && item) {
      if (item.group) props.toggle(item.group);
      else props.select(item);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };

  const onDown = (event: PointerEvent) => {
    if (event.button !== 0) return;
    drag.current = { x: event.clientX, y: event.clientY, view, moved: false };
  };
  const onMove = (event: PointerEvent) => {
    const from = drag.current;
    if (!from) return;
    const dx = event.clientX - from.x, dy = event.clientY - from.y;
    if (!from.moved && Math.hypot(dx, dy) < 4) return;
    if (!from.moved) box.current!.setPointerCapture(event.pointerId);
    from.moved = true;
    setView({ k: from.view.k, x: from.view.x + dx, y: from.view.y + dy });
  };
  const onUp = () => {
    setTimeout(() => {
      drag.current = null;
    });
  };

  return (
    <div class="graph-frame">
      <div
        class="graph" ref={box} data-own-keys role="group" aria-label={props.label}
        aria-roledescription="graph" onKeyDown={onKey} onPointerDown={onDown} onPointerMove={onMove}
        onPointerUp={onUp} onPointerCancel={onUp} onDblClick={(event) => {
          const rect = box.current!.getBoundingClientRect();
          if (!(event.target as Element).closest("g.box")) {
            setView(zoomed(view, 1.6, event.clientX - rect.left, event.clientY - rect.top));
          }
        }}
      >
        <svg ref={svg} width={width} height={height} viewBox={`0 0 ${width} ${height}`}>
          <g transform={`translate(${view.x.toFixed(2)} ${view.y.toFixed(2)}) scale(${view.k.toFixed(4)})`}>
            <Wires shown={shown} placed={placed} area={isReadable ? area : null} marks={marks} />
            {!isReadable && <Blocks items={standing} placed={placed} marks={marks} />}
            {full.map((item) => (
              <Box
                key={item.key} item={item} marks={marks} isEntry={item.key === entry}
                x={placed.x.get(item.key)!} y={placed.y.get(item.key)!} say={props.say(item)}
                focus={() => setFocus(item.key)} press={() => {
                  if (drag.current?.moved) return;
                  setFocus(item.key);
                  if (item.group) props.toggle(item.group);
                  else props.select(item);
                }}
              >{props.value(item)}</Box>
            ))}
          </g>
        </svg>
      </div>
      {props.open.length > 0 && (
        <div class="graph-open" role="group" aria-label="Open functions">
          {props.open.slice(0, 8).map((group) => (
            <button
              key={group.key} type="button" class="chip" aria-label={`Close ${group.label}`}
              title={`Close ${group.label}`} onClick={() => props.close(group)}
            >{cut(group.label, 24)}<Icon name="close" /></button>
          ))}
          {props.open.length > 8 && <span class="muted">and {props.open.length - 8} more</span>}
        </div>
      )}
      <div class="graph-tools" role="group" aria-label="Zoom">
        <button type="button" class="icon-button" aria-label="Zoom in" title="Zoom in (+)" onClick={() => setView(zoomed(view, 1.4, ...middle()))}><Icon name="plus" /></button>
        <button type="button" class="icon-button" aria-label="Zoom out" title="Zoom out (−)" onClick={() => setView(zoomed(view, 1 / 1.4, ...middle()))}><Icon name="minus" /></button>
        <button type="button" class="icon-button" aria-label="Show all" title="Show all (0)" onClick={fit}><Icon name="fit" /></button>
      </div>
    </div>
  );
}

function Wires({ shown, placed, area, marks }: {
  shown: Shown; placed: Placed; area: Area | null; marks: Marks;
}) {
  const far = useMemo(() => wirePaths(placed, null), [placed]);
  const [lines, heads] = area ? wirePaths(placed, area) : far;
  const strong: string[] = [], flow: string[] = [];
  shown.edges.forEach((edge, k) => {
    if (!placed.bends[k]) return;
    if (marks.now === edge.to && marks.next.has(edge.from)) flow.push(wirePath(placed.bends[k], placed.isDown));
    else if (marks.selected === edge.from || marks.selected === edge.to) {
      strong.push(wirePath(placed.bends[k], placed.isDown));
    }
  });
  return (
    <>
      <path class={area ? "wire" : "wire is-far"} d={lines} />
      <path class="wire-head" d={heads} />
      <path class="wire is-strong" d={strong.join("")} />
      {flow.map((d) => <path key={d} class="wire is-flow" d={d} />)}
    </>
  );
}

/** Boxes from afar: one path for each kind. */
function Blocks({ items, placed, marks }: { items: Item[]; placed: Placed; marks: Marks }) {
  const paths = useMemo(() => {
    const made = new Map<string, string>();
    for (const item of items) {
      const { width, height } = sizeOf(item);
      const kind = item.key === marks.now ? "now" : marks.bad.has(item.key) ? "bad"
        : marks.found.has(item.key) ? "found" : item.key === marks.selected ? "selected" : kindOf(item);
      const x = placed.x.get(item.key)! - width / 2, y = placed.y.get(item.key)! - height / 2;
      made.set(kind, `${made.get(kind) ?? ""}M${x.toFixed(0)} ${y.toFixed(0)}h${width}v${height}h${-width}Z`);
    }
    return [...made];
  }, [items, placed, marks.now, marks.bad, marks.found, marks.selected]);
  return <>{paths.map(([kind, d]) => <path key={kind} class={`block is-${kind}`} d={d} />)}</>;
}

function Box({ item, x, y, marks, isEntry, say, focus, press, children }: {
  item: Item; x: number; y: number; marks: Marks; isEntry: boolean; say: string;
  focus: () => void; press: () => void; children: ComponentChildren;
}) {
  const { width, height } = sizeOf(item);
  const kind = kindOf(item);
  const { key, group } = item;
  const classes = [
    "box", `is-${kind}`, key === marks.selected && "is-selected", key === marks.target && "is-target",
    key === marks.prediction && "is-prediction", key === marks.now && "is-now",
    marks.next.has(key) && "is-next", marks.waiting?.has(key) && "is-waiting",
    marks.bad.has(key) && "is-bad", marks.found.has(key) && "is-found",
  ].filter(Boolean).join(" ");
  const [title, side] = headOf(item);
  return (
    <g
      class={classes} transform={`translate(${(x - width / 2).toFixed(1)} ${(y - height / 2).toFixed(1)})`}
      role="button" tabindex={isEntry ? 0 : -1} aria-label={say} data-key={key}
      aria-expanded={group ? false : undefined} aria-pressed={group ? undefined : key === marks.selected}
      onFocus={focus} onClick={press}
    >
      {group && <rect class="sheet" x="4" y="4" width={width} height={height} rx="7" />}
      <rect class="body" width={width} height={height} rx={ROUND[kind]} />
      {kind === "input" && <path class="bar" d={`M0 3a3 3 0 0 1 3-3h2v${height}h-2a3 3 0 0 1-3-3Z`} />}
      {group ? (
        <>
          <text class="name" x="12" y="19">{title}</text>{" "}
          <text class="value" x="12" y="36">{counted(group.size, "op")}</text>
          <path class="open" d={`M${width - 22} ${height / 2}h10m-5 -5v10`} />
        </>
      ) : (
        <>
          <text class="name" x={kind === "variable" || kind === "constant" ? 17 : 12} y="18">
            {title}
          </text>{" "}
          {side && <text class="shape" x={width - 11} y="18" text-anchor="end">{side}</text>}{" "}
          <g transform={`translate(${kind === "variable" || kind === "constant" ? 17 : 12} 36)`}>{children}</g>
        </>
      )}
    </g>
  );
}
