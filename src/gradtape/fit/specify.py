"""From what was asked, and a table, to the problem and the plan: every option is looked at here."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from ..errors import three_part
from .descent import Plan, Progress, State, descend, make_plan
from .design import Choice, Design, build_design, build_expression_design
from .expression import CONSTANTS, FUNCTIONS, Expression, parse_expression
from .formula import unknown_column
from .losses import HUBER_EFFICIENT, Loss, choose_loss, with_delta
from .models import ExpressionModel
from .options import Options, initial_values, parse_init
from .problem import Problem, pose
from .problems import FitError, did_you_mean
from .result import Result
from .rows import MemoryRows
from .separation import check_separation, is_asked_afterwards
from .sources import Table
from .starts import check_start

__all__ = ["descended", "specify"]

Array = NDArray[np.float64]


def specify(table: Table, options: Options) -> tuple[Problem, Plan]:
    """Return the problem that the options pose on the table, and how it will be descended.

    Raises
    ------
    FitError
        For all that does not allow a fit.
    """
    problem = _pose(table, options)
    start = problem.start
    if problem.model.is_linear:
        start = _start(problem, options)
    check_start(problem, start)
    plan = make_plan(
        problem,
        optimizer=options.optimizer,
        learning_rate=options.learning_rate,
        schedule=options.schedule,
        epochs=options.epochs,
        tolerance=options.tolerance,
        batch_size=options.batch_size,
        seed=options.seed,
        init=start,
    )
    if not is_asked_afterwards(problem, plan.optimizer.name):
        check_separation(problem)
    return problem, plan


def descended(
    problem: Problem,
    plan: Plan,
    *,
    state: State | None = None,
    progress: Progress | None = None,
    keep: Callable[[State], None] | None = None,
) -> Result:
    """Return the result of the descent; the parameters are those of `descend`.

    Raises
    ------
    FitError
        When the cost diverges, and when the labels are found to be separated.
    """
    made = descend(problem, plan, state=state, progress=progress, keep=keep)
    if made.end != "interrupted" and is_asked_afterwards(problem, plan.optimizer.name):
        check_separation(problem, made.point)
    return Result(problem, plan, made)


def _choice(options: Options, loss: Loss) -> Choice:
    folder = options.out
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    return Choice(loss, options.weights, options.test_fraction, options.seed, folder)


def _pose(table: Table, options: Options) -> Problem:
    if options.model:
        return _pose_expression(table, options)
    if not options.formula:
        raise FitError(
            three_part(
                "There is no FORMULA and no --model to fit.",
                "",
                'Type what to fit after the data: "mpg ~ horsepower"',
            )
        )
    own = _own_parameters(options)
    loss = choose_loss(options.loss, parameters=own)
    design = build_design(table, options.formula, _choice(options, loss))
    loss = _with_found_delta(design, loss)
    return pose(design, standardize=options.standardize, loss=loss)


def _own_parameters(options: Options) -> dict[str, float]:
    """What --init says of a likelihood's own parameters; coefficients of the formula too."""
    if not options.loss.startswith("nll:"):
        return {}
    given = parse_init(options.init)
    # A letter or the name of a coefficient is one only where it is no parameter of the loss.
    words = set(re.findall(r"[A-Za-z_]\w*", options.loss))
    return {name: value for name, value in given.items() if name in words}


def _start(problem: Problem, options: Options) -> Array:
    own = dict(problem.loss.parameters)
    given = parse_init(options.init)
    mine = {name: value for name, value in given.items() if name not in own}
    start = problem.start.copy()
    p = len(problem.model.names)
    start[:p] = initial_values(mine, problem.model.names, also=tuple(own))
    for position, name in enumerate(own):
        if name in given:
            start[p + position] = given[name]
    return start


def _with_found_delta(design: Design, loss: Loss) -> Loss:
    """The huber loss with its bend found in the data: by the residuals of least squares."""
    if loss.name != "huber" or loss.argument is not None:
        return loss
    if not isinstance(design.rows, MemoryRows):
        raise FitError(
            three_part(
                "--loss huber needs its DELTA for data that are read in pieces.",
                "It is found from the median of all residuals, which are never in memory at once.",
                "Type it, in the units of the label: --loss huber:1.5",
            )
        )
    posed = pose(design)
    residual = design.y - design.X @ posed.closed_form
    # The median of |normal errors| is 0.6745 standard deviations.
    delta = HUBER_EFFICIENT * float(np.median(np.abs(residual))) / 0.6744897501960817
    return with_delta(loss, delta if delta > 0 else 1.0)


# -- expressions ------------------------------------------------------------------------------


