"""What is said of a name that `gradtape.tf` does not have."""

from __future__ import annotations

import difflib
import json
from functools import cache
from pathlib import Path
from typing import Any

from ...errors import three_part
from .names import load_all

# What is planned, by the start of its name, and what to do until then.
PLANNED = {
    "keras": "Write the model with tf.Module or tf.Variable; or run Keras with TensorFlow itself.",
    "autodiff": "Use tf.GradientTape, nested for second derivatives.",
    "recompute_grad": "Call the function itself; its values are kept for the backward pass.",
    "grad_pass_through": "Use tf.custom_gradient.",
    "IndexedSlices": "Gradients of gathered Variables are dense tensors.",
}


@cache
def known() -> dict[str, list[str]]:
    """TensorFlow's public names by namespace, "" for the top (`tests/tf/make_names.py`)."""
    text = Path(__file__).with_name("names.json").read_text(encoding="utf-8")
    names: dict[str, list[str]] = json.loads(text)
    return names


def missing(name: str) -> AttributeError:
    """The AttributeError for `tf.<name>`."""
    space, _, last = name.rpartition(".")
    ours = load_all()
    planned = PLANNED.get(name) or PLANNED.get(name.partition(".")[0])
    is_theirs = last in known().get(space, ())
    if planned:
        fact = f"module 'gradtape.tf' has no attribute {name!r}: it is planned."
        return AttributeError(three_part(fact, "", planned))
    fact = f"module 'gradtape.tf' has no attribute {name!r}."
    cause = (
        "TensorFlow has it, and this dialect does not yet."
        if is_theirs
        else "TensorFlow has no such name either."
    )
    near = difflib.get_close_matches(name, ours, n=1, cutoff=0.6) or difflib.get_close_matches(
        last, [n for n in ours if "." not in n], n=1, cutoff=0.5
    )
    spaces = [n for n in ours if n.rpartition(".")[2] == last]
    best: Any = spaces[0] if spaces else near[0] if near else None
    remedy = (
        f"The nearest thing here is tf.{best}."
        if best
        else "dir(gradtape.tf) lists what there is; write it with those functions."
    )
    return AttributeError(three_part(fact, cause, remedy))
