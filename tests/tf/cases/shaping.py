"""Reshaping, joining, cutting, repeating and padding."""

from tests.tf.scheme import call, program, show

X = "f32([[1.0, -2.0, 3.0], [0.5, 4.0, -1.5]])"  # (2, 3)
Y = "f32([[9.0, 8.0, 7.0]])"
V = "f32([1.0, 2.0, 3.0, 4.0])"
CUBE = "f64(np.arange(24.0).reshape(2, 3, 4))"
S = "tf.constant([['a', 'b'], ['c', 'd']])"
I = "i32([[1, 2, 3], [4, 5, 6]])"  # noqa: E741

CASES = [
    # ---------------------------------------------------------------- reshape
    *[call("reshape", a, x=X, wrt="x") for a in (
        "x, [3, 2]", "x, (-1,)", "x, -1", "x, [6, 1]", "x, [-1, 2]", "x, i32([3, -1])",
        "x, i64([6])", "x, tf.TensorShape([3, 2])", "tensor=x, shape=[6], name='n'",
        "x, np.array([3, 2])", "x, [i32(3), 2]", "x, [1, 2, 3, 1]", "x, tf.shape(x)[::-1]",
    )],
    *[call("reshape", a, x=X) for a in (
        "x, [4, 2]", "x, [-1, -1]", "x, [-2, 3]", "x, [-1, 4]", "x, 'a'", "x, [2.0, 3.0]",
        "x, None",
        "x, [None, 3]", "x, [[6]]", "x, []", "[1, 2], [2, 1]", "5, []", "5.0, [1, 1]", "[], [0, 2]",
        "None, [1]", "tf.zeros([0, 3]), [-1]", "tf.zeros([0, 3]), [3, -1]",
        "tf.zeros([0]), [0, -1]",
        "x, f32([3.0, 2.0])", "x, tf.TensorShape([None, 2])", "x, 6.0",
    )],
    call("reshape", "x, [4]", x=S),
    call("reshape", "v, [4, 1]", v="tf.Variable([1.0, 2.0, 3.0, 4.0])", wrt="v"),
    # ---------------------------------------------------------------- transpose
    *[call("transpose", a, x=CUBE, wrt="x") for a in (
        "x", "x, [0, 2, 1]", "x, perm=(2, 0, 1)", "x, i32([1, 0, 2])", "x, i64([2, 1, 0])",
        "a=x, perm=[0, 1, 2], conjugate=True, name='n'",
    )],
    call("transpose", "x, [-1, 0, 1]", x=CUBE),
    call("transpose", "x, [-1, 0, 1]", x=CUBE, wrt="x",
         ours="TensorFlow permutes so, and then cannot take the gradient; we can"),
    call("transpose", "x", x=X, wrt="x"),
    call("transpose", "x, conjugate=True", x="c64([[1+2j, 3], [4, 5-1j]])", wrt="x"),
    call("transpose", "x, conjugate=False", x="c64([[1+2j, 3], [4, 5-1j]])", wrt="x"),
    *[call("transpose", a, x=X) for a in (
        "x, [0]", "x, [0, 0]", "x, [0, 2]", "x, [0, 1, 2]", "x, 'a'", "x, 1", "x, 1.0",
        "x, [0.0, 1.0]",
        "[[1, 2], [3, 4]]", "5", "None", "x, [[0, 1]]", "x, [-3, 0]", "'a'", "x, []", "[1, 2]",
    )],
    call("transpose", "x", x=S),
    # ---------------------------------------------------------------- expand_dims, squeeze
    *[call("expand_dims", a, x=X, wrt="x") for a in (
        "x, 0", "x, 1", "x, 2", "x, -1", "x, -3", "x, axis=i32(1)", "input=x, axis=0, name='n'",
        "x, i64(0)", "x, np.int64(1)", "x, [1]",
    )],
    *[call("expand_dims", a, x=X) for a in (
        "x, 3", "x, -4", "x", "x, None", "x, 0.0", "x, 'a'", "x, [0, 1]", "5, 0", "[1, 2], 1",
        "None, 0", "5, 1", "x, True", "'a', 0",
    )],
    *[call("squeeze", a, x="f32([[[1.0], [2.0]]])", wrt="x") for a in (
        "x", "x, 0", "x, [0]", "x, [0, 2]", "x, -1", "x, [-1, 0]", "x, (0,)", "x, []",
        "input=x, axis=None, name='n'", "x, [0, 0]",
    )],
    *[call("squeeze", a, x="f32([[[1.0], [2.0]]])") for a in (
        "x, 1", "x, 3", "x, -4", "x, 0.0", "x, 'a'", "5", "[[1]]", "x, i32([0])",
        "None", "x, [0, 1]", "x, [None]", "tf.constant([['a']])", "x, np.int64(0)", "x, True",
    )],
    # ---------------------------------------------------------------- concat, stack
    *[call("concat", a, x=X, y=Y, wrt="x y") for a in (
        "[x, y], 0", "[x, y], axis=-2", "(x, y, x), 0", "[x, y], i32(0)",
        "values=[x, y], axis=0, name='n'", "[x, y], np.int64(0)", "[x, y, [[0.0, 1.0, 2.0]]], 0",
        "[x, np.ones((1, 3)), y], 0", "[[x, y], [x, y]][0], 0",
    )],
    call("concat", "[x, x], 1", x=X, wrt="x"),
    call("concat", "x, 1", x=CUBE, wrt="x"),
    call("concat", "[x], 0", x=X, wrt="x"),
    call("concat", "[x, v], 0", x=V, v="tf.Variable([5.0])", wrt="x v"),
    *[call("concat", a, x=X, y=Y, i=I) for a in (
        "[x, y], 1", "[x, y], 2", "[x, y], -3", "[x, i], 0", "[x, [1, 2]], 0", "[], 0", "[1, 2], 0",
        "[[1, 2], [3]], 0", "[i, [[7, 8, 9]]], 0", "[x, y]", "[x, y], None", "[x, y], 0.0",
        "[x, y], [0]", "[x, y], 'a'", "[x, None], 0", "None, 0", "[x, f64([[1.0, 2.0, 3.0]])], 0",
        "[np.ones((1, 3)), x], 0", "[tf.zeros([0, 3]), x], 0", "3, 0", "[[True], [False]], 0",
        "[[1.5], [2]], 0", "[[1], [2.5]], 0", "[x[0], x], 0", "[x, y], True", "[['a'], ['b']], 0",
        "[x], 5", "[x], 'a'",
    )],
    *[call("stack", a, x=V, y="f32([5.0, 6.0, 7.0, 8.0])", wrt="x y") for a in (
        "[x, y]", "[x, y], 1", "[x, y], axis=-1", "[x, y], -2", "(x, y, x)",
        "values=[x, y], axis=0, name='n'", "[x, y, [1.0, 2.0, 3.0, 4.0]]", "[x, np.ones(4), y]",
    )],
    call("stack", "[x, y, 1.0]", x="f32(2.0)", y="f32(3.0)", wrt="x y"),
    call("stack", "x", x=X, wrt="x"),
    *[call("stack", a, x=V, i="i32([1, 2, 3, 4])") for a in (
        "[1, 2, 3]", "[1, 2.5]", "[[1, 2], [3, 4]]", "[]", "[x, i]", "[x, [1.0]]", "[x, x], 2",
        "[x, x], -3", "[x, x], 0.5", "[x, x], 'a'", "[x, x], None", "[x, None]", "3", "None",
        "[x, f64([1.0, 2.0, 3.0, 4.0])]", "[True, False]", "['a', 'b']", "[x, x], i32(0)",
        "[tf.Variable(1.0), tf.Variable(2.0)]", "[np.float64(1.0), 2.0]", "[[1, 2], [3]]",
        "[i, 1]", "[x, 3]", "[x], 1", "[np.ones(2), np.zeros(2)]",
    )],
    # ---------------------------------------------------------------- unstack, split
    *[call("unstack", a, x=X, wrt="x") for a in (
        "x", "x, 2", "x, axis=1", "x, axis=-1", "value=x, num=3, axis=1, name='n'", "x, None, -2",
    )],
    *[call("unstack", a, x=X) for a in (
        "x, 3", "x, axis=2", "x, axis=-3", "5", "[1, 2]", "x, axis=0.5", "x, 2.0", "x, 'a'",
        "None", "tf.zeros([0, 2])", "[[1, 2], [3, 4]], axis=1", "x, axis='a'", "x, i32(2)",
        "tf.constant(['a', 'b'])", "x, axis=i32(1)", "x, axis=None",
    )],
    *[call("split", a, x="f64(np.arange(12.0).reshape(2, 6))", wrt="x") for a in (
        "x, 2", "x, 3, 1", "x, [1, 2, 3], 1", "x, [1, -1, 2], axis=1", "x, [2, 4], -1", "x, 1",
        "value=x, num_or_size_splits=2, axis=1, num=None, name='n'", "x, i32([2, 4]), 1",
        "x, i64([2, 4]), 1", "x, [0, 6], 1", "x, (3, 3), 1", "x, np.int64(2), 1", "x, [6], 1",
        "x, np.array([2, 4]), axis=1", "x, [2, 4], i32(1)", "x, i32([2, 4]), 1, 2",
    )],
    *[call("split", a, x="f32(np.arange(6.0).reshape(2, 3))") for a in (
        "x, 3", "x, 0", "x, -1", "x, [1, 1], 1", "x, [-1, -1], 1", "x, [4, -1], 1", "x, 2.0",
        "x, 'a'", "x, None", "x, 2, 2", "x, 2, -3", "x, 2, 'a'", "x, 2, 0.5", "x, [[1, 2]], 1",
        "[1, 2, 3, 4], 2", "5, 1", "None, 1", "x, i32(2)", "x, 2, num=2", "x, 2, num=3",
        "x, [1, 2], 1, num=3", "x, [1.0, 2.0], 1", "x, [-2, 3], 1", "x, [], 1", "x, i32([1, 2])",
        "x, True", "tf.constant(['a', 'b']), 2",
    )],
    # ---------------------------------------------------------------- tile, repeat
    *[call("tile", a, x=X, wrt="x") for a in (
        "x, [2, 1]", "x, [1, 3]", "x, (2, 2)", "x, i32([2, 1])", "x, i64([1, 2])",
        "input=x, multiples=[1, 1], name='n'", "x, [0, 1]", "x, np.array([3, 2])",
    )],
    *[call("tile", a, x=X) for a in (
        "x, [2]", "x, 2", "x, [1, 1, 2]", "x, [-1, 1]", "x, 2.0", "x, [1.0, 2.0]", "x, 'a'",
        "x, None",
        "[1, 2], [2]", "5, []", "None, [1]", "x, [[1, 2]]", "[True], [2]", "['a'], [2]",
        "x, tf.TensorShape([2, 1])",
    )],
    *[call("repeat", a, x=X, wrt="x") for a in (
        "x, 2", "x, 2, 0", "x, [1, 2], 0", "x, [1, 0, 2], axis=1", "x, 3, -1", "x, [2], 1",
        "input=x, repeats=2, axis=None, name='n'", "x, i32([2, 1]), 0", "x, i64(2), 0",
        "x, [1, 2, 0, 1, 1, 2]", "x, 0", "x, 1",
    )],
    *[call("repeat", a, x=X) for a in (
        "x, [1, 2, 3], 0", "x, -1", "x, 2.0", "x, 'a'", "x, 2, 2", "x, 2, -3", "x, 2, 0.5",
        "x, [[1, 2]], 0", "5, 3", "[1, 2], [2, 3]", "None, 2", "x, None",
        "[3], repeats=[0]", "['a', 'b'], 2", "x, f32(2.0)", "x, 2, 'a'", "x, i32([[2]])",
    )],
    call("repeat", "x, [-1, 1], 0", x=X, ours="a negative number of times is refused; it is not 0"),
    # ---------------------------------------------------------------- pad
    *[call("pad", a, x=X, wrt="x") for a in (
        "x, [[1, 2], [0, 1]]", "x, [[1, 0], [2, 2]], 'REFLECT'", "x, [[1, 2], [3, 2]], 'SYMMETRIC'",
        "x, [[1, 1], [1, 1]], constant_values=5.0", "x, i32([[1, 1], [2, 0]]), mode='constant'",
        "tensor=x, paddings=[[0, 0], [0, 0]], mode='CONSTANT', constant_values=0, name='n'",
        "x, [[0, 0], [1, 1]], 'reflect'", "x, i64([[0, 1], [1, 0]]), 'Symmetric'",
        "x, ((1, 1), (0, 0))", "x, np.array([[0, 1], [1, 0]]), 'REFLECT'",
        "x, [[1, 1], [2, 2]], 'REFLECT'",
    )],
    call("pad", "x, [[1, 1], [1, 1]], constant_values=c", x=X, c="f32(2.0)", wrt="x c"),
    call("pad", "x, [[2, 3]], 'SYMMETRIC'", x=V, wrt="x"),
    call("pad", "x, [[4, 4]], 'SYMMETRIC'", x=V, wrt="x"),
    call("pad", "x, [[3, 3]], 'REFLECT'", x=V, wrt="x"),
    call("pad", "x, [[0, 1], [1, 0], [2, 2]], 'REFLECT'", x=CUBE, wrt="x"),
    *[call("pad", a, x=X, i=I) for a in (
        "x, [[2, 0], [0, 0]], 'REFLECT'", "x, [[3, 0], [0, 0]], 'SYMMETRIC'", "x, [[1, 1]]",
        "x, [[1, 1], [1, 1]], 'EDGE'", "x, [[-1, 0], [0, 0]]", "x, [1, 1]", "x, 1", "x, 1.0",
        "x, 'a'",
        "x, None", "x, [[1.0, 1.0], [1.0, 1.0]]", "i, [[1, 0], [0, 1]], constant_values=7",
        "i, [[1, 0], [0, 1]], constant_values=7.5", "x, [[1, 0], [0, 1]], constant_values=7",
        "x, [[1, 0], [0, 1]], constant_values='a'", "[1, 2], [[1, 1]]", "5.0, []", "5, [[1, 1]]",
        "None, [[1, 1]]", "x, [[1, 1], [1, 1], [1, 1]]",
        "x, [[1, 1, 1], [1, 1, 1]]", "x, [[1, 0], [0, 1]], constant_values=f64(1.0)",
        "x, [[1, 0], [0, 1]], constant_values=[1.0]", "b([True]), [[1, 1]]",
        "x, [[1, 0], [0, 1]], constant_values=None", "tf.zeros([0]), [[1, 1]]",
        "tf.zeros([0]), [[1, 1]], 'REFLECT'", "x, [[1, 0], [0, 1]], 'CONSTANT', np.float64(2.0)",
        "['a'], [[1, 1]]", "['a'], [[1, 1]], constant_values='z'",
        "x, [[-1, 0], [0, 0]], 'REFLECT'",
        "i, [[1, 0], [0, 1]], 'REFLECT'",
    )],
    call("pad", "x, [[1, 1], [1, 1]], None", x=X, ours="ValueError for a raw AttributeError"),
    # ---------------------------------------------------------------- reverse, roll
    *[call("reverse", a, x=X, wrt="x") for a in (
        "x, [0]", "x, [1]", "x, [0, 1]", "x, [-1]", "x, i32([1])", "x, i64([0])",
        "tensor=x, axis=[0], name='n'", "x, []", "x, (1,)",
    )],
    *[call("reverse", a, x=X) for a in (
        "x, 0", "x, 0.0", "x, [2]", "x, [-3]", "x, [0, 0]", "x, [0, -2]", "x, 'a'", "x, [0.0]",
        "x, None",
        "[1, 2], [0]", "5, []", "None, [0]", "x, [[0]]", "['a', 'b'], [0]", "[True, False], [0]",
    )],
    *[call("roll", a, x=X, wrt="x") for a in (
        "x, 1, 0", "x, 2, 1", "x, -1, 1", "x, [1, 2], [0, 1]", "x, [1, 1], [1, 1]", "x, 5, -1",
        "input=x, shift=1, axis=0, name='n'", "x, i32(1), i64(1)", "x, (1, -1), (0, 1)",
        "x, [1], [1]", "x, 0, 0",
    )],
    *[call("roll", a, x=X) for a in (
        "x, 1, 2", "x, 1, -3", "x, [1, 2], 0", "x, 1, [0, 1]", "x, 1.0, 0", "x, 1, 0.5",
        "x, 'a', 0",
        "x, 1", "x, 1, None", "x, None, 0", "5, 1, 0", "[1, 2, 3], 1, 0", "None, 1, 0",
        "x, [[1]], [[0]]", "['a', 'b'], 1, 0", "x, [1, 2], [0]",
    )],
    # ---------------------------------------------------------------- broadcasting
    *[call("broadcast_to", a, x="f32([[1.0], [2.0]])", wrt="x") for a in (
        "x, [2, 3]", "x, (4, 2, 1)", "x, i32([2, 2])", "x, i64([1, 2, 3])",
        "x, tf.TensorShape([2, 3])",
        "input=x, shape=[2, 1], name='n'", "x, np.array([2, 3])", "x, [0, 2, 1]",
    )],
    *[call("broadcast_to", a, x="f32([[1.0], [2.0]])") for a in (
        "x, [3, 3]", "x, [2]", "x, 3", "5, 3", "x, [-1, 2]", "x, [2.0, 3.0]", "x, 2.0", "x, 'a'",
        "x, None", "5, [2]",
        "5.0, []", "None, [2]", "[1, 2], [2, 2]", "['a'], [2]", "[True], [2]", "x, [[2, 3]]",
        "x, []",
        "tf.zeros([0, 1]), [0, 2]",
    )],
    *[call("broadcast_static_shape", a) for a in (
        "tf.TensorShape([2, 1]), tf.TensorShape([3])",
        "tf.TensorShape([2, None]), tf.TensorShape([1, 3])",
        "tf.TensorShape([2]), tf.TensorShape([3])", "tf.TensorShape(None), tf.TensorShape([3])",
        "shape_x=tf.TensorShape([]), shape_y=tf.TensorShape([2])",
        "tf.TensorShape([None]), tf.TensorShape([None])",
        "tf.TensorShape([None]), tf.TensorShape([1])",
        "tf.TensorShape([None]), tf.TensorShape([4])",
    )],
    call("broadcast_static_shape", "[2], [2]", ours="TypeError for a raw AttributeError"),
    *[call("broadcast_dynamic_shape", a) for a in (
        "[2, 1], [3]", "i32([2, 1]), i32([1, 4])", "i64([2]), i64([2])", "shape_x=[1], shape_y=[5]",
        "[2], [3]", "[], [2]", "'a', [2]", "[2.0], [2]", "None, [2]", "2, 3", "i32([2]), i64([2])",
        "tf.TensorShape([2]), tf.TensorShape([1])", "[0], [1]", "[], []",
    )],
    # ---------------------------------------------------------------- together
    program("reshape transpose", "x = tf.Variable([[1.0, 2.0], [3.0, 4.0]])",
            "with tf.GradientTape() as tape:",
            "    y = tf.transpose(tf.reshape(x, [4, 1])) * [[1.0, 2.0, 3.0, 4.0]]",
            "out = tape.gradient(y, x).numpy().tolist()"),
    show("stack unstack", "tf.stack(tf.unstack(x), axis=1)", x=X),
    program("concat", "x = tf.constant(3.0)", "with tf.GradientTape() as outer:",
        "    outer.watch(x)",
            "    with tf.GradientTape() as inner:", "        inner.watch(x)",
            "        y = tf.reduce_sum(tf.square(tf.concat([[x], [x * x]], 0)))",
            "    g = inner.gradient(y, x)", "out = outer.gradient(g, x)"),
]  # fmt: skip
