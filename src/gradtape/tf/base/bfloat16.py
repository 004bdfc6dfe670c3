"""Functions of bfloat16: computed in float32 and rounded once, as TensorFlow's kernels do.

A tensor of bfloat16 holds an array of ml_dtypes, with which NumPy moves and compares values and
adds gradients; what computes gets float32. Bodies of functions do not know of it: `native` raises
Bfloat16Operand for such an operand, and the function is called again with float32 in its place
(`again`). Both casts are recorded, so gradients are of bfloat16 where the operands are. An
elementwise function is one record, of a card whose rules compute in bfloat16 (`twin`); and what
TensorFlow rounds after each of several steps is in `families/steps.py`.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from ...core import tensor as core
from ...core.card import Card
from ...errors import GradtapeError
from .arguments import bad, bad_value, no_kernel
from .dtypes import BFLOAT16, DTYPES, DType, is_bfloat16, kind_of
from .errors import OpError
from .promotion import bare, mismatch, natural
from .tensors import Tensor, adopt
from .variables import Variable

_FLOAT32 = np.dtype(np.float32)
ndarray = np.ndarray

# What TensorFlow has for float32 and not for bfloat16, with the class of its error.
REFUSED = {
    **dict.fromkeys(("linalg.cholesky", "linalg.det", "linalg.inv", "linalg.lstsq",
                     "linalg.logdet", "slogdet", "linalg.solve", "math.nextafter",
                     "math.bincount", "histogram_fixed_width", "random.stateless_gamma"), bad),
    "random.gamma": bad_value,
    **dict.fromkeys(("linalg.cholesky_solve", "linalg.tensor_diag", "linalg.tensor_diag_part",
                     "linalg.triangular_solve", "math.digamma", "math.lgamma", "math.rint",
                     "truncatemod"), no_kernel),
}  # fmt: skip
STEPS: dict[str, Any] = {}  # filled by families/steps.py
_twins: dict[str, Card] = {}


def twin(card: Card) -> Card:
    """An elementwise card with the same rules for bfloat16.

    Its value is that of float32, rounded; its rules compute in bfloat16, as TensorFlow's do.
    """
    found = _twins.get(card.name)
    if found is None:
        found = _twins[card.name] = Card.__new__(Card)
        for slot in Card.__slots__:
            setattr(found, slot, getattr(card, slot))
        found.impl = _rounding(card.impl)
    return found


def _rounding(impl: Any) -> Any:
    def run(*values: Any) -> Any:
        out = impl(*(x.astype(_FLOAT32) for x in values))
        return out.astype(values[0].dtype) if out.dtype == _FLOAT32 else out

    return run


def widened(x: Any) -> Any:
    """A tensor of bfloat16 as one of float32, with its history."""
    return adopt(bare(x).astype(_FLOAT32))


def narrowed(found: Any) -> Any:
    """A result with every tensor of float32 in it as one of bfloat16."""
    kind = type(found)
    if isinstance(found, Tensor):
        if found.value.dtype != _FLOAT32:
            return found
        return adopt(bare(found).astype(DTYPES["bfloat16"].held()))
    if kind is tuple or kind is list:
        return kind(map(narrowed, found))
    if isinstance(found, tuple) and hasattr(found, "_fields"):
        return kind(*map(narrowed, found))
    if kind is dict:
        return {name: narrowed(value) for name, value in found.items()}
    return found


def rounded(x: Any) -> Any:
    """A Python float, or an array of floats, with the values that it has as bfloat16."""
    half = DTYPES["bfloat16"].held()
    with np.errstate(all="ignore"):
        found = np.asarray(x, np.float64 if type(x) is float else None).astype(half)
    return float(found) if type(x) is float else core.settled(found.astype(_FLOAT32))


def in_steps(name: str) -> Any:
    """The function that TensorFlow computes in several steps; None where it rounds once."""
    return _all_steps().get(name)


@cache
def _all_steps() -> dict[str, Any]:
    import_module("gradtape.tf.families.steps")
    return STEPS


def check(name: str) -> None:
    """Raise TensorFlow's error if it has the function for float32 and not for bfloat16."""
    if name in REFUSED:
        remedy = "Compute in float32: tf.cast(x, tf.float32)."
        raise REFUSED[name](name, "it is not there for bfloat16.", remedy)


class _Widening:
    """The arguments of a call with float32 in place of bfloat16."""

    def __init__(self) -> None:
        self.asks_for_float32 = False  # by a dtype among the arguments
        self.asks_for_bfloat16 = False
        self.float32: list[Any] = []  # its tensors
        self.known: dict[int, Any] = {}

    def of(self, x: Any) -> Any:
        kind = type(x)
        if kind is float:
            return rounded(x)
        if isinstance(x, core.Tensor | Variable):
            value = x.held.value if isinstance(x, Variable) else x.read()
            if value.dtype.char != BFLOAT16:
                if value.dtype == _FLOAT32:
                    self.float32.append(x)
                return x
            if id(x) not in self.known:  # one tensor, though it is passed twice
                self.known[id(x)] = widened(x)
            return self.known[id(x)]
        if kind is ndarray or isinstance(x, np.generic):
            if is_bfloat16(x.dtype):
                self.known[id(x)] = x
            return rounded(x) if kind_of(x.dtype) == "f" else x
        if kind is DType or isinstance(x, np.dtype | type) or (
            kind is str and x in ("bfloat16", "float32")
        ):
            return self._dtype(x)
        if kind is tuple or kind is list:
            return kind(map(self.of, x))
        if isinstance(x, tuple) and hasattr(x, "_fields"):
            return kind(*map(self.of, x))
        if kind is dict:
            return {name: self.of(value) for name, value in x.items()}
        if hasattr(x, "__tf_tensor__"):  # IndexedSlices
            return self.of(natural(x))
        return x

    def _dtype(self, x: Any) -> Any:
        if x == DTYPES["float32"]:
            self.asks_for_float32 = True
        if x == DTYPES["bfloat16"]:
            self.asks_for_bfloat16 = True
            return DTYPES["float32"]
        return x


def again(function: Any, name: str, args: Any, kwargs: Any) -> Any:
    """A call of a function that met bfloat16, in float32; what comes out is bfloat16."""
    check(name)
    steps = in_steps(name)
    found = steps(*args, **kwargs) if steps is not None else NotImplemented
    if found is not NotImplemented:  # which leaves the call, or its mistake, to the function
        return found
    widening = _Widening()
    wide = widening.of(list(args))
    options = widening.of(kwargs)
    if widening.float32 and not widening.asks_for_float32:
        raise mismatch(name, "y", DTYPES["bfloat16"], DTYPES["float32"], 1)
    if not widening.known and not widening.asks_for_bfloat16:
        raise bad(name, "bfloat16 is not taken here.", "Cast it: tf.cast(x, tf.float32).")
    try:
        found = function(*wide, **options)
    except GradtapeError as error:
        _reword(error)
        raise
    return found if widening.asks_for_float32 else narrowed(found)


def _reword(error: GradtapeError) -> None:
    """Say bfloat16 in the fact, where the call was made with it."""
    if not error.args:
        return

    def said(text: Any) -> Any:
        if not isinstance(text, str):
            return text
        fact, newline, rest = text.partition("\n")
        return fact.replace("float32", "bfloat16") + newline + rest

    error.args = tuple(map(said, error.args))
    if isinstance(error, OpError):
        error.message = said(error.message)
