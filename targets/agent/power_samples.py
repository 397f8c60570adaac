"""What a power sampler gives, and what bounds it."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .arrays import encode_float64, encode_int64


@dataclass(slots=True, kw_only=True)
class Samples:
    """What one sampling gave. `slots` number the polls that were due: a number that is missing is a lost sample; empty
    where nothing was polled.

    `error` is the last failure of the meter, `truncated` says that a bound ended the sampling and not the caller.
    """

    time_ns: array[int] = field(default_factory=lambda: array("q"))
    slots: array[int] = field(default_factory=lambda: array("q"))
    values: list[array[float]] = field(default_factory=list["array[float]"])
    error: str | None = None
    truncated: bool = False
    longest_read_ns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """When a sampling ends: `stopped` says so, or after so many samples or seconds. `ready` is called at the first."""

    max_samples: int
    max_s: float
    stopped: Callable[[], bool]
    ready: Callable[[], None]


def encode(samples: Samples) -> dict[str, Any]:
    """The samples as JSON with compact arrays; `decode_array` reads them."""
    return {
        "time_ns": encode_int64(samples.time_ns),
        "slots": encode_int64(samples.slots),
        "values": [encode_float64(values) for values in samples.values],
        "error": samples.error,
        "truncated": samples.truncated,
        "longest_read_ns": samples.longest_read_ns,
    }
