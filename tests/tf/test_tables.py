"""Every case of every family gives TensorFlow's value, dtype, gradient or exception class."""

import pytest

import gradtape.tf as tf
from gradtape.errors import GradtapeError
from tests.tf import scheme

ALL = [(family, case) for family in scheme.FAMILIES for case in scheme.cases(family)]
IDS = [f"{family}: {case.key}" for family, case in ALL]
TABLES = {family: scheme.table(family) for family in scheme.FAMILIES}


@pytest.mark.parametrize(("family", "case"), ALL, ids=IDS)
def test_case(family, case):
    theirs = TABLES[family].get(case.key)
    assert theirs is not None, "run tests/tf/make_table.py with a Python that has TensorFlow"
    found = scheme.differs(case, scheme.run(tf, case), theirs)
    if case.ours:
        assert found, "no difference is left: drop `ours`"
    else:
        assert not found


@pytest.mark.parametrize("family", scheme.FAMILIES)
def test_no_answer_is_left_over(family):
    lines = [(case.name, case.key) for case in scheme.cases(family)]
    assert len(lines) == len(set(lines))
    assert TABLES[family].keys() == {key for _, key in lines}


def test_a_tolerance_has_its_reason():
    assert [case.key for _, case in ALL if (case.tolerance != 1.0) != bool(case.because)] == []


@pytest.mark.parametrize("family", scheme.FAMILIES)
def test_mistakes_are_told_in_three_parts(family):
    bad = []
    for case in scheme.cases(family):
        if "error" not in TABLES[family].get(case.key, {}):
            continue
        known = scheme.environment(tf)
        try:
            for name, source in case.values.items():
                known[name] = scheme.evaluate(source, known)
            scheme.evaluate(case.source, known)
        except GradtapeError as error:
            if "\n" not in str(error):
                bad.append(f"{case.key}: {error}")
        except (AttributeError, IndexError, TypeError, NotImplementedError, UnicodeError):
            pass  # Python's own: no such attribute, operator or argument, or which byte it is
        except ValueError as error:
            assert "read-only" in str(error), error  # NumPy's own
    assert bad == []


@pytest.mark.skipif(not scheme.has_tensorflow(), reason="TensorFlow is not installed here")
@pytest.mark.parametrize("family", scheme.FAMILIES)
def test_live(family):
    real = pytest.importorskip("tensorflow")
    for case in scheme.cases(family):
        assert not scheme.differs(case, scheme.run(real, case), TABLES[family][case.key])
