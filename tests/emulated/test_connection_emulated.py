"""The contract of connections on an emulated board: dropbear, busybox, a slow CPU."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from hilbench.targets.board import SshAddress
from hilbench.targets.connection import Connection
from hilbench.targets.emulated.guest import set_clock_command
from hilbench.targets.emulated.machine import Machine
from hilbench.targets.ssh import open_ssh

from ..targets.connection_contract import ConnectionContract


@pytest.fixture(scope="module")
def clean_a72(a72: Machine) -> Machine:
    a72.restore()
    return a72


class TestEmulatedBoardConnection(ConnectionContract):
    @pytest.fixture
    def connection(self, clean_a72: Machine) -> Iterator[Connection]:
        connection = open_ssh(
            SshAddress(
                host="127.0.0.1",
                port=clean_a72.port,
                user="root",
                key_file=str(clean_a72.image.key_file),
                host_key=clean_a72.image.host_key,
            )
        )
        connection.run(set_clock_command(time.time()), timeout_s=30)
        yield connection
        connection.close()
