"""Whom an SSH connection trusts and as whom it logs in, on real OpenSSH servers."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hilbench.targets.board import SshAddress
from hilbench.targets.errors import HostKeyError, TargetError, TransientTargetError
from hilbench.targets.hostkeys import parse_public_key
from hilbench.targets.ssh import open_ssh

from .openssh_server import OpensshServer, free_port, new_key, running


def says_hello(address: SshAddress) -> bool:
    connection = open_ssh(address)
    try:
        return connection.run("echo hello", timeout_s=30).stdout == b"hello\n"
    finally:
        connection.close()


def refusal(address: SshAddress, kind: type[TargetError]) -> str:
    with pytest.raises(kind) as caught:
        open_ssh(address, timeout_s=10).close()
    assert type(caught.value) is kind
    text = str(caught.value)
    assert "\n" not in text
    return text


def public_line(key: Path) -> str:
    return " ".join(key.with_suffix(".pub").read_text().split()[:2])


def openssh_fingerprint(key: Path) -> str:
    printed = subprocess.run(["ssh-keygen", "-lf", key.with_suffix(".pub")], capture_output=True, text=True, check=True)
    return printed.stdout.split()[1]


def test_changed_host_key_is_refused_with_both_fingerprints(sshd: OpensshServer, tmp_path: Path) -> None:
    other = new_key(tmp_path / "other")
    text = refusal(sshd.address(host_key=public_line(other)), HostKeyError)
    assert openssh_fingerprint(other) in text
    assert openssh_fingerprint(sshd.host_keys[0]) in text
    assert "the host key has changed" in text
    assert "the inventory's host_key" in text


def test_nothing_was_sent_to_a_host_with_a_changed_key(tmp_path: Path) -> None:
    with running(tmp_path / "server", "LogLevel VERBOSE") as server:
        refusal(server.address(host_key=public_line(new_key(tmp_path / "other"))), HostKeyError)
        log = (server.folder / "log").read_text()
    assert "Connection from" in log
    assert "Accepted" not in log
    assert "publickey" not in log


def test_unknown_host_is_refused_and_the_way_to_trust_it_is_named(sshd: OpensshServer, tmp_path: Path) -> None:
    (tmp_path / "known_hosts").write_text("elsewhere " + sshd.host_key + "\n")
    without = refusal(sshd.address(host_key=None), HostKeyError)
    not_in = refusal(sshd.address(host_key=None, known_hosts=str(tmp_path / "known_hosts")), HostKeyError)
    for text in (without, not_in):
        assert f"ssh-keyscan -t ed25519 -p {sshd.port} 127.0.0.1" in text
    assert str(tmp_path / "known_hosts") in not_in


def test_known_hosts_that_is_missing_is_named(sshd: OpensshServer) -> None:
    assert "/no/such cannot be read" in refusal(sshd.address(host_key=None, known_hosts="/no/such"), HostKeyError)


@pytest.mark.parametrize("hashed", [False, True], ids=["plain", "hashed"])
def test_known_hosts_as_ssh_keyscan_writes_it_is_accepted(sshd: OpensshServer, tmp_path: Path, hashed: bool) -> None:
    command = ["ssh-keyscan", *(["-H"] if hashed else []), "-t", "ed25519", "-p", str(sshd.port), "127.0.0.1"]
    scanned = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert ("|1|" in scanned) is hashed
    (tmp_path / "known_hosts").write_text("# comment\n\n" + scanned)
    assert says_hello(sshd.address(host_key=None, known_hosts=str(tmp_path / "known_hosts")))


def test_revoked_key_is_refused(sshd: OpensshServer, tmp_path: Path) -> None:
    line = f"[127.0.0.1]:{sshd.port} {sshd.host_key}\n"
    (tmp_path / "known_hosts").write_text(line + "@revoked " + line)
    text = refusal(sshd.address(host_key=None, known_hosts=str(tmp_path / "known_hosts")), HostKeyError)
    assert "is revoked in" in text


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_pinned_key_is_asked_for_where_a_server_has_several(several_keys: OpensshServer, kind: str) -> None:
    key = next(key for key in several_keys.host_keys if key.name == f"host_{kind}")
    assert says_hello(several_keys.address(host_key=public_line(key)))


@pytest.fixture(scope="module")
def several_keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpensshServer]:
    with running(tmp_path_factory.mktemp("several"), host_kinds=("rsa", "ecdsa", "ed25519")) as server:
        yield server


def test_server_without_the_pinned_kind_of_key_is_refused(sshd: OpensshServer, tmp_path: Path) -> None:
    text = refusal(sshd.address(host_key=public_line(new_key(tmp_path / "other", "ecdsa"))), TargetError)
    assert "no host key or cipher in common" in text


@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
def test_other_kinds_of_user_keys_work(tmp_path: Path, kind: str) -> None:
    with running(tmp_path / "server") as server:
        key = new_key(tmp_path / "mine", kind)
        (server.folder / "authorized_keys").write_bytes(key.with_suffix(".pub").read_bytes())
        assert says_hello(server.address(key_file=str(key)))


def test_wrong_user_key_is_refused_and_the_remedy_is_named(sshd: OpensshServer, tmp_path: Path) -> None:
    text = refusal(sshd.address(key_file=str(new_key(tmp_path / "stranger"))), TargetError)
    assert f"does not accept the key {tmp_path / 'stranger'}" in text
    assert ".ssh/authorized_keys" in text


def test_key_file_that_cannot_be_used_is_named(sshd: OpensshServer, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no key\n")
    locked = new_key(tmp_path / "locked", passphrase="secret")
    assert "cannot be read: No such file" in refusal(sshd.address(key_file=str(tmp_path / "none")), TargetError)
    assert "is no private key" in refusal(sshd.address(key_file=str(tmp_path / "text")), TargetError)
    text = refusal(sshd.address(key_file=str(locked)), TargetError)
    assert f"has a passphrase; load it with `ssh-add {locked}`" in text


def test_server_that_takes_no_keys_is_named(tmp_path: Path) -> None:
    extra = ("PubkeyAuthentication no", "KbdInteractiveAuthentication yes")
    with running(tmp_path / "server", *extra) as server:
        text = refusal(server.address(), TargetError)
    assert "takes no public keys" in text


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A real ssh-agent on a socket of its own."""
    path = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL)
    try:
        while not path.exists():
            assert process.poll() is None
        monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
        yield path
    finally:
        process.terminate()
        process.wait(10)


