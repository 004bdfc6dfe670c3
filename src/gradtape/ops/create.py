"""Creation: Tensors from numbers, from nested sequences that hold Tensors, and like another one.

The functions here are public as `gt.array`, `gt.zeros`, ... NumPy's own creation functions know
nothing of Tensors inside a list (`np.array([x[0], 1.0])` takes the value out); with `like=t` they
ask the Tensor `t`, and then come here too. What is built from tracked values is tracked.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.batched import dims
from ..core.cards import nondifferentiable
from ..core.operands import rewrap, unwrap
from ..core.positions import decode, here
from ..core.pythons import strengthened
from ..core.refusals import door
from ..core.registry import FUNCTIONS, HOOKS
from ..core.tensor import Tensor, laid_out, new_tensor, new_traced, raw
from ..errors import DTypeError, ShapeError, three_part

_np: Any = np  # NumPy's functions as they are for Tensors, which its stubs do not know

# ------------------------------------------------------------------- nested sequences


def _holds_tensor(items: Any) -> bool:
    if type(items) is np.ndarray:
        return bool(items.dtype.hasobject) and any(_holds_tensor(i) for i in items.flat)
    return isinstance(items, Tensor) or (
        isinstance(items, list | tuple) and any(map(_holds_tensor, items))
    )


def stack_nested(items: Any) -> Any:
    """Nested lists, tuples and object arrays that hold Tensors, as one Tensor.

    Levels that hold no Tensor are given to NumPy whole; the others are stacked, one record each.
    """
    if isinstance(items, Tensor) or not _holds_tensor(items):
        return items
    if isinstance(items, np.ndarray):
        return _np.reshape(stack_nested(list(items.flat)), items.shape)
    parts = [
        x if isinstance(x, Tensor) or not isinstance(x, list | tuple | np.ndarray)
        else stack_nested(x) if _holds_tensor(x)
        else np.asarray(x)
        for x in items
    ]  # fmt: skip
    shapes = {dims(part) for part in parts}
    if len(shapes) > 1:
        raise ShapeError(
            three_part(
                f"array: the parts of a sequence of {len(parts)} have different shapes: "
                f"{', '.join(map(str, sorted(shapes)))}.",
                f"It was built at {decode(*here())}.",
                "Give every part the same shape, or join them: gt.concatenate([...]).",
            )
        )
    result: Tensor = _np.stack(parts)
    return result


HOOKS["stack"] = stack_nested


def _number(function: str, value: Any) -> Any:
    """A raw array as a creation function may return it; DTypeError for what holds no numbers."""
    value = np.asarray(value)
    if value.dtype.kind not in "fciub":
        raise DTypeError(
            three_part(
                f"{function}: dtype {value.dtype} holds no numbers.",
                f"Called at {decode(*here(3))}.",
                "Pass numbers, nested lists of numbers, arrays or Tensors.",
            )
        )
    return value[()] if value.ndim == 0 else value


def _fresh(value: Any) -> Tensor:
    value = _number("array", value)
    return new_tensor(value)


def array(
    object: Any, dtype: Any = None, *, copy: bool | None = True, order: str | None = "K",
    subok: bool = False, ndmin: int = 0,
) -> Tensor:  # fmt: skip
    """A Tensor with the numbers of `object`, which may hold Tensors anywhere inside.

    Parameters
    ----------
    object : array_like
        A number, an array, a Tensor, or nested lists and tuples of them with equal shapes.
    dtype : dtype, optional
        By default what NumPy finds for `object`.
    copy : bool or None
        False raises where a copy is needed, which it is for everything but a Tensor: a Tensor
        never shares the memory of an array that can be written behind its back.
    order, subok, ndmin
        As for `numpy.array`; `subok` has no effect.

    Raises
    ------
    ShapeError
        If the parts of a list have different shapes.
    DTypeError
        If `object` holds something else than numbers.

    Examples
    --------
    >>> import gradtape as gt
    >>> x = gt.Variable([1.0, 2.0])
    >>> with gt.GradientTape() as tape:
    ...     y = gt.array([x[0], x[1] ** 2, 5.0])
    ...     loss = y.sum()
    >>> y
    Tensor([1., 4., 5.], shape=(3,), dtype=float64)
    >>> tape.gradient(loss, x)
    Tensor([1., 4.], shape=(2,), dtype=float64)
    """
    found = stack_nested(strengthened(object))
    order = "K" if order is None else order
    if not isinstance(found, Tensor):
        if copy is False:
            raise ValueError(
                three_part(
                    "array: copy=False cannot be kept.",
                    f"A {type(object).__name__} has to be copied into a Tensor, so that later "
                    "writes to it do not change what a tape recorded.",
                    "Leave copy=False away.",
                )
            )
        with door("array", object, dtype):
            value = _np.array(found, dtype, order=order, ndmin=ndmin)
        return _fresh(value)
    if dtype is not None and found.dtype != np.dtype(dtype):
        if copy is False:
            raise ValueError(
                three_part(
                    "array: copy=False cannot be kept.",
                    f"The Tensor is {found.dtype} and {np.dtype(dtype)} is asked.",
                    "Leave copy=False away.",
                )
            )
        found = found.astype(dtype)
    elif copy and found is object:
        found = _np.copy(found, order=order)
    if order in ("C", "F") and found.ndim > 1 and not found.read().flags[f"{order}_CONTIGUOUS"]:
        found = _np.copy(found, order=order)
    if found.ndim < ndmin:
        found = _np.reshape(found, (1,) * (ndmin - found.ndim) + found.shape)
    result: Tensor = found
    return result


def asarray(
    a: Any, dtype: Any = None, order: str | None = None, *, copy: bool | None = None,
    device: str | None = None,
) -> Tensor:  # fmt: skip
    """`a` as a Tensor: itself if it is one, otherwise a new one as `gt.array` makes it.

    Examples
    --------
    >>> import gradtape as gt
    >>> x = gt.array([1.0, 2.0])
    >>> gt.asarray(x) is x
    True
    """
    _cpu(device)
    return array(a, dtype, copy=copy, order=order)


def _cpu(device: str | None) -> None:
    if device not in (None, "cpu"):
        raise ValueError(
            three_part(
                f"Device not understood: {device!r}.", "NumPy arrays live in main memory.",
                'Use device="cpu", or leave it away.',
            )
        )  # fmt: skip


# ----------------------------------------------------------------- from shapes and numbers


def _size(shape: Any) -> Any:
    shape = unwrap(shape, [])
    return tuple(map(operator.index, shape)) if isinstance(shape, list | tuple) else shape


def zeros(
    shape: Any, dtype: Any = float, order: Any = "C", *, device: str | None = None
) -> Tensor:
    """A Tensor of zeros; `x[i] = v` on it is followed, where a plain array would lose `v`.

    Examples
    --------
    >>> import gradtape as gt
    >>> w = gt.Variable(3.0)
    >>> with gt.GradientTape() as tape:
    ...     y = gt.zeros(2)
    ...     y[0] = w * w
    ...     loss = y.sum()
    >>> tape.gradient(loss, w)
    Tensor(6., shape=(), dtype=float64)
    """
    _cpu(device)
    with door("zeros", shape, dtype):
        return _fresh(np.zeros(_size(shape), dtype, order))


def ones(
    shape: Any, dtype: Any = None, order: Any = "C", *, device: str | None = None
) -> Tensor:
    """A Tensor of ones.

    Examples
    --------
    >>> import gradtape as gt
    >>> gt.ones(2)
    Tensor([1., 1.], shape=(2,), dtype=float64)
    """
    _cpu(device)
    with door("ones", shape, dtype):
        return _fresh(np.ones(_size(shape), dtype, order))


def empty(
    shape: Any, dtype: Any = float, order: Any = "C", *, device: str | None = None
) -> Tensor:
    """A Tensor whose elements are to be assigned.

    Examples
    --------
    >>> import gradtape as gt
    >>> gt.empty((2, 3)).shape
    (2, 3)
    """
    _cpu(device)
    with door("empty", shape, dtype):
        return _fresh(np.empty(_size(shape), dtype, order))


def full(
    shape: Any, fill_value: Any, dtype: Any = None, order: Any = "C", *,
    device: str | None = None,
) -> Tensor:  # fmt: skip
    """A Tensor filled with `fill_value`, which broadcasts to `shape` and may be tracked.

    Examples
    --------
    >>> import gradtape as gt
    >>> w = gt.Variable(2.0)
    >>> with gt.GradientTape() as tape:
    ...     loss = gt.full(3, w).sum()
    >>> tape.gradient(loss, w)
    Tensor(3., shape=(), dtype=float64)
    """
    _cpu(device)
    fill = stack_nested(fill_value)
    if not isinstance(fill, Tensor):
        with door("full", shape, fill_value, dtype):
            return _fresh(np.full(_size(shape), fill, dtype, order))
    if dtype is not None:
        fill = fill.astype(dtype)
    shape = _size(shape)
    shape = shape if isinstance(shape, tuple) else (operator.index(shape),)
    result: Tensor = _np.copy(_np.broadcast_to(fill, shape), order=order)
    return result


def eye(
    N: int, M: int | None = None, k: int = 0, dtype: Any = float, order: Any = "C", *,
    device: str | None = None,
) -> Tensor:  # fmt: skip
    """A Tensor with ones on the diagonal `k` and zeros elsewhere.

    Examples
    --------
    >>> import gradtape as gt
    >>> gt.eye(2)
    Tensor([[1., 0.], [0., 1.]], shape=(2, 2), dtype=float64)
    """
    _cpu(device)
    with door("eye", N, M, k, dtype):
        return _fresh(np.eye(raw(N), raw(M), int(raw(k)), dtype, order))


def arange(
    start: Any = None, stop: Any = None, step: Any = 1, dtype: Any = None, *,
    device: str | None = None,
) -> Tensor:  # fmt: skip
    """A Tensor of `start + i * step` below `stop`; `start` and `step` may be tracked.

    The number of elements changes in jumps, so `stop` has no gradient.

    Examples
    --------
    >>> import gradtape as gt
    >>> step = gt.Variable(0.5)
    >>> with gt.GradientTape() as tape:
    ...     loss = gt.arange(1.0, 3.0, step).sum()
    >>> tape.gradient(loss, step)
    Tensor(6., shape=(), dtype=float64)
    """
    _cpu(device)
    if stop is None:
        start, stop = 0, start
    start, step = 0 if start is None else start, 1 if step is None else step
    with door("arange", start, stop, step, dtype):
        plain = _np.arange(raw(start), raw(stop), raw(step), dtype)
    if not (isinstance(start, Tensor) or isinstance(step, Tensor)) or plain.dtype.kind not in "fc":
        # nothing here has a derivative, but what was lost keeps its reason
        return _plain_arange(start, stop, step, dtype)
    ramp = start + _np.arange(plain.size) * step
    result: Tensor = ramp.astype(plain.dtype)
    return result


def linspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, retstep: bool = False,
    dtype: Any = None, axis: int = 0, *, device: str | None = None,
) -> Any:  # fmt: skip
    """A Tensor of `num` evenly spaced numbers from `start` to `stop`, both may be tracked.

    With `retstep` also the step.

    Examples
    --------
    >>> import gradtape as gt
    >>> gt.linspace(0.0, 1.0, 3)
    Tensor([0. , 0.5, 1. ], shape=(3,), dtype=float64)
    """
    _cpu(device)
    start, stop = (x if isinstance(x, Tensor) else array(x) for x in (start, stop))
    return _np.linspace(start, stop, int(num), endpoint, retstep, dtype, axis)


def stack(arrays: Sequence[Any], axis: int = 0, *, dtype: Any = None) -> Tensor:
    """The `arrays`, of equal shape, along a new axis.

    Examples
    --------
    >>> import gradtape as gt
    >>> gt.stack([gt.array([1.0, 2.0]), [3.0, 4.0]], axis=1)
    Tensor([[1., 3.], [2., 4.]], shape=(2, 2), dtype=float64)
    """
    with door("stack", arrays):
        result: Tensor = _np.stack(_parts(arrays), axis, dtype=dtype)
    return result


def concatenate(arrays: Sequence[Any], axis: int | None = 0, *, dtype: Any = None) -> Tensor:
    """The `arrays` joined along an existing axis; flattened first where `axis` is None.

    Examples
    --------
    >>> import gradtape as gt
    >>> gt.concatenate([gt.array([1.0, 2.0]), [3.0]])
    Tensor([1., 2., 3.], shape=(3,), dtype=float64)
    """
    with door("concatenate", arrays):
        result: Tensor = _np.concatenate(_parts(arrays), axis, dtype=dtype)
    return result


def _parts(arrays: Any) -> list[Any]:
    """The parts as Tensors, so that NumPy's function dispatches."""
    return [x if isinstance(x, Tensor) else array(x) for x in arrays]


