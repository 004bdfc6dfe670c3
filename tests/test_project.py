"""What the project says of itself: requirements, extras, the README, the architecture."""

import re
import tomllib
from pathlib import Path

from tests.readme_blocks import README, blocks

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]


def names(requirements):
    return {re.match(r"[\w-]+", text)[0] for text in requirements}


def test_what_it_needs():
    assert PYPROJECT["build-system"]["build-backend"] == "hatchling.build"
    assert PROJECT["requires-python"] == ">=3.11"
    assert PROJECT["license"] == "Apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert names(PROJECT["dependencies"]) == {"numpy", "scipy", "llvmlite"}
    assert "numpy>=2.0" in PROJECT["dependencies"]
    (llvmlite,) = [text for text in PROJECT["dependencies"] if text.startswith("llvmlite")]
    assert "platform_system != 'Emscripten'" in llvmlite


def test_extras():
    extras = PROJECT["optional-dependencies"]
    assert {"fit", "test", "bench", "all"} <= set(extras)
    assert {"pandas", "formulaic", "matplotlib", "tqdm"} <= names(extras["fit"])
    assert {"pytest", "pytest-xdist", "hypothesis", "ruff", "mypy"} <= names(extras["test"])
    (everything,) = extras["all"]
    asked = set(re.search(r"\[(.*)\]", everything)[1].split(","))
    assert asked == set(extras) - {"all"}


def test_types_are_checked_strictly_and_shipped():
    assert PYPROJECT["tool"]["mypy"]["strict"] is True
    assert (ROOT / "src" / "gradtape" / "py.typed").exists()


def test_the_readme_says_what_it_is_in_three_sentences_and_shows_it_in_ten_lines():
    text = README.read_text(encoding="utf-8")
    opening = re.search(r"^# gradtape\n\n(.*?)\n\n", text, re.DOTALL)[1]
    assert len(re.findall(r"\.(?=\s|$)", opening)) == 3
    first = blocks(README, "python")[0].text
    assert len([line for line in first.splitlines() if line.strip()]) == 10
    assert re.search(r"!\[.+\]\(docs/pictures/fit\.png\)", text)
    assert "examples/readme_picture.py" in text


def test_the_page_on_the_architecture_names_every_room():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    source = ROOT / "src" / "gradtape"
    rooms = [f"{path.name}/" for path in source.iterdir() if (path / "__init__.py").exists()]
    rooms += [path.name for path in source.glob("*.py") if not path.name.startswith("__")]
    assert [room for room in sorted(rooms) if f"`{room}`" not in page] == []


def test_what_the_readme_command_writes_is_ignored_by_git():
    """`.ci/run` ends with a look for files that git does not ignore."""
    from gradtape.fit.run import FILES

    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    assert [name for name in FILES if f"/{name}" not in ignored] == []


def test_the_changelog_has_what_is_not_released_yet():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## Unreleased", text, re.MULTILINE)
