"""Rules of the user's inside a program: a node that holds the function and its rule as graphs.

The function's graph is what is computed (`passes/inline.py` puts it in place of the node); the
rule's graph, of the operands and the cotangents, is what a derivative takes. It is made while the
function around it is traced, because a rule may use what that function knows. Forward, the rule is
transposed; a batch of the node is a node of the batched graphs. So there are derivatives of every
order: those of the rule.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.aval import INEXACT, Aval, aval_of
from ..core.card import Card
from ..core.dispatch import apply
from ..core.tensor import Tensor, raw
from ..core.variable import Variable
from .evaluate import evaluate
from .forward import in_front, map_over
from .pullback import hand_out, operands_of, unregistered
from .regions import assign, assigned_by, place_of, with_assigned
from .threads import ends
from .trace import Traced, replay, trace

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
) -> tuple[list[Any], Card, list[Tensor]]:
    """The results of `forward(*operands)` as those of one node, its card, what else it reads.

    `backward(operands, cotangents, variables)` gives a gradient for each operand and for each
    trainable Variable that `forward` reads, None where there is none; where the rule
    `has_captured`, for each other Tensor too, which is no part of what is read besides then.
    `transpose(rule, avals, tangents)` gives tangents by a rule of the cotangents.
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
    rule = _Rule(name, backward, avals, outs, variables)
    assigned = assigned_by(region)
    region = with_assigned(region, assigned)
    found, card = _applied(name, region, rule, operands, outs, transpose)
    assign(assigned, found[len(outs) :])
    used = [s for s in used if all(s is not x for x in operands)]
    return list(found[: len(outs)]), card, used


class _Rule:
    """The graph of a rule, or why it could not be made, which is said when it is needed."""

    __slots__ = ("error", "given", "graph", "sources", "variables")

    def __init__(
        self, name: str, backward: Backward, avals: Any, outs: Any, variables: list[Any]
    ) -> None:
        self.variables = variables
        self.given: list[bool] = []  # which gradients there are
        self.error: Exception | None = None
        self.graph: Any = None
        self.sources: list[Any] = []
        count = len(avals)

        def rule(*flat: Any) -> list[Any]:
            found = backward(list(flat[:count]), list(flat[count:]), variables)
            self.given = [g is not None for g in found]
            return [g for g in found if g is not None]

        try:
            traced, _ = trace(rule, [*avals, *outs], f"{name}_rule", is_part=True)
        except Exception as error:
            self.error = error
        else:
            self.graph, self.sources = traced.graph, traced.sources[count + len(outs) :]

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
    behind = [place_of(sources, s) for s in rule.sources]
    at = [place_of(sources, v) for v in rule.variables]
    avals = tuple(v.aval for v in region.graph.outputs)

    def impl(*values: Any) -> tuple[Any, ...]:
        rest = values[count:]
        return tuple(evaluate(region.graph, [*values[:count], *(rest[n] for n in places)])[0])

    def gradients(values: Sequence[Any], cts: Sequence[Any]) -> list[Any]:
        """One for each operand of the node."""
        rest = values[count:]
        found = rule.play(values[:count], cts, [rest[n] for n in behind])
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
            rest, free = values[count:], axes[count:]
            found, where = map_over(
                rule.graph,
                size,
                [*values[:count], *cts[: len(outs)], *(rest[n] for n in behind)],
                [*axes[:count], *[0] * len(outs), *(free[n] for n in behind)],
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

        found = custom_node(name, forward, backward, list(xs), transpose)[0]
        return found, tuple(0 if n is None else None for n in states)

    card = unregistered(name, impl)
    card.run, card.push, card.spread = run, push, spread
    card.regions = ("call", region.graph, places)
    card.shape_rule = lambda *_: avals
    return apply(card, (*operands, *sources), {}), card


def _gathered(g: Any, where: int | None, axis: int | None, size: int) -> Any:
    """The gradient of an operand with or without a batch, from one that has it or not."""
    if axis is not None:
        return in_front(g, where, size)
    return _np.sum(g, axis=0) if where is not None else g * size


def _aval(x: Any) -> Aval:
    aval = aval_of(x.value if isinstance(x, Variable) else raw(x) if isinstance(x, Tensor) else x)
    return Aval(aval.shape, aval.dtype, aval.weak)