# --------------------------------------------------------------------------- like another


def _like(function: Any) -> None:
    """`zeros_like` and its kin read no values: a Tensor, not followed, with nothing to explain."""

    def like(*args: Any, **kwargs: Any) -> Tensor:
        args, kwargs = unwrap(args, []), unwrap(kwargs, [])
        value: Any = function(*args, **kwargs)
        return new_traced(value[()] if value.ndim == 0 else value)

    nondifferentiable(function, f"{function.__name__} does not read the values of its operand.")
    FUNCTIONS[function] = like


for _function in (np.zeros_like, np.ones_like, np.empty_like):
    _like(_function)


def _full_like(
    a: Any, fill_value: Any, dtype: Any = None, order: str = "K", subok: bool = True,
    shape: Any = None, *, device: str | None = None,
) -> Tensor:  # fmt: skip
    with door("full_like", a, fill_value):
        like: Any = np.empty_like(raw(a), dtype, order, False, _size(shape), device=device)  # type: ignore[call-overload]
    result = full(like.shape, fill_value, like.dtype)
    if type(like) is np.ndarray and like.ndim and type(result) is Tensor:
        result.value = laid_out(result.value, like)
    return result


FUNCTIONS[np.full_like] = _full_like


def _identity(n: int, dtype: Any = None) -> Tensor:
    return eye(n, dtype=float if dtype is None else dtype)


