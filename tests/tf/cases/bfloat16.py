"""The cases of all other families whose tensors are of float32, with bfloat16 in its place.

So every name that takes float32 is asked what it makes of bfloat16: value, dtype, gradient, or the
class of the mistake, where TensorFlow has no kernel. What is said of bfloat16 alone stands below.
"""

import re
from dataclasses import replace

from tests.tf import scheme
from tests.tf.scheme import call, program, show

# `promotion` goes over all dtypes by itself.
_OTHERS = [family for family in scheme.FAMILIES if family not in ("bfloat16", "promotion")]


_HERE = "x=bf16([1.0, 2.0, 3.0]), v=tf.Variable([1.0, 2.0, 3.0]), s=bf16(1.5), w=tf.Variable(1.5, name='w')"
OURS = {
    **dict.fromkeys(
        ("np.isclose(s, 1.5) where s=bf16(1.5)", "np.linspace(s, 2.0, 3) where s=bf16(1.5)",
         *(f"{call} where {_HERE}" for call in (
             "np.array([s, w])", "np.exp(s)", "np.linspace(0, s, 3)", "np.full(2, s)"))),
        "TensorFlow's scalars of bfloat16 cannot be read by NumPy: 'object __array__ method not "
        "producing an array'"),
    "(lambda d: [list(d), repr(d), d.cardinality().numpy()])(tf.data.Dataset.from_tensor_slices("
    "(np.arange(10.0, dtype='f4').reshape(5, 2), [1, 2, 3, 4, 5])).map(lambda x, y: x * "
    "tf.cast(y, tf.bfloat16)))": "a mistake in a map raises when it is read, with its own class",
    # no difference, where there is one in float32
    "tf.nn.leaky_relu(x) where x=bf16([[-1.5, 0.25], [0.75, 2.0]]) d/d(x)": "",
    "tf.nn.weighted_cross_entropy_with_logits(y, x, 2.0) where x=bf16([0.0]), y=bf16([0.75]) d/d(x)": "",
    "tf.math.bincount([1, 1, 2], w) where w=bf16([0.5, 1.0, 2.0]) d/d(w)": "",
}  # fmt: skip
LOOSER = {
    "tf.math.cumulative_logsumexp(x) where x=bf16([[1.0, -2.0, 0.5], [4.0, 0.25, -3.0]]) d/d(x)":
        (1.5, "TensorFlow rounds after each of its steps, we once"),
}  # fmt: skip


# What NumPy makes of a Python number beside an array of ml_dtypes depends on its version.
NUMPYS_OWN = ("np.multiply(x, 2)", "np.maximum(x, 2)")


def _half(case):
    """The case with bfloat16 in place of float32, or of float64 where it has no float32."""
    for short, name in (("f32", "float32"), ("f64", "float64")):

        def changed(source, short=short, name=name):
            source = re.sub(rf"\b{short}\(", "bf16(", source)
            return re.sub(rf"\btf\.{name}\b", "tf.bfloat16", source)

        values = {key: changed(source) for key, source in case.values.items()}
        half = replace(case, source=changed(case.source), values=values)
        if half.key != case.key:
            tolerance, because = LOOSER.get(half.key, (case.tolerance, case.because))
            return replace(
                half, ours=OURS.get(half.key, case.ours), tolerance=tolerance, because=because
            )
    return case


def _converted():
    seen = {case.key for family in _OTHERS for case in scheme.cases(family)}
    for family in _OTHERS:
        for case in scheme.cases(family):
            half = _half(case)
            if half.key not in seen and not half.source.startswith(NUMPYS_OWN):
                seen.add(half.key)
                yield half


# ------------------------------------------------------------------------------ bit by bit

