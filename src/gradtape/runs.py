"""Runs as a user holds them: `gt.Recording` around a loop, `gt.Run` and `gt.open_run` afterwards.

Both are thin: what is recorded is decided in `record/capture.py`, what is read in
`record/reader.py`, what is shown in `viewer/`. The file is long for what it says to a user.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .core.positions import decode, here
from .core.refusals import not_pickled
from .core.variable import Variable
from .errors import RecordError, RunError, three_part
from .record import doors, environment
from .record.calls import value_of
from .record.capture import LEVELS, Capture
from .record.doors import choice_of, entries_of, path_of, step_of, text_of, variable_of, whole_of
from .record.endings import bytes_of, status_of
from .record.following import follow
from .record.lock import free_folder, is_held
from .record.notices import where
from .record.progress import progress_of
from .record.reader import Reader
from .record.schema import DATABASE, as_text
from .record.seeds import Seeds, names_around
from .record.writer import DURABILITIES, Writer

if TYPE_CHECKING:
    import pandas as pd

    from .record.findings import Diagnosis
    from .verdict import Verdict

__all__ = ["Recording", "Run", "open_run"]

_active: list[Recording] = []
_lock = threading.Lock()


class Run:
    """A recorded run, to be asked and shown.

    Parameters
    ----------
    path : path
        The run's folder, or the file that `gradtape pack` made of it.

    Raises
    ------
    RunError
        If there is no run, or it cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> import gradtape as gt
    >>> w = gt.Variable(1.0, name="w")
    >>> with gt.Recording(tempfile.mkdtemp() + "/run", progress=False) as run:
    ...     for step in run.steps(3):
    ...         with gt.GradientTape() as tape:
    ...             loss = w * w
    ...         w -= 0.25 * tape.gradient(loss, w)
    >>> gt.open_run(run.path).history()["w"].tolist()
    [1.0, 0.5, 0.25]
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = path_of("open_run", path)
        self._at = Path(os.path.abspath(self._path))  # a script may change its directory
        self._open: Reader | None = None
        self.reader  # noqa: B018 - raises where there is none

    @property
    def path(self) -> Path:
        """Where the run is."""
        return self._path

    @property
    def reader(self) -> Reader:
        """What reads it: see `record/reader.py`."""
        if self._open is None:
            self._open = Reader(self._at)
        return self._open

    @property
    def name(self) -> str:
        """The run's name, that of its folder by default."""
        return str(self.reader.meta().get("name", self._path.name))

    @property
    def status(self) -> str:
        """running, finished, failed, stopped; interrupted where its writer died.

        incomplete where it ended well, but not all of it could be written: see `lost`.
        """
        return self.reader.status()

    @property
    def lost(self) -> str:
        """What could not be written, because the disk was full for instance; "" if nothing."""
        lost = self.reader.lost()
        return "" if lost is None else str(lost)

    def __len__(self) -> int:
        return self.reader.count()

    def __reduce__(self) -> Any:
        if self in _active:
            raise not_pickled(
                "a Recording can be neither pickled nor copied while it records.",
                "One process writes a run, from the thread whose loop it is.",
                f"Pass its path, and read it there: gt.open_run({str(self._path)!r}).",
            )
        return Run, (self._path,)

    def __repr__(self) -> str:
        try:
            lost = self.lost and f", {self.lost}"
            return f"<run {self.name!r}: {self.status}, {len(self)} steps{lost}, {self._path}>"
        except RunError as error:  # moved, removed or damaged: no reason to end a session
            return f"<run {self._path}: {str(error).splitlines()[0]}>"

    def history(self) -> pd.DataFrame:
        """One row a step: cost, each scalar Variable and its gradient, norms of the others.

        Returns
        -------
        pandas.DataFrame
            Its index is the step. Columns: `cost`, each scalar Variable under its name, its
            gradient under `grad/NAME`, norms of arrays under `norm/NAME` and `gradnorm/NAME`,
            what was logged under its own name, `seconds`.
        """
        return self.reader.history()

    def array(self, tag: str, step: int | None = None) -> Any:
        """The array that a tag (`input/0`, `prediction`, `value/NAME`) held at a step.

        The last step by default; where none was stored at that step, the one before it. A
        number, as a scalar Variable is, comes as an array of shape () and of that step itself.
        Raises RunError where there is none.
        """
        tag, step = text_of("array", "tag", tag), step_of("array", step)
        scalars = {column.name for column in self.reader.columns()}
        if tag.startswith(("value/", "grad/")) and tag in scalars:
            steps, values = self.reader.series(tag)
            found = values[-1:] if step is None else values[steps == step]
            if len(found):
                return np.array(found[0])
        return self.reader.array(tag, step)[0]

    def graph(self, step: int | None = None, cost: int | str | None = None) -> dict[str, Any]:
        """The graph of the operations at a step, as data: see `record/graphs.py`.

        Where a step descends several costs, that of the one that is meant, by number or name.
        """
        number = 0 if cost is None else self.reader.of_cost(cost).number
        return self.reader.graph(step_of("graph", step), number)

    def restore(self, variable: Any, step: int | None = None) -> Variable:
        """Assign to a Variable what it held before its update at a step, and return it.

        Parameters
        ----------
        variable : Variable
            Found in the run by its name.
        step : int, optional
            The last one by default.

        Raises
        ------
        RunError
            If the run has no such Variable, or one of another shape, or of an array no value was
            stored at that step.
        TypeError
            If `variable` is none, or `step` no whole number.
        """
        from .record.restoring import restored

        name = variable_of("restore", variable).name
        value = restored(self.reader, name, step_of("restore", step))
        if np.shape(value) != tuple(variable.shape):  # assign would stretch it
            raise RunError(
                three_part(
                    f"restore: {variable.name!r} had shape {np.shape(value)} in the run, and the"
                    f" Variable has {tuple(variable.shape)}.",
                    "Variables are found by their names: this is probably another one.",
                    "Give the Variable the name and the shape that it had in the run.",
                )
            )
        variable.assign(value)
        return variable  # type: ignore[no-any-return]

    # -- explaining -----------------------------------------------------------------------------

    def verdict(self) -> Verdict:
        """The four facts of `gradtape fit`'s verdict, for any recorded run.

        Returns
        -------
        Verdict
            Where the fast phase ended, from where on the printed cost stands still, the lowest
            cost, and whether the run has converged. Prints as text.

        Raises
        ------
        RunError
            If the run has no cost with gradients, or none that is finite at its first step.
        """
        from .record.summary import verdict

        self._settle()
        return verdict(self.reader)

    def diagnose(self) -> Diagnosis:
        """What is wrong with the run, each with its line and what to write instead.

        Returns
        -------
        Diagnosis
            A sequence of findings, empty where nothing is wrong as far as can be seen; each has
            `kind`, `fact`, `cause`, `remedy`, `file`, `line` and `step`. Prints as text. It looks
            for a learning rate that is too high or too low, dead and saturated units, values that
            left the tape, Variables that were never watched, the first value that is not finite,
            inputs of very different size, targets that have nothing to do with the inputs, output
            that the cost ignores, and shapes that were stretched against each other.
        """
        from .record.diagnosis import diagnose

        self._settle()
        return diagnose(self.reader)

    # -- showing --------------------------------------------------------------------------------

    def figure(
        self, kind: str, *, step: int | None = None, cost: int | str | None = None
    ) -> Any:
        """A matplotlib figure: "cost", "fit", "path" or "flow"; of the fit at a step.

        Where a step descends several costs, as with two networks, `cost` is the number or the name
        of the one that is meant.

        Raises
        ------
        TypeError, ValueError
            If there is no such kind, or step.
        RunError
            If the run does not hold what the figure shows.
        """
        from .viewer.figures import draw

        self._settle()
        return draw(self.reader, kind, step=step_of("figure", step), cost=cost)

    def to_html(self, file: str | os.PathLike[str], *, steps: int = 60) -> Path:
        """Write the run with its page into one HTML file, and return the path of that.

        The file needs nothing else, asks nothing of any network, and can be sent to anybody.

        Parameters
        ----------
        file : path
            Replaced if it is there.
        steps : int
            Of how many steps, evenly chosen, the fit, values of nodes and arrays are kept; the
            scalars are there of all, or the file says of how many.

        Raises
        ------
        RunError
            If the file cannot be written.
        TypeError, ValueError
            If an argument is not one of these.
        """
        from .viewer.static import to_html

        self._settle()
        return to_html(self._at, file, steps=steps)

    def show(self, *, browser: bool = True) -> str:
        """Open the run's page in the browser, from a process of its own, and return its address.

        The page follows a run that is still recorded. Needs the extra `view`.
        """
        from .viewer.launch import show

        self._settle()
        return show(self._at, browser=browser)

    def live(self) -> Any:
        """The page as a widget in a notebook that follows the run; needs the package anywidget.

        Put it at the end of a cell before the loop starts. A saved notebook does not keep it: end
        with a cell that shows the run itself. Raises RecordError where anywidget is missing.
        """
        from .viewer.widget import live

        self._settle()
        return live(self._at)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        from .viewer.notebook import as_bundle

        self._settle()
        return as_bundle(self._at, repr(self))

    def _settle(self) -> None:
        """Have everything that was recorded so far in the file."""


