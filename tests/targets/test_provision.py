"""Runtimes put on this machine through a real OpenSSH server, for interpreters that have no packages at all."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hilbench.targets.account import account_files, parse_account, remove_account_files
from hilbench.targets.board import Arch, Board, BoardRuntime, LocalAddress, Role
from hilbench.targets.errors import TargetError
from hilbench.targets.interpreter import look_at
from hilbench.targets.provision import RuntimeFound, provide_runtimes, runtime_versions
from hilbench.targets.ssh import SshConnection
from hilbench.targets.wheels import sha256_of

from .openssh_server import OpensshServer

LITERT = "ai-edge-litert"


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The controller's cache of wheels, shared by the tests of this file."""
    return tmp_path_factory.mktemp("wheels")


@pytest.fixture(scope="module")
def empty_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An interpreter without packages, as a fresh board has it."""
    folder = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    return str(folder / "bin" / "python3")


@pytest.fixture(scope="module")
def workdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The board's work folder, shared by the tests that put something there; the last of them cleans it."""
    return tmp_path_factory.mktemp("board") / "work"


def board_of(server: OpensshServer, workdir: Path, *runtimes: BoardRuntime) -> Board:
    return Board(
        name="lab",
        address=server.address(),
        arch=Arch.X86_64,
        role=Role.TARGET,
        runtimes=runtimes,
        workdir=str(workdir),
    )


def provide(
    connection: SshConnection, board: Board, wheels: Path, said: list[str] | None = None
) -> dict[str, RuntimeFound]:
    say = print if said is None else said.append
    found = provide_runtimes(connection, board, board.runtimes, wheels=wheels, say=say)
    return {runtime.name: one for runtime, one in found.items()}


def test_a_board_without_packages_gets_a_runtime_once(
    sshd: OpensshServer, ssh_connection: SshConnection, workdir: Path, wheels: Path, empty_python: str
) -> None:
    board = board_of(sshd, workdir, BoardRuntime(name=LITERT, python=empty_python))
    before = runtime_versions(ssh_connection, board)[LITERT]
    assert (before.version, before.reason) == (None, "not there; `run` and `bench` put ai-edge-litert 2.3.0 there")
    said: list[str] = []
    found = provide(ssh_connection, board, wheels, said)
    assert (found[LITERT].version, found[LITERT].numpy) == ("2.3.0", "2.4.6")
    own = workdir / f"account-{os.getuid()}" / "runtimes"
    assert [str(path) for path in own.iterdir()] == [found[LITERT].site]
    first_words = [line.split()[0] for line in said]
    assert first_words == [LITERT, "downloaded", "downloaded", "sending", "unpacking", LITERT]
    # The second time nothing is sent, nothing is said, and neither cache nor index is needed.
    again: list[str] = []
    assert provide(ssh_connection, board, workdir / "no wheels", again) == found
    assert again == []
    assert runtime_versions(ssh_connection, board) == found


def test_a_provisioned_runtime_that_broke_is_told_and_put_anew(
    sshd: OpensshServer, ssh_connection: SshConnection, workdir: Path, wheels: Path, empty_python: str
) -> None:
    board = board_of(sshd, workdir, BoardRuntime(name=LITERT, python=empty_python))
    site = Path(str(provide(ssh_connection, board, wheels)[LITERT].site))
    (site / "ai_edge_litert" / "interpreter.py").write_text("import gone\n")
    told = runtime_versions(ssh_connection, board)[LITERT]
    assert told.version is None
    assert "what hilbench put there is broken and will be put anew: ModuleNotFoundError" in str(told.reason)
    said: list[str] = []
    assert provide(ssh_connection, board, wheels, said)[LITERT].version == "2.3.0"
    assert not [line for line in said if line.startswith(("downloaded", "sending"))]
    assert runtime_versions(ssh_connection, board)[LITERT].version == "2.3.0"


def test_cleaning_removes_this_accounts_files_and_says_how_much(
    sshd: OpensshServer, ssh_connection: SshConnection, workdir: Path, wheels: Path, empty_python: str
) -> None:
    provide(ssh_connection, board_of(sshd, workdir, BoardRuntime(name=LITERT, python=empty_python)), wheels)
    foreign = workdir / "cache" / "of-another-account"
    foreign.write_bytes(b"x")
    os.chown(foreign, 12345, 12345)
    files = account_files(ssh_connection, str(workdir))
    sent = [file for file in (workdir / "cache").iterdir() if file != foreign]
    assert files.bytes_by_part["runtimes"] > 50e6
    assert files.bytes_by_part["cache"] >= sum(file.stat().st_size for file in sent)
    assert {file.stem for file in sent} == {sha256_of(file) for file in sent}
    assert (files.jobs, files.running) == (0, 0)
    remove_account_files(ssh_connection, str(workdir))
    assert list(workdir.rglob("*")) == [workdir / "cache", foreign]
    assert account_files(ssh_connection, str(workdir)).bytes_by_part == {}


