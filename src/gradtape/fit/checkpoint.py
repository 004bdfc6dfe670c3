"""history.csv and model.json while a run goes on, and going on from them after it was ended.

Both are replaced as a whole, the history first: whenever the process is killed, each is complete,
and the history reaches at least as far as the model, which says where to go on.
"""

from __future__ import annotations

import csv
import io
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import three_part
from .descent import Plan, Series, State
from .document import decoded, model_document, run_document, terms_of
from .optimizers import Point
from .options import Options
from .output import missing_folders, remove_folders, replace_file, sweep
from .problem import Problem
from .problems import FitError

__all__ = ["HISTORY", "MODEL", "SECONDS", "Keeper", "resumed"]

HISTORY, MODEL = "history.csv", "model.json"

SECONDS = 2.0
"""How long a run goes on before its state is first written, and then again."""

SHARE = 0.05
"""Writing takes at most this part of the time."""


class Keeper:
    """Writes the state of a run from time to time.

    Parameters
    ----------
    folder : Path
        Where history.csv and model.json go.
    problem, plan, options : Problem, Plan, Options
        What runs.
    """

    def __init__(self, folder: Path, problem: Problem, plan: Plan, options: Options) -> None:
        self.folder, self.problem = folder, problem
        self.terms = terms_of(problem, plan, options)
        self.has_written = False
        self._made: list[Path] = []  # folders that had to be made
        self._lines = [_header(problem.names)]
        self._next = time.monotonic() + SECONDS

    def __call__(self, state: State) -> None:
        """Write the state if it is time."""
        now = time.monotonic()
        if now < self._next:
            return
        if not self.has_written:
            self._made = missing_folders(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.has_written:
            sweep(self.folder, (HISTORY, MODEL))
        self.has_written = True
        replace_file(self.folder / HISTORY, self.history(state))
        replace_file(self.folder / MODEL, self.model(state, finished=False))
        spent = time.monotonic() - now
        self._next = now + spent + max(SECONDS, spent / SHARE)

    def history(self, state: State) -> bytes:
        """Return history.csv: one row per epoch, every number with all its digits.

        Columns: epoch, cost, gradient_norm (of the gradient columns), descent_gradient_norm (in
        the units of the descent), a column per coefficient in the data's units, and a column
        `gradient:NAME` per coefficient: the derivative of the cost by it.
        """
        series, width = state.series, len(self.problem.names)
        known = len(self._lines) - 1
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        for epoch in range(known, len(series)):
            gradient = series.gradients[epoch * width : (epoch + 1) * width].tolist()
            writer.writerow(
                [
                    epoch,
                    series.costs[epoch],
                    math.hypot(*gradient),
                    series.norms[epoch],
                    *series.coefficients[epoch * width : (epoch + 1) * width].tolist(),
                    *gradient,
                ]
            )
        self._lines += text.getvalue().splitlines(keepends=True)
        return "".join(self._lines).encode()

    def model(self, state: State, *, finished: bool, **more: Any) -> bytes:
        """Return model.json."""
        width = len(self.problem.names)
        coefficients = np.array(state.series.coefficients[: len(state.series) * width][-width:])
        document = {
            **model_document(self.problem, coefficients),
            "finished": finished,
            **more,
            "run": run_document(state, self.terms),
        }
        return (json.dumps(document, indent=1, allow_nan=False) + "\n").encode()

    def discard(self) -> None:
        """Take away what was written, after the run has failed."""
        if self.has_written:
            for name in (HISTORY, MODEL):
                (self.folder / name).unlink(missing_ok=True)
            remove_folders(self._made)


def _header(names: tuple[str, ...]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(
        [
            "epoch",
            "cost",
            "gradient_norm",
            "descent_gradient_norm",
            *names,
            *(f"gradient:{name}" for name in names),
        ]
    )
    return text.getvalue()


# -- going on ---------------------------------------------------------------------------------


def resumed(folder: Path, problem: Problem, plan: Plan, options: Options) -> State | None:
    """Return the state that the folder holds, or None where it holds none.

    Raises
    ------
    FitError
        When the state is that of another fit, or the files do not belong together.
    """
    try:
        document = json.loads((folder / MODEL).read_text(encoding="utf-8"))
        text = (folder / HISTORY).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise _damaged(folder, f"{type(error).__name__}: {error}".partition("\n")[0]) from None
    run = document.get("run") if isinstance(document, dict) else None
    if not isinstance(run, dict):
        raise _damaged(folder, f"{MODEL} does not hold the state of a run.")
    terms = json.loads(json.dumps(terms_of(problem, plan, options)))
    before = run.get("terms")
    if before != terms:
        raise _other(folder, before if isinstance(before, dict) else {}, terms)
    try:
        state = _read(run, text, len(problem.names))
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise _damaged(folder, f"{type(error).__name__}: {error}".partition("\n")[0]) from None
    if state is None:
        raise _damaged(folder, f"{HISTORY} is that of another run than {MODEL}.")
    return state


def _read(run: dict[str, Any], text: str, width: int) -> State | None:
    series = Series(width)
    rows = csv.reader(io.StringIO(text))
    next(rows, None)
    kept = int(run["epoch"]) + 1
    for epoch, row in zip(range(kept), rows, strict=False):
        values = list(map(float, row))
        if int(values[0]) != epoch or len(values) != 4 + 2 * width:
            return None
        series.costs.append(values[1])
        series.norms.append(values[3])
        series.coefficients.extend(values[4 : 4 + width])
        series.gradients.extend(values[4 + width :])
    u = np.array(run["u"], dtype=np.float64)
    gradient = np.array(run["gradient"], dtype=np.float64)
    if len(series) != kept or series.costs[-1] != run["cost"] or u.shape != (width,):
        return None
    memory = decoded(run["memory"])
    return State(Point(u, float(run["cost"]), gradient), memory, series, str(run["end"]))


def _damaged(folder: Path, cause: str) -> FitError:
    return FitError(
        three_part(
            f"--resume: the run in {folder} cannot be gone on with.",
            cause,
            "Start anew, without --resume; the files are then replaced.",
        )
    )


def _other(folder: Path, before: dict[str, Any], terms: dict[str, Any]) -> FitError:
    changed = [name for name in terms if before.get(name) != terms[name]]
    shown = "; ".join(
        f"{name} was {before.get(name)!r}, is {terms[name]!r}"
        if name not in ("data", "init")
        else {"data": "the data have changed", "init": "the start has changed"}[name]
        for name in changed[:4]
    )
    return FitError(
        three_part(
            f"--resume: the run in {folder} is another one.",
            f"{shown[:1].upper()}{shown[1:]}.",
            "Type what was typed then (--epochs and --tolerance may differ), or leave --resume "
            "out to start anew.",
        )
    )
