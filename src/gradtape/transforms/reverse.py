"""Reverse mode over trees: `grad`, `value_and_grad`, `vjp`.

Each runs the function under a recorder of its own, on fresh keys: an operand that an outer tape
follows enters through an identity that the outer tape records, so that nested derivatives with
respect to the same number are never confused.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import events
from .. import ops as _ops  # fills the dispatch tables
from ..core.aval import native
from ..core.banded_sweep import backward_banded
from ..core.bands import Bands
from ..core.lift import is_lifted
from ..core.observing import Keeping
from ..core.operands import refuse_own_arithmetic
from ..core.positions import decode, here
from ..core.state import Recorder, next_key, pop, push, state
from ..core.sweep import backward, is_recorded
from ..core.tensor import Tensor, firm, new_tensor, raw, settled, twin
from ..core.tree import flatten, paths, tree_map
from ..errors import DTypeError, ShapeError, three_part
from ..tape import reasons
from ..tape.sweeping import (
    check_aliases,
    check_output_gradients,
    check_support,
    finish,
    match_output_gradients,
    release,
)

__all__ = ["grad", "value_and_grad", "vjp"]
_ = _ops


def grad(
    function: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
) -> Callable[..., Any]:
    """A function that returns the gradient of a scalar function.

    Parameters
    ----------
    function : callable
        Returns a real scalar, or `(scalar, aux)` with `has_aux`.
    argnums : int or sequence of int
        The positional arguments to differentiate with respect to; each may be a tree (dict,
        list, tuple, dataclass) of floating or complex arrays or numbers.
    has_aux : bool
        Whether `function` returns auxiliary data beside its value; the gradient function then
        returns `(gradient, aux)`.

    Returns
    -------
    callable
        Takes the arguments of `function`; gives gradients in the structure of the chosen
        argument (a tuple of them for several), as plain NumPy where the arguments were plain and
        no tape records, as Tensors otherwise. For complex arguments the gradient is the
        conjugate of the holomorphic derivative.

    Raises
    ------
    ShapeError
        If the value is not a scalar.
    DTypeError
        If an argument is an integer, or the value is not real.

    Examples
    --------
    >>> import numpy as np, gradtape as gt
    >>> gt.grad(lambda x: np.sum(x**3))(np.array([1.0, 2.0]))
    array([ 3., 12.])
    >>> bool(gt.grad(gt.grad(np.sin))(0.5) == -np.sin(0.5))
    True
    """
    _check_callable("grad", function)
    both = value_and_grad(function, argnums, has_aux)

    @functools.wraps(function)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, gradients = both(*args, **kwargs)
        return (gradients, value[1]) if has_aux else gradients

    return gradient


def value_and_grad(
    function: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
) -> Callable[..., Any]:
    """A function that returns `(value, gradient)`; with `has_aux`, `((value, aux), gradient)`.

    Arguments and errors are those of `grad`.

    Examples
    --------
    >>> import numpy as np, gradtape as gt
    >>> loss = lambda p, x: np.sum((p["w"] * x) ** 2)
    >>> value, g = gt.value_and_grad(loss)({"w": np.array(3.0)}, np.array([1.0, 2.0]))
    >>> float(value), float(g["w"])
    (45.0, 30.0)
    """
    _check_callable("value_and_grad", function)
    name = getattr(function, "__name__", "function")

    @functools.wraps(function)
    def evaluate(*args: Any, **kwargs: Any) -> Any:
        out, call = _run(function, args, kwargs, argnums, "grad")
        aux = None
        if has_aux:
            out, aux = _pair(f"grad of {name}", out)
        _check_scalar(name, out)
        gradients = call.pull([out], None, consume=True)
        value = call.outward(out)
        return ((value, tree_map(call.outward, aux)) if has_aux else value), gradients

    return evaluate


def vjp(function: Callable[..., Any], *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """The value of `function(*primals)` and the function that pulls cotangents back.

    Parameters
    ----------
    function : callable
        Returns an array or a tree of arrays, or `(result, aux)` with `has_aux`.
    *primals : array_like or tree
        All arguments; each is differentiated.

    Returns
    -------
    out, pull or out, pull, aux
        `pull(ct)` takes a cotangent (or a tree of them) of the shape and structure of `out` and
        returns a tuple with one cotangent per primal. It can be called again.

    Raises
    ------
    ShapeError
        If a cotangent does not have the shape of its output.

    Examples
    --------
    >>> import numpy as np, gradtape as gt
    >>> out, pull = gt.vjp(np.multiply, np.array([1.0, 2.0]), 3.0)
    >>> pull(np.array([1.0, 1.0]))
    (array([3., 3.]), np.float64(3.0))
    """
    _check_callable("vjp", function)
    out, call = _run(function, primals, {}, tuple(range(len(primals))), "vjp")
    aux = None
    if has_aux:
        out, aux = _pair(f"vjp of {getattr(function, '__name__', 'function')}", out)
    leaves, _ = flatten(out)
    value = tree_map(call.outward, out)

    def pull(ct: Any) -> Any:
        cts, _ = flatten(match_output_gradients(out, ct))
        return call.pull(leaves, cts, consume=False)

    return (value, pull, tree_map(call.outward, aux)) if has_aux else (value, pull)


class _Call:
    """One recorded run of a function: its recorder, its inputs, and how results leave."""

    def __init__(self, recorder: Recorder, sources: list[Tensor], rebuild: Any, plain: bool):
        self.recorder = recorder
        self.sources = sources
        self.rebuild = rebuild
        self.plain = plain

    def outward(self, x: Any) -> Any:
        """A result as the caller gets it: plain where everything was plain."""
        if not isinstance(x, Tensor):
            return x
        if not self.plain or state.tapes or is_lifted(x):
            return x
        return settled(np.array(x.read()))

    def pull(self, outs: list[Any], cts: Any, consume: bool) -> Any:
        """Gradients of the sources, in the structure of the arguments."""
        recorder = self.recorder
        recorded = is_recorded(recorder) or any(map(is_lifted, cts or ()))
        targets = [o if isinstance(o, Tensor) else new_tensor(settled(np.asarray(o))) for o in outs]
        seeds: dict[int, Any] = {}
        if cts is None:
            cts = [settled(np.ones(t.shape, native(t.dtype))) for t in targets]
        else:
            cts = check_output_gradients(targets, list(cts))
        for t, ct in zip(targets, cts, strict=True):
            if t.key and t.dtype.kind in "fc":
                if recorded:
                    ct = ct if isinstance(ct, Tensor) else new_tensor(ct)
                else:
                    ct = raw(ct)
                seeds[t.key] = ct if t.key not in seeds else seeds[t.key] + ct
        wanted = {s.key for s in self.sources}
        self.check(set(seeds))
        grads = seeds
        keeps = consume and Keeping.everything  # until the gradient has been told
        backward(recorder, grads, wanted, consume and not keeps)
        results: list[Any] = []
        for s in self.sources:
            g = grads.get(s.key)
            if g is None:
                value = s.value
                results.append(
                    self.outward(new_tensor(settled(np.zeros(value.shape, native(value.dtype)))))
                )
            else:
                results.append(self.outward(finish(g, s, recorded)))
        self.warn(targets, [grads.get(s.key) is None for s in self.sources])
        if consume and events.watchers:
            events.tell_gradient(recorder, targets, self.sources, results, here())
        if keeps:
            release(recorder)
        return self.rebuild(results)

    def pull_bands(self, out: Any, cts: Bands) -> list[Any]:
        """Cotangents of the sources for each of `cts`, which active tapes follow."""
        target = out if isinstance(out, Tensor) else new_tensor(settled(np.asarray(out)))
        found: list[Any] = [None] * len(self.sources)
        if target.key:
            self.check({target.key})
            found = backward_banded(self.recorder, target, cts, self.sources)
        self.warn([target], [g is None for g in found])
        return [
            new_tensor(np.zeros((cts.rows, *s.shape), native(s.dtype))) if g is None else g
            for g, s in zip(found, self.sources, strict=True)
        ]

    def check(self, targets: set[int]) -> None:
        """Raise where the targets' cotangents cannot be pulled back."""
        if self.recorder.aliases:
            check_aliases(self.recorder)
        if self.recorder.has_unsupported:
            check_support(self.recorder, targets, {s.key for s in self.sources})

    def warn(self, targets: list[Any], missing: list[bool]) -> None:
        """Say so where a gradient was lost on the way."""
        if self.recorder.returns or any(missing):
            reasons.warn_lost(self.recorder, targets, self.sources, missing)


