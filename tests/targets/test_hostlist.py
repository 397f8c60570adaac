"""Lists of boards: plain ones and Ansible's, and what the ssh client says of a name."""

from __future__ import annotations

import getpass
from pathlib import Path

import pytest
from hilbench.targets.ansible import AnsibleError, expand_range, parse_data, parse_ini
from hilbench.targets.board import SshAddress
from hilbench.targets.errors import InventoryError
from hilbench.targets.hostlist import Listed, address_of, read_hosts
from hilbench.targets.sshconfig import parse_settings, resolve_alias, split_hop

INI = """\
; ours
alone ansible_host=10.0.0.1   # beside all groups
[field]
pi[01:02] ansible_user=pi ansible_note="two words"
far:2222
[field:vars]
ansible_user=field
ansible_port=22022
[jetsons]
jet ansible_ssh_host=10.0.0.9 ansible_python_interpreter=/opt/v/bin/python3
[lab:children]
field
jetsons
[lab:vars]
ansible_user=lab
ansible_ssh_private_key_file='~/.ssh/lab key'
[all:vars]
ansible_user=everyone
[here]
localhost ansible_connection=local
"""
YAML = """\
all:
  hosts:
    alone: {ansible_host: 10.0.0.1}
  vars: {ansible_user: everyone}
  children:
    lab:
      vars: {ansible_user: lab}
      children:
        field:
          hosts:
            pi[01:02]: {ansible_user: pi}
            far: {ansible_port: 2222}
          vars: {ansible_user: field}
"""


def test_an_ini_inventory_is_read_with_its_precedence() -> None:
    hosts = {host.name: host for host in parse_ini(INI)}
    assert list(hosts) == ["alone", "pi01", "pi02", "far", "jet", "localhost"]
    assert (hosts["alone"].host, hosts["alone"].user, hosts["alone"].groups) == ("10.0.0.1", "everyone", ())
    assert (hosts["pi01"].user, hosts["pi01"].port) == ("pi", 22022)  # its own word, then its group's
    assert (hosts["far"].user, hosts["far"].port) == ("field", 2222)  # a child's word before its parent's
    assert (hosts["jet"].host, hosts["jet"].user, hosts["jet"].python) == ("10.0.0.9", "lab", "/opt/v/bin/python3")
    assert hosts["jet"].key_file == "~/.ssh/lab key"
    assert hosts["pi02"].groups == ("field", "lab")
    assert hosts["localhost"].local


def test_a_yaml_inventory_gives_the_same(tmp_path: Path) -> None:
    file = tmp_path / "hosts.yml"
    file.write_text(YAML)
    hosts = {str(one.name): one for one in read_hosts(file)}
    assert list(hosts) == ["alone", "pi01", "pi02", "far"]
    assert (hosts["alone"].word, hosts["alone"].user, hosts["alone"].tags) == ("10.0.0.1", "everyone", ())
    assert (hosts["pi01"].user, hosts["far"].user, hosts["far"].port) == ("pi", "field", 2222)
    assert set(hosts["pi02"].tags) == {"field", "lab"}


def test_hosts_of_this_machine_itself_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text(INI)
    assert "localhost" not in [one.name for one in read_hosts(tmp_path / "hosts")]


