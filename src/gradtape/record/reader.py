"""The reader of a run: what it holds, while it is written and afterwards, from any process.

Reading changes nothing in the run. Every question is a short transaction of its own.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import weakref
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import RunError, three_part
from .costs import Cost, OfCost, costs_of
from .database import Database
from .lock import is_held
from .losses import Lost, lost_of, marked
from .pack import unpack
from .rows import Rows, damaged
from .schema import DTYPES, FIELDS, STATUSES, Column, Tag, decode, plain, shape_of
from .segments import read_segment

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Reader"]

_ARRAY_BYTES = 1 << 31
# Rows of the graph that a cost has at a step, or else of a graph that is no cost's.
_OF = (
    " AND (graph=(SELECT graph FROM structure WHERE cost=:cost AND step<=:step ORDER BY step DESC"
    " LIMIT 1) OR graph NOT IN (SELECT graph FROM structure))"
    " ORDER BY graph LIMIT 1"
)
Floats = np.ndarray[Any, np.dtype[np.float64]]


class Reader:
    """A recorded run, to read.

    Parameters
    ----------
    path : path
        The run's folder, or the file that `gradtape pack` has made of it.
    seconds : float
        How long one question may take.
    array_bytes : int
        The largest array that is read.

    Attributes
    ----------
    path : Path
        Where the run is.
    id : str
        A name for it that says nothing of the path: twelve hexadecimal digits.

    Raises
    ------
    RunError
        There is no run, it is damaged, or it is not one that gradtape has written.

    Examples
    --------
    See `Writer`.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        seconds: float = 20.0,
        array_bytes: int = _ARRAY_BYTES,
    ) -> None:
        self.path = Path(path)
        self.id = hashlib.blake2b(str(self.path.resolve()).encode(), digest_size=6).hexdigest()
        self._array_bytes = array_bytes
        self._folder = Path(os.path.abspath(self.path))  # the process may go elsewhere
        if _is_file(self.path):
            self._folder = unpack(self.path)
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._database = Database(self._folder, seconds)
        self._rows = Rows(self._database)
        self._views: dict[int, OfCost] = {}

    def __repr__(self) -> str:
        return f"Reader({str(self.path)!r}: {self.status()}, {self.count()} steps)"

    @contextlib.contextmanager
    def session(self) -> Iterator[None]:
        """Have all questions within the block see the same state of the run; other threads wait.

        Keep it short: the writer cannot put its files in order meanwhile.
        """
        with self._database.session():
            yield

    def close(self) -> None:
        """Close the files; the next question opens them again."""
        self._database.close()

    # -- the run --------------------------------------------------------------------------------

    def meta(self) -> dict[str, Any]:
        """What is known of the run as a whole: see `record/schema.py`."""
        rows = self._database.ask("SELECT key, value FROM meta ORDER BY rowid")
        return {str(key): decode(value, f"meta {key!r}") for key, value in rows if key != "commits"}

    def status(self) -> str:
        """How it stands: running, finished, failed, stopped.

        interrupted if its writer died; incomplete if it ended well, but not all of it could be
        written: see `lost`.
        """
        rows = self._database.ask("SELECT value FROM meta WHERE key='status'")
        status = decode(rows[0][0], "meta 'status'") if rows else "running"
        if status not in STATUSES:
            raise damaged(self.path, f"its status is {str(status)[:40]!r}")
        if status == "running" and not is_held(self._folder):
            status = "interrupted"
        # A writer that could write nothing could not write how it ended either.
        if status in ("finished", "interrupted") and self.lost() is not None:
            return "incomplete"
        return str(status)

    def lost(self) -> Lost | None:
        """What could not be written, because the disk was full for instance; None if nothing."""
        beside = marked(self._folder)
        if beside is not None:
            return beside
        rows = self._database.ask("SELECT value FROM meta WHERE key='lost'")
        return lost_of(decode(rows[0][0], "meta 'lost'")) if rows else None

    def version(self) -> int:
        """A number that grows with each commit of the writer."""
        text = "SELECT (SELECT max(id) FROM chunk), value FROM meta WHERE key='commits'"
        rows = self._database.ask(text)
        number = decode(rows[0][1], "meta 'commits'") if rows else 0
        if type(number) is not int:
            raise damaged(self.path, "meta 'commits' is no number")
        return number + (_whole(rows[0][0] or 0) if rows else 0)

    # -- scalars --------------------------------------------------------------------------------

    def columns(self) -> list[Column]:
        """All series of scalars, in the order in which they appeared."""
        text = 'SELECT id, name, kind, tag, unit FROM "column" ORDER BY id'
        return [
            Column(_whole(number), str(name), str(kind), _text(tag), _text(unit))
            for number, name, kind, tag, unit in self._database.ask(text)
        ]

    def count(self) -> int:
        """How many steps were recorded."""
        return len(self.steps())

    @property
    def first(self) -> int | None:
        """The first step, None before there is one."""
        steps = self.steps()
        return int(steps[0]) if len(steps) else None

    @property
    def last(self) -> int | None:
        """The last step, None before there is one."""
        steps = self.steps()
        return int(steps[-1]) if len(steps) else None

    def steps(self) -> Floats:
        """All steps that have a row."""
        return self.table([])[0]

    def series(
        self, name: str, start: float | None = None, stop: float | None = None
    ) -> tuple[Floats, Floats]:
        """Return the steps and values of one series, of the rows that have it.

        Only `start <= step < stop` where these are given. Both arrays are float64 of one length;
        they may be read only. Raises RunError for a series that does not exist.
        """
        with self.session():
            found = self._rows.read([self._column(name)], False, start, stop)
        return found[0], found[1][0]

    def table(
        self, names: Sequence[str], start: float | None = None, stop: float | None = None
    ) -> tuple[Floats, Floats]:
        """Return the steps (n,) and a matrix (n, len(names)) of several series, all rows.

        NaN where a row does not have a series. Only `start <= step < stop` where these are given.
        Raises RunError for a series that does not exist.
        """
        with self.session():
            numbers = [self._column(name) for name in names]
            steps, values = self._rows.read(numbers, True, start, stop)
        return steps, values.T

    def row(self, step: float) -> dict[str, float]:
        """Return everything that was recorded of one step, by name; empty if there was none."""
        with self.session():
            values = self._rows.at(step)
            return {
                column.name: values[column.id] for column in self.columns() if column.id in values
            }

    def history(self) -> pd.DataFrame:
        """Return a pandas frame of one row a step, indexed by the step.

        The cost, each scalar variable under its own name and its gradient as `grad/NAME`, norms of
        the others as `norm/NAME`, `gradnorm/NAME`, `updatenorm/NAME` and `gradzeros/NAME`, what was
        logged under its own key, and the seconds of the step. Two series of one name keep their
        tags. Raises RunError where pandas is not installed.
        """
        pandas = _pandas()
        with self.session():
            columns = self.history_columns()
            steps, values = self._rows.read([column.id for column in columns.values()], True)
        names = list(columns)
        index = pandas.Index(steps.astype(np.int64), name="step")
        frame: pd.DataFrame = pandas.DataFrame(values.T, index, names, copy=False)
        return frame

    def history_columns(self) -> dict[str, Column]:
        """Return the columns under the names, and in the order, that `history` gives them."""
        order = {"cost": 0, "value": 1, "gradient": 1, "norm": 2, "log": 3, "time": 4}
        columns = sorted(self.columns(), key=lambda column: order.get(column.kind, 3))
        short = [column.name.removeprefix("value/").removeprefix("log/") for column in columns]
        # a name that two would have, or that is the tag of another, stays with neither
        taken = Counter([*short, *(column.name for column in columns)])
        return {
            name if taken[name] == 1 + (name == column.name) else column.name: column
            for name, column in zip(short, columns, strict=True)
        }

    def present(self, names: Sequence[str]) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Return, for the rows of `table(names)`, whether each has each series: (n, len(names))."""
        with self.session():
            steps = self.steps()
            mask = np.zeros((len(steps), len(names)), dtype=bool)
            for i, name in enumerate(names):
                mask[np.searchsorted(steps, self.series(name)[0]), i] = True
        return mask

    def _column(self, name: str) -> int:
        rows = self._database.ask('SELECT id FROM "column" WHERE name=?', (name,))
        if not rows:
            raise self._missing("series", name, [column.name for column in self.columns()])
        return _whole(rows[0][0])

    # -- arrays ---------------------------------------------------------------------------------

    def tags(self) -> list[Tag]:
        """All that arrays were recorded of, in the order in which it appeared."""
        text = "SELECT id, name, kind, shape, dtype, file, line, info FROM tag ORDER BY id"
        return [
            Tag(
                _whole(number),
                str(name),
                str(kind),
                shape_of(shape, f"the shape of {name}"),
                str(dtype),
                _text(file),
                line if isinstance(line, int) else None,
                info if isinstance(info := decode(extra, f"what {name} is"), dict) else {},
            )
            for number, name, kind, shape, dtype, file, line, extra in self._database.ask(text)
        ]

    def arrays(self, tag: str) -> list[int]:
        """Return the steps at which a tag has an array of its own."""
        text = "SELECT step FROM held WHERE tag=? ORDER BY step"
        return [_whole(row[0]) for row in self._database.ask(text, (self._tag(tag),))]

    def array(self, tag: str, step: float | None = None) -> tuple[np.ndarray[Any, Any], int]:
        """Return the array that a tag held at a step (the last by default), and since which step.

        Raises RunError where it held none yet, and where the array is damaged or too large.
        """
        with self.session():
            number = self._tag(tag)
            rows = self._database.ask(
                "SELECT step, array FROM held WHERE tag=? AND step<=? ORDER BY step DESC LIMIT 1",
                (number, 2**62 if step is None else int(step)),
            )
            if not rows:
                raise self._missing(f"array of {tag} at step", step, self.arrays(tag))
            return self._array(rows[0][1]), _whole(rows[0][0])

    def node_array(
        self, step: int, node: int, side: int = 0, cost: int = 0
    ) -> np.ndarray[Any, Any] | None:
        """Return a node's array at a step: its value (side 0), its cotangent (1); None if none."""
        rows = self._database.ask(
            f"SELECT array FROM node_array WHERE step=:step AND node=:node AND side=:side{_OF}",
            {"step": int(step), "cost": cost, "node": int(node), "side": int(side)},
        )
        return self._array(rows[0][0]) if rows else None

    def _tag(self, name: str) -> int:
        rows = self._database.ask("SELECT id FROM tag WHERE name=?", (name,))
        if not rows:
            raise self._missing("tag", name, [tag.name for tag in self.tags()])
        return _whole(rows[0][0])

    def _array(self, number: object) -> np.ndarray[Any, Any]:
        rows = self._database.ask(
            "SELECT dtype, shape, segment, offset, length, crc FROM array WHERE id=?",
            (number,),
        )
        what = f"array {number}"
        if not rows:
            raise damaged(self.path, f"{what} is missing")
        name, text, *place = rows[0]
        if name not in DTYPES:
            raise damaged(self.path, f"{what} has the dtype {str(name)[:40]!r}")
        shape, dtype = shape_of(text, f"the shape of {what}"), DTYPES[name]
        if not all(type(entry) is int and entry >= 0 for entry in place):
            raise damaged(self.path, f"{what} has no place in a file")
        segment, offset, length, crc = place
        size = dtype.itemsize
        for extent in shape:
            size *= extent
        if size != length or offset >= 2**62:
            raise damaged(self.path, f"{what} is {name}{list(shape)} in {length} bytes")
        if length > self._array_bytes:
            raise RunError(
                three_part(
                    f"open_run: {what} has {length} bytes.",
                    f"The limit is {self._array_bytes}, for runs that come from elsewhere.",
                    "Open the run with a larger limit: Reader(path, array_bytes=...)",
                )
            )
        if segment:
            data = read_segment(self._folder, segment, offset, length, crc)
        else:
            inline = self._database.ask("SELECT data FROM array WHERE id=?", (number,))[0][0]
            if not isinstance(inline, bytes) or len(inline) != length or zlib.crc32(inline) != crc:
                raise damaged(self.path, f"{what} has not the bytes that it says")
            data = bytearray(inline)
        return np.ndarray(shape, dtype, data)

    # -- graphs, events, sources ----------------------------------------------------------------

    def costs(self) -> list[Cost]:
        """What the steps descend, in the order in which it appeared: `cost`, and others beside it.

        The place in this list is the number that `graph`, `structures` and `of_cost` take.
        """
        return costs_of(self.meta())

    def of_cost(self, cost: int | str) -> OfCost:
        """Return this run as one in which a step descends one cost alone, for any panel.

        By its number or its name. Raises RunError where there is none.
        """
        known = self.costs()
        for number, one in enumerate(known):
            if cost in (number, one.name, one.column):
                return self._views.setdefault(number, OfCost(self, number))
        raise self._missing("cost", cost, [one.name for one in known])

    def structures(self, cost: int = 0) -> list[tuple[int, int]]:
        """Return the steps from which on a cost had another graph, and its number."""
        text = "SELECT step, graph FROM structure WHERE cost=? ORDER BY step"
        return [(_whole(s), _whole(graph)) for s, graph in self._database.ask(text, (cost,))]

    def graph(self, step: float | None = None, cost: int = 0) -> dict[str, Any]:
        """Return the graph of a cost at a step, the last by default, as JSON data.

        Raises RunError where no graph was recorded up to there.
        """
        rows = self._database.ask(
            "SELECT graph FROM structure WHERE cost=? AND step<=? ORDER BY step DESC LIMIT 1",
            (cost, 2**62 if step is None else int(step)),
        )
        if not rows:
            raise self._missing("graph at step", step, [s for s, _ in self.structures(cost)])
        return self.graph_by_id(_whole(rows[0][0]))

    def graph_by_id(self, number: int) -> dict[str, Any]:
        """Return a graph by its number, as JSON data."""
        rows = self._database.ask("SELECT data FROM graph WHERE id=?", (number,))
        if not rows:
            raise self._missing("graph", number, sorted({g for _, g in self.structures()}))
        graph = decode(rows[0][0], f"graph {number}")
        if not isinstance(graph, dict):
            raise damaged(self.path, f"graph {number} is no object")
        return graph

    def node_values(self, step: int, cost: int = 0) -> tuple[int, Floats] | None:
        """Return the graph's number and (nodes, FIELDS) of its nodes at a step; None if none.

        Of a step that an exception ended, the graph of what it had computed.
        """
        rows = self._database.ask(
            f"SELECT graph, data FROM node_values WHERE step=:step{_OF}",
            {"step": int(step), "cost": cost},
        )
        if not rows:
            return None
        graph, data = rows[0]
        if not isinstance(data, bytes) or len(data) % (8 * len(FIELDS)):
            raise damaged(self.path, f"the values of nodes at step {step} are no matrix")
        return _whole(graph), np.frombuffer(data, "<f8").reshape(-1, len(FIELDS))

    def events(self, kind: str | None = None, after: int = 0) -> list[dict[str, Any]]:
        """Return what happened: id, step, time, kind and data; numbers greater than `after`."""
        rows = self._database.ask(
            "SELECT id, step, time, kind, data FROM event WHERE id>? AND kind=coalesce(?, kind)"
            " ORDER BY id",
            (after, kind),
        )
        return [
            {
                "id": _whole(number),
                "step": _whole(step),
                "time": time if isinstance(time, float) else None,
                "kind": str(name),
                "data": decode(data, f"event {number}"),
            }
            for number, step, time, name, data in rows
        ]

    def sources(self) -> list[tuple[int, str]]:
        """Return the number and name of each file whose text the run holds."""
        rows = self._database.ask("SELECT id, file FROM source ORDER BY id")
        return [(_whole(number), str(file)) for number, file in rows]

    def source(self, file: str | int) -> str:
        """Return the text of a file, by its name or number.

        Raises RunError for one that the run does not hold.
        """
        key = "id" if isinstance(file, int) else "file"
        rows = self._database.ask(f"SELECT text FROM source WHERE {key}=?", (file,))
        if not rows:
            raise self._missing("source", file, [name for _, name in self.sources()])
        return str(rows[0][0])

    def _missing(self, what: str, which: object, there: Sequence[object]) -> RunError:
        named = ", ".join(plain(str(entry)[:80]) for entry in there[:12])
        if which is None:  # the last one
            what, which = what.removesuffix(" at step"), ""
        return RunError(
            three_part(
                f"open_run: there is no {f'{what} {which}'.rstrip()}.",
                f"{self.path} has {named}{', ...' if len(there) > 12 else ''}."
                if named else f"{self.path} has none.",
                "Ask for one of these, or record with a higher level."
                if named else 'Record it: level="standard" does, and "full" at every step.',
            )
        )  # fmt: skip


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a folder on the way may not be entered: said when the database is opened
        return False


def _whole(value: object) -> int:
    if not isinstance(value, int):
        raise RunError(
            three_part(
                f"open_run: {str(value)[:40]!r} stands where a number belongs.",
                "gradtape does not write such a run; it was changed or made by hand.",
                "Take it from a backup, or record again.",
            )
        )
    return value


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _pandas() -> Any:
    try:
        import pandas as pd
    except ImportError:
        raise RunError(
            three_part(
                "history: pandas is not installed.",
                "The history of a run is a pandas frame.",
                'Install it: pip install "gradtape[fit]"',
            )
        ) from None
    return pd
