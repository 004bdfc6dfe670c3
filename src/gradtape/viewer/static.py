"""One HTML file with the page and a run in it: to be sent to a colleague, or shown in a notebook.

The file holds the answers that the page would have asked the server for, by their addresses:
all series (of very long runs the points that a screen shows), and for steps evenly chosen, and for
those at which something happened, the fit, the values of nodes and the arrays. It asks nothing of
any network, and its policy lets nothing run but the page's own script.
"""

from __future__ import annotations

import base64
import hashlib
import html
import os
import re
import warnings
from importlib.resources import files
from pathlib import Path
from typing import Any

from ..core.positions import user_level
from ..errors import RecordWarning, RunError, three_part
from ..record.doors import path_of, whole_of
from ..record.reader import Reader
from .answers import Answers
from .encoding import as_json
from .excerpt import excerpt
from .library import Library
from .shelf import Shelf, run_id

__all__ = ["as_page", "to_html"]

STEPS, MOST_BYTES = 60, 6 << 20
"""Steps of which fits and arrays are kept, and bytes of all data."""

POLICY = (
    "default-src 'none'; script-src 'sha256-{script}'; style-src 'sha256-{style}'; "
    "img-src data: blob:; base-uri 'none'; form-action 'none'"
)
FORM = """\
<!doctype html>
<html lang="en" class="gt-page">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
<div id="gradtape"><noscript>This page draws a recorded run with JavaScript, which is switched \
off here.</noscript></div>
<script type="application/json" id="run-data">{data}</script>
<script>{script}</script>
</body>
</html>
"""


def to_html(
    run: str | os.PathLike[str],
    file: str | os.PathLike[str],
    *,
    steps: int = STEPS,
    most_bytes: int = MOST_BYTES,
) -> Path:
    """Write a run into one HTML file that needs nothing else, and return its path.

    Parameters
    ----------
    run : path
        The folder of a recorded run.
    file : path
        What is written; it is replaced if it is there.
    steps : int
        Of how many steps, evenly chosen, fits, values of nodes and arrays are kept beside those at
        which something happened.
    most_bytes : int
        How large the data may become, compressed. What does not fit is thinned or left out, arrays
        first; the page and a RecordWarning say what.

    Raises
    ------
    RunError
        If there is no such run, or the file cannot be written.
    TypeError, ValueError
        If an argument is not one of these.
    """
    path, steps = path_of("to_html", file), whole_of("to_html", "steps", steps, 1)
    page, left_out = _made(run, steps, most_bytes)
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise RunError(
            three_part(
                f"to_html: {path} cannot be written: {error.strerror or error}.",
                f"The page has {len(page)} characters, and becomes one file.",
                'Name a file in a folder that is there: run.to_html("run.html").',
            )
        ) from error
    if left_out:
        warnings.warn(
            three_part(
                f"to_html: {path} does not hold all of the run: {'; '.join(left_out)}.",
                f"Its data may have {most_bytes:,} bytes.",
                f"The page says so too; `gradtape view {run}` shows everything.",
            ),
            RecordWarning,
            stacklevel=user_level(),
        )
    return path


def as_page(
    run: str | os.PathLike[str], *, steps: int = STEPS, most_bytes: int = MOST_BYTES
) -> str:
    """Return the text of the file that `to_html` writes."""
    return _made(run, steps, most_bytes)[0]


def _made(run: str | os.PathLike[str], steps: int, most_bytes: int) -> tuple[str, list[str]]:
    """The text of the file, and what of the run is not in it."""
    shelf = Shelf(run)
    id = run_id(run)
    answers = Answers(Library(shelf))
    found = shelf.find(id)
    reader = Reader(run) if found is None else answers.library.reader(found)
    try:
        kept, left_out = excerpt(answers, reader, id, steps, most_bytes)
        title = f"{reader.meta().get('name') or Path(run).name} - gradtape"
    finally:
        reader.close()
    data = {"run": id, "answers": kept}
    return _page(data, title, _asset("app.js"), _asset("app.css")), left_out


def _asset(name: str) -> str:
    return (files("gradtape.viewer") / "page" / name).read_text(encoding="utf-8")


def _page(data: Any, title: str, script: str, style: str) -> str:
    """Put the parts together so that what a run holds cannot end the part that it stands in."""
    # The built page has no such words: the bundler writes them otherwise.
    assert not re.search(r"</script|<!--|</style", script + style, re.IGNORECASE)
    shown = as_json(data).decode("ascii")
    for letter in "<>&":
        shown = shown.replace(letter, f"\\u{ord(letter):04x}")
    policy = POLICY.format(script=_digest(script), style=_digest(style))
    return FORM.format(
        policy=html.escape(policy), title=html.escape(title), style=style, data=shown, script=script
    )


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
