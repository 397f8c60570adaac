"""Files reach a board once: by content, checked, with room for them, on real connections."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hilbench.targets.connection import Completed, Connection
from hilbench.targets.deploy import deploy, parse_look
from hilbench.targets.errors import BoardFullError, TargetError
from hilbench.targets.local import open_local
from hilbench.targets.ssh import SshConnection


class Counting:
    """A connection that notes what is asked of it."""

    def __init__(self, inner: Connection) -> None:
        self.inner = inner
        self.sent: list[str] = []
        self.runs = 0

    def run(self, command: str, *, timeout_s: float, stdin: bytes = b"") -> Completed:
        self.runs += 1
        return self.inner.run(command, timeout_s=timeout_s, stdin=stdin)

    def put(self, local: Path, remote: str, *, timeout_s: float) -> str:
        self.sent.append(local.name)
        return self.inner.put(local, remote, timeout_s=timeout_s)

    def stream(self, command: str, *, idle_timeout_s: float) -> Iterator[bytes]:
        return self.inner.stream(command, idle_timeout_s=idle_timeout_s)

    def get(self, remote: str, local: Path, *, timeout_s: float) -> None:
        self.inner.get(remote, local, timeout_s=timeout_s)

    def close(self) -> None:
        self.inner.close()


@pytest.fixture(params=["local", "ssh"])
def connection(request: pytest.FixtureRequest, ssh_connection: SshConnection) -> Counting:
    return Counting(open_local() if request.param == "local" else ssh_connection)


def made(folder: Path, **contents: str) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for name, content in contents.items():
        path = folder / name.replace("_", ".")
        path.write_text(content)
        files[hashlib.sha256(content.encode()).hexdigest()] = path
    return files


def test_files_are_sent_once_and_lie_under_their_hash(connection: Counting, tmp_path: Path) -> None:
    files = made(tmp_path, a_onnx="first", b_npz="second")
    workdir = tmp_path / "board" / "work"
    said: list[str] = []
    paths = deploy(connection, str(workdir), files, progress=said.append, board="pi5")
    assert {sha256: Path(path).read_text() for sha256, path in paths.items()} == {
        sha256: path.read_text() for sha256, path in files.items()
    }
    assert [Path(path).name for path in paths.values()] == [f"{sha256}{path.suffix}" for sha256, path in files.items()]
    assert all(Path(path).parent == workdir / "cache" for path in paths.values())
    assert said == ["sending 2 files, 0.0 MB"]
    before = connection.runs
    assert deploy(connection, str(workdir), files, board="pi5") == paths
    assert connection.sent == ["a.onnx", "b.npz"]
    assert connection.runs == before + 2  # what is there, and whether it is whole: however many files


def test_a_second_deploy_sends_no_byte_of_the_files(ssh_connection: SshConnection, tmp_path: Path) -> None:
    files = made(tmp_path, a_onnx="a" * 3_000_000)
    before = sent_bytes(ssh_connection)
    deploy(ssh_connection, str(tmp_path / "work"), files)
    between = sent_bytes(ssh_connection)
    assert between - before > 3_000_000
    deploy(ssh_connection, str(tmp_path / "work"), files)
    assert sent_bytes(ssh_connection) - between < 10_000  # one question


def sent_bytes(connection: SshConnection) -> int:
    """What the other side has acknowledged: `tcpi_bytes_acked` of the kernel's struct tcp_info, linux/tcp.h."""
    sock: Any = connection._channels.transport.sock
    info: bytes = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 128)
    return int.from_bytes(info[120:128], sys.byteorder)


def test_only_what_lacks_is_sent(connection: Counting, tmp_path: Path) -> None:
    first = made(tmp_path, a_onnx="first")
    deploy(connection, str(tmp_path / "work"), first)
    connection.sent.clear()
    deploy(connection, str(tmp_path / "work"), first | made(tmp_path, b_onnx="second"))
    assert connection.sent == ["b.onnx"]


def test_a_file_of_the_wrong_size_is_sent_again(connection: Counting, tmp_path: Path) -> None:
    files = made(tmp_path, a_onnx="first")
    (path,) = deploy(connection, str(tmp_path / "work"), files).values()
    Path(path).write_text("fir")
    deploy(connection, str(tmp_path / "work"), files)
    assert Path(path).read_text() == "first"


def test_a_file_that_was_damaged_on_the_board_is_sent_again_and_said(connection: Counting, tmp_path: Path) -> None:
    files = made(tmp_path, a_onnx="first", b_onnx="second")
    path, _ = deploy(connection, str(tmp_path / "work"), files).values()
    Path(path).write_text("furst")
    connection.sent.clear()
    said: list[str] = []
    deploy(connection, str(tmp_path / "work"), files, progress=said.append)
    assert Path(path).read_text() == "first"
    assert connection.sent == ["a.onnx"]
    assert said[0].startswith(f"{Path(path).name} in the board's cache is damaged (its sha256 is ")


def test_a_local_file_that_changed_is_refused_and_not_kept(connection: Counting, tmp_path: Path) -> None:
    files = made(tmp_path, a_onnx="first")
    (tmp_path / "a.onnx").write_text("other")
    with pytest.raises(TargetError, match="is not the file that was hashed"):
        deploy(connection, str(tmp_path / "work"), files)
    assert list((tmp_path / "work" / "cache").iterdir()) == []


def test_a_local_file_that_is_missing_is_named(connection: Counting, tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="nothing cannot be read"):
        deploy(connection, str(tmp_path / "work"), {"0" * 64: tmp_path / "nothing"})


def test_nothing_to_send_is_fine(connection: Counting, tmp_path: Path) -> None:
    assert deploy(connection, str(tmp_path / "work"), {}) == {}


