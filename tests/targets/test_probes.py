"""Facts of boards: parsers on captured and composed outputs, and the one round trip on real connections."""

from __future__ import annotations

import json
import platform
import sys
from pathlib import Path
from typing import Any

import pytest
from hilbench.targets.board import Arch, Board, BoardRuntime, LocalAddress, Role
from hilbench.targets.connection import Connection
from hilbench.targets.errors import TargetError
from hilbench.targets.hardware import admission_probes
from hilbench.targets.local import open_local
from hilbench.targets.probes import (
    FIXED_PROBES,
    Probe,
    parse_json,
    probe_board,
    probe_script,
    probes_of,
    split_sections,
)
from hilbench.targets.ssh import SshConnection

FIXTURES = Path(__file__).parent.parent / "fixtures" / "probes"
CASES = sorted(FIXTURES.glob("*/*.json"))


def board(*runtimes: BoardRuntime, workdir: str = "/var/tmp") -> Board:
    return Board(
        name="this-machine",
        address=LocalAddress(),
        arch=Arch.X86_64,
        role=Role.REFERENCE,
        runtimes=runtimes or (BoardRuntime(name="onnxruntime", python=sys.executable),),
        workdir=workdir,
    )


PROBES = (*probes_of(board()), *admission_probes(board()))
PARSERS = {probe.name: probe.parse for probe in PROBES} | {"interpreter": parse_json}


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_parser_reads_what_the_board_printed(path: Path) -> None:
    case: dict[str, Any] = json.loads(path.read_text())
    output: str = case["output"]
    parsed = PARSERS[path.parent.name](output) if output.strip() else None
    assert json.loads(json.dumps(parsed)) == case["expect"]


def test_every_fixed_probe_has_a_capture_of_each_kind_of_board() -> None:
    for probe in (*FIXED_PROBES, *admission_probes(board())):
        for name in ("x86-64-virtual-machine", "emulated-a72", "emulated-a76"):
            assert (FIXTURES / probe.name / f"{name}.json").exists(), (probe.name, name)


@pytest.mark.parametrize("probe", [*FIXED_PROBES, *admission_probes(board())], ids=lambda probe: probe.name)
@pytest.mark.parametrize("output", ["?", "-1", "x y z\n" * 3, "\0\0", ": : :"])
def test_no_parser_fails_on_nonsense(probe: Probe, output: str) -> None:
    assert json.dumps(probe.parse(output))


@pytest.fixture(params=["local", "ssh"])
def connection(request: pytest.FixtureRequest, ssh_connection: SshConnection) -> Connection:
    return open_local() if request.param == "local" else ssh_connection


def test_facts_of_this_machine_are_those_that_python_sees(connection: Connection) -> None:
    facts = probe_board(connection, board())
    assert facts["kernel"] == f"Linux {platform.release()}"
    assert facts["machine"] == platform.machine()
    assert facts["boot_id"] == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert facts["python"] == platform.python_version()
    assert facts["memory"]["total_bytes"] > facts["memory"]["available_bytes"] > 0
    assert facts["workdir_free_bytes"] > 0
    assert facts["runtimes"]["onnxruntime"]["version"] is not None
    assert json.loads(json.dumps(facts)).keys() == facts.keys()


def test_probing_is_one_round_trip() -> None:
    connection = open_local()
    commands: list[str] = []
    run = connection.run

    def counting(command: str, *, timeout_s: float, stdin: bytes = b"") -> Any:
        commands.append(command)
        return run(command, timeout_s=timeout_s, stdin=stdin)

    connection.run = counting  # pyright: ignore[reportAttributeAccessIssue]
    probe_board(connection, board())
    assert len(commands) == 1


def test_what_is_not_there_is_none(connection: Connection, tmp_path: Path) -> None:
    missing = (
        BoardRuntime(name="onnxruntime", python="/no/such/python"),
        BoardRuntime(name="ai-edge-litert", python=sys.executable, site=str(tmp_path)),
    )
    facts = probe_board(connection, board(*missing, workdir=str(tmp_path / "not" / "there" / "yet")))
    assert "onnxruntime" not in facts["runtimes"]
    assert facts["python"] == platform.python_version()
    assert facts["workdir_free_bytes"] > 0


def test_a_runtime_in_a_folder_of_its_own_is_found_there(connection: Connection, tmp_path: Path) -> None:
    info = tmp_path / "tflite_runtime-9.8.7.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tflite-runtime\nVersion: 9.8.7\n")
    runtime = BoardRuntime(name="tflite-runtime", python=sys.executable, site=str(tmp_path))
    found = probe_board(connection, board(runtime))["runtimes"]["tflite-runtime"]
    assert found["version"] == "9.8.7"


def test_a_board_that_answers_nothing_is_an_error() -> None:
    connection = open_local()
    connection.run = lambda *_, **__: type(connection).run(connection, "echo no >&2; exit 9", timeout_s=9)  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(TargetError, match="facts cannot be read: no"):
        probe_board(connection, board())


def test_a_probe_that_prints_a_header_of_another_does_not_mix_them() -> None:
    probes = (Probe("a", "echo; echo token b; echo faked", str), Probe("b", "printf real", str))
    done = open_local().run(probe_script(probes, "secret"), timeout_s=30)
    sections = split_sections(done.stdout.decode(), "secret")
    assert sections["b"].strip() == "real"
    assert "faked" in sections["a"]
