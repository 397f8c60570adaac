"""Journal events to Trials and facts: pure, so that a journal can be read again at any time."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from ..reports.record import Samples, Trial, TrialKind
from .powertrace import trace_from_event
from .trialfacts import parts_from_facts

_NEEDED = {
    "trial": ("kind", "block", "attempt", "position", "started_at"),
    "check": ("golden",),
    "failed": ("outcome", "reason"),
}


def damage_of(event: Mapping[str, Any], cells: Collection[str]) -> str | None:
    """What is wrong with a result of the journal, in words; None where it can be stored.

    A board's disk or another program may have written into the journal what no agent writes.
    """
    if event.get("cell") not in cells:
        return f"a result names the cell {event.get('cell')!r}, which the job does not have"
    missing = [name for name in _NEEDED[event["event"]] if name not in event]
    return f"a {event['event']} of {event['cell']} has no {', '.join(missing)}" if missing else None


def trial_from_event(event: Mapping[str, Any]) -> Trial:
    """The trial that a `trial` event of the journal describes (arrays already decoded)."""
    cell, kind = str(event["cell"]), TrialKind(event["kind"])
    block, attempt = int(event["block"]), int(event["attempt"])
    return Trial(
        trial_id=f"{cell}#{kind.value}#{block}#{attempt}",
        cell_id=cell,
        kind=kind,
        block=block,
        attempt=attempt,
        position=int(event["position"]),
        importer=event.get("importer"),
        started_at=str(event["started_at"]),
        load_ns=event.get("load_ns"),
        first_ns=event.get("first_ns"),
        loop_k=int(event.get("loop_k") or 1),
        warmup=_series(event.get("warmup")),
        samples=_series(event.get("samples")),
        counter_source=event.get("counter_source"),
        **parts_from_facts(event),
        power=trace_from_event(event),
        used=event.get("used") or {},
        state_before=event.get("state_before") or {},
        state_after=event.get("state_after") or {},
    )


def _series(value: Any) -> Samples:
    return np.empty(0, np.int64) if value is None else np.asarray(value, dtype=np.int64).reshape(-1)
