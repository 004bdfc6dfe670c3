// The table behind a picture: what a chart shows, as numbers that can be read and copied.
import { exact } from "./format";

export interface TableData {
  columns: string[];
  rows: (number | string | null)[][];
  /** What the rows are, or which were left out. */
  note?: string;
}

const MOST = 400;

export function Table({ data, label }: { data: TableData; label: string }) {
  const left = data.rows.length - MOST;
  return (
    <div class="data-table" role="region" aria-label={label} tabIndex={0}>
      <table>
        <caption>
          {data.note ?? ""}
          {left > 0 && ` The first ${MOST} of ${data.rows.length} rows; the CSV file has all.`}
        </caption>
        <thead>
          <tr>{data.columns.map((name) => <th key={name} scope="col">{name}</th>)}</tr>
        </thead>
        <tbody>
          {data.rows.slice(0, MOST).map((cells, k) => (
            <tr key={k}>
              {cells.map((cell, c) => (
                <td key={c} class={typeof cell === "string" ? "text" : ""}>
                  {typeof cell === "string" ? cell : exact(cell)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
