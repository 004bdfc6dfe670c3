"""A large product in panels: what both loops read again and again lies in the first cache.

A *panel* is some hundred lines of the second operand, as many columns wide as four vectors have
lanes, copied one behind another (transposed on the way where its columns lie side by side). All
rows of the first operand, which is read as it lies, go over it; a tile of 6 rows by 4 vectors of
the result stays in registers meanwhile. Goto and van de Geijn, *Anatomy of high-performance matrix
multiplication*, ACM TOMS 34 (2008), without the copy of the first operand: what a panel meets of it
has to fit in the second cache.

Tiles are functions of the module: products of all sizes have them in common.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from . import ir, types
from .counting import counted
from .lanes import BOUND
from .product import PANEL, PANEL_ROWS, tile_rows

if TYPE_CHECKING:
    from .tiles import ProductEmitter

__all__ = ["emit"]

_I64, _I32, _PTR, _I1 = ir.IntType(64), ir.IntType(32), ir.PointerType(), ir.IntType(1)
_FETCH = "llvm.prefetch.p0"
_TRUE = ir.Constant(_I1, 1)


@lru_cache(maxsize=1024)
def _int(n: int) -> Any:
    return ir.Constant(_I64, n)


def emit(e: ProductEmitter, at: list[Any], first: Any, rows: Any, columns: Any, inner: Any) -> None:
    """Add the product of some rows, columns and inner numbers to the function of `e`.

    `at` are the places of both operands and of the result, which is added to unless `first`.
    """
    wide = len(PANEL_ROWS) * e.lanes
    depth = PANEL // (wide * e.dtype.itemsize)
    with e.b.goto_entry_block():
        copy = e.b.alloca(e.type, _int(depth * wide), align=64)
    whole = e.blocks(columns[0], columns[1], wide)
    with e.loop(columns[0], whole, wide) as n:
        _panels(e, at, first, rows, inner, copy, depth, n, wide)
    rest = e.product.column.size % wide
    if rest:  # in the last part of the columns
        with e.loop(whole, columns[1], wide) as n:
            _panels(e, at, first, rows, inner, copy, depth, n, rest)


def _panels(
    e: ProductEmitter, at: list[Any], first: Any, rows: Any, inner: Any, copy: Any, depth: int,
    n: Any, width: int,
) -> None:  # fmt: skip
    """`width` columns from n on, panel after panel."""
    b, row, column, k = e.b, e.product.row, e.product.column, e.product.inner
    height = tile_rows(row.size, -(-width // e.lanes))
    out, beyond = e.moved(at[2], n, 1), [*at[:3], *e.beyond(at, n, column)]
    with e.loop(inner[0], inner[1], depth) as start:
        end = b.add(start, _int(depth))
        end = b.select(b.icmp_signed("<", end, inner[1]), end, inner[1])
        if k.size > depth:
            first = b.and_(first, b.icmp_signed("==", start, inner[0]))
        last = b.icmp_signed("==", end, inner[1]) if k.size > depth else _TRUE
        length = b.sub(end, start)
        y = e.moved(e.moved(at[1], start, k.y), n, column.y)
        _copied(e, y, copy, length, width)
        x = e.moved(at[0], start, k.x)
        # what the next panel is made of comes into the cache meanwhile, a line for each term
        is_laid_out = column.y == 1
        ahead = e.moved(y, _int(depth), k.y)
        ahead_step = _int(k.y if is_laid_out else column.y)
        lines = -(-(width if is_laid_out else depth) // e.lanes)

        def tile(m: Any, height: int) -> None:
            line = b.urem(b.udiv(m, _int(height)), _int(lines))
            place = b.mul(line, _int(e.lanes * (1 if is_laid_out else k.y)))
            fetched = [e.moved(ahead, place, 1), ahead_step]
            read = [e.moved(x, m, row.x), _int(row.x), _int(k.x), copy]
            kept = [e.moved(out, m, row.out), _int(row.out), length, first]
            if e.ending is None:
                b.call(_tile(e, height, width), [*read, *kept, *fetched])
                return
            if e.ending.partial is None:
                kept = [length]
            else:
                kept.append(last)
            b.call(
                _finished_tile(e, height, width),
                [*read, *kept, *fetched, *e.beyond(beyond, m, row)],
            )

        whole = e.blocks(rows[0], rows[1], height)
        with e.loop(rows[0], whole, height) as m:
            tile(m, height)
        if row.size % height:  # in the last part of the rows
            with e.loop(whole, rows[1], height) as m:
                tile(m, row.size % height)


def _tile(e: ProductEmitter, height: int, width: int) -> Any:
    """`void tile(x, its two steps, panel, out, its step, length, first, ahead, its step)`."""
    key = "tile of a panel", e.dtype.char, height, width
    if key in e.bodies:
        return e.bodies[key]
    arguments = [_PTR, _I64, _I64, _PTR, _PTR, _I64, _I64, _I1, _PTR, _I64]
    name = f"tile.{e.dtype.char}{height}x{width}"
    with _function(e, key, name, arguments) as (x, row_step, step, y, *rest):
        out, out_step, length, first, ahead, ahead_step = rest
        out.add_attribute("noalias")
        outs = _lines(e, out, out_step, height)
        pieces = _pieces(e, width)
        with _each(e, height) as r:
            begin = e.b.gep(out, [e.b.mul(out_step, r)], source_etype=e.type)
            for j, _ in pieces:
                _fetch(e, e.moved(begin, _int(j), 1), 1)
        totals = _summed(e, (x, row_step, step, y), length, (ahead, ahead_step), height, width)
        for place, line in zip(outs, totals, strict=True):
            for (j, w), total in zip(pieces, line, strict=True):
                e.store(total, place, j, w, first)
        e.b.ret_void()
    return e.bodies[key]


def _finished_tile(e: ProductEmitter, height: int, width: int) -> Any:
    """The same, with an epilogue; out and first only where sums lie in between.

    `void tile(x, its two steps, panel, [out, its step,] length, [first, last,] ahead, its step,
    what the epilogue reads and writes ...)`
    """
    finish = e.ending
    assert finish is not None
    key = "tile of a panel", e.dtype.char, height, width, finish.key
    if key in e.bodies:
        return e.bodies[key]
    takes_turns = finish.partial is not None
    arguments = [_PTR, _I64, _I64, _PTR]
    arguments += [_PTR, _I64, _I64, _I1, _I1] if takes_turns else [_I64]
    arguments += [_PTR, _I64, *([_PTR] * len(finish.values))]
    name = f"tile.{e.dtype.char}{height}x{width}.{e.name}"
    row = e.product.row
    with _function(e, key, name, arguments) as (x, row_step, step, y, *rest):
        b, pieces = e.b, _pieces(e, width)
        if takes_turns:
            out, out_step, length, first, last, *rest = rest
            outs = _lines(e, out, out_step, height)
        else:
            length, *rest = rest
        ahead, ahead_step, *touched = rest
        for place, value in zip(touched, finish.values, strict=True):
            lines = height if finish.step(value, row) else 1
            with _each(e, lines) as r:
                at = e.moved(place, r, finish.step(value, row), value)
                for j in range(0, width if finish.step(value, e.product.column) else 1, e.lanes):
                    _fetch(e, e.moved(at, _int(j), 1, value), int(value in finish.writes))
        totals = _summed(e, (x, row_step, step, y), length, (ahead, ahead_step), height, width)
        if takes_turns:
            before = [
                [b.load(e.moved(place, _int(j), 1), typ=total.type, align=e.dtype.itemsize)
                 for (j, _), total in zip(pieces, line, strict=True)]
                for place, line in zip(outs, totals, strict=True)
            ]  # fmt: skip
            totals = [
                [b.select(first, x, b.fadd(y, x)) for x, y in zip(line, old, strict=True)]
                for line, old in zip(totals, before, strict=True)
            ]
            done, more = (e.function.append_basic_block(n) for n in ("done", "more"))
            b.cbranch(last, done, more)
            b.position_at_end(more)
            for place, line in zip(outs, totals, strict=True):
                for (j, w), total in zip(pieces, line, strict=True):
                    e.store(total, place, j, w, _TRUE)
            b.ret_void()
            b.position_at_end(done)
        finish.emit(e, totals, pieces, touched)
        b.ret_void()
    return e.bodies[key]


@contextmanager
def _each(e: ProductEmitter, count: int) -> Iterator[Any]:
    """A loop over `count` turns of which nothing is to be made vectors."""
    if count == 1:
        yield _int(0)
        return
    with counted(e, _int(0), _int(count), BOUND) as i:
        yield i


@contextmanager
def _function(e: ProductEmitter, key: Any, name: str, arguments: list[Any]) -> Iterator[Any]:
    """Inside, `e` writes a new function of the module; its arguments."""
    function = ir.Function(e.module, ir.FunctionType(ir.VoidType(), arguments), name)
    function.linkage = "internal"
    for attribute in ("nounwind", "noinline"):
        function.attributes.add(attribute)
    e.bodies[key] = function
    for place in (0, 3):  # x and the panel
        function.args[place].add_attribute("noalias")
    around = e.function, e.b
    e.function, e.b = function, ir.IRBuilder(function.append_basic_block("entry"))
    yield function.args
    e.function, e.b = around


def _lines(e: ProductEmitter, pointer: Any, step: Any, height: int) -> list[Any]:
    """Where `height` rows begin."""
    b = e.b
    return [
        b.gep(pointer, [b.mul(step, _int(r))], source_etype=e.type) if r else pointer
        for r in range(height)
    ]


def _pieces(e: ProductEmitter, width: int) -> list[tuple[int, int]]:
    """The vectors of a row: from where on, and how long."""
    return [(i, min(e.lanes, width - i)) for i in range(0, width, e.lanes)]


def _summed(
    e: ProductEmitter, operands: Any, length: Any, fetched: Any, height: int, width: int
) -> list[list[Any]]:
    """The sums of a tile, in registers."""
    b, pieces = e.b, _pieces(e, width)
    x, row_step, step, y = operands
    ahead, ahead_step = fetched
    xs = _lines(e, x, row_step, height)

    def terms(i: Any, totals: list[list[Any]]) -> list[list[Any]]:
        of_panel = e.moved(y, i, width)
        vectors = [e.load(of_panel, j, w) for j, w in pieces]
        place = b.mul(i, step)
        _fetch(e, e.moved(ahead, b.mul(i, ahead_step), 1), 0)
        found = []
        for r in range(height):
            numbers = e.splats(b.load(e.moved(xs[r], place, 1), typ=e.type), pieces)
            found.append(list(map(e.fma, numbers, vectors, totals[r])))
        return found

    start = [[types.constant(e.dtype, 0, w) for _, w in pieces] for _ in range(height)]
    return e.summed_apart((_int(0), length), start, terms)


def _fetch(e: ProductEmitter, place: Any, writes: int) -> None:
    """Ask for a line of the cache; an address that is none does no harm."""
    kind = ir.FunctionType(ir.VoidType(), [_PTR, _I32, _I32, _I32])
    fetch = e.module.globals.get(_FETCH) or ir.Function(e.module, kind, _FETCH)
    near = 3 if writes else 2
    e.b.call(fetch, [place, *(ir.Constant(_I32, n) for n in (writes, near, 1))])


# ------------------------------------------------------------------------------ copies


def _copied(e: ProductEmitter, y: Any, copy: Any, length: Any, width: int) -> None:
    """`length` lines of the second operand, `width` columns of each."""
    k, column, lanes = e.product.inner, e.product.column, e.lanes
    if column.y == 1:
        with e.loop(_int(0), length) as i:
            source, target = e.moved(y, i, k.y), e.moved(copy, i, width)
            for j in range(0, width, lanes):
                w = min(lanes, width - j)
                e.store(e.load(source, j, w), target, j, w, _TRUE)
        return
    turned = width // lanes * lanes if k.y == 1 else 0
    if turned:
        whole = e.blocks(_int(0), length, lanes)
        with e.loop(_int(0), whole, lanes) as i, e.loop(_int(0), _int(turned), lanes) as j:
            source = e.moved(e.moved(y, i, 1), j, column.y)
            target = e.moved(e.moved(copy, i, width), j, 1)
            e.b.call(_turn(e), [source, _int(column.y), target, _int(width)])
        _numbers(e, y, copy, (whole, length), (0, turned), width)
    if turned < width:
        _numbers(e, y, copy, (_int(0), length), (turned, width), width)


def _turn(e: ProductEmitter) -> Any:
    """`void turn(source, its step, target, its step)`: a square of as many lines as lanes."""
    key = "square that is transposed", e.dtype.char
    if key in e.bodies:
        return e.bodies[key]
    arguments = [_PTR, _I64, _PTR, _I64]
    name = f"turn.{e.dtype.char}{e.lanes}"
    function = ir.Function(e.module, ir.FunctionType(ir.VoidType(), arguments), name)
    function.linkage = "internal"
    for attribute in ("nounwind", "noinline", "optnone"):  # as it stands here
        function.attributes.add(attribute)
    e.bodies[key] = function
    source, step, target, target_step = function.args
    for pointer in (source, target):
        pointer.add_attribute("noalias")
    around = e.function, e.b
    e.function, e.b = function, ir.IRBuilder(function.append_basic_block("entry"))
    b = e.b

    def line(pointer: Any, by: Any, n: int) -> Any:
        return b.gep(pointer, [b.mul(by, _int(n))], source_etype=e.type) if n else pointer

    lines = [e.load(line(source, step, n), 0, e.lanes) for n in range(e.lanes)]
    for n, found in enumerate(_transposed(e, lines)):
        e.store(found, line(target, target_step, n), 0, e.lanes, _TRUE)
    b.ret_void()
    e.function, e.b = around
    return function


def _numbers(
    e: ProductEmitter, y: Any, copy: Any, lines: Any, columns: tuple[int, int], width: int
) -> None:
    k, column = e.product.inner, e.product.column
    with e.loop(*lines) as i, e.loop(*map(_int, columns)) as j:
        number = e.b.load(e.moved(e.moved(y, i, k.y), j, column.y), typ=e.type)
        e.b.store(number, e.moved(e.moved(copy, i, width), j, 1))


def _transposed(e: ProductEmitter, lines: list[Any]) -> list[Any]:
    """So many vectors as they have lanes, with rows and columns exchanged: by halves.

    Each step is a block, or LLVM looks long for shuffles that do several at once.
    """
    lines, lanes = list(lines), e.lanes
    unit = lanes // 2
    while unit:
        low = [i + lanes - unit if i & unit else i for i in range(lanes)]
        high = [i + lanes if i & unit else i + unit for i in range(lanes)]
        masks = [
            ir.Constant(ir.VectorType(_I32, lanes), [ir.Constant(_I32, i) for i in order])
            for order in (low, high)
        ]
        for n in range(lanes):
            if not n & unit:
                x, y = lines[n], lines[n | unit]
                lines[n], lines[n | unit] = (e.b.shuffle_vector(x, y, mask) for mask in masks)
        unit //= 2
        following = e.function.append_basic_block("half")
        e.b.branch(following)
        e.b.position_at_end(following)
    return lines
