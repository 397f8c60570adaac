"""`make test-rail`: power through the real /sys/class/hwmon of a real kernel, with its own INA226 and INA3221 drivers.

Not part of `make test`: it builds kernel modules of some 200 MB of Debian packages. The sensors behind the drivers are
the registers of the kernel's i2c-stub, which a script on the board sets.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hilbench.targets.connection import Connection
from hilbench.targets.emulated.machine import Machine
from hilbench.targets.power.meter import MeterError
from hilbench.targets.power.open import open_meter
from hilbench.targets.power.settings import HwmonSettings

from .kernel_modules import build_modules
from .power_rig import IDLE_W, WORKDIR, assert_within, board_of, drive, measured

INFERENCES = 52  # some more than the 10 s that a window needs at least

# Registers are 16 bits, big-endian on the wire, where SMBus words are little-endian. Power of the INA226 counts in
# 6.25 mW with a shunt of 10 mΩ; the INA3221 has 8 mV on the bus and 40 µV on its shunt a step, both shifted by 3.
BUS = """
import ctypes, fcntl, json, os, struct, time
class Data(ctypes.Structure):
    _fields_ = [("rw", ctypes.c_uint8), ("command", ctypes.c_uint8), ("size", ctypes.c_uint32),
                ("data", ctypes.POINTER(ctypes.c_uint16 * 17))]
bus = os.open("/dev/i2c-0", os.O_RDWR)
def write(address, register, value):
    words = (ctypes.c_uint16 * 17)(struct.unpack("<H", struct.pack(">H", value))[0])
    fcntl.ioctl(bus, 0x0706, address)  # I2C_SLAVE_FORCE: the driver has it
    fcntl.ioctl(bus, 0x0720, Data(0, register, 3, ctypes.pointer(words)))  # I2C_SMBUS, write a word
def ina226(watts):
    write(0x40, 0x03, int(watts * 160))
def ina3221(watts):
    write(0x41, 0x01, int(watts * 50) << 3)
"""
PREPARE = (
    BUS
    + f"""
write(0x40, 0x02, 4000)
write(0x40, 0x04, 4000)
write(0x41, 0x00, 0x7127)
write(0x41, 0x02, 625 << 3)
ina226({IDLE_W})
ina3221({IDLE_W})
for name, address in (("ina226", 0x40), ("ina3221", 0x41)):
    with open("/sys/bus/i2c/devices/i2c-0/new_device", "w") as file:
        file.write("%s 0x%x" % (name, address))
write(0x41, 0x02, 625 << 3)
ina226({IDLE_W})
ina3221({IDLE_W})
"""
)
APPLY = (
    BUS
    + """
def apply(watts):
    ina226(watts)
    ina3221(watts)
"""
)


@pytest.fixture(scope="module")
def rail(a72: Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """The board with both sensors in its /sys/class/hwmon, at 3 W."""
    modules = build_modules(a72.image.kernel_abi, tmp_path_factory.mktemp("rail"))
    with board_of(a72) as board:
        for module in modules:
            load(board, module, "chip_addr=0x40,0x41" if module.stem == "i2c-stub" else "")
        prepared = board.run("python3 -", timeout_s=60, stdin=PREPARE.encode())
        assert prepared.status == 0, prepared.stderr.decode()
        yield board


def load(connection: Connection, module: Path, parameters: str) -> None:
    connection.put(module, f"/tmp/{module.name}", timeout_s=60)
    done = connection.run(f"insmod /tmp/{module.name} {parameters}", timeout_s=60)
    assert done.status == 0, f"{module.name}: {done.stderr.decode()}"


def test_the_kernels_drivers_show_what_the_registers_hold(rail: Connection) -> None:
    shown = rail.run(
        "cd /sys/class/hwmon; for h in *; do case $(cat $h/name) in "
        "ina226) cat $h/power1_input $h/in1_input $h/curr1_input $h/shunt_resistor ;; "
        "ina3221) cat $h/in1_input $h/curr1_input ;; esac; done",
        timeout_s=60,
    )
    assert sorted(int(value) for value in shown.stdout.split()) == sorted([3_000_000, 5000, 1000, 10000, 5000, 600]), (
        shown
    )


def test_rails_without_a_name_are_asked_for(rail: Connection) -> None:
    with pytest.raises(MeterError, match="never added up: name one of ina226, channel 1, channel 2, channel 3"):
        open_meter(HwmonSettings(), rail, workdir=WORKDIR).setup()


@pytest.mark.parametrize("label", ["ina226", "channel 1"])
def test_joules_of_a_rail_are_within_their_stated_uncertainty(rail: Connection, label: str) -> None:
    energy, driven = measured(
        lambda: open_meter(HwmonSettings(rail=label, poll_s=0.03), rail, workdir=WORKDIR),
        lambda: drive(rail, APPLY, inferences=INFERENCES, idle_s=2.3),
    )
    assert_within(energy, driven)
    print(  # noqa: T201  what the rail measured is worth a line
        f"\n{energy.meter} {energy.site}: {energy.total_j:.4f} J ±{energy.uncertainty_j:.4f} J (k=2) per inference, "
        f"injected {driven.total_j:.4f} J; net {energy.net_j:.4f} J ±{energy.net_uncertainty_j:.4f} J, "
        f"injected {driven.net_j:.4f} J"
    )
