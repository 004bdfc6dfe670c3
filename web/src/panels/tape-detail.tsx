// One operation in full: its values forwards and backwards, its rule, its neighbours, its array.
import { useEffect, useRef } from "preact/hooks";
import { run, select, step } from "../cursor";
import { heatMap, toneOf } from "../draw/heat";
import { statistics } from "../draw/numbers";
import { exact, fileName, shape as shapeText, short } from "../format";
import type { Moment } from "../graph/backward";
import { isScalar, nameOf, numbersOf, tagOf, useArrays } from "../graph/values";
import type { ArrayAnswer, Graph, GraphNode, NodeValues } from "../types";

const ROWS: [keyof NonNullable<ReturnType<typeof numbersOf>>, string][] = [
  ["min", "smallest"], ["max", "largest"], ["mean", "mean"], ["norm", "norm"],
  ["zeros", "share of zeros"], ["nonfinite", "not finite"],
];

/** Values and cotangents of a node, side by side and exact. */
function Sides({ node, values }: { node: GraphNode; values: NodeValues | null }) {
  const forward = numbersOf(values, node.id, 0), cotangent = numbersOf(values, node.id, 1);
  if (!forward && !cotangent) return <p class="muted">The record holds no numbers of it at this step.</p>;
  const rows = isScalar(node) ? [["mean", "value"] as (typeof ROWS)[number]] : ROWS;
  return (
    <table class="sides">
      <thead><tr><td /><th scope="col">forward</th><th scope="col">cotangent</th></tr></thead>
      <tbody>
        {rows.map(([key, label]) => (
          <tr key={key}>
            <th scope="row">{label}</th>
            {[forward, cotangent].map((side, k) => {
              const value = side ? side[key] : NaN;
              const isUnknown = !side || (Number.isNaN(value) && !side.nonfinite);
              const isBad = side !== null && (key === "nonfinite" ? value > 0 : !Number.isFinite(value));
              return (
                <td key={k} class={isBad && !isUnknown ? "is-bad" : ""} title={isUnknown ? undefined : exact(value)}>
                  {isUnknown ? "–" : isScalar(node) ? exact(value) : short(value, 7)}
                </td>
              );
            })}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** An array as bars or as a heat map. */
export function ArrayPicture({ array, label }: { array: ArrayAnswer; label: string }) {
  const ref = useRef<HTMLCanvasElement>(null);
  const { values, shape } = array;
  const columns = shape.length ? shape[shape.length - 1] || 1 : 1;
  const isFlat = shape.length < 2;
  useEffect(() => {
    if (!ref.current || !values.length) return;
    const tone = toneOf(values);
    if (isFlat) heatMap(ref.current, (_, c) => values[c], 1, values.length, tone, 512);
    else heatMap(ref.current, (r, c) => values[r * columns + c], values.length / columns, columns, tone);
  }, [array]);
  const { low, high } = toneOf(values);
  return (
    <figure class="array-picture">
      <canvas ref={ref} class={isFlat ? "is-flat" : ""} role="img" aria-label={label} />
      <figcaption><span>{short(low)}</span><span>{short(high)}</span></figcaption>
    </figure>
  );
}

function Neighbours({ title, nodes, pick }: {
  title: string; nodes: GraphNode[]; pick: (node: GraphNode) => void;
}) {
  if (!nodes.length) return null;
  return (
    <p class="neighbours">
      <span class="muted">{title}</span>{" "}
      {nodes.slice(0, 12).map((node) => (
        <button key={node.id} type="button" class="chip" onClick={() => pick(node)}>
          {nameOf(node)} <span class="muted">{node.shape.length ? shapeText(node.shape) : ""}</span>
        </button>
      ))}
      {nodes.length > 12 && <span class="muted"> and {nodes.length - 12} more</span>}
    </p>
  );
}

export interface DetailProps {
  graph: Graph;
  node: GraphNode;
  side: 0 | 1;
  values: NodeValues | null;
  users: Map<number, GraphNode[]>;
  pick: (node: GraphNode) => void;
  /** Closes the function in which the node stands. */
  close: (() => void) | null;
}

export function Detail({ graph, node, side, values, users, pick, close }: DetailProps) {
  const arrayOf = useArrays(run.value, step.value, side, [node], true);
  const array = arrayOf(node);
  const tag = tagOf(node, side);
  const byId = (id: number) => graph.nodes.find((one) => one.id === id)!;
  return (
    <div class="detail">
      <h3>
        {nameOf(node)}{" "}
        <span class="muted">
          {node.kind === "op" ? "" : `${node.kind} `}{node.shape.length ? shapeText(node.shape) : ""} {node.dtype}
        </span>
      </h3>
      {(node.file || node.group) && (
        <p class="muted">
          {node.file && `${fileName(node.file)}:${node.line}`}
          {node.function && `, in ${node.function}`}
          {close && <> <button type="button" class="chip" onClick={close}>close this function</button></>}
        </p>
      )}
      <Sides node={node} values={values} />
      {array && !isScalar(node) && (
        <ArrayPicture
          array={array} label={`${side ? "Cotangent" : "Value"} of ${nameOf(node)}: ${statistics(array.values).count} entries`}
        />
      )}
      {!isScalar(node) && (
        <p>
          <button
            type="button" class="button" onClick={() => {
              select({ tag: tag ?? `node/${node.id}/${side}/${node.op}` });
              document.getElementById("panel-inspector")?.scrollIntoView({ block: "nearest" });
            }}
          >Show every entry of {side ? "the cotangent" : "the value"}</button>
        </p>
      )}
      {node.rule && <p class="rule"><span class="muted">Rule</span> <code>{node.rule}</code></p>}
      <Neighbours title="from" nodes={[...new Set(node.in)].map(byId)} pick={pick} />
      <Neighbours title="to" nodes={users.get(node.id) ?? []} pick={pick} />
    </div>
  );
}

/** One moment of the backward pass in words and numbers. */
export function MomentView({ moment, at, count, values, pick }: {
  moment: Moment; at: number; count: number; values: NodeValues | null; pick: (node: GraphNode) => void;
}) {
  const { node, to, from } = moment;
  const told = (one: GraphNode) => {
    const numbers = numbersOf(values, one.id, 1);
    if (!numbers) return "not recorded at this step";
    if (isScalar(one)) return exact(numbers.mean);
    const odd = numbers.nonfinite > 0 ? `, ${short(numbers.nonfinite)} not finite` : "";
    return `norm ${short(numbers.norm, 6)}, from ${short(numbers.min)} to ${short(numbers.max)}${odd}`;
  };
  const incoming = from.length === 0 ? "the gradient starts here"
    : from.length === 1 ? `from ${nameOf(from[0])}` : `summed from ${from.length} operations`;
  return (
    <section class="moment" aria-live="polite" aria-label="Backward pass">
      <p class="muted">Backwards, {at + 1} of {count}</p>
      <h3>{node.op} <span class="muted">{node.line ? `${fileName(node.file)}:${node.line}` : ""}</span></h3>
      <dl>
        <div><dt>incoming</dt><dd>{told(node)}<br /><span class="muted">{incoming}</span></dd></div>
        <div><dt>rule</dt><dd><code>{node.rule ?? "the rule is not in the record"}</code></dd></div>
        {to.map((one) => (
          <div key={one.id}>
            <dt>outgoing to <button type="button" class="chip" onClick={() => pick(one)}>{nameOf(one)}</button></dt>
            <dd>{told(one)}</dd>
          </div>
        ))}
        {!to.length && <div><dt>outgoing</dt><dd class="muted">nothing that is asked for</dd></div>}
      </dl>
    </section>
  );
}
