"""The contract of connections on this machine and on real OpenSSH servers: usual, without SFTP, with a chatty shell."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hilbench.targets.connection import Connection
from hilbench.targets.local import open_local
from hilbench.targets.ssh import SshConnection, open_ssh

from .connection_contract import ConnectionContract
from .openssh_server import OpensshServer, running

# What a login shell with an unfortunate rc file does: it prints before the command on both streams, and after it.
CHATTY = """#!/bin/sh
echo 'Welcome to the board'; printf 'no newline at the end' >&2; printf 'Last login: never'
sh -c "$SSH_ORIGINAL_COMMAND"
status=$?
echo 'Good bye'; echo 'Good bye' >&2
exit $status
"""


class TestLocalConnection(ConnectionContract):
    @pytest.fixture
    def connection(self) -> Connection:
        return open_local()


class TestOpensshConnection(ConnectionContract):
    @pytest.fixture
    def connection(self, ssh_connection: SshConnection) -> Connection:
        return ssh_connection


@pytest.fixture(scope="module")
def server_without_sftp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpensshServer]:
    with running(tmp_path_factory.mktemp("no-sftp"), "MaxStartups 100", sftp=False) as server:
        yield server


class TestOpensshConnectionWithoutSftp(ConnectionContract):
    @pytest.fixture
    def connection(self, server_without_sftp: OpensshServer) -> Iterator[Connection]:
        connection = open_ssh(server_without_sftp.address())
        yield connection
        connection.close()


@pytest.fixture(scope="module")
def chatty_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpensshServer]:
    folder = tmp_path_factory.mktemp("chatty")
    shell = folder / "shell"
    shell.write_text(CHATTY)
    shell.chmod(0o755)
    with running(folder, "MaxStartups 100", f"ForceCommand {shell}") as server:
        yield server


class TestConnectionThroughAShellThatPrintsABanner(ConnectionContract):
    @pytest.fixture
    def connection(self, chatty_server: OpensshServer) -> Iterator[Connection]:
        connection = open_ssh(chatty_server.address())
        yield connection
        connection.close()
