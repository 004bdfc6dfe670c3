"""Seeds: what the random numbers of a run began with, found where the generators keep it.

Nothing is wrapped and no draw is watched. A generator of NumPy's knows the entropy that it was made
of. What `np.random.seed(n)` does is not kept by NumPy, but it can be read from the state: the
Mersenne twister's steps can be undone, and the state that a seed makes is known by its form.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..core.positions import user_frame
from ..core.streams import seeded
from ..random import Generator

__all__ = ["Seeds", "initial_seed", "names_around"]

Words = np.ndarray[Any, np.dtype[np.uint32]]

_NAMES = ("SEED", "seed", "RANDOM_SEED", "random_seed")
_POOL = 4  # words of a SeedSequence that was not asked for more
_MOST_PARTS = 1000  # of an object, a dict, a list that is looked into
_MOST_UNDONE = 3_000  # blocks of 624 draws
_UPPER, _LOWER, _ODD = (np.uint32(x) for x in (0x80000000, 0x7FFFFFFF, 0x9908B0DF))
_ONE, _TOP = np.uint32(1), np.uint32(31)
_FACTOR = 1812433253
_BACK = pow(_FACTOR, -1, 1 << 32)


class Seeds:
    """The seeds of a run by where they were found.

    A variable called SEED or like it, a generator by the variable that holds it, and the calls
    `np.random.seed`, `gt.random.seed` and `tf.random.set_seed` by their own names.

    Examples
    --------
    >>> rng = np.random.default_rng(3)
    >>> seeds = Seeds()
    >>> seeds.look({"SEED": 7, "rng": rng})
    >>> seeds.found["SEED"], seeds.found["rng"]
    (7, 3)
    """

    def __init__(self) -> None:
        self.found: dict[str, Any] = {}
        self._twisted: dict[str, Words] = {}  # states whose seed is still to be found

    def look(self, scope: Mapping[str, Any]) -> None:
        """Add what can be seen at once; what needs computing waits for `settle`."""
        for name in _NAMES:
            value = scope.get(name)
            if _is_seed(value):
                self.found.setdefault(name, _plain(value))
        for name, value in seeded.items():
            if value is not None:
                self.found.setdefault(name, _plain(value))
        if "numpy.random" in sys.modules:
            self._add("np.random.seed", np.random.mtrand._rand, is_global=True)
            for name, generator in _generators(scope):
                self._add(name, generator)

    def settle(self) -> None:
        """Find the seeds of Mersenne twisters that `look` came across."""
        while self._twisted:
            name, key = self._twisted.popitem()
            value = initial_seed(key)
            if value is not None and self.found.setdefault(name, value) != value:
                self.found[f"{name}, later"] = value

    def tell(self, writer: Any) -> None:
        """Set the run's `seed`, where one was found."""
        self.settle()
        if self.found:
            writer.set("seed", self.found)

    def _add(self, name: str, generator: Any, is_global: bool = False) -> None:
        if generator is np.random.mtrand._rand and not is_global:
            return
        if isinstance(generator, Generator):
            if generator.seeded_by is not None:
                self.found[name] = _plain(generator.seeded_by)
            return
        if isinstance(generator, np.random.SeedSequence):
            self._sequence(name, generator)
            return
        bits = generator
        if not isinstance(generator, np.random.BitGenerator):
            bits = getattr(generator, "bit_generator", None) or generator._bit_generator
        sequence = bits.seed_seq
        if sequence is None:
            if bits.state["bit_generator"] == "MT19937":
                self._twisted[name] = bits.state["state"]["key"].astype(np.uint32)
        elif not is_global:  # a global one that has it was never seeded by the user
            self._sequence(name, sequence)

    def _sequence(self, name: str, sequence: Any) -> None:
        """What a SeedSequence is made of; any other one says what it is."""
        if not isinstance(sequence, np.random.SeedSequence):
            self.found[name] = _plain(getattr(sequence, "entropy", sequence))
            return
        self.found[name] = _plain(sequence.entropy)
        if sequence.spawn_key:
            self.found[f"{name}.spawn_key"] = list(sequence.spawn_key)
        if sequence.pool_size != _POOL:
            self.found[f"{name}.pool_size"] = sequence.pool_size


def names_around() -> dict[str, Any]:
    """What the user's names stand for: in the script, and where the call comes from."""
    frame, script = user_frame(), sys.modules.get("__main__")
    return {**(vars(script) if script else {}), **frame.f_globals, **frame.f_locals}


