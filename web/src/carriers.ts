// Where answers come from: a server, the page's own file, or the model of a notebook's widget.
import { type Answer, type Carrier, list, NoAnswer, unlist, unpack } from "./source";
import type { Change } from "./types";
import { reduceExtremes } from "./reduce";

// What takes the server long, by how long readers can do without it.
const LATER = [/^/, /\/(flow|path|verdict)\b/, /\/(landscape|compare|diagnosis)\b/];
const MOST_PATIENCE = 2000;

export const SILENT = "The viewer does not answer. Is `gradtape view` still running?";

/** Answers fetched from `gradtape view`. */
export class ServerCarrier implements Carrier {
  readonly live = true;
  /** How many questions of each rank are open. */
  private readonly open = LATER.map(() => 0);

  async get(address: string): Promise<Answer> {
    const rank = LATER.findLastIndex((one) => one.test(address));
    const limit = performance.now() + MOST_PATIENCE;
    this.open[rank]++;
    try {
      while (this.open.slice(0, rank).some(Boolean) && performance.now() < limit) {
        await new Promise((done) => setTimeout(done, 15));
      }
      return await this.fetch(address);
    } finally {
      this.open[rank]--;
    }
  }

  private async fetch(address: string): Promise<Answer> {
    let response: Response;
    try {
      response = await fetch(address, { credentials: "same-origin" });
    } catch {
      throw new NoAnswer(0, SILENT);
    }
    if (response.status === 204) {
      throw new NoAnswer(204, response.headers.get("X-Reason") ?? "The record does not hold this.");
    }
    const kind = response.headers.get("Content-Type") ?? "";
    if (!response.ok) {
      let reason = `The viewer answered ${response.status}.`;
      if (kind.startsWith("application/json")) {
        const told = await response.json();
        const { fact, cause, remedy } = Object(told.error);
        reason = typeof told.error === "string" ? told.error
          : [fact, cause, remedy].filter(Boolean).join(" ") || reason;
      } else if (kind.startsWith("text/plain")) {
        reason = (await response.text()) || reason;
      }
      throw new NoAnswer(response.status, reason);
    }
    if (kind.startsWith("application/json")) return { json: await response.json() };
    return unpack(await response.arrayBuffer());
  }

  /** One stream of events, closed while the page is hidden, so that tabs do not use up the six
   * connections that a browser grants a host. */
  watch(heard: (change: Change | null) => void): () => void {
    let stream: EventSource | null = null;
    const open = () => {
      if (document.hidden) {
        stream?.close();
        stream = null;
      } else if (!stream) {
        stream = new EventSource("/api/events");
        stream.onmessage = (event) => heard(JSON.parse(event.data));
        stream.onerror = () => heard(null);
      }
    };
    open();
    document.addEventListener("visibilitychange", open);
    return () => {
      document.removeEventListener("visibilitychange", open);
      stream?.close();
    };
  }
}

interface Stored {
  path: string;
  query: Map<string, string>;
  value: unknown;
}

// What only says how finely to answer, not what about.
const FINENESS = new Set(["px", "n", "after"]);

/** Answers that lie in the page itself. What was not stored is derived from what was: series and
 * rows from the whole table, a step from the last stored step before it. */
export class InlineCarrier implements Carrier {
  readonly live = false;
  private readonly stored: Stored[];
  private readonly answers = new Map<string, Promise<Answer>>();

  constructor(data: { answers: Record<string, unknown> }) {
    this.stored = Object.entries(data.answers).map(([key, value]) => ({ ...split(key), value }));
  }

  async get(address: string): Promise<Answer> {
    let answer = this.answers.get(address);
    if (!answer) {
      answer = this.find(address);
      this.answers.set(address, answer);
    }
    return answer;
  }

  watch(): () => void {
    return () => undefined;
  }

  private async find(address: string): Promise<Answer> {
    const asked = split(address);
    const matches = this.stored.filter((entry) => entry.path === asked.path);
    const exact = matches.find((entry) => same(entry.query, asked.query, []));
    if (exact) return decode(exact.value);
    const derived = await this.fromTable(asked);
    if (derived) return derived;
    const near = nearest(matches.filter((entry) => same(entry.query, asked.query, ["step"])), asked);
    if (near) return decode(near.value);
    throw new NoAnswer(404, "This file was written without it. Record the run and use `gradtape view`.");
  }

