"""Programs: one for each signature of a compiled function, made of its trace or found on disk."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..backends.choose import Options, compile_graph
from ..core.console import silent
from ..core.dispatch import apply, record_many
from ..core.lift import is_lifted
from ..core.state import state
from ..core.streams import Hidden, Stream, held
from ..core.tensor import Tensor, new_tensor, raw
from ..core.tree import flatten
from ..core.variable import Variable
from ..graph.ir import Constant, Graph
from ..graph.trace import Traced, is_output
from ..passes.pipeline import careful, optimise
from ..passes.spares import has_spares
from . import stored
from .derivative import Pair, is_spoiled, make_card

__all__ = ["Program", "compiled", "value_of", "wrapped"]

_NOTHING = object()


class Program:
    """One compiled program: what it reads besides its arguments, and how its results are built."""

    def __init__(
        self, name: str, made: stored.Stored, kept: Any, options: Options,
        traced: Callable[[], Traced], derived: Callable[..., Any],
    ) -> None:  # fmt: skip
        self.name, self.options, self._traced, self._derived = name, options, traced, derived
        self.given: tuple[int, ...] = ()  # the arguments that are given away
        self.frozen = made.frozen  # arrays outside that are constants of it, and what they hold
        self.is_kept = False  # whether it comes from the disk
        self.pairs: dict[tuple[bool, ...], Pair] = {}  # for programs that a tape records
        self.kept = kept  # objects that are part of the signature by identity
        self.arguments, self.sources = made.arguments, made.sources
        self.variables = [s for s in self.sources if isinstance(s, Variable)]
        self.has_tensors = any(
            isinstance(s, Tensor) and not isinstance(s, Hidden) for s in self.sources
        )
        streams = [s for s in self.sources if isinstance(s, Stream)]
        self.streams = sorted(streams, key=lambda s: s.order)
        self.assigned = [self.sources[i] for i in made.assigned]
        self.acts = any(isinstance(v, Hidden) for v in self.assigned)  # it draws, or prints
        self.count, self.copies, self.run = made.count, made.copies, made.run
        self.looks = made.looks
        leaves, self.rebuild = flatten(made.result)
        self.static = [_NOTHING if _is_output(leaf) else leaf for leaf in leaves]
        self._native: tuple[Any, Sequence[int] | None, tuple[int, ...]] | None = None
        self.direct: Any = None
        self._result = made.result
        self._is_young = bool(getattr(self.run, "hasty", False))  # then `run` counts its calls
        if not self._is_young:
            self._settle()
        self.outside: Any = None  # the state of what is outside, at the last call: surroundings.py
        self.plan: Any = None  # of a twin: see recorded.py

    @property
    def traced(self) -> Traced:
        """The graph; where the program was on disk, the function is traced for it now."""
        return self._traced()

    @functools.cached_property
    def card(self) -> Any:
        """The program as an operation that tapes record."""
        return make_card(self.name, self.traced, self.values, self._derived)

    def _settle(self) -> None:
        """Go by the native call itself from now on, where there is one."""
        self._is_young = False
        self._native = self._one_call()
        self.direct = self._make_direct(self._result)

    def _one_call(self) -> tuple[Any, Sequence[int] | None, tuple[int, ...]] | None:
        """(the native call, the inputs that it takes if not all in order, where results are).

        None where the program is more than one native call. That looks at types, dtypes and shapes
        itself, and answers NotImplemented where they are others than those that the program was
        made for.
        """
        direct = getattr(self.run, "direct", None)
        if direct is None or any(self.copies) or any(isinstance(s, Hidden) for s in self.sources):
            return None
        call, order, places = direct
        in_order = order == tuple(range(self.arguments + len(self.sources)))
        return call, None if in_order else order, tuple(places)

    def _make_direct(self, result: Any) -> Any:
        """A function of plain arguments, without detours, where the program is one native call."""
        if self._native is None:
            return None
        call, order, places = self._native
        sources, arguments, count = self.sources, self.arguments, self.count
        commits = tuple(zip(self.assigned, places[count:], strict=True))
        alone = len(places) == 1
        build = self._builder(result, tuple(places[:count]), alone)

        def run(args: tuple[Any, ...]) -> Any:
            if len(args) != arguments:
                return NotImplemented
            values = (*args, *map(value_of, sources)) if sources else args
            found = call(*values) if order is None else call(*[values[i] for i in order])
            if found is NotImplemented or (self.looks and is_spoiled((found,) if alone else found)):
                return NotImplemented  # of a NaN the general way makes sure
            for variable, place in commits:
                variable.value = found if alone else found[place]
            return found if build is None else build(found)

        return run

    def _builder(self, result: Any, places: tuple[int, ...], alone: bool) -> Any:
        """What makes the function's result of the native call's; None where they are the same."""
        wrap = self.has_tensors
        is_one = _is_output(result)
        is_tuple = type(result) is tuple and all(map(_is_output, result))
        if is_one:
            first = places[0]
            if alone:
                return new_tensor if wrap else None
            return lambda found: new_tensor(found[first]) if wrap else found[first]
        if is_tuple and not wrap and not alone and places == tuple(range(len(places))):
            if not self.assigned:
                return None
            return lambda found: found[: len(places)]

        def build(found: Any) -> Any:
            outputs = [found if alone else found[i] for i in places]
            if wrap:
                outputs = [new_tensor(x) for x in outputs]
            return tuple(outputs) if is_tuple else self.built(outputs)

        return build

    def __call__(self, leaves: list[Any]) -> Any:
        if self.streams:  # from their states to the commit nobody else draws
            with held(self.streams):
                return self._called(leaves)
        return self._called(leaves)

    def _called(self, leaves: list[Any]) -> Any:
        if state.tapes or state.levels:
            operands = (*leaves, *self.sources)
            for variable in self.variables:
                variable.read()
            if state.levels and any(map(is_lifted, operands)):
                return self._lifted(operands)
            followed = tuple([self._is_followed(x) for x in operands])
            if any(followed):
                return self._recorded(operands, followed)
        found = self.values(*map(raw, leaves), *[value_of(s) for s in self.sources])
        self.commit(found)
        outputs = list(found[: self.count])
        if self.has_tensors or any(isinstance(x, Tensor) for x in leaves):
            outputs = [wrapped(x) for x in outputs]
        return self.built(outputs)

    @staticmethod
    def _is_followed(x: Any) -> bool:
        return isinstance(x, Tensor) and any(x.key in tape.tracked for tape in state.tapes)

    def _lifted(self, operands: tuple[Any, ...]) -> Any:
        """The result inside `jvp` or `vmap`."""
        results = apply(self.card, operands, {})
        for variable, value in zip(self.assigned, results[self.count :], strict=True):
            variable.assign(value)
        return self.built(list(results[: self.count]))

    def _recorded(self, operands: tuple[Any, ...], followed: tuple[bool, ...]) -> Any:
        """The result where a tape records: that of a forward program, which leaves residuals."""
        values = [value_of(x) for x in operands]
        pair = self.pairs.get(followed)
        if pair is None:
            pair = self.pairs[followed] = Pair(self.traced, followed, self.options)
        residuals: Any
        found, residuals = pair.run(values)
        if self.looks and is_spoiled(found):
            found, residuals = list(self.values(*values)), None
        results = record_many(self.card, operands, values, tuple(self._settled(found)), residuals)
        self.commit([x.value for x in results])
        return self.built(list(results[: self.count]))

    def values(self, *arguments: Any) -> tuple[Any, ...]:
        """The results, and what Variables are assigned, for the value of each input."""
        native = self._native
        if native is not None and not self.given:
            call, order, places = native
            made = call(*arguments) if order is None else call(*[arguments[i] for i in order])
            if made is not NotImplemented:
                made = (made,) if len(places) == 1 else made
                if not self.looks or not is_spoiled(made):
                    return tuple([made[i] for i in places])
        found = self.run(arguments)
        if self._is_young and not self.run.hasty:
            self._settle()
        if self.looks and is_spoiled(found):
            with silent():
                found = self.careful(arguments)
        return tuple(self._settled(found))

    @functools.cached_property
    def careful(self) -> Any:
        """The program that looks for a NaN beside a cotangent of 0; see `graph/spare.py`."""
        return compile_graph(careful(self.traced.graph), self.options)

    def _settled(self, found: list[Any]) -> list[Any]:
        for i in range(len(found)):
            x = found[i]
            if type(x) is np.ndarray and (x.base is not None or self.copies[i]):
                found[i] = np.array(x)
        return found

    def commit(self, values: Sequence[Any]) -> None:
        """Assign what a run has left for Variables."""
        for variable, value in zip(self.assigned, values[self.count :], strict=True):
            variable.value = numpy_of(value)

    def built(self, outputs: list[Any]) -> Any:
        """What the function returns, of the outputs."""
        given = iter(outputs)
        return self.rebuild([next(given) if x is _NOTHING else x for x in self.static])


def _is_output(leaf: Any) -> bool:
    return is_output(leaf) or leaf is stored.OUTPUT


def compiled(
    traced: Traced, result: Any, options: Options, given: tuple[int, ...]
) -> stored.Stored:
    """What a program needs of its trace."""
    graph = traced.graph
    arguments = graph.kinds.count("argument")
    optimised = optimise(graph)
    assigned = [graph.inputs.index(variable) - arguments for variable, _ in graph.effects]
    looks = has_spares(graph)
    given = () if looks else given  # where it may have to run again, its arguments must be there
    return stored.Stored(
        compile_graph(optimised, options, given), traced.sources[arguments:], arguments, assigned,
        len(graph.outputs), _shared(optimised), result, looks=looks, frozen=traced.frozen,
    )  # fmt: skip


def value_of(source: Any) -> Any:
    """What a Variable, a Tensor or an array holds now."""
    return source.value if isinstance(source, Variable) else raw(source)


def numpy_of(x: Any) -> Any:
    """A result as a Tensor holds it: an argument may be a Python float."""
    return np.asarray(x)[()] if type(x) is float or type(x) is complex else x


def wrapped(x: Any) -> Tensor:
    """A result as a Tensor."""
    return new_tensor(numpy_of(x))


def _shared(graph: Graph) -> list[bool]:
    """Which results are to be copied: inputs, constants, and what is a result twice."""
    seen: set[Any] = set(graph.inputs)
    found = []
    for value in graph.results:
        found.append(value in seen or isinstance(value, Constant))
        seen.add(value)
    return found
