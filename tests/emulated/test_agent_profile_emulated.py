"""The operator profile on an emulated board: instructions by operator, by a clock that counts them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hilbench.targets.emulated.machine import Machine

from ..targets.agent_jobs import job, of_kind
from .test_agent_emulated import Event, Guest, digits_cell

ONCE = {"check": False, "memory": False, "profile": True}


@pytest.fixture(scope="module")
def profiled(a72: Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Event]]:
    folder = tmp_path_factory.mktemp("profiled")
    guest = Guest(a72)
    guest.clean()
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
