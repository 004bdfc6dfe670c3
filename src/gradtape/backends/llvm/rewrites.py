"""Operations that are made of others in native code: views, writes into parts, sums, loops.

A rewrite gets the planner and a node; it makes other nodes, views and targets, and says whether it
did. What it makes has the bits of NumPy's own result.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.aval import Aval
from ...core.axes import normalized, reduced_shape
from ...core.indexing import is_basic, spelled_out
from ...graph.ir import Constant, Hole, Node, Value
from . import lowerings
from .gather import Gather, Scatter, reach
from .reductions import Running
from .views import Count, View, strides_of, whole

if TYPE_CHECKING:
    from .fuse import Planner

__all__ = ["rewrite"]

Rewrite = Callable[["Planner", Node], bool]
Window = list[tuple[int, int]]  # along each axis from where to where
_INT = np.dtype(np.int64)
_COPIED = 1 << 14  # bytes of an array of which a copy costs less than loops around a window
_MOST_PLACES = 16  # of windows that are added one after another


def rewrite(planner: Planner, node: Node) -> bool:
    """Whether `node` has been made of others."""
    found = _REWRITES.get(node.op.name)
    if found is None or len(node.outputs) != 1:
        return False
    if not all(map(lowerings.held, (*node.inputs, *node.outputs))):
        return False
    return found(planner, node)


# ------------------------------------------------------------------------------ copies of views


def _reshape(p: Planner, node: Node) -> bool:
    """A reshape of what does not lie in that order: of a copy that does."""
    order, shape = node.params.get("order", "C"), node.outputs[0].aval.shape
    if node.operands != 1 or len(node.inputs) != 1 or order not in ("C", "F"):
        return False
    x = node.inputs[0]
    if x.aval.size != node.outputs[0].aval.size:
        return False
    if order == "F":
        x = p.looked(x, x.aval.shape[::-1], p.view(x).strides[::-1])
        shape = shape[::-1]
    found = p.copied(x)
    strides = strides_of(shape)
    p.see(node.outputs[0], View(found, tuple(strides if order == "C" else strides[::-1])), node)
    return True


# ------------------------------------------------------------------------------ joins


def _part(target: Value, axis: int, start: int) -> View:
    strides = tuple(strides_of(target.aval.shape))
    return View(target, strides, start * strides[axis] if strides else 0)


def _concatenate(p: Planner, node: Node) -> bool:
    if node.operands != len(node.inputs) or set(node.params) - {"axis", "starts"}:
        return False
    axis, starts = node.params.get("axis"), node.params.get("starts")
    if type(axis) is not int or starts is None:
        return False
    target = p.target(node.outputs[0])
    for value, start in zip(node.inputs, starts, strict=False):
        p.write(_part(target, axis, start), value, apart=True)
    return True


def _stack(p: Planner, node: Node) -> bool:
    if node.operands != len(node.inputs) or set(node.params) - {"axis"}:
        return False
    axis = node.params["axis"]
    target = p.target(node.outputs[0])
    strides = strides_of(target.aval.shape)
    rest = (*strides[:axis], *strides[axis + 1 :])
    for n, value in enumerate(node.inputs):
        p.write(View(target, tuple(rest), n * strides[axis]), value, apart=True)
    return True


def _all(p: Planner, aval: Aval, number: Any) -> Constant:
    """A number in every element."""
    return p.constant(np.broadcast_to(np.asarray(number, aval.dtype), aval.shape))


def fill(p: Planner, target: Value, number: Any) -> None:
    """Write one number all over a target."""
    p.write(whole(target), _all(p, target.aval, number))


def _surround(p: Planner, target: Value, window: Window, ground: Value) -> None:
    """Write `ground`, of the target's shape, everywhere but in a window, which others may write.

    In slabs: what lies before and behind the window along an axis, as wide as the window along the
    axes before.
    """
    shape, steps, own = list(target.aval.shape), strides_of(target.aval.shape), p.view(ground)
    to = off = 0
    for axis, (start, stop) in enumerate(window):
        for low, high in ((0, start), (stop, target.aval.shape[axis])):
            if low < high:
                slab = (*shape[:axis], high - low, *shape[axis + 1 :])
                part = p.looked(ground, slab, own.strides, off + low * own.strides[axis])
                p.write(View(target, tuple(steps), to + low * steps[axis]), part, apart=True)
        shape[axis] = stop - start
        to += start * steps[axis]
        off += start * own.strides[axis]


def _pad(p: Planner, node: Node) -> bool:
    widths, constants = node.params["widths"], node.params["constants"]
    numbers = {c for pair in constants for c in pair} if np.ndim(constants) else {constants}
    if node.operands != 1 or len(node.inputs) != 1 or not widths or len(numbers) != 1:
        return False
    (number,) = numbers
    if not isinstance(number, int | float | np.number):
        return False
    (x,), target = node.inputs, p.target(node.outputs[0])
    strides = strides_of(target.aval.shape)
    window = [(a, a + n) for n, (a, _) in zip(x.aval.shape, widths, strict=True)]
    _surround(p, target, window, _all(p, target.aval, number))
    offset = sum(s * a for s, (a, _) in zip(strides, window, strict=True))
    p.write(View(target, tuple(strides), offset), x, apart=True)
    return True


def _embed(p: Planner, node: Node) -> bool:
    """Zeros with a diagonal."""
    params = dict(node.params)
    shape = params.pop("shape")
    ground = np.empty(shape, np.uint8)
    diagonal = np.diagonal(ground, **params)
    target = p.target(node.outputs[0])
    fill(p, target, 0)
    if diagonal.size:
        start = diagonal.__array_interface__["data"][0] - ground.__array_interface__["data"][0]
        p.write(View(target, diagonal.strides, start), node.inputs[0])
    return True


def _roll(p: Planner, node: Node) -> bool:
    """Two parts for each axis that moves."""
    (x,) = node.inputs
    shift, axis = node.params["shift"], node.params["axis"]
    if axis is None:
        if not isinstance(shift, int) or x.aval.ndim != 1:
            return False
        shift, axis = (shift,), (0,)
    shift = shift if isinstance(shift, tuple) else (shift,)
    axis = axis if isinstance(axis, tuple) else (axis,)
    if len(shift) != 1 or len(axis) != 1 or not x.aval.size:
        return False
    (by,), (at,) = shift, axis
    n = x.aval.shape[at]
    by %= n
    target = p.target(node.outputs[0])
    own = p.view(x).strides
    for start, count, to in ((0, n - by, by), (n - by, by, 0)):
        if count:
            shape = (*x.aval.shape[:at], count, *x.aval.shape[at + 1 :])
            part = p.looked(x, shape, own, start * own[at])
            p.write(_part(target, at, to), part, apart=True)
    return True


def _repeat(p: Planner, node: Node) -> bool:
    """Each entry several times: a step of 0 beside its axis."""
    (x,) = node.inputs
    repeats, axis = node.params["repeats"], node.params["axis"]
    if not isinstance(repeats, int) or not isinstance(axis, int):
        return False
    shape = (*x.aval.shape[: axis + 1], repeats, *x.aval.shape[axis + 1 :])
    own = p.view(x).strides
    found = p.copied(p.looked(x, shape, (*own[: axis + 1], 0, *own[axis + 1 :])))
    p.see(node.outputs[0], View(found, tuple(strides_of(node.outputs[0].aval.shape))), node)
    return True


def _overlap_add(p: Planner, node: Node) -> bool:
    """Each place of the windows is added where it was read, one after another."""
    (x,) = node.inputs
    window, axes = node.params["window"], node.params["axes"]
    if math.prod(window) > _MOST_PLACES or x.aval.dtype.kind not in "fiu":
        return False
    target = p.target(Value(node.outputs[0].aval))
    fill(p, target, 0)
    steps, own = strides_of(target.aval.shape), p.view(x).strides
    count = x.aval.ndim - len(window)
    shape = x.aval.shape[:count]
    for places in np.ndindex(*window):
        start = sum(steps[a] * o for a, o in zip(axes, places, strict=True))
        part = View(target, tuple(steps), start)
        before = Value(Aval(shape, target.aval.dtype))
        p.see(before, part)
        at = sum(s * o for s, o in zip(own[count:], places, strict=True))
        p.write(part, before, "add", p.looked(x, shape, own[:count], at))
    p.see(node.outputs[0], whole(target), node)
    return True


def _differences(p: Planner, node: Node) -> bool:
    (x,) = node.inputs
    n, axis = node.params["n"], node.params["axis"]
    if x.aval.dtype.kind == "b" or n < 1 or x.aval.shape[axis] < n:
        return False
    while n:
        shape = list(x.aval.shape)
        shape[axis] -= 1
        own = p.view(x).strides
        low, high = (p.looked(x, tuple(shape), own, k * own[axis]) for k in (0, 1))
        n -= 1
        x = p.node("subtract", [high, low], Aval(tuple(shape), x.aval.dtype),
                   stands=None if n else node)  # fmt: skip
    return True


# ------------------------------------------------------------------------------ indices


def _index_of(node: Node) -> Any:
    if node.op.kind != "plain":
        return node.params["index"]
    rest = node.params.get("rest", ())
    return rest[0] if len(rest) == 1 and len(node.params) == 1 else _NOTHING


_NOTHING = object()


def _gather(p: Planner, node: Node) -> bool:
    x, index = node.inputs[0], _index_of(node)
    if node.operands > 1 and node.op.kind == "plain":  # the index came as an operand
        if node.operands != 2 or node.params:
            return False
        index = Hole(1)
    if index is _NOTHING or x.aval.weak:
        return False
    found = reach(p, node, index, x.aval, p.view(x))
    if found is None or found.shape != node.outputs[0].aval.shape:
        return False
    array = p.looked(x, found.shape, found.strides, found.offset)
    if not found.numbers:
        p.see(node.outputs[0], p.view(array), node)
        return True
    made = Node(node.op, (array, *found.numbers), {}, (node.outputs[0].aval,))
    made.outputs = node.outputs
    p.join(made, found.shape, Gather(found.steps, found.lengths), gathered=1)
    return True


def _window(index: Any, shape: tuple[int, ...]) -> Window | None:
    """What slices by steps of 1, and numbers, reach along each axis; None of any other index."""
    if not is_basic(index):
        return None
    parts = spelled_out(index, len(shape))
    if len(parts) != len(shape):
        return None
    found = []
    for part, n in zip(parts, shape, strict=True):
        if not isinstance(part, slice):
            found.append((part % n, part % n + 1))
            continue
        start, stop, step = part.indices(n)
        if step != 1:
            return None
        found.append((start, max(start, stop)))
    return found


def _is_most(shape: tuple[int, ...], array: Aval) -> bool:
    """Whether a window is so much of an array that it is not worth a copy of all of it."""
    size = array.size * array.dtype.itemsize
    return size >= _COPIED and 2 * math.prod(shape) > array.size


def _own(p: Planner, value: Value) -> Value | None:
    """The target that `value` is, if nobody else needs it as it is now."""
    target, floor = p.chains.get(value, (None, 0))
    is_last = p.uses.get(value, 0) == 1 and value not in p.results
    return target if is_last and floor == p.floor else None


def _written(p: Planner, node: Node, base: Value | None, value: Value, index: Any,
             word: str) -> bool:  # fmt: skip
    """The result: `base` (None: zeros) in which `value` is put or added at `index`."""
    out = node.outputs[0]
    found = reach(p, node, index, out.aval, whole(out))
    if found is None:
        return False
    try:
        if np.broadcast_shapes(value.aval.shape, found.shape) != found.shape:
            return False
    except ValueError:
        return False
    target = _own(p, base) if base is not None else None
    is_alone = False  # whether nobody else writes where the value goes
    if target is None:
        target = p.target(Value(out.aval))
        window = _window(index, out.aval.shape) if word == "copy" else None
        if base is None:
            fill(p, target, 0)
        elif window is not None and _is_most(found.shape, out.aval):
            _surround(p, target, window, base)
            is_alone = True
        else:
            p.write(whole(target), base)
    own = p.view(value)
    missing = len(found.shape) - value.aval.ndim
    strides = [0 if n == 1 else s for n, s in zip(value.aval.shape, own.strides, strict=True)]
    value = p.looked(value, found.shape, (*([0] * missing), *strides))
    part = View(target, found.strides, found.offset)
    if found.numbers:
        made = Node(node.op, (value, *found.numbers), {}, (Aval(found.shape, out.aval.dtype),))
        p.made.placed[made.outputs[0]] = part
        scatter = Scatter(found.steps, found.lengths, word == "add")
        p.join(made, found.shape, scatter, into=part, in_order=True)
    elif word == "add":
        before = Value(Aval(found.shape, out.aval.dtype))
        p.see(before, part)
        p.write(part, before, "add", value)
    else:
        p.write(part, value, apart=is_alone)
    p.see(out, whole(target), node)
    p.chains[out] = (target, p.floor)
    return True


def _scatter_add(p: Planner, node: Node) -> bool:
    if node.operands != 1 or node.outputs[0].aval.dtype.kind not in "fiu":
        return False
    return _written(p, node, None, node.inputs[0], node.params["index"], "add")


def _add_at(p: Planner, node: Node) -> bool:
    base, value = node.inputs[:2]
    if node.operands != 2 or base.aval.dtype.kind not in "fiu":
        return False
    if value.aval.dtype != base.aval.dtype:
        return False
    return _written(p, node, base, value, node.params["index"], "add")


def _setitem(p: Planner, node: Node) -> bool:
    if node.operands != 2:
        return False
    base, value = node.inputs[:2]
    index = node.params["index"]
    if isinstance(index, tuple) and len(index) == 1:
        index = index[0]
    if isinstance(index, Hole):
        mask = node.inputs[index.position]
        if mask.aval.dtype == bool:
            if mask.aval.shape != base.aval.shape or value.aval.ndim:
                return False
            return _chosen(p, node, mask, value, base)
    return _written(p, node, base, value, index, "copy")


def _chosen(p: Planner, node: Node, mask: Value, value: Value, base: Value) -> bool:
    given = p.node("astype", [value], Aval((), base.aval.dtype), dtype=base.aval.dtype)
    p.node("where", [mask, given, base], node.outputs[0].aval, stands=node)
    return True


# ------------------------------------------------------------------------------ reductions


def _axes(node: Node) -> Any:
    axis = node.params.get("axis")
    rest = node.params.get("rest", ())
    return rest[0] if len(rest) == 1 and axis is None else axis


def _mean(p: Planner, node: Node) -> bool:
    """As NumPy's: the sum, divided by the count."""
    (x,) = node.inputs if len(node.inputs) == 1 else (None,)
    out = node.outputs[0].aval
    if x is None or set(node.params) - {"axis", "keepdims", "dtype"} or out.dtype.kind != "f":
        return False
    axes = normalized(node.params.get("axis"), x.aval.ndim)
    n = math.prod(x.aval.shape[i] for i in axes)
    if not n:
        return False
    total = p.node("sum", [x], out, axis=axes, keepdims=bool(node.params.get("keepdims")),
                   dtype=out.dtype)  # fmt: skip
    count = p.constant(np.asarray(n, out.dtype)[()])
    p.node("true_divide", [total, count], out, stands=node)
    return True


