"""Bring every product into one form, `contract`, and what is no product into loops.

before::

    v0: float64[3,4] = einsum(x0, x1, x2) {subscripts='ab,bc,cd->ad'}
    v1: float64[4,3] = transpose(x3) {axes=(1, 0)}
    v2: float64[3,3] = matmul(v0, v1)
    v3: float64[3] = einsum(v2, v2) {subscripts='ab,ab->a'}

after::

    v0: float64[3,2] = contract(x0, x1) {labels='ab,bc->ac'}
    v1: float64[3,4] = contract(x2, v0) {labels='cd,ac->ad'}
    v2: float64[3,3] = contract(v1, x3) {labels='ab,cb->ac'}
    v3: float64[3,3] = multiply(v2, v2)
    v4: float64[3] = sum(v3) {axis=(1,), keepdims=False}

matmul, tensordot and einsum are labels on the axes of their operands. Of several operands those
two come first whose product is the cheapest. A transposed operand is the operand with its labels in
another order, and so is a transposed result. An index that only one operand has is summed there
first, and one of length 1 is left out. Where nothing is summed in a product (an outer product), it
is a `multiply`; where the operands share all their indices, a `multiply` and a `sum`: both run
inside a loop. Sums are taken in another order than NumPy's, within the bound of a product; so this
pass is for native programs alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from ..core.registry import CARDS
from ..graph.contraction import CONTRACT
from ..graph.ir import Graph, Node, Value, has_holes
from .rewriting import Rewriter, rewrite

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class _Term:
    """An operand and the labels of its axes."""

    value: Value
    labels: str


def plan_contractions(graph: Graph) -> Graph:
    """`graph` with its products as `contract`, `multiply` and `sum`."""
    uses: dict[Value, int] = {}
    for value in (*(v for node in graph.nodes for v in node.inputs), *graph.results):
        uses[value] = uses.get(value, 0) + 1
    alone: set[Value] = set()  # results of `contract` that one node reads

    def rule(rewriter: Rewriter, node: Node, inputs: tuple[Value, ...]) -> Sequence[Value] | None:
        if len(node.outputs) != 1 or has_holes(node):
            return None
        if node.op.name == "transpose" and "axes" in node.params:
            return _turned(rewriter, node, inputs[0], alone)
        read = _READ.get(node.op.name)
        found = None if read is None or node.op.kind == "plain" else read(node, inputs)
        if found is None or not _is_plain(node, inputs):
            return None
        result = _Contractor(rewriter, node, *found).run()
        if uses.get(node.outputs[0]) == 1:
            alone.add(result)
        return [result]

    return rewrite(graph, rule)


def _is_plain(node: Node, inputs: tuple[Value, ...]) -> bool:
    """Whether all is of one real floating dtype, and nothing is empty."""
    dtype = node.outputs[0].aval.dtype
    return dtype.char in "fd" and all(
        v.aval.dtype == dtype and not v.aval.weak and v.aval.size for v in inputs
    )


def _turned(
    rewriter: Rewriter, node: Node, value: Value, alone: set[Value]
) -> Sequence[Value] | None:
    """A transposed result of `contract`: its labels in another order.

    Where axes of length 1 alone move, the elements stay in their order.
    """
    axes, before = node.params["axes"], value.node
    if before is not None and before.op is CONTRACT and value in alone:
        operands, _, out = before.params["labels"].partition("->")
        labels = f"{operands}->{''.join(out[axis] for axis in axes)}"
        return rewriter.emit(CONTRACT, before.inputs, {"labels": labels}, node.position)
    long = [axis for axis in axes if value.aval.shape[axis] > 1]
    if long != sorted(long):
        return None
    shape = node.outputs[0].aval.shape
    return rewriter.emit(CARDS["reshape"], [value], {"shape": shape, "order": "C"}, node.position)


# --------------------------------------------------------------------------- reading a product


def _matmul(node: Node, inputs: tuple[Value, ...]) -> tuple[list[_Term], str] | None:
    x, y = inputs
    if node.params:
        return None
    n, m = x.aval.ndim, y.aval.ndim
    stack = _LETTERS[3 : 3 + max(n, m, 2) - 2]
    left = stack[len(stack) - max(n - 2, 0) :] + "ab"[2 - min(n, 2) :]
    right = stack[len(stack) - max(m - 2, 0) :] + ("bc" if m > 1 else "b")
    out = stack + ("a" if n > 1 else "") + ("c" if m > 1 else "")
    return [_Term(x, left), _Term(y, right)], out


def _tensordot(node: Node, inputs: tuple[Value, ...]) -> tuple[list[_Term], str] | None:
    x, y = inputs
    if set(node.params) != {"left", "right"} or x.aval.ndim + y.aval.ndim > len(_LETTERS):
        return None
    left, right = node.params["left"], node.params["right"]
    mine = list(_LETTERS[: x.aval.ndim])
    other = list(_LETTERS[x.aval.ndim : x.aval.ndim + y.aval.ndim])
    for i, j in zip(left, right, strict=True):
        other[j] = mine[i]
    summed = {mine[i] for i in left}
    out = "".join(n for n in (*mine, *other) if n not in summed)
    return [_Term(x, "".join(mine)), _Term(y, "".join(other))], out


def _einsum(node: Node, inputs: tuple[Value, ...]) -> tuple[list[_Term], str] | None:
    if not set(node.params) <= {"subscripts", "optimize"}:
        return None
    operands, _, out = node.params["subscripts"].partition("->")
    terms = operands.split(",")
    if any(len(set(term)) < len(term) for term in terms):  # a diagonal
        return None
    return [_Term(v, term) for v, term in zip(inputs, terms, strict=True)], out


_READ = {"matmul": _matmul, "tensordot": _tensordot, "einsum": _einsum}


# --------------------------------------------------------------------------- writing it


class _Contractor:
    """The nodes that compute one product."""

    def __init__(self, rewriter: Rewriter, node: Node, terms: list[_Term], out: str) -> None:
        self.rewriter, self.node = rewriter, node
        self.sizes: dict[str, int] = {}
        for term in terms:
            for label, size in zip(term.labels, term.value.aval.shape, strict=True):
                self.sizes[label] = max(size, self.sizes.get(label, 1))
        self.out = "".join(n for n in out if self.sizes[n] > 1)
        self.terms = [self._bare(term) for term in terms]

    def run(self) -> Value:
        """The value of the product."""
        terms = self.terms
        while len(terms) > 1:
            pair = min(combinations(range(len(terms)), 2), key=lambda p: self._cost(terms, p))
            x, y = (terms[i] for i in pair)
            rest = [t for i, t in enumerate(terms) if i not in pair]
            kept = set(self.out).union(*(t.labels for t in rest))
            terms = [*rest, self._product(x, y, kept, self.out if not rest else None)]
        (last,) = terms
        value = self._in_order(self._summed(last, set(self.out)), self.out)
        return self._shaped(value, self.node.outputs[0].aval.shape)

    def _emit(self, name: str, *inputs: Value, **params: Any) -> Value:
        op = CONTRACT if name == "contract" else CARDS[name]
        return self.rewriter.emit(op, inputs, params, self.node.position)[0]

    def _shaped(self, value: Value, shape: tuple[int, ...]) -> Value:
        if value.aval.shape == shape:
            return value
        return self._emit("reshape", value, shape=shape, order="C")

    def _bare(self, term: _Term) -> _Term:
        """The operand without its axes of length 1, and before it was transposed."""
        value, labels = term.value, term.labels
        while True:
            node = value.node
            if node is None or len(node.inputs) != 1 or has_holes(node):
                break
            source = node.inputs[0]
            if node.op.name == "transpose" and "axes" in node.params:
                found = [""] * len(labels)
                for label, axis in zip(labels, node.params["axes"], strict=True):
                    found[axis] = label
                labels, value = "".join(found), source
            elif node.op.name == "reshape" and node.params.get("order") == "C":
                # the new axes of length 1 are named by what no other axis is
                long = [n for n, size in zip(labels, value.aval.shape, strict=True) if size > 1]
                if [n for n in source.aval.shape if n > 1] != [
                    n for n in value.aval.shape if n > 1
                ]:
                    break
                names = iter(long)
                labels = "".join(next(names) if n > 1 else "." for n in source.aval.shape)
                value = source
            else:
                break
        axes = [i for i, size in enumerate(value.aval.shape) if size > 1]
        bare = "".join(labels[i] for i in axes)
        return _Term(self._shaped(value, tuple(value.aval.shape[i] for i in axes)), bare)

    def _cost(self, terms: list[_Term], pair: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
        """How many products of numbers it takes."""
        labels = set(terms[pair[0]].labels) | set(terms[pair[1]].labels)
        return math.prod(self.sizes[n] for n in labels), pair

    def _summed(self, term: _Term, kept: set[str]) -> _Term:
        """The operand summed over the labels that nothing else has."""
        axes = tuple(i for i, label in enumerate(term.labels) if label not in kept)
        if not axes:
            return term
        value = self._emit("sum", term.value, axis=axes, keepdims=False)
        return _Term(value, "".join(n for n in term.labels if n in kept))

    def _product(self, x: _Term, y: _Term, kept: set[str], out: str | None) -> _Term:
        x = self._summed(x, kept | set(y.labels))
        y = self._summed(y, kept | set(x.labels))
        shared = set(x.labels) & set(y.labels)
        inner = shared - kept
        every = "".join(dict.fromkeys(x.labels + y.labels))
        found = out if out is not None else "".join(n for n in every if n in kept)
        if inner and set(every) != shared:
            return self._contracted(x, y, found)
        larger, other = (x, y) if len(x.labels) >= len(y.labels) else (y, x)
        order = larger.labels if inner else found
        if not (_is_within(larger.labels, order) and _is_within(other.labels, order)):
            return self._contracted(x, y, found)
        product = self._emit("multiply", self._spread(x, order), self._spread(y, order))
        return self._summed(_Term(product, order), kept)

    def _contracted(self, x: _Term, y: _Term, out: str) -> _Term:
        labels = f"{x.labels},{y.labels}->{out}"
        return _Term(self._emit("contract", x.value, y.value, labels=labels), out)

    def _spread(self, term: _Term, order: str) -> Value:
        """The operand, to be broadcast to the axes of `order`."""
        if not term.labels:
            return self._shaped(term.value, ())
        after = order[order.index(term.labels[0]) :]
        shape = tuple(self.sizes[n] if n in term.labels else 1 for n in after)
        return self._shaped(term.value, shape)

    def _in_order(self, term: _Term, out: str) -> Value:
        """The operand with its axes as in `out`, which has the same ones."""
        if term.labels == out:
            return term.value
        axes = tuple(term.labels.index(n) for n in out)
        return self._emit("transpose", term.value, axes=axes)


def _is_within(labels: str, order: str) -> bool:
    """Whether `order` has these labels in their order."""
    return [n for n in order if n in labels] == list(labels)
