"""The words of `gradtape pack`, `gradtape runs` and `gradtape export`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..errors import RunError, three_part

__all__ = [
    "EXPORT",
    "PACK",
    "RUNS",
    "declare_export",
    "declare_pack",
    "declare_runs",
    "run_export",
    "run_pack",
    "run_runs",
]

PACK = """\
Make one file of a recorded run, to keep or to send.

    gradtape pack runs/cars
    gradtape pack runs/cars -o cars.gtrun

Whatever reads a run reads the file as well. A run that is still recorded is packed as it is now.
"""

RUNS = """\
List the recorded runs below a folder: status, steps, the first, best and last cost, size.

    gradtape runs runs/
"""

EXPORT = """\
Write the scalars of a recorded run in another format.

    gradtape export runs/cars --to csv
    gradtape export runs/cars --to parquet -o exported/
    gradtape export runs/cars --to tensorboard -o logs/cars

csv is one file, a row a step. parquet is a folder with scalars.parquet (step, name, value) and
steps.parquet (a row a step). tensorboard is a folder with an event file, in which values have the
seven digits of float32.

Columns and tags are called as run.history() calls them: cost; a scalar Variable by its name, its
gradient grad/NAME; norm/NAME, gradnorm/NAME, updatenorm/NAME and gradzeros/NAME of an array; what
was logged by its key; seconds.
"""


def declare_pack(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `gradtape pack`."""
    parser.add_argument("folder", metavar="RUN", type=Path, help="the run's folder")
    parser.add_argument("-o", "--out", metavar="FILE", type=Path, help="default: RUN.gtrun")


def run_pack(arguments: argparse.Namespace) -> int:
    """Pack a run and print where."""
    from .pack import pack

    print(pack(arguments.folder, arguments.out))
    return 0


def declare_runs(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `gradtape runs`."""
    parser.add_argument("folder", metavar="DIR", type=Path, nargs="?", default=Path("runs"),
                        help="where to look; default: runs")  # fmt: skip


def run_runs(arguments: argparse.Namespace) -> int:
    """List runs."""
    from .listing import find, listed, table

    top = arguments.folder
    found = sorted((listed(path) for path in find(top)), key=lambda r: r.created)
    if not found and not top.is_dir():
        raise RunError(
            three_part(
                f"{top} is no packed run." if top.exists() else f"There is no {top}.",
                "Runs are looked for in a folder and what is below it.",
                "Name the folder: gradtape runs DIR",
            )
        )
    if not found:
        print(f"no runs below {arguments.folder}", file=sys.stderr)
        return 0
    print(table(found, arguments.folder))
    return 0


def declare_export(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `gradtape export`."""
    parser.add_argument(
        "folder", metavar="RUN", type=Path, help="the run's folder, or a packed run"
    )
    parser.add_argument("--to", required=True, choices=("parquet", "csv", "tensorboard"),
                        help="the format")  # fmt: skip
    parser.add_argument("-o", "--out", metavar="PATH", type=Path,
                        help="a file for csv, a folder for the others; default: beside the run, "
                        "RUN.csv, RUN.parquet/ or RUN.tensorboard/")  # fmt: skip


def run_export(arguments: argparse.Namespace) -> int:
    """Write a run in another format and print the files."""
    from importlib import import_module

    from .reader import Reader

    run, form = arguments.folder, arguments.to
    out = arguments.out or run.with_name(f"{run.name}.{form}")
    module = import_module(f".export.{form}", __package__)
    reader = Reader(run)
    try:
        paths = module.write(reader, out)
    except OSError as error:
        raise RunError(
            three_part(
                f"{out} cannot be written: {error.strerror or error}.",
                "It must be a file for csv and a folder for the others.",
                "Give another place: gradtape export RUN --to FORMAT -o PATH",
            )
        ) from error
    finally:
        reader.close()
    for path in paths:
        print(path)
    return 0
