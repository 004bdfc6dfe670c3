"""The decisions of the project's semantics, one or more tests each, in their order.

The number in a heading is that of the decision; the tests are named for what a user sees.
"""

import gc
import math
import random
import threading
import time
import tracemalloc
import warnings

import numpy as np
import pandas as pd
import pytest

import gradtape as gt
from gradtape.errors import (
    DTypeError,
    ExitError,
    ExitWarning,
    GradientWarning,
    ShapeError,
    StaleViewError,
    TapeStateError,
    TracingError,
    UnsupportedOperationError,
)
from tests.words.differences import check, close, slope

# -- 1: keys and tapes -----------------------------------------------------------------------------


def test_two_tapes_over_one_variable_give_each_its_own_gradient():
    v = gt.Variable(2.0)
    with gt.GradientTape() as a, gt.GradientTape() as b:
        with b.stop_recording():
            y = v**2
        z = v**3
    assert float(a.gradient([y, z], v)) == 4 + 12
    assert float(b.gradient(z, v)) == 12


def test_a_kept_loss_pins_no_activations_and_no_tape():
    x = np.ones((200, 200))
    w = gt.Variable(0.5)

    def loss():
        with gt.GradientTape() as tape:
            value = np.sum(np.tanh(x * w))
        tape.gradient(value, w)
        return value

    kept = [loss() for _ in range(3)]
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    kept += [loss() for _ in range(50)]
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < x.nbytes and len(kept) == 53


def test_a_dropped_tape_is_freed_without_the_garbage_collector():
    x = np.ones(100_000)
    w = gt.Variable(0.5)
    gc.disable()
    try:
        tracemalloc.start()
        for turn in range(20):
            with gt.GradientTape(persistent=turn % 2 == 0):
                np.sum(np.sin(x * w))  # the gradient is never asked for
            if turn == 2:
                before = tracemalloc.get_traced_memory()[0]
        grown = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
    finally:
        gc.enable()
    assert grown < x.nbytes


# -- 2: active tapes are a per-thread list ---------------------------------------------------------


def test_tapes_may_end_in_any_order():
    v = gt.Variable(3.0)
    a, b = gt.GradientTape(), gt.GradientTape()
    a.__enter__()
    y = v * 2.0
    b.__enter__()
    z = y * v
    a.__exit__(None, None, None)
    u = z * v
    b.__exit__(None, None, None)
    assert float(a.gradient(z, v)) == 12
    assert float(b.gradient(u, z)) == 3
    assert gt.value(v * 1.0) == 3 and not (v * 1.0).is_watched


def test_a_tape_of_another_thread_records_nothing_here():
    v = gt.Variable(3.0)
    found = []

    def work():
        with gt.GradientTape() as tape:
            y = v * v
        found.append(float(tape.gradient(y, v)))
        found.append((v * v).is_watched)

    with gt.GradientTape() as tape:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        y = v * 2.0
    assert found == [6, False]
    assert float(tape.gradient(y, v)) == 2


# -- 3: written arrays -----------------------------------------------------------------------------


def test_a_watched_tensor_as_a_source_means_the_value_that_was_watched():
    with gt.GradientTape(persistent=True) as tape:
        x = tape.watch(np.array([1.0, 2.0]))
        y = x * 3.0
        x[0] = 10.0
        z = np.sum(x * x) + np.sum(y)
    assert tape.gradient(z, x).tolist() == [3.0, 4.0 + 3.0]


def test_an_intermediate_as_a_source_means_its_current_version():
    with gt.GradientTape() as tape:
        x = tape.watch(np.array([1.0, 2.0]))
        h = x * 3.0
        h[0] = 5.0 * h[1]
        z = np.sum(h**2)
    assert tape.gradient(z, h).tolist() == [60.0, 12.0]


def test_a_variable_as_a_source_means_the_sum_over_its_reads():
    w = gt.Variable(2.0)
    with gt.GradientTape() as tape:
        y = w**2
        w.assign(5.0)
        y = y + w**2
    assert float(tape.gradient(y, w)) == 4 + 10


