"""What NumPy refuses, said in our three parts: `refuse` turns its exception into one of ours.

NumPy's message names neither the user's line nor, often, the operands. Where a public door meets
an exception of NumPy's it calls `refuse`, which raises the one to give instead; nothing is paid
while all is well. That one is still an instance of the builtin, or of the class, that NumPy raised.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from ..errors import DTypeError, GradtapeError, ShapeError, three_part
from .aval import aval_of
from .positions import decode, here, is_internal

__all__ = ["LOWER", "ArgumentTypeError", "ArgumentValueError", "AxisError", "OutOfRangeError",
           "door", "name_of", "refuse", "stays_here"]  # fmt: skip


class OutOfRangeError(ShapeError, IndexError):
    """An index that does not exist, or that is no index."""


class AxisError(ShapeError, np.exceptions.AxisError):
    """An axis that does not exist."""


class LinAlgError(GradtapeError, np.linalg.LinAlgError):
    """A matrix that has no such decomposition, inverse or solution."""


class ArgumentValueError(GradtapeError, ValueError):
    """A value that an argument does not take."""


class ArgumentTypeError(GradtapeError, TypeError):
    """An argument that does not exist, or is of a type that it does not take."""


class NumberRangeError(GradtapeError, OverflowError):
    """A number that the dtype does not hold."""


class DivisionError(GradtapeError, ZeroDivisionError):
    """A whole number divided by zero."""


# What NumPy raises for a mistake of the caller's; the first class that fits decides.
_CLASSES: dict[type[Exception], type[GradtapeError]] = {
    np.exceptions.AxisError: AxisError,
    np.linalg.LinAlgError: LinAlgError,
    IndexError: OutOfRangeError,
    ValueError: ArgumentValueError,
    TypeError: ArgumentTypeError,
    OverflowError: NumberRangeError,
    ZeroDivisionError: DivisionError,
}
LOWER = (ValueError, TypeError, IndexError, OverflowError, ZeroDivisionError)

_NAMES = {"power_of_number": "power"}  # cards that stand in for another

Said = tuple[str, str, str]  # fact without the name, what is added to the cause, remedy


def refuse(error: Exception, name: str, args: Any, kwargs: Any = None) -> NoReturn:
    """Raise ours in place of `error`, which NumPy raised for `name(*args, **kwargs)`.

    `error` itself where it is ours already or comes from a function of the user's.
    """
    if isinstance(error, GradtapeError) or str(error).count("\n") >= 2 or _is_users(error):
        raise error
    raise refusal(error, name, args, kwargs or {}) from None


def refusal(error: Exception, name: str, args: Any, kwargs: dict[str, Any]) -> GradtapeError:
    """Our exception that says what `error` says."""
    text, name = str(error), _NAMES.get(name, name)
    of, cls = next((of, c) for of, c in _CLASSES.items() if isinstance(error, of))
    said: Said = (text.strip().rstrip("."), "", _help(name))
    for pattern, better, say in _KINDS:
        match = re.search(pattern, text)
        if match:
            if better is not None and issubclass(better, of):
                cls = better
            said = say(match, name, [x for x in args if _is_shaped(x)])
            if say is _no_loop and any(isinstance(x, str | bytes) for x in args):
                said = ("an operand is text", "", "Make a number of it first: float(text).")
            break
    fact, cause, remedy = said
    given = {k: v for k, v in kwargs.items() if v is not None and v is not False}
    shown = [*map(_shown, args), *(f"{k}={_shown(v)}" for k, v in given.items())]
    place = f"Called at {decode(*here())} with {', '.join(shown)}."
    return cls(three_part(f"{name}: {fact}.", f"{place} {cause}".strip(), remedy))


def name_of(function: Any) -> str:
    """How a function of NumPy's is called behind `np.`."""
    name: str = getattr(function, "__name__", "operation")
    module = (getattr(function, "__module__", "") or "").rpartition(".")[2]
    return f"{module}.{name}" if module in ("linalg", "fft") else name


def _help(name: str) -> str:
    """Where to look when nothing better is known."""
    found: Any = np
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is None:
        return "Look at what went in: print(np.shape(x), np.result_type(x))."
    return f"See help(np.{name}) for what it takes."


