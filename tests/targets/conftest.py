"""An OpenSSH server that the tests of this folder share, and one connection per test to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hilbench.targets.ssh import SshConnection, open_ssh

from .openssh_server import OpensshServer, running


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpensshServer]:
    """A well-behaved server. Tests that harm their server start one of their own by `running`."""
    with running(tmp_path_factory.mktemp("sshd"), "MaxStartups 100") as server:
        yield server


@pytest.fixture
def ssh_connection(sshd: OpensshServer) -> Iterator[SshConnection]:
    connection = open_ssh(sshd.address())
    yield connection
    connection.close()
