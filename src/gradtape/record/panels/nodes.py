"""The panel The tape: the value and the cotangent of every operation at a step.

A run holds them where it was recorded in full detail. Elsewhere they are computed again: forwards
by replay, backwards by playing the replayed operations on a tape. A header says which it is.
"""

from __future__ import annotations

import math
import time
import weakref
from typing import Any

import numpy as np

from ...core.dispatch import apply
from ...core.tensor import Tensor, raw
from ...errors import RunError
from ...graph.ir import fill
from ...tape.tape import GradientTape
from ..details import statistics
from ..operations import parameters
from ..replay import Replay
from ..schema import FIELDS
from .moment import Moment, Nothing, said

__all__ = ["node", "nodes"]

_ELEMENTS = 1 << 24  # of all values together
_SECONDS = 6.0
_KEPT = 4  # steps
_STOPS = frozenset(("assigned", "stop"))

Drawn = tuple[dict[str, Any], list[Any]] | str
Sides = dict[int, tuple[Any, Any]]
_computed: weakref.WeakKeyDictionary[Any, dict[tuple[int, int], tuple[Sides, Any]]] = (
    weakref.WeakKeyDictionary()
)


def nodes(reader: Any, step: int) -> Drawn:
    """Return statistics of the value and of the cotangent of every node at a step.

    Returns
    -------
    (dict, list of ndarray) or str
        The header: `step` (whose values these are), `graph`, `count`, `fields`, `computed`
        (whether they were computed again), `note`. One array, (count, fields), NaN where something
        is not known. Or the sentence why there is none.
    """
    stored = reader.node_values(step)
    if stored is not None:
        graph, matrix = stored
        header = {"step": step, "graph": graph, "count": len(matrix), "fields": list(FIELDS),
                  "computed": False, "note": ""}  # fmt: skip
        return header, [np.ascontiguousarray(matrix, np.float64)]
    try:
        moment, graph, (_, matrix) = _sides(reader, step)
    except Nothing as nothing:
        return str(nothing)
    except (RunError, np.linalg.LinAlgError) as error:
        return said(error)
    header = {"step": moment.at, "graph": graph, "count": len(matrix), "fields": list(FIELDS),
              "computed": True, "note": " ".join(moment.notes)}  # fmt: skip
    return header, [matrix]


def node(reader: Any, step: int, id: int, side: int) -> Any:
    """Return the value (side 0) or the cotangent (side 1) of a node at a step.

    Returns
    -------
    ndarray or str
        The sentence says why there is none.
    """
    stored = reader.node_array(step, id, side)
    if stored is not None:
        return stored
    try:
        _, _, (sides, _) = _sides(reader, step)
    except Nothing as nothing:
        return str(nothing)
    except (RunError, np.linalg.LinAlgError) as error:
        return said(error)
    found = sides.get(id, (None, None))[1 if side else 0]
    if found is None or type(found) is tuple:
        return "The run does not hold this value."
    return np.asarray(found)


# ---------------------------------------------------------------------------- computing


def _sides(reader: Any, step: int) -> tuple[Moment, int, tuple[Sides, Any]]:
    """(the moment, the number of its graph, both sides of each node with their statistics)."""
    moment = Moment(reader, step)
    if moment.graph is None:
        raise Nothing("The operations were not recorded. Record with level='standard' or 'full'.")
    graph = [number for start, number in reader.structures() if start <= moment.step][-1]
    kept = _computed.setdefault(reader, {})
    if (graph, moment.at) not in kept:
        if sum(math.prod(one["shape"]) for one in moment.graph["nodes"]) > _ELEMENTS:
            raise Nothing("The values of this step are too many to compute them again.")
        replay = Replay(moment.graph, seconds=_SECONDS)
        order = _computable(replay)
        values = moment.values(replay.needs(order))
        forward = replay.run(values, order)
        try:
            cotangents = _backward(replay, order, forward)
        except Exception:  # a rule that needs what no file holds, or a file made to fail
            cotangents = {}
        while len(kept) >= _KEPT:
            del kept[next(iter(kept))]
        sides = {i: (forward[i], cotangents.get(i)) for i in order}
        matrix = np.full((len(moment.graph["nodes"]), len(FIELDS)), np.nan)
        for i, both in sides.items():
            matrix[i] = [
                number for side in both
                for number in statistics(None if type(side) is tuple else side)
            ]  # fmt: skip
        kept[graph, moment.at] = sides, matrix
    return moment, graph, kept[graph, moment.at]


def _computable(replay: Replay) -> list[int]:
    """The nodes that the cost depends on, without those that need what cannot be computed."""
    found: list[int] = []
    known: set[int] = set()
    for i in replay.order(replay.targets):
        said = replay.nodes[i]
        if not known.issuperset([*said["in"], *said.get("held", ())]):
            continue
        try:
            if said["kind"] == "op" and said["op"] != "item":
                replay.operation_of(i)
        except RunError:
            continue
        found.append(i)
        known.add(i)
    return found


def _backward(replay: Replay, order: list[int], forward: dict[int, Any]) -> dict[int, Any]:
    """The derivative of the cost by the value of each node; none where an operation stops it."""
    known: dict[int, Any] = {}
    deadline = time.monotonic() + _SECONDS
    with np.errstate(all="ignore"), GradientTape() as tape:
        for i in order:
            known[i] = _tensor(replay, tape, i, known, forward)
            if time.monotonic() > deadline:
                return {}
    if not all(isinstance(known.get(i), Tensor) for i in replay.targets):
        return {}
    followed = [i for i in order if isinstance(known[i], Tensor)]
    found = tape.gradient(
        [known[i] for i in replay.targets], [known[i] for i in followed],
        unconnected_gradients="none",
    )  # fmt: skip
    return {i: raw(ct) for i, ct in zip(followed, found, strict=True) if ct is not None}


def _tensor(
    replay: Replay, tape: GradientTape, i: int, known: dict[int, Any], forward: dict[int, Any]
) -> Any:
    """The value of a node, as a Tensor where a derivative goes through it."""
    said = replay.nodes[i]
    if said["kind"] in ("variable", "source"):
        floating = np.asarray(forward[i]).dtype.kind in "fc"
        return tape.watch(np.asarray(forward[i])) if floating else forward[i]
    inputs = [known[k] for k in said["in"]]
    if said["kind"] != "op" or not any(_is_followed(x) for x in inputs):
        return forward[i]
    if said["op"] == "item":
        index = parameters(said.get("params"), ())["index"]
        return inputs[0][index]
    operation = replay.operation_of(i)
    if operation.card is None or said["op"] in _STOPS:
        return forward[i]
    params = {}
    if said.get("params") is not None:
        params = parameters(said["params"], [forward[k] for k in said.get("held", ())])
    count = said.get("operands", len(inputs))
    if count < len(inputs):
        params = fill(params, [forward[k] for k in said["in"]])
    return apply(operation.card, tuple(inputs[:count]), params)


def _is_followed(x: Any) -> bool:
    return isinstance(x, Tensor) or (type(x) is tuple and any(isinstance(e, Tensor) for e in x))
