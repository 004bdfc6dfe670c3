"""Control flow: `cond` and `scan`; `loops.py` has `fori_loop` and `while_loop`.

Outside of a trace they are Python's `if`, `while` and `for`, and tapes record what is done. Under a
trace each is one node whose card holds the graphs of its functions. What these take from around
them (symbols, arrays, Variables) are further operands of the node, so derivatives lead there too.
What a loop assigns to Variables (random numbers and prints are such assignments too) is carried.
Backward, a `cond` is a cond of the branches' backward graphs, and a `scan` is a scan in the other
direction over the carries, which are computed again; both are made by calling `cond` and `scan`
while something records, so there are derivatives of every order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.aval import Aval, aval_of
from ..core.console import silent
from ..core.dispatch import apply
from ..core.positions import decode, here
from ..core.state import state
from ..core.streams import words_before
from ..core.tensor import Tensor, new_tensor, new_traced, raw
from ..core.tree import flatten, in_order, is_like, tree_map
from ..core.variable import Variable
from ..errors import DTypeError, ShapeError, three_part
from .apart import apart, apart_from
from .evaluate import evaluate, settle
from .lifted import cond_rules, scan_rules
from .marks import as_weak
from .pullback import (
    cotangents,
    hand_out,
    operands_of,
    pull_back,
    results_of,
    unregistered,
    value_and_pull_back,
)
from .regions import (
    assign,
    assigned_by,
    carried,
    carried_first,
    carrying,
    check_alike,
    check_carry,
    filled,
    is_open,
    keeping,
    one_truth,
    place_of,
    region_of,
    smooth_of,
    spread,
    strong,
    with_assigned,
    without_none,
)
from .segments import behind, joined, parted, segment_length
from .threads import shared
from .trace import Traced, is_followed, np_scalar, replay, trace
from .weak import as_wide, either, handed_out, is_smooth, settled_carry, type_of, typed

Tree = Any


def cond(
    pred: Any, true_fn: Callable[..., Tree], false_fn: Callable[..., Tree], *operands: Any
) -> Tree:
    """`true_fn(*operands)` if `pred` holds, else `false_fn(*operands)`; one of the two is computed.

    Parameters
    ----------
    pred : bool or 0-d array_like
    true_fn, false_fn : callable
        Return trees of one structure, whose leaves have the same shapes. Both may assign Variables.
        In a compiled function a result has the dtype that NumPy gives to both: that of the one
        where the other is a Python number, a Python number where both are.
    *operands : array_like or tree
        Handed to the one that is called. What else the functions use needs no mention.

    Raises
    ------
    ShapeError
        If `pred` has several elements; in a compiled function, if it is not 0-d, or the results
        differ in structure or shape.
    DTypeError
        If `pred` is None.

    Examples
    --------
    >>> import numpy as np, gradtape as gt
    >>> @gt.function
    ... def f(x):
    ...     return gt.cond(x.sum() > 0, lambda: x * 2.0, lambda: -x)
    >>> f(np.array([1.0, -3.0]))
    array([-1.,  3.])
    """
    pred = one_truth(pred, "cond: pred", "choose element by element: np.where(pred, a, b)")
    if not is_open(pred):
        operands = tuple(tree_map(apart, x) for x in operands)
        return true_fn(*operands) if pred else false_fn(*operands)
    yes, builds = region_of(lambda: true_fn(*operands), [], "cond")
    first = builds[0]([*yes.graph.outputs])
    no, other = region_of(lambda: in_order(false_fn(*operands), first), [], "cond")
    check_alike("cond: true_fn and false_fn", builds, other, yes.graph.outputs, no.graph.outputs)
    assigned = assigned_by(yes, no)
    regions = [with_assigned(region, assigned) for region in (yes, no)]
    avals = tuple(
        either(a.aval, b.aval) for a, b in zip(*(r.graph.outputs for r in regions), strict=True)
    )
    results = _choose(pred, regions, avals, assigned)
    assign(assigned, results[len(results) - len(assigned) :])
    return builds[0](list(results[: len(results) - len(assigned)]))


def _choose(
    pred: Any, regions: list[Traced], avals: tuple[Aval, ...], assigned: Sequence[Variable]
) -> Any:
    """The results of one of two regions, as Tensors."""
    sources: list[Any] = []
    places = [[place_of(sources, s) for s in region.sources] for region in regions]
    sources = [words_before(s) if any(s is v for v in assigned) else s for s in sources]

    def impl(pred: Any, *values: Any, quiet: bool = False) -> tuple[Any, ...]:
        i = 0 if pred else 1
        with silent(quiet):
            outputs, _ = evaluate(regions[i].graph, [values[n] for n in places[i]])
        return tuple(
            settle(np.asarray(x, aval.dtype)[()], aval.weak)
            for x, aval in zip(outputs, avals, strict=True)
        )

    def run(rec: list[Any], g: Any, grads: dict[int, Any]) -> None:
        pred, *values = operands_of(rec)
        # both branches capture one object: a state that both take is one operand
        values = [x if isinstance(x, Tensor) else new_traced(np_scalar(x)) for x in values]
        cts = cotangents(rec, g, avals)

        def pull(i: int) -> list[Any]:
            operands = [values[n] for n in places[i]]
            results, back = value_and_pull_back(regions[i], operands, cts, quiet=True)
            # examples that go the other way draw after these, as they did: `cond_rules`
            after = [x for x, n in zip(results, states, strict=True) if n is not None]
            return [*filled(values, places[i], back), *after]

        found = cond(pred, lambda: pull(0), lambda: pull(1))
        found = found[: len(found) - sum(n is not None for n in states)]
        hand_out(rec, [None, *spread(values, found)], grads)

    states = shared([region.graph for region in regions], places)
    card = unregistered("cond", impl)
    card.run, card.regions = run, ("cond", [region.graph for region in regions], places)
    card.push, card.spread = cond_rules(cond, regions, places, avals)
    card.shape_rule = lambda *_, quiet=False: avals
    return handed_out(apply(card, (pred, *sources), {}))


# ---------------------------------------------------------------------------------------- scan


def scan(
    f: Callable[[Tree, Tree], tuple[Tree, Tree]],
    init: Tree,
    xs: Tree = None,
    length: int | None = None,
    reverse: bool = False,
    checkpoint: bool | int | None = None,
) -> tuple[Tree, Tree]:
    """The last carry and the stacked results of `carry, y = f(carry, x)` for each `x` of `xs`.

    Parameters
    ----------
    f : callable
        Its carry keeps structure, shapes and dtypes; a Python number becomes what turns make of it.
    init : array_like or tree
        The first carry.
    xs : array_like or tree of them, optional
        Taken apart along the first axis: `x` has one axis less.
    length : int, optional
        The number of turns, where there are no `xs`.
    reverse : bool
        Begin with the last; `ys` are in the order of `xs` all the same.
    checkpoint : bool or int, optional
        Whether a gradient keeps the carries at the ends of segments alone, and computes those
        between again: for n turns about 2 sqrt(n) carries in place of n, for one more run. A number
        is the length of a segment. From 256 turns on a compiled function does so by itself; outside
        of one, `checkpoint=True` traces `f` once for it.

    Returns
    -------
    carry, ys : tree, tree
        Each leaf of `ys` has a first axis of `length`.

    Raises
    ------
    ShapeError
        If `xs` differ in length, there is no length, or the carry changes its shape.

    Examples
    --------
    >>> import numpy as np, gradtape as gt
    >>> def step(total, x):
    ...     total = total + x
    ...     return total, total * 10.0
    >>> gt.scan(step, 0.0, np.array([1.0, 2.0, 3.0]))
    (np.float64(6.0), array([10., 30., 60.]))
    """
    return turns(f, init, xs, length, reverse, checkpoint)


def turns(
    f: Callable[[Tree, Tree], tuple[Tree, Tree]],
    init: Tree,
    xs: Tree = None,
    length: int | None = None,
    reverse: bool = False,
    checkpoint: bool | int | None = None,
    count: Any = None,
    name: str = "scan",
    is_counter: bool = False,
    widens: bool = False,
) -> tuple[Tree, Tree]:
    """`scan`; with a `count` of so many turns: an integer, maybe traced, no more than `length`.

    The first elements of `xs` are taken, also in reverse. Rows of `ys` behind them are zeros.
    `name` is what the user called. With `is_counter`, the elements of `xs` are Python's numbers;
    where it `widens`, a carry begins in the dtype that turns give.
    """
    leaves, build_x = without_none(xs)
    length = _length(leaves, length)
    tracing = bool(state.tapes and state.tapes[0].is_trace)
    if not tracing and count is None and not (checkpoint and state.tapes):
        return _looped(f, init, leaves, build_x, length, reverse, name)
    carries, build_carry = flatten(init)
    carries = list(map(carried_first, carries))
    nc = len(carries)
    x_avals = [Aval(np.shape(x)[1:], raw(x).dtype, is_counter) for x in leaves]

    def body(*flat: Any) -> Any:
        carry, y = _pair(f(build_carry(list(flat[:nc])), build_x(list(flat[nc:]))))
        return carried(name, carry, init), y

    (region, builds), carry_avals, is_same = settled_carry(
        lambda avals: region_of(body, [*avals, *x_avals], "scan"), list(map(type_of, carries)),
        widens,
    )
    check_carry(name, region, carry_avals)
    if not length and count is None:
        return tree_map(carried_first, init), _no_rows(f, init, leaves, build_x)
    if not is_same and count is None:
        return _first_apart(
            f, init, leaves, build_x, length, reverse, checkpoint, name, is_counter
        )
    carries = list(map(typed, carries, carry_avals))
    assigned = assigned_by(region)
    region = carrying(region, assigned, nc)
    every = segment_length(length, checkpoint) if count is None else 1
    first = [*carries, *map(words_before, assigned)]
    results = _scanned(region, first, leaves, length, reverse, every, count)
    end = nc + len(assigned)
    assign(assigned, results[nc:end])
    return builds[0]([*results[:nc], *results[end:]])  # type: ignore[no-any-return]


def _first_apart(
    f: Any, init: Tree, leaves: list[Any], build_x: Any, length: int, reverse: bool,
    checkpoint: bool | int | None, name: str, is_counter: bool,
) -> tuple[Tree, Tree]:  # fmt: skip
    """The first turn by itself, which takes Python's numbers, and those behind it as a scan."""
    first = [x[-1] if reverse else x[0] for x in leaves]
    if is_counter:
        first = [x.item() for x in first]
    carry, y = _pair(f(tree_map(carried_first, init), build_x(first)))
    carry = carried(name, carry, init)
    rest = [x[:-1] if reverse else x[1:] for x in leaves]
    carry, ys = turns(
        f, carry, build_x(rest), length - 1, reverse, checkpoint, None, name, is_counter
    )
    rows, build = flatten(y)
    more = flatten(in_order(ys, y))[0]
    both = [
        a if a is None else _stack_on(a, b, reverse) for a, b in zip(rows, more, strict=True)
    ]
    return carry, build(both)


