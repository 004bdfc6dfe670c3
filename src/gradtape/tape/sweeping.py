"""The steps of a gradient call: seeds from targets, checks before the sweep, results after it.

Used by `tape.gradient` and by the functional transforms.
"""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np

from ..core.alerts import calm
from ..core.aval import INEXACT, native
from ..core.buffers import owns
from ..core.lift import Lift
from ..core.observing import Keeping
from ..core.operands import fingerprint
from ..core.positions import decode
from ..core.refusals import door
from ..core.state import RESIDUALS, Recorder
from ..core.sweep import hush, run_unsupported, unsupported_error
from ..core.symbol import Symbol
from ..core.tensor import Tensor, new_tensor, raw, settled
from ..core.tree import _children, flatten
from ..core.variable import Variable
from ..errors import DTypeError, ShapeError, TapeStateError, three_part
from .reach import input_keys, is_unsupported

_new = Tensor.__new__


def leaf_gradients(
    recorder: Recorder, target: Tensor, sources: Any, position: Any, tape: Any, cls: Any
) -> list[Any] | None:
    """`gradient` where a scalar depends on Variables and watched Tensors: a training step.

    The gradients are Tensors of the class `cls`. Returns None, with nothing done, wherever the
    general way is needed.
    """
    leaves = recorder.leaves
    try:
        for s in sources:
            if s.key not in leaves:
                return None
    except AttributeError:  # not a Tensor: the general way says so
        return None
    kind = type(target.value)
    if kind is np.ndarray or target.key not in recorder.tracked:
        return None
    tape._consumed = position
    grads: dict[int, Any] = {target.key: kind(1)}
    pop = grads.pop
    restore = hush()
    try:
        if Keeping.everything:  # as long as the tape is there
            for rec in reversed(recorder.ops):
                g = pop(rec[2], None)
                if g is not None:
                    rec[0](rec, g, grads)
        else:
            for rec in reversed(recorder.ops):
                g = pop(rec[2], None)
                if g is not None:
                    rec[0](rec, g, grads)
                del rec[9:]
    finally:
        restore()
        calm()
    results: list[Any] = []
    missing = False
    for s in sources:
        g = grads.get(s.key)
        kind = type(g)
        if kind is np.ndarray or kind is not type(s.value):
            if g is None:
                missing = True
                results.append(None)
            else:
                result = finish(g, s, False)
                result.__class__ = cls
                results.append(result)
        else:  # a NumPy scalar of the source's dtype
            result = _new(cls)
            result.value = g
            result.key = 0
            result.why = None
            results.append(result)
    if missing:
        from . import reasons

        for s, result in zip(sources, results, strict=True):
            if result is None:
                reasons.warn_none(recorder, [target], s)
    return results


def release(recorder: Any) -> None:
    """Delete the residuals of every record: the tape has been used up."""
    for rec in recorder.ops:
        del rec[RESIDUALS:]


def wants_zero(option: Any) -> bool:
    """Whether `unconnected_gradients=` asks for zeros; ShapeError (a ValueError) if unknown."""
    name = getattr(option, "value", option)
    if not isinstance(name, str) or name not in ("none", "zero"):
        raise ShapeError(
            three_part(
                f"gradient: Unknown value for unconnected_gradients: {option!r}.",
                "It decides what a source gets that the target does not depend on.",
                'Pass unconnected_gradients="none" or unconnected_gradients="zero".',
            )
        )
    return bool(name == "zero")


def seeds_of(targets: list[Tensor], output_gradients: Any, recorded: bool) -> dict[int, Any]:
    """The cotangents of the targets by key; Tensors if the sweep is `recorded`."""
    seeds: dict[int, Any] = {}
    if output_gradients is None:
        for t in targets:
            value = t.read()
            kind = type(value)
            if not t.key or value.dtype.char not in INEXACT:
                continue
            is_number = issubclass(kind, np.generic)
            ct: Any = kind(1) if is_number else settled(np.ones(value.shape, native(value.dtype)))
            if recorded:
                ct = new_tensor(ct)
            seeds[t.key] = ct if t.key not in seeds else seeds[t.key] + ct
        return seeds
    given = check_output_gradients(targets, output_gradients)
    for t, ct in zip(targets, given, strict=True):
        value = t.read()
        key = t.key
        if not key or value.dtype.char not in INEXACT:
            continue
        if recorded and not isinstance(ct, Tensor):
            ct = new_tensor(ct)
        elif not recorded:
            ct = raw(ct)
        seeds[key] = ct if key not in seeds else seeds[key] + ct
    return seeds


def match_output_gradients(target: Any, given: Any) -> Any:
    """`output_gradients` in the order of the leaves of `target`, where that is a tree.

    Raises ShapeError where a key is missing or unknown; cotangents are never matched by the order
    in which a dict was filled.
    """
    if isinstance(target, Tensor):
        if isinstance(given, dict):
            raise _misfit("one target", f"a dict with the keys {_listed(given)}")
        return given
    node = _children(target)
    if node is None or isinstance(given, Tensor):
        return given
    if len(flatten(target)[0]) == 1 and _children(given) is None:
        return given  # one target in a list, and its cotangent without one
    return _matched(target, given, "")


