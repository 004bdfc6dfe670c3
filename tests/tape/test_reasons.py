"""Why a gradient is None or partial: each reason told apart, with its place and its remedy."""

import math
import threading
import warnings

import numpy as np
import pytest
from numpy._core.overrides import array_function_dispatch

import gradtape as gt
from gradtape.errors import DTypeError, ExitWarning, GradientWarning, UnsupportedOperationError


def told(tape, target, source, kind, line, remedy="", certain=True):
    """The explanation has this kind and names a line with this text; the warning says the same."""
    found = tape.explain(target, source)
    assert found.kind == kind, found
    assert found.certain is certain, found
    assert any(line in position.source for position in found.path), found.path
    assert all(f"test_reasons.py:{position.line}" in found.cause for position in found.path[:1])
    assert remedy in found.remedy
    assert found.fact and found.cause
    assert str(found) == f"{found.fact}\n{found.cause}\n{found.remedy}"
    with pytest.warns(GradientWarning) as caught:
        assert tape.gradient(target, source) is None
    assert [str(w.message) for w in caught] == [str(found)]
    return found


@array_function_dispatch(lambda x: (x,), module="elsewhere")
def ruleless(x):
    """A function that follows NumPy's protocol, and has no card."""
    return np.cumsum(x) * 2.0


