"""Paths of settings are whole: a process that works in another directory, or is told later, finds the same file."""

import os
import re
from pathlib import Path
from unittest.mock import patch

import pytest

from cli.commands import COMMANDS
from cli.config.other_variables import export_to_libraries
from edge.userbot.settings import UserbotSettings
from events.errors import SettingsError
from events.files import absolute, display_path
from events.settings import ProcessSettings, RabbitMQSettings, Settings, is_path
from functions.generate.settings import GenerateSettings
from training.settings import FitSettings

CLASSES = sorted(
    {Settings, ProcessSettings, RabbitMQSettings, *(command.settings for command in COMMANDS.values())},
    key=lambda settings: settings.__name__,
)
NEEDED = {"api_id": 1, "api_hash": "x", "bot_token": "1:x", "id": "1.2.3.0"}
"""Values of required fields that are no paths."""
NOT_RESOLVED_HERE = {"session": "a file or a session string; `session_file` is whole"}
SAYS_PATH = re.compile(r"\b(file|directory|folder|path|PEM)\b", re.IGNORECASE)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Work in `tmp_path/here`; the home is beside."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with patch.dict(os.environ, {"HOME": str(tmp_path / "home")}, clear=True):
        yield tmp_path / "home"


def places(settings: type[Settings]) -> list[str]:
    return [name for name, field in settings.model_fields.items() if is_path(field)]


def read(settings: type[Settings], **given: object) -> Settings:
    return settings.read(**{name: value for name, value in NEEDED.items() if name in settings.model_fields}, **given)


@pytest.mark.parametrize("settings", CLASSES)
@pytest.mark.parametrize("way", ["option", "environment", ".env"])
def test_every_path_of_every_class_is_resolved_where_it_is_given(settings, way, home):
    given = {name: f"{start}{name}.gguf" for name in places(settings) for start in ["~/" if len(name) % 2 else ""]}
    given.pop("config", None)  # it must be there
    if way == "environment":
        os.environ |= {settings.variable(name): value for name, value in given.items()}
    elif way == ".env":
        Path(".env").write_text("".join(f"{settings.variable(name)}={value}\n" for name, value in given.items()))
    made = read(settings, **(given if way == "option" else {}))
    found = {name: str(getattr(made, name)) for name in given}
    assert found == {
        name: str(home / value.removeprefix("~/") if value.startswith("~") else Path.cwd() / value)
        for name, value in given.items()
    }


@pytest.mark.parametrize("settings", CLASSES)
def test_defaults_are_whole_too(settings):
    required = {name: "x" for name in places(settings) if settings.model_fields[name].is_required()}
    made = read(settings, **required)
    assert all(Path(value).is_absolute() for name in places(settings) if (value := getattr(made, name)))


@pytest.mark.parametrize("settings", CLASSES)
def test_a_setting_that_says_it_takes_a_file_is_a_path(settings):
    """One that is a text by its type would be forgotten."""
    said = [name for name, field in settings.model_fields.items() if SAYS_PATH.search(field.description or "")]
    assert {name for name in said if name not in places(settings)} <= set(NOT_RESOLVED_HERE)


def test_a_model_is_a_hub_id_unless_there_is_such_a_directory():
    assert GenerateSettings.read(model="models/mine").model == "models/mine"
    assert FitSettings.read(data="d", out="o", model="models/mine").model == "models/mine"
    Path("models/mine").mkdir(parents=True)
    assert GenerateSettings.read(model="models/mine").model == str(Path.cwd() / "models/mine")
    assert FitSettings.read(data="d", out="o", model="models/mine").model == str(Path.cwd() / "models/mine")
    assert GenerateSettings.read(model="./models/none").model == str(Path.cwd() / "models/none")


def test_a_model_of_a_server_is_named_as_there():
    Path("models/mine").mkdir(parents=True)
    there = {"engine": "openai", "openai_base_url": "http://127.0.0.1:1/v1"}
    assert GenerateSettings.read(model="models/mine", **there).model == "models/mine"


def test_a_home_of_nobody_is_one_line():
    with pytest.raises(SettingsError, match=r"^TIMOKHA_CACHE: got '~nobody-of-this-name/x', it takes the directory"):
        GenerateSettings.read(cache="~nobody-of-this-name/x")


def test_symbolic_links_stay(tmp_path):
    (tmp_path / "there").mkdir()
    Path("link").symlink_to(tmp_path / "there")
    assert absolute(Path("link/x")) == Path.cwd() / "link/x"


def test_a_path_is_shown_as_it_would_be_typed(tmp_path):
    assert display_path(Path.cwd() / "a/b") == "a/b"
    assert display_path(tmp_path / "a") == str(tmp_path / "a")


def test_what_is_written_is_handed_on_to_a_process_in_another_directory(home):
    Path("mine").mkdir()
    Path(".env").write_text("GENERATE_MODEL=mine\nGENERATE_SLOTS=3\nTIMOKHA_CACHE=~/c\nUSERBOT_PREFIX='Бот, '\n")
    os.environ |= {"NATS_TLS_CA": "ca.pem", "GENERATE_SLOTS": "2", "LOG_LEVEL": ""}
    assert GenerateSettings.read().variables_for_child() == {
        "GENERATE_MODEL": str(Path.cwd() / "mine"),
        "GENERATE_SLOTS": "2",
        "TIMOKHA_CACHE": str(home / "c"),
        "NATS_TLS_CA": str(Path.cwd() / "ca.pem"),
    }
    handed = UserbotSettings.read(api_id=1, api_hash="x").variables_for_child()
    assert handed["USERBOT_PREFIX"] == "Бот, "


def test_certificates_of_opentelemetry_are_whole(home):
    os.environ["OTEL_EXPORTER_OTLP_CERTIFICATE"] = "ca.pem"
    Path(".env").write_text("OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY=~/k.pem\n")
    export_to_libraries()
    assert os.environ["OTEL_EXPORTER_OTLP_CERTIFICATE"] == str(Path.cwd() / "ca.pem")
    assert os.environ["OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY"] == str(home / "k.pem")
