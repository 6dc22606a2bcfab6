"""Reactions, with stock clients: who is told, and what is refused."""

import pytest
from pyrogram import Client
from pyrogram.errors import MessageIdInvalid, MessageNotModified, ReactionInvalid
from pyrogram.raw import functions, types

from edge.sandbox.faults import Refusal
from edge.sandbox.reacting import HAS_BOT_REACTIONS
from edge.sandbox.server import Sandbox
from edge.userbot.telegram.server import use_server
from tests.sandbox.business import Bot
from tests.sandbox.groups import Member


async def react(member: Member, peer, message_id: int, *emoji: str):
    """React, or with no emoji take the reaction away; return the updates of the result."""
    reactions = [types.ReactionEmoji(emoticon=one) for one in emoji]
    query = functions.messages.SendReaction(peer=peer, msg_id=message_id, reaction=reactions)
    return (await member.invoke(query)).updates


def named(reactions) -> list[tuple[int, str]]:
    """Return who reacted how, the latest first."""
    return [(one.peer_id.user_id, one.reaction.emoticon) for one in reactions.recent_reactions or ()]


async def test_a_reaction_in_a_private_chat_reaches_the_writer(telegram: Sandbox, members):
    anna, boris = members
    sent = telegram.send(anna.account.id, boris.account.id, "answer")
    copy = telegram.messages(boris.account.id, anna.account.id)[0]
    before = telegram.pts(anna.account.id), telegram.pts(boris.account.id)
    [own] = await react(boris, await boris.client.resolve_peer("anna"), copy.id, "👍")
    assert (own.msg_id, own.peer.user_id) == (copy.id, anna.account.id)
    assert [(one.count, one.chosen_order) for one in own.reactions.results] == [(1, 0)]
    edited = await anna.next(types.UpdateEditMessage)
    assert (edited.message.edit_hide, edited.message.message, edited.pts) == (True, "answer", before[0] + 1)
    assert named(edited.message.reactions) == [(boris.account.id, "👍")]
    told = await anna.next(types.UpdateMessageReactions)
    assert (told.msg_id, told.peer.user_id) == (sent.id, boris.account.id)
    assert named(told.reactions) == [(boris.account.id, "👍")]
    assert (telegram.pts(anna.account.id), telegram.pts(boris.account.id)) == (before[0] + 1, before[1])
    telegram.react(boris.account.id, sent, None)
    assert (await anna.next(types.UpdateEditMessage)).message.reactions is None
    assert (await anna.next(types.UpdateMessageReactions)).reactions.results == []


async def test_after_an_edit_of_the_text_a_reaction_looks_like_one_more(telegram: Sandbox, members):
    anna, boris = members
    sent = telegram.send(anna.account.id, boris.account.id, "answer")
    telegram.edit(anna.account.id, sent.id, "better answer")
    date = sent.edited
    telegram.react(boris.account.id, sent, "👎")
    edits = [await anna.next(types.UpdateEditMessage) for _ in range(2)]
    assert [(edit.message.edit_hide, edit.message.edit_date) for edit in edits] == [(False, date)] * 2
    assert named(edits[1].message.reactions) == [(boris.account.id, "👎")]