def _stack_on(row: Any, rows: Any, reverse: bool) -> Any:
    """`rows` with one more in front, or behind; in NumPy's common dtype, as `np.stack` has it."""
    one = np.stack([row])
    return np.concatenate([rows, one] if reverse else [one, rows])


def _scanned(
    region: Traced,
    carries: list[Any],
    xs: list[Any],
    length: int,
    reverse: bool,
    every: int = 1,
    count: Any = None,
) -> tuple[Any, ...]:
    """The carries and the stacked results, as Tensors.

    Where a tape follows an operand, carries are kept for it: each, or those at the ends of segments
    of `every` turns, as a scan over segments each of which is a scan.
    """
    nc = len(carries)
    captured = region.sources[nc + len(xs) :]
    if not is_followed([*carries, *xs, *captured]):
        return _run_scan(region, carries, xs, length, reverse, every, count=count)
    if not 1 < every < length:
        found = _run_scan(keeping(region, nc), carries, xs, length, reverse, kept=nc, count=count)
        return found[: len(region.graph.outputs)]

    def segment(carry: Sequence[Any], x: Sequence[Any], turns: int) -> tuple[Any, ...]:
        return _run_scan(region, list(carry), list(x), turns, reverse)

    segments = length // every
    whole, rest = parted(xs, length, every, reverse)
    avals = [v.aval for v in region.graph.inputs[: nc + len(xs)]]
    outer, _ = trace(lambda *flat: segment(flat[:nc], flat[nc:], every), avals, "scan of a segment")
    found = _scanned(outer, carries, whole, segments, reverse)
    ends, ys = found[:nc], [joined(y) for y in found[nc:]]
    if length > segments * every:
        found = _scanned(region, list(ends), rest, length - segments * every, reverse)
        ends, more = found[:nc], found[nc:]
        ys = [behind(y, z, reverse) for y, z in zip(ys, more, strict=True)]
    return (*ends, *ys)


