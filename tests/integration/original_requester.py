"""The original's bot as far as RabbitMQ sees it, written from its wire description alone: asks once, prints the answer.

python original_requester.py URL QUEUE TURN [TURN ...]
"""

import asyncio
import sys
import uuid

import aio_pika


async def main(url: str, queue: str, *turns: str) -> None:
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        callback = await channel.declare_queue(exclusive=True)
        answers: asyncio.Queue[aio_pika.abc.AbstractIncomingMessage] = asyncio.Queue()
        await callback.consume(answers.put, no_ack=True)
        correlation_id = str(uuid.uuid4())
        request = aio_pika.Message(
            "<:>".join(turns).encode(),
            content_type="text/plain",
            correlation_id=correlation_id,
            reply_to=callback.name,
        )
        await channel.default_exchange.publish(request, routing_key=queue)
        async with asyncio.timeout(60):
            while True:
                answer = await answers.get()
                if answer.correlation_id == correlation_id:
                    break
        print(answer.body.decode(), flush=True)
        # A second answer would be a fault of whoever answers.
        try:
            async with asyncio.timeout(1):
                print("AGAIN", (await answers.get()).body.decode(), flush=True)
        except TimeoutError:
            pass


asyncio.run(main(*sys.argv[1:]))
