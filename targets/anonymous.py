"""Texts of a board without what tells whose board it is: names, numbers and keys give way to placeholders. Pure.

Each thing gets one placeholder wherever it stands, numbered in the order in which the texts, sorted by name, show it
first: the same texts always give the same result, and what was made anonymous stays as it is. In doubt a text is
replaced. The placeholders of addresses are those that RFC 5737 and RFC 3849 keep for documentation.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

# Accounts and names that systems come with: they tell nothing, and stand in names of products ("Raspberry Pi").
_COMMON = re.compile(
    "admin|alarm|arm|arduino|armbian|bench|bin|board|bus|cpu|daemon|debian|default|device|dietpi|fedora|guest|jetson"
    "|khadas|linaro|linux|localhost|mail|man|nobody|nvidia|odroid|operator|orangepi|pi|proxy|radxa|raspberrypi|rock"
    "|root|sync|sys|system|test|tty|ubuntu|users?|video|www-data",
    re.IGNORECASE,
)
# What stays of a kernel's command line: nothing that names a disk, a network or a person.
_CMDLINE_KEPT = re.compile(
    r"(8250\.nr_uarts|apparmor|arm64\.\w+|audit|cgroup_\w+|clk_ignore_unused|clocksource|cma|coherent_pool|console"
    r"|cpufreq\.\w+|cpuidle\.\w+|dwc_otg\.\w+|earlycon|earlyprintk|elevator|fbcon|fsck\.repair|hugepages|hugepagesz|idle"
    r"|init|intel_pstate|amd_pstate|isolcpus|kpti|loglevel|lsm|maxcpus|mem|mitigations|net\.ifnames|nmi_watchdog"
    r"|no_console_suspend|nohz|nohz_full|nosmt|nowatchdog|nr_cpus|panic|pcie_aspm|preempt|processor\.\w+|quiet|rcu_nocbs"
    r"|rcu_nocb_poll|ro|rootdelay|rootfstype|rootwait|rw|selinux|skew_tick|snd_bcm2835\.\w+|spectre_v2|splash|swiotlb"
    r"|systemd\.unified_cgroup_hierarchy|threadirqs|transparent_hugepage|tsc|usbcore\.\w+|vc_mem\.\w+|video)"
)
_CMDLINE_WORD = re.compile(r'([^\s="]+)(=(?:"[^"]*"?|\S)*)?|"[^"]*"?')

_EDGE, _END = r"(?<![0-9A-Za-z])", r"(?![0-9A-Za-z])"
_DOMAINS = (
    "arpa|at|be|biz|ca|ch|cloud|com|corp|cz|de|dev|dk|edu|es|eu|example|fi|fr|gov|home|info|int|internal|intranet|io|it"
    "|jp|lan|local|localdomain|mil|net|nl|no|org|pl|private|ru|se|tech|uk|us"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Anonymous:
    """Texts by name, as they may be shown, and how many different things of each kind were replaced in them."""

    texts: Mapping[str, str]
    replaced: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Rule:
    """What is replaced: the group `it` of the pattern. `kept` says which finds stay."""

    kind: str
    pattern: re.Pattern[str]
    placeholder: str
    kept: Callable[[str], bool] = lambda _: False


def anonymous(
    texts: Mapping[str, str],
    *,
    hosts: Collection[str] = (),
    users: Collection[str] = (),
    cmdlines: Collection[str] = (),
) -> Anonymous:
    """Replace in all texts what tells whose board it is.

    `hosts` and `users` are names that are known, to be found wherever they stand as a word; `cmdlines` names the texts
    that are a kernel's command line, of which only what is known to be harmless stays.
    """
    rules = (*_EXACT, *_known_names(hosts, users), *_LIKELY)
    known: dict[str, dict[str, str]] = {}
    done: dict[str, str] = {}
    for name in sorted(texts):
        text = _harmless(texts[name]) if name in cmdlines else texts[name]
        for rule in rules:
            text = rule.pattern.sub(_replacing(rule, known.setdefault(rule.kind, {})), text)
        done[name] = text
    return Anonymous(texts=done, replaced={kind: len(known[kind]) for kind in sorted(known) if known[kind]})


def _replacing(rule: _Rule, known: dict[str, str]) -> Callable[[re.Match[str]], str]:
    def replace(match: re.Match[str]) -> str:
        found = match["it"]
        if rule.kept(found):
            return match[0]
        word = known.setdefault(found.lower(), rule.placeholder.format(len(known) + 1))
        start, end = match.start("it") - match.start(), match.end("it") - match.start()
        return match[0][:start] + word + match[0][end:]

    return replace


def _known_names(hosts: Collection[str], users: Collection[str]) -> list[_Rule]:
    """Rules for names that are known; a host also by the first part of its name."""
    parts = {part for host in hosts for part in (host, host.partition(".")[0])}
    rules: list[_Rule] = []
    for kind, names, flags, placeholder in (
        ("host name", parts, re.IGNORECASE, "host-{}"),
        ("user name", set(users), re.NOFLAG, "user-{}"),
    ):
        words = sorted((name for name in names if _tells(name)), key=lambda name: (-len(name), name))
        if words:
            pattern = f"{_EDGE}(?P<it>{'|'.join(map(re.escape, words))}){_END}"
            rules.append(_Rule(kind, re.compile(pattern, flags), placeholder))
    return rules


def _tells(name: str) -> bool:
    return len(name) > 1 and not _COMMON.fullmatch(name) and not re.fullmatch(r"[\d.:]+", name)


def _harmless(cmdline: str) -> str:
    def harmless(match: re.Match[str]) -> str:
        key, value = match[1], match[2]
        if key is not None and _CMDLINE_KEPT.fullmatch(key):
            return match[0]
        return "removed" if value is None or key is None else f"{key}=removed"

    return _CMDLINE_WORD.sub(harmless, cmdline)


def _of_no_network(found: str) -> bool:
    """No IPv4 address, or one that tells nothing: this machine's own, and those for documentation."""
    try:
        address = ipaddress.IPv4Address(found)
    except ValueError:
        return True
    return found == "255.255.255.255" or address.is_loopback or address.is_unspecified or found.startswith("192.0.2.")


