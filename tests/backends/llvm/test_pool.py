"""The pool: parts are run once each, by whoever is free; it sleeps, survives fork and exit."""

import ctypes
import os
import subprocess
import sys
import textwrap
import threading
import time

import pytest

pytest.importorskip("llvmlite")
from gradtape import config, configure
from gradtape.backends.llvm import pool as pools
from gradtape.backends.llvm.compile import compile_text
from gradtape.backends.llvm.pool import Pool, pool
from gradtape.core.parallel import available

COUNT = """
define void @part(ptr %counts, i64 %i) {
  %p = getelementptr i64, ptr %counts, i64 %i
  %old = atomicrmw add ptr %p, i64 1 seq_cst
  ret void
}
define void @slow(ptr %counts, i64 %i) {
entry:
  %p = getelementptr i64, ptr %counts, i64 %i
  br label %loop
loop:
  %k = phi i64 [ 0, %entry ], [ %k1, %loop ]
  %old = atomicrmw add ptr %p, i64 1 seq_cst
  %k1 = add i64 %k, 1
  %more = icmp slt i64 %k1, 200000
  br i1 %more, label %loop, label %done
done:
  ret void
}
; Each part runs four parts of a job of its own.
define void @nested(ptr %t, i64 %i) {
  %block = load ptr, ptr %t
  %p1 = getelementptr ptr, ptr %t, i64 1
  %run = load ptr, ptr %p1
  %p2 = getelementptr ptr, ptr %t, i64 2
  %counts = load ptr, ptr %p2
  call void %run(ptr %block, ptr @part, ptr %counts, i64 4)
  ret void
}
"""


@pytest.fixture(scope="module")
def program():
    return compile_text(COUNT)


@pytest.fixture
def own():
    made = Pool()
    made.ensure(3)
    yield made
    made.close()


def counts(n=64):
    return (ctypes.c_int64 * n)()


@pytest.mark.parametrize("parts", [0, 1, 2, 3, 7, 64])
def test_each_part_is_run_once(program, own, parts):
    seen = counts()
    for _ in range(200):
        own.run(program.address("part"), ctypes.addressof(seen), parts)
    assert list(seen) == [200] * parts + [0] * (64 - parts)


def test_a_job_is_done_by_as_many_threads_as_it_asks_for(own):
    """Parts that wait for each other end only where there is a thread for each."""
    waiting = compile_text("""
define void @meet(ptr %words, i64 %i) {
entry:
  %in = atomicrmw add ptr %words, i64 1 seq_cst
  br label %wait
wait:
  %k = phi i64 [ 0, %entry ], [ %k1, %wait ]
  %n = load atomic i64, ptr %words seq_cst, align 8
  %k1 = add i64 %k, 1
  %met = icmp sge i64 %n, 2
  %late = icmp sgt i64 %k1, 300000000
  %stop = or i1 %met, %late
  br i1 %stop, label %done, label %wait
done:
  %alone = select i1 %met, i64 0, i64 1
  %at = getelementptr i64, ptr %words, i64 1
  %old = atomicrmw add ptr %at, i64 %alone seq_cst
  ret void
}
define void @note(ptr %words, i64 %i) {
  %in = atomicrmw add ptr %words, i64 1 seq_cst
  %at = getelementptr i64, ptr %words, i64 1
  %now = load atomic i64, ptr %words seq_cst, align 8
  %most = atomicrmw umax ptr %at, i64 %now seq_cst
  br label %work
work:
  %k = phi i64 [ 0, %0 ], [ %k1, %work ]
  %k1 = add i64 %k, 1
  %x = load volatile i64, ptr %words
  %more = icmp slt i64 %k1, 20000
  br i1 %more, label %work, label %done
done:
  %out = atomicrmw sub ptr %words, i64 1 seq_cst
  ret void
}
""")
    words = counts(2)
    own.run(waiting.address("meet"), ctypes.addressof(words), 2, 2)
    assert list(words) == [2, 0]  # both were there at once
    for threads in (1, 2, 3):
        words = counts(2)
        for _ in range(20):
            own.run(waiting.address("note"), ctypes.addressof(words), 12, threads)
        assert words[0] == 0 and words[1] <= threads


def test_no_worker_starts_before_it_is_asked_for(program):
    made, seen = Pool(), counts()
    made.run(program.address("part"), ctypes.addressof(seen), 5)
    assert made.workers == 0 and list(seen)[:5] == [1] * 5
    made.ensure(1)
    assert made.workers == 0
    made.ensure(2)
    made.ensure(2)
    assert made.workers == 1
    made.close()


def test_workers_take_parts_and_sleep_when_there_is_nothing_to_do(program, own):
    deadline = time.monotonic() + 10
    while own.sleeping < own.workers and time.monotonic() < deadline:
        time.sleep(0.01)
    assert own.sleeping == own.workers == 2
    before = time.process_time()
    time.sleep(0.2)
    assert time.process_time() - before < 0.1  # two spinning workers would have taken 0.2 or more
    seen = counts()
    own.run(program.address("part"), ctypes.addressof(seen), 8)
    assert list(seen)[:8] == [1] * 8


