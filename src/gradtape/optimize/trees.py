"""x0 as SciPy sees it and as the user wrote it: one flat vector, and a tree of arrays.

A number, a vector and a list of numbers are what SciPy takes already; the function then receives a
vector. Anything else (a dict, a dataclass, a list of arrays, a matrix) is a tree: the function
receives the same structure, and so does `result.x`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.operands import refuse_own_arithmetic
from ..core.tensor import Tensor, raw
from ..core.tree import _children, flatten, paths
from ..errors import DTypeError, NonFiniteError, ShapeError, three_part
from .faults import Door, short


class Parameters:
    """The structure of x0.

    Attributes
    ----------
    flat : numpy.ndarray
        x0 as a float64 vector, leaf after leaf.
    is_tree : bool
        Whether `result.x` is something else than that vector.
    """

    def __init__(self, door: Door, x0: Any, scalar_is_vector: bool = True) -> None:
        if _is_plain(x0):
            array = np.asarray(raw(x0) if isinstance(x0, Tensor) else x0)
            x0 = np.atleast_1d(array) if scalar_is_vector else array
        self.tree = x0
        leaves, self.rebuild = flatten(x0)
        self.is_tree = len(leaves) != 1 or leaves[0] is not x0 or np.ndim(leaves[0]) != 1
        arrays = [_checked(door, path, leaf) for path, leaf in paths(x0, "x0")]
        self.shapes = [a.shape for a in arrays]
        self.sizes = [a.size for a in arrays]
        if not sum(self.sizes):
            raise ShapeError(
                three_part(
                    f"{door.name}: x0 is empty.",
                    f"It was passed at {door.place}.",
                    "Pass the point to start from: x0=np.zeros(n).",
                )
            )
        self.flat = np.concatenate([a.reshape(-1) for a in arrays])

    def leaves(self, x: Any) -> list[Any]:
        """The parts of the vector `x`, in the shapes of the leaves."""
        if not self.is_tree:
            return [x]
        parts, start = [], 0
        for shape, size in zip(self.shapes, self.sizes, strict=True):
            parts.append(x[start : start + size].reshape(shape)[()])
            start += size
        return parts

    def unflatten(self, x: Any) -> Any:
        """The vector `x` as the user's structure, its arrays the user's to write to."""
        if not self.is_tree:
            return x
        return self.rebuild([np.array(part)[()] for part in self.leaves(x)])

    def flatten(self, door: Door, what: str, tree: Any) -> Any:
        """A vector of what the user's `jac=` returned, in the structure of x0 or flat already."""
        if isinstance(tree, Tensor):
            tree = raw(tree)
        if _is_plain(tree) and np.size(tree) == self.flat.size:
            return np.asarray(tree, dtype=float).reshape(-1)
        parts = [np.asarray(raw(leaf), dtype=float) for leaf in self.matched(door, what, tree)]
        if [p.shape for p in parts] != self.shapes:
            raise ShapeError(
                three_part(
                    f"{door.name}: {what} returned shapes {[p.shape for p in parts]}, "
                    f"not {self.shapes}.",
                    "A gradient has the structure and the shapes of x0.",
                    "Return one array for each leaf of x0, of its shape.",
                )
            )
        return np.concatenate([p.reshape(-1) for p in parts])

    def matched(self, door: Door, what: str, tree: Any) -> list[Any]:
        """The leaves of `tree` in the order of those of x0."""
        return _matched(door, what, self.tree, tree, "")

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return int(self.flat.size)

    # ------------------------------------------------------------------ bounds, callbacks

    def bounds(self, door: Door, bounds: Any) -> Any:
        """`bounds` as SciPy takes them; a tree of (low, high) pairs is spread over its leaves."""
        node = None if hasattr(bounds, "lb") else _children(bounds)
        if not self.is_tree or node is None:
            return bounds
        by_name = not node[2] or isinstance(bounds, dict) or isinstance(node[2][0], str)
        if not by_name and (not isinstance(self.tree, list | tuple) or len(bounds) == self.size):
            return bounds  # a pair for each number, as SciPy takes them
        pairs = _matched(door, "bounds", self.tree, bounds, "", pair=True)
        found: list[Any] = []
        for (low, high), shape, size in zip(pairs, self.shapes, self.sizes, strict=True):
            ends = [-np.inf if low is None else low, np.inf if high is None else high]
            low, high = (self._spread(door, end, shape).reshape(size).tolist() for end in ends)
            found.extend(zip(low, high, strict=True))
        return found

    def limit(self, door: Door, what: str, limit: Any) -> Any:
        """A lower or upper limit as SciPy takes it: a number, a vector, or a tree like x0."""
        if not self.is_tree or _children(limit) is None:
            return limit
        if _is_plain(limit) and np.size(limit) == self.size:
            return limit
        found = self.matched(door, what, limit)
        parts = zip(found, self.shapes, strict=True)
        return np.concatenate([self._spread(door, v, shape).reshape(-1) for v, shape in parts])

    def _spread(self, door: Door, limit: Any, shape: tuple[int, ...]) -> Any:
        """A bound of a leaf as an array of its shape."""
        try:
            return np.broadcast_to(np.asarray(limit, dtype=float), shape)
        except ValueError:
            raise _unlike(door, "bounds", "", f"a number or shape {shape}", limit) from None

    def callback(self, callback: Any) -> Any:
        """`callback`, which gets the user's structure where SciPy hands it a vector."""
        if callback is None or not self.is_tree:
            return callback
        if set(_names(callback)) == {"intermediate_result"}:

            def with_result(intermediate_result: Any) -> Any:
                result = type(intermediate_result)(intermediate_result)
                result.x_flat = intermediate_result.x
                result.x = self.unflatten(intermediate_result.x)
                return callback(intermediate_result=result)

            return with_result
        return lambda x, *more: callback(self.unflatten(np.asarray(x)), *more)

    def finish(self, result: Any) -> Any:
        """SciPy's result with `x` in the user's structure and `x_flat` beside it."""
        result.x_flat = result.x
        if self.is_tree:
            result.x = self.unflatten(result.x)
        return result


