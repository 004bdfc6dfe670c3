"""What is said of a missing gradient names tf's functions, and none that would not work here."""

import ast
import cmath
import math
import re
from pathlib import Path

import numpy as np
import pytest

import gradtape.tf as tf
from gradtape import tape as tape_room
from gradtape.core import phrases
from gradtape.errors import ExitWarning, GradientWarning
from gradtape.tf.base.wording import worded

ROOM = Path(tape_room.__file__).parent
KINDS = [
    *phrases._REMEDIES,
    *[f"math.{n}" for n in dir(math) if callable(getattr(math, n)) and n[0] != "_"],
    *[f"cmath.{n}" for n in dir(cmath) if callable(getattr(cmath, n)) and n[0] != "_"],
    *[f"numpy.{n}" for n in dir(np) if callable(getattr(np, n)) and n[0] != "_"],
    *[f"numpy.{n}" for n in dir(np.random) if n.islower() and n[0] != "_" and n != "bytes"],
    *phrases.WRITERS,
]
CALLED = [n for n in dir(np) if callable(getattr(np, n)) and n[0] != "_"]


def sentences():
    """Everything that the core can say as a remedy of a path that broke."""
    yield from map(phrases.remedy_of, KINDS)
    yield from (phrases._remedy_of_library("scipy", name) for name in CALLED)
    yield phrases._remedy_of_library("pandas", "x")
    yield from (f"Join it to the result, {how}, in place of initial=." for how in
                phrases._JOINS.values())  # fmt: skip
    for name in ("causes", "reasons", "facts", "tape", "sweeping"):
        tree = ast.parse((ROOM / f"{name}.py").read_text(encoding="utf-8"))
        documents = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                documents.update(map(id, node.values))
                text = "".join(getattr(part, "value", "") if isinstance(part, ast.Constant)
                               else "'float32'" if part.conversion == ord("r") else "float32"
                               for part in node.values)  # fmt: skip
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = "" if id(node) in documents else node.value
            else:
                continue
            if " " in text and re.search(r"\b(gt|np)\.\w", text):
                yield text


@pytest.mark.parametrize("said", sorted(set(sentences())))
def test_no_remedy_names_what_does_not_work_here(said):
    here = worded(said)
    assert not re.search(r"\bgt\.", here)
    left = re.sub(r"(in place of|[Ll]eave out) np\.\w+", "", here)
    if "np.frompyfunc calls" not in said:  # a cause, and no remedy
        assert not re.search(r"\bnp\.(?!\{)", left)
    assert "x = tape.watch" not in here
    for name in re.findall(r"\btf\.[a-zA-Z_][\w.]*\w", here):
        eval(name)


def step(f, value=2.0):
    v = tf.Variable(value)
    with tf.GradientTape() as tape:
        y = f(v)
    return tape.gradient(y, v)


@pytest.mark.parametrize(
    ("f", "said"),
    [
        (lambda v: tf.constant(math.sin(v)) * 2.0, r"Use tf\.sin\(x\) in place of math\.sin\(x\)"),
        (lambda v: tf.constant(np.sin(v)), r"Use tf\.sin\(x\) in place of np\.sin\(x\)"),
        (lambda v: tf.constant(np.sum(v)), r"Use tf\.reduce_sum\(x\) in place of np\.sum\(x\)"),
        (lambda v: tf.constant(np.arctan(v)), r"tf\.atan\(x\) in place of np\.arctan\(x\)"),
        (lambda v: tf.constant(math.lgamma(v)), r"Use tf\.math\.lgamma\(x\) in place of math"),
        (lambda v: tf.constant(float(v)), "leave out float"),
        (lambda v: tf.constant(v.numpy()), "the functions of tf take the Tensor"),
        (lambda v: tf.constant(np.array([v, v])), r"tf\.stack\(\[\.\.\.\]\)"),
        (lambda v: tf.cast(tf.cast(v, tf.int32), tf.float32), r"leave out tf\.cast\(x, tf\.int32"),
        (lambda v: tf.cast(v > 1.0, tf.float32), r"tf\.where on the values(.|\n)*@tf\.custom_grad"),
    ],
)
def test_a_missing_gradient_says_the_remedy_in_these_words(f, said):
    with pytest.warns(GradientWarning, match=said) as caught:
        assert step(f) is None
    assert "gt." not in str(caught[0].message)


