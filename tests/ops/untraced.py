"""Operations that a compiled function cannot hold, and why."""

import re

SHAPE = "while tracing, the shape of the result is not known"
CHOICE = "while tracing, the numbers are not known by which it chooses what to compute"
CHECKED = "NumPy checks the call on an array, and while tracing there is none"
MEMORY = "while tracing, the order of the elements in memory is not known"


def untraced(cases, reason, *patterns):
    """Skip the slot `traced` of the cases that the patterns name; each must name one."""
    for pattern in patterns:
        found = [c for c in cases if re.fullmatch(pattern, str(c))]
        assert found, f"no case is named {pattern}"
        for case in found:
            case.skip["traced"] = reason
