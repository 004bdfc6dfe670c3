"""What may surprise in a compiled function: each case either is told, or does what eager mode does.

A function that is compiled runs once, on values that are not known; from then on the program runs.
"""

import time

import numpy as np
import pytest

import gradtape as gt
from gradtape.errors import TracingError, TracingWarning


def test_print_prints_while_tracing_and_gt_print_at_each_call(capsys):
    @gt.function
    def f(x):
        print("traced")
        gt.print("x =", x)
        return x * 2

    f(1.0)
    f(2.0)
    assert capsys.readouterr().out.split("\n") == ["traced", "x = 1.0", "x = 2.0", ""]


def test_a_branch_on_a_value_is_refused_with_line_and_remedy():
    @gt.function
    def f(x):
        if x.sum() > 0:
            return x
        return -x

    with pytest.raises(TracingError, match=r"gt\.cond"):
        f(np.ones(3))


def test_a_loop_on_a_value_is_refused_with_the_loop_that_does_it():
    @gt.function
    def f(x):
        while x < 3:
            x = x + 1
        return x

    with pytest.raises(gt.errors.TracingError, match=r"test_compiled.py:\d+(.|\n)*gt.while_loop"):
        f(1.0)


def test_what_numpy_refuses_while_a_program_runs_is_said_in_our_words():
    f = gt.function(lambda a, b: a**b)
    with pytest.raises(ValueError, match=r"negative(.|\n)*Called at test_compiled.py"):
        f(np.array([1, 2]), np.array([-1, 1]))


def test_a_value_that_is_put_aside_is_refused_when_it_is_used_later():
    aside = []

    @gt.function
    def f(x):
        aside.append(x * 2)
        return x

    f(np.ones(3))
    with pytest.raises(TracingError, match="earlier trace"):
        aside[0] + 1
    with pytest.raises(TracingError, match="earlier trace"):
        gt.function(lambda x: x + aside[0])(np.ones(3))


def test_a_set_of_values_is_refused():
    with pytest.raises(TracingError, match="Return a list"):
        gt.function(lambda x: {x, x + 1})(2.0)


def test_storing_into_a_plain_array_is_refused():
    out = np.zeros(3)

    @gt.function
    def f(x):
        out[0] = x
        return x

    with pytest.raises((TracingError, ValueError)) as caught:
        f(2.0)
    cause = caught.value if isinstance(caught.value, TracingError) else caught.value.__cause__
    assert isinstance(cause, TracingError)
    assert out[0] == 0


def test_what_python_does_besides_is_done_while_tracing_alone():
    calls = []

    @gt.function
    def f(x):
        calls.append(time.perf_counter())
        return x + 1

    f(1.0)
    f(2.0)
    assert len(calls) == 1


def test_random_numbers_of_numpy_are_frozen_and_told():
    @gt.function
    def f(x):
        return x + np.random.normal()  # noqa: NPY002 - the footgun

    with pytest.warns(TracingWarning, match=r"gt\.random"):
        first = f(0.0)
    assert f(0.0) == first


def test_numbers_outside_are_guarded_and_arrays_outside_are_read():
    scale, table = 2.0, np.ones(3)

    @gt.function
    def f(x):
        return scale * x + table

    assert f(1.0).tolist() == [3, 3, 3]
    scale = 5.0
    table[:] = 10.0
    assert f(1.0).tolist() == [15, 15, 15]


def test_an_index_outside_is_looked_at():
    idx, mask = np.array([0, 1]), np.array([True, False, True])

    @gt.function
    def f(w):
        return w[idx] * 2, np.where(mask, w, 0), np.sum(w[mask]), np.sum(w, where=mask)

    w = np.arange(1.0, 4.0)
    for _ in range(2):
        one, two, three, four = f(w)
        assert (one.tolist(), two.tolist(), three, four) == ([2, 4], [1, 0, 3], 4, 4)
    idx[:] = 2
    mask[:] = False
    for _ in range(2):
        one, two, three, four = f(w)
        assert (one.tolist(), two.tolist(), three, four) == ([6, 6], [0, 0, 0], 0, 0)


def test_an_index_outside_of_a_gradient_is_looked_at():
    idx = np.array([0, 1])
    f = gt.function(gt.grad(lambda w: np.sum(w[idx] ** 2)))
    assert f(np.ones(3)).tolist() == [2, 2, 0]
    idx[:] = 2
    assert f(np.ones(3)).tolist() == [0, 0, 4]
    total = gt.function(gt.grad(lambda w: np.sum(w[idx])))  # nothing of w is read
    assert total(np.ones(3)).tolist() == [0, 0, 2]
    idx[:] = 7
    for g in (f, total):
        with pytest.raises(IndexError, match="Keep to the shape"):
            g(np.ones(3))


