"""Provisioning on a bare emulated board: a Debian with OpenSSH, Python and an ordinary account, and nothing else.

The board is reached as any board by SSH. It has no way to the internet, and the account is not root.
"""

from __future__ import annotations

import json
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
from hilbench.targets.emulated.machine import Machine
from hilbench.targets.provision import RuntimeFound, provide_runtimes
from hilbench.targets.session import start_session
from hilbench.targets.ssh import open_ssh
from hilbench.targets.watch import watch
from hilbench.targets.wheels import sha256_of

from ..faults.conftest import DIGITS, Lab
from ..targets.agent_jobs import face_cell, job, of_kind
from .conftest import BareMachine

pytestmark = pytest.mark.timeout(900)  # one test boots, provides and measures on an emulated board


def bare_board(machine: Machine, *runtimes: str) -> Board:
    return Board(
        name="bare",
        address=bare_address(machine),
        arch=Arch.ARM64,
        role=Role.EMULATED,
        runtimes=tuple(BoardRuntime(name=name) for name in runtimes),
    )


END = "\n# The end: keep me.\n"
INVENTORY = f"""\
# The lab's boards.   Two spaces of love.
boards:

  # the first
  this-machine:
    connection: local   # odd   spacing
    note: "for comparison"
{END}"""


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(folder=tmp_path, host_dir=tmp_path / "host")


def keep_wheels(lab: Lab, wheels: Path) -> None:
    """Let a lab use the wheels that were downloaded once."""
    (lab.folder / "state").mkdir()
    wheels.mkdir(parents=True, exist_ok=True)
    (lab.folder / "state" / "wheels").symlink_to(wheels)


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


def added(lab: Lab, machine: Machine) -> dict[str, Any]:
    """`board add … --baseline` as one command, from an inventory with comments to figures; what its JSON says."""
    inventory = lab.folder / "inventory.yaml"
    inventory.write_text(INVENTORY)
    address = bare_address(machine)
    words = ["board", "add", f"{address.user}@127.0.0.1:{address.port}", "--name", "bare", "--json"]
    words += ["--key", str(address.key_file), "--host-key", str(address.host_key), "--no-smoke"]
    done = lab.run(*words, "--baseline", "--model", DIGITS / "digits.onnx", timeout_s=550)
    assert done.returncode == 0, done.stderr
    text = inventory.read_text()
    assert text.startswith(INVENTORY.removesuffix(END))
    assert text.endswith(END)
    return json.loads(done.stdout)


def judged_baseline(lab: Lab, said: dict[str, Any]) -> dict[str, Any]:
    """The baseline's one cell; its figures are counts by a clock and say that of themselves."""
    (told,) = said["baseline"]["bare"]["cells"]
    assert told["validity"]["state"] == "suspect"
    (reason,) = told["validity"]["reasons"]
    assert "no counter was open: a clock stands for it" in reason
    (cell,) = lab.export()["cells"]
    assert (cell["role"], cell["outcome"], cell["latency_ns"]) == ("emulated", "ok", None)
    assert cell["instructions"]["source"] == "virtual-clock"
    assert cell["instructions"]["median"] > 1_000_000
    assert {key: cell["validity"][key] for key in ("state", "reasons")} == told["validity"]
    return cell


def test_one_command_takes_a_bare_debian_12_board_to_a_measured_baseline(
    bare_machine: BareMachine, wheels: Path, lab: Lab
) -> None:
    machine = bare_machine("bookworm")
    connection = open_ssh(bare_address(machine))
    before = connection.run("id -u; python3 -c 'import numpy' 2>&1; ls /opt /var/tmp", timeout_s=60).stdout
    connection.close()
    assert before.startswith(b"1000\n")
    assert b"No module named 'numpy'" in before
    assert b"hilbench" not in before
    keep_wheels(lab, wheels)
    said = added(lab, machine)
    (board,) = said["boards"]
    assert board["runtimes"]["onnxruntime"]["pin"] == {"version": "1.32.0", "numpy": "2.4.6"}
    assert board["entry"]["runtimes"] == [{"name": "onnxruntime", "version": "1.32.0", "numpy": "2.4.6"}]
    assert board["entry"]["role"] == "emulated"
    assert board["facts"]["counts_from"] == "virtual-clock"  # Debian's kernel closes the PMU to ordinary accounts
    place = board["lease_place"]
    assert (place["shared"], place["lock"], place["file_system"]) == (True, "links", "ext4")  # it has no flock
    assert list(board["seconds"]) == ["look", "provision"]
    judged_baseline(lab, said)


def test_one_command_takes_a_bare_debian_13_board_to_a_baseline_and_it_may_get_litert_too(
    bare_machine: BareMachine, wheels: Path, lab: Lab, tmp_path: Path
) -> None:
    machine = bare_machine("trixie")
    keep_wheels(lab, wheels)
    said = added(lab, machine)
    (board,) = said["boards"]
    assert board["facts"]["python"].startswith("3.13.")
    assert board["runtimes"]["ai-edge-litert"]["pin"]["version"] == "2.3.0"  # could be put there, and was not
    assert board["entry"]["runtimes"] == [{"name": "onnxruntime", "version": "1.32.0", "numpy": "2.4.6"}]
    judged_baseline(lab, said)
    connection = open_ssh(bare_address(machine))
    bare = bare_board(machine, "tflite-runtime", "ai-edge-litert")
    found = provide(connection, bare, wheels, [])
    assert found["tflite-runtime"].impossible
    assert "is published for Python 3.13 on 64-bit ARM, only for 3.10 and 3.11: use ai-edge-litert" in str(
        found["tflite-runtime"].reason
    )
    assert (found["ai-edge-litert"].version, found["ai-edge-litert"].python) == ("2.3.0", "3.13.5")
    site = found["ai-edge-litert"].site
    trial = run_one_job(bare, connection, face_cell("face", tmp_path), site, tmp_path / "mirror")
    assert len(trial["samples"]) == 5
    connection.close()
    check = json.loads(lab.run("board", "check", "bare", "--json").stdout)
    assert check["runtimes"]["onnxruntime"]["version"] == "1.32.0"
    cleaned = lab.run(
        "board", "clean", "bare", "--json", "--force"
    )  # by force: no run of the store knows the job above
    assert json.loads(cleaned.stdout)["bytes"] > 100e6


def test_images_of_bare_boards_are_not_superseded() -> None:
    folders = {ensure_bare_image(suite, print).folder for suite in bare.SUITES}
    assert len(folders) == 2
    assert folders.isdisjoint(superseded_images())
