"""The inputs of a model as columns, so that it can be computed at rows that were never seen.

What enters beside x is mostly x again: its powers, a column of ones. A column that is a known
function of another (or a product of two) follows it to new rows; the others are inputs of their
own, of which one varies and the rest are held.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import RunError
from .moment import Moment, Nothing, said

__all__ = ["Features"]

_MOST = 64  # columns between which relations are looked for, and inputs that are listed
_CHUNK = 16384  # rows that are computed together
_SAMPLE = 128  # rows by which candidates are chosen
_LOOSE = 1e-6  # how far from 1 their correlation with a column may be
_PRODUCTS = 8  # columns of which two may be multiplied
_POWERS: dict[str, Callable[[Any], Any]] = {
    "x**2": np.square, "x**3": lambda x: x**3, "x**4": lambda x: x**4, "x**5": lambda x: x**5,
    "x**6": lambda x: x**6, "log": np.log, "exp": np.exp, "sqrt": np.sqrt, "sin": np.sin,
    "cos": np.cos, "1/x": np.reciprocal, "abs": np.abs, "log1p": np.log1p, "x": lambda x: x,
}  # fmt: skip


@dataclass(frozen=True)
class _Column:
    """One column of one input: a base column, a constant, or `a + b * function(base columns)`."""

    tag: str
    place: int
    base: tuple[int, ...] = ()
    function: Callable[..., Any] | None = None
    a: float = 0.0
    b: float = 1.0
    constant: float | None = None

    def at(self, rows: list[Any], m: int) -> Any:
        if self.constant is not None:
            return np.full(m, self.constant)
        if self.function is None:
            return rows[self.base[0]]
        with np.errstate(all="ignore"):
            return self.a + self.b * self.function(*(rows[i] for i in self.base))


class Features:
    """The inputs of the prediction of a moment.

    Attributes
    ----------
    names : list of str
        What the inputs are called.
    data : list of ndarray, (n,)
        Their values in the rows of the data.
    """

    def __init__(self, moment: Moment) -> None:
        self.moment = moment
        self.replay = moment.replay
        node = self.replay.prediction
        if node is None:
            raise Nothing("No node of the graph is known to be the prediction.")
        self.node = node
        reason = self.replay.reason([node])
        if reason:
            raise Nothing(" ".join(reason.split()))
        self.values = moment.values(self.replay.needs([node]))
        shape = self.replay.nodes[node]["shape"]
        self.n = shape[0] if shape else 0
        self.names: list[str] = []
        self.data: list[Any] = []
        self._columns: list[_Column] = []
        self._candidates = _Candidates(self.n)
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._arrange()
        if not self.data:
            raise Nothing("No array that enters has a row for each prediction.")

    def _arrange(self) -> None:
        x = self.moment.roles["x"]
        tags = sorted(
            (t for t in self.values if t.startswith("input/")),
            key=lambda t: (t != x, int(t.rpartition("/")[2])),
        )
        for tag in tags:
            array = np.asarray(self.values[tag])
            if not array.size or not array.ndim or array.shape[0] != self.n or self.n < 2:
                continue
            if array.dtype.kind not in "fiu":
                raise Nothing(
                    f"{tag} is a mask that was computed outside of the tape: for other rows it is "
                    "not known."
                )
            self._shapes[tag] = array.shape[1:]
            flat = array.reshape(self.n, -1).astype(np.float64)
            name = self.moment.label(tag, "x" if tag == x else tag)
            for j in range(flat.shape[1]):
                self._add(tag, j, flat[:, j], name if flat.shape[1] == 1 else f"{name}[{j}]")

    def _add(self, tag: str, place: int, column: Any, name: str) -> None:
        if np.all(column == column[0]):
            self._columns.append(_Column(tag, place, constant=float(column[0])))
            return
        if len(self._columns) <= _MOST and self.n >= 4:
            dtype = np.asarray(self.values[tag]).dtype
            tolerance = 1e-10 if dtype == np.float64 else 1e-5
            found = self._candidates.of(column, self.data, tolerance)
            if found is not None:
                base, function, a, b = found
                self._columns.append(_Column(tag, place, base, function, a, b))
                return
            self._candidates.add(column, self.data)
        self._columns.append(_Column(tag, place, (len(self.data),)))
        self.data.append(column)
        self.names.append(name)

    @property
    def medians(self) -> list[float]:
        """The median of each input, at which it is held."""
        return [float(np.median(column)) for column in self.data]

    def depends_on_other_rows(self) -> bool:
        """Whether the prediction of a row changes when other rows are put beside it."""
        known = self.moment.known
        if "rows" not in known:
            known["rows"] = self._depends()
        return bool(known["rows"])

    def _depends(self) -> bool:
        turned = dict(self.values)
        for tag in self._shapes:
            turned[tag] = np.asarray(self.values[tag])[::-1]
        first = np.asarray(self.replay.run(self.values, [self.node])[self.node])
        second = np.asarray(self.replay.run(turned, [self.node])[self.node])[::-1]
        scale = float(np.max(np.abs(first), initial=0.0, where=np.isfinite(first))) or 1.0
        half = self._half_differs(first, scale)
        return half or not np.allclose(first, second, rtol=1e-5, atol=1e-6 * scale, equal_nan=True)

    def _half_differs(self, first: Any, scale: float) -> bool:
        half = self.n // 2
        other = dict(self.values)
        for tag in self._shapes:
            array = np.array(self.values[tag])
            array[half:] = array[: self.n - half][::-1]
            other[tag] = array
        found = np.asarray(self.replay.run(other, [self.node])[self.node])[:half]
        return not np.allclose(found, first[:half], rtol=1e-5, atol=1e-6 * scale, equal_nan=True)

    def predict(self, rows: list[Any]) -> Any:
        """The prediction at new rows: one array (m,) for each input.

        Raises Nothing where the operations cannot be computed there.
        """
        parts = []
        for start in range(0, len(rows[0]), _CHUNK):
            chunk = [np.asarray(row)[start : start + _CHUNK] for row in rows]
            try:
                found = self._run(self._inputs(chunk))
            except RunError:
                found = np.empty(0)
            if found.shape[:1] != (len(chunk[0]),):
                found = self._in_blocks(chunk)
            parts.append(found)
        return np.concatenate(parts)

    def _inputs(self, rows: list[Any]) -> dict[str, Any]:
        m = len(rows[0])
        made: dict[str, Any] = {}
        for column in self._columns:
            if column.tag not in made:
                size = math.prod(self._shapes[column.tag])
                made[column.tag] = np.empty((m, size))
            made[column.tag][:, column.place] = column.at(rows, m)
        return {tag: array.reshape(m, *self._shapes[tag]) for tag, array in made.items()}

    def _run(self, inputs: Mapping[str, Any]) -> Any:
        return np.asarray(self.replay.run({**self.values, **inputs}, [self.node])[self.node])

    def _in_blocks(self, rows: list[Any]) -> Any:
        """As many rows at a time as the data has: shapes may be fixed in the graph."""
        m, parts = len(rows[0]), []
        for start in range(0, m, self.n):
            chunk = [np.resize(row[start : start + self.n], self.n) for row in rows]
            try:
                found = self._run(self._inputs(chunk))
            except RunError as error:
                raise Nothing(said(error)) from None
            if found.shape[:1] != (self.n,):
                raise Nothing("The prediction has no row for each row of the data.")
            parts.append(found[: min(self.n, m - start)])
        return np.concatenate(parts)


class _Candidates:
    """Functions of the columns that are there, of which another may be one.

    A function that fits all rows fits a few of them: those few are compared with all candidates
    in one product of matrices, and what is left is looked at in all rows. Of 64 columns there
    are nearly a thousand candidates for each.
    """

    def __init__(self, n: int) -> None:
        self._rows = np.unique(np.linspace(0, n - 1, min(n, _SAMPLE)).astype(int))
        self._is_whole = len(self._rows) == n
        self._known: list[tuple[tuple[int, ...], Callable[..., Any]]] = []
        self._sample = np.empty((0, len(self._rows)))

    def add(self, column: Any, bases: list[Any]) -> None:
        """Take in a column that is a function of none of `bases`."""
        i = len(bases)
        with np.errstate(all="ignore"):
            new: list[tuple[tuple[int, ...], Callable[..., Any]]]
            new = [((i,), function) for function in _POWERS.values()]
            new += [((i, j), np.multiply) for j in range(i if i < _PRODUCTS else 0)]
            self._known += new
            columns = [*bases, column]
            rows = np.stack([f(*(columns[k][self._rows] for k in base)) for base, f in new])
            centred = _centred(rows)
            # What does not move is no candidate, unless it does so in the other rows.
            never = ~np.isfinite(rows).all(axis=1) | (np.ptp(rows, axis=1) == 0) & self._is_whole
            centred[never] = 0.0
            self._sample = np.concatenate([self._sample, centred])

    def of(
        self, column: Any, bases: list[Any], tolerance: float
    ) -> tuple[tuple[int, ...], Callable[..., Any], float, float] | None:
        """(which bases, a function of them, a, b) with column = a + b * function, to rounding."""
        with np.errstate(all="ignore"):
            few = _centred(column[None, self._rows])[0]
            likeness = np.abs(self._sample @ few)
            for k in np.flatnonzero(~(likeness < 1 - _LOOSE)):
                base, function = self._known[k]
                found = _affine(column, function(*(bases[i] for i in base)), tolerance)
                if found is not None:
                    return base, function, *found
        return None


def _centred(rows: Any) -> Any:
    """Rows less their means, of length 1; NaN where that is not to be had."""
    rows = rows - rows.mean(axis=1, keepdims=True)
    rows /= np.abs(rows).max(axis=1, keepdims=True)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _affine(column: Any, values: Any, tolerance: float) -> tuple[float, float] | None:
    """(a, b) with column = a + b * values to rounding, if there are."""
    if not np.isfinite(values).all():
        return None
    middle, spread = values.mean(), values.std()
    if not spread > 1e-12 * max(abs(middle), 1.0):
        return None
    b = np.mean((column - column.mean()) * (values - middle)) / spread**2
    a = column.mean() - b * middle
    if abs(a) < tolerance * max(abs(column.mean()), 1e-300) * 100:
        a = 0.0
    size = float(np.max(np.abs(column)))
    if np.max(np.abs(a + b * values - column)) <= tolerance * size:
        return float(a), float(b)
    return None