def _names(callback: Callable[..., Any]) -> Sequence[str]:
    try:
        return tuple(inspect.signature(callback).parameters)
    except (TypeError, ValueError):
        return ()


def _is_plain(x: Any) -> bool:
    """Whether SciPy itself would take `x` for a vector: a number, an array, a list of numbers."""
    if type(x) is list or type(x) is tuple:
        return all(np.ndim(item) == 0 and not isinstance(item, dict | str) and not
                   hasattr(type(item), "__dataclass_fields__") for item in x)  # fmt: skip
    return _children(x) is None


def _checked(door: Door, path: str, leaf: Any) -> Any:
    refuse_own_arithmetic(leaf, f"{door.name}: {path}")
    array = np.asarray(raw(leaf))
    if array.dtype.kind not in "fiub":
        raise DTypeError(
            three_part(
                f"{door.name}: {path} is {array.dtype}, not real numbers.",
                f"It was passed at {door.place}.",
                "Pass floating numbers; of a complex one its real and imaginary part.",
            )
        )
    array = np.array(array, dtype=np.float64)
    if not np.isfinite(array).all():
        raise NonFiniteError(
            three_part(
                f"{door.name}: {path} is not finite: {short(array)}.",
                f"It was passed at {door.place}.",
                "Start from finite numbers.",
            )
        )
    return array


def _matched(
    door: Door, what: str, tree: Any, given: Any, path: str, pair: bool = False
) -> list[Any]:
    """Leaves of `given`, which has the structure of `tree`; with `pair`, of (low, high) pairs."""
    node = _children(tree)
    if node is None:
        if not pair:
            return [given]
        if isinstance(given, list | tuple) and len(given) == 2:
            return [tuple(given)]
        raise _unlike(door, what, path, "a pair (low, high)", given)
    children, _, labels = node
    found = _children(given)
    if found is None or set(found[2]) != set(labels):
        raise _unlike(door, what, path, f"the keys {', '.join(map(repr, labels))}", given)
    parts = dict(zip(found[2], found[0], strict=True))
    return [
        leaf
        for label, child in zip(labels, children, strict=True)
        for leaf in _matched(door, what, child, parts[label], f"{path}[{label!r}]", pair)
    ]


def _unlike(door: Door, what: str, path: str, wanted: str, given: Any) -> ShapeError:
    return ShapeError(
        three_part(
            f"{door.name}: {what}{path} has not the structure of x0: {wanted} expected, "
            f"{given!r:.60} given.",
            f"It belongs to the call at {door.place}.",
            'Write it like x0: bounds={"a": (0, None), "b": (-1, 1)} for x0={"a": ..., "b": ...}.',
        )
    )
