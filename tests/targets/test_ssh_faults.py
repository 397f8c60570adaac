"""What goes wrong between the controller and a board, done to real OpenSSH servers."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hilbench.targets.errors import BoardFullError, TargetError, TransientTargetError
from hilbench.targets.local import open_local
from hilbench.targets.ssh import SshConnection, open_ssh

from .connection_contract import names_in, until
from .openssh_server import OpensshServer, running

MB = 1_000_000
SFTP_SERVERS = ("/usr/lib/openssh/sftp-server", "/usr/lib/sftp-server", "/usr/libexec/openssh/sftp-server")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OpensshServer]:
    """A server that the test may harm."""
    with running(tmp_path / "server", "MaxStartups 100") as server:
        yield server


@pytest.fixture
def connection(server: OpensshServer) -> Iterator[SshConnection]:
    connection = open_ssh(server.address())
    yield connection
    connection.close()


def when_there(path: Path, act: Callable[[], object]) -> threading.Thread:
    """Do something as soon as the command on the board has made a file."""

    def wait_and_act() -> None:
        assert until(path.exists)
        act()

    thread = threading.Thread(target=wait_and_act)
    thread.start()
    return thread


def test_server_killed_in_mid_command_is_a_lost_connection(
    server: OpensshServer, connection: SshConnection, tmp_path: Path
) -> None:
    killer = when_there(tmp_path / "mark", lambda: server.signal_sessions(signal.SIGKILL))
    with pytest.raises(TransientTargetError, match=r"lost"):
        connection.run(f"echo half of it; touch {tmp_path}/mark; sleep 100", timeout_s=30)
    killer.join()


def test_server_killed_in_mid_stream_is_a_lost_connection(server: OpensshServer, connection: SshConnection) -> None:
    pieces = connection.stream("echo one; sleep 100", idle_timeout_s=30)
    assert next(pieces) == b"one\n"
    server.signal_sessions(signal.SIGKILL)
    with pytest.raises(TransientTargetError, match="lost"):
        next(pieces)


def test_a_new_connection_works_after_a_lost_one(server: OpensshServer, connection: SshConnection) -> None:
    server.signal_sessions(signal.SIGKILL)
    with pytest.raises(TransientTargetError):
        connection.run("true", timeout_s=30)
    again = open_ssh(server.address())
    assert again.run("true", timeout_s=30).status == 0
    again.close()


def test_command_whose_connection_is_lost_does_not_run_on(
    server: OpensshServer, connection: SshConnection, tmp_path: Path
) -> None:
    pieces = connection.stream(f"echo $$ >{tmp_path}/pid; echo one; sleep 100; :", idle_timeout_s=30)
    assert next(pieces) == b"one\n"
    pid = int((tmp_path / "pid").read_text())
    for session in server.session_pids():  # only sshd's own processes, as when the network goes away
        if comm(session) == "sshd":
            os.kill(session, signal.SIGKILL)
    assert until(lambda: gone(pid))


def comm(pid: int) -> str:
    """The name of a process, empty where it is gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


@pytest.mark.parametrize("sftp", [True, False], ids=["sftp", "cat"])
def test_server_killed_in_mid_transfer_leaves_no_finished_file(tmp_path: Path, sftp: bool) -> None:
    big, folder = tmp_path / "big", tmp_path / "board"
    folder.mkdir()
    big.write_bytes(os.urandom(8 * MB))
    with running(tmp_path / "server", sftp=sftp) as server, Proxy(server.port, cut_after_bytes=3 * MB) as proxy:
        connection = open_ssh(server.address(port=proxy.port))
        with pytest.raises(TransientTargetError):
            connection.put(big, f"{folder}/model", timeout_s=60)
        connection.close()
        assert proxy.cut
        assert not (folder / "model").exists()
        if not sftp:  # `cat` on the board sees the end, finds the wrong hash and cleans up by itself
            assert until(lambda: list(folder.iterdir()) == [])


