"""gt.numpy: the names of the Array API standard, on Tensors, equal to NumPy's."""

import inspect

import numpy as np
import pytest

import gradtape as gt

xp = gt.numpy
A = np.array([[2.0, 0.5], [0.25, 3.0]])
V = np.array([0.3, 0.7, 0.5])
I = np.array([6, 1, 3])  # noqa: E741
B = np.array([True, False, True])
Z = np.array([1 + 2j, 0.5 - 1j])

# name -> arguments; the call on Tensors must equal NumPy's on arrays
CALLS = {
    "arange": (1.0, 4.0, 0.5), "asarray": ([1, 2],), "empty_like": (np.zeros(0),), "empty": (0,),
    "eye": (3, 2), "from_dlpack": (V,), "full": ((2, 2), 3.0), "full_like": (V, 2.0),
    "linspace": (0.0, 1.0, 5), "meshgrid": (V, I), "ones": ((2,),), "ones_like": (V,),
    "tril": (A,), "triu": (A,), "zeros": (3,), "zeros_like": (I,),
    "astype": (V, np.float32), "can_cast": (np.float32, np.float64), "finfo": (np.float32,),
    "iinfo": (np.int8,), "isdtype": (np.float32, "real floating"), "result_type": (V, I),
    **dict.fromkeys((
        "abs", "acos", "asin", "asinh", "atan", "atanh", "ceil", "cos", "cosh", "exp", "expm1",
        "floor", "isfinite", "isinf", "isnan", "log", "log1p", "log2", "log10", "logical_not",
        "negative", "positive", "reciprocal", "round", "sign", "signbit", "sin", "sinh", "square",
        "sqrt", "tan", "tanh", "trunc", "flip", "argmax", "argmin", "count_nonzero", "nonzero",
        "argsort", "sort", "max", "mean", "min", "prod", "std", "sum", "var", "all", "any",
        "diff", "cumulative_prod", "cumulative_sum", "unstack", "unique_all", "unique_counts",
        "unique_inverse", "unique_values", "squeeze"
    ), (V,)),
    **{name: (V, V[::-1].copy()) for name in (
        "add", "atan2", "copysign", "divide", "equal", "floor_divide", "greater", "greater_equal",
        "hypot", "less", "less_equal", "logaddexp", "logical_and", "logical_or", "logical_xor",
        "maximum", "minimum", "multiply", "nextafter", "not_equal", "pow", "remainder", "subtract",
        "vecdot",
    )},
    **{name: (I, I[::-1].copy()) for name in (
        "bitwise_and", "bitwise_left_shift", "bitwise_or", "bitwise_right_shift", "bitwise_xor",
    )},
    "acosh": (V + 1,), "bitwise_invert": (I,), "clip": (V, 0.4, 0.6), "conj": (Z,), "imag": (Z,),
    "real": (Z,), "take": (V, I - 1), "matmul": (A, A),
    "take_along_axis": (V, np.array([2, 0]), -1),
    "matrix_transpose": (A,), "tensordot": (A, A), "broadcast_arrays": (V, A[:, :1]),
    "broadcast_to": (V, (2, 3)), "concat": ([V, V],), "expand_dims": (V, 0), "moveaxis": (A, 0, 1),
    "permute_dims": (A, (1, 0)), "repeat": (V, 2), "reshape": (A, (4,)), "roll": (V, 1),
    "stack": ([V, V],), "tile": (V, (2,)), "searchsorted": (np.sort(V), V), "where": (B, V, 0.0),
}  # fmt: skip
CALLS["take"] = (V, np.array([2, 0]))
LINALG = {
    **dict.fromkeys((
        "det", "diagonal", "inv", "matrix_norm", "matrix_rank", "pinv", "matrix_transpose",
        "slogdet", "svdvals", "trace", "vector_norm"
    ), (A,)),
    "cholesky": (A @ A.T,), "cross": (V, V[::-1].copy()), "eigh": (A + A.T,),
    "eigvalsh": (A + A.T,), "matmul": (A, A), "matrix_power": (A, 3), "outer": (V, V), "qr": (A,),
    "solve": (A, A), "svd": (A,), "tensordot": (A, A), "vecdot": (A, A),
}  # fmt: skip
FFT = {
    **dict.fromkeys((
        "fft", "ifft", "fftn", "ifftn", "rfft", "rfftn", "ihfft", "fftshift", "ifftshift"
    ), (V,)),
    **dict.fromkeys(("irfft", "irfftn", "hfft"), (Z,)), "fftfreq": (4,), "rfftfreq": (4,),
}  # fmt: skip


def lifted(x):
    if isinstance(x, np.ndarray):
        return gt.array(x)
    return type(x)(map(lifted, x)) if isinstance(x, list) else x


def same(found, expected):
    if isinstance(expected, tuple | list):
        assert len(found) == len(expected)
        for f, e in zip(found, expected, strict=True):
            same(f, e)
    elif isinstance(expected, np.ndarray | np.generic):
        assert isinstance(found, gt.Tensor)
        assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-13, atol=1e-15)
    elif isinstance(expected, np.finfo | np.iinfo):
        assert found.max == expected.max
    elif isinstance(expected, int) and not isinstance(expected, bool):
        assert int(found) == expected
    else:
        assert found == expected


