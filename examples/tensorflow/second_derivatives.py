"""Second derivatives by nested tapes: a curvature, Newton's method, and a mixed derivative.

    gradtape run --tensorflow examples/tensorflow/second_derivatives.py

Under TensorFlow itself it runs as it stands, with `python` in place of the first words.
"""

import tensorflow as tf


def curvature():
    """d/dx and d2/dx2 of x**3 exp(-x) at a few points, as tensors."""
    x = tf.constant([0.5, 1.0, 2.0, 3.0], dtype=tf.float64)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = x**3 * tf.exp(-x)
        slope = inner.gradient(y, x)
    bend = outer.gradient(slope, x)
    for row in zip(x.numpy(), y.numpy(), slope.numpy(), bend.numpy(), strict=True):
        print("x {:.1f}  y {:.8f}  dy/dx {:+.8f}  d2y/dx2 {:+.8f}".format(*row))


def newton():
    """The minimum of cosh(x - 1) + x**2 / 2, by Newton's steps."""
    x = tf.Variable(3.0, dtype=tf.float64)
    for step in range(6):
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                y = tf.cosh(x - 1.0) + 0.5 * x**2
            slope = inner.gradient(y, x)
        bend = outer.gradient(slope, x)
        numbers = x.numpy(), slope.numpy(), bend.numpy()
        print("step {}  x {:.12f}  slope {:+.3e}  bend {:.9f}".format(step, *numbers))
        x.assign_sub(slope / bend)


def mixed():
    """d2f/da db of sin(a b) + a**2 b, once by two tapes and once by a persistent one."""
    a, b = tf.Variable(0.7), tf.Variable(1.3)
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            f = tf.sin(a * b) + a**2 * b
        d_a = inner.gradient(f, a)
    second = outer.gradient(d_a, [a, b])
    print("two tapes: d2f/da2, d2f/dadb =", [f"{g.numpy():.6f}" for g in second])
    with tf.GradientTape(persistent=True) as tape:
        f = tf.sin(a * b) + a**2 * b
        first = tape.gradient(f, [a, b])
    hessian = [[tape.gradient(g, v).numpy() for v in (a, b)] for g in first]
    print("one tape: ", [[f"{value:.6f}" for value in row] for row in hessian])


if __name__ == "__main__":
    curvature()
    newton()
    mixed()
