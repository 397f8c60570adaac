"""The structured parts of a Trial from plain facts, as journals and the store hold them; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from ..reports.measured import Counters, NodeCost, NodeGroup, OperatorCost, OperatorProfile, Sustained, Window
from ..reports.record import MemoryPhases

Facts = Mapping[str, Any]


def memory_from_facts(facts: Facts | None) -> MemoryPhases | None:
    """The memory phases that a `memory` process journaled; what older agents did not read is None."""
    if facts is None:
        return None
    known = {field.name: facts[field.name] for field in fields(MemoryPhases) if facts.get(field.name) is not None}
    return MemoryPhases(**known)


def profile_from_facts(facts: Facts | None) -> OperatorProfile | None:
    """The operator profile that a `profile` process journaled, or that `asdict` made of one."""
    if facts is None:
        return None
    return OperatorProfile(
        unit=facts.get("unit"),
        source=facts.get("source"),
        iterations=int(facts.get("iterations") or 0),
        inferences_total=facts.get("inferences_total"),
        quantized=bool(facts.get("quantized")),
        operators=tuple(_operator(one) for one in facts.get("operators") or ()),
        nodes=_group(facts.get("nodes")),
        fell_back=_group(facts.get("fell_back")),
        in_float=_group(facts.get("in_float")),
        unavailable=dict(facts.get("unavailable") or {}),
    )


def counters_from_facts(facts: Facts | None) -> Counters | None:
    """The hardware events that a `counters` process journaled."""
    return None if facts is None else Counters(**facts)


def sustained_from_facts(facts: Facts | None) -> Sustained | None:
    """The long run that a `sustained` process journaled."""
    if facts is None:
        return None
    windows = tuple(Window(**one) for one in facts["windows"])
    return Sustained(ended=str(facts["ended"]), windows=windows, unavailable=dict(facts.get("unavailable") or {}))


def _operator(facts: Facts) -> OperatorCost:
    return OperatorCost(
        op=str(facts["op"]), nodes=int(facts["nodes"]), total=facts["total"], providers=tuple(facts["providers"])
    )


def _group(facts: Facts | None) -> NodeGroup | None:
    if facts is None:
        return None
    listed = tuple(NodeCost(**one) for one in facts["listed"])
    return NodeGroup(number=int(facts["number"]), total=facts["total"], listed=listed)


_READ = {
    "memory": memory_from_facts,
    "profile": profile_from_facts,
    "counters": counters_from_facts,
    "sustained": sustained_from_facts,
}
PARTS = tuple(_READ)


def parts_from_facts(facts: Facts) -> dict[str, Any]:
    """The structured parts that a trial has; most have none or one, and older rows and journals do not name them."""
    return {name: read(facts[name]) for name, read in _READ.items() if facts.get(name) is not None}
