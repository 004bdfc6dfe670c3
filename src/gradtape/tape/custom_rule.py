"""A rule of the user's: what it must return, its record on tapes, and its transpose.

`custom.py` calls functions that have one, `custom_lifted.py` those inside `jvp` and `vmap`.
"""

from __future__ import annotations

import functools
import inspect
from typing import Any

import numpy as np

from ..core.alerts import beware
from ..core.aval import aval_of, is_differentiable
from ..core.cards import Card
from ..core.cotangents import accumulate
from ..core.dispatch import record_items
from ..core.exits import muted, note_capture
from ..core.lift import is_lifted
from ..core.operands import why_of
from ..core.positions import decode, here, user_frame
from ..core.state import (
    AVALS,
    CARD,
    CODE,
    KEYS,
    LASTI,
    RESIDUALS,
    Recorder,
    next_key,
    pop,
    push,
    state,
)
from ..core.sweep import backward, is_recorded
from ..core.symbol import is_traced
from ..core.tensor import Tensor, new_tensor, new_traced, raw, settled
from ..core.tree import flatten, in_order
from ..core.variable import Variable
from ..errors import DTypeError, ShapeError, TracingError, three_part
from .leaving import NUMBERS

__all__ = [
    "Rule", "called", "check_count", "check_shape", "checked", "details_of", "is_pair",
    "leaves_of", "moved_around", "pushed", "pushed_by", "record_of", "run_custom",
    "takes_variables", "transposed", "without_variables", "zeros_of",
]  # fmt: skip


class Rule:
    """What the backward sweep needs: freed with the record's residuals."""

    __slots__ = ("grad_fn", "inputs", "out", "variables")

    def __init__(self, grad_fn: Any, inputs: int, variables: list[Variable]) -> None:
        self.grad_fn = grad_fn
        self.inputs = inputs
        self.variables = variables
        self.out: Any = None  # the aval of the only output


def checked(card: Card, result: Any) -> tuple[Any, Any]:
    """The result and the gradient function that a user's function returned."""
    if type(result) in (tuple, list) and len(result) == 2 and callable(result[1]):
        return result[0], result[1]
    raise DTypeError(
        three_part(
            f"custom_gradient: {card.name} returned {type(result).__name__}, not (y, grad_fn).",
            f"It was called at {decode(*here())}.",
            "Return the result and a function: return y, grad_fn.",
        )
    )


def called(
    f: Any, card: Card, args: Any, kwargs: Any, inputs: list[Any]
) -> tuple[Any, Any, list[Variable]]:
    """The result, the gradient function, and the Variables that were read and are no inputs."""
    probe = Recorder()
    push(probe)
    try:
        with muted():
            result = f(*args, **kwargs)
    finally:
        pop(probe)
    y, grad_fn = checked(card, result)
    found = [v for v in probe.leaves.values() if not any(v is x for x in inputs)]
    variables = sorted(found, key=lambda v: v.order)
    if variables and not takes_variables(grad_fn):
        raise without_variables(card, variables)
    return y, grad_fn, variables


def without_variables(card: Card, variables: list[Variable]) -> DTypeError:
    """The refusal of a gradient function that does not take the Variables it must."""
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


def moved_around(operation: str, name: str) -> TracingError:
    """The refusal of a function that computes with what a level lifts, and its rule knows not."""
    return TracingError(
        three_part(
            f"{operation}: {name} computes with a value that moves, without having it as argument.",
            f"Called at {decode(*here(3))}; a jvp or vmap around it lifts a value of its closure, "
            "for which the rule says nothing.",
            "Pass the value as an argument; or cut it: gt.stop_gradient(value).",
        )
    )


def details_of(items: Any) -> tuple[Any, ...]:
    """What tells one call of a function from another, of its (name, constant) pairs."""
    known = (bool, int, float, complex, str, type(None))
    return tuple((n, type(x), x if type(x) in known else id(x)) for n, x in items)


def takes_variables(grad_fn: Any) -> bool:
    """Whether a gradient function can be given `variables=`."""
    try:
        parameters = inspect.signature(grad_fn).parameters.values()
    except (TypeError, ValueError):  # a builtin that does not tell
        return True
    return any(
        p.kind is p.VAR_KEYWORD or (p.name == "variables" and p.kind is not p.POSITIONAL_ONLY)
        for p in parameters
    )


