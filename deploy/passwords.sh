#!/bin/sh
# Writes random passwords for compose.yaml into .env, those that it does not have yet. NATS and RabbitMQ have a user for
# each process (docs/security.md); nobody needs to know these passwords.
set -eu
cd -P "$(dirname "$0")/.."
umask 077
touch .env
chmod 600 .env
# The last line may have no end.
[ -z "$(tail -c 1 .env)" ] || echo >>.env
for name in NATS_SETUP NATS_USERBOT NATS_GENERATE NATS_BRIDGE NATS_TOOLS NATS_CLUSTER RABBITMQ; do
    grep -q "^${name}_PASSWORD=." .env && continue
    printf '%s_PASSWORD=%s\n' "$name" "$(od -An -N 24 -t x1 /dev/urandom | tr -d ' \n')" >>.env
done
