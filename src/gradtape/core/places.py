"""What the user's code does at an instruction: the callee, the container, the source text.

A value that leaves a tape reaches us as a bare `__float__` or `__array__`. The instruction that
the user's frame stands at tells the rest: `y[0] = x` is a STORE_SUBSCR, `math.sin(x)` a CALL whose
callee was loaded as `math` and `sin`. The instructions before it are walked backwards by their
effect on the stack; where that is not possible (a conditional expression among the arguments),
the callee is unknown and the source text is all that a message has.

Opcodes differ between Python versions (3.11 has PRECALL and LOAD_METHOD, 3.13 puts NULL behind the
callee and loads two locals at once); all differences are in this file and in `opcodes.py`, which
walks forwards.
"""

from __future__ import annotations

import ast
import dis
import linecache
import os
import sys
import types
from functools import lru_cache
from inspect import CO_OPTIMIZED
from itertools import islice
from types import CodeType, FrameType, ModuleType
from typing import Any, NamedTuple

import numpy as np

from .positions import Position, decode

# math functions that answer a question and give no number to compute with
_SILENT = frozenset(["isclose", "isfinite", "isinf", "isnan"])
STEPS = frozenset(["math.floor", "math.ceil", "math.trunc"])  # no derivative passes them anyway
_SHOWING = frozenset(
    ["print", "str", "repr", "format", "write", "writerow", "info", "debug", "warning", "error",
     "critical", "exception", "log", "set_postfix", "set_postfix_str", "set_description",
     "set_description_str", "add_scalar"]
)  # fmt: skip
_CALLS = frozenset(["CALL", "CALL_KW", "CALL_FUNCTION_EX"])
_STORES = frozenset(["STORE_SUBSCR", "STORE_SLICE"])
_NO_PUSH = frozenset(
    ["PRECALL", "CACHE", "NOP", "RESUME", "KW_NAMES", "EXTENDED_ARG", "NOT_TAKEN"]
)
_OPAQUE = ("JUMP", "FOR_ITER", "SEND", "SWAP", "UNPACK", "SETUP", "RETURN", "RAISE")
_NEW_LOCALS = sys.version_info >= (3, 13)  # frame.f_locals is a proxy, not a snapshot
_LIBRARY_PATHS = tuple(
    os.sep + name + os.sep for name in ("site-packages", "dist-packages")
) + (os.path.dirname(os.__file__) + os.sep,)


class Place(NamedTuple):
    """One instruction of the user's code, described.

    `kind` is what takes a value out there: "float", "store", "math.sin", "numpy.full",
    "ndarray.dot", "Generator.normal", ...; an empty string where the code does not tell.
    """

    code: CodeType
    lasti: int
    kind: str
    text: str  # the expression in the source, or an empty string
    callee: str  # the last name of what is called, or an empty string
    container: tuple[str, ...] | None  # of a store: scope, name and attributes
    is_shown: bool  # the result only goes to print, a format or a log
    is_dropped: bool  # the result is thrown away

    @property
    def position(self) -> Position | None:
        return decode(self.code, self.lasti)


def frame_of_user(frame: FrameType) -> tuple[FrameType, str]:
    """The frame to name in a message, and the library in between (empty if there is none).

    `plt.plot(x)` converts `x` deep inside matplotlib; the user's line is the one that called it.
    A library's function that we call ourselves, as in `gt.grad(scipy.optimize.rosen)`, is the
    user's: the line is one of it.
    """
    start = frame
    library = ""
    while is_library(frame.f_code.co_filename):
        library = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if frame.f_back is None:
            return start, ""
        if str(frame.f_back.f_globals.get("__name__", "")).startswith("gradtape."):
            return frame, library
        frame = frame.f_back
    return frame, library


@lru_cache(maxsize=1024)
def is_library(filename: str) -> bool:
    """Whether a file belongs to Python or to an installed package."""
    return any(part in filename for part in _LIBRARY_PATHS)


# --------------------------------------------------------------------------- instructions


@lru_cache(maxsize=256)
def instructions_of(code: CodeType) -> tuple[dis.Instruction, ...]:
    """The instructions of `code`, without caches and prefixes."""
    return tuple(
        i._replace(argval=code.co_consts[i.arg or 0]) if i.opname == "KW_NAMES" else i  # 3.11
        for i in dis.get_instructions(code)
        if i.opname not in ("CACHE", "EXTENDED_ARG")
    )


