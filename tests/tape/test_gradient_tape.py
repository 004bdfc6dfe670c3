"""Every row of TensorFlow's GradientTape table: construction, context, recording, `gradient`.

Values that TensorFlow 2.21 gave for the same programs are in `tf_values.json`, made by
`make_tf_values.py`; `test_tf_values.py` compares. Here are the rows themselves.
"""

from __future__ import annotations

import threading
import warnings

import numpy as np
import pytest

import gradtape as gt
from gradtape.errors import (
    DTypeError,
    GradientWarning,
    ShapeError,
    TapeStateError,
    UnsupportedOperationError,
)
from gradtape.tape import reasons


def value(t):
    return t.read()


# ------------------------------------------------------------- construction and context


def test_enter_returns_the_tape_and_records():
    tape = gt.GradientTape()
    x = gt.Variable(3.0)
    with tape as entered:
        y = x * x
    assert entered is tape
    assert value(tape.gradient(y, x)) == 6.0


def test_entering_again_resumes_the_same_tape():
    x = gt.Variable(3.0)
    tape = gt.GradientTape()
    with tape:
        y = x * x
    with tape:
        z = y * x
    assert value(tape.gradient(z, x)) == 27.0


def test_entering_an_active_tape_raises():
    tape = gt.GradientTape()
    with (
        tape,
        pytest.raises(ValueError, match=r"still recording.*\n.*already-active tape.*\n.*Leave"),
    ):
        tape.__enter__()


def test_exit_does_not_swallow_and_pops():
    x = gt.Variable(2.0)
    tape = gt.GradientTape()
    with pytest.raises(ZeroDivisionError), tape:
        y = x * x
        raise ZeroDivisionError
    z = y * 5.0  # not recorded any more
    assert value(tape.gradient(y, x)) == 4.0
    assert z.key == 0


def test_exits_in_any_order():
    x = gt.Variable(2.0)
    outer, inner = gt.GradientTape(), gt.GradientTape()
    outer.__enter__()
    inner.__enter__()
    y = x * x
    outer.__exit__(None, None, None)
    z = y * x
    inner.__exit__(None, None, None)
    assert value(outer.gradient(y, x)) == 4.0
    assert value(inner.gradient(z, x)) == 12.0


@pytest.mark.parametrize("call", ["watch", "gradient", "explain"])
def test_use_before_entering_is_a_three_part_error(call):
    tape = gt.GradientTape()
    x = gt.Variable(1.0)
    args = (x,) if call == "watch" else (x, x)
    with pytest.raises(
        TapeStateError, match=r"never recorded(.|\n)*not entered(.|\n)*with gt.Grad"
    ):
        getattr(tape, call)(*args)


def test_operations_outside_the_context_are_not_recorded():
    x = gt.Variable(2.0)
    with gt.GradientTape() as tape:
        y = x * x
    z = y + x
    with pytest.warns(GradientWarning):
        assert tape.gradient(z, x) is None


# --------------------------------------------------------------------------- watching


def test_watch_a_tree_and_plain_values():
    with gt.GradientTape() as tape:
        tree = tape.watch({"a": np.array([1.0, 2.0]), "b": [3.0]})
        y = np.sum(tree["a"] ** 2) * tree["b"][0]
    g = tape.gradient(y, tree)
    np.testing.assert_array_equal(value(g["a"]), [6.0, 12.0])
    assert value(g["b"][0]) == 5.0
    assert tree["b"][0].dtype == np.float64


@pytest.mark.parametrize("bad", ["text", None, b"bytes", len])
def test_watch_what_is_no_number_is_a_value_error(bad):
    with (
        gt.GradientTape() as tape,
        pytest.raises(
            ValueError, match=r"passed in object .* of type(.|\n)*not a Tensor(.|\n)*tape.watch"
        ),
    ):
        tape.watch(bad)


def test_watch_an_integer_warns_and_gives_none():
    x = gt.array([1, 2])
    with gt.GradientTape() as tape:
        with pytest.warns(GradientWarning, match="must be floating"):
            tape.watch(x)
        y = np.sum(x * 2.0)
    with pytest.warns(GradientWarning, match="int64"):
        assert tape.gradient(y, x) is None


