"""Settings from any environment: either they hold, and what is computed from them too, or one line says what is bad."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.commands import COMMANDS
from cli.config.names import known
from cli.config.sections import fields
from cli.config.values import of_settings
from edge.userbot import phrases
from edge.userbot.chat.commands import Ask, parse
from edge.userbot.settings import UserbotSettings
from edge.userbot.text import clean
from events.dotenv import Line
from events.errors import SettingsError
from events.settings import Settings
from events.toml_file import Place

CLASSES = sorted({command.settings for command in COMMANDS.values()}, key=lambda settings: settings.__name__)
NAMES = known()
OF_COMMANDS = sorted(name for name in NAMES.settings if "_" in name)
SECRETS = {
    "API_HASH": "{}",
    "BOT_TOKEN": "1:{}",
    "USERBOT_SESSION": "{}.session",
    "NATS_URL": "nats://me:{}@127.0.0.1:4222",
    "NATS_PASSWORD": "{}",
    "RABBITMQ_URL": "amqp://me:{}@broker:5672/host",
    "OPENAI_BASE_URL": "http://me:{}@127.0.0.1/v1",
    "OPENAI_API_KEY": "{}",
}
NEEDED = {"API_ID": "1", "API_HASH": "x", "DEADLETTER": "1.2.3.0"}
NUMBERS = [
    "0",
    "1",
    "-1",
    "1e3",
    "1e12",
    "9" * 30,
    "9" * 5000,
    "inf",
    "-inf",
    "nan",
    "1e400",
    "0x10",
    "٣",
    "1_0",
    " 5 ",
]
WORDS = ["true", "FALSE", "on", "maybe", "echo", "queue", "both", "original", "ru", "info", "DEBUG", "8", "rabbitmq"]
JSONS = ["{", "[1]", '{"temperature": 0.5}', '{"temperature": NaN}', '{"seed": ' + "9" * 5000 + "}", '{"a":' * 20_000]
PLACES = [
    "/",
    ".",
    "a" * 5000,
    "~nobody-at-all/x",
    "nats://",
    "amqp://[::1",
    "file:\t\x7f",
    "\r\nX: y",
    "{prefix}",
    "%s",
]
CHARACTERS = st.characters(exclude_characters="\0", exclude_categories=["Cs"]) | st.characters(
    min_codepoint=0xDC80, max_codepoint=0xDCFF, categories=["Cs"]
)
VALUES = st.sampled_from(NUMBERS + WORDS + JSONS + PLACES) | st.text(CHARACTERS, max_size=70)
"""What an environment can hold: bytes that are no UTF-8 come as lone surrogates."""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    with patch.dict(os.environ, clear=True):
        yield


def read(settings: type[Settings], environment: dict[str, str]) -> Settings | None:
    """None where they are refused as they should be."""
    with patch.dict(os.environ, {**NEEDED, **environment}, clear=True):
        try:
            return settings.read()
        except SettingsError as error:
            said = str(error)
    assert said
    assert len(said.splitlines()) == 1
    assert len(said) < 1000 * (1 + len(environment))
    return None


@given(st.sampled_from(CLASSES), st.data())
def test_any_environment_gives_settings_or_one_line(settings: type[Settings], data: st.DataObject) -> None:
    variables = st.sampled_from([settings.variable(name) for name in settings.model_fields])
    found = read(settings, data.draw(st.dictionaries(variables, VALUES, min_size=1, max_size=4)))
    if found is None:
        return
    for name in type(found).model_fields:
        value = getattr(found, name)
        if isinstance(value, timedelta):
            # Deadlines are counted from now, windows back from it.
            assert datetime.now(UTC) - abs(value) <= datetime.now(UTC) + abs(value)


@given(
    st.sampled_from(CLASSES),
    st.binary(max_size=80) | VALUES.map(lambda text: f"USERBOT_PREFIX={text}".encode("utf-8", "surrogateescape")),
)
def test_any_env_file_is_read_or_refused_in_one_line(settings: type[Settings], content: bytes) -> None:
    Path(".env").write_bytes(content)
    read(settings, {})


LITERALS = [
    *("true", "0", "-1", "5", "9" * 30, "9" * 5000, "1.5", "1e400", "inf", "-nan", "2026-01-01", "07:30:00", "''"),
    *("2026-11-24T12:00:00Z", "[]", "[1, 'a,b', [2]]", "[{a = 1}]", "{}", "{a = 1}", "{'@a' = {live = true}}", r'"\n"'),
    *(r'"\u0000"', "'''\na\n'''", "'ru'", "'{'", "'~nobody-at-all/x'", "{temperature = nan, seed = -1}"),
]
"""Values of every type of TOML."""


@given(st.sampled_from(CLASSES), st.data())
def test_any_toml_file_is_read_or_refused_in_one_line(settings: type[Settings], data: st.DataObject) -> None:
    places = [*(str(Place.of(settings.variable(name))) for name in settings.model_fields), "contacts", "a.b"]
    values = data.draw(st.dictionaries(st.sampled_from(places), st.sampled_from(LITERALS), max_size=4))
    content = "".join(f"{place} = {value}\n" for place, value in values.items()).encode()
    Path("timokha.toml").write_bytes(content or data.draw(st.binary(max_size=80)))
    if found := read(settings, {}):
        shown = of_settings(settings, fields(settings), [])
        assert all(len(line.value.splitlines()) <= 1 for line in shown)
        assert all(isinstance(text, str) for text in found.variables_for_child().values())


@given(VALUES)
def test_a_prefix_that_is_taken_is_one_that_people_can_type_and_read(prefix: str) -> None:
    found = read(UserbotSettings, {"USERBOT_PREFIX": prefix})
    if found is None:
        return
    assert isinstance(found, UserbotSettings)
    assert isinstance(parse(f"{found.prefix} да", found.prefix), Ask)
    for text in (phrases.help_text("ru", found.prefix), phrases.hint("en", found.prefix)):
        assert clean(text) == text


@given(st.sampled_from(CLASSES), st.text(CHARACTERS, min_size=1, max_size=20))
def test_a_secret_is_in_no_complaint(settings: type[Settings], secret: str) -> None:
    secrets = dict.fromkeys(("API_HASH", "BOT_TOKEN", "USERBOT_SESSION", "RABBITMQ_URL"), f"s3cr3t{secret}")
    environment = {**NEEDED, **secrets, "API_ID": "x", "LOG_LEVEL": "x"}
    with patch.dict(os.environ, environment, clear=True), pytest.raises(SettingsError) as refused:
        settings.read()
    assert "s3cr3t" not in str(refused.value)


@given(st.sampled_from(CLASSES), st.sampled_from(sorted(SECRETS)), st.text(CHARACTERS, max_size=12))
def test_a_secret_is_in_no_value_that_is_shown(settings: type[Settings], name: str, mess: str) -> None:
    value = SECRETS[name].format(f"{mess}/s3cr3t:@s3cr3t{mess}")
    with patch.dict(os.environ, {**NEEDED, name: value}, clear=True):
        shown = of_settings(settings, fields(settings), [])
    assert all("s3cr3t" not in line.value and len(line.value.splitlines()) <= 1 for line in shown)


@given(st.sampled_from(OF_COMMANDS), st.data())
def test_a_name_with_a_slip_is_another_setting_or_refused(name: str, data: st.DataObject) -> None:
    """One letter is left out, doubled, or has changed its place with the next."""
    first = len(name.partition("_")[0]) + 1  # where a name does not begin as ours, it may be somebody's
    at = data.draw(st.integers(first, len(name) - 1))
    slips = [name[:at] + name[at + 1 :], name[:at] + name[at] + name[at:]]
    slips += [name[:at] + name[at + 1] + name[at] + name[at + 2 :]] if at + 1 < len(name) else []
    slip = data.draw(st.sampled_from(slips))
    said = NAMES.mistyped([Line(1, slip, "x")])
    if slip not in NAMES.settings | NAMES.others:
        assert len(said) == 1, slip
        assert slip in said[0]


@given(st.dictionaries(st.text(CHARACTERS, min_size=1, max_size=20), st.text(CHARACTERS, max_size=5), max_size=2))
def test_whatever_names_an_environment_has_each_doubt_is_one_line(environment: dict[str, str]) -> None:
    for doubt in NAMES.suspicious([*environment, *(f"USERBOT_{name}" for name in environment)]):
        assert len(doubt.splitlines()) == 1
