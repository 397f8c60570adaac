"""Where hilbench keeps its state, and where it finds the inventory."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from .databaseurl import SETTING


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """The state folder (`.hilbench/`) and what lies in it."""

    folder: Path

    @property
    def database(self) -> Path:
        """The SQLite file of the store."""
        return self.folder / "runs.sqlite"

    @property
    def database_url(self) -> str:
        """The URL of the store: `HILBENCH_DATABASE`, else the SQLite file of this home."""
        return os.environ.get(SETTING) or f"sqlite:///{self.database}"

    @property
    def keeps_database(self) -> bool:
        """Whether the store is the file of this home, and no server's."""
        return not os.environ.get(SETTING)

    @property
    def queue_url(self) -> str:
        """Where the queue is: the PostgreSQL of the store, in tables of its own, else a file of this home."""
        named = os.environ.get(SETTING)
        return f"sqlite:///{self.folder / 'queue.sqlite'}" if not named or named.startswith("sqlite:") else named

    @property
    def queue_log(self) -> Path:
        """What the queue's engine says of itself."""
        return self.folder / "log" / "queue.log"

    @property
    def artifacts(self) -> Path:
        """The cache of compressed models and of what the host computed from them."""
        return self.folder / "artifacts"

    @property
    def wheels(self) -> Path:
        """The cache of wheels that are put on boards."""
        return self.folder / "wheels"

    @property
    def log(self) -> Path:
        """What hilbench logs, as lines of JSON."""
        return self.folder / "log" / "hilbench.jsonl"

    def mirror(self, run_id: str, board: str, job_id: str) -> Path:
        """The controller's copy of a board's journal."""
        return self.folder / "runs" / run_id / f"{board}.{job_id}.journal.jsonl"

    def settings(self, board: str) -> Path:
        """The best settings that are known of a board."""
        return self.folder / "settings" / f"{board}.yaml"

    def lock(self, run_id: str) -> Path:
        """Held while a process works on a run."""
        return self.folder / "runs" / run_id / "lock"

    def report(self, run_id: str) -> Path:
        """Where the report of a run is written unless the user names another place."""
        return self.folder / "reports" / f"{run_id}.html"

    def comparison(self, earlier: str, later: str) -> Path:
        """Where the page that compares two runs is written unless the user names another place."""
        return self.folder / "reports" / f"{later}-against-{earlier}.html"

    def trend(self, plan_name: str) -> Path:
        """Where the page of a plan's runs is written unless the user names another place."""
        return self.folder / "reports" / f"trend-{plan_name}.html"


def find_home(inventory: Path | None = None) -> Home:
    """`HILBENCH_HOME`, else `.hilbench/` beside the inventory, else in the present folder."""
    named = os.environ.get("HILBENCH_HOME")
    if named:
        return Home(folder=Path(named).expanduser().resolve())
    beside = inventory.parent if inventory is not None else Path.cwd()
    return Home(folder=beside.resolve() / ".hilbench")
