"""Dispatch: how a call becomes a value and, where a tape follows an operand, a record.

Two paths lead to the same records:

* the *fast path*, one specialised closure per elementwise card of one or two operands, called by
  operators and by `np.sin(tensor)` with no keyword arguments;
* `apply`, for every other card and every other way of calling.

A record is a list whose first nine fields are the skeleton (`state.py` names them) and whose
rest are the residuals, the values its backward rule needs. Fast records keep at SX and SY the
shapes of the operands (None for 0-d) and then x, y, out (or None where the card does not need
them); general records keep the tuple of operands (an Aval where the value is not needed) and out.
In a key field, k > 0 is followed by the tape, -k is known but not followed by this tape (another
one may follow it), 0 is a constant.
"""

from __future__ import annotations

import operator
import sys
from threading import get_ident
from typing import Any

import numpy as np

from ..errors import DTypeError, three_part
from .buffers import SMALLEST, spread, take
from .aval import Aval, aval_of, make_aval, is_differentiable
from .cards import Card
from .exits import came_back, note_exit
from .positions import user_frame
from .registry import FUNCTIONS, HOOKS, UFUNC_METHODS, UFUNCS
from .state import Recorder, next_key, state
from .sweep import run_sum_all, run_general, run_item, run_unsupported, make_run1, make_run2
from .tensor import Tensor, View, new_tensor
from .ufunc_call import make_general
from .variable import Variable
from . import methods as _methods_module
from . import tensor as _tensor_module
from .. import config

_getframe = sys._getframe
_new = Tensor.__new__
ndarray = np.ndarray
SCALARS = frozenset(
    [float, int, complex, bool]
    + [np.dtype(c).type for c in "?bhilqBHILQefdgFDG"]
)
_OBJECT = np.dtype(object)
_SMALL = 4096  # bytes; constants up to here are copied without a look at the setting
_RAW = SCALARS | {ndarray}
_METHODS_FILE = vars(_methods_module)
_TENSOR_FILE = vars(_tensor_module)  # frames whose globals these are call on behalf of the user
_DIFFERENTIABLE = frozenset(np.dtype(c).type for c in "efdgFDG")

# Operators run on NumPy scalars several times faster than the ufuncs of the same meaning.
_FASTER = {
    np.add: operator.add,
    np.subtract: operator.sub,
    np.multiply: operator.mul,
    np.true_divide: operator.truediv,
    np.negative: operator.neg,
    np.absolute: operator.abs,
    np.remainder: operator.mod,
    np.square: lambda x: x * x,
    np.less: operator.lt,
    np.less_equal: operator.le,
    np.greater: operator.gt,
    np.greater_equal: operator.ge,
    np.equal: operator.eq,
    np.not_equal: operator.ne,
}


def operand(x: Any, name: str = "operation") -> tuple[Any, int, Any]:
    """(raw value, key, why) of anything that can be an operand; TypeError for what cannot."""
    if isinstance(x, Tensor):
        value = x.read()
        return value, x.key, x.why
    if type(x) in SCALARS:
        return x, 0, None
    if isinstance(x, ndarray):
        if x.dtype.hasobject:
            x = HOOKS["from_objects"](x)
            return (x.value, x.key, x.why) if isinstance(x, Tensor) else (x, 0, None)
        return x, 0, None
    if isinstance(x, list | tuple):
        x = HOOKS["from_sequence"](x)
        return (x.value, x.key, x.why) if isinstance(x, Tensor) else (x, 0, None)
    if hasattr(x, "__array__"):
        return np.asarray(x), 0, None
    if x is None or isinstance(x, str | bytes | dict | set) or callable(x):
        raise DTypeError(
            three_part(
                f"{name}: an operand is {type(x).__name__} {x!r:.60}.",
                "It is not a number or an array.",
                "Pass a number, an array or a Tensor.",
            )
        )
    value = np.asarray(x)
    if value.dtype.hasobject:
        raise DTypeError(
            three_part(
                f"{name}: an operand is of type {type(x).__name__}.",
                "NumPy knows no number in it.",
                "Pass a number, an array or a Tensor.",
            )
        )
    return value, 0, None


def keep_constant(tape: Recorder, value: Any, frame: Any) -> Any:
    """A constant array as a record may keep it: copied if small, else aliased and checked later."""
    if value.nbytes <= config.current.copy_limit:
        return value.copy()
    for known, _, _, _ in tape.aliases:
        if known is value:
            return value
    tape.aliases = (*tape.aliases, (value, fingerprint(value), frame.f_code, frame.f_lasti))
    return value


