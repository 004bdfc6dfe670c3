"""Each case of `gradtape_compiled`, whose programs are kept on the disk: `gt.function(cache=True)`.

`setup` compiles another program first, so that what a first call imports is there.
"""

from __future__ import annotations

import functools

import numpy as np

import gradtape as gt
from bench.libs import gradtape_compiled
from bench.libs.gradtape_compiled import *  # noqa: F403


def setup(threads: int) -> None:
    gradtape_compiled.setup(threads)
    gt.function(lambda x: np.cos(x) * 2.0)(np.ones(3))
    gradtape_compiled.function = functools.partial(gt.function, cache=True)
