"""The ring: the last steps in full detail, held to be written when something goes wrong.

What is held of a step is its records, with all values that they keep. At the level "scalars", and
of steps that `every` leaves out, the graph is made only when they are written.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from . import details
from .calls import Call
from .structures import Snapshot, Structure, bytes_of

__all__ = ["Ring"]

MOST_BYTES = 64 << 20


class Ring:
    """The last `size` steps of a capture."""

    def __init__(self, capture: Any, size: int) -> None:
        self._capture, self._size = capture, size
        self._held: deque[Any] = deque()

    def look(
        self, call: Call, recorder: Any, targets: Any, sources: Any, results: Any, step: int,
        is_first: bool,
    ) -> None:  # fmt: skip
        """Hold a gradient call of which nothing else is looked at."""
        if is_first:
            self.hold(call, recorder, targets, sources, step)

    def hold(
        self, call: Call, recorder: Any, targets: Any, sources: Any, step: int,
        structure: Structure | None = None,
    ) -> None:  # fmt: skip
        """Hold a gradient call until `size` steps later."""
        size = self._size
        nbytes = structure.nbytes if structure is not None else sum(map(bytes_of, recorder.ops))
        if not size or nbytes * size > MOST_BYTES:
            return
        held = self._held
        held.append(
            (step, call, Snapshot(recorder), targets, list(sources), [s.value for s in sources])
        )
        while held[0][0] <= step - size:
            held.popleft()

    def write(self) -> None:
        """Write the steps that are held, and hold none of them any longer."""
        capture = self._capture
        while self._held:
            step, call, snapshot, targets, sources, values = self._held.popleft()
            structure = capture.records.structure_of(call, snapshot, targets, sources)
            if structure is not None:
                capture.records.now(call, step, structure.number)
                named = [
                    (name, source.key, value)
                    for name, source, value in zip(call.names, sources, values, strict=True)
                ]
                details.write(capture, step, structure, snapshot, targets, named)