def _variance(p: Planner, node: Node) -> bool:
    """As NumPy's: the mean, the differences from it, their squares' sum, divided."""
    x, out = node.inputs[0], node.outputs[0].aval
    if set(node.params) - {"axis", "keepdims", "ddof"} or len(node.inputs) != 1:
        return False
    axes = normalized(node.params.get("axis"), x.aval.ndim)
    n = math.prod(x.aval.shape[i] for i in axes)
    left = n - node.params.get("ddof", 0)
    if left <= 0 or out.dtype.kind != "f":
        return False
    kept = Aval(reduced_shape(x.aval.shape, axes, True), out.dtype)
    full = Aval(x.aval.shape, out.dtype)
    total = p.node("sum", [x], kept, axis=axes, keepdims=True, dtype=out.dtype)
    count = p.constant(np.asarray(n, out.dtype)[()])
    mean = p.node("true_divide", [total, count], kept)
    away = p.node("subtract", [x, mean], full)
    squares = p.node("multiply", [away, away], full)
    total = p.node("sum", [squares], out, axis=axes, keepdims=bool(node.params.get("keepdims")))
    parts = [total, p.constant(np.asarray(left, out.dtype)[()])]
    if node.op.name == "var":
        p.node("true_divide", parts, out, stands=node)
    else:
        p.node("sqrt", [p.node("true_divide", parts, out)], out, stands=node)
    return True


