"""What strangers put into RabbitMQ at the borders of what NATS takes: it leaves the bridge, and holds up nothing."""

from dataclasses import replace

import pytest

from bridge.codecs import NO_QUESTION
from bridge.queue_consumer import PREFETCH
from events.deadletters import CUT_HEADER, REASON_HEADER
from events.ids import RequestId
from events.jetstream.log import JetStreamLog
from events.rabbitmq import topology
from events.rabbitmq.message import AmqpMessage
from events.transport import Channel

LARGE = {f"h{number}": "x" * 200 for number in range(400)}
"""82 KB of headers: AMQP takes them, NATS does not."""
ORDERS = {"Nats-Expected-Last-Msg-Id": "nobody's", "Nats-Rollup": "sub"}
"""JetStream obeys such headers, or refuses the message for them."""


def dead(world, number: int, headers: dict[str, str], body: bytes | None = None) -> AmqpMessage:
    """A request that was given up, with headers of somebody else's."""
    event = world.edge.event(f"1.2.{number}.0", headers=headers)
    return AmqpMessage.of(event if body is None else replace(event, body=body))


@pytest.mark.parametrize("headers", [LARGE, ORDERS], ids=["large", "orders"])
async def test_dead_letters_that_nats_does_not_take_as_they_are_arrive_cut_and_hold_up_no_other(
    world, broker, js, poll, headers
) -> None:
    await world.bridge()
    many = PREFETCH + 10
    for number in range(many):
        await broker.sender.send(topology.DEADLETTERS.name, dead(world, number, headers))
    await broker.sender.send(topology.DEADLETTERS.name, dead(world, 1000, {"own": "header"}))

    async def all_there() -> bool:
        return (await js.stream_info("DEADLETTERS")).state.messages == many + 1

    await poll(all_there)
    log = JetStreamLog(js)
    cut = await log.find(Channel.DEADLETTERS, RequestId("1", "2", "7"))
    whole = await log.find(Channel.DEADLETTERS, RequestId("1", "2", "1000"))
    assert cut.headers[REASON_HEADER] == whole.headers[REASON_HEADER] == "attempts_exhausted"
    assert cut.data().request_id == "1.2.7.0"
    assert ("of 403 headers" in cut.headers.get(CUT_HEADER, "")) == (headers is LARGE)
    assert not set(ORDERS) & set(cut.headers)
    assert (whole.headers["own"], CUT_HEADER in whole.headers) == ("header", False)

    async def all_told() -> bool:
        return await world.edge.stored() == many + 1

    await poll(all_told)


async def test_a_dead_letter_with_a_body_that_is_too_large_is_kept_cut(world, broker, js, poll) -> None:
    await world.bridge()
    log = JetStreamLog(js)
    await broker.sender.send(topology.DEADLETTERS.name, dead(world, 1, {}, b"x" * 5_000_000))

    async def there() -> bool:
        return await log.find(Channel.DEADLETTERS, RequestId("1", "2", "1")) is not None

    await poll(there)
    kept = await log.find(Channel.DEADLETTERS, RequestId("1", "2", "1"))
    assert kept.headers[CUT_HEADER].endswith("of 5000000 bytes of the body")
    assert set(kept.body) == set(b"x")


async def test_a_bare_prefix_is_answered_and_sets_off_no_alert(world, js) -> None:
    """The original's bot sends nothing for one, and has no time limit."""
    await world.bridge(BRIDGE_CODEC="original", BRIDGE_DIRECTION="in")
    requester = await world.program("original_requester.py", "rpc_queue", "")
    assert (await requester.stdout.read()).decode() == f"{NO_QUESTION}\n"
    assert (await js.stream_info("DEADLETTERS")).state.messages == 0
