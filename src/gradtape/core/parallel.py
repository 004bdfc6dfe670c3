"""Large elementwise work over several threads, in blocks that stay in the cache.

NumPy releases the interpreter while it computes, so a second Python thread halves the time of an
operation on megabytes. Each element is computed by the same code whatever the split, so results
do not depend on the number of threads. Workers start when first needed, sleep when idle, are
daemons, and are started anew in a forked process.
"""

from __future__ import annotations

import contextvars
import os
from _thread import allocate_lock
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .. import config

if TYPE_CHECKING:
    from queue import SimpleQueue

SMALLEST = 4 << 20  # bytes; a hand-off costs some 50 microseconds
_COSTLY = frozenset(
    ["sin", "cos", "tan", "arcsin", "arccos", "arctan", "arctan2", "sinh", "cosh", "tanh",
     "arcsinh", "arccosh", "arctanh", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p",
     "power", "power_of_number", "float_power", "cbrt", "hypot", "logaddexp", "logaddexp2"]
)  # fmt: skip


def limit(name: str, char: str) -> int:
    """Bytes from which an operation on dtype `char` is worth a hand-off.

    Functions that compute for long, in double precision several times longer, are so sooner.
    """
    return (1 << 18 if char == "d" else 1 << 21) if name in _COSTLY else SMALLEST


Task = Callable[[int, int], None]


def available(most: int = 0) -> int:
    """How many threads work may use: `gt.configure(threads=...)`, or the cores we may use.

    Those are the cores of the affinity mask, at most as many as OMP_NUM_THREADS says; and `most`,
    where that is not 0.
    """
    if most == 1:
        return 1
    if config.current.threads:
        return min(most or config.current.threads, config.current.threads)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    asked = os.environ.get("OMP_NUM_THREADS", "")
    found = min(cores or 1, int(asked)) if asked.isdigit() and int(asked) else (cores or 1)
    return min(most or found, found)


class _Workers:
    """A queue of tasks and the threads that serve it, for one process."""

    def __init__(self, count: int) -> None:
        from queue import SimpleQueue
        from threading import Thread

        self.process = os.getpid()
        self.inbox: SimpleQueue[Any] = SimpleQueue()
        self.count = count
        for _ in range(count):
            Thread(target=self._serve, name="gradtape", daemon=True).start()

    def _serve(self) -> None:
        while True:
            context, task, start, stop, outbox = self.inbox.get()
            error: BaseException | None = None
            try:
                context.run(task, start, stop)
            except BaseException as caught:
                error = caught
            outbox.put(error)
            del context, task, outbox, error  # keep no array alive while asleep


_workers: _Workers | None = None
_lock = allocate_lock()


def _renew_lock() -> None:
    """A forked child may have copied the lock while another thread held it."""
    global _lock
    _lock = allocate_lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def _get_workers(count: int) -> _Workers | None:
    global _workers
    with _lock:
        if _workers is None or _workers.process != os.getpid() or _workers.count < count:
            try:
                _workers = _Workers(count)
            except RuntimeError:  # no threads here (WebAssembly, a limit)
                return None
        return _workers


def split(task: Task, size: int) -> None:
    """Run `task(start, stop)` over `range(size)`, a part in this thread and the rest in workers.

    Settings of the caller's context (`np.errstate`) hold in the workers too; an exception of any
    part is raised here, after all parts have ended.
    """
    threads = available()
    workers = _get_workers(threads - 1) if threads > 1 else None
    if workers is None:
        task(0, size)
        return
    from queue import SimpleQueue

    step = -(-size // threads)
    step += -step % 64  # whole cache lines
    outbox: SimpleQueue[BaseException | None] = SimpleQueue()
    handed = 0
    for start in range(step, size, step):
        context = contextvars.copy_context()
        workers.inbox.put((context, task, start, min(start + step, size), outbox))
        handed += 1
    error: BaseException | None = None
    try:
        task(0, min(step, size))
    except BaseException as caught:
        error = caught
    for _ in range(handed):
        error = outbox.get() or error
    if error is not None:
        raise error
