"""Every float32 there is, through every function of one operand: the largest error in ulp.

The reference is the same function in float64: the whole is one compiled loop, some ten seconds for
2**32 operands. The reference is compared with NumPy and SciPy at every 61st. Each test writes its
row into docs/reports/vectormath.md; to run some of them:

    python -m pytest -m exhaustive tests/exhaustive/test_vectormath.py -k "exp or log"
"""

import fcntl
import platform
import re
from pathlib import Path

import numpy as np
import pytest

from gradtape.backends.llvm.bounds import BOUNDS
from gradtape.backends.llvm.library import ARITIES
from gradtape.backends.llvm.loops import MapFunction, function_of
from gradtape.backends.llvm.scalars import Scalars
from tests.backends.llvm.truth import DOUBLE, errors, sweep

REPORT = Path(__file__).resolve().parents[2] / "docs" / "reports" / "vectormath.md"
HEAD = """# Float32 functions on all their operands

Written by `tests/exhaustive/test_vectormath.py`: all 2\u00b3\u00b2 float32 through each function of
one operand, against the same function in float64, which is held to NumPy and SciPy at every 61st
of them (and to mpmath elsewhere). Errors in ulp; the bounds are those of
`src/gradtape/backends/llvm/bounds.py`.

| function | bound | largest error | at | mean error | machine |
|---|---|---|---|---|---|
"""
UNARY = [name for name in BOUNDS if ARITIES[name] == 1]
BESIDE_ONE = {"gammaln", "digamma"}
BLOCK = 1 << 16


def error_in_ulp(builder, got, want, floor):
    """|got - want| in ulp of the larger of want and `floor`; infinite for a wrong NaN or zero."""
    single, double = Scalars(builder, np.float32), Scalars(builder, np.float64)
    whole = Scalars(builder, np.int64)

    def held(x):
        # What overflows is as if the next number after the largest were there.
        top = double.const(2.0**128)
        return double.fmax(double.fmin(x, top), double.neg(top))

    wide = held(single.cast(got, np.float64))
    near = held(double.cast(single.cast(double.cast(want, np.float32), np.float64), np.float64))
    size = double.fmin(double.maximum(double.abs(near), floor), double.const(2.0**127))
    size = double.fmax(size, double.const(2.0**-126))
    bits = builder.bitcast(size, whole.type)
    power = builder.and_(bits, whole.const(0x7FF << 52))
    step = double.mul(builder.bitcast(power, double.type), double.const(2.0**-23))
    error = double.div(double.abs(double.sub(wide, held(want))), step)
    zero = double.and_(
        double.eq(want, double.const(0)), double.xor(double.signbit(want), single.signbit(got))
    )
    neither = double.and_(double.isnan(want), single.isnan(got))
    one = double.xor(double.isnan(want), single.isnan(got))
    error = double.select(double.or_(zero, one), double.const(np.inf), error)
    return [double.select(neither, double.const(0), error)]


def in_ulp():
    return MapFunction(error_in_ulp, [np.float32, np.float64, np.float64], [np.float64])


def write(row: str, name: str) -> None:
    """Put a row into the report, in the order of BOUNDS."""
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    with open(REPORT, "a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        rows = dict(re.findall(r"^(?=\| (\w+) \| [\d.]+ \|)(.*)$", file.read(), re.M))
        rows[name] = row
        file.seek(0)
        file.truncate()
        file.write(HEAD + "".join(rows[key] + "\n" for key in UNARY if key in rows))


def test_the_measure_itself():
    """Against the errors that the fast tests compute with NumPy."""
    (x,) = sweep("exp", 2000)
    with np.errstate(all="ignore"):
        want = np.exp(x)
        got = np.nextafter(np.exp(x.astype(np.float32)), np.float32(np.inf))
    found = in_ulp()(got, want, np.zeros(len(x)))
    inside = (np.abs(want) < 3e38) & (np.abs(want) > 1e-44)
    assert np.allclose(found[inside], errors(got, want)[inside], rtol=1e-6)
    assert 0.9 < np.median(found[inside]) < 1.6
    bad = in_ulp()(np.float32([0.0, np.nan, 1.0, np.inf, -np.inf, np.nan]),
                   np.array([-0.0, 1.0, np.nan, np.inf, np.inf, np.nan]), np.zeros(6))  # fmt: skip
    assert np.isinf(bad[:3]).all()
    assert bad[3] == 0
    assert bad[4] > 1e6
    assert bad[5] == 0


def errors_of(name, floor):
    """The error of a float32 function against the float64 one, in one compiled loop."""

    def build(builder, x):
        single, double = Scalars(builder, np.float32), Scalars(builder, np.float64)
        got = getattr(single, name)(x)
        want = getattr(double, name)(single.cast(x, np.float64))
        (error,) = error_in_ulp(builder, got, want, double.const(floor))
        return [double.cast(error, np.float32), error]

    return MapFunction(build, [np.float32], [np.float32], sums=[np.float64])


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", UNARY)
def test_all_float32(name):
    measures = errors_of(name, 0.0), errors_of(name, 1.0)
    largest, at, total, negative = 0.0, 0.0, 0.0, 0.0
    error, count = np.empty(BLOCK, np.float32), np.zeros((), np.float64)
    bits = np.arange(BLOCK, dtype=np.uint32)
    x = bits.view(np.float32)
    for start in range(0, 1 << 32, BLOCK):
        below = name in BESIDE_ONE and start >= 1 << 31
        measures[below].run(x.ctypes.data, error.ctypes.data, count.ctypes.data, BLOCK)
        worst = error.max()  # a NaN if there is one
        total += float(count)
        if below:
            negative = worst if not worst <= negative else negative
        elif not worst <= largest:
            largest, at = float(worst), float(x[error.argmax()])
        bits += np.uint32(BLOCK)
    bound = BOUNDS[name].single
    note = f"; x < 0: {negative:.2f} ulp of max(1, \\|result\\|)" if name in BESIDE_ONE else ""
    machine = f"{platform.machine()}, {measures[0].program.machine.width} bits"
    write(f"| {name} | {bound} | {largest:.4f}{note} | {at!r} | {total / 2**32:.4f} | {machine} |",
          name)  # fmt: skip
    assert largest <= bound, at
    assert negative <= 16


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", UNARY)
def test_the_reference(name):
    """The float64 functions at every 61st float32, against NumPy and SciPy."""
    function = function_of(name, np.float64)
    with np.errstate(all="ignore"):
        for start in range(0, 1 << 32, 61 * BLOCK):
            index = np.arange(start, min(start + 61 * BLOCK, 1 << 32), 61, dtype=np.uint64)
            x = index.astype(np.uint32).view(np.float32).astype(np.float64)
            got, want = function(x), DOUBLE[name](x)
            scale = np.abs(want)
            if name in BESIDE_ONE:
                # SciPy's digits next to poles and zeros are fewer.
                scale = np.maximum(scale, 1.0) * (1 + 1e4 * (x < 0))
            assert np.array_equal(np.isnan(got), np.isnan(want))
            if name == "erfc":  # SciPy gives 0 where the result is below the normal numbers
                want[(want == 0) & (got < np.finfo(np.float64).tiny)] = np.nan
            near = np.maximum(1e-13 * scale, 2 * np.finfo(np.float64).smallest_subnormal)
            right = (got == want) | np.isnan(want) | (np.abs(got - want) <= near)
            assert right.all(), (x[~right][:3], got[~right][:3], want[~right][:3])
