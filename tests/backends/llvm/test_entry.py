"""The builtin: it takes exactly what it was compiled for, and says NotImplemented to all else."""

import gc
import sys
import threading
import tracemalloc

import numpy as np
import pytest

pytest.importorskip("llvmlite")
from gradtape.backends.llvm import entry as entry_module
from gradtape.backends.llvm.compile import compile_text
from gradtape.backends.llvm.entry import Argument, Entry, entry_text, is_supported

F8, F4, I8 = np.dtype("f8"), np.dtype("f4"), np.dtype("i8")

# out = 2 * in, element by element, for n doubles; the table holds `in`, then `out`
DOUBLE = """
define void @kernel(ptr %t) {{
entry:
  %a = load ptr, ptr %t
  %po = getelementptr ptr, ptr %t, i64 1
  %o = load ptr, ptr %po
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %j, %body ]
  %c = icmp slt i64 %i, {n}
  br i1 %c, label %body, label %done
body:
  %pa = getelementptr double, ptr %a, i64 %i
  %x = load double, ptr %pa
  %y = fmul double %x, 2.0
  %pb = getelementptr double, ptr %o, i64 %i
  store double %y, ptr %pb
  %j = add i64 %i, 1
  br label %loop
done:
  ret void
}}
"""
SUM = """
define void @kernel(ptr %t) {
  %pa = load ptr, ptr %t
  %a = load double, ptr %pa
  %pp = getelementptr ptr, ptr %t, i64 1
  %pb = load ptr, ptr %pp
  %b = load float, ptr %pb
  %bd = fpext float %b to double
  %s = fadd double %a, %bd
  %po = getelementptr ptr, ptr %t, i64 2
  %o = load ptr, ptr %po
  store double %s, ptr %o
  ret void
}
"""
NOTHING = "define void @kernel(ptr %t) {\n  ret void\n}\n"


def entry(kernel, arguments, results, **options):
    extra = options.pop("extra", ())
    text = kernel + entry_text(arguments, results, extra=len(extra), **options)
    return Entry(compile_text(text), arguments, results, extra=extra)


@pytest.mark.parametrize("release", [False, True])
@pytest.mark.parametrize("shape", [(0,), (3,), (2, 3), (1, 2, 3), (2, 0, 4)], ids=str)
def test_arrays_come_in_and_new_arrays_go_out(shape, release):
    made = entry(
        DOUBLE.format(n=int(np.prod(shape))),
        [Argument(F8, shape)], [Argument(F8, shape)], release=release,
    )  # fmt: skip
    x = np.arange(np.prod(shape), dtype=float).reshape(shape)
    y = made.call(x)
    np.testing.assert_array_equal(y, 2 * x)
    assert y.dtype == F8 and y.shape == shape and y.flags.owndata and y.flags.writeable
    assert made.call(x) is not y


def test_numbers_come_in_and_numpy_scalars_go_out():
    arguments = [Argument(F8, (), "float"), Argument(F4, (), "scalar")]
    made = entry(SUM, arguments, [Argument(F8)])
    out = made.call(1.5, np.float32(0.25))
    assert type(out) is np.float64 and out == 1.75
    for wrong in [(1, np.float32(1)), (np.float64(1), np.float32(1)), (1.0, 1.0),
                  (1.0, np.float64(1)), (True, np.float32(1)), (1.0, np.array(1, F4))]:  # fmt: skip
        assert made.call(*wrong) is NotImplemented


def test_several_results_are_a_tuple():
    results = [Argument(F8, (2,)), Argument(I8), Argument(F4, (1, 3)), Argument(np.dtype(bool))]
    out = entry(NOTHING, [Argument(F8, (2,))], results).call(np.zeros(2))
    assert type(out) is tuple and [type(o) for o in out] == [
        np.ndarray, np.int64, np.ndarray, np.bool,
    ]  # fmt: skip
    assert out[2].shape == (1, 3) and out[2].dtype == F4
    assert entry(NOTHING, [], []).call() == ()


class Sub(np.ndarray):
    pass


def read_only(x):
    x.flags.writeable = False
    return x


