"""What a function computes with, as a digest: the same in another process, or another one.

A program that was kept on disk is taken for a function only if tracing it would give that program.
So everything that a trace can look at goes into the digest: the bytecode of the function and of the
functions that it names, the values of the globals, cells, attributes and defaults that it names,
the arrays among them with their contents, static arguments, and the versions of libraries in place
of their code. What cannot be compared (an open file, a generator) is `Unknown`, and the function is
traced. Not seen: what code reads while it runs by other ways (files, the clock, the environment,
names made of text).

Variables, Tensors and arrays are listed in the order in which they are met; so an input of a kept
program is found again by its number.
"""

from __future__ import annotations

import collections
import dis
import enum
import functools
import hashlib
import sys
import types
from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import events
from ..core.registry import CARDS
from ..core.tensor import Tensor
from ..core.tree import _children
from ..core.variable import Variable
from .signature import Static
from .surroundings import is_library

__all__ = ["Fingerprint", "Unknown"]

_MOST = 200_000  # objects that are looked at before the function counts as unknown
_OURS = ("gradtape", "numpy")
_PLAIN = (int, bool, str, bytes, type(None), type(Ellipsis), type(NotImplemented), range)
_BUILTIN = (types.BuiltinFunctionType, types.MethodWrapperType, types.WrapperDescriptorType,
            types.MethodDescriptorType, types.ClassMethodDescriptorType,
            types.GetSetDescriptorType, types.MemberDescriptorType)  # fmt: skip
_SKIPPED = frozenset(["__dict__", "__weakref__", "__doc__", "__module__", "__annotations__",
                      "__annotate__", "__annotate_func__", "__annotations_cache__",
                      "__firstlineno__", "__static_attributes__", "_abc_impl",
                      "__abstractmethods__"])  # fmt: skip


class Unknown(Exception):
    """Something that a function uses cannot be compared between processes."""


