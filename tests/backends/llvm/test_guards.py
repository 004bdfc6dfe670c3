"""Guards of products that turns over vectors leave out: the text, and what it computes."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import gradtape as gt
from gradtape.backends.llvm.guards import without_guards
from gradtape.backends.llvm.lanes import over_vectors
from gradtape.backends.llvm.machine import host

pytestmark = pytest.mark.slow  # as a file

HAS_MASKS = pytest.mark.skipif(not host().has_avx512, reason="the host has no masks")

V = "<8 x double>"
GUARD = f"""
  %"p" = fmul {V} %"x", %"ct"
  %"n" = fcmp uno {V} %"p", %"p"
  %"z" = fcmp oeq {V} %"ct", splat (double 0x0)
  %"s" = select <8 x i1> %"z", {V} splat (double 0x0), {V} %"p"
  %"g" = select <8 x i1> %"n", {V} %"s", {V} %"p"
"""


def lines(text: str) -> list[str]:
    """The lines of a turn."""
    return [line for line in text.splitlines() if line]


def blocks(made: list[str]) -> dict[str, list[str]]:
    """The lines of each block by its label."""
    found: dict[str, list[str]] = {"": []}
    for line in made:
        if line.endswith(":"):
            found[line[:-1]] = []
        else:
            found[list(found)[-1]].append(line)
    return found


def split(text: str, *needed: str) -> dict[str, list[str]]:
    """The blocks of a turn from which these are needed."""
    names = (f'%"v.{n}"' for n in range(100))
    made = without_guards(lines(text), "l", {f'%"{x}"': V for x in needed}, lambda: next(names))
    return blocks(made)


def test_a_guard_is_computed_only_where_a_product_is_nan() -> None:
    made = split(GUARD + f'  %"w" = fadd {V} %"g", %"x"\n', "w")
    assert list(made) == ["", "l.plain", "l.guarded", "l.known"]
    plain = "\n".join(made["l.plain"])
    assert "select" not in plain and "oeq" not in plain
    assert f'%"w.plain" = fadd {V} %"p", %"x"' in plain
    assert f'%"w.guarded" = fadd {V} %"g.guarded", %"x"' in "\n".join(made["l.guarded"])
    assert made["l.known"] == [
        f'  %"w" = phi {V} [ %"w.plain", %"l.plain" ], [ %"w.guarded", %"l.guarded" ]'
    ]


def test_one_comparison_asks_for_two_products() -> None:
    second = re.sub(r'%"(\w)"', r'%"\1\1"', GUARD).replace('%"xx"', '%"g"')
    made = split(GUARD + second, "gg")
    asked = [line for line in made["l.plain"] if "fcmp uno" in line]
    assert len(asked) == 1
    assert asked[0].endswith(f'fcmp uno {V} %"p", %"pp.plain"')


def test_what_no_guard_touches_is_computed_once() -> None:
    made = split(f'  %"e" = fmul {V} %"x", %"x"\n' + GUARD, "g", "e")
    assert sum('%"e" = ' in line for block in made.values() for line in block) == 1


@pytest.mark.parametrize(
    "more",
    [
        f'  %"w" = call {V} @"gt.exp.f64.v8"({V} %"g")\n',
        f'  call void @llvm.masked.scatter.v8f64.v8p0({V} %"g", <8 x ptr> %"q")\n',
    ],
    ids=["a kernel behind it", "a write"],
)
def test_what_is_not_to_be_done_twice_keeps_its_guards(more: str) -> None:
    text = GUARD + more
    assert split(text, "g") == {"": lines(text)}


def test_turns_without_guards_stay_as_they_are() -> None:
    text = f'  %"w" = fadd {V} %"x", %"x"\n'
    assert split(text, "w") == {"": lines(text)}


# ------------------------------------------------------------------ what it computes


def loss(x: Any, w: Any, centre: Any) -> Any:
    """A sum whose gradient has several guarded products for an element."""
    z = np.where(w == 0, 0.0, w) * (x - centre) * x
    return np.sum(np.where(w > 0, np.sqrt(x) * z * w, z * w))


@HAS_MASKS
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(40, 25, 10), (300, 250), (3000,), (301, 7)])
def test_a_cotangent_of_0_wins_in_a_loop_as_it_does_eagerly(
    shape: tuple[int, ...], dtype: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def told(text: str, width: int) -> tuple[str, set[str]]:
        found = over_vectors(text, width)
        made.append(found[0])
        return found

    monkeypatch.setattr("gradtape.backends.llvm.lanes.over_vectors", told)
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 2, shape).astype(dtype)
    w = rng.normal(size=shape).astype(dtype)
    centre = rng.normal(size=shape[-1:]).astype(dtype)
    both = gt.value_and_grad(loss, argnums=(0, 1, 2))
    compiled = gt.function(both)
    for odd in (None, np.nan, np.inf, -np.inf):
        if odd is not None:  # where its weight is 0, and in a place where it is not
            for place in rng.integers(0, x.size, 5):
                x.flat[place], w.flat[place] = odd, 0
            x.flat[rng.integers(0, x.size)] = odd
            x.flat[rng.integers(0, x.size)] = 0
        with np.errstate(all="ignore"):
            want, got = both(x, w, centre), compiled(x, w, centre)
        for a, b in zip((got[0], *got[1]), (want[0], *want[1]), strict=True):
            assert np.array_equal(np.isnan(a), np.isnan(b))
            tolerance = 500 * np.finfo(dtype).eps
            scale = np.nanmax(np.abs(np.where(np.isfinite(b), b, 0))) + 1
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * scale)
    if shape[-1] > 8:  # shorter rows are written out
        assert any(".guarded:" in text for text in made)
