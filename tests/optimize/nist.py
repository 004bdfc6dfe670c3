"""The 27 nonlinear problems of NIST's Statistical Reference Datasets: files read, models in NumPy.

Source: NIST Information Technology Laboratory, StRD, Nonlinear Regression (public domain), in
tests/data/nist_strd/.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).resolve().parent.parent / "data" / "nist_strd"
_PARAMETER = re.compile(r"\s*b\d+ =" + 4 * r"\s+(\S+)" + r"\s*$")


@dataclass(frozen=True)
class Problem:
    """One set: data, model `f(x, *b)`, starting points, and what NIST certifies."""

    name: str
    model: Callable[..., Any]
    x: Any
    y: Any
    starts: tuple[list[float], list[float]]
    parameters: list[str]
    deviations: list[str]
    sum_of_squares: str


def read(name: str, number: Any = np.float64) -> Problem:
    """Read one set, its data as `number` (np.longdouble keeps all the printed digits)."""
    text = (FOLDER / f"{name}.dat").read_text(encoding="ascii")
    lines = text.splitlines()
    table = [match.groups() for match in map(_PARAMETER.match, lines) if match]
    first, last = map(int, re.search(r"Data +\(lines +(\d+) to +(\d+)\)", text).groups())
    rows = [line.split() for line in lines[first - 1 : last]]
    data = np.array([[number(entry) for entry in row] for row in rows])
    y, x = data[:, 0], data[:, 1:].T
    if name == "Nelson":  # the model is of log(y)
        y = np.log(y)
    return Problem(
        name,
        MODELS[name],
        x if len(x) > 1 else x[0],
        y,
        ([float(row[0]) for row in table], [float(row[1]) for row in table]),
        [row[2] for row in table],
        [row[3] for row in table],
        re.search(r"Residual Sum of Squares: +(\S+)", text)[1],
    )


def digits(found: Any, certified: list[str]) -> float:
    """The log relative error of the worst entry: how many of its digits are right, at most 11."""
    worst = 11.0
    for value, text in zip(found, certified, strict=True):
        exact = np.longdouble(text)
        error = abs(np.longdouble(value) - exact) / abs(exact)
        worst = min(worst, 0.0 if not np.isfinite(error) else -float(np.log10(error + 1e-30)))
    return max(worst, 0.0)


# ------------------------------------------------------------------------------- the models


def misra1a(x, b1, b2):
    return b1 * (1 - np.exp(-b2 * x))


def chwirut(x, b1, b2, b3):
    return np.exp(-b1 * x) / (b2 + b3 * x)


def lanczos(x, b1, b2, b3, b4, b5, b6):
    return b1 * np.exp(-b2 * x) + b3 * np.exp(-b4 * x) + b5 * np.exp(-b6 * x)


def gauss(x, b1, b2, b3, b4, b5, b6, b7, b8):
    first, second = np.exp(-((x - b4) ** 2) / b5**2), np.exp(-((x - b7) ** 2) / b8**2)
    return b1 * np.exp(-b2 * x) + b3 * first + b6 * second


def cubic(x, b1, b2, b3, b4, b5, b6, b7):
    return (b1 + b2 * x + b3 * x**2 + b4 * x**3) / (1 + b5 * x + b6 * x**2 + b7 * x**3)


def enso(x, b1, b2, b3, b4, b5, b6, b7, b8, b9):
    year, first, second = 2 * np.pi * x / 12, 2 * np.pi * x / b4, 2 * np.pi * x / b7
    y = b1 + b2 * np.cos(year) + b3 * np.sin(year)
    y = y + b5 * np.cos(first) + b6 * np.sin(first)
    return y + b8 * np.cos(second) + b9 * np.sin(second)


MODELS: dict[str, Callable[..., Any]] = {
    "Bennett5": lambda x, b1, b2, b3: b1 * (b2 + x) ** (-1 / b3),
    "BoxBOD": misra1a,
    "Chwirut1": chwirut,
    "Chwirut2": chwirut,
    "DanWood": lambda x, b1, b2: b1 * x**b2,
    "ENSO": enso,
    "Eckerle4": lambda x, b1, b2, b3: (b1 / b2) * np.exp(-0.5 * ((x - b3) / b2) ** 2),
    "Gauss1": gauss,
    "Gauss2": gauss,
    "Gauss3": gauss,
    "Hahn1": cubic,
    "Kirby2": lambda x, b1, b2, b3, b4, b5: (b1 + b2 * x + b3 * x**2) / (1 + b4 * x + b5 * x**2),
    "Lanczos1": lanczos,
    "Lanczos2": lanczos,
    "Lanczos3": lanczos,
    "MGH09": lambda x, b1, b2, b3, b4: b1 * (x**2 + x * b2) / (x**2 + x * b3 + b4),
    "MGH10": lambda x, b1, b2, b3: b1 * np.exp(b2 / (x + b3)),
    "MGH17": lambda x, b1, b2, b3, b4, b5: b1 + b2 * np.exp(-x * b4) + b3 * np.exp(-x * b5),
    "Misra1a": misra1a,
    "Misra1b": lambda x, b1, b2: b1 * (1 - (1 + b2 * x / 2) ** (-2)),
    "Misra1c": lambda x, b1, b2: b1 * (1 - (1 + 2 * b2 * x) ** (-0.5)),
    "Misra1d": lambda x, b1, b2: b1 * b2 * x * ((1 + b2 * x) ** (-1)),
    "Nelson": lambda x, b1, b2, b3: b1 - b2 * x[0] * np.exp(-b3 * x[1]),
    "Rat42": lambda x, b1, b2, b3: b1 / (1 + np.exp(b2 - b3 * x)),
    "Rat43": lambda x, b1, b2, b3, b4: b1 / ((1 + np.exp(b2 - b3 * x)) ** (1 / b4)),
    "Roszman1": lambda x, b1, b2, b3, b4: b1 - b2 * x - np.arctan(b3 / (x - b4)) / np.pi,
    "Thurber": cubic,
}