def check(ours, numpys, args):
    expected = numpys(*args)
    same(ours(*map(lifted, args)), expected)  # on Tensors
    if any(isinstance(a, np.ndarray) for a in args):
        plain = ours(*args)  # on arrays: Tensors all the same
        same(plain, expected)


def test_every_name_of_the_standard_is_here():
    spec = inspect.getmodule(xp.namespace)
    for names, calls in ((spec.STANDARD, CALLS), (spec.EXTENSIONS["linalg"], LINALG),
                         (spec.EXTENSIONS["fft"], FFT)):  # fmt: skip
        assert sorted(names) == sorted(calls)
    assert len(spec.STANDARD) == len(set(spec.STANDARD)) == 133


@pytest.mark.parametrize("name", sorted(CALLS))
def test_function(name):
    if not hasattr(np, name):
        pytest.skip(f"NumPy {np.__version__} has no {name}")
    check(getattr(xp, name), getattr(np, name), CALLS[name])


@pytest.mark.parametrize("name", sorted(LINALG))
def test_linalg(name):
    check(getattr(xp.linalg, name), getattr(np.linalg, name), LINALG[name])


@pytest.mark.parametrize("name", sorted(FFT))
def test_fft(name):
    check(getattr(xp.fft, name), getattr(np.fft, name), FFT[name])


def test_constants_and_dtypes():
    assert (xp.e, xp.pi, xp.inf, xp.newaxis) == (np.e, np.pi, np.inf, None)
    assert xp.isnan(xp.nan)
    for name in ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
                 "float32", "float64", "complex64", "complex128"):  # fmt: skip
        assert getattr(xp, name) is getattr(np, name)
        assert xp.zeros(2, dtype=getattr(xp, name)).dtype == np.dtype(name)


def test_the_namespace_of_a_tensor():
    x = gt.array([1.0])
    assert x.__array_namespace__() is gt.numpy
    assert x.__array_namespace__(api_version="2024.12") is gt.numpy
    with pytest.raises(ValueError, match='Version "1999.12" of the Array API'):
        x.__array_namespace__(api_version="1999.12")
    assert xp.__array_api_version__ == "2024.12"
    if hasattr(np, "__array_namespace_info__"):  # NumPy 2.1
        assert xp.__array_namespace_info__().default_device() == "cpu"
    assert {"sin", "concat", "float32", "pi", "linalg"} <= set(dir(xp))
    assert {"svd", "inv"} <= set(dir(xp.linalg))


def test_lists_of_tensors_are_followed():
    x = gt.Variable([3.0, 4.0])
    with gt.GradientTape() as tape:
        loss = xp.sqrt(xp.sum([x[0] * x[0], x[1] ** 2]))
        loss = loss + xp.sum(xp.concat([[x[0], 1.0], x])) + xp.linalg.vector_norm([x[0], x[1]])
    np.testing.assert_allclose(tape.gradient(loss, x).numpy(), [0.6 + 2 + 0.6, 0.8 + 1 + 0.8])


def test_a_program_written_for_any_namespace_has_a_gradient():
    def softmax(x):
        xp = x.__array_namespace__()
        shifted = xp.exp(x - xp.max(x, axis=-1, keepdims=True))
        return shifted / xp.sum(shifted, axis=-1, keepdims=True)

    value = np.array([[0.1, 0.4, -0.3], [1.0, 0.0, 0.5]])
    x = gt.Variable(value)
    with gt.GradientTape() as tape:
        y = softmax(x)
        loss = xp.sum(y * y)
    p = softmax(value)
    ct = 2 * p
    expected = p * (ct - np.sum(ct * p, axis=-1, keepdims=True))
    np.testing.assert_allclose(tape.gradient(loss, x).numpy(), expected, rtol=1e-12)


def test_results_do_not_share_the_users_memory():
    plain = np.ones(4)
    for y in (xp.reshape(plain, (2, 2)), xp.asarray(plain), xp.flip(plain), xp.from_dlpack(plain)):
        plain[...] = 5.0
        assert np.all(y.numpy() == 1.0)
        plain[...] = 1.0


def test_from_dlpack_keeps_a_tensor():
    x = gt.array([1.0])
    assert xp.from_dlpack(x) is x
    assert xp.from_dlpack(x, copy=True) is not x


def test_names_beyond_the_standard_and_names_that_are_not():
    same(xp.median([gt.array(1.0), 2.0, 4.0]), np.float64(2.0))
    same(xp.vstack([gt.array([1.0]), [2.0]]), np.array([[1.0], [2.0]]))
    for module, name in ((xp, "nonsense"), (xp.linalg, "nonsense"), (xp.fft, "_x")):
        with pytest.raises(AttributeError, match=name):
            getattr(module, name)
    with pytest.raises(ValueError, match="Device"):
        xp.astype(V, float, device="gpu")
