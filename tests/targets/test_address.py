"""A board that stands in no inventory: `user@host`, with the user's own keys and trust."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hilbench.targets.address import agent_key_count, board_from_address, split_address
from hilbench.targets.board import Role, SshAddress
from hilbench.targets.errors import HostKeyError, InventoryError
from hilbench.targets.ssh import open_ssh

from .openssh_server import OpensshServer


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    (tmp_path / ".ssh").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("text", "user", "host", "port"),
    [
        ("pi@pi5", "pi", "pi5", 22),
        ("pi@192.0.2.1:2222", "pi", "192.0.2.1", 2222),
        ("me@[fe80::1]:2222", "me", "fe80::1", 2222),
        ("me@[::1]", "me", "::1", 22),
        (" pi@pi5.local ", "pi", "pi5.local", 22),
    ],
)
def test_an_address_is_split(text: str, user: str, host: str, port: int) -> None:
    assert split_address(text) == {"user": user, "host": host, "port": port}


@pytest.mark.parametrize(
    "text", ["", "pi5", "@pi5", "pi@", "pi@pi5:", "pi@pi5:x", "pi@a b", "pi@h:0", "pi@h:99999", "a@[::1"]
)
def test_what_is_no_address_is_said(text: str, home: Path) -> None:
    with pytest.raises(InventoryError, match="is no address"):
        board_from_address(text)


def test_a_host_that_the_user_never_trusted_is_refused(home: Path) -> None:
    for content in (None, "other ssh-ed25519 AAAA\n"):
        if content is not None:
            (home / ".ssh" / "known_hosts").write_text(content)
        with pytest.raises(HostKeyError, match=r"not in .*known_hosts: get it with `ssh-keyscan -t ed25519 pi5`"):
            board_from_address("pi@pi5")


def test_a_trusted_host_becomes_a_board_that_can_be_used(sshd: OpensshServer, home: Path) -> None:
    (home / ".ssh" / "known_hosts").write_text(f"[127.0.0.1]:{sshd.port} {sshd.host_key}\n")
    (home / ".ssh" / "id_ed25519").write_bytes(sshd.user_key.read_bytes())
    user = sshd.address().user
    board = board_from_address(f"{user}@127.0.0.1:{sshd.port}")
    assert (board.name, board.role) == ("127.0.0.1", Role.TARGET)
    assert isinstance(board.address, SshAddress)
    connection = open_ssh(board.address)
    assert connection.run("echo hello", timeout_s=30).stdout == b"hello\n"
    connection.close()


def test_the_key_is_the_named_one_then_the_agents_then_the_usual_file(
    sshd: OpensshServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusted = home / "hosts"
    trusted.write_text(f"pi5 {sshd.host_key}\n")

    def key(key_file: Path | None = None) -> str | None:
        address = board_from_address("pi@pi5", known_hosts=trusted, key_file=key_file).address
        assert isinstance(address, SshAddress)
        return address.key_file

    assert key() is None
    (home / ".ssh" / "id_rsa").write_text("x")
    assert key() == str(home / ".ssh" / "id_rsa")
    socket_path = home / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", socket_path], stdout=subprocess.DEVNULL)
    try:
        while not socket_path.exists():
            assert process.poll() is None
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket_path))
        assert agent_key_count() == 0
        assert key() == str(home / ".ssh" / "id_rsa")
        subprocess.run(["ssh-add", "-q", sshd.user_key], check=True)
        assert agent_key_count() == 1
        assert key() is None
        assert key(key_file=Path("/mine")) == "/mine"
    finally:
        process.terminate()
        process.wait(10)
    assert agent_key_count() is None