def _norm(p: Planner, node: Node) -> bool:
    """Of vectors: the root of the sum of squares, the sum or the extremum of sizes."""
    (x,) = node.inputs if len(node.inputs) == 1 else (None,)
    if x is None or x.aval.dtype.kind != "f" or not x.aval.size or not node.params["axis"]:
        return False
    out, order = node.outputs[0].aval, node.params["order"]
    over = {"axis": node.params["axis"], "keepdims": node.params["keepdims"]}
    if order == 2:
        total = p.node("sum", [p.node("multiply", [x, x], x.aval)], out, **over)
        p.node("sqrt", [total], out, stands=node)
        return True
    word = {1: "sum", np.inf: "max", -np.inf: "min"}.get(order)
    if word is None:
        return False
    p.node(word, [p.node("absolute", [x], x.aval)], out, stands=node, **over)
    return True


def _count_nonzero(p: Planner, node: Node) -> bool:
    if len(node.inputs) != 1 or set(node.params) - {"axis", "keepdims", "rest"}:
        return False
    x, out = node.inputs[0], node.outputs[0].aval
    zero = p.constant(np.zeros((), x.aval.dtype)[()])
    holds = p.node("not_equal", [x, zero], Aval(x.aval.shape, np.bool_))
    p.node("sum", [holds], out, axis=_axes(node), dtype=out.dtype,
           keepdims=bool(node.params.get("keepdims")), stands=node)  # fmt: skip
    return True


