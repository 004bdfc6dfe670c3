"""tf.autograph: switches of a translation that does not take place: `if` runs as Python."""

from __future__ import annotations

import enum
from typing import Any

from ..base.names import export


@export("autograph.experimental.Feature")
class Feature(enum.Enum):
    """What to translate; `tf.function` takes it and translates nothing."""

    ALL = "ALL"
    AUTO_CONTROL_DEPS = "AUTO_CONTROL_DEPS"
    ASSERT_STATEMENTS = "ASSERT_STATEMENTS"
    BUILTIN_FUNCTIONS = "BUILTIN_FUNCTIONS"
    EQUALITY_OPERATORS = "EQUALITY_OPERATORS"
    LISTS = "LISTS"
    NAME_SCOPES = "NAME_SCOPES"


@export("autograph.set_verbosity")
def set_verbosity(level: Any, alsologtostdout: Any = False) -> None:
    """Nothing: there is no translation to log."""


@export("autograph.trace")
def trace(*args: Any) -> None:
    """Print the arguments."""
    print(*args)


@export("autograph.experimental.do_not_convert")
def do_not_convert(func: Any = None) -> Any:
    """`func` as it is: nothing is translated in any case."""
    return do_not_convert if func is None else func


@export("autograph.experimental.set_loop_options")
def set_loop_options(
    parallel_iterations: Any = None,
    swap_memory: Any = None,
    maximum_iterations: Any = None,
    shape_invariants: Any = None,
) -> None:
    """Nothing, as for every loop that Python runs itself."""
