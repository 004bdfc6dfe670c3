"""What of a computation never reaches the cost: rows of the data, columns of an output.

From the cost backwards, each node of the graph gets a mask of the entries on which the cost
depends. An index, a slice and a factor of 0 leave entries out; elementwise operations, sums and the
rows of a matrix product pass the mask on; any other operation is taken to read all that it gets. A
mask or an index that is another one at each step has read what it read at any of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from ..core.registry import CARDS
from .evidence import Evidence
from .operations import parameters

__all__ = ["Unread", "unread"]

Node = dict[str, Any]
_LARGEST = 1_000_000
_LOOKS = 16
_SHARE = 0.25  # of the rows: fewer may be the ends of a series, or a few gaps
_FEWEST = 8
_SUMS = frozenset(("sum", "mean", "sum_all", "prod", "var", "std"))
_SAME_ORDER = frozenset(("reshape", "ravel", "squeeze", "expand_dims"))
_PASSING = frozenset(("copy", "astype", "real", "imag"))
_MEANT = re.compile(
    r"train|valid|\bval|_val|test|fold|seen|known|observ|burn|warm|context|hold|labell?ed|fit_rows"
)


@dataclass(frozen=True)
class Unread:
    """Entries that the cost does not depend on.

    Attributes
    ----------
    what : {"rows", "columns"}
    node : dict
        The input (rows) or the result (columns) of which a part is never read.
    reader : dict
        The operation that leaves it out.
    count, of : int
        How many rows or columns, out of how many.
    """

    what: str
    node: Node
    reader: Node
    count: int
    of: int


def unread(run: Evidence) -> Unread | None:
    """What the cost of a run leaves out, of the rows of an input or the columns of an output."""
    found = _Reading(run)
    return found.columns() or found.rows()


class _Reading:
    """Which entries of each node the cost depends on."""

    def __init__(self, run: Evidence) -> None:
        self.run, self.nodes = run, run.nodes
        self.moves: dict[int, bool] = {}
        for i, node in self.nodes.items():
            self.moves[i] = node["kind"] in ("variable", "source") or any(
                self.moves.get(k, False) for k in node["in"]
            )
        self.read: dict[int, Any] = {}
        for target in run.graph.get("targets") or ():
            if target in self.nodes:
                self._mark(target, True)
        for i in reversed(list(self.nodes)):
            if self.nodes[i]["kind"] == "op" and i in self.read:
                self._back(self.nodes[i], self.read[i])

    def _mark(self, i: int, mask: Any) -> None:
        shape = tuple(self.nodes[i]["shape"])
        if prod(shape) > _LARGEST:
            mask, shape = True, ()  # taken as read
        if i not in self.read:
            self.read[i] = np.zeros(shape, bool)
        self.read[i] |= mask

    def _back(self, node: Node, mask: Any) -> None:
        """Mark what this node reads of its operands."""
        inputs, op = node["in"], node["op"]
        for held in node.get("held", ()):
            self._mark(held, True)
        if mask.shape != tuple(node["shape"]) or not mask.any():
            for i in inputs:
                self._mark(i, mask.any())
            return
        parts = self._parts(node, op, inputs, mask)
        for i, part in zip(inputs, parts, strict=True):
            self._mark(i, part)

    def _parts(self, node: Node, op: str, inputs: list[int], mask: Any) -> list[Any]:
        shapes = [tuple(self.nodes[i]["shape"]) for i in inputs]
        if op == "getitem":
            return [self._indexed(node, shapes[0]), *[True] * (len(inputs) - 1)]
        if op in _SUMS:
            return [self._summed(node, shapes[0], mask), *[True] * (len(inputs) - 1)]
        if op in _SAME_ORDER and prod(shapes[0]) == mask.size:
            return [mask.reshape(shapes[0]), *[True] * (len(inputs) - 1)]
        if op == "matmul" and len(shapes[0]) == 2 and 0 < len(shapes[1]) <= 2:
            rows = mask.reshape(shapes[0][0], -1).any(axis=1)
            return [rows[:, None], True]
        if op == "multiply" and len(inputs) == 2:
            ways = zip((inputs, inputs[::-1]), shapes, strict=True)
            return [_narrowed(mask & self._factor(b, a), shape) for (a, b), shape in ways]
        if op == "where" and len(inputs) == 3:
            chosen = self._mask(inputs[0], inputs[1:])
            return [True, _narrowed(mask & chosen[0], shapes[1]),
                    _narrowed(mask & chosen[1], shapes[2])]  # fmt: skip
        card = CARDS.get(op)
        if op in _PASSING or (card is not None and card.kind == "elementwise"):
            return [_narrowed(mask, shape) for shape in shapes]
        return [True] * len(inputs)

    def _indexed(self, node: Node, shape: tuple[int, ...]) -> Any:
        """The entries that an index reads; all, where it is another one at each step."""
        arrays = [self._held(i) for i in node.get("held", ())]
        if prod(shape) > _LARGEST or any(len(found) != 1 for found in arrays):
            return True
        read = np.zeros(shape, bool)
        try:
            index = parameters(node["params"], [found[0] for found in arrays])["index"]
            out = np.zeros(tuple(node["shape"]), bool)
            out |= self.read[node["id"]]
            np.logical_or.at(read, index, out)
        except Exception:  # an index that does not fit: a file made to fail
            return True
        return read

    def _summed(self, node: Node, shape: tuple[int, ...], mask: Any) -> Any:
        try:
            held = [self._held(i) for i in node.get("held", ())]
            said = node.get("params") or ["d"]
            given = parameters(said, [found[0] if found else True for found in held])
            where = np.any(held[0], axis=0) if held and held[0] else True
            axis = given.get("axis")
            if axis is not None and not given.get("keepdims"):
                mask = np.expand_dims(mask, axis)
            return np.broadcast_to(mask & where, shape)
        except Exception:  # parameters that do not fit: a file made to fail
            return True

    def _held(self, i: int) -> list[Any]:
        """What an input held, at up to `_LOOKS` steps; empty where it is not known."""
        node = self.nodes.get(i, {})
        if node.get("kind") != "input":
            return []
        return self.run.changes(node["tag"], _LOOKS)

    def _factor(self, i: int, other: int) -> Any:
        """Where a factor lets the other one through."""
        node = self.nodes[i]
        if node["kind"] != "input" or not self.moves[other] or prod(node["shape"]) < _FEWEST:
            return True
        return self._mask(i, [other])[0]

    def _mask(self, i: int, operands: list[int]) -> tuple[Any, Any]:
        """Where a mask ever was true, and ever false; a mask made of the operands is none."""
        held = self._held(i)
        if not held:
            return True, True
        last = held[-1] != 0
        if not any(array.any() for array in held):
            return True, True  # the state at which a recurrence begins
        for k in operands if self.moves.get(operands[0]) or self.moves.get(operands[-1]) else ():
            value = self.run.last_values.get(k)
            if value is not None and np.shape(value) == last.shape and (
                np.array_equal(last, value > 0) or np.array_equal(last, value >= 0)
            ):  # fmt: skip
                return True, True
        stack = np.array([array != 0 for array in held])
        return stack.any(axis=0), (~stack).any(axis=0)

    # ------------------------------------------------------------------------------ answers

    def columns(self) -> Unread | None:
        """Columns of a result that no parameter learns from."""
        for i in reversed(list(self.nodes)):
            node, mask = self.nodes[i], self.read.get(i)
            if node["kind"] != "op" or not self.moves[i] or mask is None or mask.ndim < 2:
                continue
            if mask.shape != tuple(node["shape"]) or not mask.any():
                continue
            used = _used(mask, -1)
            if used.all() or self._before(i, used):
                continue
            reader = self._reader(i, used, -1)
            return Unread("columns", node, reader, int(np.sum(~used)), len(used))
        return None

    def _before(self, i: int, used: Any) -> bool:
        """Whether a result of that shape before the node is read where the node is not."""
        for k in self.nodes[i]["in"]:
            mask = self.read.get(k)
            if (
                self.nodes[k]["kind"] == "op" and self.moves[k] and mask is not None
                and mask.shape == self.read[i].shape
                and (_used(mask, -1) & ~used).any()
            ):  # fmt: skip
                return True
        return False

    def rows(self) -> Unread | None:
        """Rows of an input that the cost does not depend on, where that is not on purpose."""
        if any(re.search(r"val|test", name) for name in self.run.columns if name[:4] == "log/"):
            return None  # rows held out to look at
        for i, node in self.nodes.items():
            mask = self.read.get(i)
            if node["kind"] != "input" or node["dtype"] == "bool" or mask is None or not mask.ndim:
                continue
            if mask.shape != tuple(node["shape"]) or len(mask) < _FEWEST or not mask.any():
                continue
            used = _used(mask, 0)
            unused = int(np.sum(~used))
            if unused < _SHARE * len(used) or not self._feeds(i) or self._is_gap(~used):
                continue
            if self._is_mixed(used):
                continue
            reader = self._reader(i, used, 0)
            if not _MEANT.search(reader.get("text") or "") and not _is_one(reader):
                return Unread("rows", node, reader, unused, len(used))
        return None

    def _feeds(self, i: int) -> bool:
        """Whether an input meets a parameter before it meets the targets."""
        users = [n for n in self.nodes.values() if i in n["in"]]
        return any(
            user["op"] in ("matmul", "multiply", "add", "einsum", "tensordot")
            and any(self.moves[k] and k != i for k in user["in"])
            for user in users
        ) and self.nodes[i].get("tag") != self.run.roles.get("y")

    def _is_mixed(self, used: Any) -> bool:
        """Whether another input is read in these rows: a graph, whose nodes tell each other."""
        y = self.run.roles.get("y")
        for i, node in self.nodes.items():
            mask = self.read.get(i)
            if node["kind"] == "input" and node["tag"] != y and node["dtype"] != "bool" and (
                mask is not None and mask.ndim and len(mask) == len(used)
                and (_used(mask, 0) & ~used).any() and self._meets_parameter(i)
            ):  # fmt: skip
                return True
        return False

    def _meets_parameter(self, i: int) -> bool:
        kinds = [self.nodes[k]["kind"] for n in self.nodes.values() if i in n["in"]
                 for k in n["in"]]  # fmt: skip
        return "variable" in kinds or "source" in kinds

    def _is_gap(self, unused: Any) -> bool:
        """Whether the targets say nothing in these rows: one number for all, or NaN."""
        y = self.run.input("y")
        if y is None or len(np.atleast_1d(y)) != len(unused) or y.dtype.kind not in "fiub":
            return False
        rows = np.asarray(y, float)[unused]
        return bool(np.isnan(rows).any() or np.ptp(rows) == 0)

    def _is_left_out(self, i: int, used: Any, axis: int) -> bool:
        mask = self.read.get(i)
        if mask is None or not mask.ndim or mask.shape[axis] != len(used):
            return False
        return not (_used(mask, axis) & ~used).any()

    def _reader(self, i: int, used: Any, axis: int) -> Node:
        """The operation that leaves a part of a node out: behind it everything is read."""
        while True:
            users = [n for n in self.nodes.values() if i in n["in"]]
            moving = [n for n in users if n["id"] in self.read] or users
            if not moving:
                return self.nodes[i]
            inner = [n for n in moving if self._is_left_out(n["id"], used, axis)]
            if not inner:
                return moving[0]
            i = inner[0]["id"]


def _used(mask: Any, axis: int) -> Any:
    """Which rows (axis 0) or columns (axis -1) of a mask hold anything."""
    return np.moveaxis(mask, axis, 0).reshape(mask.shape[axis], -1).any(axis=1)


def _narrowed(mask: Any, shape: tuple[int, ...]) -> Any:
    """The entries of an operand of this shape that a mask of a broadcast result reads."""
    mask = np.asarray(mask)
    extra = mask.ndim - len(shape)
    if extra < 0:
        return True
    mask = mask.any(axis=tuple(range(extra)))
    return mask.any(axis=tuple(k for k, n in enumerate(shape) if n == 1), keepdims=True)


def _is_one(reader: Node) -> bool:
    """Whether a node reads one place of an axis, as the last output of a series."""
    params = reader.get("params")
    if reader["op"] != "getitem" or not params:
        return False
    index = dict(params[1:]).get("index")
    first = index[1] if isinstance(index, list) and index and index[0] == "t" else index
    return type(first) is int
