"""gt.custom_gradient as tf.custom_gradient; gt.stop_gradient and gt.value."""

import gc
import math
import warnings
import weakref

import numpy as np
import pytest

import gradtape as gt
from gradtape.errors import DTypeError, ExitWarning, GradientWarning, ShapeError


@gt.custom_gradient
def cube(x):
    """Three times the true derivative, so that the rule shows."""
    return x**3, lambda ct: ct * 9 * x**2


def test_the_rule_is_used():
    x = gt.Variable([1.0, 2.0])
    with gt.GradientTape() as tape:
        y = cube(x)
    assert isinstance(y, gt.Tensor)
    np.testing.assert_array_equal(y, [1.0, 8.0])
    np.testing.assert_array_equal(tape.gradient(y, x), [9.0, 36.0])


def test_the_cotangent_arrives():
    x = gt.Variable([1.0, 2.0])
    with gt.GradientTape() as tape:
        y = np.sum(cube(x) * np.array([10.0, 100.0]))
    np.testing.assert_array_equal(tape.gradient(y, x), [90.0, 3600.0])


def test_without_a_tape_it_is_the_function():
    assert float(cube(2.0)) == 8.0
    assert isinstance(cube(np.array([2.0])), gt.Tensor)


def test_decorator_with_parentheses_keeps_name_and_doc():
    @gt.custom_gradient()
    def double(x):
        """Twice x."""
        return 2 * x, lambda ct: 2 * ct

    assert (double.__name__, double.__doc__) == ("double", "Twice x.")
    assert float(gt.grad(double)(1.0)) == 2.0


def test_methods_and_class_methods():
    class Layer:
        scale = 5.0

        @gt.custom_gradient
        def scaled(self, x):
            return self.scale * x, lambda ct: 7.0 * ct

        @classmethod
        @gt.custom_gradient
        def of_class(cls, x):
            return cls.scale * x, lambda ct: 11.0 * ct

    x = gt.Variable(1.0)
    with gt.GradientTape(persistent=True) as tape:
        y, z = Layer().scaled(x), Layer.of_class(x)
    assert (float(y), float(tape.gradient(y, x)), float(tape.gradient(z, x))) == (5.0, 7.0, 11.0)


def test_keyword_arguments():
    @gt.custom_gradient
    def power(x, *, n):
        return x**n, lambda ct: ct * n * x ** (n - 1)

    x = gt.Variable(3.0)
    with gt.GradientTape() as tape:
        y = power(x, n=2)
    assert float(tape.gradient(y, x)) == 6.0


def test_several_inputs_and_outputs():
    @gt.custom_gradient
    def polar(x, y):
        r, angle = np.hypot(x, y), np.arctan2(y, x)

        def grad(ct_r, ct_angle):
            return (
                ct_r * x / r - ct_angle * y / r**2,
                ct_r * y / r + ct_angle * x / r**2,
            )

        return (r, angle), grad

    x, y = gt.Variable(3.0), gt.Variable(4.0)
    with gt.GradientTape(persistent=True) as tape:
        r, angle = polar(x, y)
        both = r + 25.0 * angle
    np.testing.assert_allclose(tape.gradient(r, [x, y]), [0.6, 0.8], rtol=1e-15)
    np.testing.assert_allclose(tape.gradient(angle, [x, y]), [-0.16, 0.12], rtol=1e-15)
    np.testing.assert_allclose(tape.gradient(both, [x, y]), [-3.4, 3.8], rtol=1e-15)


def test_trees_go_in_and_out():
    @gt.custom_gradient
    def scale(p):
        return {"y": p["a"] * 2.0, "z": p["b"] * 3.0}, lambda cy, cz: (10 * cy, 100 * cz)

    a, b = gt.Variable(1.0), gt.Variable(1.0)
    with gt.GradientTape() as tape:
        out = scale({"a": a, "b": b})
        loss = out["y"] + out["z"]
    assert [float(g) for g in tape.gradient(loss, [a, b])] == [10.0, 100.0]


def test_the_identity_gets_a_version_of_its_own():
    @gt.custom_gradient
    def clip(x):
        return x, lambda ct: np.clip(ct, -1.0, 1.0)

    x = gt.Variable([1.0, 1.0])
    with gt.GradientTape(persistent=True) as tape:
        y = np.sum(clip(x) * np.array([0.5, 20.0]))
        z = np.sum(x * 20.0)
    np.testing.assert_array_equal(tape.gradient(y, x), [0.5, 1.0])
    np.testing.assert_array_equal(tape.gradient(z, x), [20.0, 20.0])


def test_none_is_unconnected():
    @gt.custom_gradient
    def first(x, y):
        return x * y, lambda ct: (ct * y, None)

    x, y = gt.Variable(2.0), gt.Variable(3.0)
    with gt.GradientTape() as tape:
        z = first(x, y)
    with pytest.warns(GradientWarning):
        gx, gy = tape.gradient(z, [x, y])
    assert float(gx) == 3.0
    assert gy is None


