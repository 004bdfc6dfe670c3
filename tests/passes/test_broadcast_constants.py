"""A constant seen through zero strides is looked at once, not a million times."""

from __future__ import annotations

import numpy as np

from gradtape.core.aval import aval_of
from gradtape.core.symbol import is_nonzero, without_repeats
from gradtape.graph.ir import Constant
from gradtape.passes.rewriting import is_all


def test_the_part_that_each_element_of_memory_is_in() -> None:
    one = np.broadcast_to(np.float64(3), (4000, 4000))
    assert without_repeats(one).shape == (1, 1)
    rows = np.broadcast_to(np.arange(3.0), (5, 3))
    assert without_repeats(rows).tolist() == [[0.0, 1.0, 2.0]]
    assert without_repeats(np.ones((0, 3))).shape == (0, 3)
    assert without_repeats(2.5) == 2.5


def test_what_is_said_of_it_is_said_of_all() -> None:
    assert is_nonzero(np.broadcast_to(np.float64(3), (5, 5)))
    assert not is_nonzero(np.broadcast_to(np.array([1.0, 0.0]), (5, 2)))
    for numbers, says in ((np.ones(1), True), (np.array([1.0, 2.0]), False)):
        data = np.broadcast_to(numbers, (5, len(numbers)))
        assert is_all(Constant(aval_of(data), data), 1.0) == says
