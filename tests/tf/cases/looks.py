"""How tensors and Variables look and behave in scripts, item by item: shown, read, compared, plotted."""

from tests.tf.scheme import program, show

T = {"s": "f32(1.5)", "x": "f32([1.0, 2.0, 3.0])", "m": "f64([[1.0, 2.0], [3.0, 4.0]])", "i": "i32([3, 1, 2])",
     "c": "c64([1 + 2j])", "b": "b([True, False])", "e": "f32([])", "t": "tf.constant(['a', 'b'])", "n": "i64(7)",
     "v": "tf.Variable([1.0, 2.0, 3.0])", "w": "tf.Variable(1.5, name='w')", "k": "tf.Variable(2)"}  # fmt: skip
EACH = ("s", "x", "m", "i", "c", "b", "e", "t", "n", "v", "w", "k")
NUMBERS = ("s", "x", "m", "i", "c", "b", "n", "v", "w", "k")


def of(names, expression):
    return [show("Variable" if n in "vwk" else "Tensor", expression.replace("X", n), **{n: T[n]}) for n in names]


def both(*sources):
    return [show(name, source, x=T["x"], v=T["v"], s=T["s"], w=T["w"]) for source in sources for name in ("Tensor", "Variable")]


PLOT = ("import matplotlib", "matplotlib.use('Agg')", "import matplotlib.pyplot as plt", "x = tf.constant([0.0, 1.0, 2.0])",
        "v = tf.Variable(2.0)", "fig, ax = plt.subplots()")
