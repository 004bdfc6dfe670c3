"""The fast path: one specialised closure per elementwise card of one or two operands.

Operators and `np.sin(tensor)` with no keyword arguments come here. What a closure cannot do (a
View, a list, several tapes at once, a read of a Variable that is not watched) it leaves to
`apply_elementwise`, which makes the same records by the general way.

The closures are long because they are flat: a call costs more than the work it would hold. They
are made once for each dialect; `name` is TensorFlow's argument, which says nothing here.
"""

from __future__ import annotations

import functools
import operator
import sys
from math import prod
from typing import Any

import numpy as np

from . import methods as _methods_module
from . import parallel
from . import tensor as _tensor_module
from .buffers import SMALLEST, spread, take
from .card import Card, reads_out
from .dialect import Dialect
from .dispatch import apply
from .exits import came_back
from .numbers import DOUBLE, SINGLE, doubles, number, singles
from .observing import Keeping, on_keep
from .operands import SCALARS, blunted, both, ended, keep_constant, lost
from .positions import user_frame
from .products import make_run1, make_run2, make_run_number
from .refusals import LOWER, refuse
from .runs import broadcast
from .state import SEVERAL, next_key, state
from .sweep import run_sum_all
from .tensor import Tensor, View
from .variable import Variable, VariableSlice

_getframe = sys._getframe
_new = Tensor.__new__
ndarray = np.ndarray
_OBJECT = np.dtype(object)
_ALL = (True, True, True)
_SMALL = 4096  # bytes; constants up to here are copied without a look at the setting
_RAW = SCALARS | {ndarray}
_METHODS_FILE = vars(_methods_module)
_TENSOR_FILE = vars(_tensor_module)  # frames whose globals these are call on behalf of the user
# Operators run on NumPy scalars several times faster than the ufuncs of the same meaning.
FASTER = {
    np.add: operator.add,
    np.subtract: operator.sub,
    np.multiply: operator.mul,
    np.true_divide: operator.truediv,
    np.negative: operator.neg,
    np.absolute: operator.abs,
    np.remainder: operator.mod,
    np.less: operator.lt,
    np.less_equal: operator.le,
    np.greater: operator.gt,
    np.greater_equal: operator.ge,
    np.equal: operator.eq,
    np.not_equal: operator.ne,
}


def make_unary(
    card: Card, function: Any, dialect: Dialect | None = None, dtypes: Any = None
) -> Any:
    """The closure of a card with one operand; `function` computes its value.

    `dtypes` holds the characters of the dtypes that it takes; all by default.
    """
    tensor, _, _, view, _, _, generally, refuse, _, _, around = dialect or NATIVE
    base_view = View if dialect is None else None
    keep: Any = card.keep
    keep_x, keep_out = 0 in keep[0], card.keep_out
    run = make_run1(card)
    large = _large_unary(card.impl)
    if around is not None:
        large = around(large, 1)

    def op(x: Any, name: Any = None, depth: int = 1) -> Any:  # depth: of the user's frame
        if type(x) is tensor or type(x) is view:
            xv = x.value
        elif type(x) is base_view and type(x.value) is ndarray and x.key:
            xv = x.read()
        else:
            return general((x,), depth)
        if dtypes is not None and xv.dtype.char not in dtypes:
            return general((x,), depth)
        k = x.key
        out: Any = _new(tensor)
        try:
            if type(xv) is ndarray:
                sx = xv.shape
                out.value = z = function(xv) if xv.nbytes < SMALLEST else large(xv)
            else:
                sx = None
                out.value = z = function(xv)
        except LOWER as error:
            refuse(error, card.name, (x,))
        out.why = x.why
        tape = state.tape
        if tape is not None:
            if k in tape.tracked:
                out.key = kk = next_key()
                tape.tracked.add(kk)
                f: Any = _getframe(depth)
                if f.f_globals is _TENSOR_FILE:  # __array_ufunc__, called by the user's line
                    f = f.f_back
                    if f.f_globals is _METHODS_FILE:
                        f = user_frame()
                tape.record(
                    [
                        run, card, kk, f.f_code, f.f_lasti, k, 0, sx, None,
                        xv if keep_x else None, None, z if keep_out else None,
                    ]
                )  # fmt: skip
                return out
            if tape is SEVERAL:
                return general((x,), depth)
            if not k and x.why is None:  # its results can tell, if it is watched later
                k = x.key = next_key()
        out.key = 0
        if k:
            out.why = lost(out.why, k)
        return out

    def switch(everything: bool) -> None:
        nonlocal keep_x, keep_out
        keep_x, keep_out = everything or 0 in keep[0], everything or card.keep_out

    on_keep.append(switch)
    switch(Keeping.everything)  # it may be made while something records
    if card.partials == (0,):  # np.sign
        op = _flat(op)
    op.__name__ = op.__qualname__ = card.name
    op.takes_depth = True  # type: ignore[attr-defined]
    general = generally(card, function, op)
    return op


