"""What the rules of a diagnosis look at: the series, arrays and graph of one run, read once."""

from __future__ import annotations

import ast
import re
from functools import cached_property
from typing import Any

import numpy as np

__all__ = ["Evidence"]

_LARGEST = 2_000_000
"""Entries of all inputs together up to which a graph is played again."""
_BATCHES = 64
_ASSIGNS = re.compile(r"\.assign(_sub|_add)?\(|[-+]=")


class Evidence:
    """One run, as the rules of a diagnosis see it. Nothing is read before it is asked for."""

    def __init__(self, reader: Any) -> None:
        self.reader = reader

    # ------------------------------------------------------------------ series

    @cached_property
    def columns(self) -> set[str]:
        """The names of the scalar series."""
        return {column.name for column in self.reader.columns()}

    @cached_property
    def steps(self) -> Any:
        """The recorded steps."""
        return self.reader.series("cost")[0] if "cost" in self.columns else np.empty(0)

    @cached_property
    def cost(self) -> Any:
        """The cost at each step."""
        return self.of("cost")

    def of(self, name: str) -> Any:
        """A series at the steps of the cost; NaN where it has no entry."""
        if name not in self.columns:
            return np.full(self.steps.shape, np.nan)
        steps, values = self.reader.series(name)
        if np.array_equal(steps, self.steps):
            return values
        found = np.full(self.steps.shape, np.nan)
        if len(steps):
            at = np.searchsorted(self.steps, steps)
            fits = at < len(self.steps)
            fits[fits] = self.steps[at[fits]] == steps[fits]
            found[at[fits]] = values[fits]
        return found

    @cached_property
    def sources(self) -> list[str]:
        """The names of the Variables and watched Tensors."""
        found = [
            name.partition("/")[2]
            for name in sorted(self.columns)
            if name.startswith(("grad/", "gradnorm/"))
        ]
        return list(dict.fromkeys(found))

    def gradient_norm(self, name: str) -> Any:
        """The norm of the gradient of a source at each step."""
        if f"grad/{name}" in self.columns:
            return np.abs(self.of(f"grad/{name}"))
        return self.of(f"gradnorm/{name}")

    @cached_property
    def gradient_norms(self) -> Any:
        """The norm of the whole gradient at each step."""
        parts = [np.nan_to_num(self.gradient_norm(name), nan=0.0, posinf=np.inf)
                 for name in self.sources]  # fmt: skip
        if not parts:
            return np.full(self.steps.shape, np.nan)
        with np.errstate(all="ignore"):
            return np.hypot.reduce(parts, axis=0)  # the square of a large one is infinite

    def update_norm(self, name: str) -> Any:
        """The norm of the update of a source at each step; NaN at the last."""
        if f"value/{name}" in self.columns:
            values = self.of(f"value/{name}")
            with np.errstate(all="ignore"):
                return np.append(np.abs(np.diff(values)), np.nan)
        return self.of(f"updatenorm/{name}")

    @cached_property
    def ascends(self) -> bool:
        """Whether every source moved along its gradient, where descent moves against it."""
        ways = [way for name in self.sources if (way := self._way(name)) is not None]
        return bool(ways) and min(ways) > 0

    def _way(self, name: str) -> float | None:
        """The sign of update x gradient of a source at most steps; None where it is not known."""
        if f"value/{name}" in self.columns:
            values, gradients = self.of(f"value/{name}"), self.of(f"grad/{name}")
            with np.errstate(all="ignore"):
                signs = np.sign(np.diff(values)) * np.sign(gradients[:-1])
        elif self._has_tag(f"value/{name}") and self._has_tag(f"grad/{name}"):
            kept = set(self.reader.arrays(f"value/{name}"))
            pairs = [s for s in self.reader.arrays(f"grad/{name}") if {s, s + 1} <= kept][:9]
            with np.errstate(all="ignore"):
                signs = np.array([np.sign(np.sum(
                    (self._array(f"value/{name}", s + 1) - self._array(f"value/{name}", s))
                    * self._array(f"grad/{name}", s).conj()
                ).real) for s in pairs])  # fmt: skip
        else:
            return None
        known = signs[np.isfinite(signs) & (signs != 0)]
        return float(np.median(known)) if len(known) else None

    @cached_property
    def rate(self) -> float | None:
        """The learning rate, where each update is the gradient times one number."""
        found = []
        for name in self.sources:
            with np.errstate(all="ignore"):
                ratio = self.update_norm(name) / self.gradient_norm(name)
            ratio = ratio[np.isfinite(ratio) & (ratio > 0)][:200]
            if not len(ratio):
                continue
            middle = float(np.median(ratio))
            if np.abs(np.quantile(ratio, [0.1, 0.9]) - middle).max() > 0.05 * middle:
                return None
            found.append(middle)
        if not found or max(found) > 1.05 * min(found):
            return None
        return float(np.median(found))

    @cached_property
    def curvature(self) -> Any:
        """Learning rate x curvature of the cost along each step, from the change of the cost.

        For a step of gradient descent on one cost, c' = c - r |g|^2 + r^2 g'Hg / 2: the product
        r g'Hg / |g|^2 must be below 2. NaN where the cost is another at each step (minibatches), or
        may be, since the operations were not recorded.
        """
        found = np.full(self.steps.shape, np.nan)
        if self.rate is None or self.batches > 1 or not self.is_steady or len(found) < 2:
            return found
        with np.errstate(all="ignore"):
            change = np.where(np.diff(self.steps) == 1, np.diff(self.cost), np.nan)
            change /= self.rate * self.gradient_norms[:-1] ** 2
            found[:-1] = 2.0 * (1.0 + change)
        return found

    def gradients(self, name: str, start: float, stop: float, most: int = 40) -> Any:
        """Gradients of a source in a part of the run, from 0 to 1: (up to `most`, entries)."""
        if f"grad/{name}" in self.columns:
            found = self.of(f"grad/{name}")
            found = found[int(start * len(found)) : int(np.ceil(stop * len(found)))]
            return found[np.unique(np.linspace(0, len(found) - 1, most).astype(int))][:, None]
        tag, (first, last) = f"grad/{name}", self.steps[[0, -1]]
        kept = self.reader.arrays(tag) if self._has_tag(tag) else []
        inside = [s for s in kept if start <= (s - first) / max(last - first, 1) <= stop]
        if not inside:
            return np.empty((0, 1))
        chosen = np.unique(np.linspace(0, len(inside) - 1, most).astype(int))
        return np.array([np.ravel(self._array(tag, inside[i])) for i in chosen])

    @cached_property
    def drift(self) -> tuple[float, float]:
        """(cosine, ratio of the norms) of the mean gradient at the end and at the beginning.

        Near 1 and 1, the run has not come to see another slope than that at which it began.
        """
        before, after = [], []
        for name in self.sources:
            early, late = self.gradients(name, 0.0, 0.25), self.gradients(name, 0.75, 1.0)
            if not len(early) or not len(late):
                return np.nan, np.nan
            before.append(early.mean(axis=0))
            after.append(late.mean(axis=0))
        with np.errstate(all="ignore"):
            a, b = np.concatenate(before), np.concatenate(after)
            norms = np.linalg.norm(a), np.linalg.norm(b)
            return float((a @ b.conj()).real / (norms[0] * norms[1])), float(norms[1] / norms[0])

    @cached_property
    def reach(self) -> float:
        """By how much all updates together could have lowered the cost, to first order."""
        parts = [self.update_norm(name) * self.gradient_norm(name) for name in self.sources]
        between = np.diff(self.steps)  # of a run with every=10, one update in ten is known
        return float(np.nansum(parts) * np.median(between)) if parts and len(between) else np.nan

    @cached_property
    def is_settled(self) -> bool:
        """Whether no entry of the gradient is left that points the same way at step after step.

        Of one set of data: whether each has fallen to a hundred-thousandth of its largest.
        """
        for name in self.sources:
            if self.batches == 1:
                every = np.abs(self.gradients(name, 0.0, 1.0))
                top = every.max(axis=0, initial=0.0)
                if len(every) and np.any(every[-1][top > 0] >= 1e-5 * top[top > 0]):
                    return False
                continue
            late = self.gradients(name, 0.75, 1.0)
            if len(late) < 10:
                continue
            noise = late.std(axis=0, ddof=1) / np.sqrt(len(late))
            if np.any(np.abs(late.mean(axis=0)) > 5.0 * noise):
                return False
        return True

    # ------------------------------------------------------------------ inputs and graph

    @cached_property
    def roles(self) -> dict[str, str]:
        """Tags of the inputs x and y, and of the prediction."""
        roles = self.reader.meta().get("roles") or {}
        return {name: tag for name, tag in roles.items() if isinstance(tag, str)}

    @cached_property
    def batches(self) -> int:
        """How many different arrays stood as x or y: more than one are minibatches."""
        tags = {self.roles[role] for role in ("x", "y") if role in self.roles}
        return max((len(self.reader.arrays(tag)) for tag in tags & self._tags), default=1)

    @cached_property
    def varies(self) -> bool:
        """Whether the cost is known to be another function of the parameters at other steps."""
        tags = [tag for tag in self.graph.get("inputs", {}) if tag in self._tags]
        masks = {node.get("tag") for node in self.nodes.values() if node["dtype"] == "bool"}
        changing = [tag for tag in tags if tag not in masks and len(self.reader.arrays(tag)) > 1]
        numbers = [tag for tag in self.graph.get("inputs", {}) if tag in self.columns]
        return bool(changing or numbers) or len({g for _, g in self.reader.structures()}) > 1

    @property
    def is_steady(self) -> bool:
        """Whether the cost is one function of the parameters at all steps, as far as is known."""
        return bool(self.nodes) and not self.varies

    @cached_property
    def pairs(self) -> tuple[Any, Any]:
        """The rows of x and y; of mini-batches, different rows of many together."""
        x, y = self.input("x"), self.input("y")
        if x is None or y is None or self.batches == 1 or not x.ndim or not y.ndim:
            return x, y
        kept = [set(self.reader.arrays(self.roles[role])) for role in ("x", "y")]
        steps = sorted(kept[0] & kept[1])[:_BATCHES]
        found = [(self.input("x", step), self.input("y", step)) for step in steps]
        found = [(a, b) for a, b in found if len(a) == len(b) and a.shape[1:] == x.shape[1:]
                 and b.shape[1:] == y.shape[1:]]  # fmt: skip
        if not found:
            return x, y
        xs, ys = (np.concatenate(part) for part in zip(*found, strict=True))
        _, first = np.unique(xs.reshape(len(xs), -1), axis=0, return_index=True)
        return xs[first], ys[first]

    def input(self, role: str, step: float | None = None) -> Any:
        """The array that stands in a role, or None."""
        tag = self.roles.get(role)
        return None if tag is None else self._array(tag, self._step(step))

    def _step(self, step: float | None) -> int:
        if step is not None:
            return int(step)
        return int(self.steps[-1]) if len(self.steps) else 0

    def _array(self, tag: str, step: int) -> Any:
        try:
            return self.reader.array(tag, step)[0]
        except (LookupError, ValueError):
            return None

    @cached_property
    def graph(self) -> dict[str, Any]:
        """The op graph of the last step; empty where none was recorded."""
        return self.graph_at(self._step(None))

    def graph_at(self, step: int) -> dict[str, Any]:
        """The op graph of a step."""
        try:
            return self.reader.graph(step) or {}
        except (LookupError, ValueError):
            return {}

    @cached_property
    def nodes(self) -> dict[int, dict[str, Any]]:
        """The nodes of the graph of the last step, by their ids."""
        return {node["id"]: node for node in self.graph.get("nodes", [])}

    def changes(self, tag: str, most: int) -> list[Any]:
        """What a tag held at up to so many steps at which it had an array of its own."""
        kept = self.reader.arrays(tag) if self._has_tag(tag) else []
        chosen = np.unique(np.linspace(0, len(kept) - 1, most).astype(int)) if kept else ()
        arrays = [self._array(tag, kept[i]) for i in chosen]
        return [array for array in arrays if array is not None]

    @cached_property
    def last_values(self) -> dict[int, Any]:
        """The value of every node at the last step."""
        return self.values(self._step(None))

    def values(self, step: float) -> dict[int, Any]:
        """The value of every node at a step, by playing the graph again; empty if that fails."""
        from .replay import Replay

        at = int(step)
        graph = self.graph_at(at)
        given: dict[str, Any] = {}
        row = self.reader.row(at)
        for tag in (*graph.get("sources", {}), *graph.get("inputs", {})):
            value = row.get(tag)
            if value is None or (isinstance(value, float) and np.isnan(value)):
                value = self._array(tag, at)
            if value is None:
                return {}
            given[tag] = value
        if not given or sum(np.size(value) for value in given.values()) > _LARGEST:
            return {}
        wanted = [node["id"] for node in graph["nodes"]]
        try:
            with np.errstate(all="ignore"):
                found = Replay(graph).run(given, want=wanted)
        except Exception:  # an operation that cannot be played again
            return {}
        return found if isinstance(found, dict) else dict(zip(wanted, found, strict=False))

    @cached_property
    def _tags(self) -> set[str]:
        return {tag.name for tag in self.reader.tags()}

    def _has_tag(self, name: str) -> bool:
        return name in self._tags

    # ------------------------------------------------------------------ lines

    @cached_property
    def update(self) -> dict[str, Any]:
        """File, line and text of the first assignment to a Variable.

        A compiled function assigns when it is called: then the line inside of it is looked for.
        So it is where the parameters are plain arrays, `p = p - rate * grad(f)(p)`.
        """
        for event in self.reader.events("assign"):
            data = event.get("data") or {}
            if data.get("line"):
                found = self.line(data.get("file", ""), data["line"])
                if _ASSIGNS.search(found["text"]):
                    return found
                return self._assignment(self.nodes.get(self.graph.get("target", -1), {}))
        for node in self.nodes.values():
            if node["kind"] == "source" and node.get("line"):
                return self._assignment(node, _replaces(node.get("text") or ""), skipped=0)
        return {}

    def _assignment(
        self, node: dict[str, Any], pattern: re.Pattern[str] = _ASSIGNS, skipped: int = 1
    ) -> dict[str, Any]:
        """The first line after that of a node, in the same function, that assigns; or its own."""
        file, line = node.get("file", ""), node.get("line") or 0
        source = self.reader.source(file) or ""
        try:
            ends = [f.end_lineno or 0 for f in ast.walk(ast.parse(source))
                    if isinstance(f, ast.FunctionDef) and f.lineno <= line]  # fmt: skip
        except (SyntaxError, ValueError):  # a cell of a notebook with magic
            ends = []
        first = line + skipped
        end = min((end for end in ends if end >= line), default=None)
        for number, text in enumerate(source.splitlines()[max(first - 1, 0) : end], first):
            if pattern.search(text):
                return self.line(file, number)
        return self.place(node)

    def line(self, file: str, number: int) -> dict[str, Any]:
        """File, line and text, as a Finding takes them."""
        try:
            lines = (self.reader.source(file) or "").splitlines()
        except (LookupError, ValueError):
            lines = []
        text = lines[number - 1].strip() if 0 < number <= len(lines) else ""
        return {"file": file, "line": number, "text": text}

    def place(self, node: dict[str, Any]) -> dict[str, Any]:
        """File, line and text of a node, as a Finding takes them."""
        if not node.get("line"):
            return {}
        return {"file": node.get("file", ""), "line": node["line"], "text": node.get("text") or ""}


def _replaces(line: str) -> re.Pattern[str]:
    """What finds `p = p - rate * slope` for a line `slope = grad(f)(p)`."""
    words = "|".join(re.findall(r"\w+", line)[:30])
    return re.compile(rf"(?:^|[:;])\s*({words})\s*(?:=(?=.*\b\1\b)[^=].*[-+]|[-+]=)")
