"""What the writer takes, the reader gives back: scalars, arrays, graphs, events, sources."""

import json
import os
import sqlite3
import tempfile
import threading
import time

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from gradtape.errors import DTypeError, RecordError, ShapeError
from gradtape.record.chunks import Merging
from gradtape.record.lock import free_folder
from gradtape.record.reader import Reader
from gradtape.record.schema import FIELDS
from gradtape.record.writer import Writer


@pytest.fixture
def writer(tmp_path):
    writer = Writer(tmp_path / "run")
    yield writer
    writer.close("stopped")


def block(*rows):
    return np.array(rows, dtype=np.float64)


def test_scalars_come_back_to_the_bit_while_the_run_is_written(writer):
    layout = writer.layout([writer.column("cost", "cost"), writer.column("value/w", "value", "w")])
    values = [0.1, np.nan, np.inf, -np.inf, -0.0, 5e-324]
    for step, value in enumerate(values):
        writer.rows(layout, block((step, 1.0, value)))
    writer.flush()
    steps, read = Reader(writer.folder).series("value/w")
    assert steps.tolist() == [0, 1, 2, 3, 4, 5]
    assert read.tobytes() == np.array(values).tobytes()


def test_rows_of_several_layouts_are_one_table(writer):
    cost, w = writer.column("cost", "cost"), writer.column("grad/w", "gradient", "w")
    short, long = writer.layout([cost]), writer.layout([w, cost])
    for step in range(100):
        if step % 10:
            writer.rows(short, block((step, step)))
        else:
            writer.rows(long, block((step, -step, step)))
    writer.flush()
    reader = Reader(writer.folder)
    steps, matrix = reader.table(["cost", "grad/w"])
    assert np.array_equal(steps, np.arange(100))
    assert np.array_equal(matrix[:, 0], np.arange(100))
    assert np.array_equal(np.isnan(matrix[:, 1]), np.arange(100) % 10 != 0)
    steps, values = reader.series("grad/w", 5, 41)
    assert steps.tolist() == [10, 20, 30, 40]
    assert values.tolist() == [-10, -20, -30, -40]
    assert reader.row(20) == {"cost": 20, "grad/w": -20}
    assert (reader.first, reader.last, reader.count()) == (0, 99, 100)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3),
        np.arange(6.0).reshape(2, 3).T,
        np.float32(2.5),
        np.array(1 + 2j),
        np.zeros((0, 3), np.int8),
        np.array([True, False]),
        np.arange(4, dtype=">i4"),
        np.arange(5000.0),
        np.full((70, 70), 1 - 2j),
        np.arange(3, dtype=np.float16),
        np.arange(3, dtype=np.uint64) + np.uint64(2**63),
    ],
    ids=lambda array: f"{array.dtype}{np.shape(array)}",
)
def test_an_array_comes_back(writer, array):
    tag = writer.tag("value/w", "variable", np.shape(array), array.dtype, "train.py", 3, mark=1)
    writer.array(tag, 7, array)
    writer.flush()
    reader = Reader(writer.folder)
    read, step = reader.array("value/w", 9)
    assert step == 7
    assert read.dtype == array.dtype.newbyteorder("<")
    np.testing.assert_array_equal(read, array, strict=True) if array.dtype.isnative else None
    assert np.array_equal(read, array)
    (found,) = reader.tags()
    assert (found.name, found.kind, found.file, found.line) == (
        "value/w",
        "variable",
        "train.py",
        3,
    )
    assert found.info == {"mark": 1}
    assert found.shape == np.shape(array)


def test_an_array_is_stored_once_per_content(writer):
    tag = writer.tag("input/0", "input", (3000,), "float64")
    for step in range(10):
        writer.array(tag, step, np.arange(3000.0) if step % 2 else np.ones(3000))
    writer.array(tag, 10, np.arange(3000.0).reshape(30, 100))  # the same bytes, another array
    writer.flush()
    assert (writer.folder / "arrays-0001.bin").stat().st_size == 3 * 24000
    reader = Reader(writer.folder)
    assert reader.arrays("input/0") == list(range(11))
    assert np.array_equal(reader.array("input/0", 5)[0], np.arange(3000.0))


@pytest.mark.parametrize("bad", [np.array([object()]), np.array(["a"]), np.zeros(2, "M8[s]")])
def test_what_would_need_pickle_is_refused(writer, bad):
    with pytest.raises(DTypeError, match=r"cannot be stored"):
        writer.array(1, 0, bad)