def test_plain_numbers_count_as_inputs():
    @gt.custom_gradient
    def times(x, n):
        return x * n, lambda ct: (ct * n, None)

    assert float(gt.grad(lambda x: times(x, 3.0))(2.0)) == 3.0


def test_an_integer_output_has_no_gradient():
    @gt.custom_gradient
    def split(x):
        whole = np.floor(gt.value(x)).astype(int)
        return (x * 2.0, whole), lambda ct, _: ct * 2.0

    x = gt.Variable(2.5)
    with gt.GradientTape() as tape:
        y, n = split(x)
        z = y * 3.0
    assert (int(n), n.dtype.kind) == (2, "i")
    assert float(tape.gradient(z, x)) == 6.0


def test_complex_gradient_of_a_real_input_is_its_real_part():
    @gt.custom_gradient
    def f(x):
        return x * (1 + 2j), lambda ct: ct * (1 - 2j)

    x = gt.Variable(1.0)
    with gt.GradientTape() as tape:
        y = np.real(f(x))
    g = tape.gradient(y, x)
    assert g.dtype == float
    assert float(g) == 1.0


# ------------------------------------------------------------------------------ higher order


def test_second_derivative_through_the_closure():
    @gt.custom_gradient
    def exp(x):
        e = np.exp(x)
        return e, lambda ct: ct * e

    x = gt.Variable(0.7)
    with gt.GradientTape() as outer:
        with gt.GradientTape() as inner:
            y = exp(x) * 3.0
        g = inner.gradient(y, x)
    assert float(g) == pytest.approx(3 * math.exp(0.7), rel=1e-15)
    assert float(outer.gradient(g, x)) == pytest.approx(3 * math.exp(0.7), rel=1e-15)


def test_second_derivative_through_the_input():
    x = gt.Variable(2.0)
    with gt.GradientTape() as outer:
        with gt.GradientTape() as inner:
            y = cube(x)
        g = inner.gradient(y, x)  # 9 x**2
    assert float(outer.gradient(g, x)) == 36.0


def test_second_derivative_on_one_persistent_tape():
    x = gt.Variable(2.0)
    with gt.GradientTape(persistent=True) as tape:
        y = cube(x)
        g = tape.gradient(y, x)
    assert float(tape.gradient(g, x)) == 36.0


def test_second_derivative_of_two_outputs():
    @gt.custom_gradient
    def pair(x):
        return (x**2, x**3), lambda a, b: a * 2 * x + b * 3 * x**2

    x = gt.Variable(2.0)
    with gt.GradientTape() as outer:
        with gt.GradientTape() as inner:
            a, b = pair(x)
            y = a * b  # x**5
        g = inner.gradient(y, x)
    assert float(g) == 80.0
    assert float(outer.gradient(g, x)) == 160.0


def test_a_rule_in_a_rule():
    @gt.custom_gradient
    def outer_rule(x):
        @gt.custom_gradient
        def derivative(x, ct):
            return ct * 9 * x**2, lambda c: (c * ct * 1000.0, c * 9 * x**2)

        return x**3, lambda ct: derivative(x, ct)

    x = gt.Variable(2.0)
    with gt.GradientTape() as second:
        with gt.GradientTape() as first:
            y = outer_rule(x)
        g = first.gradient(y, x)
    assert float(g) == 36.0
    assert float(second.gradient(g, x)) == 1000.0


# -------------------------------------------------------------------------------- variables


def test_variables():
    w = gt.Variable(3.0, name="w")

    @gt.custom_gradient
    def linear(x):
        def grad(ct, variables):
            assert [v.name for v in variables] == ["w"]
            return ct * w, [ct * x * 100.0]

        return w * x, grad

    x = gt.Variable(2.0)
    with gt.GradientTape() as tape:
        y = linear(x)
    assert [float(g) for g in tape.gradient(y, [x, w])] == [3.0, 200.0]
    assert tape.watched_variables() == (w, x)


def test_variables_among_the_inputs_need_no_keyword():
    @gt.custom_gradient
    def linear(x, w):
        return w * x, lambda ct: (ct * w, ct * x)

    x, w = gt.Variable(2.0), gt.Variable(3.0)
    with gt.GradientTape() as tape:
        y = linear(x, w)
    assert [float(g) for g in tape.gradient(y, [x, w])] == [3.0, 2.0]


def test_variables_without_the_keyword_are_refused():
    w = gt.Variable(3.0, name="weight")

    @gt.custom_gradient
    def linear(x):
        return w * x, lambda ct: ct * w

    with gt.GradientTape(), pytest.raises(TypeError, match="(?s)'variables'.*'weight'"):
        linear(gt.Variable(2.0))


def test_variables_that_are_not_trainable_need_no_keyword():
    w = gt.Variable(3.0, trainable=False)

    @gt.custom_gradient
    def linear(x):
        return w * x, lambda ct: ct * w

    assert float(gt.grad(linear)(2.0)) == 3.0


