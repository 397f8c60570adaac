from __future__ import annotations

from hilbench.targets.emulated.sources import AptSource, debian_mirror, parse_deb822, parse_one_line

DEB822 = """\
# a comment
Types: deb deb-src
URIs: http://mirror.example/debian/
Suites: trixie trixie-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: trixie-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""

UBUNTU = """\
Types: deb
URIs: http://archive.example/ubuntu
Suites: noble noble-updates
Components: main universe
Signed-By: /usr/share/keyrings/ubuntu-archive-keyring.gpg
"""


def test_deb822_source_is_read_with_all_its_fields() -> None:
    assert parse_deb822(DEB822)[0] == AptSource(
        uri="http://mirror.example/debian/",
        suites=("trixie", "trixie-updates"),
        components=("main", "contrib"),
        signed_by="/usr/share/keyrings/debian-archive-keyring.gpg",
    )


def test_deb822_continuation_lines_comments_and_several_uris_are_understood() -> None:
    uris = "uris: http://a.example/debian\n# in between\n http://b.example/debian\n"
    text = f"types: deb\n{uris}suites: sid\ncomponents: main\n"
    assert [source.uri for source in parse_deb822(text)] == ["http://a.example/debian", "http://b.example/debian"]


def test_disabled_and_source_only_stanzas_are_left_out() -> None:
    disabled = DEB822.replace("Suites:", "Enabled: no\nSuites:")
    only_sources = DEB822.replace("deb deb-src", "deb-src").split("\n\n")[0]
    assert parse_deb822(disabled) == []
    assert parse_deb822(only_sources) == []


def test_one_line_source_is_read_with_options() -> None:
    text = (
        "# deb http://old.example/debian bookworm main\n"
        "deb-src http://src.example/debian bookworm main\n"
        "deb [arch=amd64 signed-by=/debian-archive-keyring.gpg] https://m.example/debian bookworm main contrib # x\n"
    )
    assert parse_one_line(text) == [
        AptSource(
            uri="https://m.example/debian",
            suites=("bookworm",),
            components=("main", "contrib"),
            signed_by="/debian-archive-keyring.gpg",
        )
    ]


def test_mirror_is_the_archive_and_not_its_security_part() -> None:
    security_first = "\n\n".join(reversed(DEB822.split("\n\n")))
    assert debian_mirror(parse_deb822(security_first)) == "http://mirror.example/debian"


def test_source_signed_by_debian_wins_over_an_earlier_one_of_somebody_else() -> None:
    vendor = parse_one_line(
        "deb [signed-by=/usr/share/keyrings/vendor.gpg] http://vendor.example/apt bookworm main\n"
        "deb http://unsigned.example/debian bookworm main\n"
    )
    assert debian_mirror([*vendor, *parse_deb822(DEB822)]) == "http://mirror.example/debian"


def test_source_of_somebody_else_is_never_taken_for_debian() -> None:
    vendor = "deb [signed-by=/usr/share/keyrings/vendor.gpg] http://vendor.example/apt bookworm main\n"
    assert debian_mirror(parse_one_line(vendor)) is None


def test_classic_line_without_a_keyring_counts_when_it_names_a_debian_suite() -> None:
    text = "deb http://m.example/debian bookworm-updates main\ndeb http://other.example/x stable-thing main\n"
    assert debian_mirror(parse_one_line(text)) == "http://m.example/debian"


def test_ubuntu_has_no_debian_mirror() -> None:
    assert debian_mirror(parse_deb822(UBUNTU)) is None
    assert debian_mirror(parse_one_line("deb http://archive.example/ubuntu noble main\n")) is None


def test_installation_medium_is_no_mirror_and_a_mirror_list_is_one() -> None:
    text = "deb cdrom:[Debian 12]/ bookworm main\ndeb mirror+file:/etc/apt/mirrors/debian.list bookworm main\n"
    assert debian_mirror(parse_one_line(text)) == "mirror+file:/etc/apt/mirrors/debian.list"
