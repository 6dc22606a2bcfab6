"""Which messages are the owner's orders, with the intake on memory."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from edge.userbot.chat.incoming import Incoming, OwnMessage
from edge.userbot.chat.own_messages import SentMessage, record_sent
from edge.userbot.chat.record import NO_MESSAGE, Unconfirmed
from edge.userbot.chat.transitions import Effect
from edge.userbot.driving.drivers import Drivers
from edge.userbot.driving.ports import Ports
from edge.userbot.intake.own_intake import OwnIntake
from edge.userbot.rules import Rules
from edge.userbot.storage.chats import Chats
from events.errors import TransportError
from events.faults import Fault
from events.memory import MemoryLog, MemoryMarks, MemoryRecords
from events.records import LONG_AGO
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying
from events.schema import Sampling
from observability.telemetry import noop_telemetry

RETRYING = Retrying(SystemClock(), Random())
USER, BOT, BOSS, STRANGER = "1", "1", "42", "43"


class World:
    def __init__(self, owner_chat: str | None, began: datetime = LONG_AGO) -> None:
        self.records = MemoryRecords(began)
        self.chats = Chats(self.records, MemoryMarks(), "1", retrying=RETRYING)
        ports = Ports(
            account="1",
            chats=self.chats,
            log=MemoryLog(clock=SystemClock()),
            messenger=None,  # type: ignore[arg-type]  # no driver runs
            sampling=Sampling(),
            deadline=timedelta(minutes=1),
            telemetry=noop_telemetry(),
            retrying=RETRYING,
            owner_chat=owner_chat,
        )
        self.drivers = Drivers(ports)
        self.drivers.hold()
        self.intake = OwnIntake(ports, self.drivers, Rules, names=lambda: {"timokha_bot"})

    async def own(self, text: str, message_id: int = 7, chat: str = USER) -> Effect:
        return await self.intake.receive(OwnMessage("1", chat, message_id, text, datetime.now(UTC)))

    async def to_bot(self, text: str, chat: str = BOSS, **more: object) -> Effect:
        message = Incoming("1", chat, 7, text, "en", datetime.now(UTC))
        return await self.intake.receive_from_owner(replace(message, **more))

    async def orders(self, chat: str) -> list[str]:
        return [order.text for order in (await self.chats.load(chat)).orders]


@pytest.fixture
async def make_world():
    worlds = []

    def make(owner_chat: str | None, began: datetime = LONG_AGO) -> World:
        worlds.append(World(owner_chat, began))
        return worlds[-1]

    yield make
    for world in worlds:
        await world.drivers.stop()


Make = Callable[..., World]


async def test_saved_messages_take_orders_and_leave_notes_alone(make_world: Make) -> None:
    world = make_world(USER)
    assert await world.own("/status", 7) is Effect.ORDERED
    assert await world.own("/status", 7) is Effect.DUPLICATE
    assert await world.own("buy milk", 8) is Effect.SILENT
    assert await world.own("", 9) is Effect.SILENT
    assert await world.orders(USER) == ["/status"]


async def test_an_order_from_before_the_records_is_not_obeyed_but_one_from_the_same_second_is(make_world: Make) -> None:
    began = datetime.now(UTC)
    world = make_world(USER, began)
    for number, date in enumerate((began - timedelta(seconds=3), began.replace(microsecond=0)), 7):
        await world.intake.receive(OwnMessage("1", USER, number, f"/cancel {number}", date))
    assert await world.orders(USER) == ["/cancel 8"]


async def test_an_order_written_in_another_chat_is_none(make_world: Make) -> None:
    world = make_world(USER)
    assert await world.own("/status", chat=STRANGER) is Effect.OWNER_WROTE
    assert await world.orders(STRANGER) == []


async def test_a_message_of_ours_is_no_order_even_if_it_looks_like_one(make_world: Make) -> None:
    world = make_world(USER)
    sent = SentMessage(7, "/pause", 5)
    await world.chats.change(USER, lambda record: record_sent(record, sent))
    assert await world.own("/pause", 7) is Effect.OWN
    assert await world.orders(USER) == []


async def test_a_bot_takes_orders_of_its_owner_only(make_world: Make) -> None:
    world = make_world(BOSS)
    assert await world.to_bot("/status@timokha_bot") is Effect.ORDERED
    assert await world.to_bot("/status", STRANGER) is Effect.SILENT
    assert await world.orders(BOSS) == ["/status@timokha_bot"]
    assert await make_world(None).to_bot("/status") is Effect.SILENT


@pytest.mark.parametrize("text", ["Тимоха, как дела?", "/delete_history", "/set_context_length 3", "привет"])
async def test_a_bots_owner_talks_to_it_as_everyone_does(make_world: Make, text: str) -> None:
    assert await make_world(BOSS).to_bot(text) is Effect.SILENT


@pytest.mark.parametrize("text", ["+", "Тимоха, лучше так"])
async def test_a_reply_to_a_draft_that_a_bot_lost_as_it_was_sent_is_no_question(make_world: Make, text: str) -> None:
    world, lost = make_world(BOSS), Unconfirmed(digest="draft", reply_to=NO_MESSAGE, withdraw=True)
    await world.chats.change(BOSS, lambda record: record.having(sent=(5,), unconfirmed=(lost,)))
    assert await world.to_bot(text, reply_to=5) is Effect.SILENT
    assert await world.to_bot(text) is Effect.SILENT
    assert await world.to_bot(text, reply_to=6) is Effect.ORDERED
    assert await world.orders(BOSS) == [text]


async def test_what_a_bots_owner_forwards_is_no_order(make_world: Make) -> None:
    assert await make_world(BOSS).to_bot("/cancel all", forwarded=True) is Effect.SILENT


async def test_what_a_bot_sends_to_its_owner_is_no_order(make_world: Make) -> None:
    assert await make_world(BOSS).own("/cancel all", chat=BOSS) is Effect.SILENT


async def test_an_unreadable_record_of_the_owners_chat_is_started_afresh_by_its_deletion_alone(make_world) -> None:
    world = make_world(USER)
    await world.records.save(f"1.{USER}", b"{}", None)
    assert await world.own("buy milk", 7) is Effect.UNREADABLE
    assert await world.own("/status", 8) is Effect.UNREADABLE
    assert await world.own("/delete_history", 9) is Effect.DELETED
    assert len((await world.chats.load(USER)).notices) == 1
    assert await world.own("/delete_history", 9) is Effect.DUPLICATE
    assert await world.own("/status", 10) is Effect.ORDERED


async def test_an_order_waits_for_a_store_that_is_away(make_world: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    world, faults, save = make_world(USER), [TransportError("away", fault=Fault.PASSING)], MemoryRecords.save

    async def fail_once(*args: object) -> int:
        if faults:
            raise faults.pop()
        return await save(*args)

    monkeypatch.setattr(MemoryRecords, "save", fail_once)
    assert await world.own("/status") is Effect.ORDERED
    assert await world.orders(USER) == ["/status"]
