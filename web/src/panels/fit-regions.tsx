// Decision regions of a classifier of two inputs: shading by value, points by class with shapes.
import { contours } from "d3-contour";
import { useMemo } from "preact/hooks";
import { Dots } from "../draw/dots";
import { MARKS, markPath } from "../draw/marks";
import { Plane, type Frame } from "../draw/plane";
import { extent, padded } from "../draw/scale";
import { exact } from "../format";
import { seriesColor } from "../theme";
import type { Regions } from "../types";

/** Points of a classifier: two inputs, the class of each, and what is predicted for it. */
export interface Classified {
  names: [string, string];
  u: ArrayLike<number>;
  v: ArrayLike<number>;
  label: ArrayLike<number>;
  prediction: ArrayLike<number>;
  classes: number[];
  /** The names of the classes. */
  called: string[];
  step: number;
  /** The predicted class of a prediction. */
  decide: (prediction: number) => number;
}

/** One band of the shading, in units of the data. */
interface Band {
  value: number;
  rings: [number, number][][];
}

/** Bands between thresholds of a grid of n by n values, row 0 at the smallest ordinate. */
export function bands(regions: Pick<Regions, "n" | "x" | "y" | "values">, thresholds: number[]): Band[] {
  const { n, x, y, values } = regions;
  const across = (c: number) => x[0] + ((c - 0.5) / (n - 1)) * (x[1] - x[0]);
  const up = (c: number) => y[0] + ((c - 0.5) / (n - 1)) * (y[1] - y[0]);
  const made = contours().size([n, n]).thresholds(thresholds)(Array.from(values));
  return made.map((one) => ({
    value: one.value,
    rings: one.coordinates.flatMap((polygon) => polygon.map((ring) => (
      ring.map(([a, b]): [number, number] => [across(a), up(b)])
    ))),
  }));
}

export function ringPath(band: Band, { x, y }: Pick<Frame, "x" | "y">): string {
  return band.rings.map((ring) => (
    `M${ring.map(([a, b]) => `${x(a).toFixed(1)} ${y(b).toFixed(1)}`).join("L")}Z`
  )).join("");
}

/** The place of a class that is nearest to the middle of all of its places. */
function middle({ n, x, y, values }: Regions, k: number): [number, number] | null {
  const all = Array.from(values.keys()).filter((j) => values[j] === k);
  const mean = (of: (j: number) => number) => all.reduce((sum, j) => sum + of(j), 0) / all.length;
  const across = mean((j) => j % n), up = mean((j) => Math.floor(j / n));
  const off = (j: number) => Math.hypot((j % n) - across, Math.floor(j / n) - up);
  const best = all.sort((a, b) => off(a) - off(b))[0];
  if (best === undefined) return null;
  return [x[0] + ((best % n) / (n - 1)) * (x[1] - x[0]), y[0] + (Math.floor(best / n) / (n - 1)) * (y[1] - y[0])];
}

const LEVELS = [0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95];

