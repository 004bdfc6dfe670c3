"""`tf.linalg`, as far as the cards go: solving, inverses, determinants, norms, diagonals."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import numpy as np

from ...core.positions import decode, here
from ...core.tensor import another
from ...errors import three_part
from ..base.arguments import bad
from ..base.dtypes import BFLOAT16
from ..base.errors import KINDS, RefusedValue, invalid
from ..base.making import (
    EVERY,
    FLOAT,
    adopt,
    allow,
    convert,
    export,
    native,
    natural,
    op,
    unify,
)
from ..base.names import lookup


def _matrix(name: str, input: Any, square: bool = True) -> Any:
    x = native(input)
    allow(name, x, FLOAT)
    if x.value.ndim < 2:
        raise invalid(
            f"{name}: Input tensor must have rank >= 2, got {x.value.ndim}.",
            f"Called at {decode(*here())}.",
            "Give a matrix, or a stack of matrices.",
        )
    if square and x.value.shape[-1] != x.value.shape[-2]:
        raise invalid(
            f"{name}: Input matrix must be square, got {list(x.value.shape)}.",
            f"Called at {decode(*here())}.",
            "The last two axes are of one length.",
        )
    return x


def _adjoint(x: Any) -> Any:
    x = np.swapaxes(x, -1, -2)
    return np.conjugate(x) if x.value.dtype.kind == "c" else x


def _solved(name: str, a: Any, b: Any) -> Any:
    try:
        return np.linalg.solve(a, b)
    except np.linalg.LinAlgError:
        raise _singular(name) from None


def _singular(name: str) -> Any:
    return invalid(
        f"{name}: Input matrix is not invertible.",
        f"Called at {decode(*here())}.",
        "Add a small multiple of tf.eye(n), or use tf.linalg.lstsq.",
    )


@op("linalg.inv")
def inv(input: Any, adjoint: Any = False, name: Any = None) -> Any:
    """The inverse, or with `adjoint` that of the adjoint."""
    x = _matrix("inv", input)
    try:
        return np.linalg.inv(_adjoint(x) if adjoint else x)
    except np.linalg.LinAlgError:
        raise _singular("inv") from None


@op("linalg.det")
def det(input: Any, name: Any = None) -> Any:
    """The determinant."""
    return np.linalg.det(_matrix("det", input))


LogMatrixDeterminant = namedtuple("LogMatrixDeterminant", ["sign", "log_abs_determinant"])


@export("linalg.slogdet")
def slogdet(input: Any, name: Any = None) -> Any:
    """The sign of the determinant, and the logarithm of its absolute value."""
    return LogMatrixDeterminant(*_slogdet(input))


@op()
def _slogdet(input: Any) -> Any:
    return tuple(np.linalg.slogdet(_matrix("slogdet", input)))


@op("linalg.logdet")
def logdet(matrix: Any, name: Any = None) -> Any:
    """The logarithm of the determinant of a positive definite matrix."""
    diagonal = np.diagonal(np.linalg.cholesky(_matrix("logdet", matrix)), axis1=-2, axis2=-1)
    return 2 * np.sum(np.log(np.real(diagonal)), axis=-1)


@op("linalg.cholesky")
def cholesky(input: Any, name: Any = None) -> Any:
    """The lower triangular factor of a positive definite matrix."""
    return np.linalg.cholesky(_matrix("cholesky", input))


def _ranks(name: str, a: Any, b: Any) -> None:
    if b.value.ndim != a.value.ndim:
        raise invalid(
            f"{name}: All input tensors must have the same rank.",
            f"Called at {decode(*here())} with shapes {a.value.shape} and {b.value.shape}.",
            "Make a vector a column: b[..., tf.newaxis].",
        )


@op("linalg.solve")
def solve(matrix: Any, rhs: Any, adjoint: Any = False, name: Any = None) -> Any:
    """The `x` with `matrix @ x == rhs`."""
    first, second = unify("solve", (matrix, rhs))
    a, b = _matrix("solve", first), native(second)
    _ranks("solve", a, b)
    return _solved("solve", _adjoint(a) if adjoint else a, b)


@op("linalg.cholesky_solve")
def cholesky_solve(chol: Any, rhs: Any, name: Any = None) -> Any:
    """The `x` with `chol @ adjoint(chol) @ x == rhs`."""
    a, b = unify("cholesky_solve", (chol, rhs), "by_force")
    a = np.tril(_matrix("cholesky_solve", a))
    return _solved("cholesky_solve", _adjoint(a), _solved("cholesky_solve", a, native(b)))


@op("linalg.triangular_solve")
def triangular_solve(
    matrix: Any, rhs: Any, lower: Any = True, adjoint: Any = False, name: Any = None
) -> Any:
    """The `x` with `matrix @ x == rhs`; only one triangle of `matrix` is read."""
    a, b = unify("triangular_solve", (matrix, rhs), "by_force")
    a = _matrix("triangular_solve", a)
    a = np.tril(a) if lower else np.triu(a)
    return _solved("triangular_solve", _adjoint(a) if adjoint else a, native(b))


@op("linalg.lstsq")
def lstsq(
    matrix: Any, rhs: Any, l2_regularizer: Any = 0.0, fast: Any = True, name: Any = None
) -> Any:
    """The least-squares solution, by the normal equations as TensorFlow's fast path."""
    first, second = unify("lstsq", (matrix, rhs), "by_force")
    a, b = _matrix("lstsq", first, square=False), native(second)
    _ranks("lstsq", a, b)
    rows, columns = a.value.shape[-2:]
    over = rows >= columns
    weight = np.asarray(l2_regularizer, a.value.dtype)
    gram = np.matmul(_adjoint(a), a) if over else np.matmul(a, _adjoint(a))
    gram = gram + weight * np.eye(min(rows, columns), dtype=a.value.dtype)
    if over:
        return _solved("lstsq", gram, np.matmul(_adjoint(a), b))
    return np.matmul(_adjoint(a), _solved("lstsq", gram, b))