def test_views_of_views_follow_what_is_written_to_their_base():
    x = gt.array(np.arange(4.0))
    view, windows = x[1:], np.lib.stride_tricks.sliding_window_view(x, 2)
    last = view[::-1]
    x[2] = 10.0
    view[0] = 7.0
    assert view.tolist() == [7, 10, 3] and last.tolist() == [3, 10, 7]
    assert windows.tolist() == [[0, 7], [7, 10], [10, 3]]
    with pytest.raises(ValueError, match="read-only"):
        windows[0, 0] = 1.0


def test_a_view_of_an_array_whose_shape_changed_is_stale_and_says_so():
    x = gt.array(np.arange(4.0))
    view = x[1:]
    x.shape = (2, 2)
    with pytest.raises(StaleViewError, match=r"(?s)test_semantics\.py:\d+.*copy"):
        view + 1.0


# -- 4: the user's own arrays ----------------------------------------------------------------------


@pytest.mark.parametrize("size", [10, 8192])
def test_small_constants_may_be_changed_before_the_gradient(size):
    x, c = gt.Variable(2.0), np.full(size, 3.0)
    index = np.array([0, 1])
    with gt.GradientTape() as tape:
        y = np.sum(x * c) + np.sum((c * x)[index])
        c[:] = 0
        index[:] = 2
    assert float(tape.gradient(y, x)) == 3 * size + 6


def test_a_change_of_a_large_constant_is_noticed():
    x, c = gt.Variable(2.0), np.full(100_000, 3.0)
    with gt.GradientTape() as tape:
        y = np.sum(x * c)
    c += 1
    with pytest.raises(gt.errors.GradtapeError, match=r"(?s)test_semantics\.py:\d+.*copy"):
        tape.gradient(y, x)


# -- 5: cotangents ---------------------------------------------------------------------------------


def test_gradients_are_writable_and_share_nothing():
    a, b = gt.Variable(np.ones(3)), gt.Variable(np.ones(3))
    with gt.GradientTape() as tape:
        y = np.sum(a + b)
    ga, gb = tape.gradient(y, [a, b])
    ga[0] = 9.0
    ga += 1.0
    assert gb.tolist() == [1, 1, 1]
    seed = np.ones(3)
    with gt.GradientTape() as tape:
        y = a * 1.0
    g = tape.gradient(y, y, output_gradients=seed)
    g[0] = 5.0
    assert seed[0] == 1


def test_a_value_used_many_times_gets_the_sum_of_all_its_uses():
    x = np.array([0.3, 0.7])

    def f(x):
        a = x + x
        b = a + a
        c = a * b + a
        return np.sum(c + c + a) + np.sum(a[::-1] * b)

    check(f, x)


# -- 6: loops over elements ------------------------------------------------------------------------


def test_a_loop_over_elements_costs_linear_time_and_memory():
    def cost(n):
        x = gt.Variable(np.arange(float(n)))
        with gt.GradientTape() as tape:
            total = 0.0
            for i in range(n):
                total = total + x[i] * x[i]
        tracemalloc.start()
        start = time.perf_counter()
        g = tape.gradient(total, x)
        spent = time.perf_counter() - start
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        np.testing.assert_array_equal(g.numpy(), 2 * np.arange(n))
        return spent, peak

    cost(100)
    peaks = [cost(n)[1] for n in (500, 4000)]
    assert peaks[1] < 16 * peaks[0]  # dense zeros per element would be 64 times


# -- 7: after a consuming gradient -----------------------------------------------------------------


def test_a_used_tape_has_freed_its_values_and_can_still_explain():
    w = gt.Variable(0.5)
    with gt.GradientTape() as tape:
        x = np.ones(200_000)
        y = np.sum(np.sin(np.cos(x * w)))
    tracemalloc.start()
    tape.gradient(y, w)
    tracemalloc.stop()
    found = tape.explain(y, w)
    assert found.kind == "connected" and [p.source for p in found.path] == [
        "y = np.sum(np.sin(np.cos(x * w)))"
    ]
    with pytest.raises(TapeStateError, match="persistent=True"):
        tape.gradient(y, w)


