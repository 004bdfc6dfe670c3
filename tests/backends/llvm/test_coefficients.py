"""The generator of the coefficients gives what is committed, and the polynomials what they say."""

import importlib.util
import sys
from pathlib import Path

import pytest

from gradtape.backends.llvm import coefficients

TOOL = Path(__file__).resolve().parents[3] / "tools" / "coefficients.py"


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("coefficients_tool", TOOL)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_one_function_again(tool):
    for name in ("sin", "tanh"):
        for precision, (found, _) in tool.table(name).items():
            assert tuple(found) == coefficients.POLYNOMIALS[name][precision]


def test_every_polynomial_is_there(tool):
    assert set(tool.FITS) == set(coefficients.POLYNOMIALS)
    for name, what in tool.FITS.items():
        assert set(coefficients.POLYNOMIALS[name]) == set(what.bits or tool.BITS)


def test_the_error_is_what_was_asked_for(tool):
    """On points between those of the fit."""
    for name, what in tool.FITS.items():
        for precision, bits in (what.bits or tool.BITS).items():
            found = [tool.mpf(c) for c in coefficients.POLYNOMIALS[name][precision]]
            width = tool.mpf(what.high) - tool.mpf(what.low)
            worst = 0
            for i in range(1, 40):
                t = tool.mpf(what.low) + width * (i - tool.mpf(1) / 3) / 40
                error = abs(what.w(t) * (tool.horner(found, [0], t) - what.g(t)))
                worst = max(worst, error)
            # Rounding the coefficients may cost what the arithmetic costs anyway.
            assert worst < tool.mpf(2) ** -(bits - 5), (name, precision)


def test_the_constants_again(tool):
    for precision in ("d", "s"):
        for name, numbers in tool.constants(precision).items():
            assert tuple(numbers) == coefficients.CONSTANTS[precision][name]
    assert tuple(tool.two_over_pi_words()) == coefficients.TWO_OVER_PI
