"""What the parts of a program do, in numbers and words, for `f.report`.

The figures are those of the plan: what a loop reads from memory and writes there, how many
operations of numbers it takes (a function such as `exp` counts as 20), and how long that takes at
the rates below, whichever of arithmetic and memory takes longer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ...graph.ir import Constant, Graph, Node, Value, has_holes
from ...passes.pipeline import prepare
from . import lowerings, reductions, rewrites, views
from .fuse import Loop, Plan, Step, plan, uniform
from .library import ARITIES
from .product import Product
from .turns import Turns, leaves
from .views import Count

__all__ = ["Piece", "describe"]

FUNCTION = 20  # operations that a function counts as
FLOP_NS, PRODUCT_NS, BYTE_NS = 0.04, 0.02, 0.06  # of one thread: for an operation, and for a byte
CALL_NS = 100.0  # of one native call
_NO_WORK = frozenset(["copy", "stop", "assigned", "behind", "broadcast_to", "astype", "positive",
                      "reshape", "ones_like", "zeros_like", "getitem", "array"])  # fmt: skip


@dataclass
class Piece:
    """A loop, a product, or what NumPy runs."""

    kind: str  # "loop", "product", "numpy"
    title: str
    nodes: list[Node]
    why: str  # why it stands alone
    size: int = 0
    flops: int = 0
    reads: int = 0  # bytes
    writes: int = 0
    is_product: bool = False
    buffers: list[int] = field(default_factory=list)  # bytes of what later pieces read

    def estimated(self, threads: int) -> float:
        """Nanoseconds, for that many threads."""
        rate = PRODUCT_NS if self.is_product else FLOP_NS
        return max(self.flops * rate, (self.reads + self.writes) * BYTE_NS) / threads


def describe(graph: Graph) -> list[list[Piece]]:
    """The parts of an optimised graph's program: pieces that one native call runs, or NumPy."""
    made = plan(prepare(graph))
    writer: dict[Value, int] = {}  # the last part that computes a value's memory
    reader: dict[Value, int] = {}
    for n, part in enumerate(made.parts):
        for node in _nodes(part):
            for out in node.outputs:
                writer[_target(made, out)] = n
        for value in _inputs(part):
            reader[made.base(value)] = n
    for value in made.results:
        for source in made.by_numpy(value):
            reader[source] = len(made.parts)
    found: list[list[Piece]] = []
    open_: list[Piece] | None = None
    for n, part in enumerate(made.parts):
        if isinstance(part, Step):
            found.append([_by_numpy(part.node)])
            open_ = None
            continue
        if open_ is None:
            found.append(open_ := [])
        open_.append(_piece(made, n, part, writer, reader, len(open_)))
    return found


def _nodes(part: Loop | Product | Turns | Step) -> list[Node]:
    return [part.node] if isinstance(part, Step | Turns) else [*part.nodes, *part.sums]


def _inputs(part: Loop | Product | Turns | Step) -> list[Value]:
    if isinstance(part, Turns):
        firsts = [carry.first for carry in part.carries]
        return [*firsts, *part.reads, *(v for leaf in leaves([part]) for v in _inputs(leaf))]
    return [v for node in _nodes(part) for v in node.inputs]


def _target(made: Plan, out: Value) -> Value:
    return made.placed[out].source if out in made.placed else out


def _bytes(value: Value) -> int:
    return int(value.aval.size * value.aval.dtype.itemsize)


