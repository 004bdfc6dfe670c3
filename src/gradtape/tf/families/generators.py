"""tf.random.Generator: a stream of random numbers whose state is a Variable."""

from __future__ import annotations

import enum
import secrets
from typing import Any

import numpy as np

from ...core.positions import decode, here
from ...errors import three_part
from ..base import draws, seeds
from ..base.dtypes import DTYPES, as_dtype
from ..base.errors import KINDS, RefusedState, RefusedValue
from ..base.making import native, natural, op
from ..base.names import export, lookup
from ..base.tensors import Tensor, make
from ..base.variables import Variable

float32, int32, int64, uint64 = (DTYPES[n] for n in ("float32", "int32", "int64", "uint64"))
BLOCK = 256  # how far a number moves the counter
_WORD = 2**64


@export("random.Algorithm", "random.experimental.Algorithm")
class Algorithm(enum.Enum):
    """Names of TensorFlow's algorithms; here they only give the state its length."""

    PHILOX = 1
    THREEFRY = 2
    AUTO_SELECT = 3


_LENGTHS = {1: 3, 2: 2, 3: 3}


def _algorithm(alg: Any) -> int:
    if alg is None:
        return 1
    if isinstance(alg, str):
        found = {"philox": 1, "threefry": 2, "auto_select": 3}.get(alg)
    elif isinstance(alg, Algorithm):
        found = alg.value
    else:
        found = int(alg) if not isinstance(alg, Tensor) else int(alg.value)
    if found not in _LENGTHS:
        raise RefusedValue(
            three_part(
                f"Argument `alg` got unsupported value {alg!r}. Supported values are philox, "
                "threefry and auto_select.",
                f"Called at {decode(*here())}.",
                'Leave it out, or pass alg="philox".',
            )
        )
    return 1 if found == 3 else found


def _signed(words: Any) -> Any:
    return np.array([int(w) % _WORD for w in words], np.uint64).astype(np.int64)


def _state_of(seed: Any, alg: int) -> Any:
    """The state that a seed stands for: a number fills the first word, a list the words."""
    value: Any = seed if isinstance(seed, int) else natural(seed).value
    if getattr(value, "dtype", None) == np.dtype(object):
        raise KINDS["UnimplementedError"](
            None,
            None,
            three_part(
                "Cast string to int64 is not supported.",
                f"A generator got the seed {seed!r:.60} at {decode(*here())}.",
                "Pass a whole number.",
            ),
        )
    length = _LENGTHS[alg]
    if np.ndim(value) == 0 and np.asarray(value).dtype.kind == "f":
        value = [value]
    if np.ndim(value) == 0:
        number = int(value)
        words = [number] + [-1 if number < 0 else 0] * (length - 1)
    else:
        given = [int(w) for w in value][:length]
        words = [0] * (length - len(given)) + given
    return _signed(words)


@op("random.create_rng_state", "random.experimental.create_rng_state")
def create_rng_state(seed: Any, alg: Any) -> Any:
    """The state of a generator that starts from `seed`."""
    return make(_state_of(seed, _algorithm(alg)))


