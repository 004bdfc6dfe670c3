"""Data that are read in pieces: the same results as in memory, the same errors, little memory."""

import errno
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from gradtape.fit import stream as module
from gradtape.fit.options import Options
from gradtape.fit.problems import FitError
from gradtape.fit.rows import Spool
from gradtape.fit.specify import descended, specify
from gradtape.fit.stream import StreamedTable, open_table

pytestmark = pytest.mark.slow  # as a file

ROWS = 3000


def frame(rows=ROWS):
    rng = np.random.default_rng(0)
    x, z = rng.normal(100, 3, rows), rng.normal(size=rows)
    kind = rng.choice(["a", "b", "c", "10"], rows, p=[0.5, 0.3, 0.15, 0.05])
    eta = 0.2 * (x - 100) - 0.3 * z + 0.4 * (kind == "b")
    made = pd.DataFrame(
        {
            "y": eta + rng.normal(size=rows),
            "label": np.where(rng.random(rows) < 1 / (1 + np.exp(-eta)), "yes", "no"),
            "count": rng.poisson(np.exp(0.3 * eta)),
            "x": x,
            "z": z,
            "w": rng.uniform(0, 2, rows).round(2),
            "kind": kind,
            "code": rng.integers(1, 4, rows),
            "name x": x**2,
            "day": "2020-01-01",
        }
    )
    made.loc[[3, 1700], "z"] = np.nan
    made.loc[2500, "kind"] = None
    made.loc[:200, "w"] = 0.0
    return made


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    made = frame()
    made.to_csv(folder / "t.csv", index=False)
    made.to_csv(folder / "t.tsv", index=False, sep="\t")
    made.to_parquet(folder / "t.parquet", row_group_size=700)
    return folder


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch):
    monkeypatch.setattr(module, "PIECE", 257)
    monkeypatch.setattr("gradtape.fit.rows.BLOCK", 411)


def fitted(path, formula, *, stream, **how):
    options = Options(str(path), formula, **how)
    problem, plan = specify(open_table(path, in_pieces=stream), options)
    return descended(problem, plan)


ASKED = [
    ("y ~ x + z", {}),
    ("y ~ 0 + x + z", {"loss": "sse"}),
    ("y ~ x + kind + C(code)", {"test_fraction": 0.3, "seed": 4}),
    ("y ~ x * kind", {"weights": "w", "optimizer": "newton"}),
    ("y ~ x + `name x` + I(x > 100) + I(kind == 'a')", {"optimizer": "lbfgs"}),
    ("np.exp(y/9) ~ np.log(x)", {"standardize": False, "optimizer": "lm"}),
    ("label ~ x + z + kind", {"loss": "logistic"}),
    ("label ~ x + z", {"loss": "logistic", "optimizer": "gd", "epochs": 30, "weights": "w"}),
    ("count ~ x + z", {"loss": "poisson", "test_fraction": 0.2}),
    ("y ~ x + z", {"loss": "huber:0.7"}),
    ("y ~ x + z", {"batch_size": 100, "epochs": 4, "learning_rate": 0.01}),
    ("count ~ x", {"loss": "poisson", "optimizer": "adam", "batch_size": 64, "epochs": 3}),
]


CASES = [
    *((formula, how, "csv") for formula, how in ASKED),
    *((formula, how, "parquet") for formula, how in ASKED[2:7:2]),
    (*ASKED[2], "tsv"),
]


@pytest.mark.parametrize(("formula", "how", "ending"), CASES, ids=lambda x: str(x)[:40])
def test_pieces_give_what_memory_gives(files, formula, how, ending):
    pieces = fitted(files / f"t.{ending}", formula, stream=True, **how)
    whole = fitted(files / f"t.{ending}", formula, stream=False, **how)
    assert isinstance(pieces.problem.design.rows, Spool)
    one, other = pieces.problem.design, whole.problem.design
    assert one.names == other.names
    assert (one.n, one.rows_read, one.missing, one.weightless) == (
        other.n, other.rows_read, other.missing, other.weightless,
    )  # fmt: skip
    assert one.curve_variable == other.curve_variable
    np.testing.assert_allclose(one.X, other.X, rtol=1e-15)
    np.testing.assert_array_equal(one.y, other.y)
    epochs = min(pieces.epochs, whole.epochs)
    # Where rounding ends a descent, it ends it sooner or later.
    assert abs(pieces.epochs - whole.epochs) <= (8 if "floor" in pieces.state.end else 2)
    np.testing.assert_allclose(pieces.costs[:epochs], whole.costs[:epochs], rtol=1e-9)
    size = np.abs(whole.final) + whole.uncertainty.errors
    np.testing.assert_allclose(pieces.final / size, whole.final / size, atol=1e-8)
    np.testing.assert_allclose(pieces.uncertainty.errors, whole.uncertainty.errors, rtol=1e-7)
    assert pieces.verdict.convergence.converged == whole.verdict.convergence.converged
    for mine, theirs in ((pieces.score, whole.score), (pieces.test_score, whole.test_score)):
        assert (mine is None) == (theirs is None)
        if mine is not None:
            for name in ("rows", "cost", "r2", "deviance", "null_deviance", "accuracy"):
                found, expected = getattr(mine, name), getattr(theirs, name)
                assert (found is None) == (expected is None)
                assert found is None or found == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize(("formula", "how"), [case for case in ASKED if "loss" not in case[1]])
