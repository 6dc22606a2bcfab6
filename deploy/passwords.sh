#!/bin/sh
# Writes random passwords for compose.yaml into .env, those that it does not have yet, and whose user `tools` is, and lets
# containers read their configurations. NATS and RabbitMQ have a user for each process (docs/security.md); nobody needs to
# know these passwords.
set -eu
cd -P "$(dirname "$0")/.."
umask 077
touch .env
chmod 600 .env
# The last line may have no end.
[ -z "$(tail -c 1 .env)" ] || echo >>.env
# As compose reads it: `export`, spaces and quotes may be there, and an empty one is none.
has() { grep -q "^[[:space:]]*\(export[[:space:]]\{1,\}\)\{0,1\}$1[[:space:]]*=[[:space:]]*[\"']\{0,1\}[^[:space:]\"'#]" .env; }
for name in NATS_SETUP NATS_USERBOT NATS_GENERATE NATS_BRIDGE NATS_TOOLS NATS_CLUSTER RABBITMQ; do
    has "${name}_PASSWORD" && continue
    printf '%s_PASSWORD=%s\n' "$name" "$(od -An -N 24 -t x1 /dev/urandom | tr -d ' \n')" >>.env
done
# Containers have users of their own, who read what is mounted from here, whatever the umask of the checkout was.
for place in deploy observability; do
    [ ! -d "$place" ] || find "$place" \( ! -perm -004 -o -type d ! -perm -005 \) -exec chmod a+rX {} +
done
# What `tools` writes is to be the owner's of the directory that it writes to.
mkdir -p recordings
# shellcheck disable=SC2012 # stat's options differ between systems
has TOOLS_USER || ls -nd recordings | awk '{ print "TOOLS_USER=" $3 ":" $4 }' >>.env
