"""`gt.random`: NumPy's random numbers, drawn anew at each call of a compiled function.

With the same seed the numbers are those of `np.random.default_rng(seed)`, in eager mode, in
compiled functions, and inside `gt.scan` and the other loops. Imports core only; `core/streams.py`
is what a draw is.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from .core.aval import Aval, aval_of
from .core.positions import decode, here
from .core.refusals import ArgumentTypeError, ArgumentValueError
from .core.streams import Stream, draw, seeded
from .core.symbol import is_traced
from .core.tensor import Tensor, new_tensor, raw
from .errors import DTypeError, ShapeError, three_part

__all__ = [
    "Generator", "bernoulli", "choice", "default_rng", "exponential", "integers", "normal",
    "permutation", "poisson", "random", "seed", "standard_normal", "uniform",
]  # fmt: skip

_FLOATS = ("float64", "float32")


class Generator:
    """Random numbers of one stream; `gt.random.default_rng(seed)` makes one.

    Parameters
    ----------
    seed : int, sequence of int, SeedSequence, optional
        The numbers are those of `np.random.default_rng(seed)`; without one, others in every run.

    Notes
    -----
    Where `np.random` would draw once while a compiled function is traced, and every call would
    compute with the same numbers, these draw at each call. A call that raises has drawn nothing.

    Numbers are constants to derivatives; `normal`, `uniform` and `exponential` have derivatives
    with respect to what shifts and scales them. Inside `gt.vmap`, each example draws for itself.
    Threads may share a Generator; a compiled function holds it while it runs.

    Results are plain arrays where all arguments are plain, and Tensors in a compiled function.

    Examples
    --------
    >>> import numpy as np, gradtape as gt
    >>> rng = gt.random.default_rng(0)
    >>> @gt.function
    ... def noisy(x):
    ...     return x + rng.normal(size=2)
    >>> bool(np.all(noisy(np.zeros(2)) == noisy(np.zeros(2))))
    False
    """

    def __init__(self, seed: Any = None) -> None:
        self._stream = Stream(seed)

    def __repr__(self) -> str:
        return "<gradtape random generator>"

    def seed(self, seed: Any = None) -> None:
        """Begin anew, where `default_rng(seed)` does."""
        with _door("seed"):
            self._stream.restart(seed)
        if self is _GLOBAL:
            seeded["gt.random.seed"] = seed

    @property
    def seeded_by(self) -> Any:
        """What it was seeded with last; None where the system's own numbers were taken."""
        return self._stream.seed

    # ------------------------------------------------------------------ real numbers

    def random(self, size: Any = None, dtype: Any = np.float64) -> Any:
        """Numbers of [0, 1), of dtype float64 or float32."""
        shape, kind = _shape("random", size), _float("random", dtype)
        return self._draw("random", lambda rng: rng.random(shape, kind.type), Aval(shape, kind))

    def standard_normal(self, size: Any = None, dtype: Any = np.float64) -> Any:
        """Normal numbers of mean 0 and deviation 1, of dtype float64 or float32."""
        shape, kind = _shape("standard_normal", size), _float("standard_normal", dtype)
        aval = Aval(shape, kind)
        return self._draw(
            "standard_normal", lambda rng: rng.standard_normal(shape, kind.type), aval
        )

    def normal(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> Any:
        """Normal numbers; derivatives lead to `loc` and `scale` (reparametrisation).

        Raises `ValueError` where `scale` is negative and known.
        """
        _not_negative("normal", "scale", scale)
        size = _shape_for("normal", size, loc, scale)
        return loc + scale * self.standard_normal(size)

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None) -> Any:
        """Numbers of [low, high); derivatives lead to both ends."""
        size = _shape_for("uniform", size, low, high)
        return low + (high - low) * self.random(size)

    def exponential(self, scale: Any = 1.0, size: Any = None) -> Any:
        """Exponential numbers of mean `scale`, to which derivatives lead."""
        _not_negative("exponential", "scale", scale)
        shape = _shape_for("exponential", size, scale)
        aval = Aval(shape, np.dtype(np.float64))
        return scale * self._draw(
            "exponential", lambda rng: rng.standard_exponential(shape), aval
        )

    # ------------------------------------------------------------------ whole numbers

    def integers(
        self, low: Any, high: Any = None, size: Any = None, dtype: Any = np.int64,
        endpoint: bool = False,
    ) -> Any:  # fmt: skip
        """Whole numbers of [low, high), or of [0, low) without `high`."""
        if high is None:
            low, high = 0, low
        kind = np.dtype(dtype)
        shape = _shape_for("integers", size, low, high)
        return self._draw(
            "integers",
            lambda rng, low, high: rng.integers(low, high, shape, kind.type, endpoint),
            Aval(shape, kind), low, high,
        )  # fmt: skip

    def bernoulli(self, p: Any = 0.5, size: Any = None) -> Any:
        """True with probability `p`."""
        shape = _shape_for("bernoulli", size, p)
        aval = Aval(shape, np.dtype(bool))
        return self._draw("bernoulli", lambda rng, p: rng.random(shape) < p, aval, p)

    def poisson(self, lam: Any = 1.0, size: Any = None) -> Any:
        """Counts of mean `lam`."""
        shape = _shape_for("poisson", size, lam)
        aval = Aval(shape, np.dtype(np.int64))
        return self._draw("poisson", lambda rng, lam: rng.poisson(lam, shape), aval, lam)

    # ------------------------------------------------------------------ orders and samples

    def permutation(self, x: Any, axis: int = 0) -> Any:
        """The whole numbers below `x` in random order, or `x` with its rows so ordered.

        Derivatives lead to `x`.
        """
        count, is_number = _count("permutation", x, axis)
        aval = Aval((count,), np.dtype(np.int64))
        order = self._draw("permutation", lambda rng: rng.permutation(count), aval)
        return order if is_number else _rows(x, order, axis)

    def choice(
        self, a: Any, size: Any = None, replace: bool = True, p: Any = None, axis: int = 0
    ) -> Any:
        """Whole numbers below `a`, or rows of `a`; each as probable as the others, or by `p`.

        Derivatives lead to `a`.
        """
        count, is_number = _count("choice", a, axis)
        shape = _shape("choice", size)
        aval = Aval(shape, np.dtype(np.int64))
        if p is None:
            index = self._draw("choice", lambda rng: rng.choice(count, size, replace), aval)
        else:
            index = self._draw(
                "choice", lambda rng, p: rng.choice(count, size, replace, p), aval, p
            )
        return index if is_number else _rows(a, index, axis)

    def _draw(
        self, name: str, function: Callable[..., Any], aval: Aval, *operands: Any
    ) -> Any:
        with _door(name):
            return draw(self._stream, name, function, aval, operands)


