"""The types of a node's results: from the card's shape rule, or from a run on stand-ins.

A stand-in has the shape and dtype of a value and the memory of one element. NumPy itself thus says
what a call on raw values gives, and raises its own errors; functions whose result depends on the
values are refused, for a stand-in would answer wrongly.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..core.aval import Aval, aval_of, broadcast_shapes, make_aval
from ..core.positions import decode, here
from ..core.registry import CARDS, HOOKS
from ..errors import TracingError, three_part
from .fits import check, stand_in
from .ir import Value, fill
from .marks import NUMBER

# What Python's operators make of two Python numbers is a Python number.
_ARITHMETIC = frozenset(["add", "subtract", "multiply", "divide", "true_divide", "power",
                         "negative", "positive", "remainder", "floor_divide", "power_of_number",
                         "absolute", "absolute_complex", "real", "imag", "conjugate",
                         "bitwise_and", "bitwise_or", "bitwise_xor",
                         "left_shift", "right_shift", "invert", "less", "less_equal", "greater",
                         "greater_equal", "equal", "not_equal", NUMBER.name])  # fmt: skip
# What Python makes a number of two truth values with, and NumPy something else.
_COUNTS = frozenset(["add", "multiply", "power", "remainder", "floor_divide", "absolute",
                     "left_shift", "right_shift", "invert", "power_of_number",
                     "real", "imag", "conjugate"])  # fmt: skip
_UNKNOWN = frozenset(["nonzero", "flatnonzero", "argwhere", "unique", "unique_all", "unique_counts",
                      "unique_inverse", "unique_values", "extract", "compress", "bincount",
                      "union1d", "intersect1d", "setdiff1d", "setxor1d", "trim_zeros", "repeat",
                      "histogram", "histogram_bin_edges", "histogramdd", "delete"])  # fmt: skip


def _place(aval: Aval) -> Any:
    """A stand-in inside parameters: an index of 0 is in range wherever any is."""
    return stand_in(aval) if aval.weak else np.broadcast_to(np.zeros((), aval.dtype), aval.shape)


def avals_of(
    op: Any, inputs: Sequence[Value], params: dict[str, Any], operands: int
) -> tuple[Aval, ...]:
    """The avals of the results of `op`; TracingError where they depend on the values."""
    return results_of(op, inputs, params, operands)[0]


def results_of(
    op: Any, inputs: Sequence[Value], params: dict[str, Any], operands: int
) -> tuple[tuple[Aval, ...], bool]:
    """The avals of the results, and whether `op` gives a tuple of them."""
    avals = [v.aval for v in inputs]
    if op.kind != "elementwise" and _counts_on_values(op, avals, operands):
        raise _data_dependent(op.name, avals)
    if operands < len(avals):
        params = fill(params, [_place(a) for a in avals])
    weak = op.name in _ARITHMETIC and bool(avals) and all(a.weak for a in avals)
    if weak and op.name in _COUNTS and all(a.dtype == bool for a in avals):
        if op.kind != "plain":
            raise _of_truths(op.name)
        weak = False  # a rule's own arithmetic, which is NumPy's
    weak = weak or op == NUMBER
    if op.shape_rule is not None:
        if op.kind in ("primitive", "linear") and CARDS.get(op.name) is op:  # NumPy's, no loop
            given = avals[:operands]
            if all(a.weak for a in given):  # numbers of Python's: rules look at shapes and dtypes
                given = [Aval(a.shape, a.dtype) for a in given]
            check(op, tuple(given), params)
        found = op.shape(avals[:operands], params)
    elif (known := _of_ufunc(op, avals, params)) is not None:
        found = known
    else:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            found = op.impl(*(stand_in(a) for a in avals[:operands]), **params)
    many = isinstance(found, tuple | list)
    if not weak and type(found) is Aval and not found.weak:
        return (found,), False
    parts = found if many else (found,)
    is_loop = getattr(op, "regions", None) is not None  # what those carry says it itself
    types = map(aval_of, parts)
    return tuple(Aval(a.shape, a.dtype, weak or (is_loop and a.weak)) for a in types), many


_PYTHON = {"f": float, "i": int, "c": complex, "b": np.dtype(bool)}


def _of_ufunc(op: Any, avals: Sequence[Aval], params: dict[str, Any]) -> Aval | None:
    """What a ufunc of NumPy's gives, by its own rule for dtypes; None where that does not say.

    A stand-in for a million numbers takes as long as the numbers.
    """
    function = getattr(op, "function", None)
    if params or type(function) is not np.ufunc or function.signature or function.nout != 1:
        return None
    kinds = tuple([_PYTHON[a.dtype.kind] if a.weak else a.dtype for a in avals])
    try:
        dims = broadcast_shapes(*[a.shape for a in avals])
        return make_aval(dims, _resolved(function, kinds))
    except (TypeError, ValueError):  # NumPy says why
        return None


@lru_cache(maxsize=1024)
def _resolved(function: Any, kinds: tuple[Any, ...]) -> Any:
    if all(isinstance(kind, type) for kind in kinds):  # resolve_dtypes wants one strong type
        kinds = tuple(map(np.dtype, kinds))
    return function.resolve_dtypes((*kinds, None))[-1]


def _counts_on_values(op: Any, avals: Sequence[Aval], operands: int) -> bool:
    """Whether the number of results is that of some values: `x[mask]`, `np.nonzero(x)`."""
    if op.kind == "plain" and (op.name in _UNKNOWN or (op.name == "where" and len(avals) == 1)):
        return True
    masks = [a for a in avals[1 if operands else 0 :] if a.dtype == bool and a.ndim]
    name = op.name.removesuffix(" of a batch")
    if name in ("getitem", "scatter_add", "add_at"):
        return bool(masks)
    return name == "setitem" and bool(masks) and avals[1].ndim > 0


def _of_truths(name: str) -> TracingError:
    return TracingError(
        three_part(
            f"{name}: Python reckons with the numbers 0 and 1 here, NumPy with truth values.",
            f"Called at {decode(*here())} for truth values of Python's, such as c > 1.0 of a "
            "Python float c.",
            "Say which: 1 * (c > 1.0) is a number, np.logical_not(c > 1.0) a truth value.",
        )
    )


HOOKS["of_truths"] = _of_truths


def _data_dependent(name: str, avals: Sequence[Aval]) -> TracingError:
    return TracingError(
        three_part(
            f"{name}({', '.join(map(repr, avals))}): the shape of the result depends on values "
            "that are not known while tracing.",
            f"Called at {decode(*here())}; a compiled program is made for shapes.",
            "Keep the shape and choose by np.where(mask, x, 0), or leave this part outside of the "
            "compiled function.",
        )
    )
