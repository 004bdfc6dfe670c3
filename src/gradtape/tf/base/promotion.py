"""Which dtype an operand takes: TensorFlow's rules, written down in one place.

- On its own (`convert(x)`): a Python float is float32, an int int32 (int64 where it does not
  fit), a complex complex128; an ndarray or NumPy scalar keeps its dtype; a sequence takes that of
  its first leaf, where a Python float among ints makes float32.
- Asked for a dtype (`convert(x, dtype)`): an ndarray or NumPy scalar is cast, whatever is lost; a
  Python number must be of a kind that fits (a float is no int: TypeError); a Tensor or Variable of
  another dtype is a ValueError.
- Beside other operands (`unify`): a tensor or Variable never changes. By the rule of most
  functions (`by_tensor`), the first tensor decides, and where there is none the first operand;
  the others are asked for its dtype. By that of `tf.add`, `+` and the divisions (`by_first`), the
  first operand decides, tensor or not, and a later one that cannot have the dtype keeps its own. A
  mismatch that remains is an InvalidArgumentError (a TypeError for divisions).
- By `by_force`, the first operand decides, and the others are asked for its dtype: a ValueError
  for a tensor of another.
- By `by_truth`, that of the logical functions, all are asked for bool; by `by_product`, that of
  `*`, all become bool where one is a tensor of bool.
- A reflected operator (`2.0 + t`) asks its left operand for the dtype of the tensor.

`tests/tf/tables/promotion.json` holds TensorFlow's answers for all pairs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, NoReturn

import numpy as np

from ...core import tensor as core
from ...core.aval import INEXACT
from ...core.positions import decode, here
from ...core.state import next_key, state
from ...core.symbol import Symbol
from ...errors import three_part
from .dtypes import BFLOAT16, DType, as_dtype, is_bfloat16, kind_of
from .errors import KINDS, RefusedType, RefusedValue, invalid
from .quiet import quietly
from .shapes import TensorShape
from .tensors import Tensor, Traced, make
from .variables import Variable

ndarray = np.ndarray
_INT32, _INT64 = np.dtype(np.int32), np.dtype(np.int64)
_FLOAT32 = np.dtype(np.float32)
_USUAL = frozenset([_FLOAT32, np.dtype(np.float64)])
_OBJECT = np.dtype(object)
_NUMBERS = {float: _FLOAT32, int: _INT32, bool: np.dtype(bool), complex: np.dtype(complex)}
# the kinds of dtype that a Python number of a type fits into; of True, the dtypes (as it happens)
_FITS = {bool: "bf", int: "iufc", float: "fc", complex: "c"}
_TRUE_FITS = frozenset(map(np.dtype, "?efdilLqQD"))
_CANONICAL = {np.dtype(c).char: np.dtype(np.dtype(c).type(0).dtype.str) for c in "qQ"}
_CPP = {"float32": "float", "float64": "double", "float16": "half"}  # TensorFlow's C++ names


def convert(x: Any, dtype: Any = None, hint: Any = None) -> Tensor:
    """`x` as a tf.Tensor, with the history that it has; `hint` is a dtype to try first."""
    kind = type(x)
    if (kind is Tensor or kind is Traced) and dtype is None:
        return x  # type: ignore[no-any-return]
    if dtype is not None:
        target = getattr(dtype, "numpy_dtype", None)
        if kind is ndarray and x.ndim and x.dtype in _USUAL and target in _USUAL:
            return make(to_dtype(x, target))
        return _as(x, as_dtype(dtype).held())
    if hint is not None and not isinstance(x, core.Tensor) and kind is not Variable:
        try:
            return _as(x, as_dtype(hint).held())
        except (TypeError, ValueError):
            pass
    return natural(x)


def natural(x: Any) -> Tensor:
    """`x` as a tf.Tensor of the dtype that it has on its own."""
    kind = type(x)
    if kind is Tensor or kind is Traced:
        return x  # type: ignore[no-any-return]
    if kind is Variable or isinstance(x, Variable):
        return x.value()  # type: ignore[no-any-return]
    if isinstance(x, core.Tensor):
        return make(_ours(x.read()), x.key, x.why)
    if kind in _NUMBERS:
        return make(_scalar(x))
    if isinstance(x, np.generic | ndarray):
        return make(_of_array(x))
    if isinstance(x, str | bytes):
        return make(np.array(_bytes(x), dtype=object))
    if isinstance(x, TensorShape):
        return make(np.array(x.as_list(), np.int32))
    if isinstance(x, DType):
        return make(np.int32(x.as_datatype_enum))
    if isinstance(x, list | tuple | range):
        return _of_sequence(x, None)
    if type(x) is Symbol:
        return make(x.cut())
    if hasattr(x, "__tf_tensor__"):
        return x.__tf_tensor__()  # type: ignore[no-any-return]
    base: Any = next((c for c in (int, float, complex) if isinstance(x, c)), None)
    if base is not None:  # a subclass, as an IntEnum
        return make(_scalar(base(x)))
    if hasattr(x, "__array__"):
        return make(_of_array(np.asarray(x)))
    _unknown(x)


def _as(x: Any, dtype: np.dtype[Any]) -> Tensor:
    """`x` as a tf.Tensor of `dtype`."""
    kind = type(x)
    if kind is Tensor or isinstance(x, core.Tensor | Variable):
        t = natural(x)
        if t.value.dtype != dtype:
            raise RefusedValue(
                three_part(
                    f"Tensor conversion requested dtype {dtype.name} for Tensor with dtype "
                    f"{t.value.dtype.name}: {t!r:.200}.",
                    f"Called at {decode(*here())}; a tensor does not change its dtype by itself.",
                    f"Cast it: tf.cast(x, tf.{dtype.name}).",
                )
            )
        return t
    if kind in _FITS:
        if dtype not in _TRUE_FITS if kind is bool else kind_of(dtype) not in _FITS[kind]:
            _misfit(x, dtype)
        if kind is int and dtype.kind in "iu":
            with np.errstate(all="ignore"):
                return make(np.array(x & (2**64 - 1), np.uint64).astype(dtype)[()])
        return make(dtype.type(x))
    if isinstance(x, np.generic | ndarray):
        array = _of_array(x)
        if array.dtype == dtype:
            return make(array)
        if (array.dtype == _OBJECT) != (dtype == _OBJECT):
            _misfit(x, dtype)
        return make(core.settled(_cast(array, dtype)))
    if isinstance(x, str | bytes):
        if dtype != _OBJECT:
            _misfit(x, dtype)
        return natural(x)
    if isinstance(x, list | tuple | range) and not isinstance(x, TensorShape):
        return _of_sequence(x, dtype)
    t = natural(x)
    return t if t.value.dtype == dtype else make(core.settled(_cast(t.value, dtype)))


def _cast(value: Any, dtype: np.dtype[Any]) -> Any:
    if value.dtype.kind == "c" and dtype.kind not in "cb":
        value = value.real
    return to_dtype(value, dtype)


to_dtype = quietly(lambda value, dtype: value.astype(dtype), 2)  # always a copy


def _scalar(x: Any) -> Any:
    kind = type(x)
    if kind is int:
        if -(2**31) <= x < 2**31:
            return np.int32(x)
        if not -(2**63) <= x < 2**63:
            _out_of_range(x)
        return np.int64(x)
    return _NUMBERS[kind].type(x)


def _ours(value: Any) -> Any:
    """`value` with the one dtype object of its kind: the closures compare them by identity."""
    dtype = value.dtype
    if dtype.char in _CANONICAL:
        return value.astype(_CANONICAL[dtype.char])
    return value if dtype.isnative else value.astype(dtype.newbyteorder("="))


def _of_array(x: Any) -> Any:
    """A copy of an ndarray of the user's, or a NumPy scalar, as a Tensor holds it."""
    if type(x) is not ndarray and isinstance(x, ndarray):
        x = np.asarray(x)
    if x.dtype.kind in "biufc" and x.dtype.itemsize <= 16 and x.dtype.char not in "gG":
        return (
            core.settled(np.array(x))
            if x.dtype.isnative and x.dtype.char not in _CANONICAL
            else core.settled(np.asarray(_ours(x)))
        )
    if is_bfloat16(x.dtype):
        return core.settled(np.array(x))
    if x.dtype.kind in "SU":
        return np.vectorize(_bytes, otypes=[object])(x)
    if x.dtype == _OBJECT:
        leaves = x.reshape(-1).tolist()
        if all(isinstance(leaf, str | bytes) for leaf in leaves):
            return np.array([_bytes(leaf) for leaf in leaves], object).reshape(x.shape)
    raise RefusedValue(
        three_part(
            f"Failed to convert a NumPy array to a Tensor (Unsupported object type "
            f"{type(x.flat[0]).__name__ if x.size else x.dtype}).",
            f"Called at {decode(*here())} with an array of {x.dtype}.",
            "Convert it first: np.asarray(x, dtype=np.float32).",
        )
    )


