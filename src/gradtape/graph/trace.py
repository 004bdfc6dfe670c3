"""Tracing: a graph made by running a function on Tensors that hold symbols.

A `Trace` is a recorder that stands first among `state.tapes` while the function runs. It follows no
key; it is there to be asked: `dispatch.apply` lets it `call` a card in place of the card's
implementation, a Symbol lets it call NumPy (`plain`), a Variable asks it for its value and tells it
what it is assigned. While it stands there, `state.tape` is SEVERAL, which sends every call from the
fast path to `apply`; so the fast path knows nothing of tracing. Tapes inside the function record as
ever, and their sweeps run on Tensors, because a recorder is active: gradients are traced because
they are NumPy code.

What is not an argument: a Variable is read when the program is called. An array that the user still
holds is an input too (`captured`), read at each call; one that nobody else holds any more was made
while tracing and is a constant. Nodes that no result needs are left out.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.aval import Aval, aval_of
from ..core.dispatch import apply
from ..core.examples import part_of
from ..core.lift import Lift, still
from ..core.operands import refuse_own_arithmetic
from ..core.positions import decode, here
from ..core.registry import HOOKS
from ..core.state import SEVERAL, Recorder, next_key, state, traces
from ..core.symbol import Symbol, asked_for, in_a_set
from ..core.tensor import Tensor, new_tensor, new_traced, raw
from ..core.tree import flatten
from ..core.variable import Variable
from ..errors import TracingError, three_part
from .counts import TENSOR, held_here
from .ir import Constant, Graph, Hole, Plain, Value, fill, lift
from .known import computed
from .marks import ASSIGNED, BEHIND, STOP, as_weak
from .quick import quick
from .shapes import results_of
from .spare import SPARE
from .traced import Traced, pruned

__all__ = ["SPARE", "Trace", "Traced", "is_output", "replay", "trace"]

ndarray = np.ndarray
_WRITING = frozenset(["copyto", "put", "place", "putmask", "put_along_axis", "fill_diagonal"])
_PLACED = frozenset(["put", "place", "putmask", "put_along_axis"])
CONTROL = frozenset(["cond", "scan", "while_loop"])  # nodes that hold graphs, and so prints


@dataclass
class _Held:
    """A Variable in a trace: its input, what is read of it now, and what it was assigned."""

    variable: Variable
    source: Value
    current: Symbol
    assigned: Value | None = None


class Trace(Recorder):
    """The graph in the making. `with` makes it the one of this thread."""

    __slots__ = (
        "behind", "captured", "frozen", "graph", "parent", "part", "rule", "saved",
        "turned", "variables",
    )  # fmt: skip
    is_general = True
    is_trace = True

    def __init__(self, name: str, parent: Any = None) -> None:
        super().__init__(auto_watch=False)
        self.parent = parent  # the trace of the function around this one, for control flow
        self.rule: Any = None  # the user's rule that this is the graph of
        self.part: Any = None  # whether one example of the `vmap` calls around takes part
        self.graph = Graph(name)
        # by id of the array (node and key of a symbol): its value, itself, the Tensor around it
        self.captured: dict[Any, tuple[Value, Any, Any]] = {}
        self.turned: dict[int, tuple[Value, Any]] = {}
        self.variables: dict[int, _Held] = {}
        self.behind: dict[int, Any] = {}  # in place of what was taken from outside: `postpone`
        # arrays in parameters (an index), which are constants of the graph, and copies of them
        self.frozen: list[tuple[Any, Any]] = [] if parent is None else parent.frozen

    def __enter__(self) -> Trace:
        self.level = next_key()  # later than the levels that it began in
        self.saved = (state.tapes, state.tape, state.batches)
        state.batches = ()  # what is traced is of one example
        state.tapes, state.tape = (self,), SEVERAL
        traces.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        state.tapes, state.tape, state.batches = self.saved
        traces.remove(self)

    # ------------------------------------------------------------------ what is asked of it

    quick = quick

    def call(self, card: Any, values: Sequence[Any], operands: Any, params: dict[str, Any]) -> Any:
        """The result of a card: symbols, or values where nothing is unknown."""
        is_known = Symbol not in map(type, values) and not (params and _mentions(params))
        # what a tape follows from before the trace is read when the program is called
        if is_known and not any(
            isinstance(x, Tensor) and 0 < x.key < self.level for x in operands
        ):  # fmt: skip
            return computed(card, values, params)
        result = self.emit(card, values, params, operands)
        if isinstance(values, list):
            self._read_later(values)
        return result

    def _read_later(self, values: list[Any]) -> None:
        """Put what stands for a captured array in its place: a record is to keep no numbers.

        A gradient that computed with them would have those of the trace at every call.
        """
        for i, x in enumerate(values):
            if type(x) is ndarray:
                known: Any = self.captured.get(id(x)) or self.turned.get(id(x))
                if known is not None:
                    values[i] = Symbol(known[0].aval, known[0], self, here(3))

    def plain(self, name: str, function: Any, args: tuple[Any, ...], kwargs: Any) -> Any:
        """The result of a NumPy function on raw values."""
        if kwargs.get("out") is not None:
            raise TracingError(
                three_part(
                    f"{name}: out= cannot be written while tracing.",
                    f"Called at {_place()}.",
                    f"Take the result: y = np.{name}(...).",
                )
            )
        if (name in _WRITING or name.endswith(".at")) and not isinstance(args[0], Symbol):
            symbols = [n for n, x in enumerate((*args, *kwargs.values())) if type(x) is Symbol]
            is_place = name in _PLACED and symbols == [1]  # the mask, or the positions
            is_place = is_place or (name == "copyto" and type(args[1]) is not Symbol)
            (*args, *kwargs.values())[symbols[0]].refuse_write(name, is_place)
        if any(isinstance(x, Lift) for x in args):  # played by its level, or taken for an input
            return HOOKS["lifted_raw"](function, args, kwargs)
        others = (n for n, x in enumerate(args) if not _is_array(x))
        count = len(args) if isinstance(function, np.ufunc) else next(others, len(args))
        params = {k: v for k, v in kwargs.items() if v is not np._NoValue}
        params = {"rest": args[count:], **params} if count < len(args) else params
        return self.emit(Plain(name, function), args[:count], params)

    def cut(self, symbol: Symbol) -> Any:
        """The value of `symbol` as one that no derivative leads to."""
        return self.emit(STOP, (symbol,), {})

    def emit(
        self, op: Any, values: Sequence[Any], params: dict[str, Any], operands: Any = None
    ) -> Any:
        """A new node; its results as symbols."""
        inner: Any = state.tapes[0] if state.tapes else None
        if (
            inner is not self
            and inner in traces
            and any(type(x) is Symbol and x.trace is inner for x in values)
            and inner.is_part_of(self)
        ):
            return inner.emit(op, values, params, operands)  # what is around it is an input there
        if self not in traces:
            raise _leaked(next(x for x in values if type(x) is Symbol and x.trace is self))
        sources = operands if operands is not None else values
        inputs = [self.value_of(v, s) for v, s in zip(values, sources, strict=True)]
        count = len(inputs)
        if params:

            def lifted(leaf: Any) -> Any:
                leaf = leaf.read() if isinstance(leaf, Tensor) else leaf
                if not isinstance(leaf, Symbol | Lift):
                    if type(leaf) is ndarray:
                        self.freeze(leaf, None)
                    return leaf
                inputs.append(self.value_of(leaf, leaf))
                return Hole(len(inputs) - 1)

            params = lift(params, lifted)
        avals, many = results_of(op, inputs, params, count)
        position = here(3)
        node = self.graph.add_node(op, tuple(inputs), params, avals, position, count)
        symbols = tuple(Symbol(v.aval, v, self, position) for v in node.outputs)
        return symbols if many else symbols[0]

    def freeze(self, array: Any, copy: Any) -> None:
        """Remember what `array` is now, which the graph holds as a constant."""
        if not any(array is x or array is y for x, y in self.frozen):
            self.frozen.append((array, array.copy() if copy is None else copy))

    def look(self, args: Any, kwargs: Any) -> None:
        """Remember the arrays that a function is given: some of what it reads is a constant then.

        Large ones are operands, or are taken as they are now.
        """
        for x in (*args, *kwargs.values()):
            for part in x if type(x) in (list, tuple) else (x,):
                if type(part) is ndarray and part.nbytes <= _SMALL:
                    self.freeze(part, None)

    def attempt(self, function: Callable[[], Any], names: set[str]) -> Any:
        """What `function` gives, if all that it did is operations of these names; None if not.

        What it traced and recorded is taken back then.
        """
        start = len(self.graph.nodes)
        records = [(tape, len(tape.ops)) for tape in state.tapes]
        try:
            found = function()
        except (TracingError, TypeError, AttributeError, ValueError):
            found = None
        made = self.graph.nodes[start:]
        if found is not None and made and all(node.op.name in names for node in made):
            return found
        del self.graph.nodes[start:]
        for key, (value, _) in list(self.turned.items()):
            if value.node in made:
                del self.turned[key]
        for tape, length in records:
            del tape.ops[length:]
        return None

    def value_of(self, x: Any, source: Any) -> Value:
        """The value of the graph that stands for `x`, which came in as `source`."""
        if type(x) is Symbol:
            if x.trace is self:
                node: Value = x.node
                return node
            if not self.is_part_of(x.trace):
                raise _leaked(x)
            return self._from_outside(x, source)
        if isinstance(x, Lift):
            return self._from_outside(x, source)
        if type(x) is not ndarray:
            if isinstance(x, ndarray):
                refuse_own_arithmetic(x, self.graph.name)
                x = x.view(ndarray)
            elif not isinstance(x, np.generic) and type(x) not in (bool, int, float, complex):
                x = np.asarray(x)
        if type(x) is not ndarray and not (isinstance(source, Tensor) and source.value is x):
            return Constant(aval_of(x), x)
        known = self.behind.get(id(x)) or self.captured.get(id(x))
        if known is None and type(x) is ndarray and x.ndim > 1 and type(x.base) is ndarray:
            value = self._turned(x)
            if value is not None:
                return value
        if known is None:
            held = source if isinstance(source, Tensor) and source.value is x else None
            known = self.captured[id(x)] = (self.graph.add_input(aval_of(x), "captured"), x, held)
        return known[0]

    def _turned(self, x: Any) -> Value | None:
        """The value of an array that is another one with its axes in another order; else None.

        A gradient reads `x.T` of a plain `x`; as an input of its own it would be copied into
        order at every call.
        """
        known = self.turned.get(id(x))
        if known is not None:
            return known[0]
        order = sorted(range(x.ndim), key=lambda axis: -x.strides[axis])
        plain, base = x.transpose(order), x.base
        if x.flags.c_contiguous or (plain.shape, plain.strides, plain.dtype) != (
            base.shape, base.strides, base.dtype
        ):  # fmt: skip
            return None
        if plain.ctypes.data != base.ctypes.data or not base.flags.c_contiguous:
            return None
        value = self.value_of(base, base)
        back = tuple(order.index(axis) for axis in range(x.ndim))
        symbol: Any = np.transpose(Symbol(value.aval, value, self, here(3)), axes=back)
        self.turned[id(x)] = symbol.node, x  # keeps `x`, or its id would be another's
        node: Value = symbol.node
        return node

    def is_part_of(self, other: Any) -> bool:
        parent = self.parent
        return parent is not None and (parent is other or parent.is_part_of(other))

    def _from_outside(self, x: Any, source: Any) -> Value:
        """The input that stands for a symbol, or a lift, of the function around this one."""
        node = id(getattr(x, "node", x))
        held = source if isinstance(source, Tensor) and source.value is x else x
        place = node, getattr(held, "key", 0)
        first = self.captured.get(place)
        known = self.behind.get(node) or first
        if known is None:
            aval = Aval(x.shape, x.dtype, getattr(x, "weak", False))
            known = self.captured[place] = (self.graph.add_input(aval, "captured"), x, held)
        elif first is not None and held is not x and not isinstance(first[2], Tensor):
            # a comparison in a branch took the bare value, which a rule has no gradient of
            self.captured[place] = (first[0], x, held)
        return known[0]

    def custom(self, *arguments: Any) -> Any:
        """A node with a rule of the user's; see `custom.custom_node`."""
        from .custom import custom_node

        return custom_node(*arguments)

    def postpone(self, tensors: Sequence[Any], cts: Sequence[Any]) -> None:
        """From here on, read Variables and Tensors of the function around this one behind `cts`.

        So what is computed again from them is not what was computed before.
        """
        behind = list(map(raw, cts))
        for x in tensors:
            is_variable = isinstance(x, Variable)
            held = self.variable(x) if is_variable else x.read()
            if held.ndim:
                value = self.value_of(held, x)
                later = self.emit(BEHIND, (Symbol(value.aval, value, self, here(3)), *behind), {})
                if is_variable:
                    self.variables[x.key].current = later
                else:
                    self.behind[id(getattr(held, "node", held))] = later.node, held

    def taken(self, x: Any, source: Any) -> Symbol:
        """The input that stands for a lift of a level that this trace began in."""
        value = self.value_of(x, source)
        return Symbol(value.aval, value, self, here(3))

    # ------------------------------------------------------------------ Variables

    def variable(self, variable: Variable) -> Symbol:
        """What is read of `variable` now."""
        held = self.variables.get(variable.key)
        if held is None:
            value = self.graph.add_input(aval_of(variable.value), "variable")
            symbol = Symbol(value.aval, value, self, variable.position)
            held = self.variables[variable.key] = _Held(variable, value, symbol)
        return held.current

    def assign(self, variable: Variable, operation: str, value: Any, ufunc: Any) -> None:
        """`variable` is assigned `value`, or `ufunc(variable, value)`."""
        current = self.variable(variable)
        new = raw(value)
        variable.check_fit(operation, _typical(new))
        if ufunc is not None:
            new = ufunc(current, new)
        if not isinstance(new, Symbol):
            new = np.asarray(new)[()]
        if new.dtype != current.dtype or getattr(new, "weak", False):  # a Python float is weak
            new = new.astype(current.dtype)
        if new.shape != current.shape:
            new = np.broadcast_to(new, current.shape)
        held = self.variables[variable.key]
        held.assigned = self.value_of(new, new)
        first = Symbol(held.source.aval, held.source, self, variable.position)
        held.current = self.emit(ASSIGNED, (first, new), {})

    def states(self, kind: type) -> dict[int, Symbol]:
        """What Variables of a kind hold now, by their keys."""
        return {k: h.current for k, h in self.variables.items() if isinstance(h.variable, kind)}

    def begin_again(self, kind: type, states: dict[int, Symbol]) -> list[tuple[_Held, Any, Any]]:
        """Let Variables of a kind hold what `states` has, or the call began with.

        What they held and were assigned is given back, for whoever puts it in its place again.
        """
        found = []
        for key, held in self.variables.items():
            if isinstance(held.variable, kind):
                found.append((held, held.current, held.assigned))
                first = Symbol(held.source.aval, held.source, self, held.variable.position)
                held.current = states.get(key, first)
        return found

    # ------------------------------------------------------------------ the end

    def finish(self, outputs: list[Any]) -> Traced:
        """The graph that computes `outputs`, which are Tensors or raw values."""
        graph = self.graph
        graph.outputs = [self.value_of(raw(x), x) for x in outputs]
        graph.effects = [
            (held.source, held.assigned)
            for held in self.variables.values()
            if held.assigned is not None
        ]
        returned = Counter(map(id, outputs))
        captured = {id(array) for _, array, _ in self.captured.values()}
        self.turned.clear()  # or what it holds would count as held by others
        aside = {id(x): copy for x, copy in self.frozen if id(x) in captured}
        self.frozen[:] = [pair for pair in self.frozen if id(pair[0]) not in aside]
        constants: dict[Value, Constant] = {}
        objects: dict[Value, Any] = {}
        entries: list[tuple[Value, Any]] = []
        arrays: list[Any] = []
        for key in list(self.captured):
            value, array, held = self.captured.pop(key)
            if isinstance(array, Symbol | Lift):
                objects[value] = held
                continue
            ours = 2 * returned[id(held)] if held is not None else 0  # in `trace`, and `outputs`
            if sys.getrefcount(held) <= TENSOR + ours and not (
                held is not None and 0 < held.key < self.level  # or another name of one from before
            ):
                held = None  # a Tensor that was made while tracing
            entries.append((value, held))
            arrays.append(array)
        array = held = None
        for (value, held), array, is_own in zip(entries, arrays, held_here(arrays), strict=True):
            if held is None and (type(array) is not ndarray or is_own):
                constants[value] = Constant(value.aval, array)
            else:
                objects[value] = array if held is None else held
                if id(array) in aside:
                    self.frozen.append((array, aside[id(array)]))
        for variable in self.variables.values():
            objects[variable.source] = variable.variable
        traced = pruned(graph, constants, objects)
        if self.parent is None and self.frozen:
            traced.frozen = self._of_others(captured)
        return traced

    def _of_others(self, read: set[int]) -> list[tuple[Any, Any]]:
        """The arrays in parameters that somebody else holds too, and may write into.

        Not those that are `read` at each call.
        """
        counts = {id(x): 0 for x, _ in self.frozen}

        def count(leaf: Any) -> Any:
            if type(leaf) is ndarray and id(leaf) in counts:
                counts[id(leaf)] += 1
            return leaf

        for node in self.graph.nodes:
            if node.params:
                lift(node.params, count)
        found = []
        for pair in self.frozen:
            x = pair[0]
            # the list, x, and the argument of getrefcount
            is_read = id(x) in read and not counts[id(x)]
            if not is_read and (x.base is not None or sys.getrefcount(x) > counts[id(x)] + 3):
                found.append(pair)
        return found


