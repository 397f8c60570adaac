"""The agent on a real emulated ARM board: counts by its PMU, three runtimes, memory phases, and how it ends there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hilbench.targets.agent.job import Job, JobCell
from hilbench.targets.board import SshAddress
from hilbench.targets.connection import Connection
from hilbench.targets.emulated.guest import set_clock_command
from hilbench.targets.emulated.machine import Machine
from hilbench.targets.errors import BoardFullError
from hilbench.targets.session import start_session
from hilbench.targets.ssh import open_ssh
from hilbench.targets.watch import AgentLostError, watch
from onnx import helper

from ..targets.agent_jobs import cell, face_cell, job, of_kind, save_inputs, save_onnx, save_slow_model

Event = dict[str, Any]
DIGITS = Path(__file__).parents[2] / "models" / "digits"
WORKDIR = "/var/tmp/hilbench"


class Guest:
    """The machine as a board: connections to it, and jobs made for this host moved to it."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.connections: list[Connection] = []

    def connect(self) -> Connection:
        address = SshAddress(
            host="127.0.0.1",
            port=self.machine.port,
            user="root",
            key_file=str(self.machine.image.key_file),
            host_key=self.machine.image.host_key,
        )
        connection = open_ssh(address)
        connection.run(set_clock_command(time.time()), timeout_s=60)
        self.connections.append(connection)
        return connection

    def clean(self) -> None:
        self.close()
        self.machine.restore()

    def close(self) -> None:
        while self.connections:
            self.connections.pop().close()

    def run(
        self, given: Job, mirror: Path, sink: Callable[[Event], None] | None = None, grace_s: float = 30.0
    ) -> list[Event]:
        """Run a job whose paths are this host's; its events."""
        connection = self.connect()
        moved = replace(given, cells=tuple(self._moved(one, connection) for one in given.cells))
        session = start_session(connection, WORKDIR, moved)
        events: list[Event] = []

        def collect(event: Event) -> None:
            events.append(event)
            if sink is not None:
                sink(event)

        watch(session, reconnect=self.connect, mirror=mirror, on_event=collect, grace_s=grace_s)
        return events

    def _moved(self, one: JobCell, connection: Connection) -> JobCell:
        connection.run(f"mkdir -p {WORKDIR}", timeout_s=30)
        paths: dict[str, str] = {}
        for name in ("model", "golden", "accuracy", "timing"):
            local = getattr(one, name)
            if local is not None:
                paths[name] = f"{WORKDIR}/{Path(local).name}"
                connection.put(Path(local), paths[name], timeout_s=120)
        return replace(one, python="python3", site=f"/opt/hilbench/runtimes/{one.runtime}", **paths)


@pytest.fixture
def guest(a72: Machine) -> Iterator[Guest]:
    guest = Guest(a72)
    guest.clean()
    yield guest
    guest.close()
    a72.restore()


def digits_cell(name: str, folder: Path, **changes: Any) -> JobCell:
    images = np.load(DIGITS / "digits-test.npz")["images"][:10, None].astype(np.float32) / 255
    inputs = folder / "digits-inputs.npz"
    if not inputs.exists():
        save_inputs(inputs, image=images)
    given: dict[str, Any] = {"model": DIGITS / "digits.onnx", "golden": inputs, "accuracy": inputs, "timing": inputs}
    return cell(name, folder, **{**given, **changes})


@pytest.fixture(scope="module")
def counted(a72: Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Event]]:
    """Three importers of onnxruntime and one of each TFLite runtime, each with a child per cell."""
    folder = tmp_path_factory.mktemp("counted")
    guest = Guest(a72)
    guest.clean()
    onnx_cells = (digits_cell("digits", folder), cell("small", folder, check=False, memory=False))
    tflite = (face_cell("litert", folder), face_cell("tflite", folder, runtime="tflite-runtime"))
    events = guest.run(job(*onnx_cells, blocks=3, mode="count", iterations=20, job_id="onnx"), folder / "onnx")
    events += guest.run(job(*tflite, mode="count", iterations=8, job_id="tflite"), folder / "tflite")
    yield events
    guest.close()
    a72.restore()


def counts(events: list[Event], name: str) -> list[np.ndarray[Any, np.dtype[np.int64]]]:
    trials = of_kind(events, "trial", kind="count", cell=name)
    assert {trial["counter_source"] for trial in trials} == {"pmu"}
    return [trial["samples"] for trial in trials]


@pytest.mark.parametrize("name", ["digits", "litert", "tflite"])
def test_counts_spread_at_most_a_thousandth_within_a_run(counted: list[Event], name: str) -> None:
    for samples in counts(counted, name):
        assert samples.std() / samples.mean() <= 0.001


@pytest.mark.parametrize("name", ["digits", "small"])
def test_medians_of_three_importers_agree(counted: list[Event], name: str) -> None:
    medians = [float(np.median(samples)) for samples in counts(counted, name)]
    assert len(medians) == 3
    assert np.std(medians, ddof=1) <= max(0.0005 * np.mean(medians), 500)


