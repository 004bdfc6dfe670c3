"""`@gt.function`: compiles a function of NumPy code, once for each signature."""

from __future__ import annotations

import contextlib
import functools
import gc
import inspect
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .. import events
from ..backends import choose
from ..backends.choose import BACKENDS, Options, compile_graph, load, missing
from ..backends.schedule import Schedule
from ..core import observing
from ..core.donated import check_donated, give_away
from ..core.parallel import available
from ..core.positions import decode, here, user_level
from ..core.refusals import ArgumentValueError, by_name
from ..core.state import state
from ..core.tensor import Tensor, raw
from ..errors import TracingWarning, three_part
from ..graph.coding import Uncodable
from ..graph.printing import show
from ..graph.trace import trace
from ..passes.pipeline import optimise
from ..tape import tape  # noqa: F401 - loaded here, and not by the first trace
from . import stored
from .checked import checked
from .fingerprint import Fingerprint, Unknown
from .frozen import Witness, are_stale
from .program import Program, compiled, value_of
from .recorded import observe, twin
from .report import Report
from .report import make as make_report
from .signature import avals, check_static, describe, difference
from .surroundings import State, Surroundings

_MANY = 5  # the trace from which on a user is told why


@events.stage("trace")
def _trace(run: Any, types: Any, name: str) -> tuple[Any, Any]:
    return trace(run, types, name)  # looked up now: tests count traces


