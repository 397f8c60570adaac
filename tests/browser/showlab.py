"""A lab with a past, served on a real socket: boards, finished runs, one that goes on, a queue, a schedule, a worker.

Everything in it is made from seeds and lies in the real store; what axe-core reads and what docs/pictures/ shows is it.
"""

from __future__ import annotations

import base64
import os
import socket
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import uvicorn
from hilbench.harness import submit
from hilbench.harness.blocks import TWIN
from hilbench.harness.eventstore import EventStore
from hilbench.harness.job import Schedule
from hilbench.harness.queuestore import WorkerRow
from hilbench.harness.store import NewNote, RunRow
from hilbench.harness.submit import Wanted, submit_plan
from hilbench.harness.web.tasks import Task
from hilbench.reports.record import Accuracy, Outcome, Record, RunRecord

from ..reports.series_of_runs import scaled
from ..reports.synthetic import A72, MACHINE, PI, run, without_figures
from ..web.conftest import DIGITS, Served, serve_in

EARLIER, NEWEST, LIVE, WAITING = (
    "20261123-090000-1c07",
    "20261124-100000-4f2a",
    "20261125-090512-b8e1",
    "20261125-090731-77d0",
)
PATHS = {
    "lab": "/",
    "boards": "/boards",
    "board": "/boards/pi5",
    "board-quarantined": "/boards/jetson",
    "board-new": "/boards/new",
    "host-key": "/tasks/{asking}",
    "board-added": "/tasks/{added}",
    "run-new": "/runs/new?plan=plan.yaml",
    "run-live": f"/runs/{LIVE}",
    "run-over": f"/runs/{NEWEST}",
    "queue": "/queue",
    "reports": "/reports",
    "report": f"/reports/{NEWEST}",
    "compare-web": f"/compare?run={EARLIER}&run={NEWEST}",
    "error": "/nowhere",
}
INVENTORY = """\
boards:
  pi5: {connection: ssh, host: 192.0.2.10, user: pi, host_key: %s, tags: [kitchen, fan], note: 8 GB; with a fan}
  emulated-a72: {connection: emulated, cpu: cortex-a72, arch: arm64, memory_mib: 512, runtimes: [onnxruntime]}
  this-machine: {connection: local, role: reference}
  jetson: {connection: ssh, host: jetson.example, user: bench, host_key: %s, tags: [gpu]}
"""
KEY = "ssh-ed25519 " + base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0 " + bytes(32)).decode()
PLAN = f"""\
name: nightly
models:
  digits:
    file: {DIGITS}/digits.onnx
    task: {{test: {DIGITS}/digits-test.npz, calibration: {DIGITS}/digits-calibration.npz}}
recipes: [fp32, fp16, int8-dynamic, int8-static]
boards: [this-machine, emulated-a72]
accuracy_samples: 5
"""
FACTS: Mapping[str, Any] = {
    "model": "Raspberry Pi 5 Model B Rev 1.0",
    "os": "Debian GNU/Linux 12",
    "kernel": "Linux 6.12.25",
    "glibc": "glibc 2.36",
    "python": "3.11.2",
    "cpu_models": ["4 x Cortex-A76"],
    "governors": ["ondemand"],
    "memory": {"total_bytes": 8 * 2**30},
    "temperatures_c": {"cpu-thermal": 47.0},
}
DIFF = """\
--- inventory.yaml
+++ inventory.yaml
@@ -4,2 +4,8 @@
   this-machine: {connection: local, role: reference}
+  pi4:
+    connection: ssh
+    host: 192.0.2.14
+    user: pi
+    runtimes: [onnxruntime]
"""


@dataclass(frozen=True, kw_only=True)
class ShownLab:
    """Where the lab is served, and the tasks that somebody began there."""

    address: str
    folder: Path
    served: Served
    asking: str
    added: str

    def paths(self) -> dict[str, str]:
        """Each page by what it is called."""
        return {name: path.format(asking=self.asking, added=self.added) for name, path in PATHS.items()}


