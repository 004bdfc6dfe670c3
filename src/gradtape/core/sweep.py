"""Sweeps over a list of records: backward for gradients, forward for tangents.

Backward, `grads` maps keys to cotangents. A record's `run` function pops nothing and returns
nothing: it reads the cotangent of its output and adds to those of its operands. A cotangent is
added to in place only when `grads` alone refers to it, which the reference count tells; `add`
hands one array to both operands, so this cannot be declared by the rule.

While a tape records during a sweep (higher derivatives), the same rules run on Tensors that carry
the keys of the recorded values; `backward` then calls `run_wrapped`.
"""

from __future__ import annotations

import functools
import sys
from typing import Any

import numpy as np

from ..errors import UnsupportedOperationError, three_part
from .aval import Aval
from . import parallel
from .buffers import SMALLEST, owns, spread, take
from .cards import VALUES, Card, select
from .positions import decode
from .registry import HOOKS
from .state import AVALS, CARD, CODE, KEYS, KX, LASTI, OUT, PARAMS, RESIDUALS, RUN, Recorder, state
from .tensor import new_tensor

_getrefcount = sys.getrefcount
ndarray = np.ndarray
_add_reduce = np.add.reduce
_multiply = np.multiply
_COMPLEX = frozenset([complex, np.complex64, np.complex128, np.clongdouble])
_BLOCK = 1 << 18  # bytes of one operand in a block: a few of them fit in a core's cache
_LARGE = 8192  # bytes from which a product is worth writing into the partial's own buffer


def sum_to(g: Any, shape: tuple[int, ...] | None) -> Any:
    """`g` summed over the axes that broadcasting added to reach it from `shape` (None: 0-d)."""
    if not shape:
        return _add_reduce(g, axis=None)
    extra = g.ndim - len(shape)
    if extra:
        g = _add_reduce(g, axis=tuple(range(extra)))
    axes = tuple(i for i, n in enumerate(shape) if n == 1 and g.shape[i] != 1)
    return _add_reduce(g, axis=axes, keepdims=True) if axes else g


def accumulate(grads: dict[int, Any], key: int, gi: Any) -> None:
    """Add `gi` to the cotangent of `key`."""
    p = grads.get(key)
    if p is None:
        grads[key] = gi
    elif type(p) is ndarray:
        _add_array(grads, key, p, gi)
    else:
        grads[key] = p + gi


def _add_array(grads: dict[int, Any], key: int, p: Any, gi: Any) -> None:
    if (
        _getrefcount(p) == _OWNED
        and owns(p)
        and type(gi) is ndarray
        and gi.shape == p.shape
        and gi.dtype == p.dtype
        and p.flags.writeable
    ):
        if p.nbytes >= parallel.SMALLEST and p.flags.c_contiguous and gi.flags.c_contiguous:
            _add_spread(p.reshape(-1), gi.reshape(-1))
        else:
            p += gi
    else:
        grads[key] = p + gi


def _add_spread(p: Any, gi: Any) -> None:
    def part(start: int, stop: int) -> None:
        np.add(p[start:stop], gi[start:stop], p[start:stop])

    parallel.split(part, p.size)


_OWNED = 1 << 30


def _calibrate() -> int:
    """The reference count `_add_array` sees for an array that only `grads` holds."""
    seen: list[int] = []

    def probe(grads: dict[int, Any], key: int, p: Any, gi: Any) -> None:
        seen.append(_getrefcount(p))

    def caller(grads: dict[int, Any], key: int, gi: Any) -> None:
        p = grads.get(key)
        if p is None:
            grads[key] = gi
        elif type(p) is ndarray:
            probe(grads, key, p, gi)

    caller({1: np.zeros(3)}, 1, None)
    return seen[0]


_OWNED = _calibrate()


# ------------------------------------------------------------- elementwise records, raw values


def make_product(card: Card, i: int) -> Any:
    """`product(g, z, x, y, out)`: the cotangent times the partial of operand `i` of `z = f(x, y)`.

    It is not unbroadcast yet. `out` is a large array that may be written, such as `g` itself.
    """
    partial = card.partials[i]
    if partial is None:
        return None
    if isinstance(partial, str):
        return _make_value_product(VALUES.index(partial), card.singular)
    if not callable(partial):
        if partial == 1:
            return lambda g, z, x, y, out=None: g
        if partial == -1:
            return _negated
        if partial == 0:
            return lambda g, z, x, y, out=None: np.zeros_like(g)[()]
        return lambda g, z, x, y, out=None: g * partial
    unary, singular = card.arity == 1, card.singular

    def product(g: Any, z: Any, x: Any, y: Any, out: Any = None) -> Any:
        if type(g) is ndarray and g.nbytes >= SMALLEST:
            gi = _blocked(partial, unary, singular, g, z, x, y, out)
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
                gi = g * p
        elif tp is np.bool_:
            return g if p else np.zeros_like(g)[()]
        else:
            gi = g * (p.conjugate() if tp in _COMPLEX else p)
        return _guard(gi, g) if singular else gi

    return product


