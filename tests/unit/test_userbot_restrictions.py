"""Groups with a slow mode, and groups in which Telegram takes no messages from us."""

from datetime import timedelta
from typing import Any

import pytest
import structlog
from pyrogram import raw

from edge.userbot.chat.bursts import begin
from edge.userbot.chat.record import ChatRecord, Question
from edge.userbot.chat.restrictions import REST, leave_alone
from edge.userbot.chat.transitions import Effect
from edge.userbot.driving.messenger import FloodWaited, SlowModeWaited, Undeliverable, WritingForbidden
from edge.userbot.formatting.styled_text import FormattedText
from edge.userbot.rules import Rules
from edge.userbot.telegram.api import TelegramApi
from edge.userbot.telegram.faults import WRITING_FORBIDDEN
from edge.userbot.telegram.messenger import TelegramMessenger
from edge.userbot.telegram.slow_modes import SlowModes
from tests.unit.conftest import EPOCH
from tests.unit.test_userbot_calls import FakeClient, refused

types = raw.types
GROUP, TOPIC = "-1000000000007", "-1000000000007t45"


def messenger_of(client: Any, floods: list[timedelta]) -> TelegramMessenger:
    async def resolve(_chat: int) -> Any:
        return types.InputPeerChannel(channel_id=7, access_hash=8)

    client.resolve_peer = resolve
    api = TelegramApi(client, flood_waited=floods.append)
    return TelegramMessenger(client, api, rate=1000, on_updates=lambda updates: None)


async def send(messenger: TelegramMessenger, chat: str = TOPIC) -> int:
    return await messenger.send(chat, FormattedText("да"), reply_to=3, random_id=77)


async def test_a_slow_mode_makes_us_wait_there_and_is_no_flood() -> None:
    floods: list[timedelta] = []
    messenger = messenger_of(FakeClient(refused(420, "SLOWMODE_WAIT_40")), floods)
    assert not messenger.is_slow(TOPIC)
    with structlog.testing.capture_logs() as lines, pytest.raises(SlowModeWaited) as waited:
        await send(messenger)
    assert waited.value.wait == timedelta(seconds=40)
    assert (floods, lines) == ([], [])
    assert [messenger.is_slow(chat) for chat in (TOPIC, GROUP, "-1000000000008")] == [True, True, False]


async def test_a_flood_in_a_group_is_one() -> None:
    floods: list[timedelta] = []
    messenger = messenger_of(FakeClient(refused(420, "FLOOD_WAIT_40")), floods)
    with pytest.raises(FloodWaited) as waited:
        await send(messenger)
    assert not isinstance(waited.value, SlowModeWaited)
    assert floods == [timedelta(seconds=40)]


def channel(**fields: Any) -> Any:
    return types.Channel(id=7, title="Readers", photo=types.ChatPhotoEmpty(), date=0, access_hash=8, **fields)


RIGHTS = types.ChatAdminRights()


@pytest.mark.parametrize(
    ("chats", "slow"),
    [
        ([channel(slowmode_enabled=True)], True),
        ([channel(slowmode_enabled=True), channel()], False),
        ([channel(slowmode_enabled=True), channel(min=True)], True),
        ([channel(slowmode_enabled=True, creator=True)], False),
        ([channel(slowmode_enabled=True, admin_rights=RIGHTS)], False),
        ([types.ChatForbidden(id=7, title="Readers"), types.User(id=7)], False),
    ],
)
def test_the_slow_mode_is_learnt_from_what_telegram_shows_of_a_group(chats, slow) -> None:
    modes = SlowModes()
    modes.learn_from_chats(chats)
    assert modes.apply_to(TOPIC) == slow


@pytest.mark.parametrize("reason", sorted(WRITING_FORBIDDEN))
async def test_where_writing_is_forbidden_that_is_told_apart(reason) -> None:
    with pytest.raises(WritingForbidden, match=reason):
        await send(messenger_of(FakeClient(refused(403, reason)), []))
    with pytest.raises(Undeliverable) as private:
        await send(messenger_of(FakeClient(refused(403, reason)), []), "2")
    assert not isinstance(private.value, WritingForbidden)


def test_a_group_is_left_alone_for_an_hour_and_what_waits_there_is_dropped() -> None:
    question = Question(message_id=5, text="?", locale="en", asked_at=EPOCH)
    piece = question.having(message_id=7)
    record = ChatRecord(waiting=(question,))
    record = begin(record, piece, "2", Rules(), now=EPOCH, delay=timedelta(0))
    left = leave_alone(record, EPOCH)
    assert (left.effect, left.dropped) == (Effect.RESTRICTED, (question, piece))
    assert (left.record.waiting, left.record.bursts, left.record.paused_until) == ((), (), EPOCH + REST)
    again = leave_alone(left.record, EPOCH + timedelta(minutes=1))
    assert (again.effect, again.record) == (Effect.SILENT, left.record)
