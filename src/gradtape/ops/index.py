"""Reading and writing by index: `x[i]`, `x[i] = v`, and writes through views and `out=`.

Reading adds into the operand's cotangent buffer, never a dense array per read; writing goes into
the buffer in place when nothing else refers to it. So loops over elements are linear.
"""

from __future__ import annotations

import opcode
import sys
from threading import get_ident
from typing import Any

import numpy as np

from ..core.aval import Aval, aval_of
from ..core.buffers import owns
from ..core.cards import primitive
from ..core.dispatch import apply, lost_cause, operand
from ..core.exits import came_back
from ..core.positions import decode, is_internal, user_frame
from ..core.registry import HOOKS
from ..core.state import next_key, state
from ..core.tensor import Tensor, View, raw, writable_value
from ..core.variable import Variable
from ..errors import DTypeError, ShapeError, StaleViewError, UnsupportedOperationError, three_part

_STORES = frozenset(
    opcode.opmap[name] for name in ("STORE_SUBSCR", "STORE_SLICE") if name in opcode.opmap
)


# ------------------------------------------------------------------------------- reading


def is_basic(index: Any) -> bool:
    """Whether `index` is made of integers, slices, None and Ellipsis alone (a view results)."""
    return all(map(_is_basic_part, index)) if type(index) is tuple else _is_basic_part(index)


def _is_basic_part(i: Any) -> bool:
    return type(i) in (int, slice) or i is None or i is Ellipsis or isinstance(i, np.integer)


def plain_index(index: Any) -> Any:
    """`index` with raw values in place of Tensors, and arrays that the caller may not change."""
    if type(index) is tuple:
        return tuple(_plain_part(i) for i in index)
    return _plain_part(index)


def _plain_part(index: Any) -> Any:
    if isinstance(index, Tensor):
        index = index.read()
    if isinstance(index, np.ndarray):
        return index.copy()
    if type(index) in (list, tuple):
        return np.asarray(_raw_items(index)) if index else np.zeros(0, np.intp)
    if isinstance(index, slice):
        parts = (index.start, index.stop, index.step)
        if any(isinstance(p, Tensor) for p in parts):
            return slice(*(p if p is None else raw(p).__index__() for p in parts))
    return index


def _raw_items(items: Any) -> Any:
    return [_raw_items(i) if type(i) in (list, tuple) else raw(i) for i in items]


def _refused(error: IndexError, x: Any, index: Any) -> IndexError:
    """NumPy's IndexError with the place and a remedy."""
    if any(words in str(error) for words in ("out of bounds", "too many", "boolean index")):
        remedy = f"Keep to the shape {np.shape(x)}; a negative index counts from the end."
    else:
        remedy = "Index with integers (int(i)), slices, None, ..., or integer and boolean arrays."
    return IndexError(
        three_part(
            f"Indexing {aval_of(x)!r} with [{index!r:.60}]: {str(error).rstrip('.')}.",
            f"Indexed at {_here()}.",
            remedy,
        )
    )


def _spelled_out(index: Any, ndim: int) -> tuple[Any, ...]:
    """`index` as a tuple whose ellipsis is written as slices, for an array of `ndim` axes."""
    parts = index if type(index) is tuple else (index,)
    taken = sum(
        i.ndim if isinstance(i, np.ndarray) and i.dtype == bool else
        0 if i is None or i is Ellipsis or isinstance(i, bool | np.bool_) else 1
        for i in parts
    )  # fmt: skip
    at = next((n for n, i in enumerate(parts) if i is Ellipsis), len(parts))
    return (*parts[:at], *(slice(None),) * (ndim - taken), *parts[at + 1 :])


def _integer_parts(index: Any) -> list[Any]:
    parts = index if type(index) is tuple else (index,)
    return [i for i in parts if isinstance(i, np.ndarray) and i.dtype != bool]


