"""The panel Fit: the data, the prediction at a step, and the curve of the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...errors import RunError
from .features import Features
from .moment import Moment, Nothing, said
from .outcomes import classes_at

__all__ = ["fit"]

_MOST = 20_000  # points
_LISTED = 64  # inputs

Drawn = tuple[dict[str, Any], list[Any]] | str


def fit(
    reader: Any,
    step: int,
    *,
    slice: int | None = None,
    at: Mapping[int, float] | None = None,
    grid: int = 200,
) -> Drawn:
    """Return the data and what the model makes of it at a step.

    Parameters
    ----------
    reader : Reader
    step : int
    slice : int, optional
        Which input varies along the curve, by its place in `inputs`; the first by default.
    at : mapping of int to float, optional
        Where other inputs are held, by their place; at their medians by default.
    grid : int
        How many points the curve has.

    Returns
    -------
    (dict, list of ndarray) or str
        The header: `kind` ("curve", "scatter" without one, "classes"), `step`, `names` {x, y},
        `inputs`, `slice`, `at`, `count`, `of` (points there are), `grid`, `exact` (whether the
        curve is the model's own, computed again), `classes` and what they
        are `called`, `note`. The arrays: x, y and prediction (count), x and y of the curve (grid).
        For classes y are the classes, the prediction is the probability of the second of two, or
        the place of the likeliest of more; in place of a curve stand the second input and the
        probability of the likeliest class. Or the sentence why there is nothing to draw.

    Examples
    --------
    See `tests/record/test_panels.py`.
    """
    try:
        return _fit(reader, step, slice, at or {}, grid)
    except Nothing as nothing:
        return str(nothing)
    except RunError as error:
        return said(error)


def _fit(reader: Any, step: int, chosen: int | None, at: Mapping[int, float], grid: int) -> Drawn:
    moment = Moment(reader, step)
    y_tag = moment.roles["y"]
    y = moment.value(y_tag) if y_tag else None
    if y is None:
        return (
            "The cost compares no prediction with a constant array, so there is no data to show. "
            "Say what is what with run.roles(x=..., y=..., prediction=...)."
        )
    y = np.asarray(y)
    prediction = np.asarray(moment.prediction())
    if not y.ndim or not prediction.ndim or len(prediction) != len(y):
        return (
            f"The prediction has shape {prediction.shape}, the target {y.shape}: no rows to show."
        )
    if not y.size or not prediction.size:
        return "The data of this step has no rows."
    features: Features | None = None
    try:
        features = Features(moment)
        columns, names = features.data, features.names
    except Nothing as nothing:
        moment.notes.append(str(nothing))
        columns, names = _columns(moment, len(y))
    node = moment.replay.prediction if moment.graph is not None else None
    classes = classes_at(moment, y, prediction, node)
    along = min(max(chosen or 0, 0), len(columns) - 1)
    held = [float(np.median(column)) for column in columns[:_LISTED]]
    for i, value in at.items():
        if 0 <= i < len(held):
            held[i] = float(value)
    header: dict[str, Any] = {
        "kind": "scatter", "step": moment.step,
        "names": {"x": names[along], "y": moment.label(y_tag, "y")},
        "inputs": names[:_LISTED], "slice": along, "at": held, "of": len(y), "exact": False,
    }  # fmt: skip
    kept = np.arange(len(y))
    if len(y) > _MOST:
        kept = np.unique(np.linspace(0, len(y) - 1, _MOST).astype(int))
    header["count"] = len(kept)
    x = np.asarray(columns[along], np.float64)[kept]
    if classes is not None:
        header.update(kind="classes", classes=classes.labels, called=classes.names)
        header.update(grid=len(kept), exact=True)
        second = columns[1] if len(columns) > 1 else np.full(len(y), np.nan)
        sure = classes.probabilities(prediction[kept]).max(axis=1)
        arrays = [x, classes.targets(y)[kept], classes.shown(prediction[kept]),
                  np.asarray(second, np.float64)[kept], sure]  # fmt: skip
        return _noted(header, moment), _floats(arrays)
    if prediction.reshape(len(y), -1).shape[1] > 1:
        moment.notes.append("Of several outputs this is the first.")
    first = prediction.reshape(len(y), -1)[:, 0][kept]
    data = [x, y.reshape(len(y), -1)[:, 0][kept], first]
    curve = _curve(moment, features, x, along, held, grid) if features is not None else None
    if curve is None and len(columns) == 1:  # a line through the predictions
        order = np.argsort(x, kind="stable")
        order = order[np.unique(np.linspace(0, len(order) - 1, min(len(order), 2000)).astype(int))]
        curve = [x[order], first[order]]
    elif curve is not None:
        header["exact"] = True
    header["kind"] = "scatter" if curve is None else "curve"
    curve = curve or [np.empty(0), np.empty(0)]
    header["grid"] = len(curve[0])
    return _noted(header, moment), _floats([*data, *curve])


def _curve(
    moment: Moment, features: Features, x: Any, along: int, held: list[float], grid: int
) -> list[Any] | None:
    """The prediction on a grid of one input, the others held; None where it is not to be had."""
    low, high = float(np.min(x)), float(np.max(x))
    if not (np.isfinite(low) and np.isfinite(high)):
        return None
    points = np.linspace(low, high, grid)
    rows = [np.full(grid, value) for value in held]
    rows += [np.full(grid, np.median(column)) for column in features.data[len(held) :]]
    rows[along] = points
    try:
        if features.depends_on_other_rows():
            moment.notes.append("What is predicted for a row depends on the rows beside it.")
            return None
        found = features.predict(rows)
    except Nothing as nothing:
        moment.notes.append(str(nothing))
        return None
    return [points, found.reshape(grid, -1)[:, 0]]


def _columns(moment: Moment, n: int) -> tuple[list[Any], list[str]]:
    """The columns of x where the model cannot be computed again; the row where there is no x."""
    tag = moment.roles["x"]
    x = np.asarray(moment.value(tag) if tag else None)
    if not x.size or x.shape[:1] != (n,) or x.dtype.kind not in "fiub":
        return [np.arange(n, dtype=np.float64)], ["row"]
    flat = x.astype(np.float64).reshape(n, -1)
    name = moment.label(tag, "x")
    if flat.shape[1] == 1:
        return [flat[:, 0]], [name]
    return list(flat.T), [f"{name}[{j}]" for j in range(flat.shape[1])]


def _noted(header: dict[str, Any], moment: Moment) -> dict[str, Any]:
    return {**header, "note": " ".join(dict.fromkeys(moment.notes))}


def _floats(arrays: list[Any]) -> list[Any]:
    return [np.ascontiguousarray(np.real(a), np.float64) for a in arrays]
