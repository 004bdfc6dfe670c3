"""`TapeRegressor` and `TapeClassifier`: the fit behind scikit-learn's interface.

scikit-learn is imported when this file is: its base classes are what these two are made of.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from ..errors import three_part
from .arrays import design_of_arrays
from .descent import descend, make_plan
from .losses import HUBER_EFFICIENT, choose_loss, with_delta
from .optimizers import Memory, Point, choose_optimizer
from .problem import pose
from .problems import FitError
from .softmax import Softmax
from .uncertainty import measure

__all__ = ["TapeClassifier", "TapeRegressor"]

Array = NDArray[np.float64]


class TapeRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A linear model, or one with a logarithmic link, fitted by descent through the tape.

    Parameters
    ----------
    loss : str
        "mse", "mae", "huber", "huber:DELTA", "poisson", or any other that `gradtape fit` takes.
    optimizer : str
        "lbfgs", "newton", "lm", "gd", "momentum" or "adam".
    learning_rate : float, optional
        Of the last three; by default a quarter of the largest stable one.
    epochs : int, optional
        How many updates; by default until the gradient vanishes.
    tolerance : float, optional
        When it counts as vanished, as a part of the size of the terms it is summed from.
    batch_size : int, optional
        Rows of a mini-batch.
    fit_intercept : bool
        Whether the model has an intercept.
    standardize : bool
        Whether the descent runs in standardised units.
    seed : int
        Of the mini-batches.

    Attributes
    ----------
    coef_ : ndarray, (p,)
        The coefficients.
    intercept_ : float
        The intercept; 0 without one.
    standard_errors_ : ndarray or None
        Of the coefficients, the intercept first if there is one; None where there are none.
    cost_ : float
        At the last epoch.
    n_iter_ : int
        How many epochs it took.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.arange(6.0).reshape(-1, 1)
    >>> TapeRegressor().fit(X, 1 + 2 * X[:, 0]).predict([[10.0]]).round(6)
    array([21.])
    """

    def __init__(
        self,
        loss: str = "mse",
        *,
        optimizer: str = "lbfgs",
        learning_rate: float | None = None,
        epochs: int | None = None,
        tolerance: float | None = None,
        batch_size: int | None = None,
        fit_intercept: bool = True,
        standardize: bool = True,
        seed: int = 0,
    ) -> None:
        self.loss = loss
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.tolerance = tolerance
        self.batch_size = batch_size
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.seed = seed

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> TapeRegressor:
        """Fit the model to columns, (n, p), and labels, (n,)."""
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
        y = np.asarray(y, dtype=np.float64)
        weights = None
        if sample_weight is not None:
            weights = _weights(sample_weight, len(X))
        loss = choose_loss(self.loss)
        if loss.labels == "binary":
            raise FitError(
                three_part(
                    f"TapeRegressor does not take loss={self.loss!r}.",
                    "Its labels are classes.",
                    "Use gt.fit.TapeClassifier().",
                )
            )
        if loss.labels == "count" and (y < 0).any():
            raise FitError(
                three_part(
                    f"The label {y.min():g} does not suit loss={self.loss!r}.",
                    "Labels must be counts, or rates: 0 or larger.",
                    'Use loss="mse" for numbers of either sign.',
                )
            )
        design = design_of_arrays(X, y, weights, has_intercept=self.fit_intercept)
        if loss.name == "huber" and loss.argument is None:
            closed = pose(design).closed_form
            spread = float(np.median(np.abs(design.y - design.X @ closed))) / 0.6744897501960817
            loss = with_delta(loss, HUBER_EFFICIENT * spread if spread > 0 else 1.0)
        problem = pose(design, standardize=self.standardize, loss=loss)
        plan = make_plan(
            problem,
            optimizer=self.optimizer,
            learning_rate=self.learning_rate,
            epochs=self.epochs,
            tolerance=self.tolerance,
            batch_size=self.batch_size,
            seed=self.seed,
        )
        state = descend(problem, plan)
        p = len(problem.model.names)
        found = (problem.to_data @ state.point.u)[:p]
        first = int(self.fit_intercept)
        self.coef_ = found[first:]
        self.intercept_ = float(found[0]) if self.fit_intercept else 0.0
        errors = measure(problem, state.point.u).errors if design.n > p else None
        self.standard_errors_ = None if errors is None else errors[:p]
        self.cost_ = state.point.cost
        self.n_iter_ = max(1, len(state.series) - 1)
        self._link = loss.name == "poisson" or loss.typed == "nll:exponential"
        if state.end == "epochs" and self.epochs is None:
            _warn_of_epochs("TapeRegressor", plan.epochs)
        return self

    def predict(self, X: Any) -> Array:
        """Return the mean of each row, (n,)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        made: Array = X @ self.coef_ + self.intercept_
        return np.exp(made) if self._link else made


class TapeClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Logistic regression, of two classes or more, fitted by descent through the tape.

    Parameters
    ----------
    optimizer : str
        "lbfgs", "newton", "gd", "momentum" or "adam".
    learning_rate : float, optional
        Of the last three; by default half of what is stable whatever the labels are.
    epochs : int, optional
        How many updates; by default until the gradient vanishes.
    tolerance : float
        When it counts as vanished: its norm, in standardised units.
    fit_intercept : bool
        Whether the model has intercepts.
    standardize : bool
        Whether the descent runs in standardised units.

    Attributes
    ----------
    classes_ : ndarray, (k,)
        The labels.
    coef_ : ndarray, (1, p) for two classes, (k, p) for more
        The coefficients of the log-odds of the second class, or of every class; the latter add up
        to 0.
    intercept_ : ndarray, (1,) or (k,)
        The intercepts.
    cost_ : float
        The mean log loss at the last epoch.
    n_iter_ : int
        How many epochs it took.

    Notes
    -----
    Classes that a combination of the columns tells apart have no finite coefficients of the
    lowest cost; the fit then ends where the gradient has vanished, and warns.
    """

    def __init__(
        self,
        *,
        optimizer: str = "lbfgs",
        learning_rate: float | None = None,
        epochs: int | None = None,
        tolerance: float = 1e-8,
        fit_intercept: bool = True,
        standardize: bool = True,
    ) -> None:
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.tolerance = tolerance
        self.fit_intercept = fit_intercept
        self.standardize = standardize

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> TapeClassifier:
        """Fit the model to columns, (n, p), and labels, (n,)."""
        X, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        weights = np.ones(len(X))
        if sample_weight is not None:
            weights = _weights(sample_weight, len(X))
        counts = weights > 0
        self.classes_, codes = np.unique(y, return_inverse=True)
        seen = np.unique(codes[counts])
        if len(seen) < 2:
            raise FitError(
                three_part(
                    "TapeClassifier needs samples of at least 2 classes in the data, but the data "
                    f"contains only one class: {self.classes_[seen[0] if len(seen) else 0]!r}.",
                    "With one class there is nothing to tell apart.",
                    "Give rows of another class too.",
                )
            )
        # A class all of whose rows have weight 0 is known, and never predicted.
        labels = codes[counts][:, None] == seen
        centre, spread = self._units(X[counts], weights[counts])
        Z = (X[counts] - centre) / spread
        if self.fit_intercept:
            Z = np.column_stack([np.ones(len(Z)), Z])
        objective = Softmax(Z, labels, weights[counts] / weights.sum())
        u, self.cost_, self.n_iter_ = self._descend(objective)
        self._keep(u.reshape(objective.shape), seen, centre, spread)
        scores = objective.scores(u)
        _warn_if_separated(scores, labels)
        return self

    def _units(self, X: Array, weights: Array) -> tuple[Array, Array]:
        p = X.shape[1]
        if not self.standardize:
            return np.zeros(p), np.ones(p)
        centre = np.average(X, axis=0, weights=weights) if self.fit_intercept else np.zeros(p)
        spread = np.sqrt(np.average((X - centre) ** 2, axis=0, weights=weights))
        return centre, np.where(spread > 0, spread, 1.0)

    def _descend(self, objective: Softmax) -> tuple[Array, float, int]:
        chosen = choose_optimizer(self.optimizer)
        if chosen.needs == "squares":
            raise FitError(
                three_part(
                    f"TapeClassifier does not take optimizer={self.optimizer!r}.",
                    f"{chosen.title} is for squared errors.",
                    'Use optimizer="lbfgs".',
                )
            )
        u = np.zeros(int(np.prod(objective.shape)))
        point: Point = Point(u, *objective.cost_and_gradient(u))
        memory: Memory = {}
        last = chosen.max_epochs if self.epochs is None else self.epochs
        rate = self.learning_rate
        if rate is None:
            square = (objective.X.T * objective.weights) @ objective.X
            # The curvature of the log loss of a softmax is at most 1/2 (Böhning, 1992).
            rate = 1.0 / (0.5 * float(np.linalg.eigvalsh(square)[-1]))
        for epoch in range(last):
            if np.linalg.norm(point.gradient) <= self.tolerance:
                return point.u, point.cost, max(1, epoch)
            if chosen.step is not None:
                found, memory = chosen.step(objective, point, memory)  # type: ignore[arg-type]
                if found is None:
                    return point.u, point.cost, max(1, epoch)
                point = found
            else:
                assert chosen.update is not None
                u, memory = chosen.update(point.u, point.gradient, memory, rate)
                point = Point(u, *objective.cost_and_gradient(u))
        if self.epochs is None:
            _warn_of_epochs("TapeClassifier", last)
        return point.u, point.cost, max(1, last)

    def _keep(self, W: Array, seen: NDArray[np.intp], centre: Array, spread: Array) -> None:
        """Coefficients in the data's units, for the classes that there are."""
        W = np.column_stack([np.zeros(len(W)), W])
        slopes = (W[1:] if self.fit_intercept else W) / spread[:, None]
        intercepts = (W[0] if self.fit_intercept else np.zeros(W.shape[1])) - centre @ slopes
        k = len(self.classes_)
        if k == 2:
            self.coef_ = (slopes[:, 1] - slopes[:, 0])[None, :]
            self.intercept_ = (intercepts[1] - intercepts[0])[None]
            return
        self.coef_ = np.zeros((k, len(slopes)))
        self.intercept_ = np.full(k, -np.inf if len(seen) < k else 0.0)
        self.coef_[seen] = (slopes - slopes.mean(axis=1, keepdims=True)).T
        self.intercept_[seen] = intercepts - intercepts.mean()

    def decision_function(self, X: Any) -> Array:
        """Return the log-odds of the second class, (n,), or the score of every class, (n, k)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        scores: Array = X @ self.coef_.T + self.intercept_
        return scores[:, 0] if len(self.classes_) == 2 else scores

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class, (n, k)."""
        scores = self.decision_function(X)
        if scores.ndim == 1:
            scores = np.column_stack([np.zeros(len(scores)), scores])
        share = np.exp(scores - scores.max(axis=1, keepdims=True))
        made: Array = share / share.sum(axis=1, keepdims=True)
        return made

    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithm of the probability of each class, (n, k)."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the class of each row, (n,)."""
        scores = self.decision_function(X)
        best = (scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)
        chosen: NDArray[Any] = self.classes_[best]
        return chosen