def function(
    f: Callable[..., Any] | None = None,
    *,
    static_argnames: str | Sequence[str] = (),
    backend: str = "llvm",
    threads: int | None = None,
    cache: bool = False,
    donate: str | int | Sequence[str | int] = (),
) -> Any:
    """`f` as a compiled function: traced once per signature, then run as a program.

    The first call with new shapes, dtypes, static arguments or structure runs `f` on values that
    are not known, and keeps what it computed as a graph; further calls run that graph, and `f`
    itself is not called. Gradients inside, assignments of Variables and loops over Python ranges
    are part of it.

    Parameters
    ----------
    f : callable
        A function of arrays, Tensors, numbers, and trees of them. Python floats are inputs, which
        take the dtype of what they meet; integers, truth values, text, None and other objects
        are static. A Variable is read at each call and assigned when the call has succeeded; an
        array that `f` finds outside is read at each call too (what NumPy makes of it alone,
        `a > 0`, is made once). Numbers, functions and arrays that names and attributes mean outside
        are part of the signature: where one means another, `f` is traced anew.
    static_argnames : str or sequence of str
        Arguments that are static though they are numbers.
    backend : {"llvm", "numpy"}
        What runs the program: native code (the default), or NumPy node by node. Operations that
        native code does not have are run by NumPy between its parts, and all of them are where
        llvmlite is not installed.
    threads : int, optional
        The most threads that a program may use. Without it, and at most, these are the threads of
        `gt.configure(threads=...)`, or the cores that the affinity mask and OMP_NUM_THREADS allow.
        Results have the same bits with any number. NumPy's parts of a program do not look at it.
    cache : bool
        Whether programs are kept on disk, so that a first call in another process neither traces
        nor compiles. A kept program is taken where the bytecode of `f` and of the functions that it
        names, the values that they name (arrays with their contents), the arguments' types, and all
        versions are the same. What `f` reads by other ways while it is traced (files, the clock,
        the environment) is not compared. The folder (`gt.configure(cache_folder=...)`, or
        GRADTAPE_CACHE in the environment) holds native code: it is made for you alone, and nothing
        is taken from one that others can write. `gt.clear_cache()` empties it.
    donate : str, int, or sequence of them
        Arguments, by name or position, whose memory is given away: where shapes, dtypes and the
        order of reads allow, a result is the same array, and no new memory is taken. Afterwards a
        donated Tensor raises DonatedError when it is read; a plain array cannot be marked, and
        holds a result, or what it held before. An array of which something else has a part (a view,
        a tape, another argument) is refused. While a tape records, results have their own memory;
        so they have where a NaN in a result makes the program look at its arguments again.

    Returns
    -------
    CompiledFunction
        Called like `f`. Its results are plain where all arguments are, and no Variable or Tensor
        takes part. `.graph(*args)` is the program as text.

    Raises
    ------
    TracingError
        If `f` needs a number that is not known: `if x > 0`, `float(x)`, `np.asarray(x)`.

    Warns
    -----
    TracingWarning
        At the fifth trace, with what changed; where `np.random` was drawn from while tracing; with
        `cache=True`, where a program cannot be kept.

    Notes
    -----
    A first call waits for the compiler. So its native code is made in haste where a call or two of
    that code lose less than it spares; from the second call on a thread makes it with care, and
    later calls run that. Results have the same bits. With `cache=True` there is no haste.

    As one operation of a tape outside, a program is played backwards by a program, pushed
    forward by one, and mapped by one. Rules of `gt.custom_gradient` and `gt.custom_jvp` inside it
    hold for derivatives from outside too.

    Examples
    --------
    >>> import numpy as np, gradtape as gt
    >>> w = gt.Variable([1.0, 2.0])
    >>> @gt.function
    ... def step(x, lr):
    ...     with gt.GradientTape() as tape:
    ...         loss = np.sum((w * x) ** 2)
    ...     w.assign_sub(lr * tape.gradient(loss, w))
    ...     return loss
    >>> step(np.array([1.0, 1.0]), 0.1)
    Tensor(5., shape=(), dtype=float64)
    >>> w
    Variable('Variable:...', [0.8, 1.6], shape=(2,), dtype=float64)
    """
    names = (static_argnames,) if isinstance(static_argnames, str) else tuple(static_argnames)
    if backend not in BACKENDS:
        raise ArgumentValueError(
            three_part(
                f"function: there is no backend {backend!r}.",
                f"Backends are {', '.join(map(repr, BACKENDS))}.",
                "Leave backend= out.",
            )
        )
    if threads is not None and not (type(threads) is int and threads > 0):
        raise ArgumentValueError(
            three_part(
                f"function: threads={threads!r} is no whole number from 1 on.",
                "It is the number of threads that a program may use.",
                f"Write threads=1, or leave it out for all that there are ({available()}).",
            )
        )
    given = (donate,) if isinstance(donate, str | int) else tuple(donate)
    options = Options(backend, threads or 0, bool(cache))
    load(options)

    def made(f: Callable[..., Any]) -> CompiledFunction:
        if isinstance(f, CompiledFunction):
            return f
        return CompiledFunction(f, names, options, given)

    return made if f is None else made(f)


