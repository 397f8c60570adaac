"""`board capture` by the real command line on a real OpenSSH server."""

from __future__ import annotations

import getpass
import json
import re
import socket
import sys
from pathlib import Path

import pytest

from ..targets.openssh_server import running
from .conftest import Lab

pytestmark = pytest.mark.timeout(300)


def test_a_capture_is_one_file_that_names_nobody_and_says_what_is_in_it(lab: Lab, tmp_path: Path) -> None:
    with running(tmp_path / "server") as server:
        address = server.address()
        (lab.folder / "inventory.yaml").write_text(
            f"boards:\n  anns-board:\n    host: 127.0.0.1\n    port: {server.port}\n    user: {address.user}\n"
            f"    key: {address.key_file}\n    host_key: {server.host_key}\n    arch: x86_64\n    role: reference\n"
            f"    workdir: {lab.folder}/work\n    runtimes: [{{name: onnxruntime, python: {sys.executable}}}]\n"
        )
        done = lab.run("board", "capture", "anns-board", "-o", "out.json", "--no-smoke", "--row")
        assert done.returncode == 0, done.stderr
        file = lab.folder / "out.json"
        told = done.stdout.splitlines()
        assert told[-1] == f"written to {file.resolve()}; nothing was sent anywhere: read it before you pass it on"
        assert "smoke:    not tried" in told
        text = file.read_text()
        label = json.loads(text)["board"]["label"]
        assert told[-2].startswith(f"| {label} | ssh | ")
        for secret in ("anns-board", str(lab.folder), sys.executable, server.host_key.split()[1]):
            assert secret not in text
        # Five digits stand in many a figure by chance: the port is looked for where an address would have it.
        assert not re.search(rf"(127\.0\.0\.1\s|:|port\W{{1,4}}){server.port}\b", text, re.IGNORECASE)
        assert f'"{socket.gethostname()}"' not in text
        assert f"/home/{getpass.getuser()}" not in text
        again = lab.run("board", "capture", "anns-board", "--no-smoke", "--json")
        assert again.returncode == 0, again.stderr
        said = json.loads(again.stdout)
        assert Path(said["file"]).parent == lab.folder.resolve()
        assert said["changed"] == []
        assert said["row"] == told[-2]


def test_a_board_that_is_not_there_is_one_sentence_and_no_file(lab: Lab) -> None:
    (lab.folder / "inventory.yaml").write_text("boards:\n  here: {connection: local}\n")
    done = lab.run("board", "capture", "pi5", "-o", "out.json")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert 'there is no board "pi5"' in line
    assert not (lab.folder / "out.json").exists()
