"""Check the last commit from a clean checkout, as a stranger would meet it.

Clones HEAD into a temporary folder and there runs, in this order: the README's shell commands,
word for word, the whole suite among them; ruff; mypy --strict; the fast suite on every other
Python in PYTHONS that this machine has. Before that it installs Debian's packages in PACKAGES
where they are missing (as root, with apt-get): the tests of the page drive a real browser, and
are skipped without one. Prints each step's output as it comes and a summary at the end, with the
tests that failed and what they said; exits 1 if any step failed.

    bash .ci/run           everything
    bash .ci/run --keep    leaves the checkout in place and prints where it is
    bash .ci/run --list    names the steps and runs none

Needs git and Python >= 3.11, nothing installed.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# With each Python, what is installed beside gradtape[test]: one meets the oldest NumPy that
# pyproject.toml allows, the others the newest. A Python without such a wish on which the README's
# commands have run the whole suite is done with that.
PYTHONS = {"3.11": [], "3.12": ["numpy==2.0.*"], "3.13": []}
WORKERS = "2"

# Debian's packages that tests use, by the program that each brings.
PACKAGES = {"chromium": "chromium"}

# The caller's own environment must not leak into the clean checkout.
LEAKS = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PYTEST_ADDOPTS", "GIT_DIR", "GIT_WORK_TREE",
         "GIT_INDEX_FILE")

results: list[tuple[str, str, float]] = []
failures: dict[str, list[str]] = {}


def run(name: str, *command: str, cwd: Path, shell: bool = False) -> bool:
    """Run one step, stream its output, note how it ended; return whether it passed."""
    print(f"\n=== {name}\n$ {command[0] if shell else ' '.join(command)}", flush=True)
    env = {key: value for key, value in os.environ.items() if key not in LEAKS}
    start = time.monotonic()
    what = command[0] if shell else command
    process = subprocess.Popen(what, cwd=cwd, env=env, shell=shell, text=True, errors="replace",
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    for line in process.stdout:
        print(line, end="", flush=True)
        if line.startswith(("FAILED ", "ERROR ", "E  ")):
            failures.setdefault(name, []).append(line.rstrip()[:200])
    code = process.wait()
    seconds = time.monotonic() - start
    results.append((name, "ok" if code == 0 else f"FAILED (exit {code})", seconds))
    print(f"--- {name}: {results[-1][1]} after {seconds:.0f} s", flush=True)
    return code == 0


def answer(*command: str) -> str:
    """Return what a command prints, or nothing when it fails or does not exist."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def find_python(version: str) -> str:
    """Return the path of a working Python of this minor version, or nothing.

    A name on PATH may be a pyenv shim of a version that is not switched on, so that each
    candidate is asked for its version before it is believed.
    """
    candidates = [shutil.which(f"python{version}"), sys.executable]
    for patch in reversed(answer("pyenv", "versions", "--bare").splitlines()):
        if patch.startswith(version + "."):
            candidates.append(answer("pyenv", "prefix", patch) + f"/bin/python{version}")
    for candidate in candidates:
        if candidate and version_of(candidate) == version:
            return candidate
    return ""


def version_of(python: str) -> str:
    """Return the minor version of a Python, or nothing where there is none that runs."""
    return answer(python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])")


def packages(top: Path) -> None:
    """Install the Debian packages that are missing; where that cannot be done, say so."""
    missing = [package for program, package in PACKAGES.items() if not shutil.which(program)]
    if not missing:
        return
    name = f"Debian packages: {' '.join(missing)}"
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        results.append((name, "NOT RUN: needs root and apt-get", 0.0))
        return
    run(name, "apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq"
        f" {' '.join(missing)} > /dev/null", cwd=top, shell=True)


def readme(checkout: Path) -> None:
    """Run the README's shell commands as they stand there."""
    sys.path.insert(0, str(checkout / "tests"))
    sys.dont_write_bytecode = True
    from readme_blocks import commands

    found = commands(checkout / "README.md")
    if len(found) != 2:
        results.append((f"README has {len(found)} commands, not 2", "FAILED", 0.0))
    for number, command in enumerate(found, 1):
        run(f"README command {number}", command, cwd=checkout, shell=True)


def suites(checkout: Path, environments: Path) -> None:
    """Run the fast suite on each Python that has not run the whole one; say which are not here."""
    done = version_of(str(checkout / ".venv" / "bin" / "python"))
    for version, pins in PYTHONS.items():
        if version == done and not pins:
            continue
        python = find_python(version)
        if not python:
            results.append((f"fast suite, Python {version}", "NOT RUN: no such Python here", 0.0))
            continue
        folder = environments / version
        inside = str(folder / "bin" / "python")
        name = " ".join(["Python", version, *pins])
        if (
            run(f"{name}: environment", python, "-m", "venv", str(folder), cwd=checkout)
            and run(f"{name}: install", inside, "-m", "pip", "install", "-q", "-e", ".[test]",
                    *pins, cwd=checkout)
        ):
            run(f"{name}: fast suite", inside, "-m", "pytest", "-q", "-n", WORKERS, "-m",
                "not slow and not exhaustive", cwd=checkout)


def listing(top: Path) -> None:
    """Print the steps that a run would take."""
    sys.path.insert(0, str(top / "tests"))
    sys.dont_write_bytecode = True
    from readme_blocks import commands

    print("clean checkout")
    print("Debian packages:", *PACKAGES.values())
    for number, command in enumerate(commands(top / "README.md"), 1):
        print(f"README command {number}: {command}")
    print("ruff", "mypy --strict", sep="\n")
    for version, pins in PYTHONS.items():
        python = find_python(version) or "no such Python here"
        what = "with " + " ".join(pins) if pins else "unless the README's commands ran on it"
        print(f"fast suite, Python {version}: {what}; {python}")


def main() -> int:
    """Run every step and return the exit code."""
    top = Path(__file__).resolve().parent.parent
    if "--list" in sys.argv:
        listing(top)
        return 0
    folder = Path(tempfile.mkdtemp(prefix="gradtape-ci-"))
    checkout = folder / "gradtape"
    start = time.monotonic()
    try:
        if answer("git", "-C", str(top), "status", "--porcelain"):
            print("Note: there are changes that are not committed; they are not checked.")
        if run("clean checkout", "git", "clone", "-q", "--no-hardlinks", str(top), str(checkout),
               cwd=folder):
            packages(folder)
            readme(checkout)
            python = ".venv/bin/python"
            run("ruff", python, "-m", "ruff", "check", ".", cwd=checkout)
            run("mypy --strict", python, "-m", "mypy", "--strict", "src/gradtape", cwd=checkout)
            suites(checkout, folder)
            run("nothing left behind that git does not ignore",
                'test -z "$(git status --porcelain | tee /dev/stderr)"', cwd=checkout, shell=True)
    finally:
        if "--keep" in sys.argv:
            print(f"\nThe checkout is in {checkout}")
        else:
            shutil.rmtree(folder, ignore_errors=True)

    for name, how, _ in results:
        if how.startswith("FAILED") and name in failures:
            print(f"\n=== What failed in: {name}", *failures[name][:60], sep="\n  ")
    width = max(len(name) for name, _, _ in results)
    print(f"\n=== Summary, {time.monotonic() - start:.0f} s in all")
    for name, how, seconds in results:
        print(f"  {name:<{width}}  {seconds:6.0f} s  {how}")
    failed = sum(how.startswith("FAILED") for _, how, _ in results)
    print(f"{failed} of {len(results)} steps failed." if failed else "Everything that ran passed.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
