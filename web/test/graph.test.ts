// The graph of the tape: groups, layout in layers, the order of the backward pass.
import { expect, test } from "vitest";
import { backward } from "../src/graph/backward";
import { ancestors, everyGroup, openAtFirst, tree, visible } from "../src/graph/groups";
import { arrange, type Box, layersOf, type Placed, type Wire } from "../src/graph/layout";
import { fitted, revealed, zoomed } from "../src/graph/view";
import type { Graph, GraphNode } from "../src/types";

const node = (id: number, op: string, inputs: number[], more: Partial<GraphNode> = {}): GraphNode => ({
  id, op, in: inputs, shape: [], dtype: "float64", kind: "op", ...more,
});

/** cost = sum((w * x) ** 2 + w): the square in a function of its own. */
const nodes = [
  node(0, "variable", [], { kind: "variable", tag: "value/w" }),
  node(1, "input", [], { kind: "input", shape: [5], tag: "input/0" }),
  node(2, "multiply", [0, 1], { shape: [5], group: "a.py/model" }),
  node(3, "square", [2], { shape: [5], group: "a.py/model/inner" }),
  node(4, "sin", [1], { shape: [5], group: "a.py" }),
  node(5, "add", [3, 0], { shape: [5], group: "a.py/model" }),
  node(6, "sum", [5], { group: "a.py" }),
];
const graph: Graph = { name: "a.py:1", nodes, target: 6, prediction: null, sources: {}, inputs: {} };

test("functions are groups in groups; what holds everything is none", () => {
  const root = tree(nodes);
  expect(everyGroup(root).map((group) => group.label)).toEqual(["", "model", "inner"]);
  expect(root.size).toBe(5);
  expect(ancestors(root, 3)).toEqual(["", "a.py/model", "a.py/model/inner"]);
});

test("a closed group stands for what is in it, wires included", () => {
  const root = tree(nodes);
  const closed = visible(root, new Set([""]), nodes);
  expect(closed.items.map((item) => item.key)).toEqual(["n:0", "n:1", "g:a.py/model", "n:4", "n:6"]);
  expect(closed.edges).toContainEqual({ from: "n:0", to: "g:a.py/model", count: 2 });
  expect(closed.edges.every((edge) => edge.from !== edge.to)).toBe(true);
  const open = visible(root, openAtFirst(root), nodes);
  expect(open.items).toHaveLength(7);
});

test("an index that a node holds is wired to it, and does not get a gradient", () => {
  const picked = [
    node(0, "variable", [], { kind: "variable", shape: [5], tag: "value/w" }),
    node(1, "input", [], { kind: "input", shape: [2], tag: "input/0" }),
    node(2, "getitem", [0], { shape: [2], held: [1] }),
    node(3, "sum", [2]),
  ];
  const { edges } = visible(tree(picked), new Set([""]), picked);
  expect(edges).toContainEqual({ from: "n:1", to: "n:2", count: 1 });
});

test("many operations of one function are divided by their lines", () => {
  const many = Array.from({ length: 300 }, (_, k) => (
    node(k, "tanh", k ? [k - 1] : [], { group: "a.py/f", file: "a.py", line: 3 + (k % 3), text: `line ${k % 3}` })));
  const root = tree(many);
  const shown = visible(root, openAtFirst(root), many);
  expect(shown.items.map((item) => item.group?.size)).toEqual([100, 100, 100]);
});

test("the backward pass goes from the cost to what it depends on, and hands on to sources only", () => {
  const moments = backward(graph);
  expect(moments.map((moment) => moment.node.op)).toEqual(["sum", "add", "square", "multiply"]);
  expect(moments[3].to.map((one) => one.id)).toEqual([0]);
  expect(moments[2].from.map((one) => one.op)).toEqual(["add"]);
});

const boxes = (count: number) => (
  Array.from({ length: count }, (_, k) => ({ key: String(k), width: 140, height: 46 })));

test("layers follow the wires; a circle among closed groups does no harm", () => {
  const wires = [["0", "1"], ["1", "2"], ["2", "1"], ["3", "2"]].map(([from, to]) => ({ from, to }));
  const layer = layersOf(boxes(4), wires);
  expect([layer.get("0"), layer.get("1"), layer.get("2")]).toEqual([0, 1, 2]);
  expect(layer.get("3")).toBe(1); // right before its only user
});

