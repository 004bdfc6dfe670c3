"""What a tape says of a path that is there: norms, flat places, values that are not finite."""

import math
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import gradtape as gt

rng = np.random.default_rng(7)


def net():
    """Two layers, recorded: the tape, the loss, and what entered."""
    x, y = rng.normal(size=(32, 2)), rng.normal(size=32)
    w1 = gt.Variable(rng.normal(size=(2, 8)), name="w1")
    w2 = gt.Variable(rng.normal(size=(8, 1)), name="w2")
    tape = gt.GradientTape(persistent=True)
    with tape:
        loss = np.mean((np.tanh(x @ w1) @ w2)[:, 0] - y) * 3.0
    return tape, loss, x, w1, w2


def test_the_norms_along_a_path_are_those_of_the_chain_rule():
    tape, loss, x, w1, w2 = net()
    found = tape.explain(loss, w1)
    assert found.kind == "connected"
    assert [s.op for s in found.steps] == [
        "matmul", "tanh", "matmul", "getitem", "subtract", "mean", "multiply"]  # fmt: skip
    h = np.tanh(x @ w1.numpy())
    ct_h = np.full((32, 1), 3.0 / 32) @ w2.numpy().T
    ct_z = ct_h * (1 - h * h)
    tanh, first = found.steps[1], found.steps[0]
    np.testing.assert_allclose(tanh.incoming, np.linalg.norm(ct_h))
    np.testing.assert_allclose(tanh.outgoing, np.linalg.norm(ct_z))
    np.testing.assert_allclose(tanh.gain, np.linalg.norm(ct_z) / np.linalg.norm(ct_h))
    np.testing.assert_allclose(first.outgoing, np.linalg.norm(x.T @ ct_z))
    assert all(s.position.source.startswith("loss =") for s in found.steps)
    assert [s.shape for s in found.steps] == [(32, 8), (32, 8), (32, 1), (32,), (32,), (), ()]


def test_asking_uses_nothing_up_and_records_nothing():
    x = gt.Variable([1.0, 2.0])
    with gt.GradientTape() as outer, gt.GradientTape() as tape:
        y = np.sum(np.exp(x) * x)
        before = len(outer.summary().rows)
        tape.explain(y, x)
        tape.summary()
        tape.graph()
        assert len(outer.summary().rows) == before
    np.testing.assert_allclose(tape.gradient(y, x), np.exp([1.0, 2.0]) * [2.0, 3.0])


def test_after_the_consuming_gradient_it_says_that_the_norms_are_gone():
    x = gt.Variable([1.0, 2.0])
    with gt.GradientTape() as tape:
        y = np.sum(np.exp(x))
    tape.gradient(y, x)
    found = tape.explain(y, x)
    assert [s.op for s in found.steps] == ["exp", "sum"]
    assert all(math.isnan(s.gain) for s in found.steps)
    assert "test_explaining.py" in found.remark and "persistent=True" in found.remark


@pytest.mark.parametrize(
    "cut, op",
    [
        (lambda z: np.maximum(z, 0.0), "maximum"),
        (lambda z: np.minimum(z, -10.0), "minimum"),
        (lambda z: np.clip(z, 0.0, 1.0), "clip"),
        (lambda z: np.where(z > 0, z, 0.0), "where"),
        (lambda z: np.maximum(z, 0.0) ** 2, "maximum"),
    ],
)
def test_a_gradient_that_is_zero_by_a_kink_names_the_operation(cut, op):
    x = gt.Variable([-1.0, -2.0], name="x")
    with gt.GradientTape() as tape:
        y = np.sum(cut(3.0 * x))
    found = tape.explain(y, x)
    assert found.kind == "zero"
    assert "exactly 0" in found.fact
    assert "test_explaining.py" in str(found.path[0])
    flat = [s for s in found.steps if s.note == "nothing passes"]
    assert flat and flat[-1].op in (op, "square", "power")
    assert not tape.gradient(y, x).numpy().any()


def test_paths_that_cancel_are_no_kink():
    x = gt.Variable([1.0, 2.0])
    with gt.GradientTape() as tape:
        y = np.sum(x - x)
    found = tape.explain(y, x)
    assert found.kind == "zero" and "cancel" in found.cause