def fingerprint(value: Any) -> bytes:
    """A sample of 256 elements, to notice that a large array was written to (not certain to)."""
    index = np.linspace(0, value.size - 1, 256).astype(np.intp)
    sample: bytes = value.flat[index].tobytes()
    return sample


# ------------------------------------------------------------------------------ fast path


def install_elementwise(card: Card, ufunc: Any) -> None:
    """Register an elementwise card, with the fast closure where its arity has one."""
    function = _FASTER.get(ufunc, card.impl)
    fast: Any
    if card.outputs == 1 and card.arity == 1:
        fast = _make_unary(card, function)
    elif card.outputs == 1 and card.arity == 2:
        fast = _make_binary(card, function)
    else:
        fast = None

    general = make_general(ufunc, lambda *args: apply(card, args, {}), card.outputs)
    if isinstance(ufunc, np.ufunc):
        UFUNCS[ufunc] = fast or general
        UFUNC_METHODS[ufunc, "__call__"] = general
    elif ufunc is not None:  # a NumPy function that works element by element, as np.clip
        FUNCTIONS[ufunc] = general
    HOOKS[f"op:{card.name}"] = fast or general


def _make_unary(card: Card, function: Any) -> Any:
    keep_x, keep_out = 0 in (card.keep or ()), card.keep_out
    run = make_run1(card)
    large = _large_unary(card.impl)

    def op(x: Any, depth: int = 1) -> Any:  # depth: how far up the user's frame is
        if type(x) is not Tensor:
            return apply_elementwise(card, function, (x,))
        xv = x.value
        k = x.key
        out = _new(Tensor)
        if type(xv) is ndarray:
            sx = xv.shape
            out.value = z = function(xv) if xv.nbytes < SMALLEST else large(xv)
        else:
            sx = None
            out.value = z = function(xv)
        out.why = x.why
        tape = state.tape
        if tape is not None:
            if k in tape.tracked:
                out.key = kk = next_key()
                tape.tracked.add(kk)
                f = _getframe(depth)
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
        elif state.tapes:
            return apply_elementwise(card, function, (x,))
        out.key = 0
        if k and out.why is None:
            out.why = lost(k)
        return out

    op.__name__ = op.__qualname__ = card.name
    op.takes_depth = True  # type: ignore[attr-defined]
    return op


def _make_binary(card: Card, function: Any) -> Any:
    keep_x, keep_y = 0 in (card.keep or ()), 1 in (card.keep or ())
    keep_out = card.keep_out
    run = make_run2(card)
    large = _large_binary(card.impl, function)

    def op(x: Any, y: Any, depth: int = 1) -> Any:
        tx = type(x)
        ty = type(y)
        tape = state.tape
        why = None
        if tx is Tensor:
            xv = x.value
            kx = x.key
            why = x.why
        elif tx is Variable:
            xv = x.value
            kx = x.key
            if tape is not None and kx not in tape.leaves:
                if x.auto and tape.auto_watch:
                    tape.leaves[kx] = x
                    tape.tracked.add(kx)
                else:
                    x.read_by(tape)
        elif tx in SCALARS or (tx is ndarray and x.dtype is not _OBJECT):
            xv = x
            kx = 0
        else:
            return apply_elementwise(card, function, (x, y))
        if ty is Tensor:
            yv = y.value
            ky = y.key
            if why is None:
                why = y.why
            elif y.why is not None and y.why is not why:
                why = both(why, y.why)
        elif ty is Variable:
            yv = y.value
            ky = y.key
            if tape is not None and ky not in tape.leaves:
                if y.auto and tape.auto_watch:
                    tape.leaves[ky] = y
                    tape.tracked.add(ky)
                else:
                    y.read_by(tape)
        elif ty in SCALARS or (ty is ndarray and y.dtype is not _OBJECT):
            yv = y
            ky = 0
        else:
            return apply_elementwise(card, function, (x, y))
        out = _new(Tensor)
        if type(xv) is ndarray:
            sx = xv.shape
            sy = yv.shape if type(yv) is ndarray else None
            out.value = z = function(xv, yv) if xv.nbytes < SMALLEST else large(xv, yv)
        elif type(yv) is ndarray:
            sx = None
            sy = yv.shape
            out.value = z = function(xv, yv) if yv.nbytes < SMALLEST else large(xv, yv)
        else:
            sx = sy = None
            out.value = z = function(xv, yv)
        out.why = why
        if tape is not None:
            tracked = tape.tracked
            if kx not in tracked:
                kx = -kx
            if ky not in tracked:
                ky = -ky
            if kx > 0 or ky > 0:
                out.key = kk = next_key()
                tracked.add(kk)
                f = _getframe(depth)
                if f.f_globals is _TENSOR_FILE:
                    f = f.f_back
                    if f.f_globals is _METHODS_FILE:
                        f = user_frame()
                if kx == 0 or ky == 0:
                    if kx == 0 and keep_x and tx is ndarray:
                        xv = xv.copy() if xv.nbytes < _SMALL else keep_constant(tape, xv, f)
                    elif ky == 0 and keep_y and ty is ndarray:
                        yv = yv.copy() if yv.nbytes < _SMALL else keep_constant(tape, yv, f)
                    if tape.exits is not None:
                        came_back(tape, kk, card, x, y)
                tape.record(
                    [
                        run, card, kk, f.f_code, f.f_lasti, kx, ky, sx, sy,
                        xv if keep_x else None, yv if keep_y else None, z if keep_out else None,
                    ]
                )  # fmt: skip
                return out
            kx, ky = -kx, -ky
        elif state.tapes:
            return apply_elementwise(card, function, (x, y))
        out.key = 0
        if (kx or ky) and (why is None or why[0] == "gradient"):
            out.why = lost(kx or ky)
        return out

    op.__name__ = op.__qualname__ = card.name
    op.takes_depth = True  # type: ignore[attr-defined]
    return op


