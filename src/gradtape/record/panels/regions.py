"""The panel Fit of a classifier of two inputs: its answer on a grid of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import RunError
from .features import Features
from .moment import Moment, Nothing, said
from .outcomes import classes_at

__all__ = ["regions"]

Drawn = tuple[dict[str, Any], list[Any]] | str


def regions(reader: Any, step: int, n: int = 100) -> Drawn:
    """Return the answer of a classifier of two inputs at each place of a grid.

    Parameters
    ----------
    reader : Reader
    step : int
    n : int
        Places along each input.

    Returns
    -------
    (dict, list of ndarray) or str
        The header: `x` and `y` ([min, max] of the two inputs), `n`, `classes`, `names`, `step`,
        `note`. Two arrays of n * n values, the second input along rows, the first within a row: of
        two classes the probability of the second, of more the place of the likeliest; and by how
        much the likeliest is likelier than the next.
    """
    try:
        return _regions(reader, step, n)
    except Nothing as nothing:
        return str(nothing)
    except RunError as error:
        return said(error)


def _regions(reader: Any, step: int, n: int) -> Drawn:
    moment = Moment(reader, step)
    features = Features(moment)
    y_tag = moment.roles["y"]
    y = moment.value(y_tag) if y_tag else None
    if y is None:
        return "The cost compares no prediction with classes."
    found = np.asarray(moment.prediction())
    classes = classes_at(moment, y, found, features.node)
    if classes is None:
        return "Decision regions are drawn of a classifier; this model predicts a number."
    if len(features.data) != 2:
        return f"Decision regions need two inputs; this model has {len(features.data)}."
    if features.depends_on_other_rows():
        return "What is predicted for a row depends on the rows beside it."
    ends = []
    for column in features.data:
        low, high = float(column.min()), float(column.max())
        room = 0.08 * (high - low) or 1.0
        ends.append([low - room, high + room])
    u, v = np.meshgrid(_axis(ends[0], n), _axis(ends[1], n))
    predicted = features.predict([u.reshape(-1), v.reshape(-1)])
    header = {
        "x": ends[0], "y": ends[1], "n": n, "classes": classes.labels, "names": features.names,
        "step": moment.step, "note": " ".join(moment.notes),
    }  # fmt: skip
    return header, [classes.shown(predicted), classes.margin(predicted)]


def _axis(ends: list[float], n: int) -> Any:
    return np.linspace(ends[0], ends[1], n)
