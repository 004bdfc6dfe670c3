// The operations as a tree of functions, and what of it is drawn: open groups show what is in them.
import type { GraphNode } from "../types";

export interface Group {
  /** Unique: the path of functions, or of a line within one. */
  key: string;
  /** Last part of the path, or the line. */
  label: string;
  parent: Group | null;
  groups: Group[];
  /** Nodes that are in this group and in none below. */
  nodes: GraphNode[];
  /** How many operations, those of groups below included. */
  size: number;
  depth: number;
}

/** What is drawn as one box: a node, or a group that is closed. */
export interface Item {
  key: string;
  node: GraphNode | null;
  group: Group | null;
}

export interface Edge {
  from: string;
  to: string;
  /** How many edges of the graph this one stands for. */
  count: number;
}

export interface Shown {
  items: Item[];
  edges: Edge[];
  /** Key of the item in which a node is drawn. */
  place: Map<number, string>;
}

/** A group with more operations than this is divided by source line. */
const MANY = 60;

const leaf = (path: string) => path.slice(path.lastIndexOf("/") + 1);

/** The tree of groups of a graph; its root stands for the whole. */
export function tree(nodes: GraphNode[], name = ""): Group {
  const root: Group = { key: "", label: name, parent: null, groups: [], nodes: [], size: 0, depth: 0 };
  const known = new Map<string, Group>([["", root]]);
  const find = (path: string): Group => {
    const made = known.get(path);
    if (made) return made;
    const cut = path.lastIndexOf("/");
    const parent = find(cut < 0 ? "" : path.slice(0, cut));
    const group: Group = {
      key: path, label: leaf(path), parent, groups: [], nodes: [], size: 0, depth: parent.depth + 1,
    };
    parent.groups.push(group);
    known.set(path, group);
    return group;
  };
  // Variables and arrays that enter belong to no function; numbers stand where they are used.
  const isLoose = ({ kind, shape }: GraphNode) => (
    kind === "variable" || kind === "source" || (kind === "input" && shape.length > 0));
  for (const node of nodes) find(isLoose(node) ? "" : node.group ?? "").nodes.push(node);
  // The file that holds everything says nothing.
  if (root.groups.length === 1) {
    const [file] = root.groups;
    root.nodes = [...root.nodes, ...file.nodes].sort((a, b) => a.id - b.id);
    root.groups = file.groups;
    root.groups.forEach((group) => (group.parent = root));
    known.delete(file.key);
  }
  for (const group of [...known.values()]) divideByLine(group);
  const weigh = (group: Group): number => {
    group.size = group.nodes.filter((node) => node.kind === "op").length + group.groups.reduce((sum, one) => sum + weigh(one), 0);
    return group.size;
  };
  weigh(root);
  return root;
}

function divideByLine(group: Group): void {
  const inside = group.nodes.filter((node) => node.kind === "op" || node.kind === "constant");
  if (inside.length <= MANY) return;
  const lines = new Map<string, GraphNode[]>();
  for (const node of inside) {
    const place = `${node.file ?? ""}:${node.line ?? 0}`;
    lines.set(place, [...(lines.get(place) ?? []), node]);
  }
  const made = [...lines].filter(([, nodes]) => nodes.length > 3);
  const moved = new Set<GraphNode>();
  for (const [place, nodes] of made) {
    const text = nodes[0].text?.trim();
    group.groups.push({
      key: `${group.key}#${place}`, label: text || `line ${nodes[0].line ?? "?"}`, parent: group,
      groups: [], nodes, size: 0, depth: group.depth + 1,
    });
    nodes.forEach((node) => moved.add(node));
  }
  group.nodes = group.nodes.filter((node) => !moved.has(node));
}

/** Every group of a tree, parents before children. */
export function everyGroup(root: Group): Group[] {
  return [root, ...root.groups.flatMap(everyGroup)];
}

/** Groups to open at first: all of a small graph; of a large one as many as stay readable. */
export function openAtFirst(root: Group): Set<string> {
  if (root.size <= MANY) return new Set(everyGroup(root).map((group) => group.key));
  const most = 26;
  const open = new Set<string>([root.key]);
  let shown = root.nodes.length + root.groups.length;
  const waiting = [...root.groups];
  while (waiting.length) {
    waiting.sort((a, b) => a.nodes.length + a.groups.length - b.nodes.length - b.groups.length);
    const group = waiting.shift()!;
    const more = group.nodes.length + group.groups.length - 1;
    if (shown + more > most) break;
    open.add(group.key);
    shown += more;
    waiting.push(...group.groups);
  }
  return open;
}

function firstOf(group: Group): number {
  return Math.min(...group.nodes.map((node) => node.id), ...group.groups.map(firstOf));
}

/** Boxes and edges to draw while these groups are open. */
export function visible(root: Group, open: ReadonlySet<string>, nodes: GraphNode[]): Shown {
  const items: Item[] = [];
  const place = new Map<number, string>();
  const close = (group: Group, key: string): void => {
    group.nodes.forEach((node) => place.set(node.id, key));
    group.groups.forEach((one) => close(one, key));
  };
  const walk = (group: Group): void => {
    if (group.parent && !open.has(group.key)) {
      const key = `g:${group.key}`;
      items.push({ key, node: null, group });
      close(group, key);
      return;
    }
    for (const node of group.nodes) {
      const key = `n:${node.id}`;
      items.push({ key, node, group: null });
      place.set(node.id, key);
    }
    group.groups.forEach(walk);
  };
  walk(root);
  // In the order of execution.
  const first = (item: Item) => item.node?.id ?? firstOf(item.group!);
  items.sort((a, b) => first(a) - first(b));
  const edges = new Map<string, Edge>();
  for (const node of nodes) {
    const to = place.get(node.id)!;
    for (const input of [...node.in, ...(node.held ?? [])]) {
      const from = place.get(input);
      if (from === undefined || from === to) continue;
      const key = `${from}\u0000${to}`;
      const known = edges.get(key);
      if (known) known.count++;
      else edges.set(key, { from, to, count: 1 });
    }
  }
  return { items, edges: [...edges.values()], place };
}

/** The path of groups, outermost first, that must be open for a node to be seen. */
export function ancestors(root: Group, node: number): string[] {
  const find = (group: Group): string[] | null => {
    if (group.nodes.some((one) => one.id === node)) return [group.key];
    for (const one of group.groups) {
      const below = find(one);
      if (below) return [group.key, ...below];
    }
    return null;
  };
  return find(root) ?? [];
}
