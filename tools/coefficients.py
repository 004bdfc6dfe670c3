"""Compute the polynomials and constants of the LLVM backend, and write its coefficients.py.

    python tools/coefficients.py            write src/gradtape/backends/llvm/coefficients.py
    python tools/coefficients.py sin exp    print these and write nothing

Needs mpmath. Each polynomial is the minimax approximation P of a function g on an interval, in
the sense that the largest |w(t) (P(t) - g(t))| is least; the weight w is chosen so that this is
the relative error of the final result. It is found by the exchange algorithm of Remez (E. Ya.
Remez, 1934; Fraser & Hart, CACM 5, 1962). The degree is the lowest that reaches the target of a
precision. The coefficients are rounded one after the other, the lowest power first, and those
that are left are fitted anew to what the rounding changed (Brisebarre & Chevillard, 2007, do it
better, and for a bit more).

Three precisions: "d" double; "s" single; "w" (wide) double arithmetic for a single result.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mpmath import mp, mpf

mp.dps = 60
TARGET = Path(__file__).resolve().parent.parent / "src/gradtape/backends/llvm/coefficients.py"
# The largest relative error of a polynomial, in bits.
BITS = {"d": 58, "s": 28, "w": 34}
ROUNDED = {"d": "<d", "s": "<f", "w": "<d"}

Function = Callable[[Any], Any]


@dataclass(frozen=True)
class Fit:
    """P(t) ~ g(t) on [low, high], where w(t) (P - g) is the relative error of the result."""

    g: Function
    w: Function
    low: Any
    high: Any
    bits: dict[str, int] | None = None  # other targets than BITS; a precision left out has none


def rounded(value: Any, precision: str) -> Any:
    """Return `value` rounded to the precision's format, as an exact number."""
    form = ROUNDED[precision]
    return mpf(struct.unpack(form, struct.pack(form, float(value)))[0])


def exchange(
    points: list[Any], values: list[Any], weights: list[Any], powers: list[int]
) -> tuple[list[Any], Any]:
    """Return the minimax coefficients of `powers` on a grid of points, and the largest error."""
    count = len(powers) + 1
    last = len(points) - 1
    reference = [
        round(last * (1 - mp.cos(mp.pi * (i + mpf(1) / 2) / count)) / 2) for i in range(count)
    ]
    solution: list[Any] = []
    for _ in range(40):
        matrix, right = mp.matrix(count, count), mp.matrix(count, 1)
        for row, at in enumerate(reference):
            for column, power in enumerate(powers):
                matrix[row, column] = points[at] ** power if power else mpf(1)
            matrix[row, count - 1] = (-1) ** row / weights[at]
            right[row] = values[at]
        solution = list(mp.lu_solve(matrix, right))
        level = abs(solution.pop())
        errors = [
            weights[i] * (horner(solution, powers, points[i]) - values[i])
            for i in range(len(points))
        ]
        worst = max(abs(error) for error in errors)
        if worst <= level * mpf("1.002"):
            break
        # One extremum of each run of one sign; the runs that are too many go from the ends.
        extrema: list[int] = []
        for i, error in enumerate(errors):
            if not extrema or (error > 0) != (errors[extrema[-1]] > 0):
                extrema.append(i)
            elif abs(error) > abs(errors[extrema[-1]]):
                extrema[-1] = i
        while len(extrema) > count:
            extrema.pop(0 if abs(errors[extrema[0]]) < abs(errors[extrema[-1]]) else -1)
        if len(extrema) < count:
            break
        reference = extrema
    return solution, worst


def horner(coefficients: list[Any], powers: list[int], t: Any) -> Any:
    """Return the polynomial at t; the powers are consecutive."""
    total = mpf(0)
    for c in reversed(coefficients):
        total = total * t + c
    return total * t ** powers[0] if powers[0] else total


