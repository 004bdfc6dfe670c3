"""A run as text for the terminal, and as the rows of history.csv."""

from __future__ import annotations

import csv
import io
import textwrap

import numpy as np

from ..verdict import about
from .descent import AUTO_SHARE, Run
from .design import Design
from .formula import weighted_sum
from .options import Options, letter

__all__ = ["data_lines", "history_csv", "report"]


EQUATION_TERMS = 12
"""With more terms than this the equation is left out: the table says the same, readably."""


def data_lines(design: Design, options: Options) -> str:
    """Return what is fitted, and how many rows of the file are used."""
    used, read = len(design.y), design.rows_read
    first = f"{design.formula}, from {options.data}"
    if used == read:
        return f"{first}\n{read:,} rows, all of them used."
    where = ", ".join(f"{name} in {count:,}" for name, count in design.missing.items())
    return f"{first}\n{read:,} rows, {read - used:,} dropped (no value: {where}), {used:,} used."


def report(run: Run, options: Options) -> str:
    """Return the equation, the coefficients beside their closed form, the cost and the verdict."""
    design = run.problem.design
    final = run.coefficients[-1]
    equation = (
        ""
        if len(design.names) > EQUATION_TERMS
        else textwrap.fill(
            f"{design.response} = {weighted_sum(design.names, final.tolist())}",
            width=96,
            initial_indent="  ",
            subsequent_indent=" " * (len(design.response) + 5),
            break_long_words=False,
            break_on_hyphens=False,
        )
    )
    return "\n\n".join(
        part
        for part in (
            _interruption(run),
            equation,
            _table(run),
            _cost_lines(run, options),
            f"Verdict after {_epochs(run.epochs)}\n{run.verdict.text}",
            _next_step(run, options),
        )
        if part
    )


def history_csv(run: Run) -> bytes:
    """Return history.csv: one row per epoch; coefficients in the data's units.

    Columns: epoch, cost, gradient_norm, distance (of the farthest coefficient from its closed
    form, as a part of its size), then one column per coefficient. Every number is written with
    the digits that give the same float back.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["epoch", "cost", "gradient_norm", "distance", *run.problem.design.names])
    columns = np.column_stack([run.costs, run.gradient_norms, run.distances, run.coefficients])
    writer.writerows([epoch, *row] for epoch, row in enumerate(columns.tolist()))
    return text.getvalue().encode()


def _epochs(count: int) -> str:
    return "1 epoch" if count == 1 else f"{count:,} epochs"


def _interruption(run: Run) -> str:
    if not run.was_interrupted:
        return ""
    return f"Ctrl-C ended the descent after {_epochs(run.epochs)}; this is what was fitted so far."


def _table(run: Run) -> str:
    names = run.problem.design.names
    width = max(len("coefficient"), *map(len, names))
    lines = [
        f"  {'':1}  {'coefficient':<{width}}  {'gradient descent':>16}  {'closed form':>14}"
        f"  {'difference':>10}"
    ]
    lines.append("  " + "-" * (len(lines[0]) - 2))
    for i, name in enumerate(names):
        value, closed = float(run.coefficients[-1, i]), float(run.problem.closed_form[i])
        lines.append(
            f"  {letter(i):1}  {name:<{width}}  {value:>#16.7g}  {closed:>#14.7g}"
            f"  {value - closed:>10.1e}"
        )
    return "\n".join(lines)


def _cost_lines(run: Run, options: Options) -> str:
    problem = run.problem
    units = "standardised units" if problem.is_standardized else "the data's units"
    auto = ""
    if options.learning_rate is None:
        auto = f" (auto: {AUTO_SHARE:g} of the largest stable rate, 2 / largest eigenvalue)"
    return (
        f"Cost (mean squared error): {run.costs[0]:.2f} at epoch 0, {run.costs[-1]:.2f} at epoch "
        f"{run.epochs}; closed form: {problem.lowest_cost:.2f}.\n"
        f"Learning rate: {run.learning_rate:.4g}, in {units}{auto}."
    )


def _next_step(run: Run, options: Options) -> str:
    """What to type when the run has not converged: the fewest epochs first."""
    state = run.verdict.convergence
    if state.converged:
        return ""
    lines = []
    if not options.standardize:
        lines.append(options.but(standardize=True, learning_rate=None, epochs=None).command())
    elif options.learning_rate is not None and state.stability and state.stability < 0.4:
        lines.append(options.but(learning_rate=None, epochs=None).command())
    if state.epochs_to_go is not None:
        total = run.epochs + state.epochs_to_go
        lines.append(options.but(epochs=about(total)).command())
    elif state.stability is not None and state.stability >= 2:
        lines.append(options.but(learning_rate=None).command())
    lines = list(dict.fromkeys(lines))
    return (
        "\n".join(
            [
                "To get there, type" + (" one of" if len(lines) > 1 else ""),
                *(f"  {line}" for line in lines),
            ]
        )
        if lines
        else ""
    )
