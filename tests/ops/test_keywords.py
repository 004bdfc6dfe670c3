"""Every keyword argument that NumPy gives a function or a method, on Tensors: as NumPy answers.

The derivatives under keyword arguments are checked by the op_case lines; here no keyword is
forgotten. Those of ufuncs are in `test_ufunc_keywords.py`.
"""

import inspect
import io

import numpy as np
import pytest

import gradtape as gt
import gradtape.ops  # fills the tables
from gradtape.core.registry import FUNCTIONS
from gradtape.errors import GradtapeError
from tests.op_lines import lines

X = np.array([[0.13, -1.2, 0.64, 0.1], [-0.54, 0.36, 1.3, 0.95], [-0.7, -1.27, -0.62, 0.04]])
V, INDEX = X[0], np.array([3, 1, 2, 1])
N = np.where(X > 0.9, np.nan, X)
MASK = X < 0.5
SQUARE = np.array([[2.0, 0.3, 0.1], [0.3, 1.0, 0.2], [0.1, 0.2, 3.0]])
EXTREME = np.array([np.inf, -np.inf, np.nan, 1.0])


NUMPY = np.lib.NumpyVersion(np.__version__)


def out(shape, dtype=float):
    """An array to be written, new for each call."""
    return lambda: np.zeros(shape, dtype)


def call(*operands, **kwargs):
    return operands, kwargs