def _repeats(shape: tuple[int, ...], index: Any) -> bool:
    """Whether `index` reaches an element of an array of `shape` more than once."""
    if all(i.size <= 1 for i in _integer_parts(index)):
        return False
    axis, axes = 0, []
    arrays: list[Any] = []
    for i in _spelled_out(index, len(shape)):
        if i is None or isinstance(i, bool | np.bool_):
            continue
        if isinstance(i, np.ndarray):
            many = i.nonzero() if i.dtype == bool else (np.where(i < 0, i + shape[axis], i),)
            arrays += many
            axes += [shape[axis + n] for n in range(len(many))]
            axis += len(many)
        else:
            axis += 1
    together: Any = np.broadcast_arrays(*arrays)
    flat = np.ravel_multi_index(together, axes).ravel()
    return bool(np.unique(flat).size < flat.size)


def _overwritten(shape: tuple[int, ...], index: Any) -> Any:
    """Which elements of a write to `index` a later one of the same write replaces; None if none."""
    if is_basic(index) or not _repeats(shape, index):
        return None
    writer = np.empty(shape, np.intp)
    slot = writer[index].shape
    order = np.arange(np.prod(slot, dtype=np.intp)).reshape(slot)
    writer[index] = order  # as NumPy does: the last one stays
    return writer[index] != order


def _add_at(buffer: Any, ct: Any, x: Any, index: Any) -> Any:
    """Add `ct` at `index` of the cotangent buffer of `x`."""
    if is_basic(index) or not _integer_parts(index):
        buffer[index] += ct  # no element is reached twice
    else:
        np.add.at(buffer, index, ct)
    return buffer


def _getitem_vjp(ct: Any, _out: Any, x: Any, index: Any) -> Any:
    return scatter_add(ct, shape=x.shape, index=index)


def _scatter(ct: Any, shape: tuple[int, ...], index: Any) -> Any:
    return _add_at(np.zeros(shape, ct.dtype), ct, None, index)


def _batched_index(index: Any) -> Any:
    """`index` for an array with a batch axis in front."""
    if not is_basic(index):
        return None
    return (slice(None), *(index if type(index) is tuple else (index,)))


def _getitem_batch(size: int, operands: Any, axes: Any, index: Any) -> Any:
    x = np.moveaxis(operands[0], axes[0], 0)
    batched = _batched_index(index)
    if batched is not None:
        return x[batched], 0
    # the batch goes last, where no advanced index can move it
    out = np.moveaxis(x, 0, -1)[_spelled_out(index, np.ndim(x) - 1)]
    return out, np.ndim(out) - 1


def _index_shape(x: Any, index: Any) -> Aval:
    return Aval(np.broadcast_to(np.zeros((), x.dtype), x.shape)[index].shape, x.dtype)


def _read(x: Any, index: Any) -> Any:
    try:
        return x[index]
    except IndexError as error:
        raise _refused(error, x, index) from None


getitem_card = primitive(
    None,
    name="getitem",
    impl=_read,
    vjp=_getitem_vjp,
    jvp=lambda t, _out, _x, index: t[index],
    shape=_index_shape,
    batch=_getitem_batch,
    keep=(),
    keep_out=False,
    add_into=_add_at,
)


def _getitem_unview(base: Any, new: Any, index: Any) -> None:
    """Write `new` into the base where it stands: the cost is that of the view, not of the base."""
    store(base, index, new)


getitem_card.unview = _getitem_unview


def _scatter_batch(size: int, operands: Any, axes: Any, shape: Any, index: Any) -> Any:
    ct = np.moveaxis(operands[0], axes[0], 0)
    batched = _batched_index(index)
    if batched is not None:
        return _scatter(ct, (size, *shape), batched), 0
    index = _spelled_out(index, len(shape))
    return _scatter(np.moveaxis(ct, 0, -1), (*shape, size), index), len(shape)


scatter_card = primitive(
    None,
    name="scatter_add",
    impl=_scatter,
    vjp=lambda ct, _out, _x, shape, index: ct[index],
    jvp=lambda t, _out, _x, shape, index: scatter_add(t, shape=shape, index=index),
    shape=lambda ct, shape, index: Aval(shape, ct.dtype),
    batch=_scatter_batch,
    keep=(),
    keep_out=False,
)


