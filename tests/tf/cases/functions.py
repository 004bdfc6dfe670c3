"""tf.function and what calls Python."""

from dataclasses import replace

from tests.tf.scheme import call, program, show

PRINT = ("import io, tempfile, os", "folder = tempfile.mkdtemp()", "path = folder + '/out'")


def printed(*inputs, **options):
    """What tf.print writes, by way of a file: TensorFlow writes past Python's streams."""
    extra = "".join(f", {key}={value!r}" for key, value in options.items())
    return program(
        "print", *PRINT, f"tf.print({', '.join(inputs)}, output_stream='file://' + path{extra})",
        "out = open(path).read()",
    )  # fmt: skip


CASES = [
    program("function", "f = tf.function(lambda x: x * 2)", "out = f(tf.constant([1.0, 2.0]))"),
    program("function", "@tf.function", "def f(x, n):", "    return {'a': x * n, 'b': (n, None)}",
            "out = f(np.ones(2, np.float32), 3)"),
    program("function", "@tf.function(jit_compile=None, reduce_retracing=True, autograph=False)",
            "def f(x):", "    'doc'", "    return x + 1",
            "out = [f(tf.constant(1.0)), f.__name__, f.__doc__, f.python_function(2.0)]"),
    program("function", "v = tf.Variable(2.0)", "@tf.function", "def step(x):",
            "    with tf.GradientTape() as tape:", "        y = v * v * x",
            "    g = tape.gradient(y, v)", "    v.assign_sub(0.1 * g)", "    return g",
            "out = [step(tf.constant(3.0)), step(tf.constant(3.0)), v]"),
    program("function", "v = tf.Variable(2.0)", "f = tf.function(lambda x: x * v)",
            "with tf.GradientTape() as tape:", "    y = f(tf.constant(3.0))",
            "out = tape.gradient(y, v)"),
    program("function", "f = tf.function(lambda: 3)", "out = f()"),
    *(
        program("function", "f = tf.function(lambda x: x + 1, "
                "input_signature=[tf.TensorSpec([None], tf.float32)])", f"out = f({argument})")
        for argument in ("[1.0, 2.0]", "np.ones(2)", "tf.constant([1.0, 2.0])", "x=[1.0]",
                         "tf.constant([1.0], tf.float64)", "tf.constant([[1.0]])",
                         "[1.0], 2", "", "'a'")
    ),
    # ---- traces
    program("function", "f = tf.function(lambda x, n=2: x * n)",
            "for a in ((1.0,), (2.0,), (tf.constant(1.0),), (tf.constant(2.0),), (np.float32(3),), "
            "(tf.constant([1.0]),), (tf.constant([1.0, 2.0]), 3)): f(*a)",
            "f(tf.constant([5.0, 6.0]), n=3)", "out = f.experimental_get_tracing_count()"),
    program("function", "f = tf.function(lambda x: x + 1, reduce_retracing=True)", "out = []",
            "for shape in ([1], [2], [3], [2, 2], [4]):", "    f(tf.ones(shape))",
            "    out.append(f.experimental_get_tracing_count())"),
    program("function", "f = tf.function(lambda x: x + 1, "
            "input_signature=[tf.TensorSpec([None], tf.float32)])",
            "for n in (1, 2, 3): f(tf.ones(n))", "out = f.experimental_get_tracing_count()"),
    program("function", "seen = []", "@tf.function", "def f(x):", "    seen.append(1)",
            "    return x * 2", "for x in (1.0, 2.0, [2.0]): f(tf.constant(x))",
            "g = f.get_concrete_function(tf.TensorSpec([], tf.float32))",
            "out = [len(seen), f.experimental_get_tracing_count(), g(tf.constant(4.0))]"),
    program("function", "g = tf.function(lambda x: x * 2).get_concrete_function("
            "tf.TensorSpec([], tf.int32))", "out = g(tf.constant([1, 2]))",
            ours="a concrete function refuses a shape that it was not made for"),
    program("function", "class Lazy:", "    v = None", "    @tf.function",
            "    def __call__(self, x):", "        if self.v is None:",
            "            self.v = tf.Variable(1.0)", "        return self.v.assign_add(x)",
            "lazy = Lazy()", "out = [lazy(tf.constant(1.0)), lazy(tf.constant(1.0)), lazy.v]"),
    program("function", "f = tf.function(lambda x: tf.Variable(1.0) * x)",
            "out = f(tf.constant(1.0))"),
    program("executing_eagerly inside_function", "f = tf.function(lambda: [tf.executing_eagerly(), "
            "tf.inside_function()])", "out = [f(), tf.executing_eagerly(), tf.inside_function()]"),
    program("function", "w = tf.Variable(3.0)", "@tf.function", "def f():",
            "    w.assign(w * 2.0)", "    r = w + 1.0", "    w.assign_sub(1.0)", "    return r, w",
            "out = [f(), f(), w]"),
    program("config.run_functions_eagerly", "seen = []", "f = tf.function(lambda: seen.append(1))",
            "f(), f()", "tf.config.run_functions_eagerly(True)", "f(), f()",
            "tf.config.run_functions_eagerly(False)", "out = len(seen)"),
    program("switch_case case", "@tf.function", "def f(i, x):",
            "    return (tf.switch_case(i, [lambda: x, lambda: x * 2.0, lambda: x * 3.0]), "
            "tf.case([(x > 2.0, lambda: x * 10.0), (x > 1.0, lambda: x * 20.0)], "
            "default=lambda: x))",
            "out = [f(tf.constant(i), tf.constant(x)) for i, x in ((0, 1.0), (1, 1.5), (7, 3.0))]"),
    program("cond while_loop", "x = tf.Variable(1.5)", "@tf.function", "def f(n):",
            "    y = tf.while_loop(lambda i, y: i < n, lambda i, y: (i + 1, y * x), "
            "(tf.constant(0), tf.constant(1.0)), maximum_iterations=4)[1]",
            "    return tf.cond(y > 4.0, lambda: {'y': y * 2.0}, lambda: {'y': y * x})",
            "out = []", "for n in (1, 3, 9):", "    with tf.GradientTape() as tape:",
            "        y = f(tf.constant(n))['y']", "    out += [y, tape.gradient(y, x)]"),
    program("function", "@tf.function(jit_compile=True)", "def f(x):",
            "    with tf.GradientTape() as outer:", "        outer.watch(x)",
            "        with tf.GradientTape() as tape:", "            tape.watch(x)",
            "            y = tf.reduce_sum(x ** 3)", "        g = tape.gradient(y, x)",
            "    return outer.gradient(g, x)", "out = f(tf.constant([1.0, 2.0]))"),
    program("function", "f = tf.function(lambda x, i: tf.gather(x, i))",
            "out = f(tf.constant([1.0, 2.0]), tf.constant([1, 0, 1]))"),
    program("function", "f = tf.function(lambda x, i: tf.gather(x, i + 0))",
            "out = f(tf.constant([1.0, 2.0]), tf.constant([2]))"),
    program("function", "f = tf.function(lambda x: tf.linalg.inv(x))", "f(tf.eye(2))",
            "out = f(tf.ones([2, 2]))"),
    # ---- over rows
    *[call(name, f"lambda a, v: {body}, x", x="f64([[1.0, 2.0], [3.0, -4.0], [0.5, 6.0]])", wrt="x")
      for name in ("scan", "foldl", "foldr") for body in ("a * v", "tf.sin(a) + v")],
    call("scan", "lambda a, v: a * v, x, i, reverse=True", x="f64([[1.0, 2.0], [3.0, -4.0]])",
         i="f64([2.0, 0.5])", wrt="x i"),
    call("scan", "lambda a, v: (a[0] + v, a[1] * 2.0), x, (tf.zeros(2, tf.float64), "
         "tf.constant(1.0))", x="f64([[1.0, 2.0], [3.0, -4.0]])", wrt="x"),
    *[call(name, "lambda a, v: a * v, x, i", x="f64([[1.0, 2.0], [3.0, -4.0]])",
           i="f64([2.0, 0.5])", wrt="x i") for name in ("foldl", "foldr")],
    *[call(name, "lambda a, v: a, (x, x[:1])", x="f64([[1.0, 2.0], [3.0, -4.0]])")
      for name in ("scan", "foldl", "foldr", "map_fn")],
    *[call(name, "lambda v: tf.reduce_sum(v * v), x", x="f64([[1.0, 2.0], [3.0, -4.0]])", wrt="x")
      for name in ("map_fn", "vectorized_map")],
    call("map_fn", "lambda v: tf.argmax(v), x, fn_output_signature=tf.int64", x="f64([[1.0, 2.0]])"),
    call("map_fn", "lambda v: tf.argmax(v), x", x="f64([[1.0, 2.0]])"),
    call("map_fn", "lambda v: v[0] * v[1], (x, x)", x="f64([[1.0, 2.0]])"),
    call("map_fn", "lambda v: (v[0] * v[1], v[0]), (x, x)", x="f64([[1.0, 2.0]])", wrt="x"),
    call("map_fn", "lambda v: v, 1.0"), call("map_fn", "lambda v: v, [1.0, 2.0]"),
    call("vectorized_map", "1, x", x="f64([[1.0, 2.0]])"),
    call("vectorized_map", "lambda v: (v[0] * v[1], 1.0), (x, x)", x="f64([[1.0, 2.0]])"),
    program("map_fn scan", "x = tf.constant([[1.0, 2.0], [3.0, 4.0]], tf.float64)",
            "@tf.function", "def f(x):", "    y = tf.map_fn(lambda v: v * v, x)",
            "    return tf.reduce_sum(tf.scan(lambda a, v: a * v, y))",
            "with tf.GradientTape() as tape:", "    tape.watch(x)", "    y = f(x)",
            "out = [y, tape.gradient(y, x)]"),
    program("init_scope", "v = tf.Variable(2.0)", "with tf.GradientTape() as tape:",
            "    with tf.init_scope():", "        y = v * 3.0", "out = [y, tape.gradient(y, v)]"),
    show("cond", "tf.cond(x > 1.0, lambda: x * 2.0, lambda: x)", x="f32(3.0)"),
    show("cond", "tf.cond(False, lambda: tf.constant(1), lambda: tf.constant(2), name='n')"),
    show("cond", "tf.cond(True, 1, lambda: 2)"),
    show("while_loop", "tf.while_loop(lambda i, s: i < 5, lambda i, s: (i + 1, s * 2.0), "
         "(tf.constant(0), tf.constant(1.0)))"),
    show("while_loop", "tf.while_loop(lambda i: i < 50, lambda i: [i + 1], [tf.constant(0)], "
         "maximum_iterations=3)"),
    *[show("while_loop", f"tf.while_loop({a})") for a in (
        "lambda i: i < 5, lambda i: (i + 1,), [tf.constant(0)]",
        "lambda i: i < 5, lambda i: [i + 1], (tf.constant(0),)",
        "lambda i: i < 0, lambda i: (i + 1,), [tf.constant(0)]",
        "lambda i: i < 5, lambda i: (i + 1,), [tf.constant(0)], maximum_iterations=0",
    )],
    show("while_loop", "tf.while_loop(lambda i: i < 5, lambda i: (i + 1,), [tf.constant(0)], "
         "maximum_iterations=2)",
         ours="a tuple for a list is taken with maximum_iterations too, as without"),
    show("while_loop", "tf.while_loop(1, lambda i: i + 1, [tf.constant(0)])"),
    show("while_loop", "tf.while_loop(lambda: True, lambda: 1, [])"),
    program("while_loop", "x = tf.Variable(1.5)", "with tf.GradientTape() as tape:",
            "    _, y = tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, y * x), "
            "(tf.constant(0), tf.constant(1.0)))", "out = tape.gradient(y, x)"),
    show("switch_case", "tf.switch_case(i, [lambda: tf.constant(7), lambda: tf.constant(8)])",
         i="i32(1)"),
    show("switch_case", "tf.switch_case(i, {1: lambda: tf.constant(7), 0: lambda: tf.constant(8)}, "
         "default=lambda: tf.constant(9))", i="i32(4)"),
    show("switch_case", "tf.switch_case(i, [lambda: tf.constant(7), lambda: tf.constant(8)])",
         i="i32(9)"),
    show("switch_case", "tf.switch_case(i, {3: lambda: tf.constant(7)})", i="i32(4)"),
    show("case", "tf.case([(x > 5.0, lambda: x), (x > 1.0, lambda: x * 2.0)], "
         "default=lambda: x * 3.0)", x="f32(2.0)"),
    show("case", "tf.case([(x > 5.0, lambda: x)], default=lambda: x * 3.0, exclusive=True)",
         x="f32(2.0)"),
    show("case", "tf.case([(x > 1.0, lambda: x), (x > 0.0, lambda: x)], exclusive=True)",
         x="f32(2.0)", ours="TensorFlow does not look eagerly whether one condition alone holds"),
    show("group", "tf.group(tf.constant(1.0), tf.constant(2))"),
    show("no_op", "tf.no_op(name='n')"),
    program("control_dependencies", "with tf.control_dependencies([tf.constant(1.0)]):",
            "    out = tf.constant(2.0)"),
    show("py_function", "tf.py_function(lambda x: x * 2, [x], tf.float32)", x="f32([1.0, 2.0])"),
    show("py_function", "tf.py_function(lambda x, y: [x * 2, y], [x, 3], [tf.float32, tf.int32])",
         x="f32([1.0, 2.0])"),
    show("py_function", "tf.py_function(lambda x: x * 2, [x], tf.int32)", x="f32([1.0, 2.0])"),
    show("py_function", "tf.py_function(lambda x: [x, x], [x], [tf.float32])", x="f32([1.0])",
         ours="TensorFlow stacks two results for one dtype without a word"),
    show("py_function", "tf.py_function(lambda: None, [], [])"),
    program("py_function", "x = tf.Variable(2.0)", "with tf.GradientTape() as tape:",
            "    y = tf.py_function(func=lambda v: v * v, inp=[x], Tout=tf.float32, name='n')",
            "out = tape.gradient(y, x)"),
    show("numpy_function", "tf.numpy_function(lambda x: np.cumsum(x), [x], tf.float32)",
         x="f32([1.0, 2.0])"),
    show("numpy_function", "tf.numpy_function(lambda x: (x, x.sum()), [x], [tf.float32, "
         "tf.float32])", x="f32([1.0, 2.0])"),
    show("numpy_function", "tf.numpy_function(lambda x: type(x).__name__, [x], tf.string)",
         x="f32([1.0, 2.0])"),
    program("numpy_function", "x = tf.Variable(2.0)", "with tf.GradientTape() as tape:",
            "    y = tf.numpy_function(lambda v: v * v, [x], tf.float32)",
            "out = tape.gradient(y, x)"),
    printed("1", "tf.constant([1.0, 2.5])"),
    printed("tf.constant(np.arange(24.0, dtype=np.float32).reshape(2, 3, 4))"),
    printed("tf.cast(np.arange(10), tf.int32)"),
    printed("tf.constant(np.arange(64).reshape(8, 8))", summarize=2),
    printed("tf.cast(np.arange(10), tf.int32)", summarize=-1),
    printed("'a'", "[tf.constant(1), {'x': tf.constant(2.0)}]", sep=","),
    printed("tf.Variable(1.0)", "None", "True", "tf.constant(True)", "tf.constant('s')"),
    printed("tf.constant([[1.123456789]])", "np.ones(2)"),
    printed("tf.constant(1e-10)", "tf.constant(123456.789)", "tf.constant(1e20)", "tf.constant([0.1])"),
    printed("tf.constant(1 / 3, tf.float64)", "tf.constant(3.0)", "tf.constant([np.inf, np.nan])"),
    printed("tf.constant(1.5)", "'x'", end="!"),
    [replace(case, ours="TensorFlow writes ? for a complex number")
     for case in printed("tf.constant(1 + 2j)")],
    call("print", "1, wrong=2"),
    call("print", "1, output_stream='nowhere'"),
]
