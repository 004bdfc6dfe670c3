"""The reader: what it refuses of folders that may come from anybody, and what it says."""

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from gradtape.errors import RunError
from gradtape.record import database as databases
from gradtape.record.database import Database
from gradtape.record.reader import Reader
from gradtape.record.rows import Rows
from gradtape.record.schema import TABLES
from gradtape.record.writer import Writer


def record(folder):
    writer = Writer(folder)
    layout = writer.layout([writer.column("cost", "cost"), writer.column("value/w", "value", "w")])
    for step in range(100):
        writer.rows(layout, np.array([[step, step * 0.5, -step]]))
    small = writer.tag("value/w", "variable", (3,), "float64")
    large = writer.tag("value/W", "variable", (5000,), "float64")
    for step in range(3):
        writer.array(small, step, np.arange(3.0) + step)
        writer.array(large, step, np.arange(5000.0) + step)
    graph = writer.graph(0, {"nodes": [{"id": 0}]})
    writer.structure(0, graph)
    writer.node_values(0, graph, np.ones((1, 12)))
    writer.node_array(0, graph, 0, 0, np.ones(2))
    writer.event(1, "note", {"text": "x"})
    writer.source("train.py", "x = 1")
    writer.close()
    return folder


def questions(reader):
    """Ask a run everything there is to ask."""
    reader.meta(), reader.status(), reader.version()
    for column in reader.columns():
        reader.series(column.name)
    reader.table([column.name for column in reader.columns()])
    reader.row(3), reader.count(), reader.first, reader.last
    for tag in reader.tags():
        for step in reader.arrays(tag.name):
            reader.array(tag.name, step)
    for step, graph in reader.structures():
        reader.graph(step), reader.graph_by_id(graph), reader.node_values(step)
        reader.node_array(step, 0)
    reader.events()
    for number, name in reader.sources():
        reader.source(number), reader.source(name)


@pytest.fixture
def run(tmp_path):
    return record(tmp_path / "run")


def spoil(run, *statements):
    """Change a run's database as somebody could who means harm."""
    connection = sqlite3.connect(run / "run.db")
    for statement in statements:
        text, values = statement if isinstance(statement, tuple) else (statement, ())
        connection.execute(text, values)
    connection.commit()
    connection.close()
    return run


def test_a_healthy_run_answers_everything(run):
    questions(Reader(run))


