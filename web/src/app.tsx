// The page as a whole: header, facts, panels in their grid, the bar of the cursor.
import { useEffect } from "preact/hooks";
import { stepKeys } from "./chart";
import { linkToAddress, moveTo, playing, run, spoken, startPlayer } from "./cursor";
import { capital, fileName } from "./format";
import { Header } from "./header";
import { events, info, open, problem, runs, source as asked, start, useLatest, version } from "./model";
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
import { useSlow } from "./series";
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

function Place({ file, line }: { file?: string | null; line?: number | null }) {
  return file ? <> at <code title={file}>{fileName(file)}:{line}</code></> : null;
}

/** What is worst about the run, and the way to it. */
function Lead() {
  const slow = useSlow(version.value, 10_000);
  const { data } = useLatest(
    () => (run.value ? asked.value.diagnosis(run.value) : null), [slow, info.value?.status]);
  const first = events.value.find((event) => event.kind === "nonfinite" && event.step !== null);
  const worst = data?.find((one: any) => one.kind !== "not finite");
  if (!first && !worst) return null;
  return (
    <div class={`banner ${first ? "" : "banner-mild"}`} role="status">
      <p>
        {first && (
          <>First non-finite value: step <b>{first.step}</b>, op <b>{first.data.op}</b><Place {...first.data} />. </>
        )}
        {worst && <>{first ? "Likely why: " : ""}<b>{first ? worst.kind : capital(worst.kind)}</b><Place {...worst} />. {worst.remedy}</>}
      </p>
      <button
        type="button" class="button"
        onClick={() => {
          if (first) moveTo(first.step!, true);
          document.querySelector("#panel-alarms")?.scrollIntoView({ block: "center" });
        }}
      >
        {first ? `Go to step ${first.step}` : "Show it"}
      </button>
    </div>
  );
}

export function App({ source, root, alone }: { source: Source; root: HTMLElement; alone: boolean }) {
  useEffect(() => {
    const heard: EventTarget = alone ? document : root;
    heard.addEventListener("keydown", keys as EventListener);
    const stops = [
      paint(alone ? document.documentElement : root),
      startPlayer(isCalm),
      start(source),
      // In a frame without an address of its own, as in a notebook, there is none to keep.
      alone && location.protocol !== "about:" ? linkToAddress((id) => void open(id)) : () => undefined,
      () => heard.removeEventListener("keydown", keys as EventListener),
    ];
    return () => stops.forEach((stop) => stop());
  }, [source]);

  useEffect(() => {
    if (alone) document.title = info.value ? `${info.value.name} · gradtape` : "gradtape";
  }, [info.value?.name]);

  return (
    <div class="app">
      <a class="skip" href="#gt-scrubber">Skip to the time cursor</a>
      <Header alone={alone} />
      {problem.value && info.value && (
        <div class="banner" role="alert"><p>{problem.value} What it last said is shown.</p></div>
      )}
      <Lead />
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