@pytest.mark.parametrize("supergroup", [False, True])
async def test_a_group_is_told_of_a_reaction(telegram: Sandbox, members, supergroup):
    anna, boris = members
    group = telegram.add_group("Readers", [anna.account.id, boris.account.id], supergroup=supergroup)
    sent = await anna.send(group, "answer")
    await boris.next(types.UpdateNewChannelMessage if supergroup else types.UpdateNewMessage)
    box = group.id if supergroup else anna.account.id
    before = telegram.pts(box)
    [copy] = telegram.messages(boris.account.id, group.id)
    await react(boris, boris.peer(group), copy.id, "👍")
    await anna.next(types.UpdateEditChannelMessage if supergroup else types.UpdateEditMessage)
    told = await anna.next(types.UpdateMessageReactions)
    assert (told.msg_id, told.top_msg_id, named(told.reactions)) == (sent.id, None, [(boris.account.id, "👍")])
    assert telegram.pts(box) == before + 1
    await react(anna, anna.peer(group), sent.id, "👀")
    query = functions.messages.GetMessageReactionsList(peer=boris.peer(group), id=copy.id, limit=10)
    listed = await boris.invoke(query)
    assert [(one.peer_id.user_id, one.reaction.emoticon) for one in listed.reactions] == [
        (anna.account.id, "👀"),
        (boris.account.id, "👍"),
    ]
    updates = await boris.invoke(functions.messages.GetMessagesReactions(peer=boris.peer(group), id=[copy.id]))
    assert [one.count for one in updates.updates[0].reactions.results] == [1, 1]
    assert len((await boris.history(group, limit=1)).messages[0].reactions.results) == 2


async def test_a_missed_reaction_is_in_the_difference_only_as_an_edit(telegram: Sandbox, members):
    anna, boris = members
    sent = telegram.send(anna.account.id, boris.account.id, "answer")
    before = telegram.pts(anna.account.id)
    telegram.faults.reaction_edits = False
    telegram.react(boris.account.id, sent, "👍")
    assert telegram.pts(anna.account.id) == before
    telegram.faults.reaction_edits, telegram.faults.reaction_updates = True, False
    telegram.react(boris.account.id, sent, "👎")
    missed = await anna.invoke(functions.updates.GetDifference(pts=before, date=0, qts=0))
    [edit] = missed.other_updates
    assert (type(edit), named(edit.message.reactions)) == (types.UpdateEditMessage, [(boris.account.id, "👎")])


async def test_what_is_no_reaction_or_not_allowed_is_refused(telegram: Sandbox, members):
    anna, boris = members
    group = telegram.add_group("Readers", [anna.account.id, boris.account.id])
    sent = await anna.send(group, "answer")
    peer = boris.peer(group)
    with pytest.raises(ReactionInvalid):
        await react(boris, peer, sent.id, "no emoji")
    with pytest.raises(MessageIdInvalid):
        await react(boris, peer, 99, "👍")
    await react(boris, peer, sent.id, "👍")
    with pytest.raises(MessageNotModified):
        await react(boris, peer, sent.id, "👍")
    telegram.set_reactions(group.id, allowed=False)
    with pytest.raises(ReactionInvalid):
        await react(boris, peer, sent.id, "👎")
    await react(boris, peer, sent.id)
    [stored] = telegram.messages(anna.account.id, group.id)
    with pytest.raises(Refusal):
        telegram.react(boris.account.id, stored, "👀")
    telegram.set_reactions(group.id, allowed=True)
    await boris.client.send_reaction(group.id, sent.id, "🔥")
    assert stored.reactions[boris.account.id].emoji == "🔥"


@pytest.mark.skipif(not HAS_BOT_REACTIONS, reason="pyrogram's layer does not tell bots of reactions")
async def test_a_bot_is_told_of_reactions_by_its_qts(telegram: Sandbox, people):
    telegram.faults.reaction_edits = False
    robot = telegram.add_user(first_name="Robot", bot=True)
    use_server(telegram.address, telegram.public_key_pem)
    async with Client("robot", 1, "hash", bot_token=robot.token, in_memory=True) as client:
        bot = Bot(robot, client)
        telegram.send(people.anna.id, robot.id, "hello")
        answer = telegram.send(robot.id, people.anna.id, "hello")
        await bot.next()
        telegram.react(people.anna.id, answer, "👍")
        told = await bot.next()
        assert (told.msg_id, told.actor.user_id, told.qts) == (answer.id, people.anna.id, telegram.qts(robot.id))
        assert ([one.emoticon for one in told.new_reactions], told.old_reactions) == (["👍"], [])
        difference = await bot.difference(telegram.pts(robot.id), told.qts - 1)
        assert [update.qts for update in difference.other_updates] == [told.qts]
