"""A lab with its web application, on a real store and a real queue; and the same as a server with sockets."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from hilbench.harness.eventstore import EventStore
from hilbench.harness.lab import open_lab
from hilbench.harness.store import RunRow
from hilbench.harness.web.app import make_app
from hilbench.harness.web.feed import Feeds
from hilbench.harness.web.labnotes import LabNotes
from hilbench.harness.web.reportcache import ReportCache
from hilbench.harness.web.server import Listen, known_names
from hilbench.harness.web.sessions import Sessions
from hilbench.harness.web.web import InventoryFile, Web
from hilbench.reports.record import Trial, TrialKind
from starlette.testclient import TestClient

ADDRESS = "http://127.0.0.1:8321"
DIGITS = Path(__file__).parents[2] / "models" / "digits"
INVENTORY = """\
boards:
  here: {connection: local, workdir: %s}
"""
PLAN = f"""\
name: small
models:
  digits:
    file: {DIGITS}/digits.onnx
    task: {{test: {DIGITS}/digits-test.npz, calibration: {DIGITS}/digits-calibration.npz}}
recipes: [fp32, int8-static]
boards: [here]
accuracy_samples: 5
"""


@dataclass(frozen=True, kw_only=True)
class Served:
    """A web lab in a folder; `app` is asked without sockets by `client`."""

    folder: Path
    web: Web
    app: Any

    def client(self, **options: Any) -> TestClient:
        return TestClient(self.app, base_url=ADDRESS, follow_redirects=False, **options)


def serve_in(folder: Path, tokens: Path | None = None, database: str | None = None) -> Iterator[Served]:
    """A lab in a folder; its runs and queue are there too, or in the PostgreSQL named."""
    patch = pytest.MonkeyPatch()
    patch.setenv("HILBENCH_HOME", str(folder / "state"))
    patch.delenv("HILBENCH_DATABASE", raising=False)
    if database is not None:
        patch.setenv("HILBENCH_DATABASE", database)
    inventory = folder / "inventory.yaml"
    inventory.write_text(INVENTORY % (folder / "work"))
    (folder / "plan.yaml").write_text(PLAN)
    with (
        open_lab(inventory, say=lambda _: None) as lab,
        closing(EventStore.open(lab.home.database_url)) as events,
    ):
        web = Web(
            inventory=InventoryFile(inventory),
            lab=lab,
            events=events,
            sessions=Sessions(tokens, port=8321),
            feeds=Feeds(events, look_s=0.05),
            reports=ReportCache(events),
            lab_notes=LabNotes(events),
        )
        app = make_app(web, known_names(Listen(host="127.0.0.1", port=8321)))
        yield Served(folder=folder, web=web, app=app)
    patch.undo()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    yield from serve_in(tmp_path_factory.mktemp("lab"))


@pytest.fixture
def client(served: Served) -> TestClient:
    return served.client()


@pytest.fixture(scope="module")
def port(served: Served) -> Iterator[int]:
    """The same application behind a real socket."""
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(served.app, log_config=None, access_log=False, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield bound.getsockname()[1]
    served.web.closing.set()
    server.should_exit = True
    thread.join(20)
    served.web.closing.clear()


def add_run(
    store: EventStore,
    run_id: str,
    *,
    plan: str = "small",
    board: str = "here",
    model: str = "digits",
    recipes: tuple[str, ...] = ("fp32", "int8-static"),
    state: str = "running",
    blocks: int = 6,
    reason: str | None = None,
    measured: bool = False,
) -> list[str]:
    """A run as the store has it; returns the ids of its cells. `reason`: why its last cell is unsupported."""
    facts = {"role": "target", "emulated": False, "arch": "arm64", "model": model, "runtime": "onnxruntime"}
    settings = {"threads": 1, "graph_optimization": "all", "providers": []}
    ids = [f"{board}/{model}/{recipe}/onnxruntime-t1" for recipe in recipes]
    store.add_run(
        RunRow(
            run_id=run_id,
            plan_name=plan,
            plan_hash="h",
            seed=1,
            protocol="quick",
            state=state,
            started_at=f"2026-01-01T00:00:00.{run_id[-4:]}Z",
            ended_at=None if state == "running" else "2026-01-01T01:00:00.000Z",
            facts={
                "plan": {"name": plan},
                "hilbench": "0.1.0",
                "baseline": "fp32",
                "budget": {},
                "shortlist": [],
                "blocks": {board: blocks},
                "provenance": {"command": "hilbench run plan.yaml"},
            },
        ),
        [
            (cell, board, {**facts, "recipe": recipe, "settings": settings, "twin": False, "checked": False})
            for cell, recipe in zip(ids, recipes, strict=True)
        ],
        notes=[] if reason is None else [(ids[-1], "failed", {"outcome": "unsupported", "reason": reason})],
        trials=[trial(cell, block) for cell in ids for block in range(blocks)] if measured else [],
    )
    return ids


def trial(cell: str, block: int) -> Trial:
    samples = np.full(20, 1_000_000 + 1000 * block, np.int64)
    return Trial(
        trial_id=f"{cell}:{block}",
        cell_id=cell,
        kind=TrialKind.LATENCY,
        block=block,
        attempt=1,
        position=0,
        started_at="2026-01-01T00:00:00Z",
        samples=samples,
    )