# -- 8: positions ----------------------------------------------------------------------------------


def test_positions_are_the_users_lines_in_functions_lambdas_and_comprehensions():
    x = gt.Variable([1.0, 2.0])
    with gt.GradientTape() as tape:
        parts = [np.sin(v) for v in x]
        f = lambda v: v * 2.0  # noqa: E731
        y = f(np.linalg.norm(np.stack(parts)))
    path = tape.explain(y, x).path
    assert all(p.filename.endswith("test_semantics.py") for p in path)
    sources = [p.source for p in path]
    assert "f = lambda v: v * 2.0  # noqa: E731" in sources
    assert "parts = [np.sin(v) for v in x]" in sources
    assert "y = f(np.linalg.norm(np.stack(parts)))" in sources


# -- 9: higher derivatives -------------------------------------------------------------------------


def test_a_persistent_tape_gives_the_second_derivative_of_what_it_recorded_itself():
    x = gt.Variable(2.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with gt.GradientTape(persistent=True) as tape:
            y = x**4
            first = tape.gradient(y, x)
            second = tape.gradient(first, x)
    assert [float(first), float(second), float(tape.gradient(second, x))] == [32, 48, 48]


def test_three_nested_tapes():
    x = gt.Variable([0.5, 1.5])
    with gt.GradientTape() as a:
        with gt.GradientTape() as b:
            with gt.GradientTape() as c:
                y = np.sum(x**5) + x[0] ** 2 * x[1] ** 2
            first = c.gradient(y, x)
        second = b.gradient(first, x)
    third = a.gradient(second, x)
    v = x.numpy()
    close(second, 20 * v**3 + 2 * v[::-1] ** 2 + 4 * v[0] * v[1])
    # each a gradient of the sum of the one before: of 20 sum(v^3) + 2 sum(v^2) + 8 v0 v1
    close(third, 60 * v**2 + 4 * v + 8 * v[::-1])


# -- 10: returns -----------------------------------------------------------------------------------


def test_the_tape_returns_tensors_and_the_transforms_return_what_they_were_given():
    w = gt.Variable(3.0)
    with gt.GradientTape() as tape:
        y = w * w
    assert type(tape.gradient(y, w)) is gt.Tensor
    assert type(gt.grad(lambda x: np.sum(x))(np.ones(2))) is np.ndarray
    assert isinstance(gt.grad(lambda x: x * x)(3.0), float)
    assert type(gt.grad(lambda x: np.sum(x))(gt.ones(2))) is gt.Tensor


def test_the_gradient_of_an_array_names_jacobian_and_sum():
    with pytest.raises(ShapeError, match=r"(?s)\.sum\(\).*jacobian"):
        gt.grad(lambda x: x * 2)(np.ones(3))


# -- 11 to 15: reasons -----------------------------------------------------------------------------


def test_the_first_cause_is_inherited_by_what_is_computed_from_it():
    x = gt.Variable(2.5)
    with gt.GradientTape() as tape:
        n = np.floor(x)
        y = np.exp(n * 2.0 + 1.0) / 3.0
    with pytest.warns(
        GradientWarning, match=r"(?s)floor.*test_semantics\.py|test_semantics.*floor"
    ):
        assert tape.gradient(y, x) is None


EXITS = {
    "float": lambda x: float(x[0]),
    "int": lambda x: int(x[0]) + 0.5,
    "complex": lambda x: complex(x[0]),
    "asarray": lambda x: np.asarray(x),
    "numpy": lambda x: x.numpy(),
    "item": lambda x: x[0].item(),
    "tolist": lambda x: np.array(x.tolist()) * 1.5,
    "array": lambda x: np.array([x[0], x[1]]),
    "full": lambda x: np.full(2, x[0]),
    "r_": lambda x: np.r_[x, x],
    "c_": lambda x: np.c_[x, x],
    "vectorize": lambda x: np.vectorize(lambda v: v * 2)(x),
    "sum of a list": lambda x: np.sum([x[0], x[1]]),
    "sqrt of a list": lambda x: np.sqrt([x[0], x[1]]),
    "plain.dot": lambda x: np.ones(2).dot(x),
    "normal": lambda x: np.random.default_rng(0).normal(x),
    "math": lambda x: math.sin(x[0]),
    "dlpack": lambda x: np.from_dlpack(x),
    "tobytes": lambda x: np.frombuffer(x.tobytes()),
    "pandas": lambda x: pd.Series(x).to_numpy(),
    "as_strided": lambda x: np.lib.stride_tricks.as_strided(x, (2,), (8,)),
    "copyto": lambda x: _copied(x),
    "store": lambda x: _stored(x),
    "store of a slice": lambda x: _stored_slice(x),
}


def _copied(x):
    y = np.zeros(2)
    np.copyto(y, x)
    return y


def _stored(x):
    y = np.zeros(2)
    for i in range(2):
        y[i] = x[i]
    return y


def _stored_slice(x):
    y = np.zeros(2)
    y[:] = x
    return y


@pytest.mark.parametrize("name", EXITS)
def test_every_way_out_is_the_explanation_of_a_missing_gradient(name):
    x = gt.Variable([0.7, 1.3])
    with gt.GradientTape() as tape:
        y = gt.array(1.0) * np.sum(EXITS[name](x))
    with pytest.warns(GradientWarning, match=r"test_semantics\.py:\d+") as caught:
        assert tape.gradient(y, x) is None
    text = str(caught[0].message)
    assert len(caught) == 1 and len(text.split("\n")) == 3 and "no path" in text


@pytest.mark.parametrize("name", EXITS)
def test_a_strict_tape_raises_at_every_way_out(name):
    x = gt.Variable([0.7, 1.3])
    with gt.GradientTape(strict=True):
        try:
            EXITS[name](x)
        except ExitError as error:
            assert len(str(error).split("\n")) == 3
        except (ValueError, TypeError) as error:  # NumPy's, around ours
            assert isinstance(error.__cause__ or error.__context__, ExitError)
        else:
            raise AssertionError("no exit was noticed")


@pytest.mark.parametrize(
    "name", ["float", "asarray", "numpy", "item", "array", "full", "store", "store of a slice",
             "copyto", "dlpack", "pandas", "math"],
)  # fmt: skip
def test_a_value_that_left_and_came_back_makes_the_gradient_partial(name):
    x = gt.Variable([0.7, 1.3])
    with gt.GradientTape() as tape:
        y = np.sum(x * EXITS[name](x))
    assert tape.explain(y, x).kind == "partial"
    with pytest.warns(GradientWarning, match=r"(?s)part of the whole.*test_semantics\.py:\d+"):
        assert tape.gradient(y, x) is not None


def test_printing_and_formatting_are_no_exits(capsys):
    x = gt.Variable([1.0, 2.0])
    with warnings.catch_warnings(), gt.GradientTape(strict=True) as tape:
        warnings.simplefilter("error")
        loss = np.sum(x**2)
        print(loss, repr(x), f"{loss:.3f}", str(x), f"{x}")
        g = tape.gradient(loss, x)
    assert g.tolist() == [2, 4] and "5.0" in capsys.readouterr().out


def test_a_printed_loss_is_not_blamed(capsys):
    w = gt.Variable([1.0, 2.0])
    losses = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for epoch in range(3):
            with gt.GradientTape() as tape:
                loss = np.sum((w - 3.0) ** 2)
                print(float(loss), loss.numpy(), loss.item(), f"{float(loss):.1f}", epoch)
                losses.append(float(loss))
                if float(loss) < 1e-9 or math.isnan(loss):
                    break
            w -= 0.1 * tape.gradient(loss, w)


def test_unconnected_gradients_silences_the_warning():
    x, y = gt.Variable([1.0, 2.0]), gt.Variable(1.0)
    for how, expected in (("none", None), ("zero", [0, 0])):
        with gt.GradientTape() as tape:
            z = y * 2.0
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            g = tape.gradient(z, x, unconnected_gradients=how)
        assert (g if g is None else g.tolist()) == expected
    with gt.GradientTape() as tape:
        z = y * 2.0
    with pytest.raises(ValueError, match="bogus"):
        tape.gradient(z, x, unconnected_gradients="bogus")


# -- 16: errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error, bases",
    [
        (TapeStateError, (RuntimeError, ValueError)),
        (ShapeError, (ValueError,)),
        (DTypeError, (TypeError,)),
        (StaleViewError, (RuntimeError,)),
        (UnsupportedOperationError, (NotImplementedError, LookupError)),
        (ExitError, (TypeError,)),
        (TracingError, (TypeError,)),
        (GradientWarning, (UserWarning,)),
        (ExitWarning, (GradientWarning,)),
    ],
)
def test_errors_are_the_builtins_a_user_expects(error, bases):
    assert all(issubclass(error, base) for base in bases)


