"""In a container that nobody types into, wait for the session: ended, it would be started again for ever.

A person signs in elsewhere, from another container, and the session's file is the same.
"""

import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import structlog

from edge.userbot import session_file, sign_in
from edge.userbot.settings import UserbotSettings
from events.errors import TimokhaError
from events.extras import in_image
from events.runtime.clock import Clock

LOOK_EVERY = timedelta(seconds=5)

LOOKS = 2
"""In a row that find a session: somebody who has just signed in has the file for himself a moment later."""

log = structlog.get_logger(__name__)


async def session_there(settings: UserbotSettings, waits: Callable[[str], None], *, clock: Clock) -> None:
    """Return when there is a session to use, or where a person is at hand. `waits` is told what is wrong."""
    path = settings.session_file
    if path is None or settings.bot_token or sys.stdin.isatty() or not in_image():
        return
    wrong = _wrong(path)
    if not wrong:
        return
    log.warning("session.awaited", error=wrong)
    waits(wrong)
    in_a_row = 0
    while in_a_row < LOOKS:
        await clock.sleep(LOOK_EVERY)
        in_a_row = 0 if _wrong(path) else in_a_row + 1


def _wrong(path: Path) -> str:
    """What keeps the session from being used, empty if nothing."""
    try:
        account = session_file.signed_in(path)
    except TimokhaError as error:
        return str(error)
    return "" if account else f"there is no session at {path}: sign in with {sign_in.command()}, this one goes on then"
