"""What is computed of each element of a product before it is stored: the pass "fuse epilogues".

A tile of a product has its sums in registers when it is done. Where one loop reads the product, and
what it computes of it is one expression per element, the tile goes on with that expression, and the
product itself is stored only where something else needs it::

    before: product0: z = x @ w                   z of 256 KB is written
            loop1: h = maximum(z + b, 0)          and read again
    after:  product0: z = x @ w, h = maximum(z + b, 0)     h is written

The other operands are numbers, or arrays that lie along the product's rows as its result does, or
that are broadcast. The expression is that of the loop, over vectors: the results are the same to
the last bit. What the loop sums stays a loop, where that does not mean to store more than before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import events
from ...graph.ir import Constant, Node, Value
from . import ir, lowerings, types
from .memory import memory
from .product import Axis, Product
from .scalars import Scalars
from .views import Count, strides_of

if TYPE_CHECKING:
    from .fuse import Plan

__all__ = ["Epilogue", "Finish", "fuse_epilogues", "turning"]

_I64, _I32 = ir.IntType(64), ir.IntType(32)
MOST_NODES = 24  # of an epilogue, whose code stands in each tile once for each of its vectors
MOST_OPERANDS = 8


@dataclass
class Epilogue:
    """Nodes that run on the elements of a product's tile, in their order.

    `steps` are those of what they read and write, in elements along the product's axes.
    """

    nodes: dict[Node, Any]
    steps: dict[Value, dict[Axis, int]]


# ------------------------------------------------------------------------------ the pass


def fuse_epilogues(made: Plan, late: Mapping[Value, int]) -> None:
    """Move what loops compute of products, element by element, into the products."""
    parts = made.parts
    if not any(isinstance(part, Product) and part.way == "panel" for part in parts):
        return
    use = _Use(made)
    gone: set[int] = set()
    for n, part in enumerate(parts):
        if not isinstance(part, Product) or part.way != "panel":
            continue
        found = _fusable(made, use, late, n, part)
        if found is None:
            continue
        at, epilogue = found
        before = _told(made, (n, at))
        part.join(epilogue)
        loop: Any = parts[at]
        for node in epilogue.nodes:
            del loop.nodes[node]
        if not loop.nodes and not loop.sums:
            gone.add(at)
        use.moved(epilogue.nodes, at, n)
        if events.listeners:
            after = _told(made, (n,) if at in gone else (n, at))
            events.publish("pass", run="fuse epilogues", before=before, after=after)
    parts[:] = [part for n, part in enumerate(parts) if n not in gone]


def _told(made: Plan, numbers: Sequence[int]) -> str:
    """Parts by the names of what they compute."""
    parts: list[Any] = [made.parts[n] for n in numbers]
    return "; ".join(
        ", ".join(node.op.name for node in (*part.nodes, *part.sums)) for part in parts
    )


class _Use:
    """Which parts of a plan read and write the memory of which value."""

    def __init__(self, made: Plan) -> None:
        from .turns import Turns, leaves  # (turns.py imports what plans are made of)

        self.made = made
        self.readers: dict[Value, set[int]] = {}
        self.writers: dict[Value, set[int]] = {}
        part: Any
        for n, part in enumerate(made.parts):
            if isinstance(part, Turns):
                self._note(n, [part.node], [node for leaf in leaves([part]) for node in
                                            (*leaf.nodes, *leaf.sums)])  # fmt: skip
                for value in (*part.reads, *(carry.first for carry in part.carries)):
                    self.readers.setdefault(made.base(value), set()).add(n)
            elif _is_step(part):
                self._note(n, [part.node], ())
                for value in part.node.inputs:
                    for source in made.by_numpy(value):
                        self.readers.setdefault(source, set()).add(n)
            else:
                self._note(n, [*part.nodes, *part.sums], ())

    def target(self, out: Value) -> Value:
        """The value in whose memory a node's result is written."""
        placed = self.made.placed.get(out)
        return out if placed is None else placed.source

    def _note(self, n: int, nodes: Sequence[Node], inner: Sequence[Node]) -> None:
        for node in (*nodes, *inner):
            for value in node.inputs:
                self.readers.setdefault(self.made.base(value), set()).add(n)
            for out in node.outputs:
                self.writers.setdefault(self.target(out), set()).add(n)

    def moved(self, nodes: Mapping[Node, Any], old: int, new: int) -> None:
        """Note that nodes of one part are now in another one."""
        left: Any = self.made.parts[old]
        kept: set[Value] = set()
        written: set[Value] = set()
        for node in (*left.nodes, *left.sums):
            kept.update(map(self.made.base, node.inputs))
            written.update(map(self.target, node.outputs))
        for node in nodes:
            for value in map(self.made.base, node.inputs):
                self.readers[value].add(new)
                if value not in kept:
                    self.readers[value].discard(old)
            for out in map(self.target, node.outputs):
                self.writers[out].add(new)
                if out not in written:
                    self.writers[out].discard(old)