# ------------------------------------------------------------------------------ norms


@op("norm", "linalg.norm")
def norm(
    tensor: Any, ord: Any = "euclidean", axis: Any = None, keepdims: Any = None, name: Any = None
) -> Any:
    """The norm of all elements, of vectors along one axis, or of matrices along two."""
    given = natural(tensor)
    if ord == 2 and axis is not None and np.size(axis) == 2 and given.value.dtype.char == BFLOAT16:
        raise bad("norm", "no bfloat16 has singular values.", "Cast it: tf.cast(x, tf.float32).")
    x = native(given)
    allow("norm", x, FLOAT)
    pair = isinstance(axis, list | tuple) and len(axis) == 2
    named = ("euclidean", "fro", np.inf, 1, 2) if pair else ("euclidean", 1, 2, np.inf)
    is_number = not isinstance(ord, str) and np.isreal(ord) and ord > 0
    if ord not in named and not (is_number and not pair):
        kind = "matrix" if pair else "vector"
        raise RefusedValue(
            three_part(
                f"'ord' must be a supported {kind} norm in {list(named)}, got {ord}.",
                f"tf.norm was called at {decode(*here())}.",
                "Leave it out for the Euclidean norm.",
            )
        )
    if isinstance(axis, list | tuple):
        axis = tuple(int(a) for a in axis)
        if len(axis) != 2 or axis[0] == axis[1]:
            raise RefusedValue(
                three_part(
                    "'axis' must be None, an integer, or a tuple of 2 unique integers, got "
                    f"{axis}.",
                    f"tf.norm was called at {decode(*here())}.",
                    "Give one axis for vectors, two for matrices.",
                )
            )
    keepdims = bool(keepdims)
    if ord in ("euclidean", "fro") or (ord == 2 and not pair):
        return _root(np.sum(_squares(x), axis=axis, keepdims=keepdims), x)
    size = np.abs(x)
    if not pair:
        if ord == 1:
            out = np.sum(size, axis=axis, keepdims=keepdims)
        elif ord == np.inf:
            out = np.max(size, axis=axis, keepdims=keepdims)
        else:
            out = np.sum(size**ord, axis=axis, keepdims=keepdims) ** (1.0 / ord)
    elif ord == 2:
        out = np.linalg.norm(x, 2, axis=axis, keepdims=keepdims)
    else:
        first, last = axis if ord == 1 else axis[::-1]
        out = np.max(np.sum(size, axis=first, keepdims=True), axis=last, keepdims=True)
        out = out if keepdims else np.squeeze(out, axis=axis)
    return out.astype(x.value.dtype)


def _squares(x: Any) -> Any:
    return np.real(x * np.conjugate(x)) if x.value.dtype.kind == "c" else np.square(x)


def _root(total: Any, x: Any) -> Any:
    """The root, whose derivative at 0 is infinite: TensorFlow's norm has nan there."""
    return np.sqrt(total).astype(x.value.dtype)


@export("linalg.normalize")
def normalize(
    tensor: Any, ord: Any = "euclidean", axis: Any = None, name: Any = None
) -> Any:
    """The tensor divided by its norm, and the norm."""
    x = convert(tensor)
    size = norm(x, ord=ord, axis=axis, keepdims=True)
    return lookup("truediv")(x, size), size


# ------------------------------------------------------------------------------ shapes


