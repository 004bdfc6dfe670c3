"""A run as one file, and lists of runs."""

import os
import shutil
import zipfile

import numpy as np
import pytest

from gradtape.cli import main
from gradtape.errors import RunError
from gradtape.record.listing import listed
from gradtape.record.pack import pack
from gradtape.record.reader import Reader
from gradtape.record.writer import Writer


def record(folder, steps=10, *, close="finished"):
    writer = Writer(folder)
    layout = writer.layout([writer.column("cost", "cost")])
    tag = writer.tag("value/w", "variable", (5000,), "float64")
    for step in range(steps):
        writer.rows(layout, np.array([[step, (step - 6.0) ** 2]]))
        writer.array(tag, step, np.full(5000, float(step)))
    writer.flush()
    if close:
        writer.close(close)
    return writer


def same(path, steps=10):
    reader = Reader(path)
    assert np.array_equal(reader.series("cost")[1], (np.arange(steps) - 6.0) ** 2)
    assert all(np.all(reader.array("value/w", step)[0] == step) for step in range(steps))
    return reader


def test_a_packed_run_is_a_run(tmp_path):
    record(tmp_path / "run")
    path = pack(tmp_path / "run")
    assert path == tmp_path / "run.gtrun"
    with zipfile.ZipFile(path) as archive:
        assert sorted(archive.namelist()) == ["arrays-0001.bin", "run.db"]
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
    reader = same(path)
    assert reader.status() == "finished"
    folder = reader._folder
    assert folder.exists()
    assert os.stat(folder).st_mode & 0o77 == 0
    del reader
    assert not folder.exists()
    assert sorted(os.listdir(tmp_path)) == ["run", "run.gtrun"]


def test_a_run_is_packed_while_it_is_written(tmp_path):
    writer = record(tmp_path / "run", close=None)
    path = pack(tmp_path / "run", tmp_path / "now.gtrun")
    writer.array(1, 10, np.ones(100_000))
    writer.close()
    same(path)
    assert Reader(path).status() == "interrupted"


def test_a_run_whose_writer_was_killed_is_packed(tmp_path):
    writer = record(tmp_path / "live", close=None)
    shutil.copytree(tmp_path / "live", tmp_path / "run")  # what a kill leaves: nobody has its lock
    writer.close()
    assert (tmp_path / "run" / "run.db-wal").stat().st_size > 0
    same(pack(tmp_path / "run"))
    assert same(tmp_path / "run").status() == "interrupted"


def test_the_command_packs(tmp_path, capsys):
    record(tmp_path / "run")
    assert main(["pack", str(tmp_path / "run"), "-o", str(tmp_path / "a.gtrun")]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "a.gtrun")
    same(tmp_path / "a.gtrun")
    assert main(["pack", str(tmp_path / "none")]) == 2
    assert "holds no recorded run" in capsys.readouterr().err
    assert main(["pack", str(tmp_path / "run"), "-o", str(tmp_path / "no" / "a")]) == 2
    assert "cannot be written" in capsys.readouterr().err


def repacked(source, target, *entries, **options):
    """The packed run with other entries; `options` are of ZipFile."""
    with zipfile.ZipFile(source) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(target, "w", **options) as archive:
        for name, data in [*held.items(), *entries]:
            archive.writestr(name, data)
    return target


@pytest.mark.parametrize(
    "name",
    ["../evil", "/tmp/evil", "a/run.db", "run.db/../../x", "arrays-0001.bin\\..\\x", "run.db-wal",
     "C:evil", "arrays-1.bin"],
)  # fmt: skip
def test_an_archive_with_another_name_is_refused(tmp_path, name):
    record(tmp_path / "run")
    path = repacked(pack(tmp_path / "run"), tmp_path / "bad.gtrun", (name, b"x"))
    with pytest.raises(RunError, match=r"no packed run: it holds[^§]*made to harm"):
        Reader(path)
    assert not (tmp_path.parent / "evil").exists()


def test_an_archive_that_would_grow_is_refused(tmp_path):
    record(tmp_path / "run")
    packed = pack(tmp_path / "run")
    path = repacked(packed, tmp_path / "bad.gtrun", compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(RunError, match="compressed"):
        Reader(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_archive_with_an_entry_twice_is_refused(tmp_path):
    record(tmp_path / "run")
    path = repacked(pack(tmp_path / "run"), tmp_path / "bad.gtrun", ("run.db", b"x"))
    with pytest.raises(RunError, match="3 entries"):
        Reader(path)


def test_damaged_archives_are_refused(tmp_path):
    record(tmp_path / "run")
    whole = pack(tmp_path / "run").read_bytes()
    path = tmp_path / "bad.gtrun"
    place = whole.index(np.full(500, 7.0).tobytes())
    for data in (
        b"",
        b"not a zip",
        whole[: len(whole) // 2],
        whole[:place] + b"\x00\x01" + whole[place + 2 :],
    ):
        path.write_bytes(data)
        with pytest.raises(RunError, match="no packed run"):
            Reader(path)
    assert not [name for name in os.listdir(tmp_path) if name.endswith(".part")]


def test_runs_are_listed(tmp_path, capsys):
    record(tmp_path / "a")
    record(tmp_path / "deep" / "b", 5, close="failed")
    writer = record(tmp_path / "live", 3, close=None)
    pack(tmp_path / "a", tmp_path / "packed.gtrun")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "run.db").write_bytes(b"nothing")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert main(["runs", str(tmp_path)]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    rows = {line[0]: line[1:] for line in lines}
    assert rows["a"][:5] == ["finished", "10", "36", "0", "9"]
    assert rows["deep/b"][:5] == ["failed", "5", "36", "4", "4"]
    assert rows["live"][:2] == ["running", "3"]
    assert rows["packed.gtrun"][:5] == rows["a"][:5]
    assert rows["broken"][0] == "damaged"
    assert "link" not in rows
    assert rows["a"][-1] == "KiB"
    writer.close()
    found = listed(tmp_path / "a")
    assert (found.first, found.best, found.last) == (36, 0, 9)
    assert found.size >= 400_000
    for one in (tmp_path / "packed.gtrun", tmp_path / "a"):
        assert main(["runs", str(one)]) == 0
        assert capsys.readouterr().out.splitlines()[1].startswith(f"{one}  finished")


def test_a_folder_without_runs(tmp_path, capsys):
    assert main(["runs", str(tmp_path)]) == 0
    assert "no runs below" in capsys.readouterr().err
    (tmp_path / "train.py").write_text("w = 1\n")
    for name, said in (("none", "There is no "), ("train.py", "")):
        assert main(["runs", str(tmp_path / name)]) == 2
        out, err = capsys.readouterr()
        assert err.startswith(f"gradtape runs: {said}{tmp_path / name}") and not out
        assert "gradtape runs DIR" in err
    assert main(["pack", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.startswith(f"gradtape pack: {tmp_path / 'none'} holds no ")