def _where_sum(p: Planner, node: Node) -> bool:
    """A sum with `where=`: of 0 elsewhere, and what it begins with is added to it."""
    if "where" not in node.params or node.operands != 1 or len(node.inputs) != 1:
        return False
    mask = node.params["where"]
    x, params = node.inputs[0], {k: v for k, v in node.params.items() if k != "where"}
    if set(params) - {"axis", "keepdims", "dtype", "rest", "initial"}:
        return False
    if not isinstance(mask, np.ndarray) or mask.dtype != bool or x.aval.dtype.kind != "f":
        return False
    out, initial = node.outputs[0].aval, params.pop("initial", 0)
    if np.broadcast_shapes(mask.shape, x.aval.shape) != x.aval.shape:
        return False
    if not isinstance(initial, int | float | np.number) or out.dtype.kind != "f":
        return False
    zero = p.constant(np.zeros((), x.aval.dtype)[()])
    taken = p.node("where", [p.constant(mask), x, zero], x.aval)
    if "initial" not in node.params:
        p.node(node.op.name, [taken], out, stands=node, **params)
        return True
    total = p.node(node.op.name, [taken], out, **params)
    p.node("add", [total, p.constant(out.dtype.type(initial))], out, stands=node)
    return True


def _nan_extremum(p: Planner, node: Node) -> bool:
    """Of all but NaN: with infinity in its place, which no other number loses to."""
    (x,) = node.inputs if len(node.inputs) == 1 else (None,)
    out = node.outputs[0].aval
    if x is None or set(node.params) - {"axis", "keepdims"} or x.aval.dtype.kind != "f":
        return False
    axes = normalized(node.params["axis"], x.aval.ndim)
    if not math.prod(x.aval.shape[i] for i in axes):
        return False
    over: dict[str, Any] = {"axis": axes, "keepdims": bool(node.params["keepdims"])}
    word, worst = ("max", -np.inf) if node.op.name == "nanmax" else ("min", np.inf)
    lost = p.node("isnan", [x], Aval(x.aval.shape, np.bool_))
    taken = p.node("where", [lost, p.constant(x.aval.dtype.type(worst)), x], x.aval)
    best = p.node(word, [taken], out, **over)
    every = p.node("all", [lost], Aval(out.shape, np.bool_), **over)
    p.node("where", [every, p.constant(out.dtype.type(np.nan)), best], out, stands=node)
    return True


