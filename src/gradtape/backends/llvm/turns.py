"""Control flow inside a native program: scan, while_loop and cond as loops and branches.

The functions that a node of control flow holds are graphs; each is planned as a graph is, into the
same plan, and becomes loops that the kernel runs in every turn. What they capture are the values
around them. Carries lie in two buffers that change places; elements of `xs` and rows of `ys` are
pointers that move. So a turn costs what its loops cost. A function of which NumPy would have to run
a part is left to NumPy as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.aval import Aval
from ...graph.ir import Constant, Graph, Node, Value
from ...passes.pipeline import optimise, prepare
from . import ir, lowerings
from .interrupts import declared, turns_between
from .memory import get
from .rewrites import fill
from .views import View, whole

if TYPE_CHECKING:
    from .fuse import Planner

__all__ = ["Carry", "Turns", "emit_turns", "find", "leaves", "stretches", "turns_of"]

_I64, _PTR, _BYTE = ir.IntType(64), ir.PointerType(), ir.IntType(8)


@dataclass
class Carry:
    """What goes from turn to turn: two buffers, and how the loops of a turn know them."""

    first: Value  # a copy of what it begins with
    spare: Value
    before: Value
    after: Value


@dataclass
class Turns:
    """A node of control flow: parts that run again and again, or one of two."""

    node: Node
    way: str  # scan, while or cond
    bodies: list[list[Any]]  # of a while_loop the test, then the body
    carries: list[Carry] = field(default_factory=list)
    xs: list[tuple[Value, Value]] = field(default_factory=list)  # all of it, and an element
    ys: list[tuple[Value, Value]] = field(default_factory=list)
    decides: Value | None = None  # the truth value
    end: list[Any] = field(default_factory=list)  # parts that copy the last carries
    length: int = 0  # of a scan, its turns; where they are counted, the most that there can be
    count: Value | None = None
    is_reverse: bool = False

    @property
    def between(self) -> int:
        """The turns from one look for signals to the next; 0 where there are not so many."""
        found = turns_between(sum(map(_work, self.bodies)))
        return 0 if self.way == "scan" and self.count is None and self.length < found else found

    @property
    def moving(self) -> list[Value]:
        """Values whose place changes from turn to turn."""
        carried = [v for carry in self.carries for v in (carry.before, carry.after)]
        return [*carried, *(v for _, v in (*self.xs, *self.ys))]

    @property
    def reads(self) -> list[Value]:
        """What the turns themselves read."""
        asked = [v for v in (self.decides, self.count) if v is not None]
        return [*(x for x, _ in self.xs), *asked]


def leaves(parts: Sequence[Any]) -> Iterator[Any]:
    """The loops and products among parts, those inside of turns too."""
    for part in parts:
        if isinstance(part, Turns):
            for inner in (*part.bodies, part.end):
                yield from leaves(inner)
        else:
            yield part


def stretches(parts: Sequence[Any]) -> Iterator[list[Any]]:
    """The loops and products in the order of `leaves`, those together that no turns part."""
    run: list[Any] = []
    for part in parts:
        if not isinstance(part, Turns):
            run.append(part)
            continue
        if run:
            yield run
        run = []
        for inner in (*part.bodies, part.end):
            yield from stretches(inner)
    if run:
        yield run


def _work(parts: Sequence[Any]) -> int:
    """The operations of parts, on all elements; those of turns whose number is known times that."""
    return sum(
        sum(map(_work, part.bodies)) * max(part.length, 1)
        if isinstance(part, Turns)
        else part.size * max(len(part.nodes), 1)
        for part in parts
    )


def turns_of(parts: Sequence[Any]) -> Iterator[Turns]:
    """The turns among parts, the inner ones too."""
    for part in parts:
        if isinstance(part, Turns):
            yield part
            for inner in part.bodies:
                yield from turns_of(inner)


# ------------------------------------------------------------------------------ planning


def find(p: Planner, node: Node) -> Turns | None:
    """How a node of control flow runs natively; None where it does not."""
    regions = getattr(node.op, "regions", None)
    if regions is None or node.operands != len(node.inputs):
        return None
    if not all(map(lowerings.held, (*node.inputs, *node.outputs))):
        return None
    way, *rest = regions
    makers: dict[str, Any] = {"scan": _scan, "while": _while, "cond": _cond}
    made: Turns | None = makers[way](p, node, *rest)
    return made


def _body(
    p: Planner, graph: Graph, roots: int, captured: Sequence[Value], results: Sequence[Value],
    known: Sequence[Value] = (),
) -> tuple[list[Any], list[Value]] | None:  # fmt: skip
    """(the parts, the values that stand for the first `roots` inputs), or None.

    What the graph gives is written into `results`. `known` are values that stand for these inputs
    already, those of another part of the loop; views of them are made while nodes are taken.
    """
    graph = _copied(prepare(optimise(graph)))
    if not all(map(lowerings.held, (*graph.inputs, *graph.outputs))):
        return None
    inner = type(p)(graph, p.made)
    for value, root in zip(graph.inputs, known, strict=False):
        inner.see(value, whole(root))
    for value, outer in zip(graph.inputs[roots:], captured, strict=True):
        inner.see(value, p.view(outer))
    for node in graph.nodes:
        inner.take(node)
        if inner.floor:  # NumPy would have to run it
            return None
    for target, value in zip(results, graph.outputs, strict=True):
        inner.write(whole(inner.target(target)), value)
    return inner.made.parts, graph.inputs[:roots]


def _copied(graph: Graph) -> Graph:
    """The same graph of values of its own: one function may stand in a program twice."""
    new: dict[Value, Value] = {}

    def known(value: Value) -> Value:
        return value if isinstance(value, Constant) else new[value]

    copy = Graph(graph.name)
    for value, kind in zip(graph.inputs, graph.kinds, strict=True):
        new[value] = copy.add_input(value.aval, kind)
    for node in graph.nodes:
        made = copy.add_node(
            node.op, tuple(map(known, node.inputs)), node.params,
            tuple(v.aval for v in node.outputs), node.position, node.operands,
        )  # fmt: skip
        new.update(zip(node.outputs, made.outputs, strict=True))
    copy.outputs = [known(v) for v in graph.outputs]
    return copy


def _new(values: Sequence[Value], drop: int = 0) -> list[Value]:
    """New values of the types of others, without their first `drop` axes."""
    return [Value(Aval(v.aval.shape[drop:], v.aval.dtype)) for v in values]


def _carried(
    p: Planner, node: Node, before: Sequence[Value], after: Sequence[Value]
) -> tuple[list[Carry], list[Any]]:
    """The carries, whose first values are copied now, and the parts that copy the last ones."""
    carries = []
    end = type(p)(Graph("end"), p.made)
    for init, b, a, out in zip(node.inputs, before, after, node.outputs, strict=False):
        first = p.target(Value(Aval(a.aval.shape, a.aval.dtype)))
        p.write(whole(first), init)
        carries.append(Carry(first, Value(first.aval), b, a))
        end.write(whole(end.target(out)), b)
    return carries, end.made.parts


def _scan(
    p: Planner, node: Node, graph: Graph, nc: int, nx: int, length: int, is_reverse: bool,
    is_bounded: bool,
) -> Turns | None:  # fmt: skip
    after, rows = _new(node.outputs[:nc]), _new(node.outputs[nc:], 1)
    if not length:
        return None
    count = node.inputs[nc + nx] if is_bounded else None
    if count is not None and (isinstance(count, Constant) or count.aval.dtype != np.int64):
        return None
    captured = node.inputs[nc + nx + is_bounded :]
    found = _body(p, graph, nc + nx, captured, [*after, *rows])
    if found is None:
        return None
    parts, roots = found
    carries, end = _carried(p, node, roots[:nc], after)
    xs = [v if p.made.is_dense(v) else p.copied(v) for v in node.inputs[nc : nc + nx]]
    for y in node.outputs[nc:]:
        p.target(y)
        if is_bounded:
            fill(p, y, 0)
    return Turns(
        node, "scan", [parts], carries, list(zip(xs, roots[nc:], strict=True)),
        list(zip(node.outputs[nc:], rows, strict=True)), None, end, length, count, is_reverse,
    )  # fmt: skip


def _while(
    p: Planner, node: Node, test: Graph, body: Graph, nc: int, places: Sequence[Sequence[int]]
) -> Turns | None:
    after = _new(node.outputs)
    truth = Value(Aval((), np.bool_))
    rest = node.inputs[nc:]
    done = _body(p, body, nc, [rest[n] for n in places[1]], after)
    if done is None:
        return None
    asked = _body(p, test, nc, [rest[n] for n in places[0]], [truth], done[1])
    if asked is None:
        return None
    carries, end = _carried(p, node, done[1], after)
    return Turns(node, "while", [asked[0], done[0]], carries, decides=truth, end=end)


def _cond(p: Planner, node: Node, graphs: Sequence[Graph], places: Any) -> Turns | None:
    pred, *values = node.inputs
    if isinstance(pred, Constant) or pred.aval.weak or pred.aval.ndim:
        return None
    found = [
        _body(p, graph, 0, [values[n] for n in place], node.outputs)
        for graph, place in zip(graphs, places, strict=True)
    ]
    if found[0] is None or found[1] is None:
        return None
    if pred.aval.dtype != bool:
        pred = p.node("astype", [pred], Aval((), np.bool_), dtype=np.dtype(bool))
    for out in node.outputs:
        p.target(out)
    return Turns(node, "cond", [found[0][0], found[1][0]], decides=pred)


# ------------------------------------------------------------------------------ in the kernel


class _Kernel:
    """Where the code of turns goes, and the table of pointers that its loops read."""

    def __init__(self, b: Any, table: Any, slot: Callable[[Value], int], view: Any) -> None:
        self.b, self.table, self.slot, self.view = b, table, slot, view

    def place(self, n: int) -> Any:
        return self.b.gep(self.table, [ir.Constant(_I64, n)], source_etype=_PTR)

    def pointer(self, value: Value) -> Any:
        """Where a value lies."""
        view = self.view(value)
        start = self.b.load(self.place(self.slot(value)), typ=_PTR)
        return self.moved(start, ir.Constant(_I64, view.offset * value.aval.dtype.itemsize))

    def move(self, value: Value, pointer: Any) -> None:
        """Let a value lie at another place from now on."""
        self.b.store(pointer, self.place(self.slot(value)))

    def moved(self, pointer: Any, count: Any) -> Any:
        return self.b.gep(pointer, [count], source_etype=_BYTE)

    def block(self, name: str) -> Any:
        return self.b.function.append_basic_block(name)


def emit_turns(
    b: Any, table: Any, made: Turns, slot: Callable[[Value], int], view: Callable[[Value], View],
    run: Callable[[Sequence[Any]], None], flag: int, has_indices: bool,
) -> None:  # fmt: skip
    """Write the turns into the kernel; `run` writes the calls of parts.

    `flag` is the slot of the word that says that NumPy has to run it all, or that Python has raised
    an error. An index out of range sets it, which ends a while_loop, whose test may go wrong then,
    and a scan of more turns than there are rows.
    """
    k = _Kernel(b, table, slot, view)
    if made.way == "cond":
        _emit_cond(k, made, run)
        return
    pairs = [(k.pointer(c.first), k.pointer(c.spare)) for c in made.carries]
    count: Any = ir.Constant(_I64, made.length)
    if made.count is not None:
        count = _counted(k, made.count, made.length, flag)
    entry, head, done = b.block, k.block("turn"), k.block("turned")
    b.branch(head)
    b.position_at_end(head)
    i = b.phi(_I64)
    i.add_incoming(ir.Constant(_I64, 0), entry)
    phis = []
    for pair in pairs:
        both = b.phi(_PTR), b.phi(_PTR)
        for phi, pointer in zip(both, pair, strict=True):
            phi.add_incoming(pointer, entry)
        phis.append(both)
    for carry, (before, after) in zip(made.carries, phis, strict=True):
        k.move(carry.before, before)
        k.move(carry.after, after)
    asks_first = made.way == "while" or made.count is not None
    if made.between:
        _look(k, i, made.between, flag, done)
    if made.way == "while":
        run(made.bodies[0])
        assert made.decides is not None
        goes_on = get(b, k.pointer(made.decides), np.bool_)
        if has_indices:
            told = b.load(b.load(k.place(flag), typ=_PTR), typ=_I64)
            goes_on = b.and_(goes_on, b.icmp_signed("==", told, ir.Constant(_I64, 0)))
    elif made.count is not None:
        goes_on = b.icmp_signed("<", i, count)
    if asks_first:
        turn = k.block("body")
        b.cbranch(goes_on, turn, done)
        b.position_at_end(turn)
    if made.way == "scan":
        _move_rows(k, made, i, count)
    run(made.bodies[-1])
    following = b.add(i, ir.Constant(_I64, 1))
    i.add_incoming(following, b.block)
    for before, after in phis:
        before.add_incoming(after, b.block)
        after.add_incoming(before, b.block)
    if asks_first:
        b.branch(head)
    else:
        b.cbranch(b.icmp_signed("<", following, count), head, done)
    b.position_at_end(done)
    for carry, (before, after) in zip(made.carries, phis, strict=True):
        k.move(carry.before, before if asks_first else after)
    run(made.end)


def _look(k: _Kernel, i: Any, between: int, flag: int, done: Any) -> None:
    """Every so many turns, end if Python's handlers of signals say so."""
    b, last = k.b, ir.Constant(_I64, between - 1)
    look, on = k.block("look"), k.block("on")
    b.cbranch(b.icmp_signed("==", b.and_(i, last), last), look, on)
    b.position_at_end(look)
    b.cbranch(b.call(declared(b.module), [b.load(k.place(flag), typ=_PTR)]), done, on)
    b.position_at_end(on)