@export("random.Generator", "random.experimental.Generator")
class Generator:
    """Random numbers whose state is the Variable `state`, which a checkpoint can hold.

    Each call moves the state on; `reset_from_seed` puts it back.
    """

    def __init__(self, copy_from: Any = None, state: Any = None, alg: Any = None) -> None:
        if copy_from is not None:
            state, alg = copy_from.state, copy_from.algorithm
        elif state is None or alg is None:
            raise RefusedState(
                three_part(
                    "tf.random.Generator cannot be made without a state and an algorithm.",
                    f"Called at {decode(*here())}.",
                    "Use tf.random.Generator.from_seed(1).",
                )
            )
        self._alg = _algorithm(alg)
        value = natural(state).value
        self._demand(value)
        if isinstance(state, Variable) and copy_from is None:
            self.state = state  # shared: what one draws moves the other on
        else:
            value = value.astype(np.int64)
            self.state = Variable(value, dtype=int64, trainable=False, name="StateVar")

    @classmethod
    def from_seed(cls, seed: Any, alg: Any = None) -> Generator:
        """A generator that starts from a seed."""
        alg = _algorithm(alg)
        return cls(state=_state_of(seed, alg), alg=alg)

    @classmethod
    def from_state(cls, state: Any, alg: Any) -> Generator:
        """A generator that goes on from the state of another."""
        return cls(state=state, alg=alg)

    @classmethod
    def from_non_deterministic_state(cls, alg: Any = None) -> Generator:
        """A generator that starts anywhere."""
        if seeds.seeds_are_demanded():
            raise RefusedState(
                three_part(
                    '"from_non_deterministic_state" cannot be called when determinism is enabled.',
                    f"Called at {decode(*here())}.",
                    "Use tf.random.Generator.from_seed(1).",
                )
            )
        alg = _algorithm(alg)
        return cls(state=_signed(secrets.randbits(64) for _ in range(_LENGTHS[alg])), alg=alg)

    @classmethod
    def from_key_counter(cls, key: Any, counter: Any, alg: Any) -> Generator:
        """A generator of a key, and a counter of one word (threefry) or two (philox)."""
        alg = _algorithm(alg)
        return cls(state=_of_key(key, counter, alg), alg=alg)

    def reset(self, state: Any) -> None:
        """Go on from `state`."""
        value = natural(state).value
        self._demand(value)
        self.state.assign(value.astype(np.int64))

    def reset_from_seed(self, seed: Any) -> None:
        """Go on as a generator made from `seed`."""
        self.state.assign(_state_of(seed, self._alg))

    def reset_from_key_counter(self, key: Any, counter: Any) -> None:
        """Go on from a key and a counter."""
        self.state.assign(_of_key(key, counter, self._alg))

    def _demand(self, value: Any) -> None:
        if value.shape != (_LENGTHS[self._alg],):
            raise RefusedValue(
                three_part(
                    f"Shapes {value.shape} and [{_LENGTHS[self._alg]}] are incompatible.",
                    f"The state of this algorithm has {_LENGTHS[self._alg]} words; given at "
                    f"{decode(*here())}.",
                    "Pass the state of another generator: g.state.",
                )
            )

    @property
    def algorithm(self) -> int:
        return self._alg

    @property
    def key(self) -> Tensor:
        """The word of the state that stays."""
        return make(self.state.held.value[-1])

    def skip(self, delta: Any) -> Tensor:
        """The state before the counter moves on by as much as `delta` numbers."""
        before = self.state.held.value.copy()
        amount = int(natural(delta).value)
        # all words but the last are one counter, the lowest word first
        words = [int(w) % _WORD for w in before]
        counter = sum(w << (64 * i) for i, w in enumerate(words[:-1]))
        counter += amount * BLOCK % _WORD
        moved = [(counter >> (64 * i)) % _WORD for i in range(len(words) - 1)]
        self.state.assign(_signed([*moved, words[-1]]))
        return make(before)

    def _stream(self, kind: str, amount: int) -> np.random.Generator:
        """The numbers at the present state, which moves on."""
        return seeds.fresh(kind, *(int(w) for w in self.skip(amount).value))

    # ------------------------------------------------------------------ distributions

    def normal(
        self,
        shape: Any,
        mean: Any = 0.0,
        stddev: Any = 1.0,
        dtype: Any = float32,
        name: Any = None,
    ) -> Any:
        """Normal numbers."""
        return _scaled(self, "normal", draws.normal, shape, mean, stddev, dtype)

    def truncated_normal(
        self,
        shape: Any,
        mean: Any = 0.0,
        stddev: Any = 1.0,
        dtype: Any = float32,
        name: Any = None,
    ) -> Any:
        """Normal numbers of which those beyond two standard deviations are drawn again."""
        return _scaled(self, "truncated", draws.truncated, shape, mean, stddev, dtype)

    def uniform(
        self,
        shape: Any,
        minval: Any = 0,
        maxval: Any = None,
        dtype: Any = float32,
        name: Any = None,
    ) -> Any:
        """Numbers in [minval, maxval)."""
        stateless = lookup("random.stateless_uniform")
        return stateless(shape, self._seed(shape), minval, maxval, dtype)

    def uniform_full_int(self, shape: Any, dtype: Any = uint64, name: Any = None) -> Any:
        """Whole numbers over the whole range of the dtype."""
        lengths, dtype = draws.lengths(shape), as_dtype(dtype)
        rng = self._stream("full", int(np.prod(lengths, dtype=int)))
        return draws.tensor(draws.full(rng, lengths, dtype), dtype)

    def binomial(
        self, shape: Any, counts: Any, probs: Any, dtype: Any = int32, name: Any = None
    ) -> Any:
        """Successes among `counts` trials of probability `probs`."""
        # TensorFlow moves the state of its binomial 125 times as far
        return lookup("random.stateless_binomial")(
            shape, self._seed(shape, 125), counts, probs, dtype
        )

    def _seed(self, shape: Any, steps: int = 1) -> Any:
        amount = int(np.prod(draws.lengths(shape), dtype=int))
        return self._stream("seed", amount * steps).integers(0, 2**62, 2)

    def make_seeds(self, count: Any = 1) -> Tensor:
        """[2, count] whole numbers, a column for each seed of a stateless function."""
        count = int(count)
        words = draws.full(self._stream("full", count), (count,), int64)
        return make(np.stack([words, np.zeros_like(words)]))

    def split(self, count: Any = 1) -> list[Generator]:
        """Generators that are independent of this one and of each other."""
        keys = self.make_seeds(count).value[0]
        counter = [0] * (_LENGTHS[self._alg] - 1)
        return [Generator(state=_signed([*counter, key]), alg=self._alg) for key in keys]


@op()
def _scaled(self: Any, kind: str, draw: Any, shape: Any, mean: Any, stddev: Any, dtype: Any) -> Any:
    lengths, dtype = draws.lengths(shape), as_dtype(dtype)
    mean, stddev = native(mean, dtype), native(stddev, dtype)
    draws.accept(dtype, draws.REALS)
    rng = self._stream(kind, int(np.prod(lengths, dtype=int)))
    return np.add(np.multiply(native(draws.tensor(draw(rng, lengths, dtype), dtype)), stddev), mean)


def _of_key(key: Any, counter: Any, alg: int) -> Any:
    words = natural(counter).value
    if words.shape != (_LENGTHS[alg] - 1,):
        raise RefusedValue(
            three_part(
                f"Shapes {words.shape} and [{_LENGTHS[alg] - 1}] are incompatible.",
                f"Given as the counter at {decode(*here())}.",
                "Pass counter=[0, 0].",
            )
        )
    return _signed([*words, natural(key).value])


class _Global:
    generator: Generator | None = None


@export("random.get_global_generator", "random.experimental.get_global_generator")
def get_global_generator() -> Generator:
    """The generator that all parts of a program can share; it starts anywhere."""
    if _Global.generator is None:
        _Global.generator = Generator.from_non_deterministic_state()
    return _Global.generator


@export("random.set_global_generator", "random.experimental.set_global_generator")
def set_global_generator(generator: Any) -> None:
    """Share another generator."""
    _Global.generator = generator
