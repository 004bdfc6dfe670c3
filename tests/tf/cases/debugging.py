"""Claims about tensors: what holds, what raises, and which class."""

from tests.tf.scheme import call, program

NAN, INF = "float('nan')", "float('inf')"
INFINITE = f"tf.constant([{INF}, 1.0])"
LOOKED_AT = (
    "tf.math.log(0.0)", "tf.math.log([0.0, -1.0])", f"tf.constant({INF})", f"{INFINITE} + 1.0", f"tf.identity({INFINITE})",
    f"tf.fill([2], {INF})", f"{INFINITE}[0]", f"tf.reshape({INFINITE}, [2, 1])", f"tf.concat([{INFINITE}] * 2, 0)",
    f"tf.reduce_sum({INFINITE})", f"tf.maximum({INFINITE}, 1.0)", f"tf.cast({INFINITE}, tf.float64)",
    f"tf.where([True, False], {INFINITE}, {INFINITE})", f"tf.gather({INFINITE}, [0])", f"tf.tile({INFINITE}, [2])",
    f"tf.Variable(1.0).assign({INF})", "tf.zeros([2]) / 0.0", "tf.constant(1j) / 0", "tf.constant(1) + 1",
    f"tf.equal({INFINITE}, 1.0)", "tf.function(lambda: tf.math.log(0.0))()", f"tf.transpose({INFINITE})",
    f"tf.pad({INFINITE}, [[0, 1]])", f"tf.split({INFINITE}, 2)", f"tf.stack([{INFINITE}])", f"tf.unstack({INFINITE})",
    f"tf.expand_dims({INFINITE}, 0)", f"tf.squeeze({INFINITE})", f"tf.broadcast_to({INF}, [2])", "tf.sqrt(-1.0)",
    f"-{INFINITE}", f"tf.zeros_like({INFINITE})", "tf.exp(tf.constant(1e4, tf.float16))", "tf.ones([300, 300]) / 0.0",
    "tf.math.log(tf.zeros([2000, 2000]))", f"tf.reduce_mean({INFINITE})", f"tf.matmul([{INFINITE}], [[1.0], [1.0]])",
    "tf.constant([1.0, 2.0]) * 2.0", "tf.linalg.inv([[2.0, 0.0], [0.0, 1.0]])", "tf.nn.softmax([1.0, 2.0])",
    f"tf.nn.relu({INFINITE})", f"tf.round({INFINITE})", f"tf.reduce_sum(tf.Variable([1.0, {INF}]) * 1.0)", "tf.pow(0.0, -1.0)",
    f"tf.stop_gradient({INFINITE})", "tf.math.divide_no_nan(1.0, 0.0)", "tf.tensordot([1e30], [1e30], 1)",
)  # fmt: skip
ROOT = ("v = tf.Variable([0.0, 4.0])", "with tf.GradientTape() as t:", "    y = tf.reduce_sum(tf.sqrt(v))")
COMPARED = ("1, 1", "1, 2", "2, 1", "[1, 2], 3", "[1, 2], [1, 2]", "[1, 2], [2, 1]", "[3, 4], [1, 2]", "[1], [1.5]",
            "1, f32(1.0)", "[1, 2], [1, 2, 3]", "[], []", f"{NAN}, {NAN}", "x=1, y=1, message='m', name='n'",
            "1.5, 2.5, summarize=1", "1")  # fmt: skip
