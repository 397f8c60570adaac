"""What a lease must do on every board, whatever its shell. Subclasses give the fixture `connection`.

Time and boots are those of a folder on the board that stands in for /proc, so that no test waits for a lease to end.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hilbench.targets.claim import Claim, Holder
from hilbench.targets.connection import Connection
from hilbench.targets.errors import TargetError
from hilbench.targets.lease import Lease, LeaseLostError, acquire, reserve, show_lease, unreserve
from hilbench.targets.transfer import quoted

from .connection_contract import TIMEOUT_S, ended, names_in

TTL_S = 30
AGENT = """
setsid sh -c 'sleep 300 & echo $$ >{job}/pid; echo $! >{job}/child; wait' </dev/null >/dev/null 2>&1 &
until [ -s {job}/child ]; do sleep 0.1; done
cat {job}/pid; cat /proc/$(cat {job}/pid)/stat; cat /proc/sys/kernel/random/boot_id
"""


def claim(who: str, *, ttl_s: float = TTL_S, least_token: int = 0, person: str | None = None) -> Claim:
    return Claim(
        owner=f"lab:{who}", person=person or f"{who}@lab", note=f"run {who}", ttl_s=ttl_s, least_token=least_token
    )


@dataclass(frozen=True)
class LeaseBoard:
    connection: Connection
    workdir: str
    clock: str

    def sh(self, command: str) -> str:
        done = self.connection.run(command, timeout_s=TIMEOUT_S)
        assert done.status == 0, done.stderr
        return done.stdout.decode()

    def set_uptime(self, uptime_s: float) -> None:
        self.sh(f"echo {uptime_s} 1.00 >{self.clock}/uptime")

    def boot(self, boot_id: str) -> None:
        self.sh(f"mkdir -p {self.clock}/sys/kernel/random; echo {boot_id} >{self.clock}/sys/kernel/random/boot_id")
        self.set_uptime(1000.5)

    def ask(self, given: Claim) -> Lease | Holder:
        answer = acquire(self.connection, self.workdir, given, reconnect=lambda: self.connection, clock=self.clock)
        assert isinstance(answer, Lease | Holder)
        return answer

    def take(self, given: Claim) -> Lease:
        answer = self.ask(given)
        assert isinstance(answer, Lease), answer
        return answer

    def shown(self) -> list[Holder]:
        return list(show_lease(self.connection, self.workdir, clock=self.clock))

    def start_agent(self, job: str) -> str:
        """A process in a session of its own, with a child, described as an agent describes itself; the job's folder."""
        folder = f"{self.workdir}/account-7/jobs/{job}"
        self.sh(f"mkdir -p {folder}; chmod 1777 {self.workdir}")
        pid, stat, boot_id = self.sh(AGENT.format(job=folder)).splitlines()
        fields = stat.rpartition(")")[2].split()
        identity = {
            "pid": int(pid),
            "start_ticks": int(fields[19]),
            "boot_id": boot_id,
            "session": int(fields[3]),
            "note": None,
        }
        self.sh(f"printf %s {quoted(json.dumps(identity).ljust(300))} >{folder}/agent.json")
        return folder


