"""What is computed from a value that left is followed through the code, to where it comes back."""

import functools
import itertools
import math
import types

import numpy as np
import pytest

import gradtape as gt
from gradtape.errors import ExitWarning
from tests.tape import other_module
from tests.tape.other_module import Keeper, Meter

# Each takes a Variable of two numbers and uses it twice: once on the tape, and once after it left
# and was computed with. The gradient is the part that the tape saw; the loss is `x * constant`.


def same_statement(x):
    return x[0] * x[1] + 2.0 * float(x[0]) * x[1]


def name(x):
    s = 2.0 * float(x[0])
    return x * s


def several_statements(x):
    s = float(x[0])
    t = 3.0 * s
    u = -t + 1.0
    return x * u


def augmented(x):
    s = 1.5
    s += float(x[0])
    return x * s


def walrus(x):
    return x * (s := 2.0 * float(x[0])) + s


def one_branch(x):
    s = 2.0 * float(x[0]) if x[0] > 0 else 1.0
    return x * s


def loop(x):
    total = 0.0
    for i in range(2):
        total = total + float(x[i])
    return x * total


def while_loop(x):
    s, n = 1.0, 0
    while n < 2:
        n += 1
        s = s * float(x[0]) + 0.25
    return x * s


def next_turn(x):
    y, s = x, 1.0
    for _ in range(2):
        y = y * s
        s = 0.5 + float(x[0])
    return y


def with_block(x):
    with np.errstate(all="ignore"):
        s = 2.0 * float(x[0])
    return x * s


def try_block(x):
    try:
        s = 2.0 * float(x[0])
    except ValueError:
        s = 0.0
    finally:
        n = 1
    return x * s * n


def lambda_returns(x):
    return x * (lambda v: 2.0 * float(v))(x[0])


def helper_returns(x):
    def helper(v):
        inner = float(v) + 1.0
        return inner * 2.0

    return x * helper(x[0])


def helper_of_helper(x):
    def inner(v):
        return float(v) ** 2

    def outer(v):
        return inner(v) + 1.0

    return x * outer(x[0])


def other_module_returns(x):
    return x * other_module.doubled(x[0])


def other_module_sums(x):
    return x * other_module.total(x)


def returns_one_of_two(x):
    def both(v):
        return v * 2.0, 2.0 * float(v)

    y, s = both(x[0])
    return y * s


def partial_function(x):
    return x * functools.partial(lambda k, v: k * float(v), 2.0)(x[0])


def mapped(x):
    a, b = map(other_module.doubled, x)
    return x * a + b


def reduced(x):
    return x * functools.reduce(lambda s, v: s + 2.0 * float(v), [x[0], x[1]], 0.25)


def comprehension(x):
    values = [2.0 * float(v) for v in x]
    return x * np.array(values)


def comprehension_at_once(x):
    return x * np.mean([float(v) + 1.0 for v in x])


def generator_expression(x):
    return x * sum(2.0 * float(v) for v in x)


def generator(x):
    def halves(values):
        for v in values:
            yield float(v) / 2.0

    return x * np.array(list(halves(x)))


def record_in_a_comprehension(x):
    values = [2.0 * float(x[0]), 1.0 + float(x[1])]
    return sum([v * x[0] for v in values])


def record_in_a_generator(x):
    values = [2.0 * float(x[0]), 1.0 + float(x[1])]
    return sum(v * x[0] for v in values)


def dict_comprehension(x):
    table = {i: 2.0 * float(v) for i, v in enumerate(x)}
    return x * table[0]


def attribute(x):
    box = types.SimpleNamespace()
    box.scale = 2.0 * float(x[0])
    return x * box.scale


def attribute_of_attribute(x):
    box = types.SimpleNamespace(inner=types.SimpleNamespace())
    box.inner.scale = 2.0 * float(x[0])
    return x * (box.inner.scale + 1.0)


def attribute_by_method(x):
    keeper = Keeper()
    keeper.keep(x[0])
    return x * keeper.scale


def attribute_read_by_method(x):
    keeper = Keeper()
    keeper.scale = 2.0 * float(x[0])
    return keeper(x)


def attribute_by_constructor(x):
    return Keeper(x[0])(x)


def attribute_by_property(x):
    keeper = Keeper()
    keeper.keep(x[0])
    return x * keeper.half


def attribute_by_setter(x):
    keeper = Keeper()
    keeper.set(2.0 * float(x[0]))
    return keeper(x)


