"""Provisioning on a bare emulated board: a Debian with OpenSSH, Python and an ordinary account, and nothing else.

The board is reached as any board by SSH. It has no way to the internet, and the account is not root.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hilbench.targets.agent.job import JobCell
from hilbench.targets.board import Arch, Board, BoardRuntime, Role, SshAddress
from hilbench.targets.connection import Connection
from hilbench.targets.deploy import deploy
from hilbench.targets.emulated import bare
from hilbench.targets.emulated.bareimage import bare_address, ensure_bare_image
from hilbench.targets.emulated.image import find_image, superseded_images
from hilbench.targets.emulated.machine import open_machine
from hilbench.targets.provision import RuntimeFound, provide_runtimes
from hilbench.targets.session import start_session
from hilbench.targets.ssh import open_ssh
from hilbench.targets.watch import watch
from hilbench.targets.wheels import sha256_of

from ..targets.agent_jobs import cell, face_cell, job, of_kind

pytestmark = pytest.mark.timeout(300)


@contextmanager
def bare_board(suite: str, *runtimes: str) -> Generator[Board]:
    image = ensure_bare_image(suite, print)
    with open_machine(f"tests-bare-{suite}", "cortex-a72", 512, image, progress=print) as machine:
        yield Board(
            name="bare",
            address=bare_address(machine),
            arch=Arch.ARM64,
            role=Role.EMULATED,
            runtimes=tuple(BoardRuntime(name=name) for name in runtimes),
        )


@pytest.fixture(scope="module")
def wheels() -> Path:
    """The controller's cache of wheels: kept beside the images, as those of the images are."""
    image = find_image()
    assert image is not None
    return image.folder.parent / "downloads" / "by-content"


def provide(connection: Connection, board: Board, wheels: Path, said: list[str]) -> dict[str, RuntimeFound]:
    found = provide_runtimes(connection, board, board.runtimes, wheels=wheels, say=said.append)
    return {runtime.name: one for runtime, one in found.items()}


def run_one_job(board: Board, connection: Connection, given: JobCell, site: str | None, mirror: Path) -> dict[str, Any]:
    """Run a cell in one process of the agent; its counted trial."""
    files = {sha256_of(Path(name)): Path(name) for name in (given.model, given.golden)}
    remote = deploy(connection, board.workdir, files)
    model, inputs = (remote[sha256_of(Path(name))] for name in (given.model, given.golden))
    moved = replace(given, model=model, golden=inputs, timing=inputs, python="python3", site=site, check=False)
    session = start_session(connection, board.workdir, job(replace(moved, memory=False), mode="count", iterations=5))
    events: list[dict[str, Any]] = []
    address = board.address
    assert isinstance(address, SshAddress)
    state = watch(session, reconnect=lambda: open_ssh(address), mirror=mirror, on_event=events.append)
    assert (state, of_kind(events, "failed")) == ("finished", [])
    (trial,) = of_kind(events, "trial")
    return trial


def test_a_bare_debian_12_board_gets_onnxruntime_and_measures(wheels: Path, tmp_path: Path) -> None:
    with bare_board("bookworm", "onnxruntime") as board:
        assert isinstance(board.address, SshAddress)
        connection = open_ssh(board.address)
        facts = connection.run("id -u; python3 -c 'import numpy' 2>&1; ls /opt /var/tmp", timeout_s=60)
        assert facts.stdout.startswith(b"1000\n")
        assert b"No module named 'numpy'" in facts.stdout
        assert b"hilbench" not in facts.stdout
        said: list[str] = []
        found = provide(connection, board, wheels, said)["onnxruntime"]
        assert (found.version, found.numpy, found.python) == ("1.32.0", "2.4.6", "3.11.2")
        assert str(found.site).startswith("/var/tmp/hilbench/account-1000/runtimes/onnxruntime-1.32.0-")
        assert "providing 1.32.0 for Python 3.11 on 64-bit ARM, glibc 2.36" in said[0]
        trial = run_one_job(board, connection, cell("small", tmp_path), found.site, tmp_path / "mirror")
        assert trial["counter_source"] == "virtual-clock"  # Debian's kernel closes the PMU to ordinary accounts
        assert len(trial["samples"]) == 5
        connection.close()


def test_a_bare_debian_13_board_gets_litert_and_is_told_about_tflite_runtime(wheels: Path, tmp_path: Path) -> None:
    with bare_board("trixie", "tflite-runtime", "ai-edge-litert") as board:
        assert isinstance(board.address, SshAddress)
        connection = open_ssh(board.address)
        found = provide(connection, board, wheels, [])
        assert found["tflite-runtime"].impossible
        assert "is published for Python 3.13 on 64-bit ARM, only for 3.10 and 3.11: use ai-edge-litert" in str(
            found["tflite-runtime"].reason
        )
        assert (found["ai-edge-litert"].version, found["ai-edge-litert"].python) == ("2.3.0", "3.13.5")
        site = found["ai-edge-litert"].site
        trial = run_one_job(board, connection, face_cell("face", tmp_path), site, tmp_path / "mirror")
        assert len(trial["samples"]) == 5
        connection.close()


def test_images_of_bare_boards_are_not_superseded() -> None:
    folders = {ensure_bare_image(suite, print).folder for suite in bare.SUITES}
    assert len(folders) == 2
    assert folders.isdisjoint(superseded_images())
