"""One browser for all tests of the page, and runs for it to show."""

from pathlib import Path

import pytest

from tests.viewer.browser.chromium import Browser, Viewer, find, install
from tests.viewer.browser.runs import crashes, train


@pytest.fixture(scope="session")
def driver(tmp_path_factory) -> Path:
    find()
    return install(tmp_path_factory.mktemp("driver"))


@pytest.fixture(scope="session")
def browser(driver):
    made = Browser(driver, find())
    yield made
    made.quit()


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    """Two runs of the same line: one that converges, one whose rate is too high; one of logs."""
    root = tmp_path_factory.mktemp("runs")
    crashes(root / "logs")
    train(root / "cars", steps=70, rate=1e-3)
    train(root / "cars-fast", steps=110, rate=0.1, loses=True)
    return root


@pytest.fixture(scope="session")
def viewer(folder):
    served = Viewer(folder)
    yield served
    served.quit()
