"""Bincount and the histograms: linear in the weights, without a derivative in the data."""

from __future__ import annotations

import numpy as np
import pytest

import gradtape as gt
from gradtape.testing import op_case
from tests.ops.untraced import SHAPE, untraced

PLACES = np.array([0, 3, 1, 3, 0])
VALUES = np.array([0.1, 0.25, 0.5, 0.9, 1.0, -0.5, 0.5])
OTHER = np.array([0.3, 0.2, 0.9, 0.4, 0.35, 0.1, 0.0])
UNEVEN = [-1, 0.2, 0.6, 0.7, 1]
EDGES = np.array([0.0, 0.3, 0.5, 1.0])


def histogram(w, **kwargs):
    """The histogram of fixed values by weights, without its edges."""
    return np.histogram(VALUES, weights=w, **kwargs)[0]


def histogram2d(w, **kwargs):
    return np.histogram2d(VALUES, OTHER, weights=w, **kwargs)[0]


def histogramdd(w, **kwargs):
    return np.histogramdd(np.stack([VALUES, OTHER, VALUES], axis=1), weights=w, **kwargs)[0]


POSITIVE = (0.5, 1.5)
BINS = ({}, {"bins": EDGES}, {"bins": 3, "range": (0.0, 0.95)}, {"bins": EDGES, "density": True})
FINITE = {f"variants: operand 0 {what}": "0 times a NaN falls into no bin"
          for what in ("with a NaN", "of NaN")}  # fmt: skip
CASES = [
    op_case(lambda w, **k: np.bincount(PLACES, w, **k), name="bincount", calls=((5,),),
            kwargs=({}, {"minlength": 6}, {"minlength": 2})),
    # numbers of elements, which have no derivative, as factors
    op_case(lambda w: w[:3] * np.bincount((w * 0).astype(int) + [0, 2, 1, 2, 2]), calls=((5,),),
            name="bincount of a Tensor", skip=FINITE),
    op_case(lambda w: w[:3] * np.histogram(w * 0 + VALUES, 3)[0], calls=((7,),),
            name="histogram of a Tensor", skip=FINITE),
    op_case(lambda w: w[:4].reshape(2, 2) * np.histogram2d(w * 0 + VALUES, OTHER, 2)[0],
            calls=((7,),), name="histogram2d of a Tensor", skip=FINITE),
    op_case(lambda w: w[:2] * np.histogramdd((w * 0 + VALUES)[:, None], 2)[0], calls=((7,),),
            name="histogramdd of a Tensor", skip=FINITE),
    op_case(histogram, calls=((7,),), domain=POSITIVE, kwargs=BINS, complex=True,
            skip={"variants: operand 0 of NaN": "NumPy takes differences of running sums"}),
    op_case(histogram2d, calls=((7,),), domain=POSITIVE, refused=[((7,), {"bins": [5]})], kwargs=(
        {"bins": 3}, {"bins": [2, EDGES]}, {"bins": EDGES}, {"bins": 2, "density": True},
        {"bins": [EDGES, 2], "density": True},
        {"bins": 2, "range": [[0, 1], [0, 0.5]]})),
    op_case(histogramdd, calls=((7,),), domain=POSITIVE, kwargs=(
        {"bins": 2}, {"bins": (2, 3, 1)}, {"bins": (EDGES, 2, UNEVEN), "density": True})),
]  # fmt: skip
untraced(CASES, SHAPE, "bincount.*", "histogram.*")

NONDIFFERENTIABLE = [
    (np.bincount, (PLACES,)), (np.bincount, (PLACES, [1.0, 2, 3, 4, 5])),
    (np.histogram, (VALUES,)), (np.histogram, (VALUES, 3, None, True)),
    (np.histogram_bin_edges, (VALUES, 4)), (np.histogram2d, (VALUES, OTHER, 2)),
    (np.histogramdd, (np.stack([VALUES, OTHER], axis=1), 2)),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_op(case):
    case.check()


@pytest.mark.parametrize(("function", "args"), NONDIFFERENTIABLE)
def test_what_has_no_derivative_gives_numpys_value_and_says_so(function, args):
    with gt.GradientTape() as tape:
        x = tape.watch(args[0].astype(float)) if function is not np.bincount else gt.array(args[0])
        found = function(x, *args[1:])
        expected = function(*args)
    found = found[0] if isinstance(found, tuple) else found
    expected = expected[0] if isinstance(expected, tuple) else expected
    np.testing.assert_array_equal(found.value, expected)
    assert found.key == 0
    if function is not np.bincount:
        assert found.why[0] == "nondifferentiable"
        with pytest.warns(gt.errors.GradientWarning):
            assert tape.gradient(found.astype(float), x) is None


def test_each_weight_of_bincount_gets_the_gradient_of_its_place():
    with gt.GradientTape() as tape:
        w = tape.watch(np.ones(5, np.float32))
        y = np.bincount(PLACES, w, minlength=6)
    assert y.dtype == np.float64
    g = tape.gradient(y, w, output_gradients=np.arange(6.0))
    assert g.dtype == np.float32
    np.testing.assert_array_equal(g.value, [0, 3, 1, 3, 0])


def test_values_outside_the_range_have_gradient_zero_and_the_last_edge_counts():
    with gt.GradientTape() as tape:
        w = tape.watch(np.ones(7))
        y, edges = np.histogram(VALUES, EDGES, weights=w)
    np.testing.assert_array_equal(edges, EDGES)
    g = tape.gradient(y, w, output_gradients=np.array([1.0, 2.0, 3.0])).value
    np.testing.assert_array_equal(g, [1, 1, 3, 3, 3, 0, 3])


def test_bad_weights_are_refused():
    w = gt.array([1.0, 2.0])
    with pytest.raises(ValueError, match="same length"):
        np.bincount(PLACES, w)
    with pytest.raises(TypeError, match="weights are complex128"):
        np.bincount([0, 1], gt.array([1j, 2]))
    with pytest.raises(ValueError, match="same shape"):
        np.histogram(VALUES, weights=w)