def fit(what: Fit, precision: str, bits: int) -> tuple[list[float], float]:
    """Return the coefficients, lowest power first, and the bits of the largest error."""
    low, high = mpf(what.low), mpf(what.high)
    size = 300
    points = [
        (low + high) / 2 - (high - low) / 2 * mp.cos(mp.pi * (i + mpf(1) / 2) / size)
        for i in range(size)
    ]
    points = [t if abs(t) > mpf(2) ** -60 else mpf(2) ** -60 for t in points]
    values = [what.g(t) for t in points]
    weights = [abs(what.w(t)) for t in points]
    biggest = max(weights)
    weights = [max(w, biggest * mpf(2) ** -60) for w in weights]
    for degree in range(1, 40):
        free, error = exchange(points, values, weights, list(range(degree + 1)))
        if error < mpf(2) ** -bits:
            break
    fixed: list[Any] = []
    while free:
        fixed.append(rounded(free[0], precision))
        powers = list(range(len(fixed), degree + 1))
        if not powers:
            break
        # In double the coefficients beyond the first three are rounded as they are: their
        # roundings are below the target.
        if precision != "s" and len(fixed) >= 3:
            fixed += [rounded(c, precision) for c in free[1:]]
            break
        rest = [v - horner(fixed, [0], t) for v, t in zip(values, points, strict=True)]
        free, _ = exchange(points, rest, weights, powers)
    worst = max(
        w * abs(horner(fixed, [0], t) - v)
        for t, v, w in zip(points, values, weights, strict=True)
    )
    return [float(c) for c in fixed], float(-mp.log(worst, 2))


def _root(t: Any) -> Any:
    return mp.sqrt(t)


HALF_LN2 = mp.log(2) / 2 * mpf("1.0001")
QUARTER_PI = mp.pi / 4 * mpf("1.0001")
LOG_S = ((mp.sqrt(2) - 1) / (mp.sqrt(2) + 1)) ** 2 * mpf("1.0001")
DIGAMMA_ROOT = mp.findroot(mp.digamma, mpf("1.4616"))
ERFC_K = mpf(4)
PSI_CENTRE = mpf(13) / 8


def _log_ratio(z: Any) -> Any:
    """log((1 + s) / (1 - s)) / s with z = s**2."""
    s = _root(z)
    return mp.log((1 + s) / (1 - s)) / s


def _erfc_scaled(t: Any) -> Any:
    """exp(x**2) erfc(x) (x + K), where t = (x - K) / (x + K)."""
    x = ERFC_K * (1 + t) / (1 - t)
    return mp.exp(x * x) * mp.erfc(x) * (x + ERFC_K)


def _stirling(u: Any) -> Any:
    """The argument times the remainder of Stirling's series for log gamma, u = 1 / x**2."""
    x = 1 / _root(u)
    return x * (mp.loggamma(x) - (x - mpf(1) / 2) * mp.log(x) + x - mp.log(2 * mp.pi) / 2)


def _psi_tail(u: Any) -> Any:
    """x**2 times the remainder of digamma after log x - 1 / (2 x), u = 1 / x**2."""
    x = 1 / _root(u)
    return x * x * (mp.digamma(x) - mp.log(x) + 1 / (2 * x))


def _gamma_near(t: Any) -> Any:
    """The quotient log gamma(2 + t) / (t (1 + t)), whose two roots are taken out."""
    return mp.loggamma(2 + t) / (t * (1 + t))


