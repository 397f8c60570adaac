"""The command line against a real OpenSSH server on 127.0.0.1: a first figure, and what a user reads where it fails."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..targets.openssh_server import OpensshServer, free_port, running
from .conftest import DIGITS, Lab, wait_for_processes
from .ledger import measured, stored
from .recording import Fault, sentence

pytestmark = pytest.mark.timeout(300)

BANNER = """#!/bin/sh
echo "Welcome to the board! 3 updates are waiting."
echo "Authorized use only." >&2
exec sh -c "${SSH_ORIGINAL_COMMAND:-exit 1}"
"""


def inventory(server: OpensshServer, folder: Path, *, host_key: str | None = None, port: int | None = None) -> str:
    address = server.address()
    return f"""\
boards:
  board:
    host: 127.0.0.1
    port: {port or server.port}
    user: {address.user}
    key: {address.key_file}
    host_key: {host_key or server.host_key}
    arch: x86_64
    workdir: {folder}
    runtimes: [{{name: onnxruntime, python: {sys.executable}}}]
"""


@pytest.fixture(scope="module")
def banner_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpensshServer]:
    """A server whose login shell greets before it does what it is told, as many boards' do."""
    folder = tmp_path_factory.mktemp("banner")
    shell = folder / "shell"
    shell.write_text(BANNER)
    shell.chmod(0o755)
    with running(folder, f"ForceCommand {shell}", sftp=False) as server:
        yield server


def test_bench_gives_a_first_figure_over_ssh_through_a_greeting_shell_without_sftp(
    lab: Lab, banner_server: OpensshServer, fault: Fault
) -> None:
    (lab.folder / "inventory.yaml").write_text(inventory(banner_server, lab.folder / "work"))
    done = lab.run("bench", DIGITS / "digits.onnx", "--board", "board")
    assert done.returncode == 0, done.stderr
    assert "inputs are random, accuracy is not judged" in done.stderr
    (cell,) = lab.export()["cells"]
    assert cell["role"] == "target"
    assert cell["latency_ns"]["blocks"] >= 6
    assert cell["latency_ns"]["ci_low"] <= cell["latency_ns"]["median"] <= cell["latency_ns"]["ci_high"]
    assert cell["accuracy"] is None or cell["accuracy"]["host"] is None
    assert cell["instructions"] is None
    plan = lab.folder / "bench-digits.yaml"
    assert "boards:\n- board" in plan.read_text()
    assert str(plan) in done.stdout
    # The plan that was written runs as it is, and finds everything done.
    exported = lab.export()["run"]["id"]
    assert lab.run("schema", "plan").returncode == 0
    assert exported in lab.run("report", "latest").stdout
    seen = sentence(done.stderr, "board: sending")
    fault("sshd-without-sftp", seen=seen, before=measured(lab.folder), after=stored(lab.folder))


def test_a_host_key_that_changed_is_never_accepted(lab: Lab, banner_server: OpensshServer, tmp_path: Path) -> None:
    other = tmp_path / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other], check=True)
    key = " ".join(other.with_suffix(".pub").read_text().split()[:2])
    (lab.folder / "inventory.yaml").write_text(inventory(banner_server, lab.folder / "work", host_key=key))
    done = lab.run("bench", DIGITS / "digits.onnx", "--board", "board")
    assert done.returncode == 4
    assert done.stderr.count("SHA256:") >= 2
    check = lab.run("board", "check", "board", "--json")
    assert check.returncode == 4
    assert json.loads(check.stdout)["error"]["exit_code"] == 4


def test_a_board_that_is_down_is_said_in_one_sentence(lab: Lab, banner_server: OpensshServer) -> None:
    text = inventory(banner_server, lab.folder / "work", port=free_port())
    (lab.folder / "inventory.yaml").write_text(text)
    done = lab.run("bench", DIGITS / "digits.onnx", "--board", "board")
    assert done.returncode == 4
    (cell,) = lab.export()["cells"]
    assert cell["outcome"] == "error"
    assert "refused" in cell["reason"]
    assert Path(done.stdout.split("report: ")[1].split("\n")[0]).exists()


def test_a_full_disk_on_the_board_is_said_with_what_is_needed(lab: Lab, tmp_path: Path) -> None:
    assert os.geteuid() == 0, "this test mounts a small file system: run it as root"
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", small], check=True)
    try:
        with running(tmp_path / "server") as server:
            (lab.folder / "inventory.yaml").write_text(inventory(server, small / "work"))
            done = lab.run("bench", DIGITS / "digits.onnx", "--board", "board")
        assert done.returncode == 4
        (cell,) = lab.export()["cells"]
        assert "MB" in cell["reason"]
        assert not list(small.rglob("*.part*"))
    finally:
        subprocess.run(["umount", small], check=True)


SLOW_STOP = """#!/bin/sh
case "$SSH_ORIGINAL_COMMAND" in *" stop "*) sleep 3 ;; esac
exec sh -c "$SSH_ORIGINAL_COMMAND"
"""


def agents(folder: Path) -> list[str]:
    """Command lines of processes that run the agent of a lab."""
    found: list[str] = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if str(folder) in words and ".pyz" in words:
                found.append(words)
    return found


def test_ctrl_c_waits_until_the_agent_on_the_board_has_stopped(lab: Lab, tmp_path: Path) -> None:
    shell = tmp_path / "shell"
    shell.write_text(SLOW_STOP)
    shell.chmod(0o755)
    with running(tmp_path / "server", f"ForceCommand {shell}", sftp=False) as server:
        (lab.folder / "inventory.yaml").write_text(inventory(server, lab.folder / "work"))
        process = lab.start("bench", DIGITS / "digits.onnx", "--board", "board")
        wait_for_processes(process, "board", 3)
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode == 130
        assert agents(lab.folder / "work") == []