def _fusable(
    made: Plan, use: _Use, late: Mapping[Value, int], n: int, product: Product
) -> tuple[int, Epilogue] | None:
    """The loop that reads a product, and what of it the product's tiles can do."""
    out = product.node.outputs[0]
    if any(axis.kind == "inner" for axis in product.outer) or out in made.placed:
        return None
    readers = use.readers.get(out, set())
    if len(readers) != 1:
        return None
    (at,) = readers
    loop: Any = made.parts[at]
    if at <= n or not hasattr(loop, "in_order") or loop.in_order or loop.along is not None:
        return None
    if loop.space != out.aval.shape:
        return None
    steps: dict[Value, dict[Axis, int]] = {out: _steps(product, strides_of(loop.space)) or {}}
    found = _expression(made, use, late, n, at, product, steps)
    if not found or not _is_gain(made, use, out, at, found):
        return None
    needed = {v for node in found for v in (*node.inputs, *node.outputs)} | {out}
    return at, Epilogue(found, {v: how for v, how in steps.items() if v in needed})


def _expression(
    made: Plan, use: _Use, late: Mapping[Value, int], n: int, at: int, product: Product,
    steps: dict[Value, dict[Axis, int]],
) -> dict[Node, Any]:  # fmt: skip
    """The nodes of a loop that tiles can compute, those that need the product or are needed."""
    loop: Any = made.parts[at]
    out = product.node.outputs[0]
    inside, dependent = {out}, {out}
    can: dict[Node, Any] = {}
    for node, how in loop.nodes.items():
        if not callable(how) or hasattr(how, "emit") or not _is_of_floats(node):
            continue
        result = node.outputs[0]
        if result in made.placed and not _is_free(made, use, result, n, at):
            continue
        strides = made.placed[result].strides if result in made.placed else strides_of(loop.space)
        place = _steps(product, strides)
        if place is None or place[product.column] != 1:
            continue
        sources = [made.base(v) for v in node.inputs]
        if not all(
            made.is_plain(v) if s in inside else _is_there(made, use, late, v, n, at)
            and _reach(made, product, loop.space, v, steps)
            for v, s in zip(node.inputs, sources, strict=True)
        ):  # fmt: skip
            continue
        steps[result] = place
        can[node] = how
        inside.add(result)
        if not dependent.isdisjoint(sources):
            dependent.add(result)
    wanted = set(dependent)
    for node in reversed(can):
        if node.outputs[0] in wanted:
            wanted.update(map(made.base, node.inputs))
    found = {node: how for node, how in can.items() if node.outputs[0] in wanted}
    others = {v for node in found for v in node.inputs if made.base(v) not in inside}
    return found if len(found) <= MOST_NODES and len(others) <= MOST_OPERANDS else {}


def _is_of_floats(node: Node) -> bool:
    """Whether a node has vectors of one length: floats of one dtype, and truth values."""
    kinds = {
        v.aval.dtype for v in (*node.inputs, *node.outputs)
        if v.aval.dtype.kind != "b" and not isinstance(v, Constant)
    }  # fmt: skip
    dtype = lowerings.compute_dtype(node)
    kinds.add(dtype)
    kinds = {kind for kind in kinds if kind.kind != "b"}
    return all(kind.char in "fd" for kind in kinds)


def _is_free(made: Plan, use: _Use, out: Value, n: int, at: int) -> bool:
    """Whether what is written into a part of a target can be written as early as part `n`."""
    target = use.target(out)
    if any(_is_step(part) for part in made.parts[n:at]):
        return False  # a target is written behind the last step
    near = {m for m in use.writers[target] | use.readers.get(target, set()) if n <= m <= at}
    loop: Any = made.parts[at]
    own = [node for node in loop.nodes if use.target(node.outputs[0]) is target]
    reads = any(
        made.base(v) is target for node in (*loop.nodes, *loop.sums) for v in node.inputs
    )
    return near <= {at} and len(own) == 1 and not reads


def _is_step(part: Any) -> bool:
    return not hasattr(part, "nodes") and not hasattr(part, "bodies")


def _is_there(
    made: Plan, use: _Use, late: Mapping[Value, int], value: Value, n: int, at: int
) -> bool:
    """Whether a value that a loop reads can be read before that."""
    source = made.base(value)
    writers = use.writers.get(source, set())
    return late.get(value, 0) <= n and not any(n <= m <= at for m in writers)