# function -> calls; what op_case lines pass is not repeated
CALLS = {
    "all": [call(MASK, axis=0, out=out(4, bool)), call(MASK, axis=1, keepdims=True),
            call(MASK, where=X < 1)],
    "allclose": [call(X, X + 0.001, rtol=0.01), call(X, X + 0.001, atol=0.01),
                 call(N, N, equal_nan=True)],
    "amax": [call(X, axis=0, out=out(4)), call(X, initial=0.2, where=MASK)],
    "amin": [call(X, axis=0, out=out(4)), call(X, initial=0.2, where=MASK)],
    "any": [call(MASK, axis=0, out=out(4, bool)), call(MASK, axis=1, keepdims=True),
            call(MASK, where=X < 1)],
    "argmax": [call(X, axis=0, out=out(4, int)), call(X, axis=1, keepdims=True)],
    "argmin": [call(X, axis=0, out=out(4, int)), call(X, axis=1, keepdims=True)],
    "argpartition": [call(X, 1, axis=0, kind="introselect"), call(X, 1, order="a")],
    "argsort": [call(X, axis=0, kind="stable"), call(X, axis=None, stable=True),
                call(X, order="a"), call(N, descending=True, stable=True)],
    "around": [call(X, decimals=1, out=out((3, 4)))],
    "array2string": [call(X, max_line_width=30, precision=2, suppress_small=True, separator=";",
                          prefix="a", formatter=None, threshold=5, edgeitems=1, sign="+",
                          floatmode="fixed", suffix="b", legacy="1.13")],
    "array_equal": [call(N, N, equal_nan=True)],
    "array_str": [call(X, max_line_width=20, precision=2, suppress_small=True)],
    "astype": [call(X, np.float32, copy=False, device="cpu")],
    "average": [call(X, axis=0, weights=[1.0, 2.0, 3.0], returned=True, keepdims=True)],
    "bincount": [call(INDEX, weights=V, minlength=6)],
    "broadcast_arrays": [call(V, X, subok=True)],
    "broadcast_to": [call(V, (2, 4), subok=True)],
    "can_cast": [call(np.float64, np.float32, casting="same_kind")],
    "choose": [call(INDEX % 2, [V, -V], out=out(4), mode="wrap")],
    "clip": [call(X, 0.0, 1.0, out=out((3, 4)))],
    "compress": [call([1, 0, 1], X, axis=0, out=out((2, 4)))],
    "concatenate": [call([X, X], dtype=np.float32, casting="same_kind"), call([X, X], dtype=int),
                    call([X, X], dtype=int, casting="unsafe"),
                    call([X, X], axis=1, out=out((3, 8)))],
    "copy": [call(X, order="F", subok=True)],
    "corrcoef": [call(X, dtype=np.float64)],
    "count_nonzero": [call(X, axis=0, keepdims=True)],
    "cov": [call(X, dtype=np.float64), call(X, aweights=np.abs(V), ddof=0)],
    "cross": [call(X[:, :3], X[:, 1:], axisa=0, axisb=1, axisc=0)],
    "cumprod": [call(X, axis=1, out=out((3, 4)))],
    "cumsum": [call(X, axis=1, out=out((3, 4)))],
    "cumulative_prod": [call(V, out=out(4))],
    "cumulative_sum": [call(V, out=out(5), include_initial=True)],
    "delete": [call(X, 1, axis=1)],
    "digitize": [call(V, np.array([-1.0, 0.1, 1]), right=True)],
    "dot": [call(X, X.T.copy(), out=out((3, 3)))],
    "einsum": [call("ij,kj->ik", X, X, optimize=True, out=out((3, 3)))],
    "einsum_path": [call("ij,jk", X, X.T, optimize="greedy", einsum_call=False)],
    "empty_like": [call(X, order="F", subok=False, device="cpu")],
    "fix": [call(X, out=out((3, 4)))],
    "full_like": [call(X.T, 2.0), call(X.T, 2.0, order="C"), call(X, 2, order="F"),
                  call(X, 2.0, subok=False, device="cpu"), call(X, 2.0, device="gpu"),
                  call(X.T, X[0, 0], dtype=np.float32, shape=(2, 3))],
    "geomspace": [call(V + 2, 2.0, 4, dtype=np.float32)],
    "histogram": [call(V, bins=3, range=(-1, 1), weights=V, density=True)],
    "histogram2d": [call(V, -V, bins=2, range=[(-1, 1), (-1, 1)], weights=V, density=True)],
    "histogram_bin_edges": [call(V, bins="auto", range=(-1, 1)), call(V, 4, weights=V)],
    "histogramdd": [call(X.T, bins=2, range=[(-1, 1)] * 3, weights=V, density=True)],
    "hstack": [call([X, X], dtype=np.float32, casting="same_kind")],
    "insert": [call(X, 1, 5.0, axis=1)],
    "intersect1d": [call(V, V[:2], assume_unique=True, return_indices=True)],
    "isclose": [call(X, X + 0.001, rtol=0.01), call(X, X + 0.001, atol=0.01),
                call(N, N, equal_nan=True)],
    "isin": [call(INDEX, INDEX[:2], assume_unique=False, invert=True, kind="table"),
             call(V, V[:2], assume_unique=True)],
    "isneginf": [call(X, out=out((3, 4), bool))],
    "isposinf": [call(X, out=out((3, 4), bool))],
    "lexsort": [call((X, X + 1), axis=0)],
    "lib.stride_tricks.sliding_window_view": [call(V, 3, subok=True), call(V, 3, writeable=True)],
    "linalg.cholesky": [call(SQUARE, upper=True)],
    "linalg.matrix_rank": [call(SQUARE, tol=0.001), call(SQUARE, hermitian=True),
                           call(SQUARE, rtol=0.001)],
    "linalg.multi_dot": [call([SQUARE, SQUARE, SQUARE], out=out((3, 3)))],
    "linalg.trace": [call(SQUARE, dtype=np.float32)],
    "linspace": [call(V, 2.0, 4, dtype=np.float32, device="cpu")],
    "logspace": [call(V, 2.0, 4, dtype=np.float32)],
    "max": [call(X, axis=0, out=out(4))],
    "may_share_memory": [call(np.ones(2), X, max_work=1)],
    "mean": [call(X, axis=0, out=out(4))],
    "median": [call(X, axis=0, overwrite_input=True), call(X, axis=0, out=out(4))],
    "min": [call(X, axis=0, out=out(4))],
    "nan_to_num": [call(EXTREME, nan=3.0, posinf=1.0, neginf=-2.0), call(EXTREME, copy=True)],
    "nanargmax": [call(N, axis=0, out=out(4, int)), call(N, axis=1, keepdims=True)],
    "nanargmin": [call(N, axis=0, out=out(4, int)), call(N, axis=1, keepdims=True)],
    "nancumprod": [call(N, dtype=np.float32), call(N, axis=1, out=out((3, 4)))],
    "nancumsum": [call(N, dtype=np.float32), call(N, axis=1, out=out((3, 4)))],
    "nanmax": [call(N, axis=0, out=out(4)), call(N, initial=0.2, where=MASK)],
    "nanmean": [call(N, dtype=np.float32), call(N, axis=0, out=out(4)), call(N, where=MASK)],
    "nanmedian": [call(N, axis=0, overwrite_input=True), call(N, axis=0, out=out(4))],
    "nanmin": [call(N, axis=0, out=out(4)), call(N, initial=0.2, where=MASK)],
    "nanpercentile": [call(N, 30, axis=1, out=out(3)), call(N, 30, overwrite_input=True),
                      call(N, 30, keepdims=True, method="lower"),
                      call(X, 30, axis=0, weights=np.abs(X), method="inverted_cdf")],
    "nanprod": [call(N, dtype=np.float32), call(N, axis=0, out=out(4)), call(N, initial=3.0),
                call(N, where=MASK)],
    "nanquantile": [call(N, 0.3, axis=1, out=out(3)), call(N, 0.3, overwrite_input=True),
                    call(N, 0.3, keepdims=True, method="lower"),
                    call(X, 0.3, axis=0, weights=np.abs(X), method="inverted_cdf")],
    "nanstd": [call(N, axis=0, dtype=np.float32), call(N, axis=0, out=out(4)),
               call(N, axis=0, mean=np.nanmean(N, 0, keepdims=True))],
    "nansum": [call(N, dtype=np.float32), call(N, axis=0, out=out(4)),
               call(N, initial=2.0, where=MASK)],
    "nanvar": [call(N, axis=0, dtype=np.float32), call(N, axis=0, out=out(4)),
               call(N, axis=0, mean=np.nanmean(N, 0, keepdims=True))],
    "ones_like": [call(X, dtype=int, shape=(2, 2)),
                   call(X.T, order="C", subok=False, device="cpu")],
    "outer": [call(V, V, out=out((4, 4)))],
    "partition": [call(X, 1, axis=0, kind="introselect"), call(X, 1, order="a"),
                  call(X, 1, kind="quick")],
    "percentile": [call(X, 30, axis=1, out=out(3)), call(X, 30, overwrite_input=True),
                   call(X, 30, keepdims=True, method="lower"),
                   call(X, 30, axis=0, weights=np.abs(X), method="inverted_cdf")],
    "prod": [call(X, axis=0, out=out(4))],
    "ptp": [call(X, axis=0, out=out(4))],
    "quantile": [call(X, 0.3, overwrite_input=True), call(X, 0.3, keepdims=True, method="lower"),
                 call(X, 0.3, axis=0, out=out(4)),
                 call(X, 0.3, axis=0, weights=np.abs(X), method="inverted_cdf")],
    "ravel_multi_index": [call((INDEX % 2, INDEX % 2), (2, 2), mode="wrap", order="F")],
    "real_if_close": [call(X + 1e-15j, tol=1000.0)],
    "require": [call(X, dtype=np.float32, requirements=["F"])],
    "reshape": [call(X, (4, 3), order="F", copy=True), call(X, -1, copy=False)],
    "round": [call(X, decimals=1, out=out((3, 4)))],
    "searchsorted": [call(V, 0.3, side="right", sorter=np.argsort(V))],
    "select": [call([X > 0.5, X < 0], [X, 2 * X], default=7.0)],
    "setdiff1d": [call(V, V[:2], assume_unique=True)],
    "setxor1d": [call(V, V[:2], assume_unique=True)],
    "shares_memory": [call(V, X[1], max_work=1)],
    "size": [call(X, axis=1)],
    "sort": [call(X, axis=0, kind="heapsort"), call(X, stable=True), call(X, order="a"),
             call(X, kind="bubble"), call(N, axis=0, descending=True)],
    "stack": [call([X, X], axis=1, out=out((3, 2, 4))), call([X, X], dtype=int, casting="unsafe")],
    "std": [call(X, axis=0, out=out(4)), call(X, axis=0, mean=X.mean(0, keepdims=True))],
    "sum": [call(X, axis=0, out=out(4))],
    "take": [call(X, [0, 9], axis=1, mode="clip"), call(X, [[0, 1]], out=out((1, 2)), mode="wrap")],
    "take_along_axis": [call(X, np.array([[0, 1, 2, 0]]), axis=0)],
    "trace": [call(X, dtype=np.float32), call(X, out=out(()))],
    "trapezoid": [call(X, x=np.array([0.0, 1, 3, 4]))],
    "tril_indices_from": [call(SQUARE, k=1)],
    "trim_zeros": [call(np.array([0.0, 0, 1, 2, 0]), trim="f"),
                   call(np.array([0.0, 0, 1, 2, 0]), axis=0)],
    "triu_indices_from": [call(SQUARE, k=-1)],
    "unique": [call(INDEX, return_index=True, return_inverse=True, return_counts=True, sorted=True),
               call(X, axis=0, equal_nan=False)],
    "unravel_index": [call(INDEX, (2, 3), order="F")],
    "var": [call(X, axis=0, out=out(4)), call(X, axis=0, mean=X.mean(0, keepdims=True))],
    "vstack": [call([X, X], dtype=np.float32, casting="same_kind")],
    "zeros_like": [call(X, dtype=int, shape=(2, 2)),
                   call(X.T, order="C", subok=False, device="cpu")],
}  # fmt: skip