_X = "bf16(np.sin(np.arange(1.0, 61.0) ** 2).reshape(6, 10) * 4)"
_Y = "bf16(np.cos(np.arange(1.0, 61.0) ** 2).reshape(6, 10) * 2)"
_P = "bf16(np.abs(np.sin(np.arange(1.0, 61.0) ** 2)).reshape(6, 10) * 4 + 0.01)"
_U = "bf16(np.sin(np.arange(1.0, 61.0) ** 2).reshape(6, 10) * 0.97)"
_MANY = "bf16(np.sin(np.arange(1.0, 601.0) ** 2))"


def exact(names, arguments, **values):
    """A call that must give TensorFlow's bits, value and gradients."""
    values = {"tolerance": 0.0, "because": "every rounding is TensorFlow's", **values}
    return call(names, arguments, **values)


BITS = [
    exact("abs cos sin tan tanh exp math.expm1 sigmoid square negative floor math.ceil round math.erf math.erfc sinh "
          "cosh asinh atan math.softplus math.softsign math.log_sigmoid nn.relu nn.relu6 nn.leaky_relu nn.elu nn.selu "
          "nn.gelu nn.silu nn.softmax math.sign math.reduce_logsumexp", "x", x=_X, wrt="x"),
    exact("nn.gelu", "x, True", x=_X),
    exact("math.log math.log1p sqrt math.reciprocal", "x", x=_P, wrt="x"),
    exact("acosh", "x + 1", x=_P, wrt="x"),
    exact("acos asin math.atanh", "x", x=_U, wrt="x"),
    exact("add subtract multiply divide maximum minimum math.squared_difference atan2 math.floordiv math.floormod "
          "math.multiply_no_nan", "x, y", x=_X, y=_Y, wrt="x y"),
    exact("math.divide_no_nan math.xdivy", "x, y", x=_X, y=_Y),
    exact("math.xlogy math.xlog1py pow", "x, y", x=_P, y=_P),
    exact("multiply add divide", "x, 0.3", x=_X, wrt="x"),
    exact("pow", "x, 1.7", x=_P),
    exact("multiply", "x, y[:1]", x=_X, y=_Y, wrt="x y"),
    exact("reduce_sum reduce_mean norm cumsum", "x", x=_MANY, wrt="x"),
    exact("reduce_max reduce_min", "x", x=_MANY),
    exact("math.reduce_std math.reduce_variance", "x", x=_MANY),
    exact("reduce_sum reduce_mean reduce_max math.reduce_std cumsum", "x, 1", x=_X, wrt="x"),
    exact("math.cumprod", "x, 1", x=_X),
    exact("matmul", "x, tf.transpose(y)", x=_X, y=_Y, wrt="x y"),
    exact("einsum", "'ij,kj->ik', x, y", x=_X, y=_Y, wrt="x y"),
    exact("add_n", "[x, y, p]", x=_X, y=_Y, p=_P, wrt="x y p"),
    exact("math.polyval", "[y, x], y", x=_X, y=_Y, wrt="x y"),
    exact("math.unsorted_segment_sum", "x, np.arange(600) % 3, 3", x=_MANY, wrt="x"),
    exact("math.segment_sum", "x, np.arange(600) // 240", x=_MANY, wrt="x"),
    exact("math.segment_mean", "x, np.arange(600) // 240", x=_MANY),
    exact("scatter_nd", "np.arange(600)[:, None] % 3, x, [3]", x=_MANY, wrt="x"),
    exact("gather", "x, np.arange(600) % 5", x=_X, wrt="x"),
    exact("nn.softmax_cross_entropy_with_logits", "tf.nn.softmax(y), x", x=_X, y=_Y),
    exact("nn.sigmoid_cross_entropy_with_logits", "tf.cast(y > 0, tf.bfloat16), x", x=_X, y=_Y, wrt="x"),
    exact("nn.weighted_cross_entropy_with_logits", "tf.cast(y > 0, tf.bfloat16), x, 2.0", x=_X, y=_Y, wrt="x"),
    exact("nn.log_poisson_loss", "p, x", x=_X, p=_P, wrt="x"),
    exact("nn.moments", "x, [0]", x=_X, wrt="x"),
    exact("nn.batch_normalization", "x, y[0], p[0], y[1], y[2], 1e-3", x=_X, y=_Y, p=_P, wrt="x y"),
    exact("nn.bias_add", "x, y[0]", x=_X, y=_Y, wrt="x y"),
    exact("clip_by_norm", "x, 2.0", x=_X, wrt="x"),
    exact("linspace", "x[0, 0], y[0, 0], 50", x=_X, y=_Y),
    exact("range", "x[0, 0], 90.0, 0.3", x=_P),
    exact("cast", "x, tf.int32", x=_X),
    exact("cast", "x, tf.float32", x=_X, wrt="x"),
    exact("cast", "x, tf.bfloat16", x="tf.constant(np.sin(np.arange(1.0, 61.0) ** 2))", wrt="x"),
]  # fmt: skip

