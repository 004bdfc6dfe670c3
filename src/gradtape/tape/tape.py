"""GradientTape: records what happens inside `with`, and plays it back for gradients.

The file is long because one class has all that a user asks of a tape, with its documentation.
"""

from __future__ import annotations

import contextlib
import sys
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import config, events
from ..core.aval import INEXACT, is_differentiable, native
from ..core.bands import full
from ..core.lift import is_lifted
from ..core.observing import Keeping
from ..core.operands import fingerprint, refuse_own_arithmetic
from ..core.positions import decode, here
from ..core.refusals import stays_here
from ..core.state import Recorder, next_key, pop, push, state
from ..core.sweep import backward, is_recorded
from ..core.tensor import Tensor, firm, new_tensor, settled
from ..core.tree import flatten, paths
from ..core.variable import Variable
from ..errors import DTypeError, TapeStateError, WatchError, three_part
from .reach import cuts
from .sweeping import (
    broadcast,
    check_aliases,
    check_support,
    finish,
    identity,
    leaf_gradients,
    match_output_gradients,
    seeds_of,
    source_key,
    wants_zero,
    zeros,
)

if TYPE_CHECKING:
    from .drawing import Drawing
    from .facts import Explanation
    from .summary import Summary


class _Default(str):
    """A "none" that nobody wrote: the one that a user writes silences the warning."""


_BY_DEFAULT = _Default("none")


