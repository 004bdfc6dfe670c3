"""What a caller gives a run and cannot be: our own error in three parts, of the builtin's kind."""

import numpy as np
import pytest

import gradtape as gt
from gradtape.errors import GradtapeError, RunError
from gradtape.record.pack import pack


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of three steps, with a number `a` and an array `v`."""
    a, v = gt.Variable(2.0, name="a"), gt.Variable(np.ones(3), name="v")
    with gt.Recording(tmp_path_factory.mktemp("doors") / "run", progress=False) as recording:
        for _ in range(3):
            with gt.GradientTape() as tape:
                loss = np.sum(v) * a
            for variable, gradient in zip([a, v], tape.gradient(loss, [a, v]), strict=True):
                variable.assign_sub(0.1 * gradient)
    return gt.open_run(recording.path)


def refused(kind, match, call, *args, **words):
    with pytest.raises(kind, match=match) as caught:
        call(*args, **words)
    assert isinstance(caught.value, GradtapeError)
    assert len(str(caught.value).split("\n")) == 3
    return str(caught.value)


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ({"level": "q"}, ValueError), ({"level": 3}, TypeError), ({"level": []}, TypeError),
        ({"every": 0}, ValueError), ({"every": 1.5}, TypeError), ({"every": "1"}, TypeError),
        ({"every": True}, TypeError), ({"ring": -1}, ValueError), ({"ring": "x"}, TypeError),
        ({"name": 3}, TypeError), ({"durability": "q"}, ValueError),
        ({"durability": None}, TypeError), ({"progress": "bar"}, ValueError),
        ({"progress": 3}, TypeError), ({"progress": np.ones(2)}, TypeError),
    ],
    ids=str,
)  # fmt: skip
def test_a_recording_looks_at_its_arguments(tmp_path, words, kind):
    ((word, _),) = words.items()
    refused(kind, rf"Recording: {word}=", gt.Recording, tmp_path / "run", **words)
    assert not (tmp_path / "run").exists()


def test_numbers_of_numpys_are_numbers(tmp_path):
    recording = gt.Recording(
        tmp_path / "run", every=np.int64(2), ring=np.int8(1), progress=False
    )
    with recording:
        assert list(recording.steps(np.int64(3))) == [0, 1, 2]
    assert recording.reader.meta()["every"] == 2


@pytest.mark.parametrize("path", [None, 3, b"run"])
@pytest.mark.parametrize("door", [gt.Recording, gt.open_run, gt.Run, pack])
def test_what_is_no_path_is_refused(door, path):
    text = refused(TypeError, "is no path", door, path)
    assert "test_doors.py" in text


@pytest.mark.parametrize("door", [gt.Recording, gt.open_run, pack])
def test_a_path_with_a_nul_is_refused(door):
    refused(ValueError, "NUL", door, "a\0b")


def test_targets_are_paths(run, tmp_path):
    refused(TypeError, "pack: 3 is no path", pack, run.path, 3)
    refused(TypeError, "to_html: None is no path", run.to_html, None)
    for place in (tmp_path, tmp_path / "no" / "run.html"):
        refused(RunError, r"to_html: .* cannot be written", run.to_html, place)
    refused(ValueError, "steps=0 is below 1", run.to_html, tmp_path / "x.html", steps=0)
    refused(TypeError, "steps='x' is no whole", run.to_html, tmp_path / "x.html", steps="x")
    assert not list(tmp_path.iterdir())


def test_what_is_said_inside_is_looked_at(tmp_path):
    with gt.Recording(tmp_path / "run", progress=False) as recording:
        refused(TypeError, "n='x' is no whole", next, recording.steps("x"))
        refused(TypeError, r"n=2\.5 is no whole", next, recording.steps(2.5))
        refused(ValueError, "n=-1 is below 0", next, recording.steps(-1))
        refused(TypeError, "config: a str is no dict", recording.config, "lr")


@pytest.mark.parametrize("step", ["x", 1.5, float("nan"), [0]])
def test_a_step_is_a_whole_number(run, step):
    a, v = gt.Variable(0.0, name="a"), gt.Variable(np.zeros(3), name="v")
    asked = [
        (run.restore, a), (run.restore, v), (run.array, "value/a"), (run.array, "value/v"),
        (run.graph,), (run.figure, "fit"),
    ]  # fmt: skip
    for call, *args in asked:
        refused(TypeError, "is no whole number", call, *args, step=step)
    assert np.all(v.value == 0)


def test_a_step_of_the_readers_own_is_taken(run):
    a = gt.Variable(0.0, name="a")
    for step, value in zip(*run.reader.series("value/a"), strict=True):
        assert run.restore(a, step).value == value == run.array("value/a", step)
        assert run.array("value/v", step).shape == (3,)
    refused(RunError, "'a' at step -1", run.restore, a, -1)


def test_only_a_variable_is_restored(run):
    refused(TypeError, "a str is no Variable", run.restore, "a")
    refused(TypeError, "an? ndarray is no Variable", run.restore, np.ones(3))
    refused(TypeError, "tag=3 is no text", run.array, 3)


def test_a_figure_is_of_a_kind(run):
    refused(ValueError, "kind='x' is not known", run.figure, "x")
    refused(TypeError, r"kind=\[\] is not known", run.figure, [])
