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
from ..core.lift import is_batched, is_lifted
from ..core.positions import decode, here
from ..core.state import state
from ..core.streams import words_before
from ..core.tensor import Tensor, raw
from ..core.tree import flatten, tree_map
from ..errors import DTypeError, ShapeError, three_part
from .apart import apart
from .control import cond, turns
from .evaluate import evaluate
from .lifted import while_rules
from .marks import as_weak
from .pullback import cotangents, hand_out, operands_of, pull_back, results_of, unregistered
from .regions import (
    assign,
    assigned_by,
    carried,
    carried_first,
    carrying,
    check_carry,
    check_test,
    filled,
    is_open,
    is_tracing,
    one_truth,
    place_of,
    region_of,
    spread,
)
from .trace import Traced, is_followed, replay, trace
from .weak import alike, handed_out, is_kept, settled_carry, type_of, typed

Tree = Any
_np: Any = np  # NumPy's functions as they are for Tensors, which its stubs do not know
SLOTS, FEWEST = 4096, 64  # the most and the fewest carries that are kept of a segment,
BYTES = 1 << 20  # and in between, how much of them
ENOUGH = 1 << 18  # turns for which there must be levels
_MOST_NUMBERS = 1 << 12  # of turns that stand in memory; beyond, they are counted
COUNT = Aval((), np.int64)


def fori_loop(lower: Any, upper: Any, body: Callable[[Any, Tree], Tree], init: Tree) -> Tree:
    """The last carry of `carry = body(i, carry)` for `i` from `lower` up to but not `upper`.

    In a compiled function it is one node however many turns there are, with derivatives of every
    order; a `scan` with bounds that are Python integers, else a `while_loop`. `i` is a Python
    integer, which takes the dtype of what it meets, of 64 bits in a compiled function.

    Raises
    ------
    ShapeError, DTypeError
        If a bound is no integer; in a compiled function, if the carry changes its structure, shape
        or dtype.

    Examples
    --------
    >>> import numpy as np, gradtape as gt
    >>> gt.fori_loop(0, 3, lambda i, x: x * 2.0 + i, 1.0)
    12.0
    """
    _check_bounds(lower, upper)
    if is_open(lower) or is_open(upper):
        start = (lower if isinstance(lower, Tensor) else np.asarray(lower)) + 0  # a bool counts too
        if is_tracing() and not is_lifted(start):
            start = as_weak(start.astype(np.int64))  # Python counts with Python's numbers

        def turned(turn: Any) -> Any:
            return turn[0] + 1, carried("fori_loop", body(*turn), init)

        return repeated(lambda turn: turn[0] < upper, turned, (start, init), "fori_loop", own=1)[1]
    lower, upper = int(lower), int(upper)
    if not (state.tapes and state.tapes[0].is_trace):
        carry = tree_map(apart, init) if lower < upper else init
        for i in range(lower, upper):
            carry = body(i, carry)
        return carry
    if upper - lower > _MOST_NUMBERS:

        def counting(turn: Any, _: Any) -> Any:
            carry, i = turn
            return (carried("fori_loop", body(i, carry), init), i + 1), None

        first = init, lower
        return turns(counting, first, length=upper - lower, name="fori_loop")[0][0]
    numbers = np.arange(lower, max(upper, lower))
    return turns(
        lambda carry, i: (body(i, carry), None), init, numbers, name="fori_loop", is_counter=True
    )[0]


def _check_bounds(*bounds: Any) -> None:
    error: type[ShapeError | DTypeError] = ShapeError
    if any(np.ndim(bound) for bound in bounds):
        shapes = " and ".join(str(np.shape(bound)) for bound in bounds)
        fact = f"its bounds have the shapes {shapes}"
    elif all(raw(bound).dtype.kind in "biu" for bound in map(_array, bounds)):
        return
    else:
        kinds = [raw(x).dtype.name if isinstance(x, Tensor) else type(x).__name__ for x in bounds]
        fact, error = f"its bounds are {' and '.join(kinds)}", DTypeError
    raise error(
        three_part(
            f"fori_loop: {fact}.",
            f"Called at {decode(*here(3))}; it counts from one integer to another.",
            "Pass integers: gt.fori_loop(0, len(x), body, init); of a number, int(n).",
        )
    )


def _array(x: Any) -> Any:
    return x if isinstance(x, Tensor) else np.asarray(x)


def while_loop(cond_fn: Callable[[Tree], Any], body_fn: Callable[[Tree], Tree], init: Tree) -> Tree:
    """The first carry for which `cond_fn(carry)` does not hold, going on by `body_fn(carry)`.

    The carry keeps structure, shapes and dtypes; a Python number becomes what turns make of it, in
    a compiled function also where there is no turn. There it is one node, with derivatives of every
    order; a gradient computes carries again and keeps about 2 sqrt(n) of them.

    Raises
    ------
    ShapeError, DTypeError
        If the condition has several elements, or is None; in a compiled function, if the carry
        changes its structure, shape or dtype.

    Examples
    --------
    >>> import gradtape as gt
    >>> gt.while_loop(lambda x: x < 100.0, lambda x: x * 3.0, 2.0)
    162.0
    """
    return repeated(cond_fn, body_fn, init)


def repeated(
    cond_fn: Callable[[Tree], Any],
    body_fn: Callable[[Tree], Tree],
    init: Tree,
    name: str = "while_loop",
    own: int = 0,
) -> Tree:
    """`while_loop`, for what the user called by `name`; the first `own` carries are not his."""

    def asked(carry: Tree) -> Any:
        found = cond_fn(carry)
        return one_truth(found, f"{name}: its condition", "carry one number and ask for that")

    if not (state.tapes and state.tapes[0].is_trace):
        init = tree_map(apart, init)
        while True:
            holds = asked(init)
            if is_batched(holds):  # some examples have ended and some have not
                break
            if not holds:
                return init
            init = body_fn(init)
    carries, build = flatten(init)
    carries = list(map(carried_first, carries))
    begun = list(map(type_of, carries))

    def turn_of(avals: list[Aval]) -> Any:
        return region_of(
            lambda *flat: carried(name, body_fn(build(list(flat))), init), avals, "while_loop"
        )

    def test_of(avals: list[Aval]) -> Any:
        return region_of(lambda *flat: asked(build(list(flat))), avals, "while_loop")[0]

    (body, builds), avals, is_same = settled_carry(turn_of, begun)
    test = test_of(avals)
    check_carry(name, body, avals, own)
    check_test(test)
    if not (is_same and is_kept(begun, avals, lambda: alike(test, test_of(begun)))):
        first = tree_map(carried_first, init)  # its first turn is another one than those behind it
        return cond(
            asked(first),
            lambda: repeated(cond_fn, body_fn, carried(name, body_fn(first), init), name, own),
            lambda: first,
        )
    carries = list(map(typed, carries, avals))
    count, assigned = len(carries), assigned_by(body)
    body = carrying(body, assigned, count)
    test = carrying(test, assigned, count, gives=False)
    carries = [*carries, *map(words_before, assigned)]
    avals += [type_of(v) for v in assigned]
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
    return handed_out(apply(card, (*carries, *sources), params))


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
        [*map(type_of, values), COUNT],
        "turns of a while_loop",
    )
    return pull_back(played, [*values, count], cts)[:-1]
