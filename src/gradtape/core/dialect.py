"""Dialect: what the fast closures have to know of the vocabulary that they serve.

The native one is made in `fast.py`; another (TensorFlow's) has a Tensor class of its own, holds
its Variables instead of deriving them, and says by itself what a plain operand turns into.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


class Dialect(NamedTuple):
    """The classes and doors of one vocabulary."""

    tensor: Any  # the class of results; operands of exactly this class take the fast path
    variable: Any
    held: bool  # whether a variable holds the core's Variable, as `.held`, or is one
    view: Any  # what is read of a variable
    scalars: frozenset[type]  # plain operands that NumPy's own promotion may see as they are
    array: Any  # the same, for arrays
    # general(card, function, op) gives the function of (args, depth) for all other calls
    general: Callable[[Any, Any, Any], Callable[..., Any]]
    refuse: Callable[..., Any]  # raises in place of what NumPy raised
    # plain(x, type(x), y): the value that a plain first or second operand takes beside the
    # value of the other, in an array of its own; None leaves the call to `general`
    plain_x: Any = None
    plain_y: Any = None
    around: Any = None  # around(function, arity): put around what computes on large arrays


class Never:
    """A class without instances, for what a dialect does not have."""
