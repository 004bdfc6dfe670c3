"""Run folders made to harm who looks at them: whatever they hold becomes an answer in time."""

import contextlib
import json
import os
import random
import shutil
import sqlite3
import struct
import time

import numpy as np
import pytest

from gradtape.viewer.answers import ENDPOINTS, Answers
from gradtape.viewer.encoding import untable
from gradtape.viewer.library import Library
from gradtape.viewer.server import application
from gradtape.viewer.shelf import Shelf, run_id
from gradtape.viewer.watch import Watch
from tests.viewer import demo
from tests.viewer.asking import PORT, TOKEN, ask, cookie

QUERIES = {
    "series": ["names=cost", "names=cost,value/slope&px=10"],
    "array": ["tag=input/0", "tag=value/slope", "tag=prediction&step=0"],
    "node": ["step=0&node=4", "step=0&node=4&side=1"],
    "source": ["file=1"],
    "graph": ["", "id=1"],
    "landscape": ["n=8"],
    "regions": ["n=8"],
}
SECONDS = 30


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    return demo.write(demo.line(20), tmp_path_factory.mktemp("clean") / "line")


@pytest.fixture
def run(clean, tmp_path):
    """A copy of a run that a test may spoil."""
    return shutil.copytree(clean, tmp_path / "runs" / "line")


def ask_all(root, run):
    """Ask every endpoint; each answers, in time, in its form. Returns the answers by endpoint."""
    answers = Answers(Library(Shelf(root)))
    found = {}
    begun = time.monotonic()
    for path, query in [("/api/runs", ""), ("/api/compare", f"runs={run_id(run)},{run_id(run)}")]:
        found[path] = answers.answer(path, query)
    for endpoint in ENDPOINTS:
        for query in QUERIES.get(endpoint, [""]):
            path = f"/api/run/{run_id(run)}" + ("" if endpoint == "run" else f"/{endpoint}")
            found[endpoint, query] = found[endpoint] = answers.answer(path, query)
    assert time.monotonic() - begun < SECONDS
    for answer in found.values():
        assert answer.status in (200, 204, 400, 404, 500), answer
        if answer.body and answer.kind == "application/json":
            json.loads(answer.body, parse_constant=refuse)
        elif answer.body:
            untable(answer.body)
    return found


def refuse(word):
    raise AssertionError(f"{word} is no JSON")


def change(run, *statements):
    """Change the database of a run as its owner can."""
    with sqlite3.connect(run / "run.db") as database:
        for statement, *values in statements:
            database.execute(statement, *values)
    database.close()


def test_the_clean_run_answers(run):
    found = ask_all(run.parent, run)
    (line,) = json.loads(found["/api/runs"].body)
    assert line["status"] == "finished"
    for endpoint in ("run", "series", "row", "rows", "array", "graph", "nodes", "node", "events"):
        assert found[endpoint].status == 200, endpoint


# -- the file ---------------------------------------------------------------------------------

FILES = {
    "empty": b"",
    "text": b"secret = 1\n" * 1000,
    "header only": b"SQLite format 3\x00" + b"\x00" * 84,
    "header of noise": b"SQLite format 3\x00" + random.Random(0).randbytes(4096 * 4),
}


@pytest.mark.parametrize("content", FILES.values(), ids=FILES)
def test_a_file_that_is_no_database(run, content):
    (run / "run.db").write_bytes(content)
    (line,) = json.loads(ask_all(run.parent, run)["/api/runs"].body)
    assert line["status"] == "unreadable"


@pytest.mark.parametrize("seed", range(12))
def test_bytes_that_were_changed_anywhere(run, seed):
    noise = random.Random(seed)
    content = bytearray((run / "run.db").read_bytes())
    for _ in range(noise.choice([1, 10, 200])):
        content[noise.randrange(len(content))] = noise.randrange(256)
    if seed % 4 == 0:
        del content[noise.randrange(len(content)) :]
    (run / "run.db").write_bytes(bytes(content))
    ask_all(run.parent, run)


def test_a_schema_that_is_no_text(run):
    content = (run / "run.db").read_bytes()
    assert content.count(b"CREATE TABLE layout") == 1
    (run / "run.db").write_bytes(content.replace(b"CREATE TABLE layout", b"CREATE TABLE l\xfcyout"))
    found = ask_all(run.parent, run)
    assert found["run"].status == 404 and b"cannot be read" in found["run"].body


