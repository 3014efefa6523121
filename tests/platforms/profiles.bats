#!/usr/bin/env bats
# Tuning profiles on platforms that share the host's kernel (IR_TEST_PLATFORM, IR_TEST_KIND). The values in effect are
# checked once more by independent means: files of /proc and of the control groups, and tc. One guest after another.

bats_require_minimum_version 1.5.0

setup() {
    load helpers.bash
    [[ $(recipe it.shares_kernel) == True ]] || skip "for platforms that share the host's kernel"
}

teardown_file() {
    load helpers.bash
    rm -rf "$IR_LAB"
}

teardown() {
    load helpers.bash
    ir destroy --all
}

# Starts a guest with a profile. The output of `facts` is then in the variable `facts`.
guest_with() { # PROFILE ROLES
    provision one --profile "$1" --roles "$2"
    ir boot "$platform" one
    facts=$(ir facts "$platform" one)
    value "'\n'.join('# %s %s: %s asked %s, in effect %s' % ('$platform', '$1', r['knob'], r['asked'], r['in_effect'])
        for r in it['tuning'])" <<<"$facts" >&3
    [[ $(value "all(row['agrees'] for row in it['tuning'])" <<<"$facts") == True ]]
}

# Prints the guest's folder in the hierarchy of a controller, with cgroup v1 or v2.
group() { # CONTROLLER
    local root
    root=$(awk -v name=",$1," '$3 == "cgroup" && index("," $4 ",", name) { print $2; exit }' /proc/self/mounts)
    [[ -n $root ]] || root=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)
    echo "$root/$(prefix)-$platform/one"
}

# Prints the process ids, as the host sees them, of the guest's processes with this name.
processes() { # NAME
    local id folder
    folder=$(group cpu)
    while read -r id; do
        if [[ $(<"/proc/$id/comm") == "$1" ]]; then
            echo "$id"
        fi
    done < <(find "$folder" -name cgroup.procs -exec cat {} +)
}

refused() { # PROFILE
    run -77 ir provision "$platform" one ${kind:+--kind "$kind"} --profile "$1"
    echo "# $platform $1: $output" >&3
}

@test "pinned: the worker may run on one CPU, RabbitMQ has as many schedulers as asked" {
    guest_with pinned broker,worker
    pin=$(value "[r['asked'] for r in it['tuning'] if r['knob'] == 'inside.worker-pin'][0]" <<<"$facts")
    worker=$(processes ir-worker)
    [[ $(awk '/^Cpus_allowed_list/ { print $2 }' "/proc/$worker/status") == "$pin" ]]
    [[ $(tr '\0' ' ' <"/proc/$(processes beam.smp)/cmdline") == *"-S 1:1"* ]]
}

@test "quota-half-cpu: half a CPU stands in the cgroup" {
    guest_with quota-half-cpu ""
    file=$(group cpu)/cpu.cfs_quota_us
    [[ -e $file ]] || file=$(group cpu)/cpu.max
    [[ $(<"$file") == 50000* ]]
}

@test "shares: half the weight stands in the cgroup" {
    guest_with shares ""
    file=$(group cpu)/cpu.shares
    if [[ -e $file ]]; then
        [[ $(<"$file") == 512 ]]
    else
        [[ $(<"$(group cpu)/cpu.weight") == 20 ]]
    fi
}

@test "memory-limit: the limit stands in the cgroup" {
    guest_with memory-limit ""
    file=$(group memory)/memory.limit_in_bytes
    [[ -e $file ]] || file=$(group cpu)/memory.max
    [[ $(<"$file") == $((768 << 20)) ]]
}

@test "numa: memory of one node" {
    guest_with numa ""
    [[ $(<"$(group cpuset)/cpuset.mems") == 0 ]]
}

@test "io-throttle: the disk's number and the limits stand in the cgroup" {
    guest_with io-throttle ""
    file=$(group blkio)/blkio.throttle.write_bps_device
    [[ -e $file ]] || file=$(group cpu)/io.max
    [[ $(<"$file") == *$((20 << 20))* ]]
}

@test "io-scheduler: changed while it runs, put back afterwards" {
    disk=$(readlink -f "/sys/dev/block/$(stat -c %Hd:%Ld "$IR_IMAGES")")
    [[ -e $disk/queue ]] || disk=${disk%/*}
    before=$(<"$disk/queue/scheduler")
    [[ $before == *bfq* ]] || skip "this kernel has no bfq"
    guest_with io-scheduler ""
    [[ $(<"$disk/queue/scheduler") == *"[bfq]"* ]]
    ir stop "$platform" one
    [[ $(<"$disk/queue/scheduler") == "$before" ]]
}

@test "hugepages: the worker really holds static huge pages, and the host gets them back" {
    before=$(</proc/sys/vm/nr_hugepages)
    guest_with hugepages broker,worker
    [[ $(awk '/^HugetlbPages/ { print $2 }' "/proc/$(processes ir-worker)/status") -gt 0 ]]
    ir stop "$platform" one
    [[ $(</proc/sys/vm/nr_hugepages) == "$before" ]]
}

@test "hugepages-transparent: the worker asks for them, and the mode is as asked" {
    guest_with hugepages-transparent broker,worker
    tr '\0' '\n' <"/proc/$(processes ir-worker)/environ" | grep -qx 'GLIBC_TUNABLES=glibc.malloc.hugetlb=1'
    [[ $(</sys/kernel/mm/transparent_hugepage/enabled) == *"[madvise]"* ]]
}

@test "ksm: it runs and may look at the worker, and is put back" {
    before=$(</sys/kernel/mm/ksm/run)
    guest_with ksm broker,worker
    [[ $(</sys/kernel/mm/ksm/run) == 1 ]]
    grep -q 'ksm_merge_any: yes' "/proc/$(processes ir-worker)/ksm_stat"
    ir stop "$platform" one
    [[ $(</sys/kernel/mm/ksm/run) == "$before" ]]
}

@test "net-shaping: tbf at both ends" {
    [[ $(recipe "'network.rate' in it.knobs") == True ]] || skip "bare metal shares the host's interfaces"
    guest_with net-shaping ""
    # Finds the first process with a network of its own. (The group of a Podman container also contains processes of the
    # host.)
    init=$(find "$(group cpu)" -name cgroup.procs -exec cat {} + | while read -r each; do
        [[ $(readlink "/proc/$each/ns/net") == "$(readlink /proc/self/ns/net)" ]] || { echo "$each" && break; }
    done)
    nsenter -t "$init" -n tc qdisc show dev eth0 | grep -q 'tbf.*rate 100Mbit'
    nsenter --net="/run/netns/$IR_LAB_NETNS" tc qdisc show | grep -q "tbf.*$(prefix)-g.*rate 100Mbit"
}

@test "combined profiles are in effect together" {
    guest_with pinned+hugepages+quota-half-cpu broker,worker
    [[ $(value "len(it['tuning'])" <<<"$facts") -ge 5 ]]
}

@test "limits of a running guest" {
    guest_with default ""
    run -0 ir set "$platform" one cpu.quota=30% memory.limit=300M cpu.pin=0
    [[ $(<"$(group cpuset)/cpuset.cpus") == 0 ]]
    run -77 ir set "$platform" one inside.worker-pin=0
}

@test "knobs without a meaning here are refused with the reason" {
    refused balloon
    refused e1000-ide
    refused virtio
    refused sriov
    refused passthrough
    refused pinned-vm
}
