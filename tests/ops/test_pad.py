"""np.pad in all its modes."""

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gradtape as gt
from gradtape.testing import op_case

WIDTHS = [((3,), 2), ((3,), [1, 4]), ((2, 3), [[1, 0], [2, 3]]), ((2, 3), [[0, 0], [0, 7]])]
PLAIN = [*WIDTHS, ((), 1), ((0, 2), 1)]


def case(mode, calls=WIDTHS, kwargs=({},), complex=False):
    kwargs = [{"mode": mode, **k} for k in kwargs]
    name = f"pad {mode}"
    skip = {}
    if mode == "median":
        skip["kinks"] = "elements that tie share the gradient of a median"
    if any("reflect_type" in k for k in kwargs):
        skip["variants: operand 0 with a NaN"] = "odd reflections are sums over their whole line"
    return op_case(np.pad, name=name, calls=calls, kwargs=kwargs, complex=complex, skip=skip)


BY_AXIS = np.lib.NumpyVersion(np.__version__) >= "2.2.0"


def around(line, width, axis, options):
    """A function for np.pad: multiples of what is next to the edge, other ones for each axis."""
    before, after = width
    factor = options.get("factor", 1.0) + axis
    if before:
        line[:before] = factor * line[before]
    if after:
        line[-after:] = 2 * factor * line[-after - 1]


STATISTICS = [{}, {"stat_length": 1}, {"stat_length": 2}, {"stat_length": ((1, 2),)}]
CASES = [
    case("constant", PLAIN, [{}, {"constant_values": 3.0}], complex=True),
    case("constant", [((2, 3), 1)], [{"constant_values": ((1.0, 2.0), (3.0, 4.0))}]),
    op_case(np.pad, name="pad default", calls=PLAIN),
    case("edge", complex=True),
    case("wrap", complex=True),
    case("reflect", kwargs=[{}, {"reflect_type": "odd"}], complex=True),
    case("symmetric", kwargs=[{}, {"reflect_type": "odd"}], complex=True),
    case("reflect", [((1, 3), 2)], [{}, {"reflect_type": "odd"}]),
    case("linear_ramp", kwargs=[{}, {"end_values": 2.0}, {"end_values": ((1.0, -1.0),)}]),
    case("mean", kwargs=STATISTICS, complex=True),
    case("maximum", kwargs=STATISTICS),
    case("minimum", kwargs=STATISTICS),
    case("median", kwargs=STATISTICS),
    op_case(lambda x, **k: np.pad(x, [[1, 2], [0, 3]], around, **k), name="pad by a function",
            calls=[(2, 3)], kwargs=[{}, {"factor": 3.0}],
            skip={"variants": "the widths are for two axes"}),
    op_case(lambda x: np.pad(x, [[1, 0], [0, 2], [2, 1]], around), name="pad by a function, 3 axes",
            calls=[(2, 3, 2)], skip={"variants": "the widths are for three axes"}),
    *([op_case(np.pad, name="pad by axis", nin=1,
               calls=[((2, 3), {1: 2}), ((2, 3), {0: (1, 0), -1: 3}), ((2, 3), {0: (2, 1)})],
               skip={"variants": "the widths are for two axes"})] if BY_AXIS else []),
    # tracked values around the array
    op_case(lambda x, c: np.pad(x, 2, constant_values=c), name="pad constant_values", nin=2,
            calls=[((3,), ()), ((2, 2), (2, 2)), ((2, 2), (2,)), ((2, 2), (2, 1))]),
    op_case(lambda x, e: np.pad(x, 2, "linear_ramp", end_values=e), name="pad end_values", nin=2,
            calls=[((3,), ()), ((2, 2), (2, 2))]),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_op(case):
    case.check()


LINEAR = [("constant", {}), ("edge", {}), ("wrap", {}), ("reflect", {}), ("symmetric", {}),
          ("reflect", {"reflect_type": "odd"}), ("symmetric", {"reflect_type": "odd"}),
          ("mean", {}), ("mean", {"stat_length": 2}), ("linear_ramp", {})]  # fmt: skip


@given(hnp.array_shapes(max_dims=3, max_side=4), st.sampled_from(LINEAR), st.data())
def test_any_shape_and_width(shape, mode, data):
    """Equal to NumPy's; and where P is linear, <P'w, x> = <w, P x>."""
    name, options = mode
    width = st.integers(0, 9)
    widths = data.draw(st.lists(st.tuples(width, width), min_size=len(shape), max_size=len(shape)))
    rng = np.random.default_rng(len(shape))
    value = rng.normal(size=shape)
    expected = np.pad(value, widths, name, **options)
    weight = rng.normal(size=expected.shape)
    x = gt.Variable(value)
    with gt.GradientTape() as tape:
        y = np.pad(x, widths, name, **options)
        loss = np.sum(y * weight)
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-12, atol=1e-12)
    g = tape.gradient(loss, x).numpy()
    scale = np.sum(np.abs(weight * expected)) + 1
    assert abs(np.sum(g * value) - np.sum(weight * expected)) <= 1e-12 * scale


