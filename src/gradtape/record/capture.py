"""Capture: listens to a training loop and says to the writer what happened, step by step.

It hears of gradients (`events`) and of assignments (`core/observing.py`) in the thread that began
the recording, tells steps apart (`steps.py`), and keeps a row of numbers for each. At the level
"standard" it also looks at the records of each gradient: their graph, once for each structure, the
constant arrays that entered, the prediction, arrays of the sources, and what of it is not finite.
What is asked at every step is kept short here; the rest is in the files beside this one.
"""

from __future__ import annotations

import math
import threading
import time
import traceback
import types
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import events
from ..core import observing
from ..core.positions import decode, here, is_internal
from ..core.state import next_key, state
from ..core.variable import Variable
from ..errors import RecordError, RecordWarning, three_part
from ..tape.nested import Gradient, Nested
from ..tape.nonfinite import is_finite
from . import again, notices, traced, unfinished
from .alarms import Alarms
from .calls import NAN, Call, Column, value_of
from .capture_costs import Costs
from .capture_records import Records
from .capture_rows import Rows
from .costs import Cost
from .endings import exception_of
from .naming import names_of
from .norms import difference_norm
from .quick import make_quick
from .ring import Ring
from .running import Part, Running

__all__ = ["LEVELS", "Capture"]

LEVELS = ("scalars", "standard", "full")
_clock = time.perf_counter
_isfinite = math.isfinite


