"""A real browser for tests: the system's Chromium, driven through Node and playwright-core."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
SHOTS = Path(os.environ.get("GRADTAPE_SHOTS", ROOT / "build" / "screenshots"))
"""Where pictures of the page are kept, to be looked at."""


def find() -> str:
    """Return the browser's path; skip the test, saying why, where something is missing."""
    for program in ("node", "npm"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed: the page is driven through it")
    for name in ("chromium", "chromium-browser"):
        if found := shutil.which(name):
            return found
    pytest.skip("chromium is not installed: apt-get install chromium")


def install(folder: Path) -> Path:
    """Put the driver and what it needs into a folder, from the lockfile; return the driver."""
    for name in ("package.json", "package-lock.json", ".npmrc", "driver.mjs"):
        shutil.copy(HERE / name, folder / name)
    command = ["npm", "ci", "--ignore-scripts", "--prefer-offline", "--no-progress"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-3:]
        pytest.skip(f"npm ci does not work here: {' '.join(last)}")
    return folder / "driver.mjs"


class Browser:
    """One page of Chromium; what the driver can do is a method: `browser.press(key="Home")`."""

    def __init__(self, driver: Path, chromium: str) -> None:
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._process = subprocess.Popen(
            ["node", str(driver), chromium, self._profile.name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8",
        )  # fmt: skip
        self._id = 0
        self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the driver ended with exit code {self._process.wait(10)}")
        answer = json.loads(line)
        if "error" in answer:
            raise AssertionError(answer["error"])
        return answer.get("value")

    def __getattr__(self, act: str) -> Callable[..., Any]:
        def call(**arguments: Any) -> Any:
            self._id += 1
            assert self._process.stdin is not None
            line = json.dumps({"id": self._id, "do": act, **arguments})
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
            return self._answer()

        return call

    def keep(self, name: str, *, full: bool = False) -> Path:
        """Take a picture of the page into SHOTS."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        path = SHOTS / f"{name}.png"
        self.shot(path=str(path), full=full)
        return path

    def whole(self, width: int = 1440) -> None:
        """Make the window as high as the page, so that every panel is on the screen.

        Panels load when they come to the screen, and grow then: it is measured until it stays.
        """
        high, needed = 1000, 0
        for _ in range(8):
            self.size(width=width, height=high)
            self.evaluate(script="new Promise((done) => setTimeout(done, 400))")
            needed = self.evaluate(script="document.documentElement.scrollHeight")
            if needed == high:
                break
            high = min(needed, 12_000)

    def quit(self) -> None:
        try:
            self.close()
        finally:
            self._process.stdin and self._process.stdin.close()
            self._process.stdout and self._process.stdout.close()
            self._process.wait(20)
            self._profile.cleanup()


class Viewer:
    """`gradtape view` as a process of its own; `url` is the address that it prints."""

    def __init__(self, path: Path) -> None:
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "gradtape", "view", str(path), "--no-browser"],
            stdout=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip
        assert self._process.stdout is not None
        self.url = ""
        limit = time.monotonic() + 30
        while not self.url and time.monotonic() < limit:
            line = self._process.stdout.readline()
            if not line:
                break
            self.url = next((word for word in line.split() if word.startswith("http://")), "")
        assert self.url, "gradtape view printed no address"

    def quit(self) -> None:
        self._process.terminate()
        self._process.wait(20)
        assert self._process.stdout is not None
        self._process.stdout.close()
