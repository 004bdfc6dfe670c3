"""Random programs: tapes entered, left, re-entered and nested in any order give right gradients."""

from __future__ import annotations

import warnings

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import gradtape as gt


@st.composite
def programs(draw):
    """A list of actions over two Variables, three tapes and the values made so far."""
    actions = []
    for _ in range(draw(st.integers(3, 14))):
        kind = draw(st.sampled_from(["op", "op", "op", "enter", "exit", "assign", "stop"]))
        actions.append(
            (kind, draw(st.integers(0, 2)), draw(st.integers(0, 50)), draw(st.integers(0, 50)))
        )
    return actions


OPS = [
    (lambda a, b: a * b, lambda a, b: (b, a)),
    (lambda a, b: a + b, lambda a, b: (1.0, 1.0)),
    (lambda a, b: np.sin(a) - b, lambda a, b: (np.cos(a), -1.0)),
]


@given(programs())
@settings(max_examples=300)
def test_tapes_in_any_order(program):
    """Each tape's gradient equals a hand-kept derivative of what that tape saw."""
    variables = [gt.Variable(0.7), gt.Variable(-0.4)]
    tapes = [gt.GradientTape(persistent=True) for _ in range(3)]
    active = [False] * 3
    entered = [False] * 3
    values = list(variables)
    # seen[t][i]: derivatives of values[i] with respect to both Variables, as tape t recorded
    unit = {0: (1.0, 0.0), 1: (0.0, 1.0)}
    seen = [dict(unit) for _ in range(3)]
    for kind, which, i, j in program:
        if kind == "enter" and not active[which]:
            tapes[which].__enter__()
            active[which] = entered[which] = True
        elif kind == "exit" and active[which]:
            tapes[which].__exit__(None, None, None)
            active[which] = False
        elif kind == "assign":
            variables[which % 2].assign(variables[which % 2].value * 0.5 + 0.1)
        elif kind == "stop" and active[which]:
            with tapes[which].stop_recording():
                values.append(values[i % len(values)] * 2.0)
            for t in range(3):
                if t != which and active[t] and i % (len(values) - 1) in seen[t]:
                    d = seen[t][i % (len(values) - 1)]
                    seen[t][len(values) - 1] = (2 * d[0], 2 * d[1])
        elif kind == "op":
            function, partials = OPS[which]
            i, j = i % len(values), j % len(values)
            a, b = values[i], values[j]
            pa, pb = partials(a.value, b.value)
            values.append(function(a, b))
            for t in range(3):
                if active[t] and (i in seen[t] or j in seen[t]):
                    da, db = seen[t].get(i, (0.0, 0.0)), seen[t].get(j, (0.0, 0.0))
                    seen[t][len(values) - 1] = tuple(
                        pa * u + pb * v for u, v in zip(da, db, strict=True)
                    )
    for t in range(3):
        if active[t]:
            tapes[t].__exit__(None, None, None)
        if not entered[t]:
            continue
        for n, target in enumerate(values[2:], start=2):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = tapes[t].gradient(target, variables, unconnected_gradients="zero")
            expected = seen[t].get(n, (0.0, 0.0))
            np.testing.assert_allclose([g.read() for g in found], expected, rtol=1e-12, atol=1e-14)


@given(
    st.lists(st.sampled_from(["mul", "sin", "square", "slice", "sum", "add_row", "T"]), max_size=8),
    st.integers(0, 2**31),
)
@settings(max_examples=100)
def test_random_chains_agree_with_central_differences(names, seed):
    rng = np.random.default_rng(seed)
    x0 = rng.uniform(0.5, 1.5, (3, 3))
    w = rng.uniform(0.5, 1.5, (3, 3))

    def program(x):
        for name in names:
            if name == "mul" and np.shape(x) == (3, 3):
                x = x * w
            elif name == "sin":
                x = np.sin(x)
            elif name == "square":
                x = np.square(x) * 0.3
            elif name == "slice" and np.ndim(x) == 2:
                x = x[::-1]
            elif name == "add_row" and np.ndim(x) == 2:
                x = x + x[0]
            elif name == "T" and np.ndim(x) == 2:
                x = np.transpose(x)
            elif name == "sum" and np.ndim(x) == 2:
                x = np.sum(x, axis=0, keepdims=True) * np.ones((3, 1))
        return np.sum(x)

    g = gt.grad(program)(x0)
    d = rng.normal(size=(3, 3))
    h = 1e-5
    numeric = (program(x0 + h * d) - program(x0 - h * d)) / (2 * h)
    np.testing.assert_allclose(np.sum(g * d), numeric, rtol=1e-6, atol=1e-7)
    hessian_d = gt.grad(lambda x: np.sum(gt.grad(program)(x) * d))(x0)
    numeric = (gt.grad(program)(x0 + h * d) - gt.grad(program)(x0 - h * d)) / (2 * h)
    np.testing.assert_allclose(hessian_d, numeric, rtol=1e-5, atol=1e-6)
