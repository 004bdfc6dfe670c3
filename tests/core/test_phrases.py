"""What is said of an exit, and what to write in its place: code for that function, and no other."""

import math

import numpy as np
import pytest

import gradtape as gt

RNG = np.random.default_rng(0)


def real_part(x):
    a = np.zeros(3)
    a.real = x
    return a


def flat(x):
    a = np.zeros(3)
    a.flat = x
    return a


EXITS = {
    "arange": (lambda x: np.arange(x[0], 5.0), r"gt\.arange\(\.\.\.\) in place of np\.arange"),
    "zeros": (lambda x: np.zeros(int(x[1])), r"leave out int"),
    "asfortranarray": (lambda x: np.asfortranarray(x), r"leave out np\.asfortranarray\(\.\.\.\)"),
    "require": (lambda x: np.require(x), r"leave out np\.require"),
    "asarray_chkfinite": (lambda x: np.asarray_chkfinite(x), r"out np\.asarray_chkfinite"),
    "from_dlpack": (lambda x: np.from_dlpack(x), r"leave out np\.from_dlpack"),
    "as_strided": (lambda x: np.lib.stride_tricks.as_strided(x, (3,), (8,)), "sliding_window_view"),
    "fromiter": (lambda x: np.fromiter((v for v in x), float), r"gt\.array\(\[\.\.\.\]\)"),
    "ndenumerate": (lambda x: [v for _, v in np.ndenumerate(x)], r"np\.ndindex\(x\.shape\)"),
    "Polynomial": (lambda x: np.polynomial.Polynomial(x)(2.0), r"@gt\.custom_gradient"),
    "random.normal": (lambda x: np.random.normal(x, 0.1), r"rng\.normal\(size"),  # noqa: NPY002
    "Generator.uniform": (lambda x: RNG.uniform(x, 9.0), r"rng\.uniform\(size=x\.shape\)"),
    "Generator.beta": (lambda x: RNG.beta(x, 1.0), r"gt\.value\(x\).*@gt\.custom_gradient"),
    "mean of a list": (lambda x: np.mean([x[0], x[1]]), r"np\.mean\(gt\.stack\(\[\.\.\.\]\)\)"),
    "norm of a list": (lambda x: np.linalg.norm([x[0]]), r"np\.linalg\.norm\(gt\.stack"),
    "float64": (lambda x: np.float64(x[0]), r"x\.astype\(np\.float64\)"),
    "floor": (lambda x: math.floor(x[0]) * 1.0, r"rounding.*@gt\.custom_gradient"),
    "ceil": (lambda x: math.ceil(x[0]) * 1.0, r"rounding.*@gt\.custom_gradient"),
    "real": (real_part, r"y = gt\.zeros"),
    "flat": (flat, r"y = gt\.zeros"),
}


@pytest.mark.parametrize("name", EXITS)
def test_remedy(name):
    leave, remedy = EXITS[name]
    x = gt.Variable([0.7, 1.3, 2.1])
    with gt.GradientTape() as tape:
        y = gt.array(1.0) * np.sum(leave(x))
    found = tape.explain(y, x)
    assert found.kind == "exit" and "test_phrases.py" in found.cause
    with pytest.warns(gt.errors.GradientWarning, match=rf"(?s){remedy}"):
        assert tape.gradient(y, x) is None


def test_a_store_into_an_attribute_names_it():
    x = gt.Variable([0.7, 1.3, 2.1])
    with gt.GradientTape() as tape:
        y = gt.array(1.0) * np.sum(real_part(x))
    assert "a.real = ... stored the value" in tape.explain(y, x).cause
    with gt.GradientTape() as tape:
        y = np.sum(x * flat(x))
    assert tape.explain(y, x).kind == "partial"


def test_a_rounded_index_is_no_missing_part():
    """Nothing warns, not even of a strict tape: no derivative passes a rounding."""
    x, table = gt.Variable([1.3, 2.0]), np.array([1.0, 4.0, 9.0])
    for strict in (False, True):
        with gt.GradientTape(strict=strict) as tape:
            y = x[0] * table[math.floor(x[0])]
        assert tape.explain(y, x).kind == "connected"
        assert tape.gradient(y, x).tolist() == [4.0, 0.0]


def test_a_rounding_that_is_only_shown_is_not_blamed(capsys):
    x = gt.Variable(1.3)
    with gt.GradientTape() as tape:
        print(math.floor(x))
        y = gt.array(1.0) * 2.0
    assert tape.explain(y, x).kind == "no dependence"