def _flat(op: Any) -> Any:
    """`op`, whose derivative is zero: nothing is missing in a gradient where it lost a history."""

    def flat(x: Any, name: Any = None, depth: int = 1) -> Any:
        out = op(x, None, depth + 1)
        if isinstance(out, Tensor) and out.why is not None:
            out.why = blunted(out.why)
        return out

    return flat


def make_binary(
    card: Card, function: Any, dialect: Dialect | None = None, dtypes: Any = None
) -> Any:
    """The closure of a card with two operands; `function` computes its value.

    With `dtypes`, the characters of those that it takes, both operands must have the same.
    """
    known = dialect or NATIVE
    tensor, variable, held, view, scalars, array, generally, refuse = known[:8]
    plain_x, plain_y, around = known[8:]
    base_view = View if dialect is None else None
    keep: Any = card.keep
    # (x, y, out): what is kept when the tape follows both operands, x alone, y alone
    of_x = (0 in keep[0], 1 in keep[0], reads_out(card.partials[0]))
    of_y = (0 in keep[1], 1 in keep[1], reads_out(card.partials[1]))
    of_both = tuple(a or b for a, b in zip(of_x, of_y, strict=True))
    needs = (of_x, of_y, of_both)
    x_keeps_y, y_keeps_x, keeps = of_x[1], of_y[0], any(of_both)
    run = make_run2(card)
    run_number = make_run_number(card, run)
    large = _large_binary(card.impl, function)
    if around is not None:
        large = around(large, 2)
    keeps_x, keeps_number, keeps_out = of_x

    def op(x: Any, y: Any, name: Any = None, depth: int = 1) -> Any:
        tape = state.tape
        tx: Any = type(x)
        ty: Any = type(y)
        if ty is float and tx is Tensor and tape is not None and x.key in tape.tracked:
            xv = x.value
            sx = yv = None
            if type(xv) is not ndarray:
                yv = y
            elif xv.nbytes < SMALLEST:
                sx = xv.shape
                dtype = xv.dtype
                yv = (
                    doubles.get(y) if dtype is DOUBLE else singles.get(y) if dtype is SINGLE else y
                )
                if yv is None:
                    yv = number(y, dtype)
            if yv is not None:  # the short way of x * 0.5
                out: Any = _new(Tensor)
                out.value = z = function(xv, yv)
                out.key = kk = next_key()
                out.why = x.why
                tape.tracked.add(kk)
                f: Any = _getframe(depth)
                if f.f_globals is _TENSOR_FILE:  # __array_ufunc__, called by the user's line
                    f = f.f_back
                    if f.f_globals is _METHODS_FILE:
                        f = user_frame()
                if tape.exits is not None:
                    came_back(tape, kk, card, x, y)
                tape.record(
                    [
                        run_number, card, kk, f.f_code, f.f_lasti, x.key, 0, sx, None,
                        xv if keeps_x else None, y if keeps_number else None,
                        z if keeps_out else None,
                    ]
                )  # fmt: skip
                return out
        if tx is tensor:
            xv = x.value
            kx = x.key
            why = x.why
        elif tx is variable:
            if held:
                x = x.held
            xv = x.value
            kx = x.key
            why = None
            if tape is not None and kx not in tape.leaves:
                if x.auto and tape.auto_watch:
                    tape.leaves[kx] = x
                    tape.tracked.add(kx)
                else:
                    x.read_by(tape)
        elif (tx is array and x.dtype is not _OBJECT) or tx in scalars:
            xv = x
            kx = 0
            why = None
        elif tx is view:
            xv = x.value
            kx = x.key
            why = x.why
        else:
            xv = plain_x(x, tx, y.value) if plain_x is not None and ty is tensor else None
            if xv is not None:
                kx = 0
                why = None
                tx = None
            elif tx is base_view and type(x.value) is ndarray and x.key:
                xv = x.read()
                kx = x.key
                why = x.why
            else:
                return general((x, y), depth)
        if ty is tensor:
            yv = y.value
            ky = y.key
            if why is None:
                why = y.why
            elif y.why is not None and y.why is not why:
                why = both(why, y.why)
        elif ty is variable:
            if held:
                y = y.held
            yv = y.value
            ky = y.key
            if tape is not None and ky not in tape.leaves:
                if y.auto and tape.auto_watch:
                    tape.leaves[ky] = y
                    tape.tracked.add(ky)
                else:
                    y.read_by(tape)
        elif (ty is array and y.dtype is not _OBJECT) or ty in scalars:
            yv = y
            ky = 0
        elif ty is view:
            yv = y.value
            ky = y.key
            why = why or y.why
        else:
            yv = plain_y(y, ty, xv) if plain_y is not None else None
            if yv is not None:
                ky = 0
                ty = None
            elif ty is base_view and type(y.value) is ndarray and y.key:
                yv = y.read()
                ky = y.key
                if why is None:
                    why = y.why
                elif y.why is not None and y.why is not why:
                    why = both(why, y.why)
            else:
                return general((x, y), depth)
        if dtypes is not None and (xv.dtype is not yv.dtype or xv.dtype.char not in dtypes):
            return general((x, y), depth)
        out = _new(tensor)
        out.why = why
        try:
            if type(xv) is ndarray:
                sx = xv.shape
                nbytes = xv.nbytes
                if type(yv) is ndarray:
                    sy = yv.shape
                    if sy != sx:  # broadcasting makes at most
                        nbytes *= yv.size
                else:
                    sy = None
                out.value = z = function(xv, yv) if nbytes < SMALLEST else large(xv, yv)
            elif type(yv) is ndarray:
                sx = None
                sy = yv.shape
                out.value = z = function(xv, yv) if yv.nbytes < SMALLEST else large(xv, yv)
            else:
                sx = sy = None
                out.value = z = function(xv, yv)
        except LOWER as error:
            refuse(error, card.name, (x, y))
        if tape is not None:
            tracked = tape.tracked
            if kx in tracked:
                if ky in tracked:
                    need = of_both
                else:
                    need = of_x
                    if ky:
                        ky = -ky
                    elif x_keeps_y and ty is ndarray:
                        yv = yv.copy() if yv.nbytes < _SMALL else keep_constant(tape, yv)
            elif ky in tracked:
                need = of_y
                if kx:
                    kx = -kx
                elif y_keeps_x and tx is ndarray:
                    xv = xv.copy() if xv.nbytes < _SMALL else keep_constant(tape, xv)
            elif tape is SEVERAL:
                return general((x, y), depth)
            else:
                tape = None
                if not kx and tx is tensor and x.why is None:  # as in make_unary
                    kx = x.key = next_key()
                if not ky and ty is tensor and y.why is None:
                    ky = y.key = y.key or next_key()
            if tape is not None:
                out.key = kk = next_key()
                tracked.add(kk)
                f = _getframe(depth)
                if f.f_globals is _TENSOR_FILE:  # __array_ufunc__, called by the user's line
                    f = f.f_back
                    if f.f_globals is _METHODS_FILE:
                        f = user_frame()
                if tape.exits is not None and (kx <= 0 or ky <= 0):
                    came_back(tape, kk, card, x, y)
                if keeps:
                    keep_x, keep_y, keep_out = need
                    tape.record(
                        [
                            run, card, kk, f.f_code, f.f_lasti, kx, ky, sx, sy,
                            xv if keep_x else None, yv if keep_y else None,
                            z if keep_out else None,
                        ]
                    )  # fmt: skip
                else:
                    tape.record(
                        [run, card, kk, f.f_code, f.f_lasti, kx, ky, sx, sy, None, None, None]
                    )
                return out
        out.key = 0
        if kx or ky:
            out.why = lost(why, kx, ky)
        return out

    def switch(everything: bool) -> None:
        nonlocal of_x, of_y, of_both, keeps, keeps_x, keeps_number, keeps_out
        of_x, of_y, of_both = (_ALL,) * 3 if everything else needs
        keeps = any(of_both)
        keeps_x, keeps_number, keeps_out = of_x

    on_keep.append(switch)
    switch(Keeping.everything)  # it may be made while something records
    op.__name__ = op.__qualname__ = card.name
    op.takes_depth = True  # type: ignore[attr-defined]
    general = generally(card, function, op)
    return op


