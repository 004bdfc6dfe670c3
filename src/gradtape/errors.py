"""Exceptions and warnings: one class per kind, each deriving from the builtin a user expects.

Every message has three parts, in this order: the *fact* (operation, shapes, dtypes), the *cause*
(the user's file and line, when known) and the *remedy* (code to paste). `three_part` joins them.
"""

from __future__ import annotations

__all__ = [
    "CompileWarning",
    "ConvergenceError",
    "DTypeError",
    "DonatedError",
    "ExitError",
    "ExitWarning",
    "GradientWarning",
    "GradtapeError",
    "NonFiniteError",
    "NumericsError",
    "RecordError",
    "RecordWarning",
    "RunError",
    "ShapeError",
    "StaleViewError",
    "TapeStateError",
    "TracingError",
    "TracingWarning",
    "UnsupportedOperationError",
    "WatchError",
    "three_part",
]


def three_part(fact: str, cause: str, remedy: str) -> str:
    """Join fact, cause and remedy into one message, a line each; an unknown cause is left out.

    >>> print(three_part("sum: axis 3 does not exist.", "x has 2 axes.", "Use axis=0 or axis=1."))
    sum: axis 3 does not exist.
    x has 2 axes.
    Use axis=0 or axis=1.
    """
    return "\n".join(part for part in (fact, cause, remedy) if part)


class GradtapeError(Exception):
    """Base of every exception that gradtape raises on purpose."""


class TapeStateError(GradtapeError, RuntimeError, ValueError):
    """A tape was asked for something its state does not allow, such as a second gradient."""


class ShapeError(GradtapeError, ValueError):
    """Shapes do not fit, such as an `output_gradients` entry that is not shaped like its target."""


class DTypeError(GradtapeError, TypeError):
    """A value has a type that cannot be used there, such as an integer asked for its gradient."""


class WatchError(DTypeError, ValueError):
    """Something that is no number or array was given to `tape.watch`."""


class DonatedError(GradtapeError, RuntimeError):
    """A Tensor is read whose memory was given away by `gt.function(donate=...)`."""


class StaleViewError(GradtapeError, RuntimeError):
    """A view was read after its base was written, and cannot be derived from it again."""


class UnsupportedOperationError(GradtapeError, NotImplementedError, LookupError):
    """A gradient has to pass through an operation that has no rule."""


class ExitError(GradtapeError, TypeError):
    """A tracked value left where it must not: a tape made with `strict=True`, an objective."""


class NonFiniteError(GradtapeError, ValueError):
    """A function that is optimized, or its derivative, is NaN or infinite."""


class ConvergenceError(GradtapeError, RuntimeError):
    """An optimizer ended without a result that it can vouch for."""


class MismatchError(GradtapeError, AssertionError):
    """A derivative that is not what differences give."""


class NumericsError(GradtapeError, FloatingPointError):
    """A result is NaN or infinite, and `gt.check_numerics` is on."""


class TracingError(GradtapeError, TypeError):
    """A value that is not known while tracing was needed as a number."""


class RecordError(GradtapeError, RuntimeError):
    """A run cannot be recorded there: another process writes it, or the folder holds one."""


class RunError(GradtapeError, ValueError, LookupError):
    """A recorded run cannot be read, or does not hold what it was asked for."""


class RecordWarning(UserWarning):
    """A run is recorded with less than was asked for: a write failed, or there is no WAL."""


class CompileWarning(UserWarning):
    """A program could not be compiled; NumPy runs it."""


class TracingWarning(UserWarning):
    """A compiled function does not do what was probably meant: it is traced again and again."""


class GradientWarning(UserWarning):
    """A gradient is None, or only part of the whole, and says why."""


class ExitWarning(GradientWarning):
    """A value left the tape and came back, so a gradient misses the path through it."""
