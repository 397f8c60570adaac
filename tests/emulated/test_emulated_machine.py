"""Real machines: QEMU is started, the guest is asked over SSH, processes are really killed."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hilbench.targets.emulated import recipe
from hilbench.targets.emulated.guest import set_clock_command
from hilbench.targets.emulated.image import Image
from hilbench.targets.emulated.machine import Machine, open_machine
from hilbench.targets.errors import EmulatorError

GuestRun = Callable[..., "subprocess.CompletedProcess[str]"]

CONTROLLER = """
import sys
from hilbench.targets.emulated.image import ensure_image
from hilbench.targets.emulated.machine import open_machine
machine = open_machine("tests-other", "cortex-a72", 512, ensure_image(print), progress=print)
print("open", machine.pid, machine.folder, flush=True)
{then}
"""

# Counts its own user-mode instructions by perf_event_open (syscall 241 on arm64) around the same work, five times.
COUNT_INSTRUCTIONS = """
import ctypes, os, struct
# perf_event_attr: type, size, config, period, sample, read; flags: 1 disabled, 32 exclude_kernel, 64 exclude_hv
attr = struct.pack("IIQQQQQ", 0, 112, 1, 0, 0, 0, 1 | 1 << 5 | 1 << 6) + bytes(64)
fd = ctypes.CDLL(None, use_errno=True).syscall(241, attr, 0, -1, -1, 0)
assert fd >= 0, os.strerror(ctypes.get_errno())
ctypes.CDLL(None).ioctl(fd, 0x2400, 0)
def count(): return struct.unpack("Q", os.read(fd, 8))[0]
def work(): return sum(range(20000))
for _ in range(5):
    before = count(); work(); print(count() - before)
"""


@pytest.fixture
def board(a72: Machine) -> Machine:
    """The session's board, rolled back to its snapshot."""
    a72.restore()
    return a72


@pytest.fixture
def other(emulator_image: Image) -> Iterator[Machine]:
    """A second board that a test may destroy."""
    with open_machine("tests-other", "cortex-a72", 512, emulator_image, progress=print) as machine:
        yield machine


def gone(pid: int, within_s: float = 10.0) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def listening_addresses(port: int) -> set[str]:
    """Local addresses, in the kernel's hex, on which somebody listens at `port`, for IPv4 and IPv6."""
    found: set[str] = set()
    for table in ("tcp", "tcp6"):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            fields = line.split()
            address, hex_port = fields[1].split(":")
            if fields[3] == "0A" and int(hex_port, 16) == port:
                found.add(address)
    return found


def test_guest_is_debian_12_on_arm64_with_everything_the_agent_needs(board: Machine, guest_run: GuestRun) -> None:
    names = "sha256sum df stat tail setsid timeout mktemp mv cat od sh python3"
    answer = guest_run(
        board,
        f"uname -m; . /etc/os-release; echo $VERSION_ID; for n in {names}; do which $n >/dev/null || echo $n; done",
    )
    assert answer.stdout.split() == ["aarch64", "12"]
    facts = guest_run(
        board,
        "cat /proc/sys/kernel/perf_event_paranoid /proc/sys/kernel/randomize_va_space /proc/sys/vm/overcommit_memory;"
        "grep -c ^oom_kill /proc/vmstat; nproc; hostname; stat -c %a /var/tmp/hilbench",
    )
    assert facts.stdout.split() == ["2", "2", "0", "1", "1", "tests-a72", "1777"]


@pytest.mark.parametrize(("runtime", "module"), sorted(recipe.ARM64.runtime_modules.items()))
def test_runtime_imports_with_its_own_numpy(runtime: str, module: str, board: Machine, guest_run: GuestRun) -> None:
    code = f"import {module}, numpy; print(numpy.__version__)"
    answer = guest_run(board, f"PYTHONPATH=/opt/hilbench/runtimes/{runtime} python3 -c '{code}'")
    numpy = next(wheel.version for wheel in recipe.ARM64.runtimes[runtime] if wheel.name == "numpy")
    assert (answer.stdout.strip(), answer.stderr) == (numpy, "")


def test_restore_discards_files_processes_and_brings_the_old_clock_back(board: Machine, guest_run: GuestRun) -> None:
    guest_run(
        board,
        "echo x >/var/tmp/hilbench/file; sync; setsid sleep 1000 >/dev/null 2>&1 & sleep 0.2; date -s @2000000000",
    )
    board.restore()
    answer = guest_run(board, "ls -A /var/tmp/hilbench; ps | grep -c '[s]leep 1000'; date +%s")
    count, clock = answer.stdout.split()
    assert count == "0"
    assert abs(int(clock) - time.time()) < 60


