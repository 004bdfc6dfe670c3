"""Values computed again when the gradient needs them, and gradients that pass a function by."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.aval import INEXACT, aval_of
from ..core.console import silent
from ..core.positions import decode, here
from ..core.registry import HOOKS
from ..core.state import Recorder, only, state
from ..core.streams import replayed
from ..core.tensor import Tensor, raw
from ..core.tree import flatten, tree_map
from ..errors import DTypeError, ShapeError, three_part
from .custom import as_tensor, custom_gradient, own_version
from .leaving import NUMBERS
from .sieve import Sieve
from .sweeping import zeros
from .tape import GradientTape


class _Lifted(Exception):
    """Inside `jvp` or `vmap`, a function takes something from around it."""


def recompute_grad(f: Callable[..., Any]) -> Callable[..., Any]:
    """`f`, whose values in between are not kept: the gradient computes them again.

    Parameters
    ----------
    f : callable
        A function of arrays, Tensors or trees, that gives the same result when it is called
        again; it may read Variables and Tensors from around it, and draw from `gt.random`, which
        then gives the same numbers again. Keyword arguments have no gradient.

    Returns
    -------
    callable
        The same values and derivatives of any order, for the memory of the arguments and the
        time of one more call for each gradient; in compiled functions too. Not where `jvp` or
        `vmap` is around a tape and `f` reads a Tensor from around it: there everything is kept.

    Raises
    ------
    DTypeError
        If `f` is no function.

    Notes
    -----
    What `f` writes into a Tensor that it is given stays inside: its caller's is left alone.

    Griewank, *Achieving logarithmic growth of temporal and spatial complexity in reverse
    automatic differentiation*, Optimization Methods and Software 1 (1992).

    Examples
    --------
    >>> import numpy as np, gradtape as gt
    >>> block = gt.checkpoint(lambda x: np.sin(np.sin(np.sin(x))))
    >>> bool(np.isclose(gt.grad(block)(0.5), gt.grad(lambda x: np.sin(np.sin(np.sin(x))))(0.5)))
    True
    """
    _check_callable("checkpoint", f)

    @functools.wraps(f)
    def recomputed(*args: Any, **kwargs: Any) -> Any:
        if not state.tapes:  # nothing is kept
            return tree_map(as_tensor, f(*tree_map(own_version, args), **kwargs))
        leaves, rebuild = flatten(list(args))
        # anything else is a constant: an integer or a truth value may decide what is computed
        moves = [i for i, x in enumerate(leaves) if isinstance(x, Tensor) or _is_smooth(x)]

        def call(xs: Any) -> Any:
            new = list(leaves)
            for i, x in zip(moves, xs, strict=True):
                new[i] = x
            return f(*rebuild(new), **kwargs)

        def run(*xs: Any) -> Any:
            sieve = Sieve()
            tapes, draws = state.tapes, replayed()
            is_strict = any(t.strict for t in tapes)
            kind: Any = next((type(t) for t in tapes if t.worded is not str), Recorder)
            own_tape = _tape_of(kind)
            with only((*(t for t in tapes if t.is_trace), sieve)), draws:
                out = call(list(map(own_version, xs)))  # the rule begins with what they are now
            captured = sieve.found(tapes)
            if captured and state.levels:
                raise _Lifted(draws)
            for leaf in sieve.leaves.values():
                if isinstance(leaf, Tensor):
                    for tape in tapes:  # these see the read that they would have seen
                        leaf.read_by(tape)  # type: ignore[attr-defined]

            def grad_fn(*cts: Any, variables: Any = ()) -> Any:
                trace: Any = state.tapes[0] if state.tapes else None
                if trace is not None and trace.is_trace:
                    trace.postpone(variables, cts)
                own = [_own(x, cts) for x in xs]
                with own_tape(watch_accessed_variables=False, strict=is_strict) as tape:
                    fresh = [tape.watch(x) if _is_smooth(x) else x for x in own]
                    for v in variables:
                        tape.watch(v)
                    with draws, silent():  # the same random numbers, and no second print
                        again = call(fresh)
                outs = [o for o in flatten(again)[0] if isinstance(o, NUMBERS)]
                at = [i for i, x in enumerate(fresh) if _is_smooth(x)]
                sources = [*(fresh[i] for i in at), *variables]
                found = _gradients(tape, outs, sources, list(cts))
                given: list[Any] = [None] * len(fresh)
                for i, g in zip(at, found, strict=False):
                    given[i] = g
                return (given, found[len(at) :]) if variables else given

            grad_fn.captured = captured  # type: ignore[attr-defined]
            return out, grad_fn

        run.__name__ = getattr(f, "__name__", "function")
        run.has_captured = True  # type: ignore[attr-defined]
        try:
            return custom_gradient(run)(*(leaves[i] for i in moves))
        except _Lifted as lifted:  # recorded as it is: right, but everything is kept
            with lifted.args[0], silent():
                return tree_map(as_tensor, f(*args, **kwargs))

    return recomputed


@functools.cache
def _tape_of(kind: type[Recorder]) -> type[GradientTape]:
    """The class of a tape that says what it has to say in the words of another's recorder."""
    return type("GradientTape", (GradientTape,), {"__slots__": (), "_recorder_class": kind})


