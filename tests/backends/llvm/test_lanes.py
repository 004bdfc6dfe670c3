"""Loops over vectors made of loops over elements: the text, and what it computes."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import gradtape as gt
from gradtape.backends.llvm import compile as machine_code
from gradtape.backends.llvm import segments
from gradtape.backends.llvm.compile import compile_text
from gradtape.backends.llvm.lanes import over_vectors
from gradtape.backends.llvm.machine import AARCH64, Machine, host
from gradtape.backends.llvm.pieces import pieces
from gradtape.backends.llvm.worth import worth_of

pytestmark = pytest.mark.slow  # as a file

AVX512 = Machine(
    "x86_64-unknown-linux-gnu", "icelake-server",
    "+avx512f,+avx512dq,+avx512vl,+avx512bw,+avx512vbmi,+fma", 512,
)  # fmt: skip
HAS_MASKS = pytest.mark.skipif(not host().has_avx512, reason="the host has no masks")


def loop(*lines: str, high: str = '%"high"', name: str = "lanes") -> str:
    """A function with one loop, as the emitter writes it."""
    body = "\n".join(f"  {line}" for line in lines)
    return f"""
define void @"f"(ptr noalias %"x", ptr noalias %"y", i64 %"low", i64 %"high", double %"a")
{{
entry:
  %".0" = icmp slt i64 %"low", {high}
  br i1 %".0", label %"{name}", label %"done"
{name}:
  %"i" = phi i64 [%"low", %"entry"], [%"next", %"{name}"]
{body}
  %"next" = add nuw nsw i64 %"i", 1
  %"more" = icmp slt i64 %"next", {high}
  br i1 %"more", label %"{name}", label %"done"
done:
  ret void
}}
"""


READ = ('%"p" = getelementptr double, ptr %"x", i64 %"i"', '%"v" = load double, ptr %"p"')
WRITE = ('%"q" = getelementptr double, ptr %"y", i64 %"i"', 'store double %"w", ptr %"q"')


def test_where_what_is_behind_the_end_may_be_computed_there_are_no_masks() -> None:
    text, left = over_vectors(
        loop(*READ, '%"w" = fmul double %"v", %"a"', *WRITE, name="whole"), 512
    )
    assert not left
    assert "masked" not in text
    assert '%"w" = fmul <8 x double> %"v", ' in text


def test_a_loop_has_one_copy_of_its_mathematics_and_masks_at_its_end() -> None:
    text, left = over_vectors(loop(*READ, '%"w" = fmul double %"v", %"a"', *WRITE), 512)
    assert not left
    assert text.count("fmul") == 1
    assert '%"w" = fmul <16 x double> %"v", ' in text
    assert len(re.findall(r"call .*@llvm\.masked\.(?:load|store)", text)) == 2
    program = compile_text(loop(*READ, '%"w" = fmul double %"v", %"a"', *WRITE), AVX512)
    assert program.llvm.count("fmul") == 1
    assert "zmm" in program.assembly


LITTLE = '%"a") "gt.work"="little"'


def test_a_loop_of_little_work_is_short_code() -> None:
    """One register's elements, and a mask for all of them: no second way for whole vectors."""
    lines = (*READ, '%"w" = fmul double %"v", %"a"', *WRITE)
    text, left = over_vectors(loop(*lines).replace('%"a")', LITTLE), 512)
    assert not left
    assert '%"w" = fmul <8 x double> %"v", ' in text
    assert len(re.findall(r"call .*@llvm\.masked\.(?:load|store)", text)) == 2
    assert text.count("br i1") == 2  # into the loop, and on
    assert len(text.split("\n")) < 0.75 * len(over_vectors(loop(*lines), 512)[0].split("\n"))


def test_what_is_the_same_for_all_elements_is_computed_before_the_loop() -> None:
    lines = ('%"b" = fadd double %"a", 0x3ff0000000000000', *READ,
             '%"w" = fmul double %"v", %"b"', *WRITE)  # fmt: skip
    before, inside = over_vectors(loop(*lines), 512)[0].split("lanes.loop:")
    assert "fadd double" in before
    assert "fadd" not in inside


