"""sin and cos of one number are computed together, with the bits that each has by itself."""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
import numpy as np
import pytest

import gradtape as gt
from gradtape.backends.llvm import library, segments
from gradtape.backends.llvm.rolled import beside
from gradtape.core.aval import Aval
from gradtape.graph.trace import trace

has_pairs = tuple(llvm.llvm_version_info) >= library.PAIRED
X = np.concatenate([np.linspace(-20.0, 20.0, 997), [0.0, -0.0, 1e22, -1e300, np.inf, np.nan]])


def many(x: Any) -> Any:
    """So many sines that they are called, of values that do not repeat with a period."""
    parts, y = [], x
    for i in range(9):
        y = np.sin(y + 0.37 * i * i) * (1.0 + 0.1 * i) if i % 3 else np.sin(x * y - 0.01 * i)
        parts.append(y)
    return parts


def texts_of(f: Any, *args: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, list[str]]:
    texts: list[str] = []
    link = library.link

    def kept(*given: Any) -> str:
        texts.append(link(*given))
        return texts[-1]

    monkeypatch.setattr(library, "link", kept)
    return gt.function(f)(*args), texts


@pytest.mark.skipif(not has_pairs, reason="this LLVM makes no vectors of a pair")
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_pair_is_one_call_with_the_bits_of_two(
    dtype: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with np.errstate(over="ignore"):
        x = X.astype(dtype)

    def both(x: Any) -> Any:
        found: Any = 0
        for i, y in enumerate(many(x)):
            found = found + (i + 1) * np.cos(y) if i % 2 else found - np.cos(y) * np.sin(y)
        return found + np.sum(np.cos(x)) * 0

    with np.errstate(all="ignore"):
        result, texts = texts_of(both, x, monkeypatch=monkeypatch)
        assert any("gt.sincos." in text for text in texts)
        monkeypatch.setattr(library, "PAIRED", (999, 0, 0))
        plain, texts = texts_of(both, x, monkeypatch=monkeypatch)
    assert not any("gt.sincos." in text for text in texts)
    np.testing.assert_array_equal(result, plain)


@pytest.mark.skipif(not has_pairs, reason="this LLVM makes no vectors of a pair")
def test_only_calls_of_one_operand_in_one_block_are_paired() -> None:
    def call(result: str, kernel: str, x: str) -> str:
        return f'  {result} = call double @"gt.{kernel}.f64"(double {x})'

    lines = [call("%a", "sin", "%x"), call("%b", "cos", "%y"), "loop:", call("%c", "cos", "%x")]
    assert not library._pair_calls(lines, "sincos", ("sin", "cos"), "f64")
    lines = ["loop:", call("%a", "cos", "%x"), "  %z = fmul double %a, %a", call("%b", "sin", "%x")]
    assert library._pair_calls(lines, "sincos", ("sin", "cos"), "f64")
    assert lines[1].splitlines() == [
        '  %both.sincos.3 = call {double, double} @"gt.sincos.f64"(double %x)',
        "  %b = extractvalue {double, double} %both.sincos.3, 0",
        "  %a = extractvalue {double, double} %both.sincos.3, 1",
    ]
    assert lines[3] == ""


def test_the_cosine_of_a_gradient_stands_beside_the_sine_of_the_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    texts: list[str] = []
    compile_text = segments.compile_text

    def kept(text: str) -> Any:
        texts.append(text)
        return compile_text(text)

    monkeypatch.setattr(segments, "compile_text", kept)

    def loss(z: Any) -> Any:
        for _ in range(30):
            z = np.sin(z) * 1.01 + 0.1
        return np.sum(z)

    x = np.linspace(-2.0, 2.0, 500)
    value, slopes = gt.function(gt.value_and_grad(loss))(x)
    (text,) = texts
    calls = [line for line in text.splitlines() if 'call double @"gt.' in line]
    assert len(calls) == 2 and calls[0].split("(")[1] == calls[1].split("(")[1]
    z, slope = x, np.ones(500)
    for _ in range(30):
        slope, z = slope * np.cos(z) * 1.01, np.sin(z) * 1.01 + 0.1
    np.testing.assert_allclose(slopes, slope, rtol=1e-13)
    assert value == pytest.approx(np.sum(z), rel=1e-14)


def test_what_is_beside_is_a_permutation_in_which_operands_come_first() -> None:
    def loss(z: Any) -> Any:
        return np.sum(np.sin(np.cos(np.sin(z))) * np.cos(z))

    graph = trace(gt.value_and_grad(loss), [Aval((3,), np.dtype(float))], "loss")[0].graph
    nodes = beside(list(graph.nodes), lambda value: value)
    assert sorted(map(id, nodes)) == sorted(map(id, graph.nodes))
    seen = set(graph.inputs)
    for node in nodes:
        assert all(value in seen or value.node is None for value in node.inputs)
        seen.update(node.outputs)
    circular = [node for node in nodes if node.op.name in ("sin", "cos")]
    assert [node.op.name for node in circular[:2]] == ["sin", "cos"]
    assert circular[0].inputs == circular[1].inputs