export function FitRegions({ data, regions, svg }: {
  data: Classified;
  regions: Regions | null;
  svg: { current: SVGSVGElement | null };
}) {
  const isBinary = data.classes.length <= 2;
  const shading = useMemo(() => {
    if (!regions) return [];
    if (isBinary) return bands(regions, [-1e300, ...LEVELS]);
    // One class after the other, each up to where the next one is as likely.
    return data.classes.flatMap((_, k) => bands({
      ...regions,
      values: regions.values.map((value, j) => (value === k ? 1 : -1) * (regions.margin[j] || 1e-9)),
    }, [0]));
  }, [regions, isBinary]);
  const edge = useMemo(() => (regions && isBinary ? bands(regions, [0.5]) : []), [regions, isBinary]);
  // The shading fades to the panel's own colour where the model is undecided.
  const tone = (k: number) => {
    if (!isBinary) {
      const color = `color-mix(in oklab, var(--series-${k % 7}) ${k < 7 ? 34 : 62}%, var(--surface))`;
      return { fill: color, stroke: color };
    }
    const share = k / LEVELS.length;
    const strength = 38 * Math.abs(2 * share - 1) ** 0.9;
    return { fill: `color-mix(in oklab, var(--series-${share < 0.5 ? 0 : 1}) ${strength.toFixed(1)}%, var(--surface))` };
  };
  const name = (label: number) => data.called[data.classes.indexOf(label)] ?? "none";
  const wrong = Array.from(data.label, (label, k) => data.decide(data.prediction[k]) !== label);
  return (
    <Plane
      label={`Decision regions at step ${data.step}, ${data.classes.length} classes`}
      svg={svg}
      x={regions ? regions.x : padded(extent(data.u))} y={regions ? regions.y : padded(extent(data.v))}
      xTitle={data.names[0]} yTitle={data.names[1]}
      points={{
        x: data.u, y: data.v,
        tell: (k) => ({
          title: `Point ${k}, ${name(data.label[k])}${wrong[k] ? `, taken for ${name(data.decide(data.prediction[k]))}` : ""}`,
          lines: [
            [data.names[0], exact(data.u[k])], [data.names[1], exact(data.v[k])],
            ["prediction", exact(data.prediction[k])],
          ],
        }),
      }}
    >
      {(frame) => (
        <>
          {shading.map((band, k) => <path key={k} class="fit-band" d={ringPath(band, frame)} style={tone(k)} />)}
          {edge.map((band) => (
            <path key="edge" class="fit-boundary" d={ringPath(band, frame)} />
          ))}
          {data.classes.map((one, c) => (
            <Dots
              key={one} x={Array.from(data.u, frame.x)} y={Array.from(data.v, frame.y)} color={c} mark={c}
              width={frame.width} height={frame.height} which={(k) => data.label[k] === one} opacity={1}
            />
          ))}
          <path
            class="fit-wrong"
            d={markPath(
              0, Array.from(data.u, frame.x), Array.from(data.v, frame.y), data.u.length > 1500 ? 3.5 : 7, (k) => wrong[k],
            )}
          />
          {regions && !isBinary && data.called.map((one, k) => {
            const at = middle(regions, k);
            return at && <text key={k} class="fit-region" text-anchor="middle" x={frame.x(at[0])} y={frame.y(at[1])}>{one}</text>;
          })}
        </>
      )}
    </Plane>
  );
}

/** Which shape and colour is which class. */
/** How often each class was taken for which: rows are what the data says. */
export function Confusion({ data }: { data: Classified }) {
  const { classes, called } = data;
  const counts = classes.map(() => classes.map(() => 0));
  for (let k = 0; k < data.label.length; k++) {
    const row = counts[classes.indexOf(data.label[k])], j = classes.indexOf(data.decide(data.prediction[k]));
    if (row && j >= 0) row[j]++;
  }
  const short = called.map((one) => one.replace(/^class /, ""));
  return (
    <div class="confusion-place" tabIndex={0} role="group" aria-label="Right and wrong">
      <table class="confusion">
        <caption>Rows are the classes of the data, columns those predicted, at step {data.step}</caption>
        <thead>
          <tr><td />{short.map((one) => <th scope="col">{one}</th>)}</tr>
        </thead>
        <tbody>
          {counts.map((row, k) => {
            const most = Math.max(1, ...row);
            return (
              <tr key={k}>
                <th scope="row">{short[k]}</th>
                {row.map((count, j) => (
                  <td
                    class={count ? "" : "none"}
                    style={{ background: `color-mix(in oklab, var(--series-${j === k ? 0 : 1}) ${Math.round((45 * count) / most)}%, var(--surface))` }}
                  >{count}</td>
                ))}
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

export function ClassLegend({ data }: { data: Classified }) {
  return (
    <ul class="shapes" aria-label="Classes">
      {data.classes.map((one, c) => (
        <li key={one}>
          <svg width="14" height="14" viewBox="0 0 14 14" aria-hidden="true">
            <path
              d={MARKS[c % MARKS.length](7, 7, 4)}
              fill={seriesColor(c)}
            />
          </svg>
          {data.called[c]}
        </li>
      ))}
      <li>
        <svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">
          <circle cx="8" cy="8" r="6" class="fit-wrong" />
        </svg>
        wrongly predicted
      </li>
    </ul>
  );
}
