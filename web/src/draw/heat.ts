// Arrays as pictures: a heat map of two axes, one pixel an entry, as the address of an image.
import { extent } from "./scale";
import { diverging, sequential } from "../theme";

export interface Tone {
  low: number;
  high: number;
  /** Both signs: the scale is even around zero. */
  isSigned: boolean;
}

export function toneOf(values: ArrayLike<number>): Tone {
  const [low, high] = extent(values) ?? [0, 0];
  const isSigned = low < 0 && high > 0;
  const most = Math.max(-low, high);
  return isSigned ? { low: -most, high: most, isSigned } : { low, high, isSigned };
}

/** Red, green and blue of an entry; magenta for what is not finite. */
export function colorOf(value: number, { low, high, isSigned }: Tone): [number, number, number] {
  if (!Number.isFinite(value)) return [220, 30, 120];
  const share = high > low ? (value - low) / (high - low) : 0.5;
  return isSigned ? diverging(share) : sequential(share);
}

/** Write rows and columns into a canvas, larger ones by the first entry of each block. */
export function heatMap(
  canvas: HTMLCanvasElement, at: (row: number, column: number) => number, rows: number, columns: number,
  tone: Tone, most = 256,
): void {
  const down = Math.ceil(rows / most), across = Math.ceil(columns / most);
  canvas.width = Math.ceil(columns / across);
  canvas.height = Math.ceil(rows / down);
  const pen = canvas.getContext("2d")!;
  const picture = pen.createImageData(canvas.width, canvas.height);
  for (let r = 0; r < canvas.height; r++) {
    for (let c = 0; c < canvas.width; c++) {
      const k = 4 * (r * canvas.width + c);
      [picture.data[k], picture.data[k + 1], picture.data[k + 2]] = colorOf(at(r * down, c * across), tone);
      picture.data[k + 3] = 255;
    }
  }
  pen.putImageData(picture, 0, 0);
}
