"""Errors: the classes, the form of every raise site, and what each says to a user.

Three checks. The classes of gradtape.errors have the bases that a user would catch. Every
`raise` in the source is of one of our classes with a three-part message (or stands in a short
table of exceptions to that rule). And the table SAID shows, for what a user can do wrong, the
class that is raised and that fact, cause and remedy are all in its message.
"""

import ast
import builtins
import math
import re
import warnings
from pathlib import Path

import numpy as np
import pytest

import gradtape as gt
from gradtape import errors

SOURCE = Path(errors.__file__).resolve().parent

# ------------------------------------------------------------------------------ the classes

BASES = {
    errors.TapeStateError: (RuntimeError, ValueError),
    errors.ShapeError: (ValueError,),
    errors.DTypeError: (TypeError,),
    errors.StaleViewError: (RuntimeError,),
    errors.DonatedError: (RuntimeError,),
    errors.WatchError: (TypeError, ValueError),
    errors.UnsupportedOperationError: (NotImplementedError, LookupError),
    errors.ExitError: (TypeError,),
    errors.NonFiniteError: (ValueError,),
    errors.ConvergenceError: (RuntimeError,),
    errors.NumericsError: (FloatingPointError,),
    errors.TracingError: (TypeError,),
    errors.MismatchError: (AssertionError,),
    errors.RecordError: (RuntimeError,),
    errors.RunError: (ValueError, LookupError),
    errors.RecordWarning: (UserWarning,),
    errors.TracingWarning: (UserWarning,),
    errors.CompileWarning: (UserWarning,),
    errors.GradientWarning: (UserWarning,),
    errors.ExitWarning: (errors.GradientWarning,),
}


@pytest.mark.parametrize(("cls", "bases"), BASES.items(), ids=lambda x: getattr(x, "__name__", ""))
def test_bases(cls, bases):
    assert all(issubclass(cls, base) for base in bases)
    with pytest.raises(bases[0], match="the fact"):
        raise cls(errors.three_part("the fact", "the cause", "the remedy"))


def test_every_class_is_in_the_table():
    classes = {
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, BaseException)
    }
    assert classes - {errors.GradtapeError} == BASES.keys()
    exceptions = [cls for cls in classes if not issubclass(cls, Warning)]
    assert all(issubclass(cls, errors.GradtapeError) for cls in exceptions)


# ------------------------------------------------------------------------------ the raise sites

OURS = {cls.__name__ for cls in BASES} | {"GradtapeError"}

# Python's own protocols ask for exactly these, and no message helps. Any other builtin may be
# raised where NumPy raises it for the same mistake (a mode that does not exist is a ValueError),
# but with three parts.
PROTOCOL = {"AttributeError", "StopIteration", "SystemExit", "KeyboardInterrupt", "AssertionError"}


def is_three_part(node: ast.expr, scope: ast.AST) -> bool:
    """Whether an expression is `three_part(fact, cause, remedy)` with a fact and a remedy.

    A name stands for what it was assigned in the same function.
    """
    if isinstance(node, ast.Name):
        values = [
            item.value
            for item in ast.walk(scope)
            if isinstance(item, ast.Assign)
            and not isinstance(item.value, ast.Name)
            and any(isinstance(t, ast.Name) and t.id == node.id for t in item.targets)
        ]
        return bool(values) and all(is_three_part(value, scope) for value in values)
    if not isinstance(node, ast.Call) or not ast.unparse(node.func).endswith("three_part"):
        return False
    if len(node.args) != 3 or node.keywords:
        return False
    empty = [isinstance(arg, ast.Constant) and not arg.value for arg in node.args]
    return not empty[0] and not empty[2]


def bad_sites(text: str) -> list[int]:
    """Return the lines where an error is made, raised or warned of otherwise than style asks.

    Our classes are looked at wherever they are called, because a function may make an error that
    another one raises.
    """
    tree = ast.parse(text)
    scopes: dict[ast.AST, ast.AST] = {}
    for scope in ast.walk(tree):
        if isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef | ast.Module):
            scopes.update(dict.fromkeys(ast.walk(scope), scope))  # the innermost comes last

    bad = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).split(".")[-1]
            says = bool(node.args) and is_three_part(node.args[0], scopes[node])
            if ast.unparse(node.func) == "warnings.warn":
                # a RuntimeWarning is NumPy's own, given again where NumPy would give it
                category = ast.unparse(node.args[1]) if len(node.args) > 1 else "UserWarning"
                checked = category != "RuntimeWarning"
            else:
                checked = name in OURS
            if checked and not says:
                bad.add(node.lineno)
        elif isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call | ast.Name):
            call = node.exc
            name = ast.unparse(call.func if isinstance(call, ast.Call) else call).split(".")[-1]
            if name in OURS and isinstance(call, ast.Name):
                bad.add(node.lineno)
            elif name not in PROTOCOL and hasattr(builtins, name):
                says = isinstance(call, ast.Call) and bool(call.args)
                says = says and is_three_part(call.args[0], scopes[node])
                if not says:
                    bad.add(node.lineno)
    return sorted(bad)


