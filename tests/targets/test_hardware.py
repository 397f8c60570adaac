"""What is asked of a board once: on this machine, over SSH, and where a folder does not let anything run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hilbench.targets.agent.counters import open_counter
from hilbench.targets.board import Arch, Board, BoardRuntime, LocalAddress, Role
from hilbench.targets.connection import Connection
from hilbench.targets.hardware import admission_probes, arch_of, cpu_list
from hilbench.targets.local import open_local
from hilbench.targets.probes import ask_probes, is_virtual_machine
from hilbench.targets.ssh import SshConnection


def board(workdir: str = "/var/tmp", python: str = sys.executable) -> Board:
    runtimes = (BoardRuntime(name="onnxruntime", python=python),)
    address = LocalAddress()
    return Board(name="b", address=address, arch=Arch.X86_64, role=Role.REFERENCE, runtimes=runtimes, workdir=workdir)


def ask(connection: Connection, one: Board) -> dict[str, Any]:
    return ask_probes(connection, one.name, admission_probes(one))


@pytest.fixture(params=["local", "ssh"])
def connection(request: pytest.FixtureRequest, ssh_connection: SshConnection) -> Connection:
    return open_local() if request.param == "local" else ssh_connection


def test_this_machine_says_of_itself_what_python_sees(connection: Connection, tmp_path: Path) -> None:
    facts = ask(connection, board(str(tmp_path / "not" / "yet")))
    assert facts["hostname"] == os.uname().nodename
    assert facts["userland_bits"] == (64 if sys.maxsize > 2**32 else 32)
    assert facts["tmp_executable"] is True
    assert facts["workdir_executable"] is True
    assert facts["counts_from"] == open_counter(1).source
    assert list(tmp_path.iterdir()) == []


def test_a_folder_mounted_without_execution_is_told(tmp_path: Path) -> None:
    assert os.geteuid() == 0, "this test mounts a small file system: run it as root"
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,noexec", "tmpfs", tmp_path], check=True)
    try:
        facts = ask(open_local(), board(str(tmp_path / "work")))
        assert facts["workdir_executable"] is False
        assert facts["tmp_executable"] is True
        assert list(tmp_path.iterdir()) == []
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_without_an_interpreter_the_counter_is_unknown_and_the_rest_is_told() -> None:
    facts = ask(open_local(), board(python="/no/such/python"))
    assert facts["counts_from"] is None
    assert facts["hostname"]


@pytest.mark.parametrize(
    ("machine", "bits", "arch"),
    [
        ("aarch64", 64, Arch.ARM64),
        ("aarch64", None, Arch.ARM64),
        ("aarch64", 32, Arch.ARMHF),  # a 64-bit kernel below 32-bit programs, as Raspberry Pi OS ships it
        ("armv7l", 32, Arch.ARMHF),
        ("x86_64", 64, Arch.X86_64),
        ("riscv64", 64, None),
        (None, None, None),
    ],
)
def test_the_architecture_is_that_of_the_programs(machine: str | None, bits: int | None, arch: Arch | None) -> None:
    assert arch_of(machine, bits) is arch


@pytest.mark.parametrize(
    ("said", "virtual"),
    [
        (None, False),
        ("container (lxc)", False),
        ("container (docker) in a virtual machine", True),
        ("container (docker) in a qemu (virt machine)", True),
        ("qemu (virt machine)", True),
        ("virtual machine (QEMU Standard PC)", True),
    ],
)
def test_only_a_machine_made_by_software_is_virtual(said: str | None, virtual: bool) -> None:
    assert is_virtual_machine(said) is virtual


def test_cpus_are_listed_as_the_kernel_does() -> None:
    assert cpu_list([3, 0, 1, 2, 7]) == "0-3,7"
