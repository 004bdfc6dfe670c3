"""`Card`: the record that an op is. `cards.py` has the constructors that make one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .registry import CARDS
from .squares import square_sum

Rule = Callable[..., Any]
VALUES = ("out", "x", "y")  # what a partial can name


class Card:
    """One op: name, implementation, and the rules of every interpreter.

    Call the rules through the methods, which hide the two ways of writing them (one function per
    operand, or one function that takes the operand's index first).

    Attributes
    ----------
    name : str
    kind : str
        The constructor that made it.
    impl : callable
        `impl(*values, **params)` on raw NumPy values.
    arity : int
        Number of operands; -1 for any number.
    keep : tuple of int, dict, or None
        Operands whose values the vjp rules need; None means all. A dict says it for each operand:
        `{0: (1,), 1: (0,)}` keeps operand 1 only if a tape follows operand 0, and the reverse.
    keep_out : bool
        Whether the vjp rules need the output.
    drops : bool or callable
        Whether a NaN in an operand can be missing in the result, as with `where`, an index,
        `fmax`: then what was dropped has a cotangent of exactly 0, which wins over that NaN. A
        function `drops(ct, avals, **params)` where the call decides, which it says of a cotangent
        of its result and the avals of its operands; a card with `where` among them always does.
    run : callable or None
        For a card that is a program: plays a record of it backwards, in place of vjps.
    again : callable or None
        For a card that is a program: `again(operands)` gives its results anew, recorded as suits a
        tape that follows; without it the card is applied.
    push : callable or None
        For a card that is a program: `push(primals, tangents)` gives (results, their tangents) in
        place of jvps; a tangent is None where nothing moves.
    spread : callable or None
        For a card that is a program: `spread(size, operands, axes)` gives (results, their batch
        axes) in place of a batching rule; operands may be Tensors, a batch is axis 0.
    rows : Rows or None
        Which entries of the operands meet which results, where a rule multiplies inside: see
        `rows.py`.
    """

    __slots__ = (
        "again",
        "arity",
        "batch_rule",
        "drops",
        "impl",
        "jvps",
        "keep",
        "keep_out",
        "kind",
        "leads",
        "looks",
        "name",
        "outputs",
        "partials",
        "push",
        "reason",
        "regions",
        "rows",
        "run",
        "shape_rule",
        "signature",
        "spread",
        "unview",
        "vjps",
        "add_into",
    )

    def __init__(
        self, name: str, kind: str, impl: Rule, arity: int, is_listed: bool = True
    ) -> None:
        self.name = name
        self.kind = kind
        self.impl = impl
        self.arity = arity
        self.keep: tuple[int, ...] | dict[int, tuple[int, ...]] | None = None
        self.keep_out = True
        self.outputs = 1
        self.partials: tuple[Any, ...] = ()
        self.vjps: Any = None
        self.jvps: Any = None
        self.shape_rule: Any = None
        self.batch_rule: Any = None
        self.unview: Any = None
        self.looks: Any = None  # (how the operand lies, shape, **params) -> whether it is a view
        self.add_into: Any = None
        self.drops: Any = False
        self.rows: Any = None
        self.run: Any = None
        self.again: Any = None
        self.push: Any = None
        self.spread: Any = None
        self.signature: Any = None
        self.reason = ""
        self.regions: Any = None  # of control flow: the graphs of its functions, for a compiler
        # of a program: a function that says of each operand how it leads to a result: "path",
        # "stop_gradient", or "" where it does not
        self.leads: Any = None
        if is_listed:  # not what is no function of NumPy's, whatever its name is
            CARDS[name] = self

    def __repr__(self) -> str:
        return f"<card {self.name} ({self.kind})>"

    def has_vjp(self, i: int) -> bool:
        """Whether operand `i` has a derivative."""
        return callable(self.vjps) or (
            self.vjps is not None and i < len(self.vjps) and self.vjps[i] is not None
        )

    def vjp(self, i: int, ct: Any, out: Any, operands: Any, params: dict[str, Any]) -> Any:
        """The cotangent of operand `i`; None where it has none."""
        if callable(self.vjps):
            return self.vjps(i, ct, out, *operands, **params)
        rule = self.vjps[i]
        return None if rule is None else rule(ct, out, *operands, **params)

    def jvp(self, tangents: Any, out: Any, operands: Any, params: dict[str, Any]) -> Any:
        """The tangent of the output, from one tangent or None per operand; None if all are."""
        total: Any = None
        for i, t in enumerate(tangents):
            if t is None:
                continue
            if callable(self.jvps):
                part = self.jvps(i, t, out, *operands, **params)
            elif self.jvps[i] is None:
                continue
            else:
                part = self.jvps[i](t, out, *operands, **params)
            if total is None:
                total = part
            elif isinstance(part, tuple):
                total = tuple(a + b for a, b in zip(total, part, strict=True))
            else:
                total = total + part
        return total

    def shape(self, avals: Any, params: dict[str, Any]) -> Any:
        """The aval of the output, or a tuple of avals."""
        return self.shape_rule(*avals, **params)

    def batch(self, size: int, operands: Any, axes: Any, params: dict[str, Any]) -> Any:
        """(out, out_axis) for operands of which operand i carries a batch along `axes[i]`.

        `axes[i]` is a non-negative int, or None where operand i is not batched. With several
        outputs both results are tuples.
        """
        return self.batch_rule(size, operands, axes, **params)


def reads(partial: Any) -> frozenset[int]:
    """Which arguments a partial reads: those whose name has no leading underscore."""
    if isinstance(partial, str):
        return frozenset([VALUES.index(partial)])
    if not callable(partial):
        return frozenset()
    code = partial.__code__
    names = code.co_varnames[: code.co_argcount]
    return frozenset(i for i, n in enumerate(names) if not n.startswith("_"))


def twice(_out: Any, x: Any) -> Any:
    """The partial of a square; known by its name, for the 2 may go to a cotangent that is small."""
    return x + x


def reads_out(partial: Any) -> bool:
    """Whether a partial reads the result."""
    return 0 in reads(partial)


def select(g: Any, mask: Any) -> Any:
    """`g` where `mask` is true, 0 elsewhere, whatever `g` is there.

    A product with the mask costs a fifth of `np.where`; it errs only where `g` is not finite.
    """
    if type(g) is np.ndarray and type(mask) is np.ndarray:
        product = g * mask
        flat = product.reshape(-1)
        if product.dtype.char in "fd" and np.isfinite(square_sum(flat)):
            return product  # a fifth of isfinite().all()
        if np.isfinite(np.add.reduce(flat)):
            return product
    return np.where(mask, g, np.zeros((), g.dtype))