def _generators(scope: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The generators that names lead to, directly or as a part of what they name."""
    kinds = (np.random.Generator, np.random.RandomState, Generator,
             np.random.BitGenerator, np.random.SeedSequence)  # fmt: skip
    for name, value in list(scope.items()):
        if name.startswith("_"):
            continue
        if isinstance(value, kinds):
            yield name, value
        elif isinstance(value, list | tuple):
            parts = enumerate(value[:_MOST_PARTS])
            yield from ((f"{name}[{i}]", x) for i, x in parts if isinstance(x, kinds))
        elif isinstance(value, dict):
            entries = list(value.items())[:_MOST_PARTS]
            yield from ((f"{name}[{key!r}]", x) for key, x in entries if isinstance(x, kinds))
        elif not isinstance(value, type) and type(value).__module__ == "__main__":
            held = list((getattr(value, "__dict__", None) or {}).items())[:_MOST_PARTS]
            yield from ((f"{name}.{part}", x) for part, x in held if isinstance(x, kinds))


def _is_seed(value: Any) -> bool:
    """Whether a value is a whole number, or some of them, as a generator takes them."""
    if isinstance(value, list | tuple):
        return 0 < len(value) <= _MOST_PARTS and all(map(_is_seed, value))
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "iu" and 0 < value.size <= _MOST_PARTS
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _plain(seed: Any) -> Any:
    """A seed as JSON can hold it."""
    if isinstance(seed, list | tuple | np.ndarray):
        return [_plain(part) for part in seed]
    return int(seed) if isinstance(seed, int | np.integer) else str(seed)


def initial_seed(key: Words) -> int | list[int] | None:
    """The whole number, or the list of them, that seeded a Mersenne twister in this state.

    None where it was seeded otherwise, or has drawn more than a million numbers since.

    Seeding fills 624 words by x[i] = 1812433253 (x[i-1] ^ x[i-1] >> 30) + i, the first being the
    seed; drawing replaces all of them at a time. (Matsumoto and Nishimura, ACM TOMACS 8, 1998.)

    Examples
    --------
    >>> rng = np.random.RandomState(42)
    >>> _ = rng.normal(size=5000)
    >>> initial_seed(rng.get_state()[1])
    42
    """
    key = key.copy()
    for _ in range(_MOST_UNDONE):
        second = int(key[1])
        mixed = ((second - 1) * _BACK) & 0xFFFFFFFF
        if _follows(second, 2) == int(key[2]) and _is_seeded(key):
            return mixed ^ (mixed >> 30)
        words = _array_seed(key) if key[0] & _UPPER else None  # its other bits are not told
        if words is not None:
            return words
        key = _undone(key)
    return None


def _follows(word: int, i: int) -> int:
    return (_FACTOR * (word ^ (word >> 30)) + i) & 0xFFFFFFFF


def _is_seeded(key: Words) -> bool:
    return all(_follows(int(key[i - 1]), i) == int(key[i]) for i in range(2, len(key)))


def _array_seed(key: Words) -> list[int] | None:
    """The words of which `init_by_array` made this state; None if it has not.

    It goes twice over the words x of the seed 19650218: x[i] = (x[i] ^ f(x[i-1])) + w[j] + j with j
    running through the seed w, then without w. The second is undone, and what the first has added
    repeats itself with the length of w. (Matsumoto and Nishimura's mt19937ar.c, 2002.)
    """
    words = [19650218]
    for i in range(1, len(key)):
        words.append(_follows(words[-1], i))
    first, after = np.array(words, np.uint32), key.copy()
    number = np.arange(len(key), dtype=np.uint32)
    after[3:] = (key[3:] + number[3:]) ^ _mixed(key[2:-1], 1566083941)
    added = after[4:] - (first[4:] ^ _mixed(after[3:-1], 1664525))
    for length in 1 + np.flatnonzero(added[1 : len(added) // 2] == added[0]):
        if np.array_equal(added[length:], added[:-length]):
            # added[n] stands at x[n + 4], where j is (n + 3) modulo the length
            found = [(int(added[(j - 3) % length]) - j) & 0xFFFFFFFF for j in range(length)]
            made: Any = np.random.RandomState(found).get_state()
            return found if np.array_equal(made[1][1:], key[1:]) else None
    return None


def _mixed(words: Words, factor: int) -> Words:
    return (words ^ (words >> np.uint32(30))) * np.uint32(factor)


def _undone(new: Words) -> Words:
    """The words before they were last replaced.

    old -> new is new[k] = (old or new)[k + 397] ^ y[k] >> 1, with y[k] the top bit of old[k] and
    the other bits of old[k + 1], and 0x9908b0df added where y[k] is odd, which shows in the top.
    """
    old = np.empty_like(new)
    late = _decoded(new[227:] ^ new[:397])  # y[227] to y[623]
    old[228:] = (late[1:] & _UPPER) | (late[:-1] & _LOWER)
    early = _decoded(new[:227] ^ old[397:])  # y[0] to y[226]
    old[1:227] = (early[1:] & _UPPER) | (early[:-1] & _LOWER)
    old[227] = (late[0] & _UPPER) | (early[-1] & _LOWER)
    # the other bits of the first word: from the word that was made of it, one block earlier
    before = _decoded(old[623:] ^ old[396:397])
    old[0] = (early[0] & _UPPER) | (before[0] & _LOWER)
    return old


def _decoded(mixed: Words) -> Words:
    """What y >> 1 is made of, to which 0x9908b0df is added where y is odd."""
    odd = mixed >> _TOP
    return ((mixed ^ (odd * _ODD)) << _ONE) | odd
