"""How long each part of a longer piece of work took, for the people who wait for it."""

from __future__ import annotations

import time
from collections.abc import Mapping


class Laps:
    """A stopwatch with named parts: a part lasts until the next one begins."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._part: str | None = None
        self._since = 0.0

    def begin(self, part: str) -> None:
        """End the part that runs and begin this one; one that comes again goes on."""
        self.end()
        self._part, self._since = part, time.monotonic()

    def end(self) -> None:
        """End the part that runs, if one does."""
        if self._part is not None:
            self._seconds[self._part] = self._seconds.get(self._part, 0.0) + time.monotonic() - self._since
        self._part = None

    @property
    def seconds(self) -> Mapping[str, float]:
        """Seconds by part, in the order in which they began."""
        return {part: round(seconds, 1) for part, seconds in self._seconds.items()}


def in_words(seconds: Mapping[str, float]) -> str:
    """`look 4 s, provision 31 s: 35 s in all`."""
    parts = ", ".join(f"{part} {value:.0f} s" for part, value in seconds.items())
    return f"{parts}: {sum(seconds.values()):.0f} s in all"