def _run_scan(
    region: Traced,
    carries: list[Any],
    xs: list[Any],
    length: int,
    reverse: bool,
    every: int = 1,
    kept: int = 0,
    count: Any = None,
) -> tuple[Any, ...]:
    """One node; of its stacked results the last `kept` are the carries before each turn."""
    graph, nc, nx = region.graph, len(carries), len(xs)
    captured = region.sources[nc + nx :]
    bounded = [] if count is None else [count]
    behind_xs = nc + nx + len(bounded)
    ys = [v.aval for v in graph.outputs[nc:]]
    avals = tuple(v.aval for v in graph.outputs[:nc]) + tuple(
        Aval((length, *a.shape), a.dtype) for a in ys
    )
    made = np.zeros if bounded else np.empty
    weak = [v.aval.weak for v in graph.inputs[nc : nc + nx]]

    def taken_apart(values: Sequence[Any]) -> tuple[list[Any], list[Any], list[Any], Any]:
        """(first carries, xs, what was captured, the number of turns if it is an operand)."""
        number = values[nc + nx] if bounded else None
        return (
            list(values[:nc]), list(values[nc : nc + nx]), list(values[behind_xs:]), number,
        )  # fmt: skip

    def impl(*values: Any, quiet: bool = False) -> tuple[Any, ...]:
        carry, taken, rest, number = taken_apart(values)
        if number is not None and number > length:
            raise too_many_turns(length)
        order = range(length if number is None else int(number))
        stacked = [made(a.shape, a.dtype) for a in avals[nc:]]
        with silent(quiet):
            for i in reversed(order) if reverse else order:
                xi = [settle(x[i], w) for x, w in zip(taken, weak, strict=True)]
                outputs, _ = evaluate(graph, [*carry, *xi, *rest])
                carry = outputs[:nc]
                for buffer, y in zip(stacked, outputs[nc:], strict=True):
                    buffer[i] = y
        return (*carry, *stacked)

    def run(rec: list[Any], g: Any, grads: dict[int, Any]) -> None:
        first, taken, rest, number = taken_apart(operands_of(rec))
        cts = [ct for ct, aval in zip(g, avals, strict=True) if is_smooth(aval)]
        carries = results_of(rec)[len(avals) - kept :] if kept else None
        found = _scan_back(region, first, taken, rest, cts, carries, length, reverse, number)
        found[nc + nx : nc + nx] = [None] * len(bounded)
        hand_out(rec, found, grads)

    card = unregistered("scan", impl)
    card.run = run
    card.regions = ("scan", graph, nc, nx, length, reverse, bool(bounded))
    card.push, card.spread = scan_rules(turns, region, nc, nx, length, reverse, bool(bounded))

    def again(operands: Sequence[Any]) -> tuple[Any, ...]:
        first, taken, rest, number = taken_apart(operands)
        same = Traced(graph, [*[None] * (nc + nx), *rest])
        return _scanned(same, first, taken, length, reverse, every, number)

    card.again = again
    card.keep_out = bool(kept)
    card.shape_rule = lambda *_, quiet=False: avals
    params = {"quiet": True} if state.is_silent else {}
    return handed_out(apply(card, (*carries, *xs, *bounded, *captured), params))