def test_the_ssh_agent_logs_in_where_no_key_file_is_named(sshd: OpensshServer, agent: Path, tmp_path: Path) -> None:
    assert "no key to log in with" in refusal(sshd.address(key_file=None), TargetError)
    subprocess.run(["ssh-add", "-q", new_key(tmp_path / "stranger")], check=True)
    assert "any of the 1 keys tried from the SSH agent" in refusal(sshd.address(key_file=None), TargetError)
    subprocess.run(["ssh-add", "-q", sshd.user_key], check=True)
    assert says_hello(sshd.address(key_file=None))


def test_without_agent_and_key_file_the_remedy_is_named(sshd: OpensshServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    text = refusal(sshd.address(key_file=None), TargetError)
    assert 'name one with "key", or load one with `ssh-add`' in text


def test_a_jump_host_is_gone_through_and_its_key_is_checked_too(sshd: OpensshServer, tmp_path: Path) -> None:
    with running(tmp_path / "jump") as jump:
        connection = open_ssh(sshd.address(jump=jump.address()))
        assert connection.run("echo hello", timeout_s=30).stdout == b"hello\n"
        assert len(jump.session_pids()) > 0
        connection.close()
        with pytest.raises(TransientTargetError, match="the connection is closed"):
            connection.run("true", timeout_s=10)
        wrong = jump.address(host_key=public_line(new_key(tmp_path / "other")))
        assert f":{jump.port}: the host key has changed" in refusal(sshd.address(jump=wrong), HostKeyError)
        wrong_behind = sshd.address(host_key=public_line(tmp_path / "other"), jump=jump.address())
        assert f":{sshd.port}: the host key has changed" in refusal(wrong_behind, HostKeyError)


def test_a_board_that_the_jump_host_cannot_reach_is_transient(tmp_path: Path) -> None:
    with running(tmp_path / "jump") as jump:
        text = refusal(jump.address(port=free_port(), jump=jump.address()), TransientTargetError)
    assert "no way from here to 127.0.0.1:" in text


def test_a_jump_host_that_forwards_nothing_is_named(sshd: OpensshServer, tmp_path: Path) -> None:
    with running(tmp_path / "jump", "AllowTcpForwarding no") as jump:
        text = refusal(sshd.address(jump=jump.address()), TargetError)
    assert "the server forbids it" in text


def test_a_port_where_nothing_listens_is_transient(sshd: OpensshServer) -> None:
    assert "nothing listens there" in refusal(sshd.address(port=free_port()), TransientTargetError)


def test_an_unknown_host_name_is_named(sshd: OpensshServer) -> None:
    with pytest.raises(TargetError, match=r"no-such-host\.invalid:.* the host name is unknown"):
        open_ssh(sshd.address(host="no-such-host.invalid"), timeout_s=10)


def test_a_user_without_a_shell_gets_a_sentence(tmp_path: Path) -> None:
    with running(tmp_path / "server", "ForceCommand echo This account is not available; exit 1") as server:
        connection = open_ssh(server.address())
        with pytest.raises(TargetError, match=r'login shell did not run the command \(status 1\); it said "This acc'):
            connection.run("true", timeout_s=30)
        connection.close()


def test_no_traceback_of_the_library_reaches_the_user(sshd: OpensshServer) -> None:
    program = (
        "import socket, sys\n"
        "from hilbench.targets.board import SshAddress\n"
        "from hilbench.targets.errors import TargetError\n"
        "from hilbench.targets.ssh import open_ssh\n"
        "listening = socket.create_server(('127.0.0.1', 0))\n"  # it accepts and never greets
        "port = listening.getsockname()[1]\n"
        "board = SshAddress(host='127.0.0.1', port=port, user='u', key_file='/k', host_key=sys.argv[1])\n"
        "try: open_ssh(board, timeout_s=1)\n"
        "except TargetError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, sshd.host_key], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert "connecting" in done.stdout


def test_fingerprints_are_those_of_ssh_keygen(sshd: OpensshServer, several_keys: OpensshServer) -> None:
    for key in (*sshd.host_keys, *several_keys.host_keys):
        assert parse_public_key(key.with_suffix(".pub").read_text()).fingerprint == openssh_fingerprint(key)


def test_ipv6_works_where_the_machine_has_it(tmp_path: Path) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 on this machine")
    with running(tmp_path / "server", "ListenAddress ::1") as server:
        assert says_hello(server.address(host="::1"))
