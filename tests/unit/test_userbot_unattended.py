"""A userbot in a container, without a session and without a terminal: it waits, and says for what."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from pyrogram.storage.sqlite_storage import SCHEMA
from structlog.testing import capture_logs

from edge.userbot.settings import UserbotSettings
from edge.userbot.telegram import session_file
from edge.userbot.telegram.api import SessionRevoked
from edge.userbot.telegram.unattended import wait_for_new_session, wait_for_session
from tests.clocks import ManualClock


@pytest.fixture(autouse=True)
def _in_a_container(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(session_file, "image", lambda: "userbot")
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: False))
    monkeypatch.setattr(session_file, "LOCK_TIMEOUT", 0.05)


def sign_in_at(path: Path, key: bytes = b"k" * 256) -> None:
    with closing(sqlite3.connect(path)) as file, file:
        file.executescript(SCHEMA)
        file.execute("INSERT INTO version VALUES (3)")
        columns = "dc_id, api_id, test_mode, auth_key, date, user_id, is_bot"
        file.execute(f"INSERT INTO sessions ({columns}) VALUES (2, 1, 0, ?, 0, 7, 0)", (key,))


class Scripted(ManualClock):
    """Something happens in each sleep."""

    def __init__(self, *happens) -> None:
        super().__init__()
        self.happens = list(happens)

    async def sleep(self, duration: timedelta) -> None:
        await super().sleep(duration)
        if self.happens:
            self.happens.pop(0)()


def revoke() -> None:
    raise SessionRevoked("Telegram has ended the session")


async def outlives(path: Path, *happens, **more: str) -> tuple[int, list[str]]:
    """How often it looked for another session before it ended, and what health was told."""
    settings = UserbotSettings.read(api_id=1, api_hash="x", session=str(path), **more)
    clock, told = Scripted(*happens), []
    with pytest.raises(SessionRevoked, match="has ended the session"):
        async with asyncio.timeout(30), wait_for_new_session(settings, told.append, clock=clock):
            revoke()
    return len(clock.slept), told


def nothing() -> None:
    pass


async def waited(path: Path, *happens, **more: str) -> tuple[int, list[str], list[dict]]:
    """How often it looked again, what health was told, and what was logged."""
    settings = UserbotSettings.read(api_id=1, api_hash="x", session=str(path), **more)
    clock, told = Scripted(*happens), []
    with capture_logs() as logged:
        async with asyncio.timeout(30):
            await wait_for_session(settings, told.append, clock=clock)
    return len(clock.slept), told, logged


async def test_it_says_once_how_to_sign_in_and_goes_on_when_that_is_done(tmp_path):
    path = tmp_path / "timokha.session"
    looks, told, logged = await waited(path, nothing, nothing, lambda: sign_in_at(path))
    assert looks == 4
    assert told == [
        f"there is no session at {path}: sign in with `docker compose run --rm userbot`, this one goes on then"
    ]
    assert [(line["event"], line["error"]) for line in logged] == [("session.awaited", told[0])]


async def test_it_leaves_the_session_to_whoever_is_still_signing_in(tmp_path):
    path = tmp_path / "timokha.session"
    other = sqlite3.connect(path)

    def signed_in_and_at_work() -> None:
        other.execute("UPDATE sessions SET date = 1")  # as pyrogram writes, and commits when it ends

    with closing(other):
        looks, *_ = await waited(
            path, lambda: sign_in_at(path), signed_in_and_at_work, nothing, nothing, other.rollback, nothing
        )
    assert looks == 6


async def test_a_session_that_can_be_used_is_not_waited_for(tmp_path):
    sign_in_at(tmp_path / "timokha.session")
    assert await waited(tmp_path / "timokha.session") == (0, [], [])


async def test_a_session_that_is_broken_is_told_and_waited_for(tmp_path):
    path = tmp_path / "timokha.session"
    path.touch()
    looks, told, _ = await waited(path, lambda: path.unlink() or sign_in_at(path))
    assert looks == 2
    assert told == [
        f"USERBOT_SESSION: {path} is empty; remove it with"
        f" `docker compose run --rm --no-deps --entrypoint rm userbot {path}` and sign in again with"
        " `docker compose run --rm userbot`"
    ]


def test_the_command_that_removes_a_session_can_be_copied_whatever_its_name_is():
    command = "docker compose run --rm --no-deps --entrypoint rm userbot '/var/lib/timokha/my bot.session'"
    assert f"`{command}`" in session_file.how_to_replace_session(Path("/var/lib/timokha/my bot.session"))


async def test_who_signs_in_without_a_person_waits_for_nobody(tmp_path):
    assert await waited(tmp_path / "timokha.session", bot_token="1:x") == (0, [], [])
    assert await waited("A" * 400) == (0, [], [])


async def test_somebody_at_a_terminal_is_asked(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    assert await waited(tmp_path / "timokha.session") == (0, [], [])


@pytest.mark.parametrize("image", ["", "sandbox"])
async def test_in_no_container_of_its_own_it_ends_as_ever(tmp_path, monkeypatch, image):
    monkeypatch.setattr(session_file, "image", lambda: image)
    assert await waited(tmp_path / "timokha.session") == (0, [], [])


async def test_a_session_that_telegram_has_ended_ends_it_when_there_is_another(tmp_path):
    """Started again before, it would ask Telegram again and again, and be refused."""
    path = tmp_path / "timokha.session"
    sign_in_at(path)
    looks, told = await outlives(path, nothing, path.unlink, nothing, lambda: sign_in_at(path, b"n" * 256))
    assert looks == 5
    remove = f"docker compose run --rm --no-deps --entrypoint rm userbot {path}"
    assert told == [
        f"Telegram takes {path} no more: remove it with `{remove}` and sign in again with"
        " `docker compose run --rm userbot`; this one starts again then"
    ]


async def test_another_session_is_left_to_whoever_is_still_signing_in(tmp_path):
    path = tmp_path / "timokha.session"
    sign_in_at(path)
    others: list[sqlite3.Connection] = []

    def at_work() -> None:
        path.unlink()
        sign_in_at(path, b"n" * 256)
        others.append(sqlite3.connect(path))
        others[0].execute("UPDATE sessions SET date = 1")

    def done() -> None:
        others[0].close()

    looks, _ = await outlives(path, at_work, nothing, done, nothing)
    assert looks == 4


async def test_where_nobody_has_to_sign_in_elsewhere_an_ended_session_ends_it_at_once(tmp_path, monkeypatch):
    path = tmp_path / "timokha.session"
    assert await outlives(path, bot_token="1:x") == (0, [])
    monkeypatch.setattr(session_file, "image", lambda: "")
    assert await outlives(path) == (0, [])