# method -> calls, on X or on what OTHER says
METHODS = {
    "all": [call(axis=1, out=out(3, bool)), call(0, keepdims=True), call(where=MASK)],
    "any": [call(axis=1, out=out(3, bool)), call(0, keepdims=True), call(where=MASK)],
    "argmax": [call(0, out(4, int)), call(axis=1, keepdims=True)],
    "argmin": [call(0, out(4, int)), call(axis=1, keepdims=True)],
    "argpartition": [call(1, 0, "introselect"), call(1, order="a")],
    "argsort": [call(0, "stable", None), call(None, stable=True), call(order="a"),
                call(descending=True)],
    "astype": [call(np.float32, "F", "same_kind", False, False), call(int, casting="safe"),
               call("float64", copy=False)],
    "byteswap": [call(False)],
    "choose": [call([V, -V, 2 * V], mode="wrap", out=out(4))],
    "clip": [call(-1, 0.5, out((3, 4))), call(min=0.1), call(max=0.1, where=MASK, out=out((3, 4))),
             call(0, 1, dtype=np.float32, casting="same_kind")],
    "compress": [call([1, 0, 1], 0, out((2, 4)))],
    "copy": [call(order="F")],
    "cumprod": [call(1, np.float64, out((3, 4)))],
    "cumsum": [call(1, np.float32), call(0, out=out((3, 4)))],
    "diagonal": [call(offset=1, axis1=1, axis2=0)],
    "dot": [call(np.ones((4, 2)), out=out((3, 2)))],
    "fill": [call(2.5)],
    "flatten": [call(order="A")],
    "getfield": [call(np.float32, offset=4)],
    "max": [call(1, out(3), False, 0.2, MASK)],
    "mean": [call(0, np.float32, None, True), call(where=MASK), call(0, out=out(4))],
    "min": [call(1, out(3), False, 0.2, MASK)],
    "partition": [call((1, 2), 0, "introselect"), call(1, order="a")],
    "prod": [call(1, np.float32, None, True, 2, MASK), call(0, out=out(4))],
    "put": [call([0, 20], [1.0, 2.0], "wrap"), call([0], 1.0, mode="clip")],
    "ravel": [call(order="K")],
    "repeat": [call([1, 2, 3], axis=0)],
    "reshape": [call(4, 3, order="F"), call((2, 6), copy=True), call(-1, copy=False)],
    "resize": [call((2, 2), refcheck=False)],
    "round": [call(decimals=1, out=out((3, 4)))],
    "searchsorted": [call(0.3, side="right", sorter=np.argsort(V))],
    "setflags": [call(write=True, align=True, uic=False)],
    "sort": [call(0, "stable", None), call(None), call(stable=True), call(order="a"),
             call(descending=True)],
    "squeeze": [call(0), call(axis=1)],
    "std": [call(0, np.float32, None, 1, True), call(where=MASK), call(1, out=out(3)),
            call(axis=0, mean=X.mean(0, keepdims=True))],
    "sum": [call(1, np.float32, None, True, 2, MASK), call(0, out=out(4))],
    "swapaxes": [call(0, 1)],
    "take": [call([0, 9], 1, mode="clip"), call([[0, 1]], out=out((1, 2)), mode="wrap")],
    "to_device": [call("cpu", stream=None), call("gpu")],
    "tobytes": [call(order="F")],
    "trace": [call(1, 1, 0, np.float32), call(out=out(()))],
    "transpose": [call(None), call([1, 0]), call(1, 0)],
    "var": [call(0, np.float32, None, 1, True), call(where=MASK), call(1, out=out(3)),
            call(axis=0, mean=X.mean(0, keepdims=True))],
    "view": [call(dtype=np.float64), call(type=np.ndarray)],
}  # fmt: skip
OTHER = {"choose": INDEX, "searchsorted": V}

