from __future__ import annotations

from pathlib import Path

import pytest
from hilbench.targets.emulated.apt import Package, parse_simulation, private_apt_conf
from hilbench.targets.emulated.programs import last_words, pipe_programs, run_program
from hilbench.targets.errors import EmulatorError


def test_missing_program_is_named_with_the_way_to_its_package() -> None:
    with pytest.raises(EmulatorError, match=r"^making tea: no-such-program is not installed; `hilbench doctor` names"):
        run_program(["no-such-program"], doing="making tea")


def test_failing_program_is_quoted_with_its_first_error() -> None:
    script = "echo 'E: no route' >&2; echo 'E: some index files failed' >&2; exit 100"
    with pytest.raises(EmulatorError, match=r"^making tea: sh failed: E: no route$"):
        run_program(["sh", "-c", script], doing="making tea")


def test_program_that_hangs_ends_at_its_deadline() -> None:
    with pytest.raises(EmulatorError, match="did not end within 0 s"):
        run_program(["sleep", "60"], doing="making tea", timeout_s=0.1)


def test_pipe_fails_when_its_first_program_fails(tmp_path: Path) -> None:
    with pytest.raises(EmulatorError, match="sh failed: broken"):
        pipe_programs(["sh", "-c", "echo broken >&2; exit 3"], ["cat"], doing="piping")


def test_pipe_whose_second_program_stops_early_does_not_hang() -> None:
    with pytest.raises(EmulatorError, match="sh failed: enough"):
        pipe_programs(["yes"], ["sh", "-c", "echo enough >&2; exit 3"], doing="piping")


def test_silent_failure_is_said_to_be_one() -> None:
    assert last_words("\n \n") == "it said nothing"


def test_apt_simulation_gives_the_packages_and_their_file_names() -> None:
    text = (
        "The following NEW packages will be installed:\n"
        "Inst libc6 (2.36-9+deb12u14 Debian:12.15/oldstable [arm64]) []\n"
        "Inst zlib1g (1:1.2.13.dfsg-1 Debian:12.15/oldstable [arm64])\n"
        "Conf libc6 (2.36-9+deb12u14 Debian:12.15/oldstable [arm64])\n"
        "Inst netbase (6.4 Debian:12.15/oldstable [all])\n"
    )
    packages = parse_simulation(text)
    assert packages[1] == Package(name="zlib1g", version="1:1.2.13.dfsg-1", arch="arm64")
    assert [p.file_name for p in packages] == [
        "libc6_2.36-9+deb12u14_arm64.deb",
        "zlib1g_1%3a1.2.13.dfsg-1_arm64.deb",
        "netbase_6.4_all.deb",
    ]


def test_private_apt_reads_none_of_the_hosts_hooks_and_writes_only_below_its_folder() -> None:
    text = private_apt_conf(Path("/f"), "arm64")
    assert 'Dir::Etc::parts "/dev/null";' in text
    assert 'Dir::State "/f/state";' in text
    assert 'Dir::Cache "/f/cache";' in text
    assert 'APT::Architecture "arm64";' in text
