"""Arithmetic, comparison, logical and elementwise functions, and the operators."""

from tests.tf.scheme import call, show

X = "f32([-2.0, -0.5, 0.0, 0.5, 3.0])"
INSIDE = "f32([-0.9, -0.3, 0.0, 0.25, 0.8])"
POSITIVE = "f32([0.2, 1.0, 2.5, 30.0])"
Y = "f32([1.5, -2.0, 0.25, 0.5, 2.0])"


def one(names, values=X, *, doubles="f64([0.3, 0.9])", complexes="c64([0.3+0.4j, -0.2+0.1j])",
        refused="i32([1, 2])", **rest):  # fmt: skip
    """A function of one tensor: floats, doubles, complex numbers, a list, a wrong dtype."""
    lines = [call(names, "x", x=values, wrt="x", **rest), call(names, "[0.5, 0.25]", **rest)]
    for source in (doubles, complexes):
        if source:
            lines.append(call(names, "x", x=source, wrt="x", **rest))
    lines.append(call(names, "x", x=refused))
    lines.append(call(names, "x, name='n'", x=values, **rest))
    return [case for line in lines for case in line]


def two(names, x=X, y=Y, *, ints=True, refused="b([True])", **rest):
    """A function of two tensors: floats, broadcasting, promotion, tensors that do not agree."""
    lines = [
        call(names, "x, y", x=x, y=y, wrt="x y", **rest),
        call(names, "x, y", x="f64([[0.5], [2.0]])", y="f64([0.75, 3.0])", wrt="x y", **rest),
        call(names, "x, 2.0", x=x, wrt="x", **rest),
        call(names, "np.array([1.5, 0.5]), y", y="f32([0.5, 2.0])", **rest),
        call(names, "x, y", x=x, y="f64([1.0])"),
        call(names, "x, y", x="f32([1.0, 2.0])", y="f32([1.0, 2.0, 3.0])"),
        call(names, "x, 'a'", x=x),
        call(names, "x, None", x=x),
        call(names, "x, x", x=refused),
        call(names, "x=v, y=2.0, name='n'", v="tf.Variable([1.0, 2.0])"),
    ]
    if ints:
        lines.append(call(names, "x, y", x="i32([7, -7, 5])", y="i32([2, 2, -3])"))
        lines.append(call(names, "x, 2.5", x="i32([7])"))
    return [case for line in lines for case in line]


