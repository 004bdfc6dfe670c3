"""The measurements: interleaved timing, imports, peak memory. Each returns rows for the table.

One side's failure never ends the run: it becomes the row's status and reason.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from bench import environments, quiet
from bench.cases import Case, Reference, worst_error
from bench.client import WorkerFailure, WorkerProcess
from bench.environments import ROOT, EnvironmentFailure
from bench.peers import OURS, Peer
from bench.results import Row
from bench.stats import ratio, spread

# Idle threads of a pool spin for some milliseconds after their last task: let them go to sleep
# before the other side is timed.
PAUSE = 0.03

MEMORY_STEPS = 10

IMPORT_TITLE = "process start to the imported entry point, less the bare interpreter"
SCRIPT = ROOT / "examples" / "tutorial_tensorflow.py"
SCRIPT_TITLE = "examples/tutorial_tensorflow.py --no-plots, process start to end"
DIALECT_TITLE = "import gradtape.tf and first use of the usual names, less the bare interpreter"
DIALECT_USE = (
    "tf.Variable, tf.GradientTape, tf.constant, tf.float32, tf.add, tf.multiply, tf.square, "
    "tf.reduce_sum, tf.reduce_mean, tf.matmul, tf.nn.relu, tf.zeros"
)
OVER_NUMPY_TITLE = "import gradtape on top of import numpy"
MEMORY_TITLES = {
    "mlp-memory-growth": f"peak memory of {MEMORY_STEPS} MLP steps: growth over imports and data",
    "mlp-memory-peak": f"peak memory of {MEMORY_STEPS} MLP steps: the whole process",
}


@dataclass(frozen=True)
class Settings:
    """How a run measures.

    A case has `rounds` turns per side; a turn lasts about `seconds` and is made of batches of
    `batch` seconds, of which the fastest counts: a burst of another tenant's work is shorter
    than a turn, and would otherwise decide who wins. A case waits at most `patience` seconds in
    all for other processes to leave the machine.
    """

    venvs: Path
    rounds: int = 9
    seconds: float = 0.15
    batch: float = 0.01
    threads: int = 2
    patience: float = 60.0


@dataclass
class Side:
    """One library in a run: its worker, and what came of it in the current case.

    `first` is how long the first run took, in seconds: for a compiler, tracing and compiling.
    With `is_value` the case is run without its gradient, and only its value is checked.
    """

    peer: Peer
    settings: Settings
    is_value: bool = False
    worker: WorkerProcess | None = None
    error: float | None = None
    number: int = 1
    first: float = float("nan")
    failure: str = ""

    def start(self) -> WorkerProcess:
        """Return a fresh worker; raise if there is none to be had."""
        python = environments.ensure(self.peer, self.settings.venvs)
        log = self.settings.venvs / "logs" / f"{self.peer.library}.log"
        return WorkerProcess(self.peer, python, threads=self.settings.threads, log=log)

    def alive(self) -> WorkerProcess:
        """Return the worker that persists from case to case, started anew if it died."""
        if self.worker is None or not self.worker.is_alive:
            self.close()
            self.worker = self.start()
        return self.worker

    def close(self) -> None:
        if self.worker is not None:
            self.worker.close()
            self.worker = None

    def prepare(self, case: Case, reference: Reference, scratch: Path) -> None:
        """Warm up, check the answer and calibrate; on failure keep the reason."""
        self.failure, self.error = "", None
        answer = scratch / f"{self.peer.library}.npz"
        try:
            worker = self.alive()
            self.first = worker.ask(
                "prepare", case=case.name, answer=str(answer), is_value=self.is_value
            )["first"]
            with np.load(answer) as outputs:
                self.error = worst_error(dict(outputs), reference)
            self.number = worker.ask("calibrate", seconds=self.settings.batch)["number"]
        except (WorkerFailure, EnvironmentFailure) as failure:
            self.failure = str(failure)

    def time(self) -> float | None:
        """Return the seconds of one run in this turn, or None if the side has failed."""
        if self.failure:
            return None
        time.sleep(PAUSE)
        try:
            reply = self.alive().ask("time", number=self.number, seconds=self.settings.seconds)
            return float(reply["seconds"])
        except (WorkerFailure, EnvironmentFailure) as failure:
            self.failure = str(failure)
            return None


class Calm:
    """The patience of one case, and the busiest that the machine was when it ran out."""

    def __init__(self, patience: float) -> None:
        self.left = patience
        self.busiest = 0.0

    def wait(self) -> None:
        share, waited = quiet.wait(self.left)
        self.left = max(0.0, self.left - waited)
        self.busiest = max(self.busiest, share)


@dataclass
class Pair:
    """The samples of ours and of one peer, taken in turns; NaN-free because failures stop it."""

    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)


def row_of(
    base: Row,
    pair: Pair,
    *,
    our_failure: str = "",
    peer_failure: str = "",
) -> Row:
    """Return `base` with the statistics of `pair`, or with who failed and why."""
    values = {
        "ours": spread(pair.ours) if pair.ours and not our_failure else None,
        "theirs": spread(pair.theirs) if pair.theirs and not peer_failure else None,
        "ratio": None,
    }
    status, reason = "ok", ""
    if our_failure or peer_failure:
        who = "both" if our_failure and peer_failure else "ours" if our_failure else "peer"
        status = f"{who} failed"
        reason = "; ".join(text for text in (our_failure, peer_failure) if text)
    else:
        values["ratio"] = ratio(pair.ours, pair.theirs)  # type: ignore[assignment]
        for side, error in (("ours", base.our_error), ("peer", base.peer_error)):
            if base.tolerance is not None and error is not None and not error <= base.tolerance:
                status = f"wrong answer ({side})"
                reason = f"the error {error:.1e} exceeds {base.tolerance:.0e}"
                break
    return Row(**{**base.__dict__, **values, "status": status, "reason": reason})


def timed_case(case: Case, ours: Side, peers: Sequence[Side], settings: Settings) -> list[Row]:
    """Return a row per peer: ours, peer, ours, peer ..., `rounds` times."""
    reference = case.reference(case.data())
    pairs = {side.peer.name: Pair() for side in peers}
    with tempfile.TemporaryDirectory() as scratch:
        for side in (ours, *peers):
            side.prepare(case, reference, Path(scratch))
    calm = Calm(settings.patience)
    for _ in range(settings.rounds):
        calm.wait()
        for side in peers:
            pair = pairs[side.peer.name]
            for samples, turn in ((pair.ours, ours), (pair.theirs, side)):
                seconds = turn.time()
                if seconds is not None:
                    samples.append(seconds * 1e6)
    return [
        row_of(
            Row(
                case.name,
                case.title,
                side.peer.name,
                side.peer.mode,
                "us",
                our_error=ours.error,
                peer_error=side.error,
                tolerance=case.tolerance,
                busy=calm.busiest,
                threads=settings.threads,
            ),
            pairs[side.peer.name],
            our_failure=ours.failure,
            peer_failure=side.failure,
        )
        for side in peers
    ]


# --- imports ------------------------------------------------------------------------------------


def _process_seconds(command: list[str], env: dict[str, str]) -> float:
    start = time.perf_counter()
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    spent = time.perf_counter() - start
    if done.returncode != 0:
        last_line = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise WorkerFailure(environments.without_folders(last_line))
    return spent


class ImportSide:
    """A library's import, timed as whole processes; the bare interpreter's are subtracted."""

    def __init__(self, peer: Peer, code: str, settings: Settings) -> None:
        self.peer, self.code, self.settings = peer, code, settings
        self.with_import: list[float] = []
        self.bare: list[float] = []
        self.failure = ""

    def turn(self, *, keep: bool) -> None:
        """Time the bare interpreter and the import once; the first, cold, turn is not kept."""
        if self.failure:
            return
        env = environments.measured_environment(self.settings.threads, self.peer)
        try:
            python = environments.ensure(self.peer, self.settings.venvs)
            bare = _process_seconds([str(python), "-c", "pass"], env)
            spent = _process_seconds([str(python), "-c", self.code], env)
        except (WorkerFailure, EnvironmentFailure) as failure:
            self.failure = str(failure)
            return
        if keep:
            self.bare.append(bare)
            self.with_import.append(spent)

    @property
    def milliseconds(self) -> list[float]:
        # The quietest bare start for all: a noisy one would make its import look cheap.
        return [(spent - min(self.bare)) * 1e3 for spent in self.with_import]


def import_code(peer: Peer) -> str:
    """Return the program that imports a library up to its first name."""
    return f"import {peer.module}; {peer.module}.{peer.first_use}"


def dialect_code(module: str) -> str:
    """Return the program that imports TensorFlow's names from a module."""
    return f"import {module} as tf; {DIALECT_USE}"