class GradientTape:
    """A tape that records operations on watched values and gives their gradients.

    Parameters
    ----------
    persistent : bool
        Whether `gradient` can be called more than once; otherwise the first call frees what was
        recorded.
    watch_accessed_variables : bool
        Whether trainable Variables are watched when they are read inside the context.
    strict : bool
        Raise `ExitError` as soon as a watched value leaves the tape (`float(x)`, `np.asarray(x)`).
        Where NumPy itself takes the value, as in the store `y[0] = x[0]` into a plain array, it
        raises a ValueError of its own ("setting an array element with a sequence"), whose
        `__cause__` is the ExitError with the place and the remedy.

    Notes
    -----
    Tapes nest and overlap freely, can be entered again (then they go on recording), and belong to
    the thread that entered them. As in TensorFlow, a second derivative needs the inner `gradient`
    call inside the outer context.

    Examples
    --------
    >>> import gradtape as gt
    >>> x = gt.Variable(3.0)
    >>> with gt.GradientTape() as tape:
    ...     y = x * x
    >>> tape.gradient(y, x)
    Tensor(6., shape=(), dtype=float64)
    """

    __slots__ = (
        "__weakref__",
        "_auto",
        "_consumed",
        "_persistent",
        "_recorder",
        "_recording",
        "_strict",
    )
    _recorder_class: type[Recorder] = Recorder  # a dialect has one with words of its own

    def __init__(
        self,
        persistent: bool = False,
        watch_accessed_variables: bool = True,
        strict: bool = False,
    ) -> None:
        self._persistent = persistent
        self._auto = watch_accessed_variables
        self._strict = strict
        self._recorder: Recorder | None = None
        self._recording = False
        self._consumed: Any = None  # position of the gradient call that used the tape up

    __reduce_ex__ = stays_here

    def __deepcopy__(self, memo: dict[int, Any]) -> GradientTape:
        """A tape of its own, with records and values of its own."""
        copied = memo[id(self)] = type(self).__new__(type(self))
        from copy import deepcopy

        state: Any = object.__getstate__(self)
        for name, value in {**(state[0] or {}), **state[1]}.items():
            setattr(copied, name, deepcopy(value, memo))
        return copied

    # ------------------------------------------------------------------ context

    def __enter__(self) -> GradientTape:
        if self._recording:
            raise self._reentered()
        if self._recorder is None or self._consumed is not None:
            forgotten = self._consumed
            self._recorder = self._recorder_class(self._auto, self._strict)
            self._consumed = None
            if forgotten is not None:
                why = ("reset", *forgotten, next_key(), "the gradient call that used the tape up")
                self._recorder.late[0] = why
        push(self._recorder)
        self._recording = True
        return self

    def __exit__(self, *_: object) -> None:
        if self._recording:
            self._recording = False
            pop(self._recorder)  # type: ignore[arg-type]

    def _pause(self) -> None:
        assert self._recorder is not None
        pop(self._recorder)
        self._recording = False

    def _entered(self, operation: str) -> Recorder:
        if self._recorder is None:
            raise TapeStateError(
                three_part(
                    f"GradientTape.{operation}: this tape has never recorded.",
                    "It was made but not entered.",
                    "Write `with gt.GradientTape() as tape:` around the computation.",
                )
            )
        return self._recorder

    @contextlib.contextmanager
    def stop_recording(self) -> Iterator[None]:
        """Record nothing inside `with tape.stop_recording():`.

        Raises
        ------
        TapeStateError
            If the tape is not recording.
        """
        if not self._recording:
            raise TapeStateError(
                three_part(
                    "GradientTape.stop_recording: Tape is not recording."
                    if self._recorder is not None
                    else "Trying to stop recording a tape which is not recording.",
                    "stop_recording was called outside the tape's `with` block.",
                    "Call it inside: `with tape: ... with tape.stop_recording(): ...`.",
                )
            )
        self._pause()
        state.stopped += 1
        try:
            yield
        finally:
            state.stopped -= 1
            if not self._recording and self._consumed is None:
                assert self._recorder is not None
                push(self._recorder)
                self._recording = True

    def reset(self) -> None:
        """Forget everything recorded and watched, and go on recording.

        Explicitly watched Tensors have to be watched again.

        Raises
        ------
        TapeStateError
            Outside the context.
        """
        if not self._recording:
            raise TapeStateError(
                three_part(
                    "GradientTape.reset: Tape is not recording.",
                    "reset was called outside the tape's `with` block.",
                    "Call it inside the block, or make a new tape.",
                )
            )
        self._pause()
        self._recorder = self._recorder_class(self._auto, self._strict)
        self._recorder.late[0] = ("reset", *here(), next_key(), "tape.reset()")
        push(self._recorder)
        self._recording = True

    # ------------------------------------------------------------------ watching

    def watch(self, tensor: Any) -> Any:
        """Follow a Tensor, Variable, array, number, or a tree of them; returns what is followed.

        A Tensor or Variable is followed itself and returned. **A plain array or number cannot be
        followed in place** (NumPy never tells us of operations on it): use the Tensor that is
        returned, `x = tape.watch(x)`. Arrays up to 64 KiB are copied, larger ones aliased.

        Raises
        ------
        WatchError
            A `ValueError` and `TypeError`, for what is no number or array.
        TapeStateError
            Before the tape is entered, or after `gradient` used it up.

        Examples
        --------
        >>> import numpy as np, gradtape as gt
        >>> with gt.GradientTape() as tape:
        ...     x = tape.watch(np.array([1.0, 2.0]))
        ...     y = np.sum(x**3)
        >>> tape.gradient(y, x)
        Tensor([ 3., 12.], shape=(2,), dtype=float64)
        """
        recorder = self._entered("watch")
        if self._consumed is not None:
            raise TapeStateError(
                three_part(
                    "GradientTape.watch: this tape was used up.",
                    f"gradient was called on it at {decode(*self._consumed)}.",
                    "Make it persistent, gt.GradientTape(persistent=True), or use a new tape.",
                )
            )
        if type(tensor) is Tensor:
            self._watch_tensor(recorder, tensor)
            return tensor
        leaves, rebuild = flatten(tensor)
        return rebuild([self._watch_leaf(recorder, leaf) for leaf in leaves])

    def _watch_leaf(self, recorder: Recorder, x: Any) -> Any:
        if isinstance(x, Variable):
            if is_differentiable(x.value.dtype):
                recorder.leaves[x.key] = x
                recorder.tracked.add(x.key)
            else:
                self._refuse_dtype(recorder, x)
            return x
        if isinstance(x, Tensor):
            self._watch_tensor(recorder, x)
            return x
        if isinstance(x, str | bytes | type(None)) or callable(x):
            raise _not_watchable(x)
        refuse_own_arithmetic(x, "watch")
        array = np.asarray(x)
        if array.dtype.kind not in "fciub":
            raise _not_watchable(x)
        given = isinstance(x, np.ndarray)
        if not given or array.nbytes <= config.current.copy_limit:
            array = np.array(array)
        else:
            array = array.view()
            recorder.aliases = (*recorder.aliases, (array, fingerprint(array), *here()))
        watched = new_tensor(settled(array))
        self._watch_tensor(recorder, watched)
        if given:
            with contextlib.suppress(TypeError):
                recorder.watched_arrays.append((weakref.ref(x), watched.key, *here()))
        return watched

    def _watch_tensor(self, recorder: Recorder, x: Tensor) -> None:
        value = x.read()
        dtype = value.dtype
        if dtype.char not in INEXACT:
            self._refuse_dtype(recorder, x)
            return
        if getattr(value, "weak", False):
            x.value = firm(value)
        key = x.key
        if key == 0:
            key = x.key = next_key()
        if key not in recorder.tracked:
            recorder.tracked.add(key)
            code, lasti = here(3)
            recorder.leaves[key] = (weakref.ref(x), x.shape, dtype, code, lasti, next_key())
        elif key not in recorder.leaves:  # watching an intermediate changes nothing
            return

    def _refuse_dtype(self, recorder: Recorder, x: Tensor) -> None:
        if not x.key:
            x.key = next_key()
        recorder.late[x.key] = ("integer", *here(3), x.key, str(x.value.dtype))
        told = three_part(
            f"GradientTape.watch: a {x.aval!r} value has no gradient.",
            "The dtype of a watched value must be floating or complex.",
            "Convert it first: x = tape.watch(x.astype(float)).",
        )
        from . import reasons

        reasons.warn(recorder.worded(told))

    def watched_variables(self) -> tuple[Variable, ...]:
        """The Variables the tape watches, in the order of their construction."""
        recorder = self._recorder
        if recorder is None:
            return ()
        found = [leaf for leaf in recorder.leaves.values() if isinstance(leaf, Variable)]
        return tuple(sorted(found, key=lambda variable: variable.order))

    # ------------------------------------------------------------------ gradients

    def gradient(
        self,
        target: Any,
        sources: Any,
        output_gradients: Any = None,
        unconnected_gradients: Any = _BY_DEFAULT,
        indexed_slices: bool = False,
    ) -> Any:
        """The gradient of the sum of `target` with respect to `sources`.

        Parameters
        ----------
        target : Tensor, Variable, or a tree of them
            Elements of a non-scalar target, and several targets, are summed.
        sources : Tensor, Variable, or a tree of them
            A Variable means the sum over its reads, a watched Tensor the value that was watched.
        output_gradients : array_like or tree, optional
            The cotangent of each target, one for each and of its shape, or one number for all of
            it, in the structure of `target` (the same keys where that is a dict); ones by default.
        unconnected_gradients : {"none", "zero"}
            What a source gets that the target does not depend on. Given explicitly, it silences
            the warning that says why.
        indexed_slices : bool
            Give `gt.IndexedSlices` for a Variable that the target sees by rows alone, taken by
            `w[index]` or `np.take(w, index, axis=0)`: the gradient of an embedding without its
            zeros. Rows that were taken twice are named twice. `w.assign_sub` takes them.

        Returns
        -------
        Tensor, None, or a tree of them
            In the structure of `sources`, in each source's shape and dtype, the order of bytes
            being the machine's. For complex sources the gradient is the conjugate of the
            holomorphic derivative (steepest ascent of a real target).

        Raises
        ------
        TapeStateError
            On the second call of a tape that is not persistent.
        ShapeError
            If `output_gradients` do not fit the targets.
        DTypeError
            If a target or source is not a Tensor.
        UnsupportedOperationError
            If the path passes through an operation without a derivative rule.

        Warns
        -----
        GradientWarning
            If a gradient is None, or only part of the whole because a value left the tape and
            came back, or because a part of the target was computed where the tape did not
            follow it; once per place, with fact, cause and remedy.

        Examples
        --------
        >>> import numpy as np, gradtape as gt
        >>> a, b = gt.Variable(2.0), gt.Variable(0.5)
        >>> with gt.GradientTape() as tape:
        ...     y = np.exp(a * b)
        >>> tape.gradient(y, {"a": a, "b": b})["b"]
        Tensor(5.43656366, shape=(), dtype=float64)
        """
        if (
            type(target) is Tensor
            and (type(sources) is list or type(sources) is tuple)
            and output_gradients is None
            and unconnected_gradients is _BY_DEFAULT
            and not indexed_slices
        ):
            found = self._step(target, sources, sys._getframe(1), Tensor)
            if found is not None:
                return found if type(sources) is list else tuple(found)
        recorder = self._recorder
        if recorder is None or self._consumed is not None:
            raise self._unusable()
        silent = unconnected_gradients is not _BY_DEFAULT
        zero = silent and wants_zero(unconnected_gradients)
        targets = [target] if isinstance(target, Tensor) else self._targets(recorder, target)
        if not targets:
            return None
        if output_gradients is not None:
            output_gradients = match_output_gradients(target, output_gradients)
            output_gradients = self._in_shape(targets, output_gradients)
        rebuild: Any = None
        if isinstance(sources, Tensor):
            leaves = [sources]
        elif type(sources) is list and all(isinstance(s, Tensor) for s in sources):
            leaves = sources
        else:
            leaves, rebuild = flatten(sources)
            self._check_sources(recorder, sources)
        if self._recording:
            if not self._persistent:
                self._pause()
            else:
                from . import reasons

                reasons.log_in_context()
        if recorder.aliases:
            check_aliases(recorder)
        recorded = is_recorded(recorder) or (
            state.levels > 0 and any(map(is_lifted, flatten(output_gradients)[0]))
        )
        grads = seeds_of(targets, output_gradients, recorded)
        known = recorder.leaves
        taken = self._gathered(recorder, leaves, targets, indexed_slices)
        asked = leaves
        if taken is not None:
            asked = [
                source
                for leaf, rows in zip(leaves, taken, strict=True)
                for source in ([leaf] if rows is None else [r.stand_in(leaf) for r in rows])
            ]
        keys = [s.key if s.key in known else source_key(recorder, s) for s in asked]
        if recorder.has_unsupported:
            check_support(recorder, set(grads), {k for k in keys if k})
        if not self._persistent:
            frame = sys._getframe(1)
            self._consumed = (frame.f_code, frame.f_lasti)
        # A recording is told of the gradient, and `explain` shows it: the values stay meanwhile.
        backward(recorder, grads, keys, not self._persistent and not Keeping.everything)
        results: list[Any] = []
        missing = False
        for source, key in zip(asked, keys, strict=True):
            g = grads.get(key) if key else None
            if g is None and not key and any(t is source for t in targets):
                g = identity(targets, source, output_gradients)
            if g is not None and source.value.dtype.char in INEXACT:
                shared = len(keys) > 1 or output_gradients is not None
                result = finish(g, source, recorded, shared)
                if not recorded and key:  # says so if a second derivative is asked of it
                    result.why = ("gradient", *here(), key, None)
                results.append(result)
            else:
                missing = True
                results.append(zeros(source) if zero else None)
        if taken is not None:
            given = iter(results)
            results = [
                next(given)
                if rows is None
                else self._joined(leaf, rows, [next(given) for _ in rows])
                for leaf, rows in zip(leaves, taken, strict=True)
            ]
        if not self._persistent and recorder.aliases:
            recorder.aliases = ()
        if missing and not silent:
            from . import reasons

            for source, result in zip(leaves, results, strict=True):
                if result is None:
                    reasons.warn_none(recorder, targets, source)
        if recorder.returns or cuts(recorder, targets):
            from . import reasons

            reasons.warn_partial(recorder, targets, leaves, results, silent)
        if events.watchers:
            frame = sys._getframe(1)
            position = (frame.f_code, frame.f_lasti)
            whole = [r if r is None or isinstance(r, Tensor) else r.dense() for r in results]
            events.tell_gradient(recorder, targets, leaves, whole, position)
        if leaves is not sources and rebuild is None:
            return results[0]
        return rebuild(results) if rebuild is not None else results

    def _in_shape(self, targets: list[Tensor], given: Any) -> Any:
        return broadcast(targets, given, False)

    def _joined(self, variable: Any, taken: Any, cts: Any) -> Any:
        from . import gathered

        return gathered.joined(variable, taken, cts)

    def _gathered(
        self, recorder: Recorder, leaves: list[Any], targets: Any, indexed_slices: bool
    ) -> list[Any] | None:
        """For each source the rows that the targets see it by, None where it is seen whole."""
        if not indexed_slices:
            return None
        from . import gathered

        return [
            gathered.seen_by_rows(recorder, leaf, gathered.gatherings(recorder, leaf), targets)
            if isinstance(leaf, Variable)
            else None
            for leaf in leaves
        ]

    # ------------------------------------------------------------------ matrices of derivatives

    def jacobian(self, target: Any, sources: Any, unconnected_gradients: Any = _BY_DEFAULT) -> Any:
        """All derivatives of `target` with respect to `sources`.

        Parameters
        ----------
        target : Tensor
            One floating Tensor.
        sources : Tensor, Variable, or a tree of them
        unconnected_gradients : {"none", "zero"}
            As in `gradient`.

        Returns
        -------
        Tensor, None, or a tree of them
            Of shape `target.shape + source.shape`, in the structure of `sources` and each
            source's dtype. One backward sweep computes all rows.

        Raises
        ------
        TapeStateError
            On the second call of a tape that is not persistent.
        DTypeError
            If the target is not one floating Tensor.

        Examples
        --------
        >>> import gradtape as gt
        >>> x = gt.Variable([1.0, 2.0])
        >>> with gt.GradientTape() as tape:
        ...     y = x * x
        >>> tape.jacobian(y, x)
        Tensor([[2., 0.],
                [0., 4.]], shape=(2, 2), dtype=float64)
        """
        from . import matrices

        recorder = self._ready("jacobian")
        silent = unconnected_gradients is not _BY_DEFAULT
        zero = silent and wants_zero(unconnected_gradients)
        target = matrices.check_target(recorder, "jacobian", target)
        leaves, rebuild = flatten(sources)
        self._check_sources(recorder, sources)
        events.publish("jacobian", recorder=recorder, targets=[target])
        found = self._pull(recorder, target, matrices.identity(target), leaves)
        results: list[Any] = []
        for s, g in zip(leaves, found, strict=True):
            if g is None and not zero:
                results.append(None)
                if not silent:
                    from . import reasons

                    reasons.warn_none(recorder, [target], s)
                continue
            if g is None:
                g = new_tensor(np.zeros((target.size, *s.shape), native(s.dtype)))
            results.append(matrices.shaped(target, g, s))
        return rebuild(results)

    def batch_jacobian(
        self, target: Any, source: Any, unconnected_gradients: Any = _BY_DEFAULT
    ) -> Any:
        """The Jacobian of each example, where row i of `target` depends on row i of `source` alone.

        Parameters
        ----------
        target : Tensor
            (n, ...), of two axes or more.
        source : Tensor or Variable
            (n, ...), of two axes or more. That rows are independent is assumed, not checked.
        unconnected_gradients : {"none", "zero"}
            Accepted; the Jacobian of what is not connected is zeros, as in TensorFlow.

        Returns
        -------
        Tensor
            `(n, *target.shape[1:], *source.shape[1:])`.

        Raises
        ------
        ShapeError
            If one has fewer than two axes, or the first axes differ.
        TapeStateError, DTypeError
            As `jacobian`.

        Examples
        --------
        >>> import gradtape as gt
        >>> x = gt.Variable([[1.0, 2.0], [3.0, 4.0]])
        >>> with gt.GradientTape() as tape:
        ...     y = x * x
        >>> tape.batch_jacobian(y, x).shape
        (2, 2, 2)
        """
        from . import matrices

        recorder = self._ready("batch_jacobian")
        if unconnected_gradients is not _BY_DEFAULT:
            wants_zero(unconnected_gradients)
        target = matrices.check_target(recorder, "batch_jacobian", target)
        self._check_sources(recorder, source)
        matrices.check_batches(target, source)
        cts = matrices.batch_cotangents(target)
        (g,) = self._pull(recorder, target, cts, [source])
        n, rest = source.shape[0], (*target.shape[1:], *source.shape[1:])
        if g is None:
            return new_tensor(np.zeros((n, *rest), native(source.dtype)))
        return np.reshape(np.moveaxis(g, 1, 0), (n, *rest))

    def _ready(self, operation: str) -> Recorder:
        """The recorder, if derivatives can still be asked of it."""
        if self._recorder is None or self._consumed is not None:
            if self._recorder is None:
                self._entered(operation)
            raise self._unusable()
        if self._recording:
            if self._persistent:
                from . import reasons

                reasons.log_in_context()
            else:
                self._pause()
        return self._recorder

    def _pull(self, recorder: Recorder, target: Tensor, cts: Any, leaves: list[Any]) -> list[Any]:
        if recorder.aliases:
            check_aliases(recorder)
        known = recorder.leaves
        keys = [s.key if s.key in known else source_key(recorder, s) for s in leaves]
        if recorder.has_unsupported:
            check_support(recorder, {target.key}, {k for k in keys if k})
        if not self._persistent:
            self._consumed = here()
        from . import matrices

        found = matrices.pulled(recorder, target, cts, leaves, keys, not self._persistent)
        for i, s in enumerate(leaves):
            if found[i] is None and s is target:
                found[i] = new_tensor(np.array(full(cts)))
        return found

    def _step(self, target: Tensor, sources: Any, frame: Any, kind: Any) -> list[Any] | None:
        """The gradients of a training step, as Tensors of class `kind`; None if it is no such."""
        recorder = self._recorder
        if (
            recorder is None
            or self._consumed is not None
            or self._persistent
            or self._recording
            or recorder.aliases
            or recorder.returns
            or recorder.has_unsupported
            or state.tapes
            or recorder.is_lifted
        ):
            return None
        position = (frame.f_code, frame.f_lasti)
        found = leaf_gradients(recorder, target, sources, position, self, kind)
        if found is not None and target.why is not None and cuts(recorder, [target]):
            from . import reasons

            reasons.warn_partial(recorder, [target], sources, found, False)
        tell = events.tell_step
        if tell is not None and found is not None:
            tell(recorder, target, sources, found, position)
        return found

    def _reentered(self) -> TapeStateError:
        error = TapeStateError(
            three_part(
                "GradientTape: Tape is still recording.",
                "This can happen if you try to re-enter an already-active tape.",
                "Leave the `with` block first, or make another tape: gt.GradientTape().",
            )
        )
        error.args = (self._recorder_class.worded(str(error)),)
        return error

    def _unusable(self) -> TapeStateError:
        self._entered("gradient")
        return TapeStateError(
            three_part(
                "A non-persistent GradientTape can only be used to compute one set of "
                "gradients (or jacobians).",
                f"gradient was called before, at {decode(*self._consumed)}.",
                "Make it persistent, gt.GradientTape(persistent=True), or ask for all "
                "gradients in one call: tape.gradient(y, [a, b]).",
            )
        )

    def explain(self, target: Any, source: Any) -> Explanation:
        """Why the gradient of `target` with respect to `source` is what it is, or is missing.

        Returns
        -------
        Explanation
            `kind` ("connected", "zero", "not finite", "partial", "never watched", ...),
            `certain`, the three parts of the message, and `path` (positions of the operations
            from source to target) or the break. `steps` has the norm of the cotangent before and
            after each operation of the path, where the tape still has the values: before the
            consuming `gradient`, or on a persistent tape. Prints as text, and shows as a table in
            a notebook.

        Examples
        --------
        >>> import numpy as np, gradtape as gt
        >>> x = gt.Variable([-1.0, -2.0])
        >>> with gt.GradientTape() as tape:
        ...     y = np.sum(np.maximum(3.0 * x, 0.0))
        >>> found = tape.explain(y, x)
        >>> found.kind, [(step.op, step.gain) for step in found.steps]
        ('zero', [('multiply', nan), ('maximum', 0.0), ('sum', 1.4142135623730951)])
        """
        from . import reasons
        from .facts import Facts
        from .slopes import measured

        recorder = self._entered("explain")
        found = reasons.explain(recorder, target, source)
        if found.kind != "connected":
            return found
        return measured(Facts(recorder, target, source), found, self._consumed)

    def summary(self) -> Summary:
        """A table of what the tape has recorded: operation, line, shapes, time, bytes kept.

        Returns
        -------
        Summary
            `rows`, one for each operation in the order of recording, and the totals. Prints as
            text, and shows as a table in a notebook.

        Notes
        -----
        Recording keeps no clock: the time of an operation, in seconds, is that of running it again
        when `summary` is called, on operands of the same shapes and dtypes; all together take
        about a second at most. Operations that are not run again (random numbers, functions with a
        rule of the user's, compiled functions, operands of more than 256 MiB) have nan.

        Examples
        --------
        >>> import numpy as np, gradtape as gt
        >>> x = gt.Variable([1.0, 2.0])
        >>> with gt.GradientTape() as tape:
        ...     y = np.sum(np.exp(x))
        >>> [(row.op, row.shape, row.bytes) for row in tape.summary().rows]
        [('exp', (2,), 16), ('sum', (), 0)]
        """
        from .summary import summarize

        return summarize(self._entered("summary"), self._consumed)

    def graph(self, collapse: bool | None = None) -> Drawing:
        """A drawing of the recorded operations, from the sources at the top to the results.

        Parameters
        ----------
        collapse : bool, optional
            Whether operations of one line are drawn as one box; by default from 200 on.

        Returns
        -------
        Drawing
            `svg` is the text of an SVG picture, `save(path)` writes it; shows in a notebook.

        Examples
        --------
        >>> import numpy as np, gradtape as gt
        >>> x = gt.Variable([1.0, 2.0], name="x")
        >>> with gt.GradientTape() as tape:
        ...     y = np.sum(np.exp(x))
        >>> drawing = tape.graph()
        >>> drawing.svg[:4], [box.title for box in drawing.boxes]
        ('<svg', ['x', 'exp', 'sum'])
        """
        from .drawing import draw

        return draw(self._entered("graph"), collapse)

    def _repr_html_(self) -> str:
        if self._recorder is None:
            return "<p>A GradientTape that has not recorded.</p>"
        from .showing import tape_as_html

        return tape_as_html(self)

    # ------------------------------------------------------------------ doors

    def _targets(self, recorder: Recorder, target: Any) -> list[Tensor]:
        if target is None:
            raise DTypeError(
                three_part(
                    "Argument `target` should be a Tensor, a Variable or a tree of them to be "
                    "differentiated, but received None.",
                    "A function without `return` gives None.",
                    "Return the loss from the function that computes it.",
                )
            )
        leaves, _ = flatten(target)
        for path, leaf in paths(target, "target"):
            if not isinstance(leaf, Tensor):
                _refuse_unordered(path, leaf)
                from . import reasons

                raise reasons.plain_target(recorder, path, leaf)
        return leaves

    def _check_sources(self, recorder: Recorder, sources: Any) -> None:
        for path, leaf in paths(sources, "sources"):
            if not isinstance(leaf, Tensor):
                _refuse_unordered(path, leaf)
                from . import reasons

                raise reasons.plain_source(recorder, path, leaf)


def _refuse_unordered(path: str, leaf: Any) -> None:
    """DTypeError for a set or an iterator of Tensors: a gradient would have no place in it."""
    if isinstance(leaf, set | frozenset | Iterator):
        raise DTypeError(
            three_part(
                f"gradient: {path} is a {type(leaf).__name__}, not a Tensor or a tree of them.",
                "It has no order, or can be read only once, so that no gradient has a place in it.",
                "Make a list of it, once, and pass that: variables = list(...).",
            )
        )


def _not_watchable(x: Any) -> WatchError:
    return WatchError(
        three_part(
            f"GradientTape.watch: passed in object {x!r:.60} of type {type(x).__name__!r}.",
            "It is not a Tensor, a Variable, an array or a number.",
            "Pass an array or a number: x = tape.watch(np.array([1.0, 2.0])).",
        )
    )
