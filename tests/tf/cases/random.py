"""Random numbers: what can be said of them whatever their bits are, and mistakes."""

from tests.tf.scheme import call, program, show

N = 20000
# mean and standard deviation within six standard errors, and all numbers inside the bounds
CHECK = ("def near(x, mean, std, low=-np.inf, high=np.inf):\n"
         "    x = x.numpy().astype(float).ravel()\n"
         "    return bool(abs(x.mean() - mean) < 6 * std / len(x) ** 0.5\n"
         "                and abs(x.std() - std) < 0.06 * std and low <= x.min() and x.max() <= high)")  # fmt: skip


def drawn(name, arguments, mean, std, low="-np.inf", high="np.inf", seeded=True):
    first = ["tf.random.set_seed(7)"] if seeded else []
    return program(name, CHECK, *first, f"x = tf.{name}({arguments})",
                   f"out = [near(x, {mean}, {std}, {low}, {high}), x.shape, x.dtype]")  # fmt: skip


def from_generator(method, arguments, mean, std, low="-np.inf", high="np.inf"):
    return program("random.Generator", CHECK, "g = tf.random.Generator.from_seed(3)",
                   f"x = g.{method}({arguments})",
                   f"out = [near(x, {mean}, {std}, {low}, {high}), x.shape, x.dtype]")  # fmt: skip


SAME = "def same(a, b): return np.array_equal(a.numpy(), b.numpy())"


def rule(names, *lines):
    return program(names, SAME, *lines)


DRAWS = ["tf.random.normal([4])", "tf.random.uniform([4])", "tf.random.truncated_normal([4])",
         "tf.random.uniform([4], 0, 2**20, tf.int32)", "tf.random.shuffle(np.arange(200))",
         "tf.random.categorical([[0.0] * 99], 9)", "tf.random.gamma([4], 2.0)",
         "tf.random.poisson([40], 9.0)"]  # fmt: skip
NAME = {d: d[3 : d.index("(")] for d in DRAWS}
STATELESS = ["tf.random.stateless_normal([4], {})", "tf.random.stateless_uniform([4], {})",
             "tf.random.stateless_truncated_normal([4], {})",
             "tf.random.stateless_uniform([4], {}, None, None, tf.int32)",
             "tf.random.stateless_categorical([[0.0] * 99], 9, {})",
             "tf.random.stateless_gamma([4], {}, 2.0)",
             "tf.random.stateless_poisson([40], {}, 9.0)",
             "tf.random.stateless_binomial([40], {}, 100.0, 0.5)",
             "tf.random.experimental.stateless_shuffle(np.arange(200), {})",
             "tf.random.split({})", "tf.random.fold_in({}, 3)",
             "tf.random.experimental.stateless_split({})",
             "tf.random.experimental.stateless_fold_in({}, 3)"]  # fmt: skip
GENERATED = ["g.normal([4])", "g.uniform([4])", "g.truncated_normal([4])",
             "g.uniform([4], 0, 2**20, tf.int32)", "g.uniform_full_int([4])",
             "g.binomial([4], 1e6, 0.5)", "g.make_seeds(2)"]  # fmt: skip

