"""The windows of an energy figure, marked by the clock of the samples: idle, inferences, idle again."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def between_idle(work: Callable[[], int], idle_s: float) -> dict[str, Any]:
    """Sleep, do the work (it returns how many inferences that were), sleep again; the marks of all three.

    The model is loaded before and kept after: idle is what this process costs while it waits.
    """
    clock = time.perf_counter_ns
    idle_ns = clock()
    time.sleep(idle_s)
    start_ns = clock()
    inferences = work()
    end_ns = clock()
    time.sleep(idle_s)
    return {"marks_ns": [idle_ns, start_ns, end_ns, clock()], "inferences": inferences}