def test_counts_come_with_no_time_and_with_what_load_and_first_took(counted: list[Event]) -> None:
    for trial in of_kind(counted, "trial", kind="count"):
        assert trial["load_ns"] is None
        assert trial["first_ns"] is None
        assert trial["used"]["first_instructions"] > 0
        assert trial["used"]["load_instructions"] > 0
        assert 0 < trial["used"]["empty_window_instructions"] < 5000


@pytest.mark.parametrize("name", ["digits", "litert", "tflite"])
def test_memory_phases_are_measured_on_the_board(counted: list[Event], name: str) -> None:
    (trial,) = of_kind(counted, "trial", kind="memory", cell=name)
    memory = trial["memory"]
    assert memory["method"] == "clear_refs"
    assert 5e6 < memory["baseline_bytes"] < memory["load_peak_bytes"] < 300e6
    assert memory["steady_peak_bytes"] >= memory["anon_bytes"] > 0


def test_arm_answers_like_this_host(counted: list[Event]) -> None:
    import onnxruntime

    (check,) = of_kind(counted, "check", cell="digits")
    images = np.load(DIGITS / "digits-test.npz")["images"][:10, None].astype(np.float32) / 255
    session = onnxruntime.InferenceSession(str(DIGITS / "digits.onnx"))
    expected = np.asarray(session.run(None, {"image": images})[0])
    (outputs,) = check["accuracy"].values()
    np.testing.assert_allclose(outputs, expected, rtol=1e-3, atol=1e-3)


def test_both_tflite_runtimes_answer_alike(counted: list[Event]) -> None:
    one, other = (of_kind(counted, "check", cell=name)[0]["golden"] for name in ("litert", "tflite"))
    np.testing.assert_allclose(one["regressors"], other["regressors"], rtol=1e-3, atol=1e-2)


def test_operator_that_the_board_lacks_is_unsupported(guest: Guest, tmp_path: Path) -> None:
    model = save_onnx(tmp_path / "odd.onnx", [helper.make_node("NotAnOp", ["x"], ["y"])])
    cells = (cell("odd", tmp_path, model=model), cell("fine", tmp_path, memory=False))
    events = guest.run(job(*cells, mode="count"), tmp_path / "mirror")
    (failed,) = of_kind(events, "failed")
    assert (failed["cell"], failed["outcome"]) == ("odd", "unsupported")
    assert of_kind(events, "trial", cell="fine")


def test_model_that_needs_more_memory_than_the_board_has_is_an_error(guest: Guest, tmp_path: Path) -> None:
    """512 MiB of memory, and a model that fills 1.2 GB: the kernel ends it, or the runtime's allocation fails."""
    large = np.array([300, 1024, 1024], np.int64)
    nodes = [
        helper.make_node("ConstantOfShape", ["size"], ["zeros"]),
        helper.make_node("ReduceMean", ["x"], ["mean"], keepdims=0),
        helper.make_node("Add", ["zeros", "mean"], ["y"]),
    ]
    model = save_onnx(tmp_path / "large.onnx", nodes, size=large)
    # No optimisation, lest the constant is folded while the model is loaded.
    cells = (cell("large", tmp_path, model=model, graph_optimization="disabled"), cell("fine", tmp_path, memory=False))
    events = guest.run(job(*cells, mode="count"), tmp_path / "mirror")
    (failed,) = of_kind(events, "failed")
    assert (failed["cell"], failed["outcome"]) == ("large", "error")
    assert failed["reason"].startswith("the board's memory was exhausted")
    assert of_kind(events, "trial", cell="fine")


def test_full_disk_of_the_board_is_told_and_what_was_journaled_is_kept(guest: Guest, tmp_path: Path) -> None:
    small = cell("small", tmp_path, memory=False)
    events: list[Event] = []

    def fill(event: Event) -> None:
        events.append(event)
        if event["event"] == "check":
            # Takes all there is, then says that it was not enough.
            guest.connections[0].run("fallocate -l 9G /var/tmp/filler; sync", timeout_s=300)

    # Each trial has more samples than the end of the journal's last half-filled disk block can take.
    with pytest.raises(BoardFullError, match="the board's disk is full, the agent could not journal"):
        guest.run(job(small, mode="count", blocks=4, iterations=1500), tmp_path / "mirror", fill)
    assert [event["event"] for event in events][:3] == ["start", "check", "gap"]


def test_board_that_restarts_in_a_job_is_told(guest: Guest, tmp_path: Path) -> None:
    slow = cell("slow", tmp_path, model=save_slow_model(tmp_path / "slow.onnx"), check=False, memory=False)

    def reset(event: Event) -> None:
        if event["event"] == "start":
            guest.machine.qmp("system_reset")

    # slirp keeps the connection of a board that is gone: only silence tells, hence the short bound.
    given = job(slow, mode="count", iterations=2000, process_timeout_s=20.0)
    with pytest.raises(AgentLostError, match="the board restarted while the job ran; 0 of 1 processes were done"):
        guest.run(given, tmp_path / "mirror", reset, grace_s=0.0)
