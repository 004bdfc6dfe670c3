"""`tape.jacobian` and `batch_jacobian`: one backward sweep, all cotangents in one array."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import events
from ..core import bands
from ..core.aval import INEXACT, native
from ..core.banded_sweep import backward_banded
from ..core.batched_sweep import backward_batched
from ..core.lift import Batch, Level
from ..core.positions import decode, here
from ..core.state import Recorder, next_key, state
from ..core.sweep import backward, is_recorded
from ..core.tensor import Tensor, new_tensor, new_traced, settled
from ..errors import DTypeError, ShapeError, three_part
from . import reasons


def pulled(
    recorder: Recorder, target: Tensor, cts: Any, sources: Any, keys: Any, consume: bool
) -> list[Any]:
    """For each source the cotangents, with the axis of `cts` in front; None where there are none.

    Tensors, which the active tapes follow, if some record.
    """
    if not is_recorded(recorder):
        found = backward_batched(recorder, target, cts, sources, keys, consume)
        events.publish("rows", recorder=recorder, target=target, sources=sources, results=found)
        return [None if g is None else new_tensor(g) for g in found]
    if type(cts) is bands.Bands and not state.levels and not recorder.is_lifted:
        return backward_banded(recorder, target, cts, sources, keys, consume)
    cts = settled(bands.full(cts))
    level = Level("jacobian", len(cts))
    with level:
        grads: dict[int, Any] = {target.key: new_traced(Batch(level, cts), next_key())}
        backward(recorder, grads, keys, consume)
        results: list[Any] = []
        for s, key in zip(sources, keys, strict=True):
            g: Any = grads.get(key) if key else None
            if g is None:
                results.append(None)
                continue
            g = np.broadcast_to(g, s.shape) if g.shape != s.shape else g
            if g.dtype != native(s.dtype):
                g = (np.real(g) if s.dtype.kind != "c" else g).astype(native(s.dtype))
            held = g.read()
            if isinstance(held, Batch) and held.level is level:
                inner = held.inner
            else:
                inner = np.broadcast_to(g, (len(cts), *s.shape))
            results.append(inner if isinstance(inner, Tensor) else new_traced(inner))
    return results


def check_target(recorder: Recorder, operation: str, target: Any) -> Tensor:
    """`target`, if it is one floating Tensor; DTypeError else."""
    if not isinstance(target, Tensor):
        if isinstance(target, list | tuple | dict):
            raise DTypeError(
                three_part(
                    f"{operation}: the target is a {type(target).__name__}, not one Tensor.",
                    f"Asked for at {decode(*here(3))}.",
                    "Ask for each by itself, on a persistent tape: "
                    "[tape.jacobian(y, x) for y in ys]; or gt.jacobian of the function.",
                )
            )
        raise reasons.plain_target(recorder, "target", target)
    target.read()
    if target.dtype.char not in INEXACT:
        raise DTypeError(
            three_part(
                f"{operation}: the target is {target.aval!r}, which has no derivative.",
                f"Asked for at {decode(*here(3))}.",
                "Take it of a floating value, before the cast.",
            )
        )
    return target


def identity(target: Tensor) -> Any:
    """A cotangent for each element of `target`."""
    return bands.identity(target.shape, native(target.dtype))


def shaped(target: Tensor, found: Any, source: Tensor) -> Any:
    """The rows of a Jacobian in the shape of `target`."""
    shape = (*target.shape, *source.shape)
    found = found if found.shape == shape else np.reshape(found, shape)
    if not shape and not isinstance(found.read(), np.generic):
        found = found[()]
    return np.conjugate(found) if target.dtype.kind == "c" and source.dtype.kind == "c" else found


def check_batches(target: Tensor, source: Tensor) -> None:
    """ShapeError unless both have the same first axis, and at least two."""
    for x in (target, source):
        if x.ndim < 2:
            raise ShapeError(
                three_part(
                    f"batch_jacobian: Shape {x.shape} must have rank at least 2.",
                    f"Asked for at {decode(*here(3))}; the first axis is that of the examples.",
                    "Use tape.jacobian, or keep an axis: x[:, None].",
                )
            )
    if target.shape[0] != source.shape[0]:
        raise ShapeError(
            three_part(
                f"batch_jacobian: Need first dimension of target shape ({target.shape}) and "
                f"source shape ({source.shape}) to match.",
                f"Asked for at {decode(*here(3))}; the first axis is that of the examples.",
                "Use tape.jacobian for all pairs.",
            )
        )


def batch_cotangents(target: Tensor) -> Any:
    """A cotangent for each element of an example, the same for every example."""
    size, *rest = target.shape
    n = int(np.prod(rest))
    rows = np.broadcast_to(np.eye(n, dtype=native(target.dtype))[:, None], (n, size, n))
    return np.array(rows).reshape((n, *target.shape))
