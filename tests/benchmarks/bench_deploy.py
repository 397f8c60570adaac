"""Deploying a 50 MB model over SSH against `scp`, to the same real sshd on loopback.

The two take turns, so that drift and load of this machine meet both alike. Ours counts from no connection to a file
that was checked and renamed on the board; scp checks nothing. Not part of `make test`: it times, so it wants a quiet
machine.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hilbench.targets.deploy import deploy
from hilbench.targets.ssh import open_ssh

from ..targets.openssh_server import OpensshServer, running

SIZE_BYTES = 50_000_000
ROUNDS = 11
LARGEST_RATIO = 1.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OpensshServer]:
    # What this account's shell reads at its start (half a second on some machines) would count for us only: scp needs
    # no shell.
    with running(tmp_path / "server", f"SetEnv HOME={tmp_path}") as server:
        yield server


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def test_deploying_50_mb_is_not_slower_than_scp(
    server: OpensshServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(secrets.token_bytes(SIZE_BYTES))
    sha256 = hashlib.sha256(model.read_bytes()).hexdigest()
    known_hosts = tmp_path / "known_hosts"
    known_hosts.write_text(f"[127.0.0.1]:{server.port} {server.host_key}\n")
    board, copy = tmp_path / "board", tmp_path / "copy.onnx"
    options = [f"UserKnownHostsFile={known_hosts}", "IdentitiesOnly=yes", "BatchMode=yes"]
    words = ["scp", "-q", "-F", "none", "-P", str(server.port), "-i", str(server.user_key)]
    scp = [*words, *(word for option in options for word in ("-o", option)), str(model), f"127.0.0.1:{copy}"]

    def ours() -> None:
        connection = open_ssh(server.address())
        deploy(connection, str(board), {sha256: model}, cache_limit_bytes=2**31)
        connection.close()

    ours_s: list[float] = []
    scp_s: list[float] = []
    for round_number in range(ROUNDS + 1):
        pair = seconds(ours), seconds(lambda: subprocess.run(scp, check=True, timeout=120))
        shutil.rmtree(board)
        copy.unlink()
        if round_number:  # the first warms the caches of both
            ours_s.append(pair[0])
            scp_s.append(pair[1])
    ratio = statistics.median(ours_s) / statistics.median(scp_s)
    lines = [
        f"{name:9} {statistics.median(taken):.3f} s (min {min(taken):.3f}, max {max(taken):.3f})"
        for name, taken in (("hilbench", ours_s), ("scp", scp_s))
    ]
    rate = SIZE_BYTES / 1e6 / statistics.median(ours_s)
    with capsys.disabled():
        sys.stdout.write("\n".join(["", *lines, f"hilbench / scp {ratio:.2f}, {rate:.0f} MB/s", ""]))
    assert ratio <= LARGEST_RATIO
