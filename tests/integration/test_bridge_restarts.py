"""The bridge ends while requests wait on RabbitMQ: nothing is lost, and nobody is asked twice."""

import asyncio
from datetime import UTC, datetime

import pytest

from bridge.ids import correlation_id_for
from events.event import Event
from events.jetstream.log import JetStreamLog
from events.jetstream.records import JetStreamRecords
from events.schema import FinishReason, GenerationCompleted
from events.transport import Channel
from tests.retrying import RETRYING

NUMBERS = range(40)
AT_LEAST = 20
"""Of them wait on RabbitMQ when the bridge ends."""
DELAY = "0.15"


async def asked(server) -> list[str]:
    """What the model server was asked, once it has nothing more to say."""
    server.terminate()
    async with asyncio.timeout(10):
        return (await server.stdout.read()).decode().splitlines()


async def noted(js, request_id: str) -> bool:
    """The bridge has sent it and waits."""
    records = await JetStreamRecords.open(js, "bridge", retrying=RETRYING)
    return await records.load(correlation_id_for(request_id)) is not None


@pytest.fixture
def all_wait(world, js, depth, poll):
    """`await all_wait(ids, queue)`: the bridge has sent them all, and most are still in `queue`."""

    async def wait(ids: list[str], queue: str) -> None:
        for request_id in ids:
            await poll(lambda key=request_id: sent(key))
        assert await depth(queue) >= AT_LEAST

    async def sent(request_id: str) -> bool:
        return request_id in world.edge.replies or await noted(js, request_id)

    return wait


@pytest.mark.parametrize("how", ["stop", pytest.param("kill", marks=pytest.mark.slow)])
async def test_the_originals_servers_finish_what_a_restarted_bridge_asked(world, all_wait, how) -> None:
    server = await world.program("original_model_server.py", "rpc_queue", DELAY)
    assert await server.stdout.readline() == b"ready\n"
    settings = {"BRIDGE_CODEC": "original", "BRIDGE_PREFETCH": str(len(NUMBERS)), "BRIDGE_GRACE": "0.2"}
    bridge = await world.bridge(**settings)
    ids = await world.edge.ask(NUMBERS)
    await all_wait(ids, "rpc_queue")

    await getattr(bridge, how)()
    await world.bridge(**settings)
    answers = await world.edge.answers(ids)

    assert {key: answer.text for key, answer in answers.items()} == {key: f"ВОПРОС {key}" for key in ids}
    assert set(world.edge.seen.values()) == {1}
    assert await world.edge.stored() == len(ids)
    assert len(await asked(server)) == len(ids)


@pytest.mark.parametrize("how", [pytest.param("stop", marks=pytest.mark.slow), "kill"])
async def test_our_workers_finish_what_a_restarted_bridge_asked(world, said, all_wait, how) -> None:
    worker = await world.worker("rabbitmq", delay=float(DELAY))
    settings = {"BRIDGE_PREFETCH": str(len(NUMBERS)), "BRIDGE_GRACE": "0.2"}
    bridge = await world.bridge(**settings)
    ids = await world.edge.ask(NUMBERS)
    await all_wait(ids, "timokha.requests")

    await getattr(bridge, how)()
    await world.bridge(**settings)
    answers = await world.edge.answers(ids)

    assert {key: answer.text for key, answer in answers.items()} == {key: f"вопрос {key}" for key in ids}
    assert set(world.edge.seen.values()) == {1}
    assert await world.edge.stored() == len(ids)
    assert said(worker).count('"request.answered"') == len(ids)


async def test_an_answer_that_comes_while_no_bridge_runs_is_published_later(world, js, depth, poll) -> None:
    await world.worker("rabbitmq", delay=2)
    bridge = await world.bridge()
    [request_id] = await world.edge.ask([1])
    await poll(lambda: noted(js, request_id))
    await bridge.kill()

    async def waits() -> bool:
        return await depth("timokha.replies") == 1

    await poll(waits)
    await world.bridge()
    await world.edge.answers([request_id])
    assert await world.edge.stored() == 1


async def test_a_late_reply_to_what_somebody_else_has_answered_is_dropped_with_a_log_line(
    world, js, poll, wait_for_log
) -> None:
    await world.worker("rabbitmq", delay=2)
    bridge = await world.bridge()
    [request_id] = await world.edge.ask([1])
    await poll(lambda: noted(js, request_id))
    other = GenerationCompleted(
        request_id=request_id, text="от другого", finish_reason=FinishReason.STOP, model="other"
    )
    await JetStreamLog(js).publish(Channel.REPLIES, Event.of(other, source="/other", time=datetime.now(UTC)))

    # Relayed, or skipped if it was heard before it was stored; its own worker's answer comes all the same.
    await wait_for_log(bridge, "reply.dropped")
    answers = await world.edge.answers([request_id])
    assert answers[request_id].text == "от другого"
    assert await world.edge.stored() == 1


@pytest.mark.slow
async def test_what_is_not_answered_in_half_of_the_time_comes_to_somebody_else(world, wait_for_log) -> None:
    await world.worker("rabbitmq", delay=60)
    bridge = await world.bridge(BRIDGE_GRACE="0.2")
    # Half of it, the 10 s that a stopped bridge's requests rest, and time for a worker to start.
    [request_id] = await world.edge.ask([1], seconds=40)
    await wait_for_log(bridge, "request.postponed")
    await bridge.stop()
    await world.worker("jetstream")
    await world.edge.answers([request_id])
