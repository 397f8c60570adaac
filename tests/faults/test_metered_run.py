"""`hilbench run` on a board with a meter: joules per inference, and faults of the meter, which cost the energy only."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hilbench.harness import blocks, metering, protocol
from hilbench.harness.assemble import assemble
from hilbench.harness.cli import main
from hilbench.harness.energy import with_energy
from hilbench.harness.store import Store
from hilbench.reports.energy import PowerTrace
from hilbench.reports.export import export_json
from hilbench.reports.page import render
from hilbench.reports.record import RunRecord, TrialKind
from hilbench.targets.power import quality, windows

WATTS = 4.0
MODEL = Path(__file__).parents[2] / "models/digits/digits.onnx"


@pytest.fixture(scope="module")
def quick() -> Generator[None]:
    """The whole path in one block with windows of a second, on a machine that may be busy with other tests.

    The rules of 10 s, of 100 sync uncertainties, of lost samples and of silence are tested elsewhere.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(windows, "_SHORTEST_S", 1.0)
        patch.setattr(windows, "_IDLE_SHORTEST_S", 0.3)
        patch.setattr(windows, "_SYNC_UNCERTAINTIES", 5.0)
        patch.setattr(quality, "MOST_DROPS", 0.5)
        patch.setattr(quality, "_SILENT_S", 5.0)
        patch.setattr(metering, "HAND_OVER_S", 2.0)
        patch.setattr(protocol, "BY_NAME", {"quick": replace(protocol.QUICK, blocks=1, min_seconds=0.2)})
        patch.setattr(blocks, "blocks_needed", lambda _: 1)
        patch.setenv("HILBENCH_HEALTH_WAIT_S", "0")
        yield


def measured(folder: Path, host_dir: Path, meters: str, recipes: str = "[fp32]") -> RunRecord:
    board = f"    connection: local\n    workdir: {folder}/board\n    meters:\n{meters}"
    (folder / "inventory.yaml").write_text(f"boards:\n  here:\n{board}")
    plan = f"name: metered\nmodels:\n  digits: {{file: {MODEL}}}\nrecipes: {recipes}\nboards: [here]\n"
    (folder / "plan.yaml").write_text(plan)
    env = {"HILBENCH_HOME": str(folder / "state"), "HILBENCH_HOST_DIR": str(host_dir)}
    done = CliRunner().invoke(
        main, ["run", str(folder / "plan.yaml"), "--new", "--inventory", str(folder / "inventory.yaml")], env=env
    )
    assert done.exit_code in (0, 5), done.output
    store = Store.open(f"sqlite:///{folder}/state/runs.sqlite")
    try:
        return assemble(store, store.run("latest"))
    finally:
        store.close()


@contextmanager
def sensor(sysfs: Path) -> Generator[None]:
    """A tree like sysfs with an INA226, whose value a thread changes by some milliwatts."""
    folder = sysfs / "class/hwmon/hwmon0"
    folder.mkdir(parents=True)
    for name, text in {"name": "ina226", "in1_input": "5000", "shunt_resistor": "10000"}.items():
        (folder / name).write_text(f"{text}\n")
    (folder / "power1_input").write_text("4000000\n")
    over = threading.Event()

    def drive() -> None:
        file, number = os.open(folder / "power1_input", os.O_WRONLY), 0
        while not over.wait(0.005):
            number += 1
            os.pwrite(file, b"%d\n" % (4_000_000 + (number % 7 - 3) * 1000), 0)
        os.close(file)

    thread = threading.Thread(target=drive)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.fixture(scope="module")
