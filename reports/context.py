"""The circumstances of a run on a board, and how those of two runs differ; pure.

A figure is a fact about a model only where the circumstances stayed the same. What changes by itself from boot to boot
(load, temperature, free memory) is none of them. What only one of two runs knows is no difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .language import mark, tr
from .plain import plain
from .record import RunRecord

# Fact of a board -> what it is called. Of the two names of some facts the first that is there counts.
_FACTS = {
    "machine": mark("machine"),
    "model": mark("board model"),
    "cpu_models": mark("processor"),
    "cpu": mark("processor"),
    "cpu_model": mark("emulated processor"),
    "cores": mark("cores"),
    "firmware": mark("firmware"),
    "kernel": mark("kernel"),
    "os": mark("system"),
    "glibc": "glibc",
    "python": mark("Python on the board"),
    "virtualization": mark("virtualization"),
    "governors": mark("governor"),
    "governor": mark("governor"),
    "emulator": mark("emulator"),
    "icount": mark("instruction clock"),
    "image_contents": mark("image of the board"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One circumstance that both runs know and that is not the same."""

    what: str
    earlier: str
    later: str

    @property
    def text(self) -> str:
        """The difference in a few words."""
        return f"{tr(self.what)} {self.earlier} → {self.later}"


def board_context(run: RunRecord, board: str) -> dict[str, str]:
    """What may move the figures of a board though no model changed, by name: all that is known of it."""
    found: dict[str, str] = {}
    facts = run.boards.get(board, {})
    for key, name in _FACTS.items():
        if facts.get(key) is not None and name not in found:
            found[name] = _text(facts[key])
    found |= dict(_runtimes(run, board, facts))
    profiles = sorted({record.profile for record in run.records if record.board == board and record.trials})
    if profiles:
        found[mark("profile")] = ", ".join(profiles)
    found["hilbench"] = run.hilbench_version
    return found


def context_differences(earlier: Mapping[str, str], later: Mapping[str, str]) -> tuple[Difference, ...]:
    """Where two contexts of a board differ, in the later one's order."""
    return tuple(
        Difference(what=name, earlier=earlier[name], later=value)
        for name, value in later.items()
        if name in earlier and earlier[name] != value
    )


def judged_data(run: RunRecord, model: str) -> str | None:
    """The hash of the data on which a model was judged; None where the run does not say."""
    data: Mapping[str, Any] = run.provenance.get("data") or {}
    described: Mapping[str, Any] = (data.get(model) or {}).get("test") or {}
    found = described.get("sha256")
    return None if found is None else str(found)


def _runtimes(run: RunRecord, board: str, facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The version of each runtime: as the processes themselves said, else as the board did when it was looked at."""
    told: dict[str, set[str]] = {}
    for record in run.records:
        if record.board == board:
            versions = {str(t.used["runtime_version"]) for t in record.trials if t.used.get("runtime_version")}
            told.setdefault(record.runtime, set()).update(versions)
    asked: Mapping[str, Any] = facts.get("runtimes") or {}
    for runtime in told:
        versions = told[runtime] or ({str(asked[runtime])} if asked.get(runtime) else set())
        if versions:
            yield runtime, ", ".join(sorted(versions))


def _text(value: object) -> str:
    clean = plain(value)
    if isinstance(clean, list):
        return ", ".join(str(item) for item in dict.fromkeys(map(str, clean)))
    return str(clean)
