"""Backward of the fast records: the cotangent times the partial, on raw values.

`make_product` builds the product for one operand of a card, `make_run1` and `make_run2` the
functions that records carry. Large arrays are worked in blocks, into buffers that nothing else
refers to: the cotangent's own where this is its last use.
"""

from __future__ import annotations

import sys
from _thread import get_ident
from math import isfinite
from typing import Any

import numpy as np

from . import parallel, short
from .alerts import alerts, beware, settled
from .buffers import SMALLEST, owns, spread, take
from .card import VALUES, Card, select, twice
from .cotangents import _add_array, can_add, product_sum, seen_once, sum_to, twice_few
from .numbers import DOUBLE, SINGLE, doubles, number, singles
from .runs import broadcast
from .squares import square_sum

_getrefcount = sys.getrefcount
ndarray = np.ndarray
_add_reduce = np.add.reduce
_multiply = np.multiply
_COMPLEX = frozenset([complex, np.complex64, np.complex128, np.clongdouble])
_ODD = _COMPLEX | {np.bool_}  # scalar partials that are not just multiplied with
_BLOCK = 1 << 18  # bytes of one operand in a block: a few of them fit in a core's cache
_LARGE = 8192  # bytes from which a product is worth writing into the partial's own buffer


def make_product(card: Card, i: int) -> Any:
    """`product(g, z, x, y, out)`: the cotangent times the partial of operand `i` of `z = f(x, y)`.

    It is not unbroadcast yet. `out` is a large array that may be written, such as `g` itself.
    """
    partial = card.partials[i]
    if partial is None:
        return None
    if isinstance(partial, str):
        return _make_value_product(VALUES.index(partial))
    if not callable(partial):
        if partial == 1:
            return lambda g, z, x, y, out=None: g
        if partial == -1:
            return _negated
        if partial == 0:
            return lambda g, z, x, y, out=None: np.zeros_like(g)[()]
        return lambda g, z, x, y, out=None: g * partial
    unary = card.arity == 1
    limits, by_x = {c: parallel.limit(card.name, c) for c in "fd"}, _make_value_product(1)

    def product(g: Any, z: Any, x: Any, y: Any, out: Any = None) -> Any:
        if type(g) is ndarray and g.nbytes >= SMALLEST:
            if partial is twice and (g.nbytes < parallel.SMALLEST or not any(g.strides)):
                gi = _twice(g, x)
                if gi is not None:
                    return gi
                few = twice_few(g)
                if few is not None:
                    return by_x(few, z, x, y)
            gi = _blocked(partial, unary, limits, g, z, x, y, out)
            if gi is not None:
                return gi
        p = partial(z, x) if unary else partial(z, x, y)
        tp = type(p)
        if tp is ndarray:
            kind = p.dtype.kind
            if kind == "c":
                p = p.conj()
            elif kind == "b":
                return select(g, p)
            if (
                p.nbytes > _LARGE
                and _getrefcount(p) == 2
                and owns(p)
                and type(g) is ndarray
                and g.shape == p.shape
                and g.dtype == p.dtype
            ):
                _multiply(g, p, p)  # p is a temporary: reuse its buffer
                gi = p
            else:
                gi = _times(g, p, out)
        elif tp is np.bool_:
            return g if p else np.zeros_like(g)[()]
        else:
            gi = g * (p.conjugate() if tp in _COMPLEX else p)
        return settled(gi, g) if alerts else gi

    return product


def _times(g: Any, p: Any, out: Any) -> Any:
    """`g * p` for a real partial that may broadcast; where that is large, not into fresh memory."""
    if (
        type(g) is not ndarray
        or g.nbytes < SMALLEST
        or p.dtype is not g.dtype
        or g.dtype.char not in "fd"
        or p.ndim > g.ndim
    ):
        return g * p
    if out is not None and not _is_finite(p):
        out = None  # a NaN is settled by what `g` was
    if out is None:
        out = take(g.shape, g.dtype, g.nbytes)
    if out is g and short.run("multiply", g, p, None, out) is not None:
        return out  # `p` is finite: whatever the loop tells, there is nothing to settle
    if not g.flags.c_contiguous:
        few = seen_once(g)
        if p.shape != g.shape or not few.flags.c_contiguous:
            return _multiply(g, p, out)
        g = few
    return broadcast(_multiply, g, p, out)


