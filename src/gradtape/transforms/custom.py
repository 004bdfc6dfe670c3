"""`custom_jvp`: functions that bring their own rule of forward mode."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.aval import Aval, aval_of, is_differentiable
from ..core.cards import Card
from ..core.dispatch import apply
from ..core.lift import Batch, Level, Lift, is_lifted
from ..core.lifting import lifts_in
from ..core.positions import decode, here
from ..core.state import Recorder, next_key, only, pop, push, state
from ..core.sweep import backward, is_recorded
from ..core.tensor import Tensor, new_tensor, new_traced, raw, settled
from ..errors import DTypeError, ShapeError, three_part
from ..tape.custom_rule import details_of, moved_around, pushed_by
from .reverse import _check_callable


class custom_jvp:
    """A decorator for functions that bring their own derivative of forward mode.

    Parameters
    ----------
    function : callable
        Of arrays, given by position; returns one array. Keyword arguments are constants.

    Methods
    -------
    defjvp(rule)
        `rule(primals, tangents)`, two tuples, returns `(out, tangent_of_out)` of the shape of
        the result; it must be linear in the tangents, for reverse mode transposes it.

    Raises
    ------
    DTypeError
        If no rule was defined, or it returns no pair.
    ShapeError
        If the tangent does not have the shape of the result.

    Notes
    -----
    The rule holds in both modes, under `vmap`, and in derivatives of every order.

    Examples
    --------
    >>> import numpy as np, gradtape as gt
    >>> @gt.custom_jvp
    ... def log1pexp(x):
    ...     return np.log(1 + np.exp(x))
    >>> @log1pexp.defjvp
    ... def rule(primals, tangents):
    ...     (x,), (t,) = primals, tangents
    ...     return log1pexp(x), t * (1 - 1 / (1 + np.exp(x)))
    >>> float(gt.grad(log1pexp)(0.0))
    0.5
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        _check_callable("custom_jvp", function)
        self._function = function
        self._rule: Any = None
        functools.update_wrapper(self, function)

    def __get__(self, owner: Any, cls: Any = None) -> Any:
        return self if owner is None else functools.partial(self.__call__, owner)

    def defjvp(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Define the rule; usable as a decorator."""
        _check_callable("custom_jvp", rule)
        self._rule = rule
        return rule

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        name = getattr(self._function, "__name__", "function")
        if self._rule is None:
            raise DTypeError(
                three_part(
                    f"custom_jvp: {name} has no rule.",
                    f"It was called at {decode(*here())}.",
                    f"Define it: @{name}.defjvp above def rule(primals, tangents): "
                    "return out, tangent.",
                )
            )
        if not any(isinstance(x, Tensor) for x in args):
            return self._function(*args, **kwargs)
        card = _card(name, self._function, self._rule, kwargs, len(args))
        if state.tapes and state.tapes[0].is_trace:
            return self._traced(card, args, kwargs)
        return apply(card, args, {})

    def _traced(self, card: Card, args: Any, kwargs: Any) -> Any:
        """One node, which holds the function and the transposed rule as graphs."""

        def backward(xs: list[Any], cts: list[Any], variables: list[Any]) -> list[Any]:
            found = [card.vjp(i, cts[0], None, xs, {}) for i in range(len(xs))]
            return [*found, *[None] * len(variables)]

        trace: Any = state.tapes[0]
        found, _, _ = trace.custom(
            card.name,
            lambda *xs: [self._function(*xs, **kwargs)],
            backward,
            list(args),
            pushed_by,
            False,
            (self, details_of(kwargs.items())),
        )
        return found[0]


def _card(name: str, function: Any, rule: Any, kwargs: Any, arity: int) -> Card:
    def impl(*values: Any) -> Any:
        with only(()):
            out = raw(function(*values, **kwargs))
        _check_lifts(name, out, values)
        return settled(np.asarray(out)) if not is_lifted(out) else out

    card = Card(name, "primitive", impl, arity, False)

    def tangent(values: Any, tangents: Any) -> Any:
        found = rule(tuple(values), tuple(tangents))
        if not (isinstance(found, tuple | list) and len(found) == 2):
            raise DTypeError(
                three_part(
                    f"custom_jvp: the rule of {name} returned {type(found).__name__}, no pair.",
                    f"It was called at {decode(*here())}.",
                    "Return the result and its tangent: return out, tangent.",
                )
            )
        out, t = found
        if np.shape(t) != np.shape(out):
            raise ShapeError(
                three_part(
                    f"custom_jvp: the rule of {name} gave a tangent of shape {np.shape(t)} for a "
                    f"result of shape {np.shape(out)}.",
                    f"It was called at {decode(*here())}.",
                    "Return a tangent of the shape of the result.",
                )
            )
        return t

    def jvp(i: int, t: Any, _out: Any, *values: Any) -> Any:
        return tangent(values, _alone(values, i, t))

    def vjp(i: int, ct: Any, _out: Any, *values: Any) -> Any:
        aval = aval_of(values[i])
        if not is_differentiable(aval.dtype):
            return None
        recorder = Recorder(auto_watch=False)
        moving = new_tensor(settled(np.zeros(aval.shape, aval.dtype)), next_key())
        recorder.tracked.add(moving.key)
        push(recorder)
        try:
            t = tangent(values, _alone(values, i, moving))
        finally:
            pop(recorder)
        zero = settled(np.zeros(aval.shape, aval.dtype))
        if not isinstance(t, Tensor) or t.key not in recorder.tracked:
            return zero
        recorded = is_recorded(recorder) or isinstance(ct, Tensor)
        seed = ct if not recorded or isinstance(ct, Tensor) else new_tensor(ct)
        grads: dict[int, Any] = {t.key: seed}
        backward(recorder, grads, {moving.key}, False)
        g = grads.get(moving.key)
        if g is None:
            return zero
        return np.broadcast_to(g, aval.shape) if g.shape != aval.shape else g

    def batch(size: int, operands: Any, axes: Any) -> Any:
        level = Level("vmap", size)
        with level:
            xs = [
                x if a is None else new_traced(Batch(level, np.moveaxis(x, a, 0)), next_key())
                for x, a in zip(operands, axes, strict=True)
            ]
            out = raw(function(*xs, **kwargs))
            if isinstance(out, Batch) and out.level is level:
                out = raw(out.inner)
                _check_lifts(name, out, operands)
                return out, 0
        return np.broadcast_to(out, (size, *np.shape(out))), 0

    def shape(*avals: Any) -> Any:
        zeros = [np.zeros(a.shape, a.dtype) for a in avals]
        return Aval(np.shape(impl(*zeros)), impl(*zeros).dtype)

    card.vjps, card.jvps = vjp, jvp
    card.batch_rule, card.shape_rule = batch, shape
    card.drops = True
    return card


def _check_lifts(name: str, out: Any, operands: Any) -> None:
    """Refuse a result that a level lifts which lifts no operand."""
    known = {lift.level for lift in lifts_in(tuple(operands))}
    if isinstance(out, Lift) and out.level not in known:
        raise moved_around("custom_jvp", name)


def _alone(values: Any, i: int, t: Any) -> list[Any]:
    """Tangents that are zero but for operand `i`."""
    return [
        t if j == i else settled(np.zeros(np.shape(x), aval_of(x).dtype))
        for j, x in enumerate(values)
    ]
