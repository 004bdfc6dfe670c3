"""Stages of a first call: each is published when it has ended, in the thread that it ran in."""

import threading

import numpy as np
import pytest

import gradtape as gt
from gradtape import events

pytest.importorskip("llvmlite")

MINE = threading.get_ident


def stages(call):
    """(name, start, end, thread) of each stage that `call` publishes, as they end."""
    seen = []

    def listen(name, data):
        if name == "stage":
            seen.append((data["run"], data["start"], data["end"], MINE()))

    stop = events.subscribe(listen)
    try:
        call()
    finally:
        stop()
    return seen


def loss(x):
    return np.sum(np.tanh(x) * np.exp(-x * x))


def test_a_first_call_is_said_stage_by_stage():
    f = gt.function(gt.value_and_grad(loss))
    seen = stages(lambda: f(np.ones(301)))
    mine = [name for name, _, _, thread in seen if thread == MINE()]
    order = ["trace", "passes", "plan loops", "vectors, modules", "compile", "link", "write text"]
    assert [name for name in dict.fromkeys(mine) if name in order] == order
    everywhere = {name for name, *_ in seen}
    assert everywhere >= {"text of kernels", "LLVM: parse", "LLVM: passes", "LLVM: code"}
    assert all(start <= end for _, start, end, _ in seen)
    by_name = {name: (start, end) for name, start, end, thread in seen if thread == MINE()}
    assert by_name["write text"][0] <= by_name["compile"][0]
    assert by_name["compile"][1] <= by_name["write text"][1]
    assert stages(lambda: f(np.ones(301))) == []  # a later call has none


def test_a_program_from_the_disk_is_read_and_not_made(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADTAPE_CACHE", str(tmp_path))

    def first():
        gt.function(loss, cache=True)(np.ones(302))

    assert "write to disk" in {name for name, *_ in stages(first)}
    again = {name for name, *_ in stages(first)}
    assert {"fingerprint", "read from disk", "link"} <= again
    assert not again & {"trace", "plan loops", "compile", "write to disk"}


def test_a_stage_that_fails_is_published_and_its_error_raised():
    @events.stage("broken")
    def broken(x):
        raise KeyError(x)

    def call():
        with pytest.raises(KeyError, match="why"):
            broken("why")

    assert [name for name, *_ in stages(call)] == ["broken"]
    assert broken.__name__ == "broken"
