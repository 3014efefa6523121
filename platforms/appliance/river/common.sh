# Sourced by the scripts of the roles, with the service's name as $1. Sets: name; settings (the
# service's configuration folder); data (its data folder, created if missing); and the variables of
# guest.conf.
#
# RIVER_ROOT is empty in a guest. On bare metal it is the folder that stands for the guest's root.
# shellcheck shell=bash
RIVER_ROOT=${RIVER_ROOT-}
# shellcheck disable=SC2034 # used by the sourcing script
{
    name=$1
    settings=$RIVER_ROOT/etc/river/services/$name
    data=$RIVER_ROOT/var/lib/river/$name
}
# shellcheck source=/dev/null
. "$RIVER_ROOT/etc/river/guest.conf"

# A command prefix for programs that use the C library's malloc, when it shall use huge pages.
huge=()
# shellcheck disable=SC2034 # used by the sourcing script
case ${MALLOC_HUGEPAGES-} in
transparent) huge=(env GLIBC_TUNABLES=glibc.malloc.hugetlb=1) ;;
static) huge=(env GLIBC_TUNABLES=glibc.malloc.hugetlb=2) ;;
esac

# Creates the data folder and changes into it. Only the service's user may read the settings: they
# contain passwords.
enter_data() {
    mkdir -p "$data"
    if [[ -z $RIVER_ROOT ]]; then
        chown -R river:river "$data" "$settings"
    fi
    cd "$data" || exit 1
}

# Runs a command as the services' user. On bare metal that is the user who started them.
as_river() {
    if [[ -z $RIVER_ROOT ]]; then
        chpst -u river:river "$@"
    else
        "$@"
    fi
}

# The same, but replaces this shell by the command.
become_river() {
    if [[ -z $RIVER_ROOT ]]; then
        exec chpst -u river:river "$@"
    fi
    exec "$@"
}

# Prints the status line of an HTTP response; waits at most one second.
http_status() { # ADDRESS PORT PATH
    # shellcheck disable=SC2016 # expanded by the inner shell
    timeout 1 bash -c 'exec 3<>"/dev/tcp/$0/$1" && printf "GET %s HTTP/1.0\r\nHost: %s\r\n\r\n" "$2" "$0" >&3 &&
        read -r _ status _ <&3 && echo "$status"' "$1" "$2" "$3" 2>/dev/null
}

listens() { # ADDRESS PORT
    # shellcheck disable=SC2016
    timeout 1 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$1" "$2" 2>/dev/null
}