# made like a Tensor, `np.zeros(3, like=x)`: function -> calls
LIKE = {
    "arange": [call(5, step=2, device="cpu"), call(1, 5, 2, dtype=np.float32),
               call(1, stop=3)],
    "array": [call(X, dtype=np.float32, copy=True, order="F", ndmin=3), call([1, 2]),
              call(X, subok=True, copy=None)],
    "asanyarray": [call(X, dtype=np.float32, order="F", device="cpu", copy=True)],
    "asarray": [call(X, dtype=np.float32, order="F", device="cpu", copy=True)],
    "ascontiguousarray": [call(X.T, dtype=np.float32)],
    "asfortranarray": [call(X, dtype=np.float32)],
    "empty": [call(3, dtype=np.float32, order="F", device="cpu")],
    "eye": [call(3, M=4, k=1, dtype=np.float32, order="F", device="cpu")],
    "frombuffer": [call(X.tobytes(), dtype=np.float64, count=3, offset=8)],
    "fromfunction": [call(lambda i, j: i + 2 * j, (2, 3), dtype=int)],
    "fromiter": [call(range(5), float, count=3)],
    "full": [call((2, 3), 1.5, dtype=np.float32, order="F", device="cpu")],
    "fromstring": [call("1 2 3", dtype=np.float32, count=2, sep=" ")],
    "identity": [call(3, dtype=np.float32)],
    "ones": [call((2, 3), dtype=np.float32, order="F", device="cpu")],
    "require": [call(X, dtype=np.float32, requirements=["F"])],
    "tri": [call(3, M=4, k=1, dtype=np.float32)],
    "zeros": [call((2, 3), dtype=np.float32, order="F", device="cpu")],
}  # fmt: skip

