"""What is said of a name that `gradtape.tf` does not have.

Three tables, by name or by the start of one: what is planned, what another vocabulary or tool does
(`INSTEAD`), and TensorFlow 1. Where none has it, the nearest spelling among ours is named.
"""

from __future__ import annotations

import difflib
import json
import os
from functools import cache
from typing import Any

from ...errors import three_part
from .names import load_all

_ITSELF = "or run that part with TensorFlow itself"
_KERAS = "Write the model with tf.Module or tf.Variable; or run Keras with TensorFlow itself."
_SPECIAL = ("lgamma", "digamma", "erf", "erfc")
# What is planned, by the start of its name, and what to do until then.
PLANNED = {
    **dict.fromkeys(("keras", "initializers", "losses", "metrics", "optimizers"), _KERAS),
    "autograph.to_graph": "Call the function itself, or put it under tf.function.",
    "autograph.to_code": "Read the function itself: it runs as it is written.",
    "math.special": f"tf.math has {', '.join(_SPECIAL)}; scipy.special has it, without gradient.",
    **dict.fromkeys(
        [f"math.{n}" for n in ("bessel_i0", "bessel_i0e", "bessel_i1", "bessel_i1e", "betainc",
                               "erfcinv", "erfinv", "igamma", "igammac", "ndtri", "polygamma",
                               "zeta")],
        "scipy.special has it without gradient: tf.numpy_function(f, [x], tf.float32).",
    ),
    "math.lbeta": "Write tf.reduce_sum(tf.math.lgamma(x), -1) - tf.math.lgamma(tf.reduce_sum(x, "
                  "-1)).",
    "math.sobol_sample": "Use scipy.stats.qmc.Sobol, and tf.constant of its points.",
    "math.accumulate_n": "Use tf.add_n(tensors).",
    "math.approx_max_k": "Use tf.math.top_k(x, k), which is exact.",
    "math.approx_min_k": "Use tf.math.top_k(-x, k), which is exact.",
    **dict.fromkeys(
        [f"linalg.{n}" for n in ("eig", "eigh", "eigvals", "eigvalsh", "qr", "svd", "pinv", "lu",
                                 "expm", "logm", "sqrtm", "matrix_rank", "banded_triangular_solve",
                                 "eigh_tridiagonal", "lu_matrix_inverse", "lu_reconstruct",
                                 "lu_solve", "tridiagonal_matmul", "tridiagonal_solve")],
        "np.linalg and scipy.linalg have it without gradient, of x.numpy(); for solutions use "
        "tf.linalg.solve, tf.linalg.lstsq or tf.linalg.cholesky_solve.",
    ),
    **dict.fromkeys(("eig", "eigvals", "svd"), "np.linalg has it without gradient, of x.numpy(); "
                    "tf.linalg.solve and tf.linalg.lstsq have one."),
}  # fmt: skip

