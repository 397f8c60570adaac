"""Drawings: where marks fall, what never leaves the frame, what a hostile name cannot do."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
from hilbench.reports.charts import Mark, round_ticks, trade_off
from hilbench.reports.pareto import Point, Standing
from hilbench.reports.record import MemoryPhases
from hilbench.reports.sparks import WIDTH, deviations, interval, memory_bar, memory_scale, ratio_scale
from hilbench.reports.verdict import Verdict, Word

from .synthetic import HOSTILE


def mark(key: str, work: float, accuracy: float, *, chosen: bool = False) -> Mark:
    point = Point(
        key=key,
        work=work,
        work_low=work * 0.97,
        work_high=work * 1.03,
        accuracy=accuracy,
        accuracy_low=accuracy - 0.01,
        accuracy_high=min(1.0, accuracy + 0.01),
    )
    return Mark(point=point, label=key, standing=Standing.FRONT, chosen=chosen, tooltip=key)


def draw(marks: list[Mark], width: int = 760, **limits: float) -> ET.Element:
    text = trade_off(
        marks, width=width, height=380, title="t", x_label="latency", show_x=lambda value: f"{value:g}", **limits
    )
    return ET.fromstring(text)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.0, 2.4, (0.0, 0.5, 1.0, 1.5, 2.0, 2.5)),
        (96.2, 99.9, (96.0, 97.0, 98.0, 99.0, 100.0)),
        (0.0, 7.0, (0, 2, 4, 6, 8)),
    ],
)
def test_ticks_are_round_and_hold_the_data(low: float, high: float, ticks: tuple[float, ...]) -> None:
    assert round_ticks(low, high) == ticks


def test_ticks_of_a_single_value_exist() -> None:
    found = round_ticks(0.98, 0.98)
    assert found[0] <= 0.98 <= found[-1]
    assert len(found) >= 2


@pytest.mark.parametrize("width", [1120, 350])
def test_nothing_leaves_the_frame(width: int) -> None:
    marks = [mark(f"candidate-{i}", 1e6 * (1 + i), 0.9 + 0.01 * i) for i in range(9)]
    svg = draw(marks, width)
    for circle in svg.iter("circle"):
        assert 0 <= float(circle.get("cx", "-1")) <= width
        assert 0 <= float(circle.get("cy", "-1")) <= 380
    for text in svg.iter("text"):
        size = len(text.text or "") * 6.6
        start = (
            float(text.get("x", "0")) - {"start": 0, "middle": size / 2, "end": size}[text.get("text-anchor", "start")]
        )
        assert start >= -2
        assert start + size <= width + 2


def test_work_is_drawn_in_true_proportion() -> None:
    svg = draw([mark("a", 1e6, 0.9), mark("b", 2e6, 0.95)])
    frame_left = 58.0
    a, b = (float(circle.get("cx", "0")) - frame_left for circle in svg.iter("circle"))
    assert b / a == pytest.approx(2.0, rel=0.01)


def test_labels_do_not_overlap_each_other() -> None:
    svg = draw([mark(f"name-{i}", 1e6 * (1 + 0.01 * i), 0.95) for i in range(6)])
    boxes: list[tuple[float, float, float]] = []
    for text in svg.iter("text"):
        if "label" not in (text.get("class") or ""):
            continue
        size = len(text.text or "") * 6.6
        left = float(text.get("x", "0")) - {"start": 0, "middle": size / 2, "end": size}[text.get("text-anchor", "")]
        boxes.append((left, left + size, float(text.get("y", "0"))))
    assert len(boxes) >= 3
    for i, (left, right, y) in enumerate(boxes):
        for other_left, other_right, other_y in boxes[i + 1 :]:
            assert right <= other_left or other_right <= left or abs(y - other_y) >= 12


def test_limits_of_the_budget_are_drawn_inside_the_frame_only() -> None:
    marks = [mark("a", 1e6, 0.95), mark("b", 2e6, 0.97)]
    assert "limit" in ET.tostring(draw(marks, work_limit=1.5e6), encoding="unicode")
    assert 'class="limit"' not in ET.tostring(draw(marks, work_limit=9e9), encoding="unicode")


def test_hostile_names_stay_text() -> None:
    svg = draw([mark(HOSTILE, 1e6, 0.9), mark("b", 2e6, 0.95)])
    assert not list(svg.iter("script"))
    assert not list(svg.iter("img"))
    assert any(title.text == HOSTILE for title in svg.iter("title"))


def test_no_marks_no_drawing() -> None:
    assert trade_off([], width=10, height=10, title="", x_label="", show_x=str) == ""


def test_interval_drawing_keeps_every_ratio_inside() -> None:
    verdicts = [
        Verdict(word=Word.FASTER, metric="latency_ns", ratio=0.1, ci_low=0.09, ci_high=0.12, margin=0.02),
        Verdict(word=Word.SLOWER, metric="latency_ns", ratio=4.0, ci_low=3.0, ci_high=5.0, margin=0.02),
    ]
    scale = ratio_scale(verdicts)
    for verdict in verdicts:
        xs = [float(x) for x in re.findall(r'cx="([\d.]+)"', interval(verdict, scale))]
        assert all(0 < x < WIDTH for x in xs)
    assert interval(Verdict(word=Word.NOT_COMPARABLE, metric="latency_ns"), scale) == ""


def test_deviations_are_from_the_cells_own_median() -> None:
    assert deviations({0: 90.0, 1: 100.0, 2: 120.0}) == pytest.approx([-0.1, 0.0, 0.2])
    assert deviations({}) == []


def test_memory_bar_of_missing_phases_has_no_length() -> None:
    bar = memory_bar(MemoryPhases(), memory_scale([]))
    assert bar.count('d="M4.0 5H4.0V17H4.0z"') == 2
