"""Indexing by arrays of integers: where each element of `x[index]` lies.

An index becomes a view of `x` over the shape of the result, for its slices, and for each array of
integers a view over the same shape, with what one step of its number is worth. So a read is a load
from `view + sum(number * step)`. Numbers that are known are brought into range when the plan is
made; others while the loop runs, which tells when one is out of range and reads nothing there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...core.aval import Aval
from ...graph.ir import Constant, Hole, Node, Value
from . import types
from .scalars import Scalars
from .views import View

if TYPE_CHECKING:
    from .fuse import Planner

__all__ = ["Gather", "Reach", "Scatter", "reach"]

_INT = np.dtype(np.int64)


class Reach(NamedTuple):
    """The elements that an index reaches: a view of the array, and the arrays of numbers."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int
    numbers: tuple[Value, ...]  # each seen over `shape`
    steps: tuple[int, ...]
    lengths: tuple[int, ...]  # of the axes; 0 where the number is known to be in range


def reach(planner: Planner, node: Node, index: Any, array: Aval, at: View) -> Reach | None:
    """What `index` (holes stand for inputs of `node`) reaches of an array that lies as `at`."""
    parts = _parts(node, index, array.ndim)
    if parts is None:
        return None
    many = [p for p in parts if isinstance(p, Value | np.ndarray)]
    ranks = [p.aval.ndim if isinstance(p, Value) else p.ndim for p in many]
    is_advanced = any(ranks) or any(isinstance(p, np.ndarray) for p in many)
    rank = max(ranks, default=0)
    singles = [
        n for n, p in enumerate(parts)
        if isinstance(p, Value | np.ndarray) or (is_advanced and type(p) is int)
    ]  # fmt: skip
    apart = bool(singles) and singles[-1] - singles[0] + 1 != len(singles)
    shape: list[int] = []
    strides: list[int] = []
    found: list[tuple[Any, int, int]] = []  # numbers, step, length
    offset, axis, place = 0, 0, 0 if apart else -1
    dims = np.broadcast_shapes(*(p.aval.shape if isinstance(p, Value) else p.shape for p in many))
    for n, part in enumerate(parts):
        if singles and n == singles[0] and place < 0:
            place = len(shape)
        if part is Ellipsis:
            continue
        if part is None:
            shape.append(1)
            strides.append(0)
            continue
        length, step = array.shape[axis], at.strides[axis]
        axis += 1
        if type(part) is int:
            if not -length <= part < length:
                return None
            offset += (part % length) * step
        elif isinstance(part, slice):
            start, stop, by = part.indices(length)
            count = len(range(start, stop, by))
            shape.append(count)
            strides.append(by * step)
            offset += start * step if count else 0
        else:
            found.append((part, step, length))
    place = max(place, 0)
    shape[place:place] = dims
    strides[place:place] = [0] * rank
    numbers, steps, lengths = [], [], []
    for part, step, length in found:
        if isinstance(part, np.ndarray):
            if part.size and not (part.min() >= -length and part.max() < length):
                return None  # NumPy says so at each call
            part = np.where(part < 0, part + length, part)
            even = _evenly(part)
            if even is not None:  # as a slice has them
                start, along, by = even
                offset += start * step
                strides[place + rank - part.ndim + along] += by * step
                continue
            part, length = planner.constant(part), 0
        elif 0 in shape or not length:
            return None  # NumPy looks at the numbers although nothing is read, or can be
        own = planner.view(part)
        seen = [0] * len(shape)
        for k, (n, stride) in enumerate(zip(part.aval.shape, own.strides, strict=True)):
            if n != 1:
                seen[place + rank - part.aval.ndim + k] = stride
        numbers.append(planner.looked(part, tuple(shape), seen))
        steps.append(step)
        lengths.append(length)
    return Reach(tuple(shape), tuple(strides), offset, tuple(numbers), tuple(steps),
                 tuple(lengths))  # fmt: skip


