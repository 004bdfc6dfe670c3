"""The page in a real browser, against what the record holds."""

import csv
import json
import shutil
import time
from contextlib import closing
from urllib.parse import urlsplit

import numpy as np
import pytest

from gradtape.errors import RecordWarning
from gradtape.record.losses import mark
from gradtape.record.reader import Reader
from gradtape.record.summary import verdict
from gradtape.viewer.static import to_html
from tests.viewer.browser.chromium import Viewer
from tests.viewer.browser.runs import sparse, start

pytestmark = pytest.mark.slow


def number(text):
    """A number as the page writes it."""
    if text in ("NaN", "Inf", "−Inf"):
        return {"NaN": np.nan, "Inf": np.inf, "−Inf": -np.inf}[text]
    return float(text.replace("−", "-").replace("\u2009", ""))


def show(browser, viewer, name):
    """Open the run of a name, at its last step."""
    browser.media(colorScheme="light", reducedMotion=None)
    browser.open(url="about:blank")
    browser.size(width=1440, height=900)
    browser.open(url=viewer.url)
    browser.wait(script="document.querySelector('.fact')")
    listed = json.loads(browser.evaluate(script="fetch('/api/runs').then((r) => r.text())"))
    (id,) = [run["id"] for run in listed if run["name"] == name]
    browser.evaluate(script=f"location.hash = '#run={id}'")
    browser.wait(script=f"document.querySelector('h1').textContent === '{name}'"
                        " && document.querySelector('#gt-scrubber')")  # fmt: skip
    return id


def step(browser):
    return int(browser.evaluate(script="document.querySelector('#gt-scrubber').value"))


def fact(browser, name):
    """What stands at the top of the page under a name, with all digits where there are more."""
    script = f"""[...document.querySelectorAll('.fact')].filter((one) =>
        one.querySelector('dt').textContent === {json.dumps(name)}).map((one) =>
        one.title || one.querySelector('dd').textContent)[0]"""
    return browser.evaluate(script=script)


def settle(browser):
    """Wait until what is at the top belongs to the step at the cursor."""
    browser.wait(script="!document.querySelector('[aria-busy=true]')")
    browser.evaluate(script="new Promise((done) => setTimeout(done, 300))")


LOWEST_AND_HERE = """(async () => {
    const found = [];
    for (let k = 0; k < 40; k++) {
        found.push(['Lowest cost', 'Cost here'].map((name) =>
            [...document.querySelectorAll('.fact')].find((one) =>
            one.firstChild.textContent === name).title));
        await new Promise((done) => setTimeout(done, 15));
    }
    return found;
})()"""


@pytest.fixture
def cars(browser, viewer):
    show(browser, viewer, "cars")
    settle(browser)
    return browser


@pytest.fixture
def record(folder):
    with closing(Reader(folder / "cars")) as reader:
        yield reader


def test_the_page_follows_a_training_process_live(browser, tmp_path):
    root = tmp_path / "runs"
    root.mkdir()
    training = start(root / "live", steps=400, rate=1e-3, pause=0.04)
    try:
        limit = time.monotonic() + 20
        while not (root / "live" / "run.db").exists() and time.monotonic() < limit:
            time.sleep(0.05)
        served = Viewer(root)
        try:
            browser.size(width=1440, height=900)
            browser.open(url=served.url)
            browser.wait(script="document.querySelector('#gt-scrubber')")
            assert "running" in browser.text(selector=".pill")
            seen = step(browser)
            browser.wait(script=f"document.querySelector('#gt-scrubber').value > {seen + 20}")
            browser.keep("live")
            # The cost falls at each step: the lowest one is never behind the cursor.
            pairs = browser.evaluate(script=LOWEST_AND_HERE)
            assert pairs and all(number(lowest) <= number(here) for lowest, here in pairs)
            # Moved by hand, the cursor stays while the run goes on.
            browser.press(key="Home")
            assert step(browser) == 0
            last = browser.attribute(selector="#gt-scrubber", name="max")
            browser.wait(script=f"document.querySelector('#gt-scrubber').max > {last}")
            assert step(browser) == 0
            browser.press(key="End")
            browser.wait(script="document.querySelector('.pill').textContent === 'finished'")
            browser.wait(script="document.querySelector('#gt-scrubber').value === '399'")
            settle(browser)
            with closing(Reader(root / "live")) as reader:
                assert number(fact(browser, "Cost here")) == reader.row(399)["cost"]
        finally:
            served.quit()
    finally:
        training.wait(60)


