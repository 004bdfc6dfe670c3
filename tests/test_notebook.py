"""The tutorial as a notebook: it is executed, and the outputs that it holds are what comes out."""

import re
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
NOTEBOOK = Path(__file__).parents[1] / "examples" / "tutorial.ipynb"


def words(cell):
    """What a cell printed and the text of its result; ends of numbers and addresses left out."""
    text = "".join(output.get("text", "") for output in cell.outputs)
    text += "".join(output.get("data", {}).get("text/plain", "") for output in cell.outputs)
    return re.sub(r"(\d\.\d{3})\d+", r"\1", re.sub(r"size \d+x\d+", "size", text))


def kinds(cell):
    return [sorted(output.get("data", {})) for output in cell.outputs]


@pytest.mark.slow
def test_the_notebook_gives_the_outputs_that_it_holds(tmp_path, monkeypatch):
    from nbclient import NotebookClient

    source = str(NOTEBOOK.parents[1] / "src")
    monkeypatch.setenv("PYTHONPATH", source)
    monkeypatch.setenv("PYTHONWARNINGS", "error::gradtape.errors.GradientWarning")
    stored = nbformat.read(NOTEBOOK, 4)
    made = nbformat.read(NOTEBOOK, 4)
    for cell in made.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    NotebookClient(made, timeout=120, kernel_name="python3",
                   resources={"metadata": {"path": str(tmp_path)}}).execute()  # fmt: skip
    pairs = [p for p in zip(stored.cells, made.cells, strict=True) if p[0].cell_type == "code"]
    for old, new in pairs:
        assert words(old) == words(new), old.source
        assert kinds(old) == kinds(new), old.source
    shown = {kind for _, new in pairs for output in kinds(new) for kind in output}
    assert {"image/png", "image/svg+xml", "text/html"} <= shown


def test_the_notebook_holds_pictures_that_need_no_script():
    """A page that shows notebooks without running anything (as code hosts do) shows these."""
    stored = nbformat.read(NOTEBOOK, 4)
    pictures = [
        output.data["image/png"]
        for cell in stored.cells if cell.cell_type == "code"
        for output in cell.outputs if "image/png" in output.get("data", {})
    ]  # fmt: skip
    assert len(pictures) >= 3
    assert NOTEBOOK.stat().st_size < 3_000_000
