"""A team gates a model in its own tests, and compares its runs: a real run on this machine, by the real commands."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hilbench.harness import pytest_plugin
from hilbench.harness.pagelanguage import LANGUAGES
from hilbench.reports.export import export_schema
from hilbench.reports.language import Language

pytestmark = pytest.mark.timeout(300)

ROOT = Path(__file__).parents[2]
DIGITS = ROOT / "models" / "digits"
HILBENCH = Path(sys.executable).parent / "hilbench"
INVENTORY = """\
boards:
  here: {{connection: local, role: reference, workdir: {work}, runtimes: [{{name: onnxruntime, python: controller}}]}}
"""
PLAN = f"""\
name: gate
models:
  digits:
    file: {DIGITS}/digits.onnx
    task: {{test: {DIGITS}/digits-test.npz, calibration: {DIGITS}/digits-calibration.npz}}
recipes: [fp32, int8-dynamic]
boards: [here]
accuracy_samples: 20
"""
GATE = """\
import pytest

pytestmark = pytest.mark.hilbench(plan="gate.yaml", board="here")


def test_int8_may_ship(hilbench, benchmark):
    cell = hilbench.cell("int8-dynamic", "here")
    assert cell.ok, cell.reason
    assert cell.budget_met
    assert cell.accuracy > 0.98
    assert cell.latency_ns > 0 and cell.instructions is None
    assert benchmark(len, "pytest-benchmark works beside it") == 32


@pytest.mark.hilbench(plan="gate.yaml", board="here", budget={"artifact_kb": 1})
def test_a_bound_that_is_broken(hilbench):
    assert hilbench.cell("int8-dynamic").budget_met


def test_a_verdict_that_is_not_given(hilbench):
    assert hilbench.cell("int8-dynamic").verdict == "less-work"


def test_a_cell_that_is_not_there(hilbench):
    hilbench.cell("int4")


@pytest.mark.hilbench(plan="gate.yaml", board="here", budget={"artefact_kb": 1})
def test_a_bound_that_is_unknown(hilbench):
    pass


@pytest.mark.hilbench(plan="nothing.yaml")
def test_a_plan_that_is_not_there(hilbench):
    pass


@pytest.mark.hilbench(plan="gate.yaml", boards=["here"])
def test_a_word_that_is_unknown(hilbench):
    pass
"""


@dataclass(frozen=True)
class Team:
    """A team's folder (inventory, plan, tests, state) and what its tests printed when they ran first."""

    folder: Path
    said: str

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return _start([str(HILBENCH), *words], self.folder)

    @property
    def runs(self) -> list[str]:
        with sqlite3.connect(self.folder / "state" / "runs.sqlite") as connection:
            return [run_id for (run_id,) in connection.execute("SELECT id FROM runs ORDER BY id")]