def _run(
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    argnums: int | Sequence[int],
    operation: str,
) -> tuple[Any, _Call]:
    name = getattr(function, "__name__", "function")
    chosen = _positions(argnums, len(args), f"{operation} of {name}")
    recorder = Recorder()
    plain = True
    new_args = list(args)
    sources: list[Tensor] = []
    builds: dict[int, tuple[int, int, Any]] = {}
    for n in dict.fromkeys(chosen):
        leaves, rebuild = flatten(args[n])
        fresh = []
        for path, leaf in paths(args[n], f"argument {n}"):
            plain = plain and not isinstance(leaf, Tensor)
            fresh.append(_source(recorder, leaf, f"{operation} of {name}: {path}"))
        builds[n] = (len(sources), len(sources) + len(leaves), rebuild)
        sources.extend(fresh)
        # a function that writes into its argument makes a new version: not of what is asked for
        new_args[n] = rebuild([twin(x) for x in fresh])
    plain = plain and not any(isinstance(leaf, Tensor) for leaf in flatten([list(args), kwargs])[0])

    def build(results: list[Any]) -> Any:
        trees = []
        for position, n in enumerate(chosen):
            first, last, rebuild = builds[n]
            found = results[first:last]
            if n in chosen[:position]:  # asked for twice: the answers share no memory
                found = [np.copy(result)[()] for result in found]
            trees.append(rebuild(found))
        return trees[0] if hasattr(argnums, "__index__") else tuple(trees)

    push(recorder)
    try:
        out = function(*new_args, **kwargs)
    finally:
        pop(recorder)
    return out, _Call(recorder, sources, build, plain)


