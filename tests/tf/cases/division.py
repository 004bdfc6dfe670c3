"""Divisions by their full names, and complex numbers of their parts."""

from tests.tf.scheme import call, show

CASES = [
    *[call("complex dtypes.complex", a) for a in (
        "1.0, 2.0", "[1.0, 2.0], 3.0", "np.float64(1), 2.0", "1, 2", "f32(1.0), f64(2.0)", "f64(1.0), 2.0", "f16(1.0), f16(2.0)",
        "[1.0, 2.0], [1.0, 2.0, 3.0]", "1j, 1.0", "f64([[1.0], [2.0]]), f64([3.0, 4.0])", "real=1.0, imag=float('inf'), name='n'",
        "-0.0, float('inf')", "f32([]), f32([])", "tf.Variable(1.0), 2.0")],
    call("complex", "x, y", x="f32([1.0, 2.0])", y="f32([3.0, 4.0])", wrt="x y"),
    call("complex", "x, y", x="f64([[1.0], [2.0]])", y="f64([3.0, 4.0])", wrt="x y"),
    show("complex", "(lambda z: [tf.math.real(z), tf.math.imag(z), tf.abs(z)])(tf.complex(3.0, 4.0))"),
    *[call("realdiv", a) for a in ("1.0, 2.0", "1, 2", "i8(1), i8(2)", "1j, 2.0", "1.0, 0.0", "f32(1.0), f64(1.0)", "x=1.0, y=3.0, name='n'",
                                   "[1.0, 2.0], [1.0, 2.0, 3.0]", "f16(1.0), f16(3.0)")],
    call("realdiv", "x, y", x="f32([1.0, 2.0])", y="f32(3.0)", wrt="x y"),
    *[call("truncatediv", a) for a in ("-7, 2", "-7.0, 2.0", "7, 0", "7.0, 0.0", "1j, 2.0", "True, True", "u8(7), u8(2)", "i8(-7), i8(2)",
                                       "[7, -7], [2, -2]", "[1, 2], [1, 2, 3]", "f64(-7.5), f64(2.0)", "i64(-(2**40)), i64(3)",
                                       "f16(7.0), f16(2.0)")],
    call("truncatediv", "x, y", x="f32([1.0, 2.0])", y="f32(3.0)", wrt="x y"),
    *[call("truncatemod", a) for a in ("-7, 2", "-7.5, 2.0", "7, 0", "7.0, 0.0", "u8(7), u8(2)", "f16(7.0), f16(2.0)", "1j, 2.0",
                                       "[1, 2], [1, 2, 3]", "f64([7.5, -7.5]), f64(-2.0)", "i64(-7), i64(3)")],
]  # fmt: skip