def _matched(target: Any, given: Any, path: str) -> list[Any]:
    node, found = _children(target), _children(given)
    if node is None:
        if isinstance(given, dict):
            raise _misfit(f"the target{path}", f"a dict with the keys {_listed(given)}")
        if found is not None and not any(isinstance(x, Tensor) for x in flatten(given)[0]):
            with door("gradient: output_gradients", given):
                given = np.asarray(given)  # a vector written as a list of numbers
        return [given]
    children, _, labels = node
    if found is None:
        return [given]  # too few, which is told by their number
    parts, _, names = found
    if isinstance(target, tuple) and isinstance(given, list | tuple):
        names = labels if len(parts) == len(labels) else names
    if set(names) != set(labels):
        if isinstance(target, list | tuple) and isinstance(given, list | tuple):
            raise _miscount(len(parts), len(children))
        raise _misfit(f"targets{path} with the keys {_listed(labels)}",
                      f"output_gradients{path} with {_listed(names)}")  # fmt: skip
    cotangents = dict(zip(names, parts, strict=True))
    return [
        ct
        for label, child in zip(labels, children, strict=True)
        for ct in _matched(child, cotangents[label], f"{path}[{label!r}]")
    ]


def _listed(keys: Any) -> str:
    return ", ".join(map(repr, keys)) or "none"


def _misfit(expected: str, found: str) -> ShapeError:
    return ShapeError(
        three_part(
            f"gradient: output_gradients do not have the structure of the target: {expected},"
            f" {found}.",
            "A cotangent belongs to the target of the same key.",
            "Pass output_gradients in the structure of the target, with the same keys:"
            ' {"a": np.ones_like(y)} for the target {"a": y}.',
        )
    )


def _miscount(given: int, targets: int) -> ShapeError:
    return ShapeError(
        three_part(
            f"gradient: {given} output_gradients for {targets} targets.",
            "Each target needs its own cotangent.",
            "Pass one for each, np.ones_like(target) where the sum is meant.",
        )
    )


def check_output_gradients(targets: list[Tensor], output_gradients: Any) -> list[Any]:
    """`output_gradients` as one cotangent per target, of its shape and dtype."""
    given, _ = (
        ([output_gradients], None)
        if isinstance(output_gradients, Tensor)
        else flatten(output_gradients)
    )
    if len(targets) == 1 and isinstance(output_gradients, list) and len(given) != 1:
        with door("gradient: output_gradients", output_gradients):
            given = [np.asarray(output_gradients)]  # a vector written as a list of numbers
    if len(given) != len(targets):
        raise _miscount(len(given), len(targets))
    checked: list[Any] = []
    for i, (t, ct) in enumerate(zip(targets, given, strict=True)):
        if ct is None:
            raise ShapeError(
                three_part(
                    f"gradient: output_gradients[{i}] is None.",
                    "Attempt to convert a value (None) to a cotangent.",
                    "Pass np.ones_like(target), or zeros for a target that shall not count.",
                )
            )
        value = raw(ct)
        array: Any = value if isinstance(value, Lift | Symbol) else np.asarray(value)
        dtype = t.dtype
        held = array.dtype.kind in "iub" or array.dtype.char in INEXACT
        if not held or (array.dtype.kind == "c" and dtype.kind != "c"):
            raise DTypeError(
                three_part(
                    f"gradient: output_gradients[{i}] is {array.dtype} for a {t.aval!r} target.",
                    "A cotangent has the dtype of its target.",
                    f"Pass it as {dtype}: np.asarray(ct, dtype={str(dtype)!r}).",
                )
            )
        if array.shape != t.shape:
            raise ShapeError(
                three_part(
                    f"gradient: output_gradients[{i}] has shape {array.shape}, "
                    f"its target {t.shape}.",
                    "A cotangent has the shape of its target; no axis is added to it.",
                    _in_shape(array.shape, t.shape),
                )
            )
        if isinstance(ct, Tensor):
            checked.append(ct if ct.dtype == dtype else ct.astype(dtype))
        else:
            checked.append(settled(np.array(array, dtype=dtype)))
    return checked


def broadcast(targets: list[Tensor], given: Any, is_any: bool) -> Any:
    """Cotangents in the shapes of `targets`, as TensorFlow has them: one number for every element.

    With `is_any`, whatever broadcasts to its target is broadcast. What does not stays as it is.
    """
    leaves, rebuild = flatten(given)
    if len(leaves) != len(targets):
        return given
    return rebuild([_repeated(x, t.shape, is_any) for x, t in zip(leaves, targets, strict=True)])


def _repeated(x: Any, shape: tuple[int, ...], is_any: bool) -> Any:
    own = np.shape(x)
    if x is None or own == shape or (own and not is_any):
        return x
    try:
        fits = np.broadcast_shapes(own, shape) == shape
    except ValueError:
        return x
    function: Any = np.broadcast_to
    return function(x, shape) if fits else x


