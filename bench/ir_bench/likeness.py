"""The sheet of likeness: what two guests must have in common before their figures may be compared.

Each row is read from both guests while they run. There are four results. The values are the same. They differ in a
property of the platform (how the network is attached, the user that services run as). They differ in what is compared
on purpose (two commits, two settings). Or they differ otherwise; then no ratio is printed.
"""

from platforms.lab import verbs

SAME, PART, PURPOSE, DIFFERENT = "same", "part of the platform", "what is compared", "different"

# Properties of the platform itself: the comparison is about such differences.
OF_THE_PLATFORM = ("network", "user", "kernel", "root filesystem", "data filesystem", "mount options", "write cache")
# Rows in which two commits, two settings of the pipeline, or two profiles may differ.
OF_BUILDS = ("programs", "broker settings", "worker settings", "services")
OF_SETTINGS = ("services", "worker settings")
OF_PROFILES = ("processors", "CPU quota", "CPU shares", "memory limit", "network", "broker schedulers", "broker settings")

READ_SECONDS = 60

# Settings are compared without addresses, paths and passwords, which differ between guests. On bare metal a guest's
# processes are distinguished from others of the host by their control group; with version 2, lxc-attach makes its own
# (.lxc).
INSIDE = r"""
root=${RIVER_ROOT-} data=${RIVER_ROOT-}/var/lib/river services=${RIVER_ROOT-}/etc/river/services
sum() { sha256sum | cut -c1-16; }
settings() { sed "s#${root:-//}##g" "$@" 2>/dev/null | grep -v 'password\|[0-9]\.[0-9]' | sum; }
group() { awk -F: '$2 ~ /(^|,)cpu(,|$)/ { old = $3 } $2 == "" { new = $3 } END { print old ? old : new }' "$1/cgroup" 2>/dev/null; }
mine=$(group /proc/self)
own() { [ "$(group "$1")" = "${mine%.lxc}" ]; }
echo "programs=$(cat "$root"/opt/river/bin/* 2>/dev/null | sum)"
echo "kernel=$(uname -r)"
for each in rabbitmq-server haproxy erlang-base; do
    echo "version of $each=$(dpkg-query -W -f '${Version}' "$each" 2>/dev/null)"
done
echo "servers=$(cat /usr/sbin/haproxy /usr/lib/erlang/erts-*/bin/beam.smp 2>/dev/null | sum)"
echo "root filesystem=$(df --output=fstype / | tail -1)"
echo "data filesystem=$(df --output=fstype "$data" | tail -1)"
echo "mount options=$(df --output=target "$data" | tail -1 | while read -r place; do
    awk -v place="$place" '$2 == place { options = $4 } END { print options }' /proc/self/mounts; done | sed 's/,[a-z]*dir=[^,]*//g')"
echo "user=$(stat -c %U "$data/worker-1" 2>/dev/null || stat -c %U "$data")"
echo "write cache=$(cat /sys/block/[sv]d*/queue/write_cache /sys/block/xvd*/queue/write_cache 2>/dev/null | sort -u)"
echo "broker settings=$(settings "$services/broker/rabbitmq.conf")"
echo "worker settings=$(settings "$services"/worker*/river.conf)"
echo "caches and heaps=$(grep -hE '^(HEAP_MIB|CACHE_GB)=' "$services"/*/*.conf 2>/dev/null | sort -u | tr '\n' ' ')"
for each in /proc/[0-9]*; do
    if [ "$(cat "$each/comm" 2>/dev/null)" = beam.smp ] && own "$each"; then
        echo "broker schedulers=$(cat "$each"/task/*/comm | grep -c sched)"
    fi
done
"""


def read(lab, guests):
    """Returns {row: text} for running guests."""
    sheet = {}
    for guest in guests:
        platform = verbs.platform_of(lab, guest)
        told = verbs.execute(lab, guest.name, ["/bin/sh", "-c", INSIDE], seconds=READ_SECONDS * platform.patience(guest)).out
        own = dict(line.split("=", 1) for line in told.splitlines() if "=" in line)
        effect = {row.knob: row.in_effect for row in verbs.tuning_rows(lab, platform, guest)}
        own["processors"] = worded(effect.get("cpu.pin"))
        own["memory limit"] = mib(effect.get("memory.limit"))
        own["network"] = guest.network
        own["CPU quota"], own["CPU shares"] = (worded(effect.get(f"cpu.{knob}")) for knob in ("quota", "shares"))
        own["services"] = ",".join(name for name, _ in guest.services())
        sheet.update({f"{guest.name}: {key}": value for key, value in own.items()})
    return sheet


def worded(value):
    return "none" if value in (None, "") else str(value)


def mib(value):
    """Formats a limit given in bytes."""
    return f"{int(value) >> 20:,} MiB" if str(value).isdigit() else worded(value)


def purpose(first, second):
    """The rows in which two Subjects may differ, because the comparison is about this difference."""
    return ((OF_BUILDS if first.build != second.build else ()) + (OF_SETTINGS if first.settings != second.settings else ())
            + (OF_PROFILES if first.platform == second.platform and first.profile != second.profile else ()))


def compare(first, second, on_purpose=()):
    """Returns [(row, value of the first, value of the second, verdict)] for two sheets. The verdict is one of the four
    words."""
    rows = []
    for name in sorted({*first, *second}):
        one, other = first.get(name, ""), second.get(name, "")
        if one == other:
            word = SAME
        else:
            what = name.partition(": ")[2]
            word = PART if what in OF_THE_PLATFORM else PURPOSE if what in on_purpose else DIFFERENT
        rows.append((name, one, other, word))
    return rows