class Fingerprint:
    """The digest of a function and its arguments, and the arrays and Variables among them."""

    @events.stage("fingerprint")
    def __init__(self, function: Any, arguments: Any) -> None:
        self._hash = hashlib.blake2b(digest_size=32)
        self._seen: dict[int, int] = {}
        self._modules: set[tuple[int, frozenset[str]]] = set()
        self._held: list[Any] = []  # keeps the ids of `_seen` valid
        self.objects: list[Any] = []  # Variables, Tensors, arrays
        try:
            for card in _foreign_cards():
                self._visit(card)
            self._visit(function)
            self._argument(arguments)
        except RecursionError:
            raise Unknown("something that is nested too deeply to be looked at") from None

    @property
    def digest(self) -> str:
        """The digest as text."""
        return self._hash.hexdigest()

    def number(self, x: Any) -> int:
        """The number of an array or Variable; Unknown where it was not met."""
        for i, held in enumerate(self.objects):
            if held is x:
                return i
        raise Unknown(f"{type(x).__name__} that no name of the function leads to")

    # ------------------------------------------------------------------ the digest

    def _say(self, *words: Any) -> None:
        for word in words:
            data = word if isinstance(word, bytes) else str(word).encode(errors="surrogatepass")
            self._hash.update(len(data).to_bytes(8, "little") + data)

    def _argument(self, tree: Any) -> None:
        """As `signature.describe` tells inputs from what is static."""
        is_leaf = isinstance(tree, np.ndarray | np.generic) or (
            isinstance(tree, Tensor) and not isinstance(tree, Variable)
        )
        if is_leaf and tree.dtype.kind in "fciub":
            self._say("input", tree.shape, tree.dtype.str)
        elif type(tree) in (float, complex):
            self._say("input", type(tree).__name__)
        elif type(tree) is Static:
            self._visit(tree.value)
        else:
            node = None if isinstance(tree, Tensor) else _children(tree)
            if node is None:
                self._visit(tree)
                return
            self._visit(type(tree))
            self._say("tree", len(node[0]))
            for label, child in zip(node[2], node[0], strict=True):
                self._visit(label)
                self._argument(child)

    def _visit(self, x: Any, names: frozenset[str] = frozenset()) -> None:
        kind = type(x)
        if kind in _PLAIN:
            self._say(kind.__name__, repr(x))
            return
        if kind is float or kind is complex:
            self._say(kind.__name__, x.hex() if kind is float else (x.real.hex(), x.imag.hex()))
            return
        known = self._seen.get(id(x))
        if known is not None and not isinstance(x, types.ModuleType):
            self._say("again", known)
            return
        if len(self._seen) > _MOST:
            raise Unknown("more objects than are looked at")
        self._seen[id(x)] = len(self._seen)
        self._held.append(x)
        visit = _BY_KIND.get(kind)
        if visit is not None:
            visit(self, x)
        elif isinstance(x, types.ModuleType):
            self._module(x, names)
        elif isinstance(x, np.ndarray):
            self._array(x)
        elif isinstance(x, Tensor):
            self._tensor(x)
        elif isinstance(x, np.generic | np.dtype):
            self._say(kind.__name__, x.dtype.str if isinstance(x, np.generic) else repr(x), repr(x))
        elif isinstance(x, np.ufunc):
            self._say("ufunc", x.__name__)
        elif isinstance(x, _BUILTIN):
            self._builtin(x)
        elif isinstance(x, type):
            self._class(x)
        elif isinstance(x, enum.Enum):
            self._visit(kind)
            self._say(x.name)
        else:
            self._object(x)

    # ------------------------------------------------------------------ by kind

    def _items(self, x: Any) -> None:
        self._say(type(x).__name__, len(x))
        for item in x:
            self._visit(item)

    def _set(self, x: Any) -> None:
        self._say(type(x).__name__, len(x))
        try:
            ordered = sorted(x, key=lambda item: (type(item).__name__, repr(item)))
        except Exception:
            raise Unknown("a set whose order is not known") from None
        for item in ordered:
            self._visit(item)

    def _dict(self, x: Any) -> None:
        self._say(type(x).__name__, len(x))
        for key, value in x.items():
            self._visit(key)
            self._visit(value)

    def _array(self, x: Any) -> None:
        self.objects.append(x)
        self._say("array", type(x).__name__, x.shape, x.dtype.str, x.dtype)
        if x.dtype.hasobject:
            self._items(x.ravel().tolist())
        else:
            self._hash.update(np.ascontiguousarray(x).view(np.uint8).data if x.size and x.ndim
                              else x.tobytes())  # fmt: skip

    def _tensor(self, x: Any) -> None:
        self.objects.append(x)
        self._say(type(x).__qualname__, x.shape, x.dtype.str)
        if isinstance(x, Variable):
            self._say(x.name, x.trainable)
        else:
            self._hash.update(np.asarray(x.value).tobytes())

    def _function(self, f: Any) -> None:
        code = f.__code__
        self._say("function", f.__module__, f.__qualname__)
        # A wrapper of ours has the name and module of the user's function that it wraps.
        module = f.__globals__.get("__name__") or ""
        if module.partition(".")[0] in _OURS:
            self._say(module, code.co_qualname, code.co_freevars)
        else:
            if is_library(code.co_filename):
                self._version(f.__module__)
            else:
                self._code(code)
                self._globals(f)
        for extra in (f.__defaults__, f.__kwdefaults__, f.__dict__ or None):
            self._visit(extra)
        for cell in f.__closure__ or ():
            try:
                self._visit(cell.cell_contents)
            except ValueError:  # not filled yet
                self._say("empty")

    def _code(self, code: types.CodeType) -> None:
        self._say(
            "code", code.co_code, code.co_names, code.co_varnames, code.co_freevars,
            code.co_cellvars, code.co_flags, code.co_argcount, code.co_kwonlyargcount,
            code.co_posonlyargcount,
        )  # fmt: skip
        for const in code.co_consts:
            if isinstance(const, types.CodeType):
                self._code(const)
            elif isinstance(const, frozenset):
                self._set(const)
            else:
                self._visit_constant(const)

    def _visit_constant(self, x: Any) -> None:
        """A constant of bytecode, which may be a tuple that others share."""
        if type(x) is tuple:
            self._say("tuple", len(x))
            for item in x:
                self._visit_constant(item)
        else:
            self._say(type(x).__name__, repr(x))

    def _globals(self, f: Any) -> None:
        named, imported, words = _names(f.__code__)
        scope = f.__globals__
        for name in named:
            self._say("global", name)
            if name in scope:
                self._visit(scope[name], words)
        for name in imported:
            module = sys.modules.get(name)
            if module is None:
                raise Unknown(f"the module {name}, which it imports while it is traced")
            self._visit(module, words)

    def _module(self, x: Any, names: frozenset[str]) -> None:
        root = x.__name__.partition(".")[0]
        self._say("module", x.__name__)
        path = getattr(x, "__file__", None)
        if root in _OURS:
            return
        if path is None or is_library(path):
            self._version(x.__name__)
            return
        if (id(x), names) in self._modules:
            return
        self._modules.add((id(x), names))
        for name in sorted(names & vars(x).keys()):
            self._say("attribute", name)
            self._visit(vars(x)[name], names)

    def _version(self, module: Any) -> None:
        root = sys.modules.get((module or "").partition(".")[0])
        self._say("version", getattr(root, "__version__", ""))

    def _builtin(self, x: Any) -> None:
        self._say("builtin", getattr(x, "__qualname__", x.__name__))
        owner = getattr(x, "__self__", None)
        if owner is not None and not isinstance(owner, types.ModuleType):
            self._visit(owner)

    def _class(self, x: Any) -> None:
        self._say("class", x.__module__, x.__qualname__)
        root = (x.__module__ or "").partition(".")[0]
        if root in _OURS or root == "builtins":
            return
        module = sys.modules.get(x.__module__)
        path = getattr(module, "__file__", None)
        if module is None or (path is None and x.__module__ != "__main__") or (
            path is not None and is_library(path)
        ):  # fmt: skip
            self._version(x.__module__)
            return
        for base in (*x.__bases__, type(x)):
            self._visit(base)
        for name in sorted(vars(x).keys() - _SKIPPED):
            self._say("member", name)
            self._visit(vars(x)[name])

    def _method(self, x: Any) -> None:
        self._say("method")
        self._visit(x.__func__)
        self._visit(x.__self__)

    def _partial(self, x: Any) -> None:
        self._say("partial")
        for part in (x.func, x.args, x.keywords):
            self._visit(part)

    def _descriptor(self, x: Any) -> None:
        self._say(type(x).__name__)
        for name in ("__func__", "fget", "fset", "fdel", "func"):
            self._visit(getattr(x, name, None))

    def _object(self, x: Any) -> None:
        """An object: its class and its attributes, or what it says to `copy`."""
        kind = type(x)
        self._say("object")
        self._visit(kind)
        if kind.__module__ == "logging":
            self._say(getattr(x, "name", ""))
            return
        if kind.__module__.partition(".")[0] == "gradtape" and hasattr(x, "__wrapped__"):
            self._visit(x.__wrapped__)  # a compiled function
            return
        if isinstance(x, dict):
            self._dict(x)
        elif isinstance(x, list | tuple | collections.deque):
            self._items(x)
        elif isinstance(x, set | frozenset):
            self._set(x)
        elif isinstance(x, str | bytes | int | float | complex):
            self._say(repr(x))
        reduce: Any = kind.__reduce__
        says = reduce is not object.__reduce__  # what it is made of, caches aside
        for name, value in () if says else _attributes(x):
            self._say("attribute", name)
            self._visit(value)
        try:  # refuses what has state that is no attribute: files, locks, generators
            said = x.__reduce_ex__(4)
        except Exception:
            raise Unknown(f"a {kind.__module__}.{kind.__qualname__}") from None
        if isinstance(said, str):
            self._say(said)
        else:
            for part in said:
                self._visit(list(part) if isinstance(part, Iterator) else part)


