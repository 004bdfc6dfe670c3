"""What depends on the version of NumPy, for the op_case lines."""

import numpy as np

OLDER = "an older NumPy takes it otherwise"


def older(*slots):
    """`slots` skipped where NumPy is older than 2.2."""
    return dict.fromkeys(slots, OLDER) if np.lib.NumpyVersion(np.__version__) < "2.2.0" else {}