def test_the_cursor_is_moved_by_keyboard(cars, record):
    assert step(cars) == 69
    for key, expected in [("Home", 0), ("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1),
                          ("PageDown", 4), ("End", 69), ("PageUp", 66)]:  # fmt: skip
        cars.press(key=key)
        assert step(cars) == expected
    settle(cars)
    assert number(fact(cars, "Cost here")) == record.row(66)["cost"]
    cars.focus(selector=".chart-place")
    cars.press(key="ArrowLeft")
    assert step(cars) == 65
    settle(cars)
    told = cars.attribute(selector=".chart-place", name="aria-valuetext")
    assert told.startswith("Step 65: cost ")
    assert number(told.split("cost ")[1].split(",")[0]) == record.row(65)["cost"]


def test_a_step_is_typed_and_the_run_is_played(cars):
    entry = ".transport-entry input"
    cars.fill(selector=entry, text="12")
    cars.press(key="Enter")
    assert step(cars) == 12
    cars.click(selector="[aria-label=Play]")
    cars.wait(script="Number(document.querySelector('#gt-scrubber').value) > 13")
    cars.click(selector="[aria-label=Pause]")
    stopped = step(cars)
    cars.evaluate(script="new Promise((done) => setTimeout(done, 500))")
    assert step(cars) == stopped < 69


def test_a_link_leads_to_its_step(browser, viewer):
    id = show(browser, viewer, "cars")
    browser.open(url="about:blank")
    origin = viewer.url.split("?")[0]
    browser.open(url=f"{origin}#run={id}&step=17")
    browser.wait(script="document.querySelector('#gt-scrubber')")
    browser.wait(script="document.querySelector('#gt-scrubber').value === '17'")
    browser.press(key="ArrowRight")
    browser.wait(script="location.hash.includes('step=18')")


def cells_of(rows):
    """A script that gives the texts of the cells of all rows that a selector finds."""
    return f"""[...document.querySelectorAll({json.dumps(rows)})].map((row) =>
        [...row.children].map((cell) => cell.textContent))"""


def table(browser, panel):
    """Open the data table of a panel and return it as rows of text."""
    browser.click(selector=f"#panel-{panel} [aria-label^='Data table']")
    browser.wait(script=f"document.querySelector('#panel-{panel} .data-table tbody tr')")
    rows = browser.evaluate(script=cells_of(f"#panel-{panel} .data-table tr"))
    browser.click(selector=f"#panel-{panel} [aria-label^='Data table']")
    return rows


def test_cost_shows_the_numbers_of_the_record(cars, record):
    head, *rows = table(cars, "cost")
    assert head == ["step", "cost", "log/val_cost"]
    shown = np.array([[number(cell) for cell in row] for row in rows])
    for k, name in enumerate(head[1:], 1):
        steps, values = record.series(name)
        np.testing.assert_array_equal(shown[:, 0], steps)
        np.testing.assert_array_equal(shown[:, k], values)
    cars.press(key="Home")
    settle(cars)
    title = cars.attribute(selector="#panel-cost .legend button", name="title")
    assert number(title.split(": ")[1].split(". ")[0]) == record.row(0)["cost"]
    cars.wait(script="document.querySelector('#panel-cost .verdict')")
    told = " ".join(cars.text(selector="#panel-cost .verdict").split()).lower()
    facts = verdict(record)
    for fact in (facts.fast_phase, facts.standstill, facts.lowest, facts.convergence):
        assert str(fact).lower() in told
    cars.choose(selector="[aria-label='Smoothing']", value="5")
    cars.click(selector="[aria-label='Axis of the cost'] button:nth-child(2)")
    legend = "#panel-cost .legend button span:not(.number)"
    cars.wait(script=f"document.querySelectorAll('{legend}').length === 4")
    assert cars.texts(selector=legend) == [
        f"{name}, {how}" for name in ("cost", "validation") for how in ("raw", "smoothed")]
    assert cars.text(selector="[aria-label='Axis of the cost'] [aria-pressed=true]") == "log"


def test_a_value_is_read_exactly_under_the_pointer(cars, record):
    script = """(() => { const box = document.querySelector('#panel-cost .u-over')
        .getBoundingClientRect(); return [box.width, box.height]; })()"""
    box = cars.evaluate(script=script)
    cars.hover(selector="#panel-cost .u-over", x=box[0] / 2, y=box[1] / 2)
    cars.wait(script="!document.querySelector('#panel-cost .chart-tip').hidden")
    lines = cars.texts(selector="#panel-cost .chart-tip div")
    at = int(lines[0].removeprefix("step "))
    assert abs(at - 34.5) <= 1
    assert number(lines[1].split()[1]) == record.row(at)["cost"]


def test_gradient_flow_shows_the_numbers_of_the_record(cars, record):
    cars.click(selector="#gt-scrubber")
    cars.press(key="Home")
    cars.evaluate(script="document.querySelector('#panel-flow').scrollIntoView()")
    cars.wait(script="document.querySelector('#panel-flow .flow-names li')")
    settle(cars)
    names = cars.texts(selector="#panel-flow .flow-names li")
    values = cars.evaluate(script="""[...document.querySelectorAll(
        '#panel-flow .flow-values .number')].map((one) => one.title)""")
    row = record.row(0)
    shown = dict(zip(names, map(number, values), strict=True))
    assert set(shown) == {"slope", "intercept"}
    assert all(value == abs(row[f"grad/{name}"]) for name, value in shown.items())


def test_the_table_has_every_step_and_value(cars, record, tmp_path):
    cars.evaluate(script="document.querySelector('#panel-table').scrollIntoView()")
    cars.wait(script="document.querySelector('#panel-table .is-here td')?.textContent.length > 6")
    settle(cars)
    path = tmp_path / "run.csv"
    cars.download(selector="#panel-table .panel-actions button:last-child", path=str(path))
    with path.open(newline="", encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    series = {label: column.name for label, column in record.history_columns().items()}
    assert head[0] == "step" and sorted(head[1:]) == sorted(series)
    head = [series.get(label, label) for label in head]
    assert head[1:] == [column.name for column in record.columns()]
    found = np.array(rows, dtype=float)
    for k, name in enumerate(head[1:], 1):
        np.testing.assert_array_equal(found[:, k], record.series(name)[1])
    shown = cars.evaluate(script=cells_of("#panel-table tbody tr:not(.spacer)"))
    assert len(shown) < 20, "only what is on the screen exists"
    for cells in shown:
        row = record.row(int(number(cells[0])))
        assert [number(cell) for cell in cells[1:]] == [row[name] for name in head[1:]]
    cars.click(selector="#panel-table th:nth-child(2) button")
    settle(cars)
    lowest = cars.text(selector="#panel-table tbody tr:nth-child(2) td:nth-child(2)")
    assert number(lowest) == np.nanmin(record.series("cost")[1])


def test_alarms_lead_to_the_operation_and_its_line(browser, viewer, folder):
    show(browser, viewer, "cars-fast")
    with closing(Reader(folder / "cars-fast")) as reader:
        (event,) = reader.events(kind="nonfinite")
        first = event["step"]
        assert not np.isfinite(reader.row(first)["cost"])
        assert np.isfinite(reader.row(first - 1)["cost"])
    settle(browser)
    browser.wait(script="document.querySelector('.banner').textContent.includes('Likely why')")
    banner = browser.text(selector=".banner")
    assert f"First non-finite value: step {first}, op square at cars.py:" in banner
    assert "Likely why: learning rate too high at cars.py:" in banner
    browser.click(selector=".banner button")
    assert step(browser) == first
    browser.wait(script="document.querySelector('#panel-alarms').getBoundingClientRect().top < 900")
    browser.wait(script="document.querySelector('#panel-alarms .code-line.is-here')")
    settle(browser)
    text = browser.text(selector="#panel-alarms")
    assert "First non-finite value: square in the forward pass" in text
    low, high, _ = browser.texts(selector="#panel-alarms .plain-table td")
    (operand,) = event["data"]["operands"]
    assert (number(low), number(high)) == (float(operand["min"]), float(operand["max"]))
    assert "cost = np.mean(np.square(residual))" in browser.text(
        selector="#panel-alarms .code-line.is-here")  # fmt: skip
    assert "The gradient of scale is None" in text
    assert "float(scale) took the value out" in text
    assert "Learning rate too high" in text
    assert "Crosses are NaN, triangles infinite." in browser.text(selector="#panel-cost")
    flags = " ".join(browser.texts(selector="#panel-flow .flow-values li"))
    assert flags.count("exploding") == 2 and flags.count("no gradient") == 1


def test_compare_says_what_differs(cars):
    cars.evaluate(script="document.querySelector('#panel-compare').scrollIntoView()")
    cars.wait(script="document.querySelector('#panel-compare .differences')")
    settle(cars)
    text = cars.text(selector="#panel-compare")
    assert "rate" in text and "0.001" in text and "0.1" in text
    assert "-        slope.assign_sub(0.001 * d_slope)" in text
    assert "+        slope.assign_sub(0.1 * d_slope)" in text


def test_runs_of_other_columns_are_compared_too(cars, viewer):
    compare = "#panel-compare"
    cars.evaluate(script=f"document.querySelector('{compare}').scrollIntoView()")
    choices = f"{compare} .run-choice label"
    cars.wait(script=f"document.querySelectorAll('{choices} input:checked').length === 3")
    (crashed,) = (text for text in cars.texts(selector=choices) if text.startswith("logs"))
    assert "crashed" in crashed
    cars.wait(script=f"document.querySelector('{compare}').textContent.includes('no cost was')")
    settle(cars)
    assert "logs: no cost was recorded." in cars.text(selector=compare)
    labels = cars.texts(selector=f"{compare} .legend button span:not(.number)")
    assert sorted(labels) == ["cars", "cars-fast"]
    assert "+import sys" not in cars.text(selector=compare)  # the whole of a file that one has
    show(cars, viewer, "logs")
    settle(cars)
    assert "crashed at step 2" in cars.text(selector=".pill-bad")
    assert "The run ended with KeyError" in cars.text(selector="#panel-alarms")
    assert cars.evaluate(script=f"document.querySelector('{compare} select').value") == (
        "log/accuracy")
    assert "No gradient was asked of a tape." in cars.text(selector="#panel-tape")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 420)])
