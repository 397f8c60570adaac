"""What a run measures beside latency, on this machine as a board that tells nothing of itself and stands still once."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from .conftest import DIGITS, Lab

pytestmark = pytest.mark.timeout(300)

INVENTORY = "boards:\n  here: {{connection: local, workdir: {work}}}\n"
PLAN = f"""\
name: small
models: {{digits: {{file: {DIGITS}/digits.onnx}}}}
boards: [here]
profile: controlled
fallback: as-shipped
blocks: 3
sustained: {{window_s: 0.2, limit_s: 1}}
"""
STOPPED_S = 2.0


def stop_one_in_its_timed_window(process: subprocess.Popen[str], work: Path) -> None:
    """Find a process of the agent that is timing, stop it for a while and let it go on."""
    while process.poll() is None:
        for phase in work.glob("*/jobs/*/phase"):
            worker = timing(phase)
            if worker is not None:
                os.kill(worker, signal.SIGSTOP)
                time.sleep(STOPPED_S)
                os.kill(worker, signal.SIGCONT)
                return
        time.sleep(0.02)
    raise AssertionError("no process was seen while it timed")


def timing(phase: Path) -> int | None:
    """The process whose phase this is, if it is a latency process in its steady inferences."""
    try:
        steady = phase.read_text().strip() == "steady"
        journal = (phase.parent / "journal.jsonl").read_text()
    except OSError:
        return None
    if not steady or '"kind":"latency"' not in journal.replace(" ", ""):  # the processes that run once come before
        return None
    for cmdline in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = cmdline.read_bytes().split(b"\0")
            here = (cmdline.parent / "cwd").readlink() == phase.parent
        except OSError:
            continue
        if here and b"worker" in words:
            return int(cmdline.parent.name)
    return None


def test_a_block_in_which_a_process_stood_still_is_run_again_on_a_board_that_tells_nothing(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = lab.folder / "bare"
    bare.mkdir()
    monkeypatch.setenv("HILBENCH_BOARD_ROOT", str(bare))
    lab.write(inventory=INVENTORY.format(work=lab.folder / "work"), plan=PLAN)
    process = lab.start("run", "plan.yaml")
    stop_one_in_its_timed_window(process, lab.folder / "work")
    _, said = process.communicate(timeout=200)
    assert process.returncode == 0, said
    assert "cpufreq" in said  # why `controlled` could not be had
    whole = lab.export()
    (cell,) = whole["cells"]
    assert cell["latency_ns"]["blocks"] == 3
    assert any("1 block was invalid and was run again" in text for text in cell["validity"]["remarks"])
    tuning = whole["run"]["boards"]["here"]["tuning"]
    assert (tuning["asked"], tuning["profile"]) == ("controlled", "as-shipped")
    page = next((lab.folder / "state" / "reports").glob("*.html")).read_text()
    for section in ('id="inside"', 'id="sustained"', "this board tells no temperature"):
        assert section in page