CASES = [
    *[program("debugging.enable_check_numerics", "tf.debugging.enable_check_numerics()", "try:", f"    out = {what}",
              "finally:", "    tf.debugging.disable_check_numerics()") for what in LOOKED_AT],
    *[program("debugging.enable_check_numerics", *ROOT, "tf.debugging.enable_check_numerics()", "try:",
              f"    out = t.gradient(y, {sources})", "finally:", "    tf.debugging.disable_check_numerics()")
      for sources in ("v", "[v]")],
    program("debugging.disable_check_numerics", "out = [tf.debugging.enable_check_numerics(10, path_length_limit=5)]",
            "out += [tf.debugging.enable_check_numerics(), tf.debugging.disable_check_numerics()]",
            "out += [tf.math.log(0.0), tf.debugging.disable_check_numerics(), tf.math.log([0.0, 1.0])]"),
    program("debugging.enable_check_numerics", "import threading", "tf.debugging.enable_check_numerics()", "out = []",
            "other = threading.Thread(target=lambda: out.append(tf.math.log(0.0)))", "other.start()", "other.join()",
            "tf.debugging.disable_check_numerics()"),
    *[call(f"debugging.{n}", a) for a in COMPARED for n in
      ("assert_equal", "assert_none_equal", "assert_less", "assert_less_equal", "assert_greater",
       "assert_greater_equal")],
    *[call("assert_equal assert_less assert_greater", a) for a in ("1, 2", "2, 1", "[1.0], [1.0]", "x=1, y=2, message='m'")],
    *[call("assert_rank", a) for a in ("1, 0", "[1], 0")],
    call("debugging.assert_equal", "'a', 'a'"), call("debugging.assert_equal", "True, False"),
    *[call(f"debugging.{n}", a) for a in ("[1, 0]", "[1.0, 2.0]", "[-1, 0]", "[-1, -2]", "[]", f"[{NAN}]", "0",
                                          "x=1, message='m'", "tf.Variable(3.0)")
      for n in ("assert_positive", "assert_negative", "assert_non_negative", "assert_non_positive")],
    *[call("debugging.assert_near", a) for a in (
        "1.0, 1.0 + 1e-7", "1.0, 1.1", "1, 1", "1.0, 1.1, atol=0.2", "1.0, 1.1, rtol=0.2", f"{NAN}, {NAN}",
        f"{INF}, {INF}", "f64(1.0), f64(1.0 + 1e-7)", "[1.0, 2.0], [1.0, 2.1], message='m'", "1.0, f64(1.0)")],
    *[call("debugging.assert_rank", a) for a in ("1, 0", "[1], 0", "[1], [0]", "[1], 1.5", "[[1]], 2, 'm'")],
    *[call("debugging.assert_rank_at_least", a) for a in ("[1], 2", "[1], 1", "[[1]], 1", "[1], 0, 'm'")],
    *[call("debugging.assert_rank_in", a) for a in ("[1], [1, 2]", "[1], [0, 2]", "[1], (1,)", "[1], 1")],
    *[call("debugging.assert_scalar", a) for a in ("1", "[1]", "tf.constant(1.5)", "[1], 'm'")],
    *[call("debugging.assert_shapes", f"[{a}]", a="f32([1.0, 2.0])", b="f32([[1.0, 2.0]])", c="f32([1.0, 2.0, 3.0])")
      for a in ("(a, ('N',)), (b, ('M', 'N'))", "(a, ('N',)), (c, ('N',))", "(b, ('N', 2))", "(b, ('N', 3))",
                "(b, ('N',))", "(b, (..., 'N')), (a, ('N',))", "(b, ('*', 'N')), (c, ('N',))", "(b, (None, 'N'))",
                "(1, ())", "(a, ())", "(b, 'NM')", "(b, ('N', 'N'))", "(b, ('N', ...))", "(b, ('N', ..., 'M'))", "",
                "(b, ('N', ..., ...))", "(a, [2])", "(b, (1, 2)), (c, (3,))")],
    *[call("debugging.assert_type", a) for a in ("1, tf.int32", "1, tf.float32", "f32(1.0), tf.float32",
                                                 "f32(1.0), tf.int32, 'm'", "1, 'int32'", "1, 'bogus'")],
    *[call("debugging.assert_integer", a) for a in ("1", "1.0", "f32(1.0)", "u8(1), 'm'", "True")],
    *[call("debugging.assert_proper_iterable", a) for a in ("[1]", "1", "'a'", "f32([1.0])", "{1}", "np.ones(2)",
                                                            "{'a': 1}", "(1,)", "None")],
    *[call("debugging.assert_same_float_dtype", a) for a in (
        "[f32(1.0)]", "[f32(1.0), f64(1.0)]", "[]", "None, tf.int32", "[i32(1)]", "[f64(1.0)], tf.float64",
        "[f64(1.0)], tf.float32", "")],
    *[call("debugging.is_numeric_tensor", a) for a in ("i32(1)", "1", "b(True)", "tf.Variable(1.0)", "c64(1)")],
    *[call(f"debugging.{n}", a) for n in ("check_numerics", "assert_all_finite") for a in (
        "[1.0], 'm'", f"[{INF}], 'm'", "[1], 'm'", f"f64([1.0, {NAN}]), 'm'", "c64([1]), 'm'", "[1.0]")],
    call("debugging.check_numerics debugging.assert_all_finite", "x, 'm'", x="f32([1.0, 2.0])", wrt="x"),
    *[call("debugging.Assert Assert", a) for a in ("True, ['a']", "False, ['a', 1]", "[True, False], ['a']",
                                                   "[True], ['a']", "1, ['a']", "False, 'a'", "f32(0.0), [1]")],
]  # fmt: skip