def test_clock_of_the_guest_is_set_to_the_hosts(board: Machine, guest_run: GuestRun) -> None:
    assert guest_run(board, f"{set_clock_command(1_900_000_000.4)}; date +%s").stdout.strip()[:9] == "190000000"


def test_pmu_counts_user_instructions_and_the_count_repeats(board: Machine, guest_run: GuestRun) -> None:
    counts = [int(line) for line in guest_run(board, "python3 -", stdin=COUNT_INSTRUCTIONS).stdout.split()]
    assert len(counts) == 5
    warm = counts[1:]
    assert min(warm) > 20000 * 10  # an iteration of the interpreter's loop is some tens of instructions
    assert (max(warm) - min(warm)) / statistics.median(warm) < 0.001


def test_port_is_open_on_the_loopback_address_only(board: Machine) -> None:
    assert listening_addresses(board.port) == {"0100007F"}


def test_guest_cannot_reach_the_host_or_the_world(board: Machine, guest_run: GuestRun) -> None:
    code = """
import socket
for address in [("10.0.2.2", PORT), ("10.0.2.3", 53), ("192.0.2.1", 80)]:
    try:
        socket.create_connection(address, timeout=1).close()
        print("reached", address)
    except OSError:
        pass
""".replace("PORT", str(board.port))
    answer = guest_run(board, "python3 - && echo done", stdin=code)
    assert answer.stdout.split() == ["done"]


def test_password_login_is_not_offered(board: Machine) -> None:
    argv = ["ssh", "-F", "none", "-p", str(board.port), "-o", "BatchMode=yes", "-o", "PubkeyAuthentication=no"]
    argv += ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "root@127.0.0.1", "true"]
    refused = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode == 255
    assert "Permission denied (publickey)" in refused.stderr


def test_two_boards_run_at_once_and_are_different_ones(
    board: Machine, emulator_image: Image, guest_run: GuestRun
) -> None:
    with open_machine("tests-a76", "cortex-a76", 512, emulator_image, progress=print) as a76:
        answers = [
            guest_run(machine, "hostname; grep -m1 'CPU part' /proc/cpuinfo; cat /proc/cpuinfo")
            for machine in (board, a76)
        ]
    first, second = (answer.stdout for answer in answers)
    assert first.startswith("tests-a72\nCPU part\t: 0xd08")
    assert second.startswith("tests-a76\nCPU part\t: 0xd0b")
    assert "asimddp" in second
    assert "asimddp" not in first


def test_killed_qemu_is_seen_and_every_use_says_that_it_is_gone(other: Machine) -> None:
    assert other.alive()
    os.kill(other.pid, signal.SIGKILL)
    assert gone(other.pid)
    deadline = time.monotonic() + 5
    while other.alive() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not other.alive()
    with pytest.raises(EmulatorError, match="QEMU is gone"):
        other.restore()
    other.close()
    other.close()


def test_board_opens_again_after_its_qemu_was_killed_while_writing(emulator_image: Image, guest_run: GuestRun) -> None:
    for _ in range(2):
        with open_machine("tests-other", "cortex-a72", 512, emulator_image, progress=print) as machine:
            answer = guest_run(
                machine, "ls -A /var/tmp/hilbench; dd if=/dev/urandom of=/var/tmp/hilbench/x bs=1M count=8 2>&1"
            )
            assert "8+0 records out" in answer.stdout.splitlines()
            assert "x" not in answer.stdout.splitlines()
            os.kill(machine.pid, signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_controller_that_ends_by_a_signal_leaves_no_qemu(number: signal.Signals, emulator_image: Image) -> None:
    argv = [sys.executable, "-c", CONTROLLER.format(then="sys.stdin.read()")]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as p:
        assert p.stdout is not None
        line = next(line for line in p.stdout if line.startswith("open ")).split()
        assert not gone(int(line[1]), within_s=0.2)
        p.send_signal(number)
        assert gone(int(line[1]))


def test_controller_that_forgets_to_close_leaves_no_qemu_and_no_disk(emulator_image: Image) -> None:
    argv = [sys.executable, "-c", CONTROLLER.format(then="")]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=True)
    _, pid, folder = done.stdout.splitlines()[-1].split()
    assert gone(int(pid))
    assert not (Path(folder) / "run.qcow2").exists()
    assert not (Path(folder) / "pid").exists()


