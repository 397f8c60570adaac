"""A process's power trace from the journal or the store, and as the store keeps it: exact, arrays compressed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..reports.energy import PowerTrace
from ..targets.agent.arrays import decode_array, encode_ndarray

Facts = Mapping[str, Any]

UNREAD = "nobody read the meter while this process ran"


def trace_from_event(event: Facts) -> PowerTrace | None:
    """The trace of a `trial` event; None where the process was not metered. `channel` was added by the controller."""
    if event.get("marks_ns") is None or event.get("channel") is None:
        return None
    found: Facts = event.get("power") or {}
    values = found.get("values") or [()]
    slots = found.get("slots")
    return PowerTrace(
        marks_ns=tuple(int(mark) for mark in event["marks_ns"]),
        inferences=int(event["inferences"]),
        channel=dict(event["channel"]),
        time_ns=np.asarray(found.get("time_ns", ()), np.int64),
        values=np.asarray(values[0], np.float64),
        sequence=None if slots is None or not len(slots) else np.asarray(slots, np.int64),
        error=_error(found),
        clocks=found.get("clocks"),
    )


def trace_to_facts(trace: PowerTrace | None) -> dict[str, Any] | None:
    """As JSON with compact arrays."""
    if trace is None:
        return None
    return {
        "marks_ns": list(trace.marks_ns),
        "inferences": trace.inferences,
        "channel": dict(trace.channel),
        "time_ns": encode_ndarray(trace.time_ns),
        "values": encode_ndarray(trace.values),
        "sequence": None if trace.sequence is None else encode_ndarray(trace.sequence),
        "error": trace.error,
        "clocks": trace.clocks,
    }


def trace_from_facts(facts: Facts | None) -> PowerTrace | None:
    """What `trace_to_facts` was given; None for trials of older versions."""
    if facts is None:
        return None
    clocks = facts["clocks"]
    return PowerTrace(
        marks_ns=tuple(facts["marks_ns"]),
        inferences=facts["inferences"],
        channel=facts["channel"],
        time_ns=decode_array(facts["time_ns"]),
        values=decode_array(facts["values"]),
        sequence=None if facts["sequence"] is None else decode_array(facts["sequence"]),
        error=facts["error"],
        clocks=None if clocks is None else (tuple(clocks[0]), tuple(clocks[1])),
    )


def _error(found: Facts) -> str | None:
    if not found:
        return UNREAD
    error: str | None = found.get("error")
    return error or ("the sampler reached its bound of samples or time" if found.get("truncated") else None)