def _bytes(x: Any) -> bytes:
    return x.encode() if isinstance(x, str) else bytes(x)


# ----------------------------------------------------------------------- sequences


def _leaves(x: Any) -> Iterator[Any]:
    for item in x:
        if isinstance(item, list | tuple | range) and not isinstance(item, TensorShape):
            yield from _leaves(item)
        else:
            yield item


def _of_sequence(x: Any, dtype: Any) -> Tensor:
    leaves = list(_leaves(x))
    if any(isinstance(leaf, core.Tensor | Variable) for leaf in leaves):
        return _packed(x, leaves, dtype)
    if dtype is None:
        dtype = _common(leaves)
    else:
        for leaf in leaves:
            _check_leaf(x, leaf, dtype)
    if dtype == _OBJECT:
        return _strings(x)
    if dtype.kind in "iu" and any(type(leaf) is int for leaf in leaves):
        x = np.array(x, dtype=object)
        with contextlib.suppress(OverflowError, TypeError, ValueError):
            x = x.astype(np.int64)
    try:
        array = np.array(x)
        if array.dtype == _OBJECT and array.size:
            array = np.array(x, dtype=dtype)
    except (ValueError, TypeError):
        raise RefusedValue(
            three_part(
                "Can't convert non-rectangular Python sequence to Tensor.",
                f"Called at {decode(*here())}: the parts of the sequence have different lengths.",
                "Pad the rows to one length.",
            )
        ) from None
    return make(core.settled(_cast(array, dtype)))


