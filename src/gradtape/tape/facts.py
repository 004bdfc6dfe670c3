"""What one tape knows of one target and one source: reachability, names, exits."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..core import places
from ..core.exits import Exit, Return
from ..core.positions import Position, decode, record_position, user_frame
from ..core.state import OUT, Recorder
from ..core.tensor import Tensor
from ..core.tree import flatten
from ..core.variable import Variable
from ..errors import three_part
from .reach import backward_reach, cuts, flatten_why, forward_reach

if TYPE_CHECKING:
    from .slopes import PathStep

SILENCE = 'If the break is meant, pass unconnected_gradients="zero".'


@dataclass(frozen=True)
class Explanation:
    """What is known about the path from a source to a target.

    Attributes
    ----------
    kind : str
        "connected", "partial", or the reason for a missing gradient: "never watched", "watched
        after use", "watch result dropped", "exit", "integer dtype", "not trainable", "automatic
        watching off", "recording stopped", "tape not active", "other thread", "nondifferentiable",
        "no rule", "rebound", "assigned", "reset", "gradient taken outside", "stop_gradient",
        "meant", "plain target", "no dependence". A path that is there can also be "zero" (the
        gradient is exactly 0: a kink, a branch not taken) or "not finite".
    certain : bool
        Whether this is known, or only possible.
    fact, cause, remedy : str
        The three parts of the message.
    path : tuple of Position
        Where the operations from source to target are; of a missing gradient, where it broke.
    steps : tuple of PathStep
        Of a path that is there: each operation, with the norm of the cotangent that reaches it and
        of what it hands on.
    remark : str
        How many paths there are, and why norms are not known where they are not.

    Examples
    --------
    >>> import gradtape as gt
    >>> a, b = gt.Variable(1.0, name="a"), gt.Variable(2.0, name="b")
    >>> with gt.GradientTape() as tape:
    ...     y = a * a
    >>> tape.explain(y, a).kind, tape.explain(y, b).kind
    ('connected', 'no dependence')
    """

    kind: str
    certain: bool
    fact: str
    cause: str
    remedy: str
    path: tuple[Position, ...] = field(default=())
    steps: tuple[PathStep, ...] = field(default=(), repr=False)
    remark: str = field(default="", repr=False)

    def __str__(self) -> str:
        told = three_part(self.fact, self.cause, self.remedy)
        if not self.steps:
            return told
        from .showing import steps_as_text

        return "\n".join(filter(None, [told, "", steps_as_text(self.steps), self.remark]))

    def _repr_html_(self) -> str:
        from .showing import explanation_as_html

        return explanation_as_html(self)


# ------------------------------------------------------------------------------- facts


class Facts:
    """One target and source on one tape, and what follows from them (computed when asked)."""

    def __init__(
        self, recorder: Recorder, target: Any, source: Any, names: tuple[str, str] | None = None
    ) -> None:
        self.recorder = recorder
        self.targets = [t for t in flatten(target)[0] if isinstance(t, Tensor)]
        self.source = source
        self.key = _source_key(recorder, source)
        self.target_keys = {t.key for t in self.targets if t.key}
        self._names = names

    @property
    def names(self) -> tuple[str, str]:
        # no cached_property: its frame would be taken for the user's
        if self._names is None:
            self._names = _names(self.source)
        return self._names

    @property
    def name(self) -> str:
        return self.names[1]

    @cached_property
    def reach(self) -> dict[int, tuple[int, int]]:
        return forward_reach(self.recorder, self.key) if self.key else {}

    @cached_property
    def reached_from(self) -> set[int]:
        return backward_reach(self.recorder, self.target_keys)

    @property
    def is_connected(self) -> bool:
        followed = self.recorder.tracked
        return any(k in self.reach and (k in followed or k == self.key) for k in self.target_keys)

    @cached_property
    def whys(self) -> list[Any]:
        """The reasons that the targets carry, those of the source's own history first."""
        found = [why for t in self.targets for why in flatten_why(t.why)]
        return [why for why in found if why[3] in self.reach]

    @cached_property
    def cuts(self) -> list[Any]:
        """The causes by which a part of the target lost the history of the source."""
        found = cuts(self.recorder, self.targets)
        return [why for why in found if why[3] in self.reach]

    @cached_property
    def made_at(self) -> Position | None:
        """Where a target was made."""
        for index in range(len(self.recorder.ops) - 1, -1, -1):
            if self.recorder.ops[index][OUT] in self.target_keys:
                return record_position(self.recorder, index)
        return None

    @property
    def watched_at(self) -> str:
        leaf = self.recorder.leaves.get(self.key)
        if type(leaf) is tuple:
            return f", watched at {decode(leaf[3], leaf[4])}"
        if isinstance(self.source, Variable):
            return f", a Variable made at {decode(*self.source.position)}"
        return ""

    def describe(self) -> str:
        return f"{self.name} ({self.source.aval!r}{self.watched_at})"

    def no_path(self) -> str:
        return f"gradient: no path from {self.describe()} to {self.names[0]}."

    def missing(
        self, kind: str, certain: bool, cause: str, remedy: str, *positions: Position | None
    ) -> Explanation:
        path = tuple(p for p in positions if p is not None)
        cause = cause[0].upper() + cause[1:] if cause.startswith(("the ", "an ")) else cause
        return Explanation(kind, certain, self.no_path(), cause, f"{remedy} {SILENCE}", path)

    def may_be_in_target(self, stamp: int) -> bool:
        """Whether something that happened at `stamp` was early enough to enter a target."""
        return len(self.target_keys) < len(self.targets) or any(
            stamp < key for key in self.target_keys
        )

    def left(self, keys: Any) -> bool:
        """Whether one of these (key, time) depends on the source and can have been used."""
        return any(k in self.reach and self.may_be_in_target(at) for k, at in list(keys))

    def exits(self) -> Iterator[Exit]:
        """Places where something that depends on the source left, and was not only shown."""
        if self.recorder.exits is not None:
            for found in self.recorder.exits.places.values():
                if not found.is_shown and self.left(found.keys):
                    yield found


