// What is known of the open run: its description, its events, the row at the cursor; and `useLatest`.
import { batch, computed, effect, signal, untracked } from "@preact/signals";
import { createContext } from "preact";
import { useContext, useEffect, useRef, useState } from "preact/hooks";
import { bounds, cost, fittingSpeed, following, run, setBounds, speed, span, step } from "./cursor";
import { SILENT } from "./carriers";
import type { Source } from "./source";
import type { RunEntry, RunEvent, RunInfo } from "./types";

export const source = signal<Source>(null as unknown as Source);
export const runs = signal<RunEntry[]>([]);
export const info = signal<RunInfo | null>(null);
export const events = signal<RunEvent[]>([]);
/** Why nothing can be shown. */
export const problem = signal<string | null>(null);
/** Changes at each commit of the open run. */
export const version = computed(() => info.value?.version ?? 0);
/** Every number of the record at the cursor, under its column's name. */
export const row = signal<{ step: number; values: Map<string, number> } | null>(null);

/** Steps a second: of a run that is written as they come in, else by the time that a step took. */
export const pace = signal<number | null>(null);
let mark = { run: "", time: 0, count: 0 };

async function measure({ id, count, status, columns: held }: RunInfo): Promise<void> {
  const time = performance.now();
  if (mark.run !== id) {
    mark = { run: id, time, count };
    pace.value = null;
  } else if (status === "running" && time - mark.time > 900) {
    pace.value = (1000 * (count - mark.count)) / (time - mark.time);
    mark = { run: id, time, count };
  }
  if (status === "running" || !held.some((one) => one.name === "seconds")) return;
  const [{ values }] = await source.peek().series(id, ["seconds"], { px: 100 });
  const sorted = values.filter((value) => value > 0).sort();
  if (run.peek() === id && sorted.length) pace.value = 1 / sorted[sorted.length >> 1];
}

/** Names of the columns whose name is `prefix` and something. */
export function columns(prefix: string): string[] {
  return (info.value?.columns ?? []).map((one) => one.name).filter((one) => one.startsWith(prefix));
}

/** Why a run holds neither operations nor arrays. */
export function keptNone(): string {
  return info.value?.meta.level === "scalars" ? "The level “scalars” keeps none."
    : "No gradient was asked of a tape.";
}

