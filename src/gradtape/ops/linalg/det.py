"""`np.linalg.det` and `slogdet`.

The gradient of the determinant is the matrix of cofactors, which is finite for singular matrices
too. Where the matrix is well conditioned it is det(A) A^-T; elsewhere it comes from the singular
values: C(U S V^H) = C(U) C(S) C(V^H), C(Q) = det(Q) conj(Q) for unitary Q, and C(S) is diagonal
with the products of all singular values but one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.linalg import LinAlgError

from ...core.aval import Aval
from ...core.batched import as_array
from ...core.cards import primitive
from ...core.dispatch import apply
from ...core.registry import FUNCTIONS, HOOKS
from ...core.rows import cores
from ...core.tensor import Tensor, raw


def _transpose(x: Any) -> Any:
    axes = tuple(range(x.ndim))
    return np.transpose(x, (*axes[:-2], axes[-1], axes[-2]))


def _conj(x: Any) -> Any:
    return np.conjugate(x) if x.dtype.kind == "c" else x


def _over_matrix(x: Any) -> Any:
    """A number per matrix, with two axes to multiply the matrices by it."""
    return np.reshape(x, (*x.shape, 1, 1))


def _inverse_if_regular(x: Any) -> Any:
    """The inverse of raw `x`, or None if a matrix in it is singular to half precision."""
    try:
        inverse = np.linalg.inv(x)
    except LinAlgError:
        return None
    norms = [np.abs(m).sum(axis=-1).max(axis=-1, initial=0) for m in (x, inverse)]
    with np.errstate(all="ignore"):
        condition = norms[0] * norms[1]
    return inverse if np.all(condition < np.finfo(x.dtype).eps ** -0.5) else None


def _svd(x: Any) -> Any:
    """The singular value decomposition; its values are NaN where a matrix is not finite.

    LAPACK refuses NaN, and may never come back from infinity.
    """
    finite = np.isfinite(x).all(axis=(-2, -1))
    u, s, vh = np.linalg.svd(np.where(finite[..., None, None], x, np.zeros((), x.dtype)))
    return u, np.where(finite[..., None], s, np.nan).astype(s.dtype), vh


# -------------------------------------------------------------------------------- cofactors


def _cofactors_value(x: Any) -> Any:
    inverse = _inverse_if_regular(x)
    if inverse is not None:
        return _over_matrix(np.asarray(np.linalg.det(x))) * inverse.swapaxes(-1, -2)
    u, s, vh = _svd(x)
    n = x.shape[-1]
    but_one = np.where(np.eye(n, dtype=bool), 1, s[..., None, :]).prod(axis=-1)
    phase = np.linalg.det(u) * np.linalg.det(vh)
    return _over_matrix(phase) * ((_conj(u) * but_one[..., None, :]) @ _conj(vh))


def _cofactors_back(h: Any, x: Any) -> Any:
    """The transpose (not the adjoint) of the derivative of the cofactors, applied to `h`."""
    inverse = _inverse_if_regular(raw(x))
    if inverse is not None:
        d, b = np.linalg.det(x), np.linalg.inv(x)
        trace = _over_matrix(np.sum(h * _transpose(b), axis=(-2, -1)))
        back = trace * _transpose(b) - _transpose(np.matmul(b, np.matmul(h, b)))
        return _over_matrix(d) * back
    if isinstance(x, Tensor) or isinstance(h, Tensor):
        from ...core.uncarded import unsupported

        # third derivatives at a singular matrix: computed, and refused when a gradient needs them
        return unsupported(
            "det at a singular matrix (third derivative)", _singular_back, (h, x), {}
        )
    return _singular_back(h, x)


def _singular_back(h: Any, x: Any) -> Any:
    # with E = U^H dA V:  dC(S)_ii = sum_{k != i} E_kk P_ik,  dC(S)_ij = -E_ji P_ij, where P_ij is
    # the product of all singular values but i and j
    u, s, vh = _svd(x)
    n = x.shape[-1]
    eye = np.eye(n, dtype=bool)
    left_out = eye[:, None, :] | eye[None, :, :]
    but_two = np.where(eye, 0, np.where(left_out, 1, s[..., None, None, :]).prod(axis=-1))
    k = _conj(u).swapaxes(-1, -2) @ h @ _conj(vh).swapaxes(-1, -2)
    diagonal = np.einsum("...ii,...ik->...k", k, but_two)
    middle = np.where(eye, diagonal[..., None, :], -(k * but_two).swapaxes(-1, -2))
    phase = np.linalg.det(u) * np.linalg.det(vh)
    return _over_matrix(phase) * (_conj(u) @ middle @ _conj(vh))


_cofactors_card = primitive(
    None,
    name="cofactors",
    impl=_cofactors_value,
    vjp=lambda ct, _out, x: _conj(_cofactors_back(_conj(ct), x)),
    jvp=lambda t, _out, x: _cofactors_back(t, x),  # second derivatives are symmetric
    shape=lambda x: Aval(x.shape, x.dtype),
    batch=lambda _size, operands, axes: (
        _cofactors_value(np.moveaxis(operands[0], axes[0], 0)),
        0,
    ),
    keep_out=False,
    rows=cores(2),
)


def _cofactors(x: Any) -> Any:
    return apply(_cofactors_card, (x,), {}) if isinstance(x, Tensor) else _cofactors_value(x)


# -------------------------------------------------------------------------------------- det


def _float(dtype: Any) -> Any:
    return dtype if dtype.kind in "fc" else np.dtype(np.float64)


det = primitive(
    np.linalg.det,
    signature=lambda a: ((as_array(a),), {}),
    vjp=lambda ct, _out, x: _over_matrix(ct) * _conj(_cofactors(x)),
    jvp=lambda t, _out, x: np.sum(t * _cofactors(x), axis=(-2, -1)),
    shape=lambda x: Aval(x.shape[:-2], _float(x.dtype)),
    batch=lambda _size, operands, axes: (np.linalg.det(np.moveaxis(operands[0], axes[0], 0)), 0),
    keep_out=False,
    rows=cores(2),
)


# ---------------------------------------------------------------------------------- slogdet


def _inverse(x: Any) -> Any:
    """The inverse; nan where there is none, for the logarithm of 0 has no gradient."""
    try:
        return np.linalg.inv(x)
    except LinAlgError:
        return np.full(x.shape, np.nan, x.dtype)


def _slogdet_vjp(ct: Any, out: Any, x: Any) -> Any:
    # d log|det| = Re tr(A^-1 dA); the sign of a complex matrix turns: d sign = i sign Im tr(..)
    ct_sign, ct_log = ct
    if x.dtype.kind == "c":
        turn = np.imag(np.conjugate(out[0]) * ct_sign)
        ct_log = ct_log + turn * 1j
    return _over_matrix(ct_log) * _conj(_transpose(_inverse(x)))


def _slogdet_jvp(t: Any, out: Any, x: Any) -> Any:
    trace = np.sum(_transpose(_inverse(x)) * t, axis=(-2, -1))
    if x.dtype.kind != "c":
        return np.zeros(np.shape(out[0]), x.dtype), trace
    return out[0] * np.imag(trace) * 1j, np.real(trace)


def _slogdet_shape(x: Aval) -> Any:
    dtype = _float(x.dtype)
    return Aval(x.shape[:-2], dtype), Aval(x.shape[:-2], np.zeros(0, dtype).real.dtype)


slogdet_card = primitive(
    np.linalg.slogdet,
    signature=lambda a: ((as_array(a),), {}),
    impl=lambda x: tuple(np.linalg.slogdet(x)),
    vjp=_slogdet_vjp,
    jvp=_slogdet_jvp,
    shape=_slogdet_shape,
    batch=lambda _size, operands, axes: (
        tuple(np.linalg.slogdet(np.moveaxis(operands[0], axes[0], 0))),
        (0, 0),
    ),
    outputs=2,
    rows=cores(2),
)
_as_tuple = HOOKS["op:slogdet"]
_Result: Any = type(np.linalg.slogdet(np.ones((1, 1))))


def slogdet(a: Any) -> Any:
    """`np.linalg.slogdet` with its named tuple."""
    return _Result(*_as_tuple(a))


FUNCTIONS[np.linalg.slogdet] = slogdet