def test_graphs_events_sources_and_meta_come_back(writer):
    graph = {"name": "train.py:1", "nodes": [{"id": 0, "op": "sin", "value": float("inf")}]}
    number = writer.graph(0, graph)
    assert writer.graph(5, dict(graph)) == number
    other = writer.graph(6, {"nodes": []})
    writer.structure(0, number)
    writer.structure(6, other)
    matrix = np.random.default_rng(0).random((3, len(FIELDS)))
    matrix[0, 0] = np.nan
    writer.node_values(4, number, matrix.copy())
    writer.node_array(4, number, 1, 1, np.arange(3.0))
    writer.event(4, "note", {"text": "hm", "worst": float("nan"), "at": np.float32(0.5)})
    writer.source("train.py", "x = 1\n")
    writer.set("config", {"rate": 0.1, "sizes": (1, 2)})
    writer.flush()
    reader = Reader(writer.folder)
    assert reader.structures() == [(0, number), (6, other)]
    assert reader.graph(5)["nodes"][0] == {"id": 0, "op": "sin", "value": "inf"}
    assert reader.graph() == {"nodes": []}
    got, values = reader.node_values(4)
    assert got == number
    assert values.tobytes() == matrix.tobytes()
    assert reader.node_values(5) is None
    assert np.array_equal(reader.node_array(4, 1, 1), np.arange(3.0))
    assert reader.node_array(4, 1, 0) is None
    (event,) = reader.events("note")
    assert event["data"] == {"text": "hm", "worst": "nan", "at": 0.5}
    assert event["step"] == 4
    assert abs(event["time"] - time.time()) < 60
    assert reader.events("note", after=event["id"]) == []
    assert reader.source("train.py") == reader.source(reader.sources()[0][0]) == "x = 1\n"
    assert reader.meta()["config"] == {"rate": 0.1, "sizes": [1, 2]}


def test_a_closed_run_is_one_clean_folder(writer):
    writer.rows(writer.layout([writer.column("cost", "cost")]), block((0, 1)))
    with_journal = Reader(writer.folder)
    assert with_journal.status() == "running"
    writer.close("finished")
    assert os.listdir(writer.folder) == ["run.db"]
    connection = sqlite3.connect(writer.folder / "run.db")
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    connection.close()
    assert with_journal.status() == Reader(writer.folder).status() == "finished"
    assert "ended" in with_journal.meta()
    with pytest.raises(RecordError, match=r"is closed"):
        writer.set("a", 1)


def test_the_version_grows_with_each_commit(writer):
    reader = Reader(writer.folder)
    seen = []
    for step in range(3):
        writer.event(step, "note", {})
        writer.flush()
        seen.append(reader.version())
    assert seen[0] < seen[1] < seen[2]


