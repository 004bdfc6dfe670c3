"""What dtype comes out, or which error, for every pair of operands: a case for each operation.

Tensors and Variables of every dtype beside tensors, Variables, arrays, NumPy scalars of every dtype,
Python numbers and lists, on either side. `promoted` (in scheme.py) goes over them.
"""

from tests.tf.scheme import show

OPERATORS = ("+", "-", "*", "/", "//", "%", "**", "==", "!=", "<", "<=", ">", ">=", "&", "|", "^")
FUNCTIONS = ("add", "subtract", "multiply", "divide", "truediv", "math.floordiv", "math.floormod", "pow", "maximum",
             "minimum", "equal", "less", "greater_equal", "logical_and", "math.squared_difference",
             "math.divide_no_nan", "atan2")  # fmt: skip
CASES = [
    *[show(kind, f"promoted(lambda x, y: x {sign} y, {kind!r}, {side!r})")
      for sign in OPERATORS for kind in ("Tensor", "Variable") for side in ("right", "left")],
    *[show(name, f"promoted(tf.{name}, {kind!r}, {side!r})")
      for name in FUNCTIONS for kind in ("Tensor", "Variable") for side in ("right", "left")],
]  # fmt: skip
