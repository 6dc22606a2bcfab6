"""Readers' votes on answers: what was given, and what the store has of it."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from edge.sandbox.message_box import StoredMessage
from edge.sandbox.state import Account
from edge.sandbox.visitor import API_HASH
from edge.userbot.chat_tokens import ChatToken
from edge.userbot.telegram.votes import DOWN, UP
from events.recordings.pseudonyms import pseudonym
from events.schema import FeedbackGiven
from tests.promises.lines.votes import Kept, Voted
from tests.simulation.people import People
from tests.simulation.world import World

HEART = "❤"
VOTES = {UP: 1, DOWN: -1, HEART: 0, None: 0}
TAKEN_IN = 30.0
"""Seconds in which the last vote is taken in."""


@dataclass
class Votes:
    """Of the readers of one edge."""

    people: People
    edge: str
    given: list[Voted] = field(default_factory=list)

    @property
    def rest(self) -> bool:
        """Whether all have been taken in that can be."""
        return not self.given or self._world.loop.time() > self.given[-1].at + TAKEN_IN

    def vote(self, user: Account) -> None:
        """React to the newest answer that the user has, in private or in the group, or change one's mind."""
        chance, answers = self.people.chance, list(self._answers(user))
        if not answers:
            return
        chat, message = max(answers, key=lambda one: self._came(*one))
        before = message.reactions.get(user.id)
        known = [one for one in VOTES if one != (before.emoji if before else None)]
        emoji = chance.choice([one for one in known if one or not ChatToken.parse(chat).is_group])
        self._world.telegram.react(user.id, message, emoji)
        reader = _reader(self._account, chat, str(user.id))
        now, vote = self._world.loop.time(), VOTES[emoji]
        self.given.append(Voted(self.edge, chat, message.id, message.text, reader, vote, now, is_taken_back=not emoji))

    def _answers(self, user: Account) -> Iterator[tuple[str, StoredMessage]]:
        """With their chats: those to the user's own questions."""
        talk, asked = self.people.talk, [one for one in self.people.asked if one.user == user.id]
        for chat in dict.fromkeys(one.chat for one in asked if one.edge == self.edge):
            got = (
                talk.got(chat) if talk and chat in talk.chats else self._world.telegram.messages(user.id, self._account)
            )
            texts = {text for one in asked if one.chat == chat for text in (one.text, one.edited) if text}
            yield from ((chat, one) for one in got if one.sender_id == self._account and _is_about(one, texts))

    def _came(self, chat: str, message: StoredMessage) -> float:
        return self._world.watching.came[ChatToken.parse(chat).peer, message.id]

    def lines(self) -> Iterator[Voted | Kept]:
        """For the history."""
        yield from self.given
        for _, payload in self._world.stored("FEEDBACK", f"timokha.feedback.{self._account}."):
            data = FeedbackGiven.model_validate_json(payload)
            yield Kept(self.edge, str(data.request_id), data.reader, data.vote)

    @property
    def _world(self) -> World:
        return self.people.world

    @property
    def _account(self) -> int:
        return self._world.accounts[self.edge].id


def _is_about(message: StoredMessage, texts: set[str]) -> bool:
    return not texts.isdisjoint(message.text.split("\n"))


def _reader(account: int, chat: str, user: str) -> str:
    return pseudonym(API_HASH.encode(), f"{account}.{chat}.{user}")
