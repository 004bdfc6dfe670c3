"""Writing: all files or none, and the folder is looked at before the work."""

import errno
from pathlib import Path

import pytest

from gradtape.fit.output import check_folder, write_files
from gradtape.fit.problems import FitError

FILES = {"a.csv": b"1", "b.png": b"2"}


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("x\n1\n")
    return path


def check(folder, data):
    check_folder(folder, tuple(FILES), data=data)


def test_files_are_written_and_replaced(tmp_path):
    folder = tmp_path / "new" / "folder"
    write_files(folder, FILES)
    write_files(folder, {**FILES, "a.csv": b"3"})
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {**FILES, "a.csv": b"3"}


def test_checking_leaves_nothing(tmp_path, data):
    before = sorted(tmp_path.rglob("*"))
    check(tmp_path, data)
    check(tmp_path / "new" / "folder", data)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("part", ["data.csv", "data.csv/sub"])
def test_a_file_is_no_folder(tmp_path, data, part):
    with pytest.raises(
        FitError, match=r"cannot be written to.\n.*data.csv is a file, not a folder"
    ):
        check(tmp_path / part, data)


def test_no_permission(tmp_path, data, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)  # chmod does not hold the superuser
    with pytest.raises(FitError, match=r"You have no permission to write into .*\nGive another"):
        check(tmp_path, data)


def test_a_disk_that_refuses(tmp_path, data, monkeypatch):
    def refuse(**_options):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(FitError, match="The system says: Read-only file system"):
        check(tmp_path / "new", data)
    assert not (tmp_path / "new").exists()


def test_a_folder_in_the_place_of_a_file(tmp_path, data):
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(FitError, match="a.csv is a folder"):
        check(tmp_path, data)


def test_the_data_is_not_overwritten(tmp_path):
    data = tmp_path / "a.csv"
    data.write_text("x\n1\n")
    with pytest.raises(FitError, match="Writing .*a.csv would overwrite the data"):
        check(tmp_path, data)
    check(tmp_path / "elsewhere", data)


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()])
def test_a_failure_half_way_leaves_nothing(tmp_path, monkeypatch, error):
    original = Path.write_bytes

    def fail_on_the_second(path, content):
        if "b.png" in path.name:
            original(path, content[:1])
            raise error
        return original(path, content)

    monkeypatch.setattr(Path, "write_bytes", fail_on_the_second)
    expected = FitError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        write_files(tmp_path / "new" / "folder", FILES)
    assert list(tmp_path.iterdir()) == []
