// The one interface of data: typed questions over one of three carriers (server, inline, widget).
import { cost } from "./cursor";
import type {
  ArrayAnswer, Change, Comparison, Fit, Flow, Graph, Landscape, NodeValues, Path, Regions, RunEntry,
  RunEvent, RunInfo, Series,
} from "./types";

/** What came back: JSON, or a header with one float64 array behind it. */
export interface Answer {
  json?: any;
  header?: any;
  body?: Float64Array;
}

/** A question that has no answer, with the reason that the record gives. */
export class NoAnswer extends Error {
  constructor(readonly code: number, reason: string) {
    super(reason);
  }
}

export interface Carrier {
  /** Whether a run that is still written can be followed. */
  readonly live: boolean;
  get(address: string): Promise<Answer>;
  /** Calls back at each commit of a run that is written, with null when nobody answers any more;
   * returns what stops it. */
  watch(heard: (change: Change | null) => void): () => void;
}

/** Split a binary answer: u32 header length, JSON header padded to 8 bytes, float64 values. */
export function unpack(buffer: ArrayBuffer): Answer {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const start = 4 + length;
  const entries = Math.floor((buffer.byteLength - start) / 8);
  const body = start % 8 === 0
    ? new Float64Array(buffer, start, entries)
    : new Float64Array(buffer.slice(start, start + 8 * entries));
  return { header, body };
}

/** Write an address with its query in a fixed order, leaving out what is not given. */
export function address(path: string, query: Record<string, unknown> = {}): string {
  const parts = new URLSearchParams();
  for (const key of Object.keys(query).sort()) {
    const value = query[key];
    if (value !== undefined && value !== null) parts.set(key, String(value));
  }
  const text = parts.toString();
  return text ? `${path}?${text}` : path;
}

/** Names between commas; a comma inside one is written with a backslash. */
export function list(names: string[]): string {
  return names.map((name) => name.replace(/,/g, "\\,")).join(",");
}

export function unlist(text: string): string[] {
  return text.split(/(?<!\\),/).map((name) => name.replace(/\\,/g, ","));
}

/** A number of JSON, where NaN and infinities are words. */
export function number(value: unknown): number {
  return Number(String(value).replace(/^(-?)inf$/, "$1Infinity"));
}

function take(body: Float64Array): (count: number) => Float64Array {
  let at = 0;
  return (count) => body.subarray(at, (at += count));
}

/** What is answered of one cost, of a run that descends several. */
function about(query: Record<string, unknown>): Record<string, unknown> {
  return cost.peek() ? { ...query, cost: cost.peek() } : query;
}

export class Source {
  constructor(readonly carrier: Carrier) {}

  get live(): boolean {
    return this.carrier.live;
  }

  watch(heard: (change: Change | null) => void): () => void {
    return this.carrier.watch(heard);
  }

  private async json(path: string, query?: Record<string, unknown>): Promise<any> {
    return (await this.carrier.get(address(path, query))).json;
  }

  private async binary(path: string, query?: Record<string, unknown>) {
    const { header, body } = await this.carrier.get(address(path, query));
    if (!header || !body) throw new NoAnswer(502, "The answer is not in the binary form.");
    return { header, body, next: take(body) };
  }

  private of(run: string, what = ""): string {
    return `/api/run/${encodeURIComponent(run)}${what && `/${what}`}`;
  }

  runs(): Promise<RunEntry[]> {
    return this.json("/api/runs");
  }

  run(id: string): Promise<RunInfo> {
    return this.json(this.of(id));
  }

  /** Series of columns; with `px`, at most a few points per pixel: the extremes of each bucket. */
  async series(
    run: string, names: string[], range: { from?: number; to?: number; px?: number } = {},
  ): Promise<Series[]> {
    const query = {
      names: list(names), px: range.px,
      from: range.from === undefined ? undefined : Math.max(0, Math.floor(range.from)),
      to: range.to === undefined ? undefined : Math.max(0, Math.ceil(range.to)),
    };
    const { header, next } = await this.binary(this.of(run, "series"), query);
    return header.series.map((entry: any) => ({
      name: entry.name,
      of: entry.of ?? entry.count,
      reduced: Boolean(entry.reduced),
      steps: next(entry.count),
      values: next(entry.count),
    }));
  }

