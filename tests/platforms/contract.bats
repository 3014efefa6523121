#!/usr/bin/env bats
# The contract of all platforms: each verb, on one platform and kind (IR_TEST_PLATFORM, IR_TEST_KIND), in a separate
# lab. The tests follow a guest through its life, so their order matters.

bats_require_minimum_version 1.5.0

setup_file() {
    export IR_TEST_ROLES=${IR_TEST_ROLES:-broker,worker}
    load helpers.bash
    ir destroy --all
    rm -rf "$IR_LAB"
}

setup() {
    load helpers.bash
}

teardown_file() {
    load helpers.bash
    ir destroy --all
    rm -rf "$IR_LAB"
}

can_clone_by_copy_on_write() {
    [[ $platform != bare ]]
}

has_pipeline() {
    [[ $IR_TEST_ROLES == *broker* && $IR_TEST_ROLES == *worker* ]]
}

# Sends this number of messages of the real data to the guest `one`.
send() { # MESSAGES WORDS…
    local messages=$1 address
    shift
    address=$(ir list --json | value "[each['address'] for each in it if each['name'] == 'one'][0]")
    password() { sed -n "s/^$1 //p" "$IR_LAB/passwords"; }
    IR_AMQP="amqp://loadgen:$(password loadgen)@$address" IR_TARGET="amqp://mote:$(password mote)@$address" \
        nsenter --net="/run/netns/$IR_LAB_NETNS" "$project/out/release/ir-loadgen" --messages="$messages" \
        --replay="$project/loadgen/usgs_river_observations.csv.gz" --out="$BATS_TEST_TMPDIR/load" "$@" 3>&-
}

# Observations in a guest's store.
stored() { # GUEST
    ir exec "$platform" "$1" bash -c 'cd "${RIVER_ROOT-}/var/lib/river/worker" &&
        "${RIVER_ROOT-}/opt/river/bin/ir-store" status --json \
            --settings="${RIVER_ROOT-}/etc/river/services/worker/river.conf"' | value "it['documents']['observations']"
}

# Prints the number of brokers in the cluster of a guest's broker.
brokers_with() { # GUEST
    ir exec "$platform" "$1" bash -c '. "${RIVER_ROOT-}/etc/river/guest.conf" &&
        HOME=${RIVER_ROOT-}/var/lib/river/broker /usr/lib/rabbitmq/bin/rabbitmqctl --longnames \
            --node "rabbit-${ADDRESS##*.}@$ADDRESS" --formatter json cluster_status' |
        value "len(it['running_nodes'])"
}

@test "check lists each requirement as met" {
    run -0 ir check "$platform"
    [[ ${lines[0]} == "$platform: yes" ]]
    run -0 ir check --json "$platform"
    [[ $(value "it['$platform']['able']" <<<"$output") == True ]]
}

@test "facts are JSON and say whether it is emulated" {
    run -0 --separate-stderr ir facts "$platform"
    [[ $(value "type(it['emulated']).__name__" <<<"$output") == bool ]]
}

@test "impossible requests are refused with status 77 and the reason" {
    run -77 ir provision "$platform" never ${kind:+--kind "$kind"} --network passthrough:0000:ff:1f.7
    [[ $output == *"passthrough"* || $output == *"PCI"* ]]
    run -77 ir provision "$platform" never ${kind:+--kind "$kind"} --set disk.bus=xen --set disk.bus=ide \
        --set memory.balloon=1G --set network.nic=veth --set network.priority=7
    run -0 ir list
    [[ -z $output ]]
}

@test "a misspelt request is an error that names the mistake" {
    run -1 ir provision "$platform" never --set cpu.quota=fast
    [[ $output == *cpu.quota* ]]
    run -1 ir provision "$platform" "Bad Name"
    run -1 ir provision "$platform" never --roles baker
    [[ $output == *baker* ]]
    run -1 ir boot "$platform" nobody
    run -1 ir provision "$platform" never --profile none-such
}