def test_neither_wheels_nor_folders_of_other_accounts_are_trusted(
    sshd: OpensshServer, ssh_connection: SshConnection, tmp_path: Path, wheels: Path, empty_python: str
) -> None:
    board = board_of(sshd, tmp_path / "work", BoardRuntime(name=LITERT, python=empty_python))
    for wheel in wheels.glob("*/*.whl"):  # of the right size and name, as `deploy` looks for it
        planted = tmp_path / "work" / "cache" / f"{wheel.parent.name}.whl"
        planted.parent.mkdir(parents=True, exist_ok=True)
        planted.write_bytes(bytes(wheel.stat().st_size))
    provide(ssh_connection, board, wheels)
    cache = tmp_path / "work" / "cache"
    assert {file.stem for file in cache.glob("*.whl")} == {sha256_of(file) for file in cache.glob("*.whl")}
    own = tmp_path / "work" / f"account-{os.getuid()}"
    shutil.rmtree(next((own / "runtimes").iterdir()))
    folder = own / "runtimes" / "planted"
    folder.mkdir()
    manifest = {"runtime": LITERT, "version": "2.3.0", "numpy": "2.4.6", "python": sys.version_info[:2]}
    (folder / "hilbench.json").write_text(json.dumps(manifest))
    workdir = str(tmp_path / "work")
    assert len(look_at(ssh_connection, "lab", empty_python, workdir).installed) == 1
    os.chown(own, 12345, 12345)
    assert look_at(ssh_connection, "lab", empty_python, workdir).installed == ()


def test_a_runtime_of_the_boards_own_is_never_replaced(
    sshd: OpensshServer, ssh_connection: SshConnection, tmp_path: Path
) -> None:
    named = BoardRuntime(name="onnxruntime", python=sys.executable, version="1.0.0")
    board = board_of(sshd, tmp_path / "work", named)
    said: list[str] = []
    found = provide(ssh_connection, board, tmp_path / "wheels", said)["onnxruntime"]
    assert (found.site, found.reason) == (None, None)
    assert found.version is not None
    assert said == [
        f"{sys.executable} has onnxruntime {found.version}, which is used; the inventory says 1.0.0",
    ]
    assert not (tmp_path / "work").exists()
    assert not (tmp_path / "wheels").exists()


def test_nothing_is_put_on_this_machine_or_where_a_folder_is_named(
    sshd: OpensshServer, ssh_connection: SshConnection, tmp_path: Path, empty_python: str
) -> None:
    runtime = BoardRuntime(name=LITERT, python=empty_python)
    named = board_of(sshd, tmp_path / "work", replace(runtime, site="/nowhere"))
    local = replace(board_of(sshd, tmp_path / "work", runtime), address=LocalAddress())
    for board in (named, local):
        with pytest.raises(TargetError, match="No module named 'numpy'"):
            provide(ssh_connection, board, tmp_path / "wheels")
    assert not (tmp_path / "work").exists()


def test_a_runtime_that_cannot_exist_there_is_an_answer_not_a_failure(
    sshd: OpensshServer, ssh_connection: SshConnection, tmp_path: Path, wheels: Path, empty_python: str
) -> None:
    runtime = BoardRuntime(name=LITERT, python=empty_python, version="0.0.1")
    found = provide(ssh_connection, board_of(sshd, tmp_path / "work", runtime), wheels)[LITERT]
    assert found.impossible
    assert "no wheel of ai-edge-litert 0.0.1 is published for Python" in str(found.reason)


@contextmanager
def mounted(folder: Path, options: str) -> Generator[Path]:
    assert os.geteuid() == 0, "this test mounts a small file system: run it as root"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_folder_that_forbids_execution_is_said_before_anything_is_sent(
    sshd: OpensshServer, ssh_connection: SshConnection, tmp_path: Path, wheels: Path, empty_python: str
) -> None:
    with mounted(tmp_path / "noexec", "noexec,size=1m") as folder:
        board = board_of(sshd, folder / "work", BoardRuntime(name=LITERT, python=empty_python))
        with pytest.raises(TargetError) as caught:
            provide(ssh_connection, board, wheels)
        assert str(caught.value).startswith("lab forbids execution in")
        assert "set `workdir:` in the inventory to a folder that allows it" in str(caught.value)
        assert not list(folder.iterdir())


def test_a_disk_that_is_too_small_is_said_before_anything_is_sent(
    sshd: OpensshServer, ssh_connection: SshConnection, tmp_path: Path, wheels: Path, empty_python: str
) -> None:
    with mounted(tmp_path / "small", "size=30m") as folder:
        board = board_of(sshd, folder / "work", BoardRuntime(name=LITERT, python=empty_python))
        with pytest.raises(TargetError, match=r"lab needs \d+\.\d MB for ai-edge-litert 2\.3\.0, has 31\.\d MB at"):
            provide(ssh_connection, board, wheels)
        assert not list(folder.iterdir())


def test_jobs_and_agents_at_work_are_seen_before_cleaning(ssh_connection: SshConnection, tmp_path: Path) -> None:
    own = tmp_path / f"account-{os.getuid()}"
    for name in ("a", "b"):
        (own / "jobs" / name).mkdir(parents=True)
        (own / "jobs" / name / "journal.jsonl").write_text("{}\n")
    (own / "agent").mkdir()
    program = own / "agent" / "x.pyz"
    program.write_text("import time; print('up', flush=True); time.sleep(60)")
    with subprocess.Popen([sys.executable, program], stdout=subprocess.PIPE, text=True) as agent:
        assert agent.stdout is not None
        assert agent.stdout.readline() == "up\n"
        files = account_files(ssh_connection, str(tmp_path))
        agent.kill()
    assert (files.jobs, files.running) == (2, 1)
    assert account_files(ssh_connection, str(tmp_path)).running == 0


def test_a_board_that_has_nothing_of_this_account_has_no_parts() -> None:
    files = parse_account("/w", "\n")
    assert (files.bytes_by_part, files.jobs, files.running) == ({}, 0, 0)
    assert parse_account("/w", "cache 4\ncache 8\njob\n").bytes_by_part == {"cache": 12 * 1024}
