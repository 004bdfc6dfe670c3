// The answers of the interface of data, as they are sent: see "HTTP" in README.md.

export type Status =
  | "running" | "finished" | "failed" | "stopped" | "interrupted" | "incomplete" | "unreadable";

export interface RunEntry {
  id: string;
  name: string;
  status: Status;
  steps: number;
  created: string | null;
  cost: number | null;
  best: number | null;
  parent?: string | null;
}

export interface Column {
  id: number;
  name: string;
  /** What `run.history()` and exports call it. */
  label: string;
  kind: string;
  tag: string | null;
  unit: string | null;
}

export interface Tag {
  id: number;
  name: string;
  kind: string;
  shape: number[];
  dtype: string;
  file: string | null;
  line: number | null;
  info?: Record<string, unknown>;
}

export interface RunInfo {
  id: string;
  name: string;
  status: Status;
  /** What could not be written, in words; "" if nothing. */
  lost: string;
  /** What of the run is not in the file that shows it, in words. */
  left_out?: string[];
  version: number;
  meta: Record<string, any>;
  columns: Column[];
  tags: Tag[];
  first: number | null;
  last: number | null;
  count: number;
  /** The lowest cost. */
  best: number | null;
  /** What the steps descend, in the order in which it appeared; one, unless there are several. */
  costs: { number: number; name: string; column: string; structures: [number, number][] }[];
  /** The column that is drawn as the cost of validation. */
  validation: string | null;
  roles: { x?: unknown; y?: unknown; prediction?: unknown };
  structures: [number, number][];
  sources: { id: number; file: string }[];
}

/** One series: its values at its steps, perhaps the extremes of buckets only. */
export interface Series {
  name: string;
  steps: Float64Array;
  values: Float64Array;
  /** How many points the record holds in this range. */
  of: number;
  reduced: boolean;
}

export interface RunEvent {
  id: number;
  step: number | null;
  time: number;
  kind: string;
  data: Record<string, any>;
}

export interface GraphNode {
  id: number;
  op: string;
  in: number[];
  /** What its parameters hold: indices, masks. */
  held?: number[];
  shape: number[];
  dtype: string;
  file?: string | null;
  line?: number | null;
  function?: string | null;
  text?: string | null;
  group?: string | null;
  rule?: string | null;
  kind: "op" | "variable" | "source" | "input" | "constant";
  tag?: string | null;
  value?: number | null;
}

export interface Graph {
  name: string;
  nodes: GraphNode[];
  target: number;
  prediction: number | null;
  sources: Record<string, number>;
  inputs: Record<string, number>;
}

/** Numbers of every node at one step, row major; FIELDS of the contract are the columns. */
export interface NodeValues {
  step: number;
  graph: number;
  count: number;
  fields: string[];
  /** Whether they were computed again, as the run does not hold them; and what to know of that. */
  computed?: boolean;
  note?: string;
  matrix: Float64Array;
}

export interface ArrayAnswer {
  tag?: string;
  step: number;
  dtype: string;
  shape: number[];
  /** How many entries the array has; `values` may hold the first of them only. */
  of: number;
  values: Float64Array;
}

export interface Fit {
  kind: "curve" | "scatter" | "classes";
  step: number;
  names: { x: string; y: string };
  inputs: string[];
  count: number;
  grid: number;
  exact: boolean;
  header: Record<string, any>;
  x: Float64Array;
  y: Float64Array;
  prediction: Float64Array;
  curveX: Float64Array;
  curveY: Float64Array;
}

export interface Regions {
  x: [number, number];
  y: [number, number];
  n: number;
  classes?: unknown;
  header: Record<string, any>;
  values: Float64Array;
  /** By how much the likeliest class is likelier than the next. */
  margin: Float64Array;
}

export interface Path {
  kind: "exact" | "pca";
  axes: string[];
  explained: number[];
  count: number;
  header: Record<string, any>;
  steps: Float64Array;
  u: Float64Array;
  v: Float64Array;
  gu: Float64Array;
  gv: Float64Array;
}

export interface Landscape {
  n: number;
  u: [number, number];
  v: [number, number];
  exact: boolean;
  note: string | null;
  values: Float64Array;
}

export interface Flow {
  names: string[];
  count: number;
  rows: string[];
  steps: Float64Array;
  /** `series[name][row]`: one number a step. */
  series: Record<string, Record<string, Float64Array>>;
}

export interface Comparison {
  config: { key: string; values: unknown[] }[];
  code: { file: string; run?: string; diff: string }[];
}

export interface Change {
  run: string;
  version: number;
  last: number | null;
  status: Status;
}
