"""Rules of the user's inside a program: a node that holds the function and its rule as graphs.

The function's graph is what is computed (`passes/inline.py` puts it in place of the node); the
rule's graph, of the operands and the cotangents, is what a derivative takes. It is made while the
function around it is traced, because a rule may use what that function knows. Forward, the rule is
transposed; a batch of the node is a node of the batched graphs. So there are derivatives of every
order: those of the rule.

A rule may call its own function: `return f(*primals), ...`. The node of such a call holds the rule
that is just being made, which is whole by the time a derivative of the next order takes it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.aval import INEXACT, Aval, aval_of
from ..core.card import Card
from ..core.dispatch import apply
from ..core.positions import decode, here
from ..core.state import state
from ..core.symbol import Symbol
from ..core.tensor import Tensor, raw
from ..core.variable import Variable
from ..errors import TracingError, three_part
from .evaluate import evaluate
from .forward import in_front, map_over
from .marks import STOP
from .pullback import hand_out, operands_of, unregistered
from .regions import assign, assigned_by, place_of, with_assigned
from .threads import ends
from .trace import Traced, replay, trace

TURNS = 8  # how often a rule that calls its own function is traced, at most
_np: Any = np  # NumPy's functions as they are for Tensors, which its stubs do not know
Forward = Callable[..., Sequence[Any]]
Backward = Callable[[list[Any], list[Any], list[Any]], list[Any]]


def custom_node(
    name: str,
    forward: Forward,
    backward: Backward,
    operands: list[Any],
    transpose: Any,
    has_captured: bool = False,
    whose: Any = None,
) -> tuple[list[Any], Card, list[Tensor]]:
    """The results of `forward(*operands)` as those of one node, its card, what else it reads.

    `backward(operands, cotangents, variables)` gives a gradient for each operand and for each
    trainable Variable that `forward` reads, None where there is none; where the rule
    `has_captured`, for each other Tensor too, which is no part of what is read besides then.
    `transpose(rule, avals, tangents)` gives tangents by a rule of the cotangents. `whose` rule it
    is, (an object, what makes it another one), tells the calls of a function inside its own rule.
    """
    avals = [_aval(x) for x in operands]
    region, _ = trace(lambda *xs: list(forward(*xs)), avals, name, is_part=True)
    count = len(operands)
    variables: list[Any] = sorted(
        (s for s in region.sources[count:] if isinstance(s, Variable) and s.trainable),
        key=lambda v: v.order,
    )
    used = [s for s in region.sources[count:] if isinstance(s, Tensor)]
    used = [s for s in used if not isinstance(s, Variable)]
    if has_captured:
        variables += [s for s in used if aval_of(raw(s)).dtype.char in INEXACT]
        used = []
    outs = [v.aval for v in region.graph.outputs]
    rule = _Rule.in_the_making(whose, avals, outs, variables)
    if rule is None:
        rule = _Rule(name, backward, avals, outs, variables, whose)
    assigned = assigned_by(region)
    region = with_assigned(region, assigned)
    found, card = _applied(name, region, rule, operands, outs, transpose)
    assign(assigned, found[len(outs) :])
    used = [s for s in used if all(s is not x for x in operands)]
    return list(found[: len(outs)]), card, used


class _Rule:
    """The graph of a rule, or why it could not be made, which is said when it is needed."""

    __slots__ = ("error", "given", "graph", "is_asked", "of", "sources", "variables")

    def __init__(
        self,
        name: str,
        backward: Backward,
        avals: list[Aval],
        outs: list[Aval],
        variables: list[Any],
        whose: Any,
    ) -> None:
        self.variables = variables
        self.given: list[bool] = []  # which gradients there are
        self.error: Exception | None = None
        self.graph: Any = None
        self.sources: list[Any] = []
        self.of = whose, avals, outs
        self.is_asked = True  # by a node inside the rule itself, which reads what the rule reads
        count = len(avals)

        def rule(*flat: Any) -> list[Any]:
            made: Any = state.tapes[0]
            made.rule = self
            found = backward(list(flat[:count]), list(flat[count:]), variables)
            self.given = [g is not None for g in found]
            return [g for g in found if g is not None]

        known: Any = None
        turns = 0
        while self.is_asked and (now := set(map(_identity, self.sources))) != known:
            known, self.is_asked, turns = now, False, turns + 1
            if turns > TURNS:
                self.error = _restless(name)
                return
            try:
                traced, _ = trace(rule, [*avals, *outs], f"{name}_rule", is_part=True)
            except Exception as error:
                self.error = error
                return
            self.graph, self.sources = traced.graph, traced.sources[count + len(outs) :]

    @staticmethod
    def in_the_making(
        whose: Any, avals: list[Aval], outs: list[Aval], variables: list[Any]
    ) -> _Rule | None:
        """The rule of the same function that one of the traces around is of."""
        around: Any = state.tapes[0] if whose is not None and state.tapes else None
        while around is not None and around.is_trace:
            rule: _Rule | None = around.rule
            if rule is not None and rule.of[0] is not None:
                (known, details), *of = rule.of
                if (
                    known is whose[0]
                    and details == whose[1]
                    and of == [avals, outs]
                    and list(map(id, rule.variables)) == list(map(id, variables))
                ):
                    rule.is_asked = True
                    return rule
            around = around.parent
        return None

    def play(self, operands: Sequence[Any], cts: Sequence[Any], rest: Sequence[Any]) -> list[Any]:
        """One gradient for each operand and Variable, None where there is none."""
        if self.error is not None:
            raise self.error
        found = iter(replay(self.graph, [*operands, *cts, *rest]))
        return [next(found) if mark else None for mark in self.given]


def _applied(
    name: str, region: Traced, rule: _Rule, operands: list[Any], outs: list[Aval], transpose: Any
) -> tuple[Any, Card]:
    count = len(operands)
    sources: list[Any] = []
    places = [place_of(sources, s) for s in region.sources[count:]]
    for s in rule.sources:
        place_of(sources, s)
    at = [place_of(sources, v) for v in rule.variables]
    known = list(map(_identity, sources))
    avals = tuple(v.aval for v in region.graph.outputs)

    def behind() -> list[int]:
        """Where the rule's sources are; only now, for they may have got another order since."""
        return [known.index(_identity(s)) for s in rule.sources]

    def impl(*values: Any) -> tuple[Any, ...]:
        rest = values[count:]
        return tuple(evaluate(region.graph, [*values[:count], *(rest[n] for n in places)])[0])

    def gradients(values: Sequence[Any], cts: Sequence[Any]) -> list[Any]:
        """One for each operand of the node."""
        rest = values[count:]
        found = rule.play(values[:count], cts, [rest[n] for n in behind()])
        every = [*found[:count], *[None] * len(rest)]
        for n, g in zip(at, found[count:], strict=True):
            every[count + n] = g
        return every

    def run(rec: list[Any], g: Any, grads: dict[int, Any]) -> None:
        parts = [
            np.zeros(aval.shape, aval.dtype)[()] if ct is None else ct
            for ct, aval in zip(g, outs, strict=False)
        ]
        hand_out(rec, gradients(operands_of(rec), parts), grads)

    def push(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        found = apply(card, tuple(primals), {})
        moves = transpose(lambda *cts: gradients(primals, cts), outs, tangents)
        return found, [*moves, *[None] * (len(found) - len(moves))]

    def spread(size: int, xs: Sequence[Any], axes: Sequence[int | None]) -> tuple[Any, Any]:
        at_inputs = [*range(count), *(count + n for n in places)]
        states = [
            None if n is None or axes[at_inputs[n]] is not None else n for n in ends(region.graph)
        ]

        def forward(*values: Any) -> list[Any]:
            rest, free = values[count:], axes[count:]
            found, where = map_over(
                region.graph,
                size,
                [*values[:count], *(rest[n] for n in places)],
                [*axes[:count], *(free[n] for n in places)],
            )
            return [
                in_front(x, a, size) if n is None else x
                for x, a, n in zip(found, where, states, strict=True)
            ]

        def backward(values: list[Any], cts: list[Any], _: Any) -> list[Any]:
            if rule.error is not None:
                raise rule.error
            rest, free, at_rule = values[count:], axes[count:], behind()
            found, where = map_over(
                rule.graph,
                size,
                [*values[:count], *cts[: len(outs)], *(rest[n] for n in at_rule)],
                [*axes[:count], *[0] * len(outs), *(free[n] for n in at_rule)],
            )
            given = iter(zip(found, where, strict=True))
            back = [next(given) if mark else None for mark in rule.given]
            every: list[Any] = [*back[:count], *[None] * len(rest)]
            for n, g in zip(at, back[count:], strict=True):
                every[count + n] = g
            return [
                None if g is None else _gathered(g[0], g[1], a, size)
                for g, a in zip(every, axes, strict=True)
            ]

        whose = rule, (size, tuple(axes))
        found = custom_node(name, forward, backward, list(xs), transpose, whose=whose)[0]
        return found, tuple(0 if n is None else None for n in states)

    card = unregistered(name, impl)
    card.run, card.push, card.spread = run, push, spread
    card.regions = ("call", region.graph, places)
    card.shape_rule = lambda *_: avals
    return apply(card, (*operands, *sources), {}), card


def _restless(name: str) -> TracingError:
    return TracingError(
        three_part(
            f"{name}: its rule calls {name} itself, and reads other arrays at each call.",
            f"It was called at {decode(*here())}; the calls in a program share one rule.",
            "Make the arrays once, outside of the rule, or pass them as arguments.",
        )
    )


def _identity(source: Any) -> tuple[int, ...]:
    """What two sources share that stand for the same value; a value is cut anew at each read."""
    is_read = isinstance(source, Tensor) and not isinstance(source, Variable)
    held = raw(source) if is_read else source
    if type(held) is not Symbol:
        return (0, id(source))
    value, cuts = held.node, 0
    while value.node is not None and value.node.op == STOP:
        value, cuts = value.node.inputs[0], cuts + 1
    return (id(held.trace), id(value), cuts)


def _gathered(g: Any, where: int | None, axis: int | None, size: int) -> Any:
    """The gradient of an operand with or without a batch, from one that has it or not."""
    if axis is not None:
        return in_front(g, where, size)
    return _np.sum(g, axis=0) if where is not None else g * size


def _aval(x: Any) -> Aval:
    value = x.value if isinstance(x, Variable) else raw(x) if isinstance(x, Tensor) else x
    aval = aval_of(value)
    return Aval(aval.shape, aval.dtype, getattr(value, "weak", aval.weak))

