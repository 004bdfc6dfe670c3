"""A matrix by a vector, where the matrix lies row after row: each number is the sum of a row.

As many rows as a vector has lanes are summed at a time, and their sums then turned into one vector.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from . import ir, types

if TYPE_CHECKING:
    from .tiles import ProductEmitter

__all__ = ["emit"]

_I64, _I32 = ir.IntType(64), ir.IntType(32)


@lru_cache(maxsize=1024)
def _int(n: int) -> Any:
    return ir.Constant(_I64, n)


def _i32(n: int) -> Any:
    return ir.Constant(_I32, n)


def emit(e: ProductEmitter, at: list[Any], first: Any, rows: Any) -> None:
    """Add the product of some rows by a vector to the function of `e`."""
    whole, row = rows[0], e.product.row
    if row.size >= e.lanes:
        is_even = e.is_even(row, e.lanes)
        whole = rows[1] if is_even else e.blocks(rows[0], rows[1], e.lanes)
        with e.loop(rows[0], whole, e.lanes) as m:
            _dot(e, at, first, m, e.lanes)
        if is_even:
            return
    with e.loop(whole, rows[1]) as m:
        _dot(e, at, first, m, 1)


def _dot(e: ProductEmitter, at: list[Any], first: Any, m: Any, height: int) -> None:
    """`height` elements of the result: all lanes of one vector, or one number."""
    b, row, k, lanes = e.b, e.product.row, e.product.inner, e.lanes
    xs = e.lines(e.moved(at[0], m, row.x), row.x, height)
    zero = types.constant(e.dtype, 0, lanes)

    def step(i: Any, totals: list[list[Any]], width: int) -> list[list[Any]]:
        vector = _filled(e, e.moved(at[1], i, 1), width)
        return [
            [e.fma(_filled(e, e.moved(x, i, 1), width), vector, t[0])]
            for x, t in zip(xs, totals, strict=True)
        ]

    totals = [[zero] for _ in range(height)]
    whole = k.size // lanes * lanes
    if whole <= 4 * lanes:
        for i in range(0, whole, lanes):
            totals = step(_int(i), totals, lanes)
    else:
        totals = e.summed(
            (_int(0), _int(whole // lanes)), totals,
            lambda i, t: step(b.mul(i, _int(lanes)), t, lanes),
        )  # fmt: skip
    if k.size > whole:
        totals = step(_int(whole), totals, k.size - whole)
    lines = [t[0] for t in totals]
    out = e.moved(at[2], m, row.out)
    if height == 1:
        found = _reduced(e, lines[0])
        if not ir.is_true(first):
            found = b.select(first, found, b.fadd(b.load(out, typ=e.type), found))
        b.store(found, out)
    else:
        e.store(_gathered(e, lines), out, 0, lanes, first)


def _filled(e: ProductEmitter, pointer: Any, width: int) -> Any:
    """A vector from memory, with zeros behind the first `width`."""
    loaded = e.load(pointer, 0, width)
    if width == e.lanes:
        return loaded
    order = [*range(width), *[width] * (e.lanes - width)]
    mask = ir.Constant(ir.VectorType(_I32, e.lanes), [_i32(i) for i in order])
    zero = ir.Constant(ir.VectorType(e.type, width), [ir.Constant(e.type, 0.0)] * width)
    return e.b.shuffle_vector(loaded, zero, mask)


def _gathered(e: ProductEmitter, lines: list[Any]) -> Any:
    """The vector of the sums of so many vectors as they have lanes, by a tree."""
    unit = e.lanes // 2
    while unit:
        pairs = []
        for x, y in zip(lines[::2], lines[1::2], strict=True):
            even = [i for i in range(2 * e.lanes) if not i // unit % 2]
            odd = [i for i in range(2 * e.lanes) if i // unit % 2]
            halves = [
                e.b.shuffle_vector(
                    x, y, ir.Constant(ir.VectorType(_I32, e.lanes), [_i32(i) for i in order])
                )
                for order in (even, odd)
            ]
            pairs.append(e.b.fadd(*halves))
        lines, unit = pairs, unit // 2
    return lines[0]


def _reduced(e: ProductEmitter, line: Any) -> Any:
    """The sum of the lanes, in the order of the tree above."""
    unit = e.lanes // 2
    while unit:
        order = [unit + i for i in range(unit)] + [0] * (e.lanes - unit)
        mask = ir.Constant(ir.VectorType(_I32, e.lanes), [_i32(i) for i in order])
        line = e.b.fadd(line, e.b.shuffle_vector(line, line, mask))
        unit //= 2
    return e.b.extract_element(line, _i32(0))
