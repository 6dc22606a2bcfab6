"""Messages for a person: as the bot in their chat with it, through their connection everywhere else."""

from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from pyrogram.raw import types

from edge.business.telegram.messenger import PersonPeers, messengers
from edge.userbot.driving.messenger import Button, PeerFlooded, Undeliverable
from edge.userbot.formatting.styled_text import FormattedText
from edge.userbot.telegram.api import CallRefused, TelegramApi
from tests.unit.test_userbot_calls import FakeClient, sent

PERSON, CHAT, HASH = "2", "6", 60
TEXT = FormattedText("hello")


class AsPerson:
    """Stands for the person's connection."""

    is_bot = True
    shows_chats = False
    counts_deletions = False
    account = PERSON

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.calls: list[Any] = []

    def access_hash(self, user: str) -> int | None:
        return HASH if user == CHAT else None

    async def invoke(self, query: Any) -> Any:
        self.calls.append(query)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def invoke_quietly(self, query: Any, *, take: Any = None) -> str | None:
        self.calls.append(query)
        return None


class Made:
    def __init__(self, as_person: Any = None, *, as_bot: Any = None) -> None:
        self.person = AsPerson(as_person)
        self.client = FakeClient(as_bot, bot=True)
        self.updates: list[Any] = []
        api = TelegramApi(self.client, flood_waited=lambda wait: None)
        make = messengers(
            self.client, api, rate=1000, on_updates=self.updates.append, through=lambda person: self.person
        )
        self.messenger = make(PERSON)


async def test_the_persons_own_chat_is_the_bots_with_them_and_has_buttons() -> None:
    made = Made(as_bot=sent())
    await made.messenger.send(PERSON, TEXT, reply_to=None, random_id=7, buttons=[Button("yes", "+")])
    [query] = made.client.api
    assert (query.peer.user_id, query.peer.access_hash, made.person.calls) == (2, 0, [])
    assert query.reply_markup


async def test_every_other_chat_is_the_persons_and_addressed_as_their_connection_shows_it() -> None:
    made = Made(as_person=sent())
    assert await made.messenger.send(CHAT, TEXT, reply_to=3, random_id=7) == 9
    await made.messenger.typing(CHAT)
    send, typing = made.person.calls
    assert [(query.peer.user_id, query.peer.access_hash) for query in (send, typing)] == [(6, HASH)] * 2
    assert (send.random_id, made.client.api) == (7, [])


async def test_a_deletion_in_a_persons_chat_is_no_change_of_the_bots_but_one_in_its_own_chat_is() -> None:
    affected = types.messages.AffectedMessages(pts=900, pts_count=1)
    made = Made(as_person=affected, as_bot=affected)
    await made.messenger.delete(CHAT, 5)
    assert made.updates == []
    await made.messenger.delete(PERSON, 5)
    assert [one.update.pts for one in made.updates] == [900]


Look = Callable[[Any], Awaitable[Any]]


@pytest.mark.parametrize(
    "look",
    [
        lambda messenger: messenger.find_own(CHAT, "hello", reply_to=None),
        lambda messenger: messenger.wrote_first(CHAT),
    ],
    ids=["find_own", "wrote_first"],
)
async def test_nobody_is_asked_what_a_bot_can_not_see(look: Look) -> None:
    made = Made()
    assert await look(made.messenger) is None
    assert made.person.calls == made.client.api == []


@pytest.mark.parametrize(("reason", "error"), [("PEER_FLOOD", PeerFlooded), ("BUSINESS_PEER_INVALID", Undeliverable)])
async def test_a_refusal_is_final_and_a_flood_a_flood(reason, error) -> None:
    made = Made(as_person=CallRefused(reason))
    with pytest.raises(error, match=reason) as raised:
        await made.messenger.send(CHAT, TEXT, reply_to=None, random_id=7)
    assert isinstance(raised.value, PeerFlooded) == (reason == "PEER_FLOOD")


async def test_somebody_whose_hash_is_not_known_is_addressed_as_by_the_bot_itself() -> None:
    client = FakeClient(bot=True)
    api = SimpleNamespace(is_bot=True)
    peers = PersonPeers(client, api, {"6": HASH}.get)
    assert (await peers.peer("6")).access_hash == HASH
    assert (await peers.peer("8")).access_hash == 0
    with pytest.raises(Undeliverable):
        await peers.peer("-100")
