"""The losses: what a row costs, as a NumPy function of label and prediction, and what goes with it.

A loss is an entry of `LOSSES`. Its `value` is written once, in NumPy; the tape differentiates it,
once for the descent and twice for standard errors. `prediction` is what the model gives: the mean
of the label itself or, where a loss has a link, the log-odds or the logarithm of the mean.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import three_part
from .expression import Expression, parse_expression
from .problems import FitError, did_you_mean

__all__ = ["HUBER_EFFICIENT", "LOSSES", "NLL_NAMES", "Link", "Loss", "choose_loss", "spread_of"]

Array = NDArray[np.float64]

HUBER_EFFICIENT = 1.345
"""Where the huber loss bends, in standard deviations: 95 % as efficient as squares on normal
errors (Huber, Robust Statistics, 1981)."""


@dataclass(frozen=True)
class Link:
    """From a prediction to the mean of the label.

    Attributes
    ----------
    mean : callable
        The inverse link.
    words : str
        The name of the prediction, around the label's: "log-odds({})".
    """

    mean: Callable[[Any], Any]
    words: str = "{}"


def _sigmoid(x: Any) -> Any:
    return 0.5 * (1.0 + np.tanh(0.5 * np.asarray(x)))


IDENTITY = Link(lambda prediction: prediction)
LOGIT = Link(_sigmoid, "log-odds({})")
LOG = Link(lambda prediction: np.exp(np.asarray(prediction)), "log({})")


@dataclass(frozen=True)
class Loss:
    """What a row costs, and what follows from it.

    Attributes
    ----------
    name, title : str
        What is typed, and what the cost is called.
    value : callable
        The cost of each row, from labels, predictions and the loss's own parameters.
    link : Link
        From predictions to means.
    kind : str
        What its minimum is: "squares", "likelihood", "robust" (an M-estimator that is no
        likelihood), or "absolute" (no curvature).
    deviance : callable or None
        Of each row, from labels and means: twice the log-likelihood lost to a perfect fit.
    is_sum : bool
        Whether the cost is the sum over the rows rather than their mean.
    labels : str
        What the labels must be: "any", "binary" or "count".
    curvature : float or None
        The largest second derivative with respect to the prediction; None where there is none.
    parameters : tuple of (str, float or str)
        The loss's own parameters and where they start; "log sd" is the logarithm of the spread of
        the labels.
    optimizer : str
        What minimises it if nothing else is asked for.
    """

    name: str
    title: str
    value: Callable[..., Any]
    link: Link = IDENTITY
    kind: str = "likelihood"
    deviance: Callable[[Array, Array], Array] | None = None
    is_sum: bool = False
    labels: str = "any"
    curvature: float | None = None
    parameters: tuple[tuple[str, float | str], ...] = ()
    optimizer: str = "newton"
    argument: float | str | None = None

    @property
    def is_squares(self) -> bool:
        """Whether it is a sum or mean of squared errors."""
        return self.kind == "squares"

    @property
    def has_curvature(self) -> bool:
        """Whether it has second derivatives that say how sure a coefficient is."""
        return self.kind != "absolute"

    @property
    def typed(self) -> str:
        """What is typed to get this loss again."""
        if self.argument is None:
            return self.name
        shown = f"{self.argument:.17g}" if isinstance(self.argument, float) else self.argument
        return f"{self.name}:{shown}"


# -- values and deviances ---------------------------------------------------------------------


def _squared(y: Any, prediction: Any) -> Any:
    return (y - prediction) ** 2


def _absolute(y: Any, prediction: Any) -> Any:
    return np.abs(y - prediction)


def _huber(delta: float) -> Callable[..., Any]:
    def value(y: Any, prediction: Any) -> Any:
        error = np.abs(y - prediction)
        return np.where(error <= delta, 0.5 * error**2, delta * (error - 0.5 * delta))

    return value


def _logistic(y: Any, prediction: Any) -> Any:
    return np.logaddexp(0.0, prediction) - y * prediction


def _xlogy(x: Array, y: Any) -> Any:
    """`x * log(x / y)`, which is 0 where x is."""
    safe = np.where(x > 0, x, 1.0)
    with np.errstate(divide="ignore"):
        return np.where(x > 0, safe * np.log(safe / y), 0.0)


def _poisson(y: Any, prediction: Any) -> Any:
    # Less the same at a perfect fit, which makes it half the deviance, and 0 or more.
    return np.exp(prediction) - y * prediction + (_xlogy(y, 1.0) - y)


def _logistic_deviance(y: Array, mean: Array) -> Any:
    return 2.0 * (_xlogy(y, mean) + _xlogy(1.0 - y, 1.0 - mean))


def _poisson_deviance(y: Array, mean: Array) -> Any:
    return 2.0 * (_xlogy(y, mean) - (y - mean))


LOSSES = {
    loss.name: loss
    for loss in (
        Loss("mse", "mean squared error", _squared, kind="squares", curvature=2.0, optimizer="gd"),
        Loss("sse", "sum of squared errors", _squared, kind="squares", is_sum=True,
             curvature=2.0, optimizer="gd"),
        Loss("mae", "mean absolute error", _absolute, kind="absolute", optimizer="lbfgs"),
        Loss("huber", "mean Huber loss", _huber(1.0), kind="robust", curvature=1.0),
        Loss("logistic", "mean log loss", _logistic, LOGIT, deviance=_logistic_deviance,
             labels="binary", curvature=0.25),
        Loss("poisson", "half the mean Poisson deviance", _poisson, LOG,
             deviance=_poisson_deviance, labels="count"),
    )
}  # fmt: skip

# Negative log-likelihoods of a row, in y (the label), mu (the prediction) and parameters of their
# own, which start where they say; `sd` is replaced by the spread of the labels.
NLL_NAMES: dict[str, tuple[str, dict[str, float | str]]] = {
    "normal": (
        "log_sigma + 0.5 * ((y - mu) * exp(-log_sigma))**2 + 0.5 * log(2 * pi)",
        {"log_sigma": "log sd"},
    ),
    "laplace": (
        "log_scale + abs(y - mu) * exp(-log_scale) + log(2)",
        {"log_scale": "log sd"},
    ),
    "logistic-errors": (
        "log_scale + 2 * softplus((y - mu) * exp(-log_scale)) - (y - mu) * exp(-log_scale)",
        {"log_scale": "log sd"},
    ),
    "exponential": ("mu + y * exp(-mu)", {}),
}
"""`nll:exponential` has the logarithm of the mean as its prediction; the others the mean."""


def spread_of(y: Array) -> float:
    """The standard deviation of the labels, or 1 where they do not differ."""
    return float(np.std(y)) or 1.0


def choose_loss(typed: str, *, parameters: Mapping[str, float] | None = None) -> Loss:
    """Return the loss that was typed: a name, `huber:DELTA`, or `nll:` and a name or expression.

    Parameters
    ----------
    typed : str
        The value of `--loss`.
    parameters : mapping of str to float, optional
        The parameters that an `nll:` expression may use, and where they start.

    Raises
    ------
    FitError
        For a name that is not there (with the nearest), and an argument that cannot be read.

    Examples
    --------
    >>> choose_loss("huber:1.5").value(0.0, 3.0)
    array(3.375)
    """
    name, colon, argument = (part.strip() for part in typed.partition(":"))
    if name == "nll" and colon and argument:
        return _nll(argument, parameters or {})
    if name not in LOSSES or (colon and name != "huber"):
        known = [*LOSSES, "nll:"]
        raise FitError(
            three_part(
                f"There is no loss {typed!r}.",
                f"The losses are {', '.join(LOSSES)}, huber:DELTA and nll:..., where ... is one "
                f"of {', '.join(NLL_NAMES)} or an expression of y, mu and parameters.",
                did_you_mean(name, known) or "Type one of these: --loss mse",
            )
        )
    loss = LOSSES[name]
    if not colon:
        return loss
    return with_delta(loss, _positive(argument, typed))


def with_delta(loss: Loss, delta: float) -> Loss:
    """Return the huber loss that bends at `delta`."""
    return replace(loss, value=_huber(delta), argument=delta)


def _positive(text: str, typed: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise FitError(
            three_part(
                f"--loss {typed}: {text!r} is not a number above 0.",
                "huber takes squares up to DELTA, in the units of the label, and absolute errors "
                "beyond it.",
                "Type --loss huber:1.5, or --loss huber for a DELTA that is found in the data.",
            )
        )
    return value


def _nll(argument: str, parameters: Mapping[str, float]) -> Loss:
    text, starts = NLL_NAMES.get(argument, (argument, {}))
    if argument not in NLL_NAMES and argument.replace("-", "").isalpha() and argument != "mu":
        near = did_you_mean(argument, NLL_NAMES)
        if near:
            raise FitError(
                three_part(
                    f"There is no loss 'nll:{argument}'.",
                    f"By name there are {', '.join(NLL_NAMES)}; else it is an expression.",
                    near,
                )
            )
    own: dict[str, Any] = {**starts, **{k: v for k, v in parameters.items() if k not in starts}}
    own |= {name: parameters[name] for name in starts if name in parameters}
    expression = parse_expression(
        text,
        names=["y", "mu", *own],
        what="--loss nll",
        remedy="Give each parameter a start: --init sigma=1",
    )
    used = [name for name in own if name in expression.names]
    if "mu" not in expression.names:
        raise FitError(
            three_part(
                f"--loss nll: {text!r} does not use mu.",
                "mu is the prediction of the model: without it no coefficient has a gradient.",
                'Write it with y and mu, such as "nll:abs(y - mu)" or nll:normal.',
            )
        )
    return Loss(
        "nll",
        "mean negative log-likelihood",
        _expression_value(expression, used),
        LOG if argument == "exponential" else IDENTITY,
        parameters=tuple((name, own[name]) for name in used),
        argument=argument,
    )


def _expression_value(expression: Expression, names: list[str]) -> Callable[..., Any]:
    def value(y: Any, prediction: Any, *parameters: Any) -> Any:
        values = dict(zip(names, parameters, strict=True))
        return expression({"y": y, "mu": prediction, **values})

    return value
