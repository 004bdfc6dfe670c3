"""Where the elements of a dataset come from: arrays, a generator function, a range of numbers.

Each function returns what `dataset.build` takes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ....core.positions import decode, here
from ....core.tensor import settled
from ....errors import three_part
from ...base.dtypes import DTYPES, DType, as_dtype
from ...base.errors import RefusedType, RefusedValue, invalid
from ...base.promotion import convert
from ...base.shapes import TensorShape
from ...base.specs import TensorSpec
from ...base.structure import pack
from ...base.tensors import make
from . import elements
from .elements import UNKNOWN

int64 = DTYPES["int64"]


def _made(tensors: Any) -> Any:
    found = elements.element(tensors)
    if not elements.leaves(found):
        raise RefusedValue(
            three_part(
                "Invalid `element`. `element` should not be empty.",
                f"A dataset was made at {decode(*here())} of {tensors!r:.60}.",
                "Pass arrays: tf.data.Dataset.from_tensor_slices((x, y)).",
            )
        )
    return found


def slices(tensors: Any) -> Any:
    """The rows of arrays."""
    found = _made(tensors)
    arrays = [leaf.value for leaf in elements.leaves(found)]
    for array in arrays:
        if not array.ndim:
            raise RefusedValue(
                three_part(
                    "Unbatching a tensor is only supported for rank >= 1.",
                    f"from_tensor_slices was called at {decode(*here())} with a single number.",
                    "Use from_tensors for an element as a whole.",
                )
            )
        if len(array) != len(arrays[0]):
            raise RefusedValue(
                three_part(
                    f"Dimensions {len(arrays[0])} and {len(array)} are not compatible.",
                    f"from_tensor_slices was called at {decode(*here())} with tensors of "
                    f"{' and '.join(str(len(a)) for a in arrays)} rows.",
                    "Pass as many rows of each.",
                )
            )
    n = len(arrays[0])
    spec = elements.unbatched(elements.spec_of(found))
    return "_TensorSliceDataset", lambda: iter(range(n)), n, spec, arrays


def whole(tensors: Any) -> Any:
    """Arrays as one element."""
    found = _made(tensors)
    return "_TensorDataset", lambda: iter((found,)), 1, elements.spec_of(found)


def numbers(args: Any, output_type: Any = int64, name: Any = None) -> Any:
    """Whole numbers."""
    if not 1 <= len(args) <= 3:
        raise RefusedValue(
            three_part(
                "Invalid `args`. The length of `args` should be between 1 and 3 but was "
                f"{len(args)}.",
                f"tf.data.Dataset.range was called at {decode(*here())}.",
                "Use range(stop), range(start, stop) or range(start, stop, step).",
            )
        )
    bounds = [elements.count(a, "range") for a in args]
    if len(bounds) == 3 and not bounds[2]:
        raise invalid(
            "step must be a non-zero integer.",
            f"tf.data.Dataset.range was called at {decode(*here())}.",
            "Pass a step: range(0, 10, 2).",
        )
    dtype, span = as_dtype(output_type), range(*bounds)
    array = np.array(span, dtype=dtype.held())
    n = len(array)
    return "_RangeDataset", lambda: iter(range(n)), n, TensorSpec((), dtype), [array]


def generated(generator: Any, types: Any, shapes: Any, args: Any, signature: Any) -> Any:
    """What a generator function yields."""
    fact = cause = None
    if not callable(generator):
        fact, cause = "`generator` must be a Python callable.", f"It is {generator!r:.60}"
    elif signature is not None and (types is not None or shapes is not None):
        which = "output_types" if types is not None else "output_shapes"
        fact = f"The `{which}` argument can not be used together with the `output_signature` one."
        cause = "Both say what is yielded"
    elif signature is None and types is None:
        fact, cause = "There is neither `output_signature` nor `output_types`.", "One is needed"
    if fact:
        raise RefusedType(
            three_part(
                fact,
                f"{cause}; from_generator was called at {decode(*here())}.",
                "Use from_generator(f, output_signature=tf.TensorSpec((), tf.float32)).",
            )
        )
    spec, is_checked = signature, types is not None
    if spec is None:
        kinds = elements.leaves(types)
        given = [None] * len(kinds) if shapes is None else _shapes_of(types, shapes)
        spec = pack(
            types,
            [TensorSpec(s, k) for s, k in zip(given, kinds, strict=True)],
            elements.nested,
        )
    for leaf in elements.leaves(spec):
        if not isinstance(leaf, TensorSpec):
            raise RefusedType(
                three_part(
                    "`output_signature` must contain objects that are subclass of `tf.TypeSpec` "
                    f"but found {type(leaf)} which is not.",
                    f"from_generator was called at {decode(*here())}.",
                    "Use tf.TensorSpec((), tf.float32) for each component.",
                )
            )
    fixed = tuple(convert(a).numpy() for a in args or ())

    def stream() -> Iterator[Any]:
        return (_yielded(item, spec, is_checked) for item in iter(generator(*fixed)))

    return "_FlatMapDataset", stream, UNKNOWN, spec


def _shapes_of(types: Any, shapes: Any) -> list[Any]:
    """The shapes in the order of the types; a tuple of lengths is a shape and no structure."""
    if not elements.nested(types):
        return [shapes]
    if isinstance(types, dict):
        parts = [(types[k], shapes[k]) for k in sorted(types)]
    else:
        parts = list(zip(types, shapes, strict=True))
    return [s for t, shape in parts for s in _shapes_of(t, shape)]


def _yielded(item: Any, spec: Any, is_checked: bool) -> Any:
    """What a generator yielded, as an element of its spec."""
    if not elements.nested(spec):
        return _fitted(item, spec, is_checked)
    try:
        if isinstance(spec, dict):
            parts = [item[k] for k in spec]
        else:
            parts = list(item)
    except (TypeError, KeyError, IndexError):
        parts = []
    if len(parts) != len(spec):
        raise invalid(
            "`generator` yielded an element that did not match the expected structure: "
            f"{item!r:.80}",
            f"The structure is {spec!r:.200}; it was read at {decode(*here())}.",
            "Yield a tuple with a value for each component.",
        )
    pairs = zip(parts, spec.values() if isinstance(spec, dict) else spec, strict=True)
    done = [_yielded(part, s, is_checked) for part, s in pairs]
    if isinstance(spec, dict):
        return dict(zip(spec, done, strict=True))
    return type(spec)(*done) if hasattr(spec, "_fields") else tuple(done)


def _fitted(item: Any, spec: TensorSpec, is_checked: bool) -> Any:
    dtype: DType = spec.dtype
    try:
        if is_checked:
            t = elements.plain(convert(item, dtype))
        else:
            t = elements.plain(convert(np.asarray(item), dtype))
    except (TypeError, ValueError) as error:
        raise invalid(
            f"`generator` yielded an element that could not be converted to the expected type. "
            f"The expected type was {dtype.name}, but the yielded element was {item!r:.80}.",
            f"It was read at {decode(*here())}: {str(error).splitlines()[0]}",
            "Yield values of that type, or name another in output_signature.",
        ) from None
    if not TensorShape(spec.shape).is_compatible_with(t.shape):
        raise invalid(
            f"`generator` yielded an element of shape {t.shape} where an element of shape "
            f"{spec.shape} was expected.",
            f"It was read at {decode(*here())}.",
            "Say None for a length that varies: tf.TensorSpec((None,), tf.float32).",
        )
    return make(settled(np.asarray(t.value)))
