"""The driver of one chat: sees to what the record says is to be done, until nothing is, and to what goes wrong."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from edge.userbot import phrases
from edge.userbot.chat.question_progress import limit_deadline
from edge.userbot.chat.record import ChatRecord, UnreadableRecord
from edge.userbot.chat.steps import Deliver, Erase, Notify, Step, Think, next_step, wake_at
from edge.userbot.driving.live import LiveView
from edge.userbot.driving.messenger import MessengerError
from edge.userbot.driving.outbox import Outbox
from edge.userbot.driving.performer import Performer
from edge.userbot.driving.ports import Ports
from edge.userbot.error_lines import describe_error
from edge.userbot.formatting.styled_text import FormattedText
from edge.userbot.storage.chats import AWAY
from events.errors import TimokhaError, TransportError
from events.faults import UNKNOWN_ATTEMPTS, Fault
from events.ids import RequestId
from events.runtime.retrying import Backoff
from events.schema import GenerationProgressed
from observability import propagation

TELEGRAM = Backoff(first=timedelta(seconds=0.5), most=timedelta(seconds=15))
"""Pauses before a message is sent again that Telegram did not take."""
FAULT = Backoff(first=timedelta(seconds=0.5), most=timedelta(seconds=10))
"""Pauses before a step is tried again after a fault of the userbot's own."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ReplyTarget:
    """A message for the bot in a chat whose record can't be read; `locale` is one that is spoken."""

    message_id: int
    locale: str


