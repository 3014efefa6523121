# Sourced by the roles' scripts, with the service's name as $1. Sets: name, settings (the service's folder of
# configuration), data (its folder of data, made), and the variables of guest.conf.
#
# RIVER_ROOT is empty in a guest; on bare metal it is the folder that takes the place of the guest's root.
# shellcheck shell=bash
RIVER_ROOT=${RIVER_ROOT-}
# shellcheck disable=SC2034 # for who sources this
{
    name=$1
    settings=$RIVER_ROOT/etc/river/services/$name
    data=$RIVER_ROOT/var/lib/river/$name
}
# shellcheck source=/dev/null
. "$RIVER_ROOT/etc/river/guest.conf"

# Words before a program that takes its memory from the C library, when that is to use huge pages.
huge=()
# shellcheck disable=SC2034 # for who sources this
case ${MALLOC_HUGEPAGES-} in
transparent) huge=(env GLIBC_TUNABLES=glibc.malloc.hugetlb=1) ;;
static) huge=(env GLIBC_TUNABLES=glibc.malloc.hugetlb=2) ;;
esac

# Makes the data folder and goes there; the settings, with passwords in them, are the service's alone.
enter_data() {
    mkdir -p "$data"
    if [[ -z $RIVER_ROOT ]]; then
        chown -R river:river "$data" "$settings"
    fi
    cd "$data" || exit 1
}

# Runs a command as the user of the services; on bare metal that is who started them.
as_river() {
    if [[ -z $RIVER_ROOT ]]; then
        chpst -u river:river "$@"
    else
        "$@"
    fi
}

# Becomes it.
become_river() {
    if [[ -z $RIVER_ROOT ]]; then
        exec chpst -u river:river "$@"
    fi
    exec "$@"
}

# The status line of an HTTP request, in one second.
http_status() { # ADDRESS PORT PATH
    # shellcheck disable=SC2016 # they are the inner shell's
    timeout 1 bash -c 'exec 3<>"/dev/tcp/$0/$1" && printf "GET %s HTTP/1.0\r\nHost: %s\r\n\r\n" "$2" "$0" >&3 &&
        read -r _ status _ <&3 && echo "$status"' "$1" "$2" "$3" 2>/dev/null
}

listens() { # ADDRESS PORT
    # shellcheck disable=SC2016
    timeout 1 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$1" "$2" 2>/dev/null
}