CASES = [
    one("abs math.abs", refused="u8([1])"),
    call("abs", "x", x="i32([-3, 2])"),
    one("acos math.acos", INSIDE),
    one("acosh math.acosh", "f32([1.5, 3.0])", doubles="f64([1.25])", complexes=""),
    one("asin math.asin", INSIDE),
    one("asinh math.asinh"),
    one("atan math.atan"),
    one("atanh math.atanh", INSIDE),
    one("math.ceil", complexes=""),
    one("cos math.cos"),
    one("cosh math.cosh"),
    one("exp math.exp"),
    one("math.expm1"),
    one("floor math.floor", complexes=""),
    one("math.is_finite", "f32([1.0, np.inf, np.nan])", complexes=""),
    one("math.is_inf", "f32([1.0, -np.inf, np.nan])", complexes=""),
    one("math.is_nan", "f32([1.0, np.inf, np.nan])", complexes=""),
    one("math.log", POSITIVE),
    call("math.log", "x", x="f32([0.0, -1.0])", wrt="x"),
    one("math.log1p", POSITIVE),
    one("negative math.negative", refused="u8([1])"),
    one("math.reciprocal", POSITIVE, refused="b([True])"),
    one("math.reciprocal_no_nan"),
    one("math.rint", "f32([0.5, 1.5, -0.5, 2.3])", complexes=""),
    one("round math.round", "f32([0.5, 1.5, -0.5, 2.3])", complexes="", refused="b([True])"),
    call("round", "x", x="i32([3])"),
    one("math.rsqrt", POSITIVE),
    call("math.rsqrt", "x", x="f32([0.0, 4.0])"),
    one("sigmoid math.sigmoid nn.sigmoid"),
    call("sigmoid", "x", x="f32([-100.0, 100.0, -20.0])", wrt="x"),
    one("sign math.sign", complexes="", refused="u8([1])"),
    one("sin math.sin"),
    one("sinh math.sinh"),
    one("sqrt math.sqrt", POSITIVE),
    call("sqrt", "x", x="f32([0.0, -1.0, 4.0])", wrt="x"),
    one("square math.square", refused="b([True])"),
    call("square", "x", x="i32([3, -2])"),
    one("tan math.tan"),
    one("tanh math.tanh nn.tanh"),
    one("math.softplus nn.softplus", complexes=""),
    one("math.softsign nn.softsign", complexes=""),
    one("math.log_sigmoid", complexes=""),
    one("math.conj", refused="b([True])"),
    one("math.real", refused="b([True])"),
    one("math.imag", refused="i32([1])"),
    one("math.angle", "f32([1.0, -2.0])"),
    call("logical_not math.logical_not", "x", x="b([True, False])"),
    call("logical_not math.logical_not", "x", x="f32([1.0])"),
    two("add math.add"),
    two("subtract math.subtract"),
    two("multiply math.multiply"),
    two("divide math.divide"),
    two("truediv math.truediv"),
    two("maximum math.maximum"),
    two("minimum math.minimum"),
    two("atan2 math.atan2"),
    two("math.floordiv"),
    two("math.floormod math.mod"),
    two("pow math.pow", POSITIVE, "f32([0.5, 2.0, -1.5, 1.0])"),
    call("pow", "x, y", x="f32([0.0, 0.0, -2.0])", y="f32([0.0, 2.0, 3.0])", wrt="x y",
         ours="x ** 0 has the derivative 0 at 0, where TensorFlow's 0 times inf is nan"),
    call("pow", "x, 2", x=X, wrt="x"),
    call("pow", "x, -1", x="i32([2])"),
    two("math.squared_difference"),
    two("math.divide_no_nan"),
    call("math.divide_no_nan", "x, y", x=X, y="f32([0.0, 1.0, 0.0, 2.0, 0.0])", wrt="x y"),
    two("math.multiply_no_nan", ints=False),
    call("math.multiply_no_nan", "x, y", x="f32([np.inf, np.nan, 2.0])", y="f32([0.0, 0.0, 3.0])",
         wrt="x"),
    call("math.multiply_no_nan", "x, y", x="f32([5.0, 2.0])", y="f32([0.0, 3.0])", wrt="x y"),
    two("math.xlogy", POSITIVE, POSITIVE, ints=False),
    two("math.xlog1py", POSITIVE, POSITIVE, ints=False),
    two("math.xdivy", POSITIVE, POSITIVE, ints=False),
    call("math.xlogy math.xlog1py math.xdivy", "x, y", x="f32([0.0, 0.0])", y="f32([0.0, 2.0])",
         wrt="x y"),
    two("less math.less"),
    two("less_equal math.less_equal"),
    two("greater math.greater"),
    two("greater_equal math.greater_equal"),
    two("equal math.equal"),
    two("not_equal math.not_equal"),
    *[call(f"{name} math.{name}" if name != "logical_xor" else "math.logical_xor", arguments,
           x="b([True, True, False, False])", y="b([True, False, True, False])")
      for name in ("logical_and", "logical_or", "logical_xor")
      for arguments in ("x, y", "x, True", "x, 1.0")],
    call("math.nextafter", "x, y", x="f32([1.0, 2.0])", y="f32([2.0, 1.0])"),
    call("math.nextafter", "x, y", x="i32([1])", y="i32([2])"),
    call("scalar_mul math.scalar_mul", "2.0, x", x=X, wrt="x"),
    call("scalar_mul math.scalar_mul", "x, x", x=X),
    call("add_n math.add_n", "[x, y, x]", x=X, y=Y, wrt="x y"),
    call("add_n math.add_n", "[x, 1.0]", x=X),
    call("add_n math.add_n", "[]"),
    call("math.polyval", "[2.0, a, 1.0], x", x=X, a="f32(3.0)", wrt="x a"),
    call("math.polyval", "(1.0,), x", x=X),
    call("math.polyval", "[], x", x=X),
    # the operators
    *[show("Tensor", source, x="f32([3.0, -2.0])", y="f32([2.0, 4.0])", i="i32([7, -3])",
           v="tf.Variable([1.0, 2.0])", d="f64([1.0, 2.0])", t="b([True, False])")
      for source in (
          "x + y", "x - y", "x * y", "x / y", "x // y", "x % y", "abs(x) ** y", "-x", "abs(x)",
          "x < y", "x <= y", "x > y", "x >= y", "x == y", "x != y", "2 + x", "2 - x", "2 * x",
          "2 / x", "2 // x", "2 % x", "2 ** x", "x ** 2", "x ** 2.0", "x ** 0.5", "i ** 2",
          "i + 2", "i - 2", "i * 2", "i / 2", "i // 2", "i % 2", "2 // i", "2 % i", "i / i",
          "i // 0", "i % 0", "i / 0", "x // 0", "x % 0", "x / 0", "i & 3", "i | 3", "i ^ 3", "~i",
          "3 & i", "t & t", "t | False", "t ^ True", "~t", "True & t", "x & x", "~x", "x | 1",
          "i * 2.5", "i + 2.5", "2.5 + i", "i < 2.5", "x + d", "x * d", "x / d", "x == d", "x + i",
          "x == None", "x != None", "x == 'a'", "x == f32([1.0, 2.0, 3.0])",
          "x != f32([1.0, 2.0, 3.0])", "x == [3, -2]", "x + None", "x + 'a'", "'a' + x", "x + {}",
          "t + t", "-t", "t == t", "np.ones(2) * x", "np.ones(2) + x", "np.ones(2) - x",
          "np.ones(2) / x", "np.float64(2) * x", "x * np.float64(2)", "np.ones(2) < x",
          "np.ones(2, int) ** x", "x * np.ones((2, 1))", "x + np.ones(2, int)", "i * np.ones(2)",
          "[1, 2] + x", "x + [1, 2]", "[1.5, 2] * i", "x - (1.0, 2.0)", "v + v", "v * 2", "2 * v",
          "v - x", "x - v", "x * v", "v / 2", "2 / v", "v ** 2", "-v", "abs(v)", "v == v", "v < 2",
          "v == None", "v + d", "v + np.ones(2)", "np.ones(2) * v", "np.ones(2) - v", "v // 2",
          "v % 2", "2 ** v", "divmod(x, 2)", "x << 1", "+x", "x + object()", "x + 2j",
          "x * True", "i + True", "x + 2**40", "i + 2**40", "i * 2**33",
      )],
]  # fmt: skip
