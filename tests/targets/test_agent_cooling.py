"""A board that is too warm is waited for, by a share of the campaign and not longer; on a tree of fake zones."""

from __future__ import annotations

from pathlib import Path

from hilbench.targets.agent.cooling import Cooling, warmest


class Board:
    """A thermal zone and a clock: every pause passes its seconds, and the zone loses `rate` °C a second."""

    def __init__(self, root: Path, rate: float) -> None:
        self.root, self.rate, self.now_s, self.temperature_c = root, rate, 0.0, 40.0
        self.zone = root / "sys/class/thermal/thermal_zone0"
        self.zone.mkdir(parents=True)
        self.warm_to(40.0)

    def warm_to(self, temperature_c: float) -> None:
        self.temperature_c = temperature_c
        (self.zone / "temp").write_text(f"{temperature_c * 1000:.0f}\n")

    def pause(self, seconds: float) -> None:
        self.now_s += seconds
        self.warm_to(self.temperature_c - self.rate * seconds)

    def cooling(self) -> Cooling:
        return Cooling(root=self.root, start_c=warmest(self.root), clock=lambda: self.now_s)


def test_a_block_waits_until_the_board_is_as_cool_as_at_the_start(tmp_path: Path) -> None:
    board = Board(tmp_path, rate=0.5)
    cooling = board.cooling()
    board.now_s = 300.0
    assert cooling.wait(board.pause, done=5, of=10) is None
    board.warm_to(60.0)
    noted = cooling.wait(board.pause, done=5, of=10)
    assert noted == {"cool": True, "start_c": 40.0, "at_c": 45.0, "waited_s": 30.0}


def test_waiting_takes_a_quarter_of_the_campaign_and_then_the_block_says_that_it_was_warm(tmp_path: Path) -> None:
    board = Board(tmp_path, rate=0.0)
    cooling = board.cooling()
    board.now_s = 300.0
    board.warm_to(60.0)
    waits = [cooling.wait(board.pause, done=5, of=10) for _ in range(3)]
    assert [one["cool"] for one in waits if one] == [False, False, False]
    worked_s = 2 * 300.0
    assert 0.9 * worked_s / 3 <= cooling.waited_s <= worked_s / 3


def test_a_board_without_a_thermal_zone_is_not_waited_for(tmp_path: Path) -> None:
    cooling = Cooling(root=tmp_path, start_c=warmest(tmp_path))
    assert cooling.wait(lambda _: None, done=1, of=2) is None
