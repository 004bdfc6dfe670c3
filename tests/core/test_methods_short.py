"""`x.sum()` takes the short record of `np.sum(x)`, `x[i]` makes one of its own; both know lines."""

import inspect

import numpy as np
import pytest

import gradtape as gt
from gradtape.core.dispatch import apply
from gradtape.core.positions import decode
from gradtape.core.state import CARD, CODE, LASTI, OUT, Recorder, pop, push
from gradtape.ops import index as indexing


def test_the_method_makes_the_short_record_of_the_function():
    with gt.GradientTape() as tape:
        x = tape.watch(np.arange(6.0).reshape(2, 3))
        line = inspect.currentframe().f_lineno + 1
        y = x.sum()
    record = tape._recorder.ops[-1]
    assert record[CARD].name == "sum_all"
    assert str(decode(record[CODE], record[LASTI])).endswith(f":{line}")
    assert y.value == 15.0
    np.testing.assert_array_equal(tape.gradient(y, x), np.ones((2, 3)))


@pytest.mark.parametrize("keep_all", [False, True])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.longdouble])
def test_the_short_record_of_a_number_is_the_long_one(keep_all, dtype):
    recorder = Recorder(auto_watch=False, keep_all=keep_all)
    with gt.GradientTape() as tape:
        x = tape.watch(np.arange(3, dtype=dtype))
    recorder.tracked.add(x.key)
    push(recorder)
    try:
        line = inspect.currentframe().f_lineno + 1
        short = x[-2]
        long = apply(indexing.getitem_card, (x,), {"index": -2})
    finally:
        pop(recorder)
    one, other = recorder.ops
    assert str(decode(one[CODE], one[LASTI])).endswith(f":{line}")
    assert (type(short), type(short.value), short.value) == (type(long), dtype, long.value)
    assert {short.key, long.key} < recorder.tracked and one[OUT] == short.key != long.key
    for field in range(len(one)):
        if field not in (OUT, LASTI):
            assert repr(one[field]) == repr(other[field])


def test_a_number_is_read_in_short_by_one_tape_alone(monkeypatch):
    def never(*_arguments):
        raise AssertionError("the long way was taken")

    with gt.GradientTape() as tape:
        x = tape.watch(np.array([1.0, 2.0]))
        with monkeypatch.context() as patch:
            patch.setattr(indexing, "apply", never)
            y = x[0] * x[1]
        with pytest.raises(IndexError, match="out of bounds"):
            x[2]
        with gt.GradientTape() as inner:
            inner.watch(x)
            z = x[0] * x[1]
    np.testing.assert_array_equal(tape.gradient(y, x), [2.0, 1.0])
    np.testing.assert_array_equal(inner.gradient(z, x), [2.0, 1.0])
    with gt.GradientTape() as tape:  # where the loop is NumPy's or ours, the line is the user's
        x = tape.watch(np.array([1.0, 2.0]))
        line = inspect.currentframe().f_lineno + 1
        first, _ = x
    assert first.value == 1.0
    record = tape._recorder.ops[0]
    assert str(decode(record[CODE], record[LASTI])).endswith(f":{line}")
