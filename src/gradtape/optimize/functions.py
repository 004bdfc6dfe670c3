"""The user's function as SciPy calls it: of a flat vector, its derivatives beside it, all checked.

`Scalar` is an objective, `Vector` one with many results (residuals, equations, a constraint). Both
record the function once per point and take from that record whatever SciPy asks of the point.

A point in the midst of a run where the objective is NaN or infinite is not handed on: SciPy's line
searches compute with it. They are told of a slope that rises against them as fast as it fell, so
that each of them shortens its step; the record says how often and why (`rejected`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import events
from ..core.exits import Exit
from ..core.state import paused
from ..core.tensor import Tensor, raw
from ..core.tree import flatten
from ..errors import ConvergenceError, GradtapeError, NonFiniteError, three_part
from .derivatives import Run
from .faults import Door, check_path, no_number, not_finite, short, wrong_shape
from .trees import Parameters


class Function:
    """What `Scalar` and `Vector` share: the call, and the record of the last point."""

    def __init__(
        self,
        door: Door,
        what: str,
        function: Callable[..., Any],
        parameters: Parameters,
        args: Any = (),
        kwargs: Any = None,
    ) -> None:
        self.door, self.what, self.function = door, what, function
        self.parameters = parameters
        self.args = args if isinstance(args, tuple) else (args,)
        self.kwargs = kwargs or {}
        self.x: Any = None
        self.run: Run | None = None
        self.rejected = 0
        self.why = ""  # of the first point that was rejected
        self._compared: set[tuple[int, int]] = set()  # places of exits that were found harmless

    def call(self, leaves: list[Any]) -> Any:
        """What the user's function returns for these leaves, arrays or Tensors."""
        return self.function(self.parameters.rebuild(leaves), *self.args, **self.kwargs)

    def plain(self, x: Any) -> Any:
        """What it returns for the vector `x`, with no tape."""
        with paused():
            return self.call(self.parameters.leaves(np.array(x)))

    def complex_too(self, x: Any) -> Any:
        """What it returns as it is, which for jac="cs" is complex: SciPy looks at it."""
        out = self.plain(x)
        return out if np.ndim(out) == 0 else np.concatenate([np.ravel(v) for v in flatten(out)[0]])

    def at(self, x: Any) -> Run:
        """The record of the function at `x`: the last one, or a new one."""
        if self.run is not None and self.x is not None and _same(x, self.x):
            return self.run
        self._check_point(x)
        self.run = None  # frees what it holds before the next is made
        self.x = np.array(x)
        with paused():
            self.run = Run(
                self.call, self.parameters.leaves(self.x), self.door.position, self._keep_all
            )
        return self.run

    _keep_all = False

    def _check_point(self, x: Any) -> None:
        if not np.isfinite(x).all():
            raise ConvergenceError(
                three_part(
                    f"{self.door.name}: the method asks for {self.what} at x = {short(x)}.",
                    f"It was called at {self.door.place}. {self.why}".strip(),
                    "Give bounds=, start nearer to the solution, or take another method.",
                )
            )

    def _tell(self, run: Run, missing: list[bool], x: Any, derivative: Any = None) -> None:
        """Look for derivatives that are lost: at each point at which one is asked for."""

        def is_wrong(exits: list[Exit]) -> bool:
            places = {(id(found.place.code), found.place.lasti) for found in exits}
            if derivative is None or places <= self._compared:
                return False
            self._compared |= places
            return self._differs(x, derivative)

        check_path(self.door, self.what, self.function, run, missing, is_wrong)

    def _differs(self, x: Any, derivative: Any) -> bool:
        """Whether differences of the function contradict its derivative, whatever their step."""
        # a direction with no zero and no symmetry
        d = (1 + np.abs(x)) * np.cos(1 + 2 * np.arange(x.size))
        expected = np.asarray(derivative @ d)
        size = np.abs(derivative) @ np.abs(d)
        for h in (1e-6, 1e-4, 1e-8):
            try:
                with np.errstate(all="ignore"):
                    ahead, behind = self._values(x + h * d), self._values(x - h * d)
            except GradtapeError:
                return False
            found = (ahead - behind) / (2 * h)
            rounding = 1e-15 * (np.abs(ahead) + np.abs(behind)) / h
            close = np.abs(found - expected) <= 1e-4 * (size + np.abs(found)) + rounding
            if not np.isfinite(found).all() or close.all():
                return False
        return True

    def _values(self, x: Any) -> Any:
        """The numbers that the function gives at `x`, with no tape."""
        raise AssertionError

    def fault(self, x: Any, value: Any, of: str = "", run: Run | None = None) -> NonFiniteError:
        """The error for a value, or a derivative `of` it, that is not finite."""
        cause = ""
        if run is not None:
            with paused():
                cause = run.first_fault()
        what = f"{of} of {self.what}" if of else self.what
        return not_finite(
            self.door, what, self.function, lambda: self.plain(x), np.array(x), value, cause
        )