def test_an_index_made_inside_costs_nothing():
    f = gt.function(lambda w: w[np.array([0, 1])] + w[[1, 2]] + np.take(w, [0, 2]))
    f(np.ones(3))
    (program,) = f.programs.values()
    assert not program.frozen


def test_an_integer_argument_is_static_and_many_of_them_are_told():
    @gt.function
    def f(x, n):
        for _ in range(n):
            x = x * 2
        return x

    with pytest.warns(TracingWarning, match="5th time"):
        for n in range(6):
            assert f(1.0, n) == 2.0**n


def test_shapes_that_depend_on_values_are_refused():
    with pytest.raises(TracingError, match="shape of the result"):
        gt.function(lambda x: x[x > 0])(np.ones(3))


def test_math_and_float_are_refused_with_the_function_of_numpy():
    with pytest.raises(TracingError, match=r"np\.sin"):
        gt.function(lambda x: float(x))(1.0)


def test_writing_into_an_argument_leaves_the_callers_array_alone():
    """Eager mode writes into it, as NumPy does; a program has values, and no memory of others."""

    @gt.function
    def f(x):
        x += 1
        return x

    x = np.ones(3)
    assert f(x).tolist() == [2, 2, 2]
    assert x.tolist() == [1, 1, 1]


def test_a_result_is_never_the_argument_itself():
    f = gt.function(lambda x: (x, x[:2]))
    x = np.ones(3)
    same, part = f(x)
    same[0] = part[1] = 7
    assert x.tolist() == [1, 1, 1]


def test_dicts_keep_their_order_and_another_order_is_another_structure():
    f = gt.function(lambda d: {k: v * 2 for k, v in d.items()})
    assert list(f({"a": 1.0, "b": 2.0})) == ["a", "b"]
    assert list(f({"b": 2.0, "a": 1.0})) == ["b", "a"]


def test_an_exception_leaves_variables_as_they_were():
    v = gt.Variable(1.0)

    @gt.function
    def f(x):
        v.assign_add(1.0)
        return np.reshape(x, (7,))

    with pytest.raises(ValueError, match="reshape"):
        f(np.ones(3))
    assert float(v) == 1.0


MASKED = np.ma.masked_array([1.0, 2.0], [True, False])


@pytest.mark.parametrize(
    "call",
    [
        lambda: gt.function(lambda x: x * 2.0)(MASKED),
        lambda: gt.function(lambda x: x["a"][0] * 2.0)({"a": [MASKED]}),
        lambda: gt.function(lambda x: x * MASKED)(1.0),
        lambda: gt.function(lambda x: (x, MASKED * 2.0))(1.0),
    ],
)
def test_a_mask_is_not_lost_without_a_sound(call):
    """Its elements would take part in the program; eagerly Tensors refuse them too."""
    with pytest.raises(gt.errors.DTypeError, match=r"masked array(.|\n)*np\.where"):
        call()


def test_an_array_on_disk_is_an_argument_and_no_constant(tmp_path):
    x = np.memmap(tmp_path / "x", dtype=float, shape=2, mode="w+")
    f = gt.function(lambda x: x * 2.0)
    for number in (1.0, 5.0):
        x[:] = number
        assert np.asarray(f(x)).tolist() == [2.0 * number] * 2
    assert len(f.programs) == 1


@pytest.mark.parametrize("backend", ["llvm", "numpy"])
def test_a_store_out_of_range_is_said_with_its_line(backend):
    @gt.function(backend=backend)
    def f(x, i):
        y = gt.array(x) * 1.0
        y[i] = 7.0
        return y

    assert f(np.ones(3), np.array(-1)).tolist() == [1, 1, 7]
    with pytest.raises(IndexError, match=r"index 5 is out of bounds(.|\n)*test_compiled.py"):
        f(np.ones(3), np.array(5))


@pytest.mark.parametrize(
    "f", [lambda x: x[0] in {1.0, 2.0}, lambda x: {1.0: 2.0}.get(x[0], 3.0), lambda x: len({x})]
)
def test_looking_a_value_up_in_a_set_or_a_dict_is_refused(f):
    with pytest.raises(TracingError, match=r"test_compiled\.py:\d+(.|\n)*np\.any"):
        gt.function(f)(np.array([1.0, 2.0]))


def test_a_shape_that_depends_on_values_is_refused_with_its_line():
    with pytest.raises(TracingError, match=r"test_compiled\.py:\d+(.|\n)*np\.where\(mask"):
        gt.function(lambda x: x[x > 1])(np.ones(3))
