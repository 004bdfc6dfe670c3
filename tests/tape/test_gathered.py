"""Gradients of gathered Variables: dense, or as IndexedSlices where that is asked for."""

import numpy as np
import pytest

import gradtape as gt

R = np.random.default_rng(4)
TABLE = R.normal(size=(6, 3))
ROWS = np.array([4, 1, 4, -1])  # one twice, one from the end
WEIGHTS = R.normal(size=(4, 3))


def table():
    return gt.Variable(TABLE, name="table")


def loss_of(rows):
    return np.sum(np.sin(rows) * WEIGHTS)


TAKEN = {
    "index": lambda w: w[ROWS],
    "list": lambda w: w[ROWS.tolist()],
    "tuple": lambda w: w[(ROWS,)],
    "take": lambda w: np.take(w, ROWS, axis=0),
    "matrix": lambda w: np.reshape(w[ROWS.reshape(2, 2)], (4, 3)),
    "one by one": lambda w: np.stack([w[4], w[1], w[4], w[-1]]),
    "Tensor": lambda w: w[gt.array(ROWS)],
}


def both(take):
    """(dense gradient, IndexedSlices or what is given for it, the Variable)."""
    w = table()
    with gt.GradientTape(persistent=True) as tape:
        loss = loss_of(take(w))
    return tape.gradient(loss, w), tape.gradient(loss, w, indexed_slices=True), w


@pytest.mark.parametrize("way", TAKEN)
def test_rows_with_their_numbers(way):
    dense, rows, w = both(TAKEN[way])
    assert type(dense) is gt.Tensor and dense.shape == (6, 3)
    assert isinstance(rows, gt.IndexedSlices) and rows.shape == (6, 3)
    assert sorted(np.asarray(rows.indices) % 6) == [1, 4, 4, 5]  # rows taken twice are named twice
    np.testing.assert_allclose(rows.dense(), dense, rtol=1e-15)


SEEN_WHOLE = {
    "whole": lambda w: w[ROWS] + np.sum(w),
    "a mask": lambda w: w[np.array([True, True, True, True, False, False])],
    "a slice": lambda w: w[:4],
    "another axis": lambda w: np.take(w, ROWS % 3, axis=1).T[:, :3],
}


@pytest.mark.parametrize("way", SEEN_WHOLE)
def test_what_is_seen_in_another_way_has_a_dense_gradient(way):
    dense, same, _ = both(SEEN_WHOLE[way])
    assert type(same) is gt.Tensor
    np.testing.assert_array_equal(same, dense)


def test_several_gatherings_and_sources():
    w, v = table(), gt.Variable(np.ones(3))
    x = gt.array(TABLE)
    with gt.GradientTape(persistent=True) as tape:
        tape.watch(x)
        unused = w[[0, 0]]
        loss = np.sum(w[[1, 2]] * v) + np.sum(w[2] ** 2) + np.sum(x[ROWS])
    assert unused.shape == (2, 3)
    given = {"w": w, "v": v, "x": x}
    dense = tape.gradient(loss, given)
    found = tape.gradient(loss, given, indexed_slices=True)
    assert isinstance(found["w"], gt.IndexedSlices)
    assert sorted(found["w"].indices) == [1, 2, 2]
    assert type(found["v"]) is gt.Tensor and type(found["x"]) is gt.Tensor  # a Tensor is no table
    for name in given:
        np.testing.assert_allclose(np.asarray(found[name]), dense[name], rtol=1e-15)


def test_second_derivatives_lead_through_the_rows():
    def curvature(indexed_slices):
        w = table()
        with gt.GradientTape() as outer:
            with gt.GradientTape() as inner:
                loss = loss_of(w[ROWS])
            g = inner.gradient(loss, w, indexed_slices=indexed_slices)
            total = np.sum(g.dense() ** 2 if indexed_slices else g**2)
        return outer.gradient(total, w)

    np.testing.assert_allclose(curvature(True), curvature(False), rtol=1e-14)


@pytest.mark.parametrize("update", ["assign_sub", "assign_add", "-=", "+="])
def test_updates_change_the_rows_alone(update):
    dense, rows, w = both(TAKEN["index"])
    memory = w.value.__array_interface__["data"][0]
    expected = TABLE + 0.1 * dense.numpy() * (1 if update in ("assign_add", "+=") else -1)
    if update == "-=":
        w -= 0.1 * rows
    elif update == "+=":
        w += 0.1 * rows
    else:
        getattr(w, update)(0.1 * rows)
    np.testing.assert_allclose(w.numpy(), expected, rtol=1e-15)
    assert w.value.__array_interface__["data"][0] == memory
    read = w.numpy()  # what somebody holds is not written
    w.assign_sub(rows)
    np.testing.assert_allclose(read, expected, rtol=1e-15)


def test_inside_a_compiled_function():
    w = table()

    @gt.function
    def step(index):
        with gt.GradientTape() as tape:
            loss = loss_of(w[index])
        g = tape.gradient(loss, w, indexed_slices=True)
        assert isinstance(g, gt.IndexedSlices)
        w.assign_sub(0.1 * g)
        return loss

    step(ROWS)
    dense, _, _ = both(TAKEN["index"])
    np.testing.assert_allclose(w.numpy(), TABLE - 0.1 * dense.numpy(), rtol=1e-14)


def test_a_recording_has_the_gradient_of_the_variable(tmp_path):
    import gradtape.tf as tf

    native, dialect = table(), tf.Variable(TABLE, name="table")

    def natively():
        with gt.GradientTape() as tape:
            loss = loss_of(native[ROWS])
        native.assign_sub(0.1 * tape.gradient(loss, native, indexed_slices=True))

    def by_tensorflow():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.sin(tf.gather(dialect, ROWS % 6)) * WEIGHTS)
        g = tape.gradient(loss, dialect)
        assert isinstance(g, tf.IndexedSlices)
        dialect.scatter_sub(g * 0.1)

    for name, step in (("native", natively), ("tf", by_tensorflow)):
        with gt.Recording(tmp_path / name) as run:
            for _ in range(3):
                step()
        (tag,) = [t.name for t in run.reader.tags() if t.name.startswith("grad/")]
        assert tag.startswith("grad/table")
        assert run.array(tag, 2).shape == (6, 3)