def test_many_rows_in_memory_are_descended_by_their_factor(files, monkeypatch, formula, how):
    whole = fitted(files / "t.csv", formula, stream=False, **how)
    monkeypatch.setattr("gradtape.fit.problem.MANY", ROWS // 3)
    short = fitted(files / "t.csv", formula, stream=False, **how)
    assert short.problem.objective.rows.n == len(short.problem.names) + 1
    assert whole.problem.objective.rows.n == whole.problem.design.n > 1000
    assert abs(short.epochs - whole.epochs) <= 2
    epochs = min(short.epochs, whole.epochs)
    np.testing.assert_allclose(short.costs[:epochs], whole.costs[:epochs], rtol=1e-9)
    size = np.abs(whole.final) + whole.uncertainty.errors
    np.testing.assert_allclose(short.final / size, whole.final / size, atol=1e-8)
    np.testing.assert_allclose(short.uncertainty.errors, whole.uncertainty.errors, rtol=1e-7)
    assert short.score.r2 == pytest.approx(whole.score.r2, rel=1e-9)


def test_the_rows_of_pictures_are_the_same_however_they_come(files, monkeypatch):
    monkeypatch.setattr("gradtape.fit.design.SHOWN", 300)
    one, other = (
        fitted(files / "t.csv", "y ~ x", stream=stream).problem.design for stream in (True, False)
    )
    assert len(one.sample) == 300
    np.testing.assert_array_equal(one.sample.y, other.sample.y)
    np.testing.assert_array_equal(one.frame.index, other.frame.index)
    assert np.all(np.diff(one.frame.index) > 0)


def test_the_command_writes_everything(files, tmp_path, capsys):
    from gradtape.cli import main

    words = ["fit", str(files / "t.csv"), "label ~ x + kind", "--loss", "logistic", "--stream"]
    assert main([*words, "--out", str(tmp_path)]) == 0
    assert "Read in pieces; the rows are in a file on disk" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {
        "history.csv", "fit.png", "cost.png", "path.png", "model.json",
    }  # fmt: skip
    assert main(["predict", str(tmp_path / "model.json"), str(files / "t.csv")]) == 0
    assert len(capsys.readouterr().out.splitlines()) == ROWS + 1
    levels = json.loads((tmp_path / "model.json").read_text())["levels"]
    assert levels == {"kind": ["10", "a", "b", "c"]}


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_large_files_are_read_in_pieces(files, monkeypatch, ending):
    path = files / f"t.{ending}"
    assert not isinstance(open_table(path), StreamedTable)
    monkeypatch.setattr(module, "LARGE", 100_000)
    assert isinstance(open_table(path), StreamedTable)
    assert not isinstance(open_table(path, in_pieces=False), StreamedTable)


# ------------------------------------------------------------------ what is wrong with data


def changed(tmp_path, **cells):
    """The table as CSV with some cells written over, the first row being 0."""
    made = frame().astype(object)
    for name, (row, value) in cells.items():
        made.loc[row, name] = value
    made.to_csv(tmp_path / "t.csv", index=False)
    return tmp_path / "t.csv"


@pytest.mark.parametrize(
    ("cells", "formula", "how", "match"),
    [
        ({"x": (2000, "lots")}, "y ~ x", {}, r"'x' must be numeric, but row 2001 \(line 2002 of t"),
        ({"z": (2900, "inf")}, "y ~ z", {}, r"z is inf in row 2901 \(line 2902"),
        ({"w": (1500, -1)}, "y ~ x", {"weights": "w"}, r"column 'w' is -1 in row 1501 \(line 1502"),
        ({"label": (999, "perhaps")}, "label ~ x", {"loss": "logistic"}, "has 3 different values"),
        ({"count": (2999, -2)}, "count ~ x", {"loss": "poisson"}, r"count is -2 in row 3000"),
        ({}, "y ~ x + I(2*x)", {}, r"I\(2 \* x\) and x are collinear"),
        ({}, "y ~ x + C(day)", {}, None),
        ({}, "y ~ xx", {}, r"no column 'xx'.\n.*\nDid you mean x"),
        ({}, "y ~ poly(x, 2)", {}, r"poly\(x, 2\) cannot be used on data that are read in pieces"),
        ({}, "y ~ C(np.floor(x))", {}, r"C\(np.floor\(x\)\) cannot be used .* in pieces"),
        ({}, "y ~ center(x)", {}, "It needs the whole column at once.\n.*--no-stream"),
        ({}, "y ~ x", {"loss": "huber"}, r"huber needs its DELTA for data that are read in pieces"),
        ({}, "day ~ x", {}, "'day' must be numeric, but row 1"),
    ],
    ids=lambda x: str(x)[:30],
)
def test_bad_data_are_told_as_in_memory(tmp_path, cells, formula, how, match):
    path = changed(tmp_path, **cells)
    if match is None:  # a category of one level makes no column
        assert fitted(path, formula, stream=True, **how).problem.names == ("Intercept", "x")
        return
    with pytest.raises(FitError, match=match):
        fitted(path, formula, stream=True, **how)


def test_too_many_categories(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_LEVELS", 2)
    with pytest.raises(FitError, match="'kind' has more than 2 different values"):
        fitted(changed(tmp_path), "y ~ kind", stream=True)


def test_too_few_rows(tmp_path):
    (tmp_path / "t.csv").write_text("y,x\n1,\n,2\n")
    with pytest.raises(FitError, match=r"too few rows: 0 complete ones.*\nOf 2 rows, .*x in 1"):
        fitted(tmp_path / "t.csv", "y ~ x", stream=True)
    (tmp_path / "t.csv").write_text("y,x\n")
    with pytest.raises(FitError, match="is empty"):
        fitted(tmp_path / "t.csv", "y ~ x", stream=True)


def test_ragged_rows_in_a_later_piece(tmp_path):
    text = "y,x\n" + "".join(f"{i % 7},{i}\n" for i in range(900)) + "1,2,3\n"
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(FitError, match="line 902 has 3 cells, where the lines before it have 2"):
        fitted(tmp_path / "t.csv", "y ~ x", stream=True)


def test_damaged_parquet(files, tmp_path):
    content = bytearray((files / "t.parquet").read_bytes())
    content[2000:60_000] = b"x" * 58_000
    (tmp_path / "t.parquet").write_bytes(content)
    with pytest.raises(FitError, match="t.parquet cannot be read as Parquet"):
        fitted(tmp_path / "t.parquet", "y ~ x", stream=True)
    (tmp_path / "t.parquet").write_bytes(b"PAR1 nothing")
    for stream in (True, None):
        with pytest.raises(FitError, match="t.parquet cannot be read as Parquet"):
            fitted(tmp_path / "t.parquet", "y ~ x", stream=stream)


def test_what_cannot_be_read_in_pieces(tmp_path):
    (tmp_path / "t.jsonl").write_text('{"x": 1, "y": 2}\n')
    with pytest.raises(
        FitError, match=r"t.jsonl cannot be read in pieces.\n.*\nLeave --stream out"
    ):
        open_table(tmp_path / "t.jsonl", in_pieces=True)


def test_a_disk_that_is_full(files, monkeypatch):
    class Full:
        def write(self, _data):
            raise OSError(errno.ENOSPC, "No space left on device")

        def close(self):
            pass

    monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: Full())
    match = (
        r"rows do not fit on the disk: .*\nThe system says: No space left.*\n.*larger disk: --out"
    )
    with pytest.raises(FitError, match=match):
        fitted(files / "t.csv", "y ~ x", stream=True)


def test_absolute_errors_without_the_programme_claim_nothing(files):
    result = fitted(files / "t.csv", "y ~ x + z", stream=True, loss="mae")
    whole = fitted(files / "t.csv", "y ~ x + z", stream=False, loss="mae")
    assert result.costs[-1] == pytest.approx(whole.costs[-1], rel=1e-6)
    assert not result.verdict.convergence.converged
    assert "whether this is the minimum is not known" in result.verdict.text


def labelled(tmp_path, kind):
    rng = np.random.default_rng(2)
    x, z = rng.normal(size=ROWS), rng.normal(size=ROWS)
    group = rng.choice(list("abc"), ROWS, p=[0.6, 0.3, 0.1])
    y = (rng.random(ROWS) < 0.5).astype(int)
    if kind == "whole":
        y = (x - 2 * z > 0.1).astype(int)
    elif kind == "part":
        y[group == "c"] = 1
    else:  # log-odds beyond 20, and labels on the wrong side near the border
        x *= 100
        near = np.argsort(np.abs(x))[:20:2]
        y = (x > 0).astype(int)
        y[near] = 1 - y[near]
    made = pd.DataFrame({"y": y, "x": x, "z": z, "group": group})
    made.to_csv(tmp_path / "t.csv", index=False)
    return tmp_path / "t.csv"


HOW = [
    {},
    {"optimizer": "lbfgs"},
    {"optimizer": "gd", "epochs": 5},
    {"optimizer": "adam", "batch_size": 100, "epochs": 2},
    {"epochs": 2},
]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("how", HOW)
def test_many_rows_are_looked_at_for_separation(tmp_path, monkeypatch, stream, how):
    monkeypatch.setattr("gradtape.fit.separation.LARGEST", 1000)
    path = labelled(tmp_path, "whole")
    with pytest.raises(
        FitError,
        match=r"labels of y are separated: .* \* x - 1 \* z is above 0 where the label is 1 and "
        r"below 0 where it is 0, in every row.\n.*coefficients of (x, z|z, x) would grow",
    ):
        fitted(path, "y ~ x + z", stream=stream, loss="logistic", **how)
    path = labelled(tmp_path, "part")
    count = int((pd.read_csv(path)["group"] != "c").sum())
    with pytest.raises(
        FitError,
        match=rf"separated: 1 \* group\[T.c\] is never below 0 where .* in {count} of {ROWS} rows",
    ):
        fitted(path, "y ~ x + group", stream=stream, loss="logistic", **how)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("how", HOW)
def test_many_rows_with_large_coefficients_are_not_separated(tmp_path, monkeypatch, stream, how):
    monkeypatch.setattr("gradtape.fit.separation.LARGEST", 1000)
    result = fitted(labelled(tmp_path, "not"), "y ~ x + z", stream=stream, loss="logistic", **how)
    assert ("epochs" in how) != result.verdict.convergence.converged
    if "epochs" not in how:
        assert np.abs(result.problem.design.X @ result.final).max() > 20


# ------------------------------------------------------------------ memory

# Not ru_maxrss: that of a new process starts at the size of the one that started it.
PEAK = """
import sys
from gradtape.cli import main
code = main(sys.argv[1:])
with open("/proc/self/status") as lines:
    print(next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) // 1024)
sys.exit(code)
"""


def peak(*words):
    """The largest memory that the process had, in MiB."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK, "fit", *map(str, words), "-q"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return int(done.stdout.split()[-1])


@pytest.mark.skipif(sys.platform != "linux", reason="/proc/self/status is Linux's")
@pytest.mark.parametrize(
    ("ending", "formula", "loss"),
    [("csv", "y ~ x + z + kind", "mse"), ("parquet", "label ~ x + z", "logistic")],
)
def test_memory_does_not_grow_with_the_file(tmp_path, ending, formula, loss):
    # Read as a whole, 190,000 rows more take 60 MiB more.
    for name, made in (("large", frame(200_000)), ("small", frame(10_000))):
        if ending == "csv":
            made.to_csv(tmp_path / f"{name}.csv", index=False)
        else:
            made.to_parquet(tmp_path / f"{name}.parquet", row_group_size=50_000)
    words = (formula, "--loss", loss, "--stream", "--out", tmp_path / "out")
    low, high = (peak(tmp_path / f"{name}.{ending}", *words) for name in ("small", "large"))
    assert high - low < 30


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="/proc/self/status is Linux's")
def test_a_large_file_takes_little_memory(tmp_path):
    """250 MB take no more than 2 GB may: what is in memory does not grow with the file."""
    made = frame(200_000)
    text = made.to_csv(index=False).encode()
    head, _, body = text.partition(b"\n")
    with open(tmp_path / "t.csv", "wb") as file:
        file.write(head + b"\n")
        while file.tell() < 250e6:
            file.write(body)
    size = (tmp_path / "t.csv").stat().st_size
    small = tmp_path / "small.csv"
    small.write_bytes(head + b"\n" + body[: body.index(b"\n", 2_000_000) + 1])
    for formula, loss in (("y ~ x + z + kind", "mse"), ("label ~ x + z", "logistic")):
        words = (formula, "--loss", loss, "--out", tmp_path / "out")
        low = peak(small, *words, "--stream")
        high = peak(tmp_path / "t.csv", *words)
        assert high < 400
        assert high - low < 0.35 * size / 2**20
