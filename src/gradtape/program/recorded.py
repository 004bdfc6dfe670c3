"""A compiled function while its run is recorded: what `tape.gradient` saw becomes results.

The program of a recorded call is that of a twin, traced from a function that runs the user's and
also gives back, for each outermost gradient in it, targets, sources and gradients. Without a
recording nothing of it exists. A gradient in a compiled loop (`gt.scan`) is one of its turns, and
is not told. What the program was given is told too: with it a listener can compute any value of the
call again, node by node (`Given`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import events
from ..core import observing
from ..core.donated import check_donated, give_away
from ..core.state import state
from ..core.streams import held
from ..core.symbol import Symbol
from ..core.tensor import Tensor, new_tensor, new_traced, raw
from ..core.tree import flatten
from ..core.variable import Variable
from ..graph.ir import Value
from ..tape.nested import Gradient, Nested
from .program import Program, value_of, wrapped

__all__ = ["Given", "Told", "observe", "twin"]


class Told:
    """One gradient in a compiled function: where it is asked for, of what.

    Attributes
    ----------
    position : (code, lasti)
    sources : list
        Variables; for a watched Tensor one of its shape and dtype.
    keys : tuple of int
        Of the targets, when the function was traced.
    seen : object
        What the inspector says of the records (`core/observing.py`); None if nobody asked.
    taken : four lists
        Where targets, sources, gradients, and what the inspector wants are found: the number of a
        value that the program gives back, an input of its graph, or None.
    """

    def __init__(
        self, position: Any, keys: tuple[int, ...], sources: list[Any], seen: Any,
        taken: Sequence[list[int | Value | None]],
    ) -> None:  # fmt: skip
        self.position, self.keys, self.sources = position, keys, sources
        self.seen, self.taken = seen, taken


class _Facts:
    """What is told of all gradients of a program, a result that is no number."""

    def __init__(self) -> None:
        self.told: list[Told] = []


class Given:
    """What one call of a recorded program was given.

    Attributes
    ----------
    program : Program
    values : list
        One for each input of its graph, as they were before the call. Those of Variables are never
        written; arrays of the user's are themselves, and copies where they are donated while
        records keep everything.
    """

    __slots__ = ("known", "program", "values")

    def __init__(self, program: Program, values: list[Any]) -> None:
        self.program, self.values = program, values
        self.known: dict[Value, Any] | None = None  # by whoever has computed it again


def twin(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` as one that returns (result, what was told, values of it)."""

    @functools.wraps(function)
    def traced(*args: Any, **kwargs: Any) -> Any:
        facts = _Facts()
        values: list[Any] = []
        trace, nested = state.tapes[0], Nested()
        places: dict[Value, int] = {}

        def place(x: Any) -> int | Value | None:
            """Where a value is found at each call."""
            if x is None:
                return None
            x = x.read() if isinstance(x, Tensor) else x
            if isinstance(x, Symbol):
                value: Value = x.node
                if value.node is None:  # an input: whoever calls has it
                    return value
                if value in places:
                    return places[value]
                places[value] = len(values)
                x = new_traced(x)
            values.append(x)
            return len(values) - 1

        def watch(recorder: Any, targets: Any, sources: Any, results: Any, position: Any) -> None:
            tapes: Any = state.tapes
            if not tapes or tapes[0] is not trace:
                return
            gradient = Gradient(targets, sources, results, position)
            if len(tapes) > 1:
                nested.saw(gradient)
                if any(t is not recorder for t in tapes[1:]):
                    return
            gradient = nested.behind(recorder, targets) or gradient
            targets, sources, results, position = gradient
            known = [s if isinstance(s, Variable) else _like(s) for s in sources]
            look = observing.inspector.look
            seen, more = look(recorder, targets, sources) if look is not None else (None, [])
            keys = tuple([t.key for t in targets])
            taken = [[place(x) for x in some] for some in (targets, sources, results, more)]
            facts.told.append(Told(position, keys, known, seen, taken))

        stop = events.watch_gradients(watch)
        try:
            result = function(*args, **kwargs)
        finally:
            stop()
        return result, facts, values

    return traced


