"""Where the operations of a tape stand in the user's source, and how they group by function."""

from __future__ import annotations

import ast
import os
import re
from typing import Any

from ..core.places import segment
from ..core.positions import decode, is_internal, record_position
from ..core.state import CODE, LASTI, Recorder

__all__ = ["Places"]

_CALL = re.compile(r"[\w.]*?(\w+)\(")


class Places:
    """The places of one tape's records, each decoded once.

    A place is a dict: `file`, `line`, `function`, `text` (the source line) and `group`, the path
    along which the graph collapses: file, functions from the outer to the inner, and where one
    call made several operations, that call.
    """

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self._known: dict[Any, dict[str, Any]] = {}
        self._several = _several(recorder)

    def at(self, code: Any, lasti: int) -> dict[str, Any]:
        """The place of an instruction."""
        place = self._known.get((code, lasti))
        if place is None:
            place = self._known[code, lasti] = _place(decode(code, lasti))
        return place

    def of(self, index: int) -> dict[str, Any]:
        """The place of a record."""
        rec = self.recorder.ops[index]
        code, lasti = rec[CODE], rec[LASTI]
        key = (code, lasti, index if is_internal(code) else None)
        place = self._known.get(key)
        if place is None:
            place = _place(self._users(index))
            if key[2] is not None:
                place = {**place, "group": f"{place['group']}/{code.co_name.strip('_')}"}
            elif (code, lasti) in self._several:
                found = _CALL.match(segment(code, lasti))
                if found is not None:
                    place = {**place, "group": f"{place['group']}/{found[1]}"}
            self._known[key] = place
        return place

    def operand(self, index: int, i: int) -> str | None:
        """What the user's line calls operand `i` of a record, where it is a name or a column.

        `y` in `y - p`, `hp` in `slope * cars["hp"].values`; the keyword of a loss of several
        operations, such as `labels=y`.
        """
        rec = self.recorder.ops[index]
        if is_internal(rec[CODE]):
            return None
        text = segment(rec[CODE], rec[LASTI])
        if (rec[CODE], rec[LASTI]) in self._several:
            return _keyword(text)
        try:
            tree = ast.parse(text, mode="eval").body
        except (SyntaxError, ValueError):
            return None
        parts: list[ast.expr] = []
        if isinstance(tree, ast.BinOp):
            parts = [tree.left, tree.right]
        elif isinstance(tree, ast.Compare):
            parts = [tree.left, *tree.comparators]
        elif isinstance(tree, ast.Call):
            parts = list(tree.args)
        return _plain_name(parts[i]) if i < len(parts) else None

    def labels(self, index: int) -> str | None:
        """What the user's line calls the labels by which a record picks: `y` in `p[rows, y]`."""
        rec = self.recorder.ops[index]
        text = segment(rec[CODE], rec[LASTI])
        try:
            tree = ast.parse(text, mode="eval").body
        except (SyntaxError, ValueError):
            return None
        if isinstance(tree, ast.Subscript) and isinstance(tree.slice, ast.Tuple):
            return _plain_name(tree.slice.elts[-1])
        return _keyword(text)

    def _users(self, index: int) -> Any:
        """The user's position of a record.

        Of one made inside a function of ours that tells no line of the user's, it is that of the
        next record that does.
        """
        position = record_position(self.recorder, index)
        ops = self.recorder.ops
        if position is not None and is_internal(ops[index][CODE]):
            for later in (*range(index, len(ops)), *range(index, -1, -1)):
                if not is_internal(ops[later][CODE]):
                    return record_position(self.recorder, later)
        return position

    def name(self) -> str:
        """The file and line of the first record."""
        if not self.recorder.ops:
            return "an empty tape"
        position = record_position(self.recorder, 0)
        return str(position) if position is not None else "a tape"


def _place(position: Any) -> dict[str, Any]:
    if position is None:
        return {"file": None, "line": None, "function": None, "text": "", "group": ""}
    names = [n for n in position.function.split(".") if not n.startswith("<")]
    return {
        "file": position.filename,
        "line": position.line,
        "function": position.function,
        "text": position.source,
        "group": "/".join([os.path.basename(position.filename), *names]),
    }


_WRAPPERS = frozenset(("array", "asarray", "constant", "convert_to_tensor", "cast", "float32",
                       "float64", "to_numpy", "astype"))  # fmt: skip
_TARGETS = frozenset(("labels", "y_true", "targets", "target", "y"))


def _plain_name(tree: ast.expr) -> str | None:
    """The name in `y`, `self.y`, `cars["y"]`, `cars.y.values` or `np.asarray(y)`."""
    if isinstance(tree, ast.Name):
        return tree.id
    if isinstance(tree, ast.Attribute):
        return _plain_name(tree.value) if tree.attr in ("values", "T") else tree.attr
    if isinstance(tree, ast.Subscript):
        if isinstance(tree.slice, ast.Constant) and isinstance(tree.slice.value, str):
            return tree.slice.value
        return _plain_name(tree.value)
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name | ast.Attribute):
        name = tree.func.attr if isinstance(tree.func, ast.Attribute) else tree.func.id
        if name in _WRAPPERS:
            inner = tree.args[0] if tree.args else None
            if name in ("to_numpy", "astype") and isinstance(tree.func, ast.Attribute):
                inner = tree.func.value
            return _plain_name(inner) if inner is not None else None
    return None


def _keyword(text: str) -> str | None:
    """The name that a call gives to its keyword `labels`, or one like it."""
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError):
        return None
    for keyword in tree.keywords if isinstance(tree, ast.Call) else ():
        if keyword.arg in _TARGETS:
            return _plain_name(keyword.value)
    return None


def _several(recorder: Recorder) -> set[Any]:
    """The instructions that made several records in a row: one call of the user's."""
    found: set[Any] = set()
    before: Any = None
    for rec in recorder.ops:
        here = (rec[CODE], rec[LASTI])
        if here == before:
            found.add(here)
        before = here
    return found
