"""A generate function that the loft hosts answers."""

import asyncio

from events.transport import Channel
from functions.generate import app
from functions.generate.settings import GenerateSettings
from functions.generate.triggers.loft import LOFT
from observability.telemetry import noop_telemetry


async def test_what_is_asked_there_is_answered(make_event) -> None:
    stop, asked = asyncio.Event(), make_event("1.2.3.0", "hello")
    await LOFT.publish(Channel.REQUESTS, asked)
    settings = GenerateSettings.read(engine="echo", trigger="loft")
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(app.main(settings, noop_telemetry(), stop))
        while (reply := await LOFT.find(Channel.REPLIES, asked.request_id)) is None:  # noqa: ASYNC110 - polled
            await asyncio.sleep(0.01)
        stop.set()
    assert reply.data().text == "hello"
