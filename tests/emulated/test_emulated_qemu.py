from __future__ import annotations

from pathlib import Path

import pytest
from hilbench.targets.board import Arch
from hilbench.targets.emulated.image import Image
from hilbench.targets.emulated.qemu import MachineSpec, QemuProcess, forwarded_port, qemu_arguments
from hilbench.targets.errors import EmulatorError

USERNET = """\
Hub -1 (n0):
  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ
  TCP[ESTABLISHED]   22       127.0.0.1 41000       10.0.2.15    22     0     0
  TCP[HOST_FORWARD]  12       127.0.0.1 39189       10.0.2.15    22     0     0
"""


def image(folder: Path, arch: Arch) -> Image:
    return Image(
        folder=folder,
        kernel=folder / "kernel",
        initrd=folder / "initrd",
        disk=folder / "disk.ext4",
        key_file=folder / "key",
        host_key="ssh-ed25519 AAAA",
        recipe_hash="0123456789abcdef",
        contents_hash="fedcba9876543210",
        kernel_abi="6.1.0-50-arm64",
        arch=arch,
    )


def armhf_spec(folder: Path) -> MachineSpec:
    return MachineSpec(name="board", cpu="cortex-a15", memory_mib=256, image=image(folder, Arch.ARMHF))


@pytest.fixture
def spec(tmp_path: Path) -> MachineSpec:
    return MachineSpec(name="board", cpu="cortex-a76", memory_mib=256, image=image(tmp_path, Arch.ARM64))


def arguments(
    spec: MachineSpec, disk: Path = Path("/d/run.qcow2"), load: str | None = None, tree: Path | None = None
) -> list[str]:
    return qemu_arguments(spec, disk=disk, console=Path("/d/console.log"), tree=tree, qmp_fd=7, load=load)


def value_of(argv: list[str], option: str) -> str:
    return argv[argv.index(option) + 1]


def test_machine_counts_instructions_on_one_cpu_of_the_asked_model(spec: MachineSpec) -> None:
    argv = arguments(spec)
    assert value_of(argv, "-icount") == "shift=0,sleep=on"
    assert value_of(argv, "-smp") == "1"
    assert value_of(argv, "-cpu") == "cortex-a76"
    assert value_of(argv, "-m") == "256"
    assert "hilbench.board=board" in value_of(argv, "-append")


def test_each_architecture_has_its_own_qemu_and_a_32_bit_board_its_device_tree(
    spec: MachineSpec, tmp_path: Path
) -> None:
    wide, narrow = arguments(spec), arguments(armhf_spec(tmp_path), tree=Path("/d/board.dtb"))
    assert (wide[0], value_of(wide, "-machine")) == ("qemu-system-aarch64", "virt,gic-version=3")
    assert (narrow[0], value_of(narrow, "-machine")) == ("qemu-system-arm", "virt,highmem=off")
    assert "-dtb" not in wide
    assert value_of(narrow, "-dtb") == "/d/board.dtb"
    assert value_of(narrow, "-icount") == "shift=0,sleep=on"


def test_guest_has_no_way_out_and_its_port_is_on_the_loopback_only(spec: MachineSpec) -> None:
    netdev = value_of(arguments(spec), "-netdev").split(",")
    assert "restrict=on" in netdev
    assert [part for part in netdev if part.startswith("hostfwd=")] == ["hostfwd=tcp:127.0.0.1:0-10.0.2.15:22"]


def test_comma_in_a_folders_name_does_not_split_the_option(spec: MachineSpec) -> None:
    assert value_of(arguments(spec, Path("/a,b/run.qcow2")), "-drive").endswith(",file=/a,,b/run.qcow2")


def test_snapshot_is_loaded_only_where_one_is_named(spec: MachineSpec) -> None:
    assert "-loadvm" not in arguments(spec)
    assert value_of(arguments(spec, load="ready"), "-loadvm") == "ready"


def test_port_is_that_of_the_forwarding_and_not_of_a_connection() -> None:
    assert forwarded_port(USERNET) == 39189
    assert forwarded_port("VLAN\n") is None


def test_program_that_cannot_be_started_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _name: None)
    with pytest.raises(EmulatorError, match="could not be started: No such file or directory"):
        QemuProcess([str(tmp_path / "missing")], log=tmp_path / "log", keep_fds=[])