def too_many_turns(most: int) -> ShapeError:
    """The error for a gradient of a loop with more turns than it can keep carries of."""
    return ShapeError(
        three_part(
            f"while_loop: its gradient would keep more than {most} carries at one level.",
            "(A fori_loop to a bound that is not known is one.) Their number is known when the "
            "loop has run; the memory for them is made before.",
            "Carry less, or take the gradient at the solution: implicit differentiation, "
            "gt.optimize.fixed_point.",
        )
    )


def _scan_back(
    region: Traced,
    first: list[Any],
    xs: list[Any],
    rest: list[Any],
    cts: list[Any],
    carries: Any,
    length: int,
    reverse: bool,
    count: Any = None,
) -> list[Any]:
    """Cotangents of the first carries, of `xs` and of what was captured.

    `carries` are those before each turn; they are computed again if they were not kept. A cotangent
    is None where there is none.
    """
    nc = len(first)

    def forward(carry: list[Any], x: list[Any]) -> tuple[list[Any], list[Any]]:
        with silent():
            return replay(region.graph, [*carry, *x, *rest])[:nc], carry

    if carries is None:
        _, carries = turns(forward, list(first), list(xs), length, reverse, count=count)
    smooth = smooth_of(first)
    ct_carry = [
        np.zeros(np.shape(c), raw(c).dtype)[()] if ct is None else ct
        for c, ct in zip(smooth, cts, strict=False)
    ]
    ct_ys = cts[len(smooth) :]
    has_ct = [ct is not None for ct in ct_ys]
    sums = [np.zeros(np.shape(r), aval_of(raw(r)).dtype)[()] for r in smooth_of(rest)]

    def back(state: Any, turn: Any) -> Any:
        ct_carry, sums = state
        carry, x, given = turn
        found = iter(given)
        ct_y = [next(found) if mark else None for mark in has_ct]
        values = [
            as_weak(c) if v.aval.weak else c
            for c, v in zip([*carry, *x, *rest], region.graph.inputs, strict=True)
        ]
        carry, x = values[: len(first)], values[len(first) : len(first) + len(xs)]
        found = filled(values, range(len(values)), pull_back(region, values, [*ct_carry, *ct_y]))
        n, m = len(smooth), len(smooth_of(x))
        ends = list(map(as_wide, found[:n], ct_carry))
        sums = [s + d for s, d in zip(sums, found[n + m :], strict=True)]
        return (ends, sums), found[n : n + m]

    (ct_first, sums), ct_xs = turns(
        back,
        (ct_carry, sums),
        (list(carries), list(xs), [ct for ct in ct_ys if ct is not None]),
        length,
        not reverse,
        count=count,
        widens=True,  # a cotangent of float64 may come to a carry of float32
    )
    return spread([*first, *xs, *rest], [*ct_first, *ct_xs, *sums])


