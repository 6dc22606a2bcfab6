"""The driver of one chat: carry out the steps that its record asks for, and handle their errors."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog

from edge.userbot import phrases
from edge.userbot.chat.approval import limit_approval
from edge.userbot.chat.bursts import limit_bursts
from edge.userbot.chat.incoming import Typing
from edge.userbot.chat.question_progress import limit_deadline
from edge.userbot.chat.record import ChatRecord, UnreadableRecord
from edge.userbot.chat.steps import (
    CarryOut,
    Deliver,
    Erase,
    Notify,
    Recall,
    ShowDraft,
    Step,
    Think,
    Withdraw,
    next_step,
    wake_at,
)
from edge.userbot.driving.flood import FloodGuard
from edge.userbot.driving.live import LiveView
from edge.userbot.driving.messenger import MessengerError
from edge.userbot.driving.outbox import Outbox
from edge.userbot.driving.performer import Performer
from edge.userbot.driving.ports import Ports
from edge.userbot.driving.restrictions import leave_group_alone
from edge.userbot.driving.typists import Typists
from edge.userbot.error_lines import describe_error
from edge.userbot.formatting.styled_text import FormattedText
from edge.userbot.storage.chats import STORE_PAUSES
from events.errors import TimokhaError, TransportError
from events.faults import UNKNOWN_ATTEMPTS, Fault
from events.ids import RequestId
from events.runtime.retrying import Backoff
from events.schema import GenerationProgressed
from observability import propagation

TELEGRAM_PAUSES = Backoff(first=timedelta(seconds=0.5), most=timedelta(seconds=15))
"""Pauses before a message is sent again after Telegram did not accept it."""
FAULT_PAUSES = Backoff(first=timedelta(seconds=0.5), most=timedelta(seconds=10))
"""Pauses before a step is retried after a fault of the userbot itself."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ReplyTarget:
    """A message to the bot in a chat whose record can't be read. `locale`: one for which there are phrases."""

    message_id: int
    locale: str


