"""What 200 boards cost their controller: memory a board, and processor time while each journals once a second."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SERVERS, BOARDS_EACH = 2, 100
SECONDS = 20
MOST_BYTES_A_BOARD = 0.25 * 2**20
MOST_CORES = 0.5


@pytest.mark.timeout(300)
def test_two_hundred_boards_cost_little(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("host_key", "user_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", tmp_path / name], check=True)
    words = [sys.executable, HERE / "fake_boards.py", str(BOARDS_EACH), tmp_path / "host_key"]
    servers = [
        subprocess.Popen([*words, tmp_path / "user_key.pub"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(SERVERS)
    ]
    try:
        ports: list[str] = []
        for server in servers:
            assert server.stdout is not None
            ports += [server.stdout.readline() for _ in range(BOARDS_EACH)]
        (tmp_path / "ports").write_text("".join(ports))
        follower = [sys.executable, HERE / "fleet_follower.py", tmp_path, str(SECONDS)]
        done = subprocess.run(follower, capture_output=True, text=True, timeout=240, check=True)
    finally:
        for server in servers:
            server.kill()
            server.wait()
    found = json.loads(done.stdout)
    line = (
        f"fleet: {found['boards']} boards, {found['bytes_per_board'] / 2**20:.3f} MiB a board above the idle "
        f"{found['idle_bytes'] / 2**20:.0f} MiB, {found['cores']:.2f} cores, {found['gaps_per_s']:.0f} gaps/s"
    )
    with capsys.disabled():
        print("\n" + line)  # noqa: T201  the figure is the point
    assert found["boards"] == SERVERS * BOARDS_EACH
    assert found["gaps_per_s"] > 0.8 * SERVERS * BOARDS_EACH, "the boards were not followed as they journaled"
    assert found["bytes_per_board"] <= MOST_BYTES_A_BOARD
    assert found["cores"] <= MOST_CORES
