"""Sessions in every state: what the userbot says before it connects, and the doctor as well."""

import asyncio
import base64
import os
import sqlite3
import stat
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from types import SimpleNamespace

import pytest
from pyrogram.errors import (
    AccessTokenInvalid,
    ApiIdInvalid,
    AuthKeyDuplicated,
    AuthKeyUnregistered,
    FloodWait,
    InternalServerError,
    PhoneNumberInvalid,
    PhonePasswordFlood,
    UserMigrate,
)
from pyrogram.storage.sqlite_storage import SCHEMA, SQLiteStorage

from cli.doctor.findings import Level
from cli.doctor.telegram import examine_session as look
from edge.userbot.settings import UserbotSettings
from edge.userbot.telegram import session_file
from edge.userbot.telegram.api import SessionRevoked
from edge.userbot.telegram.faults import TransportRefused
from edge.userbot.telegram.pyrogram_repairs import repair
from edge.userbot.telegram.session import make_client, started_client
from edge.userbot.telegram.session_file import SessionInUse
from events.errors import SettingsError, TimokhaError, TransportUnreachable
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying

KEY = b"k" * 256
STRING = base64.urlsafe_b64encode(struct.pack(">BI?256sQ?", 2, 1, False, KEY, 7, False)).decode().rstrip("=")


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    for name in UserbotSettings.model_fields:
        monkeypatch.delenv(UserbotSettings.variable(name), raising=False)
    mask = os.umask(0o022)
    yield
    os.umask(mask)


def settings(session: Path | str, **more: str) -> UserbotSettings:
    return UserbotSettings.read(api_id=1, api_hash="x", session=str(session), **more)


def client(session: Path | str, **more: str) -> object:
    async def make() -> object:
        repair(Retrying(SystemClock(), Random(1)))
        return make_client(settings(session, **more))

    return asyncio.run(make())


def wrong(session: Path | str) -> list[str]:
    return [finding.text for finding in look(settings(session)) if finding.level is Level.WRONG]


def made(
    path: Path,
    *,
    version: int = SQLiteStorage.VERSION,
    dc: int = 2,
    key: bytes | None = KEY,
    user: int | None = 7,
    schema: str = SCHEMA,
) -> Path:
    with closing(sqlite3.connect(path)) as file, file:
        file.executescript(schema)
        file.execute("INSERT INTO version VALUES (?)", (version,))
        columns = "dc_id, api_id, test_mode, auth_key, date, user_id, is_bot"
        file.execute(f"INSERT INTO sessions ({columns}) VALUES (?, 1, 0, ?, 0, ?, 0)", (dc, key, user))
    path.chmod(0o600)
    return path


def refused(session: Path | str, *words: str) -> None:
    """By the userbot with exit code 2, and by the doctor; in one line each."""
    with pytest.raises(SettingsError) as raised:
        client(session)
    [found] = wrong(session)
    for line in (str(raised.value), found):
        assert "USERBOT_SESSION" in line
        assert "\n" not in line
        for word in words:
            assert word in line


def test_a_session_that_is_signed_in_is_fine(tmp_path) -> None:
    path = made(tmp_path / "owner.session")
    assert client(path)
    assert wrong(path) == []


@pytest.mark.parametrize("content", [b"garbage" * 100, b"SQLite format 3\x00" + b"\x00" * 900, b"x"])
def test_garbage_is_no_session_file(tmp_path, content) -> None:
    path = tmp_path / "owner.session"
    path.write_bytes(content)
    path.chmod(0o600)
    refused(path, str(path), "delete it and sign in again")


def test_a_file_that_was_cut_short_is_no_session_file(tmp_path) -> None:
    path = made(tmp_path / "owner.session")
    path.write_bytes(path.read_bytes()[:5000])
    refused(path, "delete it and sign in again")


def test_an_empty_file_is_no_session_file(tmp_path) -> None:
    path = tmp_path / "owner.session"
    path.touch(mode=0o600)
    refused(path, "is empty", "delete it and sign in again")


