"""One step of bytecode on taints: `successors` gives the states after an instruction.

Opcodes are those of CPython 3.11 to 3.13. One that has no handler takes and leaves what
`dis.stack_effect` says, and what it leaves is tainted if anything that it took was.
"""

from __future__ import annotations

import dis
from collections.abc import Callable, Iterator
from typing import Any

from .effects import CLEAN, returned, write
from .machine import CALLS, NULL, Machine, Root, Slot
from .taint import Taint, attribute, item, join, made, put, subscript, whole

_JUMPS = frozenset(dis.hasjrel) | frozenset(dis.hasjabs)
_ALWAYS = frozenset(["JUMP_FORWARD", "JUMP_BACKWARD", "JUMP_BACKWARD_NO_INTERRUPT"])
_ENDS = frozenset(["RETURN_VALUE", "RETURN_CONST", "RAISE_VARARGS", "RERAISE", "INTERPRETER_EXIT"])
_NOTHING = frozenset(
    ["CACHE", "NOP", "RESUME", "PRECALL", "KW_NAMES", "EXTENDED_ARG", "MAKE_CELL",
     "COPY_FREE_VARS", "SETUP_ANNOTATIONS", "CONVERT_VALUE", "NOT_TAKEN"]
)  # fmt: skip
_POPS = ("POP_", "END_FOR", "DELETE_", "STORE_", "JUMP_IF_", "RETURN_", "RAISE_", "RERAISE")


def successors(machine: Machine) -> Iterator[tuple[int, list[Slot], dict[Root, Taint]]]:
    """(index, stack, names) of each instruction that can come next."""
    ins = machine.instruction
    name = ins.opname
    if ins.opcode in _JUMPS:
        stack = list(machine.stack)
        effect = dis.stack_effect(ins.opcode, ins.arg, jump=True)
        if effect < 0:
            del stack[effect:]
        stack += [Slot()] * effect
        yield _index_of(machine.instructions, ins.argval), stack, dict(machine.names)
        if name in _ALWAYS:
            return
    _HANDLERS.get(name, _generic)(machine, ins)
    if name not in _ENDS and machine.index + 1 < len(machine.instructions):
        yield machine.index + 1, machine.stack, machine.names


def _index_of(instructions: Any, offset: int) -> int:
    """The instruction at an offset, or the next one: jumps go to what comes before an opcode."""
    low, high = 0, len(instructions)
    while low < high:
        middle = (low + high) // 2
        if instructions[middle].offset < offset:
            low = middle + 1
        else:
            high = middle
    return low


def _generic(machine: Machine, ins: dis.Instruction) -> None:
    net = dis.stack_effect(ins.opcode, ins.arg, jump=False)
    if ins.opname.startswith(_POPS):
        machine.take(-net)
        return
    taken = machine.take(0 if net > 0 else 1 - net)
    machine.result(any(whole(slot.taint) for slot in taken) or None)
    for _ in range(net - 1):
        machine.push()


def _load_attribute(machine: Machine, ins: dis.Instruction) -> None:
    owner = machine.pop()
    origin = (*(owner.origin or (None,)), f".{ins.argval}")
    taint = attribute(owner.taint, str(ins.argval))
    if taint is None and type(owner.taint) is tuple and machine.walk is not None:
        taint = machine.walk.look_at(owner, str(ins.argval))
    machine.result(taint, origin if len(origin) < 8 else None)
    if ins.opname == "LOAD_METHOD" or (ins.opname == "LOAD_ATTR" and _pushes_self(ins)):
        machine.push(owner.taint, owner.origin)


def _pushes_self(ins: dis.Instruction) -> bool:
    return dis.stack_effect(ins.opcode, ins.arg) == 1


def _load_global(machine: Machine, ins: dis.Instruction) -> None:
    has_null = bool((ins.arg or 0) & 1)
    if has_null and not _NULL_IS_LAST:
        machine.push(const=NULL)
    machine.load("global", str(ins.argval))
    if has_null and _NULL_IS_LAST:
        machine.push(const=NULL)


