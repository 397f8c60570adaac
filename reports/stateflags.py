"""What the board's state says about a process's figures: throttling, load, swap, a process that stood still; pure.

The same finding means different things in the two profiles. `controlled` claims a fixed frequency and a quiet board:
what breaks that makes the block invalid, and it is run again. `as-shipped` asks what a user of the board gets:
throttling is then a result, to be shown and not to be dropped. A process that was stopped measured nothing in either.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from .language import listed, mark, tr
from .record import Trial, TrialKind

AS_SHIPPED = "as-shipped"
CONTROLLED = "controlled"

STILL_NS = 1_000_000_000  # a process that stood still this long in a timed window …
STILL_MEDIANS = 2  # … and two inferences longer than usual, so that a slow model is not taken for a stopped one
OTHERS = 0.10  # of one processor
STOLEN = 0.01
WARMER_C = 10.0
CAPPED = 0.95  # of a frequency that was set

State = Mapping[str, Any]

_PI_BITS = (mark("under-voltage"), mark("a capped frequency"), mark("throttling"), mark("the soft temperature limit"))
_PI_SINCE_BOOT = 16


class Effect(StrEnum):
    """What a finding does to the block that it was made in."""

    INVALID = "invalid"
    SUSPECT = "suspect"
    RESULT = "result"  # it is part of what was measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """One finding: the rule that made it, a clause for a person, and what it does."""

    rule: str
    text: str
    effect: Effect


# rule -> what it does in `controlled`, in `as-shipped`
EFFECTS: Mapping[str, tuple[Effect, Effect]] = {
    "stopped": (Effect.INVALID, Effect.INVALID),
    "throttled": (Effect.INVALID, Effect.RESULT),
    "throttled-before": (Effect.SUSPECT, Effect.RESULT),
    "under-voltage": (Effect.INVALID, Effect.SUSPECT),  # the supply's doing, which another one would not show
    "warmer": (Effect.SUSPECT, Effect.RESULT),  # at a fixed frequency it slows nothing until the board throttles
    "others": (Effect.INVALID, Effect.SUSPECT),
    "stolen": (Effect.INVALID, Effect.SUSPECT),
    "swapped": (Effect.INVALID, Effect.SUSPECT),
    "retuned": (Effect.INVALID, Effect.SUSPECT),
}


def flags(trial: Trial, profile: str) -> tuple[Flag, ...]:
    """What is to be said of one timed process; nothing of the other kinds. Raises ValueError for another profile."""
    if profile not in (CONTROLLED, AS_SHIPPED):
        raise ValueError(f"there is no profile {profile!r}; allowed: {CONTROLLED}, {AS_SHIPPED}")
    if trial.kind is not TrialKind.LATENCY:
        return ()
    found = [*_stopped(trial), *_of_states(trial.state_before, trial.state_after)]
    if not found:
        return ()
    column = 0 if profile == CONTROLLED else 1
    return tuple(Flag(rule=rule, text=text, effect=EFFECTS[rule][column]) for rule, text in found)


def flags_by_block(trials: Iterable[Trial], profile: str) -> dict[tuple[int, int], tuple[Flag, ...]]:
    """(block, attempt) -> what its processes show, each finding with the cell it was made in; quiet ones are absent."""
    found: dict[tuple[int, int], tuple[Flag, ...]] = {}
    for trial in trials:
        for flag in flags(trial, profile):
            key = (trial.block, trial.attempt)
            mine = Flag(rule=flag.rule, text=f"{trial.cell_id}: {flag.text}", effect=flag.effect)
            found[key] = (*found.get(key, ()), mine)
    return found


def invalid_blocks(trials: Iterable[Trial], profile: str) -> dict[tuple[int, int], tuple[str, ...]]:
    """(block, attempt) -> why it does not count. A block stands or falls as a whole: its cells are compared within."""
    return {
        key: reasons
        for key, found in flags_by_block(trials, profile).items()
        if (reasons := tuple(flag.text for flag in found if flag.effect is Effect.INVALID))
    }


def in_words(trials: Iterable[Trial], profile: str) -> dict[Effect, tuple[str, ...]]:
    """What a cell's processes show, by effect: each rule once, with the first words and in how many blocks.

    Another profile than the two is read as `as-shipped`, which claims least.
    """
    timed = [trial for trial in trials if trial.kind is TrialKind.LATENCY]
    known = profile if profile == CONTROLLED else AS_SHIPPED
    found: dict[Effect, dict[str, list[str]]] = {effect: {} for effect in Effect}
    for trial in timed:
        for flag in flags(trial, known):
            found[flag.effect].setdefault(flag.rule, []).append(flag.text)
    return {
        effect: tuple(
            tr("{finding} (in {number} of {blocks} blocks)", finding=texts[0], number=len(texts), blocks=len(timed))
            for texts in rules.values()
        )
        for effect, rules in found.items()
    }


def _stopped(trial: Trial) -> Iterator[tuple[str, str]]:
    """The process stood still: one sample, or the time between two, is seconds longer than the others."""
    if not trial.samples.size:
        return
    longest = float(trial.samples.max()) * trial.loop_k  # stored per inference
    excess = 0.0
    if longest >= STILL_NS:  # the median is needed of very few processes
        usual = float(np.median(trial.samples)) * trial.loop_k
        excess = longest - usual if longest - usual >= STILL_MEDIANS * usual else 0.0
    pause = float(trial.used.get("longest_pause_ns") or 0) - float(trial.used.get("period_ns") or 0)
    if excess >= STILL_NS:
        text = mark("the process stood still for {seconds} s inside a timed window")
        yield "stopped", tr(text, seconds=f"{excess / 1e9:.1f}")
    elif pause >= STILL_NS:
        text = mark("the process stood still for {seconds} s between two timed inferences")
        yield "stopped", tr(text, seconds=f"{pause / 1e9:.1f}")


def _of_states(before: State, after: State) -> Iterator[tuple[str, str]]:
    if not before and not after:
        return
    yield from _pi(before.get("pi_throttled"), after.get("pi_throttled"))
    yield from _throttled(before, after)
    warmer = _largest_rise(before.get("temperature_c"), after.get("temperature_c"))
    if warmer is not None and warmer >= WARMER_C:
        yield "warmer", tr("the board grew {degrees} °C warmer within the process", degrees=f"{warmer:.0f}")
    others, stolen = _load(before, after)
    if others is not None and others >= OTHERS:
        yield "others", tr("other programs used {share} of a processor meanwhile", share=f"{others:.2f}")
    if stolen is not None and stolen >= STOLEN:
        yield "stolen", tr("a hypervisor kept {share} % of a processor from this board", share=f"{100 * stolen:.0f}")
    pages = _difference(before, after, "swapped_pages")
    if pages:
        yield "swapped", tr("{pages} pages were swapped meanwhile", pages=pages)
    changed = [name for name in ("governor", "cpu_freq_min_khz", "cpu_freq_max_khz") if _changed(before, after, name)]
    if changed:
        text = mark("the settings of the processors' frequency were changed meanwhile ({settings})")
        yield "retuned", tr(text, settings=listed(changed))


def _pi(before: Any, after: Any) -> Iterator[tuple[str, str]]:
    """The Raspberry Pi's bits: a state of now at either end, or one noted since boot that was not before."""
    if not isinstance(before, int) or not isinstance(after, int):
        return
    for bit, what in enumerate(_PI_BITS):
        rule = "under-voltage" if bit == 0 else "throttled"
        now, noted = 1 << bit, 1 << (bit + _PI_SINCE_BOOT)
        if (before | after) & now:
            yield rule, tr("the firmware reported {what}", what=tr(what))
        elif after & ~before & noted:
            yield rule, tr("the firmware noted {what} within the process", what=tr(what))
        elif before & noted:
            text = mark("the firmware had noted {what} since boot, so it would not tell it a second time")
            yield "throttled-before", tr(text, what=tr(what))


