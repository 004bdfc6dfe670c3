"""Streams of random numbers: a generator of NumPy's as a Variable, and draws from it.

What a draw changes is the state of its generator. A `Stream` holds it as six words, so that a
program reads it as it reads a Variable, and assigns it when the call has succeeded: a draw is a
node from (state, operands) to (numbers, state after). The numbers of a call, of a turn of a loop
and of the backward program, which computes the forward part anew from the same state, are
therefore those of eager mode. In eager mode nothing is packed: the generator itself is asked.

Numbers are constants to every derivative; what scales and shifts them is the callers' work.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..errors import TracingError, three_part
from .aval import Aval
from .lift import Batch, Dual, Lift
from .operands import ended
from .positions import decode, here
from .state import Recorder, next_key, state
from .symbol import Symbol
from .tensor import Tensor, new_traced, raw
from .variable import Variable

_WORD = (1 << 64) - 1
_ITERATOR: Any = type(iter([0]))
_STATE = Aval((6,), np.dtype(np.uint64))


def packed(rng: np.random.Generator) -> Any:
    """The state of a PCG64 generator as six words."""
    known: Any = rng.bit_generator.state
    state, inc = known["state"]["state"], known["state"]["inc"]
    words = (state >> 64, state & _WORD, inc >> 64, inc & _WORD)
    return np.array([*words, known["has_uint32"], known["uinteger"]], np.uint64)


def unpack(rng: np.random.Generator, words: Any) -> None:
    """Put a generator into the state that `packed` gave."""
    high, low, inc_high, inc_low, has_half, half = words.tolist()
    rng.bit_generator.state = {
        "bit_generator": "PCG64",
        "state": {"state": high << 64 | low, "inc": inc_high << 64 | inc_low},
        "has_uint32": has_half,
        "uinteger": half,
    }


class _Scratch(threading.local):
    """A generator of each thread, for draws of programs, whose state comes as an operand."""

    rng: Any = None  # NumPy loads np.random when it is first used, and so do we


_scratch = _Scratch()


seeded: dict[str, Any] = {}
"""What users seeded the generators of the process with, by the call: recordings store it."""


class Hidden(Variable):
    """A Variable of the machine's own: no tape follows it, and it makes no result a Tensor."""

    __slots__ = ()

    def read_by(self, tape: Recorder) -> None:
        """Nothing."""


class Stream(Hidden):
    """A generator whose state programs read and assign; `rng` is NumPy's own.

    `value` is the state, `seed` what it began with. Whoever draws from `rng` holds `lock`
    meanwhile.
    """

    __slots__ = ("lock", "rng", "seed")

    def __init__(self, seed: Any = None, name: str = "random numbers") -> None:
        self.rng, self.seed = _generator(seed), seed
        self.lock = threading.RLock()
        super().__init__(packed(self.rng), trainable=False, name=name)

    @property
    def value(self) -> Any:
        """The state, six words."""
        return packed(self.rng)

    @value.setter
    def value(self, words: Any) -> None:
        with self.lock:
            unpack(self.rng, words)

    def assign(self, words: Any) -> Stream:
        """Go on from the state `words`; inside a compiled function, at each call."""
        if state.tapes and state.tapes[0].is_trace:
            super().assign(words)
        else:
            self.value = words
        return self

    def restart(self, seed: Any) -> None:
        """Begin where a new stream of this seed does."""
        self.assign(packed(_generator(seed)))
        self.seed = seed

    def __copy__(self) -> Stream:
        copied = Stream(0, self.name)
        copied.value = self.value
        return copied

    def __reduce__(self) -> Any:
        return _restored, (self.value, self.name)


def _restored(words: Any, name: str) -> Stream:
    stream = Stream(0, name)
    stream.value = words
    return stream


def _generator(seed: Any) -> np.random.Generator:
    if isinstance(seed, np.random.BitGenerator | np.random.Generator):
        return np.random.default_rng(seed)
    return np.random.Generator(np.random.PCG64(seed))


@contextlib.contextmanager
def held(streams: Sequence[Stream]) -> Iterator[None]:
    """Nobody else draws from `streams` inside: no number is given out twice."""
    with contextlib.ExitStack() as stack:
        for stream in streams:  # in one order, whoever asks
            stack.enter_context(stream.lock)
        yield


