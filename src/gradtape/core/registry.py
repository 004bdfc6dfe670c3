"""The dispatch tables, filled by the op files and read by Tensor's protocol methods.

What few programs ask for is not imported with the rest. `LATER` names the file that makes it, and
the first look for it imports that file; `ops/__init__.py` has the operations, and why they wait.
"""

from __future__ import annotations

import os
from _thread import RLock, get_ident
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any


class Table(dict[Any, Any]):
    """A dispatch table, in which entries of files that are imported later are found by `[]`.

    While such a file is imported, what it enters waits in `waiting`: no other thread may call an
    operation before the whole of its file is there.
    """

    __slots__ = ("waiting",)

    def __init__(self) -> None:
        self.waiting: dict[Any, Any] = {}

    def __setitem__(self, key: Any, value: Any) -> None:
        if _importer and _importer == get_ident():
            self.waiting[key] = value
        else:
            dict.__setitem__(self, key, value)

    def __missing__(self, key: Any) -> Any:
        found = later(self, key)
        if found is None:
            raise KeyError(key)
        return found


# ufunc -> operation for a plain call with no keyword arguments
UFUNCS: dict[Any, Callable[..., Any]] = Table()
# (ufunc, method) -> operation; method is "__call__", "reduce", "accumulate", "outer", "at", ...
UFUNC_METHODS: dict[tuple[Any, str], Callable[..., Any]] = Table()
# NumPy function that follows __array_function__ -> operation
FUNCTIONS: dict[Any, Callable[..., Any]] = Table()
# name -> card, for completeness checks and documentation
CARDS: dict[str, Any] = Table()
# hooks that the op files fill, so that core need not import them:
# "stack" builds a Tensor from nested sequences that hold Tensors, "pairwise" undoes views, ...
HOOKS: dict[str, Callable[..., Any]] = Table()

# name of a function, a card or a hook -> the file that enters it, below the package
LATER: dict[str, str] = {
    **dict.fromkeys(
        ("holds_lift", "innermost", "lift", "lift_composite", "lift_nondifferentiable",
         "lift_uncarded", "lifted_raw"),
        "core.lifting",
    ),
    **dict.fromkeys(("uncarded", "uncarded_ufunc"), "core.uncarded"),
}  # fmt: skip
METHODS = "methods of ufuncs"  # the name in LATER of `np.add.reduce`, `np.add.at` and their like

_imported: set[str] = set()
_importer = 0  # the thread that imports a file of LATER
_lock = RLock()


def _renew_lock() -> None:
    """A forked child may have copied the lock while another thread held it."""
    global _lock, _importer
    _lock, _importer = RLock(), 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def later(table: dict[Any, Any], key: Any) -> Any:
    """What a file that is not imported yet enters for `key`; None where no file does."""
    file = LATER.get(_name_of(key))
    if file is None:
        return None
    load((file,))
    assert isinstance(table, Table)
    found = table.waiting.get(key) if _importer == get_ident() else None
    return table.get(key) if found is None else found


def _name_of(key: Any) -> str:
    if type(key) is str:
        return key.removeprefix("op:")
    if type(key) is tuple:
        if key[1] != "__call__":
            return METHODS
        key = key[0]
    return getattr(key, "__name__", "")


def load(files: Iterable[str] | None = None) -> None:
    """Import files of LATER, by default all: for who goes through a whole table."""
    global _importer
    for file in LATER.values() if files is None else files:
        if file in _imported:
            continue
        with _lock:
            outer, _importer = _importer, get_ident()
            is_whole = False
            try:
                import_module(f"gradtape.{file}")
                is_whole = True
            finally:
                _importer = outer
                if not outer:
                    _enter(is_whole)
            if not outer:
                _imported.add(file)


def _enter(is_whole: bool) -> None:
    """Put what waited into the tables, or forget it where the import was interrupted."""
    for table in (HOOKS, CARDS, UFUNC_METHODS, UFUNCS, FUNCTIONS):
        assert isinstance(table, Table)
        if is_whole:
            table.update(table.waiting)
        table.waiting.clear()
