"""The contract of connections on an emulated board: dropbear, busybox, a slow CPU."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hilbench.targets.board import SshAddress
from hilbench.targets.connection import Connection
from hilbench.targets.deploy import deploy
from hilbench.targets.emulated.guest import set_clock_command
from hilbench.targets.emulated.machine import Machine
from hilbench.targets.errors import TransientTargetError
from hilbench.targets.inventory import load_inventory
from hilbench.targets.probes import probe_board
from hilbench.targets.ssh import open_ssh

from ..targets.connection_contract import ConnectionContract

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def clean_a72(a72: Machine) -> Machine:
    a72.restore()
    return a72


@pytest.fixture
def board_connection(clean_a72: Machine) -> Iterator[Connection]:
    address = SshAddress(
        host="127.0.0.1",
        port=clean_a72.port,
        user="root",
        key_file=str(clean_a72.image.key_file),
        host_key=clean_a72.image.host_key,
    )
    connection = open_ssh(address)
    connection.run(set_clock_command(time.time()), timeout_s=30)
    yield connection
    connection.close()


class TestEmulatedBoardConnection(ConnectionContract):
    @pytest.fixture
    def connection(self, board_connection: Connection) -> Connection:
        return board_connection


def test_a_board_whose_machine_stands_still_is_lost_at_the_deadline(
    clean_a72: Machine, board_connection: Connection
) -> None:
    clean_a72.qmp("stop")
    try:
        with pytest.raises(TransientTargetError):
            board_connection.run("true", timeout_s=2)
    finally:
        clean_a72.qmp("cont")


def test_facts_of_the_emulated_board_are_read_with_busybox(board_connection: Connection) -> None:
    facts = probe_board(board_connection, load_inventory(ROOT / "inventory.yaml").boards["emulated-a72"])
    assert facts["machine"] == "aarch64"
    assert facts["cpu_models"] == ["1 x Cortex-A72"]
    assert facts["isa"]["dotprod"] is False
    assert facts["virtualization"] == "qemu (virt machine)"
    assert facts["python"].startswith("3.11.")
    assert set(facts["runtimes"]) == {"onnxruntime", "tflite-runtime", "ai-edge-litert"}
    assert all(found["version"] and found["numpy"] for found in facts["runtimes"].values())
    assert facts["temperatures_c"] is None
    assert facts["governors"] is None


def test_files_are_deployed_once_with_busybox(board_connection: Connection, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(bytes(range(256)) * 1000)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    said: list[str] = []
    first = deploy(board_connection, "/var/tmp/hilbench", {sha256: path}, progress=said.append)
    second = deploy(board_connection, "/var/tmp/hilbench", {sha256: path}, progress=said.append)
    assert first == second == {sha256: f"/var/tmp/hilbench/cache/{sha256}.onnx"}
    assert len(said) == 1
    found = board_connection.run(f"sha256sum {first[sha256]}", timeout_s=30).stdout.decode()
    assert found.split()[0] == sha256
