"""What is said of a board that was looked at: its facts in plain lines, and as JSON. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ..targets.probes import is_virtual_machine
from ..targets.provision import RuntimeFound
from .boardadd import Examined
from .laps import in_words

if TYPE_CHECKING:
    from ..reports.summary import RunSummary
    from .run import RunResult

UNKNOWN = "not available"


def board_lines(board: Examined) -> list[str]:
    """The board in lines of `what   words`, then what its first inference gave."""
    facts = board.facts or {}
    emulated = (board.entry or {}).get("role") == "emulated"
    pairs = [*fact_pairs(facts), ("virtual machine", _virtual(facts, emulated=emulated)), *_runtimes(board)]
    title = str(board.name) if board.name == board.word else f"{board.name} ({board.word})"
    lines = [title, *(f"  {what:18} {words}" for what, words in pairs)]
    words = board.smoke.words if board.smoke is not None else (_no_smoke(board),)
    place = [] if board.place is None or board.place.problem is None else [f"Lease: {board.place.problem}."]
    return [*lines, *(f"  {word}" for word in (*words, *place))]


def time_line(board: Examined, baseline_s: float | None) -> str:
    """How long the parts of adding a board took."""
    seconds = {**board.seconds, **({} if baseline_s is None else {"baseline": baseline_s})}
    return f"time for {board.name}: {in_words(seconds)}"


def stay_lines(boards: Sequence[Examined]) -> list[str]:
    """What was put on boards that were not added after all, and how it goes."""
    return [
        f"{name} stays on {board.word}, in {found.site}; `hilbench board clean {board.word}` removes it"
        for board in boards
        for name, found in (board.runtimes or {}).items()
        if found.site is not None
    ]


def doubt_lines(summary: RunSummary) -> list[str]:
    """Why figures of a baseline are to be doubted, one line a cell that was measured."""
    cells = [cell for cell in summary.cells if cell.ok and cell.validity.reasons]
    return [f"{cell.validity.state}: {cell.record.cell_id}: {'; '.join(cell.validity.reasons)}" for cell in cells]


def baseline_json(result: RunResult) -> dict[str, Any]:
    """A baseline for `--json`; `hilbench export` has the figures."""
    from ..reports.summary import summarize

    cells = [
        {
            "cell": cell.record.cell_id,
            "outcome": cell.record.outcome.value,
            "reason": cell.record.reason,
            "validity": {"state": cell.validity.state.value, "reasons": list(cell.validity.reasons)},
        }
        for cell in summarize(result.record).cells
    ]
    return {
        "run": result.record.run_id,
        "report": str(result.report),
        "exit_code": result.exit_code,
        "cells": cells,
    }


def fact_pairs(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a board told of itself, (what, in words)."""
    memory = facts.get("memory") or {}
    yield "board", facts.get("model") or UNKNOWN
    yield "system", f"{facts.get('os') or UNKNOWN}, {facts.get('kernel') or UNKNOWN}, {facts.get('glibc') or UNKNOWN}"
    yield "firmware", facts.get("firmware") or UNKNOWN
    yield "python", facts.get("python") or UNKNOWN
    yield "cpu", ", ".join(facts.get("cpu_models") or [UNKNOWN])
    yield "clusters", "; ".join(_cluster(one) for one in facts.get("clusters") or []) or UNKNOWN
    yield "instructions", ", ".join(name for name, has in (facts.get("isa") or {}).items() if has) or UNKNOWN
    yield "governor", ", ".join(facts.get("governors") or [UNKNOWN])
    yield "memory", _size(memory.get("total_bytes"))
    yield "free disk", f"{_size(facts.get('workdir_free_bytes'))} where hilbench works"
    yield "temperatures", _temperatures(facts.get("temperatures_c"))
    yield "power rails", ", ".join(facts.get("power_rails") or [UNKNOWN])
    yield "may execute", _executes(facts)


def _cluster(one: Mapping[str, Any]) -> str:
    speed = "" if one["max_mhz"] is None else f" up to {one['max_mhz']:.0f} MHz"
    share = "" if one["capacity"] in (None, 1024) else f", {one['capacity'] / 1024:.0%} of the strongest"
    return f"cores {one['cpus']}{speed}{share}"


def _temperatures(zones: Mapping[str, float] | None) -> str:
    return ", ".join(f"{name} {value:.0f} °C" for name, value in (zones or {}).items()) or UNKNOWN


def _executes(facts: Mapping[str, Any]) -> str:
    words = {True: "yes", False: "NO (mounted noexec: runtimes cannot be put there)", None: UNKNOWN}
    tmp, work = words[facts.get("tmp_executable")], words[facts.get("workdir_executable")]
    return f"in the temporary folder {tmp}; where hilbench works {work}"


def _virtual(facts: Mapping[str, Any], *, emulated: bool) -> str:
    said = facts.get("virtualization")
    if not is_virtual_machine(said):
        return "no" if said is None else f"no: {said}"
    if not emulated:
        return f"yes: {said}; its times are those of a virtual machine"
    counted = {"pmu": "the processor's counter", "virtual-clock": "the virtual clock (the counter is closed)"}
    source = counted.get(facts.get("counts_from") or "", "a source that is not known")
    return f"yes: {said}; as an emulated board it counts by {source}, and never times"


def _runtimes(board: Examined) -> Iterator[tuple[str, str]]:
    for name, found in (board.runtimes or {}).items():
        if found.version is not None:
            put = f"; put there by hilbench: {found.site}" if found.site else ""
            yield name, f"{found.version} (Python {found.python}, numpy {found.numpy}{put})"
        elif found.pin is not None:
            yield name, f"not there; {found.pin.version} can be put there with `--runtime {name}`"
        else:
            yield name, f"cannot be used: {found.reason}"


def _pin(found: RuntimeFound) -> dict[str, str | None] | None:
    return None if found.pin is None else {"version": found.pin.version, "numpy": found.pin.numpy}


def _no_smoke(board: Examined) -> str:
    if any(found.version is not None for found in (board.runtimes or {}).values()):
        return "First inference: not measured."
    if board.lacking:
        return f"First inference: not measured, as {board.lacking[0]} is not there yet and nothing was put there."
    return "First inference: not measured, as no runtime imports on this board; install one, or name its interpreter."


def _size(size_bytes: int | None) -> str:
    return UNKNOWN if size_bytes is None else f"{size_bytes / 1e9:.1f} GB"


def board_json(board: Examined, *, added: bool) -> dict[str, Any]:
    """The same for `--json`; what was not measured is null."""
    return {
        "word": board.word,
        "name": board.name,
        "added": added and board.reason is None,
        "reason": board.reason,
        "fingerprint": board.fingerprint,
        "entry": board.entry,
        "facts": board.facts,
        "runtimes": {
            name: {"version": found.version, "reason": found.reason, "site": found.site, "pin": _pin(found)}
            for name, found in (board.runtimes or {}).items()
        },
        "lacking": list(board.lacking),
        "lease_place": None if board.place is None else {**asdict(board.place), "shared": board.place.shared},
        "seconds": board.seconds,
        "smoke": None if board.smoke is None else asdict(board.smoke),
    }
