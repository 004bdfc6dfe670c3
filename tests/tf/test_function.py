"""tf.function: methods, effects, and what cannot be traced."""

import gc
import weakref

import numpy as np
import pytest

import gradtape as gt
import gradtape.tf as tf
from gradtape.errors import TracingWarning


class Scaled(tf.Module):
    def __init__(self, k):
        super().__init__()
        self.k = tf.Variable(k)

    @tf.function
    def __call__(self, x):
        """x times k."""
        return x * self.k

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def total(self, x):
        return tf.reduce_sum(x * self.k)


def test_methods_are_bound_to_their_object():
    two, three = Scaled(2.0), Scaled(3.0)
    assert float(two(tf.constant(5.0))) == 10.0
    assert float(three(5.0)) == 15.0
    assert float(three.total([1.0, 2.0])) == 9.0
    assert Scaled.__call__.__doc__ == "x times k."
    with tf.GradientTape() as tape:
        y = three(tf.constant(5.0))
    assert float(tape.gradient(y, three.k)) == 5.0


def test_an_exception_in_the_function_leaves_its_variables_alone():
    v = tf.Variable(1.0)

    @tf.function
    def step(x):
        y = v * x
        raise ValueError("no") if x > 2.0 else v.assign(y)

    with pytest.raises(ValueError, match="no"):  # it runs eagerly, and there the error comes from
        step(tf.constant(3.0))
    assert float(v) == 1.0


def test_a_bound_function_is_compiled_once_and_its_object_is_freed():
    model = Scaled(2.0)
    model(tf.constant(1.0)), model(tf.constant(2.0))
    assert model.__call__.experimental_get_tracing_count() == 1
    call = Scaled(4.0).__call__  # keeps its object alive
    assert float(call(tf.constant(1.0))) == 4.0
    dead = weakref.ref(model)
    del model
    gc.collect()
    assert dead() is None


def test_python_runs_while_tracing_alone_and_sees_no_numbers():
    seen = []

    @tf.function
    def f(x):
        seen.append(f"{x}")
        return x * 2.0

    assert [float(f(tf.constant(v))) for v in (1.0, 2.0, 3.0)] == [2.0, 4.0, 6.0]
    assert len(seen) == 1
    assert "float32" in seen[0]
    assert "1.0" not in seen[0]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (lambda x: x * 2.0 if x > 0 else -x, 6.0),
        (lambda x: sum([x for _ in range(int(x))]), 9.0),
        (lambda x: tf.constant(np.sin(x.numpy())), np.sin(np.float32(3.0))),
        (lambda x: tf.reduce_sum(tf.boolean_mask([x, -x], [x > 0, x < 0])), 3.0),
        (lambda x: tf.constant(len(f"{x:.4f}")), 6),
    ],
)
def test_what_cannot_be_traced_runs_eagerly_and_says_so_once(body, expected):
    f = tf.function(body)
    with pytest.warns(TracingWarning, match=r"runs eagerly(.|\n)*tf.cond"):
        assert f(tf.constant(3.0)).numpy() == expected
    assert f(tf.constant(3.0)).numpy() == expected


def test_gradients_are_right_where_a_function_runs_eagerly():
    v = tf.Variable(3.0)

    @tf.function
    def f(x):
        return v * x if x > 0 else x

    with tf.GradientTape() as tape, pytest.warns(TracingWarning):
        y = f(tf.constant(2.0))
    assert float(tape.gradient(y, v)) == 2.0


def test_a_rule_of_the_users_is_followed_from_outside():
    @tf.custom_gradient
    def clipped(x):
        return x * 1.0, lambda ct: ct * 7.0

    f = tf.function(lambda x: clipped(x) * 2.0)
    x = tf.Variable(1.0)
    for _ in range(2):
        with tf.GradientTape() as tape:
            y = f(x)
        assert float(tape.gradient(y, x)) == 14.0


DRAWS = {
    "normal": lambda x: tf.random.normal([3], 1.0, 2.0),
    "seeded": lambda x: tf.random.normal([2], seed=3),
    "truncated": lambda x: tf.random.truncated_normal([2]),
    "uniform": lambda x: tf.random.uniform([2], 1.0, 2.0, tf.float64),
    "whole": lambda x: tf.random.uniform([9], 0, 100, tf.int32),
    "shuffle": lambda x: tf.random.shuffle(x),
    "categorical": lambda x: tf.random.categorical([[0.0, 1.0, 2.0]], 9),
    "poisson": lambda x: tf.random.poisson([9], x),
    "dropout": lambda x: tf.nn.dropout(x, 0.5),
    "gamma": lambda x: tf.random.gamma([2], x),
    "cond": lambda x: tf.cond(x[0] > 0, lambda: tf.random.normal([2]), lambda: x[:2]),
    "loop": lambda x: tf.while_loop(
        lambda i, y: i < 3, lambda i, y: (i + 1, y + tf.random.normal([3])), (tf.constant(0), x)
    )[1],
}


