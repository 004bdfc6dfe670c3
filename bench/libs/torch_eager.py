"""Each case as a PyTorch user writes it: eager, `torch.autograd.grad`, in-place updates."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F

from bench.cases import (
    CHAIN_LENGTH,
    MLP_RATE,
    SIN_LENGTH,
    TUTORIAL_RATE,
    Arrays,
    Run,
    gmm_triangle,
)

VERSION = torch.__version__


def setup(threads: int) -> None:
    torch.set_num_threads(threads)


def to_numpy(x: Any) -> Any:
    return x.detach().numpy()


def tutorial(data: Arrays) -> Run:
    x, y = torch.from_numpy(data["x"]), torch.from_numpy(data["y"])
    a = torch.tensor(0.0, requires_grad=True)
    b = torch.tensor(0.0, requires_grad=True)

    def run() -> dict[str, Any]:
        loss = ((y - (a + b * x)) ** 2).sum()
        da, db = torch.autograd.grad(loss, (a, b))
        with torch.no_grad():
            a.sub_(da, alpha=TUTORIAL_RATE)
            b.sub_(db, alpha=TUTORIAL_RATE)
        return {"loss": loss, "a": a, "b": b}

    return run


def chain(data: Arrays) -> Run:
    s = torch.from_numpy(data["s"]).requires_grad_()

    def run() -> dict[str, Any]:
        z = s
        for _ in range(CHAIN_LENGTH):
            z = torch.sin(z) * 1.001
        (gradient,) = torch.autograd.grad(z, s)
        return {"value": z, "gradient": gradient}

    return run


def mlp(data: Arrays) -> Run:
    x, labels = torch.from_numpy(data["x"]), torch.from_numpy(data["labels"])
    names = ("w1", "b1", "w2", "b2", "w3", "b3")
    weights = [torch.from_numpy(data[name]).requires_grad_() for name in names]
    w1, b1, w2, b2, w3, b3 = weights

    def run() -> dict[str, Any]:
        h = torch.relu(torch.addmm(b1, x, w1))
        h = torch.relu(torch.addmm(b2, h, w2))
        loss = F.cross_entropy(torch.addmm(b3, h, w3), labels)
        gradients = torch.autograd.grad(loss, weights)
        with torch.no_grad():
            for w, g in zip(weights, gradients, strict=True):
                w.sub_(g, alpha=MLP_RATE)
        return {"loss": loss, **dict(zip(names, weights, strict=True))}

    return run


def logistic(data: Arrays) -> Run:
    x, y = torch.from_numpy(data["x"]), torch.from_numpy(data["y"])
    w = torch.from_numpy(data["w"]).requires_grad_()

    def run() -> dict[str, Any]:
        z = x @ w
        softplus = torch.clamp(z, min=0) + torch.log1p(torch.exp(-torch.abs(z)))
        value = (softplus - y * z).mean()
        (gradient,) = torch.autograd.grad(value, w)
        return {"value": value, "gradient": gradient}

    return run


def elementwise(data: Arrays) -> Run:
    e = torch.from_numpy(data["e"]).requires_grad_()

    def run() -> dict[str, Any]:
        value = (torch.tanh(e) * torch.exp(-e * e)).sum()
        (gradient,) = torch.autograd.grad(value, e)
        return {"value": value, "gradient": gradient}

    return run


def sin50(data: Arrays) -> Run:
    x = torch.from_numpy(data["x"]).requires_grad_()

    def run() -> dict[str, Any]:
        z = x
        for _ in range(SIN_LENGTH):
            z = torch.sin(z) * 1.01 + 0.1
        value = z.sum()
        (gradient,) = torch.autograd.grad(value, x)
        return {"value": value, "gradient": gradient}

    return run


def hessian(data: Arrays) -> Run:
    x = torch.from_numpy(data["x"])

    def rosenbrock(x: Any) -> Any:
        return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()

    # four times faster than torch.func.hessian, and 36 times than without vectorize
    whole = torch.autograd.functional.hessian
    return lambda: {"hessian": whole(rosenbrock, x, vectorize=True)}


def jacobian(data: Arrays) -> Run:
    a, x = torch.from_numpy(data["a"]), torch.from_numpy(data["x"])

    def value(x: Any) -> Any:
        out = torch.tanh(a @ torch.tanh(a @ x))
        return out, out

    whole = torch.func.jacrev(value, has_aux=True)

    def run() -> dict[str, Any]:
        slopes, out = whole(x)
        return {"value": out, "jacobian": slopes}

    return run


def log_likelihood(alphas: Any, means: Any, icf: Any, x: Any) -> Any:
    n, d = x.shape
    rows, columns = gmm_triangle(d)
    q, below = icf[:, :d], icf[:, d:]
    factor = torch.zeros(len(alphas), d, d, dtype=x.dtype)
    factor[:, rows, columns] = below
    centered = x[:, None] - means
    scaled = torch.exp(q) * centered + torch.einsum("kij,nkj->nki", factor, centered)
    inner = alphas + q.sum(1) - 0.5 * (scaled**2).sum(2)
    prior = 0.5 * ((torch.exp(q) ** 2).sum() + (below**2).sum())
    constant = 0.5 * n * d * math.log(2 * math.pi)
    total = torch.logsumexp(inner, 1).sum() - n * torch.logsumexp(alphas, 0)
    return total - constant + prior


def gmm(data: Arrays) -> Run:
    names = ("alphas", "means", "icf")
    variables = [torch.from_numpy(data[name]).requires_grad_() for name in names]
    x = torch.from_numpy(data["x"])

    def run() -> dict[str, Any]:
        value = log_likelihood(*variables, x)
        gradient = torch.autograd.grad(value, variables)
        return {"value": value, **dict(zip(names, gradient, strict=True))}

    return run