def _same(x: Any, y: Any) -> bool:
    return x is y or (x.shape == y.shape and bool((x == y).all()))


class Scalar(Function):
    """An objective: a number, its gradient and products with its Hessian."""

    def __init__(self, *args: Any, has_aux: bool = False, **options: Any) -> None:
        super().__init__(*args, **options)
        self.has_aux = has_aux
        self._good: Any = None  # the last point with a finite value, its value and gradient
        self._second: tuple[Any, Run] | None = None

    def _number(self, out: Any) -> float:
        """The one number in a result, and the result without its auxiliary part."""
        if self.has_aux:
            if not (isinstance(out, tuple) and len(out) == 2):
                raise no_pair(self)
            out = out[0]
        value = raw(out) if isinstance(out, Tensor) else out
        if value is None or isinstance(value, str | dict):
            raise no_number(self.door, self.what, self.function, value)
        if isinstance(value, list | tuple):
            parts = flatten(value)[0]
            if len(parts) != 1:
                raise self._no_scalar((len(value),))
            value = raw(parts[0])
        array = np.asarray(value)
        if array.dtype.kind not in "fiub":
            raise no_number(self.door, self.what, self.function, array)
        if array.size != 1:
            raise self._no_scalar(array.shape)
        return float(array.reshape(())[()])

    def _no_scalar(self, shape: tuple[int, ...]) -> Exception:
        return wrong_shape(
            self.door, self.what, self.function, shape, "a number",
            "Return np.sum(...) of it; for the sum of squares of a vector use gt.least_squares.",
        )  # fmt: skip

    # ------------------------------------------------------------------ for methods without

    def value_alone(self, x: Any) -> float:
        """The objective for methods that ask for no derivative; NaN counts as infinite."""
        value = self._number(self.plain(x))
        if np.isfinite(value):
            self._good = x
            return value
        self._reject(x, value)
        return np.inf

    def _values(self, x: Any) -> Any:
        return np.asarray(self._number(self.plain(x)))

    def _reject(self, x: Any, value: Any) -> None:
        if self._good is None:
            raise self.fault(x, value)
        if value == -np.inf:
            raise self.fault(x, value)
        if not self.rejected:
            self.why = str(self.fault(x, value)).rpartition("\n")[0].replace("\n", " ")
        self.rejected += 1

    # ------------------------------------------------------------------ value and gradient

    def value(self, x: Any) -> float:
        """The objective at `x`."""
        run = self.at(x)
        value = self._number(run.result)
        if np.isfinite(value):
            if self._good is None:
                self._good = (self.x, value, None)
            return value
        self._reject(x, value)
        return self._wall(x)[0]

    def gradient(self, x: Any) -> Any:
        """Its gradient there."""
        run = self.at(x)
        value = self._number(run.result)
        if not np.isfinite(value):
            self._reject(x, value)
            return self._wall(x)[1]
        found = self._pull(run)
        self._good = (self.x, value, found)
        return found

    def _pull(self, run: Run) -> Any:
        run.outs = run.outs[:1] if self.has_aux else run.outs
        run.check()
        with paused():
            grads = run.gradient()
        if events.watchers:  # a recording: each gradient is a step
            events.tell_gradient(run.recorder, run.followed, run.sources, grads, self.door.position)
        found = run.flat(grads)
        self._tell(run, [g is None for g in grads], self.x, found)
        if not np.isfinite(found).all():
            raise self.fault(self.x, found, "the gradient", run)
        return found

    def _wall(self, x: Any) -> tuple[float, Any]:
        """A value and a gradient that turn a step back: as steep upwards as it was downwards."""
        at, value, g = self._good
        if g is None:
            return value + abs(value) + 1.0, np.zeros_like(x)
        rise = abs(float(g @ (x - at)))
        return value + max(rise, 1e-8 * abs(value), 1e-300), -g

    # ------------------------------------------------------------------ second derivatives

    def second(self, x: Any) -> Run:
        """A record at `x` that can be asked for products with the Hessian."""
        if self._second is not None and _same(x, self._second[0]):
            return self._second[1]
        self._second = None
        self._check_point(x)
        point = np.array(x)
        with paused():
            run = Run(self.call, self.parameters.leaves(point), self.door.position)
            run.outs = run.outs[:1] if self.has_aux else run.outs
            run.check()
            grads = run.record_gradient()
        self._tell(run, [g is None for g in grads], point)
        self._second = (point, run)
        return run

    def product(self, x: Any, p: Any) -> Any:
        """The Hessian at `x` times `p`."""
        run = self.second(x)
        with paused():
            return self._finite(x, run.hessian_product(np.asarray(p, dtype=float).reshape(-1)))

    def hessian(self, x: Any) -> Any:
        """The Hessian at `x`."""
        run = self.second(x)
        with paused():
            return self._finite(x, run.hessian())

    def _finite(self, x: Any, found: Any) -> Any:
        if not np.isfinite(found).all():
            raise self.fault(x, found, "the Hessian", self._second and self._second[1])
        return found