def test_a_partial_gradient_says_so_too():
    with pytest.warns(ExitWarning, match=r"take it with tf\.stop_gradient\(\.\.\.\)"):
        assert float(step(lambda v: v * float(v))) == 2.0


def test_a_value_that_leaves_where_it_is_computed_again_says_so_too():
    v = tf.Variable([1.0, 2.0])
    with tf.GradientTape() as tape:
        y = tf.recompute_grad(lambda a: a * float(a[0]))(v)
    with pytest.warns(ExitWarning, match=r"take it with tf\.stop_gradient\(\.\.\.\)") as caught:
        tape.gradient(y, v)
    assert "gt." not in str(caught[0].message)


def test_watching_late_says_that_watch_returns_nothing():
    x = tf.constant(2.0)
    with tf.GradientTape() as tape:
        y = x * x
        tape.watch(x)
    with pytest.warns(GradientWarning, match=r"Watch it first: tape\.watch\(x\) above"):
        assert tape.gradient(y, x) is None


def test_errors_and_explanations_are_in_these_words():
    v = tf.Variable(2.0)
    with tf.GradientTape() as tape:
        y = v * float(v)
    assert "tf.stop_gradient" in tape.explain(y, v).remedy
    tape.gradient(y * 1.0, v, unconnected_gradients="zero")
    with pytest.raises(RuntimeError, match=r"tf\.GradientTape\(persistent=True\)"):
        tape.gradient(y, v)
    with tf.GradientTape() as tape:
        y = v * v
    with pytest.raises(ValueError, match=r"tf\.ones\(\(\)\)"):
        tape.gradient(y, v, output_gradients=tf.constant([1.0, 2.0]))
    said = r"x = tf\.cast\(x, tf\.float32\); tape\.watch\(x\)"
    with pytest.warns(GradientWarning, match=said), tf.GradientTape() as tape:
        tape.watch(tf.constant(1))


def test_a_tape_entered_twice_is_one_of_tf():
    with tf.GradientTape() as tape, pytest.raises(ValueError, match=r"tf\.GradientTape\(\)"):
        tape.__enter__()


def refusals():
    """Calls that the core refuses, by a tape or an accumulator of the dialect."""
    x = tf.constant([1.0, 2.0])
    fresh, used = tf.GradientTape(), tf.GradientTape()
    with used:
        used.watch(x)
        y = x * x
    used.gradient(y, x)
    yield "watch before entering", lambda: fresh.watch(x)
    yield "gradient before entering", lambda: fresh.gradient(x, x)
    yield "jacobian before entering", lambda: fresh.jacobian(x, x)
    yield "batch_jacobian before entering", lambda: fresh.batch_jacobian(x, x)
    yield "explain before entering", lambda: fresh.explain(x, x)
    yield "summary before entering", fresh.summary
    yield "graph before entering", fresh.graph
    yield "watch when used up", lambda: used.watch(x)
    yield "gradient when used up", lambda: used.gradient(y, x)
    yield "jacobian when used up", lambda: used.jacobian(y, x)
    yield "an integer primal", lambda: tf.autodiff.ForwardAccumulator(tf.constant(1), 1)
    imaginary = tf.constant([1j, 2j])
    yield "a complex tangent", lambda: tf.autodiff.ForwardAccumulator(x, imaginary)
    yield "a tangent's shape", lambda: tf.autodiff.ForwardAccumulator(x, tf.constant([2.0]))


def test_refusals_name_the_dialect():
    for name, call in refusals():
        with pytest.raises((TypeError, ValueError, RuntimeError)) as caught:
            call()
        said = str(caught.value)
        assert len(said.splitlines()) == 3, name
        assert not re.search(r"\b(gt|np)\.", said), name


def test_watched_is_told_at_the_users_line():
    x = tf.constant([1.0, 2.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.constant(1.0) * 2.0
    with pytest.warns(GradientWarning, match="watched at test_wording.py"):
        tape.gradient(y, x)
