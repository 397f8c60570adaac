"""What tells whose board it is never leaves it: plain texts, and texts made to slip through."""

from __future__ import annotations

import pytest
from hilbench.targets.anonymous import anonymous

KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIHvGYdbUKrXkeoXo3Wk0PnOKdWDS5sAzQHWBqtIj4Zcd"


def made(text: str, *, hosts: tuple[str, ...] = (), users: tuple[str, ...] = (), cmdline: bool = False) -> str:
    return anonymous({"t": text}, hosts=hosts, users=users, cmdlines=["t"] if cmdline else []).texts["t"]


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("eth0 link/ether dc:a6:32:0F:1e:2d brd", "eth0 link/ether 02:00:00:00:00:01 brd"),
        ("dc-a6-32-0f-1e-2d", "02:00:00:00:00:01"),
        ("from 10.1.2.3:22", "from 192.0.2.1:22"),
        ("v10.1.2.3,10.1.2.3", "v192.0.2.1,192.0.2.1"),
        ("inet6 fe80::dea6:32ff:fe0f:1e2d/64", "inet6 2001:db8::1/64"),
        ("2a02:8109:0:1:2:3:4:5", "2001:db8::1"),
        ("PARTUUID=3B1C9A7E-0d2f-4a6b-8c1d-2e3f4a5b6c7d", "PARTUUID=00000000-0000-4000-8000-000000000001"),
        ("id 9f8e7d6c5b4a39281706f5e4d3c2b1a0\n", "id id-1\n"),
        ("Serial\t\t: 10000000a1b2c3d4", "Serial\t\t: id-1"),
        ("serial-number=1421219046789", "serial-number=id-1"),
        ('{"Serial No": "XJ-12/9"}', '{"Serial No": "id-1"}'),
        ("S/N 14212190467891", "S/N id-1"),
        (f"ssh-ed25519 {KEY} ann@lab", "host-key-1 address-1"),
        ("SHA256:PWWjgFZrYQ5tpRl3qYWIZRRi41mcwCmV3BE+uwack80", "host-key-1"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nAB\nCD\n-----END OPENSSH PRIVATE KEY-----\nx", "host-key-1\nx"),
        ("-----BEGIN RSA PRIVATE KEY-----\ncut off", "host-key-1"),
        ("/home/ann.lee/venv/bin/python:/home/ann.lee", "/home/user-1/venv/bin/python:/home/user-1"),
        ("file:///Users/Ann/x", "file:///Users/user-1/x"),
        ("mail ann@firm.example now", "mail address-1 now"),
        ("HOME_URL='https://wiki.firm.example/a?b'", "HOME_URL='https://host-1/a?b'"),
        ("nas2:/vol/x 1 2", "host-1:/vol/x 1 2"),
        ("gw.lab.intranet.", "host-1."),
        ("token ZmFrZSBidXQgbG9uZyBlbm91Z2ggdG8gYmUgYSBrZXkgaW4gYmFzZTY0 end", "token id-1 end"),
    ],
)
def test_what_tells_whose_board_it_is_gives_way(text: str, becomes: str) -> None:
    assert made(text) == becomes


@pytest.mark.parametrize(
    "text",
    [
        "Linux 6.1.0-50-arm64",
        "model name\t: Intel(R) Xeon(R) CPU E5-2686 v4 @ 2.30GHz",
        "Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid asimdrdm lrcpc dcpop asimddp",
        "CPU implementer\t: 0x41\nCPU part\t: 0xd0b",
        "processor\t: 0\nBogoMIPS\t: 108.00\nRevision\t: d04170",
        "MemTotal:        8245340 kB",
        "12:34:56 up 3:21",
        "serial@7e201000 soc:firmware cpu@0 i2c@fe804000 thermal_zone0",
        "brcm,bcm2712 raspberrypi,5-model-b",
        "0x00000000 0000000000000000",
        "262143328850",
        "glibc 2.36 Python 3.11.2",
        "serial console: enabled",
        "127.0.0.1 ::1 0.0.0.0",
        "GenuineIntel 0-3,6 cache_alignment : 64",
    ],
)
def test_what_the_probes_read_stays(text: str) -> None:
    assert made(text) == text


def test_names_that_are_known_are_found_as_words_and_nowhere_else() -> None:
    text = "ANN-PC ann annabel ann-pc.firm (ann) x_ann_y cannot Ann-Pc2"
    done = made(text, hosts=("ann-pc.firm.example",), users=("ann",))
    assert done == "host-1 user-1 annabel host-1.firm (user-1) x_user-1_y cannot Ann-Pc2"


def test_names_that_systems_come_with_leave_the_products_alone() -> None:
    text = "Raspberry Pi 5 by root on ubuntu"
    assert made(text, hosts=("raspberrypi", "ubuntu"), users=("Pi", "pi", "root")) == text
    assert made("/home/pi/x", users=("pi",)) == "/home/user-1/x"


def test_a_name_with_signs_of_a_pattern_is_only_a_name() -> None:
    assert made("a.b axb (a.b)", users=("a.b",)) == "user-1 axb (user-1)"


def test_a_thing_has_one_placeholder_in_all_texts_and_two_have_two() -> None:
    texts = {"b": "10.0.0.2 and 10.0.0.1", "a": "10.0.0.1", "c": "/home/ann 10.0.0.2 ann"}
    done = anonymous(texts, users=["ann"])
    assert done.texts == {"a": "192.0.2.1", "b": "192.0.2.2 and 192.0.2.1", "c": "/home/user-1 192.0.2.2 user-1"}
    assert done.replaced == {"IPv4 address": 2, "user name": 1}


@pytest.mark.parametrize(
    ("cmdline", "becomes"),
    [
        (
            "console=ttyS0,115200 root=PARTUUID=1234 ro isolcpus=3 smsc95xx.macaddr=DC:A6:32:00:00:01 secret quiet",
            "console=ttyS0,115200 root=removed ro isolcpus=3 smsc95xx.macaddr=removed removed quiet",
        ),
        ('psk="two words" mitigations=off', "psk=removed mitigations=off"),
        ('"bare secret" rw', "removed rw"),
        ('x="never closed secret', "x=removed"),
        ("init=/sbin/init -- --password hunter2", "init=/sbin/init removed removed removed"),
        ("quiet=", "quiet="),
    ],
)
def test_of_a_kernels_command_line_only_the_harmless_stays(cmdline: str, becomes: str) -> None:
    assert made(cmdline, cmdline=True) == becomes


ADVERSARIAL = """\
Serial:10000000a1b2c3d4 serial=10000000A1B2C3D4 [10000000a1b2c3d4]
host=ann-pc;ann-pc:/x ssh://ann-pc:22 ann@ann-pc ANN-PC.local
/home/ann /home/ann/ann '/home/ann' ann's dc:a6:32:0f:1e:2d|DC-A6-32-0F-1E-2D
10.0.0.1 10.0.0.1:80 10.0.0.1/24 (10.0.0.1) 10.0.0.1. fd00::1%eth0 [fd00::1]
"""


def test_texts_made_to_slip_through_do_not_and_a_second_time_changes_nothing() -> None:
    done = anonymous({"t": ADVERSARIAL}, hosts=["ann-pc"], users=["ann"])
    text = done.texts["t"].lower()
    for secret in ("ann", "a1b2c3d4", "10.0.0.1", "fd00", "dc:a6", "dc-a6"):
        assert secret not in text, secret
    again = anonymous(done.texts, hosts=["ann-pc"], users=["ann"])
    assert again.texts == done.texts
    assert again.replaced == {}