def test_the_first_value_that_is_not_finite_is_named_with_what_it_was_made_of():
    x = gt.Variable([1.0, -2.0], name="x")
    with np.errstate(all="ignore"), gt.GradientTape() as tape:
        logs = np.log(x)
        y = np.sum(np.exp(logs) * 2.0)
    found = tape.explain(y, x)
    assert found.kind == "not finite"
    assert "NaN" in found.fact
    assert "log" in found.cause and "-2 to 1" in found.cause
    assert found.path[0].source == "logs = np.log(x)"


def test_a_slope_that_is_not_finite_is_named_where_values_are():
    x = gt.Variable([1.0, 4.0])
    with gt.GradientTape() as tape:
        y = np.sum(np.sqrt(x - 1.0))
    found = tape.explain(y, x)
    assert found.kind == "not finite" and "slope of sqrt" in found.cause
    assert "infinite" in found.fact


def test_of_several_sources_each_is_explained_by_itself():
    x = gt.Variable(1.0)
    with gt.GradientTape() as tape:
        y = x * x
    assert "Ask for each by itself" in tape.explain(y, [x]).remedy


def test_an_overflow_on_another_path_is_found_and_no_slope_is_blamed():
    x = gt.Variable([1.0, 0.0], name="x")
    with np.errstate(all="ignore"), gt.GradientTape() as tape:
        large = np.exp(x * 800.0)  # keeps its result and not its operand
        y = np.sum(np.sqrt(x) * large)
    found = tape.explain(y, x)
    assert found.cause.startswith("The first value that is not finite is made by exp at ")
    assert found.cause.endswith("its result holds 1, 1 not finite.")
    assert found.remedy.startswith("Bound the exponent") and "check_numerics" in found.remedy


@pytest.mark.parametrize("where", ["data", "x"])
def test_what_was_not_finite_from_the_beginning_is_told_as_such(where):
    x = gt.Variable([1.0, np.nan if where == "x" else 2.0], name="x")
    data = np.array([3.0, np.nan if where == "data" else 4.0])
    with gt.GradientTape() as tape:
        y = np.sum((x * data) ** 2)
    found = tape.explain(y, x)
    said = "What enters multiply at " if where == "data" else "Variable 'x' "
    assert found.cause.startswith(said) and "1 not finite" in found.cause
    assert found.remedy.startswith("Look for it in the data")


@pytest.mark.parametrize("scale, note", [(1e-5, "vanishes"), (1e5, "explodes")])
def test_an_operation_that_changes_the_norm_a_thousandfold_is_marked(scale, note):
    x = gt.Variable([1.0, 2.0])
    with gt.GradientTape() as tape:
        y = np.sum(x * scale)
    (marked,) = [s for s in tape.explain(y, x).steps if s.note]
    assert (marked.op, marked.note) == ("multiply", note)


def test_of_several_paths_the_one_that_carries_most_is_shown():
    x = gt.Variable([1.0, 2.0])
    with gt.GradientTape() as tape:
        y = np.sum(1e-3 * np.sin(x) + np.exp(x))
    found = tape.explain(y, x)
    assert [s.op for s in found.steps] == ["exp", "add", "sum"]
    assert found.remark.startswith("2 paths")


def test_operations_with_several_results_and_views_are_on_the_path():
    x = gt.Variable(np.arange(6.0), name="x")
    with gt.GradientTape() as tape:
        left, right = np.split(x, 2)
        z = left.copy()
        z[0] = right[1] * 2.0
        y = np.sum(z * right)
    found = tape.explain(y, x)
    assert found.kind == "connected" and len(found.steps) >= 3
    assert all(s.incoming > 0 for s in found.steps)
    assert str(found) and found._repr_html_()


def test_a_rule_of_the_users_that_fails_is_said_and_not_raised():
    @gt.custom_gradient
    def odd(x):
        def back(g):
            raise ZeroDivisionError("no")

        return x * 2.0, back

    x = gt.Variable(1.0)
    with gt.GradientTape() as tape:
        y = odd(x) * 3.0
    found = tape.explain(y, x)
    assert found.kind == "connected" and "ZeroDivisionError: no" in found.remark


