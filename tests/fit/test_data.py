"""Reading the CSV file: what comes out, where each row stands, and what is said of a bad file."""

import numpy as np
import pytest

from gradtape.fit.data import read_table
from gradtape.fit.problems import FitError


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
    with pytest.raises(FitError, match="first line names the columns"):
        read_table(path.with_name("two.csv"))
    with pytest.raises(FitError, match="Its folder .* does not exist either"):
        read_table(path.parent / "no" / "cars.csv")


def test_folder(write):
    path = write("x\n1\n", "cars.csv")
    with pytest.raises(FitError, match=r"is a folder, not a CSV file.\nIn it: cars.csv."):
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
        ('x,y\n1,"2\n3,4\n', "is not a table of comma-separated values"),
    ],
)
def test_not_a_table(write, text, match):
    with pytest.raises(FitError, match=match):
        read_table(write(text))
