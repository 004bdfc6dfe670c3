// Scales and ticks: from numbers of the record to places on the screen.

export type Scale = (x: number) => number;

/** Far outside of the picture one place is as good as another; an SVG path takes no 1e100. */
const FAR = 1e5;

export function linear([d0, d1]: readonly [number, number], [r0, r1]: readonly [number, number]): Scale {
  const slope = (r1 - r0) / (d1 - d0 || 1);
  return (x) => Math.max(-FAR, Math.min(FAR, r0 + (x - d0) * slope));
}

/** Round tick values inside of a domain, about `count` of them. */
export function ticks([low, high]: readonly [number, number], count = 6): number[] {
  const span = high - low;
  if (!(span > 0) || !Number.isFinite(span)) return Number.isFinite(low) ? [low] : [];
  const raw = span / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((k) => k * power).find((k) => k >= raw * 0.999) ?? 10 * power;
  const out: number[] = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) {
    out.push(Number((k * step).toPrecision(12)));
  }
  return out;
}

/** Smallest and largest finite entry of several lists; null where there is none. */
export function extent(...lists: ArrayLike<number>[]): [number, number] | null {
  let low = Infinity, high = -Infinity;
  for (const list of lists) {
    for (let k = 0; k < list.length; k++) {
      const x = list[k];
      if (!Number.isFinite(x)) continue;
      if (x < low) low = x;
      if (x > high) high = x;
    }
  }
  return low <= high ? [low, high] : null;
}

/** An extent with room around it; one value alone gets a room of its own size. */
export function padded(range: [number, number] | null, share = 0.06): [number, number] {
  if (!range) return [0, 1];
  const [low, high] = range;
  const room = high > low ? (high - low) * share : Math.abs(low) * 0.1 || 1;
  return [low - room, high + room];
}

/** Counts of equal bins over a range. */
export function histogram(values: ArrayLike<number>, bins: number, range: [number, number]): number[] {
  const counts = new Array<number>(bins).fill(0);
  const [low, high] = range;
  const width = (high - low) / bins || 1;
  for (let k = 0; k < values.length; k++) {
    const x = values[k];
    if (x >= low && x <= high) counts[Math.min(bins - 1, Math.floor((x - low) / width))]++;
  }
  return counts;
}

/** An SVG path through points; broken where one is not finite. */
export function polyline(
  xs: ArrayLike<number>, ys: ArrayLike<number>, x: (v: number) => number, y: (v: number) => number,
): string {
  let path = "", open = false;
  for (let k = 0; k < xs.length; k++) {
    const a = x(xs[k]), b = y(ys[k]);
    if (!Number.isFinite(a) || !Number.isFinite(b)) {
      open = false;
      continue;
    }
    path += `${open ? "L" : "M"}${a.toFixed(1)} ${b.toFixed(1)}`;
    open = true;
  }
  return path;
}
