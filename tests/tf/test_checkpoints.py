"""Checkpoints as files: whole after a kill at any moment, and harmless whatever is in them."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import safetensors.numpy

import gradtape.tf as tf
from gradtape.errors import GradtapeError
from gradtape.tf.base import storage

LOOP = """
import sys
import numpy as np
import gradtape.tf as tf
v = tf.Variable(np.zeros(50_000))
c = tf.train.Checkpoint(v=v)
m = tf.train.CheckpointManager(c, sys.argv[1], 2)
for i in range(1, 100_000):
    v.assign(np.full(50_000, float(i)))
    m.save()
    print(i, flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("after", [1, 3, 8, 20])
def test_a_kill_leaves_a_whole_checkpoint(tmp_path, after):
    """Killed somewhere after the n-th save: the newest checkpoint is whole, and n or newer."""
    process = subprocess.Popen(
        [sys.executable, "-c", LOOP, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    for _ in range(after):
        process.stdout.readline()
    process.kill()
    said = [after, *map(int, process.stdout.read().split("\n")[:-1])]
    process.wait()
    process.stdout.close()
    v = tf.Variable(np.zeros(50_000))
    path = tf.train.latest_checkpoint(tmp_path)
    tf.train.Checkpoint(v=v).restore(path).assert_consumed()
    assert len(set(v.numpy())) == 1 and v.numpy()[0] >= said[-1]


@pytest.mark.parametrize("moment", ["write", "fsync", "replace"])
@pytest.mark.parametrize("which", [0, 1])  # the values, then the state file
def test_a_failure_while_writing_leaves_the_previous_one(tmp_path, monkeypatch, moment, which):
    v = tf.Variable([1.0, 2.0])
    c = tf.train.Checkpoint(v=v)
    c.save(tmp_path / "ck")
    v.assign([3.0, 4.0])
    calls = iter(range(100))
    target = storage.os if moment != "write" else storage
    name = moment if moment != "write" else "open"
    real = getattr(os, moment) if moment != "write" else open

    def failing(first, *rest, **options):
        if moment == "fsync" or ".part" in str(first):
            per_file = 2 if moment == "fsync" else 1  # the file, and its folder
            if next(calls) == which * per_file:
                raise OSError(28, "No space left on device")
        return real(first, *rest, **options)

    monkeypatch.setattr(target, name, failing, raising=False)
    with pytest.raises(OSError, match="No space"):
        c.save(tmp_path / "ck")
    monkeypatch.undo()
    assert [n for n in os.listdir(tmp_path) if n.endswith(".part")] == []
    w = tf.Variable([0.0, 0.0])
    tf.train.Checkpoint(v=w).restore(tf.train.latest_checkpoint(tmp_path)).assert_consumed()
    assert w.numpy().tolist() == [1.0, 2.0]


def test_an_old_one_goes_only_after_the_note_of_the_new(tmp_path, monkeypatch):
    c = tf.train.Checkpoint(v=tf.Variable(1.0))
    m = tf.train.CheckpointManager(c, tmp_path, 1)
    m.save()

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "remove", killed)
    with pytest.raises(KeyboardInterrupt):
        m.save()
    assert tf.train.latest_checkpoint(tmp_path).endswith("ckpt-2")


def stored(tmp_path, graph, values=None):
    path = tmp_path / "bad"
    values = {"v": np.ones(2, np.float32)} if values is None else values
    safetensors.numpy.save_file(values, f"{path}.safetensors", {"gradtape.objects": graph})
    return str(path)


GOOD = {"nodes": [[{"v": 1}, None], [{}, "v"]], "complex": {}}


@pytest.mark.parametrize(
    "graph",
    [
        "null",
        "{",
        "[]",
        "{}",
        json.dumps({**GOOD, "nodes": []}),
        json.dumps({**GOOD, "nodes": [[{"v": 7}, None]]}),
        json.dumps({**GOOD, "nodes": [[{"v": -1}, None]]}),
        json.dumps({**GOOD, "nodes": [[{"v": 1}, None], [{}, "w"]]}),
        json.dumps({**GOOD, "nodes": "os.system"}),
        json.dumps({**GOOD, "complex": {"v": "object"}}),
        json.dumps({**GOOD, "complex": {"z": "complex64"}}),
        "[" * 100_000,
    ],
)
def test_a_hostile_graph_is_data_loss(tmp_path, graph):
    v = tf.Variable([5.0, 6.0])
    with pytest.raises(tf.errors.DataLossError, match="no checkpoint that gradtape wrote"):
        tf.train.Checkpoint(v=v).restore(stored(tmp_path, graph))
    assert v.numpy().tolist() == [5.0, 6.0]


def test_a_graph_in_a_circle_ends(tmp_path):
    c = tf.train.Checkpoint(v=tf.Variable([0.0, 0.0]))
    c.c = c
    graph = {**GOOD, "nodes": [[{"c": 0, "v": 1}, None], [{"v": 0}, "v"]]}
    c.restore(stored(tmp_path, json.dumps(graph)))
    assert c.v.numpy().tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 100, b"\xff" * 8 + b"{}", b"cos\nsystem\n(S'touch x'\ntR.", b"PK\x03\x04"],
)
def test_a_file_that_is_none_is_data_loss(tmp_path, content):
    (tmp_path / "bad.safetensors").write_bytes(content)
    with pytest.raises(tf.errors.DataLossError, match="is damaged"):
        tf.train.Checkpoint(v=tf.Variable(1.0)).restore(str(tmp_path / "bad"))
    assert os.listdir(tmp_path) == ["bad.safetensors"]


