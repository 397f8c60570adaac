"""The few texts that make the guest's system: its init, the one of its initial RAM disk, its accounts.

The guest is busybox, dropbear and Python on Debian's packages, without systemd, DHCP or maintainer scripts: it is up in
seconds under emulation, and what runs on it beside a benchmark is known to the last process.
"""

from __future__ import annotations

from collections.abc import Mapping

GUEST_ADDRESS = "10.0.2.15"
READY_LINE = "INIT-READY"
WORKDIR = "/var/tmp/hilbench"  # noqa: S108  on the guest's disk; shared by all accounts on purpose
RUNTIMES_DIR = "/opt/hilbench/runtimes"

# In this order, each needs the ones before it. The virtio core is built into Debian's kernels, these are not.
INITRD_MODULES = (
    *("virtio_mmio", "virtio_blk", "failover", "net_failover", "virtio_net"),
    *("crc16", "crc32c_generic", "libcrc32c", "mbcache", "jbd2", "ext4"),
)

INITRD_INIT = """\
#!/bin/busybox sh
b=/bin/busybox
$b mount -t devtmpfs dev /dev
for module in {modules}; do $b insmod /modules/$module.ko || echo "insmod $module failed"; done
while [ ! -b /dev/vda ]; do $b usleep 20000; done
$b mount -t ext4 -o noatime,noinit_itable /dev/vda /mnt || echo "the disk cannot be mounted"
$b umount /dev
exec $b switch_root /mnt /init
""".format(modules=" ".join(INITRD_MODULES))

_INIT = """\
#!/bin/busybox sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin HOME=/root
[ -e /usr/bin/sh ] || /bin/busybox --install -s /usr/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t tmpfs -o mode=0755 tmpfs /run
ln -sf /proc/self/fd /dev/fd
name=$(sed -n 's/.*hilbench.board=\\([^ ]*\\).*/\\1/p' /proc/cmdline)
hostname "${name:-emulated}"
echo 2 >/proc/sys/kernel/perf_event_paranoid
ifconfig lo 127.0.0.1 up
ifconfig eth0 @ADDRESS@ netmask 255.255.255.0 up
route add default gw 10.0.2.2
if [ ! -d /usr/lib/python@PYTHON@/__pycache__ ]; then
@IMPORTS@
fi
( until grep -q '^ *[0-9]*: 00000000:0016 .* 0A ' /proc/net/tcp; do usleep 50000; done; echo @READY@ ) &
while :; do
    dropbear -F -E -s -r /etc/dropbear/dropbear_ed25519_host_key
    sleep 1
done
"""


def init_script(python: str, runtime_modules: Mapping[str, str]) -> str:
    """The guest's process 1, a shell script.

    The shell waits for dropbear as its foreground child and thereby reaps what others leave behind.
    `perf_event_paranoid` 2 lets every account count its own user-mode instructions; address randomisation and the
    out-of-memory killer stay as Debian has them. READY_LINE appears once port 22 listens, so no probing connection is
    open when the snapshot is taken. An image that was built without bytecode gets it at the first boot, by importing
    each runtime once: seconds now instead of at every import after a restore.
    """
    imports = (
        f"    PYTHONPATH={RUNTIMES_DIR}/{runtime} python3 -c 'import {module}'"
        for runtime, module in runtime_modules.items()
    )
    values = {"ADDRESS": GUEST_ADDRESS, "PYTHON": python, "READY": READY_LINE, "IMPORTS": "\n".join(imports)}
    script = _INIT
    for name, value in values.items():
        script = script.replace(f"@{name}@", value)
    return script


FILES: dict[str, str] = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    "etc/group": "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n",
    "etc/shadow": "root:*:19000:0:99999:7:::\nnobody:*:19000:0:99999:7:::\n",
    "etc/shells": "/bin/sh\n",
    "etc/hosts": "127.0.0.1 localhost\n",
    "etc/hostname": "emulated\n",
}


def set_clock_command(epoch_s: float) -> str:
    """The command that sets the guest's clock, to be run first after every open and restore.

    A snapshot brings its own time back, so the guest would else believe in the hour at which it was made.
    """
    return f"date -u -s @{epoch_s:.0f} >/dev/null"
