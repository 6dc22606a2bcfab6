"""Readiness goes with a broker and comes back with it, while liveness stays."""

import pytest

from events.health.reading import check_health


async def becomes(poll, wanted: str, *files: str) -> None:
    async def so() -> bool:
        assert [check_health(file, live=True) for file in files] == [""] * len(files)
        return all(check_health(file, live=False) == wanted for file in files)

    await poll(so, within=60)


async def test_generate_and_the_bridge_answer_while_nats_is_there(world, nats_server, tmp_path, poll) -> None:
    files = [str(tmp_path / name) for name in ("generate", "bridge")]
    worker = await world.worker("jetstream", TIMOKHA_HEALTH_FILE=files[0])
    await world.bridge(TIMOKHA_HEALTH_FILE=files[1])
    await becomes(poll, "", *files)
    await nats_server.kill()
    try:
        await becomes(poll, "NATS is away", *files)
    finally:
        await nats_server.start()
    await becomes(poll, "", *files)
    await worker.stop()
    assert check_health(files[0], live=True) == f"no process keeps {files[0]}: it has not begun yet, or it has ended"


@pytest.mark.slow
async def test_a_worker_on_rabbitmq_and_the_bridge_answer_while_that_is_there(
    fragile_world, own_rabbitmq, tmp_path, poll
) -> None:
    files = [str(tmp_path / name) for name in ("generate", "bridge")]
    await fragile_world.worker("rabbitmq", TIMOKHA_HEALTH_FILE=files[0])
    await fragile_world.bridge(TIMOKHA_HEALTH_FILE=files[1])
    await becomes(poll, "", *files)
    await own_rabbitmq.kill()
    await becomes(poll, "RabbitMQ is away", *files)
    await own_rabbitmq.start()
    await becomes(poll, "", *files)
