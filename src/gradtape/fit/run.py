"""The order of the work of `gradtape fit`: read, check, descend, say, write."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from .descent import Run, descend, pose
from .design import build_design
from .options import Options, initial_values
from .output import check_folder, write_files
from .plots import cost_figure, fit_figure, png
from .problems import DivergedError, require
from .report import data_lines, history_csv, report
from .sources import read_table

__all__ = ["FILES", "fit"]

FILES = ("history.csv", "fit.png", "cost.png")


def fit(options: Options) -> Run:
    """Fit, print the report, write the files, and return the run.

    Nothing is printed to standard output or written before the data and the options are known to
    allow a fit, and no file before all of them are complete.

    Raises
    ------
    FitError
        When the data, the formula or an option does not allow a fit.
    MissingExtraError
        When a library of the extra `fit` is not installed.
    KeyboardInterrupt
        When Ctrl-C comes before the first epoch or while files are written; nothing is left then.
    """
    for module in ("pandas", "formulaic", "matplotlib", "tqdm"):
        require(module)
    table = read_table(options.data)
    check_folder(options.out, FILES, data=Path(options.data))
    design = build_design(table, options.formula)
    problem = pose(design, standardize=options.standardize)
    init = initial_values(options.init, design.names)
    say = _silent if options.quiet else print
    say(data_lines(design, options) + "\n", flush=True)
    try:
        run = descend(
            problem,
            learning_rate=options.learning_rate,
            epochs=options.epochs,
            init=init,
            progress=lambda count, cost: _progress(
                count, cost, total=options.epochs, is_shown=not options.quiet
            ),
        )
    except DivergedError as error:
        again = f"{options.but(learning_rate=None).command()} --learning-rate auto"
        raise DivergedError(f"{error}\n  {again}") from None
    say(report(run, options), flush=True)
    files = (history_csv(run), png(fit_figure(run)), png(cost_figure(run)))
    write_files(options.out, dict(zip(FILES, files, strict=True)))
    say(f"\nWritten: {', '.join(str(options.out / name) for name in FILES)}")
    return run


def _silent(*_words: object, **_options: object) -> None:
    pass


def _progress(
    count: range, cost: Callable[[], float], *, total: int | None, is_shown: bool
) -> Iterator[int]:
    """Show a bar on standard error while the epochs pass; none where nobody looks."""
    bar = require("tqdm").tqdm(
        total=total,
        desc="gradient descent",
        unit=" epochs",
        unit_scale=True,
        leave=False,
        file=sys.stderr,
        disable=not (is_shown and sys.stderr.isatty()),
    )
    shown = time.monotonic()
    with bar:
        for epoch in count:
            yield epoch
            # Ten times a second: the words of a bar cost more than an epoch does.
            if not bar.disable and time.monotonic() - shown > 0.1:
                bar.set_postfix_str(f"cost {cost():.6g}", refresh=False)
                bar.update(epoch - bar.n)
                shown = time.monotonic()
