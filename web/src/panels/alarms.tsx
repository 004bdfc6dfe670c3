// Alarms: the first non-finite value with what led to it, gradients that are None, warnings, the end.
import type { ComponentChildren } from "preact";
import { Code } from "../code";
import { moveTo, run, select } from "../cursor";
import { capital, count, exact, fileName, shape } from "../format";
import { Icon } from "../icon";
import { events, info, source, useLatest, version } from "../model";
import { Panel } from "../panel";
import { useSlow } from "../series";
import { number } from "../source";
import type { RunEvent } from "../types";

interface Group {
  event: RunEvent;
  /** How often the same was said, and at which step last. */
  times: number;
  last: number | null;
}

/** Events of a kind, those that say the same at the same line as one. */
function grouped(kind: string): Group[] {
  const groups = new Map<string, Group>();
  for (const event of events.value) {
    if (event.kind !== kind) continue;
    const { message, reason, source: name, file, line, text } = event.data;
    const key = JSON.stringify([message, reason, name, file, line, text]);
    const group = groups.get(key);
    if (group) {
      group.times += 1;
      group.last = event.step;
    } else groups.set(key, { event, times: 1, last: event.step });
  }
  return [...groups.values()];
}

function Step({ at, node }: { at: number | null | undefined; node?: number | null }) {
  if (at === null || at === undefined) return null;
  return (
    <button
      type="button" class="step-link"
      onClick={() => {
        moveTo(at, true);
        if (node !== null && node !== undefined) select({ node });
      }}
    >step {count(at)}</button>
  );
}

function Alarm({ tone, title, at, node, group, children }: {
  tone: "bad" | "warning" | "plain"; title: ComponentChildren; at?: number | null;
  node?: number | null; group?: Group; children?: ComponentChildren;
}) {
  return (
    <li class={`alarm alarm-${tone}`}>
      <div class="alarm-head">
        <h3>{tone !== "plain" && <Icon name="alarm" />}{title}</h3>
        <Step at={at} node={node} />
        {group && group.times > 1 && (
          <span class="muted">{count(group.times)} times, last at <Step at={group.last} /></span>
        )}
      </div>
      <div class="alarm-body">{children}</div>
    </li>
  );
}

function NonFinite({ event, isFirst }: { event: RunEvent; isFirst: boolean }) {
  const { op, what, file, line, node, direction, operands = [], chain = [] } = event.data;
  const way = direction === "backward" ? "in the backward pass" : "in the forward pass";
  return (
    <Alarm
      tone="bad" at={event.step} node={node}
      title={<>{isFirst ? "First non-finite value" : "Non-finite value"}: <code>{op}</code> {way}</>}
    >
      {what && <p class="said">{capital(what)}.</p>}
      {operands.length > 0 && (
        <div class="sideways" tabIndex={0} role="group" aria-label="What went in">
        <table class="plain-table">
          <thead>
            <tr><th scope="col">what went in</th><th scope="col">lowest</th><th scope="col">highest</th><th scope="col">shape</th></tr>
          </thead>
          <tbody>
            {operands.map((one: any, k: number) => (
              <tr key={k}>
                <th scope="row">{one.name ? <code>{one.name}</code> : `operand ${k + 1}`}</th>
                <td>{exact(number(one.min))}</td>
                <td>{exact(number(one.max))}</td>
                <td>{shape(one.shape)}</td>
              </tr>
            ))}
          </tbody>
        </table>
        </div>
      )}
      <Code file={file} line={line} />
      {chain.length > 1 && (
        <p class="chain">
          <span class="muted">What led there:</span>
          {chain.map((one: any, k: number) => (
            <span key={k} class="chain-link" title={one.file ?? undefined}>
              <code>{one.op}</code>{one.line ? ` ${fileName(one.file)}:${one.line}` : ""}
            </span>
          ))}
        </p>
      )}
    </Alarm>
  );
}

