"""`gt.function(cache=True)`: programs on disk are taken where nothing has changed, and trusted."""

import collections
import copy
import datetime
import decimal
import functools
import json
import math
import os
import subprocess
import sys
import textwrap
import threading
import types
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import gradtape as gt
from gradtape import config
from gradtape.backends import store
from gradtape.errors import CompileWarning, TracingWarning
from gradtape.program import function as room
from gradtape.program.fingerprint import Fingerprint, Unknown

compile = pytest.importorskip("gradtape.backends.llvm.compile")
making = pytest.importorskip("gradtape.backends.llvm.making")
RNG = np.random.default_rng(0)
X = RNG.normal(size=20)
SCALE = 2.0
TABLE = np.arange(20.0)
WEIGHT = gt.Variable(np.ones(20))
NAMES = types.SimpleNamespace(rate=0.5, layers=[1, 2])


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """An empty folder for programs, and the names of the functions that are traced."""
    before = config.current
    folder = tmp_path / "programs"
    gt.configure(cache_folder=str(folder))
    traced = []
    real = room.trace

    def trace(run, avals, name):
        traced.append(name)
        return real(run, avals, name)

    monkeypatch.setattr(room, "trace", trace)
    yield types.SimpleNamespace(folder=folder, traced=traced)
    config.current = before


def again(f, *args):
    """The result of `f` in a compiled function that knows nothing but what is on disk."""
    return gt.function(f, cache=True)(*args)


def files(kept):
    return sorted(kept.folder.glob("*.program"))


# ------------------------------------------------------------------------------- taken


