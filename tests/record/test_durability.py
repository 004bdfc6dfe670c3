"""What survives: kill -9, SIGTERM, exceptions, forks, a full disk, a filesystem without WAL."""

import os
import random
import signal
import sqlite3
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from gradtape.errors import RecordError, RecordWarning
from gradtape.record import journal
from gradtape.record import writer as writers
from gradtape.record.lock import is_held
from gradtape.record.reader import Reader
from gradtape.record.segments import Segments
from gradtape.record.writer import Writer

posix = pytest.mark.skipif(os.name != "posix", reason="signals, forks and limits of POSIX")

# A training loop that tells, through a pipe that survives it, which steps it has handed over and
# when, and up to which step it knows them to be committed.
TRAINING = """
import os, random, struct, sys, time
import numpy as np
from gradtape.record.writer import Writer

folder, seed, durability, gather = sys.argv[1:5]
rng = random.Random(int(seed))
writer = Writer(folder, durability=durability)
layout = writer.layout([writer.column("cost", "cost"), writer.column("value/w", "value", "w")])
tag = writer.tag("value/v", "variable", (rng.choice([10, 5000]),), "float64")
size = rng.choice([10, 5000])
pause = rng.choice([0, 0, 0.0005, 0.003])
gathered = []

def collect():
    global gathered
    mine, gathered = gathered, []
    if mine:
        writer.rows(layout, np.array(mine))

if gather == "collect":
    writer.collect = collect

def tell(kind, step):
    os.write(1, struct.pack("<qqq", kind, step, time.monotonic_ns()))

for step in range(10_000_000):
    if step % 20 == 0:
        writer.array(tag, step, np.full(size, float(step)))
    row = (float(step), 1.0 / (step + 1), np.nan if step % 7 == 0 else step * 0.5)
    if gather == "collect":
        gathered.append(row)
    else:
        writer.rows(layout, np.array([row]))
    tell(0, step)
    if durability == "step":
        tell(1, step)
    elif rng.random() < 0.002:
        writer.flush()
        tell(1, step)
    sum(range(500))
    if pause:
        time.sleep(pause)
"""


def train(folder, *arguments):
    """Start the training loop above in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", TRAINING, str(folder), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(writers.__file__).parents[2])},
    )


def kill_and_check(folder, seed, durability="group", gather="rows"):
    """Kill a training process at a random moment; return by how many ms its last step is missing.

    Every step in the run is compared to the bit, every committed one must be there.
    """
    rng = random.Random(seed)
    process = train(folder, seed, durability, gather)
    told = process.stdout.read(24)  # it has begun
    deadline = time.monotonic() + rng.uniform(0.0, 0.6)
    os.set_blocking(process.stdout.fileno(), False)
    while time.monotonic() < deadline:
        told += process.stdout.read(1 << 16) or b""
        time.sleep(0.002)
    process.kill()
    os.set_blocking(process.stdout.fileno(), True)
    told += process.stdout.read()
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    process.wait()

    records = [struct.unpack_from("<qqq", told, at) for at in range(0, len(told) // 24 * 24, 24)]
    handed = {step: moment for kind, step, moment in records if kind == 0}
    committed = max((step for kind, step, _ in records if kind == 1), default=-1)
    reader = Reader(folder)
    assert reader.status() == "interrupted"
    steps, matrix = reader.table([column.name for column in reader.columns()])
    count = len(steps)
    assert np.array_equal(steps, np.arange(count))
    if count:
        expected = np.stack([1.0 / (steps + 1), np.where(steps % 7 == 0, np.nan, steps * 0.5)], 1)
        assert matrix.tobytes() == expected.tobytes()
    assert count > committed, f"step {committed} was committed, the run ends before {count}"
    arrays = reader.arrays("value/v") if reader.tags() else []
    assert arrays == list(range(0, 20 * len(arrays), 20))
    assert len(arrays) * 20 > committed
    for step in arrays:
        array, since = reader.array("value/v", step)
        assert since == step
        assert np.array_equal(array, np.full(array.shape, float(step)))
    reader.close()
    connection = sqlite3.connect(folder / "run.db")
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
    end = max(handed.values())
    return (end - handed[count]) / 1e6 if count in handed else 0.0


HOW = [("group", "rows"), ("group", "collect"), ("step", "rows"), ("group", "rows")]


@posix
@pytest.mark.slow
def test_killed_eight_times_no_committed_step_is_lost(tmp_path):
    missing = [
        kill_and_check(tmp_path / f"run-{seed}", seed, *HOW[seed % len(HOW)]) for seed in range(8)
    ]
    # Each is below 50 ms where the processors are not shared; the hundred below hold that.
    assert np.median(missing) <= 50


@posix
@pytest.mark.exhaustive
def test_killed_a_hundred_times_at_most_the_last_fifty_milliseconds_are_missing(tmp_path):
    missing = [
        kill_and_check(tmp_path / f"run-{seed}", seed, *HOW[seed % len(HOW)])
        for seed in range(1000, 1100)
    ]
    print(f"missing, ms: median {np.median(missing):.1f}, largest {max(missing):.1f}")
    assert max(missing) <= 50


# -- the end of a process -------------------------------------------------------------------------


def script(text, folder, *, check=True, **options):
    """Run a script that records; it starts with a writer of one column."""
    start = """
