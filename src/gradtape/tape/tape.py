"""GradientTape: records what happens inside `with`, and plays it back for gradients."""

from __future__ import annotations

import contextlib
import sys
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import config, events
from ..core.aval import is_differentiable
from ..core.buffers import owns
from ..core.operands import fingerprint
from ..core.positions import decode, here
from ..core.state import Recorder, next_key, pop, push, state
from ..core.sweep import run_unsupported, backward, hush, unsupported_error
from ..core.tensor import Tensor, new_tensor, raw, settled
from ..core.tree import flatten, paths
from ..core.variable import Variable
from ..errors import DTypeError, ShapeError, TapeStateError, WatchError, three_part
from . import reasons


_new = Tensor.__new__


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

    # ------------------------------------------------------------------ context

    def __enter__(self) -> GradientTape:
        if self._recording:
            raise TapeStateError(
                three_part(
                    "GradientTape: Tape is still recording.",
                    "This can happen if you try to re-enter an already-active tape.",
                    "Leave the `with` block first, or make another tape: gt.GradientTape().",
                )
            )
        if self._recorder is None or self._consumed is not None:
            forgotten = self._consumed
            self._recorder = Recorder(self._auto, self._strict)
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
        self._recorder = Recorder(self._auto, self._strict)
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
        dtype = x.read().dtype
        if dtype.kind not in "fc":
            self._refuse_dtype(recorder, x)
            return
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
        reasons.warn(
            three_part(
                f"GradientTape.watch: a {x.aval!r} value has no gradient.",
                "The dtype of a watched value must be floating or complex.",
                "Convert it first: x = tape.watch(x.astype(float)).",
            )
        )

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
        unconnected_gradients: Any = "none",
    ) -> Any:
        """The gradient of the sum of `target` with respect to `sources`.

        Parameters
        ----------
        target : Tensor, Variable, or a tree of them
            Elements of a non-scalar target, and several targets, are summed.
        sources : Tensor, Variable, or a tree of them
            A Variable means the sum over its reads, a watched Tensor the value that was watched.
        output_gradients : array_like or tree, optional
            The cotangent of each target, one for each and of its shape; ones by default.
        unconnected_gradients : {"none", "zero"}
            What a source gets that the target does not depend on. Given explicitly, it silences
            the warning that says why.

        Returns
        -------
        Tensor, None, or a tree of them
            In the structure of `sources`, in each source's shape and dtype. For complex sources
            the gradient is the conjugate of the holomorphic derivative (steepest ascent of a
            real target).

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
            came back; once per place, with fact, cause and remedy.

        Examples
        --------
        >>> import numpy as np, gradtape as gt
        >>> a, b = gt.Variable(2.0), gt.Variable(0.5)
        >>> with gt.GradientTape() as tape:
        ...     y = np.exp(a * b)
        >>> tape.gradient(y, {"a": a, "b": b})["b"]
        Tensor(5.43656366, shape=(), dtype=float64)
        """
        recorder = self._recorder
        if recorder is None or self._consumed is not None:
            raise self._unusable()
        if (
            type(target) is Tensor
            and (type(sources) is list or type(sources) is tuple)
            and output_gradients is None
            and unconnected_gradients == "none"
            and not self._persistent
            and not self._recording
            and not recorder.aliases
            and not recorder.returns
            and not recorder.has_unsupported
            and not events.listeners
            and not state.tapes
        ):
            frame = sys._getframe(1)
            found = _leaf_gradients(recorder, target, sources, (frame.f_code, frame.f_lasti), self)
            if found is not None:
                return found if type(sources) is list else tuple(found)
        silent = unconnected_gradients != "none"
        zero = silent and _wants_zero(unconnected_gradients)
        targets = [target] if isinstance(target, Tensor) else self._targets(recorder, target)
        if not targets:
            return None
        rebuild: Any = None
        if isinstance(sources, Tensor):
            leaves = [sources]
        elif type(sources) is list and all([isinstance(s, Tensor) for s in sources]):
            leaves = sources
        else:
            leaves, rebuild = flatten(sources)
            self._check_sources(recorder, sources)
        if self._recording:
            if not self._persistent:
                self._pause()
            else:
                reasons.log_in_context()
        if recorder.aliases:
            _check_aliases(recorder)
        recorded = bool(state.tapes)
        grads = _seeds(targets, output_gradients, recorded)
        known = recorder.leaves
        keys = [s.key if s.key in known else _source_key(recorder, s) for s in leaves]
        if recorder.has_unsupported:
            _check_support(recorder, set(grads), {k for k in keys if k})
        if not self._persistent:
            frame = sys._getframe(1)
            self._consumed = (frame.f_code, frame.f_lasti)
        backward(recorder, grads, keys, not self._persistent)
        results: list[Any] = []
        missing = False
        for source, key in zip(leaves, keys, strict=True):
            g = grads.get(key) if key else None
            if g is None and not key and any(t is source for t in targets):
                g = _identity(targets, source, output_gradients)
            if g is not None and source.value.dtype.kind in "fc":
                result = _finish(g, source, recorded, len(keys) > 1)
                if not recorded and key:  # says so if a second derivative is asked of it
                    result.why = ("gradient", *here(), key, None)
                results.append(result)
            else:
                missing = True
                results.append(_zeros(source) if zero else None)
        if not self._persistent and recorder.aliases:
            recorder.aliases = ()
        if missing and not silent:
            for source, result in zip(leaves, results, strict=True):
                if result is None:
                    reasons.warn_none(recorder, targets, source)
        if recorder.returns:
            reasons.warn_partial(recorder, targets, leaves, results, silent)
        if events.listeners:
            events.publish("gradient", tape=self, targets=targets, sources=leaves, results=results)
        if leaves is not sources and rebuild is None:
            return results[0]
        return rebuild(results) if rebuild is not None else results

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

    def explain(self, target: Any, source: Any) -> reasons.Explanation:
        """Why the gradient of `target` with respect to `source` is what it is, or is missing.

        Returns
        -------
        Explanation
            `kind` ("connected", "partial", "never watched", ...), `certain`, the three parts of
            the message, and `path` (positions of the operations from source to target) or the
            break. Prints as text.
        """
        return reasons.explain(self._entered("explain"), target, source)

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
        for (path, leaf) in paths(target, "target"):
            if not isinstance(leaf, Tensor):
                raise reasons.plain_target(recorder, path, leaf)
        return leaves

    def _check_sources(self, recorder: Recorder, sources: Any) -> None:
        for path, leaf in paths(sources, "sources"):
            if not isinstance(leaf, Tensor):
                raise reasons.plain_source(recorder, path, leaf)


