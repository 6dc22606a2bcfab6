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


def locked(part):
    lock = (ROOT / f"deploy/locks/{part}.txt").read_text()
    return {name_of(line) for line in lock.splitlines() if re.match(r"[a-z0-9]", line)}


@pytest.mark.parametrize("part", PARTS)
def test_every_package_that_is_asked_for_is_in_the_lock(part):
    # torch is locked by version only, in a file of its own.
    base = [] if part == "build" else BASE
    missing = {*wanted(part), *map(name_of, base)} - locked(part) - {"torch"}
    assert not missing, "run `make lock`"


def test_the_two_clients_extras_differ_in_the_client_alone():
    only = {part: [line for line in PARTS[part] if "gram" not in line] for part in ("userbot", "kurigram")}
    assert only["userbot"] == only["kurigram"]
    assert {*PARTS["userbot"], *PARTS["kurigram"]} - {*only["userbot"]} == {"pyrogram==2.0.106", "kurigram==2.2.26"}


def test_no_other_part_brings_a_client():
    """It would come into a .venv that has the other one."""
    for part in PARTS.keys() - {"userbot", "kurigram"}:
        assert not {"pyrogram", "kurigram"} & locked(part), part