import os, sys, time, signal, warnings
import numpy as np
from gradtape.record.writer import Writer
writer = Writer(sys.argv[1])
layout = writer.layout([writer.column("cost", "cost")])
def record(step):
    writer.rows(layout, np.array([[step, step * 0.5]]))
"""
    done = subprocess.run(
        [sys.executable, "-c", start + text, str(folder)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(Path(writers.__file__).parents[2])},
        **options,
    )
    if check:
        assert done.returncode == 0, done.stderr
    return done


def test_a_script_that_just_ends_is_flushed(tmp_path):
    script("for step in range(1000): record(step)", tmp_path / "run")
    reader = Reader(tmp_path / "run")
    assert (reader.count(), reader.status()) == (1000, "stopped")
    assert os.listdir(tmp_path / "run") == ["run.db"]


def test_a_script_that_raises_is_flushed(tmp_path):
    done = script("record(0)\n1 / 0", tmp_path / "run", check=False)
    assert "ZeroDivisionError" in done.stderr
    assert Reader(tmp_path / "run").count() == 1


@posix
def test_sigterm_flushes_and_ends_the_process(tmp_path):
    done = script(
        "for step in range(1000): record(step)\nos.kill(os.getpid(), signal.SIGTERM)\n"
        "time.sleep(60)",
        tmp_path / "run",
        check=False,
    )
    assert done.returncode == -signal.SIGTERM
    reader = Reader(tmp_path / "run")
    assert (reader.count(), reader.status()) == (1000, "stopped")


@posix
def test_sigterm_while_a_record_is_handed_over_does_not_hang(tmp_path):
    text = """
import threading
threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM)).start()
step = 0
while True:
    record(step)
    step += 1
"""
    for trial in range(3):
        done = script(text, tmp_path / f"run{trial}", check=False)
        assert done.returncode == -signal.SIGTERM
        assert Reader(tmp_path / f"run{trial}").status() == "stopped"


@posix
def test_a_handler_of_the_users_stays(tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    try:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        writer = Writer(tmp_path / "run")
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
        writer.close()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        writer = Writer(tmp_path / "other")
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
        writer.close()
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)


RECORDING = """
import os, sys, time, warnings
import numpy as np
import gradtape as gt
from gradtape.record.reader import Reader
warnings.simplefilter("ignore", DeprecationWarning)  # fork beside a thread: 3.12
folder, durability = sys.argv[1:3]
x = np.arange(10.0)
a, b = gt.Variable(0.0, name="a"), gt.Variable(0.0, name="b")
with gt.Recording(folder, durability=durability, progress=False) as run:
    for step in range(int(sys.argv[3])):
        with gt.GradientTape() as tape:
            loss = np.mean((3 * x + 1 - (a * x + b)) ** 2)
        ga, gb = tape.gradient(loss, [a, b])
        a.assign_sub(0.01 * ga)
        b.assign_sub(0.01 * gb)
        EACH
