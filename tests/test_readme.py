"""Every Python block of the README runs as it stands, and its shell commands are what it says."""

import re
import subprocess
import sys

import pytest

from tests.readme_blocks import README, Block, blocks, commands

PYTHON = blocks(README, "python")


@pytest.mark.parametrize("block", PYTHON, ids=lambda block: f"line {block.line}")
def test_python_block_runs(block, tmp_path):
    """A reader pastes one block into a fresh interpreter, with warnings shown: none may come."""
    program = tmp_path / "block.py"
    program.write_text(block.text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", program], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, f"README line {block.line}:\n{done.stderr}"
    # What a block prints is written beside it as a comment: `# -> 0.31 0.49`.
    promised = re.findall(r"#\s*->\s*(.*)", block.text)
    assert [line.strip() for line in done.stdout.splitlines()] == [
        line.strip() for line in promised
    ]


def test_there_is_an_example():
    assert PYTHON


def test_the_two_commands():
    """Each is one line that makes its own environment; .ci/run runs them word for word."""
    fit, test = commands()
    for command in (fit, test):
        assert command.startswith("python3 -m venv .venv && .venv/bin/pip install ")
    assert '.venv/bin/gradtape fit examples/data/cars.csv "mpg ~ horsepower"' in fit
    assert test.endswith(".venv/bin/python -m pytest -n 2")


def test_what_the_readme_points_to_exists():
    text = README.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in link]
    assert links
    assert [link for link in links if not (README.parent / link).exists()] == []


def test_blocks_are_found_by_language(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("a\n```python\nx = 1\n```\nb\n```sh\nls\n```\n```\nplain\n```\n")
    assert blocks(page, "python") == [Block("python", "x = 1\n", 3)]
    assert commands(page) == ["ls"]


def test_a_command_of_two_lines_is_refused(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```sh\nls\ncd x\n```\n")
    with pytest.raises(ValueError, match="one pasted line"):
        commands(page)
