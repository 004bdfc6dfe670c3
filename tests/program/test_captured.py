"""Arrays from outside a compiled function are read at each call, in its gradient too."""

from __future__ import annotations

import dis
import inspect
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import gradtape as gt
from gradtape.backends.llvm import segment
from gradtape.program import signature

LOSSES: dict[str, Callable[[Any, Any], Any]] = {
    "product": lambda w, y: np.mean(y * w - np.sum(w)),
    "quotient": lambda w, y: np.sum(w / y),
    "power": lambda w, y: np.sum(y**w),
    "matmul": lambda w, y: np.sum((y.reshape(2, 3) @ w[:3]) ** 2),
    "turned": lambda w, y: np.sum((y.reshape(2, 3).T @ w[:2]) ** 2),
    "where": lambda w, y: np.sum(np.where(y > 0, w, y)),
}


@pytest.mark.parametrize("backend", ["llvm", "numpy"])
@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("order", [1, 2])
def test_a_gradient_reads_an_array_that_was_written_after_the_trace(
    name: str, backend: str, order: int
) -> None:
    loss, w = LOSSES[name], np.array([1.5, 2.0, 0.5, 1.0, 2.5, 0.7])
    y = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])

    def outer(w: Any) -> Any:
        return loss(w, y) if order == 1 else np.sum(gt.grad(lambda w: loss(w, y))(w) ** 2)

    compiled = gt.function(gt.value_and_grad(outer), backend=backend)
    for factor in (1.0, 1.3, -0.8 if name in ("product", "matmul", "turned") else 0.6):
        y[:] = factor * np.arange(1.0, 7.0)
        value, gradient = compiled(w)
        wanted, slopes = gt.value_and_grad(outer)(w)
        np.testing.assert_allclose(value, wanted, rtol=1e-12)
        np.testing.assert_allclose(gt.value(gradient), slopes, rtol=1e-12, atol=1e-12)
        assert order == 2 or type(gradient) is np.ndarray


def test_a_tape_inside_reads_it_too() -> None:
    y, w = np.arange(1.0, 4.0), gt.Variable([1.0, 1.0, 1.0])

    @gt.function
    def slopes() -> Any:
        with gt.GradientTape() as tape:
            loss = np.sum(y * w * w)
        return tape.gradient(loss, w)

    np.testing.assert_array_equal(slopes(), 2 * y)
    y += 10
    np.testing.assert_array_equal(slopes(), 2 * y)


def test_what_is_turned_of_an_array_is_no_second_input_and_no_copy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    x = np.random.default_rng(0).standard_normal((300, 4))
    w = np.array([0.1, -0.2, 0.3, 0.4])
    compiled = gt.function(gt.value_and_grad(lambda w: np.sum(np.tanh(x @ w))))
    compiled(w)
    assert compiled.graph(w).splitlines()[0].count("captured") == 1

    def refused(*_: Any) -> Any:
        raise AssertionError("an argument was brought into form")

    monkeypatch.setattr(segment, "_fitted", refused)
    x *= 2
    value, gradient = compiled(w)
    z = np.tanh(x @ w)
    assert value == pytest.approx(z.sum())
    np.testing.assert_allclose(gradient, x.T @ (1 - z**2), rtol=1e-12)


RATE = 0.5


def test_a_number_from_outside_is_seen_on_the_short_way_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    offset = 1.0

    def scaled(x: Any) -> Any:
        return x * RATE + offset

    compiled, x = gt.function(scaled), np.array([2.0, 4.0])
    compiled(x)
    looked: list[Any] = []
    look = gt.function.__globals__["CompiledFunction"]._program
    monkeypatch.setattr(type(compiled), "_program", lambda *a: looked.append(a) or look(*a))
    np.testing.assert_array_equal(compiled(x), [2.0, 3.0])
    assert not looked  # the program of the last call, without a look at the signature
    monkeypatch.setitem(globals(), "RATE", 2.0)
    np.testing.assert_array_equal(compiled(x), [5.0, 9.0])
    np.testing.assert_array_equal(compiled(x), [5.0, 9.0])
    offset = -1.0
    np.testing.assert_array_equal(compiled(x), [3.0, 7.0])
    monkeypatch.setitem(globals(), "RATE", 0.5)
    offset = 1.0
    np.testing.assert_array_equal(compiled(x), [2.0, 3.0])
    assert len(compiled.programs) == 3


def test_the_global_names_that_a_function_reads_are_those_that_dis_sees():
    functions = [f for module in (dis, inspect) for f in vars(module).values()
                 if isinstance(f, types.FunctionType)]  # fmt: skip
    for function in functions:
        seen = {
            i.argval
            for code in codes_of(function.__code__)
            for i in dis.get_instructions(code)
            if i.opname == "LOAD_GLOBAL"
        }
        assert signature.global_names(function.__code__) == tuple(sorted(seen))
    assert len(functions) > 100


def codes_of(code: types.CodeType) -> Iterator[types.CodeType]:
    """`code`, and that of the functions inside it."""
    yield code
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            yield from codes_of(const)