# What is raised here never reaches a user as it is.
INSIDE = {
    "core/registry.py": "a table that lacks a key answers as a dict does",
    "ops/einsum.py": "what a subscript lacks is raised in parts, and made whole by _bad_subscripts",
}
FILES = [path.relative_to(SOURCE).as_posix() for path in sorted(SOURCE.rglob("*.py"))]


@pytest.mark.parametrize("where", [name for name in FILES if name not in INSIDE])
def test_raise_sites(where):
    path = SOURCE / where
    assert [f"{where}:{line}" for line in bad_sites(path.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize(
    ("text", "bad"),
    [
        ("raise ShapeError(three_part('a', 'b', 'c'))", False),
        ("raise errors.ShapeError(errors.three_part(f'{x}', cause, 'c'))", False),
        ("raise ShapeError(three_part('a', '', 'c'))", False),
        ("def f():\n    m = three_part('a', 'b', 'c')\n    raise ShapeError(m)", False),
        ("raise AttributeError(name)", False),
        ("raise ValueError(three_part('a', 'b', 'c'))", False),
        ("warnings.warn('Mean of empty slice', RuntimeWarning)", False),
        ("try:\n    f()\nexcept E:\n    raise", False),
        ("warnings.warn(three_part('a', 'b', 'c'), GradientWarning)", False),
        ("raise ShapeError('just a sentence')", True),
        ("raise ShapeError", True),
        ("def f():\n    return ShapeError('x')", True),
        ("raise ShapeError(three_part('', 'b', 'c'))", True),
        ("raise ShapeError(three_part('a', 'b', ''))", True),
        ("raise ShapeError(three_part('a', 'b'))", True),
        ("def f():\n    m = 'x'\n    raise ShapeError(m)", True),
        ("def f(m):\n    raise ShapeError(m)", True),
        ("raise ValueError('x')", True),
        ("warnings.warn('x')", True),
        ("raise RuntimeError", True),
        ("warnings.warn('x', GradientWarning)", True),
    ],
)
def test_the_scan_tells_good_from_bad(text, bad):
    assert bool(bad_sites(text)) is bad


# ------------------------------------------------------------------------------ what is said
#
# Each row: a name; what a user does; the class (an error that is raised, or a warning that is
# given); and three expressions for fact, cause and remedy, which must be found in this order.
# HERE stands for the file and line of the user's code where the message should name it.

HERE = r"test_errors\.py:\d+"


def used_tape(persistent=False):
    """A tape that has recorded y = x * x, with x and y."""
    x = gt.Variable([1.0, 2.0], name="x")
    with gt.GradientTape(persistent=persistent) as tape:
        y = x * x
    return tape, x, y


def second_gradient():
    tape, x, y = used_tape()
    tape.gradient(y, x)
    tape.gradient(y, x)


def gradient_before_entering():
    gt.GradientTape().gradient(gt.array(1.0), gt.Variable(1.0))


def watch_before_entering():
    gt.GradientTape().watch(gt.array(1.0))


def enter_twice():
    with gt.GradientTape() as tape, tape:
        pass


def stop_recording_before_entering():
    with gt.GradientTape().stop_recording():
        pass


def stop_recording_after_exit():
    tape, _, _ = used_tape()
    with tape.stop_recording():
        pass


def reset_outside():
    tape, _, _ = used_tape()
    tape.reset()


def target_none():
    tape, x, _ = used_tape()
    tape.gradient(None, x)


def source_none():
    tape, x, y = used_tape()
    tape.gradient(y, [x, None])


def target_float():
    tape, x, _ = used_tape()
    tape.gradient(3.0, x)


def source_float():
    tape, _, y = used_tape()
    tape.gradient(y, 3.0)


def unknown_unconnected():
    tape, x, y = used_tape()
    tape.gradient(y, x, unconnected_gradients="bogus")


def too_few_output_gradients():
    tape, x, y = used_tape()
    tape.gradient([y, y], x, output_gradients=[np.ones(2)])


def too_many_output_gradients():
    tape, x, y = used_tape()
    tape.gradient(y, x, output_gradients=[np.ones(2), np.ones(2)])


def wrong_shape_of_output_gradients():
    tape, x, y = used_tape()
    tape.gradient(y, x, output_gradients=np.ones(3))


def output_gradients_of_unequal_rows():
    tape, x, y = used_tape()
    tape.gradient(y, x, output_gradients=[[1.0], [2.0, 3.0]])


def unconnected_array():
    tape, x, y = used_tape()
    tape.gradient(y, x, unconnected_gradients=np.zeros(2))


def target_set():
    tape, x, y = used_tape()
    tape.gradient({y}, x)


def source_generator():
    tape, x, y = used_tape()
    tape.gradient(y, (v for v in [x]))


def watch_text():
    with gt.GradientTape() as tape:
        tape.watch("text")


def variable_of_text():
    gt.Variable("text")


def integer_variable():
    gt.Variable(0)


def assign_wrong_shape():
    gt.Variable([1.0, 2.0], name="w").assign([1.0, 2.0, 3.0])


def assign_complex():
    gt.Variable(1.0, name="w").assign(1j)


def subtract_none():
    w = gt.Variable(1.0, name="w")
    w -= None


def subtract_text():
    w = gt.Variable([1.0, 2.0], name="w")
    w -= "text"


def grad_of_number():
    gt.grad(3.0)


def value_and_grad_of_text():
    gt.value_and_grad("f")


def vjp_of_array():
    gt.vjp(np.ones(2), 1.0)


def vjp_of_no_pair():
    gt.vjp(lambda x: (x, 1, 2), 2.0, has_aux=True)


def custom_gradient_of_number():
    gt.custom_gradient(3.0)


def grad_of_vector():
    gt.grad(lambda x: x * x)(np.ones(3))


def grad_argnums():
    gt.grad(lambda x: x * x, argnums=1)(1.0)


def grad_of_integer():
    gt.grad(lambda x: x * x)(3)


def grad_of_none():
    gt.grad(lambda x: None)(1.0)


def grad_of_exited():
    gt.grad(lambda x: math.sin(x))(1.0)


def grad_of_pair():
    gt.value_and_grad(lambda x: x * x, has_aux=True)(1.0)


def grad_of_object():
    gt.grad(lambda x: x * object())(1.0)


def vjp_wrong_cotangent():
    gt.vjp(lambda x: x * x, 1.0)[1](np.ones(3))


def strict_exit():
    x = gt.Variable(1.0, name="x")
    with gt.GradientTape(strict=True):
        float(x)


def custom_gradient_count():
    f = gt.custom_gradient(lambda a, b: (a * b, lambda ct: (ct,)))
    a, b = gt.Variable(2.0), gt.Variable(3.0)
    with gt.GradientTape() as tape:
        y = f(a, b)
    tape.gradient(y, [a, b])


def custom_gradient_shape():
    f = gt.custom_gradient(lambda a: (np.sum(a), lambda ct: np.ones(3)))
    a = gt.Variable([1.0, 2.0])
    with gt.GradientTape() as tape:
        y = f(a)
    tape.gradient(y, a)


def custom_gradient_variables():
    w = gt.Variable(2.0, name="w")
    f = gt.custom_gradient(lambda a: (a * w, lambda ct: ct))
    with gt.GradientTape():
        f(gt.Variable(1.0))


def stale_view():
    x = gt.array(np.ones((2, 3)))
    view = x.T
    x.shape = (6,)
    np.sum(view)


def branch_while_tracing():
    gt.function(lambda x: x if x.sum() > 0 else -x)(np.ones(3))


def traced_again():
    f = gt.function(lambda x: x.sum())
    for n in range(1, 6):
        f(np.ones(n))


def threads_of_nothing():
    gt.function(lambda x: x, threads=0)


def donated_view():
    gt.function(lambda x: x * 2.0, donate="x")(np.ones(4)[1:])


def read_of_donated():
    x = gt.array(np.ones(4))
    gt.function(lambda x: x * 2.0, donate="x")(x)
    np.sum(x)


def no_card():
    from scipy.special import mathieu_a

    x = gt.Variable([1.0, 2.0, 3.0], name="x")
    with gt.GradientTape() as tape:
        y = np.sum(mathieu_a(1.0, x))
    tape.gradient(y, x)


def shuffle():
    with gt.GradientTape() as tape:
        x = tape.watch(np.arange(6.0).reshape(3, 2))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy's own, about what is not a Sequence
            np.random.default_rng(0).shuffle(x)


def scalar_item_assignment():
    gt.array(1.0)[0] = 2.0


def gradient_left_by_float():
    x = gt.Variable(2.0, name="x")
    with gt.GradientTape() as tape:
        loss = gt.array(float(x)) * 3.0
    tape.gradient(loss, x)


def gradient_partial():
    x = gt.Variable(2.5, name="x")
    with gt.GradientTape() as tape:
        loss = x * 3.0 + float(x) * x
    tape.gradient(loss, x)


def gradient_never_watched():
    x = gt.array([1.0, 2.0])
    with gt.GradientTape() as tape:
        loss = np.sum(x * x)
    tape.gradient(loss, x)


def gradient_of_nondifferentiable():
    x = gt.Variable([1.5, 2.5], name="x")
    with gt.GradientTape() as tape:
        loss = np.sum(np.floor(x)) * 2.0
    tape.gradient(loss, x)


def minimize_nan():
    with np.errstate(invalid="ignore"):
        gt.minimize(lambda x: np.sum(np.log(x)), [-1.0, 2.0])


def numerics():
    x = gt.Variable(-1.0, name="x")
    with np.errstate(invalid="ignore"), gt.check_numerics():
        np.log(x)


def minimize_vector():
    gt.minimize(lambda x: x**2, [1.0, 2.0])


def minimize_exit():
    gt.minimize(lambda x: 2 * float(x[0]) + x[0] ** 2, [1.0])


def fixed_point_none():
    gt.fixed_point(lambda x: x + 1.0, 0.5)


T, S, D = errors.TapeStateError, errors.ShapeError, errors.DTypeError
U = errors.UnsupportedOperationError
SAID = [
    (second_gradient, T, "one set of gradients", f"before, at {HERE}", "persistent=True"),
    (gradient_before_entering, T, "never recorded", "not entered", "with gt.GradientTape"),
    (watch_before_entering, T, "never recorded", "not entered", "with gt.GradientTape"),
    (enter_twice, T, "still recording", "re-enter", "gt.GradientTape"),
    (stop_recording_before_entering, T, "not recording", "outside", "with tape:"),
    (stop_recording_after_exit, T, "not recording", "outside", "with tape:"),
    (reset_outside, T, "not recording", "outside", "inside the block"),
    (target_none, D, "target.*None", "return", "[Rr]eturn the loss"),
    (source_none, D, r"sources\[1\]", "followed", r"tape\.watch"),
    (target_float, D, "target is float", "history", "inside the tape"),
    (source_float, D, "sources is float", "followed", r"tape\.watch"),
    (unknown_unconnected, ValueError, "'bogus'", "depend", '"zero"'),
    (too_few_output_gradients, S, "1 output_gradients for 2", "own", "one for each"),
    (too_many_output_gradients, S, "output_gradients", r"target|each", "Pass"),
    (wrong_shape_of_output_gradients, S, r"\(3,\).*\(2,\)", "shape of its target", "Pass"),
    (output_gradients_of_unequal_rows, S, "output_gradients", "rows", "Pad"),
    (unconnected_array, ValueError, "array", "depend", '"zero"'),
    (target_set, D, "target is a set", "order", "list"),
    (source_generator, D, "sources is a generator", "once", "list"),
    (watch_text, errors.WatchError, "'text'", "not a Tensor", "np.array"),
    (variable_of_text, D, "dtype <U4", "numbers", "gt.Variable"),
    (integer_variable, errors.GradientWarning, "int", HERE, r"0\.0"),
    (assign_wrong_shape, S, r"\(3,\).*\'w\'", HERE, "Variable of that shape"),
    (assign_complex, D, "complex128.*'w'", HERE, "dtype=complex"),
    (subtract_none, D, "assign_sub: object.*'w'", HERE, "number"),
    (subtract_text, D, "assign_sub: <U4.*'w'", HERE, "number"),
    (grad_of_number, D, "grad: 3.0 is no function", HERE, r"gt\.grad\(f\)"),
    (value_and_grad_of_text, D, "value_and_grad: 'f' is no function", HERE, "GradientTape"),
    (vjp_of_array, D, "vjp: array.* is no function", HERE, "function"),
    (vjp_of_no_pair, D, "vjp of <lambda>: has_aux=True", "returned tuple", r"\(value, aux\)"),
    (custom_gradient_of_number, D, "custom_gradient: 3.0 is no function", HERE, "grad_fn"),
    (grad_of_vector, S, "grad", r"\(3,\)|\[3\]", r"jacobian[\s\S]*\.sum\(\)|\.sum\(\)[\s\S]*jaco"),
    (grad_argnums, S, "argnums=1 for 1", "from 0", "argnums"),
    (grad_of_integer, D, "grad", "int", "float|0"),
    (grad_of_none, D, "returned None", "return", "return loss"),
    (grad_of_exited, errors.GradientWarning, "grad|x", HERE, "np"),
    (grad_of_pair, D, "has_aux=True", "returned Tensor", r"\(value, aux\)"),
    (grad_of_object, D, "multiply.*object", "NumPy", "array"),
    (vjp_wrong_cotangent, S, r"\(3,\).*\(\)", "shape", "Pass"),
    (strict_exit, errors.ExitError, "float", HERE, "strict|gt.value|stop_gradient"),
    (custom_gradient_count, S, "custom_gradient", "1.*2|2.*1", "one|each|None"),
    (custom_gradient_shape, S, "custom_gradient", r"\(3,\)|\[3\]", r"\(2,\)|\[2\]|shape"),
    (custom_gradient_variables, D, "custom_gradient", "w", "variables"),
    (stale_view, errors.StaleViewError, r"view.*\(2, 3\).*\(6,\)", f"{HERE}.*at {HERE}", "copy"),
    (branch_while_tracing, errors.TracingError, "bool.*not known", f"{HERE}.*{HERE}", "np.where"),
    (traced_again, errors.TracingWarning, "5th time", HERE, "few shapes"),
    (threads_of_nothing, ValueError, "threads=0 is no whole", "may use", "threads=1"),
    (donated_view, ValueError, r"given away.*float64\[3\]", f"view.*{HERE}", r"x\.copy\(\)"),
    (read_of_donated, errors.DonatedError, "donated to", f"{HERE}.*{HERE}", r"x\.copy\(\)"),
    (no_card, U, "mathieu_a", HERE, "gt.custom_gradient"),
    (shuffle, U, "assigned", f"{HERE}.*rows", r"rng\.permutation"),
    (scalar_item_assignment, D, "0-d.*immutable", HERE, "gt.array"),
    (minimize_nan, errors.NonFiniteError, r"nan at x = \[-1\.", f"{HERE}.*log", "bounds="),
    (numerics, errors.NumericsError, "log gave nan", f"{HERE}.*x = -1", r"np\.maximum"),
    (minimize_vector, S, r"\(2,\), not a number", HERE, r"np\.sum"),
    (minimize_exit, errors.ExitError, "only a part", HERE, r"float|gt\.value"),
    (fixed_point_none, errors.ConvergenceError, "none was found", HERE, "method="),
    (gradient_left_by_float, errors.GradientWarning, "x", HERE, "np|gt|unconnected"),
    (gradient_partial, errors.GradientWarning, "x", HERE, "np|gt|strict"),
    (gradient_never_watched, errors.GradientWarning, "loss|target", "watch", r"tape\.watch"),
    (gradient_of_nondifferentiable, errors.GradientWarning, "x", "floor", "gt|np|unconnected"),
]


@pytest.mark.parametrize(
    ("mistake", "cls", "fact", "cause", "remedy"), SAID, ids=[row[0].__name__ for row in SAID]
)
def test_said(mistake, cls, fact, cause, remedy):
    if issubclass(cls, Warning):
        with pytest.warns(cls) as caught:
            mistake()
        said = str(caught[0].message)
    else:
        with pytest.raises(cls) as raised:
            mistake()
        said = str(raised.value)
        assert isinstance(raised.value, errors.GradtapeError)
    # Three parts in three lines or more: the fact comes first, the remedy last.
    first, *rest = said.splitlines()
    assert rest, f"one line cannot hold fact, cause and remedy: {said}"
    assert re.search(fact, first), first
    assert re.search(cause, said), said
    assert re.search(remedy, "\n".join(rest)), rest
