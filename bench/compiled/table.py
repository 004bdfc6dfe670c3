"""What is compared, and what must be reached: the bars on ours over the best compiled peer."""

from __future__ import annotations

from bench.cases import CASES, Case
from bench.compiled.cases import OVERHEAD
from bench.peers import COMPILED_PEERS, Peer

# ours / best peer, at one and at two threads
BARS: dict[str, float] = {
    "tutorial": 0.25,
    "chain": 0.8,
    "mlp": 1.0,
    "logistic": 0.7,
    "elementwise": 0.6,
    "sin50-10": 0.3,
    "sin50-1000": 0.6,
    "sin50-100000": 0.6,
    "hessian-200": 1.0,
    "jacobian-64": 0.7,
    "gmm": 0.7,
}
FIRST_BAR = 0.3  # the first call, over that of jax.jit
VALUE_BAR = 3.0  # value and gradient over the value alone
CACHED_BAR = 25.0  # ms: the first call of a program from the disk
OVERHEAD_BAR = 1.5  # us: a call with five small arrays in and two out

# The dialect's step is the tutorial's, and has its own bar among the eager cases.
COMPILED_CASES: tuple[Case, ...] = tuple(case for case in CASES if case.name in BARS)
TIMED: tuple[Case, ...] = (*COMPILED_CASES, OVERHEAD)

# These have no value whose gradient is taken.
WITHOUT_VALUE = ("hessian-200", "jacobian-64", OVERHEAD.name)

# ddx-ad states functions of single numbers; beside the others it is printed, and binds where a
# batch is large enough for its kernels.
_DDX_CASES = ("chain", "sin50-10", "sin50-1000", "sin50-100000")
_DDX_BINDS = ("sin50-100000",)

BATCHES = (1, 4, 16, 64, 256, 1024, 4096)
SIZES = tuple(10**k for k in range(1, 9))
GRAPHS = (10, 100, 1000, 10_000)


def peers_of(case: str, peers: tuple[Peer, ...] = COMPILED_PEERS) -> list[Peer]:
    """Return the peers that have a case."""
    return [peer for peer in peers if peer.name != "ddx-ad" or case in _DDX_CASES]


def binds(case: str, peer: str) -> bool:
    """Return whether a peer can be the best one in a case."""
    return peer != "ddx-ad" or case in _DDX_BINDS
