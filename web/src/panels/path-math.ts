// Numbers of the parameter path: levels of its contours, the step and the gradient at a point.
import type { Landscape, Path } from "../types";

/** Thresholds of the contours: even in the logarithm over a wide range, else in the square root. */
export function levels(values: ArrayLike<number>, count = 14): { at: number[]; low: number; high: number } | null {
  const finite = Array.from(values).filter(Number.isFinite).sort((a, b) => a - b);
  if (finite.length < 4 || finite[0] === finite[finite.length - 1]) return null;
  const low = finite[0], high = finite[Math.floor(0.985 * (finite.length - 1))];
  const isWide = low > 0 && high / low > 100;
  const at = Array.from({ length: count }, (_, k) => {
    const share = (k + 1) / (count + 1);
    return isWide ? low * (high / low) ** share : low + (high - low) * share * share;
  });
  return { at, low, high };
}

/** The index of the last point at or before a step. */
export function indexAt(steps: ArrayLike<number>, step: number): number {
  let low = 0, high = steps.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (steps[middle] <= step) low = middle;
    else high = middle - 1;
  }
  return low;
}

export interface Motion {
  /** Length of the gradient in the plane. */
  gradient: number;
  /** Length of the step to the next point in the plane; NaN at the end. */
  step: number;
  /** The cosine of the angle between the step and the way down. */
  cosine: number;
}

/** At a point; where the next point is several steps on, the step is not known. */
export function motion(path: Path, k: number, stride = 1): Motion {
  const { u, v, gu, gv, steps } = path;
  const gradient = Math.hypot(gu[k], gv[k]);
  const isKnown = k + 1 < u.length && steps[k + 1] - steps[k] <= stride;
  const du = isKnown ? u[k + 1] - u[k] : NaN, dv = isKnown ? v[k + 1] - v[k] : NaN;
  const step = Math.hypot(du, dv);
  return { gradient, step, cosine: -(du * gu[k] + dv * gv[k]) / (gradient * step) };
}

/** The ranges of the picture: of the landscape, or of the points; around a point if `near`. */
export function ranges(
  path: Path, landscape: Landscape | null, near: number | null,
): { u: [number, number]; v: [number, number] } {
  const around = (values: Float64Array, span: readonly [number, number] | null): [number, number] => {
    const from = near === null ? 0 : Math.max(0, near - 8);
    const to = near === null ? values.length : near + 9;
    let low = Infinity, high = -Infinity;
    for (let k = from; k < Math.min(to, values.length); k++) {
      if (!Number.isFinite(values[k])) continue;
      low = Math.min(low, values[k]);
      high = Math.max(high, values[k]);
    }
    if (near === null && span) {
      // A path that runs far away would make the landscape a dot: its end is then left out.
      const wide = 3 * (span[1] - span[0]);
      const isNear = low <= high && low > span[0] - wide && high < span[1] + wide;
      const room = isNear ? 0.05 * (Math.max(high, span[1]) - Math.min(low, span[0])) : 0;
      return [
        isNear && low < span[0] ? low - room : span[0], isNear && high > span[1] ? high + room : span[1],
      ];
    }
    if (!(low <= high)) return [0, 1];
    const room = (high - low) * (near === null ? 0.12 : 0.35) || Math.abs(low) * 1e-3 || 1e-3;
    return [low - room, high + room];
  };
  return { u: around(path.u, landscape?.u ?? null), v: around(path.v, landscape?.v ?? null) };
}
