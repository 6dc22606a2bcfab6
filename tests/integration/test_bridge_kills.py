"""`kill -9` of each part in the middle of a load: every request is answered, once."""

import asyncio

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

REQUESTS = 500
DELAY = 0.02


async def check(world, ids, word: str = "вопрос") -> None:
    answers = await world.edge.answers(ids, within=180)
    assert {key: answer.text for key, answer in answers.items()} == {key: f"{word} {key}" for key in ids}
    assert set(world.edge.seen.values()) == {1}
    assert await world.edge.stored() == REQUESTS


@pytest.fixture
def half_way(poll):
    async def wait(world) -> None:
        async def so() -> bool:
            return len(world.edge.replies) >= REQUESTS // 2

        await poll(so, within=120)
        assert len(world.edge.replies) < REQUESTS

    return wait


async def test_killing_the_bridge(world, half_way) -> None:
    for _ in range(3):
        await world.worker("rabbitmq", delay=DELAY)
    bridge = await world.bridge()
    ids = await world.edge.ask(range(REQUESTS))
    await half_way(world)
    await bridge.kill()
    await world.bridge()
    await check(world, ids)


async def test_killing_a_worker(world, half_way) -> None:
    workers = [await world.worker("rabbitmq", delay=DELAY) for _ in range(3)]
    await world.bridge()
    ids = await world.edge.ask(range(REQUESTS))
    await half_way(world)
    await workers[0].kill()
    await check(world, ids)


async def test_killing_the_nats_server(world, half_way) -> None:
    for _ in range(3):
        await world.worker("rabbitmq", delay=DELAY)
    await world.bridge()
    ids = await world.edge.ask(range(REQUESTS))
    await half_way(world)
    await world.nats.kill()
    await world.nats.start()
    await check(world, ids)


@pytest.mark.parametrize("codec", ["events", "original"])
async def test_killing_the_rabbitmq_node(fragile_world, own_rabbitmq, half_way, codec) -> None:
    world = fragile_world
    if codec == "events":
        for _ in range(3):
            await world.worker("rabbitmq", delay=DELAY)
    else:
        # Its servers end with the node, and are started again by whoever looks after them.
        await world.program("original_model_server.py", "rpc_queue", str(DELAY))
    await world.bridge(BRIDGE_CODEC=codec)
    ids = await world.edge.ask(range(REQUESTS))
    await half_way(world)
    await own_rabbitmq.kill()
    await own_rabbitmq.start()
    if codec == "original":
        await world.program("original_model_server.py", "rpc_queue", str(DELAY))
    await check(world, ids, "вопрос" if codec == "events" else "ВОПРОС")


async def test_a_bridge_takes_requests_in_again_after_the_rabbitmq_node_was_killed(fragile_world, own_rabbitmq) -> None:
    world = fragile_world
    await world.bridge(BRIDGE_DIRECTION="in", BRIDGE_CODEC="original")
    await world.worker("jetstream")
    await own_rabbitmq.kill()
    await own_rabbitmq.start()
    # The queue went with the node: whoever asks before the bridge is back asks nobody.
    async with asyncio.timeout(60):
        while True:
            requester = await world.program("original_requester.py", "rpc_queue", "привет")
            try:
                async with asyncio.timeout(5):
                    assert (await requester.stdout.read()).decode() == "привет\n"
                    return
            except TimeoutError:
                requester.kill()
