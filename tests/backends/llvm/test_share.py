"""Loops of the same code are compiled once, and many loops are not inlined into one function."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import gradtape as gt
from gradtape.backends.llvm import segments
from gradtape.backends.llvm.share import MANY, share

pytestmark = pytest.mark.slow  # as a file


def loop(name: str, body: str, *, operands: int = 1) -> list[str]:
    """A body as the emitter writes it, and the function that calls it."""
    arguments = ", ".join(f'ptr noalias %".{i}"' for i in range(operands))
    given = ", ".join(["ptr null"] * operands)
    return [
        f'define internal void @"{name}.body"({arguments}) nounwind', "{", body, "}", "",
        f'define internal void @"{name}"(ptr %".1") nounwind', "{",
        f'  call void @"{name}.body"({given})', "}",
    ]  # fmt: skip


def bodies(lines: list[str]) -> list[str]:
    return [line for line in lines if line.startswith("define") and ".body" in line]


def test_two_bodies_of_one_text_are_one_function_that_both_call() -> None:
    found = share([*loop("loop0", "  x"), *loop("loop1", "  y"), *loop("loop12", "  x")])
    assert [re.findall("@\"(.*?)\"", line) for line in bodies(found)] == [
        ["loop0.body"], ["loop1.body"]
    ]  # fmt: skip
    assert [line.endswith(" noinline") for line in bodies(found)] == [True, False]
    calls = [line.split('"')[1] for line in found if "call" in line]
    assert calls == ["loop0.body", "loop1.body", "loop0.body"]


def test_bodies_that_take_other_arguments_stay_apart() -> None:
    lines = [*loop("loop0", "  x"), *loop("loop1", "  x", operands=2)]
    assert share(lines) == lines


@pytest.mark.parametrize(("count", "apart"), [(MANY, False), (MANY + 1, True)])
def test_many_bodies_are_functions_of_their_own(count: int, apart: bool) -> None:
    lines = [line for i in range(count) for line in loop(f"loop{i}", f"  {i}")]
    assert {line.endswith(" noinline") for line in bodies(share(lines))} == {apart}


def test_a_step_that_is_repeated_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    texts: list[str] = []
    compile_text = segments.compile_text

    def kept(text: str) -> Any:
        texts.append(text)
        return compile_text(text)

    monkeypatch.setattr(segments, "compile_text", kept)

    def smoothed(x: Any) -> Any:
        for _ in range(12):
            y = gt.array(x)
            y[1:-1] = (x[:-2] + x[1:-1] + x[2:]) / 3
            x = y
        return np.sum(x**2)

    x = np.random.default_rng(0).standard_normal(50)
    value, gradient = gt.function(gt.value_and_grad(smoothed))(x)
    (text,) = texts
    repeated = [line for line in bodies(text.splitlines()) if "noinline" in line]
    calls = re.findall(r'call void @"(loop\d+\.body)"', text)
    assert len(repeated) < len(calls) / 2
    wanted, slopes = gt.value_and_grad(smoothed)(x)
    np.testing.assert_allclose(value, wanted, rtol=1e-13)
    np.testing.assert_allclose(gradient, slopes, rtol=1e-12, atol=1e-14)


def source(f: Any, *args: Any) -> str:
    """The module of a function's only program, as it is written."""
    g = gt.function(f)
    g(*args)
    ((program,),) = [g.programs.values()]
    return str(program.run.steps[0].call.program.source)


def test_what_is_done_at_another_place_is_the_same() -> None:
    """One body writes the three diagonals of a Hessian: the kernel says where each begins."""

    def rosenbrock(x: Any) -> Any:
        return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    text = source(gt.hessian(rosenbrock), np.linspace(0.0, 1.0, 200))
    calls = re.findall(r'call void @"(loop\d+\.body)"', text)
    assert len(calls) == 8
    assert len(set(calls)) == 6


@pytest.mark.parametrize("shift", [0, 1, 3, 17])
def test_places_that_are_read_and_written_begin_where_they_should(shift: int) -> None:
    rng = np.random.default_rng(shift)
    x, y = rng.normal(size=(2, 40, 30))

    def f(x: Any, y: Any) -> Any:
        a = gt.zeros((60, 50))
        a[shift : shift + 40, shift : shift + 30] = x[::-1] * 2
        a[shift + 1 : shift + 41, shift + 2 : shift + 32] += y[:, ::-1]
        b = a[shift:, shift:] * 1.0
        b[1:] -= b[:-1] * 0.5
        return a, b, x[shift:, shift:] + y[: 40 - shift, : 30 - shift], x.T[shift:] - y.T[shift:]

    for found, want in zip(gt.function(f)(x, y), f(x, y), strict=True):
        np.testing.assert_allclose(np.asarray(found), np.asarray(want), rtol=1e-14, atol=1e-15)
