"""`/version` is an order, which is answered."""

from datetime import UTC, datetime
from random import Random
from types import SimpleNamespace

from edge.userbot.chat.record import Order
from edge.userbot.driving.orders import Orders
from edge.userbot.owner.orders import Version, parse_order
from edge.userbot.rules import Rules
from edge.userbot.storage.chats import Chats
from events.memory import MemoryMarks, MemoryRecords
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying
from events.version import own_version


async def test_it_is_answered_with_the_version() -> None:
    assert parse_order("/version") == Version()
    retrying = Retrying(SystemClock(), Random())
    chats = Chats(MemoryRecords(), MemoryMarks(), "1", retrying=retrying)
    ports = SimpleNamespace(chats=chats, retrying=retrying, rules=lambda: Rules(locale="en"), departure=None)
    order = Order(message_id=7, text="/version", date=datetime.now(UTC))
    assert await Orders(ports, wake=lambda chat: None).carry_out(order) == f"I am Timokha {own_version()}."
