"""The names: each has a case and TensorFlow's parameters, and a name we lack is told."""

import inspect
import json

import pytest

import gradtape.tf as tf
from gradtape.tf.base.missing import known
from gradtape.tf.base.names import load_all
from tests.tf import scheme

NAMES = load_all()
TESTED = {case.name for family in scheme.FAMILIES for case in scheme.cases(family)}
SIGNATURES = json.loads((scheme.HERE / "tables" / "signatures.json").read_text())


def test_every_name_has_a_case():
    assert sorted(NAMES.keys() - TESTED) == []


def test_every_case_has_a_name():
    assert sorted(TESTED - NAMES.keys()) == []


def test_every_name_is_tensorflows():
    theirs = {f"{space}.{n}" if space else n for space, ns in known().items() for n in ns}
    assert sorted(NAMES.keys() - theirs) == []


def parameters(thing):
    found = inspect.signature(thing).parameters.values()
    return [f"*{p.name}" if p.kind is p.VAR_POSITIONAL else p.name for p in found
            if p.kind is not p.VAR_KEYWORD]  # fmt: skip


@pytest.mark.parametrize("name", sorted(NAMES.keys() & SIGNATURES.keys()))
def test_parameters(name):
    """Ours may take more (the depth of the user's frame), and not fewer or others."""
    if name.startswith("errors.") or inspect.isclass(NAMES[name]) and name in CLASSES:
        return
    theirs, ours = SIGNATURES[name], parameters(NAMES[name])
    assert ours[: len(theirs)] == theirs
    assert ours[len(theirs) :] in ([], ["depth"])


# Their constructors are no part of what a script calls, or take what only TensorFlow's own do.
CLASSES = {"Tensor", "Variable", "DType", "dtypes.DType", "TensorShape", "UnconnectedGradients",
           "random.Algorithm", "random.experimental.Algorithm"}  # fmt: skip


@pytest.mark.parametrize(("name", "said"), [
    ("keras", "planned"), ("sine", "nearest thing here is tf.sin"), ("math.sinn", "math.sin"),
    ("reduce_summ", "reduce_sum"), ("autodiff", "planned"), ("IndexedSlices", "planned"),
])  # fmt: skip
def test_a_name_we_lack(name, said):
    with pytest.raises(AttributeError, match=said):
        eval(f"tf.{name}")


def test_dir_lists_the_names():
    assert {"add", "math", "float32", "GradientTape"} <= set(dir(tf))
    assert "sin" in dir(tf.math)


def test_import_forms():
    import gradtape.tf.math as m
    from gradtape.tf.math import square

    assert m.square is square is tf.square