def trace(
    function: Callable[..., Any], avals: Sequence[Aval], name: str, is_part: bool = False
) -> tuple[Traced, Any]:
    """(the graph of `function`, its result with symbols) for arguments of these avals.

    `function` is called with one Tensor per aval. The leaves of its result that are Tensors,
    arrays or NumPy scalars are the outputs, in the order of `flatten`. What `is_part` of a
    function, a loop or a branch, has its effects for each example of the `vmap` calls around.
    """
    around: Any = state.tapes[0] if state.tapes and state.tapes[0].is_trace else None
    made = Trace(name, around)
    if is_part:
        made.part = part_of(None if around is None else around.part)
    position = here()
    arguments = []
    for aval in avals:
        value = made.graph.add_input(aval, "argument")
        arguments.append(new_traced(Symbol(aval, value, made, position)))
    with made:
        try:
            result = function(*arguments)
        except ValueError as error:
            hidden = asked_for(error)
            if hidden is error:
                raise
            raise hidden from None
        leaves, rebuild = flatten(result)
        del result  # `finish` counts who holds a result
        for leaf in leaves:
            if isinstance(leaf, set | frozenset) and any(map(is_output, leaf)):
                raise in_a_set(name, _place())
        for leaf in leaves:
            if is_output(leaf):
                raw(leaf)  # a view settles, a Variable is read
        outputs = [
            new_tensor(raw(leaf)) if isinstance(leaf, Variable) else leaf
            for leaf in leaves
            if is_output(leaf)
        ]
        arguments = leaf = None  # type: ignore[assignment]
        return made.finish(outputs), rebuild(leaves)


