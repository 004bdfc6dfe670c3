"""Rows in memory and on disk: the same rows, batches and test rows, however they are cut."""

import numpy as np
import pytest

from gradtape.fit.rows import BLOCK, Block, MemoryRows, Spool, batches, held_out


def made(n, p=3, weights=True):
    rng = np.random.default_rng(n)
    w = rng.uniform(1, 2, n) if weights else None
    return Block(rng.normal(size=(n, p)), np.arange(n, dtype=float), w)


def joined(blocks):
    blocks = list(blocks)
    weights = None if blocks[0].weights is None else np.concatenate([b.weights for b in blocks])
    return Block(
        np.concatenate([b.X for b in blocks]), np.concatenate([b.y for b in blocks]), weights
    )


def same(one, other):
    np.testing.assert_array_equal(one.X, other.X)
    np.testing.assert_array_equal(one.y, other.y)
    assert (one.weights is None) == (other.weights is None)
    if one.weights is not None:
        np.testing.assert_array_equal(one.weights, other.weights)


def spooled(whole, tmp_path, cuts):
    spool = Spool(whole.X.shape[1], has_weights=whole.weights is not None, folder=tmp_path)
    for part in np.array_split(np.arange(len(whole)), cuts):
        spool.add(whole.take(part))
    return spool


@pytest.mark.parametrize("weights", [True, False])
@pytest.mark.parametrize("n", [1, 1000, BLOCK, 2 * BLOCK + 5])
def test_what_is_spooled_comes_back(tmp_path, n, weights):
    whole = made(n, weights=weights)
    spool = spooled(whole, tmp_path, 7)
    assert spool.n == MemoryRows(whole).n == n
    for _ in range(2):
        same(joined(spool.blocks()), whole)
    assert max(map(len, spool.blocks())) <= BLOCK
    assert list(tmp_path.iterdir()) == []  # the file has no name


@pytest.mark.parametrize("n", [10, BLOCK + 3000])
def test_batches_are_all_rows_shuffled_and_the_same_from_disk(tmp_path, n):
    whole = made(n)
    found = list(batches(MemoryRows(whole), 512, seed=1, epoch=4))
    assert max(map(len, found)) <= 512
    drawn = joined(found)
    assert not np.array_equal(drawn.y, whole.y)
    same(drawn.take(np.argsort(drawn.y)), whole)
    same(joined(batches(spooled(whole, tmp_path, 3), 512, seed=1, epoch=4)), drawn)
    other = joined(batches(MemoryRows(whole), 512, seed=1, epoch=5))
    assert not np.array_equal(other.y, drawn.y)


@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.2, 0.25, 1 / 3, 0.3, 0.5, 0.7, 0.9])
def test_held_out_is_a_fraction_of_every_stretch_and_independent_of_cuts(fraction):
    n = 20_000
    whole = held_out(0, n, fraction, seed=3)
    assert abs(whole.sum() - n * fraction) <= 1
    for first in range(0, n, 500):
        assert abs(whole[first : first + 500].sum() - 500 * fraction) <= 2
    cuts = [0, 1, 17, 4000, 4001, 13_333, n]
    parts = [held_out(a, b - a, fraction, seed=3) for a, b in zip(cuts, cuts[1:], strict=False)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert not np.array_equal(held_out(0, n, fraction, seed=4), whole)


def test_held_out_is_random_within_its_stretch():
    positions = np.flatnonzero(held_out(0, 40_000, 0.25, seed=0)) % 4
    counts = np.bincount(positions, minlength=4)
    assert counts.sum() == 10_000
    assert np.all(np.abs(counts - 2500) < 4 * np.sqrt(2500))