def _source_key(recorder: Recorder, source: Any) -> int:
    if not isinstance(source, Tensor):
        return 0
    source.read()
    key = source.key
    if isinstance(source, Variable) or key in recorder.leaves:
        return key
    for leaf_key, leaf in recorder.leaves.items():
        if type(leaf) is tuple and leaf[0]() is source:
            return leaf_key
    return key


def _names(source: Any) -> tuple[str, str]:
    """What the user's line calls the target and the source."""
    frame = user_frame()
    target_name, source_name = "the target", "the source"
    text = places.segment(frame.f_code, frame.f_lasti)
    texts: list[str] = []
    if text.partition("(")[0].endswith((".gradient", ".explain")):
        texts = places.arguments(frame.f_code, frame.f_lasti)
    if texts and len(texts[0]) <= 40:
        target_name = texts[0]
    if len(texts) > 1:
        node = ast.parse(texts[1], mode="eval").body
        if isinstance(node, ast.Name | ast.Attribute | ast.Subscript) and len(texts[1]) <= 40:
            source_name = texts[1]
            found = places.resolve(frame, ("local", texts[1]))[1]
            if found is not None and found is not source:
                source_name = f"an element of {texts[1]}"
        else:
            for item in ast.walk(node):
                if not isinstance(item, ast.Name):
                    continue
                if places.resolve(frame, ("local", item.id))[1] is source:
                    return target_name, item.id
    if isinstance(source, Variable) and (
        source_name.startswith(("the ", "an ")) or not source.name.startswith("Variable:")
    ):
        source_name = f"Variable {source.name!r}"
    return target_name, source_name


def returns(facts: Facts) -> Iterator[Return]:
    """Values that depend on the source, left, and came back into a target: certain ones first.

    Of what was followed through the code, the first place of each exit is told, and none where a
    value itself was seen to come back.
    """
    found = []
    for back in facts.recorder.returns:
        if back.out_key and back.out_key not in facts.reached_from:
            continue
        if back.out_key:
            matches = any(k in facts.reach and at <= back.out_key for k, at in list(back.keys))
        else:
            matches = facts.left(back.keys)
        if matches:
            found.append(back)
    seen: set[Any] = set()
    for back in sorted(found, key=lambda item: (not item.certain, item.was_followed)):
        left = id(back.exit)
        at = (left, id(back.code), back.lasti)
        if at not in seen and not (back.was_followed and left in seen):
            seen.update((left, at))
            yield back


