"""People who ask an account in a group, and who talk there about other things, which must not get a word."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Self

from edge.sandbox.groups import Group
from edge.sandbox.message_box import StoredMessage
from edge.sandbox.state import Account
from edge.userbot.chat_tokens import NO_TOPIC, ChatToken
from tests.chaos.edges import Edge
from tests.chaos.users import Crowd, Question, Writer, outcomes
from tests.chaos.world import World
from tests.promises.in_chats import topic_of
from tests.promises.lines.messages import Asked, Remark

IN_GROUP = 0.6
"""How likely somebody who is in the group asks there; likewise:"""
REMARKED = 0.5
ASKERS = 12
"""Of the crowd."""
BYSTANDERS = 2
TOPICS = 2
MOST = 3
"""Messages in a burst."""
GAPS = (0.02, 0.7)
"""Seconds between two of them."""
WAYS = ("prefix", "prefix", "mention", "reply")
REMARK = "реплика"
GAP_KINDS = ("missing", "late", "twice", "too long", "history", "stuck")


@dataclass
class Groups:
    """The group of an edge: a forum, whose topics are chats of their own.

    Some of the crowd are its members. `remarks` are messages that are not meant for the account: those of members who
    have nothing to ask, and of others while nothing of theirs is being collected.
    """

    world: World
    crowd: Crowd
    edge: Edge
    elsewhere: Writer
    chance: Random
    remarks: list[StoredMessage] = field(default_factory=list)
    members: list[Account] = field(default_factory=list)
    """Who asks."""
    _topics: list[int] = field(default_factory=list)
    _bystanders: list[Account] = field(default_factory=list)

    def open(self) -> Self:
        """Let there be topics, and people in the group."""
        telegram, group = self.world.telegram, self.group
        self._topics = [NO_TOPIC]
        self._topics += [telegram.add_topic(group.creator_id, group.id, f"Тема {n}").id for n in range(TOPICS)]
        self._bystanders = [
            telegram.add_user(first_name=f"Neighbour {n}", username=f"neighbour_{n}", lang_code="ru")
            for n in range(BYSTANDERS)
        ]
        known = [person for person, edge in self.crowd.people if edge is self.edge]
        self.members = known[:ASKERS]
        for one in (*self.members, *self._bystanders):
            telegram.join(one.id, group.id)
        return self

    @property
    def group(self) -> Group:
        assert self.edge.group
        return self.edge.group

    @property
    def questions(self) -> list[Question]:
        return [question for question in self.crowd.asked if question.group]

    async def write(self, person: Account, edge: Edge) -> Question | None:
        """Ask in the group, or without the prefix elsewhere, or write nothing."""
        if person not in self.members or self.chance.random() >= IN_GROUP:
            return await self.elsewhere.write(person, edge)
        topic = self.chance.choice(self._topics)
        self._chat(person, topic)
        question = await self._ask(person, topic)
        self._chat(person, topic)
        return question

    def repeat(self, question: Question) -> None:
        self.elsewhere.repeat(question)

    async def change(self, piece: Question) -> None:
        await self.elsewhere.change(piece)

    async def gap(self) -> None:
        """Something is asked of which the account is not told as it should be."""
        person, topic = self.chance.choice(self.members), self.chance.choice(self._topics)
        kind = self.chance.choice(GAP_KINDS)
        telegram, account = self.world.telegram, self.edge.account.id
        match kind:
            case "missing" | "too long":
                telegram.faults.suppress_pushes(account, channel_id=self.group.id)
            case "late":
                telegram.faults.delay_pushes(account, channel_id=self.group.id)
            case "twice":
                telegram.faults.repeat_pushes(account, channel_id=self.group.id)
            case "history":
                telegram.faults.difference_too_long(account, channel_id=self.group.id)
            case "stuck":
                telegram.faults.stuck_slices(account, self.chance.randint(1, 3), channel_id=self.group.id)
        if not self.crowd.complete:
            self._say(person, topic, self.chance.choice(WAYS))
        if kind == "too long":
            telegram.push_channel_too_long(account, self.group.id, with_pts=True)
        elif kind in ("history", "stuck"):
            telegram.drop_connections(account)
        self._remark(self.chance.choice(self._bystanders), topic)  # whose number shows that one is missing

    # --- what is meant

    async def _ask(self, person: Account, topic: int) -> Question | None:
        """Ask with the prefix, or in a burst, each of whose pieces is meant; return the one with the outcome."""
        way, pieces = self.chance.choice(WAYS), list[Question]()
        for _ in range(1 if way == "prefix" else self.chance.randint(1, MOST)):
            if pieces:
                await asyncio.sleep(self.chance.uniform(*GAPS))
            if self.crowd.complete:
                break
            pieces.append(self._say(person, topic, way))
            if way != "prefix":
                await self.change(self.chance.choice(pieces))
        left = [piece for piece in pieces if piece.deleted_at is None] or pieces
        return left[-1] if left else None

    def _say(self, person: Account, topic: int, way: str) -> Question:
        reply_to = self._answer(topic) if way == "reply" else None
        text = f"вопрос {len(self.crowd.asked)}"
        if way != "prefix" and reply_to is None:
            text = f"@{self.edge.account.username}, {text}"
        said = ("Тимоха, " if way == "prefix" else "") + text
        message = self.world.telegram.send_to_group(
            person.id, self.group.id, said, reply_to=reply_to, topic_id=topic or None
        )
        chat = str(ChatToken(self.group.id, topic))
        return self.crowd.add(
            Question(
                self.edge,
                person.id,
                message.id,
                message.id,
                text,
                time.monotonic(),
                message.date,
                is_piece=way != "prefix",
                group=chat,
            )
        )

    def _answer(self, topic: int) -> int | None:
        """The id of the newest answer in the topic, if the account can still know that it is its own."""
        chat = str(ChatToken(self.group.id, topic))
        emptied = self.world.chronicle.concerning(self.edge.kind).of("emptied")
        since = max(
            (*(noted.ended for noted in emptied), *(one.afresh_at for one in self.crowd.breaks if one.chat == chat)),
            default=0.0,
        )
        known = [one for one in self.questions if one.chat == chat and one.answered_at and one.asked_at > since]
        return next((end.id for one in reversed(known) for end in outcomes(self.world, one)), None)

    # --- what is not meant

    def _chat(self, person: Account, topic: int) -> None:
        if self.chance.random() < REMARKED:
            open_ = any(q.user == person.id and q.is_piece and q.answered_at is None for q in self.questions)
            self._remark(self.chance.choice([*self._bystanders, *([] if open_ else [person])]), topic)

    def _remark(self, person: Account, topic: int) -> None:
        name = f"{REMARK} {len(self.remarks)}"
        other = next(one for one in self._bystanders if one is not person)
        texts = (name, f"{name}?", f"@{other.username}, {name}", f"timokha, {name}", f"/start@other_bot {name}")
        people = [message for message in self._messages() if message.sender_id not in (self.edge.account.id, person.id)]
        near = [message.id for message in people[-5:] if topic_of(message) == topic]
        reply_to = self.chance.choice([None, *near])
        text = self.chance.choice(texts)
        self.remarks.append(
            self.world.telegram.send_to_group(person.id, self.group.id, text, reply_to=reply_to, topic_id=topic or None)
        )

    def _messages(self) -> list[StoredMessage]:
        return self.world.telegram.messages(self.edge.account.id, self.group.id)

    # --- what is known of it

    def lines(self) -> list[Remark]:
        """The remarks, as a history has them."""
        account = self.edge.account.id
        return [
            Remark(self.edge.kind, _chat_of(said), said.id, said.text, reacted=account in said.reactions)
            for said in self.remarks
        ]

    def counts(self, kinds: Sequence[tuple[Asked, str]]) -> dict[str, int]:
        """What was written in the group, and what became of the questions there."""
        became = Counter(kind for question, kind in kinds if question.writer)
        without = sum(question.is_piece for question in self.questions)
        asked = {"questions": len(self.questions), "without_prefix": without, "remarks": len(self.remarks)}
        return {**asked, **dict(sorted(became.items()))}


def _chat_of(message: StoredMessage) -> str:
    return str(ChatToken(message.peer_id, topic_of(message)))
