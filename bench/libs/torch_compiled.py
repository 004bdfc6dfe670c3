"""Each case as a PyTorch user compiles it: one `torch.compile` around `torch.func.grad_and_value`.

So forward, backward and update are one program, which is faster than a compiled forward part and
`loss.backward()`. `torch.compile` needs a C++ compiler on the machine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch.func import grad_and_value

from bench.cases import CHAIN_LENGTH, MLP_RATE, SIN_LENGTH, TUTORIAL_RATE, Arrays, Run
from bench.libs.torch_eager import VERSION, log_likelihood, setup, to_numpy

__all__ = ["VERSION", "chain", "elementwise", "gmm", "graph", "hessian", "jacobian", "logistic",
           "mlp", "kernel", "overhead", "setup", "sin50", "to_numpy", "tutorial"]  # fmt: skip


def _compiled(f: Callable[..., Any]) -> Any:
    # Programs are kept by code object: another case's sizes would make this one's dynamic.
    torch.compiler.reset()
    return torch.compile(f)


def tutorial(data: Arrays, *, is_value: bool = False) -> Run:
    x, y = torch.from_numpy(data["x"]), torch.from_numpy(data["y"])
    a, b = torch.tensor(0.0), torch.tensor(0.0)

    def loss_of(a: Any, b: Any, x: Any, y: Any) -> Any:
        return ((y - (a + b * x)) ** 2).sum()

    @_compiled
    def step(a: Any, b: Any, x: Any, y: Any) -> Any:
        (da, db), loss = grad_and_value(loss_of, argnums=(0, 1))(a, b, x, y)
        a.sub_(da, alpha=TUTORIAL_RATE)
        b.sub_(db, alpha=TUTORIAL_RATE)
        return loss

    if is_value:
        return _value(loss_of, a, b, x, y)
    return lambda: {"loss": step(a, b, x, y), "a": a, "b": b}


def chain(data: Arrays, *, is_value: bool = False) -> Run:
    def value(z: Any) -> Any:
        for _ in range(CHAIN_LENGTH):
            z = torch.sin(z) * 1.001
        return z

    return _run(value, data["s"], is_value)


def mlp(data: Arrays, *, is_value: bool = False) -> Run:
    x, labels = torch.from_numpy(data["x"]), torch.from_numpy(data["labels"])
    names = ("w1", "b1", "w2", "b2", "w3", "b3")
    weights = [torch.from_numpy(data[name]) for name in names]

    def loss_of(weights: Any, x: Any, labels: Any) -> Any:
        w1, b1, w2, b2, w3, b3 = weights
        h = torch.relu(torch.addmm(b1, x, w1))
        h = torch.relu(torch.addmm(b2, h, w2))
        return F.cross_entropy(torch.addmm(b3, h, w3), labels)

    @_compiled
    def step(weights: Any, x: Any, labels: Any) -> Any:
        gradients, loss = grad_and_value(loss_of)(weights, x, labels)
        for w, g in zip(weights, gradients, strict=True):
            w.sub_(g, alpha=MLP_RATE)
        return loss

    if is_value:
        return _value(loss_of, weights, x, labels)
    return lambda: {"loss": step(weights, x, labels), **dict(zip(names, weights, strict=True))}


def logistic(data: Arrays, *, is_value: bool = False) -> Run:
    x, y = torch.from_numpy(data["x"]), torch.from_numpy(data["y"])

    def value(w: Any, x: Any, y: Any) -> Any:
        z = x @ w
        softplus = torch.clamp(z, min=0) + torch.log1p(torch.exp(-torch.abs(z)))
        return (softplus - y * z).mean()

    return _run(value, data["w"], is_value, x, y)


def elementwise(data: Arrays, *, is_value: bool = False) -> Run:
    return _run(lambda e: (torch.tanh(e) * torch.exp(-e * e)).sum(), data["e"], is_value)


def sin50(data: Arrays, *, is_value: bool = False) -> Run:
    def value(z: Any) -> Any:
        for _ in range(SIN_LENGTH):
            z = torch.sin(z) * 1.01 + 0.1
        return z.sum()

    return _run(value, data["x"], is_value)


def hessian(data: Arrays) -> Run:
    x = torch.from_numpy(data["x"])

    def rosenbrock(x: Any) -> Any:
        return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()

    whole = _compiled(torch.func.hessian(rosenbrock))
    return lambda: {"hessian": whole(x)}


def jacobian(data: Arrays) -> Run:
    a, x = torch.from_numpy(data["a"]), torch.from_numpy(data["x"])

    def value(x: Any, a: Any) -> Any:
        out = torch.tanh(a @ torch.tanh(a @ x))
        return out, out

    whole = _compiled(torch.func.jacrev(value, has_aux=True))

    def run() -> dict[str, Any]:
        slopes, out = whole(x, a)
        return {"value": out, "jacobian": slopes}

    return run


def gmm(data: Arrays, *, is_value: bool = False) -> Run:
    names = ("alphas", "means", "icf")
    arguments = [torch.from_numpy(data[name]) for name in (*names, "x")]
    if is_value:
        return _value(log_likelihood, *arguments)
    both = _compiled(grad_and_value(log_likelihood, argnums=(0, 1, 2)))

    def run() -> dict[str, Any]:
        gradient, value = both(*arguments)
        return {"value": value, **dict(zip(names, gradient, strict=True))}

    return run


def graph(data: Arrays, *, is_value: bool = False) -> Run:
    turns = int(data["turns"])

    def value(z: Any) -> Any:
        for _ in range(turns):
            z = torch.sin(z) * 1.001
        return z.sum()

    return _run(value, data["x"], is_value)


def overhead(data: Arrays) -> Run:
    arguments = [torch.from_numpy(data[name]) for name in "abcde"]

    @_compiled
    def both(a: Any, b: Any, c: Any, d: Any, e: Any) -> Any:
        return a * b + c, d - e

    def run() -> dict[str, Any]:
        first, second = both(*arguments)
        return {"first": first, "second": second}

    return run


def kernel(data: Arrays, *, is_value: bool = False) -> Run:
    from bench.npbench import kernels, namespaces

    name = str(data["kernel"])
    arrays = {key: torch.from_numpy(x) for key, x in data.items() if key != "kernel"}
    names = kernels.variables(name, arrays)
    places = tuple(list(arrays).index(key) for key in names)
    f, arguments = kernels.loss(name, namespaces.torch()), list(arrays.values())
    if is_value:
        return _value(f, *arguments)
    both = _compiled(grad_and_value(f, argnums=places))

    def run() -> dict[str, Any]:
        gradient, value = both(*arguments)
        return {"value": value, **dict(zip(names, gradient, strict=True))}

    return run


def _run(f: Callable[..., Any], x: Any, is_value: bool, *constants: Any) -> Run:
    x = torch.from_numpy(x)
    if is_value:
        return _value(f, x, *constants)
    both = _compiled(grad_and_value(f))

    def run() -> dict[str, Any]:
        gradient, value = both(x, *constants)
        return {"value": value, "gradient": gradient}

    return run


def _value(f: Callable[..., Any], *arguments: Any) -> Run:
    compiled = _compiled(f)
    return lambda: {"value": compiled(*arguments)}
