"""Check a session file or a session string without Telegram, and explain how to get a valid one."""

import base64
import binascii
import os
import re
import sqlite3
import struct
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from shlex import quote

from events.errors import SettingsError, TimokhaError
from events.extras import image

WITH_COMPOSE = "docker compose run --rm userbot"


def in_a_container() -> bool:
    """Return whether this is the userbot's container. The sandbox's needs no sign-in."""
    return image() == "userbot"


def sign_in_command() -> str:
    """Return how to sign in, as part of a sentence."""
    return f"`{WITH_COMPOSE}`" if in_a_container() else "`timokha userbot` in a terminal"


def how_to_replace_session(session: Path | str) -> str:
    """Return how to replace the useless file `session`, as part of a sentence."""
    if in_a_container() and Path(session).is_absolute():
        remove = WITH_COMPOSE.replace("userbot", f"--no-deps --entrypoint rm userbot {quote(str(session))}")
        return f"remove it with `{remove}` and sign in again with {sign_in_command()}"
    return f"delete it and sign in again with {sign_in_command()}"


FORMATS = (">B?256sI?", ">B?256sQ?", ">BI?256sQ?")
"""Of session strings: pyrogram's first, its second, and today's."""
KURIGRAM_VERSIONS = range(4, 8)
"""Of session files, where pyrogram's end with 3."""
KEY_LENGTH = 256
DATA_CENTRES = range(1, 6)
LOCK_TIMEOUT = 1.0
"""Seconds."""

_BASE64 = re.compile(r"[A-Za-z0-9_-]+={0,2}")


class SessionInUse(TimokhaError):
    """Another process has the session file open."""


def check_string(session: str) -> int:
    """Return the id of a session string's account.

    Raises SettingsError if `session` is no session string; the error shows nothing of it.
    """
    wrong = "USERBOT_SESSION: neither a session file nor a whole session string"
    advice = "copy the string again, or name a file that ends in .session"
    if not _BASE64.fullmatch(session):
        raise SettingsError(f"{wrong} (it has characters that no session string has); {advice}")
    bare = session.rstrip("=")
    try:
        data = base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
    except binascii.Error:
        data = b""
    format_ = {struct.calcsize(known): known for known in FORMATS}.get(len(data))
    if format_ is None or data[0] not in DATA_CENTRES:
        raise SettingsError(f"{wrong} ({len(session)} characters); {advice}")
    return int(struct.unpack(format_, data)[-2])


def check_account(account: int | None, bot_token: str) -> None:
    """Raise SettingsError if the existing session is not that of the bot whose token is set."""
    if not account or not bot_token or str(account) == bot_token.partition(":")[0]:
        return
    raise SettingsError(
        f"BOT_TOKEN, USERBOT_SESSION: the session is account {account}'s, the token is another account's;"
        " give the bot a session file of its own, or leave BOT_TOKEN empty for a userbot"
    )


def account_of(path: Path) -> int | None:
    """Return the id of the account whose session the file at `path` has, None if it has no usable one.

    Raises SettingsError or SessionInUse.
    """
    _check_place(path)
    if not path.exists():
        return None
    if not path.stat().st_size:
        raise SettingsError(f"USERBOT_SESSION: {path} is empty; {how_to_replace_session(path)}")
    try:
        with closing(sqlite3.connect(path, timeout=LOCK_TIMEOUT, isolation_level=None)) as file:
            return _read(path, file)
    except sqlite3.Error as error:
        raise explain_error(error, path) from None


def read_key(path: Path) -> bytes | None:
    """Return the key in a session file, None if it can't be read."""
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=LOCK_TIMEOUT)) as file:
            row = file.execute("SELECT auth_key FROM sessions").fetchone()
    except sqlite3.Error:
        return None
    return row[0] if row and isinstance(row[0], bytes) else None


def explain_error(error: sqlite3.Error, path: Path | str) -> TimokhaError:
    """Return a SettingsError or SessionInUse for an error of sqlite."""
    reason = str(error)
    if "locked" in reason:
        return SessionInUse(f"the session {path} is in use by another userbot; stop that one, or sign in another")
    if "readonly" in reason or "unable to open" in reason or "full" in reason or "I/O" in reason:
        return SettingsError(f"USERBOT_SESSION: {path} can't be written ({reason}); make room, or choose another place")
    return SettingsError(f"USERBOT_SESSION: {path} is no session file ({reason}); {how_to_replace_session(path)}")


def _check_place(path: Path) -> None:
    try:
        if path.exists() and not path.is_file():
            kind = "a directory" if path.is_dir() else "no file"
            raise SettingsError(f"USERBOT_SESSION: {path} is {kind}; name a file")
    except OSError as error:
        raise SettingsError(f"USERBOT_SESSION: the session file can't be reached ({error.strerror})") from None
    place = next(folder for folder in path.parents if folder.exists())
    for needed in (place, path) if path.exists() else (place,):
        if not os.access(needed, os.R_OK | os.W_OK):
            raise SettingsError(
                f"USERBOT_SESSION: {needed} can't be written; the session must be, choose another place"
            )
    if not place.is_dir():
        raise SettingsError(f"USERBOT_SESSION: {place} is no directory; choose another place")


def _read(path: Path, file: sqlite3.Connection) -> int | None:
    file.execute("BEGIN IMMEDIATE")
    (version,) = file.execute("SELECT number FROM version").fetchone() or (0,)
    if not 0 < version <= _newest_version():
        raise SettingsError(
            f"USERBOT_SESSION: {path} was made by another program (version {version}); {how_to_replace_session(path)}"
        )
    row = file.execute("SELECT dc_id, auth_key, user_id FROM sessions").fetchone()
    file.execute("ROLLBACK")
    if row is None or row[1] is None or row[2] is None:
        return None
    if row[0] not in DATA_CENTRES or not isinstance(row[1], bytes) or len(row[1]) != KEY_LENGTH:
        raise SettingsError(f"USERBOT_SESSION: {path} has no whole key; {how_to_replace_session(path)}")
    return int(row[2])


def _newest_version() -> int:
    """Return the newest version of a file that the installed client can use, if need be after `adopt`."""
    newest = KURIGRAM_VERSIONS[-1]
    if find_spec("pyrogram") is None:
        return newest
    from pyrogram.storage.sqlite_storage import SQLiteStorage  # noqa: PLC0415 - doctor works without

    return max(newest, SQLiteStorage.VERSION)


def adopt(path: Path) -> None:
    """Let pyrogram use a file that kurigram has made. Raises SettingsError or SessionInUse.

    Its peers lack pyrogram's column of usernames, which kurigram ignores: it has a table for them. What kurigram adds
    to a file of pyrogram's does not disturb that one.
    """
    try:
        with closing(sqlite3.connect(path, timeout=LOCK_TIMEOUT)) as file, file:
            if "username" not in {name for (_, name, *_) in file.execute("PRAGMA table_info(peers)")}:
                file.execute("ALTER TABLE peers ADD username TEXT")
    except sqlite3.Error as error:
        raise explain_error(error, path) from None
