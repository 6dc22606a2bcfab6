"""Bots that set each other off come to an end, by the clock and across restarts, and other chats do not notice."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

from structlog.testing import capture_logs

from edge.userbot.chat.admission import SILENCE
from edge.userbot.chat.incoming import Incoming
from edge.userbot.driving.drivers import Drivers
from edge.userbot.driving.ports import Ports
from edge.userbot.driving.replies import Replies
from edge.userbot.formatting.styled_text import FormattedText
from edge.userbot.intake.intake import Intake
from edge.userbot.rules import Rules
from edge.userbot.storage.chats import Chats
from events.event import Event
from events.memory import MemoryLog, MemoryMarks, MemoryRecords
from events.runtime.retrying import Retrying
from events.schema import FinishReason, GenerationCompleted, Sampling
from events.transport import Channel
from observability.telemetry import noop_telemetry

MODEL_TAKES = timedelta(seconds=0.1)
LEASE = timedelta(seconds=0.5)
LIMIT = Rules().max_answers


@dataclass
class Telegram:
    """One chat between two accounts: what one sends, the other gets."""

    texts: list[str] = field(default_factory=list)
    people: dict[str, "Person"] = field(default_factory=dict)

    def says(self, sender: str, text: str) -> int:
        self.texts.append(text)
        for account, person in self.people.items():
            if account != sender:
                person.inbox.put_nowait((sender, len(self.texts), text))
        return len(self.texts)


class Person:
    """An account with a userbot, whose model writes `answer`; `restart` is its process killed and started again."""

    def __init__(self, telegram: Telegram, account: str, answer: str, retrying: Retrying, rules: Rules) -> None:
        self.inbox: asyncio.Queue[tuple[str, int, str]] = asyncio.Queue()
        self._telegram, self._account, self._answer = telegram, account, answer
        self._retrying, self._rules = retrying, rules
        self._log, self._records, self._marks = MemoryLog(clock=retrying.clock), MemoryRecords(), MemoryMarks()
        self._tasks: list[asyncio.Task[None]] = []
        telegram.people[account] = self

    async def start(self) -> None:
        ports = Ports(
            account=self._account,
            chats=Chats(self._records, self._marks, self._account, retrying=self._retrying),
            log=self._log,
            messenger=self,
            sampling=Sampling(),
            deadline=self._rules.deadline,
            telemetry=noop_telemetry(),
            retrying=self._retrying,
        )
        self._drivers = Drivers(ports)
        await self._drivers.resume()
        replies = self._log.subscribe(Channel.REPLIES, "edge", lease=LEASE)
        parts = (
            self._listen(Intake(ports, self._drivers, lambda: self._rules)),
            Replies(ports, self._drivers, replies).run(),
        )
        self._tasks = [asyncio.create_task(part) for part in (*parts, self._model())]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await self._drivers.stop()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    async def _listen(self, intake: Intake) -> None:
        while True:
            chat, number, text = await self.inbox.get()
            await intake.receive(Incoming(self._account, chat, number, text, "ru", self._retrying.clock.now()))

    async def _model(self) -> None:
        requests = self._log.subscribe(Channel.REQUESTS, "generate", lease=LEASE)
        while True:
            for delivery in await requests.fetch(1, timedelta(seconds=1)):
                await self._retrying.clock.sleep(MODEL_TAKES)
                reply = GenerationCompleted(
                    request_id=delivery.event.subject, text=self._answer, finish_reason=FinishReason.STOP, model="m"
                )
                event = Event.of(reply, source="/test", time=self._retrying.clock.now())
                await self._log.publish(Channel.REPLIES, event)
                await delivery.ack()

    async def send(
        self, chat: str, message: FormattedText, *, reply_to: int | None, random_id: int, buttons: object = ()
    ) -> int:
        return self._telegram.says(self._account, message.text)

    async def find_own(self, chat: str, text: str, *, reply_to: int | None) -> int | None:
        return None

    async def has_outcome(self, chat: str, message_id: int, *, thinking: object) -> bool:
        return False

    async def delete(self, chat: str, message_id: int) -> None:
        pass

    async def find_chat(self, name: str) -> str | None:
        return None

    async def wrote_first(self, chat: str) -> bool | None:
        return None

    async def typing(self, chat: str) -> None:
        pass


def loops(logs: list) -> list[dict]:
    return [log for log in logs if log["event"] == "chat.too_many"]


def answers(telegram: Telegram) -> int:
    return sum(text.startswith("Тимоха,") for text in telegram.texts)


def test_two_userbots_whose_models_write_the_prefix_fall_silent_and_stay_so(virtually) -> None:
    async def life(retrying: Retrying) -> None:
        telegram = Telegram()
        pair = [Person(telegram, account, "Тимоха, а ты?", retrying, Rules()) for account in ("1", "2")]
        for person in pair:
            await person.start()
        with capture_logs() as logs:
            telegram.says("2", "Тимоха, привет")
            await asyncio.sleep(400)
        assert answers(telegram) == 2 * LIMIT + 1
        assert len(loops(logs)) == 1
        assert loops(logs)[0]["silent_for"] == SILENCE.total_seconds()
        for person in pair:
            await person.stop()

    virtually(life)


def test_a_loop_ends_although_the_userbots_are_restarted_all_the_time(virtually) -> None:
    async def life(retrying: Retrying) -> None:
        telegram = Telegram()
        pair = [Person(telegram, account, "Тимоха, а ты?", retrying, Rules()) for account in ("1", "2")]
        for person in pair:
            await person.start()
        telegram.says("2", "Тимоха, привет")
        for _ in range(200):
            await asyncio.sleep(1)
            for person in pair:
                await person.restart()
        assert answers(telegram) <= 2 * LIMIT + 1
        for person in pair:
            await person.stop()

    virtually(life)


def test_a_bot_that_goes_on_by_itself_is_answered_now_and_then_only(virtually) -> None:
    """Whatever it writes, a bare prefix too; one line in the log each time."""

    async def life(retrying: Retrying) -> None:
        telegram = Telegram()
        person = Person(telegram, "1", "да", retrying, Rules())
        await person.start()
        with capture_logs() as logs:
            for number in range(1300):
                telegram.says("2", ("Тимоха, раз", "Тимоха,", "Тимоха, два")[number % 3])
                await asyncio.sleep(1)
        rounds = len(loops(logs))
        assert rounds in (4, 5)
        assert len(telegram.texts) - 1300 <= 2 * (rounds + 1) * LIMIT
        assert len([log for log in logs if log["event"] == "message.received" and log["log_level"] != "debug"]) < 300
        await person.stop()

    virtually(life)


def test_other_chats_are_answered_while_one_is_silent(virtually) -> None:
    async def life(retrying: Retrying) -> None:
        telegram = Telegram()
        person = Person(telegram, "1", "да", retrying, Rules())
        await person.start()
        for _ in range(2 * LIMIT):
            telegram.says("2", "Тимоха, раз")
            await asyncio.sleep(1)
        before = len(telegram.texts)
        telegram.says("3", "Тимоха, раз")
        await asyncio.sleep(1)
        assert len(telegram.texts) == before + 3
        await person.stop()

    virtually(life)
