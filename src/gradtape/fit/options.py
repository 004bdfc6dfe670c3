"""What `gradtape fit` was asked to do, and how to type it again with a change."""

from __future__ import annotations

import math
import re
import shlex
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import three_part
from .problems import FitError, did_you_mean

__all__ = ["Options", "initial_values", "letter"]


@dataclass(frozen=True)
class Options:
    """The arguments of `gradtape fit`; the defaults are the command's.

    Attributes
    ----------
    data, formula : str
        The CSV file and what to fit.
    epochs : int or None
        How many updates; None until the gradient vanishes.
    learning_rate : float or None
        None for a quarter of the largest stable rate.
    init : str
        "name=value,name=value"; what is not named starts at 0.
    standardize : bool
        Whether the descent runs in standardised units.
    out : Path
        The folder for history.csv, fit.png and cost.png.
    quiet : bool
        Whether to print nothing but errors.
    """

    data: str
    formula: str
    epochs: int | None = None
    learning_rate: float | None = None
    init: str = ""
    standardize: bool = True
    out: Path = Path()
    quiet: bool = False

    def command(self) -> str:
        """Return the command line of these options.

        >>> Options("cars.csv", "mpg ~ weight", epochs=9).command()
        'gradtape fit cars.csv "mpg ~ weight" --epochs 9'
        """
        words = ["gradtape", "fit", _quoted(self.data), _quoted(self.formula)]
        if self.epochs is not None:
            words += ["--epochs", str(self.epochs)]
        if self.learning_rate is not None:
            words += ["--learning-rate", f"{self.learning_rate:g}"]
        if self.init:
            words += ["--init", _quoted(self.init)]
        if not self.standardize:
            words.append("--no-standardize")
        if self.out != Path():
            words += ["--out", _quoted(str(self.out))]
        return " ".join(words)

    def but(self, **changes: object) -> Options:
        """Return the options with some of them changed."""
        return replace(self, **changes)  # type: ignore[arg-type]


def _quoted(word: str) -> str:
    """The word for a shell; in double quotes where these do, which every system's shell reads."""
    if re.fullmatch(r"[\w./:=,+@%-]+", word):
        return word
    return shlex.quote(word) if re.search(r'["$`\\!]', word) else f'"{word}"'


def letter(position: int) -> str:
    """Return the short name of a coefficient: a, b, c, ... z, then none.

    >>> letter(1), letter(26)
    ('b', '')
    """
    return chr(ord("a") + position) if position < 26 else ""


def initial_values(init: str, names: tuple[str, ...]) -> NDArray[np.float64]:
    """Return the starting coefficients, (p,), in the data's units.

    A coefficient goes by its name (`horsepower`) or, unless a name is the same, by its letter:
    `a` is the first of the table, the intercept if there is one.

    Raises
    ------
    FitError
        For a name that no coefficient has, and a value that is no finite number.

    Examples
    --------
    >>> initial_values("a=40,horsepower=-0.1", ("Intercept", "horsepower"))
    array([40. , -0.1])
    """
    values = np.zeros(len(names))
    position = {letter(i): i for i in range(len(names)) if letter(i)}
    position |= {name: i for i, name in enumerate(names)}
    # A comma inside brackets belongs to a name, such as "poly(x, 2)[1]".
    for part in re.split(r",(?![^(\[]*[)\]])", init) if init.strip() else []:
        name, equals, text = (piece.strip() for piece in part.rpartition("="))
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not equals or not math.isfinite(value):
            raise FitError(
                three_part(
                    f"--init: {part.strip()!r} is not of the form name=number.",
                    "",
                    f"Write --init {_quoted(','.join(f'{known}=0' for known in names))}",
                )
            )
        if name not in position:
            short = f" (or {', '.join(letter(i) for i in range(len(names)) if letter(i))})"
            raise FitError(
                three_part(
                    f"--init: there is no coefficient {name!r}.",
                    f"The coefficients are {', '.join(names)}{short}.",
                    did_you_mean(name, position) or f"Write --init {_quoted(names[0] + '=0')}",
                )
            )
        values[position[name]] = value
    return values