def test_a_database_of_something_else_is_no_session_file(tmp_path) -> None:
    path = tmp_path / "owner.session"
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("CREATE TABLE notes (text TEXT)")
    path.chmod(0o600)
    refused(path, "no such table")


@pytest.mark.parametrize("different", [{"version": 99}, {"dc": 99}, {"key": b"short"}])
def test_a_session_file_that_pyrogram_cant_use_is_told(tmp_path, different) -> None:
    refused(made(tmp_path / "owner.session", **different), "sign in again")


def test_a_home_directory_that_nobody_has_is_told() -> None:
    refused("~nobody-here/owner.session", "~nobody-here/owner.session")


@pytest.mark.parametrize("session", ["/", ".", "..", "", " ", "../.."])
def test_a_path_without_a_name_is_told(session) -> None:
    refused(session, "name a file")


@pytest.mark.parametrize("api_id", ["0", "-1", "4294967296"])
def test_an_api_id_that_telegram_cant_have_given_is_told(api_id) -> None:
    with pytest.raises(SettingsError, match="API_ID"):
        UserbotSettings.read(api_id=api_id, api_hash="x")


def test_a_path_that_is_too_long_is_told() -> None:
    refused("/".join(["folder"] * 1000) + "/owner.session", "File name too long")


def test_a_directory_is_no_session_file(tmp_path) -> None:
    (tmp_path / "owner.session").mkdir()
    refused(tmp_path / "owner", "is a directory", "name a file")


def test_a_pipe_is_no_session_file_and_nobody_waits_for_it(tmp_path) -> None:
    os.mkfifo(tmp_path / "owner.session", 0o600)
    refused(tmp_path / "owner", "is no file")


def test_a_session_under_a_file_can_not_be(tmp_path) -> None:
    (tmp_path / "folder").touch()
    refused(tmp_path / "folder" / "owner.session", "choose another place")


def test_a_session_whose_folder_can_not_be_written_is_told(tmp_path, monkeypatch) -> None:
    path = made(tmp_path / "owner.session")
    access = os.access
    # As root every folder can be written.
    monkeypatch.setattr(os, "access", lambda place, mode: access(place, mode) and place != tmp_path)
    refused(path, str(tmp_path), "can't be written")


def test_a_missing_folder_is_made(tmp_path) -> None:
    assert client(tmp_path / "a" / "b" / "owner.session", bot_token="1:x")
    assert (tmp_path / "a" / "b").is_dir()


def test_a_session_that_another_userbot_writes_to_is_in_use(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(session_file, "LOCK_TIMEOUT", 0.05)
    path = made(tmp_path / "owner.session")
    with closing(sqlite3.connect(path)) as other:
        other.execute("UPDATE sessions SET date = 1")
        with pytest.raises(SessionInUse, match="in use by another userbot") as raised:
            client(path)
        assert raised.value.exit_code == 1
        finding = list(look(settings(path)))[-1]  # before it there is a note where tgcrypto is missing
        assert (finding.level, "in use" in finding.text) == (Level.NOTE, True)


@pytest.mark.parametrize("session", [{"user": None}, {"key": None}])
def test_a_sign_in_that_was_broken_off_needs_a_terminal_again(tmp_path, session, monkeypatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: False))
    path = made(tmp_path / "owner.session", **session)
    with pytest.raises(SettingsError, match="no terminal"):
        client(path)
    assert "run `timokha userbot` in a terminal once" in wrong(path)[0]


def test_without_a_session_somebody_has_to_sign_in(tmp_path) -> None:
    assert "run `timokha userbot` in a terminal" in wrong(tmp_path / "none")[0]
    assert not [one for one in look(settings(tmp_path / "none", bot_token="1:x")) if one.level is Level.WRONG]


def test_the_doctor_notes_a_trigger_that_can_apply_nowhere(tmp_path):
    notes = [one.text for one in look(settings(tmp_path / "none", triggers="mentions")) if one.level is Level.NOTE]
    assert [text for text in notes if "mentions has no effect" in text]


