from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest
from hilbench.targets.emulated.keys import dropbear_key, make_key
from hilbench.targets.errors import EmulatorError


def test_dropbear_key_carries_the_seed_and_the_public_key_that_ssh_keygen_made(tmp_path: Path) -> None:
    public_line = make_key(tmp_path / "key", "a comment with spaces")
    public = base64.b64decode(public_line.split()[1])[-32:]
    converted = dropbear_key((tmp_path / "key").read_text())
    assert converted[:19] == b"\0\0\0\x0bssh-ed25519\0\0\0\x40"
    assert len(converted) == 19 + 64
    assert converted[-32:] == public
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["-t", "ed25519", "-N", "a passphrase"], "the key has a passphrase"),
        (["-t", "ecdsa", "-N", ""], "ssh-ed25519 is needed, not ecdsa-sha2-nistp256"),
    ],
)
def test_key_of_another_kind_is_refused_in_one_sentence(options: list[str], sentence: str, tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", *options, "-f", str(tmp_path / "key")], check=True)
    with pytest.raises(EmulatorError, match=sentence):
        dropbear_key((tmp_path / "key").read_text())
