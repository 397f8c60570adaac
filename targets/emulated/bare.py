"""A bare board: an emulated Debian with OpenSSH, Python and one ordinary account, and nothing of hilbench's.

It stands for a board that somebody just installed, and is reached as plain `ssh`: it proves that a runtime gets onto a
board without internet and without root. Data only; it boots with the kernel of the ordinary image.
"""

from __future__ import annotations

import hashlib
import json

from . import guest

USER = "bench"
# Suite -> its Python. Both run on the kernel of Debian 12.
SUITES = {"bookworm": "3.11", "trixie": "3.13"}
# Every Debian has libstdc++6 (apt needs it), and so these disks have it too.
PACKAGES = ("base-files", "busybox", "libstdc++6", "netbase", "openssh-server", "openssh-sftp-server", "python3")
HOST_KEY_FILE = "etc/ssh/ssh_host_ed25519_key"
# Raise it when the code that builds an image writes something else from the same data.
LAYOUT = 1

# Compiled at the first boot where the builder could not: what the agent and the runtimes import of Python's own.
_COMPILED = (
    *("argparse", "ast", "base64", "concurrent.futures", "csv", "ctypes", "dataclasses", "datetime", "decimal"),
    *("fractions", "hashlib", "importlib.metadata", "inspect", "json", "logging", "multiprocessing.pool", "pickle"),
    *("platform", "random", "secrets", "shutil", "socket", "statistics", "subprocess", "sysconfig", "tempfile"),
    *("textwrap", "tokenize", "typing", "unittest", "urllib.request", "uuid", "zipfile"),
)

_INIT = """\
#!/bin/busybox sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin HOME=/root
/bin/busybox --install -s /usr/bin 2>/dev/null
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t tmpfs -o mode=0755 tmpfs /run
ln -sf /proc/self/fd /dev/fd
mkdir -p /run/sshd
chown -R 1000:1000 /home/@USER@
hostname bare
ifconfig lo 127.0.0.1 up
ifconfig eth0 @ADDRESS@ netmask 255.255.255.0 up
if [ ! -d /usr/lib/python@PYTHON@/__pycache__ ]; then
    python3 -c 'import @MODULES@'
fi
( until grep -q '^ *[0-9]*: 00000000:0016 .* 0A ' /proc/net/tcp; do usleep 50000; done; echo @READY@ ) &
while :; do
    /usr/sbin/sshd -D
    sleep 1
done
"""
_SSHD_CONFIG = f"""\
ListenAddress 0.0.0.0
HostKey /{HOST_KEY_FILE}
PasswordAuthentication no
PermitRootLogin no
UsePAM no
PrintMotd no
Subsystem sftp /usr/lib/openssh/sftp-server
"""


def files() -> dict[str, str]:
    """Path on the disk -> text, for what no package brings."""
    return {
        **guest.FILES,
        "etc/passwd": guest.FILES["etc/passwd"]
        + "sshd:x:100:65534::/run/sshd:/usr/sbin/nologin\n"
        + f"{USER}:x:1000:1000::/home/{USER}:/bin/sh\n",
        "etc/group": guest.FILES["etc/group"] + f"{USER}:x:1000:\n",
        "etc/shadow": guest.FILES["etc/shadow"] + f"sshd:*:19000:0:99999:7:::\n{USER}:*:19000:0:99999:7:::\n",
        "etc/hostname": "bare\n",
        "etc/ssh/sshd_config": _SSHD_CONFIG,
    }


def init_script(suite: str) -> str:
    """The guest's process 1, a shell script; READY_LINE appears once port 22 listens."""
    values = {"ADDRESS": guest.GUEST_ADDRESS, "PYTHON": SUITES[suite], "READY": guest.READY_LINE, "USER": USER}
    values["MODULES"] = ", ".join(_COMPILED)
    script = _INIT
    for name, value in values.items():
        script = script.replace(f"@{name}@", value)
    return script


def image_name(suite: str) -> str:
    """The first 16 hex digits of the SHA-256 over all that decides what the image of a suite is."""
    recipe = {"layout": LAYOUT, "suite": suite, "packages": PACKAGES, "files": files(), "init": init_script(suite)}
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:16]