def test_watch_after_exit_affects_later_recordings_only():
    x = gt.array(2.0)
    tape = gt.GradientTape()
    with tape:
        y = x * x
    tape.watch(x)
    with tape:
        z = x * x * x
    assert value(tape.gradient(z, x)) == 12.0
    assert y.key == 0


def test_watch_after_the_tape_was_used_up_is_a_three_part_error():
    x = gt.Variable(2.0)
    with gt.GradientTape() as tape:
        tape.gradient(x * x, x)
        with pytest.raises(
            TapeStateError, match=r"used up(.|\n)*gradient was called(.|\n)*persistent"
        ):
            tape.watch(gt.array(1.0))


def test_watching_a_non_trainable_variable():
    v = gt.Variable(3.0, trainable=False)
    with gt.GradientTape() as tape:
        tape.watch(v)
        y = v * v
    assert value(tape.gradient(y, v)) == 6.0
    assert tape.watched_variables() == (v,)


def test_nothing_is_watched_by_itself_when_told_so():
    v = gt.Variable(3.0)
    with gt.GradientTape(watch_accessed_variables=False) as tape:
        y = v * v
    assert tape.watched_variables() == ()
    with pytest.warns(GradientWarning):
        assert tape.gradient(y, v) is None


def test_a_non_trainable_variable_is_not_watched_by_itself():
    v = gt.Variable(3.0, trainable=False)
    with gt.GradientTape() as tape:
        y = v * v
    with pytest.warns(GradientWarning, match="trainable"):
        assert tape.gradient(y, v) is None


def test_watched_variables_are_in_construction_order_and_outlive_the_gradient():
    a, b, c = gt.Variable(1.0), gt.Variable(2.0), gt.Variable(3.0)
    with gt.GradientTape() as tape:
        y = c * a
        z = y + b
    tape.gradient(z, a)
    assert tape.watched_variables() == (a, b, c)


# ------------------------------------------------------------------ stop_recording, reset


def test_stop_recording():
    x = gt.Variable(2.0)
    with gt.GradientTape() as tape:
        y = x * x
        with tape.stop_recording():
            z = y * x
        w = y * 3.0
    assert z.key == 0
    assert value(tape.gradient(w, x)) == 12.0


@pytest.mark.parametrize("entered", [False, True])
def test_stop_recording_of_a_tape_that_does_not_record(entered):
    tape = gt.GradientTape()
    if entered:
        with tape:
            pass
    kind = ValueError if entered else RuntimeError
    with (
        pytest.raises(kind, match=r"not recording(.|\n)*outside(.|\n)*inside"),
        tape.stop_recording(),
    ):
        pass


def test_reset_forgets_operations_and_explicit_watches():
    v, x = gt.Variable(2.0), gt.array(3.0)
    with gt.GradientTape() as tape:
        tape.watch(x)
        y = v * x
        tape.reset()
        z = v * x
    assert value(tape.gradient(z, v)) == 3.0
    with gt.GradientTape() as tape:
        tape.watch(x)
        y = v * x
        tape.reset()
        z = v * x
    with pytest.warns(GradientWarning):
        assert tape.gradient(z, x) is None
    with gt.GradientTape() as tape:
        y = v * v
        tape.reset()
    with pytest.warns(GradientWarning):
        assert tape.gradient(y, v) is None


def test_reset_outside_the_context():
    tape = gt.GradientTape()
    with pytest.raises(ValueError, match=r"not recording(.|\n)*outside(.|\n)*inside"):
        tape.reset()


# --------------------------------------------------------------------------- threads


def test_a_tape_belongs_to_its_thread():
    x = gt.Variable(2.0)
    seen = []

    def other():
        seen.append(x * x)

    with gt.GradientTape() as tape:
        worker = threading.Thread(target=other)
        worker.start()
        worker.join()
        y = x * 3.0
    with pytest.warns(GradientWarning, match="thread"):
        assert tape.gradient([seen[0]], [x]) == [None]
    with gt.GradientTape() as tape:
        y = x * 3.0
    assert value(tape.gradient(y, x)) == 3.0


def test_each_thread_has_its_own_tapes():
    results = {}

    def work(n):
        x = gt.Variable(float(n))
        for _ in range(50):
            with gt.GradientTape() as tape:
                y = x * x * x
            results.setdefault(n, []).append(float(tape.gradient(y, x)))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert all(set(found) == {3.0 * n * n} for n, found in results.items())