def _start(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    own = {"HILBENCH_HOME": str(folder / "state"), "HILBENCH_HOST_DIR": str(folder / "host")}
    # Without its switch for plugins the tests' own set would be loaded too; pytest-benchmark is named beside ours.
    settings = {"HILBENCH_HEALTH_WAIT_S": "0", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "COLUMNS": "200"}
    done = subprocess.run(
        words, cwd=folder, env={**os.environ, **settings, **own}, capture_output=True, text=True, check=False
    )
    assert "mistake in hilbench" not in done.stderr, done.stderr
    return done


def _pytest(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    plugins = ["-p", "hilbench.harness.pytest_plugin", "-p", "pytest_benchmark.plugin", "-p", "no:cacheprovider"]
    return _start([sys.executable, "-m", "pytest", "--strict-markers", "-q", *plugins, *words], folder)


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Team:
    """The tests of a team, run once: they find no run of their plan, so they make one."""
    folder = tmp_path_factory.mktemp("team")
    (folder / "host").mkdir()
    (folder / "inventory.yaml").write_text(INVENTORY.format(work=folder / "work"))
    (folder / "gate.yaml").write_text(PLAN)
    (folder / "test_gate.py").write_text(GATE)
    never = _pytest(folder, "--hilbench-run", "never", "-k", "may_ship")
    assert "hilbench: no finished run of" in never.stdout, never.stdout + never.stderr
    done = _pytest(folder)
    return Team(folder, done.stdout + done.stderr)


def test_the_gate_makes_one_run_and_judges_it(team: Team) -> None:
    assert "3 failed, 1 passed, 3 errors" in team.said
    assert len(team.runs) == 1


@pytest.mark.parametrize(
    "sentence",
    [
        "AssertionError: assert <not within the budget (file 3",
        "over the limit of 1.0\u202fkB)>",
        ", not == 'less-work'",
        ", 6 blocks",
        "has no cell with recipe int4: here/digits/fp32/onnxruntime-t1, here/digits/int8-dynamic/onnxruntime-t1",
        "hilbench: budget: artefact_kb: Extra inputs are not permitted; it knows accuracy_drop_pp, latency_p95_ms",
        "hilbench: there is no plan nothing.yaml beside the test",
        "the marker hilbench knows plan, board and budget, not boards",
    ],
)
def test_what_fails_says_what_and_why(team: Team, sentence: str) -> None:
    assert sentence in team.said


def test_the_run_that_is_there_is_used_again(team: Team) -> None:
    done = _pytest(team.folder, "--hilbench-run", "never", "-k", "may_ship")
    assert "1 passed" in done.stdout, done.stdout
    assert len(team.runs) == 1


def test_the_plugin_is_loaded_without_anything_heavy_and_is_named_as_one() -> None:
    heavy = ("numpy", "pandas", "onnx", "onnxruntime", "paramiko", "sqlalchemy", "pydantic", "torch", "dbos", "click")
    code = f"import sys, hilbench.harness.pytest_plugin as p; print([m for m in {heavy!r} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
    entries = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["pytest11"]
    assert entries == {"hilbench": pytest_plugin.__name__}


def _second_run(team: Team, *, slower_by: float = 1.0, kernel: str | None = None) -> str:
    """A copy of the run under a later id, its time samples longer by a factor, its board with another kernel."""
    from hilbench.harness.series import pack, unpack

    first = team.runs[0]
    later = f"29990101-000000-{len(team.runs):04d}"
    with sqlite3.connect(team.folder / "state" / "runs.sqlite") as connection:
        for table, key in (("runs", "id"), ("cells", "run_id"), ("notes", "run_id"), ("trials", "run_id")):
            names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})") if row[1] != "seq"]
            values = ", ".join("?" if name == key else name for name in names)
            connection.execute(
                f"INSERT INTO {table} ({', '.join(names)}) SELECT {values} FROM {table} WHERE {key} = ?", (later, first)
            )
        query = "SELECT trial_id, samples FROM trials WHERE run_id = ? AND kind = 'latency'"
        for trial, blob in connection.execute(query, (later,)).fetchall():
            longer = pack((unpack(blob) * slower_by).astype("<i8"))
            connection.execute(
                "UPDATE trials SET samples = ? WHERE run_id = ? AND trial_id = ?", (longer, later, trial)
            )
        if kernel is not None:
            connection.execute(
                "UPDATE notes SET facts = json_set(facts, '$.kernel', ?) WHERE run_id = ? AND kind = 'board'",
                (kernel, later),
            )
    return later


def test_compare_exits_by_what_holds_and_writes_table_and_page(team: Team) -> None:
    first, later = team.runs[0], _second_run(team, slower_by=3.0)
    done = team.run("compare", first, later, "--fail-on", "slower", "-o", "page.html")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "--fail-on slower: it holds" in done.stdout
    assert "all recorded circumstances are the same" in (team.folder / "page.html").read_text()
    back = team.run("compare", later, first, "--fail-on", "slower", "--fail-on", "accuracy", "--json")
    assert back.returncode == 0, back.stdout
    whole: dict[str, Any] = json.loads(back.stdout)
    jsonschema.Draft7Validator(json.loads(team.run("schema", "compare").stdout)).validate(whole)
    assert {cell["work"]["word"] for board in whole["boards"] for cell in board["cells"]} == {"faster"}
    assert [one["holds"] for one in whole["gate"]] == ["no", "no"]


