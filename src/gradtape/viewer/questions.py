"""What a request asks: a path and a query, taken apart and checked before anything is read."""

from __future__ import annotations

import math
import re
from urllib.parse import parse_qsl

__all__ = ["Query", "Refusal"]

MOST_NAMES = 256
"""Series that one request may name."""


class Refusal(Exception):
    """A question that has no answer: an HTTP status, and why, in the three parts of our errors."""

    def __init__(self, status: int, fact: str, cause: str, remedy: str) -> None:
        super().__init__(fact)
        self.status, self.fact, self.cause, self.remedy = status, fact, cause, remedy


class Query:
    """The arguments of a request, each read in the form in which it must be.

    >>> query = Query("names=cost%2Cnorm%2Fw&px=800")
    >>> query.names("names"), query.integer("px", 1, 8192), query.integer("from", 0, 9)
    (['cost', 'norm/w'], 800, None)
    """

    def __init__(self, text: str) -> None:
        try:
            pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=64, errors="strict")
        except ValueError:
            raise Refusal(400, "The query cannot be read.", "", "Write name=value&...") from None
        self._values = dict(pairs)
        if len(self._values) < len(pairs):
            raise Refusal(400, "The query says something twice.", "", "Give each name once.")

    def text(self, name: str, default: str | None = None) -> str:
        """Return an argument as it is; without a default it has to be there."""
        found = self._values.get(name, default)
        if found is None:
            raise Refusal(400, f"{name}= is missing.", "", f"Add {name}=... to the query.")
        return found

    def names(self, name: str) -> list[str]:
        """Return the items between commas; a comma within one has a backslash before it."""
        text = self.text(name, "")
        items = [item.replace("\\,", ",") for item in re.split(r"(?<!\\),", text) if item]
        if len(items) > MOST_NAMES:
            raise Refusal(413, f"{len(items)} names are too many.", "", f"Ask for {MOST_NAMES}.")
        return items

    def integer(self, name: str, low: int, high: int) -> int | None:
        """Return a whole number within bounds, None if it is not there."""
        text = self._values.get(name)
        if text is None or text == "":
            return None
        if not re.fullmatch(r"-?[0-9]{1,16}", text) or not low <= int(text) <= high:
            raise Refusal(
                400, f"{name}= must be a whole number.", "", f"Give one from {low} to {high}."
            )
        return int(text)

    def numbers(self, stem: str) -> dict[int, float]:
        """Return the finite numbers that are given as stem0=, stem1=, ... by their position."""
        found = {}
        for name, text in self._values.items():
            match = re.fullmatch(re.escape(stem) + r"([0-9]{1,5})", name)
            if match is None:
                continue
            try:
                value = float(text)
            except ValueError:
                value = math.nan
            if not math.isfinite(value):
                raise Refusal(400, f"{name}= must be a finite number.", "", "Give one.")
            found[int(match[1])] = value
        return found
