"""What can be wrong with a fit, as exceptions, and the libraries it needs, by name."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable
from typing import Any

from ..errors import GradtapeError, three_part

__all__ = ["DivergedError", "FitError", "MissingExtraError", "did_you_mean", "require"]


class FitError(GradtapeError, ValueError):
    """The data, the formula or an option does not allow a fit; the message says what to change."""


class DivergedError(FitError):
    """The cost grew without bound: the learning rate is above the largest stable one."""


class MissingExtraError(GradtapeError, ImportError):
    """A library of the extra `fit` is not installed."""


def require(module: str) -> Any:
    """Return the module, imported now; its absence is an error that names the install command.

    >>> require("json").dumps([1])
    '[1]'
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module.partition(".")[0]:
            raise  # it is installed, and something that it needs itself is not
        raise MissingExtraError(
            three_part(
                f"gradtape fit needs {error.name}, which is not installed.",
                "It belongs to the extra `fit`, which `pip install gradtape` leaves out.",
                'Install it: pip install "gradtape[fit]"',
            )
        ) from None


def did_you_mean(word: str, known: Iterable[str], *, likeness: float = 0.6) -> str:
    """Return "Did you mean ...?" with the nearest known words, or the empty string.

    >>> did_you_mean("horsepowr", ["mpg", "horsepower"])
    'Did you mean horsepower?'
    """
    # The file's spelling is wanted back, the comparison is blind to case: MPG is near mpg.
    # Of poly and Poly, the one in lower case is meant.
    by_lower = {name.lower(): name for name in sorted(known, key=str.islower)}
    near = difflib.get_close_matches(word.lower(), by_lower, n=2, cutoff=likeness)
    return f"Did you mean {' or '.join(by_lower[name] for name in near)}?" if near else ""
