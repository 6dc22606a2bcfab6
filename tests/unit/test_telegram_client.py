"""Which Telegram client is installed: one of two that both are imported as `pyrogram`, and never both."""

import re
import sys
import tomllib
from pathlib import Path

import pytest

from cli.commands import COMMANDS
from cli.doctor import telegram as doctor
from events.errors import SettingsError
from events.extras import install_command
from events.telegram_client import KURIGRAM, PYROGRAM, check_telegram_client, installed_clients

ROOT = Path(__file__).parents[2]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
BOTH = {PYROGRAM: "2.0.106", KURIGRAM: "2.2.26"}


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """`installed(*names)`: what is found where these distributions have put a package `pyrogram`."""

    def install(*names):
        (tmp_path / "pyrogram").mkdir()
        (tmp_path / "pyrogram/__init__.py").touch()
        for name in names:
            described = tmp_path / f"{name}.dist-info"
            described.mkdir()
            project, version = name.split("-")
            (described / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n")
        monkeypatch.delitem(sys.modules, "pyrogram", raising=False)
        monkeypatch.syspath_prepend(tmp_path)
        return installed_clients()

    return install


@pytest.mark.parametrize("client", [PYROGRAM, KURIGRAM])
def test_the_tested_version_is_the_one_that_the_extra_installs(client):
    assert f"{client.name}=={client.tested}" in EXTRAS[client.extra]


def test_the_client_of_these_tests_is_known_and_tested():
    ((client, version),) = installed_clients().items()
    assert version == client.tested


def test_a_client_is_found_where_it_is_imported_from_and_nowhere_else(installed):
    """One further down the path does not count: its files are not the ones that run."""
    assert installed("kurigram-2.3.0") == {KURIGRAM: "2.3.0"}


def test_both_in_one_place_are_found_and_are_one_line(installed):
    assert installed("Pyrogram-2.0.106", "kurigram-2.2.26") == BOTH
    with pytest.raises(SettingsError, match=r"^pyrogram 2\.0\.106 and kurigram 2\.2\.26 have overwritten .*: remove "):
        check_telegram_client("userbot", ["userbot"])


def test_a_command_without_a_client_does_not_mind():
    check_telegram_client("generate", ["openvino"], BOTH)
    check_telegram_client("bridge", [], BOTH)


def test_the_business_edge_needs_kurigram():
    assert COMMANDS["business"].extras == "kurigram"
    check_telegram_client("business", ["kurigram"], {KURIGRAM: "2.2.26"})
    with pytest.raises(SettingsError, match=r"^business needs kurigram in .* CLIENT=kurigram, in "):
        check_telegram_client("business", ["kurigram"], {PYROGRAM: "2.0.106"})


@pytest.mark.parametrize("name", ["userbot", "sandbox", "demo"])
def test_the_others_take_either(name):
    for client in (PYROGRAM, KURIGRAM):
        check_telegram_client(name, COMMANDS[name].extras.split(","), {client: client.tested})


def test_where_kurigram_is_installed_its_extra_is_named(tmp_path):
    (tmp_path / "lib/python3.11/site-packages/kurigram-2.2.26.dist-info").mkdir(parents=True)
    said = install_command("userbot", "sandbox", root=tmp_path, environment=str(tmp_path))
    assert re.search(r"\[kurigram,sandbox\]", said)


@pytest.mark.parametrize(
    ("found", "level", "said"),
    [
        ({PYROGRAM: "2.0.106"}, "ok", r"Telegram: pyrogram 2\.0\.106, layer \d+$"),
        ({KURIGRAM: "2.2.26"}, "ok", r"Telegram: kurigram 2\.2\.26, layer \d+$"),
        ({KURIGRAM: "2.3.0"}, "note", r"Telegram: kurigram 2\.3\.0, layer \d+; tested with .* kurigram 2\.2\.26: "),
        ({}, "note", r"Telegram: an unknown client, layer \d+; tested with pyrogram "),
        (BOTH, "wrong", r"Telegram: pyrogram .* have overwritten each other's files"),
    ],
)
def test_the_doctor_names_the_client_and_its_layer(monkeypatch, found, level, said):
    monkeypatch.setattr(doctor, "installed_clients", lambda: found)
    first = next(iter(doctor._examine_client()))
    assert (first.level.name.lower(), bool(re.match(said, first.text))) == (level, True), first
