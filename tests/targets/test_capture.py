"""Captured boards: each bundle is read anew by all probes; a capture of this machine tells nobody whose it is."""

from __future__ import annotations

import getpass
import json
import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hilbench.targets.board import Arch, Board, BoardRuntime, LocalAddress, Role, SshAddress
from hilbench.targets.boardbundle import ROW_HEADER, bundle_name, make_bundle, read_bundle, row
from hilbench.targets.capture import Capture, all_probes, capture
from hilbench.targets.connection import Connection
from hilbench.targets.errors import TargetError
from hilbench.targets.hardware import admission_probes
from hilbench.targets.local import open_local
from hilbench.targets.probes import ask_probes, is_virtual_machine, probe_board
from hilbench.targets.ssh import SshConnection

from .replayed_board import board_of, replayed

ROOT = Path(__file__).parents[2]
BUNDLES = sorted((ROOT / "tests" / "fixtures" / "boards").glob("*.json"))
SMOKE = {
    "outcome": "ok",
    "reason": None,
    "runtime": "onnxruntime",
    "counts_from": "pmu",
    "equal": True,
    "trusted": True,
}

bundles = pytest.mark.parametrize("path", BUNDLES, ids=lambda path: path.stem)


def facts_by_replay(bundle: Mapping[str, Any]) -> dict[str, Any]:
    """What all probes of today find on a captured board, on the path that a real board takes."""
    board, connection = board_of(bundle), replayed(bundle)
    found = {**probe_board(connection, board), **ask_probes(connection, board.name, admission_probes(board))}
    return json.loads(json.dumps(found))


def test_boards_of_both_kinds_that_are_at_hand_are_captured() -> None:
    assert {"qemu-cortex-a72-arm64-emulated", "virtual-machine-x86-64-amd-epyc"} <= {path.stem for path in BUNDLES}


@bundles
def test_all_probes_find_on_a_captured_board_what_was_found_when_it_was_captured(path: Path) -> None:
    bundle = read_bundle(path)
    found = facts_by_replay(bundle)
    told: dict[str, Any] = bundle["facts"]
    assert {name: found[name] for name in told} == told
    unknown = found.keys() - told.keys()  # of probes that came later
    assert all(found[name] is None for name in unknown)


@bundles
def test_a_captured_machine_made_by_software_never_poses_as_a_product(path: Path) -> None:
    bundle = read_bundle(path)
    made_by_software = is_virtual_machine(bundle["facts"]["virtualization"]) or (
        bundle["board"]["reached_by"] == "emulated"
    )
    assert bundle["board"]["label"].startswith(("QEMU ", "virtual machine (")) == made_by_software


@bundles
def test_a_bundle_is_named_after_what_it_is(path: Path) -> None:
    assert path.stem == bundle_name(read_bundle(path))


@bundles
def test_every_captured_board_has_its_row_in_the_table_of_hardware(path: Path) -> None:
    page = (ROOT / "docs" / "hardware.md").read_text()
    assert ROW_HEADER in page
    assert row(read_bundle(path)) in page.splitlines()


@bundles
def test_a_bundle_holds_no_figure_of_a_model(path: Path) -> None:
    smoke = read_bundle(path)["smoke"]
    assert smoke is None or smoke.keys() == SMOKE.keys()


def test_another_output_gives_other_facts() -> None:
    bundle = read_bundle(BUNDLES[0])
    bundle["probes"]["cores"]["output"] = "0-6"
    assert facts_by_replay(bundle)["cores"] == 7 != bundle["facts"]["cores"]


@pytest.fixture(params=["local", "ssh"])
def connection(request: pytest.FixtureRequest, ssh_connection: SshConnection) -> Connection:
    return open_local() if request.param == "local" else ssh_connection


def this_machine(python: str = sys.executable) -> Board:
    return Board(
        name="secret-name",
        address=LocalAddress(),
        arch=Arch.X86_64,
        role=Role.REFERENCE,
        runtimes=(BoardRuntime(name="onnxruntime", python=python),),
        workdir="/var/tmp/hilbench",
    )


def test_a_capture_of_this_machine_can_be_read_and_tells_nobody_whose_it_is(connection: Connection) -> None:
    captured = capture(connection, this_machine())
    made = make_bundle(this_machine(), captured, SMOKE, version="1")
    text = made.text
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    for secret in (boot_id, sys.executable, "secret-name", str(Path.home() / "x")[:-2] + "/."):
        assert secret not in text
    assert socket.gethostname() in captured.hosts
    assert getpass.getuser() in captured.users
    facts = made.bundle["facts"]
    assert facts["hostname"] != socket.gethostname() or facts["hostname"] == "localhost"
    assert facts["cores"] == os.cpu_count()
    assert made.changed == ()
    assert facts_by_replay(json.loads(text)) == facts
    assert "/proc/cmdline" in made.bundle["files"]
    assert made.replaced["UUID"] == 1


