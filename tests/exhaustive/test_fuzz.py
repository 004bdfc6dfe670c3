"""Long fuzzing: random NumPy programs and random calls, against NumPy and central differences.

A program is a list of steps over a pool of arrays: arithmetic with broadcasting, reductions,
moves, joins, indexing, products, copies that are written to, and writes through views. The same
code runs on arrays, which gives the values and the differences, and on Variables under tapes.
"""

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import gradtape as gt
from gradtape.testing import op_case

pytestmark = pytest.mark.exhaustive
DONE = dict.fromkeys(("variants", "kinks"), "the lines of tests/ops look there")
LARGEST = 48  # elements of an array in the pool
LONG = {"deadline": None, "suppress_health_check": list(HealthCheck)}

# --------------------------------------------------------------------------------- steps
# Each takes the pool's arrays x and y and two small numbers; None where it does not apply.


def pick(x, i, axes=1):
    """An axis of x by number, or None if x has too few."""
    return i % x.ndim if x.ndim >= axes else None


def fitting(x, y):
    """Whether x and y broadcast together to something small."""
    try:
        return np.prod(np.broadcast_shapes(x.shape, y.shape), dtype=int) <= LARGEST
    except ValueError:
        return False


def binary(function):
    return lambda x, y, i, j: function(x, y) if fitting(x, y) else function(np.sum(x) * 0.1, y)


def along(function):
    def step(x, y, i, j):
        axis = pick(x, i)
        return None if axis is None else function(x, axis, j)

    return step


def copied_and_written(x, y, i, j):
    z = x * 1
    if z.ndim == 0 or z.shape[0] == 0:
        return None
    place = [0, slice(None, None, 2), [-1], np.arange(z.shape[0]) % 2 == 0, Ellipsis][i % 5]
    value = np.sum(y) * 0.1 if j % 2 else np.sin(z[place])
    if j % 3 == 0:
        z[place] = value
    elif j % 3 == 1:
        z[place] += value
    else:
        z[place] *= value
    return z


def written_through_a_view(x, y, i, j):
    z = x * 1
    if z.ndim == 0:
        return None
    views = [z[::-1], np.reshape(z, -1), np.transpose(z), z[..., :1], np.swapaxes(z, 0, -1)]
    view = views[i % 5]
    before = z[...] * 2
    if j % 2:
        view *= np.cos(np.sum(y))
    else:
        view[...] = view * view + 0.1
    return z + before


def indexed(x, y, i, j):
    if x.ndim == 0 or x.shape[0] == 0:
        return None
    n = x.shape[0]
    mask = np.arange(n) % 2 == j % 2
    return x[[i % n, slice(None, None, -1), [i % n, j % n, i % n], mask, (Ellipsis, None),
              (slice(None), None)][(i + j) % 6]]  # fmt: skip


def product(x, y, i, j):
    if not 1 <= x.ndim <= 2 or not x.size:
        return None
    return np.matmul(x, np.transpose(x)) if i % 2 else np.einsum("...i,...i->...", x, x)


def joined(x, y, i, j):
    if x.ndim == 0 or 3 * x.size > LARGEST:
        return None
    parts = [x, np.sin(x), x * 0.5]
    axis = i % x.ndim
    return np.stack(parts, axis) if j % 2 else np.concatenate(parts, axis)


def padded(x, y, i, j):
    if x.ndim == 0 or 0 in x.shape or x.size > LARGEST // 4 or x.ndim > 2:
        return None
    mode = ["constant", "edge", "wrap", "symmetric", "mean", "linear_ramp"][j % 6]
    return np.pad(x, 1, mode)


def sorted_by(x, y, i, j):
    axis = pick(x, i)
    if axis is None:
        return None
    order = np.argsort(np.cos(np.arange(x.shape[axis]) * (j + 1)))
    return np.take(x, order, axis=axis)


