"""Whether targets have anything to do with inputs: are neighbours in x alike in y."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["is_unrelated"]

_FEWEST, _MOST = 60, 1500
_NEIGHBOURS = 5
_SHUFFLES = 100
_FAR = 6.0


def is_unrelated(x: Any, y: Any) -> bool:
    """Whether the targets of neighbouring inputs are no more alike than those of any inputs.

    The mean of the five nearest neighbours predicts each target, and so does the best linear
    function; the squared error of each is compared with that for shuffled targets. Data are called
    unrelated where neither is below the lowest fiftieth of the shuffles, and neighbours are not
    less alike than by chance either.

    Parameters
    ----------
    x : array, (n, ...)
    y : array, (n,) or (n, k)
        Numbers, class numbers, or one-hot rows.

    Returns
    -------
    bool
        False also where there are fewer than 60 rows, too few to tell.
    """
    x, y = np.asarray(x), np.asarray(y)
    if x.dtype.kind not in "fiub" or y.dtype.kind not in "fiub" or x.ndim < 1 or y.ndim < 1:
        return False
    n = len(x)
    if len(y) != n or n < _FEWEST:
        return False
    rng = np.random.default_rng(0)
    chosen = rng.permutation(n)[:_MOST] if n > _MOST else np.arange(n)
    inputs = x[chosen].reshape(len(chosen), -1).astype(float)
    targets = _targets(y[chosen])
    if not (np.isfinite(inputs).all() and np.isfinite(targets).all()):
        return False
    scale = inputs.std(axis=0)
    inputs = inputs[:, scale > 0] / scale[scale > 0]
    if not inputs.shape[1] or not np.any(targets.std(axis=0) > 0):
        return False
    near, basis = _neighbours(inputs), _basis(inputs)
    orders = [rng.permutation(len(targets)) for _ in range(_SHUFFLES)]
    for error, frame in ((_error, near), (_linear_error, basis)):
        by_chance = [error(targets[order], frame) for order in orders]
        found = error(targets, frame)
        if found <= np.quantile(by_chance, 0.02):
            return False
        if error is _error and found > np.mean(by_chance) + _FAR * np.std(by_chance):
            return False  # as of a parity, where neighbours differ
    return True


def _targets(y: Any) -> Any:
    """Targets as columns of numbers: few different integers are classes, the others ranks."""
    rows = y.reshape(len(y), -1)
    if rows.shape[1] == 1 and (rows.dtype.kind in "iub" or np.all(rows == np.round(rows))):
        classes = np.unique(rows)
        if len(classes) <= 20:
            return (rows == classes).astype(float)
    return np.column_stack([_ranks(column) for column in rows.T])  # outliers have no say


def _ranks(column: Any) -> Any:
    """Ranks; equal entries share one, or their order, that of x if x is sorted, would be told."""
    _, place, counts = np.unique(column, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - 0.5 * counts)[place.reshape(-1)]


def _neighbours(inputs: Any) -> Any:
    """The numbers of the nearest other rows of each row."""
    square = np.sum(inputs**2, axis=1)
    distances = square[:, None] + square - 2.0 * inputs @ inputs.T
    np.fill_diagonal(distances, np.inf)
    return np.argpartition(distances, _NEIGHBOURS, axis=1)[:, :_NEIGHBOURS]


def _basis(inputs: Any) -> Any:
    """Orthonormal columns that span the inputs and 1; as many as leave room for an error."""
    columns = inputs - inputs.mean(axis=0)
    left, singular, _ = np.linalg.svd(columns, full_matrices=False)
    kept = min(int(np.sum(singular > 1e-9 * singular[0])), max(1, len(inputs) // 4))
    return left[:, :kept]


def _linear_error(targets: Any, basis: Any) -> float:
    centred = targets - targets.mean(axis=0)
    return float(np.mean((centred - basis @ (basis.T @ centred)) ** 2))


def _error(targets: Any, near: Any) -> float:
    return float(np.mean((targets - targets[near].mean(axis=1)) ** 2))