def _strings(x: Any) -> Tensor:
    array = np.array(x, dtype=object)
    return make(np.array([_bytes(s) for s in array.reshape(-1)], object).reshape(array.shape))


def _common(leaves: list[Any]) -> np.dtype[Any]:
    """The dtype of a sequence of plain values: that of the first, or float32 after ints."""
    if not leaves:
        return _FLOAT32
    first = leaves[0]
    if isinstance(first, ndarray | np.floating | np.complexfloating) or _is_half(first):
        strong: np.dtype[Any] = _ours(np.zeros((), first.dtype)).dtype
        return strong
    kinds = {_kind_of(leaf) for leaf in leaves}
    if kinds == {"b"}:
        return _NUMBERS[bool]
    if kinds == {"s"}:
        return _OBJECT
    if kinds == {"c"}:
        return _NUMBERS[complex]
    if kinds == {"i"}:
        numbers = [leaf for leaf in leaves if isinstance(leaf, int | np.integer)]
        if any(not -(2**63) <= int(n) < 2**63 for n in numbers):
            _out_of_range(max(numbers, key=lambda n: abs(int(n))))
        return _INT32 if all(-(2**31) <= int(n) < 2**31 for n in numbers) else _INT64
    if kinds <= {"i", "f"}:
        return _FLOAT32
    raise RefusedValue(
        three_part(
            "Can't convert Python sequence with mixed types to Tensor.",
            f"Called at {decode(*here())}; it holds "
            f"{', '.join(sorted({type(leaf).__name__ for leaf in leaves}))}.",
            "Make all elements numbers of one kind.",
        )
    )


def _is_half(leaf: Any) -> bool:
    return isinstance(leaf, np.generic) and is_bfloat16(leaf.dtype)


