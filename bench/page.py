"""How fluid the page of a run is, in Chromium: first paint, scrubbing, panning, zooming.

    python -m bench.page [--steps 1000000] [--variables 4]

Records a run, serves it with `gradtape view`, and drives the page. Times are milliseconds from an
input to the end of the frame that shows its effect, as the page's own clock has them; a frame lasts
17. What is asked of the server comes after: until its answer is there, panning and zooming show
the points that the page has. Needs node, npm and chromium.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from tests.viewer.browser.chromium import Browser, Viewer, find, install
from tests.viewer.browser.runs import long

# A frame has ended when a message that was posted within it arrives.
HELP = """
const frame = () => new Promise((done) => requestAnimationFrame(() => {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = done;
  port2.postMessage(0);
}));
const timed = async (times, act) => {
  const found = [];
  for (let k = 0; k < times; k++) {
    await frame();
    const start = performance.now();
    act(k);
    await frame();
    found.push(performance.now() - start);
  }
  return found;
};
const key = (name, more = {}) => document.querySelector(".chart-place").dispatchEvent(
  new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true, ...more }));
"""

FIRST = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN"

SCRUB = """
  const slider = document.querySelector("#gt-scrubber");
  const last = Number(slider.max);
  return timed(100, (k) => {
    slider.value = String(Math.round(((k * 37) % 100) / 100 * last));
    slider.dispatchEvent(new Event("input", { bubbles: true }));
  });
"""

EXACT = """
  const slider = document.querySelector("#gt-scrubber");
  const fact = document.querySelectorAll(".fact")[1];
  const found = [];
  for (let k = 1; k <= 30; k++) {
    const before = fact.title;
    const start = performance.now();
    slider.value = String(Math.round(((k * 37) % 100) / 100 * Number(slider.max)));
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    while (fact.title === before && performance.now() < start + 2000) await frame();
    found.push(performance.now() - start);
  }
  return found;
"""

ZOOM = """return timed(12, () => key("+"));"""
PAN = """
  return timed(60, (k) => key(k % 20 < 10 ? "ArrowLeft" : "ArrowRight", { shiftKey: true }));
"""


def script(body: str) -> str:
    return f"(async () => {{ {HELP} {body} }})()"


def measure(steps: int, variables: int) -> dict[str, Any]:
    """Return the milliseconds of each kind of input, by its name."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "driver").mkdir()
        driver = install(root / "driver")
        long(root / "long", steps, variables)
        viewer = Viewer(root / "long")
        browser = Browser(driver, find())
        try:
            browser.open(url=viewer.url)
            browser.wait(script="document.querySelector('.fact:nth-child(2)')?.title")
            browser.open(url="about:blank")
            address = viewer.url.split("?")[0]
            browser.open(url=address)
            drawn = "document.querySelector('#panel-cost .legend .number')?.textContent.length > 2"
            browser.wait(script=drawn)
            found = {"first paint": [browser.evaluate(script=FIRST)]}
            found["first chart, at most"] = [browser.evaluate(script="performance.now()")]
            browser.evaluate(script="new Promise((done) => setTimeout(done, 1500))")
            found["scrub"] = browser.evaluate(script=script(SCRUB))
            browser.evaluate(script="new Promise((done) => setTimeout(done, 500))")
            found["exact values after a scrub"] = browser.evaluate(script=script(EXACT))
            found["zoom"] = browser.evaluate(script=script(ZOOM))
            browser.evaluate(script="new Promise((done) => setTimeout(done, 500))")
            found["pan"] = browser.evaluate(script=script(PAN))
            return found
        finally:
            browser.quit()
            viewer.quit()


def main(arguments: list[str] | None = None) -> int:
    """Print the table; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--variables", type=int, default=4)
    options = parser.parse_args(arguments)
    scalars = 2 + 2 * options.variables
    print(f"{options.steps:,} steps of {scalars} scalars; milliseconds")
    print(f"{'':28} {'times':>6} {'median':>8} {'95 %':>8} {'worst':>8}")
    for name, times in measure(options.steps, options.variables).items():
        median, high = np.percentile(times, [50, 95])
        print(f"{name:28} {len(times):6} {median:8.1f} {high:8.1f} {max(times):8.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
