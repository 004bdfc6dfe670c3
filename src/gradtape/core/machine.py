"""The state before one instruction, on taints: what is known of the stack and of the names.

A `Slot` says what is tainted of an object (`taint.py`), and where it comes from: `(root,
".attribute", ("[]", key), ...)`, a root being `("local", name)`, `("global", name)`, or None for
what no name leads to. So a write into an object is a write to what its root holds.
"""

from __future__ import annotations

import dis
from types import CodeType
from typing import Any, NamedTuple

from .places import instructions_of
from .taint import Taint, join, put, whole

Root = tuple[str, str]
CALLS = frozenset(["CALL", "CALL_KW", "CALL_FUNCTION_EX"])
NULL: Any = ("NULL",)  # the `const` of what stands beside a callee
_STEPS = frozenset(  # operators that change in jumps, or work on integers
    op + assign for op in ("//", "&", "|", "^", "<<", ">>") for assign in ("", "=")
)


class Slot(NamedTuple):
    """What is known of one object on the stack; `const` is `(value,)` of a constant."""

    taint: Taint = None
    origin: Any = None
    const: Any = None


class Call:
    """A call: its callee and its arguments."""

    __slots__ = ("callee", "named", "positional", "receiver", "spread")

    def __init__(
        self, callee: Slot, receiver: Slot, positional: list[Slot], named: dict[str, Slot],
        spread: bool = False,
    ) -> None:  # fmt: skip
        self.callee = callee
        self.receiver = receiver
        self.positional = positional
        self.named = named
        self.spread = spread  # *args or **kwargs are tainted

    @property
    def name(self) -> str:
        """The last name of the callee; empty if it has none."""
        origin = self.callee.origin
        if origin is None:
            return ""
        last = origin[-1] if len(origin) > 1 else origin[0] and origin[0][1]
        return last.lstrip(".") if type(last) is str else ""

    @property
    def is_tainted(self) -> bool:
        """Whether an argument is."""
        return self.spread or any(
            whole(slot.taint) for slot in (*self.positional, *self.named.values())
        )

    def owner(self, method: str) -> Any:
        """Where the `self` of a method of this name comes from; "result" for a constructor."""
        if method == "__init__":
            return "result"
        origin = self.callee.origin
        return origin if method == "__call__" or origin is None else origin[:-1] or None

    def receiver_taint(self, method: str) -> Taint:
        """The taint of the `self` of a method of this name."""
        if method == "__init__":
            return None
        return self.callee.taint if method == "__call__" else self.receiver.taint


