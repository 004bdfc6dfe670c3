"""Factorizations and recurrences: loops in which every turn needs the one before."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.cases import Arrays
from bench.npbench.kernels import Random, kernel


def _definite(n: int) -> Any:
    def data(rng: Random) -> Arrays:
        root = rng.standard_normal((n, n))
        return {"A": root @ root.T / n + 2.0 * np.eye(n)}

    return data


@kernel("the lower triangular root of a positive definite matrix", _definite(24))
def cholesky(xp: Any, A: Any) -> Any:
    n, columns = 24, []
    for j in range(n):
        rest = A[j:, j]
        for k, earlier in enumerate(columns):
            rest = rest - earlier[j - k :] * earlier[j - k]
        columns.append(rest / xp.sqrt(rest[0]))
    return tuple(columns)


@kernel("the factors of a matrix, without pivots, in its place", _definite(24))
def lu(xp: Any, A: Any) -> Any:
    n, rows = 24, []
    for k in range(n):
        rows.append(A[0])
        factor = A[1:, 0] / A[0, 0]
        A = A[1:, 1:] - factor[:, None] * A[0, 1:]
        rows.append(factor)
        if k == n - 2:
            rows.append(A[0])
            break
    return tuple(rows)


def _system(rng: Random) -> Arrays:
    return {**_definite(24)(rng), "b": rng.standard_normal(24)}


@kernel("a linear system by the factors of its matrix", _system)
def ludcmp(xp: Any, A: Any, b: Any) -> Any:
    n, rows, right = 24, [], []
    for _ in range(n):
        rows.append(A[0])
        right.append(b[0])
        factor = A[1:, 0] / A[0, 0]
        A, b = A[1:, 1:] - factor[:, None] * A[0, 1:], b[1:] - factor * b[0]
    x: list[Any] = []
    for row, value in zip(reversed(rows), reversed(right), strict=True):
        for place, known in enumerate(x):
            value = value - row[place + 1] * known
        x.insert(0, value / row[0])
    return xp.stack(x)


def _triangle(rng: Random) -> Arrays:
    return {"L": rng.standard_normal((40, 40)) / 6 + 2.0 * np.eye(40), "b": rng.standard_normal(40)}


@kernel("a triangular system, row by row", _triangle)
def trisolv(xp: Any, L: Any, b: Any) -> Any:
    rest = b
    x: list[Any] = []
    for i in range(40):
        x.append(rest[0] / L[i, i])
        rest = rest[1:] - L[i + 1 :, i] * x[-1]
    return xp.stack(x)


@kernel(
    "orthonormal columns, one after the other", lambda rng: {"A": rng.standard_normal((40, 20))}
)
def gramschmidt(xp: Any, A: Any) -> Any:
    q, r = [], []
    for _ in range(20):
        length = xp.sqrt(xp.sum(A[:, 0] ** 2))
        q.append(A[:, 0] / length)
        r.append(length)
        if len(q) < 20:
            along = q[-1] @ A[:, 1:]
            r.append(xp.sum(along**2))
            A = A[:, 1:] - q[-1][:, None] * along
    return xp.stack(q), xp.stack(r)


@kernel(
    "Durbin's recursion for a Toeplitz system", lambda rng: {"r": rng.uniform(-0.4, 0.4, 40) / 6}
)
def durbin(xp: Any, r: Any) -> Any:
    beta, alpha = 1.0, -r[0]
    y = -r[:1]
    for k in range(1, 40):
        beta = beta * (1.0 - alpha * alpha)
        alpha = -(r[k] + xp.sum(xp.flip(r[:k], 0) * y)) / beta
        y = xp.concatenate([y + alpha * xp.flip(y, 0), xp.reshape(alpha, (1,))])
    return y


@kernel(
    "a recursive filter forth and back along rows (Deriche's)",
    lambda rng: {"x": rng.random((64, 30))},
)
def deriche(xp: Any, x: Any) -> Any:
    a = 0.25
    k = (1.0 - np.exp(-a)) ** 2 / (1.0 + 2.0 * a * np.exp(-a) - np.exp(2.0 * a))
    a1, a2 = float(k), float(k * np.exp(-a) * (a - 1.0))
    a3, a4 = float(k * np.exp(-a) * (a + 1.0)), float(-k * np.exp(-2.0 * a))
    b1, b2 = float(2.0 ** (-a)), float(-np.exp(-2.0 * a))
    forth: list[Any] = []
    for j in range(30):
        y = a1 * x[:, j]
        if j > 0:
            y = y + a2 * x[:, j - 1] + b1 * forth[-1]
        if j > 1:
            y = y + b2 * forth[-2]
        forth.append(y)
    back: list[Any] = []
    for j in range(29, -1, -1):
        y = 0.0 * x[:, j]
        if j < 29:
            y = a3 * x[:, j + 1] + b1 * back[-1]
        if j < 28:
            y = y + a4 * x[:, j + 2] + b2 * back[-2]
        back.append(y)
    return xp.stack([p + q for p, q in zip(forth, reversed(back), strict=True)])


@kernel("shortest paths between all places", lambda rng: {"path": rng.uniform(1.0, 10.0, (48, 48))})
def floyd_warshall(xp: Any, path: Any) -> Any:
    for k in range(24):
        path = xp.minimum(path, path[:, k : k + 1] + path[k])
    return path
