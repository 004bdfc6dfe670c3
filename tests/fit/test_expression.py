"""The language of --model: what it computes, what the tape makes of it, and all that it refuses."""

import math

import numpy as np
import pytest

import gradtape as gt
from gradtape.fit.expression import CONSTANTS, FUNCTIONS, parse_expression
from gradtape.fit.problems import FitError

NAMES = ["b1", "b2", "x", "model year"]
VALUES = {
    "b1": 2.0,
    "b2": 0.5,
    "x": np.array([0.5, 1.0, 3.0]),
    "model year": np.array([70.0, 71, 72]),
}


@pytest.mark.parametrize(
    ("text", "python"),
    [
        ("b1*(1-exp(-b2*x))", lambda b1, b2, x, year: b1 * (1 - np.exp(-b2 * x))),
        ("np.log(x) + math.sqrt(b1)", lambda b1, b2, x, year: np.log(x) + np.sqrt(b1)),
        ("-x**2**b1 / +b2", lambda b1, b2, x, year: -(x ** (2**b1)) / b2),
        ("`model year` - 70", lambda b1, b2, x, year: year - 70),
        ("where(x > 1, b1, b2)", lambda b1, b2, x, year: np.where(x > 1, b1, b2)),
        ("where((x>0.7) & ~(x>=3), 1, 0)", lambda b1, b2, x, year: np.array([0, 1, 0])),
        ("where(x==1 or x!=1 and not x<3, 1, 0)", lambda b1, b2, x, year: np.array([0, 1, 1])),
        ("min(x, 1) + max(x, b1)", lambda b1, b2, x, year: np.minimum(x, 1) + np.maximum(x, b1)),
        ("atan2(x, b1)", lambda b1, b2, x, year: np.arctan2(x, b1)),
        ("cos(pi * x) + e", lambda b1, b2, x, year: np.cos(np.pi * x) + math.e),
        ("1_000 + 1e3", lambda b1, b2, x, year: 2000.0),
        ("sigmoid(x) - 1/(1+exp(-x))", lambda b1, b2, x, year: np.zeros(3)),
        ("softplus(x) - log(1+exp(x))", lambda b1, b2, x, year: np.zeros(3)),
    ],
)
def test_it_computes_what_python_would(text, python):
    expected = python(*VALUES.values())
    found = parse_expression(text, names=NAMES)(VALUES)
    np.testing.assert_allclose(found, expected, rtol=1e-14, atol=1e-15)


def test_a_name_goes_before_a_constant():
    assert parse_expression("e + 1", names=["e"])({"e": 5.0}) == 6.0
    assert set(CONSTANTS) == {"pi", "e"}


def test_names_are_those_it_uses():
    assert parse_expression("b2 * x + b2", names=NAMES).names == ("b2", "x")


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_every_function_is_differentiated_by_the_tape(name):
    count = FUNCTIONS[name][1]
    text = (
        f"{name}({', '.join(['x > 0.3', 'x', 'b1'] if name == 'where' else ['x', 'b1'][:count])})"
    )
    expression = parse_expression(text, names=["x", "b1"])
    x = np.array([0.31, 0.62, 0.47])
    shift = 1.0 if name in ("arccosh", "acosh") else 0.0
    values = {"x": gt.Variable(x + shift), "b1": 0.4}
    with gt.GradientTape() as tape:
        out = np.sum(expression(values))
    if name in ("floor", "ceil", "sign"):
        with pytest.warns(gt.errors.GradientWarning) if name != "sign" else _nothing():
            gradient = tape.gradient(out, values["x"])
        assert gradient is None or not np.any(gradient.value)
        return
    gradient = tape.gradient(out, values["x"]).value
    h = 1e-6
    up, down = (expression({"x": x + shift + s * h, "b1": 0.4}) for s in (1, -1))
    np.testing.assert_allclose(gradient, (up - down) / (2 * h), rtol=1e-7, atol=1e-9)


class _nothing:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("b3 * x", r"'b3' is neither a column nor a parameter.\nKnown are b1, .*\n"),
        ("modelyear", r"'modelyear' is neither.*\n.*\nDid you mean model year"),
        ("exp", r"'exp' is neither .*\nIt is a function: exp\(...\)"),
        ("quux(x)", r"function quux is not on its list.\nIt may use abs, .*\nWrite it with these"),
        ("sqr(x)", r"the function sqr .*\n.*\nDid you mean sqrt"),
        ("__import__('os')", "the function __import__ is not on its list"),
        ("open(x)", "the function open is not on its list"),
        ("np.load(x)", "the function load is not on its list"),
        ("os.system(x)", r"os.system\(x\) is not allowed here"),
        ("x.__class__", "x.__class__ is not allowed here"),
        ("(lambda: x)()", "is not allowed here"),
        ("[x for x in x]", "is not allowed here"),
        ("x[0]", r"x\[0\] is not allowed here"),
        ("'text'", "'text' is not allowed here"),
        ("f'{x}'", "is not allowed here"),
        ("True * x", "True is not allowed here"),
        ("x if b1 else b2", "is not allowed here"),
        ("0 < x < 3", "0 < x < 3 is not allowed here"),
        ("(x := 3)", "is not allowed here"),
        ("x @ x", "x @ x is not allowed here"),
        ("1j * x", "1j is not allowed here"),
        ("x^2", r"x \^ 2 is not allowed here.\n.*\nWrite a power as x\*\*2"),
        ("exp(x, 2)", r"exp takes 1 argument, not 2.\nIt is called as exp\(x, 2\)"),
        ("pow(x)", r"pow takes 2 arguments, not 1.\n.*\nWrite pow\(x, y\)"),
        ("exp(x=2)", "exp takes 1 argument, not arguments by name"),
        ("1 +", "'1 \\+' cannot be read"),
        ("", "cannot be read"),
        ("x x", "'x x' cannot be read"),
        ("b1" + " + b1" * 5000, "nested too deeply"),
        ("(" * 3000 + "x" + ")" * 3000, "cannot be read"),
        ("x\0", "cannot be read"),
    ],
)
def test_what_is_refused(text, match):
    with pytest.raises(FitError, match=match):
        parse_expression(text, names=NAMES)


def test_integers_have_an_end():
    with np.errstate(over="ignore"):
        assert parse_expression("9**9**9**9", names=[])({}) == np.inf
    assert parse_expression("1" * 400, names=[])({}) == np.inf


def test_with_numbers():
    model = parse_expression("b1 * (1 - exp(-b2 * x)) + `model year`", names=NAMES)
    shown = model.with_numbers({"b1": 238.942, "b2": 0.00055})
    assert shown == "238.942 * (1 - exp(-0.00055 * x)) + `model year`"
    assert model.with_numbers({"b2": -2.0}) == "b1 * (1 - exp(-(-2) * x)) + `model year`"
