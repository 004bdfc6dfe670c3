"""`vmap`: a function of one example made one of many, by the batching rules of the cards."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.lift import Batch, Level, is_lifted
from ..core.operands import refuse_own_arithmetic
from ..core.positions import decode, here
from ..core.state import next_key, state
from ..core.tensor import Tensor, another, new_tensor, new_traced, raw
from ..core.tree import _children, flatten, paths
from ..errors import DTypeError, ShapeError, three_part
from .forward import outward
from .reverse import _check_callable


def vmap(function: Callable[..., Any], in_axes: Any = 0, out_axes: Any = 0) -> Callable[..., Any]:
    """A function that maps `function` over an axis of its arguments, all examples at once.

    Parameters
    ----------
    function : callable
        Of one example. It sees logical shapes, without the mapped axis; Variables and what it
        takes from around it are the same for every example. A tape inside gives a gradient for
        each example, one outside their sum.
    in_axes : int, None, or a tree
        The axis to map over of each argument: one for all, or a tuple with one for each argument,
        each an int, None (not mapped) or a tree of them that is a prefix of the argument.
    out_axes : int, None, or a tree
        Where the mapped axis stands in the results; None for a result that does not depend on
        the example.

    Returns
    -------
    callable
        Takes the arguments of `function` with the mapped axis; keyword arguments are mapped over
        axis 0.

    Raises
    ------
    ShapeError
        If the mapped axes have different lengths, or an axis does not exist.
    TracingError
        If the function asks for the number behind a batched value (`if x > 0`, `float(x)`), or
        assigns one to a Variable.

    Warns
    -----
    GradientWarning
        Once for each operation that has no batching rule: it runs once for each example.

    Examples
    --------
    >>> import numpy as np, gradtape as gt
    >>> gt.vmap(lambda x, w: x @ w, in_axes=(0, None))(np.eye(2), np.array([3.0, 4.0]))
    array([3., 4.])
    >>> gt.vmap(gt.grad(lambda x: x**2))(np.array([1.0, 2.0]))
    array([2., 4.])
    """
    _check_callable("vmap", function)
    name = f"vmap of {getattr(function, '__name__', 'function')}"

    @functools.wraps(function)
    def mapped(*args: Any, **kwargs: Any) -> Any:
        chosen = _axes_of(name, in_axes, args)
        leaves, rebuild = flatten([list(args), kwargs])
        chosen += [0] * (len(leaves) - len(chosen))
        labels = [label for label, _ in paths(list(args), "argument")]
        labels += [label for label, _ in paths(kwargs, "keyword")]
        size = _size(name, leaves, chosen, labels)
        level = Level(name, size)
        plain = not any(isinstance(x, Tensor) for x in leaves)
        lifted = [_batched(level, x, axis) for x, axis in zip(leaves, chosen, strict=True)]
        new_args, new_kwargs = rebuild(lifted)
        with level:
            out = function(*new_args, **new_kwargs)
            results, again = flatten(out)
            places = _prefix(name, out_axes, out, "out_axes")
            found = [_unbatched(level, x, a) for x, a in zip(results, places, strict=True)]
        return again([outward(x, plain) for x in found])

    return mapped


def _axes_of(name: str, in_axes: Any, args: tuple[Any, ...]) -> list[Any]:
    if isinstance(in_axes, tuple | list):
        if len(in_axes) != len(args):
            raise ShapeError(
                three_part(
                    f"{name}: in_axes has {len(in_axes)} entries for {len(args)} arguments.",
                    f"Called at {decode(*here(3))}.",
                    "Give one for each positional argument, None for what is not mapped; or one "
                    "number for all.",
                )
            )
        return [
            axis
            for given, arg in zip(in_axes, args, strict=True)
            for axis in _prefix(name, given, arg, "in_axes")
        ]
    return _prefix(name, in_axes, list(args), "in_axes")


def _prefix(name: str, axes: Any, tree: Any, what: str) -> list[Any]:
    """One axis for each leaf of `tree`, from a tree of axes that is a prefix of it."""
    if axes is None or hasattr(axes, "__index__"):
        return [axes if axes is None else operator.index(axes)] * len(flatten(tree)[0])
    node, found = _children(axes), _children(tree)
    if node is not None and found is not None and len(node[0]) == len(found[0]):
        if node[2] == found[2] or not (isinstance(axes, dict) or isinstance(tree, dict)):
            pairs: Any = zip(node[0], found[0], strict=True)
        elif set(node[2]) == set(found[2]):
            by_name = dict(zip(node[2], node[0], strict=True))
            pairs = ((by_name[k], child) for k, child in zip(found[2], found[0], strict=True))
        else:
            pairs = None
        if pairs is not None:
            return [a for axis, child in pairs for a in _prefix(name, axis, child, what)]
    raise DTypeError(
        three_part(
            f"{name}: {what}={axes!r:.80} does not go with {type(tree).__name__}.",
            f"Called at {decode(*here(4))}; it is a number, None, or has the structure of what "
            "it belongs to.",
            f"Write {what}=0 for the first axis of everything.",
        )
    )


def _size(name: str, leaves: list[Any], axes: list[Any], labels: list[str]) -> int:
    sizes: dict[int, str] = {}
    for x, axis, label in zip(leaves, axes, labels, strict=True):
        if axis is None:
            continue
        refuse_own_arithmetic(x, name)
        shape = np.shape(x)
        if not -len(shape) <= axis < len(shape):
            raise ShapeError(
                three_part(
                    f"{name}: {label} has shape {shape}, and no axis {axis} to map over.",
                    f"Called at {decode(*here(3))}.",
                    "Pass in_axes=None for what is the same for every example: in_axes=(0, None).",
                )
            )
        sizes.setdefault(shape[axis], f"{label} of shape {shape}")
    if len(sizes) == 1:
        return next(iter(sizes))
    if not sizes:
        raise ShapeError(
            three_part(
                f"{name}: nothing is mapped.",
                f"Called at {decode(*here(3))} with in_axes of None alone.",
                "Give at least one argument an axis: in_axes=0.",
            )
        )
    lengths = ", ".join(f"{n} ({where})" for n, where in sizes.items())
    raise ShapeError(
        three_part(
            f"{name}: the mapped axes have different lengths: {lengths}.",
            f"Called at {decode(*here(3))}; there is one example for each entry.",
            "Choose the axes with in_axes=, None for what is not mapped.",
        )
    )


def _batched(level: Level, x: Any, axis: int | None) -> Any:
    if axis is None:
        return x
    if isinstance(x, Tensor) and (state.tapes or is_lifted(x)):
        function: Any = np.moveaxis
        inner: Any = function(x, axis, 0) if axis else another(x)
    else:
        array = np.asarray(raw(x))
        if array.dtype.kind not in "fciub":
            raise DTypeError(
                three_part(
                    f"{level.name}: an argument holds {array.dtype}, no numbers.",
                    f"Called at {decode(*here(4))}.",
                    "Pass in_axes=None for it, or arrays of numbers.",
                )
            )
        inner = np.array(np.moveaxis(array, axis, 0))
    return new_traced(Batch(level, inner), next_key())


def _unbatched(level: Level, x: Any, axis: int | None) -> Any:
    held = x.read() if isinstance(x, Tensor) else x
    if isinstance(held, Batch) and held.level is level:
        if axis is None:
            raise ShapeError(
                three_part(
                    f"{level.name}: a result differs from example to example, with out_axes=None.",
                    f"Called at {decode(*here(4))}.",
                    "Write out_axes=0 for it.",
                )
            )
        return _moved(level, held.inner, axis) if axis else held.inner
    if axis is None or x is None:
        return x
    value = x if isinstance(x, Tensor) else new_tensor(np.asarray(x)[()])
    if value.dtype.kind not in "fciub":
        return x
    return _moved(level, np.broadcast_to(value, (level.size or 0, *value.shape)), axis)


def _moved(level: Level, x: Any, axis: int) -> Any:
    """`x` with its first axis, that of the examples, at `axis`."""
    if not -np.ndim(x) <= axis < np.ndim(x):
        raise ShapeError(
            three_part(
                f"{level.name}: a result has shape {np.shape(x)[1:]} for each example, and no "
                f"place {axis} for an axis of them.",
                f"Called at {decode(*here(4))}.",
                f"Pass out_axes from {-np.ndim(x)} to {np.ndim(x) - 1}; 0 puts it first.",
            )
        )
    return np.moveaxis(x, 0, axis)