_NULL_IS_LAST = "CALL_KW" in dis.opmap  # 3.13


def _load_const(machine: Machine, ins: dis.Instruction) -> None:
    machine.push(const=(ins.argval,))


def _load(scope: str) -> Callable[[Machine, dis.Instruction], None]:
    def handler(machine: Machine, ins: dis.Instruction) -> None:
        names = ins.argval if isinstance(ins.argval, tuple) else (ins.argval,)
        for name in names:  # two of them: 3.13
            machine.load(scope, str(name))

    return handler


def _store(scope: str) -> Callable[[Machine, dis.Instruction], None]:
    def handler(machine: Machine, ins: dis.Instruction) -> None:
        names = ins.argval if isinstance(ins.argval, tuple) else (ins.argval,)
        for name in names:
            machine.store(scope, str(name), machine.pop())

    return handler


def _store_load(machine: Machine, ins: dis.Instruction) -> None:  # 3.13
    stored, loaded = ins.argval
    machine.store("local", stored, machine.pop())
    machine.load("local", loaded)


def _forget(scope: str) -> Callable[[Machine, dis.Instruction], None]:
    def handler(machine: Machine, ins: dis.Instruction) -> None:
        machine.names.pop((scope, str(ins.argval)), None)

    return handler


def _store_attribute(machine: Machine, ins: dis.Instruction) -> None:
    value, owner = machine.take(2)
    machine.write(owner, f".{ins.argval}", value.taint)


def _store_item(machine: Machine, ins: dis.Instruction) -> None:
    value, owner, *key = machine.take(4 if ins.opname == "STORE_SLICE" else 3)
    taint = True if machine.is_tainted() else value.taint
    consts = [slot.const for slot in key]
    if taint is None and consts in _EVERYWHERE:  # `y[:] = 0` overwrites what was stored before
        machine.clear(owner)
    else:
        part = subscript(consts[0]) if len(key) == 1 else "*"
        machine.write(owner, part, taint)


_ALL: Any = ("[:]",)
_EVERYWHERE: tuple[Any, ...] = ([_ALL], [(...,)], [(None,), (None,)])


def _slice(machine: Machine, ins: dis.Instruction) -> None:
    bounds = machine.take(ins.arg or 2)
    machine.push(const=_ALL if all(slot.const == (None,) for slot in bounds) else None)


def _item(machine: Machine, ins: dis.Instruction) -> None:
    owner, *key = machine.take(3 if ins.opname == "BINARY_SLICE" else 2)
    part = subscript(key[0].const) if len(key) == 1 else "*"
    origin = (*owner.origin, part) if owner.origin and len(owner.origin) < 7 else None
    machine.result(item(owner.taint, part), origin)


def _binary(machine: Machine, ins: dis.Instruction) -> None:
    left, right = machine.take(2)
    if machine.is_smooth:
        machine.result(machine.is_tainted(left, right) or None)
    else:
        machine.clean()


def _compare(machine: Machine, _ins: dis.Instruction) -> None:
    machine.take(2)
    machine.clean()


def _truth(machine: Machine, _ins: dis.Instruction) -> None:
    machine.pop()
    machine.clean()


def _text(machine: Machine, ins: dis.Instruction) -> None:
    machine.take(1 - dis.stack_effect(ins.opcode, ins.arg))
    machine.push()


def _build(machine: Machine, ins: dis.Instruction) -> None:
    parts = machine.take(ins.arg or 0)
    if ins.opname == "BUILD_SET" or len(parts) > 32:
        machine.result(made(("*", slot.taint) for slot in parts))
    else:
        machine.result(made((("[]", i), slot.taint) for i, slot in enumerate(parts)))


