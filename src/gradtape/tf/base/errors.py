"""TensorFlow's error classes, and how what lower layers raise becomes one of them."""

from __future__ import annotations

from typing import Any, NoReturn

from ...core.refusals import LOWER, refusal
from ...errors import GradtapeError, TracingError, three_part

OK, CANCELLED, UNKNOWN, INVALID_ARGUMENT, DEADLINE_EXCEEDED, NOT_FOUND = range(6)
ALREADY_EXISTS, PERMISSION_DENIED, RESOURCE_EXHAUSTED, FAILED_PRECONDITION = range(6, 10)
ABORTED, OUT_OF_RANGE, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS = range(10, 16)
UNAUTHENTICATED = 16
CODES = {name: code for name, code in globals().copy().items() if isinstance(code, int)}


class OpError(GradtapeError):
    """Base of what an operation raises: `message`, `error_code`, and `op`, which is None here."""

    def __init__(
        self, node_def: Any, op: Any, message: str, error_code: int = UNKNOWN, *args: Any
    ) -> None:
        super().__init__(node_def, op, message)
        self.node_def = node_def
        self.op = op
        self.message = message
        self.error_code = error_code
        self.experimental_payloads: dict[str, Any] = {}

    def __str__(self) -> str:
        return str(self.message)


def _kind(name: str, code: int) -> type[OpError]:
    def __init__(self: Any, node_def: Any, op: Any, message: str, *args: Any) -> None:
        OpError.__init__(self, node_def, op, message, code)

    return type(name, (OpError,), {"__init__": __init__, "__module__": __name__})


KINDS = {
    name: _kind(name, code)
    for name, code in {
        "CancelledError": CANCELLED, "UnknownError": UNKNOWN,
        "InvalidArgumentError": INVALID_ARGUMENT, "DeadlineExceededError": DEADLINE_EXCEEDED,
        "NotFoundError": NOT_FOUND, "AlreadyExistsError": ALREADY_EXISTS,
        "PermissionDeniedError": PERMISSION_DENIED, "ResourceExhaustedError": RESOURCE_EXHAUSTED,
        "FailedPreconditionError": FAILED_PRECONDITION, "AbortedError": ABORTED,
        "OutOfRangeError": OUT_OF_RANGE, "UnimplementedError": UNIMPLEMENTED,
        "InternalError": INTERNAL, "UnavailableError": UNAVAILABLE, "DataLossError": DATA_LOSS,
        "UnauthenticatedError": UNAUTHENTICATED,
    }.items()
}  # fmt: skip
InvalidArgumentError: Any = KINDS["InvalidArgumentError"]


def invalid(fact: str, cause: str, remedy: str) -> Any:
    """An InvalidArgumentError with our three parts."""
    return InvalidArgumentError(None, None, three_part(fact, cause, remedy))


class Refused(GradtapeError):
    """Base of what a function refuses with one of Python's own classes."""


def _goes_by(name: str) -> Any:
    """Show a class as the builtin that it is to a script: `type(e).__name__`, and tracebacks."""

    def decorate(cls: Any) -> Any:
        builtin = next(base for base in cls.__mro__ if base.__name__ == name)
        cls.__name__ = cls.__qualname__ = name
        cls.__module__ = "builtins"
        cls.__reduce__ = lambda self: (builtin, self.args)  # pickle looks a class up by its name
        return cls

    return decorate


@_goes_by("ValueError")
class RefusedValue(Refused, ValueError):
    """A value that TensorFlow answers with ValueError."""


@_goes_by("RuntimeError")
class RefusedState(Refused, RuntimeError):
    """What cannot be done eagerly."""


@_goes_by("AssertionError")
class RefusedAssertion(Refused, AssertionError):
    """A claim of the user's that does not hold, where TensorFlow asserts it."""


@_goes_by("TypeError")
class RefusedType(Refused, TypeError):
    """A type that TensorFlow answers with TypeError."""


class OperatorNotAllowedInGraphError(RefusedType):
    """What TensorFlow raises where a graph cannot follow Python; there are no graphs here."""


_PLAIN: dict[Any, Any] = {ValueError: RefusedValue, TypeError: RefusedType}


def refuse(
    error: Exception, name: str, args: Any, kwargs: Any = None, kind: Any = None
) -> NoReturn:
    """Raise TensorFlow's class in place of `error`, which a lower layer raised.

    `kind` is the class that TensorFlow gives for this function; InvalidArgumentError for values
    and shapes by default, TypeError for types.
    """
    if isinstance(error, OpError | Refused | TracingError):
        raise error
    if not isinstance(error, GradtapeError):
        error = refusal(error, name, args, kwargs or {})
    said = str(error)
    if kind is None and isinstance(error, TypeError):
        raise RefusedType(said) from None
    if kind is not None and kind in _PLAIN:
        raise _PLAIN[kind](said) from None
    raise (kind or InvalidArgumentError)(None, None, said) from None


__all__ = ["CODES", "KINDS", "LOWER", "InvalidArgumentError", "OpError",
           "OperatorNotAllowedInGraphError", "Refused", "RefusedAssertion",
           "RefusedState", "RefusedType", "RefusedValue", "invalid", "refuse"]  # fmt: skip