def _large_unary(ufunc: Any) -> Any:
    """`ufunc` on a large array, into a reused buffer where the result has the operand's dtype."""
    same = _same_dtypes(ufunc)

    def large(x: Any) -> Any:
        if x.dtype.char in same and x.flags.c_contiguous:
            return spread(ufunc, (x,), x)
        return ufunc(x)

    return large


def _large_binary(ufunc: Any, function: Any) -> Any:
    """`ufunc` where an operand is a large array, into a reused buffer where one fits."""
    same = _same_dtypes(ufunc)

    def large(x: Any, y: Any) -> Any:
        if type(x) is ndarray and type(y) is ndarray:
            if x.dtype is y.dtype and x.dtype.char in same:
                if x.shape == y.shape:
                    if x.flags.c_contiguous and y.flags.c_contiguous:
                        return spread(ufunc, (x, y), x)
                    return function(x, y)
                shape = np.broadcast_shapes(x.shape, y.shape)
                like = x if shape == x.shape else y
                if shape == like.shape and like.flags.c_contiguous:
                    return ufunc(x, y, take(shape, like.dtype, like.nbytes))
        else:
            array, other = (x, y) if type(x) is ndarray else (y, x)
            weak = type(other) is float or type(other) is int
            if (
                array.dtype.char in same
                and (weak or getattr(other, "dtype", None) is array.dtype)
                and array.flags.c_contiguous
            ):
                return spread(ufunc, (x, y), array)
        return function(x, y)

    return large


def _same_dtypes(ufunc: Any) -> str:
    """The real dtypes (as characters) for which `ufunc` gives the dtype of its operands."""
    types = getattr(ufunc, "types", ())
    return "".join(c for c in "fd" if f"{c * ufunc.nin}->{c}" in types) if types else ""


def both(first: Any, second: Any) -> Any:
    """The `why` of a result whose operands lost their history in different ways."""
    causes = list(first[4]) if first[0] == "several" else [first]
    for why in second[4] if second[0] == "several" else (second,):
        if len(causes) < 8 and why not in causes:
            causes.append(why)
    return causes[0] if len(causes) == 1 else ("several", None, 0, 0, tuple(causes))


def why_of(tensors: list[Tensor]) -> Any:
    """The `why` that a result of `tensors` inherits."""
    why: Any = None
    for t in tensors:
        if t.why is not None and t.why is not why:
            why = t.why if why is None else both(why, t.why)
    return why


def lost(key: int) -> Any:
    """The `why` of a result that no tape follows although its operand has a key."""
    frame = user_frame(3)
    return (lost_cause(), frame.f_code, frame.f_lasti, key, get_ident())


def lost_cause() -> str:
    """Why nothing follows a value now."""
    return "unwatched" if state.tapes else "stopped" if state.stopped else "inactive"


