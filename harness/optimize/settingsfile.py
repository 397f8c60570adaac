"""The best settings known of a board: `.hilbench/settings/BOARD.yaml`, written by `hilbench optimize`.

An entry holds for one artifact (by sha256) under one runtime, and only as long as the board is what it was: its kernel,
its instruction set, its number of cores and the runtime's version. It is data for people and for later plans alike.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from ...targets.strict import Strict
from ...targets.yamlfile import YamlFileError, load_yaml
from ..errors import HarnessError
from ..planfile import RuntimeFile
from ..runtimeplan import BEST, BEST_MEMORY

_HEAD = (
    "# Written by `hilbench optimize`: the settings with which each file runs best on this board, and the evidence.\n"
)
WORDS = {"latency": BEST, "memory": BEST_MEMORY}


class Evidence(Strict):
    """The verdict that chose a setting: the chosen one against the default, from the confirmation."""

    word: str
    metric: str
    ratio: float | None
    ci_low: float | None
    ci_high: float | None
    pairs: int
    comparisons: int


class Entry(Strict):
    """One artifact under one runtime. `evidence` is absent where the default stayed."""

    artifact: str = Field(description="sha256")
    model: str
    recipe: str
    runtime: str
    objective: Literal["latency", "memory"]
    settings: dict[str, Any]
    default: dict[str, Any]
    board: dict[str, Any] = Field(description="What the board was: kernel, runtime_version, isa, cores.")
    evidence: Evidence | None = None
    tried: list[str] = Field(
        default_factory=list[str], description="What of the settings was tried, as `--try` names it."
    )
    sentence: str
    runs: list[str]
    at: str

    @field_validator("settings", "default")
    @classmethod
    def _as_in_a_plan(cls, settings: dict[str, Any]) -> dict[str, Any]:
        """What somebody wrote by hand goes to a board as it stands, so it must be what a plan may say."""
        if "settings" in settings:
            raise ValueError('"settings" stands for an entry of this file, so it cannot stand in one')
        RuntimeFile.model_validate(settings)
        return settings

    @property
    def key(self) -> tuple[str, str, str]:
        """What there is one entry of."""
        return (self.artifact, self.runtime, self.objective)


class SettingsFile(Strict):
    """The file of a board."""

    schema_version: Literal[1] = 1
    entries: list[Entry] = Field(default_factory=list[Entry])


def read_settings(path: Path) -> Sequence[Entry]:
    """The entries of a board's file; none where there is no file. Raises HarnessError with file and line."""
    if not path.exists():
        return ()
    try:
        return load_yaml(path, SettingsFile)[0].entries
    except YamlFileError as error:
        raise HarnessError(str(error)) from error


def keep_entry(path: Path, entry: Entry) -> None:
    """Put an entry into a board's file, in place of an older one of the same key; others stay."""
    from ruamel.yaml import YAML

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        entries = {known.key: known for known in read_settings(path)} | {entry.key: entry}
        kept = SettingsFile(entries=[entries[key] for key in sorted(entries)])
        part = path.with_suffix(f".part{os.getpid()}")
        with part.open("w", encoding="utf-8") as file:
            file.write(_HEAD)
            yaml = YAML(typ="safe", pure=True)
            yaml.default_flow_style, yaml.width = False, 4096
            yaml.dump(kept.model_dump(mode="json"), file)
        part.replace(path)


def fingerprint(facts: Mapping[str, Any], runtime: str) -> dict[str, Any]:
    """What a setting depends on beside the artifact, from the facts of a board that a run noted."""
    flags: Mapping[str, bool] = facts.get("isa") or {}
    version: Any = (facts.get("runtimes") or {}).get(runtime)
    return {
        "kernel": facts.get("kernel"),
        # A run notes the version alone, a check of the board more beside it.
        "runtime_version": version.get("version") if isinstance(version, Mapping) else version,
        "isa": sorted(name for name, has in flags.items() if has),
        "cores": facts.get("cores"),
    }


def entry_words(entry: Entry, *, now: Mapping[str, Any] | None = None) -> str:
    """An entry in a line for a person; `now` is what the board was when it last told of itself."""
    what = f"{entry.model}, {entry.recipe}, {entry.runtime} ({WORDS[entry.objective]}, {entry.at[:10]})"
    changed = [] if now is None else changed_since(entry, now)
    stale = f" Not used any more: the board's {', '.join(changed)} changed." if changed else ""
    return f"{what}: {entry.sentence.rstrip('.')}.{stale}"


def changed_since(entry: Entry, board: Mapping[str, Any]) -> list[str]:
    """What of a board is not as it was when the entry was found."""
    return [key.replace("_", " ") for key, value in entry.board.items() if board.get(key) != value]


def find_entry(
    entries: Sequence[Entry], artifact: str, runtime: str, word: str, board: Mapping[str, Any]
) -> tuple[Entry | None, str]:
    """The entry for an artifact that may be used on a board as it is now, and a sentence on what is taken and why."""
    mine = [e for e in entries if (e.artifact, e.runtime, WORDS[e.objective]) == (artifact, runtime, word)]
    if not mine:
        return None, f"no {word} settings are known for this file on this board: its defaults are used"
    entry = mine[0]
    if changed := changed_since(entry, board):
        which = ", ".join(changed)
        return None, f"the {word} settings known are of before the board's {which} changed: its defaults are used"
    return entry, f"{word} settings of {entry.at[:10]}: {entry.sentence}"
