"""What is pickled: a compiled function by its name, a run by its path; the rest says why not."""

import copy
import pickle

import pytest

import gradtape as gt
import gradtape.tf as tf
from gradtape.errors import GradtapeError


@gt.function
def doubled(x):
    return x * 2.0


@tf.function
def tripled(x):
    return x * 3.0


class Model:
    @gt.function
    def predicted(self, x):
        return x


def refused(match, value, how=pickle.dumps):
    with pytest.raises(TypeError, match=match) as caught:
        how(value)
    assert isinstance(caught.value, GradtapeError)
    assert len(str(caught.value).split("\n")) == 3


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("function", [doubled, tripled, Model.predicted])
def test_a_compiled_function_of_a_module_is_pickled_as_a_function(function, protocol):
    assert pickle.loads(pickle.dumps(function, protocol)) is function


def test_a_copy_of_a_compiled_function_is_itself_as_of_any_function():
    for function in (doubled, tripled, gt.function(lambda x: x), tf.function(lambda x: x)):
        assert copy.copy(function) is function and copy.deepcopy(function) is function


def test_a_compiled_function_without_a_name_of_its_own(monkeypatch):
    refused("<lambda> is not found by its name", gt.function(lambda x: x))
    refused("<lambda> is not found by its name", tf.function(lambda x: x))
    original = doubled
    monkeypatch.setitem(globals(), "doubled", 3)
    refused("doubled is not found.*\n.*another object", original)


def test_a_run_is_pickled_by_its_path_and_a_recording_is_not(tmp_path):
    w = gt.Variable(1.0, name="w")
    with gt.Recording(tmp_path / "run", progress=False) as run:
        with gt.GradientTape() as tape:
            loss = w * w
        w.assign_sub(0.25 * tape.gradient(loss, w))
        for how in (pickle.dumps, copy.copy, copy.deepcopy):
            refused("a Recording can be neither pickled nor copied while it records", run, how)
    for ended in (run, gt.open_run(run.path)):
        again = pickle.loads(pickle.dumps(ended))
        assert type(again) is gt.Run and again.history()["w"].tolist() == [1.0]
        assert copy.deepcopy(ended).path == run.path


def test_a_tape_says_that_it_cannot():
    refused("a GradientTape can be neither", gt.GradientTape())