def apply_elementwise(card: Card, function: Any, args: tuple[Any, ...]) -> Any:
    """The general path of an elementwise operator: NotImplemented for foreign operands."""
    for x in args:
        if not isinstance(x, Tensor) and type(x) not in SCALARS:
            if x is None or isinstance(x, str | bytes | dict | set):
                return NotImplemented
    return apply(card, args, {})


def make_fast_sum(card: Card, general: Any) -> Any:
    """`np.sum(x)` over all elements with no other argument, the end of nearly every loss."""
    add_reduce = np.add.reduce
    params = {"axis": None, "keepdims": False}
    no = np._NoValue

    def sum(
        a: Any,
        axis: Any = None,
        dtype: Any = None,
        out: Any = None,
        keepdims: Any = no,
        initial: Any = no,
        where: Any = no,
    ) -> Any:
        if (
            type(a) is Tensor
            and axis is None
            and dtype is None
            and out is None
            and keepdims is no
            and initial is no
            and where is no
        ):
            x = a.value
            k = a.key
            tape = state.tape
            if tape is not None and type(x) is ndarray and k in tape.tracked:
                result = _new(Tensor)
                result.value = z = add_reduce(x, None)
                result.key = kk = next_key()
                result.why = a.why
                tape.tracked.add(kk)
                f = _getframe(2)  # above __array_function__
                if f.f_globals is _METHODS_FILE:
                    f = user_frame()
                avals = (make_aval(x.shape, x.dtype),)
                tape.record(
                    [run_sum_all, card, kk, f.f_code, f.f_lasti, (k,), (), avals, params,
                     (x,) if tape.keep_all else avals, z if tape.keep_all else None, None]
                )  # fmt: skip
                return result
        return general(
            a, axis=axis, dtype=dtype, out=out, keepdims=keepdims, initial=initial, where=where
        )

    return sum


# --------------------------------------------------------------------------- general path


def apply(card: Card, operands: tuple[Any, ...], params: dict[str, Any]) -> Any:
    """Run `card` on Tensors and plain values, and record it on every tape that follows one.

    Returns a Tensor, or a tuple of Tensors for a card with several outputs.
    """
    values: list[Any] = []
    keys: list[int] = []
    why: Any = None
    base: Any = None
    for x in operands:
        if isinstance(x, Tensor):
            base = x if base is None else base
            values.append(x.read())
            keys.append(x.key)
            if why is None:
                why = x.why
            elif x.why is not None and x.why is not why:
                why = both(why, x.why)
        else:
            value, key, reason = operand(x, card.name)
            values.append(value)
            keys.append(key)
            why = why or reason
    z = card.impl(*values, **params)
    many = type(z) is tuple or type(z) is list
    tapes = state.tapes
    if tapes and any(keys):
        tapes = tuple(t for t in tapes if not t.tracked.isdisjoint(keys))
    else:
        tapes = ()
    frame = user_frame() if tapes or (why is None and any(keys)) else None
    if not tapes:
        if frame is not None:
            key = next(filter(None, keys))
            why = (lost_cause(), frame.f_code, frame.f_lasti, key, get_ident())
        if many:
            return tuple(new_tensor(part, 0, why) for part in z)
        result = new_tensor(z, 0, why)
        return _as_view(result, base, card, params, z) if card.unview is not None else result
    assert frame is not None
    kk = next_key()
    items = (
        tuple(next_key() if is_differentiable(part.dtype) else 0 for part in z) if many else ()
    )
    for tape in tapes:
        _record(tape, card, kk, keys, values, operands, params, z, items, frame)
    if many:
        return tuple(_item(tapes, frame, kk, i, part, why, items) for i, part in enumerate(z))
    if type(z) not in _DIFFERENTIABLE and z.dtype.kind not in "fc":
        return new_tensor(z, 0, why or _integer(frame, keys, card, z))
    for tape in tapes:
        tape.tracked.add(kk)
    result = new_tensor(z, kk, why)
    return _as_view(result, base, card, params, z) if card.unview is not None else result


def _integer(frame: Any, keys: list[int], card: Card, z: Any) -> Any:
    key = next(filter(None, keys))
    return ("integer", frame.f_code, frame.f_lasti, key, f"{card.name} -> {z.dtype}")


