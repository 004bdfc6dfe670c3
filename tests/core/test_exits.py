"""Exits: what is noticed, what is not, what it costs, and what a strict tape refuses."""

import gc
import logging
import math
import re
import sys
import warnings
import weakref

import numpy as np
import pytest

import gradtape as gt
from gradtape.core import exits, places
from gradtape.core.positions import user_frame
from gradtape.core.state import state
from gradtape.errors import ExitError


def kinds_of(action, value=(1.25, 2.75)):
    """The kinds of the exits that `action(x)` makes."""
    with gt.GradientTape():
        x = gt.array(value)
        state.tape.tracked.add(_key(x))
        action(x)
        noted = state.tape.exits
    return [] if noted is None else [e.kind for e in noted.places.values()]


def _key(x):
    from gradtape.core.state import next_key

    x.key = next_key()
    return x.key


def store(x):
    y = np.zeros(2)
    y[0] = x[0]


def store_slice(x):
    y = np.zeros(2)
    y[0:2] = x


def store_attribute(x):
    class Box:
        y = np.zeros(2)

    box = Box()
    box.y[1] = x[1]


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        (lambda x: float(x[0]), "float"),
        (lambda x: int(x[0]), "int"),
        (lambda x: complex(x[0]), "complex"),
        (lambda x: round(x[0]), "round"),
        (lambda x: x.numpy(), "numpy()"),
        (lambda x: x.item(0), "item()"),
        (lambda x: x.tolist(), "tolist()"),
        (lambda x: x[:1].item(), "item()"),
        (lambda x: x.tobytes(), "tobytes()"),
        (lambda x: np.asarray(x), "numpy.asarray"),
        (lambda x: np.array(x), "numpy.array"),
        (lambda x: np.array([x[0], 1.0]), "numpy.array"),
        (lambda x: np.full((2, 2), x[0]), "numpy.full"),
        (lambda x: np.r_[x, 1.0], "numpy.r_"),
        (lambda x: np.c_[x, x], "numpy.c_"),
        (lambda x: np.vectorize(abs)(x), "numpy.vectorize"),
        (lambda x: np.max([x[0], x[1]]), "numpy.max"),
        (lambda x: np.sqrt([x[0]]), "numpy.sqrt"),
        (lambda x: np.float32(x[0]), "numpy.float32"),
        (lambda x: np.eye(2).dot(x), "ndarray.dot"),
        (lambda x: np.zeros(2).fill(x[0]), "ndarray.fill"),
        (lambda x: np.random.default_rng(0).normal(x), "Generator.normal"),
        (lambda x: math.sin(x[0]), "math.sin"),
        (lambda x: math.hypot(x[0], x[1]), "math.hypot"),
        (lambda x: np.from_dlpack(x), "numpy.from_dlpack"),
        (lambda x: bytearray(memoryview(np.asarray(x))), "numpy.asarray"),
        (store, "store"),
        (store_slice, "store"),
        (store_attribute, "store"),
        (lambda x: np.copyto(np.zeros(2), x), "numpy.copyto"),
        (lambda x: np.add(x, 1.0, out=np.zeros(2)), "out="),
    ],
)
def test_kind(action, kind):
    assert kinds_of(action) == [kind]


@pytest.mark.parametrize(
    "action",
    [
        lambda x: print(x),
        lambda x: f"{x} {x[0]:.3f} {x!r}",
        lambda x: "%s" % x,  # noqa: UP031
        lambda x: logging.getLogger("nobody").debug("%s", x),
        lambda x: (x.shape, x.ndim, x.size, x.dtype, len(x), np.shape(x), np.ndim(x)),
        lambda x: (np.result_type(x), np.can_cast(x.dtype, float), np.isscalar(x)),
        lambda x: (np.array_equal(x, x), np.allclose(x, x)),
        lambda x: bool(x[0] > 0),
        lambda x: (gt.value(x), gt.stop_gradient(x)),
        lambda x: sum(x) + max(x) + min(x),
        lambda x: np.stack([x, x]) + np.zeros_like(x),
        lambda x: [float(v) for v in (x.shape[0], x.size)],
    ],
)
def test_showing_and_asking_are_no_exits(action, capsys):
    assert kinds_of(action) == []


def test_np_save_is_no_exit(tmp_path):
    assert kinds_of(lambda x: np.save(tmp_path / "x.npy", x)) == []


def test_nothing_is_noted_where_no_tape_follows():
    x = gt.Variable(1.5)
    float(x)
    with gt.GradientTape() as tape:
        constant = gt.array(2.5)
        float(constant)
    assert tape._recorder.exits is None


def test_each_tape_notes_what_it_follows():
    x, y = gt.Variable(1.5), gt.array(2.5)
    with gt.GradientTape() as one, gt.GradientTape(watch_accessed_variables=False) as two:
        two.watch(y)
        (x * y).item()
        float(x * 1.0)
    assert len(one._recorder.exits.places) == 2
    assert len(two._recorder.exits.places) == 1


# ------------------------------------------------------------------------------------ places


