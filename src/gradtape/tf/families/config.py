"""tf.config: switches that scripts set before they start, kept and given back.

There is one device, the CPU, and nothing is compiled or placed. So a switch changes nothing but
what its question answers (the threads within an operation excepted), and may be set at any time,
where TensorFlow refuses some after the first operation. A device that is not there is refused.
"""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

from ...core.positions import decode, here
from ...core.settings import configure
from ...errors import three_part
from ..base.errors import RefusedValue
from ..base.graphs import switches
from ..base.names import export


@export("config.PhysicalDevice")
class PhysicalDevice(NamedTuple):
    """A device that the machine has."""

    name: str
    device_type: str


@export("config.LogicalDevice")
class LogicalDevice(NamedTuple):
    """A device that operations run on."""

    name: str
    device_type: str


@export("config.LogicalDeviceConfiguration", "config.experimental.VirtualDeviceConfiguration")
class LogicalDeviceConfiguration(NamedTuple):
    """How a physical device is divided; only the CPU as it is can be asked for."""

    memory_limit: Any = None
    experimental_priority: Any = None
    experimental_device_ordinal: Any = None


CPU = PhysicalDevice("/physical_device:CPU:0", "CPU")
_LOGICAL = LogicalDevice("/device:CPU:0", "CPU")
settings: dict[str, Any] = {
    "visible": [CPU], "divided": None, "placement": True, "between": 0,
    "within": 0, "jit": False, "options": {}, "policy": None, "synchronous": True, "tf32": True,
    "log placement": False, "filtering": True,
}  # fmt: skip


def _refused(name: str, fact: str, remedy: str) -> RefusedValue:
    return RefusedValue(three_part(f"{name}: {fact}", f"Called at {decode(*here())}.", remedy))


def _known(name: str, device: Any) -> None:
    if device != CPU:
        raise _refused(
            name,
            f"Unrecognized device: {device!r:.100}.",
            "There is one, tf.config.list_physical_devices()[0]; choose GPUs with "
            "tf.config.list_physical_devices('GPU'), which is empty here.",
        )


def _of_type(devices: list[Any], device_type: Any) -> list[Any]:
    return [d for d in devices if device_type is None or d.device_type == device_type]


# ----------------------------------------------------------------------- devices


@export("config.list_physical_devices", "config.experimental.list_physical_devices")
def list_physical_devices(device_type: Any = None) -> list[PhysicalDevice]:
    """The devices of the machine that are used: the CPU."""
    return _of_type([CPU], device_type)


@export("config.list_logical_devices", "config.experimental.list_logical_devices")
def list_logical_devices(device_type: Any = None) -> list[LogicalDevice]:
    """The devices that operations run on: the CPU."""
    return _of_type([_LOGICAL], device_type)


@export("config.get_visible_devices", "config.experimental.get_visible_devices")
def get_visible_devices(device_type: Any = None) -> list[PhysicalDevice]:
    """The devices that were made visible."""
    return _of_type(settings["visible"], device_type)


@export("config.set_visible_devices", "config.experimental.set_visible_devices")
def set_visible_devices(devices: Any, device_type: Any = None) -> None:
    """Say which devices to use; the CPU computes all the same."""
    devices = devices if isinstance(devices, list) else [devices]
    for device in devices:
        _known("set_visible_devices", device)
        if device_type not in (None, device.device_type):
            raise _refused(
                "set_visible_devices",
                f"Unrecognized device: {device!r} is no {device_type}.",
                "Leave device_type out.",
            )
    others = [d for d in settings["visible"] if device_type not in (None, d.device_type)]
    settings["visible"] = others + devices


@export("config.get_logical_device_configuration",
        "config.experimental.get_virtual_device_configuration")  # fmt: skip
def get_logical_device_configuration(device: Any) -> Any:
    """How a device was divided; None as long as it was not."""
    _known("get_logical_device_configuration", device)
    return settings["divided"]


@export("config.set_logical_device_configuration",
        "config.experimental.set_virtual_device_configuration")  # fmt: skip
def set_logical_device_configuration(device: Any, logical_devices: Any) -> None:
    """Say how to divide a device; the CPU stays one."""
    _known("set_logical_device_configuration", device)
    for part in logical_devices:
        for field, value in part._asdict().items():
            if value is not None:
                raise _refused(
                    "set_logical_device_configuration",
                    f"Setting {field} on CPU virtual devices is currently not supported.",
                    "Pass tf.config.LogicalDeviceConfiguration().",
                )
    settings["divided"] = logical_devices


