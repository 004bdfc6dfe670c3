"""Short kernels of users: distances, clipping, means in rings, bodies that attract each other."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.cases import Arrays
from bench.npbench.kernels import Random, kernel


@kernel(
    "the sum of tanh along a diagonal, added to a matrix", lambda rng: {"a": rng.random((300, 300))}
)
def go_fast(xp: Any, a: Any) -> Any:
    trace = 0.0
    for i in range(100):
        trace = trace + xp.tanh(a[i, i])
    return a + trace


def _angles(rng: Random) -> Arrays:
    return {name: rng.uniform(0.1, 1.4, 20_000) for name in ("theta1", "phi1", "theta2", "phi2")}


@kernel("the distance of two places on a sphere", _angles)
def arc_distance(xp: Any, theta1: Any, phi1: Any, theta2: Any, phi2: Any) -> Any:
    up, across = xp.sin((theta2 - theta1) / 2.0), xp.sin((phi2 - phi1) / 2.0)
    t = up**2 + xp.cos(theta1) * xp.cos(theta2) * across**2
    return 2.0 * xp.arctan2(xp.sqrt(t), xp.sqrt(1.0 - t))


def _images(rng: Random) -> Arrays:
    return {name: rng.uniform(0.0, 20.0, (200, 200)) for name in ("first", "second")}


@kernel("a clipped array and another, scaled and added", _images)
def compute(xp: Any, first: Any, second: Any) -> Any:
    return xp.minimum(xp.maximum(first, 2.0), 10.0) * 4.0 + second * 3.0 + 9.0


def _rings(rng: Random) -> Arrays:
    return {"data": rng.random(20_000), "radius": rng.uniform(0.0, 10.0, 20_000)}


@kernel("means of a detector's values in rings", _rings, constants=("radius",))
def azimint_naive(xp: Any, data: Any, radius: Any) -> Any:
    means = []
    for i in range(24):
        inside = (radius >= 10.0 * i / 24) & (radius < 10.0 * (i + 1) / 24)
        total = xp.sum(xp.where(inside, data, 0.0))
        means.append(total / xp.sum(xp.where(inside, 1.0, xp.array(np.zeros(20_000)))))
    return xp.stack(means)


def _bodies(rng: Random) -> Arrays:
    return {
        "mass": rng.uniform(0.5, 1.5, (40, 1)),
        "place": rng.standard_normal((40, 3)),
        "velocity": rng.standard_normal((40, 3)),
    }


@kernel("bodies that attract each other: 8 steps of leapfrog, and energies", _bodies)
def nbody(xp: Any, mass: Any, place: Any, velocity: Any) -> Any:
    soft, dt = 0.1, 0.01

    def differences(place: Any) -> tuple[Any, Any]:
        between = place[None, :, :] - place[:, None, :]
        return between, xp.sum(between**2, axis=2) + soft**2

    def pull(place: Any) -> Any:
        between, square = differences(place)
        weights = square**-1.5 * xp.reshape(mass, (1, 40))
        return xp.sum(between * weights[:, :, None], axis=1)

    def energy() -> Any:
        kinetic = 0.5 * xp.sum(mass * velocity**2)
        _, square = differences(place)
        apart = xp.array(np.tri(40, k=-1))
        pairs = mass * xp.reshape(mass, (1, 40))
        return kinetic - xp.sum(apart * pairs / xp.sqrt(square))

    velocity = velocity - xp.sum(mass * velocity, axis=0) / xp.sum(mass)
    force, energies = pull(place), [energy()]
    for _ in range(8):
        velocity = velocity + force * (dt / 2.0)
        place = place + velocity * dt
        force = pull(place)
        velocity = velocity + force * (dt / 2.0)
        energies.append(energy())
    return xp.stack(energies), place
