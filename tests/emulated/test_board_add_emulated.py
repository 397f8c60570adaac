"""`board add` on an emulated arm64 board that is reached as plain SSH: it is found out, counted, and never timed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hilbench.targets.emulated.machine import Machine
from hilbench.targets.inventory import load_inventory

from ..faults.conftest import Lab

pytestmark = pytest.mark.timeout(300)

INVENTORY = """\
kinds:
  guest:
    runtimes:
      - {name: onnxruntime, site: /opt/hilbench/runtimes/onnxruntime}
boards:
  here: {connection: local}   # stays
"""


def test_an_emulated_board_reached_by_ssh_is_added_as_one_and_counts_alike_twice(a72: Machine, tmp_path: Path) -> None:
    a72.restore()
    lab = Lab(folder=tmp_path, host_dir=tmp_path / "host")
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    key = ["--key", a72.image.key_file, "--host-key", a72.image.host_key]
    done = lab.run("board", "add", f"root@127.0.0.1:{a72.port}", "--kind", "guest", *key, "--json")
    assert done.returncode == 0, done.stderr
    (board,) = json.loads(done.stdout)["boards"]
    assert board["entry"]["role"] == "emulated"
    assert board["entry"]["arch"] == "arm64"
    assert "runtimes" not in board["entry"]  # its kind says them
    assert board["facts"]["counts_from"] == "pmu"
    smoke = board["smoke"]
    assert smoke["outcome"] == "ok"
    assert smoke["latency_ns"] is None
    assert smoke["instructions"] > 10_000
    assert smoke["counts_from"] == "pmu"
    assert smoke["equal"] is True
    assert smoke["trusted"] is True
    assert smoke["differed"] <= 0.001
    added = load_inventory(tmp_path / "inventory.yaml").board(board["name"])
    assert added.emulated
    assert not added.restored
