"""Modules are compiled several at a time, and what comes out depends on the text alone."""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import llvmlite.binding as llvm
import numpy as np
import pytest

import gradtape as gt
from gradtape.backends.llvm import making, pool
from gradtape.backends.llvm.compile import compile_text
from gradtape.backends.llvm.machine import Machine, host
from gradtape.backends.llvm.pieces import MOST, SHORT, functions, is_whole, pieces


def function(name: str, lines: int = 2, words: str = "") -> str:
    """A function that adds `lines` to a number."""
    body = "".join(f"  %x{i + 1} = add i64 %x{i}, {i}\n" for i in range(lines))
    return f'define i64 @"{name}"(i64 %x0) {words}{{\nentry:\n{body}  ret i64 %x{lines}\n}}\n'


def calls(names: list[str]) -> str:
    """A function that sums what others give."""
    lines = ["define i64 @kernel(i64 %x) cold {", "entry:", "  %s0 = add i64 %x, 0"]
    for i, name in enumerate(names):
        lines += [f'  %r{i} = call i64 @"{name}"(i64 %x)', f"  %s{i + 1} = add i64 %s{i}, %r{i}"]
    return "\n".join([*lines, f"  ret i64 %s{len(names)}", "}"]) + "\n"


def several(count: int = 12, lines: int = 300) -> str:
    names = [f"f{i}" for i in range(count)]
    return calls(names) + "".join(function(name, lines, "cold ") for name in names)


def test_results_come_in_the_order_of_the_items() -> None:
    assert making.each(lambda n: n * n, range(50)) == [n * n for n in range(50)]
    assert making.each(str, []) == []


def test_several_threads_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "available", lambda: 3)
    together = threading.Barrier(3, timeout=30)

    def work(n: int) -> int:
        together.wait()
        return threading.get_ident()

    assert len(set(making.each(work, range(3)))) == 3


def test_one_thread_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "available", lambda: 1)
    here = threading.current_thread()
    assert making.each(lambda n: threading.current_thread() is here, range(5)) == [True] * 5