# Keyword arguments that are passed by no call above: function -> parameter -> why
FILES = "core/test_tensor.py: test_files; handed to NumPy as they are"
WRITTEN = "test_index.py and test_select.py: a line that writes"
ELSEWHERE = {
    **dict.fromkeys(("fromfile", "loadtxt", "genfromtxt", "save", "savez", "savez_compressed",
                     "savetxt"), FILES),
    "array": {"ndmax": "limits the nesting of lists of objects, which a Tensor does not hold"},
    "array_repr": dict.fromkeys(("max_line_width", "precision", "suppress_small"), "as array_str"),
    "copyto": {"casting": "test_copyto_refuses_a_cast", "where": WRITTEN},
    "empty_like": dict.fromkeys(("dtype", "shape"), "as zeros_like: one function"),
    "fill_diagonal": {"wrap": WRITTEN},
    "put": {"mode": WRITTEN},
    "where": dict.fromkeys("xy", "positional"),
}  # fmt: skip


def resolve(name):
    """The NumPy function of a dotted name; None where this NumPy does not have it."""
    found = np
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def known(function, kwargs):
    """`kwargs` without those that a function of an older NumPy does not take."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return kwargs
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return kwargs
    return {k: v for k, v in kwargs.items() if k in parameters}


def plain(x):
    if isinstance(x, tuple | list):
        return type(x)(*map(plain, x)) if hasattr(x, "_fields") else type(x)(map(plain, x))
    return x.read() if isinstance(x, gt.Tensor) else x


def wrapped(x):
    if isinstance(x, tuple | list):
        return type(x)(map(wrapped, x))
    return gt.array(x) if isinstance(x, np.ndarray) and x.dtype.kind == "f" else x


def answers(call, operands, kwargs):
    """What plain operands and what Tensors give: (result, what was written), or the refusal."""
    found = []
    for wrap in (lambda x: x, wrapped):
        fresh = [x() if callable(x) and not isinstance(x, type) else x for x in operands]
        written = [x for x, y in zip(fresh, operands, strict=True) if x is not y]
        options = {k: v() if k == "out" else v for k, v in kwargs.items()}
        written += [options["out"]] if "out" in options else []
        operand = [x if any(x is w for w in written) else wrap(x) for x in fresh]
        try:
            result = call(*operand, **options)
        except (TypeError, ValueError, IndexError) as error:
            found.append(error)
        else:
            found.append((plain(result), written))
    return found


def same(found, expected):
    if isinstance(expected, tuple | list):
        assert len(found) == len(expected)
        for f, e in zip(found, expected, strict=True):
            same(f, e)
    elif isinstance(expected, np.ndarray | np.generic):
        assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
        eps = np.finfo(expected.dtype).eps if expected.dtype.kind in "fc" else 0
        np.testing.assert_allclose(found, expected, rtol=16 * eps, atol=4 * eps)
    else:
        assert found == expected


def compare(call, operands, kwargs):
    expected, found = answers(call, operands, kwargs)
    if isinstance(expected, Exception):
        assert isinstance(found, (TypeError, ValueError)), found
        assert len(str(found).split("\n")) == 3, found
    else:
        assert not isinstance(found, Exception), found
        same(found, expected)
        if "order" in kwargs and isinstance(expected[0], np.ndarray):
            assert found[0].strides == expected[0].strides


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of np.fix, since NumPy 2.5
@pytest.mark.parametrize("name", CALLS)
def test_function(name):
    function = resolve(name)
    if function is None:
        pytest.skip(f"this NumPy has no {name}")
    for operands, kwargs in CALLS[name]:
        if name == "empty_like":
            found = function(wrapped(operands[0]), **kwargs)
            assert found.flags.f_contiguous and isinstance(found, gt.Tensor)
            continue
        compare(function, operands, known(function, kwargs))


@pytest.mark.parametrize("name", LIKE)
def test_like(name):
    function, like = resolve(name), gt.array(X)  # NumPy 2.5's frombuffer frees what nobody holds
    for operands, kwargs in LIKE[name]:
        try:
            expected = function(*operands, **kwargs)
        except TypeError:
            pytest.skip("this NumPy takes fewer keywords")
        found = function(*operands, like=like, **kwargs)
        assert isinstance(found, gt.Tensor) and found.strides == expected.strides
        if name != "empty":
            same(found.read(), expected)


@pytest.mark.parametrize("name", METHODS)
def test_method(name):
    for arguments, kwargs in METHODS[name]:
        if name == "reshape" and NUMPY < "2.1.0":  # copy= came with it
            continue


        def run(array, *args, **options):
            array = array.copy()
            result = getattr(array, name)(*args, **options)
            return (result, array) if name in ("sort", "partition", "put", "fill") else result

        first = (
            np.array(OTHER.get(name, X))[None]
            if (name, arguments) == ("squeeze", (0,))
            else (OTHER.get(name, X))
        )
        compare(run, (first, *arguments), kwargs)


@pytest.mark.skipif(NUMPY < "2.4.0", reason="C functions of an older NumPy do not say theirs")
def test_every_keyword_of_every_function_is_passed_somewhere():
    passed = {function: set() for function in FUNCTIONS}
    calls = [(resolve(name), *call) for name in CALLS for call in CALLS[name]]
    calls += [(resolve(name), a, {**k, "like": X}) for name in LIKE for a, k in LIKE[name]]
    for line in lines():
        if line.case.function in passed:
            calls += [(line.case.function, *example[1:]) for example in line.case.examples()]
    for function, operands, kwargs in calls:
        if function is None:
            continue
        try:
            bound = inspect.signature(function).bind(*operands, **known(function, kwargs))
        except ValueError:  # fromstring, before NumPy 2.5
            continue
        passed[function] |= set(bound.arguments)
        passed[function] |= {k for v in bound.arguments.values() if type(v) is dict for k in v}
    missing = {}
    for function, names in passed.items():
        name = f"{function.__module__.removeprefix('numpy')}.{function.__name__}".removeprefix(".")
        try:
            parameters = inspect.signature(function).parameters.values()
        except ValueError:
            continue
        optional = {p.name for p in parameters
                    if p.default is not p.empty and p.kind is not p.VAR_KEYWORD}  # fmt: skip
        elsewhere = ELSEWHERE.get(name, {})
        left = optional - names - (optional if elsewhere is FILES else set(elsewhere))
        if left:
            missing[name] = sorted(left)
    assert not missing, "\n".join(f"{k}: {v}" for k, v in sorted(missing.items()))


def test_every_keyword_of_every_method_is_passed():
    for name in dir(np.ndarray):
        method = getattr(np.ndarray, name)
        try:
            parameters = list(inspect.signature(method).parameters.values())[1:]
        except (TypeError, ValueError):
            continue  # before NumPy 2.4 they do not say
        if name.startswith("_") or name in ("setfield", "tofile"):  # refused; test_files
            continue
        positional = [p.name for p in parameters if p.kind is not p.KEYWORD_ONLY]
        passed = set()
        for arguments, kwargs in METHODS.get(name, []):
            passed |= {*positional[: len(arguments)], *kwargs}
        optional = {p.name for p in parameters if p.default is not p.empty}
        assert optional <= passed | {"kwargs"}, name


def test_copyto_refuses_a_cast():
    with pytest.raises(TypeError, match=r"(?s)cannot cast float64 to float32.*test_keywords"):
        np.copyto(np.empty((3, 4), np.float32), gt.array(X), casting="no")


def test_text_files_are_numpys():
    _, options = call(fmt="%.2f", delimiter=",", header="h", footer="f", comments="%", newline="|")
    files = io.StringIO(), io.StringIO()
    for file, x in zip(files, (X, gt.array(X)), strict=True):
        np.savetxt(file, x, **options)
    assert files[0].getvalue() == files[1].getvalue() != ""


@pytest.mark.parametrize(
    "out",
    [
        np.zeros((3, 3), np.float32), np.zeros((3, 3), int), np.zeros((3, 3), complex),
        np.zeros((3, 3), order="F"), np.zeros((6, 6))[::2, ::2], np.zeros((3, 2)), [[0.0]],
    ],
    ids=range(7),
)  # fmt: skip
def test_dot_refuses_an_out_that_numpys_refuses_with_its_class(out):
    with pytest.raises((ValueError, TypeError)) as theirs:
        np.dot(X, X.T.copy(), out=out)
    with pytest.raises(theirs.type) as ours:
        np.dot(gt.array(X), X.T.copy(), out=out)
    assert isinstance(ours.value, GradtapeError) and len(str(ours.value).split("\n")) == 3
