"""Whether the place of a board's lease keeps order between all of its accounts: one look, one pure judgement.

A lease that others cannot see guards nothing, and one that other machines see is lost to them: it holds for one boot of
one machine. Interfaces: proc_pid_mountinfo(5), pam_namespace(8), systemd.exec(5) on `PrivateTmp=`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .connection import Connection
from .errors import TargetError

_TIMEOUT_S = 60.0
# Disks of other machines: several boards may see one folder there.
_NETWORK = re.compile(r"(nfs\d?|cifs|smb3?|9p|afs|ceph|glusterfs|fuse\.(sshfs|glusterfs|ceph|s3fs|rclone))$")
# What is seen by the account that mounted it and by nobody else, unless it was mounted so.
_OF_ONE_ACCOUNT = re.compile(r"(fuse(\.|$)|ecryptfs$)")
_OF_A_SESSION = re.compile(r"/systemd-private-|\.inst(/|$)|-inst(/|$)")

# $1 workdir, whose folder `lease` is there. Two commands compete for a file of their own, so that no real lock is in
# the way. Without flock, links are the lock. Each line begins with what it tells.
_LOOK = r"""
cd "$1/lease" && at=$(pwd -P) || exit 1
echo "account $(id -un 2>/dev/null || id -u)"
try="$at/try.$$"
trap 'rm -f "$try"' EXIT
if command -v flock >/dev/null 2>&1; then
  : >"$try"
  (flock -n 9 || exit; if flock -n "$try" true; then echo lock none; else echo lock flock; fi) 9<"$try"
elif ln -s free "$try" && [ "$(readlink "$try")" = free ] && ! ln -s taken "$try" 2>/dev/null; then
  echo lock links
fi
while :; do
  set -- $(ls -ldn "$at")
  echo "mode $1 $at"
  [ "$at" != / ] || break
  at=$(dirname "$at")
done
sed 's/^/mount /' /proc/self/mountinfo
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeasePlace:
    """Where a board keeps its lease. `lock` is `flock` or `links`, None where neither keeps two commands apart.

    `problem` is one sentence with what to do, None where all accounts of the board are kept in order. `usable` is False
    where a lease there would be wrong, not only unseen by other accounts.
    """

    folder: str
    file_system: str | None
    lock: str | None
    problem: str | None = None
    usable: bool = True

    @property
    def shared(self) -> bool:
        """Whether every account of the board is kept in order by it."""
        return self.problem is None


def look_at_place(connection: Connection, board: str, workdir: str) -> LeasePlace:
    """Look at the place of a lease that this account has. Raises TargetError where the board cannot be asked."""
    done = connection.run(shlex.join(["sh", "-s", "--", workdir]), timeout_s=_TIMEOUT_S, stdin=_LOOK.encode())
    if done.status != 0:
        said = (done.stderr.decode(errors="replace").strip().splitlines() or [f"status {done.status}"])[-1]
        raise TargetError(f"{board}: the place of its lease cannot be looked at: {said}")
    return judge_place(board, workdir, done.stdout.decode(errors="replace"))


def judge_place(board: str, workdir: str, output: str) -> LeasePlace:
    """What the look means. Pure."""
    said: dict[str, list[str]] = {"account": [], "lock": [], "mode": [], "mount": []}
    for line in output.splitlines():
        kind, _, rest = line.partition(" ")
        if kind in said:
            said[kind].append(rest)
    modes = [(mode, path) for mode, _, path in (line.partition(" ") for line in said["mode"])]
    folder = modes[0][1] if modes else f"{workdir}/lease"
    root, kind = _mounted(said["mount"], folder)
    lock = next((word for word in said["lock"] if word in ("flock", "links")), None)
    account = said["account"][0] if said["account"] else ""
    wrong = next(_unusable(board, folder, kind, lock), None)
    unseen = next(_unseen(board, workdir, modes, root, kind, account), None)
    return LeasePlace(folder=folder, file_system=kind, lock=lock, problem=wrong or unseen, usable=wrong is None)


def _unusable(board: str, folder: str, kind: str | None, lock: str | None) -> Iterator[str]:
    remedy = "set `workdir:` in the inventory to a folder on a disk of the board, such as /var/tmp/hilbench"
    if kind is not None and _NETWORK.match(kind):
        yield f"{folder} on {board} lies on a network file system ({kind}), which other machines may share: {remedy}"
    if lock is None:
        yield f"neither flock nor links keep two commands apart in {folder} on {board}: {remedy}"


def _unseen(
    board: str, workdir: str, modes: Iterable[tuple[str, str]], root: str, kind: str | None, account: str
) -> Iterator[str]:
    remedy = (
        "set `workdir:` in the inventory to a folder that all accounts share, such as /var/tmp/hilbench; if nobody "
        "but this account ever uses the board, nothing is wrong"
    )
    for index, (mode, path) in enumerate(modes):
        for_others = mode[7:10]
        if not for_others.endswith(("x", "t")):
            yield f"other accounts of {board} may not enter {path} ({mode}) and see no lease of this one: {remedy}"
        elif index < 2 and for_others[1] != "w":  # the folder of the lease, and the one of all accounts around it
            yield f"other accounts of {board} may not write to {path} ({mode}): chmod {1777 if index else 777} {path}"
        elif index == 0 and for_others.endswith("t"):
            yield f"accounts of {board} may not replace each other's files in {path} ({mode}): chmod 777 {path}"
    own_folder = account not in ("", "root") and account in root.split("/")
    if _OF_A_SESSION.search(root) or own_folder or (kind is not None and _OF_ONE_ACCOUNT.match(kind)):
        what = f"a {kind} mount" if kind and _OF_ONE_ACCOUNT.match(kind) else f"{root} of the disk"
        yield f"{workdir} on {board} is private to this account or session ({what}): {remedy}"


def _mounted(lines: Iterable[str], folder: str) -> tuple[str, str | None]:
    """(folder of the file system that is mounted there, kind of the file system) of the mount that holds a folder."""
    best, found = "", ("/", None)
    for line in lines:
        match = re.match(r"\d+ \d+ \S+ (\S+) (\S+) .*? - (\S+) ", line + " ")
        if match is None:
            continue
        root, point, kind = _unescaped(match[1]), _unescaped(match[2]), match[3]
        inside = point == "/" or folder == point or folder.startswith(point + "/")
        if inside and len(point) >= len(best):  # of two mounts in one place, the later one is seen
            best, found = point, (root, kind)
    return found


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)
