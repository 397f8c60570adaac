"""Boards that cost next to nothing, each behind an SSH server of its own on 127.0.0.1: what a controller with a large
fleet costs is measured against them. They journal one gap a second and answer everything else by a real shell.

usage: fake_boards.py COUNT HOST_KEY AUTHORIZED_KEYS   prints the ports, one a line, then serves until stdin ends
"""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
from typing import Any

import asyncssh

GAP_S = 1.0


async def serve_one(process: Any) -> None:
    """A command: the following of a journal is played, all else is run."""
    command = str(process.command)
    if "follower" in command:
        await journal(process)
        return
    done = await asyncio.create_subprocess_shell(command, stdout=asyncio.subprocess.PIPE)
    output, _ = await done.communicate()
    process.stdout.write(output.decode())
    process.exit(done.returncode or 0)


async def journal(process: Any) -> None:
    """The journal of a long job, after the marker with which a framed command begins (`targets/shell.py`)."""
    token = shlex.split(process.command)[5]
    for stream in (process.stdout, process.stderr):
        stream.write(f"hil-{token}-begin\n")
    of = 100_000
    events: list[dict[str, Any]] = [{"event": "start", "of": of}]
    for done in range(1, of):
        process.stdout.write("".join(json.dumps(event) + "\n\n" for event in events))
        await asyncio.sleep(GAP_S)
        events = [{"event": "gap", "block": 1, "done": done, "of": of, "gap_s": 0.1}]


async def main(count: int, host_key: str, authorized_keys: str) -> None:
    """Serve until stdin ends."""
    for _ in range(count):
        server = await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[host_key],
            authorized_client_keys=authorized_keys,
            process_factory=serve_one,
            backlog=100,
        )
        print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], sys.argv[3]))