def _kind_of(leaf: Any) -> str:
    if isinstance(leaf, bool | np.bool_):
        return "b"
    if isinstance(leaf, int | np.integer):
        return "i"
    if isinstance(leaf, float | np.floating) or _is_half(leaf):
        return "f"
    if isinstance(leaf, complex | np.complexfloating):
        return "c"
    if isinstance(leaf, str | bytes):
        return "s"
    if isinstance(leaf, ndarray):
        return kind_of(leaf.dtype) if kind_of(leaf.dtype) in "bfc" else "i"
    return type(leaf).__name__


def _check_leaf(x: Any, leaf: Any, dtype: np.dtype[Any]) -> None:
    if isinstance(leaf, ndarray):
        return
    if _kind_of(leaf) == "b" and dtype in _TRUE_FITS:
        return
    kind = {"b": "", "i": "iufc", "f": "fc", "c": "c", "s": "O"}.get(_kind_of(leaf), "")
    if kind_of(dtype) not in kind:
        if kind == "" and leaf is None:
            _unknown(leaf)
        _misfit(x, dtype)


def _packed(x: Any, leaves: list[Any], dtype: Any) -> Tensor:
    """A sequence that holds tensors: stacked, with the history of each."""
    found = natural(next(t for t in leaves if isinstance(t, core.Tensor | Variable)))
    wanted, dtype = dtype, found.value.dtype

    def build(part: Any) -> Any:
        if isinstance(part, list | tuple):
            return np.stack([build(p) for p in part])
        x = bare(_as(part, dtype))
        return x if wanted is None or wanted == dtype else x.astype(wanted)

    from .tensors import adopt

    try:
        return adopt(build(x))  # type: ignore[no-any-return]
    except RefusedValue as error:
        if "requested dtype" not in str(error):
            raise
        t = next(t for t in map(natural, leaves) if t.value.dtype != dtype)
        raise mismatch("Pack", "i", dtype, t.value.dtype, leaves.index(leaves[-1])) from None


# ----------------------------------------------------------------------- several operands


def unify(name: str, operands: Any, rule: str = "by_tensor") -> list[Tensor]:
    """`operands` as tf.Tensors of one dtype; InvalidArgumentError where tensors differ."""
    if rule == "by_truth":
        return _truths(name, operands)
    if rule == "by_product":
        rule = "by_tensor"
        pair = natural(operands[0]), operands[1]
        if any(isinstance(x, Tensor) and x.value.dtype == bool for x in pair):
            return [make(_as_truth(natural(x).value)) for x in operands]
    decider = operands[0]
    if rule == "by_tensor":
        for x in operands:
            if isinstance(x, core.Tensor) or (type(x) is Variable and decider is operands[0]):
                decider = x
                if type(x) is not Variable:
                    break
        if type(decider) is Variable and not isinstance(operands[0], Variable):
            _beside_variable(operands[0], decider)
    first = natural(decider)
    dtype = first.value.dtype
    out: list[Tensor] = []
    for i, x in enumerate(operands):
        if x is decider:
            t = first
        elif rule == "by_force":
            t = _as(x, dtype)
        elif rule == "by_tensor":
            t = natural(x) if isinstance(x, core.Tensor | Variable) else _as(x, dtype)
        else:
            t = convert(x, hint=dtype)
        if t.value.dtype != dtype:
            if rule == "by_division":
                raise RefusedType(
                    three_part(
                        f"`x` and `y` must have the same dtype, got {first.dtype!r} != "
                        f"{t.dtype!r}.",
                        f"{name} was called at {decode(*here())}.",
                        f"Cast one of them: tf.cast(y, {first.dtype!r}).",
                    )
                )
            raise mismatch(name, "xyz"[i] if i < 3 else "t", dtype, t.value.dtype, i)
        out.append(t)
    return out


def _beside_variable(x: Any, variable: Any) -> None:
    """Refuse a plain first operand for whose dtype TensorFlow asks the Variable after it.

    A Python number (np.float64 is one) and an array turn into the dtype of the Variable by
    themselves; of others it asks what they are, and then the Variable for that.
    """
    at_once = isinstance(x, int | float | ndarray)
    if not at_once and natural(x).value.dtype != variable.held.value.dtype:
        _as(variable, natural(x).value.dtype)  # raises