"""


def recording(each, folder, durability, steps):
    command = [sys.executable, "-c", RECORDING.replace("EACH", each), str(folder), durability]
    return subprocess.run(
        [*command, str(steps)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(Path(writers.__file__).parents[2])},
    )


def test_a_recording_with_durability_step_has_each_step_before_the_next_ends(tmp_path):
    """A step ends when the next one begins, so the one that is under way is missing."""
    done = recording("print(Reader(folder).count())", tmp_path / "run", "step", 30)
    assert done.stdout.split() == [str(step) for step in range(30)], done.stderr


@posix
@pytest.mark.parametrize("durability", ["group", "step"])
def test_a_recording_that_is_killed_opens(tmp_path, durability):
    each = "time.sleep(0.002)\n        if step == 150: os.kill(os.getpid(), 9)"
    done = recording(each, tmp_path / "run", durability, 1000)
    assert done.returncode == -9, done.stderr
    reader = Reader(tmp_path / "run")
    # A git that it was just starting, to ask for the commit, holds its files for a moment.
    end = time.monotonic() + 2
    while reader.status() == "running" and time.monotonic() < end:
        time.sleep(0.01)
    assert reader.status() == "interrupted"
    count = 150 if durability == "step" else 100
    assert count <= reader.count() <= 150
    a = 0.0
    frame = reader.history()
    assert frame["a"].iloc[0] == 0
    for i in range(1, len(frame)):  # each value follows from the gradient before
        a = a - 0.01 * frame["grad/a"].iloc[i - 1]
        assert frame["a"].iloc[i] == a


@posix
def test_a_child_forked_inside_a_recording_records_into_its_own_run(tmp_path):
    each = """
        if step % 200 == 100:
            child = os.fork()
            if child:
                assert os.waitpid(child, 0)[1] == 0
            else:
                forked = True
        if step % 200 == 150 and globals().get("forked"):
            run._writer.flush()
            os._exit(0)
"""
    done = recording(each.strip(), tmp_path / "run", "group", 1000)
    assert done.returncode == 0, done.stderr
    assert np.array_equal(Reader(tmp_path / "run").steps(), np.arange(1000))
    children = list((tmp_path / "run").glob("fork-*"))
    assert len(children) == 5
    whole = Reader(tmp_path / "run").history()
    for child in children:
        frame = Reader(child).history()
        assert frame.index[-1] % 200 == 149  # its last step that has ended
        assert frame.drop(columns="seconds").equals(whole.loc[frame.index].drop(columns="seconds"))


# -- two processes ---------------------------------------------------------------------------------


def test_two_processes_cannot_write_one_run(tmp_path):
    writer = Writer(tmp_path / "run")
    assert is_held(tmp_path / "run")
    done = script("", tmp_path / "run", check=False)
    last = done.stderr.strip().splitlines()[-3:]
    assert "RecordError" in last[0]
    assert "is being written already" in last[0]
    assert f"Process {os.getpid()} on" in last[1]
    assert "folder of its own" in last[2]
    with pytest.raises(RecordError, match="is being written already"):
        Writer(tmp_path / "run")
    writer.event(0, "note", {})
    writer.close()
    assert not is_held(tmp_path / "run")
    assert Reader(tmp_path / "run").events("note")


@posix
def test_the_lock_dies_with_its_process(tmp_path):
    process = train(tmp_path / "run", 1, "group", "rows")
    process.stdout.read(24)
    assert is_held(tmp_path / "run")
    assert Reader(tmp_path / "run").status() == "running"
    process.kill()
    process.communicate()
    assert not is_held(tmp_path / "run")
    assert Reader(tmp_path / "run").status() == "interrupted"


@posix
@pytest.mark.parametrize("end", ["os._exit(0)", "sys.exit()"])
def test_a_forked_child_records_into_a_run_of_its_own(tmp_path, end):
    """And leaves the parent's connection, journal and lock alone, however it ends."""
    text = f"""
warnings.simplefilter("ignore", DeprecationWarning)  # fork beside a thread: 3.12
writer.set("config", {{"rate": 0.1}})
graph = writer.graph(0, {{"nodes": []}})
writer.structure(0, graph)
for step in range(100):
    record(step)
child = os.fork()
if not child:
    for step in range(100, 150):
        record(step)
    writer.flush()
    {end}
assert os.waitpid(child, 0)[1] == 0
quiet = os.fork()
if not quiet:
    {end}  # records nothing
assert os.waitpid(quiet, 0)[1] == 0
assert not os.path.exists(f"{{sys.argv[1]}}/fork-{{quiet}}")
try:
    Writer(sys.argv[1])
except Exception as error:
    assert "written already" in str(error)
for step in range(200, 300):
    record(step)
print(child)
"""
    done = script(text, tmp_path / "run")
    parent = Reader(tmp_path / "run")
    assert np.array_equal(parent.steps(), [*range(100), *range(200, 300)])
    assert parent.status() == "stopped"
    child = Reader(tmp_path / "run" / f"fork-{done.stdout.strip()}")
    assert np.array_equal(child.series("cost")[1], np.arange(100, 150) * 0.5)
    assert child.meta()["parent"] == "run"
    assert child.meta()["config"] == {"rate": 0.1}
    assert child.meta()["host_pid"] == int(done.stdout)
    assert child.graph(100) == {"nodes": []}
    assert child.status() == ("stopped" if "sys" in end else "interrupted")