def test_a_plain_list_has_one_board_a_line(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("# ours\npi@10.0.0.1\n\npi5   # an ssh name\npi@10.0.0.1\r\n")
    assert [one.word for one in read_hosts(tmp_path / "list")] == ["pi@10.0.0.1", "pi5"]


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("list", "pi@a pi@b\n", "one user@host"),
        ("list", "# nothing\n", "lists no board"),
        ("hosts", "[a]\npi nonsense\n", "line 2 cannot be read"),
        ("hosts", "[a]\npi ansible_host='open\n", "line 2 cannot be read"),
        ("hosts", "[a]\npi[x:10]\n", "is no range"),
        ("hosts", "[a]\npi ansible_port=ssh\n", "is no number"),
        ("hosts.yaml", "all: [1, 2]\n", "is no mapping"),
        ("hosts.yaml", "all: {\n", "not valid YAML"),
        ("hosts.yaml", "all: {hosts: {a: 1}}\n", "is no mapping"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_sentence(tmp_path: Path, name: str, text: str, says: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InventoryError, match=says) as caught:
        read_hosts(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_groups_that_are_each_others_children_do_not_hang() -> None:
    (host,) = parse_ini("[a]\nx\n[a:children]\nb\n[b:children]\na\n")
    assert set(host.groups) == {"a", "b"}


def test_ranges_count_with_their_zeros() -> None:
    assert list(expand_range("a[08:10]b[x:y]")) == ["a08bx", "a08by", "a09bx", "a09by", "a10bx", "a10by"]
    assert list(expand_range("n[0:4:2]")) == ["n0", "n2", "n4"]
    with pytest.raises(AnsibleError):
        parse_data({"all": {"hosts": {"a[z:100]": None}}})


def test_an_ssh_name_gives_host_port_user_key_and_way(tmp_path: Path) -> None:
    key = tmp_path / "own key"
    key.touch()
    config = tmp_path / "config"
    config.write_text(
        f'Host pi5\n  HostName 10.0.0.7\n  Port 2200\n  User pi\n  IdentityFile "{key}"\n'
        "  ProxyJump outer,me@inner:23\n"
        "Host outer\n  HostName gate.example\n  User guest\n"
    )
    address = resolve_alias("pi5", config=config)
    assert (address.host, address.port, address.user, address.key_file) == ("10.0.0.7", 2200, "pi", str(key))
    assert address.jump is not None
    assert (address.jump.host, address.jump.port, address.jump.user) == ("inner", 23, "me")
    assert address.jump.jump is not None
    assert (address.jump.jump.host, address.jump.jump.user, address.jump.jump.port) == ("gate.example", "guest", 22)
    assert address.jump.jump.jump is None
    assert address.host_key is None


def test_what_the_list_says_goes_before_what_ssh_says(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Host pi5\n  HostName 10.0.0.7\n  User pi\n")
    listed = Listed(word="pi5", user="bench", key_file="/k")
    address = address_of(listed, config=config)
    assert (address.host, address.user, address.key_file) == ("10.0.0.7", "bench", "/k")
    assert address_of(listed, key_file=Path("/other"), config=config).key_file == "/other"
    assert address_of(Listed(word="pi5"), config=config).user == "pi"


def test_a_name_that_no_configuration_knows_is_taken_as_a_host(tmp_path: Path) -> None:
    (tmp_path / "config").touch()
    address = resolve_alias("pi7", config=tmp_path / "config")
    assert (address.host, address.port, address.user) == ("pi7", 22, getpass.getuser())


@pytest.mark.parametrize(
    ("config", "word", "says"),
    [
        ("Host pi\n  ProxyCommand nc %h %p\n", "pi", "ProxyCommand"),
        ("Host a\n  ProxyJump b\nHost b\n  ProxyJump a\n", "a", "more than 5 jump hosts"),
        ("Nonsense yes\n", "pi", "ssh does not know"),
        ("", "-oProxyCommand=x", "neither user@host"),
        ("", "two words", "neither user@host"),
    ],
)
def test_what_ssh_cannot_say_is_one_sentence(tmp_path: Path, config: str, word: str, says: str) -> None:
    (tmp_path / "config").write_text(config)
    with pytest.raises(InventoryError, match=says) as caught:
        resolve_alias(word, config=tmp_path / "config")
    assert "\n" not in str(caught.value)


def test_without_a_client_an_ssh_name_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InventoryError, match="no ssh client here"):
        resolve_alias("pi5")
    assert address_of(Listed(word="pi@10.0.0.1:23")) == SshAddress(
        host="10.0.0.1", port=23, user="pi", key_file=address_of(Listed(word="pi@x")).key_file
    )


def test_settings_keep_all_values_of_a_keyword() -> None:
    assert parse_settings("identityfile a b\nidentityfile c\nport 22\nx \n") == {
        "identityfile": ["a b", "c"],
        "port": ["22"],
    }


def test_hops_are_split() -> None:
    assert split_hop("me@gate:23") == ("me", "gate", 23)
    assert split_hop("ssh://[2001:db8::1]:23") == (None, "2001:db8::1", 23)
    with pytest.raises(InventoryError):
        split_hop("a:b:c")
