"""The walk through bytecode: on real code, on each kind of instruction, and what it costs."""

import argparse
import ast
import dataclasses
import inspect
import json.decoder
import statistics
import types
import typing

import numpy as np
import pytest

import gradtape as gt
from gradtape.core import arrivals, flow, taint
from gradtape.core.calls import parameters_of

MODULES = [argparse, ast, dataclasses, inspect, json.decoder, statistics, typing, flow, np.ma.core]


def codes(code):
    yield code
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            yield from codes(const)


@pytest.mark.parametrize("module", MODULES, ids=lambda m: m.__name__)
def test_all_ways_to_an_instruction_come_with_the_same_stack(module, monkeypatch):
    """What is taken and left is right for every opcode, or two ways would differ in depth."""
    merged, count = flow._merged, 0

    def same_depth(a, b):
        assert len(a[0]) == len(b[0]), code.co_qualname
        return merged(a, b)

    monkeypatch.setattr(flow, "_merged", same_depth)
    with open(module.__file__) as file:
        whole = compile(file.read(), module.__file__, "exec")
    for code in codes(whole):
        clean = flow.Flow(code).enter({}, keep_all=True)
        assert not clean.is_given_up
        assert all(slot.taint is None for stack, _ in clean.before.values() for slot in stack)
        names = {("local", p): True for p in parameters_of(code)}
        tainted = flow.Flow(code).enter(names)
        assert not tainted.is_given_up
        assert tainted.before.keys() <= clean.before.keys()
        for index in tainted.before:
            tainted.sink(index)
        count += len(clean.before)
    assert count > 500


def returned(source, **names):
    """The taint of what a function with these tainted names returns."""
    space = {}
    exec(source, space)
    roots = {("local", name): value for name, value in names.items()}
    return flow.entered(space["f"].__code__, roots).returned


@pytest.mark.parametrize(
    "expression",
    [
        "x + 1", "1 - x", "-x", "+x", "x ** 2", "x % 2", "x @ y", "abs(x)", "x.sum()", "x.T",
        "x[0]", "x[1:]", "[x][0]", "(1, x)[1]", "{'a': x}['a']", "[1, x][i]", "[y, x][-1]",
        "np.sin(x)", "f(y, x)", "f(k=x)", "f(*[x])", "f(**{'k': x})", "x if y else 1",
        "y and x", "x or y", "(z := x) + z", "[v for v in x]", "sum(v for v in x)", "list(x)",
        "[2 * v for v in [x]]", "max(x, 1)", "np.where(y, x, 1)", "float(x)", "np.float64(x)",
        "sorted(x)", "[*x, 1]", "{**x}", "dict(a=x)['a']", "dict(a=x).get('a')", "Box(a=x).a",
        "(lambda: x)()", "x.copy()", "next(iter(x))", "np.zeros(3) + x", "[[x]][0][0]",
    ],
)  # fmt: skip
def test_tainted(expression):
    found = returned(f"def f(x, y=1, i=0):\n    return {expression}", x=True)
    assert taint.whole(found)


@pytest.mark.parametrize(
    "expression",
    [
        "y", "1.0", "x > 0", "x == y", "x is None", "0 in x", "not x", "len(x)", "x.shape[0]",
        "x.size", "x.dtype", "int(x)", "round(x)", "x // 1", "y[x]", "y[0]", "[x, y][1]",
        "(x, y)[1]", "{'a': x, 'b': y}['b']", "dict(a=x, b=y)['b']", "dict(a=x, b=y).get('b')",
        "f'{x}'", "f'{x:.3f}'", "f'{x!r}'", "str(x)", "print(x)", "np.argmax(x)", "x.argsort()",
        "np.sign(x)", "np.isfinite(x)", "y if x else 1", "np.where(x > 0, y, 1)", "np.floor(x)",
        "Box(a=x, b=y).b", "(x > 0) & (x < 1)", "np.zeros_like(x)", "x.astype", "enumerate(x)",
    ],
)  # fmt: skip
def test_clean(expression):
    found = returned(f"def f(x, y=1):\n    return {expression}", x=True)
    if expression == "x.astype":
        assert found  # a method of a tainted object: what it gives is tainted
    elif expression == "enumerate(x)":
        assert taint.item(taint.item(found, "*"), ("[]", 0)) is None  # the count
        assert taint.item(taint.item(found, "*"), ("[]", 1))
    else:
        assert not taint.whole(found)