function said(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function refresh(id: string): Promise<void> {
  const fresh = await source.peek().run(id);
  if (run.peek() !== id) return;
  const known = events.peek();
  const after = known.length ? known[known.length - 1].id : 0;
  const more = await source.peek().events(id, after);
  if (run.peek() !== id) return;
  batch(() => {
    info.value = fresh;
    void measure(fresh).catch(() => undefined);
    if (more.length) events.value = after ? [...known, ...more] : more;
    if (fresh.last !== null) {
      const every = Number(fresh.meta.every ?? 1);
      const whole = fresh.count > 1 ? (fresh.last - (fresh.first ?? 0)) / (fresh.count - 1) : 1;
      setBounds(fresh.first ?? 0, fresh.last, every > 1 && whole >= every ? every : 1);
    }
    problem.value = null;
  });
}

/** Open a run; panels fill themselves from then on. */
export async function open(id: string): Promise<void> {
  batch(() => {
    if (run.peek() !== null && run.peek() !== id) following.value = true;
    run.value = id;
    info.value = null;
    row.value = null;
    cost.value = 0;
    events.value = [];
    span.value = null;
  });
  try {
    await refresh(id);
    speed.value = fittingSpeed(info.peek()?.count ?? 0);
  } catch (error) {
    if (run.peek() === id) problem.value = said(error);
  }
}

/** Load the list, open the run of the address or the newest one, follow what is still written. */
export function start(from: Source): () => void {
  source.value = from;
  let busy = false, missed = false, timer = 0;
  const update = async () => {
    if (busy) {
      missed = true;
      return;
    }
    busy = true;
    const id = run.peek();
    try {
      if (id) await refresh(id);
    } catch {
      // what is shown stays until the viewer answers again
    }
    // At most four pictures a second: a record may be written hundreds of times.
    timer = window.setTimeout(() => {
      busy = false;
      if (missed) {
        missed = false;
        void update();
      }
    }, 250);
  };
  const list = async () => {
    try {
      runs.value = await from.runs();
      if (run.peek() === null && runs.peek().length) await open(runs.peek()[0].id);
      else if (!runs.peek().length) problem.value = "There is no run here yet.";
    } catch (error) {
      problem.value = said(error);
    }
  };
  void list();
  // Lowest costs of runs that go on: now and then, for a folder may hold many runs.
  let listed = 0;
  const listAgain = () => {
    if (listed) return;
    listed = window.setTimeout(() => {
      listed = 0;
      void list();
    }, Math.max(2000, 40 * runs.peek().length));
  };
  const stopWatching = from.watch((change) => {
    problem.value = change ? null : SILENT;
    if (!change) return;
    const known = runs.peek().find((one) => one.id === change.run);
    if (!known) void list();
    else if (known.status !== change.status || known.steps !== change.last) {
      runs.value = runs.peek().map((one) => (
        one.id === change.run
          ? { ...one, status: change.status, steps: (change.last ?? -1) + 1 || one.steps } : one));
    }
    listAgain();
    if (change.run === run.peek() && change.version !== version.peek()) void update();
  });
  const stopRow = effect(() => {
    const id = run.value, at = step.value;
    void [version.value, bounds.value.last];
    if (id && info.value?.count) untracked(() => askRow(id, at));
  });
  return () => {
    clearTimeout(timer);
    clearTimeout(listed);
    stopWatching();
    stopRow();
  };
}

let rowBusy = false;
let rowNext: [string, number] | null = null;

function askRow(id: string, at: number): void {
  if (rowBusy) {
    rowNext = [id, at];
    return;
  }
  rowBusy = true;
  source.peek().row(id, at).then(
    (answer) => {
      if (run.peek() === id) row.value = answer;
    },
    () => undefined,
  ).finally(() => {
    rowBusy = false;
    if (rowNext) {
      const [nextId, nextAt] = rowNext;
      rowNext = null;
      askRow(nextId, nextAt);
    }
  });
}

/** Whether the panel that asks is on the screen: what is not seen is not loaded. */
export const Seen = createContext(true);

export interface Latest<T> {
  data: T | null;
  /** Why there is no data, in the record's words. */
  error: string | null;
  busy: boolean;
}

/** The newest answer to a question that changes: one request at a time, the last one asked wins,
 * what was shown stays until then. `load` is called anew when `deps` change (null: nothing to ask);
 * a change of `key` (the open run, unless given) forgets what was shown. */
export function useLatest<T>(
  load: () => Promise<T> | null, deps: unknown[], key: unknown = `${run.value} ${cost.value}`,
): Latest<T> {
  const seen = useContext(Seen);
  const [state, set] = useState<Latest<T> & { key: unknown }>({
    data: null, error: null, busy: true, key,
  });
  const work = useRef<{ busy: boolean; next: (() => void) | null; key: unknown; gone: boolean }>({
    busy: false, next: null, key, gone: false,
  });
  work.current.key = key;
  useEffect(() => {
    work.current.gone = false;
    return () => {
      work.current.gone = true;
    };
  }, []);
  useEffect(() => {
    if (!seen) return;
    const begin = () => {
      const asked = load();
      if (!asked) {
        set({ data: null, error: null, busy: false, key });
        return;
      }
      work.current.busy = true;
      const settle = (change: Partial<Latest<T>>) => {
        work.current.busy = false;
        if (work.current.gone) return;
        if (work.current.key === key) {
          set((old) => ({
            data: old.key === key ? old.data : null, error: null, busy: false, key, ...change,
          }));
        }
        const { next } = work.current;
        work.current.next = null;
        next?.();
      };
      asked.then((data) => settle({ data }), (error) => settle({ data: null, error: said(error) }));
    };
    if (work.current.busy) work.current.next = begin;
    else begin();
  }, [seen, key, ...deps]);
  return state.key === key ? state : { data: null, error: null, busy: true };
}