@pytest.mark.parametrize(
    "result", [lambda ct: ct, lambda ct: (ct, []), lambda ct: (ct, [ct, ct])]
)
def test_wrong_number_of_variable_gradients(result):
    w = gt.Variable(3.0)

    @gt.custom_gradient
    def linear(x):
        return w * x, lambda ct, variables: result(ct)

    x = gt.Variable(2.0)
    with gt.GradientTape() as tape:
        y = linear(x)
    with pytest.raises(ValueError, match="expected to return 1 variable gradients"):
        tape.gradient(y, x)


# ----------------------------------------------------------------------------------- refused


def test_wrong_number_of_gradients():
    @gt.custom_gradient
    def f(a, b):
        return a * b, lambda ct: ct

    a = gt.Variable(2.0)
    with gt.GradientTape() as tape:
        y = f(a, 3.0)
    with pytest.raises(ShapeError, match="expected to return 2 gradients, but returned 1") as e:
        tape.gradient(y, a)
    assert isinstance(e.value, ValueError)
    assert "test_custom.py" in str(e.value)


def test_wrong_shape_is_refused_where_tensorflow_accepts_it():
    @gt.custom_gradient
    def f(a):
        return np.sum(a), lambda ct: ct

    a = gt.Variable([1.0, 2.0])
    with gt.GradientTape() as tape:
        y = f(a)
    with pytest.raises(ValueError, match=r"shape \(\), its input \(2,\)"):
        tape.gradient(y, a)


@pytest.mark.parametrize("result", [None, 1.0, (1.0, 2.0), (1.0, 2.0, 3.0)])
def test_a_function_without_a_rule_is_refused(result):
    @gt.custom_gradient
    def f(a):
        return result

    with pytest.raises(DTypeError, match=r"(?s)\(y, grad_fn\).*return y, grad_fn"):
        f(1.0)


# ---------------------------------------------------------------------------- exact, not silent


def test_exits_inside_are_covered_by_the_rule():
    @gt.custom_gradient
    def sine(x):
        plain = np.asarray(x)
        return np.array([math.sin(v) for v in plain]), lambda ct: ct * np.cos(plain)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for strict in (False, True):
            with gt.GradientTape(strict=strict) as tape:
                x = tape.watch(np.array([0.25, 0.5]))
                y = np.sum(sine(x) * x)
            expected = np.sin([0.25, 0.5]) + np.cos([0.25, 0.5]) * np.array([0.25, 0.5])
            np.testing.assert_allclose(tape.gradient(y, x), expected, rtol=1e-15)


def test_a_captured_tensor_is_told():
    w = gt.Variable(3.0)
    with gt.GradientTape(persistent=True) as tape:
        h = w * 2.0

        @gt.custom_gradient
        def times(x):
            return h * x, lambda ct: ct * h

        x = gt.Variable(5.0)
        y = times(x)
        z = y + w
    assert float(tape.gradient(y, x)) == 6.0
    with pytest.warns(GradientWarning, match=r"times\(x\) uses the value without"):
        assert tape.gradient(y, w) is None
    with pytest.warns(ExitWarning, match="part of the whole"):
        assert float(tape.gradient(z, w)) == 1.0


def test_a_used_up_tape_frees_the_closure():
    class Box:
        pass

    box = Box()
    alive = weakref.ref(box)

    def run(box):
        @gt.custom_gradient
        def f(x):
            return x * 2.0, lambda ct: ct * (2.0 if box else 0.0)

        x = gt.Variable(1.0)
        with gt.GradientTape() as tape:
            y = f(x)
        return tape, tape.gradient(y, x)

    gc.disable()
    try:
        tape, g = run(box)
        del box
        assert float(g) == 2.0
        assert alive() is None, "the tape keeps the closure of a record that it has used"
        del tape
    finally:
        gc.enable()


def test_several_tapes_see_the_rule():
    x = gt.Variable(2.0)
    with gt.GradientTape() as one, gt.GradientTape() as two:
        y = cube(x)
    assert float(one.gradient(y, x)) == 36.0
    assert float(two.gradient(y, x)) == 36.0


# ---------------------------------------------------------------------- stop_gradient and value


def test_stop_gradient_is_the_identity_on_trees():
    x = gt.Variable([1.0, 2.0])
    with gt.GradientTape() as tape:
        held = gt.stop_gradient({"x": x, "n": 3.0, "none": None})
        y = np.sum(held["x"] * x * held["n"])
    assert held["none"] is None
    np.testing.assert_array_equal(tape.gradient(y, x), [3.0, 6.0])


def test_stop_gradient_keeps_its_value_when_the_variable_is_assigned():
    x = gt.Variable([1.0, 2.0])
    held = gt.stop_gradient(x)
    x.assign_add([10.0, 10.0])
    np.testing.assert_array_equal(held, [1.0, 2.0])


def test_value_is_plain_and_read_only():
    x = gt.Variable([1.0, 2.0])
    plain = gt.value(x)
    assert type(plain) is np.ndarray
    assert not plain.flags.writeable
    assert type(gt.value({"a": gt.array(1.5)})["a"]) is np.float64
    assert gt.value("text") == "text"
