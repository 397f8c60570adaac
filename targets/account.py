"""What hilbench put on a board under this account: how much it is, and its removal."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from .connection import Completed, Connection
from .errors import TargetError

_TIMEOUT_S = 300.0
# What a person reads for each part of an account's folder, and for its files in the cache of all accounts.
PARTS = {"agent": "the agent", "jobs": "jobs", "runtimes": "runtimes", "cache": "files of the cache"}

# $1 workdir. Lines `part KiB` for what is there, `job` for each job whose journal is there, `running` for each process
# of an agent. Only POSIX tools, since a board may have nothing but busybox.
_LOOK = r"""
own="$1/account-$(id -u)"
for part in agent jobs runtimes; do
  if [ -e "$own/$part" ]; then echo "$part $(du -sk "$own/$part" | cut -f1)"; fi
done
for file in "$1"/cache/*; do
  if [ -f "$file" ] && [ -O "$file" ]; then echo "cache $(du -k "$file" | cut -f1)"; fi
done
for job in "$own"/jobs/*/journal.jsonl; do if [ -e "$job" ]; then echo job; fi; done
for words in /proc/[0-9]*/cmdline; do
  if tr '\0' ' ' <"$words" 2>/dev/null | grep -qF "$own/agent/"; then echo running; fi
done
"""
# The shared folders go only when they are empty. Whatever keeps order between accounts (locks) is not touched.
_REMOVE = r"""
own="$1/account-$(id -u)"
if [ -O "$own" ]; then rm -rf "$own" || exit 1; fi
for file in "$1"/cache/*; do
  if [ -f "$file" ] && [ -O "$file" ]; then rm -f "$file" || exit 1; fi
done
rmdir "$1/cache" 2>/dev/null
rmdir "$1" 2>/dev/null
:
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFiles:
    """This account's files on a board: bytes on its disk by part, jobs that were not collected, agents at work."""

    workdir: str
    bytes_by_part: Mapping[str, int]
    jobs: int
    running: int


def account_files(connection: Connection, workdir: str) -> AccountFiles:
    """Look at what this account has under the board's work folder."""
    done = _run(connection, _LOOK, workdir, f"{workdir} on the board cannot be looked at")
    return parse_account(workdir, done.stdout.decode(errors="replace"))


def parse_account(workdir: str, output: str) -> AccountFiles:
    """The files that the look on the board found; `du` counts in KiB."""
    sizes: dict[str, int] = {}
    lines = output.split("\n")
    for line in lines:
        part, _, kibibytes = line.partition(" ")
        if part in PARTS and kibibytes.isdigit():
            sizes[part] = sizes.get(part, 0) + int(kibibytes) * 1024
    return AccountFiles(workdir=workdir, bytes_by_part=sizes, jobs=lines.count("job"), running=lines.count("running"))


def remove_account_files(connection: Connection, workdir: str) -> None:
    """Remove all of this account's files under the board's work folder; other accounts' files stay."""
    _run(connection, _REMOVE, workdir, f"this account's files in {workdir} cannot be removed")


def _run(connection: Connection, script: str, workdir: str, failure: str) -> Completed:
    done = connection.run(shlex.join(["sh", "-c", script, "sh", workdir]), timeout_s=_TIMEOUT_S)
    if done.status != 0:
        said = (done.stderr.decode(errors="replace").strip().splitlines() or [f"status {done.status}"])[-1]
        raise TargetError(f"{failure}: {said}")
    return done
