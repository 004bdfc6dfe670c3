"""tf.nest: structures of lists, tuples and dicts, taken apart and put together."""

from __future__ import annotations

from typing import Any

from ...core.positions import decode, here
from ...errors import three_part
from ..base import structure as structures
from ..base.errors import RefusedType, RefusedValue
from ..base.names import export


@export("nest.is_nested")
def is_nested(seq: Any) -> bool:
    """Whether `seq` is a list, tuple, dict or the like."""
    return structures.is_nested(seq)


@export("nest.flatten")
def flatten(structure: Any, expand_composites: bool = False) -> list[Any]:
    """The leaves as a list, those of a dict in the order of its sorted keys."""
    return structures.flatten(structure)


@export("nest.pack_sequence_as")
def pack_sequence_as(structure: Any, flat_sequence: Any, expand_composites: bool = False) -> Any:
    """The leaves of a list in the structure of another thing."""
    if not structures.is_nested(flat_sequence):
        raise RefusedType(
            three_part(
                f"Attempted to pack value: {flat_sequence!r:.100} into a structure, but found "
                f"incompatible type `{type(flat_sequence)}` instead.",
                f"tf.nest.pack_sequence_as was called at {decode(*here())}.",
                "Pass a list of leaves; tf.unstack(x) makes one of a tensor.",
            )
        )
    leaves = list(flat_sequence)
    wanted = len(structures.flatten(structure))
    if len(leaves) != wanted:
        raise RefusedValue(
            three_part(
                f"Could not pack sequence. Structure had {wanted} atoms, but flat_sequence had "
                f"{len(leaves)} items.",
                f"tf.nest.pack_sequence_as was called at {decode(*here())}.",
                "Pass as many leaves as tf.nest.flatten(structure) has.",
            )
        )
    return structures.pack(structure, leaves)


@export("nest.map_structure")
def map_structure(func: Any, *structure: Any, **kwargs: Any) -> Any:
    """`func` applied to the leaves of one structure, or of several alike."""
    if not callable(func):
        raise RefusedType(
            three_part(
                f"func must be callable, got: {func!r:.100}.",
                f"tf.nest.map_structure was called at {decode(*here())}.",
                "The function comes first: tf.nest.map_structure(func, structure).",
            )
        )
    if not structure:
        raise RefusedValue(
            three_part(
                "Must provide at least one structure.",
                f"tf.nest.map_structure was called at {decode(*here())} with a function alone.",
                "Pass it after the function: tf.nest.map_structure(func, structure).",
            )
        )
    check_types = kwargs.pop("check_types", True)
    kwargs.pop("expand_composites", None)
    if kwargs:
        raise RefusedValue(
            three_part(
                "Only valid keyword arguments are `check_types` and `expand_composites`, not: "
                f"`{'`, `'.join(kwargs)}`.",
                f"tf.nest.map_structure was called at {decode(*here())}.",
                "Bind what func needs: functools.partial(func, key=value).",
            )
        )
    for other in structure[1:]:
        structures.check_same(structure[0], other, check_types)
    columns = [structures.flatten(s) for s in structure]
    return structures.pack(structure[0], [func(*row) for row in zip(*columns, strict=True)])


@export("nest.assert_same_structure")
def assert_same_structure(
    nest1: Any, nest2: Any, check_types: bool = True, expand_composites: bool = False
) -> None:
    """Raise where two structures differ: TypeError for their types, ValueError for the rest."""
    structures.check_same(nest1, nest2, check_types)
