"""What `gradtape fit` was asked to do, and how to type it again with a change."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import three_part
from .problems import FitError, did_you_mean

__all__ = ["Options", "initial_values", "letter", "parse_init", "quoted"]


@dataclass(frozen=True)
class Options:
    """The arguments of `gradtape fit`; the defaults are the command's.

    Attributes
    ----------
    data : str
        The file, "-" for a pipe, or "" for a table in memory.
    formula : str or None
        What to fit; with a model, the label alone or nothing.
    model : str or None
        A nonlinear model in place of a formula.
    loss : str
        What is minimised.
    optimizer : str or None
        What makes the steps; None for what suits the loss.
    epochs : int or None
        How many updates; None until the gradient vanishes.
    learning_rate : float or None
        None for a quarter of the largest stable rate.
    schedule : str
        How the rate goes down.
    tolerance : float or None
        What part of its natural size counts as a vanished gradient.
    batch_size : int or None
        Rows of a mini-batch; None for all.
    init : str
        "name=value,name=value"; what is not named starts at 0.
    weights : str or None
        The column that says how much each row counts.
    test_fraction : float
        The part of the rows that is kept for a test.
    seed : int
        Of the test rows and the mini-batches.
    standardize : bool
        Whether the descent runs in standardised units.
    out : Path
        The folder for the files.
    stream : bool or None
        Whether to read the file in pieces; None where it is large.
    resume : bool
        Whether to go on from the files in that folder.
    json : bool
        Whether to print one JSON document in place of the report.
    quiet : bool
        Whether to print nothing but errors.
    """

    data: str
    formula: str | None = None
    model: str | None = None
    loss: str = "mse"
    optimizer: str | None = None
    epochs: int | None = None
    learning_rate: float | None = None
    schedule: str = "constant"
    tolerance: float | None = None
    batch_size: int | None = None
    init: str = ""
    weights: str | None = None
    test_fraction: float = 0.0
    seed: int = 0
    standardize: bool = True
    stream: bool | None = None
    out: Path = Path()
    resume: bool = False
    json: bool = False
    quiet: bool = False

    @property
    def can_be_typed(self) -> bool:
        """Whether the same can be had again by typing it."""
        return self.data not in ("", "-")

    def command(self) -> str:
        """Return the command line of these options.

        >>> Options("cars.csv", "mpg ~ weight", epochs=9).command()
        'gradtape fit cars.csv "mpg ~ weight" --epochs 9'
        """
        words = ["gradtape", "fit", quoted(self.data)]
        if self.formula:
            words.append(quoted(self.formula))
        for option in fields(self):
            value = getattr(self, option.name)
            if option.name in ("data", "formula") or value == option.default:
                continue
            name = f"--{option.name.replace('_', '-')}"
            if value is True:
                words.append(name)
            elif value is False:
                words.append(f"--no-{option.name}")
            else:
                words += [name, f"{value:.12g}" if isinstance(value, float) else quoted(str(value))]
        return " ".join(words)

    def but(self, **changes: object) -> Options:
        """Return the options with some of them changed."""
        return replace(self, **changes)  # type: ignore[arg-type]


def quoted(word: str) -> str:
    """Return the word for a shell; in double quotes where these do, which every shell reads."""
    if re.fullmatch(r"[\w./:=,+@%-]+", word):
        return word
    return shlex.quote(word) if re.search(r'["$`\\!]', word) else f'"{word}"'


def letter(position: int) -> str:
    """Return the short name of a coefficient: a, b, c, ... z, then none.

    >>> letter(1), letter(26)
    ('b', '')
    """
    return chr(ord("a") + position) if position < 26 else ""


def parse_init(init: str) -> dict[str, float]:
    """Return the names and numbers of `--init`.

    Raises
    ------
    FitError
        For what is not of the form name=number, and a number that is not finite.

    Examples
    --------
    >>> parse_init("b1=500, b2=1e-4")
    {'b1': 500.0, 'b2': 0.0001}
    """
    values: dict[str, float] = {}
    # A comma inside brackets belongs to a name, such as "poly(x, 2)[1]".
    for part in re.split(r",(?![^(\[]*[)\]])", init) if init.strip() else []:
        name, equals, text = (piece.strip() for piece in part.rpartition("="))
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not equals or not name or not math.isfinite(value):
            raise FitError(
                three_part(
                    f"--init: {part.strip()!r} is not of the form name=number.",
                    "",
                    "Write a name, =, a number, and commas between: --init a=1,b=0.5",
                )
            )
        if name.strip("`") in values:
            raise _given_twice(name.strip("`"))
        values[name.strip("`")] = value
    return values


def _given_twice(name: str) -> FitError:
    return FitError(
        three_part(
            f"--init: {name!r} is given twice.",
            "A coefficient starts at one number; it goes by its name or by its letter.",
            f"Keep one of them: --init {quoted(name + '=0')}",
        )
    )


def initial_values(
    init: Mapping[str, float], names: tuple[str, ...], *, also: tuple[str, ...] = ()
) -> NDArray[np.float64]:
    """Return the starting coefficients, (p,), in the data's units.

    A coefficient goes by its name (`horsepower`) or, unless a name is the same, by its letter:
    `a` is the first of the table, the intercept if there is one.

    Raises
    ------
    FitError
        For a name that no coefficient has; names that `also` exist are named with the others.

    Examples
    --------
    >>> initial_values({"a": 40, "horsepower": -0.1}, ("Intercept", "horsepower"))
    array([40. , -0.1])
    """
    values = np.zeros(len(names))
    found: set[int] = set()
    position = {letter(i): i for i in range(len(names)) if letter(i)}
    position |= {name: i for i, name in enumerate(names)}
    for name, value in init.items():
        if name not in position:
            short = f" (or {', '.join(letter(i) for i in range(len(names)) if letter(i))})"
            raise FitError(
                three_part(
                    f"--init: there is no coefficient {name!r}.",
                    f"The coefficients are {', '.join((*names, *also))}{short}.",
                    did_you_mean(name, position) or f"Write --init {quoted(names[0] + '=0')}",
                )
            )
        if position[name] in found:
            raise _given_twice(name)
        found.add(position[name])
        values[position[name]] = value
    return values
