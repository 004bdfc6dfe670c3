"""Where a value that left a tape can go: the bytecode of one code object, followed forwards.

Arithmetic on a plain float reaches no code of ours. But the user's code is there to be read: from
the instruction at which a value left, `Flow` walks all ways that the code can take, and keeps for
each instruction what is tainted there: what lies on the stack, local and global names, parts of
objects (`taint.py`). At a record, the instruction that the frame stands at then tells whether a
constant can hold what left. What leaves by `return` or `yield`, and what was stored into the
caller's objects, goes on in the caller (`into_caller`); what is handed to a function, a closure
or a method goes on in there (`into_callee`).

A function of the user's that is called meanwhile is looked into as well (`scope.py` finds it). No
number is looked at, so a walk is used again as long as the names lead to the same functions.

A comparison, an index, a rounding and a query (`len`, `.shape`) are clean: their derivative is 0.
Not followed are: a second name of the same object, handlers of exceptions, what a library's
function keeps for itself.

`machine.py` is the state before one instruction, `opcodes.py` the step to the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE, CO_GENERATOR
from types import CodeType
from typing import Any, NamedTuple

from . import places
from .calls import bound, come_back, origins, outer_names, parameters_of
from .machine import CALLS, Call, Machine, Root, Slot
from .opcodes import successors
from .scope import Known, Scope
from .taint import Taint, join, made, whole

_MOST_VISITS = 12  # of each instruction, on average, before it is given up
_CHOOSERS = frozenset(
    ["sorted", "min", "max", "filter", "sort", "groupby", "nlargest", "nsmallest"]
)
_DEEPEST = 4  # calls within calls that are looked into
_KEPT = 1024  # flows that are kept to be used again

State = tuple[tuple[Slot, ...], dict[Root, Taint]]


class _Looked(NamedTuple):
    """A function that was looked into, or could not be: for the next time the flow is used."""

    origin: Any
    attribute: str  # of a property; empty for a call
    code: CodeType | None
    passed: dict[str, Any]
    flow: Flow | None


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

    __slots__ = ("_callees", "_callers", "_depth", "_has_scope", "_looked", "_scope", "_sinks",
                 "before", "code", "exported", "is_given_up", "returned")  # fmt: skip

    def __init__(self, code: CodeType, scope: Scope | None = None, depth: int = 0) -> None:
        self.code = code
        self.before: dict[int, State] = {}
        self.returned: Taint = None
        self.exported: dict[Root, Taint] = {}
        self.is_given_up = False
        self._scope = scope  # only while it walks: it has a frame
        self._has_scope = scope is not None
        self._depth = depth
        self._looked: dict[Any, _Looked] = {}
        self._callees: dict[Any, Any] = {}
        self._callers: dict[Any, list[Flow]] = {}
        self._sinks: dict[int, Any] = {}

    # ------------------------------------------------------------------------------ the walk

    def enter(self, names: dict[Root, Taint], keep_all: bool = False) -> Flow:
        """Walk from the first instruction on, with these names tainted."""
        todo: list[int] = []
        self._reach(0, (), names, todo, keep_all)
        return self._walk(todo, keep_all)

    def begin(self, machine: Machine) -> Flow:
        """Walk on from a machine that stands at an instruction whose result is tainted."""
        todo: list[int] = []
        self._step(machine, todo, False)
        return self._walk(todo, False)

    def _walk(self, todo: list[int], keep_all: bool) -> Flow:
        left = _MOST_VISITS * len(places.instructions_of(self.code)) + 100
        while todo and not self.is_given_up:
            index = todo.pop()
            left -= 1
            self.is_given_up = left < 0
            stack, names = self.before[index]
            self._step(Machine(self.code, index, list(stack), dict(names)), todo, keep_all)
        self._scope = None
        return self

    def _step(self, machine: Machine, todo: list[int], keep_all: bool) -> None:
        machine.walk = None if keep_all else self
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
        parameters = parameters_of(code)
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
        return Machine(self.code, index, list(state[0]), dict(state[1]))

    # ------------------------------------------------------------------- into functions, unseen

    def look_into(self, machine: Machine, call: Call) -> tuple[Taint] | None:
        """What a function of the user's returns, which is about to be called; None if unknown.

        What it writes into its arguments is tainted in `machine`.
        """
        if self._depth >= _DEEPEST:
            return None
        origin, const = call.callee.origin, call.callee.const
        if not (machine.names or call.is_tainted or call.callee.taint or call.receiver.taint):
            return None
        known: Known | None = None
        if const is not None and isinstance(const[0], CodeType):  # written in this place
            code, scope, same_globals = const[0], None, True
        else:
            known = self._scope.callee_of(origin) if self._scope is not None else None
            if known is None or known.code.co_flags & (CO_COROUTINE | CO_ASYNC_GENERATOR):
                self._looked[origin, ""] = _Looked(origin, "", None, {}, None)
                return None
            assert self._scope is not None
            code, same_globals = known.code, known.function.__globals__ is self._scope.globals
        passed = origins(call, code)
        names = outer_names(machine.names, self.code, code, same_globals)
        names = {r: t for r, t in names.items() if r[0] != "global" or r[1] in code.co_names}
        names.update({("local", p): taint for p, taint in bound(call, code).items()})
        if known is not None:
            assert self._scope is not None
            scope = self._scope.inside(known, passed)
        flow = entered(code, names, scope, self._depth + 1) if names else None
        if known is not None:
            self._looked[origin, ""] = _Looked(origin, "", code, passed, flow)
        if flow is None:
            return (None,)
        if flow.is_given_up:
            return None
        result = flow.returned
        if code.co_flags & CO_GENERATOR:
            result = made([("each", result)])
        return (join(result, come_back(flow.exported, machine, passed, same_globals)),)

    def look_at(self, owner: Slot, name: str) -> Taint:
        """The taint of a property of the user's."""
        if self._scope is None or self._depth >= _DEEPEST:
            return None
        known = self._scope.property_of(owner.origin, name)
        if known is None or not known.code.co_argcount:
            self._looked[owner.origin, name] = _Looked(owner.origin, name, None, {}, None)
            return None
        names = {("local", known.code.co_varnames[0]): owner.taint}
        flow = entered(known.code, names, self._scope.inside(known, {}), self._depth + 1)
        self._looked[owner.origin, name] = _Looked(owner.origin, name, known.code, {}, flow)
        return flow.returned

    def fits(self, scope: Scope | None) -> bool:
        """Whether the names that were looked up lead to the same functions in `scope`."""
        if (scope is not None) is not self._has_scope:
            return False
        if scope is None or not self._looked:
            return True
        for looked in self._looked.values():
            if looked.attribute:
                known = scope.property_of(looked.origin, looked.attribute)
            else:
                known = scope.callee_of(looked.origin)
            if (known and known.code) is not looked.code:
                return False
            if looked.flow is not None:
                assert known is not None
                if not looked.flow.fits(scope.inside(known, looked.passed)):
                    return False
        return True

    # --------------------------------------------------------------------------- across frames

    def into_caller(
        self, caller: CodeType, index: int, scope: Scope, direct: bool, same_globals: bool
    ) -> Flow:
        """What goes on in the frame that called this one, from its instruction `index` on.

        `direct` says that no library's frame is in between.
        """
        flows = self._callers.setdefault((id(caller), index, direct, same_globals), [])
        found = _fitting(flows, caller, scope)
        if found is None:
            machine = _machine_at(caller, index)
            is_call = machine.instruction.opname in CALLS
            call = machine.call() if is_call else None
            passed = origins(call, self.code) if call is not None and direct else {}
            machine = _machine_at(caller, index)
            own = come_back(self.exported, machine, passed, same_globals)
            machine.result_is(join(self._result_in(call, direct), own))
            found = Flow(caller, scope).begin(machine)
            _keep(flows, found)
        return found

    def _result_in(self, call: Call | None, direct: bool) -> Taint:
        """The taint of an instruction that has called this function, or something that did."""
        is_generator = bool(self.code.co_flags & CO_GENERATOR)
        if call is not None and call.name in _CHOOSERS and not is_generator:
            return None  # a key function: what it gives chooses, and is not in the result
        if not direct or (is_generator and call is not None):
            return whole(self.returned) or None
        return self.returned

    def into_callee(
        self, index: int, callee: CodeType, scope: Scope, direct: bool, same_globals: bool
    ) -> Flow | None:
        """What is tainted in a frame that the instruction `index` of this one has called."""
        key = (index, id(callee), direct, same_globals)
        known = self._callees.get(key)
        if known is None or known[0] is not callee:
            names = self._names_in_callee(index, callee, direct, same_globals)
            known = self._callees[key] = callee, names, []
        _, names, flows = known
        if not names:
            return None
        found = _fitting(flows, callee, scope)
        if found is None:
            found = entered(callee, names, scope)
            _keep(flows, found)
        return found

    def _names_in_callee(
        self, index: int, callee: CodeType, direct: bool, same_globals: bool
    ) -> dict[Root, Taint]:
        machine = self._machine(index)
        if machine is None:
            return {}
        names = outer_names(machine.names, self.code, callee, same_globals)
        operation = machine.instruction.opname
        parameters = parameters_of(callee)
        if operation in CALLS and direct and not callee.co_flags & CO_GENERATOR:
            taints = bound(machine.call(), callee)
        elif operation in ("LOAD_ATTR", "LOAD_METHOD"):  # a property
            taints = dict.fromkeys(parameters[:1], machine.peek(1).taint)
        else:
            taints = dict.fromkeys(parameters, True) if machine.takes_tainted() else {}
        names.update({("local", p): taint for p, taint in taints.items() if taint is not None})
        return names


