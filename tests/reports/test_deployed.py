"""Which file ran: the artifact, or what was made of it for another layout of the input."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hilbench.reports.deployed import DeployedFile, deployed_file
from hilbench.reports.page import render
from hilbench.reports.record import Record

from .synthetic import PI, run

SHA = "f" * 64


def laid_out(record: Record, **changes: Any) -> Record:
    assert record.artifact is not None
    made = {"made_of": record.artifact.sha256, "model_sha256": SHA, "input_layout": "nhwc", **changes}
    trials = tuple(replace(trial, used={**trial.used, **made}) for trial in record.trials)
    return replace(record, artifact=replace(record.artifact, path="/cache/artifacts/a.onnx"), trials=trials)


def test_the_file_is_the_artifact_unless_the_board_ran_what_was_made_of_it() -> None:
    record = run(boards=(PI,)).records[0]
    assert record.artifact is not None
    assert deployed_file(record) == DeployedFile(sha256=record.artifact.sha256, path=record.artifact.path)
    made = DeployedFile(sha256=SHA, path=f"/cache/artifacts/{SHA}.onnx", layout="nhwc")
    assert deployed_file(laid_out(record)) == made
    of_another = laid_out(record, made_of="0" * 64)
    assert deployed_file(of_another) == DeployedFile(sha256=record.artifact.sha256, path="/cache/artifacts/a.onnx")
    assert deployed_file(replace(record, artifact=None)) is None


def test_the_report_says_which_file_was_picked_and_where_both_lie() -> None:
    whole = run(boards=(PI,), recipes=("fp32", "int8-static"))
    page = render(replace(whole, records=tuple(laid_out(record) for record in whole.records)))
    assert f"The file is {SHA}.onnx in /cache/artifacts, sha256 {SHA}; it takes its images as NHWC." in page
    assert "int8-static, images as NHWC" in page
    assert "a.onnx" in page
