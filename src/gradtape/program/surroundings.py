"""What a function takes from outside, and whether it still is what it was when it was traced.

A number, a function or an array that the user's code finds in a global, in a variable of the
function around it, in a default, or in an attribute or an item of an object from there, stands in
the program. So it is looked at again at each call: by identity, which is quick, and where that
differs by value. Another value is another signature. Arrays and Variables themselves are read at
each call; here it counts which array a name means.

Followed are the functions of the user's that are named, containers, modules of the user's, and
objects of the user's classes; of modules, classes and objects the attributes whose names are in the
code. Not seen is what a function finds by other ways (the clock, a file, `globals()`), in objects
of libraries, and behind the first items of long containers. What a trace itself changes (a count
of traces, a cache) is no part of the signature.
"""

from __future__ import annotations

import functools
import itertools
import sys
import sysconfig
import types
from collections.abc import Callable, Iterator, Sequence
from operator import is_
from typing import Any

import numpy as np

from ..core.tensor import Tensor
from .signature import MISSING, SCALARS, Outside, exact, global_names, read_cell

__all__ = ["Surroundings", "is_library"]

_HEAP_TYPE = 1 << 9  # of CPython: a class that is made while Python runs
_LONGEST = 64  # the items of a container that are looked at
_MOST = 2000  # objects that are looked at
_UNMADE = (None, False, MISSING)
_OURS = ("gradtape", "numpy")
_LIBRARY = tuple(
    path for path in {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib",
                                                           "platlib")} if path
)  # fmt: skip


def is_library(path: str) -> bool:
    """Whether a file belongs to Python or to an installed package."""
    return path.startswith(_LIBRARY) or path.startswith("<frozen")


class Surroundings:
    """What some functions and objects take from outside, and a number for each state of that."""

    def __init__(self, function: Any, objects: Sequence[Any]) -> None:
        self._function, self._objects = function, objects
        self._own: dict[Any, Any] = {}  # what traces change themselves, by place
        self._numbers: dict[tuple[Any, ...], Outside] = {}
        self._next = itertools.count()
        self.changed = ""  # the name of what was seen to change last
        self.state = self._looked()

    def now(self) -> State:
        """The state that they are in."""
        state = self.state
        if not state.holds():
            self.changed = next((name for _, name, *_ in state.changed() if name), self.changed)
            state = self.state = self._looked()
        return state

    def after(self, trace: State) -> State:
        """The state after a trace, which began in that; what it changed no longer counts.

        But for what it made at first use: what was None, False, or not there.
        """
        if not trace.holds():
            for place, _, owner, was in trace.changed():
                if not any(was is x for x in _UNMADE):
                    self._own[place] = owner
            self.state = self._looked()
        return self.state

    def _looked(self) -> State:
        walk = _Walk(self._own)
        walk.start(self._function)
        for x in self._objects:
            walk.argument(x)
        state = walk.ended()
        state.number = self._numbers.setdefault(state.token, Outside(next(self._next)))
        return state


class State:
    """What was found at each place: (what reads it, its name, what it gave), and containers."""

    __slots__ = ("found", "lists", "number", "owners", "sizes", "token")
    number: Outside  # among the states of these surroundings

    def __init__(
        self, found: list[tuple[Callable[..., Any], str, Any]], owners: list[Any],
        lists: list[tuple[Any, tuple[Any, ...]]], sizes: list[tuple[Any, int]],
        token: tuple[Any, ...],
    ) -> None:  # fmt: skip
        self.found, self.owners, self.lists, self.token = found, owners, lists, token
        self.sizes = sizes  # of the attributes of objects: a new one may hide that of the class

    def __bool__(self) -> bool:
        return bool(self.found or self.lists)

    def holds(self) -> bool:
        """Whether all are the same objects."""
        missing = MISSING
        for read, name, value in self.found:
            if read(name, missing) is not value:
                return False
        for space, size in self.sizes:
            if len(space) != size:
                return False
        return not self.lists or all(_is_same(held, items) for held, items in self.lists)

    def changed(self) -> Iterator[tuple[Any, str, Any, Any]]:
        """(the place, its name, what keeps it alive, what was there) of all that are others now."""
        for (read, name, value), owner in zip(self.found, self.owners, strict=True):
            if read(name, MISSING) is not value:
                yield (id(owner), name), str(name), owner, value
        for held, items in self.lists:
            if not _is_same(held, items):
                yield id(held), "", held, items


