"""What every Connection must do, whatever is at its other end. Subclasses give the fixture `connection`."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import cast

import pytest
from hilbench.targets.connection import Connection
from hilbench.targets.errors import TargetError, TransientTargetError
from hilbench.targets.transfer import quoted

TIMEOUT_S = 60.0
ALL_BYTES = bytes(range(256)) * 8


def until(holds: Callable[[], bool], *, within_s: float = 30.0) -> bool:
    """Wait for something that must come about; False where it does not."""
    end = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def ended(connection: Connection, pid_file: str) -> bool:
    """Whether the process whose number stands in the file runs no more (one that nobody reaped counts as ended)."""
    script = f"read p <{quoted(pid_file)} && ! grep -q '^State:.[^ZX]' /proc/$p/status 2>/dev/null"
    return until(lambda: connection.run(script, timeout_s=TIMEOUT_S).status == 0)


def names_in(connection: Connection, folder: str) -> list[str]:
    """Not by `ls`, which prints "?" for some letters where it is busybox's."""
    script = f'cd {quoted(folder)} && for f in * .[!.]*; do [ -e "$f" ] && printf \'%s\\n\' "$f"; done; :'
    return sorted(connection.run(script, timeout_s=TIMEOUT_S).stdout.decode().splitlines())


class ConnectionContract:
    @pytest.fixture
    def connection(self) -> Connection:
        raise NotImplementedError

    @pytest.fixture
    def folder(self, connection: Connection) -> Iterator[str]:
        """A fresh folder on the board."""
        made = connection.run("umask 022; mktemp -d /var/tmp/hilbench-test-XXXXXX", timeout_s=TIMEOUT_S)
        path = made.stdout.decode().strip()
        yield path
        with contextlib.suppress(TargetError):  # where the test closed its connection
            connection.run(f"rm -rf {quoted(path)}", timeout_s=TIMEOUT_S)

    def test_status_and_both_streams_come_back(self, connection: Connection) -> None:
        done = connection.run("echo out; echo err >&2; exit 3", timeout_s=TIMEOUT_S)
        assert (done.status, done.stdout, done.stderr) == (3, b"out\n", b"err\n")

    def test_death_by_signal_is_reported_as_a_shell_does(self, connection: Connection) -> None:
        assert connection.run("kill -9 $$", timeout_s=TIMEOUT_S).status == 137

    def test_output_is_kept_byte_for_byte(self, connection: Connection) -> None:
        echoed = connection.run("cat", timeout_s=TIMEOUT_S, stdin=ALL_BYTES)
        assert echoed.stdout == ALL_BYTES
        assert connection.run("printf 'no newline'", timeout_s=TIMEOUT_S).stdout == b"no newline"
        assert connection.run("printf '\\n\\n'", timeout_s=TIMEOUT_S).stdout == b"\n\n"
        assert connection.run(":", timeout_s=TIMEOUT_S).stdout == b""

    def test_what_the_command_prints_cannot_pass_for_a_marker(self, connection: Connection) -> None:
        command = "printf '\\036hil-'; cat /proc/self/cmdline /proc/$PPID/cmdline; printf '\\036'; exit 7"
        done = connection.run(command, timeout_s=TIMEOUT_S)
        assert done.status == 7
        assert done.stdout.startswith(b"\x1ehil-")
        assert done.stdout.endswith(b"\x1e")

    def test_much_output_on_both_streams_does_not_block(self, connection: Connection) -> None:
        done = connection.run("head -c 3000000 /dev/zero >&2; head -c 3000000 /dev/zero", timeout_s=TIMEOUT_S)
        assert (len(done.stdout), len(done.stderr)) == (3_000_000, 3_000_000)

    def test_much_stdin_arrives_while_output_comes_back(self, connection: Connection) -> None:
        sent = os.urandom(3_000_000)
        assert connection.run("cat", timeout_s=TIMEOUT_S, stdin=sent).stdout == sent

    def test_stdin_that_nobody_reads_is_no_error(self, connection: Connection) -> None:
        done = connection.run("exit 4", timeout_s=TIMEOUT_S, stdin=b"x" * 3_000_000)
        assert done.status == 4

    def test_without_stdin_a_command_reads_an_empty_one(self, connection: Connection) -> None:
        assert connection.run("cat; echo end", timeout_s=TIMEOUT_S).stdout == b"end\n"

    def test_a_command_reaches_the_shell_unchanged(self, connection: Connection) -> None:
        text = """it's "quoted" $HOME `id` \\ \\n ! * ~ # ; & | < > ( ) { } é 漢"""
        done = connection.run(f"cat <<'EOF'\n{text}\nEOF\necho \"$0 $#\"", timeout_s=TIMEOUT_S)
        lines = done.stdout.decode().splitlines()
        assert lines[0] == text
        assert lines[1].endswith(" 0")

    def test_a_syntax_error_is_a_result(self, connection: Connection) -> None:
        done = connection.run("if then (", timeout_s=TIMEOUT_S)
        assert done.status != 0
        assert done.stdout == b""
        assert b"yntax error" in done.stderr

    def test_a_background_process_that_keeps_stdout_does_not_delay_the_result(self, connection: Connection) -> None:
        done = connection.run("sleep 100 & echo $!", timeout_s=20.0)
        connection.run(f"kill {done.stdout.decode()}", timeout_s=TIMEOUT_S)
        assert done.status == 0

    def test_a_detached_process_outlives_its_command(self, connection: Connection, folder: str) -> None:
        start = f"cd {folder}; setsid sh -c 'sleep 1; echo done >mark' </dev/null >/dev/null 2>&1 & :"
        assert connection.run(start, timeout_s=TIMEOUT_S).status == 0
        assert until(lambda: names_in(connection, folder) == ["mark"])

    def test_at_its_deadline_a_command_is_lost_and_killed_with_its_children(
        self, connection: Connection, folder: str
    ) -> None:
        pid_file = f"{folder}/pid"
        with pytest.raises(TransientTargetError, match=r"`echo .*` took longer than 2 s"):
            connection.run(f"echo part; sleep 300 & echo $! >{pid_file}; wait", timeout_s=2.0)
        assert ended(connection, pid_file)

    def test_stream_yields_what_comes_as_it_comes(self, connection: Connection, folder: str) -> None:
        command = f"cd {folder}; echo one; while [ ! -e go ]; do sleep 0.1; done; echo two; exit 5"
        pieces = connection.stream(command, idle_timeout_s=TIMEOUT_S)
        assert next(pieces) == b"one\n"
        connection.run(f"touch {folder}/go", timeout_s=TIMEOUT_S)
        assert b"".join(pieces) == b"two\n"

    def test_stream_ends_with_its_command(self, connection: Connection) -> None:
        pieces = connection.stream("sleep 100 & echo $!", idle_timeout_s=20.0)
        pid = b"".join(pieces).decode()
        connection.run(f"kill {pid}", timeout_s=TIMEOUT_S)

    def test_stream_of_much_output_is_complete(self, connection: Connection) -> None:
        pieces = connection.stream("head -c 3000000 /dev/zero; printf '\\036'", idle_timeout_s=TIMEOUT_S)
        assert b"".join(pieces) == bytes(3_000_000) + b"\x1e"

    def test_stream_does_not_mind_a_talkative_stderr(self, connection: Connection) -> None:
        pieces = connection.stream("head -c 3000000 /dev/zero >&2; echo end", idle_timeout_s=TIMEOUT_S)
        assert b"".join(pieces) == b"end\n"

    def test_stream_that_falls_silent_is_lost(self, connection: Connection, folder: str) -> None:
        pieces = connection.stream(f"sleep 300 & echo $! >{folder}/pid; echo one; wait", idle_timeout_s=3.0)
        assert next(pieces) == b"one\n"
        with pytest.raises(TransientTargetError, match="silent for 3 s"):
            next(pieces)
        assert ended(connection, f"{folder}/pid")

    def test_closing_a_stream_ends_its_command_and_its_children(self, connection: Connection, folder: str) -> None:
        pieces = connection.stream(f"sleep 300 & echo $! >{folder}/pid; echo one; wait", idle_timeout_s=TIMEOUT_S)
        assert next(pieces) == b"one\n"
        cast("Generator[bytes]", pieces).close()
        assert ended(connection, f"{folder}/pid")

    @pytest.mark.parametrize("name", ["plain.bin", "with space", "it's", "-dash", "é$HOME"])
    def test_a_file_goes_there_and_back(self, connection: Connection, folder: str, tmp_path: Path, name: str) -> None:
        sent, back = tmp_path / "sent", tmp_path / "back"
        sent.write_bytes(ALL_BYTES * 100)
        sha256 = connection.put(sent, f"{folder}/{name}", timeout_s=TIMEOUT_S)
        connection.get(f"{folder}/{name}", back, timeout_s=TIMEOUT_S)
        assert sha256 == hashlib.sha256(sent.read_bytes()).hexdigest()
        assert back.read_bytes() == sent.read_bytes()
        assert names_in(connection, folder) == [name]
        assert sorted(path.name for path in tmp_path.iterdir()) == ["back", "sent"]

    def test_an_empty_file_goes_there_and_back(self, connection: Connection, folder: str, tmp_path: Path) -> None:
        sent, back = tmp_path / "sent", tmp_path / "back"
        sent.write_bytes(b"")
        connection.put(sent, f"{folder}/empty", timeout_s=TIMEOUT_S)
        connection.get(f"{folder}/empty", back, timeout_s=TIMEOUT_S)
        assert back.read_bytes() == b""

    def test_a_file_is_replaced(self, connection: Connection, folder: str, tmp_path: Path) -> None:
        for text in ("a long first version", "second"):
            (tmp_path / "sent").write_text(text)
            connection.put(tmp_path / "sent", f"{folder}/file", timeout_s=TIMEOUT_S)
        assert connection.run(f"cat {folder}/file", timeout_s=TIMEOUT_S).stdout == b"second"

    def test_a_file_for_a_missing_folder_is_refused(self, connection: Connection, folder: str, tmp_path: Path) -> None:
        (tmp_path / "sent").write_text("text")
        with pytest.raises(TargetError, match=r"/no/file cannot be written: No such file"):
            connection.put(tmp_path / "sent", f"{folder}/no/file", timeout_s=TIMEOUT_S)
        assert names_in(connection, folder) == []

    def test_a_file_in_place_of_a_folder_is_refused_and_leaves_nothing(
        self, connection: Connection, folder: str, tmp_path: Path
    ) -> None:
        (tmp_path / "sent").write_text("text")
        connection.run(f"mkdir {folder}/sub", timeout_s=TIMEOUT_S)
        with pytest.raises(TargetError, match="/sub cannot be written: "):
            connection.put(tmp_path / "sent", f"{folder}/sub", timeout_s=TIMEOUT_S)
        assert names_in(connection, folder) == ["sub"]
        assert names_in(connection, f"{folder}/sub") == []

    def test_a_local_file_that_is_missing_is_refused(self, connection: Connection, folder: str, tmp_path: Path) -> None:
        with pytest.raises(TargetError, match="nothing cannot be read: No such file"):
            connection.put(tmp_path / "nothing", f"{folder}/file", timeout_s=TIMEOUT_S)
        assert names_in(connection, folder) == []

    def test_a_missing_file_on_the_board_leaves_no_local_one(
        self, connection: Connection, folder: str, tmp_path: Path
    ) -> None:
        with pytest.raises(TargetError, match=r"/nothing cannot be read: .*No such file"):
            connection.get(f"{folder}/nothing", tmp_path / "back", timeout_s=TIMEOUT_S)
        assert list(tmp_path.iterdir()) == []

    def test_after_a_refused_transfer_the_next_one_works(
        self, connection: Connection, folder: str, tmp_path: Path
    ) -> None:
        (tmp_path / "sent").write_text("text")
        with pytest.raises(TargetError):
            connection.put(tmp_path / "sent", f"{folder}/no/file", timeout_s=TIMEOUT_S)
        connection.put(tmp_path / "sent", f"{folder}/file", timeout_s=TIMEOUT_S)
        assert names_in(connection, folder) == ["file"]

    def test_several_threads_share_a_connection(self, connection: Connection, folder: str, tmp_path: Path) -> None:
        (tmp_path / "sent").write_bytes(ALL_BYTES)
        got: dict[int, bytes] = {}

        def work(number: int) -> None:
            connection.put(tmp_path / "sent", f"{folder}/{number}", timeout_s=TIMEOUT_S)
            got[number] = connection.run(f"echo {number}", timeout_s=TIMEOUT_S).stdout

        threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert got == {number: f"{number}\n".encode() for number in range(12)}

    def test_closing_twice_is_fine_and_a_closed_connection_says_so(
        self, connection: Connection, tmp_path: Path
    ) -> None:
        connection.close()
        connection.close()
        with pytest.raises(TransientTargetError, match="the connection is closed"):
            connection.run("true", timeout_s=TIMEOUT_S)
        (tmp_path / "sent").write_text("text")
        with pytest.raises(TransientTargetError, match="closed"):
            connection.put(tmp_path / "sent", "/var/tmp/never", timeout_s=TIMEOUT_S)
        with pytest.raises(TransientTargetError, match="closed"):
            next(connection.stream("true", idle_timeout_s=TIMEOUT_S))