# A network in mixed precision: what comes out on the way and all gradients, bit by bit.
_NETWORK = """
def numbers(*shape): return tf.constant(np.sin(np.arange(1.0, 1 + np.prod(shape)) ** 2).reshape(shape), tf.float32)
vs = [tf.Variable(numbers(16, 32) * 0.5), tf.Variable(numbers(32)), tf.Variable(numbers(32, 16) * 0.5)]
with tf.GradientTape() as tape:
    w, b, u = [tf.cast(v, tf.bfloat16) for v in vs]
    h = tf.nn.gelu(tf.cast(numbers(64, 16) * 2, tf.bfloat16) @ w + b)
    h = h * tf.math.rsqrt(tf.reduce_mean(tf.square(h), -1, keepdims=True) + 1e-5)
    z = tf.nn.softmax(h @ u)
    z = z * tf.nn.silu(tf.tanh(h) @ u)
    loss = tf.reduce_mean(tf.square(tf.cast(z, tf.float32) - numbers(64, 16))) * 128.0
out = [h, z, *tape.gradient(loss, vs)]
"""

# What has no case in float32 by itself.
MORE = [
    show("GradientTape", _NETWORK, tolerance=0.0, because="every rounding is TensorFlow's"),
    call("debugging.assert_positive debugging.assert_non_negative", "x", x="bf16([1.0, 2.0])"),
    call("debugging.assert_negative debugging.assert_non_positive", "x", x="bf16([1.0, 2.0])"),
    call("debugging.assert_rank assert_rank debugging.assert_rank_at_least", "x, 1", x="bf16([1.0, 2.0])"),
    call("debugging.assert_near", "x, x + 0.01, 0.1, 0.1", x="bf16([1.0, 2.0])"),
    call("debugging.assert_scalar debugging.is_numeric_tensor", "x", x="bf16(1.0)"),
    program("custom_gradient",
            "x = bf16([1.0, 2.0])", "f = tf.custom_gradient(lambda z: (z * 2, lambda ct: ct * 3))",
            "with tf.GradientTape() as t:", "    t.watch(x)", "    y = f(x)", "out = [y, t.gradient(y, x)]"),
    program("recompute_grad",
            "x = bf16([1.0, 2.0])", "f = tf.recompute_grad(lambda z: tf.tanh(z) * z)",
            "with tf.GradientTape() as t:", "    t.watch(x)", "    y = f(x)", "out = [y, t.gradient(y, x)]"),
    program("grad_pass_through",
            "x = bf16([1.4, 2.0])", "f = tf.grad_pass_through(tf.round)",
            "with tf.GradientTape() as t:", "    t.watch(x)", "    y = f(x)", "out = [y, t.gradient(y, x)]"),
    program("while_loop",
            "x = bf16(1.0)",
            "out = tf.while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, x * 1.1), [0, x])"),
    program("switch_case", "x = bf16(1.0)", "out = tf.switch_case(1, [lambda: x, lambda: x * 2])"),
    program("GradientTape",
            "v = tf.Variable([1.0, 2.0])", "x = bf16([0.3, 0.7])",
            "with tf.GradientTape() as t:",
            "    y = tf.cast(tf.reduce_sum(tf.tanh(tf.cast(v, tf.bfloat16) * x)), tf.float32)",
            "out = [y, *t.gradient(y, [v])]"),
    program("GradientTape",
            "x = bf16([0.3, 0.7])",
            "with tf.GradientTape() as t:",
            "    t.watch(x)",
            "    with tf.GradientTape() as s:",
            "        s.watch(x)",
            "        y = tf.reduce_sum(x * x * x)",
            "    g = s.gradient(y, x)",
            "out = [g, t.gradient(g, x)]"),
    program("GradientTape",
            "x = bf16([0.3, 0.7])",
            "with tf.GradientTape() as t:", "    t.watch(x)", "    y = x * x",
            "out = t.jacobian(y, x)"),
    program("Variable",
            "v = tf.Variable([1.0, 2.0], dtype=tf.bfloat16)", "v.assign_add([0.1, 0.1])",
            "v.assign_sub(bf16([0.3, 0.3]))", "v[0].assign(7.0)", "out = [v, repr(v)]"),
    program("Variable", "v = tf.Variable(bf16([1.0]))", "v.assign(f32([2.0]))", "out = v"),
    program("data.Dataset",
            "d = tf.data.Dataset.from_tensor_slices(bf16([1.0, 2.0, 3.0])).map(lambda x: x / 3).batch(2)",
            "out = [list(d), repr(d.element_spec)]"),
    program("train.Checkpoint",
            "import tempfile", "at = tempfile.mkdtemp() + '/ck'",
            "v = tf.Variable(bf16([1.5, 0.3]))", "p = tf.train.Checkpoint(v=v).save(at)",
            "v.assign([0.0, 0.0])", "tf.train.Checkpoint(v=v).restore(p).assert_consumed()", "out = v"),
    *[program(name, f"x = tf.{name}([3], dtype=tf.bfloat16)", "out = [x.shape, x.dtype]")
      for name in ("random.normal", "random.uniform", "random.truncated_normal")],
    *[program(name, f"x = tf.{name}([3], [1, 2], dtype=tf.bfloat16)", "out = [x.shape, x.dtype]")
      for name in ("random.stateless_normal", "random.stateless_uniform", "random.stateless_truncated_normal")],
    *[program(name, "x, y = bf16([1.0, 2.0]), bf16([1.0, 3.0])", f"out = tf.{name}(x, {second})")
      for name, second in (
          ("debugging.assert_equal", "x"), ("assert_equal", "x"), ("debugging.assert_equal", "y"),
          ("debugging.assert_none_equal", "x + 1"), ("debugging.assert_none_equal", "y"),
          ("debugging.assert_less", "x + 1"), ("assert_less", "x + 1"), ("debugging.assert_less", "y"),
          ("debugging.assert_greater", "x - 1"), ("assert_greater", "x - 1"), ("debugging.assert_greater", "y"),
          ("debugging.assert_less_equal", "y"), ("debugging.assert_less_equal", "x - 1"),
          ("debugging.assert_greater_equal", "x - 1"), ("debugging.assert_greater_equal", "y"),
          ("debugging.assert_near", "x + 0.01, rtol=0.1, atol=0.1"), ("debugging.assert_near", "y, rtol=0.1, atol=0.1"),
          ("debugging.assert_rank_in", "[1, 2]"), ("debugging.assert_rank_in", "[2]"))],
    call("debugging.assert_negative debugging.assert_non_positive", "x", x="bf16([-1.0, -2.0])"),
    call("debugging.assert_integer", "x", x="bf16([-1.0, -2.0])"),
    *[call(name, f"x > 1.0, x > {second}", x="bf16([1.0, 2.0])")
      for name, second in (("logical_and", "0.0"), ("logical_or", "2.0"), ("math.logical_xor", "0.0"))],
    call("logical_and logical_or math.logical_xor", "x, x", x="bf16([1.0, 2.0])"),
    call("logical_not reduce_all reduce_any", "x > 1.0", x="bf16([1.0, 2.0])"),
    call("reduce_all reduce_any", "x", x="bf16([1.0, 2.0])"),
    call("math.imag", "x", x="bf16([1.0, -2.0])", wrt="x"),
    call("random.shuffle", "x", x="bf16([[1.0, 2.0]])"),
    call("random.experimental.stateless_shuffle", "x, [1, 2]", x="bf16([[1.0, 2.0]])"),
    call("random.categorical", "x, 3", x="bf16([[0.0, 99.0]])"),
    program("random.stateless_categorical", "x = bf16([[0.0, 99.0]])", "out = tf.random.stateless_categorical(x, 3, [1, 2])"),
    *[program(name, "x = bf16([0.5, 1.5])", "with tf.GradientTape() as t:", "    t.watch(x)", f"    y = {call_}",
              "out = [y, t.gradient(y, x)]")
      for name, call_ in (
          ("cond", "tf.cond(tf.reduce_sum(x) > 1.0, lambda: x * 3.0, lambda: x)"),
          ("case", "tf.case([(tf.reduce_sum(x) > 9.0, lambda: x * 3.0)], default=lambda: x * x)"),
          ("switch_case", "tf.switch_case(1, [lambda: x, lambda: x * 2])"),
          ("while_loop", "tf.while_loop(lambda i, z: i < 3, lambda i, z: (i + 1, z * z), [0, x])[1]"),
          ("function", "tf.function(lambda z: tf.tanh(z) * z)(x)"),
          ("py_function", "tf.py_function(lambda z: z * z, [x], tf.bfloat16)"),
          ("numpy_function", "tf.numpy_function(lambda z: z * z, [x], tf.bfloat16)"),
          ("nest.map_structure", "tf.nest.map_structure(lambda z: z * z, {'a': x})['a']"),
          ("nest.flatten", "tf.nest.flatten({'a': x * x})[0]"),
          ("nest.pack_sequence_as", "tf.nest.pack_sequence_as({'a': 0}, [x * x])['a']"),
          ("constant", "tf.constant(2.0, tf.bfloat16) * x"),
          ("init_scope", "x * x"))],
    *[program(name, "m = bf16([1.0])", "with tf.GradientTape() as t:", "    t.watch(m)",
              f"    y = tf.{name}({first}, dtype=tf.bfloat16) - tf.{name}({second}, dtype=tf.bfloat16)"
              if stateless else f"    y = 0.0 * tf.{name}({first}, dtype=tf.bfloat16) + m * 3.0",
              "out = t.gradient(y, m)" if not stateless else "out = [y.dtype, y.shape, t.gradient(y, m)]")
      for name, first, second, stateless in (
          ("random.normal", "[1], m", "", False), ("random.truncated_normal", "[1], m", "", False),
          ("random.uniform", "[1], m[0], 2.0", "", False),
          ("random.stateless_normal", "[1], [1, 2], m", "[1], [1, 2], 0.0", True),
          ("random.stateless_truncated_normal", "[1], [1, 2], m", "[1], [1, 2], 0.0", True))],
    program("random.stateless_uniform", "m = bf16(0.5)", "with tf.GradientTape() as t:", "    t.watch(m)",
            "    y = tf.random.stateless_uniform([1], [1, 2], 0.0, m, dtype=tf.bfloat16)",
            "out = [y.dtype, t.gradient(y, m) is not None]"),
    call("random.gamma", "[3], 1.0, dtype=tf.bfloat16"),
    call("random.stateless_gamma", "[3], [1, 2], bf16(1.0), dtype=tf.bfloat16"),
    call("random.poisson", "[3], 1.0, dtype=tf.bfloat16"),
    call("print", "bf16([1.0, 2.0])"),
    call("cast", "tf.bfloat16.max, tf.float32"),
    call("cast", "tf.bfloat16.min, tf.float32"),
]  # fmt: skip

CASES = [*_converted(), *(case for lines in BITS for case in lines), *(case for lines in MORE for case in lines)]