def test_the_cache_is_open_to_all_accounts_of_the_board(connection: Counting, tmp_path: Path) -> None:
    deploy(connection, str(tmp_path / "work"), made(tmp_path, a_onnx="first"))
    for folder in (tmp_path / "work", tmp_path / "work" / "cache"):
        assert oct(folder.stat().st_mode & 0o7777) == "0o1777"


def test_what_broken_transfers_left_is_removed_after_an_hour(connection: Counting, tmp_path: Path) -> None:
    cache = tmp_path / "work" / "cache"
    cache.mkdir(parents=True)
    for name, age in (("old.onnx.part-123456789abc", "2 hours ago"), ("new.onnx.part-123456789abc", "now")):
        subprocess.run(["touch", "-d", age, cache / name], check=True)
    deploy(connection, str(tmp_path / "work"), {})
    assert [path.name for path in cache.iterdir()] == ["new.onnx.part-123456789abc"]


def test_a_cache_that_cannot_be_made_is_named(connection: Counting, tmp_path: Path) -> None:
    (tmp_path / "work").write_text("a file")
    cache = re.escape(str(tmp_path / "work" / "cache"))
    with pytest.raises(TargetError, match=f"pi5: the cache folder {cache} cannot be made: "):
        deploy(connection, str(tmp_path / "work"), made(tmp_path, a_onnx="first"), board="pi5")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_files_that_do_not_fit_are_refused_before_anything_is_sent(
    connection: Counting, small_disk: Path, tmp_path: Path
) -> None:
    files = made(tmp_path, a_onnx="a" * 2_000_000, b_onnx="b" * 2_000_000)
    with pytest.raises(BoardFullError, match=rf"pi5 needs 5\.0 MB for 2 files, has 4\.2 MB at {small_disk}/cache"):
        deploy(connection, str(small_disk), files, board="pi5")
    assert connection.sent == []
    one = dict(list(files.items())[:1])
    deploy(connection, str(small_disk), one)
    deploy(connection, str(small_disk), one)  # what is there needs no room


def test_odd_folders_are_quoted(connection: Counting, tmp_path: Path) -> None:
    workdir = tmp_path / "it's a $HOME"
    (path,) = deploy(connection, str(workdir), made(tmp_path, a_onnx="first")).values()
    assert Path(path).read_text() == "first"


def test_what_the_board_prints_is_parsed() -> None:
    df = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/vda 100 90 10 90% /\n"
    look = parse_look(f"  12 abc.onnx\n 0 d.npz\n 12 total\n=free\n{df}")
    assert (look.sizes_bytes, look.free_bytes, look.cache) == ({"abc.onnx": 12, "d.npz": 0}, 10240, [])
    assert parse_look(f"7 abc.onnx\n=free\n{df}").sizes_bytes == {"abc.onnx": 7}
    nothing = parse_look("=free\n")
    assert (nothing.sizes_bytes, nothing.free_bytes) == ({}, None)


def used(cache: Path, ages: Mapping[str, str]) -> None:
    """Set when each file was last used, by its contents."""
    for path in cache.iterdir():
        subprocess.run(["touch", "-d", ages[path.read_text()[:1]], path], check=True)


def contents(cache: Path) -> set[str]:
    return {path.read_text()[:1] for path in cache.iterdir()}


def test_a_full_cache_loses_what_was_not_used_longest_and_no_file_of_a_job(
    connection: Counting, tmp_path: Path
) -> None:
    work, said = tmp_path / "work", list[str]()
    files = made(tmp_path, **{f"{name}_onnx": name * 1000 for name in "abcde"})
    a, b, c, d, e = ({sha256: path} for sha256, path in files.items())
    deploy(connection, str(work), a | b | c | d)
    used(work / "cache", {"a": "5 days ago", "b": "4 days ago", "c": "3 days ago", "d": "2 days ago"})
    job = work / "account-0" / "jobs" / "of-another"
    job.mkdir(parents=True)
    (job / "job.json").write_text(f'{{"cells": [{{"model": "{work}/cache/{next(iter(a))}.onnx"}}]}}')
    deploy(connection, str(work), b, cache_limit_bytes=4500)  # used again, and nothing has to go
    assert contents(work / "cache") == {"a", "b", "c", "d"}
    deploy(connection, str(work), e, cache_limit_bytes=4500, progress=said.append)
    assert contents(work / "cache") == {"a", "b", "d", "e"}
    assert said[0] == "removing 1 files that were not used longest from the cache, 0.0 MB"
    deploy(connection, str(work), b | e, cache_limit_bytes=1000)  # its own files stay, however low the limit
    assert contents(work / "cache") == {"a", "b", "e"}
    deploy(connection, str(work), c | d)  # without a limit nothing goes
    assert contents(work / "cache") == {"a", "b", "c", "d", "e"}


def test_a_cache_makes_room_where_the_disk_has_none(connection: Counting, small_disk: Path, tmp_path: Path) -> None:
    old, new = made(tmp_path, a_onnx="a" * 2_500_000), made(tmp_path, b_onnx="b" * 2_500_000)
    deploy(connection, str(small_disk), old)
    deploy(connection, str(small_disk), new, cache_limit_bytes=2**31)
    assert contents(small_disk / "cache") == {"b"}


def test_files_of_other_accounts_stay_in_the_cache(connection: Counting, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("giving a file to another account needs root")
    work = tmp_path / "work"
    deploy(connection, str(work), made(tmp_path, a_onnx="a"))
    (foreign,) = (work / "cache").iterdir()
    os.chown(foreign, 12345, -1)
    deploy(connection, str(work), made(tmp_path, b_onnx="b"), cache_limit_bytes=1)
    assert contents(work / "cache") == {"a", "b"}
