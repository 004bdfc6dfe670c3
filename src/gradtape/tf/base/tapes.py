"""tf.GradientTape: the tape, with TensorFlow's doors; and stopped gradients."""

from __future__ import annotations

import enum
import sys
from typing import TYPE_CHECKING, Any

from ...core import tensor as core
from ...core.positions import decode, here
from ...core.registry import HOOKS
from ...core.tree import flatten, tree_map
from ...errors import three_part
from ...tape import leaving
from ...tape import tape as native_tape
from ...tape.sweeping import broadcast
from . import numerics
from .errors import RefusedState, RefusedValue
from .names import export
from .promotion import bare
from .tensors import Tensor, Traced, adopt, make
from .variables import Held, Variable
from .wording import TensorFlowRecorder, spoken, worded

if TYPE_CHECKING:
    from ...tape.facts import Explanation


def _native_loops() -> Any:
    from ...backends.llvm.short import loops

    return loops()


HOOKS["native_loops"] = _native_loops


@export("UnconnectedGradients")
class UnconnectedGradients(enum.Enum):
    """What `gradient` gives for a source that the target does not depend on."""

    NONE = "none"
    ZERO = "zero"


_BY_DEFAULT = object()


@export("GradientTape")
class GradientTape(native_tape.GradientTape):
    """A tape with TensorFlow's signature and answers; it warns of a None and says why.

    Examples
    --------
    >>> import gradtape.tf as tf
    >>> x = tf.Variable(3.0)
    >>> with tf.GradientTape() as tape:
    ...     y = x * x
    >>> tape.gradient(y, x)
    <tf.Tensor: shape=(), dtype=float32, numpy=6.0>
    """

    __slots__ = ()
    _recorder_class = TensorFlowRecorder

    def __init__(self, persistent: bool = False, watch_accessed_variables: bool = True) -> None:
        super().__init__(persistent, watch_accessed_variables)

    def watch(self, tensor: Any) -> None:
        """Follow a tensor, a Variable, or a structure of them.

        Raises ValueError for anything else; an ndarray cannot be watched.
        """
        leaves, _ = flatten(tensor)
        for leaf in leaves:
            if isinstance(leaf, Variable | core.Tensor):
                with spoken():
                    super().watch(leaf.held if isinstance(leaf, Variable) else leaf)
            else:
                raise RefusedValue(
                    three_part(
                        f"Passed in object {leaf!r:.100} of type {type(leaf).__name__!r}, not "
                        "tf.Tensor or tf.Variable or ExtensionType.",
                        f"tape.watch was called at {decode(*here())}.",
                        "Make it a tensor first: x = tf.constant(x); tape.watch(x).",
                    )
                )

    def watched_variables(self) -> Any:
        """The Variables that the tape watches, in the order of their construction."""
        return tuple(v.shown() if isinstance(v, Held) else v for v in super().watched_variables())

    def gradient(  # type: ignore[override]  # TensorFlow's signature
        self,
        target: Any,
        sources: Any,
        output_gradients: Any = None,
        unconnected_gradients: Any = _BY_DEFAULT,
    ) -> Any:
        """The gradient of the sum of `target`, in the structure of `sources`.

        See `gradtape.GradientTape.gradient`.
        """
        frame = sys._getframe(1)
        if type(target) is list and not target:  # no target: no gradient of anything
            return tree_map(lambda _: None, sources)
        return self._differentiated(target, sources, output_gradients, unconnected_gradients, frame)

    def _gathered(
        self, recorder: Any, leaves: list[Any], targets: Any, indexed_slices: bool
    ) -> list[Any] | None:
        """Variables of which only rows were gathered get IndexedSlices without being asked."""
        noted = recorder.gathered
        if not noted:
            return None
        from ...tape.gathered import seen_by_rows

        return [
            seen_by_rows(recorder, leaf, noted[leaf.key], targets) if leaf.key in noted else None
            for leaf in leaves
        ]

    def _in_shape(self, targets: list[Any], given: Any) -> Any:
        """As TensorFlow, what broadcasts to its target, and not single numbers alone."""
        return broadcast(targets, given, True)

    def _joined(self, variable: Any, taken: Any, cts: Any) -> Any:
        from .slices import gathered

        return gathered(variable, taken, cts)

    def _differentiated(
        self, target: Any, sources: Any, output_gradients: Any, unconnected_gradients: Any,
        frame: Any,
    ) -> Any:  # fmt: skip
        if unconnected_gradients is _BY_DEFAULT:
            is_step = output_gradients is None and type(target) is Tensor and type(sources) is list
            recorder: Any = self._recorder
            if is_step and not (recorder and recorder.gathered):
                held = [s.held if type(s) is Variable else s for s in sources]
                found = self._step(target, held, frame, Tensor)
                if found is not None:
                    if numerics.wanted():
                        numerics.look("gradient", found)
                    return found
            unconnected_gradients = native_tape._BY_DEFAULT
        if output_gradients is not None:
            output_gradients = tree_map(plain, output_gradients)
        known: dict[int, Any] = {}
        fresh = self._consumed is None
        try:
            with spoken():
                found = super().gradient(
                    native_tree(target, known),
                    native_tree(sources, known),
                    output_gradients,
                    unconnected_gradients,
                )
        finally:
            if fresh and self._consumed is not None:
                self._consumed = (frame.f_code, frame.f_lasti)
        found = shown_tree(found)
        if numerics.wanted():
            numerics.look("gradient", found)
        return found

    def jacobian(
        self,
        target: Any,
        sources: Any,
        unconnected_gradients: Any = UnconnectedGradients.NONE,
        parallel_iterations: Any = None,
        experimental_use_pfor: bool = True,
    ) -> Any:
        """All derivatives of `target`, one tensor, in the structure of `sources`."""
        _loops_allowed(self, experimental_use_pfor)
        known: dict[int, Any] = {}
        option = _plain_option(unconnected_gradients)
        with spoken():
            natives = native_tree(target, known), native_tree(sources, known)
            found = super().jacobian(*natives, option)
        return shown_tree(found)

    def batch_jacobian(
        self,
        target: Any,
        source: Any,
        unconnected_gradients: Any = UnconnectedGradients.NONE,
        parallel_iterations: Any = None,
        experimental_use_pfor: bool = True,
    ) -> Any:
        """The Jacobian of each example, with its number in front."""
        _loops_allowed(self, experimental_use_pfor)
        known: dict[int, Any] = {}
        with spoken():
            found = super().batch_jacobian(native_tree(target, known), native_tree(source, known))
        return shown_tree(found)

    def explain(self, target: Any, source: Any) -> Explanation:
        """Why a gradient is what it is, or is missing; see `gradtape.GradientTape.explain`."""
        known: dict[int, Any] = {}
        with spoken():
            found = super().explain(native_tree(target, known), native_tree(source, known))
        from dataclasses import replace

        return replace(found, cause=worded(found.cause), remedy=worded(found.remedy))

    def _entered(self, operation: str) -> Any:
        with spoken():
            return super()._entered(operation)