FITS = {
    # e**r = 1 + r + r**2 P(r); the weight is that of expm1, the stricter of the two.
    "exp": Fit(
        lambda r: (mp.exp(r) - 1 - r) / r**2, lambda r: r**2 / mp.expm1(r), -HALF_LN2, HALF_LN2
    ),
    # 2**r = 1 + r P(r)
    "exp2": Fit(lambda r: (2**r - 1) / r, lambda r: r / 2**r, -mpf(1) / 2, mpf(1) / 2),
    # log((1 + s) / (1 - s)) = 2 s + s z P(z), z = s**2
    "log": Fit(lambda z: (_log_ratio(z) - 2) / z, lambda z: z / _log_ratio(z), 0, LOG_S),
    # ... = 2 s + s z (2/3 + z P(z)), for power, which needs 64 bits of the logarithm
    "log_tail": Fit(
        lambda z: (_log_ratio(z) - 2 - 2 * z / 3) / z**2,
        lambda z: z**2 / _log_ratio(z),
        0,
        LOG_S,
        {"d": 68, "s": 36},
    ),
    # sin r = r + r z P(z); cos r = 1 - z / 2 + z**2 P(z)
    "sin": Fit(
        lambda z: (mp.sin(_root(z)) / _root(z) - 1) / z,
        lambda z: z * _root(z) / mp.sin(_root(z)),
        0,
        QUARTER_PI**2,
    ),
    "cos": Fit(
        lambda z: (mp.cos(_root(z)) - 1 + z / 2) / z**2,
        lambda z: z**2 / mp.cos(_root(z)),
        0,
        QUARTER_PI**2,
    ),
    # sinh r = r + r z P(z); cosh r = 1 + z / 2 + z**2 P(z)
    "sinh": Fit(
        lambda z: (mp.sinh(_root(z)) / _root(z) - 1) / z,
        lambda z: z * _root(z) / mp.sinh(_root(z)),
        0,
        HALF_LN2**2,
    ),
    "cosh": Fit(
        lambda z: (mp.cosh(_root(z)) - 1 - z / 2) / z**2,
        lambda z: z**2 / mp.cosh(_root(z)),
        0,
        HALF_LN2**2,
    ),
    # tanh x = x + x z P(z), |x| <= 1
    "tanh": Fit(
        lambda z: (mp.tanh(_root(z)) / _root(z) - 1) / z,
        lambda z: z * _root(z) / mp.tanh(_root(z)),
        0,
        mpf("1.001") ** 2,
        {"s": 28},
    ),
    # arcsin x = x + x z P(z), |x| <= 1/2
    "arcsin": Fit(
        lambda z: (mp.asin(_root(z)) / _root(z) - 1) / z,
        lambda z: z * _root(z) / mp.asin(_root(z)),
        0,
        mpf("0.25"),
    ),
    # arctan t = t + t z P(z), |t| <= tan(pi / 8)
    "arctan": Fit(
        lambda z: (mp.atan(_root(z)) / _root(z) - 1) / z,
        lambda z: z * _root(z) / mp.atan(_root(z)),
        0,
        (mp.tan(mp.pi / 8) * mpf("1.001")) ** 2,
    ),
    # 1 / cbrt(m) on [1, 2]: a first value for Newton's iteration
    "rcbrt": Fit(
        lambda m: m ** (-mpf(1) / 3),
        lambda m: m ** (mpf(1) / 3),
        mpf(1),
        mpf(2),
        {"d": 12, "s": 12, "w": 12},
    ),
    # erf x = x + x P(x**2), |x| <= 1
    "erf": Fit(
        lambda z: mp.erf(_root(z)) / _root(z) - 1,
        lambda z: _root(z) / mp.erf(_root(z)),
        0,
        mpf("1.0001"),
    ),
    # erfc x = exp(-x**2) P(t) / (x + 4), t = (x - 4) / (x + 4)
    "erfc": Fit(
        _erfc_scaled,
        lambda t: 1 / _erfc_scaled(t),
        (mpf("0.99") - ERFC_K) / (mpf("0.99") + ERFC_K),
        (28 - ERFC_K) / (28 + ERFC_K),
        {"d": 57, "s": 27, "w": 34},
    ),
    # log gamma(2 + t) = t (1 + t) P(t), 0.85 <= 2 + t <= 3
    "gammaln": Fit(
        _gamma_near, lambda t: 1 / _gamma_near(t), -mpf("1.16"), mpf("1.01"), {"d": 58, "w": 34}
    ),
    "stirling": Fit(
        _stirling, lambda u: mpf("0.01"), mpf("1e-12"), mpf(1) / 64, {"d": 60, "w": 36}
    ),
    # digamma(x) = (x - root) P(x - 13/8), 3/4 <= x <= 5/2
    "digamma": Fit(
        lambda t: mp.digamma(PSI_CENTRE + t) / (PSI_CENTRE + t - DIGAMMA_ROOT),
        lambda t: (PSI_CENTRE + t - DIGAMMA_ROOT) / mp.digamma(PSI_CENTRE + t),
        -mpf("0.8755"),
        mpf("0.8755"),
        {"d": 58, "w": 34},
    ),
    "psi_tail": Fit(
        _psi_tail, lambda u: u / 2, mpf("1e-12"), mpf(1) / 64, {"d": 59, "w": 36}
    ),
}


