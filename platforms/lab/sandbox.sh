#!/bin/sh
# Replaces the host's root filesystem by another one and runs a command in it. This script is the
# first process of the namespaces that unshare(1) made; when it ends, every mount and process in
# them ends. Inside, only the host's kernel, some devices, the cgroups and the bound folders are
# visible.
#
#   sandbox.sh ROOT LAYER NAME [ro|rw|over SOURCE TARGET]... -- WORD...
#
# LAYER: a folder that receives all writes; ROOT and the folders bound "over" stay unchanged. "-":
# write to ROOT itself.
# NAME: the host name inside.
set -eu
if [ "${1-}" = --help ] || [ $# -eq 0 ]; then
    sed -n '2,/^[^#]/s/^#\( \|$\)//p' "$0"
    exit
fi
root=$1 layer=$2 name=$3
shift 3

# Writes at TARGET go to LAYER; SOURCE stays unchanged.
overlay() { # SOURCE LAYER TARGET
    mkdir -p "$2/upper" "$2/work" "$3"
    mount -t overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" overlay "$3"
}

if [ "$layer" = - ]; then
    new=$root
    mount --bind "$root" "$root"
else
    new=$layer/root
    overlay "$root" "$layer" "$new"
fi

mount -t proc proc "$new/proc"
mount -t sysfs sysfs "$new/sys"
mount --rbind /sys/fs/cgroup "$new/sys/fs/cgroup"
mount -t tmpfs -o mode=755 run "$new/run"
mkdir -m 1777 "$new/run/lock"
mount -t tmpfs -o mode=755 dev "$new/dev"
mkdir "$new/dev/pts" "$new/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$new/dev/pts"
mount -t tmpfs shm "$new/dev/shm"
for device in null zero full random urandom tty fuse kvm net/tun; do
    [ -c "/dev/$device" ] || continue
    mkdir -p "$(dirname "$new/dev/$device")"
    : >"$new/dev/$device"
    mount --bind "/dev/$device" "$new/dev/$device"
done
ln -s pts/ptmx "$new/dev/ptmx"
ln -s /proc/self/fd "$new/dev/fd"
ln -s /proc/self/fd/0 "$new/dev/stdin"
ln -s /proc/self/fd/1 "$new/dev/stdout"
ln -s /proc/self/fd/2 "$new/dev/stderr"

while [ "$1" != -- ]; do
    if [ -d "$2" ]; then
        mkdir -p "$new$3"
    else
        mkdir -p "$(dirname "$new$3")"
        [ -e "$new$3" ] || : >"$new$3"
    fi
    case $1 in
    over) overlay "$2" "$layer/over$3" "$new$3" ;;
    *) mount --bind "$2" "$new$3" ;;
    esac
    [ "$1" != ro ] || mount -o remount,ro,bind "$new$3"
    shift 3
done
shift

echo "$name" >/proc/sys/kernel/hostname
rm -f "$new/etc/hosts" "$new/etc/hostname" "$new/etc/resolv.conf"
{ cat /etc/hosts && printf '127.0.0.1 localhost %s\n' "$name"; } >"$new/etc/hosts"
echo "$name" >"$new/etc/hostname"
[ ! -e /etc/resolv.conf ] || cat /etc/resolv.conf >"$new/etc/resolv.conf"
ip link set lo up

cd "$new"
pivot_root . mnt
umount --lazy /mnt
# The shell stays process 1, to reap orphaned processes.
# shellcheck disable=SC2016 # expanded by that shell
exec chroot . /bin/sh -c '"$@"; exit $?' sh "$@"
