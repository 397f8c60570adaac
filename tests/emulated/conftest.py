"""A real emulated board for the tests: its image is built once, its machine is shared by all tests of a session."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hilbench.targets.board import Arch
from hilbench.targets.emulated.bareimage import ensure_bare_image
from hilbench.targets.emulated.guest import set_clock_command
from hilbench.targets.emulated.image import Image, ensure_image
from hilbench.targets.emulated.machine import Machine, open_machine

BareMachine = Callable[[str], Machine]
GuestRun = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def emulator_image() -> Image:
    """The image of today's recipe, from the cache of this account or built now."""
    return ensure_image(print)


@pytest.fixture(scope="session")
def a72(emulator_image: Image) -> Iterator[Machine]:
    """A Cortex-A72 board. It is clean once: a test that minds what others left calls `a72.restore()` first."""
    with open_machine("tests-a72", "cortex-a72", 512, emulator_image, progress=print) as machine:
        yield machine


@pytest.fixture(scope="session")
def armhf() -> Iterator[Machine]:
    """A 32-bit board, a Cortex-A15. It is clean once, as `a72` is."""
    image = ensure_image(print, Arch.ARMHF)
    with open_machine("tests-armhf", "cortex-a15", 512, image, progress=print) as machine:
        yield machine


@pytest.fixture(scope="session")
def bare_machine() -> Iterator[BareMachine]:
    """A bare board by its Debian suite: one machine for the whole session, as it was after its first boot."""
    with ExitStack() as stack:
        known: dict[str, Machine] = {}

        def machine(suite: str) -> Machine:
            if suite in known:
                known[suite].restore()
            else:
                image = ensure_bare_image(suite, print)
                opening = open_machine(f"tests-bare-{suite}", "cortex-a72", 512, image, progress=print)
                known[suite] = stack.enter_context(opening)
            return known[suite]

        yield machine


@pytest.fixture(scope="session")
def guest_run(tmp_path_factory: pytest.TempPathFactory) -> GuestRun:
    """Run a shell command on a machine by the OpenSSH client, host key pinned: `guest_run(machine, command)`."""
    known_hosts = tmp_path_factory.mktemp("ssh") / "known_hosts"
    ssh = shutil.which("ssh")
    assert ssh is not None, "the package openssh-client is missing"

    def run(
        machine: Machine, command: str, *, stdin: str = "", timeout_s: float = 120.0
    ) -> subprocess.CompletedProcess[str]:
        known_hosts.write_text(f"[127.0.0.1]:{machine.port} {machine.image.host_key}\n")
        options = ["UserKnownHostsFile=" + str(known_hosts), "StrictHostKeyChecking=yes", "IdentitiesOnly=yes"]
        options += ["BatchMode=yes", "ConnectTimeout=10", "LogLevel=ERROR"]
        return subprocess.run(
            [
                *(ssh, "-F", "none", "-i", str(machine.image.key_file), "-p", str(machine.port)),
                *(word for option in options for word in ("-o", option)),
                *("root@127.0.0.1", f"{set_clock_command(time.time())}; {command}"),
            ],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    return run


@pytest.fixture
def host_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host-wide folder of this test's own, so that it sees no other machines than its own."""
    folder = tmp_path / "host"
    monkeypatch.setenv("HILBENCH_HOST_DIR", str(folder))
    return folder