@posix
def test_children_of_multiprocessing_close_their_runs(tmp_path):
    text = """
import multiprocessing, warnings
warnings.simplefilter("ignore", DeprecationWarning)
pool = [multiprocessing.get_context("fork").Process(target=record, args=(i,)) for i in range(3)]
for process in pool: process.start()
for process in pool: process.join()
assert [process.exitcode for process in pool] == [0, 0, 0]
"""
    script(text, tmp_path / "run")
    children = sorted((tmp_path / "run").glob("fork-*"))
    assert len(children) == 3
    assert sorted(Reader(child).first for child in children) == [0, 1, 2]
    assert {Reader(child).status() for child in children} == {"stopped"}


@posix
def test_forking_at_any_moment_hangs_nobody(tmp_path):
    text = """
warnings.simplefilter("ignore", DeprecationWarning)
step = 0
for child in range(40):
    for _ in range(57):
        record(step)
        step += 1
    pid = os.fork()
    if not pid:
        record(step)
        writer.close()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
print(step)
"""
    done = script(text, tmp_path / "run")
    assert Reader(tmp_path / "run").count() == int(done.stdout)
    assert len(list((tmp_path / "run").glob("fork-*"))) == 40


@posix
def test_a_filesystem_without_locks_still_has_one_writer(tmp_path, monkeypatch):
    def flock(file, how):
        raise OSError(37, "No locks available")

    import fcntl

    monkeypatch.setattr(fcntl, "flock", flock)
    writer = Writer(tmp_path / "run")
    with pytest.raises(RecordError, match="is being written already"):
        Writer(tmp_path / "run")
    assert Reader(tmp_path / "run").status() == "running"
    writer.event(0, "note", {})
    writer.close()
    assert Reader(tmp_path / "run").status() == "finished"
    assert os.listdir(tmp_path / "run") == ["run.db"]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(RecordError, match=r"cannot be written[^§]*home folder"):
            Writer(place)
    done = script(
        "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "writer = Writer(sys.argv[1] + '2')",
        tmp_path / "run",
        check=False,
    )
    assert "RecordError: Recording:" in done.stderr
    assert "cannot be created" in done.stderr


# -- a full disk ----------------------------------------------------------------------------------


@posix
def test_disk_full_training_goes_on_and_the_run_says_so(tmp_path):
    """A limit on the size of files, lifted later: SQLite and segments both fail."""
    text = """
import resource, warnings
tag = writer.tag("value/w", "variable", (5000,), "float64")
for step in range(100):
    record(step)
writer.flush()
size = os.path.getsize(sys.argv[1] + "/run.db-wal")
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 1000, resource.RLIM_INFINITY))
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for step in range(100, 200):
        record(step)
        if step % 2: writer.array(tag, step, np.full(5000, float(step)))
        if step % 20 == 0: writer.flush()
    writer.flush()
assert len(caught) == 1, [str(w.message) for w in caught]
assert "could not be written" in str(caught[0].message)
assert writer.lost >= 50, writer.lost
assert writer.error is not None
lost = writer.lost
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
later = writer.layout([writer.column("cost", "cost"), writer.column("log/a", "log")])
for step in range(200, 300):
    record(step)
    writer.rows(later, np.array([[step + 0.5, 1, 2]]))
    writer.array(tag, step, np.full(5000, float(step)))
writer.close("finished")
assert writer.lost == lost
print(lost)
"""
    done = script(text, tmp_path / "run")
    reader = Reader(tmp_path / "run")
    assert reader.status() == "incomplete"
    assert reader.meta()["lost"]["count"] == int(done.stdout)
    assert reader.meta()["lost"]["error"]
    assert sum(event["data"]["count"] for event in reader.events("lost")) == int(done.stdout)
    steps = reader.series("cost")[0]
    assert set(range(100)) <= set(steps)  # what was committed before
    assert set(range(200, 300)) <= set(steps)  # and what came after
    assert len(reader.series("log/a")[0]) == 100
    for step in reader.arrays("value/w"):
        assert np.all(reader.array("value/w", step)[0] == step)
    assert set(range(200, 300)) <= set(reader.arrays("value/w"))