def _leaf_gradients(
    recorder: Recorder, target: Tensor, sources: Any, position: Any, tape: GradientTape
) -> list[Any] | None:
    """`gradient` where a scalar depends on Variables and watched Tensors: a training step.

    Returns None, with nothing done, wherever the general way is needed.
    """
    leaves = recorder.leaves
    for s in sources:
        if type(s) is not Variable and not isinstance(s, Tensor) or s.key not in leaves:
            return None
    value = target.value
    kind = type(value)
    if kind is np.ndarray or target.key not in recorder.tracked:
        return None
    tape._consumed = position
    grads: dict[int, Any] = {target.key: kind(1)}
    pop = grads.pop
    restore = hush()
    try:
        for rec in reversed(recorder.ops):
            g = pop(rec[2], None)
            if g is not None:
                rec[0](rec, g, grads)
            del rec[9:]
    finally:
        restore()
    results: list[Any] = []
    get = grads.get
    for s in sources:
        g = get(s.key)
        kind = type(g)
        if kind is type(s.value) and kind is not np.ndarray:
            result = _new(Tensor)
            result.value = g
            result.key = 0
            result.why = None
            results.append(result)
        else:
            results.append(None if g is None else _finish(g, s, False))
    missing = any([r is None for r in results])
    if missing:
        for s, result in zip(sources, results, strict=True):
            if result is None:
                reasons.warn_none(recorder, [target], s)
    return results