STEPS = [
    lambda x, y, i, j: np.sin(x),
    lambda x, y, i, j: np.tanh(x),
    lambda x, y, i, j: np.exp(-x * x),
    lambda x, y, i, j: np.sqrt(1.0 + x**2),
    lambda x, y, i, j: np.log1p(np.square(x)),
    lambda x, y, i, j: 1 / (2.0 + np.cos(x)),
    lambda x, y, i, j: np.arctan2(x, 3.0),
    binary(np.add), binary(np.subtract), binary(np.multiply), binary(np.logaddexp),
    binary(lambda x, y: x / (1.5 + np.sin(y))),
    binary(lambda x, y: np.hypot(x, 2.0 + np.cos(y))),
    binary(lambda x, y: np.where(np.arange(1) == 0, x, y) + np.where([False], x, y * 0.5)),
    along(lambda x, axis, j: np.sum(x, axis=axis, keepdims=bool(j % 2))),
    along(lambda x, axis, j: np.mean(x, axis=axis, keepdims=bool(j % 2)) if x.size else None),
    along(lambda x, axis, j: np.var(x, axis=axis, ddof=0) if x.size else None),
    along(lambda x, axis, j: np.prod(np.cos(x), axis=axis)),
    along(lambda x, axis, j: np.cumsum(x, axis=axis) if j % 2 else np.cumprod(np.cos(x), axis)),
    along(lambda x, axis, j: np.diff(x, axis=axis)),
    along(lambda x, axis, j: np.roll(x, j, axis) if j % 2 else np.flip(x, axis)),
    along(lambda x, axis, j: np.moveaxis(x, axis, j % x.ndim)),
    along(lambda x, axis, j: np.repeat(x, 2, axis) if 2 * x.size <= LARGEST else None),
    along(lambda x, axis, j: np.expand_dims(x, axis) if x.ndim < 4 else None),
    along(lambda x, axis, j: np.multiply.accumulate(np.cos(x), axis)),
    along(lambda x, axis, j: np.trapezoid(x, axis=axis)),
    lambda x, y, i, j: np.ravel(x) if i % 2 else np.transpose(x),
    lambda x, y, i, j: np.squeeze(x),
    lambda x, y, i, j: np.broadcast_to(x, (2, *x.shape)) if 2 * x.size <= LARGEST else None,
    copied_and_written, written_through_a_view, indexed, product, joined, padded, sorted_by,
]  # fmt: skip
NUMBER = st.integers(0, 11)
PROGRAM = st.lists(st.tuples(st.integers(0, len(STEPS) - 1), NUMBER, NUMBER, NUMBER, NUMBER),
                   min_size=1, max_size=9)  # fmt: skip
SHAPE = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)
SEED = st.integers(0, 2**16)


def loss_of(program, *sources):
    """The program's last arrays, all in one number."""
    pool = list(sources)
    for which, a, b, i, j in program:
        x, y = pool[a % len(pool)], pool[b % len(pool)]
        z = STEPS[which](x, y, i, j)
        if z is not None and z.ndim <= 4 and z.size <= LARGEST:
            pool.append(np.tanh(z) if which % 3 == 0 else z * 0.7)
    total = 0.0
    for n, x in enumerate(pool):
        total = total + np.sum(np.sin(x) * (1 + 0.1 * n))
    return total


def drawn(rng, shape, dtype=np.float64):
    return np.asarray(rng.uniform(-1.2, 1.2, shape), dtype)


def slope(function, h=1e-4):
    """Richardson's extrapolation of central differences at 0."""
    def central(h):
        return (function(h) - function(-h)) / (2 * h)

    return (4 * central(h) - central(2 * h)) / 3


def gradients(program, sources, dtype=np.float64):
    variables = [gt.Variable(x, dtype=dtype) for x in sources]
    with gt.GradientTape() as tape:
        loss = loss_of(program, *variables)
    return loss, tape.gradient(loss, variables)


def close(found, expected, tolerance):
    assert abs(found - expected) <= tolerance * (1 + abs(expected)), (found, expected)


