"""Fit, path, tape and inspector in a real browser, against what the record holds."""

import json
import re
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from gradtape.record.panels import fit, landscape, node, nodes, path, regions
from gradtape.record.reader import Reader
from gradtape.record.schema import FIELDS
from tests.viewer.browser import models
from tests.viewer.browser.chromium import Viewer
from tests.viewer.browser.test_page import cells_of, fact, number, settle, show, table

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("models")
    for make in models.ALL:
        make(root / make.__name__)
    models.line(root / "fast", steps=60, rate=0.1)
    return root


@pytest.fixture(scope="module")
def viewer(folder):
    served = Viewer(folder)
    yield served
    served.quit()


@pytest.fixture
def opened(request):
    """The run that a test names, its panel, and a step."""
    return request.param


@pytest.fixture
def record(folder, opened):
    with closing(Reader(folder / opened[0])) as reader:
        yield reader


@pytest.fixture
def page(browser, viewer, opened):
    """That run, its panel in the window, the cursor at the step."""
    name, panel, step = opened
    show(browser, viewer, name)
    go(browser, step)
    see(browser, panel)
    return browser


def run(*opened):
    name = "-".join(map(str, opened))
    return pytest.mark.parametrize("opened", [opened], indirect=True, ids=[name])


def go(browser, step):
    browser.fill(selector=".transport-entry input", text=str(step))
    browser.press(key="Enter")
    browser.wait(script=f"document.querySelector('#gt-scrubber').value === '{step}'")
    settle(browser)


def see(browser, panel):
    browser.evaluate(script=f"document.querySelector('#panel-{panel}').scrollIntoView()")
    browser.evaluate(script="new Promise((done) => setTimeout(done, 500))")
    settle(browser)


def told(browser, panel):
    """What a screen reader hears of the chosen point: its title, and names with their numbers."""
    text = browser.attribute(selector=f"#panel-{panel} .plane", name="aria-valuetext")
    title, _, rest = text.partition(". ")
    pairs = [part.rpartition(" ") for part in rest.split(", ")]
    return title, {name: number(value) for name, _, value in pairs}


# -- fit --------------------------------------------------------------------------------------


@run("line", "fit", 12)
def test_the_points_of_the_fit_are_read_one_by_one(page, record):
    row = record.row(12)
    order = np.argsort(models.X, kind="stable")
    page.focus(selector="#panel-fit .plane")
    for k in order[:3]:
        page.press(key="ArrowRight")
        title, values = told(page, "fit")
        prediction = row["value/slope"] * models.X[k] + row["value/intercept"]
        assert title == f"Point {k}"
        assert values == {"x": models.X[k], "y": models.Y[k], "prediction": prediction,
                          "residual": models.Y[k] - prediction}  # fmt: skip
    # Under the pointer, too: the last of these points, where the picture has it.
    place = page.evaluate(script="""(() => {
        const box = document.querySelector('#panel-fit .plane').getBoundingClientRect();
        const mark = document.querySelector('#panel-fit .plane-chosen circle')
            .getBoundingClientRect();
        return [mark.x - box.x + mark.width / 2, mark.y - box.y + mark.height / 2]; })()""")
    page.press(key="Escape")
    page.wait(script="!document.querySelector('#panel-fit .tip')")
    page.hover(selector="#panel-fit .plane", x=place[0], y=place[1])
    assert page.texts(selector="#panel-fit .tip dd")[:2] == [
        str(float(array[k])).replace("-", "\u2212") for array in (models.X, models.Y)
    ]
    # The time cursor is not what these keys move.
    assert page.evaluate(script="document.querySelector('#gt-scrubber').value") == "12"


