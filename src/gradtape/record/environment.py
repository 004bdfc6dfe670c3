"""Environment: what a run was made with (script, Git, packages, seeds), as far as it can be told.

Nothing of it may stop a run: what cannot be told is left out. What takes time (Git, versions of
packages) is asked on a thread of its own, and answers within seconds or not at all. The training
thread waits for it a little before it begins: beside a training that computes the same questions
take twenty times as long, in which each call of NumPy wakes the thread that asks.
"""

from __future__ import annotations

import functools
import os
import platform
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from .seeds import Seeds

__all__ = ["ask", "facts", "git_of", "main_file", "packages"]

MOST_DIFF = 1 << 20  # characters
PATIENCE = 5.0  # seconds for one question to Git
_BEFORE = 0.1  # seconds in which most is answered before a run begins


def main_file() -> str | None:
    """The script that runs, None in a notebook or an interpreter without one."""
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    return os.path.abspath(file) if isinstance(file, str) else None


def packages() -> dict[str, str]:
    """Names and versions of the installed packages whose modules are loaded."""
    from importlib import metadata

    loaded = {name.partition(".")[0] for name in list(sys.modules)}
    found = {"gradtape": str(sys.modules[__name__.partition(".")[0]].__version__)}
    try:
        by_module = _distributions()
        for module in sorted(loaded & set(by_module)):
            for name in by_module[module]:
                found[name] = metadata.version(name)
    except Exception:  # metadata that is damaged
        return found
    return found


@functools.cache
def _distributions() -> Any:
    from importlib import metadata

    return metadata.packages_distributions()


def facts() -> dict[str, Any]:
    """argv, script and python, as a run's meta has them."""
    return {
        "argv": [str(a) for a in sys.argv],
        "script": main_file(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def git_of(folder: str | os.PathLike[str]) -> dict[str, Any] | None:
    """Commit, whether anything differs from it, and the difference; None outside of Git."""

    def answer(*words: str) -> str:
        done = subprocess.run(
            ["git", "-C", os.fspath(folder), "--no-optional-locks", *words],
            capture_output=True, text=True, errors="replace", timeout=PATIENCE, check=True,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return done.stdout

    try:
        commit = answer("rev-parse", "HEAD").strip()
        changed = answer("status", "--porcelain", "--untracked-files=no")
        diff = answer("diff", "--no-ext-diff", "HEAD") if changed.strip() else ""
    except (OSError, subprocess.SubprocessError):
        return None
    if len(diff) > MOST_DIFF:
        diff = diff[:MOST_DIFF] + "\n... (cut)\n"
    return {"commit": commit, "dirty": bool(changed.strip()), "diff": diff}


def ask(writer: Any, seeds: Seeds) -> threading.Thread:
    """Set the run's `seed`, `packages` and `git`, from a thread that is given 0.1 s to end."""
    script = main_file()
    folder = Path(script).parent if script else Path.cwd()

    def work() -> None:
        seeds.tell(writer)
        writer.set("packages", packages())
        found = git_of(folder)
        if found is not None:
            writer.set("git", found)

    thread = threading.Thread(target=work, name="gradtape environment", daemon=True)
    thread.start()
    thread.join(_BEFORE)
    return thread
