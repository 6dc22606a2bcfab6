#!/bin/sh
# Start nats-server: sh nats.sh CONFIGURATION [STORE]. Before that, move a store from before there were accounts.
#
# Such a store is under the account $G. A server with the accounts of nats-accounts.conf would ignore it and begin
# empty, and so would every conversation. So the configuration takes its store's path from this script, and can't be used
# without it.
set -eu
store=${2:-/data}
old=$store/jetstream/\$G
new=$store/jetstream/STORE

any() { for found in "$@"; do if [ -e "$found" ]; then return; fi; done; return 1; }

refuse() {
    echo "nats.sh: $old has streams of a version without accounts, and $1: docs/operations.md, Accounts on NATS" >&2
    exit 1
}

if any "$old"/streams/*; then
    if any "$store"/jetstream/*/_js_/_meta_; then refuse "a cluster's can't be moved"; fi
    if any "$old"/streams/*/meta.key; then refuse "encrypted ones can't be moved"; fi
    if any "$new"/streams/*; then refuse "$new has others"; fi
    # Left by an empty account.
    if [ -d "$new/streams" ]; then rmdir "$new/streams"; fi
    if [ -d "$new" ]; then rmdir "$new"; fi
    mv "$old" "$new"
    echo "nats.sh: moved $old to $new"
fi
# Quoted, because the server could take it for a number.
export NATS_STORE_DIR="\"$store\""
exec nats-server --config "$1"
