// The bar that moves the cursor: play, single steps, speed, a slider, and a step typed exactly.
import { useEffect, useRef } from "preact/hooks";
import {
  SPEEDS, atEnd, bounds, following, moveBy, moveTo, playing, speed, step,
} from "./cursor";
import { count } from "./format";
import { Icon } from "./icon";
import { events, info } from "./model";

function Button({ name, label, act, pressed }: {
  name: string; label: string; act: () => void; pressed?: boolean;
}) {
  return (
    <button
      type="button" class="icon-button" aria-label={label} title={label} aria-pressed={pressed}
      onClick={act}
    ><Icon name={name} /></button>
  );
}

export function Transport() {
  const { first, last, stride } = bounds.value;
  const entry = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (entry.current && document.activeElement !== entry.current) {
      entry.current.value = String(step.value);
    }
  }, [step.value]);
  const live = info.value?.status === "running";
  const typed = () => {
    const value = Number(entry.current!.value);
    if (entry.current!.value.trim() !== "" && Number.isFinite(value)) moveTo(value, true);
    entry.current!.value = String(step.peek());
  };
  return (
    <div class="transport" role="region" aria-label="Time cursor">
      <div class="transport-buttons">
        <Button name="first" label="First step (Home)" act={() => moveTo(first, true)} />
        <Button name="back" label="One step back (Left)" act={() => moveBy(-1)} />
        <button
          type="button" class="play-button" aria-label={playing.value ? "Pause" : "Play"}
          title={`${playing.value ? "Pause" : "Play"} (Space)`}
          onClick={() => {
            playing.value = !playing.value;
          }}
        ><Icon name={playing.value ? "pause" : "play"} /></button>
        <Button name="next" label="One step forward (Right)" act={() => moveBy(1)} />
        <Button name="last" label="Last step (End)" act={() => moveTo(last, true)} />
      </div>
      <div class="transport-slider">
        <Ticks />
        <input
          type="range" id="gt-scrubber" aria-label="Step" min={first} max={last} step={stride}
          value={step.value} aria-valuetext={`Step ${step.value} of ${last}`}
          onInput={(event) => moveTo(Number(event.currentTarget.value))}
        />
      </div>
      <label class="transport-entry">
        <span>Step</span>
        <input
          ref={entry} type="text" inputMode="numeric" size={Math.max(3, String(last).length)}
          autocomplete="off" spellcheck={false} onChange={typed}
          onKeyDown={(event) => {
            if (event.key === "Enter") typed();
          }}
        />
        <span class="number">of {count(last)}</span>
      </label>
      <label class="transport-speed">
        <span class="hidden-on-phones">Speed</span>
        <select
          aria-label="Steps a second while playing" value={speed.value}
          onChange={(event) => {
            speed.value = Number(event.currentTarget.value);
          }}
        >
          {SPEEDS.map((one) => <option key={one} value={one}>{count(one)}/s</option>)}
        </select>
      </label>
      {live && (
        <button
          type="button" class="live-button" aria-pressed={following.value && atEnd.value}
          title="Stay at the newest step" onClick={() => moveTo(last, true)}
        >Live</button>
      )}
    </div>
  );
}

/** Small marks above the slider at the steps with an alarm. */
function Ticks() {
  const { first, last } = bounds.value;
  const steps = new Set<number>();
  for (const event of events.value) {
    if (event.step !== null && ["nonfinite", "exception", "none"].includes(event.kind)) {
      steps.add(event.step);
    }
  }
  if (!steps.size || last <= first) return null;
  const shown = [...steps].slice(0, 200);
  return (
    <svg class="ticks" viewBox="0 0 1000 6" preserveAspectRatio="none" aria-hidden="true">
      {shown.map((at) => (
        <rect key={at} x={(1000 * (at - first)) / (last - first) - 1} y="0" width="3" height="6" />
      ))}
    </svg>
  );
}
