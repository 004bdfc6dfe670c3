"""What a dataset holds: tensors in tuples and dicts; their specs, and how they are stacked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ....core.positions import decode, here
from ....core.state import state
from ....core.tensor import Tensor as CoreTensor
from ....core.tensor import settled
from ....errors import three_part
from ...base import seeds
from ...base.dtypes import BY_CHAR
from ...base.errors import RefusedType, RefusedValue, invalid
from ...base.promotion import convert, natural
from ...base.specs import TensorSpec
from ...base.structure import flatten, pack
from ...base.tensors import Tensor, make
from ...base.variables import Variable

INFINITE, UNKNOWN = -1, -2


class DatasetSpec:
    """The spec of an element that is itself a dataset, as `window` makes them."""

    def __init__(self, element_spec: Any, dataset_shape: Any = ()) -> None:
        self.element_spec = element_spec

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DatasetSpec) and other.element_spec == self.element_spec

    def __hash__(self) -> int:
        return hash(DatasetSpec)

    def __repr__(self) -> str:
        return f"DatasetSpec({self.element_spec!r}, TensorShape([]))"


def nested(x: Any) -> bool:
    """Whether `x` is a structure to a dataset: a list is not, it becomes one tensor."""
    return isinstance(x, tuple | Mapping) and not hasattr(x, "known")


def leaves(x: Any) -> list[Any]:
    """The leaves of an element."""
    return [x] if not nested(x) else flatten(x, nested)


def each(function: Callable[[Any], Any], x: Any) -> Any:
    """`function` of every leaf, in the structure of `x`."""
    if type(x) is tuple:
        return tuple([each(function, item) for item in x])
    return pack(x, [function(leaf) for leaf in flatten(x, nested)], nested)


def plain(x: Any) -> Tensor:
    """A leaf as a tensor that no tape follows."""
    if hasattr(x, "element_spec"):
        return x  # type: ignore[no-any-return]
    t = natural(x)
    return make(t.value) if t.key or t.why else t


def element(x: Any) -> Any:
    """What a user gave, or a function returned, as an element."""
    return plain(x) if not nested(x) else each(plain, x)


def returned(x: Any) -> Any:
    """What a user's function returned: there a list is a structure too."""
    return element(tuple(x) if isinstance(x, list) and _has_tensors(x) else x)


def _has_tensors(x: list[Any]) -> bool:
    return any(isinstance(item, CoreTensor | Variable) or nested(item) for item in x)


def spec_of(x: Any) -> Any:
    """The spec of an element."""

    def of(leaf: Any) -> Any:
        if hasattr(leaf, "element_spec"):
            return DatasetSpec(leaf.element_spec)
        return TensorSpec(leaf.value.shape, BY_CHAR[leaf.value.dtype.char])

    return each(of, x)


def with_length(spec: Any, length: int | None) -> Any:
    """The spec of a batch of `length` elements."""
    return each(lambda s: TensorSpec(_longer(length, s.shape), s.dtype), spec)


def _longer(length: int | None, shape: Any) -> Any:
    return [length, *shape.as_list()] if shape.known else None


def unbatched(spec: Any) -> Any:
    """The spec of one row of an element."""
    for leaf in leaves(spec):
        if leaf.shape.rank == 0:
            raise RefusedValue(
                three_part(
                    "Cannot unbatch an input with scalar components.",
                    f"unbatch was called at {decode(*here())} on elements of {leaf!r}.",
                    "Leave it out, or batch the dataset first.",
                )
            )
    return each(lambda s: TensorSpec(s.shape[1:], s.dtype), spec)


def stack(items: list[Any]) -> Any:
    """One element whose tensors have a row for each of `items`."""
    first = items[0]
    if not nested(first):
        return _stacked(items)
    columns = zip(*map(leaves, items), strict=True)
    return pack(first, [_stacked(list(column)) for column in columns], nested)


