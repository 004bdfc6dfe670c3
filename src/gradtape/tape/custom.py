"""Gradients by the user's own rule, and values taken off the tape on purpose.

The file is long, because a rule has to hold in every way in which its function can be called: on
tapes, while a function is traced, inside `jvp` and `vmap`, with tapes inside of these or around.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np

from ..core.aval import aval_of, is_differentiable
from ..core.cards import Card
from ..core.cotangents import accumulate
from ..core.dispatch import ITEM
from ..core.exits import meant, muted, note_capture
from ..core.lift import Batch, Dual, is_lifted
from ..core.operands import blunted, why_of
from ..core.positions import decode, here, user_frame
from ..core.products import beware
from ..core.registry import CARDS, HOOKS
from ..core.state import (
    AVALS,
    CARD,
    CODE,
    KEYS,
    LASTI,
    OUT,
    RESIDUALS,
    Recorder,
    below,
    next_key,
    paused,
    pop,
    push,
    state,
)
from ..core.sweep import backward, is_recorded, run_item
from ..core.symbol import is_traced
from ..core.tensor import Tensor, new_tensor, new_traced, raw, settled
from ..core.tree import flatten, tree_map
from ..core.variable import Variable
from ..errors import DTypeError, ShapeError, three_part

_NUMBERS = (Tensor, np.ndarray, np.number, np.bool_, int, float, complex)


def stop_gradient(x: Any) -> Any:
    """`x` as a constant: the same value, through which no gradient passes.

    Parameters
    ----------
    x : Tensor, array_like, or a tree of them

    Returns
    -------
    Tensor, or a tree of them
        The gradient through it is None, and nothing warns: it is meant.

    Examples
    --------
    >>> import gradtape as gt
    >>> x = gt.Variable(3.0)
    >>> with gt.GradientTape() as tape:
    ...     y = x * gt.stop_gradient(x)
    >>> tape.gradient(y, x)
    Tensor(3., shape=(), dtype=float64)
    """
    position = here()

    def stop(leaf: Any) -> Any:
        if isinstance(leaf, Tensor):
            value = leaf.value if isinstance(leaf, Variable) else leaf.read()
            if state.tapes and is_traced(value := raw(leaf)):
                value = value.cut()
            why = ("stop_gradient", *position, leaf.key, None) if leaf.key else blunted(leaf.why)
            return new_traced(value, 0, why)
        return Tensor(leaf) if isinstance(leaf, _NUMBERS) else leaf

    return tree_map(stop, x)


def value(x: Any) -> Any:
    """The plain NumPy value of `x`, for looking at: not an exit, even on a strict tape.

    Parameters
    ----------
    x : Tensor, or a tree of them
        Leaves that are no Tensors come back as they are.

    Returns
    -------
    numpy.ndarray (read-only), numpy.generic, or a tree of them

    Examples
    --------
    >>> import gradtape as gt
    >>> with gt.GradientTape(strict=True) as tape:
    ...     x = tape.watch(2.0)
    ...     print(f"{gt.value(x * x):.1f}")
    4.0
    """

    def take(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf
        meant(leaf)
        return leaf._readonly()

    return tree_map(take, x)


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
            known = CARDS.get(name)
            # without `f`: the skeleton keeps the card, and must not keep the user's closure
            card = Card(name, "custom", _call, -1)
            if known is None:  # a rule of the user's is not a card of ours
                del CARDS[name]
            else:
                CARDS[name] = known
        self._card = card
        functools.update_wrapper(self, f)

    def __get__(self, owner: Any, cls: Any = None) -> Any:
        return self if owner is None else _Custom(self._f.__get__(owner, cls), self._card)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return _call(self._f, self._card, args, kwargs)


class _Rule:
    """What the backward sweep needs: freed with the record's residuals."""

    __slots__ = ("grad_fn", "inputs", "out", "variables")

    def __init__(self, grad_fn: Any, inputs: int, variables: list[Variable]) -> None:
        self.grad_fn = grad_fn
        self.inputs = inputs
        self.variables = variables
        self.out: Any = None  # the aval of the only output


