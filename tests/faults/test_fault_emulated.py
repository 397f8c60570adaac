"""A whole board is cut off, stops, restarts and goes: a real kernel, reached by plain SSH as a real board is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hilbench.targets.board import SshAddress
from hilbench.targets.emulated.image import ensure_image
from hilbench.targets.emulated.machine import Machine, open_machine
from hilbench.targets.ssh import open_ssh

from .conftest import DIGITS, Lab, wait_for_processes
from .ledger import Measured, journaled, measured, stored
from .recording import Fault, read_until, sentence

pytestmark = pytest.mark.timeout(600)

WORKDIR = "/var/tmp/hilbench"
# So many that the agent, which goes on while nobody hears it, does not come to its end before the test does.
PLAN = f"""\
name: emulated
models:
  digits:
    file: {DIGITS}/digits.onnx
    task: {{test: {DIGITS}/digits-test.npz, calibration: {DIGITS}/digits-calibration.npz}}
recipes: [fp32, fp16, int8-dynamic, int8-static, prune-l1]
boards: [board]
accuracy_samples: 2
"""


@pytest.fixture
def machine() -> Iterator[Machine]:
    with open_machine("tests-other", "cortex-a72", 512, ensure_image(print), progress=print) as machine:
        yield machine


def address(machine: Machine) -> SshAddress:
    key, host_key = str(machine.image.key_file), machine.image.host_key
    return SshAddress(host="127.0.0.1", port=machine.port, user="root", key_file=key, host_key=host_key)


def inventory(machine: Machine) -> str:
    where = address(machine)
    return f"""\
boards:
  board:
    host: 127.0.0.1
    port: {where.port}
    user: root
    key: {where.key_file}
    host_key: {where.host_key}
    arch: arm64
    role: emulated
    workdir: {WORKDIR}
    runtimes: [{{name: onnxruntime, python: python3, site: /opt/hilbench/runtimes/onnxruntime}}]
"""


def on_board(machine: Machine, command: str) -> bytes:
    connection = open_ssh(address(machine))
    try:
        return connection.run(command, timeout_s=60).stdout
    finally:
        connection.close()


def measured_there(lab: Lab, machine: Machine) -> Measured:
    # Synced, as the file system of this image has no journal, which that of a real board has.
    journals = on_board(machine, f"sync; cat {WORKDIR}/account-0/jobs/*/journal.jsonl")
    return measured(lab.folder) | journaled(journals)


def test_a_board_that_is_cut_off_stops_restarts_and_goes_is_said_and_nothing_measured_is_lost(
    lab: Lab, machine: Machine, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HILBENCH_PROCESS_TIMEOUT_S", "15")
    monkeypatch.setenv("HILBENCH_CONNECT_TIMEOUT_S", "10")
    lab.write(inventory=inventory(machine), plan=PLAN)
    on_board(machine, "date -u -s 2041-01-01")
    process = lab.start("run", "plan.yaml")
    wait_for_processes(process, "board", 2)
    on_board(machine, "date -u -s 1999-01-01")  # in mid-run, as by a late time server that is wrong as well
    cut_off = measured_there(lab, machine)
    machine.qmp("set_link", {"name": "n0", "up": False})
    cut_off_seen = sentence(read_until(process, "silent"), "has been silent")
    machine.qmp("set_link", {"name": "n0", "up": True})
    clock_seen = sentence(read_until(process, "the board answers again"), "the board answers again")

    stopped = measured_there(lab, machine)
    machine.qmp("stop")
    stopped_seen = sentence(read_until(process, "silent"), "has been silent")
    machine.qmp("system_reset")  # what a person does to a board that hangs
    machine.qmp("cont")
    _, stderr = process.communicate(timeout=200)
    assert process.returncode in (3, 4), stderr
    rebooted_seen = sentence(stderr, "cannot be used any further")
    assert "the board restarted" in rebooted_seen

    monkeypatch.setenv("HILBENCH_RECONNECT_S", "1")
    process = lab.start("run", "plan.yaml")
    read_until(process, "that job did not finish")
    powered_off = measured(lab.folder)
    machine.qmp("quit")
    _, stderr = process.communicate(timeout=200)
    assert process.returncode in (3, 4), stderr
    off_seen = sentence(stderr, "cannot be used any further")
    after = stored(lab.folder)
    fault("board-clock-years-off", seen=clock_seen, before=stopped, after=after)
    fault("board-stopped", seen=stopped_seen, before=stopped, after=after)
    fault("board-link-down", seen=cut_off_seen, before=cut_off, after=after)
    fault("board-rebooted", seen=rebooted_seen, before=stopped, after=after)
    fault("board-powered-off", seen=off_seen, before=powered_off, after=after)