def test_the_same_place_is_noted_once():
    with gt.GradientTape() as tape:
        x = tape.watch(np.linspace(0.1, 1.0, 50))
        for i in range(50):
            float(x[i])
    (found,) = tape._recorder.exits.places.values()
    assert found.count == 50
    assert found.place.text == "float(x[i])"


def test_memory_is_bounded():
    with gt.GradientTape() as tape:
        x = tape.watch(np.linspace(0.1, 1.0, 10))
        for _ in range(2000):
            for i in range(5):
                float(x[i] * 1.0)
                np.asarray(x * 1.0)
    noted = tape._recorder.exits
    assert len(noted.scalars) <= exits.MOST_SCALARS
    assert len(noted.values) <= exits.MOST_SCALARS
    assert len(noted.buffers) <= exits.MOST_BUFFERS
    assert len(noted.places) == 2
    assert all(len(e.keys) <= 64 for e in noted.places.values())


def test_no_array_is_kept_alive():
    with gt.GradientTape() as tape:
        x = tape.watch(np.linspace(0.1, 1.0, 1000))
        y = x + 1.0  # the rule of + keeps nothing
        plain = y.numpy()
        alive = weakref.ref(plain.base)
        store = np.zeros(1000)
        store[:] = y
        stored = weakref.ref(store)
        del y, plain, store
    assert alive() is None
    assert stored() is None
    assert tape._recorder.exits is not None


def test_looking_up_a_container_pins_no_local():
    class Big:
        pass

    def work(tape):
        y = np.zeros(2)
        x = tape.watch(np.array([1.25, 2.75]))
        big = Big()
        alive = weakref.ref(big)
        y[0] = x[0]
        big = None
        return alive() is None, y[0]

    gc.disable()
    try:
        with gt.GradientTape() as tape:
            assert work(tape) == (True, 1.25)
    finally:
        gc.enable()


def test_looking_up_a_container_leaves_the_users_locals_alone():
    with gt.GradientTape() as tape:
        x = tape.watch(np.array([1.25, 2.75]))
        y = np.zeros(2)
        mine = locals()
        y[0] = x[0]
        assert mine["y"] is y
        assert mine["x"] is x


class Watcher:
    """Leaves like a Tensor and notes the Place that the user's frame stands at."""

    def __init__(self):
        self.seen = []

    def __float__(self):
        frame = user_frame()
        place = places.place_at(frame)
        self.seen.append((place, places.resolve(frame, place.container)[1]))
        return 1.5


def test_containers_are_found():
    t, i = Watcher(), 1
    y, z = np.zeros(3), np.zeros(3)
    table = {"z": z}

    class Slotted:
        __slots__ = ("y",)

    s = Slotted()
    s.y = z
    y[0] = t
    y[i] = t
    y[i + 1] = t
    y[i if i else 0] = t  # a conditional index: not told
    s.y[0] = t
    table["z"][0] = t  # an expression: not told

    def inner():
        y[2] = t

    inner()
    found = [container for _, container in t.seen]
    assert [c is y for c in found[:3]] == [True] * 3
    assert found[4] is z
    assert found[5] is None
    assert found[6] is y
    assert all(place.kind == "store" for place, _ in t.seen)


def test_what_is_shown_or_thrown_away_is_told():
    t = Watcher()
    print(float(t), file=sys.stderr)
    text = f"{float(t)} {float(t):.2f}"
    text += str(float(t))
    kept = float(t)
    print(2 * float(t), file=sys.stderr)
    float(t)
    assert text
    assert kept == 1.5
    assert [p.is_shown for p, _ in t.seen] == [True] * 4 + [False, True, False]
    assert [p.is_dropped for p, _ in t.seen] == [False] * 6 + [True]


def test_the_kind_is_told_without_the_source():
    space = {"np": np, "math": math, "t": Watcher(), "y": np.zeros(2)}
    lines = ["y[0] = t", "math.sin(t)", "float(t)", "def f():", "    z = y", "    z[1] = t", "f()"]
    exec(compile("\n".join(lines), "<nowhere>", "exec"), space)
    seen = space["t"].seen
    assert [p.kind for p, _ in seen] == ["store", "math.sin", "float", "store"]
    assert seen[0][1] is seen[3][1] is space["y"]


def test_positions_skip_libraries():
    pandas = pytest.importorskip("pandas")
    with gt.GradientTape() as tape:
        x = tape.watch(np.array([1.25, 2.75]))
        pandas.Series(np.asarray(x))
        pandas.DataFrame({"x": x.numpy()})
    files = {e.place.code.co_filename for e in tape._recorder.exits.places.values()}
    assert files == {__file__}


# ------------------------------------------------------------------------------------ strict