@run("line", "fit", 12)
def test_the_curve_and_its_ghosts_are_the_model_of_their_steps(page, record):
    page.wait(script="document.querySelectorAll('#panel-fit .fit-ghost').length === 5")

    def ends(selector):
        """Ordinates of the first and last point of a curve, on the screen."""
        lines = page.evaluate(script=f"""[...document.querySelectorAll({json.dumps(selector)})]
            .map((one) => one.getAttribute('d'))""")
        found = [re.findall(r"[ML]([\d.-]+) ([\d.-]+)", line) for line in lines]
        return [(float(points[0][1]), float(points[-1][1])) for points in found]

    def line(step):
        row = record.row(step)
        x = np.array([models.X.min(), models.X.max()])
        return row["value/slope"] * x + row["value/intercept"]

    # One scale for all of them: found from the curve, tested on the ghosts.
    (now,) = ends("#panel-fit .fit-curve")
    a, b = line(12)
    slope = (now[1] - now[0]) / (b - a)
    ghosts = ends("#panel-fit .fit-ghost")
    steps = [0, 1, 2, 4, 7]  # of a run of 40: ever farther apart
    for step, ghost in zip(steps, ghosts, strict=True):
        np.testing.assert_allclose(ghost, now[0] + slope * (line(step) - a), atol=0.2)
    assert page.count(selector="#panel-fit .fit-residuals") == 1


@run("line", "fit", 39)
def test_predicted_against_true_and_the_residuals(page, record):
    row = record.row(39)
    prediction = row["value/slope"] * models.X + row["value/intercept"]
    page.click(selector="#panel-fit .segmented button:nth-child(2)")
    assert page.count(selector="#panel-fit .fit-diagonal") == 1
    page.focus(selector="#panel-fit .plane")
    page.press(key="End")
    title, values = told(page, "fit")
    k = int(np.argmax(models.Y))
    assert (title, values["prediction"]) == (f"Point {k}", prediction[k])
    page.click(selector="#panel-fit .segmented button:nth-child(3)")
    page.focus(selector="#panel-fit .plane")
    counts, edges = np.histogram(models.Y - prediction, bins=10)
    for k in range(10):
        page.press(key="ArrowRight")
        title, values = told(page, "fit")
        assert int(title.split()[0]) == counts[k]
        np.testing.assert_allclose([values["from"], values["to"]], edges[k : k + 2])


@run("line", "fit", 12)
def test_the_table_behind_the_fit_has_every_point(page, record):
    head, *rows = table(page, "fit")
    assert head == ["x", "y", "prediction", "residual"]
    shown = np.array([[number(cell) for cell in cells] for cells in rows])
    order = np.argsort(models.X, kind="stable")
    np.testing.assert_array_equal(shown[:, 0], models.X[order])
    np.testing.assert_array_equal(shown[:, 1], models.Y[order])
    np.testing.assert_array_equal(shown[:, 3], shown[:, 1] - shown[:, 2])


@run("fast", "fit", 40)
def test_a_curve_that_left_the_picture_is_said(page, record):
    text = page.text(selector="#panel-fit .panel-note")
    assert text.startswith("The curve lies outside of the picture, from ")
    _, (*_, curve) = fit(record, 40)
    low = number(text.split("from ")[1].split(" to ")[0])
    assert low == pytest.approx(curve.min(), rel=1e-3)


@run("plane", "fit", 20)
def test_a_slice_is_chosen_among_several_inputs(page, record):
    selector = "#panel-fit .fit-slice"
    header, _ = fit(record, 20)
    assert page.texts(selector=f"{selector} option") == header["inputs"]
    held = page.evaluate(script=f"""[...document.querySelectorAll('{selector} input')]
        .map((one) => Number(one.value))""")
    np.testing.assert_allclose(held, np.median(models.ROWS[:, 1:], axis=0), rtol=1e-5)
    page.choose(selector=f"{selector} select", value="2")
    page.wait(script=f"document.querySelector('#panel-fit .plane-title').textContent"
                     f" === {json.dumps(header['inputs'][2])}")  # fmt: skip
    page.fill(selector=f"{selector} label:nth-child(2) input", text="1.5")
    page.press(key="Tab")
    settle(page)
    page.evaluate(script="new Promise((done) => setTimeout(done, 400))")
    # The line that is drawn: w[2] is its slope, whatever the others are held at.
    points = page.attribute(selector="#panel-fit .fit-curve", name="d")
    ends = [tuple(map(float, p)) for p in re.findall(r"[ML]([\d.-]+) ([\d.-]+)", points)]
    _, (x, _, _, cx, cy) = fit(record, 20, slice=2, at={0: 1.5})
    w, b = record.array("value/w", 20)[0], record.row(20)["value/b"]
    expected = 1.5 * w[0] + np.median(models.ROWS[:, 1]) * w[1] + cx * w[2] + b
    np.testing.assert_allclose(cy, expected, rtol=1e-12)
    per_unit = (ends[-1][1] - ends[0][1]) / (cy[-1] - cy[0])
    for (_, y), value in list(zip(ends, cy, strict=True))[::40]:
        assert y == pytest.approx(ends[0][1] + per_unit * (value - cy[0]), abs=0.2)


