"""What comes out of the compiler: vector code, no library calls, and code for AArch64."""

import re
import threading
import time

import llvmlite.binding as llvm
import numpy as np
import pytest

from gradtape.backends.llvm import compile as machine_code
from gradtape.backends.llvm import ir, library
from gradtape.backends.llvm.bounds import BOUNDS
from gradtape.backends.llvm.library import ARITIES, KERNELS, SUFFIX
from gradtape.backends.llvm.loops import MapFunction, function_of
from gradtape.backends.llvm.machine import AARCH64, Machine, host
from gradtape.backends.llvm.scalars import Scalars

pytestmark = pytest.mark.slow  # as a file

FLOATS = [np.float32, np.float64]
AVX2 = Machine(
    "x86_64-unknown-linux-gnu", "haswell", "+avx2,+fma,+bmi,+bmi2,+lzcnt,+popcnt", 256
)
AVX512 = Machine(
    "x86_64-unknown-linux-gnu",
    "icelake-server",
    "+avx512f,+avx512dq,+avx512vl,+avx512bw,+avx512vbmi,+fma",
    512,
)


def loop_of(program):
    """The optimised loop function alone."""
    return re.search(r"^define [^\n]*@loop\(.*?^}", program.llvm, re.M | re.S)[0]


def body_of(program):
    """The loop over vectors alone: LLVM's vectoriser made it, or `lanes.py`."""
    text = loop_of(program)
    if "lanes.loop:" in text:
        return text.split("lanes.loop:")[1]
    return text.split("vector.body:")[1].split("middle.block:")[0]


def lanes(program, dtype):
    """The lanes of the vectors that the loop loads; 1 if it is scalar."""
    kind = "float" if dtype is np.float32 else "double"
    found = re.findall(rf"load <(\d+) x {kind}>", loop_of(program))
    return max(map(int, found), default=1)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", [*BOUNDS, "fmod", "floor_divide"])
@pytest.mark.parametrize("machine", [AVX512, AVX2, AARCH64], ids=["avx512", "avx2", "aarch64"])
def test_the_loop_is_vectorised_at_full_width(name, dtype, machine):
    program = function_of(name, dtype, machine).program
    # Where a float32 is computed in double arithmetic, that is the width that counts.
    wide = dtype is np.float64 or KERNELS[name].single == "w"
    assert lanes(program, dtype) >= machine.width // (64 if wide else 32)
    # What is called in the vector body is on vectors, or LLVM's own; a call per lane is neither.
    body = body_of(program)
    for callee in re.findall(r"call [^@\n]*@([^(]*)\(", body):
        assert callee.startswith("llvm.") or callee.strip('"').endswith(".slow"), callee
    assert "extractelement" not in body


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", [*BOUNDS, "fmod", "floor_divide"])
def test_no_library_is_called(name, dtype):
    for machine in (AVX512, AARCH64):
        assembly = function_of(name, dtype, machine).program.assembly
        calls = re.findall(r"^\s+(?:callq?|bl|b)\s+\"?([\w.]+)", assembly, re.M)
        outside = {c for c in calls if not c.startswith((".L", "gt", "loop"))}
        assert outside == set()


def test_registers_of_the_host_are_used():
    width = host().width
    names = {512: "zmm", 256: "ymm"}
    if not host().triple.startswith("x86") or width not in names:
        pytest.skip("not an x86 with wide vectors")
    for dtype in FLOATS:
        assert function_of("exp", dtype).program.assembly.count(names[width]) > 20


def test_the_object_for_aarch64():
    """An ELF file for the machine 183, with the vector registers in its code."""
    program = function_of("sin", np.float32, AARCH64).program
    assert program.objects[0][:4] == b"\x7fELF"
    assert int.from_bytes(program.objects[0][18:20], "little") == 183
    assert re.search(r"fmla\s+v\d+\.4s", program.assembly)
    again = llvm.parse_assembly(program.llvm)
    again.verify()


def test_no_flag_of_fast_mathematics():
    def build(builder, x, y):
        s = Scalars(builder, np.float64)
        every = [getattr(s, name)(*[x, y][: ARITIES[name]]) for name in BOUNDS]
        total = every[0]
        for value in every[1:]:
            total = s.add(total, value)
        return [total]

    program = MapFunction(build, [np.float64] * 2, [np.float64]).program
    flags = r"\bf(?:add|sub|mul|div|neg|cmp)\s+(?:fast|nnan|ninf|nsz|arcp|contract|afn|reassoc)\b"
    assert not re.search(flags, program.llvm)


def test_a_program_of_several_functions():
    """Kernels are linked once, whatever uses them, and float32 beside float64."""

    def build(builder, x, y):
        single, double = Scalars(builder, np.float32), Scalars(builder, np.float64)
        s = single.sin(single.exp(x))
        wide = double.add(double.sin(y), double.sin(single.cast(s, np.float64)))
        return [s, wide]

    function = MapFunction(build, [np.float32, np.float64], [np.float32, np.float64])
    x = np.linspace(-3, 3, 101).astype(np.float32)
    y = np.geomspace(1, 1e200, 101)
    s, wide = function(x, y)
    assert np.allclose(s, np.sin(np.exp(x.astype(float))), rtol=0, atol=4e-6)
    assert np.allclose(wide, np.sin(y) + np.sin(s.astype(float)), rtol=1e-14, atol=1e-15)
    assert len(re.findall(r"define [^\n]*circular_large\.f64\(", function.program.llvm)) <= 1


def test_a_kernel_is_rendered_once(monkeypatch):
    seen = []
    real = library._render_kernel
    monkeypatch.setattr(
        library, "_render_kernel", lambda *a, **k: seen.append((a, str(k))) or real(*a, **k)
    )
    library.render.cache_clear()
    for _ in range(2):
        text = 'declare double @"gt.sin.f64"(double)\ndeclare float @"gt.exp.f32"(float)\n'
        assert "define" in library.link(text, 512, True)
    assert seen and len(seen) == len(set(seen))


