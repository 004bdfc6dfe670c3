"""Every keyword argument of every ufunc, against NumPy: value, dtype, memory layout, refusals."""

import numpy as np
import pytest

import gradtape as gt
import gradtape.ops  # fills the tables
from gradtape.core.registry import UFUNCS

X = np.linspace(-1.1, 1.3, 12).reshape(3, 4)
MASK = np.arange(12).reshape(3, 4) % 2 == 0
CORE = {
    "matmul": (X, X.T.copy()),
    "vecdot": (X, X + 1),
    "matvec": (X, X[0]),
    "vecmat": (X[:, 0], X),
}
PLAIN = sorted(
    (u for u in UFUNCS if isinstance(u, np.ufunc) and not u.signature and u is not np.isnat),
    key=lambda u: u.__name__,
)


def operands_of(ufunc):
    """Operands inside the domain of `ufunc`: the first kind of number that it takes."""
    if ufunc.signature:
        return CORE[ufunc.__name__]
    if ufunc is np.ldexp:
        return X, np.ones((3, 4), int)
    shift = {np.arccosh: 3.0}.get(ufunc, 0.0)
    small = np.abs(X) / 4 + 0.1 + shift
    for kind in (small, np.arange(12).reshape(3, 4) % 5 + 1):
        try:
            with np.errstate(all="ignore"):
                ufunc(*(kind,) * ufunc.nin)
        except TypeError:
            continue
        return (kind,) * ufunc.nin
    raise AssertionError(ufunc)


def plain(x):
    return tuple(map(plain, x)) if isinstance(x, tuple) else x.read() if hasattr(x, "key") else x


def same(found, expected, layout=True):
    if isinstance(expected, tuple):
        for f, e in zip(found, expected, strict=True):
            same(f, e, layout)
        return
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    eps = np.finfo(expected.dtype).eps if expected.dtype.kind in "fc" else 0
    np.testing.assert_allclose(found, expected, rtol=4 * eps)
    if layout and isinstance(expected, np.ndarray):
        assert found.strides == expected.strides


def either(call, operands, **kwargs):
    """What NumPy answers to plain operands and what it answers to Tensors, refusals included."""
    answers = []
    for wrap in (lambda x: x, gt.array):
        try:
            answers.append(plain(call(*map(wrap, operands), **kwargs)))
        except (TypeError, ValueError) as error:
            answers.append(error)
    return answers


OPTIONS = [
    {"dtype": np.float32}, {"dtype": np.float32, "casting": "unsafe"}, {"casting": "no"},
    {"casting": "safe"}, {"dtype": np.complex64}, {"dtype": int}, {"order": "C"}, {"order": "F"},
    {"order": "A"}, {"order": "K"}, {"subok": False}, {"order": "X"}, {"casting": "often"},
    {"nonsense": 1},
]  # fmt: skip


@pytest.mark.parametrize("ufunc", PLAIN, ids=lambda u: u.__name__)
@pytest.mark.parametrize("layout", ["C", "F"])
def test_options(ufunc, layout):
    operands = [np.asarray(x, order=layout) for x in operands_of(ufunc)]
    for options in OPTIONS:
        expected, found = either(ufunc, operands, **options)
        if isinstance(expected, Exception):
            assert isinstance(found, type(expected).__mro__[-3]), (options, expected, found)
            assert len(str(found).split("\n")) == 3 or "nonsense" in options, (options, found)
        else:
            assert not isinstance(found, Exception), (options, found)
            same(found, expected)


@pytest.mark.parametrize("ufunc", PLAIN, ids=lambda u: u.__name__)
@pytest.mark.parametrize("where", [True, MASK, MASK[0], gt.array(MASK)], ids=str)
def test_out_and_where(ufunc, where):
    operands = operands_of(ufunc)
    first = ufunc(*operands)
    outs = tuple(np.ones_like(o) for o in (first if isinstance(first, tuple) else (first,)))
    expected = tuple(o.copy() for o in outs)
    ufunc(*operands, out=expected, where=np.asarray(plain(where)))
    tensors = [gt.array(x) for x in operands]
    for given in (operands, tensors):
        for make in (np.copy, gt.array):
            if given is operands and make is np.copy:
                continue
            written = tuple(make(o) for o in outs)
            result = ufunc(*given, out=written, where=where)
            same(plain(written), expected)
            same(plain(result if isinstance(result, tuple) else (result,)), expected)


def test_out_is_a_tensor_of_truth_values_that_keeps_what_is_not_selected():
    x, out = gt.Variable([1.0, 2.0, 3.0]), gt.array([True, True, False])
    assert np.less(x, 2.5, out=out, where=[True, False, True]) is out
    assert out.tolist() == [True, True, False]


AXES = [
    {"axes": [(0, 1), (0, 1), (0, 1)]}, {"axes": [(1, 0), (1, 0), (1, 0)]}, {"axis": 0},
    {"axis": -1}, {"keepdims": True}, {"axis": 0, "keepdims": True}, {"axes": [0, 0, ()]},
    {"axes": [0, 0]}, {"axes": [1, 1]}, {"axes": [(0, 1), 0, 0]}, {"axes": [0, (0, 1), 0]},
    {"axes": [0, (1, 0), 0]}, {"axes": [(1, 0), 0, 0]}, {"axes": [0]}, {"axes": 0},
    {"axes": [(0, 1)] * 4}, {"axis": 5}, {"axes": [(0, 7), (0, 1), (0, 1)]},
    {"dtype": np.float32, "casting": "same_kind"}, {"order": "X"}, {"casting": "often"},
    {"nonsense": 1},
]  # fmt: skip


@pytest.mark.parametrize("options", AXES, ids=str)
@pytest.mark.parametrize("name", CORE)
def test_axes(name, options):
    if not hasattr(np, name):
        pytest.skip("matvec and vecmat came with NumPy 2.2")
    expected, found = either(getattr(np, name), CORE[name], **options)
    if isinstance(expected, Exception):
        assert isinstance(found, (TypeError, ValueError)), found
        assert len(str(found).split("\n")) == 3 or "nonsense" in options, found
    else:
        assert not isinstance(found, Exception), found
        assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
        np.testing.assert_allclose(found, expected, rtol=1e-5 if "dtype" in options else 1e-14)
