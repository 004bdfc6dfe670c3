"""What goes wrong in an optimization, said in three parts: fact, cause with the line, remedy.

SciPy calls the user's function, so the line that the standard machinery takes for the user's would
be one of SciPy's; the `Door` through which the user came remembers the right one.
"""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.exits import Exit
from ..core.phrases import phrase_of, remedy_for
from ..core.positions import decode, is_internal, user_frame
from ..core.refusals import ArgumentTypeError, ArgumentValueError, LinAlgError
from ..errors import (
    ConvergenceError,
    DTypeError,
    ExitError,
    ExitWarning,
    GradientWarning,
    GradtapeError,
    NonFiniteError,
    ShapeError,
    UnsupportedOperationError,
    three_part,
)
from ..tape import reasons
from ..tape.facts import SILENCE, Explanation
from .derivatives import Run

# Why a derivative is missing or rightly zero, by the kinds of `Explanation`.
_SILENT = frozenset(("stop_gradient", "meant"))
_MEANT = _SILENT | {"connected"}
_INDEPENDENT = frozenset(("no dependence", "watched after use", "plain target"))
_FLAT = frozenset(("nondifferentiable", "integer dtype"))

_CONSTANT = "If the value is meant as a constant, take it with gt.value(...)."


class Door:
    """A public function of this room that was called: its name, and the user's line.

    `with door:` around a call of SciPy turns what SciPy itself refuses into three parts.
    """

    def __init__(self, name: str) -> None:
        frame = user_frame()
        self.name = name
        self.position = (frame.f_code, frame.f_lasti)
        self._globals = frame.f_globals

    @property
    def place(self) -> str:
        """File and line of the call."""
        return str(decode(*self.position))

    def warn(self, message: str, category: type[Warning] = GradientWarning) -> None:
        """Warn at the user's line; the standard filters decide whether it is shown again."""
        position = decode(*self.position)
        assert position is not None
        warnings.warn_explicit(
            message,
            category,
            position.filename,
            position.line,
            module=self._globals.get("__name__") or "unknown",
            registry=self._globals.setdefault("__warningregistry__", {}),
        )

    def __enter__(self) -> Door:
        return self

    def __exit__(self, _kind: Any, error: Any, trace: Any) -> None:
        if not isinstance(error, Exception) or isinstance(error, GradtapeError):
            return
        if not _raised_in_scipy(trace):
            return
        of = next((of for of in _CLASSES if isinstance(error, of)), None)
        if of is None:
            return
        text = " ".join(str(error).split()).rstrip(".")
        raise _CLASSES[of](
            three_part(
                f"{self.name}: {text}.",
                f"SciPy said so of the call at {self.place}.",
                f"See help(scipy.optimize.{self.name}) for what it takes.",
            )
        ) from None


_CLASSES: dict[type[Exception], type[GradtapeError]] = {
    np.linalg.LinAlgError: LinAlgError,
    ValueError: ArgumentValueError,
    TypeError: ArgumentTypeError,
    RuntimeError: ConvergenceError,
}


def _raised_in_scipy(trace: Any) -> bool:
    """Whether the last frame that is not NumPy's is SciPy's."""
    rooms = [str(frame.f_globals.get("__name__", "")).partition(".")[0]
             for frame, _ in traceback.walk_tb(trace)]  # fmt: skip
    while rooms and rooms[-1] == "numpy":
        rooms.pop()
    return bool(rooms) and rooms[-1] == "scipy"


def described(function: Any) -> str:
    """A function as a message names it: `loss (defined at fit.py:12)`."""
    name = getattr(function, "__name__", type(function).__name__)
    name = "the lambda" if name == "<lambda>" else name
    code = getattr(getattr(function, "__wrapped__", function), "__code__", None)
    return name if code is None else f"{name} (defined at {decode(code, -1)})"


# ------------------------------------------------------------------------- what came back


def no_number(door: Door, what: str, function: Any, out: Any) -> GradtapeError:
    """The error for a result that is no array of real numbers."""
    if out is None:
        return DTypeError(
            three_part(
                f"{door.name}: {what} returned None.",
                f"It is {described(function)}; a function without a `return` line returns None.",
                "End the function with `return ...`.",
            )
        )
    kind = getattr(out, "dtype", type(out).__name__)
    remedy = "Return real floating numbers."
    if getattr(kind, "kind", "") == "c":
        remedy = "Return a real number of it, such as np.abs(z) ** 2 or z.real."
    return DTypeError(
        three_part(
            f"{door.name}: {what} returned {kind}, which is no real number.",
            f"It is {described(function)}.",
            remedy,
        )
    )


def wrong_shape(
    door: Door, what: str, function: Any, shape: Any, wanted: str, remedy: str
) -> ShapeError:
    """The error for a result of a shape that does not fit."""
    return ShapeError(
        three_part(
            f"{door.name}: {what} returned shape {shape}, not {wanted}.",
            f"It is {described(function)}, called for {door.place}.",
            remedy,
        )
    )


