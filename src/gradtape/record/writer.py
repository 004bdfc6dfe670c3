"""The writer of a run: what is handed over is queued, and one thread of its own commits it.

The training thread appends to a list and goes on. The writer's thread wakes every 20 ms, or after
256 steps, and commits all there is in one transaction; a training thread that gives way to it
(`give_way`) says when. The queue is bounded by bytes: when it is
full the training thread waits; nothing is dropped in silence. A write that fails (the disk is
full) is counted, its data is gone, training goes on, and the next write is tried again.

A forked child never touches what it has inherited (`forks.py`): with its first write it opens a
run of its own, `RUN/fork-PID`.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import os
import sqlite3
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import RecordError, RecordWarning, ShapeError, three_part
from . import forks, journal, signals
from .doors import choice_of
from .lock import Lock, free_folder
from .losses import mark, unmark
from .schema import DATABASE, FIELDS, VERSION, dtype_name, encode
from .segments import Segments
from .transactions import Item, Transactions
from .turns import Turns

__all__ = ["DURABILITIES", "Writer"]

DURABILITIES = ("group", "step", "full")

GROUP_SECONDS, GROUP_STEPS, GROUP_BYTES = 0.02, 256, 8 << 20
QUEUE_BYTES = 64 << 20
_DEFINED_BYTES = 32 << 20  # of graphs and sources that are kept for a forked child
_ITEM = 200  # bytes that an item takes besides its arrays, about
_BUSY_PATIENCE = 30.0
_IDLE_SECONDS = 1.0
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


class Writer:
    """The one writer of a run, which it creates.

    Parameters
    ----------
    folder : path
        The run's folder; it is made, and must not hold a run.
    durability : str
        "group" commits every 20 ms or 256 steps. "step" commits every block of rows before `rows`
        returns. "full" is "step" with the disk told to keep it, for what must survive a power cut.
    queue_bytes : int
        How much may wait to be written before the training thread has to wait.

    Attributes
    ----------
    folder : Path
        Where the run is.
    lost : int
        Things handed over that could not be written.
    error : Exception or None
        The last error of a write.
    collect : callable or None
        Called on the writer's thread before each commit, at least every 20 ms: whoever gathers rows
        hands over here what it has.

    Raises
    ------
    RecordError
        The folder holds a run, another process writes it, or it cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from gradtape.record.reader import Reader
    >>> folder = tempfile.mkdtemp() + "/run"
    >>> writer = Writer(folder)
    >>> layout = writer.layout([writer.column("cost", "cost")])
    >>> writer.rows(layout, np.array([[0.0, 4.0], [1.0, 1.0]]))
    >>> writer.close("finished")
    >>> Reader(folder).series("cost")
    (array([0., 1.]), array([4., 1.]))
    """

    folder: Path
    _condition: threading.Condition
    _working: threading.Lock  # held while the database is worked on: see forks.py
    _queue: list[Item]
    _waiting: int  # bytes in the queue
    _steps: int  # steps in the queue
    _begun: int  # rounds of the writer's thread: begun, done, and wanted by `flush`
    _done: int
    _flushed: int
    _closing: str | None
    _thread: threading.Thread | None
    _forked_from: str | None
    _unsaid: str | None
    _said: bool
    _asleep: bool  # whether the writer's thread waits for something to come
    _active: float  # when something had come last
    _turns: Turns
    _transactions: Transactions | None
    _lock: Lock | None

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        durability: str = "group",
        queue_bytes: int = QUEUE_BYTES,
    ) -> None:
        self.durability = choice_of("Recording", "durability", durability, DURABILITIES)
        self.lost = 0
        self._told = 0
        self._is_marked = False
        self.error: Exception | None = None
        self.collect: Callable[[], None] | None = None
        self._queue_bytes = queue_bytes
        self._columns: dict[str, int] = {}
        self._layouts: dict[tuple[int, ...], int] = {}
        self._tags: dict[str, int] = {}
        self._graphs: dict[bytes, int] = {}
        self._last: dict[int, float] = {}
        self._defined: list[Item] = []  # what a forked child needs again
        self._defined_bytes = 0
        self._meta: dict[str, str] = {}
        self._structures: dict[int, Item] = {}  # the last one of each cost
        self._reset()
        self._open(Path(os.path.abspath(folder)))  # the script may go elsewhere
        forks.register(self)

    # -- definitions ----------------------------------------------------------------------------

    def set(self, key: str, value: object) -> None:
        """Set a meta key to anything that JSON can hold."""
        text = encode(value)
        self._meta[key] = text
        self._put(Item("meta", (key, text)))

    def column(self, name: str, kind: str, tag: str | None = None, unit: str | None = None) -> int:
        """Return the number of a column of scalars, defined at the first call for its name."""
        with self._condition:
            number = self._columns.get(name)
            if number is None:
                number = self._columns[name] = len(self._columns) + 1
                self._define(Item("column", (number, _text(name), kind, _text(tag), unit), True))
        return number

    def layout(self, columns: Sequence[int]) -> int:
        """Return the number of a layout: which columns the entries of a row are, after the step."""
        key = tuple(columns)
        with self._condition:
            number = self._layouts.get(key)
            if number is None:
                number = self._layouts[key] = len(self._layouts) + 1
                self._define(Item("layout", (number, encode(key)), True))
        return number

    def tag(
        self,
        name: str,
        kind: str,
        shape: Sequence[int],
        dtype: object,
        file: str | None = None,
        line: int | None = None,
        **info: object,
    ) -> int:
        """Return the number of something whose arrays are recorded, by its name."""
        with self._condition:
            number = self._tags.get(name)
            if number is None:
                number = self._tags[name] = len(self._tags) + 1
                known = (number, _text(name), kind, encode(tuple(shape)), str(dtype), _text(file))
                self._define(Item("tag", (*known, line, encode(info)), True))
        return number

    def graph(self, step: int, data: dict[str, Any]) -> int:
        """Return the number of a graph, stored once per content; `step` is where it first ran."""
        text = encode(data)
        digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
        with self._condition:
            number = self._graphs.get(digest)
            if number is None:
                number = self._graphs[digest] = len(self._graphs) + 1
                self._define(Item("graph", (number, digest, int(step), text), True), len(text))
        return number

    # -- what happens ---------------------------------------------------------------------------

    def rows(self, layout: int, block: np.ndarray[Any, Any]) -> None:
        """Hand over rows of a layout: float64 (n, 1 + k), the step first, steps increasing.

        The block belongs to the writer afterwards. Raises ShapeError where it is no such block or
        goes back in steps.
        """
        if block.dtype != np.float64 or block.ndim != 2 or not len(block):
            raise ShapeError(
                three_part(
                    f"Writer.rows: the block is {block.dtype}{list(block.shape)}.",
                    "Rows are float64 of shape (n, 1 + columns), n at least 1.",
                    "Gather rows into an array of that shape.",
                )
            )
        first, last = block[0, 0], block[-1, 0]
        if not self._last.get(layout, -np.inf) < first <= last:
            raise ShapeError(
                three_part(
                    f"Writer.rows: steps {first:g} to {last:g} do not go on from "
                    f"{self._last.get(layout, -np.inf):g}.",
                    "Steps of one layout increase.",
                    "Count steps on through the whole run.",
                )
            )
        self._last[layout] = last
        self._put(Item("chunk", (layout, block)), block.nbytes, len(block))
        if self.durability != "group":
            self.flush()

    def array(self, tag: int, step: int, array: np.ndarray[Any, Any]) -> None:
        """Hand over an array that a tag holds from a step on; its content is stored once.

        The array belongs to the writer afterwards. Raises DTypeError for objects, text and dates.
        """
        self._put(Item("held", (tag, int(step), _plain(array))), array.nbytes)

    def structure(self, step: int, graph_id: int, cost: int = 0) -> None:
        """From a step on, the graph of a cost is this one."""
        item = self._structures[cost] = Item("structure", (int(step), cost, graph_id))
        self._put(item)

    def node_values(self, step: int, graph_id: int, matrix: np.ndarray[Any, Any]) -> None:
        """Hand over what the nodes of a graph were at a step: float64 (nodes, len(FIELDS)).

        The matrix belongs to the writer afterwards. Raises ShapeError where it is not like that.
        """
        if matrix.dtype != np.float64 or matrix.ndim != 2 or matrix.shape[1] != len(FIELDS):
            raise ShapeError(
                three_part(
                    f"Writer.node_values: the matrix is {matrix.dtype}{list(matrix.shape)}.",
                    f"It has a row per node and {len(FIELDS)} columns, float64.",
                    "Put NaN where a value is not known.",
                )
            )
        self._put(Item("node_values", (graph_id, int(step), matrix)), matrix.nbytes)

    def node_array(
        self, step: int, graph_id: int, node: int, side: int, array: np.ndarray[Any, Any]
    ) -> None:
        """Hand over a node's array at a step: its value (side 0) or its cotangent (side 1)."""
        item = Item("node_array", (int(step), graph_id, int(node), int(side), _plain(array)))
        self._put(item, array.nbytes)

    def event(self, step: int, kind: str, data: dict[str, Any]) -> None:
        """Write down that something happened at a step."""
        self._put(Item("event", (None, int(step), time.time(), kind, encode(data))))

    def source(self, file: str, text: str) -> None:
        """Keep the text of a file of the user's."""
        text = _text(text)
        digest = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
        item = Item("source", (None, _text(file), digest, text), True)
        with self._condition:
            self._define(item, len(text))

    def flush(self) -> None:
        """Return when all that was handed over is committed, or counted as lost."""
        with self._condition:
            if self._thread is None or self._thread is threading.current_thread():
                return
            wanted = self._begun + 1
            self._flushed = max(self._flushed, wanted)
            self._condition.notify_all()
            while self._done < wanted and self._thread is not None and self._thread.is_alive():
                self._condition.wait(1.0)
        self._say()

    def give_way(self) -> bool:
        """Wait until the writer's thread has done a round; whether it has in 5 ms: see turns.py."""
        with self._condition:
            thread = self._thread
            if thread in (None, threading.current_thread()) or self._turns.is_given:
                return False
            turn = self._turns.give()
            self._flushed = max(self._flushed, self._begun + 1)
            self._condition.notify_all()
        return self._turns.wait(turn)

    def close(self, status: str = "finished") -> None:
        """Commit what is left and end the run: one clean folder, without a journal.

        `status` is finished, failed or stopped. A second call does nothing.
        """
        with self._condition:
            thread = self._thread
            if thread is None or self._closing is not None:
                self._closing, self._forked_from = self._closing or status, None
                return
            self._closing = status
            self._condition.notify_all()
            # A signal handler may be here while its thread holds the lock: `wait` gives it up.
            while self._thread is not None and thread.is_alive():
                self._condition.wait(1.0)
        signals.forget(self)
        atexit.unregister(self._at_exit)
        self._say()

    # -- the queue ------------------------------------------------------------------------------

    def _reset(self) -> None:
        self._condition = threading.Condition(threading.RLock())
        self._working = threading.Lock()
        self._queue = []
        self._waiting = self._steps = 0
        self._begun = self._done = self._flushed = 0
        self._closing = self._thread = self._forked_from = self._unsaid = None
        self._transactions = self._lock = None
        self._turns = Turns()
        self._said = self._asleep = False
        self._active = time.monotonic()

    def _define(self, item: Item, size: int = 0) -> None:
        if self._defined_bytes + size < _DEFINED_BYTES:
            self._defined.append(item)
            self._defined_bytes += size
        self._put(item, size)

    def _put(self, item: Item, size: int = 0, steps: int = 0) -> None:
        if self._thread is None:
            self._awaken()
        size += _ITEM
        with self._condition:
            if self._waiting + size > self._queue_bytes and self._waiting:
                self._wait_for_room(size)
            self._queue.append(item)
            self._waiting += size
            self._steps += steps
            if self._asleep or self._steps >= GROUP_STEPS or self._waiting >= GROUP_BYTES:
                self._condition.notify_all()
        if self._unsaid is not None:
            self._say()

    def _wait_for_room(self, size: int) -> None:
        if threading.current_thread() is self._thread:
            return  # `collect` runs on the thread that makes room
        while self._waiting and self._waiting + size > self._queue_bytes:
            if self._thread is None or not self._thread.is_alive():
                return
            self._condition.wait(1.0)

    def _awaken(self) -> None:
        """Open a run of its own in a forked child; refuse in a run that was closed."""
        if self._forked_from is None:
            raise RecordError(
                three_part(
                    f"Recording: {self.folder} is closed.",
                    f"Its run ended as {self._closing}.",
                    "Record into a new folder.",
                )
            )
        with self._condition:
            parent, self._forked_from = self._forked_from, None
            self._open(free_folder(Path(parent) / f"fork-{os.getpid()}"))
            kept = [Item("meta", entry) for entry in self._meta.items()]
            kept += self._defined
            kept += self._structures.values()
            for item in kept:
                self._put(item, sum(len(v) for v in item.values if isinstance(v, str)))
            self._put(Item("meta", ("parent", encode(Path(parent).name))))
            self._put(Item("meta", ("name", encode(self.folder.name))))
        forks.at_end_of_child(self)

    # -- the thread -----------------------------------------------------------------------------

    def _open(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = Lock(folder)
        except OSError as error:
            raise RecordError(
                three_part(
                    f"Recording: {folder} cannot be written: {error.strerror or error}.",
                    "A run is a folder, with a file that is locked while it is recorded.",
                    "Record into another folder, such as one below your home folder.",
                )
            ) from error
        self.folder = folder
        try:
            if (folder / DATABASE).exists():
                raise RecordError(
                    three_part(
                        f"Recording: {folder} holds a run already.",
                        "A run is written once; it is not gone on with.",
                        "Record into another folder, or remove that one.",
                    )
                )
            synchronous = "FULL" if self.durability == "full" else "NORMAL"
            connection, kind = journal.create(folder, synchronous=synchronous)
        except BaseException:
            self._lock.release()
            raise
        self._transactions = Transactions(
            folder, connection, Segments(folder), self.durability == "full"
        )
        self._thread = threading.Thread(
            target=self._work, name=f"gradtape writer of {folder.name}", daemon=True
        )
        self._thread.start()
        atexit.register(self._at_exit)
        signals.watch(self)
        facts = {
            "format": VERSION,
            "name": folder.name,
            "created": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "status": "running",
            "host_pid": os.getpid(),
            "journal": kind,
            "durability": self.durability,
        }
        for key, value in facts.items():
            self._put(Item("meta", (key, encode(value))))
        if kind != "wal":
            warnings.warn(
                three_part(
                    f"Recording: {folder} is recorded without WAL.",
                    f"{kind.partition(': ')[2].capitalize()}. A page that shows the run while it "
                    "is written waits for the writer, and the writer for it.",
                    "Nothing is lost by it; a folder on a local disk is faster.",
                ),
                RecordWarning,
                stacklevel=4,
            )

    def _at_exit(self) -> None:
        self.close("stopped")

    def _work(self) -> None:
        """Commit what comes, until the run is closed."""
        transactions = self._transactions
        assert transactions is not None
        unwritten: list[Item] = []  # definitions of transactions that failed
        while True:
            with self._condition:
                self._gather()
                self._begun += 1
                closing = self._closing
            if self.collect is not None:
                with self._working:  # no fork while it holds locks of its own
                    try:
                        self.collect()
                    except Exception as error:
                        self._fail(error, 0)
            with self._condition:
                items, self._queue = self._queue, []
                self._steps = 0
                self._waiting = 0
                self._condition.notify_all()
            if items or unwritten:
                with self._working:
                    unwritten = self._commit(transactions, unwritten + items)
            if closing is not None:
                with self._working:
                    self._finish(transactions, closing, unwritten)
            with self._condition:
                self._done = self._begun
                if closing is not None:
                    self._thread = None
                if self._done >= self._flushed or closing is not None:
                    self._turns.end()
                self._condition.notify_all()
            if closing is not None:
                return

    def _gather(self) -> None:
        """Wait for the next round: 20 ms, less if it is urgent, longer if nothing goes on.

        Steps come in thousands a second; waking for each, to wait for more, would take the GIL from
        the training thread as often. Where that gives way, it says when.
        """
        now = time.monotonic()
        deadline = now + GROUP_SECONDS * (2 if self._turns.are_given(now) else 1)
        while not (
            self._closing is not None
            or self._flushed > self._begun
            or self._steps >= GROUP_STEPS
            or self._waiting >= GROUP_BYTES
        ):
            now = time.monotonic()
            if self._queue:
                self._active = now
            elif self.collect is None and now - self._active > _IDLE_SECONDS:
                self._asleep = True
                self._condition.wait(_IDLE_SECONDS)
                self._asleep = False
                deadline = time.monotonic() + GROUP_SECONDS
                continue
            if now >= deadline:
                break
            self._condition.wait(deadline - now)

    def _commit(self, transactions: Transactions, items: list[Item]) -> list[Item]:
        """Commit items; return the definitions among them if it failed."""
        patience = time.monotonic() + _BUSY_PATIENCE
        while True:
            try:
                transactions.commit([*items, *self._losses()])
                self._told = self.lost
                if self._is_marked:
                    self._is_marked = False
                    unmark(self.folder)
                return []
            except Exception as error:
                code = getattr(error, "sqlite_errorcode", 0) & 0xFF
                if code in _BUSY and time.monotonic() < patience:
                    continue  # a reader of a run without WAL: the queue waits
                if isinstance(error, OSError | sqlite3.OperationalError):
                    kept = [item for item in items if item.define or item.table == "meta"]
                    self._fail(error, len(items) - len(kept))
                    return kept
                if len(items) > 1:  # one of them is at fault, the others are not
                    middle = len(items) // 2
                    kept = self._commit(transactions, items[:middle])
                    return kept + self._commit(transactions, items[middle:])
                self._fail(error, len(items))
                return []

    def _losses(self) -> list[Item]:
        """What the run says about data that was lost since it was last said."""
        if self.lost == self._told:
            return []
        total = self._total()
        event = encode({"count": self.lost - self._told, "error": str(self.error)})
        step = int(max(self._last.values(), default=-1))
        return [
            Item("meta", ("lost", encode(total))),
            Item("event", (None, step, time.time(), "lost", event)),
        ]

    def _total(self) -> dict[str, Any]:
        return {"count": self.lost, "error": str(self.error)}

    def _fail(self, error: Exception, count: int) -> None:
        self.lost += count
        self.error = error
        self._is_marked = True
        mark(self.folder, self._total())
        if not self._said:
            self._said = True
            self._unsaid = f"{type(error).__name__}: {error}"

    def _say(self) -> None:
        """Warn once, on the thread that hands over, that something was lost."""
        said, self._unsaid = self._unsaid, None
        if said is not None:
            warnings.warn(
                three_part(
                    f"Recording: {self.folder} could not be written: {said}.",
                    f"{self.lost} records are lost so far; the run says how many in the end.",
                    "Training goes on, and so does recording as soon as it can: make room.",
                ),
                RecordWarning,
                stacklevel=4,
            )

    def _finish(self, transactions: Transactions, status: str, unwritten: list[Item]) -> None:
        ended = datetime.now(UTC).isoformat(timespec="milliseconds")
        items = [Item("meta", ("status", encode(status))), Item("meta", ("ended", encode(ended)))]
        self._commit(transactions, unwritten + items)
        with contextlib.suppress(sqlite3.Error):
            journal.finish(transactions.connection)
        with contextlib.suppress(sqlite3.Error):
            transactions.connection.close()
        transactions.segments.close()
        if self._lock is not None:
            self._lock.release()


def _plain(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The array in a dtype that a run can hold, byte order included."""
    dtype_name(array.dtype)
    if not array.dtype.isnative:
        return array.astype(array.dtype.newbyteorder("="))
    return np.asarray(array)


def _text(value: Any) -> Any:
    """Text that UTF-8 can hold; names of files may be others."""
    return value if value is None else str(value).encode(errors="replace").decode()