def attribute_computed_with_by_method(x):
    keeper = Keeper()
    keeper.set(2.0 * float(x[0]))
    return x * keeper.factor()


def average_by_an_object(x):
    meter = Meter()
    for v in x:
        meter.update(2.0 * float(v))
    return x * meter.average


def computed_by_a_function(x):
    return x * other_module.increased(float(x[0]))


def computed_by_two_functions(x):
    def f(s):
        return other_module.increased(other_module.increased(s))

    s = float(x[0])
    return x * f(s)


def computed_by_a_static_method(x):
    return x * Keeper.doubled(float(x[0])) + Keeper().doubled(float(x[1]))


def kept_by_a_function(x):
    table = {}
    other_module.keep_in(table, 2.0 * float(x[0]))
    return x * table["scale"]


def kept_by_a_closure(x):
    kept = []

    def keep(s):
        kept.append(s + 1.0)

    for v in x:
        keep(float(v))
    return x * np.array(kept)


def computed_by_recursion(x):
    def power(s, n):
        return s * power(s, n - 1) if n else 1.0

    return x * power(float(x[0]) + 1.0, 3)


def computed_by_a_generator(x):
    def halves(numbers):
        for number in numbers:
            yield number / 2.0

    values = [float(x[0]), float(x[1])]
    return sum(v * h for v, h in zip(x, halves(values), strict=True))


def constructed_by_name(x):
    box = types.SimpleNamespace(scale=2.0 * float(x[0]), other=3.0)
    return x * box.scale


def subscript(x):
    table = {"scale": 1.0, "other": 2.5}
    table["scale"] = 2.0 * float(x[0])
    return x * table["scale"]


def subscript_in_a_list(x):
    parts = [1.0, 2.5]
    parts[0] = 2.0 * float(x[0])
    return x * parts[0]


def array_element(x):
    y = np.ones(2)
    y[0] = 2.0 * float(x[0])
    return x * y


def array_computed_with(x):
    y = np.ones(2)
    y[0] = x[0]
    return x * (2.0 * y)


def array_slice(x):
    y = np.ones(3)
    y[:2] = x.numpy() * 3.0
    return x * y[1]


def list_append(x):
    parts = []
    for v in x:
        parts.append(2.0 * float(v))
    return x * np.asarray(parts)


def list_of_an_object(x):
    box = types.SimpleNamespace(parts=[])
    for v in x:
        box.parts.append(2.0 * float(v))
    return x * np.asarray(box.parts)


def added_at(x):
    y = np.ones(2)
    np.add.at(y, [0], x[0])
    return x * (2.0 * y)


def list_built(x):
    parts = [2.0 * float(x[0]), 1.25]
    return x * parts


def unpacked(x):
    s, n = 2.0 * float(x[0]), 1.5
    return x * s * n


def unpacked_with_star(x):
    first, *_rest = [2.0 * float(v) for v in x]
    return x * first


def zipped(x):
    return sum(v * t for v, t in zip(x, [2.0 * float(x[0]), 1.0 + float(x[1])], strict=True))


def dict_get(x):
    table = dict([("other", 1.0)], scale=2.0 * float(x[0]))
    return x * table.get("scale", 1.0)


def closure(x):
    s = 2.0 * float(x[0])

    def inner(v):
        return v * s

    return inner(x)


def nonlocal_name(x):
    s = 1.0

    def inner(v):
        nonlocal s
        s = 2.0 * float(v)

    inner(x[0])
    return x * s


def global_name(x):
    global SCALE
    SCALE = 2.0 * float(x[0])
    return x * SCALE


def global_set_by_another(x):
    _set_scale(x[0])
    return x * SCALE


def global_read_by_another(x):
    global SCALE
    SCALE = 2.0 * float(x[0])
    return _times_scale(x)


SCALE = 1.0


def _set_scale(v):
    global SCALE
    SCALE = 2.0 * float(v)


def _times_scale(v):
    return v * SCALE


def passed_on(x):
    return other_module.product(x, 2.0 * float(x[0]))


def passed_by_name(x):
    return other_module.product(factor=2.0 * float(x[0]), tensor=x)


def passed_through_two(x):
    def outer(v, s):
        return other_module.product(v, s + 1.0)

    return outer(x, float(x[0]))


def passed_as_star(x):
    arguments = (x, 2.0 * float(x[0]))
    return other_module.product(*arguments)


def default_argument(x):
    def f(v, s=2.0 * float(x[0])):
        return v * s

    return f(x)


