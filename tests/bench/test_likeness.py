"""The values that are read inside guests to show how alike they are."""

import subprocess

from ir_bench import likeness
from ir_bench.subjects import Subject

SETTINGS = "cache = 64\nstore = {root}/var/lib/river/stores\nlisten = {address}:5672\namqp-password = {secret}\n"


def read(root, settings=SETTINGS, address="10.1.2.3"):
    """Returns the rows of a guest on bare metal that has this folder as its root."""
    services = root / "etc/river/services"
    for name, file in (("broker", "rabbitmq.conf"), ("worker-1", "river.conf")):
        (services / name).mkdir(parents=True, exist_ok=True)
        (services / name / file).write_text(settings.format(root=root, address=address, secret=root.name))
    (root / "var/lib/river").mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["/bin/sh", "-c", likeness.INSIDE], env={"RIVER_ROOT": str(root), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
                          capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return dict(line.split("=", 1) for line in done.stdout.splitlines())


def test_settings_are_alike_in_guests_with_other_roots_and_addresses(tmp_path):
    one, other = read(tmp_path / "one"), read(tmp_path / "other", address="10.9.9.9")
    assert one == other
    assert one["broker settings"] and one["kernel"] and one["data filesystem"] and one["user"]


def test_another_setting_is_another_row(tmp_path):
    one, other = read(tmp_path / "one"), read(tmp_path / "other", SETTINGS.replace("64", "65"))
    assert {key for key in one if one[key] != other[key]} == {"broker settings", "worker settings"}


def test_what_a_profile_changes_is_what_is_compared():
    whole, half = Subject("lxc", "lxc"), Subject("lxc+quota-half-cpu", "lxc", "quota-half-cpu")
    one, other = {"all: CPU quota": "None", "all: programs": "a"}, {"all: CPU quota": "50", "all: programs": "b"}
    words = [row[3] for row in likeness.compare(one, other, likeness.purpose(whole, half))]
    assert words == [likeness.PURPOSE, likeness.DIFFERENT]
    assert likeness.purpose(Subject("bare", "bare"), whole) == ()


def test_a_guest_with_the_root_of_its_own(tmp_path):
    """In a container RIVER_ROOT is not set; the settings are read from the file, too."""
    path = tmp_path / "river.conf"
    path.write_text(SETTINGS.format(root="", address="10.1.2.3", secret="x"))
    function = next(line for line in likeness.INSIDE.splitlines() if line.startswith("settings()"))
    script = f"sum() {{ cat; }}\n{function}\nroot= && settings {path}"
    assert subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True).stdout == (
        "cache = 64\nstore = /var/lib/river/stores\n")
