"""`board add` on a real OpenSSH server with an account of its own: from nothing to a baseline by one command."""

from __future__ import annotations

import json
import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hilbench.targets.inventory import load_inventory

from ..targets.openssh_server import OpensshServer, running
from .conftest import DIGITS, Lab

pytestmark = pytest.mark.timeout(300)

INVENTORY = """\
# Ours.   Two spaces.
defaults:
  workdir: {workdir}   # for this test only
boards:
  # the first
  this-machine: {{connection: local,   note: "stays"}}   # odd   spacing

# The end: keep me.
"""


@dataclass(frozen=True)
class Account:
    """An account that can log in on a server, and the folder that all accounts share for a lease."""

    name: str
    server: OpensshServer
    workdir: Path


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    """A new account of this machine, removed afterwards; without root the present one, which is said aloud."""
    folder = Path(tempfile.mkdtemp(prefix="hilbench-test-", dir="/var/tmp"))
    folder.chmod(0o755)  # the account reads its authorized_keys here
    workdir = folder.parent / f"{folder.name}-work"
    name = pwd.getpwuid(os.geteuid()).pw_name
    own = os.geteuid() == 0
    if own:
        name = f"hb-{secrets.token_hex(4)}"
        subprocess.run(["useradd", "--create-home", "--shell", "/bin/sh", "--password", "*", name], check=True)
    else:
        warnings.warn(f"not root: the test logs in as {name} instead of an account of its own", stacklevel=1)
    try:
        with running(folder) as server:
            yield Account(name=name, server=server, workdir=workdir)
    finally:
        if own:
            subprocess.run(["userdel", "--force", "--remove", name], check=True, capture_output=True)
        shutil.rmtree(folder)
        shutil.rmtree(workdir, ignore_errors=True)


def python_of_all() -> str:
    """An interpreter that every account may use; this one may lie in a home folder."""
    found = [path for path in ("/usr/bin/python3", "/usr/local/bin/python3") if os.access(path, os.X_OK)]
    assert found, "the test needs a python3 that all accounts may use"
    return found[0]


def test_one_command_takes_a_new_account_to_a_measured_baseline(lab: Lab, account: Account) -> None:
    inventory = lab.folder / "inventory.yaml"
    inventory.write_text(INVENTORY.format(workdir=account.workdir))
    before = inventory.read_text()
    server = account.server
    words = ["board", "add", f"{account.name}@127.0.0.1:{server.port}", "--name", "new", "--no-smoke", "--json"]
    words += ["--key", str(server.user_key), "--host-key", server.host_key, "--python", python_of_all()]
    done = lab.run(*words, "--baseline", "--model", DIGITS / "digits.onnx")
    said = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    (board,) = said["boards"]
    head, tail = before.split("\n# The end", 1)
    after = inventory.read_text()
    assert after.startswith(head)
    assert after.endswith("\n# The end" + tail)
    assert board["lease_place"]["shared"] is True
    assert board["runtimes"]["onnxruntime"]["pin"]["version"] in board["entry"]["runtimes"][0]["version"]
    site = Path(board["runtimes"]["onnxruntime"]["site"])
    assert site.owner() == account.name
    assert load_inventory(inventory).board("new").runtimes[0].version == board["runtimes"]["onnxruntime"]["version"]
    (cell,) = lab.export()["cells"]
    assert cell["outcome"] == "ok"
    assert cell["latency_ns"] or cell["instructions"]
    assert lab.run("board", "clean", "new", "--json").returncode == 0
    assert not site.exists()