def _reach(
    made: Plan, product: Product, space: Sequence[int], value: Value,
    steps: dict[Value, dict[Axis, int]],
) -> bool:  # fmt: skip
    """Whether tiles can read a value: it lies along the product's columns, or is broadcast."""
    view = made.view(value)
    if isinstance(view.source, Count):
        return False
    own = [0 if n == 1 else s for n, s in zip(value.aval.shape, view.strides, strict=True)]
    found = _steps(product, [0] * (len(space) - len(own)) + own)
    if found is None or found[product.column] not in (0, 1):
        return False
    steps[value] = found
    return True


def _steps(product: Product, strides: Sequence[int]) -> dict[Axis, int] | None:
    """The steps of something with these strides over the result, along the product's axes."""
    shape = product.node.outputs[0].aval.shape
    found: dict[Axis, int] = {}
    axes = [axis for axis in (product.row, product.column, *product.outer) if axis.size > 1]
    found.update((a, 0) for a in (product.row, product.column, *product.outer) if a.size == 1)
    dims = [
        (size, c, s)
        for size, c, s in zip(shape, strides_of(shape), strides, strict=True) if size > 1
    ]  # fmt: skip
    for axis in axes:
        at = next((i for i, (_, c, _) in enumerate(dims) if c == axis.out), None)
        if at is None:
            return None
        size, _, step = dims[at]
        found[axis] = step
        while size < axis.size:  # axes along which all of the product runs alike are one
            before = dims[at][2] * dims[at][0]
            at -= 1
            if at < 0 or dims[at][2] != before:
                return None
            size *= dims[at][0]
        if size != axis.size:
            return None
    return found


def _is_gain(
    made: Plan, use: _Use, out: Value, at: int, found: Mapping[Node, Any]
) -> bool:
    """Whether no more is stored than before: what is left of the loop reads nothing else."""
    loop: Any = made.parts[at]
    outs = {node.outputs[0] for node in found}
    results = {source for v in made.results for source in made.by_numpy(v)}
    left = [node for node in (*loop.nodes, *loop.sums) if node not in found]
    read = {made.base(v) for node in left for v in node.inputs} & {*outs, out}
    kept = {
        v for v in outs
        if v in results or v in made.placed or use.readers.get(v, set()) - {at}
    }  # fmt: skip
    return read <= kept


# ------------------------------------------------------------------------------ in tiles