@run("rings", "fit", 59)
def test_decision_regions_of_a_classifier(page, record):
    header, (u, label, p, v, _) = fit(record, 59)
    first, second = header["inputs"]
    right = int(np.sum((p >= 0.5) == (label == 1)))
    assert page.text(selector="#panel-fit .panel-status") == f"{right} points of 90 right"
    page.wait(script="document.querySelector('#panel-fit .fit-boundary')")
    marks = page.evaluate(script="""[...document.querySelectorAll('#panel-fit .dots')]
        .map((one) => [one.getAttribute('d'), one.getAttribute('fill')])""")
    assert len(marks) == 2 and marks[0][1] != marks[1][1]
    # Classes differ by shape, not by colour alone: circles are arcs, triangles lines.
    assert marks[0][0].count("a") == 2 * 45 and marks[0][0].count("L") == 0
    assert marks[1][0].count("L") == 2 * 45 and marks[1][0].count("a") == 0
    page.focus(selector="#panel-fit .plane")
    page.press(key="ArrowRight")
    title, values = told(page, "fit")
    assert title.startswith("Point 0, class 0")
    assert values == {first: u[0], second: v[0], "prediction": p[0]}
    page.keep("regions")


@run("three", "fit", 39)
def test_regions_of_three_classes_lie_side_by_side(page, record):
    header, (values, _) = regions(record, 39, 56)
    assert header["classes"] == [0, 1, 2] and set(values) == {0, 1, 2}
    page.wait(script="document.querySelectorAll('#panel-fit .fit-band').length === 3")
    areas = page.evaluate(script="""[...document.querySelectorAll('#panel-fit .fit-band')]
        .map((one) => one.getBBox()).map(({ width, height }) => width * height)""")
    assert min(areas) > 1000
    assert page.texts(selector="#panel-fit .shapes li")[:3] == ["class 0", "class 1", "class 2"]
    assert page.count(selector="#panel-fit .fit-boundary") == 0
    _, (_, label, place, _, _) = fit(record, 39)
    named = page.evaluate(script="""[...document.querySelectorAll('#panel-fit .fit-region')]
        .map((one) => one.textContent)""")
    assert named == ["class 0", "class 1", "class 2"]
    right = int(np.sum(place == label))
    assert page.text(selector="#panel-fit .panel-status") == f"{right} points of 90 right"
    page.click(selector="#panel-fit .segmented button:has-text('Right and wrong')")
    counts = page.evaluate(script=cells_of("#panel-fit .confusion tbody tr"))
    assert counts == [
        [str(k), *(str(int(np.sum((label == k) & (place == j)))) for j in range(3))]
        for k in range(3)
    ]


@run("pair", "fit", 7)
def test_of_two_costs_one_is_chosen_and_the_panels_are_about_it(page, record):
    first, second = record.costs()
    row = record.row(7)
    assert number(fact(page, "Cost here")) == row[first.column]
    told_first = page.text(selector="#panel-fit .panel-status")
    page.wait(script="document.querySelector('#panel-cost .verdict')")
    note = page.text(selector="#panel-cost .verdict > :last-child")
    assert note.startswith("Note\nEach step has 2 costs.") and second.name in note
    page.choose(selector="[aria-label='Which cost']", value="1")
    before = json.dumps(told_first)
    status = "document.querySelector('#panel-fit .panel-status')"
    page.wait(script=f"({status}?.textContent ?? {before}) !== {before}")
    settle(page)
    assert number(fact(page, "Cost here")) == row[second.column]
    _, (_, y, prediction, *_) = fit(record.of_cost(1), 7)
    off = float(page.text(selector="#panel-fit .panel-status").split()[-1])
    assert off == pytest.approx(np.sqrt(np.mean((y - prediction) ** 2)), rel=1e-3)
    labels = page.texts(selector="#panel-cost .legend button span:not(.number)")
    assert labels == [first.name, second.name]
    page.keep("two-costs")


