"""A store of which something was lost: one sentence names the run and the cell, and all the rest is reported."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from hilbench.harness.assemble import assemble
from hilbench.harness.databaseurl import driver_url
from hilbench.harness.errors import StoreError
from hilbench.harness.store import RunRow, Store
from hilbench.reports.page import render
from hilbench.reports.record import Outcome, TrialKind

from .test_store import a_trial

RUN = "20261129-000000-aaaa"
CELLS = ("pi/m/fp32", "pi/m/int8-static")


@pytest.fixture
def whole(url: str) -> Iterator[tuple[Store, str]]:
    """A finished run of two cells with two blocks each, and the URL of its store."""
    store = Store.open(url)
    facts = {
        "role": "target",
        "emulated": False,
        "arch": "arm64",
        "model": "m",
        "runtime": "onnxruntime",
        "settings": {"threads": 1},
        "twin": False,
    }
    row = RunRow(
        run_id=RUN,
        plan_name="p",
        plan_hash="h",
        seed=1,
        protocol="quick",
        state="finished",
        started_at="2026-11-29T00:00:00.000Z",
        ended_at="2026-11-29T00:10:00.000Z",
        facts={
            "plan": {"name": "p"},
            "hilbench": "0.1.0",
            "blocks": {"pi": 2},
            "baseline": "fp32",
            "budget": {},
            "shortlist": [],
            "provenance": {},
        },
    )
    trials = [
        replace(
            a_trial(f"{cell}-{block}"),
            cell_id=cell,
            kind=TrialKind.LATENCY,
            block=block,
            samples=np.full(50, 1_000_000 + block, np.int64),
        )
        for cell in CELLS
        for block in range(2)
    ]
    cells = [(cell, "pi", {**facts, "recipe": cell.rpartition("/")[2]}) for cell in CELLS]
    artifact = {"sha256": "a" * 64, "bytes": 10, "compressed_bytes": 5, "format": "onnx"}
    notes = [*((cell, "artifact", artifact) for cell in CELLS), ("pi", "board", {"kernel": "Linux 6.18"})]
    store.add_run(row, cells, notes=notes, trials=trials)
    yield store, url
    store.close()


def spoil(url: str, statement: str) -> None:
    engine = sa.create_engine(driver_url(url))
    with engine.begin() as connection:
        assert connection.execute(sa.text(statement)).rowcount == 1
    engine.dispose()


def test_a_whole_run_is_whole(whole: tuple[Store, str]) -> None:
    store, _ = whole
    assert [r.outcome for r in assemble(store, store.run(RUN)).records] == [Outcome.OK, Outcome.OK]


@pytest.mark.parametrize(
    "statement",
    [
        f"UPDATE trials SET facts = substr(facts, 1, 30) WHERE trial_id = '{CELLS[1]}-1'",
        f"UPDATE trials SET samples = substr(samples, 1, 9) WHERE trial_id = '{CELLS[1]}-1'",
        f"UPDATE trials SET kind = 'unheard-of' WHERE trial_id = '{CELLS[1]}-1'",
        f"UPDATE trials SET facts = '{{}}' WHERE trial_id = '{CELLS[1]}-1'",
        f"UPDATE notes SET facts = substr(facts, 1, 12) WHERE subject = '{CELLS[1]}'",
    ],
    ids=["facts", "samples", "kind", "keys", "note"],
)
def test_a_truncated_record_costs_its_cell_and_one_sentence(whole: tuple[Store, str], statement: str) -> None:
    store, url = whole
    spoil(url, statement)
    record = assemble(store, store.run(RUN))
    first, second = record.records
    assert first.outcome is Outcome.OK
    assert len(first.trials) == 2
    assert second.outcome is Outcome.ERROR
    assert second.reason is not None
    assert second.reason.startswith(f"run {RUN}, {CELLS[1]}: ")
    assert "is damaged (" in second.reason
    assert "\n" not in second.reason
    assert second.reason.split(" (")[0] in unescape(render(record))


def test_what_no_cell_can_carry_is_a_remark_on_the_others(whole: tuple[Store, str]) -> None:
    store, url = whole
    spoil(url, "UPDATE notes SET facts = '{' WHERE subject = 'pi'")
    records = assemble(store, store.run(RUN)).records
    assert {r.outcome for r in records} == {Outcome.OK}
    assert all(f'run {RUN}, pi: its note "board" in the store is damaged' in r.remarks[0] for r in records)


def test_a_cell_whose_own_row_is_lost_is_named_by_the_others(whole: tuple[Store, str]) -> None:
    store, url = whole
    spoil(url, f"UPDATE cells SET facts = '' WHERE cell_id = '{CELLS[1]}'")
    (left,) = assemble(store, store.run(RUN)).records
    assert left.outcome is Outcome.OK
    assert f"run {RUN}, {CELLS[1]}: the record of the cell" in left.remarks[0]


def test_a_run_whose_own_row_is_lost_ends_in_a_sentence_and_hides_no_other(whole: tuple[Store, str]) -> None:
    store, url = whole
    store.add_run(replace(store.run(RUN), run_id="20261130-000000-bbbb"), [])
    spoil(url, f"UPDATE runs SET facts = substr(facts, 1, 40) WHERE id = '{RUN}'")
    assert len(store.runs()) == 2
    with pytest.raises(StoreError, match=f"run {RUN}, the record of the run in the store is damaged"):
        assemble(store, store.run(RUN))
    assert assemble(store, store.run("20261130")).records == ()


def test_who_does_not_collect_what_is_lost_hears_of_it(whole: tuple[Store, str]) -> None:
    store, url = whole
    spoil(url, f"UPDATE trials SET facts = 'x' WHERE trial_id = '{CELLS[0]}-0'")
    with pytest.raises(StoreError, match=f"run {RUN}, {CELLS[0]}: trial {CELLS[0]}-0 in the store is damaged"):
        store.trials(RUN)


def test_a_file_that_is_no_database_any_more_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    Store.open(f"sqlite:///{path}").close()
    path.write_bytes(path.read_bytes()[:5000])
    for rest in tmp_path.glob("runs.sqlite-*"):
        rest.unlink()
    with pytest.raises(StoreError, match=r"the store .*runs\.sqlite failed: "):
        Store.open(f"sqlite:///{path}").runs()
