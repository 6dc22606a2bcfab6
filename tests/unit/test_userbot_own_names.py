"""Whom a command may name, as Telegram tells it."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pyrogram import Client, raw

from edge.userbot.chat.commands import Help, parse
from edge.userbot.chat.incoming import Incoming
from edge.userbot.chat.transitions import Effect
from edge.userbot.intake.intake import Intake
from edge.userbot.rules import Rules
from edge.userbot.telegram.update_reader import UpdateReader
from edge.userbot.telegram.updates import OwnNames, Updates
from edge.userbot.telegram.updates_source import TelegramUpdatesSource

types = raw.types
ACCOUNT = 1


@pytest.fixture
async def client() -> Client:
    client = Client("test", 1, "x", in_memory=True)
    await client.storage.open()
    return client


@pytest.fixture
def names(client: Client) -> OwnNames:
    return OwnNames(client)


def name(username: str, *, active: bool = True) -> Any:
    return types.Username(username=username, active=active)


def myself(username: str | None = None, *usernames: Any, **flags: Any) -> Any:
    flags = {"is_self": True, "access_hash": 7, **flags}
    return types.User(id=ACCOUNT, first_name="T", username=username, usernames=list(usernames) or None, **flags)


def renamed(user: int, *usernames: Any) -> Any:
    return types.UpdateUserName(user_id=user, first_name="T", last_name="", usernames=list(usernames))


CASES = [
    ([], set()),
    ([myself()], set()),
    ([myself("Timokha")], {"timokha"}),
    ([myself(None, name("Timokha"), name("TIM"), name("Old", active=False))], {"timokha", "tim"}),
    ([myself("Timokha"), types.User(id=2, username="other")], {"timokha"}),
    ([types.UserEmpty(id=ACCOUNT), types.ChannelForbidden(id=3, access_hash=1, title="c")], set()),
    ([myself("Timokha"), myself(min=True)], {"timokha"}),
    ([myself("Timokha"), myself()], set()),
]


@pytest.mark.parametrize(("shown", "expected"), CASES)
async def test_the_names_are_those_that_are_shown_last(client, names, shown, expected) -> None:
    await client.fetch_peers(shown)
    assert names.active == expected


async def test_a_client_that_remembers_nobody_learns_the_names(client) -> None:
    updates = Updates(client, remembers=False)
    stranger = types.User(id=2, access_hash=8, first_name="S", username="stranger", phone="7999")
    await client.fetch_peers([myself("Timokha"), stranger])
    await client.handle_updates(types.Updates(updates=[], users=[stranger], chats=[], date=0, seq=0))
    assert updates.names.active == {"timokha"}
    for user in (ACCOUNT, 2):
        with pytest.raises(KeyError):
            await client.storage.get_peer_by_id(user)


async def test_a_new_name_is_heard_at_once_and_that_of_others_is_not(names) -> None:
    names.learn_from_update(renamed(ACCOUNT, name("early")))
    names.learn_from_users([myself("Timokha")])
    names.learn_from_update(renamed(2, name("other")))
    assert names.active == {"timokha"}
    names.learn_from_update(renamed(ACCOUNT, name("New"), name("Newer")))
    assert names.active == {"new", "newer"}
    names.learn_from_update(renamed(ACCOUNT))
    assert names.active == set()


async def test_a_name_that_changed_meanwhile_comes_with_the_difference(names) -> None:
    class TelegramApi:
        async def invoke(self, _query: Any) -> Any:
            state = types.updates.State(pts=2, qts=0, date=0, seq=0, unread_count=0)
            other = [renamed(ACCOUNT, name("new"))]
            return types.updates.Difference(
                new_messages=[], new_encrypted_messages=[], other_updates=other, chats=[], users=[], state=state
            )

        async def save_peers(self) -> None:
            pass

    names.learn_from_users([myself("old")])
    calls: Any = TelegramApi()
    source = TelegramUpdatesSource(calls, UpdateReader(str(ACCOUNT)), on_other_update=names.learn_from_update)
    await source.difference(types.updates.State(pts=1, qts=0, date=0, seq=0, unread_count=0))
    assert names.active == {"new"}


async def test_the_intake_obeys_the_name_of_the_moment(places, names) -> None:
    edge = places.edge()
    intake = Intake(edge.ports, edge.drivers, Rules, names=lambda: names.active)

    async def says(text: str, number: int) -> Effect:
        return await intake.receive(Incoming("1", "2", number, text, "ru", datetime.now(UTC)))

    assert await says("/help@timokha", 1) is Effect.SILENT
    names.learn_from_users([myself("Timokha")])
    assert parse("/help@timokha", names=names.active) == Help()
    assert await says("/help@timokha", 2) is Effect.HELPED
    assert await says("/delete_history@other_bot", 3) is Effect.SILENT
    names.learn_from_update(renamed(ACCOUNT, name("other_bot")))
    assert await says("/delete_history@other_bot", 4) is Effect.DELETED
