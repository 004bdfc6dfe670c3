"""`gradtape run --tensorflow`: a script as python runs it, and a notebook with its outputs."""

import subprocess
import sys
import textwrap

import pytest

COMMAND = [sys.executable, "-m", "gradtape", "run", "--tensorflow"]


def ran(folder, text, *arguments):
    (folder / "train.py").write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
    done = subprocess.run(
        [*COMMAND, "train.py", *arguments], cwd=folder, capture_output=True, text=True
    )
    return done.returncode, done.stdout, done.stderr


def test_the_script_has_its_arguments_its_name_and_its_exit_code(tmp_path):
    text = """
        import sys
        import tensorflow as tf
        from tensorflow import math, Variable
        import tensorflow.nn as nn
        if __name__ == "__main__":
            print(sys.argv, tf.__name__, float(math.square(Variable(3.0))), nn.relu(-1.0).numpy())
            sys.exit(5)
        """
    code, out, error = ran(tmp_path, text, "--epochs", "70", "-h")
    assert (code, error) == (5, "")
    assert out == "['train.py', '--epochs', '70', '-h'] gradtape.tf 9.0 0.0\n"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("tf.matmul(tf.ones([2, 3]), tf.ones([2, 3]))", "InvalidArgumentError"),
        ("tf.ones([2]) + tf.ones([3])", "InvalidArgumentError"),
        ("tf.constant(1) + tf.constant(1.0)", "InvalidArgumentError"),
        ("tf.reduce_sum(object())", "ValueError"),
        ("tf.Variable([1.0, 2.0]).assign([1.0])", "ValueError"),
        ("tf.keras.Sequential()", "AttributeError"),
        ("tf.GradientTape().gradient(1, 2)", "Error"),
        ("tf.function(lambda: tf.ones([2]) + tf.ones([3]))()", "InvalidArgumentError"),
        ("next(iter(tf.data.Dataset.range(2).map(lambda x: x + tf.ones([2], tf.int64) @ 1)))",
         "Error"),
    ],
)  # fmt: skip
def test_a_traceback_has_the_scripts_frames_and_none_of_ours(tmp_path, line, said):
    script = f"import tensorflow as tf\n\n\ndef train():\n    {line}\n\n\ntrain()\n"
    code, out, error = ran(tmp_path, script)
    assert (code, out) == (1, "")
    files = [each for each in error.splitlines() if each.startswith("  File ")]
    assert files and all('train.py"' in each for each in files)
    assert "line 8, in <module>" in files[0] and "line 5, in train" in files[1]
    assert said in error and "Traceback (most recent call last)" in error


@pytest.mark.slow
def test_a_notebook_is_written_with_outputs_by_the_command(tmp_path):
    nbformat = pytest.importorskip("nbformat")
    cells = [
        "import tensorflow as tf\nv = tf.Variable(2.0)",
        "with tf.GradientTape() as tape:\n    y = v * v\ntape.gradient(y, v)",
        "print(tf.__name__)",
    ]
    file = tmp_path / "lesson.ipynb"
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    nbformat.write(made, file)
    done = subprocess.run([*COMMAND, "lesson.ipynb"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = nbformat.read(file, as_version=4).cells
    assert found[1].outputs[0]["data"]["text/plain"] == (
        "<tf.Tensor: shape=(), dtype=float32, numpy=4.0>"
    )
    assert found[2].outputs[0]["text"] == "gradtape.tf\n"
