"""The functions of np.linalg that have a namesake in NumPy, `multi_dot` and `matrix_power`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.batched import as_array
from ...core.cards import composite, nondifferentiable
from ...core.dispatch import write_out
from ...core.tensor import new_tensor


@composite(np.linalg.matmul, name="linalg.matmul")
def matmul(x1: Any, x2: Any, /) -> Any:
    """`np.linalg.matmul`."""
    return np.matmul(x1, x2)


@composite(np.linalg.outer, name="linalg.outer")
def outer(x1: Any, x2: Any, /) -> Any:
    """`np.linalg.outer`: of two vectors."""
    x1, x2 = as_array(x1), as_array(x2)
    if x1.ndim != 1 or x2.ndim != 1:
        np.linalg.outer(np.empty((1,) * x1.ndim), np.empty((1,) * x2.ndim))  # NumPy's refusal
    return np.outer(x1, x2)


@composite(np.linalg.cross, name="linalg.cross")
def cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """`np.linalg.cross`: of vectors of length 3."""
    if np.shape(x1)[axis] != 3 or np.shape(x2)[axis] != 3:
        np.linalg.cross(np.empty(np.shape(x1)), np.empty(np.shape(x2)), axis=axis)  # refuses
    return np.cross(x1, x2, axis=axis)


@composite(np.linalg.tensordot, name="linalg.tensordot")
def tensordot(x1: Any, x2: Any, /, *, axes: Any = 2) -> Any:
    """`np.linalg.tensordot`."""
    return np.tensordot(x1, x2, axes)


@composite(np.linalg.vecdot, name="linalg.vecdot")
def vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """`np.linalg.vecdot`: conjugates the first."""
    return np.vecdot(x1, x2, axis=axis)  # type: ignore[call-overload]


@composite(np.linalg.trace, name="linalg.trace")
def trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Any:
    """`np.linalg.trace`: of the last two axes."""
    return np.trace(x, offset, axis1=-2, axis2=-1, dtype=dtype)


@composite(np.linalg.diagonal, name="linalg.diagonal")
def diagonal(x: Any, /, *, offset: int = 0) -> Any:
    """`np.linalg.diagonal`: of the last two axes."""
    return np.diagonal(x, offset, axis1=-2, axis2=-1)


@composite(np.linalg.matrix_transpose, name="linalg.matrix_transpose")
def matrix_transpose(x: Any, /) -> Any:
    """`np.linalg.matrix_transpose`: a view."""
    x = as_array(x)
    axes = tuple(range(x.ndim))
    return np.transpose(x, (*axes[:-2], axes[-1], axes[-2]))


# -------------------------------------------------------------------------------- multi_dot


def _cheapest(sizes: list[int]) -> Any:
    """Where to split each range of matrices; matrix i is sizes[i] x sizes[i + 1].

    Source: Cormen et al., Introduction to Algorithms, 15.2 (matrix-chain order).
    """
    n = len(sizes) - 1
    cost = {(i, i): 0 for i in range(n)}
    split = {}
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            costs = [
                cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1]
                for k in range(i, j)
            ]
            cost[i, j] = min(costs)
            split[i, j] = i + costs.index(cost[i, j])
    return split


@composite(np.linalg.multi_dot)
def multi_dot(arrays: Any, *, out: Any = None) -> Any:
    """`np.linalg.multi_dot`: the product of matrices, in the order that costs least."""
    items = [as_array(x) for x in arrays]
    if len(items) == 2:  # NumPy looks at no shapes either
        return np.dot(items[0], items[1], out)
    shapes = [x.shape for x in items]
    inner = any(len(s) != 2 for s in shapes[1:-1])
    if len(items) < 2 or inner or not {len(shapes[0]), len(shapes[-1])} <= {1, 2}:
        np.linalg.multi_dot([np.empty(s) for s in shapes])  # NumPy's refusal
    sizes = [1 if len(shapes[0]) == 1 else shapes[0][0], *(s[0] for s in shapes[1:])]
    sizes = [*sizes, 1 if len(shapes[-1]) == 1 else shapes[-1][1]]
    split = _cheapest(sizes)

    def product(i: int, j: int) -> Any:
        if i == j:
            return items[i]
        k = split[i, j]
        return np.matmul(product(i, k), product(k + 1, j))

    result = product(0, len(items) - 1)
    return result if out is None else write_out(out, result)


@composite(np.linalg.matrix_power)
def matrix_power(a: Any, n: int) -> Any:
    """`np.linalg.matrix_power`: by repeated squaring; of the inverse for negative `n`."""
    a = as_array(a)
    if n == 0 or a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        # the identity does not depend on `a`; or NumPy's refusal
        return new_tensor(np.linalg.matrix_power(np.zeros(a.shape, a.dtype), n))
    if n < 0:
        a, n = np.linalg.inv(a), -n
    power = None
    while n:
        n, odd = divmod(n, 2)
        if odd:
            power = a if power is None else np.matmul(power, a)
        if n:
            a = np.matmul(a, a)
    return power


nondifferentiable(np.linalg.matrix_rank, "matrix_rank is an integer, which changes in jumps.")