# -- 17 and 18: what cannot and what can be had ----------------------------------------------------


def test_the_replacements_are_followed():
    def f(x):
        return (
            np.sum(gt.array([x[0], [1.0, x[1]][1]]) ** 2)
            + np.sum(gt.stack([x, x]))
            + np.sum(gt.full(3, x[0]) ** 3)
            + np.sum(gt.concatenate([x, gt.ones(1)]) ** 2)
            + np.sum(gt.numpy.stack([x, x]) * gt.linspace(0.0, 1.0, 2))
            + np.sum(np.array([x[0], x[1]], like=x) ** 3)
        )

    x = np.array([0.7, 1.3])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        value, g = gt.value_and_grad(f)(x)
    expected = 2 * x + 2 + 2 * x + 2 * np.array([0.0, 1.0]) + 3 * x**2
    close(g, expected + np.array([9 * x[0] ** 2, 0.0]))


def test_arrays_of_tensors_as_objects_are_caught_at_the_boundary():
    x = np.array([0.7, 1.3])

    def f(x):
        cells = np.empty(2, dtype=object)
        for i in range(2):
            cells[i] = x[i] ** 2
        return np.sum(x * cells) + np.sum(cells**2)

    check(f, x, second=False)


def test_what_can_be_followed_without_another_import():
    def f(x):
        acc = np.zeros(2)
        acc += x
        acc += x * x
        z = np.zeros_like(x)
        z[0] = x[1]
        return (
            sum(x) * max(x) * min(x, key=lambda v: -v)
            + np.sum(np.stack([x, acc]) * np.concatenate([z, x]).reshape(2, 2))
            + np.where([True, False], x, acc).sum()
            + np.hstack([x[0], x[1]])[0]
        )

    check(f, np.array([0.7, 1.3]))


