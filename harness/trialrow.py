"""A Trial as a row of the store and back: the series as compressed blobs, all else as one JSON text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ..reports.record import Trial, TrialKind
from .powertrace import trace_from_facts, trace_to_facts
from .series import pack, unpack
from .trialfacts import PARTS, parts_from_facts

COLUMNS = ("trial_id", "cell_id", "kind", "block", "attempt", "facts", "warmup", "samples")
_FACTS = (
    "position",
    "importer",
    "started_at",
    "load_ns",
    "first_ns",
    "loop_k",
    "counter_source",
    "used",
    "state_before",
    "state_after",
)


def trial_to_row(trial: Trial) -> dict[str, Any]:
    """The columns of a trial."""
    facts: dict[str, Any] = {name: getattr(trial, name) for name in _FACTS}
    for name in PARTS:
        part = getattr(trial, name)
        facts[name] = None if part is None else asdict(part)
    facts["power"] = trace_to_facts(trial.power)
    return {
        "trial_id": trial.trial_id,
        "cell_id": trial.cell_id,
        "kind": trial.kind.value,
        "block": trial.block,
        "attempt": trial.attempt,
        "facts": json.dumps(facts, sort_keys=True, ensure_ascii=False),
        "warmup": pack(trial.warmup),
        "samples": pack(trial.samples),
    }


def trial_from_row(row: Sequence[Any]) -> Trial:
    """The trial that `trial_to_row` was given, from its columns in the order of COLUMNS."""
    trial_id, cell_id, kind, block, attempt, text, warmup, samples = row
    facts: dict[str, Any] = json.loads(text)
    facts |= parts_from_facts(facts)
    power = trace_from_facts(facts.pop("power", None))
    return Trial(
        trial_id=trial_id,
        cell_id=cell_id,
        kind=TrialKind(kind),
        block=block,
        attempt=attempt,
        warmup=unpack(warmup),
        samples=unpack(samples),
        power=power,
        **facts,
    )
