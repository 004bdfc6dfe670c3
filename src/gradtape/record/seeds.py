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
            if isinstance(value, int | np.integer) and not isinstance(value, bool):
                self.found.setdefault(name, int(value))
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
        bits = getattr(generator, "bit_generator", None) or generator._bit_generator
        sequence = bits.seed_seq
        if sequence is None:
            if bits.state["bit_generator"] == "MT19937":
                self._twisted[name] = bits.state["state"]["key"].astype(np.uint32)
        elif not is_global:  # a global one that has it was never seeded by the user
            self.found[name] = _plain(sequence.entropy)
            if getattr(sequence, "spawn_key", ()):
                self.found[f"{name}.spawn_key"] = list(sequence.spawn_key)


def names_around() -> dict[str, Any]:
    """What the user's names stand for: in the script, and where the call comes from."""
    frame, script = user_frame(), sys.modules.get("__main__")
    return {**(vars(script) if script else {}), **frame.f_globals, **frame.f_locals}


def _generators(scope: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The generators that names lead to, directly or as a part of what they name."""
    kinds = (np.random.Generator, np.random.RandomState, Generator)
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


def _plain(seed: Any) -> Any:
    """A seed as JSON can hold it."""
    if isinstance(seed, list | tuple | np.ndarray):
        return [_plain(part) for part in seed]
    return int(seed) if isinstance(seed, int | np.integer) else str(seed)


def initial_seed(key: Words) -> int | None:
    """The whole number that seeded a legacy Mersenne twister which is in this state now.

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
        key = _undone(key)
    return None


def _follows(word: int, i: int) -> int:
    return (_FACTOR * (word ^ (word >> 30)) + i) & 0xFFFFFFFF


def _is_seeded(key: Words) -> bool:
    return all(_follows(int(key[i - 1]), i) == int(key[i]) for i in range(2, len(key)))


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
