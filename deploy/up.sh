#!/bin/sh
# `docker compose up --build -d`, with the one-off services first: if one fails, the terminal shows its error, and running
# services are not touched. Arguments are passed to `up`, e.g. sh deploy/up.sh --scale generate=4
set -eu
cd -P "$(dirname "$0")/.."
sh deploy/passwords.sh
# An .env from a version that always started RabbitMQ.
[ -n "${COMPOSE_PROFILES+set}" ] || grep -q '^[[:space:]]*\(export[[:space:]]\{1,\}\)\{0,1\}COMPOSE_PROFILES[[:space:]]*=' .env ||
    echo "deploy/up.sh: .env does not set COMPOSE_PROFILES: add COMPOSE_PROFILES=rabbitmq for RabbitMQ and the bridge, or COMPOSE_PROFILES= to run without them" >&2
docker compose build
services=$(docker compose config --services)
for service in setup rabbitmq-setup model; do
    echo "$services" | grep -qx "$service" || continue
    code=0
    docker compose run --rm -T "$service" </dev/null || code=$?
    [ "$code" = 0 ] || {
        echo "deploy/up.sh: the service $service failed (exit code $code); the userbot and the workers were not touched: fix what it says above, and run this again" >&2
        exit "$code"
    }
done
exec docker compose up -d "$@"