def _weights(given: Any, n: int) -> Array:
    """Sample weights as an array, (n,); a number counts for every row."""
    weights = np.asarray(given, dtype=np.float64)
    if weights.ndim == 0:
        weights = np.full(n, float(weights))
    usable = weights.shape == (n,) and np.isfinite(weights).all() and (weights >= 0).all()
    if not usable or not weights.any():
        raise FitError(
            three_part(
                f"sample_weight of shape {weights.shape} does not weigh {n} rows.",
                "A weight says how much a row counts: zero or more, and not zero for all of them.",
                "Pass one number for each row of X.",
            )
        )
    return weights


def _warn_of_epochs(who: str, epochs: int) -> None:
    warnings.warn(
        three_part(
            f"{who}: the gradient has not vanished after {epochs:,} epochs.",
            "Gradient descent is slow where columns are alike.",
            'Use optimizer="lbfgs", or a larger tolerance.',
        ),
        ConvergenceWarning,
        stacklevel=3,
    )


def _warn_if_separated(scores: Array, labels: NDArray[np.bool_]) -> None:
    """Warn where every row of every class lies on its own side, by far."""
    own = np.where(labels, scores, -np.inf).max(axis=1)
    other = np.where(labels, -np.inf, scores).max(axis=1)
    if (own - other).min() > 5.0:
        warnings.warn(
            three_part(
                "TapeClassifier: the columns tell the classes apart without an error.",
                "So the cost has no minimum, and the coefficients would grow without end; they are "
                "those at which the gradient counts as vanished.",
                "Take them as a border between the classes, not as numbers; or leave a column out.",
            ),
            ConvergenceWarning,
            stacklevel=3,
        )
