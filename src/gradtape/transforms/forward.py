"""Forward mode over trees: `jvp` and `linearize`.

The function runs on dual numbers (`core/lift.py`): each value carries its tangent, and nothing is
recorded, so memory does not grow with the length of the computation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.aval import INEXACT, native
from ..core.lift import Dual, Level, is_lifted
from ..core.operands import refuse_own_arithmetic
from ..core.positions import decode, here
from ..core.state import next_key, state
from ..core.tensor import Tensor, firm, new_tensor, new_traced, raw, settled
from ..core.tree import flatten, in_order, is_like, paths, tree_map
from ..errors import DTypeError, ShapeError, three_part
from .reverse import _check_callable, _pair, vjp


def jvp(
    function: Callable[..., Any], primals: Any, tangents: Any, has_aux: bool = False
) -> tuple[Any, ...]:
    """The value of `function(*primals)` and its derivative in the direction of `tangents`.

    Parameters
    ----------
    function : callable
        Returns an array or a tree of arrays, or `(result, aux)` with `has_aux`.
    primals : tuple or list
        All arguments; each may be a tree. Integers and what is no number are constants, and
        their tangents are None.
    tangents : tuple or list
        One for each primal, in its structure and its shapes; None where it does not move.

    Returns
    -------
    out, tangent or out, tangent, aux
        Both in the structure, shapes and dtypes of the result: plain NumPy where the arguments
        were plain and no tape or other transform is active, Tensors otherwise. For complex values
        the tangent is the differential (a real-linear map of `tangents`).

    Raises
    ------
    ShapeError
        If primals and tangents do not match.
    DTypeError
        If a tangent is no number, or complex for a real primal.
    UnsupportedOperationError
        If the function uses an operation without a rule.

    Warns
    -----
    ExitWarning
        If a value with a tangent is taken out of the computation as a number (`float(x)`).

    Notes
    -----
    Forward mode by dual numbers: Griewank and Walther, *Evaluating Derivatives*, 2nd ed., ch. 3.

    Examples
    --------
    >>> import numpy as np, gradtape as gt
    >>> out, tangent = gt.jvp(lambda x: np.sum(x**3), (np.array([1.0, 2.0]),), (np.ones(2),))
    >>> float(out), float(tangent)
    (9.0, 15.0)
    """
    _check_callable("jvp", function)
    name = f"jvp of {getattr(function, '__name__', 'function')}"
    level = Level(name)
    args, plain = dual_arguments(level, name, primals, tangents)
    with level:
        out = function(*args)
        aux = None
        if has_aux:
            out, aux = _pair(name, out)
            aux = tree_map(lambda leaf: outward(split(level, leaf)[0], plain), aux)
        leaves, rebuild = flatten(out)
        pairs = [split(level, leaf) for leaf in leaves]
    value = rebuild([outward(x, plain) for x, _ in pairs])
    tangent = rebuild([outward(t, plain) for _, t in pairs])
    return (value, tangent, aux) if has_aux else (value, tangent)


def dual_arguments(level: Level, name: str, primals: Any, tangents: Any) -> tuple[list[Any], bool]:
    """The arguments as dual numbers, and whether all that was passed was plain."""
    for what, given in (("primals", primals), ("tangents", tangents)):
        if not isinstance(given, tuple | list):
            raise DTypeError(
                three_part(
                    f"{name}: {what} are {type(given).__name__}, not a tuple with one for each "
                    "argument.",
                    f"They were passed at {decode(*here(3))}.",
                    f"Write gt.jvp(f, (x,), (t,)): {what} of one argument need the comma.",
                )
            )
    leaves, rebuild = flatten(list(primals))
    moves, _ = flatten(list(tangents))
    fits = len(primals) == len(tangents)
    if fits:
        pairs = list(zip(primals, tangents, strict=True))
        moves = [t for p, move in pairs for t in _spread(p, move)]
        fits = all(is_like(t, p) for p, t in pairs if t is not None)
    if len(leaves) != len(moves) or not fits:
        raise ShapeError(
            three_part(
                f"{name}: {len(primals)} primals with {len(leaves)} arrays, "
                f"{len(tangents)} tangents with {len(moves)}{_alone(primals, tangents)}.",
                f"They were passed at {decode(*here(3))}.",
                "Pass tangents in the structure of the primals, None for what does not move.",
            )
        )
    plain = not any(isinstance(x, Tensor) for x in (*leaves, *moves))
    labels = [label for label, _ in paths(list(primals), "primals")]
    args = [
        _dual(level, f"{name}: {label}", x, t)
        for label, x, t in zip(labels, leaves, moves, strict=True)
    ]
    return rebuild(args), plain


def _spread(primal: Any, tangent: Any) -> list[Any]:
    """The leaves of `tangent`; None for a whole tree stands for one at each of its leaves."""
    if tangent is None:
        return [None] * len(flatten(primal)[0])
    return flatten(in_order(tangent, primal))[0]


def _alone(primals: Any, tangents: Any) -> str:
    """What only one of the two has, for messages."""
    names = ("primals", primals), ("tangents", tangents)
    have, given = (
        {label.removeprefix(name): label for label, _ in paths(list(tree), name)}
        for name, tree in names
    )
    found = [have[k] for k in have if k not in given] + [given[k] for k in given if k not in have]
    return f"; without counterpart: {', '.join(found)}" if found else ""


def _dual(level: Level, label: str, x: Any, t: Any) -> Any:
    if t is None:
        return x
    refuse_own_arithmetic(x, label)
    value = raw(x) if isinstance(x, Tensor) else np.asarray(x)
    refuse_own_arithmetic(t, label)
    move = raw(t) if isinstance(t, Tensor) else np.asarray(t)
    if value.dtype.kind not in "fc" or move.dtype.kind not in "fciub":
        raise DTypeError(
            three_part(
                f"{label} is {value.dtype} with a tangent of {move.dtype}.",
                f"They were passed at {decode(*here(5))}; only floating and complex values move.",
                "Pass floats: 1.0 in place of 1, x.astype(float); or None as its tangent.",
            )
        )
    if move.dtype.kind == "c" and value.dtype.kind != "c":
        raise DTypeError(
            three_part(
                f"{label} is {value.dtype} with a tangent of {move.dtype}.",
                f"They were passed at {decode(*here(5))}; a real value moves along the real axis.",
                "Pass t.real, or make the primal complex: x.astype(complex).",
            )
        )
    if value.shape != move.shape:
        raise ShapeError(
            three_part(
                f"{label} has shape {value.shape}, its tangent {move.shape}.",
                f"They were passed at {decode(*here(5))}; a tangent is not broadcast.",
                f"Pass np.broadcast_to(t, {value.shape}), or np.ones_like(x).",
            )
        )
    if isinstance(x, Tensor):
        # a value of its own: what is written into it in the function is not written outside
        primal: Any = np.positive(x) if state.tapes or is_lifted(x) else raw(x)
        if isinstance(primal, Tensor):
            primal.value = firm(primal.value)
    else:
        primal = settled(np.array(value))
    dtype = native(value.dtype)
    if isinstance(t, Tensor) and (state.tapes or is_lifted(t)):
        tangent: Any = t if t.dtype == dtype else t.astype(dtype)
    else:
        tangent = settled(np.array(move, dtype=dtype))
    return new_traced(Dual(level, primal, tangent), next_key())


def split(level: Level, leaf: Any) -> tuple[Any, Any]:
    """(value, tangent) of a result; the tangent of what does not depend on the level is 0."""
    held = leaf.read() if isinstance(leaf, Tensor) else leaf
    if isinstance(held, Dual) and held.level is level:
        tangent = held.tangent
        dtype = native(held.dtype)
        kinds = tangent.dtype.kind, dtype.kind
        if tangent.dtype != dtype and dtype.char in INEXACT and kinds != ("c", "f"):
            tangent = tangent.astype(dtype)  # a slope may be of another, by NumPy's rules
        return held.primal, tangent
    shape, dtype = np.shape(held), getattr(held, "dtype", None)
    if dtype is None:
        dtype = np.asarray(held).dtype
    if dtype.kind not in "fciub":
        return leaf, None
    return leaf, settled(np.zeros(shape, dtype if dtype.kind in "fc" else float))


def outward(x: Any, plain: bool) -> Any:
    """A value as the caller gets it: plain where all was plain and nothing around records."""
    if isinstance(x, Tensor):
        if not plain or state.tapes or is_lifted(x):
            return x
        return settled(np.array(x.read()))
    if is_lifted(x):
        return new_traced(x, next_key())
    if x is None or not isinstance(x, np.ndarray | np.generic):
        return x
    value = np.array(x)[()] if isinstance(x, np.ndarray) else x
    return value if plain and not state.tapes else new_tensor(value)


def linearize(function: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., Any]]:
    """The value of `function(*primals)`, and its derivative there as a linear function.

    Parameters
    ----------
    function : callable
        Returns an array or a tree of arrays.
    *primals : array_like or tree
        All arguments.

    Returns
    -------
    out, push
        `push(*tangents)` takes one tangent per primal, as `jvp` does, and returns the tangent of
        `out`. It can be called again and does not call `function`: each call transposes the
        recorded backward sweep, which costs a few times a `jvp`. Unlike `jvp`, it keeps the values
        of the computation.

    Raises
    ------
    ShapeError, DTypeError, UnsupportedOperationError
        As `jvp`.

    Examples
    --------
    >>> import numpy as np, gradtape as gt
    >>> out, push = gt.linearize(np.sin, 0.0)
    >>> float(push(1.0)), float(push(2.0))
    (1.0, 2.0)
    """
    _check_callable("linearize", function)
    out, pull = vjp(function, *primals)
    zeros = tree_map(_zero_of, out)
    leaves, rebuild = flatten(list(primals))

    def push(*tangents: Any) -> Any:
        # The transpose of the transpose: pull is linear in the cotangent, and its vjp is the jvp.
        _, back = vjp(lambda ct: pull(ct), zeros)
        moves, _ = flatten(list(tangents))
        if len(tangents) == len(primals):
            pairs = zip(primals, tangents, strict=True)
            moves = [t for p, move in pairs for t in _spread(p, move)]
        if len(moves) == len(leaves):
            moves = [_zero_of(x) if t is None else t for x, t in zip(leaves, moves, strict=True)]
            tangents = tuple(rebuild(moves))
        return back(tuple(tangents))[0]

    return out, push


def _zero_of(leaf: Any) -> Any:
    dtype = np.asarray(raw(leaf)).dtype if not hasattr(leaf, "dtype") else leaf.dtype
    return settled(np.zeros(np.shape(leaf), dtype))
