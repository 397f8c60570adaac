"""What an optimisation found, in sentences. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...reports.units import percent, ratio
from ...reports.verdict import Verdict, Word
from ...reports.wording import plural, setting_text

_WORDS = {
    ("memory_bytes", Word.LESS_WORK): "needs less memory than",
    ("memory_bytes", Word.MORE_WORK): "needs more memory than",
    ("instructions", Word.LESS_WORK): "does less work than",
    ("instructions", Word.MORE_WORK): "does more work than",
    ("latency_ns", Word.FASTER): "is faster than",
    ("latency_ns", Word.SLOWER): "is slower than",
}


def settings_words(settings: Mapping[str, Any], default: Mapping[str, Any]) -> str:
    """A setting by what differs from the default one: `threads 2, affinity big`."""
    keys = sorted({*settings, *default})
    differing = [key for key in keys if settings.get(key) != default.get(key)]
    parts = [f"{key.replace('_', ' ')} {setting_text(settings.get(key))}" for key in differing]
    return ", ".join(parts) or "the default"


def screened_words(name: str, verdict: Verdict) -> str:
    """What a setting seemed to give in the screening: a figure without a word, as nothing is proven there."""
    if verdict.ratio is None:
        return f"{name}: not comparable: {verdict.note}."
    return f"{name}: ratio {ratio(verdict.ratio, verdict.ci_low, verdict.ci_high).value}, {_rests_on(verdict)}."


def verdict_words(name: str, verdict: Verdict) -> str:
    """A setting's verdict in one sentence, with what it rests on."""
    if verdict.ratio is None:
        return f"{name}: not comparable: {verdict.note}."
    shown = ratio(verdict.ratio, verdict.ci_low, verdict.ci_high)
    kind = "range" if _counted(verdict) else "95 % interval"
    interval = "" if shown.interval is None else f", {kind} {shown.interval}"
    evidence = f"ratio {shown.value}{interval}, {_rests_on(verdict)}"
    word = _WORDS.get((verdict.metric, verdict.word))
    if word is not None:
        many = f", corrected for {verdict.comparisons} comparisons" if verdict.comparisons > 1 else ""
        return f"{name} {word} the default setting ({evidence}{many})."
    if verdict.word is Word.EQUIVALENT:
        return f"{name} is equivalent to the default setting within {percent(verdict.margin)} ({evidence})."
    return f"{name} is not shown to differ from the default setting ({evidence}): {verdict.note}."


def _rests_on(verdict: Verdict) -> str:
    return plural(verdict.pairs, "process" if _counted(verdict) else "block")


def _counted(verdict: Verdict) -> bool:
    """Whether processes are compared one by one, by a rule without a test."""
    return verdict.metric != "latency_ns"