def _like(source: Any) -> Tensor:
    """A Tensor of the shape and dtype of a source that has no value yet."""
    return new_tensor(np.zeros(source.shape, source.dtype)[()])


class Plan:
    """How the user's result, and what is told, are made of what a twin's program gives."""

    def __init__(self, program: Program) -> None:
        marks = [object() for _ in range(program.count)]
        result, facts, values = program.built(marks)
        own = program.count - len(values)
        number = {id(mark): n for n, mark in enumerate(marks)}
        leaves, self._rebuild = flatten(result)
        self._leaves = [number.get(id(leaf), leaf) for leaf in leaves]
        self._outputs = [n for n, leaf in enumerate(leaves) if id(leaf) in number]
        self.is_one = self._leaves == [0] and self._outputs == [0] and result is marks[0]
        graph, constants = program.traced.graph, program.traced.constants
        behind = program.count + len(graph.effects)
        inputs = {value: behind + n for n, value in enumerate(graph.inputs)}
        self.fixed: list[Any] = []
        self.told: list[tuple[Told, list[list[Any]]]] = []

        def at(x: int | Value | None, source: Any) -> Any:
            """Where something stands in (results, inputs, `fixed`); a Variable that has no part."""
            if x is None or type(x) is int:
                return x if x is None else own + x
            if x in inputs:
                return inputs[x]
            if x in constants:
                self.fixed.append(constants[x].data)
                return behind + len(inputs) + len(self.fixed) - 1
            return source

        # Variables, and arrays: a Tensor may be a view that has to settle first
        plain = (Variable, np.ndarray, np.generic)
        self.reads = [(isinstance(s, Variable), s) for s in program.sources]
        self.is_plain = all(isinstance(s, plain) for s in program.sources)
        for told in facts.told:
            nobody = [None] * max(map(len, told.taken))
            self.told.append((told, [
                [at(x, source) for x, source in zip(some, sources, strict=False)]
                for some, sources in zip(
                    told.taken, (nobody, told.sources, nobody, nobody), strict=True
                )
            ]))  # fmt: skip
        program.plan = self

    def result(self, found: Sequence[Any], wraps: bool) -> Any:
        """What the user's function returns."""
        if self.is_one:
            return wrapped(found[0]) if wraps else found[0]
        leaves = self._leaves.copy()
        for n in self._outputs:
            value = found[leaves[n]]
            leaves[n] = wrapped(value) if wraps else value
        return self._rebuild(leaves)

    def tell(self, name: str, found: Sequence[Any], given: Given) -> None:
        """Publish what a call has told, gradient by gradient."""
        pool = [*found, *given.values, *self.fixed]
        for told, parts in self.told:
            targets, sources, results, more = [
                [pool[n] if type(n) is int else n if n is None else n.value for n in some]
                for some in parts
            ]
            events.publish(
                "compiled gradient", function=name, told=told, targets=targets, sources=sources,
                results=results, more=more, given=given,
            )  # fmt: skip


def observe(name: str, program: Program, leaves: list[Any]) -> Any:
    """The result of a call of a twin's program, which is told to whoever listens."""
    if program.streams:
        with held(program.streams):
            return _observed(name, program, leaves)
    return _observed(name, program, leaves)


def _observed(name: str, program: Program, leaves: list[Any]) -> Any:
    plan = program.plan or Plan(program)
    wraps = program.has_tensors or any(isinstance(x, Tensor) for x in leaves)
    if program.given:
        donated = [leaves[i] for i in program.given]
        rest = [x for i, x in enumerate(leaves) if i not in program.given]
        check_donated(name, donated, [*rest, *program.sources])
    values = list(map(raw, leaves))
    if plan.is_plain:
        values += [s.value if is_variable else s for is_variable, s in plan.reads]
    else:
        values += map(value_of, program.sources)
    given = Given(program, values)
    if program.given and observing.Keeping.everything:
        given.values = values.copy()
        for i in program.given:
            given.values[i] = np.array(values[i])
    try:
        found = program.values(*values)
    finally:
        for i in program.given:
            give_away(name, leaves[i])
    program.commit(found)
    plan.tell(name, found, given)
    for variable in program.assigned:
        observing.tell_assigned(variable)
    return plan.result(found, wraps)
