#!/usr/bin/env bats
# Live migration of a KVM guest between two libvirtd, each in its own network namespace; a veth pair connects the
# namespaces. The guest moves with shared storage, moves back, and moves with its disk copied to a "host" with separate
# folders. Slow under emulation.

bats_require_minimum_version 1.5.0

setup_file() {
    load helpers.bash
    [[ $platform == kvm ]] || skip "for KVM"
    export ELSEWHERE=$BATS_FILE_TMPDIR/elsewhere NETNS=ir-away-$$
    provision one --cpus 1 --memory 512
    timed boot kvm one
    join_namespaces
    other_daemon start
}

teardown_file() {
    load helpers.bash
    ir destroy --all
    other_daemon remove
    ip netns delete "$NETNS" || true
}

setup() {
    load helpers.bash
}

# The network of the other host: a bridge with the same name as the lab's, on the same segment.
join_namespaces() {
    local bridge
    bridge=$(prefix)-br
    ip netns add "$NETNS"
    ip -n "$NETNS" link set lo up
    ip -n "$NETNS" link add "$bridge" type bridge
    ip -n "$NETNS" link set "$bridge" up
    ip -n "$NETNS" link add wire0 type veth peer name wire1 netns "$IR_LAB_NETNS"
    ip -n "$NETNS" link set wire0 master "$bridge" up
    ip -n "$IR_LAB_NETNS" link set wire1 master "$bridge" up
}

# Starts a libvirtd in that namespace. It uses the lab's folder of guests or, if given, FOLDER in its place.
other_daemon() { # start|stop|remove [FOLDER]
    local over=${2:-$IR_LAB/guests}
    mkdir -p "$over" "$IR_LAB/guests"
    PYTHONPATH=$project unshare --mount --propagation slave sh -c 'mount --bind "$1" "$2" && shift 2 && exec "$@"' sh \
        "$over" "$IR_LAB/guests" nsenter --net="/run/netns/$NETNS" python3 -B -c '
import sys
from platforms.kvm.daemon import Daemon
getattr(Daemon(sys.argv[1]), sys.argv[2])()' "$ELSEWHERE" "$1"
}

uri() {
    echo "qemu+unix:///system?socket=$ELSEWHERE/run/libvirt-sock"
}

domains() { # URI
    virsh --quiet --connect "$1" list --name
}

answers() {
    run -0 ir exec kvm one cat /proc/sys/kernel/random/boot_id
}

@test "with shared storage: the same kernel continues on the other host" {
    answers && before=$output
    timed migrate kvm one "shared:$(uri)"
    [[ $(domains "$(uri)") == *-one ]]
    run -0 ir status kvm one
    [[ $output == running ]]
    answers
    [[ $output == "$before" ]]
}

@test "on the other host its tuning cannot be read, but its usage can" {
    run -1 ir migrate kvm one "shared:$(uri)"
    [[ $output == *home* ]]
    timed stats kvm one >"$BATS_TEST_TMPDIR/stats"
    [[ $(value "it['cpu_seconds'] > 0" <"$BATS_TEST_TMPDIR/stats") == True ]]
}

@test "home again" {
    answers && before=$output
    timed migrate kvm one home
    [[ -z $(domains "$(uri)") ]]
    answers
    [[ $output == "$before" ]]
    ir facts kvm one
}

@test "a host without its files: everything is copied, and fetched home when it stops there" {
    other_daemon stop
    other_daemon start "$BATS_FILE_TMPDIR/guests-there"
    ir exec kvm one sh -c 'echo before >/var/lib/river/kept && sync'
    timed migrate kvm one "copy:$(uri)"
    [[ -s $BATS_FILE_TMPDIR/guests-there/one/disk.qcow2 ]]
    ir exec kvm one sh -c 'echo there >>/var/lib/river/kept && sync'
    timed stop kvm one
    [[ ! -e $BATS_FILE_TMPDIR/guests-there/one/disk.qcow2 ]]
    timed boot kvm one
    run -0 ir exec kvm one cat /var/lib/river/kept
    [[ $output == before$'\n'there ]]
}

@test "an unreachable target: the guest continues at home" {
    run -1 ir migrate kvm one "copy:qemu+unix:///system?socket=/nowhere"
    run -1 ir migrate kvm one somewhere
    answers
}
