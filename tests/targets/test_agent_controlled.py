"""The profile `controlled`: set, read back and brought back, however the agent ends. On a tree of files for a board."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hilbench.targets.agent.controlled import restore_left_over
from hilbench.targets.agent.identity import boot_id, session_members, start_ticks
from hilbench.targets.agent.job import Job, JobError, job_from_json, job_to_json
from hilbench.targets.agent.journal import JOURNAL, parse_journal
from hilbench.targets.agent.tuning import TuningError, fastest_cluster, plan_tuning
from hilbench.targets.agent.tuningfile import saved_path

from .agent_jobs import PYTHON, agent, agent_file, alive, cell, job, of_kind, run_job, save_slow_model, wait_for

POLICY = "sys/devices/system/cpu/cpufreq/policy0"
SHIPPED = {"scaling_governor": "ondemand", "scaling_min_freq": "600000", "scaling_max_freq": "1500000"}
SYSTEM_PYTHON, NOBODY = "/usr/bin/python3", 65534
TUNED = {"scaling_governor": "performance", "scaling_min_freq": "1800000", "scaling_max_freq": "1800000"}


def write(root: Path, **texts: str) -> None:
    for name, text in texts.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")


def board(root: Path, **changes: str) -> Path:
    """A board of one cluster that holds processor 0, in the form of sysfs."""
    files = {
        **SHIPPED,
        "affected_cpus": "0",
        "scaling_available_governors": "ondemand performance",
        "scaling_available_frequencies": "600000 1500000 1800000",
        "cpuinfo_min_freq": "600000",
        "cpuinfo_max_freq": "1800000",
        **changes,
    }
    write(root / POLICY, **files)
    cpus = root / "sys/devices/system/cpu"
    write(cpus, online="0", cpu0__cpu_capacity="1024", cpufreq__boost="1")
    write(cpus, cpu0__cpufreq__scaling_governor="ondemand")
    return root


def settings(root: Path) -> dict[str, str]:
    return {name: (root / POLICY / name).read_text().strip() for name in SHIPPED}


def boost(root: Path) -> str:
    return (root / "sys/devices/system/cpu/cpufreq/boost").read_text().strip()


def controlled(folder: Path, root: Path, **changes: Any) -> Job:
    small = cell("a", folder, check=False, memory=False)
    given: dict[str, Any] = {"board_profile": "controlled", "root": str(root), **changes}
    return job(small, **given)


@contextmanager
def slow_agent(folder: Path, root: Path) -> Generator[subprocess.Popen[bytes]]:
    """An agent that has set the board and is measuring; it would go on for minutes."""
    slow = cell("slow", folder, model=save_slow_model(folder / "slow.onnx"), check=False, memory=False)
    jobdir = folder / "slow"
    jobdir.mkdir()
    given = job(slow, board_profile="controlled", root=str(root), min_seconds=100.0, process_timeout_s=300.0)
    (jobdir / "job.json").write_text(job_to_json(given))
    running = subprocess.Popen([PYTHON, agent_file(folder), "run", jobdir], start_new_session=True)
    try:
        phase = jobdir / "phase"
        wait_for(lambda: phase.exists() and phase.read_text().strip() == "steady", "a timed window")
        yield running
    finally:
        running.kill()
        running.wait()


def watchdogs(root: Path) -> list[int]:
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and alive(int(entry.name)):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if b"watchdog" in words and str(root).encode() in words:
                found.append(int(entry.name))
    return found


def test_board_is_set_for_the_job_and_has_its_own_settings_afterwards(tmp_path: Path) -> None:
    root = board(tmp_path / "board")
    events = run_job(tmp_path, controlled(tmp_path, root))
    (tuning,) = of_kind(events, "tuning")
    assert (tuning["asked"], tuning["profile"], tuning["reason"]) == ("controlled", "controlled", None)
    assert tuning["settings"] == {
        "sys/devices/system/cpu/cpufreq/boost": "0",
        **{f"{POLICY}/{name}": value for name, value in TUNED.items()},
    }
    (trial,) = of_kind(events, "trial")
    assert trial["used"]["board_profile"] == "controlled"
    assert trial["used"]["affinity"] == tuning["cpus"] == [0]
    assert [event["restored"] for event in of_kind(events, "restored")] == [True]
    assert events[-1]["event"] == "end"
    assert (settings(root), boost(root)) == (SHIPPED, "1")
    assert not saved_path(root).exists()
    wait_for(lambda: not watchdogs(root), "the watchdog ended")


def test_killed_agent_leaves_a_watchdog_that_brings_the_board_back(tmp_path: Path) -> None:
    root = board(tmp_path / "board")
    with slow_agent(tmp_path, root) as running:
        assert (settings(root), boost(root)) == (TUNED, "0")
        for pid in session_members(running.pid):  # as somebody does who clears up after an agent that hangs
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: settings(root) == SHIPPED and not saved_path(root).exists(), "the board's own settings")
    assert boost(root) == "1"


def test_next_agent_brings_back_what_a_killed_one_and_its_killed_watchdog_left(tmp_path: Path) -> None:
    root = board(tmp_path / "board")
    with slow_agent(tmp_path, root) as running:
        (watchdog,) = watchdogs(root)
        os.kill(watchdog, signal.SIGKILL)
        running.send_signal(signal.SIGKILL)
    assert settings(root) == TUNED
    events = run_job(tmp_path, controlled(tmp_path, root, board_profile="as-shipped"))
    (tuning,) = of_kind(events, "tuning")
    assert tuning["left_over"] == f"the frequency settings of a killed agent (pid {running.pid}) were brought back"
    assert of_kind(events, "trial")[0]["used"]["board_profile"] == "as-shipped"
    assert (settings(root), boost(root)) == (SHIPPED, "1")


def test_agent_that_is_stopped_brings_the_board_back_before_it_ends(tmp_path: Path) -> None:
    root = board(tmp_path / "board")
    with slow_agent(tmp_path, root) as running:
        assert agent(tmp_path / "agent.pyz", "stop", str(tmp_path / "slow")).returncode == 0
        assert settings(root) == SHIPPED
        running.wait(timeout=30)
    events = parse_journal((tmp_path / "slow" / JOURNAL).read_bytes())
    assert [event["event"] for event in events][-2:] == ["restored", "end"]


def test_second_agent_does_not_touch_what_a_living_one_has_set(tmp_path: Path) -> None:
    root = board(tmp_path / "board")
    with slow_agent(tmp_path, root) as running:
        events = run_job(tmp_path, controlled(tmp_path, root))
        assert settings(root) == TUNED
        (failed,) = of_kind(events, "failed")
        assert f"another agent of this account (pid {running.pid}) controls" in failed["reason"]
    wait_for(lambda: settings(root) == SHIPPED, "the board's own settings")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"scaling_available_governors": "ondemand"}, "policy0 has no governor performance; it has ondemand"),
        ({"cpuinfo_max_freq": "1700000"}, "policy0 cannot run at 1800000 kHz; it can from 600000 to 1700000"),
    ],
)
def test_board_that_cannot_be_controlled_makes_its_cells_unsupported(
    tmp_path: Path, changes: dict[str, str], says: str
) -> None:
    root = board(tmp_path / "board", **changes)
    events = run_job(tmp_path, controlled(tmp_path, root, blocks=2))
    (failed,) = of_kind(events, "failed")
    assert failed["outcome"] == "unsupported"
    assert failed["reason"] == f"the profile controlled is not available: {says}"
    assert not of_kind(events, "trial")
    assert settings(root) == SHIPPED


def test_setting_that_does_not_take_is_noticed_and_all_others_are_brought_back(tmp_path: Path) -> None:
    root = board(tmp_path / "board")
    deaf = root / POLICY / "scaling_max_freq"
    deaf.unlink()
    deaf.symlink_to("/dev/null")  # takes every value and keeps none
    events = run_job(tmp_path, controlled(tmp_path, root, profile_required=False))
    (tuning,) = of_kind(events, "tuning")
    assert tuning["profile"] == "as-shipped"
    assert f"/{POLICY}/scaling_max_freq was set to 1800000, but reads nothing" in tuning["reason"]
    assert of_kind(events, "trial")[0]["used"]["board_profile"] == "as-shipped"
    assert (root / POLICY / "scaling_governor").read_text().strip() == "ondemand"
    assert (root / POLICY / "scaling_min_freq").read_text().strip() == "600000"


@pytest.mark.parametrize("name", ["scaling_governor", "scaling_max_freq"])
def test_setting_that_is_refused_leaves_nothing_behind_for_later_jobs(tmp_path: Path, name: str) -> None:
    root = board(tmp_path / "board")
    fixed = root / POLICY / name
    fixed.unlink()
    fixed.symlink_to("/proc/sys/kernel/ostype")  # can be read, and not be written even by root
    events = run_job(tmp_path, controlled(tmp_path, root, profile_required=False))
    (tuning,) = of_kind(events, "tuning")
    assert (tuning["profile"], tuning["settings"]) == ("as-shipped", None)
    assert f"/{POLICY}/{name}" in tuning["reason"]
    assert "brought back" not in tuning["reason"]
    assert {n: v for n, v in settings(root).items() if n != name} == {n: v for n, v in SHIPPED.items() if n != name}
    assert boost(root) == "1"
    assert not saved_path(root).exists()


def test_account_without_rights_goes_on_as_shipped_and_says_what_it_may_not_set(tmp_path: Path) -> None:
    """As the account nobody, with the system's interpreter, whose folders it may read; a program needs no runtime."""
    folder = Path(tempfile.mkdtemp(dir="/var/tmp"))
    try:
        root = board(folder / "board")
        jobdir = folder / "job"
        (root / "var/tmp").mkdir(parents=True)
        jobdir.mkdir()
        program = ("sh", "-c", "sleep 0.01; echo '{\"latency_ns\": [5, 6]}'")
        one = {"check": False, "python": SYSTEM_PYTHON, "runtime": "command", "command": program}
        given = job(cell("a", tmp_path, **one), board_profile="controlled", profile_required=False, root=str(root))
        (jobdir / "job.json").write_text(job_to_json(given))
        for path in (folder, jobdir, root / "var/tmp"):
            path.chmod(0o777)
        (root / "sys/devices/system/cpu/cpufreq/boost").chmod(0o444)
        argv = [SYSTEM_PYTHON, agent_file(folder), "run", jobdir]
        account: dict[str, Any] = {} if os.geteuid() else {"user": NOBODY, "group": NOBODY, "extra_groups": ()}
        done = subprocess.run(argv, capture_output=True, check=False, **account)
        assert (done.returncode, done.stderr) == (0, b"")
        events = parse_journal((jobdir / JOURNAL).read_bytes())
        reason = of_kind(events, "tuning")[0]["reason"]
        assert reason == "this account may not set /sys/devices/system/cpu/cpufreq/boost"
        (memory, latency) = of_kind(events, "trial")
        assert latency["used"]["board_profile"] == "as-shipped"
        assert memory["memory"]["unavailable"]["cgroup_peak_bytes"]
        assert not saved_path(root).exists()
    finally:
        shutil.rmtree(folder)


