"""The page in a notebook cell, live: the kernel answers what a server would (anywidget).

Needs the package `anywidget`; where it is missing, `run` itself shows a page that stands still.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from ..errors import RecordError, three_part
from ..record.reader import Reader
from .answers import BINARY, Answers
from .library import Library
from .shelf import Shelf, run_id

if TYPE_CHECKING:
    import anywidget

__all__ = ["live"]

EVERY = 0.25
"""Seconds between two looks at whether the run has grown."""

_RENDER = "\nexport default { render: gradtape.widget };\n"


def live(path: str | os.PathLike[str]) -> anywidget.AnyWidget:
    """The widget that shows a run while it is written.

    Raises
    ------
    RecordError
        If anywidget is not installed.
    """
    try:
        import anywidget
        import traitlets
    except ImportError as error:
        raise RecordError(
            three_part(
                "run.live() needs the package anywidget.",
                f"It is not installed: {error}.",
                'pip install "gradtape[notebook]", or show the run itself: put `run` at the end of'
                " a cell.",
            )
        ) from error
    page = files(__package__) / "page"

    class RunWidget(anywidget.AnyWidget):
        """The page of one run."""

        _esm = (page / "app.js").read_text(encoding="utf-8") + _RENDER
        _css = (page / "app.css").read_text(encoding="utf-8")
        run = traitlets.Unicode().tag(sync=True)

    widget = RunWidget(run=run_id(path))
    conversation = Conversation(path, widget.send)
    widget.on_msg(lambda _widget, content, _buffers: conversation.hear(content))
    widget.observe(lambda _: conversation.close(), names=["comm"])
    conversation.start()
    return widget


class Conversation:
    """Answers the questions of one widget, and tells it of every commit.

    Parameters
    ----------
    path : path
        The run.
    send : callable
        `send(content, buffers)` sends a message to the page.
    """

    def __init__(self, path: str | os.PathLike[str], send: Any) -> None:
        self._answers = Answers(Library(Shelf(path)))
        self._path, self._send = path, send
        self._ends = threading.Event()

    def hear(self, content: Any) -> None:
        """Answer one message of the page: `{"id": number, "get": address}`."""
        if not isinstance(content, dict) or not isinstance(content.get("get"), str):
            return
        path, _, query = content["get"].partition("?")
        answer = self._answers.answer(path, query)
        said: dict[str, Any] = {"id": content.get("id")}
        if answer.status == 200 and answer.kind == BINARY:
            self._send(said, [answer.body])
            return
        if answer.status == 200:
            said["json"] = json.loads(answer.body)
        else:
            said["code"], said["error"] = answer.status, answer.reason or _error(answer.body)
        self._send(said, [])

    def start(self) -> None:
        """Look for commits in a thread of its own until the run is over."""
        threading.Thread(target=self._watch, name="gradtape-widget", daemon=True).start()

    def close(self) -> None:
        """Look no more."""
        self._ends.set()

    def _watch(self) -> None:
        with contextlib.closing(Reader(self._path)) as reader:
            seen: Any = None
            while not self._ends.is_set():
                now = (reader.version(), reader.status())
                if now != seen:
                    seen = now
                    self._send({"change": {"run": run_id(self._path), "version": now[0],
                                           "last": reader.last, "status": now[1]}}, [])  # fmt: skip
                if now[1] != "running":
                    return
                self._ends.wait(EVERY)


def _error(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        return "The record has no answer."
