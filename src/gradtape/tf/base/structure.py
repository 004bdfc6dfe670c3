"""Structures as TensorFlow nests them: lists, tuples, named tuples, dicts by sorted key, views.

`core/tree.py` is the native dialect's: it keeps the order of a dict and knows dataclasses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, MappingView, Sequence
from typing import Any

from ...core.positions import decode, here
from ...errors import three_part
from .errors import RefusedType, RefusedValue
from .shapes import TensorShape


def is_nested(x: Any) -> bool:
    """Whether `x` has parts: a list, tuple, dict, range or view of a dict, and no text or array."""
    if isinstance(x, Sequence):
        return not isinstance(x, str | bytes | TensorShape)
    return isinstance(x, Mapping | MappingView)


def sorted_keys(x: Mapping[Any, Any]) -> list[Any]:
    """The keys of a dict in their order; TypeError where they have none."""
    try:
        return sorted(x)
    except TypeError:
        raise RefusedType(
            three_part(
                "nest only supports dicts with sortable keys.",
                f"The keys {list(x)!r:.100} have no order among themselves; met at "
                f"{decode(*here())}.",
                "Make all keys strings.",
            )
        ) from None


def children(x: Any) -> list[Any]:
    """The parts of a nested `x`, those of a dict by sorted key."""
    return [x[key] for key in sorted_keys(x)] if isinstance(x, Mapping) else list(x)


def flatten(x: Any, nested: Callable[[Any], bool] = is_nested) -> list[Any]:
    """The leaves of `x`; `nested` says what has parts."""
    if not nested(x):
        return [x]
    return [leaf for child in children(x) for leaf in flatten(child, nested)]


def rebuild(x: Any, parts: list[Any]) -> Any:
    """A structure of the kind of `x`, of other parts."""
    kind = type(x)
    if isinstance(x, Mapping):
        found = dict(zip(sorted_keys(x), parts, strict=True))
        pairs = [(key, found[key]) for key in x]
        if kind is dict:
            return dict(pairs)
        if hasattr(x, "default_factory"):
            return kind(x.default_factory, pairs)
        try:
            return kind(pairs)
        except TypeError:
            raise RefusedType(
                three_part(
                    f"A {kind.__name__} cannot be made from pairs of keys and values.",
                    f"It is part of the structure given at {decode(*here())}.",
                    "Use a dict.",
                )
            ) from None
    if isinstance(x, tuple) and hasattr(x, "_fields"):
        return kind(*parts)
    if isinstance(x, range | MappingView):
        return parts
    return kind(parts)


def pack(x: Any, leaves: Iterable[Any], nested: Callable[[Any], bool] = is_nested) -> Any:
    """`leaves`, of which there are enough, in the structure of `x`."""
    leaves = iter(leaves)

    def build(part: Any) -> Any:
        if not nested(part):
            return next(leaves)
        return rebuild(part, [build(child) for child in children(part)])

    return build(x)


def check_same(a: Any, b: Any, check_types: bool = True) -> None:
    """ValueError where two structures branch differently; TypeError where their types differ."""
    if is_nested(a) != is_nested(b):
        raise RefusedValue(_unlike(a, b, "one of them has parts, and the other has none"))
    if not is_nested(a):
        return
    if check_types:
        both = isinstance(a, Mapping) and isinstance(b, Mapping)
        if not both and type(a) is not type(b):
            raise RefusedType(
                _unlike(a, b, f"one is a {type(a).__name__}, the other a {type(b).__name__}")
            )
        if both and set(a) != set(b):
            raise RefusedValue(_unlike(a, b, f"their keys are {list(a)!r} and {list(b)!r}"))
    first, second = children(a), children(b)
    if len(first) != len(second):
        raise RefusedValue(_unlike(a, b, f"they have {len(first)} and {len(second)} parts"))
    for x, y in zip(first, second, strict=True):
        check_same(x, y, check_types)


def _unlike(a: Any, b: Any, how: str) -> str:
    return three_part(
        f"The two structures don't have the same nested structure: {a!r:.100} and {b!r:.100}.",
        f"Compared at {decode(*here())}: {how}.",
        "Give both the same lists, tuples and keys; check_types=False lets their types differ.",
    )
