# Sourced by the scripts of the roles, with the service's name as $1. Sets: name; settings (the
# service's configuration folder); data (its data folder, created if missing); and the variables of
# guest.conf.
#
# RIVER_ROOT is empty in a guest. On bare metal it is the folder used as the guest's root.
# shellcheck shell=bash
RIVER_ROOT=${RIVER_ROOT-}
# shellcheck disable=SC2034 # used by the sourcing script
{
    name=$1
    settings=$RIVER_ROOT/etc/river/services/$name
    data=$RIVER_ROOT/var/lib/river/$name
    started=$RIVER_ROOT/run/river/started/$name
}
# shellcheck source=/dev/null
. "$RIVER_ROOT/etc/river/guest.conf"

# A command prefix that makes programs use huge pages for the C library's malloc, if the tuning asks for it.
huge=()
# shellcheck disable=SC2034 # used by the sourcing script
case ${MALLOC_HUGEPAGES-} in
transparent) huge=(env GLIBC_TUNABLES=glibc.malloc.hugetlb=1) ;;
static) huge=(env GLIBC_TUNABLES=glibc.malloc.hugetlb=2) ;;
esac

# A command prefix that switches from root to the services' user. On bare metal, or if another supervisor has already
# switched, the user does not change.
drop=()
[[ -n $RIVER_ROOT || $EUID != 0 ]] || drop=(setpriv --reuid=river --regid=river --init-groups)

# Creates the data folder and changes into it. Only the service's user may read the settings: they
# contain passwords.
enter_data() {
    mkdir -p "$data"
    ((${#drop[@]} == 0)) || chown -R river:river "$data" "$settings"
    cd "$data" || exit 1
}

# Runs a command as the services' user.
as_river() {
    "${drop[@]}" "$@"
}

# Does the same, but replaces this shell by the command.
become_river() {
    exec "${drop[@]}" "$@"
}

# ---- the running process and its files ----

# Prints when a process started, in the kernel's ticks. Start time and process id together identify a process uniquely.
start_of() { # PID
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    # shellcheck disable=SC2086 # words; the program's name, which may have blanks, is cut off
    set -- ${stat##*) }
    echo "${20}"
}

# Prints lines "DIGEST  PATH". The digest of our own files is their SHA-256. Programs of other vendors may be large, so
# their digest is only the size and the time of the last change.
digests() { # FILE…
    local each ours=()
    for each in "$@"; do
        case $each in
        "$RIVER_ROOT"/opt/river/servers/*) stat -Lc '%s-%Y  %n' "$each" ;;
        "$RIVER_ROOT"/etc/river/* | "$RIVER_ROOT"/opt/river/*) ours+=("$each") ;;
        *) stat -Lc '%s-%Y  %n' "$each" ;;
        esac
    done
    ((${#ours[@]} == 0)) || sha256sum "${ours[@]}"
}

# Records this process's id and the files that it starts with: its settings, its scripts, and the named programs. Call
# it before any of them is read. Later, ir-deploy compares the record with the files, and `ready` checks that this
# process is the one that listens.
note_start() { # PROGRAM…
    local role=${0%/*}
    mkdir -p "${started%/*}"
    {
        echo "$$ $(start_of $$)"
        digests "$settings"/* "$role"/* "$RIVER_ROOT/opt/river/common.sh" "$RIVER_ROOT/etc/river/guest.conf" "$@"
    } >"$started.new"
    mv -f "$started.new" "$started"
}

# Records that the running process has read files again. LINES are their digests, taken before it did so.
note_reread() { # LINES
    local line path noted
    noted=$(cat "$started")
    while read -r line; do
        path=${line#*  }
        noted=$(grep -vF "  $path" <<<"$noted")$'\n'$line
    done <<<"$1"
    echo "$noted" >"$started.new"
    mv -f "$started.new" "$started"
}

# Prints the id of the service's process, if it runs.
running() {
    local pid start
    read -r pid start 2>/dev/null <"$started" && [[ $(start_of "$pid") == "$start" ]] && echo "$pid"
}

# Sends the service's process the signal to read its files again.
hang_up() {
    kill -HUP "$(running)"
}

# Prints an address without the brackets that IPv6 addresses have before a port.
bare() { # ADDRESS
    local inner=${1#[}
    echo "${inner%]}"
}

# Succeeds if the service's process, or a child of it, listens at that address and port.
owned() { # ADDRESS PORT
    local pid children each who
    pid=$(running) || return 1
    read -r -a children <"/proc/$pid/task/$pid/children" || true
    who=$(ss -Hltnp "sport = :$2" | awk -v address="$(bare "$1")" '{
        sub(/:[0-9]+$/, "", $4)
        gsub(/[][]|::ffff:/, "", $4)
        if ($4 == address) print
    }')
    for each in "$pid" "${children[@]}"; do
        [[ $who != *"pid=$each,"* ]] || return 0
    done
    # Some users cannot see which process owns a socket. One is root in a container: it cannot see HAProxy's listening
    # child, which belongs to another user. Then any listener counts if a process of the service is hidden too.
    [[ -n $who && $who != *users:* ]] || return 1
    for each in "$pid" "${children[@]}"; do
        readlink "/proc/$each/exe" >/dev/null || return 0
    done
    return 1
}

# Asks the service's process by HTTP, and runs a command with the response as its input; waits at most two seconds.
http_get() { # ADDRESS PORT PATH COMMAND…
    local address
    address=$(bare "$1")
    local host=$address
    [[ $address != *:* ]] || host="[$address]"
    owned "$1" "$2" || return 1
    # shellcheck disable=SC2016 # expanded by the inner shell
    timeout 2 bash -c 'exec 3<>"/dev/tcp/$0/$2" && printf "GET %s HTTP/1.0\r\nHost: %s\r\n\r\n" "$3" "$1" >&3 &&
        exec "${@:4}" <&3' "$address" "$host" "${@:2}" 2>/dev/null
}

# Prints the status code of such a response.
http_status() { # ADDRESS PORT PATH
    http_get "$@" sed 's/^[^ ]* //; s/[ \r].*//; q'
}

# Succeeds if the service's process accepts connections at that address and port.
listens() { # ADDRESS PORT
    owned "$1" "$2" || return 1
    # shellcheck disable=SC2016
    timeout 1 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$(bare "$1")" "$2" 2>/dev/null
}