# -- what is not there ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ask", "fact", "cause"),
    [
        (lambda r: r.series("cots"), "no series cots", "has cost, value/w"),
        (lambda r: r.table(["cost", "x"]), "no series x", "has cost"),
        (lambda r: r.array("value/x"), "no tag value/x", "has value/w, value/W"),
        (lambda r: r.array("value/w", -1), "no array of value/w at step -1", "has 0, 1, 2"),
        (lambda r: r.graph(-1), "no graph at step -1", "has 0"),
        (lambda r: r.graph_by_id(7), "no graph 7", "has 1"),
        (lambda r: r.source("other.py"), "no source other.py", "has train.py"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(run, ask, fact, cause):
    with pytest.raises(RunError, match=rf"{fact}[^§]*{cause}[^§]*Ask for one of these"):
        ask(Reader(run))


def test_of_a_run_without_graph_it_is_said_how_there_is_one(tmp_path):
    Writer(tmp_path / "run").close("finished")
    words = r"there is no graph\.\n.* has none\.\nRecord it: level=\"standard\""
    with pytest.raises(RunError, match=words):
        Reader(tmp_path / "run").graph()


def test_what_may_be_missing_is_none_or_empty(run):
    reader = Reader(run)
    assert reader.row(3.5) == {}
    assert reader.node_values(5) is None
    assert reader.node_array(0, 99) is None
    assert reader.events("exception") == []
    assert [len(part) for part in reader.series("cost", 30, 20)] == [0, 0]
    assert reader.array("value/w", 50)[1] == 2


def test_no_run_there(tmp_path):
    with pytest.raises(RunError, match=r"holds no recorded run[^§]*gradtape runs DIR"):
        Reader(tmp_path)
    with pytest.raises(RunError, match="holds no recorded run"):
        Reader(tmp_path / "none")


# -- hostile folders ------------------------------------------------------------------------------


def test_another_database_is_no_run(tmp_path):
    (tmp_path / "run").mkdir()
    spoil(tmp_path / "run", "CREATE TABLE a(b)")
    with pytest.raises(RunError, match="is not a recorded run"):
        Reader(tmp_path / "run")
    (tmp_path / "run" / "run.db").write_bytes(os.urandom(10_000))
    with pytest.raises(RunError, match="cannot be read"):
        Reader(tmp_path / "run")
    (tmp_path / "run" / "run.db").write_bytes(b"")
    with pytest.raises(RunError, match="is not a recorded run"):
        Reader(tmp_path / "run")


def test_a_newer_format_is_named(run):
    spoil(run, "PRAGMA user_version=3")
    with pytest.raises(RunError, match=r"format 3, newer than 2[^§]*--upgrade"):
        Reader(run)


def test_a_older_format_is_named(run):
    spoil(run, "PRAGMA user_version=1")
    with pytest.raises(RunError, match=r"format 1, older than 2[^§]*record the run again"):
        Reader(run)


VIEW = "CREATE VIEW chunk AS SELECT 1 AS id, 1 AS layout, 1 AS first, 1 AS last, 1 AS rows, 1 AS d"


@pytest.mark.parametrize(
    ("statements", "named"),
    [
        (("DROP TABLE chunk", VIEW), "view 'chunk'"),
        (("CREATE TRIGGER t AFTER INSERT ON meta BEGIN DELETE FROM meta; END",), "trigger 't'"),
        (("CREATE INDEX i ON event(step)",), "index 'i'"),
        (("CREATE TABLE extra(a)",), "table 'extra'"),
        (("DROP TABLE event",), "table 'event' is missing"),
        (("ALTER TABLE meta ADD COLUMN x DEFAULT 1",), "table 'meta'"),
        (("DROP TABLE source", "CREATE TABLE source(id, file, digest, text AS (hex(id)))"),
         "table 'source'"),
        (("DROP TABLE source", "CREATE VIRTUAL TABLE source USING fts5(id, file, digest, text)"),
         "table 'source"),
    ],
)  # fmt: skip
def test_a_schema_that_is_not_ours_is_refused(run, statements, named):
    spoil(run, *statements)
    with pytest.raises(RunError, match=rf"has not the tables of a run: [^§]*{named}"):
        Reader(run)


BIG = json.dumps([2**40, 2**19])


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE array SET dtype='|O'", "dtype"),
        ("UPDATE array SET dtype='|V8'", "dtype"),
        ("UPDATE array SET dtype=NULL", "dtype"),
        ("UPDATE array SET shape='[4]'", "bytes"),
        (("UPDATE array SET shape=?", (BIG,)), "bytes"),
        (("UPDATE array SET shape=?, length=?", (BIG, 2**62)), "limit"),
        ("UPDATE array SET shape='[-1, -24]'", "no shape"),
        ("UPDATE array SET shape='[3.0]'", "no shape"),
        ("UPDATE array SET shape='[true]'", "no shape"),
        ("UPDATE array SET shape='3'", "no shape"),
        (("UPDATE array SET shape=?", (json.dumps([1] * 65),)), "no shape"),
        (("UPDATE array SET shape=?", ("[" * 100_000,)), "not JSON"),
        (("UPDATE array SET shape=?", (f"[{'9' * 5000}]",)), "not JSON"),
        ("UPDATE array SET crc=crc+1", "bytes that it says"),
        ("UPDATE array SET data=zeroblob(24)", "bytes that it says"),
        ("UPDATE array SET data='text'", "bytes that it says"),
        ("UPDATE array SET segment=7", "cannot be opened"),
        ("UPDATE array SET segment='../../x'", "no place"),
        ("UPDATE array SET segment=1, offset=-5", "no place"),
        ("UPDATE array SET segment=1, offset=9000000000", "does not reach"),
        ("UPDATE array SET segment=1, offset=8", "checksum"),
        ("UPDATE held SET array=99", "missing"),
        ("UPDATE held SET array='x'", "missing"),
    ],
)
def test_a_crafted_array_is_refused(run, statement, said):
    spoil(run, statement)
    reader = Reader(run, array_bytes=1 << 30)
    with pytest.raises(RunError, match=said):
        reader.array("value/w", 0)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE chunk SET rows=rows+1", "not the rows"),
        ("UPDATE chunk SET rows=1000000000000", "not the rows"),
        ("UPDATE chunk SET rows=-1", "not the rows"),
        ("UPDATE chunk SET rows='many'", "not the rows"),
        ("UPDATE chunk SET data='text'", "not the rows"),
        ("UPDATE chunk SET data=NULL", "not the rows"),
        ("UPDATE chunk SET layout=9", "not the rows"),
        ("UPDATE chunk SET layout='x'", "not the rows"),
        (
            ("UPDATE chunk SET data=?, rows=2", (np.array([[1, 2, 3], [1, 2, 3.0]]).tobytes(),)),
            "do not increase",
        ),
        (
            ("UPDATE chunk SET data=?, rows=1", (np.array([np.nan, 2, 3]).tobytes(),)),
            "do not increase",
        ),
        (
            ("UPDATE chunk SET data=?, rows=1", (np.array([1e300, 2, 3]).tobytes(),)),
            "do not increase",
        ),
        ("UPDATE layout SET columns='[1, \"x\"]'", "no list of columns"),
        ("UPDATE layout SET columns='{'", "not JSON"),
        ("UPDATE layout SET columns='[1]'", "not the rows"),
    ],
)
def test_crafted_rows_are_refused(run, statement, said):
    spoil(run, statement)
    with pytest.raises(RunError, match=said):
        Reader(run).series("cost")


