"""The command: `python -m bench`, from the repository's root.

Makes what environments are missing, measures case by case, prints each row as it comes, writes
`results.json` and `results.md`. A run that leaves something out writes only where `--out` says,
so that the published table always comes from one whole run.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from bench import fitting, measure, optimizing, quiet, report
from bench.cases import BY_NAME, CASES, Case
from bench.client import WorkerFailure
from bench.environments import EnvironmentFailure
from bench.measure import Settings, Side
from bench.npbench import cases as kernels
from bench.peers import COMPILED_PEERS, DACE, OURS, PEERS, Peer
from bench.results import Row, judge_all

HERE = Path(__file__).resolve().parent

# The eager rows that are measured with one thread too: those that the compiler's issue asks for.
ALONE = ("hessian-200", "jacobian-64", "gmm")
# What is measured by other means than a timed `run`.
SPECIAL = ("import", "script", "memory")
SET_NAMES = tuple(f"{one.suite}-{name}" for name, one in kernels.KERNELS.items())
NAMES = (*BY_NAME, *SPECIAL, *optimizing.CONTESTS, *fitting.NAMES)


def parser() -> argparse.ArgumentParser:
    """Return the command's options."""
    p = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    p.add_argument(
        "--case",
        action="append",
        choices=(*NAMES, *SET_NAMES),
        metavar="CASE",
        help="only this case (repeatable)",
    )
    p.add_argument(
        "--peer",
        action="append",
        choices=[peer.name for peer in (*PEERS, *COMPILED_PEERS, DACE)],
        help="only this peer (repeatable)",
    )
    p.add_argument(
        "--only",
        choices=(*report.SECTIONS, "profiles"),
        help="a part that has a section and a file of its own; profiles: why rows are missed",
    )
    p.add_argument("--rounds", type=int, default=9, help="turns of each side per case")
    p.add_argument(
        "--resume",
        action="store_true",
        help="go on with a run of npbench or gradbench that was interrupted",
    )
    p.add_argument("--threads", type=int, default=2, help="threads and cores of each process")
    p.add_argument(
        "--patience",
        type=float,
        default=60.0,
        help="seconds that a case may wait for other processes to leave the machine",
    )
    p.add_argument("--quick", action="store_true", help="three rounds of short batches: a look")
    p.add_argument(
        "--venvs",
        type=Path,
        default=HERE / ".venvs",
        help="where the peers' environments are made (default: bench/.venvs)",
    )
    p.add_argument("--out", type=Path, help="folder for the results (a whole run: bench/)")
    return p


def settings_from(options: argparse.Namespace) -> Settings:
    """Return how to measure."""
    if options.rounds < 1 or options.threads < 1:
        raise SystemExit("python -m bench: --rounds and --threads are at least 1")
    venvs = options.venvs.resolve()
    if options.quick:
        return Settings(venvs, rounds=3, seconds=0.03, threads=options.threads, patience=0.0)
    return Settings(
        venvs, rounds=options.rounds, threads=options.threads, patience=options.patience
    )


def out_folder(options: argparse.Namespace) -> Path | None:
    """Return where to write, or None for a partial run that names no folder."""
    if options.out is not None:
        return Path(options.out)
    is_partial = options.case or options.peer or options.quick
    return None if is_partial else HERE


def _show(rows: Iterable[Row]) -> list[Row]:
    """Print one line per row; return the rows."""
    rows = list(rows)
    for row in rows:
        if row.ratio is None or row.ours is None or row.theirs is None:
            print(f"{row.case:18} {row.peer:11} {row.status}: {row.reason}", flush=True)
            continue
        ours = [report.quantity(x, row.unit) for x in (row.ours.minimum, row.ours.median)]
        theirs = [report.quantity(x, row.unit) for x in (row.theirs.minimum, row.theirs.median)]
        note = f"  others {row.busy:.0%}" if row.busy is not None and row.busy > quiet.QUIET else ""
        note += "" if row.status == "ok" else f"  {row.status}: {row.reason}"
        print(
            f"{row.case:18} {row.threads} thr. {row.peer:11} min {ours[0]:>9} /{theirs[0]:>9}"
            f"   median {ours[1]:>9} /{theirs[1]:>9}"
            f"   ratio {row.ratio.of_minima:6.3f} (median {row.ratio.median:6.3f}){note}",
            flush=True,
        )
    return rows


