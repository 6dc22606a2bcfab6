"""The least that carries a request from JetStream to RabbitMQ and its reply back: nats-py and aio-pika, nothing else.

It checks nothing, remembers nothing over a restart and takes as much as it gets: the floor that `timokha bridge` is
measured against. Run by benchmarks/bridge.py: `python bare_bridge.py NATS_URL RABBITMQ_URL`.
"""

import asyncio
import sys

import aio_pika
import nats
from aio_pika.abc import AbstractIncomingMessage
from nats.aio.msg import Msg

REQUESTS, REPLIES = "bare.requests", "bare.replies"


async def main(nats_url: str, rabbitmq_url: str) -> None:
    client = await nats.connect(nats_url)
    js = client.jetstream()
    pull = await js.pull_subscribe(f"{REQUESTS}.*", durable="bridge")
    publishing, consuming = await aio_pika.connect_robust(rabbitmq_url), await aio_pika.connect_robust(rabbitmq_url)
    async with publishing, consuming:
        exchange = (await publishing.channel(on_return_raises=True)).default_exchange
        channel = await consuming.channel()
        await channel.set_qos(prefetch_count=64)
        quorum = {"x-queue-type": "quorum"}
        await channel.declare_queue(REQUESTS, durable=True, arguments=quorum)
        replies = await channel.declare_queue(REPLIES, durable=True, arguments=quorum)
        waiting: dict[str, Msg] = {}

        async def back(message: AbstractIncomingMessage) -> None:
            number = message.correlation_id or ""
            await js.publish(f"{REPLIES}.{number}", message.body)
            await message.ack()
            await waiting.pop(number).ack_sync()

        await replies.consume(back)
        while True:
            try:
                fetched = await pull.fetch(64, timeout=1)
            except TimeoutError:
                continue
            for request in fetched:
                number = request.subject.rsplit(".", 1)[1]
                waiting[number] = request
                message = aio_pika.Message(
                    request.data,
                    correlation_id=number,
                    reply_to=REPLIES,
                    delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
                )
                await exchange.publish(message, routing_key=REQUESTS, mandatory=True)


asyncio.run(main(*sys.argv[1:]))