@posix
def test_disk_full_a_recording_goes_on(tmp_path):
    each = """
        if step == 100:
            import resource
            run._writer.flush()
            size = os.path.getsize(folder + "/run.db-wal") + 10_000
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        if step % 10 == 0:
            run._writer.flush()
"""
    done = recording(each.strip(), tmp_path / "run", "group", 600)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("RecordWarning") == 1
    assert "Training goes on" in done.stderr
    assert np.array_equal(Reader(tmp_path / "run").steps()[:100], np.arange(100))


TMPFS = """
mount -t tmpfs -o size=2m tmpfs "$1" || exit 77
shift
exec "$@"
"""


@pytest.mark.skipif(sys.platform != "linux", reason="tmpfs")
def test_a_really_full_disk(tmp_path):
    """A filesystem of two megabytes, mounted where only this test's process sees it."""
    text = """
import sys, warnings
from pathlib import Path
import numpy as np
from gradtape.record.reader import Reader
from gradtape.record.writer import Writer
warnings.simplefilter("ignore")
folder = Path(sys.argv[1]) / "run"
writer = Writer(folder)
layout = writer.layout([writer.column("cost", "cost")])
tag = writer.tag("value/w", "variable", (20_000,), "float64")
for step in range(100):
    writer.rows(layout, np.array([[step, step * 0.5]]))
    writer.array(tag, step, np.full(20_000, float(step)))
    writer.flush()
assert writer.lost > 50
(folder / "arrays-0001.bin").write_bytes(b"")  # somebody makes room
writer.rows(layout, np.array([[100.0, 1.0]]))
writer.close("finished")
reader = Reader(folder)
assert reader.status() == "incomplete", reader.status()
assert 100 in reader.steps()
assert reader.meta()["lost"]["count"] == writer.lost
assert "full" in reader.meta()["lost"]["error"] or "space" in reader.meta()["lost"]["error"]
"""
    command = ["sh", "-c", TMPFS, "sh", str(tmp_path), sys.executable, "-c", text, str(tmp_path)]
    done = subprocess.run(
        ["unshare", "--mount", *command],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(Path(writers.__file__).parents[2])},
    )
    if done.returncode in (1, 77) and "Traceback" not in done.stderr:
        pytest.skip(f"no mount here: {done.stderr.strip()[-80:]}")
    assert done.returncode == 0, done.stderr


def test_a_write_that_fails_in_the_middle_of_an_array_leaves_no_trace(tmp_path):
    writer = Writer(tmp_path / "run")
    tag = writer.tag("value/w", "variable", (5000,), "float64")
    writer.array(tag, 0, np.full(5000, 0.5))
    writer.flush()
    fails = iter([True])

    def write(file, data):
        if next(fails, False):
            os.write(file, data[:1000])
            raise OSError(28, "No space left on device")
        return os.write(file, data[:3333])  # and never all at once

    writer._transactions.segments._write = write
    writer.array(tag, 1, np.full(5000, 1.5))
    with pytest.warns(RecordWarning, match="No space left"):
        writer.flush()
    writer.array(tag, 2, np.full(5000, 1.5))  # the same content: it is not there yet
    writer.close()
    assert (tmp_path / "run" / "arrays-0001.bin").stat().st_size == 2 * 40_000
    reader = Reader(tmp_path / "run")
    assert reader.arrays("value/w") == [0, 2]
    assert np.all(reader.array("value/w", 2)[0] == 1.5)
    assert writer.lost == 1


def test_what_cannot_be_stored_takes_nothing_along(tmp_path):
    writer = Writer(tmp_path / "run")
    layout = writer.layout([writer.column("cost", "cost")])
    for step in range(20):
        writer.rows(layout, np.array([[step, 1.0]]))
        writer.structure(2**70 if step == 10 else step, 1)  # no integer of SQLite's
    with pytest.warns(RecordWarning, match="could not be written"):
        writer.flush()
    writer.close()
    assert writer.lost == 1
    reader = Reader(tmp_path / "run")
    assert reader.count() == 20
    assert len(reader.structures()) == 19


