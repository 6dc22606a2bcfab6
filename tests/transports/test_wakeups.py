"""Who wakes an edge chooses where the answer goes, and it goes there with the edge's rights: only to an inbox."""

import asyncio

import pytest

from events.jetstream.connection import connect
from events.jetstream.core_nats import listen_for_wakes

INBOXES = ["_INBOX.a.b", "_INBOX_tools.a"]
OTHERS = [
    *("_INBOX", "_INBOXES.a", "x_INBOX.a", "timokha.requests.1.2.3.0", "timokha.wake.1", "$KV.chats.1.2", "_Rx.a"),
    *("$JS.API.STREAM.PURGE.KV_chats", "$JS.API.STREAM.DELETE.KV_chats"),
]


@pytest.mark.parametrize("reply", [*INBOXES, *OTHERS])
async def test_a_hint_is_heard_and_nothing_but_an_inbox_is_answered(nats_server, reply) -> None:
    heard, answered = asyncio.Queue(), []

    async def hear(message) -> None:
        if message.subject == reply and not message.data:
            answered.append(message.subject)

    async with (
        connect(nats_server.url, name="edge") as edge,
        connect(nats_server.url, name="other") as other,
        listen_for_wakes(edge, "1", heard.put_nowait),
        asyncio.timeout(20),
    ):
        await edge.account_info()  # its subscription is at the server; a flush of nats-py's may overtake it
        await other._nc.subscribe(">", cb=hear)
        await other._nc.publish("timokha.wake.1", b"2", reply=reply)
        assert await heard.get() == "2"
        # An answer to it is at the server by now, and then here.
        await edge.account_info()
        await other.account_info()
    assert answered == ([reply] if reply in INBOXES else [])
