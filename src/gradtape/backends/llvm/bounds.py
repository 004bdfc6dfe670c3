"""The error bounds of the functions of mathematics, in ulp: what tests hold, and accuracy.md says.

An ulp is the distance of two neighbouring numbers of the format at the exact result, rounded to
the format; a correctly rounded result has at most 0.5. Float32 functions of one operand are
measured on all of their 2**32 operands, the others and float64 on sweeps; a bound is what was
measured, with room for what was not.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["BOUNDS", "Bound", "page"]


class Bound(NamedTuple):
    """The bound for float32 and for float64, and what is to be said of it."""

    single: float
    double: float
    note: str = ""


NEAR_ZEROS = (
    "where x < 0: 16 ulp of max(1, |result|), since the zeros there are no numbers of the format"
)

BOUNDS: dict[str, Bound] = {
    "exp": Bound(1, 1),
    "exp2": Bound(1, 1),
    "expm1": Bound(1.5, 1.75),
    "log": Bound(1, 1),
    "log2": Bound(1, 1),
    "log10": Bound(1, 1),
    "log1p": Bound(1.5, 1),
    "sin": Bound(1, 1, "all arguments, up to the largest"),
    "cos": Bound(1, 1, "all arguments, up to the largest"),
    "tan": Bound(1.25, 1, "all arguments, up to the largest"),
    "sinh": Bound(2, 2),
    "cosh": Bound(2, 2),
    "tanh": Bound(1, 1),
    "arcsin": Bound(1, 1),
    "arccos": Bound(1, 1),
    "arctan": Bound(2, 1.5),
    "arctan2": Bound(2, 2),
    "arcsinh": Bound(1.75, 1.5),
    "arccosh": Bound(1.75, 1.5),
    "arctanh": Bound(1.75, 1.5),
    "hypot": Bound(1, 1),
    "cbrt": Bound(1, 1),
    "power": Bound(1.5, 1.25),
    "erf": Bound(1.25, 1.25),
    "erfc": Bound(1, 2),
    "sigmoid": Bound(1.25, 1.25),
    "softplus": Bound(2, 2),
    "logaddexp": Bound(2.5, 2.5, "of max(|result|, |x|, |y|): the sum of two terms may cancel"),
    "gammaln": Bound(1, 4, NEAR_ZEROS),
    "digamma": Bound(1, 4, NEAR_ZEROS),
}


def page() -> str:
    """Return accuracy.md, the table of the bounds; a test holds the file to it."""
    lines = [
        "# Accuracy of the vector mathematics",
        "",
        "The largest error of each function in ulp, float32 and float64. An ulp is the distance of "
        "neighbouring numbers at the exact result; 0.5 is correct rounding. Measured against "
        "mpmath (float64: sweeps over all powers of two, NumPy's sets of hard cases, arguments "
        "next to multiples of pi/2) and, for float32 functions of one operand, on all of "
        "them (2**32) where `docs/reports/vectormath.md` has a row, else on a sample. NaN, "
        "infinities, "
        "signed zeros, subnormals, overflow and underflow are NumPy's (SciPy's for erf, erfc, "
        "gammaln and digamma, but for log gamma of subnormals, which is finite here).",
        "",
        "| function | float32 | float64 | |",
        "|---|---|---|---|",
    ]
    lines += [f"| {name} | {b.single} | {b.double} | {b.note} |" for name, b in BOUNDS.items()]
    lines += ["", "`fmod` and `floor_divide` are exact, as NumPy's.", ""]
    return "\n".join(lines)