# ------------------------------------------------------------------------------- how to get one

_LEAVING: dict[Any, list[Flow]] = {}
_ENTERED: dict[Any, list[Flow]] = {}


def leaving(code: CodeType, index: int, scope: Scope | None = None) -> Flow:
    """The flow of a value that leaves a tape inside the instruction `index`."""
    flows = _flows(_LEAVING, (id(code), index))
    found = _fitting(flows, code, scope)
    if found is None:
        machine = _machine_at(code, index)
        machine.result_leaves()
        found = Flow(code, scope).begin(machine)
        _keep(flows, found)
    return found


def entered(
    code: CodeType, names: dict[Root, Taint], scope: Scope | None = None, depth: int = 0
) -> Flow:
    """The flow of what is tainted when a function is entered."""
    flows = _flows(_ENTERED, (id(code), depth, tuple(sorted(names.items(), key=repr))))
    found = _fitting(flows, code, scope)
    if found is None:
        found = Flow(code, scope, depth).enter(names)
        _keep(flows, found)
    return found


def _flows(table: dict[Any, list[Flow]], key: Any) -> list[Flow]:
    if key not in table:
        if len(table) >= _KEPT:
            table.clear()
        table[key] = []
    return table[key]


def _fitting(flows: list[Flow], code: CodeType, scope: Scope | None) -> Flow | None:
    for flow in flows:
        if flow.code is code and flow.fits(scope):
            return flow
    return None


def _keep(flows: list[Flow], flow: Flow) -> None:
    del flows[:-3]  # names can stand for other functions each time
    flows.append(flow)


@lru_cache(maxsize=256)
def _plain(code: CodeType) -> Flow:
    """A walk with nothing tainted: what lies on the stack where, and where it comes from."""
    return Flow(code).enter({}, keep_all=True)


def _machine_at(code: CodeType, index: int) -> Machine:
    state = _plain(code).before.get(index, ((), {}))
    return Machine(code, index, list(state[0]), {})


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
