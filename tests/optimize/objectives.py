"""Test functions of global optimization, written as such collections write them.

Each is the mathematical definition in NumPy that was meant for plain arrays: names imported from
numpy, `sum` over arrays, powers with `**`, slices, loops over elements, branches, accumulators and
stores. Nothing is written for a tape. The definitions are those of Jamil and Yang, "A literature
survey of benchmark functions for global optimisation problems", Int. J. of Mathematical Modelling
and Numerical Optimisation 4 (2013) 150-194.
"""

from dataclasses import dataclass
from typing import Any

from numpy import (
    abs,
    arange,
    arctan2,
    asarray,
    atleast_2d,
    cos,
    diff,
    dot,
    e,
    exp,
    floor,
    log,
    max,
    mean,
    ones,
    pi,
    prod,
    roll,
    sin,
    sqrt,
    sum,
    tanh,
    where,
    zeros,
    zeros_like,
)


@dataclass(frozen=True)
class Case:
    """A function; a point from which a descent reaches its minimum; the minimum."""

    fun: Any
    start: Any
    lowest: float
    at: Any = None  # where, if it is one point
    is_smooth: bool = True
    near: float = 1e-5  # how close x comes to it

    def __str__(self) -> str:
        return self.fun.__name__


def ackley(x):
    n = len(x)
    u = sum(x**2)
    v = sum(cos(2 * pi * x))
    return -20.0 * exp(-0.2 * sqrt(u / n)) - exp(v / n) + 20.0 + exp(1.0)


def alpine(x):
    return sum(abs(x * sin(x) + 0.1 * x))


def beale(x):
    return (
        (1.5 - x[0] + x[0] * x[1]) ** 2
        + (2.25 - x[0] + x[0] * x[1] ** 2) ** 2
        + (2.625 - x[0] + x[0] * x[1] ** 3) ** 2
    )


def biggs_exp(x):
    t = arange(1, 11.0) * 0.1
    y = exp(-t) - 5 * exp(-10 * t)
    return sum((exp(-t * x[0]) - 5 * exp(-t * x[1]) - y) ** 2)


def bohachevsky(x):
    x0, x1 = x[:-1], x[1:]
    return sum(x0**2 + 2 * x1**2 - 0.3 * cos(3 * pi * x0) - 0.4 * cos(4 * pi * x1) + 0.7)


def booth(x):
    return (x[0] + 2 * x[1] - 7) ** 2 + (2 * x[0] + x[1] - 5) ** 2


def branin(x):
    a = x[1] - 5.1 / (4 * pi**2) * x[0] ** 2 + 5 * x[0] / pi - 6
    return a**2 + 10 * (1 - 1 / (8 * pi)) * cos(x[0]) + 10


def brown(x):
    x0, x1 = x[:-1], x[1:]
    return sum((x0**2.0) ** (x1**2.0 + 1.0) + (x1**2.0) ** (x0**2.0 + 1.0))


def camel_three(x):
    return 2.0 * x[0] ** 2 - 1.05 * x[0] ** 4 + x[0] ** 6 / 6.0 + x[0] * x[1] + x[1] ** 2


def chung_reynolds(x):
    return sum(x**2) ** 2


def colville(x):
    return (
        100 * (x[0] ** 2 - x[1]) ** 2
        + (x[0] - 1) ** 2
        + (x[2] - 1) ** 2
        + 90 * (x[2] ** 2 - x[3]) ** 2
        + 10.1 * ((x[1] - 1) ** 2 + (x[3] - 1) ** 2)
        + 19.8 * (x[1] - 1) * (x[3] - 1)
    )


def cosine_mixture(x):
    return -0.1 * sum(cos(5.0 * pi * x)) + sum(x**2.0)


def corana(x):
    d = [1.0, 1000.0, 10.0, 100.0]
    r = 0
    for j in range(4):
        z = floor(abs(x[j] / 0.2) + 0.49999) * 0.2
        if abs(x[j] - z) < 0.05:
            r += 0.15 * (z - 0.05) ** 2 * d[j]
        else:
            r += d[j] * x[j] * x[j]
    return r


def cube(x):
    return 100.0 * (x[1] - x[0] ** 3) ** 2 + (1.0 - x[0]) ** 2


def deckkers_aarts(x):
    s = x[0] ** 2 + x[1] ** 2
    return 1e5 * x[0] ** 2 + x[1] ** 2 - s**2 + 1e-5 * s**4


