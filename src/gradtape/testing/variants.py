"""A call changed in its values, shapes, dtypes and axes: what NumPy makes of it, and its kinks."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..core.tensor import new_tensor, raw
from ..core.tree import flatten
from .numbers import check_close, difference, direction, near, real_dot
from .run import Rules, Run

# Kinks, ties and singular points are met here: whole numbers and halves, several times each.
SPECIAL = (0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5, 3.0)
STEP = 1e-5
ELEMENTS = 4  # whose slopes are looked at, per operand


# ---------------------------------------------------------------------- values and refusals


def changed_operands(
    operands: Sequence[Any], wrt: Sequence[int]
) -> Iterator[tuple[str, list[Any], bool]]:
    """Calls with one followed operand replaced: what was done, and whether it got smaller."""
    for i in wrt:
        x = np.asarray(operands[i])
        changes = (_other_values(x), False), (_other_shapes(x), False), (_smaller(x), True)
        for found, is_small in changes:
            for what, y in found:
                yield f"operand {i} {what}", [*operands[:i], y, *operands[i + 1 :]], is_small


def _other_values(x: Any) -> Iterator[tuple[str, Any]]:
    if x.size:
        y = x.copy()
        y.flat[x.size // 2] = np.nan
        yield "with a NaN", y
        yield "of NaN", np.full_like(x, np.nan)
        yield "of zeros", np.zeros_like(x)
    if x.dtype.kind == "f":
        yield "of integers", np.rint(3 * np.nan_to_num(x)).astype(int)


def _other_shapes(x: Any) -> Iterator[tuple[str, Any]]:
    yield "with one more axis", np.stack([x, x * 0.9])
    if x.ndim:
        yield "one longer", np.concatenate([x, x[:1]])
        if len(x):
            yield "without its first axis", x[0]


def _smaller(x: Any) -> Iterator[tuple[str, Any]]:
    if x.size:
        yield "0-d", x.flat[0]
    if x.ndim:
        yield "with one element along the first axis", x[:1]
        yield "with nothing along the first axis", x[:0]
        yield "with nothing along the last axis", x[..., :0]


def changed_options(kwargs: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Keyword arguments with an axis that does not exist, and what was done."""
    for name, value in kwargs.items():
        if "axis" in name and isinstance(value, int):
            for axis in (9, -9):
                yield f"{name}={axis}", {**kwargs, name: axis}
        elif "axis" in name and isinstance(value, tuple) and value:
            yield f"{name} out of range", {**kwargs, name: (9, *value[1:])}
            yield f"{name} twice", {**kwargs, name: (value[0], value[0])}


class Outcome:
    """What a call gives: its results, or the exception it raises, and its warnings."""

    def __init__(self, function: Callable[..., Any], operands: Any, kwargs: Any) -> None:
        self.error: Exception | None = None
        self.many, self.values = False, []
        with warnings.catch_warnings(record=True) as heard, np.errstate(all="ignore"):
            warnings.simplefilter("always")
            try:
                out = function(*operands, **kwargs)
            except Exception as error:
                self.error = error
            else:
                self.many = isinstance(out, tuple | list)
                self.values = [np.asarray(raw(o)) for o in flatten(out)[0]]
        self.warnings = sorted({str(w.message) for w in heard})

    def __str__(self) -> str:
        if self.error is not None:
            text = str(self.error)
            return f"{type(self.error).__name__}: {text.splitlines()[0] if text else ''}"
        return ", ".join(map(repr, self.values))


