#!/bin/bash
# Installs, upgrades, removes and purges the packages in a fresh root of a Debian release, and checks the result of each
# step. Run by run.py, with the packages in /srv/deb and this folder in /srv/packages.
#
#   inside.sh VERSION-OF-THE-PROGRAMS
set -euo pipefail
version=$1
export DEBIAN_FRONTEND=noninteractive
conf=/etc/intelligent-river/river.conf
passed=0

fail() {
    echo "FAILED: $*"
    exit 1
}

ok() {
    passed=$((passed + 1))
    echo "ok: $*"
}

# Lists files that belong to the packages or were made by them, without the backups and caches of dpkg, apt and useradd.
files() {
    find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /srv -o -path /var/lib/dpkg \
        -o -path /var/lib/apt -o -path /var/cache -o -path /var/log \) -prune -o -print |
        grep -vE '^/etc/(passwd|group|shadow|gshadow|subuid|subgid)-$|^/etc/\.pwd\.lock$|/ld\.so\.cache$' | sort
}

users() {
    cut -d: -f1 /etc/passwd /etc/group | sort
}

# Makes the "previous version": changes a package's version and the default of one setting.
older() { # FILE
    local tree=/tmp/older
    dpkg-deb -R "$1" "$tree"
    sed -i 's/^Version: .*/Version: 0.0.9/' "$tree/DEBIAN/control"
    sed -i '1s/^/; of the version before\n/' "$tree$conf"
    sed -i "s|^[0-9a-f]*  ${conf#/}$|$(md5sum "$tree$conf" | cut -d' ' -f1)  ${conf#/}|" "$tree/DEBIAN/md5sums"
    dpkg-deb -b "$tree" /tmp/older.deb >/dev/null
    rm -r "$tree"
}

programs=$(echo /srv/deb/intelligent-river_*.deb)
[[ -e $programs ]] || fail "no package in /srv/deb"
mapfile -t all < <(find /srv/deb -maxdepth 1 -name '*.deb' ! -name '*-dbgsym_*')
apt-get -q update >/tmp/apt.log 2>&1 || fail "$(tail -3 /tmp/apt.log)"
# Installs the dependencies first, so that what remains after the purge is only from our packages.
for each in "${all[@]}"; do
    depends=$(dpkg-deb -f "$each" Pre-Depends Depends | sed 's/^[A-Za-z-]*: //' | paste -sd, |
        sed -E 's/intelligent-river[^,]*,?//g; s/, *$//')
    [[ -z $depends ]] || apt-get -qy --no-install-recommends satisfy "$depends" >/tmp/apt.log 2>&1 || fail "$(tail -3 /tmp/apt.log)"
done
apt-get -qy --no-install-recommends install bash-completion zsh >/tmp/apt.log 2>&1 || fail "$(tail -3 /tmp/apt.log)"
files >/tmp/files.before
users >/tmp/users.before

# ---- installed for the first time ----

older "$programs"
dpkg -i /tmp/older.deb >/tmp/dpkg.log 2>&1 || fail "$(tail -3 /tmp/dpkg.log)"
[[ $(stat -c '%a %U:%G' $conf) == "640 root:intelligent-river" ]] || fail "$conf: $(stat -c '%a %U:%G' $conf)"
ok "the settings are closed to others"
state=$(stat -c '%a %U:%G' /var/lib/intelligent-river)
[[ $state == "750 intelligent-river:intelligent-river" ]] || fail "/var/lib/intelligent-river: $state"
ok "there is a folder for the stores"
! find /etc/systemd -name 'ir-*' | grep . || fail "a unit is enabled that nobody configured"
ok "no unit is enabled or started before somebody has configured it"

# ---- upgraded ----

