"""The measures of the checks: directions, central differences, and when two numbers agree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.tensor import Tensor, raw

# relative tolerances: NumPy's own value; central differences; exact linear algebra; float32
TOLERANCE = {"value": 1e-14, "difference": 2e-6, "dot": 1e-9, "float32": 2e-4}


def direction(rng: np.random.Generator, like: Any) -> Any:
    """A random direction in the space of `like`."""
    d = rng.normal(size=np.shape(like))
    if np.iscomplexobj(like):
        d = d + 1j * rng.normal(size=np.shape(like))
    return np.asarray(d)[()]


def real_dot(a: Any, b: Any) -> float:
    """Re <a, b>, the product in which cotangents are taken."""
    return float(np.real(np.vdot(np.asarray(raw(a)), np.asarray(raw(b)))))


def difference(along: Callable[[float], list[Any]], weights: Sequence[Any]) -> float:
    """The derivative at 0 of `sum <weights, along(h)>`.

    By Richardson's extrapolation of two central differences (error h^4).
    """

    def central(h: float) -> float:
        plus, minus = along(h), along(-h)
        return sum(
            real_dot(w, (np.asarray(raw(p)) - np.asarray(raw(m))) / (2 * h))
            for w, p, m in zip(weights, plus, minus, strict=True)
            if w is not None
        )

    h = 2e-4
    return (4 * central(h) - central(2 * h)) / 3


def near(a: float, b: float, tolerance: float) -> bool:
    """Whether two numbers agree, relative to the larger one or to 1."""
    return bool(abs(a - b) <= tolerance * (1 + max(abs(a), abs(b))))


def check_close(label: str, found: Any, expected: Any, tolerance: float) -> None:
    """Fail unless two arrays agree, infinities and NaNs included."""
    found, expected = np.asarray(raw(found)), np.asarray(raw(expected))
    assert found.shape == expected.shape, f"{label}: shape {found.shape}, not {expected.shape}"
    if found.dtype.kind not in "biufc" or expected.dtype.kind not in "biufc":
        assert np.all(found == expected), f"{label}: {found!r}, not {expected!r}"
        return
    scale = 1 + np.max(np.abs(expected[np.isfinite(expected)]), initial=0)
    if found.dtype.kind == expected.dtype.kind == "b":
        ok = found == expected
    else:
        with np.errstate(all="ignore"):
            ok = (np.abs(found - expected) <= tolerance * scale) | (found == expected)
        ok |= np.isnan(found) & np.isnan(expected)
    assert np.all(ok), f"{label}: {found!r}, not {expected!r}"


def check_value(label: str, outs: list[Tensor], expected: list[Any], tolerance: float) -> None:
    """Fail unless the results are NumPy's, in number, dtype, shape and value."""
    assert len(outs) == len(expected), f"{label}: {len(outs)} results, not {len(expected)}"
    for o, e in zip(outs, expected, strict=True):
        e = np.asarray(e)
        assert o.dtype == e.dtype, f"{label}: dtype {o.dtype}, NumPy gives {e.dtype}"
        check_close(label, o, e, tolerance)
