// Small pictures of the value of a node: a number, a range, a line, a histogram or a heat map.
import { heatMap, toneOf } from "../draw/heat";
import { extent, histogram } from "../draw/scale";
import { short } from "../format";
import type { ArrayAnswer } from "../types";
import type { Numbers } from "./values";

const W = 60;
const H = 15;

const pictures = new WeakMap<ArrayAnswer, string>();

function heatAddress(array: ArrayAnswer): string {
  const known = pictures.get(array);
  if (known) return known;
  const columns = array.shape[array.shape.length - 1], rows = array.values.length / columns;
  const canvas = document.createElement("canvas");
  heatMap(canvas, (r, c) => array.values[r * columns + c], rows, columns, toneOf(array.values), 48);
  const address = canvas.toDataURL();
  pictures.set(array, address);
  return address;
}

/** A line through few entries, bars of a histogram for many. */
function Shape({ array }: { array: ArrayAnswer }) {
  const { values, shape } = array;
  if (shape.length >= 2 && shape[shape.length - 1] > 1 && shape[shape.length - 2] > 1) {
    return (
      <image
        class="glyph-heat" href={heatAddress(array)} width={W} height={H} preserveAspectRatio="none"
      />
    );
  }
  const range = extent(values);
  if (!range) return null;
  const [low, high] = range[0] === range[1] ? [range[0] - 1, range[1] + 1] : range;
  if (values.length <= 48) {
    const zero = Math.min(H, Math.max(0, H - ((0 - low) / (high - low)) * H));
    const wide = W / values.length;
    let bars = "";
    for (let k = 0; k < values.length; k++) {
      if (!Number.isFinite(values[k])) continue;
      const y = H - ((values[k] - low) / (high - low)) * H;
      const top = Math.min(y, zero), tall = Math.max(0.8, Math.abs(y - zero));
      bars += `M${(k * wide).toFixed(1)} ${top.toFixed(1)}h${Math.max(0.6, wide - 0.5).toFixed(1)}v${tall.toFixed(1)}h${-Math.max(0.6, wide - 0.5).toFixed(1)}Z`;
    }
    return <path class="glyph-bars" d={bars} />;
  }
  const counts = histogram(values, 20, [low, high]);
  const most = Math.max(...counts);
  const bars = counts.map((count, k) => {
    const tall = (count / most) * H;
    return count ? `M${k * 3} ${(H - tall).toFixed(1)}h2.4V${H}h-2.4Z` : "";
  }).join("");
  return <path class="glyph-bars" d={bars} />;
}

/** From the smallest to the largest entry, the mean as a dot, zero as a tick. */
function Range({ min, max, mean }: Numbers) {
  const low = Math.min(0, min), high = Math.max(0, max);
  const x = (value: number) => (high > low ? 2 + ((value - low) / (high - low)) * (W - 4) : W / 2);
  return (
    <>
      <path class="glyph-axis" d={`M2 ${H / 2}H${W - 2}M${x(0)} ${H / 2 - 5}v10`} />
      <path class="glyph-range" d={`M${x(min)} ${H / 2}H${x(max)}`} />
      <circle class="glyph-mean" cx={x(mean)} cy={H / 2} r="3" />
    </>
  );
}

/** The text of the second line of a box. */
export function valueText(scalar: boolean, numbers: Numbers | null, array: ArrayAnswer | null): string {
  if (numbers && numbers.nonfinite > 0 && !scalar) return `${short(numbers.nonfinite)} not finite`;
  if (scalar) return numbers || array ? short(numbers ? numbers.mean : array!.values[0], 6) : "";
  if (!numbers) return "";
  return numbers.zeros === 1 ? "all 0" : short(numbers.mean, 3);
}

/** The second line of a box. */
export function Value({ scalar, numbers, array }: {
  scalar: boolean; numbers: Numbers | null; array: ArrayAnswer | null;
}) {
  const text = valueText(scalar, numbers, array);
  const isBad = numbers !== null && numbers.nonfinite > 0;
  if (scalar || isBad) return <text class={`value ${isBad ? "is-bad" : ""}`}>{text}</text>;
  if (!numbers && !array) return null;
  return (
    <>
      <g transform="translate(0 -11)">{array ? <Shape array={array} /> : <Range {...numbers!} />}</g>
      <text class="value is-small" x={W + 6}>{text}</text>
    </>
  );
}
