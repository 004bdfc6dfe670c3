"""Progress: one line that says how a loop goes, in a terminal, a notebook or a log.

    38/70  cost 19.2041  |grad| 3.1  412 it/s  0:00:01 left

A terminal gets one line that is written over, a notebook one output that is updated (at most four
times a second, with no widget), anything else a line every few seconds.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from typing import Any, TextIO

from ..core.refusals import ArgumentTypeError, ArgumentValueError
from ..errors import RecordError, three_part

__all__ = ["Progress", "progress_of"]

TERMINAL_SECONDS, NOTEBOOK_SECONDS, LOG_SECONDS = 0.1, 0.25, 5.0
Reporter = Callable[[dict[str, Any]], None]


def line_of(facts: dict[str, Any]) -> str:
    """The line of progress.

    >>> line_of({"step": 37, "steps": 70, "cost": 19.20413, "slope": 3.1, "rate": 412.0})
    '38/70  cost 19.2041  |grad| 3.1  412 it/s  0:00:00 left'
    """
    step, steps, rate = facts["step"] + 1, facts.get("steps"), facts.get("rate")
    parts = [f"{step}/{steps}" if steps else f"step {step}"]
    if not math.isnan(facts.get("cost", math.nan)):
        parts.append(f"cost {facts['cost']:.6g}")
    if not math.isnan(facts.get("slope", math.nan)):
        parts.append(f"|grad| {facts['slope']:.3g}")
    if rate:
        parts.append(f"{rate:.3g} it/s" if rate >= 1 else f"{1 / rate:.3g} s/it")
        if steps:
            parts.append(f"{_duration((steps - step) / rate)} left")
    return "  ".join(parts)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"


def progress_of(asked: Any, stream: TextIO | None = None) -> Progress | None:
    """What `progress=` means: None for no progress.

    Parameters
    ----------
    asked : bool, "tqdm" or callable
        A callable gets a dict: step, steps, cost, slope (norm of the gradient), rate (steps a
        second), and done at the end.

    Raises
    ------
    ValueError or TypeError
        If it is something else.
    RecordError
        If tqdm is not installed.
    """
    if asked is False or asked is None:
        return None
    if asked is True:
        stream = stream or sys.stderr
        if in_notebook():
            return Progress(_Notebook(), NOTEBOOK_SECONDS)
        if stream.isatty():
            return Progress(_Terminal(stream), TERMINAL_SECONDS)
        return Progress(_Log(stream), LOG_SECONDS, LOG_SECONDS)
    if isinstance(asked, str) and asked == "tqdm":
        return Progress(_Tqdm(), TERMINAL_SECONDS)
    if callable(asked):
        return Progress(asked, 0.0)
    raise (ArgumentValueError if isinstance(asked, str) else ArgumentTypeError)(
        three_part(
            f"Recording: progress={asked!r:.60} is not known.",
            "It says how the loop's progress is shown.",
            'Pass True, False, "tqdm", or a function of a dict (step, cost, slope, rate).',
        )
    )


def in_notebook() -> bool:
    """Whether this is a Jupyter kernel."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and hasattr(shell, "kernel")


class Progress:
    """Tells a reporter at most once in `seconds`, and at the end.

    Attributes
    ----------
    steps : int or None
        How many there will be, where that is known.
    """

    def __init__(self, report: Any, seconds: float, patience: float = 0.0) -> None:
        self._report, self._seconds = report, seconds
        self.steps: int | None = None
        self._first: tuple[int, float] | None = None
        now = time.perf_counter()
        self._next = now + patience
        self._last: dict[str, Any] | None = None
        self._shown = False

    def step(self, number: int, moment: float, facts: Callable[[], dict[str, Any]]) -> None:
        """A step has ended at `moment`; `facts` gives its cost and slope if they are shown."""
        if self._first is None:
            self._first = (number, moment)
        if moment < self._next:
            self._last = {"step": number, "moment": moment, "facts": facts}
            return
        self._next = moment + self._seconds
        self._last = None
        self._show(number, moment, facts, False)

    def _show(self, number: int, moment: float, facts: Any, done: bool) -> None:
        assert self._first is not None
        elapsed = moment - self._first[1]
        rate = (number - self._first[0]) / elapsed if elapsed > 0 else 0.0
        self._shown = True
        self._report({"step": number, "steps": self.steps, "rate": rate, "done": done, **facts()})

    def end(self) -> None:
        """Show the last step, and leave what was shown."""
        if self._last is not None and (self._shown or self._seconds < LOG_SECONDS):
            last = self._last
            self._show(last["step"], last["moment"], last["facts"], True)
        close = getattr(self._report, "close", None)
        if close is not None:
            close()


class _Terminal:
    """One line, written over."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._width = stream, 0

    def __call__(self, facts: dict[str, Any]) -> None:
        text = line_of(facts)
        self._stream.write("\r" + text.ljust(self._width))
        self._width = len(text)
        self._stream.flush()

    def close(self) -> None:
        if self._width:
            self._stream.write("\n")
            self._stream.flush()


class _Log:
    """A line now and then."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, facts: dict[str, Any]) -> None:
        print(line_of(facts), file=self._stream, flush=True)


class _Notebook:
    """One output, updated."""

    def __init__(self) -> None:
        self._handle: Any = None

    def __call__(self, facts: dict[str, Any]) -> None:
        from IPython import display

        data = {"text/plain": line_of(facts)}
        if self._handle is None:
            self._handle = display.DisplayHandle()  # type: ignore[no-untyped-call]
            self._handle.display(data, raw=True)
        else:
            self._handle.update(data, raw=True)


class _Tqdm:
    """tqdm's bar."""

    def __init__(self) -> None:
        try:
            from tqdm import tqdm
        except ModuleNotFoundError:
            raise RecordError(
                three_part(
                    'Recording: progress="tqdm" needs tqdm.',
                    "It is not installed.",
                    "pip install tqdm, or leave progress= out.",
                )
            ) from None
        self._make: Any = tqdm
        self._bar: Any = None

    def __call__(self, facts: dict[str, Any]) -> None:
        if self._bar is None:
            self._bar = self._make(total=facts["steps"], unit="step")
        self._bar.n = facts["step"] + 1
        self._bar.set_postfix_str(f"cost {facts['cost']:.6g}", refresh=False)
        self._bar.refresh()

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
