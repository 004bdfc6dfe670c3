"""Copies: one of a Tensor is followed, one of a Variable says that it is not connected."""

import copy
import pickle

import numpy as np
import pytest

import gradtape as gt
from gradtape.errors import GradientWarning

COPIES = {
    "gt.Tensor": gt.Tensor,
    "gt.Tensor of another dtype": lambda x: gt.Tensor(x, dtype=np.float32),
    "gt.Tensor of a list": lambda x: gt.Tensor([x[0], x[1]]),
    "gt.Tensor of a tuple of numbers and Tensors": lambda x: gt.Tensor((x[0], x[1], 5.0))[:2],
    "copy.copy": copy.copy,
    "copy.deepcopy": copy.deepcopy,
    "copy.deepcopy of a tree": lambda x: copy.deepcopy({"a": [x]})["a"][0],
    "copy": lambda x: x.copy(),
}


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_of_a_tensor_is_followed(name):
    w = gt.Variable([1.0, 2.0])
    with gt.GradientTape() as tape:
        x = w * 3.0
        y = COPIES[name](x)
        loss = np.sum(y**2)
    assert type(y) is gt.Tensor or name.endswith("Tensors")
    assert not np.shares_memory(x, y)
    np.testing.assert_allclose(tape.gradient(loss, w).numpy(), [18.0, 36.0])


@pytest.mark.parametrize(
    ("make", "said"),
    [(copy.copy, "copying"), (copy.deepcopy, "copying"), (gt.Variable, r"gt\.Variable")],
)
def test_a_variable_made_of_another_says_that_it_is_not_connected(make, said):
    w = gt.Variable([1.0, 2.0])
    with gt.GradientTape() as tape:
        v = make(w)
        loss = np.sum(v**2)
    with pytest.warns(GradientWarning, match=rf"test_copies\.py:\d+ {said} put the value into"):
        assert tape.gradient(loss, w) is None
    assert tape.explain(loss, w).kind == "assigned"


def test_a_variable_made_of_a_result_says_so():
    w = gt.Variable(2.0)
    with gt.GradientTape() as tape:
        v = gt.Variable(w * w, name="v")
        loss = v * v
    with pytest.warns(GradientWarning, match="gt.Variable put the value into Variable 'v'"):
        assert tape.gradient(loss, w) is None


def test_bytes_of_a_tensor():
    x = gt.array([1.0, 2.0])
    assert bytes(x) == np.array([1.0, 2.0]).tobytes() == bytes(gt.Variable([1.0, 2.0]))
    with gt.GradientTape(strict=True) as tape, pytest.raises(gt.errors.ExitError):
        bytes(tape.watch(x))


@pytest.mark.parametrize("how", [pickle.dumps, lambda x: pickle.dumps([x], 2), copy.copy])
def test_a_tape_is_neither_pickled_nor_copied_flat(how):
    from gradtape import tf

    w = gt.Variable([1.0, 2.0])
    with gt.GradientTape() as tape, tf.GradientTape() as other:
        loss = np.sum(w**2)
    for one in (tape, other, gt.ForwardAccumulator(w, np.ones(2))):
        with pytest.raises(TypeError, match="neither pickled nor copied") as e:
            how(one)
        assert isinstance(e.value, gt.errors.GradtapeError)
        assert str(e.value).count("\n") == 2
    np.testing.assert_allclose(tape.gradient(loss, w).numpy(), [2.0, 4.0])


def test_a_deep_copy_of_a_tape_has_records_of_its_own():
    w = gt.Variable([1.0, 2.0], name="w")
    with gt.GradientTape() as tape:
        loss = np.sum(w**2)
    copied = copy.deepcopy({"tape": tape, "again": tape})
    assert copied["again"] is copied["tape"] is not tape
    for one in (copied["tape"], tape):
        np.testing.assert_allclose(one.gradient(loss, w).numpy(), [2.0, 4.0])