def index_of(code: CodeType, lasti: int) -> int:
    """The instruction at `lasti`, which during a call of a Python function points past caches."""
    known = _INDEXES.get((id(code), lasti))
    if known is not None and known[0] is code:
        return known[1]
    instructions = instructions_of(code)
    low, high = 0, len(instructions)
    while low < high:
        middle = (low + high) // 2
        if instructions[middle].offset <= lasti:
            low = middle + 1
        else:
            high = middle
    index = max(low - 1, 0)
    index += instructions[index].opname == "PRECALL"  # 3.11: some calls happen here
    if len(_INDEXES) >= 4096:
        _INDEXES.clear()
    _INDEXES[id(code), lasti] = code, index
    return index


_INDEXES: dict[tuple[int, int], tuple[CodeType, int]] = {}


def _effect(ins: dis.Instruction) -> tuple[int, int] | None:
    """(pops, pushes) of an instruction; None where control flow hides it."""
    name, arg = ins.opname, ins.arg or 0
    if name in _NO_PUSH:
        return 0, 0
    if any(part in name for part in _OPAQUE):
        return None
    if name == "LOAD_GLOBAL":
        return 0, 1 + (arg & 1)
    if name == "LOAD_METHOD":
        return 1, 2
    if name == "LOAD_ATTR":
        return 1, 1 + (arg & 1 if sys.version_info >= (3, 12) else 0)
    if name == "CALL":
        return arg + 2, 1
    if name == "COPY":
        return 0, 1
    if name == "STORE_FAST_LOAD_FAST":
        return 1, 1
    if name.startswith("LOAD_FAST") and isinstance(ins.argval, tuple):
        return 0, 2
    net = dis.stack_effect(ins.opcode, ins.arg, jump=False)
    if name.startswith(("STORE_", "POP_", "DELETE_")):
        return -net, 0
    return (0, net) if net > 0 else (1 - net, 1)


def _producer(instructions: tuple[dis.Instruction, ...], at: int, depth: int) -> Any:
    """(index, level) of the instruction that pushed what lies `depth` below the top before `at`.

    `level` counts from the last of the values that this instruction pushed.
    """
    for index in range(at - 1, max(at - 400, -1), -1):
        effect = _effect(instructions[index])
        if effect is None:
            return None
        pops, pushes = effect
        if pushes > depth:
            return index, depth
        depth += pops - pushes
    return None


def _chain(instructions: tuple[dis.Instruction, ...], found: Any) -> tuple[str, ...] | None:
    """`a.b.c` as ("local", "a", "b", "c") or ("global", ...); None for any other expression."""
    attributes: list[str] = []
    while found is not None:
        index, level = found
        ins = instructions[index]
        name = ins.opname
        if name in ("LOAD_ATTR", "LOAD_METHOD"):
            attributes.append(str(ins.argval))
            found = _producer(instructions, index, 0)
            continue
        if name == "PUSH_NULL":  # 3.13: behind the callee
            found = _producer(instructions, index, 0)
            continue
        if isinstance(ins.argval, tuple):
            name, root = "LOAD_FAST", ins.argval[-1 - level]
        else:
            root = ins.argval
        if name.startswith(("LOAD_FAST", "LOAD_DEREF", "LOAD_NAME")):
            return ("local", str(root), *reversed(attributes))
        if name == "LOAD_GLOBAL":
            return ("global", str(root), *reversed(attributes))
        break
    # an expression (`rng_of(3).normal`): the attributes alone still name the method
    return ("unknown", "", *reversed(attributes)) if attributes else None


def _callee(instructions: tuple[dis.Instruction, ...], at: int) -> Any:
    """(index, level) of the instruction that loaded the callee of the call at `at`."""
    ins = instructions[at]
    arg = ins.arg or 0
    if ins.opname == "CALL_FUNCTION_EX":
        depth = 1 + (arg & 1)
    else:
        depth = arg + (ins.opname == "CALL_KW")
    return _producer(instructions, at, depth)


# ------------------------------------------------------------------------------ resolving


def local(frame: FrameType, name: str) -> Any:
    """The local variable `name` of a running frame, or None."""
    names = frame.f_locals
    value = names.get(name)
    _release(frame, names)
    return value


def locals_of(frame: FrameType) -> dict[str, Any]:
    """The local variables of a running frame."""
    names = frame.f_locals
    values = dict(names)
    _release(frame, names)
    return values


