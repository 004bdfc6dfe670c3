"""The global seed, and the streams of random numbers that come from it.

TensorFlow's rules, and not its bits: an operation without a seed of its own takes the next one of
a sequence that `set_seed` starts anew; one with a seed goes on, at each call, where the last call
of the same operation with the same seed and dtype ended. Without `set_seed`, a seed of an
operation is as good as one and no seed at all is a surprise.
"""

from __future__ import annotations

import contextlib
import random
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from ...core.positions import decode, here
from ...errors import three_part
from .errors import RefusedState, RefusedType

DEFAULT_SEED = 87654321  # stands for the global one where only an operation has a seed
_LARGEST = 2**31 - 2
_WORD = 2**64 - 1


class _State:
    """The process's: TensorFlow's is no matter of threads either."""

    def __init__(self) -> None:
        self.seed: int | None = None
        self.sequence = random.Random()
        self.streams: dict[Any, np.random.Generator] = {}
        self.must_be_seeded = False  # tf.config.experimental.enable_op_determinism
        self.free = np.random.Generator(np.random.PCG64())


_state = _State()


def set_seed(seed: Any) -> None:
    """Start the sequence of seeds, and every stream that has one, anew."""
    _state.seed = None if seed is None else whole(seed)
    _state.sequence = random.Random(_state.seed)
    _state.streams.clear()


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
        return _state.seed, _state.sequence.randint(0, _LARGEST)
    if _state.must_be_seeded:
        raise RefusedState(
            three_part(
                "Random ops require a seed to be set when determinism is enabled.",
                f"Called at {decode(*here())}, after tf.config.experimental."
                "enable_op_determinism().",
                "Set one: tf.random.set_seed(1).",
            )
        )
    return None


def stream(kind: str, dtype: Any, seed: Any) -> np.random.Generator:
    """The stream that an operation of this kind and dtype reads, given its seed."""
    seeds = pair(seed)
    if seeds is None:
        return _state.free
    key = (kind, str(dtype), *seeds)
    if seed is None:
        return fresh(*key)  # its seed is used once
    found = _state.streams.get(key)
    if found is None:
        found = _state.streams[key] = fresh(*key)
    return found


def fresh(*key: Any) -> np.random.Generator:
    """A stream that depends on words and whole numbers alone."""
    words = [zlib.crc32(k.encode()) if isinstance(k, str) else int(k) & _WORD for k in key]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(words)))


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """What is drawn inside leaves the sequence and the streams as they were."""
    import copy

    saved = _state.sequence.getstate(), copy.deepcopy(_state.streams)
    try:
        yield
    finally:
        _state.sequence.setstate(saved[0])
        _state.streams = saved[1]