@pytest.mark.parametrize("name", ["cars", "cars-fast"])
def test_no_violation_that_axe_finds(browser, viewer, name, scheme, width):
    show(browser, viewer, name)
    browser.media(colorScheme=scheme)
    browser.whole(width)
    settle(browser)
    browser.keep(f"{name}-{scheme}-{width}")
    found = browser.axe()
    assert found == [], json.dumps(found, indent=1)


@pytest.mark.parametrize("width", [1440, 720, 420, 320])
def test_nothing_sticks_out_of_a_narrow_or_enlarged_window(browser, viewer, width):
    """720 of 1440 pixels are a zoom of 200 %."""
    show(browser, viewer, "cars-fast")
    browser.whole(width)
    settle(browser)
    assert browser.evaluate(script="document.documentElement.scrollWidth") <= width


def test_nothing_moves_by_itself_for_who_wants_that(browser, viewer):
    show(browser, viewer, "cars")
    browser.media(reducedMotion="reduce")
    settle(browser)
    running = "document.getAnimations().filter((one) => one.playState === 'running').length"
    assert browser.evaluate(script=running) == 0


def test_it_asks_its_server_alone_and_keeps_its_policy(browser, viewer):
    browser.forget()
    show(browser, viewer, "cars-fast")
    browser.whole()
    settle(browser)
    assert browser.complaints() == []
    asked = [urlsplit(url) for url in browser.requests()]
    hosts = {url.netloc for url in asked if url.scheme not in ("about", "data", "blob")}
    assert all(host.startswith("127.0.0.1:") for host in hosts), hosts



