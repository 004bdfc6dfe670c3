"""Source positions: a code object and the offset of an instruction in it, decoded when asked."""

from __future__ import annotations

import os
import sys
import weakref
from types import CodeType, FrameType
from typing import Any, NamedTuple

import numpy as np

_ROOTS = (
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep,
    os.path.dirname(os.path.abspath(np.__file__)) + os.sep,
    "<__array_function__",
)


_internal: set[int] = set()  # ids of the globals of gradtape's and NumPy's modules seen so far


class Position(NamedTuple):
    """Where in the user's source something happened."""

    filename: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"{label(self.filename)}:{self.line}"

    @property
    def source(self) -> str:
        """The text of the line, or an empty string where the file cannot be read."""
        import linecache

        return linecache.getline(self.filename, self.line).strip()


def label(filename: str) -> str:
    """What a file is called in a message: its name; a cell of a notebook by its number, `In[3]`."""
    if "ipykernel_" in filename or filename.startswith("<ipython-input-"):
        shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
        compiler = getattr(shell, "compile", None)
        named = getattr(compiler, "format_code_name", lambda _: None)(filename)
        if named is not None:
            return str(named[1])
    return os.path.basename(filename)


def is_internal(code: CodeType) -> bool:
    """Whether `code` belongs to gradtape or NumPy."""
    return is_within(code.co_filename)


def is_within(filename: str) -> bool:
    """Whether a file is one of gradtape's or NumPy's."""
    return filename.startswith(_ROOTS)


def user_frame(depth: int = 2) -> FrameType:
    """The nearest frame that is neither gradtape's nor NumPy's."""
    frame, known = sys._getframe(depth), _internal
    while True:
        module = id(frame.f_globals)
        if module not in known:
            if not frame.f_code.co_filename.startswith(_ROOTS):
                return frame
            if frame.f_globals.get("__name__", "").partition(".")[0] in ("gradtape", "numpy"):
                known.add(module)  # a module's globals live as long as the process
        back = frame.f_back
        if back is None:
            return frame
        frame = back


def user_level() -> int:
    """The `stacklevel` of `warnings.warn`, called where this is, that names the user's line."""
    wanted = user_frame(2)
    frame: FrameType | None = sys._getframe(1)
    level = 1
    while frame is not None and frame is not wanted:
        frame, level = frame.f_back, level + 1
    return level


def decode(code: Any, lasti: int) -> Position | None:
    """The position of instruction `lasti` of `code`."""
    if code is None:
        return None
    line = code.co_firstlineno
    for start, end, number in code.co_lines():
        if start <= lasti < end:
            line = number or line
            break
    return Position(code.co_filename, line, code.co_qualname)


def record_position(recorder: Any, index: int) -> Position | None:
    """The user's position of record `index`: its own, or that of the span it was made in."""
    from .state import CODE, LASTI

    rec = recorder.ops[index]
    if not is_internal(rec[CODE]):
        return decode(rec[CODE], rec[LASTI])
    for start, end, code, lasti in recorder.spans:
        if start <= index < end:
            return decode(code, lasti)
    return decode(rec[CODE], rec[LASTI])


def here(depth: int = 2) -> tuple[CodeType, int]:
    """The user's position as it is stored: code and offset."""
    frame = user_frame(depth + 1)
    return frame.f_code, frame.f_lasti


# id of a Tensor whose shape was changed in place -> (weak reference to it, where); the last few
_RESHAPED: dict[int, tuple[Any, CodeType, int]] = {}


def note_reshape(x: Any) -> None:
    """Remember the user's position as where the shape of `x` was changed in place."""
    while len(_RESHAPED) >= 64:
        del _RESHAPED[next(iter(_RESHAPED))]
    _RESHAPED[id(x)] = (weakref.ref(x), *here())


def reshaped_at(x: Any) -> Position | None:
    """Where the shape of `x` was last changed in place; None if that is not known."""
    entry = _RESHAPED.get(id(x))
    return decode(*entry[1:]) if entry is not None and entry[0]() is x else None
