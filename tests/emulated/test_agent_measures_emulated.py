"""What the agent measures on an emulated board beside its counts: operators, events of the PMU, a cgroup's peak."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hilbench.targets.emulated.machine import Machine

from ..targets.agent_jobs import job, of_kind
from .test_agent_emulated import Event, Guest, digits_cell

ONCE = {"check": False, "memory": True, "profile": True, "counters": True}
# The guest's init mounts no cgroups, as nothing of it needs them.
CGROUPS = "mount -t cgroup2 none /sys/fs/cgroup && echo +memory > /sys/fs/cgroup/cgroup.subtree_control"


@pytest.fixture(scope="module")
def profiled(a72: Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Event]]:
    folder = tmp_path_factory.mktemp("profiled")
    guest = Guest(a72)
    guest.clean()
    done = guest.connect().run(CGROUPS, timeout_s=60)
    assert done.status == 0, done.stderr
    given = job(digits_cell("digits", folder, **ONCE), mode="count", iterations=20, job_id="profiled")
    yield guest.run(given, folder / "mirror")
    guest.close()
    a72.restore()


def test_operators_are_counted_in_instructions_that_agree_with_the_pmu(profiled: list[Event]) -> None:
    (trial,) = of_kind(profiled, "trial", kind="profile", cell="digits")
    (count,) = of_kind(profiled, "trial", kind="count", cell="digits")
    profile = trial["profile"]
    assert profile["unit"] == "instructions", profile["unavailable"]
    assert profile["iterations"] == 20
    per_inference = profile["nodes"]["total"] / profile["iterations"]
    counted = float(np.median(count["samples"]))  # user mode only, with what lies between the nodes
    assert per_inference == pytest.approx(counted, rel=0.25)
    assert profile["operators"][0]["op"] == "FusedConv"


def test_counters_there_are_instructions_and_nothing_that_an_emulator_lacks(profiled: list[Event]) -> None:
    (trial,) = of_kind(profiled, "trial", kind="counters", cell="digits")
    (count,) = of_kind(profiled, "trial", kind="count", cell="digits")
    counters = trial["counters"]
    per_inference = counters["instructions"] / counters["iterations"]
    assert per_inference == pytest.approx(float(np.median(count["samples"])), rel=0.05)
    assert {counters[name] for name in ("cycles", "cache_misses", "branch_misses")} == {None}
    assert counters["unavailable"]["cycles"] == "an emulated processor has no caches, pipeline or predictor to count"


def test_peak_of_a_fresh_cgroup_is_read_and_the_group_is_gone_afterwards(profiled: list[Event], a72: Machine) -> None:
    (trial,) = of_kind(profiled, "trial", kind="memory", cell="digits")
    memory = trial["memory"]
    grown = memory["steady_peak_bytes"] - memory["baseline_bytes"]
    assert "cgroup_peak_bytes" not in memory["unavailable"], memory["unavailable"]
    assert grown / 2 < memory["cgroup_peak_bytes"] < 100e6
    found = Guest(a72).connect().run("ls /sys/fs/cgroup", timeout_s=60)
    assert b"hilbench" not in found.stdout