def test_setting_that_cannot_be_brought_back_keeps_no_other_from_it(tmp_path: Path) -> None:
    root = board(tmp_path, **TUNED)
    gone = "sys/devices/system/cpu/cpufreq/policy9/scaling_governor"
    path = save_state(root, restore=[[gone, "ondemand"], *([f"{POLICY}/{n}", v] for n, v in SHIPPED.items())])
    with pytest.raises(TuningError, match=f"/{gone} cannot be set to ondemand: No such file or directory"):
        restore_left_over(root)
    assert settings(root) == SHIPPED
    assert path.exists()


def test_board_without_cpufreq_goes_on_as_shipped_where_that_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    events = run_job(tmp_path, controlled(tmp_path, tmp_path / "bare", profile_required=False))
    (tuning,) = of_kind(events, "tuning")
    assert tuning["reason"] == "the kernel gives no cpufreq policies, so no frequency can be set"
    assert of_kind(events, "trial")


@pytest.mark.parametrize(
    ("wanted", "says"),
    [(1_200_000, "it can at 600000, 1500000, 1800000"), (2_000_000, "it can from 600000 to 1800000")],
)
def test_frequency_that_the_board_lacks_is_refused(tmp_path: Path, wanted: int, says: str) -> None:
    with pytest.raises(TuningError, match=f"policy0 cannot run at {wanted} kHz; {says}"):
        plan_tuning(board(tmp_path), wanted)


