"""`board add` and `board remove` by the real command line on real OpenSSH servers, each with an account's own key."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hilbench.targets.hostkeys import parse_public_key
from hilbench.targets.inventory import load_inventory

from ..targets.openssh_server import OpensshServer, new_key, running
from .conftest import DIGITS, HILBENCH, Lab

pytestmark = pytest.mark.timeout(300)

INVENTORY = """\
# The lab's boards.   Two spaces of love.
defaults:
  workdir: {workdir}   # not the usual place

kinds:
    cellar: {{arch: x86_64,   tags: [ damp ]}}   # odd spacing
boards:

  # the first
  this-machine:
    connection: local
    note: "for comparison"   # quoted

# The end: keep me.
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpensshServer]:
    with running(tmp_path_factory.mktemp("board"), host_kinds=("ed25519", "ecdsa")) as started:
        yield started


@pytest.fixture(scope="module")
def empty_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    return str(folder / "bin" / "python3")


@pytest.fixture
def inventory(lab: Lab) -> Path:
    path = lab.folder / "inventory.yaml"
    path.write_text(INVENTORY.format(workdir=lab.folder / "work"))
    return path


def where(server: OpensshServer) -> str:
    return f"{server.address().user}@127.0.0.1:{server.port}"


def fingerprint(server: OpensshServer) -> str:
    return parse_public_key(server.host_key).fingerprint


def words(server: OpensshServer, *more: str | Path) -> list[str | Path]:
    """`board add` with the key to log in with and the interpreter that has the runtimes; no word on the host key."""
    return ["board", "add", where(server), "--key", server.user_key, "--python", sys.executable, *more]


def known_hosts(folder: Path, *servers: OpensshServer) -> Path:
    file = folder / "known_hosts"
    file.write_text("".join(f"[127.0.0.1]:{one.port} {one.host_key}\n" for one in servers))
    return file


def kept(before: str, after: str) -> bool:
    """Whether all lines of the old text stand in the new one, in order and unchanged."""
    lines = iter(after.splitlines(keepends=True))
    return all(line in lines for line in before.splitlines(keepends=True))


def test_a_board_is_added_with_what_was_asked_for_and_the_file_keeps_the_rest(
    lab: Lab, server: OpensshServer, inventory: Path
) -> None:
    before = inventory.read_text()
    more = ["--name", "new", "--host-key", fingerprint(server), "--tag", "lab", "--no-smoke"]
    done = lab.run(*words(server, *more))
    assert done.returncode == 0, done.stderr
    assert kept(before, inventory.read_text())
    board = load_inventory(inventory).board("new")
    assert board.address == server.address(host_key=" ".join(server.host_key.split()[:2]))
    assert board.tags == ("lab",)
    assert (board.runtimes[0].name, board.runtimes[0].version) == ("onnxruntime", None)  # the board's own is not pinned
    assert fingerprint(server) in done.stderr
    assert "time for new: look " in done.stdout


def test_a_host_key_is_asked_for_on_a_terminal_and_no_is_the_answer_to_enter(
    lab: Lab, server: OpensshServer, inventory: Path
) -> None:
    before = inventory.read_bytes()
    code, seen = on_terminal(lab, ["\n"], *words(server, "--name", "new", "--no-smoke", "--yes"))
    assert code == 4
    assert fingerprint(server) in seen
    assert "was not confirmed" in seen
    assert inventory.read_bytes() == before
    assert not (lab.folder / "state").exists()


def test_on_a_terminal_the_key_and_the_entry_are_confirmed_one_after_the_other(
    lab: Lab, server: OpensshServer, inventory: Path
) -> None:
    code, seen = on_terminal(lab, ["y\n", "n\n"], *words(server, "--name", "new", "--no-smoke"))
    assert code == 0
    assert "nothing was written" in seen
    assert "new" not in load_inventory(inventory).boards
    code, seen = on_terminal(lab, ["y\n", "y\n"], *words(server, "--name", "new", "--no-smoke"))
    assert code == 0
    assert "new" in load_inventory(inventory).boards


