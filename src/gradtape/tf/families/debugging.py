"""tf.debugging: claims about tensors, which raise where they do not hold."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.positions import decode, here
from ...errors import three_part
from ..base import numerics
from ..base.dtypes import DTYPES, as_dtype
from ..base.errors import RefusedType, RefusedValue, invalid
from ..base.making import allow, natural, op, unify
from ..base.names import export
from ..base.tensors import Tensor
from ..base.variables import Variable

FLOATS = "efd"


def _fails(fact: str, message: Any, cause: str = "") -> Any:
    said = f"{message}: {fact}" if message else fact
    return invalid(
        said,
        f"{cause}Claimed at {decode(*here())}.",
        "Look at the values that do not fit, or leave the claim out.",
    )


def _compare(name: str, sign: str, function: Any) -> None:
    def body(x: Any, y: Any, message: Any, summarize: Any) -> None:
        a, b = (t.value for t in unify(name, (natural(x), natural(y))))
        try:
            holds = function(a, b)
        except ValueError:
            raise _fails(
                f"Incompatible shapes: {list(a.shape)} vs. {list(b.shape)}.", message
            ) from None
        if np.all(holds):
            return
        wrong = np.argwhere(~np.asarray(holds))
        where = wrong[: summarize or 3].tolist()
        a, b = np.broadcast_arrays(a, b)
        values = [f"{a[tuple(i)]!s} and {b[tuple(i)]!s}" for i in where]
        raise _fails(
            f"Condition x {sign} y did not hold.",
            message,
            f"At {where} of {len(wrong)} places: {', '.join(values)}. ",
        )

    if name == "assert_none_equal":

        def other(
            x: Any, y: Any, summarize: Any = None, message: Any = None, name: Any = None
        ) -> None:
            body(x, y, message, summarize)

        claim: Any = other
    else:

        def usual(
            x: Any, y: Any, message: Any = None, summarize: Any = None, name: Any = None
        ) -> None:
            body(x, y, message, summarize)

        claim = usual
    claim.__name__ = claim.__qualname__ = name
    claim.__doc__ = f"Raise InvalidArgumentError unless `x {sign} y` for all elements."
    top = [name] if name in ("assert_equal", "assert_less", "assert_greater") else []
    export(f"debugging.{name}", *top)(claim)


_compare("assert_equal", "==", np.equal)
_compare("assert_none_equal", "!=", np.not_equal)
_compare("assert_less", "<", np.less)
_compare("assert_less_equal", "<=", np.less_equal)
_compare("assert_greater", ">", np.greater)
_compare("assert_greater_equal", ">=", np.greater_equal)


def _sign(name: str, sign: str, function: Any) -> None:
    def claim(x: Any, message: Any = None, summarize: Any = None, name: Any = None) -> None:
        value = natural(x).value
        holds = np.asarray(function(value, 0))
        if not holds.all():
            wrong = np.asarray(value)[~holds].ravel()[: summarize or 3]
            raise _fails(
                f"Condition x {sign} 0 did not hold element-wise.", message, f"Found {wrong}. "
            )

    claim.__name__ = claim.__qualname__ = name
    claim.__doc__ = f"Raise InvalidArgumentError unless `x {sign} 0` for all elements."
    export(f"debugging.{name}")(claim)


_sign("assert_positive", ">", np.greater)
_sign("assert_negative", "<", np.less)
_sign("assert_non_negative", ">=", np.greater_equal)
_sign("assert_non_positive", "<=", np.less_equal)


@export("debugging.assert_near")
def assert_near(
    x: Any,
    y: Any,
    rtol: Any = None,
    atol: Any = None,
    message: Any = None,
    summarize: Any = None,
    name: Any = None,
) -> None:
    """Raise InvalidArgumentError unless `abs(x - y) < atol + rtol * abs(y)`: 10 eps by default."""
    a, b = (t.value for t in unify("assert_near", (x, y), "by_force"))
    if a.dtype.kind not in "fc":
        raise RefusedValue(
            three_part(
                f"assert_near: {a.dtype.name} is not inexact.",
                f"Called at {decode(*here())}.",
                "Cast both, tf.cast(x, tf.float32), or use tf.debugging.assert_equal.",
            )
        )
    eps = 10 * np.finfo(a.dtype).eps
    above = eps if atol is None else natural(atol).value
    relative = eps if rtol is None else natural(rtol).value
    with np.errstate(all="ignore"):
        near = np.abs(a - b) < above + relative * np.abs(b)
    if not np.all(near):
        wrong = np.argwhere(~np.asarray(near))[: summarize or 3].tolist()
        raise _fails("x and y not equal to tolerance.", message, f"They differ at {wrong}. ")


# ----------------------------------------------------------------------- shapes


def _shape_fails(fact: str, message: Any) -> RefusedValue:
    said = f"{message}: {fact}" if message else fact
    return RefusedValue(
        three_part(
            said, f"Claimed at {decode(*here())}.", "tf.reshape the tensor, or mend the claim."
        )
    )


def _rank(rank: Any) -> int:
    value = natural(rank).value
    if value.ndim:
        raise _shape_fails("Rank must be a scalar.", None)
    if value.dtype.kind not in "iu":
        raise RefusedType(
            three_part(
                f"A rank must be of type tf.int32; got {value.dtype.name}.",
                f"Claimed at {decode(*here())}.",
                "Pass a whole number.",
            )
        )
    return int(value)


def _demand_rank(x: Any, holds: bool, wanted: str, message: Any) -> None:
    if not holds:
        shape = natural(x).value.shape
        raise _shape_fails(
            f"Tensor must have rank {wanted}. Received rank {len(shape)}, shape {shape}.", message
        )


@export("debugging.assert_rank", "assert_rank")
def assert_rank(x: Any, rank: Any, message: Any = None, name: Any = None) -> None:
    """Raise ValueError unless `x` has `rank` axes."""
    k = _rank(rank)
    _demand_rank(x, natural(x).value.ndim == k, str(k), message)


@export("debugging.assert_rank_at_least")
def assert_rank_at_least(x: Any, rank: Any, message: Any = None, name: Any = None) -> None:
    """Raise ValueError unless `x` has at least `rank` axes."""
    k = _rank(rank)
    _demand_rank(x, natural(x).value.ndim >= k, f"at least {k}", message)


@export("debugging.assert_rank_in")
def assert_rank_in(x: Any, ranks: Any, message: Any = None, name: Any = None) -> None:
    """Raise ValueError unless the number of axes of `x` is one of `ranks`."""
    if not hasattr(ranks, "__iter__"):
        raise RefusedType(
            three_part(
                f"ranks is {ranks!r:.60}, and not a list.",
                f"Claimed at {decode(*here())}.",
                "Pass a list, or use tf.debugging.assert_rank(x, rank).",
            )
        )
    found = tuple(map(_rank, ranks))
    _demand_rank(x, natural(x).value.ndim in found, f"in {found}", message)


@export("debugging.assert_scalar")
def assert_scalar(tensor: Any, message: Any = None, name: Any = None) -> None:
    """Raise ValueError unless a tensor is 0-d."""
    t = natural(tensor)
    if t.value.ndim:
        raise _shape_fails(f"Expected scalar shape, saw shape: {t.value.shape}.", message)


@export("debugging.assert_shapes")
def assert_shapes(
    shapes: Any, data: Any = None, summarize: Any = None, message: Any = None, name: Any = None
) -> None:
    """Raise ValueError unless tensors have shapes such as `("N", 3)`, a letter one length.

    `None` is any length; `...` or "*" in the first place any number of axes.
    """
    pairs = list(shapes.items()) if isinstance(shapes, dict) else list(shapes)
    sizes: dict[Any, int] = {}
    for x, wanted in pairs:
        shape = natural(x).value.shape
        symbols = list(wanted) if isinstance(wanted, str | list | tuple) else [wanted]
        rest = [i for i, s in enumerate(symbols) if s is ... or s == "*"]
        if rest not in ([], [0]):
            raise _shape_fails(f"... stands first in a shape, once: {wanted!r}.", message)
        symbols = [s for i, s in enumerate(symbols) if i not in rest]
        if len(shape) != len(symbols) and not (rest and len(shape) > len(symbols)):
            raise _shape_fails(
                f"Tensor must have rank {len(symbols)}. Received rank {len(shape)}, shape {shape}.",
                message,
            )
        part = shape[len(shape) - len(symbols) :]
        for symbol, length in zip(symbols, part, strict=True):
            if symbol is None or symbol == ".":
                continue
            number = symbol if isinstance(symbol, int | np.integer) else sizes.get(symbol)
            if number is None:
                sizes[symbol] = length
            elif number != length:
                raise _shape_fails(
                    f"Tensor of shape {shape}: the length {symbol!r} must be {number}, and is "
                    f"{length}.",
                    message,
                )


# ----------------------------------------------------------------------- types


def _wrong_type(fact: str, message: Any = None) -> RefusedType:
    said = f"{message}: {fact}" if message else fact
    return RefusedType(
        three_part(said, f"Claimed at {decode(*here())}.", "tf.cast the tensor, or mend the claim.")
    )


@export("debugging.assert_type")
def assert_type(tensor: Any, tf_type: Any, message: Any = None, name: Any = None) -> None:
    """Raise TypeError unless a tensor has a dtype."""
    dtype = natural(tensor).dtype
    if dtype != as_dtype(tf_type):
        raise _wrong_type(f"tensor must be of type {as_dtype(tf_type)!r}; got {dtype!r}.", message)


@export("debugging.assert_integer")
def assert_integer(x: Any, message: Any = None, name: Any = None) -> None:
    """Raise TypeError unless a tensor holds whole numbers."""
    dtype = natural(x).dtype
    if not dtype.is_integer:
        raise _wrong_type(f"Expected x to be integer type. Found: {dtype!r}.", message)


@export("debugging.assert_proper_iterable")
def assert_proper_iterable(values: Any) -> None:
    """Raise TypeError for what is not iterable, and for text, arrays and tensors."""
    if isinstance(values, str | bytes | np.ndarray | Tensor | Variable):
        raise _wrong_type(f'Expected a "proper" iterable. Found: {type(values)}.')
    if not hasattr(values, "__iter__"):
        raise _wrong_type(f"Expected argument to be iterable. Found: {type(values)}.")


@export("debugging.assert_same_float_dtype")
def assert_same_float_dtype(tensors: Any = None, dtype: Any = None) -> Any:
    """The floating dtype that all tensors have; ValueError if they differ."""
    found = None if dtype is None else as_dtype(dtype)
    for t in tensors or ():
        kind = natural(t).dtype
        if found is not None and kind != found:
            raise _shape_fails(f"{kind!r} must be of the same type ({found!r}).", None)
        found = kind
    found = found or DTYPES["float32"]
    if not found.is_floating:
        raise _shape_fails(f"Expected floating point type, got {found!r}.", None)
    return found


@export("debugging.is_numeric_tensor")
def is_numeric_tensor(tensor: Any) -> bool:
    """Whether `tensor` is a tensor of numbers; a Variable is none."""
    return isinstance(tensor, Tensor) and tensor.dtype.is_numeric


# ----------------------------------------------------------------------- values


@op("debugging.check_numerics")
def check_numerics(tensor: Any, message: Any, name: Any = None) -> Any:
    """The tensor; InvalidArgumentError if it holds a nan or an inf."""
    return _finite(tensor, message)


@op("debugging.assert_all_finite")
def assert_all_finite(x: Any, message: Any, name: Any = None) -> Any:
    """The tensor; InvalidArgumentError if it holds a nan or an inf."""
    return _finite(x, message)


def _finite(x: Any, message: Any) -> Any:
    t = natural(x)
    allow("CheckNumerics", t, FLOATS)
    if not np.isfinite(t.value).all():
        what = [w for w, f in (("NaN", np.isnan), ("Inf", np.isinf)) if f(t.value).any()]
        raise _fails(f"Tensor had {' and '.join(what)} values.", message)
    return t


@export("debugging.enable_check_numerics")
def enable_check_numerics(stack_height_limit: Any = 30, path_length_limit: Any = 50) -> None:
    """From now on, in this thread, InvalidArgumentError for each result that holds inf or nan.

    So too for a gradient. Functions that only move values (`reshape`, `concat`) are not looked at.
    """
    numerics.ask(True)


@export("debugging.disable_check_numerics")
def disable_check_numerics() -> None:
    """Let this thread compute inf and nan again."""
    numerics.ask(False)


@export("debugging.Assert", "Assert")
def Assert(condition: Any, data: Any, summarize: Any = None, name: Any = None) -> None:
    """Raise InvalidArgumentError, with `data`, if a condition is false."""
    value = np.asarray(natural(condition).value)
    # as TensorFlow does eagerly: of several values, whether there are any
    if not (bool(value) if value.size < 2 else True):
        items = data if isinstance(data, list | tuple) else [data]
        shown = " ".join(str(natural(item).value) for item in items)
        raise invalid(
            f"Expected '{condition}' to be true. Summarized data: {shown}",
            f"Claimed at {decode(*here())}.",
            "Look at the data, or leave the claim out.",
        )
