"""`gradtape.fit.regress`: what the command does, for a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..verdict import Verdict
from .checkpoint import HISTORY, MODEL, Keeper
from .document import model_document, result_document
from .html import as_html
from .options import Options
from .output import write_files
from .pictures import pictures
from .predict import model_of
from .problems import require
from .report import data_lines, equation, report
from .result import Result
from .scores import Score
from .sources import read_table, table_of
from .specify import descended, specify
from .stream import open_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Fit", "regress"]

Array = NDArray[np.float64]


class Fit:
    """A fitted model: its coefficients, how sure and how good they are, and how it got there.

    Shown as the report of `gradtape fit`; a notebook shows its table and its pictures.

    Attributes
    ----------
    result : Result
        Everything else comes from here: the problem, the plan, and every epoch.
    options : Options
        What was asked.
    """

    def __init__(self, result: Result, options: Options) -> None:
        self.result = result
        self.options = options

    @property
    def coefficients(self) -> dict[str, float]:
        """The coefficients by name, in the data's units."""
        return self._named(self.result.final)

    @property
    def standard_errors(self) -> dict[str, float] | None:
        """The standard errors by name; None where there are none (`no_errors_because`)."""
        errors = self.result.uncertainty.errors
        return None if errors is None else self._named(errors)

    @property
    def intervals(self) -> dict[str, tuple[float, float]] | None:
        """The ends of the 95 % intervals by name; None where there are none."""
        ends = self.result.uncertainty.intervals(self.result.final)
        if ends is None:
            return None
        return {
            name: (float(low), float(high))
            for name, (low, high) in zip(self.result.problem.names, ends, strict=True)
        }

    @property
    def no_errors_because(self) -> str:
        """Why there are no standard errors, or nothing."""
        return self.result.uncertainty.why

    @property
    def closed_form(self) -> dict[str, float] | None:
        """The solution of linear least squares by name; None for any other fit."""
        problem = self.result.problem
        return self._named(problem.closed_form) if problem.is_quadratic else None

    @property
    def equation(self) -> str:
        """The model with its numbers; empty where it has too many terms."""
        return " ".join(equation(self.result).split())

    @property
    def cost(self) -> float:
        """The cost at the last epoch."""
        return float(self.result.costs[-1])

    @property
    def score(self) -> Score:
        """R² or deviance, on the rows that were fitted."""
        return self.result.score

    @property
    def test_score(self) -> Score | None:
        """The same on the rows that were kept for the test."""
        return self.result.test_score

    @property
    def r2(self) -> float | None:
        """The share of the variance that is explained; None where predictions are no means."""
        return self.result.score.r2

    @property
    def deviance(self) -> float | None:
        """Of a logistic or Poisson fit."""
        return self.result.score.deviance

    @property
    def verdict(self) -> Verdict:
        """What the costs and gradients of the epochs say."""
        return self.result.verdict

    @property
    def converged(self) -> bool:
        """Whether the descent has reached the minimum."""
        return self.result.verdict.convergence.converged

    @property
    def epochs(self) -> int:
        """How many updates were made."""
        return self.result.epochs

    @property
    def history(self) -> pd.DataFrame:
        """Every epoch: cost, gradient norms, coefficients, and gradients, as in history.csv."""
        result, names = self.result, self.result.problem.names
        gradients = result.gradients
        columns = {
            "cost": result.costs,
            "gradient_norm": np.linalg.norm(gradients, axis=1),
            "descent_gradient_norm": result.gradient_norms,
            **{name: result.coefficients[:, j] for j, name in enumerate(names)},
            **{f"gradient:{name}": gradients[:, j] for j, name in enumerate(names)},
        }
        frame: pd.DataFrame = require("pandas").DataFrame(columns)
        frame.index.name = "epoch"
        return frame

    def predict(self, data: Any) -> Array:
        """Return the mean of each row of a table, (n,); nan where a predictor is missing.

        Parameters
        ----------
        data : DataFrame, dict of columns, or path
            With the columns of the predictors.
        """
        table = read_table(data) if isinstance(data, str | Path) else table_of(data)
        return model_of(model_document(self.result.problem, self.result.final)).predict(table)[0]

    def to_dict(self) -> dict[str, Any]:
        """Return what the report says as plain values: the document of `--json`."""
        return result_document(self.result, self.options)

    def save(self, folder: str | Path) -> list[Path]:
        """Write the files of `gradtape fit` into a folder, and return their paths."""
        result, out = self.result, Path(folder)
        keeper = Keeper(out, result.problem, result.plan, self.options)
        covariance = result.uncertainty.covariance
        files = {
            HISTORY: keeper.history(result.state),
            **pictures(result),
            MODEL: keeper.model(
                result.state,
                finished=not result.was_interrupted,
                result=self.to_dict(),
                covariance=None if covariance is None else covariance.tolist(),
            ),
        }
        write_files(out, files)
        return [out / name for name in files]

    def __repr__(self) -> str:
        lines = data_lines(self.result.problem.design, self.options)
        return f"{lines}\n\n{report(self.result, self.options)}"

    def _repr_html_(self) -> str:
        return as_html(self.result, self.options)

    def _named(self, values: Array) -> dict[str, float]:
        return dict(zip(self.result.problem.names, values.tolist(), strict=True))


