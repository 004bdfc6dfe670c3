"""`np.linalg.inv`, `solve` and `cholesky`.

Sources: M. Giles, "Collected matrix derivative results for forward and reverse mode algorithmic
differentiation" (2008), sections 2.2.3, 2.3.1; I. Murray, "Differentiation of the Cholesky
decomposition" (2016), eq. 8 to 10. Transposes become adjoints for complex matrices.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.linalg import LinAlgError

from ...core.aval import Aval, broadcast_shapes
from ...core.batched import as_array
from ...core.cards import align_batch, primitive, unbroadcast
from ...core.positions import decode, user_frame
from ...core.rows import Places, Rows, cores
from ...errors import three_part


def _adjoint(x: Any) -> Any:
    axes = tuple(range(x.ndim))
    x = np.transpose(x, (*axes[:-2], axes[-1], axes[-2]))
    return np.conjugate(x) if x.dtype.kind == "c" else x


def _float(*dtypes: Any) -> Any:
    """The dtype np.linalg computes in: integers become float64."""
    dtype = np.result_type(*dtypes)
    return dtype if dtype.kind in "fc" else np.dtype(np.float64)


def _explained(name: str, remedy: str, function: Any) -> Any:
    """`function` with NumPy's LinAlgError told in three parts."""

    def impl(x: Any, *args: Any, **params: Any) -> Any:
        try:
            return function(x, *args, **params)
        except ValueError as error:
            frame = user_frame()
            shapes = " and ".join(str(np.shape(v)) for v in (x, *args))
            square = np.ndim(x) >= 2 and np.shape(x)[-1] == np.shape(x)[-2]
            fact = str(error).rstrip(".") if square else "the last two axes are not equally long"
            raise LinAlgError(
                three_part(
                    f"{name} of {shapes}: {fact}.",
                    f"Called at {decode(frame.f_code, frame.f_lasti)}.",
                    remedy,
                )
            ) from None

    return impl


def _stack_batch(impl: Any) -> Any:
    """The batching rule of a function that already works on stacks of matrices."""
    return lambda _size, operands, axes, **params: (
        impl(np.moveaxis(operands[0], axes[0], 0), **params),
        0,
    )


# -------------------------------------------------------------------------------------- inv

_inv = _explained(
    "inv", "A singular matrix has no inverse; np.linalg.lstsq or x + eps * np.eye(n) may do.",
    np.linalg.inv,
)  # fmt: skip
inv = primitive(
    np.linalg.inv,
    signature=lambda a: ((as_array(a),), {}),
    impl=_inv,
    vjp=lambda ct, out, _x: -np.matmul(_adjoint(out), np.matmul(ct, _adjoint(out))),
    jvp=lambda t, out, _x: -np.matmul(out, np.matmul(t, out)),
    shape=lambda x: Aval(x.shape, _float(x.dtype)),
    batch=_stack_batch(_inv),
    keep=(),
    rows=cores(2),
)


# ------------------------------------------------------------------------------------ solve


def _outer(g: Any, x: Any, vector: bool) -> Any:
    """`g @ x^H`, with vectors as columns."""
    if vector:
        g, x = np.reshape(g, (*g.shape, 1)), np.reshape(x, (*x.shape, 1))
    return np.matmul(g, _adjoint(x))


def _solve_any(a: Any, b: Any, vector: bool) -> Any:
    """`np.linalg.solve` where `b` holds vectors if `vector`, in a stack of them too."""
    if not vector or b.ndim == 1:
        return np.linalg.solve(a, b)
    x = np.linalg.solve(a, np.reshape(b, (*b.shape, 1)))
    return np.reshape(x, x.shape[:-1])


def _solve_vjp(i: int, ct: Any, out: Any, a: Any, b: Any) -> Any:
    vector = b.ndim == 1
    g = _solve_any(_adjoint(a), ct, vector)
    if i == 1:
        return unbroadcast(g, b.shape)
    return unbroadcast(-_outer(g, out, vector), a.shape)