def test_identity_is_the_tensors_not_the_names():
    x = gt.array(2.0)
    with gt.GradientTape() as tape:
        tape.watch(x)
        first = x
        x = x + 1.0
        y = x * x
    g, h = tape.gradient(y, [x, first])
    assert value(g) == 6.0 == value(h)


# --------------------------------------------------------------------------- gradient


def test_a_vector_target_is_summed():
    x = gt.Variable([1.0, 2.0])
    with gt.GradientTape() as tape:
        y = x * x
    np.testing.assert_array_equal(value(tape.gradient(y, x)), [2.0, 4.0])


def test_targets_add_and_a_target_listed_twice_counts_twice():
    x = gt.Variable(3.0)
    with gt.GradientTape(persistent=True) as tape:
        y, z = x * x, 2.0 * x
    assert value(tape.gradient([y, z], x)) == 8.0
    assert value(tape.gradient([y, y], x)) == 12.0
    assert value(tape.gradient({"a": y, "b": (z,)}, x)) == 8.0


def test_structure_of_the_sources():
    a, b = gt.Variable(1.0), gt.Variable(2.0)
    with gt.GradientTape(persistent=True) as tape:
        y = a * b
    assert value(tape.gradient(y, {"a": a, "more": [b, (a,)]})["more"][1][0]) == 2.0
    assert isinstance(tape.gradient(y, (a, b)), tuple)
    assert tape.gradient(y, []) == []
    assert tape.gradient([], [a]) is None


def test_the_values_of_a_dict_are_sources_and_come_back_as_a_list():
    weights = {"a": gt.Variable(2.0), "b": gt.Variable(3.0)}
    with gt.GradientTape() as tape:
        y = weights["a"] * weights["b"]
    assert [value(g) for g in tape.gradient(y, weights.values())] == [3.0, 2.0]


def test_the_same_source_twice():
    a = gt.Variable(3.0)
    with gt.GradientTape() as tape:
        y = a * a
    assert [value(g) for g in tape.gradient(y, [a, a])] == [6.0, 6.0]


def test_a_target_that_is_a_source():
    u, v = gt.array([1.0, 2.0]), gt.Variable(4.0)
    with gt.GradientTape(persistent=True) as tape:
        pass
    np.testing.assert_array_equal(value(tape.gradient(u, u)), [1.0, 1.0])
    assert value(tape.gradient(v, v)) == 1.0
    n = gt.array(3)
    with pytest.warns(GradientWarning):
        assert tape.gradient(n, n) is None


def test_sources_that_are_results_do_not_cut_each_other():
    x = gt.Variable(2.0)
    with gt.GradientTape(persistent=True) as tape:
        y = x * x
        z = y * y
    assert [value(g) for g in tape.gradient(z, [x, y])] == [32.0, 8.0]
    assert value(tape.gradient([x, z], x)) == 33.0
    assert value(tape.gradient([y, z], y)) == 9.0


@pytest.mark.parametrize("target", [None, 3.0, np.ones(2), "loss", [None]])
def test_targets_that_are_no_tensors(target):
    x = gt.Variable(1.0)
    with gt.GradientTape() as tape:
        x * x
    with pytest.raises(DTypeError, match=r"(?s)target.*\n.*\n"):
        tape.gradient(target, x)
    assert value(tape.gradient(x * 1.0, x, unconnected_gradients="zero")) == 0  # nothing was lost


@pytest.mark.parametrize("sources", [None, 3.0, [None], [np.ones(2)]])
def test_sources_that_are_no_tensors(sources):
    x = gt.Variable(1.0)
    with gt.GradientTape() as tape:
        y = x * x
    with pytest.raises(DTypeError, match=r"(?s)source.*\n.*\n"):
        tape.gradient(y, sources)
    assert value(tape.gradient(y, x)) == 2.0  # nothing was lost


def test_output_gradients():
    x = gt.Variable([1.0, 2.0])
    with gt.GradientTape(persistent=True) as tape:
        y = x * x
        z = 3.0 * x
    np.testing.assert_array_equal(value(tape.gradient(y, x, [1.0, 10.0])), [2.0, 40.0])
    np.testing.assert_array_equal(
        value(tape.gradient(y, x, output_gradients=gt.array([1.0, 10.0]))), [2.0, 40.0]
    )
    both = tape.gradient([y, z], x, [np.array([1.0, 0.0]), np.array([0.0, 1.0])])
    np.testing.assert_array_equal(value(both), [2.0, 3.0])


