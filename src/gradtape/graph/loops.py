"""Loops: `fori_loop` and `while_loop`.

How many turns a `while_loop` has is known when it has run; where a tape follows it, it counts them.
So its gradient is that of a `scan` of so many turns (`turns` in `control.py`), but for the arrays
in which a program keeps carries, whose size must be known before. They have a number of rows,
*slots*, that depends on the size of the carry: so many turns are a segment, of which the carry
before each turn is kept; so many segments a larger one, of which that before each segment is, and
so on for two or three levels. The gradient computes each carry once more for each level.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.aval import Aval
from ..core.console import silent
from ..core.dispatch import apply
from ..core.lift import is_batched
from ..core.state import state
from ..core.streams import words_before
from ..core.tensor import Tensor
from ..core.tree import flatten
from .control import is_open, scan, turns
from .evaluate import evaluate
from .lifted import while_rules
from .pullback import cotangents, hand_out, operands_of, pull_back, results_of, unregistered
from .regions import (
    assign,
    assigned_by,
    carried,
    carrying,
    check_carry,
    check_test,
    filled,
    place_of,
    region_of,
    spread,
    strong,
)
from .trace import Traced, is_followed, replay, trace

Tree = Any
_np: Any = np  # NumPy's functions as they are for Tensors, which its stubs do not know
SLOTS, FEWEST = 4096, 64  # the most and the fewest carries that are kept of a segment,
BYTES = 1 << 20  # and in between, how much of them
ENOUGH = 1 << 18  # turns for which there must be levels
COUNT = Aval((), np.int64)


def fori_loop(lower: Any, upper: Any, body: Callable[[Any, Tree], Tree], init: Tree) -> Tree:
    """The last carry of `carry = body(i, carry)` for `i` from `lower` up to but not `upper`.

    In a compiled function it is one node however many turns there are, with derivatives of every
    order; a `scan` with bounds that are Python integers, else a `while_loop`.

    Examples
    --------
    >>> import numpy as np, gradtape as gt
    >>> gt.fori_loop(0, 3, lambda i, x: x * 2.0 + i, 1.0)
    12.0
    """
    if is_open(lower) or is_open(upper):
        start = np.asarray(lower) if not isinstance(lower, Tensor) else lower
        return while_loop(
            lambda turn: turn[0] < upper, lambda turn: (turn[0] + 1, body(*turn)), (start, init)
        )[1]
    lower, upper = int(lower), int(upper)
    if not (state.tapes and state.tapes[0].is_trace):
        carry = init
        for i in range(lower, upper):
            carry = body(i, carry)
        return carry
    turns = np.arange(lower, max(upper, lower))
    return scan(lambda carry, i: (body(i, carry), None), init, turns)[0]


def while_loop(cond_fn: Callable[[Tree], Any], body_fn: Callable[[Tree], Tree], init: Tree) -> Tree:
    """The first carry for which `cond_fn(carry)` does not hold, going on by `body_fn(carry)`.

    The carry keeps structure, shapes and dtypes. In a compiled function it is one node, with
    derivatives of every order; a gradient computes carries again and keeps about 2 sqrt(n) of them.

    Examples
    --------
    >>> import gradtape as gt
    >>> gt.while_loop(lambda x: x < 100.0, lambda x: x * 3.0, 2.0)
    162.0
    """
    if not (state.tapes and state.tapes[0].is_trace):
        while True:
            holds = cond_fn(init)
            if is_batched(holds):  # some examples have ended and some have not
                break
            if not holds:
                return init
            init = body_fn(init)
    carries, build = flatten(init)
    carries = [c if isinstance(c, Tensor) else np.asarray(c)[()] for c in carries]
    avals = [strong(c) for c in carries]
    body, builds = region_of(
        lambda *flat: carried("while_loop", body_fn(build(list(flat))), init), avals, "while_loop"
    )
    test, _ = region_of(lambda *flat: cond_fn(build(list(flat))), avals, "while_loop")
    check_carry("while_loop", body, avals)
    check_test(test)
    count, assigned = len(carries), assigned_by(body)
    body = carrying(body, assigned, count)
    test = carrying(test, assigned, count, gives=False)
    carries = [*carries, *map(words_before, assigned)]
    avals += [strong(v) for v in assigned]
    results = _repeated(test, body, carries, tuple(avals))
    assign(assigned, results[count:])
    return builds[0](list(results[:count]))


def _repeated(
    test: Traced, body: Traced, carries: list[Any], avals: tuple[Aval, ...]
) -> tuple[Any, ...]:
    """The last carries; where a tape follows one, the turns are counted for it."""
    captured = [s for region in (test, body) for s in region.sources[len(carries) :]]
    if not is_followed([*carries, *captured]):
        return _run_loop(test, body, carries, avals, is_counted=False)
    nc = len(carries)

    def asked(*flat: Any) -> list[Any]:
        return replay(test.graph, [*flat[:nc], *test.sources[nc:]])

    def done(*flat: Any) -> list[Any]:
        return [*replay(body.graph, [*flat[:nc], *body.sources[nc:]]), flat[nc] + 1]

    asks, does = (trace(f, [*avals, COUNT], "while_loop")[0] for f in (asked, done))
    found = _run_loop(asks, does, [*carries, np.int64(0)], (*avals, COUNT), is_counted=True)
    return found[:nc]


def _run_loop(
    test: Traced, body: Traced, carries: list[Any], avals: tuple[Aval, ...], is_counted: bool
) -> tuple[Any, ...]:
    """One node; with `is_counted`, the last carry is the number of turns."""
    nc = len(carries)
    sources: list[Any] = []
    places = [[place_of(sources, s) for s in region.sources[nc:]] for region in (test, body)]

    def impl(*values: Any, quiet: bool = False) -> tuple[Any, ...]:
        carry, rest = list(values[:nc]), values[nc:]
        asked, done = ([rest[n] for n in place] for place in places)
        with silent(quiet):
            while evaluate(test.graph, [*carry, *asked])[0][0]:
                carry = evaluate(body.graph, [*carry, *done])[0]
        return tuple(carry)

    def run(rec: list[Any], g: Any, grads: dict[int, Any]) -> None:
        values = operands_of(rec)
        rest = [values[nc + n] for n in places[1]]
        back = _loop_back(body, values[:nc], rest, cotangents(rec, g, avals), results_of(rec)[-1])
        where = [*range(nc), *(nc + n for n in places[1])]
        hand_out(rec, spread(values, filled(values, where, back)), grads)

    def again(operands: Sequence[Any]) -> tuple[Any, ...]:
        first, rest = list(operands[:nc]), operands[nc:]
        asks, does = (
            Traced(region.graph, [*[None] * nc, *(rest[n] for n in place)])
            for region, place in zip((test, body), places, strict=True)
        )
        return _repeated(asks, does, first, avals)

    card = unregistered("while_loop", impl)
    card.run, card.regions = run, ("while", test.graph, body.graph, nc, places)
    card.push, card.spread = while_rules(while_loop, test, body, places, nc)
    card.again, card.keep_out = again, is_counted
    card.shape_rule = lambda *_, quiet=False: avals
    params = {"quiet": True} if state.is_silent else {}
    return tuple(apply(card, (*carries, *sources), params))


def _loop_back(
    body: Traced, first: list[Any], rest: list[Any], cts: list[Any], count: Any
) -> list[Any]:
    """Cotangents of the first carries and of what the body captured."""
    nc = len(first)
    size = sum(v.aval.size * v.aval.dtype.itemsize for v in body.graph.outputs)
    slots = min(SLOTS, max(FEWEST, BYTES // max(size, 1)))
    levels = 1
    while slots**levels < ENOUGH:
        levels += 1

    def ahead(carry: Any, rest: Sequence[Any], number: Any, level: int) -> Any:
        """The carry after a number of turns, no more than `slots ** level`."""

        def turn(carry: Any, _: Any) -> Any:
            with silent():
                return replay(body.graph, [*carry, *rest]), None

        def segment(now: Any, _: Any) -> Any:
            carry, left = now
            short = _np.minimum(left, part)
            return (ahead(carry, rest, short, level - 1), left - short), None

        if level == 1:
            return turns(turn, carry, None, slots, count=number)[0]
        part = slots ** (level - 1)
        segments = (number + (part - 1)) // part
        return turns(segment, (carry, number), None, slots, count=segments)[0][0]

    values = [*first, *rest]
    played, _ = trace(
        lambda *flat: ahead(list(flat[:nc]), flat[nc:-1], flat[-1], levels),
        [*map(strong, values), COUNT],
        "turns of a while_loop",
    )
    return pull_back(played, [*values, count], cts)[:-1]
