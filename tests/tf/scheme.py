"""Cases: what is called, with what, and how the answers of TensorFlow and of the dialect compare.

A family's file in `cases/` is a list of two kinds of lines:

    call("sin math.sin", "x", x="f32([0.5, -2.0])", wrt="x")
    show("Tensor", "repr(x)", x="f32([1.0, 2.0])")

`call` calls `tf.<name>(<arguments>)` for every name; the values are Python source, in which `tf`,
`np` and the short hands below (`f32`, `i32`, ...) are known. With `wrt` it also takes the gradient
with respect to the values named there, weighted by fixed numbers, so that a wrong transpose shows.
A call that raises is a case of a mistake: its exception class is the answer. `show` evaluates an
expression, `program` several lines that leave `out`; they are counted for the name they are given.

`make_table.py` runs all lines with TensorFlow and stores the answers in `tables/`.
"""

import builtins
import contextlib
import importlib
import importlib.util
import io
import itertools
import json
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
FAMILIES = sorted(p.stem for p in (HERE / "cases").glob("*.py") if p.stem != "__init__")
DTYPES = {
    "f16": "float16", "f32": "float32", "f64": "float64", "i8": "int8", "i16": "int16",
    "i32": "int32", "i64": "int64", "u8": "uint8", "u16": "uint16", "u32": "uint32",
    "u64": "uint64", "c64": "complex64", "c128": "complex128", "b": "bool",
    "bf16": "bfloat16",
}  # fmt: skip
# Relative to the largest number of the answer; two roundings of a function of several steps.
TOLERANCE = {"float16": 4e-3, "float32": 4e-6, "float64": 1e-12, "complex64": 4e-6,
             "complex128": 1e-12, "bfloat16": 1.6e-2}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One line of a family, for one name."""

    name: str
    source: str  # an expression
    values: dict[str, str] = field(default_factory=dict)  # name -> source
    wrt: tuple[str, ...] = ()
    tolerance: float = 1.0  # how many times the usual one
    because: str = ""
    ours: str = ""  # the reason why our answer is another on purpose

    @property
    def key(self) -> str:
        given = ", ".join(f"{k}={v}" for k, v in self.values.items())
        wrt = f" d/d({', '.join(self.wrt)})" if self.wrt else ""
        return f"{self.source}{' where ' + given if given else ''}{wrt}"


def call(names, arguments, *, wrt="", tolerance=1.0, because="", ours="", **values):
    """A call of each of `names`; see the top of this file."""
    return [
        Case(name, f"tf.{name}({arguments})", values, tuple(wrt.split()), tolerance, because, ours)
        for name in names.split()
    ]


def show(names, expression, *, tolerance=1.0, because="", ours="", **values):
    """An expression, counted for each of `names`."""
    return [Case(name, expression, values, (), tolerance, because, ours) for name in names.split()]


def program(names, *lines, because="", ours=""):
    """A program of several lines that leaves its answer in `out`."""
    return show(names, "\n".join(lines), because=because, ours=ours)


def cases(family):
    """The cases of a family, flat."""
    lines = importlib.import_module(f"tests.tf.cases.{family}").CASES
    return [case for line in lines for case in (line if isinstance(line, list) else [line])]


def table(family):
    """TensorFlow's answers, by key."""
    path = HERE / "tables" / f"{family}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


# ------------------------------------------------------------------------------ running a case


def environment(tf):
    def maker(dtype):
        return lambda value: tf.constant(value, dtype=getattr(tf, dtype))

    short_hands = {short: maker(dtype) for short, dtype in DTYPES.items()}
    return {"tf": tf, "np": np, "promoted": lambda *args: promoted(tf, *args), **short_hands}


def run(tf, case):
    """The answer of a `tf` module to a case, as plain data."""
    known = environment(tf)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            for name, source in case.values.items():
                known[name] = evaluate(source, known)
            if not case.wrt:
                return {"value": plain(tf, evaluate(case.source, known))}
            watched = [known[name] for name in case.wrt]
            with tf.GradientTape() as tape:
                tape.watch(watched)
                out = evaluate(case.source, known)
                kept = [t for t in leaves(tf, out) if t.dtype.is_floating or t.dtype.is_complex]
            weights = [weight(tf, t) for t in kept]
            found = tape.gradient(kept, watched, output_gradients=weights) if kept else None
            return {
                "value": plain(tf, out),
                "gradients": None if found is None else [
                    None if g is None else plain(tf, tf.convert_to_tensor(g)) for g in found
                ],
            }  # fmt: skip
        except SyntaxError:
            raise  # a slip in the case, and nobody's answer
        except Exception as error:
            return {"error": type_name(tf, error)}