@export("config.experimental.get_device_details")
def get_device_details(device: Any) -> dict[str, Any]:
    """What is known of a device; nothing of a CPU."""
    _known("get_device_details", device)
    return {}


@export("config.experimental.get_memory_growth")
def get_memory_growth(device: Any) -> bool:
    """Whether the memory of a GPU grows; there is none."""
    _known("get_memory_growth", device)
    raise _no_gpu("get_memory_growth")


@export("config.experimental.set_memory_growth")
def set_memory_growth(device: Any, enable: Any) -> None:
    """Let the memory of a GPU grow; there is none."""
    _known("set_memory_growth", device)
    raise _no_gpu("set_memory_growth")


def _no_gpu(name: str) -> RefusedValue:
    return _refused(
        name,
        "Cannot set memory growth on non-GPU and non-Pluggable devices.",
        f"Loop over GPUs only: for gpu in tf.config.list_physical_devices('GPU'): "
        f"tf.config.experimental.{name}(gpu, ...).",
    )


def _memory(name: str, device: Any) -> dict[str, int]:
    if str(device).rpartition("/")[2].removeprefix("device:").upper() not in ("CPU:0", "CPU:*"):
        raise _refused(
            name, f"No matching devices found for {device!r}.", "The one device is 'CPU:0'."
        )
    return {"current": 0, "peak": 0}


@export("config.experimental.get_memory_info")
def get_memory_info(device: Any) -> dict[str, int]:
    """Zeros: the memory of the CPU is not counted."""
    return _memory("get_memory_info", device)


@export("config.experimental.get_memory_usage")
def get_memory_usage(device: Any) -> int:
    """0: the memory of the CPU is not counted."""
    return _memory("get_memory_usage", device)["current"]


@export("config.experimental.reset_memory_stats")
def reset_memory_stats(device: Any) -> None:
    """Nothing, for the CPU."""
    _memory("reset_memory_stats", device)


# ----------------------------------------------------------------------- switches


@export("config.run_functions_eagerly", "config.experimental_run_functions_eagerly")
def run_functions_eagerly(run_eagerly: Any) -> None:
    """Say that `tf.function` shall run its body at every call, and compile nothing."""
    switches["eagerly"] = bool(run_eagerly)


@export("config.functions_run_eagerly", "config.experimental_functions_run_eagerly")
def functions_run_eagerly() -> bool:
    """What `run_functions_eagerly` was given."""
    return switches["eagerly"]


@export("config.set_soft_device_placement")
def set_soft_device_placement(enabled: Any) -> None:
    """Say whether another device may stand in for one that is missing."""
    settings["placement"] = bool(enabled)


@export("config.get_soft_device_placement")
def get_soft_device_placement() -> bool:
    """What `set_soft_device_placement` was given."""
    return bool(settings["placement"])


@export("config.threading.set_inter_op_parallelism_threads")
def set_inter_op_parallelism_threads(num_threads: Any) -> None:
    """Say how many operations may run at once; it is one."""
    settings["between"] = num_threads


@export("config.threading.get_inter_op_parallelism_threads")
def get_inter_op_parallelism_threads() -> int:
    """What `set_inter_op_parallelism_threads` was given; 0 leaves it to us."""
    return settings["between"] or 0


@export("config.threading.set_intra_op_parallelism_threads")
def set_intra_op_parallelism_threads(num_threads: Any) -> None:
    """Set the number of threads that share the elements of a large array: `gt.configure`."""
    settings["within"] = num_threads
    configure(threads=num_threads or 0)


@export("config.threading.get_intra_op_parallelism_threads")
def get_intra_op_parallelism_threads() -> int:
    """What `set_intra_op_parallelism_threads` was given; 0 leaves it to us."""
    return settings["within"] or 0


@export("config.optimizer.set_jit")
def set_jit(enabled: Any) -> None:
    """Say whether graphs shall be compiled; there are none."""
    settings["jit"] = enabled in (True, "autoclustering")


@export("config.optimizer.get_jit")
def get_jit() -> str:
    """"autoclustering" if `set_jit` was given it or True."""
    return "autoclustering" if settings["jit"] else ""


