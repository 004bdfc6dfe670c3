"""bfloat16: held through ml_dtypes, rounded as TensorFlow rounds, differentiated, stored.

What each function of the dialect makes of it is in the tables, family `bfloat16`.
"""

import copy
import inspect
import pickle
import subprocess
import sys
from contextlib import nullcontext

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

import gradtape.tf as tf
from gradtape.errors import GradtapeError, TracingWarning
from gradtape.tf.base.bfloat16 import REFUSED
from gradtape.tf.base.names import load_all
from tests.tf import scheme

NAMES = load_all()
HALF = np.dtype(ml_dtypes.bfloat16)


def half(x):
    return tf.constant(x, tf.bfloat16)


# ------------------------------------------------------------------------------ what is asked

# Of what has a gradient in float32: what TensorFlow does not have for bfloat16 (`switch_case`
# fails there), or gives None.
WITHOUT = {
    "": "complex switch_case", "dtypes": "complex", "math": "angle digamma imag lgamma nextafter",
    "linalg": "cholesky cholesky_solve det inv logdet lstsq slogdet solve tensor_diag "
              "tensor_diag_part triangular_solve",
    "random": "gamma stateless_gamma",
}  # fmt: skip


def with_gradient(families):
    """The functions of whose gradient TensorFlow's answers tell."""
    by_thing = {}
    for name, thing in NAMES.items():
        by_thing.setdefault(id(thing), set()).add(name)
    found = set()
    for family in families:
        answers = scheme.table(family)
        for case in scheme.cases(family):
            answer = answers[case.key]
            any_ = any(g is not None for g in answer.get("gradients") or ())
            if any_ or ("gradient(" in case.source and "error" not in answer):
                found |= by_thing[id(NAMES[case.name])] | {case.name}
    return {n for n in found if callable(NAMES[n]) and not inspect.isclass(NAMES[n])}


def test_every_name_with_a_gradient_has_one_of_bfloat16():
    others = with_gradient(f for f in scheme.FAMILIES if f != "bfloat16")
    without = {f"{s}.{n}" if s else n for s, names in WITHOUT.items() for n in names.split()}
    assert others - with_gradient(["bfloat16"]) == without


def test_what_is_refused_is_what_tensorflow_refuses():
    """Each name of REFUSED has answers to bfloat16, all of them mistakes, and the class is told."""
    answers = scheme.table("bfloat16")
    by_name = {}
    for case in scheme.cases("bfloat16"):
        by_name.setdefault(id(NAMES[case.name]), []).append(answers[case.key])
    for name in REFUSED:
        name = {"slogdet": "linalg.slogdet"}.get(name, name)
        assert all("error" in answer for answer in by_name[id(NAMES[name])]), name


# ------------------------------------------------------------------------------ the package


