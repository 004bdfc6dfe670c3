"""Control flow inside `jvp` and `vmap`: the tangents of a loop are carried, batches run together.

Each function here makes the `push` and the `spread` of a card (`core/card.py`) by calling `cond`,
`scan` or `while_loop` on the regions' derivatives; so what it makes has derivatives and batches in
its turn. A carry moves, or has a batch, if anything that it depends on does: which these are is
read from the graph of the loop's body (`settled_marks`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.aval import Aval, is_differentiable
from .forward import in_front, map_over, push_forward, reached, settled_marks, zero_like
from .threads import carried, ends, shared
from .trace import Traced, replay

_np: Any = np  # NumPy's functions as they are for Tensors, which its stubs do not know
Axes = Sequence[int | None]


def _tangents(avals: Sequence[Aval], moves: Sequence[Any]) -> list[Any]:
    """The tangents of results of these avals, with zeros where nothing moves; None for integers."""
    return [
        None if not is_differentiable(a.dtype) else np.zeros(a.shape, a.dtype)[()] if t is None
        else t
        for a, t in zip(avals, moves, strict=True)
    ]  # fmt: skip


# ---------------------------------------------------------------------------------------- cond


def cond_rules(
    cond: Callable[..., Any], regions: list[Traced], places: list[list[int]], avals: Sequence[Aval]
) -> tuple[Any, Any]:
    """(push, spread) of a cond of two regions, whose sources stand at `places`."""

    def push(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        def branch(i: int) -> Any:
            found, moves = push_forward(
                regions[i].graph,
                [primals[n + 1] for n in places[i]],
                [tangents[n + 1] for n in places[i]],
            )
            return [found, _tangents(avals, moves)]

        found, moves = cond(primals[0], lambda: branch(0), lambda: branch(1))
        return found, moves

    def spread(size: int, operands: Sequence[Any], axes: Axes) -> tuple[Any, Any]:
        pred = operands[0]
        states = shared([region.graph for region in regions], places)
        states = [None if n is None or axes[n + 1] is not None else n for n in states]

        def branch(i: int, operands: Sequence[Any] = operands, part: Any = None) -> list[Any]:
            found, at = map_over(
                regions[i].graph,
                size,
                [operands[n + 1] for n in places[i]],
                [axes[n + 1] for n in places[i]],
                part,
            )
            return [
                in_front(x, a, size) if n is None else x
                for x, a, n in zip(found, at, states, strict=True)
            ]

        if axes[0] is None:
            found = cond(pred, lambda: branch(0), lambda: branch(1))
        else:  # some examples go one way and some the other: both are computed
            with np.errstate(all="ignore"):  # of what an example does not take
                first, after = branch(0, part=pred), list(operands)
                for x, n in zip(first, states, strict=True):
                    if n is not None:
                        after[n + 1] = x
                second = branch(1, after, _np.logical_not(pred))
            found = [
                _chosen(pred, a, b) if n is None else b
                for a, b, n in zip(first, second, states, strict=True)
            ]
        return tuple(found), tuple(0 if n is None else None for n in states)

    return push, spread


def _chosen(pred: Any, a: Any, b: Any) -> Any:
    """`a` where `pred` holds, which has one truth value for each example."""
    ndim = max(np.ndim(a), np.ndim(b))
    return _np.where(_np.reshape(pred, (np.shape(pred)[0],) + (1,) * (ndim - 1)), a, b)


# ---------------------------------------------------------------------------------------- scan


def scan_rules(
    turns: Callable[..., Any], region: Traced, nc: int, nx: int, length: int, reverse: bool,
    bounded: bool,
) -> tuple[Any, Any]:  # fmt: skip
    """(push, spread) of a scan.

    `nc` carries, `nx` arrays taken apart, the number of turns if it is `bounded` by an operand,
    then what was captured.
    """
    graph = region.graph
    avals = [v.aval for v in graph.outputs]

    def without(values: Sequence[Any]) -> tuple[list[Any], Any]:
        """`values` but for that of the number of turns, and that."""
        values = list(values)
        return values, values.pop(nc + nx) if bounded else None

    def push(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        primals, count = without(primals)
        tangents, _ = without(tangents)
        first, xs, rest = _parts(primals, nc, nx)
        marks = settled_marks(graph, [t is not None for t in tangents], nc, True)
        moved = reached(graph, marks, True)
        moves = [
            zero_like(x) if mark and t is None else t
            for x, t, mark in zip(primals, tangents, marks, strict=True)
        ]
        start, along, around = _parts(moves, nc, nx)

        def body(carry: Any, turn: Any) -> Any:
            values, ts = push_forward(
                graph,
                [*carry[0], *turn[0], *rest],
                [*_laid(carry[1], marks[:nc]), *_laid(turn[1], marks[nc : nc + nx]), *around],
            )
            ts = _tangents(avals, ts)
            return (values[:nc], _taken(ts, marks[:nc])), (values[nc:], _taken(ts[nc:], moved[nc:]))

        (last, ends), (ys, y_moves) = turns(
            body,
            (first, _taken(start, marks[:nc])),
            (xs, _taken(along, marks[nc : nc + nx])),
            length,
            reverse,
            count=count,
        )
        return [*last, *ys], [*_laid(ends, marks[:nc]), *_laid(y_moves, moved[nc:])]

    def spread(size: int, operands: Sequence[Any], axes: Axes) -> tuple[Any, Any]:
        operands, count = without(operands)
        axes, each = without(axes)
        is_each = each is not None  # examples that have ended keep their carry while others go on
        marks = settled_marks(graph, [a is not None for a in axes], nc, False)
        states = carried(graph, nc)
        marks[:nc] = [m or (is_each and not s) for m, s in zip(marks, states, strict=False)]
        each = [n is None or n >= nc or marks[n] or not states[n] for n in ends(graph)]
        at: Axes = [0 if mark else None for mark in marks]
        first, xs, rest = _parts(operands, nc, nx)
        first = [
            in_front(x, a, size) if mark else x
            for x, a, mark in zip(first, axes, marks, strict=False)
        ]
        taken = axes[nc : nc + nx]
        xs = [x if a is None else _np.moveaxis(x, 0, 1) for x, a in zip(xs, taken, strict=True)]
        batched = [False] * len(avals)

        def body(carry: Any, turn: Any) -> Any:
            turn, i = turn[:nx], turn[nx:]
            going = i[0] < count if is_each else None
            found, where = map_over(graph, size, [*carry, *turn, *rest], at, going)
            if is_each:
                kept = [*carry, *(np.zeros((), a.dtype)[()] for a in avals[nc:])]
                found = [
                    _chosen(going, in_front(x, a, size), k) if mark else x
                    for x, a, k, mark in zip(found, where, kept, each, strict=True)
                ]
                where = [0 if mark else None for mark in each]
            batched[:] = [a is not None for a in where]
            carried = [
                in_front(x, a, size) if mark else x
                for x, a, mark in zip(found, where, marks[:nc], strict=False)
            ]
            return carried, found[nc:]

        if is_each:
            xs, number = [*xs, np.arange(length)], _np.max(count, initial=0)
        else:
            number = count
        last, ys = turns(body, first, xs, length, reverse, count=number)
        ys = [
            _np.moveaxis(y, 1, 0) if mark else y for y, mark in zip(ys, batched[nc:], strict=True)
        ]
        return [*last, *ys], [*at[:nc], *(0 if mark else None for mark in batched[nc:])]

    return push, spread


def _taken(values: Sequence[Any], marks: Sequence[bool]) -> list[Any]:
    """The marked of `values`."""
    return [x for x, mark in zip(values, marks, strict=False) if mark]


def _laid(values: Sequence[Any], marks: Sequence[bool]) -> list[Any]:
    """`values` at the marked places, None at the others."""
    given = iter(values)
    return [next(given) if mark else None for mark in marks]


def _parts(values: Sequence[Any], nc: int, nx: int) -> tuple[list[Any], list[Any], list[Any]]:
    return list(values[:nc]), list(values[nc : nc + nx]), list(values[nc + nx :])


# --------------------------------------------------------------------------------------- loops


def while_rules(
    while_loop: Callable[..., Any], test: Traced, body: Traced, places: list[list[int]], nc: int
) -> tuple[Any, Any]:
    """(push, spread) of a while loop with `nc` carries; what else is read stands at `places`."""
    asks, does = ([*range(nc), *(nc + n for n in place)] for place in places)

    def holds(operands: Sequence[Any], carry: Sequence[Any]) -> Any:
        return replay(test.graph, [*carry, *(operands[n] for n in asks[nc:])])[0]

    def push(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        marks = settled_marks(body.graph, [tangents[n] is not None for n in does], nc, True)[:nc]
        start = [
            zero_like(x) if t is None else t for x, t in zip(primals[:nc], tangents, strict=False)
        ]
        rest, around = ([x[n] for n in does[nc:]] for x in (primals, tangents))

        def turn(carry: Any) -> Any:
            values, ts = push_forward(
                body.graph, [*carry[0], *rest], [*_laid(carry[1], marks), *around]
            )
            moves = [zero_like(x) if t is None else t for x, t in zip(values, ts, strict=True)]
            return values, _taken(moves, marks)

        last, ends = while_loop(
            lambda carry: holds(primals, carry[0]), turn, (list(primals[:nc]), _taken(start, marks))
        )
        return last, _laid(ends, marks)

    def spread(size: int, operands: Sequence[Any], axes: Axes) -> tuple[Any, Any]:
        marks = settled_marks(body.graph, [axes[n] is not None for n in does], nc, False)
        asked = [*marks[:nc], *(axes[n] is not None for n in asks[nc:])]
        is_each = reached(test.graph, asked, False)[0]
        if is_each:  # examples that have ended keep their carry while others go on
            states = carried(body.graph, nc)
            marks[:nc] = [m or not s for m, s in zip(marks, states, strict=False)]
            asked[:nc] = marks[:nc]
        at: Axes = [0 if mark else None for mark in marks]
        first = [
            in_front(x, a, size) if mark else x
            for x, a, mark in zip(operands, axes, marks[:nc], strict=False)
        ]
        rest = [operands[n] for n in does[nc:]]
        others = [operands[n] for n in asks[nc:]]

        def goes_on(carry: Any) -> Any:
            places = [0 if mark else None for mark in asked]
            return map_over(test.graph, size, [*carry, *others], places)[0][0]

        def turn(carry: Any) -> list[Any]:
            going = goes_on(carry) if is_each else None
            found, where = map_over(body.graph, size, [*carry, *rest], at, going)
            found = [
                in_front(x, a, size) if mark else x
                for x, a, mark in zip(found, where, marks[:nc], strict=True)
            ]
            if not is_each:
                return found
            return [
                _chosen(going, new, old) if mark else new
                for new, old, mark in zip(found, carry, marks[:nc], strict=True)
            ]

        last = while_loop(lambda carry: _np.max(goes_on(carry), initial=False), turn, first)
        return last, at[:nc]

    return push, spread