def is_output(leaf: Any) -> bool:
    """Whether a leaf of a function's result is an output of its graph; else it is static."""
    return isinstance(leaf, Tensor | ndarray | np.generic | Symbol)


def replay(
    graph: Graph, arguments: Sequence[Any], results: Sequence[Value] | None = None
) -> list[Any]:
    """The outputs of `graph` as Tensors, computed by its cards, so that tapes can follow them.

    Under a trace, this copies the graph into it. `results` are other values than the outputs.
    Inside `silent()`, loops and branches of the graph print nothing either, when they are run.
    """
    known: dict[Value, Any] = {}
    for value, given in zip(graph.inputs, arguments, strict=True):
        known[value] = as_weak(given) if value.aval.weak else given

    def read(value: Value) -> Any:
        return value.data if isinstance(value, Constant) else known[value]

    around: Any = state.tapes[0] if state.tapes else None
    copied = around.graph.nodes if around is not None and around.is_trace else []
    for node in graph.nodes:
        values = [read(v) for v in node.inputs]
        operands = values[: node.operands]
        params = fill(node.params, [raw(v) for v in values])
        start = len(copied)
        if state.is_silent and node.op.name in CONTROL:
            params = {**params, "quiet": True}
        if node.op.kind == "plain":
            found = node.op.impl(*map(raw, operands), **params)
            if node.op == STOP:
                found = still(found)
        elif node.op.again is not None and is_followed(operands):
            found = node.op.again(operands)
        else:
            found = apply(node.op, tuple(operands), params)
        parts = found if type(found) in (tuple, list) else (found,)
        for value, part in zip(node.outputs, parts, strict=True):
            if value.aval.weak:
                part = as_weak(part)
            elif not isinstance(part, Tensor):
                part = new_traced(np_scalar(part))
            known[value] = part
        for made in copied[start:]:  # the user's line stays where it was
            made.position = node.position or made.position
    return [read(v) for v in (graph.outputs if results is None else results)]