def _is_same(held: Any, items: tuple[Any, ...]) -> bool:
    return len(held) == len(items) and all(map(is_, held, items))


class _Same:
    """An object by its identity."""

    __slots__ = ("x",)

    def __init__(self, x: Any) -> None:
        self.x = x

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.x is self.x

    def __hash__(self) -> int:
        return id(self.x)


class _Walk:
    """One look at all that can be reached."""

    def __init__(self, own: dict[Any, Any]) -> None:
        self._own = own
        self._found: list[tuple[Callable[..., Any], str, Any]] = []
        self._owners: list[Any] = []
        self._lists: list[tuple[Any, tuple[Any, ...]]] = []
        self._token: list[Any] = []
        self._places: set[Any] = set()
        self._attributes: list[Any] = []
        self._seen: dict[int, Any] = {}
        self._words: set[str] = set()  # the names and texts in the code
        self._spaces: list[tuple[Any, Any, set[str]]] = []  # (owner, its dict, names noted)
        self._home = ""

    def start(self, function: Any) -> None:
        """Look at the compiled function."""
        inner = function.__func__ if isinstance(function, types.MethodType) else function
        if isinstance(inner, types.FunctionType):
            self._home = (inner.__module__ or "").partition(".")[0]
        self._visit(function)

    def argument(self, x: Any) -> None:
        """Look at an object among the arguments: at each of its numbers, and what is named."""
        if _has_dict(x) and not isinstance(x, type | types.ModuleType | types.FunctionType):
            for name, value in tuple(vars(x).items()):
                if isinstance(value, SCALARS):
                    self._note(vars(x).get, name, x)
        self._visit(x)

    def ended(self) -> State:
        """The state: attributes are looked up when all code has been seen that may name them."""
        while True:
            count = len(self._found), len(self._seen)
            for owner, space, noted in list(self._spaces):
                for name in sorted(self._named(space) - noted):
                    noted.add(name)
                    self._note(space.get, name, owner)
            if count == (len(self._found), len(self._seen)):
                sizes = [(s, len(s)) for s in self._attributes]
                token = tuple(self._token)
                return State(self._found, self._owners, self._lists, sizes, token)

    def _named(self, space: Any) -> set[str]:
        if len(space) < len(self._words):
            return self._words.intersection(tuple(space))
        return {name for name in self._words if name in space}

    def _note(self, read: Callable[..., Any], name: str, owner: Any) -> None:
        """Add a place and what it holds now."""
        value = read(name, MISSING)
        place = id(owner), name
        if place in self._own or place in self._places:
            return
        self._places.add(place)
        if isinstance(value, types.ModuleType) and not self._is_module(value):
            return  # np
        self._found.append((read, name, value))
        self._owners.append(owner)
        self._token.append(exact(value, _Same))
        self._visit(value)

    # ------------------------------------------------------------------ what there is

    def _visit(self, x: Any) -> None:
        if isinstance(x, SCALARS) or x is MISSING or id(x) in self._seen:
            return
        if len(self._seen) > _MOST or isinstance(x, np.ndarray | Tensor | types.CodeType):
            return
        self._seen[id(x)] = x
        if isinstance(x, types.FunctionType):
            self._function(x)
        elif isinstance(x, types.MethodType):
            self._visit(x.__func__)
            self._visit(x.__self__)
        elif isinstance(x, types.ModuleType):
            if self._is_module(x):
                self._spaces.append((x, vars(x), set()))
        elif isinstance(x, functools.partial):
            for part in (x.func, x.args, x.keywords):
                self._visit(part)
        elif isinstance(x, staticmethod | classmethod):
            self._visit(x.__func__)
        elif isinstance(x, property):
            self._visit(x.fget)
        elif isinstance(x, functools.cached_property):
            self._visit(x.func)
        elif isinstance(x, type):
            self._class(x)
        else:
            self._object(x)

    def _function(self, f: types.FunctionType) -> None:
        module = (f.__globals__.get("__name__") or "").partition(".")[0]
        if module not in _OURS:
            if self._is_foreign(f.__module__, f.__code__.co_filename):
                return
            _add_words(f.__code__, self._words)
            for name in global_names(f.__code__):
                self._note(f.__globals__.get, name, f.__globals__)
            if f.__defaults__ is not None:
                self._note(functools.partial(getattr, f), "__defaults__", f)
            if f.__kwdefaults__ is not None:
                self._note(functools.partial(getattr, f), "__kwdefaults__", f)
        for name, cell in zip(f.__code__.co_freevars, f.__closure__ or (), strict=True):
            if module in _OURS:  # a function of the user's may be in it
                self._visit(read_cell(cell))
            else:
                self._note(functools.partial(_held, cell), name, cell)
        self._visit(getattr(f, "__wrapped__", None))

    def _class(self, x: type) -> None:
        for kind in x.__mro__:
            name = module_of(kind)
            if self._is_users(name, getattr(sys.modules.get(name), "__file__", None)):
                self._spaces.append((kind, vars(kind), set()))
                for name, value in vars(kind).items():
                    if name.startswith("__") and isinstance(value, types.FunctionType):
                        self._visit(value)  # an operator, which no name calls

    def _object(self, x: Any) -> None:
        kind = type(x)
        if isinstance(x, list | tuple | set | frozenset | dict) and len(x) <= _LONGEST:
            self._items(x, tuple(x))
            if isinstance(x, dict):
                read = x.get if kind is dict else functools.partial(dict.get, x)
                for name in tuple(x):
                    self._note(read, name, x)
        module = module_of(kind)
        if module.partition(".")[0] == "gradtape":
            self._visit(getattr(x, "__wrapped__", None))  # a compiled function
            return
        if not self._is_users(module, getattr(sys.modules.get(module), "__file__", None)):
            return
        self._visit(kind)
        if _has_dict(x):
            self._attributes.append(vars(x))
            self._spaces.append((x, vars(x), set()))
        for base in kind.__mro__:
            for name, slot in vars(base).items():
                if type(slot) is types.MemberDescriptorType:
                    self._note(functools.partial(_slot_value, slot, x), name, x)

    def _items(self, x: Any, items: tuple[Any, ...]) -> None:
        if id(x) in self._own:
            return
        self._lists.append((x, items))
        self._token.append((type(x), len(items)))
        for item in items:
            self._token.append(exact(item, _Same))
            self._visit(item)

    def _is_module(self, x: types.ModuleType) -> bool:
        return self._is_users(x.__name__, getattr(x, "__file__", None))

    def _is_users(self, module: str, path: str | None) -> bool:
        root = module.partition(".")[0]
        if root in _OURS or root in sys.builtin_module_names or root == "builtins":
            return False
        return path is None or not self._is_foreign(module, path)

    def _is_foreign(self, module: str | None, path: str) -> bool:
        return is_library(path) and (module or "").partition(".")[0] != self._home


def module_of(kind: type) -> str:
    """The module that a class says it is of; none for one made where names have no module."""
    name = getattr(kind, "__module__", None)
    is_made_by_code = kind.__flags__ & _HEAP_TYPE
    return "" if not isinstance(name, str) or (name == "builtins" and is_made_by_code) else name


def _has_dict(x: Any) -> bool:
    return type(x).__dictoffset__ != 0


def _held(cell: Any, *_: Any) -> Any:
    return read_cell(cell)


def _slot_value(slot: Any, x: Any, _: str, missing: Any) -> Any:
    try:
        return slot.__get__(x)
    except AttributeError:
        return missing


def _add_words(code: types.CodeType, words: set[str]) -> None:
    """Add the names that code uses, and its texts, which may be names (`getattr`)."""
    words.update(code.co_names)
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            _add_words(const, words)
        elif isinstance(const, str) and const.isidentifier():
            words.add(const)