class Driver:
    """Serial within a chat. `resumed` after a restart: what was in flight may have happened already."""

    def __init__(self, chat: str, ports: Ports, *, resumed: bool = False, asked: ReplyTarget | None = None) -> None:
        self._chat = chat
        self._ports = ports
        self._clock = ports.retrying.clock
        self._outbox = Outbox(chat, ports.messenger, ports.telemetry.spans, unsure=resumed)
        self._view = LiveView(chat, ports.messenger, formatted=ports.formatted)
        self._performer = Performer(chat, ports, self._outbox, self._view)
        self._send_at = float("-inf")
        self._storing, self._sending = ports.retrying.pauses(AWAY), ports.retrying.pauses(TELEGRAM)
        self._faults = ports.retrying.pauses(FAULT)
        self._record = ChatRecord()
        self._step: Step | None = None
        self._asked = asked
        self._resumed = resumed
        self._looked_for = ""
        self.woken = asyncio.Event()
        """Set since the record may have changed after it was last loaded."""
        self._stirred = asyncio.Event()
        self._since = self._clock.now()

    def wake(self, asked: ReplyTarget | None = None) -> None:
        """The record has changed, or can't be read although somebody has `asked`."""
        self._asked = self._asked or asked
        self.woken.set()
        self._stirred.set()
        self._since = self._clock.now()

    def hear(self, progress: GenerationProgressed) -> None:
        """A worker has written more."""
        if self._view.take(progress):
            self._stirred.set()

    async def run(self) -> None:
        """Return when the chat needs nothing any more, unless it was woken meanwhile."""
        try:
            while await self._goes_on():
                pass
        finally:
            await self._view.close()

    async def _goes_on(self) -> bool:
        self.woken.clear()
        self._stirred.clear()
        try:
            more = await self._advance()
        except MessengerError as error:
            # Until then nothing is sent, whoever wakes the driver.
            pause = self._sending.next(error)
            self._send_at = self._clock.monotonic() + pause.total_seconds()
            log.warning("driver.again", chat=self._chat, error=str(error), again_in=pause.total_seconds())
        except TransportError as error:
            if attempts := self._attempts(error.fault):
                return await self._failed(error, attempts=attempts)
            pause = self._storing.next(error)
            log.warning("driver.again", chat=self._chat, error=str(error), again_in=pause.total_seconds())
            await self._clock.sleep(pause)
        except UnreadableRecord:
            pass  # the next attempt to load it says what is to be done
        except TimokhaError as error:
            return await self._failed(error, attempts=1)
        except asyncio.CancelledError as error:
            # A library may cancel what it waits for itself: that is not for us to end by.
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            return await self._failed(error)
        except Exception as error:  # noqa: BLE001 - a chat must not be stuck because of a fault in here
            return await self._failed(error)
        else:
            self._storing.reset()
            self._faults.reset()
            return more
        return True

    def _attempts(self, fault: Fault) -> int | None:
        """How often a step is tried that the store answers so; None: until it works."""
        if fault is Fault.FINAL:
            return 1
        # Without its record there is nothing to do for a chat, and nothing to lose.
        return UNKNOWN_ATTEMPTS if fault is Fault.UNKNOWN and self._step is None else None

    async def _failed(self, error: BaseException, *, attempts: int = UNKNOWN_ATTEMPTS) -> bool:
        """Try the step again until it has failed `attempts` times in a row, then skip it; return whether to go on."""
        pause = self._faults.next()
        log.error("driver.fault", chat=self._chat, step=type(self._step).__name__, error=describe_error(error))
        self._outbox.doubt()
        if self._faults.failures < attempts:
            await self._clock.sleep(pause)
            return True
        self._faults.reset()
        try:
            log.error("driver.gave_up", chat=self._chat, step=type(self._step).__name__)
            await self._performer.skip(self._step, self._record)
        except Exception as again:  # noqa: BLE001 - the next message or start takes the chat up again
            log.error("driver.stopped", chat=self._chat, error=describe_error(again))
            return False
        return True

    async def _advance(self) -> bool:
        self._record, self._step = ChatRecord(), None
        try:
            record = self._record = await self._ports.chats.load(self._chat)
        except UnreadableRecord as error:
            return await self._tell_unreadable(error)
        latest = self._clock.now() + self._ports.deadline
        if limit_deadline(record, latest) is not record:
            await self._ports.chats.change(self._chat, lambda record: limit_deadline(record, latest))
            return True
        now = self._clock.monotonic()
        time, erase, send = self._clock.now(), now >= self._performer.erase_at, now >= self._send_at
        step = self._step = next_step(record, time, erase=erase, send=send)
        if not isinstance(step, Erase | Notify) and await self._is_put_back(record):
            return True
        if step:
            await self._performer.perform(step, record, due_since=self._since)
            if isinstance(step, Notify | Think | Deliver):
                self._sending.reset()
            if not self.woken.is_set():
                self._since = self._clock.now()
            return True
        due = list(self._due(record, now, time))
        if due:
            await self._wait(record, min(due))
        return bool(due)

    async def _is_put_back(self, record: ChatRecord) -> bool:
        """Whether the current question had its outcome in its chat already, or that can't be found out for now.

        Outcomes are stored before they are sent: it has one only if the record is an old one, of a backup.
        """
        current = record.current
        if current is None or current.outcome or current.request_id == self._looked_for:
            return False
        if not (self._resumed or current.question.doubtful):
            return False
        if (held := self._send_at - self._clock.monotonic()) > 0:
            await self._wait(ChatRecord(), held)
            return True
        if await self._performer.is_put_back(current):
            log.info("question.answered_before", request_id=current.request_id)
            return True
        self._looked_for = current.request_id
        return False

    def _due(self, record: ChatRecord, now: float, time: datetime) -> Iterator[float]:
        """In how many seconds there may be a step, for each thing that stands in the way of one."""
        erase_at = self._performer.erase_at
        if now < self._send_at and next_step(record, time, erase=now >= erase_at):
            yield self._send_at - now
        if record.erasing:
            yield erase_at - now
        if at := wake_at(record):
            yield (at - time).total_seconds()

    async def _tell_unreadable(self, error: UnreadableRecord) -> bool:
        """One line, once ever: the same message whoever asks, as long as the record stays what it is. Then rest."""
        unreadable, asked = self._ports.chats.unreadable, self._asked
        unreadable.note(self._chat, error)
        if asked is None or await unreadable.was_told(self._chat):
            return False
        if (held := self._send_at - self._clock.monotonic()) > 0:
            await self._wait(ChatRecord(), held)
            return True
        key = str(RequestId(self._ports.account, self._chat, str(error.version)))
        line = phrases.unreadable(asked.locale)
        self._outbox.doubt()  # an earlier life may have sent it to the same message
        await self._outbox.send(FormattedText(line), reply_to=asked.message_id, key=key, part="unreadable")
        self._sending.reset()
        await unreadable.mark_told(self._chat)
        self._asked = None
        return False

    async def _wait(self, record: ChatRecord, seconds: float) -> None:
        current = record.current
        if current and current.outcome is None:
            with propagation.resume(current.question.trace):
                await self._performer.publish(record, current)
            until = await self._view.show(current, self._clock.now(), edits=self._clock.monotonic() >= self._send_at)
            seconds = min(seconds, (until - self._clock.now()).total_seconds())
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._stirred.wait()
        except TimeoutError:
            pass