def scatter_add(ct: Any, *, shape: tuple[int, ...], index: Any) -> Any:
    """Zeros of `shape` with `ct` added at `index`: the transpose of reading."""
    if isinstance(ct, Tensor):
        return apply(scatter_card, (ct,), {"shape": shape, "index": index})
    return _scatter(ct, shape, index)


def getitem(x: Any, index: Any) -> Any:
    """`x[index]`; the cotangent is added at `index`."""
    return apply(getitem_card, (x,), {"index": plain_index(index)})


# ------------------------------------------------------------------------------- writing


def _setitem_value(x: Any, v: Any, index: Any) -> Any:
    new = np.array(x)
    new[index] = v
    return new


def _setitem_vjp(i: int, ct: Any, _out: Any, x: Any, v: Any, index: Any) -> Any:
    if i == 0:
        return setitem_op(ct, np.zeros((), ct.dtype), index)
    part, lost = ct[index], _overwritten(x.shape, index)
    if lost is not None:
        part = np.where(lost, np.zeros((), ct.dtype), part)
    return HOOKS["unbroadcast"](part, v.shape)


def _setitem_jvp(i: int, t: Any, _out: Any, x: Any, v: Any, index: Any) -> Any:
    if i == 0:
        return setitem_op(t, np.zeros((), t.dtype), index)
    return setitem_op(np.zeros(np.shape(x), t.dtype), t, index)


def _setitem_batch(size: int, operands: Any, axes: Any, index: Any) -> Any:
    x, v = operands
    b, c = axes
    x = np.broadcast_to(x, (size, *np.shape(x))) if b is None else np.moveaxis(x, b, 0)
    if c is not None:
        v = np.moveaxis(v, c, 0)
    batched = _batched_index(index)
    if batched is not None:
        if c is not None:
            part = np.ndim(x[batched])
            v = np.reshape(v, (size,) + (1,) * (part - np.ndim(v)) + np.shape(v)[1:])
        return _setitem_value(x, v, batched), 0
    x = np.moveaxis(x, 0, -1)
    v = np.asarray(v)[..., None] if c is None else np.moveaxis(v, 0, -1)
    return _setitem_value(x, v, _spelled_out(index, np.ndim(x) - 1)), np.ndim(x) - 1


setitem_card = primitive(
    None,
    name="setitem",
    arity=2,
    impl=_setitem_value,
    vjp=_setitem_vjp,
    jvp=_setitem_jvp,
    shape=lambda x, v, index: Aval(x.shape, x.dtype),
    batch=_setitem_batch,
    keep=(),
    keep_out=False,
)


def setitem_op(x: Any, v: Any, index: Any) -> Any:
    """A new array: `x` with `v` at `index`."""
    if isinstance(x, Tensor) or isinstance(v, Tensor):
        return apply(setitem_card, (x, v), {"index": index})
    return _setitem_value(x, v, index)


def setitem(self: Tensor, index: Any, v: Any) -> None:
    """`x[index] = v`: a new version of `x`, which the tape follows."""
    frame = sys._getframe(1)
    if not is_internal(frame.f_code) and frame.f_code.co_code[frame.f_lasti] not in _STORES:
        raise UnsupportedOperationError(
            three_part(
                f"An element of {self.aval!r} Tensor was assigned from inside a C function.",
                f"Called at {decode(frame.f_code, frame.f_lasti)}; swapping rows in place "
                "(rng.shuffle) would duplicate rows of a Tensor.",
                "Use x = x[rng.permutation(len(x))], or write x[i] = v in Python.",
            )
        )
    store(self, plain_index(index), v)


