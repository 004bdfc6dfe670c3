"""Python's numbers in control flow: there too they take the dtype of what they meet.

A carry that begins as a Python number is one in the graph of a turn too, as long as a turn gives a
Python number back. Where it gives another type (0.0 + x of float32 is float32), turns behind the
first compute with that, as Python's loop does. If the first computes the same all the same, to the
last dtype, it is no other turn, and the number is one of NumPy's from the start; else it stands for
itself in front of the loop.

Nothing follows a Python number, so it has no derivative; what is watched is a number of NumPy's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.aval import Aval, aval_of, is_differentiable, weak_result_type
from ..core.positions import here
from ..core.pythons import PYTHON
from ..core.state import state
from ..core.symbol import Symbol
from ..core.tensor import Tensor, raw
from .ir import Constant, Graph, Value
from .marks import NUMBER, STOP, as_weak
from .traced import Traced

__all__ = [
    "alike", "as_wide", "either", "handed_out", "is_kept", "is_smooth", "region_output",
    "settled_carry", "type_of", "typed",
]  # fmt: skip

_MOST = 3  # times that the type of a carry may become another one
Region = tuple[Traced, list[Any]]


def type_of(x: Any) -> Aval:
    """The aval of `x`: a Python number is weak."""
    return aval_of(raw(x))


def is_smooth(x: Any) -> bool:
    """Whether `x` can have a derivative: no integer does, and no Python number."""
    aval = type_of(x)
    return is_differentiable(aval.dtype) and not aval.weak


def region_output(leaf: Any, keeps: bool) -> Any:
    """`leaf` as a result of a region, which `keeps` a Python number as one."""
    if type(leaf) not in PYTHON or not keeps:
        return np.asarray(leaf)[()]
    aval = aval_of(leaf)
    if aval.dtype.kind not in "bifc":  # too large an integer
        return np.asarray(leaf)[()]
    return Symbol(aval, Constant(aval, leaf), state.tapes[0], here(3))


def either(a: Aval, b: Aval) -> Aval:
    """The type of what is `a` or `b`: a Python number takes the dtype of the other.

    A truth value of NumPy's leaves a Python number what it is: beside both, others keep theirs.
    """
    kinds = {x.dtype == bool: x.weak for x in (a, b)}
    is_weak = a.weak and b.weak or kinds == {True: False, False: True}
    return Aval(a.shape, weak_result_type(a, b), is_weak)


def handed_out(results: Any) -> tuple[Any, ...]:
    """The results of a loop or branch; what is known and Python's is no Tensor."""
    return tuple([x.value if type(x.value) in PYTHON else x for x in results])


def as_wide(x: Any, other: Any) -> Any:
    """`x` in a dtype that holds `other` too."""
    dtype = np.result_type(x.dtype, other.dtype)
    return x if x.dtype == dtype else x.astype(dtype)


def typed(x: Any, aval: Aval) -> Any:
    """`x` as a value of that type, of which it is but for weakness."""
    if aval.weak:
        return as_weak(x)
    if isinstance(x, Tensor):
        return x if _is_same(type_of(x), aval) else x.astype(aval.dtype)
    return x if type_of(x).shape else np.asarray(x, aval.dtype)[()]


def settled_carry(
    make: Callable[[list[Aval]], Region], avals: list[Aval], widens: bool = False
) -> tuple[Region, list[Aval], bool]:
    """(the graph of a turn, the types that it takes and gives, whether the first is no other).

    Types that do not settle are left for `check_carry` to refuse. Where a loop `widens`, one that
    is no Python number becomes another as well.
    """
    made = first = make(avals)
    begun = avals
    for _ in range(_MOST):
        back = [v.aval for v in made[0].graph.outputs[: len(avals)]]
        new = [_after(a, b, widens) for a, b in zip(avals, back, strict=False)]
        if len(new) != len(avals) or all(map(_is_same, avals, new)):
            break
        avals, made = new, make(new)
    is_same = widens or (begun == avals and (made is first or alike(first[0], made[0])))
    return made, avals, is_same


def _after(given: Aval, back: Aval, widens: bool) -> Aval:
    """The type of a carry behind a turn that took `given`, where that may be another one."""
    if widens and given.shape == back.shape:
        return back
    if given.shape != back.shape or given.shape or given.weak == back.weak:
        return back if given.weak and back.weak else given
    return back if given.weak or given.dtype == back.dtype else given


def is_kept(begun: list[Aval], avals: list[Aval], other: Callable[[], bool]) -> bool:
    """Whether a loop may begin with `avals`: they are `begun`, or `other` says so."""
    return all(map(_is_same, begun, avals)) or other()


def _is_same(a: Aval, b: Aval) -> bool:
    return a == b and a.weak == b.weak


# ----------------------------------------------------------------------- the same computation


def alike(a: Traced, b: Traced) -> bool:
    """Whether two graphs compute the same, in the same dtypes, from the same sources."""
    if len(a.sources) != len(b.sources):
        return False
    return all(map(_is_one, a.sources, b.sources)) and _graphs(a.graph, b.graph)


def _is_one(a: Any, b: Any) -> bool:
    return a is b or (isinstance(a, Tensor) and isinstance(b, Tensor) and raw(a) is raw(b))


def _graphs(a: Graph, b: Graph) -> bool:
    if len(a.inputs) != len(b.inputs):
        return False
    names: list[dict[Value, Any]] = [
        {value: n for n, value in enumerate(graph.inputs)} for graph in (a, b)
    ]

    def said(value: Value, known: dict[Value, Any]) -> Any:
        if isinstance(value, Constant):
            data = np.asarray(value.data)
            return value.aval.dtype, value.aval.shape, data.tobytes()
        return known[value]

    def told(graph: Graph, known: dict[Value, Any]) -> list[Any]:
        found: list[Any] = []
        for node in graph.nodes:
            inputs = [said(v, known) for v in node.inputs]
            if _keeps(node):
                known[node.outputs[0]] = inputs[0]
                continue
            known.update((v, (len(found), n)) for n, v in enumerate(node.outputs))
            found.append((node, inputs, [v.aval for v in node.outputs]))
        ends = [(said(v, known), v.aval) for v in graph.outputs]
        effects = [(said(v, known), said(w, known)) for v, w in graph.effects]
        return [found, ends, effects]

    (of_a, *rest_a), (of_b, *rest_b) = (
        told(g, k) for g, k in zip((a, b), names, strict=True)
    )
    if len(of_a) != len(of_b) or rest_a != rest_b:
        return False
    return all(
        x[1:] == y[1:] and _ops(x[0].op, y[0].op) and _params(x[0].params, y[0].params)
        for x, y in zip(of_a, of_b, strict=True)
    )


def _keeps(node: Any) -> bool:
    """Whether a node gives what it takes, but for weakness."""
    is_plain = node.op in (STOP, NUMBER) or node.op.name == "astype"
    return bool(is_plain and node.inputs[0].aval == node.outputs[0].aval)


def _ops(a: Any, b: Any) -> bool:
    if a is b or a == b:
        return True
    regions = [getattr(op, "regions", None) for op in (a, b)]
    return a.name == b.name and None not in regions and _params(*regions)


def _params(a: Any, b: Any) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, Graph):
        return _graphs(a, b)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(_params, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_params(a[k], b[k]) for k in a)
    if isinstance(a, np.ndarray | np.generic):
        return bool(a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes())
    if isinstance(a, Aval):
        return bool(a == b)
    return bool(a is b or (repr(a) == repr(b) and a == b))
