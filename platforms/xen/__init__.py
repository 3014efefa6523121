"""Xen, driven by xl in dom0: PV, PVH and HVM guests with qcow2, raw or LVM disks. See docs/howto/platforms.md."""
