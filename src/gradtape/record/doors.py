"""Doors: what a caller gives a run is looked at here, before anything is written or read.

What is refused is an `ArgumentTypeError` (a TypeError) where it is of another kind, and an
`ArgumentValueError` (a ValueError) where it is of that kind and not possible.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from operator import index
from pathlib import Path
from typing import Any

import numpy as np

from ..core.positions import decode, here
from ..core.refusals import ArgumentTypeError, ArgumentValueError
from ..errors import three_part

__all__ = [
    "choice_of", "entries_of", "path_of", "step_of", "text_of", "variable_of", "whole_of",
    "words_of",
]  # fmt: skip


def path_of(what: str, given: Any) -> Path:
    """A path that was given to `what`."""
    try:
        found = os.fspath(given)
    except TypeError:
        found = None
    if not isinstance(found, str):
        raise _wrong_type(what, f"{given!r:.60} is no path", 'Pass text or a Path: "runs/cars".')
    if "\0" in found:
        raise _wrong_value(what, f"{found!r:.60} has a NUL in it", "Leave that character out.")
    return Path(found)


def choice_of(what: str, word: str, given: Any, known: Sequence[str]) -> str:
    """One of the words that `word=` takes, the usual one first."""
    if isinstance(given, str) and given in known:
        return given
    named = ", ".join(repr(each) for each in known)
    refused = _wrong_value if isinstance(given, str) else _wrong_type
    raise refused(what, f"{word}={given!r:.60} is not known", f"Use one of {named}.")


def whole_of(what: str, word: str, given: Any, least: int) -> int:
    """A whole number from `least` on, NumPy's too."""
    try:
        number = None if isinstance(given, bool | np.bool_) else index(given)
    except TypeError:
        number = None
    remedy = f"Pass a whole number from {least} on, or leave {word} out."
    if number is None:
        raise _wrong_type(what, f"{word}={given!r:.60} is no whole number", remedy)
    if number < least:
        raise _wrong_value(what, f"{word}={number} is below {least}", remedy)
    return number


def text_of(what: str, word: str, given: Any) -> str:
    """Text."""
    if not isinstance(given, str):
        raise _wrong_type(what, f"{word}={given!r:.60} is no text", f'Pass text: {word}="...".')
    return given


def entries_of(what: str, given: Any) -> dict[str, Any]:
    """The entries of a dict, or of what is like one, by their keys as text."""
    if not isinstance(given, Mapping):
        remedy = f'Pass a dict: run.{what}({{"lr": 0.01}}).'
        raise _wrong_type(what, f"a {type(given).__name__} is no dict", remedy)
    return {str(key): value for key, value in given.items()}


def words_of(what: str, word: str, given: Any) -> list[str]:
    """Names in an order, an array of them too."""
    if isinstance(given, str | Mapping) or not hasattr(given, "__iter__"):
        remedy = f'Pass the names in their order: {word}=["cat", "dog"].'
        raise _wrong_type(what, f"{word}={given!r:.60} is no list of names", remedy)
    return [str(each) for each in given]


def variable_of(what: str, given: Any) -> Any:
    """A Variable of any dialect, by what it can do."""
    if not all(hasattr(given, part) for part in ("assign", "name", "shape")):
        remedy = f'Pass the Variable itself, run.{what}(w); its value is run.array("value/w").'
        raise _wrong_type(what, f"a {type(given).__name__} is no Variable", remedy)
    return given


def step_of(what: str, given: Any) -> int | None:
    """The number of a step, as a whole float too; None for the last."""
    if given is None:
        return None
    try:
        return int(given) if isinstance(given, float) and given.is_integer() else index(given)
    except TypeError:
        remedy = "Pass a whole number, or leave it out for the last step."
        raise _wrong_type(what, f"step={given!r:.60} is no whole number", remedy) from None


def _wrong_type(what: str, fact: str, remedy: str) -> ArgumentTypeError:
    return ArgumentTypeError(three_part(f"{what}: {fact}.", _place(), remedy))


def _wrong_value(what: str, fact: str, remedy: str) -> ArgumentValueError:
    return ArgumentValueError(three_part(f"{what}: {fact}.", _place(), remedy))


def _place() -> str:
    return f"Called at {decode(*here())}."
