"""`f.report(*args)`: what a program is made of, part by part, for eyes and notebooks."""

from __future__ import annotations

import functools
import html
import textwrap
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..backends.choose import missing
from ..backends.schedule import ByNumpy, Native, Schedule
from ..core.console import silent
from ..core.positions import Position, decode
from ..graph.evaluate import run_node
from ..graph.ir import Graph, Node

__all__ = ["Report", "make"]

WIDTH = 100
_COLUMNS = ("FLOP", "read", "written", "estimated", "measured")
_WIDTHS = (9, 9, 9, 11, 11)
_WHAT = WIDTH - sum(_WIDTHS)
_BUDGET = 0.03  # seconds for the measurement of one part


@dataclass
class Line:
    """A line of the user's source, and the operations that come from it."""

    where: str
    source: str
    operations: list[str]


@dataclass
class Row:
    """A part of the program, or a piece of one: a loop, a product."""

    title: str
    why: str = ""  # why it stands alone, or why NumPy runs it
    lines: list[Line] = field(default_factory=list)
    flops: int = 0
    reads: int = 0
    writes: int = 0
    estimated: float | None = None  # seconds
    measured: float | None = None
    is_piece: bool = False
    is_native: bool = False

    @property
    def figures(self) -> list[str]:
        """What stands in the columns."""
        return [
            _scaled(self.flops, 1000, ("", "k", "M", "G")) if self.flops else "",
            _bytes(self.reads), _bytes(self.writes), _time(self.estimated), _time(self.measured),
        ]  # fmt: skip


@dataclass
class Report:
    """What a program is made of. Prints as text; a notebook shows a table.

    Attributes
    ----------
    name, signature : str
    rows : list of Row
        The parts in their order, each followed by its pieces.
    threads : int
        The most that the program may use.
    buffers : list of int
        Bytes of the values that stay inside of native parts, between their pieces.
    arena : int
        Bytes of the memory in which they lie.
    by_numpy : dict
        The operations that NumPy runs, and why.
    """

    name: str
    signature: str
    rows: list[Row]
    threads: int
    buffers: list[int]
    arena: int
    by_numpy: dict[str, str]

    @property
    def parts(self) -> list[Row]:
        """The rows that are parts."""
        return [row for row in self.rows if not row.is_piece]

    @property
    def summary(self) -> list[str]:
        """The lines above the table."""
        native = sum(row.is_native for row in self.parts)
        rest = len(self.parts) - native
        count = [f"{native} native part{'s' * (native != 1)}"] * bool(native)
        count += [f"{rest} part{'s' * (rest != 1)} by NumPy"] * bool(rest)
        total = [sum(getattr(row, name) or 0 for row in self.parts)
                 for name in ("flops", "reads", "writes", "estimated", "measured")]  # fmt: skip
        inner = f"{len(self.buffers)} buffer{'s' * (len(self.buffers) != 1)} inside"
        if self.buffers:
            where = f"in {_bytes(self.arena)} of memory" if self.arena else "on the stack"
            inner += f" ({_bytes(sum(self.buffers))}, {where})"
        flops = _scaled(int(total[0]), 1000, ("", "k", "M", "G"))
        return [
            f"{self.name}({self.signature})",
            f"{', '.join(count) or 'nothing to compute'}; at most {self.threads} "
            f"thread{'s' * (self.threads != 1)}; {_time(total[4]) or '0 ns'} measured"
            + (f", {_time(total[3])} estimated" if total[3] else ""),
            f"{flops} FLOP; {_bytes(int(total[1])) or '0 B'} read, "
            f"{_bytes(int(total[2])) or '0 B'} written; {inner}",
        ]

    def __str__(self) -> str:
        out = [line for text in self.summary for line in textwrap.wrap(text, WIDTH)]
        out += ["", _aligned("part", _COLUMNS), "-" * WIDTH]
        where = max((len(line.where) for row in self.rows for line in row.lines), default=0)
        for row in self.rows:
            out += _wrapped(row, where)
        if self.by_numpy:
            out += ["-" * WIDTH, "By NumPy:"]
            for name, why in self.by_numpy.items():
                out += textwrap.wrap(f"{name}: {why}", WIDTH, initial_indent="  ",
                                     subsequent_indent="    ")  # fmt: skip
        return "\n".join(line.rstrip() for line in out)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        cell = '<td style="text-align:right;white-space:nowrap">{}</td>'
        rows = []
        for row in self.rows:
            lines = "".join(
                f"<br><code>{html.escape(line.where)}&ensp;{html.escape(line.source)}</code>&ensp;"
                f"{html.escape(', '.join(line.operations))}"
                for line in row.lines
            )
            why = f"<br><i>{html.escape(row.why)}</i>" if row.why else ""
            indent = "padding-left:2em" if row.is_piece else "font-weight:bold"
            what = f'<span style="{indent}">{html.escape(row.title)}</span>{why}{lines}'
            figures = "".join(cell.format(html.escape(x)) for x in row.figures)
            rows.append(f'<tr><td style="text-align:left">{what}</td>{figures}</tr>')
        head = "".join(f"<th>{name}</th>" for name in _COLUMNS)
        said = "".join(
            f"<li><code>{html.escape(name)}</code>: {html.escape(why)}</li>"
            for name, why in self.by_numpy.items()
        )
        first, *others = map(html.escape, self.summary)
        return (
            f"<p><b><code>{first}</code></b><br>{'<br>'.join(others)}</p>"
            f'<table><tr><th style="text-align:left">part</th>{head}</tr>{"".join(rows)}</table>'
            + (f"<p>By NumPy:</p><ul>{said}</ul>" if said else "")
        )