def record_of(
    card: Card,
    rule: Rule,
    inputs: list[Any],
    y: Any,
    starts: list[tuple[Recorder, int]],
    stamp: int,
) -> Any:
    """The outputs with keys of their own, and one record on every tape that follows an input."""
    leaves, rebuild = flatten(y)
    at = [i for i, leaf in enumerate(leaves) if isinstance(leaf, NUMBERS)]
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
        tape.meet(operands)
        followed = True
        out_avals = tuple(map(aval_of, values)) if items else None
        tape.record(
            [run_custom, card, kk, frame.f_code, frame.f_lasti, signed, items, avals, {},
             rule, None, out_avals]
        )  # fmt: skip
        record_items(tape, frame, kk, items)
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
    rule: Rule = rec[RESIDUALS]
    if rec[11] is None:
        g = [g]
    cts = [
        ct if isinstance(ct, Tensor) else new_tensor(zeros_of(rec[11][i]) if ct is None else ct)
        for i, ct in enumerate(g)
    ]
    if rule.variables:
        result = rule.grad_fn(*cts, variables=list(rule.variables))
        found = leaves_of(result[0]) if is_pair(result) else []
        of_variables = leaves_of(result[1]) if is_pair(result) else []
        check_count(rec, "variable gradients", len(rule.variables), len(of_variables))
    else:
        found, of_variables = leaves_of(rule.grad_fn(*cts)), []
    check_count(rec, "gradients", rule.inputs, len(found))
    recorded = bool(state.tapes) or any(isinstance(ct, Tensor) for ct in g)
    for i, (k, gi) in enumerate(zip(rec[KEYS], [*found, *of_variables], strict=True)):
        if gi is None:
            continue
        aval = rec[AVALS][i]
        check_shape(rec, i, gi, aval)
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


def pushed_by(grad_fn: Any, avals: Any, tangents: Any) -> list[Any]:
    """Tangents of the results by the rule of the cotangents, transposed."""
    return transposed(grad_fn, avals, tangents, ())


def pushed(rec: list[Any], tangents: Any) -> Any:
    """The tangent of a record's result (a tuple for several) by the user's rule, transposed."""
    rule: Rule = rec[RESIDUALS]
    avals = rec[11]
    if avals is None:
        # the one output has the shape that the rule takes; known to the record's Tensor alone
        avals = [rule.out]
    n = rule.inputs
    found = transposed(rule.grad_fn, avals, tangents[:n], tangents[n:], rule.variables)
    found = [zeros_of(a) if t is None else t for t, a in zip(found, avals, strict=True)]
    return found[0] if rec[11] is None else tuple(found)


def transposed(
    grad_fn: Any, avals: Any, tangents: Any, of_variables: Any, variables: Any = ()
) -> list[Any]:
    """grad_fn is linear in the cotangents: what it pairs with `tangents` is paired with these."""
    recorder = Recorder(auto_watch=False)
    cts = [new_tensor(zeros_of(aval), next_key()) for aval in avals]
    recorder.tracked.update(ct.key for ct in cts)
    push(recorder)
    try:
        if variables:
            first, second = grad_fn(*cts, variables=list(variables))
            gradients = [*leaves_of(first), *leaves_of(second)]
            moves = [*tangents, *of_variables]
        else:
            gradients, moves = leaves_of(grad_fn(*cts)), tangents
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


def zeros_of(aval: Any) -> Any:
    """Zeros of an aval's shape and dtype."""
    return settled(np.zeros(aval.shape, aval.dtype))


def is_pair(result: Any) -> bool:
    """Whether a gradient function returned gradients of inputs and of Variables."""
    return type(result) in (tuple, list) and len(result) == 2


def in_order_of(grads: Any, args: tuple[Any, ...]) -> Any:
    """The gradients of `args`, those of a dict in its order."""
    given = grads if isinstance(grads, tuple | list) else (grads,)
    if len(given) != len(args):
        return grads
    return tuple([in_order(g, x) for g, x in zip(given, args, strict=True)])


def with_order(f: Any) -> Any:
    """`f`, whose gradient function gives the gradients of a dict in the dict's order."""

    def run(*args: Any, **kwargs: Any) -> Any:
        result = f(*args, **kwargs)
        if not (is_pair(result) and callable(result[1])):
            return result
        y, grad_fn = result

        @functools.wraps(grad_fn)
        def rule(*cts: Any, **options: Any) -> Any:
            grads = grad_fn(*cts, **options)
            if not options:
                return in_order_of(grads, args)
            return (in_order_of(grads[0], args), grads[1]) if is_pair(grads) else grads

        return y, rule

    run.without_order = f  # type: ignore[attr-defined]
    return run


def leaves_of(grads: Any) -> list[Any]:
    """The gradients that a gradient function returned, as a list."""
    return flatten(list(grads) if isinstance(grads, tuple | list) else [grads])[0]


def check_count(rec: list[Any], what: str, expected: int, given: int) -> None:
    """Refuse gradients that are too many or too few."""
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


def check_shape(rec: list[Any], i: int, gi: Any, aval: Any) -> None:
    """Refuse a gradient that is not shaped like its input."""
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