CASES = [
    # ------------------------------------------------------------------ distributions
    drawn("random.normal", f"[{N}]", 0, 1, -7, 7),
    drawn("random.normal", f"[{N}]", 0, 1, -7, 7, seeded=False),
    drawn("random.normal", f"[100, {N // 100}], 3.0, 2.0, tf.float64", 3, 2),
    drawn("random.normal", f"[{N}], dtype=tf.float16", 0, 1),
    drawn("random.normal", f"[{N}, 2], mean=[1.0, 1.0], stddev=1", 1, 1),
    drawn("random.uniform", f"[{N}]", 0.5, 0.2887, 0, "1 - 1e-9"),
    drawn("random.uniform", f"[{N}], -1.0, 3.0, dtype='float64'", 1, 1.1547, -1, 3),
    drawn("random.uniform", f"[{N}], dtype=tf.float16", 0.5, 0.2887, 0, 0.9999),
    drawn("random.uniform", f"[{N}], maxval=6, dtype=tf.int32", 2.5, 1.7078, 0, 5),
    drawn("random.uniform", f"[{N}], -3, 4, tf.int64", 0, 2, -3, 3),
    drawn("random.truncated_normal", f"[{N}]", 0, 0.8796, -2, 2),
    drawn("random.truncated_normal", f"[{N}], 5.0, 2.0, tf.float64", 5, 1.7592, 1, 9),
    drawn("random.truncated_normal", f"[{N}], dtype=tf.float16", 0, 0.8796, -2, 2),
    drawn("random.gamma", f"[{N}], 4.0", 4, 2, 0),
    drawn("random.gamma", f"[{N}], 4.0, 2.0, tf.float64", 2, 1, 0),
    drawn("random.gamma", f"[{N}], [4.0, 4.0], [[2.0]]", 2, 1, 0),
    drawn("random.poisson", f"[{N}], 4.0", 4, 2, 0),
    drawn("random.poisson", f"[{N}], [4.0, 4.0], tf.int64", 4, 2, 0),
    drawn("random.categorical", f"tf.math.log([[0.5, 0.5], [0.5, 0.5]]), {N}", 0.5, 0.5, 0, 1),
    drawn("random.categorical", f"[[0.0, 0.0, -np.inf]], {N}, dtype=tf.int32", 0.5, 0.5, 0, 1),
    drawn("random.categorical", f"tf.math.log([[9.0, 1.0]]), {N}", 0.1, 0.3, 0, 1),
    drawn("random.stateless_normal", f"[{N}], [1, 2]", 0, 1, -7, 7),
    drawn("random.stateless_normal", f"[{N}], [1, 2], 3.0, 2.0, tf.float64", 3, 2),
    drawn("random.stateless_uniform", f"[{N}], [1, 2]", 0.5, 0.2887, 0, "1 - 1e-9"),
    drawn("random.stateless_uniform", f"[{N}], [1, 2], 0, 6, tf.int32", 2.5, 1.7078, 0, 5),
    drawn("random.stateless_uniform", f"[{N}], [1, 2], None, None, tf.uint32", 2**31, 2**32 / 12**0.5),
    drawn("random.stateless_truncated_normal", f"[{N}], [1, 2]", 0, 0.8796, -2, 2),
    drawn("random.stateless_gamma", f"[{N}], [1, 2], 4.0, 2.0", 2, 1, 0),
    drawn("random.stateless_poisson", f"[{N}], [1, 2], 4.0", 4, 2, 0),
    drawn("random.stateless_binomial", f"[{N}], [1, 2], 100.0, 0.2", 20, 4, 0, 100),
    drawn("random.stateless_categorical", f"[[0.0, 0.0]], {N}, [1, 2]", 0.5, 0.5, 0, 1),
    from_generator("normal", f"[{N}]", 0, 1, -7, 7),
    from_generator("normal", f"[{N}], 3.0, 2.0, tf.float64", 3, 2),
    from_generator("uniform", f"[{N}]", 0.5, 0.2887, 0, "1 - 1e-9"),
    from_generator("uniform", f"[{N}], 0, 6, tf.int32", 2.5, 1.7078, 0, 5),
    from_generator("truncated_normal", f"[{N}]", 0, 0.8796, -2, 2),
    from_generator("binomial", f"[{N}], 100.0, 0.2", 20, 4, 0, 100),
    from_generator("uniform_full_int", f"[{N}], tf.uint32", 2**31, 2**32 / 12**0.5),
    show("random.shuffle", "np.sort(tf.random.shuffle(np.arange(9)).numpy())"),
    show("random.shuffle", "(lambda s: [s.shape, s[:, 1] - s[:, 0]])"
         "(tf.random.shuffle([[1, 2], [3, 4], [5, 6]]))"),
    call("random.shuffle", "3"), call("random.shuffle", "[]"), call("random.shuffle", "'a'"),
    show("random.experimental.stateless_shuffle",
         "np.sort(tf.random.experimental.stateless_shuffle(np.arange(9), [1, 2]).numpy())"),
    call("random.experimental.stateless_shuffle", "3, [1, 2]"),
    show("random.gamma", "tf.random.gamma([2], -1.0)"),
    show("random.poisson", "tf.random.poisson([2], 0.0)"),
    show("random.poisson", "tf.random.poisson([2], -1.0)"),
    # ------------------------------------------------------------------ shapes and dtypes
    *[show(source[3 : source.index("(")], f"(lambda x: [x.shape, x.dtype])({source})") for source in (
        "tf.random.normal([])", "tf.random.normal([0, 3])", "tf.random.normal((2,))",
        "tf.random.normal(f32([1, 2]).shape)", "tf.random.normal(tf.constant([2, 3]))",
        "tf.random.normal(np.array([2, 3]))", "tf.random.normal([2], [1.0, 2.0], [[1.0], [2.0]])",
        "tf.random.uniform([])", "tf.random.uniform([2], dtype=tf.float16)",
        "tf.random.uniform([0], 5, 5, tf.int32)", "tf.random.uniform([2], maxval=[1.0, 2.0])",
        "tf.random.uniform([2], 3.0, 1.0)", "tf.random.uniform([2], maxval=np.float64(3))",
        "tf.random.truncated_normal([2], stddev=-1.0)", "tf.random.gamma([2], [1.0, 2.0, 3.0])",
        "tf.random.gamma([2], [1.0, 2.0], [[1.0], [2.0]])", "tf.random.gamma([], 2)",
        "tf.random.poisson([2], [1.0, 2.0], tf.int32)", "tf.random.poisson([2], 3)",
        "tf.random.categorical([[0.0, 1.0]], 0)", "tf.random.categorical(tf.constant(np.zeros([0, 2], np.float32)), 3)",
        "tf.random.categorical(f64([[0.0, 1.0]]), 3)",
        "tf.random.stateless_gamma([2, 3], [1, 2], [1.0, 2.0, 3.0])",
        "tf.random.stateless_poisson([2], [1, 2], [3.0, 2.0], tf.float32)",
        "tf.random.stateless_binomial([3, 2], [1, 2], [3.0, 2.0], 0.5, tf.float32)",
        "tf.random.split([1, 2], 3)", "tf.random.split(i64([1, 2]))",
        "tf.random.fold_in([1, 2], 3)", "tf.random.experimental.stateless_split([1, 2], 3)",
        "tf.random.experimental.stateless_fold_in([1, 2], 3)",
    )],
    show("random.fold_in", "tf.random.fold_in([1, 2], 3)[1]"),
    # ------------------------------------------------------------------ gradients
    *[program(source[3 : source.index("(")], "m = tf.Variable(1.0)", "s = tf.Variable(2.0)",
              f"with tf.GradientTape() as t: y = tf.reduce_sum({source})",
              "g = t.gradient(y, [m, s])",
              # in float32 the terms are rounded by 1e-6, and their sum may be near 0
              f"out = [g[0], np.isclose(y, {again}, rtol=1e-5, atol=2e-5)]")
      for source, again in (
          ("tf.random.normal([3], m, s)", "3 * m + s * g[1]"),
          ("tf.random.truncated_normal([3], m, s)", "3 * m + s * g[1]"),
          ("tf.random.stateless_normal([3], [1, 2], m, s)", "3 * m + s * g[1]"),
          ("tf.random.stateless_truncated_normal([3], [1, 2], m, s)", "3 * m + s * g[1]"),
      )],
    program("random.uniform", "a = tf.Variable(1.0)", "b = tf.Variable(2.0)",
            "with tf.GradientTape() as t: y = tf.reduce_sum(tf.random.uniform([3], a, b))",
            "g = t.gradient(y, [a, b])", "out = np.isclose(y, a * g[0] + b * g[1])"),
    program("random.gamma", "b = tf.Variable(2.0)",
            "with tf.GradientTape() as t: y = tf.random.gamma([], 3.0, b)",
            "out = np.isclose(t.gradient(y, b), -y / b)"),
    *[program(name, "a, b = tf.Variable([0.3, 4.0]), tf.Variable(2.0)",
              f"with tf.GradientTape() as t: y = tf.random.{draw}", "g = t.gradient(y, [a, b])",
              "out = [x.shape.as_list() for x in g]",
              "out.append(np.abs(g[0].numpy() / 20000 - 0.5) < 0.05)  # the mean is a / b")
      for name, draw in (("random.gamma", "gamma([20000], a, b)"),
                         ("random.stateless_gamma", "stateless_gamma([20000, 2], [1, 2], a, b)"))],
    program("random.gamma", "a = tf.Variable(3.0)", "with tf.GradientTape() as outer:",
            "    with tf.GradientTape() as t: y = tf.random.gamma([3], a)", "    g = t.gradient(y, a)",
            "out = outer.gradient(g, a)"),
    # ------------------------------------------------------------------ seeding
    *[rule(f"random.set_seed {NAME[d]}", "tf.random.set_seed(5)", f"a, b = {d}, {d}",
           "tf.random.set_seed(5)", f"c, d = {d}, {d}", "tf.random.set_seed(6)", f"e = {d}",
           "out = [same(a, c), same(b, d), same(a, b), same(a, e)]") for d in DRAWS],
    *[rule(NAME[d], "tf.random.set_seed(5)", f"a, b = {s}, {s}", "tf.random.set_seed(5)",
           f"c, d = {s}, {s}", "tf.random.set_seed(6)", f"e = {s}",
           "out = [same(a, c), same(b, d), same(a, b), same(a, e)]")
      for d in DRAWS for s in [d[:-1] + ", seed=3)"]],
    *[rule(NAME[d], "tf.random.set_seed(5)", f"a = {d}", f"b = {d[:-1]}, seed=3)",
           "tf.random.set_seed(5)", f"c = {d[:-1]}, seed=3)", f"d = {d}",
           "out = [same(a, d), same(b, c), same(a, b)]") for d in DRAWS],
    *[rule(NAME[d], f"a = {d}", f"b = {d}", "out = same(a, b)") for d in DRAWS],
    rule("random.normal", "tf.random.set_seed(5)", "a = tf.random.normal([4], seed=1)",
         "b = tf.random.normal([4], seed=2)", "tf.random.set_seed(5)",
         "c = tf.random.normal([4], seed=2)", "d = tf.random.normal([4], seed=1)",
         "out = [same(a, d), same(b, c), same(a, b)]"),
    rule("random.normal", "tf.random.set_seed(5)", "a = tf.random.uniform([4])",
         "b = tf.random.normal([4])", "tf.random.set_seed(5)",
         "c = tf.random.normal([4])", "d = tf.random.normal([4])",
         "out = [same(b, c), same(b, d)]"),
    rule("random.set_seed", "tf.random.set_seed(5.7)", "a = tf.random.normal([4])",
         "out = a.shape"),
    call("random.set_seed", "None"), call("random.set_seed", "i64(3)"),
    *[rule(s[3 : s.index("(")], f"a, b, c = {s.format('[1, 2]')}, {s.format('[1, 2]')}, "
           f"{s.format('[1, 3]')}", "out = [same(a, b), same(a, c)]") for s in STATELESS
      if "fold_in" not in s],
    *[rule(s[3 : s.index("(")], f"a, b, c = {s.format('[1, 2]')}, {s.format('[1, 2]')}, "
           f"{s.format('[2, 2]')}", "tf.random.set_seed(1)", f"d = {s.format('[1, 2]')}",
           "out = [same(a, b), same(a, c), same(a, d)]") for s in STATELESS if "fold_in" in s],
    # ------------------------------------------------------------------ generators
    *[rule("random.Generator random.experimental.Generator",
           "g = tf.random.Generator.from_seed(1)", f"a, b = {s}, {s}",
           "g = tf.random.Generator.from_seed(1)", f"c, d = {s}, {s}", "g.reset_from_seed(1)",
           f"e = {s}", "g.reset_from_seed(2)", f"f = {s}",
           "out = [same(a, c), same(b, d), same(a, e), same(a, b), same(a, f), a.shape, a.dtype]")
      for s in GENERATED],
    *[program("random.Generator", "g = tf.random.Generator.from_seed(1)", s,
              "out = g.state.numpy()") for s in
      ["g.normal([2, 3])", "g.uniform([])", "g.split(2)", "g.skip(3)", "g.skip(2**60)",
       *[s for s in GENERATED if "binomial" not in s]]],
    *[show("random.Generator", s) for s in (
        "tf.random.Generator.from_seed(1).state", "tf.random.Generator.from_seed(-1).state",
        "tf.random.Generator.from_seed(2**63).state", "tf.random.Generator.from_seed(1.5).state",
        "tf.random.Generator.from_seed([1, 2]).state", "tf.random.Generator.from_seed([1, 2, 3, 4]).state",
        "tf.random.Generator.from_seed(5, 'threefry').state", "tf.random.Generator.from_seed(1).key",
        "tf.random.Generator.from_seed(1, alg='philox').algorithm",
        "tf.random.Generator.from_seed(1, alg='bogus')", "tf.random.Generator.from_seed('a')",
        "tf.random.Generator.from_state([1, 2, 3], 1).state",
        "tf.random.Generator.from_state([1, 2], 'philox')",
        "tf.random.Generator.from_key_counter(1, [0, 7], 'philox').state",
        "tf.random.Generator.from_key_counter(1, 0, 'philox')",
        "tf.random.Generator(copy_from=tf.random.Generator.from_seed(5)).state",
        "tf.random.Generator(state=[1, 2, 3], alg='philox').state",
        "tf.random.Generator.from_seed(1).skip(3)", "len(tf.random.Generator.from_seed(1).split(3))",
        "tf.random.Generator.from_seed(1).split(0)", "tf.random.Generator.from_seed(1).make_seeds(2)[1]",
        "tf.random.Generator.from_seed(1).reset(i64([1, 2, 3]))",
        "tf.random.Generator.from_seed(1).reset([1, 2])",
        "tf.random.Generator.from_seed(1).reset_from_key_counter(1, [0, 0])",
        "tf.random.Generator.from_seed(1).uniform([2], dtype=tf.int32)",
        "tf.random.Generator.from_seed(1).uniform([2], 3, 2, tf.int32)",
        "tf.random.Generator.from_seed(1).uniform_full_int([2], tf.float32)",
        "tf.random.Generator.from_seed(1).normal(2)",
        "tf.random.Generator.from_seed(1).normal([2], dtype=tf.int32)",
        "tf.random.Generator.from_seed(1).binomial([2], [10.0], [0.5])",
        "tf.random.Generator.from_non_deterministic_state().state.shape",
        "tf.random.Generator.from_seed(1).bogus")],
    show("random.Generator", "tf.random.Generator()",
         ours="a RuntimeError with the remedy; TensorFlow asserts"),
    rule("random.Generator", "g, h = tf.random.Generator.from_seed(1).split(2)",
         "out = same(g.normal([4]), h.normal([4]))"),
    rule("random.Generator", "g = tf.random.Generator.from_seed(1)",
         "h = tf.random.Generator.from_state(g.state, g.algorithm)",
         "out = [same(g.normal([4]), h.normal([4])), same(g.normal([4]), h.uniform([4]))]"),
    rule("random.get_global_generator random.set_global_generator "
         "random.experimental.get_global_generator random.experimental.set_global_generator",
         "g = tf.random.Generator.from_seed(1)", "tf.random.set_global_generator(g)",
         "h = tf.random.get_global_generator()", "out = h is g"),
    show("random.get_global_generator", "tf.random.get_global_generator() is "
         "tf.random.get_global_generator()"),
    call("random.create_rng_state random.experimental.create_rng_state", "1, 'philox'"),
    show("random.Algorithm random.experimental.Algorithm",
         "[tf.random.Algorithm.PHILOX, tf.random.Algorithm.THREEFRY.value, "
         "tf.random.Algorithm.AUTO_SELECT.name]"),
    # ------------------------------------------------------------------ mistakes
    *[call("random.normal random.truncated_normal", a) for a in (
        "[2, 2], dtype=tf.int32", "[-1]", "3", "[2.5]", "[2], [1.0, 2.0, 3.0]",
        "[2], mean=f64(1.0)", "'a'", "None", "[2], dtype=tf.complex64, mean=0.0", "")],
    *[call("random.uniform", a) for a in (
        "[2], dtype=tf.int32", "[2], 5, 5, tf.int32", "[2], 6, 5, tf.int32", "3", "[-1]",
        "[2], dtype=tf.uint8, maxval=3", "[2], dtype=tf.bool", "[2], 0.5, 2.5, tf.int32",
        "[3], [0, 1, 2], [5, 6, 7], tf.int32", "[2], dtype=tf.complex64",
        "[2], f32(1.0), dtype=tf.float64")],
    *[call("random.categorical", a) for a in (
        "[0.0, 1.0], 4", "[[0.0, 1.0]], -1", "[[0.0, 1.0]], 4, dtype=tf.float32", "[[0, 1]], 4",
        "tf.constant(np.zeros([2, 0], np.float32)), 4", "[[0.0, 1.0]], [4]")],
    *[call("random.gamma", a) for a in ("[2], 2.0, dtype=tf.int32", "3, 2.0", "[2], [1.0, 2.0], "
                                        "[1.0, 2.0, 3.0]", "[2]")],
    *[call("random.poisson", a) for a in ("3, 2.0", "[2], 2.0, dtype=tf.bool", "[2]")],
    *[call("random.stateless_normal random.stateless_uniform random.stateless_truncated_normal",
           f"[2], {a}") for a in ("[1]", "1", "[1, 2, 3]", "[1.0, 2.0]")],
    *[call("random.stateless_normal", f"{a}") for a in ("[2], [1, 2], dtype=tf.int32",
                                                        "[-1], [1, 2]", "3, [1, 2]")],
    *[call("random.stateless_uniform", f"[2], [1, 2], {a}") for a in (
        "dtype=tf.int32", "maxval=3, dtype=tf.uint32", "minval=3, maxval=2, dtype=tf.int32")],
    call("random.stateless_gamma", "[2], [1, 2], [1.0, 2.0, 3.0]"),
    call("random.stateless_poisson", "[2], [1, 2], [1.0, 2.0, 3.0]"),
    call("random.stateless_binomial", "[2], [1, 2], [10.0], [0.5]"),
]  # fmt: skip
