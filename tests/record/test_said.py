"""What a user says of a run: odd inputs are refused in three parts, or kept; nothing is lost."""

import numpy as np
import pytest

import gradtape as gt
from gradtape.errors import GradtapeError


class Odd:
    """An object that cannot say what it is."""

    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __str__


def refused(kind, match, call, *args, **words):
    with pytest.raises(kind, match=match) as caught:
        call(*args, **words)
    assert isinstance(caught.value, GradtapeError)
    assert len(str(caught.value).split("\n")) == 3


@pytest.fixture
def run(tmp_path):
    w, x = gt.Variable(1.0, name="w"), np.arange(4.0)
    with gt.Recording(tmp_path / "run", progress=False) as recording:
        with gt.GradientTape() as tape:
            loss = np.sum((w * x - 1.0) ** 2)
        w.assign_sub(0.01 * tape.gradient(loss, w))
        yield recording
    assert recording.reader.count() == 1 and not recording.lost


@pytest.mark.parametrize(
    ("words", "kind", "match"),
    [
        ({"x": 3}, TypeError, "x=3 is no array of numbers"),
        ({"x": [[1], [2, 3]]}, TypeError, "no array of numbers"),
        ({"y": np.array([None])}, TypeError, "no array of numbers"),
        ({"x": object()}, TypeError, "no array of numbers"),
        ({"x": Odd()}, TypeError, "x=<Odd> is no array"),
        ({"x": "nope"}, ValueError, "x='nope' is no tag"),
        ({"prediction": np.ones(3)}, TypeError, "no Tensor of this step"),
        ({"z": np.ones(3)}, TypeError, "no role 'z'"),
        ({"classes": 3}, TypeError, "classes=3 is no list"),
    ],
    ids=range(9),
)
def test_roles_that_cannot_be(run, words, kind, match):
    refused(kind, f"roles: .*{match}", run.roles, **words)
    assert not run._capture.records.told  # nothing of it is taken


def test_roles_that_can_be(run):
    run.roles(x=[0.0, 1.0, 2.0, 3.0], y="input/0", prediction=gt.array([1.0, 2.0]))
    run.roles(x=None)


def test_what_is_logged_is_a_column_or_an_event(run):
    run.log(nan=float("nan"), big=10**400, text="3", none=None, odd=Odd(), cost=2.0, seconds=1.0)
    run.log(long="x" * 20_000, nested={"a": [1]}, tensor=gt.array(2.5), c=1j, d=np.ones(1))
    run.log(grad=3, w=4.0)
    run._capture._catch_up()
    run._settle()
    events = {k: v for e in run.reader.events("log") for k, v in e["data"].items()}
    assert events["big"] == "1" + "0" * 400
    assert (events["text"], events["none"], events["odd"]) == ("3", "None", "<Odd>")
    assert events["long"] == "x" * 10_000 + "... (20,000 characters)"
    assert events["nested"] == "{'a': [1]}" and events["c"] == "1j"
    assert set(run._capture.logged) == {"nan", "cost", "seconds", "tensor", "grad", "w"}


def test_what_is_logged_under_a_recorded_name_has_a_column_of_its_own(tmp_path):
    w = gt.Variable(1.0, name="w")
    with gt.Recording(tmp_path / "run", progress=False) as run:
        for n in range(3):
            with gt.GradientTape() as tape:
                loss = w * w
            w.assign_sub(0.25 * tape.gradient(loss, w))
            run.log(cost=n, w=10 + n, seconds=20 + n)
    frame = run.history()
    assert frame["cost"].tolist() == [1.0, 0.25, 0.0625]
    assert frame["value/w"].tolist() == [1, 0.5, 0.25]
    for name, first in (("cost", 0), ("w", 10), ("seconds", 20)):
        assert frame[f"log/{name}"].tolist() == [first, first + 1, first + 2]


def test_names_that_no_column_can_have(run):
    refused(ValueError, "without a letter", run.log, **{"": 1.0})
    refused(ValueError, "2,000 letters", run.log, **{"n" * 2000: 1.0})


def test_remarks(run):
    for text in ("a\0b", "\ud800", None, 3.5, Odd(), "y" * 2_000_000):
        run.note(text)
    run._settle()
    said = [event["data"]["text"] for event in run.reader.events("note")]
    assert said[:5] == ["a\0b", "\ud800", "None", "3.5", "<Odd>"]
    assert said[5].endswith("... (2,000,000 characters)") and len(said[5]) < 1_000_100


def test_configurations(run):
    itself = {}
    itself["me"] = itself
    deep = []
    for _ in range(5000):
        deep = [deep]
    run.config({"odd": Odd(), "nan": float("nan"), 1: 2, "nested": {"a": (1, {2})}, "f": np.sin})
    run.config({"few": np.arange(3), "many": np.zeros(10**6), "itself": itself, "deep": deep})
    run.config({"lr": np.float32(0.5), "t": gt.array([1.0, 2.0]), "s": "\ud800"})
    run._settle()
    config = run.reader.meta()["config"]
    assert config["odd"] == "<Odd>" and config["nan"] == "nan" and config["1"] == 2
    assert config["nested"] == {"a": [1, [2]]} and config["few"] == [0, 1, 2]
    assert config["many"].startswith("float64[1000000] [0. 0.")
    assert config["lr"] == 0.5 and config["t"] == [1.0, 2.0]
    refused(ValueError, "two keys are '1'", run.config, {1: "a", "1": "b"})
    refused(TypeError, "a str is no dict", run.config, "lr")