# ------------------------------------------------------------------------------ the making


def make(
    name: str, graph: Graph, run: Any, arguments: Sequence[Any], threads: int
) -> Report:
    """The report of a program: its optimised graph, what runs it, and the values of the inputs."""
    kinds = zip(graph.inputs, graph.kinds, strict=True)
    signature = ", ".join(repr(v.aval) for v, kind in kinds if kind == "argument")
    if not isinstance(run, Schedule):
        why = missing() or 'backend="numpy" was asked for, or the compiler has failed'
        row = Row("NumPy, node by node", why, _lines(graph.nodes))
        with silent():
            row.measured = _measured(lambda: run(arguments))
        all_ = {node.op.name: "NumPy runs the whole program" for node in graph.nodes}
        return Report(name, signature, [row], threads, [], 0, all_)
    from ..backends.llvm.describe import CALL_NS, describe

    groups = describe(graph)
    rows: list[Row] = []
    buffers: list[int] = []
    arena = 0
    by_numpy: dict[str, str] = {}
    for step, measured in zip(run.steps, _times(run, arguments), strict=True):
        number = sum(not row.is_piece for row in rows)
        if isinstance(step, ByNumpy):
            name_ = step.node.op.name
            row = Row(f"part {number}: NumPy runs {name_}", "", _lines([step.node]))
            row.measured = measured
            if groups and groups[0][0].kind == "numpy" and groups[0][0].title == name_:
                piece = groups.pop(0)[0]
                row.why = by_numpy[name_] = piece.why
                row.reads, row.writes, row.lines = piece.reads, piece.writes, _lines(piece.nodes)
            else:
                row.why = "it looks at what is there, for what follows"
            rows.append(row)
            continue
        pieces = groups.pop(0) if groups else []
        segment: Any = step.call
        used = segment.used
        whole = Row(f"part {number}: native code", measured=measured, is_native=True,
                    estimated=CALL_NS * 1e-9)  # fmt: skip
        rows.append(whole)
        arena += segment.arena
        for i, piece in enumerate(pieces):
            row = Row(f"piece {i}: {piece.title}", piece.why, _lines(piece.nodes), piece.flops,
                      piece.reads, piece.writes, piece.estimated(used) * 1e-9,
                      is_piece=True)  # fmt: skip
            rows.append(row)
            buffers += piece.buffers
            whole.flops += piece.flops
            whole.reads += piece.reads
            whole.writes += piece.writes
            assert whole.estimated is not None and row.estimated is not None
            whole.estimated += row.estimated
    return Report(name, signature, rows, threads, buffers, arena, by_numpy)


