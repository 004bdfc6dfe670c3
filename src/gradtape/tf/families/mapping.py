"""Functions over the rows of tensors: map_fn, vectorized_map, scan, foldl, foldr.

Each is a scan of the engine: a Python loop in eager mode, one node of a compiled function.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core import tensor as core
from ...core.positions import decode, here
from ...core.tree import flatten, tree_map
from ...errors import ShapeError, three_part
from ...graph import control
from ...graph.regions import carried
from ..base.dtypes import as_dtype
from ..base.errors import KINDS, RefusedType, RefusedValue, invalid, refuse
from ..base.making import adopt, bare, export, natural


def _rows(name: str, fn: Any, elems: Any) -> Any:
    """`elems` of the core's tensors, all with as many rows."""
    if not callable(fn):
        raise RefusedType(
            three_part(
                f"tf.{name}: {fn!r:.60} is no function.",
                f"Called at {decode(*here())}.",
                "Pass a function of one row: lambda x: x * 2.0.",
            )
        )
    rows = tree_map(lambda x: bare(natural(x)), elems)
    shapes = [x.read().shape for x in flatten(rows)[0]]
    if not shapes or not all(shapes):
        raise RefusedValue(
            three_part(
                "Elements in elems must be 1+ dimensional Tensors, not scalars.",
                f"tf.{name} was called at {decode(*here())} with shapes {shapes}.",
                "Pass a tensor, whose rows are taken: tf.constant([1.0, 2.0]). A list is a "
                "structure of tensors.",
            )
        )
    if len({shape[0] for shape in shapes}) > 1:
        said = three_part(
            f"Dimensions {' and '.join(str(s[0]) for s in shapes)} are not compatible.",
            f"tf.{name} was called at {decode(*here())}; all elems have as many rows.",
            "Cut the longer: x[:n].",
        )
        if "map" in name:
            raise RefusedValue(said)
        raise KINDS["OutOfRangeError"](None, None, said)
    return rows


def _called(fn: Any, *args: Any) -> Any:
    """What `fn` gives for rows, as the core's tensors."""
    found = fn(*(tree_map(adopt, arg) for arg in args))
    return tree_map(lambda x: bare(natural(x)), found)


def _mapped(name: str, fn: Any, elems: Any) -> Any:
    rows = _rows(name, fn, elems)
    start = core.new_tensor(np.int64(0))
    try:
        found = control.turns(lambda n, x: (n, _called(fn, x)), start, rows, name=f"tf.{name}")[1]
    except ShapeError as error:
        refuse(error, name, (elems,))
    return tree_map(adopt, found)


@export("map_fn")
def map_fn(
    fn: Any,
    elems: Any,
    dtype: Any = None,
    parallel_iterations: Any = None,
    back_prop: Any = True,
    swap_memory: Any = False,
    infer_shape: Any = True,
    name: Any = None,
    fn_output_signature: Any = None,
) -> Any:
    """The results of `fn` for the rows of `elems`, stacked.

    They have the dtype of `elems`, or those of `fn_output_signature`.
    """
    wanted = fn_output_signature if fn_output_signature is not None else dtype
    found = _mapped("map_fn", fn, elems)
    given = flatten(elems if wanted is None else wanted)[0]
    parts = flatten(found)[0]
    if len(given) != len(parts):
        raise RefusedValue(
            three_part(
                "The two structures don't have the same nested structure.",
                f"tf.map_fn was called at {decode(*here())}; fn gives {len(parts)} tensors where "
                f"{len(given)} are expected.",
                "Say what it gives: fn_output_signature=tf.float32, or a tuple.",
            )
        )
    for spec, part in zip(given, parts, strict=True):
        kind = natural(spec).dtype if wanted is None else as_dtype(getattr(spec, "dtype", spec))
        if part.dtype != kind:
            raise invalid(
                f"map_fn: fn gives {part.dtype.name} where {kind.name} is expected.",
                f"Called at {decode(*here())}.",
                f"Say what it gives: fn_output_signature=tf.{part.dtype.name}.",
            )
    return found


@export("vectorized_map")
def vectorized_map(
    fn: Any, elems: Any, fallback_to_while_loop: Any = True, warn: Any = True
) -> Any:
    """The results of `fn` for the rows of `elems`, stacked."""
    return _mapped("vectorized_map", fn, elems)


def _folded(name: str, fn: Any, elems: Any, initializer: Any, reverse: bool) -> tuple[Any, Any]:
    """(the last state, all states) of `state = fn(state, row)`."""
    rows = _rows(name, fn, elems)
    if initializer is None:
        first = -1 if reverse else 0
        start = tree_map(lambda x: x[first], rows)
        rows = tree_map(lambda x: x[:-1] if reverse else x[1:], rows)
    else:
        start = tree_map(lambda x: bare(natural(x)), initializer)

    def turn(state: Any, row: Any) -> Any:
        found = carried(f"tf.{name}", _called(fn, state, row), start)
        return found, found if name == "scan" else None

    try:
        last, states = control.turns(turn, start, rows, reverse=reverse, name=f"tf.{name}")
    except ShapeError as error:
        refuse(error, name, (elems,))
    if name != "scan":
        return tree_map(adopt, last), None
    if initializer is None:
        both = list(zip(flatten(start)[0], flatten(states)[0], strict=True))
        for x, s in both:
            if s is not None and np.shape(s)[1:] != np.shape(x):
                raise invalid(
                    f"tf.scan: a state has shape {np.shape(s)[1:]}, the first {np.shape(x)}.",
                    f"Called at {decode(*here())}; all states are stacked.",
                    "Return a state of the shape of the first, or pass an initializer of its own.",
                )
        firsts = [
            np.concatenate([s, x[None]] if reverse else [x[None], s]) if s is not None else x[None]
            for x, s in both
        ]
        states = flatten(start)[1](firsts)
    return tree_map(adopt, last), tree_map(adopt, states)


@export("scan")
def scan(
    fn: Any,
    elems: Any,
    initializer: Any = None,
    parallel_iterations: Any = 10,
    back_prop: Any = True,
    swap_memory: Any = False,
    infer_shape: Any = True,
    reverse: Any = False,
    name: Any = None,
) -> Any:
    """All states of `state = fn(state, row)`, stacked; the first row is the first state."""
    return _folded("scan", fn, elems, initializer, bool(reverse))[1]


@export("foldl")
def foldl(
    fn: Any,
    elems: Any,
    initializer: Any = None,
    parallel_iterations: Any = 10,
    back_prop: Any = True,
    swap_memory: Any = False,
    name: Any = None,
) -> Any:
    """The last state of `state = fn(state, row)`; without `initializer` the first row begins."""
    return _folded("foldl", fn, elems, initializer, False)[0]


@export("foldr")
def foldr(
    fn: Any,
    elems: Any,
    initializer: Any = None,
    parallel_iterations: Any = 10,
    back_prop: Any = True,
    swap_memory: Any = False,
    name: Any = None,
) -> Any:
    """As `foldl`, from the last row on."""
    return _folded("foldr", fn, elems, initializer, True)[0]
