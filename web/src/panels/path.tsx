// Parameter path: where the parameters went, on the contour of the recorded cost.
import { useMemo, useRef, useState } from "preact/hooks";
import { bounds, moveTo, run, step } from "../cursor";
import { Pick } from "../draw/pick";
import { Plane, type Frame } from "../draw/plane";
import { polyline } from "../draw/scale";
import { exact, short } from "../format";
import { info, source, useLatest, version } from "../model";
import { Panel } from "../panel";
import type { Landscape, Path } from "../types";
import { bands, ringPath } from "./fit-regions";
import { indexAt, levels, motion, ranges } from "./path-math";
import "./path.css";

const HELP = (
  <>
    <p>
      The way of the parameters from the first step to the last, on the recorded cost: darker is lower.
      The cost is computed by replaying the recorded operations at other values.
    </p>
    <p>
      With two parameters this is exact. With more, it is the plane of the path's two principal
      components; the share of the path's variance in it is said.
    </p>
    <p>
      At the cursor, the dashed arrow points down the gradient (its length has no meaning), the solid
      one is the step that was taken. Click a point, or press the arrow keys, to move the cursor.
    </p>
  </>
);

const ARROW = 64;

function arrow(x0: number, y0: number, x1: number, y1: number): string {
  const angle = Math.atan2(y1 - y0, x1 - x0), size = 7;
  const wing = (turn: number) => (
    `${(x1 - size * Math.cos(angle + turn)).toFixed(1)} ${(y1 - size * Math.sin(angle + turn)).toFixed(1)}`);
  return `M${x0.toFixed(1)} ${y0.toFixed(1)}L${x1.toFixed(1)} ${y1.toFixed(1)}`
    + `M${wing(0.45)}L${x1.toFixed(1)} ${y1.toFixed(1)}L${wing(-0.45)}`;
}

/** The arrows at a point: down the gradient and of the step. */
function Arrows({ path, k, frame }: { path: Path; k: number; frame: Frame }) {
  const { x, y } = frame;
  const px = x(path.u[k]), py = y(path.v[k]);
  const gx = x(path.u[k] - path.gu[k]) - px, gy = y(path.v[k] - path.gv[k]) - py;
  const long = Math.hypot(gx, gy);
  const isKnown = !Number.isNaN(motion(path, k, bounds.value.stride).step);
  const sx = isKnown ? x(path.u[k + 1]) - px : NaN, sy = isKnown ? y(path.v[k + 1]) - py : NaN;
  const far = Math.hypot(sx, sy);
  return (
    <>
      {long > 0 && Number.isFinite(long) && (
        <path class="path-down" d={arrow(px, py, px + (gx / long) * ARROW, py + (gy / long) * ARROW)} />
      )}
      {far > 3 && Number.isFinite(far) && (
        <path class="path-step" d={arrow(px, py, px + sx, py + sy)} />
      )}
    </>
  );
}

function Contours({ landscape, frame }: { landscape: Landscape; frame: Frame }) {
  const chosen = useMemo(() => levels(landscape.values), [landscape]);
  const made = useMemo(() => (
    chosen ? bands({ n: landscape.n, x: landscape.u, y: landscape.v, values: landscape.values },
      [-Number.MAX_VALUE, ...chosen.at]) : []
  ), [landscape, chosen]);
  return (
    <g class="path-contours">
      {made.map((band, k) => {
        const share = 62 * (1 - k / made.length) ** 1.4 + 3;
        return (
          <path
            key={k} d={ringPath(band, frame)}
            style={{ fill: `color-mix(in oklab, var(--accent) ${share.toFixed(1)}%, var(--surface))` }}
          />
        );
      })}
    </g>
  );
}

