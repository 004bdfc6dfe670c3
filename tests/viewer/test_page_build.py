"""The built page in the package: small, of its sources, and asking nobody but its server."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WEB = ROOT / "web"
PAGE = ROOT / "src" / "gradtape" / "viewer" / "page"
FILES = ("app.js", "app.css", "index.html")
LIMIT = 200_000

# Names of XML, which nobody is asked for, and an address in a message of Preact's.
NAMES = ("http://www.w3.org/",)


def test_the_page_is_there_and_its_script_is_small():
    assert all((PAGE / name).stat().st_size for name in FILES)
    assert (PAGE / "app.js").stat().st_size <= LIMIT


def test_the_page_names_no_address_of_another_host():
    for name in FILES:
        text = (PAGE / name).read_text(encoding="utf-8")
        found = set(re.findall(r"(?:https?|wss?):\\?/\\?/[^\s\"'`)<>]+", text))
        assert {address for address in found if not address.startswith(NAMES)} == set(), name


def test_the_page_has_no_script_or_style_in_its_html():
    text = (PAGE / "index.html").read_text(encoding="utf-8")
    assert re.findall(r"<script[^>]*>", text) == ['<script src="/app.js" defer>']
    assert "<style" not in text and " style=" not in text
    assert not re.search(r"\son\w+=", text)


def test_the_sources_write_no_html_and_evaluate_no_text():
    """What a run holds may come from anybody: it is shown as text."""
    forbidden = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function"
    )
    for path in (WEB / "src").rglob("*.ts*"):
        assert not forbidden.search(path.read_text(encoding="utf-8")), path.name


def test_versions_are_exact_and_the_lockfile_has_checksums_and_no_addresses():
    package = json.loads((WEB / "package.json").read_text(encoding="utf-8"))
    for version in (package["dependencies"] | package["devDependencies"]).values():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    for folder in (WEB, ROOT / "tests" / "viewer" / "browser"):
        lock = (folder / "package-lock.json").read_text(encoding="utf-8")
        assert '"resolved"' not in lock
        packages = json.loads(lock)["packages"]
        assert all("integrity" in entry for name, entry in packages.items() if name)


def is_unreachable(said):
    """Whether `npm ci` failed for want of a registry; another failure is the lockfile's."""
    words = "ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ENOTCACHED"
    return re.search(rf"npm (?:ERR!|error) code (?:{words})", said) is not None


def test_only_a_registry_that_is_not_there_excuses_from_the_build():
    assert is_unreachable("npm error code EAI_AGAIN\nnpm error syscall getaddrinfo")
    assert not is_unreachable("npm error code EUSAGE\nnpm error package.json and lock out of sync")
    assert not is_unreachable("npm error code EINTEGRITY")


@pytest.mark.slow
def test_the_sources_build_to_the_committed_page(tmp_path):
    for program in ("node", "npm"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")
    engines = json.loads((WEB / "package.json").read_text(encoding="utf-8"))["engines"]
    needed = [int(part) for part in re.findall(r"\d+", engines["node"])]
    version = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout
    if [int(part) for part in re.findall(r"\d+", version)] < needed:
        pytest.skip(f"node {version.strip()} is too old: the build needs {engines['node']}")
    web = tmp_path / "web"
    shutil.copytree(WEB, web, ignore=shutil.ignore_patterns("node_modules"))
    install = subprocess.run(
        ["npm", "ci", "--prefer-offline", "--no-progress"], cwd=web, capture_output=True, text=True
    )
    if is_unreachable(install.stderr):
        pytest.skip(f"no registry: {' '.join(install.stderr.split()[-20:])}")
    assert install.returncode == 0, install.stderr
    for command in (["npm", "run", "check"], ["npm", "test"], ["npm", "run", "build"]):
        done = subprocess.run(command, cwd=web, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    built = tmp_path / "src" / "gradtape" / "viewer" / "page"
    for name in FILES:
        assert (built / name).read_bytes() == (PAGE / name).read_bytes(), name
