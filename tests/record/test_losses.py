"""A disk that is full: training goes on, and the run says wherever one looks what it does not hold.

What a disk takes is bounded in a process of its own, by a limit on the size of files or a small
filesystem, from the moment at which the run's database was made.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import gradtape as gt
from gradtape.cli import main
from gradtape.errors import RunError
from gradtape.record.losses import LOST
from gradtape.record.pack import pack
from gradtape.record.reader import Reader
from gradtape.viewer.answers import Answers
from gradtape.viewer.library import Library
from gradtape.viewer.shelf import Shelf, run_id

pytestmark = pytest.mark.skipif(os.name != "posix", reason="limits of POSIX")

RUN = """
import os, resource, sys, warnings
from pathlib import Path
import numpy as np
import gradtape as gt
from gradtape.record import journal
warnings.simplefilter("ignore", gt.errors.RecordWarning)
place, when = Path(sys.argv[1]), int(sys.argv[2])
x, a = np.arange(10.0), gt.Variable(0.0, name="a")
create = journal.create

def fill():
    if when == -2:  # for good: nothing is left
        with open(place / "filler", "wb", buffering=0) as file:
            try:
                while file.write(bytes(4096)): pass
            except OSError: pass
        return
    size = max(path.stat().st_size for path in (place / "run").iterdir())
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

def made(*arguments, **options):
    found = create(*arguments, **options)
    if when < 0: fill()
    return found

journal.create = made
with gt.Recording(place / "run", progress=False) as run:
    for step in range(200):
        if step == when:
            run._writer.flush()
            fill()
        with gt.GradientTape() as tape:
            loss = np.mean((3 * x + 1 - a * x) ** 2)
        a.assign_sub(0.001 * tape.gradient(loss, a))
print(run)
print(run._writer.lost)
"""


def run(place, when, *before):
    done = subprocess.run(
        [*before, sys.executable, "-c", RUN, str(place), str(when)],
        capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": str(Path(gt.__file__).parents[1])},
    )  # fmt: skip
    return done


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """The folder around a run of which nothing could be written, what it printed, what it lost."""
    place = tmp_path_factory.mktemp("full")
    done = run(place, -1)
    assert done.returncode == 0, done.stderr
    printed, lost = done.stdout.splitlines()
    return place, printed, int(lost)


def test_a_run_of_which_nothing_could_be_written_says_so_itself(full):
    place, printed, lost = full
    assert lost > 200
    words = f"{lost} records could not be written (disk I/O error)"
    assert printed == f"<run 'run': incomplete, 0 steps, {words}, {place / 'run'}>"
    again = gt.open_run(place / "run")
    assert (again.status, len(again), again.lost) == ("incomplete", 0, words)


def test_a_list_of_runs_says_it(full, capsys):
    place, _, lost = full
    assert main(["runs", str(place)]) == 0
    _, line, said = capsys.readouterr().out.splitlines()
    assert line.split()[:3] == ["run", "incomplete", "0"]
    assert said == f"run: {lost} records could not be written (disk I/O error)"


def test_verdict_and_diagnosis_say_it(full):
    found = gt.open_run(full[0] / "run")
    words = rf"no cost with gradients[^§]*incomplete: {full[2]} records could not[^§]*Make room"
    with pytest.raises(RunError, match=words):
        found.verdict()
    (finding,) = found.diagnose()
    assert finding.kind == "incomplete" and str(full[2]) in finding.fact


def test_the_page_is_told(full):
    place, _, lost = full
    answers = Answers(Library(Shelf(place)))
    (line,) = json.loads(answers.answer("/api/runs").body)
    assert line["status"] == "incomplete"
    whole = json.loads(answers.answer(f"/api/run/{run_id(place / 'run')}").body)
    assert whole["status"] == "incomplete"
    assert whole["lost"] == f"{lost} records could not be written (disk I/O error)"


def test_a_packed_run_says_it(full, tmp_path):
    packed = Reader(pack(full[0] / "run", tmp_path / "run.gtrun"))
    assert packed.status() == "incomplete"
    assert packed.lost() == Reader(full[0] / "run").lost()


def test_a_disk_that_was_full_in_the_middle(tmp_path):
    done = run(tmp_path, 100)
    assert done.returncode == 0, done.stderr
    found = gt.open_run(tmp_path / "run")
    assert found.status == "incomplete" and 0 < len(found) < 200
    words = " ".join(str(found.verdict()).split())
    assert words.endswith(f"Incomplete: {found.lost}. These are the facts of what is there.")
    assert "incomplete" in found.diagnose().kinds


def test_a_disk_without_room_for_a_single_byte(tmp_path):
    """A filesystem of two megabytes, mounted where only this test's process sees it."""
    mounted = 'mount -t tmpfs -o size=2m tmpfs "$0" || exit 77; exec "$@"'
    done = run(tmp_path, -2, "unshare", "--mount", "sh", "-c", mounted, str(tmp_path))
    if done.returncode in (1, 77) and "Traceback" not in done.stderr:
        pytest.skip(f"no mount here: {done.stderr.strip()[-80:]}")
    assert done.returncode == 0, done.stderr
    assert "incomplete, 0 steps, some records could not be written, " in done.stdout


def test_room_that_was_made_is_used_to_say_it(tmp_path, monkeypatch):
    from gradtape.record.transactions import Transactions
    from gradtape.record.writer import Writer

    writer = Writer(tmp_path / "run")
    writer.flush()
    commit = Transactions.commit

    def fails(self, items):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Transactions, "commit", fails)
    writer.event(0, "note", {})
    with pytest.warns(gt.errors.RecordWarning, match="No space left"):
        writer.flush()
    assert Reader(tmp_path / "run").status() == "running"
    assert Reader(tmp_path / "run").lost().count == 1
    monkeypatch.setattr(Transactions, "commit", commit)
    writer.event(1, "note", {})
    writer.close()
    assert os.listdir(tmp_path / "run") == ["run.db"]
    assert Reader(tmp_path / "run").status() == "incomplete"
    assert Reader(tmp_path / "run").meta()["lost"]["count"] == 1


@pytest.mark.parametrize(
    "said", ["", "{", "[1]", '{"count": -4}', '{"count": "\\u001b[2J"}', "9" * 9000]
)
def test_what_stands_beside_a_run_is_not_trusted(tmp_path, said):
    from gradtape.record.writer import Writer

    Writer(tmp_path / "run").close()
    (tmp_path / "run" / LOST).write_text(said)
    reader = Reader(tmp_path / "run")
    assert reader.status() == "incomplete"
    assert str(reader.lost()) == "some records could not be written"
    (tmp_path / "run" / LOST).unlink()
    (tmp_path / "run" / LOST).symlink_to("/dev/zero")
    assert reader.lost() is None