class CompiledFunction:
    """A function with its programs; see `function`."""

    label = "function"  # what the user called it by, and what it takes for a value that changes
    changing = "an array or a float (np.asarray(n))"
    drawing = "gt.random, which draws at each call: gt.random.normal(size=n)"

    def __init__(
        self,
        f: Callable[..., Any],
        static_argnames: tuple[str, ...] = (),
        options: Options = Options(),  # noqa: B008 - frozen
        donate: tuple[str | int, ...] = (),
    ) -> None:
        functools.update_wrapper(self, f)
        self.function = f
        self.name: str = getattr(f, "__name__", "function")
        self.static_argnames = static_argnames
        self.options = options
        self.programs: dict[tuple[Any, ...], Program] = {}
        self._last: tuple[Any, ...] | None = None
        self._is_said = False  # why programs are not kept
        # the last program's way for plain arguments, and what it takes from outside, if anything
        self._direct: tuple[Any, State | None] | None = None
        # by the objects among the arguments, which are a part of them
        self._around: dict[tuple[int, ...], Surroundings] = {}
        # what a recording calls, of scalars alone or of everything
        self._twins: dict[bool, CompiledFunction] = {}
        observing.compiled.add(self)
        self.donate = self._donated(donate) if donate else frozenset()
        self._signature = inspect.signature(f) if static_argnames else None
        for argument in static_argnames:
            if self._signature is not None and argument not in self._signature.parameters:
                raise ArgumentValueError(
                    three_part(
                        f"function: {self.name} has no argument {argument!r}.",
                        f"static_argnames names it; made at {decode(*here())}.",
                        f"Its arguments are {', '.join(self._signature.parameters)}.",
                    )
                )

    def _donated(self, donate: tuple[str | int, ...]) -> frozenset[str | int]:
        """The arguments that are given away, by position and by name."""
        names = list(inspect.signature(self.function).parameters)
        found: set[str | int] = set()
        for one in donate:
            known = one in names if isinstance(one, str) else -1 < one < len(names)
            if not known or isinstance(one, bool):
                raise ArgumentValueError(
                    three_part(
                        f"function: {self.name} has no argument {one!r}.",
                        f"donate= names it; made at {decode(*here())}.",
                        f"Its arguments are {', '.join(names)}; positions count from 0.",
                    )
                )
            place = names.index(one) if isinstance(one, str) else one
            found.update((place, names[place]))
        return frozenset(found)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def __repr__(self) -> str:
        return f"<compiled function {self.name}, {len(self.programs)} programs>"

    __reduce__ = by_name

    def __copy__(self) -> CompiledFunction:
        return self

    def __deepcopy__(self, memo: Any) -> CompiledFunction:
        return self  # as a function of Python's

    def forget(self) -> None:
        """Go the long way at the next call, where it is looked who listens."""
        self._direct = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The result of the program for these arguments."""
        tapes = state.tapes
        if tapes and tapes[0].is_trace:  # inside another program it is a part of that
            return self.function(*args, **kwargs)
        if self._direct is not None and not tapes and not kwargs:
            direct, outside = self._direct
            if outside is None or outside.holds():
                found = direct(args)
                if found is not NotImplemented:
                    return found
        if observing.eager.asked is not None and observing.eager.asked():
            return checked(self, args, kwargs)
        if observing.recordings:
            return self._call_observed(args, kwargs)
        program, leaves = self._program(args, kwargs)
        if program.acts and state.levels:  # which is done for each example, in Python's order
            return self.function(*args, **kwargs)
        if program.given:
            return self._call_donating(program, leaves)
        if program.direct is not None and _are_leaves(args, leaves) and not kwargs:
            if program.frozen:
                return program(leaves)
            if not observing.recordings and observing.eager.asked is None:
                self._direct = program.direct, program.outside or None
        return program(leaves)

    def _call_observed(self, args: Any, kwargs: Any) -> Any:
        """The call while a run is recorded: its gradients and assignments are told."""
        if state.tapes or state.levels:
            program, leaves = self._program(args, kwargs)
            result = self._call_donating(program, leaves) if program.given else program(leaves)
            for variable in program.assigned:
                observing.tell_assigned(variable)
            return result
        other = self._twins.get(observing.Keeping.everything)
        if other is None:
            given = tuple(x for x in self.donate if isinstance(x, str))
            options = replace(self.options, cache=False)
            other = CompiledFunction(twin(self.function), self.static_argnames, options, given)
            self._twins[observing.Keeping.everything] = other
        return observe(self.name, *other._program(args, kwargs))

    def _call_donating(self, program: Program, leaves: list[Any]) -> Any:
        donated = [leaves[i] for i in program.given]
        rest = [x for i, x in enumerate(leaves) if i not in program.given]
        check_donated(self.name, donated, [*rest, *program.sources])
        try:
            return program(leaves)
        finally:
            for x in donated:
                give_away(self.name, x)

    def graph(self, *args: Any, **kwargs: Any) -> str:
        """The graph of the program for these arguments, as text: what was traced, before passes.

        What shares a loop, or runs in the tiles of a product, is no matter of the graph: `report`
        shows the parts of native code with the nodes of each.
        """
        return show(self._program(args, kwargs)[0].traced.graph)

    def llvm(self, *args: Any, target: str | None = None, **kwargs: Any) -> str:
        """The native code of the program for these arguments, in LLVM's language.

        Without `target`, as it is written: nothing in it depends on the machine. With one
        ("x86-64-v3", "x86-64-v4", "aarch64", "host"), after LLVM's passes for it.
        """
        return choose.text("llvm", self._fresh(args, kwargs), target)

    def assembly(self, *args: Any, target: str | None = None, **kwargs: Any) -> str:
        """The machine code of the program for these arguments, as text.

        For this processor, or for `target`: "x86-64-v3", "x86-64-v4", "aarch64".
        """
        return choose.text("assembly", self._fresh(args, kwargs), target)

    def report(self, *args: Any, **kwargs: Any) -> Report:
        """What the program for these arguments is made of, measured on them: see `Report`.

        For each part the lines of the source, what runs in one loop and why a loop ends, bytes,
        operations, estimated and measured time; and what NumPy runs, and why. Nothing is assigned.
        """
        program, leaves = self._program(args, kwargs)
        values = [*map(raw, leaves), *map(value_of, program.sources)]
        for i in program.given:
            values[i] = np.array(values[i]) if isinstance(values[i], np.ndarray) else values[i]
        threads = available(self.options.threads)
        graph = optimise(program.traced.graph)
        return make_report(self.name, graph, program.run, values, threads)

    def _fresh(self, args: Any, kwargs: Any) -> Any:
        """The program for these arguments as it is compiled, and not as it is kept on disk."""
        program = self._program(args, kwargs)[0]
        if not program.is_kept:
            return program.run
        return compile_graph(optimise(program.traced.graph), replace(self.options, cache=False))

    def _program(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Program, list[Any]]:
        if self._signature is not None:
            args, kwargs = self._with_static(args, kwargs)
        key: list[Any] = []
        leaves: list[Any] = []
        objects: list[Any] = []
        given: list[int] = []  # the leaves that are given away
        rebuilds = []
        for place, x in enumerate(args):
            start = len(leaves)
            rebuilds.append(describe(x, key, leaves, objects))
            if place in self.donate:
                given.extend(range(start, len(leaves)))
        for name in sorted(kwargs):
            key.append(name)
            start = len(leaves)
            rebuilds.append(describe(kwargs[name], key, leaves, objects))
            if name in self.donate:
                given.extend(range(start, len(leaves)))
        outside = self._outside(objects)
        around = outside.now()
        full = (*key, around.number)
        program = self.programs.get(full)
        if program is None or are_stale(program.frozen):
            names = sorted(kwargs)
            count = len(args)

            def run(*tensors: Any) -> Any:
                values = iter(tensors)
                built = [rebuild(values) for rebuild in rebuilds]
                return self.function(*built[:count], **dict(zip(names, built[count:], strict=True)))

            program = self._traced(run, full, leaves, (args, kwargs), tuple(given))
            around = outside.after(around)
            full = (*key, around.number)
            self.programs[full], self._last = program, full
        program.outside = around
        return program, leaves

    def _outside(self, objects: list[Any]) -> Surroundings:
        """What the function takes from outside, and what the objects among its arguments hold."""
        place = tuple(map(id, objects))
        around = self._around.get(place)
        if around is None:
            around = self._around[place] = Surroundings(self.function, objects)
        return around

    def _with_static(self, args: Any, kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        assert self._signature is not None
        bound = self._signature.bind(*args, **kwargs)
        for argument in self.static_argnames:
            if argument in bound.arguments:
                value = bound.arguments[argument]
                bound.arguments[argument] = check_static(self.name, argument, value)
        return bound.args, bound.kwargs

    def _traced(
        self, run: Any, key: tuple[Any, ...], leaves: list[Any], kept: Any, given: tuple[int, ...]
    ) -> Program:
        if self._last is not None and len(self.programs) + 1 == _MANY:
            warnings.warn(
                three_part(
                    f"{self.label}: {self.name} is traced for the {_MANY}th time: "
                    f"{difference(self._last, key, self._changed())}.",
                    f"Called at {decode(*here(4))}; a program is made for shapes, dtypes and "
                    "static values.",
                    f"Pass what changes as {self.changing}, and keep to few shapes.",
                ),
                TracingWarning,
                stacklevel=user_level(),
            )
        keep = self._kept(kept)
        derived = functools.partial(_derived, self.options)
        if keep is not None and keep[2] is not None:
            types = avals(leaves)
            traced_later = functools.cache(lambda: trace(run, types, self.name)[0])
            if keep[2].tells:
                keep[2].run.graph = lambda: optimise(traced_later().graph)
            program = Program(self.name, keep[2], kept, self.options, traced_later, derived)
            program.is_kept, program.given = True, given
            return program
        witness = Witness(self.function, kept)
        with _without_collector(), witness:
            traced, result = _trace(run, avals(leaves), self.name)
        moved = witness.moved()
        if moved:
            warnings.warn(
                three_part(
                    f"{self.label}: {self.name} drew random numbers while it was traced: "
                    f"{', '.join(moved)}.",
                    f"Called at {decode(*here(4))}; these numbers are constants of the program "
                    "now, the same at every call.",
                    f"Draw from {self.drawing}; or draw outside and pass the numbers: "
                    "step(x, rng.normal(size=n)).",
                ),
                TracingWarning,
                stacklevel=user_level(),
            )
        with _without_collector():
            made = compiled(traced, result, self.options, given)
        if keep is not None:
            self._keep(keep, made)
        program = Program(self.name, made, kept, self.options, lambda: traced, derived)
        program.given = given
        return program

    def _changed(self) -> str:
        """The name of what was seen to change outside last."""
        return next((x.changed for x in self._around.values() if x.changed), "")

    def _kept(self, arguments: Any) -> tuple[str, Fingerprint, stored.Stored | None] | None:
        """The key of the program on disk, what the key was made of, and the program if it is there.

        None where nothing is kept, or can be.
        """
        if not self.options.cache or self.options.backend == "numpy" or missing() is not None:
            return None
        try:
            options = (self.static_argnames, sorted(map(str, self.donate)))
            fingerprint = Fingerprint(self.function, (arguments, options))
        except Unknown as unknown:
            self._say_unkept(unknown)
            return None
        key = stored.key_of(fingerprint, self.options)
        return key, fingerprint, stored.load(key, fingerprint, self.options.threads)

    def _keep(self, keep: Any, made: stored.Stored) -> None:
        key, fingerprint, _ = keep
        if isinstance(made.run, Schedule):  # else the compiler has failed, and said so
            try:
                stored.save(key, fingerprint, made)
            except (Unknown, Uncodable) as unknown:
                self._say_unkept(unknown)

    def _say_unkept(self, reason: Exception) -> None:
        if self._is_said:
            return
        self._is_said = True
        warnings.warn(
            three_part(
                f"function: programs of {self.name} are not kept on disk as a whole.",
                f"They use {reason}, which cannot be compared or written; called at "
                f"{decode(*here(4))}.",
                "Machine code is kept still; pass what changes as an argument, or leave cache=True "
                "out.",
            ),
            TracingWarning,
            stacklevel=user_level(),
        )


@contextlib.contextmanager
def _without_collector() -> Iterator[None]:
    """While thousands of nodes are made, none of which is garbage yet."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _are_leaves(args: tuple[Any, ...], leaves: list[Any]) -> bool:
    """Whether the arguments are the inputs, and none is a Tensor, a tree or static."""
    return len(args) == len(leaves) and all(
        x is y and not isinstance(x, Tensor) for x, y in zip(args, leaves, strict=True)
    )


def _derived(options: Options, f: Callable[..., Any], name: str) -> CompiledFunction:
    made = CompiledFunction(f, (), options)
    made.name = name
    return made