@run("fast", "cost", 40)
def test_a_run_that_is_wrong_but_finite_leads_to_what_is_wrong(page, record):
    assert not record.events(kind="nonfinite")
    page.wait(script="document.querySelector('.banner')")
    banner = page.text(selector=".banner")
    assert banner.startswith("Learning rate too high at models.py:")
    assert "Use a learning rate below" in banner
    page.click(selector=".banner button")
    page.wait(script="document.querySelector('#panel-alarms .alarm h3')?.textContent"
                     ".startsWith('Learning rate too high')")  # fmt: skip


# -- path -------------------------------------------------------------------------------------


@run("line", "path", 7)
def test_the_path_of_two_parameters_is_exact(page, record):
    assert page.text(selector="#panel-path .panel-status") == "two parameters, exact"
    readings = page.evaluate(script="""Object.fromEntries([...document.querySelectorAll(
        '#panel-path .readings > div')].map((one) => [one.querySelector('dt').textContent,
        one.querySelector('dd').title || one.querySelector('dd').textContent]))""")
    now, after = record.row(7), record.row(8)
    gradient = np.hypot(now["grad/slope"], now["grad/intercept"])
    moved = np.hypot(*(after[f"value/{k}"] - now[f"value/{k}"] for k in ("slope", "intercept")))
    assert readings["step"] == "7"
    assert number(readings["gradient's length"]) == pytest.approx(gradient, rel=1e-12)
    assert number(readings["step's length"]) == pytest.approx(moved, rel=1e-9)
    assert number(readings["step / gradient"]) == pytest.approx(1e-3, rel=1e-3)
    for part in (".path-end circle", ".path-end rect", ".path-cursor", ".path-down"):
        assert page.count(selector=f"#panel-path {part}") == 1, part
    page.wait(script="document.querySelectorAll('#panel-path .path-contours path').length > 8")
    header, _ = landscape(record, 48)
    assert header["exact"]
    page.keep("path")


@run("line", "path", 7)
def test_arrow_keys_move_the_cursor_along_the_path(page, record):
    page.focus(selector="#panel-path .plane")
    page.press(key="ArrowRight")
    assert page.evaluate(script="document.querySelector('#gt-scrubber').value") == "8"
    title, values = told(page, "path")
    row = record.row(8)
    header, _ = path(record)
    assert title == "Step 8"
    for axis in header["axes"]:
        assert values[axis] == row[f"value/{axis}"]


@run("rings", "path", 30)
def test_of_more_parameters_the_share_of_the_plane_is_said(page, record):
    header, (_, u, v, gu, gv) = path(record)
    share = 100 * sum(header["explained"][:2])
    text = page.text(selector="#panel-path .panel-status")
    assert number(text.split(": ")[1].split(" %")[0]) == pytest.approx(share, rel=5e-3)
    assert "A slice of the cost" in page.text(selector="#panel-path .panel-note")
    head, *rows = table(page, "path")
    shown = np.array([[number(cell) for cell in cells] for cells in rows])
    np.testing.assert_array_equal(shown.T, [np.arange(60), u, v, gu, gv])


# -- the tape ---------------------------------------------------------------------------------


def boxes(browser):
    """What a screen reader hears of each box."""
    return browser.evaluate(script="""[...document.querySelectorAll('#panel-tape g.box')]
        .map((one) => one.getAttribute('aria-label'))""")


def box(browser, name):
    (found,) = [text for text in boxes(browser) if re.match(rf"{name}\b", text)]
    return found


