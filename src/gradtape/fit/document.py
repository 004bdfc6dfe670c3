"""A result as a document of plain values: for --json, for model.json, and to go on from."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import three_part
from .descent import Plan, State
from .design import Design
from .models import ExpressionModel
from .options import Options
from .problem import Problem
from .problems import FitError
from .recipes import FormulaRecipe
from .report import equation
from .result import Result
from .scores import Score

__all__ = ["FORMAT", "decoded", "encoded", "model_document", "plain", "result_document",
           "run_document", "terms_of"]  # fmt: skip

FORMAT = 1
"""Of model.json; a later one may be unreadable to an earlier program."""

Array = NDArray[np.float64]


def plain(value: Any) -> Any:
    """Return the value as what JSON can hold; numbers that are not finite as None.

    >>> plain({"a": np.array([1.5, np.nan])})
    {'a': [1.5, None]}
    """
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def encoded(value: Any) -> Any:
    """Return a value with arrays and dicts of any keys as JSON can hold them; see `decoded`."""
    if isinstance(value, dict):
        return {"dict": [[encoded(key), encoded(item)] for key, item in value.items()]}
    if isinstance(value, np.ndarray):
        return {"array": value.tolist()}
    if isinstance(value, list | tuple):
        return [encoded(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise FitError(
        three_part(
            f"What the formula found in the data, {value!r}, cannot be written to model.json.",
            f"It is a {type(value).__name__}.",
            "Make the column in the file, and use it by its bare name.",
        )
    )


def decoded(value: Any) -> Any:
    """Return what `encoded` was given."""
    if isinstance(value, dict):
        if "array" in value:
            return np.array(value["array"], dtype=np.float64)
        return {decoded(key): decoded(item) for key, item in value["dict"]}
    if isinstance(value, list):
        return [decoded(item) for item in value]
    return value


def _named(names: tuple[str, ...], values: Any) -> dict[str, Any] | None:
    return None if values is None else dict(zip(names, plain(np.asarray(values)), strict=True))


def _score(score: Score | None) -> dict[str, Any] | None:
    if score is None:
        return None
    return plain(  # type: ignore[no-any-return]
        {
            "rows": score.rows,
            "cost": score.cost,
            "r2": score.r2,
            "deviance": score.deviance,
            "null_deviance": score.null_deviance,
            "deviance_explained": score.explained,
            "accuracy": score.accuracy,
            "log_likelihood": score.log_likelihood,
        }
    )


def result_document(result: Result, options: Options) -> dict[str, Any]:
    """Return what the report says, as values."""
    problem, verdict, design = result.problem, result.verdict, result.problem.design
    names, sure = problem.names, result.uncertainty
    quadratic = problem.is_quadratic
    state = verdict.convergence
    return plain(  # type: ignore[no-any-return]
        {
            "formula": design.formula,
            "data": options.data,
            "loss": problem.loss.typed,
            "optimizer": result.plan.optimizer.name,
            "learning_rate": result.plan.rate,
            "rows": {
                "read": design.rows_read,
                "used": design.n,
                "test": design.test.n if design.test is not None else 0,
                "missing": design.missing,
            },
            "equation": " ".join(equation(result).split()),
            "coefficients": _named(names, result.final),
            "standard_errors": _named(names, sure.errors),
            "intervals": _named(names, sure.intervals(result.final)),
            "standard_errors_from": sure.method or None,
            "no_standard_errors_because": sure.why or None,
            "standard_errors_note": sure.note or None,
            "closed_form": _named(names, problem.closed_form) if quadratic else None,
            "cost": {
                "what": problem.loss.title,
                "first": result.costs[0],
                "last": result.costs[-1],
                "closed_form": problem.lowest_cost if quadratic else None,
            },
            "score": _score(result.score),
            "test": _score(result.test_score),
            "epochs": result.epochs,
            "ended_because": ENDS[result.state.end],
            "verdict": {
                "fast_phase": {"end": verdict.fast_phase.end, "share": verdict.fast_phase.share},
                "printed_cost": {
                    "value": verdict.standstill.printed,
                    "unchanged_from": verdict.standstill.start,
                },
                "lowest_cost": {"value": verdict.lowest.cost, "epoch": verdict.lowest.epoch},
                "converged": {
                    "value": state.converged,
                    "gradient_norm": state.gradient_norm,
                    "distance": state.farthest.distance if state.farthest else None,
                    "stability": state.stability,
                    "epochs_to_go": state.epochs_to_go,
                },
                "text": verdict.text,
            },
        }
    )


ENDS = {
    "vanished": "the gradient vanished",
    "epochs": "the last epoch was reached",
    "floor": "no step lowers the cost any more",
    "interrupted": "it was interrupted",
    "": "it goes on",
}


# -- model.json -------------------------------------------------------------------------------


def model_document(problem: Problem, coefficients: Array) -> dict[str, Any]:
    """Return what predictions need."""
    design, model, recipe = problem.design, problem.model, problem.design.recipe
    document: dict[str, Any] = {
        "gradtape_model": FORMAT,
        "response": design.response,
        "loss": problem.loss.typed,
        "labels": None,
        "parameters": dict(zip(problem.names, coefficients.tolist(), strict=True)),
    }
    if design.labels is not None:
        labels = design.labels
        document["labels"] = {"column": labels.column, "zero": labels.zero, "one": labels.one}
    if isinstance(model, ExpressionModel):
        left, _, _ = design.formula.partition(" ~ ")
        document |= {
            "kind": "expression",
            "label": left,
            "model": model.expression.text,
            "names": list(model.names),
            "columns": list(model.columns),
        }
    else:
        assert isinstance(recipe, FormulaRecipe)
        document |= {
            "kind": "formula",
            "formula": design.formula,
            "names": list(model.names),
            "columns": list(recipe.formula.known),
            "transforms": encoded(recipe.spec.transform_state),
            "levels": {
                factor: encoded(list(state["categories"]))
                for factor, (_, state) in recipe.spec.encoder_state.items()
                if "categories" in state
            },
        }
    return document


def terms_of(problem: Problem, plan: Plan, options: Options) -> dict[str, Any]:
    """Return what must be the same for one run to go on from another."""
    return {
        "data": _fingerprint(problem.design),
        "formula": problem.design.formula,
        "loss": problem.loss.typed,
        "optimizer": plan.optimizer.name,
        "learning_rate": plan.rate,
        "schedule": plan.schedule.typed,
        "epochs": plan.epochs if plan.schedule.needs_end else None,
        "batch_size": plan.batch_size,
        "seed": plan.seed,
        "weights": options.weights,
        "test_fraction": options.test_fraction,
        "standardize": options.standardize,
        "init": plan.start.tolist(),
    }


def _fingerprint(design: Design) -> str:
    """Of the numbers that are fitted; ten digits of the means, which sums may round differently."""
    summary = design.summary
    digest = hashlib.sha256(f"{summary.n} {design.names}".encode())
    digest.update(np.concatenate([summary.low, summary.high]).tobytes())
    digest.update(" ".join(f"{value:.10g}" for value in summary.mean).encode())
    return digest.hexdigest()[:32]


def run_document(state: State, terms: dict[str, Any]) -> dict[str, Any]:
    """Return what a run needs to go on."""
    return {
        "terms": terms,
        "epoch": len(state.series) - 1,
        "end": state.end,
        "u": state.point.u.tolist(),
        "cost": state.point.cost,
        "gradient": state.point.gradient.tolist(),
        "memory": encoded(state.memory),
    }