# -- 19: shuffling ---------------------------------------------------------------------------------


def test_shuffling_in_place_raises_and_offers_a_permutation():
    legacy = np.random.RandomState(0)
    for shuffle in (np.random.default_rng(0).shuffle, legacy.shuffle):
        x = gt.array(np.arange(6.0).reshape(3, 2))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy warns of what we refuse
            with pytest.raises(UnsupportedOperationError, match="permutation"):
                shuffle(x)
        assert sorted(x[:, 0].tolist()) == [0, 2, 4]


def test_pythons_own_shuffle_does_to_a_tensor_what_it_does_to_an_array():
    x, plain = gt.array(np.arange(8.0).reshape(4, 2)), np.arange(8.0).reshape(4, 2)
    for rows in (x, plain):
        random.Random(3).shuffle(rows)  # swaps rows, which are views: some come out twice
    assert x.tolist() == plain.tolist()


# -- 20: pandas ------------------------------------------------------------------------------------


def test_a_series_on_the_left_gives_way():
    s = pd.Series([1.0, 2.0])
    x = gt.Variable([3.0, 5.0])
    for f in (lambda: s - x, lambda: s * x, lambda: s / x, lambda: s**x):
        with gt.GradientTape():
            assert type(f()) is gt.Tensor
    frame = pd.DataFrame({"a": [gt.array(1.0), gt.array(2.0)]})
    assert frame.a.dtype == object


