"""The controller's side: a detached agent is started, watched, lost and found again, on this machine and over SSH."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hilbench.targets.agent.job import Job
from hilbench.targets.agent.journal import JOURNAL, parse_journal
from hilbench.targets.bundle import build_agent
from hilbench.targets.errors import CommandError, TargetError, TransientTargetError
from hilbench.targets.local import open_local
from hilbench.targets.session import Session, attach_session, discard_session, start_session, stop_session
from hilbench.targets.ssh import open_ssh
from hilbench.targets.watch import AgentLostError, watch

from .agent_jobs import (
    agent_pid,
    alive,
    cell,
    children,
    job,
    no_processes_left,
    of_kind,
    save_slow_model,
    stand_in_runtime,
    wait_for,
)
from .openssh_server import running

Event = dict[str, Any]


class LeaveError(Exception):
    """Raised by a test's sink to leave `watch` as a controller that is interrupted does."""


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Path]:
    """A board's work folder; whatever agent a test left running there is ended."""
    workdir = tmp_path / "board"
    yield workdir
    for identity in workdir.glob("account-*/jobs/*/agent.json"):
        with contextlib.suppress(ProcessLookupError):
            os.kill(agent_pid(identity.parent), signal.SIGCONT)
            os.kill(agent_pid(identity.parent), signal.SIGKILL)


def endless_job(folder: Path, **changes: Any) -> Job:
    """One quick cell, then one that would take minutes."""
    quick = cell("quick", folder, check=False, memory=False)
    slow = cell("slow", folder, model=save_slow_model(folder / "slow.onnx", repeats=40), check=False, memory=False)
    return replace(job(quick, slow), iterations=20000, process_timeout_s=600.0, **changes)


def quick_job(folder: Path, blocks: int = 2) -> Job:
    return job(cell("a", folder), cell("b", folder, check=False, memory=False), blocks=blocks)


def watch_here(session: Session, mirror: Path, sink: Callable[[Event], None] | None = None, **options: Any) -> str:
    return watch(session, reconnect=open_local, mirror=mirror, on_event=sink or (lambda _: None), **options)


def after_first_trial(act: Callable[[], object]) -> Callable[[Event], None]:
    def sink(event: Event) -> None:
        if event["event"] == "trial":
            act()

    return sink


def until_slow_runs(jobdir: Path) -> int:
    """The worker's pid, once the second cell is in its steady phase (the first one's journal line exists)."""
    phase = jobdir / "phase"
    wait_for(lambda: phase.exists() and phase.read_text().strip() == "steady", "the steady phase")
    return wait_for(lambda: children(agent_pid(jobdir)), "a worker")[0]


def test_watch_gives_every_event_once_and_mirrors_the_journal_byte_for_byte(tmp_path: Path, board: Path) -> None:
    session = start_session(open_local(), str(board), quick_job(tmp_path))
    events: list[Event] = []
    assert watch_here(session, tmp_path / "mirror", events.append) == "finished"
    journal = (Path(session.jobdir) / JOURNAL).read_bytes()
    assert (tmp_path / "mirror").read_bytes() == journal
    assert [e["event"] for e in events] == [e["event"] for e in parse_journal(journal)]
    assert len(of_kind(events, "trial", kind="latency")) == 4


def test_events_arrive_while_the_agent_still_works(tmp_path: Path, board: Path) -> None:
    session = start_session(open_local(), str(board), endless_job(tmp_path))
    seen: list[bool] = []

    def sink(event: Event) -> None:
        if event["event"] == "gap":
            seen.append(alive(agent_pid(Path(session.jobdir))))
            raise LeaveError

    with pytest.raises(LeaveError):
        watch_here(session, tmp_path / "mirror", sink)
    assert seen == [True]
    assert alive(agent_pid(Path(session.jobdir)))  # what the sink raises ends the watching, not the agent


