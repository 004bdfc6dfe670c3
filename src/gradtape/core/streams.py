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

from .aval import Aval
from .examples import Effect, lifted, spread
from .lift import Batch
from .operands import ended
from .state import Recorder, state
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


class Draw(Effect):
    """One way of drawing, as an operation of a graph: `function(rng, *operands)` with an aval."""

    __slots__ = ("aval", "function", "name")

    def __init__(
        self, name: str, function: Callable[..., Any], aval: Aval, sizes: tuple[int, ...] = (),
        parted: bool = False,
    ) -> None:  # fmt: skip
        self.name, self.function, self.aval = f"draw.{name}", function, aval
        self.sizes, self.parted = sizes, parted

    def of_a_batch(self, size: int) -> Draw:
        """The same draw of `size` examples."""
        name = self.name.removeprefix("draw.")
        return Draw(name, self.function, self.aval, (size, *self.sizes), self.parted)

    def shape(self, avals: Any, params: Any) -> tuple[Aval, Aval]:
        """The avals of the numbers and of the state after."""
        return Aval((*self.sizes, *self.aval.shape), self.aval.dtype), _STATE

    def impl(self, words: Any, *operands: Any) -> Any:
        """(numbers, state after) for a state."""
        found = self.play(words, operands)
        if found is not None:
            return found
        rng = _scratch.rng
        if rng is None:
            rng = _scratch.rng = _generator(0)
        unpack(rng, words)
        numbers = self.numbers(rng, *operands)
        return numbers, packed(rng)

    def lifted(self, level: Any, found: Any) -> Any:
        """The numbers as those of one example; all have one state after."""
        return Batch(level, found[0]), found[1]

    def numbers(self, rng: np.random.Generator, *operands: Any) -> Any:
        """The numbers alone; zeros for examples that take no part."""
        part: Any = None
        if self.parted:
            part, operands = operands[0], operands[1:]
        if not self.sizes:
            if part is not None and not part:
                return np.zeros(self.aval.shape, self.aval.dtype)
            return np.asarray(self.function(rng, *operands), self.aval.dtype)
        found = np.zeros((*self.sizes, *self.aval.shape), self.aval.dtype)
        for i in np.ndindex(self.sizes):
            if part is None or part[i]:
                found[i] = self.function(rng, *(x[i] for x in operands))
        return found


class replayed:
    """Draws inside the first `with` are kept, those inside a later one are the same numbers.

    What is drawn for the first time inside another such `with` is kept there too, or comes from
    what that one kept. While a function is traced, what is kept are the states that its generators
    had; a loop or a branch that is traced alone keeps the state that it takes.
    """

    __slots__ = ("around", "held", "kept", "saved", "starts")

    def __init__(self) -> None:
        self.kept: list[Any] | None = None
        self.starts: Any = None  # of a trace: (itself, the states before)

    def __enter__(self) -> replayed:
        self.saved = state.draws
        self.around: list[Any] | None = None  # what the `with` around has, at the first time
        self.held: list[Any] = []
        trace = _running_trace()
        if trace is not None:
            if self.starts is None:
                self.starts = trace, trace.states(Stream)
            elif self.starts[0] is trace:
                self.held = trace.begin_again(Stream, self.starts[1])
            return self
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
        for held, current, assigned in self.held:
            held.current, held.assigned = current, assigned
        if _running_trace() is not None:
            return
        if type(drawn) is not _ITERATOR:
            if self.around is not None:
                self.around += drawn
        elif self.around is not None:
            left = drawn.__length_hint__()
            count = len(self.around) - left
            self.kept, state.draws = self.around[:count], iter(self.around[count:])
        self.around = None


def _running_trace() -> Any:
    tapes: Any = state.tapes
    return tapes[0] if tapes and tapes[0].is_trace else None


def words_before(variable: Variable) -> Any:
    """What a loop or a branch takes for a Variable that it assigns."""
    known: Any = state.draws
    if not isinstance(variable, Stream) or known is None or _running_trace() is not None:
        return variable
    if type(known) is _ITERATOR:
        return next(known)
    words = variable.value
    known.append(words)
    return words


def words_after(variable: Variable, value: Any) -> None:
    """Assign what a loop or a branch leaves, where it is not computed a second time."""
    again = isinstance(variable, Stream) and type(state.draws) is _ITERATOR
    if not again or _running_trace() is not None:
        variable.assign(value)


def draw(
    stream: Stream, name: str, function: Callable[..., Any], aval: Aval, operands: Any = ()
) -> Any:
    """`function(rng, *operands)`: a Tensor where operands are Tensors or something is traced.

    The result is an array of `aval`. Inside `vmap` every example draws for itself, in the order of
    the examples.
    """
    trace = _running_trace()
    known: Any = state.draws if trace is None else None
    if type(known) is _ITERATOR:  # what was drawn is computed with again
        return next(known)
    keys = [x.key for x in operands if isinstance(x, Tensor)]
    part = None if trace is None else trace.part
    if part is not None:
        operands = [part, *operands]
    sizes = tuple(level.size for level in state.batches)
    made = Draw(name, function, aval, sizes, part is not None)
    if state.levels:
        operands = [spread(x) for x in operands]
    why = ended(None, "nondifferentiable", keys, f"random.{name}") if any(keys) else None
    if trace is not None:
        values = [trace.variable(stream), *map(raw, operands)]
        numbers, after = trace.emit(made, values, {}, [values[0], *operands])
        trace.assign(stream, "draw", after, None)
        found: Any = new_traced(numbers, 0, why)
    else:
        with stream.lock:
            found = made.numbers(stream.rng, *(np.asarray(raw(x)) for x in operands))[()]
        if keys:
            found = new_traced(found, 0, why)
    found = lifted(found, why)
    if known is not None:
        known.append(found)
    return found
