#!/bin/sh
# Replace what NATS has stored with a backup by deploy/backup.sh: sh deploy/restore.sh FILE.
#
# Services connected to NATS are stopped, and those that ran are started again. `setup` creates KV_marks again: from its
# age the userbot knows that its store is older than the chats (docs/operations.md, Backups).
set -eu
[ $# = 1 ] || { echo "usage: sh deploy/restore.sh FILE" >&2; exit 2; }
[ -r "$1" ] || { echo "restore.sh: $1 can't be read" >&2; exit 2; }
exec <"$1"
cd -P "$(dirname "$0")/.."
export COMPOSE_PROFILES="*" # all services that run
services="nats userbot business sandbox-userbot generate rabbitmq-worker bridge"

in_nats() { docker compose run --rm --no-deps -T --entrypoint sh nats -eu -c "$1"; }

# Unpack beside the current store, so that a damaged file harms nothing.
in_nats '
    for meta in /data/jetstream/*/_js_/_meta_; do
        if [ -e "$meta" ]; then echo "restore.sh: NATS is a cluster: see docs/operations.md, Backups" >&2; exit 1; fi
    done
    rm -rf /data/restoring
    mkdir /data/restoring
    busybox tar -C /data/restoring -xzf - && [ -d /data/restoring/jetstream ] || {
        rm -rf /data/restoring
        echo "restore.sh: this is not a complete backup; nothing was changed" >&2
        exit 1
    }
    rm -rf /data/restoring/jetstream/*/streams/KV_marks
'
running=
stopped=
trap '[ -z "$stopped" ] || echo "restore.sh: it failed, and has stopped$stopped: see above, run it again, then make up" >&2' EXIT
trap 'exit 1' INT TERM HUP
# A service that keeps ending, such as NATS with a broken store, may be between two starts.
scales= # keeps the numbers that `--scale` has set
found=$(docker compose ps --status running --status restarting --services </dev/null)
for service in $found; do
    case " $services " in
        *" $service "*)
            many=$(docker compose ps --status running --status restarting --quiet "$service" </dev/null | wc -l)
            running="$running $service"
            scales="$scales --scale $service=$((many))"
            ;;
    esac
done
# shellcheck disable=SC2086 # names of services
if [ -n "$running" ]; then
    stopped=$running
    docker compose stop $running </dev/null
fi
in_nats '
    if [ -d /data/jetstream ]; then
        rm -rf /data/replaced
        mv /data/jetstream /data/replaced
    fi
    mv /data/restoring/jetstream /data/jetstream
    rm -rf /data/restoring /data/replaced
' </dev/null
if [ -z "$running" ]; then
    echo "restore.sh: done; nothing was running, so nothing was started"
    exit
fi
# The services wait for `setup`, which runs once more.
# shellcheck disable=SC2086 # names of services
docker compose up -d --no-recreate $scales $running </dev/null
stopped=
echo "restore.sh: done"