def _piece(
    made: Plan, n: int, part: Loop | Product | Turns, writer: dict[Value, int],
    reader: dict[Value, int], place: int,
) -> Piece:  # fmt: skip
    nodes = _nodes(part)
    reads: dict[Value, int] = {}
    for value in _inputs(part):
        source = made.base(value)
        if isinstance(source, Count) or uniform(source) is not None:
            continue
        if writer.get(source) == n and made.is_plain(value):
            continue
        reads[source] = min(_bytes(value), _bytes(source))
    written = {_target(made, out) for node in nodes for out in node.outputs}
    kept = [v for v in written if reader.get(v, -1) > n]
    if isinstance(part, Turns):
        inner = [_piece(made, n, leaf, writer, reader, 0) for leaf in leaves([part])]
        count = max(part.length, 1)
        return Piece(
            part.node.op.name, f"{_WAYS[part.way]} ({len(inner)} pieces)", nodes,
            "control flow is a piece of its own" if place else "", part.length,
            count * sum(p.flops for p in inner), count * sum(p.reads for p in inner),
            count * sum(p.writes for p in inner),
        )  # fmt: skip
    sums = len(part.sums)
    if isinstance(part, Product):
        kind, title = "product", f"product of {_factors(part)} by {_WAYS[part.way]}"
        flops = 2 * part.size
        if part.after is not None:
            title += f", then {', '.join(_named(part.after.nodes))} in its tiles"
            flops += part.node.outputs[0].aval.size * sum(map(_cost, part.after.nodes))
    else:
        kind = "loop"
        space = "one number" if not part.space else " x ".join(map(str, part.space))
        title = f"loop over {space}"
        flops = part.size * (sum(map(_cost, part.nodes)) + sums)
    return Piece(
        kind, title, nodes, _why(made, n, part, writer, place), part.size, flops,
        sum(reads.values()), sum(map(_bytes, kept)), isinstance(part, Product),
        [_bytes(v) for v in kept if reader.get(v, -1) < len(made.parts)],
    )  # fmt: skip


_WAYS = {
    "blas": "BLAS", "panel": "tiles over panels", "tile": "tiles in registers",
    "dot": "sums of rows", "scan": "turns of a scan",
    "while": "turns of a while_loop", "cond": "one of two branches",
}  # fmt: skip


def _named(nodes: Iterable[Node]) -> Iterator[str]:
    """The names of operations in their order, each with how often it stands there."""
    counts = Counter(node.op.name for node in nodes)
    return (name if n == 1 else f"{n} x {name}" for name, n in counts.items())


def _factors(part: Product) -> str:
    x, y = part.node.inputs[:2] if len(part.node.inputs) > 1 else (part.node.inputs[0],) * 2
    return f"{x.aval!r} and {y.aval!r}"


def _cost(node: Node) -> int:
    name = node.op.name
    if name in _NO_WORK:
        return 0
    return FUNCTION if name in ARITIES else 1


def _why(
    made: Plan, n: int, part: Loop | Product, writer: dict[Value, int], place: int
) -> str:
    """Why a piece is not a part of the one before it in the same call."""
    if not place:
        return ""
    before = made.parts[n - 1]
    if isinstance(part, Product):
        return "a product is a piece of its own"
    if isinstance(before, Turns):
        return f"piece {place - 1} is control flow"
    if isinstance(before, Product):
        return f"piece {place - 1} is a product"
    assert isinstance(before, Loop)
    if before.space != part.space:
        return f"piece {place - 1} goes over another shape"
    if before.kind != part.kind:
        return "it has to run in order, element after element"
    ended = [
        source for source in map(made.base, _inputs(part))
        if writer.get(source) == n - 1
    ]  # fmt: skip
    if any(source.node in before.sums for source in ended if source.node is not None):
        return f"it reads a sum of piece {place - 1}, known when that has ended"
    if ended:
        return f"it reads elements of piece {place - 1} at other places"
    return "it reads what is known only after a piece in between"


def _by_numpy(node: Node) -> Piece:
    reads = sum(_bytes(v) for v in node.inputs if not isinstance(v, Constant) or v.aval.shape)
    writes = sum(_bytes(v) for v in node.outputs)
    size = max((v.aval.size for v in (*node.inputs, *node.outputs)), default=0)
    return Piece("numpy", node.op.name, [node], reason(node), size, 0, reads, writes)


def reason(node: Node) -> str:
    """Why NumPy runs a node."""
    foreign = sorted(
        {str(v.aval.dtype) for v in (*node.inputs, *node.outputs) if not lowerings.held(v)}
    )
    if foreign:
        return f"native code has no {' and no '.join(foreign)}"
    name = node.op.name
    if name in known():
        if has_holes(node):
            return f"of {name}, native code has no form whose parameters are computed"
        return f"of {name}, native code has no form with these operands and parameters"
    return f"native code has no {name}"


def known() -> Sequence[str]:
    """The operations of which some form is native."""
    tables = (lowerings._WORDS, lowerings._TESTS, lowerings._SPECIAL, lowerings._SAME)
    found = {name for table in tables for name in table}
    found.update(rewrites._REWRITES, reductions._WORDS, views._LOOKS)
    found.update(("contract", "einsum", "matmul", "tensordot"))
    return sorted(found)

