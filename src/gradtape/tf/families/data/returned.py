"""What users' functions return when they are called with elements: whether it will do, its spec."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ....core.positions import decode, here
from ....errors import three_part
from ...base import seeds
from ...base.errors import RefusedValue, invalid
from ...base.specs import needs
from . import elements

__all__ = ["demand_same", "first_of", "found_spec", "later", "truth_of"]


def found_spec(dataset: Any, function: Any, source: Any) -> Any:
    """The spec of what a function makes: by trial, or by looking at the first element."""
    found = None if function is None else elements.spec_by_trial(function, source.element_spec)
    if found is not None:
        return found
    return elements.spec_of(first_of(dataset._elements()))


def first_of(items: Iterator[Any]) -> Any:
    """The first of the elements, without using random numbers up."""
    with seeds.undisturbed():
        found = next(items, None)
    if found is None:
        raise RefusedValue(
            three_part(
                "element_spec: what a function returns is not known before it is called.",
                f"The dataset is empty; asked at {decode(*here())}.",
                "Ask the spec before the map.",
            )
        )
    return found


def truth_of(predicate: Any) -> Callable[[Any], bool]:
    """A predicate that is known to return one truth value."""

    def test(x: Any) -> bool:
        found = elements.element(elements.call(predicate, x))
        if elements.nested(found) or found.value.dtype != bool or found.value.ndim:
            raise RefusedValue(
                three_part(
                    "Invalid `predicate`. `predicate` must return a `tf.bool` scalar tensor, but "
                    f"its return type is {elements.spec_of(found)!r}.",
                    f"It belongs to the dataset read at {decode(*here())}.",
                    "Compare: ds.filter(lambda x: x > 0); tf.reduce_all(...) for several numbers.",
                )
            )
        return bool(found.value)

    return test


def demand_same(found: Any, wanted: Any, what: str) -> None:
    """Refuse what has another structure, or other dtypes, than what was there before."""
    same = len(elements.leaves(found)) == len(elements.leaves(wanted))
    if not same:
        raise invalid(
            f"{what} has {len(elements.leaves(wanted))} tensors at first, and then "
            f"{len(elements.leaves(found))}.",
            f"Called at {decode(*here())}.",
            "Return a state of the same structure as the first.",
        )
    for a, b in zip(elements.leaves(found), elements.leaves(wanted), strict=True):
        if a.dtype != b.dtype:
            needs(a, b, what)


def later(start: Callable[[], Iterator[Any]]) -> Iterator[Any]:
    """An iterator that is started when it is first read."""
    yield from start()
