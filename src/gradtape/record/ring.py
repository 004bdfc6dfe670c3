"""The ring: the last steps in full detail, held to be written when something goes wrong.

What is held of a step is its records, with all values that they keep. At the level "scalars", and
of steps that `every` leaves out, the graph is made only when they are written. Of a compiled step
it is what the program was given, from which `again.py` computes the rest when it is written.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from ..core.operands import fingerprint
from ..core.variable import Variable
from . import again, details
from .calls import Call
from .structures import Snapshot, Structure, bytes_of

__all__ = ["Ring"]

MOST_BYTES = 64 << 20
SMALL = 64 << 10  # bytes of an array of the user's that is copied; of a larger one a sample is


class Ring:
    """The last `size` steps of a capture."""

    def __init__(self, capture: Any, size: int) -> None:
        self._capture, self._size = capture, size
        self._held: deque[Any] = deque()
        self._program: Any = None  # the last compiled one, and which of its inputs can be written
        self._open: list[int] = []
        self._large = 0

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
            (step, self._write, call, Snapshot(recorder), targets, list(sources),
             [s.value for s in sources])
        )  # fmt: skip
        while held[0][0] <= step - size:
            held.popleft()

    def hold_compiled(
        self, call: Call, told: Any, sources: list[Any], given: Any, step: int
    ) -> None:
        """Hold a gradient in a compiled function, by what its program was given."""
        size, program, values = self._size, given.program, given.values
        if self._program is not program:
            self._program = program
            known = [*[None] * program.arguments, *program.sources]
            self._open = [
                n for n, (x, source) in enumerate(zip(values, known, strict=True))
                if type(x) is np.ndarray and not isinstance(source, Variable)
            ]  # fmt: skip
            self._large = sum(x.nbytes for x in values if isinstance(x, np.ndarray)) * size
        held = self._held
        if self._large > MOST_BYTES and self._bytes_with(values) * size > MOST_BYTES:
            return
        samples: tuple[tuple[int, bytes], ...] = ()
        if self._open and (not held or held[-1][5] is not given):
            given.values = values = values.copy()
            for n in self._open:
                x = values[n]
                if x.nbytes <= SMALL:
                    values[n] = x.copy()
                else:
                    samples = (*samples, (n, fingerprint(x)))
        held.append((step, self._write_compiled, call, told, sources, given, samples))
        while held[0][0] <= step - size:
            held.popleft()

    def _bytes_with(self, values: list[Any]) -> int:
        """The bytes of those values that the call before has not had: of one step more."""
        last = self._held[-1] if self._held else None
        known: Any = set()
        if last is not None and last[1] == self._write_compiled:
            known = set(map(id, last[5].values))
        return sum(x.nbytes for x in values if isinstance(x, np.ndarray) and id(x) not in known)

    def write(self) -> None:
        """Write the steps that are held, and hold none of them any longer."""
        while self._held:
            step, write, *facts = self._held.popleft()
            write(step, *facts)

    def _write(
        self, step: int, call: Call, snapshot: Any, targets: Any, sources: Any, values: Any
    ) -> None:
        capture = self._capture
        structure = capture.records.structure_of(call, snapshot, targets, sources)
        if structure is not None:
            capture.records.now(call, step, structure.number)
            named = [
                (name, source.key, value)
                for name, source, value in zip(call.names, sources, values, strict=True)
            ]
            details.write(capture, step, structure, snapshot, targets, named)

    def _write_compiled(
        self, step: int, call: Call, told: Any, sources: list[Any], given: Any, samples: Any
    ) -> None:
        if all(fingerprint(given.values[n]) == sample for n, sample in samples):
            again.write(self._capture, call, told, sources, given, step)
        else:
            self._capture.notices.say(
                "A large array was written in place after a compiled step had read it; the"
                " operations of that step are not computed again."
            )