def dixon_price(x):
    i = arange(2, len(x) + 1)
    return (x[0] - 1) ** 2 + sum(i * (2.0 * x[1:] ** 2.0 - x[:-1]) ** 2.0)


def exponential(x):
    return -exp(-0.5 * sum(x**2.0))


def freudenstein_roth(x):
    f1 = (-13.0 + x[0] + ((5.0 - x[1]) * x[1] - 2.0) * x[1]) ** 2
    f2 = (-29.0 + x[0] + ((x[1] + 1.0) * x[1] - 14.0) * x[1]) ** 2
    return f1 + f2


def griewank(x):
    i = arange(1.0, len(x) + 1.0)
    return sum(x**2 / 4000) - prod(cos(x / sqrt(i))) + 1


def hartmann(x):
    a = asarray([[3.0, 10.0, 30.0], [0.1, 10.0, 35.0], [3.0, 10.0, 30.0], [0.1, 10.0, 35.0]])
    p = asarray(
        [
            [0.3689, 0.1170, 0.2673],
            [0.4699, 0.4387, 0.7470],
            [0.1091, 0.8732, 0.5547],
            [0.03815, 0.5743, 0.8828],
        ]
    )
    c = asarray([1.0, 1.2, 3.0, 3.2])
    d = sum(a * (atleast_2d(x) - p) ** 2, axis=1)
    return -sum(c * exp(-d))


def helical_valley(x):
    theta = arctan2(x[1], x[0]) / (2.0 * pi)
    r = sqrt(x[0] ** 2 + x[1] ** 2)
    return 100 * ((x[2] - 10 * theta) ** 2 + (r - 1) ** 2) + x[2] ** 2


def himmelblau(x):
    return (x[0] ** 2 + x[1] - 11) ** 2 + (x[0] + x[1] ** 2 - 7) ** 2


def kowalik(x):
    b = asarray([4.0, 2.0, 1.0, 1 / 2.0, 1 / 4.0, 1 / 6.0, 1 / 8.0, 1 / 10.0, 1 / 12.0,
                 1 / 14.0, 1 / 16.0])  # fmt: skip
    a = asarray([0.1957, 0.1947, 0.1735, 0.1600, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323,
                 0.0235, 0.0246])  # fmt: skip
    return sum((a - (x[0] * (b**2 + b * x[1]) / (b**2 + b * x[2] + x[3]))) ** 2)


def lennard_jones(x):
    k = len(x) // 3
    s = 0.0
    for i in range(k - 1):
        for j in range(i + 1, k):
            a = 3 * i
            b = 3 * j
            xd = x[a] - x[b]
            yd = x[a + 1] - x[b + 1]
            zd = x[a + 2] - x[b + 2]
            ed = xd * xd + yd * yd + zd * zd
            ud = ed * ed * ed
            if ed > 0.0:
                s += (1.0 / ud - 2.0) / ud
    return s


def levy(x):
    y = 1 + (x - 1) / 4
    v = sum((y[:-1] - 1) ** 2 * (1 + 10 * sin(pi * y[1:]) ** 2))
    z = (y[-1] - 1) ** 2
    return sin(pi * y[0]) ** 2 + v + z


def matyas(x):
    return 0.26 * (x[0] ** 2 + x[1] ** 2) - 0.48 * x[0] * x[1]


def michalewicz(x):
    i = arange(1, len(x) + 1)
    return -sum(sin(x) * sin(i * x**2 / pi) ** 20)


def paviani(x):
    return sum(log(x - 2) ** 2.0 + log(10.0 - x) ** 2.0) - prod(x) ** 0.2


def perm(x):
    b = 0.5
    n = len(x)
    k = atleast_2d(arange(n) + 1).T
    j = atleast_2d(arange(n) + 1)
    s = (j + b) * ((atleast_2d(x) / j) ** k - 1)
    return sum(sum(s, axis=1) ** 2)


def powell(x):
    return (
        (x[0] + 10 * x[1]) ** 2
        + 5 * (x[2] - x[3]) ** 2
        + (x[1] - 2 * x[2]) ** 4
        + 10 * (x[0] - x[3]) ** 4
    )


def qing(x):
    i = arange(1, len(x) + 1)
    return sum((x**2.0 - i) ** 2.0)


def rastrigin(x):
    return 10.0 * x.size + sum(x**2.0 - 10.0 * cos(2.0 * pi * x))


