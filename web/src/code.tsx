// Lines of a run's source files, as they were when it ran.
import { run } from "./cursor";
import { fileName } from "./format";
import { info, source, useLatest } from "./model";

/** The text of a recorded source file, null while it is not there (or was not recorded). */
export function useSource(file: string | null | undefined): string[] | null {
  const known = info.value?.sources.find((one) => (
    one.file === file || fileName(one.file) === fileName(file)));
  const id = run.value;
  const { data } = useLatest(
    () => (id && known ? source.peek().text(id, known.id) : null), [known?.id], `${id} ${file}`);
  return data ? data.text.split("\n") : null;
}

/** Where something happened: file and line, with the lines around it. */
export function Code({ file, line, around = 2 }: {
  file: string | null | undefined; line: number | null | undefined; around?: number;
}) {
  const text = useSource(file);
  if (!file || !line) return null;
  const first = Math.max(1, line - around);
  const shown = text?.slice(first - 1, line + around) ?? [];
  const indent = Math.min(...shown.filter((one) => one.trim()).map((one) => one.search(/\S/)));
  return (
    <figure class="code">
      <figcaption title={file}>{fileName(file)}:{line}</figcaption>
      {shown.length > 0 && (
        <pre tabIndex={0} role="group" aria-label={`${fileName(file)}, line ${line}`}>
          {shown.map((one, k) => (
            <span key={k} class={first + k === line ? "code-line is-here" : "code-line"}>
              <span class="code-number">{first + k}</span>
              {one.slice(Number.isFinite(indent) ? indent : 0) || " "}
              {"\n"}
            </span>
          ))}
        </pre>
      )}
    </figure>
  );
}