def test_a_session_that_others_may_read_is_wrong(tmp_path) -> None:
    path = made(tmp_path / "owner.session")
    path.chmod(0o640)
    assert f"chmod 600 {path}" in wrong(path)[0]
    client(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert wrong(path) == []


@pytest.mark.parametrize("session", [STRING, STRING + "==", f" {STRING}\n"])
def test_a_session_string_needs_no_file(session) -> None:
    assert client(session)
    assert wrong(session) == []


@pytest.mark.parametrize(
    "session",
    [
        STRING[:-1],
        STRING[:-20],
        STRING[:150],
        STRING + "AAAA",
        "A" * 350,
        "A" * 362,
        STRING[:100] + "/" + STRING[101:],
        STRING[:100] + "\n" + STRING[100:],
        STRING[:100] + "ы" + STRING[101:],
        "x" * 5000,
    ],
    ids=str,
)
def test_what_is_no_whole_session_string_is_told_and_not_shown(session) -> None:
    refused(session, "session string")
    with pytest.raises(SettingsError) as raised:
        client(session)
    assert session[:20] not in str(raised.value)
    assert session[:20] not in wrong(session)[0]


@pytest.mark.parametrize("token", ["8:secret", "7000:secret", "70"])
def test_a_session_of_another_account_than_the_bot_tokens_is_a_wrong_setting(tmp_path, token: str) -> None:
    for session in (made(tmp_path / f"{token}.session"), STRING):
        with pytest.raises(SettingsError) as raised:
            client(session, bot_token=token)
        assert "account 7's" in str(raised.value)
        assert "secret" not in str(raised.value)
        [line] = [one.text for one in look(settings(session, bot_token=token)) if one.level is Level.WRONG]
        assert "account 7's" in line


@pytest.mark.parametrize("token", ["7:secret", ""])
def test_a_session_of_the_bot_itself_is_used(tmp_path, token: str) -> None:
    for session in (made(tmp_path / "bot.session"), STRING):
        assert client(session, bot_token=token)
        assert not [one for one in look(settings(session, bot_token=token)) if one.level is Level.WRONG]


class Refusing:
    """A client that can't start for `error`."""

    is_initialized = is_connected = False

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def start(self) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (AccessTokenInvalid(), SettingsError, "BOT_TOKEN"),
        (ApiIdInvalid(), SettingsError, "API_HASH"),
        (AuthKeyUnregistered(), SessionRevoked, "sign in again"),
        (AuthKeyDuplicated(), SessionRevoked, "sign in again"),
        (TransportRefused(404), SessionRevoked, "sign in again"),
        (TransportRefused(444), SettingsError, "USERBOT_SESSION"),
        (FloodWait("86400"), TransportUnreachable, "86400 s"),
        (PhonePasswordFlood(), TransportUnreachable, "PHONE_PASSWORD_FLOOD"),
        (UserMigrate("4"), TransportUnreachable, "USER_MIGRATE_X"),
        (InternalServerError(), TransportUnreachable, "); try again in a while"),
        (PhoneNumberInvalid(), SettingsError, "with the country's code"),
        (TransportRefused(429), TransportUnreachable, "signing in failed"),
        (EOFError(), SettingsError, "terminal"),
        (
            ConnectionError(),
            TransportUnreachable,
            "could not be reached (ConnectionError); is this machine's network up?",
        ),
        (TimeoutError(), TransportUnreachable, "USERBOT_TELEGRAM_SERVER"),
        (sqlite3.OperationalError("database is locked"), SessionInUse, "in use"),
        (sqlite3.OperationalError("database or disk is full"), SettingsError, "make room"),
        (sqlite3.DatabaseError("file is not a database"), SettingsError, "sign in again"),
        (Exception("Public key not found"), SettingsError, "USERBOT_TELEGRAM_KEY"),
        (AttributeError("nobody thought of it"), TransportUnreachable, "nobody thought of it"),
    ],
)
async def test_what_keeps_a_client_from_starting_is_told_in_one_line(error, kind, words) -> None:
    with pytest.raises(TimokhaError) as raised:
        async with started_client(Refusing(error)):
            pass
    assert isinstance(raised.value, kind)
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)
