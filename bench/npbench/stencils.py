"""Stencils in time and space: heat, waves, flows, weather."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.cases import Arrays
from bench.npbench.kernels import Random, kernel


def _uniform(**sizes: tuple[int, ...]) -> Any:
    def data(rng: Random) -> Arrays:
        return {name: rng.uniform(0.5, 1.5, shape) for name, shape in sizes.items()}

    return data


@kernel("the mean of three neighbours, back and forth, 20 times", _uniform(A=(2000,), B=(2000,)))
def jacobi_1d(xp: Any, A: Any, B: Any) -> Any:
    inner = slice(1, -1)
    for _ in range(20):
        B = xp.put(B, inner, 0.33333 * (A[:-2] + A[1:-1] + A[2:]))
        A = xp.put(A, inner, 0.33333 * (B[:-2] + B[1:-1] + B[2:]))
    return A, B


@kernel(
    "the mean of five neighbours, back and forth, 10 times", _uniform(A=(120, 120), B=(120, 120))
)
def jacobi_2d(xp: Any, A: Any, B: Any) -> Any:
    inner = (slice(1, -1), slice(1, -1))

    def mean(x: Any) -> Any:
        return 0.2 * (x[1:-1, 1:-1] + x[1:-1, :-2] + x[1:-1, 2:] + x[2:, 1:-1] + x[:-2, 1:-1])

    for _ in range(10):
        B = xp.put(B, inner, mean(A))
        A = xp.put(A, inner, mean(B))
    return A, B


@kernel("heat in a box, 6 steps back and forth", _uniform(A=(24, 24, 24), B=(24, 24, 24)))
def heat_3d(xp: Any, A: Any, B: Any) -> Any:
    inner = (slice(1, -1),) * 3

    def step(x: Any) -> Any:
        here = x[1:-1, 1:-1, 1:-1]
        return (
            0.125 * (x[2:, 1:-1, 1:-1] - 2.0 * here + x[:-2, 1:-1, 1:-1])
            + 0.125 * (x[1:-1, 2:, 1:-1] - 2.0 * here + x[1:-1, :-2, 1:-1])
            + 0.125 * (x[1:-1, 1:-1, 2:] - 2.0 * here + x[1:-1, 1:-1, :-2])
            + here
        )

    for _ in range(6):
        B = xp.put(B, inner, step(A))
        A = xp.put(A, inner, step(B))
    return A, B


@kernel(
    "electric and magnetic field in the plane, 12 steps",
    _uniform(ex=(90, 100), ey=(90, 100), hz=(90, 100), fict=(12,)),
)
def fdtd_2d(xp: Any, ex: Any, ey: Any, hz: Any, fict: Any) -> Any:
    for t in range(12):
        ey = xp.put(ey, (0, slice(None)), fict[t])
        ey = xp.put(ey, slice(1, None), ey[1:] - 0.5 * (hz[1:] - hz[:-1]))
        right = (slice(None), slice(1, None))
        ex = xp.put(ex, right, ex[:, 1:] - 0.5 * (hz[:, 1:] - hz[:, :-1]))
        curl = ex[:-1, 1:] - ex[:-1, :-1] + ey[1:, :-1] - ey[:-1, :-1]
        hz = xp.put(hz, (slice(None, -1), slice(None, -1)), hz[:-1, :-1] - 0.7 * curl)
    return ex, ey, hz


@kernel("Gauss and Seidel's sweep over a plane, in place", _uniform(A=(12, 12)))
def seidel_2d(xp: Any, A: Any) -> Any:
    for i in range(1, 11):
        around = A[i - 1, :-2] + A[i - 1, 1:-1] + A[i - 1, 2:] + A[i, 2:]
        around = around + A[i + 1, :-2] + A[i + 1, 1:-1] + A[i + 1, 2:]
        row, left = [], A[i, 0]
        for j in range(1, 11):
            left = (around[j - 1] + left + A[i, j]) / 9.0
            row.append(left)
        A = xp.put(A, (i, slice(1, -1)), xp.stack(row))
    return A


@kernel(
    "horizontal diffusion of the weather model COSMO, with its limiter",
    _uniform(field=(48, 48, 24), coeff=(44, 44, 24)),
)
def hdiff(xp: Any, field: Any, coeff: Any) -> Any:
    lap = 4.0 * field[1:-1, 1:-1] - (
        field[2:, 1:-1] + field[:-2, 1:-1] + field[1:-1, 2:] + field[1:-1, :-2]
    )
    flux = lap[1:, 1:-1] - lap[:-1, 1:-1]
    along = field[2:-1, 2:-2] - field[1:-2, 2:-2]
    flux_i = xp.where(flux * along > 0, 0.0, flux)
    flux = lap[1:-1, 1:] - lap[1:-1, :-1]
    along = field[2:-2, 2:-1] - field[2:-2, 1:-2]
    flux_j = xp.where(flux * along > 0, 0.0, flux)
    change = flux_i[1:] - flux_i[:-1] + flux_j[:, 1:] - flux_j[:, :-1]
    return field[2:-2, 2:-2] - coeff * change


@kernel(
    "vertical advection: a tridiagonal system for each column of air",
    _uniform(wcon=(33, 32, 12), u=(32, 32, 12), pos=(32, 32, 12), tens=(32, 32, 12)),
)
def vadv(xp: Any, wcon: Any, u: Any, pos: Any, tens: Any) -> Any:
    levels, rate = 12, 3.0 / 20.0
    c, d = [], []
    for k in range(levels):
        right = rate * pos[:, :, k] + tens[:, :, k]
        below = above = 0.0
        if k > 0:
            w = -0.25 * (wcon[1:, :, k] + wcon[:-1, :, k])
            below = w
            right = right - w * (u[:, :, k - 1] - u[:, :, k])
        if k < levels - 1:
            w = 0.25 * (wcon[1:, :, k + 1] + wcon[:-1, :, k + 1])
            above = w
            right = right - w * (u[:, :, k + 1] - u[:, :, k])
        diagonal = rate - below - above + 2.0
        if k > 0:
            diagonal = diagonal - c[-1] * below
            right = right - d[-1] * below
        c.append(above / diagonal)
        d.append(right / diagonal)
    out = [d[-1]]
    for k in range(levels - 2, -1, -1):
        out.append(d[k] - c[k] * out[-1])
    return xp.stack(
        [rate * (x - pos[:, :, k]) for x, k in zip(out, range(levels - 1, -1, -1), strict=True)]
    )


def _convection(u: Any, v: Any, w: Any, p: Any, along: int) -> Any:
    """Convection, pressure and diffusion of `w`, which is u (along columns) or v (along rows)."""
    dt, dx, rho, nu = 0.001, 0.05, 1.0, 0.1
    here = w[1:-1, 1:-1]
    push = p[1:-1, 2:] - p[1:-1, :-2] if along else p[2:, 1:-1] - p[:-2, 1:-1]
    return (
        here
        - u[1:-1, 1:-1] * dt / dx * (here - w[1:-1, :-2])
        - v[1:-1, 1:-1] * dt / dx * (here - w[:-2, 1:-1])
        - dt / (2 * rho * dx) * push
        + nu * dt / dx**2 * (w[1:-1, 2:] + w[1:-1, :-2] + w[2:, 1:-1] + w[:-2, 1:-1] - 4.0 * here)
    )


def _source(u: Any, v: Any) -> Any:
    dt, dx, rho = 0.001, 0.05, 1.0
    du, dv = (u[1:-1, 2:] - u[1:-1, :-2]) / (2 * dx), (v[2:, 1:-1] - v[:-2, 1:-1]) / (2 * dx)
    cross = (u[2:, 1:-1] - u[:-2, 1:-1]) * (v[1:-1, 2:] - v[1:-1, :-2]) / (4 * dx**2)
    return rho * ((du + dv) / dt - du**2 - 2.0 * cross - dv**2) * dx**2 / 4.0


def _neighbours(p: Any) -> Any:
    return (p[1:-1, 2:] + p[1:-1, :-2] + p[2:, 1:-1] + p[:-2, 1:-1]) / 4.0


_FLOW = _uniform(u=(41, 41), v=(41, 41), p=(41, 41))
_INNER = (slice(1, -1), slice(1, -1))


@kernel("a driven cavity: 3 steps, 5 of the pressure each", _FLOW)
def cavity_flow(xp: Any, u: Any, v: Any, p: Any) -> Any:
    rows = (slice(None),)
    for _ in range(3):
        b = _source(u, v)
        for _ in range(5):
            p = xp.put(p, _INNER, _neighbours(p) - b)
            p = xp.put(p, (*rows, -1), p[:, -2])
            p = xp.put(p, 0, p[1])
            p = xp.put(p, (*rows, 0), p[:, 1])
            p = xp.put(p, -1, 0.0)
        new_u = xp.put(u, _INNER, _convection(u, v, u, p, 1))
        v = xp.put(v, _INNER, _convection(u, v, v, p, 0))
        u = new_u
        for at, wall in (((0,), 0.0), ((*rows, 0), 0.0), ((*rows, -1), 0.0), ((-1,), 1.0)):
            u = xp.put(u, at, wall)
            v = xp.put(v, at, 0.0)
    return u, v, p


def _around(xp: Any, x: Any) -> Any:
    """The channel's ends are the same place: a column of each end beside the other."""
    return xp.concatenate([x[:, -1:], x, x[:, :1]], axis=1)


@kernel("a channel whose ends meet: 3 steps, 5 of the pressure each", _FLOW)
def channel_flow(xp: Any, u: Any, v: Any, p: Any) -> Any:
    for _ in range(3):
        b = _source(_around(xp, u), _around(xp, v))
        for _ in range(5):
            inner = _neighbours(_around(xp, p)) - b
            p = xp.concatenate([inner[:1], inner, inner[-1:]], axis=0)
        wide = [_around(xp, x) for x in (u, v, p)]
        new_u = _convection(wide[0], wide[1], wide[0], wide[2], 1) + 0.001 * 1.0
        new_v = _convection(wide[0], wide[1], wide[1], wide[2], 0)
        wall = xp.array(np.zeros((1, 41)))
        u = xp.concatenate([wall, new_u, wall], axis=0)
        v = xp.concatenate([wall, new_v, wall], axis=0)
    return u, v, p