def _in_shape(given: tuple[int, ...], shape: tuple[int, ...]) -> str:
    """Code that makes a cotangent of `shape` of one of shape `given`."""
    try:
        fits = np.broadcast_shapes(given, shape) == shape
    except ValueError:
        fits = False
    if fits:
        return f"Pass np.broadcast_to(ct, {shape})."
    if math.prod(given) == math.prod(shape):
        return f"Pass np.reshape(ct, {shape})."
    return f"Pass one number for each of the target's: np.ones({shape}) for its sum."


def source_key(recorder: Recorder, source: Tensor) -> int:
    """The key that `source` means: the watched version of a Tensor written to since."""
    source.read()
    key = source.key
    if isinstance(source, Variable) or key in recorder.leaves:
        return key
    for leaf_key, leaf in recorder.leaves.items():
        if type(leaf) is tuple and leaf[0]() is source:
            return leaf_key
    return key


def identity(targets: list[Tensor], source: Tensor, output_gradients: Any) -> Any:
    """The gradient of an unwatched target with respect to itself."""
    given: list[Any] = [None] * len(targets)
    if output_gradients is not None:
        given = check_output_gradients(targets, output_gradients)
    total: Any = None
    for t, ct in zip(targets, given, strict=True):
        if t is source:
            ct = np.ones_like(t.read()) if ct is None else raw(ct)
            total = ct if total is None else total + ct
    return total


def finish(g: Any, source: Tensor, recorded: bool, shared: bool = True) -> Tensor:
    """`g` as it is handed to the user: dtype and shape of the source, materialised, un-aliased.

    The order of bytes is the machine's, as in what NumPy computes of another.
    """
    value = source.value
    kind = type(g)
    if kind is type(value) and kind is not np.ndarray and not recorded:
        return new_tensor(g)
    if recorded:
        tensor: Any = g if isinstance(g, Tensor) else new_tensor(g)
        if tensor.dtype != value.dtype or not value.dtype.isnative:
            if value.dtype.kind != "c" and tensor.dtype.kind == "c":
                tensor = np.real(tensor)
            tensor = tensor.astype(native(value.dtype))
        if tensor.shape != value.shape:
            tensor = np.broadcast_to(tensor, value.shape)
        return tensor  # type: ignore[no-any-return]
    if isinstance(g, Tensor):
        g = g.read()
    if g.dtype != value.dtype or not g.dtype.isnative:
        if g.dtype.kind == "c" and value.dtype.kind != "c":
            g = g.real
        g = g.astype(native(value.dtype))
    if type(g) is np.ndarray:
        if g.shape != value.shape:
            g = np.broadcast_to(g, value.shape)
        if not owns(g) or not g.flags.writeable or (shared and sys.getrefcount(g) > _SOLE):
            g = np.array(g)
        if not value.shape:
            g = g[()]
    elif value.shape:
        g = np.full(value.shape, g)
    return new_tensor(g)


def _calibrate() -> int:
    """References to a cotangent that only the dictionary of the sweep holds, seen in `finish`."""
    seen: list[int] = []

    def finish(g: Any) -> None:
        seen.append(sys.getrefcount(g))

    grads = {1: np.zeros(2)}
    g = grads.get(1)
    finish(g)
    return seen[0]


_SOLE = _calibrate()


def zeros(source: Tensor) -> Tensor:
    """The gradient of a source that the target does not depend on, where zeros are asked for."""
    value = source.value
    return new_tensor(settled(np.zeros(value.shape, native(value.dtype))))


def check_aliases(recorder: Recorder) -> None:
    """Raise if a large array that the tape did not copy was written to since."""
    for array, sample, code, lasti in recorder.aliases:
        if fingerprint(array) != sample:
            raise TapeStateError(
                three_part(
                    f"gradient: an array of shape {array.shape} was written to after it was used.",
                    f"It was used at {decode(code, lasti)} and is needed for the gradient; arrays "
                    "above gt.config.current.copy_limit are not copied.",
                    "Pass a copy (x.copy()), or take the gradient before you write to it.",
                )
            )


def check_support(recorder: Recorder, targets: set[int], wanted: set[int]) -> None:
    """Raise if a path from a wanted key to a target runs through an op without a rule."""
    reach = set(wanted)
    through: dict[int, list[Any]] = {}
    for rec in recorder.ops:
        out = rec[2]
        inputs = input_keys(rec)
        if any(k in reach for k in inputs):
            reach.add(out)
            bad = rec if is_unsupported(rec) else None
            for k in inputs:
                if bad is None and k in through:
                    bad = through[k]
            if bad is not None:
                through[out] = bad
    for key in targets:
        if key in through:
            raise unsupported_error(through[key])
    # nothing that is asked for needs them: let the sweep pass them by (this time: a persistent
    # tape asks again)
    for rec in recorder.ops:
        if rec[0] is run_unsupported:
            rec[0] = _skip


def _skip(rec: list[Any], g: Any, grads: dict[int, Any]) -> None:
    """Backward of an op without a rule that no asked-for path needs."""
