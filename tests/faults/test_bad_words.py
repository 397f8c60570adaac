"""Wrong words, files and folders: one clear sentence on stderr, exit code 2, no traceback, nothing written."""

from __future__ import annotations

import json

import pytest
from hilbench.harness.plan import load_plan
from hilbench.harness.selection import Boards

from .conftest import DIGITS, EMULATED, PLAN, Lab

SSH = "boards:\n  pi: {host: 10.0.0.1, user: pi}\n"


@pytest.mark.parametrize(
    ("inventory", "plan", "sentence"),
    [
        (
            EMULATED.replace("cpu:", "cpuu:"),
            PLAN,
            'inventory.yaml:2: boards.a72: unknown key "cpuu"; did you mean "cpu"?',
        ),
        (EMULATED + "  a72: {connection: local}\n", PLAN, 'inventory.yaml:3: boards: duplicate key "a72"'),
        (SSH, PLAN, "ssh-keyscan"),
        (EMULATED, PLAN.replace("[a72]", "[a27]"), 'did you mean "a72"'),
        (EMULATED, PLAN.replace("int8-static]", "int8-statik]"), "Did you mean `int8-static`"),
        (EMULATED, PLAN.replace("digits.onnx", "digitz.onnx"), "there is no file"),
        (EMULATED, "boards: [", "this is not valid YAML"),
        (EMULATED, "", "the file is empty"),
    ],
)
def test_a_wrong_file_is_named_with_its_line(lab: Lab, inventory: str, plan: str, sentence: str) -> None:
    lab.write(inventory=inventory, plan=plan)
    done = lab.run("run", "plan.yaml")
    assert done.returncode == 2, done.stderr
    assert sentence in done.stderr
    assert all(line.startswith("hilbench: ") for line in done.stderr.splitlines())
    assert not (lab.folder / "state" / "runs.sqlite").exists()


def test_a_file_that_is_no_model_is_said_to_be_none(lab: Lab) -> None:
    lab.write()
    (lab.folder / "cat.onnx").write_bytes(b"\x89PNG\r\n" + bytes(range(256)))
    done = lab.run("bench", "cat.onnx", "--board", "a72")
    assert done.returncode == 2
    assert "cat.onnx" in done.stderr
    assert len(done.stderr.strip().splitlines()[-1]) < 300


def test_a_word_that_is_none_is_answered_with_exit_code_2(lab: Lab) -> None:
    lab.write()
    for words in (
        ["runn"],
        ["run"],
        ["run", "missing.yaml"],
        ["export", "nope"],
        ["board", "show", "a27"],
        ["schema", "x"],
    ):
        assert lab.run(*words).returncode == 2, words


def test_an_export_that_cannot_be_is_answered_in_a_sentence(lab: Lab) -> None:
    lab.write()
    for words, sentence in (
        (["--table", "samples"], "--table samples goes with --format csv or parquet: json is no table"),
        (["--format", "parquet"], "parquet is not text: name a file with -o FILE"),
    ):
        done = lab.run("export", "latest", *words)
        assert done.returncode == 2
        assert sentence in done.stderr


def test_an_error_is_one_json_object_when_asked_for(lab: Lab) -> None:
    lab.write()
    done = lab.run("board", "show", "a27", "--json")
    answer = json.loads(done.stdout)
    assert answer["schema_version"] == 1
    assert answer["error"]["exit_code"] == done.returncode == 2
    assert 'did you mean "a72"' in answer["error"]["message"]


def test_a_wrong_word_is_one_json_object_when_asked_for(lab: Lab) -> None:
    done = lab.run("bench", "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["message"].startswith("Missing argument")


def test_words_are_judged_before_a_plan_is_written(lab: Lab) -> None:
    lab.write()
    for words in (["--recipe", "nope"], ["--runtime", "foo"], ["--shape", "x"]):
        assert lab.run("bench", DIGITS / "digits.onnx", "--board", "a72", *words).returncode == 2, words
    assert lab.run("bench", DIGITS / "digits-test.npz", "--board", "a72").returncode == 2
    assert list(lab.folder.glob("bench-*.yaml")) == []


def test_init_writes_files_that_work_and_overwrites_none(lab: Lab) -> None:
    words = ["init", "--yes", "--model", DIGITS / "digits.onnx", "--data", DIGITS / "digits-test.npz"]
    assert lab.run(*words).returncode == 0
    listed = json.loads(lab.run("board", "list", "--json").stdout)
    assert [board["name"] for board in listed["boards"]] == ["emulated-a72", "this-machine"]
    assert "calibration" not in (lab.folder / "plan.yaml").read_text()
    again = lab.run(*words)
    assert again.returncode == 2
    assert "init overwrites nothing" in again.stderr


def test_init_copes_with_any_file_name(lab: Lab) -> None:
    odd = lab.folder / "my model: v2 #1.onnx"
    odd.write_bytes((DIGITS / "digits.onnx").read_bytes())
    words = ["--calibration", DIGITS / "digits-calibration.npz"]
    assert lab.run("init", "--yes", "--folder", "new", "--model", odd, *words).returncode == 0
    plan = load_plan(lab.folder / "new" / "plan.yaml", Boards(lab.folder / "new" / "inventory.yaml"))
    assert plan.models[0].file == odd
    assert plan.models[0].task.calibration == DIGITS / "digits-calibration.npz"
    assert "int8-static" in [recipe.name for recipe in plan.recipes]


def test_compress_writes_the_artifact_with_what_was_done(lab: Lab) -> None:
    words = ["--recipe", "prune-l1", "-o", "out", "--data", DIGITS / "digits-test.npz", "--json"]
    done = lab.run("compress", DIGITS / "digits.onnx", *words)
    facts = json.loads(done.stdout)["artifact"]
    assert facts["recipe"] == "prune-l1"
    assert facts["compressed_bytes"] < facts["bytes"]
    assert facts["accuracy"]["host"] > 0.9
    unknown = lab.run("compress", DIGITS / "digits.onnx", "--recipe", "prune-l2", "-o", "out")
    assert unknown.returncode == 2
    assert "prune-l1" in unknown.stderr
