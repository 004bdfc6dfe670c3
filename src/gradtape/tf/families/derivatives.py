"""Tangents, and the user's own rules: forward accumulators, custom and recomputed gradients."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ...core import tensor as core
from ...core.state import next_key, state
from ...core.tree import tree_map
from ...errors import GradtapeError
from ...tape import accumulator as native_forward
from ...tape import custom as native_custom
from ...tape import recompute as native_recompute
from ...tape import tape as native_tape
from ..base.errors import RefusedType
from ..base.names import export
from ..base.promotion import bare, natural
from ..base.tapes import UnconnectedGradients, native_tree, plain, shown_tree
from ..base.tensors import Tensor, adopt
from ..base.variables import Held, Variable
from ..base.wording import spoken, worded


@export("autodiff.ForwardAccumulator")
class ForwardAccumulator(native_forward.ForwardAccumulator):
    """Derivatives in one direction beside the values; see `gradtape.ForwardAccumulator`.

    Unlike TensorFlow, the shapes of the tangents are checked.
    """

    __slots__ = ()

    def __init__(self, primals: Any, tangents: Any) -> None:
        known: dict[int, Any] = {}
        with spoken():
            super().__init__(_keyed(primals, known), tree_map(plain, tangents))

    def jvp(
        self, primals: Any, unconnected_gradients: Any = UnconnectedGradients.NONE
    ) -> Any:
        """The tangents of `primals`, in their structure."""
        return shown_tree(super().jvp(native_tree(primals, {}), unconnected_gradients))


def _keyed(tree: Any, known: dict[int, Any]) -> Any:
    """As `native_tree`, of tensors that are given a key, by which they are known later."""

    def key(leaf: Any) -> Any:
        if isinstance(leaf, Tensor) and not leaf.key:
            leaf.key = next_key()
        return leaf

    tree_map(key, tree)
    return native_tree(tree, known)


# ----------------------------------------------------------------------- the user's own rules


@export("custom_gradient")
def custom_gradient(f: Callable[..., Any] | None = None) -> Any:
    """A decorator for functions that bring their own gradient: `f(*args) -> (y, grad_fn)`.

    Unlike TensorFlow, a gradient of a wrong shape is refused.
    """
    return custom_gradient if f is None else _Custom(f)


@export("recompute_grad")
def recompute_grad(f: Callable[..., Any]) -> Callable[..., Any]:
    """`f`, whose values in between the gradient computes again."""
    return _by_native(f, native_recompute.recompute_grad)


@export("grad_pass_through")
def grad_pass_through(f: Callable[..., Any]) -> Callable[..., Any]:
    """`f`, whose gradient is that of the identity."""
    return _by_native(f, native_recompute.grad_pass_through)


def _by_native(f: Callable[..., Any], transform: Any) -> Callable[..., Any]:
    """`f` of the dialect's tensors under a transform of the core's."""

    @functools.wraps(f)
    def inner(*given: Any, **options: Any) -> Any:
        return tree_map(_inner, f(*tree_map(_outer, list(given)), **options))

    transformed = transform(inner)

    @functools.wraps(f)
    def outer(*args: Any, **kwargs: Any) -> Any:
        return adopt(transformed(*(tree_map(_operand, arg) for arg in args), **kwargs))

    return outer


class _Custom:
    """A function with its own gradient; as a method it binds like a function."""

    def __init__(self, f: Callable[..., Any]) -> None:
        self._f = f
        functools.update_wrapper(self, f)

    def __get__(self, owner: Any, cls: Any = None) -> Any:
        return self if owner is None else _Custom(self._f.__get__(owner, cls))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        f = self._f

        @functools.wraps(f)
        def inner(*given: Any, **options: Any) -> Any:
            result = f(*tree_map(_outer, list(given)), **options)
            if not (isinstance(result, tuple | list) and len(result) == 2 and callable(result[1])):
                return result
            y, grad_fn = result
            return tree_map(_inner, y), _rule(grad_fn)

        operands = [tree_map(_operand, arg) for arg in args]
        try:
            if not state.tapes:  # the rule is checked all the same
                with native_tape.GradientTape():
                    return adopt(native_custom.custom_gradient(inner)(*operands, **kwargs))
            return adopt(native_custom.custom_gradient(inner)(*operands, **kwargs))
        except TypeError as error:
            raise _as_tensorflow(error) from None


def _as_tensorflow(error: TypeError) -> TypeError:
    grad_fn = "custom_gradient: grad_fn of "
    if str(error).startswith(grad_fn):
        return RefusedType(str(error).replace(grad_fn, "@tf.custom_gradient grad_fn of "))
    if isinstance(error, GradtapeError) and len(error.args) == 1:
        error.args = (worded(str(error)),)
    return error


def _rule(grad_fn: Any) -> Any:
    @functools.wraps(grad_fn)
    def rule(*cts: Any, **options: Any) -> Any:
        if "variables" in options:
            options["variables"] = [
                v.shown() if isinstance(v, Held) else v for v in options["variables"]
            ]
        return tree_map(_inner, grad_fn(*map(_outer, cts), **options))

    return rule


def _operand(leaf: Any) -> Any:
    """An argument as the core's `custom_gradient` follows it."""
    if isinstance(leaf, Variable):
        return leaf.held
    if callable(leaf) or leaf is None or isinstance(leaf, str | bytes):
        return leaf
    return bare(leaf)


def _outer(leaf: Any) -> Any:
    """What the user's function gets."""
    if isinstance(leaf, Held):
        return leaf.shown()
    return natural(leaf) if isinstance(leaf, core.Tensor) else leaf


def _inner(leaf: Any) -> Any:
    return bare(leaf) if isinstance(leaf, core.Tensor | Variable) else leaf
