// The one cursor that every panel follows: run, step, playing, speed, selection, zoomed steps.
import { batch, computed, effect, signal } from "@preact/signals";

export const run = signal<string | null>(null);
/** First and last step that the record holds, and how far apart its rows are. */
export const bounds = signal<{ first: number; last: number; stride: number }>({
  first: 0, last: 0, stride: 1,
});
export const step = signal(0);
/** Which cost the panels are about, of a run whose steps descend several. */
export const cost = signal(0);
export const playing = signal(false);
/** Steps a second while playing. */
export const speed = signal(10);
/** The cursor stays at the last step while the run goes on. */
export const following = signal(true);
/** What is picked out of the graph and of the arrays. */
export const selection = signal<{ node: number | null; side: 0 | 1; tag: string | null }>({
  node: null, side: 0, tag: null,
});
/** Steps that the charts are zoomed to; null shows all. */
export const span = signal<[number, number] | null>(null);
/** What a screen reader is told when something outside its focus has changed. */
export const spoken = signal("");

export const atEnd = computed(() => step.value >= bounds.value.last);

function clamp(value: number): number {
  const { first, last } = bounds.peek();
  return Math.min(last, Math.max(first, value));
}

/** Put the cursor on a step; at the last one of a live run it goes along. */
export function moveTo(target: number, say = false): void {
  const { first, stride } = bounds.peek();
  const onRow = first + Math.round((target - first) / stride) * stride;
  batch(() => {
    step.value = clamp(onRow);
    following.value = step.value >= bounds.peek().last;
    if (say) spoken.value = `Step ${step.value}`;
  });
}

export function moveBy(rows: number): void {
  moveTo(step.peek() + rows * bounds.peek().stride);
}

/** Take in that the record has grown (or that another run was opened). */
export function setBounds(first: number, last: number, stride = 1): void {
  batch(() => {
    bounds.value = { first, last, stride };
    step.value = following.peek() ? last : clamp(step.peek());
  });
}

export function select(change: Partial<typeof selection.value>): void {
  selection.value = { ...selection.peek(), ...change };
}

export const SPEEDS = [1, 2, 5, 10, 30, 100, 300, 1000, 3000, 10_000, 100_000];

/** The speed at which a whole run plays in at most a quarter of a minute. */
export function fittingSpeed(steps: number): number {
  return SPEEDS.find((candidate) => steps / candidate <= 15) ?? SPEEDS[SPEEDS.length - 1];
}

/** Move the cursor on while `playing`; returns what stops it. */
export function startPlayer(isCalm: () => boolean): () => void {
  let frame = 0, before = 0, at = 0;
  const tick = (now: number) => {
    if (!playing.peek()) return;
    at += ((now - before) / 1000) * speed.peek() * bounds.peek().stride;
    before = now;
    // A reader who asked for less motion sees four pictures a second.
    if (!isCalm() || Math.floor(now / 250) !== Math.floor((now - 17) / 250)) {
      const { last } = bounds.peek();
      if (at >= last) {
        moveTo(last);
        playing.value = false;
        return;
      }
      if (Math.abs(step.peek() - at) > speed.peek() + 2) at = step.peek();
      moveTo(at);
    }
    frame = requestAnimationFrame(tick);
  };
  const stop = effect(() => {
    cancelAnimationFrame(frame);
    if (!playing.value) return;
    if (step.peek() >= bounds.peek().last) moveTo(bounds.peek().first);
    at = step.peek();
    before = performance.now();
    frame = requestAnimationFrame(tick);
  });
  return () => {
    cancelAnimationFrame(frame);
    stop();
  };
}

/** Keep `#run=…&step=…&node=…` in the address and the cursor the same; returns what stops it. */
export function linkToAddress(open: (id: string) => void): () => void {
  let timer = 0;
  let known = location.hash; // as it was read or written last
  const read = (event?: HashChangeEvent) => {
    clearTimeout(timer);
    known = event ? new URL(event.newURL).hash : location.hash;
    const query = new URLSearchParams(known.slice(1));
    const id = query.get("run");
    const isOther = id !== null && id !== run.peek();
    if (isOther) open(id);
    const at = query.get("step");
    if (at !== null && Number.isFinite(Number(at))) {
      if (!isOther) moveTo(Number(at));
      // Where the run's steps end is known only when it is open.
      following.value = false;
      step.value = Number(at);
    }
    const node = query.get("node");
    if (node !== null && Number.isInteger(Number(node))) select({ node: Number(node) });
  };
  read();
  const stop = effect(() => {
    const query = new URLSearchParams();
    if (run.value) query.set("run", run.value);
    if (!following.value) query.set("step", String(step.value));
    if (selection.value.node !== null) query.set("node", String(selection.value.node));
    clearTimeout(timer);
    // Browsers refuse more than a few hundred changes of the address in half a minute.
    timer = window.setTimeout(() => {
      const text = `#${query}`;
      // A link that was just followed, and is not read yet, is not written over.
      if (location.hash !== known || text === known || !run.peek()) return;
      history.replaceState(null, "", text);
      known = location.hash;
    }, 250);
  });
  addEventListener("hashchange", read);
  return () => {
    removeEventListener("hashchange", read);
    clearTimeout(timer);
    stop();
  };
}
