"""What the core says of a missing gradient, in the words of TensorFlow.

The core names NumPy's functions and `gt`; here they become those of `tf`. A remedy that would not
work (a NumPy function reads a `tf.Tensor` out, `tape.watch` returns nothing) is another sentence.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from ...core.state import Recorder
from ...errors import GradtapeError
from .names import lookup

# NumPy's names that TensorFlow spells otherwise; for all others tf.<name>, tf.math.<name>,
# tf.reduce_<name> and tf.linalg.<name> are tried.
_OTHERWISE = {
    "absolute": "abs", "fabs": "abs", "power": "pow", "float_power": "pow", "arcsin": "asin",
    "arccos": "acos", "arctan": "atan", "arctan2": "atan2", "arcsinh": "asinh", "arccosh": "acosh",
    "arctanh": "atanh", "true_divide": "truediv", "floor_divide": "math.floordiv",
    "remainder": "math.floormod", "fmod": "truncatemod", "conjugate": "math.conj",
    "amax": "reduce_max", "amin": "reduce_min", "std": "math.reduce_std", "fsum": "reduce_sum",
    "var": "math.reduce_variance", "concatenate": "concat", "dot": "tensordot",
    "inner": "tensordot", "outer": "einsum", "vdot": "tensordot",
    "flip": "reverse", "take": "gather", "compress":
    "boolean_mask", "clip": "clip_by_value", "array": "convert_to_tensor", "asarray":
    "convert_to_tensor", "asanyarray": "convert_to_tensor", "full": "fill", "ravel": "reshape",
    "swapaxes": "transpose", "moveaxis": "transpose", "hstack": "concat", "vstack": "concat",
    "dstack": "concat", "column_stack": "concat", "nan_to_num": "where", "average": "reduce_mean",
    "around": "round", "fix": "round", "trunc": "round", "isnan": "math.is_nan", "isinf":
    "math.is_inf", "isfinite": "math.is_finite", "diff": "subtract", "append": "concat", "gammaln":
    "math.lgamma", "lgamma": "math.lgamma", "logaddexp": "reduce_logsumexp", "norm": "norm",
    "linalg.norm": "norm", "cbrt": "pow", "exp2": "pow", "log2": "math.log", "log10": "math.log",
    "hypot": "norm", "degrees": "multiply", "radians": "multiply", "deg2rad": "multiply",
    "rad2deg": "multiply", "fmax": "maximum", "fmin": "minimum", "heaviside": "where",
    "positive": "identity", "invert": "logical_not", "max": "reduce_max", "min": "reduce_min",
    "sum": "reduce_sum", "mean": "reduce_mean", "prod": "reduce_prod", "any": "reduce_any",
    "all": "reduce_all", "angle": "math.angle", "sumprod": "tensordot", "cumprod": "math.cumprod",
    "matvec": "linalg.matvec", "empty": "zeros", "arange": "range", "select": "case",
}  # fmt: skip
_CAST = "tf.cast(x, tf.float32)"
_STACK = "tf.stack([...])"
_WHOLE = "Write the function for whole tensors (tf.where in place of if) and call it on the Tensor."

# (what the core says, what is said here), the first that fits; \1 in a callable is a NumPy name
_SENTENCES: list[tuple[str, Any]] = [
    (r"^(cond|while_loop|function|custom_gradient|grad_pass_through): ", r"tf.\1: "),
    (
        r"Start with that type: np\.zeros\(.*?\), or return x\.astype\('(\w+)'\)\.",
        r"Start with that shape and dtype, or return the first: tf.cast(x, tf.\1), tf.reshape.",
    ),
    (
        r"Pass one Tensor, not a list: np\.([\w.]+)\(gt\.stack.*?in a list\.",
        lambda m: _in_place_of(f"np.{m[1]}", m[1]),
    ),
    (r"Use np\.([\w.]+)\(x\) in place of ([\w.]+)\(x\)\.", lambda m: _in_place_of(m[2], m[1])),
    (
        r"Use scipy\.special\.(\w+)\(x\) in place of ([\w.]+)\(x\)\.",
        lambda m: _in_place_of(m[2], m[1]),
    ),
    (
        r"Use np\.([\w.]+)\(\.\.\.\), which takes the Tensor\.",
        lambda m: f"Use {_function(m[1])}." if _function(m[1]) else _OWN,
    ),
    (r"Pass Tensors, not lists: np\.einsum\(.*?\)\)\.", "Use tf.einsum('...', x)."),
    (r"Pass one Tensor, not a list: gt\.stack.*?in a list\.", f"Make one Tensor of it: {_STACK}."),
    (
        r"Use x\.astype\(np\.(\w+)\) in place of np\.\w+\(x\)\.",
        lambda m: f"Use tf.cast(x, {_dtype(m[1])}) in place of np.{m[1]}(x).",
    ),
    (
        r"Use x\.astype\(\.\.\.\) in place of (np\.asarray\(x, dtype=\.\.\.\))\.",
        rf"Use {_CAST} in place of \1.",
    ),
    (
        r"Use gt\.full\(x\.shape, value\) in place of (np\.full_like\(x, value\))\.",
        r"Use tf.fill(x.shape, value) in place of \1.",
    ),
    (
        r"Use np\.where\(np\.isnan\(x\), value, x\) in place of (np\.\w+)\(x, nan=value\)\.",
        r"Use tf.where(tf.math.is_nan(x), value, x) in place of \1(x).",
    ),
    (
        r"Make the array that is padded a Tensor: .*?, \.\.\.\)\.",
        "Use tf.pad(x, paddings, constant_values=value).",
    ),
    (
        r"Use np\.select\(.*?\) in place of (np\.piecewise\(\.\.\.\))\.",
        r"Use tf.where(condition, a, b) in place of \1.",
    ),
    (
        r"Use gt\.(\w+)\(\.\.\.\) in place of (np\.\w+\(\.\.\.\))(, or gt\.stack\(\[\.\.\.\]\))?\.",
        lambda m: (
            f"Use {_function(m[1], _STACK)} in place of {m[2]}"
            + (f", or {_STACK}." if m[3] else ".")
        ),
    ),
    (
        r"Use gt\.array\(\[\.\.\.\]\) or gt\.stack\(\[\.\.\.\]\) in place of",
        f"Use {_STACK} in place of",
    ),
    (
        r"Use gt\.concatenate.*?for scalars\.",
        f"Use tf.concat([...], 0) for tensors, {_STACK} for scalars.",
    ),
    (r"Use gt\.stack\(\[\.\.\.\], axis=1\)\.", "Use tf.stack([...], axis=1)."),
    (r"leave out (np\.\w+|complex)\(\.\.\.\), or use \S+", r"leave out \1(...)."),
    (r"Write the function for whole arrays.*?on the Tensor\.", _WHOLE),
    (
        r"Use np\.lib\.stride_tricks.*? which is followed\.",
        f"Cut the windows with slices, and {_STACK} them.",
    ),
    (r"Iterate over np\.ndindex\(x\.shape\), and read x\[i\]\.", "Read the elements by x[i]."),
    (r"Write it for whole arrays, or iterate.*?plain numbers\.", "Iterate over the Tensor itself."),
    (
        r"(Leave out (?:\.numpy\(\)|from_dlpack)): NumPy functions take the Tensor\.",
        r"\1: the functions of tf take the Tensor, NumPy's read it out.",
    ),
    (
        r"iterate over the Tensor, or use gt\.stack\(\[\.\.\.\]\)",
        f"iterate over the Tensor, or use {_STACK}",
    ),
    (r"Make the array a Tensor:.*?is followed\.", f"Make the tensor of its parts: {_STACK}."),
    (
        r"Make the array that is written a Tensor,.*?is followed\.",
        f"Make the tensor of its parts: {_STACK}.",
    ),
    (
        r"Use the result, y = np\.add\(a, b\), or make `out` a Tensor: \S+",
        "Use tf.add(a, b), and its result.",
    ),
    (
        r"Write it with NumPy functions, which take the Tensor,",
        "Write it with the functions of tf,",
    ),
    (
        r"Write it with NumPy functions that have one,",
        "Write it with functions of tf that have one,",
    ),
    (
        r"(Use the Tensor itself), or gt\.value\(x\) where (.*?) meant\.",
        r"\1, or x.numpy() where \2 meant.",
    ),
    (r"Use np\.round\(x\), and know", "Use tf.round(x), and know"),
    (
        r"Take the numbers out of the table, table\.to_numpy\(\), and use NumPy functions\.",
        "Take the numbers out of the table and make a tensor: tf.constant(table.to_numpy()).",
    ),
    (
        r"Join it to the result, .*?, in place of initial=\.",
        "Reduce with tf.reduce_sum or its kin, and combine with tf.add or tf.maximum.",
    ),
    (
        r"Draw with plain numbers and scale: .*?\.size=x\.shape\)\.",
        "Use tf.random.normal(shape, mean, stddev).",
    ),
    (
        r"Draw with plain numbers and scale: \S+ \+ sigma.*?\)\.",
        "Use tf.random.normal(shape, mean, stddev).",
    ),
    (
        r"Draw with plain numbers, gt\.value\(x\); @gt\.custom_gradient gives the draw a rule\.",
        "Draw with tf.random, or give the draw a rule with @tf.custom_gradient.",
    ),
    (
        r"take(\s+)it with gt\.value\(\.\.\.\) or gt\.stop_gradient\(\.\.\.\)",
        r"take\1it with tf.stop_gradient(...)",
    ),
    (
        r"Write gt\.Variable\(0\.0\), or convert before.*?\)\)\.",
        f"Write tf.Variable(0.0), or cast before it is watched: x = {_CAST}; tape.watch(x).",
    ),
    (
        r"Keep it floating: leave out astype\(int\)",
        "Keep it floating: leave out tf.cast(x, tf.int32)",
    ),
    (
        r"Convert it first: x = tape\.watch\(x\.astype\(float\)\)\.",
        f"Cast it first: x = {_CAST}; tape.watch(x).",
    ),
    (r"np\.where on the values", "tf.where on the values"),
    (
        r"Compute with what watch returns, and pass that: x = tape\.watch\(x\)\.",
        "Make it a tensor first: x = tf.constant(x); tape.watch(x).",
    ),
    (
        r"Pass the Tensor that tape\.watch returned: x = tape\.watch\(x\)\.",
        "Make it a tensor and watch it: x = tf.constant(x); tape.watch(x).",
    ),
    (
        r"Pass an array or a number: x = tape\.watch\(np\.array\(\[1\.0, 2\.0\]\)\)\.",
        "Pass a tensor: tape.watch(tf.constant([1.0, 2.0])).",
    ),
    (r"x = tape\.watch\(x\)", "tape.watch(x)"),
    (r"Pass np\.broadcast_to\(ct, (.*?)\)\.", r"Pass tf.broadcast_to(ct, \1)."),
    (r"Pass np\.broadcast_to\(t, (.*?)\), or", r"Pass tf.broadcast_to(t, \1), or"),
    (r"Pass np\.reshape\(ct, (.*?)\)\.", r"Pass tf.reshape(ct, \1)."),
    (r"np\.(ones|zeros|ones_like|zeros_like)\(", r"tf.\1("),
    (
        r"Pass it as (\w+): np\.asarray\(ct, dtype='(\w+)'\)\.",
        r"Pass it as \1: tf.cast(ct, tf.\2).",
    ),
    (r"(, )?gt\.value took the value out\.", r"\1tf.stop_gradient cut the path."),
    (r"Leave gt\.value out\.", "Leave it out."),
    (r"\bgt\.config\b", "gradtape.config"),
    (r"gt\.value\(", "tf.stop_gradient("),
    (r"gt\.(Variable|GradientTape|custom_gradient|stop_gradient|stack)\b", r"tf.\1"),
    (r"gt\.array\(\[", "tf.constant(["),
    (r"; or gt\.jacobian of the function\.", "."),
    (r"\(astype -> ", "(tf.cast -> "),
    (r"condition of np\.where", "condition of tf.where"),
]
_OWN = "Write it with the functions of tf, or give it a rule with @tf.custom_gradient."


def _in_place_of(whole: str, name: str) -> str:
    found = _function(name)
    return f"Use {found.replace('...', 'x')} in place of {whole}(x)." if found else _OWN


def _function(name: str, default: str = "") -> str:
    """`tf.sin(...)` for NumPy's name; `default` if there is nothing of the kind."""
    last = name.rpartition(".")[2]
    named = _OTHERWISE.get(name) or _OTHERWISE.get(last)
    tried = [named] if named else [last, f"math.{last}", f"reduce_{last}", f"linalg.{last}"]
    for each in tried:
        try:
            if callable(lookup(each)):
                return f"tf.{each}(...)"
        except AttributeError:
            pass
    return default


def _dtype(name: str) -> str:
    try:
        lookup(name)
    except AttributeError:
        return "tf.float32"
    return f"tf.{name}"


@cache
def worded(text: str) -> str:
    """`text`, a message of the core, as it is said here."""
    for pattern, said in _SENTENCES:
        text = re.sub(pattern, said, text)
    return text


class spoken:
    """What the core refuses inside is said in the words of TensorFlow."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, _: Any) -> None:
        if isinstance(error, GradtapeError) and len(error.args) == 1:
            error.args = (worded(str(error)),)


class TensorFlowRecorder(Recorder):
    """What a `tf.GradientTape` records into: the core's, with other words."""

    __slots__ = ("__dict__",)  # for what few tapes need
    worded = staticmethod(worded)
    gathered: Any = None  # rows that were taken of Variables: see slices.py
