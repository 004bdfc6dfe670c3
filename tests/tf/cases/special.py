"""Special functions."""

from tests.tf.scheme import call

WHY = "TensorFlow's own rational approximations in float32"


def one(name, values):
    return [
        *call(name, "x", x=f"f32({values})", wrt="x", tolerance=4, because=WHY),
        *call(name, "x", x=f"f64({values})", wrt="x", tolerance=10, because=WHY),
        *call(name, "[0.5, 0.25], name='n'", tolerance=4, because=WHY),
        *call(name, "x", x="i32([1, 2])"),
        *call(name, "x", x="c64([1j])"),
    ]


CASES = [
    one("math.erf", "[-2.0, -0.5, 0.0, 0.3, 3.0]"),
    one("math.erfc", "[-2.0, -0.5, 0.0, 0.3, 3.0]"),
    one("math.lgamma", "[0.3, 1.0, 2.5, 7.0, -0.5]"),
    one("math.digamma", "[0.3, 1.0, 2.5, 7.0]"),
    call("math.lgamma", "x", x="f32([0.0, -1.0])"),
]
