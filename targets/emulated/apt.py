"""Debian packages of the guest, fetched by the host's apt in folders of its own: no root, no foreign architecture.

The host's package state is neither read nor changed: apt gets its own state, cache and source list by APT_CONFIG. From
the host come only how to reach and check an archive (its `Acquire::` settings: proxies, certificates, clock checks),
logins, the mirror and Debian's keyring.
"""

from __future__ import annotations

import os
import re
import shlex
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import EmulatorError
from .programs import run_program
from .sources import AptSource, debian_mirror, parse_deb822, parse_one_line

MIRROR_SETTING = "HILBENCH_DEBIAN_MIRROR"
KEYRINGS = tuple(Path("/usr/share/keyrings") / f"debian-archive-keyring.{suffix}" for suffix in ("gpg", "pgp"))
_INSTALLED = re.compile(r"^Inst (?P<name>\S+) \((?P<version>\S+) .*\[(?P<arch>\w+)\]\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One binary package of the guest."""

    name: str
    version: str
    arch: str

    @property
    def file_name(self) -> str:
        """How apt names the downloaded file: an epoch's colon is written `%3a`."""
        return f"{self.name}_{self.version.replace(':', '%3a')}_{self.arch}.deb"


def host_mirror() -> str:
    """Debian's archive as this host reaches it; EmulatorError says what to set where the host has none."""
    named = os.environ.get(MIRROR_SETTING, "").strip()
    if named:
        return named.rstrip("/")
    mirror = debian_mirror(_host_sources())
    if mirror is None:
        raise EmulatorError(
            f"no apt source of this machine is Debian's archive: set {MIRROR_SETTING} to the URL of a Debian mirror"
        )
    return mirror


def archive_keyring() -> Path:
    """The keyring that Debian's archive is signed with."""
    for path in KEYRINGS:
        if path.is_file():
            return path
    raise EmulatorError(f"{KEYRINGS[0]} is missing: install the package debian-archive-keyring")


def check_archive(suite: str, arch: str) -> None:
    """Raise EmulatorError unless the host's mirror serves `suite` with a signature that the host's keyring knows.

    Costs one file of about 150 kB. A newer host's mirror usually serves older suites too, but that is not for granted.
    """
    with tempfile.TemporaryDirectory(prefix="hilbench-apt-") as folder:
        apt = GuestApt(Path(folder), suite=suite, arch=arch, mirror=host_mirror(), keyring=archive_keyring())
        apt.update(release_only=True)


class GuestApt:
    """apt for another suite and architecture, in `folder`; packages are kept in `folder/debs` for the next build."""

    def __init__(self, folder: Path, *, suite: str, arch: str, mirror: str, keyring: Path) -> None:
        self.debs = folder / "debs"
        for part in ("state/lists/partial", "cache/archives/partial", "debs"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / "state/status").write_text("")
        (folder / "sources.list").write_text(f"deb [arch={arch} signed-by={keyring}] {mirror} {suite} main\n")
        (folder / "apt.conf").write_text(private_apt_conf(folder, arch) + _host_acquire_settings())
        self._env = {"APT_CONFIG": str(folder / "apt.conf")}

    def update(self, *, release_only: bool = False) -> None:
        """Fetch the suite's signed release file and, unless `release_only`, its package index; apt checks both."""
        # Without this setting apt falls back to an old index when the mirror fails, and says so only in passing.
        argv = ["apt-get", "update", "-q", "-o", "APT::Update::Error-Mode=any"]
        if release_only:
            argv += ["-o", "Acquire::IndexTargets::deb::Packages::DefaultEnabled=false"]
        run_program(
            argv,
            doing="fetching Debian's package index for the emulated board",
            env=self._env,
        )

    def closure(self, names: Sequence[str]) -> list[Package]:
        """The packages with all that they depend on."""
        text = run_program(
            ["apt-get", "-s", "-q", "install", *names],
            doing="resolving the packages of the emulated board",
            env=self._env,
        )
        return parse_simulation(text)

    def kernel_package(self, meta: str) -> str:
        """The kernel that a meta package stands for now: `linux-image-arm64` -> `linux-image-<abi>-arm64`."""
        doing = "looking up the kernel of the emulated board"
        text = run_program(["apt-cache", "depends", meta], doing=doing, env=self._env)
        match = re.search(r"Depends: (linux-image-\S+)", text)
        if match is None:
            raise EmulatorError(f"{doing}: {meta} names no kernel")
        return match[1]

    def version_of(self, name: str) -> Package:
        """The version of a package that `download` fetches."""
        doing = f"looking up {name} for the emulated board"
        text = run_program(["apt-cache", "show", "--no-all-versions", name], doing=doing, env=self._env)
        fields = dict(line.split(": ", 1) for line in text.splitlines() if re.match(r"(Version|Architecture): ", line))
        if not fields:
            raise EmulatorError(f"{doing}: Debian's archive has no such package")
        return Package(name=name, version=fields["Version"], arch=fields["Architecture"])

    def download(self, packages: Sequence[Package]) -> list[Path]:
        """Fetch the packages that are not there yet, checked by apt; returns their files in the given order."""
        files = [self.debs / package.file_name for package in packages]
        lacking = [package for package, file in zip(packages, files, strict=True) if not file.is_file()]
        if lacking:
            run_program(
                ["apt-get", "download", "-q", *(f"{package.name}={package.version}" for package in lacking)],
                doing="downloading the packages of the emulated board",
                cwd=self.debs,
                env=self._env,
            )
        for file in files:
            if not file.is_file():
                raise EmulatorError(f"downloading the packages of the emulated board: apt left no {file.name}")
        return files


def private_apt_conf(folder: Path, arch: str) -> str:
    """An apt configuration that touches nothing outside `folder` and runs none of the host's hooks."""
    settings = {
        "Dir::Etc::main": "/dev/null",
        "Dir::Etc::parts": "/dev/null",
        "Dir::Etc::sourcelist": f"{folder}/sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "Dir::State": f"{folder}/state",
        "Dir::State::status": f"{folder}/state/status",
        "Dir::Cache": f"{folder}/cache",
        "APT::Architecture": arch,
        "APT::Architectures": arch,
        "APT::Install-Recommends": "false",
        # Root would else drop to the account _apt, which cannot write below a private cache folder.
        "APT::Sandbox::User": "root" if os.geteuid() == 0 else "",
    }
    return "".join(f'{key} "{value}";\n' for key, value in settings.items())


def parse_simulation(text: str) -> list[Package]:
    """Packages of `apt-get -s install`, one `Inst` line each."""
    matches = (_INSTALLED.match(line) for line in text.splitlines())
    return [Package(name=m["name"], version=m["version"], arch=m["arch"]) for m in matches if m is not None]


def _host_acquire_settings() -> str:
    text = run_program(
        ["apt-config", "dump", "--format", '%F "%v";%n', "Acquire"], doing="reading this machine's apt configuration"
    )
    return text + 'Acquire::Languages "none";\n'


def _host_sources() -> list[AptSource]:
    try:
        text = run_program(
            ["apt-config", "shell", "LIST", "Dir::Etc::sourcelist/f", "PARTS", "Dir::Etc::sourceparts/d"],
            doing="reading this machine's apt configuration",
        )
    except EmulatorError:  # no apt here: then there is no source either, and the caller says what to set
        return []
    places = dict(part.split("=", 1) for part in shlex.split(text))
    parts = Path(places.get("PARTS", "/etc/apt/sources.list.d"))
    files = [Path(places.get("LIST", "/etc/apt/sources.list")), *sorted(parts.glob("*"))]
    found: list[AptSource] = []
    for file in files:
        if file.suffix in (".list", ".sources") and file.is_file():
            content = file.read_text(errors="replace")
            found += parse_deb822(content) if file.suffix == ".sources" else parse_one_line(content)
    return found
