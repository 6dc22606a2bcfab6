"""In a container without a terminal, wait for the session instead of ending: Docker would restart it for ever.

The owner signs in from another container that shares the session file.
"""

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import structlog

from edge.userbot.settings import UserbotSettings
from edge.userbot.telegram import session_file
from edge.userbot.telegram.api import SessionRevoked
from events.errors import TimokhaError
from events.runtime.clock import Clock

CHECK_INTERVAL = timedelta(seconds=5)

CHECKS_IN_A_ROW = 2
"""Checks in a row that have to find a session: right after the sign-in its process still has the file open."""

OnWait = Callable[[str], None]
"""Gets the reason to wait."""

log = structlog.get_logger(__name__)


async def wait_for_session(settings: UserbotSettings, on_wait: OnWait, *, clock: Clock) -> None:
    """Wait until there is a session to use. Return at once if this process can make one itself."""
    path = _external_session_file(settings)
    problem = path and _problem(path)
    if not (path and problem):
        return
    _announce(problem, on_wait)
    await _until_usable(lambda: not _problem(path), clock)


@asynccontextmanager
async def wait_for_new_session(settings: UserbotSettings, on_wait: OnWait, *, clock: Clock) -> AsyncIterator[None]:
    """If Telegram ends the session in the block, raise SessionRevoked only once there is another session."""
    path = _external_session_file(settings)
    key = path and session_file.read_key(path)
    try:
        yield
    except SessionRevoked as error:
        if path:
            log.error("session.ended", error=str(error))
            advice = session_file.how_to_replace_session(path)
            _announce(f"Telegram takes {path} no more: {advice}; this one starts again then", on_wait)
            await _until_usable(lambda: session_file.read_key(path) != key and not _problem(path), clock)
        raise


def _external_session_file(settings: UserbotSettings) -> Path | None:
    """Return the session file if the owner has to make it from another container, else None."""
    unattended = session_file.in_a_container() and not (settings.bot_token or sys.stdin.isatty())
    return settings.session_file if unattended else None


async def _until_usable(usable: Callable[[], bool], clock: Clock) -> None:
    in_a_row = 0
    while in_a_row < CHECKS_IN_A_ROW:
        await clock.sleep(CHECK_INTERVAL)
        in_a_row = in_a_row + 1 if usable() else 0


def _announce(problem: str, on_wait: OnWait) -> None:
    log.warning("session.awaited", error=problem)
    on_wait(problem)


def _problem(path: Path) -> str:
    """Return why the session can't be used, empty if it can."""
    try:
        account = session_file.account_of(path)
    except TimokhaError as error:
        return str(error)
    return (
        ""
        if account
        else f"there is no session at {path}: sign in with {session_file.sign_in_command()}, this one goes on then"
    )
