"""Variables without a name are called as the user's lines call them."""

import numpy as np
import pytest

import gradtape as gt
from gradtape.record.reader import Reader


class Line:
    def __init__(self):
        self.slope = gt.Variable(1.0)
        self.intercept = gt.Variable(0.5)

    def __call__(self, x):
        return self.intercept + self.slope * x


def from_the_call():
    a, b = gt.Variable(1.0), gt.Variable(2.0)
    with gt.GradientTape() as tape:
        loss = a * b
    tape.gradient(loss, [a, b])
    return ["a", "b"]


def from_attributes_in_the_call():
    model = Line()
    with gt.GradientTape() as tape:
        loss = np.sum(model(np.arange(3.0)))
    tape.gradient(loss, [model.slope, model.intercept])
    return ["slope", "intercept"]


def from_where_they_were_made():
    model = Line()
    variables = [model.slope, model.intercept]
    with gt.GradientTape() as tape:
        loss = np.sum(model(np.arange(3.0)))
    tape.gradient(loss, variables)
    return ["slope", "intercept"]


def from_a_line_that_makes_two():
    first, second = gt.Variable(1.0), gt.Variable(2.0)
    variables = [first, second]
    with gt.GradientTape() as tape:
        loss = first * second
    tape.gradient(loss, variables)
    return ["first", "second"]


def one_alone_and_by_keyword():
    w = gt.Variable(2.0)
    with gt.GradientTape() as tape:
        loss = w * w
    tape.gradient(loss, sources=w)
    return ["w"]


def names_of_their_own_stay():
    a, b = gt.Variable(1.0, name="first"), gt.Variable(2.0)
    with gt.GradientTape() as tape:
        loss = a * b
    tape.gradient(loss, (a, b))
    return ["first", "b"]


def of_a_dict():
    weights = {"u": gt.Variable(1.0), "v": gt.Variable(2.0)}
    with gt.GradientTape() as tape:
        loss = weights["u"] * weights["v"]
    tape.gradient(loss, [weights["u"], weights["v"]])
    return ["weights['u']", "weights['v']"]


def several_of_one_line():
    layers = [gt.Variable(float(i)) for i in range(3)]
    with gt.GradientTape() as tape:
        loss = layers[0] * layers[1] * layers[2]
    tape.gradient(loss, layers)
    return ["layers", "layers_2", "layers_3"]


def tensors_of_a_tape():
    with gt.GradientTape() as tape:
        p, q = tape.watch(1.0), tape.watch(2.0)
        loss = p * q
    tape.gradient(loss, [p, q])
    return ["p", "q"]


def a_list_of_one_variable():
    w = gt.Variable(2.0)
    variables = [w]
    with gt.GradientTape() as tape:
        loss = w * w
    tape.gradient(loss, variables)
    return ["w"]


def one_tensor_of_a_tape():
    with gt.GradientTape() as tape:
        p = tape.watch(1.0)
        loss = p * p
    tape.gradient(loss, p)
    return ["p"]


def what_a_function_is_called_with():
    theta = 2.0
    gt.grad(lambda p: p * p)(theta)
    return ["theta"]


def what_a_gradient_function_is_called_with():
    theta, cost_and_grad = 2.0, gt.value_and_grad(lambda p: p * p)
    cost_and_grad(theta)
    return ["theta"]


def of_a_function_of_several_there_is_no_name():
    gt.grad(lambda p: p["u"] * p["v"])({"u": 2.0, "v": 3.0})
    return ["source:0", "source:1"]


CASES = [value for value in list(globals().values()) if getattr(value, "__module__", "") == __name__
         and callable(value) and value is not Line]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_names(case, tmp_path):
    with gt.Recording(tmp_path / "run", progress=False) as run:
        for _ in run.steps(1):
            expected = case()
    reader = Reader(tmp_path / "run")
    columns = [c.name for c in reader.columns() if c.name.startswith("value/")]
    assert sorted(columns) == sorted(f"value/{name}" for name in expected)
    assert set(reader.graph()["sources"]) == set(columns)
