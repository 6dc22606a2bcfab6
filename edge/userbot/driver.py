"""The driver of one chat: does what the record says is to be done, until nothing is."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

import structlog

from edge.userbot import phrases
from edge.userbot import record as records
from edge.userbot.chats import AWAY, Transition
from edge.userbot.context import request_of
from edge.userbot.described import described
from edge.userbot.live import LiveView
from edge.userbot.messenger import MessengerError
from edge.userbot.outbox import Outbox
from edge.userbot.record import NO_MESSAGE, Answer, ChatRecord, Current
from edge.userbot.settling import settled
from edge.userbot.steps import Deliver, Erase, Expire, Finish, Notify, Step, TakeUp, Think, next_step, wake_at
from edge.userbot.versions import UnreadableRecord
from edge.userbot.world import World, traced
from events.errors import TimokhaError, TransportError
from events.event import Event
from events.faults import UNKNOWN_ATTEMPTS, Fault
from events.ids import RequestId
from events.runtime.retrying import Backoff
from events.schema import GenerationProgressed
from events.transport import Channel
from observability import propagation

SOURCE = "/timokha/userbot"
TELEGRAM = Backoff(first=timedelta(seconds=0.5), most=timedelta(seconds=15))
"""Pauses before a message is sent again that Telegram did not take."""
FAULT = Backoff(first=timedelta(seconds=0.5), most=timedelta(seconds=10))
"""Pauses before a step is tried again after a fault of the userbot's own."""
ERASE_PAUSE = timedelta(seconds=30)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """A message for the bot in a chat whose record can't be read; `locale` is one that is spoken."""

    message_id: int
    locale: str