def is_followed(operands: Sequence[Any]) -> bool:
    """Whether a tape follows one of `operands`."""
    return any(
        isinstance(x, Tensor) and any(x.key in tape.tracked for tape in state.tapes)
        for x in operands
    )


def np_scalar(x: Any) -> Any:
    """`x` as a Tensor holds it: 0-d arrays and Python numbers are NumPy scalars."""
    if isinstance(x, Symbol | Lift) or (type(x) is ndarray and x.ndim):
        return x
    return np.asarray(x)[()]


# ------------------------------------------------------------------------------------ helpers


def _mentions(params: Any) -> bool:
    """Whether a Symbol is among the parameters."""
    found = False

    def look(leaf: Any) -> Any:
        nonlocal found
        found = found or type(raw(leaf)) is Symbol
        return leaf

    lift(params, look)
    return found


def _is_array(x: Any) -> bool:
    return isinstance(x, Symbol | ndarray | np.generic)


def _typical(x: Any) -> Any:
    """An array with the shape and dtype of a symbol; anything else as it is."""
    return np.broadcast_to(np.zeros((), x.dtype), x.shape) if isinstance(x, Symbol) else x


def _place() -> Any:
    return decode(*here(3))


def _leaked(x: Symbol) -> TracingError:
    return TracingError(
        three_part(
            f"A value of an earlier trace is used: {x!r}.",
            f"It was made at {decode(*x.position)}, inside a compiled function that has ended, "
            f"and is used at {_place()}.",
            "Return it from the compiled function; a list or a global that it is put into keeps "
            "no number.",
        )
    )


_SMALL = 1 << 16  # bytes of an array that is looked at for having changed
