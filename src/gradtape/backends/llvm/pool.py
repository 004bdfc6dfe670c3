"""Worker threads inside native code: a program hands them parts of its work in a microsecond.

A job is a native function `void part(ptr arguments, i64 index)` and a number of parts. Caller and
workers claim parts one after another from a ticket until none is left, so a worker that the
system has put aside delays nobody; the caller returns when all are done. Which thread computes a
part makes no difference to it, so results depend on the number of parts alone. A job says how many
threads it may use; workers have numbers, and those beyond that many leave it alone.

The workers are Python's threads, parked in native code without the interpreter's lock. They start
at the first job, spin for a fraction of a millisecond after a job, then sleep (on a futex on Linux,
elsewhere in naps). One job runs at a time: a caller that finds another one running, in another
Python thread or in a part of its own, computes its parts by itself. A forked child starts with no
workers; at the interpreter's exit they are woken and leave.

How the claim is safe: the ticket holds the number of the job beside the index. A worker reads the
job's number, then function and arguments, then takes a ticket by compare-and-exchange; a ticket
of another number means that what it read may be old, and it looks again. The job's fields do not
change before each of its tickets has been taken and its part is done.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import os
import platform
import sys
import threading
import time
from functools import cache

from ... import events
from ...core.parallel import available
from .compile import Program, compile_text
from .machine import host
from .making import meet, wake

__all__ = ["Pool", "pool"]

MANY = 1 << 30  # threads, where no number is said
# Pauses before a worker sleeps, 250 to 500 microseconds: between the products of a training step
# lies some work of one thread, and a worker that sleeps then comes too late for the next one.
SPIN = 10_000
PAUSE = 0.05  # seconds that LLVM is left alone on one core
PATIENCE = 2000  # and before a caller, who waits for the last part, lets others have the processor
_FUTEX = {"x86_64": 202, "aarch64": 98}  # the number of the system call

# The control block, in cache lines of eight i64: what changes together lies together.
_PLACES = {
    "job": 0, "function": 1, "arguments": 2, "parts": 3, "helpers": 4,
    "ticket": 8, "done": 16, "lock": 24, "sleeping": 32, "stop": 40,
}  # fmt: skip
_SIZE = 48

_TEXT = """
{system}

; Take a part of job %job and run it; false if there is none left, or the job is another.
define internal i1 @claim(ptr %block, i64 %job, ptr %function, ptr %arguments, i64 %parts) cold {{
entry:
{words}  br label %look
look:
  %ticket = load atomic i64, ptr %ticket_at acquire, align 8
  %number = lshr i64 %ticket, 32
  %index = and i64 %ticket, 4294967295
  %ours = icmp eq i64 %number, %job
  %left = icmp ult i64 %index, %parts
  %ok = and i1 %ours, %left
  br i1 %ok, label %take, label %none
take:
  %next = add i64 %ticket, 1
  %pair = cmpxchg ptr %ticket_at, i64 %ticket, i64 %next acq_rel acquire
  %taken = extractvalue {{ i64, i1 }} %pair, 1
  br i1 %taken, label %run, label %look
run:
  call void %function(ptr %arguments, i64 %index)
  %old = atomicrmw add ptr %done_at, i64 1 acq_rel
  ret i1 true
none:
  ret i1 false
}}

; The worker number %me: it helps with a job that asks for more helpers than that.
define void @worker(ptr %block, i64 %me) cold {{
entry:
{words}  %first = load atomic i64, ptr %job_at acquire, align 8
  br label %wait
wait:
  %seen = phi i64 [ %first, %entry ], [ %job, %finished ]
  br label %spin
spin:
  %k = phi i64 [ 0, %wait ], [ %k1, %again ]
  %job = load atomic i64, ptr %job_at acquire, align 8
  %new = icmp ne i64 %job, %seen
  br i1 %new, label %got, label %idle
idle:
  %stop = load atomic i64, ptr %stop_at acquire, align 8
  %leave = icmp ne i64 %stop, 0
  br i1 %leave, label %exit, label %tire
tire:
  %k1 = add i64 %k, 1
  %tired = icmp ugt i64 %k1, {SPIN}
  br i1 %tired, label %sleep, label %again0
again0:
  call void @pause()
  br label %again
sleep:
  %s0 = atomicrmw add ptr %sleeping_at, i64 1 seq_cst
  call void @doze(ptr %job_at, i64 %seen, ptr %stop_at)
  %s1 = atomicrmw sub ptr %sleeping_at, i64 1 seq_cst
  br label %again
again:
  br label %spin
got:
  %function = load ptr, ptr %function_at
  %arguments = load ptr, ptr %arguments_at
  %parts = load i64, ptr %parts_at
  %helpers = load i64, ptr %helpers_at
  %wanted = icmp slt i64 %me, %helpers
  br i1 %wanted, label %more, label %finished
more:
  %went = call i1 @claim(ptr %block, i64 %job, ptr %function, ptr %arguments, i64 %parts)
  br i1 %went, label %more, label %finished
finished:
  br label %wait
exit:
  ret void
}}

