"""The options: initial values by name and letter, and the command line that is offered again."""

import shlex
from pathlib import Path

import numpy as np
import pytest

from gradtape.fit.options import Options, initial_values, letter
from gradtape.fit.problems import FitError

NAMES = ("Intercept", "horsepower", "poly(x, 2)[1]")


@pytest.mark.parametrize(
    ("init", "values"),
    [
        ("", [0, 0, 0]),
        ("a=1,b=-2.5", [1, -2.5, 0]),
        (" Intercept = 1 , horsepower=2e3", [1, 2000, 0]),
        ("poly(x, 2)[1]=3,a=1", [1, 0, 3]),
        ("c=4", [0, 0, 4]),
    ],
)
def test_initial_values(init, values):
    np.testing.assert_array_equal(initial_values(init, NAMES), values)


def test_a_name_goes_before_a_letter():
    np.testing.assert_array_equal(initial_values("a=5", ("Intercept", "b", "a")), [0, 0, 5])


@pytest.mark.parametrize(
    ("init", "match"),
    [
        ("a", r"'a' is not of the form name=number.\nWrite --init"),
        ("a=one", "'a=one' is not of the form"),
        ("a=nan", "'a=nan' is not of the form"),
        ("a=1,,b=2", "'' is not of the form"),
        ("horsepowr=1", r"no coefficient 'horsepowr'.\n.*\(or a, b, c\).\nDid you mean horsepower"),
        ("zzz=1", r"no coefficient 'zzz'.\n.*\nWrite --init Intercept=0"),
    ],
)
def test_bad_initial_values(init, match):
    with pytest.raises(FitError, match=match):
        initial_values(init, NAMES)


def test_letters_end():
    assert [letter(i) for i in (0, 25, 26)] == ["a", "z", ""]


@pytest.mark.parametrize("formula", ["mpg ~ weight", "y ~ `the x`", 'y ~ Q("a")', "y ~ x$z"])
def test_the_command_is_read_back_by_a_shell(formula):
    options = Options(
        "my data.csv",
        formula,
        epochs=5,
        learning_rate=1e-7,
        init="a=1",
        standardize=False,
        out=Path("o"),
    )
    assert shlex.split(options.command()) == [
        *("gradtape", "fit", "my data.csv", formula, "--epochs", "5", "--learning-rate", "1e-07"),
        *("--init", "a=1", "--no-standardize", "--out", "o"),
    ]
