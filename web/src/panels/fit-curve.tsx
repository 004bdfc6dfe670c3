// The data and the model's curve at the cursor, with ghosts of earlier steps and residuals.
import type { TableData } from "../datatable";
import { extent, padded, polyline } from "../draw/scale";
import { Dots } from "../draw/dots";
import { Plane } from "../draw/plane";
import { exact, short } from "../format";
import type { Fit } from "../types";

/** Of more points than this the residuals would be a grey area. */
export const RESIDUALS = 1500;

/** Points by rising x, so that the arrow keys walk along the curve. */
export function byX(x: ArrayLike<number>): Uint32Array {
  return Uint32Array.from(x, (_, k) => k).sort((a, b) => x[a] - x[b]);
}

/** Steps whose curves are drawn behind: the first, then ever farther apart, the same at each cursor. */
export function ghostSteps(first: number, last: number, stride: number, most = 7): number[] {
  const rows = Math.round((last - first) / stride);
  const found = new Set<number>();
  for (let k = 0; k < most; k++) {
    found.add(first + stride * Math.round((rows + 1) ** (k / most) - 1));
  }
  return [...found];
}

export function residualTable(fit: Fit, order: ArrayLike<number>): TableData {
  const rows = Array.from(order, (k) => [fit.x[k], fit.y[k], fit.prediction[k], fit.y[k] - fit.prediction[k]]);
  return {
    columns: [fit.names.x || "x", fit.names.y || "y", "prediction", "residual"], rows,
    note: `Data and prediction at step ${fit.step}.`,
  };
}

/** What is told of one point of the data. */
export function tellPoint(fit: Fit, k: number): { title: string; lines: [string, string][] } {
  return {
    title: `Point ${k}`,
    lines: [
      [fit.names.x || "x", exact(fit.x[k])], [fit.names.y || "y", exact(fit.y[k])],
      ["prediction", exact(fit.prediction[k])], ["residual", exact(fit.y[k] - fit.prediction[k])],
    ],
  };
}

export function FitCurve({ fit, ghosts, range, residuals, svg }: {
  fit: Fit;
  ghosts: Fit[];
  /** The range of the ordinate that all steps share; null takes that of the data. */
  range: [number, number] | null;
  residuals: boolean;
  svg: { current: SVGSVGElement | null };
}) {
  const order = byX(fit.x);
  const yRange = range ?? extent(fit.y);
  return (
    <Plane
      label={`${fit.names.y || "y"} against ${fit.names.x || "x"}: data and prediction at step ${fit.step}`}
      svg={svg}
      x={padded(extent(fit.x, fit.curveX))} y={padded(yRange, 0.09)}
      xTitle={fit.names.x || "x"} yTitle={fit.names.y || "y"}
      points={{ x: fit.x, y: fit.y, order, tell: (k) => tellPoint(fit, k) }}
      chosen={(k, { x, y }) => (
        <path
          class="fit-residual-chosen"
          d={`M${x(fit.x[k])} ${y(fit.y[k])}V${y(fit.prediction[k])}`}
        />
      )}
    >
      {({ x, y, right, width, height }) => (
        <>
          {ghosts.map((ghost, k) => (
            <path
              key={ghost.step} class="fit-ghost" opacity={0.22 + (0.4 * (k + 1)) / ghosts.length}
              d={polyline(ghost.curveX, ghost.curveY, x, y)}
            />
          ))}
          {residuals && fit.count <= RESIDUALS && (
            <path
              class="fit-residuals"
              d={Array.from(order, (k) => (
                Number.isFinite(fit.prediction[k])
                  ? `M${x(fit.x[k]).toFixed(1)} ${y(fit.y[k]).toFixed(1)}V${y(fit.prediction[k]).toFixed(1)}`
                  : ""
              )).join("")}
            />
          )}
          <Dots x={Array.from(fit.x, x)} y={Array.from(fit.y, y)} color={0} width={width} height={height} />
          <path class="fit-halo" d={polyline(fit.curveX, fit.curveY, x, y)} />
          <path class="fit-curve" d={polyline(fit.curveX, fit.curveY, x, y)} />
          {ghosts.map((ghost, k) => {
            const end = ghost.curveX.length - 1;
            if (end < 0) return null;
            const b = y(ghost.curveY[end]);
            const near = ghosts.slice(k + 1).map((one) => y(one.curveY[one.curveX.length - 1]))
              .concat(y(fit.curveY[fit.curveX.length - 1]));
            if (!Number.isFinite(b) || near.some((other) => Math.abs(other - b) < 13)) return null;
            return (
              <text
                key={ghost.step} class="fit-ghost-step" text-anchor="end"
                x={Math.min(right - 4, x(ghost.curveX[end]) - 2)} y={b - 4}
              >step {short(ghost.step)}</text>
            );
          })}
        </>
      )}
    </Plane>
  );
}
