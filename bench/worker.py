"""A worker: one library in one process, answering requests, one JSON object per line.

Requests on stdin, each with its reply on stdout:

    {"do": "hello"}                          versions, threads, BLAS kernel
    {"do": "prepare", "case", "answer"}      make data, warm up, write the first answer as .npz, and
                                             say how long its first run took; "is_value": without
                                             the gradient
    {"do": "calibrate", "seconds"}           how many runs make a batch of about that long
    {"do": "time", "number", "seconds"}      seconds per run in the fastest of the batches that
                                             fill this turn
    {"do": "ufunc"}                          seconds of one NumPy ufunc call, a yardstick
    {"do": "profile", "kind", "case"}        the lines of a profile (use a fresh process)
    {"do": "memory", "case", "steps"}        growth of the peak, in bytes (use a fresh process)
    {"do": "quit"}

It needs only the standard library, NumPy and the library under test, so it runs in any peer's
environment.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

WARM_UP_RUNS = 3


def _keep_threads(threads: int, core: int) -> None:
    """Pin the process to that many cores: some pools ignore every setting but the affinity."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        first = core % max(len(cores) - threads + 1, 1)
        os.sched_setaffinity(0, cores[first : first + threads])


def _status(field: str) -> int:
    """Return a size of /proc/self/status in bytes."""
    with open("/proc/self/status", encoding="ascii") as lines:
        for line in lines:
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    raise OSError(f"no {field} in /proc/self/status: peak memory is measured on Linux only")


def _reset_peak() -> bool:
    """Set the peak back to what is used now; say whether the system allows it."""
    try:
        with open("/proc/self/clear_refs", "w", encoding="ascii") as control:
            control.write("5")
    except OSError:
        return False
    return True


def _settle(patience: float = 2.0) -> None:
    """Wait until this process is at rest: the threads of a BLAS spin on after the last product."""
    end = time.perf_counter() + patience
    while time.perf_counter() < end:
        before = time.process_time()
        time.sleep(0.02)
        if time.process_time() - before < 0.002:
            return


def _reason(error: Exception) -> str:
    """Return one line for the table; the traceback goes to the worker's log."""
    first_line = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {first_line}"[:200]


class Worker:
    """The library, and the case that it has ready."""

    def __init__(self, library: str, threads: int) -> None:
        self.threads = threads
        self.module = importlib.import_module(f"bench.libs.{library}")
        self.module.setup(threads)
        self.run: Callable[[], Any] = lambda: None

    def hello(self) -> dict[str, Any]:
        import numpy as np

        blas = "not seen (threadpoolctl is not installed)"
        try:
            from threadpoolctl import threadpool_info
        except ImportError:
            pass
        else:
            blas = "; ".join(
                f"{pool['internal_api']} {pool.get('architecture', '')}"
                f" x{pool['num_threads']}".replace("  ", " ")
                for pool in threadpool_info()
            )
        return {
            "version": self.module.VERSION,
            "python": sys.version.split()[0],
            "numpy": np.__version__,
            "pools": blas,
            "threads": self.threads,
        }

    def _factory(self, case: str) -> Callable[..., Callable[[], Any]]:
        # "sin50-1000" is the library's `sin50` on other data.
        name = case.split("-")[0]
        name = {"npbench": "kernel", "gradbench": "kernel"}.get(name, name)
        factory = getattr(self.module, name, None)
        if factory is None:
            raise NotImplementedError(f"bench/libs has no version of {name} for this library")
        return factory  # type: ignore[no-any-return]

    def prepare(self, case: str, answer: str = "", is_value: bool = False) -> dict[str, Any]:
        import numpy as np

        from bench.compiled.cases import find

        self.run = lambda: None  # frees the previous case's data first
        options = {"is_value": True} if is_value else {}
        data = find(case).data()
        _settle()
        self.run = self._factory(case)(data, **options)
        start = time.perf_counter()
        first = self.run()
        spent = time.perf_counter() - start
        if answer:
            np.savez(answer, **{key: self.module.to_numpy(value) for key, value in first.items()})
        for _ in range(WARM_UP_RUNS):
            self.run()
        return {"first": spent}

    def calibrate(self, seconds: float) -> dict[str, Any]:
        number = 1
        while True:
            spent = self._batch(number)
            if spent >= seconds / 4:
                return {"number": max(1, round(number * seconds / spent))}
            number *= 4

    def time(self, number: int, seconds: float) -> dict[str, Any]:
        self.run()  # the first run after another process's turn finds cold caches
        batches = [self._batch(number)]
        while sum(batches) < seconds:
            batches.append(self._batch(number))
        return {"seconds": min(batches) / number}

    def _batch(self, number: int) -> float:
        run = self.run
        start = time.perf_counter()
        for _ in range(number):
            run()
        return time.perf_counter() - start

    def ufunc(self) -> dict[str, Any]:
        import numpy as np

        x, sin, number = np.ones(10), np.sin, 20_000
        rounds = []
        for _ in range(5):
            start = time.perf_counter()
            for _ in range(number):
                sin(x)
            rounds.append((time.perf_counter() - start) / number)
        return {"seconds": min(rounds)}

    def profile(self, kind: str, case: str) -> dict[str, Any]:
        from bench.compiled.cases import find
        from bench.profiles.taking import taken

        def make(name: str, **options: Any) -> Callable[[], Any]:
            data = find(name).data()
            _settle()
            return self._factory(name)(data, **options)

        lines, seconds = taken(kind, case, make)
        return {"lines": lines, "seconds": seconds}

    def memory(self, case: str, steps: int) -> dict[str, Any]:
        from bench.compiled.cases import find

        run = self._factory(case)(find(case).data())
        was_reset = _reset_peak()
        before = _status("VmRSS") if was_reset else _status("VmHWM")
        for _ in range(steps):
            run()
        peak = _status("VmHWM")
        return {"growth": peak - before, "peak": peak, "before": before}


def serve(worker: Worker, requests: Any, replies: Any) -> None:
    """Answer until "quit" or the end of the input; a request that fails is answered with why."""
    for line in requests:
        request = json.loads(line)
        do = request.pop("do")
        if do == "quit":
            return
        try:
            reply = {"ok": True, **getattr(worker, do)(**request)}
        except Exception as error:
            traceback.print_exc()
            reply = {"ok": False, "reason": _reason(error)}
        print(json.dumps(reply), file=replies, flush=True)


def main() -> None:
    library, threads, core = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    # Libraries print to standard output as they please; the replies keep the real one.
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    _keep_threads(threads, core)
    try:
        worker = Worker(library, threads)
    except Exception as error:
        traceback.print_exc()
        print(json.dumps({"ok": False, "reason": _reason(error)}), file=replies, flush=True)
        return
    print(json.dumps({"ok": True}), file=replies, flush=True)
    serve(worker, sys.stdin, replies)


if __name__ == "__main__":
    main()
