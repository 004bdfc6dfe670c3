"""Waiting for the machine to be quiet: what other processes take, two-thread timings lose tenfold.

A pool whose second thread is kept off its core spins at every barrier, so a busy neighbour does not
scale both sides alike. Before each round we look at how busy the cores are while our own
processes sleep, wait for a while if they are, and write down what it was.
"""

from __future__ import annotations

import time
from pathlib import Path

STAT = Path("/proc/stat")
QUIET = 0.1  # of all cores together
LOOK = 0.15


def times(text: str) -> tuple[float, float]:
    """Return (busy, total) jiffies of all cores together from the text of /proc/stat."""
    fields = [float(field) for field in text.split("\n", 1)[0].split()[1:9]]
    idle = fields[3] + fields[4]
    return sum(fields) - idle, sum(fields)


def busy_share(seconds: float = LOOK) -> float:
    """Return the share of all cores that was in use during a look, 0 where it is not known."""
    if not STAT.is_file():
        return 0.0
    busy, total = times(STAT.read_text(encoding="ascii"))
    time.sleep(seconds)
    busy_after, total_after = times(STAT.read_text(encoding="ascii"))
    return (busy_after - busy) / max(total_after - total, 1.0)


def wait(patience: float) -> tuple[float, float]:
    """Wait at most `patience` seconds for quiet; return (the last look's share, seconds waited)."""
    start = time.monotonic()
    while True:
        share = busy_share()
        waited = time.monotonic() - start
        if share <= QUIET or waited >= patience:
            return share, waited
