"""The group of the user's account: who asks there, and what is said there that is not meant for the account."""

from dataclasses import dataclass, field
from random import Random

from edge.sandbox.groups import Group
from edge.sandbox.message_box import StoredMessage
from edge.sandbox.server import Sandbox
from edge.sandbox.state import Account
from edge.userbot.chat_tokens import NO_TOPIC, ChatToken
from tests.promises.in_chats import topic_of
from tests.promises.lines.messages import Remark
from tests.simulation.grouping import FORUM
from tests.simulation.people import Asked, Command, People

TOPICS = 2
BYSTANDERS = 2
NEAR = 5
"""Messages of others, to one of which a remark may reply."""


def gather(people: People, edge: str) -> dict[str, str]:
    """Put the account of an edge in the group of the plan, if that has one; return the settings for it."""
    if not people.plan.group:
        return {}
    people.talk = Talk.begin(people, edge, people.plan.group)
    return {"groups": str(people.talk.group.id)}


@dataclass
class Talk:
    """`remarks`: what got no word. A forum's topics are chats of their own."""

    people: People
    edge: str
    group: Group
    chance: Random
    remarks: list[StoredMessage] = field(default_factory=list)
    _topics: list[int] = field(default_factory=lambda: [NO_TOPIC])
    _bystanders: list[Account] = field(default_factory=list)

    @classmethod
    def begin(cls, people: People, edge: str, kind: str) -> "Talk":
        """Let there be a group, with the account and all users in it, and others besides."""
        telegram, users = people.world.telegram, people.users
        others = [
            telegram.add_user(first_name=f"Neighbour {n}", username=f"neighbour_{n}", lang_code="ru")
            for n in range(BYSTANDERS)
        ]
        members = [one.id for one in (*others, *users, people.world.accounts[edge])]
        group = telegram.add_group("Читатели", members, forum=kind == FORUM)
        talk = cls(people, edge, group, Random(f"talk {people.plan.seed}"), _bystanders=others)
        if kind == FORUM:
            talk._topics += [telegram.add_topic(others[0].id, group.id, f"Тема {n}").id for n in range(TOPICS)]
        return talk

    # --- what is meant

    def question(self, user: Account) -> None:
        self._say(user, self._topic(), "вопрос", prefix="Тимоха, ")

    def mention(self, user: Account) -> None:
        self._say_without_prefix(user, self._topic())

    def reply(self, user: Account) -> None:
        """To an answer, if there is one in the topic."""
        topic = self._topic()
        answers = [one for one in self.got(self._token(topic)) if self._is_known(one)]
        self._say_without_prefix(user, topic, answers[-1] if answers else None)

    def edit(self, user: Account) -> None:
        if piece := self.people.last_piece(self.edge, user, in_group=True):
            piece.edited = f"{piece.text} (правка)"
            self._telegram.edit(user.id, piece.own_id, piece.edited, group_id=self.group.id)

    def delete(self, user: Account) -> None:
        if piece := self.people.last_piece(self.edge, user, in_group=True):
            piece.deleted_at = self._now
            self._telegram.delete(user.id, piece.own_id, group_id=self.group.id)

    def delete_history(self, user: Account) -> None:
        topic = self._topic()
        sent = self._send(user, "/delete_history", topic)
        self.people.wiped.append(Command(self.edge, user.id, sent.id, sent.id, self._now, self._token(topic)))

    # --- what is not meant

    def remark(self, user: Account) -> None:
        """Something of the user's, or of one who never asks; not to interrupt what is being collected."""
        person = self.chance.choice([*self._bystanders, *([] if self._is_collected(user) else [user])])
        other = next(one for one in self._bystanders if one is not person)
        topic, name = self._topic(), f"реплика {len(self.remarks)}"
        said = self.chance.choice((name, f"{name}?", f"@{other.username}, {name}", f"timokha, {name}"))
        others = [one for one in self._messages(topic) if one.sender_id not in (self._account.id, person.id)]
        reply_to = self.chance.choice([None, *(one.id for one in others[-NEAR:])])
        self.remarks.append(self._send(person, said, topic, reply_to))

    def show_gap(self) -> None:
        """Say something whose number shows that what was before it is missing."""
        self.remark(self._bystanders[0])

    # --- for the history

    @property
    def chats(self) -> list[str]:
        """Their tokens."""
        return [self._token(topic) for topic in self._topics]

    def got(self, chat: str) -> list[StoredMessage]:
        """What the account has written there, oldest first."""
        topic = ChatToken.parse(chat).topic
        return [one for one in self._messages(topic) if one.sender_id == self._account.id]

    def lines(self) -> list[Remark]:
        me = self._account.id
        return [
            Remark(self.edge, self._token(topic_of(one)), one.id, one.text, reacted=me in one.reactions)
            for one in self.remarks
        ]

    # ---

    def _say_without_prefix(self, user: Account, topic: int, answer: StoredMessage | None = None) -> None:
        what = "вопрос" if answer else f"@{self._account.username}, вопрос"
        self._say(user, topic, what, reply_to=answer.id if answer else None)

    def _say(self, user: Account, topic: int, what: str, *, prefix: str = "", reply_to: int | None = None) -> None:
        text, asked = f"{what} {len(self.people.asked)}", self.people.asked
        id_ = self._send(user, prefix + text, topic, reply_to).id
        piece, group = not prefix, self._token(topic)
        asked.append(Asked(self.edge, user.id, id_, id_, text, self._now, piece=piece, group=group))

    def _send(self, user: Account, text: str, topic: int, reply_to: int | None = None) -> StoredMessage:
        return self._telegram.send_to_group(user.id, self.group.id, text, reply_to=reply_to, topic_id=topic or None)

    def _is_known(self, answer: StoredMessage) -> bool:
        """Whether the account can know that it is its own: no store was lost since it came."""
        world = self.people.world
        return world.watching.came[self.group.id, answer.id] > world.nats_emptied_at

    def _is_collected(self, user: Account) -> bool:
        """Whether a piece of the user's may be in a burst: it is not answered."""
        pieces = [one for one in self.people.asked if one.user == user.id and one.group and one.piece]
        lines = {line for chat in self.chats for one in self.got(chat) for line in one.text.split("\n")}
        return any(lines.isdisjoint({one.text, one.edited}) for one in pieces)

    def _messages(self, topic: int) -> list[StoredMessage]:
        found = self._telegram.messages(self._account.id, self.group.id)
        return [one for one in found if topic_of(one) == topic]

    def _topic(self) -> int:
        return self.chance.choice(self._topics)

    def _token(self, topic: int) -> str:
        return str(ChatToken(self.group.id, topic))

    @property
    def _telegram(self) -> Sandbox:
        return self.people.world.telegram

    @property
    def _account(self) -> Account:
        return self.people.world.accounts[self.edge]

    @property
    def _now(self) -> float:
        return self.people.world.loop.time()