def test_ctrl_d_at_a_question_is_an_end_without_fuss(lab: Lab, server: OpensshServer, inventory: Path) -> None:
    before = inventory.read_bytes()
    code, seen = on_terminal(lab, ["y\n", "\x04"], *words(server, "--name", "new", "--no-smoke"))
    assert code == 130
    assert "mistake" not in seen
    assert seen.strip().endswith("interrupted")
    assert inventory.read_bytes() == before


def on_terminal(lab: Lab, answers: list[str], *command: str | Path) -> tuple[int, str]:
    """Run on a terminal and give each answer when its question stands there; returns exit code and what was shown."""
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [HILBENCH, *command],
        cwd=lab.folder,
        env={**os.environ, "HILBENCH_HOME": str(lab.folder / "state"), "HILBENCH_HOST_DIR": str(lab.host_dir)},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    seen, asked = "", 0
    try:
        while select.select([controller], [], [], 60)[0]:
            seen += os.read(controller, 65536).decode()
            if asked < len(answers) and seen.count("[y/N]") > asked:
                os.write(controller, answers[asked].encode())
                asked += 1
        raise AssertionError(f"it waits for something that it does not show:\n{seen}")
    except OSError:  # a terminal whose last program has ended cannot be read any more
        return process.wait(60), seen
    finally:
        process.kill()
        os.close(controller)


def test_nobody_to_ask_and_no_key_given_is_refused_in_one_sentence(
    lab: Lab, server: OpensshServer, inventory: Path
) -> None:
    before = inventory.read_bytes()
    done = lab.run(*words(server, "--name", "new", "--yes"))
    assert done.returncode == 4
    (line,) = done.stderr.splitlines()
    assert fingerprint(server) in line
    assert "--host-key" in line
    assert "--known-hosts" in line
    assert inventory.read_bytes() == before


@pytest.mark.parametrize("form", ["fingerprint", "key", "known_hosts"])
def test_another_key_than_the_one_given_is_refused_with_both_named(
    lab: Lab, server: OpensshServer, inventory: Path, form: str
) -> None:
    before = inventory.read_bytes()
    other = new_key(lab.folder / "other").with_suffix(".pub").read_text().strip()
    file = lab.folder / "known_hosts"
    file.write_text(f"[127.0.0.1]:{server.port} {other}\n")
    expected = parse_public_key(other).fingerprint
    given = {
        "fingerprint": ["--host-key", expected],
        "key": ["--host-key", other],
        "known_hosts": ["--known-hosts", file],
    }
    done = lab.run(*words(server, *given[form]))
    assert done.returncode == 4
    assert expected in done.stderr
    assert fingerprint(server) in done.stderr
    assert inventory.read_bytes() == before


def test_the_fingerprint_of_any_of_the_boards_keys_will_do(lab: Lab, server: OpensshServer, inventory: Path) -> None:
    ecdsa = server.host_keys[1].with_suffix(".pub").read_text()
    key = parse_public_key(ecdsa)
    done = lab.run(*words(server, "--name", "new", "--no-smoke", "--host-key", key.fingerprint))
    assert done.returncode == 0, done.stderr
    address: Any = load_inventory(inventory).board("new").address
    assert address.host_key == key.line
    assert lab.run("board", "check", "new").returncode == 0


def test_a_dry_run_shows_the_entry_and_writes_nothing(lab: Lab, server: OpensshServer, inventory: Path) -> None:
    before, files = inventory.read_bytes(), set(lab.folder.rglob("*"))
    done = lab.run(*words(server, "--name", "new", "--no-smoke", "--dry-run", "--host-key", server.host_key))
    assert done.returncode == 0, done.stderr
    assert "+  new:" in done.stdout
    assert not [line for line in done.stdout.splitlines() if line.startswith("-") and not line.startswith("---")]
    assert inventory.read_bytes() == before
    written = set(lab.folder.rglob("*")) - files
    work = lab.folder / "work"
    kept = {work, work / "lease", work / "lease" / "lock", work / "lease" / "token"}
    assert written <= kept, "the board keeps the order of those who look at it, and nothing else"


