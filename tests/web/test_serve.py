"""The verb: it makes tokens, starts, says where it is, ends in order; and says what is missing."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from hilbench.harness.cli import main
from hilbench.harness.web.tokens import Scope, read_tokens

from .conftest import INVENTORY

HILBENCH = Path(sys.executable).parent / "hilbench"


def test_a_token_is_printed_once_and_kept_as_a_hash(tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    done = CliRunner().invoke(
        main, ["serve", "--new-token", "ann", "--scope", "read", "--token-file", str(file), "--json"]
    )
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["token"] not in file.read_text()
    (token,) = read_tokens(file)
    assert (token.name, token.scope) == ("ann", Scope.READ)


def test_what_is_missing_is_said_in_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found: Any = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "uvicorn" else found(name))
    done = CliRunner().invoke(main, ["serve", "--inventory", str(tmp_path / "inventory.yaml")])
    assert done.exit_code == 2
    assert 'pip install "hilbench[web]"' in done.stderr


def test_it_serves_until_it_is_told_to_end(tmp_path: Path) -> None:
    (tmp_path / "inventory.yaml").write_text(INVENTORY % (tmp_path / "work"))
    environment = {**os.environ, "HILBENCH_HOME": str(tmp_path / "state")}
    words = [HILBENCH, "serve", "--port", "0"]
    with subprocess.Popen(words, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert line.startswith("serving http://127.0.0.1:"), line
        address = line.split()[1]
        run = httpx.get(f"{address}api/runs", timeout=30)
        assert run.json() == []
        port = address.rstrip("/").rpartition(":")[2]
        taken = subprocess.run(
            [HILBENCH, "serve", "--port", port], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert taken.returncode == 1
        assert f"cannot listen on 127.0.0.1, port {port}: Address already in use" in taken.stderr
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        assert process.stderr.read() == ""
    open_one = subprocess.run(
        [HILBENCH, "serve", "--host", "0.0.0.0"], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert open_one.returncode == 2
    assert "a token is needed" in open_one.stderr
