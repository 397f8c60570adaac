"""The JSON API, the form of new runs, and the queue behind both."""

from __future__ import annotations

from pathlib import Path

import pytest
from hilbench.harness.assemble import assemble
from starlette.testclient import TestClient

from .conftest import PLAN, Served, add_run

RUN = "20260101-000009-aaaa"


def test_openapi_describes_what_there_is(client: TestClient) -> None:
    found = client.get("/api/openapi.json").json()
    wanted = {"/api/boards", "/api/runs", "/api/runs/{run_id}", "/api/runs/{run_id}/events", "/api/queue"}
    assert wanted <= set(found["paths"])
    assert all(path.startswith("/api/") for path in found["paths"])
    assert found["components"]["schemas"]["BoardOut"]["properties"]["quarantine"]


def test_a_run_is_told_with_its_cells_and_events(client: TestClient, served: Served) -> None:
    store = served.web.events
    ids = add_run(store, RUN, state="finished", measured=True, recipes=("fp32", "fp16"), reason="no fp16 here")
    for kind in ("session", "collected"):
        store.add_note(RUN, ids[0], kind, {"secret": "never shown"})
    told = client.get(f"/api/runs/{RUN}").json()
    assert [cell["state"] for cell in told["cells"]] == ["ok", "unsupported"]
    assert told["cells"][1]["reason"] == "no fp16 here"
    assert [r.outcome.value for r in assemble(store, store.run(RUN)).records] == ["ok", "unsupported"]
    events = client.get(f"/api/runs/{RUN}/events").json()
    assert [event["kind"] for event in events] == ["failed", "session", "collected"]
    assert "never shown" not in str(events)
    later = client.get(f"/api/runs/{RUN}/events?after={events[0]['number']}").json()
    assert later == events[1:]
    assert client.get(f"/api/runs/{RUN}/export").json()["run"]["id"] == RUN


def test_errors_are_json_with_one_sentence(client: TestClient) -> None:
    assert client.get("/api/boards/nobody").json() == {"error": {"message": "there is no such board in the inventory"}}
    assert client.get("/api/runs/20260101-000000-0000").status_code == 404
    for wrong in ({}, {"plan": "../../etc/passwd"}, {"plan": "plan.yaml", "surprise": 1}, {"plan": "x" * 400}):
        answer = client.post("/api/runs", json=wrong)
        assert answer.status_code == 422
        assert answer.json()["error"]["message"]


def test_the_grid_says_what_runs_what_is_skipped_and_how_long_it_takes(client: TestClient, served: Served) -> None:
    both = PLAN + "runtimes: [{name: onnxruntime}, {name: tflite-runtime}]\n"
    (served.folder / "plans").mkdir(exist_ok=True)
    (served.folder / "plans" / "both.yaml").write_text(both)
    assert "plans/both.yaml" in client.get("/runs/new").text
    text = client.post("/runs/new", data={"plan": "plans/both.yaml", "do": "preview"}).text
    assert "4 cells on 1 board; 2 will be skipped" in text
    assert "tflite-runtime" in text.partition("<h3>Skipped</h3>")[2]
    assert "timed processes" in text
    assert f"hilbench submit {served.folder}/plans/both.yaml" in text
    assert served.web.events.unfinished("h") is None


def test_a_pasted_plan_is_written_only_when_it_is_right_and_over_no_other(client: TestClient, served: Served) -> None:
    form = {"text": PLAN.replace("small", "pasted"), "file": "pasted.yaml", "do": "preview"}
    path = served.folder / "pasted.yaml"
    assert "2 cells on 1 board" in client.post("/runs/new", data=form).text
    assert not path.exists()
    wrong = client.post("/runs/new", data={**form, "do": "queue", "text": PLAN + "surprise: 1\n"})
    assert wrong.status_code == 422
    assert "pasted.yaml:9" in wrong.text
    assert "surprise: 1" in wrong.text, "what was typed is still there"
    assert not path.exists()
    for name in ("../evil.yaml", "inventory.yaml", "a.txt", "", ".hidden.yaml"):
        assert client.post("/runs/new", data={**form, "file": name, "do": "queue"}).status_code == 422
    answer = client.post("/runs/new", data={**form, "do": "queue"})
    assert answer.status_code == 303
    assert path.read_text() == form["text"]
    other = client.post("/runs/new", data={**form, "do": "queue", "text": PLAN})
    assert other.status_code == 422
    assert "it is another plan" in other.text
    assert path.read_text() == form["text"]
    cancelled = client.post(f"{answer.headers['location']}/cancel")
    assert cancelled.headers["location"] == answer.headers["location"]


def test_a_run_is_queued_once_shown_and_cancelled(client: TestClient, served: Served) -> None:
    answer = client.post("/api/runs", json={"plan": "plan.yaml", "priority": "high"})
    assert answer.status_code == 201
    run = answer.json()["run"]
    assert client.post("/api/runs", json={"plan": "plan.yaml"}).json() == {"run": run, "already": True, "remarks": []}
    (entry,) = client.get("/api/queue").json()["queue"]
    assert (entry["run"], entry["priority"], entry["state"]) == (run, "high", "waiting")
    assert "no worker runs" in entry["why"]
    assert "No worker runs" in client.get("/queue").text
    assert client.get(f"/runs/{run}").text.count("data-cell=") == 2
    assert client.post(f"/api/runs/{run}/cancel").json()["state"] == "cancelled"
    again = client.post(f"/api/runs/{run}/cancel")
    assert again.status_code == 422
    assert "nothing to cancel" in again.json()["error"]["message"]
    assert Path(served.web.lab.home.report(run)).exists()


def test_a_schedule_is_kept_shown_and_forgotten(client: TestClient) -> None:
    form = {"plan": "plan.yaml", "do": "schedule", "cron": "0 2 * * *", "zone": "UTC", "schedule": "nightly"}
    assert client.post("/runs/new", data={**form, "cron": "often"}).status_code == 422
    assert client.post("/runs/new", data=form).headers["location"] == "/queue#schedules"
    assert "nightly" in client.get("/queue").text
    assert client.post("/queue/schedules/remove", data={"name": "nightly"}).status_code == 303
    assert "nightly" not in client.get("/queue").text


@pytest.mark.parametrize("number", [0, 100_000])
def test_pages_of_reports_are_numbered(client: TestClient, number: int) -> None:
    assert client.get(f"/reports?number={number}").status_code == 422
    assert client.get("/reports?number=2").status_code == 200
