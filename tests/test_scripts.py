"""`gradtape run SCRIPT` does what `python SCRIPT` does: compared by running both."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gradtape import scripts

SCRIPTS = {
    "says where it is": """
        import sys
        print(__name__, __file__, sys.argv, sys.path[0], __doc__, __builtins__.__name__)
        print(sys.modules["__main__"].__dict__ is globals(), __spec__, __package__)
        import neighbour
        print(neighbour.VALUE)
        """,
    "reads its input": "print(input() + '!')",
    "ends well": "raise SystemExit",
    "ends with a number": "import sys; sys.exit(3)",
    "ends with a message": "import sys; sys.exit('no data')",
    "fails": """
        def divide(x):
            return 1 / x

        divide(0)
        """,
    "fails twice": """
        try:
            {}["a"]
        except KeyError as error:
            raise ValueError("no a") from error
        """,
    "is no Python": "for x in\n",
    "is interrupted": "raise KeyboardInterrupt",
    "has a hook of its own": """
        import sys
        sys.excepthook = lambda kind, error, trace: print("hook", kind.__name__, error)
        1 / 0
        """,
    "says goodbye": """
        import atexit, threading
        atexit.register(print, "goodbye")
        threading.Thread(target=lambda: print("from a thread")).start()
        """,
    "has annotations": "x: undefined.name = 1",
    "pickles what it defines": """
        import pickle
        class Point:
            x = 1
        print(pickle.loads(pickle.dumps(Point())).x)
        """,
}


def ran(folder: Path, *command: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        input="typed\n",
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_runs_as_it_does_under_python(name, tmp_path):
    import textwrap

    text = SCRIPTS[name]
    (tmp_path / "script.py").write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
    (tmp_path / "neighbour.py").write_text("VALUE = 17\n", encoding="utf-8")
    arguments = ("script.py", "--epochs", "5", "--tensorflow", "-h")
    want = ran(tmp_path, *arguments)
    got = ran(tmp_path, "-m", "gradtape", "run", *arguments)
    if name == "is interrupted":  # Python ends itself by the signal; a shell shows 130 for both
        assert want[0] in (-2, 130)
        want = (130, *want[1:])
    assert got == want


def test_a_traceback_through_gradtape_ends_at_the_users_line(tmp_path):
    (tmp_path / "script.py").write_text(
        "import numpy as np\nimport gradtape as gt\nx = gt.Variable([1.0, 2.0])\nx @ np.ones(3)\n",
        encoding="utf-8",
    )
    code, out, error = ran(tmp_path, "-m", "gradtape", "run", "script.py")
    assert (code, out) == (1, "")
    files = [line for line in error.splitlines() if line.startswith("  File ")]
    assert len(files) == 1
    assert "script.py" in files[0]
    assert "line 4" in files[0]
    assert "ShapeError" in error


@pytest.mark.parametrize(
    ("name", "fact"),
    [("nowhere.py", "no such file"), (".", "is a folder"), ("broken.ipynb", "no notebook")],
)
def test_what_cannot_be_run_is_said_in_three_parts(name, fact, tmp_path):
    (tmp_path / "broken.ipynb").write_text("{]", encoding="utf-8")
    code, out, error = ran(tmp_path, "-m", "gradtape", "run", name)
    assert (code, out) == (2, "")
    assert fact in error
    assert "Traceback" not in error
    assert len(error.strip().splitlines()) == 3


# --- notebooks ----------------------------------------------------------------------------------


def notebook(folder: Path, *cells: str) -> Path:
    import nbformat

    file = folder / "lesson.ipynb"
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbformat.write(made, file)
    return file


def texts(file: Path) -> list[str]:
    import nbformat

    cells = nbformat.read(file, as_version=4).cells
    return [
        "".join(
            out.get("text", "") or out.get("data", {}).get("text/plain", "") or out.get("ename", "")
            for out in cell.outputs
        )
        for cell in cells
    ]


@pytest.mark.slow
def test_a_notebook_is_executed_in_its_folder_and_written_with_outputs(tmp_path):
    (tmp_path / "neighbour.py").write_text("VALUE = 17\n", encoding="utf-8")
    file = notebook(tmp_path, "import neighbour", "print(neighbour.VALUE)", "1 + 1")
    assert scripts.run(str(file)) == 0
    assert texts(file) == ["", "17\n", "2"]
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.slow
def test_a_cell_that_fails_ends_the_notebook_and_is_written(tmp_path, capsys):
    file = notebook(tmp_path, "x = 1", "x / 0", "print('never')")
    assert scripts.run(str(file)) == 1
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert texts(file) == ["", "ZeroDivisionError", ""]


def test_a_notebook_takes_no_arguments(tmp_path):
    file = notebook(tmp_path, "1")
    with pytest.raises(scripts.ScriptError, match=r"given arguments(.|\n)*no sys\.argv"):
        scripts.run(str(file), ["5"])


def test_what_is_missing_for_notebooks_is_named_with_its_command(tmp_path, monkeypatch):
    file = notebook(tmp_path, "1")
    monkeypatch.setitem(sys.modules, "nbclient", None)
    with pytest.raises(scripts.ScriptError, match=r"nbclient(.|\n)*gradtape\[notebook\]"):
        scripts.run(str(file))


# --- recorded -----------------------------------------------------------------------------------

LOOP = """\
import gradtape as gt

