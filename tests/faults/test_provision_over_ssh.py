"""The command line against a board without packages: the first `bench` provides, `check` tells, `clean` removes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ..targets.openssh_server import OpensshServer, running
from .conftest import DIGITS, Lab

pytestmark = pytest.mark.timeout(300)


def inventory(server: OpensshServer, lab: Lab, python: str, version: str | None = None) -> str:
    address = server.address()
    release = "" if version is None else f", version: {version}"
    return f"""\
boards:
  board:
    host: 127.0.0.1
    port: {server.port}
    user: {address.user}
    key: {address.key_file}
    host_key: {server.host_key}
    arch: x86_64
    workdir: {lab.folder}/work
    runtimes: [{{name: onnxruntime, python: {python}{release}}}]
"""


@pytest.fixture(scope="module")
def empty_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    return str(folder / "bin" / "python3")


def test_bench_provides_the_runtime_then_check_knows_it_and_clean_removes_it(
    lab: Lab, tmp_path: Path, empty_python: str
) -> None:
    with running(tmp_path / "server") as server:
        (lab.folder / "inventory.yaml").write_text(inventory(server, lab, empty_python))
        done = lab.run("bench", DIGITS / "digits.onnx", "--board", "board")
        assert done.returncode == 0, done.stderr
        assert "board: onnxruntime is not there; providing 1.32.0 for Python" in done.stderr
        exported = lab.export()
        assert exported["cells"][0]["latency_ns"]["median"] > 0
        assert exported["run"]["boards"]["board"]["runtimes"] == {"onnxruntime": "1.32.0"}
        check = json.loads(lab.run("board", "check", "board", "--json").stdout)
        assert check["runtimes"]["onnxruntime"]["version"] == "1.32.0"
        site = Path(check["runtimes"]["onnxruntime"]["site"])
        assert exported["run"]["boards"]["board"]["provisioned"] == {"onnxruntime": str(site)}
        job = site.parents[1] / "jobs" / "left"
        job.mkdir(parents=True)
        (job / "journal.jsonl").write_text("{}\n")
        os.sync()  # a file system may need another block once it writes a large file out: then two looks would differ
        refused = lab.run("board", "clean", "board")
        assert refused.returncode == 4
        assert "1 job on board may hold results that no run has collected" in refused.stderr
        assert site.exists()
        tried = json.loads(lab.run("board", "clean", "board", "--dry-run", "--json").stdout)
        assert (tried["removed"], tried["jobs"], site.exists()) == (False, 1, True)
        cleaned = json.loads(lab.run("board", "clean", "board", "--force", "--json").stdout)
        assert cleaned["bytes"] == tried["bytes"] > 100e6
        assert [path.name for path in (lab.folder / "work").iterdir()] == ["lease"], (
            "what keeps order between accounts stays"
        )
        after = lab.run("board", "check", "board")
        assert after.returncode == 4
        assert "`run` and `bench` put onnxruntime 1.32.0 there" in after.stdout


def test_a_runtime_that_cannot_exist_on_the_board_is_its_cells_answer(
    lab: Lab, tmp_path: Path, empty_python: str
) -> None:
    with running(tmp_path / "server") as server:
        (lab.folder / "inventory.yaml").write_text(inventory(server, lab, empty_python, version="0.0.1"))
        lab.run("bench", DIGITS / "digits.onnx", "--board", "board")
        (cell,) = lab.export()["cells"]
        assert cell["outcome"] == "unsupported"
        assert "onnxruntime cannot be used on board: no wheel of onnxruntime 0.0.1 is published for" in cell["reason"]


def test_a_release_on_a_board_that_is_given_nothing_is_refused(lab: Lab) -> None:
    lab.write(
        inventory="boards:\n  a:\n    connection: local\n    runtimes: [{name: onnxruntime, version: 1.32.0}]\n"
        "  b:\n    connection: emulated\n    cpu: cortex-a72\n    runtimes: [{name: onnxruntime, numpy: x}]\n"
    )
    done = lab.run("board", "list")
    assert done.returncode == 2
    assert "runtimes.0.numpy" in done.stderr
    lab.write(inventory="boards:\n  a:\n    connection: local\n    runtimes: [{name: onnxruntime, version: 1.32.0}]\n")
    done = lab.run("board", "list")
    assert ':4: boards.a.runtimes.0.version: "version" is for "connection: ssh" only' in done.stderr
