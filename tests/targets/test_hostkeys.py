"""known_hosts as OpenSSH reads it; ssh-keygen is the judge where it can be."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hilbench.targets.errors import HostKeyError
from hilbench.targets.hostkeys import check_host_key, known_keys, parse_public_key, pinned_keys

from .openssh_server import new_key


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Public keys of all kinds, without comments."""
    folder = tmp_path_factory.mktemp("keys")
    paths = [new_key(folder / kind, kind).with_suffix(".pub") for kind in ("ed25519", "ecdsa", "rsa")]
    return [" ".join(path.read_text().split()[:2]) for path in paths]


def found(text: str, host: str, port: int = 22) -> list[str]:
    return [key.type for key in known_keys(text, host, port).accepted]


@pytest.mark.parametrize(
    ("hosts", "host", "port", "matches"),
    [
        ("pi5", "pi5", 22, True),
        ("pi5", "PI5", 22, True),
        ("pi5,192.0.2.1", "192.0.2.1", 22, True),
        ("pi5", "pi50", 22, False),
        ("pi5", "pi5", 2222, False),
        ("[pi5]:2222", "pi5", 2222, True),
        ("[pi5]:2222", "pi5", 22, False),
        ("pi?", "pi5", 22, True),
        ("*.lab,!secret.lab", "board.lab", 22, True),
        ("*.lab,!secret.lab", "secret.lab", 22, False),
        ("[*.lab]:22", "a.lab", 22, False),
        ("[*.lab]:2200", "a.lab", 2200, True),
        ("pi[5]", "pi5", 22, False),
        ("fe80::1", "fe80::1", 22, True),
    ],
)
def test_hosts_match_as_ssh_matches_them(lines: list[str], hosts: str, host: str, port: int, matches: bool) -> None:
    assert bool(found(f"{hosts} {lines[0]}\n", host, port)) is matches


@pytest.mark.parametrize(("host", "port"), [("pi5", 22), ("192.0.2.1", 2222)])
def test_hashed_entries_are_those_of_ssh_keygen(lines: list[str], tmp_path: Path, host: str, port: int) -> None:
    path = tmp_path / "known_hosts"
    name = host if port == 22 else f"[{host}]:{port}"
    path.write_text("".join(f"{name} {line}\n" for line in lines))
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", path], check=True, capture_output=True)
    # The host is looked for where it would stand alone: in the keys, which are random, its few letters may well occur.
    assert [entry.split(" ")[0][:3] for entry in path.read_text().splitlines()] == ["|1|"] * len(lines)
    assert found(path.read_text(), host, port) == ["ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa"]
    assert found(path.read_text(), "other", port) == []


def test_lines_that_are_no_entries_are_passed_over(lines: list[str]) -> None:
    text = f"# comment\n\npi5\npi5 ssh-dss AAAA\npi5 ssh-ed25519 !!!\n|1|x|y {lines[0]}\n  pi5 {lines[1]} comment\n"
    assert found(text, "pi5") == ["ecdsa-sha2-nistp256"]


def test_authorities_are_no_host_keys_and_revoked_ones_are_never_accepted(lines: list[str]) -> None:
    text = f"@cert-authority pi5 {lines[0]}\n@revoked * {lines[1]}\npi5 {lines[1]}\npi5 {lines[2]}\n"
    keys = known_keys(text, "pi5", 22)
    assert [key.type for key in keys.accepted] == ["ssh-rsa"]
    assert [key.type for key in keys.revoked] == ["ecdsa-sha2-nistp256"]


def test_a_pinned_key_that_is_none_is_refused() -> None:
    with pytest.raises(HostKeyError, match="the pinned host key is no OpenSSH public key"):
        pinned_keys("h", 22, host_key="ssh-ed25519", known_hosts=None)


@pytest.mark.parametrize("cut", [1, 5, 30])
def test_a_key_that_is_cut_off_is_noticed(lines: list[str], cut: int) -> None:
    for line in lines:
        parse_public_key(line)
        with pytest.raises(ValueError, match="cut off"):
            parse_public_key(line[:-cut])


def test_only_the_pinned_key_passes(lines: list[str]) -> None:
    first, second, third = (parse_public_key(line) for line in lines)
    check_host_key("pi5", first, (second, first), "a file")
    with pytest.raises(HostKeyError) as caught:
        check_host_key("pi5", third, (first, second), "a file")
    for key in (first, second, third):
        assert key.fingerprint in str(caught.value)
