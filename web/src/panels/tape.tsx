// The tape: the recorded operations with their values at the cursor, forwards and backwards.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { cost, run, select, selection, spoken, step } from "../cursor";
import { counted } from "../draw/numbers";
import { Pick } from "../draw/pick";
import { useSize } from "../draw/size";
import { exact, shape as shapeText, short } from "../format";
import { backward } from "../graph/backward";
import { Value, valueText } from "../graph/glyph";
import { ancestors, everyGroup, openAtFirst, tree, visible, type Item } from "../graph/groups";
import { arrange } from "../graph/layout";
import { headOf, Picture, sizeOf, type Marks } from "../graph/picture";
import { isScalar, nameOf, numbersOf, titleOf, useArrays } from "../graph/values";
import { Icon } from "../icon";
import { info, keptNone, source, useLatest, version } from "../model";
import { Panel } from "../panel";
import { isCalm } from "../theme";
import type { Graph, GraphNode } from "../types";
import { indexAt } from "./path-math";
import { Detail, MomentView } from "./tape-detail";
import { SourceView } from "./tape-source";
import "./tape.css";

const HELP = (
  <>
    <p>
      Each box is a recorded operation with its value at the cursor. Round boxes are variables, a green
      edge marks inputs, a dashed one constants, a heavy one the cost. Stacked boxes are functions;
      press one to open it.
    </p>
    <p>
      “Cotangents” shows the derivative of the cost by each value. “Play backwards” walks the gradient
      pass one operation at a time, with the rule used.
    </p>
    <p>
      Click into the picture, then: wheel and + − zoom, 0 shows all, dragging moves, arrow keys go
      from box to box, Enter opens, [ closes a function.
    </p>
  </>
);

/** The number of the graph that is in force at a step. */
export function structureAt(structures: [number, number][], at: number): number | null {
  if (!structures.length) return null;
  return structures[indexAt(structures.map(([from]) => from), at)][1];
}

/** Nodes of an operation, a name or a function; if there are none, those of a source line. */
export function search(nodes: GraphNode[], text: string): GraphNode[] {
  const sought = text.trim().toLowerCase();
  if (!sought) return [];
  const holds = (one: string | null | undefined) => one?.toLowerCase().includes(sought) ?? false;
  const named = nodes.filter((node) => holds(node.op) || holds(node.tag) || holds(node.function));
  return named.length ? named : nodes.filter((node) => holds(node.text));
}

function useReplay(count: number) {
  const [at, setAt] = useState<number | null>(null);
  const [isPlaying, play] = useState(false);
  useEffect(() => {
    if (at !== null && at >= count) setAt(count ? count - 1 : null);
  }, [count]);
  useEffect(() => {
    if (!isPlaying) return;
    const timer = setInterval(() => {
      setAt((now) => {
        const next = now === null ? 0 : now + 1;
        if (next >= count - 1) play(false);
        return Math.min(next, count - 1);
      });
    }, isCalm() ? 1600 : Math.max(120, Math.min(900, 24_000 / count)));
    return () => clearInterval(timer);
  }, [isPlaying, count]);
  return { at, setAt, isPlaying, play };
}

export function TapePanel() {
  const id = run.value;
  const number = structureAt(info.value?.costs[cost.value]?.structures ?? info.value?.structures ?? [], step.value);
  const { data: graph, error, busy } = useLatest(
    () => (id && number !== null ? source.value.graph(id, { id: number }) : null), [number],
  );
  const { data: loaded } = useLatest(
    () => (id && graph ? source.value.nodes(id, step.value) : null), [step.value, version.value, graph],
  );
  const values = graph && loaded && loaded.count === graph.nodes.length ? loaded : null;
  if (!graph || !graph.nodes.length) {
    return (
      <Panel
        id="tape" title="The tape" help={HELP} busy={busy}
        empty={busy ? undefined : <p>{error ?? `No operations are recorded. ${keptNone()}`}</p>}
      />
    );
  }
  return <Tape key={`${id} ${number}`} graph={graph} values={values} busy={busy} />;
}

function Tape({ graph, values, busy }: {
  graph: Graph; values: import("../types").NodeValues | null; busy: boolean;
}) {
  const [frame, width] = useSize<HTMLDivElement>();
  const svg = useRef<SVGSVGElement>(null);
  const root = useMemo(() => tree(graph.nodes, graph.name), [graph]);
  const [open, setOpen] = useState(() => openAtFirst(root));
  const [text, setText] = useState("");
  const [hit, setHit] = useState(-1);
  const [reveal, setReveal] = useState<{ key: string; stamp: number } | null>(null);
  const [fitted, setFitted] = useState(0);
  const [nearby, setNearby] = useState<Item[]>([]);
  const moments = useMemo(() => backward(graph), [graph]);
  const replay = useReplay(moments.length);
  const { side, node: chosen } = selection.value;
  const shown = useMemo(() => visible(root, open, graph.nodes), [root, open, graph]);
  const isSideways = width >= 900;
  const pictureWidth = isSideways ? width - 348 : width;
  const height = isSideways ? 520 : 380;
  const placed = useMemo(
    () => (width ? arrange(
      shown.items.map((item) => ({ key: item.key, ...sizeOf(item) })), shown.edges, pictureWidth, height,
    ) : null),
    [shown, pictureWidth >> 6, height],
  );
  const byId = useMemo(() => new Map(graph.nodes.map((node) => [node.id, node])), [graph]);
  const users = useMemo(() => {
    const found = new Map<number, GraphNode[]>();
    for (const node of graph.nodes) {
      for (const input of new Set(node.in)) found.set(input, [...(found.get(input) ?? []), node]);
    }
    return found;
  }, [graph]);
  const found = useMemo(() => search(graph.nodes, text), [graph, text]);
  const foundKeys = useMemo(() => new Set(found.map((node) => shown.place.get(node.id)!)), [found, shown]);
  const isFull = info.value?.meta.level === "full";
  const arrayOf = useArrays(
    run.value, step.value, side, nearby.length <= 60 ? nearby.flatMap((item) => item.node ?? []) : [], isFull,
  );

  const moment = replay.at === null ? null : moments[replay.at] ?? null;
  /** When the cotangent of a node is complete: after the last operation that adds to it. */
  const complete = useMemo(() => {
    const at = new Map<number, number>();
    moments.forEach(({ to }, k) => to.forEach((one) => at.set(one.id, k)));
    return at;
  }, [moments]);
  const isReached = (node: number) => {
    if (replay.at === null || side === 0) return true;
    if (node === graph.target) return true;
    const when = complete.get(node);
    return when !== undefined && when <= replay.at;
  };

  const openTo = (node: number) => {
    const path = ancestors(root, node);
    if (path.every((key) => open.has(key))) return;
    setOpen(new Set([...open, ...path]));
  };
  const pick = (node: GraphNode) => {
    openTo(node.id);
    select({ node: node.id });
    setReveal({ key: `n:${node.id}`, stamp: performance.now() });
  };
  const goTo = (at: number | null) => {
    replay.setAt(at);
    if (at === null) return;
    if (side === 0) select({ side: 1 });
    const key = shown.place.get(moments[at].node.id);
    if (key) setReveal({ key, stamp: performance.now() });
  };
  useEffect(() => {
    if (replay.at !== null) goTo(replay.at);
  }, [replay.at]);
  const nextHit = (by: number) => {
    if (!found.length) {
      spoken.value = text ? `Nothing is called ${text}` : "";
      return;
    }
    const k = (hit + by + found.length) % found.length;
    setHit(k);
    pick(found[k]);
    spoken.value = `${k + 1} of ${found.length}: ${found[k].op}${found[k].line ? `, line ${found[k].line}` : ""}`;
  };

  const keyOf = (node: number | null) => (node === null ? null : shown.place.get(node) ?? null);
  const bad = useMemo(() => {
    const keys = new Set<string>();
    for (const node of graph.nodes) {
      const numbers = numbersOf(values, node.id, side);
      if (numbers && (numbers.nonfinite > 0)) keys.add(shown.place.get(node.id)!);
    }
    return keys;
  }, [values, side, shown]);
  const marks: Marks = {
    selected: keyOf(chosen), target: keyOf(graph.target), prediction: keyOf(graph.prediction),
    now: moment ? keyOf(moment.node.id) : null,
    next: new Set(moment?.to.map((one) => keyOf(one.id)!) ?? []),
    waiting: moment && side === 1
      ? new Set(shown.items.filter((item) => item.node && !isReached(item.node.id)).map((item) => item.key)) : null,
    bad, found: foundKeys,
  };

  const say = (item: Item): string => {
    const [title, shape] = headOf(item);
    const whole = item.group ? item.group.label : titleOf(item.node!);
    const rest = whole === title ? "" : `, ${whole}`;
    if (item.group) return `${title} ${counted(item.group.size, "op")}${rest}, a closed function`;
    const node = item.node!;
    const numbers = isReached(node.id) ? numbersOf(values, node.id, side) : null;
    const seen = [title, shape,
      numbers ? valueText(isScalar(node), numbers, arrayOf(node)) : ""].filter(Boolean).join(" ");
    const what = side ? "cotangent" : "value";
    const value = !numbers ? "" : isScalar(node) ? `, ${what} ${exact(numbers.mean)}`
      : `, ${what} from ${short(numbers.min)} to ${short(numbers.max)}, mean ${short(numbers.mean)}`;
    return `${seen}${rest}${value}${node.line ? `, line ${node.line}` : ""}`;
  };
  const value = (item: Item) => (item.node && isReached(item.node.id) ? (
    <Value
      scalar={isScalar(item.node)} numbers={numbersOf(values, item.node.id, side)} array={arrayOf(item.node)}
    />
  ) : null);

  const node = (moment ? moment.node : chosen === null ? null : byId.get(chosen)) ?? byId.get(graph.target)!;
  const groupPath = ancestors(root, node.id).slice(1);
  const shut = (key: string) => {
    setOpen(new Set([...open].filter((one) => one !== key && !one.startsWith(`${key}/`) && !one.startsWith(`${key}#`))));
    setReveal({ key: `g:${key}`, stamp: performance.now() });
  };
  const closeGroup = groupPath.length ? () => shut(groupPath[groupPath.length - 1]) : null;
  const lines = useMemo(() => {
    const made = new Map<number, GraphNode[]>();
    for (const one of graph.nodes) {
      if (one.kind === "op" && one.file === node.file && one.line) made.set(one.line, [...(made.get(one.line) ?? []), one]);
    }
    return made;
  }, [graph, node.file]);
  const groups = useMemo(() => everyGroup(root), [root]);
  const operations = graph.nodes.filter((one) => one.kind === "op").length;
  const stale = values && values.step !== step.value ? `values of step ${values.step}` : null;
  const note = values?.computed
    ? `The run does not hold the values of operations at this step; they are computed again from the variables and inputs. ${values.note ?? ""}`
    : undefined;
  const status = [
    counted(operations, "op"), groups.length > 1 ? `${shown.items.length} boxes shown` : null, stale,
    values ? null : "no values at this step",
  ].filter(Boolean).join(", ");
  const last = moments.length - 1;

  return (
    <Panel
      id="tape" title="The tape" help={HELP} busy={busy} status={status} note={note} picture={() => svg.current}
      table={() => ({
        columns: ["node", "op", "shape", "file", "line", ...(values?.fields ?? [])],
        rows: graph.nodes.map((one) => [
          one.id, nameOf(one), shapeText(one.shape), one.file ?? "", one.line ?? null,
          ...(values ? values.fields.map((_, k) => values.matrix[one.id * values.fields.length + k]) : []),
        ]),
        note: `Nodes in the order of execution, values at step ${values?.step ?? step.value}.`,
      })}
      actions={(
        <>
          <form
            class="tape-search" role="search" onSubmit={(event) => {
              event.preventDefault();
              nextHit(1);
            }}
          >
            <input
              type="text" value={text} placeholder="Find an op" aria-label="Find an operation"
              spellcheck={false} onInput={(event) => {
                setText(event.currentTarget.value);
                setHit(-1);
              }}
              onKeyDown={(event) => {
                if (event.key === "Escape") setText("");
                if (event.key === "Enter" && event.shiftKey) {
                  event.preventDefault();
                  nextHit(-1);
                }
              }}
            />
            {text && <span class="muted" role="status">{hit >= 0 ? `${hit + 1} of ` : ""}{found.length}</span>}
          </form>
          {groups.length > 1 && (
            <>
              <button
                type="button" class="button" onClick={() => {
                  setOpen(new Set(groups.map((one) => one.key)));
                  setFitted(fitted + 1);
                }}
              >Open all</button>
              <button
                type="button" class="button" onClick={() => {
                  setOpen(new Set([root.key]));
                  setFitted(fitted + 1);
                }}
              >Close all</button>
            </>
          )}
          <Pick
            label="What the boxes show" options={[["0", "Forward values"], ["1", "Cotangents"]] as const}
            value={String(side) as "0" | "1"} choose={(one) => select({ side: Number(one) as 0 | 1 })}
          />
        </>
      )}
    >
      <div
        ref={frame} class={`tape ${isSideways ? "is-sideways" : ""}`} onKeyDown={(event) => {
          if (event.key === "[" && closeGroup && !(event.target as Element).closest("input")) {
            closeGroup();
            event.stopPropagation();
          }
        }}
      >
        <div class="tape-picture">
          {width > 0 && placed && (
            <Picture
              shown={shown} placed={placed} width={pictureWidth} height={height} marks={marks} svg={svg}
              open={groups.filter((group) => group.parent && open.has(group.key))} close={(group) => shut(group.key)}
              label={`Graph of ${counted(operations, "operation")} at step ${step.value}. Arrow keys go from box to box.`}
              reveal={reveal} fitStamp={String(fitted)} value={value} say={say} near={setNearby}
              select={(item) => select({ node: item.node!.id })}
              toggle={(group) => {
                setOpen(new Set([...open, group.key]));
                const inside = group.nodes.length ? `n:${group.nodes[0].id}` : `g:${group.groups[0]?.key}`;
                setReveal({ key: inside, stamp: performance.now() });
              }}
            />
          )}
          <div
            class="replay" role="group" aria-label="Backward pass" data-own-keys onKeyDown={(event) => {
              const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
              if (!by || !moments.length) return;
              goTo(Math.min(last, Math.max(0, replay.at === null ? 0 : replay.at + by)));
              event.preventDefault();
              event.stopPropagation();
            }}
          >
            <button
              type="button" class="button" disabled={!moments.length} onClick={() => {
                if (!replay.isPlaying && (replay.at === null || replay.at >= last)) goTo(0);
                replay.play(!replay.isPlaying);
              }}
            ><Icon name={replay.isPlaying ? "pause" : "play"} />{replay.isPlaying ? "Pause" : "Play backwards"}</button>
            <button
              type="button" class="icon-button" aria-label="One operation back" title="Back (Left)"
              disabled={!replay.at} onClick={() => goTo(replay.at! - 1)}
            ><Icon name="back" /></button>
            <button
              type="button" class="icon-button" aria-label="One operation on" title="On (Right)"
              disabled={!moments.length || replay.at === last}
              onClick={() => goTo(replay.at === null ? 0 : replay.at + 1)}
            ><Icon name="next" /></button>
            <input
              type="range" aria-label="Operation of the backward pass" min={0} max={Math.max(0, last)}
              value={replay.at ?? 0} disabled={!moments.length}
              aria-valuetext={moment ? `${replay.at! + 1} of ${moments.length}: ${moment.node.op}` : "not started"}
              onInput={(event) => goTo(Number(event.currentTarget.value))}
            />
            <span class="muted number">{moment ? `${replay.at! + 1} of ${moments.length}` : counted(moments.length, "operation")}</span>
            {moment && (
              <button
                type="button" class="icon-button" aria-label="End the backward pass" title="End" onClick={() => {
                  replay.play(false);
                  replay.setAt(null);
                }}
              ><Icon name="close" /></button>
            )}
          </div>
        </div>
        <div class="tape-side">
          {moment
            ? <MomentView moment={moment} at={replay.at!} count={moments.length} values={values} pick={pick} />
            : (
              <Detail
                graph={graph} node={node} side={side} values={values} users={users} pick={pick} close={closeGroup}
              />
            )}
          <SourceView file={node.file} line={node.line} lines={lines} pick={pick} />
        </div>
      </div>
    </Panel>
  );
}