def test_a_dry_run_takes_back_what_its_first_inference_put_on_the_board(
    lab: Lab, server: OpensshServer, inventory: Path
) -> None:
    done = lab.run(*words(server, "--name", "new", "--dry-run", "--host-key", server.host_key))
    assert done.returncode == 0, done.stderr
    assert "First inference by onnxruntime" in done.stdout
    assert "One model under two names" in done.stdout or "Nothing was counted" in done.stdout
    assert [path.name for path in (lab.folder / "work").iterdir()] == ["lease"]


def test_a_board_that_lacks_a_runtime_is_left_as_it_is_where_the_user_says_so(
    lab: Lab, server: OpensshServer, inventory: Path, empty_python: str
) -> None:
    login = ["--key", server.user_key, "--host-key", server.host_key, "--python", empty_python]
    add = ["board", "add", where(server), *login, "--name", "new", "--json"]
    for more, runtimes in ((["--no-provision"], None), (["--dry-run"], [{"version": "1.32.0"}])):
        done = lab.run(*add, *more)
        assert done.returncode == 0, done.stderr
        (board,) = json.loads(done.stdout)["boards"]
        assert board["lacking"] == ["onnxruntime"]
        assert board["smoke"] is None
        said = board["entry"].get("runtimes")
        assert said is None if runtimes is None else said[0]["version"] == "1.32.0"
        assert [path.name for path in (lab.folder / "work").iterdir()] == ["lease"]
        assert "provision" not in board["seconds"]
        if more == ["--no-provision"]:
            lab.run("board", "remove", "new")


def test_a_baseline_puts_nothing_on_a_board_that_is_to_be_left_as_it_is(
    lab: Lab, server: OpensshServer, inventory: Path, empty_python: str
) -> None:
    login = ["--key", server.user_key, "--host-key", server.host_key, "--python", empty_python]
    add = ["board", "add", where(server), *login, "--name", "new", "--no-provision", "--baseline"]
    done = lab.run(*add, "--model", DIGITS / "digits.onnx")
    assert done.returncode == 4
    assert "no baseline of new: onnxruntime is not there, as --no-provision says" in done.stderr
    assert [path.name for path in (lab.folder / "work").iterdir()] == ["lease"]
    assert "new" in load_inventory(inventory).boards


def test_wheels_that_cannot_be_had_are_said_with_the_way_around(
    lab: Lab, server: OpensshServer, inventory: Path, empty_python: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_RETRIES", "1")
    before = inventory.read_bytes()
    login = ["--key", server.user_key, "--host-key", server.host_key, "--python", empty_python]
    done = lab.run("board", "add", where(server), *login, "--name", "new")
    assert done.returncode == 4
    last = done.stderr.splitlines()[-1]
    assert "the package index does not answer" in last
    assert "`--no-provision` adds the board without onnxruntime" in last
    assert inventory.read_bytes() == before


def test_a_runtime_that_cannot_exist_on_the_board_is_said_in_one_sentence_with_what_to_do(
    lab: Lab, server: OpensshServer, inventory: Path, empty_python: str
) -> None:
    kind = f"kinds:\n    old: {{runtimes: [{{name: onnxruntime, python: {empty_python}, version: 0.0.1}}]}}\n"
    inventory.write_text(inventory.read_text().replace("kinds:\n", kind))
    add = ["board", "add", where(server), "--key", server.user_key, "--host-key", server.host_key, "--kind", "old"]
    done = lab.run(*add, "--name", "new", "--no-smoke")
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if "cannot be put there" in line]
    assert "no wheel of onnxruntime 0.0.1 is published for" in line
    assert "name another `version:`" in line
    assert "runtimes" not in done.stdout.split("+++")[1]


