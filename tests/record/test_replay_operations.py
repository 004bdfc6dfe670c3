"""Every operation of the table is replayed from its graph in a file: the same bits as recorded.

The calls are those of the op_case lines in tests/ops, so that each card comes with the operands and
parameters on which it is tested.
"""

import json

import numpy as np
import pytest

from gradtape.core.registry import CARDS
from gradtape.core.tensor import Tensor
from gradtape.core.tree import flatten
from gradtape.record.graphs import graph_of, inputs_of
from gradtape.record.replay import Replay
from tests.op_lines import lines, modules
from tests.record.making import KeepingTape

pytestmark = pytest.mark.slow

DERIVED = {name for name, c in CARDS.items() if c.kind in ("elementwise", "linear", "primitive")}


def calls(line):
    case = line.case
    for dtype in (np.float64, *([np.complex128] if case.complex else [])):
        for label, operands, kwargs in case.examples(dtype):
            yield f"{line} {label}", case, operands, kwargs


def replayed(label, case, operands, kwargs, batch=True):
    """Replay one call from its graph; the names of the operations in it."""
    args, sources = list(operands), []
    with KeepingTape() as tape, np.errstate(all="ignore"):
        for i in case._wrt(operands):
            args[i] = tape.watch(np.array(args[i]))
            sources.append(args[i])
        start = [np.array(s.value) for s in sources]  # before the call writes into them
        out = case.function(*args, **kwargs)
    outs = [o for o in flatten(out)[0] if isinstance(o, Tensor)]
    for o in outs:
        o.read()
    outs = [o for o in outs if o.key in tape._recorder.tracked]
    if not outs:
        return set()
    names = [str(i) for i in range(len(sources))]
    graph = graph_of(tape._recorder, outs, sources, names)
    replay = Replay(json.loads(json.dumps(graph, allow_nan=False)))
    values = {f"value/{n}": v for n, v in zip(names, start, strict=True)}
    inputs = inputs_of(tape._recorder, graph)
    found = replay.run({**inputs, **values}, replay.targets)
    for o, i in zip(outs, replay.targets, strict=True):
        np.testing.assert_array_equal(found[i], o.value, err_msg=label)
        assert list(np.shape(o.value)) == replay.nodes[i]["shape"], label
        assert str(np.asarray(o.value).dtype) == replay.nodes[i]["dtype"], label
    if batch and any(v.size for v in start):
        twice = {tag: np.stack([v, v]) for tag, v in values.items()}
        found = replay.batched(inputs, twice, replay.targets)
        for o, i in zip(outs, replay.targets, strict=True):
            np.testing.assert_allclose(
                found[i], np.stack([o.value, o.value]), rtol=1e-9, atol=1e-12, err_msg=label
            )
    return {n["op"] for n in graph["nodes"] if n["kind"] == "op"}


MET: set[str] = set()


@pytest.mark.parametrize("module", modules())
def test_every_call_of_the_cases_is_replayed(module):
    for line in lines():
        if line.module == module:
            for call in calls(line):
                MET.update(replayed(*call))


def test_every_operation_was_met():
    """Each card, once the tests above have run in this process."""
    for line in lines():
        if not line.cards & DERIVED <= MET:
            for call in calls(line):
                MET.update(replayed(*call))
    assert sorted(DERIVED - MET) == []
