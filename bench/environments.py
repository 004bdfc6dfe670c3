"""One virtual environment per peer, made once; and the environment variables of a measured process.

Made with the running interpreter's own `venv`, filled by its `pip`, so that two peers never meet
(TensorFlow and JAX want different releases of the same packages).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from bench.peers import COMMON_REQUIREMENTS, OURS, Peer

ROOT = Path(__file__).resolve().parent.parent

# A forced kernel or block size would measure another machine than this one. Without bytecode
# every import would pay for a compilation that a user pays once.
CLEARED = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH")

# The folder in which peers keep what they compile, where a run wants them to (`npbench/kept.py`).
PROGRAMS = "BENCH_PROGRAMS"

THREAD_SETTINGS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class EnvironmentFailure(Exception):
    """A peer's environment could not be made; the message says what failed."""


def without_folders(text: str) -> str:
    """Return `text` with absolute paths cut down to their last part: the table is published."""
    return re.sub(r"(?:[A-Za-z]:)?(?:[/\\\\][\w.@+-]+)+[/\\\\](?=[\w.@+-])", "", text)


def python_of(folder: Path) -> Path:
    """Return the interpreter of a virtual environment."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def ensure(peer: Peer, venvs: Path) -> Path:
    """Return the interpreter that runs `peer`, making its environment if it is not there yet.

    A file with the requirements is written last: an environment without it, or with others, is
    made anew.
    """
    if peer.name == OURS.name:
        return Path(sys.executable)
    folder = venvs / peer.environment
    requirements = (*peer.requires, *COMMON_REQUIREMENTS)
    stamp = folder / "bench-requirements.txt"
    wanted = "\n".join(requirements) + "\n"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return python_of(folder)
    print(f"making the environment of {peer.environment} ...", file=sys.stderr, flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "pip.log"
    commands = (
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        [str(python_of(folder)), "-m", "pip", "install", *requirements],
    )
    for command in commands:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        folder.mkdir(parents=True, exist_ok=True)
        log.write_text(done.stdout, encoding="utf-8")
        if done.returncode != 0:
            what = " ".join(command[1:3] if "venv" in command else command[2:])
            raise EnvironmentFailure(
                f"`{what}` ended with exit code {done.returncode}; its output is in pip.log"
            )
    stamp.write_text(wanted, encoding="utf-8")
    return python_of(folder)


def _programs(folder: Path, threads: int) -> dict[str, str]:
    """Return the variables that let peers keep their programs.

    JAX's are for a number of threads, which its key leaves out: they have a folder for each.
    """
    return {
        "JAX_COMPILATION_CACHE_DIR": str(folder / f"jax-{threads}"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.5",
        "TORCHINDUCTOR_CACHE_DIR": str(folder / "torch"),
        "DACE_default_build_folder": str(folder / "dace"),
        "DACE_compiler_use_cache": "1",
    }


def measured_environment(threads: int, peer: Peer) -> dict[str, str]:
    """Return the environment variables of a measured process."""
    env = {name: value for name, value in os.environ.items() if name not in CLEARED}
    if folder := env.pop(PROGRAMS, ""):
        env |= _programs(Path(folder), threads)
    env |= dict.fromkeys(THREAD_SETTINGS, str(threads))
    env["CUDA_VISIBLE_DEVICES"] = "-1"  # every column is the CPU's
    if peer.name == OURS.name:
        env["PYTHONPATH"] = str(ROOT / "src")
    return env