def test_it_is_imported_with_the_first_value():
    code = (
        "import sys, gradtape.tf as tf\n"
        "x = tf.Variable([1.0, 2.0])\n"
        "with tf.GradientTape() as tape: y = tf.reduce_sum(tf.tanh(x) / 3)\n"
        "tape.gradient(y, [x])\n"
        "tf.bfloat16.size, tf.bfloat16.is_floating, repr(tf.bfloat16), tf.as_dtype('bfloat16')\n"
        "assert 'ml_dtypes' not in sys.modules\n"
        "tf.zeros([2], tf.bfloat16)\n"
        "assert 'ml_dtypes' in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


@pytest.mark.parametrize(
    "make",
    [
        lambda: tf.constant(1.0, tf.bfloat16),
        lambda: tf.constant([1.0], dtype="bfloat16"),
        lambda: tf.cast(tf.constant(1.0), tf.bfloat16),
        lambda: tf.zeros([2], tf.bfloat16),
        lambda: tf.Variable(1.0, dtype=tf.bfloat16),
        lambda: tf.random.normal([2], dtype=tf.bfloat16),
        lambda: tf.convert_to_tensor(1.0, tf.bfloat16),
        lambda: tf.bfloat16.as_numpy_dtype,
        lambda: tf.bfloat16.max,
    ],
)
def test_without_the_package_a_value_says_how_to_get_it(make, monkeypatch):
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    monkeypatch.setattr(tf.bfloat16, "numpy_dtype", None)
    with pytest.raises(TypeError, match=r'pip install "gradtape\[tf\]"') as caught:
        make()
    assert isinstance(caught.value, GradtapeError)
    assert len(str(caught.value).splitlines()) == 3
    assert "bfloat16" in str(caught.value) and "tf.float32" in str(caught.value)
    assert tf.bfloat16.is_floating and tf.bfloat16.size == 2  # which need no value


def test_without_the_package_a_checkpoint_says_how_to_get_it(tmp_path, monkeypatch):
    path = tf.train.Checkpoint(v=tf.Variable(half(1.5))).save(tmp_path / "ck")
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    monkeypatch.setattr(tf.bfloat16, "numpy_dtype", None)
    with pytest.raises(TypeError, match=r'pip install "gradtape\[tf\]"'):
        tf.train.Checkpoint(v=tf.Variable(1.0)).restore(path)


# ------------------------------------------------------------------------------ the dtype


def test_the_dtype_answers():
    assert tf.bfloat16.name == "bfloat16" and repr(tf.bfloat16) == "tf.bfloat16"
    assert tf.bfloat16.as_numpy_dtype is ml_dtypes.bfloat16
    assert tf.as_dtype(HALF) is tf.bfloat16 and tf.as_dtype(ml_dtypes.bfloat16) is tf.bfloat16
    assert tf.bfloat16 == HALF and tf.bfloat16.size == 2 and tf.bfloat16.is_floating
    finfo = ml_dtypes.finfo(ml_dtypes.bfloat16)
    assert tf.bfloat16.max == finfo.max and tf.bfloat16.min == finfo.min
    assert type(tf.bfloat16.max) is ml_dtypes.bfloat16
    assert pickle.loads(pickle.dumps(tf.bfloat16)) is tf.bfloat16


@pytest.mark.parametrize("name", ["float32", "bfloat16"])
def test_a_dtype_that_is_asked_for_is_given(name):
    x = half([[1.0, 2.0], [3.0, 0.0]])
    for dtype in (name, getattr(tf, name), getattr(tf, name).as_numpy_dtype):
        for made in (tf.zeros_like(x, dtype), tf.ones_like(x, dtype=dtype), tf.cast(x, dtype),
                     tf.math.count_nonzero(x, dtype=dtype)):  # fmt: skip
            assert made.dtype.name == name


def test_other_dtypes_of_the_package_are_refused():
    for name in ("uint1", "float8_e4m3fn", "int4"):  # the first shares the character of bfloat16
        with pytest.raises(ValueError, match="Unsupported"):
            tf.constant(np.zeros(2, getattr(ml_dtypes, name)))


def test_values_look_as_tensorflows():
    x, v = half([1.5, 1 / 3]), tf.Variable(half([1.5, 2.0]))
    assert repr(x) == (
        "<tf.Tensor: shape=(2,), dtype=bfloat16, numpy=array([1.5, 0.333984], dtype=bfloat16)>"
    )
    assert str(x) == "tf.Tensor([1.5 0.333984], shape=(2,), dtype=bfloat16)"
    assert repr(x[0]) == "<tf.Tensor: shape=(), dtype=bfloat16, numpy=1.5>"
    assert str(x[0]) == "tf.Tensor(1.5, shape=(), dtype=bfloat16)" and f"{x[0]:.2f}" == "1.50"
    assert repr(v) == (
        "<tf.Variable 'Variable:0' shape=(2,) dtype=bfloat16, "
        "numpy=array([1.5, 2], dtype=bfloat16)>"
    )
    assert x.numpy().dtype == HALF and type(x[0].numpy()) is ml_dtypes.bfloat16
    assert float(x[0]) == 1.5 and int(x[0]) == 1 and bool(x[0]) and x.dtype is tf.bfloat16
    assert np.asarray(v).dtype == HALF and v.numpy().dtype == HALF
    assert float(np.float32(x[1])) == 0.333984375


def test_copies_keep_the_dtype():
    x, v = half([1.5, 2.0]), tf.Variable(half([1.5, 2.0]))
    for y in (copy.copy(x), copy.deepcopy(x), pickle.loads(pickle.dumps(x)), copy.deepcopy(v)):
        assert y.dtype is tf.bfloat16 and y.numpy().tolist() == [1.5, 2.0]


def test_arrays_and_numbers_of_the_package_become_tensors():
    for x in (np.array([1.5, 2.0], HALF), [ml_dtypes.bfloat16(1.5), ml_dtypes.bfloat16(2)]):
        assert tf.constant(x).dtype is tf.bfloat16 and tf.constant(x).numpy().tolist() == [1.5, 2]
    assert tf.convert_to_tensor(ml_dtypes.bfloat16(1.5)).dtype is tf.bfloat16
    assert tf.cast(np.array([1.5], HALF), tf.float32).numpy().tolist() == [1.5]


# ------------------------------------------------------------------------------ rounding


def test_casts_go_through_float32():
    """A tie of float32 that float64 is above: TensorFlow rounds twice."""
    above = 1 + 2**-8 + 2**-30
    for x in (tf.constant(above, tf.float64), np.array(above), above):
        assert float(tf.cast(x, tf.bfloat16)) == 1.0
    assert float(tf.constant(above, tf.bfloat16)) == 1.0
    n = (1 << 40) + (1 << 32) + 1
    assert float(tf.cast(tf.constant(n, tf.int64), tf.bfloat16)) == 2.0**40
    assert tf.cast(half([2.7, -2.7]), tf.int32).numpy().tolist() == [2, -2]
    assert tf.cast(tf.constant([1.5 + 2j]), tf.bfloat16).numpy().tolist() == [1.5]
    assert tf.cast(half([1.5]), tf.complex64).numpy().tolist() == [1.5 + 0j]


def test_every_number_comes_back_from_every_wider_dtype():
    every = np.arange(65536, dtype=np.uint16).view(HALF)
    every = every[np.isfinite(every.astype(np.float32))]
    for dtype in (tf.float32, tf.float64, tf.complex64, tf.complex128):
        back = tf.cast(tf.cast(tf.constant(every), dtype), tf.bfloat16)
        assert back.numpy().tobytes() == every.tobytes() or dtype.is_complex  # -0j
        assert np.array_equal(back.numpy(), every)


def test_sums_means_and_products_of_matrices_are_added_in_float32():
    ones = tf.ones([5000], tf.bfloat16)
    assert float(tf.reduce_sum(ones)) == 4992.0 and float(tf.reduce_mean(ones)) == 1.0
    assert float((ones[None] @ ones[:, None])[0, 0]) == 4992.0
    with tf.GradientTape() as tape:
        b = half(1.0)
        tape.watch(b)
        y = ones * b
    assert float(tape.gradient(y, b)) == 4992.0  # of what was broadcast


@pytest.mark.parametrize(
    "call",
    [
        lambda ones: tf.cumsum(ones)[-1],
        lambda ones: tf.math.segment_sum(ones, tf.zeros([5000], tf.int32))[0],
        lambda ones: tf.math.unsorted_segment_sum(ones, tf.zeros([5000], tf.int32), 1)[0],
        lambda ones: tf.scatter_nd(tf.zeros([5000, 1], tf.int32), ones, [1])[0],
        lambda ones: tf.tensor_scatter_nd_add(
            half([0.0]), tf.zeros([5000, 1], tf.int32), ones
        )[0],
        lambda ones: gathered(tf.zeros([5000], tf.int32))[0],
    ],
)
def test_what_tensorflow_adds_in_bfloat16_stops_at_256(call):
    assert float(call(tf.ones([5000], tf.bfloat16))) == 256.0


def gathered(index):
    x = half([1.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.gather(x, index)
    return tf.convert_to_tensor(tape.gradient(y, x))


# ------------------------------------------------------------------------------ operands


def test_a_tensor_of_another_dtype_is_refused_and_a_number_is_not():
    x = half([1.5, 2.0])
    for other in (tf.constant([1.0, 2.0]), tf.constant([1, 2]), tf.constant([1.0, 2.0], tf.half)):
        with pytest.raises(tf.errors.InvalidArgumentError, match="bfloat16"):
            tf.add(x, other)
        with pytest.raises(tf.errors.InvalidArgumentError, match="bfloat16"):
            x * other
    for y in (x * 2, 2 * x, x + 0.1, 0.1 + x, x**2, x / 3, x + np.array([0.1, 0.2])):
        assert y.dtype is tf.bfloat16
    assert float(half(1.0) * 0.3) == float(half(0.3))
    with pytest.raises(tf.errors.InvalidArgumentError, match="bfloat16"):
        tf.concat([x, tf.constant([1.0])], 0)
    with pytest.raises(ValueError, match="requested dtype"):
        tf.convert_to_tensor(x, tf.float32)
    with pytest.raises(tf.errors.InvalidArgumentError, match="linalg.inv: it is not there for b"):
        tf.linalg.inv(half([[1.0]]))


def test_numbers_are_checked_if_asked():
    large = half([3e38])
    tf.debugging.enable_check_numerics()
    try:
        for call in (lambda: large * 2, lambda: large / 0.5, lambda: tf.square(large),
                     lambda: tf.reduce_sum(tf.concat([large, large], 0))):  # fmt: skip
            with pytest.raises(tf.errors.InvalidArgumentError, match="Detected Infinity or NaN"):
                call()
        assert float((large / 2)[0]) == float(half(1.5e38))
    finally:
        tf.debugging.disable_check_numerics()


def test_a_mistake_names_bfloat16():
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        half([1.0]) & half([1.0])
    assert "bfloat16" in str(caught.value).splitlines()[0]


# ------------------------------------------------------------------------------ gradients


def test_mixed_precision_gives_gradients_of_float32():
    rng = np.random.default_rng(3)
    w = tf.Variable(rng.normal(size=(4, 3)), dtype=tf.float32)
    b = tf.Variable(tf.zeros([3]))
    x, y = rng.normal(size=(8, 4)).astype(np.float32), rng.integers(0, 3, 8)

    def loss(dtype):
        logits = tf.cast(x, dtype) @ tf.cast(w, dtype) + tf.cast(b, dtype)
        each = tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)
        return tf.cast(tf.reduce_mean(each), tf.float32)

    found = {}
    for dtype in (tf.float32, tf.bfloat16):
        with tf.GradientTape() as tape:
            value = loss(dtype)
        found[dtype.name] = [value, *tape.gradient(value, [w, b])]
    for exact, rounded in zip(found["float32"], found["bfloat16"], strict=True):
        assert rounded.dtype is tf.float32
        assert np.abs(exact - rounded).max() <= 0.02 * np.abs(exact).max()
        assert not np.array_equal(exact, rounded)


def test_training_in_bfloat16():
    a, b = tf.Variable(half(0.0)), tf.Variable(half(0.0))
    x = tf.linspace(half(-1.0), half(1.0), 16)
    y = 2 * x - 1
    for _ in range(200):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(a * x + b - y))
        da, db = tape.gradient(loss, [a, b])
        a.assign_sub(0.5 * da)
        b.assign_sub(half(0.5) * db)
    assert a.dtype is da.dtype is tf.bfloat16
    assert abs(float(a) - 2) < 0.02 and abs(float(b) + 1) < 0.02


def test_second_derivatives_jacobians_and_tangents():
    x = half([0.5, 1.5])
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = x * x * x
        (g,) = inner.gradient(y, [x])
    assert outer.gradient(g, x).numpy().tolist() == [3.0, 9.0]
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x * x
    found = tape.jacobian(y, x)
    assert found.dtype is tf.bfloat16 and found.numpy().tolist() == [[1.0, 0.0], [0.0, 3.0]]
    with tf.autodiff.ForwardAccumulator(x, half([1.0, 1.0])) as forward:
        y = tf.reduce_sum(x * x)
    assert forward.jvp(y).dtype is tf.bfloat16 and float(forward.jvp(y)) == 4.0


STEPS = [tf.tanh, tf.sigmoid, tf.sqrt, tf.nn.softmax, tf.nn.log_softmax, tf.nn.gelu, tf.nn.silu,
         tf.nn.elu, tf.nn.selu, tf.nn.softplus, lambda z: z / (z + 1), lambda z: tf.atan2(z, 2 * z),
         lambda z: tf.nn.bias_add(tf.stack([z * z, z]), z * z), tf.math.reduce_std]  # fmt: skip


@pytest.mark.parametrize("f", STEPS)
def test_what_is_computed_in_steps_has_all_derivatives(f):
    """Of the first and second order, forward and in a Jacobian: near those of float32."""
    found = []
    for dtype in (tf.bfloat16, tf.float32):
        x = tf.constant([0.5, 1.5], dtype)
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = tf.reduce_sum(f(x) * tf.constant([1.0, 2.0], dtype))
            first = inner.gradient(y, x)
        with tf.autodiff.ForwardAccumulator(x, tf.ones_like(x)) as forward:
            z = f(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            w = f(x)
        answers = [y, first, outer.gradient(first, x), forward.jvp(z), tape.jacobian(w, x)]
        assert all(t.dtype is dtype for t in answers)
        found.append([t.numpy().astype(float) for t in answers])
    for half_, exact in zip(*found, strict=True):
        assert np.abs(half_ - exact).max() <= 0.02 * max(1.0, np.abs(exact).max())


EAGERLY = (
    r"tf\.function: step runs eagerly: bfloat16 is not compiled\.\n"
    r"Its operations are rounded step by step(.|\n)*\n"
    r"Compute in float32 inside of it, tf\.cast\(x, tf\.float32\)"
)


def test_a_function_that_meets_bfloat16_gives_the_same_bits_and_says_once_that_it_runs_eagerly():
    rng = np.random.default_rng(5)
    v = tf.Variable(rng.normal(size=(4, 3)), dtype=tf.float32)

    def step(x):
        with tf.GradientTape() as tape:
            h = tf.nn.gelu(x @ tf.cast(v, tf.bfloat16)) + tf.tanh(x)[:, :3] * 0.3
            loss = tf.reduce_mean(tf.cast(tf.nn.softmax(tf.cumsum(h)), tf.float32) ** 2)
        return h, loss, tape.gradient(loss, v)

    compiled = tf.function(step)
    for turn in range(3):
        x = half(rng.normal(size=(8, 4)))
        with pytest.warns(TracingWarning, match=EAGERLY) if not turn else nullcontext():
            results = compiled(x)
        for eager, found in zip(step(x), results, strict=True):
            assert eager.dtype is found.dtype
            if eager.dtype is tf.bfloat16:
                assert eager.numpy().tobytes() == found.numpy().tobytes()
            np.testing.assert_allclose(found, eager, rtol=1e-5, atol=1e-7)  # a sum of float32
    assert compiled.experimental_get_tracing_count() == 1


def test_a_cotangent_of_zero_wins():
    x = half([0.0, 4.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.where(x > 1, tf.sqrt(x), 0.0) + tf.where(x > 1, 1 / x, 0.0)
    assert tape.gradient(y, x).numpy().tolist() == [0.0, 0.1875]


def test_rules_of_ones_own_and_recomputing():
    x = half([0.5, 1.5])

    @tf.custom_gradient
    def doubled(z):
        return z * 1, lambda ct: ct * 2

    for f, slope in ((doubled, 2.0), (tf.recompute_grad(lambda z: z * 3), 3.0),
                     (tf.grad_pass_through(lambda z: z * 3), 1.0)):  # fmt: skip
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = f(x)
        assert y.dtype is tf.bfloat16
        g = tape.gradient(y, x)
        assert g.dtype is tf.bfloat16 and g.numpy().tolist() == [slope, slope]
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.stop_gradient(x) * x
    assert tape.gradient(y, x).numpy().tolist() == [0.5, 1.5]


def test_a_gradient_of_none_says_why():
    x = half([0.5, 1.5])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.cast(tf.cast(x, tf.int32), tf.bfloat16)
    with pytest.warns(UserWarning, match="int32"):
        assert tape.gradient(y, x) is None


# ------------------------------------------------------------------------------ Variables, files


def test_variables_are_assigned():
    v = tf.Variable([1.0, 2.0], dtype=tf.bfloat16)
    v.assign([3.0, 4.0])
    v.assign_add([0.1, 0.1])
    v.assign_sub(half([1.0, 1.0]))
    v[0].assign(7.0)
    assert v.dtype is tf.bfloat16 and v.numpy().tolist() == [7.0, 3.09375]
    with pytest.raises(ValueError, match="requested dtype"):
        v.assign(tf.constant([1.0, 2.0]))


def test_a_checkpoint_holds_two_bytes_a_number(tmp_path):
    v = tf.Variable(half([1.5, 1 / 3]))
    path = tf.train.Checkpoint(v=v).save(tmp_path / "ck")
    with safetensors.safe_open(f"{path}.safetensors", framework="numpy") as file:
        kinds = {file.get_slice(key).get_dtype() for key in file.keys()}  # noqa: SIM118
    assert "BF16" in kinds
    w = tf.Variable(tf.zeros([2], tf.bfloat16))
    tf.train.Checkpoint(v=w).restore(path).assert_consumed()
    assert w.dtype is tf.bfloat16 and w.numpy().tolist() == v.numpy().tolist()


def test_gathered_rows_are_slices_of_it():
    v = tf.Variable(half([[1.0, 2.0], [3.0, 4.0]]))
    with tf.GradientTape() as tape:
        y = tf.reduce_sum(tf.gather(v, [0, 0]) * 3)
    g = tape.gradient(y, v)
    assert g.values.dtype is tf.bfloat16
    assert tf.convert_to_tensor(g).numpy().tolist() == [[6.0, 6.0], [0.0, 0.0]]
    (scaled,), norm = tf.clip_by_global_norm([g], 3.0)
    assert scaled.values.numpy().tolist() == [[1.5, 1.5], [1.5, 1.5]] and float(norm) == 6.0


def test_datasets_hold_it():
    data = tf.data.Dataset.from_tensor_slices(np.arange(4).astype(HALF)).map(lambda x: x / 3)
    assert data.element_spec == tf.TensorSpec([], tf.bfloat16)
    batch = next(iter(data.batch(4)))
    assert batch.dtype is tf.bfloat16
    assert batch.numpy().tolist() == [float(half(i / 3)) for i in range(4)]


def test_random_numbers_are_of_it():
    tf.random.set_seed(1)
    u = tf.random.uniform([4000], dtype=tf.bfloat16).numpy().astype(float)
    assert u.min() >= 0 and u.max() < 1 and np.all(u * 128 == np.round(u * 128))
    for draw in (tf.random.normal, tf.random.truncated_normal,
                 tf.random.Generator.from_seed(1).normal):  # fmt: skip
        z = draw([4000], dtype=tf.bfloat16)
        assert z.dtype is tf.bfloat16 and abs(float(tf.reduce_mean(z))) < 0.1