class Capture(Running):
    """What one recording hears and hands to its writer.

    Parameters
    ----------
    writer : Writer
    level : {"standard", "scalars", "full"}
    every : int
        Only every so many steps are recorded; steps are counted all the same.
    ring : int
        How many steps are held in full detail, to be written when something is not finite or an
        exception ends the run.
    thread : int
        The thread whose loop it is.
    """

    def __init__(self, writer: Any, level: str, every: int, ring: int, thread: int) -> None:
        self.writer, self.level, self.every = writer, level, every
        super().__init__(thread)
        self.rows = Rows(writer)
        self.notices = notices.Notices(self)
        self.records = Records(self)
        self.ring, self.ring_size = Ring(self, ring), ring
        self.costs = Costs(self)
        self.nested = Nested()
        self.looks = level != "scalars" or ring > 0  # at records
        self.look = self.records.look if level != "scalars" else self.ring.look
        self.on_step: Callable[[int, float], None] | None = None  # the progress line
        self.calls: list[Call] = []
        self.names: dict[int, str] = {}  # of Variables, by key
        self.variables: dict[str, Any] = {}  # (keeps them alive, so that keys stay theirs)
        self.taken: set[str] = set()
        self.tags: dict[str, int] = {}
        self.seconds = 0.0  # spent here
        self._early: set[str] = set()  # what has been logged in a step before its first gradient
        self.layouts: dict[Any, tuple[int, int, Any]] = {}
        self.has_failed = False
        self.alarms = Alarms(self)
        self._unobserve: Any = None  # what ends hearing of assignments, while they are heard of
        self._patience = 5  # how often that is given up
        self._observer = self._make_observer()
        self._stops: list[Callable[[], None]] = []
        self._call: Call | None = None  # the last one
        self._unwatch: Any = None
        self.last: Part | None = None  # of the last step that was written
        self._latest: tuple[int, list[Part]] = (0, [])  # the last with arrays, and its number

    # -- on and off -----------------------------------------------------------------------------

    def start(self) -> None:
        """Listen from now on."""
        self.writer.collect = self.rows.collect
        if self.looks:
            observing.keep_everything(True)
            self._stops.append(lambda: observing.keep_everything(False))
        observing.inspector.look = traced.look
        self._observe()
        self._stops.append(self._unheard)
        self._stops.append(observing.record())
        self._watcher = None
        self._unwatch = events.watch_gradients(self.watch)
        self._stops.append(lambda: self._unwatch())
        self._stops.append(events.subscribe(self.heard))
        self._stops.append(self.notices.hear_numpy())
        self.moment = _clock()

    @property
    def listens(self) -> bool:
        """Whether tapes are listened to."""
        return bool(self._stops)

    def deafen(self) -> None:
        """Listen no more."""
        self._catch_up()
        for stop in reversed(self._stops):
            stop()
        self._stops.clear()
        self._unheard()

    def stop(self, error: BaseException | None = None) -> None:
        """Listen no more, and write the step that is complete, and what an exception ended."""
        self.deafen()
        step, recorder, called = self.steps.number, None, None
        if isinstance(error, Exception):
            recorder = unfinished.recorder_of(error, self.steps.last)
            called = unfinished.called(error)
            begins = recorder is not None or (called is not None and bool(called.told))
            step += self.steps.ends or (begins and self.steps.is_over)
        if self.logged or (self.parts and self.steps.is_complete):
            self.finish()
        if self.level != "scalars":
            for part in self._latest[1]:
                self.records.last(part.call, self._latest[0], part.values)
        self.rows.flush()
        if error is not None:
            self._ended(error, recorder, called, step)

    def _ended(self, error: BaseException, recorder: Any, called: Any, step: int) -> None:
        """Write the exception that ended the run in a step, and what led there."""
        said = exception_of(error)
        if isinstance(error, Exception):
            try:
                self.ring.write()
                said |= called.facts() if called is not None else unfinished.failing(error)
                if recorder is not None and self.looks:
                    said |= unfinished.write(self, recorder, step)
                elif called is not None and self.looks:
                    said |= called.write(self, step)
            except Exception as own:
                self.fail(own)
        self.writer.event(step, "exception", said)
        if said["file"] is not None:
            self.notices.file(said["file"])

    def _make_observer(self) -> Callable[[Any], None]:
        add, notice = self.steps.changed.add, self.notices.assigned
        told: set[int] = set()

        def assigned(variable: Any) -> None:
            key = variable.key
            add(key)
            if key not in told:
                told.add(key)
                notice(variable)

        return assigned

    def _observe(self) -> None:
        self._unobserve = observing.observe_assignments(self._observer)

    def _unheard(self) -> None:
        if self._unobserve is not None:
            self._unobserve()
            self._unobserve = None

    def _catch_up(self) -> None:
        """Hear of assignments again, where `quick` has done without."""
        self._take_back()
        if self._unobserve is None:
            self._see_changes()
            self._observe()

    # -- what is heard --------------------------------------------------------------------------

    def heard(self, name: str, data: dict[str, Any]) -> None:
        """The listener of events that are rare."""
        if threading.get_ident() != self.thread:
            return
        if name == "warning":
            self.notices.warned(data)
        elif name == "compiled gradient" and not state.tapes:
            variables = zip(data["told"].sources, data["sources"], strict=True)
            self.committed = {variable.key: value for variable, value in variables}
            self._guarded(self.compiled, **data)
            self.committed = {}
        elif name == "jacobian" and not state.tapes and data["recorder"].thread == self.thread:
            inner = self.nested.behind(data["recorder"], data["targets"])
            if inner is not None:  # a step of Newton's
                self._guarded(self.gradient, data["recorder"], *inner)

    def _guarded(self, hear: Callable[..., None], *told: Any, **data: Any) -> None:
        """Hear of a gradient: an error of ours ends no training."""
        self._catch_up()
        start = _clock()
        try:
            hear(*told, **data)
        except Exception as error:
            self.fail(error)
        self.seconds += _clock() - start

    def compiled(
        self, function: str, told: Any, targets: Any, sources: list[Any], results: list[Any],
        more: list[Any], given: Any,
    ) -> None:  # fmt: skip
        """A gradient has been computed in a compiled function, which has told its values."""
        code, lasti = told.position
        call = self._call
        if call is None or not call.fits(code, lasti, told.sources):
            leaves = {s.key: s for s in told.sources if isinstance(s, Variable)}
            call = self._find(types.SimpleNamespace(leaves=leaves), told.sources, code, lasti)
        first = next_key()
        is_recorded = self._begin(call, first, first)
        if len(targets) == 1 and isinstance(targets[0], np.floating):
            cost = float(targets[0])
        else:
            cost = float(sum(np.sum(np.real(t)) for t in targets))
        step = self.steps.number
        if not is_recorded and not self._is_news(call, cost, results):
            if self.ring_size:
                self.ring.hold_compiled(call, told, sources, given, step)
            return
        finite, is_first = self._add(call, cost, sources, results, told.keys)
        if self.level != "scalars":
            self.records.traced(call, told.seen, more, step, is_first)
            if not call.are_numbers:
                self.records.arrays(call, step, sources, results)
            if self.level == "full" and is_first:
                again.write(self, call, told, sources, given, step)
        if is_first and self.ring_size:
            self.ring.hold_compiled(call, told, sources, given, step)
        if not finite:
            self.alarms.inside(function, call, told, cost, sources, results, given)

    def watch(self, recorder: Any, targets: Any, sources: Any, results: Any, position: Any) -> None:
        """The watcher of gradients: those that are outermost in this thread are recorded."""
        tapes = state.tapes
        if recorder.thread != self.thread or not recorder.ops:
            return
        told = Gradient(targets, sources, results, position)
        if not tapes or (len(tapes) == 1 and tapes[0] is recorder):
            loss = self.nested.behind(recorder, targets) or told
            self._guarded(self.gradient, recorder, *loss)
        if tapes:
            self.nested.saw(told)

    def fail(self, error: Exception) -> None:
        """Recording has met an error of its own: the run says so, training goes on."""
        if isinstance(error, RecordError):  # the writer's, which says more
            raise error
        lines = traceback.format_exception(type(error), error, error.__traceback__)
        told = {"error": f"{type(error).__name__}: {error}", "count": 1,
                "traceback": "".join(lines)}  # fmt: skip
        self.notices.event("lost", told["error"], told)
        if not self.has_failed:
            self.has_failed = True
            warnings.warn(
                three_part(
                    f"Recording: something of a step could not be recorded: {told['error']}.",
                    "It is an error of gradtape's own, and training goes on without it.",
                    'Please report it, with what `run.reader.events("lost")` has.',
                ),
                RecordWarning,
                stacklevel=2,
            )

    def _use(self, quick: Any) -> None:
        """Have gradients told to `quick` from now on, and assignments to nobody."""
        if not self._stops or quick is None:
            return
        if quick is not self._watcher:
            self._watcher = quick
            self._unwatch()
            self._unwatch = events.watch_gradients(quick.watcher, quick.step)
        if self._patience and self._unobserve is not None:
            self._patience -= 1
            self._unheard()

    def gradient(
        self, recorder: Any, targets: Any, sources: Any, results: Any, position: Any
    ) -> None:
        """A gradient has been computed, outermost in this thread."""
        code, lasti = position
        call = self._call
        if call is None or not call.fits(code, lasti, sources):
            call = self._find(recorder, sources, code, lasti)
        ops = recorder.ops
        self._ready = None
        values = [s.value for s in sources]
        is_recorded = self._begin(call, ops[0][2], ops[-1][2], values, recorder.leaves)
        target = targets[0]
        cost: Any = target.value
        if len(targets) > 1 or not isinstance(cost, np.floating):
            cost = float(sum(np.sum(np.real(t.value)) for t in targets))
        grads = [None if r is None else value_of(r) for r in results]
        if not is_recorded and not self._is_news(call, cost, grads):
            if self.ring_size:
                self.ring.hold(call, recorder, targets, sources, self.steps.number)
            return
        keys = tuple([t.key for t in targets])
        finite, is_first = self._add(call, cost, values, grads, keys)
        step = self.steps.number
        if self.looks:
            self.look(call, recorder, targets, sources, results, step, is_first)
        if self.level != "scalars" and not call.are_numbers:
            self.records.arrays(call, step, values, grads)
        if not finite:
            self.alarms.not_finite(call, recorder, targets, sources, results, cost, step)
        self._hand_over(call)

    def _begin(
        self, call: Call, first: int, last: int, values: Any = None, leaves: Any = None
    ) -> bool:
        """A gradient call whose records have these keys: whether its step is recorded."""
        steps = self.steps
        if self.parts and steps.begins(call, call.keys, first, call.has_variables, leaves):
            self.finish(call, values)
        if steps.is_empty:
            now = _clock()
            self.took, self.moment = now - self.moment, now
        steps.joined(call, call.has_variables, last)
        if steps.number % self.every == 0:
            return True
        if not self.parts:
            self.parts.append(Part(call, None, [], None, None))
        return False

    def _is_news(self, call: Call, cost: Any, grads: list[Any]) -> bool:
        """Whether a step that `every` leaves out is recorded: the first that is not finite."""
        if _isfinite(cost) and all(g is None or is_finite(g) for g in grads):
            return False
        if not self.alarms.is_due():
            return False
        self.parts[:] = [part for part in self.parts if part.cost is not None]
        return True

    def _add(
        self, call: Call, cost: Any, values: list[Any], grads: list[Any], keys: tuple[int, ...]
    ) -> tuple[bool, bool]:
        """Add a call to the row of the step: whether all is finite, and its cost is new there."""
        updates: Any = None
        if call.are_numbers:
            entries = [*values, *[NAN if g is None else g for g in grads]]
        else:
            entries, updates = call.entries(values, grads)
        finite = _isfinite(cost) and all(map(_isfinite, entries))
        parts = self.parts
        part = Part(call, cost, entries, values, updates)
        part.keys, part.owns = keys, self.costs.owns(call, cost, keys)
        for i in range(len(parts)):  # asked again in the same step: the last one counts
            if parts[i].call is call:
                parts[i] = part
                break
        else:
            parts.append(part)
        return finite, part.owns

    def log(self, key: str, value: float) -> None:
        """Add a number to the step that is running.

        What is logged at the beginning of a turn of the loop, as a learning rate is, begins a step
        where the one before has ended.
        """
        if self._steps.ends:  # a turn of `run.steps`, of which no gradient has been asked yet
            self._catch_up()
            self.finish()
        if not self.parts:
            self._early.add(key)
        elif key in self._early and not self.steps.is_explicit:
            self._catch_up()
            if self.steps.is_over:
                self.finish()
        self.logged[key] = value

    def end_step(self) -> None:
        """The user says that the step ends here; its row is written when the next one begins."""
        if self._steps.ends:  # no gradient since
            self.finish()
        self._steps.ends = True

    # -- the end of a step ----------------------------------------------------------------------

    def finish(self, call: Call | None = None, values: Any = None) -> None:
        """The step has ended: write its row. `values` are the sources' of the next call, if any."""
        parts, steps = self.parts, self.steps
        number = steps.number
        first = parts[0] if parts else None
        if first is None:
            now = _clock()
            self.took, self.moment = now - self.moment, now
        seconds = self.took
        if (first is None or first.cost is None) and not self.logged:
            row = None
        elif first is not None and len(parts) == 1 and first.updates is None and not self.logged:
            own = first.call
            layout = own.layout
            if layout is None:
                layout = own.layout = self.layout(((own, own.cost),), ())
            row = [number, first.cost, seconds, *first.entries]
            self.rows.add(layout[0], len(row), row)
            if own.has_variables and self.every == 1 and not self.committed:
                quick = own.quick.get(steps.is_explicit)
                if quick is None:
                    quick = make_quick(self, own, first.cost, steps.is_explicit)
                    own.quick[steps.is_explicit] = quick
                self._ready = quick
                self._use(quick)
        else:
            row = self._general_row(number, seconds, call, values)
        steps.advance()
        self.nested.clear()
        if first is not None and first.cost is not None:
            self.last = first
        parts.clear()
        if self.on_step is not None:
            self.on_step(number, _clock())

    def told(self, call: Call, row: Sequence[Any], moment: float) -> None:
        """A step that `quick` held has ended; somebody wants to hear of it."""
        self.last = Part(call, row[1], list(row[3:]), None, None)
        if self.on_step is not None:
            self.on_step(int(row[0]), moment)

    def _general_row(self, number: int, seconds: float, call: Any, values: Any) -> list[Any]:
        parts = [part for part in self.parts if part.cost is not None]
        for part in parts:
            if part.updates is not None:
                for i, place in part.updates:
                    now = self._now(part, i, values if part.call is call else None)
                    part.entries[place] = (
                        NAN if now is None else difference_norm(now, part.values[i])
                    )
        self._latest = (number, parts)
        calls = tuple((part.call, part.call.cost if part.owns else None) for part in parts)
        logged = tuple(self.logged)
        layout = self.layouts.get((calls, logged))
        if layout is None:
            layout = self.layouts[calls, logged] = self.layout(calls, logged)
        row: list[Any] = [seconds]
        for part in parts:
            row.append(part.cost)
            row += part.entries
        row += self.logged.values()
        row = [number, *[row[i] for i in layout[2]]]
        self.logged.clear()
        self.rows.add(layout[0], len(row), row)
        return row

    def _now(self, part: Part, i: int, values: Any) -> Any:
        """What source `i` holds after the step; None where that is not known.

        Where a source is no Variable, what the same call saw in its place at the next step.
        """
        if not part.call.sources:
            return None if values is None else values[i]
        variable = part.call.sources[i]
        return self.committed.get(variable.key, variable.value)

    def layout(
        self, calls: Sequence[tuple[Call, Cost | None]], logged: Sequence[str]
    ) -> tuple[int, int, Any]:
        """(number of the layout, its width, which entries of what is gathered it takes).

        `calls` are those of the step, each with the cost whose column it fills.
        """
        gathered: list[Column] = [("seconds", "time", None)]
        for call, cost in calls:
            gathered.append((cost.column if cost is not None else "", "cost", None))
            gathered += call.columns()
        gathered += [(f"log/{key}", "log", None) for key in logged]
        last = {name: i for i, (name, _, _) in enumerate(gathered) if name}
        order = sorted(last.values(), key=lambda i: (gathered[i][1] != "cost", i))
        define = self.writer.column
        columns = [
            define(name, kind, tag, "s" if name == "seconds" else None)
            for name, kind, tag in (gathered[i] for i in order)
        ]
        return self.writer.layout(columns), len(order) + 1, order

    def facts(self) -> dict[str, float]:
        """Cost and norm of the gradient at the last step that was recorded."""
        part = self.last
        if part is None:
            return {"cost": NAN, "slope": NAN}
        return {"cost": float(part.cost), "slope": part.call.slope(part.entries)}

    def forget(self) -> None:
        """Forget what was made for the names that calls have: there are others now."""
        self._take_back()
        for call in self.calls:
            call.forget()

    # -- a place where a gradient is asked for --------------------------------------------------

    def _find(self, recorder: Any, sources: Any, code: Any, lasti: int) -> Call:
        """The call that is like this one, made anew where there is none."""
        if is_internal(code):  # an optimizer of ours: the user's line tells more
            code, lasti = here()
        for call in self.calls:
            if call.fits(code, lasti, sources):
                self._call = call
                return call
        called = names_of(sources, code, lasti)
        names = [
            self._source(s, called[i] or f"source:{i}", recorder) for i, s in enumerate(sources)
        ]
        has_variables = any(isinstance(leaf, Variable) for leaf in recorder.leaves.values())
        call = Call(code, lasti, sources, names, has_variables)
        self.calls.append(call)
        self._call = call
        return call

    def name_of(self, variable: Variable) -> str:
        """What the run calls a Variable, of which a gradient has been asked or not."""
        known = self.names.get(variable.key)
        return known or self._name(variable, names_of([variable])[0] or variable.name)

    def _name(self, source: Any, wanted: str) -> str:
        """What the run calls a source: as it is wanted, made unique."""
        known = self.names.get(source.key)
        if known is not None:
            return known
        name, n = wanted, 1
        while name in self.taken:
            n += 1
            name = f"{wanted}_{n}"
        self.taken.add(name)
        if isinstance(source, Variable):
            self.names[source.key] = name
            self.variables[name] = source
        return name

    def _source(self, source: Any, wanted: str, recorder: Any) -> str:
        """The name of a source, of which value and gradient are stored."""
        name = self._name(source, wanted)
        if f"value/{name}" in self.tags:
            return name
        is_variable = isinstance(source, Variable)
        leaf = recorder.leaves.get(source.key)
        at = source.position if is_variable else leaf[3:5] if type(leaf) is tuple else None
        position = decode(*at) if at else None
        value = source.value
        facts = {"file": position.filename, "line": position.line} if position else {}
        for tag in (f"value/{name}", f"grad/{name}"):
            self.tags[tag] = self.writer.tag(
                tag, "variable" if is_variable else "source", np.shape(value), value.dtype, **facts
            )
        return name
