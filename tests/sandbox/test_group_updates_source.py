"""The changes of one supergroup, fetched from the sandbox's Telegram."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from pyrogram import Client

from edge.sandbox.groups import Group
from edge.sandbox.server import Sandbox
from edge.sandbox.state import Account
from edge.userbot.chat.incoming import Deleted, Edited, Incoming, OwnMessage
from edge.userbot.intake.account_updates import NotShown, StateLost, TooLong, UpdatesState
from edge.userbot.telegram.api import TelegramApi
from edge.userbot.telegram.group_updates_source import GroupUpdatesSource
from edge.userbot.telegram.peers import Peers
from edge.userbot.telegram.update_reader import UpdateReader

pytestmark = pytest.mark.usefixtures("repaired")
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass
class Followed:
    """A forum of Boris's that Anna follows."""

    telegram: Sandbox
    group: Group
    anna: Account
    boris: Account
    source: GroupUpdatesSource

    def says(self, text: str, **place: Any) -> int:
        return self.telegram.send_to_group(self.boris.id, self.group.id, text, **place).id

    @property
    def pts(self) -> int:
        return self.telegram.pts(self.group.id)


def source_of(client: Client, account: Account, group: str) -> GroupUpdatesSource:
    api = TelegramApi(client, flood_waited=print)
    reader = UpdateReader(str(account.id), lambda: {"anna"})
    return GroupUpdatesSource(api, reader, group, peer=Peers(client, api).peer)


@pytest.fixture
def followed(telegram: Sandbox, people) -> Followed:
    group = telegram.add_group("Readers", [people.boris.id, people.anna.id], forum=True)
    source = source_of(people.anna_client, people.anna, str(group.id))
    return Followed(telegram, group, people.anna, people.boris, source)


async def test_the_state_is_the_groups_own(followed) -> None:
    followed.says("hello")
    assert await followed.source.state() == UpdatesState(pts=followed.pts)


async def test_a_difference_has_messages_then_edits_and_deletions_and_the_state_after_them(followed) -> None:
    start = await followed.source.state()
    topic = followed.telegram.add_topic(followed.boris.id, followed.group.id, "Novels")
    first, lost = followed.says("one", topic_id=topic.id), followed.says("oops")
    followed.telegram.send_to_group(followed.anna.id, followed.group.id, "mine")
    followed.telegram.edit(followed.boris.id, first, "@anna, two", group_id=followed.group.id)
    followed.telegram.delete(followed.boris.id, lost, group_id=followed.group.id)
    found = await followed.source.difference(start)
    asked, own, edited, deleted = found.messages
    group, account = str(followed.group.id), str(followed.anna.id)
    assert isinstance(asked, Incoming)
    assert (asked.chat, asked.text, asked.sender.name) == (f"{group}t{topic.id}", "@anna, two", "Boris")
    assert isinstance(own, OwnMessage)
    assert edited == Edited(account, f"{group}t{topic.id}", first, "@anna, two")
    assert deleted == Deleted(account, frozenset({lost}), group)
    assert (found.state.pts, found.complete) == (followed.pts, True)
    again = await followed.source.difference(found.state)
    assert (list(again.messages), again.state, again.complete) == ([], found.state, True)


async def test_a_long_difference_comes_in_parts(followed) -> None:
    start = await followed.source.state()
    for number in range(3):
        followed.says(str(number))
    followed.telegram.faults.slice_size = 2
    first = await followed.source.difference(start)
    second = await followed.source.difference(first.state)
    assert [[one.text for one in part.messages] for part in (first, second)] == [["0", "1"], ["2"]]
    assert (first.complete, second.complete, second.state.pts) == (False, True, followed.pts)


async def test_if_it_is_too_long_the_history_has_what_was_written_since(followed) -> None:
    start = await followed.source.state()
    for number in range(3):
        followed.says(str(number))
    followed.telegram.faults.longest_difference = 2
    assert await followed.source.difference(start) == TooLong(followed.pts)
    assert [message.text for message in await followed.source.recent(LONG_AGO)] == ["0", "1", "2"]
    assert await followed.source.recent(datetime.now(UTC).replace(year=2099)) == []


async def test_a_state_that_never_was_is_lost(followed) -> None:
    with pytest.raises(StateLost):
        await followed.source.difference(UpdatesState(pts=followed.pts + 1))


async def test_a_group_that_we_are_not_in_is_not_shown(followed, people) -> None:
    start = await followed.source.state()
    followed.telegram.remove(followed.anna.id, followed.group.id)
    for call in (
        followed.source.state,
        lambda: followed.source.difference(start),
        lambda: followed.source.recent(LONG_AGO),
    ):
        with pytest.raises(NotShown, match="CHANNEL_PRIVATE"):
            await call()


async def test_a_group_that_is_not_known_and_what_is_no_supergroup_are_not_shown(telegram, people) -> None:
    basic = telegram.add_group("Few", [people.boris.id, people.anna.id], supergroup=False)
    strange = telegram.add_group("Strangers", [people.boris.id])
    for group in (basic, strange):
        with pytest.raises(NotShown):
            await source_of(people.anna_client, people.anna, str(group.id)).state()
