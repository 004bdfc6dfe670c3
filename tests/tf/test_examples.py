"""The TensorFlow examples, unedited under gradtape: the numbers that TensorFlow itself prints.

The stored output is made by make_examples.py. Numbers printed with few digits must be the same
text, but where the last printed digit can turn over by float32 rounding it may differ by one.
"""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.tf.make_examples import RUNS, outputs

STORED = json.loads(
    (Path(__file__).parent / "tables" / "examples.json").read_text(encoding="utf-8")
)
OURS = (sys.executable, "-W", "error", "-m", "gradtape", "run", "--tensorflow")
_NUMBER = re.compile(r"[-+]?\d+\.\d+(?:e[-+]\d+)?")


def assert_same_line(ours: str, theirs: str) -> None:
    """The same text around the numbers, and each number within one of its last printed digit."""
    assert _NUMBER.sub("#", ours) == _NUMBER.sub("#", theirs)
    for mine, other in zip(_NUMBER.findall(ours), _NUMBER.findall(theirs), strict=True):
        digits, _, exponent = other.partition("e")
        last = 10.0 ** (int(exponent or 0) - len(digits.partition(".")[2]))
        if abs(float(other)) < 1e-14:  # what is left of a difference of equal numbers
            assert abs(float(mine)) < 1e-14
        else:
            assert abs(float(mine) - float(other)) <= 1.01 * last, (ours, theirs)


@pytest.mark.parametrize("name", RUNS)
def test_an_example_prints_what_it_prints_under_tensorflow(name):
    ours, theirs = outputs(name, *OURS), STORED[name]
    assert ours["codes"] == theirs["codes"]
    assert len(ours["lines"]) == len(theirs["lines"])
    for mine, other in zip(ours["lines"], theirs["lines"], strict=True):
        assert_same_line(mine, other)


def test_costs_and_coefficients_of_the_tutorial_are_tensorflows_to_rounding():
    def numbers(lines: list[str]) -> np.ndarray:
        assert lines[0] == "cost,a,b"
        return np.array([[float(item) for item in line.split(",")] for line in lines[1:]])

    ours = numbers(outputs("tutorial", *OURS)["history"])
    theirs = numbers(STORED["tutorial"]["history"])
    assert ours.shape == (70, 3)
    np.testing.assert_allclose(ours, theirs, rtol=5e-6, atol=0)


def test_the_comparison_notices_a_wrong_digit():
    assert_same_line("loss 0.1235", "loss 0.1234")
    with pytest.raises(AssertionError):
        assert_same_line("loss 0.1236", "loss 0.1234")
    with pytest.raises(AssertionError):
        assert_same_line("cost 0.1234", "loss 0.1234")
