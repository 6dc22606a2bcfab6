"""Waking the edge of an account: a hint on core NATS. The chat record that it is about is what counts."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext

from events import subjects
from events.jetstream.listening import listening

TIMEOUT = 2
"""Seconds that an edge may take to say that it has heard."""
ANSWERED = re.compile(r"_INBOX(_\w+)?\.|_R_\.")
"""How subjects start on which a client hears answers: its own, or the server's for a client of another account."""


@asynccontextmanager
async def waking(js: JetStreamContext, account: str, wake: Callable[[str], None]) -> AsyncIterator[None]:
    """Meanwhile `wake` gets the text of every hint: a chat, if its sender means well."""

    async def hear(message: Msg) -> None:
        wake(message.data.decode(errors="replace"))
        # The sender chooses where the answer goes, and it goes there with this user's rights.
        if ANSWERED.match(message.reply):
            await message.respond(b"")

    async with listening(js, subjects.wake(account), hear):
        yield


async def wake(js: JetStreamContext, account: str, chat: str) -> bool:
    """Whether an edge has heard."""
    try:
        await js._nc.request(subjects.wake(account), chat.encode(), timeout=TIMEOUT)
    except (NatsError, OSError):
        return False
    return True