class Draw:
    """One way of drawing, as an operation of a graph: `function(rng, *operands)` with an aval.

    `sizes` are those of the `vmap` calls around: every operand has these axes in front, and each
    example draws for itself.
    """

    __slots__ = ("aval", "function", "name", "sizes")
    kind = "plain"  # no derivative leads through it
    shape_rule = True

    def __init__(
        self, name: str, function: Callable[..., Any], aval: Aval, sizes: tuple[int, ...] = ()
    ) -> None:
        self.name, self.function, self.aval, self.sizes = f"draw.{name}", function, aval, sizes

    def shape(self, avals: Any, params: Any) -> tuple[Aval, Aval]:
        """The avals of the numbers and of the state after."""
        return Aval((*self.sizes, *self.aval.shape), self.aval.dtype), _STATE

    def impl(self, words: Any, *operands: Any) -> Any:
        """(numbers, state after) for a state."""
        if type(words) is Symbol:
            return words.trace.emit(self, (words, *operands), {})
        rng = _scratch.rng
        if rng is None:
            rng = _scratch.rng = _generator(0)
        unpack(rng, words)
        numbers = self.numbers(rng, *operands)
        return numbers, packed(rng)

    def numbers(self, rng: np.random.Generator, *operands: Any) -> Any:
        """The numbers alone."""
        if not self.sizes:
            return np.asarray(self.function(rng, *operands), self.aval.dtype)
        found = np.empty((*self.sizes, *self.aval.shape), self.aval.dtype)
        for i in np.ndindex(self.sizes):
            found[i] = self.function(rng, *(x[i] for x in operands))
        return found


class replayed:
    """Draws inside the first `with` are kept, those inside a later one are the same numbers.

    What is drawn for the first time inside another such `with` is kept there too, or comes from
    what that one kept.
    """

    __slots__ = ("around", "kept", "saved")

    def __init__(self) -> None:
        self.kept: list[Any] | None = None

    def __enter__(self) -> replayed:
        self.saved = state.draws
        self.around: list[Any] | None = None  # what the `with` around has, at the first time
        if self.kept is not None:
            state.draws = iter(self.kept)
        elif type(self.saved) is _ITERATOR:
            self.kept = self.around = list(self.saved)
            state.draws = iter(self.kept)
        else:
            state.draws = self.kept = []
            self.around = self.saved
        return self

    def __exit__(self, *_: object) -> None:
        drawn, state.draws = state.draws, self.saved
        if type(drawn) is not _ITERATOR:
            if self.around is not None:
                self.around += drawn
        elif self.around is not None:
            left = drawn.__length_hint__()
            count = len(self.around) - left
            self.kept, state.draws = self.around[:count], iter(self.around[count:])
        self.around = None


def draw(
    stream: Stream, name: str, function: Callable[..., Any], aval: Aval, operands: Any = ()
) -> Any:
    """`function(rng, *operands)`: a Tensor where operands are Tensors or something is traced.

    The result is an array of `aval`. Inside `vmap` every example draws for itself, in the order of
    the examples.
    """
    known = state.draws
    if type(known) is _ITERATOR:  # what was drawn is computed with again
        return next(known)
    keys = [x.key for x in operands if isinstance(x, Tensor)]
    check_loop(f"random.{name}", "Draw before the loop, and pass the numbers: xs of gt.scan.")
    sizes = tuple(level.size for level in state.batches)
    made = Draw(name, function, aval, sizes)
    if state.levels:
        operands = [spread(x) for x in operands]
    tapes = state.tapes
    why = ended(None, "nondifferentiable", keys, f"random.{name}") if any(keys) else None
    if tapes and tapes[0].is_trace:
        trace: Any = tapes[0]
        values = [trace.variable(stream), *map(raw, operands)]
        numbers, after = trace.emit(made, values, {}, [values[0], *operands])
        trace.assign(stream, "draw", after, None)
        found: Any = new_traced(numbers, 0, why)
    else:
        with stream.lock:
            found = made.numbers(stream.rng, *(np.asarray(raw(x)) for x in operands))[()]
        if keys:
            found = new_traced(found, 0, why)
    for level in state.batches:
        found = new_traced(Batch(level, found), next_key(), why)
    if known is not None:
        known.append(found)
    return found


def check_loop(name: str, remedy: str) -> None:
    """Refuse an effect of each example in a region that examples share."""
    tapes: Any = state.tapes
    if not (tapes and tapes[0].is_trace and tapes[0].parent is not None):
        return
    if any(level.stamp < tapes[0].level for level in state.batches):
        raise TracingError(
            three_part(
                f"{name}: in a loop, gt.cond or gt.checkpoint inside gt.vmap, while tracing.",
                f"Called at {decode(*here())}; there each example would have an effect of its own.",
                remedy,
            )
        )


def primal(x: Any) -> Any:
    """`x` without the tangents of the levels around."""
    held = x.read() if isinstance(x, Tensor) else x
    while isinstance(held, Dual):
        x = held.primal
        held = x.read() if isinstance(x, Tensor) else x
    return x


def spread(x: Any) -> Any:
    """`x` with the axes of all active `vmap` calls in front, the outermost first."""
    for level in reversed(state.batches):
        x = primal(x)
        held = x.read() if isinstance(x, Tensor) else x
        if isinstance(held, Batch) and held.level is level:
            x = held.inner
        else:
            x = np.broadcast_to(x, (level.size, *np.shape(x)))
    x = primal(x)
    tapes = state.tapes  # a function that is traced takes batches around it as inputs
    assert not isinstance(raw(x), Lift) or (tapes and tapes[0].is_trace)
    return x
