"""Choosing elements: `where` and its kin, `take` and its kin.

Whatever can be said with an index is said with `x[index]`, so it has the rules, the linear cost
and the second derivatives of reading by index.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.aval import Aval, aval_of, broadcast_shapes, weak_result_type
from ..core.batched import as_array, as_operand
from ..core.cards import align_batch, composite, primitive, unbroadcast
from ..core.dispatch import apply, nondifferentiable_call, write_out
from ..core.positions import decode, user_frame
from ..core.registry import FUNCTIONS, HOOKS
from ..core.symbol import is_known_to_hold, is_traced
from ..core.tensor import Tensor, new_tensor, raw
from ..errors import three_part

_np: Any = np

# ------------------------------------------------------------------------------------ where
# A branch that is not taken gets the cotangent 0, and 0 wins over a singular partial behind it.


def _where_vjp(i: int, ct: Any, _out: Any, condition: Any, x: Any, y: Any) -> Any:
    zero = np.zeros((), ct.dtype)
    if i == 0:
        return None
    if i == 1:
        return unbroadcast(np.where(condition, ct, zero), np.shape(x))
    return unbroadcast(np.where(condition, zero, ct), np.shape(y))


def _where_jvp(i: int, t: Any, out: Any, condition: Any, _x: Any, _y: Any) -> Any:
    zero = np.zeros(np.shape(out), t.dtype)
    if i == 0:
        return None
    return np.where(condition, t, zero) if i == 1 else np.where(condition, zero, t)


where_card = primitive(
    np.where,
    impl=lambda condition, x, y: _np.where(condition, x, y)[()],
    arity=3,
    signature=lambda condition, x, y, /: ((condition, x, y), {}),
    vjp=_where_vjp,
    jvp=_where_jvp,
    shape=lambda c, x, y: Aval(broadcast_shapes(c.shape, x.shape, y.shape), weak_result_type(x, y)),
    batch=lambda _size, operands, axes: (np.where(*align_batch(operands, axes)), 0),
    keep=(0,),
    keep_out=False,
    drops=True,
)
_where_positions = nondifferentiable_call("where with a condition alone", np.where)


def where(condition: Any, *choices: Any) -> Any:
    """`np.where`: with a condition alone, the positions where it holds."""
    if not choices:
        return _where_positions(condition)
    return apply(where_card, (condition, *choices), {})


FUNCTIONS[np.where] = where


def tensor_of(x: Any) -> Any:
    """`x` as a Tensor: a plain array becomes a constant one."""
    x = as_array(x)
    return x if isinstance(x, Tensor) else new_tensor(x[()])


@composite(np.select)
def select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    """`np.select`: the first choice whose condition holds."""
    conditions = [raw(as_array(c)) for c in condlist]
    choices = [as_operand(c) for c in choicelist]
    if (
        len(conditions) != len(choices)
        or not conditions
        or any(c.dtype != bool for c in conditions)
    ):
        np.select(conditions, [np.zeros(np.shape(c)) for c in choices])  # NumPy's refusals
    result = as_operand(default)
    for condition, choice in zip(reversed(conditions), reversed(choices), strict=True):
        result = np.where(condition, choice, result)
    return tensor_of(result)


@composite(np.choose)
def choose(a: Any, choices: Any, out: Any = None, mode: str = "raise") -> Any:
    """`np.choose`: element by element, from the choice whose number stands in `a`."""
    options = list(choices) if isinstance(choices, list | tuple) else [*as_array(choices)]
    kinds = [aval_of(raw(c)) for c in options]
    options = [as_array(c) for c in options]
    if len({a.weak for a in kinds}) > 1:  # a Python number takes the dtype of the others
        kind = weak_result_type(*kinds)
        options = [c.astype(kind) if a.weak else c for c, a in zip(options, kinds, strict=True)]
    index = raw(as_array(a))
    if index.dtype.kind not in "iub":
        np.choose(index, [np.zeros(np.shape(c)) for c in options])  # NumPy's refusal
    index = _in_mode(index, len(options), mode, "choose")
    result = np.broadcast_to(options[0], np.broadcast_shapes(index.shape, *map(np.shape, options)))
    for k, option in enumerate(options[1:], 1):
        result = np.where(index == k, option, result)
    result = np.copy(result) if len(options) == 1 else result
    return tensor_of(result) if out is None else write_out(out, result, "unsafe")


def _in_mode(index: Any, length: int, mode: str, name: str) -> Any:
    """`index` brought into range; "raise" refuses what is not (and keeps negative numbers)."""
    if mode == "wrap":
        return index % max(length, 1)
    if mode == "clip":
        return np.clip(index, 0, max(length - 1, 0))
    low = 0 if name == "choose" else -length
    outside = (index < low) | (index >= length)
    if is_known_to_hold(outside):
        frame = user_frame()
        error = ValueError if name == "choose" else IndexError
        raise error(
            three_part(
                f"{name}: index {np.asarray(index)[outside].flat[0]} is out of range for "
                f"{length} entries.",
                f"Called at {decode(frame.f_code, frame.f_lasti)}.",
                'Keep to the range, or pass mode="clip" or mode="wrap".',
            )
        )
    return index


# ------------------------------------------------------------------------------------- take


def _along(a: Any, axis: Any) -> tuple[Any, int]:
    """(a, axis) with `axis=None` as the only axis of the flattened array."""
    a = tensor_of(a)
    if axis is None or a.ndim == 0 and axis in (0, -1):
        return np.reshape(a, (-1,)), 0
    return a, np.lib.array_utils.normalize_axis_index(axis, a.ndim)


@composite(np.take)
def take(a: Any, indices: Any, axis: Any = None, out: Any = None, mode: str = "raise") -> Any:
    """`np.take`: a copy of the entries at `indices` along an axis."""
    a, axis = _along(a, axis)
    index = raw(as_array(indices))
    if index.dtype.kind not in "iub" and not isinstance(indices, list | tuple):
        np.take(np.zeros(1), index)  # NumPy's refusal; the numbers of a list it casts
    index = _in_mode(index.astype(np.intp), a.shape[axis], mode, "take")
    # an index without axes would give a view
    result = a[(slice(None),) * axis + (np.atleast_1d(index),)]
    if np.ndim(index) == 0:
        result = np.reshape(result, a.shape[:axis] + a.shape[axis + 1 :])
    return result if out is None else write_out(out, result, "unsafe")


def _fancy(shape: tuple[int, ...], indices: Any, axis: int) -> tuple[Any, ...]:
    """The index of `np.take_along_axis`: `indices` at `axis`, every position elsewhere."""
    if indices.dtype.kind not in "iu" or indices.ndim != len(shape):
        np.take_along_axis(np.zeros((1,) * len(shape)), indices, axis)  # NumPy's refusals
    parts: list[Any] = []
    for n, length in enumerate(shape):
        dims = [1] * len(shape)
        dims[n] = length
        parts.append(indices if n == axis else np.arange(length).reshape(dims))
    return tuple(parts)


@composite(np.take_along_axis)
def take_along_axis(arr: Any, indices: Any, axis: Any = -1) -> Any:
    """`np.take_along_axis`: with an index of its own for each line, as argsort gives."""
    arr, axis = _along(arr, axis)
    return arr[_fancy(arr.shape, raw(as_array(indices)), axis)]


@composite(np.compress)
def compress(condition: Any, a: Any, axis: Any = None, out: Any = None) -> Any:
    """`np.compress`: the slices along an axis where the condition holds."""
    condition = raw(as_array(condition))
    if condition.ndim != 1:
        np.compress(condition, np.zeros(1))  # NumPy's refusal
    return np.take(tensor_of(a), np.flatnonzero(condition), axis=axis, out=out)


@composite(np.extract)
def extract(condition: Any, arr: Any) -> Any:
    """`np.extract`: the elements where the condition holds, in one dimension."""
    return np.take(tensor_of(arr), np.flatnonzero(raw(as_array(condition))))


# ------------------------------------------------------------------- writing: put and its kin


def _plain_target(function: Any, target: Any, args: Any, kwargs: Any) -> bool:
    """Run `function` if its target is a plain array, which a tape cannot follow; note the exit."""
    if isinstance(target, Tensor):
        return False
    tensors = [x for x in (*args, *kwargs.values()) if isinstance(x, Tensor)]
    function(target, *map(raw, args), **{k: raw(v) for k, v in kwargs.items()})
    HOOKS["plain_effect"](f"numpy.{function.__name__}", (target,), tensors)
    return True


def _write_flat(a: Any, index: Any, values: Any) -> None:
    """`a.flat[index] = values`, which are repeated or cut to fit."""
    values = np.reshape(as_array(values), (-1,))
    if index.size and values.shape[0]:
        values = values[np.arange(index.size) % values.shape[0]]
        a[np.unravel_index(index % max(a.size, 1), a.shape)] = values


def _put(a: Any, ind: Any, v: Any, mode: str = "raise") -> None:
    """`np.put`: write at positions of the flattened array."""
    if not _plain_target(np.put, a, (ind, v), {"mode": mode}):
        index = np.ravel(raw(as_array(ind)))
        _write_flat(a, _in_mode(index.astype(np.intp), a.size, mode, "put"), v)


def _masked(function: Any, a: Tensor, mask: Any, values: Any) -> Any:
    """The places in the flattened array; what NumPy refuses, it refuses on a copy."""
    mask = raw(as_array(mask))
    given = raw(as_array(values))
    # What is not known yet: of no place, or of every one where there is no value; and of no number.
    known = np.full(mask.shape, not given.size) if is_traced(mask) else mask
    function(np.zeros(a.shape, a.dtype), known,
             np.zeros(given.shape, given.dtype) if is_traced(given) else given)  # fmt: skip
    return mask if is_traced(mask) else np.flatnonzero(mask)


def _chosen(a: Tensor, mask: Any, values: Any) -> None:
    """Write where a mask holds that is not known: all is written, and most of it stays."""
    values = values[np.arange(a.size) % values.shape[0]].reshape(a.shape).astype(a.dtype)
    a[...] = np.where(np.reshape(mask, a.shape) != 0, values, a)


def _putmask(a: Any, mask: Any, values: Any) -> None:
    """`np.putmask`: write where the mask holds, the value of the same position."""
    if not _plain_target(np.putmask, a, (mask, values), {}):
        index = _masked(np.putmask, a, mask, values)
        values = np.reshape(as_array(values), (-1,))
        if is_traced(index) and values.shape[0]:
            _chosen(a, index, values)
        elif values.shape[0]:
            _write_flat(a, index, values[index % values.shape[0]])


def _place(arr: Any, mask: Any, vals: Any) -> None:
    """`np.place`: write where the mask holds, one value after the other."""
    if not _plain_target(np.place, arr, (mask, vals), {}):
        index = _masked(np.place, arr, mask, vals)
        if is_traced(index) and np.size(vals) == 1:
            _chosen(arr, index, np.reshape(as_array(vals), (-1,)))
        else:
            _write_flat(arr, np.flatnonzero(index) if is_traced(index) else index, vals)


def _put_along_axis(arr: Any, indices: Any, values: Any, axis: Any = -1) -> None:
    """`np.put_along_axis`: write with an index of its own for each line."""
    if _plain_target(np.put_along_axis, arr, (indices, values, axis), {}):
        return
    index = raw(as_array(indices))
    if axis is None:
        (index,) = _fancy((arr.size,), index, 0)
        index = _in_mode(index, arr.size, "raise", "put_along_axis") % max(arr.size, 1)
        arr[np.unravel_index(index, arr.shape)] = values
    else:
        axis = np.lib.array_utils.normalize_axis_index(axis, arr.ndim)
        arr[_fancy(arr.shape, index, axis)] = values


FUNCTIONS[np.put] = _put
FUNCTIONS[np.putmask] = _putmask
FUNCTIONS[np.place] = _place
FUNCTIONS[np.put_along_axis] = _put_along_axis