def test_a_place_that_other_accounts_cannot_see_is_said_and_recorded(
    lab: Lab, server: OpensshServer, inventory: Path
) -> None:
    done = lab.run(*words(server, "--name", "new", "--no-smoke", "--dry-run", "--json", "--host-key", server.host_key))
    (board,) = json.loads(done.stdout)["boards"]
    place = board["lease_place"]
    assert place["shared"] is False  # pytest's folders are closed to others
    assert "may not enter" in place["problem"]
    assert "set `workdir:` in the inventory to a folder that all accounts share" in done.stderr


def test_without_an_inventory_one_is_made(lab: Lab, server: OpensshServer) -> None:
    key = ["--host-key", server.host_key]
    done = lab.run(*words(server, "--name", "new", "--no-smoke", *key, "--inventory", lab.folder / "mine.yaml"))
    assert done.returncode == 0, done.stderr
    assert list(load_inventory(lab.folder / "mine.yaml").boards) == ["new"]


def test_json_is_one_object_with_the_facts_and_the_entry(lab: Lab, server: OpensshServer, inventory: Path) -> None:
    done = lab.run(*words(server, "--no-smoke", "--json", "--kind", "cellar", "--host-key", server.host_key))
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    (board,) = said["boards"]
    assert said["written"] is True
    assert board["fingerprint"] == fingerprint(server)
    assert board["smoke"] is None
    assert board["facts"]["tmp_executable"] is True
    assert board["facts"]["counts_from"] in ("pmu", "virtual-clock")
    assert board["runtimes"]["onnxruntime"]["version"] is not None
    assert board["runtimes"]["tflite-runtime"]["reason"] is not None
    # The kind says the architecture and a tag, so the entry does not say them again.
    assert board["entry"]["kind"] == "cellar"
    assert "arch" not in board["entry"]
    assert "tags" not in board["entry"]
    assert load_inventory(inventory).board(board["name"]).tags == ("damp",)


def test_a_virtual_machine_becomes_an_emulated_board_unless_told_otherwise(
    lab: Lab, server: OpensshServer, inventory: Path
) -> None:
    key = ["--host-key", server.host_key, "--no-smoke", "--dry-run", "--json"]
    (board,) = json.loads(lab.run(*words(server, *key)).stdout)["boards"]
    virtual = " hypervisor" in Path("/proc/cpuinfo").read_text() or "virt" in str(board["facts"]["virtualization"])
    assert board["entry"].get("role") == ("emulated" if virtual else None)
    (board,) = json.loads(lab.run(*words(server, *key, "--role", "reference")).stdout)["boards"]
    assert board["entry"]["role"] == "reference"


def test_a_name_that_exists_is_refused_with_one_that_is_free(lab: Lab, server: OpensshServer, inventory: Path) -> None:
    done = lab.run(*words(server, "--name", "this-machine", "--host-key", server.host_key))
    assert done.returncode == 2
    assert 'already a board "this-machine"' in done.stderr
    assert "this-machine-2" in done.stderr


def test_all_hosts_of_an_ansible_inventory_are_added_and_one_that_is_down_does_not_keep_the_others(
    lab: Lab, server: OpensshServer, inventory: Path
) -> None:
    hosts = lab.folder / "hosts"
    hosts.write_text(
        "# ours\n[field]\n"
        f"pi-a ansible_host=127.0.0.1 ansible_port={server.port}\n"
        "pi-down ansible_host=127.0.0.1 ansible_port=1\n"
        "[cellar]\npi-a\n"
        f"[all:vars]\nansible_user={server.address().user}\nansible_ssh_private_key_file={server.user_key}\n"
        f"ansible_python_interpreter={sys.executable}\n"
    )
    file = known_hosts(lab.folder, server)
    with file.open("a") as text:
        text.write(f"[127.0.0.1]:1 {server.host_key}\n")
    before = inventory.read_text()
    done = lab.run("board", "add", "--from", hosts, "--known-hosts", file, "--no-smoke")
    assert done.returncode == 3, done.stderr
    assert kept(before, inventory.read_text())
    boards = load_inventory(inventory).boards
    assert list(boards) == ["this-machine", "pi-a"]
    assert boards["pi-a"].tags == ("field", "cellar")
    assert "not added: pi-down: " in done.stdout


