"""Waiting for the board to cool down before a block, so that no block pays for the heat of the one before.

A board that never gets there is not waited for without end: all waiting together takes a quarter of the campaign at
most. Then the blocks go on and say that the board was warm.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .state import temperatures

TOLERANCE_C = 5.0
POLL_S = 5.0
LONGEST_S = 600.0  # of one wait
_SHARE = 0.25


@dataclass(slots=True, kw_only=True)
class Cooling:
    """The temperature when the job began, and how long was waited. A board without a thermal zone is never waited for.

    `clock` gives seconds; a test brings its own.
    """

    root: Path
    start_c: float | None
    clock: Callable[[], float] = time.monotonic
    began_s: float = 0.0
    waited_s: float = 0.0

    def wait(self, pause: Callable[[float], None], *, done: int, of: int) -> dict[str, Any] | None:
        """Wait until the board is as cool as at the start; `done` of `of` processes have run.

        `pause` sleeps for some seconds. Returns what the block is to note: `cool`, `start_c`, `at_c`, `waited_s`; None
        where there was nothing to wait for.
        """
        at_c = warmest(self.root)
        if self.start_c is None or at_c is None or at_c <= self.start_c + TOLERANCE_C:
            return None
        begun_s = self.clock()
        until_s = begun_s + min(LONGEST_S, self._allowed_s(begun_s, done, of))
        while at_c > self.start_c + TOLERANCE_C and self.clock() + POLL_S <= until_s:
            pause(POLL_S)
            now_c = warmest(self.root)
            at_c = at_c if now_c is None else now_c
        waited_s = self.clock() - begun_s
        self.waited_s += waited_s
        cool = at_c <= self.start_c + TOLERANCE_C
        return {"cool": cool, "start_c": self.start_c, "at_c": at_c, "waited_s": round(waited_s, 1)}

    def _allowed_s(self, now_s: float, done: int, of: int) -> float:
        """What is left of a quarter of the campaign, whose length is judged by the processes so far."""
        worked_s = max(0.0, now_s - self.began_s - self.waited_s)
        whole_s = worked_s * of / max(1, done)
        return max(0.0, whole_s * _SHARE / (1 - _SHARE) - self.waited_s)


def cooling_from_now(root: Path) -> Cooling:
    """The board as it is now is what later blocks wait for."""
    return Cooling(root=root, start_c=warmest(root), began_s=time.monotonic())


def warmest(root: Path) -> float | None:
    """The temperature of the warmest zone in °C; None where the board tells none."""
    zones = temperatures(root)
    return max(zones.values()) if zones else None