@run("line", "tape", 5)
def test_the_graph_shows_values_and_cotangents_at_the_cursor(page, record):
    for step in (5, 6):
        go(page, step)
        row = record.row(step)
        page.wait(script=f"document.querySelector('#panel-tape .panel-note')"
                         f" && !document.querySelector('#panel-tape[aria-busy=true]') && {step}")
        found = box(page, "slope")
        assert number(found.split("value ")[1].split(",")[0]) == row["value/slope"]
        assert number(box(page, "mean").split("value ")[1].split(",")[0]) == row["cost"]
    assert len(boxes(page)) == 9
    page.click(selector="#panel-tape .panel-actions .segmented button:nth-child(2)")
    settle(page)
    found = box(page, "slope")
    assert number(found.split("cotangent ")[1].split(",")[0]) == pytest.approx(
        record.row(6)["grad/slope"], rel=1e-12)  # fmt: skip
    page.click(selector="#panel-tape .panel-actions .segmented button:nth-child(1)")


@run("line", "tape", 5)
def test_a_box_leads_to_its_numbers_and_its_source_line(page, record):
    page.click(selector="#panel-tape g.box[aria-label^=square]")
    page.wait(script="document.querySelector('#panel-tape .source-view .is-here')")
    assert page.text(selector="#panel-tape .source-view .is-here code").strip() == (
        "return np.mean(np.square(prediction - y))")  # fmt: skip
    _, (matrix,) = nodes(record, 5)
    graph = record.graph(5)
    (id,) = [node["id"] for node in graph["nodes"] if node["op"] == "square"]
    shown = page.evaluate(script="""[...document.querySelectorAll('#panel-tape .sides td')]
        .map((one) => one.title).filter(Boolean)""")
    expected = [matrix[id, FIELDS.index(prefix + field)]
                for field in ("min", "max", "mean", "norm", "zeros", "nonfinite")
                for prefix in ("", "ct_")]  # fmt: skip
    np.testing.assert_array_equal([number(text) for text in shown], expected)
    assert graph["nodes"][id]["rule"] in page.text(selector="#panel-tape .rule")
    # And back: a line that made operations leads to the first of them.
    lines = page.texts(selector="#panel-tape .source-view button.line-number")
    assert [int(text) for text in lines] == sorted(
        {node["line"] for node in graph["nodes"] if node["kind"] == "op"})  # fmt: skip
    page.click(selector="#panel-tape .source-view button.line-number")
    page.wait(script="document.querySelector('#panel-tape .detail h3').textContent"
                     ".startsWith('multiply')")  # fmt: skip


@run("line", "tape", 5)
def test_the_backward_pass_is_played_operation_by_operation(page, record):
    order = []
    page.focus(selector="#panel-tape .replay button")
    for _ in range(5):
        page.press(key="ArrowRight")
        settle(page)
        order.append(page.text(selector="#panel-tape .moment h3").split()[0])
        if len(order) == 1:
            hidden = box(page, "slope")
            assert "cotangent" not in hidden, "not reached yet"
    assert order == ["mean", "square", "subtract", "add", "multiply"]
    assert page.count(selector="#panel-tape g.box.is-now") == 1
    assert page.attribute(selector="#panel-tape g.box.is-now", name="aria-label").startswith("mult")
    text = page.text(selector="#panel-tape .moment")
    assert "d(x * y) = y dx + x dy" in text
    gradient = page.texts(selector="#panel-tape .moment dd")[-1]
    assert number(gradient) == pytest.approx(record.row(5)["grad/slope"], rel=1e-12)
    # Arrow keys played the pass and left the time cursor where it was.
    assert page.evaluate(script="document.querySelector('#gt-scrubber').value") == "5"
    page.keep("backwards")
    page.press(key="ArrowLeft")
    assert page.text(selector="#panel-tape .moment h3").split()[0] == "add"
    page.click(selector="#panel-tape [aria-label='End the backward pass']")


