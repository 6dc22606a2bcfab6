"""Many users who ask: one question after the other, and now and then one while they are still being answered."""

import asyncio
import itertools
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from edge.sandbox.message_box import MessageBox, StoredMessage
from edge.sandbox.state import Account
from edge.userbot.chat_tokens import ChatToken
from edge.userbot.driving.outbox import random_id
from events import subjects
from tests.chaos.edges import Edge
from tests.chaos.world import World
from tests.promises import outcomes as promised
from tests.promises.in_chats import sent, topic_of
from tests.promises.lines import FOR_EVER, USER
from tests.promises.lines.disturbances import Break as BreakLine
from tests.promises.lines.messages import Asked, Erased, Sent
from tests.promises.texts import DELETED

PUSHY = 0.1
"""How likely a user asks again before the outcome."""
PATIENCE = 135.0
"""Seconds, longer than the deadline, after which a user asks again whatever has become of the question; likewise:"""
FORGOTTEN = 15.0
"""From when an emptied store was taken up: the question in it is gone."""
GONE = 3.0
"""From when its user deleted it."""
LULL = (0.2, 1.5)

HASTY = 0.2
"""How likely a user deletes the history of a chat that does not work before being told to."""


@dataclass
class Question:
    """Times are of the monotonic clock, `date` is Telegram's; `answered_at` is when an outcome was seen.

    `message_id` is the message in the box of the `edge`'s account, `own_id` in the user's; in a group both are one.
    `group`: the token of the group or topic in which the user asked, empty: in private.
    """

    edge: Edge
    user: int
    message_id: int
    own_id: int
    text: str
    asked_at: float
    date: int
    answered_at: float | None = None
    replacements: set[str] = field(default_factory=set)
    """What the owner wrote in place of its answer."""
    is_piece: bool = False
    """It has no prefix, and may be asked together with others; likewise only of such:"""
    changed: str = ""
    """Its text after an edit."""
    deleted_at: float | None = None
    repeated_at: float | None = None
    """When its user sent the same text again."""
    group: str = ""

    @property
    def chat(self) -> str:
        """Its token."""
        return self.group or str(self.user)

    @property
    def name(self) -> str:
        """The request id without its revision."""
        return f"{self.edge.account.id}.{self.chat}.{self.message_id}"

    @property
    def request_id(self) -> str:
        return f"{self.name}.0"

    @property
    def line(self) -> Asked:
        """As a history has it."""
        return Asked(
            self.edge.kind,
            self.chat,
            self.message_id,
            self.own_id,
            self.request_id,
            self.text,
            self.asked_at,
            self.answered_at,
            self.is_piece,
            self.changed,
            self.deleted_at,
            self.repeated_at,
            tuple(sorted(self.replacements)),
            str(self.user) if self.group else "",
        )


@dataclass
class Break:
    """A chat's record can't be read from `at` until its user has started it afresh; `own_id`: the user's last message.

    `hasty`: the user did not wait to be told. `group`: as of a question.
    """

    edge: Edge
    user: int
    own_id: int
    at: float
    afresh_at: float = FOR_EVER
    hasty: bool = False
    group: str = ""
    is_made: bool = False
    """The record has been overwritten by now: a command from before may be lost with it."""

    @property
    def chat(self) -> str:
        """Its token."""
        return self.group or str(self.user)

    @property
    def line(self) -> BreakLine:
        """As a history has it."""
        return BreakLine(self.edge.kind, self.chat, self.own_id, self.at, self.afresh_at, self.hasty)


class Writer(Protocol):
    """Writes without the prefix."""

    async def write(self, person: Account, edge: Edge) -> Question | None: ...

    def repeat(self, question: Question) -> None: ...

    async def change(self, piece: Question) -> None: ...


