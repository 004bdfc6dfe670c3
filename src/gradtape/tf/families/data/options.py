"""tf.data.Options, which change no result; and the numbers that tf.data gives names."""

from __future__ import annotations

from typing import Any

from ....core.positions import decode, here
from ....errors import three_part
from ...base.names import NAMES, export
from .elements import INFINITE, UNKNOWN

AUTOTUNE = -1
NAMES["data.AUTOTUNE"] = NAMES["data.experimental.AUTOTUNE"] = AUTOTUNE
NAMES["data.INFINITE_CARDINALITY"] = NAMES["data.experimental.INFINITE_CARDINALITY"] = INFINITE
NAMES["data.UNKNOWN_CARDINALITY"] = NAMES["data.experimental.UNKNOWN_CARDINALITY"] = UNKNOWN

_GROUPS = {
    "autotune": ("enabled", "cpu_budget", "ram_budget", "autotune_algorithm", "initial_parallelism",
                 "min_parallelism"),
    "distribute": ("auto_shard_policy", "num_devices"),
    "experimental_optimization": (
        "apply_default_optimizations", "filter_fusion", "filter_parallelization",
        "inject_prefetch", "map_and_batch_fusion", "map_and_filter_fusion", "map_fusion",
        "map_parallelization", "noop_elimination", "parallel_batch", "seq_interleave_prefetch",
        "shuffle_and_repeat_fusion"),
    "threading": ("max_intra_op_parallelism", "private_threadpool_size"),
}  # fmt: skip
_PLAIN = ("dataset_name", "deterministic", "experimental_deterministic", "experimental_slack",
          "experimental_symbolic_checkpoint", "experimental_threading", "experimental_distribute",
          "experimental_external_state_policy", "experimental_warm_start",
          "framework_type")  # fmt: skip


class _Group:
    """Settings by name, None where nothing was set."""

    def __init__(self, title: str, names: tuple[str, ...]) -> None:
        self.__dict__.update(_title=title, _names=names, _set={})

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name not in self._names:
            raise AttributeError(
                three_part(
                    f"{self._title!r} object has no attribute {name!r}.",
                    "",
                    f"There are {', '.join(self._names)}.",
                )
            )
        return self._set.get(name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self._names:
            raise AttributeError(
                three_part(
                    f"Cannot set the property {name} on {self._title}.",
                    f"Set at {decode(*here())}.",
                    f"There are {', '.join(self._names)}.",
                )
            )
        self._set[name] = value


@export("data.Options")
class Options(_Group):
    """How TensorFlow would run a dataset; accepted, and of no effect."""

    def __init__(self) -> None:
        super().__init__("Options", (*_PLAIN, *_GROUPS))
        for name, names in _GROUPS.items():
            self._set[name] = _Group(name, names)

    def merge(self, options: Options) -> Options:
        """These, and those of `options` in their place."""
        out = Options()
        for given in (self, options):
            for name, value in given._set.items():
                if isinstance(value, _Group):
                    out._set[name]._set.update(value._set)
                else:
                    out._set[name] = value
        return out