def _not_watchable(x: Any) -> WatchError:
    return WatchError(
        three_part(
            f"GradientTape.watch: passed in object {x!r:.60} of type {type(x).__name__!r}.",
            "It is not a Tensor, a Variable, an array or a number.",
            "Pass an array or a number: x = tape.watch(np.array([1.0, 2.0])).",
        )
    )


def _wants_zero(option: Any) -> bool:
    name = getattr(option, "value", option)
    if name not in ("none", "zero"):
        raise ShapeError(
            three_part(
                f"gradient: Unknown value for unconnected_gradients: {option!r}.",
                "It decides what a source gets that the target does not depend on.",
                'Pass unconnected_gradients="none" or unconnected_gradients="zero".',
            )
        )
    return bool(name == "zero")


def _seeds(targets: list[Tensor], output_gradients: Any, recorded: bool) -> dict[int, Any]:
    seeds: dict[int, Any] = {}
    if output_gradients is None:
        for t in targets:
            value = t.read()
            kind = type(value)
            if not t.key or value.dtype.kind not in "fc":
                continue
            ct: Any = np.ones(value.shape, value.dtype) if kind is np.ndarray else kind(1)
            if recorded:
                ct = new_tensor(ct)
            seeds[t.key] = ct if t.key not in seeds else seeds[t.key] + ct
        return seeds
    given = _check_output_gradients(targets, output_gradients)
    for t, ct in zip(targets, given, strict=True):
        value = t.read()
        key = t.key
        if not key or value.dtype.kind not in "fc":
            continue
        if recorded and not isinstance(ct, Tensor):
            ct = new_tensor(ct)
        elif not recorded:
            ct = raw(ct)
        seeds[key] = ct if key not in seeds else seeds[key] + ct
    return seeds


def _check_output_gradients(targets: list[Tensor], output_gradients: Any) -> list[Any]:
    given, _ = ([output_gradients], None) if isinstance(output_gradients, Tensor) else flatten(
        output_gradients
    )
    if len(targets) == 1 and isinstance(output_gradients, list) and len(given) != 1:
        given = [np.asarray(output_gradients)]  # a vector written as a list of numbers
    if len(given) != len(targets):
        raise ShapeError(
            three_part(
                f"gradient: {len(given)} output_gradients for {len(targets)} targets.",
                "Each target needs its own cotangent.",
                "Pass one for each, np.ones_like(target) where the sum is meant.",
            )
        )
    checked: list[Any] = []
    for i, (t, ct) in enumerate(zip(targets, given, strict=True)):
        if ct is None:
            raise ShapeError(
                three_part(
                    f"gradient: output_gradients[{i}] is None.",
                    "Attempt to convert a value (None) to a cotangent.",
                    "Pass np.ones_like(target), or zeros for a target that shall not count.",
                )
            )
        value = raw(ct)
        array = np.asarray(value)
        dtype = t.dtype
        if array.dtype.kind not in "fciub" or (array.dtype.kind == "c" and dtype.kind != "c"):
            raise DTypeError(
                three_part(
                    f"gradient: output_gradients[{i}] is {array.dtype} for a {t.aval!r} target.",
                    "A cotangent has the dtype of its target.",
                    f"Pass it as {dtype}: np.asarray(ct, dtype={str(dtype)!r}).",
                )
            )
        if array.shape != t.shape:
            raise ShapeError(
                three_part(
                    f"gradient: output_gradients[{i}] has shape {array.shape}, "
                    f"its target {t.shape}.",
                    "A cotangent has the shape of its target; it is not broadcast.",
                    f"Pass np.broadcast_to(ct, {t.shape}).",
                )
            )
        if isinstance(ct, Tensor):
            checked.append(ct if ct.dtype == dtype else ct.astype(dtype))
        else:
            checked.append(settled(np.array(array, dtype=dtype)))
    return checked


def _source_key(recorder: Recorder, source: Tensor) -> int:
    """The key that `source` means: the watched version of a Tensor written to since."""
    source.read()
    key = source.key
    if isinstance(source, Variable) or key in recorder.leaves:
        return key
    for leaf_key, leaf in recorder.leaves.items():
        if type(leaf) is tuple and leaf[0]() is source:
            return leaf_key
    return key