def _build_map(machine: Machine, ins: dis.Instruction) -> None:
    if ins.opname == "BUILD_CONST_KEY_MAP":
        keys = [(key,) for key in (machine.pop().const or ((),))[0]]
        values = machine.take(ins.arg or 0)
    else:
        parts = machine.take(2 * (ins.arg or 0))
        keys, values = [slot.const for slot in parts[::2]], parts[1::2]
    machine.result(
        made((subscript(key), slot.taint) for key, slot in zip(keys, values, strict=False))
    )


def _grow(machine: Machine, ins: dis.Instruction) -> None:
    """LIST_APPEND and its kin: a container deeper in the stack takes what is on top."""
    name = ins.opname
    *_, value = machine.take(2 if name == "MAP_ADD" else 1)
    taint = True if machine.is_tainted() else value.taint
    depth = ins.arg or 1
    if taint is None or len(machine.stack) < depth:
        return
    held = machine.stack[-depth]
    if name in ("DICT_UPDATE", "DICT_MERGE"):
        grown = join(held.taint, taint)
    elif name in ("LIST_EXTEND", "SET_UPDATE"):
        grown = put(held.taint, ("*",), item(taint, "*"))
    else:
        grown = put(held.taint, ("*",), taint)
    machine.stack[-depth] = held._replace(taint=grown)


def _iterate(machine: Machine, _ins: dis.Instruction) -> None:
    machine.result(machine.pop().taint)


def _next(machine: Machine, _ins: dis.Instruction) -> None:
    machine.result(item(machine.peek(1).taint, "*"))


def _send(machine: Machine, _ins: dis.Instruction) -> None:
    """One turn of `yield from`."""
    machine.pop()
    machine.result(item(machine.peek(1).taint, "*"))


def _make_function(machine: Machine, ins: dis.Instruction) -> None:
    """A function has the taint of its defaults, and one that is an expression of its closure.

    The others are looked into when they are called.
    """
    if ins.opname == "MAKE_FUNCTION":
        code = machine.pop()
        kinds = [kind for kind in (1, 2, 4, 8) if (ins.arg or 0) & kind]
        taint, attributes = None, machine.take(len(kinds))
    else:  # 3.13: one by one
        value, code = machine.take(2)
        taint, attributes, kinds = code.taint, [value], [ins.arg or 0]
    is_expression = code.const is not None and code.const[0].co_name.startswith("<")
    for kind, slot in zip(kinds, attributes, strict=True):
        if kind in (1, 2) or (kind == 8 and is_expression):
            taint = join(taint, whole(slot.taint) or None)
    machine.push(taint, None, code.const)


def _unpack(machine: Machine, ins: dis.Instruction) -> None:
    taint, arg = machine.pop().taint, ins.arg or 0
    if ins.opname == "UNPACK_EX":
        before, after = arg & 0xFF, arg >> 8
        parts = ["*"] * (after + 1) + [("[]", i) for i in reversed(range(before))]
    else:
        parts = [("[]", i) for i in reversed(range(arg))]
    for part in parts:
        machine.result(item(taint, part))


def _copy(machine: Machine, ins: dis.Instruction) -> None:
    machine.stack.append(machine.peek(ins.arg or 1))


def _swap(machine: Machine, ins: dis.Instruction) -> None:
    depth, stack = ins.arg or 1, machine.stack
    stack[:0] = [Slot() for _ in range(depth - len(stack))]
    stack[-1], stack[-depth] = stack[-depth], stack[-1]


def _return(machine: Machine, _ins: dis.Instruction) -> None:
    machine.leave(machine.pop().taint)


def _return_const(machine: Machine, _ins: dis.Instruction) -> None:
    machine.leave(None)


def _yield(machine: Machine, _ins: dis.Instruction) -> None:
    machine.leave(machine.pop().taint)
    machine.push()


def _with(machine: Machine, _ins: dis.Instruction) -> None:
    taint = machine.pop().taint
    machine.push()
    machine.result(taint)


