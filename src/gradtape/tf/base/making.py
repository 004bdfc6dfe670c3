"""How a function of the dialect is made: names, operands, dtypes and errors around the core's own.

Two ways, both lines in a family's file:

- `unary(names, np.sin, FLOAT)` and `binary(names, np.add, NUMBER)`: elementwise functions of one
  and two tensors, on the fast path.
- `@op("reduce_sum", "math.reduce_sum")` on a body with TensorFlow's signature, which takes its
  operands with `native(x)`, calls NumPy functions on them and returns what they return.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ...core.card import Card
from ...core.dialect import Dialect, Never
from ...core.dispatch import apply
from ...core.exits import came_back
from ...core.fast import FASTER, make_binary, make_unary
from ...core.numbers import DOUBLE, SINGLE, doubles, number, singles
from ...core.positions import decode, here
from ...core.registry import CARDS, HOOKS
from ...core.state import state
from ...core.sweep import quiet
from ...errors import three_part
from . import numerics
from .dtypes import BFLOAT16, BY_CHAR
from .errors import LOWER, RefusedType, invalid, refuse
from .names import export
from .promotion import (
    Bfloat16Operand,
    bare,
    convert,
    native,
    natural,
    to_dtype,
    unify,
    wants_float32,
)
from .quiet import quietly
from .tensors import Tensor, adopt, make
from .variables import Variable

__all__ = ["BFLOAT16", "BOOL", "COMPLEX", "EVERY", "FLOAT", "INTEGER", "NUMBER", "REAL",
           "SIGNED", "adopt", "allow", "bare", "binary", "convert", "export", "native", "natural",
           "op", "unary", "unify", "wants_float32"]  # fmt: skip

# Characters of NumPy's dtypes: which a function takes.
# None of them holds bfloat16, of which `wants_float32` takes care; a body that computes with it
# as it is (`bare`) allows `NUMBER + BFLOAT16`.
BOOL, FLOATS, COMPLEX = "?", "efd", "FD"
_INT, _UNSIGNED = "bhil", "BHIL"
INTEGER = _INT + _UNSIGNED
FLOAT = FLOATS + COMPLEX  # what sin takes
REAL = FLOATS + INTEGER
NUMBER = REAL + COMPLEX
SIGNED = FLOATS + _INT + COMPLEX
EVERY = NUMBER + BOOL


ndarray = np.ndarray
_REAL = frozenset([SINGLE, DOUBLE])
_EXACT = 1 << 24  # whole numbers up to here are numbers of float32
_SMALL = 1 << 16  # bytes; larger arrays are not converted anew at each use without need


def _dialect(name: str, dtypes: str, rule: str, widen: Any) -> Dialect:
    def general(card: Card, function: Any, fast: Any) -> Any:
        return functools.partial(_general, name, dtypes, rule, widen, card, fast)

    return Dialect(
        tensor=Tensor, variable=Variable, held=True, view=Never, scalars=frozenset(),
        array=Never, general=general,
        refuse=lambda error, _, args, kwargs=None: refuse(error, name, args, kwargs),
        plain_x=_plain_value if rule == "by_tensor" else None, plain_y=_plain_value, around=quietly,
    )  # fmt: skip


def _plain_value(x: Any, kind: Any, other: Any) -> Any:
    """A Python number or a small array of floats in the floating dtype of the other operand.

    None for everything else, which `unify` looks at.
    """
    dtype = other.dtype
    if kind is float:
        found = singles.get(x) if dtype is SINGLE else doubles.get(x) if dtype is DOUBLE else None
        if found is None and (dtype is SINGLE or dtype is DOUBLE):
            found = number(x, dtype)
        return found[()] if type(found) is ndarray else None
    if kind is int:
        return dtype.type(x) if dtype in _REAL and -_EXACT <= x <= _EXACT else None
    if kind is ndarray and x.ndim and x.nbytes <= _SMALL and x.dtype in _REAL and dtype in _REAL:
        return to_dtype(x, dtype)
    return None


def _general(
    name: str, dtypes: str, rule: str, widen: Any, card: Card, fast: Any, args: Any, depth: int = 1
) -> Any:
    """A call that the fast path leaves: operands to convert, a dtype to refuse, several tapes."""
    operands = unify(name, args, rule)
    if operands[0].value.dtype.char == BFLOAT16 and "f" in dtypes:
        return _in_float32(name, card, fast, operands, args, depth + 1)
    if widen is not None and operands[0].value.dtype.char in widen:
        target = np.dtype(widen[operands[0].value.dtype.char])
        operands = [make(x.value.astype(target)) for x in operands]
    allow(name, operands[0], dtypes, rule)
    if any(a is not b for a, b in zip(operands, args, strict=True)):
        out = fast(*operands, None, depth + 2)
        if out.key and state.tape is not None and state.tape.exits is not None:
            came_back(state.tape, out.key, card, *[x for x in args if type(x) is not Variable])
        return out
    with quiet():
        try:
            found = adopt(apply(card, tuple(map(native, operands)), {}))
        except LOWER as error:
            refuse(error, name, args)
    if numerics.wanted():
        numerics.look(name, found, args)
    return found


def _in_float32(name: str, card: Card, fast: Any, operands: Any, args: Any, depth: int) -> Any:
    """A call with operands of bfloat16."""
    from . import bfloat16  # few calls have any

    bfloat16.check(name)
    steps = bfloat16.in_steps(name or card.name)
    if steps is not None:
        return steps(*operands)
    with quiet():
        try:
            out = adopt(apply(bfloat16.twin(card), tuple(map(bare, operands)), {}))
        except LOWER as error:
            refuse(error, name, args)
    if out.key and state.tape is not None and state.tape.exits is not None:
        came_back(state.tape, out.key, card, *[x for x in args if type(x) is not Variable])
    found = bfloat16.narrowed(out)
    if numerics.wanted():
        numerics.look(name, found, args)
    return found


def allow(name: str, x: Any, dtypes: str, rule: str = "", place: int = 0) -> None:
    """Refuse an operand of a dtype that the function does not take."""
    char = x.value.dtype.char
    if char not in dtypes:
        if "f" in dtypes:
            wants_float32(x)
        allowed = ", ".join(BY_CHAR[c].name for c in dtypes)
        if rule == "by_division":
            raise RefusedType(
                three_part(
                    f"{name}: Invalid dtype {BY_CHAR[char]!r} in a true division.",
                    f"Called at {decode(*here())}.",
                    "Cast it: tf.cast(x, tf.float32).",
                )
            )
        if len(dtypes) == 1:
            raise invalid(
                f"cannot compute {name} as input #{place}(zero-based) was expected to be a "
                f"{allowed} tensor but is a {x.dtype.name} tensor.",
                f"Called at {decode(*here())}.",
                f"Cast it: tf.cast(x, tf.{allowed}).",
            )
        raise invalid(
            f"{name}: a value of {x.dtype.name} is not in the list of allowed values: {allowed}.",
            f"Called at {decode(*here())}.",
            f"Cast it: tf.cast(x, tf.{BY_CHAR[dtypes[0]].name if 'f' not in dtypes else 'float32'}"
            ").",
        )


def unary(names: str, function: Any, dtypes: str, *, card: str | None = None) -> Any:
    """Register the elementwise function of one tensor, `f(x, name=None)`, under its `names`.

    `function` is the ufunc whose card does the work (or `card` names it); `dtypes` the characters
    of the dtypes that TensorFlow takes.
    """
    return _elementwise(names, function, dtypes, "by_tensor", None, card, make_unary)


def binary(
    names: str,
    function: Any,
    dtypes: str,
    rule: str = "by_tensor",
    *,
    widen: dict[str, str] | None = None,
    card: str | None = None,
    kernel: Any = None,
) -> Any:
    """Register the elementwise function of two tensors, `f(x, y, name=None)`.

    `rule` is one of `promotion.py`'s; `widen` the dtypes that are cast, and to what; `kernel`
    computes the value where `function` is not exactly TensorFlow's.
    """
    return _elementwise(names, function, dtypes, rule, widen, card, make_binary, kernel)


def _elementwise(
    names: str,
    function: Any,
    dtypes: str,
    rule: str,
    widen: Any,
    card: str | None,
    maker: Any,
    kernel: Any = None,
) -> Any:
    public = names.split()  # none for what only an operator calls
    title = public[0] if public else card or function.__name__
    found = CARDS[card or function.__name__]
    allowed = frozenset(dtypes)
    out: Any
    if found.kind == "nondifferentiable":
        out = _plain(title, found, dtypes, rule, function.nin)
    else:
        run = quietly(kernel or FASTER.get(function, found.impl), found.arity)
        out = maker(found, run, _dialect(title, dtypes, rule, widen), allowed)
    out.__name__ = out.__qualname__ = title.rpartition(".")[2]
    return export(*public)(out)


def _plain(name: str, card: Card, dtypes: str, rule: str, arity: int) -> Any:
    """A function without derivative: its results say so, if a gradient is asked of them."""
    operation = HOOKS[f"op:{card.name}"]

    def run(*args: Any) -> Any:
        operands = unify(name, args, rule)
        if operands[0].value.dtype.char == BFLOAT16 and "f" in dtypes:
            from . import bfloat16

            bfloat16.check(name)
            return bfloat16.narrowed(run(*map(bfloat16.widened, operands)))
        allow(name, operands[0], dtypes, rule)
        with quiet():
            try:
                found = adopt(operation(*map(native, operands)))
            except LOWER as error:
                refuse(error, name, args)
        if numerics.wanted():
            numerics.look(name, found, args)
        return found

    if arity == 1:
        return lambda x, name=None: run(x)
    return lambda x, y, name=None: run(x, y)


def op(*names: str, errors: Any = None) -> Callable[[Any], Any]:
    """A function of the dialect under `names`, from a body that works on the core's Tensors.

    What the body returns becomes tf.Tensors. What NumPy or the core refuses becomes `errors`
    (`ValueError`, `TypeError`), or by default InvalidArgumentError, and TypeError for types.
    """

    def decorate(body: Any) -> Any:
        title = names[0] if names else body.__name__.strip("_")

        @functools.wraps(body)
        def function(*args: Any, **kwargs: Any) -> Any:
            with quiet():
                try:
                    found = adopt(body(*args, **kwargs))
                except Bfloat16Operand:
                    from .bfloat16 import again

                    return again(function, title, args, kwargs)
                except LOWER as error:
                    if _is_a_call_mistake(error, body):
                        raise
                    refuse(error, title, args, kwargs, errors)
            if numerics.wanted():
                numerics.look(title, found, args)
            return found

        function.__qualname__ = function.__name__
        return export(*names)(function)

    return decorate


def _is_a_call_mistake(error: Exception, body: Any) -> bool:
    """Whether the arguments did not fit the signature: Python's TypeError names what is wrong."""
    trace = error.__traceback__
    return isinstance(error, TypeError) and trace is not None and trace.tb_next is None