def _solve_jvp(i: int, t: Any, out: Any, a: Any, b: Any) -> Any:
    vector = b.ndim == 1
    if i == 0:
        if vector:
            moved = np.matmul(t, np.reshape(out, (*out.shape, 1)))
            t = -np.reshape(moved, moved.shape[:-1])
        else:
            t = -np.matmul(t, out)
    return _solve_any(a, t, vector)


def _solve_shape(a: Aval, b: Aval) -> Aval:
    dtype = _float(a.dtype, b.dtype)
    if b.ndim == 1:
        return Aval(a.shape[:-1], dtype)
    return Aval((*broadcast_shapes(a.shape[:-2], b.shape[:-2]), *b.shape[-2:]), dtype)


def _solve_batch(_size: int, operands: Any, axes: Any) -> Any:
    (a, b), (i, j) = operands, axes
    vector = np.ndim(b) - (j is not None) == 1
    if vector:  # as a column, put where no batch axis is in the way
        if j is not None:
            b = np.moveaxis(b, j, 0)
        b = np.reshape(b, (*np.shape(b), 1))
        j = None if j is None else 0
    out = np.linalg.solve(*align_batch((a, b), (i, j)))
    return (np.reshape(out, np.shape(out)[:-1]) if vector else out), 0


def _solve_places(i: int, avals: Any, ndim: int, params: Any) -> Places:
    """Each column of `b` has a column of the result."""
    found = cores(2).places(i, avals, ndim, params)
    return (*found[:-1], ndim - 1) if i == 1 and avals[1].ndim > 1 else found


solve = primitive(
    np.linalg.solve,
    arity=2,
    signature=lambda a, b: ((as_array(a), as_array(b)), {}),
    impl=_explained(
        "solve",
        "A singular system has no single solution; np.linalg.lstsq gives the shortest.",
        np.linalg.solve,
    ),
    vjp=_solve_vjp,
    jvp=_solve_jvp,
    shape=_solve_shape,
    batch=_solve_batch,
    keep=(0,),
    rows=Rows(_solve_places, matrices=True, flagged=False),
)


# --------------------------------------------------------------------------------- cholesky
# NumPy reads one triangle. The gradient is that of the Hermitian matrix the triangle stands for,
# spread over both triangles, as TensorFlow, PyTorch and JAX have it: a step along it stays
# Hermitian.


def _hermitian(x: Any) -> Any:
    return 0.5 * (x + _adjoint(x))


def _half_lower(x: Any) -> Any:
    """The lower triangle of `x` with half its diagonal."""
    n = x.shape[-1]
    return x * (np.tri(n, k=-1, dtype=x.dtype) + 0.5 * np.eye(n, dtype=x.dtype))


def _cholesky_vjp(ct: Any, out: Any, _x: Any, upper: bool) -> Any:
    lower, ct = (_adjoint(out), _adjoint(ct)) if upper else (out, ct)
    inverse = np.linalg.inv(lower)
    middle = _hermitian(_half_lower(np.matmul(_adjoint(lower), ct)))
    return np.matmul(_adjoint(inverse), np.matmul(middle, inverse))


def _cholesky_jvp(t: Any, out: Any, _x: Any, upper: bool) -> Any:
    lower = _adjoint(out) if upper else out
    inverse = np.linalg.inv(lower)
    inside = np.matmul(inverse, np.matmul(_hermitian(t), _adjoint(inverse)))
    moved = np.matmul(lower, _half_lower(inside))
    return _adjoint(moved) if upper else moved


_cholesky = _explained(
    "cholesky",
    "The matrix must be positive definite: add a small multiple of the identity, "
    "x + 1e-6 * np.eye(n).",
    lambda x, upper: np.linalg.cholesky(x, upper=upper),
)
cholesky = primitive(
    np.linalg.cholesky,
    signature=lambda a, /, *, upper=False: ((as_array(a),), {"upper": bool(upper)}),
    impl=_cholesky,
    vjp=_cholesky_vjp,
    jvp=_cholesky_jvp,
    shape=lambda x, upper: Aval(x.shape, _float(x.dtype)),
    batch=_stack_batch(_cholesky),
    keep=(),
    rows=cores(2),
)