def _call(f: Any, card: Card, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    inputs = [leaf for leaf in flatten(list(args))[0] if isinstance(leaf, _NUMBERS)]
    if state.tapes and state.tapes[0].is_trace:
        return _call_traced(f, card, args, kwargs, inputs)
    if state.levels and any(map(is_lifted, inputs)):
        level = HOOKS["innermost"](inputs)
        if level.size is None:
            return _call_dual(level, f, card, args, kwargs)
        if any(t.level < level.stamp for t in state.tapes) or any(
            isinstance(x := raw(leaf), Batch) and x.level is level and is_lifted(x.inner)
            for leaf in inputs
        ):
            return _call_batch(level, f, card, args, kwargs)
    if not state.tapes:
        return tree_map(_as_tensor, _checked(card, f(*args, **kwargs))[0])
    for x in inputs:
        if isinstance(x, Tensor):
            x.read()  # watches a Variable that f may never read itself
    starts = [(tape, len(tape.ops)) for tape in state.tapes]
    stamp = next_key()
    probe = Recorder()  # sees which Variables are read
    push(probe)
    try:
        with muted():
            result = f(*args, **kwargs)
    finally:
        pop(probe)
    y, grad_fn = _checked(card, result)
    found = [v for v in probe.leaves.values() if not any(v is x for x in inputs)]
    variables = sorted(found, key=lambda v: v.order)
    if variables and not _takes_variables(grad_fn):
        raise _no_variables(card, variables)
    rule = _Rule(grad_fn, len(inputs), variables)
    return _record(card, rule, inputs, y, starts, stamp)


def _call_traced(f: Any, card: Card, args: Any, kwargs: Any, inputs: list[Any]) -> Any:
    """The call while a function is traced: one node, which holds `f` and its rule as graphs."""
    leaves, rebuild = flatten(list(args))
    moves = [i for i, leaf in enumerate(leaves) if isinstance(leaf, _NUMBERS)]
    frame = user_frame()
    rec = [None, card, 0, frame.f_code, frame.f_lasti]
    build: Any = None

    def call(xs: Any) -> tuple[Any, Any]:
        new = list(leaves)
        for i, x in zip(moves, xs, strict=True):
            new[i] = x
        with muted():
            return _checked(card, f(*rebuild(new), **kwargs))

    def forward(*xs: Any) -> list[Any]:
        nonlocal build
        found, again = flatten(call(xs)[0])
        at = [i for i, leaf in enumerate(found) if isinstance(leaf, _NUMBERS)]

        def build(values: Any) -> Any:
            for i, value in zip(at, values, strict=True):
                found[i] = value
            return again(found)

        return [found[i] for i in at]

    def backward(xs: list[Any], cts: list[Any], variables: list[Variable]) -> list[Any]:
        grad_fn = call(xs)[1]
        if variables:
            if not _takes_variables(grad_fn):
                raise _no_variables(card, variables)
            result = grad_fn(*cts, variables=list(variables))
            found = _leaves(result[0]) if _is_pair(result) else []
            of_variables = _leaves(result[1]) if _is_pair(result) else []
            _check_count(rec, "variable gradients", len(variables), len(of_variables))
        else:
            found, of_variables = _leaves(grad_fn(*cts)), []
        _check_count(rec, "gradients", len(xs), len(found))
        for i, g in enumerate(found):
            if g is not None:
                _check_shape(rec, i, g, aval_of(raw(xs[i])))
        return [*found, *of_variables]

    stamp = next_key()
    trace: Any = state.tapes[0]
    found, made, used = trace.custom(card.name, forward, backward, inputs, pushed_by)
    for tape in state.tapes:
        keys = [(x.key, stamp) for x in used if x.key in tape.tracked]
        if keys:
            out = next(r[OUT] for r in reversed(tape.ops) if r[CARD] is made)
            note_capture(tape, frame, keys, out)
    return build(found)


def pushed_by(grad_fn: Any, avals: Any, tangents: Any) -> list[Any]:
    """Tangents of the results by the rule of the cotangents, transposed."""
    return _transposed(grad_fn, avals, tangents, ())


def _checked(card: Card, result: Any) -> tuple[Any, Any]:
    if type(result) in (tuple, list) and len(result) == 2 and callable(result[1]):
        return result[0], result[1]
    raise DTypeError(
        three_part(
            f"custom_gradient: {card.name} returned {type(result).__name__}, not (y, grad_fn).",
            f"It was called at {decode(*here())}.",
            "Return the result and a function: return y, grad_fn.",
        )
    )


def _no_variables(card: Card, variables: list[Variable]) -> DTypeError:
    names = ", ".join(repr(v.name) for v in variables)
    return DTypeError(
        three_part(
            f"custom_gradient: grad_fn of {card.name} must accept keyword argument "
            f"'variables', since function uses variables: {names}.",
            f"It was called at {decode(*here(3))}.",
            "Write def grad_fn(*cts, variables): ... return gradients, variable_gradients; or "
            "pass the Variables as arguments.",
        )
    )


def _takes_variables(grad_fn: Any) -> bool:
    try:
        parameters = inspect.signature(grad_fn).parameters.values()
    except (TypeError, ValueError):  # a builtin that does not tell
        return True
    return any(
        p.kind is p.VAR_KEYWORD or (p.name == "variables" and p.kind is not p.POSITIONAL_ONLY)
        for p in parameters
    )


def _as_tensor(leaf: Any) -> Any:
    if isinstance(leaf, Variable):
        return new_tensor(leaf.value)
    return leaf if isinstance(leaf, Tensor) or not isinstance(leaf, _NUMBERS) else Tensor(leaf)


def _record(
    card: Card,
    rule: _Rule,
    inputs: list[Any],
    y: Any,
    starts: list[tuple[Recorder, int]],
    stamp: int,
) -> Any:
    """The outputs with keys of their own, and one record on every tape that follows an input."""
    leaves, rebuild = flatten(y)
    at = [i for i, leaf in enumerate(leaves) if isinstance(leaf, _NUMBERS)]
    values = [raw(leaves[i]) for i in at]
    values = [v if is_traced(v) or is_lifted(v) else settled(np.asarray(v)) for v in values]
    operands = [*inputs, *rule.variables]
    keys = [x.key if isinstance(x, Tensor) else 0 for x in operands]
    avals = tuple(aval_of(x.value if isinstance(x, Variable) else raw(x)) for x in operands)
    frame = user_frame()
    kk = next_key()
    items = (
        tuple(next_key() if is_differentiable(v.dtype) else 0 for v in values)
        if len(values) != 1
        else ()
    )
    if len(values) == 1:
        rule.out = aval_of(values[0])
    outs = items or (kk if values and is_differentiable(values[0].dtype) else 0,)
    followed = False
    for tape, start in starts:
        captured = _captured(tape, start, stamp, keys)
        signed = tuple(k if k in tape.tracked else -k for k in keys)
        if not captured and not any(k > 0 for k in signed):
            continue
        followed = True
        out_avals = tuple(map(aval_of, values)) if items else None
        tape.record(
            [run_custom, card, kk, frame.f_code, frame.f_lasti, signed, items, avals, {},
             rule, None, out_avals]
        )  # fmt: skip
        for i, key in enumerate(items):
            if key:
                tape.record(
                    [run_item, ITEM, key, frame.f_code, frame.f_lasti, kk, 0, i, len(items),
                     None, None, None]
                )  # fmt: skip
        tape.tracked.update(key for key in outs if key)
        if captured:
            note_capture(tape, frame, captured, kk)
    why = None if followed else why_of([x for x in operands if isinstance(x, Tensor)])
    for i, item, key in zip(at, values, outs, strict=False):
        leaves[i] = new_traced(item, key if followed else 0, why)
    return rebuild(leaves)


def _captured(tape: Recorder, start: int, stamp: int, keys: list[int]) -> list[tuple[int, int]]:
    """Keys older than the call that the operations inside it read, and that are no inputs."""
    found: dict[int, tuple[int, int]] = {}
    for rec in tape.ops[start:]:
        ks = rec[KEYS] if type(rec[KEYS]) is tuple else rec[5:7]
        for k in ks:
            if 0 < k < stamp and k not in keys:
                found[k] = (k, stamp)
    return list(found.values())


def run_custom(rec: list[Any], g: Any, grads: dict[int, Any]) -> None:
    """Backward by the user's rule; on Tensors in either kind of sweep."""
    rule: _Rule = rec[RESIDUALS]
    if rec[11] is None:
        g = [g]
    cts = [
        ct if isinstance(ct, Tensor) else new_tensor(_zeros(rec[11][i]) if ct is None else ct)
        for i, ct in enumerate(g)
    ]
    if rule.variables:
        result = rule.grad_fn(*cts, variables=list(rule.variables))
        found = _leaves(result[0]) if _is_pair(result) else []
        of_variables = _leaves(result[1]) if _is_pair(result) else []
        _check_count(rec, "variable gradients", len(rule.variables), len(of_variables))
    else:
        found, of_variables = _leaves(rule.grad_fn(*cts)), []
    _check_count(rec, "gradients", rule.inputs, len(found))
    recorded = bool(state.tapes) or any(isinstance(ct, Tensor) for ct in g)
    for i, (k, gi) in enumerate(zip(rec[KEYS], [*found, *of_variables], strict=True)):
        if gi is None:
            continue
        aval = rec[AVALS][i]
        _check_shape(rec, i, gi, aval)
        if k <= 0:
            continue
        if np.iscomplexobj(raw(gi)) and aval.dtype.kind != "c":
            gi = np.real(gi)
        if recorded:
            gi = gi if isinstance(gi, Tensor) else Tensor(gi)
            grads[k] = gi if grads.get(k) is None else grads[k] + gi
        else:
            accumulate(grads, k, settled(np.array(raw(gi))))
    beware()  # the user's rule may be a choice


def _call_dual(level: Any, f: Any, card: Card, args: Any, kwargs: Any) -> Any:
    """The call inside `jvp`: the rule of the cotangents, transposed, is that of the tangents."""
    leaves, rebuild = flatten(list(args))
    tangents: list[Any] = []
    for i, leaf in enumerate(leaves):
        if not isinstance(leaf, _NUMBERS):
            continue
        held = raw(leaf)
        if isinstance(held, Dual) and held.level is level:
            leaves[i] = new_traced(held.primal) if is_lifted(held.primal) else held.primal
            leaves[i] = leaves[i] if isinstance(leaves[i], Tensor) else new_tensor(leaves[i])
            tangents.append(held.tangent)
        else:
            tangents.append(None)
    with below(level.stamp):
        kept: list[Any] = []

        def keeping(*xs: Any, **options: Any) -> Any:
            y, grad_fn = _checked(card, f(*xs, **options))
            kept.append(grad_fn)
            return y, grad_fn

        y = _call(keeping, card, tuple(rebuild(leaves)), kwargs)
        outs, again = flatten(y)
        avals = [aval_of(raw(o)) for o in outs]
        moved = _transposed(kept[-1], avals, tangents, ())
    duals = []
    for out, aval, t in zip(outs, avals, moved, strict=True):
        if not is_differentiable(aval.dtype):
            duals.append(out)
            continue
        held = out if state.tapes or is_lifted(out) else raw(out)
        t = _zeros(aval) if t is None else t
        duals.append(new_traced(Dual(level, held, t), next_key()))
    return _recorded_inside(level, f, card, args, kwargs, again(duals))


def _recorded_inside(level: Any, f: Any, card: Card, args: Any, kwargs: Any, y: Any) -> Any:
    """`y` with a record on the tapes inside the level that follow an input.

    These play the rule on lifts, so that its own derivative is taken.
    """
    newer = [t for t in state.tapes if t.level > level.stamp]
    inputs = [leaf for leaf in flatten(list(args))[0] if isinstance(leaf, _NUMBERS)]
    if not any(isinstance(x, Tensor) and x.key in t.tracked for t in newer for x in inputs):
        return y
    starts = [(tape, len(tape.ops)) for tape in newer]
    with paused(), muted():
        rule = _Rule(_checked(card, f(*args, **kwargs))[1], len(inputs), [])
    for tape in newer:
        tape.is_lifted = True
    return _record(card, rule, inputs, y, starts, next_key())


def _call_batch(level: Any, f: Any, card: Card, args: Any, kwargs: Any) -> Any:
    """The call inside `vmap`, where something around follows the batch: one of all examples."""
    leaves, rebuild = flatten(list(args))
    moves = [i for i, leaf in enumerate(leaves) if isinstance(leaf, _NUMBERS)]
    batched = [
        isinstance(held := raw(leaves[i]), Batch) and held.level is level for i in moves
    ]  # fmt: skip
    inner = [
        _inside(leaves[i]) if mark else leaves[i] for i, mark in zip(moves, batched, strict=True)
    ]
    build: Any = None

    def lift(x: Any) -> Any:
        return new_traced(Batch(level, x), next_key())

    def every(*xs: Any) -> Any:
        nonlocal build
        new = list(leaves)
        for i, x, mark in zip(moves, xs, batched, strict=True):
            new[i] = lift(x) if mark else x
        y, grad_fn = _checked(card, f(*rebuild(new), **kwargs))
        outs, again = flatten(y)
        at = [i for i, out in enumerate(outs) if isinstance(out, _NUMBERS)]

        def build(found: Any) -> Any:
            for i, out in zip(at, found, strict=True):
                outs[i] = new_traced(Batch(level, out), next_key())
            return again(outs)

        def rule(*cts: Any, variables: Any = ()) -> Any:
            options = {"variables": variables} if variables else {}
            with nullcontext() if level.active else level:  # the sweep may come after the call
                result = grad_fn(*map(lift, cts), **options)
                if not variables:
                    return _gathered(level, _leaves(result), batched)
                first, second = result
                of_variables = _gathered(level, _leaves(second), [False] * len(variables))
                return _gathered(level, _leaves(first), batched), of_variables

        return [_in_front(level, outs[i]) for i in at], rule

    with below(level.stamp):
        found = _call(every, card, tuple(inner), {})
    return _recorded_inside(level, f, card, args, kwargs, build(found))


def _inside(x: Any) -> Any:
    held = raw(x).inner
    return held if isinstance(held, Tensor) else new_traced(held)


def _in_front(level: Any, x: Any) -> Any:
    """A result of all examples, repeated where it is the same for each."""
    held = raw(x)
    if isinstance(held, Batch) and held.level is level:
        return _inside(x)
    function: Any = np.broadcast_to
    return function(x, (level.size, *np.shape(held)))


def _gathered(level: Any, gradients: Any, batched: Any) -> list[Any]:
    """The gradients of all examples; of an input that all share, their sum."""
    found: list[Any] = []
    for g, mark in zip(gradients, batched, strict=False):
        whole = None if g is None else _in_front(level, g)
        found.append(whole if mark or whole is None else np.sum(whole, axis=0))
    return [*found, *gradients[len(found) :]]  # one too many is told by the check of their number


def pushed(rec: list[Any], tangents: Any) -> Any:
    """The tangent of a record's result (a tuple for several) by the user's rule, transposed."""
    rule: _Rule = rec[RESIDUALS]
    avals = rec[11]
    if avals is None:
        # the one output has the shape that the rule takes; known to the record's Tensor alone
        avals = [rule.out]
    n = rule.inputs
    found = _transposed(rule.grad_fn, avals, tangents[:n], tangents[n:], rule.variables)
    found = [_zeros(a) if t is None else t for t, a in zip(found, avals, strict=True)]
    return found[0] if rec[11] is None else tuple(found)


def _transposed(
    grad_fn: Any, avals: Any, tangents: Any, of_variables: Any, variables: Any = ()
) -> list[Any]:
    """grad_fn is linear in the cotangents: what it pairs with `tangents` is paired with these."""
    recorder = Recorder(auto_watch=False)
    cts = [new_tensor(_zeros(aval), next_key()) for aval in avals]
    recorder.tracked.update(ct.key for ct in cts)
    push(recorder)
    try:
        if variables:
            first, second = grad_fn(*cts, variables=list(variables))
            gradients = [*_leaves(first), *_leaves(second)]
            moves = [*tangents, *of_variables]
        else:
            gradients, moves = _leaves(grad_fn(*cts)), tangents
        total: Any = None
        for g, t in zip(gradients, moves, strict=False):
            if g is None or t is None:
                continue
            part = np.sum(np.real(np.conjugate(g) * t) if np.iscomplexobj(raw(g)) else g * t)
            total = part if total is None else total + part
    finally:
        pop(recorder)
    if not isinstance(total, Tensor) or total.key not in recorder.tracked:
        return [None] * len(cts)
    recorded = is_recorded(recorder) or is_lifted(total)
    one = np.ones((), total.dtype)[()]
    grads: dict[int, Any] = {total.key: new_tensor(one) if recorded else one}
    backward(recorder, grads, {ct.key for ct in cts}, False)
    return [grads.get(ct.key) for ct in cts]


def _zeros(aval: Any) -> Any:
    return settled(np.zeros(aval.shape, aval.dtype))


def _is_pair(result: Any) -> bool:
    return type(result) in (tuple, list) and len(result) == 2


def _leaves(grads: Any) -> list[Any]:
    return flatten(list(grads) if isinstance(grads, tuple | list) else [grads])[0]


def _check_count(rec: list[Any], what: str, expected: int, given: int) -> None:
    if given != expected:
        raise ShapeError(
            three_part(
                f"custom_gradient function expected to return {expected} {what}, but returned "
                f"{given} instead.",
                f"It is the grad_fn of {rec[CARD].name}, called at "
                f"{decode(rec[CODE], rec[LASTI])}.",
                "Return one for each, None where there is none; with Variables return "
                "(gradients, variable_gradients).",
            )
        )


def _check_shape(rec: list[Any], i: int, gi: Any, aval: Any) -> None:
    if np.shape(raw(gi)) != aval.shape:
        raise ShapeError(
            three_part(
                f"custom_gradient: gradient {i} has shape {np.shape(raw(gi))}, its input "
                f"{aval.shape}.",
                f"It is from the grad_fn of {rec[CARD].name}, called at "
                f"{decode(rec[CODE], rec[LASTI])}.",
                f"Return it in the shape of the input {aval.shape}; sum over what was broadcast.",
            )
        )