def test_an_error_is_raised_and_no_thread_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "available", lambda: 4)
    before = threading.active_count()
    with pytest.raises(ZeroDivisionError):
        making.each(lambda n: 1 // (n - 3), range(20))

    def items() -> Iterator[int]:
        yield 1
        raise KeyError("no more")

    with pytest.raises(KeyError):
        making.each(str, items())
    assert threading.active_count() == before


def test_pieces_are_of_about_one_length_and_hold_every_function_once() -> None:
    text = several()
    parts = pieces(text, set())
    assert 1 < len(parts) <= MOST
    named = [name for part, _ in parts for name, _ in functions(f"\n{part}")]
    assert sorted(named) == sorted(name for name, _ in functions(f"\n{text}"))
    sizes = [len(part) for part, _ in parts]
    assert max(sizes) - min(sizes) < SHORT["none"]
    assert {passes for _, passes in parts} == {"none"}


def test_short_texts_are_one_module() -> None:
    assert len(pieces(several(3, 2), set())) == 1


def test_what_takes_all_passes_stays_together() -> None:
    text = several().replace("cold", "")
    assert [passes for _, passes in pieces(text, None)] == ["all"]


def test_functions_of_several_modules_find_each_other() -> None:
    program = compile_text(several())
    assert len(program.objects) > 1
    f = program.function("kernel", ctypes.c_int64, ctypes.c_int64)
    assert f(5) == 5 + 12 * (5 + sum(range(300)))


def instructions(program: Any) -> dict[str, list[str]]:
    """The instructions of each function, without the numbers that its module gives to labels."""
    found: dict[str, list[str]] = {}
    for line in program.assembly.splitlines():
        if label := re.match(r'"?([A-Za-z_][-\w.$]*)"?:', line):
            name = label[1]
            found[name] = []
        elif line.startswith("\t") and not line.startswith("\t."):
            found[name].append(re.sub(r"\.L\w+", ".L", line.split("#")[0]))
    return found


def test_the_code_does_not_depend_on_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    made, counts = [], []
    for threads in (1, 2, 4):
        monkeypatch.setattr("gradtape.backends.llvm.compile.available", lambda n=threads: n)
        program = compile_text(several())
        counts.append(len(program.objects))
        made.append(instructions(program))
    assert counts == [1, 2, 4]
    assert made[0] == made[1] == made[2]
    assert len(made[0]) == 13


def test_without_a_way_past_the_lock_llvmlite_compiles(monkeypatch: pytest.MonkeyPatch) -> None:
    program = compile_text(several())
    monkeypatch.setattr(making, "_unlocked", lambda name: None)
    assert compile_text(several()).objects == program.objects


def sine(lanes: int) -> str:
    """A module that calls the sine over vectors of so many lanes, and one that runs once."""
    kind = f"<{lanes} x double>"
    return (
        f'declare {kind} @"gt.sin.f64.v{lanes}"({kind})\n'
        'define void @"loop.body"(ptr %x) {\n'
        f"  %a = load {kind}, ptr %x, align 8\n"
        f'  %b = call {kind} @"gt.sin.f64.v{lanes}"({kind} %a)\n'
        f"  store {kind} %b, ptr %x, align 8\n  ret void\n}}\n"
        'define void @"kernel"(ptr %x) cold {\n  call void @"loop.body"(ptr %x)\n  ret void\n}\n'
    )


def test_rare_arguments_are_compiled_beside_the_loops() -> None:
    lanes = host().width // 64
    few, none = making.linked(pieces(sine(lanes), set()), host())
    assert (few.passes, none.passes) == ("few", "none")
    rare = f"gt.rare.circular_large.f64.{float(2**30).hex()}.v{lanes}.slow"
    assert f'declare <{lanes} x double> @"{rare}"' in few.text
    assert f'define <{lanes} x double> @"{rare}"' in none.text
    assert "@gt.circular_large" not in few.text.replace('"', "")
    assert f'.v{2 * lanes}"(' not in few.text + none.text  # nobody calls that


def test_a_rare_argument_has_the_same_sine_there() -> None:
    lanes = host().width // 64
    program = compile_text(sine(lanes))
    x = np.array([0.5, 1e22, -3e9, 2.0, np.inf, np.nan, 1e300, 7.0])[:lanes].copy()
    with np.errstate(invalid="ignore"):
        expected = np.sin(x)
    program.function("kernel", None, ctypes.c_void_p)(x.ctypes.data)
    np.testing.assert_allclose(x, expected, rtol=4e-16)


def test_rare_functions_without_a_module_for_them_have_their_own() -> None:
    text = sine(host().width // 64).partition("define void @\"kernel\"")[0]
    few, none = making.linked([(text, "few")], host())
    assert "circular_large" in few.text and none.passes == "none"


def test_a_module_that_calls_a_rare_function_too_has_it_once() -> None:
    text = (
        'declare double @"gt.sin.f64.branches"(double)\n'
        'define double @"kernel"(double %x) cold {\n'
        '  %y = call double @"gt.sin.f64.branches"(double %x)\n  ret double %y\n}\n'
    )
    both = sine(host().width // 64).partition("define void @\"kernel\"")[0] + text
    program = compile_text(both)
    f = program.function("kernel", ctypes.c_double, ctypes.c_double)
    assert f(1e22) == pytest.approx(np.sin(1e22), rel=4e-16)


def test_a_product_that_only_copies_is_not_searched_for_the_best_instructions() -> None:
    calls = 'define void @"product0.body"(ptr %x) {\n  call void @"tile.f6x64"(ptr %x)\n}\n'
    assert not is_whole("product0.body", calls)
    fma = '%a = call float @"llvm.fma.f32"(float %b, float %c, float %d)'
    tile = f'define void @"tile.f6x64"(ptr %x) {{\n  {fma}\n}}\n'
    assert is_whole("tile.f6x64", tile)
    loop = 'define void @"loop0.body"(ptr %x) "gt.work"="{}" {{\n  ret void\n}}\n'
    assert is_whole("loop0.body", loop.format("most"))
    assert not is_whole("loop0.body", loop.format("little"))


def test_a_name_that_llvmlite_does_not_have_is_no_error() -> None:
    assert making._unlocked("LLVMPY_NoSuchFunction") is None


@pytest.mark.parametrize("way", ["unlocked", "locked"])
def test_a_wrong_text_is_told(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if way == "locked":
        monkeypatch.setattr(making, "_unlocked", lambda name: None)
    with pytest.raises(RuntimeError, match="expected"):
        compile_text("define i64 @f( {\n}\n")


def test_llvm_needs_no_lock_of_llvmlites() -> None:
    """Code is made while another thread holds it: only short calls wait for it."""
    piece = next(making.linked([(several(2), "none")], host()))
    module, target = making.optimised(piece)
    done = threading.Event()
    emit: Any = making._unlocked(making._EMIT)
    with llvm.ffi.lib._lock:

        def work() -> None:
            assert emit(target, module, 1, ctypes.byref(ctypes.c_char_p()))
            done.set()

        thread = threading.Thread(target=work)
        thread.start()
        assert done.wait(30)
    thread.join()


def test_what_is_not_optimised_has_no_passes_where_nothing_is_inlined(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ran: list[str] = []
    optimise = making._optimise

    def told(module: Any, target: Any, which: str) -> None:
        ran.append(which)
        optimise(module, target, which)

    monkeypatch.setattr(making, "_optimise", told)
    for words in ("", "alwaysinline "):
        text = calls(["f"]) + function("f", 3, words).replace("define", "define internal")
        for passes in ("none", "few"):
            made = next(making.linked([(text, passes)], host()))
            module, _ = making.optimised(made)
            assert ("call i64" in str(module)) is not bool(words)
    assert ran == ["few", "none", "few"]


def test_each_function_is_in_one_module() -> None:
    text = several(12, 300).replace("}\ndefine", "}\n@a = global i64 1\ndefine", 1)
    made = [part for part, _ in pieces(text, set(), 3)]
    assert len(made) == 3
    names = [name for part in made for name, _ in functions(f"\n{part}")]
    assert sorted(names) == sorted(name for name, _ in functions(f"\n{text}"))
    assert sum(part.count("\ndefine ") for part in made) == len(names)


def test_an_engine_has_no_module_to_make_code_of() -> None:
    program = compile_text(function("f", 4))
    assert program.function("f", ctypes.c_int64, ctypes.c_int64)(1) == 7
    assert program._engine is not None and not program._engine._modules


def test_functions_of_many_threads_are_compiled_at_once() -> None:
    x = np.linspace(0.1, 2.0, 37)
    found: dict[int, Any] = {}

    def work(n: int) -> None:
        f = gt.function(lambda x: np.sum(np.sin(x * n) + np.exp(-x) * n))
        found[n] = f(x)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for n in range(6):
        np.testing.assert_allclose(found[n], np.sum(np.sin(x * n) + np.exp(-x) * n), rtol=1e-13)


def test_the_pool_is_made_ahead() -> None:
    gt.function(np.sin)
    if pool._preparing is not None:
        pool._preparing.join(60)
        assert not pool._preparing.is_alive()
        assert pool._pool is not None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes fork on POSIX")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_process_that_forks_at_once_can_compile() -> None:
    code = """
import os, sys, warnings
warnings.simplefilter("ignore")
import numpy as np, gradtape as gt
f = gt.function(lambda x: np.sum(np.sin(x)))
child = os.fork()
assert abs(f(np.ones(100000)) - 100000 * np.sin(1)) < 1e-6
if child:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    for _ in range(3):
        subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_targets_are_made_once_and_lent(monkeypatch: pytest.MonkeyPatch) -> None:
    text = 'define void @"f"() cold {\nentry:\n  ret void\n}\n'
    pieces_of_one = [making.Piece(text, "none", set(), host())] * 3
    monkeypatch.setattr(making, "_idle", {})
    made = []
    real = Machine.target
    monkeypatch.setattr(Machine, "target", lambda *given: made.append(given) or real(*given))
    first = [making.code(piece) for piece in pieces_of_one]
    assert len(made) == 1 and len(set(first)) == 1
    making.optimised(pieces_of_one[0])  # keeps its target: its text can be asked for later
    making.code(pieces_of_one[0])
    assert len(made) == 2


def test_what_wakes_llvm_leaves_a_target_for_each_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "_idle", {})
    making.wake(host())
    (idle,) = making._idle.values()
    assert len(idle) == making.available()
    monkeypatch.setattr(Machine, "target", lambda *_: pytest.fail("a target was made anew"))
    made = making.each(making.code, [making.Piece(function("f"), "few", set(), host())])
    assert made[0] and len(idle) == making.available()


def test_no_thread_is_started_for_one_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "available", lambda: 4)
    started = []
    real = making._thread.start_new_thread
    monkeypatch.setattr(
        making._thread, "start_new_thread", lambda *given: started.append(0) or real(*given)
    )
    assert making.each(str, [1], 1) == ["1"]
    assert not started
    assert making.each(str, [1, 2], 2) == ["1", "2"]
    assert len(started) == 1


def test_where_no_thread_can_be_started_one_does_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(making, "available", lambda: 4)
    monkeypatch.setattr(making._thread, "start_new_thread", refused)
    assert making.each(str, range(5)) == list("01234")


def test_llvm_is_not_woken_beside_a_program_that_is_being_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(making, "_idle", {})

    def woken(_: int) -> None:
        making.wake(host())

    making.each(woken, [1])
    assert not making._idle
    making.wake(host())
    assert making._idle


def test_whoever_meets_llvm_waits_for_threads_that_make_a_program(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The pool, which a first call may not need, is made when its modules are."""
    monkeypatch.setattr(making, "_idle", {})
    monkeypatch.setattr(making, "available", lambda: 2)
    both = threading.Barrier(2, timeout=30)
    meeting = threading.Thread(target=making.meet, args=(host(),))

    def work(name: str) -> None:
        both.wait()  # the helping thread has one, this thread the other
        if name == "first":
            meeting.start()
            meeting.join(0.1)
            assert meeting.is_alive()
        both.wait()

    making.each(work, ["first", "second"])
    meeting.join(30)
    assert not meeting.is_alive() and not making._helping
    assert sorted(level for _, level in making._idle) == [0, 2]


def test_what_is_not_asked_for_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "_idle", {})
    monkeypatch.setattr(making, "_helping", [None])
    monkeypatch.setattr(making, "PATIENCE", 0.02)
    before = time.monotonic()
    making.meet(host())
    assert 0.02 < time.monotonic() - before < 10
