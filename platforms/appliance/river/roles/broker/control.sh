# Sourced by the broker's scripts after common.sh: functions that talk to the running node.
# shellcheck shell=bash

# shellcheck source=/dev/null
. "${settings:?}/node.conf"

# Whether the broker was configured as one of several.
in_cluster() {
    grep -q '^cluster_formation' "$settings/rabbitmq.conf"
}

# Runs a command of RabbitMQ's tools against this node, as the services' user.
control() { # TOOL WORD…
    local tool=$1
    shift
    as_river env -i PATH="$PATH" HOME="${data:?}" LANG=C.UTF-8 ERL_INETRC="$data/inetrc" RABBITMQ_CONF_ENV_FILE=/dev/null \
        RABBITMQ_CTL_ERL_ARGS="-proto_dist ${PROTOCOL:?} -kernel inet_dist_use_interface ${INTERFACE:?}" \
        "/usr/lib/rabbitmq/bin/$tool" -q --longnames --node "${NODE:?}" "$@"
}