def _times(run: Schedule, arguments: Sequence[Any]) -> list[float]:
    """Seconds of each step, for these inputs; nothing is assigned."""
    run.improve()  # what it is made of is measured as it stays
    at = run.start.copy()
    at[: run.count] = arguments
    found = []
    with np.errstate(all="ignore"), silent():
        for step in run.steps:
            values = [at[i] for i in step.reads]
            if isinstance(step, Native):
                call = step.direct
                if call is None or call(*values) is NotImplemented:
                    call = functools.partial(_called, step.call)
                found.append(_measured(functools.partial(call, *values)))
                results = step.call(values)
            else:
                found.append(_measured(functools.partial(run_node, step.node, values)))
                results = run_node(step.node, values)
            for place, x in zip(step.gives, results, strict=True):
                at[place] = x
    return found


def _called(call: Callable[[list[Any]], Any], *values: Any) -> Any:
    return call(list(values))


def _measured(call: Callable[[], Any]) -> float:
    """The least time of a call, of as many as fit into the budget."""
    best, end = float("inf"), time.perf_counter() + _BUDGET
    while True:
        start = time.perf_counter()
        call()
        now = time.perf_counter()
        best = min(best, now - start)
        if now > end:
            return best


def _lines(nodes: Sequence[Node]) -> list[Line]:
    """The lines of the source that nodes come from, each once, in the order of the first."""
    found: dict[Position | None, list[str]] = {}
    for node in nodes:
        position = decode(*node.position) if node.position else None
        found.setdefault(position, []).append(node.op.name)
    lines = []
    for position, names in found.items():
        counts = [f"{names.count(name)} x {name}" if names.count(name) > 1 else name
                  for name in dict.fromkeys(names)]  # fmt: skip
        source = position.source if position else "(made by the compiler)"
        lines.append(Line(str(position) if position else "", source, counts))
    return lines


# ------------------------------------------------------------------------------ text


def _aligned(what: str, figures: Sequence[str]) -> str:
    right = "".join(x.rjust(width) for x, width in zip(figures, _WIDTHS, strict=True))
    return what.ljust(_WHAT) + right


def _wrapped(row: Row, where: int) -> list[str]:
    """The lines of the table for one row."""
    indent = "  " if row.is_piece else ""
    titles = textwrap.wrap(row.title, _WHAT - 2, initial_indent=indent,
                           subsequent_indent=indent + "   ")  # fmt: skip
    out = [_aligned(titles[0], row.figures), *titles[1:]]
    deeper = indent + "   "
    if row.why:
        out += textwrap.wrap(f"({row.why})", WIDTH - 2, initial_indent=deeper,
                             subsequent_indent=deeper + " ")  # fmt: skip
    source = min(max((len(line.source) for line in row.lines), default=0), 44)
    for line in row.lines:
        head = deeper + line.where.ljust(where) + "  "
        head += _cut(line.source, source).ljust(source) + "  " * bool(source)
        room = max(WIDTH - len(head), 24)
        texts = textwrap.wrap(", ".join(line.operations), room) or [""]
        out.append(head + texts[0])
        out += [" " * len(head) + text for text in texts[1:]]
    return out


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."


def _scaled(number: float, step: int, units: Sequence[str]) -> str:
    """A number with three digits and a unit."""
    place = 0
    while number >= step and place < len(units) - 1:
        number, place = number / step, place + 1
    unit = units[place]
    digits = 0 if number >= 100 or number == int(number) else 1 if number >= 10 else 2
    return f"{number:.{digits}f} {unit}".strip()


def _bytes(number: int) -> str:
    return _scaled(number, 1024, ("B", "KB", "MB", "GB")) if number else ""


def _time(seconds: float | None) -> str:
    return "" if not seconds else _scaled(seconds * 1e9, 1000, ("ns", "us", "ms", "s"))