  private async fromTable(asked: { path: string; query: Map<string, string> }) {
    const what = asked.path.split("/")[4];
    if (what !== "series" && what !== "row" && what !== "rows") return null;
    const path = asked.path.split("/").slice(0, 4).join("/") + "/rows";
    const entry = this.stored.find((kept) => kept.path === path && kept.query.size === 0);
    if (!entry) return null;
    const { header, body } = await decode(entry.value);
    const count: number = header.count;
    const steps = body!.subarray(0, count);
    const names: string[] = header.names;
    const column = (name: string) => {
      const k = names.indexOf(name);
      return k < 0 ? new Float64Array(count).fill(NaN) : body!.subarray((k + 1) * count, (k + 2) * count);
    };
    // What was logged at some steps only: in the table the others look like NaN.
    const own = (name: string) => this.stored.find((kept) => (
      kept.path === path.replace(/rows$/, "series") && kept.query.get("names") === list([name])));
    if (what === "row") {
      const k = Math.max(0, upper(steps, Number(asked.query.get("step"))) - 1);
      const held = names.filter((name) => column(name)[k] === column(name)[k] || !own(name));
      const values = Float64Array.from(held, (name) => column(name)[k]);
      return { header: { step: steps[k], names: held }, body: values };
    }
    const from = Number(asked.query.get("from") ?? -Infinity);
    const to = Number(asked.query.get("to") ?? Infinity);
    const low = upper(steps, from - 0.5), high = upper(steps, to);
    const wanted = asked.query.has("names") ? unlist(asked.query.get("names")!) : names;
    const part = steps.subarray(low, high);
    if (what === "rows") {
      const columns = wanted.map((name) => column(name).subarray(low, high));
      return { header: { names: wanted, count: part.length }, body: join([part, ...columns]) };
    }
    const px = Number(asked.query.get("px") ?? 0);
    // Of a very long run the file may hold fewer rows than there were.
    const share = Math.max(1, (header.of ?? count) / count);
    const series = await Promise.all(wanted.map(async (name) => {
      const alone = own(name);
      if (alone) {
        const { header: { series: [{ count: held, of }] }, body: both } = await decode(alone.value) as any;
        const at = both.subarray(0, held);
        const a = upper(at, from - 0.5), b = upper(at, to);
        const found = reduceExtremes(at.subarray(a, b), both.subarray(held + a, held + b), px);
        return { name, ...found, of: Math.round(((b - a) * of) / held), reduced: found.reduced || of > held };
      }
      const found = reduceExtremes(part, column(name).subarray(low, high), px);
      return {
        name, ...found, of: Math.round(part.length * share), reduced: found.reduced || share > 1,
      };
    }));
    return {
      header: {
        series: series.map(({ name, of, steps: kept, reduced }) => (
          { name, count: kept.length, of, reduced })),
      },
      body: join(series.flatMap((one) => [one.steps, one.values])),
    };
  }
}

function split(address: string): { path: string; query: Map<string, string> } {
  const [path, query] = address.split("?");
  return { path, query: new Map(new URLSearchParams(query ?? "")) };
}

function same(kept: Map<string, string>, asked: Map<string, string>, free: string[]): boolean {
  const keys = new Set([...kept.keys(), ...asked.keys()]);
  for (const key of keys) {
    if (free.includes(key) || FINENESS.has(key)) continue;
    if (kept.get(key) !== asked.get(key)) return false;
  }
  return true;
}

function nearest(matches: Stored[], asked: { query: Map<string, string> }): Stored | null {
  const step = Number(asked.query.get("step") ?? 0);
  const at = (entry: Stored) => Number(entry.query.get("step") ?? 0);
  const sorted = [...matches].sort((a, b) => at(a) - at(b));
  return sorted.filter((entry) => at(entry) <= step).pop() ?? sorted[0] ?? null;
}

/** Index of the first entry above `value` in an ascending array. */
export function upper(sorted: Float64Array, value: number): number {
  let low = 0, high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] > value) high = middle;
    else low = middle + 1;
  }
  return low;
}

function join(parts: Float64Array[]): Float64Array {
  const whole = new Float64Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** A stored answer: base64 of the binary form (gzip where it begins so), JSON as it is, or
 * `{"no_answer": REASON}`. */
async function decode(value: unknown): Promise<Answer> {
  const none = (Object(value) as { no_answer?: string }).no_answer;
  if (none !== undefined) throw new NoAnswer(204, none);
  if (typeof value !== "string") return { json: value };
  const bytes = Uint8Array.from(atob(value), (letter) => letter.charCodeAt(0));
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return unpack(await new Response(stream).arrayBuffer());
  }
  return unpack(bytes.buffer);
}

/** What a widget's model offers: anywidget's `model`. */
export interface WidgetModel {
  send(content: unknown): void;
  on(name: string, heard: (content: any, buffers: DataView[]) => void): void;
  off(name: string, heard: (content: any, buffers: DataView[]) => void): void;
}

/** Answers asked from the kernel, over the widget's own messages: `{id, get}` there,
 * `{id, json}` or `{id}` with one buffer or `{id, error, code}` back; `{change}` at each commit. */
export class WidgetCarrier implements Carrier {
  readonly live = true;
  private next = 0;
  private readonly waiting = new Map<number, [(answer: Answer) => void, (error: Error) => void]>();
  private readonly listeners = new Set<(change: Change | null) => void>();

  constructor(private readonly model: WidgetModel) {
    model.on("msg:custom", (content, buffers) => {
      if (content.change) for (const heard of this.listeners) heard(content.change);
      const waiting = this.waiting.get(content.id);
      if (!waiting) return;
      this.waiting.delete(content.id);
      const [resolve, reject] = waiting;
      if (content.error) reject(new NoAnswer(content.code ?? 500, content.error));
      else if (buffers?.length) {
        const { buffer, byteOffset, byteLength } = buffers[0];
        resolve(unpack(buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer));
      } else resolve({ json: content.json });
    });
  }

  get(address: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const id = this.next++;
      this.waiting.set(id, [resolve, reject]);
      this.model.send({ id, get: address });
    });
  }

  watch(heard: (change: Change | null) => void): () => void {
    this.listeners.add(heard);
    return () => this.listeners.delete(heard);
  }
}
