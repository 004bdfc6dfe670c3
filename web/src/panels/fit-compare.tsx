// Predicted against true with the diagonal, and the histogram of the residuals.
import { extent, histogram, padded } from "../draw/scale";
import { Dots } from "../draw/dots";
import { Plane } from "../draw/plane";
import { counted, statistics } from "../draw/numbers";
import { exact, short } from "../format";
import type { Fit } from "../types";
import { byX, tellPoint } from "./fit-curve";

export function PredictedTrue({ fit, svg }: {
  fit: Fit; svg: { current: SVGSVGElement | null };
}) {
  const both = padded(extent(fit.y, fit.prediction));
  return (
    <Plane
      label={`Predicted against true ${fit.names.y || "y"} at step ${fit.step}`}
      svg={svg} x={both} y={both}
      xTitle={`true ${fit.names.y || "y"}`} yTitle="predicted"
      points={{ x: fit.y, y: fit.prediction, order: byX(fit.y), tell: (k) => tellPoint(fit, k) }}
      chosen={(k, { x, y }) => (
        <path class="fit-residual-chosen" d={`M${x(fit.y[k])} ${y(fit.prediction[k])}V${y(fit.y[k])}`} />
      )}
    >
      {({ x, y, width, height }) => (
        <>
          <path class="fit-diagonal" d={`M${x(both[0])} ${y(both[0])}L${x(both[1])} ${y(both[1])}`} />
          <Dots x={Array.from(fit.y, x)} y={Array.from(fit.prediction, y)} color={1} width={width} height={height} />
        </>
      )}
    </Plane>
  );
}

/** Equal bins over the residuals, as many as the square root of their number (10 to 40). */
export function residualBins(fit: Pick<Fit, "y" | "prediction">): {
  residuals: Float64Array; edges: number[]; counts: number[];
} {
  const residuals = Float64Array.from(fit.y, (value, k) => value - fit.prediction[k]);
  const range = extent(residuals) ?? [0, 1];
  const [low, high] = range[0] === range[1] ? padded(range) : range;
  const bins = Math.min(40, Math.max(10, Math.round(Math.sqrt(residuals.length))));
  const edges = Array.from({ length: bins + 1 }, (_, k) => low + ((high - low) * k) / bins);
  return { residuals, edges, counts: histogram(residuals, bins, [low, high]) };
}

export function Residuals({ fit, svg }: {
  fit: Fit; svg: { current: SVGSVGElement | null };
}) {
  const { residuals, edges, counts } = residualBins(fit);
  const { mean } = statistics(residuals);
  const middles = counts.map((_, k) => (edges[k] + edges[k + 1]) / 2);
  return (
    <Plane
      label={`Histogram of the residuals at step ${fit.step}`}
      svg={svg}
      x={padded([edges[0], edges[edges.length - 1]], 0.02)} y={[0, Math.max(1, ...counts) * 1.08]}
      xTitle={`residual: true − predicted ${fit.names.y || "y"}`} yTitle="points"
      points={{
        x: middles, y: counts,
        tell: (k) => ({
          title: counted(counts[k], "point"),
          lines: [["from", exact(edges[k])], ["to", exact(edges[k + 1])]],
        }),
      }}
    >
      {({ x, y, bottom, top }) => (
        <>
          {counts.map((count, k) => count > 0 && (
            <rect
              key={k} class="fit-bar" x={x(edges[k]) + 0.5} y={y(count)}
              width={Math.max(1, x(edges[k + 1]) - x(edges[k]) - 1)} height={bottom - y(count)}
            />
          ))}
          <path class="fit-diagonal" d={`M${x(0)} ${top}V${bottom}`} />
          {Number.isFinite(mean) && (
            <>
              <path class="fit-mean" d={`M${x(mean)} ${top}V${bottom}`} />
              <text class="fit-ghost-step" x={x(mean) + 5} y={top + 11}>mean {short(mean)}</text>
            </>
          )}
        </>
      )}
    </Plane>
  );
}