PLAIN = {
    "True": True, "3": 3, "2**40": 2**40, "2.5": 2.5, "1j": 1j, "[]": [], "[True]": [True],
    "[3]": [3], "[2.5]": [2.5], "[1j]": [1j], "None": None, "'a'": "a",
}  # fmt: skip


def promoted(tf, function, kind, side):
    """What dtype or error `function` gives for all pairs: of a tensor or Variable and of anything.

    A line for each dtype of the first: what comes out beside each of `seconds`, in their order.
    `side` says on which side the second stands.
    """
    rows = {}
    for short, name in DTYPES.items():
        first = tf.constant([1, 2] if short != "b" else [True, False], dtype=getattr(tf, name))
        if kind == "Variable":
            first = tf.Variable(first)
        found = []
        for second in seconds(tf):
            args = (first, second) if side == "right" else (second, first)
            found.append(outcome(tf, function, args))
        rows[short] = found
    return Pairs(rows)


class Pairs(dict):
    """What `promoted` found."""


def packed(found):
    """A line of outcomes as text, with how often each follows itself."""
    runs = [(what, len(list(run))) for what, run in itertools.groupby(found)]
    return " ".join(what if n == 1 else f"{what}*{n}" for what, n in runs)


def unpacked(line):
    parts = [part.partition("*") for part in line.split(" ")]
    return [what for what, _, n in parts for _ in range(int(n or 1))]


def differ_in_pairs(ours, theirs, path):
    """Like `differ`. An AttributeError that TensorFlow lets through is a TypeError or ValueError
    here; and where it hands an operator to NumPy, which reads the tensor out, we refuse."""
    labels = [f"{kind} {short}" for short in DTYPES
              for kind in ("tensor", "Variable", "ndarray", "scalar")] + list(PLAIN)  # fmt: skip
    for first in theirs:
        lines = zip(labels, unpacked(ours[first]), unpacked(theirs[first]), strict=True)
        for second, mine, given in lines:
            refused = mine in ("Type", "Value") and given.partition(":")[0] in ("Attribute",
                                                                                "ndarray")
            if mine != given and not refused:
                return f"{path} of {first} and {second} is {mine}, TensorFlow's {given}"
    return ""


def seconds(tf):
    """Every operand that may stand beside a tensor."""
    for short, name in DTYPES.items():
        array = np.array(
            [1, 2] if short != "b" else [True, False], dtype=getattr(tf, name).as_numpy_dtype
        )
        yield from (tf.constant(array), tf.Variable(array), array, array[0])
    yield from PLAIN.values()


def outcome(tf, function, args):
    """The kind and dtype of a result, or the first class by which an error is caught."""
    try:
        out = function(*args)
    except Exception as error:
        name = type_name(tf, error)[0]
        return name.removesuffix("Error")
    if isinstance(out, tf.Tensor):
        return SHORT[out.dtype.name]
    return f"{type(out).__name__}:{getattr(out, 'dtype', '')}"


SHORT = {name: short for short, name in DTYPES.items()}


def evaluate(source, known):
    known = dict(known)
    with contextlib.redirect_stdout(io.StringIO()):
        if "\n" not in source:
            return eval(source, known)
        exec(source, known)
        return known["out"]


def weight(tf, t):
    """Numbers of the shape of `t` that are all different."""
    numbers = np.cos(np.arange(t.shape.num_elements()) * 0.7 + 0.3).reshape(t.shape.as_list())
    if t.dtype.is_complex:
        numbers = numbers + 0.5j * np.sin(numbers)
    return tf.constant(numbers, dtype=t.dtype)


def leaves(tf, out):
    if isinstance(out, list | tuple) and not isinstance(out, tf.TensorShape):
        return [t for item in out for t in leaves(tf, item)]
    if isinstance(out, dict):
        return [t for item in out.values() for t in leaves(tf, item)]
    return [out] if isinstance(out, tf.Tensor | tf.Variable) else []


def type_name(tf, error):
    """The classes by which a user can catch it: TensorFlow's and Python's own."""
    names = []
    for cls in type(error).__mro__:
        builtin = cls is getattr(builtins, cls.__name__, None)
        general = cls in (object, BaseException, Exception)
        if (builtin and not general) or cls is getattr(tf.errors, cls.__name__, None):
            names.append(cls.__name__)
    return names or [type(error).__name__]


