"""Where the operations of a tape stand in the user's source, and how they group by function."""

from __future__ import annotations

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