def _twice(g: Any, x: Any) -> Any:
    """`g * (x + x)` where `g` sees few numbers as many, by a native loop; None where none does."""
    if alerts or type(x) is not ndarray or x.shape != g.shape or x.dtype is not g.dtype:
        return None
    few = seen_once(g)
    if g.dtype.char not in "fd" or short.layout(few.shape, x.shape) is None:
        return None
    out = take(x.shape, x.dtype, x.nbytes)
    told = short.run("multiply_twice", few, x, None, out)
    return out if told is not None and told != short.LOUD else None


def _adds(g: Any, p: Any, grads: dict[int, Any], key: int) -> bool:
    """Whether a native loop has added `g * p` to the cotangent of `key`, to which no 0 gives NaN.

    It spares writing the product and reading it again, where few numbers stand for many in `p`.
    """
    total = grads.get(key)
    return bool(
        type(total) is ndarray
        and can_add(total, g)
        and not alerts
        and type(p) is ndarray
        and p.dtype is g.dtype
        and p.ndim <= g.ndim
        and 4 * p.size <= g.size
        and short.layout(g.shape, p.shape) is not None
        and _is_finite(p)
        and short.run("multiply_add", g, p, total, total) is not None
    )


def _is_finite(p: Any) -> bool:
    """Whether `p` is an array of which one pass of BLAS says that every element is finite."""
    return type(p) is ndarray and p.flags.c_contiguous and isfinite(square_sum(p.reshape(-1)))


def _is_temporary(p: Any) -> bool:
    return _getrefcount(p) == _TEMPORARY and p.base is None


_TEMPORARY = 1 << 30


def _calibrate_temporary() -> int:
    """The reference count `_is_temporary` sees for an array that its caller has just made."""

    def probe(p: Any) -> int:
        return _getrefcount(p)

    p = np.zeros(3)
    return probe(p)


_TEMPORARY = _calibrate_temporary()


