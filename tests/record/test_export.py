"""Exports, each read back by the package whose format it is."""

import warnings

import numpy as np
import pytest

from gradtape.cli import main
from gradtape.errors import RunError
from gradtape.record.export import csv, parquet, tensorboard
from gradtape.record.reader import Reader
from gradtape.record.writer import Writer

pd = pytest.importorskip("pandas")

VALUES = np.array([4.0, 0.1, np.nan, np.inf, -np.inf, -0.0, 1e-300, np.pi])


@pytest.fixture
def run(tmp_path):
    """Eight steps; `log/a` is there from step 4 on, and NaN at step 5."""
    writer = Writer(tmp_path / "run")
    names = ["cost", "value/w", "grad/w", "gradnorm/W", "seconds", "log/a"]
    kinds = ["cost", "value", "gradient", "norm", "time", "log"]
    columns = [writer.column(*pair) for pair in zip(names, kinds, strict=True)]
    short, long = writer.layout(columns[:5]), writer.layout(columns)
    for step, value in enumerate(VALUES):
        row = [step, value, step / 3, -value, step**2, 0.25]
        if step < 4:
            writer.rows(short, np.array([row]))
        else:
            writer.rows(long, np.array([[*row, np.nan if step == 5 else step / 7]]))
    writer.close()
    return tmp_path / "run"


LOGGED = [4 / 7, np.nan, 6 / 7, 1.0]
NAMES = ["cost", "w", "grad/w", "gradnorm/W", "a", "seconds"]


def test_history_is_one_row_a_step(run):
    frame = Reader(run).history()
    assert list(frame.columns) == NAMES
    assert frame.index.name == "step"
    assert frame.index.dtype == np.int64
    assert frame["cost"].to_numpy().tobytes() == VALUES.tobytes()
    assert np.array_equal(frame["a"], [np.nan] * 4 + LOGGED, equal_nan=True)


def test_history_keeps_the_tags_of_two_series_of_one_name(tmp_path):
    pq = pytest.importorskip("pyarrow.parquet")
    writer = Writer(tmp_path / "run")
    kinds = {"cost": "cost", "value/cost": "value", "value/a": "value", "log/a": "log",
             "log/value/a": "log"}  # fmt: skip
    columns = [writer.column(name, kind) for name, kind in kinds.items()]
    writer.rows(writer.layout(columns), np.array([[0.0, 1, 2, 3, 4, 5]]))
    writer.close()
    reader = Reader(tmp_path / "run")
    assert reader.history().to_dict() == {name: {0: i} for i, name in enumerate(kinds, 1)}
    parquet.write(reader, tmp_path / "out")
    wide = pq.read_table(tmp_path / "out" / "steps.parquet").to_pydict()
    assert wide == {"step": [0], **{name: [i] for i, name in enumerate(kinds, 1)}}


def test_csv_is_read_back_by_pandas(run, tmp_path):
    (path,) = csv.write(Reader(run), tmp_path / "out" / "run.csv")
    frame = pd.read_csv(path, index_col="step", engine="python")  # which parses exactly
    expected = Reader(run).history()
    pd.testing.assert_frame_equal(frame, expected, check_exact=True)
    line = path.read_text().splitlines()[3].split(",")
    assert (line[1], line[5]) == ("nan", "")  # recorded as NaN; not recorded


def test_parquet_is_read_back_by_pyarrow(run, tmp_path):
    pq = pytest.importorskip("pyarrow.parquet")
    parquet.write(Reader(run), tmp_path / "out")
    wide = pq.read_table(tmp_path / "out" / "steps.parquet")
    assert wide.column_names == ["step", *NAMES]
    assert wide["step"].to_pylist() == list(range(8))
    assert wide["cost"].to_numpy().tobytes() == VALUES.tobytes()
    assert wide["a"].null_count == 4
    assert np.array_equal(wide["a"].to_pylist()[4:], LOGGED, equal_nan=True)
    frame = wide.to_pandas().set_index("step")
    pd.testing.assert_frame_equal(frame, Reader(run).history(), check_exact=True)
    long = pq.read_table(tmp_path / "out" / "scalars.parquet").to_pandas()
    assert len(long) == 5 * 8 + 4
    assert list(long.columns) == ["step", "name", "value"]
    cost = long[long["name"] == "cost"]
    assert cost["value"].to_numpy().tobytes() == VALUES.tobytes()
    assert long[long["name"] == "a"]["step"].tolist() == [4, 5, 6, 7]
    assert list(dict.fromkeys(long["name"])) == NAMES


