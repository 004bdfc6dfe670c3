"""What `python -m bench --only recording` runs."""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable
from dataclasses import asdict

from bench import report
from bench.measure import Settings
from bench.recording import capture, store
from bench.recording.measures import Measure

ROUNDS = 3
PARTS: tuple[Callable[[int, bool], list[Measure]], ...] = (capture.measures, store.measures)

ABOUT = (
    "Written by `python -m bench --only recording`; the samples are in `recording.json`. The best "
    "of the rounds is held to the bar; the median stands beside it."
)


def run(settings: Settings, options: argparse.Namespace) -> tuple[str, str]:
    """Return the section's Markdown and the JSON."""
    rounds = 1 if options.quick else min(settings.rounds, ROUNDS)
    before = report.load()
    measures = [measure for part in PARTS for measure in part(rounds, options.quick)]
    lines = [table_line(measure) for measure in measures]
    print("\n".join(lines))
    machine = report.machine(settings.threads, rounds, None, before)
    data = {"machine": machine, "measures": [asdict(measure) for measure in measures]}
    head = "| | best | median | bar | |\n|---|--:|--:|--:|---|"
    body = f"## Recording\n\n{ABOUT}\n\n{head}\n" + "\n".join(lines)
    return body, json.dumps(data, indent=1) + "\n"


def table_line(measure: Measure) -> str:
    """One row of the table."""
    bar = "" if measure.bar is None else f"{number(measure.bar)} {measure.unit}"
    best, middle = number(measure.best), number(statistics.median(measure.samples))
    return f"| {measure.name} | {best} {measure.unit} | {middle} | {bar} | {measure.met} |"


def number(value: float) -> str:
    """Three digits, thousands apart."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
