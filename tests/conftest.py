"""What every test shares: a reproducible hypothesis, plots without a screen, clean state."""

import os
import signal

import hypothesis
import pytest

from gradtape import config
from gradtape.backends import options
from gradtape.passes import pipeline

pipeline.checked = True  # every pass is followed by a check of the graph
# Loops made in the background come when they please; tests/core/test_short.py asks for them.
config.current = config.current._replace(native_after=0)
options.haste = False  # native code as it stays; tests/backends/llvm/test_later.py asks for haste

# Before anything imports matplotlib: no test may need a display.
os.environ["MPLBACKEND"] = "Agg"

# A suite that runs in a shell's background ignores Ctrl-C, and so would every program that a test
# starts and sends one.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Two cores shared by several processes make wall-clock deadlines meaningless, and a suite whose
# examples differ from run to run cannot be bisected: found counter-examples become @example.
hypothesis.settings.register_profile("gradtape", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("gradtape")


@pytest.fixture(autouse=True)
def _no_random_state_between_tests():
    """Seed NumPy's and Python's global generators: a test must not depend on its neighbours."""
    import random

    import numpy as np

    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - the legacy state is what must be pinned


@pytest.fixture(autouse=True)
def _no_tape_between_tests():
    """No tape that a test, even one that fails, leaves active records the tests after it."""
    from gradtape.core.state import pop, state

    yield
    left = state.tapes
    for tape in left:
        pop(tape)
    assert not left, "the test left a tape active"


# Scripts that make stored values need a peer that is not installed here.
collect_ignore_glob = ["**/make_*.py"]