COMPOSED = Capture(
    probes={
        "hostname": "ann-pc",
        "cores": "0-3",
        "model": "Raspberry Pi 5 Model B Rev 1.0\0",
        "cpu_models": "CPU implementer\t: 0x41\nCPU part\t: 0xd0b\nSerial\t\t: 10000000a1b2c3d4",
    },
    files={"/proc/cmdline": "root=PARTUUID=1 quiet", "/sys/class/thermal/thermal_zone0/type": "cpu-thermal"},
    tools={"lscpu": None, "vcgencmd measure_temp": "temp=47.2'C on ann-pc"},
    hosts=("ann-pc",),
    users=("ann", "pi"),
)


def test_the_same_capture_gives_the_same_bytes() -> None:
    one = make_bundle(this_machine(), COMPOSED, None, version="1")
    parts = {part: dict(reversed(list(getattr(COMPOSED, part).items()))) for part in ("probes", "files", "tools")}
    other = make_bundle(this_machine(), replace(COMPOSED, **parts), None, version="1")
    assert one.text == other.text
    assert one.bundle["tools"] == {"lscpu": None, "vcgencmd measure_temp": "temp=47.2'C on host-1"}
    assert one.bundle["files"]["/proc/cmdline"] == "root=removed quiet"
    assert "a1b2c3d4" not in one.text
    assert bundle_name(one.bundle) == "raspberry-pi-5-model-b-rev-1-0"


def test_folders_that_somebody_chose_are_not_told() -> None:
    chosen = this_machine("/srv/acme/secret/bin/python3.11")
    board = replace(chosen, workdir="/data/acme")
    text = make_bundle(board, COMPOSED, None, version="1").text
    assert "acme" not in text
    assert "/path/to/python3.11" in text


def test_names_on_the_way_to_the_board_are_not_told() -> None:
    gate = SshAddress(host="gate.acme", user="bob", port=22)
    board = replace(this_machine(), address=SshAddress(host="kiosk7", user="ann", jump=gate))
    said = replace(COMPOSED, tools={"lscpu": "kiosk7 bob gate.acme ann"}, users=())
    made = make_bundle(board, said, None, version="1")
    assert made.bundle["tools"]["lscpu"] == "host-2 user-1 host-3 user-2"
    assert made.bundle["board"]["reached_by"] == "ssh"


def test_a_fact_that_making_it_anonymous_changed_is_named() -> None:
    harmful = replace(COMPOSED, probes={**COMPOSED.probes, "governors": "schedutil"}, users=("schedutil",))
    made = make_bundle(this_machine(), harmful, None, version="1")
    assert made.changed == ("governors",)


def test_a_row_says_what_is_not_known() -> None:
    bundle = make_bundle(this_machine(), COMPOSED, SMOKE, version="1").bundle
    cells = row(bundle).strip("| ").split(" | ")
    assert len(cells) == len(ROW_HEADER.strip("| ").split(" | "))
    assert cells[:3] == ["Raspberry Pi 5 Model B Rev 1.0", "local", "1 x Cortex-A76"]
    assert cells[3] == "not told, not told"
    assert cells[5] == "ok by onnxruntime, counts by pmu"


def test_tools_are_asked_where_they_are_and_one_that_never_ends_gives_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripts = {
        "vcgencmd": 'echo "$1 said"; echo broken >&2',
        "tegrastats": "while :; do echo RAM 2448/7620MB; sleep 0.05; done",
        "nvpmodel": "cat; exit 3",
    }
    for name, text in scripts.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    tools = capture(open_local(), this_machine()).tools
    assert tools["vcgencmd get_throttled"] == "get_throttled said\nbroken"
    assert tools["tegrastats"] == "RAM 2448/7620MB"
    assert tools["nvpmodel"] is None
    assert set(tools) == {
        *(
            "lscpu",
            "nvpmodel",
            "tegrastats",
            "vcgencmd version",
            "vcgencmd measure_temp",
            "vcgencmd get_throttled",
            "vcgencmd pmic_read_adc",
        )
    }


def test_every_probe_is_in_a_capture() -> None:
    captured = capture(open_local(), this_machine())
    assert captured.probes.keys() == {probe.name for probe in all_probes(this_machine())}


@pytest.mark.parametrize(
    ("text", "says"),
    [("{", "no capture of a board"), ("[]", "board capture NAME"), ('{"what": "x"}', "board capture NAME")],
)
def test_a_file_that_is_no_bundle_is_refused_in_one_sentence(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(TargetError, match=says):
        read_bundle(tmp_path / "x.json")
