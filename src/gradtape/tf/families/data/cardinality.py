"""How many elements a dataset has: asked, and said by the user."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ....core.positions import decode, here
from ....errors import three_part
from ...base.errors import KINDS
from ...base.names import export
from . import elements
from .dataset import Dataset


@export("data.experimental.cardinality")
def cardinality(dataset: Any) -> Any:
    """The number of elements of a dataset."""
    return dataset.cardinality()


@export("data.experimental.assert_cardinality")
def assert_cardinality(expected_cardinality: Any) -> Any:
    """A transformation for `apply` that says how many elements there are, and checks it."""
    wanted = elements.count(expected_cardinality, "expected_cardinality")

    def apply(dataset: Dataset) -> Dataset:
        def stream() -> Iterator[Any]:
            n = 0
            for n, item in enumerate(dataset._stream(), 1):  # noqa: B007
                yield item
            if n != wanted:
                raise KINDS["FailedPreconditionError"](
                    None,
                    None,
                    three_part(
                        f"Input dataset was expected to contain {wanted} elements but contained "
                        f"{n} elements.",
                        f"It was read at {decode(*here())}.",
                        f"Say assert_cardinality({n}), or leave it out.",
                    ),
                )

        return dataset._same("_AssertCardinalityDataset", stream, wanted)

    return apply
