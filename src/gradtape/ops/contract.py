"""Products: matmul, dot, tensordot and their kin. `einsum.py` has einsum, `linalg/` the rest.

Two cards carry the family, `matmul` and `tensordot`; the others are made of them. A product keeps
an operand only where a tape follows the *other* one, so `x @ w` with plain `x` holds no `w`.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..core.aval import Aval, broadcast_shapes
from ..core.bands import BANDED, STACKED, Bands
from ..core.batched import as_array
from ..core.buffers import matrix_product
from ..core.cards import align_batch, composite, primitive, unbroadcast
from ..core.dispatch import apply, write_out
from ..core.positions import decode, here, user_frame
from ..core.refusals import ArgumentTypeError, ArgumentValueError
from ..core.registry import HOOKS, UFUNC_METHODS, UFUNCS
from ..core.rows import Places, Rows, cores, has_nan
from ..core.state import AVALS, KEYS
from ..core.tensor import Tensor, raw
from ..core.ufunc_call import check_options
from ..errors import ShapeError, three_part

ndarray = np.ndarray


def _conj(x: Any) -> Any:
    return np.conjugate(x) if x.dtype.kind == "c" else x


def _adjoint(x: Any) -> Any:
    """The conjugate transpose of a stack of matrices; a view for real arrays."""
    if type(x) is ndarray:
        return _conj(x.swapaxes(-1, -2))
    axes = tuple(range(x.ndim))
    return _conj(np.transpose(x, (*axes[:-2], axes[-1], axes[-2])))


# ------------------------------------------------------------------ a tall matrix, transposed

# OpenBLAS multiplies a tall matrix from its long side several times slower than a stack of blocks
# of its rows, and adds up each column in one run; the block sums lose less (measured: 1M x 20
# float32, 15 ms and an error of 6e-6 against 3.4 ms and 1.4e-7).
_ROWS = 10_000


def _left(x: Any, ct: Any) -> Any:
    """`x^H @ ct` for a matrix `x: (n, k)` and `ct: (n,)` or `(n, m)`."""
    if (
        type(x) is ndarray
        and type(ct) is ndarray
        and x.shape[0] >= 2 * _ROWS
        and 4 <= x.shape[1] <= 512
        and (ct.ndim == 1 or ct.shape[1] <= 8)
        and x.flags.c_contiguous
        and ct.flags.c_contiguous
    ):
        return _left_in_blocks(x, ct)
    return matrix_product(_adjoint(x), ct)


def _left_in_blocks(x: Any, ct: Any) -> Any:
    n, k = x.shape
    blocks = n // _ROWS
    whole = blocks * _ROWS
    columns = ct.reshape(n, -1)
    parts = np.matmul(
        columns[:whole].reshape(blocks, _ROWS, -1).swapaxes(1, 2),
        _conj(x[:whole].reshape(blocks, _ROWS, k)),
    )
    total = np.add.reduce(parts, axis=0)
    if whole < n:
        total += np.matmul(columns[whole:].T, _conj(x[whole:]))
    return total[0] if ct.ndim == 1 else np.ascontiguousarray(total.T)


# ----------------------------------------------------------------------------------- matmul


def _matmul_impl(x: Any, y: Any) -> Any:
    try:
        return matrix_product(x, y)
    except ValueError:
        raise _misfit("matmul", x, y) from None


def _misfit(name: str, x: Any, y: Any) -> ShapeError:
    """The error for operands whose shapes do not go together."""
    frame = user_frame(3)
    a, b = np.shape(x), np.shape(y)
    if not a or not b:
        remedy = "Multiply by a scalar with *: x * y."
    elif len(b) >= 2 and len(a) >= 1 and a[-1] == b[-1]:
        remedy = "Transpose the second operand: x @ np.matrix_transpose(y)."
    elif len(a) >= 2 and a[-2] == b[max(len(b) - 2, 0)]:
        remedy = "Transpose the first operand: np.matrix_transpose(x) @ y."
    else:
        remedy = "Reshape an operand, or name the axes to sum: np.tensordot(x, y, axes=([0], [1]))."
    return ShapeError(
        three_part(
            f"{name}: operands of shapes {a} and {b} do not go together; the last axis of the "
            f"first must be as long as axis {-2 if len(b) > 1 else -1} of the second.",
            f"Called at {decode(frame.f_code, frame.f_lasti)}.",
            remedy,
        )
    )


def _matmul_vjp(i: int, ct: Any, _out: Any, x: Any, y: Any) -> Any:
    nx, ny = x.ndim, y.ndim
    if type(ct) is ndarray and 0 in ct.strides:
        ct = np.array(ct)  # a broadcast cotangent (of a sum) would not reach BLAS: 50 x slower
    if nx == 2 and ny == 2:
        return matrix_product(ct, _adjoint(y)) if i == 0 else _left(x, ct)
    if nx == 1 and ny == 1:
        return ct * _conj(y if i == 0 else x)
    if nx == 2 and ny == 1:
        return np.reshape(ct, (-1, 1)) * _conj(y) if i == 0 else _left(x, ct)
    if nx == 1 and ny == 2:
        return np.matmul(_conj(y), ct) if i == 0 else np.reshape(_conj(x), (-1, 1)) * ct
    return _matmul_vjp_stacked(i, ct, x, y)


def _matmul_vjp_stacked(i: int, ct: Any, x: Any, y: Any) -> Any:
    """The vjp where an operand is a stack of matrices; vectors become matrices first."""
    shape = x.shape if i == 0 else y.shape
    k = x.shape[-1]
    n = 1 if x.ndim == 1 else x.shape[-2]
    m = 1 if y.ndim == 1 else y.shape[-1]
    outer = ct.shape[: ct.ndim - (x.ndim > 1) - (y.ndim > 1)]
    ct = np.reshape(ct, (*outer, n, m))
    if i == 0:
        other = np.reshape(y, (k, 1)) if y.ndim == 1 else y
        g = np.matmul(ct, _adjoint(other))
        return np.reshape(unbroadcast(g, (1, k) if x.ndim == 1 else shape), shape)
    if y.ndim <= 2 and x.ndim > 2:  # one product over all rows in place of a stack and a sum
        rows = np.reshape(x, (prod(x.shape[:-1]), k))
        return np.reshape(_left(rows, np.reshape(ct, (rows.shape[0], m))), shape)
    other = np.reshape(x, (1, k)) if x.ndim == 1 else x
    g = np.matmul(_adjoint(other), ct)
    return np.reshape(unbroadcast(g, (k, 1) if y.ndim == 1 else shape), shape)


def _matmul_shape(x: Aval, y: Aval) -> Aval:
    outer = broadcast_shapes(x.shape[:-2], y.shape[:-2])
    n, m = x.shape[-2:-1], y.shape[-1:] if y.ndim > 1 else ()
    return Aval((*outer, *n, *m), np.result_type(x.dtype, y.dtype))


def _matmul_batch(_size: int, operands: Any, axes: Any) -> Any:
    (x, y), (b, c) = operands, axes
    row, column = np.ndim(x) - (b is not None) == 1, np.ndim(y) - (c is not None) == 1
    if b is not None:
        x = np.moveaxis(x, b, 0)
    if c is not None:
        y = np.moveaxis(y, c, 0)
    if row:
        x = np.reshape(x, (*np.shape(x)[:-1], 1, np.shape(x)[-1]))
    if column:
        y = np.reshape(y, (*np.shape(y), 1))
    places = [None if a is None else 0 for a in axes]
    out = np.matmul(*align_batch((x, y), places))
    *outer, n, m = np.shape(out)
    return np.reshape(out, (*outer, *([] if row else [n]), *([] if column else [m]))), 0


def _matmul_places(i: int, avals: Any, ndim: int, _params: Any) -> Places:
    rows, columns = avals[0].ndim > 1, avals[1].ndim > 1
    outer = ndim - rows - columns
    stack = tuple(range(outer - max(avals[i].ndim - 2, 0), outer))
    if i == 0:
        return (*stack, *((outer,) if rows else ()), None)
    return (*stack, None, *((ndim - 1,) if columns else ()))


matmul = primitive(
    np.matmul,
    impl=_matmul_impl,
    arity=2,
    vjp=_matmul_vjp,
    jvp=lambda i, t, _out, x, y: np.matmul(t, y) if i == 0 else np.matmul(x, t),
    shape=_matmul_shape,
    batch=_matmul_batch,
    keep={0: (1,), 1: (0,)},
    keep_out=False,
    rows=Rows(_matmul_places, sums=True),
)


def _banded_matmul(rec: list[Any], g: Bands) -> dict[int, Any] | None:
    """Of `a @ x` with a vector: rows of `a`, each times its number."""
    (ka, kx), (a, x) = rec[KEYS], rec[9]
    if ka > 0 or len(rec[AVALS][0].shape) != 2 or x.ndim != 1 or len(g.diagonals) != 1:
        return None
    ((k, v),) = g.diagonals.items()
    if type(v) is not ndarray:
        return None  # `has_nan` has to be answered
    first, last = max(0, -k), min(len(v), g.rows - k)
    scaled = v[first:last, None] * _conj(a[first:last])
    if has_nan(scaled):
        return None
    if first + k == 0 and last + k == g.rows:
        return {kx: scaled}
    out = np.zeros((g.rows, a.shape[1]), scaled.dtype)
    out[first + k : last + k] = scaled
    return {kx: out}


def _stacked_matmul(rec: list[Any], g: Any) -> dict[int, Any] | None:
    """Of matrices and vectors, whose cotangents have a batch in front."""
    keys, (x, y), avals = rec[KEYS], rec[9], rec[AVALS]
    nx, ny = (len(a.shape) for a in avals)
    if nx > 2 or ny > 2 or type(g) is not ndarray or keys[0] == keys[1]:
        return None
    found = {}
    if keys[0] > 0:
        if ny == 2:
            found[keys[0]] = np.matmul(g, _adjoint(y))
        else:
            found[keys[0]] = g[..., None] * _conj(y)
    if keys[1] > 0:
        if nx == 1:
            found[keys[1]] = _conj(x)[:, None] * g[:, None] if ny == 2 else g[:, None] * _conj(x)
        else:
            found[keys[1]] = np.matmul(_adjoint(x), g) if ny == 2 else np.matmul(g, _conj(x))
    for i, k in enumerate(keys):
        if k > 0 and (has_nan(found[k]) or (g.dtype.kind == "c") > (avals[i].dtype.kind == "c")):
            return None  # a 0 may have met infinity; an operand that is real has a real cotangent
    return found


BANDED[matmul] = _banded_matmul
STACKED[matmul] = _stacked_matmul
_NO_OPTIONS: dict[str, Any] = {}


def _matmul(x: Any, y: Any) -> Any:
    """`x @ y`, with no keyword arguments to look at."""
    return apply(matmul, (x, y), _NO_OPTIONS)


UFUNCS[np.matmul] = _matmul


# ------------------------------------------------------- generalised ufuncs and their options

_KNOWN = frozenset(["casting", "order", "subok"])
# how many of its last axes each operand and the result give to the operation
_CORE = {"matmul": (2, 2, 2), "vecdot": (1, 1, 0), "matvec": (2, 1, 1), "vecmat": (1, 2, 1)}


def _places(name: str, axes: Any, axis: Any, keepdims: bool) -> list[tuple[int, ...]] | None:
    """`axes=` with a tuple of axes for each operand and for the result; None where none is given.

    Raises ArgumentTypeError or ArgumentValueError for what does not fit the operation.
    """
    core = _CORE[name]
    if core[:2] != (1, 1) and (axis is not None or keepdims):
        raise _no_axes(f"{name}: there is no axis= or keepdims= for it.", core)
    if axis is not None:
        axes = [(axis,), (axis,), (axis,) if keepdims else ()]
    if axes is None:
        return None
    core = (*core[:2], core[2] + keepdims)
    try:
        places = [(a,) if isinstance(a, int | np.integer) else tuple(a) for a in axes]
    except TypeError:
        raise _no_axes(f"{name}: axes={axes!r} is no list of axes.", core) from None
    if len(places) == 2 and not core[2]:  # allowed where the result has no core axes
        places.append(())
    if [len(p) for p in places] != list(core):
        raise _no_axes(f"{name}: axes={axes!r} does not fit it.", core)
    return places


def _no_axes(fact: str, core: tuple[int, ...]) -> ArgumentTypeError:
    axes = ", ".join(str(tuple(range(-n, 0))) for n in core)
    x, y, out = core
    return ArgumentTypeError(
        three_part(
            fact,
            f"Called at {decode(*here())}. It works on {x} and {y} axes of its operands and makes "
            f"{out} of its result.",
            f"Name them all, axes=[{axes}]; or move them first: np.moveaxis(x, 0, -1).",
        )
    )


def _generalised(ufunc: Any, core: Any) -> None:
    """Register `core(x, y)` for a ufunc on whole axes, with `axes=`, `axis=`, `dtype=`, `out=`."""

    def operation(
        x: Any, y: Any, /, out: Any = None, *, axes: Any = None, axis: Any = None,
        keepdims: bool = False, dtype: Any = None, **options: Any,
    ) -> Any:  # fmt: skip
        if not options.keys() <= _KNOWN:
            given = {"axes": axes, "axis": axis, "dtype": dtype, "out": out}
            options |= {k: v for k, v in given.items() if v is not None}
            return HOOKS["uncarded_ufunc"](ufunc, "__call__", (x, y), options)
        casting, order = options.get("casting", "same_kind"), options.get("order", "K")
        check_options(order, casting)
        x, y = as_array(x), as_array(y)
        if dtype is not None:
            x, y = x.astype(dtype, casting=casting), y.astype(dtype, casting=casting)
        places = _places(ufunc.__name__, axes, axis, keepdims)
        target: Any = ()
        if places is not None:
            x, y = (
                np.moveaxis(v, p, tuple(range(-len(p), 0))) if p else v
                for v, p in zip((x, y), places, strict=False)
            )
            target = places[2]
        if ufunc is not np.matmul:  # which takes a vector for a matrix, and says itself what it can
            _refuse_few_axes(ufunc.__name__, x, y)
        result = core(x, y)
        if keepdims:
            result = np.reshape(result, (*result.shape, 1))
            target = target or (-1,)
        if target:
            result = np.moveaxis(result, tuple(range(-len(target), 0)), target)
        if order not in ("K", "k"):
            result = np.copy(result, order=order)
        return result if out is None else write_out(out, result)

    operation.__name__ = operation.__qualname__ = ufunc.__name__
    UFUNC_METHODS[ufunc, "__call__"] = operation
    if ufunc not in UFUNCS:
        UFUNCS[ufunc] = operation


def _refuse_few_axes(name: str, x: Any, y: Any) -> None:
    for n, (operand, least) in enumerate(zip((x, y), _CORE[name], strict=False)):
        if operand.ndim < least:
            kind = "a matrix" if least == 2 else "a vector"
            raise ShapeError(
                three_part(
                    f"{name}: operand {n} has shape {operand.shape}, where {kind} is needed.",
                    f"Called at {decode(*here())}.",
                    f"Give it {least} axes or more, or write x @ y, which takes vectors for both.",
                )
            )


_generalised(np.matmul, _matmul)


def _vecdot(x: Any, y: Any) -> Any:
    product = np.matmul(
        np.reshape(_conj(x), (*x.shape[:-1], 1, x.shape[-1])), np.reshape(y, (*y.shape, 1))
    )
    return np.reshape(product, product.shape[:-2])


def _matvec(x: Any, y: Any) -> Any:
    product = np.matmul(x, np.reshape(y, (*y.shape, 1)))
    return np.reshape(product, product.shape[:-1])


def _vecmat(x: Any, y: Any) -> Any:
    product = np.matmul(np.reshape(_conj(x), (*x.shape[:-1], 1, x.shape[-1])), y)
    return np.reshape(product, (*product.shape[:-2], product.shape[-1]))


for _name, _body in (("vecdot", _vecdot), ("matvec", _matvec), ("vecmat", _vecmat)):
    if hasattr(np, _name):  # matvec and vecmat came with NumPy 2.2
        _generalised(getattr(np, _name), composite(name=_name)(_body))


# -------------------------------------------------------------------------------- tensordot


def _tensordot_signature(a: Any, b: Any, axes: Any = 2) -> Any:
    a, b = as_array(a), as_array(b)
    try:
        left, right = axes
    except TypeError:
        left, right = range(-int(axes), 0), range(int(axes))
    one = [(v,) if isinstance(v, int | np.integer) else tuple(v) for v in (left, right)]
    left = tuple(int(i) % max(a.ndim, 1) for i in one[0])
    right = tuple(int(i) % max(b.ndim, 1) for i in one[1])
    if [a.shape[i] for i in left] != [b.shape[i] for i in right]:
        frame = user_frame(3)
        raise ShapeError(
            three_part(
                f"tensordot: axes {left} of shape {a.shape} and axes {right} of shape {b.shape} "
                "are not equally long.",
                f"Called at {decode(frame.f_code, frame.f_lasti)}.",
                "Name pairs of equal length: np.tensordot(a, b, axes=([1, 0], [0, 1])).",
            )
        )
    return (a, b), {"left": left, "right": right}


def _free(ndim: int, summed: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(i for i in range(ndim) if i not in summed)


def _tensordot_vjp(
    i: int, ct: Any, _out: Any, x: Any, y: Any, left: tuple[int, ...], right: tuple[int, ...]
) -> Any:
    free_x, free_y = _free(x.ndim, left), _free(y.ndim, right)
    if i == 0:
        g = np.tensordot(ct, _conj(y), (tuple(range(len(free_x), ct.ndim)), free_y))
        found = (*free_x, *(left[right.index(j)] for j in sorted(right)))
    else:
        g = np.tensordot(_conj(x), ct, (free_x, tuple(range(len(free_x)))))
        found = (*(right[left.index(j)] for j in sorted(left)), *free_y)
    order = tuple(int(n) for n in np.argsort(found))
    return g if order == tuple(range(len(order))) else np.transpose(g, order)


def _tensordot_batch(
    size: int, operands: Any, axes: Any, left: tuple[int, ...], right: tuple[int, ...]
) -> Any:
    """One product over labelled axes: einsum takes a batch axis where tensordot has none."""
    ndims = [np.ndim(x) - (b is not None) for x, b in zip(operands, axes, strict=True)]
    labels = [list(range(n)) for n in ndims]
    rest = iter(range(len(labels[0]), 50))
    labels[1] = [left[right.index(j)] if j in right else next(rest) for j in labels[1]]
    out = [51, *(n for n in labels[0] if n not in left), *(n for n in labels[1] if n not in left)]
    for label, b in zip(labels, axes, strict=True):
        if b is not None:
            label.insert(b, 51)
    x, y = operands
    return np.einsum(x, labels[0], y, labels[1], out, optimize=True), 0


def _tensordot_places(i: int, avals: Any, _ndim: int, params: Any) -> Places:
    free = [_free(a.ndim, params[side]) for a, side in zip(avals, ("left", "right"), strict=True)]
    before = len(free[0]) if i else 0
    return tuple(
        before + free[i].index(k) if k in free[i] else None for k in range(avals[i].ndim)
    )


tensordot = primitive(
    np.tensordot,
    impl=lambda x, y, left, right: np.tensordot(x, y, (left, right))[()],
    arity=2,
    signature=_tensordot_signature,
    vjp=_tensordot_vjp,
    jvp=lambda i, t, _out, x, y, left, right: (
        np.tensordot(t, y, (left, right)) if i == 0 else np.tensordot(x, t, (left, right))
    ),
    shape=lambda x, y, left, right: Aval(
        (*(x.shape[i] for i in _free(x.ndim, left)), *(y.shape[i] for i in _free(y.ndim, right))),
        np.result_type(x.dtype, y.dtype),
    ),
    batch=_tensordot_batch,
    keep={0: (1,), 1: (0,)},
    keep_out=False,
    rows=Rows(_tensordot_places, sums=True),
)


# --------------------------------------------------------------------- made of the two above


@composite(np.dot)
def dot(a: Any, b: Any, out: Any = None) -> Any:
    """`np.dot`: the product of matrices, or the sum over a's last and b's second-last axis."""
    a, b = as_array(a), as_array(b)
    if a.ndim == 0 or b.ndim == 0:
        result = np.multiply(a, b)
    elif a.ndim <= 2 and b.ndim <= 2:
        result = np.matmul(a, b)
    else:
        result = np.tensordot(a, b, ((a.ndim - 1,), (max(b.ndim - 2, 0),)))
    if out is None:
        return result
    _check_out(out, result)
    return write_out(out, result)


def _check_out(out: Any, result: Any) -> None:
    """Refuse an `out=` of `np.dot` of another dtype or order: it casts nothing, as ufuncs do."""
    given = raw(out)
    wanted = f"{result.dtype}[{','.join(map(str, result.shape))}]"
    if not isinstance(out, ndarray | Tensor):
        raise ArgumentTypeError(
            three_part(
                f"dot: out= is a {type(out).__name__}.",
                f"Called at {decode(*here())}; the result is written into an array.",
                "Leave it out: y = np.dot(a, b).",
            )
        )
    if isinstance(given, ndarray) and (
        given.dtype != result.dtype or not given.flags.c_contiguous
    ):  # fmt: skip
        order = "" if given.flags.c_contiguous else ", which is not in C order"
        raise ArgumentValueError(
            three_part(
                f"dot: out= is {given.dtype}[{','.join(map(str, given.shape))}]{order}.",
                f"Called at {decode(*here())}; the result is {wanted}, and dot casts nothing.",
                f"Give out=np.empty({tuple(result.shape)}, {str(result.dtype)!r}), or leave it "
                "out: y[...] = np.dot(a, b) casts.",
            )
        )


@composite(np.inner)
def inner(a: Any, b: Any, /) -> Any:
    """`np.inner`: the sum over the last axes, without conjugation."""
    a, b = as_array(a), as_array(b)
    if a.ndim == 0 or b.ndim == 0:
        return np.multiply(a, b)
    return np.tensordot(a, b, ((a.ndim - 1,), (b.ndim - 1,)))


@composite(np.vdot)
def vdot(a: Any, b: Any, /) -> Any:
    """`np.vdot`: the sum of conj(a) * b over all elements."""
    a, b = as_array(a), as_array(b)
    return np.matmul(np.reshape(_conj(a), (-1,)), np.reshape(b, (-1,)))


@composite(np.outer)
def outer(a: Any, b: Any, out: Any = None) -> Any:
    """`np.outer`: every product of an element of `a` with one of `b`."""
    a, b = as_array(a), as_array(b)
    result = np.multiply(np.reshape(a, (-1, 1)), np.reshape(b, (1, -1)))
    return result if out is None else write_out(out, result)


@composite(np.kron)
def kron(a: Any, b: Any) -> Any:
    """`np.kron`: blocks of `b`, each multiplied by one element of `a`."""
    a, b = as_array(a), as_array(b)
    rank = max(a.ndim, b.ndim)
    tall = (1,) * (rank - a.ndim) + a.shape
    wide = (1,) * (rank - b.ndim) + b.shape
    product = np.multiply(
        np.reshape(a, tuple(n for size in tall for n in (size, 1))),
        np.reshape(b, tuple(n for size in wide for n in (1, size))),
    )
    return np.reshape(product, tuple(n * m for n, m in zip(tall, wide, strict=True)))


# ------------------------------------------------------------------------------------ cross


def _cross_vjp(i: int, ct: Any, _out: Any, x: Any, y: Any) -> Any:
    # ct . (dx x y) = dx . (y x ct) and ct . (x x dy) = dy . (ct x x)
    if i == 0:
        return unbroadcast(np.cross(_conj(y), ct), x.shape)
    return unbroadcast(np.cross(ct, _conj(x)), y.shape)


_cross = primitive(
    None,
    name="cross",
    impl=np.cross,
    arity=2,
    vjp=_cross_vjp,
    jvp=lambda i, t, _out, x, y: np.cross(t, y) if i == 0 else np.cross(x, t),
    shape=lambda x, y: Aval(broadcast_shapes(x.shape, y.shape), np.result_type(x.dtype, y.dtype)),
    batch=lambda _size, operands, axes: (np.cross(*align_batch(operands, axes)), 0),
    keep={0: (1,), 1: (0,)},
    keep_out=False,
    rows=cores(1),
)


@composite(np.cross, name="cross of axes")
def cross(
    a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Any:
    """`np.cross`: the vector product over one axis; vectors of length 2 have a third entry 0."""
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = (np.moveaxis(as_array(v), k, -1) for v, k in ((a, axisa), (b, axisb)))
    lengths = (a.shape[-1], b.shape[-1])
    if not set(lengths) <= {2, 3}:
        frame = user_frame()
        raise ShapeError(
            three_part(
                f"cross: vectors of length {lengths[0]} and {lengths[1]}, in shapes {a.shape} "
                f"and {b.shape} with the vectors last.",
                f"Called at {decode(frame.f_code, frame.f_lasti)}.",
                "The vector product needs length 3; name the axis: np.cross(a, b, axis=0).",
            )
        )
    a, b = (v if v.shape[-1] == 3 else np.matmul(v, np.eye(2, 3, dtype=v.dtype)) for v in (a, b))
    result = apply(_cross, (a, b), {})
    if lengths == (2, 2):
        return result[..., 2]
    return np.moveaxis(result, -1, axisc)
