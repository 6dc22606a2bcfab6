#!/bin/sh
# Write everything that NATS has stored to a new file: sh deploy/backup.sh FILE. docs/operations.md says what it contains.
#
# This is a cold copy: NATS is down meanwhile, and all processes wait.
set -eu
[ $# = 1 ] || { echo "usage: sh deploy/backup.sh FILE" >&2; exit 2; }
case $1 in /*) file=$1 ;; *) file=$PWD/$1 ;; esac
for there in "$file" "$file.partial"; do
    [ ! -e "$there" ] || { echo "backup.sh: $there already exists; name another file" >&2; exit 2; }
done
cd -P "$(dirname "$0")/.."
umask 077 # the file contains people's messages

in_nats() { docker compose run --rm --no-deps -T --entrypoint sh nats -eu -c "$1"; }
started=
finish() {
    rm -f "$file.partial"
    if [ -n "$started" ]; then docker compose start nats; fi
}
trap finish EXIT
trap 'exit 1' INT TERM HUP

: >"$file.partial"
# A service that keeps ending may be between two starts.
running=$(docker compose ps --status running --status restarting --quiet nats)
if [ -n "$running" ]; then
    started=yes
    docker compose stop nats
fi
in_nats '
    for meta in /data/jetstream/*/_js_/_meta_; do
        if [ -e "$meta" ]; then echo "backup.sh: NATS is a cluster: see docs/operations.md, Backups" >&2; exit 1; fi
    done
    if [ ! -d /data/jetstream ]; then echo "backup.sh: NATS has stored nothing yet" >&2; exit 1; fi
    set -o pipefail
    busybox tar -C /data -cf - jetstream | busybox gzip # tar itself would look for gzip in PATH
' </dev/null >"$file.partial"
mv "$file.partial" "$file"
echo "backup.sh: wrote $1"
