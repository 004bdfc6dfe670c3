"""Computes a stored graph again: at the values of a step, or at other inputs or parameters.

A graph comes from a file and is not trusted: `operations.py` says what it may name and what an
operation may cost. Every replay has a time limit, looked at between operations.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..core.registry import HOOKS
from ..errors import RunError
from ..graph.ir import fill
from .operations import Operation, operation, parameters, refuse

__all__ = ["Replay"]

_ELEMENTS = 1 << 24  # of one result; of a batch together
_WORK = 1 << 33  # multiplications of one operation
_TOGETHER = 8  # results of that size that may be in memory at once
_KINDS = frozenset(("op", "variable", "source", "input", "constant"))
_LEAVES = frozenset(("variable", "source", "input"))


class _Deadline:
    """When a call has to be done."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.end = seconds, time.monotonic() + seconds

    def look(self) -> None:
        """RunError if it is past."""
        if time.monotonic() > self.end:
            raise refuse(
                f"this takes more than {self.seconds:g} s.", "The graph is too large to replay."
            )


class Replay:
    """A graph that can be computed.

    Parameters
    ----------
    graph : mapping
        As `graphs.graph_of` made it, or as a run holds it.
    seconds : float
        How long one call may take.
    elements : int
        How many numbers one result may have.

    Attributes
    ----------
    targets : list of int
        The nodes whose sum is the cost.
    prediction : int or None
    tags : dict
        Tag of each variable, source and input, and its node.

    Raises
    ------
    RunError
        If the graph is no graph, or names an operation that is in no table. Which operations
        cannot be computed again is known when they are needed: see `reason`.

    Examples
    --------
    >>> import numpy as np, gradtape as gt
    >>> from gradtape.record.graphs import graph_of
    >>> a, x = gt.Variable(2.0, name="a"), np.array([1.0, 2.0])
    >>> with gt.GradientTape() as tape:
    ...     cost = np.sum(np.square(a * x))
    >>> replay = Replay(graph_of(tape._recorder, cost, [a], ["a"]))
    >>> float(replay.cost({"value/a": 3.0, "input/0": x}))
    45.0
    >>> replay.costs({"input/0": x}, {"value/a": np.array([0.0, 1.0, 3.0])})
    array([ 0.,  5., 45.])
    """

    def __init__(
        self, graph: Mapping[str, Any], *, seconds: float = 5.0, elements: int = _ELEMENTS
    ) -> None:
        self.seconds, self.elements = seconds, elements
        self.nodes = _checked(graph)
        self.tags = {n["tag"]: n["id"] for n in self.nodes if n["kind"] in _LEAVES}
        targets = graph.get("targets")
        self.targets = self._ids(targets if targets else [graph.get("target")])
        found = self._ids([graph.get("prediction")])
        self.prediction = found[0] if found else None
        self._operations: dict[int, Operation] = {}
        self._orders: dict[tuple[int, ...], list[int]] = {}

    def _ids(self, found: Any) -> list[int]:
        if not isinstance(found, list):
            return []
        return [i for i in found if type(i) is int and 0 <= i < len(self.nodes)]

    # ------------------------------------------------------------------------ questions

    def order(self, want: Iterable[int]) -> list[int]:
        """The nodes that have to be computed for these, in their order."""
        key = tuple(want)
        if key not in self._orders:
            needed = set(key)
            for node in reversed(self.nodes):
                if node["id"] in needed:
                    needed.update(node["in"])
                    needed.update(node.get("held", ()))
            self._orders[key] = sorted(needed)
        return self._orders[key]

    def needs(self, want: Iterable[int]) -> set[str]:
        """The tags whose values these nodes depend on."""
        nodes = self.nodes
        return {nodes[i]["tag"] for i in self.order(want) if nodes[i]["kind"] in _LEAVES}

    def reason(self, want: Iterable[int]) -> str:
        """Why these nodes cannot be computed; "" if they can."""
        for i in self.order(want):
            if self.nodes[i]["kind"] == "op":
                try:
                    self.operation_of(i)
                except ValueError as error:
                    return str(error)
        return ""

    def run(self, values: Mapping[str, Any], want: Sequence[int]) -> dict[int, Any]:
        """The values of these nodes.

        Parameters
        ----------
        values : mapping of tag to array_like
            Of every tag that the nodes need (see `needs`), of the dtype of the graph.
        want : sequence of int

        Returns
        -------
        dict
            An array or a NumPy scalar for each.

        Raises
        ------
        RunError
            Where a value is missing, shapes do not fit, an operation is not known, or the limits
            of size or time are passed.
        """
        known = self._evaluate(values, {}, 1, want, _Deadline(self.seconds))
        return {i: known[i][0] for i in want}

    def cost(self, values: Mapping[str, Any]) -> Any:
        """The cost: the sum of all elements of all targets, as the gradient takes it."""
        found = self.run(values, self.targets)
        return sum(np.sum(found[i]) for i in self.targets)

    def batched(
        self,
        values: Mapping[str, Any],
        batch: Mapping[str, Any],
        want: Sequence[int],
        seconds: float | None = None,
    ) -> dict[int, Any]:
        """The values of nodes at many values of some tags, all in one go where sizes allow.

        Parameters
        ----------
        values : mapping of tag to array_like
        batch : mapping of tag to array_like, (m, ...)
            The values of these tags, one after the other.
        want : sequence of int
        seconds : float, optional
            How long it may take, if not as long as every call.

        Returns
        -------
        dict
            (m, ...) for each node; NaN where an operation cannot be computed (a singular matrix).
        """
        deadline = _Deadline(seconds or self.seconds)
        arrays = {tag: np.asarray(array) for tag, array in batch.items()}
        sizes = {len(array) for array in arrays.values()}
        if len(sizes) != 1:
            raise refuse(f"batches of {sorted(sizes)} values.", "They run along one axis.")
        m = sizes.pop()
        step = self._block(m, want)
        parts: list[dict[int, Any]] = []
        for start in range(0, max(m, 1), step):
            part = {tag: array[start : start + step] for tag, array in arrays.items()}
            parts.append(self._block_of(values, part, want, deadline))
        return {i: np.concatenate([part[i] for part in parts]) for i in want}

    def costs(
        self, values: Mapping[str, Any], batch: Mapping[str, Any], seconds: float | None = None
    ) -> Any:
        """The cost at many values of some tags, (m,): see `batched`."""
        found = self.batched(values, batch, self.targets, seconds)
        return sum(found[i].reshape(len(found[i]), -1).sum(axis=1) for i in self.targets)

    def _block(self, m: int, want: Sequence[int]) -> int:
        """How many values of a batch are computed together."""
        largest = max((math.prod(self.nodes[i]["shape"]) for i in self.order(want)), default=1)
        return max(1, min(m, (self.elements >> 4) // max(1, largest)))

    def _block_of(
        self,
        values: Mapping[str, Any],
        part: Mapping[str, Any],
        want: Sequence[int],
        deadline: _Deadline,
    ) -> dict[int, Any]:
        size = len(next(iter(part.values())))
        try:
            known = self._evaluate(values, part, size, want, deadline)
        except np.linalg.LinAlgError:
            if size == 1:
                shapes = {i: tuple(self.nodes[i]["shape"]) for i in want}
                return {i: np.full((1, *shapes[i]), np.nan) for i in want}
            halves = [
                self._block_of(values, {t: a[s] for t, a in part.items()}, want, deadline)
                for s in (slice(0, size // 2), slice(size // 2, size))
            ]
            return {i: np.concatenate([half[i] for half in halves]) for i in want}
        found: dict[int, Any] = {}
        for i in want:
            value, axis = known[i]
            if axis is None:
                value = np.broadcast_to(value, (size, *np.shape(value)))
            found[i] = np.moveaxis(value, axis or 0, 0)
        return found

    # ----------------------------------------------------------------------- evaluation

    def _evaluate(
        self,
        values: Mapping[str, Any],
        batch: Mapping[str, Any],
        size: int,
        want: Sequence[int],
        deadline: _Deadline,
    ) -> dict[int, tuple[Any, int | None]]:
        """(value, axis of the batch) of the wanted nodes, and of others that were needed last."""
        known: dict[int, tuple[Any, int | None]] = {}
        order = self.order(want)
        wanted, last = set(want), self._last_use(order)
        held = 0
        with np.errstate(all="ignore"):
            for i in order:
                node = self.nodes[i]
                if node["kind"] != "op":
                    known[i] = _leaf(node, values, batch)
                    continue
                known[i] = self._compute(node, known, size)
                held += _size(known[i][0])
                for j in {*node["in"], *node.get("held", ())}:
                    if last[j] == i and j not in wanted and self.nodes[j]["kind"] == "op":
                        held -= _size(known.pop(j)[0])
                if held > _TOGETHER * self.elements:
                    raise refuse(f"{held} numbers at once.", "The graph is too large to replay.")
                deadline.look()
        return known

    def _last_use(self, order: Sequence[int]) -> dict[int, int]:
        """For each node the last one of `order` that reads it."""
        last: dict[int, int] = {}
        for i in order:
            for j in (*self.nodes[i]["in"], *self.nodes[i].get("held", ())):
                last[j] = i
        return last

    def operation_of(self, i: int) -> Operation:
        """The operation of a node; RunError for one that cannot be computed again."""
        found = self._operations.get(i)
        if found is None:
            found = self._operations[i] = operation(self.nodes[i])
        return found

    def _compute(
        self, node: Mapping[str, Any], known: Mapping[int, Any], size: int
    ) -> tuple[Any, int | None]:
        inputs = [known[i] for i in node["in"]]
        if node["op"] == "item":
            several, axes = inputs[0]
            i = parameters(node.get("params"), ()).get("index")
            if type(several) is not tuple or type(i) is not int or not 0 <= i < len(several):
                raise refuse("an item of what has none.", "The graph is damaged.")
            return several[i], axes[i] if type(axes) is tuple else axes
        op = self.operation_of(node["id"])
        params = {}
        if node.get("params") is not None:
            params = parameters(node["params"], [known[i][0] for i in node.get("held", ())])
        count = node.get("operands", len(inputs))
        try:
            return self._apply(op, inputs[:count], inputs, params, size)
        except (np.linalg.LinAlgError, RunError):
            raise
        except Exception as error:
            first = str(error).partition("\n")[0][:200]
            raise refuse(
                f"{op.name} at line {node.get('line')} fails at these values: {first}",
                "The shapes or the parameters of the graph do not fit what it is given.",
            ) from None

    def _apply(
        self, op: Operation, inputs: Any, every: Any, params: dict[str, Any], size: int
    ) -> tuple[Any, Any]:
        values, axes = [v for v, _ in inputs], [axis for _, axis in inputs]
        holes = len(every) > len(inputs)
        batched = any(axis is not None for _, axis in every)
        if not batched:
            if holes:
                params = fill(params, [v for v, _ in every])
            self._allow(op, values, params, 1)
            return _settled(op.compute(*values, **params)), None
        logical = [_one(v, axis) for v, axis in inputs]
        if not holes and op.is_elementwise and not params:
            self._allow(op, logical, params, size)
            out = op.compute(*HOOKS["align_batch"](values, axes))
            return _settled(out), (0,) * len(out) if type(out) is tuple else 0
        if not holes and op.card is not None and op.card.batch_rule is not None:
            self._allow(op, logical, params, size)
            out, axis = op.card.batch(size, values, axes, params)
            return _settled(out), axis
        rows = []
        for k in range(size):
            row = [v if axis is None else np.take(v, k, axis) for v, axis in every]
            given = fill(params, row) if holes else params
            self._allow(op, row[: len(inputs)], given, size)
            rows.append(op.compute(*row[: len(inputs)], **given))
        if type(rows[0]) is tuple:
            return tuple(map(np.stack, zip(*rows, strict=True))), (0,) * len(rows[0])
        return np.stack(rows), 0

    def _allow(self, op: Operation, values: Any, params: dict[str, Any], size: int) -> None:
        elements, work = op.cost(values, params)
        if elements * size > self.elements or work * size > _WORK:
            raise refuse(
                f"{op.name} would give {elements * size} numbers by {work * size} multiplications.",
                f"The limits are {self.elements} and {_WORK}.",
            )


# ---------------------------------------------------------------------------- the parts


def _size(value: Any) -> int:
    return sum(map(_size, value)) if type(value) is tuple else int(np.size(value))


def _settled(out: Any) -> Any:
    if type(out) is list:
        return tuple(out)
    return out[()] if type(out) is np.ndarray and out.ndim == 0 else out


def _one(value: Any, axis: Any) -> Any:
    """One entry of a batch, for its shape."""
    return value if axis is None else np.take(value, 0, axis)


def _leaf(
    node: Mapping[str, Any], values: Mapping[str, Any], batch: Mapping[str, Any]
) -> tuple[Any, int | None]:
    if node["kind"] == "constant":
        said = node["value"]
        value = complex(*said) if isinstance(said, list) else said
        return (value if node.get("weak") else np.dtype(node["dtype"]).type(value)), None
    tag = node["tag"]
    value = batch.get(tag, values.get(tag))
    if value is None:
        raise refuse(f"there is no value of {tag}.", "It was not recorded up to this step.")
    array = np.asarray(value)
    dtype = np.dtype(node["dtype"]) if node["dtype"] != "bfloat16" else np.dtype(np.float32)
    if array.dtype != dtype:
        array = array.astype(dtype)
    if tag in batch:
        return array, 0
    return array[()], None


def _checked(graph: Any) -> list[dict[str, Any]]:
    """The nodes of a graph in which every name, number and wire is what it has to be."""
    nodes = graph.get("nodes") if isinstance(graph, Mapping) else None
    if not isinstance(nodes, list):
        raise _damaged("it has no nodes")
    for i, node in enumerate(nodes):
        if (
            not isinstance(node, dict)
            or node.get("id") != i
            or not (isinstance(node.get("kind"), str) and node["kind"] in _KINDS)
        ):
            raise _damaged(f"node {i} is none")
        wires = [node.get("in"), node.get("held", [])]
        for wire in wires:
            if not isinstance(wire, list) or not all(type(k) is int and 0 <= k < i for k in wire):
                raise _damaged(f"node {i} reads what does not stand before it")
        shape, dtype = node.get("shape"), node.get("dtype")
        if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
            raise _damaged(f"node {i} has no shape")
        if not isinstance(dtype, str) or not _is_number(dtype):
            raise _damaged(f"node {i} has the dtype {str(dtype)[:40]!r}")
        if node["kind"] in _LEAVES and not isinstance(node.get("tag"), str):
            raise _damaged(f"node {i} has no tag")
        if node["kind"] == "constant" and not _is_constant(node.get("value")):
            raise _damaged(f"node {i} is no number")
        if node["kind"] == "op" and not isinstance(node.get("op"), str):
            raise _damaged(f"node {i} is no operation")
        count = node.get("operands", 0)
        if type(count) is not int or not 0 <= count <= len(node["in"]):
            raise _damaged(f"node {i} has {count!r} operands")
        if node.get("op") == "item" and node["kind"] == "op" and len(node["in"]) != 1:
            raise _damaged(f"node {i} is no item")
    return nodes


def _is_number(dtype: str) -> bool:
    if dtype == "bfloat16":
        return True
    try:
        return np.dtype(dtype).kind in "biufc" and len(dtype) < 20
    except TypeError:
        return False


def _is_constant(value: Any) -> bool:
    if isinstance(value, list):
        return len(value) == 2 and all(type(part) in (int, float) for part in value)
    return type(value) in (bool, int, float)


def _damaged(what: str) -> Any:
    return refuse(f"this is no graph: {what}.", "The run is damaged, or was made to look like one.")
