"""Every message of a stream is read once, whatever lies between them."""

from random import Random

import pytest
from nats.js.errors import NotFoundError

from events.jetstream.reading import walk
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying


@pytest.fixture
def retrying() -> Retrying:
    return Retrying(SystemClock(), Random())


async def walked(js, filter_subject: str, retrying: Retrying, **options) -> list[tuple[str, bytes]]:
    found = []

    async def take(message) -> None:
        found.append((message.subject, message.data))

    await walk(js, "KV_chats", filter_subject, take, retrying=retrying, **options)
    return sorted(found)


@pytest.mark.parametrize("readers", [1, 3, 16, 100])
async def test_every_message_is_handed_over_once_with_gaps_and_strangers_between(js, retrying, readers) -> None:
    chats = await js.key_value("chats")
    for number in range(40):
        await chats.put(f"1.{number}", str(number).encode())
        await chats.put(f"2.{number}", b"another account's")
    for number in (0, 1, 2, 17, 39):
        await chats.put(f"1.{number}", b"anew")
    wanted = {f"$KV.chats.1.{number}": str(number).encode() for number in range(40)}
    wanted |= {f"$KV.chats.1.{number}": b"anew" for number in (0, 1, 2, 17, 39)}
    assert await walked(js, "$KV.chats.1.>", retrying, readers=readers) == sorted(wanted.items())


async def test_what_is_replaced_before_it_was_read_is_handed_over_as_it_is(js, retrying) -> None:
    chats = await js.key_value("chats")
    for number in range(10):
        await chats.put(f"1.{number}", b"old")
    found = {}

    async def take(message) -> None:
        if not found:
            for number in range(5, 10):
                await chats.put(f"1.{number}", b"new")
        found[message.subject] = message.data

    await walk(js, "KV_chats", "$KV.chats.1.>", take, retrying=retrying, readers=1)
    wanted = {f"$KV.chats.1.{number}": b"old" if number < 5 else b"new" for number in range(10)}
    assert found == wanted


async def test_a_stream_without_messages_has_none(js, retrying) -> None:
    assert await walked(js, "$KV.chats.1.>", retrying) == []
    chats = await js.key_value("chats")
    await chats.put("2.5", b"another account's")
    assert await walked(js, "$KV.chats.1.>", retrying) == []


async def test_a_stream_that_is_gone_is_not_one_without_messages(js, retrying) -> None:
    await js.delete_stream("KV_chats")
    with pytest.raises(NotFoundError):
        await walked(js, "$KV.chats.1.>", retrying)
