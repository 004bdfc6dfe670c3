"""The names: each has a case and TensorFlow's parameters, and a name we lack is told."""

import inspect
import json
import re

import pytest

import gradtape.tf as tf
from gradtape.tf.base.missing import known, missing
from gradtape.tf.base.names import load_all
from gradtape.tf.base.spaces import SPACES
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
           "random.Algorithm", "random.experimental.Algorithm",
           "autograph.experimental.Feature"}  # fmt: skip


@pytest.mark.parametrize(("name", "said"), [
    ("keras.Model", "planned"), ("sine", "nearest thing here is tf.sin"), ("math.sinn", "math.sin"),
    ("reduce_summ", "reduce_sum"), ("IndexedSlicesSpec", "tf.TensorSpec"),
    ("autograph.to_graph", "planned"), ("autograph.to_code", "planned"),
    ("compat.v1.Session", "TensorFlow 1(.|\n)*in place of tf.compat.v1.add"),
    ("compat.v2.add", "in place of tf.compat.v2.add"),
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


# ------------------------------------------------------------------------ what the cases cover

# Where no result is a floating function of a floating tensor, or its slope is 0 wherever there is
# one. TensorFlow gives None for these, or has no rule; that is stored where it can be asked.
NO_GRADIENT = {
    "": "as_dtype is_tensor executing_eagerly inside_function floor logical_not less less_equal "
        "greater greater_equal equal not_equal logical_and logical_or round reduce_all reduce_any "
        "zeros ones zeros_like ones_like eye range one_hot sequence_mask shape shape_n rank size "
        "guarantee_const bitcast broadcast_static_shape broadcast_dynamic_shape argmax argmin "
        "argsort unique unique_with_counts searchsorted histogram_fixed_width_bins "
        "histogram_fixed_width unravel_index required_space_to_batch_paddings assert_equal "
        "assert_less assert_greater assert_rank Assert group no_op control_dependencies print "
        "truncatediv truncatemod get_logger",
    "math": "ceil floor is_finite is_inf is_nan rint less less_equal greater greater_equal equal "
            "not_equal logical_not logical_and logical_or logical_xor floordiv round reduce_all "
            "reduce_any count_nonzero zero_fraction is_non_decreasing is_strictly_increasing "
            "confusion_matrix argmax argmin bincount in_top_k invert_permutation",
    "nn": "zero_fraction in_top_k",
    "linalg": "eye",
    "random": "set_seed shuffle categorical poisson stateless_categorical stateless_poisson "
              "stateless_binomial split fold_in create_rng_state get_global_generator "
              "set_global_generator",
    "nest": "is_nested assert_same_structure",
}  # fmt: skip
NO_FUNCTIONS_OF_TENSORS = ("config", "test", "autograph", "compat", "errors", "dtypes", "train",
                           "data.experimental", "random.experimental")  # fmt: skip
CHECKS = ("check_numerics", "assert_all_finite")  # of tf.debugging, what hands its tensor on
ONLY_REFUSES = {"config.experimental.get_memory_growth", "config.set_logical_device_configuration",
                "config.experimental.set_virtual_device_configuration"}  # fmt: skip
TAKES_EVERYTHING = {"group", "autograph.trace"}


def covered():
    """The names with a value of TensorFlow's, with a gradient, and with a mistake."""
    by_thing = {}
    for name, thing in NAMES.items():
        by_thing.setdefault(id(thing), set()).add(name)
    values, gradients, mistakes = set(), set(), set()
    for family in scheme.FAMILIES:
        table = scheme.table(family)
        for case in scheme.cases(family):
            names = by_thing[id(NAMES[case.name])] | {case.name}
            answer = table[case.key]
            (mistakes if "error" in answer else values).update(names)
            found = any(g is not None for g in answer.get("gradients") or ())
            if found or ("gradient(" in case.source and "error" not in answer):
                gradients.update(names)
    return values, gradients, mistakes


def test_every_name_has_a_value_a_gradient_and_a_mistake_of_tensorflows():
    values, gradients, mistakes = covered()
    assert NAMES.keys() - values == ONLY_REFUSES
    functions = {n for n, x in NAMES.items() if callable(x) and not inspect.isclass(x)}
    assert functions - mistakes == TAKES_EVERYTHING
    without = {f"{space}.{n}" if space else n for space, ns in NO_GRADIENT.items()
               for n in ns.split()}  # fmt: skip
    for name in functions - gradients - without:
        space, _, last = name.rpartition(".")
        is_check = space == "debugging" and last not in CHECKS
        assert is_check or space.startswith(NO_FUNCTIONS_OF_TENSORS), f"{name} has no gradient"
    assert not without & gradients, "these have one"


# What the dialect was to have from its first day, word by word. `nn.{a, b}` and `x_a/b` are short;
# `*` means what TensorFlow has, less what says at the attribute that it is planned or left out.
ASKED = (scheme.HERE / "names_asked_for.txt").read_text(encoding="utf-8").splitlines()
DTYPES = {
    "float16", "float32", "float64", "bfloat16", "half", "double", "int8", "int16", "int32",
    "int64", "uint8", "uint16", "uint32", "uint64", "bool", "string", "complex64", "complex128",
}  # fmt: skip
# Of `math.*`, `linalg.*`, `config.*` and `autograph.*`: what has no card yet or no meaning here.
LEFT_OUT = {
    "math": "accumulate_n approx_max_k approx_min_k bessel_i0 bessel_i0e bessel_i1 bessel_i1e "
            "betainc erfcinv erfinv igamma igammac lbeta ndtri polygamma sobol_sample special zeta",
    "linalg": "banded_triangular_solve eig eigh eigh_tridiagonal eigvals eigvalsh expm "
              "logm lu lu_matrix_inverse lu_reconstruct lu_solve matrix_rank pinv qr sqrtm "
              "svd tridiagonal_matmul tridiagonal_solve",
    "config": "experimental_connect_to_cluster experimental_connect_to_host",
    "config.experimental": "ClusterDeviceFilters",
    "autograph": "to_code to_graph",
}  # fmt: skip


def asked():
    """The names, each with its namespace."""
    for line in ASKED:
        space, _, inner = line.rstrip("}").partition(".{")
        names = inner.split(", ") if inner else line.split(", ")
        for name in names:
            full = f"{space}.{name}" if inner else name
            first, *others = full.split("/")
            yield first
            yield from (f"{first.rpartition('_')[0]}_{other}" for other in others)


def where(name):
    """The name as TensorFlow has it: some stand under `math` or `linalg`."""
    tops = [name, f"math.{name}", f"linalg.{name}"] if "." not in name else [name]
    return next((n for n in tops if n in NAMES), name)


def of_family(pattern):
    """What TensorFlow has under `math.*` or `nn.relu*`, less what is left out."""
    space, _, start = pattern[:-1].rpartition(".")
    spaces = [space] if space else ["", "math"]
    spaces += [s for s in known() if space and s.startswith(f"{space}.") and s not in NO_SPACES]
    for inner in spaces:
        out = {*LEFT_OUT.get(inner, "").split(), "experimental"}
        for last in known()[inner]:
            if last.startswith(start) and last not in out and "LinearOperator" not in last:
                yield f"{inner}.{last}" if inner else last


NO_SPACES = ("math.special", "linalg.experimental")


def test_what_was_asked_for_is_there():
    names = [*DTYPES, *asked()]
    assert len(names) > 130
    for name in names:
        for each in of_family(name) if name.endswith("*") else [where(name)]:
            eval(f"tf.{each}")


def test_what_is_left_out_says_so():
    for space, names in LEFT_OUT.items():
        for name in names.split():
            with pytest.raises(AttributeError, match=r"planned|Leave it out"):
                eval(f"tf.{space}.{name}")


def test_there_are_350_names():
    assert len(NAMES) >= 350
    assert len({id(x) for x in NAMES.values()}) >= 350, "different things, not names for them"


THEIRS = sorted(f"{space}.{n}" if space else n for space, ns in known().items() for n in ns)
LACKING = [n for n in THEIRS if n not in NAMES and n not in SPACES]


def test_every_name_of_tensorflows_is_there_or_told():
    """All 1,700 public names: ours, or an AttributeError that says what is near and is there."""
    assert len(THEIRS) > 1700
    bad = []
    for name in LACKING:
        fact, *_, remedy = str(missing(name)).split("\n")
        named = re.findall(r"\btf\.([A-Za-z_][\w.]*\w)", remedy)
        ours = [n for n in named if n in NAMES or n.rpartition(".")[0] in NAMES or n in SPACES]
        if not fact.startswith(f"module 'gradtape.tf' has no attribute {name!r}"):
            bad.append(f"{name}: {fact}")
        if not fact.endswith("it is planned.") and not ours:
            bad.append(f"{name}: names nothing of ours: {remedy}")
        elif remedy.startswith("dir("):
            bad.append(f"{name}: {remedy}")
    assert bad == []


def test_every_remedy_names_what_is_there():
    from gradtape.tf.base.missing import INSTEAD, PLANNED

    others = ("tf.compat.v1.add", "tf.compat.v2.add", "tf.raw_ops.Add")  # those of TensorFlow
    for remedy in {*INSTEAD.values(), *PLANNED.values()}:
        for said in re.findall(r"\btf\.[A-Za-z_][\w.]*\w", remedy):
            if said not in others:
                eval(said)


def test_names_that_are_lacking_raise_at_the_attribute():
    for name in LACKING:
        space = name.rpartition(".")[0]
        if not space or any(n.startswith(f"{space}.") for n in NAMES):
            with pytest.raises(AttributeError, match=re.escape(f"no attribute {name!r}")):
                eval(f"tf.{name}")