def events(path):
    """All events of a file, by TensorBoard's own reader, which checks every checksum."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loader = pytest.importorskip("tensorboard.backend.event_processing.event_file_loader")
        from tensorboard.util import tensor_util

        found = list(loader.EventFileLoader(str(path)).Load())
    return found, tensor_util


def test_tensorboard_reads_its_file(run, tmp_path):
    (path,) = tensorboard.write(Reader(run), tmp_path / "logs")
    found, tensor_util = events(path)
    assert found[0].file_version == "brain.Event:2"
    created = found[0].wall_time
    series = {}
    for event in found[1:]:
        assert event.wall_time == pytest.approx(created + 0.25 * (event.step + 1), abs=1e-3)
        for value in event.summary.value:
            assert value.metadata.plugin_data.plugin_name == "scalars"
            number = tensor_util.make_ndarray(value.tensor).item()
            series.setdefault(value.tag, []).append((event.step, number))
    assert list(series) == [*(name for name in NAMES if name != "a"), "a"]  # from step 4 on
    assert [step for step, _ in series["cost"]] == list(range(8))
    with np.errstate(over="ignore"):
        single = VALUES.astype(np.float32)
    assert np.array([v for _, v in series["cost"]], np.float32).tobytes() == single.tobytes()
    assert [step for step, _ in series["a"]] == [4, 5, 6, 7]


def test_tensorboard_shows_a_long_run_as_it_was(tmp_path):
    writer = Writer(tmp_path / "run")
    layout = writer.layout([writer.column("cost", "cost")])
    steps = np.arange(20_000.0) * 40
    writer.rows(layout, np.stack([steps, np.sqrt(steps)], 1))
    writer.close()
    tensorboard.write(Reader(tmp_path / "run"), tmp_path / "logs")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
        read = accumulator.EventAccumulator(str(tmp_path / "logs"), {"scalars": 0})
        read.Reload()
    read_back = read.Scalars("cost")
    assert [event.step for event in read_back] == steps.astype(int).tolist()
    assert [event.value for event in read_back] == np.sqrt(steps).astype("f4").tolist()


def test_crc32c_of_many():
    data = [bytes([i, 7, i ^ 255]) for i in range(256)]
    assert tensorboard.crc32c(data) == [tensorboard.crc32c([entry])[0] for entry in data]
    assert tensorboard.crc32c([b""]) == [0]
    assert tensorboard.crc32c([bytes(32)]) == [0x8A9136AA]  # RFC 3720, B.4


@pytest.mark.parametrize(
    ("to", "files"),
    [
        ("csv", ["run.csv"]),
        ("parquet", ["run.parquet/scalars.parquet", "run.parquet/steps.parquet"]),
        ("tensorboard", ["run.tensorboard/events.out.tfevents.*"]),
    ],
)
def test_the_command_writes_beside_the_run(run, to, files, capsys):
    assert main(["export", str(run), "--to", to]) == 0
    printed = capsys.readouterr().out.split()
    for pattern in files:
        (path,) = run.parent.glob(pattern)
        assert str(path) in printed


def test_the_command_writes_where_it_is_told(run, tmp_path, capsys):
    assert main(["export", str(run), "--to", "csv", "-o", str(tmp_path / "there.csv")]) == 0
    assert (tmp_path / "there.csv").exists()
    assert main(["export", str(run), "--to", "csv", "-o", str(tmp_path)]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_a_run_without_steps_is_exported(tmp_path):
    Writer(tmp_path / "run").close()
    reader = Reader(tmp_path / "run")
    assert len(reader.history()) == 0
    csv.write(reader, tmp_path / "a.csv")
    parquet.write(reader, tmp_path / "p")
    tensorboard.write(reader, tmp_path / "t")


@pytest.mark.parametrize(("missing", "write"), [("pandas", csv), ("pyarrow", parquet)])
def test_a_package_that_is_missing_is_named(run, tmp_path, monkeypatch, missing, write):
    monkeypatch.setitem(__import__("sys").modules, missing, None)
    with pytest.raises(RunError, match=rf"{missing} is not installed[^§]*pip install"):
        write.write(Reader(run), tmp_path / "out")
