// Series for charts: coarse over the whole run, finer where the reader has zoomed in.
import { useEffect, useRef, useState } from "preact/hooks";
import { run, span } from "./cursor";
import { type Latest, source, useLatest, version } from "./model";
import type { Series } from "./types";

const PIXELS = 900;

/** The steps to ask for: a little more than is shown, in blocks, so that panning finds them there. */
export function blocks(shown: [number, number] | null): { from?: number; to?: number; px: number } {
  if (!shown) return { px: PIXELS };
  const [low, high] = shown;
  const size = 2 ** Math.ceil(Math.log2(Math.max(2, high - low)));
  const from = Math.max(0, Math.floor(low / size - 0.5) * size);
  const to = Math.ceil(high / size + 0.5) * size;
  return { from, to, px: Math.ceil((PIXELS * (to - from)) / size) };
}

/** The named series of the open run, as fine as the zoom asks. */
export function useSeries(names: string[]): Latest<Series[]> {
  const id = run.value;
  const { from, to, px } = blocks(span.value);
  const key = names.join("\n");
  return useLatest(
    () => (id && names.length ? source.peek().series(id, names, { from, to, px }) : null),
    [key, from, to, version.value],
    `${id}\n${key}`,
  );
}

/** A value that changes at most every `ms`, for questions that are dear to answer. */
export function useSlow<T>(value: T, ms: number): T {
  const [kept, keep] = useState(value);
  const since = useRef(0);
  useEffect(() => {
    const wait = Math.max(0, since.current + ms - performance.now());
    const timer = setTimeout(() => {
      since.current = performance.now();
      keep(value);
    }, wait);
    return () => clearTimeout(timer);
  }, [value]);
  return kept;
}

/** A moving average that forgets exponentially, over steps (not over points: after a reduction
 * those are not evenly spaced); what is not finite neither counts nor is filled in. */
export function smooth(steps: Float64Array, values: Float64Array, over: number): Float64Array {
  const out = new Float64Array(values.length);
  let mean = 0, weight = 0, before = steps[0];
  for (let k = 0; k < values.length; k++) {
    const fade = Math.exp(-(steps[k] - before) / over);
    before = steps[k];
    mean *= fade;
    weight *= fade;
    if (Number.isFinite(values[k])) {
      const share = Math.max(1 - fade, 1 / over);
      mean += share * values[k];
      weight += share;
      out[k] = mean / weight;
    } else out[k] = NaN;
  }
  return out;
}

/** How much of the series was left out of the drawing, in words; nothing if nothing was. */
export function reductionNote(series: Series[] | null): string {
  const worst = series?.filter((one) => one.reduced).sort((a, b) => b.of - a.of)[0];
  if (!worst) return "";
  return `${worst.of.toLocaleString("en").replace(/,/g, "\u2009")} steps are here; drawn are the lowest`
    + " and the highest of each pixel. Zoom in to see every step.";
}
