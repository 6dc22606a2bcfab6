"""Show that an answer is being prepared: the typing action and, for a live answer, the text so far.

That text is a live draft where Telegram takes one, else the thinking line is edited.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog

from edge.userbot.chat.record import NO_MESSAGE, Current
from edge.userbot.driving.messenger import Messenger
from edge.userbot.driving.outbox import random_id
from edge.userbot.error_lines import describe_error
from edge.userbot.formatting.messages import MAX_MESSAGE, formatted_messages
from edge.userbot.formatting.styled_text import FormattedText
from edge.userbot.text import clean, is_blank
from events.runtime.tasks import cancel, within
from events.schema import GenerationProgressed

EDIT_INTERVAL = timedelta(seconds=1)
TYPING_INTERVAL = timedelta(seconds=4)
"""Telegram shows the action for about six seconds."""
DRAFT_INTERVAL = timedelta(seconds=10)
"""Clients show a live draft for about 30 seconds (https://core.telegram.org/bots/api#sendmessagedraft)."""
PREVIEW_LIMIT = timedelta(seconds=2)
"""The longest time that an outcome waits for an edit or a live draft that is under way."""
READ_AT_MOST = 4 * MAX_MESSAGE
"""Characters of an answer that are read to make its first message."""
LONG_AGO = datetime.min.replace(tzinfo=UTC)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an answer grows. `show` returns whether the text is shown; it has to be repeated after `lasts`."""

    show: Callable[[FormattedText], Awaitable[bool]]
    lasts: timedelta | None = None


class LiveView:
    """The view of one chat. After showing it has failed, an answer is no longer shown until it is complete."""

    def __init__(self, chat: str, messenger: Messenger, *, formatted: bool) -> None:
        self._chat = chat
        self._messenger = messenger
        self._formatted = formatted
        self._typing_at = LONG_AGO
        self._typing: asyncio.Task[None] | None = None
        self._request_id, self._sequence = "", 0
        self._newest_text = self._shown_text = ""
        self._line: FormattedText | None = None
        self._shown_message: FormattedText | None = None
        self._edit_at: datetime | None = LONG_AGO
        self._fades_at: datetime | None = None

    def watch(self, request_id: str) -> None:
        """Show progress of `request_id` from now on. Calling it again for the same request changes nothing."""
        if request_id != self._request_id:
            self._start(request_id)

    def take_progress(self, progress: GenerationProgressed) -> bool:
        """Keep the text if it is the newest of this question. Return whether something is due sooner then."""
        if progress.request_id != self._request_id or progress.sequence <= self._sequence:
            return False
        was_due_at = self._due_at
        self._sequence = progress.sequence
        self._newest_text = clean(progress.text[:READ_AT_MOST])
        return self._due_at is not None and (was_due_at is None or self._due_at < was_due_at)

    async def begin_live_draft(self, current: Current, line: FormattedText, now: datetime) -> bool:
        """Show `line` as a live draft. Return whether the chat takes live drafts, even if this one is not shown."""
        if current.outcome is None and self._messenger.takes_live_drafts(self._chat):
            self._line = line
            await self._grow(self._live_draft(current), now)
        taken = self._messenger.takes_live_drafts(self._chat)
        if not taken:
            self._line = self._fades_at = None
        return taken

    async def show(self, current: Current, now: datetime, *, edits: bool) -> datetime:
        """Show what is due, and return when to call again. `edits`: whether the text may be shown."""
        place = self._place(current) if edits else None
        if place and self._due_at and now >= self._due_at:
            await self._grow(place, now)
        if now >= self._typing_at:
            self.show_typing(now)
        return min(self._typing_at, (place and self._due_at) or self._typing_at)

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
        self._line = self._shown_message = None
        self._edit_at, self._fades_at = LONG_AGO, None

    def _place(self, current: Current) -> _Place | None:
        """Return where the answer grows, None if nowhere."""
        line, question = current.thinking_id, current.question
        if line == NO_MESSAGE and question.live and self._messenger.takes_live_drafts(self._chat):
            return self._live_draft(current)
        # The thinking line of a doubtful question may already be its answer.
        if line and question.live and not question.doubtful:
            return _Place(partial(self._messenger.preview, self._chat, line))
        return None

    def _live_draft(self, current: Current) -> _Place:
        name = random_id(current.request_id, "live")
        return _Place(partial(self._messenger.live_draft, self._chat, name), lasts=DRAFT_INTERVAL)

    @property
    def _due_at(self) -> datetime | None:
        """Return when there may be something to show, None if nothing is new and nothing fades."""
        if self._newest_text not in ("", self._shown_text):
            return self._edit_at
        return self._fades_at

    async def _grow(self, place: _Place, now: datetime) -> None:
        newest, self._edit_at = self._newest_text, now + EDIT_INTERVAL
        try:
            first = self._line if is_blank(newest) else formatted_messages(newest, formatted=self._formatted)[0]
            if await self._show_message(place, first, now):
                self._shown_text = newest
        except Exception as error:  # noqa: BLE001 - the answer must be sent in any case
            self._edit_at = self._fades_at = None
            log.info("live.ended", request_id=self._request_id, error=describe_error(error))

    async def _show_message(self, place: _Place, message: FormattedText | None, now: datetime) -> bool:
        """Show `message` unless it is None, or shown already and lasts. Return whether it is shown now."""
        if fades := self._fades_at is not None and now >= self._fades_at:
            self._fades_at = None
        if message is None or (message == self._shown_message and not fades):
            return True
        shown = await within(PREVIEW_LIMIT, place.show(message))
        self._shown_message = message if shown else self._shown_message
        if place.lasts:
            self._fades_at = now + (place.lasts if shown else EDIT_INTERVAL)
        return shown
