"""Notices: what is said of a run once per place (assignments, exits, warnings, missing gradients).

All of them are events of the run, with file and line; the texts of the files that they and the
graph's operations stand in are kept with the run.
"""

from __future__ import annotations

import linecache
import os
import sys
import threading
import warnings
from collections.abc import Callable
from types import FrameType
from typing import Any

from ..core.exits import Exit
from ..core.places import place_at
from ..core.positions import Position, decode, is_within, user_frame
from ..tape import reasons

__all__ = ["Notices", "where"]

MOST = 1000  # events of one kind
MOST_SOURCE = 2 << 20  # bytes of one file's text


def where(position: Position | None) -> dict[str, Any]:
    """File and line of a position, as events and tags say it."""
    if position is None:
        return {}
    return {"file": position.filename, "line": position.line}


def _users(filename: str, line: int) -> tuple[str, int]:
    """Where the user called what warned, if the warning names a line of gradtape's or NumPy's."""
    if not is_within(filename):
        return filename, line
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        file = frame.f_code.co_filename
        if not is_within(file) and file != warnings.__file__ and frame.f_lineno is not None:
            return file, frame.f_lineno
        frame = frame.f_back
    return filename, line


class Notices:
    """The events of a run that its capture notices by itself."""

    def __init__(self, capture: Any) -> None:
        self._capture = capture
        self._told: set[Any] = set()
        self._counts: dict[str, int] = {}
        self._files: set[str] = set()
        self._exits = self._returns = 0

    def event(self, kind: str, key: Any, data: dict[str, Any]) -> None:
        """Write an event, once for each key."""
        if (kind, key) in self._told:
            return
        count = self._counts[kind] = self._counts.get(kind, 0) + 1
        if count > MOST:
            return
        self._told.add((kind, key))
        self._capture.writer.event(self._capture.steps.number, kind, data)
        file = data.get("file")
        if file:
            self.file(file)

    def say(self, text: str) -> None:
        """A note of our own."""
        self.event("note", text, {"text": text})

    # -- at a gradient --------------------------------------------------------------------------

    def look(
        self, call: Any, recorder: Any, targets: Any, sources: Any, results: Any, step: int
    ) -> None:
        """Missing gradients, exits and returns of a gradient call."""
        for i, result in enumerate(results):
            if result is None and i not in call.told_none:
                call.told_none.add(i)
                found = reasons.explain(recorder, targets, sources[i])
                position = found.path[-1] if found.path else decode(call.code, call.lasti)
                reason = " ".join(part for part in (found.fact, found.cause) if part)
                self.event("none", (id(call), i), {
                    "source": f"value/{call.names[i]}", "reason": reason, "kind": found.kind,
                    "remedy": found.remedy, **where(position),
                })  # fmt: skip
        if recorder.exits is not None:
            for entry in recorder.exits.places.values():
                self._left(entry, "exit")
        for back in recorder.returns:
            at = (id(back.code), back.lasti)
            if ("returned", at) not in self._told:
                position = decode(back.code, back.lasti)
                left = back.exit.place.position
                self.event("returned", at, {
                    "what": back.exit.place.text or back.exit.kind, "certain": back.certain,
                    "left": where(left), **where(position),
                })  # fmt: skip

    def _left(self, entry: Exit, kind: str) -> None:
        place = entry.place
        at = (id(place.code), place.lasti)
        if (kind, at) not in self._told:
            self.event(kind, at, {"what": place.text or entry.kind, **where(place.position)})

    def warned(self, data: dict[str, Any]) -> None:
        """A warning of the tape's."""
        message, position = data["message"], data["position"]
        self.event("warning", (message, position), {
            "message": message, "category": data["category"], **where(position),
        })  # fmt: skip

    def hear_numpy(self) -> Callable[[], None]:
        """Note NumPy's own warnings (overflow, division by 0) until the result is called."""
        before = warnings.showwarning
        thread = threading.get_ident()
        is_on = True

        def show(
            message: Any, category: Any, filename: str, lineno: int, *rest: Any, **more: Any
        ) -> None:
            if is_on and category is RuntimeWarning and threading.get_ident() == thread:
                file, line = _users(filename, lineno)
                self.event("warning", (str(message), file, line), {
                    "message": str(message), "category": category.__name__, "file": file,
                    "line": line,
                })  # fmt: skip
            before(message, category, filename, lineno, *rest, **more)

        warnings.showwarning = show

        def stop() -> None:
            nonlocal is_on
            is_on = False  # also where somebody has put another function around this one
            if warnings.showwarning is show:
                warnings.showwarning = before

        return stop

    def assigned(self, variable: Any) -> None:
        """The first assignment of a Variable that this recording has seen."""
        frame = user_frame()
        place = place_at(frame)
        position = decode(frame.f_code, frame.f_lasti)
        self.event("assign", (variable.key, position), {
            "variable": self._capture.names.get(variable.key, variable.name),
            "how": place.text or (position.source if position else ""), **where(position),
        })  # fmt: skip

    # -- texts ----------------------------------------------------------------------------------

    def sources(self, graph: dict[str, Any]) -> None:
        """Keep the texts of the files in which a graph's operations stand."""
        for node in graph["nodes"]:
            file = node.get("file")
            if file:
                self.file(file)

    def file(self, file: str) -> None:
        """Keep the text of a file, once."""
        if file in self._files:
            return
        self._files.add(file)
        lines = linecache.getlines(file)
        text = "".join(lines)
        if text and len(text) <= MOST_SOURCE:
            self._capture.writer.source(file, text)
        elif not text and os.path.isfile(file):
            self.say(f"The text of {os.path.basename(file)} could not be read.")
