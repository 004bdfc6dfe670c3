// Fit: the data and what the model makes of it at the cursor, with ghosts of earlier steps.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { bounds, cost, run, step } from "../cursor";
import { counted, statistics } from "../draw/numbers";
import { Pick } from "../draw/pick";
import { extent } from "../draw/scale";
import { short } from "../format";
import { info, source, useLatest, version } from "../model";
import { Panel } from "../panel";
import type { Fit } from "../types";
import { PredictedTrue, Residuals } from "./fit-compare";
import { byX, FitCurve, ghostSteps, RESIDUALS, residualTable } from "./fit-curve";
import { classified, classTable } from "./fit-classes";
import { ClassLegend, Confusion, FitRegions } from "./fit-regions";
import "./fit.css";

const HELP = (
  <>
    <p>
      Points are the data that entered the tape; the line is the model at the cursor, computed by
      replaying the recorded operations. Paler lines are earlier steps, thin vertical ones residuals.
    </p>
    <p>
      With several inputs the line is a slice: one input varies, the others are held. A classifier of
      two inputs is shaded by its answer; the line is where it is undecided.
    </p>
    <p>Arrow keys read the points one by one.</p>
  </>
);

type View = "model" | "true" | "residuals" | "classes";

/** Curves of earlier steps, loaded once each, one after the other. */
function useGhosts(steps: number[], choice: Record<string, unknown>, wanted: boolean): Fit[] {
  const key = `${run.value} ${cost.value} ${JSON.stringify(choice)}`;
  const kept = useRef<{ key: string; found: Map<number, Fit | null> }>({ key: "", found: new Map() });
  if (kept.current.key !== key) kept.current = { key, found: new Map() };
  const { found } = kept.current;
  const [, again] = useState(0);
  const missing = wanted ? steps.find((one) => !found.has(one)) : undefined;
  useEffect(() => {
    const id = run.value;
    if (missing === undefined || id === null) return;
    let gone = false;
    source.value.fit(id, missing, choice).then(
      (fit) => found.set(missing, fit), () => found.set(missing, null),
    ).finally(() => !gone && again((n) => n + 1));
    return () => {
      gone = true;
    };
  }, [missing, key]);
  return steps.map((one) => found.get(one)).filter((fit): fit is Fit => !!fit && fit.grid > 0);
}

/** Which input varies and at which values the others are held. */
function SliceChooser({ fit, choice, choose }: {
  fit: Fit; choice: Record<string, number>; choose: (choice: Record<string, number>) => void;
}) {
  const slice = Number(fit.header.slice ?? choice.slice ?? 0);
  const held: number[] = fit.header.at ?? fit.header.held ?? [];
  return (
    <div class="fit-slice">
      <label>
        along{" "}
        <select
          value={slice}
          onChange={(event) => choose({ ...choice, slice: Number(event.currentTarget.value) })}
        >
          {fit.inputs.map((name, k) => <option key={name} value={k}>{name}</option>)}
        </select>
      </label>
      {fit.inputs.slice(0, 12).map((name, k) => k !== slice && held[k] !== undefined && (
        <label key={name}>
          {name} ={" "}
          {!source.value.live ? short(held[k], 6) : <input
            type="number" step="any" value={short(held[k], 6).replace("\u2212", "-")}
            onChange={(event) => {
              const value = event.currentTarget.valueAsNumber;
              if (Number.isFinite(value)) choose({ ...choice, [`x${k}`]: value });
            }}
          />}
        </label>
      ))}
    </div>
  );
}