export function PathPanel() {
  const svg = useRef<SVGSVGElement>(null);
  const [view, setView] = useState<"whole" | "near">("whole");
  const id = run.value;
  const { data: path, error, busy } = useLatest(
    () => (id ? source.value.path(id) : null), [version.value],
  );
  // A run that is still written gets a new landscape when it has grown by half.
  const age = info.value?.status === "running" ? Math.floor(2 * Math.log2(1 + (info.value.count ?? 0))) : "ended";
  const { data: landscape, error: reason } = useLatest(
    () => (id && path ? source.value.landscape(id, 48) : null), [age, path !== null, path?.kind],
  );
  const k = path?.count ? indexAt(path.steps, step.value) : 0;
  const moved = path?.count ? motion(path, k, bounds.value.stride) : null;
  const domain = useMemo(
    () => (path?.count ? ranges(path, landscape, view === "near" ? k : null) : null),
    [path, landscape, view === "near" ? k : view],
  );
  const isPlane = path?.kind === "pca";
  const shares = path?.explained ?? [];
  const status = !path?.count ? "" : isPlane
    ? `principal components: ${short(100 * ((shares[0] ?? 0) + (shares[1] ?? 0)), 3)} % of the path's variance`
    : "two parameters, exact";
  const axis = (c: number) => {
    const name = path?.axes[c] ?? "";
    return isPlane && shares[c] !== undefined ? `${name} (${short(100 * shares[c], 3)} %)` : name;
  };
  const last = path ? path.count - 1 : 0;
  const isOut = path !== null && domain !== null && path.count > 0 && [
    [path.u[k], domain.u], [path.v[k], domain.v],
  ].some(([at, range]) => !((at as number) >= (range as number[])[0] && (at as number) <= (range as number[])[1]));

  const note = [
    path && path.header.of > path.count
      ? `The line joins ${path.count} of ${path.header.of} steps.` : null,
    isOut ? "The point at the cursor lies outside of this picture." : null, landscape?.note, reason && path?.count ? `No contour: ${reason}` : null,
    typeof path?.header.note === "string" ? path.header.note : null,
  ].filter(Boolean).join(" ");

  return (
    <Panel
      id="path" title="Parameter path" help={HELP} status={status} busy={busy} note={note || undefined}
      empty={!path?.count && !busy ? <p>{error ?? "There is no path yet."}</p> : undefined}
      picture={() => svg.current}
      table={path?.count ? () => ({
        columns: ["step", path.axes[0], path.axes[1], `gradient ${path.axes[0]}`, `gradient ${path.axes[1]}`],
        rows: Array.from(path.steps, (at, j) => [at, path.u[j], path.v[j], path.gu[j], path.gv[j]]),
      }) : undefined}
      actions={(
        <Pick
          label="Part of the path" options={[["whole", "Whole path"], ["near", "Near the cursor"]] as const}
          value={view} choose={setView}
        />
      )}
    >
      <div class="path">
        {path && path.count > 0 && domain && (
          <>
            <Plane
              label={`Path of ${path.axes.join(" and ")}, ${path.count} points`}
              svg={svg} minHeight={340} x={domain.u} y={domain.v}
              xTitle={axis(0)} yTitle={axis(1)}
              points={{
                x: path.u, y: path.v, pick: (j) => moveTo(path.steps[j], true), from: k,
                moved: (j) => moveTo(path.steps[j]),
                tell: (j) => {
                  const one = motion(path, j, bounds.value.stride);
                  return {
                    title: `Step ${path.steps[j]}`,
                    lines: [
                      [path.axes[0], exact(path.u[j])], [path.axes[1], exact(path.v[j])],
                      ["gradient's length", exact(one.gradient)], ["step's length", exact(one.step)],
                    ],
                  };
                },
              }}
            >
              {(frame) => {
                const { x, y } = frame;
                const place = (j: number) => `translate(${x(path.u[j]).toFixed(1)} ${y(path.v[j]).toFixed(1)})`;
                const before = [path.u.subarray(0, k + 1), path.v.subarray(0, k + 1)];
                return (
                  <>
                    {landscape && <Contours landscape={landscape} frame={frame} />}
                    <path class="path-rest" d={polyline(path.u, path.v, x, y)} />
                    <path class="path-halo" d={polyline(before[0], before[1], x, y)} />
                    <path class="path-way" d={polyline(before[0], before[1], x, y)} />
                    {path.count <= 400 && (
                      <path
                        class="path-dots"
                        d={Array.from(path.u, (_, j) => `M${x(path.u[j]).toFixed(1)} ${y(path.v[j]).toFixed(1)}h0`)
                          .filter((one) => !one.includes("N")).join("")}
                      />
                    )}
                    <Arrows path={path} k={k} frame={frame} />
                    {Number.isFinite(path.u[0] + path.v[0]) && (
                      <g transform={place(0)} class="path-end">
                        <circle r="5" /><text x="9" y="4">start</text>
                      </g>
                    )}
                    {last > 0 && Number.isFinite(path.u[last] + path.v[last]) && (
                      <g transform={place(last)} class="path-end">
                        <rect x="-4.5" y="-4.5" width="9" height="9" /><text x="9" y="4">end</text>
                      </g>
                    )}
                    {Number.isFinite(path.u[k] + path.v[k]) && (
                      <g transform={place(k)} class="path-cursor"><circle r="6.5" /></g>
                    )}
                  </>
                );
              }}
            </Plane>
            {moved && (
              <dl class="readings" aria-label="At the cursor">
                <div><dt>step</dt><dd>{path.steps[k]}</dd></div>
                <div><dt><i class="key is-down" />gradient's length</dt><dd title={exact(moved.gradient)}>{Number.isNaN(moved.gradient) ? "not stored" : short(moved.gradient)}</dd></div>
                <div><dt><i class="key is-step" />step's length</dt><dd title={exact(moved.step)}>{Number.isNaN(moved.step) ? "–" : short(moved.step)}</dd></div>
                <div><dt>step / gradient</dt><dd>{Number.isNaN(moved.step) ? "–" : short(moved.step / moved.gradient)}</dd></div>
                <div>
                  <dt>angle to the way down</dt>
                  <dd>{Number.isFinite(moved.cosine)
                    ? `${((Math.acos(Math.max(-1, Math.min(1, moved.cosine))) * 180) / Math.PI).toFixed(1)}°` : "–"}</dd>
                </div>
              </dl>
            )}
          </>
        )}
      </div>
    </Panel>
  );
}
