"""What has no gradient, and what has one through Python; and mistakes that no other family makes.

Of functions that take nothing or take everything, the mistake is an argument too many or missing.
"""

from tests.tf.scheme import call, program

X, Y = "f32([0.3, 1.7])", "f32([2.5, -1.0])"
NONE = "f32([0.5, 2.0])"


def mistakes(arguments, names):
    return [call(name, arguments) for name in names.split()]


CASES = [
    # ------------------------------------------------------------------ no gradient
    call("math.ceil floor math.floor math.rint round math.round zeros_like ones_like", "x", x=X, wrt="x"),
    call("math.nextafter", "x, y", x="f64([0.3, 1.7])", y="f64([2.5, -1.0])", wrt="x y"),
    call("less math.less less_equal math.less_equal greater math.greater greater_equal math.greater_equal "
         "equal math.equal not_equal math.not_equal math.floordiv", "x, y", x=X, y=Y, wrt="x y"),
    call("math.is_finite math.is_inf math.is_nan argmax math.argmax argmin math.argmin argsort "
         "math.count_nonzero math.zero_fraction nn.zero_fraction shape size rank math.is_non_decreasing", "x", x=X, wrt="x"),
    call("unique unique_with_counts", "x", x=X, wrt="x", ours="TensorFlow has no rule for it, and raises LookupError"),
    call("searchsorted", "x, y", x="f32([0.0, 1.0])", y="f32([0.5])", wrt="x y"),
    call("truncatediv", "x, y", x=X, y=Y, wrt="x y"),
    # ------------------------------------------------------------------ a gradient through Python
    *[program(name, "v = tf.Variable(3.0)", f"with tf.GradientTape() as t: y = {source}", "out = [y, t.gradient(y, v)]")
      for name, source in (
          ("cond", "tf.cond(v > 1.0, lambda: v * v, lambda: v)"),
          ("cond", "tf.cond(v < 1.0, lambda: v * v, lambda: v * 2.0)"),
          ("case", "tf.case([(v > 5.0, lambda: v), (v > 1.0, lambda: v * v)], default=lambda: 2.0 * v)"),
          ("switch_case", "tf.switch_case(1, [lambda: v, lambda: v * v])"),
          ("switch_case", "tf.switch_case(tf.constant(1), {0: lambda: v * 1.0, 1: lambda: v * v})"),
          ("nest.map_structure", "tf.nest.map_structure(lambda x: x * v, {'a': 2.0})['a']"),
          ("nest.flatten", "tf.nest.flatten({'a': v * v})[0]"),
          ("nest.pack_sequence_as", "tf.nest.pack_sequence_as([0], [v * v])[0]"),
          ("constant", "tf.constant(2.0) * v"),
      )],
    program("guarantee_const", "v = tf.Variable(3.0)", "with tf.GradientTape() as t: y = tf.guarantee_const(v * v)",
            "out = [y, t.gradient(y, v)]", ours="TensorFlow has no rule for it, and raises LookupError"),
    program("random.stateless_uniform", "a, b = tf.Variable(1.0), tf.Variable(2.0)",
            "with tf.GradientTape() as t: y = tf.reduce_sum(tf.random.stateless_uniform([3], [1, 2], a, b))",
            "g = t.gradient(y, [a, b])", "out = np.isclose(y, a * g[0] + b * g[1])"),
    # ------------------------------------------------------------------ mistakes
    *mistakes("object()", "stop_gradient identity math.zero_fraction nn.zero_fraction random.shuffle"),
    call("nn.batch_normalization", "f32([[1.0, 2.0]]), f32([1.0, 2.0, 3.0]), f32([1.0, 1.0]), None, None, 1e-3"),
    call("linalg.logdet", "f32([1.0])"), call("linalg.logdet", "f32([[1.0, 2.0]])"),
    *mistakes("f32([[1.0]]), f32([[1.0], [2.0]])", "linalg.cholesky_solve linalg.triangular_solve linalg.lstsq"),
    call("linalg.normalize", "f32([1.0]), ord='bogus'"),
    call("random.stateless_categorical", "f32([1.0]), 2, [1, 2]"),
    call("random.stateless_categorical", "f32([[1.0]]), 2, [1]"),
    *mistakes("[1]", "random.split random.experimental.stateless_split"),
    *mistakes("[1], 2", "random.fold_in random.experimental.stateless_fold_in"),
    call("random.experimental.stateless_shuffle", "f32([1.0, 2.0]), [1]"),
    *mistakes("1, 'bogus'", "random.create_rng_state random.experimental.create_rng_state"),
    *mistakes("1", "data.experimental.cardinality"),
    call("case", "1"), call("case", "[]"), call("case", "[(1, 2)]"),
    call("numpy_function", "1, [], tf.float32"),
    *mistakes("", "math.imag random.set_global_generator random.experimental.set_global_generator is_tensor random.set_seed nest.is_nested debugging.is_numeric_tensor config.run_functions_eagerly "
                  "config.experimental_run_functions_eagerly config.set_soft_device_placement config.optimizer.set_jit "
                  "config.optimizer.set_experimental_options config.experimental.set_synchronous_execution "
                  "config.experimental.enable_tensor_float_32_execution debugging.set_log_device_placement "
                  "autograph.set_verbosity compat.path_to_str compat.dimension_value train.latest_checkpoint "
                  "data.experimental.assert_cardinality control_dependencies"),
    *mistakes("1, 2, 3, 4, 5", "executing_eagerly inside_function random.get_global_generator random.experimental.get_global_generator "
                               "debugging.disable_check_numerics init_scope no_op config.list_physical_devices "
                               "config.experimental.list_physical_devices config.list_logical_devices "
                               "config.experimental.list_logical_devices config.get_visible_devices "
                               "config.experimental.get_visible_devices config.functions_run_eagerly "
                               "config.experimental_functions_run_eagerly config.get_soft_device_placement "
                               "config.threading.get_inter_op_parallelism_threads "
                               "config.threading.get_intra_op_parallelism_threads config.optimizer.get_jit "
                               "config.optimizer.get_experimental_options config.experimental.get_device_policy "
                               "config.experimental.get_synchronous_execution "
                               "config.experimental.tensor_float_32_execution_enabled "
                               "config.experimental.enable_op_determinism config.experimental.enable_mlir_bridge "
                               "config.experimental.disable_mlir_bridge debugging.get_log_device_placement "
                               "debugging.enable_traceback_filtering debugging.disable_traceback_filtering "
                               "debugging.is_traceback_filtering_enabled get_logger test.is_gpu_available "
                               "test.gpu_device_name test.is_built_with_cuda test.is_built_with_gpu_support "
                               "test.is_built_with_rocm test.is_built_with_xla autograph.experimental.do_not_convert "
                               "autograph.experimental.set_loop_options"),
]  # fmt: skip