@run("line", "tape", 5)
def test_boxes_are_reached_by_keyboard(page):
    page.focus(selector="#panel-tape g.box[tabindex='0']")
    for key, name in (("ArrowUp", "square"), ("ArrowUp", "subtract"), ("ArrowDown", "square")):
        page.press(key=key)
        label = "document.activeElement.getAttribute('aria-label')"
        page.wait(script=f"{label}?.startsWith('{name} ')")
    page.press(key="Enter")
    assert page.text(selector="#panel-tape .detail h3").startswith("square")
    before = page.attribute(selector="#panel-tape .graph svg > g", name="transform")
    page.press(key="+")
    zoomed = page.attribute(selector="#panel-tape .graph svg > g", name="transform")
    page.press(key="0")
    assert zoomed != before
    # Of two functions, the one in which the focus is closes.
    page.press(key="[")
    page.wait(script="document.querySelector('#panel-tape g.box.is-group')")
    assert [text for text in boxes(page) if "closed function" in text] == [
        "mean_square 3 ops, a closed function"]  # fmt: skip


@run("deep", "tape", 1)
def test_two_thousand_operations_are_few_boxes_until_they_are_opened(page, record):
    page.wait(script="document.querySelector('#panel-tape g.box')")
    operations = [node for node in record.graph(1)["nodes"] if node["kind"] == "op"]
    assert len(operations) == 2002
    status = page.text(selector="#panel-tape .panel-status")
    assert status.startswith("2,002 ops, ")
    assert len(boxes(page)) < 20
    page.fill(selector="#panel-tape [aria-label='Find an operation']", text="tanh")
    page.press(key="Enter")
    page.press(key="Enter")
    page.wait(script="document.querySelector('#panel-tape g.box.is-selected')")
    assert "2 of 250" in page.text(selector="#panel-tape .tape-search")
    selected = page.attribute(selector="#panel-tape g.box.is-selected", name="aria-label")
    assert selected.startswith("tanh (5,)")
    page.click(selector="#panel-tape .panel-actions .button:has-text('Open all')")
    page.wait(script="/, 2[0-9]{3} boxes/.test(document.querySelector("
                     "'#panel-tape .panel-status').textContent)")  # fmt: skip
    # What is not in the window does not exist, nor does text that cannot be read.
    assert len(boxes(page)) < 200
    assert page.evaluate(script="document.querySelectorAll('#panel-tape *').length") < 4000
    page.keep("deep")
    page.click(selector="#panel-tape .panel-actions .button:has-text('Close all')")
    page.wait(script="document.querySelectorAll('#panel-tape g.box').length < 20")


# -- arrays -----------------------------------------------------------------------------------


@run("plane", "inspector", 11)
def test_the_inspector_writes_entries_as_numpy_does(page, record):
    page.choose(selector="#panel-inspector select[aria-label=Array]", value="value/w")
    for step in (11, 12):
        go(page, step)
        w, since = record.array("value/w", step)
        assert since == step
        page.wait(script=f"""document.querySelector('#panel-inspector [role=gridcell]')
            ?.textContent === {json.dumps(repr(float(w[0])))}""")
        cells = page.texts(selector="#panel-inspector [role=gridcell]")
        assert cells == [repr(float(entry)) for entry in w]
    assert page.text(selector="#panel-inspector .panel-status") == "(3,) float64"
    named = page.evaluate(script="""Object.fromEntries([...document.querySelectorAll(
        '#panel-inspector .statistics > div')].map((one) =>
        [one.querySelector('dt').textContent, one.querySelector('dd').title]))""")
    found = {name: number(text) for name, text in named.items()}
    assert (found["entries"], found["smallest"], found["largest"]) == (3, w.min(), w.max())
    assert found["norm"] == pytest.approx(np.linalg.norm(w), rel=1e-14)
    page.focus(selector="#panel-inspector [role=grid]")
    page.press(key="ArrowRight")
    assert page.text(selector="#panel-inspector .entry") == f"value/w[1] = {float(w[1])!r}"
    assert page.evaluate(script="document.querySelector('#gt-scrubber').value") == "12"


