// Numbers and times as they are written on the page.

const MINUS = "\u2212";

/** All digits that tell this float64 from its neighbours. */
export function exact(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "Inf" : `${MINUS}Inf`;
  return String(value).replace(/-/g, MINUS).replace("e+", "e");
}

/** A few significant digits, for where an exact number would not fit. */
export function short(value: number | null | undefined, digits = 4): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return exact(value);
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return exact(value);
  const size = Math.abs(value);
  const text = size !== 0 && (size < 1e-3 || size >= 1e6)
    ? value.toExponential(digits - 1) : value.toPrecision(digits);
  return text.replace(/-/g, MINUS).replace("e+", "e");
}

/** A count with thin spaces between thousands. */
export function count(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, "\u2009").replace(/^-/, MINUS);
}

export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–";
  if (seconds < 1e-3) return `${short(seconds * 1e6, 3)} µs`;
  if (seconds < 1) return `${short(seconds * 1e3, 3)} ms`;
  if (seconds < 120) return `${short(seconds, 3)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return `${short(seconds / 3600, 3)} h`;
}

export function bytes(size: number | null | undefined): string {
  if (size === null || size === undefined) return "–";
  const unit = size < 1e3 ? 0 : size < 1e6 ? 1 : size < 1e9 ? 2 : 3;
  return `${short(size / 1000 ** unit, 3)} ${["B", "kB", "MB", "GB"][unit]}`;
}

export function shape(sizes: number[] | null | undefined): string {
  if (!sizes) return "";
  return sizes.length ? `(${sizes.join(", ")}${sizes.length === 1 ? "," : ""})` : "scalar";
}

export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** A file by its last part; the whole is shown on hover. */
export function fileName(path: string | null | undefined): string {
  return path ? path.split(/[\\/]/).pop()! : "";
}

/** Comma separated values, quoted where they must be. */
export function toCsv(header: string[], rows: Iterable<readonly unknown[]>): string {
  const cell = (value: unknown) => {
    const text = value === null || value === undefined ? "" : String(value);
    return /[",\n\r]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
  };
  const lines = [header.map(cell).join(",")];
  for (const one of rows) lines.push(one.map(cell).join(","));
  return lines.join("\r\n") + "\r\n";
}

const RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/** Texts of an axis: powers of ten as such where the axis is logarithmic. */
export function axisTexts(splits: (number | null)[], log: boolean): string[] {
  const powers = log && splits.some((value) => value && Math.abs(Math.log10(value)) > 3.5);
  return splits.map((value) => {
    if (value === null) return "";
    const power = Math.round(Math.log10(Math.abs(value)));
    if (powers && Math.abs(value / 10 ** power - 1) < 1e-9) {
      const digits = String(Math.abs(power)).replace(/\d/g, (digit) => RAISED[Number(digit)]);
      return `10${power < 0 ? "⁻" : ""}${digits}`;
    }
    if (value !== 0 && (Math.abs(value) < 1e-4 || Math.abs(value) >= 1e7)) {
      return value.toExponential().replace("e+", "e").replace(/-/g, MINUS);
    }
    const text = String(Number(value.toPrecision(10)));
    return (Math.abs(value) >= 1e4 ? count(value) : text).replace(/-/g, MINUS);
  });
}
