"""Show that an answer is being prepared: the typing action and, for a live answer, the text so far."""

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
"""The longest time that an outcome waits for an edit that is under way."""
READ_AT_MOST = 4 * MAX_MESSAGE
"""Characters of an answer that are read to make its first message."""
LONG_AGO = datetime.min.replace(tzinfo=UTC)

log = structlog.get_logger(__name__)


class LiveView:
    """The view of one chat. After an edit has failed, that answer is no longer shown until it is complete."""

    def __init__(self, chat: str, messenger: Messenger, *, formatted: bool) -> None:
        self._chat = chat
        self._messenger = messenger
        self._formatted = formatted
        self._typing_at = LONG_AGO
        self._typing: asyncio.Task[None] | None = None
        self._request_id, self._sequence = "", 0
        self._newest_text = self._shown_text = ""
        self._shown_message: FormattedText | None = None
        self._edit_at: datetime | None = LONG_AGO

    def watch(self, request_id: str) -> None:
        """Show progress of `request_id` from now on. Calling it again for the same request changes nothing."""
        if request_id != self._request_id:
            self._start(request_id)

    def take_progress(self, progress: GenerationProgressed) -> bool:
        """Keep the text if it is the newest of this question. Return whether that makes an edit due."""
        if progress.request_id != self._request_id or progress.sequence <= self._sequence:
            return False
        was_due = self._edit_due_at
        self._sequence = progress.sequence
        self._newest_text = clean(progress.text[:READ_AT_MOST])
        return was_due is None and self._edit_due_at is not None

    async def show(self, current: Current, now: datetime, *, edits: bool) -> datetime:
        """Show what is due, and return when to call again. `edits`: whether the text may be edited."""
        # The thinking line of a doubtful question may already be its answer.
        grows = current.question.live and not current.question.doubtful
        line = current.thinking_id if grows and edits else None
        if line and self._edit_due_at and now >= self._edit_due_at:
            await self._edit(line, now)
        if now >= self._typing_at:
            self.show_typing(now)
        return min(self._typing_at, (line and self._edit_due_at) or self._typing_at)

    def show_typing(self, now: datetime) -> None:
        """Show the typing action, in a task of its own."""
        self._typing_at = now + TYPING_INTERVAL
        if self._typing is None or self._typing.done():
            self._typing = asyncio.create_task(self._send_typing())

    async def _send_typing(self) -> None:
        try:
            await self._messenger.typing(self._chat)
        except Exception as error:  # noqa: BLE001 - its failure does not matter
            log.debug("typing.failed", chat=self._chat, error=describe_error(error))

    def restart_typing(self) -> None:
        """Make the typing action due: sending a message has ended it."""
        self._typing_at = LONG_AGO

    async def close(self) -> None:
        """Stop showing anything."""
        await cancel(self._typing)

    def _start(self, request_id: str) -> None:
        self._request_id, self._sequence = request_id, 0
        self._newest_text = self._shown_text = ""
        self._shown_message = None
        self._edit_at = LONG_AGO

    @property
    def _edit_due_at(self) -> datetime | None:
        """Return when the next edit may be sent, None if there is nothing new to show."""
        return self._edit_at if self._newest_text not in ("", self._shown_text) else None

    async def _edit(self, line: int, now: datetime) -> None:
        newest, self._edit_at = self._newest_text, now + EDIT_INTERVAL
        try:
            first = None if is_blank(newest) else formatted_messages(newest, formatted=self._formatted)[0]
            if await self._show_message(line, first):
                self._shown_text = newest
        except Exception as error:  # noqa: BLE001 - the answer must be sent in any case
            self._edit_at = None
            log.info("live.ended", request_id=self._request_id, error=describe_error(error))

    async def _show_message(self, line: int, message: FormattedText | None) -> bool:
        """Show `message` unless it is shown already or None. Return whether it is shown now."""
        if message is None or message == self._shown_message:
            return True
        shown = await within(PREVIEW_LIMIT, self._messenger.preview(self._chat, line, message))
        self._shown_message = message if shown else self._shown_message
        return shown