def _nan_to_num(p: Planner, node: Node) -> bool:
    """NaN and the infinities are replaced one after another."""
    (x,) = node.inputs if len(node.inputs) == 1 else (None,)
    if x is None or x.aval.dtype.char not in "fd" or node.operands != 1:
        return False
    info, rest = np.finfo(x.aval.dtype), dict(node.params)
    new = [rest.pop(name, None) for name in ("nan", "posinf", "neginf")]
    new = [n if n is not None else d for n, d in zip(new, (0.0, info.max, info.min), strict=True)]
    if rest or not all(isinstance(n, int | float | np.number) for n in new):
        return False
    kind, truth = x.aval.dtype.type, Aval(x.aval.shape, np.bool_)
    nan, top, bottom = (p.constant(kind(n)) for n in new)
    found = x
    for infinity, number in ((np.inf, top), (-np.inf, bottom)):
        there = p.node("equal", [x, p.constant(kind(infinity))], truth)
        found = p.node("where", [there, number, found], x.aval)
    p.node("where", [p.node("isnan", [x], truth), nan, found], x.aval, stands=node)
    return True


def _extremum_at(p: Planner, node: Node) -> bool:
    """argmax: the first place of the largest element, or of the first NaN."""
    if len(node.inputs) != 1 or set(node.params) - {"axis", "keepdims", "rest"}:
        return False
    x, out, axis = node.inputs[0], node.outputs[0].aval, _axes(node)
    if axis is not None and not isinstance(axis, int):
        return False
    shape = x.aval.shape
    axes = normalized(axis, len(shape))
    n = math.prod(shape[i] for i in axes)
    if not n or not shape or out.dtype != _INT:
        return False
    word = "max" if node.op.name == "argmax" else "min"
    kept = reduced_shape(shape, axes, True)
    best = p.node(word, [x], Aval(kept, x.aval.dtype), axis=axes, keepdims=True)
    truth = Aval(shape, np.bool_)
    hit = p.node("equal", [x, best], truth)
    if x.aval.dtype.kind == "f":
        hit = p.node("logical_or", [hit, p.node("isnan", [x], truth)], truth)
    steps = strides_of(shape) if axis is None else [int(i == axes[0]) for i in range(len(shape))]
    places = p.looked(Count(Aval((n,), _INT)), shape, steps)
    most = p.constant(np.int64(n))
    place = p.node("where", [hit, places, most], Aval(shape, _INT))
    p.node("min", [place], out, axis=axes, keepdims=out.ndim == len(shape), stands=node)
    return True