def _identity(targets: list[Tensor], source: Tensor, output_gradients: Any) -> Any:
    """The gradient of an unwatched target with respect to itself."""
    given: list[Any] = [None] * len(targets)
    if output_gradients is not None:
        given = _check_output_gradients(targets, output_gradients)
    total: Any = None
    for t, ct in zip(targets, given, strict=True):
        if t is source:
            ct = np.ones_like(t.read()) if ct is None else raw(ct)
            total = ct if total is None else total + ct
    return total


def _finish(g: Any, source: Tensor, recorded: bool, shared: bool = True) -> Tensor:
    """`g` as it is handed to the user: dtype and shape of the source, materialised, un-aliased."""
    value = source.value
    kind = type(g)
    if kind is type(value) and kind is not np.ndarray and not recorded:
        return new_tensor(g)
    if recorded:
        tensor: Any = g if isinstance(g, Tensor) else new_tensor(g)
        if tensor.dtype != value.dtype:
            if value.dtype.kind != "c" and tensor.dtype.kind == "c":
                tensor = np.real(tensor)
            tensor = np.astype(tensor, value.dtype)
        if tensor.shape != value.shape:
            tensor = np.broadcast_to(tensor, value.shape)
        return tensor  # type: ignore[no-any-return]
    if isinstance(g, Tensor):
        g = g.read()
    if g.dtype != value.dtype:
        if g.dtype.kind == "c" and value.dtype.kind != "c":
            g = g.real
        g = g.astype(value.dtype)
    if type(g) is np.ndarray:
        if g.shape != value.shape:
            g = np.broadcast_to(g, value.shape)
        if not owns(g) or not g.flags.writeable or (
            shared and sys.getrefcount(g) > _SOLE
        ):
            g = np.array(g)
        if not value.shape:
            g = g[()]
    elif value.shape:
        g = np.full(value.shape, g)
    return new_tensor(g)


def _calibrate() -> int:
    """References to a cotangent that only the dictionary of the sweep holds, seen in `_finish`."""
    seen: list[int] = []

    def finish(g: Any) -> None:
        seen.append(sys.getrefcount(g))

    grads = {1: np.zeros(2)}
    g = grads.get(1)
    finish(g)
    return seen[0]


_SOLE = _calibrate()


def _zeros(source: Tensor) -> Tensor:
    value = source.value
    return new_tensor(settled(np.zeros(value.shape, value.dtype)))


def _check_aliases(recorder: Recorder) -> None:
    for array, sample, code, lasti in recorder.aliases:
        if fingerprint(array) != sample:
            raise TapeStateError(
                three_part(
                    f"gradient: an array of shape {array.shape} was written to after it was used.",
                    f"It was used at {decode(code, lasti)} and is needed for the gradient; arrays "
                    "above gt.config.current.copy_limit are not copied.",
                    "Pass a copy (x.copy()), or take the gradient before you write to it.",
                )
            )


def _check_support(recorder: Recorder, targets: set[int], wanted: set[int]) -> None:
    """Raise if a path from a wanted key to a target runs through an op without a rule."""
    reach = set(wanted)
    through: dict[int, list[Any]] = {}
    for rec in recorder.ops:
        out = rec[2]
        inputs = reasons.input_keys(rec)
        if any(k in reach for k in inputs):
            reach.add(out)
            bad = rec if reasons.is_unsupported(rec) else None
            for k in inputs:
                if bad is None and k in through:
                    bad = through[k]
            if bad is not None:
                through[out] = bad
    for key in targets:
        if key in through:
            raise unsupported_error(through[key])
    # nothing that is asked for needs them: let the sweep pass them by (this time: a persistent
    # tape asks again)
    for rec in recorder.ops:
        if rec[0] is run_unsupported:
            rec[0] = _skip


def _skip(rec: list[Any], g: Any, grads: dict[int, Any]) -> None:
    """Backward of an op without a rule that no asked-for path needs."""
