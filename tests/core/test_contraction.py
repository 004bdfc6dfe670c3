"""Einstein sums by BLAS give what np.einsum gives, for every way the indices can lie."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import gradtape as gt
from gradtape.core import contraction
from gradtape.core.contraction import contract

SIZES = {"a": 5, "b": 13, "c": 7, "d": 11, "e": 3}

PAIRS = [
    "kij,nkj->nki", "nki,nkj->kij", "kij,nki->nkj", "ab,bc->ac", "ab,bc->ca", "ba,bc->ac",
    "ab,cb->ac", "ab,b->a", "b,ab->a", "ab,a->b", "abc,abd->acd", "abc,adb->cad", "abc,bcd->ad",
    "abc,cbd->da", "abcd,cd->ab", "abcd,bd->ca", "abc,abc->a", "abc,ab->ac", "ab,abc->ca",
    "abc,bd->dac", "abd,cbd->bac", "ad,bcd->cab", "abcd,abcd->ab", "abc,cd->abd", "abe,acbe->ac",
]  # fmt: skip


def operands(subscripts: str, dtype: Any, sizes: dict[str, int] = SIZES) -> list[Any]:
    rng = np.random.default_rng(0)
    lengths = {**dict(zip("nkij", (40, 6, 4, 5), strict=True)), **sizes}
    found = []
    for term in subscripts.partition("->")[0].split(","):
        x = rng.standard_normal([lengths[n] for n in term])
        if np.dtype(dtype).kind == "c":
            x = x + 1j * rng.standard_normal(x.shape)
        found.append(x.astype(dtype))
    return found


def close(found: Any, expected: Any, terms: Any) -> None:
    """Within rounding: n products of magnitudes m are summed in any order."""
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    n = 1
    for x in terms:
        n = max(n, x.size)
    scale = np.prod([float(np.max(np.abs(x))) for x in terms]) * n
    assert np.max(np.abs(found - expected)) <= 8 * np.finfo(found.dtype).eps * scale


@pytest.mark.parametrize("dtype", ["f", "d", "F", "D"])
@pytest.mark.parametrize("subscripts", PAIRS)
def test_two_operands_in_any_order_of_indices(
    subscripts: str, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contraction, "_WORTH", 0)
    xs = operands(subscripts, dtype)
    expected = np.einsum(subscripts, *xs)
    found = contract(subscripts, *xs)
    close(found, expected, xs)
    assert found.flags.c_contiguous
    assert found.flags.writeable


@pytest.mark.parametrize("subscripts", PAIRS)
def test_operands_with_any_strides(subscripts: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contraction, "_WORTH", 0)
    xs = operands(subscripts, "d")
    expected = np.einsum(subscripts, *xs)

    def ways(x: Any) -> list[Any]:
        spaced = np.zeros([2 * n for n in x.shape])[tuple(slice(None, None, 2) for _ in x.shape)]
        spaced[...] = x
        return [np.asfortranarray(x), np.ascontiguousarray(x[::-1])[::-1], spaced]

    for x, y in itertools.product(*map(ways, xs)):
        close(contract(subscripts, x, y), expected, xs)


def test_one_number_seen_through_zero_strides() -> None:
    x, y = np.broadcast_to(np.float64(2), (40, 50)), np.ones((50, 30))
    np.testing.assert_allclose(contract("ab,bc->ac", x, y), np.full((40, 30), 100.0))
    np.testing.assert_allclose(contract("ab,bc->ca", x, y), np.full((30, 40), 100.0))


@pytest.mark.parametrize("lengths", [(0, 13, 7), (5, 0, 7), (5, 13, 0), (1, 1, 1), (1, 600, 1)])
def test_axes_of_length_0_and_1(
    lengths: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contraction, "_WORTH", 0)
    a, b, c = lengths
    x, y = np.random.default_rng(0).standard_normal((a, b)), np.ones((b, c))
    np.testing.assert_allclose(contract("ab,bc->ac", x, y), np.einsum("ab,bc->ac", x, y))


def test_an_axis_of_length_1_broadcasts_as_in_numpy() -> None:
    x, y = np.random.default_rng(0).standard_normal((40, 1)), np.ones((60, 30))
    np.testing.assert_allclose(contract("ab,bc->ac", x, y), np.einsum("ab,bc->ac", x, y))


@pytest.mark.parametrize("subscripts", ["aab,bc->ac", "ab,bb->a", "ab,cd->ac", "ab,ab->ab"])
def test_what_is_no_matrix_product_is_numpys(subscripts: str) -> None:
    sizes = {"a": 20, "b": 20, "c": 20, "d": 20}
    xs = operands(subscripts, "d", sizes)
    np.testing.assert_array_equal(contract(subscripts, *xs), np.einsum(subscripts, *xs))


@pytest.mark.parametrize("dtype", [np.int64, object, bool, np.float16, np.longdouble])
def test_other_dtypes_are_numpys(dtype: Any) -> None:
    rng = np.random.default_rng(0)
    x, y = (rng.integers(0, 2, (20, 20)).astype(dtype) for _ in range(2))
    found, expected = contract("ab,bc->ac", x, y), np.einsum("ab,bc->ac", x, y)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


def test_a_large_sum_goes_to_blas(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = operands("kij,nkj->nki", "d")
    expected = np.einsum("kij,nkj->nki", x, y)
    monkeypatch.setattr(np, "einsum", None)
    close(contract("kij,nkj->nki", x, y), expected, [x, y])
    with pytest.raises(TypeError):  # a small one does not
        contract("kij,nkj->nki", x[:1, :2], y[:2, :1])


CHAINS = ["ab,bc,cd->ad", "ab,bc,cd,de->ae", "abe,bc,cd->aed", "ab,bc,ad->cd", "ab,cb,cd->bd"]


@pytest.mark.parametrize("subscripts", CHAINS)
def test_several_operands_are_summed_pair_by_pair(
    subscripts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = dict(zip("abcde", (33, 34, 35, 36, 37), strict=True))
    xs = operands(subscripts, "d", sizes)
    np.testing.assert_allclose(
        contract(subscripts, *xs), np.einsum(subscripts, *xs, optimize=True), rtol=1e-11, atol=1e-9
    )
    steps = contraction._order(subscripts, tuple(x.shape for x in xs))
    assert steps is not None
    assert all(len(places) == 2 for places, _ in steps)
    # and where it is no less work, or asked for, not
    assert contraction._order("a,a,a->a", ((40_000,),) * 3) is None
    small = operands(subscripts, "d", dict.fromkeys("abcde", 2))
    assert contraction._order(subscripts, tuple(x.shape for x in small)) is None
    with monkeypatch.context() as patched:
        patched.setattr(contraction, "_chain", None)
        close(contract(subscripts, *small, optimize=False), np.einsum(subscripts, *small), small)


@pytest.mark.parametrize("subscripts", ["kij,nkj->nki", "ab,bc->ac", "abc,abd->acd", *CHAINS])
def test_the_gradient_and_the_tangent_are_those_of_the_sum(subscripts: str) -> None:
    sizes = dict(zip("abcde", (14, 15, 16, 13, 12), strict=True))
    xs = operands(subscripts, "d", sizes)
    rng = np.random.default_rng(1)
    directions = [rng.standard_normal(x.shape) for x in xs]
    ct = rng.standard_normal(np.einsum(subscripts, *xs, optimize=True).shape)

    def f(*xs: Any) -> Any:
        return np.einsum(subscripts, *xs)

    out, pull = gt.vjp(f, *xs)
    gradient = pull(ct)
    # the sum is linear in each operand: no difference quotient is needed
    for n, (g, d) in enumerate(zip(gradient, directions, strict=True)):
        moved = np.einsum(subscripts, *xs[:n], d, *xs[n + 1 :], optimize=True)
        assert np.sum(g * d) == pytest.approx(np.sum(ct * moved), rel=1e-10, abs=1e-8)
    value, tangent = gt.jvp(f, tuple(xs), tuple(directions))
    total = sum(
        np.einsum(subscripts, *xs[:n], d, *xs[n + 1 :], optimize=True)
        for n, d in enumerate(directions)
    )
    np.testing.assert_allclose(tangent, total, rtol=1e-10, atol=1e-8)
    np.testing.assert_allclose(value, out)


def test_a_result_shares_no_memory_with_another_that_is_kept() -> None:
    x, y = np.ones((300, 30)), np.ones((30, 300))
    first = contract("ab,bc->ac", x, y)
    second = contract("ab,bc->ac", x, 2 * y)
    np.testing.assert_array_equal(first, np.full((300, 300), 30.0))
    assert not np.shares_memory(first, second)
