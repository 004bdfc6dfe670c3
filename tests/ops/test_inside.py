"""Cards that no NumPy function reaches: the rules of other cards call them.

The lines of those other cards take second derivatives through them; here they have lines of
their own, so that their shape, batching and tangent rules are checked as well.
"""

import numpy as np
import pytest

from gradtape.core.dispatch import apply
from gradtape.core.registry import CARDS
from gradtape.testing import op_case
from tests.ops.untraced import CHOICE, untraced

TIED = np.array([[2.0, 1.0, 2.0, 3.0], [0.0, 0.5, 1.0, 1.5]])
BLOCK = np.tile(TIED, (3, 1, 1))
PICKED = np.array([[2.0, 1.0], [1.5, 0.0]])
SINGULAR = np.array([[1.0, 2.0], [2.0, 4.0]])
SINGULAR_3 = np.array([[1.0, 2.0, 3.0], [0.5, -1.0, 2.0], [1.5, 1.0, 5.0]])  # rank 2
SINGULARS = np.stack([SINGULAR_3, SINGULAR_3.T])
SINGULAR_C = np.array([[1 + 1j, 2.0], [2.0, 2 - 2j]])
TURNED = np.array([[0.6, -0.8], [0.8, 0.6]])  # both singular values are 1, up to rounding
AGAIN, TWICE, SPARSE = np.array([0, 2, 0]), np.array([1, 1]), np.array([0, 3, 0])
HOLES = np.array([[np.nan, 1.0, 2.0, 2.0]])


REPEATED = "it has a kink at repeated singular values, along some directions"
INSIDE = {"variants": "other rules call it, with operands that fit"}


def of(name, count=1, finish=lambda out: out):
    """The options of a line: the call of a card, and its plain value."""
    card = CARDS[name]

    def call(*operands, **params):
        return finish(apply(card, operands, params))

    def value(*operands, **params):
        return finish(card.impl(*operands, **params))

    return {"function": call, "name": name, "reference": value, "nin": count, "skip": INSIDE}


def rebuilt(factors):
    """U f(S) V^H, which depends on the factors and not on the signs of their columns."""
    u, s, vh = factors
    return np.matmul(u * np.expand_dims(s**2, -2), vh)


def scattered(ct, shape, index):
    """`np.add.at` of nothing."""
    out = np.zeros(shape, ct.dtype)
    np.add.at(out, index, ct)
    return out


def overlapped(ct, shape, window, axes):
    """Every element of every window added at the place it comes from, one at a time."""
    out = np.zeros(shape, ct.dtype)
    places = ct.ndim - len(window)
    for at in np.ndindex(*ct.shape):
        place = list(at[:places])
        for axis, step in zip(axes, at[places:], strict=True):
            place[axis] += step
        out[tuple(place)] += ct[at]
    return out


def shared(ct, x, picked, skip_nan):
    """Each cotangent in equal parts to the elements that equal what was picked, by loops."""
    out = np.zeros(x.shape, ct.dtype)
    for row in np.ndindex(*x.shape[:-1]):
        for value, part in zip(picked[row], ct[row], strict=True):
            out[row] += part * (x[row] == value) / np.sum(x[row] == value)
    return out


def gathered(t, x, picked, skip_nan):
    """The mean of `t` over the elements that equal what was picked, by loops."""
    out = np.zeros(picked.shape, t.dtype)
    for place in np.ndindex(*picked.shape):
        row = place[:-1]
        out[place] = np.mean(t[row][x[row] == picked[place]])
    return out


def embedded(ct, shape, offset, axis1, axis2):
    """Zeros with a diagonal, element by element."""
    out = np.zeros(shape, ct.dtype)
    moved = np.moveaxis(out, (axis1, axis2), (-2, -1))
    for n in range(ct.shape[-1]):
        moved[..., n + max(-offset, 0), n + max(offset, 0)] = ct[..., n]
    return out


def cofactors(x):
    """Signed minors."""
    n = x.shape[-1]
    out = np.empty_like(x)
    for i, j in np.ndindex(n, n):
        minor = np.delete(np.delete(x, i, axis=-2), j, axis=-1)
        out[..., i, j] = (-1) ** (i + j) * np.linalg.det(minor)
    return out