def test_segments_roll_and_what_failed_is_cut(tmp_path):
    segments = Segments(tmp_path, roll=1000)
    places = [segments.append(memoryview(bytes([i]) * 600)) for i in range(4)]
    assert [place[:2] for place in places] == [(1, 0), (1, 600), (2, 0), (2, 600)]
    segments.cut(1, 600)
    assert sorted(os.listdir(tmp_path)) == ["arrays-0001.bin"]
    assert segments.append(memoryview(b"x" * 10))[:2] == (2, 0)
    segments.close()


# -- filesystems without WAL ----------------------------------------------------------------------


def test_without_shared_memory_the_older_journal_is_used(tmp_path, monkeypatch):
    """SQLite's own filesystem layer without shared memory: there is no WAL, really."""
    real = journal.create
    monkeypatch.setattr(journal, "create", lambda *a, **k: real(*a, **k, vfs="unix-dotfile"))
    with pytest.warns(RecordWarning, match="without WAL"):
        writer = Writer(tmp_path / "run")
    layout = writer.layout([writer.column("cost", "cost")])
    writer.rows(layout, np.array([[0.0, 1.0]]))
    writer.close()
    assert Reader(tmp_path / "run").meta()["journal"].startswith("truncate: SQLite has no WAL")
    assert Reader(tmp_path / "run").count() == 1


def test_on_a_network_filesystem_readers_and_the_writer_take_turns(tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "filesystem", lambda folder: "nfs4")
    with pytest.warns(RecordWarning, match=r"filesystem is nfs4"):
        writer = Writer(tmp_path / "run")
    layout, reader = writer.layout([writer.column("cost", "cost")]), Reader(tmp_path / "run")
    seen = []
    for step in range(300):
        writer.rows(layout, np.array([[step, 1.0]]))
        seen.append(reader.count())
    writer.flush()
    assert seen == sorted(seen)
    assert reader.count() == 300
    assert reader.meta()["journal"] == "truncate: the filesystem is nfs4"
    assert not (tmp_path / "run" / "run.db-wal").exists()
    writer.close()
    assert os.listdir(tmp_path / "run") == ["run.db"]


def test_a_killed_run_without_wal_opens(tmp_path):
    text = """
from gradtape.record import journal
warnings.simplefilter("ignore")
journal.filesystem = lambda folder: "fuse.drive"
writer.close()
writer = Writer(sys.argv[1] + "2")
layout = writer.layout([writer.column("cost", "cost")])
for step in range(5000):
    record(step)
    if step % 1000 == 0: writer.flush()
writer._transactions.connection.execute("BEGIN IMMEDIATE")
writer._transactions.connection.execute("PRAGMA cache_size=1")
writer._transactions.connection.execute("PRAGMA cache_spill=1")
writer._transactions.connection.execute("UPDATE chunk SET data=zeroblob(length(data))")
os._exit(0)  # in the middle of a transaction, with pages of it in the file
"""
    script(text, tmp_path / "run")
    assert (tmp_path / "run2" / "run.db-journal").stat().st_size > 0
    steps, values = Reader(tmp_path / "run2").series("cost")
    assert len(steps) >= 4000
    assert np.array_equal(values, steps * 0.5)


def test_the_type_of_a_filesystem_is_read_from_the_mounts(tmp_path):
    table = tmp_path / "mounts"
    table.write_text(
        "/dev/a / ext4 rw 0 0\nserver:/x /mnt/my\\040data nfs4 rw 0 0\nd /mnt/my\\040data/c 9p rw\n"
    )
    kind = {
        name: journal.filesystem(Path(name), str(table))
        for name in ("/home/x", "/mnt/my data/runs", "/mnt/my data/c/runs", "/mnt/mine")
    }
    assert list(kind.values()) == ["ext4", "nfs4", "9p", "ext4"]
    assert journal.filesystem(Path("/"), str(tmp_path / "none")) == ""
    assert all(journal._NO_WAL.fullmatch(k) for k in ("nfs", "nfs4", "cifs", "fuse.sshfs", "9p"))
    assert not any(journal._NO_WAL.fullmatch(k) for k in ("ext4", "tmpfs", "overlay", "btrfs"))
