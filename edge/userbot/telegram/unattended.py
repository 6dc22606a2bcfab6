"""In a container that nobody types into, wait for the session: ended, it would be started again for ever.

A person signs in elsewhere, from another container, and the session's file is the same.
"""

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import structlog

from edge.userbot.settings import UserbotSettings
from edge.userbot.telegram import session_file
from edge.userbot.telegram.calls import SessionRevoked
from events.errors import TimokhaError
from events.runtime.clock import Clock

LOOK_EVERY = timedelta(seconds=5)

LOOKS = 2
"""In a row that find a session: somebody who has just signed in has the file for himself a moment later."""

Waits = Callable[[str], None]
"""Is told what is waited for."""

log = structlog.get_logger(__name__)


async def wait_for_session(settings: UserbotSettings, waits: Waits, *, clock: Clock) -> None:
    """Return when there is a session to use, or where it is not for a person to make one elsewhere."""
    path = _made_elsewhere(settings)
    wrong = path and _wrong(path)
    if not (path and wrong):
        return
    _await(wrong, waits)
    await _lasting(lambda: not _wrong(path), clock)


@asynccontextmanager
async def wait_for_new_session(settings: UserbotSettings, waits: Waits, *, clock: Clock) -> AsyncIterator[None]:
    """If Telegram ends the session in the block, raise that only once another one is there: it would come again."""
    path = _made_elsewhere(settings)
    key = path and session_file.read_key(path)
    try:
        yield
    except SessionRevoked as error:
        if path:
            log.error("session.ended", error=str(error))
            advice = session_file.how_to_replace_session(path)
            _await(f"Telegram takes {path} no more: {advice}; this one starts again then", waits)
            await _lasting(lambda: session_file.read_key(path) != key and not _wrong(path), clock)
        raise


def _made_elsewhere(settings: UserbotSettings) -> Path | None:
    """The session file, if a person has to make it and is not here."""
    unattended = session_file.in_a_container() and not (settings.bot_token or sys.stdin.isatty())
    return settings.session_file if unattended else None


async def _lasting(usable: Callable[[], bool], clock: Clock) -> None:
    in_a_row = 0
    while in_a_row < LOOKS:
        await clock.sleep(LOOK_EVERY)
        in_a_row = in_a_row + 1 if usable() else 0


def _await(wrong: str, waits: Waits) -> None:
    log.warning("session.awaited", error=wrong)
    waits(wrong)


def _wrong(path: Path) -> str:
    """What keeps the session from being used, empty if nothing."""
    try:
        account = session_file.account_of(path)
    except TimokhaError as error:
        return str(error)
    return (
        ""
        if account
        else f"there is no session at {path}: sign in with {session_file.sign_in_command()}, this one goes on then"
    )