class LeaseContract:
    """What each kind of connection and shell must give."""

    controllers = 8
    turns = 3

    @pytest.fixture
    def connection(self) -> Connection:
        raise NotImplementedError

    @pytest.fixture
    def board(self, connection: Connection) -> Iterator[LeaseBoard]:
        made = connection.run("umask 022; mktemp -d /var/tmp/hilbench-test-XXXXXX; :", timeout_s=TIMEOUT_S)
        folder = made.stdout.decode().strip()
        connection.run(f"chmod 755 {folder}", timeout_s=TIMEOUT_S)
        board = LeaseBoard(connection, f"{folder}/work", f"{folder}/clock")
        board.boot("boot-1")
        yield board
        with contextlib.suppress(TargetError):
            connection.run(
                f"for f in {folder}/*/account-7/jobs/*/child {folder}/*/account-7/jobs/*/pid; do "
                f'[ -s "$f" ] && kill -9 $(cat "$f"); done; rm -rf {folder}',
                timeout_s=TIMEOUT_S,
            )

    def test_a_second_controller_is_told_who_has_the_board_and_for_how_long(self, board: LeaseBoard) -> None:
        board.take(claim("a"))
        board.set_uptime(1010)
        found = board.ask(claim("b"))
        assert isinstance(found, Holder)
        assert (found.owner, found.person, found.note, found.reserved) == ("lab:a", "a@lab", "run a", False)
        assert (found.token, found.remaining_s) == (1, TTL_S - 10)
        assert board.shown() == [found]

    def test_a_silent_holder_is_fenced(self, board: LeaseBoard) -> None:
        silent = board.take(claim("a"))
        board.set_uptime(1000 + TTL_S)
        after = board.take(claim("b"))
        mark = f"{board.clock}/mark"
        for late in (silent.renew, lambda: silent.guard(board.connection, f"touch {mark}")):
            with pytest.raises(LeaseLostError, match="in use by b@lab"):
                late()
        silent.release()
        assert [holder.owner for holder in board.shown()] == ["lab:b"]
        assert names_in(board.connection, board.clock) == ["sys", "uptime"]
        done = after.guard(board.connection, f"touch {mark}; echo out; echo err >&2; exit 5")
        assert (done.status, done.stdout, done.stderr) == (5, b"out\n", b"err\n")
        assert names_in(board.connection, board.clock) == ["mark", "sys", "uptime"]

    def test_a_restart_drops_the_lease_and_keeps_the_token(self, board: LeaseBoard) -> None:
        lease = board.take(claim("a"))
        board.boot("boot-2")
        board.set_uptime(3)
        assert board.shown() == []
        with pytest.raises(LeaseLostError, match="restarted"):
            lease.renew()
        assert board.take(claim("b")).token == 2

    def test_agents_of_others_are_ended_with_their_children_when_the_board_is_taken(self, board: LeaseBoard) -> None:
        agent = board.start_agent("a.1")
        assert board.take(claim("b")).token == 1
        assert ended(board.connection, f"{agent}/pid")
        assert ended(board.connection, f"{agent}/child")

    def test_a_reserved_board_is_for_the_one_who_reserved_it(self, board: LeaseBoard) -> None:
        assert self.reserve(board, "ada@lab", 7200, "soldering") is None
        found = board.ask(claim("b"))
        assert isinstance(found, Holder)
        assert (found.reserved, found.person, found.note) == (True, "ada@lab", "soldering")
        lease = board.take(claim("c", person="ada@lab"))
        assert [holder.reserved for holder in board.shown()] == [False, True]
        lease.release()
        assert isinstance(board.ask(claim("b")), Holder)
        kept = unreserve(board.connection, board.workdir, "b@lab", clock=board.clock)
        assert kept is not None
        assert kept.person == "ada@lab"
        assert unreserve(board.connection, board.workdir, "ada@lab", clock=board.clock) is None
        assert board.take(claim("b")).token == 2

    def test_controllers_that_ask_at_once_never_have_the_board_at_once(self, board: LeaseBoard) -> None:
        tokens: list[int] = []
        failures: list[BaseException] = []

        def work(number: int) -> None:
            try:
                for turn in range(self.turns):
                    lease = self.wait_for(board, claim(f"{number}-{turn}"))
                    # The board itself tells whether two are inside: this mkdir fails for the second.
                    board.sh(f"mkdir {board.clock}/inside")
                    tokens.append(lease.token)
                    board.sh(f"rmdir {board.clock}/inside")
                    lease.release()
            except BaseException as error:  # noqa: BLE001  told by the test
                failures.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(self.controllers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert tokens == sorted(set(tokens))
        assert len(tokens) == self.controllers * self.turns

    def wait_for(self, board: LeaseBoard, given: Claim) -> Lease:
        over = threading.Event()
        while True:
            answer = board.ask(given)
            if isinstance(answer, Lease):
                return answer
            over.wait(0.3)

    def reserve(self, board: LeaseBoard, person: str, duration_s: float, note: str) -> Holder | None:
        return reserve(board.connection, board.workdir, person, duration_s=duration_s, note=note, clock=board.clock)


class WholeLeaseContract(LeaseContract):
    """All that the script must do; where it runs makes no difference to these."""

    def test_a_board_given_back_is_free_and_tokens_only_grow(self, board: LeaseBoard) -> None:
        tokens: list[int] = []
        for who in "abca":
            lease = board.take(claim(who))
            tokens.append(lease.token)
            lease.release()
            assert board.shown() == []
        assert tokens == [1, 2, 3, 4]
        assert board.take(claim("d", least_token=40)).token == 41

    def test_renewing_goes_by_the_uptime_of_the_board(self, board: LeaseBoard) -> None:
        lease = board.take(claim("a"))
        board.set_uptime(1020)
        lease.renew()
        board.set_uptime(1000 + TTL_S + 10)
        assert isinstance(board.ask(claim("b")), Holder)
        board.set_uptime(1020 + TTL_S)
        assert board.take(claim("b")).token == 2

    def test_one_that_is_over_but_that_nobody_took_can_be_renewed(self, board: LeaseBoard) -> None:
        lease = board.take(claim("a"))
        board.set_uptime(5000)
        lease.renew()
        assert board.shown()[0].remaining_s == TTL_S

    def test_a_controller_that_comes_back_to_its_run_takes_its_lease_again(self, board: LeaseBoard) -> None:
        agent = board.start_agent("a.1")
        assert board.take(claim("a")).token == board.take(claim("a")).token == 1
        assert not ended_now(board, f"{agent}/pid")
        board.set_uptime(2000)
        board.take(claim("b")).release()
        assert board.take(claim("a")).token == 3

    def test_a_process_that_only_has_the_number_of_an_agent_is_left_alone(self, board: LeaseBoard) -> None:
        agent = board.start_agent("a.1")
        board.sh(f"""sed 's/"start_ticks": /&1/' {quoted(agent)}/agent.json >{board.clock}/x; cat {board.clock}/x \
            >{quoted(agent)}/agent.json""")
        board.take(claim("b"))
        assert not ended_now(board, f"{agent}/pid")

    def test_a_board_in_use_cannot_be_reserved_by_somebody_else(self, board: LeaseBoard) -> None:
        board.take(claim("a"))
        found = self.reserve(board, "ada@lab", 60, "")
        assert found is not None
        assert found.owner == "lab:a"
        assert self.reserve(board, "a@lab", 60, "") is None
        other = self.reserve(board, "ada@lab", 60, "")
        assert other is not None

    def test_a_reservation_ends_by_itself(self, board: LeaseBoard) -> None:
        self.reserve(board, "ada@lab", 60, "")
        board.set_uptime(1060)
        assert board.shown() == []
        board.take(claim("b"))

    def test_files_that_a_power_loss_cut_off_are_no_lease(self, board: LeaseBoard) -> None:
        board.take(claim("a"))
        for text in ("", "x\ny\nz\n", "9\nboot-1\nsoon\na\nb\nc\nd\n"):
            for name in ("held", "reserved", "token"):
                board.sh(f"printf %s {quoted(text)} >{board.workdir}/lease/{name}")
            assert board.shown() == []
            board.take(claim("b")).renew()

    def test_to_look_makes_nothing(self, board: LeaseBoard) -> None:
        assert board.shown() == []
        assert names_in(board.connection, board.workdir.rpartition("/")[0]) == ["clock"]


def ended_now(board: LeaseBoard, pid_file: str) -> bool:
    """One that nobody reaped counts as ended."""
    script = f"grep -q '^State:.[^ZX]' /proc/$(cat {quoted(pid_file)})/status 2>/dev/null"
    return board.connection.run(script, timeout_s=TIMEOUT_S).status != 0