def _counted(k: _Kernel, said: Value, most: int, flag: int) -> Any:
    """The number of turns of a scan that an operand says; none and the flag if it is too large."""
    b, zero = k.b, ir.Constant(_I64, 0)
    count = get(b, k.pointer(said), np.int64)
    fits = b.icmp_signed("<=", count, ir.Constant(_I64, most))
    place = b.load(k.place(flag), typ=_PTR)
    told = b.load(place, typ=_I64)
    b.store(b.select(fits, told, ir.Constant(_I64, 1)), place)
    return b.select(fits, count, zero)


def _move_rows(k: _Kernel, made: Turns, i: Any, count: Any) -> None:
    row = k.b.sub(k.b.sub(count, ir.Constant(_I64, 1)), i) if made.is_reverse else i
    for whole_, part in (*made.xs, *made.ys):
        size = part.aval.size * part.aval.dtype.itemsize
        k.move(part, k.moved(k.pointer(whole_), k.b.mul(row, ir.Constant(_I64, size))))


def _emit_cond(k: _Kernel, made: Turns, run: Callable[[Sequence[Any]], None]) -> None:
    assert made.decides is not None
    b = k.b
    yes, no, done = (k.block(name) for name in ("yes", "no", "chosen"))
    b.cbranch(get(b, k.pointer(made.decides), np.bool_), yes, no)
    for block, parts in zip((yes, no), made.bodies, strict=True):
        b.position_at_end(block)
        run(parts)
        b.branch(done)
    b.position_at_end(done)

