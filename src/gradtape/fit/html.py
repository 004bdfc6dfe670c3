"""A result as HTML for a notebook: the table, what is said of it, and the pictures."""

from __future__ import annotations

import base64
from html import escape

from .options import Options
from .pictures import pictures
from .report import (
    cells,
    cost_sentence,
    data_lines,
    equation,
    score_sentences,
    step_sentence,
    sure_sentence,
)
from .result import Result

__all__ = ["as_html"]

STYLE = """\
<style>
.gradtape-fit {max-width: 60em; font-size: 0.95em; line-height: 1.45}
.gradtape-fit table {border-collapse: collapse; margin: 0.6em 0}
.gradtape-fit th, .gradtape-fit td {padding: 0.15em 0.8em; text-align: right !important}
.gradtape-fit th {border-bottom: 1px solid currentColor; font-weight: 600}
.gradtape-fit th:nth-child(-n+2), .gradtape-fit td:nth-child(-n+2) {text-align: left !important}
.gradtape-fit td {font-family: monospace}
.gradtape-fit .equation {font-family: monospace; margin: 0.5em 0}
.gradtape-fit .yes {color: #2e7d4f; font-weight: 600}
.gradtape-fit .no {color: #c0392b; font-weight: 600}
.gradtape-fit dt {font-weight: 600; float: left; width: 8.5em; clear: left}
.gradtape-fit dd {margin: 0 0 0.2em 8.8em}
.gradtape-fit img {max-width: 100%; background: white}
</style>"""


def as_html(result: Result, options: Options) -> str:
    """Return the result as one element of HTML with its pictures in it."""
    table = cells(result)
    heads = "".join(f"<th>{escape(head)}</th>" for head in table.heads)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows
    )
    verdict = result.verdict
    state = verdict.convergence
    facts = [
        ("Fast phase", verdict.fast_phase),
        ("Printed cost", verdict.standstill),
        ("Lowest cost", verdict.lowest),
        ("Converged", state),
    ]
    sentences = [
        sure_sentence(result),
        *score_sentences(result),
        cost_sentence(result),
        step_sentence(result),
    ]
    shown = " ".join(equation(result).split())
    mark = "yes" if state.converged else "no"
    made = pictures(result)
    return "".join(
        [
            STYLE,
            '<div class="gradtape-fit">',
            "".join(f"<div>{escape(line)}</div>"
                    for line in data_lines(result.problem.design, options).splitlines()),
            f'<div class="equation">{escape(shown)}</div>' if shown else "",
            f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>",
            "".join(f"<div>{escape(sentence)}</div>" for sentence in sentences),
            f'<p>After {result.epochs:,} epochs: <span class="{mark}">'
            f"{'converged' if state.converged else 'not converged'}</span></p>",
            "<dl>",
            "".join(f"<dt>{name}</dt><dd>{escape(str(fact))}</dd>" for name, fact in facts),
            "</dl>",
            "".join(_image(name, content) for name, content in made.items()),
            "</div>",
        ]
    )  # fmt: skip


def _image(name: str, content: bytes) -> str:
    data = base64.b64encode(content).decode()
    return f'<img alt="{escape(name)}" src="data:image/png;base64,{data}">'
