"""Graphs on which the compiler has failed, as files: `python -m gradtape.backends.reproduce FILE`.

The file is JSON: the graph, its constants, the versions, and what was said. It holds no code.
"""

from __future__ import annotations

import base64
import json
import platform
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from ..graph.coding import Reader, Uncodable, Writer
from ..graph.ir import Graph
from ..graph.printing import show

__all__ = ["read", "write"]


def write(graph: Graph, error: Exception) -> Path | None:
    """The file that shows the failure again; None where the graph has no form in a file."""
    writer = Writer()
    try:
        said: dict[str, Any] = {"graph": writer.graph(graph)}
    except Uncodable:
        return None
    said["arrays"] = [
        [x.dtype.str, list(x.shape), base64.b64encode(np.ascontiguousarray(x).tobytes()).decode()]
        for x in writer.arrays
    ]
    said["error"] = f"{type(error).__name__}: {error}"
    said["versions"] = {
        "python": sys.version, "numpy": np.__version__, "machine": platform.machine(),
        **{name: getattr(sys.modules.get(name), "__version__", "") for name in ("llvmlite",)},
    }  # fmt: skip
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix=f"gradtape-{_plain(graph.name)}-", suffix=".json", delete=False
        ) as file:
            json.dump(said, file)
    except OSError:
        return None
    return Path(file.name)


def _plain(name: str) -> str:
    return "".join(c for c in name if c.isalnum() or c in "_-") or "function"


def read(path: str | Path) -> Graph:
    """The graph of a file."""
    said = json.loads(Path(path).read_text())
    arrays = [
        np.frombuffer(bytearray(base64.b64decode(data)), np.dtype(dtype)).reshape(shape)
        for dtype, shape, data in said["arrays"]
    ]
    return Reader(arrays).graph(said["graph"])


def _main(path: str) -> None:
    from .. import ops  # noqa: F401 - the operations

    graph = read(path)
    print(show(graph))
    from .llvm import segments

    segments.compile_graph(graph)
    print("It is compiled.")


if __name__ == "__main__":
    _main(*sys.argv[1:2])
