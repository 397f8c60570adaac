"""Whether a lease's place keeps all accounts of a board in order: judged from texts, and looked at for real."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hilbench.targets.claim import Claim
from hilbench.targets.connection import Connection
from hilbench.targets.errors import TargetError
from hilbench.targets.lease import Lease, acquire
from hilbench.targets.leaseplace import LeasePlace, judge_place, look_at_place
from hilbench.targets.local import open_local
from hilbench.targets.ssh import SshConnection

WORK = "/var/tmp/hilbench"
OPEN = (
    "mode drwxrwxrwx /var/tmp/hilbench/lease",
    "mode drwxrwxrwt /var/tmp/hilbench",
    "mode drwxrwxrwt /var/tmp",
    "mode drwxr-xr-x /var",
    "mode drwxr-xr-x /",
)
ROOT = "mount 25 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw"


def judge(*lines: str, lock: str = "lock flock", modes: tuple[str, ...] = OPEN, account: str = "pi") -> LeasePlace:
    return judge_place("b", WORK, "\n".join([f"account {account}", lock, *modes, ROOT, *lines]))


def test_the_usual_folder_of_a_board_is_shared() -> None:
    assert judge() == LeasePlace(folder=f"{WORK}/lease", file_system="ext4", lock="flock")
    assert judge(lock="lock links").lock == "links"
    assert judge().shared


@pytest.mark.parametrize(
    ("at", "mode", "says"),
    [
        (2, "drwx------", "may not enter /var/tmp (drwx------)"),
        (3, "drwxr-x---", "may not enter /var (drwxr-x---)"),
        (1, "drwxr-xr-x", "may not write to /var/tmp/hilbench (drwxr-xr-x): chmod 1777"),
        (0, "drwxr-xr-x", "may not write to /var/tmp/hilbench/lease (drwxr-xr-x): chmod 777"),
        (0, "drwxrwxrwt", "may not replace each other's files in /var/tmp/hilbench/lease (drwxrwxrwt): chmod 777"),
        (2, "drwxrwxrwT", "may not enter /var/tmp (drwxrwxrwT)"),
    ],
)
def test_a_folder_that_other_accounts_cannot_use_is_said_with_what_to_do(at: int, mode: str, says: str) -> None:
    modes: list[str] = list(OPEN)
    modes[at] = f"mode {mode} {OPEN[at].rpartition(' ')[2]}"
    place = judge(modes=tuple(modes))
    assert says in str(place.problem)
    assert place.usable


@pytest.mark.parametrize(
    ("mount", "says"),
    [
        ("mount 60 25 8:1 /tmp.inst/pi /var/tmp rw - ext4 /dev/sda1 rw", "/tmp.inst/pi of the disk"),
        ("mount 60 25 8:1 /var/tmp/systemd-private-9f-x.service-a/tmp /var/tmp rw - ext4 /dev/sda1 rw", "systemd-priv"),
        ("mount 60 25 8:1 /poly/pi /var/tmp rw - ext4 /dev/sda1 rw", "/poly/pi of the disk"),
        ("mount 60 25 0:50 / /var/tmp/hilbench rw - fuse.gocryptfs x rw", "a fuse.gocryptfs mount"),
    ],
)
def test_a_mount_for_one_account_or_session_is_found(mount: str, says: str) -> None:
    place = judge(mount)
    assert says in str(place.problem)
    assert "set `workdir:`" in str(place.problem)
    assert place.usable


def test_a_bind_mount_for_everybody_is_none_of_that() -> None:
    assert judge("mount 60 25 8:2 /bigdisk/tmp /var/tmp rw - ext4 /dev/sdb1 rw").shared
    assert judge("mount 60 25 8:2 /home/pi /home/pi rw - ext4 /dev/sdb1 rw").shared  # elsewhere
    assert judge("mount 60 25 8:2 /root /var/tmp rw - ext4 /dev/sdb1 rw", account="root").shared


@pytest.mark.parametrize("kind", ["nfs4", "nfs", "cifs", "9p", "fuse.sshfs"])
def test_a_disk_that_several_machines_may_see_cannot_keep_a_lease(kind: str) -> None:
    place = judge(f"mount 60 25 0:50 / /var/tmp rw - {kind} server:/tmp rw")
    assert not place.usable
    assert f"a network file system ({kind})" in str(place.problem)


def test_of_two_mounts_in_one_place_the_later_one_is_seen_and_a_longer_name_is_another_place() -> None:
    covered = "mount 60 25 0:50 / /var/tmp rw - nfs4 server:/tmp rw", "mount 61 60 8:2 / /var/tmp rw - xfs /dev/b rw"
    assert judge(*covered).file_system == "xfs"
    assert judge("mount 60 25 0:50 / /var/tmp/hil rw - nfs4 s:/ rw").file_system == "ext4"
    assert judge(r"mount 60 25 0:50 / /var/tmp/hilbench\040x rw - nfs4 s:/ rw").file_system == "ext4"


def test_without_a_lock_that_locks_no_lease_is_kept() -> None:
    place = judge(lock="lock none")
    assert not place.usable
    assert "keep two commands apart" in str(place.problem)


def test_nonsense_is_no_shared_place() -> None:
    assert not judge_place("b", WORK, "?\n\0\nmount x").usable


@pytest.fixture(params=["local", "ssh"])
def connection(request: pytest.FixtureRequest, ssh_connection: SshConnection) -> Connection:
    return open_local() if request.param == "local" else ssh_connection


@pytest.fixture
def workdir() -> Iterator[Path]:
    """A folder whose parents all accounts may enter, unlike pytest's."""
    folder = Path(tempfile.mkdtemp(prefix="hilbench-test-", dir="/var/tmp"))
    folder.chmod(0o755)
    yield folder / "work"
    shutil.rmtree(folder)