; Run %parts parts on at most %threads threads; returns when all are done.
define void @run(ptr %block, ptr %function, ptr %arguments, i64 %parts, i64 %threads) cold {{
entry:
{words}  %divided = icmp ugt i64 %parts, 1
  %shared = icmp sgt i64 %threads, 1
  %several = and i1 %divided, %shared
  br i1 %several, label %lock, label %alone
lock:
  %pair = cmpxchg ptr %lock_at, i64 0, i64 1 acq_rel acquire
  %locked = extractvalue {{ i64, i1 }} %pair, 1
  br i1 %locked, label %post, label %alone
post:
  %old = load i64, ptr %job_at
  %up = add i64 %old, 1
  %job = and i64 %up, 4294967295
  store ptr %function, ptr %function_at
  store ptr %arguments, ptr %arguments_at
  store i64 %parts, ptr %parts_at
  %helpers = sub i64 %threads, 1
  store i64 %helpers, ptr %helpers_at
  store atomic i64 0, ptr %done_at release, align 8
  %ticket = shl i64 %job, 32
  store atomic i64 %ticket, ptr %ticket_at release, align 8
  store atomic i64 %job, ptr %job_at seq_cst, align 8
  fence seq_cst
  %sleeping = load atomic i64, ptr %sleeping_at seq_cst, align 8
  %any = icmp sgt i64 %sleeping, 0
  br i1 %any, label %rouse, label %work
rouse:
  call void @wake(ptr %job_at)
  br label %work
work:
  %went = call i1 @claim(ptr %block, i64 %job, ptr %function, ptr %arguments, i64 %parts)
  br i1 %went, label %work, label %await
await:
  %k = phi i64 [ 0, %work ], [ %k1, %rest ]
  %done = load atomic i64, ptr %done_at acquire, align 8
  %all = icmp eq i64 %done, %parts
  br i1 %all, label %unlock, label %hold
hold:
  %k1 = add i64 %k, 1
  %long = icmp ugt i64 %k1, {PATIENCE}
  br i1 %long, label %yield, label %brief
yield:
  call void @give()
  br label %rest
brief:
  call void @pause()
  br label %rest
rest:
  br label %await
unlock:
  store atomic i64 0, ptr %lock_at release, align 8
  ret void
alone:
  %i = phi i64 [ 0, %entry ], [ 0, %lock ], [ %i1, %each ]
  %more = icmp ult i64 %i, %parts
  br i1 %more, label %each, label %exit
each:
  call void %function(ptr %arguments, i64 %i)
  %i1 = add i64 %i, 1
  br label %alone
exit:
  ret void
}}
"""

# The hint to the processor that a loop only waits.
# Linux: the kernel compares the low half of the job's number with the one seen, so that a job
# that comes between the look and the sleep is not slept through.
_X86 = """
declare void @llvm.x86.sse2.pause()
define internal void @pause() alwaysinline cold {
  call void @llvm.x86.sse2.pause()
  ret void
}
"""

_ARM = """
declare void @llvm.aarch64.hint(i32)
define internal void @pause() alwaysinline cold {
  call void @llvm.aarch64.hint(i32 1)
  ret void
}
"""

_LINUX = """
declare i64 @syscall(i64, ...)
declare i32 @sched_yield()
define internal void @give() cold {{
  %r = call i32 @sched_yield()
  ret void
}}
define internal void @doze(ptr %at, i64 %seen, ptr %stop_at) noinline cold {{
  %stop = load atomic i64, ptr %stop_at seq_cst, align 8
  %leave = icmp ne i64 %stop, 0
  br i1 %leave, label %exit, label %rest
rest:
  %low = trunc i64 %seen to i32
  %r = call i64 (i64, ...) @syscall(i64 {FUTEX}, ptr %at, i64 128, i32 %low, ptr null)
  br label %exit
exit:
  ret void
}}
define internal void @wake(ptr %at) noinline cold {{
  %r = call i64 (i64, ...) @syscall(i64 {FUTEX}, ptr %at, i64 129, i64 2147483647)
  ret void
}}
"""

_ELSEWHERE = """
declare i32 @{NAP}(i32)
declare i32 @{YIELD}()
define internal void @give() cold {{
  %r = call i32 @{YIELD}()
  ret void
}}
define internal void @doze(ptr %at, i64 %seen, ptr %stop_at) noinline cold {{
  %r = call i32 @{NAP}(i32 {LENGTH})
  ret void
}}
define internal void @wake(ptr %at) noinline cold {{
  ret void
}}
"""


@cache
@events.stage("worker pool")
def _program() -> Program:
    futex = _futex()
    nap: tuple[str, str, int] = ("usleep", "sched_yield", 500)
    if sys.platform == "win32":
        nap = ("Sleep", "SwitchToThread", 1)
    names = {
        "SPIN": SPIN, "PATIENCE": PATIENCE, "FUTEX": futex,
        "NAP": nap[0], "YIELD": nap[1], "LENGTH": nap[2],
    }  # fmt: skip
    system = (_ELSEWHERE if futex is None else _LINUX).format(**names)
    system += _X86 if host().triple.startswith(("x86", "i686")) else _ARM
    words = "".join(  # an address for each word, at the head of each function
        f"  %{name}_at = getelementptr i64, ptr %block, i64 {place}\n"
        for name, place in _PLACES.items()
    )
    return compile_text(_TEXT.format(system=system, words=words, **names))


def _futex() -> int | None:
    """The number of the system call; None where there is none."""
    if sys.platform != "linux" or sys.byteorder != "little":
        return None
    return _FUTEX.get(platform.machine().lower())


class Pool:
    """The workers of one process, and the block through which they are given work.

    Attributes
    ----------
    block : int
        Address of the control block: the first argument of the native `run`.
    entry : int
        Address of the native function
        `void run(ptr block, ptr part, ptr arguments, i64 parts, i64 threads)`, which compiled code
        calls; it needs no lock of the interpreter's.
    """

    def __init__(self) -> None:
        self._words = (ctypes.c_int64 * (_SIZE + 8))()
        self.block = (ctypes.addressof(self._words) + 63) // 64 * 64
        self._control = (ctypes.c_int64 * _SIZE).from_address(self.block)
        program = _program()
        self.entry = program.address("run")
        pointer, number = ctypes.c_void_p, ctypes.c_int64
        self._run = program.function("run", None, pointer, pointer, pointer, number, number)
        self._serve = program.function("worker", None, pointer, number)
        self._threads: list[threading.Thread] = []
        self._starting = threading.Lock()
        self._closed = False

    def ensure(self, threads: int) -> None:
        """Have `threads - 1` workers ready. Fewer where the system gives no more threads."""
        if len(self._threads) >= threads - 1 or self._closed:
            return
        with self._starting:
            while len(self._threads) < threads - 1:
                worker = threading.Thread(
                    target=self._serve,
                    args=(self.block, len(self._threads)),
                    name="gradtape-native",
                    daemon=True,
                )
                try:
                    worker.start()
                except RuntimeError:  # no threads here (a limit, or the interpreter ends)
                    return
                self._threads.append(worker)

    def run(self, part: int, arguments: int, parts: int, threads: int = MANY) -> None:
        """Call the native function at `part` with `(arguments, i)` for each i below `parts`.

        At most `threads` threads do it, this one among them, and no more than there are.
        """
        self._run(self.block, part, arguments, parts, threads)

    @property
    def workers(self) -> int:
        """How many workers there are."""
        return len(self._threads)

    @property
    def sleeping(self) -> int:
        """How many of them are asleep."""
        return int(self._control[_PLACES["sleeping"]])

    def close(self) -> None:
        """Send the workers home; from then on callers compute alone."""
        self._closed = True
        if not self._threads:
            return
        self._control[_PLACES["stop"]] = 1
        deadline = 100
        while any(t.is_alive() for t in self._threads) and deadline:
            self._control[_PLACES["job"]] = (self._control[_PLACES["job"]] + 1) & 0xFFFFFFFF
            _wake_all(self.block + 8 * _PLACES["job"])
            for thread in self._threads:
                thread.join(0.01)
            deadline -= 1
        self._threads = []

    def forget(self) -> None:
        """In a forked child: the workers are the parent's, and so may be the lock."""
        ctypes.memset(self.block, 0, 8 * _SIZE)
        self._threads = []
        self._starting = threading.Lock()


