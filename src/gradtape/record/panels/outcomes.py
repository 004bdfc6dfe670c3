"""What a model says of each row: a number, or a class with its probability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ...errors import RunError
from .moment import Moment, Nothing

__all__ = ["Classes", "classes_at", "classes_of"]

_MOST = 64  # classes


@dataclass(frozen=True)
class Classes:
    """How a classifier's targets and predictions are read.

    Attributes
    ----------
    labels : list of float
        The classes, ascending.
    columns : int
        Of the prediction: 1, or one for each class.
    is_logit : bool
        Whether the prediction is a logit, or a probability.
    is_negated : bool
        Whether the targets entered as -y, as those of `exp(-y * p)` do.
    names : list of str
        What the user calls the classes; what they are, by default.
    """

    labels: list[float]
    columns: int
    is_logit: bool
    is_negated: bool = False
    names: list[str] = field(default_factory=list)

    @property
    def is_binary(self) -> bool:
        return len(self.labels) <= 2

    def targets(self, y: Any) -> Any:
        """The class of each row, (n,)."""
        y = np.asarray(y, np.float64)
        if y.ndim > 1 and y.shape[-1] > 1:
            return np.asarray(self.labels)[y.reshape(len(y), -1).argmax(axis=1)]
        return -y.reshape(-1) if self.is_negated else y.reshape(-1)

    def probabilities(self, prediction: Any) -> Any:
        """(n, classes): how sure the model is of each."""
        p = np.asarray(prediction, np.float64).reshape(len(prediction), -1)
        with np.errstate(all="ignore"):
            if self.columns == 1:
                second = 1 / (1 + np.exp(-p)) if self.is_logit else p
                return np.concatenate([1 - second, second], axis=1)
            if self.is_logit:
                p = np.exp(p - p.max(axis=1, keepdims=True))
                p = p / p.sum(axis=1, keepdims=True)
        return p

    def shown(self, prediction: Any) -> Any:
        """(n,): of two classes the probability of the second, of more the place of the likeliest.

        NaN where the prediction is.
        """
        p = self.probabilities(prediction)
        if self.is_binary:
            return p[:, -1]
        return np.where(np.isnan(p).any(axis=1), np.nan, p.argmax(axis=1))

    def margin(self, prediction: Any) -> Any:
        """(n,): by how much the likeliest class is likelier than the next."""
        p = np.sort(self.probabilities(prediction), axis=1)
        return p[:, -1] - p[:, -2]


def classes_at(moment: Moment, y: Any, prediction: Any, node: int | None) -> Classes | None:
    """The classes of the targets at a moment, called as the user calls them; None for numbers."""
    found = classes_of(moment.graph, y, prediction, node)
    if found is None:
        return None
    called = moment.reader.meta().get("classes")
    known = isinstance(called, list) and len(called) == len(found.labels)
    names = [str(name)[:80] for name in called] if known else [f"{k:g}" for k in found.labels]
    is_negated = found.labels[0] < 0 and _is_negated(moment, y, prediction)
    return replace(found, is_negated=is_negated, names=names)


def _is_negated(moment: Moment, y: Any, prediction: Any) -> bool:
    """Whether the cost rises when all rows are more clearly on the side of their target."""
    tag = moment.roles["y"]
    if ("negated", tag) not in moment.known:
        try:
            values = moment.values(moment.replay.needs(moment.replay.targets))
            here = moment.replay.cost(values)
            clearer = y + np.sign(prediction).reshape(np.shape(y)).astype(np.asarray(y).dtype)
            there = moment.replay.cost({**values, tag: clearer})
        except (Nothing, RunError):
            return False
        if not np.isfinite(there - here) or there == here:
            return False
        moment.known["negated", tag] = bool(there > here)
    return bool(moment.known["negated", tag])


def classes_of(
    graph: Mapping[str, Any] | None, y: Any, prediction: Any, node: int | None
) -> Classes | None:
    """The classes of the targets `y`; None where the model gives a number and no class.

    Whole numbers that pick from the columns of the prediction are classes, and so are rows with a
    single 1. Of two values 0 and 1 (or -1 and 1) it is decided by what the cost does: a difference
    of a prediction outside of 0 to 1 is that of a number.
    """
    y, p = np.asarray(y), np.asarray(prediction)
    n = len(y) if y.ndim else 0
    if n < 2 or not p.ndim or len(p) != n or y.dtype.kind not in "fiub":
        return None
    columns = p.reshape(n, -1).shape[1]
    width = y.reshape(n, -1).shape[1]
    flat = y.reshape(n, -1)
    inside = bool(np.all((p >= 0) & (p <= 1) | np.isnan(p)))
    if columns > 1 and width == 1 and y.dtype.kind in "iub":
        if flat.min() < 0 or flat.max() >= min(columns, _MOST):
            return None
        return Classes([float(k) for k in range(columns)], columns, not _sums_to_one(p, inside))
    if width == columns > 1:
        single = np.isin(flat, (0, 1)).all() and (flat.sum(axis=1) == 1).all()
        if not single or columns > _MOST:
            return None
        return Classes([float(k) for k in range(columns)], columns, not _sums_to_one(p, inside))
    if width != 1 or columns != 1:
        return None
    values = np.unique(flat).astype(float).tolist()
    if values not in ([0.0, 1.0], [-1.0, 1.0]):
        return None
    if values == [0.0, 1.0] and inside:
        return Classes(values, 1, False)
    if node is not None and graph is not None and _is_difference(graph["nodes"], node):
        return None
    return Classes(values, 1, True)


def _sums_to_one(p: Any, inside: bool) -> bool:
    with np.errstate(all="ignore"):
        sums = p.reshape(len(p), -1).sum(axis=1)
    return inside and bool(np.allclose(sums[np.isfinite(sums)], 1.0, atol=1e-3))


def _is_difference(nodes: Sequence[Mapping[str, Any]], node: int) -> bool:
    """Whether the cost takes the difference of the prediction and an array that entered."""
    return any(
        n["op"] == "subtract"
        and node in n["in"]
        and any(nodes[i]["kind"] == "input" for i in n["in"])
        for n in nodes
    )