def test_controller_that_comes_back_goes_on_where_it_was(tmp_path: Path, board: Path) -> None:
    given = quick_job(tmp_path)
    session = start_session(open_local(), str(board), given)
    mirror, first = tmp_path / "mirror", list[Event]()

    def interrupted(event: Event) -> None:
        first.append(event)
        if event["event"] == "gap":
            raise LeaveError

    with pytest.raises(LeaveError):
        watch_here(session, mirror, interrupted)
    again = attach_session(open_local(), str(board), given)
    assert again is not None
    assert again.jobdir == session.jobdir
    second: list[Event] = []
    assert watch_here(again, mirror, second.append) == "finished"
    assert [e["event"] for e in second[: len(first)]] == [e["event"] for e in first]
    assert [e["event"] for e in second] == [e["event"] for e in parse_journal(mirror.read_bytes())]


def test_finished_job_can_still_be_collected(tmp_path: Path, board: Path) -> None:
    given = quick_job(tmp_path, blocks=1)
    session = start_session(open_local(), str(board), given)
    wait_for(lambda: not alive(agent_pid(Path(session.jobdir))), "the end of the agent")
    again = attach_session(open_local(), str(board), given)
    assert again is not None
    assert watch_here(again, tmp_path / "mirror") == "finished"


def test_unknown_job_cannot_be_attached(tmp_path: Path, board: Path) -> None:
    assert attach_session(open_local(), str(board), quick_job(tmp_path)) is None


def test_agent_is_sent_only_if_the_board_lacks_it(tmp_path: Path, board: Path) -> None:
    first = start_session(open_local(), str(board), replace(quick_job(tmp_path), job_id="one"))
    inode = Path(first.agent_path).stat().st_ino
    second = start_session(open_local(), str(board), replace(quick_job(tmp_path), job_id="two"))
    assert Path(second.agent_path).stat().st_ino == inode
    Path(first.agent_path).write_bytes(b"damaged")
    third = start_session(open_local(), str(board), replace(quick_job(tmp_path), job_id="three"))
    assert Path(third.agent_path).read_bytes() == build_agent()[0]


def test_job_that_has_run_is_not_run_again(tmp_path: Path, board: Path) -> None:
    given = quick_job(tmp_path, blocks=1)
    assert watch_here(start_session(open_local(), str(board), given), tmp_path / "mirror") == "finished"
    with pytest.raises(TargetError, match="the job job has run on this board before"):
        start_session(open_local(), str(board), given)


def test_job_that_the_agent_refuses_is_one_sentence(tmp_path: Path, board: Path) -> None:
    with pytest.raises(CommandError) as caught:
        start_session(open_local(), str(board), replace(quick_job(tmp_path), mode="dance"))
    expected = "the agent on the board cannot start: job.json: mode is 'dance'; allowed: latency, count"
    assert str(caught.value) == expected


def test_board_without_the_interpreter_is_one_sentence(tmp_path: Path, board: Path) -> None:
    with pytest.raises(CommandError, match=r"the agent on the board cannot start: .*not found"):
        start_session(open_local(), str(board), quick_job(tmp_path), python="/no/such/python3")


@pytest.mark.parametrize("name", ["", "..", "a/b", "a b", "-x"])
def test_job_id_that_cannot_name_a_folder_is_refused(tmp_path: Path, board: Path, name: str) -> None:
    with pytest.raises(ValueError, match="cannot name a folder"):
        start_session(open_local(), str(board), replace(quick_job(tmp_path), job_id=name))


def test_killed_agent_is_known_at_once_and_nothing_journaled_is_lost(tmp_path: Path, board: Path) -> None:
    # With a silence bound of over ten minutes, only the end of the pipe can tell within the test's time.
    session = start_session(open_local(), str(board), endless_job(tmp_path))
    events: list[Event] = []

    def sink(event: Event) -> None:
        events.append(event)
        if event["event"] == "gap":
            os.kill(agent_pid(Path(session.jobdir)), signal.SIGKILL)

    with pytest.raises(AgentLostError) as caught:
        watch_here(session, tmp_path / "mirror", sink)
    assert str(caught.value) == "the agent on the board was killed; 1 of 2 processes were done"
    assert [e["event"] for e in events] == ["start", "trial", "gap"]


