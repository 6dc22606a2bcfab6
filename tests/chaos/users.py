"""Many users who ask: one question after the other, and now and then one while they are still being answered."""

import asyncio
import itertools
import random
import time
from dataclasses import dataclass, field

from edges import Edge
from world import World

from edge.sandbox.boxes import StoredMessage
from edge.sandbox.state import Account
from edge.userbot import phrases
from events import subjects

PUSHY = 0.1
"""How likely a user asks again before the outcome."""
PATIENCE = 135.0
"""Seconds, longer than the deadline, after which a user asks again whatever has become of the question; likewise:"""
FORGOTTEN = 15.0
"""From when an emptied store was taken up: the question in it is gone."""
LULL = (0.2, 1.5)

FAILURES = {phrases.failure(locale, reason) for locale in ("ru", "en") for reason in (phrases.DEADLINE, "", "empty")}


@dataclass
class Question:
    """Times are of the monotonic clock, `date` is Telegram's; `answered_at` is when an outcome was seen.

    `message_id` is the message in the box of the `edge`'s account, `own_id` in the user's.
    """

    edge: Edge
    user: int
    message_id: int
    own_id: int
    text: str
    asked_at: float
    date: int
    answered_at: float | None = None


@dataclass
class Crowd:
    """`asked` grows to `total` and not further, nor beyond what is `allowed` so far."""

    world: World
    total: int
    chance: random.Random
    asked: list[Question] = field(default_factory=list)
    allowed: int = 0
    _open: list[Question] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        return len(self.asked) >= self.total

    async def run(self, users: int) -> None:
        telegram = self.world.telegram
        people = [
            telegram.add_user(first_name=f"User {n}", phone=f"+7999{n + 1:07}", lang_code="ru") for n in range(users)
        ]
        edges = itertools.cycle(self.world.edges)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch())
            for person in people:
                group.create_task(self._talk(person, next(edges)))

    async def _watch(self) -> None:
        """Note when outcomes are seen, of those as well that nobody waits for."""
        while True:
            now = time.monotonic()
            self._open = [question for question in self._open if now < question.asked_at + 2 * PATIENCE]
            for question in self._open:
                if outcomes(self.world, question):
                    question.answered_at = now
            self._open = [question for question in self._open if question.answered_at is None]
            await asyncio.sleep(0.1)

    async def _talk(self, person: Account, edge: Edge) -> None:
        while not self.complete:
            if len(self.asked) >= self.allowed:
                await asyncio.sleep(0.05)
                continue
            question = self._ask(person, edge)
            if self.chance.random() < PUSHY and not self.complete:
                self._ask(person, edge)
            await self._outcome(question)
            await asyncio.sleep(self.chance.uniform(*LULL))

    def _ask(self, person: Account, edge: Edge) -> Question:
        number = len(self.asked)
        text = f"вопрос {number}"
        sent = self.world.telegram.send(person.id, edge.account.id, f"Тимоха, {text}")
        mine = self.world.telegram.messages(edge.account.id, person.id)[-1]
        question = Question(edge, person.id, mine.id, sent.id, text, time.monotonic(), sent.date)
        self.asked.append(question)
        self._open.append(question)
        return question

    async def _outcome(self, question: Question) -> None:
        while question.answered_at is None and not self._given_up(question):  # noqa: ASYNC110 - a clock as well
            await asyncio.sleep(0.1)

    def _given_up(self, question: Question) -> bool:
        now = time.monotonic()
        chronicle = self.world.chronicle.concerning(question.edge.kind)
        emptied = [noted for noted in chronicle.of("emptied") if noted.whom != subjects.TELEGRAM_BUCKET]
        forgotten = any(d.ended >= question.asked_at and d.ended + FORGOTTEN < now for d in emptied)
        return forgotten or now > question.asked_at + PATIENCE


def outcomes(world: World, question: Question) -> list[StoredMessage]:
    """The messages that end the question: its answer is its own text, a failure replies to it or its thinking line."""
    received = _received(world, question)
    replied_to = {question.own_id, *(message.id for message in received if message.reply_to == question.own_id)}
    return [
        message
        for message in received
        if message.text == question.text or (message.text in FAILURES and message.reply_to in replied_to)
    ]


def thoughts(world: World, question: Question) -> int:
    """How many thinking lines the question got."""
    return sum(
        message.reply_to == question.own_id and message.text not in FAILURES | {question.text}
        for message in _received(world, question)
    )


def _received(world: World, question: Question) -> list[StoredMessage]:
    found = []
    for message in reversed(world.telegram.state.accounts[question.user].box.messages.values()):
        if message.id <= question.own_id:
            break
        if not message.out:
            found.append(message)
    return found[::-1]
