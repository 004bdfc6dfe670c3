"""Where a nonlinear model starts, and whether it can descend from there.

From some starts there is no way down: a value that is not finite, a parameter that moves nothing,
two that move the same. Which parameter it is, and which part of the model is to blame, is found by
differentiating the parts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.variable import Variable
from ..errors import three_part
from ..tape.tape import GradientTape
from .expression import Node
from .models import ExpressionModel
from .problem import Problem
from .problems import FitError

__all__ = ["check_start", "flat_parameter"]

Array = NDArray[np.float64]

NOTHING = 1e-15
"""A parameter that moves the predictions by less than this part of their size moves nothing."""


def check_start(problem: Problem, start: Array) -> None:
    """Refuse a start, in the data's units, from which a nonlinear model cannot descend.

    Raises
    ------
    FitError
        It names the parameter, its value, and the part of the model that is to blame.
    """
    model = problem.model
    if not isinstance(model, ExpressionModel):
        return
    X = problem.design.sample.X
    parameters = start[: len(model.names)]
    with np.errstate(all="ignore"):
        predictions = np.asarray(model(parameters, X), dtype=np.float64)
        if not np.isfinite(predictions).all():
            raise _not_finite(problem, model, parameters, X)
        J = model.jacobian(parameters, X)
    for j in range(len(model.names)):
        if not np.isfinite(J[:, j]).all():
            raise _infinite_slope(problem, model, parameters, X, j)
    flat = _flat(model, parameters, predictions, J)
    if flat is not None:
        raise _no_effect(model, parameters, X, flat)
    J = J / np.abs(J).max(axis=0)  # squares of the largest derivatives may overflow
    _, values, vectors = np.linalg.svd(J / np.linalg.norm(J, axis=0), full_matrices=False)
    if len(model.names) > 1 and values[-1] <= 1e-14 * values[0]:
        raise _alike(model, parameters, vectors[-1])
    # Finite at every row that is shown, and yet the cost may not be.
    cost, _ = problem.objective.cost_and_gradient(problem.from_data @ start)
    if not np.isfinite(cost):
        raise FitError(
            three_part(
                f"The cost is {cost} at the start {_init(model, parameters)}.",
                "The predictions there are too far from the labels, or outside of what the loss "
                f"--loss {problem.loss.name} allows.",
                "Start nearer to the data: --init takes a value for each parameter.",
            )
        )


def flat_parameter(problem: Problem, coefficients: Array) -> str | None:
    """Return a parameter of a nonlinear model that moves no prediction there, if there is one."""
    model = problem.model
    assert isinstance(model, ExpressionModel)
    X, parameters = problem.design.sample.X, coefficients[: len(model.names)]
    with np.errstate(all="ignore"):
        predictions = np.asarray(model(parameters, X), dtype=np.float64)
        return _flat(model, parameters, predictions, model.jacobian(parameters, X))


def _flat(model: ExpressionModel, parameters: Array, predictions: Array, J: Array) -> str | None:
    size = max(float(np.abs(predictions).max()), 1e-300)
    moved = np.abs(J).max(axis=0) * np.maximum(np.abs(parameters), 1e-3)
    found = np.flatnonzero(moved <= NOTHING * size)
    return model.names[found[0]] if len(found) else None


def _init(model: ExpressionModel, parameters: Array) -> str:
    pairs = zip(model.names, parameters, strict=True)
    return ", ".join(f"{name}={value:g}" for name, value in pairs)


def _those_in(node: Node, model: ExpressionModel, parameters: Array) -> tuple[list[str], str]:
    inside = {part.text for part in node.walk() if part.kind == "name"}
    named = [name for name in model.names if name in inside]
    values = ", ".join(f"{name}={parameters[model.names.index(name)]:g}" for name in named)
    return named, values


def _not_finite(problem: Problem, model: ExpressionModel, parameters: Array, X: Array) -> FitError:
    values = model.values(parameters, X)
    node, found = model.expression.root, None
    for node in model.expression.root.walk():  # the smallest part comes first
        made = np.broadcast_to(np.asarray(node.compute(values), dtype=np.float64), (len(X),))
        if not np.isfinite(made).all():
            found = made
            break
    assert found is not None
    row = int(np.argmin(np.isfinite(found)))
    place = f"row {int(problem.design.frame.index[row]) + 1}"
    named, shown = _those_in(node, model, parameters)
    arguments = "; ".join(
        f"{part.text} is {_at(part, values, row):g}" for part in node.parts if part.kind != "number"
    )
    culprit = named[-1] if named else model.names[0]
    return FitError(
        three_part(
            f"The model cannot start there: {node.text} is {found[row]:g} in {place}"
            + (f", with {shown}." if shown else "."),
            f"There {arguments}." if arguments else "",
            f"Start {' and '.join(named) or culprit} elsewhere: --init {culprit}=...",
        )
    )


def _at(node: Node, values: dict[str, Any], row: int) -> float:
    made = np.asarray(node.compute(values), dtype=np.float64)
    return float(made if made.ndim == 0 else made[row])


def _derivatives(
    model: ExpressionModel, parameters: Array, X: Array, name: str
) -> list[tuple[Node, Array]]:
    """Return the parts of the model that hold the parameter, with their derivative by it."""
    found = []
    for node in model.expression.root.walk():
        if not any(part.text == name and part.kind == "name" for part in node.walk()):
            continue
        own = Variable(np.full(len(X), parameters[model.names.index(name)]))
        values = {**model.values(parameters, X), name: own}
        with np.errstate(all="ignore"):
            with GradientTape() as tape:
                total = np.sum(node.compute(values))
            slope = tape.gradient(total, own, unconnected_gradients="zero").value
        found.append((node, np.asarray(slope)))
    return found


def _infinite_slope(
    problem: Problem, model: ExpressionModel, parameters: Array, X: Array, j: int
) -> FitError:
    name = model.names[j]
    found = _derivatives(model, parameters, X, name)
    node, slope = next(pair for pair in found if not np.isfinite(pair[1]).all())
    row = int(np.argmin(np.isfinite(slope)))
    place = f"row {int(problem.design.frame.index[row]) + 1}"
    return FitError(
        three_part(
            f"The model cannot descend from {name}={parameters[j]:g}: the derivative of "
            f"{node.text} by {name} is {slope[row]:g} in {place}.",
            "A slope that is not finite tells no direction.",
            f"Start {name} elsewhere: --init {name}=...",
        )
    )


def _no_effect(model: ExpressionModel, parameters: Array, X: Array, name: str) -> FitError:
    values = model.values(parameters, X)
    value = parameters[model.names.index(name)]
    found = _derivatives(model, parameters, X, name)
    tiny = NOTHING * float(np.abs(found[0][1]).max())
    node = next(node for node, slope in found if np.abs(slope).max() <= tiny)
    others = [
        part
        for part in node.parts
        if not any(inner.text == name and inner.kind == "name" for inner in part.walk())
    ]
    remedy = f"Start {name} elsewhere: --init {name}=..."
    with np.errstate(all="ignore"):
        if node.kind == "multiply" and others and not np.any(np.asarray(others[0].compute(values))):
            named, _ = _those_in(others[0], model, parameters)
            why = f"{node.text} does not change with {name}, because {others[0].text} is 0."
            if named:
                remedy = f"Start {named[0]} elsewhere than at 0: --init {named[0]}=1"
        else:
            part = next((part for part in node.parts if part not in others), node)
            made = np.asarray(part.compute(values), dtype=np.float64)
            why = (
                f"{node.text} does not change with {name} there: {part.text} is "
                f"{_range(made)}, where {node.text} is flat."
            )
    return FitError(
        three_part(
            f"The model cannot descend from {name}={value:g}: there {name} has no effect on any "
            "prediction.",
            why,
            remedy,
        )
    )


def _range(made: Array) -> str:
    low, high = float(made.min()), float(made.max())
    return f"{low:g}" if low == high else f"between {low:.4g} and {high:.4g}"


def _alike(model: ExpressionModel, parameters: Array, direction: Array) -> FitError:
    size = np.abs(direction)
    named = [name for name, part in zip(model.names, size, strict=True) if part > 1e-6 * size.max()]
    return FitError(
        three_part(
            f"The model cannot tell {' and '.join(named)} apart at the start "
            f"{_init(model, parameters)}.",
            "There they move the predictions in the same way, so that no descent leaves it.",
            f"Start them at different values, or take one of them out of the model: "
            f"{model.expression.text}",
        )
    )
