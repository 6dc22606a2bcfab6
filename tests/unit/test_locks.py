"""The locks hold everything that pyproject.toml asks for: they are installed with --no-deps."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
BASE = PROJECT["project"]["dependencies"]
PARTS = {**PROJECT["project"]["optional-dependencies"], **PROJECT["dependency-groups"]}


def name_of(requirement):
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def wanted(part):
    """The packages of an extra or group, and of the extras that it builds on."""
    for requirement in PARTS[part]:
        if extras := re.match(r"timokha\[(.+)\]", requirement):
            for extra in extras[1].split(","):
                yield from wanted(extra)
        else:
            yield name_of(requirement)


@pytest.mark.parametrize("part", PARTS)
def test_every_package_that_is_asked_for_is_in_the_lock(part):
    lock = (ROOT / f"deploy/locks/{part}.txt").read_text()
    locked = {name_of(line) for line in lock.splitlines() if re.match(r"[a-z0-9]", line)}
    # torch is locked by version only, in a file of its own.
    base = [] if part == "build" else BASE
    missing = {*wanted(part), *map(name_of, base)} - locked - {"torch"}
    assert not missing, "run `make lock`"
