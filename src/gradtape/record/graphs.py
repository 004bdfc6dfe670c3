"""From the records of a tape to the graph of a run: plain data that can be shown and replayed.

`graph_of` reads the records once for each structure, before a gradient deletes what they keep.
`structure_of` tells cheaply whether a step has the structure of an earlier one. What the records of
a step keep, `kept.py` reads by way of the graph.

A graph is a dict that JSON can hold::

    name, nodes, target, prediction, sources {tag: id}, inputs {tag: id}, roles {x, y, prediction}
    node: id, op, in, shape, dtype, kind, file, line, function, text, group, rule, record
          tag      of a variable, a source or an input
          name     of a variable or a source; of an input, what the user's line calls it
          value    of a constant; weak where it is a Python number
          params   as `graph/coding.py` writes them; arrays in them are the inputs `held`
          opaque   why the node cannot be computed again from the file
          within   of a node of a compiled function: [record, node of its graph, output]
          slots    of an input: [record, operand] where it entered; [record, -1 - k] is array k of
                   the parameters

Nodes are in the order of execution: what feeds a node stands before it. Only what the target
depends on is there.
"""

from __future__ import annotations

import cmath
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from ..core.aval import Aval, aval_of
from ..core.registry import CARDS
from ..core.state import CARD, KEYS, OUT, PARAMS, RUN, Recorder
from ..core.sweep import run_item
from ..core.symbol import Symbol
from ..core.tensor import raw
from ..core.tree import flatten
from ..core.variable import Variable
from ..graph.coding import Uncodable
from ..graph.ir import Graph, Plain
from .kept import ParamWriter, inputs_of, is_same, numbers_of, operands_of, values_of
from .places import Places
from .roles import guess
from .rules import rule_of

__all__ = ["graph_of", "inputs_of", "numbers_of", "structure_of", "values_of"]

_FIXED = (bool, int, float, complex)


# ---------------------------------------------------------------------------- structure


def structure_of(recorder: Recorder, target: Any = None, places: bool = True) -> Hashable:
    """What is equal for two steps that have one graph: operations, places, wiring, shapes.

    Contents of arrays and numbers are not part of it, parameters (an axis, an index) are. It
    reads the skeletons alone, so that it may be called after a gradient consumed the tape. Without
    `places` it is the same for the fast and the general way of recording, of which the first
    knows the line inside of a function of gradtape's and the second only the user's.

    Examples
    --------
    >>> import numpy as np, gradtape as gt
    >>> a = gt.Variable(2.0)
    >>> found = set()
    >>> for step in range(3):
    ...     with gt.GradientTape() as tape:
    ...         y = np.sin(a * step)
    ...     found.add(structure_of(tape._recorder, y))
    >>> len(found)
    1
    """
    number = {key: -1 - n for n, key in enumerate(recorder.leaves)}
    look = number.get
    parts: list[Any] = []
    add = parts.append
    for n, rec in enumerate(recorder.ops, 1):
        _, card, out, code, lasti, x, y, sx, sy = rec[:9]
        number[out] = n
        if places:
            add(code.co_firstlineno)
            add(lasti)
        if type(x) is not tuple:
            add((id(card), look(x, 0), look(y, 0), sx or (), sy or ()))
        elif len(x) <= 2 and not sy:
            second = (look(x[1], 0), sx[0].shape, sx[1].shape) if len(x) == 2 else (
                (0, sx[0].shape, ())
            )  # fmt: skip
            add((id(card), look(x[0], 0), *second))
        elif sy == _WHOLE and card is CARDS["sum"]:
            add((id(CARDS["sum_all"]), look(x[0], 0), 0, sx[0].shape, ()))
        else:
            wires = tuple([look(k, 0) for k in x])
            add((id(card), wires, tuple([a.shape for a in sx]), _frozen(sy)))
    for t in _targets(target):
        add(look(t.key, 0))
    return hash(tuple(parts))


_WHOLE = {"axis": None, "keepdims": False}