def _of_no_network_6(found: str) -> bool:
    try:
        address = ipaddress.IPv6Address(found)
    except ValueError:
        return True
    return address.is_loopback or address.is_unspecified or address in ipaddress.IPv6Network("2001:db8::/32")


def _unit_address(found: str) -> bool:
    """`serial@7e201000`, a node of a device tree, is no address of a person."""
    after = found.partition("@")[2]
    return re.fullmatch(r"[0-9a-f,]+", after) is not None and any(map(str.isdigit, after))


def _no_serial(found: str) -> bool:
    return not any(map(str.isdigit, found)) or set(found) <= set("0x") or re.fullmatch(r"id-\d+", found) is not None


def _no_identifier(found: str) -> bool:
    """Letters alone are a word, zeros alone are nothing."""
    return not any(map(str.isdigit, found)) or set(found) <= {"0"}


def _placeholder_host(found: str) -> bool:
    return re.fullmatch(r"host-\d+", found) is not None or found in ("localhost", "127.0.0.1")


_HEX = "[0-9a-fA-F]"
_HOST_KEY = (
    r"(?P<it>(?:ssh-(?:ed25519|rsa|dss)|ecdsa-sha2-[\w-]+|sk-[\w@.-]+)\s+AAAA[0-9A-Za-z+/]+=*"
    r"|SHA256:[0-9A-Za-z+/]{43}=?|-----BEGIN [A-Z ]*KEY-----(?:.|\n)*?(?:-----END [A-Z ]*KEY-----|\Z))"
)
_MAC = (
    f"(?<![0-9A-Za-z:-])(?P<it>(?:{_HEX}{{2}}:){{5,7}}{_HEX}{{2}}|(?:{_HEX}{{2}}-){{5,7}}{_HEX}{{2}})(?![0-9A-Za-z:-])"
)
_UUID = f"{_EDGE}(?P<it>{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}){_END}"
_SERIAL = r"(?i)(?<![a-z])serial(?:[ _-]*(?:number|num|no))?\.?[\"']?\s*[:=]\s*[\"']?(?P<it>[^\s\"',;]+)"
_LONG = f"{_EDGE}(?P<it>(?:0x)?{_HEX}{{16,}}|[0-9]{{14,}}|[0-9A-Za-z+/]{{40,}}=*){_END}"

# From what has a form of its own to what is only likely, so that a part of one thing is not taken for another.
_EXACT = (
    _Rule("host key", re.compile(_HOST_KEY), "host-key-{}"),
    _Rule(
        "user name",
        re.compile(r"/(?:home|Users)/(?P<it>[^/\s\"':,;)\]}\\]+)"),
        "user-{}",
        lambda found: re.fullmatch(r"user-\d+", found) is not None,
    ),
    _Rule(
        "UUID",
        re.compile(_UUID),
        "00000000-0000-4000-8000-{:012d}",
        lambda found: found.startswith("00000000-0000-4000-8000-"),
    ),
    _Rule("MAC address", re.compile(_MAC), "02:00:00:00:00:{:02x}", lambda found: found.startswith("02:00:00:00:00:")),
)
_LIKELY = (
    _Rule("address of a person", re.compile(r"(?P<it>[\w.+-]+@[\w.,-]*\w)"), "address-{}", _unit_address),
    _Rule("host name", re.compile(r"[a-z][a-z0-9+]+://(?P<it>[^/\s\"':?#\]]+)"), "host-{}", _placeholder_host),
    _Rule("host name", re.compile(r"(?m)^(?P<it>[\w.-]+|\[[\w:]+\]):/(?!/)"), "host-{}", _placeholder_host),
    _Rule(
        "IPv6 address",
        re.compile(rf"(?<![0-9A-Za-z:.])(?P<it>(?:{_HEX}{{0,4}}:){{2,7}}{_HEX}{{0,4}})(?![0-9A-Za-z:])"),
        "2001:db8::{:x}",
        _of_no_network_6,
    ),
    _Rule(
        "IPv4 address",
        re.compile(r"(?<![\d.])(?P<it>\d{1,3}(?:\.\d{1,3}){3})(?![\d.]*\d)"),
        "192.0.2.{}",
        _of_no_network,
    ),
    _Rule("host name", re.compile(rf"(?i){_EDGE}(?P<it>(?:[a-z0-9_-]+\.)+(?:{_DOMAINS})){_END}"), "host-{}"),
    _Rule("serial number", re.compile(_SERIAL), "id-{}", _no_serial),
    _Rule("serial number", re.compile(_LONG), "id-{}", _no_identifier),
)