@pytest.mark.parametrize(
    ("statement", "ask"),
    [
        ("UPDATE meta SET value='{' WHERE key='name'", Reader.meta),
        ("UPDATE meta SET value='\"flying\"' WHERE key='status'", Reader.status),
        ("UPDATE meta SET value='[]' WHERE key='status'", Reader.status),
        ("UPDATE meta SET value='{}' WHERE key='commits'", Reader.version),
        ("UPDATE graph SET data='[]'", Reader.graph),
        ("UPDATE graph SET data=x'00'", Reader.graph),
        ("UPDATE tag SET info='{'", Reader.tags),
        ("UPDATE structure SET graph='x'", Reader.structures),
        ("UPDATE event SET data='{'", Reader.events),
        ("UPDATE event SET step='x'", Reader.events),
        ("UPDATE node_values SET data=x'00'", lambda reader: reader.node_values(0)),
    ],
)
def test_crafted_rows_of_other_tables_are_refused(run, statement, ask):
    spoil(run, statement)
    with pytest.raises(RunError):
        ask(Reader(run))


def test_a_value_that_is_too_large_is_refused(run, monkeypatch):
    monkeypatch.setattr(databases, "_BLOB", 10_000)
    spoil(run, "UPDATE meta SET value=zeroblob(20000) WHERE key='name'")
    with pytest.raises(RunError, match=r"too big"):
        Reader(run).meta()


def test_names_in_messages_do_nothing_to_a_terminal(run):
    clear = "w\x1b[2J\x07"
    spoil(
        run,
        ('UPDATE "column" SET name=? WHERE id=2', (clear,)),
        ("UPDATE tag SET name=? WHERE id=1", (clear,)),
    )
    with pytest.raises(RunError, match=r"has cost, w\?\[2J\?\.") as caught:
        Reader(run).series("x")
    spoil(run, "UPDATE tag SET shape='\x1b'")
    with pytest.raises(RunError, match="the shape of w") as other:
        Reader(run).tags()
    assert all(c.isprintable() or c == "\n" for c in f"{caught.value}{other.value}")


def test_a_message_of_sqlites_that_is_no_text(run):
    """It repeats names that stand in the file."""
    whole = (run / "run.db").read_bytes()
    (run / "run.db").write_bytes(
        whole.replace(b"sqlite_autoindex_meta_1", b"sqlite_autoin\xffex_meta_1")
    )
    with pytest.raises(RunError, match="cannot be read"):
        Reader(run)


