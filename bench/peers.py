"""The table of libraries: ours, and each peer with what its environment must install.

To add a peer: one entry in `PEERS` and `libs/<library>.py`. Two entries may share an environment
(a compiled mode of the same package, say): give both the same `environment`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Peer:
    """A library as it is measured.

    `library` names the module in `libs/`; `module` is what a user imports and `first_use` the name
    in it that a first gradient needs (a lazy package that has loaded nothing yet has not been
    imported); `mode` says which bars it counts for ("the fastest eager peer").
    """

    name: str
    library: str
    module: str
    first_use: str
    environment: str = ""
    requires: tuple[str, ...] = ()
    mode: str = "eager"


# Every worker makes its data with NumPy and says through threadpoolctl which kernel it runs.
COMMON_REQUIREMENTS = ("numpy", "threadpoolctl")

# Ours runs in the interpreter that runs the bench, from this checkout's sources.
OURS = Peer("gradtape", "gradtape_native", "gradtape", "GradientTape")

PEERS: tuple[Peer, ...] = (
    Peer("torch", "torch_eager", "torch", "autograd.grad", "torch", ("torch==2.13.0",)),
    Peer(
        "tensorflow",
        "tensorflow_eager",
        "tensorflow",
        "GradientTape",
        "tensorflow",
        ("tensorflow",),
    ),
    Peer("jax", "jax_eager", "jax", "value_and_grad", "jax", ("jax",)),
    Peer("autograd", "autograd_eager", "autograd", "value_and_grad", "autograd", ("autograd",)),
    Peer("mygrad", "mygrad_eager", "mygrad", "tensor", "mygrad", ("mygrad",)),
)

# --- compiled modes: the same environments, and two more ------------------------------------------

COMPILED = "compiled"

OURS_COMPILED = replace(OURS, library="gradtape_compiled", first_use="function", mode=COMPILED)


def _compiled(name: str, library: str, of: str, first_use: str) -> Peer:
    peer = next(peer for peer in PEERS if peer.name == of)
    return replace(peer, name=name, library=library, first_use=first_use, mode=COMPILED)


COMPILED_PEERS: tuple[Peer, ...] = (
    _compiled("jax.jit", "jax_compiled", "jax", "jit"),
    _compiled("tf.function", "tensorflow_compiled", "tensorflow", "function"),
    _compiled("tf.function XLA", "tensorflow_xla", "tensorflow", "function"),
    _compiled("torch.compile", "torch_compiled", "torch", "compile"),
    Peer("mlx.compile", "mlx_compiled", "mlx.core", "compile", "mlx", ("mlx[cpu]",), COMPILED),
    Peer("ddx-ad", "ddx_compiled", "ddx", "equation", "ddx", ("ddx-ad",), COMPILED),
)

# The published sets alone: its derivatives are in a pre-release, and take no program but these.
DACE = Peer(
    "dace", "dace_compiled", "dace", "program", "dace", ("dace==2.0.0b1", "setuptools"), COMPILED
)