def _record(
    tape: Recorder,
    card: Card,
    kk: int,
    keys: list[int],
    values: list[Any],
    operands: tuple[Any, ...],
    params: dict[str, Any],
    z: Any,
    items: tuple[int, ...],
    frame: Any,
) -> None:
    tracked = tape.tracked
    signed = tuple(k if k in tracked else -k for k in keys)
    avals = tuple(aval_of(v) for v in values)
    keep: Any = None if tape.keep_all else card.keep
    if type(keep) is dict:  # what the operands that this tape follows need, and no more
        keep = {j for i, k in enumerate(signed) if k > 0 for j in keep.get(i, ())}
    kept: list[Any] = []
    for i, value in enumerate(values):
        if keep is not None and i not in keep:
            kept.append(avals[i])
        elif type(value) is ndarray and not isinstance(operands[i], Tensor):
            kept.append(keep_constant(tape, value, frame))
        else:
            kept.append(value)
    if tape.exits is not None and 0 in keys:
        came_back(tape, kk, card, *operands)
    run = run_general
    if card.vjps is None:
        run = run_unsupported
        tape.has_unsupported = True
    tape.record(
        [
            run, card, kk, frame.f_code, frame.f_lasti, signed, items, avals, params,
            tuple(kept), z if card.keep_out or tape.keep_all else None,
            tuple(map(aval_of, z)) if items else None,
        ]
    )  # fmt: skip


def _item(
    tapes: tuple[Recorder, ...],
    frame: Any,
    kk: int,
    i: int,
    part: Any,
    why: Any,
    items: tuple[int, ...],
) -> Any:
    """Output `i` of a record with several outputs: a Tensor with a record of its own."""
    key = items[i]
    if not key:
        why = why or ("integer", frame.f_code, frame.f_lasti, kk, str(part.dtype))
        return new_tensor(part, 0, why)
    for tape in tapes:
        tape.record(
            [run_item, ITEM, key, frame.f_code, frame.f_lasti, kk, 0, i, len(items), None, None, None]
        )
        tape.tracked.add(key)
    return new_tensor(part, key, why)


ITEM = Card("item", "primitive", operator.getitem, 1)
ITEM.reason = "output of an operation with several outputs"


def _as_view(result: Tensor, base: Any, card: Card, params: dict[str, Any], z: Any) -> Tensor:
    """`result` as a View of `base` where NumPy gave a view of its buffer."""
    if base is None or isinstance(base, Variable) or type(z) is not ndarray:
        return result
    buffer = base.value
    if z.base is None or type(buffer) is not ndarray:
        return result
    # as_strided puts an object of its own between a view and the array it looks at
    if z.base is not buffer and z.base is not buffer.base and (
        type(z.base) is ndarray or getattr(z.base, "base", None) is not buffer
    ):
        return result
    view = View.__new__(View)
    view.value, view.key, view.why = result.value, result.key, result.why
    view.base_tensor, view.base_key = base, base.key
    view.card, view.params = card, params
    return view


def rederive(view: View) -> None:
    """Apply the card of a stale view to its base again."""
    fresh = apply(view.card, (view.base_tensor,), view.params)
    view.value, view.key, view.why = fresh.value, fresh.key, fresh.why
    if not view.key:  # a view of this view must see that this is another version
        view.key = next_key()
    view.base_key = view.base_tensor.key


def write_base(view: View) -> None:
    """After a write through `view`: put its new value into its base, which has a new version."""
    base = view.base_tensor
    current = new_tensor(view.value, view.key, view.why)
    view.value = view.value if type(view.value) is not ndarray else view.value[...]
    updated = view.card.unview(base, current, **view.params)
    if updated is not None:  # None: the rule wrote the base itself
        base.become(updated)
    if not base.key:
        base.key = next_key()
    view.base_key = base.key


HOOKS["rederive"] = rederive
HOOKS["write_base"] = write_base


# --------------------------------------------------------------------------- registration


def install_function(card: Card, function: Any) -> None:
    """Register a card for a NumPy function, which may be called with `out=`."""
    signature, arity = card.signature, card.arity

    place = _place_of_out(function)

    def operation(*args: Any, out: Any = None, **kwargs: Any) -> Any:
        if len(args) > place:
            out, args = args[place], args[:place] + args[place + 1 :]
        if signature is not None:
            operands, params = signature(*args, **kwargs)
        else:
            operands, params = args[:arity], kwargs
            assert len(args) == arity
        result = apply(card, operands, {k: _plain(v) for k, v in params.items()})
        return result if out is None else write_out(out, result)

    operation.__name__ = operation.__qualname__ = card.name
    HOOKS[f"op:{card.name}"] = operation
    if isinstance(function, np.ufunc):
        UFUNCS[function] = operation
        if function.signature is None:  # matmul and its kin take other keyword arguments
            operation = make_general(function, operation, card.outputs)
        UFUNC_METHODS[function, "__call__"] = operation
    elif function is not None:
        FUNCTIONS[function] = operation


