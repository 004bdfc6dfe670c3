// What a node holds at the cursor: its statistics, and its array where the record has it.
import { useEffect, useRef, useState } from "preact/hooks";
import { source } from "../model";
import type { ArrayAnswer, GraphNode, NodeValues } from "../types";

/** Statistics of one side of a node; NaN where the record does not know. */
export interface Numbers {
  min: number;
  max: number;
  mean: number;
  norm: number;
  nonfinite: number;
  zeros: number;
}

/** The statistics of a node: side 0 its forward value, 1 its cotangent; null if there are none. */
export function numbersOf(values: NodeValues | null, node: number, side: 0 | 1): Numbers | null {
  if (!values) return null;
  const width = values.fields.length;
  const prefix = side ? "ct_" : "";
  const read = (name: string) => {
    const k = values.fields.indexOf(prefix + name);
    return k < 0 ? NaN : values.matrix[node * width + k];
  };
  const found = {
    min: read("min"), max: read("max"), mean: read("mean"), norm: read("norm"),
    nonfinite: read("nonfinite"), zeros: read("zeros"),
  };
  return Object.values(found).every(Number.isNaN) ? null : found;
}

export function isScalar(node: GraphNode): boolean {
  return node.shape.every((size) => size === 1);
}

/** What a node is called: the variable's name, the number of a constant, or the operation. */
export function nameOf(node: GraphNode): string {
  if (node.tag) return node.tag.replace(/^value\//, "").replace("/", " ");
  if (node.kind === "constant" && typeof node.value === "number") return String(node.value);
  return node.op;
}

/** The title of a box. */
export function titleOf(node: GraphNode): string {
  return node.kind === "constant" ? "constant" : nameOf(node);
}

/** The tag under which the array of a node is held, if it is. */
export function tagOf(node: GraphNode, side: 0 | 1): string | null {
  if (!node.tag) return null;
  const isSource = node.kind === "variable" || node.kind === "source";
  if (side) return isSource ? node.tag.replace(/^value\//, "grad/") : null;
  return node.tag;
}

const AT_ONCE = 3;

/** Arrays of the nodes that are seen, loaded a few at a time once the cursor rests. */
export function useArrays(
  run: string | null, step: number, side: 0 | 1, wanted: GraphNode[], isFull: boolean,
): (node: GraphNode) => ArrayAnswer | null {
  const kept = useRef(new Map<string, ArrayAnswer | null>());
  const [, again] = useState(0);
  const key = (node: GraphNode) => `${run} ${step} ${side} ${node.id}`;
  const missing = wanted.filter((node) => (
    !isScalar(node) && (isFull || tagOf(node, side)) && !kept.current.has(key(node))));
  const list = missing.map((node) => node.id).join(",");
  useEffect(() => {
    if (!run || !missing.length) return;
    let gone = false, next = 0;
    const load = async (): Promise<void> => {
      while (!gone && next < missing.length) {
        const node = missing[next++];
        const tag = tagOf(node, side);
        const asked = tag ? source.peek().array(run, tag, step) : source.peek().node(run, step, node.id, side);
        const found = await asked.catch(() => null);
        if (kept.current.size > 600) kept.current.clear();
        kept.current.set(key(node), found);
        if (!gone) again((n) => n + 1);
      }
    };
    const timer = setTimeout(() => {
      for (let k = 0; k < AT_ONCE; k++) void load();
    }, 140);
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, [run, step, side, list]);
  return (node) => kept.current.get(key(node)) ?? null;
}