def test_a_database_of_another_program(run):
    change(run, ["PRAGMA application_id = 1"])
    (line,) = json.loads(ask_all(run.parent, run)["/api/runs"].body)
    assert line["status"] == "unreadable"


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
SCHEMES = {
    "a view that never ends in place of a table": [
        ["ALTER TABLE event RENAME TO other"],
        [f"CREATE VIEW event AS {ENDLESS} SELECT i id, i step, 1.0 time, 'x' kind, '{{}}' data"
         " FROM n"],
    ],
    "a view over a file function": [
        ["ALTER TABLE source RENAME TO other"],
        ["CREATE VIEW source AS SELECT 1 id, 'x' file, '' digest, load_extension('/x') text"],
    ],
    "a trigger": [
        ["CREATE TRIGGER t AFTER UPDATE ON meta BEGIN DELETE FROM chunk; END"],
    ],
    "a generated column": [
        ["DROP TABLE meta"],
        ["CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT AS (hex(zeroblob(900000000))))"],
    ],
    "an index over an expression": [
        ["CREATE INDEX i ON meta(hex(zeroblob(1000000)))"],
    ],
    "a virtual table": [["CREATE VIRTUAL TABLE v USING fts5(x)"]],
    "a schema that is written over": [
        ["PRAGMA writable_schema = 1"],
        ["UPDATE sqlite_schema SET sql = 'CREATE TABLE chunk(id, id, id)' WHERE name = 'chunk'"],
    ],
}  # fmt: skip


@pytest.mark.parametrize("statements", SCHEMES.values(), ids=SCHEMES)
def test_a_crafted_schema(run, statements):
    before = (run / "run.db").read_bytes()
    try:
        change(run, *statements)
    except sqlite3.OperationalError as error:
        pytest.skip(f"this SQLite does not make it: {error}")
    changed = (run / "run.db").read_bytes()
    assert changed != before
    found = ask_all(run.parent, run)
    assert found["events"].status in (404, 500)
    (line,) = json.loads(found["/api/runs"].body)
    assert line["status"] == "unreadable"
    assert (run / "run.db").read_bytes() == changed


# -- what it says -----------------------------------------------------------------------------

HUGE = 2**62 - 1
CLAIMS = {
    "a huge shape": "UPDATE array SET shape = '[1000000000000]'",
    "a huge shape whose size is 0": "UPDATE array SET shape = '[0, 4611686018427387903]'",
    "a shape that overflows": "UPDATE array SET shape = '[4294967296, 4294967296]', length = 0",
    "many axes": f"UPDATE array SET shape = '[{', '.join(['1'] * 5000)}]'",
    "a negative shape": "UPDATE array SET shape = '[-1]'",
    "a shape in words": "UPDATE array SET shape = '[\"1\"]'",
    "a length": f"UPDATE array SET length = {HUGE}",
    "a segment": f"UPDATE array SET segment = {HUGE}, offset = {HUGE}",
    "a segment that is not there": "UPDATE array SET segment = 1, offset = 0",
    "a segment by name": "UPDATE array SET segment = '../../secret'",
    "an object dtype": "UPDATE array SET dtype = '|O'",
    "a record dtype": "UPDATE array SET dtype = '[(\"a\", \"<f8\")]'",
    "rows": f"UPDATE chunk SET rows = {HUGE}",
    "rows below 0": "UPDATE chunk SET rows = -1",
    "rows in words": "UPDATE chunk SET rows = 'many'",
    "a chunk of text": "UPDATE chunk SET data = 'text'",
    "a chunk of nothing": "UPDATE chunk SET data = NULL",
    "a huge chunk": "UPDATE chunk SET data = zeroblob(56000000), rows = 1000000",
    "a layout of other columns": "UPDATE layout SET columns = '[99, -1, 0, 1e9, 7, 8]'",
    "a layout twice the same": "UPDATE layout SET columns = '[1, 1, 1, 1, 1, 1]'",
    "no columns": 'DELETE FROM "column"',
    "columns of one name": "UPDATE \"column\" SET kind = NULL, tag = x'00ff', unit = 7",
    "deep JSON": f"UPDATE meta SET value = '{'[' * 100_000}'",
    "deep JSON that closes": f"UPDATE graph SET data = '{'[' * 5000}{']' * 5000}'",
    "JSON of numbers that are none": "UPDATE meta SET value = '[NaN, Infinity, 1e999]'",
    "JSON of a long number": f"UPDATE meta SET value = '{'9' * 5000}'",
    "meta of other kinds": "UPDATE meta SET value = '[]'",
    "meta in bytes": "UPDATE meta SET value = x'ff00'",
    "a name of 10 MB": "UPDATE meta SET value = '\"' || hex(zeroblob(5000000)) || '\"'"
                       " WHERE key = 'name'",
    "surrogates": "UPDATE meta SET value = '\"\\ud800\"' WHERE key = 'name'",
    "events of other kinds": "UPDATE event SET data = '7', step = 'x', kind = x'00'",
    "a graph of other kinds": "UPDATE graph SET data = '{\"nodes\": 7}'",
    "a graph that is a circle": "UPDATE graph SET data = replace(data, '\"in\": [4, 1]',"
                                " '\"in\": [8, 5]')",
    "a graph with operations that are none": "UPDATE graph SET data = replace(data,"
                                             " '\"multiply\"', '\"__import__\"')",
    "a graph of huge shapes": "UPDATE graph SET data = replace(data, '[50]', '[1000000000]')",
    "steps of node values": f"UPDATE node_values SET step = {HUGE} - step",
    "values of other nodes": "UPDATE node_values SET data = zeroblob(8 * 12 * 1000)",
    "structures of graphs that are not there": "UPDATE structure SET graph = 99",
    "files of other kinds": "UPDATE source SET text = x'fffe00', file = NULL",
}  # fmt: skip


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
def test_a_claim_that_is_not_true(run, claim):
    change(run, [claim])
    ask_all(run.parent, run)