def _place_of_out(function: Any) -> int:
    """Where `out` stands among the positional arguments of a NumPy function written in Python."""
    code = getattr(getattr(function, "_implementation", function), "__code__", None)
    names = code.co_varnames[: code.co_argcount] if code is not None else ()
    return names.index("out") if "out" in names else sys.maxsize


def _plain(value: Any) -> Any:
    return value.read() if isinstance(value, Tensor) else value


def install_composite(card: Card, functions: tuple[Any, ...], body: Any) -> Any:
    """Register a body; what it records carries the position of the user's call."""

    def operation(*args: Any, **kwargs: Any) -> Any:
        with span():
            return body(*args, **kwargs)

    operation.__name__ = operation.__qualname__ = card.name
    operation.__doc__ = body.__doc__
    for function in functions:
        if isinstance(function, np.ufunc):
            UFUNCS[function] = operation
            UFUNC_METHODS[function, "__call__"] = operation
        else:
            FUNCTIONS[function] = operation
    return operation


class span:
    """Records made inside `with span():` are made on behalf of the user's line that led here."""

    __slots__ = ("starts",)

    def __enter__(self) -> None:
        self.starts = [(tape, len(tape.ops)) for tape in state.tapes]

    def __exit__(self, *_: object) -> None:
        for tape, start in self.starts:
            if len(tape.ops) > start:
                frame = user_frame()
                tape.spans.append((start, len(tape.ops), frame.f_code, frame.f_lasti))


def install_nondifferentiable(card: Card, function: Any) -> None:
    """Register an op whose result carries the reason why it has no gradient."""

    operation = nondifferentiable_call(card.name, card.impl)
    HOOKS[f"op:{card.name}"] = operation
    if isinstance(function, np.ufunc):
        UFUNCS[function] = _make_step(card.name, function, operation)
        UFUNC_METHODS[function, "__call__"] = make_general(function, operation, function.nout)
    elif function is not None:
        FUNCTIONS[function] = operation


def _make_step(name: str, ufunc: Any, operation: Any) -> Any:
    """The short way of a ufunc without derivative, for Tensors, numbers and plain arrays."""
    function = _FASTER.get(ufunc, ufunc)
    if ufunc.nin != 2 or ufunc.nout != 1:
        return operation

    def op(x: Any, y: Any) -> Any:
        tx, ty = type(x), type(y)
        xv = x.value if tx is Tensor else x
        yv = y.value if ty is Tensor else y
        if type(xv) not in _RAW or type(yv) not in _RAW:
            return operation(x, y)
        out = _new(Tensor)
        out.value = function(xv, yv)
        out.key = 0
        if tx is Tensor and x.why is not None:
            out.why = x.why
        elif ty is Tensor and y.why is not None:
            out.why = y.why
        else:
            key = (x.key if tx is Tensor else 0) or (y.key if ty is Tensor else 0)
            if key:
                frame = user_frame()
                out.why = ("nondifferentiable", frame.f_code, frame.f_lasti, key, name)
            else:
                out.why = None
        return out

    op.__name__ = op.__qualname__ = name
    return op


def nondifferentiable_call(name: str, function: Any) -> Any:
    """`function` on Tensors, with results that no tape follows and that say so."""

    def operation(*args: Any, out: Any = None, **kwargs: Any) -> Any:
        found: list[Tensor] = []
        args, kwargs = unwrap(args, found), unwrap(kwargs, found)
        z = function(*args, **kwargs)
        keys = [t.key for t in found if t.key]
        why = why_of(found)
        if why is None and keys:
            frame = user_frame()
            why = ("nondifferentiable", frame.f_code, frame.f_lasti, keys[0], name)
        return write_out(out, rewrap(z, why))

    operation.__name__ = operation.__qualname__ = name
    return operation