@op("linalg.matrix_transpose")
def matrix_transpose(a: Any, name: Any = None, conjugate: Any = False) -> Any:
    """The last two axes swapped."""
    x = native(a)
    if x.value.ndim < 2:
        raise RefusedValue(
            three_part(
                "Argument `a` should be a (batch) matrix with rank >= 2. Received a shape of "
                f"{x.value.shape}.",
                f"tf.linalg.matrix_transpose was called at {decode(*here())}.",
                "tf.expand_dims makes a vector a matrix.",
            )
        )
    return _adjoint(x) if conjugate else np.swapaxes(x, -1, -2)


@op("linalg.adjoint")
def adjoint(matrix: Any, name: Any = None) -> Any:
    """The conjugate of the transpose."""
    return matrix_transpose(matrix, conjugate=True)


@op("linalg.trace")
def trace(x: Any, name: Any = None) -> Any:
    """The sum of the main diagonal of each matrix."""
    t = native(x)
    allow("trace", t, EVERY[:-1])
    if t.value.ndim < 2:
        raise invalid(
            "trace: input must be at least 2-dim, received shape: "
            f"{list(t.value.shape)}.",
            f"Called at {decode(*here())}.",
            "Give a matrix, or a stack of matrices.",
        )
    return np.sum(np.diagonal(t, axis1=-2, axis2=-1), axis=-1, dtype=t.value.dtype)


@op("linalg.cross")
def cross(a: Any, b: Any, name: Any = None) -> Any:
    """The cross product of vectors of three numbers along the last axis."""
    x, y = map(native, unify("cross", (a, b)))
    if not x.value.ndim or x.value.shape[-1] != 3:
        raise KINDS["FailedPreconditionError"](
            None,
            None,
            three_part(
                "Cross-products are only defined for 3-element vectors.",
                f"tf.linalg.cross was called at {decode(*here())} with shape {x.value.shape}.",
                "The last axis holds three numbers.",
            ),
        )
    if x.value.shape != y.value.shape:
        raise invalid(
            f"cross: Both inputs must be of same shape: {x.value.shape} vs. {y.value.shape}.",
            f"Called at {decode(*here())}.",
            "tf.broadcast_to makes them so.",
        )
    return np.cross(x, y)


def _one_diagonal(name: str, k: Any) -> int:
    found = natural(k).value
    if np.size(found) != 1:
        raise KINDS["UnimplementedError"](
            None,
            None,
            three_part(
                f"{name}: a band of diagonals, k={np.ravel(found).tolist()}, is not supported.",
                f"Called at {decode(*here())}.",
                "Set one diagonal after the other: k=0, k=1.",
            ),
        )
    return int(np.ravel(found)[0])


@op("linalg.diag")
def diag(
    diagonal: Any,
    name: Any = "diag",
    k: Any = 0,
    num_rows: Any = -1,
    num_cols: Any = -1,
    padding_value: Any = 0,
    align: Any = "RIGHT_LEFT",
) -> Any:
    """Matrices with the last axis of `diagonal` on their `k`-th diagonal."""
    x, k = native(diagonal), _one_diagonal("diag", k)
    if x.value.ndim < 1:
        raise invalid(
            "diag: diagonal must be at least 1-dim, received shape: [].",
            f"Called at {decode(*here())}.",
            "Give a vector.",
        )
    n = x.value.shape[-1]
    rows, columns = least = n + max(-k, 0), n + max(k, 0)
    shape: tuple[int, ...] = (int(natural(num_rows).value), int(natural(num_cols).value))
    if shape == (-1, -1):
        shape = (max(least), max(least))
    else:
        shape = tuple(w if w >= 0 else m for w, m in zip(shape, least, strict=True))
    if shape[0] < rows or shape[1] < columns or (shape[0] != rows and shape[1] != columns):
        raise invalid(
            f"diag: The number of rows or columns is not consistent: {shape} for {n} numbers.",
            f"Called at {decode(*here())}.",
            f"It takes {rows} rows, {columns} columns, or both.",
        )
    on = np.eye(shape[0], shape[1], k=k, dtype=bool)
    pad = np.asarray(padding_value, x.value.dtype)
    # row i (column i for k < 0) holds the i-th number
    place = np.clip(np.arange(shape[0]) if k >= 0 else np.arange(shape[1]), 0, max(n - 1, 0))
    outer = x.value.shape[:-1]
    spread = np.take(x, place, axis=-1) if n else native(np.zeros((*outer, len(place))))
    spread = np.expand_dims(spread, -1 if k >= 0 else -2)
    return np.where(on, np.broadcast_to(spread, (*x.value.shape[:-1], *shape)), pad)


