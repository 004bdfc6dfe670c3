"""Partition: parts follow from shapes and work, are announced, and cover every element once."""

import re

import numpy as np
import pytest

import gradtape as gt

pytest.importorskip("llvmlite")
from gradtape import config, configure, events
from gradtape.backends.llvm import segments
from gradtape.backends.llvm.machine import host
from gradtape.backends.llvm.partition import MOST_PARTS, grid, parts_of
from gradtape.core.aval import aval_of
from gradtape.graph.trace import trace
from gradtape.passes.pipeline import optimise

RNG = np.random.default_rng(0)


def announced(f, *args):
    """What the pass says of the program of `f`."""
    seen = []
    stop = events.subscribe(lambda name, data: seen.append(data) if name == "pass" else None)
    try:
        traced, _ = trace(f, [aval_of(x) for x in args], "f")
        segments.compile_graph(optimise(traced.graph))
    finally:
        stop()
    return [(d["before"], d["after"]) for d in seen if d["run"] == "partition"]


@pytest.mark.parametrize(
    ("cost", "length", "parts"),
    [
        (0.0, 10, 1), (29_000.0, 10, 1), (60_000.0, 10, 2), (60_000.0, 1, 1), (60_000.0, 0, 1),
        (9e9, 10**6, MOST_PARTS), (9e9, 3, 3),
    ],
)  # fmt: skip
def test_parts_are_worth_a_hand_off_and_no_more_than_the_axis(cost, length, parts):
    assert parts_of(cost, length) == parts


def test_before_and_after():
    assert announced(lambda x: np.sum(np.tanh(x)), np.ones(1_000_000)) == [("loop0", "loop0: 33")]
    assert announced(lambda x: np.sum(np.tanh(x)), np.ones(200)) == [("loop0", "loop0: 1")]
    assert announced(lambda x: np.tanh(x) @ x, np.ones((30, 30))) == [
        ("loop0, product1", "loop0: 1, product1: 1")
    ]


def test_parts_whose_sums_are_large_are_few():
    """Each clears sums of its own, which are joined: 2500 of them cost as much as a part's work."""

    def parts(k):
        w, x = np.ones((k, 10, 10)), np.ones((25_000 // k, k, 10))
        f = gt.value_and_grad(lambda w, x: np.sum(np.tanh(np.einsum("kij,nkj->nki", w, x)) ** 2))
        ((_, after),) = announced(f, w, x)
        return max(int(n) for n in re.findall(r"rows\d+: (\d+)", after))

    assert parts(1) > 15
    assert 4 <= parts(25) < 0.6 * parts(1)


@pytest.mark.skipif(host().width != 512, reason="panels are for vectors of 512 bits")
@pytest.mark.parametrize("n", [128, 200, 384])
def test_products_of_middle_size_are_cut(n):
    """before: a product of less than 24 million numbers was one part. after: pieces of it."""
    x = np.ones((n, n))
    assert announced(lambda x: x @ x, x) == [("product0", "product0: 4")]
    assert announced(lambda x: x.T @ x, x) == [("product0", "product0: 4")]
    small = np.ones((64, 64))
    assert announced(lambda x: x @ x, small) == [("product0", "product0: 1")]


@pytest.mark.parametrize(
    ("rows", "columns", "most", "steps"),
    [
        ((128, 4), (128, 32), 4, (68, 64)),  # squares
        ((1000, 4), (64, 32), 4, (260, 64)),  # or as near to them as it can be
        ((32, 4), (2048, 32), 4, (32, 1024)),
        ((200, 4), (220, 32), 1, (200, 224)),
        ((200, 4), (220, 32), 0, (200, 220)),
        ((30, 6), (30, 32), 16, (18, 32)),
    ],
)
def test_pieces_of_a_product_are_nearly_square(rows, columns, most, steps):
    assert grid(rows, columns, most) == steps


@pytest.mark.parametrize("columns", [128, 180, 190, 220, 256])
@pytest.mark.parametrize("rows", [128, 160, 180, 200, 256])
def test_a_thread_has_the_same_pieces_in_every_call(rows, columns):
    """before: of equal ones either thread took the third. after: the second is ready first."""
    high, wide = grid((rows, 4), (columns, 32), 4)
    last_rows, last_columns = rows - high, columns - wide
    assert 0 < last_rows < 0.95 * high and 0 < last_columns <= wide
    first, second = high * wide, last_rows * wide
    assert abs(first + last_rows * last_columns - second - high * last_columns) < 0.2 * first


def test_pieces_of_a_product_are_whole_tiles_and_panels():
    for rows in range(30, 300, 7):
        for columns in range(8, 300, 9):
            (high, wide) = grid((rows, 12), (columns, 32), 16)
            assert high >= rows or not high % 12
            assert wide >= columns or not wide % 32
            assert -(-rows // high) * -(-columns // wide) <= 16


def test_the_decision_does_not_ask_for_threads():
    before, found = config.current, []
    try:
        for threads in (1, 2, 7):
            configure(threads=threads)
            found.append(announced(lambda x: np.exp(x) / np.sum(x), np.ones((3000, 70))))
    finally:
        config.current = before
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("size", [299_999, 300_000, 300_001, 262_144 + 1])
def test_each_element_is_computed_once_whatever_the_parts(size):
    x = RNG.normal(size=size)
    f = gt.function(lambda x: (np.tanh(x), np.sum(np.ones_like(x) + 0.0 * np.exp(x))))
    y, count = f(x)
    np.testing.assert_allclose(y, np.tanh(x), rtol=1e-14)
    assert count == size


def test_many_parts_are_joined_by_a_loop():
    """In their order, as one after the other would be: the code does not grow with the parts."""
    x = np.random.default_rng(0).normal(size=(200_000, 7)).astype(np.float32)
    for f in (lambda x: np.sum(np.exp(x)), lambda x: np.max(np.exp(x), axis=0)):
        compiled = gt.function(f)
        text = compiled.llvm(x)
        assert len(re.findall(r"^steps[.\d]*:", text, re.MULTILINE)) == 1
        np.testing.assert_allclose(compiled(x), f(x), rtol=1e-5)


def test_of_few_parts_each_is_written_out():
    x = np.random.default_rng(0).normal(size=(20_000, 7)).astype(np.float32)
    text = gt.function(lambda x: np.sum(np.exp(x))).llvm(x)
    assert not re.search(r"^steps[.\d]*:", text, re.MULTILINE)
