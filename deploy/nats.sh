#!/bin/sh
# Starts nats-server: sh nats.sh CONFIGURATION [STORE]. Before that it moves what was stored before there were accounts.
#
# All of that lies under the account $G. A server with the accounts of nats-accounts.conf would leave it there and begin
# empty, and so would every conversation. So the configuration takes the place of its store from here, and can't be used
# without this script.
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
    # What an empty account has left.
    if [ -d "$new/streams" ]; then rmdir "$new/streams"; fi
    if [ -d "$new" ]; then rmdir "$new"; fi
    mv "$old" "$new"
    echo "nats.sh: moved $old to $new"
fi
# In quotes, or the server could take it for a number.
export NATS_STORE_DIR="\"$store\""
exec nats-server --config "$1"
