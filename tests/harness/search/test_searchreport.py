"""What a finished search leaves for its report: rounds with their times, importances, a page beside the record."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from hilbench.harness.home import Home
from hilbench.harness.search import searching as searching_module
from hilbench.harness.search.build import About, search_record
from hilbench.harness.search.importance import LEAST_TRIALS, importances
from hilbench.harness.search.loop import Search
from hilbench.harness.search.records import find_record, record_from, write_record
from hilbench.harness.search.searching import SearchResult
from hilbench.harness.verbs.report import report
from hilbench.harness.verbs.search import search
from hilbench.reports.language import Language, speaking
from hilbench.reports.searchpage import render_search
from hilbench.reports.searchreasons import reason_text
from hilbench.reports.searchrecord import SearchImportance, SearchRecord

from ...reports.searches import search as made_up
from .simulated import searching, with_trials


def record(search: Search, found: tuple[SearchImportance, ...] = ()) -> SearchRecord:
    about = About(
        search_id="s",
        name="s",
        seed=1,
        state="finished",
        started_at="",
        ended_at=None,
        baseline="fp32",
        boards=(),
        importances=found,
        command="hilbench search plan.yaml",
    )
    return search_record(search.known, about)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Search:
    search = searching(tmp_path_factory.mktemp("done") / "search.sqlite", with_trials(110))
    search.run()
    return search


@pytest.fixture(scope="module")
def found(done: Search) -> tuple[SearchImportance, ...]:
    return importances(done.known)


def test_rounds_hold_all_of_the_board_time_that_trials_have(done: Search) -> None:
    made = record(done)
    assert [one.number for one in made.rounds] == list(range(len(made.rounds)))
    for board in ("pi", "a76"):
        by_rounds = sum(one.board_time_s.get(board, 0.0) for one in made.rounds)
        assert by_rounds > 0
        assert by_rounds == pytest.approx(sum(trial.board_time_s.get(board, 0.0) for trial in made.trials))
    measured = {number for one in made.rounds for number in one.trials}
    assert measured == {trial.number for trial in made.trials if trial.rung is not None}


def test_what_decides_the_time_is_found_and_what_does_not_is_left_to_chance(
    done: Search, found: tuple[SearchImportance, ...]
) -> None:
    time = {
        one.parameter.rpartition(" ")[2]: one for one in found if one.objective == 0 and "int8-static" in one.parameter
    }
    ratio, activation = time["prune-channels.ratio"], time["int8-static.activation"]
    assert ratio.share > 0.5
    assert ratio.chance <= 0.05 < activation.chance
    for target in (None, 0, 1):
        mine = [one for one in found if one.objective == target]
        assert sum(one.share for one in mine) == pytest.approx(1, abs=1e-4)
        assert {(one.trials, one.top) for one in mine} == {(mine[0].trials, -(-mine[0].trials // 4))}
        assert mine[0].trials >= LEAST_TRIALS


def test_importance_of_few_measured_candidates_is_not_told(tmp_path: Path) -> None:
    few = searching(tmp_path / "few.sqlite", with_trials(8))
    few.run()
    assert importances(few.known) == ()


def test_a_record_is_read_as_it_was_written(done: Search, found: tuple[SearchImportance, ...]) -> None:
    made = record(done, found)
    assert made.importances
    assert record_from(json.loads(json.dumps(asdict(made)))) == made
    older = {key: value for key, value in asdict(made).items() if key not in ("rounds", "importances", "command")}
    assert record_from(json.loads(json.dumps(older))) == replace(made, rounds=(), importances=(), command="")


def test_whatever_the_search_says_of_a_candidate_can_be_said_in_chinese(done: Search) -> None:
    reasons = {trial.dropped for trial in record(done).trials if trial.dropped is not None}
    assert {reason.split(":")[0].split(" trial ")[0] for reason in reasons} >= {"behind the front", "the same file as"}
    assert any("over the limit" in reason for reason in reasons)
    with speaking(Language.CHINESE):
        assert [reason for reason in reasons if reason_text(reason) == reason] == []


def test_search_writes_its_page_in_the_language_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended(_: object, home: Home, **__: object) -> SearchResult:
        return SearchResult(record=made_up(), path=write_record(made_up(), home), exit_code=0)

    monkeypatch.setattr(searching_module, "search_plan", ended)
    monkeypatch.setenv("HILBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    Path("m.onnx").touch()
    Path("inventory.yaml").write_text("boards: {here: {connection: local}}\n")
    Path("plan.yaml").write_text(
        "name: lean\nmodels: {m: {file: m.onnx}}\nboards: [here]\n"
        "search: {space: [fp16], objectives: [{metric: size}]}\n"
    )
    done = CliRunner().invoke(search, ["plan.yaml", "--lang", "zh", "--quiet", "--json"])
    assert done.exit_code == 0, done.output
    assert Path(json.loads(done.stdout)["report"]).read_text() == render_search(made_up(), Language.CHINESE)


def test_report_writes_the_page_of_a_search_by_its_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HILBENCH_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    home = Home(folder=tmp_path)
    write_record(made_up(), home)
    run = CliRunner().invoke(report, ["lean-1a", "--json"])
    assert run.exit_code == 0, run.output
    told = json.loads(run.stdout)
    assert told == {
        "schema_version": 1,
        "search": "lean-1a2b3c4d",
        "report": str(tmp_path / "searches/lean-1a2b3c4d.html"),
    }
    assert Path(told["report"]).read_text() == render_search(find_record(home, "latest"))
    chinese = CliRunner().invoke(report, ["lean-1a", "--lang", "zh"])
    assert chinese.exit_code == 0, chinese.output
    assert Path(chinese.stdout.strip()).read_text() == render_search(find_record(home, "latest"), Language.CHINESE)
    absent = CliRunner().invoke(report, ["nothing"])
    assert absent.exit_code == 2
    assert "there is no run" in absent.output