class Driver:
    """Carries out one step after the other, once `released` is set.

    `wake`: look at another chat's record. `resumed`: after a restart, as the first step may have been carried out.
    """

    def __init__(
        self,
        chat: str,
        ports: Ports,
        released: asyncio.Event,
        *,
        wake: Callable[[str], None],
        resumed: bool = False,
        reply_target: ReplyTarget | None = None,
    ) -> None:
        self._chat = chat
        self._ports = ports
        self._released = released
        self._clock = ports.retrying.clock
        self._outbox = Outbox(
            chat,
            ports.messenger,
            ports.telemetry.spans,
            check_first=resumed,
            flooded=FloodGuard(ports, wake).pause_everything,
            forbidden=partial(leave_group_alone, ports, chat),
        )
        self._view = LiveView(chat, ports.messenger, formatted=ports.formatted)
        self._performer = Performer(chat, ports, self._outbox, self._view, wake=wake)
        self._typists = Typists(self._clock)
        self._send_at = float("-inf")
        self._store_pauses = ports.retrying.pauses(STORE_PAUSES)
        self._send_pauses = ports.retrying.pauses(TELEGRAM_PAUSES)
        self._fault_pauses = ports.retrying.pauses(FAULT_PAUSES)
        self._record = ChatRecord()
        self._step: Step | None = None
        self._reply_target = reply_target
        self._resumed = resumed
        self._checked_for_outcome = ""
        self._knows_bursts = False
        self.woken = asyncio.Event()
        """Set when the record may have changed since it was last loaded."""
        self._end_wait = asyncio.Event()
        self._due_since = self._clock.now()

    def wake(self, reply_target: ReplyTarget | None = None) -> None:
        """Look at the record: it has changed. `reply_target`: reply to this message if the record can't be read."""
        self._reply_target = self._reply_target or reply_target
        self.woken.set()
        self._end_wait.set()
        self._due_since = self._clock.now()

    def publish_again(self) -> None:
        """Publish the request of the current question again: its stream may have lost it."""
        self._performer.forget_published()
        self.wake()

    def take_progress(self, progress: GenerationProgressed) -> None:
        """Take the text that a worker has written so far."""
        if self._view.take_progress(progress):
            self._end_wait.set()

    def note_typing(self, typing: Typing) -> None:
        """Take in that somebody types in the chat, or stops."""
        self._typists.note(typing)
        self._end_wait.set()

    async def run(self) -> None:
        """Run until there is no step left, nor anything to wait for."""
        try:
            while await self._try_to_advance():
                pass
        finally:
            await self._view.close()

    async def _try_to_advance(self) -> bool:
        self.woken.clear()
        self._end_wait.clear()
        try:
            more = await self._advance()
        except MessengerError as error:
            # Nothing is sent before `_send_at`, even if the driver is woken.
            pause = self._send_pauses.next(error)
            self._send_at = self._clock.monotonic() + pause.total_seconds()
            log.warning("driver.again", chat=self._chat, error=str(error), again_in=pause.total_seconds())
        except TransportError as error:
            if attempts := self._max_attempts(error.fault):
                return await self._retry_or_skip(error, attempts=attempts)
            pause = self._store_pauses.next(error)
            log.warning("driver.again", chat=self._chat, error=str(error), again_in=pause.total_seconds())
            await self._clock.sleep(pause)
        except UnreadableRecord:
            pass  # it is handled when it is loaded again
        except TimokhaError as error:
            return await self._retry_or_skip(error, attempts=1)
        except asyncio.CancelledError as error:
            # If a library cancels its own call, the driver goes on.
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            return await self._retry_or_skip(error)
        except Exception as error:  # noqa: BLE001 - a bug must not block the chat
            return await self._retry_or_skip(error)
        else:
            self._store_pauses.reset()
            self._fault_pauses.reset()
            return more
        return True

    def _max_attempts(self, fault: Fault) -> int | None:
        """Return how often to try a step after this fault of the store, None for no limit."""
        if fault is Fault.FINAL:
            return 1
        # `_step` is None while the record is being loaded: a chat whose record can't be loaded is left alone.
        return UNKNOWN_ATTEMPTS if fault is Fault.UNKNOWN and self._step is None else None

    async def _retry_or_skip(self, error: BaseException, *, attempts: int = UNKNOWN_ATTEMPTS) -> bool:
        """Retry the step until it has failed `attempts` times in a row, then skip it. Return whether to go on."""
        pause = self._fault_pauses.next()
        log.error("driver.fault", chat=self._chat, step=type(self._step).__name__, error=describe_error(error))
        self._outbox.check_before_next_send()
        if self._fault_pauses.failures < attempts:
            await self._clock.sleep(pause)
            return True
        self._fault_pauses.reset()
        return await self._skip()

    async def _skip(self) -> bool:
        """Skip the step. Return whether to go on; while the store or Telegram is away the step is tried again first."""
        try:
            log.error("driver.gave_up", chat=self._chat, step=type(self._step).__name__)
            await self._performer.skip(self._step, self._record)
        except TransportError as error:
            if error.fault is not Fault.PASSING:
                log.error("driver.stopped", chat=self._chat, error=describe_error(error))
                return False
            await self._clock.sleep(self._store_pauses.next(error))
        except MessengerError as error:
            await self._clock.sleep(self._send_pauses.next(error))
        except Exception as again:  # noqa: BLE001 - the next message or start resumes the chat
            log.error("driver.stopped", chat=self._chat, error=describe_error(again))
            return False
        return True

    async def _advance(self) -> bool:
        self._record, self._step = ChatRecord(), None
        try:
            record = self._record = await self._ports.chats.load(self._chat)
        except UnreadableRecord as error:
            return await self._notify_unreadable(error)
        if self._limited(record) is not record:
            await self._ports.chats.change(self._chat, self._limited)
            return True
        now = self._clock.monotonic()
        time, erase, send = self._clock.now(), now >= self._performer.erase_at, now >= self._send_at
        step = self._step = next_step(record, time, erase=erase, send=send, typing=self._typists.until())
        beside = isinstance(step, Erase | Notify | Withdraw | CarryOut | Recall | ShowDraft)
        if not beside and (await self._dropped_doubtful(record) or await self._was_answered_before(record)):
            return True
        if not self._released.is_set():
            await self._released.wait()
            return True
        if step:
            await self._performer.perform(step, record, due_since=self._due_since)
            if isinstance(step, Notify | Withdraw | Think | Deliver | ShowDraft):
                self._send_pauses.reset()
            # The question's next step was due before a step beside it, e.g. before its draft is recalled.
            if not beside and not self.woken.is_set():
                self._due_since = self._clock.now()
            return True
        due = list(self._seconds_to_next_step(record, now, time))
        if due:
            await self._wait(record, min(due))
        return bool(due)

    def _limited(self, record: ChatRecord) -> ChatRecord:
        now, ports, rules = self._clock.now(), self._ports, self._ports.rules()
        record = limit_deadline(record, now + ports.deadline)
        return limit_bursts(limit_approval(record, now + rules.approve_for), now, rules)

    async def _dropped_doubtful(self, record: ChatRecord) -> bool:
        """Return whether bursts were dropped that a backup contained: what became of them since is not known."""
        if not (self._resumed and record.bursts) or self._knows_bursts:
            return False
        self._knows_bursts = not await self._performer.drop_doubtful_bursts()
        return not self._knows_bursts

    async def _was_answered_before(self, record: ChatRecord) -> bool:
        """Return whether the chat has the outcome of the current question, which is then dropped, or may have it.

        As outcomes are stored before they are sent, this is so only if the record was restored from a backup.
        """
        current = record.current
        if current is None or current.request_id == self._checked_for_outcome:
            return False
        # What was sent of its outcome is looked for message by message, where that is possible.
        if current.state == "delivering" and self._ports.are_shown(self._chat):
            return False
        if not (self._resumed or current.question.doubtful):
            return False
        if (held := self._send_at - self._clock.monotonic()) > 0:
            await self._wait(ChatRecord(), held)
            return True
        if await self._performer.drop_if_answered_before(current):
            log.info("question.answered_before", request_id=current.request_id)
            return True
        self._checked_for_outcome = current.request_id
        return False

    def _seconds_to_next_step(self, record: ChatRecord, now: float, time: datetime) -> Iterator[float]:
        """Yield in how many seconds there may be a step, for each reason to wait."""
        erase_at = self._performer.erase_at
        if now < self._send_at and next_step(record, time, erase=now >= erase_at):
            yield self._send_at - now
        if record.erasing:
            yield erase_at - now
        if at := wake_at(record, self._typists.until()):
            yield (at - time).total_seconds()

    async def _notify_unreadable(self, error: UnreadableRecord) -> bool:
        """Notify the user once that the record can't be read. Return whether to go on.

        The key contains the version of the record, so that a repeat is the same message.
        """
        unreadable, reply_target = self._ports.chats.unreadable, self._reply_target
        unreadable.note(self._chat, error)
        if reply_target is None or await unreadable.was_notified(self._chat):
            return False
        if (held := self._send_at - self._clock.monotonic()) > 0:
            await self._wait(ChatRecord(), held)
            return True
        key = str(RequestId(self._ports.account, self._chat, str(error.version)))
        line = phrases.unreadable(reply_target.locale)
        self._outbox.check_before_next_send()  # an earlier process may have sent it
        await self._outbox.send(FormattedText(line), reply_to=reply_target.message_id, key=key, part="unreadable")
        self._send_pauses.reset()
        await unreadable.mark_notified(self._chat)
        self._reply_target = None
        return False

    async def _wait(self, record: ChatRecord, seconds: float) -> None:
        current = record.current
        if current and current.outcome is None:
            with propagation.resume(current.question.trace):
                await self._performer.publish(record, current)
        if current and current.outcome is None and not current.question.approve:
            until = await self._view.show(current, self._clock.now(), edits=self._clock.monotonic() >= self._send_at)
            seconds = min(seconds, (until - self._clock.now()).total_seconds())
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._end_wait.wait()
        except TimeoutError:
            pass