@dataclass
class Crowd:
    """`asked` grows to `total` and not further, nor beyond what is `allowed` so far."""

    world: World
    total: int
    chance: random.Random
    asked: list[Question] = field(default_factory=list)
    allowed: int = 0
    eager: set[int] = field(default_factory=set)
    """Who asks again at once, allowed or not."""
    breaks: list[Break] = field(default_factory=list)
    erased: list[Erased] = field(default_factory=list)
    people: list[tuple[Account, Edge]] = field(default_factory=list)
    hushes: Callable[[Question], bool] = lambda _question: False
    """Whether the owner has silenced it, so that its user goes on."""
    bursts: Writer | None = None
    """If users also write without the prefix."""
    _open: list[Question] = field(default_factory=list)

    @property
    def waiting(self) -> list[Question]:
        """Questions without an outcome, of which some may be ignored."""
        return [question for question in self._open if question.answered_at is None]

    @property
    def complete(self) -> bool:
        return len(self.asked) >= self.total

    def stir(self, edge: Edge, users: int = 3) -> None:
        """Let some of its users ask now."""
        known = sorted({question.user for question in self.asked if question.edge is edge})
        self.eager.update(self.chance.sample(known, min(users, len(known))))

    def invite(self, users: int) -> None:
        """Let there be users, of each edge about as many."""
        telegram, edges = self.world.telegram, itertools.cycle(self.world.edges)
        for n in range(users):
            person = telegram.add_user(first_name=f"User {n}", phone=f"+7999{n + 1:07}", lang_code="ru")
            self.people.append((person, next(edges)))

    async def run(self) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch())
            for person, edge in self.people:
                group.create_task(self._talk(person, edge))

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
            if len(self.asked) >= self.allowed and person.id not in self.eager:
                await asyncio.sleep(0.05)
                continue
            self.eager.discard(person.id)
            question = (await self.bursts.write(person, edge) if self.bursts else None) or self.ask(person, edge)
            if self.chance.random() < PUSHY and not self.complete:
                self.ask(person, edge)
            await self._outcome(question)
            if self.bursts and question.answered_at:
                self.bursts.repeat(question)
            await self._mend(person)
            lull = self.chance.uniform(*LULL)
            await asyncio.sleep(0 if person.id in self.eager else lull)
        while True:  # a record may become unreadable later
            await self._mend(person)
            await asyncio.sleep(0.2)

    async def _mend(self, person: Account) -> None:
        """Start the chat afresh if the bot can't read its record."""
        for broken in self.breaks:
            if broken.user != person.id or not broken.is_made or broken.afresh_at < FOR_EVER:
                continue
            told = told_unreadable(self.world, broken)
            if told or self.complete or self.chance.random() < HASTY:
                broken.hasty = not told
                await self._start_afresh(broken)

    async def _start_afresh(self, broken: Break) -> None:
        """Until the bot says that it has: a store that is emptied takes the command with it."""
        command, sent_at = None, 0.0
        while command is None or not any(m.text in DELETED for m in received(self.world, broken, command.id)):
            if command is None or self._is_forgotten(broken, sent_at):
                sent_at = time.monotonic()
                command = say(self.world, broken, "/delete_history")
                mine = broken.edge.account.box.copy_of(command) or command
                self.erased.append(Erased(broken.edge.kind, broken.chat, mine.id, command.id, sent_at))
            await asyncio.sleep(0.1)
        broken.afresh_at = time.monotonic()

    def ask(self, person: Account, edge: Edge, prefix: str = "Тимоха, ", end: str = "") -> Question:
        text = f"вопрос {len(self.asked)}{end}"
        sent = self.world.telegram.send(person.id, edge.account.id, prefix + text)
        mine = self.world.telegram.messages(edge.account.id, person.id)[-1]
        return self.add(
            Question(edge, person.id, mine.id, sent.id, text, time.monotonic(), sent.date, is_piece=not prefix)
        )

    def add(self, question: Question) -> Question:
        """Wait for the outcome of a question that has just been asked; return it."""
        self.asked.append(question)
        self._open.append(question)
        return question

    async def _outcome(self, question: Question) -> None:
        while question.answered_at is None and not self._given_up(question):  # noqa: ASYNC110 - a clock as well
            await asyncio.sleep(0.1)

    def _given_up(self, question: Question) -> bool:
        now = time.monotonic()
        if question.deleted_at and now > question.deleted_at + GONE:
            return True
        broken = [broken for broken in self.breaks if broken.chat == question.chat]
        if any(b.at < now - FORGOTTEN or told_unreadable(self.world, b) for b in broken if b.afresh_at == FOR_EVER):
            return True
        if self._is_forgotten(question, question.asked_at) or now > question.asked_at + PATIENCE:
            return True
        return self.hushes(question)

    def _is_forgotten(self, where: Question | Break, sent_at: float) -> bool:
        """What was sent there then is gone with an emptied store.

        Without the watermark no group is read back, and nothing by a bot: Telegram shows it no chats.
        """
        chronicle, now = self.world.chronicle.concerning(where.edge.kind), time.monotonic()
        kept = () if where.group or where.edge.kind != USER else (subjects.TELEGRAM_BUCKET,)
        emptied = [noted for noted in chronicle.of("emptied") if noted.whom not in kept]
        return any(d.ended >= sent_at and d.ended + FORGOTTEN < now for d in emptied)


