"""Which run a report is compared with: the newest finished one of the same plan that began before it."""

from __future__ import annotations

from pathlib import Path

from hilbench.harness.assemble import assemble
from hilbench.harness.reporting import run_before
from hilbench.harness.store import RunRow, Store

FACTS = {"plan": {}, "hilbench": "0.1.0", "baseline": "fp32", "budget": {}, "shortlist": [], "provenance": {}}


def row(day: int, *, plan: str = "demo", state: str = "finished") -> RunRow:
    return RunRow(
        run_id=f"202601{day:02}-{plan}",
        plan_name=plan,
        plan_hash=f"{day}",
        seed=1,
        protocol="quick",
        state=state,
        started_at=f"2026-01-{day:02}T10:00:00Z",
        ended_at=f"2026-01-{day:02}T11:00:00Z",
        facts=FACTS,
    )


def test_newest_finished_run_of_the_same_plan_before_this_one(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path / 'runs.sqlite'}")
    try:
        rows = [row(1), row(2), row(3, state="interrupted"), row(4, plan="other"), row(5), row(6)]
        for one in rows:
            store.add_run(one, [])
        earlier = run_before(store, assemble(store, rows[4]))
        assert earlier is not None
        assert earlier.run_id == rows[1].run_id
        assert run_before(store, assemble(store, rows[0])) is None
    finally:
        store.close()
