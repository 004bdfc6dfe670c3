"""Variable from its words: assignment, reads inside tapes, updates of slices, mistakes."""

import copy
import pickle
import warnings

import numpy as np
import pytest

import gradtape as gt
from gradtape.errors import DTypeError, GradientWarning, ShapeError


def test_the_initial_value_in_every_form_is_copied():
    x = np.array([1.0, 2.0])
    for given in (x, [1.0, 2.0], (1.0, 2.0), gt.array(x), gt.Variable(x), [gt.array(1.0), 2.0]):
        w = gt.Variable(given)
        w.assign([5.0, 6.0])
        assert w.shape == (2,) and w.dtype == np.float64
    assert x.tolist() == [1, 2]
    assert gt.Variable(1.0).shape == () and gt.Variable([]).shape == (0,)
    assert gt.Variable([1, 2], dtype="float32").dtype == np.float32
    assert gt.Variable(np.float16(2)).dtype == np.float16 and gt.Variable(1j).dtype == complex
    w = gt.Variable(1.0, True, "slope", np.float32)
    assert (w.name, w.dtype, w.trainable) == ("slope", np.float32, True)


@pytest.mark.parametrize("value", ["abc", None, {}, np.array(["a"]), np.zeros(2, "M8[s]"), len])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(DTypeError, match="(?s)Variable.*numbers.*gt.Variable"):
        gt.Variable(value)


