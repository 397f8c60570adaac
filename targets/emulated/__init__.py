"""ARM boards emulated by QEMU: image, machine, control."""