def _pose_expression(table: Table, options: Options) -> Problem:
    given = parse_init(options.init)
    columns = table.columns
    for name in given:
        if name in columns:
            raise FitError(
                three_part(
                    f"--init: {name!r} is a column of {table.name}, not a parameter.",
                    "A parameter has a name of its own.",
                    f"Call it something else in --model, such as {name}_0.",
                )
            )
    loss_words = set(re.findall(r"[A-Za-z_]\w*", options.loss.partition(":")[2]))
    left_text, right_text = _sides(options)
    right = parse_expression(
        right_text,
        names=[*columns, *given],
        remedy="A parameter needs a start: --init " + _starts(right_text, columns, given),
    )
    parameters = tuple(name for name in given if name in right.names)
    own = {name: value for name, value in given.items() if name in loss_words}
    for name in own:
        if name in parameters:
            raise FitError(
                three_part(
                    f"The parameter {name!r} is in the model and in the loss.",
                    "",
                    "Give the loss a parameter of its own name.",
                )
            )
    for name in given:
        if name not in parameters and name not in own:
            raise FitError(
                three_part(
                    f"--init: the model has no parameter {name!r}.",
                    f"Its parameters are {', '.join(parameters)}." if parameters else "",
                    did_you_mean(name, parameters) or f"Leave {name} out of --init.",
                )
            )
    if not parameters:
        raise FitError(
            three_part(
                f"--model {right_text!r} has no parameters.",
                "Every name in it is a column.",
                'Name what is to be fitted and give it a start: --model "b * x" --init b=1',
            )
        )
    left = _left(table, left_text, right, parameters)
    loss = choose_loss(options.loss, parameters=own)
    if loss.name == "huber" and loss.argument is None:
        raise FitError(
            three_part(
                "--loss huber needs its DELTA with --model.",
                "It is found from the residuals of least squares, which only a formula has.",
                "Type it, in the units of the label: --loss huber:1.5",
            )
        )
    design = build_expression_design(table, left, right, parameters, _choice(options, loss))
    model = ExpressionModel(right, parameters, design.names)
    start = np.array([given[name] for name in parameters])
    posed = pose(design, standardize=False, model=model, loss=loss)
    own_start = posed.start[len(parameters) :]
    for position, (name, _) in enumerate(loss.parameters):
        if name in given:
            own_start[position] = given[name]
    return pose(
        design,
        standardize=options.standardize,
        model=model,
        loss=loss,
        start=np.concatenate([start, own_start]),
    )


def _sides(options: Options) -> tuple[str, str]:
    """The label, "" if it is not said, and the model; both may stand in --model."""
    assert options.model is not None
    left, right = _parted(options.model)
    formula = (options.formula or "").partition("~")
    if formula[2].strip():
        raise FitError(
            three_part(
                f"Both a formula, {options.formula!r}, and --model are given.",
                "A fit has one model.",
                f'Leave one out: FORMULA is then the label alone, "{formula[0].strip()}".',
            )
        )
    if left.strip() and formula[0].strip() and left.strip() != formula[0].strip():
        raise FitError(
            three_part(
                f"The label is {formula[0].strip()!r} by FORMULA and {left.strip()!r} by --model.",
                "",
                "Leave one out.",
            )
        )
    return left or formula[0].strip(), right


def _parted(text: str) -> tuple[str, str]:
    """Parted at the first `~` or `=` outside of brackets; the left is "" where there is none.

    >>> _parted("y = a * x"), _parted("where(~(x == 1), a, b)")
    (('y', 'a * x'), ('', 'where(~(x == 1), a, b)'))
    """
    depth = 0
    for i, mark in enumerate(text):
        depth += (mark in "([") - (mark in ")]")
        is_sign = mark == "~" or (
            mark == "=" and text[i + 1 : i + 2] != "=" and text[i - 1 : i] not in list("<>=!")
        )
        if is_sign and depth == 0 and text[:i].strip():
            return text[:i].strip(), text[i + 1 :].strip()
    return "", text.strip()


def _starts(text: str, columns: Iterable[str], given: dict[str, float]) -> str:
    """`name=1` for each name of the model that is neither a column nor has a start."""
    words = dict.fromkeys(re.findall(r"[A-Za-z_]\w*", re.sub(r"`[^`]*`", "", text)))
    known = {*columns, *CONSTANTS, *FUNCTIONS, "np", "math", "numpy"}
    missing = [word for word in words if word not in known and word not in given]
    shown = [f"{name}={value:g}" for name, value in given.items()]
    return ",".join([*shown, *(f"{name}=1" for name in missing)])


def _left(table: Table, text: str, right: Expression, parameters: tuple[str, ...]) -> Expression:
    if text:
        bare = text.strip("`")
        if re.fullmatch(r"[\w .]+", bare) and bare not in table.columns and not _is_number(bare):
            raise unknown_column(table, bare)
        return parse_expression(text, names=table.columns, what="the label")
    used = {name for name in right.names if name not in parameters}
    numeric = [str(name) for name in table.frame.select_dtypes("number").columns]
    others = [name for name in numeric if name not in used]
    if len(others) != 1:
        raise FitError(
            three_part(
                "The label is not named: what is --model to predict?",
                f"Columns of numbers that it does not use: {', '.join(others) or 'none'}.",
                f'Put the label before it: --model "{(others or ["y"])[0]} ~ {right.text}"',
            )
        )
    name = others[0] if others[0].isidentifier() else f"`{others[0]}`"
    return parse_expression(name, names=table.columns, what="the label")


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