def _is_users(error: Exception) -> bool:
    """Whether `error` was raised in a frame that is neither ours nor NumPy's."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return frame is not None and not is_internal(frame.tb_frame.f_code)


def _is_shaped(x: Any) -> bool:
    return hasattr(x, "shape") and hasattr(x, "dtype")


def _shown(x: Any) -> str:
    """An argument in a message: dtype and shape of what has them, the name of a Variable."""
    if _is_shaped(x):
        try:
            shown = repr(aval_of(x))
        except Exception:  # a foreign object whose shape or dtype is something else
            return type(x).__name__
        name = getattr(x, "name", None)
        return f"{shown} ({name!r})" if isinstance(name, str) else shown
    if isinstance(x, list | tuple) and any(map(_is_shaped, x)):
        parts = ", ".join(map(_shown, x[:4])) + (", ..." if len(x) > 4 else "")
        return f"[{parts}]" if isinstance(x, list) else f"({parts})"
    shown = f"{x!r:.40}"
    return shown if "\n" not in shown else type(x).__name__


# ----------------------------------------------------------------------- kinds of refusals


def _axis(match: re.Match[str], _name: str, operands: list[Any]) -> Said:
    axis, n = int(match[1]), int(match[2])
    of = next((_shown(x) for x in operands if len(x.shape) == n), f"an array of {n} axes")
    if n == 0:
        return f"axis {axis} does not exist in {of}", "A number has no axes.", "Leave axis= out."
    return (
        f"axis {axis} does not exist in {of}",
        f"Axes count from 0 to {n - 1}, or from -1 back to {-n}.",
        f"Pass an axis that exists, such as axis={n - 1}.",
    )


def _squeeze(_: Any, _name: str, _operands: list[Any]) -> Said:
    return (
        "an axis to drop is not 1 long",
        "Only axes of length 1 can be dropped.",
        "Let NumPy find them, np.squeeze(x); or choose an entry of the axis: x[0].",
    )


def _duplicate(_: Any, _name: str, _operands: list[Any]) -> Said:
    return "an axis is named twice", "", "Name each axis once: axis=(0, 1)."


def _broadcast(match: re.Match[str], name: str, operands: list[Any]) -> Said:
    if len(operands) != 2 or not isinstance(getattr(np, name, None), np.ufunc):
        remedy = "Make the axes equally long, or 1, in all: np.reshape(x, ...) or x[..., None]."
        said = match.string.strip().rstrip(".")
        return "shapes do not broadcast together", f"NumPy says: {said}.", remedy
    x, y = operands
    a, b = tuple(x.shape), tuple(y.shape)
    fact = f"{_shown(x)} and {_shown(y)} do not broadcast together"
    places = zip(range(-1, -1 - min(len(a), len(b)), -1), a[::-1], b[::-1], strict=False)
    cause = next((f"Axis {i} is {n} long in the first and {m} in the second." for i, n, m in places
                  if n != m and 1 not in (n, m)), "")  # fmt: skip
    if len(a) == 2 and a == b[::-1]:
        remedy = "Transpose one of them: np.transpose(y)."
    elif len(b) < len(a) and a[: len(b)] == b:
        remedy = f"Line the second up with the first axes: np.reshape(y, {b + (1,) * _over(a, b)})."
    elif len(a) < len(b) and b[: len(a)] == a:
        remedy = f"Line the first up with the first axes: np.reshape(x, {a + (1,) * _over(b, a)})."
    elif len(a) == len(b) == 1:
        remedy = "For all pairs of elements take x[:, None] with y; else make them equally long."
    else:
        remedy = "Make each axis equally long, or 1, in both: np.reshape(x, ...) or x[..., None]."
    return fact, cause, remedy


def _over(a: tuple[int, ...], b: tuple[int, ...]) -> int:
    return len(a) - len(b)


def _no_loop(_: Any, name: str, operands: list[Any]) -> Said:
    kinds = {x.dtype.kind for x in operands}
    if "b" in kinds and name in ("subtract", "negative", "positive"):
        remedy = "Count with integers, x.astype(int), or take ~x or x ^ y."
    elif "c" in kinds:
        remedy = "Pass np.real(x), np.imag(x) or np.abs(x)."
    elif kinds & set("f") and kinds <= set("fiub"):
        remedy = "Cast to integers first: x.astype(int)."
    else:
        remedy = "Cast to numbers first: np.asarray(x, dtype=float)."
    return f"it is not defined for {_dtypes(operands)}", "", remedy


def _cast(match: re.Match[str], _name: str, _operands: list[Any]) -> Said:
    given, wanted, rule = match[1], match[2], match[3]
    if wanted == "bool" and rule == "safe":  # out= is cast under another rule
        cause = "Which entries count is a matter of true and false."
        return f"where= is an array of {given}", cause, "Compare it: where=mask != 0."
    return (
        f"{given} cannot be cast to {wanted} under the rule {rule!r}",
        "It would lose what that dtype does not hold.",
        f"Give out= an array of {given}, or cast yourself: y.astype({wanted!r}).",
    )


def _dtypes(operands: list[Any]) -> str:
    return " and ".join(str(x.dtype) for x in operands) or "these types"


def _no_such_loop(_: Any, name: str, _operands: list[Any]) -> Said:
    remedy = "Leave dtype= out, or cast the result: y.astype(dtype)."
    return "it is not computed in that dtype", "", remedy


def _dtype(match: re.Match[str], _name: str, _operands: list[Any]) -> Said:
    remedy = 'Pass one that np.dtype knows: "float64" or np.float32.'
    return f"{match[1] or match[2]} is no dtype", "", remedy


def _empty(_: Any, name: str, operands: list[Any]) -> Said:
    shown = _shown(operands[0]) if operands else "the array"
    best = {"max": "max", "amax": "max", "nanmax": "max", "maximum.reduce": "max",
            "min": "min", "amin": "min", "nanmin": "min", "minimum.reduce": "min"}  # fmt: skip
    if name in best:
        start = "-np.inf" if best[name] == "max" else "np.inf"
        remedy = f"Ask for x.size first, or say what nothing gives: np.{best[name]}(x, "
        remedy += f"initial={start})."
    else:
        remedy = "Ask for x.size first."
    return f"there is nothing to choose from in {shown}", "It has no elements there.", remedy


def _reshape(match: re.Match[str], _name: str, operands: list[Any]) -> Said:
    size = math.prod(operands[0].shape) if operands else 0
    into = f" into shape {match['shape']}" if match["shape"] else ", one -1 at most"
    return (
        f"cannot reshape {_shown(operands[0]) if operands else 'the array'}{into}",
        f"It has {size} elements, and a shape holds the product of its lengths.",
        f"Give a shape of {size} elements, or let NumPy find one length: x.reshape(-1).",
    )


def _join(match: re.Match[str], _name: str, _operands: list[Any]) -> Said:
    return (
        "the arrays do not fit together",
        "They must have the same number of axes, all equally long but the one they are joined "
        f"along: {match[0].rstrip('.')}.",
        "Print [np.shape(x) for x in arrays], and add axes where they lack: x[None, :].",
    )


def _index(match: re.Match[str], _name: str, operands: list[Any]) -> Said:
    shape = f" {tuple(operands[0].shape)}" if operands else ""
    return match[0], "", f"Keep to the shape{shape}; a negative index counts from the end."


def _square(_: Any, _name: str, operands: list[Any]) -> Said:
    shown = _shown(operands[0]) if operands else "the array"
    return (
        f"{shown} is no square matrix, or stack of them",
        "Its last two axes are not equally long.",
        "For equations without one solution take the normal ones: solve(a.T @ a, a.T @ b).",
    )


def _singular(_: Any, _name: str, _operands: list[Any]) -> Said:
    return (
        "the matrix is singular",
        "Its rows depend on each other, so that it has no inverse.",
        "Drop columns that are sums of others, or add a little: a + 1e-8 * np.eye(len(a)).",
    )


def _indefinite(_: Any, _name: str, _operands: list[Any]) -> Said:
    return (
        "the matrix is not positive definite",
        "A Cholesky factor exists only where every eigenvalue is positive.",
        "Symmetrise it, (a + a.T) / 2, or add a little: a + 1e-8 * np.eye(len(a)).",
    )


def _truth(_: Any, _name: str, operands: list[Any]) -> Said:
    return (
        f"the truth value of {_shown(operands[0]) if operands else 'an array'} is ambiguous",
        "Each of its elements is true or false for itself.",
        "Say which is meant: np.any(x) or np.all(x).",
    )


def _not_one(_: Any, _name: str, operands: list[Any]) -> Said:
    return (
        f"{_shown(operands[0]) if operands else 'an array'} is not a single number",
        "Only a value of one element can be one.",
        "Choose or sum the elements: x[0], np.sum(x); or x.tolist() for all.",
    )


def _no_length(_: Any, _name: str, operands: list[Any]) -> Said:
    return "a 0-d Tensor has no length", "It holds one number.", "Use x.size, or np.atleast_1d(x)."


def _no_index(_: Any, _name: str, operands: list[Any]) -> Said:
    shown = _shown(operands[0]) if operands else "this"
    return f"{shown} is no index", "An index is one integer.", "Convert an element: int(x[0])."


def _ragged(_: Any, _name: str, _operands: list[Any]) -> Said:
    return (
        "the parts of the list have different shapes",
        "An array holds rows of one length.",
        "Pad or cut the rows to one length, or keep a list of arrays.",
    )


def _negative(_: Any, _name: str, _operands: list[Any]) -> Said:
    return (
        "a length is negative",
        "A shape is made of numbers from 0 on.",
        "Pass a shape such as 3 or (2, 3).",
    )


def _none_to_join(_: Any, name: str, _operands: list[Any]) -> Said:
    return (
        "there is nothing to join",
        "The list has no arrays in it.",
        f"Ask first: gt.{name}(parts) if parts else gt.zeros(0).",
    )


def _formatted(_: Any, _name: str, operands: list[Any]) -> Said:
    return (
        f"{_shown(operands[0]) if operands else 'an array'} takes no format",
        "One like .2f is for a single number.",
        "Format an element, f\"{x[0]:.2f}\", or all: np.array2string(x, precision=2).",
    )


def _whole_power(_: Any, _name: str, operands: list[Any]) -> Said:
    return (
        f"{_dtypes(operands[:1])} cannot be raised to a negative power",
        "The result is no integer.",
        "Raise a float: x.astype(float) ** y.",
    )


# (what NumPy's text holds, our class where the builtin alone does not tell it, what to say)
_KINDS: list[tuple[str, type[GradtapeError] | None, Callable[..., Said]]] = [
    (r"axis (-?\d+) is out of bounds for array of dimension (\d+)", None, _axis),
    (r"select an axis to squeeze out", ShapeError, _squeeze),
    (r"duplicate value in|repeated axis", ShapeError, _duplicate),
    (r"not be broadcast|broadcast together|cannot be broadcast", ShapeError, _broadcast),
    (r"not supported for the input types|did not contain a loop|numpy boolean \w+, the `-`",
     DTypeError, _no_loop),
    (r"Cannot cast (?:scalar|array data) from dtype\('(.+?)'\) to dtype\('(.+?)'\) according to "
     r"the rule '(\w+)'", DTypeError, _cast),
    (r"No loop matching the specified signature", DTypeError, _no_such_loop),
    (r"data type (.+?) not understood|Cannot interpret (.+?) as a data type", DTypeError,
     _dtype),
    (r"zero-size array to reduction|of an empty sequence", ShapeError, _empty),
    (r"cannot reshape array of size \d+ into shape (?P<shape>.*)|only specify one unknown",
     ShapeError, _reshape),
    (r"[Aa]ll the input array.*|all input arrays must have the same shape.*", ShapeError, _join),
    (r"index -?\d+ is out of bounds for axis \d+ with size \d+", None, _index),
    (r"must be square", None, _square),
    (r"[Ss]ingular matrix", None, _singular),
    (r"not positive definite", None, _indefinite),
    (r"truth value of an array", ShapeError, _truth),
    (r"only (0-dimensional|length-1) arrays can be converted|can only convert an array of size 1",
     None, _not_one),
    (r"has no len\(\)", None, _no_length),
    (r"only integer scalar arrays|cannot be interpreted as an integer", None, _no_index),
    (r"inhomogeneous shape", ShapeError, _ragged),
    (r"negative dimensions", ShapeError, _negative),
    (r"need at least one array", ShapeError, _none_to_join),
    (r"unsupported format string", None, _formatted),
    (r"Integers to negative integer powers", DTypeError, _whole_power),
    (r"[Ss]hape|dimension|axes|axis", ShapeError, lambda m, name, _: (
        m.string.strip().rstrip("."), "", _help(name))),
]  # fmt: skip


def stays_here(self: Any, _protocol: Any = None) -> NoReturn:
    """`__reduce_ex__` of what belongs to one process and cannot be shared: a TypeError."""
    raise not_pickled(
        f"a {type(self).__name__} can be neither pickled nor copied.",
        "It holds what was computed in this process, and the functions that computed it.",
        "Compute the gradient here, and pickle that; gt.Recording(path) stores a whole run.",
    )


def by_name(self: Any) -> str:
    """`__reduce__` of what stands for a function: its name in its module, as of a function.

    A TypeError where that name does not lead to it.
    """
    name, module = self.__qualname__, self.__module__
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is self:
        return str(name)
    raise not_pickled(
        f"the compiled function {name} is not found by its name.",
        f"A function is pickled as a name; {module}.{name} is "
        + ("no name of a module." if found is None else "another object."),
        "Decorate a function of a module: @gt.function above its def; its own module then has it.",
    )


def not_pickled(what: str, why: str, remedy: str) -> ArgumentTypeError:
    """The error of what cannot be pickled."""
    return ArgumentTypeError(three_part(f"pickle: {what}", why, remedy))


class door:
    """`with door(name, *args):` around calls of NumPy on behalf of `name(*args)`."""

    __slots__ = ("args", "name")

    def __init__(self, name: str, *args: Any) -> None:
        self.name, self.args = name, args

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: Any, error: Any, _traceback: Any) -> None:
        if isinstance(error, LOWER):
            refuse(error, self.name, self.args)
