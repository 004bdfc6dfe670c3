"""Values taken off the tape on purpose: `gt.stop_gradient` and `gt.value`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.exits import meant
from ..core.lift import still
from ..core.operands import blunted
from ..core.positions import here
from ..core.tensor import Tensor, new_traced
from ..core.tree import tree_map

__all__ = ["NUMBERS", "stop_gradient", "value"]

NUMBERS = (Tensor, np.ndarray, np.number, np.bool_, int, float, complex)


def stop_gradient(x: Any) -> Any:
    """`x` as a constant: the same value, through which no gradient passes.

    Parameters
    ----------
    x : Tensor, array_like, or a tree of them

    Returns
    -------
    Tensor, or a tree of them
        The gradient through it is None, and nothing warns: it is meant.

    Examples
    --------
    >>> import gradtape as gt
    >>> x = gt.Variable(3.0)
    >>> with gt.GradientTape() as tape:
    ...     y = x * gt.stop_gradient(x)
    >>> tape.gradient(y, x)
    Tensor(3., shape=(), dtype=float64)
    """
    position = here()

    def stop(leaf: Any) -> Any:
        if isinstance(leaf, Tensor):
            value = still(leaf)
            why = ("stop_gradient", *position, leaf.key, None) if leaf.key else blunted(leaf.why)
            return new_traced(value, 0, why)
        return Tensor(leaf) if isinstance(leaf, NUMBERS) else leaf

    return tree_map(stop, x)


def value(x: Any) -> Any:
    """The plain NumPy value of `x`, for looking at: not an exit, even on a strict tape.

    Parameters
    ----------
    x : Tensor, or a tree of them
        Leaves that are no Tensors come back as they are.

    Returns
    -------
    numpy.ndarray (read-only), numpy.generic, or a tree of them

    Examples
    --------
    >>> import gradtape as gt
    >>> with gt.GradientTape(strict=True) as tape:
    ...     x = tape.watch(2.0)
    ...     print(f"{gt.value(x * x):.1f}")
    4.0
    """

    def take(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf
        meant(leaf)
        return leaf._readonly()

    return tree_map(take, x)