# What does the same, by full name or by namespace.
INSTEAD = {
    "RaggedTensor": "Pad the rows to one length, and tf.sequence_mask(lengths) tells which count.",
    "ragged": "Pad the rows to one length, and tf.sequence_mask(lengths) tells which count.",
    "SparseTensor": "Use a dense tensor; tf.scatter_nd(indices, values, shape) makes one.",
    "sparse": "Use a dense tensor; tf.scatter_nd(indices, values, shape) makes one.",
    "gradients": "Use tf.GradientTape: with tf.GradientTape() as tape: ...; tape.gradient(y, x).",
    "hessians": "Use tf.GradientTape twice, one in the other.",
    "Graph": "Use tf.function, or call functions eagerly.",
    "Operation": "Call functions eagerly: a tf.Tensor comes from no graph.",
    "compat.v1": "Write tf.add in place of tf.compat.v1.add; tf_upgrade_v2 of TensorFlow rewrites "
                 "scripts.",
    "compat.v2": "Write tf.add in place of tf.compat.v2.add.",
    "compat": "Leave it out: gradtape.tf is TensorFlow 2, and tf.__version__ says which.",
    "io": "Read with Python, NumPy or pandas and make tensors of it: tf.constant(np.load(path)).",
    "io.gfile": "Use pathlib and open(...); tf.constant(data) makes tensors.",
    "strings": "Use Python's str before the numbers become tensors: tf.constant(list(map(float, "
               "texts))).",
    "as_string": "Use str(x.numpy()), or an f-string: f'{x:.2f}' of a 0-d tf.Tensor.",
    "image": "Prepare images with Pillow or scikit-image, and make tensors of them: "
             "tf.constant(np.asarray(image)).",
    "audio": "Read sounds with scipy.io.wavfile, and make tensors of them: tf.constant(data).",
    "signal": "Transform with np.fft or scipy.signal before tf.constant; np.fft.fft(x.numpy()) "
              "of a tf.Tensor has no gradient.",
    "summary": "Write numbers with tf.print, Python's print or the csv module.",
    "profiler": "Use Python's cProfile around calls of the tf.function.",
    "saved_model": "Save the Variables with tf.train.Checkpoint, and keep the script.",
    "distribute": "Leave the strategy out: there is one process and one device, as tf.device says.",
    "tpu": "Leave it out: there is one device, as tf.config.list_physical_devices() says.",
    "config": "Leave it out: there is one process and one CPU, as "
              "tf.config.list_physical_devices() says.",
    "dtensor": "Leave it out: there is one device, as tf.config.list_physical_devices() says.",
    "xla": "Leave it out; tf.function(jit_compile=True) is accepted.",
    "mlir": "Leave it out: tf.function makes a graph of gradtape's own.",
    "graph_util": "Leave it out: tf.function makes a graph of gradtape's own.",
    "lookup": "Use a dict of Python's, or tf.gather(table, numbers).",
    "queue": "Use queue.Queue of Python's, or tf.data.Dataset.from_tensor_slices.",
    "sets": "Use sets of Python's, or np.intersect1d of x.numpy(); tf.unique is there.",
    "bitwise": "Use &, |, ^ and ~ on whole-number tensors: tf.constant([5]) & 1.",
    "experimental.numpy": "Use NumPy itself: import numpy as np; import gradtape as gt; or the "
                          "functions of tf and tf.math.",
    "experimental": f"Use the functions of tf and tf.math, {_ITSELF}.",
    "types": "Use tf.Tensor and tf.Variable in annotations.",
    "types.experimental": "Use tf.Tensor and tf.Variable in annotations.",
    "dtypes": "Use tf.as_dtype, tf.cast and the dtypes' own attributes: tf.float32.max.",
    "dtypes.experimental": "Use tf.float32 or tf.float16.",
    "quantization": "Use tf.round(x / step) * step with tf.custom_gradient.",
    "feature_column": "Make columns with pandas, and tf.one_hot for categories.",
    "estimator": "Write the loop with tf.GradientTape.",
    "lite": f"Train here with tf.GradientTape, {_ITSELF} to convert.",
    "raw_ops": "Use the public function of the same meaning: tf.add for tf.raw_ops.Add.",
    "tools": f"Leave it out, {_ITSELF}: a script for tf.__version__ needs no rewriting.",
    "security": f"Leave it out, {_ITSELF}; tf.Tensor serves in annotations.",
    "sysconfig": f"Leave it out, {_ITSELF}: gradtape.tf has nothing to compile against, and "
                 "tf.__version__ is the version.",
    "version": "Use tf.version.VERSION.",
    "test": "Use pytest, with np.testing.assert_allclose(x, y), which takes a tf.Tensor.",
    "linalg": "Use the matrix itself with tf.matmul and tf.linalg.solve.",
    "nn": f"Write it with tf.matmul and tf.nn.relu, {_ITSELF}: convolutions, pooling and samplers "
          "have no card yet.",
    "random": "Use tf.random.uniform or tf.random.categorical.",
    "data": "Read with pandas or NumPy, then tf.data.Dataset.from_tensor_slices(arrays).",
    "data.experimental": "Use the methods of tf.data.Dataset: map, batch, shuffle, take.",
    "train": "Use tf.train.Checkpoint; write other files with Python's json.",
    "debugging": "Use tf.debugging.enable_check_numerics and tf.print.",
    "TensorArray": "Append to a Python list, and tf.stack it.",
    "Session": "Call functions eagerly: a tf.Tensor has its value, x.numpy().",
    "placeholder": "Pass the value itself: tf.constant(x).",
    **dict.fromkeys(("AggregationMethod", "DeviceSpec", "VariableAggregation",
                     "VariableSynchronization", "CriticalSection"),
                    "Leave it out: there is one process and one device, as tf.device says."),
    **dict.fromkeys(("NoneTensorSpec", "RaggedTensorSpec", "SparseTensorSpec", "TensorArraySpec",
                     "TypeSpec", "IndexedSlicesSpec", "OptionalSpec", "type_spec_from_value"),
                    "Use tf.TensorSpec, or leave the signature out of tf.function."),
    **dict.fromkeys(("RegisterGradient", "no_gradient"),
                    "Use tf.custom_gradient, and tf.stop_gradient where there shall be none."),
    **dict.fromkeys(("constant_initializer", "ones_initializer", "zeros_initializer"),
                    "Call the function for the values: tf.ones(shape), tf.zeros(shape), "
                    "tf.fill(shape, x)."),
    "random_normal_initializer": "Use tf.random.normal(shape, stddev=0.05).",
    "random_uniform_initializer": "Use tf.random.uniform(shape, -0.05, 0.05).",
    **dict.fromkeys(("conv", "conv2d_backprop_filter_v2", "conv2d_backprop_input_v2",
                     "extract_volume_patches"),
                    "Convolutions have no card yet; tf.space_to_batch and tf.matmul are there."),
    **dict.fromkeys(("fftnd", "ifftnd", "rfftnd", "irfftnd"), "Transform with np.fft before "
                    "tf.constant."),
    **dict.fromkeys(("get_current_name_scope", "variable_creator_scope"),
                    "Name Variables where they are made: with tf.name_scope('layer'): ..."),
    **dict.fromkeys(("get_static_value", "make_tensor_proto", "make_ndarray",
                     "is_symbolic_tensor"),
                    "Every tf.Tensor has its value here: x.numpy()."),
    **dict.fromkeys(("check_pinned", "nondifferentiable_batch_function", "parallel_stack",
                     "register_tensor_conversion_function", "fingerprint", "edit_distance",
                     "load_library", "load_op_library", "import_graph_def"),
                    "Compute it with Python or NumPy, by tf.numpy_function(f, [x], tf.float32)."),
    "matrix_square_root": "scipy.linalg.sqrtm has it without gradient, of x.numpy(); of positive "
                          "definite matrices use tf.linalg.cholesky.",
    "quantize_and_dequantize_v4": "Use tf.round(x / step) * step with tf.custom_gradient.",
    "random_index_shuffle": "Use tf.random.shuffle(tf.range(n)).",
    "approx_top_k": "Use tf.math.top_k(x, k), which is exact.",
    **dict.fromkeys(("saturate_cast", "dtypes.saturate_cast"), "Write tf.cast(tf.clip_by_value(x, "
                    "dtype.min, dtype.max), dtype)."),
    "timestamp": "Use time.time() of Python's, and tf.constant of it.",
    "tuple": "Use a tuple of Python's; tf.group and tf.control_dependencies are accepted.",
    **dict.fromkeys(("ragged_fill_empty_rows", "ragged_fill_empty_rows_grad"),
                    "Pad the rows to one length: tf.pad."),
    "train.Feature": "Use tf.train.Checkpoint; write other files with Python's json.",
    "debugging.experimental": "Use tf.debugging.enable_check_numerics and tf.print.",
    "test.is_cpu_target_available": "Leave it out: tf.test.is_gpu_available() is False.",
}  # fmt: skip
_V1 = "It is TensorFlow 1, of graphs and sessions; gradtape serves TensorFlow 2."