def truncated(value: Any, bits: int) -> Any:
    """Return `value` with `bits` significant bits (round to nearest)."""
    mantissa, exponent = mp.frexp(value)
    return mp.nint(mantissa * mpf(2) ** bits) * mpf(2) ** (exponent - bits)


def parts(value: Any, precision: str, *bits: int) -> list[float]:
    """Return `value` as a sum of numbers: those of `bits` bits each, then what is left."""
    found = []
    for count in bits:
        found.append(truncated(value, count))
        value -= found[-1]
    found.append(rounded(value, precision))
    return [float(x) for x in found]


def constants(precision: str) -> dict[str, list[float]]:
    """Return the constants that are split into parts, by name."""
    full = 24 if precision == "s" else 53
    short = 15 if precision == "s" else 41  # times an exponent it is exact
    return {
        "ln2": parts(mp.log(2), precision, short),
        "log10_2": parts(mp.log10(2), precision, short),
        "log2e": parts(1 / mp.log(2), precision, full),
        "log10e": parts(1 / mp.log(10), precision, full),
        "pi_2": parts(mp.pi / 2, precision, full, full, full),
        "pi": parts(mp.pi, precision, full),
        "two_over_pi": parts(2 / mp.pi, precision),
        "two_thirds": parts(mpf(2) / 3, precision, full),
        "digamma_root": parts(DIGAMMA_ROOT, precision, full),
        "half_log_2pi": parts(mp.log(2 * mp.pi) / 2, precision, full),
        "cbrt2": parts(mp.cbrt(2), precision, full),
    }


def two_over_pi_words() -> list[int]:
    """Return one word of zeros and then the bits of 2 / pi, 64 to a word."""
    with mp.workprec(1600):
        bits = int(mp.floor(2 / mp.pi * mpf(2) ** (64 * 21)))
    return [0] + [(bits >> (64 * (20 - i))) & (2**64 - 1) for i in range(21)]


def table(name: str) -> dict[str, tuple[list[float], float]]:
    """Return the polynomial of this name in each precision."""
    what = FITS[name]
    return {p: fit(what, p, bits) for p, bits in (what.bits or BITS).items()}


def main() -> int:
    """Print what is named, or write the whole file."""
    if sys.argv[1:]:
        for name in sys.argv[1:]:
            for precision, (coefficients, bits) in table(name).items():
                print(name, precision, f"2**-{bits:.1f}", coefficients)
        return 0
    lines = [
        '"""Polynomials and constants of the vector mathematics: written by tools/coefficients.py.',
        "",
        "Coefficients from the lowest power up. The comment is the bound of the relative error",
        'that the polynomial brings into the result. The precisions: "d" double, "s" single,',
        '"w" double arithmetic for a single result. The file is long because it is one table.',
        '"""',
        "",
        "POLYNOMIALS: dict[str, dict[str, tuple[float, ...]]] = {",
    ]
    for name in FITS:
        print(name, flush=True)
        lines.append(f'    "{name}": {{')
        for precision, (coefficients, bits) in table(name).items():
            lines.append(f'        "{precision}": (  # 2**-{bits:.1f}')
            lines += [f"            {c!r}," for c in coefficients]
            lines.append("        ),")
        lines.append("    },")
    lines += ["}", "", "CONSTANTS: dict[str, dict[str, tuple[float, ...]]] = {"]
    for precision in ("d", "s"):
        lines.append(f'    "{precision}": {{')
        for name, numbers in constants(precision).items():
            lines.append(f'        "{name}": (')
            lines += [f"            {x!r}," for x in numbers]
            lines.append("        ),")
        lines.append("    },")
    lines += ["}", 'CONSTANTS["w"] = CONSTANTS["d"]', ""]
    lines += ["# A word of zeros, then the bits of 2 / pi.", "TWO_OVER_PI: tuple[int, ...] = ("]
    lines += [f"    0x{word:016X}," for word in two_over_pi_words()]
    lines += [")", ""]
    TARGET.write_text("\n".join(lines), encoding="utf-8")
    print(f"{TARGET.name} written")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