def test_a_hessian_is_not_traced_again(kept):
    def f(x):
        return np.sum((x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    first = again(gt.hessian(f), X)
    count = len(kept.traced)
    assert np.array_equal(again(gt.hessian(f), X), first)
    assert len(kept.traced) == count


def test_a_kept_program_is_neither_traced_nor_compiled(kept, monkeypatch):
    def f(x):
        return np.sum(np.sin(x) * SCALE), {"n": 3, "y": x + TABLE}, "text", [x * 2.0]

    first = again(f, X)
    assert kept.traced == ["f"] and len(files(kept)) == 2  # the program and its code

    def fail(*_):
        raise AssertionError("compiled")

    monkeypatch.setattr(making.library, "link", fail)
    second = again(f, X)
    assert kept.traced == ["f"]
    assert second[1]["n"] == 3 and second[2] == "text"
    for a, b in ((first[0], second[0]), (first[1]["y"], second[1]["y"]), (first[3], second[3])):
        np.testing.assert_array_equal(a, b)
        assert type(a) is type(b)


def test_variables_and_arrays_are_read_and_assigned(kept):
    w = gt.Variable(np.ones(20))
    data = X.copy()

    def step(lr):
        with gt.GradientTape() as tape:
            loss = np.sum((w * data) ** 2)
        w.assign_sub(lr * tape.gradient(loss, w))
        return loss

    for _ in range(3):
        before = np.array(gt.value(w))
        loss = again(step, 0.1)
        assert isinstance(loss, gt.Tensor)
        np.testing.assert_allclose(loss.value, np.sum((before * data) ** 2))
        np.testing.assert_allclose(gt.value(w), before - 0.2 * before * data * data)
    assert kept.traced == ["step"]
    f = gt.function(step, cache=True)
    f(0.1)
    data[:] = 0.0  # read at each call
    assert f(0.1).value == 0.0
    assert kept.traced == ["step"]


def test_arrays_that_are_made_while_tracing_are_part_of_what_is_kept(kept):
    """The zero of a maximum, a seed, an index: nobody else has them."""

    def f(x, y):
        z = np.maximum(x * y, 0)
        return np.mean(z[np.array([0, 3])] - np.tril(np.ones((2, 2)))[1] * z[:2])

    both = gt.value_and_grad(f)
    want = both(X, TABLE)
    for _ in range(2):
        got = again(both, X, TABLE)
        np.testing.assert_allclose(got[0], want[0])
        np.testing.assert_allclose(got[1], want[1])
    assert kept.traced == ["f"]


def test_an_index_outside_is_kept_and_looked_at_all_the_same(kept):
    rows = np.arange(3)

    def f(x):
        return x.reshape(4, 5)[rows, rows + 1] * 2.0

    def pick(x):
        return np.take(x, rows)

    for function in (f, pick):
        for _ in range(2):
            np.testing.assert_array_equal(again(function, X), function(X))
    assert kept.traced == ["f", "pick"]
    g = gt.function(pick, cache=True)
    g(X)
    rows[:] = 7
    np.testing.assert_array_equal(g(X), X[[7, 7, 7]])
    assert kept.traced == ["f", "pick", "pick"]
    np.testing.assert_array_equal(again(pick, X), X[[7, 7, 7]])


def test_wrappers_of_ours_around_the_same_function_are_told_apart(kept):
    def f(x):
        return np.sum(x[1:] ** 3)

    for whole in (gt.grad(f), gt.value_and_grad(f), gt.hessian(f), gt.grad(f), gt.jacobian(f)):
        got, want = again(whole, X[:4]), whole(X[:4])
        for a, b in zip(got, want, strict=True) if isinstance(got, tuple) else [(got, want)]:
            np.testing.assert_allclose(a, b)


def test_what_a_gradient_computes_again_is_kept_as_that(kept):
    f = gt.grad(lambda x: np.sum(gt.checkpoint(lambda x: np.sin(np.exp(x)) ** 2)(x * 2.0)))
    first = again(f, X)
    traced = list(kept.traced)
    np.testing.assert_array_equal(again(f, X), first)
    assert kept.traced == traced


def test_numpys_steps_are_kept_too(kept):
    def f(x):
        y = np.sort(x * 2.0)[::2]
        return np.sum(np.cumsum(y, axis=0)[np.array([0, 2])] + np.linalg.inv(np.eye(2) * 2.0)[0, 0])

    assert again(f, X) == again(f, X) == pytest.approx(f(X))
    assert kept.traced == ["f"]


def test_an_index_out_of_range_is_numpys_error(kept):
    def f(x, i):
        return np.sum(np.sin(x)[i])

    for _ in range(2):
        g = gt.function(f, cache=True)
        assert g(X, np.array([0, -1])) == pytest.approx(np.sin(X[0]) + np.sin(X[-1]))
        with pytest.raises(IndexError, match="index 20 is out of bounds for axis 0 with size 20"):
            g(X, np.array([0, 20]))


def test_a_derivative_traces_after_all(kept):
    def f(x):
        return np.sum(np.sin(x) ** 2)

    again(f, X)
    with gt.GradientTape() as tape:
        t = tape.watch(X)
        y = again(f, t)
    np.testing.assert_allclose(tape.gradient(y, t), 2 * np.sin(X) * np.cos(X))
    g = gt.function(f, cache=True)
    assert "sin(" in g.graph(X) and g(X) == y.value


def test_parallel_programs_are_kept(kept):
    x = RNG.normal(size=400_000)

    def f(x):
        return np.sum(np.tanh(x))

    assert again(f, x) == again(f, x) == gt.function(f, cache=True, threads=1)(x)
    assert kept.traced == ["f"]


def test_methods_models_and_static_arguments_are_told_apart(kept):
    class Model:
        def __init__(self, rate):
            self.rate, self.w = rate, gt.Variable(np.ones(20))

        def loss(self, x, power, mode="sum"):
            y = self.rate * np.sum((self.w * x) ** power)
            return y if mode == "sum" else y / x.size

    for model in (Model(0.5), Model(0.25), Model(0.5)):
        for power, mode in ((2, "sum"), (3, "sum"), (2, "mean")):
            found = again(Model.loss, model, X, power, mode)
            expected = model.rate * np.sum(X**power) / (1 if mode == "sum" else 20)
            assert found.value == pytest.approx(expected)
    # the Variables have names of their own, so the third model is another one
    assert len(kept.traced) == 9
    assert again(Model.loss, model, X, 2, "mean") is not None and len(kept.traced) == 9


# ------------------------------------------------------------------------------- made anew


def defined(source, **scope):
    exec(textwrap.dedent(source), scope := {"np": np, "gt": gt, "__name__": "user", **scope})
    return scope["f"]


SOURCE = """
def inner(x):
    return x * {constant}

def f(x):
    return np.sum({call}(inner(x)))
"""


def test_the_same_source_is_taken_and_another_traced(kept):
    for constant, call, count in (
        ("2.0", "np.sin", 1), ("2.0", "np.sin", 1), ("3.0", "np.sin", 2), ("2.0", "np.cos", 3),
        ("-0.0", "np.cos", 4), ("0.0", "np.cos", 5), ("2.0", "np.sin", 5),
    ):  # fmt: skip
        f = defined(SOURCE.format(constant=constant, call=call))
        expected = np.sum(eval(call)(X * float(constant)))
        assert again(f, X) == pytest.approx(expected)
        assert len(kept.traced) == count, (constant, call)


def test_what_the_surroundings_hold_counts(kept):
    """Each change is another program, and going back finds the first again."""
    source = "def f(x):\n    return x * a.rate * len(a.layers) + b + c[0] * d(x)"
    d = defined("def f(x, y=1.0): return x * y")
    names = types.SimpleNamespace(rate=0.5, layers=[1, 2])
    scope = {"a": names, "b": 1.0, "c": {0: 3.0}, "d": d}

    def look():
        f = defined(source, **scope)
        np.testing.assert_allclose(again(f, X), f(X))
        return len(kept.traced)

    assert (look(), look()) == (1, 1)
    names.rate = 0.25
    assert look() == 2
    names.layers.append(3)
    assert look() == 3
    scope["b"] = 2.0
    assert look() == 4
    scope["c"] = {0: 4.0}
    assert look() == 5
    scope["d"] = defined("def f(x, y=2.0): return x * y")
    assert look() == 6
    scope["d"] = functools.partial(d, y=3.0)
    assert look() == 7
    names.rate, names.layers = 0.5, [1, 2]
    scope.update(b=1.0, c={0: 3.0}, d=d)
    assert look() == 7


def test_closures_count(kept):
    def make(factor, table):
        def f(x):
            return x * factor + np.sort(table)

        return f

    for factor, table, count in (
        (2.0, TABLE, 1), (2.0, TABLE + 0, 1), (3.0, TABLE, 2), (2.0, TABLE[::-1], 3),
        (np.float32(2), TABLE, 4), (2, TABLE, 5), (True, TABLE, 6),
    ):  # fmt: skip
        f = make(factor, table)
        np.testing.assert_array_equal(again(f, X), f(X))
        assert len(kept.traced) == count, factor


def test_a_module_of_the_users_counts_by_what_is_named(kept, tmp_path):
    module = types.ModuleType("user_helpers")
    module.__file__ = str(tmp_path / "user_helpers.py")
    exec("import numpy as np\nrate = 2.0\nunused = 1.0\ndef inner(x): return x * rate",
         vars(module))  # fmt: skip
    f = defined("def f(x): return m.inner(x) + 1.0", m=module)
    again(f, X)
    module.unused = 2.0
    again(f, X)
    assert len(kept.traced) == 1
    module.rate = 3.0
    np.testing.assert_array_equal(again(f, X), X * 3.0 + 1.0)
    assert len(kept.traced) == 2


def test_dtypes_and_shapes_count(kept):
    def f(x):
        return x * 2.0

    for x in (X, X[:3], X.astype("f4"), np.float64(1.0), 1.0, X):
        np.testing.assert_array_equal(again(f, x), np.asarray(x) * np.asarray(x).dtype.type(2))
    assert len(kept.traced) == 5


@pytest.mark.parametrize("what", ["llvmlite", "numpy", "processor", "source"])
def test_other_versions_are_another_program(kept, monkeypatch, what):
    def f(x):
        return np.sum(np.sin(x))

    again(f, X)
    if what == "llvmlite":
        monkeypatch.setattr(compile.llvmlite, "__version__", "99.0")
    elif what == "numpy":
        monkeypatch.setattr(np, "__version__", "99.0")
    elif what == "source":
        monkeypatch.setattr(store, "_source", lambda: "another")
    else:
        host = compile.host()
        other = compile.Machine(host.triple, host.cpu, host.features + ",+none", host.width)
        monkeypatch.setattr(compile, "host", lambda: other)
    before = len(files(kept))
    assert again(f, X) == pytest.approx(np.sum(np.sin(X)))
    assert len(kept.traced) == 2 and len(files(kept)) == 2 * before


# ------------------------------------------------------------------------------- damage


@pytest.mark.parametrize("damage", ["truncated", "changed", "empty", "foreign", "other"])
@pytest.mark.parametrize("which", ["program", "code"])
def test_a_damaged_file_is_left_out_said_and_made_anew(kept, damage, which):
    def f(x):
        return np.sum(np.sin(x))

    value = again(f, X)
    by_kind = {("code" if b'"header": "code"' in p.read_bytes() else "program"): p
               for p in files(kept)}  # fmt: skip
    path, other = by_kind[which], by_kind["code" if which == "program" else "program"]
    good = path.read_bytes()
    bad = {
        "truncated": good[: len(good) // 2], "empty": b"", "foreign": b"#!/bin/sh\nexit 1\n",
        "changed": good[:-1] + bytes([good[-1] ^ 1]), "other": other.read_bytes(),
    }  # fmt: skip
    path.write_bytes(bad[damage])
    with pytest.warns(CompileWarning, match=r"is damaged\.[\s\S]*gt\.clear_cache\(\)") as said:
        assert again(f, X) == value
    assert said[0].filename == __file__
    assert path.read_bytes() == good
    count = len(kept.traced)
    assert again(f, X) == value
    assert len(kept.traced) == count


def test_code_that_was_deleted_is_compiled_again(kept):
    def f(x):
        return np.sum(np.sin(x))

    value = again(f, X)
    for path in files(kept):
        if b'"header": "code"' in path.read_bytes():
            path.unlink()
    assert again(f, X) == value and again(f, X) == value
    assert len(kept.traced) == 2 and len(files(kept)) == 2


# ------------------------------------------------------------------------------- ownership

POSIX = pytest.mark.skipif(not hasattr(os, "getuid"), reason="no owners of files here")


def test_the_folder_is_made_for_the_user_alone(kept):
    again(lambda x: x * 2.0, X)
    if hasattr(os, "getuid"):
        assert kept.folder.stat().st_mode & 0o777 == 0o700
        assert all(path.stat().st_mode & 0o077 == 0 for path in files(kept))


@POSIX
def test_a_folder_that_others_can_enter_is_not_used(kept):
    kept.folder.mkdir()
    kept.folder.chmod(0o755)
    with pytest.warns(CompileWarning, match="no folder of yours that is closed to others") as said:
        np.testing.assert_array_equal(again(lambda x: x * 2.0, X), X * 2)
        again(lambda x: x * 3.0, X)
    assert len(said) == 1 and not files(kept)


@POSIX
def test_a_file_that_others_can_write_is_not_loaded(kept):
    def f(x):
        return x * 2.0

    again(f, X)
    for path in files(kept):
        path.chmod(0o666)
    with pytest.warns(CompileWarning, match="others may write it"):
        again(f, X)
    assert len(kept.traced) == 2
    again(f, X)  # it was written anew
    assert len(kept.traced) == 2


@POSIX
def test_a_folder_of_somebody_else_is_not_used(kept, monkeypatch):
    again(lambda x: x * 2.0, X)
    owner = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: owner + 1)
    store._warned.clear()
    with pytest.warns(CompileWarning, match="no folder of yours"):
        again(lambda x: x * 2.0, X)
    assert len(kept.traced) == 2


@pytest.mark.parametrize("place", ["file/programs", "/proc/nothing"])
def test_a_folder_that_cannot_be_made_is_said_once(kept, tmp_path, place):
    if place.startswith("/") and not os.path.isdir("/proc"):
        pytest.skip("there is no /proc, whose folders nobody can make")
    (tmp_path / "file").write_text("")
    gt.configure(cache_folder=str(tmp_path / place))
    with pytest.warns(CompileWarning, match="cannot be used") as said:
        np.testing.assert_array_equal(again(lambda x: x * 2.0, X), X * 2)
    assert len(said) == 1


# ------------------------------------------------------------------------------- the folder


def test_the_folder_is_that_of_the_setting_then_of_the_environment(monkeypatch, tmp_path):
    before = config.current
    try:
        gt.configure(cache_folder="")
        monkeypatch.setenv("GRADTAPE_CACHE", str(tmp_path / "a"))
        assert store.folder() == tmp_path / "a"
        monkeypatch.delenv("GRADTAPE_CACHE")
        assert store.folder().parts[-2:] == ("gradtape", "programs")
        gt.configure(cache_folder=str(tmp_path / "b"))
        assert store.folder() == tmp_path / "b"
    finally:
        config.current = before


def test_the_programs_longest_unused_go_first(kept):
    def at(n):
        return defined(f"def f(x): return x * {n}.5")

    sizes = []
    for n in range(4):
        again(at(n), X)
        for path in files(kept):
            if path.name not in {name for name, _ in sizes}:
                sizes.append((path.name, path.stat().st_size))
                os.utime(path, (1000 + n, 1000 + n))
    again(at(0), X)  # used now
    assert len(kept.traced) == 4
    gt.configure(cache_bytes=sum(size for _, size in sizes) - 10)
    again(at(9), X)
    names = {path.name for path in files(kept)}
    assert {sizes[0][0], sizes[1][0]} <= names and len(names) < 10
    assert sum(path.stat().st_size for path in files(kept)) <= config.current.cache_bytes
    assert not names & {sizes[2][0], sizes[3][0]}


def test_clear_cache_deletes_programs_and_nothing_else(kept):
    again(lambda x: x * 2.0, X)
    (kept.folder / "notes.txt").write_text("mine")
    (kept.folder / f".{'0' * 32}.1.ab.part").write_text("left")
    assert gt.clear_cache() == 2
    assert [path.name for path in kept.folder.iterdir()] == ["notes.txt"]
    assert gt.clear_cache() == 0


def test_a_file_holds_json_and_bytes_and_nothing_is_unpickled(kept):
    again(lambda x: np.sort(x * 2.0), X)
    for path in files(kept):
        data = path.read_bytes()
        assert data.startswith(store.MAGIC)
        rest = data[len(store.MAGIC) + 32 :]
        size = int.from_bytes(rest[:8], "little")
        assert json.loads(rest[8 : 8 + size])["key"] == path.stem
    source = Path(gt.__file__).parent
    for name in ("backends/store.py", "program/stored.py", "graph/coding.py"):
        text = (source / name).read_text()
        assert "import pickle" not in text and "marshal" not in text and "eval(" not in text


# ------------------------------------------------------------------------------- not kept


def test_what_cannot_be_compared_is_said_and_the_code_kept_still(kept):
    log = sys.stderr.buffer

    def f(x):
        log.flush()
        return np.sum(np.sin(x))

    with pytest.warns(TracingWarning, match=r"f are not kept.*\n.*_io\..*test_cache.py") as said:
        g = gt.function(f, cache=True)
        assert g(X) == pytest.approx(np.sum(np.sin(X)))
        g(X[:3])
    assert len(said) == 1 and said[0].filename == __file__
    assert all(b'"header": "code"' in path.read_bytes() for path in files(kept))


def test_a_result_that_cannot_be_written_is_said(kept):
    @dataclass
    class Pair:
        a: object

    with pytest.warns(TracingWarning, match="a result that holds a Pair"):
        assert again(lambda x: Pair(x * 2.0), X).a[0] == X[0] * 2


def test_without_native_code_nothing_is_kept(kept):
    gt.function(lambda x: x * 2.0, cache=True, backend="numpy")(X)
    assert not kept.folder.exists()


# ------------------------------------------------------------------------------- fingerprints


def test_what_is_unknown():
    with open(os.devnull) as file:
        for x in (file, file.buffer, threading.Lock(), (i for i in [1]), {"a": [(1, file)]}):
            with pytest.raises(Unknown):
                Fingerprint(lambda x=x: x, ())


def test_objects_of_libraries_count_by_what_they_say_of_themselves():
    for one, other in (
        (datetime.date(2020, 1, 1), datetime.date(2020, 1, 2)),
        (decimal.Decimal("0.1"), decimal.Decimal("0.10")), (Path("a"), Path("b")),
        (np.random.default_rng(0), np.random.default_rng(1)), ({1, 2}, {1, 3}),
        (collections.OrderedDict(a=1, b=2), collections.OrderedDict(b=2, a=1)),
        (collections.deque([1]), collections.deque([2])), (np.add, np.multiply),
        (functools.partial(int, base=2), functools.partial(int, base=3)),
        (np.dtype("f4"), np.dtype("f8")), (math.sin, math.cos), (slice(1), slice(2)),
    ):  # fmt: skip
        digests = [Fingerprint(lambda x=x: x, ()).digest for x in (one, copy.copy(one), other)]
        assert digests[0] == digests[1] != digests[2], one


def test_things_that_refer_to_each_other_end():
    a, b = types.SimpleNamespace(), types.SimpleNamespace()
    a.b, b.a = b, a
    one = Fingerprint(lambda: a, ()).digest
    b.c = 1
    assert Fingerprint(lambda: a, ()).digest != one
    one, two = types.ModuleType("one"), types.ModuleType("two")
    one.__file__ = two.__file__ = "user.py"
    one.two, two.one = two, one
    exec("def f(): return one.two.one.two", scope := {"one": one})
    assert Fingerprint(scope["f"], ()).objects == []


def test_the_same_object_twice_is_not_two_equal_ones():
    v, w = gt.Variable(1.0, name="v"), gt.Variable(1.0, name="v")
    digests = [Fingerprint(len, pair).digest for pair in ((v, v), (v, w))]
    assert digests[0] != digests[1]


def test_rules_of_other_packages_count(kept):
    from gradtape.core.cards import elementwise
    from gradtape.core.registry import CARDS, UFUNCS

    twice = np.frompyfunc(lambda x: 2 * x, 1, 1)
    one = Fingerprint(len, ()).digest
    elementwise(twice, lambda _out, _x: 2.0)
    name = next(name for name, card in CARDS.items() if card.impl is twice)
    try:
        assert Fingerprint(len, ()).digest != one
    finally:
        del CARDS[name]
        UFUNCS.pop(twice, None)
    assert Fingerprint(len, ()).digest == one


# ------------------------------------------------------------------------------- processes

SCRIPT = """
import sys
import numpy as np, gradtape as gt
from gradtape.program import function as room

traced, real = [], room.trace
room.trace = lambda *a: (traced.append(1), real(*a))[1]
w = gt.Variable(np.ones(50))

@gt.function(cache=True)
def step(x, lr):
    with gt.GradientTape() as tape:
        loss = np.sum(np.tanh(w * x) ** 2)
    w.assign_sub(lr * tape.gradient(loss, w))
    return loss

x = np.linspace(-1, 1, 50)
for _ in range(3):
    loss = step(x, 0.1)
print(len(traced), float(loss).hex(), w.numpy().sum().hex())
"""


def start(folder, script=SCRIPT):
    environment = {**os.environ, "GRADTAPE_CACHE": str(folder)}
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", "-c", script],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip


def ended(process):
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0 and not err, err
    return out.split()


def test_several_processes_may_write_at_once_and_the_next_reads(tmp_path):
    folder = tmp_path / "programs"
    found = [ended(process) for process in [start(folder) for _ in range(4)]]
    assert {tuple(line[1:]) for line in found} == {tuple(found[0][1:])}
    assert {line[0] for line in found} <= {"0", "1"}
    assert len(list(folder.iterdir())) == 2  # nothing half-written is left
    assert ended(start(folder)) == ["0", *found[0][1:]]
    changed = ended(start(folder, SCRIPT.replace("np.tanh", "np.sin")))
    assert changed[0] == "1" and changed[1:] != found[0][1:]


def test_no_warning_where_nothing_is_wrong(kept):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again(lambda x: WEIGHT * x * NAMES.rate, X)
        again(lambda x: WEIGHT * x * NAMES.rate, X)