def open_run(path: str | os.PathLike[str]) -> Run:
    """Return the run in a folder, or in a file that `gradtape pack` made, to read it.

    Raises RunError where there is none, TypeError or ValueError where `path` is no path.
    """
    return Run(path)


class Recording(Run):
    """Records the training loop inside `with gt.Recording(path) as run:`, and is its Run.

    The loop needs no other change. Recorded are: the cost, each source's value before its update
    and its gradient, norms, seconds, constant arrays that enter the tape, the prediction, the
    graph of operations, warnings, what left the tape, and the exception that ended it.

    Parameters
    ----------
    path : path
        The run's folder. If it holds a run that has ended, the next free name is taken
        (`cars-2`) and said on stderr.
    level : {"standard", "scalars", "full"}
        "scalars" keeps numbers and norms alone; "standard" adds graph, inputs, prediction, and
        arrays as often as disk space allows and at the last step; "full" adds each operation's
        value and cotangent at each step.
    every : int
        Record only every so many steps; all are counted. Each step is looked at all the same: the
        first whose cost or gradient is not finite is recorded with its cause, and what is logged
        is kept.
    name : str, optional
        What the run is called; the folder's name by default.
    durability : {"group", "step", "full"}
        When what was recorded is on disk: see `Writer`.
    ring : int, optional
        How many of the last steps are held in full detail, to be written when a value is not
        finite or an exception ends the run; 0 for none. By default 3; none at the level "scalars",
        where it makes records keep all their values and a step of a small model about 4 µs longer.
        Of the step that an exception ends, what it had computed is written with them. Of a compiled
        step what its program was given is held, and the rest computed again when it is written.
    progress : bool, "tqdm" or callable
        Whether and how the progress of a loop over `run.steps` is shown: True for a line in the
        terminal, the notebook or the log; a callable gets a dict (`record/progress.py`).

    Raises
    ------
    RecordError
        If another process writes that run, or the folder cannot be written.
    TypeError, ValueError
        If an argument is not one of these.

    Notes
    -----
    Steps are counted in the thread that entered the context: see `record/steps.py`, or
    `run.steps`.

    Examples
    --------
    See `Run`.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        level: str = "standard",
        every: int = 1,
        name: str | None = None,
        durability: str = "group",
        ring: int | None = None,
        progress: Any = True,
    ) -> None:
        self._asked = self._path = path_of("Recording", path)
        self._at = Path(os.path.abspath(self._path))
        self.listens = True  # to tapes, from the beginning
        self._open = None
        self._level = choice_of("Recording", "level", level, LEVELS)
        self._every = whole_of("Recording", "every", every, 1)
        ring = (0 if level == "scalars" else 3) if ring is None else ring
        self._ring = whole_of("Recording", "ring", ring, 0)
        self._name = None if name is None else text_of("Recording", "name", name)
        self._durability = choice_of("Recording", "durability", durability, DURABILITIES)
        progress_of(progress)  # refuses what is none
        self._progress = progress
        self._capture: Capture | None = None
        self._writer: Writer | None = None
        self._config: dict[str, Any] = {}
        self._asking: threading.Thread | None = None
        self._began = 0.0

    # -- context --------------------------------------------------------------------------------

    def __enter__(self) -> Recording:
        if self._writer is not None:
            raise RecordError(
                three_part(
                    "Recording: the same object twice is not possible.",
                    f"It has recorded {self._path}.",
                    "Make another: gt.Recording(path).",
                )
            )
        if (self._asked / DATABASE).exists() and is_held(self._asked):
            raise RecordError(
                three_part(
                    f"Recording: {self._asked} is being written.",
                    "Another process, or another Recording of this one, records there.",
                    "Record into another folder, or wait until that run has ended.",
                )
            )
        self._path = free_folder(self._asked)
        self._at = Path(os.path.abspath(self._path))
        writer = self._writer = Writer(self._at, durability=self._durability)
        if self._path != self._asked:
            said = f"gradtape: {self._asked} holds a run; this one is {self._path}"
            print(said, file=sys.stderr)
        capture = self._capture = Capture(
            writer, self._level, self._every, self._ring, threading.get_ident()
        )
        writer.set("level", self._level)
        writer.set("every", self._every)
        if self._name is not None:
            writer.set("name", self._name)
        for key, value in environment.facts().items():
            writer.set(key, value)
        self._seeds = Seeds()
        self._seeds.look(names_around())
        self._asking = environment.ask(writer, self._seeds)
        script = environment.main_file()
        if script is not None:
            capture.notices.file(script)
        with _lock:
            _active.append(self)
        self._began = time.perf_counter()
        if self.listens:
            capture.start()
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        capture, writer = self._capture, self._writer
        assert capture is not None and writer is not None
        with _lock:
            if self in _active:
                _active.remove(self)
        try:
            capture.stop(error)
        finally:
            if self._asking is not None:
                self._asking.join(environment.PATIENCE)
            self._seeds.look(names_around())  # what was seeded inside the block
            self._seeds.tell(writer)
            writer.set("overhead", {
                "seconds": capture.seconds, "bytes": bytes_of(self._at),
                "run_seconds": time.perf_counter() - self._began,
            })  # fmt: skip
            writer.close(status_of(error))

    def _settle(self) -> None:
        if self._writer is not None and self in _active:
            self._writer.flush()

    def show(self, *, browser: bool = True) -> str:
        """As `Run.show`; what it takes is no part of the step that is running."""
        start = time.perf_counter()
        try:
            return super().show(browser=browser)
        finally:
            if self._capture is not None:
                self._capture.moment += time.perf_counter() - start

    # -- what the user says ---------------------------------------------------------------------

    def _recording(self, what: str) -> tuple[Capture, Writer]:
        capture, writer = self._capture, self._writer
        if capture is None or writer is None or self not in _active:
            raise RecordError(
                three_part(
                    f"Recording.{what}: nothing is being recorded.",
                    "It was called outside of the `with` block.",
                    "Call it inside: `with gt.Recording(path) as run: ...`.",
                )
            )
        return capture, writer

    def steps(self, n: int | None = None) -> Iterator[int]:
        """Yield step numbers from 0, `n` of them or without end; each turn is a step.

        A line of progress is shown meanwhile, unless `progress=False`.

        Examples
        --------
        See `Run`.
        """
        capture, _ = self._recording("steps")
        if n is not None:
            n = whole_of("Recording.steps", "n", n, 0)
        progress = progress_of(self._progress)
        if progress is not None:
            progress.steps = n
            capture.on_step = lambda number, moment: progress.step(number, moment, capture.facts)
        if capture.parts:  # of a loop before
            capture.finish()
        capture.steps.is_explicit = True
        try:
            first = capture.steps.number
            count = 0
            while n is None or count < n:
                yield first + count
                capture.end_step()
                count += 1
        finally:
            if capture.steps.ends:
                capture.finish()
            capture.steps.is_explicit = False
            capture.on_step = None
            if progress is not None:
                progress.end()

    def follow(
        self, start: dict[str, float], cost: Callable[[Sequence[Variable]], Any] | None = None
    ) -> Callable[[float, Sequence[float], Sequence[float]], None]:
        """What records a step of a loop that has computed its gradients itself.

        From here on this recording listens to no tape.

        Parameters
        ----------
        start : dict of str to float
            The loop's numbers by name.
        cost : callable, optional
            The cost of Variables of these names, in their order: run once, for graph and inputs.

        Returns
        -------
        callable
            `step(cost, values, gradients)`, in the order of `start`.
        """
        capture, _ = self._recording("follow")
        return follow(capture, start, cost)

    def log(self, **values: Any) -> None:
        """Add numbers to the step that is running: `run.log(accuracy=0.9)`.

        A number that is logged before the first gradient of a turn belongs to that turn, as what is
        logged after its update does; of one logged twice in a step the last counts.
        `validation_cost`, `val_cost` or `val_loss` is drawn beside the cost on the page. What is
        no number is written as an event. A name is not empty, and has 1000 letters at most.
        """
        capture, writer = self._recording("log")
        doors.check_names("log", values)
        others = {}
        for key, value in values.items():
            plain = value_of(value)
            number = doors.number_of(plain)
            if number is None:
                others[key] = as_text(plain, 10_000)
            else:
                capture.log(key, number)
        if others:
            writer.event(capture.steps.number + capture.steps.ends, "log", others)

    def note(self, text: str) -> None:
        """Write a remark at the step that is running."""
        capture, writer = self._recording("note")
        place = where(decode(*here()))
        step = capture.steps.number + capture.steps.ends
        writer.event(step, "note", {"text": as_text(text), **place})

    def config(self, values: Mapping[str, Any]) -> None:
        """Say what the run was made with: `run.config({"lr": 0.01})`; calls add up."""
        capture, writer = self._recording("config")
        said = {key: value_of(value) for key, value in entries_of("config", values).items()}
        self._config.update(said)
        writer.set("config", self._config)
        writer.event(capture.steps.number, "config", said)

    def roles(
        self, *, x: Any = None, y: Any = None, prediction: Any = None, classes: Any = None, **o: Any
    ) -> None:
        """Say what is what, where the guess is wrong. Raises where something cannot be that.

        Parameters
        ----------
        x, y : array or str, optional
            An array that enters the tape, or its tag (`"input/1"`).
        prediction : Tensor or str, optional
            A result of this step that the cost depends on, or a tag.
        classes : sequence of str, optional
            What the classes of a classifier are called, in the order of their numbers.
        """
        capture, writer = self._recording("roles")
        doors.check_roles(o, capture.records.can_be_tag, x=x, y=y, prediction=prediction)
        if classes is not None:
            writer.set("classes", doors.words_of("roles", "classes", classes))
        capture.records.tell_roles(x, y, prediction)
