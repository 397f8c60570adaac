"""`any:K`: where a board cannot be used the next of its kind takes its place, once, and nothing measured is mixed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hilbench.harness import standin
from hilbench.harness.assemble import assemble
from hilbench.harness.boardjob import RunContext
from hilbench.harness.campaign import Campaign, begin, make_candidates, ready
from hilbench.harness.home import Home
from hilbench.harness.plan import Cell, load_plan
from hilbench.harness.progress import Progress
from hilbench.harness.selection import Boards
from hilbench.harness.standin import measure_any
from hilbench.harness.store import Store
from hilbench.reports.record import Outcome, Trial, TrialKind
from hilbench.targets.board import Board
from hilbench.targets.errors import HostKeyError, TargetError, TransientTargetError

DIGITS = Path(__file__).parents[2] / "models" / "digits"
INVENTORY = """\
kinds: {desk: {connection: local}}
boards: {one: {kind: desk}, two: {kind: desk}, three: {kind: desk}}
"""
OTHER = "two: {kind: desk, runtimes: [ai-edge-litert]}"
PLAN = f"""\
name: small
models: {{digits: {{file: {DIGITS}/digits.onnx}}}}
boards: ["WORD"]
"""
RUN = "r1"
Measured = Callable[[RunContext, Board, Sequence[Cell]], TargetError | None]


class Desk:
    """A run that has begun; `asked` are the boards that were to measure, in order."""

    def __init__(self, folder: Path, word: str) -> None:
        (folder / "inventory.yaml").write_text(INVENTORY)
        (folder / "plan.yaml").write_text(PLAN.replace("WORD", word))
        self.home = Home(folder=folder / "state")
        self.store = Store.open(self.home.database_url)
        plan = load_plan(folder / "plan.yaml", Boards(folder / "inventory.yaml"))
        self.campaign: Campaign = ready(plan, self.home, command="hilbench run plan.yaml")
        progress = Progress(quiet=True)
        begin(self.store, self.campaign, RUN, progress)
        self.context = RunContext(
            run_id=RUN,
            plan=plan,
            blocks=self.store.run(RUN).facts["blocks"],
            store=self.store,
            home=self.home,
            prepared=make_candidates(self.store, self.campaign, RUN, self.home, progress),
            progress=progress,
            cancel=threading.Event(),
        )
        self.asked: list[str] = []

    def measure(self) -> TargetError | None:
        return measure_any(self.context, self.campaign.plan.boards[0], self.campaign.cells)

    def boards(self) -> list[str]:
        return [record.board for record in assemble(self.store, self.store.run(RUN)).records]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Desk]:
    """`desk(word, {board: error})`: boards that are not named measure without an error."""
    monkeypatch.setenv("HILBENCH_HOST_DIR", str(tmp_path / "host"))

    def made(word: str, errors: dict[str, TargetError]) -> Desk:
        desk = Desk(tmp_path, word)

        def measured(context: RunContext, board: Board, cells: Sequence[Cell]) -> TargetError | None:
            assert {cell.board.name for cell in cells} == {board.name}
            assert all(cell.cell_id.startswith(f"{board.name}/") for cell in cells)
            desk.asked.append(board.name)
            return errors.get(board.name)

        monkeypatch.setattr(standin, "measure_board", measured)
        return desk

    return made


DOWN = TransientTargetError("no answer in time")


def test_the_next_of_the_kind_takes_the_place_of_one_that_cannot_be_used(desk: Callable[..., Desk]) -> None:
    errors: dict[str, TargetError] = {"one": DOWN, "two": DOWN}
    lab = desk("any:desk", errors)
    assert lab.measure() is None
    assert lab.asked == ["one", "two", "three"]
    record = assemble(lab.store, lab.store.run(RUN))
    assert lab.boards() == ["three"]
    assert record.boards["three"]["stands_in_for"] == dict.fromkeys(["one", "two"], "no answer in time")
    assert record.records[0].artifact is not None
    errors.clear()
    lab.measure()
    assert lab.asked[3:] == ["three"], "a run that goes on stays where it has moved to"


def test_where_all_are_lost_the_last_one_says_why_and_is_asked_again(desk: Callable[..., Desk]) -> None:
    lab = desk("any:desk", dict.fromkeys(["one", "two", "three"], DOWN))
    assert lab.measure() is DOWN
    assert lab.asked == ["one", "two", "three"]
    assert lab.boards() == ["three"]
    assert lab.measure() is DOWN
    assert lab.asked[3:] == ["three"]


def test_what_the_next_board_cannot_run_has_its_own_reason(
    desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.INVENTORY", INVENTORY.replace("two: {kind: desk}", OTHER))
    lab = desk("any:desk", {"one": DOWN})
    assert lab.measure() is None
    (record,) = assemble(lab.store, lab.store.run(RUN)).records
    assert (record.board, record.outcome) == ("two", Outcome.UNSUPPORTED)
    assert "two has no onnxruntime" in str(record.reason)


def test_a_board_that_was_named_is_never_replaced(desk: Callable[..., Desk]) -> None:
    lab = desk("one", {"one": DOWN})
    assert lab.measure() is DOWN
    assert lab.asked == ["one"]


def test_a_mistake_of_the_user_moves_nothing(desk: Callable[..., Desk]) -> None:
    lab = desk("any:desk", {"one": HostKeyError("the host key has changed")})
    assert isinstance(lab.measure(), HostKeyError)
    assert lab.asked == ["one"]


def test_a_board_that_gave_something_keeps_its_cells(desk: Callable[..., Desk]) -> None:
    lab = desk("any:desk", {"one": DOWN})
    trial = Trial(
        trial_id="t",
        cell_id=lab.campaign.cells[0].cell_id,
        kind=TrialKind.LATENCY,
        block=0,
        attempt=1,
        position=0,
        started_at="2026-01-01T00:00:00Z",
        samples=np.array([1], np.int64),
    )
    lab.store.add_trial(RUN, trial)
    assert lab.measure() is DOWN
    assert lab.asked == ["one"]
    assert lab.boards() == ["one"]