def imports(peers: Sequence[Peer], settings: Settings) -> list[Row]:
    """Return a row per peer, one for the dialect, and one for what our import adds to NumPy's."""
    contests = [
        (Row("import", IMPORT_TITLE, peer.name, peer.mode, "ms"), peer, import_code(OURS),
         import_code(peer))
        for peer in peers
    ]  # fmt: skip
    for peer in peers:
        if peer.name == "tensorflow":
            dialect = Row("import-dialect", DIALECT_TITLE, peer.name, peer.mode, "ms")
            contests.append((dialect, peer, *map(dialect_code, ("gradtape.tf", "tensorflow"))))
    over_numpy = Row("import-over-numpy", OVER_NUMPY_TITLE, "numpy", OURS.mode, "ms")
    numpy = replace(OURS, module="numpy", first_use="sum")
    contests.append((over_numpy, numpy, import_code(OURS), import_code(numpy)))
    rows = []
    for base, peer, our_code, their_code in contests:
        ours = ImportSide(OURS, our_code, settings)
        theirs = ImportSide(peer, their_code, settings)
        calm = Calm(settings.patience)
        for round_ in range(settings.rounds + 1):
            calm.wait()
            ours.turn(keep=round_ > 0)
            theirs.turn(keep=round_ > 0)
        rows.append(
            row_of(
                replace(base, busy=calm.busiest),
                Pair(ours.milliseconds, theirs.milliseconds),
                our_failure=ours.failure,
                peer_failure=theirs.failure,
            )
        )
    return rows


