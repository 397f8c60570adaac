"""A controller that follows a job on each of many boards, and says what that costs it.

usage: fleet_follower.py FOLDER SECONDS   FOLDER has `ports`, `host_key.pub`, `user_key`; prints one JSON object
"""

from __future__ import annotations

import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import hilbench.harness.boardrun
import hilbench.harness.store
import hilbench.targets.ssh
from hilbench.targets.agent.job import Job
from hilbench.targets.board import SshAddress
from hilbench.targets.session import Session
from hilbench.targets.watch import watch

_ = (hilbench.harness.boardrun, hilbench.harness.store)  # what an idle worker has in memory, too


def rss_bytes() -> int:
    """Resident memory of this process now."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":" in line)
    return int(fields["VmRSS"].split()[0]) * 1024


class Fleet:
    """Follows all boards and counts what comes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host_key = (folder / "host_key.pub").read_text().strip()
        self.gaps = 0
        self.following = 0
        self.lock = threading.Lock()

    def address(self, port: int) -> SshAddress:
        return SshAddress(
            host="127.0.0.1", port=port, user="bench", key_file=str(self.folder / "user_key"), host_key=self.host_key
        )

    def count(self, event: dict[str, Any]) -> None:
        with self.lock:
            self.following += event["event"] == "start"
            self.gaps += event["event"] == "gap"

    def follow(self, port: int, connection: hilbench.targets.ssh.SshConnection) -> None:
        job = Job(
            job_id=f"job{port}",
            mode="latency",
            cells=(),
            blocks=(),
            warmup_iterations=1,
            warmup_seconds=0.0,
            iterations=1,
            min_seconds=0.0,
            gap_s=0.1,
        )
        session = Session(
            connection=connection, job=job, jobdir="/nowhere", agent_path="", agent_sha256="", python="", boot_id=""
        )
        mirror = self.folder / f"{port}.jsonl"
        cancel = threading.Event()
        watch(session, reconnect=lambda: connection, mirror=mirror, on_event=self.count, cancel=cancel)


def main(folder: Path, seconds: float) -> None:
    """Connect to all, follow for a while, report."""
    ports = [int(line) for line in (folder / "ports").read_text().split()]
    fleet = Fleet(folder)
    idle_bytes = rss_bytes()
    with ThreadPoolExecutor(32) as pool:
        connections = list(pool.map(lambda port: hilbench.targets.ssh.open_ssh(fleet.address(port)), ports))
    for port, connection in zip(ports, connections, strict=True):
        threading.Thread(target=fleet.follow, args=(port, connection), daemon=True).start()
    deadline = time.monotonic() + 120
    while fleet.following < len(ports) and time.monotonic() < deadline:
        time.sleep(0.2)
    begun, cpu_s, gaps = time.monotonic(), time.process_time(), fleet.gaps
    time.sleep(seconds)
    took_s = time.monotonic() - begun
    report = {
        "boards": fleet.following,
        "idle_bytes": idle_bytes,
        "bytes_per_board": (rss_bytes() - idle_bytes) / len(ports),
        "cores": (time.process_time() - cpu_s) / took_s,
        "gaps_per_s": (fleet.gaps - gaps) / took_s,
    }
    print(json.dumps(report), flush=True)  # noqa: T201


if __name__ == "__main__":
    import os

    main(Path(sys.argv[1]), float(sys.argv[2]))
    os._exit(0)  # the followers sleep in reads that nothing ends
