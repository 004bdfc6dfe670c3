// The page as a whole: header, facts, panels in their grid, the bar of the cursor.
import { useEffect } from "preact/hooks";
import { stepKeys } from "./chart";
import { linkToAddress, moveTo, playing, run, spoken, startPlayer } from "./cursor";
import { fileName } from "./format";
import { Header } from "./header";
import { events, info, open, problem, runs, start } from "./model";
import { Slot } from "./panel";
import { AlarmsPanel } from "./panels/alarms";
import { ComparePanel } from "./panels/compare";
import { CostPanel } from "./panels/cost";
import { FitPanel } from "./panels/fit";
import { FlowPanel } from "./panels/flow";
import { InspectorPanel } from "./panels/inspector";
import { PathPanel } from "./panels/path";
import { TablePanel } from "./panels/table";
import { TapePanel } from "./panels/tape";
import type { Source } from "./source";
import { isCalm, paint } from "./theme";
import { Transport } from "./transport";

function keys(event: KeyboardEvent): void {
  const target = event.target as HTMLElement;
  if (event.defaultPrevented || target.closest("input, select, textarea, [data-own-keys]")) return;
  if (event.key === " " && !target.closest("button, a, summary")) {
    playing.value = !playing.peek();
    event.preventDefault();
  } else stepKeys(event);
}

export function App({ source, root, alone }: { source: Source; root: HTMLElement; alone: boolean }) {
  useEffect(() => {
    const heard: EventTarget = alone ? document : root;
    heard.addEventListener("keydown", keys as EventListener);
    const stops = [
      paint(alone ? document.documentElement : root),
      startPlayer(isCalm),
      start(source),
      alone ? linkToAddress((id) => void open(id)) : () => undefined,
      () => heard.removeEventListener("keydown", keys as EventListener),
    ];
    return () => stops.forEach((stop) => stop());
  }, [source]);

  useEffect(() => {
    if (alone) document.title = info.value ? `${info.value.name} · gradtape` : "gradtape";
  }, [info.value?.name]);

  const first = events.value.find((event) => event.kind === "nonfinite");
  return (
    <div class="app">
      <a class="skip" href="#gt-scrubber">Skip to the time cursor</a>
      <Header alone={alone} />
      {problem.value && info.value && (
        <div class="banner" role="alert"><p>{problem.value} What it last said is shown.</p></div>
      )}
      {first && first.step !== null && (
        <div class="banner" role="status">
          <p>
            First non-finite value: step <b>{first.step}</b>, op <b>{first.data.op}</b>
            {first.data.file && <> at <code title={first.data.file}>{fileName(first.data.file)}:{first.data.line}</code></>}.
          </p>
          <button type="button" class="button" onClick={() => moveTo(first.step!, true)}>
            Go to step {first.step}
          </button>
        </div>
      )}
      <main>
        {problem.value && !info.value ? (
          <div class="empty empty-page" role="alert">
            <p>{problem.value}</p>
            <pre>gradtape run --record train.py{"\n"}gradtape view runs</pre>
          </div>
        ) : (
          <div class="grid" key={run.value}>
            <Slot name="fit"><FitPanel /></Slot>
            <Slot name="cost"><CostPanel /></Slot>
            <Slot name="path"><PathPanel /></Slot>
            <Slot name="flow"><FlowPanel /></Slot>
            <Slot name="alarms" wide><AlarmsPanel /></Slot>
            <Slot name="tape" wide><TapePanel /></Slot>
            <Slot name="table" wide><TablePanel /></Slot>
            <Slot name="inspector" wide><InspectorPanel /></Slot>
            {runs.value.length > 1 && <Slot name="compare" wide><ComparePanel /></Slot>}
          </div>
        )}
      </main>
      {info.value && info.value.count > 0 && <Transport />}
      <div class="sr-only" role="status" aria-live="polite">{spoken.value}</div>
    </div>
  );
}