# --- a whole script -----------------------------------------------------------------------------


class ScriptSide:
    """The tutorial's TensorFlow script as a whole process, without plots."""

    def __init__(self, peer: Peer, settings: Settings, *before: str) -> None:
        self.peer, self.settings, self.before = peer, settings, before
        self.milliseconds: list[float] = []
        self.failure = ""

    def turn(self, *, keep: bool) -> None:
        if self.failure:
            return
        env = environments.measured_environment(self.settings.threads, self.peer)
        try:
            python = environments.ensure(self.peer, self.settings.venvs)
            command = [str(python), *self.before, str(SCRIPT), "--no-plots"]
            spent = _process_seconds(command, env)
        except (WorkerFailure, EnvironmentFailure) as failure:
            self.failure = str(failure)
            return
        if keep:
            self.milliseconds.append(spent * 1e3)


def script(peers: Sequence[Peer], settings: Settings) -> list[Row]:
    """Return the row of the tutorial's TensorFlow script: `gradtape run --tensorflow` or python."""
    rows = []
    for peer in peers:
        if peer.name != "tensorflow":
            continue
        ours = ScriptSide(OURS, settings, "-m", "gradtape", "run", "--tensorflow")
        theirs = ScriptSide(peer, settings)
        calm = Calm(settings.patience)
        for round_ in range(settings.rounds + 1):
            calm.wait()
            ours.turn(keep=round_ > 0)
            theirs.turn(keep=round_ > 0)
        rows.append(
            row_of(
                Row("script", SCRIPT_TITLE, peer.name, peer.mode, "ms", busy=calm.busiest),
                Pair(ours.milliseconds, theirs.milliseconds),
                our_failure=ours.failure,
                peer_failure=theirs.failure,
            )
        )
    return rows


# --- peak memory --------------------------------------------------------------------------------


def memory(ours: Side, peers: Sequence[Side], settings: Settings) -> list[Row]:
    """Return two rows per peer: the growth of the peak, and the peak itself, in MiB.

    Every sample is a process of its own: what an earlier case left behind would count.
    """
    rows = []
    for side in peers:
        pairs = {case: Pair() for case in MEMORY_TITLES}
        failures = {OURS.name: "", side.peer.name: ""}
        for _ in range(min(settings.rounds, 3)):
            for turn, mine in ((ours, True), (side, False)):
                try:
                    sizes = _peak(turn)
                except (WorkerFailure, EnvironmentFailure) as failure:
                    failures[turn.peer.name] = str(failure)
                    continue
                for case, pair in pairs.items():
                    size = sizes[case.rpartition("-")[2]] / 2**20
                    (pair.ours if mine else pair.theirs).append(size)
        rows += [
            row_of(
                Row(case, title, side.peer.name, side.peer.mode, "MiB"),
                pairs[case],
                our_failure=failures[OURS.name],
                peer_failure=failures[side.peer.name],
            )
            for case, title in MEMORY_TITLES.items()
        ]
    return rows


def _peak(side: Side) -> dict[str, float]:
    worker = side.start()
    try:
        return worker.ask("memory", case="mlp", steps=MEMORY_STEPS)
    finally:
        worker.close()