def test_several_python_threads_may_run_jobs_at_once(program, own):
    seen, part = counts(), program.address("part")

    def caller():
        for _ in range(3000):
            own.run(part, ctypes.addressof(seen), 5)

    threads = [threading.Thread(target=caller) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(seen)[:6] == [12000] * 5 + [0]


def test_a_part_may_run_a_job_of_its_own(program, own):
    seen = counts()
    table = (ctypes.c_void_p * 3)(own.block, own.entry, ctypes.addressof(seen))
    own.run(program.address("nested"), ctypes.addressof(table), 6)
    assert list(seen)[:5] == [6] * 4 + [0]


def test_the_interpreter_goes_on_while_a_job_runs(program, own):
    """The lock is released: another Python thread counts meanwhile."""
    seen, ticks, stop = counts(), [0], threading.Event()

    def tick():
        while not stop.is_set():
            ticks[0] += 1

    thread = threading.Thread(target=tick)
    thread.start()
    own.run(program.address("slow"), ctypes.addressof(seen), 16)
    stop.set()
    thread.join()
    assert ticks[0] > 1 and list(seen)[:16] == [200000] * 16


def test_after_close_callers_compute_alone(program):
    made, seen = Pool(), counts()
    made.ensure(3)
    workers = list(made._threads)
    made.close()
    assert not any(worker.is_alive() for worker in workers)
    made.ensure(3)
    assert made.workers == 0
    made.run(program.address("part"), ctypes.addressof(seen), 4)
    assert list(seen)[:4] == [1] * 4


def test_threads_are_those_of_the_setting_then_of_the_machine(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert available() == 4
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert available() == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "64")
    assert available() == 4
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    assert available() == 4
    before = config.current
    try:
        configure(threads=7)
        assert available() == 7
    finally:
        config.current = before


SCRIPT = """
    import ctypes, os, sys, threading, time
    from gradtape.backends.llvm.compile import compile_text
    from gradtape.backends.llvm.pool import pool
    program = compile_text('''
    define void @part(ptr %counts, i64 %i) {
      %p = getelementptr i64, ptr %counts, i64 %i
      %old = atomicrmw add ptr %p, i64 1 seq_cst
      ret void
    }
    ''')
    seen, part = (ctypes.c_int64 * 8)(), program.address("part")
    p = pool()
    assert pool() is p
    p.ensure(3)
    p.run(part, ctypes.addressof(seen), 8)
"""


def script(body):
    code = textwrap.dedent(SCRIPT) + textwrap.dedent(body)
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout.split()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_starts_workers_of_its_own():
    out = script("""
        stop = threading.Event()
        def busy():  # the fork falls into a running job
            while not stop.is_set():
                p.run(part, ctypes.addressof(seen), 8)
        thread = threading.Thread(target=busy)
        thread.start()
        for _ in range(5):
            child = os.fork()
            if child == 0:
                mine = (ctypes.c_int64 * 8)()
                assert p.workers == 0
                p.run(part, ctypes.addressof(mine), 8)
                p.ensure(2)
                p.run(part, ctypes.addressof(mine), 8)
                ok = list(mine) == [2] * 8 and p.workers == 1
                os._exit(0 if ok else 1)
            assert os.waitpid(child, 0)[1] == 0
        stop.set()
        thread.join()
        print("parent", p.workers)
    """)
    assert out == ["parent", "2"]


def test_the_interpreter_ends_with_workers_asleep_and_awake():
    assert script("print('awake')") == ["awake"]
    assert script("time.sleep(0.1); print('asleep', p.sleeping)") == ["asleep", "2"]


def test_the_interpreter_ends_while_a_daemon_thread_runs_jobs():
    out = script("""
        def forever():
            while True:
                p.run(part, ctypes.addressof(seen), 8)
        threading.Thread(target=forever, daemon=True).start()
        time.sleep(0.05)
        print("end")
    """)
    assert out == ["end"]


def test_a_system_without_threads_computes_alone(program, monkeypatch):
    made, seen = Pool(), counts()

    def refuse(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    made.ensure(4)
    monkeypatch.undo()
    assert made.workers == 0
    made.run(program.address("part"), ctypes.addressof(seen), 4)
    assert list(seen)[:4] == [1] * 4


def test_the_pool_of_the_process_is_one():
    assert pool() is pool()


def test_on_one_core_llvm_is_woken_and_no_pool_is_made(monkeypatch):
    woken = []
    monkeypatch.setattr(pools, "_pool", None)
    monkeypatch.setattr(pools, "_preparing", None)
    monkeypatch.setattr(pools, "meet", woken.append)
    monkeypatch.setattr(pools, "wake", woken.append)
    monkeypatch.setattr(pools, "available", lambda: 1)
    pools.prepare()
    pools._preparing.join()
    assert len(woken) == 2 and pools._pool is None


def test_llvm_is_woken_while_the_rest_of_the_compiler_is_imported() -> None:
    script = """
import sys
from gradtape.backends.llvm import pool
pool.prepare = lambda: print("gradtape.backends.llvm.segments" in sys.modules)
import gradtape as gt
f = gt.function(lambda x: x)
print("gradtape.backends.llvm.segments" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.split() == ["False", "True"], done.stderr