def unwrap(tree: Any, found: list[Tensor]) -> Any:
    """`tree` with every Tensor replaced by its raw value, and the Tensors collected in `found`."""
    if isinstance(tree, Tensor):
        found.append(tree)
        return tree.read()
    if type(tree) is tuple or type(tree) is list:
        return type(tree)(unwrap(item, found) for item in tree)
    if type(tree) is dict:
        return {name: unwrap(item, found) for name, item in tree.items()}
    return tree


def rewrap(z: Any, why: Any) -> Any:
    """Arrays and NumPy scalars in `z` as Tensors that no tape follows, because of `why`."""
    if isinstance(z, ndarray | np.generic):
        return new_tensor(z, 0, why)
    if isinstance(z, tuple) and hasattr(z, "_fields"):
        return type(z)(*(rewrap(item, why) for item in z))
    if type(z) is tuple or type(z) is list:
        return type(z)(rewrap(item, why) for item in z)
    return z


def write_out(out: Any, result: Any) -> Any:
    """Write `result` into `out` and return it.

    A Tensor `out` becomes a new version that has the history of `result`. A plain array gets the
    value, and a tracked Tensor is returned, so that `acc += t` rebinds `acc` to one that has a
    gradient. An `out` of None is none.
    """
    if isinstance(out, tuple):
        if len(out) == 1 and not isinstance(result, tuple):
            out = out[0]
        else:
            return tuple(
                r if o is None else write_out(o, r) for o, r in zip(out, result, strict=True)
            )
    if out is None:
        return result
    if isinstance(out, Tensor):
        HOOKS["write_tensor"](out, result)
        return out
    HOOKS["write_plain"](out, result)
    return result


def uncarded_ufunc(ufunc: Any, method: str, inputs: Any, kwargs: Any) -> Any:
    """A ufunc or ufunc method without a card: computed, and unsupported when a gradient asks."""
    name = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
    function = ufunc if method == "__call__" else getattr(ufunc, method)
    return unsupported(name, function, inputs, kwargs)


def uncarded(function: Any, args: Any, kwargs: Any) -> Any:
    """A NumPy function without a card."""
    module = getattr(function, "__module__", "numpy") or "numpy"
    return unsupported(f"{module}.{function.__name__}", function, args, kwargs)


_UNSUPPORTED: dict[str, Card] = {}


def unsupported(name: str, function: Any, args: Any, kwargs: Any) -> Any:
    """Compute `function`; its results are followed, but a gradient through them raises."""
    found: list[Tensor] = []
    z = function(*unwrap(args, found), **unwrap(kwargs, found))
    keys = [t.key for t in found]
    if z is None:
        HOOKS["plain_effect"](name, args, found)
        return None
    tapes = tuple(t for t in state.tapes if not t.tracked.isdisjoint(keys))
    why = why_of(found)
    if isinstance(z, ndarray) and z.dtype.hasobject and any(keys):  # a ufunc of np.frompyfunc
        frame = user_frame()
        why = why or ("objects", frame.f_code, frame.f_lasti, next(filter(None, keys)), name)
        return new_tensor(z, 0, why)
    if isinstance(z, float | int | complex) and not isinstance(z, np.generic | bool):
        for t in found:
            note_exit(t, name, z)
        return z
    if not tapes or not isinstance(z, ndarray | np.generic):
        if why is None and any(keys):
            frame = user_frame()
            why = ("no card", frame.f_code, frame.f_lasti, next(filter(None, keys)), name)
        return rewrap(z, why)
    frame = user_frame()
    card = _UNSUPPORTED.get(name)
    if card is None:
        card = _UNSUPPORTED[name] = Card.__new__(Card)
        Card.__init__(card, name, "unsupported", function, -1)
        from .registry import CARDS

        del CARDS[name]
        card.keep, card.keep_out = (), False
    if z.dtype.kind not in "fc":
        return new_tensor(z, 0, why or _integer(frame, keys, card, z))
    kk = next_key()
    for tape in tapes:
        signed = tuple(k if k in tape.tracked else -k for k in keys)
        avals = tuple(t.aval for t in found)
        tape.has_unsupported = True
        tape.record([run_unsupported, card, kk, frame.f_code, frame.f_lasti, signed, 0, avals, {},
                     avals, None, None])  # fmt: skip
        tape.tracked.add(kk)
    return new_tensor(z, kk, why)


HOOKS["write_out"] = write_out
HOOKS["uncarded"] = uncarded
HOOKS["uncarded_ufunc"] = uncarded_ufunc
__all__ = ["Aval", "apply", "operand", "span", "unwrap", "write_out"]