@pytest.mark.parametrize("sizes", [[1], [10], [1, 200, 3], [5000], [1] * 50 + [20_000]])
def test_chunks_stay_few_and_in_order(sizes):
    merging, live, written, step = Merging(), {}, 0, 0
    for i in range(20_000 // len(sizes) // (1 if max(sizes) < 1000 else 50)):
        for rows in sizes[i % 3 :] + sizes[: i % 3]:
            data = np.stack([np.arange(step, step + rows), np.zeros(rows)], 1, dtype=float)
            new, replaced = merging.add(1, step, step + rows - 1, rows, data.tobytes())
            for number in replaced:
                del live[number]
            live[new.id] = new
            written += len(new.data)
            step += rows
    chunks = [live[number] for number in sorted(live)]
    whole = b"".join(chunk.data for chunk in chunks)
    assert np.array_equal(np.frombuffer(whole)[::2], np.arange(step))
    assert [chunk.first for chunk in chunks[1:]] == [chunk.last + 1 for chunk in chunks[:-1]]
    assert sum(chunk.rows for chunk in chunks) == step
    assert len(chunks) <= 3 * 63 + len(whole) / 2**18
    assert written <= 4 * len(whole)


def test_many_commits_make_few_rows(writer):
    layout = writer.layout([writer.column("cost", "cost")])
    for start in range(0, 40_000, 8):
        steps = np.arange(start, start + 8.0)
        writer.rows(layout, np.stack([steps, steps**2], 1))
        if start % 160 == 0:
            writer.flush()  # 250 commits
    writer.close("finished")
    connection = sqlite3.connect(writer.folder / "run.db")
    assert connection.execute("SELECT count(*) FROM chunk").fetchone()[0] < 130
    connection.close()
    steps, values = Reader(writer.folder).series("cost")
    assert np.array_equal(steps, np.arange(40_000))
    assert np.array_equal(values, np.arange(40_000.0) ** 2)


def test_a_reader_sees_rows_as_they_come(writer):
    layout = writer.layout([writer.column("cost", "cost")])
    reader, step = Reader(writer.folder), 0
    for length in [1, 5, 1, 300, 2, 7000, 1, 1, 40_000, 3] * 3:
        steps = np.arange(step, step + length, dtype=float)
        writer.rows(layout, np.stack([steps, -steps], 1))
        step += length
        writer.flush()
        assert np.array_equal(reader.series("cost")[1], -np.arange(float(step)))


def test_rows_are_committed_within_fifty_milliseconds(writer):
    layout, reader = writer.layout([writer.column("cost", "cost")]), Reader(writer.folder)
    writer.flush()
    waited = []
    for step in range(10):
        writer.rows(layout, block((step, 1)))
        start = time.perf_counter()
        while reader.count() <= step:
            time.sleep(0.001)
        waited.append(time.perf_counter() - start)
    assert np.median(waited) < 0.05


@pytest.mark.parametrize("durability", ["step", "full"])
def test_with_durability_step_a_row_is_there_when_the_call_returns(tmp_path, durability):
    writer = Writer(tmp_path / "run", durability=durability)
    layout, reader = writer.layout([writer.column("cost", "cost")]), Reader(tmp_path / "run")
    for step in range(20):
        writer.rows(layout, block((step, 1)))
        assert reader.count() == step + 1
    writer.close()


def test_a_full_queue_blocks_and_drops_nothing(tmp_path):
    writer = Writer(tmp_path / "run", queue_bytes=100_000)
    tag = writer.tag("value/w", "variable", (2000,), "float64")
    largest = 0
    for step in range(200):
        writer.array(tag, step, np.full(2000, float(step)))
        largest = max(largest, writer._waiting)
    writer.close()
    assert largest <= 100_000
    reader = Reader(tmp_path / "run")
    assert reader.arrays("value/w") == list(range(200))
    assert all(reader.array("value/w", step)[0][0] == step for step in range(200))


def test_a_full_queue_waits_for_the_writer(tmp_path):
    writer = Writer(tmp_path / "run", queue_bytes=50_000)
    tag = writer.tag("value/w", "variable", (2000,), "float64")
    writer.flush()
    handed = []

    def hand_over():
        for step in range(10):
            writer.array(tag, step, np.full(2000, float(step)))
            handed.append(step)

    with writer._working:  # the writer's thread cannot commit
        thread = threading.Thread(target=hand_over)
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()
        assert len(handed) < 10
    thread.join()
    writer.close()
    assert Reader(tmp_path / "run").arrays("value/w") == list(range(10))


def test_collect_hands_over_what_is_gathered(writer):
    layout = writer.layout([writer.column("cost", "cost")])
    gathered = [block((0, 1))]

    def collect():
        while gathered:
            writer.rows(layout, gathered.pop())

    writer.collect = collect
    writer.flush()
    reader = Reader(writer.folder)
    assert reader.count() == 1
    gathered.append(block((1, 1)))
    deadline = time.monotonic() + 10
    while reader.count() < 2 and time.monotonic() < deadline:
        time.sleep(0.005)
    gathered.append(block((2, 1)))
    writer.close()
    assert reader.count() == 3


def test_rows_must_be_rows(writer):
    layout = writer.layout([writer.column("cost", "cost")])
    with pytest.raises(ShapeError, match=r"float64"):
        writer.rows(layout, np.zeros(3))
    writer.rows(layout, block((5, 1)))
    with pytest.raises(ShapeError, match=r"go on from 5"):
        writer.rows(layout, block((5, 1)))
    with pytest.raises(ShapeError, match=r"12 columns"):
        writer.node_values(0, 1, np.zeros((2, 3)))


def test_a_run_is_not_written_over(writer):
    writer.close()
    with pytest.raises(RecordError, match=r"holds a run already[^§]*another folder"):
        Writer(writer.folder)
    assert free_folder(writer.folder).name == "run-2"


def test_an_unknown_durability_is_refused(tmp_path):
    with pytest.raises(ValueError, match="'group', 'step', 'full'"):
        Writer(tmp_path / "run", durability="maybe")


def test_meta_is_json(writer):
    writer.set("argv", ["a", 1])
    writer.close()
    connection = sqlite3.connect(writer.folder / "run.db")
    meta = {key: json.loads(value) for key, value in connection.execute("SELECT * FROM meta")}
    connection.close()
    assert meta["argv"] == ["a", 1]
    assert meta["format"] == 2
    assert meta["journal"] == "wal"


NAMES = (("cost",), ("cost", "value/w"), ("grad/w", "cost", "log/a"))
HAPPENS = st.lists(
    st.one_of(
        st.tuples(st.just("rows"), st.integers(0, 2), st.integers(1, 400)),
        st.tuples(st.just("array"), st.integers(0, 3), st.sampled_from([0, 3, 2500])),
        st.tuples(st.just("look"), st.just(0), st.just(0)),
    ),
    max_size=40,
)


@hypothesis.settings(max_examples=40)
@hypothesis.given(HAPPENS)
def test_a_run_holds_whatever_was_handed_over(happens):
    """Against dictionaries; one reader looks in between, one comes late."""
    with tempfile.TemporaryDirectory() as folder:
        writer = Writer(f"{folder}/run")
        known = {name: writer.column(name, "value") for names in NAMES for name in names}
        layouts = [writer.layout([known[name] for name in names]) for names in NAMES]
        tag = writer.tag("value/w", "variable", (), "float64")
        writer.flush()
        early, step = Reader(f"{folder}/run"), 0
        scalars = {name: {} for name in known}
        arrays = {}
        for kind, which, size in happens:
            if kind == "rows":
                steps = np.arange(step, step + size, dtype=float)
                values = np.stack([np.sin(steps + i) for i in range(len(NAMES[which]))], 1)
                writer.rows(layouts[which], np.column_stack([steps, values]))
                for name, column in zip(NAMES[which], values.T, strict=True):
                    scalars[name].update(zip(steps.tolist(), column.tolist(), strict=True))
                step += size
            elif kind == "array":
                arrays[step] = np.full(size, float(which))
                writer.array(tag, step, arrays[step].copy())
            else:
                writer.flush()
                same_as(early, scalars, arrays)
        writer.close()
        same_as(early, scalars, arrays)
        same_as(Reader(f"{folder}/run"), scalars, arrays)
        early.close()


def same_as(reader, scalars, arrays):
    for name, known in scalars.items():
        steps, values = reader.series(name)
        assert steps.tolist() == list(known)
        assert values.tolist() == list(known.values())
    steps, matrix = reader.table(list(scalars))
    assert steps.tolist() == sorted(set().union(*scalars.values()))
    for i, known in enumerate(scalars.values()):
        column = [known.get(step, np.nan) for step in steps]
        assert np.array_equal(matrix[:, i], column, equal_nan=True)
    assert reader.arrays("value/w") == list(arrays)
    for step, array in arrays.items():
        read, since = reader.array("value/w", step)
        assert since == step
        assert np.array_equal(read, array)


def test_who_gives_way_finds_everything_committed(tmp_path):
    writer = Writer(tmp_path / "run")
    layout = writer.layout([writer.column("cost", "cost")])
    writer.collect = lambda: None
    for step in range(3):
        writer.rows(layout, np.array([[step, 4.0]]))
        assert writer.give_way()
        assert Reader(tmp_path / "run").series("cost")[0].tolist() == list(range(step + 1))
    assert writer.give_way()  # nothing to do is a round too
    writer.close("finished")
    assert not writer.give_way()


def test_who_gives_way_to_a_slow_disk_goes_on(tmp_path, monkeypatch):
    writer = Writer(tmp_path / "run")
    layout = writer.layout([writer.column("cost", "cost")])
    writer.flush()
    begun, go, commit = threading.Event(), threading.Event(), writer._transactions.commit

    def slow(items):
        begun.set()
        go.wait(20)
        commit(items)

    monkeypatch.setattr(writer._transactions, "commit", slow)
    writer.rows(layout, np.array([[0.0, 4.0]]))
    assert begun.wait(20)
    assert not writer.give_way()
    assert not writer.give_way()
    go.set()
    writer.flush()
    assert writer.give_way()
    writer.close("finished")
    assert Reader(tmp_path / "run").series("cost")[0].tolist() == [0]


def test_rows_give_way_every_20_ms_and_seldom_where_that_takes_long(monkeypatch):
    from gradtape.record import capture_rows

    class Slow:
        asked, answer = 0, True

        def give_way(self):
            self.asked += 1
            return self.answer

    now = [100.0]
    monkeypatch.setattr(capture_rows.time, "monotonic", lambda: now[0])
    writer = Slow()
    rows = capture_rows.Rows(writer)
    for _ in range(1000):
        now[0] += 0.001
        rows.bound()
    assert 50 <= writer.asked <= 67
    writer.answer, before = False, writer.asked
    for _ in range(1000):
        now[0] += 0.001
        rows.bound()
    assert 4 <= writer.asked - before <= 6