class Finish:
    """Writes the epilogue of one product at the end of its tiles.

    Attributes
    ----------
    values : list
        What it reads and writes: a pointer for each, in this order.
    partial : Value or None
        Where sums lie while a tile is not done, if that takes several turns.
    key : tuple
        What its code depends on.
    """

    def __init__(self, product: Product, plan: Plan, stored: set[Value]) -> None:
        assert product.after is not None
        self.plan, self.product = plan, product
        self.nodes, self.steps = product.after.nodes, product.after.steps
        self.out = product.node.outputs[0]
        self.inside = {self.out, *(node.outputs[0] for node in self.nodes)}
        read: dict[Value, None] = {}
        for node in self.nodes:
            for value in node.inputs:
                if plan.base(value) not in self.inside and self._number(value) is None:
                    read[value] = None
        self.reads = list(read)
        self.writes = [v for v in (self.out, *(node.outputs[0] for node in self.nodes))
                       if v in stored or v in plan.placed]  # fmt: skip
        self.partial = turning(product, plan, stored) if product.takes_turns else None
        self.values = [*self.reads, *self.writes]
        self.key = self._key()

    def source(self, value: Value) -> Value:
        """The value in whose memory another one lies or is written."""
        placed = self.plan.placed.get(value)
        return self.plan.base(value) if placed is None else placed.source

    def offset(self, value: Value) -> int:
        """From where on, in elements."""
        placed = self.plan.placed.get(value)
        return (placed or self.plan.view(value)).offset

    def step(self, value: Value, axis: Axis) -> int:
        """From one index of an axis of the product to the next, in elements."""
        return self.steps[value][axis]

    def _number(self, value: Value) -> Any:
        source = self.plan.base(value)
        return source.uniform if isinstance(source, Constant) else None

    def _key(self) -> tuple[Any, ...]:
        names: dict[Value, int] = {self.out: 0}

        def known(value: Value) -> Any:
            number = self._number(value)
            if number is not None:
                return repr(number), value.aval.dtype.char
            base = self.plan.base(value)
            return names.setdefault(base if base in self.inside else value, len(names))

        nodes = tuple(
            (node.op.name, repr(sorted(node.params.items())), str(lowerings.compute_dtype(node)),
             *map(known, node.inputs), known(node.outputs[0]))
            for node in self.nodes
        )  # fmt: skip
        row, column = self.product.row, self.product.column
        places = tuple(
            (names.get(v), v.aval.dtype.char, self.step(v, row), self.step(v, column))
            for v in self.values
        )
        return nodes, places, len(self.reads), self.partial is not None

    # ------------------------------------------------------------------ code

    def emit(
        self, e: Any, totals: Sequence[Sequence[Any]], pieces: Sequence[tuple[int, int]],
        pointers: Sequence[Any],
    ) -> None:  # fmt: skip
        """The expression on a tile: its rows of vectors, and where what it touches begins."""
        at = dict(zip(self.values, pointers, strict=True))
        known: dict[Any, Any] = {}  # what does not change from row to row
        for r, line in enumerate(totals):
            for (j, width), total in zip(pieces, line, strict=True):
                self._vector(e, at, known, r, j, width, total)

    def _vector(
        self, e: Any, at: Mapping[Value, Any], known: dict[Any, Any], r: int, j: int, width: int,
        total: Any,
    ) -> None:  # fmt: skip
        b, lanes = e.b, e.lanes
        row, column = self.product.row, self.product.column
        found: dict[Value, Any] = {self.out: _widened(b, total, width, lanes)}

        def place(value: Value) -> Any:
            offset = r * self.step(value, row) + j * self.step(value, column)
            kind = memory(value.aval.dtype)
            return b.gep(at[value], [ir.Constant(_I64, offset)], source_etype=kind)

        def read(value: Value) -> Any:
            steps = self.step(value, row), self.step(value, column)
            key = value, r if steps[0] else 0, j if steps[1] else 0, width if steps[1] else 0
            if key not in known:
                known[key] = _read(b, place(value), value.aval.dtype, width * steps[1], lanes)
            return known[key]

        def given(value: Value, dtype: np.dtype[Any]) -> Any:
            number = self._number(value)
            if number is not None:
                return types.constant(dtype, number, lanes)
            base = self.plan.base(value)
            x = found[base] if base in self.inside else read(value)
            return Scalars(b, value.aval.dtype, lanes).cast(x, dtype)

        def write(value: Value) -> None:
            x = _narrowed(b, found[value], width, lanes)
            kind = ir.VectorType(memory(value.aval.dtype), width)
            x = b.zext(x, kind) if value.aval.dtype.kind == "b" else x
            b.store(x, place(value), align=value.aval.dtype.itemsize)

        for node, lowering in self.nodes.items():
            dtype = lowerings.compute_dtype(node)
            truths = lowerings.TRUTHS.get(node.op.name, ())
            scalars = Scalars(b, dtype, lanes)
            scalars.inline = False
            found[node.outputs[0]] = lowering(scalars, *(
                given(v, np.dtype(bool) if i in truths else dtype)
                for i, v in enumerate(node.inputs)
            ))  # fmt: skip
        for value in self.writes:
            write(value)


def turning(product: Product, plan: Plan, stored: set[Value]) -> Value:
    """Where the sums of a product lie until they are done, where its tiles take several turns."""
    out = product.node.outputs[0]
    assert product.after is not None
    for value in (out, *(node.outputs[0] for node in product.after.nodes)):
        if value in stored and value not in plan.placed and value.aval.dtype == out.aval.dtype:
            return value
    return out


def _order(b: Any, x: Any, order: Sequence[int]) -> Any:
    mask = ir.Constant(ir.VectorType(_I32, len(order)), [ir.Constant(_I32, i) for i in order])
    return b.shuffle_vector(x, x, mask)


def _widened(b: Any, x: Any, width: int, lanes: int) -> Any:
    """A vector of all lanes, in which the last number of a shorter one stands again."""
    return x if width == lanes else _order(b, x, [min(i, width - 1) for i in range(lanes)])


def _narrowed(b: Any, x: Any, width: int, lanes: int) -> Any:
    return x if width == lanes else _order(b, x, range(width))


def _read(b: Any, place: Any, dtype: np.dtype[Any], width: int, lanes: int) -> Any:
    """Numbers that lie side by side, or one number (`width` is 0), in all lanes."""
    count = width or 1
    x = b.load(place, typ=ir.VectorType(memory(dtype), count), align=dtype.itemsize)
    if dtype.kind == "b":
        x = b.trunc(x, ir.VectorType(types.BOOL, count))
    return _widened(b, x, count, lanes)