def _plain_arange(*args: Any, **kwargs: Any) -> Tensor:
    """An arange that no gradient passes through; it says so if an endpoint was tracked."""
    found: list[Tensor] = []
    value = _np.arange(*unwrap(args, found), **unwrap(kwargs, found))
    tracked = [t for t in found if t.key]
    why = next((t.why for t in found if t.why is not None), None)
    if why is None and tracked:
        what = "arange, whose length changes in jumps"
        why = ("nondifferentiable", *here(), tracked[0].key, what)
    return new_tensor(value, 0, why)


def _tri(N: int, M: int | None = None, k: int = 0, dtype: Any = float) -> Tensor:
    return _fresh(np.tri(raw(N), raw(M), int(raw(k)), dtype))


def _require(a: Any, dtype: Any = None, requirements: Any = None) -> Tensor:
    wanted = {str(r).upper()[0] for r in requirements or ()}
    if {"C", "F"} <= wanted:
        raise ValueError(
            three_part(
                "require: Cannot specify both 'C' and 'F' order.",
                f"requirements is {requirements!r}.",
                "Keep one of them.",
            )
        )
    order = "C" if "C" in wanted else "F" if "F" in wanted else "A"
    return array(a, dtype, copy=None, order=order)


def _contiguous(order: str) -> Callable[..., Tensor]:
    def contiguous(a: Any, dtype: Any = None) -> Tensor:
        return array(a, dtype, copy=None, order=order, ndmin=1)

    return contiguous


