"""Writing at indices into a copy: scatter_nd and tensor_scatter_nd_*."""

from tests.tf.scheme import call, program

X = "f32([[1.0, -2.0, 3.0], [0.5, 4.0, -1.5]])"  # (2, 3)
V = "f32([1.0, 2.0, 3.0, 4.0])"
U = "f32([5.0, 6.0])"
ROWS = "f32([[9.0, 8.0, 7.0], [0.5, 4.0, 1.0]])"


def scatters(name):
    """What all functions of a tensor, indices and updates have in common."""
    return [
        *[call(name, a, x=V, u=U, wrt="x u") for a in (
            "x, [[1], [3]], u", "x, [[0], [2]], u * 0.1",
            "tensor=x, indices=i64([[3], [0]]), updates=u, name='n'",
            "x, i32([[2], [1]]), -u", "x, np.array([[1], [0]]), u",
        )],
        call(name, "x, [[0, 1], [1, 2]], u", x=X, u=U, wrt="x u"),
        call(name, "x, [[1]], u", x=X, u="f32([[9.0, 8.0, 7.0]])", wrt="x u"),
        call(name, "x, [[1], [0]], u", x=X, u=ROWS, wrt="x u"),
        call(name, "x, [[[1], [0]]], u", x=V, u="f32([[7.0, -8.0]])", wrt="x u"),
        call(name, "v, [[1]], [5.0]", v="tf.Variable([1.0, 2.0])", wrt="v"),
        *[call(name, a, x=V, u=U) for a in (
            "x, [[1], [4]], u", "x, [[-1], [0]], u", "x, [[1]], u", "x, [1, 3], u",
            "x, [[1, 0]], [1.0]", "x, [[1.0]], [5.0]", "x, 'a', u",
            "x, None, u", "x, [[1]], None", "None, [[0]], u", "x, [[1]], [5]", "x, [[1]], i32([5])",
            "x, [[1]], f64([5.0])",
            "[1, 2, 3], [[0]], [9]", "x, [[1]], 5.0", "x, [1], 5.0", "x, [[0], [1], [2]], u",
            "[1, 2, 3], [[0]], [9.5]", "x, i16([[1]]), [5.0]",
            "5.0, [[0]], [1.0]", "x, tf.zeros([0, 1], tf.int32), tf.zeros([0])",
            "f64([1.0, 2.0]), [[1]], np.array([5.0])",
            "[1.0, 2.0], [[1]], np.array([5.0])", "x, [[]], u",
        )],
    ]  # fmt: skip