def test_qemu_that_outlived_its_controller_is_ended_by_the_next_open(
    emulator_image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without setpriv QEMU outlives a killed controller; the pid file then leads to it."""
    with monkeypatch.context() as patch:
        patch.setenv("PATH", os.environ["PATH"])
        hide = (
            "import shutil; find = shutil.which; shutil.which = lambda n, **k: None if n == 'setpriv' else find(n, **k)"
        )
        argv = [sys.executable, "-c", hide + CONTROLLER.format(then="sys.stdin.read()")]
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    pid = int(next(line for line in process.stdout if line.startswith("open ")).split()[1])
    process.kill()
    process.communicate()
    assert not gone(pid, within_s=0.5)
    with open_machine("tests-other", "cortex-a72", 512, emulator_image, progress=print) as machine:
        assert gone(pid, within_s=1.0)
        assert machine.alive()


def test_board_in_use_is_waited_for_and_then_refused_with_its_holder(other: Machine, emulator_image: Image) -> None:
    told: list[str] = []
    with pytest.raises(EmulatorError, match=rf"tests-other.* is in use by process {os.getpid()} "):
        open_machine("tests-other", "cortex-a72", 512, emulator_image, progress=told.append, wait_s=1.0)
    assert len(told) == 1
    threading.Timer(0.3, other.close).start()
    with open_machine("tests-other", "cortex-a72", 512, emulator_image, progress=print, wait_s=60.0) as machine:
        assert machine.alive()


def test_snapshot_is_kept_and_remade_only_when_it_does_not_fit_or_is_damaged(emulator_image: Image) -> None:
    def opened() -> tuple[list[str], Path]:
        told: list[str] = []
        with open_machine("tests-other", "cortex-a72", 512, emulator_image, progress=told.append) as machine:
            return told, machine.folder

    _, folder = opened()
    assert opened()[0] == []
    made_with = folder / "ready.json"
    made_with.write_text(made_with.read_text().replace('"qemu": "', '"qemu": "0.'))
    assert "first boot" in opened()[0][0]
    subprocess.run(["qemu-img", "snapshot", "-d", "ready", str(folder / "ready.qcow2")], check=True)
    assert "Snapshot 'ready' does not exist" in opened()[0][0]
    assert opened()[0] == []


@pytest.mark.parametrize(
    ("name", "cpu", "memory_mib", "sentence"),
    [
        ("board", "cortex-a1000", 512, "QEMU did not start the board board: .*cortex-a1000"),
        ("../board", "cortex-a72", 512, "cannot name an emulated board"),
    ],
)
def test_wrong_entry_of_the_inventory_is_one_sentence(
    name: str, cpu: str, memory_mib: int, sentence: str, emulator_image: Image, host_folder: Path
) -> None:
    with pytest.raises(EmulatorError, match=sentence) as caught:
        open_machine(name, cpu, memory_mib, emulator_image, progress=print)
    assert "\n" not in str(caught.value)


def test_host_folder_that_cannot_be_written_is_one_sentence(emulator_image: Image, host_folder: Path) -> None:
    host_folder.mkdir()
    folder = host_folder / f"board-cortex-a72-512m-{emulator_image.recipe_hash[:12]}-u{os.geteuid()}"
    (folder / "lock").mkdir(parents=True)
    with pytest.raises(EmulatorError, match=r"^the emulated board board cannot be opened: Is a directory: .*/lock$"):
        open_machine("board", "cortex-a72", 512, emulator_image, progress=print)


def test_hung_board_recovers_when_it_is_let_go_on(board: Machine, guest_run: GuestRun) -> None:
    board.qmp("stop")
    with pytest.raises(subprocess.TimeoutExpired):
        guest_run(board, "true", timeout_s=1.0)
    board.qmp("cont")
    assert guest_run(board, "echo alive").stdout == "alive\n"


def test_pulled_cable_is_silence_and_recovers(board: Machine, guest_run: GuestRun) -> None:
    board.qmp("set_link", {"name": "n0", "up": False})
    with pytest.raises(subprocess.TimeoutExpired):
        guest_run(board, "true", timeout_s=1.0)
    board.qmp("set_link", {"name": "n0", "up": True})
    assert guest_run(board, "echo alive").stdout == "alive\n"


def test_facts_name_what_the_counts_depend_on(board: Machine) -> None:
    facts = board.facts()
    assert facts["emulator"].startswith("QEMU ")
    assert facts["cpu_model"] == "cortex-a72"
    assert facts["image"] == recipe.recipe_hash(recipe.ARM64)
    assert facts["kernel_abi"].endswith("-arm64")
    assert facts["icount"] == "shift=0,sleep=on"