def _frozen(x: Any) -> Hashable:
    """A parameter as something that can be compared, an array without its content."""
    kind = type(x)
    if x is None or kind in (int, str, bool, float):
        return x  # type: ignore[no-any-return]
    if kind is tuple or kind is list:
        return tuple([_frozen(item) for item in x])
    if kind is dict:
        return tuple([(name, _frozen(item)) for name, item in x.items()])
    if kind is slice:
        return ("slice", _frozen(x.start), _frozen(x.stop), _frozen(x.step))
    if isinstance(x, np.ndarray | np.generic):
        return ("array", x.shape, x.dtype.char)
    return (kind.__name__, id(kind) if not isinstance(x, np.dtype) else x.char)


def _targets(target: Any) -> list[Any]:
    leaves = flatten(target)[0] if target is not None else []
    return [t for t in map(_held, leaves) if hasattr(t, "key")]


def _held(x: Any) -> Any:
    """The Variable inside of a dialect's."""
    return getattr(x, "held", x)


# ------------------------------------------------------------------------------- the graph


def graph_of(
    recorder: Recorder,
    target: Any,
    sources: Sequence[Any],
    names: Sequence[str],
    *,
    kept: Mapping[tuple[int, int], Any] | None = None,
    varying: frozenset[int] | set[int] = frozenset(),
    name: str | None = None,
    labels: Sequence[tuple[Any, str]] = (),
    known: Mapping[int, str] = {},
    stem: str = "input",
    others: str = "value",
) -> dict[str, Any]:
    """The graph of what a tape recorded, as plain data.

    Parameters
    ----------
    recorder : Recorder
        The recording half of a tape, before a gradient deleted what its records keep.
    target : Tensor, or a tree of them
        The cost; several are summed, as `gradient` does.
    sources : sequence of Variable and watched Tensor
    names : sequence of str
        What the run calls them: their tags are `value/NAME`.
    kept : mapping of (record, operand) to array, optional
        Constants that a record did not keep because its rule does not need them.
    varying : set of int
        Nodes of an earlier graph of this structure whose numbers differ from step to step: they
        become inputs of shape ().
    name : str, optional
        By default the place of the first operation.
    labels : sequence of (array, str), optional
        What arrays that enter are called, where the user's lines do not say it.
    known : mapping of int to str
        What the run calls Variables beside the sources, by key.
    stem, others : str
        What the tags of the inputs begin with, and those of Variables beside the sources.

    Returns
    -------
    dict
        See the head of this file.

    Examples
    --------
    >>> import numpy as np, gradtape as gt
    >>> a = gt.Variable(2.0, name="a")
    >>> with gt.GradientTape() as tape:
    ...     cost = np.sin(a * 0.5)
    >>> graph = graph_of(tape._recorder, cost, [a], ["a"])
    >>> [(node["op"], node["in"]) for node in graph["nodes"]]
    [('variable', []), ('constant', []), ('multiply', [0, 1]), ('sin', [2])]
    """
    builder = _Builder(recorder, dict(kept or {}), varying)
    builder.labels, builder.known = labels, known
    builder.stem, builder.others = stem, others
    return builder.build(target, sources, names, name)


