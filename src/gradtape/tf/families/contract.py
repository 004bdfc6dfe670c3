"""Products of matrices and tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.positions import decode, here
from ...errors import three_part
from ..base.dtypes import as_dtype
from ..base.errors import RefusedType, RefusedValue, invalid
from ..base.making import NUMBER, allow, native, natural, op, unify


def _turned(x: Any, transpose: Any, adjoint: Any, which: str) -> Any:
    if transpose and adjoint:
        raise RefusedValue(
            three_part(
                f"Only one of `transpose_{which}` and `adjoint_{which}` can be True. Received "
                f"`transpose_{which}`={transpose}, `adjoint_{which}`={adjoint}.",
                f"Called at {decode(*here())}.",
                "An adjoint is transposed already.",
            )
        )
    if adjoint and x.value.dtype.kind == "c":
        x = np.conjugate(x)
    return np.swapaxes(x, -1, -2) if transpose or adjoint else x


def _sizes(name: str, a: Any, b: Any) -> None:
    for place, x in enumerate((a, b)):
        if x.value.ndim < 2:
            raise invalid(
                f"{name}: In[{place}] and In[{1 - place}] ndims must be >= 2: {x.value.ndim}.",
                f"Called at {decode(*here())} with shapes {a.value.shape} and {b.value.shape}.",
                "Use tf.linalg.matvec for a vector, or tf.expand_dims(x, -1).",
            )


@op("matmul", "linalg.matmul")
def matmul(
    a: Any,
    b: Any,
    transpose_a: Any = False,
    transpose_b: Any = False,
    adjoint_a: Any = False,
    adjoint_b: Any = False,
    a_is_sparse: Any = False,
    b_is_sparse: Any = False,
    output_type: Any = None,
    grad_a: Any = False,
    grad_b: Any = False,
    name: Any = None,
) -> Any:
    """The matrix product over the last two axes; the axes before them broadcast."""
    x, y = map(native, unify("matmul", (a, b), "by_first" if output_type is None else "by_tensor"))
    allow("matmul", x, NUMBER)
    _sizes("matmul", x, y)
    x, y = _turned(x, transpose_a, adjoint_a, "a"), _turned(y, transpose_b, adjoint_b, "b")
    if output_type is not None:
        dtype = as_dtype(output_type).held()
        x, y = x.astype(dtype), y.astype(dtype)
    return np.matmul(x, y)


@op("linalg.matvec")
def matvec(
    a: Any,
    b: Any,
    transpose_a: Any = False,
    adjoint_a: Any = False,
    a_is_sparse: Any = False,
    b_is_sparse: Any = False,
    name: Any = None,
) -> Any:
    """A matrix times a vector, over the last axes."""
    x, y = map(native, unify("matvec", (a, b)))
    allow("matvec", x, NUMBER)
    y = np.expand_dims(y, -1)
    _sizes("matvec", x, y)
    return np.squeeze(np.matmul(_turned(x, transpose_a, adjoint_a, "a"), y), -1)


@op("tensordot", "linalg.tensordot")
def tensordot(a: Any, b: Any, axes: Any, name: Any = None) -> Any:
    """The sum of products over the axes that are named: a number of them, or two lists."""
    x, y = map(native, unify("tensordot", (a, b)))
    allow("tensordot", x, NUMBER)
    if isinstance(axes, str) or axes is None:
        raise RefusedType(
            three_part(
                f"tensordot: axes {axes!r} is no int32.",
                f"Called at {decode(*here())}.",
                "Give a number of axes, or [axes of a, axes of b].",
            )
        )
    if isinstance(axes, list | tuple):
        if len(axes) != 2:
            raise RefusedValue(
                three_part(
                    f"`axes` must be an integer or have length 2. Received {axes}.",
                    f"tf.tensordot was called at {decode(*here())}.",
                    "Give [axes of a, axes of b].",
                )
            )
        first, second = (np.reshape(natural(part).value, -1).tolist() for part in axes)
        if len(first) != len(second):
            raise RefusedValue(
                three_part(
                    f"Different number of contraction axes `a` and `b`, {len(first)} != "
                    f"{len(second)}.",
                    f"tf.tensordot was called at {decode(*here())}.",
                    "Name as many axes of a as of b.",
                )
            )
        return np.tensordot(x, y, axes=(first, second))
    number = natural(axes).value
    if number.ndim:
        first, second = (np.reshape(part, -1).tolist() for part in number)
        return np.tensordot(x, y, axes=(first, second))
    if number < 0:
        raise RefusedValue(
            three_part(
                f"`axes` must be at least 0. Received: {number}.",
                f"tf.tensordot was called at {decode(*here())}.",
                "axes=0 is the outer product.",
            )
        )
    if number > min(x.value.ndim, y.value.ndim):
        raise RefusedValue(
            three_part(
                f"`axes` must not be larger than the number of dimensions of tensor "
                f"{natural(a)}. Received {number}.",
                f"tf.tensordot was called at {decode(*here())}.",
                f"The tensors have {x.value.ndim} and {y.value.ndim} axes.",
            )
        )
    return np.tensordot(x, y, axes=int(number))


@op("einsum", "linalg.einsum")
def einsum(equation: Any, *inputs: Any, **kwargs: Any) -> Any:
    """The sum of products that the equation names; `optimize=` is accepted."""
    kwargs.pop("name", None)
    optimize = kwargs.pop("optimize", "greedy")
    if kwargs:
        raise RefusedType(
            three_part(
                f"Invalid keyword arguments for this function: {', '.join(kwargs)}.",
                f"tf.einsum was called at {decode(*here())}.",
                "It takes name= and optimize=.",
            )
        )
    wanted = equation.partition("->")[0].count(",") + 1
    if wanted != len(inputs):
        raise RefusedValue(
            three_part(
                f'Got {len(inputs)} inputs for equation "{equation}", expecting {wanted}.',
                f"tf.einsum was called at {decode(*here())}.",
                "One group of letters for each tensor.",
            )
        )
    letters, arrow, result = equation.replace(" ", "").partition("->")
    if arrow and not set(result) - {"."} <= set(letters):
        raise RefusedValue(
            three_part(
                f'Output labels of "{equation}" do not all appear in its inputs.',
                f"tf.einsum was called at {decode(*here())}.",
                "Each letter after -> stands for an axis of an input.",
            )
        )
    operands = [native(x) for x in unify("einsum", inputs)]
    allow("einsum", operands[0], NUMBER)
    return np.einsum(equation.replace(" ", ""), *operands, optimize=optimize or False)