def test_the_summary_has_operation_line_shapes_time_and_bytes():
    x = gt.Variable(np.ones((3, 4), np.float32), name="x")
    with gt.GradientTape() as tape:
        y = np.exp(x)
        z = np.sum(y, axis=0)
    summary = tape.summary()
    assert [(r.op, r.shape, r.dtype, r.position.line - summary.rows[0].position.line)
            for r in summary.rows] == [
        ("exp", (3, 4), np.dtype("f4"), 0), ("sum", (4,), np.dtype("f4"), 1)]  # fmt: skip
    assert [repr(o) for o in summary.rows[0].operands] == ["float32[3,4]"]
    assert summary.rows[0].bytes == y.numpy().nbytes == summary.bytes
    assert all(0 < r.seconds < 1 for r in summary.rows)
    assert summary.sources == ("x",)
    text = str(summary)
    assert text.split("\n")[0].split()[-3:] == ["run", "again", "kept"]
    assert "48 B" in text and "2 operations" in text and "test_explaining.py" in text
    tape.gradient(z, x)
    after = tape.summary()
    assert after.bytes == 0 and "freed" in after.remark
    assert [(r.op, r.shape, r.dtype) for r in after.rows] == [
        (r.op, r.shape, r.dtype) for r in summary.rows]  # fmt: skip


def test_what_has_an_effect_is_not_run_again_for_its_time(capsys):
    calls = []

    @gt.custom_gradient
    def twice(x):
        calls.append("twice")
        return 2 * x, lambda ct: 2 * ct

    @gt.checkpoint
    def squared(x):
        calls.append("squared")
        return x * x

    @gt.function
    def compiled(x):
        gt.print("compiled")
        return x + gt.random.normal()

    x = gt.Variable(np.ones(3), name="x")
    with gt.GradientTape() as tape:
        y = np.sum(compiled(squared(twice(x))) * gt.random.normal(size=3))
        gt.print(y)
    drawn, before = gt.random._GLOBAL._stream.value, list(calls)
    capsys.readouterr()
    rows = {row.op: row.seconds for row in tape.summary().rows}
    assert calls == before
    assert np.array_equal(gt.random._GLOBAL._stream.value, drawn)
    assert capsys.readouterr() == ("", "")
    assert rows["sum"] > 0
    assert any(np.isnan(list(rows.values())))


def test_a_summary_takes_about_a_second_at_most(monkeypatch):
    from gradtape.tape import summary as module

    x = gt.Variable(np.ones(10))
    with gt.GradientTape() as tape:
        for _ in range(30):
            np.sin(x)
    monkeypatch.setattr(module, "_PATIENCE", 0.0)
    summary = tape.summary()
    assert len(summary.rows) == 30 and all(np.isnan(row.seconds) for row in summary.rows)
    assert "no more operations were run again" in str(summary)


def test_what_is_large_is_not_run_again(monkeypatch):
    from gradtape.tape import summary as module

    x = gt.Variable(np.ones(1000))
    with gt.GradientTape() as tape:
        y = np.sum(np.sin(x))
    tape.gradient(y, x)  # operands would have to be made anew
    assert not any(np.isnan(row.seconds) for row in tape.summary().rows)
    monkeypatch.setattr(module, "_LARGE", 15_000)
    sin, total = tape.summary().rows
    assert np.isnan(sin.seconds) and total.seconds > 0


@pytest.mark.parametrize("level", ["scalars", "standard", "full"])
@pytest.mark.parametrize("is_array", [False, True])
def test_a_recording_keeps_what_explain_shows_after_the_gradient(tmp_path, level, is_array):
    w = gt.Variable(np.ones(3) if is_array else 1.0, name="w")
    with gt.Recording(tmp_path / "run", level=level, progress=False):
        for _ in range(3):
            with gt.GradientTape() as tape:
                loss = np.sum(np.exp(w) ** 2)
            g = tape.gradient(loss, w)
            expected = g.numpy().copy()
            w.assign_sub(1e-3 * g)
    found = tape.explain(loss, w)
    assert [step.op for step in found.steps] == ["exp", "square", "sum"]
    if level == "scalars":  # keeps nothing beyond the gradient
        assert "freed the values" in found.remark and "record" in found.remark
        assert all(np.isnan(step.gain) for step in found.steps)
    else:
        assert found.remark == ""
        assert found.steps[0].outgoing == pytest.approx(np.linalg.norm(expected), rel=1e-12)
    with pytest.raises(gt.errors.TapeStateError):
        tape.gradient(loss, w)