@pytest.mark.parametrize(
    ("leave", "fact", "remedy"),
    [
        (lambda x: float(x[0]), "float", "leave out float"),
        (lambda x: np.asarray(x), "numpy.asarray", "gt.asarray"),
        (lambda x: x.numpy(), r"numpy\(\)", r"\.numpy\(\)"),
        (lambda x: x[0].item(), r"item\(\)", r"\.item\(\)"),
        (lambda x: math.sin(x[0]), r"math\.sin", r"np\.sin"),
        (lambda x: np.array([x[0]]), r"numpy\.array", r"gt\.array"),
        (store_slice, "store", r"gt\.zeros"),
        (lambda x: np.copyto(np.zeros(2), x), r"numpy\.copyto", r"gt\.zeros"),
    ],
)
def test_strict_raises_at_the_exit(leave, fact, remedy):
    with gt.GradientTape(strict=True) as tape:
        x = tape.watch(np.array([1.25, 2.75]))
        with pytest.raises(ExitError) as error:
            leave(x)
        y = np.sum(x * 2.0)
    first, cause, last = str(error.value).split("\n")
    assert re.search(fact, first)
    assert "test_exits.py:" in cause
    assert re.search(remedy, last)
    assert "gt.value(x)" in last
    assert isinstance(error.value, TypeError)
    np.testing.assert_array_equal(tape.gradient(y, x), [2.0, 2.0])


def test_strict_refuses_an_item_store_as_the_cause_of_numpys_error():
    with gt.GradientTape(strict=True) as tape:
        x = tape.watch(np.array([1.25, 2.75]))
        with pytest.raises(ValueError, match="setting an array element") as error:
            store(x)
    assert isinstance(error.value.__cause__, ExitError)
    assert "gt.zeros" in str(error.value.__cause__)


def test_strict_refuses_out_only_where_the_result_is_thrown_away():
    with gt.GradientTape(strict=True) as tape:
        x = tape.watch(np.array([1.25, 2.75]))
        total = np.zeros(2)
        total += x  # rebinds to a Tensor
        total = np.add(total, x, out=np.zeros(2))
        with pytest.raises(ExitError, match="(?s)out=.*gt.empty"):
            np.add(x, 1.0, out=np.zeros(2))
        y = np.sum(total)
    np.testing.assert_array_equal(tape.gradient(y, x), [2.0, 2.0])


def test_strict_lets_show(capsys):
    with gt.GradientTape(strict=True) as tape:
        x = tape.watch(1.25)
        print(x, f"{x:.1f}", repr(x), gt.value(x))
        assert not math.isnan(x)
        y = x * x
    assert float(tape.gradient(y, x)) == 2.5
    assert capsys.readouterr().out.startswith("1.25 1.2")


# ------------------------------------------------------------------------------ coming back


def returns(tape):
    return [(r.exit.kind, r.certain) for r in tape._recorder.returns]


def test_out_of_a_plain_accumulator_is_no_return():
    with gt.GradientTape() as tape:
        x = tape.watch(np.array([1.25, 2.75]))
        total = np.zeros(2)
        total += x
        total += x * x
        y = np.sum(total * 3.0)
    assert returns(tape) == []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(tape.gradient(y, x), 3 + 6 * np.array([1.25, 2.75]))


def test_out_array_that_comes_back_is_a_return():
    with gt.GradientTape() as tape:
        x = tape.watch(np.array([1.25, 2.75]))
        buffer = np.zeros(2)
        np.add(x, 1.0, out=buffer)
        np.sum(x * buffer)
    assert returns(tape) == [("out=", True)]


def test_a_number_in_an_item_assignment_comes_back():
    with gt.GradientTape() as tape:
        x = tape.watch(np.array([1.25, 2.75]))
        y = gt.zeros(2) + x * 0.0
        y[0] = float(x[0])
    assert returns(tape) == [("float", True)]


def test_a_number_in_a_list_comes_back():
    with gt.GradientTape() as tape:
        x = tape.watch(np.array([1.25, 2.75]))
        x * [float(x[0]), 1.0]
    assert ("float", False) in returns(tape) or ("float", True) in returns(tape)


def test_a_wrapped_copy_comes_back():
    with gt.GradientTape() as tape:
        x = tape.watch(np.array([1.25, 2.75]))
        x * gt.array(np.asarray(x))
    assert returns(tape) == [("numpy.asarray", False)]


@pytest.mark.parametrize(
    "join", [lambda p: np.r_[p, p], lambda p: np.c_[p, p].T, lambda p: np.stack([p + 1, p], 1)]
)
def test_a_plain_array_put_together_with_others_comes_back(join):
    with gt.GradientTape() as tape:
        x = tape.watch(np.array([1.25, 2.75]))
        np.sum(x[0] * join(x.numpy()))
    assert returns(tape) == [("numpy()", False)]


def test_freed_buffers_are_not_confused_with_new_ones():
    with gt.GradientTape() as tape:
        x = tape.watch(np.linspace(0.1, 1.0, 100))
        for step in range(50):
            np.asarray(x + float(step))
            x * np.full(100, step + 0.5)
    assert returns(tape) == []


def test_a_tape_without_exits_pays_nothing():
    with gt.GradientTape() as tape:
        x = tape.watch(np.array([1.25, 2.75]))
        np.sum(x * 2.0 + np.ones(2))
    assert tape._recorder.exits is None
    assert not tape._recorder.returns