def _blocked(
    partial: Any, unary: bool, singular: bool, g: Any, z: Any, x: Any, y: Any, out: Any
) -> Any:
    """`g * partial(z, x, y)` for large real arrays of one shape and dtype; None where it is not so.

    Done in blocks, so that the partial's temporaries stay in the cache and are never faulted in.
    """
    dtype, shape = g.dtype, g.shape
    if dtype.char not in "fd":
        return None
    flat: list[Any] = []
    for v in (g, z, x, y):
        if type(v) is ndarray:
            if v.dtype is not dtype or v.shape != shape:
                return None
            if v.flags.c_contiguous:
                v = v.reshape(-1)
            elif not any(v.strides):  # a sum's cotangent: one number seen through zero strides
                v = v.flat[0]
            else:
                return None
        elif v is not None and type(v) is not float and type(v) is not int and (
            getattr(v, "dtype", None) is not dtype
        ):
            return None
        flat.append(v)
    if out is None:
        out = take(shape, dtype, g.nbytes)
    into = out.reshape(-1)
    block = _BLOCK // dtype.itemsize

    def part(first: int, last: int) -> None:
        for start in range(first, last, block):
            stop = min(start + block, last)
            gb, zb, xb, yb = [v[start:stop] if type(v) is ndarray else v for v in flat]
            target = into[start:stop]
            p = partial(zb, xb) if unary else partial(zb, xb, yb)
            _multiply(gb, p, target)
            if isinstance(p, ndarray | np.bool_) and p.dtype.kind == "b":
                if not np.isfinite(_add_reduce(target)):
                    target[...] = np.where(p, gb, dtype.type(0))
            elif singular and not np.isfinite(target).all():
                target[...] = np.where(np.equal(gb, 0), dtype.type(0), target)

    if g.nbytes >= parallel.SMALLEST:
        parallel.split(part, into.size)
    else:
        part(0, into.size)
    return out


def _negated(g: Any, z: Any, x: Any, y: Any, out: Any = None) -> Any:
    if type(g) is ndarray and g.nbytes >= SMALLEST and g.flags.c_contiguous:
        return spread(np.negative, (g,), g, out)
    return -g


def _large_product(g: Any, p: Any, out: Any) -> Any:
    """`g * conj(p)` for a large partial, into a reused buffer where one fits."""
    if p.dtype.kind == "c":
        p = p.conj()
    if p.flags.c_contiguous and p.dtype.char in "fd" and g.dtype is p.dtype:
        if type(g) is not ndarray:
            return spread(_multiply, (g, p), p)
        if g.shape == p.shape:
            if g.flags.c_contiguous:
                return spread(_multiply, (g, p), p, out)
            if not any(g.strides):
                return spread(_multiply, (g.flat[0], p), p)
    return g * p


def _make_value_product(which: int, singular: bool) -> Any:
    """`make_product` for a partial that is one of the recorded values."""

    def product(g: Any, z: Any, x: Any, y: Any, out: Any = None) -> Any:
        p = z if which == 0 else x if which == 1 else y
        tp = type(p)
        if tp is ndarray:
            if p.nbytes >= SMALLEST:
                gi = _large_product(g, p, out)
            else:
                gi = g * (p.conj() if p.dtype.kind == "c" else p)
        else:
            gi = g * (p.conjugate() if tp in _COMPLEX else p)
        return _guard(gi, g) if singular else gi

    return product


def _guard(gi: Any, g: Any) -> Any:
    """`gi`, with 0 where the cotangent is exactly 0 if some entry is not finite."""
    if type(gi) is ndarray:
        if np.isfinite(gi).all():
            return gi
        return np.where(np.equal(g, 0), gi.dtype.type(0), gi)
    difference = gi - gi  # 0 where gi is finite, nan elsewhere
    if difference == difference or g != 0:
        return gi
    return type(gi)(0)


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
    product = make_product(card, 0)

    def run(rec: list[Any], g: Any, grads: dict[int, Any]) -> None:
        if type(g) is ndarray and g.nbytes >= SMALLEST and _getrefcount(g) == _SOLE and owns(g):
            gi = product(g, rec[11], rec[9], None, g)
        else:
            gi = product(g, rec[11], rec[9], None)
        k = rec[5]
        p = grads.get(k)
        if p is None:
            grads[k] = gi
        elif type(p) is ndarray:
            _add_array(grads, k, p, gi)
        else:
            grads[k] = p + gi

    return run


