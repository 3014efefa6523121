#!/bin/bash
# Starts, restarts and stops the installed units in a machine with systemd as process 1. Run by run.py.
set -euo pipefail
conf=/etc/intelligent-river/river.conf

fail() {
    echo "FAILED: $*"
    journalctl --no-pager -n 60 || true
    exit 1
}

answers() { # URL
    for _ in $(seq 600); do
        curl -fsS -o /dev/null "$1" 2>/dev/null && return
        sleep 0.1
    done
    fail "$1 does not answer"
}

main_process() { # UNIT
    systemctl show --property MainPID --value "$1"
}

systemctl is-active -q ir-ingest.service && fail "the gateway runs before anybody has configured it"
install -m 644 /usr/share/intelligent-river/usgs_river.ttl /etc/intelligent-river/registry.ttl
: >/etc/intelligent-river/tokens.txt
cat >$conf <<'END'
[common]
registry = /etc/intelligent-river/registry.ttl

[ir-ingest]
tokens = /etc/intelligent-river/tokens.txt
END
runuser -u intelligent-river -- env -C /var/lib/intelligent-river ir-store init --settings=$conf || fail "ir-store init"
[[ -e /var/lib/intelligent-river/documents.sqlite ]] || fail "the stores are elsewhere"
echo "ok: the documented command sets up the stores"
echo IR_HTTP=127.0.0.1:9101 >/etc/intelligent-river/worker-1.env
systemctl enable -q --now ir-worker@1 ir-ingest || fail "the units do not start"
answers http://127.0.0.1:9101/healthz
answers http://127.0.0.1:8080/healthz
[[ $(ps -o user:32= -p "$(main_process ir-worker@1)") == intelligent-river* ]] || fail "the worker's user is another"
echo "ok: worker and gateway start and answer, as the services' user"
systemctl reload ir-worker@1 ir-ingest || fail "they do not reload"
answers http://127.0.0.1:9101/healthz
echo "ok: they reload"

worker=$(main_process ir-worker@1) gateway=$(main_process ir-ingest)
dpkg --force-confold -i /srv/deb/intelligent-river_*.deb >/tmp/dpkg.log 2>&1 || fail "$(tail -3 /tmp/dpkg.log)"
answers http://127.0.0.1:9101/healthz
answers http://127.0.0.1:8080/healthz
[[ $(main_process ir-worker@1) != "$worker" && $(main_process ir-ingest) != "$gateway" ]] || fail "an upgrade leaves the old ones running"
echo "ok: an upgrade restarts what runs"

systemctl stop ir-worker.target ir-ingest
[[ $(systemctl is-active ir-worker@1 ir-ingest | sort -u) == inactive ]] || fail "stopped with an error or not at all"
journalctl --no-pager -u ir-worker@1 -u ir-ingest | grep -iE 'timed out|killing' && fail "they had to be killed"
echo "ok: they stop in time"
systemctl start ir-worker@1
dpkg --purge intelligent-river >/tmp/dpkg.log 2>&1 || fail "$(tail -3 /tmp/dpkg.log)"
! pgrep -x ir-worker || fail "the worker outlives its package"
! find /etc/systemd /var/lib/systemd -name 'ir-*' | grep . || fail "purging left links of units"
echo "ok: purging stops them"