def check_outcome(
    label: str,
    function: Callable[..., Any],
    reference: Callable[..., Any],
    operands: Sequence[Any],
    kwargs: Mapping[str, Any],
    wrt: Sequence[int],
    tolerance: float,
) -> bool:
    """Fail unless the call on Tensors gives what NumPy gives, or is refused where NumPy refuses.

    Returns whether the call has a value.
    """
    expected = Outcome(reference, operands, kwargs)
    args = [new_tensor(np.asarray(x)[()]) if i in wrt else x for i, x in enumerate(operands)]
    found = Outcome(function, args, kwargs)
    if expected.error is not None or found.error is not None:
        assert expected.error is not None, f"{label}: NumPy gives {expected}; we refuse: {found}"
        assert found.error is not None, f"{label}: NumPy refuses, {expected}; we give {found}"
        assert _kind(found.error) == _kind(expected.error), (
            f"{label}: NumPy refuses with {expected}; we with {found}"
        )
        return False
    assert found.many == expected.many, f"{label}: one or many results"
    assert len(found.values) == len(expected.values), f"{label}: {len(found.values)} results"
    for x, y in zip(found.values, expected.values, strict=True):
        assert x.dtype == y.dtype, f"{label}: dtype {x.dtype}, NumPy gives {y.dtype}"
        check_close(label, x, y, tolerance)
    assert found.warnings == expected.warnings, (
        f"{label}: warnings {found.warnings}, NumPy's are {expected.warnings}"
    )
    return not expected.warnings


def _kind(error: Exception) -> type[Exception]:
    """The builtin that a user would catch; NumPy itself mixes up the first two."""
    kinds = (ValueError, IndexError), (TypeError,), (ArithmeticError,)
    return next((k[0] for k in kinds if isinstance(error, k)), type(error))


def check_derivatives(
    label: str, function: Callable[..., Any], reference: Callable[..., Any], operands: list[Any],
    kwargs: Mapping[str, Any], wrt: Sequence[int], rules: Rules,
    rng: np.random.Generator, tolerance: float,
) -> None:  # fmt: skip
    """Both modes against each other and central differences, and the rules, for another shape."""
    run = Run(function, operands, kwargs, wrt)
    cts = [direction(rng, raw(o)) if o.dtype.kind in "fc" else None for o in run.outs]
    gradients = run.vjp(cts)
    check_modes(label, run, cts, gradients, rng)
    rules.check(label, run.recorder)
    directions = [direction(rng, x) for x in map(raw, run.inputs)]

    def along(h: float) -> list[Any]:
        moved = list(operands)
        for i, d in zip(wrt, directions, strict=True):
            moved[i] = operands[i] + h * d
        return Outcome(reference, moved, kwargs).values

    if not all(np.isfinite(raw(o)).all() for o in run.outs):
        return
    exact = sum(real_dot(g, d) for g, d in zip(gradients, directions, strict=True))
    numeric = difference(along, cts)
    assert near(exact, numeric, tolerance), (
        f"{label}: the vjp gives {exact!r}, central differences give {numeric!r}"
    )


# ------------------------------------------------------------------------------------ kinks


def special_operands(
    operands: Sequence[Any], drawn: Mapping[int, tuple[float, float]], rng: np.random.Generator
) -> Iterator[tuple[str, list[Any]]]:
    """Calls in which the drawn operands hold special values: of their domains; any; 0; and 1."""
    inside = {
        i: np.array([*(v for v in SPECIAL if low <= v <= high), low, high])
        for i, (low, high) in drawn.items()
    }
    anywhere = np.array(SPECIAL)
    for name, choices in (
        ("special values", inside),
        ("values outside its domain", dict.fromkeys(drawn, anywhere)),
        ("other values outside its domain", dict.fromkeys(drawn, anywhere)),
        ("zeros", dict.fromkeys(drawn, anywhere[:1])),
        ("ones", dict.fromkeys(drawn, anywhere[1:2])),
    ):
        new = list(operands)
        for i, values in choices.items():
            x = np.asarray(operands[i])
            new[i] = rng.choice(values, size=x.shape).astype(x.dtype)[()]
        yield name, new


def check_kinks(
    label: str,
    function: Callable[..., Any],
    reference: Callable[..., Any],
    operands: list[Any],
    kwargs: Mapping[str, Any],
    wrt: Sequence[int],
    rng: np.random.Generator,
) -> None:
    """Fail unless the gradient lies between the slopes of both sides, along each element."""
    expected = Outcome(reference, operands, kwargs)
    if expected.error is not None or expected.warnings:
        return
    run = Run(function, operands, kwargs, wrt)
    cts = [
        np.where(np.isfinite(raw(o)), direction(rng, raw(o)), 0) if o.dtype.kind in "fc" else None
        for o in run.outs
    ]
    gradients = run.vjp(cts)
    for i, g in zip(wrt, gradients, strict=True):
        x = np.asarray(operands[i])
        places: list[Any] = [*_some(x.size, rng), slice(None)]
        for e in places:  # each alone, then all together
            low, high = _slopes(reference, operands, kwargs, cts, i, e)
            if not np.isfinite([low, high]).all():
                continue
            slope = np.sum(np.asarray(g).reshape(-1)[e])
            if np.isnan(slope) and not all(np.isfinite(raw(o)).all() for o in run.outs):
                continue
            slack = 1e-3 * (1 + max(abs(low), abs(high)))
            assert low - slack <= slope <= high + slack, (
                f"{label}: the gradient of operand {i} {x!r} is {np.asarray(g)!r}; "
                f"along {'all' if isinstance(e, slice) else f'element {e}'} "
                f"the slopes of both sides are {low} and {high}"
            )
    check_modes(label, run, cts, gradients, rng)