def _blocked(
    partial: Any,
    unary: bool,
    limits: dict[str, int],
    g: Any,
    z: Any,
    x: Any,
    y: Any,
    out: Any,
    add: bool = False,
) -> Any:
    """`g * partial(z, x, y)` for large real arrays of one shape and dtype; None where it is not so.

    Done in blocks, so that the partial's temporaries stay in the cache and are never faulted in.
    With `add` the product is added to what is in `out`. Where `out` is `g` itself, what is not
    finite in a partial has to be found before it is written.
    """
    dtype, shape = g.dtype, g.shape
    if dtype.char not in "fd":
        return None
    flat: list[Any] = []
    is_flat = True
    for v in (g, z, x, y):
        if type(v) is ndarray:
            if v.dtype is not dtype or v.shape != shape:
                return None
            if not any(v.strides):  # a sum's cotangent: one number seen through zero strides
                v = v.flat[0]
            elif not v.flags.c_contiguous:
                is_flat = False
        elif (
            v is not None
            and type(v) is not float
            and type(v) is not int
            and (getattr(v, "dtype", None) is not dtype)
        ):
            return None
        flat.append(v)
    overwrites = out is not None and not add
    if out is None:
        out = take(shape, dtype, g.nbytes)
    if is_flat:
        flat = [v.reshape(-1) if type(v) is ndarray else v for v in flat]
        into, block = out.reshape(-1), _BLOCK // dtype.itemsize
    else:  # a sum's over an axis, which repeats it: the blocks are of rows
        into, block = out, max(1, _BLOCK * len(out) // out.nbytes)

    def part(first: int, last: int) -> None:
        for start in range(first, last, block):
            stop = min(start + block, last)
            gb, zb, xb, yb = [v[start:stop] if type(v) is ndarray else v for v in flat]
            target = into[start:stop]
            p = partial(zb, xb) if unary else partial(zb, xb, yb)
            if isinstance(p, ndarray | np.bool_) and p.dtype.kind == "b":
                product = _multiply(gb, p, None if add else target)
                # what the mask selects is then gb, even where target is
                if not isfinite(square_sum(product.reshape(-1))):
                    product = np.where(p, product, dtype.type(0))
            elif overwrites and not _is_finite(p):
                product = settled(gb * p, gb)
            else:
                into_p = add and type(p) is ndarray and _is_temporary(p)
                product = _multiply(gb, p, (p if into_p else None) if add else target)
                if alerts and not overwrites:
                    product = settled(product, gb)
            if add:
                target += product
            elif product is not target:
                target[...] = product
        alerts.discard(get_ident())  # blocks are looked at; a worker's note would stay for good

    if g.nbytes >= limits[dtype.char]:
        parallel.split(part, len(into))
    else:
        part(0, len(into))
    return out


def _negated(g: Any, z: Any, x: Any, y: Any, out: Any = None) -> Any:
    if type(g) is ndarray and g.nbytes >= SMALLEST and g.flags.c_contiguous:
        return spread(np.negative, (g,), g, out)
    return -g


def _large_product(g: Any, p: Any, out: Any) -> Any:
    """`g * p` for a large real partial, into `out` or a reused buffer; None where it does not fit.

    `g` may be one number seen through zero strides, as the cotangent of a sum is.
    """
    if not (p.flags.c_contiguous and p.dtype.char in "fd" and g.dtype is p.dtype):
        return None
    if type(g) is ndarray:
        if g.shape != p.shape:
            return None
        if not g.flags.c_contiguous:
            if any(g.strides):
                return None
            g = g.flat[0]
    if type(g) is ndarray:
        return _finite_product(g, p, out)
    if g == 1:  # the end of a sum: the partial itself, as `add` hands its cotangent on
        return p
    if not g:  # 0, whatever the partial is
        return np.zeros_like(p)
    return spread(_multiply, (g, p), p)


def _finite_product(g: Any, p: Any, out: Any) -> Any:
    """`g * p` of two large arrays, in blocks.

    Where `out` is `g` itself, what is not finite in `p` has to be found before it is written: each
    block is looked at while it is in the cache.
    """
    overwrites = out is not None
    if out is None:
        out = take(p.shape, p.dtype, p.nbytes)
    g, p, into = g.reshape(-1), p.reshape(-1), out.reshape(-1)
    block = _BLOCK // p.itemsize

    def part(first: int, last: int) -> None:
        for start in range(first, last, block):
            stop = min(start + block, last)
            gb, pb, target = g[start:stop], p[start:stop], into[start:stop]
            if overwrites and not isfinite(square_sum(pb)):
                target[...] = settled(gb * pb, gb)
                continue
            _multiply(gb, pb, target)
            if alerts and not overwrites and (found := settled(target, gb)) is not target:
                target[...] = found
        alerts.discard(get_ident())  # blocks are looked at; a worker's note would stay for good

    if p.nbytes >= parallel.SMALLEST:
        parallel.split(part, p.size)
    else:
        part(0, p.size)
    return out


def _make_value_product(which: int) -> Any:
    """`make_product` for a partial that is one of the recorded values."""

    def product(g: Any, z: Any, x: Any, y: Any, out: Any = None) -> Any:
        p = z if which == 0 else x if which == 1 else y
        tp = type(p)
        if tp is ndarray:
            if p.nbytes >= SMALLEST:
                gi = _large_product(g, p, out)
                if gi is not None:
                    return gi
            gi = g * p.conj() if p.dtype.kind == "c" else _times(g, p, out)
        else:
            gi = g * (p.conjugate() if tp in _COMPLEX else p)
        return settled(gi, g) if alerts else gi

    return product


_SOLE = 1 << 30


def _calibrate_sole() -> int:
    """The reference count a `run` function sees for a cotangent that only the sweep holds."""
    seen: list[int] = []

    def run(rec: Any, g: Any, grads: Any) -> None:
        if type(g) is ndarray and _getrefcount(g) > 0:
            seen.append(_getrefcount(g))

    grads = {1: np.zeros(3)}
    pop = grads.pop
    for rec in reversed([[run]]):
        g = pop(1, None)
        if g is not None:
            rec[0](rec, g, grads)
    return seen[0]


_SOLE = _calibrate_sole()


def make_run1(card: Card) -> Any:
    """The backward function of fast records with one operand."""
    product, partial = make_product(card, 0), card.partials[0]
    add = _make_add(card)
    if not callable(partial):
        partial = _named_partial(partial)

    def run(rec: list[Any], g: Any, grads: dict[int, Any]) -> None:
        if partial is None or (type(g) is ndarray and g.nbytes >= SMALLEST):
            if add is not None and type(g) is ndarray:
                p = grads.get(rec[5])
                if (
                    type(p) is ndarray
                    and can_add(p, g)  # which it tells from who holds `p`: here, and `grads`
                    and add(g, rec[11], rec[9], p) is not None
                ):
                    return
                p = None
            sole = _getrefcount(g) == _SOLE and type(g) is ndarray and owns(g)
            gi = product(g, rec[11], rec[9], None, g if sole else None)
        else:
            p = partial(rec[11], rec[9])
            tp = type(p)
            if tp is ndarray:
                kind = p.dtype.kind
                gi = g * p if kind == "f" else select(g, p) if kind == "b" else g * p.conj()
            elif tp in _ODD:
                gi = product(g, rec[11], rec[9], None)
            else:
                gi = g * p
            if alerts:
                gi = settled(gi, g)
        k = rec[5]
        p = grads.get(k)
        if p is None:
            grads[k] = gi
        elif type(p) is ndarray:
            _add_array(grads, k, p, gi)
        else:
            grads[k] = p + gi

    return run


def _make_add(card: Card) -> Any:
    """`add(g, z, x, p)`: the product of a card with one operand added to the large array `p`.

    It spares writing the product and reading it again. None where that cannot be had.
    """
    partial = card.partials[0]
    if partial == -1:
        return lambda g, _z, _x, p: spread(np.subtract, (p, g), p, p, parallel.SMALLEST)
    if isinstance(partial, str):
        partial = _named_partial(partial)
    if not callable(partial):
        return None
    limits = {c: parallel.limit(card.name, c) for c in "fd"}
    return lambda g, z, x, p: _blocked(partial, True, limits, g, z, x, None, p, True)


def _named_partial(partial: Any) -> Any:
    """A partial given by name as a function; None for a constant, which `product` handles."""
    return {"out": lambda z, _x: z, "x": lambda _z, x: x}.get(partial)


def make_run2(card: Card) -> Any:
    """The backward function of fast records with two operands."""
    run = _make_run2(card)
    if not card.drops:
        return run

    def run_and_beware(rec: list[Any], g: Any, grads: dict[int, Any]) -> None:
        run(rec, g, grads)
        beware()

    return run_and_beware


def _make_run2(card: Card) -> Any:
    if set(card.partials) <= {1, -1}:
        return _make_run_signs(*card.partials)
    product_x, product_y = make_product(card, 0), make_product(card, 1)
    value_x, value_y = card.partials[0] == "y", card.partials[1] == "x"
    is_value = value_x or value_y

    def run(rec: list[Any], g: Any, grads: dict[int, Any]) -> None:
        _, _, _, _, _, kx, ky, sx, sy, xv, yv, z = rec
        if is_value and type(g) is ndarray and g.nbytes >= SMALLEST:
            if value_x and kx > 0 and _adds(g, yv, grads, kx):
                kx = 0
            if value_y and ky > 0 and _adds(g, xv, grads, ky):
                ky = 0
        if kx > 0 and product_x is not None:
            if type(g) is ndarray:
                if g.nbytes >= SMALLEST:
                    gi = product_sum(g, yv, sx) if value_x and sx and sx != g.shape else None
                    if gi is None:
                        sole = ky <= 0 and _getrefcount(g) == _SOLE and owns(g)
                        gi = product_x(g, z, xv, yv, g if sole else None)
                elif value_x and sx is None and sy is not None and len(sy) == 1 and _dots(g, yv):
                    gi = g.dot(yv)
                    if gi != gi:
                        gi = product_x(g, z, xv, yv)
                else:
                    gi = product_x(g, z, xv, yv)
                if type(gi) is ndarray and gi.shape != sx:
                    gi = sum_to(gi, sx) if sx else _add_reduce(gi, None)
            else:
                gi = product_x(g, z, xv, yv)
            p = grads.get(kx)
            if p is None:
                grads[kx] = gi
            elif type(p) is ndarray:
                _add_array(grads, kx, p, gi)
            else:
                grads[kx] = p + gi
        if ky > 0 and product_y is not None:
            if type(g) is ndarray:
                if g.nbytes >= SMALLEST:
                    gi = product_sum(g, xv, sy) if value_y and sy and sy != g.shape else None
                    if gi is None:
                        sole = _getrefcount(g) == _SOLE and owns(g)
                        gi = product_y(g, z, xv, yv, g if sole else None)
                elif value_y and sy is None and sx is not None and len(sx) == 1 and _dots(g, xv):
                    gi = g.dot(xv)
                    if gi != gi:
                        gi = product_y(g, z, xv, yv)
                else:
                    gi = product_y(g, z, xv, yv)
                if type(gi) is ndarray and gi.shape != sy:
                    gi = sum_to(gi, sy) if sy else _add_reduce(gi, None)
            else:
                gi = product_y(g, z, xv, yv)
            p = grads.get(ky)
            if p is None:
                grads[ky] = gi
            elif type(p) is ndarray:
                _add_array(grads, ky, p, gi)
            else:
                grads[ky] = p + gi

    return run


def make_run_number(card: Card, general: Any) -> Any:
    """`make_run2` where the second operand is a Python float: no shapes to look at."""
    partial = card.partials[0]
    if partial == 1:

        def run(rec: list[Any], g: Any, grads: dict[int, Any]) -> None:
            k = rec[5]
            p = grads.get(k)
            if p is None:
                grads[k] = g
            elif type(p) is ndarray:
                _add_array(grads, k, p, g)
            else:
                grads[k] = p + g

        return run
    if partial != "y":
        return general

    def run_times(rec: list[Any], g: Any, grads: dict[int, Any]) -> None:
        y = rec[10]
        if type(g) is ndarray:
            dtype = g.dtype
            p = doubles.get(y) if dtype is DOUBLE else singles.get(y) if dtype is SINGLE else y
            gi = _multiply(g, number(y, dtype) if p is None else p)
        else:
            gi = g * y
        if alerts:
            gi = settled(gi, g)
        k = rec[5]
        p = grads.get(k)
        if p is None:
            grads[k] = gi
        elif type(p) is ndarray:
            _add_array(grads, k, p, gi)
        else:
            grads[k] = p + gi

    return run_times


def _make_run_signs(sign_x: int, sign_y: int) -> Any:
    """`make_run2` for sums and differences, which hand the cotangent on as it is."""

    def run(rec: list[Any], g: Any, grads: dict[int, Any]) -> None:
        kx = rec[5]
        ky = rec[6]
        array = type(g) is ndarray
        if kx > 0:
            gi = g if sign_x == 1 else _negated(g, None, None, None)
            if array and g.shape != rec[7]:
                gi = sum_to(gi, rec[7]) if rec[7] else _add_reduce(gi, None)
            p = grads.get(kx)
            if p is None:
                grads[kx] = gi
            elif type(p) is ndarray:
                _add_array(grads, kx, p, gi)
            else:
                grads[kx] = p + gi
        if ky > 0:
            if array and g.shape != rec[8]:  # sums before it negates: less to do
                gi = sum_to(g, rec[8]) if rec[8] else _add_reduce(g, None)
                if sign_y == -1:
                    gi = -gi
            elif sign_y == 1:
                gi = g
            elif array and g.nbytes >= SMALLEST:
                sole = _getrefcount(g) == _SOLE and owns(g)
                gi = _negated(g, None, None, None, g if sole else None)
            else:
                gi = -g
            p = grads.get(ky)
            if p is None:
                grads[ky] = gi
            elif type(p) is ndarray:
                _add_array(grads, ky, p, gi)
            else:
                grads[ky] = p + gi

    return run


def _dots(g: Any, p: Any) -> bool:
    """Whether `g.dot(p)` may stand for `(g * p).sum()` of vectors: short ones of one real dtype.

    BLAS adds in a few lanes and NumPy in pairs, so that long sums would lose digits.
    """
    return bool(g.size <= 4096 and g.dtype is p.dtype and g.dtype.char in "fd")
