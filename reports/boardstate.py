"""In which state a board was when its first timed process began and when its last one ended; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .language import listed, mark, tr
from .record import FIGURE_KINDS, Record

_CLOCKS = {"cpu_freq_min_khz": mark("lowest clock {span} MHz"), "cpu_freq_max_khz": mark("highest clock {span} MHz")}


def board_state(records: Iterable[Record]) -> tuple[tuple[str, str], ...]:
    """(when, in words) of the cells of one board: governor, limits of the clock, hottest zone; empty where no process
    told any of it, as on emulated boards."""
    timed = sorted(
        (trial for record in records for trial in record.trials if trial.kind in FIGURE_KINDS),
        key=lambda trial: (trial.started_at, trial.block, trial.position),
    )
    if not timed:
        return ()
    ends = ((tr("before the first block"), timed[0].state_before), (tr("after the last block"), timed[-1].state_after))
    told = ((when, listed(_words(state))) for when, state in ends)
    return tuple((when, words) for when, words in told if words)


def _words(state: Mapping[str, Any]) -> Iterator[str]:
    governors = state.get("governor") or []
    if governors:
        yield tr("governor {governors}", governors=listed(dict.fromkeys(map(str, governors))))
    for name, sentence in _CLOCKS.items():
        limits = state.get(name) or []
        if limits:
            spans = dict.fromkeys(f"{limit / 1000:.0f}" for limit in limits)
            yield tr(sentence, span=listed(spans))
    zones: Mapping[str, float] = state.get("temperature_c") or {}
    if zones:
        hottest = max(zones, key=lambda zone: zones[zone])
        yield f"{zones[hottest]:.1f} °C ({hottest})"