test.each([[12, 1000, 500], [60, 1000, 500], [900, 1000, 500]])("%i boxes do not overlap", (count, width, height) => {
  let seed = 9;
  const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
  const wires = boxes(count).slice(1).flatMap((_, k) => [
    { from: String(Math.floor(random() * (k + 1))), to: String(k + 1) },
    ...(random() < 0.4 ? [{ from: String(Math.floor(random() * (k + 1))), to: String(k + 1) }] : []),
  ]);
  const placed = arrange(boxes(count), wires, width, height);
  const at = boxes(count).map(({ key }) => [placed.x.get(key)!, placed.y.get(key)!]);
  for (let a = 0; a < count; a++) {
    expect(at[a][0]).toBeGreaterThanOrEqual(69.9);
    expect(at[a][0]).toBeLessThanOrEqual(placed.width - 69.9);
    const over = at.findIndex(([x, y], b) => (
      b < a && Math.abs(at[a][0] - x) < 139.9 && Math.abs(at[a][1] - y) < 45.9));
    expect(over, `${a} lies on it`).toBe(-1);
  }
  expect(placed.bends).toHaveLength(wires.length);
});

/** Boxes each of which is fed by one or two of the seven before it. */
function random(seed: number): { boxes: Box[]; wires: Wire[] } {
  const next = () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
  const boxes = Array.from({ length: 24 }, (_, k) => ({ key: `b${k}`, width: 100, height: 40 }));
  const wires = boxes.slice(1).flatMap((box, k) => (
    [...new Set([0, 1].map(() => Math.max(0, k - Math.floor(next() * 7))))]
      .map((from) => ({ from: `b${from}`, to: box.key }))));
  return { boxes, wires };
}
/** Wires that cross between two layers, each drawn once. */
function crossed(placed: Placed, wires: Wire[]): number {
  const [across, along] = placed.isDown ? ["x", "y"] as const : ["y", "x"] as const;
  const found = new Map<string, Set<string>>();
  wires.forEach(({ from, to }, k) => {
    const end = (key: string) => ({ x: placed.x.get(key)!, y: placed.y.get(key)! });
    const way = [end(from), ...placed.bends[k].slice(1, -1), end(to)];
    for (let i = 1; i < way.length; i++) {
      const [a, b] = [way[i - 1], way[i]];
      const level = `${a[along].toFixed(1)} ${b[along].toFixed(1)}`;
      if (!found.has(level)) found.set(level, new Set());
      found.get(level)!.add(`${a[across].toFixed(1)} ${b[across].toFixed(1)}`);
    }
  });
  let count = 0;
  for (const level of found.values()) {
    const ends = [...level].map((one) => one.split(" ").map(Number));
    ends.forEach(([a, b], i) => ends.slice(0, i).forEach(([c, d]) => (count += Number((a - c) * (b - d) < -1e-6))));
  }
  return count;
}

test("wires cross seldom, also where neighbours must change places", () => {
  let found = 0;
  for (let seed = 1; seed <= 20; seed++) {
    const { boxes: many, wires } = random(seed);
    found += crossed(arrange(many, wires, 900, 1e6), wires);
  }
  expect(found).toBeLessThan(200); // sorting the layers alone leaves 241
});

test("a chain stands in one straight line, and a long one is folded", () => {
  const wires = (count: number) => boxes(count).slice(1).map((_, k) => ({ from: String(k), to: String(k + 1) }));
  const short = arrange(boxes(5), wires(5), 400, 900);
  expect(new Set(Array.from(short.x.values(), Math.round)).size).toBe(1);
  const long = arrange(boxes(100), wires(100), 1000, 500);
  expect(long.width / long.height).toBeGreaterThan(0.8);
  expect(long.width / long.height).toBeLessThan(5);
});

test("a window zooms about a place, fits a picture, and moves no farther than it must", () => {
  const view = { k: 1, x: 10, y: 20 };
  const near = zoomed(view, 2, 100, 50);
  expect([(100 - near.x) / near.k, (50 - near.y) / near.k]).toEqual([90, 30]);
  expect(fitted({ width: 2000, height: 100 }, 1000, 500).k).toBeCloseTo(0.484);
  expect(revealed(view, { x: 100, y: 100, width: 40, height: 40 }, 500, 500)).toEqual(view);
  expect(revealed(view, { x: 900, y: 100, width: 40, height: 40 }, 500, 500).x).toBe(500 - 24 - 920);
});