def test_connection_cut_in_mid_download_leaves_no_local_file(server: OpensshServer, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(os.urandom(8 * MB))
    (tmp_path / "here").mkdir()
    with Proxy(server.port, cut_after_bytes=3 * MB) as proxy:
        connection = open_ssh(server.address(port=proxy.port))
        with pytest.raises(TransientTargetError):
            connection.get(str(tmp_path / "big"), tmp_path / "here" / "big", timeout_s=60)
        connection.close()
    assert list((tmp_path / "here").iterdir()) == []


@pytest.mark.parametrize("after_bytes", [0, 10, 100, 1500], ids=lambda count: f"{count}-bytes")
def test_connection_cut_while_it_opens_is_tried_again_until_the_deadline(
    server: OpensshServer, after_bytes: int
) -> None:
    with Proxy(server.port, cut_after_bytes=after_bytes) as proxy:
        with pytest.raises(TransientTargetError, match="connecting"):
            open_ssh(server.address(port=proxy.port), timeout_s=2)
        assert proxy.connections > 1


def test_a_frozen_server_is_lost_at_the_deadline_of_the_command(
    server: OpensshServer, connection: SshConnection
) -> None:
    server.signal_sessions(signal.SIGSTOP)
    with pytest.raises(TransientTargetError):
        connection.run("true", timeout_s=1)


def test_a_server_that_freezes_in_mid_command_is_lost_at_the_deadline(
    server: OpensshServer, connection: SshConnection, tmp_path: Path
) -> None:
    freezer = when_there(tmp_path / "mark", lambda: server.signal_sessions(signal.SIGSTOP))
    with pytest.raises(TransientTargetError, match="took longer than 3 s"):
        connection.run(f"touch {tmp_path}/mark; sleep 100", timeout_s=3)
    freezer.join()


def test_a_server_that_freezes_in_mid_transfer_is_lost_at_the_deadline(
    server: OpensshServer, connection: SshConnection, tmp_path: Path
) -> None:
    big = tmp_path / "big"
    big.write_bytes(bytes(40 * MB))
    (tmp_path / "small").write_text("x")
    connection.put(tmp_path / "small", f"{tmp_path}/warm", timeout_s=30)  # the SFTP session is there
    server.signal_sessions(signal.SIGSTOP)
    for transfer in (
        lambda: connection.put(big, f"{tmp_path}/copy", timeout_s=2),
        lambda: connection.get(f"{tmp_path}/warm", tmp_path / "back", timeout_s=2),
    ):
        with pytest.raises(TransientTargetError):
            transfer()
    assert not (tmp_path / "copy").exists()


def test_a_transfer_that_stalls_costs_the_transfer_and_not_the_connection(tmp_path: Path) -> None:
    (tmp_path / "sent").write_text("text")
    program = next(path for path in SFTP_SERVERS if Path(path).exists())
    with running(tmp_path / "server", f"Subsystem sftp {program}", sftp=False) as server:
        connection = open_ssh(server.address())
        connection.put(tmp_path / "sent", f"{tmp_path}/first", timeout_s=30)
        (stalled,) = [pid for pid in server.session_pids() if comm(pid) == "sftp-server"]
        os.kill(stalled, signal.SIGSTOP)
        with pytest.raises(TransientTargetError, match="the transfer took longer than 2 s"):
            connection.put(tmp_path / "sent", f"{tmp_path}/second", timeout_s=2)
        connection.put(tmp_path / "sent", f"{tmp_path}/third", timeout_s=30)
        connection.close()
    assert (tmp_path / "third").read_text() == "text"
    assert not (tmp_path / "second").exists()


def test_a_server_that_never_greets_is_lost_at_the_deadline(server: OpensshServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(TransientTargetError, match="connecting"):
        open_ssh(server.address(port=silent.getsockname()[1]), timeout_s=1)


def test_a_server_frozen_at_the_greeting_is_lost_at_the_deadline(server: OpensshServer) -> None:
    with Proxy(server.port, stall_after_bytes=60) as proxy, pytest.raises(TransientTargetError, match="connecting"):
        open_ssh(server.address(port=proxy.port), timeout_s=2)


def test_a_storm_of_connections_gets_through_although_the_server_drops_some(tmp_path: Path) -> None:
    """sshd drops connections that are not logged in yet above MaxStartups: here above 2 at once."""
    with running(tmp_path / "server", "MaxStartups 2:60:4", "LogLevel VERBOSE") as server:
        failed: list[TargetError] = []

        def connect() -> None:
            try:
                connection = open_ssh(server.address(), timeout_s=60)
                connection.close()
            except TargetError as error:
                failed.append(error)

        threads = [threading.Thread(target=connect) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        dropped = (server.folder / "log").read_text().count("MaxStartups")
    assert failed == []
    assert dropped > 0


def test_more_commands_at_once_than_the_server_has_sessions_wait_for_each_other(tmp_path: Path) -> None:
    with running(tmp_path / "server", "MaxSessions 10") as server:
        connection = open_ssh(server.address())
        statuses: list[int] = []
        threads = [
            threading.Thread(target=lambda: statuses.append(connection.run("sleep 0.2", timeout_s=60).status))
            for _ in range(24)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        connection.close()
    assert statuses == [0] * 24


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("kind", ["sftp", "cat", "local"])
def test_a_full_disk_is_named_and_nothing_is_left(tmp_path: Path, small_disk: Path, kind: str) -> None:
    (tmp_path / "big").write_bytes(bytes(5 * MB))
    (tmp_path / "small").write_text("fits")
    with running(tmp_path / "server", sftp=kind == "sftp") as server:
        connection = open_local() if kind == "local" else open_ssh(server.address())
        with pytest.raises(
            BoardFullError, match=rf"the disk is full: 5\.0 MB are needed and .* MB is free at {small_disk}"
        ):
            connection.put(tmp_path / "big", f"{small_disk}/big", timeout_s=60)
        assert names_in(connection, str(small_disk)) == []
        connection.put(tmp_path / "small", f"{small_disk}/small", timeout_s=60)
        connection.close()


@pytest.mark.parametrize("sftp", [True, False], ids=["sftp", "cat"])
def test_a_file_that_arrives_damaged_is_refused(tmp_path: Path, sftp: bool) -> None:
    """A board whose sha256sum finds another hash, as after a fault of its disk."""
    tools, board = tmp_path / "tools", tmp_path / "board"
    tools.mkdir()
    board.mkdir()
    (tools / "sha256sum").write_text(f"#!/bin/sh\necho {'0' * 64}  -\n")
    (tools / "sha256sum").chmod(0o755)
    (tmp_path / "sent").write_text("text")
    with running(tmp_path / "server", f'SetEnv "PATH={tools}:{os.environ["PATH"]}"', sftp=sftp) as server:
        connection = open_ssh(server.address())
        with pytest.raises(TransientTargetError, match="file arrived damaged: sha256 0000"):
            connection.put(tmp_path / "sent", f"{board}/file", timeout_s=30)
        connection.close()
    assert list(board.iterdir()) == []


PYTHONS = {
    "as it is": None,
    "missing": "",
    "does not start": "exit 1",
    "loses the hash": "cat >/dev/null; exit 1",
    "finds another hash": "read -r w; echo $w 1111",
}


@pytest.mark.parametrize("python", PYTHONS.values(), ids=PYTHONS.keys())
def test_a_large_file_is_checked_while_it_comes_whatever_python_the_board_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, python: str | None
) -> None:
    monkeypatch.setattr("hilbench.targets.sshfiles._FOLLOWED_BYTES", 1000)
    tools, board = tmp_path / "tools", tmp_path / "board"
    tools.mkdir()
    board.mkdir()
    for name in ("sh", "cat", "mv", "rm", "sha256sum", *([] if python is not None else ["python3"])):
        (tools / name).symlink_to(str(shutil.which(name, path="/usr/bin:/bin") or sys.executable))
    if python:
        (tools / "python3").write_text(f"#!/bin/sh\n{python}\n")
        (tools / "python3").chmod(0o755)
    (tmp_path / "sent").write_bytes(os.urandom(700_000))
    # A forced command, as an account's own rc file may put more on the path.
    shell = tmp_path / "shell"
    shell.write_text(f'#!/bin/sh\nPATH={tools}\nexec sh -c "$SSH_ORIGINAL_COMMAND"\n')
    shell.chmod(0o755)
    with _server_with_shell(tmp_path, shell) as server:
        connection = open_ssh(server.address())
        connection.put(tmp_path / "sent", f"{board}/file", timeout_s=30)
        assert (board / "file").read_bytes() == (tmp_path / "sent").read_bytes()
        assert [path.name for path in board.iterdir()] == ["file"]
        if python is not None:  # now the file is damaged, too
            (tools / "sha256sum").unlink()
            (tools / "sha256sum").write_text(f"#!/bin/sh\necho {'0' * 64}  -\n")
            (tools / "sha256sum").chmod(0o755)
            with pytest.raises(TransientTargetError, match="arrived damaged: sha256 0000"):
                connection.put(tmp_path / "sent", f"{board}/again", timeout_s=30)
            assert [path.name for path in board.iterdir()] == ["file"]
        connection.close()


def _server_with_shell(tmp_path: Path, shell: Path) -> contextlib.AbstractContextManager[OpensshServer]:
    """sshd forces the command on SFTP as well, so that one passes through to the real server."""
    sftp, both = _sftp_server(), tmp_path / "both"
    both.write_text(f'#!/bin/sh\ncase "$SSH_ORIGINAL_COMMAND" in *sftp-server*) exec {sftp};; esac\nexec {shell}\n')
    both.chmod(0o755)
    # No rc file of this account: on some machines it takes half a second for each command.
    options = (f"ForceCommand {both}", f"Subsystem sftp {sftp}", f"SetEnv HOME={tmp_path}")
    return running(tmp_path / "server", *options, sftp=False)


def _sftp_server() -> str:
    return next(path for path in SFTP_SERVERS if Path(path).exists())


def test_a_large_file_that_does_not_fit_leaves_nothing(
    tmp_path: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hilbench.targets.sshfiles._FOLLOWED_BYTES", 1000)
    (tmp_path / "big").write_bytes(bytes(5 * MB))
    with running(tmp_path / "server") as server:
        connection = open_ssh(server.address())
        with pytest.raises(BoardFullError, match=r"the disk is full: 5\.0 MB are needed"):
            connection.put(tmp_path / "big", f"{small_disk}/big", timeout_s=60)
        assert names_in(connection, str(small_disk)) == []
        connection.close()


def test_a_board_without_sha256sum_hashes_with_python(tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "python3").symlink_to(Path(sys.executable).resolve())
    for name in ("sh", "cat", "mv", "rm", "setsid"):
        found = shutil.which(name)
        assert found is not None
        (tools / name).symlink_to(found)
    (tmp_path / "sent").write_text("text")
    # A forced command, as an account's own rc file may put more on the path.
    shell = tmp_path / "shell"
    shell.write_text(f'#!/bin/sh\nPATH={tools}\nexec sh -c "$SSH_ORIGINAL_COMMAND"\n')
    shell.chmod(0o755)
    with running(tmp_path / "server", f"ForceCommand {shell}") as server:
        connection = open_ssh(server.address())
        assert connection.run("sha256sum </dev/null", timeout_s=30).status == 127
        connection.put(tmp_path / "sent", f"{tmp_path}/there", timeout_s=30)
        connection.close()
    assert (tmp_path / "there").read_text() == "text"


@pytest.fixture
def board_on_a_cable(tmp_path: Path) -> Iterator[tuple[OpensshServer, str]]:
    """A server in a network of its own, reached by a virtual cable: (server, the cable's near end)."""
    ip = shutil.which("ip", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if os.geteuid() != 0 or ip is None:
        pytest.skip("a network of its own needs root and iproute2")
    name, near, far = f"hilbench{os.getpid()}", f"hila{os.getpid()}", f"hilb{os.getpid()}"
    if subprocess.run([ip, "netns", "add", name], capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine forbids network namespaces")
    try:
        for command in (
            f"link add {near} type veth peer name {far}",
            f"link set {far} netns {name}",
            f"addr add 198.18.111.1/30 dev {near}",
            f"link set {near} up",
            f"-n {name} addr add 198.18.111.2/30 dev {far}",
            f"-n {name} link set {far} up",
        ):
            subprocess.run([ip, *command.split()], check=True)
        (tmp_path / "server").mkdir()
        server = OpensshServer(tmp_path / "server", host="198.18.111.2", prefix=(ip, "netns", "exec", name))
        try:
            server.start()
            yield server, near
        finally:
            server.stop()
    finally:
        subprocess.run([ip, "link", "del", near], check=False)  # the namespace alone would let it go only later
        subprocess.run([ip, "netns", "del", name], check=True)


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "sending"])
def test_a_pulled_cable_is_noticed_long_before_the_deadline(
    board_on_a_cable: tuple[OpensshServer, str], tmp_path: Path, busy: bool
) -> None:
    server, near = board_on_a_cable
    connection = open_ssh(server.address())
    puller = when_there(tmp_path / "mark", lambda: subprocess.run(["ip", "link", "set", near, "down"], check=True))
    stdin = bytes(100 * MB) if busy else b""
    command = f"touch {tmp_path}/mark; " + ("sleep 1; cat >/dev/null" if busy else "sleep 1000")
    with pytest.raises(TransientTargetError, match=r"lost|no answer"):  # and not "took longer than"
        connection.run(command, timeout_s=80, stdin=stdin)
    puller.join()
    connection.close()


class Proxy:
    """Passes TCP on to a port; cuts every connection (RST) after so many bytes in both directions, or falls silent."""

    def __init__(self, port: int, *, cut_after_bytes: int | None = None, stall_after_bytes: int | None = None) -> None:
        self._to, self._cut_after, self._stall_after = port, cut_after_bytes, stall_after_bytes
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self.cut = False
        self.connections = 0
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Proxy:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.close()
        for sock in self._sockets:
            sock.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
            except OSError:
                return
            self.connections += 1
            self._sockets += [near, far]
            passed = [0]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pass, args=(source, sink, passed), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, passed: list[int]) -> None:
        try:
            while data := source.recv(4096):
                passed[0] += len(data)
                if self._stall_after is not None and passed[0] > self._stall_after:
                    return
                if self._cut_after is not None and passed[0] > self._cut_after:
                    self.cut = True
                    break
                sink.sendall(data)
        except OSError:
            pass
        for sock in (source, sink):
            # Linger 0: close sends RST, as a firewall that forgot the connection would.
            try:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
                sock.shutdown(socket.SHUT_RDWR)
                sock.close()
            except OSError:
                pass
