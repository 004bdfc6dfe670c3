"""A compiled function under `gt.check_numerics`: it runs as Python, on what it was given.

Plain arrays are NumPy's then, which nobody looks at. So the results are; and where one is not
finite, the graph is evaluated to find the operation.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import observing
from ..core.console import silent
from ..core.positions import here
from ..core.refusals import LOWER
from ..core.tensor import raw
from ..core.tree import flatten
from ..graph.evaluate import evaluate, watching
from .program import value_of

__all__ = ["checked"]


def checked(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The result of the function itself; whoever asked is told where a plain one is not finite."""
    result = function.function(*args, **kwargs)
    told = observing.eager.told
    if told is None or all(map(_is_finite, flatten(result)[0])):
        return result
    bad: list[Any] = []

    def look(node: Any, operands: list[Any], results: Any) -> None:
        if not bad and results is not None and not all(map(_is_finite, results)):
            bad.append((node.op.name, results, operands[: node.operands], node.position))

    try:
        program, leaves = function._program(args, kwargs)
        with silent(), watching(look):
            evaluate(program.traced.graph, [*map(raw, leaves), *map(value_of, program.sources)])
    except LOWER:  # it says so itself when it is called without this
        bad.clear()
    told(*(bad[0] if bad else (function.name, flatten(result)[0], [], here())))
    return result


def _is_finite(x: Any) -> bool:
    if isinstance(x, np.ndarray | np.generic):
        return x.dtype.kind not in "fc" or bool(np.isfinite(x).all())
    return not isinstance(x, float | complex) or bool(np.isfinite(x))