export function FitPanel() {
  const svg = useRef<SVGSVGElement>(null);
  const [view, setView] = useState<View>("model");
  const [ghosted, setGhosted] = useState(true);
  const [lined, setLined] = useState(true);
  const [choice, choose] = useState<Record<string, number>>({});
  const id = run.value;
  useEffect(() => choose({}), [id]);

  const { data: fit, error, busy } = useLatest(
    () => (id ? source.value.fit(id, step.value, choice) : null), [step.value, version.value, choice],
  );
  const classes = useMemo(() => (fit?.kind === "classes" ? classified(fit) : null), [fit]);
  // Of a classifier of more inputs than two no picture shows where it decides.
  const isPlane = !classes || fit!.inputs.length < 3;
  const { data: regions, error: unshaded } = useLatest(
    () => (id && classes && isPlane && view === "model" ? source.value.regions(id, step.value, 56) : null),
    [step.value, version.value, fit?.kind, view],
  );
  const { first, last, stride } = bounds.value;
  const isCurve = fit !== null && fit.kind !== "classes";
  // While a run grows, its ghosts stay where they are until it has doubled.
  const reach = info.value?.status === "running" ? 2 ** Math.floor(Math.log2(Math.max(1, last - first))) : last - first;
  const all = useMemo(() => ghostSteps(first, first + reach, stride), [first, reach, stride]);
  const ghosts = useGhosts(all, choice, ghosted && isCurve && view === "model")
    .filter((one) => one.step < step.value);
  const range = useMemo(() => (fit ? extent(fit.y) : null), [fit?.count, id, choice]);

  let status = "", note = "";
  if (fit) {
    const off = statistics(Float64Array.from(fit.y, (value, k) => value - fit.prediction[k]));
    if (classes) {
      const right = Array.from(classes.label).filter((label, k) => classes.decide(classes.prediction[k]) === label);
      status = `${counted(right.length, "point")} of ${fit.count} right`;
    } else if (off.finite) {
      status = `residuals: root mean square ${short(off.norm / Math.sqrt(off.finite))}`;
    } else status = "no finite prediction at this step";
    if (fit.step !== step.value) status += `, of step ${fit.step}`;
    if (error) note += `${error} `;
    if (classes && isPlane && unshaded) note += `${unshaded} `;
    const of = Number(fit.header.of ?? fit.count);
    if (of > fit.count) note += `${fit.count} of ${of} points are drawn. `;
    if (view === "model" && isCurve && lined && fit.count > RESIDUALS) {
      note += `Residuals are drawn of up to ${RESIDUALS} points. `;
    }
    if (view === "model" && isCurve && fit.grid && range) {
      const [low, high] = range;
      const room = (high - low) * 0.09 || 1;
      const inside = fit.curveY.some((value) => value >= low - room && value <= high + room);
      if (!inside) {
        const reach = extent(fit.curveY);
        note += reach
          ? `The curve lies outside of the picture, from ${short(reach[0])} to ${short(reach[1])}. `
          : "The curve has no finite value at this step. ";
      }
    }
    if (isCurve && fit.grid && !fit.exact) {
      note += "The line joins predictions; the model could not be replayed between them. ";
    }
    if (typeof fit.header.note === "string") note += fit.header.note;
  }

  const views: [View, string][] = [
    ...(isPlane ? [["model", classes ? "Regions" : fit && fit.inputs.length > 1 ? "Slice" : "Curve"] as [View, string]] : []),
    ...(classes ? [["classes", "Right and wrong"] as [View, string]]
      : [["true", "Predicted / true"], ["residuals", "Residuals"]] as [View, string][]),
  ];
  const shown = views.some(([one]) => one === view) ? view : views[0][0];

  return (
    <Panel
      id="fit" title="Fit" help={HELP} busy={busy} status={status} note={note || undefined}
      empty={!fit && !busy ? <p>{error ?? "There is nothing to draw yet."}</p> : undefined}
      picture={shown === "classes" ? undefined : () => svg.current}
      table={fit ? () => (classes ? classTable(classes) : residualTable(fit, byX(fit.x))) : undefined}
      actions={(
        <>
          {isCurve && shown === "model" && (
            <>
              <label class="check">
                <input type="checkbox" checked={ghosted} onChange={() => setGhosted(!ghosted)} /> earlier steps
              </label>
              <label class="check">
                <input type="checkbox" checked={lined} onChange={() => setLined(!lined)} /> residuals
              </label>
            </>
          )}
          {views.length > 1 && <Pick label="View of the fit" options={views} value={shown} choose={setView} />}
        </>
      )}
    >
      <div class="fit">
        {fit && isCurve && fit.inputs.length > 1 && shown === "model" && (
          <SliceChooser fit={fit} choice={choice} choose={choose} />
        )}
        {fit && (
          classes && shown === "model" ? (
            <>
              <FitRegions data={classes} regions={regions} svg={svg} />
              <ClassLegend data={classes} />
            </>
          ) : classes ? (
            <Confusion data={classes} />
          ) : shown === "true" ? (
            <PredictedTrue fit={fit} svg={svg} />
          ) : shown === "residuals" ? (
            <Residuals fit={fit} svg={svg} />
          ) : (
            <FitCurve
              fit={fit} ghosts={ghosts} range={range} residuals={lined} svg={svg}
            />
          )
        )}
      </div>
    </Panel>
  );
}