@pytest.mark.parametrize(
    ("given", "kind", "match"),
    [
        ([np.ones(2)], ShapeError, "1 output_gradients for 2 targets"),
        ([np.ones(2), None], ShapeError, r"output_gradients\[1\] is None"),
        ([np.ones(2), np.ones(3)], ShapeError, r"output_gradients\[1\] has shape \(3,\)"),
        ([np.ones(2), np.ones(1)], ShapeError, r"output_gradients\[1\] has shape \(1,\)"),
        ([np.ones(2), np.ones(2) * 1j], DTypeError, "complex128"),
        ([np.ones(2), "ab"], DTypeError, "dtype|<U2"),
    ],
)
def test_output_gradients_that_do_not_fit(given, kind, match):
    x = gt.Variable([1.0, 2.0])
    with gt.GradientTape() as tape:
        y, z = x * x, x * 2.0
    with pytest.raises(kind, match=match):
        tape.gradient([y, z], x, given)
    assert value(tape.gradient(y, x))[0] == 2.0  # nothing was lost


def test_one_number_is_the_cotangent_of_every_element():
    x = gt.Variable([1.0, 2.0])
    with gt.GradientTape(persistent=True) as tape:
        y, z = x * x, x * 3.0
    assert value(tape.gradient(y, x, 2.0)).tolist() == [4.0, 8.0]
    assert value(tape.gradient([y, z], x, [gt.array(2.0), np.float64(1.0)])).tolist() == [7.0, 11.0]
    k = gt.Variable(2.0)
    with gt.GradientTape() as outer:
        with gt.GradientTape() as tape:
            y = x * x
        g = tape.gradient(y, x, k * 1.0)
    assert value(outer.gradient(g, k)) == 6.0


def test_output_gradients_are_matched_by_key():
    x = gt.Variable(3.0)
    with gt.GradientTape(persistent=True) as tape:
        y, z = x * x, x * 5.0
    targets = {"b": y, "a": z}
    assert value(tape.gradient(targets, x, output_gradients={"a": 1.0, "b": 0.0})) == 5.0
    assert value(tape.gradient(targets, x, output_gradients={"b": 1.0, "a": 0.0})) == 6.0
    nested = tape.gradient([{"p": y, "q": z}, y], x, ({"q": 1.0, "p": 0.0}, 2.0))
    assert value(nested) == 5.0 + 12.0


def test_output_gradients_of_vectors_can_be_lists():
    x = gt.Variable([1.0, 2.0])
    with gt.GradientTape(persistent=True) as tape:
        y, z = x * x, 3.0 * x
    expected = [2.0 + 3.0 * 7.0, 40.0 + 3.0 * 8.0]
    for targets, given in (
        ([y, z], [[1.0, 10.0], [7.0, 8.0]]),
        ({"y": y, "z": z}, {"z": [7.0, 8.0], "y": [1.0, 10.0]}),
    ):
        np.testing.assert_array_equal(value(tape.gradient(targets, x, given)), expected)
    for targets, given in (
        (y, [1.0, 10.0]), ([y], np.array([1.0, 10.0])), (y, [np.array([1.0, 10.0])]),
        ({"y": y}, {"y": [1.0, 10.0]}), ([y], [[1.0, 10.0]]),
    ):  # fmt: skip
        np.testing.assert_array_equal(value(tape.gradient(targets, x, given)), [2.0, 40.0])


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"c": 1.0, "b": 1.0}, "'b', 'a', output_gradients with 'c', 'b'"),
        ({"b": 1.0}, "'b', 'a', output_gradients with 'b'"),
        ({"a": 1.0, "b": {"p": 1.0}}, r"the target\['b'\], a dict with the keys 'p'"),
        ([1.0, 1.0], "output_gradients with 0, 1"),
        (1.0, "1 output_gradients for 2 targets"),
    ],
)
def test_output_gradients_of_another_structure(given, match):
    x = gt.Variable(3.0)
    with gt.GradientTape() as tape:
        y, z = x * x, x * 5.0
    with pytest.raises(ShapeError, match=match):
        tape.gradient({"b": y, "a": z}, x, output_gradients=given)
    with pytest.raises(ShapeError, match="one target, a dict with the keys 'a'"):
        tape.gradient(y, x, output_gradients={"a": 1.0})
    assert value(tape.gradient(y, x)) == 6.0  # nothing was lost