def test_the_text_is_the_same_every_time():
    first = function_of("tanh", np.float32).program
    second = function_of("tanh", np.float32).program
    assert first.source == second.source
    assert first.llvm == second.llvm
    assert first.assembly == second.assembly


def test_the_call_releases_the_lock():
    """Another thread runs Python code while native code runs."""
    function = function_of("gammaln", np.float64)
    x = np.full(4_000_000, 3.3)
    out = np.empty_like(x)
    ticks = []
    stop = threading.Event()

    def tick():
        while not stop.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.0002)

    thread = threading.Thread(target=tick)
    thread.start()
    time.sleep(0.01)
    start = time.perf_counter()
    for _ in range(5):
        function.run(x.ctypes.data, out.ctypes.data, len(x))
    end = time.perf_counter()
    stop.set()
    thread.join()
    assert sum(start + 0.001 < t < end - 0.001 for t in ticks) >= 3


def value_and_gradient(dtype):
    """The sum of tanh(e) exp(-e**2), and its gradient."""

    def build(builder, e):
        s = Scalars(builder, dtype)
        t, two, one = s.tanh(e), s.const(2), s.const(1)
        p = s.exp(s.neg(s.mul(e, e)))
        value = s.mul(t, p)
        slope = s.sub(s.mul(s.sub(one, s.mul(t, t)), p), s.mul(s.mul(two, e), value))
        return [slope, value]

    return MapFunction(build, [dtype], [dtype], sums=[dtype])


@pytest.mark.parametrize("dtype", FLOATS)
def test_value_and_gradient_in_one_loop(dtype):
    function = value_and_gradient(dtype)
    e = np.random.default_rng(0).normal(size=100_003).astype(dtype)
    slope, value = function(e)
    wide = e.astype(np.longdouble)
    t, p = np.tanh(wide), np.exp(-(wide**2))
    eps = np.finfo(dtype).eps
    assert np.max(np.abs(slope - ((1 - t * t) * p - 2 * wide * t * p))) < 4 * eps
    assert abs(value - np.sum(t * p)) < 1e-3 * len(e) * eps * np.sum(np.abs(t * p))
    assert lanes(function.program, dtype) >= host().width // 8 // dtype().itemsize
    assert value == function(e)[1]


def test_a_sum_of_nothing_and_of_what_is_not_finite():
    function = value_and_gradient(np.float64)
    assert function(np.empty(0))[1] == 0
    for place in (0, 17, 40):
        e = np.ones(41)
        e[place] = np.nan
        slope, value = function(e)
        assert np.isnan(value)
        assert np.flatnonzero(np.isnan(slope)).tolist() == [place]


def chain(name, dtype, count, machine=None):
    """A function applied again and again, each result kept within its domain."""

    def build(builder, x):
        s = Scalars(builder, dtype)
        results = []
        for _ in range(count):
            x = getattr(s, name)(*[x, s.const(0.7)][: ARITIES[name]])
            results.append(x)
            x = s.add(s.mul(s.div(x, s.add(s.abs(x), s.const(1))), s.const(0.2)), s.const(1.5))
        return results

    return MapFunction(build, [dtype], [dtype] * count, machine)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", ["exp", "sin", "power", "gammaln", "erfc", "arctan2", "fmod"])
def test_a_function_used_often_is_called_and_gives_the_same_bits(name, dtype):
    """Over vectors still, so that a long program compiles in time that does not explode."""
    many = chain(name, dtype, 40)
    assert f'"gt.{name}.' in loop_of(many.program) or f"gt.{name}." in loop_of(many.program)
    few = chain(name, dtype, 1)
    x = np.concatenate([np.random.default_rng(2).uniform(0.2, 5, 70), [1e30, -2.5, 0.0, np.nan]])
    x = x.astype(dtype)
    again = x
    with np.errstate(all="ignore"):
        for result in many(x):
            want = few(again)
            assert np.array_equal(result, want, equal_nan=True)
            again = want / (np.abs(want) + dtype(1)) * dtype(0.2) + dtype(1.5)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("machine", [AVX512, AVX2, AARCH64], ids=["avx512", "avx2", "aarch64"])
def test_what_is_called_is_called_over_vectors(machine, dtype):
    program = chain("sin", dtype, 40, machine).program
    assert lanes(program, dtype) >= machine.width // 8 // dtype().itemsize
    body = body_of(program)
    assert "extractelement" not in body
    assert len(re.findall(r"call <\d+ x \w+> @gt\.sin", body)) == 40


def test_time_to_compile_grows_no_faster_than_the_program():
    def text_of(count):
        return len(chain("sin", np.float64, count).program.assembly)

    assert text_of(80) < 4.5 * text_of(20)


def test_empty_and_short_arrays():
    function = function_of("sin", np.float64)
    for n in range(40):
        x = np.linspace(0.5, 2, n)
        assert np.allclose(function(x), np.sin(x), rtol=1e-15)


def test_names_of_kernels():
    assert set(SUFFIX.values()) == {"f32", "f64"}
    module = ir.Module()
    from gradtape.backends.llvm.library import declare

    assert declare(module, "exp", np.float32) is declare(module, "exp", np.float32)
    assert declare(module, "exp", np.float32).name == "gt.exp.f32"


def test_a_host_without_fma_is_known():
    assert AVX2.has_fma
    assert AARCH64.has_fma
    assert not Machine("x86_64-unknown-linux-gnu", "x86-64", "+sse2,-fma", 128).has_fma
    assert machine_code.host().width in (128, 256, 512)
