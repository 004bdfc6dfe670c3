"""What `python -m bench --only gradbench` runs: NPBench's machinery on these problems."""

from __future__ import annotations

import argparse

from bench.gradbench.objectives import SUITE
from bench.measure import Settings
from bench.npbench.command import HOW, run_suite

ABOUT = (
    "Written by `python -m bench --only gradbench`; the samples are in `gradbench.json`. Value and"
    " gradient of GradBench's objectives, in float64; of half the sum of squares where a problem"
    " has residuals (`ba`, `ht`, `ode`)." + HOW
)
QUICK = ("lstm", "saddle")


def run(settings: Settings, options: argparse.Namespace) -> tuple[str, str]:
    """Return the section's Markdown and the JSON of what the options ask for."""
    return run_suite(SUITE, "GradBench", ABOUT, QUICK, settings, options)
