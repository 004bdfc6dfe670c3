"""The operations that a stored graph may name, and what one of them may cost.

A run folder may come from anybody, so a name in its graph is looked up here and nowhere else: in
the table of cards, or in a short table of NumPy functions. Nothing is imported or evaluated.
Before an operation runs, its result and its work are worked out from the shapes and compared with
the limits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import ops  # noqa: F401  (fills the table of cards; `load` does the rest)
from ..core.aval import Aval, aval_of
from ..core.registry import CARDS, load
from ..errors import RunError, three_part
from ..graph.coding import Reader
from .schema import DTYPES

__all__ = ["Operation", "operation", "parameters", "refuse"]

load()

_KINDS = frozenset(("elementwise", "linear", "primitive", "nondifferentiable"))
_NEVER = frozenset(("empty_like",))  # what lies in memory is nobody's business
_ELEMENTWISE = (
    "greater", "greater_equal", "less", "less_equal", "equal", "not_equal", "isnan", "isfinite",
    "isinf", "logical_and", "logical_or", "logical_not", "logical_xor", "add", "subtract",
    "multiply", "divide", "negative", "maximum", "minimum", "absolute", "abs", "sign", "floor",
    "ceil", "rint", "exp", "log", "sqrt", "square", "where", "floor_divide", "remainder",
    "signbit", "bitwise_and", "bitwise_or", "invert", "trunc", "power", "real", "imag",
)  # fmt: skip
_REDUCTIONS = ("max", "min", "amax", "amin", "sum", "mean", "any", "all", "argmax", "argmin",
               "argsort", "sort", "count_nonzero", "cumsum", "prod")  # fmt: skip
_PLAIN: dict[str, Callable[..., Any]] = {
    name: getattr(np, name) for name in (*_ELEMENTWISE, *_REDUCTIONS)
}
_TYPES = {f"numpy.{np.dtype(d).type.__name__}": np.dtype(d).type for d in DTYPES.values()}
_CUBIC = frozenset(("inv", "det", "slogdet", "cholesky", "solve", "svdvals", "singular factors",
                    "cofactors"))  # fmt: skip
_QUADRATIC = frozenset(("convolve", "correlate"))


def refuse(fact: str, cause: str) -> RunError:
    """The error of a graph that cannot be computed again."""
    return RunError(
        three_part(
            f"replay: {fact}",
            cause,
            "What was recorded can still be looked at; to see other values, run the script.",
        )
    )


@dataclass(frozen=True)
class Operation:
    """One operation by name.

    Attributes
    ----------
    name : str
    compute : callable
        `compute(*values, **params)`.
    card : Card or None
        None for a function of NumPy's without one.
    is_elementwise : bool
        Whether operands broadcast, so that a batch axis in front is one more axis.
    """

    name: str
    compute: Callable[..., Any]
    card: Any
    is_elementwise: bool

    def cost(self, values: Sequence[Any], params: Mapping[str, Any]) -> tuple[int, int]:
        """(elements of the results, multiplications), from the shapes of the operands alone."""
        avals = [aval_of(v) for v in values]
        if self.card is not None and self.card.shape_rule is not None:
            found = self.card.shape(avals, params)
            size = sum(a.size for a in (found if type(found) is tuple else (found,)))
        elif self.is_elementwise:
            size = math.prod(np.broadcast_shapes(*(a.shape for a in avals)))
        else:
            size = max((a.size for a in avals), default=1)
        return size, self._work(avals, size, params)

    def _work(self, avals: Sequence[Aval], size: int, params: Mapping[str, Any]) -> int:
        if self.name == "einsum":
            letters: dict[str, int] = {}
            inputs = str(params.get("subscripts", "")).partition("->")[0].split(",")
            for term, aval in zip(inputs, avals, strict=True):
                letters.update(zip(term.replace(".", "")[::-1], aval.shape[::-1], strict=False))
            return math.prod(letters.values()) * max(1, len(avals) - 1)
        if self.name in ("matmul", "tensordot"):
            inner = avals[0].shape[-1] if avals[0].ndim else 1
            if self.name == "tensordot":
                inner = math.prod(avals[0].shape[i] for i in params["left"])
            return size * inner
        largest = max((a.size for a in avals), default=1)
        if self.name in _CUBIC:
            side = max((max(a.shape[-2:], default=1) for a in avals), default=1)
            return largest * side
        if self.name in _QUADRATIC:
            return math.prod(a.size for a in avals)
        return max(size, largest)


def operation(node: Mapping[str, Any]) -> Operation:
    """The operation of a node; RunError for one that is in no table."""
    name = str(node["op"])
    opaque = node.get("opaque")
    if opaque is not None:
        raise refuse(
            f"{name} at line {node.get('line')} cannot be computed from the file alone.",
            f"{str(opaque)[:200]}.",
        )
    if name in ("assigned", "stop"):
        return Operation(name, lambda *values: values[-1], None, False)
    if node.get("plain"):
        found = _PLAIN.get(name)
        if found is not None:
            return Operation(name, _with_rest(found), None, name in _ELEMENTWISE)
    card = CARDS.get(name)
    if card is None or card.kind not in _KINDS or name in _NEVER:
        raise refuse(
            f"there is no operation {name[:60]!r}.",
            "The graph names something that is in no table of this version of gradtape.",
        )
    return Operation(name, card.impl, card, card.kind == "elementwise")


def _with_rest(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *values, rest=(), **params: function(*values, *rest, **params)


# -------------------------------------------------------------------------- parameters


class _Unreadable(Exception):
    """Something in the parameters is no plain data."""


class _Plain(Reader):
    """A Reader of plain data alone: no function, and no type but NumPy's numbers."""

    def static(self, said: Any, depth: int = 0) -> Any:
        if depth > 32:
            raise _Unreadable("nested too deeply")
        if not isinstance(said, list):
            return said
        kind, *rest = said
        if kind in ("t", "l"):
            parts = [self.static(x, depth + 1) for x in rest]
            return tuple(parts) if kind == "t" else parts
        if kind == "d":
            return {str(name): self.static(value, depth + 1) for name, value in rest}
        if kind == "s":
            return slice(*(self.static(x, depth + 1) for x in rest))
        if kind == "y":
            name = np.dtype(str(rest[0])).newbyteorder("<").str
            return DTYPES[name]
        if kind == "u":
            return _TYPES[rest[0]]
        if kind in ("a", "n") and not (type(rest[0]) is int and 0 <= rest[0] < len(self.arrays)):
            raise _Unreadable("no such array")
        return super().static(said)


def parameters(said: Any, arrays: Sequence[Any]) -> dict[str, Any]:
    """The parameters that a node says; `arrays` are those that stand in them.

    Examples
    --------
    >>> parameters(["d", ["axis", ["t", 0, 1]], ["keepdims", True]], [])
    {'axis': (0, 1), 'keepdims': True}
    """
    try:
        found = _Plain(list(arrays)).static(said)
        if not isinstance(found, dict):
            raise _Unreadable("no names")
    except (_Unreadable, LookupError, TypeError, ValueError, AttributeError) as error:
        raise refuse(
            "the parameters of an operation cannot be read.",
            f"They hold what is no number, tuple, slice, dtype or array ({error}).",
        ) from None
    return found
