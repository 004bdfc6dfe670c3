"""The models: from parameters and columns to a prediction of each row, in NumPy for the tape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .. import ops  # noqa: F401 - the cards register themselves on import
from ..core.variable import Variable
from ..tape.tape import GradientTape
from .expression import Expression

__all__ = ["ExpressionModel", "LinearModel", "Model"]

Array = NDArray[np.float64]


class Model(Protocol):
    """Predicts each row from the row alone.

    A prediction is recorded when `parameters` is a Tensor; the Jacobian always is a plain array.
    """

    @property
    def names(self) -> tuple[str, ...]:
        """What the parameters are called."""

    @property
    def is_linear(self) -> bool:
        """Whether the prediction is `X @ parameters`."""

    def __call__(self, parameters: Any, X: Array) -> Any:
        """Return the predictions, (m,), from parameters, (p,), and columns, (m, c)."""

    def jacobian(self, parameters: Array, X: Array) -> Array:
        """Return the derivative of each prediction, (m, p)."""


@dataclass(frozen=True)
class LinearModel:
    """`X @ parameters`."""

    names: tuple[str, ...]
    is_linear = True

    def __call__(self, parameters: Any, X: Array) -> Any:
        return X @ parameters

    def jacobian(self, parameters: Array, X: Array) -> Array:
        """Return the derivative of each prediction, (m, p)."""
        return X


@dataclass(frozen=True)
class ExpressionModel:
    """An expression of parameters and columns.

    Attributes
    ----------
    expression : Expression
        The prediction.
    names, columns : tuple of str
        The parameters, and the columns of `X`.
    """

    expression: Expression
    names: tuple[str, ...]
    columns: tuple[str, ...]
    is_linear = False

    def values(self, parameters: Any, X: Array) -> dict[str, Any]:
        """Return the value of each name."""
        values: dict[str, Any] = {name: parameters[j] for j, name in enumerate(self.names)}
        values.update({name: X[:, j] for j, name in enumerate(self.columns)})
        return values

    def __call__(self, parameters: Any, X: Array) -> Any:
        made = self.expression(self.values(parameters, X))
        return made if np.shape(made) == (len(X),) else np.broadcast_to(made, (len(X),))

    def jacobian(self, parameters: Array, X: Array) -> Array:
        """Return the derivative of each prediction, (m, p).

        Each row gets parameters of its own: then row i of the gradient of the sum is the
        derivative of prediction i, and one sweep backwards gives the whole Jacobian.
        """
        own = [Variable(np.full(len(X), value)) for value in parameters]
        with np.errstate(all="ignore"):
            with GradientTape() as tape:
                total = np.sum(self(own, X))
            found = tape.gradient(total, own, unconnected_gradients="zero")
        return np.column_stack([gradient.value for gradient in found])