# ------------------------------------------------------------------------------ programs


@given(PROGRAM, SHAPE, SHAPE, SEED)
@settings(max_examples=12000, **LONG)
def test_gradients_of_programs(program, first, second, seed):
    """Value, gradient along a direction, the same under two tapes at once and in the shapes."""
    rng = np.random.default_rng(seed)
    sources = [drawn(rng, first), drawn(rng, second)]
    steps = [drawn(rng, first), drawn(rng, second)]
    loss, found = gradients(program, sources)
    np.testing.assert_allclose(loss.value, loss_of(program, *sources), rtol=1e-12, atol=1e-12)

    def moved(h):
        return loss_of(program, *(x + h * d for x, d in zip(sources, steps, strict=True)))

    along = 0.0
    for g, x, d in zip(found, sources, steps, strict=True):
        assert g.shape == x.shape and g.dtype == x.dtype
        assert np.all(np.isfinite(g.value))
        along += np.sum(g.value * d)
    close(along, slope(moved), 2e-7)

    variables = [gt.Variable(x) for x in sources]
    with gt.GradientTape() as one, gt.GradientTape(persistent=True) as two:
        loss = loss_of(program, *variables)
        inside = two.gradient(loss, variables)  # recorded by `one` as well
    for gs in (one.gradient(loss, variables), two.gradient(loss, variables), inside):
        for g, h in zip(gs, found, strict=True):
            np.testing.assert_allclose(g.value, h.value, rtol=1e-10, atol=1e-10)


@given(PROGRAM, SHAPE, SHAPE, SEED)
@settings(max_examples=5000, **LONG)
def test_second_derivatives_of_programs(program, first, second, seed):
    """The gradient of <gradient, d>, by nested tapes, against differences of gradients."""
    rng = np.random.default_rng(seed)
    sources = [drawn(rng, first), drawn(rng, second)]
    steps = [drawn(rng, first), drawn(rng, second)]
    variables = [gt.Variable(x) for x in sources]
    with gt.GradientTape() as outer:
        with gt.GradientTape() as inner:
            loss = loss_of(program, *variables)
        found = inner.gradient(loss, variables)
        along = sum(np.sum(g * d) for g, d in zip(found, steps, strict=True))
    seconds = outer.gradient(along, variables, unconnected_gradients="zero")

    def moved(h):
        at = [x + h * d for x, d in zip(sources, steps, strict=True)]
        _, gs = gradients(program, at)
        return sum(np.sum(g.value * d) for g, d in zip(gs, steps, strict=True))

    exact = sum(np.sum(s.value * d) for s, d in zip(seconds, steps, strict=True))
    close(exact, slope(moved), 2e-6)


@given(PROGRAM, SHAPE, SHAPE, SEED)
@settings(max_examples=4000, **LONG)
def test_single_precision_of_programs(program, first, second, seed):
    """float32 stays float32, and is the double gradient to its precision."""
    rng = np.random.default_rng(seed)
    sources = [drawn(rng, first, np.float32), drawn(rng, second, np.float32)]
    _, narrow = gradients(program, sources, np.float32)
    _, wide = gradients(program, [x.astype(np.float64) for x in sources])
    for g, h in zip(narrow, wide, strict=True):
        assert g.dtype == np.float32
        scale = 1 + np.max(np.abs(h.value), initial=0)
        np.testing.assert_allclose(g.value, h.value, rtol=0, atol=2e-4 * scale)


# --------------------------------------------------------------------------------- calls

