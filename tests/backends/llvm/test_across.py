"""Rows of a group side by side in vectors: the same results as row after row."""

import re

import numpy as np
import pytest

import gradtape as gt

pytest.importorskip("llvmlite")
from gradtape import events
from gradtape.backends.llvm import across, fuse, rows, segments
from gradtape.passes.pipeline import prepare

from .test_rows import RNG, check, check_bits, graph_of, nearest

pytestmark = pytest.mark.slow  # as a file


@pytest.fixture
def always(monkeypatch):
    """Groups of any size, in blocks of 16 rows, and across rows wherever that can be."""
    monkeypatch.setattr(rows, "WORTH", 1)
    monkeypatch.setattr(rows, "MOST_ROWS", 16)
    monkeypatch.setattr(across, "GAIN", float("inf"))


def layouts(f, *args):
    """What is published of the rows of groups while `f` is compiled."""
    seen = []
    stop = events.subscribe(lambda name, data: seen.append(data) if name == "pass" else None)
    try:
        segments.compile_graph(graph_of(f, *args))
    finally:
        stop()
    return [d["after"] for d in seen if d["run"] == "lay out rows"]


def source(f, *args):
    made = fuse.plan(prepare(graph_of(f, *args)))
    (native,) = (p.native for p in segments.segments(made))
    return native.program.source


def points(n, dtype=np.float64, k=5):
    return RNG.random((10, k)).astype(dtype), RNG.random((n, k)).astype(dtype)


def test_short_axes_behind_rows_are_no_vectors():
    """Five coordinates were computed one by one: 174 us, and 40 now."""
    both = gt.value_and_grad(nearest, (0, 1))
    assert layouts(both, *points(1000)) == ["1000 rows side by side, in columns of 520"]
    text = source(gt.value_and_grad(nearest), *points(1000)).partition("@\"rows0\"(")[0]
    # every loop over elements goes over rows, to an end that is not known before
    ends = re.findall(r'\n"?lanes[.\d]*"?:\n(?:  .*\n)*?  %\S+ = icmp slt i64 \S+, (\S+)\n', text)
    assert len(ends) > 9 and not any(end.isdigit() for end in ends)


def test_axes_that_are_vectors_by_themselves_stay():
    both = gt.value_and_grad(nearest)
    assert layouts(both, *points(1000, k=4)) != []
    assert layouts(both, *points(1000, k=64)) == []


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-11), (np.float32, 1e-4)])
@pytest.mark.parametrize("n", [33, 1003])
def test_means_that_are_nearest(n, dtype, rtol, always):
    for which in (0, (0, 1)):
        both = gt.value_and_grad(nearest, which)
        assert layouts(both, *points(n, dtype))
        check(both, *points(n, dtype), rtol=rtol)
    check_bits(graph_of(both, *points(n, dtype)), points(n, dtype))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e200])
@pytest.mark.parametrize("where", [0, 1])
def test_what_is_no_number_goes_through(bad, where):
    args = points(1000)
    args[where][7, 3] = bad
    check(gt.value_and_grad(nearest, (0, 1)), *args)


def test_ties_share_their_gradient():
    means, x = points(1000)
    means[3] = means[8]
    check(gt.value_and_grad(nearest, (0, 1)), means, x)


@pytest.mark.parametrize("seed", range(12))
def test_random_programs_over_short_axes(seed, always):
    rng = np.random.default_rng(seed)
    n, a, b = int(rng.integers(33, 90)), int(rng.integers(1, 6)), int(rng.integers(1, 7))
    x, y = rng.normal(size=(n, a, b)), rng.normal(size=(n, b))
    w, v = rng.normal(size=(a, b)), rng.normal(size=n)
    steps, picks = rng.integers(0, 14, 10), rng.integers(0, 100, 10)

    def f(x, y, w, v):
        cubes, tables, lines, out = [x, x * w], [y], [v], []
        for step, pick in zip(steps, picks, strict=True):
            c, t, s = cubes[pick % len(cubes)], tables[pick % len(tables)], lines[pick % len(lines)]
            if step == 0:
                cubes.append(t[:, None] - w)
            elif step == 1:
                cubes.append(np.tanh(c) * s[:, None, None])
            elif step == 2:
                tables.append(np.sum(c, axis=1))
            elif step == 3:
                tables.append(np.max(c * 0.5, axis=1) * w[0])
            elif step == 4:
                lines.append(np.sum(t, axis=1) + s)
            elif step == 5:
                lines.append(np.min(t, axis=1) * 0.25)
            elif step == 6:
                lines.append(np.prod(np.cos(c), axis=(1, 2)))
            elif step == 7:
                out.append(np.sum(c, axis=0))
            elif step == 8:
                out.append(np.max(c - t[:, None], axis=(0, 2)))
            elif step == 9:
                out.append(np.any(c > 0.5, axis=2))
            elif step == 10:
                tables.append(np.where(np.all(c > -1, axis=1), t, t * s[:, None]))
            elif step == 11:
                cubes.append(c[:, :1] * t[:, None, ::1] + c)
            elif step == 12:
                lines.append(t[:, -1] * np.sum(c > 0, axis=(1, 2)))
            else:
                out.append(t)
        return np.sum(np.cos(cubes[-1])), np.sum(np.sin(tables[-1])), lines[-1], *out

    check(f, x, y, w, v, rtol=1e-10)

    def total(*args):
        first, second, lines, *_ = f(*args)
        return first + second + np.sum(np.cos(lines)) + sum(np.sum(z * z) for z in args)

    check(gt.grad(total, (0, 1, 2, 3)), x, y, w, v, rtol=1e-9)


def test_columns_on_the_stack_are_few(always, monkeypatch):
    """A sum for each row that is a result has columns of its own while a block runs."""

    def f(x, w):
        return np.sum(x[:, None] * w, axis=2)

    args = RNG.random((64, 3)), RNG.random((40, 3))
    assert layouts(lambda x, w: (f(x, w), np.tanh(x)), *args)
    monkeypatch.setattr(across, "MOST", 1000)
    assert not layouts(lambda x, w: (f(x, w), np.tanh(x)), *args)
    check(f, *args)


@pytest.mark.parametrize(("dtype", "count"), [(np.float64, 1), (np.float32, 0)])
def test_long_sums_of_single_precision_stay_in_registers(dtype, count, always):
    """Across rows they would be added one after the other in memory, in float32."""

    def f(x, w):
        apart = x[:, None] - w
        return np.sum(apart * apart, axis=1), np.tanh(x)

    args = RNG.random((64, 3)).astype(dtype), RNG.random((100, 3)).astype(dtype)
    assert len(layouts(f, *args)) == count
    assert layouts(f, args[0], args[1][:60])