def _hello(sides: Iterable[Side]) -> dict[str, dict[str, object]]:
    """Start every worker; return what each says about itself, or why it does not start."""
    said: dict[str, dict[str, object]] = {}
    for side in sides:
        try:
            said[side.peer.name] = side.alive().ask("hello")
        except (WorkerFailure, EnvironmentFailure) as failure:
            said[side.peer.name] = {"version": f"not running: {failure}"}
        about = ", ".join(f"{key} {value}" for key, value in said[side.peer.name].items())
        print(f"{side.peer.name:11} {about}", flush=True)
    return said


def _alone(cases: Iterable[Case], peers: Iterable[Peer], settings: Settings) -> list[Row]:
    """Return the rows of cases with one thread for every side."""
    ours, sides = Side(OURS, settings), [Side(peer, settings) for peer in peers]
    rows: list[Row] = []
    try:
        for case in cases:
            rows += _show(measure.timed_case(case, ours, sides, settings))
    finally:
        for side in (ours, *sides):
            side.close()
    return rows


def run(options: argparse.Namespace) -> report.Run:
    """Measure what the options ask for; return it judged."""
    settings = settings_from(options)
    names = set(options.case or NAMES)
    peers = [peer for peer in PEERS if not options.peer or peer.name in options.peer]
    ours, sides = Side(OURS, settings), [Side(peer, settings) for peer in peers]
    rows: list[Row] = []
    ufunc_seconds, load_before = None, report.load()
    try:
        libraries = _hello([ours, *sides])
        for case in CASES:
            if case.name in names:
                having = [s for s in sides if not case.against or s.peer.name in case.against]
                rows += _show(measure.timed_case(case, ours, having, settings))
        try:
            ufunc_seconds = float(ours.alive().ask("ufunc")["seconds"])
        except WorkerFailure as failure:
            print(f"gradtape: {failure}", file=sys.stderr)
    finally:
        for side in (ours, *sides):
            side.close()
    if settings.threads > 1:
        rows += _alone([case for case in CASES if case.name in ALONE and case.name in names],
                       peers, replace(settings, threads=1))  # fmt: skip
    more: list[Row] = []
    if "import" in names:
        more += _show(measure.imports(peers, settings))
    if "script" in names:
        more += _show(measure.script(peers, settings))
    if "memory" in names:
        more += _show(measure.memory(ours, sides, settings))
    if not options.peer:
        more += _show(optimizing.rows([n for n in optimizing.CONTESTS if n in names], settings))
        more += _show(fitting.rows([n for n in fitting.NAMES if n in names], settings))
    rows += [replace(row, threads=settings.threads) for row in more]
    machine = report.machine(settings.threads, settings.rounds, ufunc_seconds, load_before)
    return report.Run(rows, judge_all(rows), machine, libraries)


def _section(options: argparse.Namespace) -> int:
    """Run a part of the bench that has a section of its own."""
    package = importlib.import_module(f"bench.{options.only}.command")
    if options.only == "profiles":
        text = package.run(settings_from(options), options, options.out or HERE)
        if (folder := out_folder(options)) is not None:
            (folder / "profiles.md").write_text(text, encoding="utf-8")
        return 0
    body, data = package.run(settings_from(options), options)
    folder = out_folder(options)
    if folder is not None:
        report.write_section(options.only, body, data, folder)
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code is 0 whatever the figures are: the table says them."""
    options = parser().parse_args(arguments)
    if options.only:
        return _section(options)
    result = run(options)
    ufunc = result.machine["numpy_ufunc_call_us"]
    if ufunc is not None:
        print(f"\none NumPy ufunc call on ten numbers: {ufunc:.2f} us")
    for verdict in result.verdicts:
        reached = "-" if verdict.reached is None else f"{verdict.reached:.3f}"
        what = f"{verdict.bar.case:18} {verdict.threads} thr. {verdict.bar.text:28}"
        print(f"{what} {reached:>8}  {verdict.met}")
    folder = out_folder(options)
    if folder is not None:
        report.write(result, folder)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