def _gradients(tape: GradientTape, outs: Any, sources: Any, cts: Any) -> list[Any]:
    """Zeros where nothing leads to a source; a path that broke on the way there is told."""
    moving = [(o, ct) for o, ct in zip(outs, cts, strict=True) if isinstance(o, Tensor)]
    found: Any = [None] * len(sources)
    if moving:  # a plain result is a constant, or a value that left
        targets, given = map(list, zip(*moving, strict=True))
        found = tape.gradient(targets, sources, given, unconnected_gradients="none")
    missing = [g is None for g in found]
    recorder = tape._recorder
    if any(missing) and recorder is not None:
        from .reasons import warn_lost

        lost = [x for x, is_missing in zip(sources, missing, strict=True) if is_missing]
        warn_lost(recorder, list(map(as_tensor, outs)), lost, [True] * len(lost))
    return [zeros(x) if g is None else g for x, g in zip(sources, found, strict=True)]


def _is_smooth(x: Any) -> bool:
    return isinstance(x, NUMBERS) and aval_of(raw(x)).dtype.char in INEXACT


def _own(x: Any, cts: Sequence[Any]) -> Any:
    """`x` as a Tensor of its own, which stays connected to where it comes from.

    In a program it is there when the cotangents `cts` are, and not before.
    """
    if not isinstance(x, Tensor) or x.dtype.char not in INEXACT:
        return x
    own: Any = np.positive(HOOKS["behind"](x, cts) if "behind" in HOOKS else x)
    own.why = x.why  # that no tape saw this call is no news
    return own


def grad_pass_through(f: Callable[..., Any]) -> Callable[..., Any]:
    """`f`, whose gradient is that of the identity: a straight-through estimator.

    Parameters
    ----------
    f : callable
        Of one argument, with a result of its shape. Variables that it reads get no gradient.

    Returns
    -------
    callable

    Raises
    ------
    DTypeError
        If `f` is no function.
    ShapeError
        When the gradient is taken, if the result has another shape than the argument.

    Notes
    -----
    Bengio, Léonard and Courville, *Estimating or propagating gradients through stochastic
    neurons* (2013), section 3.

    Examples
    --------
    >>> import numpy as np, gradtape as gt
    >>> float(gt.grad(lambda x: gt.grad_pass_through(np.round)(x) * 2.0)(0.7))
    2.0
    """
    _check_callable("grad_pass_through", f)

    @functools.wraps(f)
    def passed(*args: Any, **kwargs: Any) -> Any:
        called = here()

        @custom_gradient
        def run(*xs: Any) -> Any:
            def grad_fn(*cts: Any, variables: Any = None) -> Any:
                if len(cts) == len(xs) == 1 and np.shape(raw(cts[0])) != np.shape(raw(xs[0])):
                    raise ShapeError(
                        three_part(
                            f"grad_pass_through: the argument has shape {np.shape(raw(xs[0]))}, "
                            f"the result {np.shape(raw(cts[0]))}.",
                            f"It was called at {decode(*called)}; the gradient of the one is that "
                            "of the other.",
                            "Pass a function that keeps the shape, and reduce or cut its result.",
                        )
                    )
                found = cts[0] if len(cts) == 1 else list(cts)
                return (found, [None] * len(variables)) if variables else found

            return f(*xs, **kwargs), grad_fn

        run.__name__ = getattr(f, "__name__", "function")
        return run(*args)

    return passed


def _check_callable(operation: str, f: Any) -> None:
    if not callable(f):
        raise DTypeError(
            three_part(
                f"{operation}: {f!r:.60} is no function.",
                f"It was passed at {decode(*here(3))}.",
                f"Pass the function and not its value: gt.{operation}(f)(x).",
            )
        )
