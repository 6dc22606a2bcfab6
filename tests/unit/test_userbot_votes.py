"""Readers' reactions to messages, as votes."""

from typing import Any

import pytest
from pyrogram import Client, raw

from edge.userbot.chat.incoming import Reaction, Reactions
from edge.userbot.intake.account_updates import LiveChange
from edge.userbot.people import Person
from edge.userbot.telegram.update_reader import BOT_REACTIONS, UpdateReader
from edge.userbot.telegram.updates import Updates
from tests.unit.test_userbot_updates import batch, pushed, user

types = raw.types
ANNA, GROUP = types.PeerUser(user_id=2), types.PeerChannel(channel_id=7)
CHAT = "-1000000000007"


def emoji(text: str) -> Any:
    return types.ReactionEmoji(emoticon=text)


def reactions(given: dict[int, str], *, others: int = 0) -> Any:
    """What a message shows: who has given which, and `others` who are not named."""
    recent = [
        types.MessagePeerReaction(peer_id=types.PeerUser(user_id=reader), date=0, reaction=emoji(one))
        for reader, one in given.items()
    ]
    counts = [types.ReactionCount(reaction=emoji(one), count=1) for one in given.values()]
    more = [types.ReactionCount(reaction=emoji("👍"), count=others)] if others else []
    return types.MessageReactions(results=counts + more, recent_reactions=recent or None)


def told(given: dict[int, str], *, peer: Any = ANNA, top_id: int | None = None, others: int = 0) -> Any:
    return types.UpdateMessageReactions(
        peer=peer, msg_id=5, top_msg_id=top_id, reactions=reactions(given, others=others)
    )


def votes(reader: UpdateReader, update: Any) -> dict[str, int] | None:
    found = reader.read(update, {})
    if found is None:
        return None
    assert isinstance(found, Reactions)
    return {one.reader.id: one.vote for one in found.of_readers}


@pytest.fixture
def reader() -> UpdateReader:
    return UpdateReader("1")


@pytest.mark.parametrize(("given", "vote"), [("👍", 1), ("👎", -1), ("🔥", 0)])
def test_a_thumb_is_a_vote(reader, given, vote) -> None:
    assert votes(reader, told({2: given})) == {"2": vote}


def test_our_own_reaction_is_none(reader) -> None:
    assert votes(reader, told({1: "👀", 2: "👍"})) == {"2": 1}
    assert votes(reader, told({1: "👀"}, peer=GROUP)) is None


def test_in_a_private_chat_who_reacts_no_more_has_taken_the_vote_back(reader) -> None:
    assert votes(reader, told({})) == {"2": 0}


def test_in_a_group_that_is_known_of_those_who_were_named_before(reader) -> None:
    assert votes(reader, told({2: "👍", 3: "👎"}, peer=GROUP)) == {"2": 1, "3": -1}
    assert votes(reader, told({3: "👎"}, peer=GROUP, others=1)) == {"3": -1}
    assert votes(reader, told({3: "👎"}, peer=GROUP)) == {"3": -1, "2": 0}
    for _ in range(2):  # read live, and fetched
        assert votes(reader, told({}, peer=GROUP)) == {"2": 0, "3": 0}


def test_a_reaction_in_a_topic_is_of_that_chat(reader) -> None:
    found = reader.read(told({2: "👍"}, peer=GROUP, top_id=45), {2: user(username="Anna")})
    assert isinstance(found, Reactions)
    assert found.of_readers == (Reaction("1", f"{CHAT}t45", 5, Person("2", frozenset({"anna"}), "A"), 1),)


def edited(given: dict[int, str] | None, **fields: Any) -> Any:
    shown = None if given is None else reactions(given)
    message = types.Message(id=5, peer_id=ANNA, date=0, message="да", reactions=shown, **fields)
    return types.UpdateEditMessage(message=message, pts=7, pts_count=1)


def test_an_edit_of_ours_tells_too_and_that_of_others_does_not(reader) -> None:
    assert votes(reader, edited(None, out=True)) is None
    assert votes(reader, edited({2: "👍"}, out=True)) == {"2": 1}
    assert votes(reader, edited(None, out=True)) == {"2": 0}
    assert not isinstance(reader.read(edited({2: "👍"}), {}), Reactions)


async def test_they_come_live_with_a_place_among_the_changes_if_they_are_counted(reader) -> None:
    client = Client("test", 1, "x", in_memory=True)
    await client.storage.open()
    vote = Reactions((Reaction("1", "2", 5, Person("2", contact=None), 1),))
    got = await pushed(client, Updates(client), batch(told({2: "👍"}), edited({2: "👍"}, out=True)), reader=reader)
    assert got == [vote, LiveChange(7, 1, vote)]


@pytest.mark.skipif(not BOT_REACTIONS, reason="pyrogram does not know what bots are told of reactions; kurigram does")
def test_a_bot_is_told_of_one_reader(reader) -> None:
    def told_bot(*new: str, actor: Any = ANNA) -> Any:
        given = [emoji(one) for one in new]
        return BOT_REACTIONS(peer=GROUP, msg_id=5, date=0, actor=actor, old_reactions=[], new_reactions=given, qts=3)

    assert [votes(reader, told_bot(*new)) for new in (("👍",), (), ("🔥", "👎"))] == [{"2": 1}, {"2": 0}, {"2": -1}]
    assert votes(reader, told_bot("👍", actor=GROUP)) is None
