"""`import tensorflow` is served by the dialect where it is asked for, and nowhere else."""

import subprocess
import sys
import textwrap

import pytest

from gradtape.tf import serving


def ran(code, folder):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        cwd=folder, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_form_of_import(tmp_path):
    out = ran(
        """
        from gradtape.tf import serving
        serving.install()
        import tensorflow as tf
        import tensorflow.math
        import tensorflow.nn as nn
        from tensorflow import float32, math as m, GradientTape
        from tensorflow.math import square
        import gradtape.tf
        assert tf is gradtape.tf and tf.__name__ == "gradtape.tf"
        assert tensorflow.math is m is tf.math and nn is tf.nn and square is tf.square
        assert float32 is tf.float32 and GradientTape is tf.GradientTape
        print(tf.reduce_sum([1.0, 2.0]).numpy())
        """,
        tmp_path,
    )
    assert out == "3.0\n"


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("import tensorflow.keras", "planned"),
        ("from tensorflow.keras import layers", "planned"),
        ("import tensorflow.compat.v1 as tf", "TensorFlow 2"),
        ("import tensorflow.python.framework", "inside"),
        ("import tensorflow.nothing", "no part 'nothing'"),
        ("import tensorflow.constant", "no part 'constant'"),
    ],
)
def test_a_module_that_is_not_served_says_so(statement, said, tmp_path):
    out = ran(
        f"""
        from gradtape.tf import serving
        serving.install()
        try:
            {statement}
        except ModuleNotFoundError as error:
            print(error)
        """,
        tmp_path,
    )
    assert said in out
    assert len(out.strip().splitlines()) == 3


def test_the_name_can_be_given_back(tmp_path):
    out = ran(
        """
        import sys
        from gradtape.tf import serving
        serving.install()
        serving.install()
        import tensorflow.math
        serving.uninstall()
        assert not [n for n in sys.modules if n.startswith("tensorflow")]
        sys.path[:] = [p for p in sys.path if "site-packages" not in p]
        try:
            import tensorflow
        except ModuleNotFoundError as error:
            print(error)
        """,
        tmp_path,
    )
    assert out == "No module named 'tensorflow'\n"


def test_a_tensorflow_that_is_loaded_already_is_not_replaced(monkeypatch):
    import types

    monkeypatch.setitem(sys.modules, "tensorflow", types.ModuleType("tensorflow"))
    with pytest.raises(ImportError, match=r"imported in this process already(.|\n)*restart"):
        serving.install()


@pytest.mark.slow
def test_a_notebook_gets_the_dialect_by_its_extension_and_by_the_command(tmp_path):
    import nbformat

    from gradtape import scripts

    def write(*cells):
        file = tmp_path / "lesson.ipynb"
        nbformat.write(
            nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells]), file
        )
        return file

    def printed(file):
        cells = nbformat.read(file, as_version=4).cells
        return "".join(out.get("text", "") for cell in cells for out in cell.outputs)

    use = "import tensorflow as tf\nprint(tf.__name__, float(tf.square(3.0)))"
    file = write(use)
    assert scripts.run(str(file), tensorflow=True) == 0
    assert printed(file) == "gradtape.tf 9.0\n"
    file = write("%load_ext gradtape.tf", use)
    assert scripts.run(str(file)) == 0
    assert printed(file) == "gradtape.tf 9.0\n"