class _Builder:
    """One graph in the making: nodes so far, and which node has the value of a key."""

    def __init__(self, recorder: Recorder, kept: dict[tuple[int, int], Any], varying: Any) -> None:
        self.recorder, self.kept, self.varying = recorder, kept, varying
        self.nodes: list[dict[str, Any]] = []
        self.avals: list[Any] = []  # of each node, a tuple where it has several results
        self.by_key: dict[int, int] = {}
        self.results: dict[int, list[int]] = {}  # of compiled functions, by the key of the call
        self.constants: dict[int, int] = {}  # key of a constant Tensor -> its node
        self.arrays: list[tuple[int, Any]] = []  # (node, array) of the inputs
        self.inputs = 0
        self.labels: Sequence[tuple[Any, str]] = ()
        self.known: Mapping[int, str] = {}
        self.stem, self.others = "input", "value"
        self.places = Places(recorder)

    def build(
        self, target: Any, sources: Sequence[Any], names: Sequence[str], name: str | None
    ) -> dict[str, Any]:
        recorder = self.recorder
        targets = _targets(target)
        wanted = _feeding(recorder, {t.key for t in targets})
        called = {_key_of(recorder, _held(s)): n for s, n in zip(sources, names, strict=True)}
        taken = set(names)
        for key, leaf in recorder.leaves.items():
            if key in wanted or key in called:
                said = called.get(key)
                stem = self.others if said is None and isinstance(leaf, Variable) else "value"
                said = said or self.known.get(key) or _own_name(leaf, key, taken)
                self.leaf(key, leaf, said, f"{stem}/{said}")
        for index, rec in enumerate(recorder.ops):
            if rec[OUT] in wanted:
                self.record(index, rec)
        ends = [self.by_key[t.key] for t in targets if t.key in self.by_key]
        graph: dict[str, Any] = {
            "name": name or self.places.name(),
            "nodes": self.nodes,
            "target": ends[0] if ends else None,
            "targets": ends,
            "sources": self._tags("variable", "source"),
            "inputs": self._tags("input"),
        }
        self._name_inputs()
        roles = guess(graph)
        graph["roles"], graph["prediction"] = roles, roles["prediction"]
        y = graph["inputs"].get(roles["y"])
        if y is not None and "name" not in self.nodes[y] and self.nodes[y]["slots"]:
            name = self.places.labels(self.nodes[y]["slots"][0][0])
            if name is not None:
                self.nodes[y]["name"] = name
        return graph

    def _name_inputs(self) -> None:
        """Give inputs the names that they were said to have, or that the user's lines have."""
        for number, array in self.arrays:
            for labelled, label in self.labels:
                if type(array) is not Symbol and is_same(array, labelled):
                    self.nodes[number].setdefault("name", label)
        for node in self.nodes:
            if node["kind"] != "input" or "name" in node:
                continue
            for index, i in node["slots"]:
                if i >= 0 and getattr(self.recorder.ops[index][CARD], "regions", None) is None:
                    name = self.places.operand(index, i)
                    if name is not None:
                        node["name"] = name
                        break

    def _tags(self, *kinds: str) -> dict[str, int]:
        return {n["tag"]: n["id"] for n in self.nodes if n["kind"] in kinds}

    # ------------------------------------------------------------------------ nodes

    def add(self, op: str, inputs: Sequence[int], aval: Any, **facts: Any) -> int:
        first = aval[0] if type(aval) is tuple else aval
        node = {
            "id": len(self.nodes), "op": op, "in": list(inputs), "shape": list(first.shape),
            "dtype": str(first.dtype), **facts,
        }  # fmt: skip
        self.nodes.append(node)
        self.avals.append(aval)
        return len(self.nodes) - 1

    def leaf(self, key: int, leaf: Any, name: str, tag: str) -> None:
        if isinstance(leaf, Variable):
            aval, at, kind = aval_of(leaf.value), leaf.position, "variable"
        else:
            aval, at, kind = Aval(leaf[1], leaf[2]), leaf[3:5], "source"
        place = self.places.at(*at)
        self.by_key[key] = self.add(
            kind, [], aval, kind=kind, tag=tag, name=name, **place
        )

    def constant(self, value: Any, aval: Aval, slot: tuple[int, int], place: Any) -> int:
        """The node of a number, or of an array that enters here."""
        fixed = type(value) in _FIXED or (
            isinstance(value, np.generic | np.ndarray)
            and value.ndim == 0
            and value.dtype.char != "E"
        )
        number = len(self.nodes)
        if fixed and number not in self.varying and cmath.isfinite(value):
            plain = value if type(value) in _FIXED else value.item()
            said = [plain.real, plain.imag] if type(plain) is complex else plain
            return self.add(
                "constant", [], aval, kind="constant", value=said, weak=type(value) in _FIXED,
                slots=[list(slot)], **place,
            )  # fmt: skip
        # masks of two places may be equal by chance, and are not at the next step
        if isinstance(value, np.ndarray) and value.size > 1 and value.dtype.kind != "b":
            for known, array in self.arrays:
                if type(array) is not Symbol and is_same(array, value):
                    self.nodes[known]["slots"].append(list(slot))
                    return known
        elif type(value) is Symbol:  # while a compiled function is traced
            for known, symbol in self.arrays:
                if type(symbol) is Symbol and symbol.node is value.node:
                    self.nodes[known]["slots"].append(list(slot))
                    return known
        tag = f"{self.stem}/{self.inputs}"
        self.inputs += 1
        node = self.add("input", [], aval, kind="input", tag=tag, slots=[list(slot)], **place)
        if value is None:
            self.nodes[node]["missing"] = True
        elif isinstance(value, np.ndarray | Symbol):
            self.arrays.append((node, value))
        return node

    def operand(self, index: int, i: int, key: int, value: Any, aval: Aval, place: Any) -> int:
        if key in self.by_key:
            return self.by_key[key]
        if key and -key in self.constants:
            known = self.constants[-key]
            if [index, i] not in self.nodes[known]["slots"]:
                self.nodes[known]["slots"].append([index, i])
            return known
        if isinstance(value, Aval):
            value = None
        if value is None:
            value = self.kept.get((index, i))
        if value is not None:
            value = raw(value)
            aval = aval_of(value)
        node = self.constant(value, aval, (index, i), place)
        if key:
            self.constants[-key] = node
        return node

    def record(self, index: int, rec: list[Any]) -> None:
        place = self.places.of(index)
        card = rec[CARD]
        if rec[RUN] is run_item:
            if rec[KEYS] in self.results:
                self.by_key[rec[OUT]] = self.results[rec[KEYS]][rec[7]]
                return
            made_by = self.by_key[rec[KEYS]]
            several = self.avals[made_by]
            aval = several[rec[7]] if type(several) is tuple else several
            self.by_key[rec[OUT]] = self.add(
                "item", [made_by], aval, kind="op", record=index, params=["d", ["index", rec[7]]],
                rule=rule_of(card), **place,
            )  # fmt: skip
            return
        if type(rec[KEYS]) is tuple:
            keys, avals, params = rec[KEYS], rec[7], rec[PARAMS]
            values = operands_of(rec) or avals
            out = rec[10] if len(rec) > 10 else None
            several = rec[11] if len(rec) > 11 else None
        else:
            keys, params, several = rec[5:7][: card.arity], {}, None
            found = (*rec[9:11], None, None)[: card.arity]
            values = found
            avals = self._guessed(keys, rec[7:9])
            out = rec[11] if len(rec) > 11 else None
        inputs = [
            self.operand(index, i, k, v, a, place)
            for i, (k, v, a) in enumerate(zip(keys, values, avals, strict=True))
        ]
        if getattr(card, "regions", None) is not None and card.regions[0] == "program":
            self.program(index, rec, card.regions[1], inputs, place)
            return
        facts = self.params(index, params, place)
        if several is not None:
            aval = tuple(several)
        elif out is not None and not isinstance(out, Aval):
            aval = aval_of(out)
        else:
            aval = self._result(card, inputs, params)
        if CARDS.get(card.name) is not card:
            kind = (
                "has no card" if card.kind == "unsupported" else "is a function of the user's own"
            )
            facts["opaque"] = f"{card.name} {kind}"
        self.by_key[rec[OUT]] = self.add(
            card.name, inputs, aval, kind="op", record=index, rule=rule_of(card), **facts, **place
        )
        if several is not None:
            self.nodes[-1]["results"] = len(aval)

    def params(self, index: int, params: dict[str, Any], place: Any) -> dict[str, Any]:
        """What a node says of its parameters."""
        if not params:
            return {}
        writer = ParamWriter()
        try:
            said = writer.static(params)
        except Uncodable as error:
            return {"opaque": f"its parameters hold {error}"}
        facts: dict[str, Any] = {"params": said}
        if writer.arrays:
            facts["held"] = [
                self.constant(
                    array if type(array) is Symbol else np.asarray(array),
                    aval_of(array),
                    (index, -1 - k),
                    place,
                )
                for k, array in enumerate(writer.arrays)
            ]
        return facts

    def _guessed(self, keys: Sequence[int], shapes: Sequence[Any]) -> tuple[Aval, ...]:
        """The avals of operands of which only the shapes were kept.

        A constant's dtype is taken for that of the other operand.
        """
        known = [self.avals[self.by_key[k]] if k in self.by_key else None for k in keys]
        dtype = next((a.dtype for a in known if type(a) is Aval), np.dtype(np.float64))
        return tuple(
            a if type(a) is Aval else Aval(shape or (), dtype)
            for a, shape in zip(known, shapes, strict=False)
        )

    def _result(self, card: Any, inputs: list[int], params: dict[str, Any]) -> Any:
        """What the card's shape rule says of the result, or the shape of the first operand."""
        avals = [self.avals[i] for i in inputs]
        try:
            return card.shape(avals, params)
        except Exception:  # a rule of the user's own
            return avals[0] if avals else Aval((), np.float64)

    # ------------------------------------------------------- compiled functions, node by node

    def program(
        self, index: int, rec: list[Any], graph: Graph, inputs: list[int], place: Any
    ) -> None:
        """The nodes of a compiled function in place of its one record."""
        known: dict[Any, int] = dict(zip(graph.inputs, inputs, strict=True))
        group = f"{place['group']}/{graph.name}"

        def read(value: Any) -> int:
            if value not in known:  # a constant: everything else was computed before
                data = value.data
                known[value] = self.constant(data, value.aval, (index, len(inputs)), place)
                if self.nodes[known[value]]["kind"] == "input":
                    self.nodes[known[value]]["slots"] = []
            return known[value]

        for n, node in enumerate(graph.nodes):
            at = self.places.at(*node.position) if node.position else place
            at = {**at, "group": group}
            operands = [read(v) for v in node.inputs]
            facts = self.params(index, node.params, at)
            if "held" in facts:
                for held in facts["held"]:
                    self.nodes[held]["slots"] = []
            name = node.op.name
            if isinstance(node.op, Plain):
                facts["plain"] = True
            elif CARDS.get(name) is not node.op and name not in ("assigned", "stop"):
                facts["opaque"] = f"{name} is no operation of NumPy's"
            if node.operands != len(node.inputs):
                facts["operands"] = node.operands
            avals = tuple(v.aval for v in node.outputs)
            made = self.add(
                name, operands, avals if len(avals) > 1 else avals[0], kind="op",
                rule=rule_of(node.op), **facts, **at,
            )  # fmt: skip
            if len(avals) == 1:
                known[node.outputs[0]] = made
                self.nodes[made]["within"] = [index, n, 0]
                continue
            self.nodes[made]["results"] = len(avals)
            for i, value in enumerate(node.outputs):
                known[value] = self.add(
                    "item", [made], value.aval, kind="op", params=["d", ["index", i]],
                    rule=rule_of(_ITEM), within=[index, n, i], **at,
                )  # fmt: skip
        self.results[rec[OUT]] = [read(v) for v in graph.results]


_ITEM = CARDS["item"]


def _feeding(recorder: Recorder, keys: set[int]) -> set[int]:
    """The keys that these depend on, and they themselves."""
    found = set(keys)
    for rec in reversed(recorder.ops):
        if rec[OUT] in found:
            wires = rec[KEYS] if type(rec[KEYS]) is tuple else rec[5:7]
            if rec[RUN] is run_item:
                wires = rec[5:6]
            found.update(k for k in wires if k > 0)
    return found


def _key_of(recorder: Recorder, source: Any) -> int:
    """The key under which the tape follows a source, a watched Tensor that moved on too."""
    if source.key in recorder.leaves:
        return source.key  # type: ignore[no-any-return]
    for key, leaf in recorder.leaves.items():
        if type(leaf) is tuple and leaf[0]() is source:
            return key
    return source.key  # type: ignore[no-any-return]


def _own_name(leaf: Any, key: int, taken: set[str]) -> str:
    name = leaf.name if isinstance(leaf, Variable) else f"source:{key}"
    unique, n = name, 1
    while unique in taken:
        n += 1
        unique = f"{name}_{n}"
    taken.add(unique)
    return unique
