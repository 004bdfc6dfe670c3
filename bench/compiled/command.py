"""What `python -m bench --only compiled` runs; its options are those of the whole bench."""

from __future__ import annotations

import argparse
from dataclasses import replace

from bench.compiled import run as measuring
from bench.compiled.report import as_json, as_markdown
from bench.measure import Settings

PATIENCE = 8.0  # of each of some hundred measurements: the whole run has minutes
TURN = 0.08  # seconds: seven sides take turns
QUICK = measuring.Wish(threads=(2,), sizes=("mlp-16", "elementwise-1000"), graphs=(10, 100))


def run(settings: Settings, options: argparse.Namespace) -> tuple[str, str]:
    """Return the section's Markdown and the JSON of what the options ask for."""
    wish = QUICK if options.quick else measuring.Wish()
    if options.case or options.peer:
        wish = replace(
            wish, cases=tuple(options.case or ()), peers=tuple(options.peer or ()),
            parts=("steady", "first", "cached"),
        )  # fmt: skip
    settings = replace(
        settings, patience=min(settings.patience, PATIENCE), seconds=min(settings.seconds, TURN)
    )
    document = measuring.run(settings, wish)
    return as_markdown(document), as_json(document)