def test_a_chart_is_saved_as_a_picture_and_as_numbers(cars, record, tmp_path):
    cars.download(selector="#panel-cost [aria-label='Save Cost as PNG']", path=f"{tmp_path}/a.png")
    picture = (tmp_path / "a.png").read_bytes()
    assert picture.startswith(b"\x89PNG") and len(picture) > 3000
    cars.download(selector="#panel-cost [aria-label='Save Cost as CSV']", path=f"{tmp_path}/a.csv")
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    assert head[:2] == ["step", "cost"]
    np.testing.assert_array_equal(np.array(rows, float)[:, 1], record.series("cost")[1])


def test_rows_are_copied(cars):
    cars.evaluate(script="document.querySelector('#panel-table').scrollIntoView()")
    settle(cars)
    cars.click(selector="#panel-table .panel-actions button:nth-last-child(2)")
    said = "document.querySelector('#panel-table .panel-actions .muted')?.textContent"
    cars.wait(script=f"{said}?.startsWith('70 rows')")


def test_the_theme_is_chosen_and_remembered(browser, viewer):
    show(browser, viewer, "cars")
    ground = "getComputedStyle(document.querySelector('.gradtape')).backgroundColor"
    light = browser.evaluate(script=ground)
    browser.click(selector="[aria-label=Dark]")
    assert browser.evaluate(script="document.documentElement.dataset.theme") == "dark"
    dark = browser.evaluate(script=ground)
    assert light != dark
    show(browser, viewer, "cars")
    assert browser.evaluate(script=ground) == dark
    browser.click(selector="[aria-label='As the system']")
    assert browser.evaluate(script=ground) == light


