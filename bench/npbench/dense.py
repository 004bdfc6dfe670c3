"""Products of matrices and vectors, and what statistics makes of them (PolyBench's)."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.cases import Arrays
from bench.npbench.kernels import Random, kernel

ALPHA, BETA = 1.5, 1.2


def shapes(**sizes: tuple[int, ...]) -> Any:
    """Return data of normal numbers, scaled so that products of a row keep the size of one."""

    def data(rng: Random) -> Arrays:
        return {
            name: rng.standard_normal(shape) / np.sqrt(shape[-1] if len(shape) > 1 else 1)
            for name, shape in sizes.items()
        }

    return data


@kernel("alpha A B + beta C", shapes(C=(200, 220), A=(200, 240), B=(240, 220)))
def gemm(xp: Any, C: Any, A: Any, B: Any) -> Any:
    return ALPHA * A @ B + BETA * C


@kernel(
    "two outer products added to a matrix, and its products with vectors",
    shapes(A=(400, 400), u1=(400,), v1=(400,), u2=(400,), v2=(400,), y=(400,), z=(400,)),
)
def gemver(xp: Any, A: Any, u1: Any, v1: Any, u2: Any, v2: Any, y: Any, z: Any) -> Any:
    B = A + u1[:, None] * v1 + u2[:, None] * v2
    x = BETA * (y @ B) + z
    return x, ALPHA * (B @ x)


@kernel("alpha A x + beta B x", shapes(A=(400, 400), B=(400, 400), x=(400,)))
def gesummv(xp: Any, A: Any, B: Any, x: Any) -> Any:
    return ALPHA * (A @ x) + BETA * (B @ x)


@kernel("A' (A x)", shapes(A=(390, 410), x=(410,)))
def atax(xp: Any, A: Any, x: Any) -> Any:
    return (A @ x) @ A


@kernel("the two products of a step of BiCG", shapes(A=(410, 390), p=(390,), r=(410,)))
def bicg(xp: Any, A: Any, p: Any, r: Any) -> Any:
    return r @ A, A @ p


@kernel(
    "products of a matrix and of its transpose, each added to a vector",
    shapes(A=(400, 400), x1=(400,), x2=(400,), y1=(400,), y2=(400,)),
)
def mvt(xp: Any, A: Any, x1: Any, x2: Any, y1: Any, y2: Any) -> Any:
    return x1 + A @ y1, x2 + y2 @ A


@kernel("alpha A B C + beta D", shapes(A=(160, 180), B=(180, 190), C=(190, 170), D=(160, 170)))
def k2mm(xp: Any, A: Any, B: Any, C: Any, D: Any) -> Any:
    return ALPHA * A @ B @ C + BETA * D


@kernel("(A B) (C D)", shapes(A=(160, 180), B=(180, 170), C=(170, 190), D=(190, 150)))
def k3mm(xp: Any, A: Any, B: Any, C: Any, D: Any) -> Any:
    return (A @ B) @ (C @ D)


@kernel("a matrix applied to the last axis of a tensor", shapes(A=(24, 22, 30), C=(30, 30)))
def doitgen(xp: Any, A: Any, C: Any) -> Any:
    return xp.reshape(xp.reshape(A, (24 * 22, 30)) @ C, (24, 22, 30))


@kernel("the lower triangle of beta C + alpha A A'", shapes(C=(200, 200), A=(200, 160)))
def syrk(xp: Any, C: Any, A: Any) -> Any:
    below = xp.array(np.tri(200))
    return C + below * ((BETA - 1) * C + ALPHA * A @ A.T)


@kernel(
    "the lower triangle of beta C + alpha (A B' + B A')",
    shapes(C=(180, 180), A=(180, 150), B=(180, 150)),
)
def syr2k(xp: Any, C: Any, A: Any, B: Any) -> Any:
    below = xp.array(np.tri(180))
    return C + below * ((BETA - 1) * C + ALPHA * (A @ B.T + B @ A.T))


@kernel("a symmetric matrix, of which half is stored, times another",
        shapes(C=(160, 180), A=(160, 160), B=(160, 180)))  # fmt: skip
def symm(xp: Any, C: Any, A: Any, B: Any) -> Any:
    below, strictly = xp.array(np.tri(160)), xp.array(np.tri(160, k=-1))
    return BETA * C + ALPHA * (A * below + (A * strictly).T) @ B


@kernel(
    "a triangular matrix with 1 on its diagonal times another", shapes(A=(180, 180), B=(180, 160))
)
def trmm(xp: Any, A: Any, B: Any) -> Any:
    return ALPHA * (B + (A * xp.array(np.tri(180, k=-1))).T @ B)


@kernel("the covariance matrix of columns", shapes(data=(260, 140)))
def covariance(xp: Any, data: Any) -> Any:
    centered = data - xp.mean(data, axis=0)
    return centered.T @ centered / (260 - 1.0)


@kernel("the correlation matrix of columns", shapes(data=(260, 140)))
def correlation(xp: Any, data: Any) -> Any:
    centered = data - xp.mean(data, axis=0)
    deviation = xp.sqrt(xp.mean(centered**2, axis=0))
    # a column that does not vary is taken as it is
    deviation = xp.where(deviation <= 1e-6, 1.0, deviation)
    scaled = centered / (np.sqrt(260.0) * deviation)
    return scaled.T @ scaled