@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.parametrize("seed", [1, 2])
def test_random_numbers_are_drawn_at_each_call_as_in_eager_mode(name, seed):
    body = DRAWS[name]
    f = tf.function(lambda x: (body(x), tf.random.normal([2])))
    x = tf.constant(np.arange(1.0, 9.0, dtype=np.float32) if name != "loop" else np.ones(3, "f"))
    f(x)  # traced before the seed is set
    tf.random.set_seed(seed)
    expected = [(body(x).numpy(), tf.random.normal([2]).numpy()) for _ in range(3)]
    tf.random.set_seed(seed)
    found = [[t.numpy() for t in f(x)] for _ in range(3)]
    for pair, other in zip(found, expected, strict=True):
        for a, b in zip(pair, other, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6)
    assert not np.array_equal(found[0][0], found[1][0])


def test_the_gradient_computes_with_the_numbers_of_its_call():
    v = tf.Variable(2.0)
    f = tf.function(lambda: tf.reduce_sum(v * tf.random.normal([3])))
    tf.random.set_seed(4)
    numbers = tf.random.normal([3])
    tf.random.set_seed(4)
    with tf.GradientTape() as tape:
        y = f()
    np.testing.assert_allclose(tape.gradient(y, v), tf.reduce_sum(numbers), rtol=1e-6)
    np.testing.assert_allclose(y, 2 * tf.reduce_sum(numbers), rtol=1e-6)


def test_print_prints_at_each_call_in_order(capsys):
    v = tf.Variable([1.0, 2.5])

    @tf.function
    def f(x):
        tf.print("x", x, [x, {"v": v}], sep=",")
        v.assign_add([1.0, 1.0])
        tf.print(v, summarize=1)
        return tf.while_loop(lambda i: i < 2, shown, [tf.constant(0)])

    def shown(i):
        tf.print("turn", i)
        return [i + 1]

    f(tf.constant(1.5))
    f(tf.constant(3.0))
    assert capsys.readouterr().err.splitlines() == [
        "x,1.5,[1.5, {'v': [1 2.5]}]", "[2 3.5]", "turn 0", "turn 1",
        "x,3,[3, {'v': [2 3.5]}]", "[3 4.5]", "turn 0", "turn 1",
    ]  # fmt: skip


def test_a_value_that_numpy_drew_while_tracing_is_told():
    rng = np.random.default_rng(0)
    f = tf.function(lambda x: x + rng.normal())
    with pytest.warns(TracingWarning, match="drew random numbers"):
        f(tf.constant(1.0))


def test_a_loop_over_known_values_leads_to_a_tensor_around_it():
    @tf.function
    def f():
        x = tf.constant(2.0)
        with tf.GradientTape() as tape:
            tape.watch(x)
            _, y = tf.while_loop(
                lambda i, y: i < 3, lambda i, y: (i + 1, y * x), (tf.constant(0), tf.constant(1.0))
            )
        return tape.gradient(y, x)

    assert float(f()) == 12.0


def test_case_without_a_default_claims_that_a_predicate_holds():
    def f(x):
        return tf.case([(x < 1, lambda: tf.constant(1)), (x < 5, lambda: tf.constant(2))])

    for run in (f, tf.function(f)):
        assert [int(run(tf.constant(x))) for x in (0, 3)] == [1, 2]
        with pytest.raises(tf.errors.InvalidArgumentError, match="none of the conditions"):
            run(tf.constant(9))


def test_case_that_is_exclusive_claims_that_one_predicate_holds():
    def f(x):
        pairs = [(x < 1, lambda: tf.constant(1)), (x < 5, lambda: tf.constant(2))]
        return tf.case(pairs, default=lambda: tf.constant(3), exclusive=True)

    for run in (f, tf.function(f)):
        assert [int(run(tf.constant(x))) for x in (3, 9)] == [2, 3]
        with pytest.raises(tf.errors.InvalidArgumentError, match="More than one condition"):
            run(tf.constant(0))


def test_branches_of_two_dtypes_are_refused_and_run_eagerly():
    f = tf.function(lambda x: tf.cond(x > 0, lambda: tf.constant(1), lambda: tf.constant(2.0)))
    with pytest.warns(TracingWarning, match=r"\['int32'\] and \['float32'\]"):
        assert f(tf.constant(3.0)).dtype == tf.int32
    with pytest.raises(TypeError, match="no integer"):
        tf.switch_case(tf.constant(1.0), [lambda: tf.constant(1)])


def test_no_rows_are_tensors():
    none = tf.zeros([0, 3])
    for found in (
        tf.map_fn(lambda x: x * 2.0, none),
        tf.scan(lambda a, x: a + x, tf.constant([], tf.float32), initializer=tf.constant(2.0)),
    ):
        assert isinstance(found, tf.Tensor)
        assert found.shape[0] == 0


def test_a_tensor_of_the_dialect_is_no_argument_of_a_native_function():
    with pytest.raises(gt.errors.DTypeError, match=r"tf\.function, or pass x\.numpy"):
        gt.function(lambda x: x * 2)(tf.constant(1.0))