def not_finite(
    door: Door,
    what: str,
    function: Any,
    call: Callable[[], Any],
    x: Any,
    value: Any,
    cause: str = "",
) -> NonFiniteError:
    """The error for NaN or infinity at `x`, which names the operation that made it.

    `cause` names it where that is known; else `call` is run again to find it.
    """
    bad = np.asarray(value, dtype=float).reshape(-1)
    bad = bad[~np.isfinite(bad)]
    shown = "nan" if np.isnan(bad).any() else str(bad[0])
    made = (
        f"No operation in {described(function)} made it of finite numbers: it was in the data, or"
        " was returned as such."
    )
    some = "" if np.ndim(value) == 0 else f" in {bad.size} of {np.size(value)} places"
    return NonFiniteError(
        three_part(
            f"{door.name}: {what} is {shown}{some} at x = {short(x)}.",
            cause or _origin(call, bad) or made,
            "Start elsewhere, keep x away from there with bounds=, or write the function so that"
            " it is finite: np.log(np.maximum(x, 1e-300)), np.logaddexp(0, x).",
        )
    )


def _origin(call: Callable[[], Any], bad: Any) -> str:
    """Where the first NaN or infinity was made, found by a second run that stops there."""
    modes: list[dict[str, Any]] = [{"invalid": "raise", "divide": "raise"}, {"over": "raise"}]
    for mode in modes if np.isnan(bad).any() else [*modes[1:], modes[0]]:
        try:
            with np.errstate(all="ignore"), np.errstate(**mode), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                call()
        except FloatingPointError as error:
            for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
                if not is_internal(frame.f_code):
                    at = f"{frame.f_code.co_filename.rpartition('/')[2]}:{line}"
                    return f"The first of it is made at {at}: {error}."
        except Exception:
            continue
    return ""


def short(x: Any) -> str:
    """A vector in a message."""
    return np.array2string(np.asarray(x), precision=6, threshold=8, edgeitems=3)


# ----------------------------------------------------------------- derivatives that are lost


def check_path(
    door: Door,
    what: str,
    function: Any,
    run: Run,
    missing: list[bool],
    is_wrong: Callable[[list[Exit]], bool],
) -> None:
    """Raise where a derivative is lost, or only a part of the whole.

    `missing[i]` says that the result has no derivative with respect to source i. What was computed
    from a number that left cannot be followed for certain; `is_wrong` is given the places where
    numbers left, and compares the derivative with a difference.
    """
    names = (f"the result of {what}", "x")
    exits = [] if run.recorder.exits is None else [
        found for found in run.recorder.exits.places.values() if not found.is_shown
    ]  # fmt: skip
    if exits:
        for out in run.outs:  # a list may hold plain numbers beside Tensors
            found = reasons.explain(run.recorder, [out], run.sources[0], names)
            if found.kind == "exit":
                raise said(ExitError, door, what, found)
    lost = any(getattr(out, "why", None) is not None for out in run.outs)
    possible: list[Explanation] = []
    if run.recorder.returns or lost or any(missing):
        possible = _check_sources(door, what, function, run, missing, names)
    if exits and is_wrong(exits):
        cause, remedy = possible[0].cause if possible else "", ""
        if not possible:
            cause = f"At {exits[-1].place.position}: {phrase_of(exits[-1])}, and what is computed"
            cause += " from that cannot be followed."
            remedy = f"{remedy_for(exits[-1])} {_CONSTANT}"
        raise ExitError(
            three_part(
                f"{door.name}: the derivative of {what} with respect to x is only a part of the"
                " whole: a difference says otherwise.",
                f"{cause} The call is at {door.place}.",
                remedy or _remedy(possible[0]),
            )
        )
    for found in possible:
        door.warn(_said(door, what, found), ExitWarning)


def _check_sources(
    door: Door, what: str, function: Any, run: Run, missing: list[bool], names: tuple[str, str]
) -> list[Explanation]:
    """Raise or warn of what is certain; return what is only possible."""
    independent, possible = 0, []
    for source, is_missing in zip(run.sources, missing, strict=True):
        found = reasons.explain(run.recorder, run.outs, source, names)
        kind = found.kind
        if kind in _INDEPENDENT:
            independent += 1
        elif kind in _FLAT or (kind in _MEANT and is_missing):
            if kind not in _SILENT:
                door.warn(_flat(door, what, function, found))
        elif kind == "partial" and not found.certain:
            possible.append(found)
        elif kind == "no rule":
            raise said(UnsupportedOperationError, door, what, found)
        elif kind not in _MEANT:
            raise said(ExitError, door, what, found)
    if independent == len(run.sources):
        door.warn(
            three_part(
                f"{door.name}: {what} does not depend on x; its derivative is zero everywhere.",
                f"It is {described(function)}.",
                "Compute it from the argument of the function, in its own body.",
            )
        )
    return possible


def said(cls: type[GradtapeError], door: Door, what: str, found: Explanation) -> GradtapeError:
    """The error of class `cls` for a path that is lost."""
    return cls(_said(door, what, found))


def _said(door: Door, what: str, found: Explanation) -> str:
    if found.kind == "partial":
        fact = f"{door.name}: the derivative of {what} with respect to x"
        fact += " is" if found.certain else " may be"
        fact += " only a part of the whole."
    else:
        fact = f"{door.name}: no path from x to the result of {what}, so it has no derivative."
    cause = f"{found.cause} The call is at {door.place}."
    return three_part(fact, cause, _remedy(found))


def _remedy(found: Explanation) -> str:
    remedy = found.remedy.replace(SILENCE, "").strip()
    return remedy if "meant as a constant" in remedy else f"{remedy} {_CONSTANT}"


def _flat(door: Door, what: str, function: Any, found: Explanation) -> str:
    fact = f"{door.name}: the derivative of {what} is zero wherever it exists."
    cause = f"{found.cause} It is {described(function)}."
    remedy = 'Take a method without derivatives: method="Nelder-Mead" or method="Powell".'
    return three_part(fact, cause, remedy)
