"""The `gradtape` command: one subcommand per thing it does, each imported only when it runs.

A subcommand is an entry of `COMMANDS`: its name, its line of help, the function that declares its
arguments and the function that runs it. Errors that are the user's to mend are printed without a
traceback and end with exit code 2; Ctrl-C ends with 130, as a shell expects.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import GradtapeError

__all__ = ["COMMANDS", "Command", "main"]

USAGE_ERROR, INTERRUPTED = 2, 130


@dataclass(frozen=True)
class Command:
    """A subcommand.

    Attributes
    ----------
    name, summary : str
        What is typed, and its line in the list of commands.
    description : str
        The text above its options.
    declare : callable
        Adds its arguments to the parser.
    run : callable
        Does it and returns the exit code.
    """

    name: str
    summary: str
    description: str
    declare: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, 2 for bad input, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="gradtape", description="A gradient tape for NumPy: record, differentiate, fit."
    )
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        subparser = subparsers.add_parser(
            command.name,
            help=command.summary,
            description=command.description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.declare(subparser)
        subparser.set_defaults(run=command.run, name=command.name)
    parsed = parser.parse_args(arguments)
    try:
        code: int = parsed.run(parsed)
    except GradtapeError as error:
        print(f"gradtape {parsed.name}: {error}", file=sys.stderr)
        return USAGE_ERROR
    except KeyboardInterrupt:
        print(f"gradtape {parsed.name}: stopped by Ctrl-C; nothing was written.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has closed, such as `| head`
        sys.stderr.close()
        return 0
    return code


# -- fit --------------------------------------------------------------------------------------

_FIT = """\
Fit a linear model by least squares, with gradient descent through the tape.

    gradtape fit cars.csv "mpg ~ horsepower"

Reads the CSV file, fits the formula, and prints the equation, each coefficient beside its closed
form, the cost (mean squared error) and a verdict on the run. Writes into the folder --out:
history.csv (cost, gradient norm and coefficients per epoch), fit.png (the data and the line) and
cost.png. Ctrl-C ends the descent; what has been fitted so far is printed and written, and the
exit code is 130.
"""


def _declare_fit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", metavar="DATA", help="CSV file; its first line names the columns")
    parser.add_argument(
        "formula",
        metavar="FORMULA",
        help='what to fit: "mpg ~ horsepower", "mpg ~ weight + C(origin)", '
        '"mpg ~ horsepower + I(horsepower**2)", "np.log(mpg) ~ np.log(weight)"',
    )
    parser.add_argument(
        "--epochs",
        type=_positive_int,
        metavar="N",
        help="number of updates (default: until the gradient vanishes, at most 20000)",
    )
    parser.add_argument(
        "--learning-rate",
        type=_rate,
        default="auto",
        metavar="FLOAT|auto",
        help="step of the descent; auto (the default) is a quarter of the largest stable rate, "
        "that is 0.5 / the largest eigenvalue of the Hessian",
    )
    parser.add_argument(
        "--init",
        default="",
        metavar="a=0,b=0",
        help="where the coefficients start, in the data's units, by name (Intercept, horsepower) "
        "or by letter in the table's order (default: all at 0)",
    )
    parser.add_argument(
        "--standardize",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="descend with each column centred and divided by its standard deviation, which "
        "takes far fewer epochs; coefficients are reported in the data's units either way "
        "(default: yes)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(),
        metavar="FOLDER",
        help="where history.csv, fit.png and cost.png go; made if missing, files of these names "
        "are replaced (default: the current folder)",
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="print nothing but errors")


def _run_fit(arguments: argparse.Namespace) -> int:
    from .fit.options import Options
    from .fit.run import fit

    run = fit(
        Options(
            data=arguments.data,
            formula=arguments.formula,
            epochs=arguments.epochs,
            learning_rate=arguments.learning_rate,
            init=arguments.init,
            standardize=arguments.standardize,
            out=arguments.out,
            quiet=arguments.quiet,
        )
    )
    return INTERRUPTED if run.was_interrupted else 0


def _positive_int(text: str) -> int:
    try:
        value = int(text.replace(",", "").replace("_", ""))
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return value


def _rate(text: str) -> float | None:
    if text == "auto":
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number above 0 nor auto")
    return value


COMMANDS = (
    Command(
        "fit",
        "fit a formula to a CSV file by gradient descent",
        _FIT,
        _declare_fit,
        _run_fit,
    ),
)
