// Numbers of arrays: their text as Python's repr writes it, and their statistics.

/** Significant digits and decimal exponent of a finite number, shortest that reads back the same. */
function shortest(x: number, single: boolean): [string, number] {
  let text = Math.abs(x).toExponential();
  if (single) {
    for (let digits = 0; digits < 9; digits++) {
      const tried = Math.abs(x).toExponential(digits);
      if (Math.fround(Number(tried)) === Math.abs(x)) {
        text = tried;
        break;
      }
    }
  }
  const [mantissa, exponent] = text.split("e");
  const digits = mantissa.replace(".", "").replace(/0+$/, "") || "0";
  return [digits, Number(exponent)];
}

/** What Python prints for an entry of an array of this dtype: `0.1`, `1e-05`, `nan`, `True`, `3`. */
export function repr(x: number, dtype = "float64"): string {
  if (dtype === "bool") return x ? "True" : "False";
  if (Number.isNaN(x)) return "nan";
  if (!Number.isFinite(x)) return x > 0 ? "inf" : "-inf";
  if (/^u?int/.test(dtype)) return String(x);
  const sign = x < 0 || Object.is(x, -0) ? "-" : "";
  if (x === 0) return `${sign}0.0`;
  const [digits, exponent] = shortest(x, dtype === "float32" || dtype === "float16");
  if (exponent < -4 || exponent >= 16) {
    const rest = digits.slice(1);
    const power = `${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
    return `${sign}${digits[0]}${rest && `.${rest}`}e${power}`;
  }
  if (exponent < 0) return `${sign}0.${"0".repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, "0");
  return `${sign}${whole}.${digits.slice(exponent + 1) || "0"}`;
}

/** A count with its noun: `1 op`, `12 ops`, `2,000 ops`. */
export function counted(count: number, noun: string): string {
  return `${count.toLocaleString("en-US")} ${noun}${count === 1 ? "" : "s"}`;
}

export interface Statistics {
  count: number;
  finite: number;
  nan: number;
  infinite: number;
  zeros: number;
  min: number;
  max: number;
  mean: number;
  deviation: number;
  norm: number;
}

/** Statistics of the finite entries, and how many are not finite. */
export function statistics(values: ArrayLike<number>): Statistics {
  let min = Infinity, max = -Infinity, sum = 0, finite = 0, nan = 0, zeros = 0, squares = 0;
  for (let k = 0; k < values.length; k++) {
    const x = values[k];
    if (Number.isFinite(x)) {
      finite++;
      sum += x;
      squares += x * x;
      if (x === 0) zeros++;
      if (x < min) min = x;
      if (x > max) max = x;
    } else if (Number.isNaN(x)) nan++;
  }
  const mean = sum / finite;
  let spread = 0;
  for (let k = 0; k < values.length; k++) {
    const x = values[k];
    if (Number.isFinite(x)) spread += (x - mean) ** 2;
  }
  if (!finite) min = max = NaN;
  return {
    count: values.length, finite, nan, infinite: values.length - finite - nan, zeros, min, max, mean,
    deviation: Math.sqrt(spread / finite), norm: Math.sqrt(squares),
  };
}
