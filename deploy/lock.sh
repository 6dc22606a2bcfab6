#!/usr/bin/env bash
# Write deploy/locks/*.txt: for each extra and each group, every package with its hashes, in one version.
# Pins that still fit are kept; `UPGRADE=--upgrade` takes the newest versions. Only `make lock` calls this.
set -euo pipefail
cd "$(dirname "$0")/.."

compile() {
    .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --no-annotate --no-emit-index-url --no-emit-find-links \
        --custom-compile-command "make lock" --constraint deploy/locks/torch.txt "$@"
}

# torch is locked by version only (deploy/locks/torch.txt) and pins its CUDA packages itself, if it has any.
without_torch() { awk '/^[a-z]/ { skip = /^(torch|triton|nvidia-[a-z0-9-]+|cuda-[a-z0-9-]+)==/ } !skip'; }

all=build/lock/all.txt
mkdir -p build/lock
{ grep -h '==' deploy/locks/*.txt || true; } | sed 's/ \\$//' | sort -u >"$all"
compile pyproject.toml --all-extras --group dev --group build --group bench --group mutants ${UPGRADE:-} --output-file "$all" >/dev/null

extras=$(.venv/bin/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"])')
for part in dev build bench mutants $extras; do
    case $part in
        build) choice=(--group "$part") ;; # alone: it builds the project's dependencies
        dev | bench | mutants) choice=(pyproject.toml --group "$part") ;;
        *) choice=(pyproject.toml --extra "$part") ;;
    esac
    compile "${choice[@]}" --constraint "$all" --generate-hashes | without_torch >"build/lock/$part.txt"
    mv "build/lock/$part.txt" "deploy/locks/$part.txt"
    echo "deploy/locks/$part.txt: $(grep -c '==' "deploy/locks/$part.txt") packages"
done
