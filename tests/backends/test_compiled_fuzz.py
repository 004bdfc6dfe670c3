"""Random programs of the operations that native code has, compiled against NumPy's run of them.

The fast suite takes a few dozen seeds, the slow job runs for ten minutes from a seed that the
clock gives. What a seed has found is kept in `FOUND`.
"""

import time

import numpy as np
import pytest

import gradtape as gt
import gradtape.ops  # the operations, which `gt` loads when it is first used

pytest.importorskip("llvmlite")
from gradtape.backends import numpy as oracle
from gradtape.backends.llvm import segments
from gradtape.core.aval import aval_of
from gradtape.core.tensor import raw
from gradtape.graph.check import verify
from gradtape.graph.ir import Constant, fill
from gradtape.graph.trace import trace
from tests.backends.haste import in_both_ways

pytestmark = pytest.mark.slow  # as a file

UNARY = [np.sin, np.cos, np.tanh, np.exp, np.negative, np.abs, np.square, np.arctan, np.sign,
         lambda x: np.sqrt(np.abs(x)), lambda x: np.log1p(x * x), lambda x: x**3, lambda x: x**0.5,
         lambda x: np.clip(x, -0.5, 0.5), np.floor, lambda x: x[()], lambda x: 1.0 / x]  # fmt: skip
BINARY = [np.add, np.subtract, np.multiply, np.divide, np.maximum, np.minimum, np.hypot,
          np.arctan2, np.logaddexp, lambda x, y: np.where(x > y, x, y * 2.0),
          lambda x, y: np.where(np.isfinite(x / y), x, y)]  # fmt: skip
FOUND: list[int] = [70063, 3019, 353401956]


def program(seed):
    """(function, operands) of a random program over arrays of one or two shapes."""
    rng = np.random.default_rng(seed)
    ndim = int(rng.integers(0, 4))
    shape = tuple(int(n) for n in rng.choice([1, 2, 3, 5, 17], size=ndim))
    if rng.random() < 0.1:
        shape = (int(rng.choice([5000, 9000, 40_000])),)
    dtype = rng.choice(["f4", "f8"])
    operands = []
    for _ in range(int(rng.integers(1, 4))):
        own = tuple(1 if rng.random() < 0.25 else n for n in shape)[int(rng.integers(0, 2)) :]
        operands.append(np.asarray(rng.normal(size=own), dtype)[()])
    choices = rng.random((12, 4))

    def f(*xs):
        values = list(xs)
        for kind, a, b, which in choices:
            x, y = (values[int(len(values) * r)] for r in (a, b))
            if kind < 0.4:
                values.append(UNARY[int(len(UNARY) * which)](x))
            elif kind < 0.85:
                y = y if _fit(x, y) else x
                values.append(BINARY[int(len(BINARY) * which)](x, y))
            elif np.ndim(x):
                axis = int(which * (np.ndim(x) + 1))
                over = None if axis == np.ndim(x) else axis
                values.append(np.sum(x, axis=over, keepdims=which > 0.5 and over is not None))
            else:
                values.append(x * 0.5)
        return [*values[-3:], sum(np.sum(v) for v in values[-3:])]

    return f, operands


def _fit(x, y):
    pairs = zip(np.shape(x)[::-1], np.shape(y)[::-1], strict=False)
    return all(m == n or 1 in (m, n) for m, n in pairs)


