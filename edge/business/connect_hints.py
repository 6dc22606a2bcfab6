"""Tell persons who write to the bot but have not connected it how to do that: one line a day.

Nothing is stored about them. Telegram recognises a repeat by its random id, which is the same all day. A line that
could not be sent, e.g. because the process has died, is left to the next message.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog

from edge.business.phrases import how_to_connect
from edge.userbot.chat.incoming import Incoming
from edge.userbot.driving.messenger import Messenger, MessengerError
from edge.userbot.driving.outbox import random_id
from edge.userbot.formatting.styled_text import FormattedText
from edge.userbot.rules import Rules
from events.errors import TimokhaError
from events.runtime.log_throttle import LogThrottle
from events.runtime.retrying import Retrying

EVERY = timedelta(days=1)
MAX_QUEUED = 100
"""Lines that wait to be sent. In a flood the others are not sent."""
MAX_REMEMBERED = 10_000
"""Persons of whom it is known that they had the line."""
PAUSE = timedelta(seconds=1)
"""Between two lines: answers go first."""
ATTEMPTS = 5

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Hint:
    """A line for one person on one day."""

    person: str
    day: str
    text: str


class ConnectHints:
    """`offer` never waits; `run` sends the lines.

    `messenger_of`: sends for one person; `bot`: its id; `rules`: for the language and the age of messages.
    """

    def __init__(
        self, messenger_of: Callable[[str], Messenger], bot: str, rules: Callable[[], Rules], *, retrying: Retrying
    ) -> None:
        self._messenger_of = messenger_of
        self._bot = bot
        self._rules = rules
        self._retrying = retrying
        self._queue: asyncio.Queue[Hint] = asyncio.Queue(MAX_QUEUED)
        self._hinted: dict[str, float] = {}
        self._log_throttle = LogThrottle(60.0)

    def offer(self, message: Incoming, *, has_left: bool) -> None:
        """Have the person told, unless they were today. `has_left`: they have sent `/disconnect`."""
        rules, now = self._rules(), self._retrying.clock.now()
        if not self._is_due(message.chat) or now - message.date > rules.catch_up_window:
            return
        text = how_to_connect(rules.only_locale or message.locale, rules.locale, has_left=has_left)
        try:
            self._queue.put_nowait(Hint(message.chat, message.date.date().isoformat(), text))
        except asyncio.QueueFull:
            if self._log_throttle.due("full"):
                log.warning("connect_hint.dropped", waiting=MAX_QUEUED)
            return
        self._remember(message.chat)

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            await self._send(await self._queue.get())
            await self._retrying.clock.sleep(PAUSE)

    async def _send(self, hint: Hint) -> None:
        messenger = self._messenger_of(hint.person)
        number = random_id(f"{self._bot}.{hint.person}.{hint.day}", "connect")
        try:
            await self._retrying(
                lambda: messenger.send(hint.person, FormattedText(hint.text), reply_to=None, random_id=number),
                passing=lambda error: isinstance(error, MessengerError),
                attempts=ATTEMPTS,
            )
        except TimokhaError as error:
            self._hinted.pop(hint.person, None)
            log.info("connect_hint.not_sent", person=hint.person, error=str(error))
        else:
            log.info("connect_hint.sent", person=hint.person)

    def _is_due(self, person: str) -> bool:
        hinted = self._hinted.get(person)
        return hinted is None or self._retrying.clock.monotonic() - hinted >= EVERY.total_seconds()

    def _remember(self, person: str) -> None:
        self._hinted.pop(person, None)
        self._hinted[person] = self._retrying.clock.monotonic()
        if len(self._hinted) > MAX_REMEMBERED:
            del self._hinted[next(iter(self._hinted))]