def default_rng(seed: Any = None) -> Generator:
    """A `Generator` with the numbers of `np.random.default_rng(seed)`."""
    with _door("default_rng"):
        return Generator(seed)


def _rows(x: Any, index: Any, axis: int) -> Any:
    if isinstance(index, Tensor) and not isinstance(x, Tensor):
        x = new_tensor(np.asarray(x))  # np.take looks for Tensors in x alone
    return np.take(x, index, axis=axis)


# ------------------------------------------------------------------------------- arguments


class _door:
    """What NumPy's generator refuses, said in our three parts."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: Any, _: Any) -> None:
        if kind in (ValueError, TypeError):
            raise (ArgumentValueError if kind is ValueError else ArgumentTypeError)(
                three_part(
                    f"random.{self.name}: {error}.",
                    f"Called at {decode(*here(3))}.",
                    "The arguments are those of NumPy's Generator: see "
                    f"help(gt.random.{self.name}).",
                )
            ) from None


def _shape(name: str, size: Any) -> tuple[int, ...]:
    """`size` as a shape: None is one number, an int one axis."""
    if size is None:
        return ()
    try:
        parts = [operator.index(size)]
    except TypeError:
        if is_traced(size):
            raise
        try:
            parts = [operator.index(n) for n in size]
        except TypeError:
            raise DTypeError(
                three_part(
                    f"random.{name}: size={size!r:.60} is no shape.",
                    f"Called at {decode(*here(3))}.",
                    "Pass a whole number, or a tuple of them: size=(2, 3).",
                )
            ) from None
    if min(parts, default=0) < 0:
        raise ShapeError(
            three_part(
                f"random.{name}: size={size!r:.60} has a negative length.",
                f"Called at {decode(*here(3))}.",
                "Pass lengths of 0 or more.",
            )
        )
    return tuple(parts)


def _shape_for(name: str, size: Any, *operands: Any) -> tuple[int, ...]:
    """`size`, or the shape that the parameters have together; they must fit into it."""
    shapes = [np.shape(x) for x in operands]
    try:
        common = np.broadcast_shapes(*shapes)
        shape = common if size is None else _shape(name, size)
        if np.broadcast_shapes(common, shape) == shape:
            return shape
    except ValueError:
        pass
    raise ShapeError(
        three_part(
            f"random.{name}: parameters of shapes {', '.join(map(str, shapes))} do not fit "
            f"size={size!r:.60}.",
            f"Called at {decode(*here(3))}.",
            "Give size the shape of the result, or leave it out.",
        )
    )


def _float(name: str, dtype: Any) -> np.dtype[Any]:
    kind: np.dtype[Any] = np.dtype(dtype)
    if kind.name not in _FLOATS:
        raise DTypeError(
            three_part(
                f"random.{name}: dtype={kind} is not among {', '.join(_FLOATS)}.",
                f"Called at {decode(*here(3))}.",
                f"Draw float32 and change it: gt.random.{name}(size, np.float32).astype(...).",
            )
        )
    return kind


def _not_negative(name: str, which: str, x: Any) -> None:
    held = raw(x)
    if type(held) in (float, int, np.float64, np.ndarray) and np.any(np.signbit(held)):
        raise ArgumentValueError(
            three_part(
                f"random.{name}: {which} is negative.",
                f"Called at {decode(*here(3))}.",
                f"Pass the size of the spread: {which}=np.abs(s).",
            )
        )


def _count(name: str, x: Any, axis: int) -> tuple[int, bool]:
    """How many there are to choose among, and whether `x` is that number."""
    if not isinstance(x, Tensor) and np.ndim(x) == 0:
        return operator.index(x), True
    aval = x.aval if isinstance(x, Tensor) else aval_of(np.asarray(x))
    if not aval.ndim or not -aval.ndim <= axis < aval.ndim:
        raise ShapeError(
            three_part(
                f"random.{name}: a value of shape {aval.shape} has no axis {axis}.",
                f"Called at {decode(*here(3))}.",
                "Pass a whole number, or an array with that axis.",
            )
        )
    return aval.shape[axis], False


_GLOBAL = Generator()
seed = _GLOBAL.seed
random = _GLOBAL.random
standard_normal = _GLOBAL.standard_normal
normal = _GLOBAL.normal
uniform = _GLOBAL.uniform
exponential = _GLOBAL.exponential
integers = _GLOBAL.integers
bernoulli = _GLOBAL.bernoulli
poisson = _GLOBAL.poisson
permutation = _GLOBAL.permutation
choice = _GLOBAL.choice
