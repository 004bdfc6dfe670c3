"""A result as text for the terminal."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from ..verdict import about
from .descent import AUTO_SHARE
from .design import Design
from .formula import weighted_sum
from .models import ExpressionModel
from .options import Options, letter
from .result import Result
from .rows import Spool
from .scores import Score

__all__ = ["Cells", "cells", "cost_sentence", "data_lines", "equation", "report", "score_sentences",
           "step_sentence", "sure_sentence"]  # fmt: skip

EQUATION_TERMS = 12
"""With more terms than this the equation is left out: the table says the same, readably."""

WIDTH = 96


def data_lines(design: Design, options: Options) -> str:
    """Return what is fitted, and how many rows of the data are used."""
    first = design.formula + (f", from {_source(options)}" if options.data else "")
    if options.loss != "mse":
        first += f", with the {options.loss} loss"
    read = design.rows_read
    kept = design.test.n if design.test is not None else 0
    used = design.n + kept
    parts = [f"{read:,} rows"]
    if used == read and not kept:
        parts = [f"{read:,} rows, all of them used"]
    else:
        gone = read - used - design.weightless
        if gone:
            where = ", ".join(f"{name} in {count:,}" for name, count in design.missing.items())
            parts.append(f"{gone:,} dropped (no value: {where})")
        if design.weightless:
            parts.append(f"{design.weightless:,} of weight 0")
        if kept:
            parts.append(f"{kept:,} kept for the test")
        parts.append(f"{design.n:,} used")
    lines = [first, f"{', '.join(parts)}."]
    if isinstance(design.rows, Spool):
        lines.append("Read in pieces; the rows are in a file on disk, which vanishes with the fit.")
    if design.weights:
        lines.append(f"Each row counts {design.weights}.")
    if design.labels is not None:
        lines.append(design.labels.words)
    return "\n".join(lines)


def _source(options: Options) -> str:
    return "standard input" if options.data == "-" else options.data


def report(result: Result, options: Options) -> str:
    """Return the equation, the coefficients, how good the fit is, the cost and the verdict."""
    return "\n\n".join(
        part
        for part in (
            _interruption(result, options),
            equation(result),
            _table(result),
            "\n".join(
                _filled(sentence)
                for sentence in (
                    sure_sentence(result),
                    *score_sentences(result),
                    cost_sentence(result),
                    step_sentence(result),
                )
            ),
            f"Verdict after {_epochs(result.epochs)}{_end(result)}\n{result.verdict.text}",
            _next_step(result, options),
        )
        if part
    )


def _filled(sentence: str) -> str:
    # A number stays with its per cent sign: textwrap breaks no line at such a space.
    text = sentence.replace(" %", "\N{NO-BREAK SPACE}%")
    text = textwrap.fill(
        text, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
    return text.replace("\N{NO-BREAK SPACE}", " ")


def _epochs(count: int) -> str:
    return "1 epoch" if count == 1 else f"{count:,} epochs"


def _end(result: Result) -> str:
    if result.state.end == "floor":
        return ", where no step lowers the cost any more"
    return ""


def _interruption(result: Result, options: Options) -> str:
    if not result.was_interrupted:
        return ""
    said = (
        f"Ctrl-C ended the descent after {_epochs(result.epochs)}; this is what was fitted so far."
    )
    if not options.can_be_typed:
        return said
    return f"{said}\nTo go on from here, type\n  {options.but(resume=True).command()}"


# -- the equation and the table ---------------------------------------------------------------


def equation(result: Result) -> str:
    """Return the model with its numbers, wrapped; nothing where it has too many terms."""
    problem, final = result.problem, result.final.tolist()
    model, response = problem.model, problem.design.response
    if problem.loss.labels == "binary" and problem.design.labels is not None:
        response = f"{response} = {problem.design.labels.one}"
    left = problem.loss.link.words.format(response)
    if isinstance(model, ExpressionModel):
        right = model.expression.with_numbers(dict(zip(model.names, final, strict=False)))
    elif len(model.names) > EQUATION_TERMS:
        return ""
    else:
        right = weighted_sum(model.names, final[: len(model.names)])
    return textwrap.fill(
        f"{left} = {right}",
        WIDTH,
        initial_indent="  ",
        subsequent_indent=" " * (min(len(left), 24) + 5),
        break_long_words=False,
        break_on_hyphens=False,
    )


@dataclass(frozen=True)
class Cells:
    """A table as text.

    Attributes
    ----------
    heads : tuple of str
        The headings; the first two columns are words, the others numbers.
    rows : tuple of tuple of str
        The cells.
    """

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def cells(result: Result) -> Cells:
    """Return the table of coefficients: value, standard error, interval and closed form."""
    final = result.final
    errors, intervals = result.uncertainty.errors, result.uncertainty.intervals(final)
    reference = result.reference if _has_reference(result) else None
    heads = ["", "coefficient", "value"]
    if errors is not None:
        heads += ["std. error", "95 % from", "to"]
    if reference is not None:
        heads += [reference.heading, "difference"]
    rows = []
    for i, name in enumerate(result.problem.names):
        row = [letter(i), name, _number(final[i])]
        if errors is not None and intervals is not None:
            row += [_number(errors[i], 4), *(_number(end, 5) for end in intervals[i])]
        if reference is not None:
            target = reference.coefficients[i]
            row += [_number(target), f"{final[i] - target:.1e}"]
        rows.append(tuple(row))
    return Cells(tuple(heads), tuple(rows))


def _has_reference(result: Result) -> bool:
    """Whether the reference is known without the descent."""
    problem = result.problem
    return problem.is_quadratic or problem.loss.kind == "absolute"


def _number(value: float, digits: int = 7) -> str:
    return f"{value:#.{digits}g}"


def _table(result: Result) -> str:
    table = cells(result)
    columns = list(zip(table.heads, *table.rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    widths[0] = 1
    lines = [_line(table.heads, widths), *(_line(row, widths) for row in table.rows)]
    lines.insert(1, "  " + "-" * (max(map(len, lines)) - 2))
    return "\n".join(lines)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    words = [f"{cell:<{width}}" for cell, width in zip(row[:2], widths[:2], strict=True)]
    numbers = [f"{cell:>{width}}" for cell, width in zip(row[2:], widths[2:], strict=True)]
    return "  " + "  ".join(words + numbers)


# -- sentences --------------------------------------------------------------------------------


def sure_sentence(result: Result) -> str:
    """Return where the standard errors come from, or why there are none."""
    sure = result.uncertainty
    if sure.covariance is None:
        return f"No standard errors: {sure.why}."
    freedom = result.problem.design.n - len(result.problem.model.names)
    student = result.problem.loss.is_squares
    how = f"Student's t ({freedom:,} degrees of freedom)" if student else "the normal distribution"
    text = f"Standard errors: {sure.method}; intervals: 95 %, by {how}."
    if not result.verdict.convergence.converged:
        text += " They are those of the last epoch, which is not the minimum."
    return f"{text} {sure.note}" if sure.note else text


def score_sentences(result: Result) -> list[str]:
    """Return how good the fit is, and how good it is on the rows of the test."""
    sentences = [f"{_score(result.score, result)}."]
    test = result.test_score
    if test is not None:
        cost = f"{result.problem.loss.title} {test.cost:.5g}"
        sentences.append(f"Test, on {test.rows:,} rows kept apart: {_score(test, result)}; {cost}.")
    return sentences


def _score(score: Score, result: Result) -> str:
    if score.r2 is not None:
        about_zero = ", about 0 because there is no intercept" if score.is_about_zero else ""
        return f"R² {_share(score.r2)}{about_zero}"
    if score.deviance is not None and score.null_deviance is not None:
        words = f"Deviance {score.deviance:,.6g}, of the mean alone {score.null_deviance:,.6g}"
        if score.explained is not None:
            words += f": {100 * score.explained:.1f} % explained"
        if score.accuracy is not None:
            words += f"; {100 * score.accuracy:.1f} % of the labels are right"
        return words
    if score.log_likelihood is not None:
        count = len(result.problem.names)
        aic = 2 * count - 2 * score.log_likelihood
        return f"Log-likelihood {score.log_likelihood:,.6g}; AIC {aic:,.6g}"
    return "The labels do not differ"


def _share(value: float) -> str:
    """Four decimals, or as many as tell the share from 1.

    >>> _share(0.70641), _share(0.99999271)
    ('0.7064', '0.9999927')
    """
    missing = 1.0 - value
    digits = 4 if not 0 < missing < 1e-3 else min(15, 1 - math.floor(math.log10(missing)))
    return f"{value:.{max(4, digits)}f}"


def cost_sentence(result: Result) -> str:
    """Return what the cost was and is, beside the lowest where that is known."""
    digits = result.decimals
    text = (
        f"Cost ({result.problem.loss.title}): {result.costs[0]:.{digits}f} at epoch 0, "
        f"{result.costs[-1]:.{digits}f} at epoch {result.epochs:,}"
    )
    if result.problem.is_quadratic:
        text += f"; closed form: {result.problem.lowest_cost:.{digits}f}"
    return f"{text}."


def step_sentence(result: Result) -> str:
    """Return who made the steps, and how long they were."""
    plan, problem = result.plan, result.problem
    units = "standardised units" if problem.is_standardized else "the data's units"
    if not problem.model.is_linear and problem.is_standardized:
        units = "units of the start"
    if plan.rate is None:
        return f"Steps: {plan.optimizer.title}, in {units}."
    auto = ""
    if plan.is_auto and plan.optimizer.name != "adam" and plan.stable is not None:
        auto = f" (auto: {AUTO_SHARE:g} of the largest stable rate, 2 / largest eigenvalue)"
    elif plan.is_auto:
        auto = " (auto)"
    schedule = "" if plan.schedule.is_constant else f", going down by {plan.schedule.typed}"
    batches = "" if plan.batch_size is None else f", in batches of {plan.batch_size:,} rows"
    who = "" if plan.optimizer.name == "gd" else f"{plan.optimizer.title}. "
    return f"{who}Learning rate: {plan.rate:.4g}, in {units}{auto}{schedule}{batches}."


def _next_step(result: Result, options: Options) -> str:
    """What to type when the run has not converged: the fewest epochs first."""
    state = result.verdict.convergence
    options = options.but(resume=False)
    if state.converged or not options.can_be_typed:
        return ""
    lines = []
    plan, linear = result.plan, result.problem.model.is_linear
    if plan.optimizer.uses_rate:
        if not options.standardize and linear:
            lines.append(options.but(standardize=True, learning_rate=None, epochs=None).command())
        elif options.learning_rate is not None and state.stability and state.stability < 0.4:
            lines.append(options.but(learning_rate=None, epochs=None).command())
        elif not plan.is_plain or not result.problem.is_quadratic:
            faster = options.but(
                optimizer="lbfgs", learning_rate=None, epochs=None, schedule="constant",
                batch_size=None,
            )  # fmt: skip
            lines.append(faster.command())
    if state.epochs_to_go is not None and result.state.end != "floor":
        total = result.epochs + state.epochs_to_go
        lines.append(options.but(epochs=about(total)).command())
    elif state.stability is not None and state.stability >= 2:
        lines.append(options.but(learning_rate=None).command())
    lines = list(dict.fromkeys(lines))
    if not lines:
        return ""
    head = "To get there, type" + (" one of" if len(lines) > 1 else "")
    return "\n".join([head, *(f"  {line}" for line in lines)])
