"""What NumPy refuses, a compiled function refuses too: shapes, axes and dtypes, while tracing.

A program does not ask again: a product of matrices that do not go together would read what is not
there.
"""

import re

import numpy as np
import pytest

import gradtape as gt
from gradtape.core.tensor import Tensor
from gradtape.core.tree import flatten
from gradtape.errors import ShapeError
from gradtape.testing.variants import Outcome, changed_operands, changed_options
from tests import op_lines

LINES = op_lines.lines()
# These depend on values, which a program does not look at; or on what the refusal of NumPy is for.
OF_VALUES = re.compile(r"uantiles must|ercentiles must|sequence cannot include|sum to zero|ingular")


def calls(case):
    """Each call of a line, changed so that NumPy may refuse it."""
    for label, operands, kwargs in case.examples():
        wrt = case._wrt(operands)
        if "variants" not in case.skip:
            for what, changed, _ in changed_operands(operands, wrt):
                if f"variants: {what}" not in case.skip:
                    yield f"{label}, {what}", changed, kwargs, wrt
            for what, options in changed_options(kwargs):
                yield f"{label}, {what}", operands, options, wrt
    rng = np.random.default_rng(case.seed + 4)
    for *spec, kwargs in case.refused:
        operands = case._operands(tuple(spec), rng, np.float64)
        yield f"{case.name}{tuple(spec)}", operands, kwargs, case._wrt(operands)


def check(case):
    for label, operands, kwargs, wrt in calls(case):
        expected = Outcome(case.reference, operands, kwargs)
        if expected.error is None or OF_VALUES.search(str(expected.error)):
            continue

        def whole(*tensors, operands=operands, kwargs=kwargs, wrt=wrt):
            args = list(operands)
            for i, t in zip(wrt, tensors, strict=True):
                args[i] = t
            leaves = flatten(case.function(*args, **kwargs))[0]
            return [x if isinstance(x, Tensor) else np.asarray(x)[()] for x in leaves]

        found = Outcome(gt.function(whole), [np.asarray(operands[i])[()] for i in wrt], {})
        assert found.error is not None, f"{label}: NumPy refuses, {expected}; we give {found}"


@pytest.mark.parametrize("line", LINES[::40], ids=str)
def test_a_sample_of_the_refusals(line):
    check(line.case)


@pytest.mark.exhaustive
@pytest.mark.parametrize("line", LINES, ids=str)
def test_every_refusal(line):
    check(line.case)


@pytest.mark.parametrize("size", [3, 4000])
def test_shapes_that_do_not_go_together_are_told_as_in_eager_mode(size):
    x = np.ones((2, size))
    with pytest.raises(ShapeError) as eager:
        gt.value_and_grad(lambda x: np.sum(x @ x))(x)
    with pytest.raises(ShapeError) as compiled:
        gt.function(lambda x: x @ x)(x)
    assert str(eager.value).splitlines()[0] == str(compiled.value).splitlines()[0]
    with pytest.raises(ValueError, match="concatenat"):
        gt.function(lambda x: np.concatenate([x, x[:, 1:]]))(x)
    with pytest.raises(ValueError, match="does not fit"):
        gt.function(put)(x)
    with pytest.raises(ValueError, match="equally long"):
        gt.function(np.linalg.inv)(x)


def put(x):
    y = gt.array(x)
    y[0] = np.ones(5)
    return y
