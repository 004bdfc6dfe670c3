"""`np.linalg.svdvals`, which the norms of matrices are made of, and the factors behind it.

The derivative of thin factors U, s, V with dP = U^H dA V, its Hermitian part H and its skew part
K, is  dU = U (E * H + G * K) + (dA V - U dP) / s,  dV = V (E * H - G * K) + (dA^H U - V dP^H) / s,
ds = Re diag dP, where E_ij = 1 / (s_j - s_i) and G_ij = 1 / (s_i + s_j). (The usual formulas have
1 / (s_j^2 - s_i^2) in both; split so, a function that does not depend on the choice of vectors for
a repeated singular value gets its finite gradient when E is set to 0 there.)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.aval import Aval
from ...core.batched import as_array
from ...core.cards import primitive
from ...core.dispatch import apply
from ...core.rows import cores
from ...core.tensor import Tensor, raw


def _adjoint(x: Any) -> Any:
    axes = tuple(range(x.ndim))
    x = np.transpose(x, (*axes[:-2], axes[-1], axes[-2]))
    return np.conjugate(x) if x.dtype.kind == "c" else x


def _inverse(x: Any, scale: Any) -> Any:
    """1 / x, and 0 where x is 0 to working precision beside `scale`."""
    value = raw(x)
    small = np.abs(value) <= 4 * np.finfo(value.dtype).eps * raw(scale)
    return np.where(small, np.zeros((), value.dtype), 1 / np.where(small, np.ones_like(value), x))


def _pairs(s: Any) -> tuple[Any, Any, Any]:
    """(E, G, 1 / s as a row) of singular values."""
    row, column = np.expand_dims(s, -2), np.expand_dims(s, -1)
    scale = np.max(raw(row), axis=-1, keepdims=True, initial=0)
    return _inverse(row - column, scale), _inverse(row + column, scale), _inverse(row, scale)


def _parts(x: Any) -> tuple[Any, Any]:
    """The Hermitian and the skew part."""
    return 0.5 * (x + _adjoint(x)), 0.5 * (x - _adjoint(x))


def _factors_vjp(ct: Any, out: Any, _x: Any) -> Any:
    (ct_u, ct_s, ct_vh), (u, s, vh) = ct, out
    v, uh, ct_v = _adjoint(vh), _adjoint(u), _adjoint(ct_vh)
    e, g, over = _pairs(s)
    from_u, from_v = np.matmul(uh, ct_u), np.matmul(vh, ct_v)
    middle = _parts(e * (from_u + from_v))[0] + _parts(g * (from_u - from_v))[1]
    k = s.shape[-1]
    middle = middle + np.reshape(ct_s, (*s.shape, 1)) * np.eye(k, dtype=s.dtype)
    inside = np.matmul(u, np.matmul(middle, vh))
    left = np.matmul((ct_u - np.matmul(u, from_u)) * over, vh)
    right = np.matmul(u, _adjoint((ct_v - np.matmul(v, from_v)) * over))
    return inside + left + right


def _factors_jvp(t: Any, out: Any, _x: Any) -> Any:
    u, s, vh = out
    v, uh = _adjoint(vh), _adjoint(u)
    e, g, over = _pairs(s)
    moved = np.matmul(t, v)
    p = np.matmul(uh, moved)
    h, k = _parts(p)
    du = np.matmul(u, e * h + g * k) + (moved - np.matmul(u, p)) * over
    back = np.matmul(_adjoint(t), u)
    dv = np.matmul(v, e * h - g * k) + (back - np.matmul(v, _adjoint(p))) * over
    return du, np.real(np.einsum("...ii->...i", p)), _adjoint(dv)


def _factors_impl(x: Any) -> Any:
    return tuple(np.linalg.svd(x, full_matrices=False))


def _real(dtype: Any) -> Any:
    return np.zeros(0, dtype).real.dtype


def _factors_shape(x: Aval) -> Any:
    *outer, n, m = x.shape
    k = min(n, m)
    return (
        Aval((*outer, n, k), x.dtype),
        Aval((*outer, k), _real(x.dtype)),
        Aval((*outer, k, m), x.dtype),
    )


_factors = primitive(
    None,
    name="singular factors",
    impl=_factors_impl,
    vjp=_factors_vjp,
    jvp=_factors_jvp,
    shape=_factors_shape,
    batch=lambda _size, operands, axes: (
        _factors_impl(np.moveaxis(operands[0], axes[0], 0)),
        (0, 0, 0),
    ),
    keep=(),
    outputs=3,
    rows=cores(2),
)


def _vectors(x: Any) -> tuple[Any, Any]:
    u, _, vh = apply(_factors, (x,), {}) if isinstance(x, Tensor) else _factors_impl(x)
    return u, vh


def _values_vjp(ct: Any, out: Any, x: Any) -> Any:
    u, vh = _vectors(x)
    ct = np.where(raw(out) == 0, np.zeros((), ct.dtype), ct)  # as abs has at 0
    return np.matmul(u * np.expand_dims(ct, -2), vh)


def _values_jvp(t: Any, out: Any, x: Any) -> Any:
    u, vh = _vectors(x)
    moved = np.real(np.einsum("...ji,...jk,...ki->...i", np.conjugate(u), t, _adjoint(vh)))
    return np.where(raw(out) == 0, np.zeros((), moved.dtype), moved)


svdvals = primitive(
    np.linalg.svdvals,
    signature=lambda x: ((as_array(x),), {}),
    vjp=_values_vjp,
    jvp=_values_jvp,
    shape=lambda x: Aval(
        (*x.shape[:-2], min(x.shape[-2:])),
        _real(x.dtype if x.dtype.kind in "fc" else np.dtype(np.float64)),
    ),
    batch=lambda _size, operands, axes: (
        np.linalg.svdvals(np.moveaxis(operands[0], axes[0], 0)),
        0,
    ),
    rows=cores(2),
)
