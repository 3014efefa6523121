"""Xen by xl in dom0: PV, PVH and HVM guests on disks as qcow2, raw or LVM volume. See docs/platforms.md."""
