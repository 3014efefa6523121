#!/bin/sh
# Runs newcomer.py as a new user: an ordinary user with sudo, who clones the project into a folder with a space in its
# name, under umask 077. Called as root, in a separate root filesystem that is deleted afterwards (run.py --step
# newcomer).
#
#   newcomer.sh SOURCE      the repository to clone
set -eu
if [ "${1-}" = --help ] || [ $# -eq 0 ]; then
    sed -n '2,/^[^#]/s/^#\( \|$\)//p' "$0"
    exit
fi
useradd --create-home --shell /bin/bash newcomer
echo 'newcomer ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/newcomer
chown -R newcomer: "$1"
# A server may take long to start where much else runs.
# shellcheck disable=SC2016 # expanded by the inner shell
exec runuser -u newcomer -- env HOME=/home/newcomer IR_SERVER_SECONDS=900 sh -ec 'umask 077
    cd && sudo -n true && git clone --quiet "$0" "my river"
    cd "my river" && exec python3 tests/distributions/newcomer.py' "$1"
