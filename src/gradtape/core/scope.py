"""What the user's names stand for where code runs: the functions that it calls, without a call.

A walk through bytecode (`flow.py`) knows names only. `Scope` looks up, in a frame that is running,
which function a name means, so that the walk can go into it. Nothing of the user's is run for it:
a property is found and not read, `__getattr__` is not asked.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from types import CodeType, FrameType, FunctionType, MethodType
from typing import Any, NamedTuple

from . import places
from .machine import Root
from .positions import is_internal


class Known(NamedTuple):
    """A function of the user's: its code, itself, and the object that it is a method of."""

    function: Any
    owner: Any

    @property
    def code(self) -> CodeType:
        code: CodeType = self.function.__code__
        return code


class Scope:
    """Names of one frame, or of a function that is about to be called."""

    __slots__ = ("_find", "_found", "globals")

    def __init__(self, find: Callable[[Root], Any], names: Any) -> None:
        self._find = find
        self._found: dict[Root, Any] = {}
        self.globals = names

    @classmethod
    def of_frame(cls, frame: FrameType) -> Scope:
        """The names of a running frame."""

        def find(root: Root) -> Any:
            return places.resolve(frame, root)[1]

        return cls(find, frame.f_globals)

    def inside(self, known: Known, arguments: dict[str, Any]) -> Scope:
        """The names inside a function that is called from here with `arguments`, by origin."""
        code, function = known.code, known.function
        names = function.__globals__

        def find(root: Root) -> Any:
            scope, name = root
            if scope == "local":
                if known.owner is not None and code.co_varnames[:1] == (name,):
                    return known.owner
                if name in arguments:
                    return self.object_of(arguments[name])
                if name in code.co_freevars and function.__closure__ is not None:
                    cell = function.__closure__[code.co_freevars.index(name)]
                    try:
                        return cell.cell_contents
                    except ValueError:  # still empty
                        return None
                return None
            found = names.get(name)
            return found if found is not None else function.__builtins__.get(name)

        return Scope(find, names)

    def object_of(self, origin: Any) -> Any:
        """The object that an origin leads to; None if that cannot be told."""
        if not origin or origin[0] is None:
            return None
        root, *path = origin
        if root not in self._found:
            self._found[root] = self._find(root)
        found = self._found[root]
        for key in path:
            if found is None or key == "*":
                return None
            if isinstance(found, types.ModuleType):  # some import what they are asked for
                found = vars(found).get(key[1:])
            elif type(key) is str:
                found = places.attribute(found, key[1:])
            elif type(found) in (list, tuple, dict):
                try:
                    found = found[key[1]]
                except (LookupError, TypeError):
                    return None
            else:
                return None
        return found

    def callee_of(self, origin: Any) -> Known | None:
        """The function of the user's that calling what `origin` leads to enters."""
        found: Any = self.object_of(origin)
        owner: Any = None
        if isinstance(found, MethodType):
            found, owner = found.__func__, found.__self__
        elif isinstance(found, type):
            found = getattr(found, "__init__", None)
        elif isinstance(found, FunctionType):
            if len(origin) > 1 and type(origin[-1]) is str:
                owner = self._instance(origin[:-1], origin[-1][1:])
        elif found is not None:
            found, owner = _raw(type(found), "__call__"), found
        return _users(found, owner)

    def _instance(self, origin: Any, name: str) -> Any:
        """The object whose method `name` is; None for a module, a class and a static method."""
        owner = self.object_of(origin)
        if isinstance(owner, types.ModuleType | type) or owner is None:
            return None
        raw = _raw(type(owner), name)
        return owner if isinstance(raw, FunctionType) else None

    def property_of(self, origin: Any, name: str) -> Known | None:
        """The function of the user's that reading attribute `name` enters."""
        owner = self.object_of(origin)
        if owner is None:
            return None
        raw = _raw(type(owner), name)
        return _users(raw.fget, owner) if isinstance(raw, property) else None


def _raw(cls: type, name: str) -> Any:
    return next((vars(c)[name] for c in cls.__mro__ if name in vars(c)), None)


def _users(function: Any, owner: Any) -> Known | None:
    if not isinstance(function, FunctionType):
        return None
    code = function.__code__
    if is_internal(code) or places.is_library(code.co_filename):
        return None
    return Known(function, owner)