def _release(frame: FrameType, names: Any) -> None:
    """Let go of what `frame.f_locals` gave.

    Before Python 3.13 it is a snapshot that the frame keeps. It is emptied again, or it would pin
    whatever the function held (activations of a whole step), unless the user's own `locals()`
    refers to it.
    """
    if (
        not _NEW_LOCALS
        and frame.f_code.co_flags & CO_OPTIMIZED
        and _count(names) == _SNAPSHOT
    ):
        names.clear()


def _count(names: Any) -> int:
    return sys.getrefcount(names)


def _calibrate() -> int:
    def release(_frame: FrameType, names: Any) -> int:
        return _count(names)

    frame = sys._getframe()
    names = frame.f_locals
    return release(frame, names)


_SNAPSHOT = _calibrate()


def attribute(owner: Any, name: str) -> Any:
    """`owner.name` where reading it runs no code of the user's; None otherwise."""
    if isinstance(owner, ModuleType | type):
        return vars(owner).get(name) if name in vars(owner) else getattr(owner, name, None)
    own = getattr(owner, "__dict__", None)
    if isinstance(own, dict) and name in own:
        return own[name]
    found = getattr(type(owner), name, None)
    if isinstance(found, types.MemberDescriptorType):
        return found.__get__(owner)
    return found if callable(found) else None


def resolve(frame: FrameType, chain: tuple[str, ...] | None) -> tuple[Any, Any]:
    """(owner, object) that a chain of names stands for in `frame`; None where it cannot be told."""
    if chain is None or chain[0] == "unknown":
        return None, None
    scope, root, *attributes = chain
    found = local(frame, root) if scope == "local" else None
    if found is None:
        found = frame.f_globals.get(root, frame.f_builtins.get(root))
    owner: Any = None
    for name in attributes:
        if found is None:
            return None, None
        owner, found = found, attribute(found, name)
    return owner, found


# ------------------------------------------------------------------------------ describing

_PLACES: dict[tuple[int, int], Place] = {}


def place_at(frame: FrameType) -> Place:
    """The Place that `frame` stands at; described once per process."""
    code, lasti = frame.f_code, frame.f_lasti
    known = _PLACES.get((id(code), lasti))
    if known is not None and known.code is code:
        return known
    if len(_PLACES) >= 1024:  # generated code may never end
        for key in list(islice(_PLACES, 256)):
            del _PLACES[key]
    place = _PLACES[id(code), lasti] = _describe(frame)
    return place


def _describe(frame: FrameType) -> Place:
    code = frame.f_code
    instructions = instructions_of(code)
    at = index_of(code, frame.f_lasti)
    # one offset per place, wherever within the instruction and its caches the frame stands
    name, lasti = instructions[at].opname, instructions[at].offset
    container: tuple[str, ...] | None = None
    kind, start, callee = "", at, ""
    is_silent = False
    if name in _STORES:
        kind = "store"
        container = _chain(instructions, _producer(instructions, at, 1 + (name == "STORE_SLICE")))
    elif name == "STORE_ATTR":  # a.real = x, a.flat = x
        kind, container = "store", _chain(instructions, _producer(instructions, at, 0))
    elif name in _CALLS:
        found = _callee(instructions, at)
        start = found[0] if found is not None else at
        chain = _chain(instructions, found)
        kind, is_silent = _call_kind(chain, *resolve(frame, chain))
        callee = chain[-1] if chain is not None else ""
        if chain is None:
            kind, is_silent = _kind_from_text(frame, segment(code, lasti))
    elif name.startswith("BINARY_"):
        found = _producer(instructions, at, 2 if name == "BINARY_SLICE" else 1)
        kind = _index_kind(resolve(frame, _chain(instructions, found))[1])
        if name == "BINARY_OP":
            kind = "operator"
    shown = is_silent or _is_shown(instructions, at, start)
    dropped = at + 1 < len(instructions) and instructions[at + 1].opname == "POP_TOP"
    return Place(code, lasti, kind, segment(code, lasti), callee, container, shown, dropped)