def _wake_all(address: int) -> None:
    number = _futex()
    if number is not None:
        libc = ctypes.CDLL(None)
        libc.syscall(
            ctypes.c_long(number), ctypes.c_void_p(address), ctypes.c_long(129),
            ctypes.c_long(2**31 - 1), None, None, ctypes.c_long(0),
        )  # fmt: skip


_pool: Pool | None = None
_preparing: threading.Thread | None = None
_making = threading.Lock()


def pool() -> Pool:
    """The pool of this process; it is made when first asked for, its workers at the first job."""
    global _pool
    if _pool is None:
        with _making:
            if _pool is None:
                made = Pool()
                atexit.register(made.close)
                _pool = made
    return _pool


def prepare() -> None:
    """Have the pool made and LLVM woken by a thread of its own, meanwhile."""
    global _preparing
    if _pool is not None or _preparing is not None or not host().has_fma:
        return

    def work() -> None:
        with contextlib.suppress(Exception):  # whoever needs it meets the error
            meet(host())
            if available() > 1:
                pool()
            else:
                time.sleep(PAUSE)  # on one core it would be in the way of a call at once
            wake(host())

    _preparing = threading.Thread(target=work, name="gradtape compiler")
    _preparing.start()


def _before_fork() -> None:
    if _preparing is not None:  # or the child inherits LLVM's lock, held by nobody
        _preparing.join()


def _in_child() -> None:
    global _making
    _making = threading.Lock()
    if _pool is not None:
        _pool.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_child=_in_child)