def rosenbrock(x):
    return sum(100.0 * (x[1:] - x[:-1] ** 2.0) ** 2.0 + (1 - x[:-1]) ** 2.0)


def rosenbrock_by_stores(x):
    y = zeros_like(x)
    y[0] = 1 - x[0]
    y[1:] = 10.0 * (x[1:] - x[:-1] ** 2)
    z = zeros_like(x[:-1])
    for i in range(1, len(x) - 1):
        z[i] = 1 - x[i]
    return dot(y, y) + sum(z**2)


def salomon(x):
    u = sqrt(sum(x**2))
    return 1 - cos(2 * pi * u) + 0.1 * u


def sargan(x):
    x0, x1 = x[:-1], x[1:]
    return sum(len(x) * (x**2)) + 0.4 * sum(x0 * x1)


def schwefel_ridge(x):
    s = 0.0
    for i in range(len(x)):
        s = s + sum(x[: i + 1]) ** 2
    return s


def schwefel_largest(x):
    return max(abs(x))


def shekel(x):
    a = asarray([[4.0, 4.0, 4.0, 4.0], [1.0, 1.0, 1.0, 1.0], [8.0, 8.0, 8.0, 8.0],
                 [6.0, 6.0, 6.0, 6.0], [3.0, 7.0, 3.0, 7.0]])  # fmt: skip
    c = asarray([0.1, 0.2, 0.2, 0.4, 0.4])
    return -sum(1 / (sum((x - a) ** 2.0, axis=1) + c))


def sphere(x):
    return sum(x**2)


def step_of_where(x):
    return sum(where(x > 0, x**2, -3 * x) + 0.5 * x**2)


def styblinski_tang(x):
    return sum(x**4 - 16 * x**2 + 5 * x) / 2


def trid(x):
    return sum((x - 1.0) ** 2.0) - sum(x[1:] * x[:-1])


def trigonometric(x):
    n = len(x)
    i = atleast_2d(arange(1.0, n + 1)).T
    inner = cos(x) + i * (1 - cos(x) - sin(x))
    return sum((n - sum(inner, axis=1)) ** 2)


def watson(x):
    a = arange(29) + 1.0
    i = arange(len(x))
    u = atleast_2d(a / 29.0).T
    first = sum(i[1:] * x[1:] * u ** (i[1:] - 1), axis=1)
    second = sum(x * u**i, axis=1)
    return sum((first - second**2 - 1) ** 2) + x[0] ** 2 + (x[1] - x[0] ** 2 - 1) ** 2


def weighted_differences(x):
    w = ones(len(x) - 1)
    w[::2] = 3.0  # a store of constants into a plain array
    return sum(w * diff(x) ** 2) + mean(x - 1) ** 2


def whitley(x):
    xi = x
    xj = atleast_2d(x).T
    t = 100.0 * ((xi**2.0) - xj) ** 2.0 + (1.0 - xj) ** 2.0
    return sum(t**2.0 / 4000.0 - cos(t) + 1.0)


def wolfe(x):
    return 4 / 3 * (x[0] ** 2 + x[1] ** 2 - x[0] * x[1]) ** 0.75 + x[2]


def wood_by_roll(x):
    y = roll(x, -1)
    return sum((x - 1) ** 2) + sum((y[:-1] - x[:-1] ** 2) ** 2) + tanh(x[0] - 1) ** 2


def zakharov(x):
    i = arange(1, len(x) + 1)
    u = sum(x**2)
    v = sum(0.5 * i * x)
    return u + v**2 + v**4


def zettl(x):
    return 0.25 * x[0] + (x[0] ** 2 - 2 * x[0] + x[1] ** 2) ** 2


def accumulated(x):
    total = zeros(len(x))
    for k in range(3):
        total = total + (x - k) ** 2 * e ** (-k)
    return sum(total)