def _truths(name: str, operands: Any) -> list[Tensor]:
    """The operands of a logical function: tensors of bool, and what turns into one."""
    for x in operands:
        if type(x) in (int, float):
            _misfit(x, _NUMBERS[bool])
    # TensorFlow converts these at once; anything else makes it ask for bool one by one
    ready = core.Tensor | Variable | bool | ndarray | np.float64
    at_once = all(isinstance(x, ready) for x in operands)
    out = []
    for i, x in enumerate(operands):
        is_tensor = isinstance(x, core.Tensor | Variable)
        t = natural(x) if is_tensor and at_once else _as(x, _NUMBERS[bool])
        if t.value.dtype != bool:
            raise mismatch(name, "xy"[i], _NUMBERS[bool], t.value.dtype, i)
        out.append(t)
    return out


def _as_truth(value: Any) -> Any:
    """`value` through int32 to bool: 0.5 is false."""
    if value.dtype == _OBJECT:
        raise KINDS["UnimplementedError"](
            None,
            None,
            three_part(
                "Cast string to int32 is not supported.",
                f"Called at {decode(*here())}.",
                "Multiply numbers.",
            ),
        )
    return _cast(_cast(value, _INT32), _NUMBERS[bool])


def mismatch(name: str, operand: str, dtype: Any, found: Any, place: int) -> Any:
    """The error for a tensor of dtype `found` where one of `dtype` is needed."""
    wanted, given = _CPP.get(dtype.name, dtype.name), _CPP.get(found.name, found.name)
    return invalid(
        f"cannot compute {name} as input #{place}(zero-based) was expected to be a {wanted} tensor "
        f"but is a {given} tensor.",
        f"Called at {decode(*here())}; a tensor does not change its dtype by itself.",
        f"Cast it: tf.cast({operand}, tf.{dtype.name}).",
    )


# ----------------------------------------------------------------------- to the core


class Bfloat16Operand(Exception):
    """Raised by `native` where a body meets bfloat16; `bfloat16.py` runs it again in float32."""


def wants_float32(t: Tensor) -> None:
    """Have the body that asks run again in float32, if `t` is of bfloat16."""
    if t.value.dtype.char == BFLOAT16:
        raise Bfloat16Operand


def native(x: Any, dtype: Any = None, hint: Any = None) -> Any:
    """`x` as a Tensor of the core's class, for a NumPy function: no copy, the same history."""
    t = x if type(x) is Tensor and dtype is None else convert(x, dtype, hint)
    char = t.value.dtype.char
    if char == BFLOAT16:
        raise Bfloat16Operand
    if not t.key and t.why is None and state.tape is not None and char in INEXACT:
        t.key = next_key()  # so that its results can tell, if it is watched later
    return core.new_traced(t.value, t.key, t.why)


def bare(x: Any, dtype: Any = None, hint: Any = None) -> Any:
    """As `native`, of bfloat16 too: for what moves values, or rounds after each of its steps."""
    t = x if type(x) is Tensor and dtype is None else convert(x, dtype, hint)
    if not t.key and t.why is None and state.tape is not None and t.value.dtype.char in INEXACT:
        t.key = next_key()
    return core.new_traced(t.value, t.key, t.why)


# ----------------------------------------------------------------------- refusals


def _misfit(x: Any, dtype: np.dtype[Any]) -> NoReturn:
    name = _CPP.get(dtype.name, dtype.name)
    raise RefusedType(
        three_part(
            f"Cannot convert {x!r:.100} to EagerTensor of dtype {name}.",
            f"Called at {decode(*here())}; the value is of another kind than {dtype.name}.",
            "Make the tensor floating, tf.cast(x, tf.float32), or pass a number of its kind.",
        )
    )


def _unknown(x: Any) -> NoReturn:
    raise RefusedValue(
        three_part(
            f"Attempt to convert a value ({x!r:.100}) with an unsupported type ({type(x)}) to a "
            "Tensor.",
            f"Called at {decode(*here())}.",
            "Pass a number, an array, a list of numbers or a tensor.",
        )
    )


def _out_of_range(x: Any) -> NoReturn:
    raise RefusedValue(
        three_part(
            "Can't convert Python sequence with out-of-range integer to Tensor.",
            f"{x} does not fit int64.",
            "Pass it as a float.",
        )
    )
