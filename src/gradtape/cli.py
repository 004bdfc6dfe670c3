"""The `gradtape` command: one subcommand per thing it does, each imported only when it runs.

A subcommand is an entry of `COMMANDS`: its name, its line of help, the function that declares its
arguments and the function that runs it. Errors that are the user's to mend are printed without a
traceback and end with exit code 2; Ctrl-C ends with 130, as a shell expects.
"""

from __future__ import annotations

import argparse
import atexit
import contextlib
import gc
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import GradtapeError
from .fit import arguments as fit
from .record import arguments as record

__all__ = ["COMMANDS", "Command", "main"]

USAGE_ERROR, INTERRUPTED = 2, 130
_MANY = 200_000  # objects that are made before Python looks for garbage, in a command of our own


@dataclass(frozen=True)
class Command:
    """A subcommand.

    Attributes
    ----------
    name, summary : str
        What is typed, and its line in the list of commands.
    description : str
        The text above its options.
    declare : callable
        Adds its arguments to the parser.
    run : callable
        Does it and returns the exit code.
    prepare : callable, optional
        Changes the arguments before they are parsed.
    is_ours : bool
        Whether it runs no code of the user's and ends soon, so that a process of its own may be
        spared looking for garbage (`_spared`).
    """

    name: str
    summary: str
    description: str
    declare: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]
    prepare: Callable[[list[str]], list[str]] | None = None
    is_ours: bool = False


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, 2 for bad input, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="gradtape", description="A gradient tape for NumPy: record, differentiate, fit."
    )
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        subparser = subparsers.add_parser(
            command.name,
            help=command.summary,
            description=command.description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.declare(subparser)
        subparser.set_defaults(run=command.run, name=command.name)
    words = list(sys.argv[1:] if arguments is None else arguments)
    for command in COMMANDS:
        if words[:1] == [command.name] and command.prepare is not None:
            words = [words[0], *command.prepare(words[1:])]
    parsed = parser.parse_args(words)
    is_alone = arguments is None and any(c.is_ours for c in COMMANDS if c.name == parsed.name)
    try:
        with _spared() if is_alone else contextlib.nullcontext():
            code: int = parsed.run(parsed)
    except GradtapeError as error:
        said = str(error)
        for door in ("open_run: ", f"{parsed.name}: "):  # told by the command's own name
            said = said.removeprefix(door)
        print(f"gradtape {parsed.name}: {said}", file=sys.stderr)
        return USAGE_ERROR
    except KeyboardInterrupt:
        said = "stopped by Ctrl-C, before there were results to write."
        print(f"gradtape {parsed.name}: {said}", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has closed, such as `| head`
        sys.stderr.close()
        return 0
    return code


@contextlib.contextmanager
def _spared() -> Iterator[None]:
    """Let Python look for garbage seldom, and not at the end of the process.

    The libraries of a fit make half a million objects that stay until the end. Looking through them
    again and again, the last three times before they are all thrown away, takes a fifth of a short
    fit's time.
    """
    usual = gc.get_threshold()
    gc.set_threshold(max(usual[0], _MANY) if usual[0] else 0, *usual[1:])
    atexit.register(gc.freeze)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


# -- run --------------------------------------------------------------------------------------

_RUN = """\
Run a Python script as `python script.py` would, or execute a notebook and write its outputs.

    gradtape run --tensorflow train.py --epochs 5
    gradtape run --tensorflow lesson.ipynb
    gradtape run --record train.py
    gradtape run --record runs/first train.py

With --tensorflow, `import tensorflow` finds gradtape's own TensorFlow dialect: a GradientTape
script runs without an edit and without TensorFlow. With --record, the training loop is recorded, in
runs/NAME for NAME.py if no folder is given; look at it with gradtape view. Options for gradtape
stand before the file's name; what follows it is the script's. The exit code is the script's.
"""


def _declare_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--tensorflow",
        action="store_true",
        help="serve gradtape.tf to the script's `import tensorflow`",
    )
    _declare_recording(parser, "runs/NAME of NAME.py")
    parser.add_argument("script", metavar="SCRIPT", help="a Python file or a notebook (.ipynb)")
    parser.add_argument(
        "arguments", metavar="...", nargs=argparse.REMAINDER, help="arguments of the script"
    )


def _prepare_run(words: list[str]) -> list[str]:
    """What stands before the script is ours: `--record train.py` names no folder to record in."""
    for i, word in enumerate(words):
        before = words[i - 1] if i else ""
        if not word.startswith("-") and before != "--record":
            return [*_prepare_record(words[:i]), *words[i:]]
        if before == "--record" and _names_a_file(word):
            return [*_prepare_record(words[: i + 1]), *words[i + 1 :]]
    return _prepare_record(words)


def _run_script(arguments: argparse.Namespace) -> int:
    from .scripts import run

    recording = _recording(arguments, arguments.script)
    code = run(
        arguments.script,
        arguments.arguments,
        tensorflow=arguments.tensorflow,
        recording=recording,
    )
    if recording is not None:
        recording.say()
    return code


# -- --record and --view ----------------------------------------------------------------------


def _declare_recording(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument(
        "--record", metavar="DIR", nargs="?", const="", help=f"record the run, in DIR or {default}"
    )
    parser.add_argument(
        "--view", action="store_true", help="show the run in a web page, live; records it"
    )


def _names_a_file(word: str) -> bool:
    return Path(word).is_file() or word.endswith((".py", ".ipynb"))


def _prepare_record(words: list[str]) -> list[str]:
    """`--record NAME` with the name of a file names what is run, and not a folder to record in."""
    for i, word in enumerate(words):
        if word == "--record" and words[i + 1 : i + 2] and _names_a_file(words[i + 1]):
            return [*words[:i], "--record=", *words[i + 1 :]]
    return words


def _recording(arguments: argparse.Namespace, name: str) -> Viewed | None:
    """What the options ask to record into; None for nothing."""
    if arguments.record is None and not arguments.view:
        return None
    from .record.lock import free_folder
    from .runs import Recording

    folder = arguments.record or Path("runs") / (Path(name).stem if name != "-" else "fit")
    if name.endswith(".ipynb"):  # its kernel records, into the folder that is told here
        folder = free_folder(folder)
    return Viewed(Recording(folder), arguments.view, arguments.name)


class Viewed:
    """A recording, and its page where that is asked for."""

    def __init__(self, recording: Any, is_shown: bool, command: str) -> None:
        self.recording, self.is_shown, self.command = recording, is_shown, command
        self.has_begun = False

    @property
    def path(self) -> Path:
        """Where it is recorded."""
        path: Path = self.recording.path
        return path

    def __enter__(self) -> Any:
        run = self.recording.__enter__()
        self.has_begun = True
        if self.is_shown:
            self._show(run)
        return run

    def __exit__(self, *error: Any) -> None:
        self.recording.__exit__(*error)

    def say(self) -> None:
        """Say where the run is, when it has ended."""
        if self.is_shown and not self.has_begun:  # a notebook's kernel has recorded it
            self._show(self.recording)
        elif not self.is_shown:
            where = shlex.quote(str(self.path))
            words = f"recorded; gradtape view {where} shows it"
            if not len(self.recording):
                words = f"no step was recorded in {where}: no gradient was asked for"
            print(f"gradtape {self.command}: {words}", file=sys.stderr)

    def _show(self, run: Any) -> None:
        from .viewer.launch import lasting

        try:
            address = run.show()
        except (OSError, ImportError) as error:
            print(f"gradtape {self.command}: {error.args[-1]}", file=sys.stderr)
        else:
            print(f"gradtape {self.command}: {lasting(self.path) or address}", file=sys.stderr)


def _declare_fit(parser: argparse.ArgumentParser) -> None:
    fit.declare_fit(parser)
    _declare_recording(parser, "runs/NAME of the table")


def _run_fit(arguments: argparse.Namespace) -> int:
    recording = _recording(arguments, str(arguments.data))
    del arguments.record, arguments.view
    if recording is None:
        return fit.run_fit(arguments)
    from .fit.recording import named_cost

    recording.recording.listens = False  # the descent has units of its own
    stack = contextlib.ExitStack()

    def record(problem: Any, plan: Any) -> Any:
        run = stack.enter_context(recording)  # not before there is something to record
        start = problem.to_data @ plan.start
        names = problem.names
        step = run.follow(dict(zip(names, start.tolist(), strict=True)), named_cost(problem))
        run.config({name: str(value) for name, value in vars(arguments).items()
                    if name not in ("run", "name") and value is not None})  # fmt: skip
        written, width = 0, len(names)

        def follow(series: Any) -> None:
            nonlocal written
            while written < len(series):
                row = slice(written * width, (written + 1) * width)
                step(series.costs[written], series.coefficients[row], series.gradients[row])
                written += 1

        return follow

    with stack:
        code = fit.run_fit(arguments, record)
    if not arguments.quiet:
        recording.say()
    return code


# -- view -------------------------------------------------------------------------------------

_VIEW = """\
Show recorded runs in a web page: one run, or all runs below a folder, live while they train.

    gradtape view runs/cars
    gradtape view runs --no-browser

The server only reads, and only this computer reaches it, by an address with a token that is
printed. Ctrl-C ends it.
"""


def _declare_view(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", metavar="RUN_OR_DIR", help="a recorded run, or a folder of runs")
    parser.add_argument("--port", type=int, default=0, help="the port; any free one if left out")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="an address to listen on; others than this computer's own are warned of",
    )
    parser.add_argument("--no-browser", action="store_true", help="open no browser")
    parser.add_argument("--idle", type=float, help=argparse.SUPPRESS)


def _view(arguments: argparse.Namespace) -> int:
    from .viewer.launch import view

    try:
        return view(
            arguments.path,
            host=arguments.host,
            port=arguments.port,
            browser=not arguments.no_browser,
            idle=arguments.idle,
        )
    except (OSError, ImportError) as error:
        print(f"gradtape view: {error.args[-1]}", file=sys.stderr)
        return USAGE_ERROR


COMMANDS = (
    Command(
        "fit",
        "fit a model to a table by descending its cost",
        fit.FIT,
        _declare_fit,
        _run_fit,
        _prepare_record,
        is_ours=True,
    ),
    Command(
        "predict",
        "predict with a model that `fit` has written",
        fit.PREDICT,
        fit.declare_predict,
        fit.run_predict,
        is_ours=True,
    ),
    Command(
        "run",
        "run a script or notebook, with gradtape for TensorFlow if asked",
        _RUN,
        _declare_run,
        _run_script,
        _prepare_run,
    ),
    Command(
        "view",
        "show recorded runs in a web page, live or afterwards",
        _VIEW,
        _declare_view,
        _view,
    ),
    Command(
        "runs",
        "list recorded runs",
        record.RUNS,
        record.declare_runs,
        record.run_runs,
    ),
    Command(
        "pack",
        "make one file of a recorded run",
        record.PACK,
        record.declare_pack,
        record.run_pack,
    ),
    Command(
        "export",
        "write a recorded run as Parquet, CSV or for TensorBoard",
        record.EXPORT,
        record.declare_export,
        record.run_export,
    ),
)
