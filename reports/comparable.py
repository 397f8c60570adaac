"""What is never compared, and why; pure.

A ratio means something only where the two sides differ in the candidate and in nothing else: same board, same profile,
settings as declared, and the very bytes whose accuracy was judged.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from .language import listed, mark, tr
from .record import FIGURE_KINDS, Record, Trial
from .stateflags import AS_SHIPPED, CONTROLLED

_SORTED = json.JSONEncoder(sort_keys=True, default=str)  # made once: every cell of a run asks


def settings_key(record: Record) -> str:
    """The runtime settings as one comparable text."""
    return _SORTED.encode(dict(record.settings))


_SWITCHES = (
    "threads", "graph_optimization", "arena", "memory_pattern", "spinning", "xnnpack", "offline_graph", "input_layout"
)  # fmt: skip


def why_not_comparable(candidate: Record, baseline: Record, *, across_settings: bool = False) -> str | None:
    """The first reason why a ratio of the two would mislead, as a clause; None where they may be compared.

    `across_settings`: it is the settings that are to be compared, so that they may differ.
    """
    return next(_reasons(candidate, baseline, across_settings), None)


def _reasons(candidate: Record, baseline: Record, across_settings: bool) -> Iterator[str]:
    if candidate.emulated is not baseline.emulated:
        yield tr("one was counted on an emulated board, the other timed on a real one")
    if candidate.board != baseline.board:
        yield tr("they ran on different boards ({boards})", boards=listed((candidate.board, baseline.board)))
    if candidate.profile not in (AS_SHIPPED, CONTROLLED):
        yield tr("the profile of the board was {profile}", profile=candidate.profile)
    if candidate.profile != baseline.profile:
        profiles = listed((candidate.profile, baseline.profile))
        yield tr("they were measured in different profiles ({profiles})", profiles=profiles)
    if not across_settings and settings_key(candidate) != settings_key(baseline):
        yield tr("they were run with different settings")
    for name, record in ((mark("candidate"), candidate), (mark("baseline"), baseline)):
        yield from _not_as_declared(name, record)
        yield from _other_bytes(name, record)
    yield from _versions(candidate, baseline)


def _not_as_declared(name: str, record: Record) -> Iterator[str]:
    declared = [(key, record.settings.get(key)) for key in _SWITCHES]
    asked = record.settings.get("providers") or []
    for trial in _measured(record):
        for setting, wanted in declared:
            used = trial.used.get(setting)
            if wanted is not None and used is not None and used != wanted:
                yield tr(
                    "the {candidate} ran with {setting} {used}, not with {wanted} as declared",
                    candidate=tr(name),
                    setting=setting.replace("_", " "),
                    used=used,
                    wanted=wanted,
                )
        used = trial.used.get("providers")
        if asked and used is not None and list(used)[: len(asked)] != list(asked):
            yield tr(
                "the {candidate} ran on {used}, not on {wanted} as declared",
                candidate=tr(name),
                used=listed(used),
                wanted=listed(asked),
            )


def _other_bytes(name: str, record: Record) -> Iterator[str]:
    deployed = record.artifact.sha256 if record.artifact else None
    judged = record.accuracy.artifact_sha256 if record.accuracy else None
    if deployed is not None and judged is not None and judged != deployed:
        yield tr("the accuracy of the {candidate} was judged on another file than the one deployed", candidate=tr(name))
    for trial in _measured(record):
        # A file made for another layout of the input is the artifact behind a transposition.
        ran = trial.used.get("made_of") or trial.used.get("model_sha256")
        if ran is not None and deployed is not None and ran != deployed:
            text = mark("the board ran another file of the {candidate} than the one whose accuracy was judged")
            yield tr(text, candidate=tr(name))


def _versions(candidate: Record, baseline: Record) -> Iterator[str]:
    """A runtime that was upgraded while a campaign was interrupted must not look like a better model."""
    versions: dict[str, set[str]] = {}
    for record in (candidate, baseline):
        for trial in _measured(record):
            if trial.used.get("runtime_version") is not None:
                versions.setdefault(record.runtime, set()).add(str(trial.used["runtime_version"]))
    for runtime, found in versions.items():
        if len(found) > 1:
            versions_found = listed(sorted(found))
            yield tr(
                "they ran in different versions of {runtime} ({versions})", runtime=runtime, versions=versions_found
            )


def _measured(record: Record) -> list[Trial]:
    return [trial for trial in record.trials if trial.kind in FIGURE_KINDS]