def test_whole_vectors_have_no_masks() -> None:
    text = loop(*READ, '%"w" = fneg double %"v"', *WRITE, high="64")
    text = text.replace('i64 [%"low",', "i64 [0,")
    made, left = over_vectors(text, 512)
    assert not left
    assert "masked" not in made


def test_a_short_row_is_whole_vectors_of_several_lengths() -> None:
    """A store through a mask takes as long as many others."""
    text = loop(*READ, '%"w" = fneg double %"v"', *WRITE, high="11")
    made, left = over_vectors(text.replace('i64 [%"low",', "i64 [0,"), 512)
    assert not left
    assert re.findall(r"fneg (\S+ x double)", made) == ["<8 x double", "<2 x double", "<1 x double"]
    assert "masked" not in made
    assert not re.search(r"phi|br i1 %\"v", made)


def test_behind_a_loop_over_whole_vectors_the_rest_is_written_out() -> None:
    text = loop(*READ, '%"w" = fneg double %"v"', *WRITE, high="4098")
    made, left = over_vectors(text.replace('i64 [%"low",', "i64 [0,"), 512)
    assert not left
    assert re.findall(r"fneg (\S+ x double)", made) == ["<16 x double", "<2 x double"]
    assert 'phi i64 [ 0, %"lanes" ]' in made
    assert "masked" not in made


def test_kernels_are_not_written_out_several_times() -> None:
    text = loop(*READ, '%"w" = call double @"gt.exp.f64"(double %"v")', *WRITE, high="10")
    made, _ = over_vectors(text.replace('i64 [%"low",', "i64 [0,"), 512)
    assert made.count('= call <8 x double> @"gt.exp') == 1


@pytest.mark.parametrize(
    "line",
    [
        '%"w" = call double @"somewhere"(double %"v")',
        '%"w" = phi double [%"a", %"entry"], [%"v", %"lanes"]',
        '%"w" = fadd double %"v", %"w0"\n  store double %"w", ptr %"x"',
    ],
    ids=["a function", "a value of the turn before", "a place that all write"],
)
def test_a_loop_with_something_else_is_left_to_llvm(line: str) -> None:
    text = loop(*READ, line, *WRITE)
    made, left = over_vectors(text, 512)
    assert left == {"f"}
    assert made.strip() == text.strip()


def test_what_is_read_after_it_may_have_been_written_is_left_to_llvm() -> None:
    again = ('%"r" = getelementptr double, ptr %"y", i64 %"i"', '%"s" = load double, ptr %"r"')
    assert over_vectors(loop(*READ, '%"w" = fneg double %"v"', *WRITE, *again), 512)[1] == {"f"}


def test_a_loop_of_which_nothing_is_known_is_left_to_llvm() -> None:
    lines = (*READ, '%"w" = fneg double %"v"', *WRITE)
    assert over_vectors(loop(*lines, name="loop"), 512)[1] == {"f"}
    assert not over_vectors(loop(*lines, name="steps"), 512)[1]  # LLVM could do nothing there


def test_elsewhere_llvm_makes_the_vectors() -> None:
    text = loop(*READ, '%"w" = fmul double %"v", %"a"', *WRITE)
    assert "<2 x double>" in compile_text(text, AARCH64).llvm


def test_functions_that_run_once_are_a_module_of_their_own() -> None:
    text = """
@"shape" = internal constant [1 x i64] [i64 3]
declare double @"llvm.sqrt.f64"(double %".1")

define internal double @"inner.body"(double %".1") nounwind
{
entry:
  %".2" = call double @"llvm.sqrt.f64"(double %".1")
  ret double %".2"
}

define double @"outer"(double %".1") cold
{
entry:
  %".2" = load i64, ptr @"shape"
  %".3" = call double @"inner.body"(double %".1")
  ret double %".3"
}
"""
    (hot, few), (cold, none) = pieces(text, set())
    assert (few, none) == ("later", "none")
    long = text.replace("nounwind", 'nounwind "gt.run"="long"')
    assert [passes for _, passes in pieces(long, set())] == ["few", "none"]
    assert [passes for _, passes in pieces(text, {"inner.body"})] == ["all", "none"]
    assert [passes for _, passes in pieces(text, None)] == ["all", "none"]
    assert '@"shape"' in cold and '@"shape"' not in hot
    assert 'declare double @"inner.body"(double %".1")' in cold
    assert 'define double @"inner.body"' in hot
    assert compile_text(text).function("outer", np.ctypeslib.ctypes.c_double,
                                       np.ctypeslib.ctypes.c_double)(9.0) == 3.0  # fmt: skip