class Vector(Function):
    """Residuals, equations or a constraint: a vector, its Jacobian, Hessians of weighted sums."""

    _keep_all = True
    size: int | None = None

    def __init__(
        self, *args: Any, shape: tuple[int, ...] | None = None, any_tree: bool = False, **more: Any
    ) -> None:
        super().__init__(*args, **more)
        self.shape = shape  # besides vectors, a result may have this shape
        self.any_tree = any_tree
        self.good: Any = None  # the last value that was finite
        self.start: Any = None  # the first point asked for
        self._second: Any = None

    def _vector(self, out: Any) -> Any:
        """A result as one vector of float64 (or longer) numbers."""
        value = out.value if type(out) is Tensor else out
        if type(value) is np.ndarray and value.dtype.char in "dg" and value.shape == (self.size,):
            return value  # as nearly always
        if out is None or isinstance(out, str):
            raise no_number(self.door, self.what, self.function, out)
        parts = [raw(leaf) for leaf in flatten(out)[0]]
        is_list = not isinstance(out, Tensor | np.ndarray) and not self.any_tree
        if is_list and any(np.ndim(part) for part in parts):
            self._refuse(tuple(np.shape(part) for part in parts))
        arrays = [np.asarray(part) for part in parts]
        for array in arrays:
            if array.dtype.kind not in "fiub":
                raise no_number(self.door, self.what, self.function, array)
            if array.ndim > 1 and not self.any_tree and array.shape != self.shape:
                self._refuse(array.shape)
        found = np.concatenate([a.reshape(-1) for a in arrays]) if arrays else np.zeros(0)
        found = found.astype(float) if found.dtype.char != "g" else found
        if self.size is None:
            self.size = found.size
        elif found.size != self.size:
            raise wrong_shape(
                self.door, self.what, self.function, (found.size,),
                f"({self.size},) as at the start", "Return as many numbers at every x.",
            )  # fmt: skip
        return found

    def _refuse(self, shape: Any) -> None:
        raise wrong_shape(
            self.door, self.what, self.function, shape, "one vector",
            "Return it as a vector: np.ravel(...), or np.concatenate([...]) of several.",
        )  # fmt: skip

    def alone(self, x: Any) -> Any:
        """The vector for methods that ask for no derivative."""
        return self._accepted(x, self.plain_vector(x))

    def plain_vector(self, x: Any) -> Any:
        """The vector at `x` as it is, with no tape."""
        return self._vector(self.plain(x))

    def value(self, x: Any) -> Any:
        """The vector at `x`, in float64."""
        return self._accepted(x, self._vector(self.at(x).result))

    def _accepted(self, x: Any, found: Any) -> Any:
        self.start = np.array(x) if self.start is None else self.start
        if np.isfinite(found).all():
            self.good = found.astype(float)  # a copy: SciPy keeps it
            return self.good
        if self.good is None:
            raise self.fault(x, found)
        if not self.rejected:
            self.why = str(self.fault(x, found)).rpartition("\n")[0].replace("\n", " ")
        self.rejected += 1
        # larger, so that every method takes a shorter step; not so large that the Jacobians which
        # "hybr" updates from it lose what they know
        return 10 * self.good if self.good.any() else np.ones_like(self.good)

    def jacobian(self, x: Any) -> Any:
        """The matrix of its derivatives at `x`."""
        run = self.at(x)
        value = self._vector(run.result)
        run.check()
        with paused():
            found = run.jacobian()
            if self._has_holes(run):
                grads = run.gradient()
                self._tell(run, [g is None for g in grads], self.x, found)
        if not np.isfinite(found).all():
            if not np.isfinite(value).all():  # asked for where the value was rejected
                return np.zeros(found.shape)
            raise self.fault(x, found, "the Jacobian", run)
        return found.astype(float, copy=False)

    def both(self, x: Any) -> tuple[Any, Any]:
        """Value and Jacobian at `x` in its own precision, as they are; nothing is remembered."""
        with paused():
            run = Run(self.call, self.parameters.leaves(np.array(x)), self.door.position, True)
            run.check()
            return self._vector(run.result), run.jacobian()

    def _values(self, x: Any) -> Any:
        return self.plain_vector(x)

    def _has_holes(self, run: Run) -> bool:
        """Whether something left the record on the way, so that a derivative may be missing."""
        tracked = run.recorder.tracked
        return run.recorder.exits is not None or any(
            not isinstance(out, Tensor) or out.why is not None or out.key not in tracked
            for out in run.outs
        )

    def product(self, x: Any, v: Any) -> Any:
        """A function that multiplies the Hessian of `v @ f` at `x` by a vector."""
        if self._second is None or not _same(x, self._second[0]) or not _same(v, self._second[1]):
            self._second = None
            point = np.array(x)
            with paused():
                run = Run(self.call, self.parameters.leaves(point), self.door.position)
                run.check()
                cts, start = [], 0
                for out in run.outs:
                    size = int(np.size(raw(out)))
                    cts.append(np.reshape(v[start : start + size], np.shape(raw(out))))
                    start += size
                run.record_gradient(cts)
            self._second = (point, np.array(v), run)
        run = self._second[2]

        def times(p: Any) -> Any:
            with paused():
                return run.hessian_product(np.asarray(p, dtype=float).reshape(-1))

        return times


def no_pair(function: Function) -> Exception:
    """The error for `has_aux=True` where no pair came back."""
    return no_number(function.door, f"with has_aux=True, {function.what}", function.function, None)
