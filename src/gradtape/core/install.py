"""Registration of cards in the dispatch tables; called by the constructors of `cards.py`."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from .card import Card
from .dispatch import apply, nondifferentiable_call, span, write_out
from .fast import FASTER, make_binary, make_step, make_unary
from .registry import FUNCTIONS, HOOKS, UFUNC_METHODS, UFUNCS
from .state import state
from .tensor import Tensor
from .ufunc_call import make_general


def install_elementwise(card: Card, ufunc: Any) -> None:
    """Register an elementwise card, with the fast closure where its arity has one."""
    function = FASTER.get(ufunc, card.impl)
    fast: Any
    if card.outputs == 1 and card.arity == 1:
        fast = make_unary(card, function)
    elif card.outputs == 1 and card.arity == 2:
        fast = make_binary(card, function)
    else:
        fast = None

    general = make_general(ufunc, lambda *args: apply(card, args, {}), card.outputs)
    if isinstance(ufunc, np.ufunc):
        UFUNCS[ufunc] = fast or general
        UFUNC_METHODS[ufunc, "__call__"] = general
    elif ufunc is not None:  # a NumPy function that works element by element, as np.clip
        FUNCTIONS[ufunc] = general
    HOOKS[f"op:{card.name}"] = fast or general


# What NumPy computes in its own dtype and casts to that of `out`, be it what it may.
_CASTING = frozenset((
    "sum", "prod", "max", "min", "nanmax", "nanmin", "mean", "var", "cumsum", "cumprod",
))  # fmt: skip


def install_function(card: Card, function: Any) -> None:
    """Register a card for a NumPy function, which may be called with `out=`."""
    signature, arity = card.signature, card.arity

    place = _place_of_out(function)
    casting = "unsafe" if card.name in _CASTING else "same_kind"

    def operation(*args: Any, out: Any = None, **kwargs: Any) -> Any:
        if len(args) > place:
            out, args = args[place], args[:place] + args[place + 1 :]
        if signature is not None:
            operands, params = signature(*args, **kwargs)
        else:
            operands, params = args[:arity], kwargs
            assert len(args) == arity
        for name, value in params.items():
            if isinstance(value, Tensor):
                params = {**params, name: value.read()}
        result = apply(card, operands, params)
        return result if out is None else write_out(out, result, casting)

    operation.__name__ = operation.__qualname__ = card.name
    HOOKS[f"op:{card.name}"] = operation
    if isinstance(function, np.ufunc):
        UFUNCS[function] = operation
        if function.signature is None:  # matmul and its kin take other keyword arguments
            operation = make_general(function, operation, card.outputs)
        UFUNC_METHODS[function, "__call__"] = operation
    elif function is not None:
        FUNCTIONS[function] = operation


def _place_of_out(function: Any) -> int:
    """Where `out` stands among the positional arguments of a NumPy function written in Python."""
    code = getattr(getattr(function, "_implementation", function), "__code__", None)
    names = code.co_varnames[: code.co_argcount] if code is not None else ()
    return names.index("out") if "out" in names else sys.maxsize


def install_composite(card: Card, functions: tuple[Any, ...], body: Any) -> Any:
    """Register a body; what it records carries the position of the user's call."""

    def operation(*args: Any, **kwargs: Any) -> Any:
        with span():
            if state.levels and HOOKS["holds_lift"]((args, kwargs)):
                return HOOKS["lift_composite"](card.name, body, args, kwargs)
            return body(*args, **kwargs)

    operation.__name__ = operation.__qualname__ = card.name
    operation.__doc__ = body.__doc__
    for function in functions:
        if isinstance(function, np.ufunc):
            UFUNCS[function] = operation
            UFUNC_METHODS[function, "__call__"] = operation
        else:
            FUNCTIONS[function] = operation
    return operation


def install_nondifferentiable(card: Card, function: Any) -> None:
    """Register an op whose result carries the reason why it has no gradient."""
    operation = nondifferentiable_call(card.name, card.impl)
    HOOKS[f"op:{card.name}"] = operation
    if isinstance(function, np.ufunc):
        UFUNCS[function] = make_step(card.name, function, operation)
        UFUNC_METHODS[function, "__call__"] = make_general(function, operation, function.nout)
    elif function is not None:
        FUNCTIONS[function] = operation