# -- 21: queries -----------------------------------------------------------------------------------


def test_queries_are_answered_and_neither_recorded_nor_exits(tmp_path, capsys):
    x = gt.Variable([1.0, 2.0])
    with gt.GradientTape(strict=True) as tape:
        y = x * x
        assert np.shape(y) == (2,) and np.ndim(y) == 1 and np.size(y) == 2
        assert np.result_type(y, np.float32) == np.float64 and np.can_cast(y.dtype, "f8")
        assert np.iscomplexobj(y) is False and np.isrealobj(y) and not np.isscalar(y)
        assert np.array_equal(y, [1, 4]) and np.allclose(y, [1, 4]) and len(y) == 2
        assert np.shares_memory(y, y) in (True, False) and y.dtype.kind == "f"
        np.save(tmp_path / "y.npy", y)
        print(y, np.array2string(y), np.array_repr(y))
        g = tape.gradient(np.sum(y), x)
    assert g.tolist() == [2, 4]
    assert np.load(tmp_path / "y.npy").tolist() == [1, 4]


# -- 22: 0-d values and promotion ------------------------------------------------------------------


def test_a_number_is_immutable_and_in_place_operators_rebind():
    t = gt.array(2.0)
    same = t
    t += 1.0
    assert float(same) == 2 and float(t) == 3
    with pytest.raises(DTypeError, match="immutable"):
        same[...] = 5.0
    assert isinstance(gt.value(t), np.float64)


def test_a_watched_python_float_is_a_strong_float64():
    with gt.GradientTape() as tape:
        x = tape.watch(2.0)
        y = x * np.ones(2, np.float32)
    assert y.dtype == np.float64 and tape.gradient(y, x).dtype == np.float64
    assert (gt.array(np.ones(2, np.float32)) * 2.0).dtype == np.float32
    assert (gt.array(np.ones(2, np.float32)) * np.float64(2.0)).dtype == np.float64
    assert (gt.array(np.ones(2, np.int32)) * True).dtype == np.int32


# -- 23: functions without a card ------------------------------------------------------------------


def test_a_function_without_a_rule_computes_and_raises_only_where_a_gradient_passes():
    x = gt.Variable([1.0, 2.0])
    with gt.GradientTape(persistent=True) as tape:
        y = np.polyval(x, 2.0)
        z = np.sum(x) + gt.stop_gradient(y)
        both = z + y
    assert float(y) == 4
    assert tape.gradient(z, x).tolist() == [1, 1]
    with pytest.raises(UnsupportedOperationError, match=r"(?s)polyval.*test_semantics\.py"):
        tape.gradient(both, x)


# -- 25: kinks and singular points -----------------------------------------------------------------


@pytest.mark.parametrize(
    "f, at, expected",
    [
        (np.abs, 0.0, 0.0),
        (np.sqrt, 0.0, np.inf),
        (lambda x: np.maximum(x, 0.0), 0.0, 1.0),
        (lambda x: np.maximum(0.0, x), 0.0, 0.0),
        (lambda x: np.linalg.norm(x * np.ones(2)), 0.0, 0.0),
        (np.sign, 0.0, 0.0),
        (lambda x: x**2, 0.0, 0.0),
        (lambda x: x**1.0, 0.0, 1.0),
        (lambda x: np.max(np.stack([x, x])), 1.0, 1.0),
        (lambda x: np.prod(np.stack([x, x * 0.0, x + 2])), 1.0, 0.0),
    ],
)
def test_gradients_at_kinks(f, at, expected):
    assert gt.grad(f)(at) == expected


def test_ties_share_the_gradient_of_an_extremum():
    g = gt.grad(lambda x: np.max(x) + np.min(x))(np.array([2.0, 1.0, 2.0, 1.0]))
    assert g.tolist() == [0.5, 0.5, 0.5, 0.5]


