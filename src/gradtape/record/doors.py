"""Doors: what a caller gives a run is looked at here, before anything is written or read.

What is refused is an `ArgumentTypeError` (a TypeError) where it is of another kind, and an
`ArgumentValueError` (a ValueError) where it is of that kind and not possible.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from operator import index
from pathlib import Path
from typing import Any

import numpy as np

from ..core.positions import decode, here
from ..core.refusals import ArgumentTypeError, ArgumentValueError
from ..core.tensor import Tensor, raw
from ..errors import three_part
from .schema import as_text

__all__ = [
    "check_names", "check_roles", "choice_of", "entries_of", "number_of", "path_of", "step_of",
    "text_of", "variable_of", "whole_of", "words_of",
]  # fmt: skip

_LONGEST = 1000  # letters of a column's name


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
    found: dict[str, Any] = {}
    for key, value in given.items():
        name = as_text(key)
        if name in found:
            remedy = "Give each entry a name of its own."
            raise _wrong_value(what, f"two keys are {name!r:.60} as text", remedy)
        found[name] = value
    return found


def number_of(given: Any) -> float | None:
    """A real number as a float, None for what is none or too large for one."""
    if isinstance(given, str | bytes | list | tuple | dict) or np.ndim(given):
        return None
    try:
        return float(given)
    except (TypeError, ValueError, OverflowError):
        return None


def check_names(what: str, given: Mapping[str, Any]) -> None:
    """Refuse names that no column can have."""
    for name in given:
        if not 0 < len(name) <= _LONGEST:
            said = f"a name of {len(name):,} letters" if name else "a name without a letter"
            raise _wrong_value(what, f"{said} is not possible", "Name it shortly: accuracy=0.9.")


def _check_role(word: str, given: Any, is_known: Callable[[str], bool]) -> None:
    """Refuse what is no array or Tensor, or its tag; for `prediction` no Tensor or tag."""
    named = 'its tag, "prediction"' if word == "prediction" else 'its tag, "input/0"'
    remedy = f"Pass the {'Tensor' if word == 'prediction' else 'array'} itself, or {named}."
    if isinstance(given, str):
        if not is_known(given):
            raise _wrong_value("roles", f"{word}={given!r:.60} is no tag of this run", remedy)
        return
    if word == "prediction":
        is_right = isinstance(given, Tensor)
    else:
        try:
            array = np.asarray(raw(given))
        except Exception:  # what is ragged, or an object of the user's
            array = np.empty((), object)
        is_right = array.dtype.kind in "fciub" or str(array.dtype) == "bfloat16"
        is_right = is_right and not isinstance(given, int | float | complex)
    if not is_right:
        what = "Tensor of this step" if word == "prediction" else "array of numbers"
        raise _wrong_type("roles", f"{word}={as_text(given, 60)} is no {what}", remedy)


def check_roles(
    others: Mapping[str, Any], is_known: Callable[[str], bool], **roles: Any
) -> None:
    """Refuse `others`, which are no roles, and what cannot play one."""
    for word in others:
        remedy = "Roles are x, y and prediction; classes names the classes: run.roles(x=x, y=y)."
        raise _wrong_type("roles", f"there is no role {word!r:.60}", remedy)
    for word, given in roles.items():
        if given is not None:
            _check_role(word, given, is_known)


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
