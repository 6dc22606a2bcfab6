"""How live drafts are shown on Telegram, and what its refusals mean for the chat."""

from types import SimpleNamespace
from typing import Any

import pytest
from pyrogram.errors import (
    BadRequest,
    EntityBoundsInvalid,
    FloodWait,
    InternalServerError,
    MessageNotModified,
    UnknownError,
)
from structlog.testing import capture_logs

from edge.userbot.driving.messenger import FloodWaited, MessengerError
from edge.userbot.formatting.styled_text import Entity, FormattedText
from edge.userbot.telegram import client_differences
from edge.userbot.telegram.api import TelegramApi
from edge.userbot.telegram.messenger import TelegramMessenger
from edge.userbot.telegram.peers import Peers
from tests.unit.test_userbot_calls import FakeClient, telegram

TEXT = FormattedText("да", (Entity("bold", 0, 2),))
PLAIN = FormattedText("да")


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with kurigram."""

    def live_draft(random_id: int, text: str, entities: list[Any]) -> Any:
        return SimpleNamespace(random_id=random_id, text=text, entities=entities)

    monkeypatch.setattr(client_differences, "HAS_LIVE_DRAFTS", True)
    monkeypatch.setattr(client_differences, "live_draft", live_draft)


async def test_a_bot_shows_a_person_a_formatted_text() -> None:
    client = FakeClient(True, bot=True)
    assert await telegram(client).live_draft("2", 9, TEXT)
    action = client.api[0].action
    assert (action.random_id, action.text, len(action.entities)) == (9, "да", 1)


@pytest.mark.parametrize(("bot", "chat"), [(False, "2"), (True, "-2")])
async def test_neither_a_user_account_nor_a_group_has_live_drafts(bot, chat) -> None:
    client = FakeClient(bot=bot)
    messenger = telegram(client)
    assert not messenger.takes_live_drafts(chat)
    assert not await messenger.live_draft(chat, 9, PLAIN)
    assert client.api == []


async def test_a_client_without_them_shows_none(monkeypatch) -> None:
    monkeypatch.setattr(client_differences, "HAS_LIVE_DRAFTS", False)
    assert not telegram(FakeClient(bot=True)).takes_live_drafts("2")


@pytest.mark.parametrize("error", [BadRequest("[400 TEXTDRAFT_PEER_INVALID]"), UnknownError("[999 WHAT_IS_THIS]")])
async def test_after_a_refusal_only_that_chat_of_that_account_takes_none(error) -> None:
    client = FakeClient(error, True, bot=True)
    client.known = {2, 3}
    api = TelegramApi(client, flood_waited=lambda wait: None)
    messenger = TelegramMessenger(client, api, rate=25, on_updates=lambda updates: None)
    with capture_logs() as logs:
        assert not await messenger.live_draft("2", 9, PLAIN)
        assert not await messenger.live_draft("2", 9, PLAIN)
    assert [line["event"] for line in logs if line["log_level"] != "debug"] == ["telegram.live_draft_refused"]
    assert not messenger.takes_live_drafts("2")
    assert messenger.through(api, Peers(client, api)).takes_live_drafts("2")
    assert await messenger.live_draft("3", 9, PLAIN)


async def test_a_refused_formatting_is_left_out() -> None:
    client = FakeClient(EntityBoundsInvalid(), True, bot=True)
    assert await telegram(client).live_draft("2", 9, TEXT)
    assert [len(query.action.entities) for query in client.api] == [1, 0]


async def test_a_draft_that_is_shown_already_is_shown() -> None:
    assert await telegram(FakeClient(MessageNotModified(), bot=True)).live_draft("2", 9, PLAIN)


@pytest.mark.parametrize(
    ("error", "raised"),
    [(FloodWait(7), FloodWaited), (InternalServerError(), MessengerError), (OSError(), MessengerError)],
)
async def test_what_passes_is_no_refusal(error, raised) -> None:
    messenger = telegram(FakeClient(error, bot=True))
    with pytest.raises(raised):
        await messenger.live_draft("2", 9, PLAIN)
    assert messenger.takes_live_drafts("2")


async def test_drafts_leave_a_chat_room_for_messages() -> None:
    client = FakeClient(*[True] * 3, bot=True)
    messenger = telegram(client)
    shown = [await messenger.live_draft("2", 9, FormattedText(str(number))) for number in range(5)]
    assert shown == [True, True, True, False, False]
