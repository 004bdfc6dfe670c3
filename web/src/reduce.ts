// Fewer points that look the same: the extremes of each bucket, in the order of their steps.

export interface Reduced {
  steps: Float64Array;
  values: Float64Array;
  reduced: boolean;
}

/** Keep first, last, and in each of `px` buckets the lowest, the highest and one non-finite value. */
export function reduceExtremes(steps: Float64Array, values: Float64Array, px: number): Reduced {
  const count = steps.length;
  if (px <= 0 || count <= 4 * px) return { steps, values, reduced: false };
  const kept: number[] = [0];
  const size = (count - 2) / px;
  for (let bucket = 0; bucket < px; bucket++) {
    const start = 1 + Math.floor(bucket * size);
    const stop = 1 + Math.floor((bucket + 1) * size);
    let low = -1, high = -1, odd = -1;
    for (let k = start; k < stop; k++) {
      const value = values[k];
      if (!Number.isFinite(value)) {
        if (odd < 0) odd = k;
      } else {
        if (low < 0 || value < values[low]) low = k;
        if (high < 0 || value > values[high]) high = k;
      }
    }
    const chosen = [low, high, odd].filter((k) => k >= 0).sort((a, b) => a - b);
    for (const k of chosen) if (k !== kept[kept.length - 1]) kept.push(k);
  }
  kept.push(count - 1);
  return {
    steps: Float64Array.from(kept, (k) => steps[k]),
    values: Float64Array.from(kept, (k) => values[k]),
    reduced: true,
  };
}
