"""How long the viewer takes to answer about a run of a million steps, without a browser.

    python -m bench.answers [--steps 1000000]

Records ten scalars a step, opens the run as `gradtape view` does, and asks each kind of question
often, at other places each time. Milliseconds: the first answer, the median and the worst of the
rest. The bar is 30 ms for a series, reduced to 1,000 points or of a window.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from pathlib import Path

from gradtape.viewer.answers import Answers
from gradtape.viewer.library import Library
from gradtape.viewer.shelf import Shelf, run_id
from tests.viewer import demo

TIMES, BAR = 40, 30.0


def main() -> int:
    """Print the table; 1 if a series took longer than the bar."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1_000_000)
    steps = parser.parse_args().steps
    noise = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        run = demo.write(demo.long(steps), Path(folder) / "long")
        names = list(demo.long(1).columns)

        def window() -> str:
            first = noise.randrange(steps)
            return f"from={first}&to={min(steps, first + noise.randrange(1, steps))}"

        questions = {
            "list of runs": ("/api/runs", lambda: ""),
            "run": ("", lambda: ""),
            "one series, whole": ("/series", lambda: f"names={noise.choice(names)}&px=1000"),
            "one series, a window": (
                "/series", lambda: f"names={noise.choice(names)}&px=1000&{window()}",
            ),
            "ten series, a window": (
                "/series", lambda: f"names={','.join(names)}&px=1000&{window()}",
            ),
            "row": ("/row", lambda: f"step={noise.randrange(steps)}"),
            "200 rows of the table": (
                "/rows", lambda: f"from={(a := noise.randrange(steps))}&to={a + 199}",
            ),
            "gradient flow": ("/flow", lambda: "px=600"),
            "verdict": ("/verdict", lambda: ""),
        }  # fmt: skip
        answers = Answers(Library(Shelf(folder)))
        late = 0
        print(f"| of {steps:,} steps | first | median | worst |\n|---|---|---|---|")
        for name, (path, query) in questions.items():
            address = path if path.startswith("/api") else f"/api/run/{run_id(run)}{path}"
            taken = []
            for _ in range(TIMES):
                asked = query()
                start = time.perf_counter()
                answers.answer(address, asked)
                taken.append(1000 * (time.perf_counter() - start))
            first, *rest = taken
            rest.sort()
            late += "series" in name and rest[len(rest) // 2] > BAR
            print(f"| {name} | {first:.1f} | {rest[len(rest) // 2]:.2f} | {rest[-1]:.1f} |")
    return 1 if late else 0


if __name__ == "__main__":
    raise SystemExit(main())