def test_unconnected():
    x, u = gt.Variable(1.0), gt.Variable([1.0, 2.0])
    with gt.GradientTape(persistent=True) as tape:
        y = x * x
    with pytest.warns(GradientWarning):
        assert tape.gradient(y, u) is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(
            value(tape.gradient(y, u, unconnected_gradients="zero")), [0.0, 0.0]
        )
    with pytest.raises(ValueError, match=r"Unknown value for unconnected_gradients: 'bogus'"):
        tape.gradient(y, u, unconnected_gradients="bogus")


def test_the_second_call_of_a_tape_that_is_not_persistent():
    x = gt.Variable(1.0)
    with gt.GradientTape() as tape:
        y = x * x
    tape.gradient(y, x)
    with pytest.raises(
        RuntimeError, match=r"(?s)only be used to compute one set.*before, at.*persistent"
    ):
        tape.gradient(y, x)


def test_inside_the_context_of_a_tape_that_is_not_persistent():
    x = gt.Variable(2.0)
    with gt.GradientTape() as tape:
        y = x * x
        g = tape.gradient(y, x)
        z = x * 5.0
    assert value(g) == 4.0
    assert z.key == 0
    assert g.key == 0


def test_inside_the_context_of_a_persistent_tape_gradients_are_recorded():
    x = gt.Variable(2.0)
    with gt.GradientTape(persistent=True) as tape:
        y = x * x * x
        g = tape.gradient(y, x)
        h = tape.gradient(g, x)
        k = tape.gradient(h, x)
    assert [value(v) for v in (g, h, k)] == [12.0, 12.0, 6.0]


def test_inside_the_context_of_a_persistent_tape_the_cost_is_logged_once(monkeypatch, caplog):
    monkeypatch.setattr(reasons, "_logged", set())
    x = gt.Variable(2.0)
    for _ in range(2):
        with gt.GradientTape(persistent=True) as tape:
            y = x * x
            tape.gradient(y, x)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "inside the context of a persistent tape" in caplog.text


def test_nested_tapes():
    x = gt.Variable(2.0)
    with gt.GradientTape() as outer:
        with gt.GradientTape() as inner:
            y = x * x * x
        g = inner.gradient(y, x)
    assert value(outer.gradient(g, x)) == 12.0
    with gt.GradientTape() as outer, gt.GradientTape() as inner:
        y = x * x * x
    g = inner.gradient(y, x)
    with pytest.warns(GradientWarning):
        assert outer.gradient(g, x) is None


def test_third_derivative_by_three_tapes():
    x = gt.Variable(0.7)
    with gt.GradientTape() as a:
        with gt.GradientTape() as b:
            with gt.GradientTape() as c:
                y = np.sin(x) * np.exp(x)
            first = c.gradient(y, x)
        second = b.gradient(first, x)
    third = a.gradient(second, x)
    exact = 2 * np.exp(0.7) * (np.cos(0.7) - np.sin(0.7))
    assert value(third) == pytest.approx(exact, rel=1e-12)


def test_the_inner_tape_watches_less_than_the_outer():
    x, y = gt.Variable(2.0), gt.Variable(3.0)
    with gt.GradientTape() as outer:
        with gt.GradientTape(watch_accessed_variables=False) as inner:
            inner.watch(y)
            z = x * x * y
        g = inner.gradient(z, y)
    assert value(g) == 4.0
    assert value(outer.gradient(g, x)) == 4.0


def test_two_tapes_over_the_same_variables():
    w = gt.Variable(2.0)
    with gt.GradientTape() as first, gt.GradientTape() as second:
        a = w * w
        b = a * w
    assert value(first.gradient(a, w)) == 4.0
    assert value(second.gradient(b, w)) == 12.0