@pytest.mark.parametrize("frequency_khz", [600_000, 1_500_000, 1_800_000])
@pytest.mark.parametrize("shipped", [("600000", "600000"), ("600000", "1800000"), ("1800000", "1800000")])
def test_limits_never_cross_while_they_are_set_and_brought_back(
    tmp_path: Path, frequency_khz: int, shipped: tuple[str, str]
) -> None:
    tuning = plan_tuning(board(tmp_path, scaling_min_freq=shipped[0], scaling_max_freq=shipped[1]), frequency_khz)
    limits = {"scaling_min_freq": int(shipped[0]), "scaling_max_freq": int(shipped[1])}
    for path, value in (*tuning.apply, *tuning.restore):
        name = path.rpartition("/")[2]
        if name in limits:
            limits[name] = int(value)
            assert limits["scaling_min_freq"] <= limits["scaling_max_freq"]
    assert limits == {"scaling_min_freq": int(shipped[0]), "scaling_max_freq": int(shipped[1])}


def test_fastest_cluster_is_found_by_capacity_else_by_frequency(tmp_path: Path) -> None:
    cpus = tmp_path / "sys/devices/system/cpu"
    write(cpus, online="0-3,6")
    for number, capacity in ((0, 400), (1, 400), (2, 1024), (3, 1024), (6, 1000)):
        write(cpus, **{f"cpu{number}__cpu_capacity": str(capacity)})
    assert fastest_cluster(tmp_path) == (2, 3, 6)
    (cpus / "cpu0/cpu_capacity").unlink()
    for number, khz in ((0, 1_800_000), (1, 1_800_000), (2, 1_400_000), (3, 1_400_000), (6, 1_400_000)):
        write(cpus, **{f"cpu{number}__cpufreq__cpuinfo_max_freq": str(khz)})
    assert fastest_cluster(tmp_path) == (0, 1)