@pytest.mark.parametrize("mode", ["constant", "edge", "linear_ramp", "maximum", "mean", "median",
                                  "minimum", "reflect", "symmetric", "wrap"])  # fmt: skip
def test_integers_are_padded_as_numpy_pads_them(mode):
    value = np.array([[1, 5, 2], [8, 3, 4]])
    x = gt.array(value)
    y = np.pad(x, ((1, 2), (3, 1)), mode)
    expected = np.pad(value, ((1, 2), (3, 1)), mode)
    assert y.dtype == expected.dtype
    np.testing.assert_array_equal(y.numpy(), expected)


def test_mode_empty_keeps_the_middle():
    x = gt.Variable([1.0, 2.0])
    with gt.GradientTape() as tape:
        y = np.pad(x, 1, "empty")
        loss = np.sum(y[1:3] ** 2)
    assert y.shape == (4,)
    np.testing.assert_array_equal(tape.gradient(loss, x).numpy(), [2.0, 4.0])


def test_a_function_fills_the_ends():
    def ends(vector, width, axis, options):
        vector[: width[0]] = options["scale"] * vector[width[0]]
        if width[1]:
            vector[-width[1] :] = vector[width[0]] * vector[-width[1] - 1]

    value = np.array([[2.0, 3.0], [4.0, 5.0]])
    expected = np.pad(value, ((0, 0), (1, 2)), ends, scale=3.0)
    x = gt.Variable(value)
    with gt.GradientTape() as tape:
        y = np.pad(x, ((0, 0), (1, 2)), ends, scale=3.0)
        loss = np.sum(y)
    np.testing.assert_array_equal(y.numpy(), expected)
    # each row: 3a + a + b + 2ab
    a, b = value[:, 0], value[:, 1]
    g = tape.gradient(loss, x).numpy()
    np.testing.assert_allclose(g, np.stack([4 + 2 * b, 1 + 2 * a], axis=1))
    assert np.pad(x, 1, ends, scale=3.0).tolist() == np.pad(value, 1, ends, scale=3.0).tolist()


def test_ties_of_maximum_share_the_gradient_evenly():
    x = gt.Variable([2.0, 2.0, 1.0])
    with gt.GradientTape() as tape:
        loss = np.sum(np.pad(x, (4, 0), "maximum")[:4])
    np.testing.assert_array_equal(tape.gradient(loss, x).numpy(), [2.0, 2.0, 0.0])


def test_no_padding_gives_a_copy():
    for mode in ("constant", "edge", "mean"):
        x = gt.array([1.0, 2.0])
        y = np.pad(x, 0, mode)
        y[0] = 5.0
        assert x.tolist() == [1.0, 2.0]


def test_widths_by_axis():
    if np.lib.NumpyVersion(np.__version__) < "2.3.0":
        pytest.skip("a dictionary of widths came with NumPy 2.3")
    value = np.ones((2, 3))
    for widths in ({0: 1}, {-1: (1, 2)}):
        found = np.pad(gt.array(value), widths)
        np.testing.assert_array_equal(found.numpy(), np.pad(value, widths))


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda x: np.pad(x, -1), ValueError),
        (lambda x: np.pad(x, 1.5), TypeError),
        (lambda x: np.pad(x, 1, "nonsense"), ValueError),
        (lambda x: np.pad(x, 1, "edge", constant_values=1), ValueError),
        (lambda x: np.pad(x[:0], 1, "edge"), ValueError),
        (lambda x: np.pad(x, 1, "maximum", stat_length=0), ValueError),
        (lambda x: np.pad(x, ((1, 2), (3, 4), (5, 6))), ValueError),
    ],
)
def test_what_numpy_refuses_is_refused_in_the_same_class(call, error):
    plain = np.arange(6.0).reshape(2, 3)
    with pytest.raises(error):
        call(plain)
    with pytest.raises(error):
        call(gt.array(plain))
