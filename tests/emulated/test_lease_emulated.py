"""The contract of leases with busybox, which has no flock, on a real kernel that really restarts."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from hilbench.targets.board import SshAddress
from hilbench.targets.connection import Connection
from hilbench.targets.emulated.machine import Machine
from hilbench.targets.errors import TransientTargetError
from hilbench.targets.lease import LeaseLostError
from hilbench.targets.ssh import SshConnection, open_ssh

from ..targets.lease_contract import LeaseBoard, LeaseContract, claim

WORKDIR = "/var/tmp/hilbench"


@pytest.fixture(scope="module")
def clean_a72(a72: Machine) -> Machine:
    a72.restore()
    return a72


def connect(machine: Machine) -> SshConnection:
    image = machine.image
    where = SshAddress(
        host="127.0.0.1", port=machine.port, user="root", key_file=str(image.key_file), host_key=image.host_key
    )
    return open_ssh(where)


class TestLeaseOnAnEmulatedBoard(LeaseContract):
    controllers = 3
    turns = 1

    @pytest.fixture
    def connection(self, clean_a72: Machine) -> Iterator[Connection]:
        connection = connect(clean_a72)
        yield connection
        connection.close()


def test_a_clock_of_the_board_that_is_years_off_does_not_matter(clean_a72: Machine) -> None:
    connection = connect(clean_a72)
    board = LeaseBoard(connection, WORKDIR, "/proc")
    board.sh("date -u -s 2031-01-01")
    lease = board.take(claim("a", ttl_s=3600))
    board.sh("date -u -s 1999-01-01")
    assert 3500 < board.shown()[0].remaining_s <= 3600
    lease.renew()
    assert board.take(claim("a", ttl_s=3600)).token == lease.token
    lease.release()
    connection.close()


def test_a_real_restart_drops_the_lease_and_keeps_the_token(clean_a72: Machine) -> None:
    connection = connect(clean_a72)
    lease = LeaseBoard(connection, WORKDIR, "/proc").take(claim("a", ttl_s=3600))
    connection.run("sync", timeout_s=60)
    clean_a72.qmp("system_reset")
    connection.close()
    again = LeaseBoard(connect_after_restart(clean_a72), WORKDIR, "/proc")
    try:
        assert again.shown() == []
        with pytest.raises(LeaseLostError, match="restarted"):
            lease.guard(again.connection, "true")
        assert again.take(claim("b")).token == lease.token + 1
    finally:
        again.connection.close()
        clean_a72.restore()


def connect_after_restart(machine: Machine) -> SshConnection:
    end = time.monotonic() + 120
    while True:
        try:
            return connect(machine)
        except TransientTargetError:
            assert time.monotonic() < end, "the board does not come back"
            time.sleep(0.5)
