"""Timing inferences at a rate, for devices that are used now and then: each one wakes the processor anew.

Back-to-back inferences keep clocks high and caches warm, which a camera at ten frames a second never sees.
"""

from __future__ import annotations

import time
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .runtimes import LoadedModel

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """Samples in ns per inference, and the longest time between two windows: a process that was stopped shows there.

    `late_starts` began after their time, as the inference before took too long; None where no rate was asked for.
    """

    samples: array[int]
    longest_pause_ns: int
    late_starts: int | None = None


def paced_series(
    model: LoadedModel,
    inputs: list[dict[str, NDArray[Any]]],
    rate_hz: float,
    minimum: int,
    seconds: float,
    maximum: int,
) -> Timed:
    """One inference every 1/`rate_hz` s until both `minimum` and `seconds` are reached, at most `maximum`.

    The process sleeps in between. An inference that is late starts at once, and the next one is due a period later:
    lost time is not made up in a burst.
    """
    clock, bind, distinct = time.perf_counter_ns, model.bind, len(inputs)
    period_ns = round(1e9 / rate_hz)
    samples = array("q", bytes(8 * maximum))
    end = due = clock()
    until = due + int(seconds * 1e9)
    done = late_starts = longest_pause_ns = 0
    while done < maximum and (done < minimum or due < until):
        begun = end
        call = bind(inputs[done % distinct])
        wait_ns = due - clock()
        late = wait_ns <= 0 < done
        if wait_ns > 0:
            time.sleep(wait_ns / 1e9)
        start = clock()
        call()
        end = clock()
        samples[done] = end - start
        longest_pause_ns = max(longest_pause_ns, start - begun)
        done += 1
        late_starts += late
        due = (start if late else due) + period_ns
    del samples[done:]
    return Timed(samples=samples, longest_pause_ns=longest_pause_ns, late_starts=late_starts)