def test_an_ssh_name_is_resolved_with_its_jump_host(lab: Lab, server: OpensshServer, inventory: Path) -> None:
    with running(lab.folder / "gate") as gate:
        user = server.address().user
        config = lab.folder / "ssh_config"
        config.write_text(
            f"Host gate\n  HostName 127.0.0.1\n  Port {gate.port}\n  User {user}\n  IdentityFile {gate.user_key}\n"
            f"Host pi5\n  HostName 127.0.0.1\n  Port {server.port}\n  User {user}\n"
            f"  IdentityFile {server.user_key}\n  ProxyJump gate\n"
        )
        file = known_hosts(lab.folder, server, gate)
        more = ["--ssh-config", config, "--known-hosts", file, "--python", sys.executable, "--no-smoke"]
        done = lab.run("board", "add", "pi5", *more)
        assert done.returncode == 0, done.stderr
        address: Any = load_inventory(inventory).board("pi5").address
        assert (address.port, address.jump.port) == (server.port, gate.port)
        assert address.jump.host_key == " ".join(gate.host_key.split()[:2])
        assert lab.run("board", "check", "pi5").returncode == 0


def test_remove_takes_back_what_add_wrote(lab: Lab, server: OpensshServer, inventory: Path) -> None:
    before = inventory.read_bytes()
    assert lab.run(*words(server, "--name", "new", "--no-smoke", "--host-key", server.host_key)).returncode == 0
    added = inventory.read_bytes()
    assert lab.run("board", "remove", "new", "--dry-run").returncode == 0
    assert inventory.read_bytes() == added
    done = lab.run("board", "remove", "new")
    assert done.returncode == 0, done.stderr
    assert inventory.read_bytes() == before
    again = lab.run("board", "remove", "new")
    assert again.returncode == 2
    assert 'there is no board "new"' in again.stderr


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["board", "add"], "name one board"),
        (["board", "add", "a@b", "--from", "hosts"], "name one board"),
        (["board", "add", "--from", "no-such-file"], "cannot be read"),
        (["board", "add", "a@b", "--host-key", "x", "--known-hosts", "y"], "keep one"),
        (["board", "add", "--from", "hosts", "--name", "x"], "--name is for one board"),
        (["board", "add", "a@b", "--baseline"], "--model"),
        (["board", "add", "a@b", "--kind", "celler"], 'did you mean "cellar"'),
        (["board", "add", "a@b:99999"], "the port must be 1 to 65535"),
        (["board", "remove", "this-machine"], "its only board"),
    ],
)
def test_wrong_words_are_said_in_one_sentence(lab: Lab, inventory: Path, command: list[str], says: str) -> None:
    before = inventory.read_bytes()
    done = lab.run(*command)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert says in line
    assert inventory.read_bytes() == before


def test_a_board_without_onnxruntime_tries_a_tflite_file_and_what_was_there_before_stays(
    lab: Lab, server: OpensshServer, inventory: Path
) -> None:
    old = lab.folder / "work" / f"account-{os.getuid()}" / "agent" / "old"
    old.parent.mkdir(parents=True)
    old.write_text("x")
    kind = f"kinds:\n    tfl: {{runtimes: [{{name: ai-edge-litert, python: {sys.executable}}}]}}\n"
    inventory.write_text(inventory.read_text().replace("kinds:\n", kind))
    add = ["board", "add", where(server), "--key", server.user_key, "--host-key", server.host_key]
    done = lab.run(*add, "--name", "new", "--kind", "tfl", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "First inference by ai-edge-litert" in done.stdout
    assert "runtimes" not in done.stdout.split("+++")[1]
    assert old.exists()
    assert "of the trial stay in" in done.stderr
