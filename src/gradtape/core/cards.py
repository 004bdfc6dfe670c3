"""Cards: an op is one record with its implementation and all its rules, made by a constructor.

Read this file first if you want to add an op. Five constructors exist; each derives what
mathematics allows from what the author writes:

`elementwise`        one local partial per operand
`linear`             shape, transpose, batching
`primitive`          each rule that it needs
`composite`          a NumPy body that is made of other ops
`nondifferentiable`  the reason, in one sentence

Rules are written in plain NumPy. The same rule runs on arrays, on Tensors (then it is recorded,
which gives higher derivatives) and, later, on symbols (then it is compiled).

The words: `out` is the result, `ct` a cotangent (shaped like `out`), `t` a tangent (shaped like
its operand), `params` the keyword arguments after normalisation. An operand whose value a card
does not keep arrives in its vjp rules as an `Aval`, which has `.shape`, `.ndim`, `.size` and
`.dtype` alone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from .aval import BFLOAT16, Aval, broadcast_shapes, make_aval, weak_result_type
from .card import VALUES, Card, Rule, reads, select
from .dispatch import apply
from .install import (
    install_composite,
    install_elementwise,
    install_function,
    install_nondifferentiable,
)
from .registry import CARDS, HOOKS
from .rows import has_nan
from .squares import square_sum
from .symbol import is_finite_number, is_nonzero, is_traced
from .tensor import Tensor

__all__ = ["Card", "align_batch", "broadcast_ct", "composite", "elementwise", "linear",
           "nondifferentiable", "primitive", "select", "unbroadcast"]  # fmt: skip


# ------------------------------------------------------------------------------ constructors


def elementwise(
    ufunc: Any,
    *partials: Any,
    name: str | None = None,
    impl: Rule | None = None,
    outputs: int = 1,
    drops: bool = False,
) -> Card:
    """A card for a function applied to each element, with broadcasting.

    Parameters
    ----------
    ufunc : numpy.ufunc or callable
        The function; a ufunc is registered, so that `ufunc(tensor)` reaches this card.
    *partials : callable, str, int or None
        One per operand: the local derivative as a function of `(out, x)` or `(out, x, y)`, or one
        of the names "out", "x", "y" where it is that value, or a number, or 0 for a derivative
        that is zero, or None where the operand cannot be differentiated (an integer exponent).
        **An argument that the partial does not read is named with a leading underscore**: the
        tape then does not keep it. Each partial is a number times the cotangent, or a boolean
        mask that selects it; functions that are not so (`abs`, `conj` of complex numbers) are
        `primitive`.
    impl : callable, optional
        A faster formula that agrees with the ufunc to 2 ulp.
    drops : bool
        Whether the result can be a number where an operand is NaN, as with `fmax`.

    Examples
    --------
    `elementwise(np.sin, lambda _out, x: np.cos(x))`
    """
    label = name or ufunc.__name__
    card = Card(label, "elementwise", impl or ufunc, len(partials))
    card.partials = partials
    card.outputs, card.drops = outputs, drops
    needs = [reads(p) for p in partials]
    card.keep_out = any(0 in r for r in needs)
    card.keep = {i: tuple(j - 1 for j in r if j) for i, r in enumerate(needs)}
    card.vjps = tuple(
        None if p is None else _elementwise_vjp(card, i) for i, p in enumerate(partials)
    )
    card.jvps = tuple(
        None if p is None else _elementwise_jvp(card, i) for i, p in enumerate(partials)
    )
    card.shape_rule = _elementwise_shape(ufunc, outputs)
    card.batch_rule = _elementwise_batch(card)
    install_elementwise(card, ufunc)
    return card


def linear(
    function: Any,
    *,
    shape: Rule,
    transpose: Any,
    batch: Rule,
    name: str | None = None,
    impl: Rule | None = None,
    arity: int = 1,
    signature: Rule | None = None,
    keep: tuple[int, ...] = (),
    unview: Rule | None = None,
    jvp: Any = None,
    outputs: int = 1,
    drops: bool = False,
) -> Card:
    """A card for a map that is linear in its operands taken together (`reshape`, `concatenate`).

    Parameters
    ----------
    function : callable
        The NumPy function; calls with a Tensor reach this card.
    shape : callable
        `shape(*avals, **params) -> Aval`.
    transpose : callable or tuple
        `transpose(ct, *operands, **params)`, one per operand, or for any number of operands one
        function `transpose(i, ct, *operands, **params)`. Operands arrive as avals unless kept.
    batch : callable
        `batch(size, operands, axes, **params) -> (out, out_axis)`.
    arity : int
        Number of operands, -1 for any number.
    signature : callable, optional
        Takes the arguments of the NumPy function and returns `(operands, params)`; by default the
        first `arity` arguments are the operands.
    unview : callable, optional
        Where the result is a view: `unview(base, new, **params)` gives the base with the view's
        part replaced by `new`.
    drops : bool
        Whether entries of the operand are missing in the result.
    """
    card = Card(name or function.__name__, "linear", impl or function, arity)
    card.keep, card.keep_out, card.outputs, card.unview = keep, False, outputs, unview
    card.shape_rule, card.batch_rule, card.drops = shape, batch, drops
    if isinstance(transpose, tuple) or arity == 1:
        rules = transpose if isinstance(transpose, tuple) else (transpose,)
        card.vjps = tuple(None if r is None else _drop_out(r) for r in rules)
    else:
        card.vjps = lambda i, ct, _out, *operands, **params: transpose(i, ct, *operands, **params)
    card.jvps = jvp if jvp is not None else _linear_jvp(card)
    _install(card, function, signature)
    return card


def primitive(
    function: Any,
    *,
    vjp: Any,
    jvp: Any,
    shape: Rule,
    batch: Rule,
    name: str | None = None,
    impl: Rule | None = None,
    arity: int = 1,
    signature: Rule | None = None,
    keep: tuple[int, ...] | dict[int, tuple[int, ...]] | None = None,
    keep_out: bool = True,
    outputs: int = 1,
    add_into: Rule | None = None,
    drops: Any = False,
    rows: Any = None,
) -> Card:
    """A card whose rules are all written by hand.

    `vjp` is a tuple of `(ct, out, *operands, **params)`, one per operand (None where it has no
    derivative), or one function `(i, ct, out, *operands, **params)`; `jvp` likewise with the
    tangent `t` in place of `ct`. With `outputs` > 1, `out` and `ct` are tuples (a cotangent that
    does not exist arrives as zeros) and jvp returns a tuple. `keep` lists the operands whose
    values the vjp needs (None: all; a dict: see `Card`), `keep_out` whether it needs `out`.
    `drops` and `rows` say what a cotangent of exactly 0 needs to win over NaN: see `Card`.
    """
    card = Card(name or function.__name__, "primitive", impl or function, arity)
    card.keep, card.keep_out, card.outputs = keep, keep_out, outputs
    card.vjps = (vjp,) if callable(vjp) and arity == 1 else vjp
    card.jvps = (jvp,) if callable(jvp) and arity == 1 else jvp
    card.shape_rule, card.batch_rule, card.add_into = shape, batch, add_into
    card.drops, card.rows = drops, rows
    _install(card, function, signature)
    return card


def composite(*functions: Any, name: str | None = None) -> Callable[[Rule], Rule]:
    """Register a NumPy body made of other ops; everything is derived by running it.

    The body has the signature of the NumPy function. It receives the user's arguments as they
    are, Tensors among them.

    Examples
    --------
    `@composite(np.trapezoid)` above `def trapezoid(y, x=None, dx=1.0, axis=-1): ...`
    """
    def decorate(body: Rule) -> Rule:
        card = Card(name or body.__name__, "composite", body, -1)
        operation: Rule = install_composite(card, functions, body)
        return operation

    return decorate


def nondifferentiable(
    function: Any, reason: str, *, name: str | None = None, impl: Rule | None = None
) -> Card:
    """A card for an op without a derivative; its results say `reason` when asked for one.

    `function` is a ufunc or a NumPy function; `reason` is a sentence such as "argmax returns an
    index, which changes in jumps."
    """
    card = Card(name or function.__name__, "nondifferentiable", impl or function, -1)
    card.reason = reason
    install_nondifferentiable(card, function)
    return card


# --------------------------------------------------------------------------- derived rules


def unbroadcast(ct: Any, shape: tuple[int, ...]) -> Any:
    """Sum `ct` over the axes that broadcasting added, so that it has `shape`."""
    given = _shape(ct)
    if given == shape:
        return ct
    extra = len(given) - len(shape)
    axes = tuple(range(extra)) + tuple(
        i + extra for i, n in enumerate(shape) if n == 1 and given[i + extra] != 1
    )
    if not axes:
        return np.reshape(ct, shape)
    if ct.dtype.char == BFLOAT16:  # NumPy would add in 8 bits
        return np.reshape(np.sum(ct.astype(np.float32), axis=axes).astype(ct.dtype), shape)
    return np.reshape(np.sum(ct, axis=axes), shape)


def broadcast_ct(ct: Any, shape: tuple[int, ...]) -> Any:
    """`ct` broadcast to `shape` (a `ct` of an operation with `where=` can be smaller)."""
    return ct if _shape(ct) == shape else np.broadcast_to(ct, shape)


def _shape(x: Any) -> Any:
    """`np.shape(x)`, which for a Tensor costs as much as a small operation."""
    try:
        return x.shape
    except AttributeError:
        return np.shape(x)


def mask_singular(product: Any, ct: Any) -> Any:
    """0 where the cotangent is exactly 0, if there is a NaN in the product."""
    if is_traced(product):
        return product if is_nonzero(ct) else HOOKS["op:guard"](product, ct)
    value = getattr(product, "value", product)
    if type(value) is np.ndarray and value.ndim == 1 and value.flags.c_contiguous:
        total = square_sum(value)  # `has_nan`, cut short for what is usual
        if total == total:
            return product
    if not has_nan(product):
        return product
    return np.where(_is_idle(product, ct), np.zeros_like(product), product)


def _times_partial(card: Card, i: int, t: Any, out: Any, operands: Any, conjugate: bool) -> Any:
    partial = card.partials[i]
    if isinstance(partial, str):
        p = (out, *operands)[VALUES.index(partial)]
    elif callable(partial):
        p = partial(out, *operands)
    else:
        if partial == 0:
            return np.zeros_like(t)
        return t if partial == 1 else -t if partial == -1 else t * partial
    kind = p.dtype.kind if hasattr(p, "dtype") else np.result_type(p).kind
    if kind == "b":  # a choice: what is not chosen stays out, infinite or not
        return select(t, p)
    if conjugate and kind == "c":
        p = np.conjugate(p)
    product = t * p
    if is_traced(product) and is_finite_number(p):
        return product  # no NaN can come of it
    return mask_singular(product, t)


def _elementwise_vjp(card: Card, i: int) -> Rule:
    def vjp(ct: Any, out: Any, *operands: Any, where: Any = True, **_: Any) -> Any:
        ct = _times_partial(card, i, ct, out, operands, True)
        if where is not True:
            ct = np.where(where, ct, np.zeros_like(ct))
        return unbroadcast(ct, _shape(operands[i]))

    return vjp


def _elementwise_jvp(card: Card, i: int) -> Rule:
    def jvp(t: Any, out: Any, *operands: Any, where: Any = True, **_: Any) -> Any:
        t = _times_partial(card, i, broadcast_ct(t, _shape(out)), out, operands, False)
        return t if where is True else np.where(where, t, np.zeros_like(t))

    return jvp


def _elementwise_shape(ufunc: Any, outputs: int) -> Rule:
    @cache
    def resolved(kinds: tuple[Any, ...], dtype: Any) -> tuple[Any, ...]:
        if all(isinstance(k, type) for k in kinds):  # resolve_dtypes wants one strong type
            kinds = tuple(np.dtype(k) for k in kinds)
        options: dict[str, Any] = {}
        if dtype is not None:
            options["signature"] = (None,) * ufunc.nin + (np.dtype(dtype),) * ufunc.nout
        dtypes = ufunc.resolve_dtypes((*kinds, *(None,) * ufunc.nout), **options)
        return tuple(dtypes[ufunc.nin :])

    def shape(*avals: Any, where: Any = True, dtype: Any = None, **_: Any) -> Any:
        shapes = {a.shape for a in avals}
        if where is not True:
            shapes.add(np.shape(where))
        dims = shapes.pop() if len(shapes) == 1 else broadcast_shapes(*shapes)
        if isinstance(ufunc, np.ufunc):
            kinds = tuple(
                _WEAK.get(a.dtype.kind, a.dtype) if a.weak else a.dtype for a in avals
            )
            results = [make_aval(dims, d) for d in resolved(kinds, dtype)]
        else:
            results = [Aval(dims, weak_result_type(*avals))] * outputs
        return tuple(results) if outputs > 1 else results[0]

    return shape


_WEAK = {"i": int, "f": float, "c": complex}


def align_batch(operands: Any, axes: Any) -> list[Any]:
    """Operands with the batch axis first, padded so that the logical axes broadcast together."""
    ndims = [np.ndim(x) - (axis is not None) for x, axis in zip(operands, axes, strict=True)]
    rank = max(ndims)
    aligned = []
    for x, axis, ndim in zip(operands, axes, ndims, strict=True):
        if axis is None:
            aligned.append(x)
            continue
        if axis:
            x = np.moveaxis(x, axis, 0)
        if ndim < rank:
            shape = np.shape(x)
            x = np.reshape(x, (shape[0],) + (1,) * (rank - ndim) + shape[1:])
        aligned.append(x)
    return aligned


def _elementwise_batch(card: Card) -> Rule:
    def batch(_size: int, operands: Any, axes: Any, **params: Any) -> Any:
        where = params.get("where", True)
        if np.ndim(where) > max(
            np.ndim(x) - (a is not None) for x, a in zip(operands, axes, strict=True)
        ):
            rank = np.ndim(where)
            i = next(i for i, a in enumerate(axes) if a is not None)
            x = np.moveaxis(operands[i], axes[i], 0)
            shape = np.shape(x)
            x = np.reshape(x, (shape[0],) + (1,) * (rank + 1 - len(shape)) + shape[1:])
            operands = [*operands[:i], x, *operands[i + 1 :]]
            axes = [*axes[:i], 0, *axes[i + 1 :]]
        out = card.impl(*align_batch(operands, axes), **params)
        return out, (0 if card.outputs == 1 else (0,) * card.outputs)

    return batch


# What `mask_singular` gives for values that are not known: nobody can look for a NaN.
def _is_idle(product: Any, ct: Any) -> Any:
    return np.logical_and(np.isnan(product), np.equal(ct, 0))


guard = elementwise(
    None,
    # linear in the product where that is a number, a cotangent of 0 or not: `linearize` starts at 0
    lambda _out, product, ct: np.logical_not(_is_idle(product, ct)),
    None,
    name="guard",
    impl=lambda product, ct: np.where(_is_idle(product, ct), np.zeros((), product.dtype), product),
    drops=True,
)
del CARDS["guard"]  # no function of the user's, so none to be tested as one


def _drop_out(rule: Rule) -> Rule:
    return lambda ct, _out, *operands, **params: rule(ct, *operands, **params)


def _linear_jvp(card: Card) -> Any:
    if card.arity == 1:
        return (lambda t, _out, _x, **params: _again(card, (t,), params),)

    def jvp(i: int, t: Any, _out: Any, *operands: Any, **params: Any) -> Any:
        parts = [t if j == i else np.zeros(np.shape(x), t.dtype) for j, x in enumerate(operands)]
        return _again(card, tuple(parts), params)

    return jvp


def _again(card: Card, operands: tuple[Any, ...], params: dict[str, Any]) -> Any:
    """The operation itself, which its jvp is: on Tensors it is one that tapes follow."""
    if any(isinstance(x, Tensor) for x in operands):
        return apply(card, operands, params)
    return card.impl(*operands, **params)


def _install(card: Card, function: Any, signature: Rule | None) -> None:
    card.signature = signature
    install_function(card, function)


HOOKS["unbroadcast"] = unbroadcast
HOOKS["align_batch"] = align_batch
