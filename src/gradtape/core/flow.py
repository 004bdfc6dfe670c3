"""Where a value that left a tape can go: the bytecode of one code object, followed forwards.

Arithmetic on a plain float reaches no code of ours. But the user's code is there to be read: from
the instruction at which a value left, `Flow` walks all ways that the code can take, and keeps for
each instruction what is tainted there: what lies on the stack, local and global names, parts of
objects (`taint.py`). At a record, the instruction that the frame stands at then tells whether a
constant can hold what left. What leaves by `return` or `yield`, and what was stored into the
caller's objects, goes on in the caller (`into_caller`); what is handed to a function, a closure
or a method goes on in there (`into_callee`).

No value is looked at here, so all of it is kept for the life of the process: once per instruction.

A comparison, an index, a rounding and a query (`len`, `.shape`) are clean: their derivative is 0.
Not followed are: a second name of the same object, handlers of exceptions, what a function that
was called keeps for itself.

`machine.py` is the state before one instruction, `opcodes.py` the step to the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from inspect import CO_GENERATOR, CO_VARARGS, CO_VARKEYWORDS
from types import CodeType
from typing import Any

from . import places
from .machine import CALLS, Machine, Root, Slot
from .opcodes import successors
from .taint import Taint, join, put, whole

_MOST_VISITS = 12  # of each instruction, on average, before it is given up
_CHOOSERS = frozenset(
    ["sorted", "min", "max", "filter", "sort", "groupby", "nlargest", "nsmallest"]
)

State = tuple[tuple[Slot, ...], dict[Root, Taint]]


class Flow:
    """What is tainted before each instruction of `code`, from one instruction or its entry on.

    Attributes
    ----------
    before : dict
        Index of an instruction -> (stack, tainted names). Without an entry nothing is tainted.
    returned : Taint
        What `return` and `yield` hand out.
    exported : dict
        What is tainted in the caller's objects when it returns: roots as in `Machine.names`.
    is_given_up : bool
        Whether the walk took too long.
    """

    __slots__ = ("_callees", "_callers", "_sinks", "before", "code", "exported", "is_given_up",
                 "returned")  # fmt: skip

    def __init__(self, code: CodeType, names: dict[Root, Taint], keep_all: bool = False) -> None:
        self.code = code
        self.before: dict[int, State] = {}
        self.returned: Taint = None
        self.exported: dict[Root, Taint] = {}
        self.is_given_up = False
        self._callees: dict[Any, Any] = {}
        self._callers: dict[Any, Any] = {}
        self._sinks: dict[int, Any] = {}
        todo: list[int] = []
        if names or keep_all:
            self._reach(0, (), names, todo, keep_all)
            self._walk(todo, keep_all)

    def _walk(self, todo: list[int], keep_all: bool = False) -> None:
        instructions = places.instructions_of(self.code)
        left = _MOST_VISITS * len(instructions) + 100
        while todo:
            index = todo.pop()
            left -= 1
            if left < 0:
                self.is_given_up = True
                return
            stack, names = self.before[index]
            self._step(Machine(instructions, index, list(stack), dict(names)), todo, keep_all)

    def _step(self, machine: Machine, todo: list[int], keep_all: bool) -> None:
        for index, stack, names in successors(machine):
            self._reach(index, stack, names, todo, keep_all)
        if machine.is_leaving:
            self.returned = join(self.returned, machine.returned)
            for root, taint in self._outside(machine.names):
                self.exported[root] = join(self.exported.get(root), taint)

    def _reach(
        self, index: int, stack: Any, names: dict[Root, Taint], todo: list[int], keep_all: bool
    ) -> None:
        """Note that the walk comes to `index` in this state; a clean one is not followed."""
        if not keep_all and not names and not any(slot.taint is not None for slot in stack):
            return
        known = self.before.get(index)
        if known is None:
            self.before[index] = (tuple(stack), names)
        else:
            merged = _merged(known, (tuple(stack), names))
            if merged == known:
                return
            self.before[index] = merged
        todo.append(index)

    def _outside(self, names: dict[Root, Taint]) -> Iterator[tuple[Root, Taint]]:
        """The names that others see after the frame has returned."""
        code = self.code
        parameters = _parameters(code)
        for root, taint in names.items():
            scope, name = root
            if scope != "local":
                yield root, taint
            elif name in code.co_freevars:
                yield ("cell", name), taint
            elif name in parameters and type(taint) is tuple:  # written into, not bound anew
                yield root, taint

    # -------------------------------------------------------------------------- asked at a record

    def sink(self, index: int) -> Any:
        """What is tainted of that which instruction `index` computes with.

        ("operands", the two slots), ("value", taint) of an assigned item, or ("arguments", taints,
        taints by name, whether *args or **kwargs are); None where it is nothing.
        """
        if index not in self._sinks:
            self._sinks[index] = self._find_sink(index)
        return self._sinks[index]

    def _find_sink(self, index: int) -> Any:
        machine = self._machine(index)
        if machine is None:
            return None
        name = machine.instruction.opname
        if name == "BINARY_OP":
            right, left = machine.pop(), machine.pop()
            if not machine.is_smooth or not (whole(left.taint) or whole(right.taint)):
                return None
            return "operands", (left, right)
        if name in ("STORE_SUBSCR", "STORE_SLICE"):
            value = machine.peek(3 if name == "STORE_SUBSCR" else 4)
            return ("value", value.taint) if whole(value.taint) else None
        if name in CALLS:
            call = machine.call()
            if not call.is_tainted:
                return None
            return "arguments", [a.taint for a in call.positional], {
                key: a.taint for key, a in call.named.items()}, call.spread  # fmt: skip
        return None

    def _machine(self, index: int) -> Machine | None:
        state = self.before.get(index)
        if state is None:
            return None
        instructions = places.instructions_of(self.code)
        return Machine(instructions, index, list(state[0]), dict(state[1]))

    # --------------------------------------------------------------------------- across frames

    def into_caller(self, caller: CodeType, index: int, direct: bool, same_globals: bool) -> Flow:
        """What goes on in the frame that called this one, from its instruction `index` on.

        `direct` says that no library's frame is in between.
        """
        key = (id(caller), index, direct, same_globals)
        found = self._callers.get(key)
        if found is None:  # the flow keeps its code, so that the id stays taken
            found = self._callers[key] = Flow(caller, {})
            self._enter_caller(found, index, direct, same_globals)
        return found

    def _enter_caller(self, flow: Flow, index: int, direct: bool, same_globals: bool) -> None:
        caller = flow.code
        machine = _machine_at(caller, index)
        call = machine.call() if machine.instruction.opname in CALLS else None
        names: dict[Root, Taint] = {}
        mine: Taint = None
        for root, taint in self.exported.items():
            scope, name = root
            if scope == "global":
                if same_globals:
                    names[root] = taint
            elif scope == "cell":
                owned = name in caller.co_cellvars or name in caller.co_freevars
                names["local" if owned else "cell", name] = taint
            elif direct and call is not None:
                parameter = _parameters(self.code).index(name)
                origin = self._argument(call, parameter, name)
                if origin == "result":
                    mine = taint
                elif origin is not None and origin[0] is not None:
                    names[origin[0]] = put(names.get(origin[0]), origin[1:], taint)
        result = self.returned
        is_generator = bool(self.code.co_flags & CO_GENERATOR)
        if call is not None and call.name in _CHOOSERS and not is_generator:
            result = None  # a key function: what it gives chooses, and is not in the result
        elif not direct or (is_generator and call is not None):
            result = True if whole(result) else None
        machine = _machine_at(caller, index)
        machine.names.update(names)
        machine.result_is(join(result, mine))
        flow._begin(machine)

    def _argument(self, call: Any, parameter: int, name: str) -> Any:
        """Where the caller has what it passed for a parameter: an origin, "result", or None."""
        if _is_method(self.code):
            if parameter == 0:
                return call.owner(self.code.co_name)
            parameter -= 1
        if parameter < len(call.positional):
            return call.positional[parameter].origin
        slot = call.named.get(name)
        return slot.origin if slot is not None else None

    def _begin(self, machine: Machine) -> None:
        """Walk on from a machine that stands at an instruction whose result is tainted."""
        todo: list[int] = []
        self._step(machine, todo, False)
        self._walk(todo)

    def into_callee(
        self, index: int, callee: CodeType, direct: bool, same_globals: bool
    ) -> Flow | None:
        """What is tainted in a frame that the instruction `index` of this one has called."""
        key = (index, id(callee), direct, same_globals)
        if key not in self._callees:
            names = self._names_in_callee(index, callee, direct, same_globals)
            self._callees[key] = callee, entered(callee, names) if names else None
        return self._callees[key][1]  # type: ignore[no-any-return]

    def _names_in_callee(
        self, index: int, callee: CodeType, direct: bool, same_globals: bool
    ) -> dict[Root, Taint]:
        machine = self._machine(index)
        if machine is None:
            return {}
        names: dict[Root, Taint] = {}
        for root, taint in machine.names.items():
            scope, name = root
            if scope == "global":
                if same_globals:
                    names[root] = taint
            elif name in callee.co_freevars and (scope == "cell" or _is_inside(callee, self.code)):
                names["local", name] = taint
            else:
                if scope == "cell":
                    names[root] = taint
        parameters = _parameters(callee)
        operation = machine.instruction.opname
        if operation in CALLS and direct and not callee.co_flags & CO_GENERATOR:
            call = machine.call()
            given = dict(zip(parameters[_is_method(callee) :], call.positional, strict=False))
            taints = {p: slot.taint for p, slot in given.items()}
            taints.update({p: slot.taint for p, slot in call.named.items() if p in parameters})
            if _is_method(callee):
                taints[parameters[0]] = call.receiver_taint(callee.co_name)
            extra = call.positional[len(given) :]
            # what went into *args, or is a default that was made when the function was
            if any(whole(slot.taint) for slot in (*extra, call.callee)) or call.spread:
                rest = [p for p in parameters if p not in taints or call.spread]
                taints.update(dict.fromkeys(rest, True))
        elif operation in ("LOAD_ATTR", "LOAD_METHOD"):  # a property
            owner = machine.peek(1)
            taints = dict.fromkeys(parameters[:1], owner.taint)
        else:
            tainted = machine.takes_tainted()
            taints = dict.fromkeys(parameters[_is_method(callee) :], True) if tainted else {}
        for name, taint in taints.items():
            if taint is not None:
                names["local", name] = taint
        return names


# ------------------------------------------------------------------------------- how to get one


@lru_cache(maxsize=256)
def leaving(code: CodeType, index: int) -> Flow:
    """The flow of a value that leaves a tape inside the instruction `index`."""
    flow = Flow(code, {})
    machine = _machine_at(code, index)
    machine.result_leaves()
    flow._begin(machine)
    return flow


def entered(code: CodeType, names: dict[Root, Taint]) -> Flow:
    """The flow of what is tainted when a function is entered."""
    return _entered(code, tuple(sorted(names.items(), key=repr)))


@lru_cache(maxsize=256)
def _entered(code: CodeType, names: Any) -> Flow:
    return Flow(code, dict(names))


@lru_cache(maxsize=256)
def _plain(code: CodeType) -> Flow:
    """A walk with nothing tainted: what lies on the stack where, and where it comes from."""
    return Flow(code, {}, keep_all=True)


def _machine_at(code: CodeType, index: int) -> Machine:
    state = _plain(code).before.get(index, ((), {}))
    return Machine(places.instructions_of(code), index, list(state[0]), {})


def _merged(a: State, b: State) -> State:
    depth = min(len(a[0]), len(b[0]))
    stack = tuple(
        x if x == y else Slot(
            join(x.taint, y.taint), x.origin if x.origin == y.origin else None, None
        )
        for x, y in zip(a[0][len(a[0]) - depth :], b[0][len(b[0]) - depth :], strict=True)
    )  # fmt: skip
    names = dict(a[1])
    for root, taint in b[1].items():
        names[root] = join(names.get(root), taint)
    return stack, names


@lru_cache(maxsize=1024)
def _parameters(code: CodeType) -> tuple[str, ...]:
    count = code.co_argcount + code.co_kwonlyargcount
    count += bool(code.co_flags & CO_VARARGS) + bool(code.co_flags & CO_VARKEYWORDS)
    return code.co_varnames[:count]


def _is_method(code: CodeType) -> bool:
    return code.co_varnames[:1] in (("self",), ("cls",)) and code.co_argcount > 0


def _is_inside(inner: CodeType, outer: CodeType) -> bool:
    """Whether `inner` is a function written inside `outer`."""
    return any(
        isinstance(const, CodeType) and (const is inner or _is_inside(inner, const))
        for const in outer.co_consts
    )
