"""Jacobians on the tape, forward accumulators, recomputed and passed-through gradients."""

from tests.tf.scheme import program

START = ("x = tf.constant([0.3, 1.2])", "v = tf.Variable([0.5, -1.0])", "w = tf.Variable(2.0)",
         "m = tf.constant([[1.0, 2.0], [3.0, 4.0], [0.5, -1.0]])")  # fmt: skip


def tape(*texts, ours=""):
    return [program("GradientTape", *START, *text.split("; "), ours=ours) for text in texts]


def forward(*texts, ours=""):
    return [
        program("autodiff.ForwardAccumulator", *START,
                "A = tf.autodiff.ForwardAccumulator", *text.split("; "), ours=ours)
        for text in texts
    ]  # fmt: skip


CASES = [
    *tape(
        "with tf.GradientTape() as t: y = tf.sin(v) * w; out = t.jacobian(y, [v, w])",
        "with tf.GradientTape() as t: y = tf.sin(v) * w; out = t.jacobian(y, {'a': v, 'b': (w,)})",
        "with tf.GradientTape() as t: y = tf.reduce_sum(v * v); out = t.jacobian(y, v)",
        "with tf.GradientTape() as t: y = v * w; out = t.jacobian(y, x)",
        "with tf.GradientTape() as t: y = v * w; out = t.jacobian(y, [x, v])",
        "with tf.GradientTape() as t: y = v * w; out = t.jacobian(y, [])",
        "with tf.GradientTape() as t: y = v * w; out = [t.jacobian(y, v), t.jacobian(y, v)]",
        "with tf.GradientTape(True) as t: y = v * w; out = [t.jacobian(y, v), t.gradient(y, w)]",
        "with tf.GradientTape() as t: y = v * w; "
        "out = t.jacobian(y, v, experimental_use_pfor=False)",
        "with tf.GradientTape(True) as t: y = v * w; "
        "out = t.jacobian(y, v, experimental_use_pfor=False)",
        "with tf.GradientTape() as t: y = v * w; out = t.jacobian(y, v, parallel_iterations=4)",
        "with tf.GradientTape() as a:\n  with tf.GradientTape() as b: y = v * v * v"
        "\n  j = b.jacobian(y, v); out = [j, a.jacobian(j, v)]",
        "with tf.GradientTape() as t:\n  t.watch(m)\n  y = tf.sin(m) * m; "
        "out = t.batch_jacobian(y, m)",
        "with tf.GradientTape() as t:\n  t.watch(m)\n  y = tf.matmul(m, [[1.0], [2.0]]) * m[:, :1]; "
        "out = t.batch_jacobian(y, m)",
        "with tf.GradientTape() as t:\n  t.watch(m)\n  y = x[None] * tf.ones((3, 1)); "
        "out = t.batch_jacobian(y, m)",
        "with tf.GradientTape() as t:\n  t.watch(m)\n  y = m[:, 0]; out = t.batch_jacobian(y, m)",
        "with tf.GradientTape() as t:\n  t.watch(m)\n  y = m[:2]; out = t.batch_jacobian(y, m)",
        "with tf.GradientTape() as t: y = tf.gather(v, [1, 1, 0]); out = t.jacobian(y, v)",
        "with tf.GradientTape() as t: y = tf.cast(v, tf.float64); out = t.jacobian(y, v)",
    ),
    *tape("with tf.GradientTape() as t: y = v * w; out = t.jacobian([y], v)",
          ours="a TypeError with the remedy; TensorFlow lets an AttributeError through"),
    *forward(
        "with A(v, tf.constant([1.0, 0.0])) as a:\n  y = v * v\n  out = a.jvp(y)",
        "with A([v, w], [tf.constant([1.0, 0.0]), tf.constant(2.0)]) as a: y = v * w; "
        "out = a.jvp({'y': y, 'v': v})",
        "with A(v, tf.constant([1.0, 0.0])) as a: y = x * 2.0; out = a.jvp(y)",
        "with A(v, tf.constant([1.0, 0.0])) as a: y = x * 2.0; "
        "out = a.jvp(y, unconnected_gradients=tf.UnconnectedGradients.ZERO)",
        "a = A(v, tf.constant([1.0, 0.0])); y = v * 2.0; out = a.jvp(y)",
        "out = A([v, v], [v, v])",
        "with A(v, tf.constant([1.0, 0.0])) as a:\n  with tf.GradientTape() as t: "
        "y = tf.reduce_sum(v * v * v)\n  g = t.gradient(y, v); out = a.jvp(g)",
        "with tf.GradientTape() as t:\n  with A(v, tf.constant([1.0, 1.0])) as a: "
        "y = tf.reduce_sum(v * v * v)\n  d = a.jvp(y); out = t.gradient(d, v)",
        "with A(x, tf.constant([1.0, 2.0])) as a: y = tf.reduce_sum(x * x); out = a.jvp(y)",
        "with A(v, [tf.constant([1.0, 0.0])]) as a: y = v * w; out = a.jvp(y)",
    ),
    *forward(
        "with A(v, [1.0, 0.0]) as a: y = tf.sin(v) * w; out = a.jvp(y)",
        "with A(v, tf.constant([1.0, 1.0])) as a:\n  with A(v, tf.constant([1.0, 0.0])) as b: "
        "y = v * v * v\n  d = b.jvp(y); out = a.jvp(d)",
        ours="a derivative; TensorFlow refuses a list of numbers, and accumulators of one Variable "
        "inside each other"),
    *[program("recompute_grad", *START, *text.split("; ")) for text in (
        "out = tf.recompute_grad(lambda z: tf.sin(z) * z)(v)",
        "f = tf.recompute_grad(lambda z: tf.sin(z) * z); "
        "with tf.GradientTape() as t: y = f(v); out = [y, t.gradient(y, v)]",
        "f = tf.recompute_grad(lambda z: tf.sin(z) * w); "
        "with tf.GradientTape() as t: y = f(v); out = [y, t.gradient(y, [v, w])]",
    )],
    program("recompute_grad", *START, "f = tf.recompute_grad(lambda z: z * z * z)",
            "with tf.GradientTape() as a:",
            "  with tf.GradientTape() as b: y = f(v)", "  g = b.gradient(y, v)",
            "out = a.gradient(g, v)",
            ours="the second derivative, which TensorFlow refuses"),
    *[program("grad_pass_through", *START, *text.split("; ")) for text in (
        "out = tf.grad_pass_through(3.0)(v)",
        "f = tf.grad_pass_through(tf.round); "
        "with tf.GradientTape() as t: y = f(v) * 3.0; out = [y, t.gradient(y, v)]",
        "f = tf.grad_pass_through(lambda z: z * w); "
        "with tf.GradientTape() as t: y = f(v); out = [y, t.gradient(y, [v, w])]",
    )],
]  # fmt: skip