def _stacked(column: list[Any]) -> Tensor:
    values = [t.value for t in column]
    shape = values[0].shape
    for i, value in enumerate(values):
        if value.shape != shape:
            raise invalid(
                "Cannot batch tensors with different shapes in component 0. First element had "
                f"shape {list(shape)} and element {i} had shape {list(value.shape)}.",
                f"A batch of {len(values)} elements was asked for at {decode(*here())}.",
                "Pad them to one shape in a map before the batch, or batch one at a time.",
            )
    return make(np.array(values, values[0].dtype))


def rows(x: Any) -> list[Any]:
    """The elements that a batch is made of."""
    found = [leaf.value for leaf in leaves(x)]
    lengths = {len(v) for v in found}
    if len(lengths) > 1:
        raise invalid(
            f"Input element must have the same batch size in each component, not "
            f"{sorted(lengths)}.",
            f"unbatch was called at {decode(*here())}.",
            "Give each component as many rows.",
        )
    return [pack(x, [row(v, i) for v in found], nested) for i in range(lengths.pop())]


def row(array: Any, i: int) -> Tensor:
    """Row `i` of an array."""
    found = array[i]
    return make(np.array(found, object) if type(found) is bytes else found)


def count(x: Any, what: str) -> int:
    """A `buffer_size`, `count` or the like as an int."""
    t = convert(x, np.int64) if not isinstance(x, Tensor | Variable) else natural(x)
    if t.value.ndim or t.value.dtype.kind not in "iu":
        raise RefusedType(
            three_part(
                f"{what} is one whole number, not {x!r:.60}.",
                f"Called at {decode(*here())}.",
                f"Pass an int: {what}=32.",
            )
        )
    return int(t.value)


def callable_or_raise(function: Any, name: str) -> None:
    """Refuse what cannot be called."""
    if not callable(function):
        raise RefusedValue(
            three_part(
                f"Argument `{name}` must be a callable. Received {name}={function!r:.60} "
                f"(of type {type(function)}).",
                f"Called at {decode(*here())}.",
                "Pass a function: ds.map(lambda x: 2 * x).",
            )
        )


def call(function: Any, x: Any) -> Any:
    """`function` of an element: a tuple is its arguments; no tape of the user's follows it."""
    saved = state.tapes, state.tape
    if saved[0]:
        state.tapes, state.tape = (), None
    try:
        return function(*x) if type(x) is tuple else function(x)
    finally:
        if saved[0]:
            state.tapes, state.tape = saved


def without_tapes(function: Any, *args: Any) -> Any:
    """`function(*args)`, which no tape of the user's follows."""
    return call(function, args)


def spec_by_trial(function: Any, spec: Any) -> Any:
    """The spec of what `function` returns for elements of `spec`.

    It is called with ones of that shape, twice where a length is unknown: what then differs in
    the results is unknown too. Nothing random is used up by that. None if ones do not suit it.
    """
    if any(isinstance(s, DatasetSpec) or not s.shape.known for s in leaves(spec)):
        return None
    unknown = any(None in s.shape.as_list() for s in leaves(spec))
    found = []
    for length in (2, 3) if unknown else (2,):
        trial = each(lambda s, n=length: _ones(s, n), spec)  # type: ignore[misc]
        with seeds.undisturbed():
            try:
                found.append(spec_of(returned(call(function, trial))))
            except Exception:  # the user's function is for other values
                return None
    if len(found) == 1:
        return found[0]
    pairs = zip(leaves(found[0]), leaves(found[1]), strict=True)
    parts = [
        a if isinstance(a, DatasetSpec) else a.most_specific_compatible_type(b) for a, b in pairs
    ]
    return pack(found[0], parts, nested)


def _ones(spec: TensorSpec, length: int) -> Tensor:
    shape = [length if n is None else n for n in spec.shape.as_list()]
    if spec.dtype.name == "string":
        return make(np.full(shape, b"", object))
    return make(settled(np.ones(shape, spec.dtype.held())))