def test_board_that_restarted_is_told_from_a_killed_agent(tmp_path: Path, board: Path) -> None:
    session = start_session(open_local(), str(board), endless_job(tmp_path))
    os.kill(agent_pid(Path(session.jobdir)), signal.SIGKILL)
    with pytest.raises(AgentLostError, match="the board restarted while the job ran; "):
        watch_here(replace(session, boot_id="another boot"), tmp_path / "mirror")


def test_board_that_lost_its_journal_is_told(tmp_path: Path, board: Path) -> None:
    session = start_session(open_local(), str(board), endless_job(tmp_path))
    os.kill(agent_pid(Path(session.jobdir)), signal.SIGKILL)
    mirror = tmp_path / "mirror"
    mirror.write_bytes(
        (Path(session.jobdir) / JOURNAL).read_bytes() + b'{"event":"gap","block":0,"done":1,"of":2,"gap_s":0.1}\n'
    )
    with pytest.raises(AgentLostError, match="its disk was rolled back or cleaned"):
        watch_here(session, mirror)


@pytest.mark.parametrize("line", [b"\xff{}", b"[]", b'{"event":"gap"}', b'{"event":"gap","done":"x","of":2}'])
def test_a_line_that_no_agent_writes_is_told_as_damage(tmp_path: Path, board: Path, line: bytes) -> None:
    session = start_session(open_local(), str(board), endless_job(tmp_path))
    os.kill(agent_pid(Path(session.jobdir)), signal.SIGKILL)
    with (Path(session.jobdir) / JOURNAL).open("ab") as file:
        file.write(line + b"\n")
    with pytest.raises(AgentLostError, match="the journal of job job is damaged: "):
        watch_here(session, tmp_path / "mirror")


def test_cancel_stops_the_agent_and_all_its_processes(tmp_path: Path, board: Path) -> None:
    session = start_session(open_local(), str(board), endless_job(tmp_path))
    cancel = threading.Event()
    events: list[Event] = []

    def sink(event: Event) -> None:
        events.append(event)
        if event["event"] == "gap":
            cancel.set()

    assert watch_here(session, tmp_path / "mirror", sink, cancel=cancel) == "stopped"
    assert events[-1]["state"] == "stopped"
    assert len(of_kind(events, "trial")) == 1


def test_stop_ends_every_process_of_the_job(tmp_path: Path, board: Path) -> None:
    session = start_session(open_local(), str(board), endless_job(tmp_path))
    jobdir = Path(session.jobdir)
    worker = until_slow_runs(jobdir)
    sid = os.getsid(worker)
    assert sid == os.getsid(agent_pid(jobdir))
    stop_session(session)
    assert no_processes_left(sid)
    assert parse_journal((jobdir / JOURNAL).read_bytes())[-1]["state"] == "stopped"


def test_stop_ends_what_a_runtime_has_started_on_its_own(tmp_path: Path, board: Path) -> None:
    program = (
        "import os, subprocess, time\n"
        "helper = subprocess.Popen(['sleep', '600'], preexec_fn=os.setpgrp)\n"
        f"open({str(tmp_path / 'helper')!r}, 'w').write(str(helper.pid))\n"
        "time.sleep(600)\n"
    )
    given = job(cell("a", tmp_path, site=stand_in_runtime(tmp_path, program)))
    session = start_session(open_local(), str(board), given)
    noted = tmp_path / "helper"
    helper = int(wait_for(lambda: noted.exists() and noted.read_text(), "the helper of the runtime"))
    assert alive(helper)
    stop_session(session)
    wait_for(lambda: not alive(helper), "the end of the helper")


def test_stop_ends_an_agent_that_does_not_listen(tmp_path: Path, board: Path) -> None:
    session = start_session(open_local(), str(board), endless_job(tmp_path))
    jobdir = Path(session.jobdir)
    worker = until_slow_runs(jobdir)
    os.kill(agent_pid(jobdir), signal.SIGSTOP)
    stop_session(session)
    wait_for(lambda: not alive(worker), "the end of the worker")
    assert not alive(agent_pid(jobdir))


