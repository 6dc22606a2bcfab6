"""Read readers' thumbs up and down out of Telegram's reactions (https://core.telegram.org/api/reactions).

A message names only the last who reacted to it, and not who has taken a reaction back: that is told by what it named
before, as long as it names all.
"""

from collections.abc import Iterable, Mapping, Set
from typing import Any, Literal

from pyrogram import raw

from edge.userbot.chat.incoming import Reaction, Reactions
from edge.userbot.chat_tokens import ChatToken
from edge.userbot.telegram.incoming import person_of

UP, DOWN = "👍", "👎"
MAX_MESSAGES = 1024
"""Messages whose voters are remembered."""

Vote = Literal[1, 0, -1]


class Votes:
    """Remembers in memory who has voted on the newest messages."""

    def __init__(self) -> None:
        self._voters: dict[tuple[str, int], frozenset[int]] = {}

    def read(
        self, account: str, chat: ChatToken, message_id: int, reactions: Any, users: Mapping[int, Any]
    ) -> Reactions | None:
        """Return the votes of a message's readers, 0 of those who have taken theirs back; None if there are none.

        `reactions`: what the message has of them, None for nothing.
        """
        recent = (reactions.recent_reactions if reactions else None) or ()
        votes: dict[int, Vote] = _votes(recent)
        if sum(one.count for one in (reactions.results if reactions else ())) == len(recent):
            everyone = self._remember(chat, message_id, votes.keys())
            everyone |= set() if chat.is_group or not reactions else {chat.peer}
            votes |= dict.fromkeys(everyone - votes.keys(), 0)
        return _of_readers(account, str(chat), message_id, votes, users)

    def _remember(self, chat: ChatToken, message_id: int, voters: Set[int]) -> frozenset[int]:
        """Return all who have ever voted on a message.

        An update may be read twice, live and fetched, so nobody is forgotten once their vote is taken back.
        """
        key = str(chat), message_id
        everyone = self._voters.pop(key, frozenset()) | voters
        if everyone:
            self._voters[key] = everyone
        if len(self._voters) > MAX_MESSAGES:
            del self._voters[next(iter(self._voters))]
        return everyone


def read_change(account: str, update: Any, chat: ChatToken, users: Mapping[int, Any]) -> Reactions | None:
    """Return the vote in what a bot is told of one reader's reaction, `updateBotMessageReaction`."""
    if not isinstance(update.actor, raw.types.PeerUser):
        return None
    vote = _vote(update.new_reactions)
    return _of_readers(account, str(chat), update.msg_id, {update.actor.user_id: vote}, users)


def _of_readers(
    account: str, chat: str, message_id: int, votes: Mapping[int, Vote], users: Mapping[int, Any]
) -> Reactions | None:
    found = tuple(
        Reaction(account, chat, message_id, person_of(user, users.get(user)), vote)
        for user, vote in votes.items()
        if str(user) != account
    )
    return Reactions(found) if found else None


def _votes(recent: Iterable[Any]) -> dict[int, Vote]:
    given: dict[int, list[Any]] = {}
    for one in recent:
        if isinstance(one.peer_id, raw.types.PeerUser):
            given.setdefault(one.peer_id.user_id, []).append(one.reaction)
    return {user: _vote(reactions) for user, reactions in given.items()}


def _vote(reactions: Iterable[Any]) -> Vote:
    emoji = {getattr(reaction, "emoticon", None) for reaction in reactions}
    if (UP in emoji) == (DOWN in emoji):
        return 0
    return 1 if UP in emoji else -1