def _large_unary(ufunc: Any) -> Any:
    """`ufunc` on a large array, into a reused buffer where the result has the operand's dtype."""
    limits = _limits(ufunc)

    def large(x: Any) -> Any:
        limit = limits.get(x.dtype)
        if limit is not None and x.flags.c_contiguous:
            return spread(ufunc, (x,), x, None, limit)
        return ufunc(x)

    return large


def _large_binary(ufunc: Any, function: Any) -> Any:
    """`ufunc` where an operand is a large array, into a reused buffer where one fits."""
    limits = _limits(ufunc)

    def large(x: Any, y: Any) -> Any:
        if type(x) is ndarray and type(y) is ndarray:
            limit = limits.get(x.dtype)
            if limit is not None and x.dtype is y.dtype:
                if x.shape == y.shape:
                    if x.flags.c_contiguous and y.flags.c_contiguous:
                        return spread(ufunc, (x, y), x, None, limit)
                    return function(x, y)
                shape = _broadcast(x.shape, y.shape)
                nbytes = prod(shape) * x.itemsize
                if (
                    nbytes >= SMALLEST
                    and (x.shape != shape or x.flags.c_contiguous)
                    and (y.shape != shape or y.flags.c_contiguous)
                ):
                    return broadcast(ufunc, x, y, take(shape, x.dtype, nbytes))
        else:
            array, other = (x, y) if type(x) is ndarray else (y, x)
            weak = type(other) is float or type(other) is int
            limit = limits.get(array.dtype)
            if (
                limit is not None
                and (weak or getattr(other, "dtype", None) is array.dtype)
                and array.flags.c_contiguous
            ):
                return spread(ufunc, (x, y), array, None, limit)
        return function(x, y)

    return large