@contextmanager
def shown_lab(folder: Path) -> Generator[ShownLab]:
    """The lab in a folder, until the block ends."""
    for served in serve_in(folder):
        (folder / "inventory.yaml").write_text(INVENTORY % (KEY, KEY))
        (folder / "plan.yaml").write_text(PLAN)
        fill(served)
        tasks = served.web.tasks
        asking = tasks.start("Adding pi@192.0.2.14", "pi4", ask)
        added = tasks.start("Adding pi@192.0.2.14", "pi4", tell)
        until_over(asking, added)
        with on_a_socket(served) as port:
            address = f"http://127.0.0.1:{port}"
            yield ShownLab(address=address, folder=folder, served=served, asking=asking.task_id, added=added.task_id)
        asking.answer(str(asking.question), yes=False)


def ask(task: Task) -> Mapping[str, Any]:
    task.say("pi@192.0.2.14: asking for its host key")
    task.ask("192.0.2.14 shows this host key:\nSHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU (ssh-ed25519)")
    return {"name": "pi4", "lines": [], "time": "", "usable": False}


def tell(task: Task) -> Mapping[str, Any]:
    task.say("pi@192.0.2.14: looking at the board")
    lines = [
        "pi4 (pi@192.0.2.14)",
        "  board              Raspberry Pi 4 Model B Rev 1.4",
        "  python             3.11.2",
    ]
    shown = {"name": "pi4", "lines": lines, "time": "time for pi4: probe 2 s", "stays": [], "trusted": True}
    return {**shown, "diff": DIFF, "path": "inventory.yaml", "written": False}


def fill(served: Served) -> None:
    """The lab's past and present into its store and its queue."""
    store, lab = served.web.events, served.web.lab
    whole = run((PI, MACHINE, A72))
    before = [
        scaled(one, 1.06 if one.recipe == "int8-static" else 1.0) for one in run((PI, MACHINE, A72), seed=8).records
    ]
    began = {"started_at": "2026-11-23T09:00:00.000Z", "ended_at": "2026-11-23T09:41:30.000Z"}
    keep(store, replace(whole, run_id=EARLIER, records=tuple(before), **began))
    keep(store, replace(whole, run_id=NEWEST))
    keep_live(store)
    store.add_notes("", [("pi5", "board", FACTS), ("pi5", "board-ok", {"run": NEWEST})])
    failed = {"run": EARLIER, "reason": "it did not answer on port 22"}
    store.add_notes("", [("jetson", "board-failed", failed), ("jetson", "quarantined", failed)])
    new_id, submit.new_id = submit.new_id, lambda: WAITING
    try:
        wanted = Wanted(
            plan=served.folder / "plan.yaml",
            boards=(),
            priority="normal",
            new=True,
            inventory=served.folder / "inventory.yaml",
            command="hilbench submit plan.yaml",
            person="ann",
        )
        submit_plan(wanted, lab.home, lab.store, lab.engine, say=lambda _: None)
    finally:
        submit.new_id = new_id
    what = {"plan": "plan.yaml", "boards": [], "priority": "low", "inventory": None, "command": "", "person": "ann"}
    lab.engine.add_schedule(Schedule(name="nightly", cron="0 2 * * *", zone="UTC", what=what))
    beat(served)


def beat(served: Served) -> None:
    """The lab's worker says that it lives, for the next minute."""
    began = "2026-11-25T08:00:00Z"
    row = WorkerRow(name="bench-1", host="bench-1", pid=os.getpid(), started_at=began, seen_at="", beats=1)
    served.web.lab.store.beat(row)


