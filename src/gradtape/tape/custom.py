"""Gradients by the user's own rule, and values taken off the tape on purpose."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.aval import aval_of, is_differentiable
from ..core.cards import Card
from ..core.cotangents import accumulate
from ..core.dispatch import ITEM
from ..core.exits import meant, muted, note_capture
from ..core.lift import Dual, is_lifted
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
    RESIDUALS,
    Recorder,
    below,
    next_key,
    pop,
    push,
    state,
)
from ..core.sweep import backward, is_recorded, run_item
from ..core.symbol import is_traced
from ..core.tensor import Tensor, new_tensor, new_traced, raw, settled
from ..core.tree import flatten, tree_map
from ..core.variable import Variable
from ..errors import DTypeError, ShapeError, UnsupportedOperationError, three_part

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
    if state.levels and any(map(is_lifted, inputs)):
        level = HOOKS["innermost"](inputs)
        if level.size is None:
            return _call_dual(level, f, card, args, kwargs)
    if not state.tapes:
        return tree_map(_as_tensor, _checked(card, f(*args, **kwargs))[0])
    for x in inputs:
        if isinstance(x, Tensor):
            x.read()  # watches a Variable that f may never read itself
    starts = [(tape, len(tape.ops)) for tape in state.tapes]
    if state.tapes[0].is_trace:
        state.tapes[0].is_opaque = here()  # type: ignore[attr-defined]
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
        names = ", ".join(repr(v.name) for v in variables)
        raise DTypeError(
            three_part(
                f"custom_gradient: grad_fn of {card.name} must accept keyword argument "
                f"'variables', since function uses variables: {names}.",
                f"It was called at {decode(*here())}.",
                "Write def grad_fn(*cts, variables): ... return gradients, variable_gradients; or "
                "pass the Variables as arguments.",
            )
        )
    rule = _Rule(grad_fn, len(inputs), variables)
    return _record(card, rule, inputs, y, starts, stamp)


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
    newer = [t for t in state.tapes if t.level > level.stamp]
    if any(x.key in t.tracked for t in newer for x in flatten(list(args))[0]
           if isinstance(x, Tensor)):  # fmt: skip
        raise UnsupportedOperationError(
            three_part(
                f"{level.name}: {card.name}, which has a gradient of its own, on a tape inside.",
                f"It was called at {decode(*here())}.",
                "Take the derivative of the gradient in reverse: gt.grad of gt.grad, or a second "
                "tape; or give the function its tangents with @gt.custom_jvp.",
            )
        )
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
    return again(duals)


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
