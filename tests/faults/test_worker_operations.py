"""A worker as a service: what Prometheus reads of it, what its service manager logs, whom it tells."""

from __future__ import annotations

import json
import signal
from urllib.request import ProxyHandler, build_opener

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ..targets.openssh_server import OpensshServer, free_port
from .conftest import Lab
from .test_quarantine import PLAN_SSH, events
from .test_run_over_ssh import inventory

pytestmark = pytest.mark.timeout(300)

OPENER = build_opener(ProxyHandler({}))


def metrics(port: int) -> dict[str, list[tuple[dict[str, str], float]]]:
    with OPENER.open(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        families = text_string_to_metric_families(answer.read().decode())
        found: dict[str, list[tuple[dict[str, str], float]]] = {}
        for family in families:
            for sample in family.samples:
                found.setdefault(sample.name, []).append((dict(sample.labels), sample.value))
    return found


def test_a_worker_is_read_by_prometheus_logs_lines_of_json_and_tells_of_quarantine_and_bad_end(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HILBENCH_RETRY_DELAY_S", "0.2")
    folder = lab.folder / "server"
    folder.mkdir()
    told = f"notify:\n  - {{on: [quarantine, failure], command: 'tee -a {lab.folder}/told'}}\n"
    board = inventory(OpensshServer(folder), lab.folder / "work")  # the server is not started: the board is down
    lab.write(inventory=board + told, plan=PLAN_SSH)
    run = json.loads(lab.run("submit", "plan.yaml", "--json", "--priority", "high").stdout)["run"]
    port = free_port()
    worker = lab.start("worker", "--name", "lab", "--log-json", "--metrics-port", str(port))
    assert worker.stderr is not None
    seen = [json.loads(worker.stderr.readline())]
    while "waits: try 2 of 4 after" not in seen[-1]["message"]:
        seen.append(json.loads(worker.stderr.readline()))
    found = metrics(port)
    assert found["hilbench_worker_up"] == [({"worker": "lab"}, 1.0)]
    assert sum(value for labels, value in found["hilbench_queue_jobs"] if labels["priority"] == "high") >= 1
    assert [labels for labels, _ in found["hilbench_board_quarantined"]] == [{"board": "board"}]
    assert found["hilbench_trials_stored_total"] == [({}, 0.0)]

    while "report: " not in seen[-1]["message"]:
        seen.append(json.loads(worker.stderr.readline()))
    worker.send_signal(signal.SIGTERM)
    stdout, rest = worker.communicate(timeout=200)
    assert (worker.returncode, stdout) == (0, ""), rest
    seen += [json.loads(line) for line in rest.splitlines()]
    lost = [line for line in seen if line["event"] == "board-lost"]
    assert [(line["run"], line["board"], line["level"]) for line in lost] == [(run, "board", "error")] * 3
    quarantine, end = events(lab.folder / "told")
    assert (quarantine["event"], quarantine["board"]) == ("quarantine", "board")
    assert (end["event"], end["run"], end["state"], end["exit_code"]) == ("failure", run, "incomplete", 4)
