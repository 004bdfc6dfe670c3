"""Loops over a count, as code."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from . import ir

__all__ = ["counted"]

_I64 = ir.IntType(64)


@contextlib.contextmanager
def counted(code: Any, low: Any, high: Any, name: str = "loop") -> Iterator[Any]:
    """`with counted(code, low, high) as i:` writes a loop from low to high - 1.

    `code` has the builder `b`, and `function` into which it writes. The name of its block
    says of the turns what `lanes.py` knows.
    """
    b, before = code.b, code.b.block
    head, done = (code.function.append_basic_block(word) for word in (name, "done"))
    b.cbranch(b.icmp_signed("<", low, high), head, done)
    b.position_at_end(head)
    i = b.phi(_I64)
    i.add_incoming(low, before)
    yield i
    following = b.add(i, ir.Constant(_I64, 1), flags=["nuw", "nsw"])
    i.add_incoming(following, b.block)
    b.cbranch(b.icmp_signed("<", following, high), head, done)
    b.position_at_end(done)
