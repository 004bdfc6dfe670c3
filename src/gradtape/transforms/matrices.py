"""Matrices of derivatives over trees: `jacobian`, `hessian`, `hvp`, `hessian_diag`.

A Jacobian is one batched sweep: backwards a cotangent for each output, forwards a tangent for
each input, all of them in arrays with a leading axis. `chunk_size` bounds how many go at once.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from .. import events
from ..core.aval import native
from ..core.bands import Bands, full, identity
from ..core.batched_sweep import backward_batched
from ..core.lift import is_lifted
from ..core.positions import decode, here
from ..core.state import pop, push, state
from ..core.tensor import Tensor, new_tensor, raw, settled
from ..core.tree import flatten, tree_map
from ..errors import DTypeError, ShapeError, three_part
from ..tape.sweeping import check_aliases, check_support
from .batching import vmap
from .forward import jvp, outward
from .reverse import _Call, _check_callable, _check_scalar, _pair, _positions, _run, grad

_MODES = ("auto", "forward", "reverse")


def jacobian(
    function: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    *,
    mode: str = "auto",
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """A function that returns all derivatives of a function of arrays.

    Parameters
    ----------
    function : callable
        Returns an array or a tree of arrays, or `(result, aux)` with `has_aux`.
    argnums : int or sequence of int
        The positional arguments to differentiate with respect to; each may be a tree.
    has_aux : bool
        The Jacobian function then returns `(jacobian, aux)`.
    mode : {"auto", "forward", "reverse"}
        "forward" takes a tangent for each input number, "reverse" a cotangent for each output
        number; "auto" takes whichever are fewer, and backwards where they are as many.
    chunk_size : int, optional
        How many directions to take at once; by default all.

    Returns
    -------
    callable
        Takes the arguments of `function`. For each output leaf (in the structure of the result)
        the derivative with respect to each input leaf (in that of the argument, in a tuple for
        several argnums), of shape `output.shape + input.shape` and the input's dtype. For
        complex numbers: of holomorphic functions the complex derivative.

    Raises
    ------
    ShapeError
        If `mode` or `chunk_size` are not as above.
    DTypeError
        If an argument or result has no derivative, or a real result depends on complex numbers
        (use `gt.vjp` or `gt.jvp`, which say along what).

    Examples
    --------
    >>> import numpy as np, gradtape as gt
    >>> gt.jacobian(lambda x: x**2)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """
    _check_callable("jacobian", function)
    _check_options(mode, chunk_size)
    name = f"jacobian of {getattr(function, '__name__', 'function')}"

    @functools.wraps(function)
    def matrix(*args: Any, **kwargs: Any) -> Any:
        if mode == "forward":
            return _forward(function, args, kwargs, argnums, has_aux, chunk_size, name)
        out, call = _run(function, args, kwargs, argnums, "jacobian")
        aux = None
        if has_aux:
            out, aux = _pair(name, out)
            aux = tree_map(call.outward, aux)
        leaves, rebuild = flatten(out)
        _check_results(name, leaves, call)
        leaves = [x if hasattr(x, "dtype") else np.asarray(x)[()] for x in leaves]
        inputs = sum(s.size for s in call.sources)
        outputs = sum(int(np.size(raw(o))) for o in leaves)
        if mode == "auto" and inputs < outputs:
            del call
            return _forward(function, args, kwargs, argnums, has_aux, chunk_size, name)
        rows = _reverse(call, leaves, chunk_size)
        found = rebuild([call.rebuild(row) for row in rows])
        return (found, aux) if has_aux else found

    return matrix


def _check_options(mode: Any, chunk_size: Any) -> None:
    if mode not in _MODES:
        raise ShapeError(
            three_part(
                f"jacobian: mode={mode!r}.",
                f"Asked for at {decode(*here(3))}.",
                'Write mode="forward", mode="reverse" or mode="auto".',
            )
        )
    if chunk_size is not None and not (hasattr(chunk_size, "__index__") and chunk_size > 0):
        raise ShapeError(
            three_part(
                f"jacobian: chunk_size={chunk_size!r}.",
                f"Asked for at {decode(*here(3))}; it is how many directions are taken at once.",
                "Write a positive integer, chunk_size=64, or leave it out.",
            )
        )


def _check_results(name: str, leaves: list[Any], call: _Call) -> None:
    for leaf in leaves:
        dtype = getattr(leaf, "dtype", None)
        if dtype is None:
            dtype = np.asarray(leaf).dtype if not isinstance(leaf, str | None) else np.dtype(object)
        if dtype.kind not in "fc":
            raise DTypeError(
                three_part(
                    f"{name}: a result is {dtype}, which has no derivative.",
                    f"Called at {decode(*here(3))}.",
                    "Return floating arrays: x.astype(float); with has_aux=True what is beside "
                    "them.",
                )
            )
        if dtype.kind != "c" and any(s.dtype.kind == "c" for s in call.sources):
            raise DTypeError(
                three_part(
                    f"{name}: a real result of complex numbers has no complex derivative.",
                    f"Called at {decode(*here(3))}.",
                    "Use gt.grad for a real number, gt.jvp or gt.vjp along a direction; or pass "
                    "real and imaginary parts.",
                )
            )


def _reverse(call: _Call, leaves: list[Any], chunk_size: int | None) -> list[list[Any]]:
    """For each output leaf, the derivative with respect to each source."""
    nested = bool(state.tapes) or call.recorder.is_lifted or state.levels > 0
    if not nested:
        if call.recorder.aliases:
            check_aliases(call.recorder)
        if call.recorder.has_unsupported:
            keys = {o.key for o in leaves if isinstance(o, Tensor)}
            check_support(call.recorder, keys, {s.key for s in call.sources})
    rows = []
    for leaf in leaves:
        shape, dtype = np.shape(leaf), raw(leaf).dtype
        n = prod(shape)
        step = n if chunk_size is None else int(chunk_size)
        parts = []
        for start in range(0, max(n, 1), max(step, 1)):
            stop = min(start + max(step, 1), n)
            cts = identity(shape, dtype, start, stop)
            parts.append(_pulled(call, leaf, cts, nested))
        found = []
        for i, s in enumerate(call.sources):
            blocks = [part[i] for part in parts]
            whole = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
            if dtype.kind == "c":
                whole = np.conjugate(whole)
            found.append(np.reshape(whole, (*shape, *s.shape)))
        rows.append([call.outward(x) if isinstance(x, Tensor) else _out(x, call) for x in found])
    return rows


def _out(x: Any, call: _Call) -> Any:
    value = settled(np.asarray(x))
    return value if call.plain and not state.tapes else new_tensor(value)


def _pulled(call: _Call, leaf: Any, cts: Any, nested: bool) -> list[Any]:
    size = cts.rows if type(cts) is Bands else len(cts)
    if not nested:
        sources = call.sources
        found = backward_batched(call.recorder, leaf, cts, sources)
        events.publish("rows", recorder=call.recorder, target=leaf, sources=sources, results=found)
        return [
            np.zeros((size, *s.shape), native(s.dtype)) if g is None else g
            for s, g in zip(sources, found, strict=True)
        ]
    if not size:
        return [np.zeros((0, *s.shape), native(s.dtype)) for s in call.sources]
    if type(cts) is Bands and not state.levels and not call.recorder.is_lifted:
        return call.pull_bands(leaf, cts)
    cts = full(cts)
    single = _Call(call.recorder, call.sources, list, False)
    pulled: list[Any] = vmap(lambda ct: single.pull([leaf], [ct], consume=False))(cts)
    return pulled


def _forward(
    function: Any, args: Any, kwargs: Any, argnums: Any, has_aux: bool, chunk_size: Any, name: str
) -> Any:
    chosen = _positions(argnums, len(args), name)
    leaves, rebuild = flatten([args[n] for n in chosen])
    _check_inputs(name, leaves)
    plain = not any(isinstance(x, Tensor) for x in flatten([list(args), kwargs])[0])
    aux: Any = None

    def along(*tangents: Any) -> Any:
        nonlocal aux

        def moved(*primals: Any) -> Any:
            new = list(args)
            for n, part in zip(chosen, rebuild(list(primals)), strict=True):
                new[n] = part
            return function(*new, **kwargs)

        found = jvp(moved, leaves, list(tangents), has_aux=has_aux)
        if has_aux:
            aux = found[2]
        outs, again = flatten(found[1])
        return {"outs": outs, "rebuild": again}

    again: Any = None
    columns: list[list[Any]] = []  # for each input leaf, the derivative of each output leaf
    for i, x in enumerate(leaves):
        shape = np.shape(x)
        dtype = native(raw(x).dtype if hasattr(x, "dtype") else np.dtype(float))
        n = int(np.prod(shape))
        step = n if chunk_size is None else int(chunk_size)
        blocks = []
        for start in range(0, max(n, 1), max(step, 1)):
            stop = min(start + max(step, 1), n)
            ts = np.zeros((stop - start, n), dtype)
            np.fill_diagonal(ts[:, start:stop], 1)
            ts = ts.reshape((stop - start, *shape))

            def one(t: Any, i: int = i) -> Any:
                nonlocal again
                tangents = [None] * len(leaves)
                tangents[i] = t
                found = along(*tangents)
                again = found["rebuild"]
                return found["outs"]

            blocks.append(vmap(one)(ts))
        outs = [b[0] if len(b) == 1 else np.concatenate(b) for b in zip(*blocks, strict=True)]
        outs = [o if o.dtype == dtype or o.dtype.kind == "c" else o.astype(dtype) for o in outs]
        columns.append(
            [np.reshape(np.moveaxis(o, 0, -1), (*np.shape(o)[1:], *shape)) for o in outs]
        )
    rows = []
    for parts in zip(*columns, strict=True):
        trees = rebuild([outward(p, plain) for p in parts])
        rows.append(trees[0] if hasattr(argnums, "__index__") else tuple(trees))
    found = again(rows)
    return (found, aux) if has_aux else found


def _check_inputs(name: str, leaves: list[Any]) -> None:
    for x in leaves:
        dtype = x.dtype if hasattr(x, "dtype") else np.asarray(x).dtype
        if dtype.kind not in "fc":
            raise DTypeError(
                three_part(
                    f"{name}: an argument is {dtype}, which has no derivative.",
                    f"It was passed at {decode(*here(4))}.",
                    "Pass a float: 1.0 in place of 1, x.astype(float); or choose other argnums.",
                )
            )


def hessian(
    function: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    *,
    mode: str = "reverse",
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """A function that returns all second derivatives of a scalar function.

    Parameters
    ----------
    function : callable
        Returns a real scalar.
    argnums : int or sequence of int
        The positional arguments; each may be a tree.
    mode : {"reverse", "forward"}
        How the gradient is differentiated.
    chunk_size : int, optional
        How many columns to compute at once; by default all.

    Returns
    -------
    callable
        Takes the arguments of `function`; for each pair of input leaves an array of shape
        `first.shape + second.shape`, in the structure of the argument twice.

    Raises
    ------
    ShapeError, DTypeError
        As `gt.grad` and `gt.jacobian`.

    Examples
    --------
    >>> import numpy as np, gradtape as gt
    >>> gt.hessian(lambda x: np.sum(x**3) + x[0] * x[1])(np.array([1.0, 2.0]))
    array([[ 6.,  1.],
           [ 1., 12.]])
    """
    _check_callable("hessian", function)
    general = jacobian(grad(function, argnums), argnums, mode=mode, chunk_size=chunk_size)
    if mode == "forward":
        return general

    @functools.wraps(function)
    def matrix(*args: Any, **kwargs: Any) -> Any:
        if state.tapes or state.levels or mode == "auto":
            return general(*args, **kwargs)
        # One recorder for both derivatives: the operations of the gradient follow those of the
        # function, as on a persistent tape. Two would each record everything, and the slow way.
        out, call = _run(function, args, kwargs, argnums, "grad")
        _check_scalar(getattr(function, "__name__", "function"), out)
        if call.recorder.is_general:
            return general(*args, **kwargs)
        push(call.recorder)
        try:
            gradient = call.pull([out], None, consume=False)
        finally:
            pop(call.recorder)
        leaves, rebuild = flatten(gradient)
        _check_results(f"hessian of {getattr(function, '__name__', 'function')}", leaves, call)
        return rebuild([call.rebuild(row) for row in _reverse(call, leaves, chunk_size)])

    return matrix


def hvp(function: Callable[..., Any], primals: Any, tangents: Any) -> Any:
    """The Hessian of a scalar function times a direction, without the Hessian.

    Parameters
    ----------
    function : callable
        Returns a real scalar.
    primals, tangents : tuple or list
        All arguments, and the direction in the same structure and shapes.

    Returns
    -------
    tree
        The product, in the structure of the argument; a tuple of them for several.

    Raises
    ------
    ShapeError, DTypeError
        As `gt.grad` and `gt.jvp`.

    Notes
    -----
    Forward over reverse, at a small multiple of the cost of a gradient: Pearlmutter, *Fast exact
    multiplication by the Hessian*, Neural Computation 6 (1994).

    Examples
    --------
    >>> import numpy as np, gradtape as gt
    >>> gt.hvp(lambda x: np.sum(x**3), (np.array([1.0, 2.0]),), (np.array([1.0, 0.0]),))
    array([6., 0.])
    """
    _check_callable("hvp", function)
    argnums: Any = 0 if len(primals) == 1 else tuple(range(len(primals)))
    return jvp(grad(function, argnums), primals, tangents)[1]


def hessian_diag(
    function: Callable[..., Any], argnums: int | Sequence[int] = 0, *, chunk_size: int | None = None
) -> Callable[..., Any]:
    """A function that returns the diagonal of the Hessian, each entry exact.

    Parameters
    ----------
    function : callable
        Returns a real scalar.
    argnums : int or sequence of int
        The positional arguments; each may be a tree.
    chunk_size : int, optional
        How many entries to compute at once; by default all. An entry costs a product with the
        Hessian, and all of them at once the memory of the Hessian.

    Returns
    -------
    callable
        Takes the arguments of `function`; second derivatives in the structure and shapes of the
        argument.

    Examples
    --------
    >>> import numpy as np, gradtape as gt
    >>> gt.hessian_diag(lambda x: np.sum(x**3) + x[0] * x[1])(np.array([1.0, 2.0]))
    array([ 6., 12.])
    """
    _check_callable("hessian_diag", function)
    _check_options("auto", chunk_size)
    name = f"hessian_diag of {getattr(function, '__name__', 'function')}"

    @functools.wraps(function)
    def diagonal(*args: Any, **kwargs: Any) -> Any:
        chosen = _positions(argnums, len(args), name)
        leaves, rebuild = flatten([args[n] for n in chosen])
        _check_inputs(name, leaves)

        def of_leaves(*xs: Any) -> Any:
            new = list(args)
            for n, part in zip(chosen, rebuild(list(xs)), strict=True):
                new[n] = part
            return function(*new, **kwargs)

        found = []
        for i, x in enumerate(leaves):
            g = grad(of_leaves, i)

            def entry(t: Any, i: int = i, g: Any = g) -> Any:
                ts = [t if j == i else None for j in range(len(leaves))]
                return np.sum(jvp(g, leaves, ts)[1] * t)

            shape = np.shape(x)
            n = int(np.prod(shape))
            step = n if chunk_size is None else int(chunk_size)
            parts = []
            for start in range(0, n, max(step, 1)):
                stop = min(start + max(step, 1), n)
                ts = np.eye(n, dtype=native(np.dtype(getattr(x, "dtype", float))))[start:stop]
                parts.append(vmap(entry)(ts.reshape((stop - start, *shape))))
            whole = np.zeros(shape) if not parts else np.reshape(np.concatenate(parts), shape)
            found.append(whole if isinstance(whole, Tensor) or is_lifted(whole) else whole[()])
        trees = rebuild(found)
        return trees[0] if hasattr(argnums, "__index__") else tuple(trees)

    return diagonal