  /** Every number that the record holds at a step. */
  async row(run: string, step: number): Promise<{ step: number; values: Map<string, number> }> {
    const { header, body } = await this.binary(this.of(run, "row"), { step });
    const names: string[] = header.names;
    return { step: header.step, values: new Map(names.map((name, k) => [name, body[k]])) };
  }

  async rows(
    run: string, query: { from?: number; to?: number; names?: string[] } = {},
  ): Promise<{ names: string[]; steps: Float64Array; columns: Float64Array[] }> {
    const asked = { from: query.from, to: query.to, names: query.names && list(query.names) };
    const { header, next } = await this.binary(this.of(run, "rows"), asked);
    const steps = next(header.count);
    return { names: header.names, steps, columns: header.names.map(() => next(header.count)) };
  }

  async array(run: string, tag: string, step: number): Promise<ArrayAnswer> {
    const { header, body } = await this.binary(this.of(run, "array"), { tag, step });
    return { ...header, values: body };
  }

  graph(run: string, which: { step: number } | { id: number }): Promise<Graph> {
    return this.json(this.of(run, "graph"), which);
  }

  async nodes(run: string, step: number): Promise<NodeValues> {
    const { header, body } = await this.binary(this.of(run, "nodes"), about({ step }));
    return { ...header, matrix: body };
  }

  /** The array of one node: side 0 its forward value, 1 its cotangent. */
  async node(run: string, step: number, node: number, side: 0 | 1): Promise<ArrayAnswer> {
    const { header, body } = await this.binary(this.of(run, "node"), about({ step, node, side }));
    return { ...header, values: body };
  }

  events(run: string, after = 0): Promise<RunEvent[]> {
    return this.json(this.of(run, "events"), { after });
  }

  verdict(run: string): Promise<any> {
    return this.json(this.of(run, "verdict"), about({}));
  }

  diagnosis(run: string): Promise<any> {
    return this.json(this.of(run, "diagnosis"));
  }

  /** Data, prediction and curve; `choice` holds the slice of a model of several inputs. */
  async fit(run: string, step: number, choice: Record<string, unknown> = {}): Promise<Fit> {
    const { header, next } = await this.binary(this.of(run, "fit"), about({ step, ...choice }));
    const { count, grid } = header;
    return {
      ...header, header,
      x: next(count), y: next(count), prediction: next(count),
      curveX: next(grid), curveY: next(grid),
    };
  }

  async regions(run: string, step: number, n: number): Promise<Regions> {
    const { header, next } = await this.binary(this.of(run, "regions"), about({ step, n }));
    return { ...header, header, values: next(header.n ** 2), margin: next(header.n ** 2) };
  }

  async path(run: string): Promise<Path> {
    const { header, next } = await this.binary(this.of(run, "path"), about({}));
    const { count } = header;
    return {
      ...header, header,
      steps: next(count), u: next(count), v: next(count), gu: next(count), gv: next(count),
    };
  }

  /** Losses on a grid around the path; rejects with the reason where it cannot be replayed. */
  async landscape(run: string, n: number): Promise<Landscape> {
    const { header, body } = await this.binary(this.of(run, "landscape"), about({ n }));
    return { ...header, values: body };
  }

  async flow(run: string, px: number): Promise<Flow> {
    const { header, next } = await this.binary(this.of(run, "flow"), { px });
    const steps = next(header.count);
    const series: Flow["series"] = {};
    for (const name of header.names) {
      series[name] = {};
      for (const row of header.rows) series[name][row] = next(header.count);
    }
    return { ...header, steps, series };
  }

  text(run: string, file: number): Promise<{ file: string; text: string }> {
    return this.json(this.of(run, "source"), { file });
  }

  compare(runs: string[]): Promise<Comparison> {
    return this.json("/api/compare", { runs: runs.join(",") });
  }
}