SUMS = {"tolerance": {"value": 1e-13}}  # another order of additions and eliminations
CASES = [
    op_case(**{**of("scatter_add"), "reference": scattered}, complex=True, calls=[(3,)],
            kwargs=[{"shape": (4,), "index": (AGAIN,)}, {"shape": (5,), "index": slice(1, 4)}]),
    op_case(**{**of("scatter_add"), "reference": scattered}, calls=[(2, 3)],
            kwargs=[{"shape": (4, 3), "index": (TWICE,)},
                    {"shape": (2, 4), "index": (slice(None), SPARSE)}]),
    op_case(**of("add_at", 2), calls=[((4,), (3,))], kwargs=[{"index": (AGAIN,)}]),
    op_case(**of("add_at", 2), calls=[((3, 2), (2,))], kwargs=[{"index": 1}]),
    op_case(**{**of("overlap_add"), "reference": overlapped}, **SUMS, complex=True, calls=[(3, 2)],
            kwargs=[{"shape": (4,), "window": (2,), "axes": (0,)}]),
    op_case(**{**of("overlap_add"), "reference": overlapped}, **SUMS, calls=[(2, 3, 2, 2)],
            kwargs=[{"shape": (3, 4), "window": (2, 2), "axes": (0, 1)}]),
    op_case(**{**of("share_ties", 3), "reference": shared}, wrt=[0], **SUMS,
            calls=[((2, 2), TIED, PICKED)], kwargs=[{"skip_nan": False}, {"skip_nan": True}]),
    op_case(**{**of("gather_ties", 3), "reference": gathered}, wrt=[0], **SUMS,
            calls=[((2, 4), TIED, PICKED)], kwargs=[{"skip_nan": False}, {"skip_nan": True}]),
    *(op_case(**{**of(name, 3), "reference": f}, wrt=[0], **SUMS, kwargs=[{"skip_nan": False}],
              calls=[((k,), TIED[0], PICKED[0]), ((3, 2, k), BLOCK, BLOCK[..., 1:3])])
      for name, f, k in (("share_ties", shared, 2), ("gather_ties", gathered, 4))),
    op_case(**{**of("gather_ties", 3), "reference": gathered}, wrt=[0], **SUMS,
            calls=[((1, 4), HOLES, np.array([[1.0, 2.0]]))], kwargs=[{"skip_nan": True}]),
    op_case(**{**of("cofactors"), "reference": cofactors}, **SUMS, complex=True,
            calls=[(2, 2), (3, 3), (2, 3, 3)]),
    op_case(**{**of("cofactors"), "reference": cofactors, "skip": {
                **INSIDE,
                "second": "a third derivative of det, which is refused at a singular matrix"}},
            **SUMS, calls=[(SINGULAR,), (SINGULAR_3,), (SINGULAR_C,), (SINGULARS,)]),
    *(op_case(**{**of("diagonal_embed"), "reference": embedded}, calls=[place], complex=True,
              kwargs=[{"shape": shape, "offset": offset, "axis1": axis1, "axis2": axis2}])
      for place, shape, offset, axis1, axis2 in (
          ((3, 3), (3, 3, 3), 0, 1, 2), ((3, 2), (2, 3, 2), 0, 2, 0),
          ((4, 2), (3, 3, 4), 1, 0, 1))),
    op_case(**of("power_of_number", 2), domain=(0.5, 2), wrt=[0],
            calls=[((3,), 2), ((3,), 0), ((3,), 1), ((2, 2), 3), ((), 1.5), ((2,), 2.0),
                   ((2, 1), np.array([2.0, 1.0, 3.0])), ((3,), np.array([2, 0, 3]))]),
    *(op_case(**of(name), calls=[(4,)], domain=domain, kwargs=[{"order": 1}, {"order": 2}])
      for name, domain in (("sinc", (-9, 9)), ("i0", (-3, 3)))),
    op_case(**of("sum_all"), calls=[(), (3,), (2, 3)], complex=True),
    op_case(**of("from_parts", 2), calls=[((3,), (3,)), ((2, 1), (2, 1))]),
    op_case(**{**of("singular factors", finish=rebuilt), "skip": {**INSIDE, "kinks": REPEATED}},
            **SUMS, complex=True, calls=[(2, 2), (3, 2), (2, 2, 3)]),
    op_case(**of("singular factors", finish=lambda factors: factors[0] @ factors[2]),
            calls=[(1e3 * TURNED,), (np.stack([TURNED, 7 * TURNED]),)]),
]  # fmt: skip
untraced(CASES, CHOICE, "cofactors")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_op(case):
    case.check()