def test_a_buffer_that_several_operations_keep_counts_once():
    x = gt.Variable(np.ones(100))
    with gt.GradientTape() as tape:
        np.sin(x)
        np.cos(x)
    assert tape.summary().bytes == 800


def test_the_graph_is_a_picture_with_every_operation():
    tape, _, _, _, _ = net()
    drawing = tape.graph()
    root = ET.fromstring(drawing.svg)
    svg = "{http://www.w3.org/2000/svg}"
    texts = [t.text for t in root.iter(f"{svg}text")]
    for title in ("w1", "w2", "matmul", "tanh", "mean", "constant"):
        assert title in texts
    assert all(i < place for place, box in enumerate(drawing.boxes) for i in box.inputs)
    rects = [(float(r.get("x")), float(r.get("y"))) for r in root.iter(f"{svg}rect")]
    assert len(rects) == len(drawing.boxes)
    for i, (x, y) in enumerate(rects):
        for other in rects[i + 1 :]:
            assert abs(x - other[0]) >= 132 or abs(y - other[1]) >= 46, "boxes overlap"


def test_a_long_tape_is_drawn_by_lines(tmp_path):
    x = gt.Variable(1.0)
    with gt.GradientTape() as tape:
        y = x
        for _ in range(1000):
            y = np.sin(y)
            y = y * 1.01 + 0.1
    assert len(tape.graph().boxes) == 2001
    assert len(tape.graph(collapse=False).boxes) == 3001
    tape.graph().save(tmp_path / "tape.svg")
    ET.parse(tmp_path / "tape.svg")
    assert "more" in str(tape.summary())
    assert "<table" in tape._repr_html_()


def test_text_of_the_users_is_escaped():
    x = gt.Variable([1.0, 2.0], name="<script>alert(1)</script>")
    with gt.GradientTape() as tape:
        y = np.sum(x)
    for text in (tape._repr_html_(), tape.explain(y, x)._repr_html_(), x._repr_html_()):
        assert "<script" not in text
    ET.fromstring(tape.graph().svg)


@pytest.mark.parametrize(
    "value",
    [3.0, [1.0, 2.0, 3.0], np.eye(5), np.zeros((0, 3)), np.ones((2, 3, 4)), [1 + 2j, 0, 1],
     [np.nan, 1.0, np.inf, 2.0], [np.nan] * 4, np.arange(100_000.0), np.ones((300, 200)),
     [1e308, 1e308, -1e308]],
)  # fmt: skip
def test_values_show_in_a_notebook(value):
    for shown in (gt.array(np.asarray(value)), gt.Variable(np.asarray(value), name="w")):
        text = shown._repr_html_()
        ET.fromstring(text)
        assert len(text) < 60_000
        assert str(np.asarray(value).dtype) in text


def test_a_number_between_gaps_is_a_dot():
    text = gt.array(np.array([np.nan, 1.0, np.inf, 2.0]))._repr_html_()
    path = ET.fromstring(text).find(".//{http://www.w3.org/2000/svg}path")
    assert path.get("d").count("h0") == 2 and path.get("stroke-linecap") == "round"


def test_the_last_error_is_told_with_its_line_and_what_stood_in_it():
    w = gt.Variable(np.ones((2, 3)), name="w")
    x = np.linspace(-1.0, 1.0, 12)
    try:
        w @ x
    except ValueError:
        found = gt.explain_last_error()
    assert found.error == "ShapeError" and found.position.source == "w @ x"
    assert [(o.name, o.kind) for o in found.operands] == [
        ("w", "Variable float64[2, 3]"), ("x", "ndarray float64[12]")]  # fmt: skip
    assert "-1 to 1" in str(found)
    assert f"> {found.position.line:4}" in str(found)
    assert found.remedy


def test_any_exception_is_told_and_no_exception_is_none():
    assert gt.explain_last_error() is None
    values = {"a": 1.0}
    count = 7
    try:
        values["b"] + count
    except KeyError as error:
        found = gt.explain_last_error(error)
    assert (found.error, found.position.source) == ("KeyError", 'values["b"] + count')
    assert "KeyError" in str(found)
