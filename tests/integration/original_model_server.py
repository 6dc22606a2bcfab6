"""The original's model server as far as RabbitMQ sees it, written from its wire description alone.

It answers with the question in capitals after DELAY seconds, and drops a question that says "fail".

python original_model_server.py URL QUEUE DELAY
"""

import asyncio
import sys
import uuid

import aio_pika


async def main(url: str, queue: str, delay: str) -> None:
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=1)
        requests = await channel.declare_queue(queue)
        print("ready", flush=True)
        async with requests.iterator() as incoming:
            async for request in incoming:
                turns = request.body.decode().split("<:>")
                print(len(turns), turns[-1].replace("\n", " "), flush=True)
                await asyncio.sleep(float(delay))
                uuid.UUID(request.correlation_id)
                assert request.content_type == "text/plain"
                if "fail" not in turns[-1]:
                    answer = aio_pika.Message(turns[-1].upper().encode(), correlation_id=request.correlation_id)
                    await channel.default_exchange.publish(answer, routing_key=request.reply_to)
                await request.ack()


asyncio.run(main(*sys.argv[1:]))
