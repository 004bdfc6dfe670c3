"""The order of the work of `gradtape fit`: read, check, descend, say, write."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from .checkpoint import HISTORY, MODEL, Keeper, resumed
from .descent import Plan, Series, State
from .document import result_document
from .options import Options
from .output import check_folder, write_files
from .pictures import pictures
from .problem import Problem
from .problems import DivergedError, FitError, require
from .report import data_lines, report
from .result import Result
from .sources import STDIN
from .specify import descended, specify
from .stream import open_table

__all__ = ["FILES", "fit"]

FILES = (HISTORY, "fit.png", "cost.png", "path.png", MODEL)


@np.errstate(all="ignore")  # what overflows is told as what it is: a cost that is infinite
def fit(
    options: Options,
    record: Callable[[Problem, Plan], Callable[[Series], None]] | None = None,
) -> Result:
    """Fit, print the report, write the files, and return the result.

    `record` gets the problem and the plan, and returns what is called with the epochs so far, after
    each of them.

    Nothing is printed to standard output or written before the data and the options are known to
    allow a fit. A run of more than two seconds writes its state from time to time; the pictures
    and the results are written when all of them are complete.

    Raises
    ------
    FitError
        When the data, the formula or an option does not allow a fit.
    MissingExtraError
        When a library of the extra `fit` is not installed.
    KeyboardInterrupt
        When Ctrl-C comes before the first epoch or while files are written.
    """
    for module in ("pandas", "formulaic", "matplotlib", "tqdm"):
        require(module)
    table = open_table(options.data, in_pieces=options.stream)
    data = None if options.data == STDIN else Path(options.data)
    check_folder(options.out, FILES, data=data)
    problem, plan = specify(table, options)
    state = resumed(options.out, problem, plan, options) if options.resume else None
    say = _silent if options.quiet or options.json else print
    say(data_lines(problem.design, options), flush=True)
    if options.resume:
        words = f"No run in {options.out} to go on with: it begins at epoch 0."
        if state is not None:
            words = f"Going on from epoch {len(state.series) - 1:,}."
        say(words, flush=True)
    say(flush=True)
    keeper = Keeper(options.out, problem, plan, options)
    follow = _silent if record is None else record(problem, plan)

    def keep(state: State) -> None:
        keeper(state)
        follow(state.series)

    try:
        result = descended(
            problem,
            plan,
            state=state,
            keep=keep,
            progress=lambda count, cost: _progress(
                count, cost, total=options.epochs, is_shown=not options.quiet
            ),
        )
    except DivergedError as error:
        keeper.discard()
        again = f"{options.but(learning_rate=None).command()} --learning-rate auto"
        raise DivergedError(f"{error}\n  {again}" if not plan.is_auto else str(error)) from None
    except FitError:
        keeper.discard()
        raise
    state = result.state
    follow(state.series)
    say(report(result, options), flush=True)
    document = result_document(result, options)
    covariance = result.uncertainty.covariance
    files = {
        HISTORY: keeper.history(state),
        **pictures(result),
        MODEL: keeper.model(
            state,
            finished=not result.was_interrupted,
            result=document,
            covariance=None if covariance is None else covariance.tolist(),
        ),
    }
    write_files(options.out, files)
    written = [str(options.out / name) for name in FILES if name in files]
    if options.json:
        print(json.dumps({**document, "files": written}, indent=1, allow_nan=False))
    say(f"\nWritten: {', '.join(written)}")
    return result


def _silent(*_words: object, **_options: object) -> None:
    pass


def _progress(
    count: range, cost: Callable[[], float], *, total: int | None, is_shown: bool
) -> Iterator[int]:
    """Show a bar on standard error while the epochs pass; none where nobody looks."""
    if not (is_shown and sys.stderr.isatty()):
        yield from count  # tqdm starts a thread even for a bar that it does not show
        return
    bar = require("tqdm").tqdm(
        total=total,
        initial=count.start,
        desc="gradient descent",
        unit=" epochs",
        unit_scale=True,
        leave=False,
        file=sys.stderr,
    )
    shown = time.monotonic()
    with bar:
        for epoch in count:
            yield epoch
            # Ten times a second: the words of a bar cost more than an epoch does.
            if time.monotonic() - shown > 0.1:
                bar.set_postfix_str(f"cost {cost():.6g}", refresh=False)
                bar.update(epoch - bar.n)
                shown = time.monotonic()
