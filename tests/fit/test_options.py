"""The options: initial values by name and letter, and the command line that is offered again."""

import shlex
from pathlib import Path

import numpy as np
import pytest

from gradtape.fit.options import Options, initial_values, letter, parse_init
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
    np.testing.assert_array_equal(initial_values(parse_init(init), NAMES), values)


def test_a_name_goes_before_a_letter():
    np.testing.assert_array_equal(initial_values({"a": 5.0}, ("Intercept", "b", "a")), [0, 0, 5])


@pytest.mark.parametrize(
    ("init", "match"),
    [
        ("a", r"'a' is not of the form name=number.\nWrite a name"),
        ("a=one", "'a=one' is not of the form"),
        ("a=nan", "'a=nan' is not of the form"),
        ("a=1,,b=2", "'' is not of the form"),
        ("horsepowr=1", r"no coefficient 'horsepowr'.\n.*\(or a, b, c\).\nDid you mean horsepower"),
        ("zzz=1", r"no coefficient 'zzz'.\n.*\nWrite --init Intercept=0"),
    ],
)
def test_bad_initial_values(init, match):
    with pytest.raises(FitError, match=match):
        initial_values(parse_init(init), NAMES)


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


def test_the_command_of_every_option_is_read_back_by_the_command():
    import argparse

    from gradtape.fit.arguments import declare_fit

    options = Options(
        "d.csv",
        model="y = a * x",
        init="a=1",
        loss="huber:2",
        optimizer="momentum",
        learning_rate=0.5,
        schedule="step:10,0.5",
        epochs=7,
        tolerance=1e-6,
        batch_size=32,
        weights="the w",
        test_fraction=0.25,
        seed=3,
        standardize=False,
        out=Path("o"),
        resume=True,
        json=True,
        quiet=True,
    )
    parser = argparse.ArgumentParser()
    declare_fit(parser)
    words = shlex.split(options.command())
    assert Options(**vars(parser.parse_args(words[2:]))) == options
    assert Options(**vars(parser.parse_args(["d.csv", "y ~ x"]))) == Options("d.csv", "y ~ x")