class Machine:
    """The state before one instruction, and its step."""

    __slots__ = ("_forced", "_is_sure", "code", "index", "instruction", "instructions",
                 "is_leaving", "names", "returned", "stack", "walk")  # fmt: skip

    def __init__(
        self, code: CodeType, index: int, stack: list[Slot], names: dict[Root, Taint]
    ) -> None:
        self.code = code
        self.instructions = instructions = instructions_of(code)
        self.index = index
        self.walk: Any = None  # the Flow that asks, which can look into functions
        self.instruction: dis.Instruction = instructions[index]
        self.stack = stack
        self.names = names
        self.is_leaving = False  # by return or yield
        self.returned: Taint = None
        self._forced: Taint = None
        self._is_sure = False

    def result_leaves(self) -> None:
        """Inside this instruction a value leaves a tape: what it computes is tainted."""
        self._forced = True

    def result_is(self, taint: Taint) -> None:
        """What the instruction leaves has this taint, whatever it is called."""
        self._forced, self._is_sure = taint, True

    # ------------------------------------------------------------------------------ the stack

    def pop(self) -> Slot:
        return self.stack.pop() if self.stack else Slot()

    def take(self, count: int) -> list[Slot]:
        """Pop `count` slots; the lowest comes first."""
        return [self.pop() for _ in range(count)][::-1]

    def peek(self, depth: int) -> Slot:
        return self.stack[-depth] if len(self.stack) >= depth else Slot()

    def push(self, taint: Taint = None, origin: Any = None, const: Any = None) -> None:
        self.stack.append(Slot(taint, origin, const))

    def result(self, taint: Taint, origin: Any = None) -> None:
        """Push what the instruction computed."""
        if self._is_sure:
            taint = self._forced
        elif self._forced is not None:
            taint = True
        self.push(taint, origin)

    def clean(self) -> None:
        """Push a result that has no derivative."""
        self.push(self._forced if self._is_sure else None)

    def is_tainted(self, *slots: Slot) -> bool:
        return self._forced is not None or any(whole(slot.taint) for slot in slots)

    @property
    def is_known(self) -> bool:
        """Whether it is known what the instruction leaves."""
        return self._is_sure or self._forced is not None

    @property
    def is_smooth(self) -> bool:
        """Of a BINARY_OP: whether it has a derivative."""
        return self.instruction.argrepr not in _STEPS

    # ------------------------------------------------------------------------------ names

    def load(self, scope: str, name: str) -> None:
        root = scope, name
        self.push(self.names.get(root), (root,))

    def store(self, scope: str, name: str, slot: Slot) -> None:
        root = scope, name
        if slot.taint is None:
            self.names.pop(root, None)
        else:
            self.names[root] = slot.taint
        if self.stack and self.stack[-1] is slot:  # `f(y := np.zeros(2))`
            self.stack[-1] = slot._replace(origin=(root,))

    def write(self, owner: Slot, key: Any, taint: Taint) -> None:
        """`taint` is stored at `key` in the object `owner`."""
        if not owner.origin or owner.origin[0] is None:
            return
        root, *path = owner.origin
        held = put(self.names.get(root), (*path, key), taint)
        if held is None:
            self.names.pop(root, None)
        else:
            self.names[root] = held

    def clear(self, owner: Slot) -> None:
        """Nothing that was stored in the object `owner` is left."""
        if not owner.origin or owner.origin[0] is None:
            return
        root, *path = owner.origin
        if root in self.names:
            held = put(self.names[root], tuple(path), None)
            if held is None:
                del self.names[root]
            else:
                self.names[root] = held

    # ------------------------------------------------------------------------------ leaving

    def takes_tainted(self) -> bool:
        """Whether anything is tainted that the instruction may hand to a function."""
        if self.instruction.opname in CALLS:
            call = self.call()
            return call.is_tainted or whole(call.callee.taint)
        net = dis.stack_effect(self.instruction.opcode, self.instruction.arg, jump=False)
        return any(whole(slot.taint) for slot in self.take(max(1, 1 - net)))

    def leave(self, taint: Taint) -> None:
        self.is_leaving = True
        self.returned = join(self.returned, taint)

    # ------------------------------------------------------------------------------ calls

    def call(self) -> Call:
        """Take a call's callee and arguments from the stack."""
        ins = self.instruction
        arg = ins.arg or 0
        if ins.opname == "CALL_FUNCTION_EX":
            given = self.take(1 + (arg & 1))
            spread = any(whole(slot.taint) for slot in given)
            callee, receiver = self._callee()
            return Call(callee, receiver or Slot(), [], {}, spread)
        keywords: tuple[str, ...] = ()
        if ins.opname == "CALL_KW":  # 3.13
            keywords = (self.pop().const or ((),))[0]
        else:
            for before in (1, 2):  # 3.11 has PRECALL in between
                previous = self.instructions[self.index - before]
                if previous.opname == "KW_NAMES":
                    keywords = previous.argval
                    break
                if previous.opname != "PRECALL":
                    break
        given = self.take(arg)
        split = len(given) - len(keywords)
        callee, receiver = self._callee()
        positional = given[:split]
        if receiver is not None and callee.origin is None:  # a comprehension and its iterator
            positional.insert(0, receiver)
        return Call(callee, receiver or Slot(), positional,
                    dict(zip(keywords, given[split:], strict=False)))  # fmt: skip

    def _callee(self) -> tuple[Slot, Slot | None]:
        """NULL and the callee (3.13: the callee and NULL), or a method and its object."""
        first, second = self.take(2)
        if first.const is NULL:
            return second, None
        return first, None if second.const is NULL else second