def _looped(
    f: Any, init: Tree, leaves: list[Any], build_x: Any, length: int, reverse: bool, name: str
) -> tuple[Tree, Tree]:
    """`scan` as a loop of Python's."""
    if not length:
        return init, _no_rows(f, init, leaves, build_x)
    carry = tree_map(apart, init)
    rows: list[list[Any]] = []
    first: Any = None
    for i in reversed(range(length)) if reverse else range(length):
        carry, y = _pair(f(carry, build_x([apart(x[i]) for x in leaves])))
        first = first if rows else y
        if not is_like(y, first):
            raise ShapeError(
                three_part(
                    f"{name}: a turn gave {_types(first)} to stack, another {_types(y)}.",
                    f"Called at {decode(*here(4))}.",
                    "Return a result of the same structure in every turn.",
                )
            )
        kept = flatten(carry)[0]  # which the next turn may write into
        rows.append([apart_from(row, kept) for row in flatten(in_order(y, first))[0]])
    build = flatten(first)[1]
    if reverse:
        rows.reverse()
    return carry, build([_stack(column, name) for column in zip(*rows, strict=True)])


def _types(tree: Tree) -> Tree:
    return tree_map(lambda x: x if x is None else strong(x), tree)


def _no_rows(f: Any, init: Tree, leaves: list[Any], build_x: Any) -> Tree:
    """What a scan of no turns stacks: `f` is traced for the shapes of its result."""
    carries, build_carry = flatten(init)
    avals = [strong(c) for c in carries] + [Aval(np.shape(x)[1:], raw(x).dtype) for x in leaves]

    def y_of(*flat: Any) -> Any:
        nc = len(carries)
        return _pair(f(build_carry(list(flat[:nc])), build_x(list(flat[nc:]))))[1]

    region, builds = region_of(y_of, avals, "scan")
    rows = [np.empty((0, *v.aval.shape), v.aval.dtype) for v in region.graph.outputs]
    around = (*carries, *leaves, *region.sources)  # rows of Tensors would be Tensors
    if any(isinstance(x, Tensor) for x in around):
        return builds[0]([new_tensor(x) for x in rows])
    return builds[0](rows)


def _pair(found: Any) -> tuple[Any, Any]:
    """What the function of a scan returned."""
    if type(found) in (tuple, list) and len(found) == 2:
        return found[0], found[1]
    what = "Tensor" if isinstance(found, Tensor) else type(found).__name__
    raise DTypeError(
        three_part(
            f"scan: the function returned {what}, no pair.",
            f"Called at {decode(*here())}; a turn gives the next carry and a result to stack.",
            "Write return carry, y; or return carry, None where nothing is stacked.",
        )
    )


def _stack(column: Sequence[Any], name: str) -> Any:
    if column[0] is None:
        return None
    shapes = [np.shape(x) for x in column]
    other = next((n for n, shape in enumerate(shapes) if shape != shapes[0]), None)
    if other is not None:
        raise ShapeError(
            three_part(
                f"{name}: a turn gave {shapes[0]} to stack, turn {other} gave {shapes[other]}.",
                f"Called at {decode(*here(5))}; what is stacked has one shape.",
                "Return a result of the same shape in every turn.",
            )
        )
    return np.stack(column)


def _length(leaves: list[Any], length: int | None) -> int:
    found = {np.shape(x)[0] for x in leaves if np.ndim(x)}
    if length is not None:
        found.add(length)
    if len(found) != 1 or any(not np.ndim(x) for x in leaves):
        raise ShapeError(
            three_part(
                f"scan: the number of turns is not clear: {sorted(found) or 'none'}.",
                f"Called at {decode(*here(3))} with xs of shapes {[np.shape(x) for x in leaves]} "
                f"and length={length}.",
                "Pass xs with first axes of one length, or length=n alone.",
            )
        )
    return int(found.pop())