STEPS = {
    "not a number": [np.nan] * 20,
    "infinite": [0, np.inf, *range(2, 20)],
    "huge": [1e300 * i for i in range(20)],
    "backwards": range(19, -1, -1),
    "all the same": [3] * 20,
    "below zero": range(-20, 0),
    "between": [i + 0.5 for i in range(20)],
}


@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS)
def test_steps_that_are_none(run, steps):
    with sqlite3.connect(run / "run.db") as database:
        chunks = database.execute("SELECT id, rows, data FROM chunk ORDER BY first").fetchall()
        at = 0
        for number, rows, data in chunks:
            block = np.frombuffer(data).reshape(rows, -1).copy()
            block[:, 0] = list(steps)[at : at + rows]
            at += rows
            database.execute("UPDATE chunk SET data = ? WHERE id = ?", (block.tobytes(), number))
    database.close()
    ask_all(run.parent, run)


SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(1)>'\"&\u2028\r\nSet-Cookie: a=b"


def test_script_in_names_is_text_in_json_and_in_no_header(run):
    """Answers are JSON or numbers, which no browser runs; the page sets names as text."""
    with contextlib.closing(sqlite3.connect(run / "run.db")) as database:
        graph = database.execute("SELECT data FROM graph").fetchone()[0]
    change(
        run,
        ["UPDATE meta SET value = ? WHERE key IN ('name', 'config', 'script', 'roles')",
         [json.dumps(SCRIPT)]],
        ["UPDATE \"column\" SET name = name || ?, unit = ?", [SCRIPT, SCRIPT]],
        ["UPDATE tag SET name = name || ?, file = ?", [SCRIPT, SCRIPT]],
        ["UPDATE event SET kind = ?, data = ?", [SCRIPT, json.dumps({"text": SCRIPT})]],
        ["UPDATE source SET file = ?, text = ?", [SCRIPT, SCRIPT]],
        ["UPDATE graph SET data = ?", [graph.replace("train.py", json.dumps(SCRIPT)[1:-1])]],
    )  # fmt: skip
    ask_all(run.parent, run)
    library = Library(Shelf(run.parent))
    app = application(Answers(library), Watch(library), port=PORT, token=TOKEN)
    key = cookie(app)
    base = f"/api/run/{run_id(run)}"
    targets = ["/api/runs", base, *(f"{base}/{name}" for name in ENDPOINTS if name != "run")]
    seen = 0
    for target in [*targets, f"{base}/source?file=1"]:
        reply = ask(app, target, cookie=key)
        assert reply["content-type"] in ("application/json", "application/octet-stream", None)
        assert reply["x-content-type-options"] == "nosniff"
        assert not any("<" in value or "\n" in value for _, value in reply.headers), target
        assert reply["set-cookie"] is None
        seen += b"<script>" in reply.body
        if reply["content-type"] == "application/json":
            assert reply.body.isascii()  # U+2028 and its kin are escaped
    assert seen >= 4


# -- the folder -------------------------------------------------------------------------------