def make_run2(card: Card) -> Any:
    """The backward function of fast records with two operands."""
    product_x, product_y = make_product(card, 0), make_product(card, 1)
    sign_x, sign_y = (p if p in (1, -1) else 0 for p in card.partials)
    value_x, value_y = card.partials[0] == "y", card.partials[1] == "x"

    def run(rec: list[Any], g: Any, grads: dict[int, Any]) -> None:
        _, _, _, _, _, kx, ky, sx, sy, xv, yv, z = rec
        if kx > 0 and product_x is not None:
            if sign_x == 1:
                gi = g
            elif type(g) is ndarray and g.nbytes >= SMALLEST:
                sole = ky <= 0 and _getrefcount(g) == _SOLE and owns(g)
                gi = product_x(g, z, xv, yv, g if sole else None)
            elif sign_x:
                gi = -g
            elif value_x and sx is None and type(yv) is ndarray and _dots(g, yv):
                gi = g.dot(yv)
            else:
                gi = product_x(g, z, xv, yv)
            if type(gi) is ndarray and gi.shape != sx:
                gi = sum_to(gi, sx) if sx else _add_reduce(gi, None)
            p = grads.get(kx)
            if p is None:
                grads[kx] = gi
            elif type(p) is ndarray:
                _add_array(grads, kx, p, gi)
            else:
                grads[kx] = p + gi
        if ky > 0 and product_y is not None:
            if sign_y == 1:
                gi = g
            elif type(g) is ndarray and g.nbytes >= SMALLEST:
                sole = _getrefcount(g) == _SOLE and owns(g)
                gi = product_y(g, z, xv, yv, g if sole else None)
            elif sign_y:
                gi = -g
            elif value_y and sy is None and type(xv) is ndarray and _dots(g, xv):
                gi = g.dot(xv)
            else:
                gi = product_y(g, z, xv, yv)
            if type(gi) is ndarray and gi.shape != sy:
                gi = sum_to(gi, sy) if sy else _add_reduce(gi, None)
            p = grads.get(ky)
            if p is None:
                grads[ky] = gi
            elif type(p) is ndarray:
                _add_array(grads, ky, p, gi)
            else:
                grads[ky] = p + gi

    return run


def _dots(g: Any, p: Any) -> bool:
    """Whether `g.dot(p)` may stand for `(g * p).sum()`: short vectors of one real dtype.

    BLAS adds in a few lanes and NumPy in pairs, so that long sums would lose digits.
    """
    return bool(
        g.ndim == 1 == p.ndim
        and g.size <= 4096
        and g.size == p.size
        and g.dtype is p.dtype
        and g.dtype.char in "fd"
    )


# ----------------------------------------------------------------- general records, raw values


def run_general(rec: list[Any], g: Any, grads: dict[int, Any]) -> None:
    """Backward of a record made by `apply`."""
    card, keys, avals, params, operands, out = rec[1], rec[5], rec[7], rec[8], rec[9], rec[10]
    if rec[11] is not None:
        g = _filled(g, rec[11])
    elif g.dtype.kind == "c":
        g = _real_if_output_is(card, g, avals, params)
    for i, k in enumerate(keys):
        if k <= 0:
            continue
        if card.add_into is not None and i == 0:
            buffer = grads.get(k)
            grads[k] = None
            grads[k] = card.add_into(_own(buffer, avals[0], g), g, *operands, **params)
            continue
        gi = card.vjp(i, g, out, operands, params)
        if gi is None:
            continue
        if gi.dtype.kind == "c" and avals[i].dtype.kind != "c":
            gi = gi.real
        accumulate(grads, k, gi)


def _real_if_output_is(card: Card, g: Any, avals: Any, params: dict[str, Any]) -> Any:
    """The real part of `g` where the output was real: `imag(z) * 1j` hands back a complex one.

    Real operations that are linear in the cotangent may wait until the end, but the adjoint of
    one that is not holomorphic (`imag`, `abs`, norms) is wrong for a complex cotangent.
    """
    if card.kind == "primitive" and card.shape(avals, params).dtype.kind != "c":
        return np.real(g)
    return g