def _call(machine: Machine, _ins: dis.Instruction) -> None:
    call = machine.call()
    if machine.walk is not None and not machine.is_known:
        found = machine.walk.look_into(machine, call)
        if found is not None:  # the user's own function
            machine.push(found[0])
            return
    if call.name in CLEAN:
        machine.clean()
        return
    if machine.is_tainted() or call.is_tainted:
        write(machine, call)
    elif call.name == "fill" and call.callee.origin is not None:
        machine.clear(Slot(None, call.callee.origin[:-1]))
    machine.result(returned(call))


def _nothing(_machine: Machine, _ins: dis.Instruction) -> None:
    """Of the stack nothing is taken."""


_HANDLERS: dict[str, Callable[[Machine, dis.Instruction], None]] = {
    "LOAD_CONST": _load_const, "LOAD_GLOBAL": _load_global,
    "PUSH_NULL": lambda machine, _: machine.push(const=NULL),
    "LOAD_ATTR": _load_attribute, "LOAD_METHOD": _load_attribute,
    "STORE_FAST_LOAD_FAST": _store_load, "STORE_ATTR": _store_attribute,
    "STORE_SUBSCR": _store_item, "STORE_SLICE": _store_item,
    "BINARY_SUBSCR": _item, "BINARY_SLICE": _item, "BINARY_OP": _binary,
    "COMPARE_OP": _compare, "IS_OP": _compare, "CONTAINS_OP": _compare,
    "UNARY_NOT": _truth, "TO_BOOL": _truth,
    "FORMAT_VALUE": _text, "FORMAT_SIMPLE": _text, "FORMAT_WITH_SPEC": _text,
    "BUILD_STRING": _text, "BUILD_SLICE": _slice,
    "BUILD_LIST": _build, "BUILD_TUPLE": _build, "BUILD_SET": _build,
    "BUILD_MAP": _build_map, "BUILD_CONST_KEY_MAP": _build_map,
    "GET_ITER": _iterate, "GET_YIELD_FROM_ITER": _iterate, "FOR_ITER": _next,
    "UNPACK_SEQUENCE": _unpack, "UNPACK_EX": _unpack, "COPY": _copy, "SWAP": _swap,
    "RETURN_VALUE": _return, "RETURN_CONST": _return_const, "YIELD_VALUE": _yield,
    "BEFORE_WITH": _with, "SEND": _send,
    "MAKE_FUNCTION": _make_function, "SET_FUNCTION_ATTRIBUTE": _make_function,
}  # fmt: skip
_HANDLERS.update(dict.fromkeys(CALLS, _call))
_HANDLERS.update(dict.fromkeys(_NOTHING, _nothing))
_HANDLERS.update(dict.fromkeys(
    ["LIST_APPEND", "SET_ADD", "MAP_ADD", "LIST_EXTEND", "SET_UPDATE", "DICT_UPDATE", "DICT_MERGE"],
    _grow))  # fmt: skip
for _suffix, _scope in (("FAST", "local"), ("DEREF", "local"), ("NAME", "global")):
    _HANDLERS[f"LOAD_{_suffix}"] = _load(_scope)
    _HANDLERS[f"STORE_{_suffix}"] = _store(_scope)
    _HANDLERS[f"DELETE_{_suffix}"] = _forget(_scope)
_HANDLERS.update(dict.fromkeys(
    ["LOAD_CLOSURE", "LOAD_FAST_CHECK", "LOAD_FAST_AND_CLEAR", "LOAD_FAST_LOAD_FAST",
     "LOAD_CLASSDEREF"],
    _load("local")))  # fmt: skip
_HANDLERS["STORE_FAST_STORE_FAST"] = _store("local")
_HANDLERS["STORE_GLOBAL"] = _store("global")
_HANDLERS["DELETE_GLOBAL"] = _forget("global")
