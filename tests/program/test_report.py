"""`f.report(*args)`: the figures are right, the reasons are there, the text is clear."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest

import gradtape as gt
from gradtape.backends import choose

pytest.importorskip("llvmlite")
X, Y = np.linspace(0.0, 1.0, 200), np.linspace(-1.0, 1.0, 200)
SINGLE = np.linspace(0.0, 1.0, 12).reshape(3, 4).astype("f4")


def times_removed(text):
    """The text with one time for all."""
    return re.sub(r"\d+(\.\d+)? (ns|us|ms|s)\b", lambda m: "T".rjust(len(m[0])), text)


def make():
    a, b = gt.Variable(0.5), gt.Variable(-0.5)

    @gt.function
    def step(x, y):
        with gt.GradientTape() as tape:
            loss = np.sum((y - (a + b * x)) ** 2)
        da, db = tape.gradient(loss, [a, b])
        a.assign_sub(0.001 * da)
        b.assign_sub(0.001 * db)
        return loss

    return step, a, b


def test_the_text_of_a_training_step():
    report = make()[0].report(X, Y)
    lines = times_removed(str(report)).splitlines()
    assert lines[0] == "step(float64[200], float64[200])"
    assert re.fullmatch(r"1 native part; at most \d+ threads?; +T measured, +T estimated", lines[1])
    assert re.fullmatch(r".* FLOP; .* read, .* written; 2 buffers inside \(.*on the stack\)",
                        lines[2])  # fmt: skip
    text = "\n".join(lines)
    assert re.search(r"part 0: native code .*\n  piece 0: loop over 200 ", text)
    assert re.search(r"report.py:\d+ +loss = np.sum\(\(y - \(a \+ b \* x\)\) \*\* 2\) +multi", text)
    assert re.search(r"test_report.py:\d+ +a.assign_sub\(0.001 \* da\) +multiply, subtract", text)
    assert "piece 1: loop over one number" in text
    assert "(piece 0 goes over another shape)" in text


def test_all_lines_fit_and_the_columns_are_aligned():
    for report in (make()[0].report(X, Y), long_report()):
        lines = str(report).splitlines()
        assert max(map(len, lines)) <= 100
        head = next(line for line in lines if line.startswith("part  "))
        ends = [m.end() for m in re.finditer(r"FLOP|read|written|estimated|measured", head)]
        rows = [line for line in lines if re.match(r" *(part|piece) \d+: ", line)]
        assert len(rows) == len(report.rows)
        for row in rows:
            figure = r"\d+(\.\d+)?( (B|KB|MB|GB|ns|us|ms|s|k|M|G)\b)?(?= |$)"
            for match in re.finditer(figure, row[50:]):
                assert 50 + match.end() in ends, row


def long_report():
    w = gt.Variable(np.ones((40, 30), "f4"), name="w")

    @gt.function
    def f(x):
        y = np.maximum(x @ w, 0.0) + np.exp(np.exp(np.exp(np.exp(np.exp(x[:, :30] * 1e-9)))))
        z = np.sort(y, axis=1) * 2.0
        return np.sum(z / np.sum(z)) + np.abs(np.fft.fft(z)).sum()

    return f.report(np.ones((20, 40), "f4"))


def test_why_a_loop_ends_and_what_numpy_runs():
    report = long_report()
    text = str(report)
    assert "product of float32[20,40]" in text and "a sum of piece" in text
    assert set(report.by_numpy) >= {"argsort", "fft"}
    assert report.by_numpy["argsort"] == "native code has no argsort"
    assert report.by_numpy["fft"] == "native code has no complex64"
    assert "argsort: native code has no argsort" in text.partition("By NumPy:")[2]


def test_the_figures_are_those_of_the_work():
    f = gt.function(lambda x: np.sum(np.exp(x) * x + 1.0))
    (part, piece) = f.report(SINGLE).rows
    assert piece.title == "piece 0: loop over 3 x 4"
    assert (piece.flops, piece.reads) == (12 * (20 + 1 + 1 + 1), 12 * 4)
    assert piece.writes == 4 and (part.flops, part.reads) == (piece.flops, piece.reads)
    g = gt.function(lambda x, y: x @ y)
    (part, *pieces) = g.report(np.ones((128, 64)), np.ones((64, 32))).rows
    assert sum(p.flops for p in pieces) == 2 * 128 * 64 * 32
    assert part.reads == 8 * (128 * 64 + 64 * 32) and part.writes == 8 * 128 * 32
    assert part.measured > 0 and part.estimated > 0


def test_a_constant_of_one_number_is_not_read_and_what_stays_inside_is_a_buffer():
    f = gt.function(lambda x: (y := np.exp(x)) / np.sum(y) * np.ones(X.size))
    report = f.report(X)
    assert report.buffers and sum(report.buffers) >= X.nbytes
    assert report.rows[1].reads == X.nbytes


def test_nothing_is_assigned_and_nothing_printed(capsys):
    step, a, b = make()
    step.report(X, Y)
    assert (float(gt.value(a)), float(gt.value(b))) == (0.5, -0.5)

    @gt.function
    def f(x):
        gt.print("seen", x.sum())
        return np.sort(x)

    report = f.report(X)
    assert capsys.readouterr().out == ""
    assert "print" in str(report)


def test_measured_times_are_those_of_a_call():
    f = gt.function(lambda x: np.sum(np.tanh(x)))
    small, large = (f.report(np.ones(n)).parts[0].measured for n in (100, 400_000))
    assert large > 10 * small


def test_without_native_code_the_reason_is_said(monkeypatch):
    f = gt.function(lambda x: np.sin(x) * 2.0, backend="numpy")
    text = str(f.report(X))
    assert "NumPy, node by node" in text and 'backend="numpy" was asked for' in text
    assert "sin: NumPy runs the whole program" in text
    monkeypatch.setattr(choose, "missing", lambda: "llvmlite is not installed.")
    from gradtape.program import report

    monkeypatch.setattr(report, "missing", choose.missing)
    assert "llvmlite is not installed." in str(gt.function(lambda x: np.sin(x)).report(X))


def test_html_has_the_same_rows_and_escapes():
    report = gt.function(lambda x: np.sum(np.where(x < 0.5, x, 2.0 * x)) + np.sort(x)[0]).report(X)
    text = report._repr_html_()
    seen, opened = [], []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attrs):
            if tag != "br":
                opened.append(tag)
            seen.append(tag)

        def handle_endtag(self, tag):
            assert opened.pop() == tag

    Reader().feed(text)
    assert not opened and seen.count("tr") == len(report.rows) + 1
    assert "x &lt; 0.5" in text and "<lambda>" not in text
    for row in report.rows:
        assert row.title in text


def test_a_kept_program_has_a_report_too(tmp_path):
    before = gt.config.current
    try:
        gt.configure(cache_folder=str(tmp_path / "programs"))

        def f(x):
            return np.sum(np.sort(x) * 2.0)

        reports = [times_removed(str(gt.function(f, cache=True).report(X))) for _ in range(2)]
        assert reports[0].splitlines()[3:] == reports[1].splitlines()[3:]
    finally:
        gt.config.current = before
