"""Reading data: what comes out, where each row stands, and what is said of a bad file."""

import io
import json

import numpy as np
import pandas as pd
import pytest

from gradtape.fit.problems import FitError
from gradtape.fit.sources import read_table, table_of


@pytest.fixture
def write(tmp_path):
    def write(text, name="t.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_numbers_text_and_missing_values(write):
    table = read_table(write("x, y ,name\n1,2.5,a\n,3,b\nNA,4,\n"))
    assert table.columns == ["x", "y", "name"]
    np.testing.assert_array_equal(table.frame["x"], [1.0, np.nan, np.nan])
    np.testing.assert_array_equal(table.frame["y"], [2.5, 3.0, 4.0])
    assert table.frame["name"].isna().tolist() == [False, False, True]


def test_a_byte_order_mark_and_tabs(write):
    assert read_table(write(b"\xef\xbb\xbfx,y\n1,2\n")).columns == ["x", "y"]
    assert read_table(write("x\ty\n1\t2\n", "t.tsv")).columns == ["x", "y"]


def test_the_place_of_a_row_counts_the_lines_of_the_file(write):
    table = read_table(write('x,name\n1,a\n\n2,"two\nlines"\n3,c\n'))
    assert [table.place(row) for row in range(3)] == [
        "row 1 (line 2 of t.csv)",
        "row 2 (line 5 of t.csv)",  # where its record ends
        "row 3 (line 6 of t.csv)",
    ]


@pytest.mark.parametrize("text", ["", "\n\n", "x,y\n"])
def test_empty(write, text):
    with pytest.raises(FitError, match="is empty: it has no rows of data"):
        read_table(write(text))


def test_missing_names_the_nearest_file(write):
    path = write("x\n1\n", "cars.csv")
    with pytest.raises(FitError, match=r"carz.csv does not exist.\nDid you mean cars.csv\?"):
        read_table(path.with_name("carz.csv"))
    with pytest.raises(FitError, match="Give the path of a CSV, TSV, Parquet or JSON lines file"):
        read_table(path.with_name("two.csv"))
    with pytest.raises(FitError, match="Its folder .* does not exist either"):
        read_table(path.parent / "no" / "cars.csv")


def test_folder(write):
    path = write("x\n1\n", "cars.csv")
    with pytest.raises(FitError, match=r"is a folder, not a file of data.\nIn it: cars.csv."):
        read_table(path.parent)


def test_unreadable(write, monkeypatch):
    # chmod does not hold the superuser, as whom tests may run.
    def refuse(*_arguments, **_options):
        raise PermissionError(13, "Permission denied")

    path = write("x\n1\n")
    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(FitError, match="cannot be read.\nThe system says: Permission denied"):
        read_table(path)


def test_not_text(write):
    with pytest.raises(FitError, match="not text in UTF-8: byte 3 cannot be read"):
        read_table(write(b"x,y\xff\n1,2\n"))


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("x,y\n1,2\n1,2,3\n", "line 3 has 3 cells, where the lines before it have 2"),
        ("x,y\n1,2,3\n1,2,3\n", "rows have more cells than its first line has names"),
        ('x,y\n1,"2\n3,4\n', "is not a table of separated values"),
    ],
)
def test_not_a_table(write, text, match):
    with pytest.raises(FitError, match=match):
        read_table(write(text))


# ------------------------------------------------------------------ other formats

FRAME = pd.DataFrame({"x": [1, 2, 3], "y": [2.5, np.nan, 4.0], "kind": ["a", "b", None]})


def check_frame(table):
    assert table.columns == ["x", "y", "kind"]
    np.testing.assert_array_equal(table.frame["x"], FRAME["x"])
    np.testing.assert_array_equal(table.frame["y"], FRAME["y"])
    assert table.frame["kind"].isna().tolist() == [False, False, True]


def records():
    return "\n".join(
        json.dumps({k: None if pd.isna(v) else v for k, v in row.items()})
        for row in FRAME.to_dict("records")
    )


@pytest.mark.parametrize("ending", [".parquet", ".pq"])
def test_parquet(tmp_path, ending):
    path = tmp_path / f"t{ending}"
    FRAME.to_parquet(path)
    table = read_table(path)
    check_frame(table)
    assert table.place(1) == "row 2"


def test_an_index_in_a_parquet_file_is_a_column(tmp_path):
    FRAME.set_index("x").to_parquet(tmp_path / "t.parquet")
    assert sorted(read_table(tmp_path / "t.parquet").columns) == ["kind", "x", "y"]


@pytest.mark.parametrize("ending", [".jsonl", ".ndjson"])
def test_json_lines(write, ending):
    table = read_table(write("\n" + records().replace("\n", "\n\n") + "\n", f"t{ending}"))
    check_frame(table)
    assert table.place(1) == f"row 2 (line 4 of t{ending})"


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (
            '{"x": 1}\n{"x": }\n',
            r"Line 2 of .*t.jsonl is no rec.*\nIt is not JSON: Expecting",
        ),
        ('{"x": 1}\n\n[1]\n', r"Line 3 of .* is no record.\nIt holds a list"),
        ('{"x": {"y": 1}}\n', r"Line 1 .*\nThe value of 'x' is not a single one"),
        ("[" * 100_000 + "\n", r"Line 1 .*\nIt is not JSON"),
        ("", "is empty"),
        (b'{"x": "\xff"}', "not text in UTF-8"),
    ],
)
def test_bad_json_lines(write, text, match):
    with pytest.raises(FitError, match=match):
        read_table(write(text, "t.jsonl"))


@pytest.mark.parametrize("damage", ["text", "truncated", "no rows"])
def test_unreadable_parquet(tmp_path, damage):
    path = tmp_path / "t.parquet"
    FRAME.iloc[: 0 if damage == "no rows" else 3].to_parquet(path)
    whole = path.read_bytes()
    if damage != "no rows":
        path.write_bytes(b"x,y\n1,2\n" if damage == "text" else whole[: len(whole) // 2])
    match = (
        "is empty" if damage == "no rows" else "cannot be read as Parquet.\npyarrow says: .*\n.*"
    )
    with pytest.raises(FitError, match=match):
        read_table(path)


class Pipe:
    def __init__(self, content):
        self.buffer = io.BytesIO(content)


def test_a_pipe_is_looked_at(monkeypatch, tmp_path):
    FRAME.to_parquet(tmp_path / "t.parquet")
    contents = {
        "csv": FRAME.to_csv(index=False).encode(),
        "tsv": FRAME.to_csv(index=False, sep="\t").encode(),
        "jsonl": records().encode(),
        "parquet": (tmp_path / "t.parquet").read_bytes(),
    }
    for content in contents.values():
        monkeypatch.setattr("sys.stdin", Pipe(content))
        table = read_table("-")
        check_frame(table)
        assert table.name == "standard input"
    monkeypatch.setattr("sys.stdin", Pipe(contents["csv"]))
    assert read_table("-").place(1) == "row 2 (line 3 of standard input)"
    monkeypatch.setattr("sys.stdin", Pipe(b""))
    with pytest.raises(FitError, match="^standard input is empty"):
        read_table("-")


def test_a_table_in_memory():
    table = table_of({"x": [1.0, 2.0], 3: [4, 5]})
    assert table.columns == ["x", "3"]
    assert table.place(1) == "row 2"
    shuffled = table_of(FRAME.iloc[::-1])
    assert shuffled.frame.index.tolist() == [0, 1, 2]
    for nothing in (None, 3.0, {"x": 1.0}):
        with pytest.raises(FitError, match=r"is no table.\npandas says|are empty"):
            table_of(nothing)
