"""Answers what comes from RabbitMQ, at once and always the same: the worker of both sides of benchmarks/bridge.py.

`python bare_worker.py RABBITMQ_URL QUEUE`
"""

import asyncio
import json
import sys

import aio_pika
from aio_pika.abc import AbstractIncomingMessage


async def main(url: str, queue: str) -> None:
    connection = await aio_pika.connect_robust(url)
    async with connection:
        exchange = (await connection.channel(on_return_raises=True)).default_exchange
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=1)

        async def answer(message: AbstractIncomingMessage) -> None:
            request_id = message.correlation_id or ""
            body = {"request_id": request_id, "text": "ответ", "finish_reason": "stop", "model": "bare"}
            headers = {
                **message.headers,
                "cloudEvents:id": f"{request_id}:completed",
                "cloudEvents:type": "timokha.generation.completed.v1",
            }
            reply = aio_pika.Message(
                json.dumps(body).encode(),
                headers=headers,
                correlation_id=request_id,
                delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            )
            await exchange.publish(reply, routing_key=message.reply_to or "", mandatory=True)
            await message.ack()

        await (await channel.get_queue(queue)).consume(answer)
        await asyncio.Future()


asyncio.run(main(*sys.argv[1:]))