def store(x: Tensor, index: Any, v: Any) -> None:
    """Write `v` at `index` of `x` and record it."""
    if isinstance(x, Variable):
        x.assign_at(index, v)
        return
    x.read()  # a stale view settles first
    if type(x.value) is not np.ndarray:
        raise UnsupportedOperationError(
            three_part(
                "Item assignment: this Tensor is 0-d, and 0-d Tensors are immutable.",
                f"Assigned at {_here()}.",
                "Rebind the name: x = gt.array(v), or use x[...] on an array of shape (1,).",
            )
        )
    value, key, why = operand(v, "setitem")
    if np.iscomplexobj(value) and x.value.dtype.kind in "fiub":
        raise DTypeError(
            three_part(
                f"Item assignment: complex {np.shape(value)} into {x.aval!r}.",
                f"Assigned at {_here()}; the imaginary part would be lost.",
                "Assign v.real, or make the array complex first: x = x.astype(complex).",
            )
        )
    try:
        slot = _index_shape(x.aval, index).shape
    except IndexError as error:
        raise _refused(error, x.value, index) from None
    dims = np.shape(value)
    spare = len(dims) - len(slot)
    if spare > 0 and set(dims[:spare]) == {1}:  # NumPy lets axes of length 1 in front fall away
        value = value.reshape(dims[spare:])
        v = np.reshape(v, dims[spare:]) if key else value
        key = v.key if isinstance(v, Tensor) else 0
    try:
        np.broadcast_to(np.empty(np.shape(value), bool), slot)
    except ValueError:
        raise ShapeError(
            three_part(
                f"Item assignment: a value of shape {dims} does not fit a slot of "
                f"shape {slot} in {x.aval!r}.",
                f"Assigned at {_here()}.",
                "Reshape the value, or index a slot of its shape.",
            )
        ) from None
    old_key, old_aval, v_aval = x.key, x.aval, aval_of(value)
    tapes = tuple(t for t in state.tapes if old_key in t.tracked or key in t.tracked)
    buffer = writable_value(x)
    buffer[index] = value
    x.key = kk = next_key()
    if tapes and old_aval.dtype.kind not in "fc":
        frame = user_frame()
        into = f"item assignment into {old_aval.dtype}"
        x.why = ("integer", frame.f_code, frame.f_lasti, key, into)
        tapes = ()
    elif why is not None and x.why is None:
        x.why = why
    elif key and not tapes and x.why is None:
        frame = user_frame()
        x.why = (lost_cause(), frame.f_code, frame.f_lasti, key, get_ident())
    if tapes:
        frame = user_frame()
        for tape in tapes:
            signed = tuple(k if k in tape.tracked else -k for k in (old_key, key))
            avals = (old_aval, v_aval)
            kept = (np.array(x.value), value) if tape.keep_all else avals
            if tape.exits is not None and not key:
                came_back(tape, kk, setitem_card, v)
            tape.record(
                [run_setitem, setitem_card, kk, frame.f_code, frame.f_lasti, signed, (), avals,
                 {"index": index}, kept, kept[0] if tape.keep_all else None, None]
            )  # fmt: skip
            tape.tracked.add(kk)
    if isinstance(x, View):
        HOOKS["write_base"](x)


def run_setitem(rec: list[Any], g: Any, grads: dict[int, Any]) -> None:
    """Backward of a write: linear, for the buffer is cut in place when `g` is solely owned."""
    kx, kv = rec[5]
    index = rec[8]["index"]
    if kv > 0:
        part = np.array(g[index])
        lost = _overwritten(rec[7][0].shape, index)
        if lost is not None:
            part[lost] = 0
        shape = rec[7][1].shape
        if part.shape != shape:
            part = HOOKS["sum_to"](part, shape)
        if part.dtype.kind == "c" and rec[7][1].dtype.kind != "c":
            part = part.real
        HOOKS["accumulate"](grads, kv, part[()] if not shape else part)
    if kx > 0:
        if sys.getrefcount(g) > _SOLE or not owns(g) or not g.flags.writeable:
            g = np.array(g)
        g[index] = 0
        HOOKS["accumulate"](grads, kx, g)


