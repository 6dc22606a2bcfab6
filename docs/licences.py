"""Writes docs/licences.md from the metadata of the locked packages: `make docs`; --check only judges: `make audit`."""

import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

ROOT = Path(__file__).parents[1]
PLACE = ROOT / "docs/licences.md"
RULES = tomllib.loads((ROOT / "docs/licences.toml").read_text(encoding="utf-8"))
PARTS = [lock.stem for lock in sorted((ROOT / "deploy/locks").glob("*.txt"))]
TOOLS = {"bench", "build", "dev", "mutants"}
"""Locks of what only developers install."""

PAGE = """\
# Licences

Written by `make docs` from the metadata of the packages in `deploy/locks/`. [licences.toml](licences.toml) says which
licences are accepted; a test fails if a package has another one and no reason stands there. Timokha itself has the
[MIT licence](../LICENSE), and the default model the [Gemma Terms of Use](https://ai.google.dev/gemma/terms)
([NOTICE](../NOTICE)). What a package bundles is not listed: see its licence files.

## With a reason

| package | licence | why |
| --- | --- | --- |
{exceptions}

## Installed to run Timokha

| package | licence | in |
| --- | --- | --- |
{run}

## Installed to develop it

| package | licence | in |
| --- | --- | --- |
{develop}
"""


def locked() -> dict[str, set[str]]:
    """Return the locked packages, each with its locks."""
    found = defaultdict(set)
    for part in PARTS:
        lock = (ROOT / f"deploy/locks/{part}.txt").read_text(encoding="utf-8")
        for name in re.findall(r"^([a-z0-9][a-z0-9.-]*)==", lock, re.MULTILINE):
            found[name].add(part)
    return dict(sorted(found.items()))


def licence(package: str) -> str | None:
    """Return the licence that is stated for a package, or that it names itself; None if there is neither."""
    return RULES["stated"].get(package) or from_metadata(package)


def from_metadata(package: str) -> str | None:
    """Return the licence that an installed package names, None if it names none, or is not installed."""
    try:
        of = metadata(package)
    except PackageNotFoundError:
        return None
    if expression := of.get("License-Expression"):
        return expression
    classifiers = [one.rpartition(" :: ")[2] for one in of.get_all("Classifier") or [] if one.startswith("License ::")]
    first, *_ = (of.get("License") or "").strip().splitlines() or [""]  # some have its whole text
    spelt = first.removeprefix("License :: ").removeprefix("OSI Approved :: ").strip()
    for one in [spelt, *classifiers]:
        if one in RULES["accepted"] or set(re.split(r" (?:AND|OR) ", one)) <= {*RULES["accepted"], "MPL-2.0"}:
            return one
        if known := RULES["spellings"].get(one.lower()):
            return str(known)
    return None


def is_accepted(expression: str) -> bool:
    """Return whether one may use what is under `expression`: of OR one licence must do, of AND all."""
    alternatives = expression.replace("(", "").replace(")", "").split(" OR ")
    return any(set(one.split(" AND ")) <= set(RULES["accepted"]) for one in alternatives)


def problems(licences: Mapping[str, str | None]) -> list[str]:
    """Return a line for each package whose licence is unknown or not accepted, and for each needless reason."""
    exceptions = RULES["exceptions"]
    unknown = [
        f"{name}: not installed, or without a licence: look it up, and state it"
        for name, of in licences.items()
        if not of
    ]
    refused = [
        f"{name}: {of} is not accepted: do without it, or give the reason"
        for name, of in licences.items()
        if of and not is_accepted(of) and name not in exceptions
    ]
    needless = [
        f"{name}: its reason is not needed any more: remove it"
        for name in exceptions
        if is_accepted(licences.get(name) or "MIT")
    ]
    return [f"{line} in docs/licences.toml" for line in [*unknown, *refused, *needless]]


def page(licences: Mapping[str, str | None]) -> str:
    locks = locked()
    run = {name for name, parts in locks.items() if parts - TOOLS}
    exceptions = sorted(RULES["exceptions"].items())
    return PAGE.format(
        exceptions="\n".join(f"| {name} | {licences.get(name)} | {reason} |" for name, reason in exceptions),
        run="\n".join(_row(name, licences, locks[name]) for name in locks if name in run),
        develop="\n".join(_row(name, licences, locks[name]) for name in locks if name not in run),
    )


def _row(name: str, licences: Mapping[str, str | None], locks: set[str]) -> str:
    everywhere = locks >= {*PARTS} - {"build", "torch"}
    return f"| {name} | {licences.get(name)} | {'all' if everywhere else ', '.join(sorted(locks))} |"


def written() -> dict[str, str]:
    """Return the licences that the page names."""
    rows = PLACE.read_text(encoding="utf-8")
    return dict(re.findall(r"^\| ([a-z0-9.-]+) \| ([^|]+) \| [a-z, ]+ \|$", rows, re.MULTILINE))


def found() -> dict[str, str | None]:
    """Return the licences of the locked packages; of those that are not installed here, what the page says."""
    known = written()
    return {name: licence(name) or known.get(name) for name in locked()}


def main(arguments: list[str]) -> int:
    licences = found()
    if lines := problems(licences):
        sys.stderr.writelines(f"licences: {line}\n" for line in lines)
        return 1
    if arguments == ["--check"]:
        sys.stdout.write(f"licences: all {len(licences)} locked packages have an accepted licence, or a reason\n")
    else:
        PLACE.write_text(page(licences), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