def quiet(tape, target, sources, **options):
    """The gradients, with nothing said."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return tape.gradient(target, sources, **options)


# ------------------------------------------------------------------------------ connected


def test_a_path_is_shown_with_its_lines():
    x = gt.Variable(2.0)
    with gt.GradientTape() as tape:
        y = np.sin(x)
        z = y * 3.0
        other = x * 5.0
    found = tape.explain(z, x)
    assert found.kind == "connected"
    assert [p.source for p in found.path] == ["y = np.sin(x)", "z = y * 3.0"]
    assert tape.explain(other, x).path[0].source == "other = x * 5.0"


def test_explain_works_after_the_gradient_used_the_tape_up():
    x, w = gt.Variable(2.0), gt.Variable(1.0)
    with gt.GradientTape() as tape:
        y = np.sin(x) * math.cos(w)
    with pytest.warns(GradientWarning, match="math.cos"):
        tape.gradient(y, [x, w])
    assert tape.explain(y, x).kind == "connected"
    assert tape.explain(y, w).kind == "exit"


def test_the_names_of_the_users_line_are_used():
    velocity = gt.Variable(2.0)
    height = gt.Variable(1.0)
    with gt.GradientTape() as tape:
        energy = velocity * velocity
    with pytest.warns(GradientWarning, match="no path from height .* to energy"):
        tape.gradient(energy, [velocity, height])


def test_the_warning_stands_at_the_line_of_gradient():
    x, y = gt.Variable(1.0), gt.Variable(2.0)
    with gt.GradientTape() as tape:
        z = x * 2.0
    with pytest.warns(GradientWarning) as caught:
        tape.gradient(z, y)  # this line
    with open(caught[0].filename) as file:
        assert "# this line" in file.readlines()[caught[0].lineno - 1]


# ------------------------------------------------------------------------------- watching


def test_never_watched():
    x = gt.array([1.0, 2.0])
    with gt.GradientTape() as tape:
        y = np.sum(x * x)
    found = tape.explain(y, x)
    assert (found.kind, found.certain) == ("never watched", True)
    assert "x = tape.watch(x)" in found.remedy
    with pytest.warns(GradientWarning, match="never watched"):
        assert tape.gradient(y, x) is None


def test_watched_after_use():
    x = gt.array([1.0, 2.0])
    with gt.GradientTape() as tape:
        y = np.sum(x * x)
        tape.watch(x)
    told(tape, y, x, "watched after use", "y = np.sum(x * x)", "Watch it first")


def test_watched_after_use_outside_the_tape_is_possible():
    x = gt.array([1.0, 2.0])
    y = np.sum(x * x)
    with gt.GradientTape() as tape:
        tape.watch(x)
    told(tape, y, x, "watched after use", "tape.watch(x)", "Watch it first", certain=False)


def test_watched_after_use_is_certain_when_the_value_was_known_to_a_tape():
    with gt.GradientTape():
        x = gt.array([1.0, 2.0])
        v = gt.Variable(1.0)
        x = x * v
    with gt.GradientTape() as tape:
        y = np.sum(x * x)
        tape.watch(x)
    told(tape, y, x, "watched after use", "y = np.sum(x * x)")


def test_array_watched_but_result_dropped():
    x = np.array([1.0, 2.0])
    with gt.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = np.sum(x * x)
    found = tape.explain(y, x)
    assert (found.kind, found.certain) == ("watch result dropped", True)
    assert found.path[0].source == "tape.watch(x)"
    with pytest.raises(DTypeError, match=r"(?s)watched at .*x = tape\.watch\(x\)"):
        tape.gradient(y, x)
    v = gt.Variable(1.0)
    with pytest.raises(DTypeError, match=r"(?s)not used.*x = tape\.watch\(x\)"):
        tape.gradient(y, v)


def test_not_trainable():
    v = gt.Variable(2.0, trainable=False)
    with gt.GradientTape() as tape:
        y = v * v
    found = tape.explain(y, v)
    assert (found.kind, found.certain) == ("not trainable", True)
    assert "tape.watch(v)" in found.remedy
    with pytest.warns(GradientWarning, match="trainable=False"):
        assert tape.gradient(y, v) is None


def test_automatic_watching_off():
    v = gt.Variable(2.0)
    with gt.GradientTape(watch_accessed_variables=False) as tape:
        y = v * v
    found = tape.explain(y, v)
    assert (found.kind, found.certain) == ("automatic watching off", True)
    with pytest.warns(GradientWarning, match="watch_accessed_variables=False"):
        assert tape.gradient(y, v) is None


# ---------------------------------------------------------------------------------- dtypes


def test_integer_source():
    with gt.GradientTape() as tape:
        with pytest.warns(GradientWarning, match="floating"):
            x = tape.watch(np.array([1, 2]))
        y = np.sum(x * 2.0)
    told(tape, y, x, "integer dtype", "x = tape.watch", "x.astype(float)")


def test_integer_variable():
    with pytest.warns(GradientWarning, match="0.0"):
        v = gt.Variable(3)
    with gt.GradientTape() as tape:
        y = v * 2.0
    assert tape.explain(y, v).kind == "integer dtype"
    with pytest.warns(GradientWarning, match="int64"):
        assert tape.gradient(y, v) is None


def test_integer_on_the_way():
    x = gt.Variable([1.5, 2.5])
    with gt.GradientTape() as tape:
        n = x.astype(int)
        y = np.sum(n) * 2.0
    told(tape, y, x, "integer dtype", "n = x.astype(int)", "floating")


# ----------------------------------------------------------------------------- where it ran


def test_recording_stopped():
    x = gt.Variable(2.0)
    with gt.GradientTape() as tape:
        with tape.stop_recording():
            y = x * x
        z = y * 3.0
    told(tape, z, x, "recording stopped", "y = x * x", "stop_recording")


def test_tape_not_active():
    x = gt.Variable(2.0)
    y = x * x
    with gt.GradientTape() as tape:
        z = y * 3.0
    told(tape, z, x, "tape not active", "y = x * x", "with gt.GradientTape()")


def test_other_thread():
    x = gt.Variable(2.0)
    box = []
    with gt.GradientTape() as tape:

        def work():
            box.append(x * x)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        z = box[0] * 3.0
    told(tape, z, x, "other thread", "box.append(x * x)", "thread")


def test_a_tape_resumed_in_another_thread_records_there():
    x = gt.Variable(2.0)
    box = []
    with gt.GradientTape() as tape:
        y = x * x

    def work():
        with tape:
            box.append(y * x)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert float(quiet(tape, box[0], x)) == 12.0


def test_a_tape_entered_twice_at_once_in_two_threads_refuses():
    tape = gt.GradientTape()
    errors = []

    def work():
        try:
            with tape:
                pass
        except ValueError as error:
            errors.append(str(error))

    with tape:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert len(errors) == 1
    assert "still recording" in errors[0]


def test_reset_forgets_the_target():
    x = gt.Variable(2.0)
    with gt.GradientTape() as tape:
        y = x * x
        tape.reset()
        x * 1.0
    told(tape, y, x, "reset", "tape.reset()", "after it")


def test_reset_forgets_what_was_watched():
    x = gt.array(2.0)
    with gt.GradientTape() as tape:
        tape.watch(x)
        tape.reset()
        y = x * x
    told(tape, y, x, "reset", "tape.reset()", "watch again")


def test_entering_a_used_up_tape_starts_anew():
    x = gt.Variable(2.0)
    with gt.GradientTape() as tape:
        y = x * x
    first = tape.gradient(y, x)
    assert float(first) == 4.0
    with tape:
        x * 1.0
    told(tape, y, x, "reset", "first = tape.gradient(y, x)")


# -------------------------------------------------------------------------------- operations


def test_nondifferentiable_op():
    x = gt.Variable([1.5, 2.5])
    with gt.GradientTape() as tape:
        y = np.floor(x)
        z = np.sum(y) * 2.0
    found = told(tape, z, x, "nondifferentiable", "y = np.floor(x)", "@gt.custom_gradient")
    assert "floor" in found.cause


def test_nondifferentiable_is_told_for_each_of_two_sources():
    a, b = gt.Variable([1.5]), gt.Variable([2.5])
    with gt.GradientTape(persistent=True) as tape:
        p = np.floor(a)
        q = np.ceil(b)
        z = np.sum(p + q)
    assert "floor" in tape.explain(z, a).cause
    assert "ceil" in tape.explain(z, b).cause


def test_the_condition_of_where_has_no_gradient():
    x, a = gt.Variable([1.0, -1.0]), gt.Variable([3.0, 4.0])
    with gt.GradientTape() as tape:
        y = np.sum(np.where(x > 0, a, 0.0))
    found = told(tape, y, x, "nondifferentiable", "np.where(x > 0, a, 0.0)")
    assert "greater" in found.cause


def test_an_op_without_a_rule_raises_when_the_path_needs_it():
    x = gt.Variable([1.0, 2.0, 3.0])
    with gt.GradientTape(persistent=True) as tape:
        y = ruleless(x)
        z = np.sum(y)
    found = tape.explain(z, x)
    assert (found.kind, found.certain) == ("no rule", True)
    assert found.path[0].source == "y = ruleless(x)"
    with pytest.raises(UnsupportedOperationError, match=r"(?s)ruleless.*test_reasons.py"):
        tape.gradient(z, x)


def test_an_op_without_a_rule_is_no_matter_where_the_path_does_not_need_it():
    x, w = gt.Variable([1.0, 2.0, 3.0]), gt.Variable(2.0)
    with gt.GradientTape(persistent=True) as tape:
        z = np.sum(ruleless(x)) * w
        free = np.sum(x * x)
    assert float(quiet(tape, z, w)) == 20.0
    np.testing.assert_array_equal(quiet(tape, free, x), [2.0, 4.0, 6.0])
    with pytest.raises(UnsupportedOperationError):  # asked again, the path needs it
        tape.gradient(z, x)


# ------------------------------------------------------------------------------ bound names


def test_rebound_after_a_read():
    with gt.GradientTape() as tape:
        x = tape.watch(2.0)
        y = x * x
        x = x + 1.0
    told(tape, y, x, "rebound", "x = x + 1.0", "name of its own")


def test_rebound_on_one_line():
    with gt.GradientTape() as tape:
        x = tape.watch(2.0)
        y = x * 2.0; x = x + 1.0  # fmt: skip # noqa: E702
    found = told(tape, y, x, "rebound", "y = x * 2.0; x = x + 1.0", "name of its own")
    assert "was computed from the earlier one" in found.cause


def test_rebound_on_the_line_of_with():
    with gt.GradientTape() as tape: x = tape.watch(2.0); y = x * 2.0; x = x + 1.0  # fmt: skip # noqa: E701, E702
    found = told(tape, y, x, "rebound", "x = x + 1.0", "name of its own")
    assert "was computed from the earlier one" in found.cause


def test_another_name_on_a_line_with_a_rebinding_is_none():
    with gt.GradientTape() as tape:
        x = tape.watch(2.0)
        y = x * 2.0
        z = x + 1.0; x = x + 2.0  # fmt: skip # noqa: E702
    assert tape.explain(y, z).kind == "no dependence"
    assert tape.explain(y, x).kind == "rebound"


def test_a_variable_made_anew_after_the_tape():
    v = gt.Variable(2.0)
    with gt.GradientTape() as tape:
        y = v * 2.0
    v = gt.Variable(3.0)
    found = told(tape, y, v, "rebound", "v = gt.Variable(3.0)", "again")
    assert [p.source for p in found.path] == ["v = gt.Variable(3.0)", "v = gt.Variable(2.0)"]
    assert "is newer than" in found.cause
    assert "earlier" in found.cause


def test_a_notebook_cell_run_again():
    cells = ["w = gt.Variable([1.0, 2.0])",
             "with gt.GradientTape() as tape:\n    y = np.sum(w * w)"]  # fmt: skip
    room = {"gt": gt, "np": np}
    for i, cell in enumerate([*cells, cells[0]]):
        exec(compile(cell, f"<cell {i}>", "exec"), room)
    found = room["tape"].explain(room["y"], room["w"])
    assert (found.kind, found.certain) == ("rebound", True)
    assert "newer than" in found.cause
    assert "<cell 2>:1" in found.cause


def test_a_variable_that_is_merely_newer():
    a = gt.Variable(2.0)
    with gt.GradientTape(persistent=True) as tape:
        y = a * 2.0
        b = gt.Variable(3.0)
        b * 2.0
    found = told(tape, y, b, "no dependence", "b = gt.Variable(3.0)")
    assert "is newer than" in found.cause
    assert "earlier" not in found.cause


def test_an_update_that_makes_a_plain_tensor():
    w = gt.Variable(2.0)
    with gt.GradientTape() as tape:
        y = w * w
    w = w - 0.1 * tape.gradient(y, w)
    with gt.GradientTape() as tape:
        y = w * w
    told(tape, y, w, "rebound", "w = w - 0.1 *", "w -= step")


def test_an_intermediate_that_the_target_does_not_need_is_no_rebinding():
    with gt.GradientTape() as tape:
        x = tape.watch(2.0)
        y = x * x
        z = x + 1.0
    found = tape.explain(y, z)
    assert found.kind == "no dependence"


def test_assigned_values_are_not_connected():
    v, w = gt.Variable(2.0), gt.Variable(1.0, name="w")
    with gt.GradientTape() as tape:
        w.assign(v * 3.0)
        y = w * w
    told(tape, y, v, "assigned", "w.assign(v * 3.0)", "value itself")


def test_no_dependence():
    a, b = gt.Variable(1.0), gt.Variable(2.0)
    with gt.GradientTape() as tape:
        y = a * a
        b * 3.0
    found = tape.explain(y, b)
    assert (found.kind, found.certain) == ("no dependence", True)
    assert "1 recorded operation" in found.cause
    with pytest.warns(GradientWarning, match="no path from b"):
        assert tape.gradient(y, b) is None


def test_a_gradient_taken_outside_the_outer_tape():
    x = gt.Variable(3.0)
    with gt.GradientTape() as outer, gt.GradientTape() as inner:
        y = x * x
    g = inner.gradient(y, x)
    told(outer, g, x, "gradient taken outside", "g = inner.gradient(y, x)", "inside the outer")


# ------------------------------------------------------------------------------------ exits


def put_item(x):
    y = np.zeros(2)
    y[0] = x[0]
    return y


def put_slice(x):
    y = np.zeros(3)
    y[:2] = x
    return y[:2]


def put_copyto(x):
    y = np.zeros(2)
    np.copyto(y, x)
    return y


def put_out(x):
    y = np.zeros(2)
    np.multiply(x, 2.0, out=y)
    return y


EXITS = [
    ("float", lambda x: float(x[0]), "float(x[0])", "leave out float", True),
    ("int", lambda x: int(x[0] * 1000), "int(x[0] * 1000)", "leave out int", True),
    ("complex", lambda x: complex(x[0]).real, "complex(x[0])", "complex", False),
    ("asarray", lambda x: np.asarray(x), "np.asarray(x)", "leave out np.asarray", True),
    ("numpy", lambda x: x.numpy(), "x.numpy()", ".numpy()", True),
    ("item", lambda x: x[0].item(), "x[0].item()", ".item()", True),
    ("tolist", lambda x: x.tolist()[1], "x.tolist()", ".tolist()", True),
    ("array", lambda x: np.array([x[0], x[1]]), "np.array([", "gt.array", False),
    ("full", lambda x: np.full(2, x[0]), "np.full(", "gt.full", False),
    ("r_", lambda x: np.r_[x, x][:2], "np.r_[x, x]", "gt.concatenate", False),
    ("c_", lambda x: np.c_[x, x], "np.c_[x, x]", "gt.stack", False),
    ("vectorize", lambda x: np.vectorize(math.sin)(x), "np.vectorize", "whole arrays", False),
    ("list sum", lambda x: np.sum([x[0], x[1]]), "np.sum([", "np.sum(gt.stack([...]))", False),
    ("list sqrt", lambda x: np.sqrt([x[0]]), "np.sqrt([", "np.sqrt(gt.stack([...]))", False),
    ("dot", lambda x: np.ones(2).dot(x), "np.ones(2).dot(x)", "np.dot(array, x)", False),
    ("normal", lambda x: np.random.default_rng(0).normal(x), ".normal(x)", "size=x.shape", False),
    ("math", lambda x: math.sin(x[0]), "math.sin", "np.sin", False),
    ("math name", lambda x: math.atan2(x[0], 2.0), "math.atan2", "np.arctan2", False),
    ("item store", put_item, "y[0] = x[0]", "gt.zeros", True),
    ("slice store", put_slice, "y[:2] = x", "gt.zeros", True),
    ("copyto", put_copyto, "np.copyto(y, x)", "gt.zeros", True),
    ("out", put_out, "np.multiply(x, 2.0, out=y)", "make `out` a Tensor", True),
]  # fmt: skip


@pytest.mark.parametrize(
    ("leave", "line", "remedy", "certain"), [row[1:] for row in EXITS], ids=[r[0] for r in EXITS]
)
def test_exit(leave, line, remedy, certain):
    w = gt.Variable(2.0)
    with gt.GradientTape(persistent=True) as tape:
        x = tape.watch(np.array([1.25, 2.75]))
        y = np.sum(w * leave(x))
    assert tape.gradient(y, w) is not None
    told(tape, y, x, "exit", line, remedy, certain)


def test_of_several_exits_the_one_that_came_back_is_named():
    w = gt.Variable(2.0)
    history = []
    with gt.GradientTape(persistent=True) as tape:
        x = tape.watch(np.array([1.25, 2.75]))
        scale = 2.0 * float(x[0])
        history.append(float(x[1]))
        y = w * scale
    told(tape, y, x, "exit", "scale = 2.0 * float(x[0])", "leave out float", certain=False)


def test_frompyfunc():
    sine = np.frompyfunc(math.sin, 1, 1)
    for value in (0.25, np.array([0.25, 0.5])):
        with gt.GradientTape() as tape:
            x = tape.watch(value)
            y = sine(x)
            z = np.sum(y * 2.0) if isinstance(y, gt.Tensor) else gt.array(y) * 2.0
        found = tape.explain(z, x)
        assert found.kind == "exit"
        assert "whole arrays" in found.remedy
        assert found.path[0].source == "y = sine(x)"
        with pytest.warns(GradientWarning, match="frompyfunc"):
            tape.gradient(z, x)


def test_frompyfunc_of_what_is_no_number_leaves_as_objects():
    text = np.frompyfunc(str, 1, 1)
    count = np.frompyfunc(lambda v: int(v), 1, 1)
    with gt.GradientTape() as tape:
        x = tape.watch(np.array([1.25, 2.5]))
        words = text(x)
        n = count(x)
        y = np.sum(x * n)
    assert type(words) is np.ndarray
    assert list(words) == ["1.25", "2.5"]
    assert n.dtype.kind == "i"
    np.testing.assert_array_equal(quiet(tape, y, x), [1.0, 2.0])  # a step has no slope
    with gt.GradientTape(strict=True) as tape:
        x = tape.watch(np.array([1.25, 2.5]))
        with pytest.raises(gt.errors.ExitError, match=r"frompyfunc(.|\n)*whole arrays"):
            count(x)


def test_a_plain_target_says_where_it_left():
    x = gt.Variable(2.0)
    with gt.GradientTape() as tape:
        loss = float(x * x)
    with pytest.raises(DTypeError, match=r"(?s)float.*test_reasons.py.*float\(x \* x\)"):
        tape.gradient(loss, x)
    assert tape.explain(loss, x).certain


def test_a_value_that_left_only_to_be_shown_is_not_blamed():
    a, b = gt.Variable(1.5), gt.Variable(2.5)
    lines = []
    with gt.GradientTape() as tape:
        print(float(b))
        text = f"{float(b):.3f}"
        lines.append(text)
        print("a and b", float(a), float(b * 2))
        y = a * a
    assert tape.explain(y, b).kind == "no dependence"
    assert lines == ["2.500"]
    with pytest.warns(GradientWarning, match="needs none"):
        tape.gradient(y, b)


def test_a_loss_shown_after_it_was_computed_is_not_blamed():
    a, b = gt.Variable(1.5), gt.Variable(2.5)
    with gt.GradientTape() as tape:
        y = a * 2.0
        history = [float(b * 3.0)]
    assert history == [7.5]
    assert tape.explain(y, b).kind == "no dependence"


# ---------------------------------------------------------------------------------- partial


def partial(tape, target, source, *lines, certain=True):
    """The gradient is a part, and the warning names both lines."""
    found = tape.explain(target, source)
    assert (found.kind, found.certain) == ("partial", certain), found
    for line, position in zip(lines, found.path, strict=True):
        assert line in position.source
        assert f"test_reasons.py:{position.line}" in found.cause
    with pytest.warns(ExitWarning, match="part of the whole") as caught:
        assert tape.gradient(target, source) is not None
    assert str(found) in [str(w.message) for w in caught]
    return found


def test_partial_through_float():
    a, x = gt.Variable(2.5), gt.Variable(3.0)
    with gt.GradientTape(persistent=True) as tape:
        left = float(a)
        loss = a * x + left * x
    partial(tape, loss, a, "left = float(a)", "loss = a * x + left * x")
    assert float(quiet(tape, loss, x)) == 5.0  # x lost nothing


def test_partial_on_one_line():
    a, x = gt.Variable(2.0), gt.Variable(3.0)  # also where the value is a small integer
    with gt.GradientTape(persistent=True) as tape:
        loss = a * x + float(a) * x
    partial(tape, loss, a, "float(a)", "float(a)")


def test_partial_through_an_array_and_a_view_of_it():
    with gt.GradientTape(persistent=True) as tape:
        x = tape.watch(np.array([1.25, 2.5, 3.75]))
        plain = np.asarray(x)
        loss = np.sum(x[:2] * plain[1:])
    partial(tape, loss, x, "plain = np.asarray(x)", "loss = np.sum(x[:2] * plain[1:])")


def test_partial_through_a_store():
    y = np.zeros(2)
    with gt.GradientTape(persistent=True) as tape:
        x = tape.watch(np.array([1.25, 2.5]))
        y[0] = x[0]
        loss = np.sum(x * y)
    partial(tape, loss, x, "y[0] = x[0]", "loss = np.sum(x * y)")


def test_partial_through_a_copy_is_possible():
    with gt.GradientTape(persistent=True) as tape:
        x = tape.watch(np.array([1.25, 2.5]))
        c = np.array([x[0], x[1]])
        loss = np.sum(x * c)
    partial(tape, loss, x, "c = np.array([x[0], x[1]])", "loss = np.sum(x * c)", certain=False)


def test_partial_through_an_equal_number_is_possible():
    a = gt.Variable(2.5)
    with gt.GradientTape(persistent=True) as tape:
        c = np.float64(float(a))
        loss = a * c
    found = partial(tape, loss, a, "c = np.float64(float(a))", "loss = a * c", certain=False)
    assert "equal value" in found.cause


def test_partial_through_math_is_possible():
    a = gt.Variable(2.5)
    with gt.GradientTape(persistent=True) as tape:
        loss = a * math.sin(a)
    found = partial(tape, loss, a, "math.sin(a)", "loss = a * math.sin(a)", certain=False)
    assert "np.sin" in found.remedy


def test_partial_after_the_tape_was_used_up():
    a = gt.Variable(2.5)
    with gt.GradientTape() as tape:
        loss = a * float(a)
    with pytest.warns(ExitWarning):
        assert float(tape.gradient(loss, a)) == 2.5
    assert tape.explain(loss, a).kind == "partial"


def test_a_value_that_comes_back_into_something_else_is_no_matter():
    a, x = gt.Variable(2.5), gt.Variable(3.0)
    with gt.GradientTape() as tape:
        x * float(a)  # not in the loss
        loss = a * x
    assert float(quiet(tape, loss, a)) == 3.0


def test_equal_literals_and_small_integers_are_not_blamed():
    a, b = gt.Variable(0.5), gt.Variable(2.0)
    with gt.GradientTape() as tape:
        seen = [float(a), float(b)]
        loss = 0.5 * a + 2.0 * b + b ** np.float64(2.0)
    assert seen == [0.5, 2.0]
    quiet(tape, loss, [a, b])


def test_an_array_that_was_overwritten_is_not_blamed():
    buffer = np.zeros(2)
    with gt.GradientTape() as tape:
        x = tape.watch(np.array([1.25, 2.5]))
        buffer[:] = x
        buffer[:] = 7.0
        loss = np.sum(x * buffer)
    np.testing.assert_array_equal(quiet(tape, loss, x), [7.0, 7.0])


# -------------------------------------------------- partial without an exit: a part not followed


def cut(tape, target, source, *lines, remedy="", certain=True):
    """As `partial`, for a part of the target that was computed where no tape followed it."""
    found = tape.explain(target, source)
    assert (found.kind, found.certain) == ("partial", certain), found
    assert "exact" not in str(found)
    assert remedy in found.remedy
    for line, position in zip(lines, found.path, strict=True):
        assert line in position.source
        assert f"test_reasons.py:{position.line}" in found.cause
    with pytest.warns(GradientWarning, match="part of the whole") as caught:
        assert tape.gradient(target, source) is not None
        assert tape.gradient(target, [source])[0] is not None
    assert [str(w.message) for w in caught] == [str(found)] * 2
    return found


def test_partial_because_it_was_used_before_it_was_watched():
    x = gt.array([1.0, 2.0])
    with gt.GradientTape(persistent=True) as tape:
        early = x * 2.0
        tape.watch(x)
        loss = np.sum(early + x * 3.0)
    cut(tape, loss, x, "early = x * 2.0", "loss = np.sum", remedy="Watch it first")


@pytest.mark.parametrize("early", [np.sin, np.sum, lambda x: 2.0 * x, lambda x: x + x,
                                   lambda x: x[::-1], lambda x: x.reshape(2, 1)[0]])  # fmt: skip
def test_partial_before_the_watch_whatever_the_operation(early):
    x = gt.array([1.0, 2.0])
    with gt.GradientTape(persistent=True) as tape, gt.GradientTape():
        part = early(x)
        tape.watch(x)
        loss = np.sum(part * x)
    assert tape.explain(loss, x).kind == "partial"
    with pytest.warns(GradientWarning, match="part of the whole"):
        tape.gradient(loss, x)


def test_partial_through_another_thread():
    found = []
    with gt.GradientTape(persistent=True) as tape:
        x = tape.watch(np.array([1.0, 2.0]))
        h = x * 2.0
        worker = threading.Thread(target=lambda: found.append(h * 3.0))
        worker.start()
        worker.join()
        loss = np.sum(found[0] + x)
    cut(tape, loss, x, "found.append(h * 3.0)", "loss = np.sum", remedy="in that thread")


def test_partial_through_stop_recording():
    w = gt.Variable([1.0, 2.0])
    with gt.GradientTape(persistent=True) as tape:
        with tape.stop_recording():
            norm = np.sum(w * w)
        loss = np.sum(w / norm)
    cut(tape, loss, w, "norm = np.sum(w * w)", "loss = np.sum(w / norm)", remedy="out of the")


def test_partial_through_what_was_computed_before_the_tape_is_possible():
    w = gt.Variable([1.0, 2.0])
    norm = np.sum(w * w)
    with gt.GradientTape(persistent=True) as tape:
        loss = np.sum(w / norm)
    found = cut(tape, loss, w, "norm = np.sum(w * w)", "loss = np.sum(w / norm)", certain=False)
    assert "not assigned in between" in found.cause


def test_partial_through_a_gradient_taken_outside():
    with gt.GradientTape(persistent=True) as outer:
        x = outer.watch(np.array([1.0, 2.0]))
        with gt.GradientTape() as inner:
            inner.watch(x)
            y = np.sum(x**3)
    g = inner.gradient(y, x)
    with outer:
        loss = np.sum(g * x)
    cut(outer, loss, x, "g = inner.gradient(y, x)", "loss = np.sum(g * x)", remedy="inside")


def test_a_tape_that_is_used_once_warns_of_a_part_too():
    w, b = gt.Variable([1.0, 2.0]), gt.Variable(0.5)
    with gt.GradientTape() as tape:
        with tape.stop_recording():
            norm = np.sum(w * w)
        loss = np.sum(w / norm + b)
    with pytest.warns(GradientWarning, match="with respect to w is only a part"):
        tape.gradient(loss, [w, b])


def test_a_part_that_the_source_is_not_in_is_no_matter():
    w, v = gt.Variable([1.0, 2.0]), gt.Variable(3.0)
    scale = v * 2.0
    with gt.GradientTape(persistent=True) as tape:
        loss = np.sum(w * scale)
    quiet(tape, loss, w)
    quiet(tape, loss, [w])
    assert tape.explain(loss, w).kind == "connected"


MEANT = {
    "stop_gradient": lambda h: gt.stop_gradient(h),
    "value": lambda h: gt.value(h),
    "comparison": lambda h: np.where(h > 1.0, 2.0, 3.0),
    "mask": lambda h: (h > 1.0) * 2.0,
    "argmax": lambda h: np.arange(2.0)[gt.value(np.argmax(h))],
    "index": lambda h: gt.array([1.0, 2.0])[np.argmax(h)],
    "sign": lambda h: np.sign(h),
    "integers": lambda h: h.astype(int) * 1.0,
    "floor": lambda h: np.floor(h),
    "shape": lambda h: np.ones_like(h),
    "logical": lambda h: np.logical_not(h) * 1.0,
    "isfinite": lambda h: np.isfinite(h) * 1.0,
    "where": lambda h: np.where(np.isnan(h), 0.0, 1.0),
}


@pytest.mark.parametrize("how", MEANT)
@pytest.mark.parametrize("followed", [True, False])
def test_what_passes_no_derivative_on_is_no_missing_part(how, followed):
    w = gt.Variable([0.5, 2.0])
    before = w * 1.0
    with gt.GradientTape(persistent=True) as tape:
        h = w * 1.0 if followed else before
        loss = np.sum(w * w * MEANT[how](h))
    for sources in (w, [w]):
        quiet(tape, loss, sources)
    assert tape.explain(loss, w).kind in ("connected", "zero"), tape.explain(loss, w)


def test_constants_that_a_tape_saw_are_no_matter():
    data, w = gt.array(np.arange(6.0).reshape(3, 2)), gt.Variable([1.0, 2.0])
    for _ in range(3):
        with gt.GradientTape() as tape:
            x = (data - np.mean(data, axis=0))[1:]
            loss = np.sum((x @ w - data[0] * 2.0) ** 2)
        w -= 0.01 * quiet(tape, loss, [w])[0]


def test_a_momentum_loop_says_nothing():
    x, v = gt.array([1.0, 2.0]), 0.0
    w, m = gt.Variable([1.0, 2.0]), 0.0
    for _ in range(12):
        with gt.GradientTape() as tape:
            tape.watch(x)
            loss = np.sum(np.where(x > 0.0, x, 0.1 * x) ** 2 * w)
        dx, dw = quiet(tape, loss, [x, w])
        v, m = 0.9 * v + dx, 0.9 * m + dw
        x = x - 0.01 * v
        w -= 0.01 * m


# ---------------------------------------------------------------------------------- silence


def test_a_script_that_prints_its_loss_says_nothing(capsys):
    rng = np.random.default_rng(0)
    xs = rng.uniform(size=20)
    ys = 0.3 + 0.5 * xs
    w, b = gt.Variable(0.0), gt.Variable(0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(5):
            with gt.GradientTape() as tape:
                loss = np.sum((ys - (w * xs + b)) ** 2)
                print(float(loss))
                print(f"{float(w):.3f} {loss}")
            dw, db = tape.gradient(loss, [w, b])
            w -= 0.01 * dw
            b -= 0.01 * db
    assert len(capsys.readouterr().out.split()) == 15


def test_unconnected_gradients_given_is_silent():
    a, b = gt.Variable(1.0), gt.Variable(2.0)
    with gt.GradientTape() as tape:
        y = a * float(b)
    assert float(quiet(tape, y, b, unconnected_gradients="zero")) == 0.0


def test_unconnected_zero_still_warns_of_a_partial_gradient():
    a = gt.Variable(2.5)
    with gt.GradientTape() as tape:
        y = a * float(a)
    with pytest.warns(ExitWarning):
        tape.gradient(y, a, unconnected_gradients="zero")


def test_what_is_meant_is_silent():
    a, b = gt.Variable(2.5), gt.Variable(1.5)
    with gt.GradientTape(persistent=True) as tape:
        y = gt.stop_gradient(a) * b
        z = gt.value(a) * b + a * gt.value(a)
    assert quiet(tape, y, a) is None
    assert float(quiet(tape, z, a)) == 2.5
    assert tape.explain(y, a).kind == "stop_gradient"


def test_warned_once_per_place_and_again_elsewhere():
    a, b = gt.Variable(1.0), gt.Variable(2.0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(3):
            with gt.GradientTape() as tape:
                y = a * 2.0
            tape.gradient(y, b)
        assert len(caught) == 1
        with gt.GradientTape() as tape:
            y = a * 2.0
        tape.gradient(y, b)
        assert len(caught) == 2
    with pytest.raises(GradientWarning):
        warnings.simplefilter("error")
        with gt.GradientTape() as tape:
            y = a * 2.0
        tape.gradient(y, b)


# ------------------------------------------------------------------------------- gt.grad


def test_grad_says_when_a_path_broke():
    with pytest.warns(GradientWarning, match=r"(?s)math\.sin.*Zeros are returned"):
        assert gt.grad(lambda x: math.sin(x) * 2.0)(0.5) == 0.0
    with pytest.warns(ExitWarning, match="the argument"):
        assert gt.grad(lambda x: x * float(x))(2.5) == 2.5
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert gt.grad(lambda x: 3.0)(2.5) == 0.0  # constant: zeros are the gradient


# --------------------------------------------------------------- several causes in one value


def test_both_operands_of_an_operation_outside_the_tape_are_told():
    a, b, c = gt.Variable(1.5), gt.Variable(2.5), gt.Variable(3.5)
    y = a * b
    y = np.stack([y, c])
    with gt.GradientTape(persistent=True) as tape:
        z = np.sum(y * 2.0)
    for source in (a, b, c):
        assert tape.explain(z, source).kind == "tape not active", tape.explain(z, source)


def test_both_sides_of_a_comparison_and_of_a_chain_of_masks_are_told():
    a, b, c = gt.Variable([1.5]), gt.Variable([2.5]), gt.Variable([3.5])
    with gt.GradientTape(persistent=True) as tape:
        h = np.where(a < b, 1.0, 0.0)
        y = np.sum(np.where(h < c, 1.0, 0.0))
    for source in (a, b, c):
        assert tape.explain(y, source).kind == "nondifferentiable", tape.explain(y, source)