def take(connection: Connection, workdir: Path) -> Lease:
    claim = Claim(owner="here:test", person="me@here", note="a test")
    lease = acquire(connection, str(workdir), claim, reconnect=lambda: connection)
    assert isinstance(lease, Lease)
    return lease


def test_the_place_that_a_lease_makes_is_shared_and_locks(connection: Connection, workdir: Path) -> None:
    with_lease = take(connection, workdir)
    place = look_at_place(connection, "b", str(workdir))
    assert (place.folder, place.lock, place.problem) == (f"{workdir}/lease", "flock", None)
    assert place.file_system
    assert not list((workdir / "lease").glob("try.*"))
    workdir.chmod(0o755)
    assert "chmod 1777" in str(look_at_place(connection, "b", str(workdir)).problem)
    workdir.parent.chmod(0o700)
    problem = str(look_at_place(connection, "b", str(workdir)).problem)
    workdir.parent.chmod(0o755)
    assert f"may not write to {workdir}" in problem
    with_lease.release()


def test_without_flock_links_are_found_to_lock(workdir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("sh", "ln", "readlink", "id", "ls", "dirname", "sed", "rm", "mkdir", "chmod", "mv", "sleep", "cat"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    monkeypatch.setenv("PATH", str(tmp_path))
    connection = open_local()
    take(connection, workdir)
    assert look_at_place(connection, "b", str(workdir)).lock == "links"


def test_a_flock_that_lets_everybody_in_is_found_out(
    workdir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "flock").write_text("#!/bin/sh\nexit 0\n")
    (tmp_path / "flock").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    take(open_local(), workdir)
    place = look_at_place(open_local(), "b", str(workdir))
    assert (place.lock, place.usable) == (None, False)


def test_a_place_behind_a_link_is_judged_where_it_lies(workdir: Path, tmp_path: Path) -> None:
    connection = open_local()
    (tmp_path / "link").symlink_to(workdir)
    workdir.mkdir()
    take(connection, tmp_path / "link")
    assert look_at_place(connection, "b", str(tmp_path / "link")).folder == f"{workdir}/lease"


def test_a_private_mount_is_seen_as_such(workdir: Path) -> None:
    assert os.geteuid() == 0, "this test mounts a folder: run it as root"
    inner = workdir.parent / "tmp.inst" / "someone"
    inner.mkdir(parents=True, mode=0o777)
    workdir.mkdir()
    subprocess.run(["mount", "--bind", inner, workdir], check=True)
    try:
        workdir.chmod(0o1777)
        take(open_local(), workdir)
        assert "is private to this account or session" in str(look_at_place(open_local(), "b", str(workdir)).problem)
    finally:
        subprocess.run(["umount", workdir], check=True)


def test_a_board_without_the_place_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="the place of its lease cannot be looked at"):
        look_at_place(open_local(), "b", str(tmp_path / "none"))