@export("config.optimizer.set_experimental_options")
def set_experimental_options(options: Any) -> None:
    """Keep options of a graph's optimizer."""
    settings["options"] = {**settings["options"], **options}


@export("config.optimizer.get_experimental_options")
def get_experimental_options() -> dict[str, Any]:
    """What `set_experimental_options` was given, and two that are always there."""
    options = {"disable_model_pruning": False, "disable_meta_optimizer": False}
    return {**options, **settings["options"]}


@export("config.experimental.set_device_policy")
def set_device_policy(device_policy: Any) -> None:
    """Say what happens to a tensor on another device; there is one device."""
    if device_policy not in (None, "silent", "silent_for_int32", "warn", "explicit"):
        raise _refused(
            "set_device_policy",
            f"Invalid argument `device_policy`: {device_policy!r:.60}.",
            "Pass 'silent', 'silent_for_int32', 'warn', 'explicit' or None.",
        )
    settings["policy"] = device_policy


@export("config.experimental.get_device_policy")
def get_device_policy() -> str:
    """What `set_device_policy` was given; "silent" at first."""
    return settings["policy"] or "silent"


@export("config.experimental.set_synchronous_execution")
def set_synchronous_execution(enable: Any) -> None:
    """Say whether operations are finished when a call returns; they are."""
    settings["synchronous"] = enable is None or bool(enable)


@export("config.experimental.get_synchronous_execution")
def get_synchronous_execution() -> bool:
    """What `set_synchronous_execution` was given."""
    return bool(settings["synchronous"])


@export("config.experimental.enable_tensor_float_32_execution")
def enable_tensor_float_32_execution(enabled: Any) -> None:
    """Say whether a GPU may round the operands of products; none is here."""
    settings["tf32"] = bool(enabled)


@export("config.experimental.tensor_float_32_execution_enabled")
def tensor_float_32_execution_enabled() -> bool:
    """What `enable_tensor_float_32_execution` was given."""
    return bool(settings["tf32"])


@export("config.experimental.enable_op_determinism")
def enable_op_determinism() -> None:
    """Nothing: the same program gives the same bits in every run, with a seed the random ones too.

    TensorFlow then refuses random numbers without a seed; here they are drawn.
    """


@export("config.experimental.enable_mlir_bridge")
def enable_mlir_bridge() -> None:
    """Nothing: nothing is compiled."""


@export("config.experimental.disable_mlir_bridge")
def disable_mlir_bridge() -> None:
    """Nothing: nothing is compiled."""


@export("debugging.set_log_device_placement")
def set_log_device_placement(enabled: Any) -> None:
    """Say whether the device of each operation shall be logged; it is the CPU."""
    settings["log placement"] = bool(enabled)


@export("debugging.get_log_device_placement")
def get_log_device_placement() -> bool:
    """What `set_log_device_placement` was given."""
    return bool(settings["log placement"])


@export("debugging.enable_traceback_filtering")
def enable_traceback_filtering() -> None:
    """Say that tracebacks shall leave out TensorFlow's own frames."""
    settings["filtering"] = True


@export("debugging.disable_traceback_filtering")
def disable_traceback_filtering() -> None:
    """Say that tracebacks shall have all frames."""
    settings["filtering"] = False


@export("debugging.is_traceback_filtering_enabled")
def is_traceback_filtering_enabled() -> bool:
    """What was said last of the two above."""
    return bool(settings["filtering"])


# ----------------------------------------------------------------------- what scripts ask first


@export("get_logger")
def get_logger() -> logging.Logger:
    """The logger "tensorflow" of Python's logging, which nothing here writes to."""
    return logging.getLogger("tensorflow")


@export("test.is_gpu_available")
def is_gpu_available(cuda_only: Any = False, min_cuda_compute_capability: Any = None) -> bool:
    """False: gradtape computes on the CPU."""
    return False


@export("test.gpu_device_name")
def gpu_device_name() -> str:
    """"": there is no GPU."""
    return ""


def _is_built_with(what: str) -> None:
    def answer() -> bool:
        return False

    answer.__name__ = answer.__qualname__ = f"is_built_with_{what}"
    answer.__doc__ = "False: gradtape is NumPy on the CPU."
    export(f"test.is_built_with_{what}")(answer)


for _what in ("cuda", "gpu_support", "rocm", "xla"):
    _is_built_with(_what)