def test_discard_leaves_nothing_of_the_job(tmp_path: Path, board: Path) -> None:
    session = start_session(open_local(), str(board), quick_job(tmp_path, blocks=1))
    assert watch_here(session, tmp_path / "mirror") == "finished"
    discard_session(session)
    assert not Path(session.jobdir).exists()
    assert Path(session.agent_path).exists()


def test_process_is_given_up_by_the_controllers_clock(tmp_path: Path, board: Path) -> None:
    # The agent's own bound of ten minutes stands for a guest whose clock runs slow.
    given = endless_job(tmp_path)
    session = start_session(open_local(), str(board), given)
    events: list[Event] = []
    assert watch_here(session, tmp_path / "mirror", events.append, grace_s=3 - given.process_timeout_s) == "finished"
    (failed,) = of_kind(events, "failed")
    assert (failed["cell"], failed["outcome"]) == ("slow", "timeout")
    assert failed["reason"].startswith("took longer than 600 s ")


def test_agent_that_lives_but_does_nothing_is_given_up(tmp_path: Path, board: Path) -> None:
    given = endless_job(tmp_path)
    session = start_session(open_local(), str(board), given)
    os.kill(agent_pid(Path(session.jobdir)), signal.SIGSTOP)
    with pytest.raises(AgentLostError, match="the agent lives but has been silent for "):
        watch_here(session, tmp_path / "mirror", grace_s=1 - given.process_timeout_s)


def test_lost_ssh_connection_loses_nothing(tmp_path: Path, board: Path) -> None:
    with running(tmp_path / "sshd") as server:
        session = start_session(open_ssh(server.address()), str(board), quick_job(tmp_path, blocks=4))
        events: list[Event] = []

        def sink(event: Event) -> None:
            events.append(event)
            if event["event"] == "gap" and event["done"] in (2, 5):
                server.signal_sessions(signal.SIGKILL)

        state = watch(session, reconnect=lambda: open_ssh(server.address()), mirror=tmp_path / "mirror", on_event=sink)
    assert state == "finished"
    assert (tmp_path / "mirror").read_bytes() == (Path(session.jobdir) / JOURNAL).read_bytes()
    assert [e["done"] for e in of_kind(events, "gap")] == list(range(1, 11))


def test_connection_that_stays_lost_is_a_transient_error_and_the_agent_goes_on(tmp_path: Path, board: Path) -> None:
    def no_way() -> Any:
        raise TransientTargetError("no way to the board")

    with running(tmp_path / "sshd") as server:
        session = start_session(open_ssh(server.address()), str(board), endless_job(tmp_path))

        def sink(event: Event) -> None:
            if event["event"] == "start":
                server.signal_sessions(signal.SIGKILL)

        with pytest.raises(TransientTargetError):
            watch(session, reconnect=no_way, mirror=tmp_path / "mirror", on_event=sink, give_up_s=1.0)
    assert alive(agent_pid(Path(session.jobdir)))


def test_watcher_that_a_dead_connection_left_behind_takes_no_events(tmp_path: Path, board: Path) -> None:
    session = start_session(open_local(), str(board), quick_job(tmp_path, blocks=3))
    frozen = threading.Event()
    leave = threading.Event()

    def stuck(_: Event) -> None:
        frozen.set()
        leave.wait(60)  # neither reads nor hangs up, as a controller behind a pulled cable

    thread = threading.Thread(target=watch_here, args=(session, tmp_path / "stuck", stuck), daemon=True)
    thread.start()
    assert frozen.wait(60)
    left_behind = int((Path(session.jobdir) / "follower").read_text())
    assert alive(left_behind)
    seen: list[bool] = []
    assert watch_here(session, tmp_path / "mirror", lambda _: seen.append(alive(left_behind))) == "finished"
    assert not any(seen)  # it would hear every second ring
    leave.set()
    thread.join(60)
    assert (tmp_path / "mirror").read_bytes() == (Path(session.jobdir) / JOURNAL).read_bytes()
