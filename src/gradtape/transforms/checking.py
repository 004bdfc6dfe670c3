"""`check_gradients`: derivatives of both modes against central differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.positions import decode, here
from ..core.refusals import ArgumentValueError
from ..core.tensor import Tensor, raw
from ..core.tree import flatten
from ..errors import DTypeError, MismatchError, three_part
from .forward import jvp
from .reverse import _check_callable, vjp

_EXPONENT = 1 / 3  # the step that balances rounding and truncation: eps ** (1 / 3)


def check_gradients(
    function: Callable[..., Any],
    primals: Any,
    order: int = 1,
    modes: Sequence[str] = ("forward", "reverse"),
    *,
    rtol: float | None = None,
    seed: int = 0,
) -> None:
    """Raise if the derivatives of `function` are not those that central differences give.

    Parameters
    ----------
    function : callable
        Returns an array or a tree of arrays.
    primals : tuple or list
        All arguments; floating ones are moved in a random direction.
    order : int
        Derivatives up to this order are checked, each as the first derivative of the one before.
    modes : sequence of {"forward", "reverse"}
        What is checked.
    rtol : float, optional
        How far the relative difference may be; by default 100 * eps**(2/3) of the coarsest dtype.
    seed : int
        Of the random directions.

    Raises
    ------
    MismatchError
        (an `AssertionError`) With both numbers and the mode.
    DTypeError
        If no argument is floating.
    ValueError
        If `modes` has another word or none, or `order` is less than 1.

    Notes
    -----
    The error of a central difference is of the order of eps**(2/3): Nocedal and Wright, *Numerical
    Optimization*, 2nd ed., section 8.1.

    Examples
    --------
    >>> import numpy as np, gradtape as gt
    >>> gt.check_gradients(lambda x: np.sin(x) * x, (np.array([0.3, 2.0]),), order=2)
    """
    _check_callable("check_gradients", function)
    if isinstance(modes, str) or not modes or not set(modes) <= {"forward", "reverse"} or order < 1:
        raise ArgumentValueError(
            three_part(
                f"check_gradients: modes={modes!r} and order={order!r} check nothing.",
                f"They were passed at {decode(*here())}; modes are 'forward' and 'reverse', and "
                "orders begin with 1.",
                'Write modes=("forward", "reverse"), order=1.',
            )
        )
    leaves, rebuild = flatten(list(primals))
    values = [np.asarray(raw(x)) if isinstance(x, Tensor) else np.asarray(x) for x in leaves]
    moving = [i for i, v in enumerate(values) if v.dtype.kind in "fc"]
    if not moving:
        raise DTypeError(
            three_part(
                "check_gradients: no argument is floating.",
                f"They were passed at {decode(*here())}.",
                "Pass floats in a tuple: gt.check_gradients(f, (x,)).",
            )
        )

    def of_moving(*xs: Any) -> Any:
        new = list(leaves)
        for i, x in zip(moving, xs, strict=True):
            new[i] = x
        return [o for o in flatten(function(*rebuild(new)))[0] if _is_floating(o)]

    rng = np.random.default_rng(seed)
    start = [values[i][()] for i in moving]
    eps = max(float(np.finfo(v.dtype).eps) for v in start)
    bound = 100 * eps ** (2 * _EXPONENT) if rtol is None else rtol
    name = getattr(function, "__name__", "function")
    _check(name, of_moving, start, order, tuple(modes), bound, eps**_EXPONENT, rng, 1)


def _is_floating(x: Any) -> bool:
    return np.result_type(x.dtype if hasattr(x, "dtype") else x).kind in "fc"


def _draw(rng: Any, x: Any) -> Any:
    d = rng.uniform(-1, 1, np.shape(x))
    if x.dtype.kind == "c":
        d = d + 1j * rng.uniform(-1, 1, np.shape(x))
    return np.asarray(d).astype(x.dtype)[()]


def _dot(a: Any, b: Any) -> float:
    return float(sum(np.sum(np.real(np.conjugate(x) * y)) for x, y in zip(a, b, strict=True)))


def _check(
    name: str, f: Any, xs: Any, order: int, modes: Any, bound: float, step: float, rng: Any, at: int
) -> None:
    ds = [_draw(rng, x) for x in xs]
    plus = [np.asarray(o) for o in f(*(x + step * d for x, d in zip(xs, ds, strict=True)))]
    minus = [np.asarray(o) for o in f(*(x - step * d for x, d in zip(xs, ds, strict=True)))]
    cts = [_draw(rng, o) for o in plus]
    numeric = _dot(cts, [(a - b) / (2 * step) for a, b in zip(plus, minus, strict=True)])
    scale = max(1.0, abs(numeric), *(float(np.max(np.abs(o), initial=0)) for o in plus))
    for mode in modes:
        if mode == "forward":
            found = _dot(cts, jvp(f, xs, ds)[1])
        else:
            found = _dot(vjp(f, *xs)[1](cts), ds)
        if not abs(found - numeric) <= bound * scale:
            raise MismatchError(
                three_part(
                    f"check_gradients of {name}: derivative {at} in {mode} mode is {found!r}, "
                    f"central differences give {numeric!r}.",
                    "Along a random direction; a kink near the point, or a rule of its own that "
                    "is not the derivative, does this.",
                    "Look at the rule, move the point off the kink, or pass rtol=.",
                )
            )
    if order > 1:
        for mode in modes:

            def derivative(*ys: Any, mode: str = mode) -> Any:
                if mode == "forward":
                    return jvp(f, ys, ds)[1]
                return list(vjp(f, *ys)[1](cts))

            _check(name, derivative, xs, order - 1, modes, bound * 10, step, rng, at + 1)
