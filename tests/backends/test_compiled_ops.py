"""Every op_case also runs compiled: the call and its backward sweep, against eager mode.

As first calls run it, and as it stays. A sample of the lines in the fast suite, all of them in the
slow job.
"""

import pytest

pytest.importorskip("llvmlite")
from gradtape.testing import traced
from tests import op_lines
from tests.backends.haste import in_both_ways

pytestmark = pytest.mark.slow  # as a file

LINES = op_lines.lines()
SAMPLE = LINES[::16]


@pytest.fixture(autouse=True)
def _compiled(monkeypatch):
    monkeypatch.setattr(traced, "COMPILERS", [in_both_ways])


@pytest.mark.parametrize("line", SAMPLE, ids=str)
def test_a_sample_of_the_op_cases_runs_compiled(line):
    line.case.check()


@pytest.mark.exhaustive
@pytest.mark.parametrize("line", LINES, ids=str)
def test_every_op_case_runs_compiled(line):
    line.case.check()