def check_modes(
    label: str, run: Run, cts: list[Any], gradients: list[Any], rng: np.random.Generator
) -> None:
    """The dot-product test, unless a result is not finite: then a product may be NaN."""
    directions = [direction(rng, raw(x)) for x in run.inputs]
    right = sum(real_dot(g, d) for g, d in zip(gradients, directions, strict=True))
    tangents = run.jvp(directions)
    left = sum(
        real_dot(ct, np.where(np.equal(ct, 0), 0, t))
        for ct, t in zip(cts, tangents, strict=True) if ct is not None
    )
    finite = all(np.isfinite(raw(o)).all() for o in run.outs)
    if np.isfinite(right) and np.isfinite(left) or (
        finite and np.isfinite(right) != np.isfinite(left)
    ):
        assert near(left, right, 1e-9), f"{label}: jvp gives {left!r} where the vjp gives {right!r}"


def _some(size: int, rng: np.random.Generator) -> list[int]:
    return list(range(size)) if size <= ELEMENTS else sorted(rng.permutation(size)[:ELEMENTS])


def _slopes(
    reference: Callable[..., Any], operands: list[Any], kwargs: Any, cts: Any, i: int, e: Any
) -> tuple[float, float]:
    """Bounds of <ct, f> along one element, or all, from the slopes of each result on both sides.

    Not finite where a result jumps, or its slope is infinite.
    """

    def at(h: float) -> list[Any]:
        x = np.array(operands[i])
        x.flat[e] += h
        moved = [*operands[:i], x[()], *operands[i + 1 :]]
        return Outcome(reference, moved, kwargs).values

    here, low, high = at(0.0), 0.0, 0.0
    sides = []
    for sign in (1, -1):
        near_by, nearer = at(sign * STEP), at(sign * STEP / 2)
        if not near_by or not nearer:  # refused: the domain ends here
            near_by = nearer = [np.full(o.shape, np.nan) for o in here]
        if not len(here) == len(near_by) == len(nearer):
            return np.nan, np.nan
        sides.append([
            _slope(a, b, c, sign * STEP) for a, b, c in zip(here, near_by, nearer, strict=True)
        ])  # fmt: skip
    for ct, right, left in zip(cts, *sides, strict=True):
        if ct is None:
            continue
        if not isinstance(e, slice):  # the domain of one element may end here
            right, left = (
                np.where(np.isnan(a), b, a) for a, b in ((right, left), (left, right))
            )
        with np.errstate(all="ignore"):
            both = np.stack([np.real(np.conjugate(ct) * right), np.real(np.conjugate(ct) * left)])
            low += float(np.sum(both.min(axis=0)))
            high += float(np.sum(both.max(axis=0)))
    return low, high


def _slope(here: Any, near_by: Any, nearer: Any, h: float) -> Any:
    """The one-sided slope of each result: infinite where the quotients do not settle.

    NaN where the function has no value on this side.
    """
    if here.dtype.kind not in "fc" or not here.shape == near_by.shape == nearer.shape:
        return np.full(here.shape, np.nan)
    with np.errstate(all="ignore"):
        far, close = (near_by - here) / h, (nearer - here) / (h / 2)
        settled = np.abs(far - close) <= 1e-4 * (1 + np.abs(close))
        slope = np.where(settled | np.isnan(far), 2 * close - far, np.inf)
    return np.where(np.isfinite(here), slope, 0)  # its cotangent is 0