@pytest.mark.parametrize(
    ("body", "is_tainted"),
    [
        ("a, b = x, y; return b", False),
        ("a, b = x, y; return a", True),
        ("a, b, c, d = x, y, 1, 2; return a", True),
        ("a, *b = [y, x]; return b[0]", True),
        ("z = x; z = y; return z", False),
        ("z = x\n    if y: z = 1\n    return z", True),
        ("z = x\n    if y: z = 1\n    else: z = 2\n    return z", False),
        ("for z in x: pass\n    return z", True),
        ("for n, z in enumerate(x): pass\n    return n", False),
        ("for n, z in zip(y, x): pass\n    return n", False),
        ("for n, z in zip(y, x): pass\n    return z", True),
        ("while y: z = w + 1; w = x\n    return z", True),
        ("del x; x = 1; return x", False),
        ("o.a = x; return o.a", True),
        ("o.a = x; return o.b", False),
        ("o.a = x; o.a = 1; return o.a", False),
        ("o.p.a = x; return o.p.a", True),
        ("o.p.a = x; return o.p.b", False),
        ("o['a'] = x; return o['a']", True),
        ("o['a'] = x; return o['b']", False),
        ("o[y] = x; return o['b']", True),
        ("o[1:] = x; return o", True),
        ("o[:] = x; o[:] = 0; return o", False),
        ("o[...] = x; o[...] = 0; return o", False),
        ("o[0] = x; o.fill(0); return o", False),
        ("o.append(x); return o[0]", True),
        ("o.update(a=x); return o['a']", True),
        ("o.update(a=x); return o['b']", False),
        ("np.copyto(o, x); return o", True),
        ("with x as z: return z", True),
        ("with y as z: return z", False),
        ("z = 1\n    try: z = x\n    finally: y = 2\n    return z", True),
        ("z = [v * 2 for v in [1, x]]; return z", True),
        ("z = {k: x for k in y}; return z", True),
        ("z = {x for k in y}; return z", True),
        ("yield x", True),
        ("yield from x", True),
        ("yield y", False),
        ("match x:\n        case [a, b]: return a", True),
        ("assert x; return 1", False),
        ("global g; g = x; return g", True),
        ("z = x; z += 1; return z", True),
        ("z = 1; z += x; return z", True),
        ("z = 7; z //= x; return z", False),
    ],
)
def test_statements(body, is_tainted):
    found = returned(f"def f(x, y=1, w=0, o=None):\n    {body}", x=True)
    assert taint.whole(found) is is_tainted


def test_what_is_written_into_an_argument_is_seen_by_the_caller():
    space = {}
    exec("def f(x, box, rows, y):\n    box.a = x\n    rows.append(x)\n    y = x", space)
    found = flow.entered(space["f"].__code__, {("local", "x"): True}).exported
    assert found == {("local", "box"): ((".a", True),), ("local", "rows"): (("*", True),)}


def test_parts_that_are_too_many_or_too_deep_become_a_whole():
    many = taint.made((("[]", i), True) for i in range(100))
    assert many is True
    deep = taint.put(None, tuple(f".a{i}" for i in range(10)), True)
    assert not taint.whole(deep)
    assert taint.whole(taint.put(None, tuple(("[]", i) for i in range(10)), True))


def test_a_loop_that_nests_what_it_keeps_comes_to_an_end():
    body = "z = (x,)\n    while y:\n        z = (z, x)\n        o[y] = o\n    return z"
    assert returned(f"def f(x, y=1, o=None):\n    {body}", x=True) is not None


def test_code_that_is_too_long_is_given_up_and_math_still_told(monkeypatch):
    monkeypatch.setattr(flow, "_MOST_VISITS", -1e9)
    monkeypatch.setattr(flow, "_LEAVING", {})
    import math

    a = gt.Variable(2.5)
    with gt.GradientTape(persistent=True) as tape:
        loss = a * (1.0 + math.sin(a))
        other = a * (1.0 + float(a))
    assert tape.explain(loss, a).kind == "partial"
    assert "if what was computed from it" in tape.explain(loss, a).cause
    assert tape._recorder.exits.fronts == {}
    assert tape.explain(other, a) is not None


def test_fronts_are_bounded_and_pin_no_frame():
    def leave(x, n):
        return leave(x, n - 1) if n else 2.0 * float(x[0])

    with gt.GradientTape() as tape:
        x = tape.watch(np.linspace(0.1, 1.0, 10))
        for n in range(100):
            leave(x, n)
    fronts = tape._recorder.exits.fronts
    assert 0 < len(fronts) <= arrivals.MOST_FRAMES
    for here in fronts.values():
        for front in here.values():
            assert not isinstance(front.code, types.FrameType)


def test_an_instruction_is_walked_once(monkeypatch):
    walks = []
    walk = flow.Flow._walk

    def counted(self, todo, keep_all):
        walks.append(self.code)
        return walk(self, todo, keep_all)

    monkeypatch.setattr(flow.Flow, "_walk", counted)
    with gt.GradientTape() as tape:
        x = tape.watch(np.linspace(0.1, 1.0, 10))
        for i in range(10):
            s = 2.0 * float(x[i])
    assert s
    assert len(walks) == 2  # plain, for what lies on the stack, and from the exit on


def test_a_long_loop_keeps_its_last_arrivals_and_leaves_room_for_others():
    x = gt.Variable([0.375, 1.25])
    with gt.GradientTape(persistent=True) as tape:
        s = 2.0 * float(x[0])
        for _ in range(5000):
            last = x * s
        last = np.sum(last)
        back = np.sum(x * float(x[1]))
    assert len(tape._recorder.returns) < 1000
    found = tape.explain(last, x)
    assert (found.kind, found.certain) == ("partial", False)
    found = tape.explain(back, x)
    assert (found.kind, found.certain) == ("partial", True)