def _fromiter(iter: Any, dtype: Any, count: int = -1) -> Tensor:
    import itertools

    items = list(iter if count < 0 else itertools.islice(iter, count))
    if len(items) < count:
        raise ValueError(
            three_part(
                f"fromiter: iterator too short: Expected {count} but iterator had only "
                f"{len(items)} items.",
                "count says how many to take.",
                "Leave count out to take all of them.",
            )
        )
    return array(items, dtype) if items else zeros(0, dtype)


def _wrapped(function: Any) -> Callable[..., Any]:
    """NumPy's function with its result as a Tensor (which it may be already)."""

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return rewrap(function(*args, **kwargs), None)

    return wrapped


# NumPy hands itself here for `np.array(..., like=tensor)`, with `like` taken out.
_CREATION: dict[Any, Callable[..., Any]] = {
    np.array: array, np.asarray: asarray,
    np.asanyarray: asarray, np.zeros: zeros, np.ones: ones, np.empty: empty, np.full: full,
    np.arange: arange, np.eye: eye, np.identity: _identity, np.tri: _tri, np.require: _require,
    np.ascontiguousarray: _contiguous("C"), np.asfortranarray: _contiguous("F"),
    np.fromiter: _fromiter, np.fromfunction: _wrapped(np.fromfunction),
    **{f: _wrapped(f) for f in (np.frombuffer, np.fromfile, np.fromstring, np.loadtxt,
                                np.genfromtxt)},
}  # fmt: skip
FUNCTIONS.update(_CREATION)