def keep_live(store: EventStore) -> None:
    """A run of which the boards have done a part: some cells are through, one cannot be, the others go on or wait."""
    whole = run((PI, MACHINE, A72))
    records: list[Record] = []
    for number, one in enumerate(whole.records):
        if (one.board, one.recipe) == ("pi5", "fp16"):
            records.append(without_figures(one, Outcome.UNSUPPORTED, "this runtime has no fp16 kernels on arm64"))
            continue
        blocks = {"pi5": 10 if number < 3 else 6, "this-machine": 0, "emulated-a72": 3 if number < 15 else 0}[one.board]
        records.append(replace(one, trials=tuple(t for t in one.trials if t.block < blocks)))
    began = {"started_at": "2026-11-25T09:05:00.000Z", "ended_at": None, "state": "running"}
    keep(store, replace(whole, run_id=LIVE, records=tuple(records), **began))
    happened: list[NewNote] = [
        ("pi5", "lease", {}),
        ("pi5", "session", {}),
        ("emulated-a72", "session", {}),
        ("this-machine", "waits", {"reason": "pi5 is being timed, and nothing else works on this host meanwhile"}),
    ]
    store.add_notes(LIVE, happened)


def keep(store: EventStore, whole: RunRecord) -> None:
    """A run's records as the rows that they would have come from."""
    cells = [(one.cell_id, one.board, facts_of(one)) for one in whole.records]
    notes: list[NewNote] = [(board, "board", facts) for board, facts in whole.boards.items()]
    for one in whole.records:
        notes += notes_of(one)
    trials = [trial for one in whole.records for trial in one.trials]
    trials += [
        replace(trial, cell_id=one.cell_id + TWIN, trial_id=f"{trial.trial_id}{TWIN}")
        for one in whole.records
        for trial in one.twin_trials
    ]
    row = RunRow(
        run_id=whole.run_id,
        plan_name=whole.plan_name,
        plan_hash=whole.plan_hash,
        seed=whole.seed,
        protocol=whole.protocol,
        state=whole.state,
        started_at=whole.started_at,
        ended_at=whole.ended_at,
        facts={
            "plan": whole.plan,
            "hilbench": whole.hilbench_version,
            "baseline": whole.baseline_recipe,
            "budget": asdict(whole.budget),
            "shortlist": list(whole.shortlist),
            "blocks": dict(whole.planned_blocks),
            "provenance": whole.provenance,
        },
    )
    store.add_run(row, cells, notes=notes, trials=trials)


def facts_of(record: Record) -> Mapping[str, Any]:
    names = ("role", "emulated", "arch", "model", "recipe", "runtime", "settings")
    return {**{name: getattr(record, name) for name in names}, "twin": bool(record.twin_trials), "checked": True}


def notes_of(record: Record) -> list[NewNote]:
    """What the store knows of a cell besides its trials."""
    if record.outcome is not Outcome.OK:
        return [(record.cell_id, "failed", {"outcome": record.outcome.value, "reason": record.reason})]
    found: list[NewNote] = []
    if record.artifact is not None:
        found.append((record.cell_id, "artifact", asdict(record.artifact)))
    if record.accuracy is not None and record.trials:
        found += [(record.cell_id, *note) for note in accuracy_notes(record.accuracy)]
    return found


def accuracy_notes(accuracy: Accuracy) -> list[tuple[str, Mapping[str, Any]]]:
    told: dict[str, Any] = {
        name: base64.b64encode(value).decode() if isinstance(value, bytes) else value
        for name, value in asdict(accuracy).items()
    }
    on_board = {name: told.pop(name) for name in [*told] if name.startswith("board") or name.endswith("board_images")}
    on_board |= {name: told.pop(name) for name in ("agreement", "max_abs_diff")}
    return [("host", told), ("check", {**on_board, "reason": None})]


@contextmanager
def on_a_socket(served: Served) -> Generator[int]:
    """The application behind a port of this machine."""
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(served.app, log_config=None, access_log=False, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
    thread.start()
    until(lambda: server.started)
    try:
        yield bound.getsockname()[1]
    finally:
        served.web.closing.set()
        server.should_exit = True
        thread.join(20)


def until_over(asking: Task, added: Task) -> None:
    until(lambda: asking.state == "asking" and added.over)


def until(holds: Callable[[], bool]) -> None:
    while not holds():
        time.sleep(0.02)
