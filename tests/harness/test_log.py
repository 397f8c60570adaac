"""The log: whole lines of JSON that say what they are about, in a file that several processes share and that ends."""

from __future__ import annotations

import io
import json
import multiprocessing
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from hilbench.harness import log
from hilbench.harness.log import about, log_event, open_log
from hilbench.harness.progress import Progress


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_a_line_says_when_what_and_about_which_run_board_and_cell(tmp_path: Path) -> None:
    file = tmp_path / "log" / "hilbench.jsonl"
    log_event("before", "nobody listens")
    with open_log(file), about(run="r1", board="pi"):
        with about(cell="pi/m/fp32"):
            log_event("failed", 'two\nlines "quoted"', failed=True)
        log_event("went-on", "100 % done")
    log_event("after", "nobody listens any more")
    first, second = lines(file)
    assert first["time"].endswith("Z")
    assert {key: first[key] for key in ("level", "event", "run", "board", "cell", "message")} == {
        "level": "error",
        "event": "failed",
        "run": "r1",
        "board": "pi",
        "cell": "pi/m/fp32",
        "message": 'two\nlines "quoted"',
    }
    assert (second["level"], second["cell"], second["message"]) == ("info", None, "100 % done")


def test_threads_of_two_boards_do_not_mix_their_words(tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    meeting = threading.Barrier(2)

    def work(board: str) -> None:
        with about(board=board):
            meeting.wait(10)
            log_event("at-work", f"this is {board}")

    with open_log(file):
        threads = [threading.Thread(target=work, args=(name,)) for name in ("a", "b")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted((line["board"], line["message"]) for line in lines(file)) == [("a", "this is a"), ("b", "this is b")]


def _write_many(file: Path, number: int) -> None:
    log.LARGEST_BYTES = 20_000
    with open_log(file):
        for index in range(200):
            log_event("many", f"{number}-{index} " + "x" * 200)


def test_processes_that_share_the_file_neither_mix_lines_nor_let_it_grow(tmp_path: Path) -> None:
    file = tmp_path / "hilbench.jsonl"
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_write_many, args=(file, number)) for number in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    files = sorted(tmp_path.glob("hilbench.jsonl*"))
    assert [each.name for each in files] == ["hilbench.jsonl", *(f"hilbench.jsonl.{n}" for n in (1, 2, 3))]
    assert all(each.stat().st_size <= 20_000 for each in files)
    kept = [line["message"].split()[0] for each in files for line in lines(each)]
    assert len(kept) == len(set(kept))
    assert {"0-199", "1-199", "2-199"} & set(kept)


def test_lines_of_progress_are_logged_and_the_terminal_reads_as_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "log.jsonl"
    with open_log(file), Progress(live=False) as progress, Progress(quiet=True) as quiet:
        progress.say("sending 2 files")
        quiet.say("nobody reads this on a terminal")
    assert capsys.readouterr().err.endswith("s] sending 2 files\n")
    assert [line["message"] for line in lines(file)] == ["sending 2 files", "nobody reads this on a terminal"]


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "log").write_text("a file in the place of the folder")
    with open_log(tmp_path / "log" / "hilbench.jsonl"):
        log_event("lost", "this line is lost")
    assert capsys.readouterr().err == ""


def test_a_service_manager_gets_the_same_lines_on_stderr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with open_log(tmp_path / "log.jsonl", stderr=True):
        log_event("here", "twice")
    assert stream.getvalue() == (tmp_path / "log.jsonl").read_text()
