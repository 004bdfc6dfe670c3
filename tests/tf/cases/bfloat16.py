"""The cases of all other families whose tensors are of float32, with bfloat16 in its place.

So every name that takes float32 is asked what it makes of bfloat16: value, dtype, gradient, or the
class of the mistake, where TensorFlow has no kernel. What is said of bfloat16 alone stands below.
"""

import re
from dataclasses import replace

from tests.tf import scheme

# `promotion` goes over all dtypes by itself.
_OTHERS = [family for family in scheme.FAMILIES if family not in ("bfloat16", "promotion")]


_HERE = "x=bf16([1.0, 2.0, 3.0]), v=tf.Variable([1.0, 2.0, 3.0]), s=bf16(1.5), w=tf.Variable(1.5, name='w')"
OURS = {
    **dict.fromkeys(
        ("np.isclose(s, 1.5) where s=bf16(1.5)", "np.linspace(s, 2.0, 3) where s=bf16(1.5)",
         *(f"{call} where {_HERE}" for call in (
             "np.array([s, w])", "np.exp(s)", "np.linspace(0, s, 3)", "np.full(2, s)"))),
        "TensorFlow's scalars of bfloat16 cannot be read by NumPy: 'object __array__ method not "
        "producing an array'"),
    "(lambda d: [list(d), repr(d), d.cardinality().numpy()])(tf.data.Dataset.from_tensor_slices("
    "(np.arange(10.0, dtype='f4').reshape(5, 2), [1, 2, 3, 4, 5])).map(lambda x, y: x * "
    "tf.cast(y, tf.bfloat16)))": "a mistake in a map raises when it is read, with its own class",
    # no difference, where there is one in float32
    "tf.nn.leaky_relu(x) where x=bf16([[-1.5, 0.25], [0.75, 2.0]]) d/d(x)": "",
    "tf.nn.weighted_cross_entropy_with_logits(y, x, 2.0) where x=bf16([0.0]), y=bf16([0.75]) d/d(x)": "",
    "tf.math.bincount([1, 1, 2], w) where w=bf16([0.5, 1.0, 2.0]) d/d(w)": "",
}  # fmt: skip
LOOSER = {
    "tf.math.cumulative_logsumexp(x) where x=bf16([[1.0, -2.0, 0.5], [4.0, 0.25, -3.0]]) d/d(x)":
        (1.5, "TensorFlow rounds after each of its steps, we once"),
}  # fmt: skip


# What NumPy makes of a Python number beside an array of ml_dtypes depends on its version.
NUMPYS_OWN = ("np.multiply(x, 2)", "np.maximum(x, 2)")


def _half(case):
    """The case with bfloat16 in place of float32, or of float64 where it has no float32."""
    for short, name in (("f32", "float32"), ("f64", "float64")):

        def changed(source, short=short, name=name):
            source = re.sub(rf"\b{short}\(", "bf16(", source)
            return re.sub(rf"\btf\.{name}\b", "tf.bfloat16", source)

        values = {key: changed(source) for key, source in case.values.items()}
        half = replace(case, source=changed(case.source), values=values)
        if half.key != case.key:
            tolerance, because = LOOSER.get(half.key, (case.tolerance, case.because))
            return replace(
                half, ours=OURS.get(half.key, case.ours), tolerance=tolerance, because=because
            )
    return case


def _converted():
    seen = {case.key for family in _OTHERS for case in scheme.cases(family)}
    for family in _OTHERS:
        for case in scheme.cases(family):
            half = _half(case)
            if half.key not in seen and not half.source.startswith(NUMPYS_OWN):
                seen.add(half.key)
                yield half


CASES = [*_converted()]
