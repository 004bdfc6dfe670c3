"""The global seed, and the streams of random numbers that come from it.

TensorFlow's rules, and not its bits: an operation without a seed of its own takes the next one of
a sequence that `set_seed` starts anew; one with a seed goes on, at each call, where the last call
of the same operation with the same seed and dtype ended. Without `set_seed`, a seed of an
operation is as good as one and no seed at all is a surprise.
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from ...core.aval import Aval
from ...core.positions import decode, here
from ...core.streams import Stream, seeded
from ...core.streams import draw as drawn
from ...errors import three_part
from .errors import RefusedState, RefusedType

DEFAULT_SEED = 87654321  # stands for the global one where only an operation has a seed
_LARGEST = 2**31 - 2
_WORD = 2**64 - 1


class _State:
    """The process's: TensorFlow's is no matter of threads either.

    `sequence` gives the seeds of operations that have none; it is a stream itself, so that a
    compiled function draws the next seed at each call, as eager mode does.
    """

    def __init__(self) -> None:
        self.seed: int | None = None
        self.sequence = Stream(name="seeds")
        self.streams: dict[Any, Stream] = {}
        self.must_be_seeded = False  # tf.config.experimental.enable_op_determinism


_state = _State()


def set_seed(seed: Any) -> None:
    """Start the sequence of seeds, and every stream that has one, anew."""
    seeded["tf.random.set_seed"] = _state.seed = None if seed is None else whole(seed)
    _state.sequence.restart(None if seed is None else _words("sequence", _state.seed))
    for key, stream in _state.streams.items():
        stream.restart(_words(*_with_global(key)))


def demand_seeds() -> None:
    """From now on, an operation that has no seed and no global one is refused."""
    _state.must_be_seeded = True


def seeds_are_demanded() -> bool:
    """Whether `demand_seeds` was called."""
    return _state.must_be_seeded


def whole(seed: Any) -> int:
    """A seed as an int."""
    try:
        return int(seed)
    except (TypeError, ValueError):
        raise RefusedType(
            three_part(
                f"A seed is a whole number, not {seed!r:.60}.",
                f"Given at {decode(*here())}.",
                "Pass an int: tf.random.set_seed(42).",
            )
        ) from None


def pair(seed: Any) -> tuple[int, int] | None:
    """(global seed, operation's seed); None where neither is set."""
    if seed is not None:
        return DEFAULT_SEED if _state.seed is None else _state.seed, whole(seed)
    if _state.seed is not None:
        with _state.sequence.lock:
            return _state.seed, int(_state.sequence.rng.integers(_LARGEST))
    _check_seeded()
    return None


def _check_seeded() -> None:
    if _state.must_be_seeded and _state.seed is None:
        raise RefusedState(
            three_part(
                "Random ops require a seed to be set when determinism is enabled.",
                f"Called at {decode(*here())}, after tf.config.experimental."
                "enable_op_determinism().",
                "Set one: tf.random.set_seed(1).",
            )
        )


def draw(
    kind: str, dtype: Any, seed: Any, function: Any, shape: Any, operands: Any = (),
    held: Any = None,
) -> Any:  # fmt: skip
    """`function(rng, *operands)` of an operation of this kind and dtype, given its seed.

    An array of `shape`, or a Tensor while something is traced.
    """
    aval = Aval(tuple(shape), np.dtype(dtype.held() if held is None else held))
    if seed is not None:
        key = (kind, str(dtype), whole(seed))
        stream = _state.streams.get(key)
        if stream is None:
            stream = _state.streams[key] = Stream(_words(*_with_global(key)), f"tf.random {key}")
        return drawn(stream, kind, function, aval, operands)
    _check_seeded()

    def once(rng: np.random.Generator, *operands: Any) -> Any:  # its seed is used once
        return function(fresh(kind, str(dtype), rng.integers(_LARGEST)), *operands)

    return drawn(_state.sequence, kind, once, aval, operands)


def _with_global(key: tuple[Any, ...]) -> tuple[Any, ...]:
    kind, dtype, seed = key
    return kind, dtype, DEFAULT_SEED if _state.seed is None else _state.seed, seed


def fresh(*key: Any) -> np.random.Generator:
    """A stream that depends on words and whole numbers alone."""
    return np.random.Generator(np.random.PCG64(_words(*key)))


def _words(*key: Any) -> Any:
    words = [zlib.crc32(k.encode()) if isinstance(k, str) else int(k) & _WORD for k in key]
    return np.random.SeedSequence(words)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """What is drawn inside leaves the sequence and the streams as they were."""
    known = dict(_state.streams)
    saved = [(stream, stream.value) for stream in (_state.sequence, *known.values())]
    try:
        yield
    finally:
        _state.streams = known
        for stream, words in saved:
            stream.assign(words)
