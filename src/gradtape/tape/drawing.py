"""The graph of what a tape has recorded, as an SVG picture.

Boxes stand in layers by the longest way from a source (Sugiyama's method: layers, order by
barycentres, coordinates), so that every arrow points down.
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..core.aval import Aval
from ..core.positions import Position, record_position
from ..core.state import CARD, KEYS, KX, KY, OUT, RUN, Recorder
from ..core.sweep import run_item
from ..core.variable import Variable
from .reach import name_of
from .summary import avals_of

__all__ = ["Box", "Drawing", "draw"]

COLLAPSED = 200
"""From so many operations on, those of one line are drawn as one box."""

_WIDE, _HIGH, _GAP_X, _GAP_Y, _MARGIN = 132, 46, 22, 34, 12
_SWEEPS = 8
_FILL = {"source": "#cfe3f7", "constant": "#eceff1", "op": "#ffffff", "result": "#d9efdc"}
_EDGE, _INK, _SOFT = "#7a8794", "#17222d", "#52606d"


@dataclass
class Box:
    """One box of the drawing: a source, a constant, or one or more operations.

    Attributes
    ----------
    kind : {"source", "constant", "op", "result"}
    title, detail : str
        Its two lines: the operation, and shape and place.
    position : Position or None
    inputs : list of int
        The boxes whose values it takes, by their place in `Drawing.boxes`.
    """

    kind: str
    title: str
    detail: str
    position: Position | None = None
    inputs: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Drawing:
    """A drawing of recorded operations.

    Attributes
    ----------
    boxes : list of Box
        In the order of recording, each after what it takes.
    """

    boxes: list[Box]

    @property
    def svg(self) -> str:
        """The picture as the text of an SVG file."""
        return _svg(self.boxes)

    def save(self, path: Any) -> None:
        """Write the picture to a file, as SVG."""
        Path(path).write_text(self.svg, encoding="utf-8")

    def __repr__(self) -> str:
        return f"<drawing of {len(self.boxes)} boxes; save(path) writes it as SVG>"

    def _repr_svg_(self) -> str:
        return self.svg


def draw(recorder: Recorder, collapse: bool | None = None) -> Drawing:
    """The drawing of a recorder."""
    boxes: list[Box] = []
    made: dict[int, int] = {}  # key -> its box
    used = {abs(k) for rec in recorder.ops for k in _keys(rec)}
    for key, leaf in recorder.leaves.items():
        if key not in used:
            continue
        made[key] = len(boxes)
        if isinstance(leaf, Variable):
            boxes.append(Box("source", leaf.name, _typed(leaf.value)))
        else:
            boxes.append(Box("source", "watched", f"{leaf[2]}{list(leaf[1])}"))
    if collapse is None:
        collapse = len(recorder.ops) >= COLLAPSED
    last: tuple[Any, int] | None = None  # place and box of the operation before
    for index, (rec, operands, out) in enumerate(avals_of(recorder)):
        if rec[RUN] is run_item:
            made[rec[OUT]] = made[rec[KX]]
            continue
        position = record_position(recorder, index)
        if collapse and last is not None and last[0] == position:
            box = boxes[last[1]]
            names = box.title.split(" ")
            if name_of(rec) not in names:
                box.title = f"{box.title} {name_of(rec)}"
            place = last[1]
        else:
            box = Box("op", name_of(rec), "", position)
            place = -1
        inputs = []
        for key, aval in zip(_keys(rec), operands, strict=False):
            source = made.get(abs(key))
            if source is None and aval.shape:
                source = len(boxes)
                boxes.append(Box("constant", "constant", repr(aval)))
            if source is not None and source != place:
                inputs.append(source)
        box.inputs = list(dict.fromkeys([*box.inputs, *inputs]))
        where = f" · {position}" if position is not None else ""
        box.detail = f"{_of(out)}{where}"
        if place < 0:
            place = len(boxes)
            boxes.append(box)
        made[rec[OUT]] = place
        last = (position, place)
    boxes = _in_order(boxes)
    taken = {i for box in boxes for i in box.inputs}
    for i, box in enumerate(boxes):
        if box.kind == "op" and i not in taken:
            box.kind = "result"
    return Drawing(boxes)


def _keys(rec: list[Any]) -> tuple[int, ...]:
    if rec[RUN] is run_item:
        return (rec[KX],)
    if type(rec[KEYS]) is tuple:
        return tuple(rec[KEYS])
    return tuple((rec[KX], rec[KY])[: rec[CARD].arity])


def _typed(value: Any) -> str:
    return f"{value.dtype}{list(value.shape)}"


def _of(out: Any) -> str:
    if isinstance(out, Aval):
        return repr(out)
    return f"{len(out)} results" if isinstance(out, tuple) else ""


def _in_order(boxes: list[Box]) -> list[Box]:
    """The boxes with each after what it takes (a collapsed box may take later constants)."""
    order: list[int] = []
    seen: set[int] = set()
    for start in range(len(boxes)):
        stack = [(start, iter(boxes[start].inputs))]
        if start in seen:
            continue
        seen.add(start)
        while stack:
            i, rest = stack[-1]
            following = next((j for j in rest if j not in seen), None)
            if following is None:
                order.append(i)
                stack.pop()
            else:
                seen.add(following)
                stack.append((following, iter(boxes[following].inputs)))
    place = {old: new for new, old in enumerate(order)}
    ordered = [boxes[i] for i in order]
    for box in ordered:
        box.inputs = [place[i] for i in box.inputs]
    return ordered


# ------------------------------------------------------------------------------- the layout


def _layers(boxes: list[Box]) -> list[int]:
    """The layer of each box; a source or constant stands right above what first takes it."""
    layer = [0] * len(boxes)
    for i, box in enumerate(boxes):
        layer[i] = 1 + max((layer[j] for j in box.inputs), default=-1)
    first = [len(boxes)] * len(boxes)
    for i, box in enumerate(boxes):
        for j in box.inputs:
            first[j] = min(first[j], layer[i])
    return [
        max(0, first[i] - 1) if box.kind in ("source", "constant") and not box.inputs
        and first[i] <= len(boxes) else layer[i]
        for i, box in enumerate(boxes)
    ]  # fmt: skip


class _Layout:
    """Boxes, and the corners of long arrows, in layers with their x-coordinates."""

    def __init__(self, boxes: list[Box]) -> None:
        layer = _layers(boxes)
        self.rows: list[list[int]] = [[] for _ in range(max(layer, default=0) + 1)]
        self.up: dict[int, list[int]] = {i: [] for i in range(len(boxes))}
        self.row = dict(enumerate(layer))
        for i, at in enumerate(layer):
            self.rows[at].append(i)
        self.chains: list[list[int]] = []
        following = len(boxes)
        for i, box in enumerate(boxes):
            for j in box.inputs:
                chain = [j]
                for at in range(layer[j] + 1, layer[i]):
                    self.rows[at].append(following)
                    self.row[following] = at
                    self.up[following] = [chain[-1]]
                    chain.append(following)
                    following += 1
                self.up[i].append(chain[-1])
                self.chains.append([*chain, i])
        self.boxes = len(boxes)
        self.down: dict[int, list[int]] = {i: [] for i in self.up}
        for i, above in self.up.items():
            for j in above:
                self.down[j].append(i)
        self.x: dict[int, float] = {
            i: float(place * (_WIDE + _GAP_X)) for row in self.rows for place, i in enumerate(row)
        }
        for sweep in range(_SWEEPS):
            down = sweep % 2 == 0
            rows = self.rows if down else self.rows[::-1]
            for row in rows:
                self._settle(row, self.up if down else self.down)
        left = min((self.x[i] - self._width(i) / 2 for i in self.x), default=0)
        self.x = {i: x - left for i, x in self.x.items()}

    def _width(self, i: int) -> float:
        return _WIDE if i < self.boxes else 8

    def _settle(self, row: list[int], near: dict[int, list[int]]) -> None:
        """Order a layer by the mean of its neighbours, and move its boxes there, side by side."""
        wanted = {
            i: sum(self.x[j] for j in near[i]) / len(near[i]) if near[i] else self.x[i]
            for i in row
        }
        row.sort(key=wanted.__getitem__)
        blocks: list[tuple[float, float, list[int]]] = []  # (left end, width, members)
        for i in row:
            width = self._width(i) + _GAP_X
            left, members = wanted[i] - width / 2, [i]
            while blocks and blocks[-1][0] + blocks[-1][1] > left:
                before, wide, others = blocks.pop()
                weight = len(others), len(members)
                left = (before * weight[0] + (left - wide) * weight[1]) / sum(weight)
                width, members = wide + width, [*others, *members]
            blocks.append((left, width, members))
        for left, _, members in blocks:
            for i in members:
                width = self._width(i) + _GAP_X
                self.x[i] = left + width / 2
                left += width


def _svg(boxes: list[Box]) -> str:
    layout = _Layout(boxes)
    x = {i: value + _MARGIN for i, value in layout.x.items()}
    y = {i: float(_MARGIN + row * (_HIGH + _GAP_Y)) for i, row in layout.row.items()}
    wide = max((x[i] for i in x), default=0) + _WIDE / 2 + _MARGIN
    high = len(layout.rows) * (_HIGH + _GAP_Y) - _GAP_Y + 2 * _MARGIN
    count = sum(box.kind in ("op", "result") for box in boxes)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide:.0f}" height="{high:.0f}"'
        f' viewBox="0 0 {wide:.0f} {high:.0f}" role="img" aria-label="Graph of {count} recorded'
        ' operations" font-family="system-ui, sans-serif">',
        '<defs><marker id="gt-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7"'
        f' markerHeight="7" orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="{_EDGE}"/></marker>'
        "</defs>",
        f'<g fill="none" stroke="{_EDGE}" stroke-width="1.2" marker-end="url(#gt-arrow)">',
    ]
    for chain in layout.chains:
        out.append(f'<path d="{_curve(chain, x, y)}"/>')
    out.append("</g>")
    for i, box in enumerate(boxes):
        out += _box(box, x[i] - _WIDE / 2, y[i])
    out.append("</svg>")
    return "\n".join(out)


def _curve(chain: list[int], x: dict[int, float], y: dict[int, float]) -> str:
    points = [(x[chain[0]], y[chain[0]] + _HIGH)]
    for i in chain[1:-1]:
        points += [(x[i], y[i]), (x[i], y[i] + _HIGH)]
    points.append((x[chain[-1]], y[chain[-1]] - 1))
    path = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for number, (after, before) in enumerate(zip(points[1:], points, strict=False)):
        if number % 2 and len(points) > 2:  # beside the boxes of the layer between
            path.append(f"L{after[0]:.1f} {after[1]:.1f}")
            continue
        middle = (before[1] + after[1]) / 2
        path.append(
            f"C{before[0]:.1f} {middle:.1f} {after[0]:.1f} {middle:.1f}"
            f" {after[0]:.1f} {after[1]:.1f}"
        )
    return " ".join(path)


def _box(box: Box, left: float, top: float) -> Iterable[str]:
    title = box.title if len(box.title) <= 20 else f"{box.title[:19]}…"
    detail = box.detail if len(box.detail) <= 26 else f"{box.detail[:25]}…"
    told = f"{box.title}\n{box.detail}"
    if box.position is not None and box.position.source:
        told = f"{told}\n{box.position.source}"
    middle = left + _WIDE / 2
    yield f"<g><title>{html.escape(told)}</title>"
    yield (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{_WIDE}" height="{_HIGH}" rx="7"'
        f' fill="{_FILL[box.kind]}" stroke="{_EDGE}"/>'
    )
    yield (
        f'<text x="{middle:.1f}" y="{top + 20:.1f}" text-anchor="middle" font-size="13"'
        f' font-weight="600" fill="{_INK}">{html.escape(title)}</text>'
    )
    yield (
        f'<text x="{middle:.1f}" y="{top + 36:.1f}" text-anchor="middle" font-size="10"'
        f' fill="{_SOFT}">{html.escape(detail)}</text></g>'
    )