POSITIVE = (0.5, 2.0)
SMOOTH = {
    np.add: (-2, 2), np.subtract: (-2, 2), np.multiply: (-2, 2), np.divide: POSITIVE,
    np.negative: (-2, 2), np.reciprocal: POSITIVE, np.square: (-2, 2), np.sqrt: POSITIVE,
    np.cbrt: POSITIVE, np.hypot: POSITIVE, np.exp: (-2, 2), np.exp2: (-2, 2), np.expm1: (-2, 2),
    np.log: POSITIVE, np.log2: POSITIVE, np.log10: POSITIVE, np.log1p: POSITIVE,
    np.logaddexp: (-2, 2), np.logaddexp2: (-2, 2), np.sin: (-3, 3), np.cos: (-3, 3),
    np.tan: (-1, 1), np.arcsin: (-0.9, 0.9), np.arccos: (-0.9, 0.9), np.arctan: (-2, 2),
    np.sinh: (-2, 2), np.cosh: (-2, 2), np.tanh: (-2, 2), np.arcsinh: (-2, 2),
    np.arccosh: (1.2, 3), np.arctanh: (-0.9, 0.9), np.arctan2: POSITIVE, np.power: POSITIVE,
}  # fmt: skip
NOT_COMPLEX = {np.cbrt, np.hypot, np.logaddexp, np.logaddexp2, np.arctan2, np.arccosh, np.log1p}


@given(st.data(), st.sampled_from(sorted(SMOOTH, key=str)), SEED)
@settings(max_examples=6000, **LONG)
def test_ufuncs_of_any_shapes(data, ufunc, seed):
    """Every slot of op_case on shapes that broadcast in any way."""
    shapes = data.draw(
        hnp.mutually_broadcastable_shapes(num_shapes=ufunc.nin, max_dims=3, min_side=0, max_side=3)
    ).input_shapes
    calls = [shapes if ufunc.nin > 1 else shapes[0]]
    op_case(ufunc, domain=SMOOTH[ufunc], calls=calls, seed=seed,
            complex=ufunc not in NOT_COMPLEX and data.draw(st.booleans()),
            skip=DONE).check()  # fmt: skip


REDUCTIONS = [np.sum, np.mean, np.prod, np.var, np.max, np.min, np.nansum, np.nanmean, np.ptp,
              np.median, np.logaddexp.reduce, np.linalg.norm]  # fmt: skip


@given(st.data(), st.sampled_from(REDUCTIONS), SEED)
@settings(max_examples=5000, **LONG)
def test_reductions_over_any_axes(data, function, seed):
    """Any axis or axes, kept or not, any part of the elements; distinct elements, so no ties."""
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=4, max_side=3))
    if function is np.linalg.norm:  # of vectors
        axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    else:
        axis = data.draw(st.none() | st.integers(-len(shape), len(shape) - 1)
                         | hnp.valid_tuple_axes(len(shape), min_size=1))  # fmt: skip
    kwargs = {"axis": axis, "keepdims": data.draw(st.booleans())}
    if function in (np.sum, np.mean, np.prod, np.var) and data.draw(st.booleans()):
        mask = np.ones(shape, bool)
        mask.flat[:: max(2, mask.size // 2)] = False
        if np.all(np.any(mask, axis=axis)):
            kwargs["where"] = mask
    op_case(function, domain=(0.3, 2.0), calls=[shape], kwargs=[kwargs], nin=1, seed=seed,
            tolerance={"value": 1e-13}, skip=DONE).check()  # fmt: skip


@given(st.data(), SEED)
@settings(max_examples=5000, **LONG)
def test_reads_and_writes_at_any_index(data, seed):
    """Basic and advanced indices of any kind, read and written."""
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=3, max_side=4))
    basic = hnp.basic_indices(shape, allow_newaxis=True)
    lists = hnp.integer_array_indices(shape, result_shape=hnp.array_shapes(max_dims=2, max_side=3))
    masks = hnp.arrays(bool, shape)
    index = data.draw(basic | lists | masks)

    def read(x):
        return x[index]

    def write(x, v):
        y = x * 1
        y[index] = v
        return y

    slot = np.zeros(shape)[index].shape
    op_case(read, name="read", calls=[shape], seed=seed, skip=DONE).check()
    value = data.draw(st.sampled_from([slot, (), slot[-1:]]))
    op_case(write, name="write", calls=[(shape, value)], seed=seed, skip=DONE).check()