def compare(seed):
    f, operands = program(seed)

    def gradients(*xs):
        return gt.grad(lambda *xs: f(*xs)[-1], argnums=tuple(range(len(xs))))(*xs)

    for what in (f, gradients):
        traced, _ = trace(what, [aval_of(x) for x in operands], "fuzz")
        graph = verify(traced.graph)
        inputs = [*operands, *[raw(s) for s in traced.sources[len(operands) :]]]
        expected = oracle.compile_graph(graph)(inputs)
        found = in_both_ways(graph)(inputs)
        moved = [rounded_otherwise(graph, inputs, seed + k) for k in range(3)]
        given = segments.compile_graph(graph, given=range(len(operands)))
        away = given([np.array(x)[()] for x in inputs])
        for n, (x, y, z) in enumerate(zip(found, expected, away, strict=True)):
            assert (x.dtype, x.shape) == (y.dtype, y.shape), seed
            # LLVM may take a sum in another order where two pointers are one
            near = 1e-5 if y.dtype == np.float32 else 1e-11
            scale = np.max(np.abs(np.nan_to_num(x)), initial=0.0) if y.dtype.kind == "f" else 0
            np.testing.assert_allclose(
                z, x, rtol=near, atol=near * float(scale), err_msg=f"seed {seed}, donated"
            )
            if y.dtype.kind != "f":
                np.testing.assert_array_equal(x, y, err_msg=f"seed {seed}")
                continue
            with np.errstate(all="ignore"):
                size = np.max(np.abs(y[np.isfinite(y)]), initial=0.0)
                apart = np.stack([np.abs(run[n] - y) for run in moved])
                rounding = np.max(apart[np.isfinite(apart)], initial=0.0)
            # kinks and cancellation amplify the last bits; a wrong program is wrong by far more
            rtol = 2e-3 if y.dtype == np.float32 else 1e-8
            atol = max(rtol * size, 16 * rounding)  # it may be all that there is: seed 3019
            np.testing.assert_allclose(x, y, rtol=rtol, atol=atol, err_msg=f"seed {seed}")


def rounded_otherwise(graph, inputs, seed):
    """The results of NumPy's run where each operation is an ulp off, up or down."""
    rng = np.random.default_rng(seed)
    known = dict(zip(graph.inputs, inputs, strict=True))
    with np.errstate(all="ignore"):
        for node in graph.nodes:
            values = [v.data if isinstance(v, Constant) else known[v] for v in node.inputs]
            params = fill(node.params, values)
            found = node.op.impl(*values[: node.operands], **params)
            for value, x in zip(
                node.outputs, found if type(found) is tuple else (found,), strict=True
            ):
                x = np.asarray(x)
                if x.dtype.kind == "f":
                    off = rng.choice([-1.0, 1.0], size=x.shape) * np.finfo(x.dtype).eps
                    x = (x * (1.0 + off)).astype(x.dtype)
                known[value] = x[()]
    return [v.data if isinstance(v, Constant) else known[v] for v in graph.outputs]


def test_where_all_cancels_both_results_are_rounding():
    """Seed 3019: its second gradient is 0, and some 1e-16 in native code and by NumPy."""
    mpmath = pytest.importorskip("mpmath")
    f, (x, y) = program(3019)
    grad = gt.grad(lambda x, y: f(x, y)[-1], argnums=1)
    found = [grad(x, y), gt.function(grad, backend="llvm")(x, y)]

    def total(column, v):
        """The terms of `f` in which y[0, column] is."""
        v = 1 / v * v
        root = mpmath.sqrt(v)
        rows = [mpmath.log1p(mpmath.mpf(t) ** 2) for t in x[..., column].ravel()]
        return mpmath.atan2(root, v) + sum(mpmath.atan2(root, v + t) for t in rows)

    with mpmath.workdps(60):
        for column, v in enumerate(y[0]):
            v, h = mpmath.mpf(v), mpmath.mpf("1e-20")
            slope = (total(column, v + h) - total(column, v - h)) / (2 * h)
            assert abs(slope) < 1e-30
            for one in found:
                # 32 terms of at most 1/2, twice, times 1/y
                assert abs(one[0, column]) <= 32 * np.finfo(float).eps / abs(y[0, column])


@pytest.mark.filterwarnings("ignore::gradtape.errors.GradientWarning")  # floor, sign
@pytest.mark.parametrize("seed", [*range(24), *FOUND])
def test_random_programs_compiled_are_those_of_numpy(seed):
    compare(seed)


@pytest.mark.filterwarnings("ignore::gradtape.errors.GradientWarning")
@pytest.mark.exhaustive
def test_random_programs_for_ten_minutes():
    first = time.time_ns() % 10**9
    end, count = time.monotonic() + 600, 0
    while time.monotonic() < end:
        compare(first + count)
        count += 1
    print(f"{count} programs from seed {first}")