export function AlarmsPanel() {
  const slow = useSlow(version.value, 3000);
  const diagnosis = useLatest(
    () => (run.value ? source.peek().diagnosis(run.value) : null), [slow, info.value?.status]);
  const broken = events.value.filter((event) => event.kind === "nonfinite");
  const none = grouped("none");
  const place = ({ file, line }: any) => `${fileName(file)}:${line}`;
  const told = new Set(none.map(({ event }) => place(event.data)));
  // What is said with its reason already is not said again by those who know less.
  const fresh = <T,>(list: T[], data: (one: T) => any) => {
    const kept = list.filter((one) => !told.has(place(data(one))));
    kept.forEach((one) => told.add(place(data(one))));
    return kept;
  };
  const findings = (diagnosis.data ?? []).filter((one: any) => (
    one.kind !== "value left the tape" || !told.has(place(one))));
  const back = fresh(grouped("returned"), ({ event }) => event.data);
  const left = fresh(grouped("exit"), ({ event }) => event.data);
  const warnings = grouped("warning").filter(({ event }) => (
    event.data.category !== "GradientWarning" || !none.length));
  const ends = events.value.filter((event) => event.kind === "exception");
  const notes = events.value.filter((event) => event.kind === "note");
  const lost = events.value.filter((event) => event.kind === "lost");
  const serious = broken.length + ends.length + lost.length;
  const total = serious + none.length + back.length + warnings.length + findings.length;
  return (
    <Panel
      id="alarms" title="Alarms"
      status={info.value && (total ? `${total} to look at` : "nothing to report")}
      help={<p>
        What went wrong and where: the first value that is not finite, the operation that made it,
        what went into it and the line in your file; gradients that are None, with the reason;
        warnings; the exception that ended the run; and what an examination of the run finds.
        A step is a button: it moves the cursor there.
      </p>}
      busy={diagnosis.busy}
      empty={total + notes.length === 0 && (
        <p>
          Every recorded value is finite, every gradient exists, nothing warned.
          {diagnosis.error && ` The run could not be examined: ${diagnosis.error}`}
        </p>
      )}
    >
      <ul class="alarms">
        {ends.map((event) => (
          <Alarm
            key={event.id} tone="bad" at={event.step}
            title={<>The run ended with <code>{event.data.type}</code>: {event.data.message}</>}
          >
            <Code file={event.data.file} line={event.data.line} />
            {event.data.traceback && (
              <details>
                <summary>Traceback</summary>
                <pre class="traceback" tabIndex={0}>{event.data.traceback}</pre>
              </details>
            )}
          </Alarm>
        ))}
        {broken.slice(0, 8).map((event, k) => (
          <NonFinite key={event.id} event={event} isFirst={k === 0} />
        ))}
        {findings.map((one: any, k: number) => (
          <Alarm key={`finding ${k}`} tone="warning" at={one.step} title={capital(one.kind)}>
            <p class="said">{one.fact} {one.cause}</p>
            <p class="said remedy">{one.remedy}</p>
            <Code file={one.file} line={one.line} around={1} />
          </Alarm>
        ))}
        {none.map((group) => (
          <Alarm
            key={group.event.id} tone="warning" at={group.event.step} group={group}
            title={<>
              The gradient of <code>{group.event.data.source.replace(/^value\//, "")}</code> is None
            </>}
          >
            <p class="said">{group.event.data.reason}</p>
            <p class="said remedy">{group.event.data.remedy}</p>
            <Code file={group.event.data.file} line={group.event.data.line} around={1} />
          </Alarm>
        ))}
        {back.map((group) => (
          <Alarm
            key={group.event.id} tone="warning" at={group.event.step} group={group}
            title={<>A value left the tape and came back: <code>{group.event.data.what}</code></>}
          >
            <p class="said">
              {group.event.data.certain ? "Gradients lack" : "Gradients may lack"} what passed through it.
            </p>
            <Code file={group.event.data.file} line={group.event.data.line} around={1} />
          </Alarm>
        ))}
        {warnings.map((group) => (
          <Alarm
            key={group.event.id} tone="warning" at={group.event.step} group={group} title="Warning"
          >
            <p class="said">{group.event.data.message}</p>
            <Code file={group.event.data.file} line={group.event.data.line} around={1} />
          </Alarm>
        ))}
        {lost.map((event) => (
          <Alarm
            key={event.id} tone="bad" at={event.step}
            title={`${count(event.data.count)} writes of the recorder failed`}
          ><p class="said">{event.data.error}</p></Alarm>
        ))}
        {left.map((group) => (
          <Alarm
            key={group.event.id} tone="plain" at={group.event.step} group={group}
            title={<>A value left the tape{group.event.data.what ? `: ${group.event.data.what}` : ""}</>}
          ><Code file={group.event.data.file} line={group.event.data.line} around={0} /></Alarm>
        ))}
        {notes.map((event) => (
          <Alarm key={event.id} tone="plain" at={event.step} title="Note">
            <p class="said">{event.data.text}</p>
          </Alarm>
        ))}
      </ul>
    </Panel>
  );
}