_BY_KIND: dict[type, Any] = {
    list: Fingerprint._items, tuple: Fingerprint._items, dict: Fingerprint._dict,
    set: Fingerprint._set, frozenset: Fingerprint._set,
    types.FunctionType: Fingerprint._function, types.MethodType: Fingerprint._method,
    types.MappingProxyType: Fingerprint._dict, functools.partial: Fingerprint._partial,
    staticmethod: Fingerprint._descriptor, classmethod: Fingerprint._descriptor,
    property: Fingerprint._descriptor, functools.cached_property: Fingerprint._descriptor,
}  # fmt: skip


def _attributes(x: Any) -> Iterator[tuple[str, Any]]:
    """The names and values that an object holds, in an order of their own."""
    found = dict(getattr(x, "__dict__", None) or {})
    for kind in type(x).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__") and hasattr(x, name):
                found[name] = getattr(x, name)
    return iter(sorted(found.items(), key=lambda item: str(item[0])))


@functools.lru_cache(maxsize=1024)
def _names(code: types.CodeType) -> tuple[tuple[str, ...], tuple[str, ...], frozenset[str]]:
    """The globals that code reads, the modules that it imports, and all names in it."""
    named, imported, words = set(), set(), set(code.co_names)
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            named.add(instruction.argval)
        elif instruction.opname == "IMPORT_NAME":
            imported.add(instruction.argval)
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            inner = _names(const)
            named.update(inner[0])
            imported.update(inner[1])
            words.update(inner[2])
    return tuple(sorted(named)), tuple(sorted(imported)), frozenset(words)


def _foreign_cards() -> list[Any]:
    """What the rules of cards are that gradtape does not bring: functions of other packages."""
    found: list[Any] = []
    for name in sorted(CARDS):
        card = CARDS[name]
        rules = (card.impl, card.vjps, card.jvps, card.partials, card.shape_rule)
        for rule in rules:
            for part in rule if type(rule) is tuple else (rule,):
                module = getattr(part, "__module__", None) or "numpy"
                if callable(part) and module.partition(".")[0] not in _OURS:
                    found.append((name, part))
    return found