def _evenly(numbers: Any) -> tuple[int, int, int] | None:
    """(start, axis, step) of numbers that differ, evenly, along one axis alone; None elsewhere."""
    long = [axis for axis, n in enumerate(numbers.shape) if n != 1]
    if len(long) != 1 or not numbers.size:
        return None
    flat = numbers.ravel()
    step = int(flat[1]) - int(flat[0])
    if not step or (np.diff(flat) != step).any():
        return None  # one number several times is no slice
    return int(flat[0]), long[0], step


def _parts(node: Node, index: Any, ndim: int) -> list[Any] | None:
    """The index as ints, slices, None, arrays of int64 and values; None where it is another one."""
    given = index if type(index) is tuple else (index,)
    parts: list[Any] = []
    for part in given:
        if isinstance(part, Hole):
            value = node.inputs[part.position]
            if value.aval.dtype.kind not in "iu" or value.aval.dtype == np.uint64:
                return None
            if isinstance(value, Constant):
                parts.append(np.asarray(value.data, np.int64))
            else:
                parts.append(value)
        elif isinstance(part, bool | np.bool_):
            return None
        elif isinstance(part, int | np.integer):
            parts.append(int(part))
        elif isinstance(part, slice):
            ends = (part.start, part.stop, part.step)
            if not all(x is None or isinstance(x, int | np.integer) for x in ends):
                return None
            parts.append(part)
        elif part is None or part is Ellipsis:
            parts.append(part)
        elif isinstance(part, np.ndarray) and part.dtype == bool and part.ndim:
            parts += part.nonzero()
        elif isinstance(part, np.ndarray) and part.dtype.kind in "iu":
            parts.append(part.astype(np.int64))
        else:
            return None
    taken = sum(1 for p in parts if p is not None and p is not Ellipsis)
    at = next((n for n, p in enumerate(parts) if p is Ellipsis), len(parts))
    filled: list[Any] = [slice(None)] * (ndim - taken)
    if taken > ndim:
        return None
    if taken == ndim and at < len(parts):
        filled = [Ellipsis]  # that stands for no axis stands between indices all the same
    return [*parts[:at], *filled, *parts[at + 1 :]]


# ------------------------------------------------------------------------------ in a loop


class _Indexed:
    """A lowering that finds an address by numbers."""

    def __init__(self, steps: Sequence[int], lengths: Sequence[int]) -> None:
        self.steps, self.lengths = steps, lengths
        self.tells = any(lengths)

    def offset(self, e: Any, numbers: Sequence[Any]) -> Any:
        """Their sum, in elements; a number out of range counts 0 and is told."""
        b, total = e.b, None
        for number, step, length in zip(numbers, self.steps, self.lengths, strict=True):
            if length:
                size = types.constant(_INT, length)
                s = Scalars(b, _INT)
                number = s.select(s.lt(number, s.const(0)), s.add(number, size), number)
                outside = b.icmp_unsigned(">=", number, size)
                e.tell(outside)
                number = s.select(outside, s.const(0), number)  # there is one, or no element
            moved = number if step == 1 else b.mul(number, types.constant(_INT, step))
            total = moved if total is None else b.add(total, moved)
        return total


class Gather(_Indexed):
    """Reads an element of its first operand; the others are numbers."""

    gathers = True

    def emit(self, e: Any, node: Node, operand: Any, indices: Any) -> Any:
        array, *numbers = node.inputs
        offset = self.offset(e, [operand(n, _INT) for n in numbers])
        base = e.plan.base(array)
        if isinstance(base, Constant) and base.uniform is not None:  # has no memory
            return types.constant(array.aval.dtype, base.uniform)
        return e.load(array, indices, offset)


class Scatter(_Indexed):
    """Writes its first operand, or with `adds` adds it, at a place that the others tell."""

    stores = True

    def __init__(self, steps: Sequence[int], lengths: Sequence[int], adds: bool) -> None:
        super().__init__(steps, lengths)
        self.adds = adds

    def emit(self, e: Any, node: Node, operand: Any, indices: Any) -> Any:
        value, *numbers = node.inputs
        out = node.outputs[0]
        dtype = out.aval.dtype
        x = operand(value, dtype)
        offset = self.offset(e, [operand(n, _INT) for n in numbers])
        if self.adds:
            x = Scalars(e.b, dtype).add(e.load_placed(out, indices, offset), x)
        e.store(out, x, indices, offset)
        return x
