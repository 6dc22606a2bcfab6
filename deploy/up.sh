#!/bin/sh
# `docker compose up --build -d`, but what runs once comes first: if it fails, its line is on the terminal, and whatever
# runs goes on as it is. Arguments are for `up`, e.g. sh deploy/up.sh --scale generate=4
set -eu
cd -P "$(dirname "$0")/.."
sh deploy/passwords.sh
# Containers read these as other users: a clone that was made under a strict umask is its owner's alone.
chmod -R a+rX deploy observability 2>/dev/null || true
docker compose build
services=$(docker compose config --services)
for service in setup rabbitmq-setup model; do
    echo "$services" | grep -qx "$service" || continue
    code=0
    docker compose run --rm -T "$service" </dev/null || code=$?
    [ "$code" = 0 ] || {
        echo "deploy/up.sh: the service $service failed (exit code $code), and the userbot and the workers are as they were: mend what it says above, and run this again" >&2
        exit "$code"
    }
done
exec docker compose up -d "$@"