def _diagonal(name: str, x: Any, k: int) -> Any:
    rows, columns = x.value.shape[-2:]
    if not -rows < k < columns and (rows or columns):
        raise invalid(
            f"{name}: lower_diag_index is out of bound: {k}. It must be between {-rows} and "
            f"{columns}.",
            f"Called at {decode(*here())}.",
            "k=0 is the main diagonal.",
        )
    return np.diagonal(x, k, -2, -1)


@op("linalg.diag_part")
def diag_part(
    input: Any,
    name: Any = "diag_part",
    k: Any = 0,
    padding_value: Any = 0,
    align: Any = "RIGHT_LEFT",
) -> Any:
    """The `k`-th diagonal of each matrix."""
    x = native(input)
    if x.value.ndim < 2:
        raise invalid(
            f"diag_part: input must be at least 2-dim, received shape: {list(x.value.shape)}.",
            f"Called at {decode(*here())}.",
            "Give a matrix, or a stack of matrices.",
        )
    return another(_diagonal("diag_part", x, _one_diagonal("diag_part", k)))


@op("linalg.set_diag")
def set_diag(
    input: Any, diagonal: Any, name: Any = "set_diag", k: Any = 0, align: Any = "RIGHT_LEFT"
) -> Any:
    """`input` with its `k`-th diagonal replaced."""
    x, d = map(native, unify("set_diag", (input, diagonal)))
    k = _one_diagonal("set_diag", k)
    if x.value.ndim < 2:
        raise invalid(
            f"set_diag: input must be at least 2-dim, received shape: {list(x.value.shape)}.",
            f"Called at {decode(*here())}.",
            "Give a matrix, or a stack of matrices.",
        )
    wanted = _diagonal("set_diag", native(x.value), k).value.shape
    if d.value.shape != wanted:
        raise invalid(
            f"set_diag: diagonal has shape {list(d.value.shape)} instead of {list(wanted)}.",
            f"Called at {decode(*here())}.",
            "One number for each place on the diagonal.",
        )
    rows, columns = x.value.shape[-2:]
    new = native(diag(adopt(d), k=k, num_rows=rows, num_cols=columns))
    return np.where(np.eye(rows, columns, k=k, dtype=bool), new, x)


@op("linalg.band_part")
def band_part(input: Any, num_lower: Any, num_upper: Any, name: Any = None) -> Any:
    """Zeros outside a band of diagonals; a negative number keeps the whole triangle."""
    x = native(input)
    if x.value.ndim < 2:
        raise invalid(
            f"band_part: input must be at least 2-dim, received shape: {list(x.value.shape)}.",
            f"Called at {decode(*here())}.",
            "Give a matrix, or a stack of matrices.",
        )
    rows, columns = x.value.shape[-2:]
    low, high = int(natural(num_lower).value), int(natural(num_upper).value)
    for what, number, most in (("num_lower", low, rows), ("num_upper", high, columns)):
        if number > most:
            raise invalid(
                f"band_part: {what} must be negative or less or equal to {most}, got: {number}.",
                f"Called at {decode(*here())}.",
                "-1 keeps all.",
            )
    ahead = np.arange(columns) - np.arange(rows)[:, None]
    kept = np.ones((rows, columns), bool)
    if low >= 0:
        kept &= ahead >= -low
    if high >= 0:
        kept &= ahead <= high
    return np.where(kept, x, np.zeros((), x.value.dtype))


@op("linalg.tensor_diag")
def tensor_diag(diagonal: Any, name: Any = None) -> Any:
    """A tensor of twice the rank with `diagonal` on its diagonal."""
    x = native(diagonal)
    if x.value.ndim < 1:
        raise invalid(
            "tensor_diag: Input must be at least rank 1, got 0.",
            f"Called at {decode(*here())}.",
            "Give a vector.",
        )
    flat = np.reshape(x, -1)
    matrix = np.where(np.eye(x.value.size, dtype=bool), flat, np.zeros((), x.value.dtype))
    return np.reshape(matrix, x.value.shape * 2)


@op("linalg.tensor_diag_part")
def tensor_diag_part(input: Any, name: Any = None) -> Any:
    """The diagonal of a tensor of even rank."""
    x = native(input)
    half, odd = divmod(x.value.ndim, 2)
    shape = x.value.shape[:half]
    if odd or not half or shape != x.value.shape[half:]:
        raise invalid(
            "tensor_diag_part: input must have an even rank and equal halves of its shape, got "
            f"{list(x.value.shape)}.",
            f"Called at {decode(*here())}.",
            "tf.linalg.diag_part takes stacks of matrices.",
        )
    n = int(np.prod(shape))
    return np.reshape(np.diagonal(np.reshape(x, (n, n))), shape)
