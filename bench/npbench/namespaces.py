"""Each library's functions under NumPy's names, as kernels use them; made where they are asked for.

`grad(f, by_hand)` is the gradient of f; NumPy alone takes the one that is written by hand.
NumPy's own has assignments, which ours follows; JAX has `.at`; for HIPS autograd an assignment is a
function with a derivative of its own, as its users write it.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

NAMES = (
    "exp", "log", "sqrt", "tanh", "sin", "cos", "arctan2", "sum", "mean", "max", "maximum",
    "minimum", "where", "concatenate", "stack", "reshape", "flip", "array", "einsum",
)  # fmt: skip


def _of(module: Any, put: Any, **others: Any) -> SimpleNamespace:
    functions = {name: getattr(module, name) for name in NAMES if name not in others}
    return SimpleNamespace(**functions, **others, put=put)


def numpy() -> SimpleNamespace:
    """NumPy itself: for central differences in longdouble."""

    def put(x: Any, index: Any, v: Any) -> Any:
        y = np.array(x)
        y[index] = v
        return y

    return _of(np, put, grad=lambda f, by_hand: by_hand)


def gradtape() -> SimpleNamespace:
    import gradtape as gt

    def put(x: Any, index: Any, v: Any) -> Any:
        y = x.copy()
        y[index] = v
        return y

    return _of(np, put, stack=gt.stack, concatenate=gt.concatenate, grad=lambda f, _: gt.grad(f))


def jax() -> SimpleNamespace:
    import jax as j
    import jax.numpy as jnp

    return _of(jnp, lambda x, index, v: x.at[index].set(v), grad=lambda f, _: j.grad(f))


def autograd() -> SimpleNamespace:
    import autograd as ag
    import autograd.numpy as anp
    from autograd.extend import defvjp, primitive

    @primitive
    def put(x: Any, v: Any, index: Any) -> Any:
        y = np.array(x)
        y[index] = v
        return y

    def into_x(ans: Any, x: Any, v: Any, index: Any) -> Any:
        return lambda g: put(g, 0.0, index)

    def into_v(ans: Any, x: Any, v: Any, index: Any) -> Any:
        return lambda g: anp.reshape(g[index], np.shape(v)) if np.shape(v) else anp.sum(g[index])

    defvjp(put, into_x, into_v, argnums=(0, 1))
    return _of(
        anp,
        lambda x, index, v: put(x, v, index),
        flip=lambda x, axis: x[::-1],  # along the first axis alone; autograd has no rule for flip
        grad=lambda f, _: ag.grad(f),
    )


def torch() -> SimpleNamespace:
    import torch as th

    def put(x: Any, index: Any, v: Any) -> Any:
        y = x.clone()
        y[index] = v
        return y

    def total(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        return x.sum() if axis is None else x.sum(axis, keepdim=keepdims)

    def most(x: Any, axis: Any, keepdims: bool = False) -> Any:
        return th.amax(x, axis, keepdim=keepdims)

    def maximum(x: Any, y: Any) -> Any:
        return th.maximum(x, y) if isinstance(y, th.Tensor) else th.clamp(x, min=y)

    def minimum(x: Any, y: Any) -> Any:
        return th.minimum(x, y) if isinstance(y, th.Tensor) else th.clamp(x, max=y)

    return _of(
        th,
        put,
        sum=total,
        mean=lambda x, axis: x.mean(axis),
        max=most,
        maximum=maximum,
        minimum=minimum,
        concatenate=lambda parts, axis=0: th.cat(parts, dim=axis),
        array=th.from_numpy,
        flip=lambda x, axis: th.flip(x, (axis,)),
        stack=lambda parts, axis=0: th.stack(list(parts), dim=axis),
        grad=lambda f, _: th.func.grad(f),
    )