def test_links_and_pipes_are_not_followed(run, tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(np.arange(5000.0).tobytes())
    (run / "arrays-0001.bin").unlink()
    (run / "arrays-0001.bin").symlink_to(secret)
    with pytest.raises(RunError, match=r"cannot be opened"):
        Reader(run).array("value/W", 0)
    (run / "arrays-0001.bin").unlink()
    os.mkfifo(run / "arrays-0001.bin")
    with pytest.raises(RunError, match=r"does not reach|cannot be opened"):
        Reader(run).array("value/W", 0)
    os.mkfifo(run / "run.lock")  # nobody hangs on it
    assert Reader(run).status() == "finished"
    (run / "run.db").rename(tmp_path / "elsewhere.db")
    (run / "run.db").symlink_to(tmp_path / "elsewhere.db")
    with pytest.raises(RunError, match="no recorded run"):
        Reader(run)


def test_a_damaged_array_is_told_by_its_checksum(run):
    with open(run / "arrays-0001.bin", "r+b") as file:
        file.seek(100)
        file.write(b"\x01")
    reader = Reader(run)
    with pytest.raises(RunError, match=r"checksum[^§]*backup"):
        reader.array("value/W", 0)
    assert np.array_equal(reader.array("value/W", 1)[0], np.arange(5000.0) + 1)


def test_a_segment_that_was_cut_is_told(run):
    os.truncate(run / "arrays-0001.bin", 60_000)
    with pytest.raises(RunError, match=r"does not reach to byte 80000"):
        Reader(run).array("value/W", 1)


def test_a_question_that_takes_too_long_is_given_up(run):
    database = Database(run, seconds=0.2)
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT max(i) FROM n"
    start = time.monotonic()
    with pytest.raises(RunError, match=r"no answer within 0.2 s"):
        database.ask(endless)
    assert time.monotonic() - start < 10
    assert database.ask("SELECT count(*) FROM event") == [(1,)]
    database.close()


def test_a_reader_cannot_write(run):
    database = Database(run)
    careful = {"trusted_schema": 0, "query_only": 1, "cell_size_check": 1, "temp_store": 2}
    assert {name: database.ask(f"PRAGMA {name}")[0][0] for name in careful} == careful
    for text in ("DELETE FROM meta", "CREATE TABLE a(b)", "PRAGMA journal_mode=WAL"):
        before = (run / "run.db").read_bytes()
        with pytest.raises(RunError, match="cannot be read"):
            database.ask(text)
            database.ask("SELECT raise_if_it_was_let_through")
        assert (run / "run.db").read_bytes() == before
    database.close()
    assert sorted(os.listdir(run)) == ["arrays-0001.bin", "run.db"]


@hypothesis.settings(max_examples=150)
@hypothesis.given(st.data())
def test_a_run_with_bytes_changed_anywhere_is_read_or_refused(damaged, data):
    whole, folder = damaged
    changed = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(whole) - 1) | st.integers(0, 400))
        changed[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.none() | st.integers(0, len(whole)))
    (folder / "run.db").write_bytes(changed[:cut])
    try:
        questions(Reader(folder))
    except RunError as error:
        assert len(str(error).splitlines()) >= 3


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    folder = record(tmp_path_factory.mktemp("damaged") / "run")
    return (folder / "run.db").read_bytes(), folder


# -- beside a writer, and afterwards --------------------------------------------------------------


def test_readers_in_threads_beside_a_writer(tmp_path):
    writer = Writer(tmp_path / "run")
    layout = writer.layout([writer.column("cost", "cost")])
    writer.flush()
    reader, ends, faults = Reader(tmp_path / "run"), threading.Event(), []

    def look():
        seen = 0
        while not ends.is_set():
            try:
                steps, values = reader.series("cost")
                assert len(steps) >= seen
                assert np.array_equal(values, np.sqrt(steps))
                seen = len(steps)
            except BaseException as error:
                faults.append(error)
                return

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for step in range(0, 20_000, 10):
        steps = np.arange(step, step + 10.0)
        writer.rows(layout, np.stack([steps, np.sqrt(steps)], 1))
        if step % 1000 == 0:
            time.sleep(0.005)
    writer.close()
    ends.set()
    for thread in threads:
        thread.join()
    assert faults == []
    assert reader.count() == 20_000
    assert os.listdir(tmp_path / "run") == ["run.db"]


def test_a_session_sees_one_state(tmp_path):
    writer = Writer(tmp_path / "run")
    layout = writer.layout([writer.column("cost", "cost")])
    writer.rows(layout, np.array([[0.0, 1.0]]))
    writer.flush()
    reader = Reader(tmp_path / "run")
    with reader.session():
        assert reader.count() == 1
        writer.rows(layout, np.array([[1.0, 1.0]]))
        writer.flush()
        assert reader.count() == 1
    assert reader.count() == 2
    writer.close()


