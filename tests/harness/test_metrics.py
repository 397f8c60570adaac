"""What Prometheus reads is what its own parser understands."""

from __future__ import annotations

from collections.abc import Iterator
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

import pytest
from hilbench.harness.errors import PlanError, StoreError
from hilbench.harness.metrics import CONTENT_TYPE, Snapshot, board_states, render, serve_metrics
from hilbench.harness.quarantine import Standing
from prometheus_client.parser import text_string_to_metric_families

ODD = 'pi "5"\\a\nb'
SNAPSHOT = Snapshot(
    version="1.2.3",
    worker="lab-1",
    queue={("waiting", "high"): 2, ("waiting", "low"): 0, ("running", "normal"): 1},
    running=1,
    boards={"pi5": "busy", ODD: "quarantined", "jetson": "idle"},
    last_ok={"pi5": "2026-01-01T00:00:00.500Z", ODD: None},
    trials=123_456_789_012,
)
EMPTY = Snapshot(version="1", worker="w")
OPENER = build_opener(ProxyHandler({}))

Samples = dict[str, list[tuple[dict[str, str], float]]]


def parsed(text: str) -> tuple[dict[str, str], Samples]:
    families = list(text_string_to_metric_families(text))
    samples: Samples = {}
    for family in families:
        for sample in family.samples:
            samples.setdefault(sample.name, []).append((dict(sample.labels), sample.value))
    return {family.name: family.type for family in families}, samples


def test_the_text_is_what_the_parser_of_prometheus_reads_back() -> None:
    kinds, samples = parsed(render(SNAPSHOT))
    assert samples["hilbench_build_info"] == [({"version": "1.2.3"}, 1.0)]
    assert samples["hilbench_worker_up"] == [({"worker": "lab-1"}, 1.0)]
    assert ({"state": "waiting", "priority": "high"}, 2.0) in samples["hilbench_queue_jobs"]
    assert ({"state": "waiting", "priority": "low"}, 0.0) in samples["hilbench_queue_jobs"]
    assert samples["hilbench_jobs_running"] == [({}, 1.0)]
    assert samples["hilbench_boards"] == [
        ({"state": "busy"}, 1.0),
        ({"state": "idle"}, 1.0),
        ({"state": "quarantined"}, 1.0),
    ]
    assert ({"board": ODD}, 1.0) in samples["hilbench_board_quarantined"]
    assert ({"board": "pi5"}, 0.0) in samples["hilbench_board_quarantined"]
    assert samples["hilbench_board_last_success_timestamp_seconds"] == [({"board": "pi5"}, 1767225600.5)]
    assert samples["hilbench_trials_stored_total"] == [({}, 123_456_789_012.0)]
    assert kinds["hilbench_trials_stored"] == "counter"
    assert set(kinds.values()) == {"counter", "gauge"}


def test_what_was_not_measured_is_absent_and_never_zero() -> None:
    _, samples = parsed(render(EMPTY))
    assert "hilbench_trials_stored_total" not in samples
    assert "hilbench_queue_jobs" not in samples
    assert [value for _, value in samples["hilbench_boards"]] == [0.0, 0.0, 0.0]


def test_a_board_in_quarantine_is_not_counted_as_busy() -> None:
    standings = {"a": Standing(since="2026-01-01T00:00:00Z", reason="x"), "b": Standing(), "c": Standing(failures=2)}
    assert board_states(standings, busy=["a", "b"]) == {"a": "quarantined", "b": "busy", "c": "idle"}


@pytest.fixture
def snapshots() -> Iterator[tuple[str, list[Snapshot | Exception]]]:
    """The address of an endpoint, and what it shows at the next questions."""
    shown: list[Snapshot | Exception] = []

    def snapshot() -> Snapshot:
        found = shown.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    with serve_metrics(0, snapshot) as port:
        yield f"http://127.0.0.1:{port}", shown


def test_each_question_gets_what_holds_now(snapshots: tuple[str, list[Snapshot | Exception]]) -> None:
    address, shown = snapshots
    shown += [SNAPSHOT, EMPTY]
    for snapshot in (SNAPSHOT, EMPTY):
        with OPENER.open(f"{address}/metrics", timeout=10) as answer:
            assert answer.headers["Content-Type"] == CONTENT_TYPE
            assert answer.read().decode() == render(snapshot)


def test_a_store_that_fails_is_said_and_the_next_question_is_answered(
    snapshots: tuple[str, list[Snapshot | Exception]],
) -> None:
    address, shown = snapshots
    shown += [StoreError("the store is locked"), SNAPSHOT]
    with pytest.raises(HTTPError) as caught:
        OPENER.open(f"{address}/metrics", timeout=10)
    assert (caught.value.code, caught.value.read().decode()) == (503, "the store is locked\n")
    with OPENER.open(f"{address}/metrics", timeout=10) as answer:
        assert answer.status == 200
    with pytest.raises(HTTPError) as caught:
        OPENER.open(f"{address}/", timeout=10)
    assert caught.value.code == 404


def test_a_port_that_is_taken_is_said_in_one_sentence_and_a_closed_endpoint_gives_its_port_back() -> None:
    with (
        serve_metrics(0, lambda: EMPTY) as port,
        pytest.raises(PlanError, match=rf"127\.0\.0\.1:{port}: Address already"),
        serve_metrics(port, lambda: EMPTY),
    ):
        pass
    # Somebody else may have the port by now, but it is not this endpoint that answers.
    with pytest.raises((OSError, HTTPException)):
        OPENER.open(f"http://127.0.0.1:{port}/metrics", timeout=5)