def test_an_integer_says_that_it_has_no_gradient():
    with pytest.warns(GradientWarning, match=r"0\.0"):
        gt.Variable(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gt.Variable(0, trainable=False)
        gt.Variable(0, dtype=float)


def test_assign_casts_broadcasts_and_checks():
    w = gt.Variable(np.zeros((2, 3), np.float32))
    assert w.assign(1.0) is w and w.numpy().tolist() == [[1, 1, 1]] * 2
    w.assign(np.arange(3))
    assert w.dtype == np.float32 and w[1].tolist() == [0, 1, 2]
    assert w.assign_add(np.ones((2, 1))) is w and w.assign_sub([1.0, 1.0, 1.0]) is w
    assert w[0].tolist() == [0, 1, 2]
    for wrong in (np.ones(2), np.ones((3, 2)), np.ones((1, 2, 3)), [[]]):
        for method in (w.assign, w.assign_add, w.assign_sub):
            with pytest.raises(ShapeError, match=r"(?s)\(2, 3\).*test_variable\.py"):
                method(wrong)
    for wrong in (1j, "a", None):
        with pytest.raises(DTypeError):
            w.assign(wrong)
    assert w[0].tolist() == [0, 1, 2]  # a refused assignment changes nothing


def test_what_a_tape_read_stays_when_the_variable_is_assigned():
    for change in (
        lambda w: w.assign([10.0, 20.0]),
        lambda w: w.assign_add(1.0),
        lambda w: w.assign_sub([1.0, 2.0]),
        lambda w: w.assign_at(0, 9.0),
        lambda w: w.fill(3.0),
        lambda w: w.sort(),
    ):
        w = gt.Variable([2.0, 1.0])
        with gt.GradientTape() as tape:
            y = np.sum(w**3)
            change(w)
            z = np.sum(w**2)
        after = w.numpy().copy()
        g = tape.gradient([y, z], w)
        np.testing.assert_array_equal(g.numpy(), 3 * np.array([4.0, 1.0]) + 2 * after)


def test_updates_of_slices_and_every_in_place_operator():
    w = gt.Variable(np.arange(6.0).reshape(2, 3))
    plain = np.arange(6.0).reshape(2, 3)
    w[0] = 7.0
    plain[0] = 7.0
    w[:, 1] += 2.0
    plain[:, 1] += 2.0
    w[plain > 6] -= 1.0
    plain[plain > 6] -= 1.0
    w[[0, 1], [0, 2]] *= 3.0
    plain[[0, 1], [0, 2]] *= 3.0
    w /= 2.0
    plain /= 2.0
    w **= 2
    plain **= 2
    w -= plain * 0.5
    plain -= plain * 0.5
    np.testing.assert_array_equal(w.numpy(), plain)
    assert type(w) is gt.Variable


def test_w_minus_equals_is_an_assignment_to_the_same_variable():
    w = gt.Variable([1.0, 2.0])
    same, ref = w, w.ref()
    w -= 0.5 * np.ones(2)
    assert w is same and w.ref() == ref and same.numpy().tolist() == [0.5, 1.5]
    number = gt.Variable(1.0)
    same = number
    number -= 0.5
    number *= 4
    assert number is same and float(same) == 2


def test_training_loops_in_the_styles_that_people_write():
    def train(step):
        a, b = gt.Variable(0.0), gt.Variable(np.zeros(1))
        for _ in range(400):
            with gt.GradientTape() as tape:
                loss = (a - 3.0) ** 2 + np.sum((a + b - 5.0) ** 2)
            step([a, b], tape.gradient(loss, [a, b]))
        return float(a), float(b[0])

    def assign_sub(params, grads):
        for p, g in zip(params, grads, strict=True):
            p.assign_sub(0.1 * g)

    def assign(params, grads):
        for p, g in zip(params, grads, strict=True):
            p.assign(p - 0.1 * g)

    def minus(params, grads):
        for p, g in zip(params, grads, strict=True):
            p -= 0.1 * g

    state = {}

    def momentum(params, grads):
        for p, g in zip(params, grads, strict=True):
            m = state[p.ref()] = 0.5 * state.get(p.ref(), 0.0) + g
            p.assign_sub(0.05 * m)

    def plain(params, grads):
        for p, g in zip(params, grads, strict=True):
            p.assign_sub(0.1 * np.asarray(g))

    for step in (assign_sub, assign, minus, momentum, plain):
        np.testing.assert_allclose(train(step), (3, 2), atol=1e-6)


def test_names_references_and_equality():
    v, w = gt.Variable(1.0), gt.Variable(1.0)
    assert v.name != w.name
    assert v.ref() != w.ref() and v.ref() == v.ref() and len({v.ref(), v.ref(), w.ref()}) == 2
    assert v.ref().deref() is v
    assert bool(v == w)  # values, as for arrays
    assert "slope" in repr(gt.Variable(2.0, name="slope"))


def test_a_variable_that_is_not_trainable_is_followed_only_if_watched():
    v = gt.Variable(2.0, trainable=False)
    with gt.GradientTape() as tape:
        y = v * v
    with pytest.warns(GradientWarning, match="trainable"):
        assert tape.gradient(y, v) is None
    with gt.GradientTape() as tape:
        tape.watch(v)
        y = v * v
    assert float(tape.gradient(y, v)) == 4 and tape.watched_variables() == (v,)


def test_reading_by_an_exit_watches_too():
    v = gt.Variable([2.0])
    with gt.GradientTape() as tape:
        out = v.numpy()
        y = np.sum(v * out)
    with pytest.warns(GradientWarning, match=r"(?s)only a part.*test_variable\.py"):
        assert tape.gradient(y, v).tolist() == [2]
    with gt.GradientTape(strict=True), pytest.raises(gt.errors.ExitError):
        np.asarray(v)


def test_copies_and_pickles_are_variables_of_their_own():
    v = gt.Variable([1.0, 2.0], name="v", trainable=False)
    for twin in (copy.copy(v), copy.deepcopy(v), pickle.loads(pickle.dumps(v))):
        assert type(twin) is gt.Variable and twin.trainable is False and twin.ref() != v.ref()
        twin.assign([5.0, 5.0])
        assert v.numpy().tolist() == [1, 2]


def test_a_slice_of_a_variable_is_a_view_as_numpys():
    w = gt.Variable([1.0, 2.0, 3.0])
    with gt.GradientTape() as tape:
        part = w[1:]
        part *= 2.0
        y = np.sum(part**2)
    assert w.tolist() == [1, 4, 6]
    assert tape.gradient(y, w).tolist() == [0, 8 * 2, 8 * 3]


def test_an_assignment_breaks_the_path_and_the_tape_says_so():
    v, w = gt.Variable(1.0), gt.Variable(2.0)
    with gt.GradientTape(persistent=True) as tape:
        v.assign(w * 3.0)
        z = v * v
    assert float(tape.gradient(z, v)) == 12
    with pytest.warns(GradientWarning, match="assign"):
        assert tape.gradient(z, w) is None


def test_the_update_that_forgets_the_variable_is_told():
    w = gt.Variable(1.0)
    with gt.GradientTape() as tape:
        loss = w * w
    w = w - 0.1 * tape.gradient(loss, w)
    with gt.GradientTape() as tape:
        loss = w * w
    with pytest.warns(GradientWarning, match=r"test_variable\.py"):
        assert tape.gradient(loss, w) is None
