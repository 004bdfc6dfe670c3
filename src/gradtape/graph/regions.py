"""Regions: the functions of control flow as graphs, and what is asked of them.

A region's sources are what it takes from around it; a Variable that it assigns becomes one more
result (`with_assigned`, for branches) or one more carry (`carrying`, for loops).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.aval import Aval, aval_of, native
from ..core.lift import bottom, is_batched
from ..core.positions import decode, here
from ..core.pythons import PYTHON
from ..core.state import state
from ..core.streams import words_after
from ..core.symbol import is_traced
from ..core.tensor import Tensor, raw
from ..core.tree import flatten, in_order, is_like, tree_map
from ..core.variable import Variable
from ..errors import DTypeError, ShapeError, TracingError, three_part
from .ir import Value
from .marks import ASSIGNED
from .trace import Traced, trace
from .weak import is_smooth, region_output

Tree = Any


def without_none(tree: Tree) -> tuple[list[Any], Callable[[list[Any]], Tree]]:
    """The leaves that are not None, and what builds the tree of others in their places."""
    leaves, rebuild = flatten(tree)
    where = [n for n, leaf in enumerate(leaves) if leaf is not None]

    def build(values: list[Any]) -> Tree:
        filled: list[Any] = [None] * len(leaves)
        for n, value in zip(where, values, strict=True):
            filled[n] = value
        return rebuild(filled)

    return [leaves[n] for n in where], build


def region_of(f: Callable[..., Tree], avals: Sequence[Aval], name: str) -> tuple[Traced, list[Any]]:
    """The graph of `f`, and [how its result is built]."""
    builds: list[Any] = []
    keeps = is_tracing()  # elsewhere a region is run by itself, on NumPy's numbers

    def run(*tensors: Any) -> list[Any]:
        leaves, build = without_none(f(*tensors))
        builds.append(build)
        return [
            leaf if isinstance(leaf, Tensor) or is_traced(leaf) else region_output(leaf, keeps)
            for leaf in leaves
        ]

    traced, _ = trace(run, avals, name, is_part=True)
    return traced, builds


def strong(x: Any) -> Aval:
    """The aval of `x`, which is no weak number in a region."""
    aval = aval_of(raw(x))
    return Aval(aval.shape, aval.dtype)


def check_alike(label: str, builds: Any, other: Any, a: Any, b: Any) -> None:
    """Raise unless the results `a` and `b` of two branches have one structure and shape."""
    marks = [object() for _ in a]
    alike = len(a) == len(b) and builds[0](marks) == other[0](marks)
    shapes = [v.aval.shape for v in a], [v.aval.shape for v in b]
    if not alike or shapes[0] != shapes[1]:
        raise ShapeError(
            three_part(
                f"{label} return results of different {'shapes' if alike else 'structure'}: "
                f"{builds[0]([v.aval for v in a])} and {other[0]([v.aval for v in b])}.",
                f"Called at {decode(*here(3))}; a program has one result of fixed shape.",
                "Return results of the same structure and shapes from both.",
            )
        )


def carried_first(x: Any) -> Any:
    """`x` as what a loop begins with: an array, in the byte order of what turns compute.

    A Python number stays one, where a function is traced.
    """
    if type(x) in PYTHON and is_tracing() and aval_of(x).dtype.kind in "bifc":
        return x
    x = x if isinstance(x, Tensor) else np.asarray(x)[()]
    dtype = raw(x).dtype
    return x if dtype.isnative else x.astype(native(dtype))


def carried(name: str, carry: Tree, init: Tree) -> Tree:
    """`carry` after a turn with its dicts in the order of the first; ShapeError if they differ."""
    if is_like(carry, init):
        return in_order(carry, init)
    before, after = (
        tree_map(lambda x: x if x is None else aval_of(raw(x)), tree) for tree in (init, carry)
    )
    raise ShapeError(
        three_part(
            f"{name}: the carry is {before} before and {after} after a turn.",
            f"Called at {decode(*here(5))}; what is carried keeps its structure.",
            "Return a carry with the keys and the length of the first.",
        )
    )


def check_carry(name: str, region: Traced, avals: Sequence[Aval], own: int = 0) -> None:
    """Raise unless the first results of a turn have the types of the carry.

    The first `own` are those of the loop itself, and no part of what the user carries.
    """
    found = [v.aval for v in region.graph.outputs[: len(avals)]]
    for n, (given, back) in enumerate(zip(avals, found, strict=False)):
        if given == back:
            continue
        error = ShapeError if given.shape != back.shape else DTypeError
        raise error(
            three_part(
                f"{name}: part {n - own} of the carry is {given!r} before and {back!r} after a "
                "turn.",
                f"Called at {decode(*here(3))}; what is carried keeps its type.",
                f"Start with that type: np.zeros({back.shape}, {str(back.dtype)!r}), or return "
                f"x.astype({str(given.dtype)!r}).",
            )
        )


def is_tracing() -> bool:
    """Whether a function is traced."""
    return bool(state.tapes and state.tapes[0].is_trace)


def is_open(x: Any) -> bool:
    """Whether `x` has no one truth value: it is traced, or differs from example to example."""
    return is_traced(bottom(x)) or is_batched(x)


def one_truth(x: Any, what: str, instead: str) -> Any:
    """`x` as what decides: as it is where Python asks, a bool where a program does.

    `what` is its name, `instead` what else to write where it has several elements.
    """
    if x is None:
        raise DTypeError(
            three_part(
                f"{what} is NoneType.",
                f"Called at {decode(*here(3))}; one truth value decides.",
                "Return the comparison: lambda x: x < 3.0.",
            )
        )
    if not isinstance(x, np.ndarray | Tensor):
        return x
    if np.ndim(x) and (is_open(x) or np.size(x) != 1):
        raise ShapeError(
            three_part(
                f"{what} has shape {np.shape(x)}.",
                f"Called at {decode(*here(3))}; one truth value decides.",
                f"Reduce it (np.any, np.all), or {instead}.",
            )
        )
    return x != 0 if is_open(x) and raw(x).dtype != bool else x


def check_test(test: Traced) -> None:
    """Raise if a condition has effects."""
    if test.graph.effects:
        variable = assigned_by(test)[0]
        raise TracingError(
            three_part(
                f"while_loop: its condition has an effect on {variable.name!r}.",
                f"Called at {decode(*here(3))}; a condition only asks (no assignment, no random "
                "number, no print).",
                "Do it in the body, and carry what the condition needs.",
            )
        )


def assigned_by(*regions: Traced) -> list[Variable]:
    """The Variables that regions assign, each once."""
    found: dict[int, Variable] = {}
    for region in regions:
        for source, _ in region.graph.effects:
            variable = region.sources[region.graph.inputs.index(source)]
            found[variable.key] = variable
    return list(found.values())


def with_assigned(region: Traced, assigned: list[Variable]) -> Traced:
    """`region` with the values of the assigned Variables as further outputs, and no effects."""
    graph = region.graph
    effects = {
        region.sources[graph.inputs.index(source)].key: value for source, value in graph.effects
    }
    for variable in assigned:
        value = effects.get(variable.key)
        if value is None:
            known = [n for n, s in enumerate(region.sources) if s is variable]
            if known:
                value = graph.inputs[known[0]]
            else:
                value = graph.add_input(aval_of(variable.value), "variable")
                region.sources.append(variable)
        graph.outputs.append(value)
    graph.effects = []
    return region


def carrying(
    region: Traced, variables: list[Variable], count: int, gives: bool = True
) -> Traced:
    """`region` with the values of `variables` as carries behind the first `count`, and no effects.

    So what a turn assigns, the next turn reads; a derivative leads from there to the Variable. A
    condition only takes carries, and `gives` none.
    """
    if not variables:
        return region
    graph = region.graph
    effects = {
        region.sources[graph.inputs.index(source)].key: value for source, value in graph.effects
    }
    taken, given = [], []
    for variable in variables:
        known = [n for n, s in enumerate(region.sources) if s is variable]
        if known:
            value = graph.inputs.pop(known[0])
            graph.kinds.pop(known[0])
            region.sources.pop(known[0])
        else:
            value = Value(aval_of(variable.value))
        taken.append(value)
        after = effects.get(variable.key)
        if after is not None:
            node = graph.add_node(ASSIGNED, (value, after), {}, (value.aval,))
            given.append(node.outputs[0])
        else:
            given.append(value)
    graph.inputs[count:count] = taken
    graph.kinds[count:count] = ["argument"] * len(taken)
    region.sources[count:count] = [None] * len(taken)
    if gives:
        graph.outputs[count:count] = given
    graph.effects = []
    return region


def keeping(region: Traced, count: int) -> Traced:
    """`region` with its first `count` inputs, the carries of a loop, as further results."""
    graph = region.graph.rebuilt(region.graph.nodes, lambda value: value)
    graph.outputs = [*graph.outputs, *graph.inputs[:count]]
    return Traced(graph, region.sources)


def assign(variables: list[Variable], values: Sequence[Any]) -> None:
    """Assign what a loop or branch leaves in Variables."""
    for variable, value in zip(variables, values, strict=True):
        words_after(variable, value)


def place_of(sources: list[Any], source: Any) -> int:
    """Where `source` stands in `sources`, to which it is added if it is new."""
    for n, known in enumerate(sources):
        if known is source:
            return n
    sources.append(source)
    return len(sources) - 1


def filled(values: Sequence[Any], places: Sequence[int], back: Sequence[Any]) -> list[Any]:
    """Cotangents of all differentiable `values`; zeros where the region at `places` has none."""
    found: dict[int, Any] = {}
    for n, gi in zip(places, back, strict=True):
        if gi is not None:
            found[n] = gi if n not in found else found[n] + gi
    return [
        found[n] if n in found else np.zeros(np.shape(x), raw(x).dtype)[()]
        for n, x in enumerate(values)
        if is_smooth(x)
    ]


def spread(values: Sequence[Any], found: Sequence[Any]) -> list[Any]:
    """One for each value, None where it is not differentiable."""
    given = iter(found)
    return [next(given) if is_smooth(x) else None for x in values]


def smooth_of(values: Sequence[Any]) -> list[Any]:
    """The differentiable ones among `values`."""
    return [x for x in values if is_smooth(x)]