def save_state(root: Path, *, restore: list[list[str]], pid: int = 1, ticks: int = 1, boot: str = "") -> Path:
    path = saved_path(root)
    path.parent.mkdir(parents=True, exist_ok=True)
    owner = {"pid": pid, "start_ticks": ticks, "boot": boot or boot_id()}
    path.write_text(json.dumps({"owner": owner, "restore": restore, "before": dict(restore)}))
    return path


def test_file_that_names_other_settings_is_not_acted_on(tmp_path: Path) -> None:
    victim = tmp_path / "etc" / "passwd"
    victim.parent.mkdir()
    victim.write_text("root\n")
    save_state(tmp_path, restore=[["etc/passwd", "nobody"]])
    with pytest.raises(TuningError, match="names /etc/passwd, which this program never sets"):
        restore_left_over(tmp_path)
    assert victim.read_text() == "root\n"


def test_damaged_file_is_one_sentence(tmp_path: Path) -> None:
    save_state(tmp_path, restore=[]).write_text("{")
    with pytest.raises(TuningError, match="is damaged; remove it once the board's settings are as they should be"):
        restore_left_over(tmp_path)


def test_board_that_has_started_anew_is_left_alone(tmp_path: Path) -> None:
    root = board(tmp_path / "board")
    path = save_state(root, restore=[[f"{POLICY}/scaling_governor", "powersave"]], boot="another")
    restore_left_over(root)
    assert settings(root) == SHIPPED
    assert not path.exists()


def test_file_of_a_living_agent_is_left_alone(tmp_path: Path) -> None:
    ticks = start_ticks(os.getpid())
    assert ticks is not None
    path = save_state(tmp_path, restore=[], pid=os.getpid(), ticks=ticks)
    with pytest.raises(TuningError, match="controls the board's frequency"):
        restore_left_over(tmp_path)
    assert path.exists()


def test_profile_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    text = job_to_json(controlled(tmp_path, tmp_path, board_profile="fast"))
    with pytest.raises(JobError, match="board_profile is 'fast'; allowed: as-shipped, controlled"):
        job_from_json(text)
