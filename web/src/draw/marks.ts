// Marks of points, as one SVG path for many points: a shape per class, so that colour is not alone.

type Mark = (x: number, y: number, r: number) => string;

const f = (v: number) => v.toFixed(1);

const circle: Mark = (x, y, r) => `M${f(x - r)} ${f(y)}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0Z`;
const triangle: Mark = (x, y, r) => {
  const a = r * 1.25;
  return `M${f(x)} ${f(y - a)}L${f(x + a)} ${f(y + a * 0.8)}L${f(x - a)} ${f(y + a * 0.8)}Z`;
};
const square: Mark = (x, y, r) => `M${f(x - r * 0.9)} ${f(y - r * 0.9)}h${f(r * 1.8)}v${f(r * 1.8)}h${f(-r * 1.8)}Z`;
const diamond: Mark = (x, y, r) => {
  const a = r * 1.3;
  return `M${f(x)} ${f(y - a)}L${f(x + a)} ${f(y)}L${f(x)} ${f(y + a)}L${f(x - a)} ${f(y)}Z`;
};
/** From the fifth class on they come again, in other colours. */
export const MARKS: Mark[] = [circle, triangle, square, diamond];

/** All points as one path of a mark. */
export function markPath(
  mark: number, xs: ArrayLike<number>, ys: ArrayLike<number>, r: number, which?: (k: number) => boolean,
): string {
  const draw = MARKS[mark % MARKS.length];
  const parts: string[] = [];
  for (let k = 0; k < xs.length; k++) {
    if (which && !which(k)) continue;
    if (Number.isFinite(xs[k]) && Number.isFinite(ys[k])) parts.push(draw(xs[k], ys[k], r));
  }
  return parts.join("");
}