@pytest.mark.parametrize("cut", [1, 50, 300])
def test_a_file_cut_short_is_data_loss(tmp_path, cut):
    path = tf.train.Checkpoint(v=tf.Variable(np.ones(100))).write(tmp_path / "ck")
    file = tmp_path / "ck.safetensors"
    file.write_bytes(file.read_bytes()[:-cut])
    with pytest.raises(tf.errors.DataLossError):
        tf.train.load_checkpoint(path)


@pytest.mark.parametrize("text", [b"", b"\xff\xfe", b"model_checkpoint_path: 3", b'x: "y"\n'])
def test_a_state_file_that_says_nothing(tmp_path, text):
    (tmp_path / "checkpoint").write_bytes(text)
    assert tf.train.latest_checkpoint(tmp_path) is None


def test_a_wrong_shape_changes_no_variable(tmp_path):
    path = tf.train.Checkpoint(a=tf.Variable(1.0), b=tf.Variable([2.0])).save(tmp_path / "ck")
    a, b = tf.Variable(7.0), tf.Variable([7.0, 7.0])
    with pytest.raises(ValueError, match="No Variable was changed"):
        tf.train.Checkpoint(a=a, b=b).restore(path)
    assert a.numpy() == 7.0


def test_a_failed_save_does_not_count(tmp_path):
    (tmp_path / "file").write_text("")
    c = tf.train.Checkpoint(v=tf.Variable(1.0))
    with pytest.raises(OSError):
        c.save(tmp_path / "file" / "ck")
    assert c.save_counter.numpy() == 0


def test_text_is_refused(tmp_path):
    with pytest.raises(tf.errors.UnimplementedError, match="holds text"):
        tf.train.Checkpoint(v=tf.Variable("a")).save(tmp_path / "ck")
    assert os.listdir(tmp_path) == []


def test_the_missing_package_is_named(tmp_path, monkeypatch):
    for name in [n for n in sys.modules if n.startswith("safetensors")]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r'pip install "gradtape\[tf\]"') as caught:
        tf.train.Checkpoint(v=tf.Variable(1.0)).save(tmp_path / "ck")
    assert isinstance(caught.value, GradtapeError)


class Inner(tf.Module):
    def __init__(self):
        super().__init__()
        self.q = tf.Variable(5.0)


class Plain:
    def __init__(self):
        self.v = tf.Variable(1.0)


class Outer(tf.Module):
    def __init__(self):
        super().__init__()
        self.w = tf.Variable(1.0)
        self.l = [tf.Variable(2.0)]
        self.d = {"a": tf.Variable(3.0)}
        self.plain = Plain()
        self.s = Inner()
        self.number = 3


def test_modules_are_followed_attribute_by_attribute_and_plain_objects_are_not(tmp_path):
    """The names are those that TensorFlow 2.21 writes for the same classes, beside its graph."""
    m = Outer()
    path = tf.train.Checkpoint(m=m).save(tmp_path / "c")
    end = "/.ATTRIBUTES/VARIABLE_VALUE"
    assert sorted(name for name, _ in tf.train.list_variables(path)) == [
        f"{name}{end}" for name in ("m/d/a", "m/l/0", "m/s/q", "m/w", "save_counter")
    ]
    again = Outer()
    for v in (again.w, again.l[0], again.d["a"], again.s.q):
        v.assign(0.0)
    tf.train.Checkpoint(m=again).restore(path).assert_consumed()
    assert [float(v) for v in (again.w, again.l[0], again.d["a"], again.s.q)] == [1, 2, 3, 5]


def test_a_plain_object_is_refused_with_what_to_do():
    with pytest.raises(ValueError, match=r"plain|trackable"):
        tf.train.Checkpoint(p=Plain())
