"""The keyword arguments of ufuncs: `out=`, `where=`, `dtype=`, `casting=`, `signature=`, `order=`.

Each is put around a plain call of the same ufunc, so that cards need not know them: `dtype=` casts
the operands as NumPy would, `where=` chooses between the result and what `out` held, `order=` lays
the result out anew, and `out=` is written last. Everything that changes a value is a recorded op,
so it has derivatives of all orders.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import DTypeError, ShapeError, three_part
from .axes import mask
from .positions import decode, user_frame
from .registry import HOOKS
from .tensor import Tensor, raw

# Elements left out by `where=` are computed on these instead of on what stands there, so that they
# neither warn nor put an infinite partial into a derivative of any order: 0.5 is inside the domain
# of every ufunc but these.
_SAFE = {np.arccosh: 2.0}
_INTEGER_UNSAFE = frozenset([np.arctanh, np.arcsin, np.arccos])  # 1 is the edge of their domain
_WEAK = {float: float, int: int, complex: complex, bool: np.dtype(bool)}


def make_general(ufunc: Any, plain: Callable[..., Any], outputs: int) -> Callable[..., Any]:
    """`ufunc` with all its keyword arguments, from `plain`, which takes the operands alone.

    `plain(*operands)` returns a Tensor, or a tuple of `outputs` Tensors.
    """
    name = getattr(ufunc, "__name__", "operation")

    def general(
        *args: Any,
        out: Any = None,
        where: Any = True,
        dtype: Any = None,
        casting: str = "same_kind",
        signature: Any = None,
        sig: Any = None,
        order: str = "K",
        subok: bool = True,
    ) -> Any:
        outs = out if isinstance(out, tuple) else (out,)
        if len(outs) < outputs:
            outs = (*outs, *(None,) * (outputs - len(outs)))
        signature = signature if signature is not None else sig
        check_options(order, casting)
        if dtype is not None or signature is not None or casting != "same_kind":
            args = _cast_operands(ufunc, args, dtype, signature, casting)
        if where is not True:
            results = _masked(ufunc, plain, args, mask(raw(where)), outs)
        else:
            results = plain(*args)
            results = results if isinstance(results, tuple) else (results,)
        for result in results:
            lay_out(result, order, args)
        written = tuple(
            r if o is None else HOOKS["write_out"](o, fit(o, r, casting, name))
            for o, r in zip(outs, results, strict=True)
        )
        return written if outputs > 1 else written[0]

    general.__name__ = general.__qualname__ = name
    return general


def _cast_operands(
    ufunc: Any, args: tuple[Any, ...], dtype: Any, signature: Any, casting: Any
) -> tuple[Any, ...]:
    """The operands in the dtypes of the loop that `dtype=` or `signature=` asks for."""
    args = tuple(_sequence(x) for x in args)
    if not isinstance(ufunc, np.ufunc):
        return args if dtype is None else tuple(_cast(x, np.dtype(dtype)) for x in args)
    if dtype is not None:
        signature = (None,) * ufunc.nin + (np.dtype(dtype),) * ufunc.nout
    elif isinstance(signature, str):
        chars = signature.replace("->", "")
        if len(chars) == 1:
            signature = (None,) * ufunc.nin + (np.dtype(chars),) * ufunc.nout
        else:
            signature = tuple(np.dtype(c) for c in chars)
    kinds: tuple[Any, ...] = tuple(_WEAK.get(type(x)) or _dtype(x) for x in args)
    try:
        chosen = {} if signature is None else {"signature": signature}
        dtypes = ufunc.resolve_dtypes((*kinds, *(None,) * ufunc.nout), casting=casting, **chosen)
    except TypeError as error:
        frame = user_frame()
        raise DTypeError(
            three_part(
                f"{ufunc.__name__}: {error}",
                f"Called at {decode(frame.f_code, frame.f_lasti)} with dtype={dtype}, "
                f"casting={casting!r}.",
                "Leave dtype= out, or cast the result: y.astype(dtype).",
            )
        ) from None
    return tuple(_cast(x, d) for x, d in zip(args, dtypes, strict=False))


def check_options(order: Any, casting: Any) -> None:
    """Let NumPy refuse an `order=` or `casting=` that there is not."""
    if order != "K" or casting != "same_kind":
        np.positive(1.0, order=order, casting=casting)


def lay_out(result: Any, order: Any, operands: Any) -> None:
    """Give the buffer of a fresh `result` the memory layout that `order=` asks for."""
    if order in ("K", "k") or type(result.value) is not np.ndarray:
        return
    if order in ("A", "a"):
        flags = [x.flags for x in map(raw, operands) if isinstance(x, np.ndarray)]
        order = "F" if flags and all(f.f_contiguous and not f.c_contiguous for f in flags) else "C"
    result.value = np.asarray(result.value, order=order)


def _sequence(x: Any) -> Any:
    return HOOKS["from_sequence"](x) if isinstance(x, list | tuple) else x


def _dtype(x: Any) -> Any:
    return x.dtype if hasattr(x, "dtype") else np.asarray(x).dtype


def _cast(x: Any, dtype: Any) -> Any:
    if isinstance(x, Tensor):
        return x if x.dtype == dtype else x.astype(dtype)
    return np.asarray(x).astype(dtype)[()]


def _masked(
    ufunc: Any,
    plain: Callable[..., Any],
    args: tuple[Any, ...],
    where: Any,
    outs: tuple[Any, ...],
) -> tuple[Any, ...]:
    """The results where `where` is true, and what `outs` hold (zeros without one) elsewhere.

    NumPy leaves elements without an `out` uninitialised; zeros are as good, and repeatable.
    """
    if where.dtype != bool:
        frame = user_frame()
        raise DTypeError(
            three_part(
                f"{ufunc.__name__}: where= is {where.dtype}, not bool.",
                f"Called at {decode(frame.f_code, frame.f_lasti)}.",
                "Pass a condition: where=mask.astype(bool).",
            )
        )
    results = plain(*(_safe(ufunc, _sequence(x), where) for x in args))
    results = results if isinstance(results, tuple) else (results,)
    return tuple(
        np.where(where, r, np.zeros((), r.dtype) if o is None else _held(o))
        for o, r in zip(outs, results, strict=True)
    )


def _safe(ufunc: Any, x: Any, where: Any) -> Any:
    if type(x) in _WEAK:
        return x
    dtype = _dtype(x)
    if dtype.kind in "fc":
        fill = dtype.type(_SAFE.get(ufunc, 0.5))
    else:
        fill = dtype.type(0 if ufunc in _INTEGER_UNSAFE else 1)
    return np.where(where, x, fill)


def _held(out: Any) -> Any:
    return np.copy(out) if isinstance(out, Tensor) else np.array(out)


def fit(out: Any, result: Any, casting: str, name: str) -> Any:
    """`result` in the shape and dtype of `out`, which it is about to be written into."""
    shape, dtype = np.shape(out), _dtype(out)
    if result.shape != shape:
        try:
            common = np.broadcast_shapes(result.shape, shape)
        except ValueError:
            common = None
        if common != shape:
            frame = user_frame()
            raise ShapeError(
                three_part(
                    f"{name}: a result of shape {result.shape} does not fit out= of shape {shape}.",
                    f"Called at {decode(frame.f_code, frame.f_lasti)}.",
                    f"Give out= an array of shape {result.shape}, or leave it out.",
                )
            )
        result = np.broadcast_to(result, shape)
    if result.dtype != dtype:
        if not np.can_cast(result.dtype, dtype, casting):  # type: ignore[arg-type]
            frame = user_frame()
            raise DTypeError(
                three_part(
                    f"{name}: a result of {result.dtype} cannot be written into out= of {dtype} "
                    f"under casting={casting!r}.",
                    f"Called at {decode(frame.f_code, frame.f_lasti)}.",
                    f"Give out= an array of {result.dtype}, or pass casting='unsafe'.",
                )
            )
        result = result.astype(dtype)
    return result
