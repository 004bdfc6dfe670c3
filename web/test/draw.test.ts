// Numbers and shapes of pictures: repr, ticks, slices of arrays, contours.
import { expect, test } from "vitest";
import { counted, repr, statistics } from "../src/draw/numbers";
import { histogram, linear, padded, polyline, ticks } from "../src/draw/scale";
import { stepped } from "../src/draw/plane";
import { ghostSteps } from "../src/panels/fit-curve";
import { flags } from "../src/panels/flow";
import { bands } from "../src/panels/fit-regions";
import { firstChoice, sliceOf, windowOf } from "../src/panels/inspector-slice";
import { indexAt, levels, motion } from "../src/panels/path-math";

test.each([
  [0.1, "0.1"], [-0, "-0.0"], [1, "1.0"], [1e22, "1e+22"], [1e16, "1e+16"], [123456789012345680, "1.2345678901234568e+17"],
  [1e15, "1000000000000000.0"], [1e-4, "0.0001"], [1e-5, "1e-05"], [1.5e-7, "1.5e-07"], [5e-324, "5e-324"],
  [-2.5e300, "-2.5e+300"], [NaN, "nan"], [Infinity, "inf"], [-Infinity, "-inf"], [0.30000000000000004, "0.30000000000000004"],
])("%d is written as Python writes it", (value, text) => {
  expect(repr(value)).toBe(text);
});

test("shorter dtypes have shorter digits", () => {
  expect(repr(Math.fround(0.1), "float32")).toBe("0.1");
  expect(repr(Math.fround(16777216), "float32")).toBe("16777216.0");
  expect(repr(7, "int64")).toBe("7");
  expect(repr(1, "bool")).toBe("True");
});

test("statistics leave out what is not finite, and count it", () => {
  const found = statistics([3, -4, Infinity, NaN, 0]);
  expect([found.count, found.nan, found.infinite, found.zeros]).toEqual([5, 1, 1, 1]);
  expect([found.min, found.max, found.norm]).toEqual([-4, 3, 5]);
  expect(counted(1, "op")).toBe("1 op");
});

test("ticks are round and inside", () => {
  expect(ticks([0, 1], 5)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
  expect(ticks([-3e203, 3e203], 4)).toContain(0);
  expect(padded([2, 2])).toEqual([1.8, 2.2]);
  expect(histogram([0, 1, 1, 2, 9], 2, [0, 2])).toEqual([1, 3]);
});

test("what is far outside of the picture is still a place that SVG takes", () => {
  const y = linear([0, 1], [100, 0]);
  expect(y(0.25)).toBe(75);
  expect(Math.abs(y(1e200))).toBeLessThan(1e6);
  expect(polyline([0, 1, 2], [0, NaN, 1], (v) => v, y)).toBe("M0.0 100.0M2.0 0.0");
});

test("arrow keys enter from the ends and stop there", () => {
  expect([stepped(5, null, 1), stepped(5, null, -1), stepped(5, null, 5), stepped(5, 4, 1)]).toEqual([0, 4, 4, 4]);
});

test("ghosts begin at the first step, lie on rows, and are the same at each cursor", () => {
  const steps = ghostSteps(10, 1010, 10);
  expect(steps[0]).toBe(10);
  expect(steps.every((step, k) => step % 10 === 0 && (!k || step > steps[k - 1]))).toBe(true);
  expect(ghostSteps(0, 0, 1)).toEqual([0]);
});

test("slices of arrays find their entries", () => {
  const shape = [2, 3, 4];
  const slice = sliceOf(shape, { rowAxis: 0, columnAxis: 2, held: [0, 1, 0] });
  expect([slice.rows, slice.columns]).toEqual([2, 4]);
  expect(slice.index(1, 3)).toBe(1 * 12 + 1 * 4 + 3);
  expect(slice.name(1, 3)).toBe("[1, 1, 3]");
  expect(firstChoice(shape)).toEqual({ rowAxis: 1, columnAxis: 2, held: [0, 0, 0] });
  const flat = sliceOf([23], firstChoice([23]));
  expect([flat.rows, flat.index(2, 2), flat.index(2, 3), flat.name(1, 4)]).toEqual([3, 22, -1, "[14]"]);
  expect(sliceOf([], firstChoice([])).name(0, 0)).toBe("[()]");
  expect(windowOf(2200, 220, 22, 1000)).toEqual([98, 112]);
});

test("bands of a plane lie where it has their value", () => {
  const n = 11;
  const values = Float64Array.from({ length: n * n }, (_, k) => (k % n) / (n - 1)); // the abscissa itself
  const [band] = bands({ n, x: [0, 1], y: [0, 1], values }, [0.5]);
  const inside = band.rings.flat().map(([x]) => x);
  expect(Math.min(...inside)).toBeCloseTo(0.5, 9);
});

test("levels widen as the cost does, and a path knows its steps", () => {
  const wide = levels([1e-6, 1e-3, 1, 1e3, 10, 100, 5], 4)!;
  expect(wide.at[1] / wide.at[0]).toBeCloseTo(wide.at[2] / wide.at[1]);
  expect(levels([2, 2, 2, 2])).toBeNull();
  const path = { steps: [0, 1], u: [0, 3], v: [0, 4], gu: [-6, 0], gv: [-8, 0] } as never;
  expect(motion(path, 0)).toEqual({ gradient: 10, step: 5, cosine: 1 });
  expect(motion(path, 1).step).toBeNaN();
  expect([indexAt([0, 10, 20], 9), indexAt([0, 10, 20], 10), indexAt([0, 10, 20], 99)]).toEqual([0, 1, 2]);
});

test("what vanishes, explodes or is dead is flagged as far as the cursor", () => {
  const steps = Float64Array.from({ length: 60 }, (_, k) => k);
  const row = (f: (k: number) => number) => Float64Array.from(steps, f);
  const one = (norm: (k: number) => number, zeros = 0) => ({
    gradnorm: row(norm), zeros: row(() => zeros) });
  const flow = {
    names: ["calm", "faint", "loud", "still", "broken", "lost"], count: 60, rows: [], steps,
    series: {
      calm: one(() => 1), faint: one(() => 1e-9), loud: one((k) => 2 ** k), still: one(() => 0, 1),
      broken: one((k) => (k < 40 ? 1 : Infinity)), lost: one(() => NaN),
    },
  };
  const kinds = (upTo: number) => Object.fromEntries(
    Array.from(flags(flow, upTo), ([name, { kind }]) => [name, kind]));
  expect(kinds(59)).toEqual({
    faint: "vanishing", loud: "exploding", still: "dead", broken: "not finite", lost: "no gradient" });
  expect(kinds(5)).not.toHaveProperty("broken");
  expect(kinds(5)).not.toHaveProperty("loud");
});
