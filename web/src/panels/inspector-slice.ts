// A plane of an array of any number of axes: rows and columns, the other axes held at an index.

export interface Slice {
  rows: number;
  columns: number;
  /** Entry in the flat array of a row and a column; -1 beyond the end. */
  index: (row: number, column: number) => number;
  /** Index of an entry in the array, as Python writes it: `[3, 0, 12]`. */
  name: (row: number, column: number) => string;
  /** Heads of rows and columns. */
  rowHead: (row: number) => string;
  columnHead: (column: number) => string;
}

export interface SliceChoice {
  rowAxis: number;
  columnAxis: number;
  held: number[];
}

/** The last two axes, all others at 0. */
export function firstChoice(shape: number[]): SliceChoice {
  return {
    rowAxis: Math.max(0, shape.length - 2), columnAxis: Math.max(0, shape.length - 1),
    held: shape.map(() => 0),
  };
}

/** Entries of one axis that stand in a row. */
export const IN_A_ROW = 10;

export function sliceOf(shape: number[], choice: SliceChoice): Slice {
  if (shape.length === 0) {
    return {
      rows: 1, columns: 1, index: () => 0, name: () => "[()]", rowHead: () => "", columnHead: () => "",
    };
  }
  if (shape.length === 1) {
    const [count] = shape;
    const columns = Math.min(IN_A_ROW, Math.max(1, count));
    return {
      rows: Math.ceil(count / columns), columns,
      index: (row, column) => (row * columns + column < count ? row * columns + column : -1),
      name: (row, column) => `[${row * columns + column}]`,
      rowHead: (row) => String(row * columns), columnHead: (column) => `+${column}`,
    };
  }
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
  const { rowAxis, columnAxis, held } = choice;
  const base = held.reduce((sum, at, axis) => (
    axis === rowAxis || axis === columnAxis ? sum : sum + at * strides[axis]), 0);
  return {
    rows: shape[rowAxis], columns: shape[columnAxis],
    index: (row, column) => base + row * strides[rowAxis] + column * strides[columnAxis],
    name: (row, column) => `[${shape.map((_, axis) => (
      axis === rowAxis ? row : axis === columnAxis ? column : held[axis])).join(", ")}]`,
    rowHead: String, columnHead: String,
  };
}

/** The part of a virtual list that is in its window. */
export function windowOf(scroll: number, size: number, each: number, count: number): [number, number] {
  const from = Math.max(0, Math.floor(scroll / each) - 2);
  return [from, Math.min(count, Math.ceil((scroll + size) / each) + 2)];
}