@test "provision, and again without doing anything" {
    provision one --roles "$IR_TEST_ROLES"
    run -0 ir status "$platform" one
    [[ $output == stopped ]]
    run -0 ir provision "$platform" one ${kind:+--kind "$kind"} --roles "$IR_TEST_ROLES"
    ir provision "$platform" one ${kind:+--kind "$kind"} --roles "$IR_TEST_ROLES"
    run -1 ir provision "$platform" one ${kind:+--kind "$kind"} --roles worker
    [[ $output == *destroy* ]]
}

@test "exec needs a running guest" {
    run -1 ir exec "$platform" one true
    [[ $output == *boot* ]]
}

@test "boot returns when every role is ready; a second boot finds it running" {
    timed boot "$platform" one
    run -0 ir status "$platform" one
    [[ $output == running ]]
    run -0 ir boot "$platform" one
    run -0 ir list --json
    [[ $(value "it[0]['state']" <<<"$output") == running ]]
}

@test "exec passes words, streams and the exit status" {
    run -0 ir exec "$platform" one -- printf '%s|' 'two words' '$HOME' '"'
    [[ $output == 'two words|$HOME|"|' ]]
    run -3 ir exec "$platform" one sh -c 'exit 3'
    [[ $(echo through | ir exec "$platform" one cat) == through ]]
}

@test "push and pull keep every byte" {
    mkdir -p "$BATS_TEST_TMPDIR/out/deep"
    head -c 300000 /dev/urandom >"$BATS_TEST_TMPDIR/out/deep/bytes"
    where=$(ir exec "$platform" one sh -c 'echo "${RIVER_ROOT-}/var/lib/river/pushed"')
    timed push "$platform" one "$BATS_TEST_TMPDIR/out" "$where"
    timed pull "$platform" one "$where/out" "$BATS_TEST_TMPDIR/back"
    cmp "$BATS_TEST_TMPDIR/out/deep/bytes" "$BATS_TEST_TMPDIR/back/out/deep/bytes"
}

@test "observations go through the guest: all of them are stored" {
    has_pipeline || skip "no broker and worker in this guest"
    send 200 --drain-timeout=120s
    sent=$(value "it['observations_sent']" <"$BATS_TEST_TMPDIR/load/summary.json")
    ((sent > 0))
    [[ $(stored one) == "$sent" ]]
}

@test "stats are the guest's usage as the host sees it" {
    timed stats "$platform" one >"$BATS_TEST_TMPDIR/stats"
    [[ $(value "it['cpu_seconds'] > 0 and it['memory_bytes'] > 1000000" <"$BATS_TEST_TMPDIR/stats") == True ]]
}

@test "limits change while it runs and are read back" {
    timed set "$platform" one cpu.shares=300
    run -0 ir facts "$platform" one
    [[ $(value "[row for row in it['tuning'] if row['knob'] == 'cpu.shares'][0]['in_effect']" <<<"$output") == 300 ]]
}

@test "several guests at once, each with its address" {
    provision two
    timed boot "$platform" two
    [[ $(ir list --json | value "len({each['address'] for each in it})") == 2 ]]
    run -0 ir exec "$platform" two sh -c '. "${RIVER_ROOT-}/etc/river/guest.conf" && echo "$NAME"'
    [[ $output == two ]]
    timed destroy "$platform" two
    run -0 ir status "$platform" two
    [[ $output == absent ]]
}

@test "reboot: files stay, and it is ready again" {
    ir exec "$platform" one sh -c 'echo kept >"${RIVER_ROOT-}/var/lib/river/kept" && sync'
    timed reboot "$platform" one
    run -0 ir exec "$platform" one sh -c 'cat "${RIVER_ROOT-}/var/lib/river/kept"'
    [[ $output == kept ]]
}

@test "stop, and again" {
    timed stop "$platform" one
    run -0 ir stop "$platform" one
    run -0 ir status "$platform" one
    [[ $output == stopped ]]
}

