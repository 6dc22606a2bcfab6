"""Users who write without the prefix: bursts of a few messages, with typing, edits and deletions meanwhile."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from edge.sandbox.state import Account
from edge.userbot.chat_tokens import ChatToken
from tests.chaos.edges import Edge
from tests.chaos.users import Crowd, Question
from tests.chaos.world import World

WITHOUT_PREFIX = 0.6
"""How likely a user writes a burst rather than a question; likewise:"""
CHANGED, DELETED = 0.15, 0.1
TYPED = 0.5
REPEATED = 0.5
MOST = 5
"""Messages in a burst."""
GAPS = ((0.02, 0.9),) * 4 + ((1.0, 3.5),)
"""Seconds between two of them."""
HUSHED = 6.0
"""Seconds after which a user knows that the limit of the hour is reached."""
SETTINGS = {
    "USERBOT_TRIGGERS": "private,mentions,replies",
    "USERBOT_DELAY": "0-1",
    # Longer than anything that the storm breaks.
    "USERBOT_REPEAT_WINDOW": "600",
}


@dataclass
class Bursts:
    """`limit`: of answers in a chat, of an hour."""

    world: World
    crowd: Crowd
    limit: int
    chance: Random

    async def write(self, person: Account, edge: Edge) -> Question | None:
        """Write a burst, or now and then nothing; return the piece whose outcome the user waits for."""
        if self.chance.random() >= WITHOUT_PREFIX:
            return None
        pieces: list[Question] = []
        for _ in range(self.chance.randint(1, MOST)):
            if pieces:
                await self._pause(person, edge)
            if self.crowd.complete:
                break
            pieces.append(self.crowd.ask(person, edge, "", self.chance.choice(("", "", "?", "."))))
            await self.change(self.chance.choice(pieces))
        left = [piece for piece in pieces if piece.deleted_at is None]
        return (left or pieces or [None])[-1]

    def repeat(self, question: Question) -> None:
        """Send an answered piece's text once more, if nothing of the user's is being collected."""
        theirs = [other for other in self.crowd.asked if other.chat == question.chat and other.deleted_at is None]
        open_ = any(other.answered_at is None for other in theirs)
        if question.is_piece and not (question.changed or question.group or open_) and self.chance.random() < REPEATED:
            question.repeated_at = time.monotonic()
            self.world.telegram.send(question.user, question.edge.account.id, question.text)

    def hushes(self, question: Question) -> bool:
        """The user may have had all answers of the hour."""
        waited = time.monotonic() - question.asked_at
        return question.is_piece and waited > HUSHED and len(of_chat(self.crowd.asked, question)) >= self.limit

    async def _pause(self, person: Account, edge: Edge) -> None:
        seconds = self.chance.uniform(*self.chance.choice(GAPS))
        typed = self.chance.random() < TYPED and not edge.account.bot
        await asyncio.sleep(seconds / 3)
        if typed:
            self.world.telegram.type(person.id, edge.account.id)
        await asyncio.sleep(seconds * 2 / 3)

    async def change(self, piece: Question) -> None:
        """Edit the piece, or delete it, or mostly neither."""
        group = ChatToken.parse(piece.group).peer if piece.group else 0
        drawn = self.chance.random()
        if drawn >= CHANGED + DELETED or piece.deleted_at is not None or piece.changed:
            return
        await asyncio.sleep(self.chance.uniform(0, 0.7))
        if drawn < CHANGED:
            piece.changed = f"{piece.text} (правка)"
            self.world.telegram.edit(piece.user, piece.own_id, piece.changed, group_id=group)
        else:
            piece.deleted_at = time.monotonic()
            self.world.telegram.delete(piece.user, piece.own_id, group_id=group)


def of_chat(asked: Sequence[Question], question: Question) -> list[Question]:
    """Return the pieces of the chat that are older than `question`."""
    return [
        other
        for other in asked
        if other.is_piece and other.chat == question.chat and other.message_id < question.message_id
    ]