def _positions(argnums: Any, count: int, label: str) -> tuple[int, ...]:
    """`argnums` as positions from the front; errors for what is no position."""
    try:
        single = hasattr(argnums, "__index__")
        chosen = tuple(operator.index(n) for n in ((argnums,) if single else argnums))
    except TypeError:
        raise DTypeError(
            three_part(
                f"{label}: argnums={argnums!r} is no integer or sequence of integers.",
                "argnums counts positional arguments from 0.",
                "Pass a number, argnums=1, or several, argnums=(0, 1).",
            )
        ) from None
    for n in chosen:
        if not -count <= n < count:
            raise ShapeError(
                three_part(
                    f"{label}: argnums={argnums} for {count} arguments.",
                    "argnums counts positional arguments from 0.",
                    "Pass that argument by position, or choose another argnums.",
                )
            )
    return tuple(n % count for n in chosen)


def _source(recorder: Recorder, leaf: Any, label: str) -> Tensor:
    """`leaf` as a Tensor with a fresh key that `recorder` follows."""
    if isinstance(leaf, Tensor):
        dtype = leaf.dtype
    else:
        refuse_own_arithmetic(leaf, label)
        array = np.asarray(leaf)
        dtype = array.dtype
    if dtype.kind not in "fc":
        raise DTypeError(
            three_part(
                f"{label} is {dtype}, which has no gradient.",
                f"It was passed at {decode(*here(4))}.",
                "Pass a float: 1.0 in place of 1, x.astype(float); or choose other argnums.",
            )
        )
    if isinstance(leaf, Tensor):
        source: Any = np.positive(leaf)  # recorded by the outer tapes, not by this one
        if not isinstance(source, Tensor) or source is leaf:
            raise AssertionError("positive gives a new Tensor")
        if not source.key:
            source.key = next_key()
        source.value = firm(source.value)
    else:
        source = new_tensor(settled(np.array(array)), next_key())
    recorder.tracked.add(source.key)
    code, lasti = here(4)
    recorder.leaves[source.key] = (_dead, source.shape, dtype, code, lasti, source.key)
    return source  # type: ignore[no-any-return]


def _dead() -> None:
    """Stands where a watched Tensor's weak reference stands."""


def _check_callable(operation: str, function: Any) -> None:
    if not callable(function):
        raise DTypeError(
            three_part(
                f"{operation}: {function!r:.60} is no function.",
                f"It was passed at {decode(*here(3))}; the derivative is that of a function, and "
                "its arguments come afterwards.",
                "Pass the function and not its value: gt.grad(f)(x); or use a gt.GradientTape.",
            )
        )


def _pair(label: str, out: Any) -> tuple[Any, Any]:
    """`out` of a function with `has_aux`, if it is (value, aux)."""
    if not (isinstance(out, tuple) and len(out) == 2):
        raise DTypeError(
            three_part(
                f"{label}: has_aux=True, but the result is no pair.",
                f"The function returned {type(out).__name__}.",
                "Return (value, aux), or leave has_aux out.",
            )
        )
    return out


def _check_scalar(name: str, out: Any) -> None:
    if out is None or isinstance(out, str):  # np.shape calls both a scalar
        raise DTypeError(
            three_part(
                f"grad of {name}: the function returned {out!r}, not a number.",
                "A function without a `return` line returns None.",
                "End the function with `return loss`.",
            )
        )
    shape, dtype = np.shape(out), getattr(out, "dtype", None)
    if isinstance(out, tuple | list | dict) or shape != ():
        what = f"shape {shape}" if not isinstance(out, tuple | list | dict) else type(out).__name__
        raise ShapeError(
            three_part(
                f"grad of {name}: the function returned {what}, not a scalar.",
                "A gradient belongs to one number.",
                "Return out.sum(), or use gt.jacobian for all derivatives, gt.vjp for one "
                "weighted sum of them.",
            )
        )
    if dtype is not None and dtype.kind == "c":
        raise DTypeError(
            three_part(
                f"grad of {name}: the function returned {dtype}, not a real number.",
                "The gradient of a complex number depends on a convention.",
                "Return a real number such as np.abs(out) ** 2, or use gt.vjp with a cotangent.",
            )
        )