def test_an_upgraded_kernel_cannot_be_judged_unless_it_is_asked_for(team: Team) -> None:
    first, later = team.runs[0], _second_run(team, slower_by=3.0, kernel="Linux 99")
    done = team.run("compare", first, later, "--fail-on", "slower")
    assert done.returncode == 5
    assert "the circumstances differ too (kernel" in done.stdout
    assert team.run("compare", first, later, "--fail-on", "slower", "--any-context").returncode == 1
    assert "too few to show a change" in team.run("trend", "gate").stdout
    trend: dict[str, Any] = json.loads(team.run("trend", "gate.yaml", "--json", "-o", "trend.html").stdout)
    jsonschema.Draft7Validator(json.loads(team.run("schema", "trend").stdout)).validate(trend)
    assert {len(series["points"]) for series in trend["series"]} == {len(team.runs)}
    assert [d["what"] for d in trend["series"][0]["segments"][-1]["because"]] == ["kernel"]
    assert (team.folder / "trend.html").read_text().startswith("<!DOCTYPE html>")


def test_pages_are_written_in_chinese_where_that_is_asked_for_and_json_is_not(team: Team) -> None:
    first, later = team.runs[0], _second_run(team, slower_by=3.0)
    done = team.run("compare", first, later, "--fail-on", "slower", "--lang", "zh", "--json", "-o", "compare.html")
    assert done.returncode == 1, done.stderr
    whole: dict[str, Any] = json.loads(done.stdout)
    assert {cell["work"]["word"] for board in whole["boards"] for cell in board["cells"]} == {"slower"}
    assert "时间" not in done.stdout
    team.run("report", first, "--lang", "zh", "-o", "report.html")
    team.run("trend", "gate", "--lang", "zh", "-o", "trend.html")
    for name, words in (("compare", "条件成立，因此比较不通过"), ("report", "未测量项"), ("trend", "水平变化")):
        page = (team.folder / f"{name}.html").read_text()
        assert '<html lang="zh-Hans">' in page
        assert words in page
    assert "'fr' is not one of 'en', 'zh'" in team.run("report", first, "--lang", "fr").stderr


def test_the_languages_of_the_command_line_are_those_of_the_pages() -> None:
    assert list(LANGUAGES) == [language.value for language in Language]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("compare", "latest", "latest"), "are the same run"),
        (("compare", "latest", "9"), 'no run is called "9"'),
        (("trend", "nothing"), 'no run of a plan called "nothing" has ended; plans with runs are: gate'),
        (("compare", "latest"), "Missing argument"),
    ],
)
def test_wrong_words_are_answered_with_a_sentence(team: Team, words: tuple[str, ...], sentence: str) -> None:
    done = team.run(*words)
    assert done.returncode == 2
    assert sentence in done.stderr


def test_exports_of_a_real_run_fulfil_their_schemas(team: Team) -> None:
    exported = json.loads(team.run("export", team.runs[0]).stdout)
    published = json.loads(team.run("schema", "export").stdout)
    assert published == export_schema()
    jsonschema.Draft7Validator(published).validate(exported)
    inside = json.loads(team.run("export", team.runs[0], "--format", "pytest-benchmark").stdout)["hilbench"]
    jsonschema.Draft7Validator(published).validate(inside)
    metrics = json.loads(team.run("export", team.runs[0], "--format", "bmf").stdout)
    assert set(metrics["here/digits/fp32/onnxruntime-t1"]) == {"latency", "file-size", "accuracy", "memory"}
