"""A lab of its own for each test: inventory, plan and state in a folder, and the real command line as a process."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from .recording import fault

__all__ = ["fault"]

ROOT = Path(__file__).parents[2]
DIGITS = ROOT / "models" / "digits"
HILBENCH = Path(sys.executable).parent / "hilbench"

EMULATED = "boards:\n  a72: {connection: emulated, cpu: cortex-a72}\n"
PLAN = f"""\
name: small
models:
  digits:
    file: {DIGITS}/digits.onnx
    task: {{test: {DIGITS}/digits-test.npz, calibration: {DIGITS}/digits-calibration.npz}}
recipes: [fp32, int8-static]
boards: [a72]
accuracy_samples: 5
"""


@dataclass(frozen=True)
class Lab:
    folder: Path
    host_dir: Path
    running: list[subprocess.Popen[str]] = field(default_factory=list[subprocess.Popen[str]])

    def write(self, *, inventory: str = EMULATED, plan: str = PLAN) -> None:
        (self.folder / "inventory.yaml").write_text(inventory)
        (self.folder / "plan.yaml").write_text(plan)

    def start(self, *words: str | Path) -> subprocess.Popen[str]:
        """Start `hilbench` as a terminal would: in a process group of its own, which Ctrl-C reaches as a whole."""
        process = subprocess.Popen(
            [HILBENCH, *words],
            cwd=self.folder,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
        )
        self.running.append(process)
        return process

    def run(self, *words: str | Path, timeout_s: float = 300) -> subprocess.CompletedProcess[str]:
        process = self.start(*words)
        stdout, stderr = process.communicate(timeout=timeout_s)
        assert "Traceback" not in stderr + stdout, stderr + stdout
        assert "mistake in hilbench" not in stderr, stderr
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    def export(self) -> dict[str, Any]:
        done = self.run("export", "latest")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def qemu_pid(self) -> int:
        (file,) = self.host_dir.glob("a72-*/pid")
        return int(file.read_text())

    def _environment(self) -> dict[str, str]:
        own = {"HILBENCH_HOME": str(self.folder / "state"), "HILBENCH_HOST_DIR": str(self.host_dir)}
        # The machine of the tests is the board of many of them: how busy it is must not decide how long they take.
        return {"HILBENCH_HEALTH_WAIT_S": "0", **os.environ, **own}


def wait_for_processes(process: subprocess.Popen[str], board: str, least: int) -> None:
    """Read the progress until at least `least` processes on a board are done. It must get there before it ends."""
    assert process.stderr is not None
    seen: list[str] = []
    for line in process.stderr:
        seen.append(line)
        found = re.search(rf"{board}: (\d+) of \d+ processes", line)
        if found is not None and int(found[1]) >= least:
            return
    raise AssertionError(f"it ended before {least} processes were done:\n" + "".join(seen))


def running_qemus(host_dir: Path) -> list[int]:
    """Processes whose command line names the folder of the lab's boards."""
    found: list[int] = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"qemu-system" in words[0] and any(str(host_dir).encode() in word for word in words):
            found.append(int(path.parent.name))
    return found


@pytest.fixture(scope="session")
def host_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared by the labs of a session, so that each board boots from nothing only once."""
    return tmp_path_factory.mktemp("host")


@pytest.fixture
def lab(tmp_path: Path, host_dir: Path) -> Iterator[Lab]:
    lab = Lab(folder=tmp_path, host_dir=host_dir)
    yield lab
    for process in lab.running:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