SEED = 7
w = gt.Variable(4.0, name="w")
for _ in range(5):
    with gt.GradientTape() as tape:
        loss = w**2
    w.assign_sub(0.1 * tape.gradient(loss, w))
"""


def test_a_recorded_script_has_a_run_and_its_own_exit_code(tmp_path):
    from gradtape.runs import open_run

    (tmp_path / "train.py").write_text(LOOP + "import sys\nsys.exit(3)\n", encoding="utf-8")
    command = ("-m", "gradtape", "run", "--record", "train.py", "--epochs", "5")
    code, out, error = ran(tmp_path, *command)
    assert (code, out) == (3, "")
    assert "gradtape view runs/train" in error.replace(os.sep, "/")
    run = open_run(tmp_path / "runs" / "train")
    meta = run.reader.meta()
    assert len(run) == 5
    assert meta["argv"] == ["train.py", "--epochs", "5"]
    assert Path(meta["script"]) == tmp_path / "train.py"
    assert meta["seed"] == {"SEED": 7}
    assert "SEED = 7" in run.reader.source(str(tmp_path / "train.py"))


def test_a_recorded_script_that_fails_prints_what_it_prints_and_the_run_says_so(tmp_path):
    from gradtape.runs import open_run

    (tmp_path / "train.py").write_text(LOOP + "1 / 0\n", encoding="utf-8")
    want = ran(tmp_path, "train.py")
    got = ran(tmp_path, "-m", "gradtape", "run", "--record", "kept/here", "train.py")
    assert got[:2] == want[:2]
    assert got[2].startswith(want[2])
    run = open_run(tmp_path / "kept" / "here")
    assert run.status == "failed"
    (event,) = run.reader.events("exception")
    assert event["data"]["type"] == "ZeroDivisionError"
    assert event["data"]["line"] == LOOP.count("\n") + 1


@pytest.mark.slow
def test_a_recorded_notebook(tmp_path):
    from gradtape.runs import Recording, open_run

    head, _, loop = LOOP.partition("for")
    file = notebook(tmp_path, head, "for" + loop, "1 / 0")
    assert scripts.run(str(file), recording=Recording(tmp_path / "run")) == 1
    run = open_run(tmp_path / "run")
    assert len(run) == 5
    assert run.status == "failed"
    (event,) = run.reader.events("exception")
    assert event["data"]["type"] == "ZeroDivisionError"
    file = run.graph()["nodes"][-1]["file"]
    assert "loss = w**2" in run.reader.source(file)