{ cat $conf && echo '; mine'; } >/tmp/mine
cat /tmp/mine >$conf
chmod 600 $conf
dpkg --force-confold -i "${all[@]}" >/tmp/dpkg.log 2>&1 || fail "$(tail -3 /tmp/dpkg.log)"
cmp -s /tmp/mine $conf || fail "an upgrade changed the administrator's settings"
[[ $(stat -c '%a %U:%G' $conf) == "600 root:intelligent-river" ]] || fail "an upgrade changed their mode: $(stat -c '%a %U:%G' $conf)"
[[ -e $conf.dpkg-dist ]] || fail "the new version's settings are not beside the administrator's"
ok "an upgrade keeps the administrator's settings and their mode"
dpkg --purge intelligent-river-tools intelligent-river intelligent-river-doc >/tmp/dpkg.log 2>&1 || fail "$(tail -3 /tmp/dpkg.log)"
{ dpkg -i /tmp/older.deb && dpkg -i "${all[@]}"; } >/tmp/dpkg.log 2>&1 || fail "$(tail -3 /tmp/dpkg.log)"
! grep -q 'of the version before' $conf || fail "settings that nobody changed are not the new version's"
ok "settings that nobody changed are the new version's"

# ---- what is installed works ----

for path in /usr/bin/ir-*; do
    name=${path##*/}
    [[ -s /usr/share/man/man1/$name.1.gz ]] || fail "$name has no manual page"
    bash -c ". /usr/share/bash-completion/completions/$name && complete -p $name" >/dev/null || fail "$name has no completion for bash"
    zsh -fc "fpath+=/usr/share/zsh/vendor-completions; autoload -Uz compinit && compinit -u -d /tmp/zcompdump
        [[ \${_comps[$name]} == _$name ]] && autoload -Uz +X _$name" || fail "$name has no completion for zsh"
    "$path" --help >/dev/null || fail "$name --help"
    # Programs in Python are links, and have no version.
    [[ -L $path || $("$path" --version) == "$name $version" ]] || fail "$name --version: $("$path" --version)"
done
ok "each program starts, knows its version, has a manual page and completions"
observation='[{"bn":"USGS-08068500/","bt":1320469200,"n":"00010","u":"Cel","v":18.7}]'
(cd /usr/share/intelligent-river && ir-annotate --registry=usgs_river.ttl --format=csv <<<"$observation") | grep 18.7 >/dev/null ||
    fail "ir-annotate does not annotate"
ok "an observation is annotated with the installed registry"
status=0
setpriv --reuid=intelligent-river --regid=intelligent-river --clear-groups -- \
    ir-worker --settings=$conf --print-settings >/dev/null || status=$?
((status == 0)) || fail "the services' user cannot read the settings: $status"
ok "the services' user reads the settings"
message=$(ir-platform check lxc || true)
installer=$(grep -o '[^ ]*tools/install' <<<"$message" | head -n 1)
[[ -x $installer ]] || fail "messages name '$installer', which is not installed"
ok "the installer that messages name is installed"
(cd /usr/share/intelligent-river/ingest && ./haproxy.py nodes.conf) | cmp -s - /usr/share/intelligent-river/ingest/haproxy.cfg ||
    fail "haproxy.py does not make haproxy.cfg of nodes.conf"
ok "the balancer's configuration is made of the installed list of nodes"
if command -v systemd-analyze >/dev/null; then
    units=(/usr/lib/systemd/system/ir-ingest.service /usr/lib/systemd/system/ir-worker@.service)
    systemd-analyze verify --man=no "${units[0]}" "${units[1]/@/@1}" || fail "systemd-analyze verify"
    for each in "${units[@]}"; do
        told=$(systemd-analyze security --offline=yes --threshold=20 "$each" | tail -n 1) || fail "$each: $told"
        ok "${each##*/}: $told"
    done
fi

# ---- removed and purged ----

echo stored >/var/lib/intelligent-river/documents.sqlite
dpkg --remove intelligent-river-tools intelligent-river intelligent-river-doc >/tmp/dpkg.log 2>&1 || fail "$(tail -3 /tmp/dpkg.log)"
[[ -e $conf && -e /var/lib/intelligent-river/documents.sqlite ]] || fail "removing took settings or data"
ok "removing keeps settings and data"
dpkg --purge intelligent-river-tools intelligent-river intelligent-river-doc >/tmp/dpkg.log 2>&1 || fail "$(tail -3 /tmp/dpkg.log)"
files >/tmp/files.after
users >/tmp/users.after
diff /tmp/files.before /tmp/files.after || fail "purging left files"
diff /tmp/users.before /tmp/users.after || fail "purging left users"
ok "purging leaves nothing"
echo "$passed passed"