def regress(
    data: Any,
    formula: str | None = None,
    *,
    model: str | None = None,
    init: Mapping[str, float] | str | None = None,
    loss: str = "mse",
    optimizer: str | None = None,
    learning_rate: float | None = None,
    schedule: str = "constant",
    epochs: int | None = None,
    tolerance: float | None = None,
    batch_size: int | None = None,
    weights: str | None = None,
    test_fraction: float = 0.0,
    seed: int = 0,
    standardize: bool = True,
    stream: bool | None = None,
    out: str | Path | None = None,
) -> Fit:
    """Fit a model to a table by descending its cost, with every derivative from the tape.

    Parameters
    ----------
    data : DataFrame, dict of columns, or path
        The table.
    formula : str, optional
        What to fit, such as "mpg ~ horsepower + C(origin)".
    model : str, optional
        A nonlinear model in its place, such as "y ~ a * exp(-b * x)", whose parameters `init`
        names.
    init : mapping or str, optional
        Where coefficients start, in the data's units.
    loss : str
        mse, sse, mae, huber, huber:DELTA, logistic, poisson, or nll: and a name or an expression.
    optimizer : str, optional
        gd, momentum, adam, lbfgs, newton or lm; by default what suits the loss.
    learning_rate : float, optional
        Of gd, momentum and adam; by default a quarter of the largest stable one.
    schedule : str
        How the learning rate goes down.
    epochs : int, optional
        How many updates; by default until the gradient vanishes.
    tolerance : float, optional
        When it counts as vanished, as a part of the size of the terms it is summed from.
    batch_size : int, optional
        Rows of a mini-batch.
    weights : str, optional
        The column that says how much each row counts.
    test_fraction : float
        The part of the rows that is kept for a test.
    seed : int
        Of the test rows and the mini-batches.
    standardize : bool
        Descend in standardised units.
    stream : bool, optional
        Read a CSV or Parquet file in pieces; by default a large one.
    out : path, optional
        A folder for the files of `gradtape fit`.

    Returns
    -------
    Fit
        Coefficients, standard errors, intervals, scores, verdict, history, `predict`, `save`.

    Raises
    ------
    FitError
        When the data, the model or an option does not allow a fit.

    Examples
    --------
    >>> fit = regress({"x": [0.0, 1.0, 2.0, 3.0], "y": [1.0, 3.0, 5.0, 7.5]}, "y ~ x")
    >>> fit.equation
    'y = 0.9 + 2.15 * x'
    """
    from_file = isinstance(data, str | Path)
    text = init if isinstance(init, str) else ""
    if init is not None and not isinstance(init, str):
        text = ",".join(f"{name}={float(value)!r}" for name, value in init.items())
    options = Options(
        str(data) if from_file else "",
        formula,
        model=model,
        loss=loss,
        optimizer=optimizer,
        epochs=epochs,
        learning_rate=learning_rate,
        schedule=schedule,
        tolerance=tolerance,
        batch_size=batch_size,
        init=text,
        weights=weights,
        test_fraction=test_fraction,
        seed=seed,
        standardize=standardize,
        stream=stream,
        out=Path() if out is None else Path(out),
    )
    table = open_table(data, in_pieces=stream) if from_file else table_of(data)
    problem, plan = specify(table, options)
    fitted = Fit(descended(problem, plan), options)
    if out is not None:
        fitted.save(out)
    return fitted