# ------------------------------------------------------------------ what it computes


def kept(monkeypatch: pytest.MonkeyPatch) -> list[set[str]]:
    """The functions with a loop that is left to LLVM, of each module that is compiled."""
    found: list[set[str]] = []
    over = machine_code.lanes.over_vectors

    def told(text: str, width: int) -> tuple[str, set[str]]:
        made = over(text, width)
        found.append(made[1])
        return made

    monkeypatch.setattr(machine_code.lanes, "over_vectors", told)
    return found


CASES: dict[str, Any] = {
    "map": lambda x, y: np.tanh(x) * y - np.where(x > y, x, 2.0),
    "sum": lambda x, y: np.sum(x * y),
    "sums of rows": lambda x, y: (np.sum(x, axis=1), np.max(y, axis=1), np.min(x * y, axis=0)),
    "product": lambda x, y: np.prod(1 + x / 100, axis=1),
    "truths": lambda x, y: (np.any(x > 2, axis=1), np.all(x > -3, axis=0), x > y),
    "steps": lambda x, y: x[:, ::3] * 2 - y[:, ::-3],
    "transposed": lambda x, y: x.T * 2 + y.T,
    "row of another": lambda x, y: x + y[0],
    "column of another": lambda x, y: x * y[:, :1],
    "places": lambda x, y: np.exp(-np.arange(x.shape[1]) * x) + y,
}