CASES = [
    *[call("scatter_nd", a, u="f32([1.0, 2.0, 3.0])", wrt="u") for a in (
        "[[4], [1], [6]], u, [8]", "[[0], [0], [2]], u, [3]", "[[0, 1], [1, 0], [1, 1]], u, [2, 2]",
        "[[0, 1], [1, 0], [0, 1]], u, (2, 3)",
        "indices=[[0], [1], [2]], updates=u, shape=[4], name='n'",
        "i64([[4], [1], [6]]), u, i64([8])", "np.array([[0], [1], [2]]), u, [3]",
        "[[4], [1], [6]], u, tf.TensorShape([8])",
    )],
    call("scatter_nd", "[[1], [1]], u, [3, 2]", u="f64([[1.0, 2.0], [3.0, 4.0]])", wrt="u"),
    call("scatter_nd", "[1], u, [3, 2]", u="f64([1.0, 2.0])"),
    call("scatter_nd", "[[0], [1], [5]], u, [3], 'IGNORE'", u="f32([1.0, 2.0, 3.0])"),
    call("scatter_nd", "[[0], [1], [5]], u, [3], 'IGNORE'", u="f32([1.0, 2.0, 3.0])", wrt="u",
         ours="TensorFlow cannot take the gradient where it ignores an index; we can"),
    *[call("scatter_nd", a, u="f32([1.0, 2.0, 3.0])") for a in (
        "[[0], [1], [8]], u, [8]", "[[0], [1], [-1]], u, [8]", "[[0], [1]], u, [8]",
        "[0, 1, 2], u, [8]", "[[0.0], [1.0], [2.0]], u, [8]",
        "[[0], [1], [2]], u, 8", "[[0], [1], [2]], u, [8.0]", "'a', u, [8]", "None, u, [8]",
        "[[0]], None, [8]", "[[0], [1], [2]], u, None",
        "[[0], [1]], [5, 6], [3]", "[[0], [1], [2]], u, [-1]", "i32([[0], [1], [2]]), u, i64([8])",
        "[[0], [0]], [True, False], [2]",
        "[[0], [1], [2]], u, [8, 2]", "[[0], [1]], ['a', 'b'], [3]",
        "[[0], [0]], c64([1j, 2]), [2]", "[[0], [1], [5]], u, [3], 'ERROR'",
        "[[0], [1], [5]], u, [3], 'WRONG'", "[[0, 0]], u, [3]", "[[0], [0]], u8([200, 100]), [1]",
        "tf.zeros([0, 1], tf.int32), tf.zeros([0]), [2]",
        "i16([[0], [1], [2]]), u, i16([8])",
    )],
    *[case for name in ("tensor_scatter_nd_update", "tensor_scatter_nd_add",
        "tensor_scatter_nd_sub", "tensor_scatter_nd_min",
                        "tensor_scatter_nd_max") for case in scatters(name)],
    # the same place twice
    *[call(name, "x, [[1], [1], [2]], u", x=V, u="f32([5.0, 7.0, -1.0])", wrt="x u")
      for name in ("tensor_scatter_nd_add", "tensor_scatter_nd_sub", "tensor_scatter_nd_min",
          "tensor_scatter_nd_max")],
    call("tensor_scatter_nd_update", "x, [[1], [1], [2]], u", x=V, u="f32([5.0, 7.0, -1.0])"),
    call("tensor_scatter_nd_update", "x, [[1], [1], [2]], u", x=V, u="f32([5.0, 7.0, -1.0])",
        wrt="x u",
         ours="what is overwritten has the gradient 0; TensorFlow gives it that of its successor"),
    # ties share the gradient
    *[call(name, "x, [[1], [1], [2]], u", x=V, u="f32([2.0, 2.0, 3.0])", wrt="x u")
      for name in ("tensor_scatter_nd_min", "tensor_scatter_nd_max")],
    *[call(name, a) for name in ("tensor_scatter_nd_update", "tensor_scatter_nd_add",
        "tensor_scatter_nd_sub", "tensor_scatter_nd_min",
                                 "tensor_scatter_nd_max") for a in (
        "b([True, False]), [[0]], [False]", "tf.constant(['a', 'b']), [[0]], ['z']",
        "c64([1j, 2]), [[0]], c64([3])", "i64([1, 2]), [[0]], i64([7])",
        "u8([1, 2]), [[0]], u8([255])",
    )],
    *[call(name, f"x, [[1], [7]], u, bad_indices_policy='{policy}'", x=V, u=U)
      for name in ("tensor_scatter_nd_add", "tensor_scatter_nd_sub", "tensor_scatter_nd_min",
          "tensor_scatter_nd_max") for policy in ("IGNORE", "ERROR", "")],
    program("tensor_scatter_nd_update", "x = tf.constant([1.0, 2.0, 3.0])",
        "with tf.GradientTape() as outer:", "    outer.watch(x)",
            "    with tf.GradientTape() as inner:", "        inner.watch(x)",
            "        y = tf.reduce_sum(tf.tensor_scatter_nd_update(x, [[1]], [x[0] * x[2]]) ** 3)",
            "    g = inner.gradient(y, x)",
            "out = outer.gradient(g, x)"),
]  # fmt: skip