@functools.lru_cache(maxsize=256)
def _broadcast(x: tuple[int, ...], y: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that both broadcast to; one of nothing where they do not, which NumPy then says."""
    try:
        return np.broadcast_shapes(x, y)
    except ValueError:
        return (0,)


def _limits(ufunc: Any) -> dict[Any, int]:
    """The real dtypes for which `ufunc` gives the dtype of its operands, and when to thread it.

    None are those of another byte order, for which it gives numbers of this machine's.
    """
    types = getattr(ufunc, "types", ())
    chars = (c for c in "fd" if f"{c * ufunc.nin}->{c}" in types) if types else ()
    return {np.dtype(c): parallel.limit(ufunc.__name__, c) for c in chars}


def apply_elementwise(card: Card, function: Any, args: tuple[Any, ...], depth: int = 1) -> Any:
    """The general path of an elementwise operator: NotImplemented for foreign operands."""
    tapes: Any = state.tapes
    if tapes and tapes[0].is_trace:
        found = tapes[0].quick(card, args)
        if found is not None:
            return found
    for x in args:
        if not isinstance(x, Tensor) and type(x) not in SCALARS:
            if x is None or isinstance(x, str | bytes | dict | set):
                return NotImplemented
            if getattr(x, "__array_ufunc__", apply) is None:  # it wants the operator for itself
                return NotImplemented
    return apply(card, args, {})


NATIVE = Dialect(
    tensor=Tensor,
    variable=Variable,
    held=False,
    view=VariableSlice,
    scalars=SCALARS,
    array=ndarray,
    general=lambda card, function, op: functools.partial(apply_elementwise, card, function),
    refuse=refuse,
)


def make_fast_sum(card: Card, general: Any) -> Any:
    """`np.sum(x)` over all elements with no other argument, the end of nearly every loss."""
    add_reduce = np.add.reduce
    everything = False

    def switch(asked: bool) -> None:
        nonlocal everything
        everything = asked

    on_keep.append(switch)
    switch(Keeping.everything)  # it may be made while something records

    def sum(a: Any, *rest: Any, **options: Any) -> Any:
        if rest or options or type(a) is not Tensor:
            return general(a, *rest, **options)
        x = a.value
        k = a.key
        tape = state.tape
        if tape is None or k not in tape.tracked or type(x) is not ndarray:
            return general(a)
        result = _new(Tensor)
        result.value = z = add_reduce(x, None)
        result.key = kk = next_key()
        result.why = a.why
        tape.tracked.add(kk)
        f = _getframe(2)  # above __array_function__
        if f.f_globals is _METHODS_FILE:
            f = user_frame()
        tape.record(
            [
                run_sum_all, card, kk, f.f_code, f.f_lasti, k, 0, x.shape, None,
                x if everything else None, None, z if everything else None,
            ]
        )
        return result

    return sum


def make_step(name: str, ufunc: Any, operation: Any) -> Any:
    """The short way of a ufunc without derivative, for Tensors, numbers and plain arrays."""
    function = FASTER.get(ufunc, ufunc)
    if ufunc.nin != 2 or ufunc.nout != 1:
        return operation

    def op(x: Any, y: Any) -> Any:
        tx, ty = type(x), type(y)
        xv = x.value if tx is Tensor else x
        yv = y.value if ty is Tensor else y
        if type(xv) not in _RAW or type(yv) not in _RAW:
            return operation(x, y)
        out = _new(Tensor)
        try:
            out.value = function(xv, yv)
        except LOWER as error:
            refuse(error, name, (x, y))
        out.key = 0
        why, kx, ky = None, 0, 0
        if tx is Tensor:
            why, kx = x.why, x.key
        if ty is Tensor:
            ky = y.key
            if y.why is not None and y.why is not why:
                why = y.why if why is None else both(why, y.why)
        if kx or ky:
            why = ended(why, "nondifferentiable", (kx, ky), name)
        elif why is not None:
            why = blunted(why)
        out.why = why
        return out

    op.__name__ = op.__qualname__ = name
    return op