@HAS_MASKS
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("columns", [1, 7, 10, 16, 19, 40, 64, 301])
@pytest.mark.parametrize("name", CASES)
def test_vectors_give_what_numpy_gives(
    name: str, columns: int, dtype: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = kept(monkeypatch)
    rng = np.random.default_rng(columns)
    x, y = rng.normal(size=(2, 5, columns)).astype(dtype)
    got = gt.function(CASES[name])(x, y)
    want = CASES[name](x, y)
    if columns > (24 if name == "steps" else 8) and name != "transposed":
        assert not any(found)  # short axes are written out
    tolerance = 200 * np.finfo(dtype).eps
    for a, b in zip(got, want, strict=True) if isinstance(want, tuple) else [(got, want)]:
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@HAS_MASKS
@pytest.mark.parametrize("high", [9, 10, 11, 15, 23, 27, 129, 250, 263])
def test_a_known_number_of_elements_is_all_that_is_written(high: int) -> None:
    text = loop(*READ, '%"w" = fmul double %"v", %"a"', *WRITE, high=str(high))
    text = text.replace('i64 [%"low",', "i64 [0,")
    pointer, number = np.ctypeslib.ctypes.c_void_p, np.ctypeslib.ctypes.c_int64
    f = compile_text(text).function(
        "f", None, pointer, pointer, number, number, np.ctypeslib.ctypes.c_double
    )
    x, y = np.arange(300.0), np.full(300, -1.0)
    f(x.ctypes.data, y.ctypes.data, 0, high, 3.0)
    assert y[:high].tolist() == (3.0 * x[:high]).tolist()
    assert (y[high:] == -1).all()


@HAS_MASKS
@pytest.mark.parametrize("words", ['%"a")', LITTLE])
def test_nothing_behind_the_end_is_written_or_read(words: str) -> None:
    """Elements behind the end are NaN before, and the same bits afterwards."""
    text = loop(*READ, '%"w" = fmul double %"v", %"a"', *WRITE).replace('%"a")', words)
    pointer, number = np.ctypeslib.ctypes.c_void_p, np.ctypeslib.ctypes.c_int64
    f = compile_text(text).function(
        "f", None, pointer, pointer, number, number, np.ctypeslib.ctypes.c_double
    )
    for n in range(40):
        x, y = np.full(64, np.nan), np.full(64, -1.0)
        x[:n] = np.arange(n)
        f(x.ctypes.data, y.ctypes.data, 0, n, 3.0)
        assert y[:n].tolist() == (3.0 * np.arange(n)).tolist()
        assert (y[n:] == -1).all()


def test_a_program_is_the_same_to_the_last_bit_on_any_number_of_threads() -> None:
    x = np.random.default_rng(0).normal(size=100_003)

    def f(x: Any) -> Any:
        return np.sum(np.sin(x) * x), np.cos(x)

    one, two = (gt.function(f, threads=n)(x) for n in (1, 2))
    assert one[0] == two[0]
    assert np.array_equal(one[1], two[1])


def test_a_loop_of_a_scan_is_optimised_with_its_body(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = []
    compiled = segments.compile_text

    def told(text: str) -> Any:
        texts.append(text)
        return compiled(text)

    monkeypatch.setattr(segments, "compile_text", told)

    @gt.function
    def f(x: Any) -> Any:
        return gt.scan(lambda carry, row: (carry * 0.5 + row, carry), np.zeros(3), x)

    f(np.ones((4, 3)))
    assert [name for name in re.findall(r'^define [^\n]*@"?(\w+)"?\([^\n]* cold', texts[0], re.M)
            if name != "entry"] == []  # fmt: skip


# ------------------------------------------------------------------ what is worth LLVM's time


def worth(text: str) -> dict[str, str]:
    """What the functions of a module say that they are worth."""
    return dict(re.findall(r'^define [^\n]*@"([\w.]+)"[^\n]*"gt\.work"="(\w+)"', text, re.M))


def test_bodies_that_do_next_to_nothing_are_not_optimised() -> None:
    f = gt.function(lambda x, w: (np.sum(np.tanh(x) * w[:, None]), np.exp(w)))
    f(np.ones((3, 100_000)), np.ones(3))
    source = f.programs.popitem()[1].run.steps[0].call.program.source
    found = worth(source)
    assert sorted(found.values()) == ["little", "most"]
    (small,) = (name for name, how in found.items() if how == "little")
    modules = {passes: text for text, passes in pieces(source, set())}
    assert f'define void @"{small}"' in modules["none"]
    # Where LLVM's vectoriser is needed, it has all bodies.
    modules = {passes: text for text, passes in pieces(source, None)}
    assert f'define void @"{small}"' in modules["all"]


def test_what_is_done_often_by_one_body_counts_as_often() -> None:
    costs = worth_of({"a": 96_000.0, "b": 600.0, "c": 600.0})
    assert costs == {"b": "little", "a": "most"}
    assert worth_of({"a": 300.0, "b": 100.0}) == {"b": "little", "a": "little"}
    assert worth_of({}) == {}


def test_a_tile_that_takes_part_in_the_work_is_never_left_as_it_is() -> None:
    """Its sums would leave the registers: (128, 512) @ (512, 10) took ten times as long."""
    costs = {"product0": 2_400_000.0, "product1": 8_000.0, "loop2": 8_000.0}
    assert worth_of(costs, {"product0", "product1"}) == {"loop2": "little", "product0": "most"}
    f = gt.function(lambda x, w1, w2: np.maximum(x @ w1, 0) @ w2)
    f(np.ones((128, 784), "f"), np.ones((784, 512), "f"), np.ones((512, 10), "f"))
    source = f.programs.popitem()[1].run.steps[0].call.program.source
    assert "little" not in [how for name, how in worth(source).items() if "product" in name]


@HAS_MASKS
def test_elements_are_written_at_their_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    found = kept(monkeypatch)

    def f(x: Any) -> Any:
        x[:, ::3] = x[:, ::3] * 2
        return x

    for columns in (60, 97):
        x = np.arange(3.0 * columns).reshape(3, columns)
        want = f(x.copy())
        assert np.array_equal(gt.function(lambda x: f(x + 0.0))(x), want)
    assert not any(found)