def test_beyond_the_memory_allowed_rows_are_read_again(tmp_path):
    writer = Writer(tmp_path / "run")
    names = ["cost", "value/w", "log/a"]
    columns = [writer.column(name, "value") for name in names]
    short, long = writer.layout(columns[:2]), writer.layout(columns)
    rng = np.random.default_rng(0)
    for start in range(0, 5000, 100):
        steps = np.arange(start, start + 100.0)
        layout, width = ((short, 2), (long, 3))[start % 300 == 0]
        writer.rows(layout, np.column_stack([steps, rng.random((100, width))]))
        writer.flush()
    writer.close()
    whole, small = Reader(tmp_path / "run"), Reader(tmp_path / "run")
    small._rows = Rows(small._database, kept=1000)
    for reader in (whole, small):
        reader.series("cost")
    assert (whole._rows._whole, small._rows._whole) == (True, False)
    for name in names:
        for a, b in zip(whole.series(name), small.series(name), strict=True):
            assert np.array_equal(a, b)
    a, b = whole.table(names, 100, 900), small.table(names, 100, 900)
    assert np.array_equal(a[0], b[0])
    assert np.array_equal(a[1], b[1], equal_nan=True)
    for step in (0, 1234, 4999, 5000):
        assert whole.row(step) == small.row(step)


NOBODY = """
import os, sys, urllib.parse, urllib.request
from gradtape.record.reader import Reader
os.setgid(65534), os.setuid(65534)
reader = Reader(sys.argv[1])
print(reader.status(), reader.count())
"""


@pytest.fixture
def elsewhere():
    """A folder that others may enter, which those of pytest are not."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


def as_nobody(folder):
    return subprocess.run(
        [sys.executable, "-c", NOBODY, str(folder)],
        env={**os.environ, "PYTHONPATH": str(Path(databases.__file__).parents[2])},
        capture_output=True,
        text=True,
        cwd="/",
    )


only_root = pytest.mark.skipif(
    not hasattr(os, "getuid") or os.getuid() != 0, reason="changes the user"
)


@only_root
@pytest.mark.parametrize("status", ["stopped", "interrupted", "running"])
def test_a_run_in_a_folder_that_one_may_only_read(elsewhere, status):
    """Of a colleague's; a killed run there has a journal that SQLite would have to write."""
    text = """
import os, sys
import numpy as np
from gradtape.record.writer import Writer
writer = Writer(sys.argv[1])
layout = writer.layout([writer.column("cost", "cost")])
for step in range(100):
    writer.rows(layout, np.array([[step, 1.0]]))
writer.flush()
"""
    ends = {"stopped": "", "interrupted": "os._exit(0)", "running": "print(0), sys.stdin.read()"}
    command = [sys.executable, "-uc", f"{text}\n{ends[status]}", str(elsewhere / "run")]
    pipe = subprocess.PIPE
    environment = {**os.environ, "PYTHONPATH": str(Path(databases.__file__).parents[2])}
    writing = subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True)
    if status == "running":
        assert writing.stdout.readline()
    else:
        writing.communicate()
    assert (elsewhere / "run" / "run.db-wal").exists() == (status != "stopped")
    done = as_nobody(elsewhere / "run")
    writing.communicate("")
    assert writing.returncode == 0
    assert done.stdout.split() == [status, "100"], done.stderr


@only_root
def test_a_folder_that_one_may_not_enter_is_named(elsewhere):
    record(elsewhere / "run")
    os.chmod(elsewhere, 0o700)
    done = as_nobody(elsewhere / "run")
    assert "RunError: open_run" in done.stderr
    assert "may not be entered: Permission denied" in done.stderr


def test_the_tables_are_what_a_run_has(run):
    connection = sqlite3.connect(run / "run.db")
    found = dict(connection.execute("SELECT name, sql FROM sqlite_schema WHERE type='table'"))
    crc, data = connection.execute("SELECT crc, data FROM array WHERE segment=0").fetchone()
    connection.close()
    assert found == TABLES
    assert zlib.crc32(data) == crc
