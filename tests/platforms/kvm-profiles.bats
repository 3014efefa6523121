#!/usr/bin/env bats
# Tuning profiles of KVM guests. The values in effect are checked once more by independent means: QEMU's command line,
# its threads in /proc, the files of the control group, and the XML of the running domain. There is one guest for each
# of three sets of profiles.

bats_require_minimum_version 1.5.0

setup() {
    load helpers.bash
    [[ $platform == kvm ]] || skip "for KVM"
}

teardown() {
    load helpers.bash
    ir destroy --all
    no_residue
}

# Starts a guest with profiles. Sets name, xml, pid, group (its folder below that of each controller) and command.
guest_with() { # PROFILES WORDS…
    local profiles=$1
    shift
    provision one --cpus 2 --memory 768 --profile "$profiles" "$@"
    timed boot kvm one
    ir facts kvm one >"$BATS_TEST_TMPDIR/facts"
    value "'\n'.join('# %s: asked %s, in effect %s' % (r['knob'], r['asked'], r['in_effect']) for r in it['tuning'])" \
        <"$BATS_TEST_TMPDIR/facts" >&3
    [[ $(value "all(row['agrees'] for row in it['tuning'])" <"$BATS_TEST_TMPDIR/facts") == True ]]
    name=$(prefix)-one
    pid=$(<"$IR_LAB/libvirt/run/qemu/$name.pid")
    xml=$BATS_TEST_TMPDIR/live.xml
    in_libvirt dumpxml "$name" >"$xml"
    command=$(tr '\0' ' ' <"/proc/$pid/cmdline")
    group=$(sed -n 's/^[0-9]*:[^:]*:\(.*libvirt-qemu\).*/\1/p' "/proc/$pid/cgroup" | head -n 1)
}

in_libvirt() {
    virsh --quiet --connect "qemu+unix:///system?socket=$IR_LAB/libvirt/run/libvirt-sock" "$@"
}

in_xml() { # XPATH
    [[ $(xmllint --xpath "count($1)" "$xml") != 0 ]]
}

# Prints the content of a file of the control group, with cgroup v1 or v2.
limit_of() { # CONTROLLER V1-FILE V2-FILE
    local folder
    folder=$(awk -v name=",$1," '$3 == "cgroup" && index("," $4 ",", name) { print $2; exit }' /proc/self/mounts)
    if [[ -n $folder ]]; then
        cat "$folder$group/$2"
    else
        cat "$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)$group/$3"
    fi
}

thread_on() { # NAME CPUS
    local task
    for task in "/proc/$pid/task/"*; do
        if [[ $(<"$task/comm") == "$1" ]]; then
            [[ $(awk '/^Cpus_allowed_list/ { print $2 }' "$task/status") == "$2" ]]
            return
        fi
    done
    return 1
}

@test "virtio, pinned, huge pages, one node" {
    guest_with virtio+pinned-vm+numa+hugepages --set cpu.pin=0-1 --set cpu.emulator-pin=1 --set cpu.io-pin=0
    in_xml "//memoryBacking/hugepages"
    in_xml "//vcpupin[@vcpu='1'][@cpuset='1']"
    in_xml "//numatune/memory[@nodeset='0']"
    in_xml "//disk/driver[@cache='none'][@io='native'][@iothread='1'][@queues='2']"
    in_xml "//interface/model[@type='virtio']"
    [[ $command == *virtio-blk-pci*num-queues?* && $command == *'"aio":"native"'* ]]
    thread_on "CPU 0/TCG" 0 || thread_on "CPU 0/KVM" 0
    thread_on "CPU 1/TCG" 1 || thread_on "CPU 1/KVM" 1
    thread_on "IO iothread1" 0
    [[ $(awk '/^HugetlbPages/ { print $2 }' "/proc/$pid/status") -ge $((768 * 1024)) ]]
}

@test "scsi, balloon, limits on CPU, disk and network" {
    guest_with virtio-scsi+balloon+io-throttle+net-shaping+quota-half-cpu+shares
    in_xml "//controller[@type='scsi'][@model='virtio-scsi']/driver[@iothread='1'][@queues='2']"
    in_xml "//disk/target[@bus='scsi']"
    in_xml "//iotune[read_bytes_sec='52428800'][write_iops_sec='1000']"
    [[ $(limit_of cpu cpu.cfs_quota_us cpu.max) == 50000* ]]
    [[ $(limit_of cpu cpu.shares cpu.weight) =~ ^(512|20)$ ]]
    [[ $(nsenter --net="/run/netns/$IR_LAB_NETNS" tc qdisc show) == *"tbf"*"100Mbit"*"tbf"*"100Mbit"* ]]
    (($(in_libvirt dommemstat "$name" | awk '$1 == "actual" { print $2 }') == 384 * 1024))
    timed set kvm one cpu.quota=80% disk.read-iops=700 network.rate=50M memory.balloon=600M
    [[ $(limit_of cpu cpu.cfs_quota_us cpu.max) == 80000* ]]
    in_libvirt blkdeviotune "$name" sda | tr -s ' ' >"$BATS_TEST_TMPDIR/limits"
    grep -q '^read_iops_sec : 700$' "$BATS_TEST_TMPDIR/limits"
    grep -q '^write_iops_sec : 1000$' "$BATS_TEST_TMPDIR/limits"
}

@test "emulated hardware, with a limit on memory and equal pages shared" {
    guest_with e1000-ide+memory-limit+ksm --memory 1024
    in_xml "//interface/model[@type='e1000']"
    in_xml "//disk/target[@bus='ide']"
    [[ $command == *ide-hd* && $command == *e1000* ]]
    [[ $(limit_of memory memory.limit_in_bytes memory.max) == $((768 << 20)) ]]
    [[ $(</sys/kernel/mm/ksm/run) == 1 ]]
    [[ $(ir exec kvm one sh -c 'ls /sys/bus/pci/drivers') == *e1000* ]]
}

@test "missing features of this host are reported before anything is made" {
    local each
    for each in passthrough sriov; do
        run -77 ir provision kvm never --profile "$each"
        echo "# $each: $output" >&3
    done
    if [[ ! -e /dev/vhost-net ]]; then
        run -77 ir provision kvm never --set network.vhost=yes
    fi
    run -77 ir provision kvm never --set network.priority=3
}
