"""Central differences for whole programs: the truth these tests compare with.

Every program is an ordinary function of NumPy arrays that returns a real scalar. `check` runs it
plainly, through `gt.value_and_grad`, through a tape, and through nested tapes, and compares each
gradient with differences of the plain run; second derivatives are compared, along a direction,
with differences of the first.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

import gradtape as gt

STEP = 6e-6  # the cube root of the epsilon of float64: where both errors of a difference balance


def slope(function: Callable[..., Any], arguments: tuple[Any, ...], which: int) -> Any:
    """Central difference of `function` with respect to each entry of `arguments[which]`.

    For complex entries: the derivative along 1 plus 1j times the derivative along 1j, which is
    the direction of steepest ascent (the conjugate convention).
    """
    x = np.asarray(arguments[which])
    result = np.zeros(x.shape, x.dtype)
    for index in np.ndindex(x.shape):
        for unit in (1, 1j) if np.iscomplexobj(x) else (1,):
            ends = []
            for sign in (1, -1):
                moved = np.array(x)
                moved[index] += sign * STEP * unit
                changed = (*arguments[:which], moved, *arguments[which + 1 :])
                ends.append(float(function(*changed)))
            result[index] += unit * (ends[0] - ends[1]) / (2 * STEP)
    return result


def close(found: Any, expected: Any, rtol: float = 2e-6) -> None:
    """Equal up to the error of a central difference, relative to the largest entry."""
    expected = np.asarray(expected)
    scale = max(1.0, float(np.max(np.abs(expected), initial=0.0)))
    assert np.shape(found) == expected.shape
    np.testing.assert_allclose(np.asarray(found), expected, rtol=rtol, atol=rtol * scale)


def check(function: Callable[..., Any], *arguments: Any, second: bool = True) -> None:
    """Compare value, first and (along a direction) second derivatives with differences."""
    arguments = tuple(np.array(x) for x in arguments)
    numbers = tuple(range(len(arguments)))
    plain = float(function(*(np.array(x) for x in arguments)))
    expected = [slope(function, arguments, k) for k in numbers]

    value, gradients = gt.value_and_grad(function, argnums=numbers)(*arguments)
    np.testing.assert_allclose(float(value), plain, rtol=1e-13)
    for gradient, truth in zip(gradients, expected, strict=True):
        assert type(gradient) is (np.ndarray if np.ndim(gradient) else type(gradient))
        close(gradient, truth)

    variables = [gt.Variable(x) for x in arguments]
    with gt.GradientTape() as tape:
        loss = function(*variables)
    for gradient, truth in zip(tape.gradient(loss, variables), expected, strict=True):
        close(gradient, truth)

    if second:
        rng = np.random.default_rng(7)
        along = [_direction(rng, x) for x in arguments]

        def directional(t: float) -> Any:
            moved = [x + t * d for x, d in zip(arguments, along, strict=True)]
            return gt.grad(function, argnums=numbers)(*moved)

        ends = zip(directional(STEP), directional(-STEP), strict=True)
        truths = [(a - b) / (2 * STEP) for a, b in ends]
        with gt.GradientTape() as outer:
            with gt.GradientTape() as inner:
                loss = function(*variables)
            first = inner.gradient(loss, variables)
            dot = sum(np.sum(np.real(np.conj(d) * g)) for d, g in zip(along, first, strict=True))
        found = outer.gradient(dot, variables, unconnected_gradients="zero")
        for gradient, truth in zip(found, truths, strict=True):
            close(gradient, truth, rtol=2e-5)


def _direction(rng: np.random.Generator, x: Any) -> Any:
    d = rng.normal(size=x.shape)
    if np.iscomplexobj(x):
        d = d + 1j * rng.normal(size=x.shape)
    return d