def test_the_gradient_has_the_dtype_of_its_source():
    x = gt.Variable(np.float16(2.0))
    with gt.GradientTape() as tape:
        y = x.astype(np.float32) * np.float32(3)
    assert tape.gradient(y, x).dtype == np.float16
    r = gt.Variable(2.0)
    with gt.GradientTape() as tape:
        y = r * (1 + 2j)
    g = tape.gradient(y, r)
    assert g.dtype == np.float64
    assert value(g) == 1.0


def test_an_op_without_a_rule_raises_at_gradient_time():
    x = gt.Variable(np.eye(3))
    with gt.GradientTape() as tape:
        y = np.sum(np.linalg.eigvalsh(x))
    with pytest.raises(
        UnsupportedOperationError, match=r"(?s)eigvalsh.*test_gradient_tape.py.*custom_gradient"
    ):
        tape.gradient(y, x)


def test_an_op_without_a_rule_does_not_disturb_other_paths():
    x, u = gt.Variable(np.eye(3)), gt.Variable(2.0)
    with gt.GradientTape() as tape:
        y = np.sum(np.linalg.eigvalsh(x)) * u
    assert value(tape.gradient(y, u)) == pytest.approx(3.0)


# -------------------------------------------------------------------- Variables and time


def test_a_variable_is_the_sum_over_its_reads_whatever_is_assigned():
    w = gt.Variable(2.0)
    with gt.GradientTape() as tape:
        y = w * w
        w.assign(10.0)
        z = y + 3.0 * w
    assert value(z) == 34.0
    assert value(tape.gradient(z, w)) == 7.0


def test_what_is_assigned_is_not_connected():
    v, w = gt.Variable(1.0), gt.Variable(2.0)
    with gt.GradientTape(persistent=True) as tape:
        z = v.assign(w * 3.0) * 1.0
    assert value(tape.gradient(z, v)) == 1.0
    with pytest.warns(GradientWarning, match="assign"):
        assert tape.gradient(z, w) is None


def test_complex_gradients_are_conjugate():
    z = gt.Variable(1 + 2j)
    with gt.GradientTape(persistent=True) as tape:
        square, re, im = z * z, np.real(z), np.imag(z)
        size, power = np.abs(z), z * np.conj(z)
    assert value(tape.gradient(square, z)) == pytest.approx(2 * (1 - 2j))
    assert value(tape.gradient(re, z)) == 1
    assert value(tape.gradient(im, z)) == 1j
    assert value(tape.gradient(size, z)) == pytest.approx((1 + 2j) / np.sqrt(5))
    assert value(tape.gradient(power, z)) == pytest.approx(2 + 4j)


def test_kinks_and_ties():
    q = gt.Variable([2.0, 2.0, 1.0])
    with gt.GradientTape() as tape:
        y = np.max(q)
    np.testing.assert_array_equal(value(tape.gradient(y, q)), [0.5, 0.5, 0.0])
    z = gt.Variable(0.0)
    with gt.GradientTape(persistent=True) as tape:
        high, size = np.maximum(z, 0.0), np.abs(z)
    assert value(tape.gradient(high, z)) == 1.0
    assert value(tape.gradient(size, z)) == 0.0
    x = gt.Variable(1.0)
    with gt.GradientTape(persistent=True) as tape:
        safe = np.where(x > 1, np.sqrt(x - 1), 0.0)
        plain = np.sqrt(x - 1)
    assert value(tape.gradient(safe, x)) == 0.0
    assert value(tape.gradient(plain, x)) == np.inf


# ----------------------------------------------------------------------------- memory


def test_gradients_are_the_users_own():
    a, b = gt.Variable([1.0, 2.0]), gt.Variable([3.0, 4.0])
    with gt.GradientTape() as tape:
        y = np.sum(a + b)
    g, h = tape.gradient(y, [a, b])
    assert g.value is not h.value
    assert g.value.flags.writeable
    assert g.value.base is None
    g += 1.0
    np.testing.assert_array_equal(value(h), [1.0, 1.0])


def test_a_gradient_that_is_the_cotangent_itself_is_a_copy_of_it():
    x = gt.Variable([1.0, 2.0])
    seed = gt.array([3.0, 4.0])
    with gt.GradientTape() as tape:
        y = x + 1.0
    g = tape.gradient(y, x, output_gradients=seed)
    assert not np.shares_memory(g.value, seed.value)
