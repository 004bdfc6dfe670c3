"""The panels Gradient flow and Cost: series of every step, reduced to what a screen can show."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import RunError
from ..reduction import extremes
from .moment import said

__all__ = ["cost", "flow", "validation_of"]

ROWS = ("gradnorm", "ratio", "zeros")
Drawn = tuple[dict[str, Any], list[Any]] | str

_VALIDATION = ("log/val_cost", "log/validation_cost", "log/val_loss", "log/validation_loss")
"""What users call the cost of data that is kept aside; the first that is there is drawn."""


def validation_of(reader: Any) -> str | None:
    """Return the column that is drawn as the cost of validation, if there is one."""
    known = {c.name for c in reader.columns()}
    return next((name for name in _VALIDATION if name in known), None)


def flow(reader: Any, px: int = 600) -> Drawn:
    """Return how large gradients and updates of each variable are, over the steps.

    Parameters
    ----------
    reader : Reader
    px : int
        About how many steps can be shown. Of each run of neighbours that falls on one of them the
        largest value stays, or a NaN where there is one.

    Returns
    -------
    (dict, list of ndarray) or str
        The header: `names`, `count`, `of` (steps there are), `rows`. The arrays: the steps, then
        for each name the norm of its gradient, the norm of its update over that of its value, and
        the fraction of exact zeros in its gradient.
    """
    try:
        return _flow(reader, px)
    except RunError as error:
        return said(error)


def _flow(reader: Any, px: int) -> Drawn:
    known = {c.name for c in reader.columns()}
    names = [
        c.name.partition("/")[2]
        for c in reader.columns()
        if c.name.startswith("gradnorm/")
        or (c.name.startswith("grad/") and f"value/{c.name.partition('/')[2]}" in known)
    ]
    if not names:
        return "No gradient has been recorded."
    wanted = [
        f"{kind}/{name}"
        for name in names
        for kind in ("gradnorm", "updatenorm", "norm", "gradzeros", "grad", "value")
        if f"{kind}/{name}" in known
    ]
    steps = reader.steps()
    columns = {}
    for column in wanted:
        at, values = reader.series(column)
        if len(at) < len(steps):  # rows before the column was there
            whole = np.full(len(steps), np.nan)
            whole[np.searchsorted(steps, at)] = values
            values = whole
        columns[column] = values
    size = max(1, -(-len(steps) // max(px, 1)))
    arrays = [steps[_ends(len(steps), size)]]
    for name in names:
        for series in _of(name, columns):
            arrays.append(_largest(series, size))
    header = {"names": names, "count": len(arrays[0]), "of": len(steps), "rows": list(ROWS)}
    return header, [np.ascontiguousarray(a, np.float64) for a in arrays]


def _of(name: str, columns: dict[str, Any]) -> tuple[Any, Any, Any]:
    """(norm of the gradient, of the update over that of the value, fraction of zeros)."""
    with np.errstate(all="ignore"):
        if f"gradnorm/{name}" in columns:
            gradient = columns[f"gradnorm/{name}"]
            missing = np.full(len(gradient), np.nan)
            ratio = columns.get(f"updatenorm/{name}", missing) / columns.get(
                f"norm/{name}", missing
            )
            return gradient, ratio, columns.get(f"gradzeros/{name}", missing)
        slope = columns[f"grad/{name}"]
        value = columns[f"value/{name}"]
        update = np.append(np.diff(value), np.nan)
        zeros = np.where(np.isnan(slope), np.nan, (slope == 0).astype(float))
        return np.abs(slope), np.abs(update) / np.abs(value), zeros


def _ends(n: int, size: int) -> Any:
    """The last place of each run of `size` neighbours."""
    return np.unique(np.append(np.arange(size - 1, n, size), max(n - 1, 0)))[: -(-n // size)]


def _largest(values: Any, size: int) -> Any:
    """The largest of each run of neighbours; NaN where one is."""
    if size == 1:
        return values
    return np.maximum.reduceat(values, np.arange(0, len(values), size))


def cost(reader: Any, px: int = 600) -> Drawn:
    """Return the cost, and the validation cost where it was logged, reduced to a screen.

    Parameters
    ----------
    reader : Reader
    px : int
        About how many points can be shown: of each run of neighbours the lowest and the highest
        stay, and the first that is not finite.

    Returns
    -------
    (dict, list of ndarray) or str
        The header: `series`, for each its `name`, `count` and `of`, and `best`, the step of the
        lowest cost. The arrays: for each the steps and the values.
    """
    known = {c.name for c in reader.columns()}
    names = [name for name in ("cost", validation_of(reader) or "") if name in known]
    if not names:
        return "No cost has been recorded."
    described, arrays = [], []
    best = None
    for name in names:
        steps, values = reader.series(name)
        if name == "cost" and np.isfinite(values).any():
            best = int(steps[int(np.nanargmin(np.where(np.isinf(values), np.nan, values)))])
        kept = extremes(values, px)
        described.append({"name": name, "count": len(kept), "of": len(steps)})
        arrays += [steps[kept], values[kept]]
    return {"series": described, "best": best}, arrays
