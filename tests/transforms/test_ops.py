"""Every op_case line under jvp, vmap, vmap in vmap and vmap of a gradient: the cards' rules, met
through the transforms, against the tape and against a loop."""

import functools
import itertools
import re
import warnings

import numpy as np
import pytest

import gradtape as gt
from gradtape.core.tree import flatten
from gradtape.testing import Run
from tests.op_lines import lines

SIZE = 2

# What is refused with an error or a warning, and not computed: no loop can do it either, or a
# tape inside the batch would not see the examples.
REFUSED = {
    "test_jvp": "arange|ravel in order K|trim_zeros",
    "test_vmap": "arange|piecewise with constants",
    "test_gradients": "arange|piecewise|unique_values|ravel in order K|trim_zeros",
}
REFUSALS = (gt.errors.GradtapeError, gt.errors.GradientWarning, LookupError, ValueError)


def refused(check):
    """The test, which must raise where REFUSED has the case."""

    @functools.wraps(check)
    def run(case):
        if re.search(REFUSED[check.__name__], case.name):
            with pytest.raises(REFUSALS):
                check(case)
        else:
            check(case)

    return run


CASES = [pytest.param(line.case, id=str(line)) for line in lines()]


def operands_of(case):
    """(label, operands, keywords, positions that are differentiated) of the first calls."""
    for label, operands, kwargs in itertools.islice(case.examples(), 6):
        yield label, operands, kwargs, case._wrt(operands)


def close(label, found, expected):
    for a, b in zip(flatten(found)[0], flatten(expected)[0], strict=True):
        np.testing.assert_allclose(
            np.asarray(gt.value(a)), np.asarray(gt.value(b)), rtol=1e-9, atol=1e-9, err_msg=label
        )


def moved(rng, x):
    return (rng.uniform(-1, 1, np.shape(x)) + 0 * np.asarray(x))[()]


def call(case, operands, kwargs, wrt):
    """The operation as a function of its differentiable operands."""

    def function(*chosen):
        args = list(operands)
        for i, x in zip(wrt, chosen, strict=True):
            args[i] = x
        with np.errstate(all="ignore"):
            return case.function(*args, **kwargs)

    return function


@pytest.mark.parametrize("case", CASES)
@refused
def test_jvp(case):
    rng = np.random.default_rng(1)
    for label, operands, kwargs, wrt in operands_of(case):
        tangents = [moved(rng, operands[i]) for i in wrt]
        expected = Run(case.function, operands, kwargs, wrt).jvp(tangents)
        f = call(case, operands, kwargs, wrt)
        _, found = gt.jvp(f, [operands[i] for i in wrt], tangents)
        found = [t for t in flatten(found)[0] if t is not None]
        pairs = zip(expected, found, strict=True)
        close(label, found, [np.broadcast_to(t, np.shape(s)) for t, s in pairs])


@pytest.mark.parametrize("case", CASES)
@refused
def test_vmap(case):
    rng = np.random.default_rng(2)
    for label, operands, kwargs, wrt in operands_of(case):
        if not wrt:
            continue
        f = call(case, operands, kwargs, wrt)
        xs = [np.stack([operands[i]] * SIZE) for i in wrt]
        for x in xs:  # the examples differ, and stay in the domain
            x[1:] = x[:1] + 1e-3 * rng.uniform(0, 1, x[1:].shape) * (x[:1] if x.size else 0)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", "vmap: .* has no batching rule")
            found = gt.vmap(f)(*xs)
            nested = gt.vmap(gt.vmap(f))(*[x[None] for x in xs])
        rows = [flatten(f(*[gt.array(x[i]) for x in xs]))[0] for i in range(SIZE)]
        expected = [np.stack(list(map(gt.value, outs))) for outs in zip(*rows, strict=True)]
        close(label, flatten(found)[0], expected)
        close(f"{label}, nested", flatten(nested)[0], [x[None] for x in expected])


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
@refused
def test_gradients(case):
    """vmap of grad, jvp of grad and grad of jvp, against what the tape gives."""
    rng = np.random.default_rng(3)
    for label, operands, kwargs, wrt in itertools.islice(operands_of(case), 3):
        if not wrt or any(np.iscomplexobj(operands[i]) for i in wrt):
            continue
        f = call(case, operands, kwargs, wrt)
        weights = None

        def loss(*chosen, f=f):
            nonlocal weights
            outs = [o for o in flatten(f(*chosen))[0] if o.dtype.kind in "fc"]
            if weights is None:
                weights = [moved(rng, np.zeros(o.shape)) for o in outs]
            parts = (np.sum(np.real(w * o)) for w, o in zip(weights, outs, strict=True))
            return sum(parts) + 0.0 * np.sum(chosen[0])

        positions = tuple(range(len(wrt)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", gt.errors.GradientWarning)
            g = gt.grad(loss, positions)
            chosen = [operands[i] for i in wrt]
            expected = g(*chosen)
            close(label, gt.vmap(g)(*[x[None] for x in map(np.asarray, chosen)]),
                  [np.asarray(e)[None] for e in expected])
            ts = [moved(rng, x) for x in chosen]
            product = sum(np.sum(a * t) for a, t in zip(expected, ts, strict=True))
            close(label, gt.jvp(loss, chosen, ts)[1], product)
            if "second" in case.skip:
                continue
            pull = gt.vjp(g, *chosen)[1](tuple(ts))
            close(f"{label}: jvp of grad", gt.jvp(g, chosen, ts)[1], pull)
            along = functools.partial(gt.jvp, loss, tangents=ts)
            second = gt.grad(lambda *xs, along=along: along(xs)[1] + 0.0, positions)(*chosen)
            close(f"{label}: grad of jvp", second, pull)
