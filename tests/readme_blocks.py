"""The fenced code blocks of a Markdown page, in order.

Used by tests/test_readme.py (Python blocks) and by .ci/run (shell commands), so that what is
checked is what the page says. Standard library only: .ci/run calls it before anything is
installed.
"""

import re
from pathlib import Path
from typing import NamedTuple

README = Path(__file__).resolve().parent.parent / "README.md"

_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """One fenced block: its language, its text, and the line its text starts on."""

    language: str
    text: str
    line: int


def blocks(page: Path, language: str) -> list[Block]:
    """Return the page's fenced blocks of one language."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(found[1], found[2], text.count("\n", 0, found.start(2)) + 1)
        for found in _FENCE.finditer(text)
        if found[1] == language
    ]


def output_of(page: Path, block: Block) -> list[str]:
    """Return what the page says a block prints, line by line.

    That is the `text` block between it and the next Python block, or else the comments
    `# -> ...` beside its own lines.
    """
    later = [other.line for other in blocks(page, "python") if other.line > block.line]
    for text in blocks(page, "text"):
        if block.line < text.line < min(later, default=text.line + 1):
            return text.text.splitlines()
    return re.findall(r"#\s*->\s*(.*)", block.text)


def commands(page: Path = README) -> list[str]:
    """Return the README's shell commands: the `sh` blocks, each one pasted line."""
    lines = [block.text.strip() for block in blocks(page, "sh")]
    for line in lines:
        if "\n" in line:
            raise ValueError(f"{page.name}: a command must be one pasted line, not:\n{line}")
    return lines