def argument_of_a_function(x):
    return np.clip(x, 0.1 * float(x[0]), None) * x + np.hypot(x, 2.0 * float(x[0]))


def keyword_of_a_function(x):
    return np.sum(x * x, initial=2.0 * float(x[0]))


def argument_of_a_composite(x):
    return np.average(x * x, weights=2.0 * x.numpy())


def in_a_stack(x):
    return np.stack([x[0], 2.0 * float(x[1])]) * x


def assigned_into_a_tensor(x):
    y = gt.zeros(2) + x * 0.5
    y[0] = 2.0 * float(x[0])
    return y


def in_place(x):
    y = x * 1.0
    y += 2.0 * x.numpy()
    return y


def reflected(x):
    return (1.0 - float(x[0])) - x


def matmul(x):
    return (np.eye(2) * x.numpy()) @ x


def power(x):
    return x ** (1.0 + float(x[0]))


def array_method(x):
    return x * x.numpy().cumsum()


def array_attribute(x):
    return x * (np.asarray(x * 2.0).T + 1.0)


def wrapped_again(x):
    return x * gt.array(2.0 * x.numpy())


def unpacked_dict(x):
    options = {"initial": 2.0 * float(x[0])}
    return np.sum(x * x, **options)


def in_a_library(x):
    return x * sum(itertools.accumulate(float(v) for v in x))


def through_math(x):
    s = 1.0 + math.sin(x[0])
    return x * s


def nested_list(x):
    rows = [[2.0 * float(v), 1.5] for v in x]
    return x @ rows


def a_function_that_shares_its_name(x):
    def value(v):  # not gt.value
        return 2.0 * float(v)

    return x * value(x[0])


FOLLOWED = [
    same_statement, name, several_statements, augmented, walrus, one_branch, loop, while_loop,
    next_turn, with_block, try_block, lambda_returns, helper_returns, helper_of_helper,
    other_module_returns, other_module_sums, returns_one_of_two, partial_function, mapped, reduced,
    comprehension, comprehension_at_once, generator_expression, generator,
    record_in_a_comprehension, record_in_a_generator, dict_comprehension, attribute,
    attribute_of_attribute, attribute_by_method, attribute_read_by_method,
    attribute_by_constructor, attribute_by_property, attribute_by_setter,
    attribute_computed_with_by_method, average_by_an_object, computed_by_a_function,
    computed_by_two_functions, computed_by_a_static_method, kept_by_a_function, kept_by_a_closure,
    computed_by_recursion, computed_by_a_generator, constructed_by_name, subscript,
    subscript_in_a_list,
    array_element, array_computed_with, array_slice, list_append, list_of_an_object,
    added_at, list_built,
    unpacked, unpacked_with_star, zipped, dict_get, closure, nonlocal_name, global_name,
    global_set_by_another, global_read_by_another, passed_on, passed_by_name, passed_through_two,
    passed_as_star, default_argument, argument_of_a_function, keyword_of_a_function,
    argument_of_a_composite, in_a_stack, assigned_into_a_tensor, in_place, reflected, matmul,
    power, array_method, array_attribute, wrapped_again, unpacked_dict, in_a_library,
    through_math, nested_list, a_function_that_shares_its_name,
]  # fmt: skip


@pytest.mark.parametrize("program", FOLLOWED, ids=lambda f: f.__name__)
def test_a_value_is_followed(program):
    """The gradient says that it is a part, and is that of the part that the tape saw."""
    x = gt.Variable([0.375, 1.25])
    with gt.GradientTape(persistent=True) as tape:
        loss = np.sum(program(x))
    found = tape.explain(loss, x)
    assert (found.kind, found.certain) == ("partial", False), found
    assert "computed from it" in found.cause
    here = {p.filename for p in found.path}
    assert here <= {__file__, other_module.__file__}
    with pytest.warns(ExitWarning, match="part of the whole"):
        part = tape.gradient(loss, x)
    whole = central_differences(program, np.array([0.375, 1.25]))
    assert part is not None
    assert np.max(np.abs(np.asarray(part) - whole)) > 1e-3  # a part of the whole indeed


def central_differences(program, x, h=1e-6):
    slopes = []
    for i in range(len(x)):
        e = np.eye(len(x))[i] * h
        up, down = (float(np.sum(program(gt.array(x + s * e)))) for s in (1, -1))
        slopes.append((up - down) / (2 * h))
    return np.array(slopes)
