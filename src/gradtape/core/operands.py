"""Operands and causes: raw values out of anything a user passes, and why a history was lost."""

from __future__ import annotations

from _thread import get_ident
from collections.abc import Iterable
from typing import Any

import numpy as np

from .. import config
from ..errors import DTypeError, three_part
from .aval import INEXACT
from .lift import Lift
from .positions import user_frame
from .registry import HOOKS
from .state import Recorder, next_key, state
from .symbol import Symbol
from .tensor import Tensor, new_tensor, new_traced

ndarray = np.ndarray
SCALARS = frozenset(
    [float, int, complex, bool]
    + [np.dtype(c).type for c in "?bhilqBHILQefdgFDG"]
)


def operand(x: Any, name: str = "operation") -> tuple[Any, int, Any]:
    """(raw value, key, why) of anything that can be an operand; TypeError for what cannot."""
    if isinstance(x, Tensor):
        value = x.read()
        return value, x.key, x.why
    if type(x) in SCALARS:
        return x, 0, None
    if isinstance(x, ndarray):
        if type(x) is not ndarray:
            refuse_own_arithmetic(x, name)
            x = x.view(ndarray)  # rules ask whether a value is an array by its exact type
        if x.dtype.hasobject:
            x = HOOKS["from_objects"](x)
            return (x.value, x.key, x.why) if isinstance(x, Tensor) else (x, 0, None)
        return x, 0, None
    if isinstance(x, Lift):  # a raw value, to which no derivative leads
        return x.plain(), 0, None
    if isinstance(x, list | tuple):
        x = HOOKS["from_sequence"](x)
        return (x.value, x.key, x.why) if isinstance(x, Tensor) else (x, 0, None)
    if type(x) is Symbol:  # a raw value, to which no derivative leads
        return x.cut(), 0, None
    if hasattr(x, "__array__"):
        return np.asarray(x), 0, None
    if x is None or isinstance(x, str | bytes | dict | set) or callable(x):
        raise DTypeError(
            three_part(
                f"{name}: an operand is {type(x).__name__} {x!r:.60}.",
                "It is not a number or an array.",
                "Pass a number, an array or a Tensor.",
            )
        )
    value = np.asarray(x)
    if value.dtype.hasobject:
        raise DTypeError(
            three_part(
                f"{name}: an operand is of type {type(x).__name__}.",
                "NumPy knows no number in it.",
                "Pass a number, an array or a Tensor.",
            )
        )
    return value, 0, None


def refuse_own_arithmetic(x: Any, name: str) -> None:
    """A DTypeError for arrays that compute in their own way: masked arrays and `np.matrix`.

    Of a masked array the values would be masked and the gradient not; `*` of a matrix is `@`.
    """
    if isinstance(x, np.matrix):
        kind, why = "numpy.matrix", "Its * is a matrix product and it keeps two axes whatever is"
        why, remedy = f"{why} done to it.", "Pass an array: np.asarray(m), with @ for the product."
    elif hasattr(x, "mask") and hasattr(x, "filled"):
        kind, why = "masked array", "A Tensor has no mask, so masked elements would take part."
        remedy = "Choose yourself: np.where(np.ma.getmaskarray(m), 0.0, x * m.filled(1.0))."
    else:
        return
    raise DTypeError(three_part(f"{name}: an operand is a {kind} of {x.dtype}.", why, remedy))


def keep_constant(tape: Recorder, value: Any) -> Any:
    """A constant array as a record may keep it: copied if small, else aliased and checked later."""
    if value.nbytes <= config.current.copy_limit:
        return value.copy()
    for known, _, _, _ in tape.aliases:
        if known is value:
            return value
    frame = user_frame()
    tape.aliases = (*tape.aliases, (value, fingerprint(value), frame.f_code, frame.f_lasti))
    return value


def fingerprint(value: Any) -> bytes:
    """A sample of 256 elements, to notice that a large array was written to (not certain to)."""
    index = np.linspace(0, value.size - 1, 256).astype(np.intp)
    sample: bytes = value.flat[index].tobytes()
    return sample


def unwrap(tree: Any, found: list[Tensor]) -> Any:
    """`tree` with every Tensor replaced by its raw value, and the Tensors collected in `found`."""
    if isinstance(tree, Tensor):
        found.append(tree)
        return tree.read()
    if type(tree) is tuple or type(tree) is list:
        return type(tree)(unwrap(item, found) for item in tree)
    if type(tree) is dict:
        return {name: unwrap(item, found) for name, item in tree.items()}
    return tree


def rewrap(z: Any, why: Any) -> Any:
    """Arrays and NumPy scalars in `z` as Tensors that no tape follows, because of `why`."""
    if isinstance(z, ndarray | np.generic):
        return new_tensor(z, 0, why)
    if isinstance(z, Lift):
        return new_traced(z, 0, why)
    if isinstance(z, tuple) and hasattr(z, "_fields"):
        return type(z)(*(rewrap(item, why) for item in z))
    if type(z) is tuple or type(z) is list:
        return type(z)(rewrap(item, why) for item in z)
    return new_traced(z, 0, why) if type(z) is Symbol else z


MOST_CAUSES = 8  # that one value carries; a net of many layers has one for each mask


def ended(why: Any, cause: str, keys: Iterable[int], detail: Any) -> Any:
    """`why`, and that the histories of `keys` end here by `cause`."""
    if cause in _FLAT:
        why = blunted(why)
    if why is not None and why[0] == "several" and len(why[4]) >= MOST_CAUSES:
        return why
    frame: Any = None
    for key in keys:
        if key:
            if frame is None:
                frame = user_frame(3)
            found = (cause, frame.f_code, frame.f_lasti, key, detail)
            why = found if why is None else both(why, found)
    return why


_FLAT = frozenset(("nondifferentiable", "integer"))


def blunted(why: Any) -> Any:
    """`why` behind an operation whose derivative is zero: no part of a gradient is missing there.

    A sixth field marks it. It still tells why a gradient is None.
    """
    if why is None or len(why) > 5:
        return why
    if why[0] == "several":
        return (*why[:4], tuple(map(blunted, why[4])))
    return (*why, True)


def named(x: Any) -> int:
    """The key of an operand that an active tape sees used before anything follows it.

    A floating Tensor without history gets one, so that its results tell when it is watched later.
    """
    if not isinstance(x, Tensor):
        return 0
    if not x.key and x.why is None and type(x) is Tensor and x.value.dtype.char in INEXACT:
        x.key = next_key()
    return x.key


def lost(why: Any, *keys: int) -> Any:
    """The `why` of a result that no tape follows although its operands have keys."""
    return ended(why, lost_cause(), keys, get_ident())


def lost_cause() -> str:
    """Why nothing follows a value now."""
    return "unwatched" if state.tapes else "stopped" if state.stopped else "inactive"


def both(first: Any, second: Any) -> Any:
    """The `why` of a result whose operands lost their history in different ways."""
    causes = list(first[4]) if first[0] == "several" else [first]
    for why in second[4] if second[0] == "several" else (second,):
        if len(causes) < MOST_CAUSES and why not in causes:
            causes.append(why)
    return causes[0] if len(causes) == 1 else ("several", None, 0, 0, tuple(causes))


def why_of(tensors: list[Tensor]) -> Any:
    """The `why` that a result of `tensors` inherits."""
    why: Any = None
    for t in tensors:
        if t.why is not None and t.why is not why:
            why = t.why if why is None else both(why, t.why)
    return why
