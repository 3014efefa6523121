"""Which kind of machine the collected facts report. The tests arrange files as on different systems."""

import pytest

from harness import servers  # noqa: F401 - puts tools/ on the path

import facts  # noqa: E402

X86 = "model name\t: Some CPU\nflags\t\t: fpu{}\n"
VIRTUAL, REAL = X86.format(" hypervisor"), X86.format("")


def system(root, cpuinfo, namespaces=None, **files):
    """Writes a system's files below `root`. `namespaces` are numbers that differ from the kernel's initial
    namespaces."""
    (root / "proc/self/ns").mkdir(parents=True)
    for name, number in {**facts.FIRST_NAMESPACES, **(namespaces or {})}.items():
        (root / "proc/self/ns" / name).symlink_to(f"{name}:[{number}]")
    for name, text in {"proc/cpuinfo": cpuinfo, **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


OWN = {"pid": 4026532001, "uts": 4026532002}
DMI = "sys/class/dmi/id/"


@pytest.mark.parametrize("files, namespaces, cpuinfo, told", [
    ({}, {}, REAL, "bare"),
    ({}, {}, VIRTUAL, "vm"),
    ({DMI + "sys_vendor": "QEMU"}, {}, VIRTUAL, "kvm"),
    ({DMI + "sys_vendor": "Amazon EC2", DMI + "product_name": "i3.metal"}, {}, REAL, "bare"),
    ({"sys/hypervisor/type": "xen\n"}, {}, VIRTUAL, "xen"),
    ({}, {}, VIRTUAL.replace("Some CPU", "QEMU Virtual CPU version 2.5+"), "emulated"),
    # a machine whose disk was made from a container image
    ({".dockerenv": ""}, {}, VIRTUAL, "vm"),
    ({".dockerenv": ""}, OWN, VIRTUAL, "docker in vm"),
    # a container that shares the processes of the host, and nothing else
    ({".dockerenv": ""}, {"uts": 4026532002}, REAL, "docker in bare"),
    # a system service with a host name of its own
    ({}, {"uts": 4026532002}, REAL, "bare"),
    ({}, OWN, VIRTUAL, "container in vm"),
    ({"proc/1/environ": "TERM=linux\0container=lxc\0"}, OWN, REAL, "lxc in bare"),
    ({"run/.containerenv": "", DMI + "product_name": "KVM"}, OWN, VIRTUAL, "podman in kvm"),
    ({"run/systemd/container": "systemd-nspawn\n"}, OWN, REAL, "systemd-nspawn in bare"),
    ({"proc/1/cgroup": "9:pids:/docker/0123\n"}, OWN, REAL, "docker in bare"),
    ({"sys/bus/virtio/devices/virtio0": ""}, {}, "processor\t: 0\nFeatures\t: fp\n", "vm"),
    ({}, {}, "processor\t: 0\nFeatures\t: fp\n", "bare"),
])
def test_platform(tmp_path, files, namespaces, cpuinfo, told):
    assert facts.platform(system(tmp_path, cpuinfo, namespaces, **files)) == told


def test_marks_count_where_the_kernel_does_not_tell(tmp_path):
    (tmp_path / ".dockerenv").touch()
    assert facts.container(tmp_path) == "docker"
