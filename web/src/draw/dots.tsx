// Many points as one path; very many as an image, which is drawn once and not at every step.
import { useMemo } from "preact/hooks";
import { palette } from "../theme";
import { markPath } from "./marks";

/** From here on points are an image. */
const MANY = 1500;

export function Dots({ x, y, color, mark = 0, width, height, which, opacity = 0.62 }: {
  /** Places on the screen. */
  x: number[];
  y: number[];
  /** Of the palette's series. */
  color: number;
  mark?: number;
  width: number;
  height: number;
  which?: (k: number) => boolean;
  opacity?: number;
}) {
  const many = x.length > MANY;
  const { series, surface } = palette.value;
  const fill = series[color % series.length];
  // The same points at another step are told by their sums: their text would be a megabyte.
  const sums = many ? x.reduce((sum, at, k) => sum + at + k * y[k], 0) : 0;
  const image = useMemo(() => {
    if (!many) return null;
    const canvas = document.createElement("canvas"), sharp = Math.min(2, devicePixelRatio || 1);
    canvas.width = width * sharp;
    canvas.height = height * sharp;
    const pen = canvas.getContext("2d")!;
    pen.scale(sharp, sharp);
    pen.fillStyle = fill;
    pen.globalAlpha = 0.55;
    pen.fill(new Path2D(markPath(mark, x, y, 1.7, which)));
    return canvas.toDataURL();
  }, [many, sums, fill, width, height]);
  if (image) return <image class="dots" href={image} width={width} height={height} />;
  const path = markPath(mark, x, y, x.length > 400 ? 2.2 : 3.2, which);
  return <path class="dots" d={path} fill={fill} fill-opacity={opacity} stroke={surface} stroke-width="0.7" />;
}
