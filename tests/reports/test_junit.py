"""JUnit XML and Markdown tell of every cell what became of it, whatever its names hold."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hilbench.harness.stepsummary import append_step_summary
from hilbench.reports.junit import export_junit
from hilbench.reports.markdown import export_markdown
from hilbench.reports.record import Budget, Outcome, RunRecord

from .synthetic import HOSTILE, all_failed, mixed, run, without_data

RUNS: list[Callable[[], RunRecord]] = [run, mixed, all_failed, without_data]
CONTROL = "bell \x07, escape \x1b[31m, nul \x00, half \ud800, line\nend"


def suites(record: RunRecord) -> ET.Element:
    return ET.fromstring(export_junit(record).encode())


def with_outcomes(*found: tuple[Outcome, str | None]) -> RunRecord:
    """The first cells of a run with other outcomes."""
    whole = run()
    changed = [
        replace(record, outcome=outcome, reason=reason)
        for record, (outcome, reason) in zip(whole.records, found, strict=False)
    ]
    return replace(whole, records=(*changed, *whole.records[len(changed) :]), budget=Budget())


@pytest.mark.parametrize("make", RUNS)
def test_every_cell_is_a_test_case_of_its_board_and_the_counts_are_right(make: Callable[[], RunRecord]) -> None:
    record = make()
    root = suites(record)
    assert root.tag == "testsuites"
    found = [(suite.get("name"), case.get("name")) for suite in root for case in suite.iter("testcase")]
    cells = [(r.board, r.cell_id.removeprefix(f"{r.board}/")) for r in record.records]
    assert sorted(found, key=str) == sorted(cells, key=str)
    for element in [root, *root.iter("testsuite")]:
        assert element.get("tests") == str(len(list(element.iter("testcase"))))
        for tag, count in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
            assert element.get(count) == str(len(list(element.iter(tag))))
    order = ["properties", *["testcase"] * len(list(root[0].iter("testcase")))] if len(root) else []
    assert [child.tag for child in root[0]] == order if len(root) else order == []


def test_each_outcome_has_its_element() -> None:
    given = [
        (Outcome.OK, None),
        (Outcome.ERROR, "the agent died"),
        (Outcome.TIMEOUT, "too slow"),
        (Outcome.INVALID, "outputs differ"),
        (Outcome.UNSUPPORTED, "no such runtime"),
    ]
    cases = list(suites(with_outcomes(*given)).iter("testcase"))[: len(given)]
    problems = [[(e.tag, e.get("type"), e.get("message")) for e in case if e.tag != "system-out"] for case in cases]
    assert problems == [
        [],
        [("error", "error", "the agent died")],
        [("error", "timeout", "too slow")],
        [("failure", "invalid", "outputs differ")],
        [("skipped", "unsupported", "no such runtime")],
    ]
    output = cases[0].findtext("system-out")
    assert output is not None
    assert "latency: " in output
    assert "file: " in output


def test_a_cell_over_the_budget_fails_with_the_bound_that_it_breaks() -> None:
    record = replace(run(), budget=Budget(artifact_bytes=300_000))
    failures = list(suites(record).iter("failure"))
    assert failures
    assert {failure.get("type") for failure in failures} == {"budget"}
    assert re.match(r"over the budget: .* over the limit of 300.kB", str(failures[0].get("message")))
    passed = [case.get("name") for case in suites(record).iter("testcase") if case.find("failure") is None]
    assert any("int8-static" in str(name) for name in passed)
    assert not any("/fp32/" in str(name) for name in passed)


def test_markup_and_control_characters_come_through_as_text() -> None:
    (case, *_) = suites(with_outcomes((Outcome.ERROR, HOSTILE + CONTROL))).iter("testcase")
    shown = HOSTILE + "bell \\x07, escape \\x1b[31m, nul \\x00, half \\ud800, line\nend"
    assert case.findtext("error") == shown
    assert case[0].get("message") == shown


@pytest.mark.parametrize("make", RUNS)
def test_markdown_has_a_row_for_each_cell_and_no_markup_of_others(make: Callable[[], RunRecord]) -> None:
    record = make()
    text = export_markdown(record)
    rows = [line for line in text.splitlines() if line.startswith("| ") and "---" not in line]
    assert len(rows) == len(record.records) + len({r.board for r in record.records})
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} <= {8}
    assert not re.search(r"(?<!\\)<", text)


def test_markdown_says_what_to_ship_and_what_failed() -> None:
    text = export_markdown(with_outcomes((Outcome.ERROR, "first line\nsecond | column")))
    assert re.search(r"^- \*\*Ship .* on pi5\.\*\*", text, re.MULTILINE)
    assert "error: first line second \\| column" in text
    assert "not measured" in export_markdown(all_failed())


def test_a_run_is_appended_to_the_page_that_the_runner_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "summary.md"
    page.write_text("before\n")
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    assert append_step_summary(run()) is None
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(page))
    assert append_step_summary(with_outcomes((Outcome.ERROR, CONTROL))) is None
    assert page.read_text().startswith("before\n## hilbench: ")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))
    assert append_step_summary(run()) == f"the step summary {tmp_path} could not be written: {os.strerror(21)}"
