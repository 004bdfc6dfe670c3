"""Every Python block of the README runs as it stands, and its shell commands are what it says."""

import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

from tests.readme_blocks import README, Block, blocks, commands, output_of

PYTHON = blocks(README, "python")


@pytest.mark.parametrize("block", PYTHON, ids=lambda block: f"line {block.line}")
def test_python_block_runs(block, tmp_path):
    """A reader pastes one block into a fresh interpreter, with warnings shown: none may come."""
    program = tmp_path / "example.py"
    program.write_text(block.text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", program], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, f"README line {block.line}:\n{done.stderr}"
    printed = [line.rstrip() for line in done.stdout.splitlines()]
    assert printed == [line.rstrip() for line in output_of(README, block)]


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


def test_what_a_block_prints(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "```python\nf()  # -> 1\nf()  # -> 2 3\n```\n```python\ng()\n```\nprints\n"
        "```text\na\nb\n```\n```python\nh()\n```\n"
    )
    first, second, third = blocks(page, "python")
    assert output_of(page, first) == ["1", "2 3"]
    assert output_of(page, second) == ["a", "b"]
    assert output_of(page, third) == []


def test_a_command_of_two_lines_is_refused(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```sh\nls\ncd x\n```\n")
    with pytest.raises(ValueError, match="one pasted line"):
        commands(page)


def test_the_page_on_adding_an_operation_works(tmp_path):
    """CONTRIBUTING's card and test line, pasted together, pass; with a wrong body they do not."""
    card, line = (block.text for block in blocks(README.parent / "CONTRIBUTING.md", "python"))
    frame = (
        "from typing import Any\nimport numpy as np\nfrom gradtape.core.cards import composite\n"
        "from gradtape.testing import op_case\n{card}\nCASES = [\n{line}]\n"
        "for case in CASES:\n    case.check()\n"
    )
    right = frame.format(card=card, line=line)
    wrong = right.replace("y * x + coefficient", "y * gt.value(x) + coefficient")
    wrong = "import gradtape as gt\n" + wrong
    assert "gt.value" in wrong
    for program, code in ((right, 0), (wrong, 1)):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True
        )
        assert done.returncode == code, done.stderr
    assert re.search(r"vjp of operand 1 is .*, central differences give", done.stderr)


@pytest.mark.slow
def test_the_page_on_adding_an_operation_is_followed_to_its_end(tmp_path):
    """In a copy: the card into the file that it names, the line into its list, every command."""
    if not hasattr(np, "matvec"):
        pytest.skip("docs/ops.md lists the functions of NumPy 2.2 and later")
    page = README.parent / "CONTRIBUTING.md"
    copy = tmp_path / "gradtape"
    shutil.copytree(README.parent, copy, ignore=shutil.ignore_patterns(".*", "__pycache__"))
    text = page.read_text(encoding="utf-8")
    card, line = (block.text for block in blocks(page, "python"))
    where = r"into `(ops/\w+\.py)`, and its test line .*`(tests/ops/\w+\.py)`"
    family, lines = re.search(where, text).groups()
    with (copy / "src" / "gradtape" / family).open("a", encoding="utf-8") as file:
        file.write("\n\n" + card)
    tests = copy / lines
    before, start, after = tests.read_text(encoding="utf-8").partition("CASES = [\n")
    tests.write_text(before + start + line + after, encoding="utf-8")
    (steps,) = (b.text for b in blocks(page, "sh") if "make_ops_page" in b.text)
    assert len(steps.splitlines()) == 3
    for command in steps.replace(".venv/bin/python", sys.executable).splitlines():
        done = subprocess.run(
            command, shell=True, cwd=copy, capture_output=True, text=True,
            env={**os.environ, "PYTHONPATH": str(copy / "src")},
        )  # fmt: skip
        assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
    assert "polyval" in (copy / "docs" / "ops.md").read_text(encoding="utf-8")