def run_sum_all(rec: list[Any], g: Any, grads: dict[int, Any]) -> None:
    """Backward of a sum over all elements: every element gets the same cotangent."""
    shape = rec[7][0].shape
    gi: Any
    if rec[7][0].size < _LARGE:
        gi = np.empty(shape, g.dtype)
        gi.fill(g)
    else:  # one number seen through zero strides
        gi = np.ndarray(shape, g.dtype, np.asarray(g).data, 0, (0,) * len(shape))
    k = rec[5][0]
    if grads.get(k) is None:
        grads[k] = gi
    else:
        accumulate(grads, k, gi)


def _own(buffer: Any, aval: Aval, g: Any) -> Any:
    """A cotangent buffer that may be written: the accumulated one if nothing else refers to it."""
    if buffer is None:
        return np.zeros(aval.shape, np.result_type(g.dtype))
    dtype = np.result_type(buffer.dtype, g.dtype)
    if (
        type(buffer) is ndarray
        and _getrefcount(buffer) == _OWN
        and owns(buffer)
        and buffer.flags.writeable
        and buffer.dtype == dtype
    ):
        return buffer
    return np.array(buffer, dtype=dtype)


_OWN = 1 << 30


def _calibrate_own() -> int:
    def probe(buffer: Any, aval: Any, g: Any) -> int:
        return _getrefcount(buffer)

    grads: dict[int, Any] = {1: np.zeros(3)}
    buffer = grads.get(1)
    grads[1] = None
    return probe(buffer, None, None)


_OWN = _calibrate_own()


def _filled(g: Any, avals: Any) -> Any:
    """The cotangents of several outputs, with zeros where there is none."""
    return tuple(
        np.zeros(aval.shape, aval.dtype)
        if part is None
        else np.real(part)
        if part.dtype.kind == "c" and aval.dtype.kind != "c"
        else part
        for part, aval in zip(g, avals, strict=True)
    )


def run_item(rec: list[Any], g: Any, grads: dict[int, Any]) -> None:
    """Backward of one output of a record with several: file its cotangent for that record."""
    parts = grads.get(rec[KX])
    if parts is None:
        parts = grads[rec[KX]] = [None] * rec[8]
    parts[rec[7]] = g if parts[rec[7]] is None else parts[rec[7]] + g


def run_unsupported(rec: list[Any], g: Any, grads: dict[int, Any]) -> None:
    """Backward of an op without a rule."""
    raise unsupported_error(rec)


def unsupported_error(rec: list[Any]) -> UnsupportedOperationError:
    """The error for a gradient that needs to pass through the op of `rec`."""
    shapes = ", ".join(map(repr, rec[AVALS]))
    return UnsupportedOperationError(
        three_part(
            f"gradient: {rec[CARD].name}({shapes}) has no derivative rule.",
            f"It was called at {decode(rec[CODE], rec[LASTI])}, on the path from source to target.",
            "Write it with NumPy functions that have one, give it a rule with "
            "@gt.custom_gradient, or cut the path with gt.stop_gradient(...).",
        )
    )


# ------------------------------------------------------------------- records on Tensors


def _wrap(value: Any, key: int) -> Any:
    """`value` as a Tensor with the key it was recorded with; constants and avals as they are."""
    if key == 0 or value is None or type(value) is Aval:
        return value
    return new_tensor(value, abs(key))


def unpack(rec: list[Any], wrap: Any = None) -> tuple[Any, Any, Any, Any]:
    """(keys, operands, out, params) of any record with residuals."""
    card = rec[CARD]
    keys: Any
    if type(rec[KEYS]) is tuple:
        keys, params, out = rec[KEYS], rec[PARAMS], rec[10]
        operands = rec[9]
        if wrap is not None:
            operands = tuple(wrap(v, k) for v, k in zip(operands, keys, strict=True))
            if rec[11] is None:
                out = wrap(out, rec[OUT])
            elif out is not None:
                out = tuple(wrap(v, k) for v, k in zip(out, rec[6], strict=True))
        return keys, operands, out, params
    shapes = (rec[7], rec[8])[: card.arity]
    keys = (rec[5], rec[6])[: card.arity]
    operands = tuple(
        Aval(s or (), np.float64) if v is None else v if wrap is None else wrap(v, k)
        for v, s, k in zip((rec[9], rec[10]), shapes, keys, strict=False)
    )
    out = rec[11]
    if out is None:
        out = Aval(np.broadcast_shapes(*(s or () for s in shapes)), np.float64)
    elif wrap is not None:
        out = wrap(out, rec[OUT])
    return keys, operands, out, {}