def test_it_says_when_the_viewer_has_gone(browser, folder):
    served = Viewer(folder)
    try:
        show(browser, served, "cars")
    finally:
        served.quit()
    browser.wait(script="document.querySelector('[role=alert]')")
    assert "The viewer does not answer" in browser.text(selector="[role=alert]")
    assert step(browser) == 69, "what was shown stays"


WIDGET = """
(async () => {
  const heard = new Set();
  const model = {
    on: (name, act) => heard.add(act),
    off: (name, act) => heard.delete(act),
    // What the kernel does: the same answers, as messages with a buffer.
    send: async ({ id, get }) => {
      const response = await fetch(get);
      const isJson = response.headers.get("Content-Type").startsWith("application/json");
      const content = !response.ok || response.status === 204
        ? { id, error: "nothing", code: response.status }
        : isJson ? { id, json: await response.json() } : { id };
      const buffers = content.json || content.error
        ? [] : [new DataView(await response.arrayBuffer())];
      for (const act of heard) act(content, buffers);
    },
  };
  document.body.replaceChildren();
  const el = document.body.appendChild(document.createElement("div"));
  globalThis.takeAway = gradtape.widget({ model, el });
})()
"""


def test_a_widget_shows_the_same_over_messages(browser, viewer, folder):
    show(browser, viewer, "cars")
    browser.forget()
    browser.evaluate(script=WIDGET)
    browser.wait(script="document.querySelector('.gradtape h2')?.textContent")
    browser.wait(script="document.querySelector('.gradtape #gt-scrubber')")
    settle(browser)
    name = browser.text(selector=".gradtape .run-name h2")
    with closing(Reader(folder / name)) as reader:
        last = reader.last
        assert step(browser) == last
        shown = number(fact(browser, "Cost here"))
        np.testing.assert_equal(shown, reader.row(last)["cost"])
    assert browser.complaints() == []


def test_one_file_shows_the_same_without_a_server(browser, folder, tmp_path):
    path = to_html(folder / "cars", tmp_path / "cars.html")
    browser.media(colorScheme="light")
    browser.open(url="about:blank")  # the page before may still be asking its server
    browser.forget()
    browser.open(url=path.as_uri())
    browser.size(width=1440, height=900)
    browser.wait(script="document.querySelector('#gt-scrubber')")
    settle(browser)
    browser.press(key="Home")
    for _ in range(5):
        browser.press(key="ArrowRight")
    settle(browser)
    with closing(Reader(folder / "cars")) as reader:
        assert step(browser) == 5
        assert number(fact(browser, "Cost here")) == reader.row(5)["cost"]
    head, *rows = table(browser, "cost")
    assert [float(row[0]) for row in rows] == list(range(70))
    browser.whole()
    settle(browser)
    browser.keep("one-file", full=True)
    assert browser.complaints() == []
    hosts = {urlsplit(url).scheme for url in browser.requests()}
    assert hosts <= {"file", "data", "blob", "about"}
    # In a notebook it stands in a frame, which has no address to keep.
    browser.open(url="about:blank")
    browser.evaluate(script=f"""(() => {{
        const frame = document.createElement("iframe");
        frame.sandbox = "allow-scripts allow-downloads";
        frame.style = "width: 1200px; height: 800px";
        frame.srcdoc = {json.dumps(path.read_text(encoding="utf-8"))};
        return new Promise((done) => {{
            frame.onload = () => setTimeout(done, 2500);
            document.body.append(frame);
        }});
    }})()""")
    browser.keep("notebook")
    assert browser.complaints() == []


def test_what_is_logged_now_and_then_is_a_line_and_no_row_of_nans(browser, tmp_path):
    root = tmp_path / "sparse"
    sparse(root)
    served = Viewer(root)
    try:
        for url in (served.url, to_html(root, tmp_path / "sparse.html").as_uri()):
            browser.open(url="about:blank")
            browser.open(url=url)
            legend = "#panel-cost .legend button"
            browser.wait(script=f"document.querySelectorAll('{legend}').length === 2")
            settle(browser)
            assert step(browser) == 69
            cost, validation = browser.texts(selector=legend)
            assert (cost.split()[-1], validation.split()[-1]) == ("31", "60.5000")
            assert "NaN" not in browser.text(selector="#panel-cost")
    finally:
        served.quit()


def test_the_header_says_what_a_run_lost_and_what_a_file_leaves_out(browser, folder, tmp_path):
    run = shutil.copytree(folder / "cars", tmp_path / "cars")
    mark(run, {"count": 31, "error": "database or disk is full"})
    with pytest.warns(RecordWarning, match="does not hold all of the run"):
        path = to_html(run, tmp_path / "cars.html", most_bytes=30_000)
    browser.open(url="about:blank")  # the page before may still be asking its server
    browser.forget()
    browser.open(url=path.as_uri())
    browser.size(width=1440, height=900)
    browser.wait(script="document.querySelector('#gt-scrubber')")
    settle(browser)
    assert "incomplete" in browser.text(selector=".pill-bad")
    assert fact(browser, "Lost") == "31 records could not be written (database or disk is full)"
    left_out = fact(browser, "Not in this file")
    assert "arrays" in left_out and ";" in left_out
    browser.keep("incomplete", full=True)
    assert browser.complaints() == []