CASES = [
    # ------------------------------------------------------------------ shown
    *of(EACH, "repr(X)"), *of(EACH, "str(X)"), *of(EACH, "f'{X}'"), *of(EACH, "'%s' % (X,)"),
    *of(("s", "n", "w", "k"), "f'{X:.3f}'"), *of(("s", "n", "w", "k"), "'%.2f' % X"), *of(("s", "n", "w", "k"), "'%d' % X"),
    *of(("s", "n", "w", "k"), "'{:>8}'.format(float(X))"), *of(("x", "v", "m"), "f'{X:.3f}'"), *of(("x", "v"), "'%.2f' % X"),
    *of(EACH, "format(X.numpy())"), *of(("x", "v"), "repr([X, X])"), *of(("s", "w"), "round(float(X), 1)"),
    # ------------------------------------------------------------------ what it is
    *of(EACH, "X.dtype.name"), *of(EACH, "X.shape.as_list()"), *of(EACH, "X.shape.rank"), *of(EACH, "tuple(X.shape)"),
    *of(EACH, "len(X.shape)"), *of(EACH, "X.shape == tuple(X.numpy().shape)"), *of(EACH, "type(X.numpy()).__name__"),
    *of(EACH, "X.numpy()"), *of(EACH, "X.numpy().dtype == X.dtype"), *of(EACH, "isinstance(X, tf.Tensor)"),
    *of(EACH, "isinstance(X, tf.Variable)"), *of(EACH, "tf.is_tensor(X)"), *of(("x", "m", "v"), "X.numpy() is X.numpy()"),
    *of(("x", "m", "v"), "X.ndim"), *of(("x", "m"), "X.numpy().flags.writeable"), *of(("x", "v"), "X.T"), *of(("x", "v"), "X.sum()"),
    *of(("x", "v"), "X.astype('int32')"), *of(("s", "w"), "X.item()"), *of(("x", "v"), "X.reshape(3)"), *of(("x", "v"), "X.size"),
    # ------------------------------------------------------------------ read as Python's numbers
    *of(NUMBERS, "float(X)"), *of(NUMBERS, "int(X)"), *of(NUMBERS, "complex(X)"), *of(NUMBERS, "bool(X)"),
    *of(("n", "k", "i", "w"), "[10, 20, 30, 40, 50, 60, 70, 80][X]"), *of(("n", "k"), "list(range(X))"),
    *of(("s", "w"), "__import__('math').sqrt(X)"), *of(("s", "w", "n"), "abs(X)"), *of(("w", "v"), "round(X)"),
    *[show("Tensor", what, s=T["s"], ours="TensorFlow lets an AttributeError through, which is a TypeError here")
      for what in ("[10, 20, 30][s]", "list(range(s))", "round(s)")],
    program("Tensor", "x = tf.constant([1.0, 2.0])", "x.value = 3", "out = x", ours="`value` is a field of our tensors"),
    *of(("s", "x", "w", "v"), "'yes' if X else 'no'"), *of(("x", "v"), "not X"),
    # ------------------------------------------------------------------ immutable, assigned
    *[program("Tensor", "x = tf.constant([1.0, 2.0])", f"{change}", "out = x")
      for change in ("x[0] = 5.0", "x[:] = 0.0", "x.shape = [2, 1]", "x.dtype = tf.int32", "del x[0]",
                     "x.numpy()[0] = 9.0", "np.asarray(x)[0] = 9.0", "x += 1.0", "x *= 2", "x.assign([3.0, 4.0])")],
    *[program("Variable", "v = tf.Variable([1.0, 2.0])", f"{change}", "out = v")
      for change in ("v[0] = 5.0", "v += 1.0", "v.assign([3.0, 4.0])", "v.assign_add([1.0, 1.0])", "v[0].assign(7.0)",
                     "v.numpy()[0] = 9.0", "v.shape = [2, 1]", "v.trainable = False", "v.name = 'a'", "del v[0]")],
    # ------------------------------------------------------------------ compared, hashed
    *both("x == v", "v == x", "x == 1.0", "v == [1.0, 5.0, 3.0]", "x != v", "x == None", "v == None", "x == 'a'", "x == [1.0, 2.0]",
          "v == [1.0, 2.0]", "x is x", "s == w", "s < w", "x > 1.5", "bool(s == 1.5)", "bool(w == 1.5)", "s in [s]", "s in [1.5, 2.0]",
          "w in [w]", "[s, w].index(w)", "[w, s].count(1.5)", "hash(x)", "hash(v)", "{x: 1}", "{v}", "len({x.ref(), v.ref(), x.ref()})",
          "{v.ref(): 'a'}[v.ref()]", "x.ref() == x.ref()", "x.ref() == v.ref()", "x.ref().deref() is x", "x.ref() == x",
          "v.ref() in {v.ref()}", "np.array_equal(x, v)", "np.allclose(x, v)"),
    # ------------------------------------------------------------------ iterated
    *both("list(x)", "list(v)", "[float(a) for a in x]", "[float(a) for a in v]", "len(x)", "len(v)", "iter(s)", "list(w)", "len(s)",
          "(lambda a, b, c: [c, a])(*x)", "(lambda a, b, c: [c, a])(*v)", "sum(x)", "sum(v)",
          "max(x)", "min(v)", "sorted(x)", "list(reversed(x))", "list(zip(x, [1, 2, 3]))[1]", "dict(enumerate(x))[2]",
          "list(map(float, v))", "any(x)", "all(x)", "x[0]", "x[-1]", "x[1:]", "x[::2]", "x[None]", "x[..., 0]", "v[1]", "v[::-1]",
          "max([tf.Variable(1.0), tf.Variable(3.0), tf.Variable(2.0)])", "min([tf.Variable(1.0), tf.Variable(3.0)])",
          "sum([tf.Variable(1.0), tf.Variable(3.0)])", "max(tf.Variable(1.0), 2.0)", "max(2.0, tf.constant(3.0))",
          "sorted([tf.Variable(2.0), tf.Variable(1.0)])", "sorted([s, tf.constant(0.5)], key=float)"),
    # ------------------------------------------------------------------ in NumPy's functions
    *both("np.sin(x)", "np.mean(x)", "np.sum(v)", "np.asarray(x)", "np.array(v)", "np.array(x, dtype=np.float64)", "np.array([s, w])",
          "np.stack([x, v])", "np.concatenate([x, v])", "np.max(x)", "np.argmax(x)", "np.dot(x, v)", "np.sqrt(w)", "np.ones(3) * x",
          "x * np.ones(3)", "np.ones(3) + v", "np.float32(2) * x", "np.float64(2) * s", "np.maximum(x, 2)", "np.where(x > 1, x, 0)",
          "np.exp(s)", "np.linspace(0, s, 3)", "np.round(x, 1)", "np.isnan(x)", "np.shape(x)", "np.ndim(x)", "np.size(v)", "np.cumsum(x)",
          "np.zeros(3) + x", "np.full(2, s)", "np.reshape(x, (3, 1))", "np.asarray(x).dtype", "np.asarray(v) is np.asarray(v)",
          "np.ones((2, 3)) @ np.asarray(x)", "np.ones(3) @ x", "np.ones(3) == x", "np.ones(3) < v", "np.ones(3) - x", "np.ones(3) / v",
          "np.ones(3) ** x", "np.array([1, 2, 3])[tf.constant(1)]", "np.arange(5.0)[tf.constant([0, 2])]", "np.testing.assert_allclose(x, v)"),
    # ------------------------------------------------------------------ in matplotlib
    *[program("Variable", *PLOT, *lines, "plt.close(fig)") for lines in (
        ["out = np.array(ax.plot(x, x * v)[0].get_xydata())"],
        ["out = np.array(ax.plot(np.arange(3.0), v * x + 1.0, 'b')[0].get_ydata())"],
        ["out = np.array(ax.plot(x.numpy(), tf.square(x))[0].get_ydata())"],
        ["out = np.array(ax.scatter(x, x * 2.0).get_offsets())"],
        ["out = np.array(ax.plot([v, v.numpy(), float(v)])[0].get_ydata())"],
        ["out = [bar.get_height() for bar in ax.bar([0, 1, 2], x)]"],
        ["out = ax.axhline(v).get_ydata()"],
        ["out = np.array(ax.imshow(tf.reshape(tf.range(4.0), [2, 2])).get_array())"],
        ["out = ax.hist(x, bins=3)[0]"],
        ["out = ax.set_title(f'loss {float(v):.2f}').get_text()"],
    )],
    program("Tensor", *PLOT, "ax.plot(x, x)", "out = ax.get_xlim()", "plt.close(fig)"),
]  # fmt: skip