REFUSED = {
    "another shape": np.zeros((3, 2)),
    "fewer axes": np.zeros(6),
    "more axes": np.zeros((1, 2, 3)),
    "another dtype": np.zeros((2, 3), F4),
    "another byte order": np.zeros((2, 3), F8.newbyteorder()),
    "integers": np.zeros((2, 3), I8),
    "Fortran's order": np.zeros((3, 2)).T,
    "every second": np.zeros((2, 6))[:, ::2],
    "broadcast": np.broadcast_to(np.zeros(3), (2, 3)),
    "misaligned": np.zeros(49, np.uint8)[1:].view(F8).reshape(2, 3),
    "a subclass": np.zeros((2, 3)).view(Sub),
    "a list": [[0.0] * 3] * 2,
    "None": None,
    "a number": 1.0,
    "a type": np.ndarray,
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_not_touched(case):
    made = entry(DOUBLE.format(n=6), [Argument(F8, (2, 3))], [Argument(F8, (2, 3))])
    given = REFUSED[case]
    before = sys.getrefcount(given)
    answers = {id(made.call(given)) for _ in range(1000)}
    grown = sys.getrefcount(given) - before
    assert answers == {id(NotImplemented)}
    assert abs(grown) < 500  # others hold None and the classes too


def test_the_number_of_arguments_is_looked_at():
    made = entry(DOUBLE.format(n=2), [Argument(F8, (2,))], [Argument(F8, (2,))])
    assert made.call() is NotImplemented
    assert made.call(np.zeros(2), np.zeros(2)) is NotImplemented
    with pytest.raises(TypeError, match="keyword"):
        made.call(x=np.zeros(2))


def test_only_what_is_written_must_be_writeable():
    fixed = read_only(np.ones(2))
    result = [Argument(F8, (2,))]
    assert entry(DOUBLE.format(n=2), [Argument(F8, (2,))], result).call(fixed).sum() == 4
    written = [Argument(F8, (2,), is_written=True)]
    assert entry(DOUBLE.format(n=2), written, result).call(fixed) is NotImplemented


def test_extra_pointers_follow_arguments_and_results():
    store = np.zeros(2)
    kernel = """
    define void @kernel(ptr %t) {
      %pa = load ptr, ptr %t
      %a = load double, ptr %pa
      %pp = getelementptr ptr, ptr %t, i64 2
      %pe = load ptr, ptr %pp
      %at = getelementptr double, ptr %pe, i64 1
      store double %a, ptr %at
      ret void
    }
    """
    made = entry(kernel, [Argument(F8, (1,))], [Argument(F8, (1,))], extra=[store.ctypes.data])
    made.call(np.array([4.5]))
    assert store.tolist() == [0.0, 4.5]


def test_nothing_is_leaked():
    results = [Argument(F8, (100,)), Argument(F8)]
    made = entry(NOTHING, [Argument(F8, (100,)), Argument(F8, (), "scalar")], results)
    x, s = np.zeros(100), np.float64(1.0)
    objects = [x, s, F8, np.ndarray]
    for _ in range(10):
        made.call(x, s)
    gc.collect()
    before = [sys.getrefcount(o) for o in objects]
    tracemalloc.start()
    try:
        start = tracemalloc.get_traced_memory()[0]
        for _ in range(10_000):
            made.call(x, s)
            made.call(x, None)
        grown = tracemalloc.get_traced_memory()[0] - start
    finally:
        tracemalloc.stop()
    assert [sys.getrefcount(o) for o in objects] == before
    assert grown < 10_000


def test_the_lock_is_released_only_where_it_is_asked_for():
    """With the lock released, another thread runs while the program waits for it."""
    flag = np.zeros(1, I8)
    kernel = """
    define void @kernel(ptr %t) {
    entry:
      %flag = load ptr, ptr %t
      br label %loop
    loop:
      %k = phi i64 [ 0, %entry ], [ %k1, %loop ]
      %v = load atomic i64, ptr %flag acquire, align 8
      %k1 = add i64 %k, 1
      %zero = icmp eq i64 %v, 0
      %soon = icmp slt i64 %k1, 4000000000
      %go = and i1 %zero, %soon
      br i1 %go, label %loop, label %done
    done:
      %pp = getelementptr ptr, ptr %t, i64 1
      %out = load ptr, ptr %pp
      store i64 %v, ptr %out
      ret void
    }
    """
    made = entry(kernel, [Argument(I8, (1,))], [Argument(I8)], release=True)
    threading.Timer(0.05, flag.fill, [1]).start()
    assert made.call(flag) == 1


def test_a_result_that_memory_does_not_hold_is_an_error():
    made = entry(NOTHING, [], [Argument(F8, (3,)), Argument(F8, (1 << 56,))])
    with pytest.raises((MemoryError, ValueError)):
        made.call()


def test_interpreters_of_another_layout_have_no_entry(monkeypatch):
    assert is_supported()
    for name, value in [("implementation", type("I", (), {"name": "pypy"}))]:
        is_supported.cache_clear()
        monkeypatch.setattr(sys, name, value)
        assert not is_supported()
        monkeypatch.undo()
    is_supported.cache_clear()
    monkeypatch.setattr(entry_module.sysconfig, "get_config_var", lambda _: 1)
    assert not is_supported()
    monkeypatch.undo()
    is_supported.cache_clear()
