#!/bin/sh
# Write random passwords for compose.yaml and the user of `tools` into .env, where they are missing, and let
# containers read their configurations. NATS and RabbitMQ have a user for each process (docs/security.md); you don't need to
# know these passwords.
set -eu
cd -P "$(dirname "$0")/.."
umask 077
touch .env
chmod 600 .env
# The last line may lack its line break.
[ -z "$(tail -c 1 .env)" ] || echo >>.env
# As compose reads it: with or without `export`, spaces and quotes; an empty password counts as missing.
has() { grep -q "^[[:space:]]*\(export[[:space:]]\{1,\}\)\{0,1\}$1[[:space:]]*=[[:space:]]*[\"']\{0,1\}[^[:space:]\"'#]" .env; }
for name in NATS_SETUP NATS_USERBOT NATS_GENERATE NATS_BRIDGE NATS_TOOLS NATS_CLUSTER RABBITMQ; do
    has "${name}_PASSWORD" && continue
    printf '%s_PASSWORD=%s\n' "$name" "$(od -An -N 24 -t x1 /dev/urandom | tr -d ' \n')" >>.env
done
# Containers run as other users, who must be able to read what is mounted from here, whatever the checkout's umask was.
for place in deploy observability; do
    [ ! -d "$place" ] || find "$place" \( ! -perm -004 -o -type d ! -perm -005 \) -exec chmod a+rX {} +
done
# Files that `tools` writes shall belong to the owner of their directory.
mkdir -p recordings
# shellcheck disable=SC2012 # stat's options differ between systems
has TOOLS_USER || ls -nd recordings | awk '{ print "TOOLS_USER=" $3 ":" $4 }' >>.env