@run("plane", "inspector", 11)
def test_an_input_is_held_since_the_step_at_which_it_entered(page, record):
    page.choose(selector="#panel-inspector select[aria-label=Array]", value="input/0")
    page.wait(script="document.querySelector('#panel-inspector .panel-status')"
                     "?.textContent.includes('of step 0')")  # fmt: skip
    page.focus(selector="#panel-inspector [role=grid]")
    page.press(key="PageDown")
    page.press(key="End")
    text = page.text(selector="#panel-inspector .entry")
    row = int(re.search(r"\[(\d+), 2\]", text)[1])
    held = record.array("input/0", 11)[0]
    assert row > 5 and text.endswith(f"= {float(held[row, 2])!r}")
    count = page.count(selector="#panel-inspector [role=row]")
    assert count < 45, "only rows in the window exist"


@run("plane", "inspector", 11)
def test_more_than_two_axes_are_sliced(page, record):
    page.choose(selector="#panel-inspector select[aria-label=Array]", value="value/scale")
    page.wait(script="document.querySelector('#panel-inspector .axes')")
    held = record.array("value/scale", 11)[0]
    assert page.count(selector="#panel-inspector .axes input[type=range]") == 2
    page.choose(selector="#panel-inspector .axes label:first-child select", value="0")
    page.focus(selector="#panel-inspector .axes input[type=range]")
    page.press(key="ArrowRight")
    page.focus(selector="#panel-inspector [role=grid]")
    page.press(key="ArrowDown")
    text = page.text(selector="#panel-inspector .entry")
    assert text == f"value/scale[1, 1, 0, 0] = {float(held[1, 1, 0, 0])!r}"
    assert page.count(selector="#panel-inspector .heat canvas") == 1


@run("plane", "inspector", 11)
def test_an_array_is_copied_for_python(page, record):
    page.choose(selector="#panel-inspector select[aria-label=Array]", value="value/w")
    settle(page)
    # What is copied, whether or not the browser hands its clipboard out.
    page.evaluate(script="""navigator.clipboard.writeText = async (text) => {
        globalThis.copied = text; }""")
    page.click(selector="#panel-inspector .button:has-text('Copy for Python')")
    page.wait(script="globalThis.copied")
    copied = page.evaluate(script="globalThis.copied")
    np.testing.assert_array_equal(json.loads(copied)[0], record.array("value/w", 11)[0])


@run("rings", "tape", 4)
def test_every_entry_of_an_operation_is_to_be_had(page, record):
    graph = record.graph(4)
    (id,) = [node["id"] for node in graph["nodes"] if node["op"] == "tanh"]
    page.click(selector="#panel-tape g.box[aria-label^=tanh]")
    page.click(selector="#panel-tape .panel-actions .segmented button:nth-child(2)")
    page.click(selector="#panel-tape .detail .button:has-text('every entry')")
    see(page, "inspector")
    page.wait(script="document.querySelector('#panel-inspector [role=gridcell]')")
    found = node(record, 4, id, 1)
    cells = page.texts(selector="#panel-inspector [aria-rowindex='2'] [role=gridcell]")
    assert cells == [repr(float(entry)) for entry in found[1]][: len(cells)]
    text = page.text(selector="#panel-inspector .entry")
    assert text == f"tanh (cotangent of operation {id})[0, 0] = {float(found[0, 0])!r}"
    page.evaluate(script="document.querySelector('#panel-tape').scrollIntoView()")
    page.click(selector="#panel-tape .panel-actions .segmented button:nth-child(1)")


# -- for everybody ----------------------------------------------------------------------------


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 420)])
@pytest.mark.parametrize("name", ["rings", "plane", "deep"])
def test_no_violation_that_axe_finds_in_these_panels(browser, viewer, name, scheme, width):
    browser.forget()
    show(browser, viewer, name)
    browser.media(colorScheme=scheme)
    browser.whole(width)
    browser.evaluate(script="new Promise((done) => setTimeout(done, 1200))")
    settle(browser)
    browser.keep(f"{name}-{scheme}-{width}")
    assert browser.axe() == []
    assert browser.complaints() == []
    assert browser.evaluate(script="document.documentElement.scrollWidth") <= width
