#!/usr/bin/env bats
# Network profiles of containers (IR_TEST_PLATFORM, IR_TEST_KIND): which guests can connect to which. The tests connect
# to a guest's ssh server.

bats_require_minimum_version 1.5.0

setup() {
    load helpers.bash
    [[ $(recipe "it.shares_kernel and 'private' in it.networks") == True ]] || skip "for containers"
}

teardown() {
    load helpers.bash
    ir destroy --all
}

teardown_file() {
    load helpers.bash
    rm -rf "$IR_LAB"
}

inside() { # COMMAND…: in the lab's network namespace
    nsenter --net="/run/netns/$IR_LAB_NETNS" "$@"
}

# Two guests on a network, running.
pair_on() { # NETWORK
    local each
    for each in one two; do
        provision "$each" --network "$1"
        ir boot "$platform" "$each"
    done
    # A guest may be ready before its ssh server, which is not one of the roles.
    # shellcheck disable=SC2016 # it is the guest's shell's
    ir exec "$platform" two bash -c 'for ((try = 0; try < 100; try++)); do
            : <>/dev/tcp/127.0.0.1/22 && exit
            sleep 0.1
        done 2>/dev/null
        exit 1'
    address=$(ir list --json | value "[each['address'] for each in it if each['name'] == 'two'][0]")
}

from_guest() {
    ir exec "$platform" one bash -c 'timeout 3 bash -c ": <>/dev/tcp/$0/22"' "$address"
}

from_host() {
    inside timeout 3 bash -c ': <>/dev/tcp/$0/22' "$address"
}

@test "bridge: guests reach each other, and the host them" {
    pair_on bridge
    from_guest
    from_host
}

@test "private: guests reach each other, the host does not" {
    pair_on private
    from_guest
    run ! from_host
}

@test "host-bridge: an existing bridge is used and left unchanged" {
    run -77 ir provision "$platform" one ${kind:+--kind "$kind"} --network host-bridge:none-such
    [[ $output == *"no bridge none-such"* ]]
    provision zero
    inside ip link add br-mine type bridge
    inside ip link set br-mine up
    pair_on host-bridge:br-mine
    from_guest
    ir destroy "$platform" one
    ir destroy "$platform" two
    inside ip link show br-mine
    inside ip link delete br-mine
}

@test "macvlan: guests reach each other over a device of the host" {
    provision zero
    inside ip link add up0 type veth peer name up1
    inside ip link set up0 up
    inside ip link set up1 up
    pair_on macvlan:up0
    from_guest
    run ! from_host
}

@test "vlan: guests with the same VLAN reach each other, or the missing feature is named" {
    run ir provision "$platform" one ${kind:+--kind "$kind"} --network vlan:7
    if ((status == 77)); then
        [[ $output == *VLAN* ]]
        skip "$output"
    fi
    ir destroy "$platform" one
    pair_on vlan:7
    from_guest
    run ! from_host
}

@test "a profile without its hardware is refused with the reason" {
    for each in passthrough:0000:ff:1f.7 sriov:0000:ff:1f.7 e1000; do
        run -77 ir provision "$platform" one ${kind:+--kind "$kind"} --network "$each"
        echo "# $each: $output" >&3
    done
    run -1 ir provision "$platform" one --network vlan:5000
    run -1 ir provision "$platform" one --network bridge:br0
}

@test "migrate works if CRIU supports the kernel; otherwise the guest stays" {
    provision one
    ir boot "$platform" one
    run ir migrate "$platform" one "$BATS_TEST_TMPDIR/checkpoint"
    if ((status == 77)); then
        [[ $output == *CRIU* ]]
        skip "$output"
    fi
    ((status == 0))
    ir exec "$platform" one true
}

@test "a subnet that this host has a route to is refused" {
    provision zero
    inside ip link add other type bridge
    inside ip address add 10.99.1.1/24 dev other
    inside ip link set other up
    mkdir -p "$IR_LAB"
    sed 's/^subnet = .*/subnet = 10.99.0.0\/16/' "$project/platforms/network.conf" >"$IR_LAB/network.conf"
    ir destroy "$platform" zero
    run -1 ir provision "$platform" one
    [[ $output == *"10.99.0.0/16 is in use here"* ]]
    rm "$IR_LAB/network.conf"
    inside ip link delete other
}