@test "snapshot and restore" {
    [[ $platform != bare ]] || skip "bare metal has no snapshots"
    timed snapshot "$platform" one before
    run -1 ir snapshot "$platform" one before
    timed boot "$platform" one
    ir exec "$platform" one sh -c 'echo changed >/var/lib/river/kept && sync'
    ir stop "$platform" one
    timed restore "$platform" one before
    timed boot "$platform" one
    run -0 ir exec "$platform" one cat /var/lib/river/kept
    [[ $output == kept ]]
    ir stop "$platform" one
}

@test "clone by copy-on-write: quick, with its own name, and its source is kept" {
    can_clone_by_copy_on_write || skip "bare metal has no copy-on-write"
    timed clone "$platform" one child
    run -1 ir destroy "$platform" one
    run -1 ir boot "$platform" one
    timed boot "$platform" child
    run -0 ir exec "$platform" child sh -c 'cat /var/lib/river/kept; . /etc/river/guest.conf; echo "$NAME"'
    [[ $output == kept$'\n'child ]]
    ir destroy "$platform" child
}

@test "clone as a full copy: source and copy run side by side, each for itself" {
    has_pipeline && wait_in_queue
    timed clone "$platform" one twin --full
    timed boot "$platform" twin
    ir boot "$platform" one
    run -0 ir exec "$platform" twin sh -c 'cat "${RIVER_ROOT-}/var/lib/river/kept"'
    [[ $output == kept ]]
    has_pipeline && alone_with_a_copy
    ir destroy "$platform" twin
    ir stop "$platform" one
}

# Leaves messages in the queues of `one` and stops it. `before` is then the number of stored messages.
wait_in_queue() {
    ir boot "$platform" one
    before=$(stored one)
    ir exec "$platform" one sh -c 'sv -w 30 down "${RIVER_ROOT-}/run/river/service/worker"'
    send 250 --no-subscribe
    ir stop "$platform" one
}

# The copy has the stored data, but its broker is not part of the source's cluster. Messages that wait in the queues are
# delivered only by the source.
alone_with_a_copy() {
    [[ $(brokers_with twin) == 1 && $(brokers_with one) == 1 ]]
    for _ in $(seq 60); do
        (($(stored one) == before)) || break
        sleep 1
    done
    (($(stored one) > before))
    [[ $(stored twin) == "$before" ]]
}

@test "guests of one cluster: the second broker joins the first" {
    has_pipeline || skip "no broker in this guest"
    for each in left right; do
        provision "$each" --roles broker --cluster pair
        ir boot "$platform" "$each"
    done
    [[ $(brokers_with left) == 2 && $(brokers_with right) == 2 ]]
    ir destroy "$platform" left
    ir destroy "$platform" right
}

@test "interrupted while provisioning, nothing of it stays" {
    for seconds in 0.5 1.5 3; do
        interrupted INT "$seconds" provision "$platform" broken ${kind:+--kind "$kind"} --root copy
        ((ended == 130 || ended == 0))
        if ((ended == 130)); then
            run -0 ir status "$platform" broken
            [[ $output == absent ]]
            [[ ! -e $IR_LAB/guests/broken ]]
        fi
        ir destroy "$platform" broken
    done
}

@test "interrupted while starting, it is stopped, and starts the next time" {
    interrupted TERM 2.5 boot "$platform" one
    if ((ended == 143)); then
        run -0 ir status "$platform" one
        [[ $output == stopped ]]
    fi
    ir boot "$platform" one
}

@test "interrupted when its first process appears, it starts the next time" {
    [[ $platform == podman ]] || skip "only Podman's monitor outlives the program that starts a container"
    for step in "conmon .*$(prefix)-one" 'runc .* create ' 'runc init'; do
        ir stop "$platform" one
        interrupted_at TERM "$step" boot "$platform" one
        run -0 ir status "$platform" one
        [[ $output == stopped ]]
        ir boot "$platform" one
    done
}

@test "a guest killed during a verb can still be destroyed" {
    interrupted KILL 2 provision "$platform" broken ${kind:+--kind "$kind"} --root copy
    timed destroy "$platform" broken
    run -0 ir status "$platform" broken
    [[ $output == absent ]]
}

@test "destroy --all leaves nothing, and can be repeated" {
    timed destroy --all
    no_residue
    ir destroy --all
    no_residue
}
