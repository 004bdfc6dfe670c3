// The top of the page: name, state and facts of the run, the list of runs, the choice of theme.
import { cost, run } from "./cursor";
import { bytes, count, duration, exact, short } from "./format";
import { Icon } from "./icon";
import { info, pace, row, runs } from "./model";
import { RunList } from "./runlist";
import { STATES } from "./states";
import { choice, choose, type Choice } from "./theme";
import type { RunInfo } from "./types";

function State({ of }: { of: RunInfo }) {
  const [word, tone] = STATES[of.status] ?? [of.status, "warning"];
  const where = of.status !== "finished" && of.status !== "running" && of.last !== null
    ? ` at step ${count(of.last)}` : "";
  return <span class={`pill pill-${tone}`} role="status">{word}{where}</span>;
}

function Fact({ name, children, title }: { name: string; children: any; title?: string }) {
  return (
    <div class="fact" title={title}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Facts({ of }: { of: RunInfo }) {
  const several = of.costs.length > 1;
  const here = row.value?.values.get(of.costs[cost.value]?.column ?? "cost");
  const seconds = row.value?.values.get("seconds");
  const { overhead } = of.meta;
  const total = (Date.parse(of.meta.ended) - Date.parse(of.meta.created)) / 1000;
  return (
    <dl class="facts">
      <Fact name="Steps">{count(of.count)}</Fact>
      {several && (
        <Fact name="Which cost">
          <select
            aria-label="Which cost" value={cost.value}
            onChange={(event) => (cost.value = Number(event.currentTarget.value))}
          >
            {of.costs.map((one) => <option key={one.number} value={one.number}>{one.name}</option>)}
          </select>
        </Fact>
      )}
      <Fact name="Cost here" title={exact(here)}>{short(here, 6)}</Fact>
      {!cost.value && <Fact name="Lowest cost" title={exact(of.best)}>{short(of.best, 6)}</Fact>}
      <Fact name="Time of this step">{duration(seconds)}</Fact>
      {pace.value !== null && <Fact name="Speed">{pace.value < 1000 ? short(pace.value, 3) : count(Number(pace.value.toPrecision(3)))} steps/s</Fact>}
      {overhead && (
        <Fact name="Recording took" title="Time of the training thread, and size of the record">
          {duration(overhead.seconds)}{total > 0 && ` (${short((100 * overhead.seconds) / total, 2)} %)`}
          , {bytes(overhead.bytes)}
        </Fact>
      )}
      {of.left_out && <Fact name="Not in this file">{of.left_out.join("; ")}</Fact>}
      {of.lost && <Fact name="Lost">{of.lost}</Fact>}
    </dl>
  );
}

function Theme() {
  const options: [Choice, string, string][] = [
    ["system", "system", "As the system"], ["light", "sun", "Light"], ["dark", "moon", "Dark"],
  ];
  return (
    <div class="segmented" role="group" aria-label="Theme">
      {options.map(([value, icon, label]) => (
        <button
          key={value} type="button" aria-pressed={choice.value === value} aria-label={label}
          title={label} onClick={() => choose(value)}
        ><Icon name={icon} /></button>
      ))}
    </div>
  );
}

export function Header({ alone }: { alone: boolean }) {
  const of = info.value;
  const Title = alone ? "h1" : "h2";
  return (
    <header class="top">
      <div class="brand" aria-hidden="true">
        <svg viewBox="0 0 24 24" width="24" height="24">
          <path d="M2.5 4.5c2.2 9 5 13 9.5 13 3.5 0 5-1.500 9.500-1.500" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" />
          <circle cx="12" cy="17.500" r="2.600" fill="currentColor" />
        </svg>
        <span>gradtape</span>
      </div>
      <div class="run-name">
        <Title>{of?.name ?? (run.value ? "Opening…" : "Recorded runs")}</Title>
        {of && <State of={of} />}
        {runs.value.length > 1 && <RunList />}
      </div>
      {of && <Facts of={of} />}
      {alone && <Theme />}
    </header>
  );
}
