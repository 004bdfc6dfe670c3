"""What a diagnosis says: one `Finding` for each thing that is wrong with a run, and their list."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..core.positions import label
from ..errors import three_part

__all__ = ["Diagnosis", "Finding"]

_WIDTH = 96


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a run.

    Attributes
    ----------
    kind : str
        "learning rate too high", "learning rate too low", "dead units", "saturated units",
        "vanishing gradient", "exploding gradient", "value left the tape", "never watched", "not
        finite", "unscaled inputs", "labels unrelated", "output ignored", "broadcast", "update
        uphill", "no gradient", "never updated", "incomplete", or "stopped by an exception".
    fact, cause, remedy : str
        What is seen, with its numbers; why; and what to write instead.
    file : str
    line : int or None
        The line of the user's that it is about.
    text : str
        That line.
    step : int or None
        Where it shows first.
    evidence : dict
        The numbers behind it.
    """

    kind: str
    fact: str
    cause: str
    remedy: str
    file: str = ""
    line: int | None = None
    text: str = ""
    step: int | None = None
    evidence: dict[str, Any] = field(default_factory=dict)

    @property
    def where(self) -> str:
        """File and line, as `train.py:12`."""
        if not self.file or self.line is None:
            return ""
        return f"{label(self.file)}:{self.line}"

    def __str__(self) -> str:
        return three_part(self.fact, self.cause, self.remedy)


class Diagnosis(Sequence[Finding]):
    """The findings of one run, the gravest first; empty where nothing is wrong.

    Prints as text, and shows as HTML in a notebook. `checked` says what was looked for, `unseen`
    what could not be looked at.
    """

    def __init__(
        self, findings: Sequence[Finding], checked: Sequence[str] = (), unseen: str = ""
    ) -> None:
        self._findings = tuple(findings)
        self.checked, self.unseen = tuple(checked), unseen

    def __len__(self) -> int:
        return len(self._findings)

    def __getitem__(self, index: Any) -> Any:
        return self._findings[index]

    def __iter__(self) -> Iterator[Finding]:
        return iter(self._findings)

    @property
    def kinds(self) -> list[str]:
        """The kinds of the findings, in their order."""
        return [finding.kind for finding in self]

    def __str__(self) -> str:
        if not self:
            return (
                "Nothing is wrong as far as can be seen: none of the"
                f" {len(self.checked)} things in `checked` was found. {self.unseen}"
            ).rstrip()
        parts = []
        for number, finding in enumerate(self, 1):
            at = f" ({finding.where})" if finding.where else ""
            parts.append(f"{number}. {finding.kind.capitalize()}{at}")
            if finding.text:
                parts.append(f"   > {finding.text}")
            parts.append(
                textwrap.fill(
                    f"{finding.fact} {finding.cause}", _WIDTH, initial_indent="   ",
                    subsequent_indent="   ", break_long_words=False, break_on_hyphens=False,
                )
            )  # fmt: skip
            parts.append(f"   Remedy: {finding.remedy}")  # in one line, to be pasted
        if self.unseen:
            parts.append(self.unseen)
        return "\n".join(parts)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        if not self:
            return f"<p>{html.escape(str(self))}</p>"
        items = []
        for finding in self:
            code = f"<br><code>{html.escape(finding.text)}</code>" if finding.text else ""
            items.append(
                f"<li><b>{html.escape(finding.kind.capitalize())}</b> {html.escape(finding.where)}"
                f"{code}<br>{html.escape(finding.fact)} {html.escape(finding.cause)}<br>"
                f"<b>Remedy:</b> {html.escape(finding.remedy)}</li>"
            )
        unseen = f"<p>{html.escape(self.unseen)}</p>" if self.unseen else ""
        return f"<ol>{''.join(items)}</ol>{unseen}"
