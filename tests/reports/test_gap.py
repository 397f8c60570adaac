"""Host against board on the same images: agreement, other answers, other runtimes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hilbench.reports.gap import Agreement, gap, gap_lines, gap_text
from hilbench.reports.page import render
from hilbench.reports.record import Record

from .synthetic import PI, run

NBSP = "\u202f"
BOARD = {"runtimes": {"onnxruntime": "1.32.0"}}
LIBRARIES = {"libraries": {"onnxruntime": "1.32.0"}}


def judged(**changes: Any) -> Record:
    record = run(boards=(PI,), recipes=("fp32",)).records[0]
    assert record.accuracy is not None
    return replace(record, accuracy=replace(record.accuracy, **changes))


def lines(*records: Record, board: dict[str, Any] | None = None, libraries: dict[str, Any] | None = None) -> list[str]:
    return gap_lines([(record.recipe, record) for record in records], board or BOARD, libraries or LIBRARIES)


def test_equal_answers_are_one_line_and_no_finding() -> None:
    assert lines(judged()) == ["The candidate gives the host's answers on the same 100 images."]


def test_another_answer_is_a_finding_with_its_figures() -> None:
    (found,) = lines(judged(board=0.098, host_on_board_images=0.981, agreement=0.1))
    assert found == (
        f"fp32: host 98.1{NBSP}%, board 9.8{NBSP}% on the same 100 images; 90 of 100 answers differ: "
        "the board's runtime computes another answer."
    )


@pytest.mark.parametrize(
    ("board", "host", "agreement", "word"),
    [
        (0.99, 0.99, 1.0, Agreement.SAME),
        (0.99, 0.99, 0.99, Agreement.FEW_DIFFER),  # other wrong answers: no score shows it
        (0.98, 0.99, 0.99, Agreement.FEW_DIFFER),
        (0.99, 0.99, 0.97, Agreement.OTHER_ANSWER),
        (0.95, 0.99, None, Agreement.OTHER_ANSWER),  # a metric without single answers
        (0.99, None, None, Agreement.NOT_COMPARED),
    ],
)
def test_how_far_the_two_are_apart(board: float, host: float | None, agreement: float | None, word: Agreement) -> None:
    found = gap(judged(board=board, host_on_board_images=host, agreement=agreement), BOARD, LIBRARIES)
    assert found is not None
    assert found.agreement is word
    assert found.finding is (word in (Agreement.FEW_DIFFER, Agreement.OTHER_ANSWER))


def test_what_the_board_did_not_judge_gives_no_gap() -> None:
    assert gap(judged(board=None), BOARD, LIBRARIES) is None
    assert gap(replace(judged(), accuracy=None), BOARD, LIBRARIES) is None


def test_a_file_that_the_host_cannot_judge_is_said_to_be_not_compared() -> None:
    (line,) = lines(judged(host=None, host_on_board_images=None, agreement=None, board=0.98))
    assert line == f"fp32: board 98.0{NBSP}%; the host could not judge this file, so the two are not compared."


def test_other_versions_of_the_runtime_are_said_even_where_answers_agree() -> None:
    found = lines(judged(), board={"runtimes": {"onnxruntime": {"version": "1.31.0"}}})
    assert found[0] == "Other runtimes: the host judged with onnxruntime 1.32.0, the board runs onnxruntime 1.31.0."


def test_what_the_processes_said_of_their_runtime_counts_before_the_boards_facts() -> None:
    record = judged(host_runtime="ai-edge-litert 2.3.0")
    record = replace(
        record,
        runtime="tflite-runtime",
        trials=tuple(replace(one, used={"runtime_version": "2.14.0"}) for one in record.trials),
    )
    found = gap(record, {"runtimes": {"tflite-runtime": "2.13.0"}}, {})
    assert found is not None
    assert found.other_runtime
    assert (found.host_runtime, found.board_runtime) == ("ai-edge-litert 2.3.0", "tflite-runtime 2.14.0")
    worse = replace(found, agreement=Agreement.OTHER_ANSWER)
    assert gap_text(worse, "int8").endswith("(ai-edge-litert 2.3.0 on the host, tflite-runtime 2.14.0 on the board).")


def test_an_unknown_version_is_no_difference() -> None:
    assert lines(judged(), board={"runtimes": {}}) == ["The candidate gives the host's answers on the same 100 images."]


def test_the_worst_is_named_first_and_the_rest_is_counted() -> None:
    few = replace(judged(agreement=0.99), recipe="few")
    far = replace(judged(agreement=0.3, board=0.3), recipe="far")
    found = lines(judged(), few, far)
    assert [line.split(":")[0] for line in found[:2]] == ["far", "few"]
    assert found[2] == "1 of 3 candidates give the host's answers on the same 100 images."


def test_the_page_says_it_where_trust_is_decided() -> None:
    whole = run(boards=(PI,), recipes=("fp32",))
    bad = replace(whole, records=(judged(board=0.098, host_on_board_images=0.981, agreement=0.1),))
    html = render(bad)
    assert "the board&#39;s runtime computes another answer" in html[html.index('<section id="trust"') :]