@cache
def known() -> dict[str, list[str]]:
    """TensorFlow's public names by namespace, "" for the top (`tests/tf/make_names.py`)."""
    with open(os.path.join(os.path.dirname(__file__), "names.json"), encoding="utf-8") as file:
        names: dict[str, list[str]] = json.load(file)
    return names


def missing(name: str) -> AttributeError:
    """The AttributeError for `tf.<name>`."""
    return AttributeError(_told(name))


@cache  # scripts ask for the same name again: hasattr(tf, "...")
def _told(name: str) -> str:
    fact = f"module 'gradtape.tf' has no attribute {name!r}"
    planned = _longest(PLANNED, name)
    if planned:
        return three_part(f"{fact}: it is planned.", "", planned)
    space, _, last = name.rpartition(".")
    cause = (
        _V1 if name == "compat.v1"
        else "TensorFlow has it, and this dialect does not yet." if last in known().get(space, ())
        else "TensorFlow has no such name either."
    )  # fmt: skip
    best = _twin(last) or INSTEAD.get(name) or _alike(name, 0.8)
    best = best or (_longest(INSTEAD, name) if space or name in known() else None)
    if not best and (space or name not in known()[""]):
        best = _alike(name, 0.6) or _alike(last, 0.5)
    remedy = best or "dir(gradtape.tf) lists what there is; write it with those functions."
    return three_part(f"{fact}.", cause, remedy)


def _longest(table: dict[str, str], name: str) -> str | None:
    """The entry for `name`, or else for the innermost of the namespaces around it."""
    while name:
        if name in table:
            return table[name]
        name = name.rpartition(".")[0]
    return None


def _twin(last: str) -> str | None:
    """The remedy, if the name is ours in another namespace."""
    found = [name for name in load_all() if name.rpartition(".")[2] == last]
    return _named(min(found, key=len)) if found else None


def _alike(name: str, cutoff: float) -> str | None:
    near = difflib.get_close_matches(name, load_all(), n=1, cutoff=cutoff)
    return _named(near[0]) if near else None


def _named(name: Any) -> str:
    return f"The nearest thing here is tf.{name}."
