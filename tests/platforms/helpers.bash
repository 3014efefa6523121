# Shared by the tests of the platforms: a lab of their own below out/, in a network namespace of its own, with the
# project's stored appliances. Also a check that nothing is left afterwards.
#
# shellcheck shell=bash
project=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
platform=${IR_TEST_PLATFORM:-bare}
kind=${IR_TEST_KIND:-}

# Not in the folder of bats, which other users cannot enter: unprivileged containers must reach their root filesystems.
export IR_LAB=$project/out/test-platforms/$platform-${kind:-any}
export IR_LAB_NETNS=ir-test-$platform-${kind:-any}
export IR_IMAGES=${IR_IMAGES:-$project/out/lab/images}

ir() { # VERB WORDS…
    "$project/platforms/ir-platform" "$@"
}

# Runs a verb and prints how long it took. Fails if the verb fails.
timed() { # VERB WORDS…
    local begin end
    begin=$(date +%s%N)
    ir "$@"
    end=$(date +%s%N)
    printf '# %s %s: %-28s %6.2f s\n' "$platform" "$kind" "$*" "$(((end - begin) / 10000000))e-2" >&3
}

provision() { # NAME WORDS…
    local name=$1
    shift
    timed provision "$platform" "$name" ${kind:+--kind "$kind"} "$@"
}

# Prints a value of the JSON text on standard input, which a Python expression over `it` selects.
value() { # EXPRESSION
    python3 -c 'import json, sys; it = json.load(sys.stdin); print(eval(sys.argv[1]))' "$1"
}

# Prints a property of the platform's recipe, which a Python expression over `it` selects.
recipe() { # EXPRESSION
    PYTHONPATH=$project python3 -B -c 'import sys
from platforms.lab import registry
it = registry.recipe(sys.argv[1])
print(eval(sys.argv[2]))' "$platform" "$1"
}

prefix() {
    PYTHONPATH=$project python3 -B -c 'from platforms.lab import Lab; print(Lab().prefix)'
}

# Fails if something of the lab is left, and prints what it is.
no_residue() {
    local name left=()
    name=$(prefix)
    mapfile -t left < <(
        awk -v lab="$IR_LAB" 'index($2, lab) { print "mount", $2 }' /proc/self/mounts
        find /sys/fs/cgroup -name "$name*" -printf 'cgroup %p\n' 2>/dev/null
        ip -o link | awk -v name="$name" 'index($2, name) { print "interface", $2 }'
        ip netns list | awk -v name="$IR_LAB_NETNS" '$1 == name { print "network namespace", $1 }'
        find "$IR_LAB/guests" -mindepth 1 -maxdepth 1 -printf 'guest %p\n' 2>/dev/null
        [[ ! -e $IR_LAB/host.json ]] || echo "host settings $(<"$IR_LAB/host.json")"
        processes_of_lab
    )
    if ((${#left[@]})); then
        printf 'left: %s\n' "${left[@]}"
        return 1
    fi
}

# Prints the processes that name the lab in their command line or work in a folder of it, except those of the tests.
processes_of_lab() {
    local folder
    for folder in /proc/[0-9]*; do
        if { tr '\0' ' ' <"$folder/cmdline" | grep -qF "$IR_LAB/"; } 2>/dev/null ||
            readlink "$folder/cwd" "$folder/root" 2>/dev/null | grep -qF "$IR_LAB/"; then
            echo "process ${folder#/proc/} $({ tr '\0' ' ' <"$folder/cmdline" | cut -c 1-100; } 2>/dev/null)"
        fi
    done
}

# Starts a verb, sends it a signal after a while, and waits until it ends. Its exit status is then in `ended`.
interrupted() { # SIGNAL SECONDS VERB WORDS…
    signalled "sleep $2" "$1" "${@:3}"
}

# The same, but sends the signal as soon as a process exists whose command matches a pattern, or the verb has ended.
interrupted_at() { # SIGNAL PATTERN VERB WORDS…
    signalled "until_there $2" "$1" "${@:3}"
}

until_there() { # PATTERN
    local i
    for ((i = 0; i < 3000; i++)); do
        ! pgrep -f "$1" >/dev/null || return 0
        kill -0 "$child" 2>/dev/null || return 0
    done
}

signalled() { # WAIT SIGNAL VERB WORDS…
    local wait=$1 number=$2 child
    shift 2
    "$project/platforms/ir-platform" "$@" >"$BATS_TEST_TMPDIR/interrupted" 2>&1 3>&- &
    child=$!
    ${wait%% *} "${wait#* }"
    kill -s "$number" "$child" 2>/dev/null || true
    ended=0
    wait "$child" || ended=$?
    echo "ended with $ended: $(<"$BATS_TEST_TMPDIR/interrupted")"
}
