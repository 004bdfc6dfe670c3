"""Gradients by the user's own rule: how a function that has one is called.

A rule has to hold in every way in which its function can be called: on tapes and while a function
is traced (here), and inside `jvp` and `vmap` (`custom_lifted.py`). What it must return, and its
record, are in `custom_rule.py`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ..core.aval import aval_of
from ..core.cards import Card
from ..core.exits import muted, note_capture
from ..core.lift import Batch, is_lifted
from ..core.positions import decode, here, user_frame
from ..core.registry import HOOKS
from ..core.state import (
    CARD,
    OUT,
    next_key,
    state,
)
from ..core.tensor import Tensor, new_tensor, raw, twin
from ..core.tree import flatten, tree_map
from ..core.variable import Variable
from ..errors import DTypeError, three_part
from .custom_lifted import call_batch, call_dual
from .custom_rule import (
    Rule,
    called,
    check_count,
    check_shape,
    checked,
    details_of,
    is_pair,
    leaves_of,
    pushed_by,
    record_of,
    takes_variables,
    with_order,
    without_variables,
)
from .leaving import NUMBERS

__all__ = ["custom_gradient"]


def custom_gradient(f: Callable[..., Any] | None = None) -> Any:
    """A decorator for functions that bring their own gradient.

    Parameters
    ----------
    f : callable
        `f(*args, **kwargs) -> (y, grad_fn)`. `y` is an array, a Tensor or a tree of them;
        `grad_fn(*cts)` takes one cotangent per output and returns one gradient per positional
        argument (per leaf, where an argument is a tree): of its shape, or None where there is
        none. If `f` reads trainable Variables that are not among its arguments, `grad_fn` must
        take `variables=` and return `(gradients, gradients_of_the_variables)`.

    Returns
    -------
    callable
        `y` of the same arguments, as Tensors. Methods and keyword arguments work; keyword
        arguments have no gradient.

    Raises
    ------
    DTypeError
        (a `TypeError`) If `f` does not return `(y, grad_fn)`, or reads Variables and `grad_fn`
        does not take `variables`.
    ShapeError
        (a `ValueError`) When the gradient is taken: if `grad_fn` returns a wrong number of
        gradients, or one of a wrong shape.

    Notes
    -----
    Operations inside `f` are recorded, so what `grad_fn` computes from them has second
    derivatives. Exits inside `f` are not noticed: the rule stands for them. A tracked Tensor that
    `f` uses without having it as an argument gets no gradient through `y`, and a warning says so.

    What `f` writes into a Tensor that it is given stays inside: its caller's is left alone.

    Unlike TensorFlow, a gradient of a wrong shape is refused.

    Examples
    --------
    A `log(1 + e**x)` whose gradient does not overflow:

    >>> import numpy as np, gradtape as gt
    >>> @gt.custom_gradient
    ... def log1pexp(x):
    ...     e = np.exp(x)
    ...     return np.log(1 + e), lambda ct: ct * (1 - 1 / (1 + e))
    >>> x = gt.Variable(100.0)
    >>> with gt.GradientTape() as tape:
    ...     y = log1pexp(x)
    >>> tape.gradient(y, x)
    Tensor(1., shape=(), dtype=float64)
    """
    if f is None:
        return custom_gradient
    if not callable(f):
        raise DTypeError(
            three_part(
                f"custom_gradient: {f!r:.60} is no function.",
                f"It was passed at {decode(*here())}.",
                "Write @gt.custom_gradient above a function that returns y, grad_fn.",
            )
        )
    return _Custom(f)


class _Custom:
    """A function with its own gradient; as a method it binds like a function."""

    def __init__(self, f: Callable[..., Any], card: Card | None = None) -> None:
        self._f = f
        if card is None:
            name = getattr(f, "__name__", type(f).__name__)
            # without `f`: the skeleton keeps the card, and must not keep the user's closure
            card = Card(name, "custom", _call, -1, False)
        self._card = card
        functools.update_wrapper(self, f)

    def __get__(self, owner: Any, cls: Any = None) -> Any:
        return self if owner is None else _Custom(self._f.__get__(owner, cls), self._card)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        f = self._f if all(isinstance(x, NUMBERS) for x in args) else with_order(self._f)
        return _call(f, self._card, args, kwargs)


def _call(f: Any, card: Card, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    inputs = [leaf for leaf in flatten(list(args))[0] if isinstance(leaf, NUMBERS)]
    if state.tapes and state.tapes[0].is_trace:
        return _call_traced(f, card, args, kwargs, inputs)
    if state.levels and any(map(is_lifted, inputs)):
        level = HOOKS["innermost"](inputs)
        if level.size is None:
            return call_dual(level, _call, f, card, args, kwargs)
        if any(t.level < level.stamp for t in state.tapes) or any(
            isinstance(x := raw(leaf), Batch) and x.level is level and is_lifted(x.inner)
            for leaf in inputs
        ):
            return call_batch(level, _call, f, card, args, kwargs)
    args = tree_map(own_version, args)  # what f writes into them is its own, as in a program
    if not state.tapes:
        return tree_map(as_tensor, checked(card, f(*args, **kwargs))[0])
    for x in inputs:
        if isinstance(x, Tensor):
            x.read()  # watches a Variable that f may never read itself
    starts = [(tape, len(tape.ops)) for tape in state.tapes]
    stamp = next_key()
    y, grad_fn, variables = called(f, card, args, kwargs, inputs)
    captured = getattr(grad_fn, "captured", ())  # Tensors that the rule has gradients of
    rule = Rule(grad_fn, len(inputs), [*variables, *captured])
    return record_of(card, rule, inputs, y, starts, stamp)


def _call_traced(f: Any, card: Card, args: Any, kwargs: Any, inputs: list[Any]) -> Any:
    """The call while a function is traced: one node, which holds `f` and its rule as graphs."""
    leaves, rebuild = flatten(list(args))
    moves = [i for i, leaf in enumerate(leaves) if isinstance(leaf, NUMBERS)]
    frame = user_frame()
    rec = [None, card, 0, frame.f_code, frame.f_lasti]
    build: Any = None

    def call(xs: Any) -> tuple[Any, Any]:
        new = list(leaves)
        for i, x in zip(moves, xs, strict=True):
            new[i] = x
        with muted():
            return checked(card, f(*rebuild(new), **kwargs))

    def forward(*xs: Any) -> list[Any]:
        nonlocal build
        found, again = flatten(call(xs)[0])
        at = [i for i, leaf in enumerate(found) if isinstance(leaf, NUMBERS)]

        def build(values: Any) -> Any:
            for i, value in zip(at, values, strict=True):
                found[i] = value
            return again(found)

        # a plain number, which a trace takes for no result, is one as it is outside of a trace
        return [raw(as_tensor(found[i])) for i in at]

    def backward(xs: list[Any], cts: list[Any], variables: list[Variable]) -> list[Any]:
        grad_fn = call(xs)[1]
        if variables:
            if not takes_variables(grad_fn):
                raise without_variables(card, variables)
            result = grad_fn(*cts, variables=list(variables))
            found = leaves_of(result[0]) if is_pair(result) else []
            of_variables = leaves_of(result[1]) if is_pair(result) else []
            check_count(rec, "variable gradients", len(variables), len(of_variables))
        else:
            found, of_variables = leaves_of(grad_fn(*cts)), []
        check_count(rec, "gradients", len(xs), len(found))
        for i, g in enumerate(found):
            if g is not None:
                check_shape(rec, i, g, aval_of(raw(xs[i])))
        return [*found, *of_variables]

    stamp = next_key()
    trace: Any = state.tapes[0]
    has_captured = getattr(f, "has_captured", False)
    static = [(i, leaf) for i, leaf in enumerate(leaves) if not isinstance(leaf, NUMBERS)]
    function = getattr(f, "without_order", f)
    owner = "self", getattr(function, "__self__", None)
    whose = (
        getattr(function, "__func__", function),
        details_of([owner, *static, *kwargs.items()]),
    )
    found, made, used = trace.custom(
        card.name, forward, backward, inputs, pushed_by, has_captured, whose
    )
    for tape in state.tapes:
        keys = [(x.key, stamp) for x in used if x.key in tape.tracked]
        if keys:
            out = next(r[OUT] for r in reversed(tape.ops) if r[CARD] is made)
            note_capture(tape, frame, keys, out)
    return build(found)


def own_version(leaf: Any) -> Any:
    """A Tensor that may be written into and leaves `leaf` as it is; Variables are themselves."""
    return twin(leaf) if isinstance(leaf, Tensor) and not isinstance(leaf, Variable) else leaf


def as_tensor(leaf: Any) -> Any:
    """A number as a Tensor, anything else as it is."""
    if isinstance(leaf, Variable):
        return new_tensor(leaf.value)
    return leaf if isinstance(leaf, Tensor) or not isinstance(leaf, NUMBERS) else Tensor(leaf)
