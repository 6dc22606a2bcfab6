"""What a user sees while an answer is prepared: the typing action and, of a live answer, the text so far."""

import asyncio
from datetime import UTC, datetime, timedelta

import structlog

from edge.userbot.chat.record import Current
from edge.userbot.driving.messenger import Messenger
from edge.userbot.error_lines import describe_error
from edge.userbot.formatting.messages import MAX_MESSAGE, formatted_messages
from edge.userbot.formatting.styled_text import FormattedText
from edge.userbot.text import clean, is_blank
from events.runtime.tasks import cancel, within
from events.schema import GenerationProgressed

EDIT_INTERVAL = timedelta(seconds=1)
TYPING_INTERVAL = timedelta(seconds=4)
"""Telegram shows the action for about six seconds."""
PREVIEW_LIMIT = timedelta(seconds=2)
"""The outcome waits as long for an edit that is under way; after it the edit would be too late anyway."""
READ_AT_MOST = 4 * MAX_MESSAGE
"""Characters of an answer in which the start of its first message is looked for."""
LONG_AGO = datetime.min.replace(tzinfo=UTC)

log = structlog.get_logger(__name__)


class LiveView:
    """Of one chat. An edit that fails ends the view of that answer, which then comes whole, as it would have anyway."""

    def __init__(self, chat: str, messenger: Messenger, *, formatted: bool) -> None:
        self._chat = chat
        self._messenger = messenger
        self._formatted = formatted
        self._typing_at = LONG_AGO
        self._typing: asyncio.Task[None] | None = None
        self._request_id, self._sequence = "", 0
        self._newest = self._seen = ""
        self._shown: FormattedText | None = None
        self._edit_at: datetime | None = LONG_AGO

    def watch(self, request_id: str) -> None:
        """What is written for `request_id` counts from now on; to say so again changes nothing."""
        if request_id != self._request_id:
            self._start(request_id)

    def take(self, progress: GenerationProgressed) -> bool:
        """Keep the text if it is the newest of this question; return whether an edit has become due by it."""
        if progress.request_id != self._request_id or progress.sequence <= self._sequence:
            return False
        was_due = self._due
        self._sequence = progress.sequence
        self._newest = clean(progress.text[:READ_AT_MOST])
        return was_due is None and self._due is not None

    async def show(self, current: Current, now: datetime, *, edits: bool) -> datetime:
        """Show what is due, and return when to call again. Without `edits` the text stays as it is."""
        # The line of a doubtful question may be its answer already.
        grows = current.question.live and not current.question.doubtful
        line = current.thinking_id if grows and edits else None
        if line and self._due and now >= self._due:
            await self._edit(line, now)
        if now >= self._typing_at:
            self.type(now)
        return min(self._typing_at, (line and self._due) or self._typing_at)

    def type(self, now: datetime) -> None:
        """Show the typing action, beside everything else: nothing waits for it."""
        self._typing_at = now + TYPING_INTERVAL
        if self._typing is None or self._typing.done():
            self._typing = asyncio.create_task(self._type())

    async def _type(self) -> None:
        try:
            await self._messenger.typing(self._chat)
        except Exception as error:  # noqa: BLE001 - it must not matter
            log.debug("typing.failed", chat=self._chat, error=describe_error(error))

    def spoke(self) -> None:
        """A message has ended the typing action."""
        self._typing_at = LONG_AGO

    async def close(self) -> None:
        """Nothing is shown any more."""
        await cancel(self._typing)

    def _start(self, request_id: str) -> None:
        self._request_id, self._sequence = request_id, 0
        self._newest = self._seen = ""
        self._shown = None
        self._edit_at = LONG_AGO

    @property
    def _due(self) -> datetime | None:
        """When the next edit may go out; None if there is nothing new to show."""
        return self._edit_at if self._newest not in ("", self._seen) else None

    async def _edit(self, line: int, now: datetime) -> None:
        newest, self._edit_at = self._newest, now + EDIT_INTERVAL
        try:
            if await self._is_shown(line, self._first_part(newest)):
                self._seen = newest
        except Exception as error:  # noqa: BLE001 - whatever it is, the answer must not suffer
            self._edit_at = None
            log.info("live.ended", request_id=self._request_id, error=describe_error(error))

    def _first_part(self, text: str) -> FormattedText | None:
        """What of an answer that begins with `text` will be its first message; None if nothing can be seen yet."""
        return None if is_blank(text) else formatted_messages(text, formatted=self._formatted)[0]

    async def _is_shown(self, line: int, message: FormattedText | None) -> bool:
        """Show `message` unless it is there already, or there is none."""
        if message is None or message == self._shown:
            return True
        shown = await within(PREVIEW_LIMIT, self._messenger.preview(self._chat, line, message))
        self._shown = message if shown else self._shown
        return shown