def run_wrapped(rec: list[Any], g: Any, grads: dict[int, Any]) -> None:
    """Backward of any record, on Tensors, so that active tapes record it."""
    if rec[RUN] is run_item or rec[RUN] is run_unsupported or rec[CARD].kind == "custom":
        rec[RUN](rec, g, grads)
        return
    card = rec[CARD]
    keys, operands, out, params = unpack(rec, _wrap)
    if type(rec[KEYS]) is tuple:
        if rec[11] is not None:
            g = _filled(g, rec[11])
        elif g.dtype.kind == "c":
            g = _real_if_output_is(card, g, rec[AVALS], params)
    for i, k in enumerate(keys):
        if k <= 0 or not card.has_vjp(i):
            continue
        gi = card.vjp(i, g, out, operands, params)
        if gi is None:
            continue
        if gi.dtype.kind == "c" and type(rec[KEYS]) is tuple and rec[AVALS][i].dtype.kind != "c":
            gi = np.real(gi)
        p = grads.get(k)
        grads[k] = gi if p is None else p + gi


# ------------------------------------------------------------------------------- the sweeps


def backward(recorder: Recorder, grads: dict[int, Any], wanted: Any, consume: bool) -> None:
    """Play the records of `recorder` backwards.

    Parameters
    ----------
    recorder : Recorder
    grads : dict
        Cotangents by key; the targets' when called, those of the wanted keys that were reached
        when done. Tensors if the sweep shall be recorded (then some tape records in this
        thread), raw values otherwise.
    wanted : iterable of int
        Keys whose cotangents are asked for; keys that are results of records keep theirs.
    consume : bool
        Delete the residuals of every record as the sweep passes it.
    """
    leaves = recorder.leaves
    inner = [k for k in wanted if k and k not in leaves]
    wrapped = bool(state.tapes)
    ops = recorder.ops
    pop = grads.pop
    with quiet():
        if wrapped or inner:
            kept: dict[int, Any] = {}
            for index in range(len(ops) - 1, -1, -1):  # ops grows if this tape records
                rec = ops[index]
                g = pop(rec[OUT], None)
                if g is not None:
                    if rec[OUT] in inner:
                        kept[rec[OUT]] = g
                    if wrapped:
                        run_wrapped(rec, g, grads)
                    else:
                        rec[RUN](rec, g, grads)
                if consume:
                    del rec[RESIDUALS:]
            grads.update(kept)
        elif consume:
            for rec in reversed(ops):
                g = pop(rec[2], None)
                if g is not None:
                    rec[0](rec, g, grads)
                del rec[9:]
        else:
            for rec in reversed(ops):
                g = pop(rec[2], None)
                if g is not None:
                    rec[0](rec, g, grads)


try:  # NumPy keeps its error state in a context variable; the name is not public
    from numpy._core.umath import _extobj_contextvar as _context
    from numpy._core.umath import _make_extobj

    _ignore = _make_extobj(all="ignore")
    _context.reset(_context.set(_ignore))

    def hush() -> Any:
        """Ignore floating-point errors until the returned function is called.

        `np.errstate(all="ignore")` with the state made once: a third of its time.
        """
        return functools.partial(_context.reset, _context.set(_ignore))

except (ImportError, TypeError, AttributeError):  # pragma: no cover

    def hush() -> Any:
        """Ignore floating-point errors until the returned function is called."""
        state = np.errstate(all="ignore")
        state.__enter__()
        return functools.partial(state.__exit__, None, None, None)


class quiet:
    """`with quiet():` ignores floating-point errors."""

    __slots__ = ("restore",)

    def __enter__(self) -> None:
        self.restore = hush()

    def __exit__(self, *_: object) -> None:
        self.restore()


def forward(recorder: Recorder, tangents: dict[int, Any]) -> dict[int, Any]:
    """Play the records of `recorder` forwards from the tangents of its sources, by key.

    The recorder must have kept every operand (`keep_all`).
    """
    tangents = dict(tangents)
    with np.errstate(all="ignore"):
        for rec in recorder.ops:
            if rec[RUN] is run_item:
                t = tangents.get(rec[KX])
                if t is not None:
                    tangents[rec[OUT]] = t[rec[7]]
                continue
            keys, operands, out, params = unpack(rec)
            ts = [tangents.get(k) if k > 0 else None for k in keys]
            if any(t is not None for t in ts):
                if rec[CARD].jvps is None:
                    raise unsupported_error(rec)
                tangents[rec[OUT]] = rec[CARD].jvp(ts, out, operands, params)
    return tangents




HOOKS["accumulate"] = accumulate
HOOKS["sum_to"] = sum_to
