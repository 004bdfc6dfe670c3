"""What is active in this thread, and the source of keys: the one place with state.

A *key* is an int that is never used again; every version of a Tensor that a tape can follow has
one. A `Recorder` is the recording half of a tape. It holds keys, values and positions, and never
a Tensor; a Tensor never holds a Recorder. So nothing here forms a reference cycle.
"""

from __future__ import annotations

import itertools
from _thread import _local, get_ident
from typing import Any

next_key = itertools.count(1).__next__

# A record is a list. Its first nine fields are the skeleton, which outlives the gradient; what
# follows are the residuals, which a consuming gradient deletes.
RUN, CARD, OUT, CODE, LASTI, KX, KY, SX, SY, RESIDUALS = range(10)
# General records (`dispatch.apply`) use KX for the tuple of keys, SX for the avals of the
# operands, SY for the parameters, and hold operands and output as residuals; the avals of the
# outputs follow where these are several, and None where there is one.
KEYS, AVALS, PARAMS, OUTS = KX, SX, SY, 11


class Recorder:
    """What one tape has recorded: the records, the keys it follows, and what left it."""

    __slots__ = (
        "__weakref__",
        "_late",
        "_spans",
        "_watched_arrays",
        "aliases",
        "auto_watch",
        "exits",
        "has_unsupported",
        "keep_all",
        "is_lifted",
        "leaves",
        "level",
        "ops",
        "record",
        "returns",
        "strict",
        "thread",
        "tracked",
    )
    worded: Any = staticmethod(str)  # how a dialect says what is said of a tape
    is_general = False  # whether it needs more of an operation than the fast path keeps
    is_trace = False  # whether it stands for a trace (`graph/trace.py`), and not for a tape

    def __init__(
        self, auto_watch: bool = True, strict: bool = False, keep_all: bool = False
    ) -> None:
        self.keep_all = keep_all  # keep every operand, for a forward sweep
        self.auto_watch = auto_watch
        self.strict = strict
        self.ops: list[list[Any]] = []
        self.record = self.ops.append
        self.tracked: set[int] = set()
        self.leaves: dict[int, Any] = {}  # key -> the Variable, or facts about a watched Tensor
        self.thread = get_ident()
        self.has_unsupported = False
        self.level = 0  # when it was entered, inside a level of jvp or vmap
        self.is_lifted = False  # records hold lifts, so that sweeps must run on Tensors
        self.returns: Any = ()  # values that left and came back
        self.aliases: Any = ()  # large constants that the user could still write to
        # exits: an exits.Exits once something has left
        self.exits: Any = None
        self._late: Any = None
        self._spans: Any = None
        self._watched_arrays: Any = None

    def meet(self, operands: Any) -> None:
        """Operands of something that is not recorded: a sieve looks at them (`tape/sieve.py`)."""

    # What few tapes need is made when it is first asked for. (A __getattr__ would do it in fewer
    # lines, and make every other attribute several times slower.)

    @property
    def late(self) -> dict[int, Any]:
        """Keys that were watched but have no gradient, with why."""
        if self._late is None:
            self._late = {}
        return self._late  # type: ignore[no-any-return]

    @property
    def spans(self) -> list[Any]:
        """(first record, end, code, lasti): records made on behalf of the user's line."""
        if self._spans is None:
            self._spans = []
        return self._spans  # type: ignore[no-any-return]

    @property
    def watched_arrays(self) -> list[Any]:
        """Plain arrays that were watched: (weak reference, key, code, lasti)."""
        if self._watched_arrays is None:
            self._watched_arrays = []
        return self._watched_arrays  # type: ignore[no-any-return]


SEVERAL = Recorder(auto_watch=False)  # stands for "more than one": follows nothing by itself


class _State(_local):
    """`tapes` are the active recorders; `tape` is the only one, None, or `SEVERAL`."""

    tape: Recorder | None = None
    tapes: tuple[Recorder, ...] = ()
    stopped: int = 0  # depth of tape.stop_recording() contexts
    levels: int = 0  # depth of jvp and vmap calls
    batches: tuple[Any, ...] = ()  # the levels of the vmap calls, the outermost first
    part: Any = None  # of a batch that is played: which examples take part, None for all
    draws: Any = None  # where random numbers are kept, or come from: see streams.py
    is_silent: bool = False  # what is computed again prints nothing


state = _State()
traces: list[Any] = []  # those of all threads: what is empty asks no thread


def push(recorder: Recorder) -> None:
    """Make `recorder` record in this thread."""
    recorder.level = next_key() if state.levels else 0
    tapes = state.tapes
    if tapes:
        state.tapes = (*tapes, recorder)
        state.tape = SEVERAL
    else:
        state.tapes = (recorder,)
        state.tape = SEVERAL if recorder.is_general else recorder


def kept_array(array: Any, copy: Any) -> Any:
    """`copy`, kept by a record in place of an `array` of the user's; a trace remembers whose."""
    tapes: Any = state.tapes
    if tapes and tapes[0].is_trace:
        tapes[0].freeze(array, copy)
    return copy


def pop(recorder: Recorder) -> None:
    """Stop `recorder`; the order of exits is free."""
    tapes = state.tapes
    if len(tapes) == 1 and tapes[0] is recorder:
        state.tapes = ()
        state.tape = None
    else:
        state.tapes = tapes = tuple(item for item in tapes if item is not recorder)
        if not tapes:
            state.tape = None
        else:
            state.tape = SEVERAL if len(tapes) > 1 or tapes[0].is_general else tapes[0]


class paused:
    """No recorder records in this thread inside `with paused():`."""

    __slots__ = ("saved",)

    def __enter__(self) -> None:
        self.saved = (state.tape, state.tapes)
        state.tape, state.tapes = None, ()

    def __exit__(self, *_: object) -> None:
        state.tape, state.tapes = self.saved


class only:
    """Only `tapes` record in this thread inside the `with`."""

    __slots__ = ("saved", "tapes")

    def __init__(self, tapes: tuple[Recorder, ...]) -> None:
        self.tapes = tapes

    def __enter__(self) -> None:
        self.saved = (state.tape, state.tapes)
        state.tapes = self.tapes
        state.tape = SEVERAL if self.tapes else None

    def __exit__(self, *_: object) -> None:
        state.tape, state.tapes = self.saved


def below(stamp: int) -> only:
    """Only recorders that were entered before the level of `stamp` record inside the `with`."""
    return only(tuple(t for t in state.tapes if t.level < stamp))


class taking_part:
    """Of the examples of a batch that is played inside the `with`, these take part."""

    __slots__ = ("holds", "saved")

    def __init__(self, holds: Any) -> None:
        self.holds = holds

    def __enter__(self) -> None:
        self.saved = state.part
        state.part = self.holds

    def __exit__(self, *_: object) -> None:
        state.part = self.saved
