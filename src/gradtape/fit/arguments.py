"""The words of `gradtape fit` and `gradtape predict`; nothing heavy is imported to print a help."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

__all__ = ["FIT", "PREDICT", "declare_fit", "declare_predict", "run_fit", "run_predict"]

INTERRUPTED = 130

FIT = """\
Fit a model to a table by descending its cost, with every derivative from the tape.

    gradtape fit cars.csv "mpg ~ horsepower"
    gradtape fit cars.csv "mpg ~ weight + C(origin)" --test-fraction 0.2
    gradtape fit visits.parquet "visits ~ age + income" --loss poisson
    gradtape fit decay.csv --model "y ~ b1*(1-exp(-b2*x))" --init b1=500,b2=0.0001

Prints the equation, each coefficient with its standard error and 95 % interval (for linear least
squares the closed form beside it), R² or the deviance, the score on the test rows, and a verdict
on the run. Writes into the folder --out: history.csv (each epoch's cost, gradient norm,
coefficients and gradients), fit.png, cost.png, path.png and model.json, from which `gradtape
predict` predicts. A long run writes its state as it goes; after Ctrl-C (exit code 130) or a kill,
the same command with --resume goes on to the same numbers.
"""

PREDICT = """\
Predict with a model that `gradtape fit` has written.

    gradtape predict model.json new.csv --out predicted.csv

Writes DATA as CSV with one more column, `prediction`: the mean of the label, which for a logistic
model is the probability of a 1. A row in which a predictor has no value gets none.
"""


def declare_fit(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `gradtape fit`."""
    parser.add_argument(
        "data",
        metavar="DATA",
        help="CSV, TSV (.tsv), Parquet (.parquet) or JSON lines (.jsonl); - reads a pipe",
    )
    parser.add_argument(
        "formula",
        metavar="FORMULA",
        nargs="?",
        help='what to fit: "mpg ~ horsepower", "mpg ~ weight + C(origin)", '
        '"mpg ~ horsepower + I(horsepower**2)", "np.log(mpg) ~ np.log(weight)"',
    )
    model = parser.add_argument_group("the model")
    model.add_argument(
        "--model",
        metavar="EXPRESSION",
        help="a nonlinear model in place of FORMULA, of columns and of the parameters that --init "
        'names: "y ~ b1*(1-exp(-b2*x))"',
    )
    model.add_argument(
        "--init",
        default="",
        metavar="a=0,b=0",
        help="where the coefficients start, in the data's units, by name (Intercept, horsepower) "
        "or by letter in the table's order (default: all at 0); the parameters of --model",
    )
    model.add_argument(
        "--loss",
        default="mse",
        metavar="LOSS",
        help="mse (the default), sse, mae, huber (or huber:DELTA), logistic, poisson, or nll:... "
        "with a name (normal, laplace, logistic-errors, exponential) or an expression of y, mu "
        "(the prediction) and parameters",
    )
    model.add_argument("--weights", metavar="COLUMN", help="how much each row counts")
    descent = parser.add_argument_group("the descent")
    descent.add_argument(
        "--optimizer",
        metavar="NAME",
        help="gd, momentum, adam, lbfgs, newton or lm (default: gd for a linear model and squared "
        "errors, lm for another model, newton for the smooth losses, lbfgs for the others)",
    )
    descent.add_argument(
        "--learning-rate",
        type=rate,
        default="auto",
        metavar="FLOAT|auto",
        help="step of gd, momentum and adam; auto (the default) is a quarter of the largest stable "
        "rate, that is 0.5 / the largest eigenvalue of the Hessian",
    )
    descent.add_argument(
        "--schedule",
        default="constant",
        metavar="SCHEDULE",
        help="how the learning rate goes down: constant (the default), linear, cosine, "
        "exponential:FACTOR, inverse:HALVED_AT, step:EVERY,FACTOR",
    )
    descent.add_argument(
        "--batch-size", type=positive_int, metavar="N",
        help="update after each N rows, shuffled anew in each epoch (default: after all)",
    )  # fmt: skip
    descent.add_argument(
        "--epochs", type=positive_int, metavar="N",
        help="number of updates, or with --batch-size of passes over the rows (default: until the "
        "gradient vanishes, at most 20000)",
    )  # fmt: skip
    descent.add_argument(
        "--tolerance", type=tolerance, metavar="FLOAT",
        help="the gradient has vanished at this part of the size of the terms it is summed from "
        "(default: 1e-10; less for the optimizers that get there in few steps)",
    )  # fmt: skip
    descent.add_argument(
        "--standardize",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="descend with each column centred and divided by its standard deviation, which "
        "takes far fewer epochs; coefficients are reported in the data's units either way "
        "(default: yes)",
    )
    rest = parser.add_argument_group("the rest")
    rest.add_argument(
        "--test-fraction", type=fraction, default=0.0, metavar="FLOAT",
        help="keep this part of the rows for a test, drawn evenly over the file (default: none)",
    )  # fmt: skip
    rest.add_argument(
        "--seed", type=seed, default=0, metavar="N",
        help="of the test rows and the mini-batches (default: 0)",
    )  # fmt: skip
    rest.add_argument(
        "--out",
        type=Path,
        default=Path(),
        metavar="FOLDER",
        help="where the files go; made if missing, files of these names are replaced (default: "
        "the current folder)",
    )
    rest.add_argument(
        "--stream",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="read CSV, TSV or Parquet in pieces, so that the file need not fit into memory "
        "(default: files of more than 200 MiB)",
    )
    rest.add_argument(
        "--resume", action="store_true", help="go on from the run that is in that folder"
    )
    rest.add_argument(
        "--json", action="store_true", help="print the results as one JSON document instead"
    )
    rest.add_argument("-q", "--quiet", action="store_true", help="print nothing but errors")


def run_fit(arguments: argparse.Namespace, record: Any = None) -> int:
    """Fit; return the exit code. `record` is that of `fit`."""
    from .options import Options
    from .run import fit

    known = {name: value for name, value in vars(arguments).items() if name not in ("run", "name")}
    return INTERRUPTED if fit(Options(**known), record).was_interrupted else 0


def declare_predict(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `gradtape predict`."""
    parser.add_argument("model", type=Path, metavar="MODEL", help="model.json of a fit")
    parser.add_argument("data", metavar="DATA", help="as for `gradtape fit`; - reads a pipe")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="write there (default: standard output)"
    )


def run_predict(arguments: argparse.Namespace) -> int:
    """Predict; return the exit code."""
    from .predict import predict

    predict(arguments.model, arguments.data, arguments.out)
    return 0


# -- values -----------------------------------------------------------------------------------


def positive_int(text: str) -> int:
    """Return a whole number of at least 1."""
    try:
        value = int(text.replace(",", "").replace("_", ""))
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return value


def seed(text: str) -> int:
    """Return a whole number of at least 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 0")
    return int(text)


def rate(text: str) -> float | None:
    """Return a number above 0, or None for auto."""
    if text == "auto":
        return None
    value = _number(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number above 0 nor auto")
    return value


def tolerance(text: str) -> float:
    """Return a number of at least 0."""
    value = _number(text)
    if not value >= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of at least 0")
    return value


def fraction(text: str) -> float:
    """Return a number from 0 to 1, 1 excluded."""
    value = _number(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 up to, not with, 1")
    return value


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan
