"""Every endpoint's answer, against the numbers that the run was made of."""

import json

import numpy as np
import pytest

import gradtape as gt
from gradtape.record.writer import Writer
from gradtape.viewer.answers import ENDPOINTS, Answers
from gradtape.viewer.encoding import untable
from gradtape.viewer.library import Library
from gradtape.viewer.panels import diagnosis
from gradtape.viewer.shelf import Shelf, run_id
from tests.viewer import demo


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """Answers about the demo runs, the demos, and the ids of their runs."""
    root = tmp_path_factory.mktemp("runs")
    demos = {demo.name: demo for demo in (make() for make in demo.ALL)}
    for name, each in demos.items():
        demo.write(each, root / name)
    answers = Answers(Library(Shelf(root)))
    return answers, demos, {name: run_id(root / name) for name in demos}


@pytest.fixture
def ask(shown):
    """Ask an endpoint of a run: its header and numbers, or its JSON."""
    answers, _, ids = shown

    def asked(name, endpoint="", query="", status=200):
        path = f"/api/run/{ids[name]}" + (f"/{endpoint}" if endpoint else "")
        answer = answers.answer(path, query)
        assert answer.status == status, answer.body
        if answer.kind == "application/json":
            return json.loads(answer.body) if answer.body else answer.reason
        return untable(answer.body) if answer.body else answer.reason

    return asked


def test_the_runs_of_a_folder_are_listed_with_their_costs(shown):
    answers, demos, ids = shown
    listed = {run["name"]: run for run in json.loads(answers.answer("/api/runs").body)}
    assert {name: run["id"] for name, run in listed.items()} == ids
    costs = demos["line"].columns["cost"][3]
    run = listed["line"]
    assert (run["status"], run["steps"], run["cost"]) == ("finished", 70, costs[-1])
    assert listed["line"]["best"] == costs.min()
    assert listed["diverging"]["cost"] is None
    assert listed["diverging"]["best"] == demos["diverging"].columns["cost"][3][0]


def test_a_run_as_a_whole(shown, ask):
    _, demos, ids = shown
    whole = ask("line")
    assert (whole["id"], whole["first"], whole["last"], whole["count"]) == (ids["line"], 0, 69, 70)
    assert [column["name"] for column in whole["columns"]] == list(demos["line"].columns)
    labels = {column["name"]: column["label"] for column in whole["columns"]}
    assert labels["value/slope"] == "slope" and labels["grad/slope"] == "grad/slope"
    assert whole["roles"] == {"x": "input/0", "y": "input/1", "prediction": "prediction"}
    assert whole["sources"] == [{"id": 1, "file": "train.py"}]
    assert whole["tags"][0]["name"] == "value/slope"
    assert whole["meta"]["config"] == {"learning_rate": 1e-3, "steps": 70}
    assert whole["structures"] == [[0, 1]]
    assert whole["best"] == demos["line"].columns["cost"][3].min()
    assert whole["validation"] is None
    assert ask("diverging")["best"] == demos["diverging"].columns["cost"][3][0]


def test_the_lowest_cost_of_a_run_that_goes_on_is_that_of_its_last_commit(tmp_path):
    writer = Writer(tmp_path / "live")
    layout = writer.layout([writer.column("cost", "cost")])
    answers = Answers(Library(Shelf(tmp_path)))
    for step, cost, best in [(0, 5.0, 5.0), (1, np.nan, 5.0), (2, 3.0, 3.0), (3, 4.0, 3.0)]:
        writer.rows(layout, np.array([[step, cost]]))
        writer.flush()
        whole = json.loads(answers.answer(f"/api/run/{run_id(tmp_path / 'live')}").body)
        assert (whole["last"], whole["best"]) == (step, best)
    writer.close("finished")


@pytest.mark.parametrize("name", ["val_cost", "validation_cost", "val_loss", "validation_loss"])
def test_a_run_says_which_column_is_the_cost_of_validation(tmp_path, name):
    writer = Writer(tmp_path / "run")
    columns = [writer.column(each, "cost") for each in ("cost", f"log/{name}", "log/other")]
    writer.rows(writer.layout(columns), np.arange(8.0).reshape(2, 4))
    writer.close("finished")
    answer = Answers(Library(Shelf(tmp_path))).answer(f"/api/run/{run_id(tmp_path / 'run')}")
    assert json.loads(answer.body)["validation"] == f"log/{name}"


def test_series_whole_and_in_part(shown, ask):
    _, demos, _ = shown
    costs, slopes = (demos["line"].columns[name][3] for name in ("cost", "value/slope"))
    header, numbers = ask("line", "series", "names=cost,value/slope&from=5&to=9")
    assert header == {
        "series": [
            {"name": name, "count": 5, "of": 5, "reduced": False}
            for name in ("cost", "value/slope")
        ]
    }
    steps = np.arange(5.0, 10)
    np.testing.assert_array_equal(numbers, [*steps, *costs[5:10], *steps, *slopes[5:10]])


def test_a_reduced_series_says_of_how_many_points(shown, ask):
    _, demos, _ = shown
    header, numbers = ask("line", "series", "names=cost&px=5")
    (described,) = header["series"]
    assert described["of"] == 70 and described["reduced"] and described["count"] < 20
    steps, values = numbers.reshape(2, -1)
    costs = demos["line"].columns["cost"][3]
    np.testing.assert_array_equal(values, costs[steps.astype(int)])
    assert {0, 69} <= set(steps)


def test_a_row_and_rows(shown, ask):
    _, demos, _ = shown
    columns = demos["diverging"].columns
    header, numbers = ask("diverging", "row", "step=100")
    assert header == {"step": 100, "names": list(columns)}
    np.testing.assert_array_equal(numbers, [rest[3][100] for rest in columns.values()])
    header, numbers = ask("diverging", "rows", "from=90&to=99&names=cost,grad/slope")
    assert header == {"names": ["cost", "grad/slope"], "count": 10, "of": 10}
    expected = [np.arange(90.0, 100), columns["cost"][3][90:100], columns["grad/slope"][3][90:100]]
    np.testing.assert_array_equal(numbers.reshape(3, -1), expected)
    header, numbers = ask("diverging", "rows")
    assert header["names"] == list(columns) and header["count"] == 120
    ask("diverging", "row", "step=120", status=404)


def test_arrays_graph_and_values_of_nodes(shown, ask):
    _, demos, _ = shown
    line = demos["line"]
    header, numbers = ask("classes", "array", "tag=value/w1&step=7")
    assert header["shape"] == [2, 8] and header["dtype"] == "float64" and header["of"] == 16
    np.testing.assert_array_equal(numbers, demos["classes"].arrays["value/w1"][7].ravel())
    assert ask("line", "graph", "step=3") == ask("line", "graph", "id=1") == line.graph
    header, numbers = ask("line", "nodes", "step=4")
    assert (header["count"], len(header["fields"])) == (9, 12)
    np.testing.assert_array_equal(numbers.reshape(9, 12), line.node_values[4])
    for side in (0, 1):
        header, numbers = ask("line", "node", f"step=69&node=6&side={side}")
        np.testing.assert_array_equal(numbers, line.node_arrays[69, 6, side])
    # What was not stored is computed again.
    x, y = line.arrays["input/0"][0], line.arrays["input/1"][0]
    slope, intercept = (line.columns[f"value/{name}"][3][3] for name in ("slope", "intercept"))
    header, numbers = ask("line", "node", "step=3&node=6")
    np.testing.assert_array_equal(numbers, slope * x + intercept - y)
    assert "does not hold" in ask("line", "node", "step=3&node=99", status=204)


def test_events_and_source(ask):
    events = ask("diverging", "events")
    assert [event["kind"] for event in events] == ["note", "nonfinite"]
    assert events[1]["data"]["operands"][0]["name"] == "residual"
    assert ask("diverging", "events", "after=1") == events[1:]
    assert ask("line", "source", "file=1") == {"file": "train.py", "text": demo.TEXT}
    ask("line", "source", "file=2", status=404)


def test_the_panels(shown, ask):
    _, demos, _ = shown
    columns = {name: rest[3] for name, rest in demos["line"].columns.items()}
    x, y = (demos["line"].arrays[f"input/{i}"][0] for i in (0, 1))
    header, numbers = ask("line", "fit", "step=9")
    assert (header["kind"], header["step"], header["count"]) == ("curve", 9, 50)
    slope, intercept = columns["value/slope"][9], columns["value/intercept"][9]
    data = numbers[:150].reshape(3, 50)
    np.testing.assert_allclose(data, [x, y, slope * x + intercept])
    grid, curve = numbers[150:].reshape(2, header["grid"])
    np.testing.assert_allclose(curve, slope * grid + intercept)

    header, numbers = ask("line", "path")
    assert header["kind"] == "exact" and header["axes"] == ["slope", "intercept"]
    names = ("value/slope", "value/intercept", "grad/slope", "grad/intercept")
    np.testing.assert_array_equal(
        numbers.reshape(5, 70), [np.arange(70), *(columns[name] for name in names)]
    )
    header, numbers = ask("line", "landscape", "n=12")
    u, v = np.meshgrid(*(np.linspace(*header[key], 12) for key in "uv"))
    costs = [np.mean((a * x + b - y) ** 2) for a, b in zip(u.ravel(), v.ravel(), strict=True)]
    assert header["exact"]
    np.testing.assert_allclose(numbers, costs)

    header, numbers = ask("line", "flow", "px=200")
    assert header["names"] == ["slope", "intercept"] and header["count"] == 70
    np.testing.assert_array_equal(numbers[70:140], np.abs(columns["grad/slope"]))
    header, numbers = ask("classes", "regions", "step=149&n=30")
    assert header["n"] == 30 and len(numbers) == 2 * 900 and 0 <= numbers.min() < numbers.max() <= 1
    assert "predicts a number" in ask("line", "regions", status=204)


def test_the_verdict_in_sentences_and_numbers(ask):
    from gradtape.verdict import judge

    line = demo.line()
    columns = {name: rest[3] for name, rest in line.columns.items()}
    norms = np.hypot(columns["grad/slope"], columns["grad/intercept"])
    judged = judge(columns["cost"], norms, learning_rate=1e-3, unit="step")
    found = ask("line", "verdict")
    assert list(found) == ["fast_phase", "standstill", "lowest", "convergence", "missing", "note"]
    assert found["fast_phase"]["end"] == judged.fast_phase.end
    assert found["fast_phase"]["text"] == str(judged.fast_phase)
    assert found["convergence"]["converged"] is False
    x, y = (line.arrays[tag][0] for tag in ("input/0", "input/1"))
    intercept = np.polyfit(x, y, 1)[1]
    told = f"where the minimum of the recorded cost is {intercept:.4g}"
    assert told in found["convergence"]["text"]


def test_the_diagnosis_in_sentences(shown, ask):
    from gradtape.record.diagnosis import diagnose
    from gradtape.record.reader import Reader

    answers, _, ids = shown
    found = ask("diverging", "diagnosis")
    run = answers.library.shelf.find(ids["diverging"])
    assert [each["text"] for each in found] == [str(each) for each in diagnose(Reader(run.path))]
    assert found


def test_what_takes_long_is_kept_until_the_run_has_grown(tmp_path, monkeypatch):
    from gradtape.record.writer import Writer
    from gradtape.viewer import panels

    looked = []
    true = panels.flow
    monkeypatch.setattr(panels, "flow", lambda *args: looked.append(1) or true(*args))
    writer = Writer(tmp_path / "run")
    names = ["cost", "value/a", "grad/a"]
    layout = writer.layout([writer.column(name, "value") for name in names])
    answers = Answers(Library(Shelf(tmp_path)))
    path = f"/api/run/{run_id(tmp_path / 'run')}/flow"
    for step in range(3):
        writer.rows(layout, np.array([[step, 1.0, 2.0, 3.0]]))
        writer.flush()
        for _ in range(2):
            header, _ = untable(answers.answer(path, "px=100").body)
            assert header["count"] == step + 1
        assert len(looked) == step + 1
    writer.close("finished")


def test_what_differs_between_runs(shown):
    answers, _, ids = shown
    runs = ",".join(ids[name] for name in ("line", "diverging"))
    compared = json.loads(answers.answer("/api/compare", f"runs={runs}").body)
    assert compared["config"] == [
        {"key": "learning_rate", "values": [0.001, 0.1]},
        {"key": "steps", "values": [70, 120]},
    ]
    assert compared["code"] == []
    runs = ",".join(ids[name] for name in ("line", "classes"))
    compared = json.loads(answers.answer("/api/compare", f"runs={runs}").body)
    diff = {each["file"]: each["diff"] for each in compared["code"]}
    assert diff["moons.py"].splitlines()[-1] == "+# two moons"


def test_every_endpoint_answers_for_every_demo(shown):
    answers, demos, ids = shown
    queries = {"series": "names=cost", "array": "tag=input/0", "source": "file=1"}
    for name in demos:
        for endpoint in ENDPOINTS:
            tail = "" if endpoint == "run" else f"/{endpoint}"
            answer = answers.answer(f"/api/run/{ids[name]}{tail}", queries.get(endpoint, ""))
            assert answer.status in (200, 204), (name, endpoint, answer.body)
            assert (answer.status == 204) == bool(answer.reason) == (not answer.body)


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/api/nothing", "", 404),
        ("/api/run/0123456789ab", "", 404),
        ("/api/run/{line}/nothing", "", 404),
        ("/api/run/{line}/__class__", "", 404),
        ("/api/run/{line}/array", "tag=nothing", 404),
        ("/api/run/{line}/graph", "id=99", 404),
        ("/api/run/{line}/series", "names=cost&px=0", 400),
        ("/api/run/{line}/series", "names=cost&px=many", 400),
        ("/api/run/{line}/series", "names=cost&px=1&px=2", 400),
        ("/api/run/{line}/series", "names=" + "cost," * 300, 413),
        ("/api/run/{line}/row", "step=1e3", 400),
        ("/api/run/{line}/row", "step=-1", 400),
        ("/api/run/{line}/array", "", 400),
        ("/api/run/{line}/fit", "x0=nan", 400),
        ("/api/run/{line}/regions", "n=100000", 400),
        ("/api/run/{line}/landscape", "n=100000", 400),
        ("/api/run/{line}/row", "&".join(f"a{i}=1" for i in range(100)), 400),
        ("/api/compare", "runs=0123456789ab", 404),
    ],
)
def test_what_cannot_be_answered_is_refused(shown, path, query, status):
    answers, _, ids = shown
    answer = answers.answer(path.format(**ids), query)
    assert answer.status == status
    assert json.loads(answer.body)["error"]


def test_a_series_that_a_run_has_not_is_nothing_to_show(shown):
    answers, _, ids = shown
    answer = answers.answer(f"/api/run/{ids['line']}/series", "names=nothing")
    assert answer.status == 204 and "nothing" in answer.reason


def test_several_threads_ask_while_the_run_is_written(tmp_path):
    """Each answer is of one state of the run: whole, and as long as its header says."""
    import threading

    line = demo.line(400, name="live")
    costs = line.columns["cost"][3]
    writing = threading.Thread(target=demo.write, args=(line, tmp_path / "live"),
                               kwargs={"pause": 0.003})  # fmt: skip
    writing.start()
    while not (tmp_path / "live" / "run.db").exists():
        pass
    answers = Answers(Library(Shelf(tmp_path)))
    path = f"/api/run/{run_id(tmp_path / 'live')}"
    wrong, seen = [], []

    def ask():
        last = -1
        while last < 399 and not wrong:
            for endpoint, query in (("series", "names=cost"), ("rows", ""), ("fit", ""),
                                    ("path", ""), ("nodes", ""), ("events", "")):  # fmt: skip
                answer = answers.answer(f"{path}/{endpoint}", query)
                if answer.status not in (200, 204, 404):
                    wrong.append((endpoint, answer.body))
                if endpoint == "series" and answer.status == 200:
                    header, numbers = untable(answer.body)
                    count = header["series"][0]["count"]
                    steps, values = numbers.reshape(2, count)
                    if not np.array_equal(values, costs[:count]) or count - 1 < last:
                        wrong.append((count, last))
                    last = count - 1
                    seen.append(count)

    threads = [threading.Thread(target=ask) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in [*threads, writing]:
        thread.join(60)
    assert not wrong, wrong[:3]
    assert len(set(seen)) > 3 and max(seen) == 400
    answers.library.close()


def test_an_exception_is_not_told_a_second_time_by_the_diagnosis(tmp_path):
    a = gt.Variable(1.0, name="a")
    with pytest.raises(KeyError), gt.Recording(tmp_path / "run", progress=False) as run:
        with gt.GradientTape() as tape:
            loss = a**2
        a.assign_sub(0.1 * tape.gradient(loss, a))
        raise KeyError("missing")
    assert run.diagnose().kinds == ["stopped by an exception"]
    assert diagnosis(run.reader) == []