def _plain_option(option: Any) -> Any:
    return native_tape._BY_DEFAULT if option is UnconnectedGradients.NONE else option


def _loops_allowed(tape: Any, use_pfor: bool) -> None:
    if not use_pfor and not tape._persistent:
        raise RefusedState(
            three_part(
                "GradientTape must be created with persistent=True to compute the jacobian with "
                "eager execution enabled and with  experimental_use_pfor set to False.",
                f"Asked for at {decode(*here(3))}; each row would be a sweep of its own.",
                "Leave experimental_use_pfor out, or make it tf.GradientTape(persistent=True).",
            )
        )


def native_tree(tree: Any, known: dict[int, Any]) -> Any:
    """`tree` of the dialect's tensors and Variables as one of the core's; one for each object."""
    kind = type(tree)
    if kind is Variable:
        return tree.held
    if kind is Tensor or kind is Traced:
        twin = known.get(id(tree))
        if twin is None:
            twin = known[id(tree)] = core.new_traced(tree.value, tree.key, tree.why)
        return twin
    if kind is list:
        return [native_tree(item, known) for item in tree]
    if isinstance(tree, Variable):
        return tree.held
    if isinstance(tree, Tensor):
        return core.new_traced(tree.value, tree.key, tree.why)
    leaves, rebuild = flatten(tree)
    if len(leaves) == 1 and leaves[0] is tree:
        return tree
    return rebuild([native_tree(leaf, known) for leaf in leaves])


def plain(leaf: Any) -> Any:
    """A leaf as the core takes it: without the dialect's class."""
    if isinstance(leaf, Variable):
        return bare(leaf)
    return bare(leaf) if isinstance(leaf, Tensor) else leaf


def shown_tree(found: Any) -> Any:
    """Gradients as the dialect's tensors."""
    kind = type(found)
    if kind is core.Tensor:
        return make(found.value, found.key, found.why)
    if kind is list:
        return [shown_tree(item) for item in found]
    return None if found is None else tree_map(_adopted, found)


def _adopted(leaf: Any) -> Any:
    if isinstance(leaf, core.Tensor) and not isinstance(leaf, Tensor):
        return make(leaf.read(), leaf.key, leaf.why)
    return leaf


@export("stop_gradient")
def stop_gradient(input: Any, name: Any = None) -> Any:
    """`input` as a constant, through which no gradient passes."""
    found = adopt(leaving.stop_gradient(bare(input)))
    if numerics.wanted():
        numerics.look("stop_gradient", found)
    return found
