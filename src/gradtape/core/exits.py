"""Exits: values that left a tape, and the notice taken when one comes back.

Interface for the rest of core: `note_exit(tensor, how)` where a value leaves, and
`came_back(tape, out_key, card, *constants)` where constants enter a record of a tape that has
exits. The rest of this file decides what counts as the same value.
"""

from __future__ import annotations

from typing import Any

from .state import state


def note_exit(tensor: Any, how: str) -> None:
    """Remember that `tensor` leaves the tapes that follow it; a strict tape raises instead."""
    for tape in state.tapes:
        if tensor.key in tape.tracked:
            remember(tape, tensor, how)


def remember(tape: Any, tensor: Any, how: str) -> None:
    """Add one exit to `tape`."""


def came_back(tape: Any, out_key: int, card: Any, *constants: Any) -> None:
    """Notice constants that are values which left `tape` before."""