class Driver:
    """Serial within a chat. `resumed` after a restart: what was in flight may have happened already."""

    def __init__(self, chat: str, world: World, *, resumed: bool = False, asked: Asked | None = None) -> None:
        self._chat = chat
        self._world = world
        self._outbox = Outbox(chat, world.messenger, world.telemetry.spans, unsure=resumed)
        self._view = LiveView(chat, world.messenger)
        self._published = ""
        self._send_at = self._erase_at = float("-inf")
        self._storing, self._sending = world.retrying.pauses(AWAY), world.retrying.pauses(TELEGRAM)
        self._faults = world.retrying.pauses(FAULT)
        self._record = ChatRecord()
        self._step: Step | None = None
        self._asked = asked
        self._undelivered = ""
        self._woken = asyncio.Event()
        self._stirred = asyncio.Event()
        self._since = world.now()

    def wake(self, asked: Asked | None = None) -> None:
        """The record has changed, or can't be read although somebody has `asked`."""
        self._asked = self._asked or asked
        self._woken.set()
        self._stirred.set()
        self._since = self._world.now()

    def hear(self, progress: GenerationProgressed) -> None:
        """A worker has written more."""
        if self._view.take(progress):
            self._stirred.set()

    @property
    def woken(self) -> bool:
        return self._woken.is_set()

    async def run(self) -> None:
        """Return when the chat needs nothing any more, unless it was woken meanwhile."""
        try:
            while await self._goes_on():
                pass
        finally:
            await self._view.close()

    async def _goes_on(self) -> bool:
        self._woken.clear()
        self._stirred.clear()
        try:
            more = await self._advance()
        except MessengerError as error:
            # Until then nothing is sent, whoever wakes the driver.
            pause = self._sending.next(error)
            self._send_at = self._clock() + pause.total_seconds()
            log.warning("driver.again", chat=self._chat, error=str(error), again_in=pause.total_seconds())
        except TransportError as error:
            if attempts := self._attempts(error.fault):
                return await self._failed(error, attempts=attempts)
            pause = self._storing.next(error)
            log.warning("driver.again", chat=self._chat, error=str(error), again_in=pause.total_seconds())
            await self._world.retrying.clock.sleep(pause)
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
        log.error("driver.fault", chat=self._chat, step=type(self._step).__name__, error=described(error))
        self._outbox.doubt()
        if self._faults.failures < attempts:
            await self._world.retrying.clock.sleep(pause)
            return True
        self._faults.reset()
        try:
            await self._give_up()
        except Exception as again:  # noqa: BLE001 - the next message or start takes the chat up again
            log.error("driver.stopped", chat=self._chat, error=described(again))
            return False
        return True

    async def _give_up(self) -> None:
        """Skip the step that does not work: its question fails, or is dropped if telling that does not work either."""
        now, current = self._world.now(), self._record.current
        deadline = now + self._world.deadline
        log.error("driver.gave_up", chat=self._chat, step=type(self._step).__name__)
        match self._step:
            case Erase():
                self._erase_at = self._clock() + ERASE_PAUSE.total_seconds()
            case Notify(notice):
                await self._surely(lambda record: records.notified(record, notice.message_id))
            case TakeUp():
                await self._surely(records.passed_over)
            case _ if current:
                await self._surely(lambda record: records.given_up(record, current.request_id, now, deadline))
            case _:
                raise TimokhaError("nothing is known that could be left out")

    async def _advance(self) -> bool:
        self._record, self._step = ChatRecord(), None
        try:
            record = self._record = await self._world.chats.load(self._chat)
        except UnreadableRecord as error:
            return await self._tell_unreadable(error)
        latest = self._world.now() + self._world.deadline
        if records.limited(record, latest) is not record:
            await self._change(lambda record: records.limited(record, latest))
            return True
        now = self._clock()
        time, erase, held = self._world.now(), now >= self._erase_at, now < self._send_at
        step = self._step = next_step(record, time, erase=erase, send=not held)
        if step:
            with traced(step, record.current, self._world, since=self._since):
                await self._perform(step, record)
            if isinstance(step, Notify | Think | Deliver):
                self._sending.reset()
            if not self.woken:
                self._since = self._world.now()
            return True
        due = [self._send_at - now] if held and next_step(record, time, erase=erase) else []
        due += [self._erase_at - now] if record.erasing else []
        due += [(at - time).total_seconds()] if (at := wake_at(record)) else []
        if due:
            await self._wait(record, min(due))
        return bool(due)

    async def _tell_unreadable(self, error: UnreadableRecord) -> bool:
        """One line, once ever: the same message whoever asks, as long as the record stays what it is. Then rest."""
        chats, asked = self._world.chats, self._asked
        chats.unreadable.note(self._chat, error)
        if asked is None or await chats.told(self._chat):
            return False
        if (held := self._send_at - self._clock()) > 0:
            await self._wait(ChatRecord(), held)
            return True
        key = str(RequestId(self._world.account, self._chat, str(error.version)))
        line = phrases.unreadable(asked.locale)
        self._outbox.doubt()  # an earlier life may have sent it to the same message
        await self._outbox.send(line, reply_to=asked.message_id, key=key, part="unreadable")
        self._sending.reset()
        await chats.tell(self._chat)
        self._asked = None
        return False

    async def _wait(self, record: ChatRecord, seconds: float) -> None:
        current = record.current
        if current and current.outcome is None:
            with propagation.resumed(current.question.trace):
                await self._publish(record, current)
            until = await self._view.show(current, self._world.now(), edits=self._clock() >= self._send_at)
            seconds = min(seconds, (until - self._world.now()).total_seconds())
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._stirred.wait()
        except TimeoutError:
            pass

    def _clock(self) -> float:
        return self._world.retrying.clock.monotonic()

    async def _perform(self, step: Step, record: ChatRecord) -> None:
        match step:
            case Erase(up_to):
                await self._erase(up_to)
            case Notify(notice):
                key = str(RequestId(self._world.account, self._chat, str(notice.message_id)))
                await self._outbox.send(notice.text, reply_to=notice.message_id, key=key, part="notice")
                await self._change(lambda record: records.notified(record, notice.message_id))
            case TakeUp():
                world = self._world
                deadline = world.now() + world.deadline
                await self._change(lambda record: records.taken_up(record, world.account, self._chat, deadline))
            case Expire(current):
                await self._expire(current)
            case Think(current):
                await self._think(record, current)
            case Deliver():
                await self._deliver(step)
            case Finish():
                assert record.current
                await self._finish(record.current)

    async def _erase(self, up_to: int) -> None:
        """The chat goes on when that is refused, e.g. for want of permission; the user is told nothing untrue."""
        try:
            await self._world.log.erase_chat(self._world.account, self._chat, up_to=up_to)
        except TransportError as error:
            self._erase_at = self._clock() + ERASE_PAUSE.total_seconds()
            log.error("chat.not_erased", chat=self._chat, again_in=ERASE_PAUSE.total_seconds(), error=str(error))
        else:
            await self._change(lambda record: records.erased(record, up_to))

    async def _expire(self, current: Current) -> None:
        """An answer that is already there wins."""
        reply = await self._world.log.find(Channel.REPLIES, RequestId.parse(current.request_id))
        now = self._world.now()
        # A reply that settles nothing must not be asked for again.
        await self._change(lambda record: records.expired(settled(record, reply, now) if reply else record, now))

    async def _think(self, record: ChatRecord, current: Current) -> None:
        if current.outcome is None:
            await self._publish(record, current)
            self._view.type(self._world.now())
        question = current.question
        line = phrases.thinking(question.locale, current.request_id)
        sent = await self._outbox.send(line, reply_to=question.message_id, key=current.request_id, part="thinking")
        self._view.spoke()
        await self._change(lambda record: records.thought(record, current.request_id, sent or NO_MESSAGE))

    async def _publish(self, record: ChatRecord, current: Current) -> None:
        """Once a life: the log recognises what an earlier one has published."""
        self._view.watch(current.request_id)
        if self._published == current.request_id:
            return
        world = self._world
        data = request_of(record, current, world.account, self._chat, world.sampling)
        with world.telemetry.spans.send(Channel.REQUESTS, Event.of(data, source=SOURCE, time=world.now())) as event:
            await world.log.publish(Channel.REQUESTS, event)
        self._published = current.request_id

    async def _deliver(self, step: Deliver) -> None:
        current = step.current
        if step.edits:
            if not await self._outbox.edit(step.edits, step.text, key=current.request_id):
                await self._change(lambda record: records.line_lost(record, current.request_id))
                return
        else:
            await self._send_part(step)
        if step.part_index + 1 < step.parts_total:
            await self._change(lambda record: records.part_sent(record, current.request_id, step.part_index + 1))
        else:
            await self._finish(current)

    async def _send_part(self, step: Deliver) -> None:
        current, number = step.current, step.part_index
        reply_to = current.thinking_id or current.question.message_id
        # A failure may come after parts of an answer, which it must not be taken for.
        part = str(number) if isinstance(current.outcome, Answer) else "failure"
        sent = await self._outbox.send(step.text, reply_to=reply_to, key=current.request_id, part=part, index=number)
        if sent is None:
            self._undelivered = current.request_id

    async def _finish(self, current: Current) -> None:
        now = self._world.now()
        await self._surely(lambda record: records.finished(record, current.request_id, now, self._world.deadline))
        outcome = "answered" if isinstance(current.outcome, Answer) else "failed"
        if current.request_id == self._undelivered:
            outcome = "undeliverable"
        self._world.telemetry.metrics.answered(now - current.question.asked_at, outcome)
        log.info("question.settled", request_id=current.request_id, outcome=outcome)

    async def _surely(self, transition: Transition) -> None:
        """`_change`, if need be at the price of the history: without it the chat would be stuck."""
        try:
            await self._change(transition)
        except TransportError as error:
            if error.fault is not Fault.FINAL:
                raise
            log.error("chat.history_dropped", chat=self._chat, error=str(error))
            await self._change(lambda record: transition(record).having(history=()))

    async def _change(self, transition: Transition) -> None:
        await self._world.chats.change(self._chat, transition)