def plain(tf, x):
    """A result as data that JSON holds."""
    if isinstance(x, tf.Tensor | tf.Variable):
        kind = "variable" if isinstance(x, tf.Variable) else "tensor"
        return {"kind": kind, **array(x.numpy())}
    if isinstance(x, np.ndarray | np.generic):
        return {"kind": "numpy", **array(x)}
    if isinstance(x, tf.TensorShape):
        return {"kind": "shape", "text": repr(x)}
    if isinstance(x, Pairs):
        return {"kind": "pairs", "pairs": {short: packed(found) for short, found in x.items()}}
    if isinstance(x, dict):
        return {"kind": "dict", "items": [[str(k), plain(tf, v)] for k, v in x.items()]}
    if isinstance(x, list | tuple):
        kind = "list" if isinstance(x, list) else "tuple"
        return {"kind": kind, "items": [plain(tf, item) for item in x]}
    return {"kind": type(x).__name__, "text": repr(x)}


def array(x):
    x = np.asarray(x)
    if x.dtype.kind in "OSU":
        return {"dtype": "string", "shape": list(x.shape),
                "data": [repr(item) for item in x.reshape(-1).tolist()]}  # fmt: skip
    flat = x.reshape(-1)
    data = [[z.real, z.imag] for z in flat.tolist()] if x.dtype.kind == "c" else flat.tolist()
    return {"dtype": x.dtype.name, "shape": list(x.shape), "data": data}


# ------------------------------------------------------------------------------ comparing


def differs(case, ours, theirs, path="value"):
    """Where our answer is another than TensorFlow's; "" where they agree."""
    if "error" in theirs or "error" in ours:
        mine, given = ours.get("error"), theirs.get("error")
        return "" if mine and given and given[0] in mine else f"we raise {mine}, TensorFlow {given}"
    found = differ(case, ours["value"], theirs["value"], path)
    if found or "gradients" not in theirs:
        return found
    mine, given = ours["gradients"], theirs["gradients"]
    if mine is None or given is None:
        return "" if mine == given else f"gradients are {mine}, TensorFlow's {given}"
    for name, a, b in zip(case.wrt, mine, given, strict=True):
        if (a is None) != (b is None):
            return f"the gradient of {name} is {a}, TensorFlow's {b}"
        found = "" if a is None else differ(case, a, b, f"gradient of {name}")
        if found:
            return found
    return ""


def differ(case, a, b, path):
    if a["kind"] != b["kind"]:
        return f"{path} is a {a['kind']}, TensorFlow's a {b['kind']}"
    if "pairs" in b:
        return differ_in_pairs(a["pairs"], b["pairs"], path)
    if "text" in b:
        return "" if a["text"] == b["text"] else f"{path} is {a['text']}, TensorFlow's {b['text']}"
    if "items" in b:
        if len(a["items"]) != len(b["items"]):
            return f"{path} has {len(a['items'])} items, TensorFlow's {len(b['items'])}"
        for i, (x, y) in enumerate(zip(a["items"], b["items"], strict=True)):
            if b["kind"] == "dict":
                if x[0] != y[0]:
                    return f"{path} has the key {x[0]}, TensorFlow's {y[0]}"
                x, y = x[1], y[1]
            found = differ(case, x, y, f"{path}[{i}]")
            if found:
                return found
        return ""
    for what in ("dtype", "shape"):
        if a[what] != b[what]:
            return f"{path} has {what} {a[what]}, TensorFlow's {b[what]}"
    if b["dtype"] not in TOLERANCE:
        return "" if a["data"] == b["data"] else f"{path} is {a['data']}, TensorFlow's {b['data']}"
    x, y = (np.array(v["data"], np.float64) for v in (a, b))
    finite = np.isfinite(y)
    scale = np.max(np.abs(y[finite]), initial=0.0)
    tolerance = TOLERANCE[b["dtype"]] * case.tolerance * max(scale, 1e-30)
    same = np.array_equal(np.isfinite(x), finite) and np.array_equal(
        x[~finite], y[~finite], equal_nan=True
    )
    if same and np.all(np.abs(x[finite] - y[finite]) <= tolerance):
        return ""
    return f"{path} is {a['data']}, TensorFlow's {b['data']}"


def has_tensorflow():
    """Whether TensorFlow is installed in this environment."""
    return importlib.util.find_spec("tensorflow") is not None
