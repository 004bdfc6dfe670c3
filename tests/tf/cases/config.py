"""Switches of tf.config, tf.test, tf.autograph and tf.compat; each program puts back what it sets.

`x` is made first, for TensorFlow to have initialised what it refuses to change afterwards.
"""

from tests.tf.scheme import call, program, show

CPU = "tf.config.list_physical_devices()[0]"
LATER = "TensorFlow refuses a change after the first operation; nothing depends on it here"


def after(name, arguments, **rest):
    return call(name, arguments, x="f32(1.0)", **rest)


def switch(getter, setter, *values, back):
    """Programs that set, ask, and put back."""
    ask, put = f"tf.{getter}()", f"tf.{setter}"
    return program(f"{getter} {setter}", f"out = [{ask}]",
                   *[f"out += [{put}({v}), {ask}]" for v in values], f"{put}({back})")  # fmt: skip


DETERMINED = (
    "import sys", "out = [tf.config.experimental.enable_op_determinism()]",
    "inside = sys.modules.get('tensorflow.python.framework.config')",
    "inside and inside.disable_op_determinism()",
)  # fmt: skip
OPTIONS = "tf.config.optimizer.get_experimental_options()"
CASES = [
    # ------------------------------------------------------------------ devices
    *[after(f"config.{n} config.experimental.{n}", a)
      for n in ("list_physical_devices", "list_logical_devices", "get_visible_devices")
      for a in ("", "'CPU'", "'GPU'", "device_type='bogus'")],
    *[after("config.set_visible_devices config.experimental.set_visible_devices", a) for a in (
        "[], 'GPU'", f"{CPU}", f"[{CPU}], 'CPU'", f"{CPU}, device_type='GPU'", "'a'", "[1]", "[None], 'CPU'")],
    *[after("config.get_logical_device_configuration config.experimental.get_virtual_device_configuration", a)
      for a in (CPU, "'a'", "device=None")],
    *[after("config.set_logical_device_configuration config.experimental.set_virtual_device_configuration", a)
      for a in (f"{CPU}, [tf.config.LogicalDeviceConfiguration(memory_limit=5)]",
                f"{CPU}, [tf.config.LogicalDeviceConfiguration(experimental_priority=1)]", "'a', []")],
    program("config.set_logical_device_configuration", "x = tf.constant(1.0)",
            f"tf.config.set_logical_device_configuration({CPU}, [tf.config.LogicalDeviceConfiguration()])",
            "out = 1", ours=LATER),
    program("config.set_visible_devices", "x = tf.constant(1.0)", "tf.config.set_visible_devices([], 'CPU')",
            f"out = tf.config.set_visible_devices([{CPU}])", ours=LATER),
    call("config.LogicalDeviceConfiguration config.experimental.VirtualDeviceConfiguration", ""),
    call("config.LogicalDeviceConfiguration", "memory_limit=5"),
    show("config.LogicalDeviceConfiguration", "tf.config.LogicalDeviceConfiguration() == (None, None, None)"),
    show("config.PhysicalDevice", "repr(tf.config.PhysicalDevice('a', device_type='CPU'))"),
    show("config.LogicalDevice", "repr(tf.config.LogicalDevice('a', 'CPU'))"),
    show("config.PhysicalDevice", f"isinstance({CPU}, tf.config.PhysicalDevice)"),
    *[after("config.experimental.get_device_details", a) for a in (CPU, "'a'", "None")],
    after("config.experimental.get_memory_growth", "'a'"),
    after("config.experimental.get_memory_growth", CPU, ours="TensorFlow lets a KeyError through"),
    *[after("config.experimental.set_memory_growth", a) for a in ("'a', True", f"{CPU}, True")],
    *[after(f"config.experimental.{n}", a)
      for n in ("get_memory_info", "get_memory_usage", "reset_memory_stats") for a in ("'GPU:0'", "'a'")],
    show("config.experimental.get_memory_info", "sorted(tf.config.experimental.get_memory_info('CPU:0'))"),
    show("config.experimental.get_memory_usage", "tf.config.experimental.get_memory_usage('CPU:0') >= 0"),
    call("config.experimental.reset_memory_stats", "'CPU:0'"),
    program("config.experimental.set_memory_growth", "for gpu in tf.config.list_physical_devices('GPU'):",
            "    tf.config.experimental.set_memory_growth(gpu, True)", "out = 'ready'"),
    # ------------------------------------------------------------------ switches
    switch("config.functions_run_eagerly", "config.run_functions_eagerly", "True", "0", "'a'", back=False),
    switch("config.experimental_functions_run_eagerly", "config.experimental_run_functions_eagerly", "True",
           back=False),
    switch("config.get_soft_device_placement", "config.set_soft_device_placement", "False", "True", back=True),
    *[call(f"config.threading.get_{n}", "") for n in ("inter_op_parallelism_threads", "intra_op_parallelism_threads")],
    *[call(f"config.threading.set_{n}", "num_threads=None")
      for n in ("inter_op_parallelism_threads", "intra_op_parallelism_threads")],
    *[program(f"config.threading.set_{n}", "x = tf.constant(1.0)", f"tf.config.threading.set_{n}(1)",
              f"out = tf.config.threading.get_{n}()", f"tf.config.threading.set_{n}(0)", ours=LATER)
      for n in ("inter_op_parallelism_threads", "intra_op_parallelism_threads")],
    switch("config.optimizer.get_jit", "config.optimizer.set_jit", "True", "'a'", "'autoclustering'", back=False),
    program("config.optimizer.get_experimental_options config.optimizer.set_experimental_options",
            "tf.config.optimizer.set_experimental_options({'constant_folding': True})",
            f"out = sorted({OPTIONS}.items())"),
    switch("config.experimental.get_device_policy", "config.experimental.set_device_policy", "'warn'",
           "'explicit'", "'silent_for_int32'", "None", "'silent'", back=None),
    call("config.experimental.set_device_policy", "'bogus'"),
    switch("config.experimental.get_synchronous_execution", "config.experimental.set_synchronous_execution", "True",
           "None", back=None),
    switch("config.experimental.tensor_float_32_execution_enabled",
           "config.experimental.enable_tensor_float_32_execution", "False", "1", back=True),
    program("config.experimental.enable_op_determinism", *DETERMINED),
    show("config.experimental.enable_mlir_bridge config.experimental.disable_mlir_bridge",
         "[tf.config.experimental.enable_mlir_bridge(), tf.config.experimental.disable_mlir_bridge()]"),
    switch("debugging.get_log_device_placement", "debugging.set_log_device_placement", "False", back=False),
    program("debugging.is_traceback_filtering_enabled debugging.disable_traceback_filtering "
            "debugging.enable_traceback_filtering",
            "ask = tf.debugging.is_traceback_filtering_enabled",
            "out = [ask(), tf.debugging.disable_traceback_filtering(), ask(), "
            "tf.debugging.enable_traceback_filtering(), ask()]"),
    show("get_logger", "repr(tf.get_logger())"),
    show("get_logger", "tf.get_logger().setLevel('WARNING')"),
    call("test.is_gpu_available", ""),
    call("test.is_gpu_available", "cuda_only=True, min_cuda_compute_capability=(7, 0)"),
    call("test.gpu_device_name test.is_built_with_rocm", ""),
    call("test.is_built_with_cuda test.is_built_with_gpu_support test.is_built_with_xla", "",
         ours="how TensorFlow's own wheel was built"),
    # ------------------------------------------------------------------ autograph
    call("autograph.set_verbosity", "0"), call("autograph.set_verbosity", "3, alsologtostdout=True"),
    call("autograph.trace", "1, 'a'"),
    show("autograph.experimental.do_not_convert", "tf.autograph.experimental.do_not_convert(lambda x: x + 1)(3)"),
    show("autograph.experimental.do_not_convert", "tf.autograph.experimental.do_not_convert()(lambda x: x + 1)(3)"),
    program("autograph.experimental.do_not_convert", "@tf.function", "@tf.autograph.experimental.do_not_convert",
            "def f(x):", "    return x * 2.0", "out = f(3.0)"),
    call("autograph.experimental.set_loop_options", ""),
    call("autograph.experimental.set_loop_options", "maximum_iterations=3"),
    show("autograph.experimental.Feature",
         "[[f.name, f.value, str(f), repr(f)] for f in tf.autograph.experimental.Feature]"),
    show("autograph.experimental.Feature", "tf.autograph.experimental.Feature('ALL').name"),
    # ------------------------------------------------------------------ compat
    *[call("compat.as_bytes compat.as_text compat.as_str compat.as_str_any", a) for a in (
        "'a\\u00e4'", "b'a'", "1", "None", "bytearray(b'a')", "'a', 'latin-1'", "b'\\xe4', encoding='latin-1'",
        "'a', 'bogus'", "b'\\xff'", "'\\u00e4', 'ascii'")],
    *[call("compat.path_to_str", a) for a in ("'a'", "__import__('pathlib').PurePosixPath('a/b')", "None")],
    *[call("compat.dimension_value", a) for a in ("3", "None", "tf.TensorShape([2, None])[1]")],
    *[show(f"compat.{n}_types", f"repr(tf.compat.{n}_types)") for n in ("bytes_or_text", "complex", "integral",
                                                                         "real")],
]  # fmt: skip
