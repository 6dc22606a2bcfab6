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
    # As compose reads it: `export`, spaces and quotes may be there, and an empty one is none.
    grep -q "^[[:space:]]*\(export[[:space:]]\{1,\}\)\{0,1\}${name}_PASSWORD[[:space:]]*=[[:space:]]*[\"']\{0,1\}[^[:space:]\"'#]" .env && continue
    printf '%s_PASSWORD=%s\n' "$name" "$(od -An -N 24 -t x1 /dev/urandom | tr -d ' \n')" >>.env
done