def _call_kind(chain: tuple[str, ...] | None, owner: Any, found: Any) -> tuple[str, bool]:
    """(kind, whether it only asks a question) of a call."""
    if found in (float, int, complex, bool):
        return found.__name__, found is bool
    if isinstance(found, np.vectorize):
        return "numpy.vectorize", False
    if isinstance(owner, np.ndarray):
        return f"ndarray.{chain[-1]}" if chain else "", False
    if isinstance(owner, np.random.Generator | np.random.RandomState):
        return f"Generator.{chain[-1]}" if chain else "", False
    if isinstance(found, np.ufunc):
        if all(signature.strip("O->") == "" for signature in found.types):
            return "numpy.frompyfunc", False
        return f"numpy.{found.__name__}", False
    module = getattr(found, "__module__", None)
    label = getattr(found, "__name__", "")
    if module in ("math", "cmath"):
        return f"{module}.{label}", label in _SILENT
    if isinstance(module, str) and module.partition(".")[0] == "numpy" and label:
        room = "numpy.linalg" if module == "numpy.linalg" else "numpy"
        return f"{room}.{label}", False
    if module == "builtins" and label in ("min", "max", "sum", "round", "abs", "divmod", "pow"):
        return label, False
    if found is None and chain is not None and chain[0] == "unknown":
        for cls in (np.random.Generator, np.ndarray):
            if hasattr(cls, chain[-1]):
                return f"{cls.__name__}.{chain[-1]}", False
    return "", label in _SHOWING


def _kind_from_text(frame: FrameType, text: str) -> tuple[str, bool]:
    """What `_call_kind` tells, read from the source where the bytecode hides the callee."""
    try:
        tree: Any = ast.parse(text.lstrip("."), mode="eval").body
    except (SyntaxError, ValueError):
        return "", False
    attributes: list[str] = []
    if isinstance(tree, ast.Call):
        tree = tree.func
        if isinstance(tree, ast.Call) and ast.unparse(tree.func).endswith("vectorize"):
            return "numpy.vectorize", False
        while isinstance(tree, ast.Attribute):
            attributes.append(tree.attr)
            tree = tree.value
    if not isinstance(tree, ast.Name):
        return "", False
    chain = ("local", tree.id, *reversed(attributes))
    return _call_kind(chain, *resolve(frame, chain))


def _index_kind(found: Any) -> str:
    if found is np.r_:
        return "numpy.r_"
    if found is np.c_:
        return "numpy.c_"
    return ""


def _is_shown(instructions: tuple[dis.Instruction, ...], at: int, start: int) -> bool:
    """Whether the value made at `at` goes straight into a format or a call that shows it."""
    for index in range(at + 1, min(at + 60, len(instructions))):
        ins = instructions[index]
        if ins.opname.startswith("FORMAT") or ins.opname == "CONVERT_VALUE":
            found = _producer(instructions, index, int("SPEC" in ins.opname or (
                ins.opname == "FORMAT_VALUE" and bool((ins.arg or 0) & 4))))  # fmt: skip
            if found is not None and found[0] == at:
                return True
        elif ins.opname in _CALLS:
            found = _callee(instructions, index)
            if found is not None and found[0] < start:
                chain = _chain(instructions, found)
                return chain is not None and chain[-1] in _SHOWING
        elif ins.opname.startswith(("STORE_", "RETURN", "POP_TOP")):
            return False
    return False


# ------------------------------------------------------------------------------ source text


def segment(code: CodeType, lasti: int) -> str:
    """The text of the expression at an instruction, on one line; empty if it cannot be read."""
    spans = next(islice(code.co_positions(), lasti // 2, None), None)
    if spans is None or None in spans:
        return ""
    first, last, start, end = spans
    assert first is not None and last is not None
    lines = [linecache.getline(code.co_filename, n) for n in range(first, last + 1)]
    if not all(lines):
        return ""
    raw = [line.encode() for line in lines]  # columns count bytes
    raw[-1] = raw[-1][:end]
    raw[0] = raw[0][start:]
    return " ".join(b"".join(raw).decode(errors="replace").split())


def arguments(code: CodeType, lasti: int) -> list[str]:
    """The source texts of the positional arguments of the call at an instruction."""
    try:
        tree = ast.parse(segment(code, lasti).lstrip("."), mode="eval").body
    except (SyntaxError, ValueError):
        return []
    return [ast.unparse(arg) for arg in tree.args] if isinstance(tree, ast.Call) else []


def is_rebinding(position: Position | None) -> bool:
    """Whether the statement there makes a name from its own old value (`x = x + 1`)."""
    if position is None:
        return False
    try:
        tree = ast.parse(position.source)
    except (SyntaxError, ValueError):
        return False
    for node in tree.body:
        if isinstance(node, ast.AugAssign):
            return True
        if isinstance(node, ast.Assign):
            targets = {n.id for t in node.targets for n in ast.walk(t) if isinstance(n, ast.Name)}
            used = {n.id for n in ast.walk(node.value) if isinstance(n, ast.Name)}
            if targets & used:
                return True
    return False