CASES = [
    Case(ackley, [0.3, -0.2, 0.1], 0.0, [0, 0, 0], False),
    Case(alpine, [0.4, 0.3], 0.0, None, False),
    Case(beale, [1.0, 0.5], 0.0, [3, 0.5]),
    Case(biggs_exp, [2.0, 8.0], 0.0, [1, 10]),
    Case(bohachevsky, [0.2, 0.1], 0.0, [0, 0]),
    Case(booth, [0.0, 0.0], 0.0, [1, 3]),
    Case(branin, [3.0, 2.0], 0.39788735772973816, [pi, 2.275]),
    Case(brown, [0.5, -0.4, 0.3], 0.0, [0, 0, 0]),
    Case(camel_three, [0.5, 0.5], 0.0, [0, 0]),
    Case(chung_reynolds, [1.0, -2.0], 0.0, [0, 0], near=3e-2),
    Case(colville, [-3.0, -1.0, -3.0, -1.0], 0.0, [1, 1, 1, 1]),
    Case(cosine_mixture, [0.05, -0.1], -0.2, [0, 0]),
    Case(corana, [0.51, 0.52, 0.49, 0.47], None, None, False),
    Case(cube, [-1.2, 1.0], 0.0, [1, 1]),
    Case(deckkers_aarts, [0.1, 14.0], -24776.518342317686, [0, 14.945112151891959]),
    Case(dixon_price, [1.0, 1.0, 1.0], 0.0),
    Case(exponential, [0.5, -0.5, 0.2], -1.0, [0, 0, 0]),
    Case(freudenstein_roth, [6.0, 3.0], 0.0, [5, 4]),
    Case(griewank, [0.5, -0.7, 0.3], 0.0, [0, 0, 0]),
    Case(hartmann, [0.15, 0.5, 0.8], -3.8627821478),
    Case(helical_valley, [0.9, 0.4, 0.3], 0.0, [1, 0, 0]),
    Case(himmelblau, [2.5, 2.5], 0.0, [3, 2]),
    Case(kowalik, [0.25, 0.39, 0.415, 0.39], 0.00030748598780560546),
    Case(lennard_jones, [0.0, 0.0, 0.0, 1.1, 0.0, 0.0, 0.5, 0.9, 0.1], -3.0),
    Case(levy, [0.7, 1.4, 0.8], 0.0, [1, 1, 1]),
    Case(matyas, [4.0, -3.0], 0.0, [0, 0]),
    Case(michalewicz, [2.2, 1.57], -1.8013034100985537),
    Case(paviani, [9.0] * 10, -45.778470, [9.350266] * 10),
    Case(perm, [0.9, 1.9], 0.0, [1, 2], near=1e-3),
    Case(powell, [3.0, -1.0, 0.0, 1.0], 0.0, [0, 0, 0, 0], near=3e-2),
    Case(qing, [1.3, 1.2, 1.9], 0.0, [1, 2**0.5, 3**0.5]),
    Case(rastrigin, [0.2, -0.3], 0.0, [0, 0]),
    Case(rosenbrock, [1.3, 0.7, 0.8, 1.9, 1.2], 0.0, [1] * 5),
    Case(rosenbrock_by_stores, [1.3, 0.7, 0.8, 1.9, 1.2], 0.0, [1] * 5),
    Case(salomon, [0.1, 0.2], 0.0, [0, 0], False),
    Case(sargan, [1.0, -2.0, 3.0], 0.0, [0, 0, 0]),
    Case(schwefel_ridge, [1.0, 2.0, -1.0], 0.0, [0, 0, 0]),
    Case(schwefel_largest, [1.0, 2.0, -3.0], 0.0, [0, 0, 0], False),
    Case(shekel, [3.8, 4.2, 4.1, 3.9], -10.15319967905823),
    Case(sphere, [1.0, -2.0, 3.0], 0.0, [0, 0, 0]),
    Case(step_of_where, [1.0, -2.0], 0.0, [0, 0], False),
    Case(styblinski_tang, [-2.5, -3.1], -78.33233140754282, [-2.903534] * 2),
    Case(trid, [1.0, 1.0, 1.0, 1.0, 1.0, 1.0], -50.0, [6, 10, 12, 12, 10, 6]),
    Case(trigonometric, [0.1, 0.05], 0.0),
    Case(watson, [-0.016, 1.012, -0.233, 1.26, -1.513, 0.993], 0.0022876700535523838),
    Case(weighted_differences, [3.0, 0.0, -1.0, 2.0], 0.0, [1, 1, 1, 1]),
    Case(whitley, [1.02, 0.98], 0.0, [1, 1], near=1e-3),
    Case(wolfe, [0.5, 0.2, 0.5], None),
    Case(wood_by_roll, [0.5, 1.4, 0.7], 0.0, [1, 1, 1]),
    Case(zakharov, [0.5, -0.3, 0.2], 0.0, [0, 0, 0]),
    Case(zettl, [-0.1, 0.1], -0.003791237220468656, [-0.029896, 0], near=1e-4),
    Case(accumulated, [3.0, -2.0], None),
]
