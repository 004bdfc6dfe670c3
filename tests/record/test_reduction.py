"""Fewer points for a screen: the extremes, the ends and what is not finite stay."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gradtape.record.reduction import extremes

FLOATS = st.floats(width=64, allow_nan=True, allow_infinity=True)


@given(arrays(float, st.integers(0, 300), elements=FLOATS), st.integers(1, 60))
def test_extremes_ends_and_specials_stay(values, buckets):
    kept = extremes(values, buckets)
    assert np.all(np.diff(kept) > 0)
    if len(values) <= 2 * buckets:
        assert len(kept) == len(values)
        return
    assert len(kept) <= 5 * buckets + 2
    assert kept[0] == 0 and kept[-1] == len(values) - 1
    size = -(-len(values) // buckets)
    for start in range(0, len(values), size):
        bucket = values[start : start + size]
        left = values[kept[(kept >= start) & (kept < start + size)]]
        for special in (np.isnan, np.isposinf, np.isneginf):
            assert special(bucket).any() == special(left).any()
        finite, shown = bucket[np.isfinite(bucket)], left[np.isfinite(left)]
        if finite.size:
            assert (finite.min(), finite.max()) == (shown.min(), shown.max())


def test_a_spike_of_one_step_in_a_million_is_seen():
    values = np.zeros(1_000_000)
    values[617_283], values[700_001] = 9, np.nan
    kept = extremes(values, 800)
    assert {0, 617_283, 700_001, 999_999} <= set(kept.tolist())
    assert len(kept) < 2500