def _clip(p: Planner, node: Node) -> bool:
    """A call on raw values, whose bounds are parameters."""
    rest = node.params.get("rest", ())
    if len(node.inputs) != 1 or len(node.params) != 1 or len(rest) != 2:
        return False
    if not all(type(x) in (int, float) or isinstance(x, np.number) for x in rest):
        return False
    given = [p.constant(x) for x in rest]
    if any(np.result_type(x.data, node.inputs[0].aval.dtype) != node.outputs[0].aval.dtype
           for x in given):  # fmt: skip
        return False
    p.node("clip", [*node.inputs, *given], node.outputs[0].aval, stands=node)
    return True


# ------------------------------------------------------------------------------ running sums


def _running(p: Planner, node: Node) -> bool:
    (x,) = node.inputs
    out = node.outputs[0].aval
    axis = node.params.get("axis")
    if set(node.params) - {"axis", "dtype"} or out.dtype.kind == "b":
        return False
    if axis is None or not x.aval.ndim:
        x = p.node("ravel", [x], Aval((x.aval.size,), x.aval.dtype), order="C")
        axis = 0
    made = Node(node.op, (x,), {}, (out,))
    made.outputs = node.outputs
    p.join(made, out.shape, Running("add" if node.op.name == "cumsum" else "mul"), along=axis)
    return True


_REWRITES: dict[str, Rewrite] = {
    "reshape": _reshape, "ravel": _reshape, "concatenate": _concatenate, "stack": _stack,
    "pad_constant": _pad, "diagonal_embed": _embed, "roll": _roll, "repeat_each": _repeat,
    "differences": _differences, "getitem": _gather, "scatter_add": _scatter_add,
    "add_at": _add_at, "setitem": _setitem, "mean": _mean, "var": _variance, "std": _variance,
    "count_nonzero": _count_nonzero, "argmax": _extremum_at, "argmin": _extremum_at,
    "cumsum": _running, "cumprod": _running, "sum": _where_sum,
    "nanmax": _nan_extremum, "nanmin": _nan_extremum, "nan_to_num": _nan_to_num,
    "clip": _clip, "norm of vectors": _norm, "overlap_add": _overlap_add,
}  # fmt: skip