def metered(quick: None, host_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    """Two candidates on this machine with a sensor on the board; the first meter of the list is not there."""
    folder = tmp_path_factory.mktemp("metered")
    with sensor(folder / "sys"):
        meters = f"      - {{kind: hwmon, sysfs: {folder}/none}}\n      - {{kind: hwmon, sysfs: {folder}/sys}}\n"
        return measured(folder, host_dir, meters, "[fp32, fp16]")


def cell(run: RunRecord, recipe: str = "fp32") -> dict[str, Any]:
    cells: list[dict[str, Any]] = json.loads(json.dumps(export_json(run)))["cells"]
    return next(one for one in cells if one["recipe"] == recipe)


def test_a_run_gives_joules_with_uncertainty_class_and_meter(metered: RunRecord) -> None:
    energy = cell(metered)["energy_j"]
    assert energy is not None, cell(metered)["energy_absent"]
    (trial,) = [one for one in metered.records[0].trials if one.kind is TrialKind.LATENCY]
    assert trial.power is not None
    period_s = (trial.power.marks_ns[2] - trial.power.marks_ns[1]) / 1e9 / trial.power.inferences
    assert abs(energy["total"] - WATTS * period_s) <= energy["uncertainty"]
    assert abs(energy["net"]) <= energy["net_uncertainty"]
    assert (energy["class"], energy["meter"], energy["scope"]) == ("E3", "ina226 ina226", "rails")
    assert cell(metered, "fp16")["energy_j"]["ratio"] > 0


def test_the_page_shows_joules_and_which_meter_could_not_be_used(metered: RunRecord) -> None:
    page = render(metered)
    assert "Energy per inference" in page
    assert "E3" in page
    assert "no power sensor in /sys/class/hwmon" in page
    assert "no power meter was read" not in page


def test_the_twin_has_the_windows_but_no_meter_so_that_the_control_shows_what_a_meter_does(metered: RunRecord) -> None:
    (twin,) = [t for r in metered.records for t in r.twin_trials if t.kind is TrialKind.LATENCY]
    assert twin.power is None
    assert "one was not metered" in render(metered)


def stale(trace: PowerTrace) -> PowerTrace:
    return replace(trace, values=trace.values * 0 + 5.0, channel={**trace.channel, "stale_after_s": 0.5})


def jumped(trace: PowerTrace) -> PowerTrace:
    time_ns = trace.time_ns.copy()
    time_ns[len(time_ns) // 2 :] -= 10**9
    return replace(trace, time_ns=time_ns)


def saturated(trace: PowerTrace) -> PowerTrace:
    return replace(trace, channel={**trace.channel, "max_w": 3.0})


def gone(trace: PowerTrace) -> PowerTrace:
    half = len(trace.values) // 2
    sequence = None if trace.sequence is None else trace.sequence[:half]
    return replace(
        trace, time_ns=trace.time_ns[:half], values=trace.values[:half], sequence=sequence, error="it is unplugged"
    )


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (stale, "repeated the value 5 W"),
        (jumped, "time went back by"),
        (saturated, "at the end of its range (3 W)"),
        (gone, "before the end (it is unplugged)"),
    ],
)
def test_a_fault_of_the_meter_costs_the_energy_with_its_reason_and_leaves_the_latency(
    metered: RunRecord, broken: Callable[[PowerTrace], PowerTrace], words: str
) -> None:
    records = tuple(
        replace(record, trials=tuple(replace(t, power=broken(t.power)) if t.power else t for t in record.trials))
        for record in metered.records
    )
    found = with_energy(replace(metered, records=records))
    before, after = cell(metered), cell(found)
    assert after["energy_j"] is None
    assert words in after["energy_absent"]
    assert words in render(found).replace("&#39;", "'")
    assert after["latency_ns"] == before["latency_ns"]
    assert after["validity"] == before["validity"]


def test_a_program_of_the_controller_is_a_meter_and_its_end_costs_the_energy_only(
    quick: None, host_dir: Path, tmp_path: Path
) -> None:
    program = tmp_path / "meter.py"
    program.write_text(
        "import time\nfor n in range(40):\n    print(4 + n % 5 / 1000, flush=True)\n    time.sleep(0.01)\n"
    )
    command = f"[{sys.executable}, {program}]"
    meter = f"      - {{kind: command, command: {command}, rate_hz: 100, accuracy: {{gain: 0.01}}}}\n"
    found = cell(measured(tmp_path, host_dir, meter))
    assert found["outcome"] == "ok"
    assert found["latency_ns"]["median"] > 0
    assert found["energy_j"] is None
    assert "the meter's program ended with status 0" in found["energy_absent"]