def test_a_branch_not_taken_never_poisons_through_a_singular_function():
    x = np.array([0.0, 1.0, 4.0])
    with np.errstate(all="ignore"):
        for f in (np.sqrt, np.log, np.reciprocal, np.cbrt, np.log2, np.arccosh, np.arctanh):
            g = gt.grad(lambda x, f=f: np.sum(np.where(x == 1e9, f(x), 2 * x)))(x)
            assert g.tolist() == [2, 2, 2]


# -- 26: complex -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "f",
    [
        lambda z: np.abs(z) ** 2, np.abs, np.real, np.imag, np.angle, lambda z: (z * z.conj()).real,
        lambda z: np.real(z**3 + 1j * z), lambda z: np.abs(np.exp(z)), lambda z: np.sqrt(z).real,
        lambda z: np.linalg.norm(np.stack([z, z * 1j])), lambda z: np.real(1 / z),
        lambda z: np.real(np.sin(z) * np.log(z)), lambda z: np.abs(z - np.conj(z) * 2j),
        lambda z: np.real(z ** (1 + 2j)), lambda z: np.real(np.sign(z)), lambda z: abs(z.imag * z),
        lambda z: np.real(np.tanh(z) * np.arctan(z)), lambda z: np.abs(np.stack([z, z]) @ [1j, 2]),
    ],
)  # fmt: skip
def test_complex_gradients_are_the_direction_of_steepest_ascent(f):
    check(f, np.array(0.7 + 0.4j))


def test_complex_gradients_are_tensorflows():
    z = 1 + 2j
    assert gt.grad(lambda z: np.real(z * np.conj(z)))(z) == 2 * z
    assert gt.grad(np.real)(z) == 1 and gt.grad(np.imag)(z) == 1j
    out, pull = gt.vjp(lambda z: z**2, z)
    assert pull(1 + 0j)[0] == np.conj(2 * z)


# -- 27: floating-point warnings -------------------------------------------------------------------


def test_the_backward_sweep_raises_no_floating_point_warnings():
    x = gt.Variable([0.0, 1.0])
    with gt.GradientTape() as tape:
        y = np.sum(np.sqrt(x))
    with np.errstate(all="raise"):
        assert tape.gradient(y, x).tolist() == [np.inf, 0.5]
    with pytest.warns(RuntimeWarning, match="divide by zero"), gt.GradientTape():
        np.log(x)  # forward, NumPy's own


# -- 28 and 29: rounding ---------------------------------------------------------------------------


def test_values_are_numpys_bit_by_bit_in_exact_operations_and_within_two_ulp_elsewhere():
    rng = np.random.default_rng(0)
    for dtype in (np.float32, np.float64):
        x, y = (rng.normal(size=5000).astype(dtype) for _ in range(2))
        t, u = gt.array(x), gt.array(y)
        for f in (np.add, np.subtract, np.multiply, np.divide, np.maximum, np.less):
            np.testing.assert_array_equal(gt.value(f(t, u)), f(x, y))
        np.testing.assert_array_equal(gt.value(np.sqrt(np.abs(t))[::3]), np.sqrt(np.abs(x))[::3])
        for f in (np.exp, np.tanh, np.sin, np.log1p, np.cbrt, np.arctan):
            expected = f(np.abs(x))
            np.testing.assert_array_max_ulp(gt.value(f(np.abs(t))), expected, 2)
        # where max + log1p cancels, NumPy's own error is that of the larger operand, too
        scale = np.maximum(np.abs(np.maximum(x, y)), np.log(2))
        distance = np.abs(gt.value(np.logaddexp(t, u)) - np.logaddexp(x, y))
        assert np.all(distance <= 2 * np.finfo(dtype).eps * scale)


def test_slope_helper_and_transform_agree_on_a_long_program():
    def f(x):
        for k in range(30):
            x = np.sin(x * 1.1) + np.roll(x, 1) / (k + 1)
        return np.mean(x**2)

    x = np.linspace(0.1, 1.0, 5)
    close(gt.grad(f)(x), slope(f, (x,), 0))