def of_edge(crowd: Crowd, edge: Edge) -> list[Question]:
    return [question for question in crowd.asked if question.edge is edge]


def outcomes(world: World, question: Question) -> list[Sent]:
    """The messages so far that end the question."""
    got = received(world, question, question.own_id)
    return promised.outcomes(question.line, [*sent(question.edge.kind, question.chat, got, about(world, [question]))])


def about(world: World, questions: Iterable[Question]) -> dict[int, str]:
    """The request ids by the user's copies of what was sent for them, as far as the random ids say so."""
    copies = ((_sent(world, one, part), one.request_id) for one in questions for part in promised.ABOUT)
    return {copy.id: request_id for copy, request_id in copies if copy}


def _sent(world: World, question: Question, part: str) -> StoredMessage | None:
    """The user's copy of that message about the question."""
    state, edge, id_ = world.telegram.state, question.edge, random_id(question.request_id, part)
    if edge.bot:
        through = state.business.sent.get((edge.bot.id, edge.account.id, id_))
        sent = through and through.message_id
    else:
        sent = state.sent.get((edge.account.id, id_))
    return box_of(world, question).copy_of(box_of(world, question, edge.account).messages.get(sent or 0))


def told_unreadable(world: World, broken: Break) -> int:
    """How often the user was told that the chat's record can't be read."""
    got = received(world, broken, broken.own_id)
    return promised.told_unreadable(broken.line, sent(broken.edge.kind, broken.chat, got, {}))


def received(world: World, where: Question | Break, since: int) -> list[StoredMessage]:
    """What the user got there after message `since`, oldest first; in a group what the account wrote."""
    found = []
    for message in reversed(box_of(world, where).messages.values()):
        if message.id <= since:
            break
        if _is_of_account(message, where) if where.group else not message.out:
            found.append(message)
    return found[::-1]


def say(world: World, where: Question | Break, text: str) -> StoredMessage:
    """Write as the user, and return the user's copy."""
    if not where.group:
        return world.telegram.send(where.user, where.edge.account.id, text)
    chat = ChatToken.parse(where.group)
    return world.telegram.send_to_group(where.user, chat.peer, text, topic_id=chat.topic or None)


def box_of(world: World, where: Question | Break, viewer: Account | None = None) -> MessageBox:
    """Where the user, or the `viewer`, has the messages of the chat."""
    state = world.telegram.state
    return state.chat_box(viewer or state.accounts[where.user], ChatToken.parse(where.chat).peer)


def _is_of_account(message: StoredMessage, where: Question | Break) -> bool:
    return message.sender_id == where.edge.account.id and topic_of(message) == ChatToken.parse(where.group).topic