def _calibrate() -> int:
    """References to a cotangent that only the sweep and its callee hold."""
    seen: list[int] = []

    def run(rec: Any, g: Any, grads: Any) -> None:
        seen.append(sys.getrefcount(g))

    grads = {1: np.zeros(3)}
    g = grads.pop(1, None)
    rec = [run]
    if g is not None:
        rec[0](rec, g, grads)
    return seen[0]


_SOLE = _calibrate()


def _here() -> Any:
    frame = user_frame()
    return decode(frame.f_code, frame.f_lasti)


# ------------------------------------------------------------------- in place and out=


def in_place(x: Tensor, other: Any, operation: Any) -> Any:
    """`x += v` and its kin: a new version of `x`; a 0-d Tensor rebinds."""
    result = operation(x, other)
    if result is NotImplemented or type(x.value) is not np.ndarray:
        return result
    write_tensor(x, result)
    return x


def write_tensor(x: Tensor, result: Any) -> None:
    """`x` takes over the history of `result`, as `out=x` and `x += v` do."""
    if isinstance(x, Variable):
        x.assign(result)
        return
    old = x.aval
    value = result.value
    if np.shape(value) != old.shape:
        raise ShapeError(
            three_part(
                f"In-place operation: a result of shape {np.shape(value)} does not fit {old!r}.",
                f"Written at {_here()}.",
                "Rebind the name instead: x = x + y.",
            )
        )
    if value.dtype != old.dtype:
        if not np.can_cast(value.dtype, old.dtype, "same_kind"):
            raise DTypeError(
                three_part(
                    f"In-place operation: {value.dtype} cannot be written into {old!r}.",
                    f"Written at {_here()}.",
                    "Rebind the name instead: x = x + y.",
                )
            )
        result = np.astype(result, old.dtype)
    elif result is not x and result.value is x.value:
        result = np.positive(result)
    x.become(result)
    if not x.key:
        x.key = next_key()


def write_plain(out: Any, result: Any) -> None:
    """Write the value of `result` into the user's array; noted, for it may come back."""
    value = raw(result)
    np.copyto(out, value, casting="same_kind")
    if isinstance(result, Tensor):
        HOOKS["plain_store"](out, result)


def masked_ufunc(card: Any, args: Any, kwargs: Any, out: Any) -> Any:
    """A ufunc call with `where=`: elements left out keep what `out` held, or are undefined."""
    where = kwargs.pop("where")
    result = apply(card, args, kwargs)
    if out is None:
        # NumPy leaves these elements uninitialised; zeros are as good, and repeatable
        return np.where(where, result, np.zeros((), result.dtype))
    base = out[0] if isinstance(out, tuple) else out
    kept = base if isinstance(base, Tensor) else np.array(base)
    return np.where(where, result, kept)


def from_sequence(items: Any) -> Any:
    """A list or tuple as an operand: an array, or a stacked Tensor if it holds Tensors."""
    if _holds_tensor(items):
        return HOOKS["stack"](items)
    return np.asarray(items)


def _holds_tensor(items: Any) -> bool:
    return any(
        isinstance(i, Tensor) or (isinstance(i, list | tuple) and _holds_tensor(i)) for i in items
    )


def from_objects(array: Any) -> Any:
    """An object array that holds Tensors, as one Tensor."""
    if any(isinstance(i, Tensor) for i in array.flat):
        return np.reshape(HOOKS["stack"](list(array.flat)), array.shape)
    return array.astype(float)


Tensor.__getitem__ = getitem  # type: ignore[method-assign]
Tensor.__setitem__ = setitem  # type: ignore[method-assign]
HOOKS["in_place"] = in_place
HOOKS["scatter_add"] = scatter_add
HOOKS["write_tensor"] = write_tensor
HOOKS["write_plain"] = write_plain
HOOKS["masked_ufunc"] = masked_ufunc
HOOKS["from_sequence"] = from_sequence
HOOKS["from_objects"] = from_objects
_ = StaleViewError
