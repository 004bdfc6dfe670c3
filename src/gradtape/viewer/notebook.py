"""A run in a notebook cell: what it says, a picture, and the whole page inside, without a server.

The picture and the words are plain HTML, so that they are there in a saved notebook, wherever it is
shown. The page is an `iframe` that carries its document in itself, in a sandbox.
"""

from __future__ import annotations

import base64
import html
import io
import os
from typing import Any

from ..errors import GradtapeError
from ..record.reader import Reader
from ..record.summary import verdict

__all__ = ["as_bundle", "picture"]

MOST_BYTES, STEPS = 300_000, 20
"""How large the data of the page in a cell may be, and of how many steps; see `run.to_html`."""

_FRAME = (
    '<details><summary>The page of this run</summary><iframe sandbox="allow-scripts'
    ' allow-downloads" title="{title}" srcdoc="{page}" style="width:100%;height:860px;border:1px'
    ' solid #8884;border-radius:8px"></iframe></details>'
)


def as_bundle(path: str | os.PathLike[str], told: str) -> dict[str, Any]:
    """The forms in which a notebook shows a run; `told` is its text.

    Parameters
    ----------
    path : path
        The run.
    told : str
        One line about it.

    Returns
    -------
    dict
        `text/plain` and `text/html`.
    """
    from .static import as_page

    parts = [f"<p><b>{html.escape(told)}</b></p>"]
    try:
        reader = Reader(path)
        words = str(verdict(reader))
        reader.close()
        parts.append(f"<pre>{html.escape(words)}</pre>")
    except GradtapeError:
        pass  # a run without a cost has no verdict
    parts += [
        f'<img alt="{kind} of the run" style="max-width:49%" src="data:image/png;base64,{drawn}">'
        for kind in ("fit", "cost")
        if (drawn := picture(path, kind))
    ]
    page = as_page(path, steps=STEPS, most_bytes=MOST_BYTES)
    parts.append(_FRAME.format(title=html.escape(told), page=html.escape(page)))
    return {"text/plain": told, "text/html": "".join(parts)}


def picture(path: str | os.PathLike[str], kind: str) -> str:
    """A figure of a run as PNG in base64; nothing where there is no such figure to draw."""
    try:
        from .figures import draw

        figure = draw(path, kind)
    except (ImportError, GradtapeError):
        return ""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=80)
    return base64.b64encode(file.getvalue()).decode()
