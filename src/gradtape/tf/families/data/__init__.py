"""tf.data for what fits in memory: `Dataset` and its transformations.

May import `base`, and nothing of the other families. Read `dataset.py` first: the class, and how
elements are passed on (`streams.py`); `elements.py` has what a dataset holds, `sources.py` where
that comes from, `returned.py` what users' functions may return.
"""

from . import cardinality, dataset

__all__ = ["cardinality", "dataset"]