def _throttled(before: State, after: State) -> Iterator[tuple[str, str]]:
    events = _difference(before, after, "thermal_throttles")
    if events:
        yield "throttled", tr("the processors throttled {events} times because of heat", events=events)
    for name, count in (after.get("over_current_events") or {}).items():
        grown = count - (before.get("over_current_events") or {}).get(name, count)
        if grown > 0:
            yield "throttled", tr("over-current throttling came {events} times ({name})", events=grown, name=name)
    for state in (after, before):
        held = sorted(name for name, level in (state.get("cooling") or {}).items() if level > 0)
        if held:
            yield "throttled", tr("heat held clocks back ({clocks})", clocks=listed(held))
            break
    yield from _below_fixed(after)


def _below_fixed(state: State) -> Iterator[tuple[str, str]]:
    """Processors whose limits are one frequency, but that run slower: firmware may cap them without a word."""
    kinds = ("cpu_freq_khz", "cpu_freq_min_khz", "cpu_freq_max_khz")
    current, lowest, highest = (state.get(kind) or [] for kind in kinds)
    if not len(current) == len(lowest) == len(highest):
        return  # a processor came or went while they were read
    slow = [now for now, low, high in zip(current, lowest, highest, strict=True) if low == high and now < CAPPED * low]
    if slow:
        text = mark("a processor ran at {frequency} MHz, below the frequency that was set")
        yield "throttled", tr(text, frequency=f"{min(slow) / 1000:.0f}")


def _largest_rise(before: Any, after: Any) -> float | None:
    zones = set(before or {}) & set(after or {})
    return max((after[zone] - before[zone] for zone in zones), default=None)


def _load(before: State, after: State) -> tuple[float | None, float | None]:
    """Processors used by others, and kept by a hypervisor, between two states; None where it cannot be told."""
    start, end = before.get("clock"), after.get("clock")
    if not start or not end or end["monotonic_ns"] <= start["monotonic_ns"]:
        return None, None
    wall_ns = end["monotonic_ns"] - start["monotonic_ns"]
    tick_ns = 1e9 / end["ticks_per_s"]
    busy, stolen = _difference(before, after, "busy_ticks"), _difference(before, after, "steal_ticks")
    own_ns = end["own_cpu_ns"] - start["own_cpu_ns"]
    others = None if busy is None else max(0.0, busy * tick_ns - own_ns) / wall_ns
    return others, None if stolen is None else stolen * tick_ns / wall_ns


def _difference(before: State, after: State, name: str) -> int | None:
    first, last = before.get(name), after.get(name)
    return None if first is None or last is None else int(last) - int(first)


def _changed(before: State, after: State, name: str) -> bool:
    first, last = before.get(name), after.get(name)
    return first is not None and last is not None and first != last