@pytest.fixture
def outside(tmp_path):
    """What lies beside the folder that is looked at."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret.txt").write_text("secret " * 4000)
    return folder


def test_a_link_to_a_run_outside_is_no_run(clean, tmp_path):
    root = tmp_path / "runs"
    root.mkdir()
    (root / "linked").symlink_to(clean)
    shelf = Shelf(root)
    assert shelf.runs() == []
    assert shelf.find(run_id(clean)) is None and shelf.find(run_id(root / "linked")) is None


def test_a_link_to_a_folder_outside_is_not_searched(clean, tmp_path):
    root = tmp_path / "runs"
    root.mkdir()
    (root / "up").symlink_to(clean.parent)
    (root / "all").symlink_to("/")
    assert Shelf(root).runs() == []


def test_a_database_that_is_a_link_outside_is_not_opened(run, outside):
    shutil.move(run / "run.db", outside / "run.db")
    (run / "run.db").symlink_to(outside / "run.db")
    assert Shelf(run.parent).runs() == []
    assert ask_all(run.parent, run)["run"].status == 404


@pytest.mark.parametrize("name", ["run.db-wal", "run.db-journal", "run.db-shm"])
def test_a_journal_that_is_a_link_outside_is_not_opened(run, outside, name):
    (run / name).symlink_to(outside / "secret.txt")
    assert ask_all(run.parent, run)["run"].status == 404
    assert (outside / "secret.txt").read_text() == "secret " * 4000


def test_a_segment_that_is_a_link_outside_shows_nothing_of_it(run, outside):
    """Else an array of bytes would be the file that the link names."""
    content = (outside / "secret.txt").read_bytes()
    change(run, ["UPDATE array SET segment = 1, offset = 0, length = ?, dtype = '|u1', shape = ?,"
                 " crc = ?", [len(content), f"[{len(content)}]", 0]])  # fmt: skip
    (run / "arrays-0001.bin").symlink_to(outside / "secret.txt")
    assert ask_all(run.parent, run)["array"].status == 404
    # the link was set after the scan had found the run: the reader does not follow it either
    from zlib import crc32

    from gradtape.errors import RunError
    from gradtape.record.reader import Reader

    change(run, ["UPDATE array SET crc = ?", [crc32(content)]])
    with pytest.raises((RunError, OSError)):
        Reader(run).array("input/0", 0)


def test_links_in_circles_end(clean, tmp_path):
    root = tmp_path / "runs"
    shutil.copytree(clean, root / "line")
    (root / "again").symlink_to(root)
    (root / "line" / "again").symlink_to(root)
    assert [run.name for run in Shelf(root).runs()] == ["line"]


def test_what_was_a_run_and_is_a_link_now_is_not_answered(run, outside):
    library = Library(Shelf(run.parent))
    answers, path = Answers(library), f"/api/run/{run_id(run)}"
    assert answers.answer(path).status == 200
    shutil.move(run, outside / "line")
    run.symlink_to(outside / "line")
    assert answers.answer(path).status == 404


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes")
def test_a_pipe_in_place_of_a_file_does_not_hold_the_server(run):
    (run / "run.db").unlink()
    os.mkfifo(run / "run.db")
    assert ask_all(run.parent, run)["run"].status == 404


def test_a_folder_with_very_many_entries_is_searched_within_limits(tmp_path, monkeypatch):
    from gradtape.viewer import shelf

    monkeypatch.setattr(shelf, "MOST_ENTRIES", 50)
    monkeypatch.setattr(shelf, "MOST_RUNS", 5)
    for i in range(100):
        (tmp_path / f"{i:03}").mkdir()
        (tmp_path / f"{i:03}" / "run.db").touch()
    assert len(Shelf(tmp_path).runs()) == 5
    deep = tmp_path / "deep"
    for _ in range(20):
        deep = deep / "a"
    deep.mkdir(parents=True)
    (deep / "run.db").touch()
    assert Shelf(tmp_path / "deep").runs() == []


def test_hidden_folders_are_not_searched(clean, tmp_path):
    shutil.copytree(clean, tmp_path / ".trash" / "line")
    shutil.copytree(clean, tmp_path / "kept")
    assert [run.name for run in Shelf(tmp_path).runs()] == ["kept"]


def test_forks_are_runs_with_a_parent(clean, run):
    shutil.copytree(clean, run / "fork-17")
    runs = {each.name: each for each in Shelf(run.parent).runs()}
    assert runs["fork-17"].parent == runs["line"].id and runs["line"].parent is None
    alone = {each.name: each for each in Shelf(run).runs()}
    assert alone["fork-17"].parent == alone["line"].id


# -- packed runs ------------------------------------------------------------------------------


def test_a_packed_run_is_a_run(clean, tmp_path):
    from gradtape.record.pack import pack

    packed = pack(clean, tmp_path / "line.gtrun")
    for root in (tmp_path, packed):
        found = ask_all(root, packed)
        (line,) = json.loads(found["/api/runs"].body)
        assert (line["id"], line["name"], line["status"]) == (run_id(packed), "line", "finished")
        header, numbers = untable(found["series", "names=cost"].body)
        np.testing.assert_array_equal(numbers[20:], demo.line(20).columns["cost"][3])


BOMB = b"\x00" * 50_000_000
ARCHIVES = {
    "not an archive": None,
    "a name with a way out": [("../run.db", b"x", 0)],
    "an absolute name": [("/tmp/run.db", b"x", 0)],
    "a name of Windows": [("..\\run.db", b"x", 0)],
    "a drive": [("C:run.db", b"x", 0)],
    "a folder": [("run.db/", b"", 0)],
    "more than a run": [("run.db", b"x", 0), ("run.py", b"print(1)", 0)],
    "twice the same": [("run.db", b"x", 0), ("run.db", b"y", 0)],
    "what grows": [("run.db", BOMB, 8)],
    "no database": [("arrays-0001.bin", b"x", 0)],
    "a link": [("run.db", b"/etc/passwd", "link")],
    "text": [("run.db", b"secret", 0)],
}


@pytest.mark.parametrize("entries", ARCHIVES.values(), ids=ARCHIVES)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_archive_that_no_pack_has_written(tmp_path, entries, monkeypatch):
    import tempfile
    import zipfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    root = tmp_path / "runs"
    root.mkdir()
    path = root / "line.gtrun"
    if entries is None:
        path.write_bytes(b"PK\x03\x04 nothing")
    else:
        with zipfile.ZipFile(path, "w") as archive:
            for name, content, how in entries:
                entry = zipfile.ZipInfo(name)
                entry.compress_type = zipfile.ZIP_DEFLATED if how == 8 else zipfile.ZIP_STORED
                if how == "link":
                    entry.external_attr = 0o120777 << 16
                archive.writestr(entry, content)
    (line,) = json.loads(ask_all(root, path)["/api/runs"].body)
    assert line["status"] == "unreadable"
    assert [each.name for each in root.iterdir()] == ["line.gtrun"]
    left = [each for each in (tmp_path / "temporary").rglob("*") if each.is_file()]
    assert sum(each.stat().st_size for each in left) < 1_000_000
    assert not (tmp_path / "run.db").exists()


def test_an_archive_that_is_a_link_outside_is_no_run(clean, tmp_path):
    from gradtape.record.pack import pack

    packed = pack(clean, tmp_path / "line.gtrun")
    root = tmp_path / "runs"
    root.mkdir()
    (root / "line.gtrun").symlink_to(packed)
    assert Shelf(root).runs() == []


# -- limits of an answer ----------------------------------------------------------------------


def test_an_answer_holds_a_bounded_number_of_numbers(tmp_path, monkeypatch):
    from gradtape.viewer import answers

    monkeypatch.setattr(answers, "MOST_NUMBERS", 1000)
    monkeypatch.setattr(answers, "MOST_ENTRIES", 30)
    run = demo.write(demo.line(600), tmp_path / "line")
    found = ask_all(tmp_path, run)
    for key in [("series", "names=cost"), ("rows", ""), ("array", "tag=input/0")]:
        assert found[key].status == 200
        header, numbers = untable(found[key].body)
        assert len(numbers) <= 1000 + 8
        if key[0] == "series":
            assert header["series"][0]["reduced"] and header["series"][0]["of"] == 600
        elif key[0] == "rows":
            assert header["count"] < header["of"] == 600
        else:
            assert len(numbers) == 30 and header["of"] == 50


def test_a_long_struct_of_floats_is_not_taken_for_a_header():
    """The length of the header is of the header alone, whatever stands in it."""
    content = struct.pack("<I", 20) + b'{"count":1,"a":"}"}' + b" " + struct.pack("<d", 2.5)
    header, numbers = untable(content)
    assert header == {"count": 1, "a": "}"} and numbers.tolist() == [2.5]


# -- at random --------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(60))
def test_a_run_spoiled_at_random(clean, tmp_path, seed):
    """`python -m tests.viewer.fuzzing --count 3000` spoils more of them."""
    from tests.viewer.fuzzing import spoil

    run = shutil.copytree(clean, tmp_path / "runs" / "line")
    spoil(run, seed)
    ask_all(run.parent, run)
