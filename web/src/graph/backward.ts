// The backward pass as a list of moments: which operation is played back, and what flows where.
import type { Graph, GraphNode } from "../types";

export interface Moment {
  node: GraphNode;
  /** Operands that receive a cotangent from this operation, each once. */
  to: GraphNode[];
  /** Operations whose cotangents were summed into this one's. */
  from: GraphNode[];
}

/** Operations that the target depends on and that depend on a source, from the target backwards. */
export function backward(graph: Graph): Moment[] {
  const byId = new Map(graph.nodes.map((node) => [node.id, node]));
  const feeding = new Set<number>();
  const waiting = [graph.target];
  while (waiting.length) {
    const id = waiting.pop()!;
    if (feeding.has(id) || !byId.has(id)) continue;
    feeding.add(id);
    waiting.push(...byId.get(id)!.in);
  }
  const moved = new Set<number>();
  for (const node of graph.nodes) {
    const isSource = node.kind === "variable" || node.kind === "source";
    if (isSource || node.in.some((input) => moved.has(input))) moved.add(node.id);
  }
  const on = (id: number) => feeding.has(id) && moved.has(id);
  const users = new Map<number, GraphNode[]>();
  for (const node of graph.nodes) {
    if (!on(node.id)) continue;
    for (const input of new Set(node.in)) users.set(input, [...(users.get(input) ?? []), node]);
  }
  const moments: Moment[] = [];
  for (let k = graph.nodes.length - 1; k >= 0; k--) {
    const node = graph.nodes[k];
    if (node.kind !== "op" || !on(node.id)) continue;
    const to = [...new Set(node.in)].filter(on).map((id) => byId.get(id)!);
    moments.push({ node, to, from: users.get(node.id) ?? [] });
  }
  return moments;
}
